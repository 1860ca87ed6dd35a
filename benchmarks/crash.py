"""Measures what kill -9 and pulled plugs cost: milliseconds lost, and whether the rest is whole.

Kills: a real recorder under load is killed at random moments and started again on the same folder.
The generator's own log says which picture was sent last before the connection broke; the highest
picture of that run on disk says what survived. At the end every chain, signature and byte is
verified, and the index is compared with the disk.

Power cuts: the recorder's own writer runs on a disk in memory that drops whatever was not synced,
cut off after each single operation; what a recovery then finds is held against what had been
given to the disk.
"""

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from benchmarks.cameras import FPS, number_of
from benchmarks.form import Figure, Options, options, show
from benchmarks.rig import Cameras, Node, RigError, cameras, lay, process, stop, wait_for
from edge.evidence.index import RecordingIndex
from runtime import logs
from tests.fakes.power_cuts import cut_everywhere
from zeroentry.evidence.findings import Exit
from zeroentry.evidence.verify import Asked, verify

KILLS_FULL: Final = 100
KILLS_QUICK: Final = 10
CAMERAS_FULL: Final = 4
CAMERAS_QUICK: Final = 2
SEGMENT_S: Final = 10  # short, so that kills fall on the end of a segment too
STEADY_S: Final = 20.0  # a recorder that does not record within this is broken
BEFORE_KILL_MIN_S: Final = 0.1
BEFORE_KILL_MAX_S: Final = 2.0
SEED: Final = 20_261_122
KILL_LIMIT_MS: Final = 1_000
POWER_LIMIT_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: the first and last picture that each camera sent to the recorder that died."""

    sent: dict[str, tuple[int, int]]


def _newest(node: Node, track: str) -> tuple[str, int]:
    files = sorted((node.recordings / track).glob("*/*.mp4"))
    return (files[-1].name, files[-1].stat().st_size) if files else ("", 0)


def _run_and_kill(node: Node, played: Cameras, tracks: Sequence[str], rng: random.Random) -> Kill:
    before = {track: _newest(node, track)[0] for track in tracks}
    left = {track: len(played.sent(track)) for track in tracks}
    with process(node.command, log=node.log) as recorder:

        def growing() -> bool:
            if recorder.poll() is not None:
                raise RigError(f"the recorder ended by itself: {recorder.returncode}")
            newest = {track: _newest(node, track) for track in tracks}
            return all(name > before[track] and size > 0 for track, (name, size) in newest.items())

        wait_for(STEADY_S, "every camera is being recorded", growing)
        # Real time is what is measured here: a kill at a moment that nothing in the process chose.
        time.sleep(rng.uniform(BEFORE_KILL_MIN_S, BEFORE_KILL_MAX_S))
        recorder.kill()
        recorder.wait()
    wait_for(
        STEADY_S,
        "the generator notices that the recorder is gone",
        lambda: all(len(played.sent(track)) > left[track] for track in tracks),
    )
    rows = {track: played.sent(track)[-1] for track in tracks}
    return Kill({track: (row.first_picture, row.last_picture) for track, row in rows.items()})


def _numbers(node: Node, track: str) -> list[int]:
    found: list[int] = []
    for segment, file in node.segments(track):
        with av.open(str(file)) as source:
            for packet in source.demux(video=0):
                if packet.size == 0:
                    continue
                number = number_of(bytes(packet))
                if number is None:
                    raise RigError(f"{segment.file}: a picture without a number")
                found.append(number)
    return found


def _worst_loss_ms(node: Node, tracks: Sequence[str], kills: Sequence[Kill]) -> float:
    worst = 0.0
    for track in tracks:
        numbers = _numbers(node, track)
        if len(numbers) != len(set(numbers)):
            raise RigError(f"{track}: pictures are on disk twice")
        for kill in kills:
            first, last = kill.sent[track]
            kept = max((number for number in numbers if first <= number <= last), default=first - 1)
            worst = max(worst, 1000 * (last - kept) / FPS)
    return worst


def _kills(given: Options, folder: Path) -> dict[str, Figure]:
    rng = random.Random(SEED)
    count = CAMERAS_QUICK if given.quick else CAMERAS_FULL
    tracks = [f"cam-{index}" for index in range(1, count + 1)]
    with ExitStack() as stack:
        played = stack.enter_context(cameras(folder))
        urls = {track: played.url(track) for track in tracks}
        node = lay(folder, urls, recording={"segment_s": SEGMENT_S})
        kills = [
            _run_and_kill(node, played, tracks, rng)
            for _ in range(KILLS_QUICK if given.quick else KILLS_FULL)
        ]
        # One more start, ended in order: it closes what the last kill left behind.
        before = {track: _newest(node, track)[0] for track in tracks}
        recorder = stack.enter_context(process(node.command, log=node.log))
        wait_for(
            STEADY_S,
            "every camera is being recorded again",
            lambda: all(_newest(node, track)[0] > before[track] for track in tracks),
        )
        stop(recorder)
    report = verify(Asked(node.recordings, node_key=node.recordings / "keys"))
    if report.exit is Exit.FAULTY:
        raise RigError(f"evidence is not whole: {report.all_findings[0]}")
    index = RecordingIndex(":memory:", node.recordings)
    while index.follow():
        pass
    mismatches = len(index.check())
    index.close()
    return {
        "kills": len(kills),
        "cameras": count,
        "worst_loss_ms": _worst_loss_ms(node, tracks, kills),
        "index_mismatches": mismatches,
    }


def _power() -> dict[str, Figure]:
    cuts = cut_everywhere()
    return {"power_cuts": cuts.tried, "worst_power_loss_ms": float(cuts.worst_loss_ms)}


def main(argv: list[str]) -> int:
    """Run it; 1 when a limit is missed."""
    given = options(__doc__ or "", argv)
    logs.configure("benchmark", json=False, level="ERROR")
    with tempfile.TemporaryDirectory(prefix="zeroentry-crash-") as name:
        figures = {**_kills(given, Path(name)), **_power(), "seed": SEED}
    show(
        "Crashes of the recorder",
        f"limits: {KILL_LIMIT_MS} ms a kill, {POWER_LIMIT_MS} ms a power cut, no mismatch",
        figures,
        given,
    )
    lost, power = figures["worst_loss_ms"], figures["worst_power_loss_ms"]
    sound = isinstance(lost, float) and lost <= KILL_LIMIT_MS
    sound = sound and isinstance(power, float) and power <= POWER_LIMIT_MS
    return 0 if sound and figures["index_mismatches"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
