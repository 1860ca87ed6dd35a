"""The benchmark of detection: its bound, what it plays, what it keeps, what its page says."""

import json

import pytest

from benchmarks import detection, detection_page
from benchmarks.detection_figures import figures, poisson_upper_95
from benchmarks.detection_results import Result, corpus_hash, group_of_file, of_line, to_line
from contracts.catalogue import CATALOGUE
from tests.corpus.families import Draw, Family, Split
from tests.corpus.rooms import room
from tests.corpus.scenario import Scenario
from tests.corpus.scoring import HeadScore, Row, Worth

OVER = "area.over_admitted"
HOUR_MS = 3_600_000


def made(draw: Draw) -> Scenario:
    return Scenario("made", draw.seed, room(), 1_000, open=lambda: iter(()))


def row(worth: Worth, *, sounds: bool = True, late_ms: int | None = None) -> Row:
    return Row(OVER, worth, None, 5_000, late_ms, sounds, "on" if sounds else "shadow")


def result(
    *rows: Row, quiet: bool = False, hours: float = 1.0, of_camera: str = "composed"
) -> Result:
    return Result(
        family="made",
        seed=3,
        corpus="abc",
        of_camera=of_camera,
        quiet=quiet,
        duration_ms=round(hours * HOUR_MS),
        took_ms=10,
        pictures=5,
        rows=rows,
        heads=HeadScore(10, 9, 1),
        heads_by_people={5: HeadScore(10, 9, 1)},
    )


@pytest.mark.parametrize(("count", "bound"), [(0, 2.996), (1, 4.744), (3, 7.754)])
def test_the_upper_bound_of_a_poisson_count_is_garwoods(count: int, bound: float) -> None:
    assert poisson_upper_95(count) == pytest.approx(bound, abs=0.001)


def test_a_run_counts_what_sounds_falsely_in_quiet_hours() -> None:
    results = [
        result(row(Worth.FALSE), row(Worth.FALSE, sounds=False), quiet=True, hours=20),
        result(row(Worth.FALSE), row(Worth.HIT, late_ms=300), row(Worth.MISS), hours=1),
    ]
    found = figures(results, {OVER: 1})
    assert (found.hours, found.hours_played) == (20, 21)
    assert (found.false_alerts, found.false_in_shadow) == (1, 1)
    assert found.upper_95_per_room_week == pytest.approx(4.744 / 20 * 168, abs=0.01)
    rule = next(one for one in found.rules if one.code == OVER)
    assert (rule.score.hits, rule.score.misses, rule.score.false) == (1, 1, 3)
    assert rule.holds is False


def test_the_json_names_every_rule_and_leaves_open_what_was_not_measured() -> None:
    told = figures([result(row(Worth.HIT, late_ms=200))], {OVER: 1}).as_json()
    rules = told["rules"]
    assert isinstance(rules, dict)
    assert set(rules) == set(CATALOGUE)
    assert rules[OVER]["recall"] == 1.0
    assert rules["camera.covered"]["recall"] is None
    assert told["head_count_exact"] == 0.9
    assert told["head_count_mae"] == 0.1
    json.dumps(told)


def test_real_pictures_are_counted_apart() -> None:
    found = figures([result(of_camera="real"), result()], {})
    assert (found.heads.seconds, found.real_heads.seconds) == (10, 10)


def test_a_result_comes_back_from_its_line() -> None:
    one = result(row(Worth.HIT, late_ms=200), row(Worth.MISS))
    assert of_line(to_line(one)) == one
    assert of_line(to_line(one)[:-10]) is None


def test_only_the_own_group_of_files_decides_whether_a_result_is_still_good() -> None:
    assert corpus_hash("sound") != corpus_hash("camera")
    assert group_of_file("area_gates") == group_of_file("area") == "area"


def given(*words: str) -> detection.Options:
    return detection.options(words)


def test_held_out_seeds_are_played_unless_tuning_is_said() -> None:
    families = {"a/made": Family("a/made", (OVER,), made, seeds=3)}
    tasks = detection.tasks_of(families, given())
    assert [task.seed for task in tasks] == list(Split.HELD_OUT.seeds[:3])
    assert [t.seed for t in detection.tasks_of(families, given("--tune", "--seeds", "2"))] == [0, 1]
    assert detection.tasks_of(families, given("--families", "zone")) == []


def test_a_run_cut_short_has_seen_every_family() -> None:
    families = {name: Family(name, (OVER,), made, seeds=4) for name in ("a/made", "b/made")}
    first = [task.family for task in detection.tasks_of(families, given())][:2]
    assert sorted(first) == ["a/made", "b/made"]


def test_a_quick_sample_has_each_rule_once_before_any_twice() -> None:
    codes = ("camera.covered", "camera.covered", "camera.moved")
    families = {f"{n}": Family(f"{n}", (code,), made, 2) for n, code in enumerate(codes)}
    tasks = detection.tasks_of(families, given())
    sample = detection.quick_sample(tasks, families)
    assert [families[task.family].codes[0] for task in sample] == [codes[0], codes[2], codes[1]]


@pytest.fixture
def page() -> str:
    families = {"made": Family("made", (OVER,), made, seeds=3)}
    found = figures([result(row(Worth.HIT, late_ms=250), quiet=True, hours=24)], {OVER: 1})
    more = {"commit": "abc1234", "cpu": "a cpu", "corpus": ["0011"]}
    return detection_page.text(found, [result(row(Worth.HIT, late_ms=250))], families, more)


def test_the_page_says_what_is_synthetic_and_shows_every_rule(page: str) -> None:
    assert "**Synthetic**" in page
    assert "| 24.0 | 0 | 21.0 | 0 |" in page
    assert f"| {OVER} | on | 1.000 | 1.000 | 250 | 1 | 0 | 0 | 1 |" in page
    assert all(f"| {code} |" in page for code in CATALOGUE)
    assert "`phone.visible` is in shadow: " in page
    told = json.loads(page.partition("<!-- result\n")[2].partition("\n-->")[0])
    assert (told["commit"], told["corpus"]) == ("abc1234", ["0011"])
