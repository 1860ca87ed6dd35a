"""Pairs the boxes of two pictures: nearest pairs are gated first, so that cost grows with people.

A room of sixty people has sixty times sixty pairs, and all but a few are far apart. Boxes are swept
from left to right, only those that can meet are weighed, and each group of boxes that hang together
is solved for itself by the Hungarian method (Kuhn 1955; scipy's is that of Crouse 2016).
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.core.people import Rect

OVERLAP_MIN = 0.2
# At 5 fps a walking person still overlaps the box of the picture before by about a third.
REACH_SHARE = 0.75
# Without overlap, the centre may move by this share of the larger box's diagonal (standing up).
SIZE_RATIO_MIN = 0.3  # a box that shrinks to less than this is not met by its distance
WITHIN_SHARE = 0.7
# Of the smaller box in the larger: the head of somebody who was whole before, or the whole of
# somebody of whom only the head was seen. Two tracks for one person are one person too many.


@dataclass(frozen=True, slots=True)
class _Pair:
    left: int
    right: int
    likeness: float


def paired(
    people: Sequence[Rect], boxes: Sequence[Rect], *, by_distance: bool = True
) -> dict[int, int]:
    """Which box is which person: the pairing with the greatest sum of likeness.

    By overlap first; who is left is then met near by (``by_distance``), as ``near_paired`` does.
    """
    found = _best(_near(people, boxes, _overlap, 0.0))
    return near_paired(people, boxes, found) if by_distance else found


def near_paired(
    people: Sequence[Rect],
    boxes: Sequence[Rect],
    found: Mapping[int, int],
    staying: Collection[int] = (),
) -> dict[int, int]:
    """``found`` and those of the rest, without ``staying``, who were lost or changed shape.

    They are met near by, before anybody takes the box for somebody new.
    """
    return _and_the_rest(found, people, boxes, _nearness, REACH_SHARE, staying)


def parts_paired(
    people: Sequence[Rect],
    boxes: Sequence[Rect],
    found: Mapping[int, int],
    staying: Collection[int] = (),
) -> dict[int, int]:
    """``found`` and those of the rest where one is a part of the other: a head, a whole body."""
    return _and_the_rest(found, people, boxes, _within, 0.0, staying)


def _and_the_rest(
    found: Mapping[int, int],
    people: Sequence[Rect],
    boxes: Sequence[Rect],
    likeness: Callable[[Rect, Rect], float],
    reach_share: float,
    staying: Collection[int],
) -> dict[int, int]:
    """``found`` with those who are left, without ``staying``, paired by another likeness."""
    taken = set(found.values())
    people_left = [
        index for index in range(len(people)) if index not in found and index not in staying
    ]
    boxes_left = [index for index in range(len(boxes)) if index not in taken]
    if not people_left or not boxes_left:
        return dict(found)
    again = _best(
        _near(
            [people[index] for index in people_left],
            [boxes[index] for index in boxes_left],
            likeness,
            reach_share,
        )
    )
    return {**found, **{people_left[one]: boxes_left[other] for one, other in again.items()}}


def shares_with_any(rect: Rect, others: Sequence[Rect], share: float) -> bool:
    """Whether a box shares at least this part of the smaller one with any of the others."""
    return any(
        rect.x1 < other.x2
        and other.x1 < rect.x2
        and rect.shared_area(other) >= share * min(rect.area, other.area)
        for other in others
    )


def contains(regions: Sequence[Rect], rect: Rect, share: float) -> bool:
    """Whether one of the regions holds the centre and at least this share of a box."""
    x, y = rect.centre
    return any(
        region.x1 <= x <= region.x2
        and region.y1 <= y <= region.y2
        and rect.shared_area(region) >= share * rect.area
        for region in regions
    )


def _near(
    people: Sequence[Rect],
    boxes: Sequence[Rect],
    likeness: Callable[[Rect, Rect], float],
    reach_share: float,
) -> list[_Pair]:
    """Pairs with any likeness, found by a sweep from left to right."""
    order = sorted(range(len(boxes)), key=lambda index: boxes[index].x1)
    starts = [boxes[index].x1 for index in order]
    widest = max((box.width for box in boxes), default=0.0)
    reach = reach_share * max((math.hypot(box.width, box.height) for box in boxes), default=0.0)
    pairs: list[_Pair] = []
    for left, person in enumerate(people):
        margin = max(reach_share * math.hypot(person.width, person.height), reach)
        first = bisect_left(starts, person.x1 - margin - widest)
        for place in range(first, len(order)):
            if starts[place] > person.x2 + margin:
                break
            right = order[place]
            like = likeness(person, boxes[right])
            if like > 0:
                pairs.append(_Pair(left, right, like))
    return pairs


def _best(pairs: Sequence[_Pair]) -> dict[int, int]:
    found: dict[int, int] = {}
    for group in _groups(pairs):
        if len(group) == 1:
            found[group[0].left] = group[0].right
            continue
        lefts = sorted({pair.left for pair in group})
        rights = sorted({pair.right for pair in group})
        gains = np.zeros((len(lefts), len(rights)))
        for pair in group:
            gains[lefts.index(pair.left), rights.index(pair.right)] = pair.likeness
        rows, columns = linear_sum_assignment(gains, maximize=True)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if gains[row, column] > 0:
                found[lefts[row]] = rights[column]
    return found


def _groups(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """Pairs that hang together by a person or a box."""
    group_of: dict[tuple[bool, int], list[_Pair]] = {}
    for pair in pairs:
        one = group_of.get((False, pair.left), [])
        other = group_of.get((True, pair.right), [])
        larger, smaller = (one, other) if len(one) >= len(other) else (other, one)
        if smaller and smaller is not larger:
            larger.extend(smaller)
            for moved in smaller:
                group_of[False, moved.left] = larger
                group_of[True, moved.right] = larger
        larger.append(pair)
        group_of[False, pair.left] = larger
        group_of[True, pair.right] = larger
    return list({id(group): group for group in group_of.values()}.values())


def _overlap(one: Rect, other: Rect) -> float:
    overlap = one.overlap(other)
    return overlap if overlap >= OVERLAP_MIN else 0.0


def _nearness(one: Rect, other: Rect) -> float:
    larger, smaller = max(one.area, other.area), min(one.area, other.area)
    if larger <= 0 or smaller / larger < SIZE_RATIO_MIN:
        return 0.0
    (x1, y1), (x2, y2) = one.centre, other.centre
    wide = one if one.area >= other.area else other
    reach = REACH_SHARE * math.hypot(wide.width, wide.height)
    return max(1.0 - math.hypot(x1 - x2, y1 - y2) / reach, 0.0) if reach > 0 else 0.0


def _within(one: Rect, other: Rect) -> float:
    smaller = min(one.area, other.area)
    share = one.shared_area(other) / smaller if smaller > 0 else 0.0
    return share if share >= WITHIN_SHARE else 0.0
