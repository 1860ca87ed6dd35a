"""Asks a simulated device over HTTP: who may ask, clocks, addresses, settings, bad answers."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from contracts.devices import CameraConfig
from edge.capture.onvif import DeviceReport, OnvifDevice, device_streams, examine, visit
from edge.capture.onvif_profiles import (
    DeviceInformation,
    OnvifLost,
    OnvifReason,
    VideoSettings,
)
from edge.capture.onvif_transport import ANSWER_MAX_BYTES, READ_TIMEOUT_S
from edge.capture.sources import DENIED_PAUSE_MS, StreamAddress, resolve
from runtime.clock import SimulatedClock, SystemClock
from tests.fakes.onvif_device import DeviceState, Encoder, FakeOnvifDevice
from tests.fakes.onvif_device.server import Raw
from tests.fakes.onvif_device.soap import Fault, envelope, fault_envelope, not_supported
from tests.fakes.onvif_device.state import G711

CLOCK = SystemClock()
HOST = "127.0.0.1"


def pair(state: DeviceState) -> tuple[str, str]:
    return state.user, state.password


async def examined(device: FakeOnvifDevice) -> DeviceReport:
    report = await examine(HOST, device.port, pair(DeviceState()), CLOCK)
    assert device.mistakes == [], "what was asked or answered does not fit the WSDL"
    return report


async def lost(device: FakeOnvifDevice, given: tuple[str, str] | None = None) -> OnvifLost:
    with pytest.raises(OnvifLost) as caught:
        await examine(HOST, device.port, given or pair(DeviceState()), CLOCK)
    return caught.value


@asynccontextmanager
async def opened(device: FakeOnvifDevice) -> AsyncIterator[OnvifDevice]:
    async with visit(HOST, device.port, pair(device.state), CLOCK) as client:
        yield client
    assert device.mistakes == []


@pytest.mark.parametrize("media2", [True, False])
async def test_what_a_device_tells(media2: bool) -> None:
    with FakeOnvifDevice(DeviceState(media2=media2)) as device:
        report = await examined(device)
    assert (report.information.manufacturer, report.information.model) == ("Zero Entry", "IPC-Test")
    assert [(each.token, each.audio, each.media2) for each in report.profiles] == [
        ("Profile_0", "aac", media2),
        ("Profile_1", "aac", media2),
    ]
    assert report.profiles[0].video == VideoSettings("VEC_0", "h264", 1920, 1080, 25.0, 50, 4096)
    assert report.streams["Profile_1"] == "rtsp://127.0.0.1:554/sub"
    assert report.snapshots["Profile_0"] == f"http://{device.host}/snap/main"
    assert report.ntp_servers == ("192.0.2.123",)
    assert report.clock_offset_ms is not None
    assert abs(report.clock_offset_ms) < 1_500
    assert report.notices == ()


async def test_h265_is_seen_where_media2_is_offered() -> None:
    with FakeOnvifDevice() as device:
        device.state.encoders[0].encoding = "H265"
        report = await examined(device)
        assert report.profiles[0].video
        assert report.profiles[0].video.codec == "h265"


async def test_sound_that_the_old_service_cannot_name_and_a_device_without() -> None:
    with FakeOnvifDevice(DeviceState(media2=False, sound=G711)) as device:
        assert (await examined(device)).profiles[0].audio == "g711"
    with FakeOnvifDevice(DeviceState(sound=None)) as device:
        assert (await examined(device)).profiles[0].audio == "none"


async def test_a_device_of_before_get_services() -> None:
    with FakeOnvifDevice(DeviceState(get_services=False)) as device:
        report = await examined(device)
    assert "GetCapabilities" in device.asked
    assert report.streams


@pytest.mark.parametrize(
    ("broken", "notice"),
    [
        ("GetSystemDateAndTime", "the device does not tell its time in UTC"),
        ("GetServices", None),
    ],
)
async def test_a_part_that_does_not_work_is_gone_around(broken: str, notice: str | None) -> None:
    fault = fault_envelope(not_supported(broken))
    with FakeOnvifDevice(instead=instead(broken, (500, {}, fault))) as device:
        report = await examined(device)
    assert report.streams
    assert report.notices == ((notice,) if notice else ())


async def test_a_newer_media_service_that_does_not_work() -> None:
    first: list[Raw] = [(500, {}, fault_envelope(not_supported("GetProfiles")))]

    def once(asked: str) -> Raw | None:
        return first.pop() if asked == "GetProfiles" and first else None

    with FakeOnvifDevice(instead=once) as device:
        report = await examined(device)
    assert [each.media2 for each in report.profiles] == [False, False]
    assert report.notices == ("the device's newer media service (Media2) does not work",)


@pytest.mark.parametrize("everything_signed", [True, False])
@pytest.mark.parametrize("http_digest", [True, False])
async def test_both_ways_of_signing(http_digest: bool, everything_signed: bool) -> None:
    state = DeviceState(http_digest=http_digest, everything_signed=everything_signed)
    with FakeOnvifDevice(state) as device:
        assert (await examined(device)).streams


@pytest.mark.parametrize("http_digest", [True, False])
async def test_a_wrong_password_is_told_after_one_try(http_digest: bool) -> None:
    with FakeOnvifDevice(DeviceState(http_digest=http_digest)) as device:
        refused = await lost(device, ("admin", "wrong"))
        assert refused.reason is OnvifReason.WRONG_PASSWORD
        assert device.asked.count("GetDeviceInformation") <= 1, "devices lock out"
        assert "wrong" not in str(refused).replace("wrong_password", "")
        nobody = await lost(device, ("", ""))
        assert nobody.reason is OnvifReason.WRONG_PASSWORD


@pytest.mark.parametrize("offset_s", [-7_200, 7_200, -20 * 365 * 86_400])
async def test_a_wrong_clock_is_told_and_signed_for(offset_s: int) -> None:
    with FakeOnvifDevice(DeviceState(clock_offset_s=offset_s)) as device:
        report = await examined(device)
    assert report.clock_offset_ms is not None
    assert abs(report.clock_offset_ms - offset_s * 1000) < 1_500


async def test_a_device_that_tells_its_local_time_as_utc() -> None:
    with FakeOnvifDevice(DeviceState(told_offset_s=8 * 3600)) as device:
        report = await examined(device)
        assert "the device tells another time than the one it works by" in report.notices
        assert device.asked.count("GetDeviceInformation") == 2, "asked again once"


async def test_a_device_whose_time_nobody_can_know() -> None:
    state = DeviceState(clock_offset_s=300, tells_utc=False)
    with FakeOnvifDevice(state) as device:
        refused = await lost(device)
        assert refused.reason is OnvifReason.WRONG_PASSWORD
        assert "its clock could not be read" in refused.detail
        state.stamps_expire = True
        assert (await lost(device)).reason is OnvifReason.CLOCK_OFF


async def test_addresses_of_another_host_are_not_followed() -> None:
    with FakeOnvifDevice() as device, FakeOnvifDevice() as other:
        device.state.service_host = f"localhost:{other.port}"
        device.state.stream_host = "0.0.0.0:8554"
        report = await examined(device)
        assert other.asked == []
    assert report.streams["Profile_0"] == "rtsp://127.0.0.1:8554/main"
    assert urlsplit(report.snapshots["Profile_0"]).port == device.port
    assert report.notices == (
        "the device calls itself 'localhost'; asked at 127.0.0.1",
        "the device calls itself '0.0.0.0'; asked at 127.0.0.1",
    )


def instead(operation: str, raw: Raw) -> Callable[[str], Raw | None]:
    return lambda asked: raw if asked == operation else None


async def test_a_refusal_in_words_alone() -> None:
    fault = fault_envelope(Fault(("env:Receiver",), "Sender not authorised"))
    with FakeOnvifDevice(instead=instead("GetDeviceInformation", (500, {}, fault))) as device:
        assert (await lost(device)).reason is OnvifReason.WRONG_PASSWORD


async def test_an_answer_to_another_question_tells_nothing() -> None:
    other = envelope("<tds:GetHostnameResponse/>")
    with FakeOnvifDevice(instead=instead("GetDeviceInformation", (200, {}, other))) as device:
        assert (await examined(device)).information == DeviceInformation()


async def test_redirects_are_not_followed() -> None:
    with FakeOnvifDevice() as other:
        away = {"Location": f"http://{other.host}/onvif/device_service"}
        with FakeOnvifDevice(instead=instead("GetDeviceInformation", (307, away, b""))) as device:
            refused = await lost(device)
        assert (refused.reason, refused.detail) == (OnvifReason.NOT_ONVIF, "HTTP 307")
        assert other.asked == []


@pytest.mark.parametrize(
    ("raw", "reason", "words"),
    [
        ((200, {}, b"<html></html>"), OnvifReason.NOT_ONVIF, "no SOAP envelope"),
        ((200, {}, b"no xml"), OnvifReason.NOT_ONVIF, "the answer is not XML"),
        ((404, {}, b""), OnvifReason.NOT_ONVIF, "HTTP 404"),
        ((403, {}, b""), OnvifReason.REFUSED, "devices lock out"),
        ((401, {"WWW-Authenticate": 'Basic realm="x"'}, b""), OnvifReason.REFUSED, "in the clear"),
        ((200, {}, b" " * (ANSWER_MAX_BYTES + 1)), OnvifReason.BAD_ANSWER, "above"),
        (
            (200, {}, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
            OnvifReason.NOT_ONVIF,
            "document type",
        ),
    ],
)
async def test_answers_that_are_none(raw: Raw, reason: OnvifReason, words: str) -> None:
    with FakeOnvifDevice(instead=instead("GetDeviceInformation", raw)) as device:
        refused = await lost(device)
    assert refused.reason is reason
    assert words in refused.detail


async def test_nobody_there_and_somebody_who_says_nothing() -> None:
    with socket.socket() as mute:
        mute.bind((HOST, 0))
        with pytest.raises(OnvifLost) as caught:  # bound, not listening
            await examine(HOST, mute.getsockname()[1], None, CLOCK)
        assert caught.value.reason is OnvifReason.UNREACHABLE
        mute.listen()
        client = OnvifDevice(HOST, mute.getsockname()[1], None, CLOCK)
        assert client._transport.client.timeout.read == READ_TIMEOUT_S
        client._transport.client.timeout = httpx.Timeout(0.1)
        with pytest.raises(OnvifLost) as caught:
            await client.open()
        await client.close()
        assert caught.value.reason is OnvifReason.NO_ANSWER


async def test_a_device_without_snapshots_is_no_failure() -> None:
    with FakeOnvifDevice(DeviceState(snapshots=False)) as device:
        report = await examined(device)
        assert report.streams
        assert report.snapshots == {}
        async with opened(device) as client:
            with pytest.raises(OnvifLost) as caught:
                await client.snapshot_uri(report.profiles[0])
    assert caught.value.reason is OnvifReason.NOT_OFFERED


@pytest.mark.parametrize("media2", [True, False])
async def test_encoder_and_time_servers_are_set(media2: bool) -> None:
    with FakeOnvifDevice(DeviceState(media2=media2)) as device:
        async with opened(device) as client:
            profile = (await client.profiles())[0]
            assert profile.video is not None
            wanted = VideoSettings("VEC_0", "h264", 1280, 720, 12.0, 24, 4096)
            await client.set_video(profile, wanted)
            assert (await client.profiles())[0].video == wanted
            await client.set_ntp(("192.0.2.7", "ntp.example", "2001:db8::7"))
            assert device.state.ntp == ("192.0.2.7", "ntp.example", "2001:db8::7")
            assert device.state.ntp_on
        assert device.state.encoders[0].kbps == 4096
        assert device.state.encoders[1].width == 640, "the other encoder is left alone"


@pytest.mark.parametrize("media2", [True, False])
async def test_a_size_that_the_device_does_not_have(media2: bool) -> None:
    with FakeOnvifDevice(DeviceState(media2=media2)) as device:
        async with opened(device) as client:
            profile = (await client.profiles())[0]
            with pytest.raises(OnvifLost) as caught:
                await client.set_video(
                    profile, VideoSettings("VEC_0", "h264", 1234, 720, 25.0, 50, 4096)
                )
            assert caught.value.reason is OnvifReason.REFUSED
            assert "ConfigModify" in caught.value.detail
            with pytest.raises(OnvifLost) as caught:
                await client.set_video(
                    profile, VideoSettings("VEC_9", "h264", 1280, 720, 25.0, 50, 4096)
                )
            assert caught.value.reason is OnvifReason.REFUSED


def camera(device: FakeOnvifDevice, **onvif: Any) -> CameraConfig:
    return CameraConfig.model_validate(
        {
            "kind": "camera",
            "id": "c",
            "area": "room-1",
            "name": {"zh": "名", "en": "Name"},
            "onvif": {"host": HOST, "port": device.port} | onvif,
            "main": {"width": 1920, "height": 1080, "fps": 25},
            "sub": {"width": 640, "height": 360, "fps": 10},
        }
    )


async def test_streams_of_a_camera_by_size_and_by_token() -> None:
    with FakeOnvifDevice() as device:
        login = pair(device.state)
        found = await resolve(camera(device), lambda: login, CLOCK)
        assert (found.main, found.sub) == (
            "rtsp://127.0.0.1:554/main",
            "rtsp://127.0.0.1:554/sub",
        )
        turned = camera(device, main_profile="Profile_1", sub_profile="Profile_0")
        urls, _ = await device_streams(turned, login, CLOCK)
        assert urls["main"] == "rtsp://127.0.0.1:554/sub"
        with pytest.raises(OnvifLost, match="the device has: Profile_0, Profile_1"):
            await device_streams(camera(device, main_profile="gone"), login, CLOCK)


def test_a_readers_thread_asks_once_and_again_when_told_to() -> None:
    with FakeOnvifDevice() as device:
        login = pair(device.state)
        address = StreamAddress(camera(device), "sub", lambda: login, CLOCK)
        assert [address(), address()] == ["rtsp://127.0.0.1:554/sub"] * 2
        assert device.asked.count("GetProfiles") == 1
        device.state.encoders[1].path = "/reset"
        assert address() == "rtsp://127.0.0.1:554/sub"
        address.forget()
        assert address() == "rtsp://127.0.0.1:554/reset"
        assert device.asked.count("GetProfiles") == 2


def test_a_reader_does_not_lock_a_user_out() -> None:
    with FakeOnvifDevice() as device:
        clock, login = SimulatedClock(), ["admin", "old"]
        address = StreamAddress(camera(device), "main", lambda: (login[0], login[1]), clock)

        def asks() -> int:
            before = len(device.asked)
            with pytest.raises(OnvifLost) as caught:
                address()
            assert caught.value.reason is OnvifReason.WRONG_PASSWORD
            return len(device.asked) - before

        assert asks() > 0
        address.forget()
        clock.advance_ms(DENIED_PAUSE_MS - 1)
        assert asks() == 0
        clock.advance_ms(1)
        assert asks() > 0
        assert asks() == 0
        login[1] = "another"
        assert asks() > 0, "somebody has stored another password"


async def test_a_recorder_of_many_channels() -> None:
    channels = [
        Encoder(f"V{n}", f"P{n}", f"ch{n}", "H265", 1920, 1080, 25, 50, 4096, f"/{n}")
        for n in range(64)
    ]
    with FakeOnvifDevice(DeviceState(encoders=channels)) as device:
        async with opened(device) as client:
            assert len(await client.profiles()) == 64


async def test_operations_for_which_nobody_here_asks_fit_the_wsdl_too() -> None:
    with FakeOnvifDevice() as device:
        async with opened(device) as client:
            for operation in ("GetScopes", "GetNetworkInterfaces"):
                await client._ask("http://www.onvif.org/ver10/device/wsdl", operation)
        assert {"GetScopes", "GetNetworkInterfaces"} <= set(device.asked)
