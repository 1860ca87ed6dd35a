"""Paints the empty room or corridor of a scene, once: walls, floor, door, furniture, and masks.

Coordinates are those of a 640x360 picture; painting is done at twice the scene's size and averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.geometry import (
    BASE_HEIGHT_PX,
    BASE_WIDTH_PX,
    CHAIR_Z_M,
    SEAT_Z_M,
    TABLE_BACK_Z_M,
    TABLE_FRONT_Z_M,
    TABLE_HEIGHT_M,
    Place,
    Plan,
    mirrored,
)
from zeroentry.composer.model import Scene, SceneKind
from zeroentry.composer.pixels import Bgr, Floats, Image, Mask

OVERSAMPLING = 2
Points = list[tuple[float, float]]

WALLS: tuple[Bgr, ...] = ((188, 200, 204), (198, 196, 188), (182, 194, 190), (204, 204, 204),
                          (176, 188, 200), (196, 190, 182))  # fmt: skip
FLOORS: tuple[Bgr, ...] = ((112, 120, 126), (128, 126, 120), (104, 118, 136), (118, 112, 106))
WOODS: tuple[Bgr, ...] = ((62, 88, 128), (44, 62, 92), (92, 122, 158), (56, 72, 98))
CHAIRS: tuple[Bgr, ...] = ((52, 46, 44), (70, 58, 50), (48, 52, 60))
FOLDERS: tuple[Bgr, ...] = ((132, 150, 168), (140, 118, 92), (116, 128, 112), (150, 148, 146))
DOORS: tuple[Bgr, ...] = ((86, 112, 148), (150, 156, 160), (72, 92, 122))


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The empty picture with the door shut and open, and where furniture hides people.

    Each mask (HxW) is 255 where a person at that depth can be seen.
    """

    shut: Image
    open: Image
    past_table: Mask
    past_chairs: Mask
    past_door: Mask
    light: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Region:
    """A mask 0..255 and the part of the picture that it covers."""

    rows: slice
    columns: slice
    mask: Mask


class Brush:
    """Draws in base coordinates on an oversampled picture, and on masks of the same size."""

    def __init__(self, scene: Scene) -> None:
        """Start with a black picture."""
        self.factor = scene.size_px[0] / BASE_WIDTH_PX * OVERSAMPLING
        self.width = round(BASE_WIDTH_PX * self.factor)
        self.height = round(BASE_HEIGHT_PX * self.factor)
        self.picture: Floats = np.zeros((self.height, self.width, 3), np.float32)
        self.rng = np.random.default_rng((scene.seed, 3))

    def region(self, points: Points, soft_px: float = 0, line_px: float = 0) -> Region:
        """Return a polygon, or a line of a width, as a mask over the part of the picture it needs.

        Whole-picture masks made a room cost four seconds.
        """
        spread = (3 * soft_px + line_px) * self.factor + 2
        xs = [x * self.factor for x, _ in points]
        ys = [y * self.factor for _, y in points]
        left, right = max(0, int(min(xs) - spread)), min(self.width, int(max(xs) + spread) + 1)
        top, bottom = max(0, int(min(ys) - spread)), min(self.height, int(max(ys) + spread) + 1)
        mask = np.zeros((max(0, bottom - top), max(0, right - left)), np.uint8)
        if mask.size:
            # Shapes go on past the picture's edge: blur with the neighbours cut off, as here,
            # brightens an edge by a grey level at most.
            moved = [
                [round((x - left) * 16), round((y - top) * 16)] for x, y in zip(xs, ys, strict=True)
            ]
            path = [np.array(moved, np.int32)]
            if line_px > 0:
                width = max(1, round(line_px * self.factor))
                cv2.polylines(mask, path, False, (255,), width, lineType=cv2.LINE_AA, shift=4)
            else:
                cv2.fillPoly(mask, path, (255,), lineType=cv2.LINE_AA, shift=4)
            if soft_px > 0:
                mask = blurred(mask, soft_px * self.factor)
        return Region(slice(top, bottom), slice(left, right), mask)

    def paint(self, region: Region, colour: Bgr | Floats, strength: float = 1.0) -> None:
        """Paint a colour, or a picture of the whole size, through a mask."""
        if not region.mask.size:
            return
        weight = (region.mask.astype(np.float32) * (strength / 255))[..., None]
        source = np.asarray(colour, np.float32)
        if source.ndim > 1:
            source = source[region.rows, region.columns]
        part = self.picture[region.rows, region.columns]
        self.picture[region.rows, region.columns] = part * (1 - weight) + source * weight

    def fill(self, polygon: Points, colour: Bgr | Floats, strength: float = 1.0) -> None:
        """Paint a polygon with sharp edges."""
        self.paint(self.region(polygon), colour, strength)

    def rect(self, x1: float, y1: float, x2: float, y2: float, colour: Bgr) -> None:
        """Paint an upright rectangle."""
        self.fill([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], colour)

    def shade(self, polygon: Points, soft_px: float, strength: float) -> None:
        """Darken (strength > 0) or brighten (< 0) softly."""
        region = self.region(polygon, soft_px)
        if region.mask.size:
            weight = region.mask.astype(np.float32)[..., None] * (strength / 255)
            self.picture[region.rows, region.columns] *= 1 - weight

    def disc(self, x: float, y: float, radius: float, colour: Bgr) -> None:
        """Paint a filled circle."""
        turns = np.linspace(0, 2 * np.pi, 40)
        self.fill([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in turns], colour)

    def line(self, points: Points, width: float, colour: Bgr, strength: float = 1.0) -> None:
        """Paint an open line of a width in base pixels."""
        self.paint(self.region(points, line_px=width), colour, strength)

    def grain(self, across: float, along: float, depth: float) -> Floats:
        """Return a streaky texture (HxWx1) around 1; sigmas in base pixels."""
        noise = self.rng.normal(0, 1, (self.height, self.width)).astype(np.float32)
        streaks = cv2.GaussianBlur(
            noise, (0, 0), sigmaX=along * self.factor, sigmaY=max(across * self.factor, 0.3)
        )
        return cast(Floats, (1 + depth * streaks / float(streaks.std()))[..., None])

    def finished(self, scene: Scene) -> Image:
        """Return the picture at the scene's size."""
        small = cv2.resize(self.picture, scene.size_px, interpolation=cv2.INTER_AREA)
        return cast(Image, np.clip(small, 0, 255).astype(np.uint8))

    def finished_mask(self, scene: Scene, polygons: list[Points]) -> Mask:
        """Return where none of the polygons lies, as a hard mask at the scene's size."""
        hidden = np.zeros((self.height, self.width), np.uint8)
        for polygon in polygons:
            region = self.region(polygon)
            part = hidden[region.rows, region.columns]
            hidden[region.rows, region.columns] = np.maximum(part, region.mask)
        small = cv2.resize(hidden, scene.size_px, interpolation=cv2.INTER_AREA)
        return np.where(small > 127, 0, 255).astype(np.uint8)


def blurred(mask: Mask, sigma_px: float) -> Mask:
    """Blur a mask; a wide blur is done on a small copy, which looks the same and costs little."""
    part = max(1, int(sigma_px / 4))
    height, width = mask.shape
    if part > 1:
        size = (max(1, width // part), max(1, height // part))
        mask = cast(Mask, cv2.resize(mask, size, interpolation=cv2.INTER_AREA))
    mask = cast(Mask, cv2.GaussianBlur(mask, (0, 0), sigma_px / part))
    return cast(Mask, cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR))


def pick(brush: Brush, colours: tuple[Bgr, ...]) -> Bgr:
    """Choose a colour and vary it a little."""
    colour = colours[int(brush.rng.integers(len(colours)))]
    change = brush.rng.uniform(0.94, 1.05)
    return cast(Bgr, tuple(int(min(255, c * change)) for c in colour))


def dim(colour: Bgr, factor: float) -> Bgr:
    """Return a colour darker (factor < 1) or brighter."""
    return cast(Bgr, tuple(int(min(255, c * factor)) for c in colour))


def backdrop_of(scene: Scene, plan: Plan) -> Backdrop:
    """Paint the scene without people."""
    brush = Brush(scene)
    warmth = float(brush.rng.uniform(-0.045, 0.045))
    level = float(brush.rng.uniform(0.9, 1.02))
    light = (level * (1 - warmth), level, level * (1 + warmth))
    if scene.kind is SceneKind.CORRIDOR:
        paint_corridor(brush, plan)
        finish_light(brush, light)
        picture = brush.finished(scene)
        clear = brush.finished_mask(scene, [])
        return Backdrop(picture, picture, clear, clear, clear, light)
    paint_shell(brush, plan)
    paint_wall_things(brush, plan)
    opening = paint_door(brush, plan)
    before_door = brush.picture
    pictures: list[Image] = []
    resume = brush.rng.bit_generator.state
    for is_open in (False, True):
        brush.picture = before_door.copy()
        brush.rng.bit_generator.state = resume
        if is_open:
            paint_open_door(brush, plan, opening)
        paint_chairs(brush, plan)
        paint_table(brush, plan)
        finish_light(brush, light)
        pictures.append(brush.finished(scene))
    table = table_polygons(plan)
    seats = [chair_polygon(plan, seat) for seat in plan.seats]
    return Backdrop(
        shut=pictures[0],
        open=pictures[1],
        past_table=brush.finished_mask(scene, table),
        past_chairs=brush.finished_mask(scene, [*table, *seats]),
        past_door=cast(Mask, cv2.bitwise_not(brush.finished_mask(scene, [opening]))),
        light=light,
    )


def finish_light(brush: Brush, light: tuple[float, float, float]) -> None:
    """Apply the room's light, its fall-off and the lens's dark corners to the whole picture."""
    y = np.linspace(-1, 1, brush.height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, brush.width, dtype=np.float32)[None, :]
    lean = float(brush.rng.uniform(-0.06, 0.06))
    field = 1.03 + lean * x - 0.05 * y - 0.09 * (x**2 + y**2) ** 1.2 / 2
    brush.picture *= (field[..., None] * np.asarray(light, np.float32)).astype(np.float32)


def paint_shell(brush: Brush, plan: Plan) -> None:
    """Paint wall, floor, the far corner with its side wall, skirting and pools of light."""
    wall = pick(brush, WALLS)
    floor = pick(brush, FLOORS)
    floor_y = plan.view.y_px(0, plan.wall_z_m)
    brush.picture[:] = np.asarray(wall, np.float32)
    brush.picture *= brush.grain(2, 2, 0.006)
    down = np.linspace(0, 1, brush.height, dtype=np.float32)[:, None, None]
    brush.picture *= 1.05 - 0.16 * down
    tiles = np.asarray(floor, np.float32) * brush.grain(0.5, 1.2, 0.02) * (0.9 + 0.22 * down)
    brush.fill([(0, floor_y), (640, floor_y), (640, 360), (0, 360)], tiles.astype(np.float32))
    paint_floor_lines(brush, plan, dim(floor, 0.86))
    corner = mirrored(606, plan.side)
    corner_m = plan.view.x_m(corner, plan.wall_z_m)
    near = (plan.view.x_px(corner_m, 2.6), plan.view.y_px(0, 2.6))
    edge = mirrored(660, plan.side)
    side_wall = [(corner, -5.0), (edge, -5.0), (near[0], -5.0), near, (corner, floor_y)]
    brush.fill(side_wall, dim(wall, 0.82))
    brush.shade([(corner - 2, 0), (corner + 2, 0), (corner + 2, floor_y), (corner - 2, floor_y)],
                5, 0.22)  # fmt: skip
    low, high = plan.view.y_px(0.0, plan.wall_z_m), plan.view.y_px(0.11, plan.wall_z_m)
    left, right = sorted((corner, mirrored(-10, plan.side)))
    brush.rect(left, high, right, low, dim(wall, 0.62))
    brush.shade([(left, low), (right, low), (right, low + 16), (left, low + 16)], 7, 0.25)
    for k in range(3):
        x = mirrored(130 + 190 * k + float(brush.rng.uniform(-20, 20)), plan.side)
        brush.shade([(x - 26, -30), (x + 26, -30), (x + 74, 120), (x - 74, 120)], 26, -0.10)


def paint_floor_lines(brush: Brush, plan: Plan, colour: Bgr) -> None:
    """Paint the joints of 0.6 m tiles in perspective."""
    for z_m in np.arange(2.6, plan.wall_z_m, 0.6):
        y = plan.view.y_px(0, float(z_m))
        brush.line([(0, y), (640, y)], 0.7, colour, 0.5)
    for x_m in np.arange(-4.8, 4.9, 0.6):
        far = (plan.view.x_px(float(x_m), plan.wall_z_m), plan.view.y_px(0, plan.wall_z_m))
        near = (plan.view.x_px(float(x_m), 2.4), plan.view.y_px(0, 2.4))
        brush.line([far, near], 0.7, colour, 0.5)


def paint_wall_things(brush: Brush, plan: Plan) -> None:
    """Hang a board, a screen, a window or a plaque in three places, a clock, and set a plant."""
    things = [paint_whiteboard, paint_screen, paint_window, paint_plaque, paint_window]
    chosen = brush.rng.permutation(len(things))[:3]
    for (x1, x2), index in zip(((158, 272), (300, 426), (454, 580)), chosen, strict=True):
        left, right = sorted((mirrored(x1, plan.side), mirrored(x2, plan.side)))
        things[int(index)](brush, left, right)
    clock = mirrored(float(brush.rng.choice((286.0, 440.0))), plan.side)
    brush.shade([(clock - 8, 38), (clock + 12, 38), (clock + 12, 60), (clock - 8, 60)], 4, 0.2)
    brush.disc(clock, 46, 10.5, (70, 70, 72))
    brush.disc(clock, 46, 9, (236, 238, 238))
    brush.line([(clock, 46), (clock + 1, 39.5)], 1, (40, 40, 40))
    brush.line([(clock, 46), (clock + 5, 48)], 1, (40, 40, 40))
    paint_plant(brush, mirrored(float(brush.rng.uniform(132, 142)), plan.side),
                plan.view.y_px(0, plan.wall_z_m) + 8)  # fmt: skip


def drop_shadow(brush: Brush, x1: float, y1: float, x2: float, y2: float) -> None:
    """Darken the wall round a thing that hangs on it."""
    brush.shade([(x1 + 2, y1 + 3), (x2 + 4, y1 + 3), (x2 + 4, y2 + 5), (x1 + 2, y2 + 5)], 4, 0.22)


def paint_whiteboard(brush: Brush, x1: float, x2: float) -> None:
    """Paint a whiteboard with a few faint strokes."""
    drop_shadow(brush, x1, 62, x2, 132)
    brush.rect(x1, 62, x2, 132, (168, 168, 166))
    brush.rect(x1 + 2, 64, x2 - 2, 130, (228, 230, 230))
    for k in range(4):
        y = 74 + 11 * k
        end = x1 + 14 + float(brush.rng.uniform(30, 74))
        brush.line([(x1 + 12, y), (end, y + 1)], 1.2, (170, 140, 120), 0.5)
    brush.rect(x1 + 20, 130, x2 - 20, 134, (150, 150, 150))


def paint_screen(brush: Brush, x1: float, x2: float) -> None:
    """Paint a wall screen that shows a table of figures."""
    drop_shadow(brush, x1, 58, x2, 128)
    brush.rect(x1, 58, x2, 128, (30, 30, 32))
    brush.rect(x1 + 3, 61, x2 - 3, 125, (118, 92, 66))
    brush.rect(x1 + 3, 61, x2 - 3, 70, (138, 104, 70))
    for k in range(5):
        brush.rect(x1 + 10, 76 + 9 * k, x2 - 10, 81 + 9 * k, (150, 130, 110))
        brush.rect(x1 + 10, 76 + 9 * k, x1 + 34, 81 + 9 * k, (176, 160, 142))


def paint_window(brush: Brush, x1: float, x2: float) -> None:
    """Paint a window with half-shut blinds and the day behind them."""
    brush.rect(x1, 56, x2, 146, (176, 180, 182))
    brush.rect(x1 + 3, 59, x2 - 3, 143, (236, 230, 218))
    for k in range(14):
        y = 60 + 6 * k
        brush.rect(x1 + 3, y, x2 - 3, y + 3.6, (206, 208, 206))
    middle = (x1 + x2) / 2
    brush.rect(middle - 1.5, 56, middle + 1.5, 146, (168, 172, 174))
    brush.rect(x1 - 4, 146, x2 + 4, 150, (190, 192, 192))
    brush.shade([(x1, 50), (x2, 50), (x2, 150), (x1, 150)], 26, -0.08)


def paint_plaque(brush: Brush, x1: float, x2: float) -> None:
    """Paint framed rules of the house: lines of text too small to read."""
    middle = (x1 + x2) / 2
    for left in (middle - 46, middle + 6):
        drop_shadow(brush, left, 64, left + 40, 122)
        brush.rect(left, 64, left + 40, 122, (92, 112, 132))
        brush.rect(left + 2, 66, left + 38, 120, (226, 230, 232))
        brush.rect(left + 8, 70, left + 32, 74, (96, 84, 120))
        for k in range(8):
            right = left + float(brush.rng.uniform(24, 35))
            brush.rect(left + 5, 79 + 4.6 * k, right, 80.6 + 4.6 * k, (160, 162, 164))


def paint_plant(brush: Brush, x: float, y: float) -> None:
    """Paint a plant in a pot on the floor by the wall."""
    brush.shade([(x - 18, y - 4), (x + 18, y - 4), (x + 18, y + 5), (x - 18, y + 5)], 4, 0.35)
    brush.fill([(x - 11, y - 24), (x + 11, y - 24), (x + 8, y), (x - 8, y)], (170, 172, 176))
    for _ in range(26):
        lean = float(brush.rng.uniform(-1, 1))
        reach = float(brush.rng.uniform(26, 54))
        tip = (x + lean * 24, y - 22 - reach * (1 - 0.35 * abs(lean)))
        green = float(brush.rng.uniform(0.6, 1.15))
        colour = (int(52 * green), int(98 * green), int(66 * green))
        bend = (x + lean * 8, y - 26 - reach * 0.55)
        brush.fill([(x, y - 23), (bend[0] - 3.4, bend[1]), tip, (bend[0] + 3.4, bend[1])], colour)


def paint_door(brush: Brush, plan: Plan) -> Points:
    """Paint the shut door and return its opening."""
    left, right = plan.door_px
    floor_y = plan.view.y_px(0, plan.wall_z_m)
    top = plan.view.y_px(2.1, plan.wall_z_m)
    colour = pick(brush, DOORS)
    brush.rect(left - 5, top - 5, right + 5, floor_y, dim(colour, 0.72))
    brush.rect(left, top, right, floor_y, colour)
    brush.shade([(left, top), (left + 8, top), (left + 8, floor_y), (left, floor_y)], 3, 0.2)
    hinge, latch = (right, left) if plan.side < 0 else (left, right)
    pane = latch + (hinge - latch) * 0.24
    x1, x2 = sorted((pane, pane + (hinge - latch) * 0.2))
    brush.rect(x1, top + 26, x2, top + 84, (150, 150, 144))
    brush.line([(x1, top + 84), (x2, top + 26)], 0.8, (190, 190, 186), 0.6)
    handle = latch + (hinge - latch) * 0.09
    brush.rect(handle - 2, floor_y - 100, handle + 2, floor_y - 84, (196, 198, 200))
    # The reader of the access control, and the plate of the way out.
    reader = right + 12 if plan.side < 0 else left - 12
    brush.rect(reader - 4, floor_y - 112, reader + 4, floor_y - 96, (50, 50, 52))
    brush.rect(reader - 2, floor_y - 109, reader + 2, floor_y - 107, (90, 190, 90))
    middle = (left + right) / 2
    brush.rect(middle - 15, top - 22, middle + 15, top - 11, (70, 130, 60))
    brush.rect(middle - 10, top - 18, middle + 10, top - 15, (190, 226, 190))
    return [(left, top), (right, top), (right, floor_y), (left, floor_y)]


def paint_open_door(brush: Brush, plan: Plan, opening: Points) -> None:
    """Paint the corridor seen through the open door and the door's leaf at its edge."""
    (left, top), (right, bottom) = opening[0], opening[2]
    brush.rect(left, top, right, bottom, (146, 150, 150))
    brush.rect(left, bottom - 22, right, bottom, (104, 106, 108))
    brush.rect(left, bottom - 26, right, bottom - 22, (118, 122, 122))
    brush.shade([(left, top), (right, top), (right, top + 40), (left, top + 40)], 14, 0.18)
    hinge = right if plan.side < 0 else left
    inner = hinge - 13 if plan.side < 0 else hinge + 13
    leaf = [(hinge, top), (inner, top - 6), (inner, bottom + 10), (hinge, bottom)]
    brush.fill(leaf, (104, 118, 134))
    brush.line([(inner, top - 6), (inner, bottom + 10)], 1.2, (70, 80, 92))


def chair_polygon(plan: Plan, seat: Place) -> Points:
    """Return the outline of a chair's back."""
    x = plan.view.x_px(seat.x_m, CHAIR_Z_M)
    top, low = plan.view.y_px(1.0, CHAIR_Z_M), plan.view.y_px(0.4, CHAIR_Z_M)
    half = 0.26 * plan.view.scale(CHAIR_Z_M)
    return [(x - half + 7, top), (x + half - 7, top), (x + half, top + 8), (x + half - 2, low),
            (x - half + 2, low), (x - half, top + 8)]  # fmt: skip


def paint_chairs(brush: Brush, plan: Plan) -> None:
    """Paint the backs of the chairs."""
    colour = pick(brush, CHAIRS)
    for seat in plan.seats:
        outline = chair_polygon(plan, seat)
        brush.shade([(x + 3, y + 4) for x, y in outline], 6, 0.3)
        brush.fill(outline, colour)
        left, right = outline[0][0], outline[1][0]
        top = outline[0][1]
        brush.shade([(left + 4, top + 6), (right - 4, top + 6), (right - 8, top + 40),
                     (left + 8, top + 40)], 5, -0.35)  # fmt: skip
        brush.line([(left, top + 1), (right, top + 1)], 1.4, dim(colour, 1.7))


def table_polygons(plan: Plan) -> list[Points]:
    """Return the table's top and its front panel."""
    view = plan.view
    back_y = view.y_px(TABLE_HEIGHT_M, TABLE_BACK_Z_M)
    front_y = view.y_px(TABLE_HEIGHT_M, TABLE_FRONT_Z_M)
    ends = [view.x_m(x, TABLE_BACK_Z_M) for x in plan.table_px]
    near = [view.x_px(x_m, TABLE_FRONT_Z_M) for x_m in ends]
    top: Points = [(plan.table_px[0], back_y), (plan.table_px[1], back_y), (near[1], front_y),
                   (near[0], front_y)]  # fmt: skip
    front: Points = [(near[0], front_y), (near[1], front_y), (near[1], 400), (near[0], 400)]
    return [top, front]


def paint_table(brush: Brush, plan: Plan) -> None:
    """Paint the long table, its shadow, its grain and what lies on it."""
    wood = pick(brush, WOODS)
    top, front = table_polygons(plan)
    (left, back_y), (right, _), (_, front_y), (near_left, _) = top
    free = near_left if plan.side < 0 else top[2][0]
    brush.shade([(free - 26, front_y - 10), (free + 26, front_y - 10), (free + 26, 370),
                 (free - 26, 370)], 12, 0.35)  # fmt: skip
    down = np.linspace(0, 1, brush.height, dtype=np.float32)[:, None, None]
    grain = brush.grain(0.5, 26, 0.035)
    brush.fill(top, np.asarray(wood, np.float32) * grain * (1.62 - 0.5 * down))
    brush.fill(front, np.asarray(dim(wood, 0.66), np.float32) * grain)
    brush.shade([(left, back_y), (right, back_y), (right, back_y + 9), (left, back_y + 9)], 5, 0.3)
    brush.shade([(left, front_y - 22), (right, front_y - 22), (right, front_y - 4),
                 (left, front_y - 4)], 9, -0.12)  # fmt: skip
    brush.line([(near_left, front_y), (top[2][0], front_y)], 1.6, dim(wood, 1.75))
    brush.shade([(near_left, front_y + 2), (top[2][0], front_y + 2), (top[2][0], front_y + 9),
                 (near_left, front_y + 9)], 3, 0.3)  # fmt: skip
    for x in np.arange(min(near_left, top[2][0]) + 60, 660, 118):
        brush.line([(float(x), front_y + 4), (float(x), 360)], 1.1, dim(wood, 0.45), 0.7)
    for seat in plan.seats:
        paint_place_setting(brush, plan, seat)


def on_table(plan: Plan, x_m: float, z_m: float) -> tuple[float, float]:
    """Project a point of the table's surface."""
    return plan.view.x_px(x_m, z_m), plan.view.y_px(TABLE_HEIGHT_M, z_m)


def paint_sheet(
    brush: Brush, plan: Plan, centre: tuple[float, float], half: tuple[float, float],
    turn: float = 0.0, *, colour: Bgr, thick_px: float,
) -> None:  # fmt: skip
    """Paint a sheet or stack lying on the table (metres), with its edge and shadow."""
    corners: Points = []
    for dx, dz in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
        x, z = dx * half[0], dz * half[1]
        corners.append(on_table(plan, centre[0] + x * np.cos(turn) - z * np.sin(turn),
                                centre[1] + x * np.sin(turn) + z * np.cos(turn)))  # fmt: skip
    brush.shade([(x + 3, y + 2) for x, y in corners], 2.5, 0.3)
    brush.fill([corners[3], corners[2], corners[1], corners[0]], dim(colour, 0.72))
    brush.fill([(x, y - thick_px) for x, y in corners], colour)
    if thick_px > 1:
        (x1, y1), (x2, y2) = corners[3], corners[2]
        brush.fill([(x1, y1 - thick_px), (x2, y2 - thick_px), (x2, y2), (x1, y1)],
                   dim(colour, 0.78))  # fmt: skip


def paint_place_setting(brush: Brush, plan: Plan, seat: Place) -> None:
    """Lay papers, a folder, a cup and a name plate before a seat."""
    rng = brush.rng
    x_m = seat.x_m
    z_m = SEAT_Z_M - 0.62
    paper = (226, 230, 230)
    paint_sheet(brush, plan, (x_m + float(rng.uniform(-0.06, 0.04)), z_m), (0.105, 0.13),
                float(rng.uniform(-0.25, 0.25)), colour=paper, thick_px=1.0)  # fmt: skip
    if rng.random() < 0.75:
        paint_sheet(brush, plan, (x_m + 0.22, z_m - 0.05), (0.105, 0.14),
                    float(rng.uniform(-0.15, 0.15)), colour=pick(brush, FOLDERS),
                    thick_px=float(rng.uniform(2, 7)))  # fmt: skip
    if rng.random() < 0.5:
        paint_sheet(brush, plan, (x_m - 0.2, z_m - 0.16), (0.1, 0.13),
                    float(rng.uniform(-0.4, 0.4)), colour=(214, 222, 226),
                    thick_px=3.0)  # fmt: skip
    x, y = on_table(plan, x_m - 0.19, z_m + 0.12)
    brush.shade([(x - 4, y - 2), (x + 9, y - 2), (x + 9, y + 3), (x - 4, y + 3)], 2, 0.3)
    brush.fill([(x - 4.5, y - 12), (x + 4.5, y - 12), (x + 3.8, y), (x - 3.8, y)], (222, 224, 222))
    brush.fill([(x - 4.5, y - 13), (x + 4.5, y - 13), (x + 4, y - 11), (x - 4, y - 11)],
               (120, 130, 136))  # fmt: skip
    x, y = on_table(plan, x_m + 0.02, z_m - 0.24)
    brush.fill([(x - 15, y - 9), (x + 15, y - 9), (x + 17, y), (x - 17, y)], (216, 218, 220))
    brush.line([(x - 9, y - 5), (x + 9, y - 5)], 1.4, (90, 84, 92), 0.8)


def paint_corridor(brush: Brush, plan: Plan) -> None:
    """Paint a corridor seen from its side: doors with plates, rail, glossy floor."""
    wall = pick(brush, WALLS)
    floor = pick(brush, FLOORS)
    view, z_m = plan.view, plan.wall_z_m
    floor_y = view.y_px(0, z_m)
    down = np.linspace(0, 1, brush.height, dtype=np.float32)[:, None, None]
    brush.picture[:] = np.asarray(wall, np.float32)
    brush.picture *= brush.grain(2, 2, 0.006) * (1.05 - 0.14 * down)
    rail = view.y_px(1.05, z_m)
    brush.fill([(0, rail), (640, rail), (640, floor_y), (0, floor_y)], dim(wall, 0.86))
    brush.rect(0, rail - 2, 640, rail + 1.5, dim(wall, 0.68))
    brush.fill([(0, floor_y), (640, floor_y), (640, 360), (0, 360)],
               np.asarray(floor, np.float32) * brush.grain(0.4, 1.5, 0.015)
               * (0.98 + 0.2 * down))  # fmt: skip
    paint_floor_lines(brush, plan, dim(floor, 0.88))
    brush.rect(0, floor_y - 10, 640, floor_y, dim(wall, 0.55))
    brush.shade([(0, floor_y), (640, floor_y), (640, floor_y + 16), (0, floor_y + 16)], 8, 0.25)
    colour = pick(brush, DOORS)
    shift = float(brush.rng.uniform(-30, 30))
    for x in (88 + shift, 330 + shift, 566 + shift):
        paint_corridor_door(brush, plan, x, colour)
    for x in (206 + shift, 448 + shift):
        brush.shade([(x - 30, -30), (x + 30, -30), (x + 78, 150), (x - 78, 150)], 26, -0.1)
        brush.shade([(x - 40, floor_y + 24), (x + 40, floor_y + 24), (x + 60, 350), (x - 60, 350)],
                    20, -0.12)  # fmt: skip
    paint_plant(brush, 208 + shift, floor_y + 8)
    x = 452 + shift
    drop_shadow(brush, x - 15, 112, x + 15, 154)
    brush.rect(x - 15, 112, x + 15, 154, (52, 52, 150))
    brush.rect(x - 12, 115, x + 12, 151, (200, 204, 206))
    brush.rect(x - 3, 122, x + 3, 148, (56, 56, 166))


def paint_corridor_door(brush: Brush, plan: Plan, x: float, colour: Bgr) -> None:
    """Paint one room's door, its plate, its lamp and its reflection in the floor."""
    scale = plan.view.scale(plan.wall_z_m)
    half = 0.47 * scale
    floor_y = plan.view.y_px(0, plan.wall_z_m)
    top = plan.view.y_px(2.1, plan.wall_z_m)
    brush.rect(x - half - 6, top - 6, x + half + 6, floor_y, dim(colour, 0.7))
    brush.rect(x - half, top, x + half, floor_y, colour)
    brush.rect(x - half + 14, top + 30, x - half + 30, top + 100, (146, 148, 142))
    brush.rect(x + half - 12, floor_y - 118, x + half - 8, floor_y - 98, (198, 200, 202))
    brush.rect(x + half + 14, floor_y - 176, x + half + 44, floor_y - 158, (150, 120, 84))
    brush.rect(x + half + 18, floor_y - 170, x + half + 38, floor_y - 167, (232, 234, 234))
    brush.rect(x + half + 20, floor_y - 130, x + half + 29, floor_y - 112, (48, 48, 50))
    brush.rect(x + half + 22, floor_y - 127, x + half + 27, floor_y - 124, (60, 60, 190))
    brush.shade([(x - half, floor_y + 4), (x + half, floor_y + 4), (x + half, floor_y + 50),
                 (x - half, floor_y + 50)], 10, 0.10)  # fmt: skip
