"""Learns what a view looks like where nothing moves, and compares pictures with that.

All comparison is of bands of detail, not of brightness: a lamp scales a band, a shadow bends it,
and neither removes it. Work is done on a copy of fixed size, so its cost does not depend on the
camera.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.zones import PictureZone, ZoneKind
from edge.core.people import Rect
from edge.ports import Grey

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORK_PX: Final = (320, 180)  # fine enough for a lens two pixels of 640 out of focus
MID_PX: Final = (160, 90)
SMALL_PX: Final = (80, 45)
BLOCKS: Final = (10, 5)  # columns and rows: a seated person hides three or four of the fifty
BLOCK_PX: Final = (SMALL_PX[0] // BLOCKS[0], SMALL_PX[1] // BLOCKS[1])
OUTLINE_SIGMA_PX: Final = 4.0  # of 80: what is broader than a tenth of the picture is light

DECIMATED_FROM_PX: Final = 1_280  # wider pictures are thinned first: an 8K one would cost 15 ms
MARGIN: Final = 0.02  # around a person's box: arms, and boxes that lag behind
SEEN_MAX: Final = 250  # looks: five minutes of one in 1.2 s; then what is new weighs 1/250
KNOWN_FROM: Final = 6  # looks before a spot counts as known: noise is down to 40 %
TEXTURE_MIN: Final = 2.0
# Grey levels RMS of outlines: less in a block is a bare wall, on which nothing can be compared.
OPEN_MIN: Final = 0.4  # of a block: less of it in view proves nothing
ALIKE_FROM: Final = 0.35  # correlation of a block's outlines; noise and blur leave 0.6, chance 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """A picture by fineness. ``grey`` and ``fine`` 180x320, ``mid`` 90x160, ``outline`` 45x80."""

    grey: Floats
    fine: Floats
    mid: Floats
    outline: Floats


def thinned(grey: Grey) -> Grey:
    """The picture, or every n-th pixel of a very large one."""
    step = max(grey.shape[1] // DECIMATED_FROM_PX, 1)
    return grey if step == 1 else np.ascontiguousarray(grey[::step, ::step])


def work_copy(grey: Grey) -> Floats:
    """A picture of any size as 180x320 floats."""
    # By a whole factor first: averaging over parts of pixels costs twenty times as much.
    factor = max(min(grey.shape[1] // WORK_PX[0], grey.shape[0] // WORK_PX[1]), 1)
    height, width = grey.shape[0] // factor * factor, grey.shape[1] // factor * factor
    small: Floats | Grey = grey
    if factor > 1:
        size = (width // factor, height // factor)
        small = np.asarray(
            cv2.resize(grey[:height, :width], size, interpolation=cv2.INTER_AREA), np.uint8
        )
    if (small.shape[1], small.shape[0]) != WORK_PX:
        small = np.asarray(cv2.resize(small, WORK_PX, interpolation=cv2.INTER_LINEAR), np.uint8)
    return small.astype(np.float32)


def bands_of(work: Floats) -> Bands:
    """Split a work copy."""
    mid = cv2.resize(work, MID_PX, interpolation=cv2.INTER_AREA)
    small = cv2.resize(mid, SMALL_PX, interpolation=cv2.INTER_AREA)
    return Bands(
        grey=work,
        fine=np.asarray(work - cv2.resize(mid, WORK_PX), np.float32),
        mid=np.asarray(mid - cv2.resize(small, MID_PX), np.float32),
        outline=np.asarray(small - cv2.GaussianBlur(small, (0, 0), OUTLINE_SIGMA_PX), np.float32),
    )


def polygon_mask(zones: Iterable[PictureZone], size_px: tuple[int, int]) -> Mask:
    """Where any of the zones is, on a picture of this width and height."""
    drawn = np.zeros((size_px[1], size_px[0]), np.uint8)
    for zone in zones:
        points = np.asarray(zone.points, np.float64) * size_px
        cv2.fillPoly(drawn, [np.round(points).astype(np.int32)], (1,))
    return drawn.astype(bool)


def open_spots(
    people: Sequence[Rect], masked: Mask | None, size_px: tuple[int, int] = SMALL_PX
) -> Mask:
    """Where the view itself is to be seen: no person, no mask."""
    width, height = size_px
    seen = np.ones((height, width), np.bool_) if masked is None else ~masked
    for rect in people:
        x1, x2 = int((rect.x1 - MARGIN) * width), int((rect.x2 + MARGIN) * width) + 1
        y1, y2 = int((rect.y1 - MARGIN) * height), int((rect.y2 + MARGIN) * height) + 1
        seen[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = False
    return seen


def masks_of(zones: Iterable[PictureZone]) -> tuple[PictureZone, ...]:
    """The zones that nobody looks at."""
    return tuple(zone for zone in zones if zone.kind is ZoneKind.MASK)


def by_block(small: NDArray[np.float32 | np.bool_]) -> Floats:
    """Sums over the blocks of something 45x80; 5x10."""
    rows, columns = BLOCKS[1], BLOCKS[0]
    parts = small.reshape(rows, BLOCK_PX[1], columns, BLOCK_PX[0])
    return np.asarray(parts.sum(axis=(1, 3)), np.float32)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A picture against the learned view.

    ``compared_share``: blocks of all that could be compared (texture, in view); ``lost_share``: of
    these, blocks that show something else; ``detail_ratio``: median over the compared blocks of
    their outlines' strength against the view's; ``sharpness``: fine detail of the view that is
    left, by the contrast that is left of its outlines (1: as usual; None: nothing to measure by).
    """

    compared_share: float
    lost_share: float
    detail_ratio: float
    sharpness: float | None


NOT_COMPARED: Final = Comparison(0.0, 0.0, 1.0, None)
FINE_MIN: Final = 0.8  # grey levels RMS of a view's fine detail: less cannot be told from noise
CONTRAST_LEFT_MIN: Final = 0.05  # of the outlines: below, nothing is left to measure by


class Background:
    """What a view looks like, learned pixel by pixel."""

    def __init__(self) -> None:
        self.mean: Floats = np.zeros((WORK_PX[1], WORK_PX[0]), np.float32)
        self.seen: Floats = np.zeros((SMALL_PX[1], SMALL_PX[0]), np.float32)
        """Looks that each spot was learned from, up to ``SEEN_MAX``."""
        self._bands: Bands | None = None

    @property
    def bands(self) -> Bands:
        """The learned view, split."""
        if self._bands is None:
            self._bands = bands_of(self.mean)
        return self._bands

    @property
    def known(self) -> Mask:
        """Spots (45x80) that were seen often enough."""
        return np.asarray(self.seen >= KNOWN_FROM, np.bool_)

    def learn(self, work: Floats, seen: Mask, *, least_share: float = 0.0) -> None:
        """Take in one picture where it is open; ``least_share``: it weighs at least this much."""
        share = np.maximum(1.0 / (self.seen + 1.0), least_share) * seen
        weight = cv2.resize(share.astype(np.float32), WORK_PX, interpolation=cv2.INTER_NEAREST)
        self.mean += weight * (work - self.mean)
        self.seen = np.minimum(self.seen + seen, SEEN_MAX).astype(np.float32)
        self._bands = None

    def textured(self, seen: Mask) -> tuple[Mask, Floats]:
        """Blocks (5x10) that can be compared, and the strength of the view in each."""
        spots = (seen & self.known).astype(np.float32)
        area = by_block(spots)
        power = by_block(spots * np.square(self.bands.outline))
        enough = area >= OPEN_MIN * BLOCK_PX[0] * BLOCK_PX[1]
        return enough & (power >= area * TEXTURE_MIN**2), power

    def compare(self, now: Bands, seen: Mask) -> Comparison:
        """Hold a picture against the view, where both are open."""
        textured, usual = self.textured(seen)
        if not textured.any():
            return NOT_COMPARED
        spots = (seen & self.known).astype(np.float32)
        both = by_block(spots * now.outline * self.bands.outline)
        power = by_block(spots * np.square(now.outline))
        alike = both / np.sqrt(np.maximum(usual * power, 1e-6))
        lost = textured & (alike < ALIKE_FROM)
        ratios = np.sqrt(power[textured] / usual[textured])
        return Comparison(
            compared_share=float(textured.mean()),
            lost_share=float(lost.sum() / textured.sum()),
            detail_ratio=float(np.median(ratios)),
            sharpness=self._sharpness(now, spots, textured),
        )

    def _sharpness(self, now: Bands, spots: Floats, textured: Mask) -> float | None:
        # By regression on the learned detail, not by energy: what noise adds to a picture is
        # nothing that this view has, and a lens out of focus leaves the noise as it is.
        blocks = cv2.resize(textured.astype(np.float32), SMALL_PX, interpolation=cv2.INTER_NEAREST)
        wide = np.asarray(spots * blocks, np.float32)
        outline = _regressed(now.outline, self.bands.outline, wide)
        if outline < CONTRAST_LEFT_MIN:
            return None
        spread = cv2.resize(wide, WORK_PX, interpolation=cv2.INTER_NEAREST).astype(np.float32)
        weighted = spread * self.bands.fine
        power = float(np.vdot(weighted, self.bands.fine))
        if power < FINE_MIN**2 * max(float(spread.sum()), 1.0):
            return None
        return float(np.vdot(weighted, now.fine)) / power / outline


def _regressed(now: Floats, usual: Floats, weights: Floats) -> float:
    """How much of ``usual`` is in ``now``: the factor that fits best."""
    weighted = weights * usual
    power = float(np.vdot(weighted, usual))
    return float(np.vdot(weighted, now)) / power if power > 0 else 0.0


def likeness(one: Floats, other: Floats, weights: Floats | None = None) -> float:
    """Correlation of two bands, -1 to 1; 0 where one of them is empty."""
    weighted = one if weights is None else one * weights
    both = float(np.vdot(weighted, other))
    first = float(np.vdot(weighted, one))
    second = float(np.vdot(other if weights is None else other * weights, other))
    return both / float(np.sqrt(first * second)) if first > 0 and second > 0 else 0.0
