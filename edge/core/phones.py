"""Decides where a camera keeps seeing a phone: one sight of something so small proves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge.core.people import Detection, Instant, Rect

LOOKS: Final = 10
# Pictures of a place that are remembered. A settled person is looked at every second or two, so
# this is up to twenty seconds, and two at the full rate.
PLACES_MAX: Final = 8  # a room of people with phones in their hands is proven by fewer
NEAR_SHARE: Final = 1.5  # of the larger box's diagonal: a hand moves, and boxes so small jitter


@dataclass(frozen=True, slots=True)
class PhonePlace:
    """A place where something like a phone was seen.

    ``scores`` of the latest pictures that were looked at there, the newest last; 0 where it was not
    found. ``since`` is when it was found first, ``rect`` where it was found last.
    """

    rect: Rect
    scores: tuple[float, ...]
    since: Instant

    def hits(self, score_min: float) -> int:
        """In how many of those pictures it was found with at least this score."""
        return sum(score >= score_min for score in self.scores)


def step(
    places: tuple[PhonePlace, ...],
    found: Sequence[Detection],
    at: Instant,
    looked: tuple[Rect, ...] | None,
) -> tuple[PhonePlace, ...]:
    """Take the phones found where one picture was looked at (None: everywhere)."""
    left = list(found)
    kept: list[PhonePlace] = []
    for place in places:
        again = max(
            (one for one in left if _near(one.rect, place.rect)),
            key=lambda one: one.score,
            default=None,
        )
        if again is not None:
            left.remove(again)
            seen = replace(place, rect=again.rect, scores=_with(place.scores, again.score))
        elif looked is None or any(_holds(region, place.rect) for region in looked):
            seen = replace(place, scores=_with(place.scores, 0.0))
        else:
            seen = place
        if any(seen.scores):
            kept.append(seen)
    new = sorted(left, key=lambda one: -one.score)[: PLACES_MAX - len(kept)]
    return (*kept, *(PhonePlace(one.rect, (one.score,), at) for one in new))


def _with(scores: tuple[float, ...], score: float) -> tuple[float, ...]:
    return (*scores, score)[-LOOKS:]


def _near(one: Rect, other: Rect) -> bool:
    (x1, y1), (x2, y2) = one.centre, other.centre
    diagonal_squared = max(
        one.width * one.width + one.height * one.height,
        other.width * other.width + other.height * other.height,
    )
    distance_squared = (x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2)
    return distance_squared <= NEAR_SHARE * NEAR_SHARE * diagonal_squared


def _holds(region: Rect, rect: Rect) -> bool:
    x, y = rect.centre
    return region.x1 <= x <= region.x2 and region.y1 <= y <= region.y2
