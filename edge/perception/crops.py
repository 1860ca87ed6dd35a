"""Decides which parts of a picture the detector is shown for the regions that are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.core.people import WHOLE, Detection, Rect
from edge.ports import Rgb

MARGIN_SHARE: Final = 0.25
# Of the region's own size on each side: somebody who leans out of it, or walks at 5 fps, is whole.
SIDE_MIN_SHARE: Final = 0.4
# Of the picture's shorter side. A smaller crop shows a body without the room around it, and models
# trained on whole scenes take it for anything.
CROPS_MAX: Final = 2
# Each crop costs a run of the model; three cost more than the whole picture and show less.
COVER_MAX: Final = 0.6  # crops that together take more of the picture gain nothing over all of it
EDGE_SHARE: Final = 0.01  # of the crop's size: a box that ends nearer to its edge is cut there


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture: in shares of the picture, snapped to pixels, and the pixels."""

    rect: Rect
    rgb: Rgb

    def in_picture(self, rect: Rect) -> Rect:
        """A box in shares of the crop, in shares of the picture."""
        return Rect(
            self.rect.x1 + rect.x1 * self.rect.width,
            self.rect.y1 + rect.y1 * self.rect.height,
            self.rect.x1 + rect.x2 * self.rect.width,
            self.rect.y1 + rect.y2 * self.rect.height,
        )

    def cuts(self, detection: Detection) -> bool:
        """Whether a find (in shares of the picture) ends at an edge that is none of the picture."""
        x, y = EDGE_SHARE * self.rect.width, EDGE_SHARE * self.rect.height
        found, own = detection.rect, self.rect
        return (
            (own.x1 > 0 and found.x1 <= own.x1 + x)
            or (own.y1 > 0 and found.y1 <= own.y1 + y)
            or (own.x2 < 1 and found.x2 >= own.x2 - x)
            or (own.y2 < 1 and found.y2 >= own.y2 - y)
        )


def cut_out(rgb: Rgb, rect: Rect) -> Crop:
    """The pixels of a part of a picture; at least one, whatever ``rect`` says."""
    height, width = rgb.shape[:2]
    left = min(max(int(rect.x1 * width), 0), width - 1)
    top = min(max(int(rect.y1 * height), 0), height - 1)
    right = min(max(round(rect.x2 * width), left + 1), width)
    below = min(max(round(rect.y2 * height), top + 1), height)
    snapped = Rect(left / width, top / height, right / width, below / height)
    return Crop(snapped, rgb[top:below, left:right])


def parts_for(regions: Sequence[Rect], width: int, height: int) -> tuple[Rect, ...]:
    """The fewest parts of a picture of this size (pixels) that show the regions well.

    Regions that lie near one another share a part. Where parts would be too many or too large for a
    gain, the whole picture is the answer. No regions: no parts.
    """
    parts = [_square_around(region, width, height) for region in regions]
    while (pair := _nearest(parts)) is not None:
        one, other = pair
        united = _square(around(parts[one], parts[other]), width, height)
        parts = [part for number, part in enumerate(parts) if number not in pair] + [united]
    if len(parts) > CROPS_MAX or sum(part.area for part in parts) > COVER_MAX:
        return (WHOLE,)
    return tuple(parts)


def _nearest(parts: Sequence[Rect]) -> tuple[int, int] | None:
    """Two parts that are better shown as one: together they take no more than apart."""
    for one in range(len(parts)):
        for other in range(one + 1, len(parts)):
            both = around(parts[one], parts[other])
            if both.area <= parts[one].area + parts[other].area:
                return one, other
    return None


def _square_around(region: Rect, width: int, height: int) -> Rect:
    x, y = MARGIN_SHARE * region.width, MARGIN_SHARE * region.height
    return _square(Rect(region.x1 - x, region.y1 - y, region.x2 + x, region.y2 + y), width, height)


def _square(rect: Rect, width: int, height: int) -> Rect:
    """The square, in pixels, around a rectangle, moved or cut so that it lies in the picture."""
    side = max(rect.width * width, rect.height * height, SIDE_MIN_SHARE * min(width, height))
    across, along = min(side / width, 1.0), min(side / height, 1.0)
    x, y = rect.centre
    left = min(max(x - across / 2, 0.0), 1.0 - across)
    top = min(max(y - along / 2, 0.0), 1.0 - along)
    return Rect(left, top, left + across, top + along)


def around(one: Rect, other: Rect) -> Rect:
    """The smallest rectangle that holds both."""
    return Rect(
        min(one.x1, other.x1),
        min(one.y1, other.y1),
        max(one.x2, other.x2),
        max(one.y2, other.y2),
    )
