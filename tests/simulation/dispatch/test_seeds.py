"""Days of mixed faults on small maps through the whole core: nothing forbidden, order returns.

    ZEROENTRY_SOAK_SEEDS=0:2000 pytest tests/simulation/dispatch/test_seeds.py   tries others
    zeroentry simulate --seed 123 --trace                                       tells one of them

Seeds are shared out among as many processes as there are cores.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final

import pytest

from zeroentry.simulator.script import FaultKind, noon
from zeroentry.simulator.soak import Row, play, replay
from zeroentry.simulator.world import run

SEEDS: Final = range(500)
BATCH: Final = 25
WORKERS_MAX: Final = 2  # what CI has
ENOUGH_FOR_ALL: Final = 300  # of so many seeds, each fault has struck
SEEDS_ENV: Final = "ZEROENTRY_SOAK_SEEDS"

Runs = Mapping[int, "Future[list[Row]]"]


def chosen_seeds() -> range:
    """The seeds of this run."""
    if some := os.environ.get(SEEDS_ENV):
        first, _, end = some.partition(":")
        return range(int(first), int(end))
    return SEEDS


def batches() -> list[range]:
    seeds = chosen_seeds()
    return [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Every batch, under way or done."""
    workers = min(WORKERS_MAX, len(os.sched_getaffinity(0)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield {seeds.start: pool.submit(play, seeds) for seeds in batches()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seeds", batches(), ids=lambda row: f"{row.start}-{row.stop - 1}")
def test_no_judge_sees_what_must_not_happen(seeds: range, runs: Runs) -> None:
    rows = runs[seeds.start].result()
    assert [row["seed"] for row in rows] == list(seeds)
    failed = [f"{row['judge']}: {row['text']}\n    {replay(row)}" for row in rows if row["judge"]]
    assert not failed, f"{len(failed)} of {len(rows)} seeds:\n" + "\n".join(failed)


NOON_WINDOW_S: Final = 1_800.0


@pytest.mark.parametrize("fails_at_s", [None, 320.0])
def test_thirteen_rooms_have_their_meal_inside_half_an_hour(fails_at_s: float | None) -> None:
    outcome = run(noon(fails_at_s=fails_at_s))
    assert outcome.violation is None, "\n".join(outcome.trace[-40:])
    waits = [row.taken_s - row.ordered_s for row in outcome.orders if row.taken_s is not None]
    assert len(waits) == len(outcome.orders)
    assert max(waits) < NOON_WINDOW_S


def test_the_seeds_try_everything(runs: Runs) -> None:
    counts: Counter[str] = Counter()
    rows = [row for future in runs.values() for row in future.result()]
    for row in rows:
        found = row["counts"]
        assert isinstance(found, dict)
        counts.update(found)
    assert counts["delivery returned"] > len(rows)
    if len(rows) < ENOUGH_FOR_ALL:
        return
    missing = {kind for kind in FaultKind if not counts[f"fault {kind}"]}
    assert not missing
    assert {"delivery cancelled", "delivery failed", "lost"} <= set(counts)
