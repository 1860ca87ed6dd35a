"""Array types and the few pixel operations that every painter of the composer shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]  # HxWx3 BGR
Mask = npt.NDArray[np.uint8]  # HxW, 0..255
Sprite = npt.NDArray[np.uint8]  # HxWx4 BGRA, colour already multiplied by alpha
AnyFloats = npt.NDArray[np.floating]
Floats = npt.NDArray[np.float32]
Bgr = tuple[int, int, int]


def blend(image: Image, sprite: Sprite, left: int, top: int) -> None:
    """Lay a premultiplied sprite over the image, in place, clipped at the frame's edge."""
    height, width = image.shape[:2]
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + sprite.shape[1], width), min(top + sprite.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = sprite[y1 - top : y2 - top, x1 - left : x2 - left]
    under = image[y1:y2, x1:x2]
    keep = cv2.cvtColor(255 - part[..., 3], cv2.COLOR_GRAY2BGR)
    shown = cv2.multiply(under, keep, scale=1 / 255)
    image[y1:y2, x1:x2] = cv2.add(shown, part[..., :3])


def premultiplied(bgr: Floats, alpha: Floats) -> Sprite:
    """Join colour (HxWx3, 0..255) and alpha (HxW, 0..1) into a sprite."""
    colour = np.clip(bgr, 0, 255) * alpha[..., None]
    return cast(Sprite, np.dstack([colour, alpha * 255]).round().astype(np.uint8))


def soft_mask(
    shape: tuple[int, int], polygon: Sequence[tuple[float, float]], sigma: float
) -> Floats:
    """Return a polygon as a mask 0..1 with a blurred edge (sigma in pixels)."""
    mask = np.zeros(shape, np.uint8)
    points = np.array([(round(x * 16), round(y * 16)) for x, y in polygon], dtype=np.int32)
    cv2.fillPoly(mask, [points], (255,), lineType=cv2.LINE_AA, shift=4)
    if sigma > 0:
        mask = cast(Mask, cv2.GaussianBlur(mask, (0, 0), sigma))
    return mask.astype(np.float32) / np.float32(255)
