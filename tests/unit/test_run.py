"""The runner counts what ran, fails what is slow or empty, and leaves nothing behind."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run import (
    LIMIT_S,
    SUITES,
    Counting,
    Lane,
    Outcome,
    Suite,
    count,
    expected_s,
    main,
    report,
    run,
    run_all,
)

PASSING = '<testsuites><testsuite tests="3" failures="0" errors="0" skipped="1"/></testsuites>'
FAILING = '<testsuites><testsuite tests="3" failures="1" errors="1" skipped="0"/></testsuites>'
EMPTY = '<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/></testsuites>'
TESTS = Suite("s", 10, Counting.TESTS, ())


def python(code: str, budget_s: float) -> Suite:
    return Suite("s", budget_s, Counting.WHOLE, (sys.executable, "-c", code))


@pytest.mark.parametrize(
    ("xml", "problem", "counted", "said"),
    [
        (PASSING, "", (2, 0, 1), ""),
        (FAILING, "exit 1", (1, 2, 0), "exit 1"),
        (EMPTY, "", (0, 1, 0), "ran no test"),
        (PASSING, "exit 2", (2, 1, 1), "exit 2"),
    ],
)
def test_tests_are_counted_from_their_report(
    tmp_path: Path, xml: str, problem: str, counted: tuple[int, int, int], said: str
) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(xml, encoding="utf-8")
    outcome = count(TESTS, junit, 1.0, problem)
    assert (outcome.passed, outcome.failed, outcome.skipped) == counted
    assert outcome.problem == said


def test_a_suite_without_a_report_has_failed(tmp_path: Path) -> None:
    outcome = count(TESTS, tmp_path / "none.xml", 1.0, "")
    assert (outcome.passed, outcome.failed, outcome.problem) == (0, 1, "wrote no report")


def test_a_check_counts_as_one() -> None:
    assert run(python("pass", 30)).good
    outcome = run(python("raise SystemExit(3)", 30))
    assert (outcome.passed, outcome.failed, outcome.problem) == (0, 1, "exit 3")


def test_a_suite_that_hangs_is_stopped_with_its_children() -> None:
    outcome = run(python("import signal; signal.pause()", 0.3))
    assert outcome.problem.startswith("hung")


def test_the_last_line_is_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Outcome(TESTS, 1.0, 2, 0, 1, ""), Outcome(TESTS, 1.0, 3, 1, 0, "exit 1")]
    assert report(rows, 2.0) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "5 passed, 1 failed"
    assert report(rows[:1], 1.0) == 0


def test_a_suite_over_its_budget_is_marked_and_all_of_them_over_twenty_minutes_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = Outcome(TESTS, 11.0, 2, 0, 0, "")
    assert report([late], 11.0) == 0
    assert "ok, over its budget" in capsys.readouterr().out
    assert report([late, Outcome(TESTS, LIMIT_S, 3, 0, 0, "")], LIMIT_S + 11) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "5 passed, 1 failed"
    assert said[-2] == "1211 s: over the 1200 s that all of it may take"


def test_an_unknown_suite_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unti"]) == 2
    assert "no suite unti; there are: format" in capsys.readouterr().err


def test_all_suites_fit_into_twenty_minutes() -> None:
    assert expected_s(SUITES) <= LIMIT_S == 1_200


def test_suites_run_beside_each_other_and_the_rest_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meet = (
        "import pathlib, time; a, b = map(pathlib.Path, ({!r}, {!r})); a.touch()\n"
        "end = time.monotonic() + 20\n"
        "while not b.exists(): assert time.monotonic() < end\n"
        "print('met')"
    )
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    alone = f"import os; assert os.path.exists({one!r}) and os.path.exists({two!r})"
    suites = [
        replace(python(alone, 30), name="c", lane=Lane.ALONE),
        replace(python(meet.format(one, two), 30), name="a"),
        replace(python(meet.format(two, one), 30), name="b"),
    ]
    outcomes = run_all(suites, tmp_path)
    assert [row.suite.name for row in outcomes] == ["c", "a", "b"]
    assert all(row.good for row in outcomes)
    assert capsys.readouterr().out.count("met") == 2


def test_a_suite_says_what_it_took_of_the_processors(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run(python("import time\nwhile time.process_time() < 0.3: pass", 30))
    assert outcome.cpu_s >= 0.3
    report([outcome], 1.0)
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("s "))
    assert f"{outcome.cpu_s:.1f}s" in row


@pytest.mark.parametrize(
    ("before", "printed", "problem"),
    [("print('made')", "made\nran\n", ""), ("raise SystemExit(3)", "", "exit 3 of")],
)
def test_what_a_suite_needs_is_made_first_and_without_it_the_suite_has_failed(
    tmp_path: Path, before: str, printed: str, problem: str
) -> None:
    suite = replace(python("print('ran')", 30), before=(sys.executable, "-c", before))
    outcome = run(suite, tmp_path / "log")
    assert (tmp_path / "log").read_text(encoding="utf-8") == printed
    assert outcome.problem.startswith(problem)
    assert outcome.good is (not problem)


def test_the_budgets_are_summed_as_three_workers_take_them() -> None:
    beside = [replace(TESTS, budget_s=budget_s) for budget_s in (50, 40, 30, 20, 10)]
    assert expected_s(beside) == 50
    assert expected_s([*beside, replace(TESTS, budget_s=7, lane=Lane.ALONE)]) == 57
