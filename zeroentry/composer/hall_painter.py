"""Puts people into the empty hall as one camera sees it, and says how much of each can be seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan2, cos, degrees, hypot, log, radians, sin
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.bodies import Posture, crowd_look, figure, head_turn, is_body
from zeroentry.composer.geometry import BASE_WIDTH_PX, SEAT_LOWER_M, Place
from zeroentry.composer.hall import NEAR_M, Hall, Lens
from zeroentry.composer.hall_backdrop import HallPicture, hall_picture
from zeroentry.composer.model import Box, Pose, Scene
from zeroentry.composer.painter import (
    NOISE_SPARE_PX,
    SIZE_STEP,
    STEP_MS,
    VISIBLE_ALPHA,
    darken,
    fidget_of,
    soft_ellipse,
    stretched,
)
from zeroentry.composer.people import (
    AXIS_UNITS,
    BODY_WIDTH_UNITS,
    PX_PER_UNIT,
    SOLE_UNITS,
    UNIT_M,
    WALK_PHASES,
    Look,
    dressed,
    turned,
)
from zeroentry.composer.pixels import Image, Mask, Sprite, blend
from zeroentry.composer.robot import MARGIN_M, PX_PER_M, robot_sprite
from zeroentry.composer.timeline import ActorTimeline

DOOR_OPEN_M = 1.2
HIP_UNITS = 900  # head and trunk end here: what a seated person shows of himself
AWAY_DEG = 110.0  # who looks away from the camera by more than this shows the back of the head
MAX_SIZED_SPRITES = 500
PLACE_STEP_M = 0.05  # who hides whom is worked out once for each such square of the floor
MAX_MASKS = 600
WALK_TURNS = 12  # 6 sprites of a step of the portraits, 4 of the bodies: both go round in 12


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands on the floor or a table: width, height, depth of its place, colour."""

    id: str
    x_m: float
    z_m: float
    bottom_m: float
    width_m: float
    height_m: float
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Robot:
    """The delivery robot at a place of the floor."""

    x_m: float
    z_m: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """One person's part of a picture; ``upper_px``: head and trunk if nothing hid them."""

    actor: ActorTimeline
    shown: Sprite
    left: int
    top: int
    upper_px: float
    upper_bottom: int


@dataclass(frozen=True, slots=True)
class Posed:
    """How a person is held and from which side seen; ``turn``: of a walk, or of the head."""

    posture: Posture
    yaw_deg: float
    turn: int


@dataclass(frozen=True, slots=True)
class Held:
    """How a sprite is held: its pin, where the pin goes, its stretch across and up, its lean."""

    pin: tuple[float, float]
    foot: tuple[float, float]
    stretch: tuple[float, float]
    lean: float


class HallPainter:
    """Draws one hall through one lens. Holds only what can be computed again."""

    def __init__(self, hall: Hall, lens: Lens, scene: Scene, *, noise_sigma: float = 3.0) -> None:
        """Paint the empty hall and the noise. ``scene`` gives size and seed of colours."""
        self.hall = hall
        self.lens = lens
        self.scene = scene
        self.zoom = scene.size_px[0] / BASE_WIDTH_PX
        self.backdrop: HallPicture = hall_picture(hall, lens, scene)
        self._blocks = (*hall.tables, *(chair.back for chair in hall.chairs))
        self._sized: OrderedDict[tuple[int, Look, Posed], Sprite] = OrderedDict()
        self._hidden: dict[tuple[int, int], tuple[int, ...]] = {}
        self._masks: dict[tuple[int, ...], Mask] = {}
        self._pool = soft_ellipse()
        self._robot = robot_sprite()
        self._noise = _noise_tiles(scene, noise_sigma)

    def draw(
        self,
        actors: Sequence[ActorTimeline],
        t_ms: int,
        *,
        things: Sequence[Thing] = (),
        robot: Robot | None = None,
    ) -> Image:
        """The picture at a time (HxWx3, blue first), without noise."""
        placed = self._placed(actors, t_ms)
        image = (self.backdrop.open if self._door_open(placed) else self.backdrop.shut).copy()
        rows: list[tuple[float, object]] = [
            (self.lens.seen(place.x_m, place.z_m)[1], (actor, place)) for actor, place in placed
        ]
        rows += [(self.lens.seen(one.x_m, one.z_m)[1], one) for one in things]
        if robot is not None:
            rows.append((self.lens.seen(robot.x_m, robot.z_m)[1], robot))
        rows.sort(key=lambda row: -row[0])
        for _, row in rows:
            match row:
                case Thing():
                    self._draw_thing(image, row)
                case Robot():
                    self._draw_robot(image, row)
                case (ActorTimeline() as actor, Place() as place):
                    drawn = self._sprite_of(actor, place, t_ms, shadow_on=image)
                    if drawn is not None:
                        blend(image, drawn.shown, drawn.left, drawn.top)
        return image

    def add_noise(self, image: Image, t_ms: int) -> None:
        """Add a frame's noise, in place: one tile, shifted by the time."""
        draw = (t_ms * 2654435761 + self.scene.seed * 40503 + 12345) & 0xFFFFFFFF
        draw ^= draw >> 15
        top, left = (draw >> 3) % NOISE_SPARE_PX, (draw >> 11) % NOISE_SPARE_PX
        height, width = image.shape[:2]
        part = np.s_[top : top + height, left : left + width]
        cv2.add(image, self._noise[0][part], dst=image)
        cv2.subtract(image, self._noise[1][part], dst=image)

    def shares(self, actors: Sequence[ActorTimeline], t_ms: int) -> Mapping[str, float]:
        """How much of each person's head and trunk can be seen (0..1), others in front counted."""
        height, width = self.scene.size_px[1], self.scene.size_px[0]
        owner = np.zeros((height, width), np.uint8)
        drawn: list[Drawn] = []
        placed = self._placed(actors, t_ms)
        placed.sort(key=lambda pair: -self.lens.seen(pair[1].x_m, pair[1].z_m)[1])
        for actor, place in placed:
            one = self._sprite_of(actor, place, t_ms)
            if one is None:
                continue
            drawn.append(one)
            solid = one.shown[..., 3] > VISIBLE_ALPHA
            part = owner[
                one.top : one.top + one.shown.shape[0], one.left : one.left + one.shown.shape[1]
            ]
            part[solid] = len(drawn)
        out = {actor.id: 0.0 for actor, _ in placed}
        for number, one in enumerate(drawn, 1):
            seen = owner[
                one.top : min(one.upper_bottom, height),
                one.left : one.left + one.shown.shape[1],
            ]
            out[one.actor.id] = min(cv2.countNonZero((seen == number).astype(np.uint8))
                                    / max(one.upper_px, 1.0), 1.0)  # fmt: skip
        return out

    def boxes(self, actors: Sequence[ActorTimeline], t_ms: int) -> Mapping[str, Box]:
        """The rectangle of what furniture and frame leave of each person, in pixels."""
        out: dict[str, Box] = {}
        for actor, place in self._placed(actors, t_ms):
            one = self._sprite_of(actor, place, t_ms)
            if one is None:
                continue
            x, y, width, height = cv2.boundingRect((one.shown[..., 3] > VISIBLE_ALPHA)
                                                   .astype(np.uint8))  # fmt: skip
            if width and height:
                left, top = one.left + x, one.top + y
                out[actor.id] = Box(left, top, left + width, top + height)
        return out

    def door_box(self) -> Box | None:
        """The rectangle of the door's opening in the picture; None where it cannot be seen."""
        x, y, width, height = cv2.boundingRect(self.backdrop.through_door)
        return Box(x, y, x + width, y + height) if width and height else None

    def _placed(
        self, actors: Sequence[ActorTimeline], t_ms: int
    ) -> list[tuple[ActorTimeline, Place]]:
        found = [(actor, actor.place(t_ms)) for actor in actors]
        return [(actor, place) for actor, place in found if place is not None]

    def _door_open(self, placed: Sequence[tuple[ActorTimeline, Place]]) -> bool:
        door = self.hall.door
        return any(
            hypot(place.x_m - door.x_m, place.z_m - door.z_m) < DOOR_OPEN_M for _, place in placed
        )

    def _mask(self, place: Place) -> Mask | None:
        """Where a person at a place can be seen (255), None for everywhere."""
        if not self.hall.inside(place):
            return self._combined((-1,))
        key = (round(place.x_m / PLACE_STEP_M), round(place.z_m / PLACE_STEP_M))
        hidden = self._hidden.get(key)
        if hidden is None:
            hidden = tuple(
                index
                for index, block in enumerate(self._blocks)
                if any(block.hides(self.lens, place.x_m + dx, place.z_m) for dx in (-0.2, 0, 0.2))
            )
            self._hidden[key] = hidden
        return self._combined(hidden) if hidden else None

    def _combined(self, key: tuple[int, ...]) -> Mask:
        found = self._masks.get(key)
        if found is not None:
            return found
        if key == (-1,):
            mask = self.backdrop.through_door.copy()
        else:
            mask = np.full(self.backdrop.through_door.shape, 255, np.uint8)
        everything = range(len(self._blocks)) if key == (-1,) else key
        for index in everything:
            mask &= ~self.backdrop.blocks[index]
        if len(self._masks) >= MAX_MASKS:
            self._masks.clear()
        self._masks[key] = mask
        return mask

    def _yaw_deg(self, actor: ActorTimeline, place: Place, t_ms: int) -> float:
        """How far a person is turned from looking at this camera: 0 to it, 90 to the right."""
        face_x, face_z = 0.0, -1.0
        if place.lowered > 0:
            for chair in self.hall.chairs:
                if abs(chair.seat.x_m - place.x_m) + abs(chair.seat.z_m - place.z_m) < 0.1:
                    face_x, face_z = chair.facing
        elif actor.pose(t_ms) is Pose.WALKING:
            step = actor.step_at(t_ms)
            if step is not None:
                face_x, face_z = step.goal.x_m - step.origin.x_m, step.goal.z_m - step.origin.z_m
        turn = radians(self.lens.yaw_deg)
        across = face_x * cos(turn) - face_z * sin(turn)
        depth = face_x * sin(turn) + face_z * cos(turn)
        ray = self.lens.seen(place.x_m, place.z_m)
        yaw = degrees(atan2(across, -depth) - atan2(-ray[0], ray[1]))
        return (round(yaw / 45) * 45 + 180) % 360 - 180

    def _whole(self, look: Look, held: Posed) -> Sprite:
        if is_body(look):
            return figure(look, held.posture, held.yaw_deg, held.turn)
        phase = None
        if held.posture is Posture.WALK:
            phase = held.turn % WALK_PHASES
        away = abs(held.yaw_deg) > AWAY_DEG
        return turned(look, phase) if away else dressed(look, phase)

    def _sized_sprite(self, look: Look, held: Posed, factor: float) -> tuple[Sprite, float]:
        step = round(log(factor) / SIZE_STEP)
        size = float(np.exp(step * SIZE_STEP))
        key = (step, look, held)
        found = self._sized.get(key)
        if found is not None:
            self._sized.move_to_end(key)
            return found, size
        whole = self._whole(look, held)
        goal = (max(1, round(whole.shape[1] * size)), max(1, round(whole.shape[0] * size)))
        small = cv2.resize(whole, goal, interpolation=cv2.INTER_AREA).astype(np.float32)
        small[..., :3] *= np.asarray(self.backdrop.light, np.float32) * 0.94
        found = np.clip(small, 0, 255).astype(np.uint8)
        self._sized[key] = found
        if len(self._sized) > MAX_SIZED_SPRITES:
            self._sized.popitem(last=False)
        return found, size

    def _posed(self, actor: ActorTimeline, place: Place, t_ms: int) -> Posed:
        yaw_deg = self._yaw_deg(actor, place, t_ms)
        if actor.pose(t_ms) is Pose.WALKING:
            return Posed(Posture.WALK, yaw_deg, int(t_ms * WALK_PHASES / STEP_MS) % WALK_TURNS)
        if place.lowered > 0:
            return Posed(Posture.SIT, yaw_deg, head_turn(self.scene.seed, actor.number, t_ms))
        return Posed(Posture.STAND, yaw_deg, 0)

    def _sprite_of(
        self, actor: ActorTimeline, place: Place, t_ms: int, *, shadow_on: Image | None = None
    ) -> Drawn | None:
        """One person as this camera sees him; None when nothing of him is in the picture."""
        depth = self.lens.seen(place.x_m, place.z_m)[1]
        if depth < 2 * NEAR_M:
            return None
        pose = actor.pose(t_ms)
        moves = fidget_of(self.scene.seed, actor.number, pose, t_ms)
        look = crowd_look(self.scene.seed, actor.number, actor.vest)
        metre_px = self.lens.focal_px / depth * self.zoom
        factor = metre_px * UNIT_M / PX_PER_UNIT * look.height
        sprite, size = self._sized_sprite(look, self._posed(actor, place, t_ms), factor)
        stretch = factor * moves.grow / size
        foot = self.lens.px(place.x_m, -place.lowered * SEAT_LOWER_M * look.height, place.z_m)
        foot_x = foot[0] * self.zoom + moves.x_m * metre_px
        foot_y = foot[1] * self.zoom - moves.y_m * metre_px
        if place.lowered <= 0 and shadow_on is not None and self.hall.inside(place):
            self._shade_floor(shadow_on, foot_x, foot_y, metre_px)
        axis = AXIS_UNITS if not look.mirrored else BODY_WIDTH_UNITS - AXIS_UNITS
        pin_x, pin_y = axis * PX_PER_UNIT * size, SOLE_UNITS * PX_PER_UNIT * size
        wide = stretch * look.breadth
        lean = radians(moves.lean_deg)
        upper_bottom = foot_y - (SOLE_UNITS - HIP_UNITS) * PX_PER_UNIT * size * stretch
        if place.lowered > 0:  # who sits leans about the seat, not about the feet
            pin_y *= 0.55
            foot_y -= pin_y * 0.45 / 0.55 * stretch
        held = Held((pin_x, pin_y), (foot_x, foot_y), (wide, stretch), lean)
        placed = self._warped(sprite, held, place)
        if placed is None:
            return None
        hip = round(HIP_UNITS * PX_PER_UNIT * size)
        upper = cv2.countNonZero((sprite[:hip, :, 3] > VISIBLE_ALPHA).astype(np.uint8))
        shown, left, top = placed
        return Drawn(actor, shown, left, top, upper * wide * stretch, round(upper_bottom))

    def _warped(self, sprite: Sprite, held: Held, place: Place) -> tuple[Sprite, int, int] | None:
        """A sprite as it is held, cut by furniture and frame, and where it lies; None: nowhere."""
        (wide, high), lean = held.stretch, held.lean
        (pin_x, pin_y), (foot_x, foot_y) = held.pin, held.foot
        frame_w, frame_h = self.scene.size_px
        half = pin_x * wide * 1.25 + 4
        top = max(0, int(foot_y - pin_y * high * 1.06 - 4))
        bottom = min(frame_h, int(foot_y + (sprite.shape[0] - pin_y) * high + 4))
        left, right = max(0, int(foot_x - half)), min(frame_w, int(foot_x + half))
        if left >= right or top >= bottom:
            return None
        a, b, c, d = wide * cos(lean), -high * sin(lean), wide * sin(lean), high * cos(lean)
        matrix = np.array(
            [
                [a, b, foot_x - left - a * pin_x - b * pin_y],
                [c, d, foot_y - top - c * pin_x - d * pin_y],
            ]
        )
        shown = cast(
            Sprite,
            cv2.warpAffine(sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR),
        )
        mask = self._mask(place)
        if mask is not None:
            shown = cast(Sprite, cv2.bitwise_and(shown, shown, mask=mask[top:bottom, left:right]))
        return shown, left, top

    def _shade_floor(self, image: Image, x: float, y: float, metre_px: float) -> None:
        size = (max(4, int(0.85 * metre_px)), max(3, int(0.2 * metre_px)))
        darken(image, stretched(self._pool, size), int(x - size[0] / 2), int(y - size[1] * 0.62),
               0.5)  # fmt: skip

    def _draw_thing(self, image: Image, thing: Thing) -> None:
        """Draw a bag, folder or phone as a shaded upright figure with a shadow."""
        depth = self.lens.seen(thing.x_m, thing.z_m)[1]
        if depth < 2 * NEAR_M:
            return
        metre_px = self.lens.focal_px / depth * self.zoom
        x, y = self.lens.px(thing.x_m, thing.bottom_m, thing.z_m)
        x, y = x * self.zoom, y * self.zoom
        width, height = thing.width_m * metre_px, thing.height_m * metre_px
        pool = stretched(self._pool, (max(4, int(width * 1.5)), max(3, int(width * 0.5))))
        darken(image, pool, int(x - width * 0.75), int(y - width * 0.3), 0.5)
        part = np.zeros((max(2, round(height)), max(2, round(width)), 4), np.uint8)
        rows = np.linspace(1.15, 0.7, part.shape[0], dtype=np.float32)[:, None, None]
        part[..., :3] = np.clip(np.asarray(thing.colour, np.float32) * rows, 0, 255)
        part[..., 3] = 255
        blend(image, part, round(x - width / 2), round(y - height))

    def _draw_robot(self, image: Image, robot: Robot) -> None:
        depth = self.lens.seen(robot.x_m, robot.z_m)[1]
        if depth < 2 * NEAR_M:
            return
        metre_px = self.lens.focal_px / depth * self.zoom
        size = metre_px / PX_PER_M
        shown = cast(
            Sprite,
            cv2.resize(self._robot, None, fx=size, fy=size, interpolation=cv2.INTER_AREA),
        )
        x, y = self.lens.px(robot.x_m, 0, robot.z_m)
        x, y = x * self.zoom, y * self.zoom
        pool = stretched(self._pool, (max(4, int(metre_px)), max(3, int(0.2 * metre_px))))
        darken(image, pool, int(x - pool.shape[1] / 2), int(y - pool.shape[0] / 2), 0.55)
        foot = round(y + MARGIN_M * metre_px)
        blend(image, shown, round(x - shown.shape[1] / 2), foot - shown.shape[0])


def _noise_tiles(scene: Scene, sigma: float) -> tuple[Image, Image]:
    """What to add and what to take away: one normal noise, larger than a frame."""
    width, height = scene.size_px
    rng = np.random.default_rng((scene.seed, 47))
    shape = (height + NOISE_SPARE_PX, width + NOISE_SPARE_PX, 3)
    noise = rng.normal(0, sigma, shape).round()
    up = np.clip(noise, 0, 255).astype(np.uint8)
    return up, np.clip(-noise, 0, 255).astype(np.uint8)
