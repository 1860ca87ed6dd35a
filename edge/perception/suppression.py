"""Decides which boxes are the same thing: doubles, parts, and people cut by a crop's edge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.core.people import Detection
from edge.perception.crops import around

DETECTIONS_MAX = 64  # more people than any watched area holds; bounds what follows
NESTED_SHARE = 0.85
# A box that lies in another by this much is a part of the same person (head and torso, head alone).
NESTED_MIN_AREA = 0.25
# ... unless it is far smaller than the box around it: then it is a person further back.
CUT_SHARE = 0.6
# A box that a crop's edge cuts belongs to the fuller one that holds this much of it.


@dataclass(frozen=True, slots=True)
class Cropped:
    """A find of one crop, in shares of the whole picture.

    ``cut``: whether it touches an edge of the crop that is no edge of the picture, so that there
    may be more of it. ``crop`` numbers the crops of one look.
    """

    detection: Detection
    cut: bool
    crop: int


def suppressed(
    found: Sequence[Detection], overlap_max: float, *, parts: bool = True
) -> tuple[Detection, ...]:
    """Keep the best box of each thing. ``found`` is sorted by score, best first.

    ``parts``: whether the model puts boxes of heads and torsos beside those of people.
    """
    kept: list[Detection] = []
    for candidate in found:
        if candidate.rect.area <= 0:
            continue
        if not any(_same(candidate, other, overlap_max, parts=parts) for other in kept):
            kept.append(candidate)
            if len(kept) == DETECTIONS_MAX:
                break
    return tuple(kept)


def _same(one: Detection, other: Detection, overlap_max: float, *, parts: bool) -> bool:
    if one.thing is not other.thing:
        return False
    if one.rect.overlap(other.rect) > overlap_max:
        return True
    if not parts:
        return False
    smaller, larger = sorted((one.rect.area, other.rect.area))
    nested = one.rect.shared_area(other.rect) / smaller >= NESTED_SHARE
    return nested and smaller / larger >= NESTED_MIN_AREA


def merged(
    found: Sequence[Cropped], overlap_max: float, *, parts: bool = True
) -> tuple[Detection, ...]:
    """One detection of each thing that several crops show, best score first.

    Two crops side by side cut one person in two: halves that face each other are joined, and a cut
    box gives way to a fuller one whatever their scores.
    """
    whole = [one for one in found if not one.cut]
    halves = [
        one
        for one in _joined([one for one in found if one.cut])
        if not any(_belongs(one, other) for other in whole)
    ]
    rest = [one for one in halves if not any(_belongs(one, other) for other in halves)]
    best_first = sorted((*whole, *rest), key=lambda one: -one.detection.score)
    return suppressed([one.detection for one in best_first], overlap_max, parts=parts)


def _belongs(cut: Cropped, fuller: Cropped) -> bool:
    """Whether ``fuller``, found in another crop, shows most of ``cut`` and more."""
    one, other = cut.detection, fuller.detection
    return (
        cut.crop != fuller.crop
        and one.thing is other.thing
        and other.rect.area > one.rect.area
        and one.rect.shared_area(other.rect) >= CUT_SHARE * one.rect.area
    )


def _joined(cut: Sequence[Cropped]) -> list[Cropped]:
    """Cut boxes, with halves of the same thing from different crops made one."""
    left = list(cut)
    joined: list[Cropped] = []
    while left:
        one = left.pop(0)
        for other in left:
            if _halves_of_one(one, other):
                left.remove(other)
                rect = around(one.detection.rect, other.detection.rect)
                score = max(one.detection.score, other.detection.score)
                one = replace(one, detection=replace(one.detection, rect=rect, score=score))
                break
        joined.append(one)
    return joined


def _halves_of_one(one: Cropped, other: Cropped) -> bool:
    """Whether two cut boxes overlap at the seam and are of about the same height there."""
    if one.crop == other.crop or one.detection.thing is not other.detection.thing:
        return False
    a, b = one.detection.rect, other.detection.rect
    shared = a.shared_area(b)
    if shared <= 0:
        return False
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    return height >= CUT_SHARE * max(a.height, b.height)
