"""Draws what was seen onto a copy of a picture: thin boxes, head count at the lower left."""

from typing import Final

import cv2
import numpy as np

from contracts.observations import CameraView, SeenPerson
from edge.ports import Caption, Rgb

CALM: Final = (64, 224, 208)  # turquoise: not a colour of vests, legible on skin, wood and walls
SETTLED: Final = (150, 190, 200)
ALARM: Final = (255, 70, 70)
INK: Final = (255, 255, 255)
PLATE: Final = (16, 20, 26)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
CORNER_SHARE: Final = 0.22  # corners alone are drawn thick: a face is not covered by lines


def draw(rgb: Rgb, view: CameraView, caption: Caption) -> Rgb:
    """The picture with boxes and count; ``rgb`` itself is not touched."""
    picture = rgb.copy()
    unit = max(picture.shape[1] / 640, 0.5)
    for person in view.people:
        _box(picture, person, caption, unit)
    _count(picture, caption, unit)
    return picture


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
