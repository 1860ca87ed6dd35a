"""Lays a picture of any size out as a model wants it, and leads boxes back to the picture."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.people import Rect
from edge.ports import Rgb

Tensor = NDArray[Any]
"""What goes into a model or comes out of it; its form is checked when the model is opened."""


class Fit(StrEnum):
    """How a picture fills a model's square."""

    CORNER = "corner"
    """Kept in shape, at the upper left."""
    CENTRE = "centre"
    """Kept in shape, in the middle."""
    STRETCH = "stretch"
    """Pulled to the square."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a family of models takes its picture, as its authors trained it.

    ``fill`` is the brightness of what the picture does not cover. Where ``as_bytes``, the model
    takes uint8 (height, width, channel) and does the rest itself; otherwise float32 (channel,
    height, width), each channel less its ``mean`` and divided by its ``deviation``, in the order of
    the channels that the model sees.
    """

    fit: Fit
    fill: int = 0
    as_bytes: bool = False
    blue_first: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Placed:
    """What part of the model's square the picture takes, in shares of the square."""

    x: float
    y: float
    width: float
    height: float

    def to_picture(self, box: NDArray[np.float32]) -> Rect:
        """A box in shares of the square (x1, y1, x2, y2) in shares of the picture, cut to it."""
        x1, y1, x2, y2 = (float(value) for value in box)
        return Rect(
            _within((x1 - self.x) / self.width),
            _within((y1 - self.y) / self.height),
            _within((x2 - self.x) / self.width),
            _within((y2 - self.y) / self.height),
        )


def as_rgb(picture: NDArray[np.uint8]) -> Rgb:
    """Any picture as height x width x 3: grey, one channel, with alpha, of any size.

    Raises:
        ValueError: it has no pixels, or a shape that is not a picture.
    """
    if picture.ndim == 2:
        picture = picture[:, :, np.newaxis]
    if picture.ndim != 3 or picture.size == 0 or picture.shape[2] not in (1, 3, 4):
        raise ValueError(f"not a picture: shape {picture.shape}")
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    return picture[:, :, :3]


def laid_out(rgb: Rgb, side_px: int, layout: Layout) -> tuple[Tensor, Placed]:
    """A picture (height x width x 3) as one input of a model, without the batch's dimension."""
    square, placed = _squared(rgb, side_px, layout)
    if layout.as_bytes:
        return square, placed
    if layout.blue_first:
        square = square[:, :, ::-1]
    mean = np.array(layout.mean, np.float32)
    scale = np.float32(1.0) / np.array(layout.deviation, np.float32)
    return np.ascontiguousarray(((square - mean) * scale).transpose(2, 0, 1)), placed


def _squared(rgb: Rgb, side_px: int, layout: Layout) -> tuple[Rgb, Placed]:
    height, width = rgb.shape[:2]
    if layout.fit is Fit.STRETCH:
        return _resized(rgb, side_px, side_px), Placed(0.0, 0.0, 1.0, 1.0)
    scale = side_px / max(height, width)
    width, height = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (0, 0)
    if layout.fit is Fit.CENTRE:
        left, top = (side_px - width) // 2, (side_px - height) // 2
    square = np.full((side_px, side_px, 3), layout.fill, np.uint8)
    square[top : top + height, left : left + width] = _resized(rgb, width, height)
    return square, Placed(left / side_px, top / side_px, width / side_px, height / side_px)


def _resized(rgb: Rgb, width: int, height: int) -> Rgb:
    if rgb.shape[:2] == (height, width):
        return rgb
    shrinks = width * height < rgb.shape[0] * rgb.shape[1]
    # Area averages what it leaves out: sensor noise and thin stripes do not become patterns.
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width, height), interpolation=way).astype(np.uint8, copy=False)


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)
