"""The scorer can fail: wrong, missing, late and repeated alerts are told from right ones."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from contracts.catalogue import CATALOGUE
from contracts.observations import Mode
from tests.corpus.outcome import Clocks, HeadsSeen, Raised
from tests.corpus.rooms import room
from tests.corpus.scenario import ANY_SUBJECT, Heads, Scenario, Spare, Truth
from tests.corpus.scoring import HeadScore, Row, Worth, by_rule, heads_of, score

OVER = "area.over_admitted"
COVERED = "camera.covered"
CLOCKS = {code: Clocks(dwell_ms=1_000, clear_ms=2_000) for code in CATALOGUE}


def scenario(
    truth: Sequence[Truth] = (), spare: Sequence[Spare] = (), heads: Sequence[Heads] = ()
) -> Scenario:
    return Scenario(
        name="made",
        seed=0,
        room=room(),
        duration_ms=60_000,
        open=lambda: iter(()),
        truth=tuple(truth),
        spare=tuple(spare),
        heads=tuple(heads),
    )


def raised(raised_ms: int, cleared_ms: int | None, *, code: str = OVER) -> Raised:
    return Raised(code, None, raised_ms - 1_000, raised_ms, cleared_ms, "on", "alarm")


LONG = Truth(OVER, None, 10_000, 30_000)


def worths(rows: Sequence[Row]) -> list[Worth]:
    return [row.worth for row in rows]


def test_an_alert_at_its_time_is_a_hit_with_its_delay_beyond_the_dwell() -> None:
    (row,) = score(scenario([LONG]), [raised(11_200, 32_000)], CLOCKS)
    assert (row.worth, row.late_ms, row.sounds) == (Worth.HIT, 200, True)


def test_a_condition_that_nobody_told_is_a_miss() -> None:
    assert worths(score(scenario([LONG]), [], CLOCKS)) == [Worth.MISS]


@pytest.mark.parametrize(
    "alert",
    [
        raised(5_000, 7_000),  # before anything was so
        raised(33_000, None),  # after it was over
        raised(12_000, 20_000, code=COVERED),  # another rule
        replace(raised(12_000, 20_000), subject="cam-9"),  # another subject
        raised(9_700, 20_000),  # sooner than its dwell allows: it saw something else
    ],
)
def test_a_wrong_alert_is_false_and_leaves_the_condition_missed(alert: Raised) -> None:
    assert worths(score(scenario([LONG]), [alert], CLOCKS)) == [Worth.FALSE, Worth.MISS]


def test_a_second_alert_while_the_thing_lasts_is_false() -> None:
    alerts = [raised(11_000, 15_000), raised(18_000, 31_000)]
    assert worths(score(scenario([LONG]), alerts, CLOCKS)) == [Worth.HIT, Worth.FALSE]


def test_a_condition_shorter_than_its_dwell_must_not_be_told() -> None:
    short = Truth(OVER, None, 10_000, 10_500)
    assert score(scenario([short]), [], CLOCKS) == ()
    assert worths(score(scenario([short]), [raised(10_600, 11_000)], CLOCKS)) == [Worth.FALSE]


def test_a_condition_that_lasts_hardly_longer_may_be_told_or_not() -> None:
    hardly = Truth(OVER, None, 10_000, 11_500)
    assert score(scenario([hardly]), [], CLOCKS) == ()
    assert worths(score(scenario([hardly]), [raised(11_400, 13_000)], CLOCKS)) == [Worth.HIT]


def test_a_truth_may_have_a_dwell_of_its_own() -> None:
    away = Truth(OVER, None, 10_000, 45_000, dwell_ms=20_000)
    (row,) = score(scenario([away]), [raised(30_300, 46_000)], CLOCKS)
    assert (row.worth, row.late_ms) == (Worth.HIT, 300)
    early = score(scenario([away]), [raised(20_000, 46_000)], CLOCKS)
    assert worths(early) == [Worth.FALSE, Worth.MISS]


def test_a_spare_moment_counts_neither_way() -> None:
    spare = Spare(9_000, 11_000)
    assert score(scenario(spare=[spare]), [raised(10_500, 12_000)], CLOCKS) == ()
    assert worths(score(scenario(spare=[spare]), [raised(15_000, 16_000)], CLOCKS)) == [Worth.FALSE]
    other = Spare(9_000, 11_000, COVERED)
    assert worths(score(scenario(spare=[other]), [raised(10_500, 12_000)], CLOCKS)) == [Worth.FALSE]


def test_one_alert_may_stand_over_two_conditions_that_nearly_touch() -> None:
    near = [LONG, Truth(OVER, None, 32_000, 40_000)]
    assert worths(score(scenario(near), [raised(11_000, 42_000)], CLOCKS)) == [Worth.HIT]
    far = [LONG, Truth(OVER, None, 50_000, 58_000)]
    assert worths(score(scenario(far), [raised(11_000, None)], CLOCKS)) == [Worth.HIT, Worth.MISS]


def test_a_condition_that_need_not_be_told_is_neither_missed_nor_false() -> None:
    may = replace(LONG, must=False, subject=ANY_SUBJECT)
    assert score(scenario([may]), [], CLOCKS) == ()
    assert score(scenario([may]), [raised(11_000, 31_000)], CLOCKS) == ()


def test_only_what_is_on_and_at_least_a_warning_sounds() -> None:
    shadow = replace(raised(11_000, 12_000), mode=Mode.SHADOW.value)
    notice = replace(raised(11_000, 12_000), severity="notice")
    assert [alert.sounds for alert in (raised(1, 2), shadow, notice)] == [True, False, False]


def test_rules_are_summed_over_scenarios() -> None:
    rows = [
        *score(scenario([LONG]), [raised(11_000, 31_000)], CLOCKS),
        *score(scenario([LONG]), [raised(11_400, 31_000), raised(40_000, None)], CLOCKS),
        *score(scenario([LONG]), [], CLOCKS),
    ]
    rule = by_rule(rows)[OVER]
    assert (rule.hits, rule.misses, rule.false) == (2, 1, 1)
    assert rule.precision == pytest.approx(2 / 3)
    assert rule.recall == pytest.approx(2 / 3)
    assert rule.late_ms_p95 == 400


def test_heads_are_compared_where_all_can_be_seen() -> None:
    heads = [Heads(0, 20_000, 5, clear=True), Heads(20_000, 40_000, 6, clear=False)]
    seen = [HeadsSeen(t, n) for t, n in ((1_000, 0), (5_000, 5), (6_000, 4), (9_000, None))]
    seen.append(HeadsSeen(30_000, 2))
    assert heads_of(scenario(heads=heads), seen) == HeadScore(seconds=3, exact=1, error_sum=6)
