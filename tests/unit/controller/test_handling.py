"""The people's side of an alert: any steps in any order by several people, and what they leave."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.api import Disposition, Handling
from contracts.api.alerts import HandlingVerb
from contracts.api.record import RecordKind
from contracts.observations import Condition, Mode
from contracts.units import MonoMs, UtcMs
from controller.core import alerts, dispatch, site, state
from controller.core.alerts import AlertRecord
from controller.core.handling import STEPS_MAX, Act, act, record_line
from controller.core.outputs import Accepted, FileRecord, Refusal, Refused, SendNotice
from controller.core.state import Now
from tests.fakes.controller_site import an_alert, fresh_state, small_plan

OPEN = {Handling.NEW, Handling.ACKNOWLEDGED, Handling.ASSIGNED, Handling.HANDLING}
PEOPLE = st.sampled_from(["li", "wang", "zhao"])


def fresh(rule_code: str = "area.over_admitted", **changes: object) -> AlertRecord:
    alert = an_alert(session_id="s1").model_copy(update={"rule": rule_code, **changes})
    return alerts.receive(None, alert, 7, UtcMs(2_100))


def done(record: AlertRecord, verb: HandlingVerb, by: str = "li", **more: object) -> AlertRecord:
    after = act(record, Act(verb, by, **more), UtcMs(9_000))  # type: ignore[arg-type]  # by name, as the test says
    assert isinstance(after, AlertRecord), after
    return after


def why(answer: AlertRecord | Refused) -> Refusal | None:
    return answer.why if isinstance(answer, Refused) else None


class AnyOrder(RuleBasedStateMachine):
    """Three people press whatever they like while the condition comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.record = fresh()
        self.utc_ms = 10_000
        self.steps = 0

    @rule(
        verb=st.sampled_from([one for one in HandlingVerb if one not in {"return", "tell"}]),
        by=PEOPLE,
        to=st.sampled_from(["", "li", "sun"]),
        text=st.sampled_from(["", " ", "looked", "看过了"]),
        found=st.sampled_from([None, *Disposition]),
        wait_ms=st.integers(0, 120_000),
        stale=st.sampled_from([None, 0, -1]),
    )
    def press(
        self,
        verb: HandlingVerb,
        by: str,
        to: str,
        text: str,
        found: Disposition | None,
        wait_ms: int,
        stale: int | None,
    ) -> None:
        self.utc_ms += wait_ms
        before = self.record
        expected = None if stale is None else before.revision + stale
        asked = Act(verb, by, text=text, to=to, disposition=found)
        after = act(before, asked, UtcMs(self.utc_ms), expected)
        if isinstance(after, Refused):
            assert after.detail.zh
            assert after.detail.en
            return
        assert stale != -1, "what was seen was no longer so"
        if after is not before:
            assert after.revision == before.revision + 1
            assert after.history[:-1] == before.history
            assert (after.history[-1].by, after.history[-1].verb) == (by, verb)
            line = record_line(after)
            assert line is not None
            assert line.record_kind is RecordKind.HANDLING
        self.record = after

    @rule()
    def clears(self) -> None:
        self.record = alerts.clear(self.record, UtcMs(self.utc_ms))

    @invariant()
    def both_sides_make_sense(self) -> None:
        record = self.record
        assert (record.handling is Handling.NEW) == (record.acknowledged_by is None)
        assert (record.disposition is None) == (record.handling in OPEN)
        assert (record.resolved_by is None) == (record.handling in OPEN)
        assert (record.closed_by is not None) == (record.handling is Handling.CLOSED)
        if record.handling is Handling.CLOSED:
            assert record.alert.condition is Condition.CLEARED
        if record.handling in {Handling.ASSIGNED, Handling.HANDLING}:
            assert record.owner
        if record.handling not in OPEN:
            assert record.urged_utc_ms is None
        assert len(record.history) <= STEPS_MAX + 2
        assert [step.number for step in record.history] == list(range(1, len(record.history) + 1))


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase


def test_the_whole_way_leaves_who_did_what() -> None:
    record = done(fresh(), HandlingVerb.ACKNOWLEDGE)
    record = done(record, HandlingVerb.ASSIGN, to="wang", text="you are nearest")
    record = done(record, HandlingVerb.START, by="wang")
    record = done(record, HandlingVerb.URGE, by="chen", text="?")
    assert record.urged_utc_ms == 9_000
    record = done(record, HandlingVerb.REPLY, by="wang", text="on my way")
    assert record.urged_utc_ms is None
    record = done(
        record,
        HandlingVerb.RESOLVE,
        by="wang",
        text="a sixth person",
        disposition=Disposition.VIOLATION,
        seat="3",
    )
    record = done(record, HandlingVerb.STATEMENT, by="wang", text="I did not know")
    assert (record.confirmed, record.seat, record.statement) == (True, "3", "I did not know")
    record = done(alerts.clear(record, UtcMs(9_500)), HandlingVerb.CLOSE, by="chen")
    assert record.confirmed
    assert [step.verb.value for step in record.history] == [
        "acknowledge",
        "assign",
        "start",
        "urge",
        "reply",
        "resolve",
        "statement",
        "close",
    ]
    record = done(record, HandlingVerb.REOPEN, by="chen", text="the recording shows more")
    assert (record.handling, record.disposition) == (Handling.ASSIGNED, None)
    assert not record.confirmed


def test_two_at_once_get_sensible_answers() -> None:
    seen = done(fresh(), HandlingVerb.ACKNOWLEDGE)
    assert act(seen, Act(HandlingVerb.ACKNOWLEDGE, "wang"), UtcMs(9_001)) is seen
    stale = act(seen, Act(HandlingVerb.ASSIGN, "wang", to="wang"), UtcMs(9_001), expected=0)
    assert why(stale) is Refusal.STALE
    at_it = done(seen, HandlingVerb.START, by="wang")
    assert act(at_it, Act(HandlingVerb.START, "wang"), UtcMs(9_002)) is at_it
    assert why(act(at_it, Act(HandlingVerb.START, "li"), UtcMs(9_002))) is Refusal.CONFLICT
    over = done(at_it, HandlingVerb.RESOLVE, by="li", disposition=Disposition.FALSE)
    again = Act(HandlingVerb.RESOLVE, "wang", disposition=Disposition.VIOLATION)
    assert why(act(over, again, UtcMs(9_003))) is Refusal.CONFLICT


def test_a_recording_gap_waits_until_a_person_has_seen_it() -> None:
    gap = alerts.clear(fresh(alerts.RECORDING_GAP), UtcMs(3_000))
    assert gap.latched
    assert not gap.ended
    asked = Act(HandlingVerb.RESOLVE, "li", disposition=Disposition.DEVICE)
    assert why(act(gap, asked, UtcMs(9_000))) is Refusal.CONFLICT
    assert why(act(gap, Act(HandlingVerb.CLOSE, "li"), UtcMs(9_000))) is Refusal.CONFLICT
    seen = done(gap, HandlingVerb.ACKNOWLEDGE)
    assert not seen.latched
    assert done(seen, HandlingVerb.RESOLVE, disposition=Disposition.DEVICE).ended


def test_only_a_confirmed_violation_takes_a_statement() -> None:
    harmless = done(fresh(), HandlingVerb.RESOLVE, disposition=Disposition.PERMITTED, seat="3")
    assert harmless.seat == ""
    refused = act(harmless, Act(HandlingVerb.STATEMENT, "li", text="but"), UtcMs(9_001))
    assert why(refused) is Refusal.CONFLICT


def test_a_full_history_still_lets_people_finish() -> None:
    record = done(fresh(), HandlingVerb.ACKNOWLEDGE)
    for number in range(STEPS_MAX - 1):
        record = done(record, HandlingVerb.NOTE, text=f"note {number}")
    full = act(record, Act(HandlingVerb.NOTE, "li", text="one more"), UtcMs(9_000))
    assert why(full) is Refusal.CONFLICT
    record = done(record, HandlingVerb.RESOLVE, disposition=Disposition.FALSE)
    record = done(alerts.clear(record, UtcMs(9_500)), HandlingVerb.CLOSE)
    assert len(record.history) == STEPS_MAX + 2


def now(utc_ms: int) -> Now:
    return Now(MonoMs(utc_ms), UtcMs(utc_ms))


def test_a_step_is_a_line_of_its_sessions_record_and_tells_the_new_owner() -> None:
    start = fresh_state(small_plan(robots=0))
    house, _ = site.step(start, state.AlertCame(an_alert(session_id="s1")), now(2_100))
    given = state.AlertWorked("a1", Act(HandlingVerb.ASSIGN, "li", to="wang", text="go"))
    house, outputs = site.step(house, given, now(3_000))
    assert isinstance(outputs[0], Accepted)
    line = next(one for one in outputs if isinstance(one, FileRecord))
    assert (line.session_id, line.subject, line.data["to"]) == ("s1", "a1", "wang")
    notice = next(one for one in outputs if isinstance(one, SendNotice))
    assert (notice.to, notice.reason.value, notice.level) == ("wang", "assigned", None)
    same, outputs = site.step(house, given, now(3_001))
    assert same is house
    assert outputs == (Accepted("a1"),)


def test_what_comes_back_while_a_person_is_at_it_is_theirs_and_rings_nobody() -> None:
    house = fresh_state(small_plan(robots=0))
    came = an_alert("a1", session_id="s1")
    house, _ = site.step(house, state.AlertCame(came), now(2_100))
    house, _ = site.step(house, state.AlertWorked("a1", Act(HandlingVerb.START, "li")), now(2_500))
    gone = came.model_copy(update={"condition": Condition.CLEARED, "cleared_utc_ms": UtcMs(5_000)})
    house, _ = site.step(house, state.AlertCame(gone), now(5_000))

    def again(alert_id: str, utc_ms: int) -> AlertRecord:
        alert = an_alert(alert_id, session_id="s1").model_copy(
            update={"raised_utc_ms": UtcMs(utc_ms), "since_utc_ms": UtcMs(utc_ms)}
        )
        after, _ = site.step(house, state.AlertCame(alert), now(utc_ms))
        return after.alerts[alert_id]

    soon = again("a2", 30_000)
    assert (soon.handling, soon.owner, soon.follows) == (Handling.HANDLING, "li", 1)
    late = again("a3", 5_000 + alerts.RETURN_MS + 1)
    assert (late.handling, late.follows) == (Handling.NEW, None)
    solved = Act(HandlingVerb.RESOLVE, "li", disposition=Disposition.FALSE)
    house, _ = site.step(house, state.AlertWorked("a1", solved), now(20_000))
    assert again("a4", 30_000).handling is Handling.NEW, "after it was resolved it is new"


def test_a_flapping_node_is_one_alert_while_nobody_has_resolved_it() -> None:
    house = fresh_state(small_plan(robots=0))
    alert = an_alert().model_copy(
        update={"rule": alerts.NODE_OFFLINE, "alert_id": state.own_alert_id(
            alerts.NODE_OFFLINE, "edge-1", UtcMs(1_000)
        )}
    )  # fmt: skip
    for utc_ms in range(1_000, 200_000, 20_000):
        fresh_one = alert.model_copy(
            update={"alert_id": state.own_alert_id(alerts.NODE_OFFLINE, "edge-1", UtcMs(utc_ms))}
        )
        house = dispatch.raise_alert(house, fresh_one, "edge-1", now(utc_ms))
        house = dispatch.lower(house, alerts.NODE_OFFLINE, "edge-1", now(utc_ms + 5_000))
    (only,) = house.alerts.values()
    assert only.returns == 9
    assert [step.verb for step in only.history] == [HandlingVerb.RETURN] * 9
    assert only.revision == 0, "no person did anything"


def test_a_shadow_finding_is_carried_nowhere() -> None:
    quiet = fresh(mode=Mode.SHADOW)
    at_it = replace(alerts.clear(quiet, UtcMs(3_000)), handling=Handling.HANDLING, owner="li")
    told = an_alert("b", session_id="s1")
    assert alerts.same_matter([at_it], told, UtcMs(4_000)) is None
