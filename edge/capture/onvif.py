"""Asks one ONVIF device what it is, what its clock says and where its streams are; and sets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import onvif as onvif_library  # type: ignore[import-untyped]  # publishes no types
from onvif import ONVIFService

from contracts.devices import CameraConfig
from contracts.units import UtcMs
from edge.capture.onvif_profiles import (
    TOKEN_MAX_CHARS,
    DeviceInformation,
    OnvifLost,
    OnvifReason,
    Profile,
    VideoSettings,
    Which,
    at_host,
    audio_codec,
    choose_both,
    video_codec,
)
from edge.capture.onvif_transport import OneHostTransport, as_lost, shown
from runtime.clock import Clock

CALL_TIMEOUT_S: Final = 8.0  # one question and its answer, however slowly the bytes come
RESOLVE_TIMEOUT_S: Final = 10.0  # all that a reader asks before it connects: five questions
PROFILES_MAX: Final = 256  # a recorder of 64 channels has 128 to 192
SERVERS_MAX: Final = 8
OFFSET_COMPENSATED_FROM_MS: Final = 1_000  # below this a device's clock is as right as it can tell

DEVICE_NS: Final = "http://www.onvif.org/ver10/device/wsdl"
MEDIA_NS: Final = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2_NS: Final = "http://www.onvif.org/ver20/media/wsdl"
DEVICE_PATH: Final = "/onvif/device_service"  # fixed by ONVIF Core 5.1.1

_LIBRARY_WSDL: Final = Path(onvif_library.__file__).parent / "wsdl"
_WSDL: Final[Mapping[str, tuple[Path, str]]] = {
    DEVICE_NS: (_LIBRARY_WSDL / "devicemgmt.wsdl", f"{{{DEVICE_NS}}}DeviceBinding"),
    MEDIA_NS: (_LIBRARY_WSDL / "media.wsdl", f"{{{MEDIA_NS}}}MediaBinding"),
    # The library carries no Media2; ours says the few operations that we use.
    MEDIA2_NS: (Path(__file__).with_name("media2.wsdl"), f"{{{MEDIA2_NS}}}Media2Binding"),
}

_PART_MISSING: Final = frozenset(
    {OnvifReason.NOT_OFFERED, OnvifReason.REFUSED, OnvifReason.BAD_ANSWER}
)
"""The device works, this part of it does not: there may be another way."""

T = TypeVar("T")
Answer = Any
"""What zeep makes of an answer; every part of it may be missing, since devices leave out much."""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """All that a device tells in one visit; addresses lead to the asked host, without password.

    ``clock_offset_ms`` is the device's clock minus ours; None when it does not tell.
    ``ntp_servers`` is None when the device does not tell.
    """

    information: DeviceInformation
    clock_offset_ms: int | None
    ntp_servers: tuple[str, ...] | None
    profiles: tuple[Profile, ...]
    streams: Mapping[str, str]
    """Profile token to stream address, for those that the device gave."""
    snapshots: Mapping[str, str]
    notices: tuple[str, ...]


class OnvifDevice:
    """One device, asked over one visit; use ``visit`` to make and close it."""

    def __init__(self, host: str, port: int, pair: tuple[str, str] | None, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._pair = pair
        self._clock = clock
        self._transport = OneHostTransport(pair)
        self._services: dict[str, ONVIFService] = {}
        self._addresses: dict[str, str] = {}
        self._notices: dict[str, None] = {}
        self._compensation = timedelta(0)
        self._time_settled = False
        self._clock_settings: dict[str, object] = {"DaylightSavings": False}
        self.clock_offset_ms: int | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What was not taken as the device said it, each once."""
        return tuple(self._notices)

    @property
    def media2(self) -> bool:
        """Whether the device has the newer media service, which alone can say H.265."""
        return MEDIA2_NS in self._addresses

    async def open(self) -> Self:
        """Read the clock and find the services.

        Raises:
            OnvifLost: with the reason.
        """
        bracketed = f"[{self._host}]" if ":" in self._host else self._host
        self._addresses = {DEVICE_NS: f"http://{bracketed}:{self._port}{DEVICE_PATH}"}
        await self._read_clock()
        self._addresses |= await self._find_services()
        return self

    async def close(self) -> None:
        """Close every connection."""
        for service in self._services.values():
            await service.close()
        await self._transport.aclose()

    async def information(self) -> DeviceInformation:
        """Maker, model, firmware.

        Raises:
            OnvifLost: with the reason.
        """
        said = await self._ask(DEVICE_NS, "GetDeviceInformation")
        return DeviceInformation(
            *(
                shown(str(_part(said, name) or ""))
                for name in (
                    "Manufacturer",
                    "Model",
                    "FirmwareVersion",
                    "SerialNumber",
                    "HardwareId",
                )
            )
        )

    async def profiles(self) -> tuple[Profile, ...]:
        """Every media profile, from Media2 where the device has it and it works.

        Raises:
            OnvifLost: with the reason.
        """
        if self.media2:
            wanted = {"Type": ["VideoEncoder", "AudioEncoder"]}
            try:
                said = _listed(await self._ask(MEDIA2_NS, "GetProfiles", wanted))
            except OnvifLost as lost:
                if lost.reason not in _PART_MISSING or MEDIA_NS not in self._addresses:
                    raise
                self._notice("the device's newer media service (Media2) does not work")
            else:
                found = [_profile2(each) for each in said]
                return tuple(profile for profile in found if profile is not None)
        said = _listed(await self._ask(MEDIA_NS, "GetProfiles"))
        return tuple(each for each in map(_profile1, said) if each is not None)

    async def stream_uri(self, profile: Profile, transport: str = "tcp") -> str:
        """Where a profile's stream is, for RTP inside RTSP (``tcp``) or beside it (``udp``).

        Raises:
            OnvifLost: with the reason.
        """
        if profile.media2:
            protocol = "RTSP" if transport == "tcp" else "RtspUnicast"
            question = {"Protocol": protocol, "ProfileToken": profile.token}
            said = await self._ask(MEDIA2_NS, "GetStreamUri", question)
        else:
            setup = {
                "Stream": "RTP-Unicast",
                "Transport": {"Protocol": "RTSP" if transport == "tcp" else "UDP"},
            }
            question1 = {"StreamSetup": setup, "ProfileToken": profile.token}
            said = await self._ask(MEDIA_NS, "GetStreamUri", question1)
        return self._at_host(_uri(said), ("rtsp", "rtsps"))

    async def snapshot_uri(self, profile: Profile) -> str:
        """Where one picture of a profile can be had.

        Raises:
            OnvifLost: with the reason; NOT_OFFERED from a device without snapshots.
        """
        namespace = MEDIA2_NS if profile.media2 else MEDIA_NS
        said = await self._ask(namespace, "GetSnapshotUri", {"ProfileToken": profile.token})
        return self._at_host(_uri(said), ("http", "https"))

    async def ntp_servers(self) -> tuple[str, ...]:
        """The time servers that the device asks; empty when it asks none.

        Raises:
            OnvifLost: with the reason.
        """
        said = await self._ask(DEVICE_NS, "GetNTP")
        hosts = [*_listed(_part(said, "NTPManual")), *_listed(_part(said, "NTPFromDHCP"))]
        names = [
            str(_part(host, part))
            for host in hosts[:SERVERS_MAX]
            for part in ("DNSname", "IPv4Address", "IPv6Address")
            if _part(host, part)
        ]
        return tuple(shown(name) for name in names)

    async def set_ntp(self, servers: Sequence[str]) -> None:
        """Tell the device which time servers to ask, and to set its clock by them.

        Raises:
            OnvifLost: with the reason.
        """
        manual = [_network_host(server) for server in servers[:SERVERS_MAX]]
        await self._ask(DEVICE_NS, "SetNTP", {"FromDHCP": False, "NTPManual": manual})
        # Whatever is left out here, some devices set back: summer time and zone stay as they are.
        await self._ask(
            DEVICE_NS, "SetSystemDateAndTime", {"DateTimeType": "NTP", **self._clock_settings}
        )

    async def set_video(self, profile: Profile, settings: VideoSettings) -> None:
        """Set size, frame rate and key frames of a profile's encoder; the rest stays as it is.

        Raises:
            OnvifLost: with the reason; REFUSED with the device's words when it cannot.
        """
        if profile.media2:
            asked = {"ConfigurationToken": settings.token}
            said = _listed(await self._ask(MEDIA2_NS, "GetVideoEncoderConfigurations", asked))
            if not said:
                raise OnvifLost(OnvifReason.BAD_ANSWER, "no configuration of that token")
            namespace, change = MEDIA2_NS, _changed(said[0], settings, media2=True)
            question = {"Configuration": change}
        else:
            asked = {"ConfigurationToken": settings.token}
            current = await self._ask(MEDIA_NS, "GetVideoEncoderConfiguration", asked)
            namespace, change = MEDIA_NS, _changed(current, settings, media2=False)
            question = {"Configuration": change, "ForcePersistence": True}
        await self._ask(namespace, "SetVideoEncoderConfiguration", question)

    async def _read_clock(self) -> None:
        before = self._clock.utc_ms()
        try:
            said = await self._ask_openly("GetSystemDateAndTime", {})
        except OnvifLost as lost:
            if lost.reason not in _PART_MISSING:
                raise
            said = None
        after = self._clock.utc_ms()
        self._clock_settings["DaylightSavings"] = bool(_part(said, "DaylightSavings"))
        if zone := _part(_part(said, "TimeZone"), "TZ"):
            self._clock_settings["TimeZone"] = {"TZ": zone}
        theirs = _utc_ms(_part(said, "UTCDateTime"))
        if theirs is None:
            self._notice("the device does not tell its time in UTC")
            return
        # It tells whole seconds: on the average half a second has passed since.
        self.clock_offset_ms = theirs + 500 - (before + after) // 2
        if abs(self.clock_offset_ms) > OFFSET_COMPENSATED_FROM_MS:
            await self._sign_with(timedelta(milliseconds=self.clock_offset_ms))

    async def _find_services(self) -> dict[str, str]:
        try:
            said = _listed(await self._ask_openly("GetServices", {"IncludeCapability": False}))
            offered = {_part(each, "Namespace"): _part(each, "XAddr") for each in said}
        except OnvifLost as lost:
            if lost.reason not in _PART_MISSING:
                raise
            # Devices of before ONVIF 2.1 know GetCapabilities alone.
            capabilities = await self._ask_openly("GetCapabilities", {"Category": "All"})
            offered = {MEDIA_NS: _part(_part(capabilities, "Media"), "XAddr")}
        found = {
            namespace: self._at_host(str(address), ("http", "https"))
            for namespace, address in offered.items()
            if namespace in {MEDIA_NS, MEDIA2_NS} and address
        }
        if not found:
            raise OnvifLost(OnvifReason.NOT_OFFERED, "no media service")
        return found

    def _at_host(self, uri: str, schemes: Sequence[str]) -> str:
        address = at_host(uri, self._host, self._port, schemes=schemes)
        if address.said is not None:
            self._notice(f"the device calls itself {shown(address.said)!r}; asked at {self._host}")
        return address.uri

    def _notice(self, text: str) -> None:
        self._notices.setdefault(text)

    async def _ask_openly(self, operation: str, question: Mapping[str, object]) -> Answer:
        """An operation that ONVIF leaves open to all; signed for devices that want it so."""
        try:
            return await self._call(DEVICE_NS, operation, question, signed=False)
        except OnvifLost as lost:
            if lost.reason is not OnvifReason.WRONG_PASSWORD or self._pair is None:
                raise
        return await self._ask(DEVICE_NS, operation, question)

    async def _ask(
        self, namespace: str, operation: str, question: Mapping[str, object] | None = None
    ) -> Answer:
        """A signed operation; a device that refuses its own time is asked once more with ours."""
        signed = self._pair is not None
        try:
            said = await self._call(namespace, operation, question or {}, signed=signed)
        except OnvifLost as lost:
            doubtful = lost.reason in {OnvifReason.WRONG_PASSWORD, OnvifReason.CLOCK_OFF}
            if not (doubtful and signed and self._compensation and not self._time_settled):
                raise self._explained(lost) from None
            # A device that tells its local time as UTC judges messages by another clock than the
            # one it shows. Tried once only: each refusal counts towards its lock-out.
            self._time_settled = True
            told = self._compensation
            await self._sign_with(timedelta(0))
            try:
                said = await self._call(namespace, operation, question or {}, signed=True)
            except OnvifLost:
                await self._sign_with(told)
                raise self._explained(lost) from None
            self._notice("the device tells another time than the one it works by")
        self._time_settled = self._time_settled or signed
        return said

    def _explained(self, lost: OnvifLost) -> OnvifLost:
        if lost.reason is OnvifReason.WRONG_PASSWORD and self.clock_offset_ms is None:
            return OnvifLost(lost.reason, f"{lost.detail}; its clock could not be read")
        if lost.reason is OnvifReason.CLOCK_OFF and self.clock_offset_ms is not None:
            return OnvifLost(
                lost.reason, f"{lost.detail}; off by {self.clock_offset_ms / 1000:+.0f} s"
            )
        return lost

    async def _call(
        self, namespace: str, operation: str, question: Mapping[str, object], *, signed: bool
    ) -> Answer:
        if namespace not in self._addresses:
            raise OnvifLost(OnvifReason.NOT_OFFERED, f"no service {namespace}")
        with as_lost():
            async with asyncio.timeout(CALL_TIMEOUT_S):
                service = await self._service(namespace)
                call = getattr(service, operation if signed else f"authless_{operation}")
                return await call(dict(question))

    async def _service(self, namespace: str) -> ONVIFService:
        service = self._services.get(namespace)
        if service is None:
            wsdl, binding = _WSDL[namespace]
            user, password = self._pair or (None, None)
            service = ONVIFService(
                self._addresses[namespace],
                user,
                password,
                str(wsdl),
                no_cache=True,
                dt_diff=self._compensation or None,
                binding_name=binding,
            )
            # The library's own transport follows redirects and reads answers of any size.
            service.transport = self._transport
            self._services[namespace] = service
            await service.setup()
        return service

    async def _sign_with(self, compensation: timedelta) -> None:
        """Sign by our time plus this; the library fixes it when a service is made."""
        self._compensation = compensation
        for service in self._services.values():
            service.transport = _Kept()
            await service.close()
        self._services.clear()


class _Kept:
    """Stands in for the shared transport while a service that used it is closed."""

    async def aclose(self) -> None:
        """Leave the connections open."""


@asynccontextmanager
async def visit(
    host: str, port: int, pair: tuple[str, str] | None, clock: Clock
) -> AsyncIterator[OnvifDevice]:
    """Open a device and close it again, whatever happens.

    Raises:
        OnvifLost: with the reason.
    """
    device = OnvifDevice(host, port, pair, clock)
    try:
        yield await device.open()
    finally:
        await device.close()


async def examine(
    host: str, port: int, pair: tuple[str, str] | None, clock: Clock, *, transport: str = "tcp"
) -> DeviceReport:
    """Everything that a device tells in one visit; a missing snapshot or NTP is no failure.

    Raises:
        OnvifLost: with the reason.
    """
    async with visit(host, port, pair, clock) as device:
        return await examine_open(device, transport=transport)


async def examine_open(device: OnvifDevice, *, transport: str = "tcp") -> DeviceReport:
    """As ``examine``, for a device that is open.

    Raises:
        OnvifLost: with the reason.
    """
    information = await device.information()
    profiles = await device.profiles()
    streams: dict[str, str] = {}
    snapshots: dict[str, str] = {}
    for profile in profiles:
        if profile.video is None:
            continue
        streams[profile.token] = await device.stream_uri(profile, transport)
        snapshot = await _unless_refused(device.snapshot_uri(profile))
        if snapshot is not None:
            snapshots[profile.token] = snapshot
    ntp = await _unless_refused(device.ntp_servers())
    offset_ms = device.clock_offset_ms
    return DeviceReport(information, offset_ms, ntp, profiles, streams, snapshots, device.notices)


async def device_clock_offset_ms(
    camera: CameraConfig, pair: tuple[str, str] | None, clock: Clock
) -> int | None:
    """A camera's own clock less ours, to half a second; None when it does not tell its time.

    Raises:
        OnvifLost: with the reason.
        ValueError: the camera has no ``onvif``.
    """
    if camera.onvif is None:
        raise ValueError(f"camera {camera.id} has no onvif source")
    try:
        async with (
            asyncio.timeout(RESOLVE_TIMEOUT_S),
            visit(camera.onvif.host, camera.onvif.port, pair, clock) as device,
        ):
            return device.clock_offset_ms
    except TimeoutError:
        raise OnvifLost(OnvifReason.NO_ANSWER, f"not within {RESOLVE_TIMEOUT_S:g} s") from None


async def device_streams(
    camera: CameraConfig, pair: tuple[str, str] | None, clock: Clock
) -> tuple[dict[Which, str], tuple[str, ...]]:
    """The stream addresses of a camera with ``onvif``, and what was not taken as it was said.

    Raises:
        OnvifLost: with the reason.
        ValueError: the camera has no ``onvif``.
    """
    if camera.onvif is None:
        raise ValueError(f"camera {camera.id} has no onvif source")
    try:
        async with (
            asyncio.timeout(RESOLVE_TIMEOUT_S),
            visit(camera.onvif.host, camera.onvif.port, pair, clock) as device,
        ):
            main, sub = choose_both(await device.profiles(), camera)
            urls: dict[Which, str] = {"main": await device.stream_uri(main, camera.transport)}
            if sub is not None:
                urls["sub"] = await device.stream_uri(sub, camera.transport)
            return urls, device.notices
    except TimeoutError:
        raise OnvifLost(OnvifReason.NO_ANSWER, f"not within {RESOLVE_TIMEOUT_S:g} s") from None


async def _unless_refused(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except OnvifLost as lost:
        if lost.reason in {OnvifReason.UNREACHABLE, OnvifReason.NO_ANSWER}:
            raise
        return None


def _part(value: Answer, name: str) -> Answer:
    """A part of an answer; None when the device left it out."""
    return getattr(value, name, None)


def _listed(value: Answer) -> list[Answer]:
    """A repeated element as a list; zeep gives None, one element or a list."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)[:PROFILES_MAX]
    inner = _part(value, "Profiles") or _part(value, "Configurations") or _part(value, "Service")
    return _listed(inner) if inner is not None else [value]


def _uri(said: Answer) -> str:
    return str(_part(said, "Uri") or said or "").strip()


def _whole(value: Answer, *, most: int) -> int | None:
    """A number of a device, if it is one that can be."""
    try:
        number = round(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number <= most else None


def _token(value: Answer) -> str | None:
    token = _part(value, "token")
    if not isinstance(token, str) or not 0 < len(token) <= TOKEN_MAX_CHARS:
        return None
    return token if token.isprintable() else None


def _profile1(said: Answer) -> Profile | None:
    token = _token(said)
    if token is None:
        return None
    encoder = _part(said, "VideoEncoderConfiguration")
    sound = _part(_part(said, "AudioEncoderConfiguration"), "Encoding")
    gop = _part(_part(encoder, "H264"), "GovLength")
    return Profile(
        token=token,
        name=shown(str(_part(said, "Name") or token)),
        media2=False,
        video=_video(encoder, gop),
        audio=audio_codec(str(sound)) if sound else "none",
    )


def _profile2(said: Answer) -> Profile | None:
    token = _token(said)
    if token is None:
        return None
    configurations = _part(said, "Configurations")
    encoder = _part(configurations, "VideoEncoder")
    sound = _part(_part(configurations, "AudioEncoder"), "Encoding")
    return Profile(
        token=token,
        name=shown(str(_part(said, "Name") or token)),
        media2=True,
        video=_video(encoder, _part(encoder, "GovLength")),
        audio=audio_codec(str(sound)) if sound else "none",
    )


def _video(encoder: Answer, gop: Answer) -> VideoSettings | None:
    token, size = _token(encoder), _part(encoder, "Resolution")
    width = _whole(_part(size, "Width"), most=16_384)
    height = _whole(_part(size, "Height"), most=16_384)
    if token is None or width is None or height is None:
        return None
    rate = _part(encoder, "RateControl")
    fps = _part(rate, "FrameRateLimit")
    return VideoSettings(
        token=token,
        codec=video_codec(str(_part(encoder, "Encoding") or "")),
        width=width,
        height=height,
        fps=float(fps) if _whole(fps, most=240) is not None else None,
        gop_frames=_whole(gop, most=100_000),
        bitrate_kbps=_whole(_part(rate, "BitrateLimit"), most=10_000_000),
    )


def _changed(current: Answer, settings: VideoSettings, *, media2: bool) -> Answer:
    """A device's own configuration with our size, rate and key frames in it.

    Raises:
        OnvifLost: BAD_ANSWER: the device gave none.
    """
    with as_lost():
        current.Resolution.Width = settings.width
        current.Resolution.Height = settings.height
        if settings.fps is not None and current.RateControl is not None:
            current.RateControl.FrameRateLimit = settings.fps if media2 else round(settings.fps)
        if settings.gop_frames is not None:
            if media2:
                current.GovLength = settings.gop_frames
            elif current.H264 is not None:
                current.H264.GovLength = settings.gop_frames
    return current


def _network_host(server: str) -> dict[str, str]:
    if ":" in server:
        return {"Type": "IPv6", "IPv6Address": server}
    if server.replace(".", "").isdigit():
        return {"Type": "IPv4", "IPv4Address": server}
    return {"Type": "DNS", "DNSname": server}


def _utc_ms(said: Answer) -> UtcMs | None:
    """``tt:DateTime`` as milliseconds since 1970; None for what is no time."""
    date, time = _part(said, "Date"), _part(said, "Time")
    try:
        moment = datetime(
            int(date.Year), int(date.Month), int(date.Day), int(time.Hour), int(time.Minute),
            tzinfo=UTC,
        ) + timedelta(seconds=int(time.Second))  # fmt: skip
        return UtcMs(int(moment.timestamp() * 1000))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
