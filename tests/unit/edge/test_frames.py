"""Frames: brightness as decoded, colour on request, pictures of any size and form."""

import threading

import numpy as np
import pytest
from av.video.frame import VideoFrame

from contracts.units import MonoMs, UtcMs
from edge.capture.decoding import FRAME_SIDE_MAX, read_picture
from edge.core.people import Instant
from edge.ports import Frame, Rgb

AT = Instant(MonoMs(5), UtcMs(6))


def test_colour_is_made_once_and_only_on_request() -> None:
    made: list[Rgb] = []

    def colour() -> Rgb:
        made.append(np.full((4, 6, 3), 9, np.uint8))
        return made[-1]

    frame = Frame("cam-1", np.zeros((4, 6), np.uint8), AT, 1, colour)
    assert (frame.width_px, frame.height_px, len(made)) == (6, 4, 0)
    threads = [threading.Thread(target=lambda: frame.rgb) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert frame.rgb is made[0]


def test_a_frame_of_a_colour_picture_has_its_brightness() -> None:
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    frame = Frame.of_rgb("cam-1", rgb, AT, 1)
    assert frame.grey.tolist() == [[76, 150, 29, 255]]
    assert frame.rgb is rgb


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "nv12", "gray", "yuv420p10le", "rgb24"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), (1, 1)),
        ((3, 2), (3, 2)),
        ((641, 361), (641, 361)),
        ((7_680, 4_320), (FRAME_SIDE_MAX, 1_080)),
        ((2, 5_000), (1, FRAME_SIDE_MAX)),
    ],
)
def test_any_size_and_form_of_picture_is_read(
    form: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    seen = read_picture(VideoFrame(*size, form))
    width, height = expected
    assert seen.grey.shape == (height, width)
    assert seen.colour().shape == (height, width, 3)


def test_brightness_is_that_of_the_picture_whatever_the_padding_of_its_rows() -> None:
    grey = np.arange(90 * 33, dtype=np.int64).reshape(90, 33) % 251
    picture = VideoFrame.from_ndarray(grey.astype(np.uint8), format="gray")
    assert (read_picture(picture).grey == grey).all()
