"""Makes scenarios of one real clip, plain and altered by known faults; no clip is shipped.

The clip is played at 5 fps and 640 px width. Its head counts, where somebody made them, lie beside
it as ``NAME.counts.csv`` (frame, people, note), or as ``PREFIX.counts.csv`` whose name begins like
the clip's.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from tests.corpus.disturbances import (
    H264,
    Change,
    Covered,
    Dark,
    Defocused,
    Frozen,
    Glare,
    Image,
    Lights,
    Moved,
    Noise,
)
from tests.corpus.families import Draw, Family
from tests.corpus.rooms import room
from tests.corpus.scenario import (
    CAMERA,
    Given,
    Heads,
    Pictured,
    Scenario,
    Spare,
    merged,
    said,
    seal,
    truths,
)
from tests.corpus.spans import Span
from tests.corpus.stage import PERIOD_MS

SIZE_PX = (640, 360)
SEEDS_PLAIN = 3
SEEDS_FAULT = 8
AFTER_FAULT_MS = 8_000


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip on disk: its rate, length, and how many people somebody counted in which frame."""

    path: Path
    fps: float
    duration_ms: int
    counts: tuple[tuple[int, int], ...]


def clip_at(path: Path) -> Clip:
    """Look at a clip and its counts.

    Raises:
        FileNotFoundError: no such clip.
        av.error.FFmpegError: not a video.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such clip")
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        fps = float(stream.average_rate or 10)
        duration_ms = round(float((stream.duration or 0) * (stream.time_base or 0)) * 1000)
    tables = sorted(path.parent.glob("*.counts.csv"))
    table = next((one for one in tables if path.stem.startswith(one.name.split(".")[0])), None)
    counts: list[tuple[int, int]] = []
    if table is not None:
        with table.open(encoding="utf-8", newline="") as rows:
            counts = [(int(row["frame"]), int(row["people"])) for row in csv.DictReader(rows)]
    return Clip(path, fps, duration_ms, tuple(counts))


def pictures(clip: Clip, changes: Callable[[], list[Change]]) -> Iterator[Given]:
    """The clip at 5 fps, changed."""
    made = changes()
    due_ms = 0
    with av.open(str(clip.path)) as opened:
        for number, frame in enumerate(opened.decode(video=0)):
            at_ms = round(number * 1000 / clip.fps)
            if at_ms < due_ms:
                continue
            due_ms += PERIOD_MS
            picture: Image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            image = np.asarray(cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8)
            for change in made:
                image = change(image, at_ms)
            yield Pictured(at_ms, CAMERA, image)


def _scenario(
    clip: Clip, draw: Draw, name: str, fault: str | None, change: Callable[[Span], Change] | None
) -> Scenario:
    end_ms = clip.duration_ms - AFTER_FAULT_MS
    at_ms = draw.ms(30_000, end_ms - 30_000)
    span = (at_ms, min(at_ms + draw.ms(12_000, 25_000), end_ms))
    encoder = draw.share(0, 1) < 0.5
    noise = draw.whole(0, 1)
    draw_sigma = draw.share(2.0, 6.0)

    def changes() -> list[Change]:
        fault = [change(span)] if change is not None else []
        camera: list[Change] = [Noise(draw.seed, draw_sigma)] if noise else []
        camera += [H264()] if encoder else []
        # A camera that is stuck sends what its encoder gave, noise and all; the rest happens to
        # the picture before.
        return [*camera, *fault] if change is Frozen else [*fault, *camera]

    heads = tuple(
        Heads(at - 500, at + 500, people, clear=True)
        for frame, people in clip.counts
        if (at := round(frame * 1000 / clip.fps)) and (change is None or not _near(at, span))
    )
    return Scenario(
        name=name,
        seed=draw.seed,
        room=room(admits={}),
        duration_ms=clip.duration_ms,
        open=lambda: merged(pictures(clip, changes), said(seal(2_000, 3))),
        truth=truths(fault, CAMERA, (span,)) if fault else (),
        # Nobody counted each second of the clip, and no committee of three sits in it.
        spare=(
            Spare(0, clip.duration_ms, "area.under_admitted"),
            Spare(0, clip.duration_ms, "area.empty_too_long"),
            *((Spare(span[0], span[1] + 5_000),) if fault else ()),
            Spare(0, clip.duration_ms, "camera.lights"),
        ),
        heads=heads if fault is None else (),
        of_camera="real",
    )


def _near(at_ms: int, span: Span) -> bool:
    """Whether a count by hand falls into a fault or the seconds after it."""
    return span[0] - 500 <= at_ms < span[1] + 5_000


FAULTS: Final[tuple[tuple[str, str | None, Callable[[Span], Change] | None], ...]] = (
    ("plain", None, None),
    ("dimmed", None, lambda span: Lights((span,), rest=0.6)),
    ("covered", "camera.covered", Covered),
    ("defocused", "camera.defocused", Defocused),
    ("moved", "camera.moved", Moved),
    ("frozen", "camera.frozen", Frozen),
    ("darkened", "camera.dark", Dark),
    ("glare", "camera.glare", Glare),
)


def families_of_clip(clip: Clip) -> tuple[Family, ...]:
    """The clip plain, and altered by each known fault."""

    def maker(
        name: str, code: str | None, change: Callable[[Span], Change] | None
    ) -> Callable[[Draw], Scenario]:
        return lambda draw: _scenario(clip, draw, f"clip_{name}", code, change)

    return tuple(
        Family(
            f"{code or 'real'}/clip_{name}",
            (code,) if code else (),
            maker(name, code, change),
            SEEDS_FAULT if code else SEEDS_PLAIN,
        )
        for name, code, change in FAULTS
    )
