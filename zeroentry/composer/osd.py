"""Burns in what a camera burns in: its label, the clock, and that the footage is simulated."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.pixels import Image, Mask, Sprite, blend

CAPTION_TEXT = "SIMULATED FOOTAGE"
MARGIN_PX = 10
INK = (244, 244, 244)


@lru_cache(maxsize=8)
def text_sprite(text: str, scale: float) -> Sprite:
    """Return Latin text in white with a dark rim."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(scale * 1.8))
    (width, height), base = cv2.getTextSize(text, font, scale, thickness)
    ink = np.zeros((height + base + 6, width + 8), np.uint8)
    cv2.putText(ink, text, (4, height + 2), font, scale, (255,), thickness, cv2.LINE_AA)
    return inked(ink)


@lru_cache(maxsize=4)
def chinese_sprite(height_px: int) -> Sprite:
    """Return the committed Chinese caption at a height."""
    data = files("zeroentry.composer").joinpath("portraits/caption_zh.png").read_bytes()
    ink = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if ink is None:
        raise ValueError("portraits/caption_zh.png is damaged: install the package again")
    width = round(ink.shape[1] * height_px / ink.shape[0])
    small = cv2.resize(ink, (width, height_px), interpolation=cv2.INTER_AREA)
    return inked(cast(Mask, cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT)))


def inked(ink: Mask) -> Sprite:
    """Turn ink (HxW) into a white sprite with a dark rim, readable on anything."""
    rim = cv2.GaussianBlur(cv2.dilate(ink, np.ones((3, 3), np.uint8)), (0, 0), 0.7)
    alpha = np.maximum(ink, (rim * 0.75).astype(np.uint8))
    colour = (ink.astype(np.float32)[..., None] * (np.array(INK, np.float32) / 255)).astype(
        np.uint8
    )
    return cast(Sprite, np.dstack([colour, alpha]))


def burn_in(image: Image, label: str, utc_text: str) -> None:
    """Write clock (top left), label (bottom right) and the caption (top right), in place."""
    height, width = image.shape[:2]
    zoom = width / 640
    margin = round(MARGIN_PX * zoom)
    if utc_text:
        blend(image, text_sprite(utc_text, 0.5 * zoom), margin, margin)
    name = text_sprite(label, 0.5 * zoom)
    blend(image, name, width - margin - name.shape[1], height - margin - name.shape[0])
    chinese = chinese_sprite(round(20 * zoom))
    latin = text_sprite(CAPTION_TEXT, 0.42 * zoom)
    right = width - margin - chinese.shape[1]
    blend(image, chinese, right, margin - 2)
    top = margin + (chinese.shape[0] - latin.shape[0]) // 2 - 1
    blend(image, latin, right - latin.shape[1] - 2, top)
