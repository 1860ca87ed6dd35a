"""Composes and encodes the scenes that the camera benchmark plays: what a camera's sub stream is.

Each scene is drawn once with sensor noise, encoded as cameras do (H.264, constrained rate, a key
frame each two seconds, no B-frames) at the rate that the camera sends, and kept under build/ by all
that makes it. Who came and went when is the composer's own log.
"""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av

from tests.corpus import disturbances, stage
from tests.corpus.families import Draw
from tests.corpus.scenario import Pictured
from tests.corpus.stage import HALF, Stage
from zeroentry import composer
from zeroentry.composer.hall import Layout

KEPT: Final = Path(__file__).resolve().parents[1] / "build" / "benchmarks" / "scenes"
WIDTH_PX, HEIGHT_PX = 640, 360
BITRATE_BPS: Final = 512_000  # what most cameras are set to for their sub stream
GOP_S: Final = 2
GLIMPSE: Final = 0.10  # of head and trunk: less is a sleeve in the doorway


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody came or went, as the composer drew it."""

    at_ms: int
    came: bool


@dataclass(frozen=True, slots=True)
class Played:
    """An encoded scene, and when somebody came (first glimpse) or went (half of them is hidden)."""

    path: Path
    fps: int
    duration_ms: int
    changes: tuple[Change, ...]
    people: int
    """All who are in it at some time."""


Direct = Callable[[int, int], Stage]
"""A seed and a duration in milliseconds to a directed stage."""


def empty(seed: int, duration_ms: int) -> Stage:
    """A furnished room without anybody."""
    return Stage(
        Draw("camera_empty", seed), Layout.ROW, seats=6, noise_sigma=3.0, duration_ms=duration_ms
    )


def seated(seed: int, duration_ms: int) -> Stage:
    """Five to nine people who move on their seats all the time."""
    draw = Draw("camera_seated", seed)
    layout = draw.one_of(Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE)
    made = Stage(draw, layout, seats=draw.one_of(5, 7, 9), noise_sigma=3.0, duration_ms=duration_ms)
    made.seat_all()
    return made


def busy(seed: int, duration_ms: int) -> Stage:
    """Three who sit, and others who come, walk and go without a pause."""
    draw = Draw("camera_busy", seed)
    made = Stage(draw, Layout.ROW, seats=5, noise_sigma=3.0, duration_ms=duration_ms)
    for number in (1, 2, 3):
        made.seat(number)
    for number, name in enumerate(("visitor-1", "visitor-2")):
        at_ms = number * 2_000
        while at_ms < duration_ms:
            at_ms = made.leaves(name, made.enters(name, at_ms, goal=number)) + 400
    return made


def eventful(seed: int, duration_ms: int) -> Stage:
    """People come, sit, rise and go, now in an empty room, now behind others who sit."""
    draw = Draw("camera_events", seed)
    layout = draw.one_of(Layout.ROW, Layout.ROW, Layout.TWO_ROWS, Layout.U_SHAPE)
    made = Stage(
        draw,
        layout,
        seats=draw.one_of(5, 7, 9),
        noise_sigma=draw.share(2, 4),
        duration_ms=duration_ms,
    )
    people = len(made.hall.chairs)
    if draw.share(0, 1) < 0.7:
        for number in range(1, people - 1):
            made.seat(number)
    at_ms, index = draw.ms(9_000, 14_000), 0
    while at_ms < duration_ms - 14_000:
        index += 1
        name = f"visitor-{index}"
        there_ms = made.enters(name, at_ms, goal=index % len(made.hall.stands))
        gone_ms = made.leaves(name, there_ms + draw.ms(3_000, 12_000))
        at_ms = gone_ms + draw.ms(3_000, 9_000)
    return made


def played(direct: Direct, seed: int, duration_ms: int, fps: int, *, log: bool = False) -> Played:
    """The scene of a seed as this camera sends it; composed and encoded when it is not kept yet.

    Who came and went is worked out where it is asked for (``log``): it takes a second a scene.
    """
    made = direct(seed, duration_ms)
    key = f"{direct.__name__} {seed} {duration_ms} {fps} {BITRATE_BPS} {GOP_S} {_composer()}"
    path = KEPT / f"{direct.__name__}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        _encode(part, made, fps)
        part.replace(path)
    changes = _changes(made) if log else ()
    return Played(path, fps, duration_ms, changes, len(made.people))


def _composer() -> str:
    """A hash of what draws the scenes: another composer, other scenes."""
    drawing = sorted(Path(inspect.getfile(composer)).parent.glob("*.py"))
    directing = [Path(inspect.getfile(one)) for one in (stage, disturbances)]
    own = "".join(inspect.getsource(one) for one in (empty, seated, busy, eventful, _encode))
    whole = b"".join(one.read_bytes() for one in (*drawing, *directing))
    return hashlib.sha256(whole + own.encode()).hexdigest()


def _changes(made: Stage) -> tuple[Change, ...]:
    changes = []
    for name in made.people:
        for start_ms, _ in made.seen(name, GLIMPSE):
            if start_ms > 0:
                changes.append(Change(start_ms, came=True))
        for _, end_ms in made.seen(name, HALF):
            if end_ms < made.duration_ms:
                changes.append(Change(end_ms, came=False))
    return tuple(sorted(changes, key=lambda one: one.at_ms))


def _encode(path: Path, made: Stage, fps: int) -> None:
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        video.bit_rate = BITRATE_BPS
        video.time_base = Fraction(1, fps)
        gop = GOP_S * fps
        video.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "profile": "main",
            "maxrate": str(BITRATE_BPS),
            "bufsize": str(BITRATE_BPS),
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0",
        }
        for index, given in enumerate(made.pictures(fps=fps)):
            if not isinstance(given, Pictured):
                continue
            frame = av.VideoFrame.from_ndarray(given.image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
