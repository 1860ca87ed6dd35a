"""Paints the delivery robot: a white box on wheels with a screen and a light."""

from __future__ import annotations

import cv2
import numpy as np

from zeroentry.composer.pixels import Bgr, Floats, Sprite, premultiplied, soft_mask

ROBOT_WIDTH_M = 0.62
ROBOT_HEIGHT_M = 1.02
PX_PER_M = 320  # twice what 640x360 shows
MARGIN_M = 0.04


def robot_sprite() -> Sprite:
    """Return the robot seen from its side; the wheels stand on the last row but the margin."""
    width = round((ROBOT_WIDTH_M + 2 * MARGIN_M) * PX_PER_M)
    height = round((ROBOT_HEIGHT_M + 2 * MARGIN_M) * PX_PER_M)
    bgr: Floats = np.zeros((height, width, 3), np.float32)
    alpha: Floats = np.zeros((height, width), np.float32)
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    light = np.repeat(1.04 - 0.22 * np.abs(across + 0.2) ** 2, height, axis=0)

    def paint(x1: float, y1: float, x2: float, y2: float, colour: Bgr, cut: float = 0.0) -> None:
        """Paint a box in metres from the robot's left top corner, its corners cut."""
        box = [(x1 + cut, y1), (x2 - cut, y1), (x2, y1 + cut), (x2, y2 - cut), (x2 - cut, y2),
               (x1 + cut, y2), (x1, y2 - cut), (x1, y1 + cut)]  # fmt: skip
        points = [((x + MARGIN_M) * PX_PER_M, (y + MARGIN_M) * PX_PER_M) for x, y in box]
        mask = soft_mask((height, width), points, 1.0)
        weight = mask[..., None]
        bgr[:] = bgr * (1 - weight) + np.asarray(colour, np.float32) * light[..., None] * weight
        alpha[:] = np.maximum(alpha, mask)

    for x in (0.06, 0.24, 0.42):
        paint(x, 0.90, x + 0.13, 1.02, (38, 38, 40), 0.045)
    paint(0.0, 0.80, 0.62, 0.96, (74, 72, 70), 0.03)
    paint(0.03, 0.10, 0.59, 0.84, (222, 224, 224), 0.05)
    paint(0.03, 0.80, 0.59, 0.825, (190, 170, 60))
    for y in (0.34, 0.58):
        paint(0.06, y, 0.56, y + 0.006, (150, 152, 152))
        paint(0.27, y + 0.05, 0.35, y + 0.07, (120, 122, 124), 0.008)
    paint(0.06, 0.14, 0.56, 0.30, (46, 42, 40), 0.02)
    paint(0.09, 0.17, 0.36, 0.19, (196, 176, 90))
    paint(0.09, 0.22, 0.28, 0.235, (140, 130, 100))
    paint(0.44, 0.17, 0.52, 0.25, (120, 190, 110), 0.012)
    paint(0.28, 0.02, 0.34, 0.10, (60, 60, 62))
    paint(0.25, 0.0, 0.37, 0.035, (60, 170, 235), 0.012)
    return premultiplied(bgr, cv2.GaussianBlur(alpha, (0, 0), 0.6).astype(np.float32))
