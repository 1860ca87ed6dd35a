"""Follows people from picture to picture: best overall match by overlap, then by distance.

Faint finds (below the detector's threshold) never prove a person: they keep one who is known, and
they begin a track that only sure finds can confirm. So somebody cut by a door frame is seen since
the first faint sight, and nobody is counted because of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.core.people import Detection, Instant, Rect, Track

OVERLAP_MIN = 0.2
# At 5 fps a walking person still overlaps the box of the picture before by about a third.
REACH_SHARE = 0.75
# Without overlap, the centre may move by this share of the larger box's diagonal (standing up).
SIZE_RATIO_MIN = 0.3  # a box that shrinks to less than this is somebody else
SMOOTHING_SHARE = 0.7  # share of the way to the new box: calm boxes, under 100 ms of lag at 5 fps
ALONE_SHARE = 0.5  # a faint box that shares more with a person is a part of that person
KEEP_MS = 1_000
# A person whom the detector misses for a few pictures has not left.
KEEP_SETTLED_MS = 4_000
# Somebody who has sat for long and is not found is hidden far more often than gone.
SETTLED_AFTER_MS = 8_000
SETTLED_RADIUS_SHARE = 0.6  # of the box's width: leaning and reaching are not moving away
TRACKS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Followed:
    track: Track
    anchor: Rect
    """Where the person settled, or was when last seen moving."""
    anchored_mono_ms: int


class IouTracker:
    """Tracks of one camera. No prediction: people in rooms stop and turn more than they walk."""

    def __init__(self, *, sure_from: float = 0.25) -> None:
        self._sure_from = sure_from
        self._followed: tuple[_Followed, ...] = ()
        self._last_number = 0

    def reset(self) -> None:
        """Forget everybody; numbers are not used again."""
        self._followed = ()

    def update(self, found: Sequence[Detection], at: Instant) -> tuple[Track, ...]:
        """Take the detections of one picture; give everybody followed, seen in it or not."""
        sure = [one for one in found if one.score >= self._sure_from]
        faint = [one for one in found if one.score < self._sure_from]
        seen = self._match(range(len(self._followed)), sure)
        rest = [index for index in range(len(self._followed)) if index not in seen]
        glimpsed = _assign(
            [self._followed[index].track.rect for index in rest],
            [one.rect for one in faint],
            _overlap_likeness,
        )
        glimpses = {rest[one]: faint[other] for one, other in glimpsed.items()}
        followed: list[_Followed] = []
        for index, person in enumerate(self._followed):
            if index in seen:
                followed.append(_seen_again(person, sure[seen[index]], at, sure=True))
            elif index in glimpses:
                followed.append(_seen_again(person, glimpses[index], at, sure=False))
            elif at.mono_ms - person.track.last_seen_mono_ms <= _keep_ms(person.track):
                followed.append(replace(person, track=replace(person.track, detected=False)))
        taken = set(seen.values())
        new = [(one, True) for number, one in enumerate(sure) if number not in taken]
        new += [(one, False) for one in faint if _stands_alone(one.rect, followed)]
        for detection, is_sure in new[: max(TRACKS_MAX - len(followed), 0)]:
            followed.append(self._new(detection, at, sure=is_sure))
        self._followed = tuple(followed)
        return tuple(person.track for person in followed)

    def _new(self, detection: Detection, at: Instant, *, sure: bool) -> _Followed:
        self._last_number += 1
        track = Track(self._last_number, detection.rect, detection.score, sure, at, at.mono_ms)
        return _Followed(track, detection.rect, at.mono_ms)

    def _match(self, who: Sequence[int], found: Sequence[Detection]) -> dict[int, int]:
        """Index of each followed person to the index of the find that is the same person."""
        people = [self._followed[index].track.rect for index in who]
        boxes = [detection.rect for detection in found]
        pairs = _assign(people, boxes, _overlap_likeness)
        # Second look, before a new track is made: who was lost or changed shape is met near by.
        people_left = [index for index in range(len(people)) if index not in pairs]
        boxes_left = [index for index in range(len(boxes)) if index not in set(pairs.values())]
        again = _assign(
            [people[index] for index in people_left],
            [boxes[index] for index in boxes_left],
            _nearness,
        )
        return pairs | {people_left[one]: boxes_left[other] for one, other in again.items()}


def _overlap_likeness(one: Rect, other: Rect) -> float:
    overlap = one.overlap(other)
    return overlap if overlap >= OVERLAP_MIN else 0.0


def _nearness(one: Rect, other: Rect) -> float:
    larger, smaller = max(one.area, other.area), min(one.area, other.area)
    if larger <= 0 or smaller / larger < SIZE_RATIO_MIN:
        return 0.0
    (x1, y1), (x2, y2) = one.centre, other.centre
    distance = float(np.hypot(x1 - x2, y1 - y2))
    wide = one if one.area >= other.area else other
    reach = REACH_SHARE * float(np.hypot(wide.width, wide.height))
    return max(1.0 - distance / reach, 0.0) if reach > 0 else 0.0


def _assign(
    people: Sequence[Rect], boxes: Sequence[Rect], likeness: Callable[[Rect, Rect], float]
) -> dict[int, int]:
    """The pairing with the greatest sum of likeness; pairs without any likeness are left out."""
    if not people or not boxes:
        return {}
    gains = np.array([[likeness(person, box) for box in boxes] for person in people])
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if gains[row, column] > 0
    }


def _stands_alone(rect: Rect, followed: Sequence[_Followed]) -> bool:
    """Whether a faint find is not just another box on somebody who is followed."""
    return all(
        rect.shared_area(person.track.rect) < ALONE_SHARE * min(rect.area, person.track.rect.area)
        for person in followed
    )


def _keep_ms(track: Track) -> int:
    return KEEP_SETTLED_MS if track.settled else KEEP_MS


def _seen_again(person: _Followed, detection: Detection, at: Instant, *, sure: bool) -> _Followed:
    rect = person.track.rect.towards(detection.rect, SMOOTHING_SHARE)
    anchor, anchored = person.anchor, person.anchored_mono_ms
    (x1, y1), (x2, y2) = anchor.centre, rect.centre
    if float(np.hypot(x1 - x2, y1 - y2)) > SETTLED_RADIUS_SHARE * max(rect.width, anchor.width):
        anchor, anchored = rect, int(at.mono_ms)
    track = replace(
        person.track,
        rect=rect,
        score=detection.score,
        detected=sure,
        last_seen_mono_ms=at.mono_ms,
        settled=at.mono_ms - anchored >= SETTLED_AFTER_MS,
    )
    return _Followed(track, anchor, anchored)
