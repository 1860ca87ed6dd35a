"""Where a camera's streams are, as far as its file alone can say."""

import asyncio
import re
from typing import Any

import pytest

from contracts.devices import CameraConfig, NvrTemplate
from edge.capture.nvr import TEMPLATES, channel_path
from edge.capture.sources import (
    NoStreamError,
    StreamAddress,
    described,
    needs_device,
    resolve,
    stream_url,
)
from runtime.clock import SimulatedClock

SIZE = {"width": 640, "height": 360, "fps": 10}


def camera(**fields: Any) -> CameraConfig:
    base: dict[str, Any] = {
        "kind": "camera",
        "id": "c",
        "area": "room-1",
        "name": {"zh": "名", "en": "Name"},
        "main": SIZE,
        "sub": SIZE,
    }
    return CameraConfig.model_validate(base | fields)


def no_one() -> None:
    return None


@pytest.mark.parametrize(
    ("template", "channel", "main", "sub"),
    [
        ("hikvision", 1, "/Streaming/Channels/101", "/Streaming/Channels/102"),
        ("hikvision", 16, "/Streaming/Channels/1601", "/Streaming/Channels/1602"),
        (
            "dahua",
            6,
            "/cam/realmonitor?channel=6&subtype=0",
            "/cam/realmonitor?channel=6&subtype=1",
        ),
        ("uniview", 2, "/unicast/c2/s0/live", "/unicast/c2/s1/live"),
    ],
)
def test_channels_of_recorders(template: str, channel: int, main: str, sub: str) -> None:
    config = camera(nvr={"template": template, "host": "192.0.2.9", "channel": channel})
    assert stream_url(config, "main") == f"rtsp://192.0.2.9:554{main}"
    assert stream_url(config, "sub") == f"rtsp://192.0.2.9:554{sub}"
    assert described(config, "main") == stream_url(config, "main")


@pytest.mark.parametrize("template", NvrTemplate)
def test_each_template_is_a_path_with_its_source(template: NvrTemplate) -> None:
    paths = TEMPLATES[template]
    assert paths.source
    assert paths.note
    found = {channel_path(template, n, sub=sub) for n in (1, 2, 33) for sub in (False, True)}
    assert len(found) == 6, "two channels or streams share an address"
    assert all(re.fullmatch(r"/[A-Za-z0-9/?=&]+", path) for path in found)


def test_an_ipv6_recorder_is_bracketed() -> None:
    config = camera(nvr={"template": "uniview", "host": "2001:db8::9", "channel": 1, "port": 8554})
    assert stream_url(config, "main") == "rtsp://[2001:db8::9]:8554/unicast/c1/s0/live"


def test_a_declared_address_goes_before_recorder_and_device() -> None:
    own = SIZE | {"url": "rtsp://192.0.2.1/own"}
    assert stream_url(camera(onvif={"host": "192.0.2.2"}, main=own), "main") == own["url"]
    nvr = {"template": "dahua", "host": "192.0.2.9", "channel": 1}
    mixed = camera(nvr=nvr, main=own)
    assert stream_url(mixed, "main") == own["url"]
    assert "192.0.2.9" in stream_url(mixed, "sub")


def test_only_the_device_knows() -> None:
    config = camera(onvif={"host": "192.0.2.2", "port": 8000})
    assert needs_device(config, "main")
    with pytest.raises(NoStreamError, match="asked from the device over ONVIF"):
        stream_url(config, "main")
    assert described(config, "sub") == "onvif://192.0.2.2:8000/sub"


def test_a_stream_that_is_not_declared() -> None:
    config = camera(main=SIZE | {"url": "rtsp://192.0.2.1/own"}, sub=None)
    with pytest.raises(NoStreamError, match="no sub stream is declared"):
        stream_url(config, "sub")


def test_what_the_file_says_is_resolved_without_asking_anybody() -> None:
    config = camera(nvr={"template": "dahua", "host": "192.0.2.9", "channel": 1})
    found = asyncio.run(resolve(config, no_one, SimulatedClock()))
    assert found.of("main") == stream_url(config, "main")
    assert found.of("sub") == stream_url(config, "sub")
    address = StreamAddress(config, "sub", no_one, SimulatedClock())
    address.forget()
    assert address() == found.sub
