"""Measures what a camera's picture may suffer from, against the view that it has learned."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.units import CameraId
from contracts.zones import PictureZone
from edge.core.people import Instant, Track
from edge.core.pictures import PictureSigns, Shift
from edge.perception import background as bg
from edge.perception.background import (
    NOT_COMPARED,
    Background,
    Bands,
    Comparison,
    Floats,
    Mask,
)
from edge.perception.view_file import ViewFile
from edge.ports import Frame, Grey

LOOK_MS: Final = 400  # every second picture at 5 fps: an alert is at most one look late
LOOK_EARLY_MS: Final = 60  # pictures come early or late
LIGHT_BACK_MS: Final = 1_000  # a fluorescent tube takes half a second to come on
LIGHTS_KEPT: Final = 6
SAVE_EVERY_MS: Final = 600_000  # a view changes over months; a restart may lose ten minutes of it
LEARN_EVERY: Final = 3  # looks, once the view is known: it changes slowly, and learning costs
LEARNED_FROM: Final = 10  # looks before the view is compared with: four seconds
TEXTURED_MIN: Final = 0.1  # of the blocks: with less there is no view worth the name
NEW_VIEW_SHARE: Final = 0.2  # while no view is known, a new picture replaces the old within seconds

# What must hold for a picture to be learned from: the view as usual, or nearly.
LEARN_LOST_MAX: Final = 0.4
LEARN_SHARP_MIN: Final = 0.7
LEARN_BLACK_MAX: Final = 0.7
LEARN_BURNT_MAX: Final = 0.5
LEARN_SHIFT_MAX: Final = 0.006  # four pixels of 640: nothing else would ever bring it back

BLACK_BELOW: Final = 25  # grey levels: somebody in red before this cannot be told from the wall
BURNT_FROM: Final = 250

SEARCHED_FROM: Final = 0.05  # of the usual outlines: a dark room leaves 0.06, a cloth 0.03
OVERLAP_MIN: Final = 0.4  # of the view that must still be in the picture, to be recognised by
UNMOVED_SHARP_MIN: Final = 0.8
UNMOVED_LOST_MAX: Final = 0.1
SHIFT_MIN: Final = 0.004  # of the picture: below, it is the coding
SHIFT_BETTER: Final = 0.15  # the moved view must fit so much better than the unmoved
ROLL_BELOW: Final = 0.5  # likeness of the unmoved view: as good as this, nothing has been turned
PHASE_SURE_FROM: Final = 0.6  # a camera that was also rolled leaves the middle band 0.2
ROLL_STEPS: Final = 30  # of the search; it mostly ends after ten
SHIFT_OPEN_MIN: Final = 0.25  # of the picture: a crowd leaves too little to measure by

STILL_GRID: Final = (32, 18)
STILL_SHARE_MAX: Final = 0.05  # of the picture: the line with date and time that cameras draw
CHANGED_PLAINLY: Final = 0.1  # of the pixels: no clock is as large; spares counting the blocks
REDRAWN_LEVELS: Final = 2.0  # what coding the same picture anew changes in a block's mean
REDRAWN_SHARE_MAX: Final = (
    0.5  # of the looks: noise changes every picture, a key frame now and then
)


class PictureHealth:
    """The health of one camera's picture. Called by one thread at a time; about 0.6 ms a look.

    ``memory``: where the learned view outlives the process; None: it is learned anew.
    """

    def __init__(self, camera_id: CameraId, memory: ViewFile | None = None) -> None:
        self._camera_id = camera_id
        self._memory = memory
        self._view = Background()
        self._looks = self._index = 0
        self._forget = False
        if memory is not None and (kept := memory.load()) is not None:
            self._view = kept
            self._looks = LEARNED_FROM
        self._looked_ms: int | None = None
        self._saved_ms: int | None = None
        self._before: Bands | None = None
        self._lights: deque[tuple[int, Floats]] = deque(maxlen=LIGHTS_KEPT)
        self._stillness = _Stillness()
        self._zones: tuple[PictureZone, ...] = ()
        self._masked: Mask | None = None

    def accept_view(self) -> None:
        """A person says that what the camera shows now is right: learn the view anew.

        From any thread; holds from the next look on.
        """
        self._forget = True

    def reset(self) -> None:
        """The camera was away: what it showed before says nothing of how it moves now."""
        self._before = None
        self._lights.clear()
        self._stillness = _Stillness()

    def take(
        self, frame: Frame, tracks: Sequence[Track], zones: Sequence[PictureZone]
    ) -> PictureSigns | None:
        """What one picture shows; None: it is not yet time to look again."""
        return self.measure(frame.grey, frame.at, tracks, zones)

    def measure(
        self, grey: Grey, at: Instant, tracks: Sequence[Track], zones: Sequence[PictureZone]
    ) -> PictureSigns | None:
        """As ``take``, for a brightness plane of any size (height x width)."""
        looked = self._looked_ms
        if looked is not None and at.mono_ms - looked < LOOK_MS - LOOK_EARLY_MS:
            return None
        self._looked_ms = at.mono_ms
        if self._forget:
            self._start_over()
        grey = bg.thinned(grey)
        now = bg.bands_of(bg.work_copy(grey))
        self._draw_masks(tuple(zones))
        seen = bg.open_spots([track.rect for track in tracks], self._masked)
        signs = self._signs(grey, now, seen, at, len(tracks))
        self._index += 1
        due = not signs.known or self._index % LEARN_EVERY == 0
        if due and self._may_learn(signs):
            new = self._looks >= LEARNED_FROM and not signs.known
            self._view.learn(now.grey, seen, least_share=NEW_VIEW_SHARE if new else 0.0)
            self._looks = min(self._looks + 1, LEARNED_FROM)
        if signs.known and _unlike(signs):
            self._lights.clear()  # when what hides the view goes, that is no switch of the light
        self._save(at, signs)
        self._before = now
        return signs

    def _start_over(self) -> None:
        self._forget = False
        self._view, self._looks, self._saved_ms = Background(), 0, None
        if self._memory is not None:
            self._memory.drop()

    def _draw_masks(self, zones: tuple[PictureZone, ...]) -> None:
        if zones == self._zones:
            return
        self._zones = zones
        masks = bg.masks_of(zones)
        self._masked = bg.polygon_mask(masks, bg.SMALL_PX) if masks else None

    def _is_known(self) -> bool:
        if self._looks < LEARNED_FROM:
            return False
        textured, _ = self._view.textured(np.ones_like(self._view.known))
        return bool(textured.mean() >= TEXTURED_MIN)

    def _signs(self, grey: Grey, now: Bands, seen: Mask, at: Instant, people: int) -> PictureSigns:
        known = self._is_known()
        compared = self._view.compare(now, seen) if known else NOT_COMPARED
        copy = now.grey
        still_since, refreshed = self._stillness.take(grey, copy, at)
        return PictureSigns(
            camera_id=self._camera_id,
            at=at,
            brightness=float(copy.mean()),
            black_share=float((copy < BLACK_BELOW).mean()),
            burnt_share=float((copy >= BURNT_FROM).mean()),
            contrast=math.sqrt(float(np.square(now.outline).mean())),
            known=known,
            compared_share=compared.compared_share,
            lost_share=compared.lost_share,
            detail_ratio=compared.detail_ratio,
            sharpness=compared.sharpness,
            shift=self._shift(now, seen, compared) if known else None,
            steady=1.0
            if self._before is None
            else bg.likeness(now.outline, self._before.outline, seen.astype(np.float32)),
            light_ratio=self._light_ratio(copy, at),
            still_since=still_since,
            refreshed=refreshed,
            people=people,
        )

    def _shift(self, now: Bands, seen: Mask, compared: Comparison) -> Shift | None:
        sharp = compared.sharpness is not None and compared.sharpness >= UNMOVED_SHARP_MIN
        if sharp and compared.lost_share <= UNMOVED_LOST_MAX:
            return Shift(0.0, 0.0, 1.0)  # a shift of two pixels would have cost the fine detail
        if compared.detail_ratio < SEARCHED_FROM:
            return None  # in a picture without outlines a search finds what it likes
        return shift_of(self._view, now, seen)

    def _light_ratio(self, copy: Floats, at: Instant) -> float:
        blocks = cv2.resize(copy, bg.BLOCKS, interpolation=cv2.INTER_AREA).astype(np.float32)
        while len(self._lights) > 1 and at.mono_ms - self._lights[1][0] >= LIGHT_BACK_MS:
            self._lights.popleft()
        before = self._lights[0][1] if self._lights else blocks
        self._lights.append((at.mono_ms, blocks))
        # A median: whoever walks past the lens changes a part of the picture, a lamp all of it.
        return float(np.median((blocks + 1.0) / (before + 1.0)))

    def _may_learn(self, signs: PictureSigns) -> bool:
        if not signs.known:
            return True
        return (
            signs.lost_share <= LEARN_LOST_MAX
            and (signs.sharpness is None or signs.sharpness >= LEARN_SHARP_MIN)
            and signs.black_share <= LEARN_BLACK_MAX
            and signs.burnt_share <= LEARN_BURNT_MAX
            and (signs.shift is None or signs.shift.length <= LEARN_SHIFT_MAX)
        )

    def _save(self, at: Instant, signs: PictureSigns) -> None:
        if self._memory is None or not signs.known:
            return
        if self._saved_ms is None or at.mono_ms - self._saved_ms >= SAVE_EVERY_MS:
            self._saved_ms = at.mono_ms
            self._memory.keep(self._view)


def _unlike(signs: PictureSigns) -> bool:
    return (
        signs.lost_share > LEARN_LOST_MAX
        or signs.black_share > LEARN_BLACK_MAX
        or signs.burnt_share > LEARN_BURNT_MAX
    )


def shift_of(view: Background, now: Bands, seen: Mask) -> Shift | None:
    """How far the picture lies from the learned view; None where that cannot be told.

    By phase correlation (Kuglin and Hines, 1975) of the middle band; where that finds nothing, the
    camera may have been rolled: by maximising the correlation of the outlines over shift and roll
    (Evangelidis and Psarakis, 2008). Either is believed only if the view moved by as much fits much
    better than the view as it is. People and masks are left out of both pictures.
    """
    spots = np.asarray(seen & view.known, np.float32)
    if float(spots.mean()) < SHIFT_OPEN_MIN:
        return None
    weights = cv2.resize(spots, bg.MID_PX).astype(np.float32)
    shift, unmoved = _by_phase(view.bands.mid, now.mid, weights)
    if unmoved < ROLL_BELOW and (shift is None or shift.certainty < PHASE_SURE_FROM):
        shift = _by_outlines(view.bands.outline, now.outline, spots) or shift
    return shift if shift is not None else Shift(0.0, 0.0, max(unmoved, 0.0))


def _by_phase(usual: Floats, shown: Floats, weights: Floats) -> tuple[Shift | None, float]:
    """The shift, if one is found, and how well the view fits unmoved."""
    usual, shown = np.asarray(usual * weights), np.asarray(shown * weights)
    window = cv2.createHanningWindow(bg.MID_PX, cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(usual, shown, window)
    place = np.asarray([[1, 0, dx], [0, 1, dy]], np.float32)
    fits, unmoved = _fits(usual, shown, weights, place)
    width, height = bg.MID_PX
    found = math.hypot(dx / width, dy / height) >= SHIFT_MIN and fits >= unmoved + SHIFT_BETTER
    shift = Shift(round(dx / width, 4), round(dy / height, 4), round(max(fits, 0.0), 3))
    return (shift if found else None), unmoved


def _by_outlines(usual: Floats, shown: Floats, weights: Floats) -> Shift | None:
    """Shift and roll of the outlines, if they are found."""
    place = _nearest(usual, shown)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ROLL_STEPS, 1e-3)
    mask = (weights > 0).astype(np.uint8)
    try:
        _, found = cv2.findTransformECC(usual, shown, place, cv2.MOTION_EUCLIDEAN, stop, mask, 5)
    except cv2.error:
        return None  # it did not converge: nothing of the view is there
    # ECC maps the view's places to the picture's; warpAffine wants the same unless told otherwise.
    place = np.asarray(found, np.float32)
    fits, unmoved = _fits(usual, shown, weights, place)
    corner = np.asarray(cv2.warpAffine(weights, place, bg.SMALL_PX), np.float32)
    if fits < unmoved + SHIFT_BETTER or float(corner.mean()) < OVERLAP_MIN * float(weights.mean()):
        return None
    width, height = bg.SMALL_PX
    middle = place @ np.asarray([width / 2, height / 2, 1], np.float32)
    return Shift(
        round(float(middle[0] - width / 2) / width, 4),
        round(float(middle[1] - height / 2) / height, 4),
        round(fits, 3),
        round(math.degrees(math.atan2(place[1, 0], place[0, 0])), 2),
    )


def _nearest(usual: Floats, shown: Floats) -> NDArray[np.float32]:
    """Where the middle of the view is found again: the start of a finer search."""
    height, width = usual.shape
    top, left = height // 4, width // 4
    middle = usual[top : height - top, left : width - left]
    found = cv2.matchTemplate(shown, middle, cv2.TM_CCOEFF_NORMED)
    _, _, _, (x, y) = cv2.minMaxLoc(found)
    return np.asarray([[1, 0, x - left], [0, 1, y - top]], np.float32)


def _fits(
    usual: Floats, shown: Floats, weights: Floats, place: NDArray[np.float32]
) -> tuple[float, float]:
    """Likeness of the picture with the moved view, and with the view as it is."""
    size = (usual.shape[1], usual.shape[0])
    moved = cv2.warpAffine(usual, place, size).astype(np.float32)
    kept = np.asarray(cv2.warpAffine(weights, place, size) * weights, np.float32)
    return bg.likeness(moved, shown, kept), bg.likeness(usual, shown, kept)


class _Stillness:
    """Since when all pictures have been the same."""

    def __init__(self) -> None:
        self._before: Grey | None = None
        self._anchor: Floats | None = None
        self._since: Instant | None = None
        self._looks = 0
        self._redrawn = 0

    def take(self, grey: Grey, copy: Floats, at: Instant) -> tuple[Instant | None, bool]:
        """Since when (None: this one is another), and whether it was drawn anew meanwhile."""
        before, self._before = self._before, grey
        means = cv2.resize(copy, STILL_GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        if before is None or before.shape != grey.shape or self._anchor is None:
            return self._begin(means, at)
        self._looks += 1
        if _changed_share(before, grey) <= STILL_SHARE_MAX:
            return self._since, self._redrawn > 0
        self._redrawn += 1
        far = np.abs(means - self._anchor) > REDRAWN_LEVELS
        often = self._redrawn > max(2.0, REDRAWN_SHARE_MAX * self._looks)
        if float(far.mean()) > STILL_SHARE_MAX or often:
            return self._begin(means, at)
        return self._since, True

    def _begin(self, means: Floats, at: Instant) -> tuple[None, bool]:
        self._anchor, self._since, self._looks, self._redrawn = means, at, 0, 0
        return None, False


def _changed_share(before: Grey, now: Grey) -> float:
    """Blocks in which a single pixel is another, of all blocks."""
    differs = cv2.absdiff(before, now)
    count = cv2.countNonZero(differs)
    if count == 0:
        return 0.0
    if count > CHANGED_PLAINLY * differs.size:
        return 1.0
    marks = (differs > 0).astype(np.float32)
    return float((cv2.resize(marks, STILL_GRID, interpolation=cv2.INTER_AREA) > 0).mean())
