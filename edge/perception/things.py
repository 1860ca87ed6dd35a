"""Finds what was left in, or taken from, the object zones drawn on a camera's picture.

Each zone's look is learned pixel by pixel while nobody is before it. A spot has changed when what
it shows is not what was learned in another light: brightness and contrast of the learned patch are
fitted first, so a lamp or a soft shadow explains itself, and a thing does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.units import CameraId
from contracts.zones import PictureZone, ZoneKind
from edge.core.people import Instant, Rect, Track
from edge.core.things import ObjectZoneSeen, ThingChange, ThingSeen, ThingsSeen
from edge.perception.background import Floats, Mask, polygon_mask
from edge.ports import Frame, Grey

LOOK_MS: Final = 400  # as the picture's health
LOOK_EARLY_MS: Final = 60
WIDTH_MAX_PX: Final = 640  # a phone on a table is 15 pixels of it
SMOOTH_SIGMA_PX: Final = 1.0  # takes sensor noise down to a third
LOCAL_SIGMA_PX: Final = 5.0  # what is broader is light: soft shadows, daylight
WINDOW_PX: Final = 13  # of one fit: an edge of a thing and something on both sides of it
RECENT_SHARE: Final = 0.7  # of a look in what a zone shows: whoever walks through leaves a blur
SEEN_MAX: Final = 750  # looks: five minutes
KNOWN_FROM: Final = 10
STRANGE_LEVELS: Final = 5.0
# Grey levels RMS in a window that light cannot explain; noise of sigma 5 leaves 1.5 of it.
STRANGE_SHARE: Final = 0.5  # of the window's own strength: coding and blur change a part of it
CHANGED_MAX: Final = 0.6  # of a zone: more is no thing but a lamp, or the camera
AREA_MIN_PX: Final = 60  # of 640: a spot of 8 by 8 is coding
NEAR: Final = 0.015  # of the picture: an arm beyond the box
ONE_SIDED: Final = 1.3
# Times the strength of the other side: a thing adds edges where it lies, and its going takes them.
SAME_OVERLAP: Final = 0.3
MISSED_MAX: Final = 3  # looks that a spot may not be found in and still be the same one
SPOTS_MAX: Final = 8  # of one zone


class ThingWatcher:
    """The object zones of one camera. Called by one thread at a time."""

    def __init__(self, camera_id: CameraId) -> None:
        self._camera_id = camera_id
        self._looked_ms: int | None = None
        self._zones: tuple[PictureZone, ...] = ()
        self._spots: tuple[_ZoneView, ...] = ()
        self._size_px = (0, 0)
        self._forget = False

    def accept_view(self) -> None:
        """A person says that what the zones show now is right: learn them anew. Any thread."""
        self._forget = True

    def reset(self) -> None:
        """The camera was away; what it showed before still holds."""
        self._looked_ms = None

    def take(
        self, frame: Frame, tracks: Sequence[Track], zones: Sequence[PictureZone]
    ) -> ThingsSeen | None:
        """What became of the zones; None: it is not yet time, or there is no object zone."""
        return self.measure(frame.grey, frame.at, tracks, zones)

    def measure(
        self, grey: Grey, at: Instant, tracks: Sequence[Track], zones: Sequence[PictureZone]
    ) -> ThingsSeen | None:
        """As ``take``, for a brightness plane of any size (height x width)."""
        looked = self._looked_ms
        if looked is not None and at.mono_ms - looked < LOOK_MS - LOOK_EARLY_MS:
            return None
        mine = tuple(zone for zone in zones if zone.kind is ZoneKind.OBJECT)
        if not mine and not self._zones:
            return None
        self._looked_ms = at.mono_ms
        scaled = _scaled(grey)
        size_px = (scaled.shape[1], scaled.shape[0])
        if mine != self._zones or size_px != self._size_px or self._forget:
            self._forget, self._zones, self._size_px = False, mine, size_px
            self._spots = tuple(_ZoneView(zone, size_px) for zone in mine)
        boxes = [track.rect for track in tracks]
        seen = tuple(spot.take(scaled, boxes, at) for spot in self._spots)
        return ThingsSeen(self._camera_id, at, seen)


def _scaled(grey: Grey) -> Grey:
    height, width = grey.shape[:2]
    if width <= WIDTH_MAX_PX:
        return grey
    size = (WIDTH_MAX_PX, max(round(height * WIDTH_MAX_PX / width), 1))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


@dataclass(slots=True)
class _Spot:
    """A changed spot, followed from look to look."""

    change: ThingChange
    rect: Rect
    area_share: float
    since: Instant
    missed: int = 0
    attended: bool = False


class _ZoneView:
    """One zone: how it looks, how it looks now, and what is followed in it."""

    def __init__(self, zone: PictureZone, size_px: tuple[int, int]) -> None:
        self._zone = zone
        self._size_px = size_px
        inside = polygon_mask((zone,), size_px)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        self._empty = not rows.size
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 1)
        left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 1)
        self._part = (slice(top, bottom), slice(left, right))
        self._origin = (left, top)
        self._inside = inside[self._part]
        self._mean: Floats = np.zeros(self._inside.shape, np.float32)
        self._seen: Floats = np.zeros(self._inside.shape, np.float32)
        self._recent: Floats | None = None
        self._spots: list[_Spot] = []

    def take(self, grey: Grey, people: Sequence[Rect], at: Instant) -> ObjectZoneSeen:
        if self._empty:
            return ObjectZoneSeen(self._zone.id, judged=False)
        now = _local(grey[self._part].astype(np.float32))
        free = self._free_of(people)
        self._remember(now, free)
        known = free & (self._seen >= KNOWN_FROM) & self._inside
        if self._recent is None or known.sum() < AREA_MIN_PX:
            self._learn(now, free)
            return ObjectZoneSeen(self._zone.id, judged=False)
        left, taken = _strange(self._recent, self._mean)
        changed = known & (np.maximum(left, taken) > 1.0)
        share = float(changed.sum() / known.sum())
        if share > CHANGED_MAX:
            return ObjectZoneSeen(self._zone.id, judged=False)
        self._learn(now, free & ~_wider(changed))
        self._follow(changed, left, taken, at)
        self._attend(people, at)
        things = tuple(
            ThingSeen(spot.change, spot.rect, spot.area_share, spot.since, spot.attended)
            for spot in self._spots
            if not spot.missed
        )
        return ObjectZoneSeen(self._zone.id, judged=True, things=things)

    def _attend(self, people: Sequence[Rect], at: Instant) -> None:
        """Who is at, or before, each spot; one that is hidden is not gone."""
        near = [Rect(one.x1 - NEAR, one.y1 - NEAR, one.x2 + NEAR, one.y2 + NEAR) for one in people]
        for spot in self._spots:
            spot.attended = any(spot.rect.shared_area(rect) > 0 for rect in near)
            if spot.attended:
                spot.missed, spot.since = 0, at
        self._spots = [spot for spot in self._spots if spot.missed <= MISSED_MAX]

    def _free_of(self, people: Sequence[Rect]) -> Mask:
        """Where no person is before the zone."""
        free = np.ones(self._inside.shape, np.bool_)
        width, height = self._size_px
        left, top = self._origin
        for rect in people:
            x1 = int((rect.x1 - NEAR) * width) - left
            x2 = int((rect.x2 + NEAR) * width) + 1 - left
            y1 = int((rect.y1 - NEAR) * height) - top
            y2 = int((rect.y2 + NEAR) * height) + 1 - top
            free[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = False
        return free

    def _remember(self, now: Floats, free: Mask) -> None:
        if self._recent is None:
            self._recent = now.copy()
            return
        weight = np.where(free, RECENT_SHARE, 0.0).astype(np.float32)
        self._recent += weight * (now - self._recent)

    def _learn(self, now: Floats, free: Mask) -> None:
        self._mean += (free / (self._seen + 1.0)).astype(np.float32) * (now - self._mean)
        self._seen = np.minimum(self._seen + free, SEEN_MAX).astype(np.float32)

    def _follow(self, changed: Mask, left: Floats, taken: Floats, at: Instant) -> None:
        for spot in self._spots:
            spot.missed += 1
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            _closed(changed).astype(np.uint8), connectivity=8
        )
        order = sorted(range(1, count), key=lambda n: -int(stats[n, cv2.CC_STAT_AREA]))
        for number in order[:SPOTS_MAX]:
            area = int(stats[number, cv2.CC_STAT_AREA])
            if area < AREA_MIN_PX:
                break
            spot = labels == number
            change = _which(float(left[spot].sum()), float(taken[spot].sum()))
            self._found(change, self._rect(stats[number]), self._share(area), at)

    def _found(self, change: ThingChange, rect: Rect, share: float, at: Instant) -> None:
        same = [
            spot for spot in self._spots if spot.missed and spot.rect.overlap(rect) >= SAME_OVERLAP
        ]
        if not same:
            self._spots.append(_Spot(change, rect, share, at))
            return
        best = max(same, key=lambda spot: spot.rect.overlap(rect))
        best.rect, best.area_share, best.missed = rect, share, 0
        best.change = change

    def _rect(self, stats: NDArray[np.int32]) -> Rect:
        width, height = self._size_px
        x = int(stats[cv2.CC_STAT_LEFT]) + self._origin[0]
        y = int(stats[cv2.CC_STAT_TOP]) + self._origin[1]
        x2, y2 = x + int(stats[cv2.CC_STAT_WIDTH]), y + int(stats[cv2.CC_STAT_HEIGHT])
        return Rect(x / width, y / height, x2 / width, y2 / height)

    def _share(self, area_px: int) -> float:
        return area_px / (self._size_px[0] * self._size_px[1])


def _local(crop: Floats) -> Floats:
    """What is finer than light and coarser than noise."""
    smooth = cv2.GaussianBlur(crop, (0, 0), SMOOTH_SIGMA_PX)
    return np.asarray(smooth - cv2.GaussianBlur(crop, (0, 0), LOCAL_SIGMA_PX), np.float32)


def _mean(values: Floats) -> Floats:
    return np.asarray(
        cv2.boxFilter(values, -1, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_REFLECT),
        np.float32,
    )


def _strange(now: Floats, usual: Floats) -> tuple[Floats, Floats]:
    """What of the present, and what of the learned, the other does not explain.

    In units of the threshold: above 1 is strange. Each is the residual of a fit of one on the
    other in a window, so that a change of contrast alone leaves nothing.
    """
    mean_now, mean_usual = _mean(now), _mean(usual)
    power_now = np.maximum(_mean(now * now) - mean_now**2, 1e-3)
    power_usual = np.maximum(_mean(usual * usual) - mean_usual**2, 1e-3)
    both = np.maximum(_mean(now * usual) - mean_now * mean_usual, 0.0)
    unexplained = 1.0 - np.minimum(both**2 / (power_now * power_usual), 1.0)
    fits_badly = unexplained >= STRANGE_SHARE**2
    left = np.sqrt(power_now * unexplained) / STRANGE_LEVELS * fits_badly
    taken = np.sqrt(power_usual * unexplained) / STRANGE_LEVELS * fits_badly
    return left.astype(np.float32), taken.astype(np.float32)


def _which(left: float, taken: float) -> ThingChange:
    return ThingChange.TAKEN if taken > left * ONE_SIDED else ThingChange.LEFT


def _wider(changed: Mask) -> Mask:
    kernel = np.ones((7, 7), np.uint8)
    return cv2.dilate(changed.astype(np.uint8), kernel).astype(bool)


def _closed(changed: Mask) -> Mask:
    kernel = np.ones((9, 9), np.uint8)
    return cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(bool)
