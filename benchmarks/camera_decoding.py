"""Measures what decoding without the loop filter saves, and whether the detector finds the same.

The node decodes sub streams without smoothing the edges of blocks (``skip_loop_filter``). Both ways
decode the same stream and show every analysed picture to the detector. Run it by itself for a clip
of one's own: ``python -m benchmarks.camera_decoding --clip FILE``.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from benchmarks.camera_scenes import busy, played, seated
from benchmarks.camera_sides import FPS, Smoothing, opened
from benchmarks.form import Figure, Options, show
from edge.core.people import Detection, Thing
from edge.perception.detector import SHIPPED_MODEL, ModelFile, OnnxDetector, shipped_hash
from edge.ports import Rgb

SAME_IOU: Final = 0.5  # two boxes of one person
SCENES: Final = ((seated, 8_000), (busy, 7_000))
SEEDS: Final = tuple(range(801, 806))


@dataclass(frozen=True, slots=True)
class Found:
    """What the detector found in the same pictures, decoded both ways."""

    pictures: int
    smoothed: int
    """Persons with the loop filter."""
    plain: int
    """Persons without it."""
    lost: int
    """Found with it, and at that place nobody without it."""
    gained: int
    smoothed_s: float
    plain_s: float
    """Processor time of decoding."""

    def and_(self, other: "Found") -> "Found":
        """Both together."""
        names = Found.__dataclass_fields__
        return Found(*(getattr(self, one) + getattr(other, one) for one in names))


def compare(detector: OnnxDetector, path: Path) -> Found:
    """Decode a file both ways and look at five of its pictures a second."""
    found: dict[Smoothing, list[tuple[Detection, ...]]] = {}
    spent: dict[Smoothing, float] = {}
    for way in Smoothing:
        spent[way] = 0.0
        found[way] = [_persons(detector, picture) for picture in _pictures(path, way, spent)]
    pairs = list(zip(found[Smoothing.ALL], found[Smoothing.NONE], strict=True))
    return Found(
        pictures=len(pairs),
        smoothed=sum(len(one) for one, _ in pairs),
        plain=sum(len(other) for _, other in pairs),
        lost=sum(_missing(one, other) for one, other in pairs),
        gained=sum(_missing(other, one) for one, other in pairs),
        smoothed_s=spent[Smoothing.ALL],
        plain_s=spent[Smoothing.NONE],
    )


def _persons(detector: OnnxDetector, picture: Rgb) -> tuple[Detection, ...]:
    """Who is proven in a picture."""
    found = detector.find(picture, None)
    return tuple(
        one for one in found if one.thing is Thing.PERSON and one.score >= detector.sure_from
    )


def _pictures(path: Path, way: Smoothing, spent: dict[Smoothing, float]) -> Iterator[Rgb]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        every = max(round(float(stream.average_rate or FPS) / FPS), 1)
        context, index = opened(container, way), 0
        for packet in container.demux(stream):
            began_s = time.process_time()
            pictures = context.decode(packet)
            spent[way] += time.process_time() - began_s
            for picture in pictures:
                if index % every == 0:
                    yield np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
                index += 1


def _missing(wanted: Sequence[Detection], there: Sequence[Detection]) -> int:
    return sum(all(one.rect.overlap(other.rect) < SAME_IOU for other in there) for one in wanted)


def decoding_figures(detector: OnnxDetector, seeds: Sequence[int]) -> dict[str, Figure]:
    """Persons found and processor time over composed scenes, both ways."""
    scenes = [played(direct, seed, ms, FPS) for direct, ms in SCENES for seed in seeds]
    return named("composed", [compare(detector, one.path) for one in scenes])


def named(name: str, compared: Sequence[Found]) -> dict[str, Figure]:
    """The figures of some clips together."""
    whole = compared[0]
    for one in compared[1:]:
        whole = whole.and_(one)
    return {
        f"unsmoothed_{name}_pictures": whole.pictures,
        f"unsmoothed_{name}_decoding_time": whole.plain_s / whole.smoothed_s,
        f"unsmoothed_{name}_persons": whole.plain,
        f"smoothed_{name}_persons": whole.smoothed,
        f"unsmoothed_{name}_lost": whole.lost,
        f"unsmoothed_{name}_gained": whole.gained,
    }


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--clip", type=Path, action="append", default=[], help="a clip of one's own"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    detector = OnnxDetector(ModelFile(SHIPPED_MODEL, sha256=shipped_hash(), threads=1))
    figures = decoding_figures(detector, SEEDS)
    for number, clip in enumerate(given.clip, 1):
        figures |= named(f"clip_{number}", [compare(detector, clip)])
    show(
        "Decoding without the loop filter",
        "against decoding with it, the same pictures and detector",
        figures,
        Options(quick=False, json=given.json),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
