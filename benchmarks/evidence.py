"""Measures `zeroentry evidence verify`: its speed against openssl, and what it finds.

Speed: one set of recordings in memory (/dev/shm, else the page cache). The baseline is one
`openssl dgst -sha256` over the same media files; ours is `python -m zeroentry.evidence verify`,
interpreter start, signatures, chain, countersignatures and accounting included. They take turns;
the ratio is the median of the rounds, baseline's time / ours.

Alterations: every kind in turn on copies of a small set, each by a seed of its own; found means
that the verdict is "altered or missing" and the first fault names the altered file and entry.
Untouched sets of other seeds and sizes: every verdict but "whole" is a false alarm.
"""

import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.form import Figure, Options, options, show
from tests.fakes.evidence_alterations import ALTERATIONS, Alter, copy_of
from tests.fakes.evidence_sets import EvidenceSet, Size, write_set
from zeroentry.evidence.findings import Exit
from zeroentry.evidence.hashing import jobs_default
from zeroentry.evidence.verify import Asked, verify

RATIO_MIN: Final = 0.9
MIB: Final = 1 << 20
SEGMENT_BYTES: Final = 24 * MIB  # 60 s at 4 Mb/s, less the quarter by which they vary
SMALL: Final = Size(tracks=2, day_segments=3)
SEEDS_EACH_QUICK: Final = 3
SEEDS_EACH_FULL: Final = 100
ROUNDS_QUICK: Final = 5
ROUNDS_FULL: Final = 11
DAY_SEGMENTS_QUICK: Final = 45  # three quarters of an hour of two cameras: 2.5 GiB
DAY_SEGMENTS_FULL: Final = 90  # an hour and a half: 5 GiB
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where there is one, no disk has a say in the ratio


@dataclass(frozen=True, slots=True)
class _Took:
    wall_s: float
    cpu_s: float


def _timed(command: list[str]) -> _Took:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Took(wall_s, cpu_s)


def measure_speed(rounds: int, day_segments: int) -> dict[str, Figure]:
    """Ours and openssl's by turns over the same files."""
    in_memory = str(MEMORY) if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="zeroentry-bench-", dir=in_memory) as folder:
        size = Size(2, 1, day_segments, SEGMENT_BYTES, alike=True)
        made = write_set(Path(folder), seed=1, size=size)
        media = sorted(str(path) for path in made.root.glob("*/*/*.mp4"))
        total_bytes = sum(Path(path).stat().st_size for path in media)
        baseline = ["openssl", "dgst", "-sha256", *media]
        ours = [
            *(sys.executable, "-m", "zeroentry.evidence", "verify", str(made.root)),
            *("--node-key", str(made.node_keys), "--controller-key", str(made.controller_key)),
            *("--heads", str(made.heads)),
        ]
        pairs = [(_timed(baseline), _timed(ours)) for _ in range(rounds + 1)][1:]  # first: warm-up
        asked = Asked(made.root, made.node_keys, made.controller_key, made.heads)
        entries = sum(len(track.lines) for track in made.tracks.values())
        report = verify(asked)
        assert report.exit is Exit.WHOLE
    return {
        "verify_speed_vs_openssl": statistics.median(b.wall_s / v.wall_s for b, v in pairs),
        "openssl_s": statistics.median(base.wall_s for base, _ in pairs),
        "verify_s": statistics.median(mine.wall_s for _, mine in pairs),
        "openssl_cpu_s": statistics.median(base.cpu_s for base, _ in pairs),
        "verify_cpu_s": statistics.median(mine.cpu_s for _, mine in pairs),
        "rounds": rounds,
        "media_mib": total_bytes // MIB,
        "files": len(media),
        "entries": entries,
        "signatures": entries + report.witness_signatures,
        "threads": jobs_default(),
    }


def _found(made: EvidenceSet, folder: Path, alter: Alter, seed: int) -> bool:
    copy = copy_of(made, folder / "copy")
    try:
        chance = random.Random(f"{alter.__name__}-{seed}")
        altered = alter(copy, chance)
        report = verify(Asked(copy.root, copy.node_keys, copy.controller_key, copy.heads))
        if report.exit is not Exit.FAULTY:
            return False
        first = report.all_findings[0]
        names = {str(path.relative_to(copy.root)) for path in altered.files}
        return first.path in names and (not altered.entries or first.sequence in altered.entries)
    finally:
        shutil.rmtree(folder / "copy")


def _false_alarm(folder: Path, seed: int) -> bool:
    chance = random.Random(seed)
    size = Size(
        tracks=chance.randint(1, 3),
        days=chance.randint(1, 4),
        day_segments=chance.randint(3, 8),
        segment_bytes=chance.randint(0, 20_000),
    )
    made = write_set(folder / "set", seed=seed, size=size)
    report = verify(Asked(made.root, made.node_keys, made.controller_key, made.heads))
    shutil.rmtree(folder / "set")
    return report.exit is not Exit.WHOLE


def measure_alterations(seeds: int) -> dict[str, Figure]:
    """Each kind of alteration ``seeds`` times, and as many untouched sets as seeds and kinds."""
    tried = found = 0
    with tempfile.TemporaryDirectory(prefix="zeroentry-bench-") as name:
        folder = Path(name)
        made = write_set(folder / "made", seed=2, size=SMALL)
        missed: list[str] = []
        for alter in ALTERATIONS:
            for seed in range(seeds):
                tried += 1
                if _found(made, folder, alter, seed):
                    found += 1
                else:
                    missed.append(f"{alter.__name__} {seed}")
        untouched = seeds * 4
        alarms = sum(_false_alarm(folder, seed) for seed in range(untouched))
    for row in missed:
        print("not found:", row)
    return {
        "alterations_tried": tried,
        "alterations_found": found,
        "alteration_kinds": len(ALTERATIONS),
        "untouched_sets": untouched,
        "false_alarms": alarms,
    }


def main(given: Options) -> int:
    """Run and print; 1 when a figure does not reach what it has to."""
    if given.quick:
        figures = measure_speed(ROUNDS_QUICK, DAY_SEGMENTS_QUICK)
        figures |= measure_alterations(SEEDS_EACH_QUICK)
    else:
        figures = measure_speed(ROUNDS_FULL, DAY_SEGMENTS_FULL)
        figures |= measure_alterations(SEEDS_EACH_FULL)
    show(
        "evidence: `zeroentry evidence verify`, signatures and chain included, against "
        "`openssl dgst -sha256` over the same files; alterations found",
        f"to reach: speed >= {RATIO_MIN} of openssl's; found = tried; no false alarm",
        figures,
        given,
    )
    ratio = figures["verify_speed_vs_openssl"]
    good = (
        isinstance(ratio, float)
        and ratio >= RATIO_MIN
        and figures["alterations_found"] == figures["alterations_tried"]
        and figures["false_alarms"] == 0
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(options(__doc__ or "")))
