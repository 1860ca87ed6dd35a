"""Draws what was seen onto a copy of a picture: boxes, head count, what was looked at and why."""

from typing import Final

import cv2
import numpy as np

from contracts.observations import CameraView, SeenPerson
from edge.core.attention import LookKind, Marks
from edge.core.people import WHOLE, Rect
from edge.ports import Attended, Caption, Rgb

CALM: Final = (64, 224, 208)  # turquoise: not a colour of vests, legible on skin, wood and walls
SETTLED: Final = (150, 190, 200)
ALARM: Final = (255, 70, 70)
INK: Final = (255, 255, 255)
PLATE: Final = (16, 20, 26)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
LOOKED: Final = (255, 214, 64)
MOVING: Final = (255, 140, 40)
RESTLESS: Final = (150, 110, 200)
PLACE: Final = (120, 150, 170)
TINT: Final = 0.35  # of a cell's colour: what moves stays visible through it
CORNER_SHARE: Final = 0.22  # corners alone are drawn thick: a face is not covered by lines


def draw(rgb: Rgb, view: CameraView, caption: Caption) -> Rgb:
    """The picture with boxes and count; ``rgb`` itself is not touched."""
    picture = rgb.copy()
    unit = max(picture.shape[1] / 640, 0.5)
    for person in view.people:
        _box(picture, person, caption, unit)
    _count(picture, caption, unit)
    return picture


def draw_attention(rgb: Rgb, attended: Attended) -> Rgb:
    """The picture with what moved, what explains it, what the detector was shown, and why.

    Orange cells moved, violet ones always do; grey frames are places of people who have settled,
    yellow frames what the detector saw. Kind and reason stand at the lower right.
    """
    picture = rgb.copy()
    unit = max(picture.shape[1] / 640, 0.5)
    for place in attended.settled:
        _frame(picture, place, PLACE, 1)
    _tint(picture, attended.restless, RESTLESS)
    _tint(picture, attended.moving, MOVING)
    look = attended.look
    regions = (WHOLE,) if look.kind is LookKind.FULL else look.regions
    for region in regions:
        _frame(picture, region, LOOKED, max(round(2 * unit), 2))
    _reason(picture, f"{look.kind.value}: {look.why.value}", unit)
    return picture


def _frame(picture: Rgb, rect: Rect, colour: tuple[int, int, int], thick: int) -> None:
    height, width = picture.shape[:2]
    x1, y1 = round(rect.x1 * (width - 1)), round(rect.y1 * (height - 1))
    x2, y2 = round(rect.x2 * (width - 1)), round(rect.y2 * (height - 1))
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thick, cv2.LINE_AA)


def _tint(picture: Rgb, marks: Marks | None, colour: tuple[int, int, int]) -> None:
    if marks is None or not marks.any():
        return
    height, width = picture.shape[:2]
    large = cv2.resize(
        marks.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    ).astype(np.bool_)
    mixed = picture[large] * (1 - TINT) + np.array(colour) * TINT
    picture[large] = mixed.astype(np.uint8)


def _reason(picture: Rgb, text: str, unit: float) -> None:
    scale, thick, pad = 0.5 * unit, max(round(unit), 1), round(6 * unit)
    (width, height), below = cv2.getTextSize(text, FONT, scale, thick)
    # At the lower right: the head count stands at the left, a camera's own clock at the top.
    rows, columns = picture.shape[:2]
    left, top = max(columns - width - 2 * pad, 0), max(rows - height - below - 2 * pad, 0)
    plate = picture[top:, left:]
    plate[:] = (plate * 0.25 + np.array(PLATE) * 0.75).astype(np.uint8)
    cv2.putText(
        picture, text, (left + pad, top + pad + height), FONT, scale, LOOKED, thick, cv2.LINE_AA
    )


def _box(picture: Rgb, person: SeenPerson, caption: Caption, unit: float) -> None:
    height, width = picture.shape[:2]
    colour = ALARM if caption.alarm else SETTLED if person.settled else CALM
    x1, y1 = round(person.box.x1 * (width - 1)), round(person.box.y1 * (height - 1))
    x2, y2 = round(person.box.x2 * (width - 1)), round(person.box.y2 * (height - 1))
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 1, cv2.LINE_AA)
    reach = max(round(CORNER_SHARE * min(x2 - x1, y2 - y1)), 1)
    thick = max(round(2 * unit), 2)
    for x, step_x in ((x1, reach), (x2, -reach)):
        for y, step_y in ((y1, reach), (y2, -reach)):
            cv2.line(picture, (x, y), (x + step_x, y), colour, thick, cv2.LINE_AA)
            cv2.line(picture, (x, y), (x, y + step_y), colour, thick, cv2.LINE_AA)


def _count(picture: Rgb, caption: Caption, unit: float) -> None:
    if caption.people is None:
        text = "-"
    elif caption.admitted is None:
        text = str(caption.people)
    else:
        text = f"{caption.people} / {caption.admitted}"
    scale, thick, pad = 0.7 * unit, max(round(1.5 * unit), 1), round(8 * unit)
    (width, height), below = cv2.getTextSize(text, FONT, scale, thick)
    # At the lower left: cameras write their clock at the top and their name at the right.
    rows, columns = picture.shape[:2]
    right, top = min(width + 2 * pad, columns), max(rows - height - below - 2 * pad, 0)
    plate = picture[top:, :right]
    plate[:] = (plate * 0.25 + np.array(PLATE) * 0.75).astype(np.uint8)
    if caption.alarm:
        cv2.rectangle(picture, (0, top), (right - 1, rows - 1), ALARM, thick, cv2.LINE_AA)
    cv2.putText(picture, text, (pad, top + pad + height), FONT, scale, INK, thick, cv2.LINE_AA)
