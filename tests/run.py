"""Runs the project's suites, each within its time budget, and says at the end how each fared.

    python tests/run.py             all of them, as CI does
    python tests/run.py unit types  these only
    python tests/run.py list        what there is

Every suite runs, whatever became of those before it: three lanes at a time, one that computes and
two that mostly wait for servers and clocks, then alone what measures itself. What a suite prints
is shown when it has ended. One that takes longer than its budget is marked; all of them together
fail above 20 minutes. The last line is `N passed, N failed`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat
from pathlib import Path
from typing import Final, TextIO
from xml.etree import ElementTree as ET

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = ROOT / "build"
BIN: Final = Path(sys.executable).parent

STOP_FACTOR: Final = 2.0
# A busy machine may take a suite above its budget: it is marked. At twice the budget it hangs, and
# is stopped to let others run.

KILL_AFTER_S: Final = 10.0  # what a stopped suite gets to end its own processes


class Counting(StrEnum):
    """What a suite counts as: each of its tests, or one check as a whole."""

    TESTS = "tests"
    WHOLE = "whole"


class Lane(StrEnum):
    """Beside what a suite runs, on a machine of two cores: the first lane computes.

    The second waits for browsers and cameras, the third for robots that drive in real time, for
    brokers and for killed processes to come back: it takes little of the processor.
    """

    COMPUTES = "computes"
    WAITS = "waits"
    DRIVES = "drives"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Suite:
    """One command with its time budget, which is what it takes beside the other lanes."""

    name: str
    budget_s: float
    counting: Counting
    command: tuple[str, ...]
    lane: Lane = Lane.COMPUTES


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one suite fared."""

    suite: Suite
    used_s: float
    passed: int
    failed: int
    skipped: int
    problem: str

    @property
    def good(self) -> bool:
        return not self.problem


def tool(*command: str) -> tuple[str, ...]:
    """A command of this environment."""
    return (str(BIN / command[0]), *command[1:])


def whole(name: str, budget_s: float, *command: str, lane: Lane = Lane.COMPUTES) -> Suite:
    return Suite(name, budget_s, Counting.WHOLE, tool(*command), lane)


def pytests(name: str, budget_s: float, *paths: str, lane: Lane = Lane.COMPUTES) -> Suite:
    report = str(BUILD / f"junit-{name}.xml")
    command = tool("python", "-m", "pytest", "-q", f"--junitxml={report}", *paths)
    return Suite(name, budget_s, Counting.TESTS, command, lane)


DEMO_CHECK: Final = ("zeroentry", "demo", "--check", "--json")

RECORDING: Final = tuple(
    f"tests/integration/{name}"
    for name in ("copies", "edge_recorder", "onvif", "pickups", "recorder_hostile", "recording")
)

ROS: Final = "tests/integration/ros"

DRIVING: Final = (
    *(
        f"tests/integration/{name}"
        for name in ("facilities", "robot_bridge", "runtime", "simulator", "sites", "voices")
    ),
    "tests/integration/controller/test_foreign_robot.py",
)

SUITES: Final = (
    whole("format", 15, "ruff", "format", "--check", "."),
    whole("lint", 25, "ruff", "check", "."),
    whole("types", 80, "mypy", lane=Lane.WAITS),
    whole("imports", 20, "lint-imports"),
    pytests("unit", 390, "tests/unit", "tests/test_house_rules.py"),
    pytests("simulation", 130, "tests/simulation", "--ignore=tests/simulation/dispatch"),
    pytests("dispatch", 260, "tests/simulation/dispatch"),
    pytests(
        "integration",
        220,
        "tests/integration",
        *(f"--ignore={path}" for path in (*RECORDING, *DRIVING, ROS)),
        lane=Lane.DRIVES,
    ),
    pytests("recording", 300, *RECORDING, lane=Lane.WAITS),
    pytests("browser", 540, "tests/browser", lane=Lane.WAITS),
    pytests("ros", 150, ROS, lane=Lane.DRIVES),
    pytests("driving", 260, *DRIVING, lane=Lane.DRIVES),
    whole("demo-check", 125, *DEMO_CHECK, "build/demo-check.json", lane=Lane.ALONE),
    whole("demo-chaos", 125, *DEMO_CHECK, "build/demo-chaos.json", "--chaos", lane=Lane.ALONE),
)

LIMIT_S: Final = 1_200.0


def expected_s(suites: Iterable[Suite]) -> float:
    """What the budgets allow on the clock: the longer lane, then what runs alone."""
    lanes = {lane: sum(row.budget_s for row in suites if row.lane is lane) for lane in Lane}
    alone = lanes.pop(Lane.ALONE)
    return max(lanes.values()) + alone


assert expected_s(SUITES) < LIMIT_S, "budgets: 20 minutes for all of them"


def main(names: Sequence[str]) -> int:
    known = {suite.name: suite for suite in SUITES}
    if list(names) == ["list"]:
        for suite in SUITES:
            print(f"{suite.name:12} {suite.budget_s:4.0f} s  {' '.join(suite.command[1:])}")
        return 0
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no suite {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    BUILD.mkdir(exist_ok=True)
    start = time.monotonic()
    outcomes = run_lanes([known[name] for name in (names or known)])
    return report(outcomes, time.monotonic() - start)


def run_lanes(suites: Sequence[Suite], logs: Path = BUILD) -> list[Outcome]:
    """Run the lanes beside one another and the rest alone; outcomes in the order of ``suites``."""
    if len(suites) == 1:
        return [run(suites[0])]
    lanes = [[row for row in suites if row.lane is lane] for lane in Lane]
    *beside, alone = lanes
    with ThreadPoolExecutor(len(beside)) as pool:
        done = [row for rows in pool.map(_run_quietly, beside, repeat(logs)) for row in rows]
    done += _run_quietly(alone, logs)
    return sorted(done, key=lambda row: suites.index(row.suite))


def _run_quietly(suites: Sequence[Suite], logs: Path) -> list[Outcome]:
    return [run(suite, logs / f"log-{suite.name}.txt") for suite in suites]


_printing: Final = threading.Lock()


def show(text: str) -> None:
    """Print something whole: the lanes share the terminal."""
    with _printing:
        print(text, flush=True)


def run(suite: Suite, log: Path | None = None) -> Outcome:
    """Run one suite in a process group of its own, and leave nothing of it behind.

    With a ``log``, what it prints goes there and is shown when it has ended.
    """
    if log is None:
        show(f"\n=== {suite.name} ({suite.budget_s:.0f} s) ===")
        return _run(suite, None)
    show(f"... {suite.name} begins")
    with log.open("w+", encoding="utf-8", errors="replace") as out:
        outcome = _run(suite, out)
        out.seek(0)
        show(
            f"\n=== {suite.name}: {outcome.used_s:.0f} of {suite.budget_s:.0f} s ===\n{out.read()}"
        )
    return outcome


def _run(suite: Suite, out: TextIO | None) -> Outcome:
    junit = BUILD / f"junit-{suite.name}.xml"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    process = subprocess.Popen(
        suite.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=None if out is None else subprocess.STDOUT,
        start_new_session=True,
    )
    problem = ""
    try:
        code = process.wait(timeout=suite.budget_s * STOP_FACTOR)
    except subprocess.TimeoutExpired:
        code = 1
        problem = f"hung: stopped after {suite.budget_s * STOP_FACTOR:.0f} s"
    finally:
        stop_group(process)
    used_s = time.monotonic() - start
    if not problem and code != 0:
        problem = f"exit {code}"
    return count(suite, junit, used_s, problem)


def stop_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever the suite left: first asked, then forced."""
    for signal_number, wait_s in ((signal.SIGTERM, KILL_AFTER_S), (signal.SIGKILL, KILL_AFTER_S)):
        try:
            os.killpg(process.pid, signal_number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=wait_s)
        except subprocess.TimeoutExpired:
            continue
    process.poll()


def count(suite: Suite, junit: Path, used_s: float, problem: str) -> Outcome:
    """What the suite adds to the last line; a suite with a problem adds at least one failure."""
    if suite.counting is Counting.WHOLE:
        return Outcome(suite, used_s, int(not problem), int(bool(problem)), 0, problem)
    if not junit.exists():
        return Outcome(suite, used_s, 0, 1, 0, problem or "wrote no report")
    rows = list(ET.parse(junit).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(row.get(name, "0")) for row in rows)
        for name in ("tests", "failures", "errors", "skipped")
    )
    failed = min(failures + errors, total)
    if total == skipped and not problem:
        problem = "ran no test"
    if problem and not failed:
        return Outcome(suite, used_s, total - skipped, 1, skipped, problem)
    return Outcome(suite, used_s, total - failed - skipped, failed, skipped, problem)


def report(outcomes: Sequence[Outcome], used_s: float) -> int:
    """Print the table and the sum; ``used_s`` is what all of it took on the clock."""
    print(f"\n{'suite':12} {'used':>7} {'budget':>7} {'passed':>7} {'failed':>7}  result")
    for row in outcomes:
        result = "ok" if row.good else row.problem
        if row.used_s > row.suite.budget_s:
            result += ", over its budget"
        if row.skipped:
            result += f" ({row.skipped} skipped)"
        print(
            f"{row.suite.name:12} {row.used_s:6.1f}s {row.suite.budget_s:6.0f}s "
            f"{row.passed:7} {row.failed:7}  {result}"
        )
    budget_s = expected_s([row.suite for row in outcomes])
    print(f"{'total':12} {used_s:6.1f}s {budget_s:6.0f}s")
    print()
    late = used_s > LIMIT_S
    if late:
        print(f"{used_s:.0f} s: over the {LIMIT_S:.0f} s that all of it may take")
    passed = sum(row.passed for row in outcomes)
    failed = sum(row.failed for row in outcomes) + late
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if not failed and all(row.good for row in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
