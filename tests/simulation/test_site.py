"""The whole site in one process, from a seed: lossy bus, crashes anywhere, people at odd times.

    ZEROENTRY_SIM_SEED=123 pytest tests/simulation/test_site.py       replays one seed
    ZEROENTRY_SIM_SEEDS=200:1000 pytest tests/simulation/test_site.py tries others than the usual

A seed runs in one process; the seeds are shared out among as many processes as there are cores.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final

import pytest

from tests.fakes.site_day import Trouble
from tests.fakes.site_world import Outcome, try_seed

SEEDS: Final = (
    0, 2, 3, 4, 6, 8, 11, 12, 15, 18, 20, 22, 25, 27, 30, 31, 36, 39, 40, 41, 53, 61, 62, 77,
)  # fmt: skip
"""Of eighty that were tried, those that together try everything (the last test says what that is);
what robots do is tried by many more seeds in ``dispatch``."""
BATCH: Final = 6
WORKERS_MAX: Final = 2  # what CI has
ENOUGH_FOR_ALL: Final = len(SEEDS)  # of so many seeds, each trouble has struck
SEED_ENV: Final = "ZEROENTRY_SIM_SEED"
SEEDS_ENV: Final = "ZEROENTRY_SIM_SEEDS"

Runs = Mapping[int, "Future[Outcome]"]


def chosen_seeds() -> Sequence[int]:
    """The seeds of this run."""
    if one := os.environ.get(SEED_ENV):
        return range(int(one), int(one) + 1)
    if some := os.environ.get(SEEDS_ENV):
        first, _, end = some.partition(":")
        return range(int(first), int(end))
    return SEEDS


def batches() -> list[Sequence[int]]:
    seeds = chosen_seeds()
    return [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Every chosen seed, under way or done; one alone runs here, where a debugger reaches it."""
    seeds = chosen_seeds()
    if len(seeds) == 1:
        done: Future[Outcome] = Future()
        done.set_result(try_seed(seeds[0]))
        yield {seeds[0]: done}
        return
    workers = min(WORKERS_MAX, len(os.sched_getaffinity(0)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield {seed: pool.submit(try_seed, seed) for seed in seeds}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seeds", batches(), ids=lambda row: f"{row[0]}-{row[-1]}")
def test_order_returns_and_nothing_forbidden_happens(seeds: Sequence[int], runs: Runs) -> None:
    outcomes = [runs[seed].result() for seed in seeds]
    failures = [row.failure for row in outcomes if row.failure is not None]
    assert not failures, f"{len(failures)} of {len(seeds)} seeds:\n" + "\n\n".join(failures)


def test_the_seeds_try_everything(runs: Runs) -> None:
    if len(runs) < ENOUGH_FOR_ALL:
        pytest.skip("too few seeds to have tried everything")
    counts: Counter[str] = Counter()
    for run in runs.values():
        counts += run.result().counts
    told = {name for name, times in counts.items() if times}
    assert {kind.value for kind in Trouble} <= {name.split()[0] for name in told}
    assert told >= {
        "person observed",
        "wrong pin",
        "pin locked",
        "unplug",
        "kitchen unlock",
        "door unlock",
        "delivery returned",
        "delivery cancelled",
        "delivery failed",
        "stored area.over_admitted",
        "stored camera.offline",
        "stored node.offline",
        "stored robot.person_in_zone",
        "stored delivery.pin_locked",
    }
