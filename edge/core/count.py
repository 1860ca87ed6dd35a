"""Decides which tracks count as people: a head count is never taken from a single frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edge.core.people import Rect, Track

SIGHTINGS_MAX = 10  # two seconds of looks: enough to tell who is found now and then from a person
CONFIRM_HITS = 2
CONFIRM_OF = 3
# A track counts once 2 of its latest 3 pictures show the person: at 5 fps that is 0.2 s at best. A
# false detection seldom comes back at the same place, and rules that sound have a dwell besides; a
# third picture would cost the interlock, which has no dwell, another 0.2 s before a robot stops.

DOUBLE_COVERED_SHARE = 0.55
DOUBLE_ASIDE_SHARE = 0.6
DOUBLE_ABOVE_SHARE = 0.3
DOUBLE_STILL = 1.5  # times as far apart may be who was on one body a moment ago
DOUBLE_FRESH_MS = 1_000
# Two boxes that cover each other by so much of the smaller, whose middles and tops are no further
# apart than these shares of its width and height, are on one body: two people of whom a camera
# shows both have their heads beside or above each other.


@dataclass(frozen=True, slots=True)
class Counted:
    """What is remembered of one camera's tracks: their latest sightings, and who counts already."""

    sightings: Mapping[int, tuple[bool, ...]] = field(default_factory=dict)
    confirmed: frozenset[int] = frozenset()
    doubles: frozenset[int] = frozenset()
    """Of those, who is but another box on somebody's body."""

    def found_share(self, number: int) -> float:
        """In which share of the latest looks a track was surely found; 0 before any look."""
        seen = self.sightings.get(number, ())
        return sum(seen) / len(seen) if seen else 0.0


def step(state: Counted, tracks: tuple[Track, ...]) -> tuple[Counted, tuple[Track, ...]]:
    """Take the tracks of one picture; give the new state and the tracks that count as people.

    Who counts goes on counting for as long as the tracker keeps the track, seen or not; of two
    boxes on one body one counts.
    """
    sightings: dict[int, tuple[bool, ...]] = {}
    confirmed: set[int] = set()
    for track in tracks:
        seen = state.sightings.get(track.number, ())
        if track.looked:
            seen = (*seen, track.detected)[-SIGHTINGS_MAX:]
        sightings[track.number] = seen
        if track.number in state.confirmed or sum(seen[-CONFIRM_OF:]) >= CONFIRM_HITS:
            confirmed.add(track.number)
    people = [track for track in tracks if track.number in confirmed]
    doubles = frozenset(_doubles(people, state.doubles))
    people = [track for track in people if track.number not in doubles]
    return Counted(sightings, frozenset(confirmed), doubles), tuple(people)


def _doubles(people: Sequence[Track], before: frozenset[int]) -> Iterator[int]:
    """Numbers of the worse box of each two that are on one body; ``before``: which was the worse.

    Met from left to right: each is held only against those whose boxes reach as far as its own.
    """
    newest = max((track.last_seen_mono_ms for track in people), default=0)

    def worth(track: Track) -> tuple[bool, bool, float, int]:
        # Who was the better one stays so while it is found at all: two numbers that took turns
        # would be somebody who comes and goes.
        fresh = newest - track.last_seen_mono_ms < DOUBLE_FRESH_MS
        better = fresh and track.number not in before
        return better, track.detected, round(track.score, 1), -track.number

    reaching: list[Track] = []
    for track in sorted(people, key=lambda one: one.rect.x1):
        reaching = [other for other in reaching if other.rect.x2 > track.rect.x1]
        double = next(
            (
                one
                for one in reaching
                if _one_body(one.rect, track.rect, was=bool({one.number, track.number} & before))
            ),
            None,
        )
        if double is None:
            reaching.append(track)
            continue
        better, worse = sorted((double, track), key=worth, reverse=True)
        yield worse.number
        reaching = [other for other in reaching if other is not worse]
        if better not in reaching:
            reaching.append(better)


def _one_body(one: Rect, other: Rect, *, was: bool) -> bool:
    slack = DOUBLE_STILL if was else 1.0
    smaller = min(one.area, other.area)
    if smaller <= 0 or one.shared_area(other) < DOUBLE_COVERED_SHARE / slack * smaller:
        return False
    width, height = min(one.width, other.width), min(one.height, other.height)
    aside = abs(one.x1 + one.x2 - other.x1 - other.x2) / 2
    return (
        aside < DOUBLE_ASIDE_SHARE * slack * width
        and abs(one.y1 - other.y1) < DOUBLE_ABOVE_SHARE * slack * height
    )
