"""Changes composed or real pictures as the world and its cameras do; each change is seeded.

A change is called with a picture (blue first) and the time and returns the picture, often the same
array changed in place. Those with ``after_noise`` are the camera's own (its exposure, its lens, its
encoder) and come after the sensor's noise; the others happen in the room, before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import pi, sin
from typing import ClassVar

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tests.corpus.spans import Span, Spans, covers

Image = NDArray[np.uint8]
Change = Callable[[Image, int], Image]
"""What a disturbance does to a picture (blue first) at a time: may change it in place."""
Polygon = Sequence[tuple[float, float]]
FADE_MS = 400  # a fluorescent tube takes about as long


def _level(spans: Spans, t_ms: int, fade_ms: int = FADE_MS) -> float:
    """0 outside of the spans, 1 inside, with a ramp at both ends."""
    best = 0.0
    for start, end in spans:
        rising = (t_ms - start) / fade_ms
        falling = (end - t_ms) / fade_ms + 1
        best = max(best, min(rising, falling, 1.0))
    return max(best, 0.0)


def _gain(image: Image, gain: Sequence[float], lift: float = 0.0) -> Image:
    """Multiply each channel and add; clipped."""
    steps = np.arange(256, dtype=np.float32)[:, None] * np.asarray(gain, np.float32) + lift
    table = np.clip(steps, 0, 255).astype(np.uint8).reshape(1, 256, -1)
    if image.ndim == 2:
        return cv2.LUT(image, table[0, :, 1]).astype(np.uint8, copy=False)
    return cv2.LUT(image, table).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Lights:
    """Room lights are off (or dimmed to ``rest``) in the spans; the window's light is left."""

    off: Spans
    rest: float = 0.25
    fade_ms: int = FADE_MS

    def __call__(self, image: Image, t_ms: int) -> Image:
        down = _level(self.off, t_ms, self.fade_ms)
        if down <= 0:
            return image
        level = 1 - (1 - self.rest) * down
        return _gain(image, (level * 1.0, level * 0.97, level * (1 - 0.08 * down)))


@dataclass(frozen=True, slots=True)
class SlowLight:
    """Daylight: brightness swings by ``depth`` (a share) over ``period_ms``, clouds included."""

    depth: float = 0.15
    period_ms: int = 180_000
    phase: float = 0.0

    def __call__(self, image: Image, t_ms: int) -> Image:
        wave = sin(2 * pi * t_ms / self.period_ms + self.phase)
        wave = 0.7 * wave + 0.3 * sin(2 * pi * t_ms * 3.7 / self.period_ms)
        level = 1 + self.depth * wave
        return _gain(image, (level, level, level))


@dataclass(frozen=True, slots=True)
class ExposureDrift:
    """The camera's own exposure hunts: gain by steps, colour balance with it."""

    depth: float = 0.06
    period_ms: int = 20_000
    phase: float = 0.0
    after_noise: ClassVar[bool] = True

    def __call__(self, image: Image, t_ms: int) -> Image:
        wave = round(4 * sin(2 * pi * t_ms / self.period_ms + self.phase)) / 4
        level = 1 + self.depth * wave
        return _gain(image, (level * (1 + 0.2 * self.depth * wave), level, level))


@dataclass(frozen=True, slots=True)
class Flicker:
    """A monitor (polygon in pixels of the picture) changes what it shows, now and then quickly."""

    polygon: Polygon
    seed: int = 0
    hold_ms: int = 1_400

    def __call__(self, image: Image, t_ms: int) -> Image:
        turn = t_ms // self.hold_ms
        rng = np.random.default_rng((self.seed, turn))
        points = np.asarray(self.polygon, np.float32)
        x, y, width, height = cv2.boundingRect(points)
        x1, y1 = max(x, 0), max(y, 0)
        x2, y2 = min(x + width, image.shape[1]), min(y + height, image.shape[0])
        if x2 - x1 < 4 or y2 - y1 < 4:
            return image
        part = image[y1:y2, x1:x2]
        shown = np.empty_like(part)
        shown[:] = rng.integers(30, 200, 3).astype(np.uint8)
        for _ in range(5):
            top, left = int(rng.integers(0, y2 - y1)), int(rng.integers(0, x2 - x1))
            corner = (left + int(rng.integers(8, 60)), top + int(rng.integers(3, 16)))
            cv2.rectangle(shown, (left, top), corner, rng.integers(0, 255, 3).tolist(), -1)
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, (points - (x1, y1)).astype(np.int32), (255,))
        cv2.copyTo(shown, mask, part)
        return image


@dataclass(frozen=True, slots=True)
class Curtain:
    """A curtain beside a window (polygon in pixels) sways in the draught; it hides what is there.

    Its folds move by ``sway_px``; it moves all the time, or only in ``spans`` if given.
    """

    polygon: Polygon
    sway_px: float = 9.0
    period_ms: int = 2_600
    bgr: tuple[int, int, int] = (120, 140, 150)
    spans: Spans = ()

    def __call__(self, image: Image, t_ms: int) -> Image:
        active = _level(self.spans, t_ms, 2_000) if self.spans else 1.0
        xs = [x for x, _ in self.polygon]
        ys = [y for _, y in self.polygon]
        left, top = round(min(xs)), max(round(min(ys)) - 8, 0)
        width, bottom = max(8, round((max(xs) - min(xs)) * 0.4)), round(max(ys)) + 14
        phase = 2 * pi * t_ms / self.period_ms
        rows = np.arange(top, min(bottom, image.shape[0]), dtype=np.float32)
        if rows.size < 4:
            return image
        hang = (rows - top) / max(rows.size, 1)
        shift = active * self.sway_px * hang * np.sin(phase + hang * 2.2)
        columns = np.arange(width, dtype=np.float32)
        folds = 0.8 + 0.2 * np.sin(columns[None, :] / 3.1 + shift[:, None] / 4)
        cloth = (np.asarray(self.bgr, np.float32) * folds[..., None]).astype(np.uint8)
        wide = width + 2 * int(self.sway_px) + 2
        spots_x = (np.arange(wide, dtype=np.float32)[None, :] - self.sway_px) - shift[:, None]
        spots_y = np.repeat(np.arange(rows.size, dtype=np.float32)[:, None], wide, axis=1)
        moved = cv2.remap(cloth, spots_x.astype(np.float32), spots_y, cv2.INTER_LINEAR)
        inside = ((spots_x >= 0) & (spots_x <= width - 1)).astype(np.uint8) * 255
        x1 = left - int(self.sway_px)
        a, b = max(x1, 0), min(x1 + wide, image.shape[1])
        if a >= b:
            return image
        part = image[top : top + rows.size, a:b]
        cv2.copyTo(
            moved[:, a - x1 : b - x1], np.ascontiguousarray(inside[:, a - x1 : b - x1]), part
        )
        return image


@dataclass(frozen=True, slots=True)
class Reflection:
    """A soft bright patch (a passing car's windscreen, a watch) wanders over the picture."""

    spans: Spans
    path: tuple[tuple[float, float], tuple[float, float]]
    radius_px: int = 46
    strength: float = 70.0

    def __call__(self, image: Image, t_ms: int) -> Image:
        for start, end in self.spans:
            if start <= t_ms < end:
                part = (t_ms - start) / (end - start)
                (x1, y1), (x2, y2) = self.path
                centre = (x1 + (x2 - x1) * part, y1 + (y2 - y1) * part)
                _glow(image, centre, self.radius_px, self.strength)
        return image


def _glow(image: Image, centre: tuple[float, float], radius: int, strength: float) -> None:
    """Add a round soft light, in place."""
    x, y = int(centre[0]), int(centre[1])
    x1, y1 = max(x - radius, 0), max(y - radius, 0)
    x2, y2 = min(x + radius, image.shape[1]), min(y + radius, image.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    rows = (np.arange(y1, y2, dtype=np.float32)[:, None] - y) / radius
    columns = (np.arange(x1, x2, dtype=np.float32)[None, :] - x) / radius
    light = np.clip(1 - rows**2 - columns**2, 0, 1) ** 2 * strength
    add = cv2.cvtColor(light.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    image[y1:y2, x1:x2] = cv2.add(image[y1:y2, x1:x2], add)


@dataclass(slots=True)
class Ghost:
    """Somebody's reflection in a window or a glass wall: a pale copy of a part of the picture.

    ``source`` and ``goal`` are the left upper corners of rectangles of ``size_px``.
    """

    source: tuple[int, int]
    goal: tuple[int, int]
    size_px: tuple[int, int]
    strength: float = 0.18

    def __call__(self, image: Image, t_ms: int) -> Image:
        (sx, sy), (gx, gy), (width, height) = self.source, self.goal, self.size_px
        height = min(height, image.shape[0] - max(sy, gy))
        width = min(width, image.shape[1] - max(sx, gx))
        if width < 2 or height < 2:
            return image
        pale = cv2.flip(image[sy : sy + height, sx : sx + width], 1)
        part = image[gy : gy + height, gx : gx + width]
        cv2.addWeighted(part, 1 - self.strength, pale, self.strength, 0, dst=part)
        return image


@dataclass(slots=True)
class H264:
    """Really encodes and decodes: libx264 at ``kbps`` for 5 fps, baseline, one key frame in 4 s.

    Stateful: give it the pictures of one camera in order. The first pictures come out as they are
    until the decoder gives any.
    """

    kbps: int = 512
    fps: int = 5
    after_noise: ClassVar[bool] = True
    _encoder: object = field(default=None, repr=False)
    _decoder: object = field(default=None, repr=False)
    _count: int = 0

    def __call__(self, image: Image, t_ms: int) -> Image:
        height, width = image.shape[:2]
        if self._encoder is None:
            self._open(width, height)
        encoder, decoder = self._encoder, self._decoder
        assert isinstance(encoder, av.VideoCodecContext)
        assert isinstance(decoder, av.VideoCodecContext)
        frame = VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = self._count
        self._count += 1
        out = image
        for packet in encoder.encode(frame):
            for shown in decoder.decode(packet):
                out = np.asarray(shown.to_ndarray(format="bgr24"), np.uint8)
        return np.ascontiguousarray(out)

    def _open(self, width: int, height: int) -> None:
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, self.fps), Fraction(self.fps)
        encoder.bit_rate = self.kbps * 1000
        encoder.gop_size = 4 * self.fps
        encoder.thread_count = 1
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        self._encoder, self._decoder = encoder, decoder


@dataclass(slots=True)
class Noise:
    """A sensor's noise, for pictures that have none of the stage's; one tile, shifted each time."""

    seed: int
    sigma: float = 4.0
    after_noise: ClassVar[bool] = True
    _tile: NDArray[np.int16] | None = field(default=None, repr=False)

    def __call__(self, image: Image, t_ms: int) -> Image:
        rng = np.random.default_rng((self.seed, t_ms))
        height, width = image.shape[:2]
        if self._tile is None:
            self._tile = np.random.default_rng(self.seed).normal(
                0, self.sigma, (height + 64, width + 64, 3)
            ).round().astype(np.int16)  # fmt: skip
        top, left = (int(one) for one in rng.integers(0, 64, 2))
        part = self._tile[top : top + height, left : left + width]
        return np.asarray(cv2.add(image, part, dtype=cv2.CV_8U), np.uint8)


# -- faults of a camera ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Covered:
    """A cloth or a hand before the lens: nearly even, dark or pale, breathing a little."""

    span: Span
    bgr: tuple[int, int, int] = (28, 30, 34)
    share: float = 1.0
    """Of the picture's width, from the left."""
    after_noise: ClassVar[bool] = True

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            return image
        width = round(image.shape[1] * self.share)
        breath = 1 + 0.05 * sin(2 * pi * t_ms / 3_100)
        rng = np.random.default_rng(t_ms)
        rows = max(1, image.shape[0] // 8)
        shade = np.linspace(0.85, 1.15, rows, dtype=np.float32)[:, None] * np.ones((1, 16))
        cloth = np.clip(np.asarray(self.bgr) * shade[..., None] * breath, 0, 255).astype(np.uint8)
        part = cv2.resize(cloth, (width, image.shape[0]), interpolation=cv2.INTER_LINEAR)
        noise = np.asarray(rng.integers(0, 5, part.shape), np.uint8)
        image[:, :width] = cv2.add(np.asarray(part, np.uint8), noise)
        return image


@dataclass(frozen=True, slots=True)
class Defocused:
    """The lens is out of focus."""

    span: Span
    sigma_px: float = 5.0

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            return image
        # On a half-size copy: the same look at a quarter of the cost.
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(half, (0, 0), self.sigma_px / 2)
        wide = (image.shape[1], image.shape[0])
        return cv2.resize(small, wide, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Moved:
    """Somebody turned the camera: the picture is shifted and rolled from then on."""

    span: Span
    shift_px: tuple[float, float] = (90.0, 20.0)
    roll_deg: float = 3.0

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            return image
        height, width = image.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), self.roll_deg, 1.06)
        matrix = np.asarray(turn, np.float64)
        matrix[:, 2] += self.shift_px
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        return moved.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Dark:
    """Nearly no light reaches the sensor."""

    span: Span
    rest: float = 0.06

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            return image
        return _gain(image, (self.rest, self.rest, self.rest))


@dataclass(frozen=True, slots=True)
class Glare:
    """The sun, or a torch, shines into the lens: most of the picture is burnt out."""

    span: Span
    centre: tuple[float, float] = (0.5, 0.4)
    strength: float = 250.0
    after_noise: ClassVar[bool] = True

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            return image
        image = _gain(image, (1.1, 1.1, 1.1), lift=90.0)
        height, width = image.shape[:2]
        place = (self.centre[0] * width, self.centre[1] * height)
        _glow(image, place, int(0.75 * width), self.strength)
        return image


@dataclass(slots=True)
class Frozen:
    """The camera sends the same picture again and again, with live time stamps."""

    span: Span
    after_noise: ClassVar[bool] = True
    _held: Image | None = field(default=None, repr=False)

    def __call__(self, image: Image, t_ms: int) -> Image:
        if not covers((self.span,), t_ms):
            self._held = None
            return image
        if self._held is None:
            self._held = image.copy()
        return self._held.copy()
