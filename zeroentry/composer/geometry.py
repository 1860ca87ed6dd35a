"""Where things stand: the camera's projection, and the plan of each room and corridor by its seed.

Metres on the floor: x to the right of the vanishing point, z away from the camera. Pixels are those
of a 640x360 picture; the painter scales them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroentry.composer.model import Scene, SceneKind

BASE_WIDTH_PX = 640
BASE_HEIGHT_PX = 360
FOCAL_PX = 600.0  # 56 degrees across, a usual fixed dome
CAMERA_HEIGHT_M = 2.0
HORIZON_PX = 50.0
TABLE_HEIGHT_M = 0.75
SEAT_LOWER_M = 0.22  # less than in life: the shipped detector is sure of a torso of this height
WALL_Z_M = 6.5
SEAT_Z_M = 3.5
CHAIR_Z_M = 3.64  # backs of the chairs: behind those who sit, before those who pass
AISLE_Z_M = 4.6
TABLE_BACK_Z_M = 3.28
TABLE_FRONT_Z_M = 2.62
STAND_Z_M = 4.0
CORRIDOR_WALL_Z_M = 5.6
CORRIDOR_WALK_Z_M = 4.2
CORRIDOR_ROBOT_Z_M = 4.8


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the floor and how far the body is lowered onto a chair (0..1)."""

    x_m: float
    z_m: float
    lowered: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """One camera's projection; `centre_px` is where lines into the depth meet."""

    centre_px: float

    def scale(self, z_m: float) -> float:
        """Return pixels a metre at this depth."""
        return FOCAL_PX / z_m

    def x_px(self, x_m: float, z_m: float) -> float:
        """Project a position across."""
        return self.centre_px + x_m * FOCAL_PX / z_m

    def y_px(self, height_m: float, z_m: float) -> float:
        """Project a height above the floor."""
        return HORIZON_PX + (CAMERA_HEIGHT_M - height_m) * FOCAL_PX / z_m

    def x_m(self, x_px: float, z_m: float) -> float:
        """Return the position across that is seen at this column and depth."""
        return (x_px - self.centre_px) * z_m / FOCAL_PX


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed decides about a place. `side` is -1 where the door is on the left, 1 right."""

    view: View
    side: int
    door_px: tuple[float, float]  # left and right jamb on the back wall
    seats: tuple[Place, ...]
    stands: tuple[Place, ...]
    table_px: tuple[float, float]  # ends of the table's far edge
    wall_z_m: float


def mirrored(x_px: float, side: int) -> float:
    """Turn a column of the door-left layout into this room's."""
    return x_px if side < 0 else BASE_WIDTH_PX - x_px


def plan_of(scene: Scene) -> Plan:
    """Return the plan of a scene."""
    return room_plan(scene) if scene.kind is SceneKind.ROOM else corridor_plan(scene)


def room_plan(scene: Scene) -> Plan:
    """Lay out table and seats beside the free end of the room, where the door is."""
    rng = np.random.default_rng((scene.seed, 1))
    side = -1 if scene.seed % 2 == 0 else 1
    view = View(mirrored(float(rng.uniform(205, 240)), side))
    door_left = float(rng.uniform(34, 44))
    jambs = sorted((mirrored(door_left, side), mirrored(door_left + 74, side)))
    first, last = 178.0, 572.0
    pitch = (last - first) / max(scene.seats - 1, 4)
    middle = (first + last) / 2
    seats = tuple(
        Place(
            view.x_m(
                mirrored(middle + (k - (scene.seats - 1) / 2) * pitch, side)
                + float(rng.uniform(-4, 4)),
                SEAT_Z_M,
            ),
            SEAT_Z_M + float(rng.uniform(-0.04, 0.04)),
            1.0,
        )
        for k in range(scene.seats)
    )
    stands = (
        Place(view.x_m(mirrored(66, side), STAND_Z_M), STAND_Z_M),
        Place(view.x_m(mirrored(128, side), WALL_Z_M - 0.5), WALL_Z_M - 0.5),
    )
    ends = sorted((mirrored(124, side), mirrored(700, side)))
    return Plan(view, side, (jambs[0], jambs[1]), seats, stands, (ends[0], ends[1]), WALL_Z_M)


def corridor_plan(scene: Scene) -> Plan:
    """Lay out a corridor seen from its side: people cross from left to right."""
    rng = np.random.default_rng((scene.seed, 2))
    view = View(float(rng.uniform(290, 350)))
    stands = tuple(
        Place(view.x_m(x_px, CORRIDOR_WALK_Z_M), CORRIDOR_WALK_Z_M) for x_px in (300.0, 420.0)
    )
    return Plan(view, -1, (0.0, 0.0), (), stands, (0.0, 0.0), CORRIDOR_WALL_Z_M)
