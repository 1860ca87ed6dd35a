"""Acting from outside, pure: one act at a time, two approvers, nothing that ends unsaid."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.api import SessionBody, SessionState
from contracts.api.outside import (
    AT_ONCE,
    CallReason,
    EntryBody,
    EntryKind,
    EntryState,
    TextBody,
    TextTemplate,
)
from contracts.api.record import RecordKind
from contracts.observations import Condition, VoiceKind, VoiceTold
from contracts.units import MonoMs, UtcMs
from controller.core import acts, outside, sessions
from controller.core.alerts import CALL_UNANSWERED, ENTRY_OVERDUE
from controller.core.outputs import Accepted, FileRecord, Output, Refusal, Refused
from controller.core.outside import (
    CALL_UNANSWERED_MS,
    ENTRY_ASKED_MS,
    LISTEN_LEASE_MS,
    TALK_BEGIN_MS,
    Call,
    Entry,
    Listening,
    OutsideAct,
    OutsideInput,
    Talk,
    Text,
)
from controller.core.site import step
from controller.core.state import AlertCame, Input, Now, SiteState, Tick
from tests.fakes.controller_site import an_alert, fresh_state, small_plan

PLAN = small_plan()
UTC0 = 1_700_000_000_000


class House:
    """A site with a sealed session in room-1, and a clock."""

    def __init__(self, state: SessionState = SessionState.SEALED) -> None:
        session = sessions.schedule(
            "s-1", SessionBody(room_id="room-1", title="T", admitted=5), "sup", UtcMs(UTC0)
        )
        session = replace(session, state=state, sealed_utc_ms=UtcMs(UTC0))
        self.site: SiteState = replace(fresh_state(PLAN), sessions={"s-1": session})
        self.ms = 1_000
        self.lines: list[FileRecord] = []

    @property
    def now(self) -> Now:
        return Now(MonoMs(self.ms), UtcMs(UTC0 + self.ms))

    def give(self, given: Input) -> Output | None:
        self.site, outputs = step(self.site, given, self.now)
        self.lines += [one for one in outputs if isinstance(one, FileRecord)]
        return next((one for one in outputs if isinstance(one, Accepted | Refused)), None)

    def wait(self, ms: int) -> None:
        self.ms += ms
        self.give(Tick())

    def end_session(self) -> None:
        over = replace(self.site.sessions["s-1"], state=SessionState.RELEASED)
        self.site = replace(self.site, sessions={"s-1": over})
        self.give(Tick())

    def act(self, act_id: str) -> OutsideAct:
        return self.site.acts[act_id]

    def steps(self, kind: RecordKind) -> list[str]:
        return [line.data["step"] for line in self.lines if line.record_kind is kind]

    def standing(self, rule: str) -> bool:
        return any(
            row.alert.rule == rule and row.alert.condition is Condition.ACTIVE
            for row in self.site.alerts.values()
        )


def refused(answer: Output | None) -> Refusal | None:
    return answer.why if isinstance(answer, Refused) else None


def told(
    voice_id: str,
    kind: VoiceKind = VoiceKind.TALK,
    *,
    ended: int | None = None,
    sha256: str | None = None,
    why: str = "",
    room: str = "room-1",
    node: str = "edge-1",
) -> outside.VoiceCame:
    return outside.VoiceCame(
        VoiceTold(
            voice_id=voice_id,
            kind=kind,
            room_id=room,
            node_id=node,
            source_id="cam-1",
            by="sup",
            began_utc_ms=UtcMs(UTC0 + 5),
            ended_utc_ms=None if ended is None else UtcMs(UTC0 + ended),
            why=why,
            sha256=sha256,
            duration_ms=None if sha256 is None else 900,
            bytes=None if sha256 is None else 4_000,
        )
    )


def test_a_call_rings_until_answered_and_alarms_when_nobody_does() -> None:
    house = House()
    house.give(outside.CallRaised("call-1", "room-1", CallReason.UNWELL, "tab1"))
    again = house.give(outside.CallRaised("call-2", "room-1", CallReason.UNWELL, "tab1"))
    assert again == Accepted("call-1"), "pressed again while it rings, it is the same call"
    house.wait(CALL_UNANSWERED_MS - 1)
    assert not house.standing(CALL_UNANSWERED)
    house.wait(1)
    assert house.standing(CALL_UNANSWERED)
    house.wait(CALL_UNANSWERED_MS)
    call = house.act("call-1")
    assert isinstance(call, Call)
    assert (call.repeats, call.waits) == (2, True)
    house.give(outside.CallAnswered("call-1", "sup"))
    assert not house.standing(CALL_UNANSWERED)
    house.give(outside.CallAnswered("call-1", "sup2"))
    answered = house.act("call-1")
    assert isinstance(answered, Call)
    assert answered.answered_by == "sup", "the second to press changes nothing"
    house.give(outside.CallEnded("call-1", "sup"))
    assert refused(house.give(outside.CallAnswered("call-1", "sup"))) is Refusal.CONFLICT
    assert house.steps(RecordKind.CALL) == ["raised", "repeated", "answered", "ended"]
    assert {line.session_id for line in house.lines} == {"s-1"}


def test_a_text_answers_its_call_and_is_read_once() -> None:
    house = House()
    house.give(outside.CallRaised("call-1", "room-1", CallReason.PAPERS, "tab1"))
    body = TextBody(template=TextTemplate.COMING, call_id="call-1")
    house.give(outside.TextSent("text-1", "room-1", body, "sup"))
    house.give(outside.TextSent("text-1", "room-1", body, "sup"))  # a lost answer, sent again
    call, text = house.act("call-1"), house.act("text-1")
    assert isinstance(call, Call)
    assert isinstance(text, Text)
    assert call.answered_by == "sup"
    assert (text.text.zh, text.read_utc_ms) != (text.text.en, 0)
    house.ms += 4_000
    house.give(outside.TextRead("text-1", "tab1"))
    house.give(outside.TextRead("text-1", "tab1"))
    assert house.steps(RecordKind.TEXT) == ["sent", "read"]
    assert "4" in house.lines[-1].text.en


def test_what_is_unread_when_the_session_ends_is_for_nobody_any_more() -> None:
    house = House()
    house.give(outside.TextSent("text-1", "room-1", TextBody(text="请稍候"), "sup"))
    house.give(outside.CallRaised("call-1", "room-1", CallReason.QUESTION, "tab1"))
    body = EntryBody(kind=EntryKind.EQUIPMENT, reason="projector", minutes=5)
    house.give(outside.EntryAsked("entry-1", "room-1", body, "duty"))
    house.give(outside.ListenAsked("hear-1", "room-1", "cam-1", "sup"))
    house.end_session()
    assert all(house.act(one).ended for one in ("text-1", "call-1", "entry-1", "hear-1"))
    listening = house.act("hear-1")
    assert isinstance(listening, Listening)
    assert listening.why == "session_over"
    assert house.steps(RecordKind.TEXT)[-1] == "withdrawn"


def test_too_many_unread_texts_are_refused() -> None:
    house = House()
    answers = [
        house.give(outside.TextSent(f"text-{n}", "room-1", TextBody(text="x"), "sup"))
        for n in range(21)
    ]
    assert [refused(one) for one in answers[:20]] == [None] * 20
    assert refused(answers[20]) is Refusal.CONFLICT


def test_an_entry_takes_two_others_and_its_minutes_and_keeps_no_alert_back() -> None:
    house = House()
    body = EntryBody(kind=EntryKind.SECURITY, reason="a quarrel", minutes=2, persons=3)
    house.give(outside.EntryAsked("entry-1", "room-1", body, "duty"))
    assert refused(house.give(outside.EntryJudged("entry-1", True, "duty"))) is Refusal.FORBIDDEN
    house.give(outside.EntryJudged("entry-1", True, "sup"))
    assert refused(house.give(outside.EntryJudged("entry-1", True, "sup"))) is Refusal.FORBIDDEN
    house.give(AlertCame(an_alert("before", session_id="s-1")))
    house.give(outside.EntryJudged("entry-1", True, "sup2"))
    entry = house.act("entry-1")
    assert isinstance(entry, Entry)
    assert (entry.state, [one.by for one in entry.approvals]) == (EntryState.OPEN, ["sup", "sup2"])
    house.give(AlertCame(an_alert("during", session_id="s-1")))
    assert house.site.alerts["before"].detail is None
    detail = house.site.alerts["during"].detail
    assert detail is not None
    assert "entry-1" in detail.en
    noted = [line for line in house.lines if line.data.get("permitted_by") == "entry-1"]
    assert [line.data["alert"] for line in noted] == ["during"]
    house.wait(2 * 60_000)
    assert house.standing(ENTRY_OVERDUE)
    house.give(AlertCame(an_alert("late", session_id="s-1")))
    assert house.site.alerts["late"].detail is None, "past its time nobody is expected there"
    house.give(outside.EntryEnded("entry-1", "duty"))
    assert not house.standing(ENTRY_OVERDUE)
    assert house.steps(RecordKind.ENTRY) == [
        "asked", "approved", "approved", "begun", "alert", "overdue", "ended",
    ]  # fmt: skip
    last = house.lines[-1]
    assert last.data["approved_by"] == "sup, sup2"
    assert int(last.data["to_utc_ms"]) - int(last.data["from_utc_ms"]) == 120_000


@pytest.mark.parametrize("kind", sorted(AT_ONCE))
def test_fire_and_medical_open_at_once_and_say_who_pressed(kind: EntryKind) -> None:
    house = House()
    house.give(
        outside.EntryAsked("entry-1", "room-1", EntryBody(kind=kind, reason="smoke"), "duty")
    )
    entry = house.act("entry-1")
    assert isinstance(entry, Entry)
    assert entry.state is EntryState.OPEN
    assert house.steps(RecordKind.ENTRY) == ["asked", "begun"]
    assert {line.by for line in house.lines} == {"duty"}


def test_an_entry_nobody_approves_lapses_and_a_room_without_a_session_needs_none() -> None:
    house = House()
    body = EntryBody(kind=EntryKind.OTHER, reason="air conditioning")
    house.give(outside.EntryAsked("entry-1", "room-1", body, "duty"))
    assert (
        refused(house.give(outside.EntryAsked("entry-2", "room-2", body, "duty")))
        is Refusal.CONFLICT
    )
    house.wait(ENTRY_ASKED_MS)
    entry = house.act("entry-1")
    assert isinstance(entry, Entry)
    assert entry.state is EntryState.LAPSED


def test_one_talker_a_room_and_what_was_said_is_filed_with_its_hash() -> None:
    house = House()
    house.give(outside.CallRaised("call-1", "room-1", CallReason.QUESTION, "tab1"))
    house.give(outside.TalkAsked("talk-1", "room-1", "cam-1", "call-1", "sup"))
    busy = house.give(outside.TalkAsked("talk-2", "room-1", "cam-1", None, "sup2"))
    assert refused(busy) is Refusal.CONFLICT
    house.give(told("talk-1", room="room-2"))  # another room's node has no word here
    house.give(told("talk-1", node="edge-9"))
    assert house.steps(RecordKind.TALK) == []
    house.give(told("talk-1"))
    call = house.act("call-1")
    assert isinstance(call, Call)
    assert call.answered_by == "sup", "talking into the room answers its call"
    house.give(told("talk-1", ended=950, sha256="a" * 64, why="released"))
    house.give(told("talk-1", ended=950, sha256="a" * 64, why="released"))
    talk = house.act("talk-1")
    assert isinstance(talk, Talk)
    assert (talk.sha256, talk.duration_ms, talk.failed) == ("a" * 64, 900, None)
    assert house.steps(RecordKind.TALK) == ["began", "ended"]
    assert house.lines[-1].data["sha256"] == "a" * 64
    assert house.give(outside.TalkAsked("talk-2", "room-1", "cam-1", None, "sup2")) == Accepted(
        "talk-2"
    )


def test_a_talk_that_never_begins_frees_the_room_and_a_late_word_is_still_filed() -> None:
    house = House()
    house.give(outside.TalkAsked("talk-1", "room-1", "cam-1", None, "sup"))
    house.wait(TALK_BEGIN_MS)
    talk = house.act("talk-1")
    assert isinstance(talk, Talk)
    assert (talk.ended, talk.failed) == (True, "not_begun")
    house.give(told("talk-1", ended=9_000, sha256="b" * 64))
    late = house.act("talk-1")
    assert isinstance(late, Talk)
    assert (late.sha256, late.failed) == ("b" * 64, None)
    house.give(outside.TalkAsked("talk-2", "room-1", "cam-1", None, "sup"))
    house.give(told("talk-2", ended=10_000, why="no_back_channel"))
    failed = house.act("talk-2")
    assert isinstance(failed, Talk)
    assert failed.failed == "no_back_channel"
    assert house.steps(RecordKind.TALK) == ["ended", "failed"]


def test_a_second_room_ends_the_first_and_a_lease_that_is_not_renewed_ends_too() -> None:
    house = House()
    other = sessions.schedule(
        "s-2", SessionBody(room_id="room-2", title="T", admitted=5), "sup", UtcMs(UTC0)
    )
    both = {**house.site.sessions, "s-2": replace(other, state=SessionState.SEALED)}
    house.site = replace(house.site, sessions=both)
    house.give(outside.ListenAsked("hear-1", "room-1", "cam-1", "sup"))
    house.give(outside.ListenAsked("hear-2", "room-2", "cam-2", "sup"))
    first, second = house.act("hear-1"), house.act("hear-2")
    assert isinstance(first, Listening)
    assert (first.why, second.ended) == ("other_room", False)
    assert refused(house.give(outside.ListenRenewed("hear-1", "sup"))) is Refusal.CONFLICT
    assert refused(house.give(outside.ListenRenewed("hear-2", "sup2"))) is Refusal.CONFLICT
    house.wait(LISTEN_LEASE_MS)
    house.give(outside.ListenRenewed("hear-2", "sup"))
    house.wait(LISTEN_LEASE_MS)
    assert not house.act("hear-2").ended
    house.wait(1)
    assert house.act("hear-2").ended
    assert house.steps(RecordKind.LISTENING) == ["began", "ended", "began", "ended"]
    assert house.lines[-1].data["why"] == "lapsed"


def test_outside_a_session_nobody_listens() -> None:
    house = House(SessionState.RELEASED)
    answer = house.give(outside.ListenAsked("hear-1", "room-1", "cam-1", "sup"))
    assert refused(answer) is Refusal.CONFLICT


PEOPLE = st.sampled_from(("sup", "sup2", "sup3", "duty"))
NUMBERS = st.integers(0, 3)
MOVES: st.SearchStrategy[OutsideInput | int] = st.one_of(
    st.integers(100, 130_000),
    st.builds(
        lambda n, why: outside.CallRaised(f"call-{n}", "room-1", why, "tab1"),
        NUMBERS, st.sampled_from(CallReason),
    ),
    st.builds(lambda n, by: outside.CallAnswered(f"call-{n}", by), NUMBERS, PEOPLE),
    st.builds(lambda n, by: outside.CallEnded(f"call-{n}", by), NUMBERS, PEOPLE),
    st.builds(
        lambda n, by, kind: outside.EntryAsked(
            f"entry-{n}", "room-1", EntryBody(kind=kind, reason="reason", minutes=1), by
        ),
        NUMBERS, PEOPLE, st.sampled_from(EntryKind),
    ),
    st.builds(
        lambda n, yes, by: outside.EntryJudged(f"entry-{n}", yes, by),
        NUMBERS, st.booleans(), PEOPLE,
    ),
    st.builds(lambda n, by: outside.EntryEnded(f"entry-{n}", by), NUMBERS, PEOPLE),
    st.builds(
        lambda n, by: outside.TalkAsked(f"talk-{n}", "room-1", "cam-1", None, by), NUMBERS, PEOPLE
    ),
    st.builds(lambda n: told(f"talk-{n}"), NUMBERS),
    st.builds(lambda n: told(f"talk-{n}", ended=9, sha256="c" * 64), NUMBERS),
    st.builds(
        lambda n, by: outside.ListenAsked(f"hear-{n}", "room-1", "cam-1", by), NUMBERS, PEOPLE
    ),
    st.builds(lambda n, by: outside.ListenStopped(f"hear-{n}", by), NUMBERS, PEOPLE),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(MOVES, max_size=40))
def test_whatever_people_press_the_rules_hold(moves: list[OutsideInput | int]) -> None:
    house = House()
    for move in moves:
        before = house.site
        if isinstance(move, int):
            house.wait(move)
        else:
            house.give(move)
        _entries_are_approved(house)
        assert len(acts.going_on(house.site, Talk)) <= 1
        listeners = [one.by for one in acts.going_on(house.site, Listening)]
        assert len(listeners) == len(set(listeners))
        rings = [one.reason for one in acts.going_on(house.site, Call)]
        assert len(rings) == len(set(rings))
        for call in acts.of(house.site, Call):
            standing = f"{CALL_UNANSWERED}|{call.id}" in house.site.marks
            assert standing == (call.waits and call.repeats > 0)
        _what_is_over_stays(before, house.site)
    house.end_session()
    assert all(isinstance(one, Talk) or one.ended for one in house.site.acts.values())
    begun = house.steps(RecordKind.LISTENING)
    assert begun.count("began") == begun.count("ended")


def _entries_are_approved(house: House) -> None:
    opened = [one for one in acts.going_on(house.site, Entry) if one.state is EntryState.OPEN]
    assert len(opened) <= 1
    for entry in opened:
        approvers = {one.by for one in entry.approvals}
        assert entry.asked_by not in approvers
        assert len(approvers) == len(entry.approvals)
        assert entry.entry_kind in AT_ONCE or len(approvers) == 2
        assert entry.overdue == (f"{ENTRY_OVERDUE}|{entry.id}" in house.site.marks)


def _what_is_over_stays(before: SiteState, after: SiteState) -> None:
    for key, act in before.acts.items():
        if act.ended and not isinstance(act, Talk):  # a node's late word on a talk is still filed
            assert after.acts[key].ended
