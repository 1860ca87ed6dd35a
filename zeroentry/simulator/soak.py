"""Plays many seeds in several processes, keeps what came of each, tells how to see one again."""

import hashlib
import json
import multiprocessing
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from runtime.clock import SystemClock
from zeroentry.simulator import world
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import draw

BATCH: Final = 20
TOLD_EVERY_MS: Final = 15_000
SHOWN_MAX: Final = 20
RAISED_FRAMES: Final = 4
ROOT: Final = Path(__file__).parents[2]
PLAYED: Final = ("contracts", "controller/core", "zeroentry/simulator")

Row = dict[str, object]


def as_dict(outcome: Outcome) -> Row:
    """An outcome without its story, as JSON can hold it."""
    row = asdict(outcome)
    del row["trace"]
    row["counts"] = dict(outcome.counts)
    return row


def digest() -> str:
    """Of all code that decides a day: results of other code say nothing of this one."""
    found = hashlib.sha256()
    for package in PLAYED:
        for file in sorted((ROOT / package).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


def play(seeds: Sequence[int]) -> list[Row]:
    """Play seeds here, one after another; an exception of the core is a failure as well."""
    return [_play(seed) for seed in seeds]


def _play(seed: int) -> Row:
    clock = SystemClock()
    began_ms = clock.mono_ms()
    try:
        outcome = world.run(draw(seed))
    except Exception as error:  # noqa: BLE001  # boundary: what the core raises is what is looked for
        return {
            "seed": seed, "map": "", "judge": "raised", "text": _where(error),
            "simulated_s": 0.0, "wall_s": (clock.mono_ms() - began_ms) / 1000, "counts": {},
        }  # fmt: skip
    bad = outcome.violation
    return {
        "seed": seed,
        "map": outcome.map,
        "judge": bad.judge if bad else "",
        "text": bad.text if bad else "",
        "simulated_s": round(outcome.simulated_s, 1),
        "wall_s": round(outcome.wall_s, 4),
        "counts": dict(outcome.counts),
    }


def _where(error: Exception) -> str:
    """What was raised, and the innermost places in which."""
    frames = traceback.extract_tb(error.__traceback__)[-RAISED_FRAMES:]
    places = " < ".join(
        f"{Path(row.filename).name}:{row.lineno} {row.name}" for row in frames[::-1]
    )
    return f"{error!r:.300} in {places}"


@dataclass(frozen=True, slots=True)
class Tally:
    """What many seeds came to, for a benchmark's table."""

    seeds: int
    collisions: int
    deadlocks: int
    """Robots or whole days that did not go on though nothing held them."""
    unexplained: int
    """Orders that ended neither delivered nor explained, or had no owner."""
    others: int
    simulated_s: float
    wall_s: float


def tally(seeds: range, *, jobs: int = 1) -> Tally:
    """Play seeds and count what judges saw; in this process, or in several."""
    rows: list[Row] = []
    if jobs == 1:
        rows = play(seeds)
    else:
        batches = [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            for part in pool.map(play, batches):
                rows += part
    count = Counter(str(row["judge"]) for row in rows)
    collisions = count.pop("collision", 0)
    deadlocks = sum(count.pop(name, 0) for name in ("deadlock", "idle", "rest"))
    unexplained = sum(count.pop(name, 0) for name in ("end", "owner"))
    count.pop("", None)
    return Tally(
        seeds=len(rows),
        collisions=collisions,
        deadlocks=deadlocks,
        unexplained=unexplained,
        others=sum(count.values()),
        simulated_s=sum(float(str(row["simulated_s"])) for row in rows),
        wall_s=sum(float(str(row["wall_s"])) for row in rows),
    )


def replay(row: Row) -> str:
    """The command that plays a seed again."""
    return f"zeroentry simulate --seed {row['seed']} --trace"


def soak(seeds: range, *, jobs: int, state: Path, say: Callable[[str], None]) -> bool:
    """Play all seeds that ``state`` has no result of; True when every one was good."""
    code = digest()
    done, old = _stored(state, code)
    if old:
        say(f"{old} results in {state} are of other code and do not count: played anew")
    left = [seed for seed in seeds if seed not in done]
    rows = [done[seed] for seed in seeds if seed in done]
    if rows:
        say(f"{len(rows)} of {len(seeds)} seeds were played before ({state})")
    state.parent.mkdir(parents=True, exist_ok=True)
    batches = [left[at : at + BATCH] for at in range(0, len(left), BATCH)]
    clock = SystemClock()
    told_ms = clock.mono_ms()
    context = multiprocessing.get_context("spawn")
    workers = jobs or len(os.sched_getaffinity(0))
    with state.open("a") as file, ProcessPoolExecutor(workers, mp_context=context) as pool:
        for future in as_completed([pool.submit(play, batch) for batch in batches]):
            for row in future.result():
                rows.append(row)
                file.write(json.dumps(row | {"code": code}) + "\n")
                if row["judge"]:
                    say(f"{row['judge']}: {row['text']}\n    {replay(row)}")
            file.flush()
            if clock.mono_ms() - told_ms > TOLD_EVERY_MS:
                told_ms = clock.mono_ms()
                say(f"{len(rows)} of {len(seeds)} seeds")
    return _sum_up(rows, say)


def _stored(state: Path, code: str) -> tuple[dict[int, Row], int]:
    """What this code played before, and how many results are of other code."""
    if not state.is_file():
        return {}, 0
    rows: dict[int, Row] = {}
    old = 0
    for line in state.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was stopped
        if row.get("code") == code:
            rows[int(row["seed"])] = row
        else:
            old += 1
    return rows, old


def _sum_up(rows: Iterable[Row], say: Callable[[str], None]) -> bool:
    rows = list(rows)
    bad = [row for row in rows if row["judge"]]
    counts: Counter[str] = Counter()
    for row in rows:
        found = row["counts"]
        if isinstance(found, dict):
            counts.update(found)
    simulated_s = sum(float(str(row["simulated_s"])) for row in rows)
    wall_s = sum(float(str(row["wall_s"])) for row in rows)
    for name in sorted(name for name in counts if name.startswith(("fault", "delivery"))):
        say(f"  {counts[name]:>7}  {name}")
    say(
        f"{len(rows)} seeds, {simulated_s / 3600:.0f} hours simulated, {wall_s:.0f} s of computing "
        f"({simulated_s / max(wall_s, 1e-9):.0f} times real time), {counts['steps']} steps"
    )
    for row in bad[:SHOWN_MAX]:
        say(f"FAILED {row['judge']}: {str(row['text'])[:160]}\n    {replay(row)}")
    say(f"{len(rows) - len(bad)} good, {len(bad)} failed")
    return not bad
