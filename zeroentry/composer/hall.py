"""Where things stand in a hall, in metres, and the cameras that look at it from any side.

Floor metres: x to the right, z into the depth, seen by a camera at the front wall (z = 0). Pixels
are those of a 640x360 picture. A camera is level; its picture is shifted up or down instead of
tilted, so upright things stay upright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import cos, radians, sin

import numpy as np

from zeroentry.composer.geometry import BASE_HEIGHT_PX, BASE_WIDTH_PX, Place

NEAR_M = 0.3  # nearer to the lens nothing is drawn
SEATS_MAX = 9
TABLE_M = 0.75
CHAIR_BACK_M = 1.0
DOOR_M = 2.1
DOOR_HALF_M = 0.48
WALL_M = 2.9
AISLE_M = 0.55  # how far from the back wall people walk
SEAT_PITCH_M = 0.78

Point = tuple[float, float]
Point3 = tuple[float, float, float]
"""x, height, z in metres."""


class Layout(StrEnum):
    """How the tables stand."""

    ROW = "row"  # one table across, everybody behind it
    TWO_ROWS = "two_rows"
    U_SHAPE = "u_shape"  # one table across and two along the sides
    CORRIDOR = "corridor"  # no tables: a long passage seen along its length


@dataclass(frozen=True, slots=True)
class Lens:
    """One camera: where it hangs, where it looks (0 degrees: along z, positive: to the right)."""

    x_m: float
    z_m: float
    yaw_deg: float = 0.0
    height_m: float = 2.3
    focal_px: float = 520.0
    horizon_px: float = 62.0

    def seen(self, x_m: float, z_m: float) -> Point:
        """Across and into the depth, as this camera sees a point of the floor."""
        turn = radians(self.yaw_deg)
        dx, dz = x_m - self.x_m, z_m - self.z_m
        return dx * cos(turn) - dz * sin(turn), dx * sin(turn) + dz * cos(turn)

    def px(self, x_m: float, height_m: float, z_m: float) -> Point:
        """Pixels of a point before the lens."""
        across, depth = self.seen(x_m, z_m)
        scale = self.focal_px / max(depth, NEAR_M)
        return BASE_WIDTH_PX / 2 + across * scale, self.horizon_px + (
            self.height_m - height_m
        ) * scale

    def polygon(self, points: Sequence[Point3]) -> list[Point]:
        """A plane figure as pixels, cut off at the lens; empty when it lies behind."""
        corners = [(*self.seen(x, z), height) for x, height, z in points]
        out: list[Point] = []
        for (a1, d1, h1), (a2, d2, h2) in zip(corners, corners[1:] + corners[:1], strict=True):
            if d1 >= NEAR_M:
                out.append(self._at(a1, d1, h1))
            if (d1 >= NEAR_M) != (d2 >= NEAR_M):
                part = (NEAR_M - d1) / (d2 - d1)
                out.append(self._at(a1 + (a2 - a1) * part, NEAR_M, h1 + (h2 - h1) * part))
        return out

    def _at(self, across: float, depth: float, height_m: float) -> Point:
        scale = self.focal_px / depth
        return BASE_WIDTH_PX / 2 + across * scale, self.horizon_px + (
            self.height_m - height_m
        ) * scale


@dataclass(frozen=True, slots=True)
class Block:
    """An upright box on the floor: a table or the back of a chair. It hides what is behind it."""

    x1_m: float
    x2_m: float
    z1_m: float
    z2_m: float
    bottom_m: float
    top_m: float

    def hides(self, lens: Lens, x_m: float, z_m: float) -> bool:
        """Whether the way from a lens to a point of the floor leads across it.

        Liang-Barsky clipping of a segment by a rectangle.
        """
        start, end = 0.0, 1.0
        for origin, goal, low, high in (
            (lens.x_m, x_m, self.x1_m, self.x2_m),
            (lens.z_m, z_m, self.z1_m, self.z2_m),
        ):
            step = goal - origin
            if abs(step) < 1e-9:
                if not low < origin < high:
                    return False
                continue
            first, last = sorted(((low - origin) / step, (high - origin) / step))
            start, end = max(start, first), min(end, last)
        return start < end

    def faces(self) -> tuple[tuple[Point3, ...], ...]:
        """Top, front (towards z = 0), back, left, right."""
        x1, x2, z1, z2, low, high = (
            self.x1_m, self.x2_m, self.z1_m, self.z2_m, self.bottom_m, self.top_m,
        )  # fmt: skip
        return (
            ((x1, high, z2), (x2, high, z2), (x2, high, z1), (x1, high, z1)),
            ((x1, high, z1), (x2, high, z1), (x2, low, z1), (x1, low, z1)),
            ((x1, high, z2), (x2, high, z2), (x2, low, z2), (x1, low, z2)),
            ((x1, high, z1), (x1, high, z2), (x1, low, z2), (x1, low, z1)),
            ((x2, high, z1), (x2, high, z2), (x2, low, z2), (x2, low, z1)),
        )


@dataclass(frozen=True, slots=True)
class Chair:
    """A place to sit, and the way to it from the aisle (its last point is the seat itself)."""

    seat: Place
    way: tuple[Place, ...]
    back: Block
    facing: Point = (0.0, -1.0)
    """Where who sits here looks: x and z."""


@dataclass(frozen=True, slots=True)
class Hall:
    """A room. ``door`` is the middle of its door on the wall; ``outside`` where people come from.

    ``side_doors``: openings in the long walls of a corridor, as (side, z).
    """

    layout: Layout
    seed: int
    width_m: float
    depth_m: float
    tables: tuple[Block, ...]
    chairs: tuple[Chair, ...]
    door: Place
    stands: tuple[Place, ...]

    @property
    def aisle_z_m(self) -> float:
        """Where people walk along the back wall."""
        return self.depth_m - AISLE_M

    def inside(self, place: Place) -> bool:
        """Whether a place is in the room, not behind its back wall."""
        return place.z_m <= self.depth_m

    def way_in(self) -> tuple[Place, ...]:
        """From outside through the door onto the aisle."""
        side = -1.0 if self.door.x_m < 0 else 1.0
        return (
            Place(self.door.x_m + side * 1.6, self.depth_m + 0.5),
            Place(self.door.x_m, self.depth_m + 0.45),
            Place(self.door.x_m, self.aisle_z_m),
        )

    def door_polygon(self) -> tuple[Point3, ...]:
        """The door's opening in the back wall."""
        x1, x2 = self.door.x_m - DOOR_HALF_M, self.door.x_m + DOOR_HALF_M
        return ((x1, DOOR_M, self.depth_m), (x2, DOOR_M, self.depth_m), (x2, 0, self.depth_m),
                (x1, 0, self.depth_m))  # fmt: skip


def hall(layout: Layout, seed: int, seats: int = 5) -> Hall:
    """The hall of a seed with so many seats.

    Raises:
        ValueError: more seats than a hall of this layout has.
    """
    if not 0 <= seats <= SEATS_MAX:
        raise ValueError(f"seats is {seats}: use 0 to {SEATS_MAX}")
    rng = np.random.default_rng((seed, 41))
    match layout:
        case Layout.ROW:
            return _row(rng, seed, seats)
        case Layout.TWO_ROWS:
            return _two_rows(rng, seed, seats)
        case Layout.U_SHAPE:
            return _u_shape(rng, seed, seats)
        case Layout.CORRIDOR:
            return Hall(
                layout, seed, 2.6, 15.0, (), (), Place(float(rng.uniform(-0.5, 0.5)), 15.0),
                (Place(-0.3, 6.0), Place(0.4, 8.0), Place(0.0, 4.6)),
            )  # fmt: skip


def _chair(rng: np.random.Generator, x_m: float, z_m: float, aisle_z_m: float) -> Chair:
    """A chair that faces the front wall."""
    x = x_m + float(rng.uniform(-0.04, 0.04))
    z = z_m + float(rng.uniform(-0.04, 0.04))
    back = Block(x - 0.24, x + 0.24, z + 0.2, z + 0.26, 0.45, CHAIR_BACK_M)
    way = (Place(x, aisle_z_m), Place(x, z + 0.05), Place(x, z, 1.0))
    return Chair(Place(x, z, 1.0), way, back)


def _spread(count: int, pitch_m: float) -> list[float]:
    return [(k - (count - 1) / 2) * pitch_m for k in range(count)]


def _row(rng: np.random.Generator, seed: int, seats: int) -> Hall:
    pitch = SEAT_PITCH_M if seats <= 6 else 0.66
    wide = max(4, seats) * pitch + 0.5
    seat_z = 3.9 + 0.28 * max(0, seats - 5)
    depth = seat_z + 2.7
    side = -1 if seed % 2 else 1
    shift = -side * 0.5  # the free end of the table is where the door is
    chairs = tuple(_chair(rng, x + shift, seat_z, depth - AISLE_M) for x in _spread(seats, pitch))
    table = Block(shift - wide / 2, shift + wide / 2, seat_z - 1.0, seat_z - 0.3, 0, TABLE_M)
    width = wide + 3.0
    door = Place(side * (width / 2 - 0.9), depth)
    stands = (
        Place(side * (wide / 2 + 0.15), seat_z + 0.35),
        Place(side * (wide / 2 + 0.5), seat_z + 1.3),
        Place(-side * 0.3, depth - AISLE_M),
    )
    return Hall(Layout.ROW, seed, width, depth, (table,), chairs, door, stands)


def _two_rows(rng: np.random.Generator, seed: int, seats: int) -> Hall:
    back = (seats + 1) // 2
    front = seats - back
    front_z, back_z, pitch = 3.6, 5.5, 1.05
    depth = back_z + 2.2
    side = -1 if seed % 2 else 1
    wide = max(3, back) * pitch
    chairs = [_chair(rng, x, back_z, depth - AISLE_M) for x in _spread(back, pitch)]
    end_x = side * (wide / 2 + 0.7)
    for x in _spread(front, pitch):
        chair = _chair(rng, x + (0.0 if front != back else pitch / 2), front_z, depth - AISLE_M)
        passage = (
            Place(end_x, depth - AISLE_M),
            Place(end_x, front_z + 0.75),
            Place(chair.seat.x_m, front_z + 0.75),
        )
        chairs.append(Chair(chair.seat, (*passage, *chair.way[1:]), chair.back))
    tables = (
        Block(-wide / 2, wide / 2, back_z - 0.85, back_z - 0.3, 0, TABLE_M),
        Block(-wide / 2, wide / 2, front_z - 0.85, front_z - 0.3, 0, TABLE_M),
    )
    width = wide + 3.2
    door = Place(side * (width / 2 - 0.8), depth)
    stands = (Place(end_x, back_z - 0.2), Place(end_x, front_z + 0.6), Place(0.3, depth - AISLE_M))
    return Hall(Layout.TWO_ROWS, seed, width, depth, tables, tuple(chairs), door, stands)


def _u_shape(rng: np.random.Generator, seed: int, seats: int) -> Hall:
    arms = min(2, max(0, seats - 3) // 2)
    back = seats - 2 * arms
    back_z, pitch = 6.0, 0.8
    depth = back_z + 2.2
    half = max(1.5, back * pitch / 2 + 0.1)
    chairs = [_chair(rng, x, back_z, depth - AISLE_M) for x in _spread(back, pitch)]
    for side in (-1, 1):
        for k in range(arms):
            x = side * (half + 0.75) + float(rng.uniform(-0.04, 0.04))
            z = back_z - 1.0 - 0.95 * k
            seat = Place(x, z, 1.0)
            way = (
                Place(side * (half + 1.35), depth - AISLE_M),
                Place(side * (half + 1.35), z),
                Place(x + side * 0.05, z),
                seat,
            )
            behind = x + side * 0.24
            back_rest = Block(behind - 0.03, behind + 0.03, z - 0.24, z + 0.24, 0.45, CHAIR_BACK_M)
            chairs.append(Chair(seat, way, back_rest, (-side * 0.96, -0.28)))
    arm_z = back_z - 1.0 - 0.95 * max(arms - 1, 0) - 0.5
    tables = [Block(-half, half, back_z - 0.9, back_z - 0.3, 0, TABLE_M)]
    if arms:
        tables += [
            Block(-half - 0.5, -half + 0.1, arm_z, back_z - 0.9, 0, TABLE_M),
            Block(half - 0.1, half + 0.5, arm_z, back_z - 0.9, 0, TABLE_M),
        ]
    width = 2 * half + 4.2
    side = -1 if seed % 2 else 1
    door = Place(side * (width / 2 - 0.8), depth)
    stands = (
        Place(side * (half + 1.3), back_z - 0.3), Place(side * 0.4, 3.2),
        Place(-side * (half + 1.3), back_z - 0.6),
    )  # fmt: skip
    return Hall(Layout.U_SHAPE, seed, width, depth, tuple(tables), tuple(chairs), door, stands)


def lens(of: Hall, number: int = 0) -> Lens:
    """The hall's camera of this number: 0 before the middle, 1 and 2 in the front corners."""
    rng = np.random.default_rng((of.seed, 43, number))
    near = float(rng.uniform(-0.05, 0.05))
    if of.layout is Layout.CORRIDOR:
        return Lens(0.25 + near, -0.4, 0.0, height_m=2.6, focal_px=560, horizon_px=70)
    if number == 0:
        must = [(abs(one.seat.x_m) + 0.4, one.seat.z_m) for one in of.chairs]
        must += [(abs(stand.x_m) + 0.3, stand.z_m) for stand in of.stands]
        must.append((abs(of.door.x_m) + DOOR_HALF_M + 0.1, of.depth_m))
        focal = min(560.0, *(310 * z / x for x, z in must))
        return Lens(near, 0.0, float(rng.uniform(-1, 1)), focal_px=focal, horizon_px=58)
    side = -1 if number == 1 else 1
    x_m = side * (of.width_m / 2 - 0.25)
    yaw = -side * float(rng.uniform(24, 30))
    return Lens(x_m, 0.1, yaw, height_m=2.5, focal_px=430, horizon_px=58)


def in_picture(points: Sequence[Point]) -> bool:
    """Whether any part of a figure's frame lies in a 640x360 picture."""
    if not points:
        return False
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return max(xs) > 0 and min(xs) < BASE_WIDTH_PX and max(ys) > 0 and min(ys) < BASE_HEIGHT_PX
