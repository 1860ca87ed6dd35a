"""When a day of the demo is good: recordings that verify, and a crash that is told everywhere."""

import json
from dataclasses import replace

from contracts.api import (
    AlertView,
    DeliveryKind,
    DeliveryState,
    DeliveryView,
    ReportGap,
    WitnessReport,
)
from contracts.devices import Named
from contracts.evidence.entries import GapReason
from contracts.units import UtcMs
from zeroentry.demo.director import Day
from zeroentry.demo.proof import Proof, ProvedGap
from zeroentry.demo.verdict import Left, ProcessLine, Verdict, judge
from zeroentry.evidence.findings import Exit

RECORDER = "edge-1-recorder"
CRASHED = ProvedGap("edge-1", "room-1-cam", GapReason.RECORDER_CRASHED, UtcMs(1_000), 2_500)
STARTING = ProvedGap("edge-1", "room-1-cam", GapReason.STARTING, UtcMs(0), 400)
WHOLE = Proof(Exit.WHOLE, tracks=3, segments=6, gaps=(STARTING,))


def witness(*gaps: ProvedGap) -> WitnessReport:
    rows = tuple(
        ReportGap(
            track_id=gap.track_id,
            name=Named(zh="全景", en="Overview"),
            reason=gap.reason,
            detail="",
            started_utc_ms=gap.start_utc_ms,
            duration_ms=gap.duration_ms,
            ended=True,
            sequence=1,
        )
        for gap in gaps
    )
    return WitnessReport.model_construct(gaps=rows)


def judged(
    left: Left,
    *,
    kills: tuple[str, ...] = (),
    alerts: tuple[AlertView, ...] = (),
    right_too: tuple[tuple[str, str], ...] = (),
) -> Verdict:
    delivery = DeliveryView(
        id="d-1",
        room_id="room-1",
        session_id="s-1",
        kind=DeliveryKind.MEAL,
        lines=(),
        state=DeliveryState.RETURNED,
        ordered_utc_ms=UtcMs(1),
        ordered_by="tablet-1",
    )
    processes = (ProcessLine(RECORDER, 1 + kills.count(RECORDER), "running"),)
    return judge(
        Day(delivery=delivery, right_too=list(right_too)),
        alerts,
        broken=None,
        left=replace(left, report="report.html"),
        processes=processes,
        kills=kills,
        seconds=1.0,
    )


def test_what_is_right_as_well_may_come_once_and_need_not() -> None:
    told = AlertView.model_construct(rule="area.appearance_not_admitted", room_id="room-1")
    right = (("area.appearance_not_admitted", "room-1"),)
    good = Left(proof=WHOLE)
    assert judged(good, right_too=right).passed
    assert judged(good, alerts=(told,), right_too=right).passed
    line = "alert area.appearance_not_admitted in room-1: not expected"
    assert judged(good, alerts=(told, told), right_too=right).problems == (line,)
    assert judged(good, alerts=(told,)).problems == (line,)


def test_a_day_whose_recordings_verify_is_good_and_says_so() -> None:
    verdict = judged(Left(proof=WHOLE))
    assert verdict.passed
    told = json.loads(json.dumps(verdict.as_json()))
    assert told["evidence_exit"] == 0
    assert told["evidence_tracks"] == 3
    assert told["evidence_segments"] == 6
    assert told["evidence_gaps"] == 1
    assert told["evidence_gap_lines"][0]["reason"] == "starting"


def test_recordings_that_do_not_verify_fail_the_day() -> None:
    for exit_, code in ((Exit.FAULTY, 1), (Exit.CANNOT_TELL, 2)):
        verdict = judged(Left(proof=replace(WHOLE, exit=exit_)))
        assert not verdict.passed
        assert verdict.evidence_exit == code
        assert f"exit {code}" in verdict.problems[0]
    verdict = judged(Left())
    assert verdict.evidence_exit is None
    assert verdict.problems == ("the recordings were not verified",)
    assert judged(Left(proof=replace(WHOLE, segments=0))).problems == ("nothing was recorded",)


def test_a_gap_that_nobody_explains_fails_the_day() -> None:
    unknown = replace(STARTING, reason=GapReason.UNKNOWN)
    verdict = judged(Left(proof=replace(WHOLE, gaps=(STARTING, unknown))))
    assert verdict.problems == ("recording of room-1-cam: 0.4 s are missing unexplained",)


def test_a_killed_recorder_has_to_be_told_in_chain_and_report() -> None:
    proof = replace(WHOLE, gaps=(STARTING, CRASHED))
    kills = (RECORDER,)
    assert judged(Left(proof=proof, witness=witness(CRASHED)), kills=kills).passed
    untold = judged(Left(proof=WHOLE, witness=witness()), kills=kills)
    assert untold.problems == ("the killed recorder of edge-1 left no gap in its chain",)
    other = replace(CRASHED, node_id="edge-2")
    elsewhere = judged(
        Left(proof=replace(WHOLE, gaps=(other,)), witness=witness(other)), kills=kills
    )
    assert elsewhere.problems == untold.problems
    for said in (None, witness(), witness(replace(CRASHED, duration_ms=9_000))):
        verdict = judged(Left(proof=proof, witness=said), kills=kills)
        assert verdict.problems == (
            "the gap of the killed recorder of edge-1 is not in the witness report",
        )
