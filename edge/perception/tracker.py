"""Follows people from picture to picture: best overall match by overlap, then by distance.

Three kinds of silence are kept apart. A person who was *not looked at* is as before. One who is
*missed* where somebody looked is kept for seconds: detectors lose seated people. One who is
*hidden*, behind somebody known who stands in front, is kept for longer. Each has its bound.

Faint finds (below the detector's threshold) never prove a person: they keep one who is known, and
they begin a track that only sure finds can confirm. So somebody cut by a door frame is seen since
the first faint sight, and nobody is counted because of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.units import MonoMs, UtcMs
from edge.core.people import Detection, Instant, Rect, Thing, Track
from edge.perception.pairing import contains, near_paired, paired, parts_paired, shares_with_any

SMOOTHING_SHARE = 0.7  # share of the way to the new box: calm boxes, under 100 ms of lag at 5 fps
ALONE_SHARE = 0.5  # a faint box that shares more with a person is a part of that person
STAYS_OVERLAP = 0.6
# Of a faint find with where somebody was, to say that they still are there. The back of a chair
# has less of the box of who has just risen from it.
LOOKED_SHARE = 0.5  # of a person's box must lie where somebody looked, or a miss says nothing
KEEP_MS = 1_000
# A person whom the detector misses for a few pictures has not left.
KEEP_SETTLED_MS = 4_000
# Somebody who has sat for long and is not found is hidden far more often than gone.
KEEP_HIDDEN_MS = 20_000
# Behind a waiter or a colleague who bends over the table; longer, and it is a person who left.
HIDDEN_SHARE = 0.5  # of the box, covered by somebody who was known before
MISSES_MIN = 3
# Looks come every second or two at settled people: a time alone would let one miss end a track.
UNLOOKED_MAX_MS = 60_000
# Attention comes back to everybody within seconds. After a minute nobody knows who is there.
GLIMPSED_MAX_MS = 30_000
# A coat on a chair gives faint finds for ever; a person is found surely now and then.
FAINT_DATES_MS = 600
# How much longer than surely seen a person may have been there: three pictures, the time of coming
# through a door. A coat that is glimpsed all day must not make its first sure find a day old.
VELOCITY_SHARE = 0.5  # of the newest step in the velocity: calm at 5 fps, right after two pictures
PREDICT_MAX_MS = 600  # people in rooms stop and turn; further ahead a straight line is a guess
SETTLED_AFTER_MS = 8_000
SETTLED_RADIUS_SHARE = 0.6  # of the box's width: leaning and reaching are not moving away
TRACKS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Followed:
    track: Track
    anchor: Rect
    """Where the person settled, or was when last seen moving."""
    anchored_mono_ms: int
    proven_mono_ms: int | None
    """When last found surely; None: never yet."""
    looked_mono_ms: int
    missed_mono_ms: int | None = None
    """When first missed since the last find; None: found, or nobody has looked since."""
    misses: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)
    """Of the centre, in shares of the picture a millisecond; nought of who has settled."""

    def expected(self, at: Instant) -> Rect:
        """Where the person is by now, walking on as before for a short while."""
        rect, ahead_ms = self.track.rect, at.mono_ms - self.track.last_seen_mono_ms
        ahead_ms = min(max(ahead_ms, 0), PREDICT_MAX_MS)
        x, y = self.velocity[0] * ahead_ms, self.velocity[1] * ahead_ms
        return Rect(rect.x1 + x, rect.y1 + y, rect.x2 + x, rect.y2 + y)


class IouTracker:
    """Tracks of one camera, with rules for people who sit for hours (``docs/adr/0008``)."""

    def __init__(self, *, sure_from: float = 0.25) -> None:
        self._sure_from = sure_from
        self._followed: tuple[_Followed, ...] = ()
        self._last_number = 0

    def reset(self) -> None:
        """Forget everybody; numbers are not used again."""
        self._followed = ()

    def update(
        self,
        found: Sequence[Detection],
        at: Instant,
        looked: tuple[Rect, ...] | None = None,
    ) -> tuple[Track, ...]:
        """See ``ports.Tracker``. Finds of other things than people are passed over."""
        people = [one for one in found if one.thing is Thing.PERSON]
        sure = [one for one in people if one.score >= self._sure_from]
        faint = [one for one in people if one.score < self._sure_from]
        seen = self._matched(sure, faint, at)
        followed = [
            _seen_again(person, seen[index], at, sure=seen[index].score >= self._sure_from)
            for index, person in enumerate(self._followed)
            if index in seen
        ]
        unseen = [person for index, person in enumerate(self._followed) if index not in seen]
        followed += self._unseen(unseen, tuple(followed), at, looked)
        taken = {id(one) for one in seen.values()}
        new = [one for one in sure if id(one) not in taken]
        rects = [person.track.rect for person in followed]
        new += [
            one
            for one in faint
            if id(one) not in taken and not shares_with_any(one.rect, rects, ALONE_SHARE)
        ]
        followed += [self._new(one, at) for one in new[: max(TRACKS_MAX - len(followed), 0)]]
        followed.sort(key=lambda person: person.track.number)
        self._followed = tuple(followed)
        return tuple(person.track for person in followed)

    def _matched(
        self, sure: Sequence[Detection], faint: Sequence[Detection], at: Instant
    ) -> Mapping[int, Detection]:
        """The find of each followed person, by the person's place in the list."""
        people = [person.expected(at) for person in self._followed]
        boxes = [one.rect for one in sure]
        overlapping = paired(people, boxes, by_distance=False)
        staying = self._staying(overlapping, boxes, faint, at)
        pairs = {one: box for one, box in overlapping.items() if one not in staying}
        pairs = near_paired(people, boxes, pairs, staying)
        pairs |= parts_paired([one.track.rect for one in self._followed], boxes, pairs, staying)
        seen = {person: sure[box] for person, box in pairs.items()}
        rest = [
            index
            for index, person in enumerate(self._followed)
            if index not in seen and not _only_glimpsed(person, at)
        ]
        glimpses = paired(
            [people[index] for index in rest], [one.rect for one in faint], by_distance=False
        )
        return seen | {rest[person]: faint[box] for person, box in glimpses.items()}

    def _staying(
        self,
        overlapping: Mapping[int, int],
        boxes: Sequence[Rect],
        faint: Sequence[Detection],
        at: Instant,
    ) -> frozenset[int]:
        """Who is found faintly where they were, and surely at most beside it.

        The sure box beside them is somebody else's, who would take their number and their vest.
        """
        glimpsable = [
            index
            for index, person in enumerate(self._followed)
            if not _only_glimpsed(person, at)
            and (index not in overlapping or _strays(person.track, boxes[overlapping[index]]))
        ]
        rects = [self._followed[index].track.rect for index in glimpsable]
        found = paired(rects, [one.rect for one in faint], by_distance=False)
        return frozenset(
            glimpsable[place]
            for place, box in found.items()
            if rects[place].overlap(faint[box].rect) >= STAYS_OVERLAP
        )

    def _unseen(
        self,
        unseen: Sequence[_Followed],
        seen: Sequence[_Followed],
        at: Instant,
        looked: tuple[Rect, ...] | None,
    ) -> list[_Followed]:
        """Those who were not found, as they are now; without those who are gone."""
        kept: list[_Followed] = []
        for person in unseen:
            rect = person.track.rect
            if looked is None or contains(looked, rect, LOOKED_SHARE):
                now = _missed(person, at)
                keep_ms = _keep_ms(now, seen)
                gone = now.misses >= MISSES_MIN and at.mono_ms - _missed_since(now) > keep_ms
            else:
                now = replace(person, track=replace(person.track, detected=False, looked=False))
                gone = at.mono_ms - person.looked_mono_ms > UNLOOKED_MAX_MS
            if not gone:
                kept.append(now)
        return kept

    def _new(self, found: Detection, at: Instant) -> _Followed:
        self._last_number += 1
        sure = found.score >= self._sure_from
        track = Track(self._last_number, found.rect, found.score, sure, at, at.mono_ms)
        return _Followed(track, found.rect, at.mono_ms, at.mono_ms if sure else None, at.mono_ms)


def _strays(track: Track, box: Rect) -> bool:
    """Whether a box is beside somebody who has settled rather than where they are."""
    (x, y), rect = box.centre, track.rect
    return track.settled and not (rect.x1 <= x <= rect.x2 and rect.y1 <= y <= rect.y2)


def _missed(person: _Followed, at: Instant) -> _Followed:
    missed_ms = person.missed_mono_ms
    if missed_ms is None:
        # Since the last find: the time between two pictures counts too, unless nobody looked then.
        missed_ms = int(person.track.last_seen_mono_ms if person.track.looked else at.mono_ms)
    return replace(
        person,
        track=replace(person.track, detected=False, looked=True),
        missed_mono_ms=missed_ms,
        misses=person.misses + 1,
        looked_mono_ms=at.mono_ms,
    )


def _missed_since(person: _Followed) -> int:
    if person.missed_mono_ms is None:
        return int(person.track.last_seen_mono_ms)
    return person.missed_mono_ms


def _keep_ms(person: _Followed, seen: Sequence[_Followed]) -> int:
    if not person.track.settled:
        return KEEP_MS
    missed_ms = _missed_since(person)
    for other in seen:
        # Only somebody who was known before the miss hides anyone: a track that began with it is
        # often the very person, risen and not recognised, and would be counted twice.
        known_before = other.track.first_seen.mono_ms < missed_ms - KEEP_MS
        rect = person.track.rect
        if known_before and rect.shared_area(other.track.rect) >= HIDDEN_SHARE * rect.area:
            return KEEP_HIDDEN_MS
    return KEEP_SETTLED_MS


def _seen_again(person: _Followed, found: Detection, at: Instant, *, sure: bool) -> _Followed:
    rect = person.expected(at).towards(found.rect, SMOOTHING_SHARE)
    anchor, anchored = person.anchor, person.anchored_mono_ms
    (x1, y1), (x2, y2) = anchor.centre, rect.centre
    radius = SETTLED_RADIUS_SHARE * max(rect.width, anchor.width)
    if (x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2) > radius * radius:
        anchor, anchored = rect, int(at.mono_ms)
    first_seen = person.track.first_seen
    if sure and person.proven_mono_ms is None:
        first_seen = _not_before(first_seen, at)
    track = replace(
        person.track,
        rect=rect,
        score=found.score,
        detected=sure,
        looked=True,
        first_seen=first_seen,
        last_seen_mono_ms=at.mono_ms,
        settled=at.mono_ms - anchored >= SETTLED_AFTER_MS,
    )
    proven = int(at.mono_ms) if sure else person.proven_mono_ms
    velocity = (0.0, 0.0) if track.settled else _velocity(person, found.rect, at)
    return _Followed(track, anchor, anchored, proven, at.mono_ms, velocity=velocity)


def _velocity(person: _Followed, rect: Rect, at: Instant) -> tuple[float, float]:
    ahead_ms = at.mono_ms - person.track.last_seen_mono_ms
    if ahead_ms <= 0:
        return person.velocity
    (x1, y1), (x2, y2) = person.track.rect.centre, rect.centre
    (x, y), share = person.velocity, VELOCITY_SHARE
    return (
        x + ((x2 - x1) / ahead_ms - x) * share,
        y + ((y2 - y1) / ahead_ms - y) * share,
    )


def _only_glimpsed(person: _Followed, at: Instant) -> bool:
    """Whether faint finds alone have kept a person for too long to go on doing it."""
    since = person.proven_mono_ms
    if since is None:
        since = int(person.track.first_seen.mono_ms)
    return at.mono_ms - since > GLIMPSED_MAX_MS


def _not_before(first_seen: Instant, at: Instant) -> Instant:
    too_long_ms = at.mono_ms - first_seen.mono_ms - FAINT_DATES_MS
    if too_long_ms <= 0:
        return first_seen
    return Instant(MonoMs(first_seen.mono_ms + too_long_ms), UtcMs(first_seen.utc_ms + too_long_ms))
