"""Runs the project's suites, each within its time budget, and says at the end how each fared.

    python tests/run.py             all of them, as CI does
    python tests/run.py unit types  these only
    python tests/run.py list        what there is

Every suite runs, whatever became of those before it: three at a time in the order below, then
alone what measures itself. What a suite prints is shown when it has ended. One that takes longer
than its budget is marked; all of them together fail above 20 minutes. The table says what each
took on the clock and of the processors. The last line is `N passed, N failed`.
"""

import heapq
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
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

AT_ONCE: Final = 3
# On two cores: most suites wait half of the time, for servers, browsers and clocks.

UNSET: Final = ("PYTHONDONTWRITEBYTECODE",)
# Suites start hundreds of processes of ours: none compiles again what another has compiled.


class Counting(StrEnum):
    """What a suite counts as: each of its tests, or one check as a whole."""

    TESTS = "tests"
    WHOLE = "whole"


class Lane(StrEnum):
    """Beside what a suite runs: others, or nothing, since it measures how long things take."""

    SHARED = "shared"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Suite:
    """One command with its time budget, which is what it takes beside two others.

    ``before`` is run first, in the same budget: what only this suite needs. If that fails, the
    suite has failed.
    """

    name: str
    budget_s: float
    counting: Counting
    command: tuple[str, ...]
    lane: Lane = Lane.SHARED
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one suite fared."""

    suite: Suite
    used_s: float
    passed: int
    failed: int
    skipped: int
    problem: str
    cpu_s: float = 0.0
    """Of all cores, by the suite's processes and theirs as far as they were waited for."""

    @property
    def good(self) -> bool:
        return not self.problem


def tool(*command: str) -> tuple[str, ...]:
    """A command of this environment."""
    return (str(BIN / command[0]), *command[1:])


def whole(name: str, budget_s: float, *command: str, lane: Lane = Lane.SHARED) -> Suite:
    return Suite(name, budget_s, Counting.WHOLE, tool(*command), lane)


def pytests(name: str, budget_s: float, *paths: str, before: tuple[str, ...] = ()) -> Suite:
    report = str(BUILD / f"junit-{name}.xml")
    command = tool("python", "-m", "pytest", "-q", f"--junitxml={report}", *paths)
    return Suite(name, budget_s, Counting.TESTS, command, before=before)


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

INSTALL_ROS: Final = ("deploy/setup/bootstrap.sh", "robot")

# In the order in which they begin: what a slip of the pen breaks, then the longest first, so that
# all three end at about the same time.
SUITES: Final = (
    whole("format", 15, "ruff", "format", "--check", "."),
    whole("lint", 25, "ruff", "check", "."),
    whole("imports", 20, "lint-imports"),
    pytests("browser", 640, "tests/browser"),
    pytests("unit", 375, "tests/unit", "tests/test_house_rules.py"),
    pytests("recording", 315, *RECORDING),
    pytests("dispatch", 300, "tests/simulation/dispatch"),
    pytests("driving", 290, *DRIVING),
    pytests("ros", 245, ROS, before=INSTALL_ROS),
    pytests(
        "integration",
        210,
        "tests/integration",
        *(f"--ignore={path}" for path in (*RECORDING, *DRIVING, ROS)),
    ),
    pytests("simulation", 140, "tests/simulation", "--ignore=tests/simulation/dispatch"),
    whole("types", 70, "mypy"),
    whole("demo-check", 130, *DEMO_CHECK, "build/demo-check.json", lane=Lane.ALONE),
    whole("demo-chaos", 135, *DEMO_CHECK, "build/demo-chaos.json", "--chaos", lane=Lane.ALONE),
)

LIMIT_S: Final = 1_200.0


def expected_s(suites: Iterable[Suite]) -> float:
    """What the budgets allow on the clock: each worker takes the next; then what runs alone."""
    alone_s, ends = 0.0, [0.0] * AT_ONCE
    for suite in suites:
        if suite.lane is Lane.ALONE:
            alone_s += suite.budget_s
        else:
            heapq.heapreplace(ends, ends[0] + suite.budget_s)
    return max(ends) + alone_s


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
    outcomes = run_all([known[name] for name in (names or known)])
    return report(outcomes, time.monotonic() - start)


def run_all(suites: Sequence[Suite], logs: Path = BUILD) -> list[Outcome]:
    """Run some beside one another and the rest alone; outcomes in the order of ``suites``."""
    if len(suites) == 1:
        return [run(suites[0])]
    waiting: queue.SimpleQueue[Suite] = queue.SimpleQueue()
    for suite in suites:
        if suite.lane is Lane.SHARED:
            waiting.put(suite)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        workers = [pool.submit(_run_waiting, waiting, logs) for _ in range(AT_ONCE)]
    done = [row for worker in workers for row in worker.result()]
    done += [_run_quietly(suite, logs) for suite in suites if suite.lane is Lane.ALONE]
    return sorted(done, key=lambda row: suites.index(row.suite))


def _run_waiting(waiting: "queue.SimpleQueue[Suite]", logs: Path) -> list[Outcome]:
    """One worker: the next suite, until none waits."""
    done: list[Outcome] = []
    while True:
        try:
            suite = waiting.get_nowait()
        except queue.Empty:
            return done
        done.append(_run_quietly(suite, logs))


def _run_quietly(suite: Suite, logs: Path) -> Outcome:
    return run(suite, logs / f"log-{suite.name}.txt")


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
    problem, cpu_s = "", 0.0
    for command in filter(None, (suite.before, suite.command)):
        ends_at = start + suite.budget_s * STOP_FACTOR
        code, took_s = _ended(command, out, ends_at)
        cpu_s += took_s
        if code is None:
            problem = f"hung: stopped after {suite.budget_s * STOP_FACTOR:.0f} s"
        elif code:
            problem = f"exit {code}" + (f" of {command[0]}" if command is suite.before else "")
        if problem:
            break
    outcome = count(suite, junit, time.monotonic() - start, problem)
    return replace(outcome, cpu_s=cpu_s)


def _ended(command: Sequence[str], out: TextIO | None, ends_at: float) -> tuple[int | None, float]:
    """Run a command to its end; its exit status (None: it had to be stopped), and CPU seconds."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if name not in UNSET},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=None if out is None else subprocess.STDOUT,
        start_new_session=True,
    )
    cpu_s = 0.0
    try:
        if has_ended(process, ends_at - time.monotonic()):
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu_s = used.ru_utime + used.ru_stime
        return process.returncode, cpu_s
    finally:
        stop_group(process)


def has_ended(process: "subprocess.Popen[bytes]", within_s: float) -> bool:
    """Wait for the end of a process, and leave it to the caller to ask what it was."""
    told = os.pidfd_open(process.pid)
    try:
        return bool(select.select([told], [], [], max(within_s, 0.0))[0])
    finally:
        os.close(told)


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
    print(
        f"\n{'suite':12} {'used':>7} {'cpu':>7} {'budget':>7} {'passed':>7} {'failed':>7}  result"
    )
    for row in outcomes:
        result = "ok" if row.good else row.problem
        if row.used_s > row.suite.budget_s:
            result += ", over its budget"
        if row.skipped:
            result += f" ({row.skipped} skipped)"
        print(
            f"{row.suite.name:12} {row.used_s:6.1f}s {row.cpu_s:6.1f}s {row.suite.budget_s:6.0f}s "
            f"{row.passed:7} {row.failed:7}  {result}"
        )
    budget_s = expected_s([row.suite for row in outcomes])
    cpu_s = sum(row.cpu_s for row in outcomes)
    print(f"{'total':12} {used_s:6.1f}s {cpu_s:6.1f}s {budget_s:6.0f}s")
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
