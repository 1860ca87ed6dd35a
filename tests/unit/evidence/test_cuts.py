"""Where recorded files may be cut: at key frames, in whole fragments, byte for byte."""

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence.cuts import CutError, Read, is_recording, layout, pieces, span
from tests.fakes.recordings import FPS, footage

SECONDS = 6
PRIMED_MS = 64  # the muxer holds the first picture as long as AAC's priming


def read_of(data: bytes) -> Read:
    return lambda start, count: data[start : start + count]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Six seconds of pictures and sound; a key frame a second, fragments of half a second."""
    return footage(tmp_path_factory.mktemp("cuts") / "a.mp4", SECONDS, sound=True)


@given(begin=st.integers(-2_000, 5_990), lasts=st.integers(1, 8_000))
def test_a_cut_holds_the_interval_and_begins_at_a_key(
    recorded: bytes, begin: int, lasts: int
) -> None:
    found = layout(read_of(recorded), len(recorded))
    end = begin + lasts
    if end <= 0:
        with pytest.raises(CutError):
            span(found, begin, end)
        return
    wanted = span(found, begin, end)
    cut = b"".join(pieces(read_of(recorded), wanted))
    assert len(cut) == wanted.bytes <= len(recorded)
    assert is_recording(read_of(cut), len(cut), wanted.head)
    assert cut == recorded[: wanted.head] + recorded[wanted.start : wanted.end]
    assert wanted.from_ms <= max(begin, 0) < wanted.from_ms + 1_000 + PRIMED_MS
    assert wanted.to_ms is None or end <= wanted.to_ms < end + 600 + PRIMED_MS


def test_a_cut_plays_and_shows_the_very_pictures(recorded: bytes, tmp_path: Path) -> None:
    found = layout(read_of(recorded), len(recorded))
    wanted = span(found, 2_300, 4_000)
    path = tmp_path / "cut.mp4"
    path.write_bytes(b"".join(pieces(read_of(recorded), wanted)))
    with av.open(str(path)) as video:
        assert [stream.type for stream in video.streams] == ["video", "audio"]
        shown = [int(frame.to_ndarray(format="gray").mean()) for frame in video.decode(video=0)]
    (tmp_path / "whole.mp4").write_bytes(recorded)
    with av.open(str(tmp_path / "whole.mp4")) as video:
        was = [int(frame.to_ndarray(format="gray").mean()) for frame in video.decode(video=0)]
    assert shown == was[2 * FPS : 4 * FPS]


@given(at=st.integers(0, 1_500), value=st.integers(0, 255))
def test_damage_is_told_and_nothing_else_is_raised(recorded: bytes, at: int, value: int) -> None:
    raw = bytearray(recorded)
    raw[at] = value
    data = bytes(raw)
    try:
        found = layout(read_of(data), len(data))
        span(found, 1_000, 2_000)
    except CutError:
        return
    assert found.head <= found.fragments[0].start


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"not a recording at all", b"\xff" * 40])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(CutError):
        layout(read_of(data), len(data))
