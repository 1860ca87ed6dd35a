"""Plays labelled scenarios through perception and rules: what each rule finds, misses, invents.

Truth comes from the composer's own log and from what a scenario itself ordered, never from the
system. Time to alert counts from the true start plus the rule's declared dwell; what perception
costs in time is the benchmark ``alerts``' affair. Only held-out seeds are played, which no rule was
tuned on; a full run is resumed from build/detection/results.jsonl as long as no source changed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import detection_page
from benchmarks.detection_figures import Figures, RuleFigures, exact, figures, mean_error
from benchmarks.detection_play import Task, families, group_of, played
from benchmarks.detection_results import Result, append, corpus_hash, stored
from benchmarks.form import machine
from contracts.catalogue import CATALOGUE
from contracts.units import RuleCode
from tests.corpus.families import Family, Split

FOOTAGE_VARIABLE: Final = "ZERO_ENTRY_FOOTAGE"
HOURS: Final = 24.0
QUIET_SCENARIO_H: Final = 1 / 6  # a quiet scenario lasts ten minutes
FEW: Final = 4  # seeds of a family before the quiet hours
QUICK_QUIET_MS: Final = 30_000
CHEAP: Final = ("robot", "machine")  # groups without pictures or sound
LONG_DWELL_MS: Final = 60_000
QUICK_BEGIN_S: Final = 26.0  # the last scenario may take some seconds more; 45 s in all


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    quick: bool
    json: bool
    jobs: int
    hours: float
    seeds: int | None
    only: tuple[str, ...]
    footage: Path | None
    split: Split
    page: bool
    report: bool


def options(argv: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample of the families (45 s)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--hours", type=float, default=HOURS, help="room-hours of quiet (24)")
    parser.add_argument("--seeds", type=int, default=None, help="no more of a family than this")
    parser.add_argument("--families", default="", help="only names with one of these, by comma")
    parser.add_argument(
        "--footage",
        type=Path,
        default=Path(os.environ[FOOTAGE_VARIABLE]) if FOOTAGE_VARIABLE in os.environ else None,
        help=f"a real clip to play plain and altered (default: {FOOTAGE_VARIABLE})",
    )
    parser.add_argument(
        "--tune", action="store_true", help="play tuning seeds: for work, not for figures"
    )
    parser.add_argument("--page", action="store_true", help="write docs/reference/detection.md")
    parser.add_argument("--report", action="store_true", help="play nothing: tell what is stored")
    given = parser.parse_args(argv)
    return Options(
        quick=given.quick,
        json=given.json,
        jobs=max(1, given.jobs),
        hours=given.hours,
        seeds=given.seeds,
        only=tuple(one for one in given.families.split(",") if one),
        footage=given.footage,
        split=Split.TUNE if given.tune else Split.HELD_OUT,
        page=given.page,
        report=given.report,
    )


def tasks_of(found: dict[str, Family], given: Options) -> list[Task]:
    """Every scenario of a run: a few seeds of each family, then the quiet hours, then the rest.

    So a run that is cut short has a figure for every rule.
    """
    chosen = [
        one
        for one in found.values()
        if not given.only or any(part in one.name for part in given.only)
    ]
    quiet = [one for one in chosen if not one.codes and group_of(one) == "quiet"]
    rounds: list[tuple[int, int, Task]] = []
    for one in chosen:
        seeds = one.seeds
        if one in quiet:
            seeds = max(1, round(given.hours / QUIET_SCENARIO_H / len(quiet)))
        elif given.seeds is not None:
            seeds = min(seeds, given.seeds)
        for index in range(min(seeds, len(given.split.seeds))):
            task = Task(one.name, given.split.seeds[index], group_of(one))
            rounds.append((1 if one in quiet else 0 if index < FEW else 2, index, task))
    return [task for *_, task in sorted(rounds, key=lambda row: (row[0], row[1], row[2].family))]


def quick_sample(tasks: Sequence[Task], found: dict[str, Family]) -> list[Task]:
    """One scenario of a family, one family of a rule first; what costs least comes first."""
    firsts: dict[str, Task] = {}
    for task in tasks:
        firsts.setdefault(task.family, task)
    quiet = [task for task in firsts.values() if not found[task.family].codes]
    measuring = [task for task in firsts.values() if found[task.family].codes]
    first_of_rule: dict[str, Task] = {}
    for task in measuring:
        first_of_rule.setdefault(found[task.family].codes[0], task)

    def cost(task: Task) -> tuple[bool, int]:
        dwell_ms = CATALOGUE[found[task.family].codes[0]].parameter("dwell_ms").default
        return dwell_ms > LONG_DWELL_MS, CHEAP.index(task.group) if task.group in CHEAP else 9

    ordered = sorted(first_of_rule.values(), key=cost)
    sample = [replace(task, limit_ms=QUICK_QUIET_MS) for task in quiet[:1]]
    cheap = [task for task in ordered if task.group in CHEAP and not cost(task)[0]]
    rest = [task for task in (*ordered, *measuring) if task not in cheap]
    return [*cheap, *sample, *dict.fromkeys(rest)]


def play_all(tasks: Sequence[Task], given: Options) -> list[Result]:
    """Play what is not on disk yet; every result of the run, old and new."""
    wanted = {(task.family, task.seed, corpus_hash(task.group)) for task in tasks}
    have = {one.key: one for one in stored() if one.key in wanted} if not given.quick else {}
    missing = [
        task for task in tasks if (task.family, task.seed, corpus_hash(task.group)) not in have
    ]
    if given.report:
        missing = []
    until_s = time.perf_counter() + QUICK_BEGIN_S if given.quick else None
    told_s = time.perf_counter()
    results = list(have.values())
    for done in played(
        missing, jobs=given.jobs, footage=given.footage, split=given.split, until_s=until_s
    ):
        results.append(done)
        if not given.quick:
            append(done)
        if time.perf_counter() - told_s > 30:
            told_s = time.perf_counter()
            print(f"{len(results)} of {len(tasks)} scenarios", file=sys.stderr, flush=True)
    return results


def show(found: Figures, given: Options) -> None:
    """Print the tables."""
    console = Console(highlight=False, width=120)
    seeds = "tuning seeds: NOT FOR FIGURES" if given.split is Split.TUNE else "held-out seeds"
    table = Table(title=f"Rules on composed scenarios (synthetic; {seeds})", title_justify="left")
    for name in ("rule", "state", "precision", "recall", "late p95 ms", "hit/miss/false", "holds"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for rule in found.rules:
        table.add_row(*cells(rule))
    console.print(table)
    false = found.upper_95_per_room_week
    bound = f"{false:.1f}" if false is not None else "-"
    console.print(
        f"{found.hours:.1f} quiet room-hours: {found.false_alerts} false sounding alerts "
        f"(95 % upper bound {bound} a room and week), {found.false_in_shadow} in shadow"
    )
    composed, real = found.heads, found.real_heads
    console.print(f"head count, composed: {_heads(exact(composed), mean_error(composed))}, "
                  f"{composed.seconds} s")  # fmt: skip
    if real.seconds:
        console.print(f"head count, real clip: {_heads(exact(real), mean_error(real))}, "
                      f"{real.seconds} moments counted by hand")  # fmt: skip
    else:
        console.print(f"no real clip was played: give --footage or {FOOTAGE_VARIABLE}")


def _heads(share: float | None, error: float | None) -> str:
    if share is None or error is None:
        return "nothing counted"
    return f"exact in {share:.1%}, mean absolute error {error:.3f}"


def cells(rule: RuleFigures) -> tuple[str, ...]:
    """One row of the table of rules."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    late_ms = rule.score.late_ms_p95
    return (
        rule.code,
        rule.state,
        share(rule.score.precision),
        share(rule.score.recall),
        "-" if late_ms is None else str(late_ms),
        f"{rule.score.hits}/{rule.score.misses}/{rule.score.false}",
        {True: "yes", False: "NO", None: "not measured"}[rule.holds],
    )


def measured_by(results: Sequence[Result], found: dict[str, Family]) -> dict[RuleCode, int]:
    """How many scenarios of the run measure each rule."""
    counts: dict[RuleCode, int] = {}
    for result in results:
        for code in found[result.family].codes:
            counts[code] = counts.get(code, 0) + 1
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, and with ``--json`` end with one JSON object."""
    given = options(argv)
    found = families(given.footage)
    tasks = tasks_of(found, given)
    if given.quick:
        tasks = quick_sample(tasks, found)
    results = play_all(tasks, given)
    made = figures(results, measured_by(results, found))
    show(made, given)
    corpus = sorted({result.corpus for result in results})
    more = {"quick": given.quick, "split": given.split.value, "corpus": corpus, **machine()}
    if given.page:
        page = detection_page.text(made, results, found, more)
        detection_page.PAGE.write_text(page, "utf-8")
    if given.json:
        print(json.dumps({**made.as_json(), **more}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
