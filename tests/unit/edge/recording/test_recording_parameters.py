"""Parameter sets of key frames: found, compared, and what size they tell."""

from fractions import Fraction

import av
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given
from hypothesis import strategies as st

from edge.recording.parameters import (
    HEAD_BYTES,
    Codec,
    ParameterSets,
    SetError,
    adopt,
    is_start_coded,
    units,
)

SIZES = [(1920, 1080), (642, 364), (320, 240)]


def key_frame(codec: Codec, size: tuple[int, int], **options: str) -> bytes:
    """One key frame with its sets in front, as cameras send it."""
    context = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt, context.time_base = options.pop("pix_fmt", "yuv420p"), Fraction(1, 25)
    context.options = {"x265-params": "log-level=none", "preset": "ultrafast"} | options
    frame = av.VideoFrame(*size, "yuv420p").reformat(format=context.pix_fmt)
    frame.pts = 0
    return bytes([*context.encode(frame), *context.encode(None)][0])


def sets_of(codec: Codec, data: bytes, before: ParameterSets | None = None) -> ParameterSets:
    found = adopt(before, codec, data[:HEAD_BYTES], whole=len(data) <= HEAD_BYTES)
    assert found is not None
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", {}),
        ("h264", {"profile": "baseline"}),
        ("h264", {"profile": "high", "preset": "medium"}),
        ("h264", {"pix_fmt": "yuv444p"}),
        ("h264", {"x264-params": "interlaced=1"}),
        ("h265", {}),
    ],
)
def test_a_key_frame_tells_its_size(
    codec: Codec, options: dict[str, str], size: tuple[int, int]
) -> None:
    found = sets_of(codec, key_frame(codec, size, **options))
    assert (found.width, found.height) == size
    assert is_start_coded(found.head)
    assert len(list(units(found.head, whole=True))) == (2 if codec == "h264" else 3)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_the_same_sets_are_the_same_object_and_others_are_not(codec: Codec) -> None:
    small, large = key_frame(codec, SIZES[2]), key_frame(codec, SIZES[0])
    first = sets_of(codec, small)
    assert sets_of(codec, small, first) is first
    assert adopt(first, codec, b"\x00\x00\x01\x26\x01" + bytes(40), whole=True) is first
    other = sets_of(codec, large, first)
    assert other is not first
    assert (other.width, other.height) == SIZES[0]


def test_a_set_that_was_cut_off_is_not_taken() -> None:
    frame = key_frame("h264", SIZES[2])
    begin = frame.index(b"\x00\x00\x01\x67")
    assert adopt(None, "h264", frame[: begin + 12], whole=False) is None


def test_a_damaged_set_leaves_those_before() -> None:
    with pytest.raises(SetError, match="ends too early"):
        adopt(None, "h264", b"\x00\x00\x00\x01\x67\x42\x00\x1e\x00", whole=True)
    with pytest.raises(SetError, match="has 5000 bytes"):
        adopt(None, "h264", b"\x00\x00\x00\x01\x67" + b"\x55" * 4_999, whole=True)


@given(st.binary(max_size=300), st.sampled_from(["h264", "h265"]), st.booleans())
def test_any_bytes_are_sets_or_none_or_refused(data: bytes, codec: Codec, whole: bool) -> None:
    try:
        found = adopt(None, codec, b"\x00\x00\x01\x67" + data, whole=whole)
    except SetError:
        return
    assert found is None or 0 < found.width <= 16_384
