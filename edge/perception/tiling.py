"""Shows a wide picture to the detector in overlapping parts, so that small people are large enough.

A model sees a few hundred pixels whatever it is given. In a room for forty people half of them are
smaller than it was trained for; two parts side by side show each of them at twice the size, at
twice the cost.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from edge.core.people import WHOLE, Detection, Rect
from edge.perception.crops import parts_for
from edge.ports import Rgb

OVERLAP_SHARE: Final = 0.3
# Of a part's width. Whoever is narrower than this is whole in one of them; the rest is joined.


class PartsDetector(Protocol):
    """What tiling needs of a detector (``detector.OnnxDetector``)."""

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]: ...

    def find_in(self, rgb: Rgb, parts: Sequence[Rect]) -> tuple[Detection, ...]: ...


class Tiled:
    """A detector for one camera whose whole picture is shown in ``count`` parts."""

    def __init__(self, detector: PartsDetector, count: int) -> None:
        self._detector = detector
        self._parts = tiles(count)

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]:
        """See ``ports.Detector``.

        A few regions are cut out and shown large anyway; where they would become the whole picture,
        it is shown in its parts, or those whom only these show would be missed.
        """
        if regions is None or rgb.size == 0 or self._is_whole(rgb, regions):
            return self._detector.find_in(rgb, self._parts)
        return self._detector.find(rgb, regions)

    def _is_whole(self, rgb: Rgb, regions: tuple[Rect, ...]) -> bool:
        height, width = rgb.shape[:2]
        return parts_for(regions, width, height) == (WHOLE,)


def tiles(count: int) -> tuple[Rect, ...]:
    """Parts of a picture's full height, side by side, each overlapping the next."""
    width = 1 / (count - (count - 1) * OVERLAP_SHARE)
    step = width * (1 - OVERLAP_SHARE)
    return tuple(
        Rect(number * step, 0.0, min(number * step + width, 1.0), 1.0) for number in range(count)
    )
