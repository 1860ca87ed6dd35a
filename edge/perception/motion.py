"""Measures what changed in a picture against those just before it, cell by cell.

The picture is compared, small, with a running average of about half a second: so slow movement adds
up, and sensor noise, which the average does not hold, is told by its size in each picture.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.zones import PictureZone, ZoneKind
from edge.core.attention import Cells, Marks, MotionSeen
from edge.core.people import Rect
from edge.ports import Grey

WIDTH_PX: Final = 160
# Of the small picture. Averaging 4 x 4 pixels of 640 x 360 takes three quarters of the noise off,
# and the head of somebody ten metres away is still several pixels.
HEIGHT_MAX_PX: Final = 320  # of a picture that is narrow and tall; more costs and shows nothing
CELL_PX: Final = 5  # 20 pixels of 640: a third of the width of a face across a table
FOLLOW_SHARE: Final = 0.4
# How much of a new picture goes into the average: at 5 fps somebody who stops is part of it after a
# second, and a quarter of the noise remains in it.
THRESHOLD_MIN: Final = 5.0  # of 255; a compressor's rounding is below it
NOISE_FACTOR: Final = 5.0  # of the noise's standard deviation: once in a million pixels
NOISE_MAX: Final = 4.0
# Of the small picture; no camera in a lit room has more. What looks like more is movement.
NOISE_KEEP: Final = 0.98
# Of the noise in the picture before: key frames, each second or two, are noisier than the rest.
ANCHOR_FACTOR: Final = 1.4  # both pictures have the noise of one picture, the average has less
ANCHOR_EVERY: Final = 5  # pictures: what is so slow is noticed within a second
MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
LIGHT_MEAN_MIN: Final = 3.0  # of 255: below it most of the picture cannot have changed by more
LIGHT_MIN: Final = 8.0  # of 255, in the middle of the picture's changes: a lamp, not a cloud
SAMPLE_STEP: Final = 3  # each third pixel both ways is enough for what holds for the whole picture
MASK_FINENESS: Final = 4  # pixels of a cell, both ways, that a mask is drawn in
MASKED_SHARE: Final = 0.5
HIDDEN_SHARE: Final = 0.8
# Of a box: who stands before a masked mirror covers more than the mirror, or its edge.

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


class MotionWatch:
    """What changes in one camera's pictures. Not thread-safe."""

    def __init__(self) -> None:
        self._average: Floats | None = None
        self._newest: Bytes | None = None
        self._anchor: Bytes | None = None
        self._since: Cells | None = None
        self._turn = 0
        self._noise = 0.0

    @property
    def noise(self) -> float:
        """The noise's standard deviation in the small picture, of 255."""
        return self._noise

    def reset(self) -> None:
        """Forget the pictures before: the camera was away."""
        self._average = self._newest = self._anchor = self._since = None

    def looked(self) -> None:
        """The detector saw all of the newest picture: what changes from now on is told by it."""
        self._anchor, self._since = self._newest, None

    def take(self, grey: Grey, masked: Marks | None = None) -> MotionSeen:
        """What changed. ``masked``: cells that are ignored, as ``Masks.cells`` has them."""
        height, width = grey.shape
        rows = rows_for(width, height)
        small = _reduced(grey, rows * CELL_PX)
        self._newest = small
        average = self._average
        if average is None or average.shape != small.shape:
            self._average = small.astype(np.float32)
            return MotionSeen(np.zeros((rows, WIDTH_PX // CELL_PX), np.float32), fresh=True)
        before = np.asarray(cv2.convertScaleAbs(average), np.uint8)
        light = _is_relit(before, small)
        if light:
            before = _relit(before, small)
            self._average = small.astype(np.float32)
        else:
            cv2.accumulateWeighted(small, average, FOLLOW_SHARE)
        change = np.asarray(cv2.absdiff(small, before), np.uint8)
        threshold = self._threshold(change)
        cells = _shares(change, threshold, masked)
        return MotionSeen(cells, self._since_look(small, threshold, masked), light=light)

    def _since_look(self, small: Bytes, threshold: float, masked: Marks | None) -> Cells | None:
        anchor = self._anchor
        if anchor is None or anchor.shape != small.shape:
            return None
        self._turn = (self._turn + 1) % ANCHOR_EVERY
        if (
            self._since is None
            or self._since.shape[0] * CELL_PX != small.shape[0]
            or not self._turn
        ):
            since = np.asarray(cv2.absdiff(small, anchor), np.uint8)
            self._since = _shares(since, ANCHOR_FACTOR * threshold, masked)
        return self._since

    def _threshold(self, change: Bytes) -> float:
        """How much a pixel must change: more than noise, as large as it is in this picture."""
        noise = min(_median(change) * MAD_TO_SIGMA, NOISE_MAX)
        self._noise = max(noise, self._noise * NOISE_KEEP)
        return max(NOISE_FACTOR * self._noise, THRESHOLD_MIN)


def _reduced(grey: Grey, height_px: int) -> Bytes:
    """The small picture. Halving as often as it goes is six times as fast as one step."""
    while grey.shape[1] >= 2 * WIDTH_PX and grey.shape[0] >= 2 * height_px:
        size = (grey.shape[1] // 2, grey.shape[0] // 2)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    if grey.shape == (height_px, WIDTH_PX):
        return grey
    small = cv2.resize(grey, (WIDTH_PX, height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _shares(change: Bytes, threshold: float, masked: Marks | None) -> Cells:
    """Of each cell, the share of pixels that changed by more than the threshold."""
    _, changed = cv2.threshold(change, threshold, 255, cv2.THRESH_BINARY)
    size = (change.shape[1] // CELL_PX, change.shape[0] // CELL_PX)
    shares = cv2.resize(changed, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    shares *= np.float32(1 / 255)
    if masked is not None and masked.shape == shares.shape:
        shares[masked] = 0.0
    return np.asarray(shares, np.float32)


def _median(values: Bytes) -> float:
    sample = values[::SAMPLE_STEP, ::SAMPLE_STEP].ravel()
    middle = sample.size // 2
    return float(np.partition(sample, middle)[middle])


def _is_relit(before: Bytes, after: Bytes) -> bool:
    """Whether most of the picture became brighter, or most of it darker."""
    if abs(cv2.mean(after)[0] - cv2.mean(before)[0]) < LIGHT_MEAN_MIN:
        return False
    one = after[::SAMPLE_STEP, ::SAMPLE_STEP].astype(np.int16)
    other = before[::SAMPLE_STEP, ::SAMPLE_STEP].astype(np.int16)
    return abs(float(np.median(one - other))) >= LIGHT_MIN


def rows_for(width_px: int, height_px: int) -> int:
    """Rows of the grid of cells over a picture of this size."""
    height = min(WIDTH_PX * height_px / max(width_px, 1), HEIGHT_MAX_PX)
    return max(round(height / CELL_PX), 1)


def _relit(before: Bytes, after: Bytes) -> Bytes:
    """The picture before in the light of the picture after: the same factor and offset all over.

    Least squares over a sample; movement in a small part of the picture hardly bends it.
    """
    x = before[::SAMPLE_STEP, ::SAMPLE_STEP].astype(np.float32).ravel()
    y = after[::SAMPLE_STEP, ::SAMPLE_STEP].astype(np.float32).ravel()
    x_mean, y_mean = float(x.mean()), float(y.mean())
    spread = float(((x - x_mean) ** 2).mean())
    slope = float(((x - x_mean) * (y - y_mean)).mean()) / spread if spread > 1 else 1.0
    lit = np.clip((before - x_mean) * slope + y_mean, 0, 255)
    return np.asarray(lit, np.uint8)


class Masks:
    """Which parts of one camera's picture its zones of kind ``mask`` hide."""

    def __init__(self, zones: Sequence[PictureZone]) -> None:
        self._masks = [zone for zone in zones if zone.kind is ZoneKind.MASK]
        self._fine: Floats | None = None
        self._shape: tuple[int, int] = (0, 0)
        self._cells: Marks | None = None

    def cells(self, width_px: int, height_px: int) -> Marks | None:
        """The cells of a picture of this size that are hidden; None: none."""
        if not self._masks:
            return None
        shape = (rows_for(width_px, height_px), WIDTH_PX // CELL_PX)
        if self._fine is None or self._shape != shape:
            self._fine = self._drawn(shape)
            self._shape = shape
            shares: Cells = np.asarray(
                cv2.resize(self._fine, shape[::-1], interpolation=cv2.INTER_AREA), np.float32
            )
            self._cells = shares >= MASKED_SHARE
        return self._cells

    def hide(self, rect: Rect) -> bool:
        """Whether what was found in this rectangle lies in what is hidden; ``cells`` came first."""
        if self._fine is None:
            return False
        rows, columns = self._fine.shape
        x1 = min(max(int(rect.x1 * columns), 0), columns - 1)
        y1 = min(max(int(rect.y1 * rows), 0), rows - 1)
        x2 = min(max(round(rect.x2 * columns), x1 + 1), columns)
        y2 = min(max(round(rect.y2 * rows), y1 + 1), rows)
        return float(self._fine[y1:y2, x1:x2].mean()) >= HIDDEN_SHARE

    def _drawn(self, shape: tuple[int, int]) -> Floats:
        rows, columns = (one * MASK_FINENESS for one in shape)
        drawn = np.zeros((rows, columns), np.uint8)
        for zone in self._masks:
            corners = np.array([(x * columns, y * rows) for x, y in zone.points])
            cv2.fillPoly(drawn, [corners.round().astype(np.int32)], 1)
        return drawn.astype(np.float32)
