"""Where a camera may say its streams are, and the words for what it may not say."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.devices import CameraConfig

SIZE = {"width": 640, "height": 360, "fps": 10}
NVR = {"template": "dahua", "host": "192.0.2.9", "channel": 3}
ONVIF = {"host": "192.0.2.10"}


def camera(**fields: Any) -> CameraConfig:
    base: dict[str, Any] = {
        "kind": "camera",
        "id": "c",
        "area": "room-1",
        "name": {"zh": "名", "en": "Name"},
        "main": SIZE,
    }
    return CameraConfig.model_validate(base | fields)


def reason(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        camera(**fields)
    error = caught.value.errors()[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg'].removeprefix('Value error, ')}".removeprefix(": ")


@pytest.mark.parametrize(
    "fields",
    [
        {"onvif": ONVIF},
        {"onvif": ONVIF, "sub": SIZE},
        {"onvif": ONVIF | {"port": 8000, "main_profile": "P0", "sub_profile": "P1"}, "sub": SIZE},
        {"onvif": ONVIF, "main": SIZE | {"url": "rtsp://192.0.2.10/1"}},
        {"nvr": NVR},
        {"nvr": NVR, "sub": SIZE},
        {"nvr": NVR | {"host": "2001:db8::1", "template": "hikvision", "port": 8554}},
        {"nvr": NVR | {"host": "nvr_1.centre.example", "template": "uniview"}},
        {"nvr": NVR, "main": SIZE | {"url": "rtsp://192.0.2.10/1"}, "sub": SIZE},
        {"main": SIZE | {"url": "v4l2:///dev/video0"}},
        {"main": SIZE | {"url": "file:///srv/clip.mp4"}},
    ],
)
def test_ways_to_say_where_the_streams_are(fields: dict[str, Any]) -> None:
    taken = camera(**fields)
    assert CameraConfig.model_validate_json(taken.model_dump_json()) == taken


URL = {"url": "rtsp://192.0.2.10/1"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {},
            (
                "main.url: is missing; give the address, or `onvif: {host: HOST}`, or "
                "`nvr: {template: NAME, host: HOST, channel: 1}`"
            ),
        ),
        ({"main": SIZE | URL, "sub": SIZE}, "sub.url: is missing; give the address"),
        ({"onvif": ONVIF, "nvr": NVR}, "onvif and nvr: both say where the streams are; keep one"),
        ({"nvr": NVR, "main": SIZE | URL}, "nvr: is not used, every stream has a url; leave out"),
        (
            {"onvif": ONVIF | {"sub_profile": "P1"}},
            "onvif.sub_profile: names a profile, but no `sub` stream is declared",
        ),
        ({"onvif": {"host": "http://192.0.2.1/"}}, "onvif.host: must be a host name or an IP"),
        ({"onvif": {"host": "192.0.2.1:80"}}, "the port has a key of its own"),
        ({"onvif": {"host": "admin:pw@cam"}}, "onvif.host: must be a host name or an IP"),
        ({"onvif": {"host": "a b"}}, "onvif.host: must be a host name or an IP"),
        ({"onvif": {"host": ""}}, "onvif.host: must be a host name or an IP"),
        ({"onvif": ONVIF | {"port": 0}}, "onvif.port: Input should be greater than or equal to 1"),
        ({"nvr": NVR | {"template": "acme"}}, "Input should be 'hikvision', 'dahua' or 'uniview'"),
        ({"nvr": NVR | {"channel": 0}}, "nvr.channel: Input should be greater than or equal to 1"),
        ({"main": SIZE | {"url": "v4l2://dev/video0"}}, "with three slashes: v4l2:///dev/video0"),
        ({"main": SIZE | {"url": "file://"}}, "with three slashes: file:///srv/clip.mp4"),
        (
            {"main": SIZE | {"url": "rtsp://192.0.2.1/s?user=admin&password=hunter2"}},
            "carries a user name or password",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(fields: dict[str, Any], words: str) -> None:
    said = reason(**fields)
    assert words in said
    assert "hunter2" not in said
