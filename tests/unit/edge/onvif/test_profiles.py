"""Which profile is meant, what differs, and that no answer leads to another host."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import CameraConfig, StreamConfig
from edge.capture.onvif_profiles import (
    DifferenceKind,
    OnvifLost,
    OnvifReason,
    Profile,
    VideoSettings,
    at_host,
    audio_codec,
    choose,
    choose_both,
    differences,
    suggest_both,
    video_codec,
    wanted_video,
)


def profile(
    token: str,
    width: int,
    height: int,
    *,
    codec: str = "h264",
    fps: float | None = 25.0,
    gop: int | None = 50,
    audio: str = "aac",
) -> Profile:
    video = VideoSettings(f"V{token}", codec, width, height, fps, gop, 2048)
    return Profile(token, token, media2=True, video=video, audio=audio)


BIG = profile("big", 2560, 1440, codec="h265")
MIDDLE = profile("middle", 1920, 1080)
SMALL = profile("small", 640, 360, fps=10.0, gop=20)
BLIND = Profile("blind", "blind", media2=True, video=None)
ALL = (SMALL, BLIND, MIDDLE, BIG)


def stream(width: int, height: int, fps: float = 25, codec: str = "h264") -> StreamConfig:
    return StreamConfig.model_validate(
        {"width": width, "height": height, "fps": fps, "codec": codec}
    )


def camera(main: StreamConfig, sub: StreamConfig | None = None, **fields: Any) -> CameraConfig:
    return CameraConfig.model_validate(
        {
            "kind": "camera",
            "id": "c",
            "area": "room-1",
            "name": {"zh": "名", "en": "Name"},
            "onvif": {"host": "192.0.2.2"},
            "main": main.model_dump(),
            "sub": sub and sub.model_dump(),
        }
        | fields
    )


@pytest.mark.parametrize(
    ("wanted", "token", "chosen"),
    [
        (stream(1920, 1080), None, "middle"),
        (stream(2560, 1440, codec="h265"), None, "big"),
        (stream(2560, 1440), None, "middle"),  # the codec goes before the size
        (stream(704, 576), None, "small"),
        (stream(704, 576), "big", "big"),
    ],
)
def test_the_profile_that_is_meant(wanted: StreamConfig, token: str | None, chosen: str) -> None:
    assert choose(ALL, wanted, token).token == chosen


def test_two_streams_take_two_profiles_where_there_are_two() -> None:
    same = stream(640, 360, 10)
    main, sub = choose_both((SMALL, MIDDLE), camera(same, same))
    assert (main.token, sub and sub.token) == ("small", "middle")
    main, sub = choose_both((SMALL,), camera(same, same))
    assert main is sub


@pytest.mark.parametrize(
    ("profiles", "token", "words"),
    [
        (ALL, "nope", "no profile 'nope'; the device has: small, middle, big"),
        (ALL, "blind", "no profile 'blind'"),
        ((BLIND,), None, "no profile with a picture"),
        ((), None, "no profile with a picture"),
    ],
)
def test_a_profile_that_is_not_there(
    profiles: tuple[Profile, ...], token: str | None, words: str
) -> None:
    with pytest.raises(OnvifLost, match=words) as caught:
        choose(profiles, stream(640, 360), token)
    assert caught.value.reason is OnvifReason.NO_PROFILE
    assert isinstance(caught.value, OSError), "a reader's thread catches OSError"


def test_what_is_suggested_for_a_new_camera() -> None:
    assert suggest_both(ALL, sub_width=640) == (BIG, SMALL)
    assert suggest_both((MIDDLE,), sub_width=640) == (MIDDLE, None)
    jpeg = profile("jpeg", 4000, 3000, codec="jpeg")
    assert suggest_both((jpeg, SMALL), sub_width=640) == (SMALL, None)
    assert suggest_both((), sub_width=640) == (None, None)


def test_a_device_that_is_set_as_declared() -> None:
    config = camera(stream(1920, 1080), stream(640, 360, 10))
    assert differences(config, MIDDLE, SMALL, 1_500) == ()
    assert differences(config, MIDDLE, SMALL, None) == ()


def test_every_difference_is_told_with_both_sides() -> None:
    config = camera(stream(1920, 1080), stream(640, 360, 10), sound="pcma")
    video = SMALL.video
    assert video is not None
    slow = replace(SMALL, video=replace(video, fps=25.0, gop_frames=250))
    found = differences(config, BIG, slow, -7_200_000)
    assert [(each.kind, each.which, each.wanted, each.actual) for each in found] == [
        (DifferenceKind.CODEC, "main", "h264", "h265"),
        (DifferenceKind.SIZE, "main", "1920x1080", "2560x1440"),
        (DifferenceKind.FPS, "sub", "10", "25"),
        (DifferenceKind.KEY_FRAMES, "sub", "<= 4 s", "10.0 s"),
        (DifferenceKind.SOUND, None, "pcma", "aac"),
        (DifferenceKind.CLOCK, None, "<= 2 s", "-7200.0 s"),
    ]


@pytest.mark.parametrize(
    ("declared", "actual", "alike"),
    [
        ("pcma", "g711", True),  # Media (ver10) cannot say which of the two
        ("pcmu", "g711", True),
        ("aac", "g711", False),
        ("none", "none", True),
        ("none", "aac", False),
    ],
)
def test_sound_of_the_old_media_service(declared: str, actual: str, alike: bool) -> None:
    config = camera(stream(1920, 1080), sound=declared)
    found = differences(config, replace(MIDDLE, audio=actual), None, 0)
    assert (found == ()) is alike


def test_what_is_set_leaves_the_rest_as_it_is() -> None:
    before = VideoSettings("V", "h265", 2560, 1440, 25.0, 250, 6144)
    after = wanted_video(before, stream(1920, 1080, 12.5))
    assert after == VideoSettings("V", "h265", 1920, 1080, 12.5, 25, 6144)
    # A rate that Media (ver10) rounds, and key frames that come often enough, stay.
    assert wanted_video(replace(before, fps=12.0, gop_frames=24), stream(2560, 1440, 12.5)) == (
        replace(before, fps=12.0, gop_frames=24)
    )


def test_names_of_codecs() -> None:
    assert [video_codec(name) for name in ("H264", "H265", "JPEG", " h264 ", "AV1")] == [
        "h264", "h265", "jpeg", "h264", "other",
    ]  # fmt: skip
    assert [audio_codec(name) for name in ("AAC", "G711", "PCMA", "MP4A-LATM", "x")] == [
        "aac", "g711", "pcma", "aac", "other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "becomes", "named"),
    [
        ("rtsp://192.0.2.2/a?b=1", "rtsp://192.0.2.2:554/a?b=1", None),
        ("rtsp://192.0.2.2:8554/a", "rtsp://192.0.2.2:8554/a", None),
        ("rtsp://192.168.1.64:554/a", "rtsp://192.0.2.2:554/a", "192.168.1.64"),  # behind NAT
        ("rtsp://0.0.0.0:8554/a", "rtsp://192.0.2.2:8554/a", "0.0.0.0"),
        ("rtsp://evil.example/a", "rtsp://192.0.2.2:554/a", "evil.example"),
        ("rtsp://user:pw@192.0.2.2/a", "rtsp://192.0.2.2:554/a", None),
        ("rtsps://192.0.2.2/a#x", "rtsps://192.0.2.2:322/a", None),
        ("http://192.0.2.2:8000/onvif/media", "http://192.0.2.2:8000/onvif/media", None),
        ("http://169.254.169.254/latest", "http://192.0.2.2:81/latest", "169.254.169.254"),
    ],
)
def test_addresses_lead_to_the_host_that_was_asked(
    said: str, becomes: str, named: str | None
) -> None:
    schemes = ("rtsp", "rtsps", "http", "https")
    found = at_host(said, "192.0.2.2", 81, schemes=schemes)
    assert (found.uri, found.said) == (becomes, named)


@pytest.mark.parametrize(
    "said",
    ["", "file:///etc/passwd", "gopher://x/", "rtsp://a b/", "rtsp://[::1/", "rtsp://a:99999/",
     "rtsp://a/\n", "rtsp://a/" + "x" * 500],
)  # fmt: skip
def test_addresses_that_are_none(said: str) -> None:
    with pytest.raises(OnvifLost) as caught:
        at_host(said, "192.0.2.2", 80, schemes=("rtsp", "rtsps"))
    assert caught.value.reason is OnvifReason.BAD_ANSWER


@given(st.text(max_size=80).map(lambda tail: f"rtsp://{tail}"))
def test_no_answer_leads_elsewhere(said: str) -> None:
    try:
        found = at_host(said, "2001:db8::2", 80, schemes=("rtsp",))
    except OnvifLost:
        return
    parts = urlsplit(found.uri)
    assert (parts.hostname, parts.username, parts.password) == ("2001:db8::2", None, None)
