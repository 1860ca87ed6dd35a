"""Puts people into the empty picture: sprites in order of depth, shadows, noise, and the truth."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from math import cos, log, radians, sin
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.backdrop import backdrop_of
from zeroentry.composer.geometry import (
    BASE_WIDTH_PX,
    CHAIR_Z_M,
    CORRIDOR_ROBOT_Z_M,
    SEAT_LOWER_M,
    TABLE_BACK_Z_M,
    TABLE_FRONT_Z_M,
    TABLE_HEIGHT_M,
    Place,
    plan_of,
)
from zeroentry.composer.model import Box, Frame, PersonTruth, Pose, Scene, SceneKind, Script, Vest
from zeroentry.composer.osd import burn_in
from zeroentry.composer.people import (
    AXIS_UNITS,
    BODY_WIDTH_UNITS,
    PX_PER_UNIT,
    SOLE_UNITS,
    UNIT_M,
    WALK_PHASES,
    dressed,
    look_of,
)
from zeroentry.composer.pixels import Floats, Image, Mask, Sprite, blend
from zeroentry.composer.robot import MARGIN_M, PX_PER_M, ROBOT_HEIGHT_M, robot_sprite
from zeroentry.composer.timeline import FIRST_VISITOR, ActorTimeline, Cast, cast_of

NOISE_SIGMA = 3.0  # of 255: a dome camera in a lit room
NOISE_SPARE_PX = 64  # each frame takes another part of one noise tile; room to shift it
SIZE_STEP = 0.04  # sprites are kept at sizes 4 % apart and stretched between
MAX_SIZED_SPRITES = 400  # 6 people walking through all depths; about 60 kB each
VISIBLE_ALPHA = 96
MIN_VISIBLE_PX = 160  # of a 640x360 frame; less is a sleeve in the doorway, not a person
DOOR_OPEN_M = 1.3  # the door stands open while somebody is this near to it
STEP_MS = 1000  # one double step of a walk


@dataclass(frozen=True, slots=True)
class Fidget:
    """Small movements of one person at one time: metres, degrees, growth."""

    x_m: float
    y_m: float
    lean_deg: float
    grow: float


@lru_cache(maxsize=128)
def habits(seed: int, number: int) -> tuple[tuple[float, float], ...]:
    """Return frequency (Hz) and phase of this person's five restless movements."""
    rng = np.random.default_rng((seed, number, 23))
    slow = (0.11, 0.23, 0.17, 0.07, 0.05)
    return tuple(
        (float(f * rng.uniform(0.8, 1.25)), float(rng.uniform(0, 2 * np.pi))) for f in slow
    )


def fidget_of(seed: int, number: int, pose: Pose, t_ms: int) -> Fidget:
    """Return how a person sways; who sits moves on the seat, now and then leans forward."""
    if pose is Pose.WALKING:
        bob = abs(sin(2 * 3.14159 * t_ms / STEP_MS))
        return Fidget(0.0, 0.018 * bob, 1.2 * sin(2 * 3.14159 * t_ms / STEP_MS), 1.0)
    waves = [sin(2 * 3.14159 * f * t_ms / 1000 + phase) for f, phase in habits(seed, number)]
    part = 1.0 if pose is Pose.SEATED else 0.5
    forward = max(0.0, waves[4] - 0.6) * 2.5
    return Fidget(
        x_m=part * (0.016 * waves[0] + 0.010 * waves[1]),
        y_m=part * (0.008 * waves[2] - 0.03 * forward),
        lean_deg=part * (1.3 * waves[3] + 0.8 * waves[1]),
        grow=1 + part * (0.008 * waves[2] + 0.025 * forward),
    )


class Painter:
    """Draws one scene. Holds only what can be computed again: backdrop, noise, sized sprites."""

    def __init__(self, scene: Scene) -> None:
        """Paint the empty scene and the noise."""
        self.scene = scene
        self.plan = plan_of(scene)
        self.zoom = scene.size_px[0] / BASE_WIDTH_PX
        self.backdrop = backdrop_of(scene, self.plan)
        self._sized: OrderedDict[tuple[int, object, int], Sprite] = OrderedDict()
        self._noise_up, self._noise_down = self._noise_tiles()
        self._robot = self._sized_robot()
        self._pool = soft_ellipse()

    def draw(self, cast_: Cast, t_ms: int, utc_text: str) -> Frame:
        """Return the frame at t_ms."""
        placed = [
            (place, actor) for actor in cast_.actors if (place := actor.place(t_ms)) is not None
        ]
        placed.sort(key=lambda pair: -pair[0].z_m)
        image = self._empty(placed).copy()
        truth: list[PersonTruth] = []
        robot = self._robot_box(cast_, t_ms)
        for place, actor in placed:
            if robot is not None and place.z_m < CORRIDOR_ROBOT_Z_M:
                self._draw_robot(image, robot)
                robot = None
            person = self._draw_person(image, actor, place, t_ms)
            if person is not None:
                truth.append(person)
        if robot is not None:
            self._draw_robot(image, robot)
        self._shade_table(image, placed)
        self._add_noise(image, t_ms)
        burn_in(image, self.scene.label, utc_text)
        box = self._robot_box(cast_, t_ms)
        return Frame(image, tuple(sorted(truth, key=lambda p: p.id)), self._clipped(box))

    def dress_cast(self) -> None:
        """Dress the experts of all seats and the first visitor, with each vest, in all steps."""
        wardrobe = [(number, Vest.RED) for number in range(1, len(self.plan.seats) + 1)]
        wardrobe += [(FIRST_VISITOR, vest) for vest in Vest]
        for number, vest in wardrobe:
            look = look_of(self.scene.seed, number, vest)
            for phase in (None, *range(WALK_PHASES)):
                dressed(look, phase)

    def _empty(self, placed: list[tuple[Place, ActorTimeline]]) -> Image:
        """Return the backdrop with the door as it must be."""
        if self.scene.kind is SceneKind.CORRIDOR:
            return self.backdrop.shut
        view, wall_z_m = self.plan.view, self.plan.wall_z_m
        door_m = view.x_m(sum(self.plan.door_px) / 2, wall_z_m)
        for place, _ in placed:
            near = place.z_m > wall_z_m - DOOR_OPEN_M and abs(place.x_m - door_m) < DOOR_OPEN_M
            if near and place not in self.plan.stands:
                return self.backdrop.open
        return self.backdrop.shut

    def _mask_at(self, z_m: float) -> Mask | None:
        """Return where a person at this depth can be seen, None for everywhere."""
        if self.scene.kind is SceneKind.CORRIDOR or z_m <= TABLE_FRONT_Z_M:
            return None
        if z_m > self.plan.wall_z_m:
            return self.backdrop.past_door
        return self.backdrop.past_chairs if z_m > CHAIR_Z_M else self.backdrop.past_table

    def _sprite(
        self, actor: ActorTimeline, phase: int | None, factor: float
    ) -> tuple[Sprite, float]:
        """Return the person at about this size and the size it has (pixels a sprite pixel)."""
        step = round(log(factor) / SIZE_STEP)
        look = look_of(self.scene.seed, actor.number, actor.vest)
        key = (step, look, -1 if phase is None else phase)
        size = float(np.exp(step * SIZE_STEP))
        found = self._sized.get(key)
        if found is None:
            whole = dressed(look, phase)
            goal = (max(1, round(whole.shape[1] * size)), max(1, round(whole.shape[0] * size)))
            small = cv2.resize(whole, goal, interpolation=cv2.INTER_AREA).astype(np.float32)
            small[..., :3] *= np.asarray(self.backdrop.light, np.float32) * 0.94
            found = np.clip(small, 0, 255).astype(np.uint8)
            self._sized[key] = found
            if len(self._sized) > MAX_SIZED_SPRITES:
                self._sized.popitem(last=False)
        else:
            self._sized.move_to_end(key)
        return found, size

    def _draw_person(
        self, image: Image, actor: ActorTimeline, place: Place, t_ms: int
    ) -> PersonTruth | None:
        """Draw one person; return the truth, None when (nearly) nothing can be seen."""
        pose = actor.pose(t_ms)
        moves = fidget_of(self.scene.seed, actor.number, pose, t_ms)
        look = look_of(self.scene.seed, actor.number, actor.vest)
        view, zoom = self.plan.view, self.zoom
        metre_px = view.scale(place.z_m) * zoom
        factor = metre_px * UNIT_M / PX_PER_UNIT * look.height
        phase = None
        if pose is Pose.WALKING:
            phase = int(t_ms * WALK_PHASES / STEP_MS) % WALK_PHASES
        sprite, size = self._sprite(actor, phase, factor)
        stretch = factor * moves.grow / size
        axis = AXIS_UNITS if not look.mirrored else BODY_WIDTH_UNITS - AXIS_UNITS
        foot_x = (view.x_px(place.x_m, place.z_m)) * zoom + moves.x_m * metre_px
        lowered_m = place.lowered * SEAT_LOWER_M * look.height
        foot_y = view.y_px(-lowered_m, place.z_m) * zoom - moves.y_m * metre_px
        if place.lowered <= 0:
            self._shade_floor(image, foot_x, view.y_px(0, place.z_m) * zoom, metre_px)
        lean = radians(moves.lean_deg)
        wide, high = stretch * look.breadth, stretch
        a, b = wide * cos(lean), -high * sin(lean)
        c, d = wide * sin(lean), high * cos(lean)
        pin_x, pin_y = axis * PX_PER_UNIT * size, SOLE_UNITS * PX_PER_UNIT * size
        if place.lowered > 0:  # who sits leans about the seat, not about the feet
            pin_y *= 0.55
            foot_y -= pin_y * 0.45 / 0.55 * high
        frame_h, frame_w = image.shape[:2]
        half = pin_x * wide * 1.25 + 4
        top = max(0, int(foot_y - pin_y * high * 1.06 - 4))
        bottom = min(frame_h, int(foot_y + (sprite.shape[0] - pin_y) * high + 4))
        if place.lowered > 0 and place.z_m > TABLE_BACK_Z_M:
            table_y = int(view.y_px(TABLE_HEIGHT_M, TABLE_BACK_Z_M) * zoom) + 3
            bottom = min(bottom, table_y)
        left, right = max(0, int(foot_x - half)), min(frame_w, int(foot_x + half))
        if left >= right or top >= bottom:
            return None
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
        mask = self._mask_at(place.z_m)
        if mask is not None:
            shown = cast(Sprite, cv2.bitwise_and(shown, shown, mask=mask[top:bottom, left:right]))
        blend(image, shown, left, top)
        solid_px = cv2.countNonZero((sprite[..., 3] > VISIBLE_ALPHA).astype(np.uint8))
        return self._truth(
            actor, pose, shown, (left, top), t_ms, place, full_px=solid_px * wide * high
        )

    def _truth(
        self, actor: ActorTimeline, pose: Pose, shown: Sprite, at: tuple[int, int], t_ms: int,
        place: Place, *, full_px: float,
    ) -> PersonTruth | None:  # fmt: skip
        """Measure what was drawn, against the pixels that the person has when nothing hides any."""
        solid = (shown[..., 3] > VISIBLE_ALPHA).astype(np.uint8)
        visible_px = cv2.countNonZero(solid)
        if visible_px < MIN_VISIBLE_PX * self.zoom**2:
            return None
        x, y, width, height = cv2.boundingRect(solid)
        box = Box(at[0] + x, at[1] + y, at[0] + x + width, at[1] + y + height)
        frame_w = self.scene.size_px[0]
        whole = box.x1 > 0 and box.x2 < frame_w and place.z_m <= self.plan.wall_z_m
        steady = whole and not actor.moving(t_ms)
        return PersonTruth(
            actor.id, actor.role, actor.vest, pose, box, visible_px >= full_px / 2, steady
        )

    def _shade_floor(self, image: Image, x: float, y: float, metre_px: float) -> None:
        """Lay the shadow of a standing person on the floor."""
        size = (max(4, int(0.85 * metre_px)), max(3, int(0.2 * metre_px)))
        pool = stretched(self._pool, size)
        darken(image, pool, int(x - size[0] / 2), int(y - size[1] * 0.62), 0.5)

    def _shade_table(self, image: Image, placed: list[tuple[Place, ActorTimeline]]) -> None:
        """Lay the reflection of each seated person on the table before him."""
        for place, _ in placed:
            if place.lowered < 0.5:
                continue
            metre_px = self.plan.view.scale(TABLE_BACK_Z_M) * self.zoom
            x = self.plan.view.x_px(place.x_m, TABLE_BACK_Z_M) * self.zoom
            y = self.plan.view.y_px(TABLE_HEIGHT_M, TABLE_BACK_Z_M) * self.zoom
            size = (int(0.72 * metre_px), int(0.34 * metre_px))
            pool = stretched(self._pool, size)
            below = pool[size[1] // 2 :]
            darken(image, below, int(x - size[0] / 2), round(y), 0.42 * place.lowered)

    def _sized_robot(self) -> Sprite:
        """Return the robot at the size that it has in this picture."""
        size = self.plan.view.scale(CORRIDOR_ROBOT_Z_M) * self.zoom / PX_PER_M
        return cast(
            Sprite,
            cv2.resize(robot_sprite(), None, fx=size, fy=size, interpolation=cv2.INTER_AREA),
        )

    def _robot_box(self, cast_: Cast, t_ms: int) -> Box | None:
        """Return where the robot is, on and off the picture."""
        if cast_.robot is None or self.scene.kind is not SceneKind.CORRIDOR:
            return None
        progress = cast_.robot.progress(t_ms)
        if progress is None:
            return None
        metre_px = self.plan.view.scale(CORRIDOR_ROBOT_Z_M) * self.zoom
        height, width = self._robot.shape[:2]
        left = round(progress * (self.scene.size_px[0] + width)) - width
        bottom = round(self.plan.view.y_px(0, CORRIDOR_ROBOT_Z_M) * self.zoom + MARGIN_M * metre_px)
        return Box(left, bottom - height, left + width, bottom)

    def _draw_robot(self, image: Image, box: Box) -> None:
        """Draw the robot and its shadow."""
        metre_px = self.plan.view.scale(CORRIDOR_ROBOT_Z_M) * self.zoom
        size = (int(1.0 * metre_px), int(0.2 * metre_px))
        pool = stretched(self._pool, size)
        middle = (box.x1 + box.x2) // 2
        foot = round(box.y1 + (ROBOT_HEIGHT_M + MARGIN_M) * metre_px)
        darken(image, pool, middle - size[0] // 2, foot - size[1] // 2, 0.55)
        blend(image, self._robot, box.x1, box.y1)

    def _clipped(self, box: Box | None) -> Box | None:
        """Return the part of a box that lies in the picture."""
        if box is None:
            return None
        width, height = self.scene.size_px
        cut = Box(max(box.x1, 0), max(box.y1, 0), min(box.x2, width), min(box.y2, height))
        return cut if cut.x1 < cut.x2 and cut.y1 < cut.y2 else None

    def _noise_tiles(self) -> tuple[Image, Image]:
        """Return what to add and what to take away: one normal noise, larger than a frame."""
        width, height = self.scene.size_px
        rng = np.random.default_rng((self.scene.seed, 4))
        shape = (height + NOISE_SPARE_PX, width + NOISE_SPARE_PX, 3)
        noise = rng.normal(0, NOISE_SIGMA, shape).round()
        up = np.clip(noise, 0, 255).astype(np.uint8)
        return up, np.clip(-noise, 0, 255).astype(np.uint8)

    def _add_noise(self, image: Image, t_ms: int) -> None:
        """Add this frame's noise, in place: the same tile from another corner, seeded by time."""
        draw = (t_ms * 2654435761 + self.scene.seed * 40503 + 12345) & 0xFFFFFFFF
        draw ^= draw >> 15
        top, left = (draw >> 3) % NOISE_SPARE_PX, (draw >> 11) % NOISE_SPARE_PX
        height, width = image.shape[:2]
        part = np.s_[top : top + height, left : left + width]
        cv2.add(image, self._noise_up[part], dst=image)
        cv2.subtract(image, self._noise_down[part], dst=image)


def soft_ellipse() -> Floats:
    """Return a round shadow (64x64, 0..1), to be stretched."""
    axis = np.linspace(-1, 1, 64, dtype=np.float32)
    reach = axis[None, :] ** 2 + axis[:, None] ** 2
    return cast(Floats, np.clip(1 - reach, 0, 1) ** 1.2)


def stretched(pool: Floats, size_px: tuple[int, int]) -> Floats:
    """Return a shadow at a size (width, height)."""
    return cast(Floats, cv2.resize(pool, size_px, interpolation=cv2.INTER_LINEAR))


def darken(image: Image, pool: Floats, left: int, top: int, strength: float) -> None:
    """Darken the image in place under a shadow (HxW, 0..1)."""
    height, width = image.shape[:2]
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + pool.shape[1], width), min(top + pool.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    keep = 255 * (1 - strength * pool[y1 - top : y2 - top, x1 - left : x2 - left])
    three = cv2.cvtColor(keep.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    image[y1:y2, x1:x2] = cv2.multiply(image[y1:y2, x1:x2], three, scale=1 / 255)


@lru_cache(maxsize=8)  # a painter takes 0.3 s to make; clips come scene by scene
def painter_of(scene: Scene) -> Painter:
    """Return the painter of a scene."""
    return Painter(scene)


def render(scene: Scene, script: Script, t_ms: int, utc_text: str = "") -> Frame:
    """Return the frame of a script at t_ms; `utc_text` is the clock to burn in, ASCII."""
    painter = painter_of(scene)
    return painter.draw(cast_of(painter.plan, script, t_ms), t_ms, utc_text)
