"""Plays the scenarios of a run over processes, and keeps each result as soon as it is there."""

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.detection_results import Result, corpus_hash, group_of_file
from tests.corpus.eyes import Optician
from tests.corpus.families import Family, Split, all_families
from tests.corpus.footage import clip_at, families_of_clip
from tests.corpus.runner import play
from tests.corpus.scenario import Scenario
from tests.corpus.scoring import HeadScore, heads_by_people, heads_of, score


@dataclass(frozen=True, slots=True)
class Task:
    """One scenario to play, named so that another process can make it."""

    family: str
    seed: int
    group: str
    limit_ms: int | None = None
    """Play no more than this of it: of quiet, where there is time for a sample only."""


class Worker:
    """What a process keeps between scenarios: the model, and the families."""

    def __init__(self, footage: Path | None, split: Split) -> None:
        self.optician = Optician()
        self.families = families(footage)
        self.split = split

    def play(self, task: Task) -> Result:
        """Play one scenario and score it."""
        began_s = time.perf_counter()
        scenario = self.families[task.family].scenario(task.seed, self.split)
        if task.limit_ms is not None and task.limit_ms < scenario.duration_ms:
            scenario = replace(scenario, duration_ms=task.limit_ms)
        played = play(scenario, self.optician)
        return Result(
            family=task.family,
            seed=task.seed,
            corpus=corpus_hash(task.group),
            of_camera=scenario.of_camera,
            quiet=scenario.quiet,
            duration_ms=scenario.duration_ms,
            took_ms=round((time.perf_counter() - began_s) * 1000),
            pictures=_pictures(scenario),
            rows=score(scenario, played.alerts, played.clocks),
            heads=heads_of(scenario, played.heads) if scenario.heads else HeadScore(),
            heads_by_people=heads_by_people(scenario, played.heads),
        )


def _pictures(scenario: Scenario) -> int:
    """About how many pictures were analysed, for the cost of one."""
    if scenario.of_camera == "none":
        return 0
    return scenario.duration_ms // 200 * len(scenario.room.cameras)


def families(footage: Path | None) -> dict[str, Family]:
    """All families, those of the real clip with them if there is one."""
    found = dict(all_families())
    if footage is not None:
        found |= {one.name: one for one in families_of_clip(clip_at(footage))}
    return found


def group_of(one: Family) -> str:
    """The group of the file that a family is written in."""
    return group_of_file(one.make.__module__.rsplit(".", 1)[-1])


_WORKER: list[Worker] = []  # one a process; filled by the pool's initializer


PR_SET_PDEATHSIG: Final = 1  # Linux prctl(2)


def _start(footage: Path | None, split: Split) -> None:
    # Who is killed leaves no workers behind that play on for hours.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ["OMP_NUM_THREADS"] = "1"
    _WORKER.append(Worker(footage, split))


def _play(task: Task) -> Result:
    return _WORKER[0].play(task)


def played(
    tasks: Sequence[Task], *, jobs: int, footage: Path | None, split: Split, until_s: float | None
) -> Iterator[Result]:
    """Results as they come; nothing new is begun after ``until_s`` (of ``time.perf_counter``).

    A scenario that fails raises: a benchmark that skipped what fails would be worth nothing.
    """
    if jobs == 1:
        worker = Worker(footage, split)
        for task in tasks:
            if until_s is not None and time.perf_counter() >= until_s:
                return
            yield worker.play(task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(footage, split)
    ) as pool:
        waiting = list(reversed(tasks))
        running: set[Future[Result]] = set()
        while waiting or running:
            late = until_s is not None and time.perf_counter() >= until_s
            while waiting and len(running) < jobs and not late:
                running.add(pool.submit(_play, waiting.pop()))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
