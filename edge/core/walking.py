"""Decides who is walking: whose box is again and again like none that it had before.

Somebody who walks away along a corridor hardly leaves the part of the picture that they were in;
their box shrinks. Somebody who sits, or whose box is mixed up with a neighbour's, comes back to a
box that was seen a moment ago.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.units import MonoMs
from edge.core.people import Rect, Track

LIKE_OVERLAP: Final = 0.8
# Of a box with one that it had: a metre of walking straight away from eight metres is less.
WALK_MS: Final = 2_500
# Two new boxes within it are walking, one is leaning; so long after the newest it goes on. At half
# a metre a second a far box is a new one that often.
FORGET_MS: Final = 10_000  # somebody who comes back to a place after it has walked there
BOXES_MAX: Final = 8  # of one track: a walk through a whole picture


@dataclass(frozen=True, slots=True)
class _Box:
    rect: Rect
    seen: MonoMs


@dataclass(frozen=True, slots=True)
class Path:
    """The unlike boxes that one track has had lately, oldest first."""

    boxes: tuple[_Box, ...] = ()
    moved: tuple[MonoMs, ...] = ()
    """When it had the newest two boxes that were new."""

    def walks(self, now: MonoMs) -> bool:
        """Whether this track is walking."""
        if len(self.moved) < 2:
            return False
        before, newest = self.moved
        return newest - before <= WALK_MS and now - newest <= WALK_MS


def step(paths: Mapping[int, Path], found: Sequence[Track], now: MonoMs) -> Mapping[int, Path]:
    """The paths of the tracks that were found at ``now``; of others, those given."""
    return {**paths, **{one.number: _on(paths.get(one.number), one.rect, now) for one in found}}


def _on(path: Path | None, rect: Rect, now: MonoMs) -> Path:
    if path is None:
        return Path((_Box(rect, now),))
    boxes = tuple(one for one in path.boxes if now - one.seen <= FORGET_MS)
    like = max(boxes, key=lambda one: one.rect.overlap(rect), default=None)
    if like is not None and like.rect.overlap(rect) >= LIKE_OVERLAP:
        boxes = tuple(_Box(one.rect, now) if one is like else one for one in boxes)
        return Path(boxes, path.moved)
    return Path((*boxes, _Box(rect, now))[-BOXES_MAX:], (*path.moved, now)[-2:])
