"""Dresses the two portraits as different people: hair, skin, clothes, vest, a painted lower body.

All drawing is in body units: one pixel of the Hopper photograph, about 1.04 mm of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import cast

import cv2
import numpy as np

from zeroentry.composer.model import Vest
from zeroentry.composer.pixels import AnyFloats, Bgr, Floats, Sprite, premultiplied, soft_mask

PX_PER_UNIT = 0.32  # of the dressed sprite: twice what 640x360 shows, enough for 1280x720
UNIT_M = 0.00104
BODY_WIDTH_UNITS = 560
BODY_HEIGHT_UNITS = 1660
AXIS_UNITS = 262  # the middle of the body, from the left of the canvas
HEAD_TOP_UNITS = 80
SOLE_UNITS = 1645
WALK_PHASES = 6  # sprites of one double step
HOPPER_FILE_SCALE = 0.55  # see cutout.py
COLLINS_FILE_SCALE = 0.80
FACE_BLOCK_PX = 3  # faces are averaged over blocks of this size: nobody's likeness is needed

VEST_BGR = {Vest.RED: (38, 34, 196), Vest.BLUE: (176, 92, 28)}
JACKETS: tuple[Bgr, ...] = (
    (74, 62, 56), (120, 118, 116), (176, 186, 190), (58, 50, 44), (96, 108, 122), (150, 138, 120),
    (70, 84, 78), (196, 196, 194),
)  # fmt: skip
TROUSERS: tuple[Bgr, ...] = ((52, 46, 42), (66, 60, 58), (84, 90, 100), (70, 58, 46))
HAIRS: tuple[Bgr, ...] = (
    (26, 24, 24), (34, 34, 40), (44, 56, 74), (70, 72, 76), (120, 122, 124), (36, 44, 60),
)  # fmt: skip
SHIRTS: tuple[Bgr, ...] = ((246, 246, 246), (238, 226, 208), (226, 232, 240), (214, 224, 226))


@dataclass(frozen=True, slots=True)
class Look:
    """What makes one person differ from the next."""

    portrait: str
    mirrored: bool
    hair: Bgr
    skin_gain: tuple[float, float, float]
    jacket: Bgr
    trousers: Bgr
    shirt: Bgr
    breadth: float
    height: float
    vest: Vest


@lru_cache(maxsize=256)  # asked for twice a person and frame
def look_of(seed: int, number: int, vest: Vest) -> Look:
    """Choose a look; neighbours by number never share portrait and side."""
    rng = np.random.default_rng((seed, number, 17))
    turn = (number + seed) % 4
    jackets = np.random.default_rng((seed, 5)).permutation(len(JACKETS))
    hairs = np.random.default_rng((seed, 6)).permutation(len(HAIRS))
    warmth = float(rng.uniform(-0.05, 0.05))
    light = float(rng.uniform(0.88, 1.04))
    return Look(
        portrait=("collins", "hopper")[turn % 2],
        mirrored=turn >= 2,
        hair=HAIRS[hairs[number % len(HAIRS)]],
        skin_gain=(light * (1 - warmth), light, light * (1 + warmth)),
        jacket=JACKETS[jackets[number % len(JACKETS)]],
        trousers=TROUSERS[int(rng.integers(len(TROUSERS)))],
        shirt=SHIRTS[int(rng.integers(len(SHIRTS)))],
        breadth=float(rng.uniform(0.96, 1.08)),
        height=float(rng.uniform(0.99, 1.06)),
        vest=vest,
    )


@lru_cache(maxsize=4)
def portrait(name: str) -> Floats:
    """Load a committed cut-out (HxWx4, BGRA 0..255, not premultiplied)."""
    data = files("zeroentry.composer").joinpath(f"portraits/{name}.png").read_bytes()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"portraits/{name}.png is damaged: install the package again")
    return cast(Floats, image.astype(np.float32))


class Canvas:
    """A body being painted: colour and alpha in floats, addressed in body units."""

    def __init__(self) -> None:
        """Start empty."""
        self.width = round(BODY_WIDTH_UNITS * PX_PER_UNIT)
        self.height = round(BODY_HEIGHT_UNITS * PX_PER_UNIT)
        self.bgr: Floats = np.zeros((self.height, self.width, 3), np.float32)
        self.alpha: Floats = np.zeros((self.height, self.width), np.float32)

    def mask(self, polygon: Sequence[tuple[float, float]], soft_units: float = 4) -> Floats:
        """Return a polygon (body units) as a mask 0..1."""
        points = [(x * PX_PER_UNIT, y * PX_PER_UNIT) for x, y in polygon]
        return soft_mask((self.height, self.width), points, soft_units * PX_PER_UNIT)

    def paint(self, mask: AnyFloats, colour: AnyFloats | Bgr) -> None:
        """Paint a colour or a picture over all below it."""
        source = np.asarray(colour, np.float32)
        weight = mask[..., None].astype(np.float32)
        self.bgr = self.bgr * (1 - weight) + source * weight
        self.alpha = np.maximum(self.alpha, weight[..., 0])

    def lay(self, picture: Floats, left: float, top: float, scale: float) -> tuple[Floats, Floats]:
        """Place a BGRA picture at (left, top) body units; return colour and alpha."""
        factor = scale * PX_PER_UNIT
        matrix = np.array(
            [[factor, 0, left * PX_PER_UNIT], [0, factor, top * PX_PER_UNIT]], np.float64
        )
        small = picture.copy()
        small[..., :3] *= small[..., 3:] / 255
        if factor < 0.7:  # warpAffine does not average: take out first what cannot be shown
            small = cast(Floats, cv2.GaussianBlur(small, (0, 0), 0.35 / factor))
        placed = cv2.warpAffine(small, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR)
        alpha = placed[..., 3] / 255
        colour = placed[..., :3] / np.maximum(alpha, 1e-3)[..., None]
        return colour.astype(np.float32), alpha.astype(np.float32)


def shading(canvas: Canvas, centre: float, half: float) -> Floats:
    """Return the light over an upright rounded shape: brightest left of its middle."""
    x = (np.arange(canvas.width) / PX_PER_UNIT - centre) / half
    profile = 1.06 - 0.34 * np.clip(np.abs(x + 0.15), 0, 1.3) ** 2
    return np.repeat(profile[None, :], canvas.height, axis=0).astype(np.float32)


def tinted(colour: Bgr, light: Floats) -> Floats:
    """Return a picture of one colour under a light field."""
    return np.asarray(colour, np.float32) * light[..., None]


def paint_leg(canvas: Canvas, look: Look, side: int, lift: float, forward: float) -> None:
    """Paint one leg and its shoe; lift 0..1 bends it, forward shifts the foot sideways."""
    hip = AXIS_UNITS + side * 68
    foot = AXIS_UNITS + side * (62 - 10 * lift) + forward
    sole = SOLE_UNITS - 70 * lift
    knee = 1270 - 40 * lift
    leg = [
        (hip - 74, 930), (hip + 74, 930), (foot + 58, knee), (foot + 46, sole - 30),
        (foot - 46, sole - 30), (foot - 58, knee),
    ]  # fmt: skip
    light = shading(canvas, (hip + foot) / 2, 88) * (1 - 0.18 * lift)
    canvas.paint(canvas.mask(leg), tinted(look.trousers, light))
    shoe = [
        (foot - 44, sole - 40), (foot + 44, sole - 40), (foot + 54, sole), (foot - 54, sole),
    ]  # fmt: skip
    canvas.paint(canvas.mask(shoe), (30, 30, 32))


def paint_arm(canvas: Canvas, look: Look, side: int, swing: float) -> None:
    """Paint the arm below the photograph and the hand."""
    shoulder = AXIS_UNITS + side * 196
    wrist = AXIS_UNITS + side * 198 + swing * 16
    low = 930 - abs(swing) * 26
    sleeve = [
        (shoulder - 48, 500), (shoulder + 48, 500), (shoulder + 47, 600), (wrist + 36, low),
        (wrist - 36, low), (shoulder - 47, 600),
    ]  # fmt: skip
    hand = [
        (wrist - 26, low - 8), (wrist + 26, low - 8), (wrist + 22, low + 70),
        (wrist - 4, low + 88), (wrist - 24, low + 62),
    ]  # fmt: skip
    skin = np.array((118, 142, 192)) * np.array(look.skin_gain)
    canvas.paint(canvas.mask(hand), cast(Bgr, tuple(skin)))
    light = 0.9 * shading(canvas, (shoulder + wrist) / 2, 90)
    canvas.paint(canvas.mask(sleeve, 4), tinted(look.jacket, light.astype(np.float32)))


def cloth_light(canvas: Canvas, grey: Floats, alpha: Floats) -> Floats:
    """Return the light on the photographed jacket: its own folds, made visible, and round sides."""
    folds = cv2.GaussianBlur(grey, (0, 0), 1.0)
    base = cv2.GaussianBlur(grey, (0, 0), 9)
    solid = (alpha > 0.6).astype(np.uint8)
    solid[round(590 * PX_PER_UNIT) :] = solid[round(580 * PX_PER_UNIT)]
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3) / (46 * PX_PER_UNIT)
    light = 0.74 + 0.28 * np.clip(depth, 0, 1) + 0.012 * np.clip(folds - base, -12, 12)
    for side in (-1, 1):  # the crease between arm and chest
        x = AXIS_UNITS + side * 158
        crease = canvas.mask([(x - 7, 470), (x + 7, 470), (x + side * 12 + 8, 660),
                              (x + side * 12 - 8, 660)], 7)  # fmt: skip
        light = light * (1 - 0.45 * crease)
    return cast(Floats, (light * shading(canvas, AXIS_UNITS, 330)).astype(np.float32))


def paint_torso(canvas: Canvas, look: Look) -> None:
    """Paint jacket, shirt and neck from the photograph, and the trunk below it."""
    picture = portrait("hopper")
    colour, alpha = canvas.lay(picture, 0, 0, 1 / HOPPER_FILE_SCALE)
    rows = np.arange(canvas.height)[:, None] / PX_PER_UNIT
    whole = alpha
    inside = np.clip((rows - 314) / 8, 0, 1) * np.clip((590 - rows) / 60, 0, 1)
    alpha = (alpha * inside).astype(np.float32)
    trunk = [
        (AXIS_UNITS - 168, 490), (AXIS_UNITS + 168, 490), (AXIS_UNITS + 160, 800),
        (AXIS_UNITS + 168, 985), (AXIS_UNITS - 168, 985), (AXIS_UNITS - 160, 800),
    ]  # fmt: skip
    light = shading(canvas, AXIS_UNITS, 240) * np.clip(0.97 - (rows - 560) / 2600, 0.8, 0.97)
    canvas.paint(canvas.mask(trunk), tinted(look.jacket, light.astype(np.float32)))
    grey = cast(Floats, cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY))
    neck = canvas.mask([(206, 300), (326, 300), (322, 380), (262, 420), (212, 380)], 6)
    skin = np.array((122, 146, 200), np.float32) * np.asarray(look.skin_gain, np.float32)
    throat = tinted(cast(Bgr, tuple(skin)), 0.72 * shading(canvas, AXIS_UNITS, 90))
    warm = np.clip((colour[..., 2] - colour[..., 0] - 10) / 20, 0, 1).astype(np.float32)
    neck = (neck * warm)[..., None]
    front = colour * (1 - neck) + (throat * 0.7 + cv2.GaussianBlur(colour, (0, 0), 2) * 0.3) * neck
    bright = np.clip((grey - 120) / 60, 0, 1) * (rows > 350)
    shirt = colour * (np.asarray(look.shirt, np.float32) / 250)
    front = front * (1 - bright[..., None]) + shirt * bright[..., None]
    open_front = canvas.mask(
        [(192, 300), (336, 300), (326, 352), (300, 420), (262, 548), (224, 420), (198, 352)], 4
    )
    cloth = tinted(look.jacket, cloth_light(canvas, grey, whole))
    # One coat of paint: two coats with the same soft edge would show the dark uniform between.
    canvas.paint(alpha, front * open_front[..., None] + cloth * (1 - open_front[..., None]))
    jacket = alpha * (1 - open_front)
    lapel = canvas.mask([(196, 346), (210, 346), (266, 545), (254, 552)], 3)
    canvas.paint(jacket * lapel * 0.35, (20, 20, 22))


def paint_vest(canvas: Canvas, look: Look) -> None:
    """Paint the vest over the jacket with its folds, piping, zip and pockets."""
    if look.vest is Vest.NONE:
        return
    colour = VEST_BGR[look.vest]
    body = [
        (186, 338), (128, 366), (112, 430), (104, 500), (88, 560), (92, 800), (84, 955),
        (440, 955), (432, 800), (436, 560), (420, 500), (412, 430), (396, 366), (340, 338),
        (322, 400), (264, 520), (206, 400),
    ]  # fmt: skip
    rng = np.random.default_rng(int(look.breadth * 1e6))
    noise = cv2.GaussianBlur(
        rng.normal(0, 1, (canvas.height, canvas.width)), (0, 0), sigmaX=4, sigmaY=11
    )
    light = shading(canvas, AXIS_UNITS, 250) * (1 + 1.2 * noise.astype(np.float32))
    vest = canvas.mask(body, 3) * canvas.alpha
    canvas.paint(vest, tinted(colour, light))
    for side in (-1, 1):
        arm_hole = [(AXIS_UNITS + side * x, y) for x, y in
                    ((136, 366), (152, 430), (160, 500), (176, 562),
                     (164, 562), (148, 500), (140, 430), (124, 372))]  # fmt: skip
        canvas.paint(canvas.mask(arm_hole, 3) * vest * 0.5, (18, 18, 22))
        piping = [(AXIS_UNITS + side * x, y) for x, y in
                  ((78, 338), (58, 402), (0, 522), (0, 546), (72, 408), (90, 340))]  # fmt: skip
        pale = tuple(min(c + 70, 255) for c in colour)
        canvas.paint(canvas.mask(piping, 2) * vest * 0.75, cast(Bgr, pale))
        pocket = [(AXIS_UNITS + side * 60, 742), (AXIS_UNITS + side * 142, 736),
                  (AXIS_UNITS + side * 142, 748), (AXIS_UNITS + side * 60, 754)]  # fmt: skip
        canvas.paint(canvas.mask(pocket, 2) * vest * 0.6, (16, 16, 20))
    zip_line = [(259, 530), (267, 530), (267, 955), (259, 955)]
    canvas.paint(canvas.mask(zip_line, 2) * vest * 0.7, (24, 24, 28))
    badge = [(322, 478), (372, 478), (372, 508), (322, 508)]
    canvas.paint(canvas.mask(badge, 2) * vest * 0.85, (226, 228, 230))


def stylised(picture: Floats) -> Floats:
    """Average a placed head over small blocks, so that no face is a likeness."""
    height, width = picture.shape[:2]
    small = cv2.resize(
        picture, (width // FACE_BLOCK_PX, height // FACE_BLOCK_PX), interpolation=cv2.INTER_AREA
    )
    return cast(Floats, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def paint_head(canvas: Canvas, look: Look) -> None:
    """Paint the head of the portrait with this person's hair and skin."""
    if look.portrait == "hopper":
        scale, chin, goal = 0.86, (262.0, 338.0), (262.0, 336.0)
        colour, alpha = canvas.lay(
            portrait("hopper"), goal[0] - chin[0] * scale, goal[1] - chin[1] * scale,
            scale / HOPPER_FILE_SCALE,
        )  # fmt: skip
        outline = [(130, 20), (400, 20), (400, 240), (352, 290), (318, 328), (262, 344),
                   (206, 328), (172, 290), (130, 240)]  # fmt: skip
        face, brow = (262, 236), (82, 108)
    else:
        scale, chin, goal = 1.36, (225.0, 187.0), (262.0, 346.0)
        colour, alpha = canvas.lay(
            portrait("collins"), goal[0] - chin[0] * scale, goal[1] - chin[1] * scale,
            scale / COLLINS_FILE_SCALE,
        )  # fmt: skip
        outline = [(140, 60), (390, 60), (390, 250), (338, 296), (312, 330), (282, 352),
                   (244, 352), (214, 330), (186, 296), (140, 250)]  # fmt: skip
        face, brow = (262, 272), (68, 92)
    alpha = np.minimum(alpha, canvas.mask(outline, 3))
    rows = np.arange(canvas.height)[:, None] / PX_PER_UNIT
    columns = np.arange(canvas.width)[None, :] / PX_PER_UNIT
    reach = ((columns - face[0]) / brow[0]) ** 2 + ((rows - face[1]) / brow[1]) ** 2
    skin = np.clip((1.12 - reach) / 0.24, 0, 1)
    if look.portrait == "hopper":  # no hair below the cap's rim: ears and jaw are skin
        skin = np.maximum(skin, np.clip((rows - 196) / 10, 0, 1))
    grey = cast(Floats, cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY))
    middle = 96.0 if look.portrait == "hopper" else 112.0
    hair = tinted(look.hair, np.clip(0.55 + 0.6 * grey / middle, 0.5, 2.2).astype(np.float32))
    tone = stylised(colour) * np.asarray(look.skin_gain, np.float32)
    if look.portrait == "hopper":  # an old print, redder than the other photograph
        calm = cv2.cvtColor(tone, cv2.COLOR_BGR2GRAY)[..., None]
        tone = tone * 0.72 + calm * 0.28 * np.array((0.98, 1.0, 1.1), np.float32)
    weight = skin[..., None].astype(np.float32)
    canvas.paint(alpha, tone * weight + hair * (1 - weight))


@lru_cache(maxsize=256)  # a whole site's cast in all its steps, 0.4 MB each
def dressed(look: Look, phase: int | None) -> Sprite:
    """Return one person, head to sole; `phase` 0..WALK_PHASES-1 of a step, None standing."""
    canvas = Canvas()
    angle = 0.0 if phase is None else 2 * np.pi * phase / WALK_PHASES
    stride = 0.0 if phase is None else float(np.sin(angle))
    near = 1 if stride >= 0 else -1
    for side in (-near, near):
        lift = max(0.0, -side * stride)
        paint_leg(canvas, look, side, lift, 26 * stride * side)
    for side in (-1, 1):
        paint_arm(canvas, look, side, stride)
    paint_torso(canvas, look)
    paint_vest(canvas, look)
    paint_head(canvas, look)
    sprite = premultiplied(canvas.bgr, canvas.alpha)
    if look.mirrored:
        sprite = np.ascontiguousarray(sprite[:, ::-1])
    return sprite


@lru_cache(maxsize=256)
def turned(look: Look, phase: int | None) -> Sprite:
    """Return the same person from behind: hair for the face, a back for the chest."""
    sprite = dressed(look, phase).copy()
    alpha = sprite[..., 3].astype(np.float32) / 255
    rows = (np.arange(sprite.shape[0]) / PX_PER_UNIT)[:, None]
    grey = cv2.cvtColor(sprite[..., :3], cv2.COLOR_BGR2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), 5)
    crown = tinted(look.hair, np.clip(0.6 + 0.4 * soft / 110, 0.55, 1.3).astype(np.float32))
    back_bgr = VEST_BGR[look.vest] if look.vest is not Vest.NONE else look.jacket
    columns = (np.arange(sprite.shape[1]) / PX_PER_UNIT)[None, :]
    round_back = 1.04 - 0.3 * np.clip(np.abs(columns - BODY_WIDTH_UNITS / 2) / 240, 0, 1.2) ** 2
    cloth = tinted(back_bgr, (round_back * np.ones_like(alpha)).astype(np.float32))
    head = np.clip((352 - rows) / 14, 0, 1) * np.ones_like(alpha)
    chest = np.clip((rows - 338) / 14, 0, 1) * np.clip((930 - rows) / 12, 0, 1)
    trunk = np.abs(columns - BODY_WIDTH_UNITS / 2) < 190
    chest = chest * trunk
    colour = sprite[..., :3].astype(np.float32)
    for weight, paint in ((head, crown), (chest, cloth)):
        part = weight[..., None].astype(np.float32)
        colour = (colour * (1 - part) + paint * alpha[..., None] * part).astype(np.float32)
    sprite[..., :3] = np.clip(colour, 0, 255).astype(np.uint8)
    return sprite
