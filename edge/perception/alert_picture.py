"""Draws what an alert is about onto a copy of its picture: the people seen, and the zone."""

from typing import Final

import cv2
import numpy as np

from contracts.observations import Alert
from contracts.zones import Point
from edge.ports import Rgb

PERSON: Final = (255, 70, 70)
ZONE: Final = (255, 200, 60)


class NotAPictureError(ValueError):
    """The bytes are no picture."""


def with_boxes(content: bytes, alert: Alert, zone: tuple[Point, ...] = ()) -> Rgb:
    """A copy of the picture with the alert's boxes, and the corners of its zone if it has one.

    Raises:
        NotAPictureError: ``content`` is no picture.
    """
    read = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if read is None:
        raise NotAPictureError("the stored picture cannot be read")
    rgb = cv2.cvtColor(read, cv2.COLOR_BGR2RGB).astype(np.uint8)
    height, width = rgb.shape[:2]
    thick = max(round(width / 320), 1)
    if zone:
        corners = np.array([(x * (width - 1), y * (height - 1)) for x, y in zone])
        points = [corners.round().astype(np.int32)]
        cv2.polylines(rgb, points, len(zone) > 2, ZONE, thick, cv2.LINE_AA)
    for person in alert.boxes:
        box = person.box
        first = (round(box.x1 * (width - 1)), round(box.y1 * (height - 1)))
        last = (round(box.x2 * (width - 1)), round(box.y2 * (height - 1)))
        cv2.rectangle(rgb, first, last, PERSON, thick, cv2.LINE_AA)
    return rgb
