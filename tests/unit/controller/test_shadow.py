"""What a rule in shadow finds is kept and counted, and nobody is told; its record speaks for it."""

import pytest

from contracts.api import Disposition, Handling
from contracts.observations import Alert, Condition, Mode, Said, Severity
from contracts.units import UtcMs
from controller.core import alerts, handling, rule_records
from controller.core.alerts import AlertRecord, RuleTally

LOITERING = "zone.loitering"


def alert(mode: Mode = Mode.SHADOW) -> Alert:
    return Alert(
        alert_id="a-1",
        rule=LOITERING,
        condition=Condition.ACTIVE,
        severity=Severity.WARNING,
        room_id="room-1",
        node_id="edge-1",
        since_utc_ms=UtcMs(1_000),
        raised_utc_ms=UtcMs(2_000),
        dwell_ms=1_000,
        mode=mode,
        saw=Said(zh="停留 61 秒。", en="Stayed for 61 s."),
    )


def record(mode: Mode = Mode.SHADOW) -> AlertRecord:
    return alerts.receive(None, alert(mode), 7, UtcMs(2_100))


def test_a_shadow_finding_is_over_when_its_condition_is_because_nobody_handles_it() -> None:
    shadow, told = record(), record(Mode.ON)
    assert not shadow.ended
    assert alerts.clear(shadow, UtcMs(5_000)).ended
    assert not alerts.clear(told, UtcMs(5_000)).ended


def test_a_person_may_say_what_a_shadow_finding_was() -> None:
    judged = handling.resolve(record(), "wang", Disposition.FALSE, "curtain", UtcMs(9_000))
    assert isinstance(judged, AlertRecord)
    assert judged.handling is Handling.RESOLVED
    assert judged.disposition is Disposition.FALSE


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [
        # Reference values of Wilson's interval: Newcombe, Statist. Med. 17 (1998), table I.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(hits: int, tries: int, low: float, high: float) -> None:
    found = rule_records.interval(hits, tries)
    assert found == pytest.approx((low, high), abs=5e-5)


def tally(count: int, said: Disposition | None, *, shadow: bool = False) -> RuleTally:
    return RuleTally(LOITERING, shadow, said, count)


def test_a_rule_that_is_mostly_wrong_is_proposed_for_shadow() -> None:
    (row,) = rule_records.records(
        [tally(8, Disposition.FALSE), tally(4, Disposition.VIOLATION), tally(3, None)]
    )
    assert (row.told, row.judged, row.false) == (15, 12, 8)
    assert row.proposal is Mode.SHADOW
    assert row.why is not None
    assert "8 of 12" in row.why.en


def test_a_shadow_rule_with_a_good_record_is_proposed_to_be_on() -> None:
    (row,) = rule_records.records([tally(80, Disposition.VIOLATION, shadow=True)])
    assert row.shadowed == 80
    assert row.proposal is Mode.ON


def test_few_judgements_and_tests_speak_for_nothing() -> None:
    (few,) = rule_records.records([tally(9, Disposition.FALSE)])
    (tests,) = rule_records.records([tally(50, Disposition.TEST)])
    assert few.proposal is None
    assert (tests.judged, tests.proposal) == (0, None)


def test_rules_with_most_false_alerts_come_first() -> None:
    rows = rule_records.records(
        [
            tally(1, Disposition.FALSE),
            RuleTally("sound.level_jump", shadow=False, disposition=Disposition.FALSE, count=3),
        ]
    )
    assert [row.rule for row in rows] == ["sound.level_jump", LOITERING]
