"""Paints the empty hall as one camera sees it: walls, floor, door, tables, chairs, and masks.

Everything is a plane figure in metres, projected and drawn with the brush of ``backdrop``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.backdrop import (
    CHAIRS,
    DOORS,
    FLOORS,
    FOLDERS,
    WALLS,
    WOODS,
    Brush,
    dim,
    finish_light,
    pick,
)
from zeroentry.composer.hall import (
    DOOR_HALF_M,
    DOOR_M,
    WALL_M,
    Block,
    Hall,
    Layout,
    Lens,
    Point3,
    in_picture,
)
from zeroentry.composer.model import Scene
from zeroentry.composer.pixels import Bgr, Image, Mask

THINGS = ("window", "board", "monitor", "plaque", "window", "none")


@dataclass(frozen=True, slots=True)
class HallPicture:
    """The empty picture with the door shut and open, and what can hide people or change.

    ``blocks`` are masks (HxW, 255 where the block is drawn) by its index in tables + chairs;
    ``through_door`` is 255 where the door's opening is. ``windows`` and ``monitors`` are polygons
    in pixels of the picture.
    """

    shut: Image
    open: Image
    blocks: tuple[Mask, ...]
    through_door: Mask
    light: tuple[float, float, float]
    windows: tuple[tuple[tuple[float, float], ...], ...]
    monitors: tuple[tuple[tuple[float, float], ...], ...]


def wall_quad(
    of: Hall, wall: str, middle_m: float, low_m: float, high_m: float, half_m: float
) -> tuple[Point3, ...]:
    """A rectangle on a wall (``back``, ``left``, ``right``), its middle along the wall given."""
    a, b = middle_m - half_m, middle_m + half_m
    if wall == "back":
        return ((a, high_m, of.depth_m), (b, high_m, of.depth_m), (b, low_m, of.depth_m),
                (a, low_m, of.depth_m))  # fmt: skip
    x = -of.width_m / 2 if wall == "left" else of.width_m / 2
    return ((x, high_m, a), (x, high_m, b), (x, low_m, b), (x, low_m, a))


class HallBrush:
    """Draws plane figures of a hall through one lens."""

    def __init__(self, of: Hall, lens: Lens, scene: Scene) -> None:
        self.hall = of
        self.lens = lens
        self.brush = Brush(scene)
        self.windows: list[tuple[tuple[float, float], ...]] = []
        self.monitors: list[tuple[tuple[float, float], ...]] = []

    def plane(self, points: Sequence[Point3], colour: Bgr, strength: float = 1.0) -> None:
        """Paint a figure, if any of it is in the picture."""
        shown = self.lens.polygon(points)
        if len(shown) >= 3 and in_picture(shown):
            self.brush.fill([_near(point) for point in shown], colour, strength)

    def soft(self, points: Sequence[Point3], soft_px: float, strength: float) -> None:
        """Darken (or brighten) softly."""
        shown = self.lens.polygon(points)
        if len(shown) >= 3 and in_picture(shown):
            self.brush.shade([_near(point) for point in shown], soft_px, strength)

    def line(self, one: Point3, other: Point3, width: float, colour: Bgr, strength: float) -> None:
        """Paint a line in space."""
        shown = self.lens.polygon((one, other, other))
        if len(shown) >= 2 and in_picture(shown):
            self.brush.line([_near(shown[0]), _near(shown[1])], width, colour, strength)


def _near(point: tuple[float, float]) -> tuple[float, float]:
    """Keep far-off points within what fixed-point drawing can hold."""
    return min(max(point[0], -3000.0), 3000.0), min(max(point[1], -3000.0), 3000.0)


def hall_picture(of: Hall, lens: Lens, scene: Scene) -> HallPicture:
    """Paint a hall. ``scene`` gives the size and the seed of its colours.

    The seed is the hall's own, so that two cameras show one room.
    """
    made = HallBrush(of, lens, scene)
    brush = made.brush
    warmth = float(brush.rng.uniform(-0.045, 0.045))
    level = float(brush.rng.uniform(0.9, 1.02))
    light = (level * (1 - warmth), level, level * (1 + warmth))
    paint_shell(made)
    paint_wall_things(made)
    door_colour = pick(brush, DOORS)
    wood, chair = pick(brush, WOODS), pick(brush, CHAIRS)
    before = brush.picture
    resume = brush.rng.bit_generator.state
    pictures: list[Image] = []
    for is_open in (False, True):
        brush.picture = before.copy()
        brush.rng.bit_generator.state = resume
        paint_door(made, door_colour, is_open=is_open)
        paint_furniture(made, wood, chair)
        finish_light(brush, light)
        pictures.append(brush.finished(scene))
    blocks = (*of.tables, *(one.back for one in of.chairs))
    return HallPicture(
        shut=pictures[0],
        open=pictures[1],
        blocks=tuple(block_mask(made, block, scene) for block in blocks),
        through_door=mask_of(made, [of.door_polygon()], scene),
        light=light,
        windows=tuple(made.windows),
        monitors=tuple(made.monitors),
    )


def mask_of(made: HallBrush, figures: Sequence[Sequence[Point3]], scene: Scene) -> Mask:
    """Where figures are drawn (HxW, 255 or 0)."""
    shown = [made.lens.polygon(points) for points in figures]
    polygons = [
        [_near(point) for point in points]
        for points in shown
        if len(points) >= 3 and in_picture(points)
    ]
    return cast(Mask, cv2.bitwise_not(made.brush.finished_mask(scene, polygons)))


def block_mask(made: HallBrush, block: Block, scene: Scene) -> Mask:
    """Where a block is drawn."""
    return mask_of(made, block.faces(), scene)


def paint_shell(made: HallBrush) -> None:
    """Paint ceiling edge, walls, floor and its tiles, skirting, pools of light."""
    of, brush = made.hall, made.brush
    wall, floor = pick(brush, WALLS), pick(brush, FLOORS)
    half, deep = of.width_m / 2, of.depth_m
    brush.picture[:] = np.asarray(dim(wall, 1.06), np.float32)
    made.plane(((-half, 0, -2), (half, 0, -2), (half, 0, deep), (-half, 0, deep)), floor)
    for z_m in np.arange(0.6, deep, 0.6):
        made.line((-half, 0, float(z_m)), (half, 0, float(z_m)), 0.7, dim(floor, 0.86), 0.5)
    for x_m in np.arange(-half + 0.6, half, 0.6):
        made.line((float(x_m), 0, 0.5), (float(x_m), 0, deep), 0.7, dim(floor, 0.86), 0.5)
    back = ((-half, WALL_M, deep), (half, WALL_M, deep), (half, 0, deep), (-half, 0, deep))
    made.plane(back, wall)
    for side, shade in ((-half, 0.86), (half, 0.9)):
        long_wall = ((side, WALL_M, -2), (side, WALL_M, deep), (side, 0, deep), (side, 0, -2))
        made.plane(long_wall, dim(wall, shade))
        made.plane(((side, 0.1, -2), (side, 0.1, deep), (side, 0, deep), (side, 0, -2)),
                   dim(wall, 0.55))  # fmt: skip
        made.soft(((side * 0.97, WALL_M, deep), (side, WALL_M, deep), (side, 0, deep),
                   (side * 0.97, 0, deep)), 5, 0.2)  # fmt: skip
    made.plane(((-half, 0.1, deep), (half, 0.1, deep), (half, 0, deep), (-half, 0, deep)),
               dim(wall, 0.6))  # fmt: skip
    made.soft(((-half, 0, deep), (half, 0, deep), (half, 0, deep - 0.5), (-half, 0, deep - 0.5)),
              6, 0.22)  # fmt: skip
    for x_m in np.linspace(-half * 0.7, half * 0.7, 3):
        x = float(x_m) + float(brush.rng.uniform(-0.2, 0.2))
        made.soft(((x - 0.5, WALL_M, deep), (x + 0.5, WALL_M, deep), (x + 0.9, 1.2, deep),
                   (x - 0.9, 1.2, deep)), 26, -0.1)  # fmt: skip
    brush.picture *= brush.grain(1.2, 1.6, 0.012)


def paint_wall_things(made: HallBrush) -> None:
    """Hang boards, windows, monitors and plaques; none where the door is."""
    of, rng = made.hall, made.brush.rng
    places: list[tuple[str, float]] = []
    if of.layout is Layout.CORRIDOR:
        places += [(wall, z) for wall in ("left", "right") for z in (4.0, 7.0, 10.5)]
        for wall, z in places:
            paint_side_door(made, wall, z + (0.6 if wall == "left" else -0.4))
        return
    places += [("back", x) for x in np.linspace(-of.width_m / 2 + 1.3, of.width_m / 2 - 1.3, 3)
               if abs(x - of.door.x_m) > 1.5]  # fmt: skip
    places += [("left", of.depth_m * 0.55), ("right", of.depth_m * 0.6)]
    for wall, middle in places:
        thing = THINGS[int(rng.integers(len(THINGS)))]
        quad_ = wall_quad(of, wall, float(middle), 1.05, 2.0, 0.62)
        if thing != "none":
            made.soft(wall_quad(of, wall, float(middle) + 0.04, 1.0, 1.98, 0.66), 4, 0.2)
        if thing == "window":
            paint_window(made, wall, float(middle))
        elif thing == "board":
            made.plane(quad_, (228, 230, 230))
            for k in range(4):
                high = 1.85 - 0.16 * k
                made.plane(wall_quad(of, wall, float(middle) - 0.1, high, high + 0.02, 0.35),
                           (170, 140, 120), 0.5)  # fmt: skip
        elif thing == "monitor":
            paint_monitor(made, wall, float(middle))
        elif thing == "plaque":
            for shift in (-0.3, 0.3):
                made.plane(wall_quad(of, wall, float(middle) + shift, 1.25, 1.95, 0.24),
                           (92, 112, 132))  # fmt: skip
                made.plane(wall_quad(of, wall, float(middle) + shift, 1.29, 1.91, 0.21),
                           (226, 230, 232))  # fmt: skip
                made.plane(wall_quad(of, wall, float(middle) + shift, 1.78, 1.84, 0.14),
                           (96, 84, 120))  # fmt: skip


def paint_window(made: HallBrush, wall: str, middle_m: float) -> None:
    """Paint a window with half-shut blinds."""
    of = made.hall
    made.plane(wall_quad(of, wall, middle_m, 0.95, 2.15, 0.68), (176, 180, 182))
    glass = wall_quad(of, wall, middle_m, 1.0, 2.1, 0.64)
    made.plane(glass, (236, 230, 218))
    for k in range(12):
        high = 2.08 - 0.09 * k
        made.plane(wall_quad(of, wall, middle_m, high - 0.05, high, 0.64), (208, 210, 208))
    made.soft(glass, 24, -0.08)
    shown = tuple(made.lens.polygon(glass))
    if in_picture(shown):
        made.windows.append(shown)


def paint_monitor(made: HallBrush, wall: str, middle_m: float) -> None:
    """Paint a wall monitor with a table of figures."""
    of = made.hall
    made.plane(wall_quad(of, wall, middle_m, 1.1, 1.95, 0.72), (30, 30, 32))
    screen = wall_quad(of, wall, middle_m, 1.14, 1.91, 0.68)
    made.plane(screen, (118, 92, 66))
    for k in range(5):
        high = 1.78 - 0.12 * k
        made.plane(wall_quad(of, wall, middle_m, high - 0.05, high, 0.6), (150, 130, 110))
    shown = tuple(made.lens.polygon(screen))
    if in_picture(shown):
        made.monitors.append(shown)


def paint_side_door(made: HallBrush, wall: str, z_m: float) -> None:
    """Paint a shut door in a long wall of a corridor, its plate and its reader."""
    of = made.hall
    colour = pick(made.brush, DOORS)
    made.plane(wall_quad(of, wall, z_m, 0, DOOR_M + 0.06, DOOR_HALF_M + 0.06), dim(colour, 0.7))
    made.plane(wall_quad(of, wall, z_m, 0, DOOR_M, DOOR_HALF_M), colour)
    made.plane(wall_quad(of, wall, z_m + 0.8, 1.5, 1.7, 0.15), (150, 120, 84))


def paint_door(made: HallBrush, colour: Bgr, *, is_open: bool) -> None:
    """Paint the door in the back wall, shut, or open on the corridor behind it."""
    of = made.hall
    x, deep = of.door.x_m, of.depth_m
    frame = wall_quad(of, "back", x, 0, DOOR_M + 0.07, DOOR_HALF_M + 0.07)
    made.plane(frame, dim(colour, 0.72))
    if is_open:
        made.plane(of.door_polygon(), (146, 150, 150))
        made.plane(wall_quad(of, "back", x, 0, 0.18, DOOR_HALF_M), (104, 106, 108))
        made.soft(wall_quad(of, "back", x, 1.7, DOOR_M, DOOR_HALF_M), 10, 0.18)
        hinge = x + DOOR_HALF_M * (1 if x > 0 else -1)
        made.plane(((hinge, DOOR_M, deep), (hinge, DOOR_M, deep - 0.85), (hinge, 0, deep - 0.85),
                    (hinge, 0, deep)), dim(colour, 0.88))  # fmt: skip
        return
    made.plane(of.door_polygon(), colour)
    made.plane(wall_quad(of, "back", x + 0.12, 1.3, 1.75, 0.09), (150, 150, 144))
    made.plane(wall_quad(of, "back", x - 0.38, 0.95, 1.1, 0.02), (196, 198, 200))


def paint_furniture(made: HallBrush, wood: Bgr, chair: Bgr) -> None:
    """Paint tables and chairs, the farthest first."""
    of, lens = made.hall, made.lens
    rows: list[tuple[float, Block, bool]] = []
    for block, is_table in (
        *((table, True) for table in of.tables),
        *((one.back, False) for one in of.chairs),
    ):
        middle = ((block.x1_m + block.x2_m) / 2, (block.z1_m + block.z2_m) / 2)
        rows.append((lens.seen(*middle)[1], block, is_table))
    for _, block, is_table in sorted(rows, key=lambda row: -row[0]):
        if is_table:
            paint_table(made, block, wood)
        else:
            paint_block(made, block, dim(chair, 1.25), chair)
    for one in of.chairs:
        paint_setting(made, one.seat.x_m, one.seat.z_m)


def paint_block(made: HallBrush, block: Block, top: Bgr, sides: Bgr) -> None:
    """Paint the faces of a block that can be seen, the farthest first."""
    lens = made.lens
    faces = list(zip(block.faces(), (top, sides, sides, dim(sides, 0.8), dim(sides, 0.8)),
                     strict=True))  # fmt: skip

    def depth(points: Sequence[Point3]) -> float:
        return float(np.mean([lens.seen(x, z)[1] for x, _, z in points]))

    upright = sorted(faces[1:], key=lambda face: -depth(face[0]))
    for points, colour in upright:
        made.plane(points, colour)
    made.plane(*faces[0])


def paint_table(made: HallBrush, block: Block, wood: Bgr) -> None:
    """Paint a table with its shadow on the floor and its edge."""
    made.soft(((block.x1_m - 0.2, 0, block.z2_m), (block.x2_m + 0.2, 0, block.z2_m),
               (block.x2_m + 0.2, 0, block.z1_m - 0.2), (block.x1_m - 0.2, 0, block.z1_m - 0.2)),
              9, 0.3)  # fmt: skip
    paint_block(made, block, dim(wood, 1.5), dim(wood, 0.7))
    top = block.faces()[0]
    made.soft(((*top[0][:2], top[0][2]), (*top[1][:2], top[1][2]),
               (top[1][0], top[1][1], top[1][2] - 0.08), (top[0][0], top[0][1], top[0][2] - 0.08)),
              4, 0.25)  # fmt: skip
    made.line(top[2], top[3], 1.4, dim(wood, 1.75), 1.0)


def paint_setting(made: HallBrush, x_m: float, z_m: float) -> None:
    """Lay papers and a folder before a seat, where a table is."""
    rng = made.brush.rng
    for block in made.hall.tables:
        for _ in range(2):
            x = min(max(x_m + float(rng.uniform(-0.25, 0.25)), block.x1_m + 0.15),
                    block.x2_m - 0.15)  # fmt: skip
            z = min(max(z_m - 0.55 + float(rng.uniform(-0.1, 0.1)), block.z1_m + 0.15),
                    block.z2_m - 0.15)  # fmt: skip
            if abs(x - x_m) > 0.8 or abs(z - z_m) > 0.95:
                continue
            colour = (226, 230, 230) if rng.random() < 0.6 else pick(made.brush, FOLDERS)
            height = block.top_m + 0.005
            made.plane(((x - 0.1, height, z + 0.13), (x + 0.1, height, z + 0.13),
                        (x + 0.1, height, z - 0.13), (x - 0.1, height, z - 0.13)),
                       colour)  # fmt: skip
