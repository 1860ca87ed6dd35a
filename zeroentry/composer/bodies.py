"""Dresses rendered bodies as different people: one sheet a body, a cell for each pose and side.

The sheets were rendered once from MakeHuman's CC0 base mesh (see bodies_render.py and
portraits/NOTICE). A cell holds light, kind of surface and alpha; colours are put on here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Final

import cv2
import numpy as np

from zeroentry.composer.model import Vest
from zeroentry.composer.people import (
    AXIS_UNITS,
    BODY_HEIGHT_UNITS,
    BODY_WIDTH_UNITS,
    PX_PER_UNIT,
    SOLE_UNITS,
    VEST_BGR,
    Look,
    look_of,
)
from zeroentry.composer.pixels import Floats, Image, Sprite, premultiplied

CELL_PX: Final = (128, 304)
PX_PER_DM: Final = 16.0  # as large as a person three metres away in a 640x360 picture
WALK_CELLS: Final = 4


class Surface(IntEnum):
    """What a pixel of a body is."""

    NOTHING = 0
    SKIN = 1
    HAIR = 2
    TRUNK = 3
    SLEEVE = 4
    SHIRT = 5
    TROUSERS = 6
    SHOE = 7
    EYE = 8


class Posture(StrEnum):
    """How a body is held."""

    STAND = "stand"
    WALK = "walk"
    SIT = "sit"


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a sheet. ``yaw_deg``: 0 looks at the camera, 90 to the picture's right."""

    posture: Posture
    yaw_deg: float
    phase: int = 0
    head_yaw_deg: float = 0.0
    head_pitch_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Body:
    """How a body is made: morph targets by name and weight, and its hair."""

    targets: Mapping[str, float]
    long_hair: bool
    height_units: int


def _targets(kind: str, sex: str, age: str, weight: str, share: float = 1.0) -> dict[str, float]:
    return {
        f"{kind}-{sex}-{age}": 1.0,
        f"universal-{sex}-{age}-averagemuscle-{weight}weight": share,
    }


BODIES: Final[Mapping[str, Body]] = {
    "body1": Body(
        _targets("asian", "male", "young", "average"), long_hair=False, height_units=1560
    ),
    "body2": Body(
        _targets("asian", "female", "young", "average"), long_hair=True, height_units=1480
    ),
    "body3": Body(_targets("asian", "male", "old", "max", 0.6), long_hair=False, height_units=1530),
    "body4": Body(
        _targets("asian", "female", "old", "max", 0.5), long_hair=True, height_units=1455
    ),
    "body5": Body(
        _targets("caucasian", "male", "young", "max", 0.8), long_hair=False, height_units=1565
    ),
    "body6": Body(
        _targets("african", "female", "young", "min", 0.6), long_hair=False, height_units=1520
    ),
}
SIDES_DEG: Final = (0.0, 45.0, 90.0, 135.0, 180.0)
HEADS: Final = ((0.0, 0.0), (0.0, 24.0), (38.0, 4.0))  # straight, reading, towards a neighbour

CELLS: Final[tuple[Cell, ...]] = (
    *(Cell(Posture.STAND, yaw) for yaw in SIDES_DEG),
    *(Cell(Posture.WALK, yaw, phase) for yaw in SIDES_DEG for phase in range(WALK_CELLS)),
    *(Cell(Posture.SIT, yaw, 0, *head) for yaw in SIDES_DEG for head in HEADS),
)


@lru_cache(maxsize=8)
def sheet(name: str) -> Image:
    """Load a committed sheet (HxWx3: light, surface, alpha)."""
    data = files("zeroentry.composer").joinpath(f"portraits/{name}.png").read_bytes()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"portraits/{name}.png is damaged: install the package again")
    return np.asarray(image, np.uint8)


def cell_of(posture: Posture, yaw_deg: float, turn: int = 0) -> tuple[int, bool]:
    """The number of the cell that shows a body so, and whether it must be mirrored.

    ``turn`` is the phase of a walk, or how the head of who sits is held.
    """
    yaw = (yaw_deg + 180) % 360 - 180
    nearest = min(SIDES_DEG, key=lambda side: abs(side - abs(yaw)))
    match posture:
        case Posture.STAND:
            wanted = Cell(posture, nearest)
        case Posture.WALK:
            wanted = Cell(posture, nearest, turn % WALK_CELLS)
        case Posture.SIT:
            wanted = Cell(posture, nearest, 0, *HEADS[turn % len(HEADS)])
    return CELLS.index(wanted), yaw < 0


@lru_cache(maxsize=512)
def figure(look: Look, posture: Posture, yaw_deg: float, turn: int = 0) -> Sprite:
    """One dressed person on the canvas of ``people``: same size, axis and soles."""
    number, mirrored = cell_of(posture, yaw_deg, turn)
    width = CELL_PX[0]
    part = sheet(look.portrait)[:, number * width : (number + 1) * width]
    light = part[..., 0].astype(np.float32) / 190
    alpha = (part[..., 2] / 255).astype(np.float32)
    vest = look.vest is not Vest.NONE
    trunk = VEST_BGR[look.vest] if vest else look.jacket
    skin = np.array((118, 142, 196), np.float32) * np.asarray(look.skin_gain, np.float32)
    colours = np.zeros((max(Surface) + 1, 3), np.float32)
    colours[Surface.SKIN] = skin
    colours[Surface.HAIR] = look.hair
    colours[Surface.TRUNK] = trunk
    colours[Surface.SLEEVE] = look.jacket
    colours[Surface.SHIRT] = look.shirt
    colours[Surface.TROUSERS] = look.trousers
    colours[Surface.SHOE] = (30, 30, 32)
    colours[Surface.EYE] = (46, 44, 48)
    bgr = (colours[part[..., 1]] * light[..., None]).astype(np.float32)
    soft = cv2.GaussianBlur(bgr, (0, 0), 0.7).astype(np.float32)
    if mirrored:
        return _on_canvas(soft[:, ::-1].copy(), alpha[:, ::-1].copy(), look)
    return _on_canvas(soft, alpha, look)


def _on_canvas(bgr: Floats, alpha: Floats, look: Look) -> Sprite:
    """Scale a cell to the canvas of ``people`` and put its soles and axis where they belong."""
    width, height = round(BODY_WIDTH_UNITS * PX_PER_UNIT), round(BODY_HEIGHT_UNITS * PX_PER_UNIT)
    standing = sheet(look.portrait)[:, : CELL_PX[0], 2]
    tall_px = CELL_PX[1] - 6 - int(np.flatnonzero(standing.max(axis=1) > 127)[0])
    factor = BODIES[look.portrait].height_units * PX_PER_UNIT / tall_px
    axis = AXIS_UNITS if not look.mirrored else BODY_WIDTH_UNITS - AXIS_UNITS
    matrix = np.array(
        (
            (factor, 0, axis * PX_PER_UNIT - CELL_PX[0] / 2 * factor),
            (0, factor, SOLE_UNITS * PX_PER_UNIT - (CELL_PX[1] - 6) * factor),
        )
    )
    joined = np.dstack([bgr * alpha[..., None], alpha])
    placed = cv2.warpAffine(joined, matrix, (width, height), flags=cv2.INTER_LINEAR)
    flat = placed[..., 3]
    colour = placed[..., :3] / np.maximum(flat, 1e-3)[..., None]
    return premultiplied(colour.astype(np.float32), np.asarray(flat, np.float32))


PORTRAITS: Final = ("collins", "body1", "body3", "hopper", "body2", "body5", "body4", "body6")
HEAD_HELD_MS: Final = 9_000


@lru_cache(maxsize=512)
def crowd_look(seed: int, number: int, vest: Vest) -> Look:
    """Choose a look out of the two portraits and the rendered bodies; neighbours differ."""
    look = look_of(seed, number, vest)
    name = PORTRAITS[(number + seed) % len(PORTRAITS)]
    return replace(look, portrait=name, mirrored=look.mirrored and name not in BODIES)


def is_body(look: Look) -> bool:
    """Whether a look is a rendered body, which can be seen from all sides."""
    return look.portrait in BODIES


def head_turn(seed: int, number: int, t_ms: int) -> int:
    """How a seated person holds the head: straight, reading, towards a neighbour."""
    shift = (number * 2_903 + seed * 761) % HEAD_HELD_MS
    rng = np.random.default_rng((seed, number, (t_ms + shift) // HEAD_HELD_MS))
    return int(rng.integers(len(HEADS)))
