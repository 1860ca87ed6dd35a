"""Paints small pictures of a room with people, as a camera would send them: JPEG bytes."""

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
SEATS = ((0.18, 0.60), (0.34, 0.54), (0.50, 0.52), (0.66, 0.54), (0.82, 0.60))
VISITOR = (0.93, 0.40)
RED = (52, 46, 176)
BLUE = (160, 92, 40)

Picture = NDArray[np.uint8]


def people_boxes(people: int, *, visitor: bool) -> list[tuple[float, float, float, float]]:
    """Shares of width and height, x1 y1 x2 y2; the visitor comes last."""
    boxes = [(x - 0.07, y - 0.24, x + 0.07, y + 0.16) for x, y in SEATS[:people]]
    if visitor:
        x, y = VISITOR
        boxes.append((x - 0.06, y - 0.22, x + 0.06, y + 0.42))
    return boxes


def room_jpeg(
    *, people: int, visitor: bool, corridor: bool, tick: int, boxes: bool, plain_seed: int = 1
) -> bytes:
    """One JPEG, 640 x 360."""
    picture = _corridor(plain_seed) if corridor else _room(plain_seed)
    for index, box in enumerate(people_boxes(people, visitor=visitor)):
        outsider = visitor and index == people
        _person(picture, box, BLUE if outsider else RED)
        if boxes:
            _mark(picture, box, outsider=outsider)
    text = f"2026-11-22 10:{tick // 60 % 60:02d}:{tick % 60:02d}  SIMULATED"
    cv2.putText(
        picture, text, (14, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA
    )
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert done
    return encoded.tobytes()


def _room(seed: int) -> Picture:
    picture = _gradient((74, 70, 66), (120, 116, 110), seed)
    cv2.rectangle(picture, (60, 50), (250, 140), (150, 148, 140), -1)
    cv2.rectangle(picture, (60, 50), (250, 140), (96, 92, 88), 3)
    cv2.rectangle(picture, (560, 60), (630, 330), (70, 82, 100), -1)
    cv2.ellipse(picture, (320, 320), (310, 92), 0, 0, 360, (58, 76, 98), -1)
    return picture


def _corridor(seed: int) -> Picture:
    picture = _gradient((86, 84, 80), (62, 60, 58), seed)
    floor = np.array([[0, 360], [250, 150], [390, 150], [640, 360]], dtype=np.int32)
    cv2.fillPoly(picture, [floor], (104, 102, 98))
    cv2.rectangle(picture, (290, 70), (350, 150), (66, 78, 94), -1)
    return picture


def _gradient(top: tuple[int, int, int], bottom: tuple[int, int, int], seed: int) -> Picture:
    share = np.linspace(0.0, 1.0, HEIGHT)[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    noise = np.random.default_rng(seed).normal(0, 3, (HEIGHT, WIDTH, 3))
    return np.clip(np.broadcast_to(rows, (HEIGHT, WIDTH, 3)) + noise, 0, 255).astype(np.uint8)


def _person(
    picture: Picture, box: tuple[float, float, float, float], vest: tuple[int, int, int]
) -> None:
    x1, y1, x2, y2 = _pixels(box)
    middle, head = (x1 + x2) // 2, max((x2 - x1) // 4, 6)
    cv2.ellipse(
        picture,
        (middle, (y1 + y2) // 2 + head),
        ((x2 - x1) // 2, (y2 - y1) // 3),
        0,
        0,
        360,
        vest,
        -1,
    )
    cv2.circle(picture, (middle, y1 + head), head, (136, 160, 196), -1)
    cv2.ellipse(picture, (middle, y1 + head - 5), (head, head - 3), 0, 180, 360, (34, 34, 38), -1)


def _mark(picture: Picture, box: tuple[float, float, float, float], *, outsider: bool) -> None:
    x1, y1, x2, y2 = _pixels(box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), (60, 190, 250) if outsider else (200, 214, 120), 2)


def _pixels(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    return int(x1 * WIDTH), int(y1 * HEIGHT), int(min(x2, 1) * WIDTH), int(min(y2, 1) * HEIGHT)
