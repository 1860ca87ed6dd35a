"""Frames survive any cut of the stream, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.pickup_devices import InputDevice, Loss
from edge.capture.pickup_frames import (
    BODY_MAX_BYTES,
    FrameError,
    FrameReader,
    Listed,
    Lost,
    Opened,
    PickupFrame,
    Sound,
    pack,
)

FRAMES: tuple[PickupFrame, ...] = (
    Opened("麦克风 1", "ALSA", 44_100, 2, 8_700),
    Sound(0, -5, 0, False, b""),
    Sound(2**40, 2**50, 7, True, bytes(range(256)) * 8),
    Lost(Loss.ENDED, "它断开了"),
    Listed((InputDevice(0, "a", "ALSA", 48_000, 1), InputDevice(1, "b", "OSS", 8_000, 2, True))),
)


@given(st.lists(st.sampled_from(FRAMES), max_size=6), st.integers(1, 700))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    frames: list[PickupFrame], size: int
) -> None:
    data = b"".join(pack(frame) for frame in frames)
    reader = FrameReader()
    read = [
        frame
        for start in range(0, len(data), size)
        for frame in reader.feed(data[start : start + size])
    ]
    assert read == frames


@pytest.mark.parametrize(
    "data",
    [
        b"Traceback (most recent call last)",
        bytes([9]) + (0).to_bytes(4, "little"),
        bytes([2]) + (BODY_MAX_BYTES + 1).to_bytes(4, "little"),
        bytes([2]) + (3).to_bytes(4, "little") + b"abc",
        bytes([1]) + (2).to_bytes(4, "little") + b"{}",
        bytes([3]) + (4).to_bytes(4, "little") + b"null",
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(data)
