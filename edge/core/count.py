"""Decides which tracks count as people: a head count is never taken from a single frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.core.people import Track

CONFIRM_HITS = 2
CONFIRM_OF = 3
# A track counts once 2 of its latest 3 pictures show the person: at 5 fps that is 0.2 s at best. A
# false detection seldom comes back at the same place, and rules that sound have a dwell besides; a
# third picture would cost the interlock, which has no dwell, another 0.2 s before a robot stops.


@dataclass(frozen=True, slots=True)
class Counted:
    """What is remembered of one camera's tracks: their latest sightings, and who counts already."""

    sightings: Mapping[int, tuple[bool, ...]] = field(default_factory=dict)
    confirmed: frozenset[int] = frozenset()


def step(state: Counted, tracks: tuple[Track, ...]) -> tuple[Counted, tuple[Track, ...]]:
    """Take the tracks of one picture; give the new state and the tracks that count as people.

    Who counts goes on counting for as long as the tracker keeps the track, seen or not.
    """
    sightings: dict[int, tuple[bool, ...]] = {}
    confirmed: set[int] = set()
    for track in tracks:
        seen = (*state.sightings.get(track.number, ()), track.detected)[-CONFIRM_OF:]
        sightings[track.number] = seen
        if track.number in state.confirmed or sum(seen) >= CONFIRM_HITS:
            confirmed.add(track.number)
    people = tuple(track for track in tracks if track.number in confirmed)
    return Counted(sightings, frozenset(confirmed)), people
