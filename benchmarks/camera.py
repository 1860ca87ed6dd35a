"""Measures what watching one camera costs, against the plain way, and what the saving misses.

The plain way decodes every picture of the same sub stream, takes the difference of pictures five
times a second, and shows every picture with movement to the detector. Run it as
``python -m benchmarks.camera``.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import cv2

from benchmarks.camera_decoding import SEEDS as DECODING_SEEDS
from benchmarks.camera_decoding import decoding_figures
from benchmarks.camera_rooms import Effort, rooms_figures
from benchmarks.camera_scenes import (
    BITRATE_BPS,
    HEIGHT_PX,
    WIDTH_PX,
    Change,
    Direct,
    Played,
    busy,
    empty,
    eventful,
    played,
    seated,
)
from benchmarks.camera_sides import (
    PIXEL_MIN,
    Attentive,
    Compared,
    Plain,
    Run,
    Smoothing,
    compare,
    quiet_share,
)
from benchmarks.form import Figure, options, percentile, show
from edge.core.attention import LookTimes
from edge.perception.detector import SHIPPED_MODEL, ModelFile, OnnxDetector, shipped_hash

SEEDS: Final = tuple(range(501, 506))
CALIBRATION_SEEDS: Final = (601, 602)  # rooms that are in no figure
EVENT_SEEDS: Final = tuple(range(701, 731))
BEFORE_MS, AFTER_MS = 500, 4_000
# The detector on every picture finds a change within this of the composer's log, or it is none that
# anybody could find; the other side must find it as well, at most LATE_MS after.
LATE_MS: Final = 1_000
STEADY_MS: Final = 1_000  # a count that is back after less was the detector's doubt, not a change
PERIOD_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rates: tuple[int, ...]
    """Pictures a second that the camera sends."""
    seconds: Mapping[str, tuple[int, int]]
    """Of each kind of scene: warm-up and measured."""
    event_scenes: int
    event_s: int
    decoded: int
    """Seeds of the scenes that are decoded with and without the loop filter; 0: not measured."""
    rooms: Effort


QUICK: Final = Size(
    (5,),
    {"empty": (4, 16), "seated": (30, 8), "busy": (1, 4)},
    1,
    44,
    decoded=0,
    rooms=Effort(warm_s=1, window_s=3, first=4, limit_s=0),
)
FULL: Final = Size(
    (5, 25),
    {"empty": (10, 60), "seated": (30, 60), "busy": (4, 30)},
    30,
    90,
    decoded=5,
    rooms=Effort(warm_s=25, window_s=12, first=12, limit_s=240),
)
ROOM_MS: Final = 38_000  # loops; as long as the quick run's, so that both runs keep one set
BEFORE_WARM_MS: Final = 2_000  # a key frame, and a head count that has settled
SCENES: Final[Mapping[str, Direct]] = {"empty": empty, "seated": seated, "busy": busy}


def ratios(detector: OnnxDetector, size: Size, fps: int) -> dict[str, Figure]:
    """Processor time against the plain way at one rate of the camera, by kind of scene."""
    quiet = [played(empty, seed, 20_000, fps) for seed in CALIBRATION_SEEDS]
    share_min = quiet_share(quiet)
    ours = Attentive(detector, LookTimes())
    figures: dict[str, Figure] = {f"plain_share_min_{fps}fps": round(share_min, 6)}
    for kind, direct in SCENES.items():
        warm_s, measured_s = size.seconds[kind]
        begin_ms = max(warm_s * 1_000 - BEFORE_WARM_MS, 0)
        plain = Plain(detector, share_min, begin_ms=begin_ms)
        scenes = [played(direct, seed, (warm_s + measured_s) * 1_000, fps) for seed in SEEDS]
        runs = [compare(plain, ours, one, warm_ms=warm_s * 1_000) for one in scenes]
        figures[f"cpu_ratio_{kind}_{fps}fps"] = median(one.ours_s / one.plain_s for one in runs)
        figures[f"cpu_plain_{kind}_{fps}fps"] = median(one.plain_s for one in runs) / measured_s
        figures[f"cpu_ours_{kind}_{fps}fps"] = median(one.ours_s for one in runs) / measured_s
        figures[f"looked_{kind}_{fps}fps"] = _share(runs)
        if kind == "empty":
            figures[f"plain_looks_empty_{fps}fps"] = sum(one.plain.looks - 1 for one in runs)
            same = Plain(detector, share_min, begin_ms=begin_ms, smoothing=Smoothing.NONE)
            runs = [compare(same, ours, one, warm_ms=warm_s * 1_000) for one in scenes]
            ratio = median(one.ours_s / one.plain_s for one in runs)
            figures[f"same_decoder_ratio_empty_{fps}fps"] = ratio
    return figures


def _share(runs: Sequence[Compared]) -> float:
    return sum(one.ours.looks for one in runs) / sum(one.ours.analysed for one in runs)


@dataclass(frozen=True, slots=True)
class Events:
    """What both sides found of the changes that the composer logged."""

    logged: int
    findable: int
    """Found by the detector on every picture."""
    found: int
    wakes_ms: tuple[int, ...]
    """From the first glimpse of somebody who comes to the next look."""


def events(detector: OnnxDetector, scene: Played) -> Events:
    """Play one eventful scene through the detector on every picture, and through attention."""
    every, ours = Run(), Run()
    for side, run in (
        (Attentive(detector, LookTimes(enabled=False)), every),
        (Attentive(detector, LookTimes()), ours),
    ):
        for _ in side.play(scene, run):
            pass
    findable = found = 0
    for change in scene.changes:
        first_ms = _turned(every, change, change.at_ms - BEFORE_MS, change.at_ms + AFTER_MS)
        if first_ms is None:
            continue
        findable += 1
        begin_ms = change.at_ms - BEFORE_MS
        found += _turned(ours, change, begin_ms, first_ms + LATE_MS) is not None
    wakes = [_wake_ms(ours, change.at_ms) for change in scene.changes if change.came]
    return Events(len(scene.changes), findable, found, tuple(wakes))


def _turned(run: Run, change: Change, from_ms: int, to_ms: int) -> int | None:
    """When the head count went the way of a change in this time, and stayed; None: it did not."""
    before = [people for ms, people in run.counts if ms < from_ms]
    if not before:
        return None
    way = 1 if change.came else -1
    for ms, people in run.counts:
        if from_ms <= ms <= to_ms and (people - before[-1]) * way > 0:
            later = [one for at, one in run.counts if ms <= at <= ms + STEADY_MS]
            if all((one - before[-1]) * way > 0 for one in later):
                return ms
    return None


def _wake_ms(run: Run, at_ms: int) -> int:
    """From a moment to the next picture that was looked at, at least one period of pictures."""
    return next((ms - at_ms for ms in run.looked_ms if ms >= at_ms), 10 * PERIOD_MS)


def measure(*, quick: bool) -> dict[str, Figure]:
    """All figures of this benchmark."""
    cv2.setNumThreads(1)
    size = QUICK if quick else FULL
    detector = OnnxDetector(ModelFile(SHIPPED_MODEL, sha256=shipped_hash(), threads=1))
    details: dict[str, Figure] = {}
    for fps in size.rates:
        details |= ratios(detector, size, fps)
    found = [
        events(detector, played(eventful, seed, size.event_s * 1_000, 5, log=True))
        for seed in EVENT_SEEDS[: size.event_scenes]
    ]
    findable = sum(one.findable for one in found)
    if size.decoded:
        details |= decoding_figures(detector, DECODING_SEEDS[: size.decoded])
    rooms = rooms_figures([played(seated, seed, ROOM_MS, 5) for seed in SEEDS], size.rooms)
    return {
        # The worse of the camera's rates.
        **{f"cpu_ratio_{kind}": _worst(details, f"cpu_ratio_{kind}_") for kind in SCENES},
        "wake_ms_p95": percentile([one for each in found for one in each.wakes_ms], 0.95),
        "event_recall": sum(one.found for one in found) / findable if findable else None,
        "events": findable,
        "events_logged": sum(one.logged for one in found),
        **rooms,
        "seconds": sum(sum(one) for one in size.seconds.values()) * len(SEEDS) * len(size.rates),
        "seeds": len(SEEDS),
        "event_scenes": len(found),
        "sub_stream": f"H.264 {WIDTH_PX}x{HEIGHT_PX} {BITRATE_BPS // 1000} kb/s",
        "fps": ", ".join(str(one) for one in size.rates),
        **details,
    }


def _worst(details: Mapping[str, Figure], prefix: str) -> float:
    return max(
        float(value)
        for name, value in details.items()
        if name.startswith(prefix) and isinstance(value, float)
    )


def main() -> int:
    """Measure and print."""
    given = options("What watching one camera costs.")
    figures = measure(quick=given.quick)
    show(
        "Watching one camera: processor time of ours / plain",
        "plain: decode all, difference of pictures (a pixel by more than "
        f"{PIXEL_MIN} of 255; a share of them that is 1.5 times the most that noise makes in empty "
        "rooms of other seeds), detector on every picture with movement at 5 fps; ours decodes "
        "without the loop filter, same_decoder: so does the plain way. cameras_per_machine: "
        + (
            "held in one try, more were not tried"
            if given.quick
            else "the most that were held, cameras_too_many the fewest that were not"
        ),
        figures,
        given,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
