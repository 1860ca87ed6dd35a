"""The whole site in one process, from a seed: lossy bus, crashes anywhere, people at odd times.

ZEROENTRY_SIM_SEED=123 pytest tests/simulation     replays one seed and prints its story
ZEROENTRY_SIM_SEEDS=200:1000 pytest tests/simulation    tries others than the usual ones
"""

import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import structlog

from tests.fakes.site_day import day_of
from tests.fakes.site_truth import ViolationError
from tests.fakes.site_world import Place, demo_place, run_day

SEEDS: Final = range(1, 21)
BATCH: Final = 10
SEED_ENV: Final = "ZEROENTRY_SIM_SEED"
SEEDS_ENV: Final = "ZEROENTRY_SIM_SEEDS"
MEMORY_DISK: Final = Path("/dev/shm")


def chosen_seeds() -> range:
    """The seeds of this run."""
    if one := os.environ.get(SEED_ENV):
        return range(int(one), int(one) + 1)
    if some := os.environ.get(SEEDS_ENV):
        first, _, end = some.partition(":")
        return range(int(first), int(end))
    return SEEDS


def batches() -> list[range]:
    seeds = chosen_seeds()
    return [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]


@pytest.fixture(scope="module")
def place() -> Place:
    return demo_place()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Logs of a thousand faults help nobody; a failing seed prints its own story."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder in memory where there is one: the product asks for an fsync at every step."""
    folder = tempfile.mkdtemp(prefix="ze-sim-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("seeds", batches(), ids=lambda row: f"{row.start}-{row.stop - 1}")
def test_order_returns_and_nothing_forbidden_happens(
    seeds: range, place: Place, disk: Path
) -> None:
    failed: dict[int, str] = {}
    counts: Counter[str] = Counter()
    for seed in seeds:
        folder = disk / str(seed)
        try:
            counts += run_day(day_of(seed), place, folder).counts
        except ViolationError as violation:
            failed[seed] = str(violation)
        shutil.rmtree(folder)
    shown = "\n\n".join(f"seed {seed}: {SEED_ENV}={seed}\n{text}" for seed, text in failed.items())
    assert not failed, f"{len(failed)} of {len(seeds)} seeds failed\n{shown}"
    assert counts["meal"], "no seed of this batch ordered anything"
