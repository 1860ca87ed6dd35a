"""The session core as a machine of states: whatever is asked, these things hold."""

from dataclasses import replace
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.api import SessionBody, SessionState
from contracts.api.record import RecordKind
from contracts.api.roster import AmendmentBody, AmendmentKind, CheckInBody, Seat, SweepBody
from contracts.api.sessions import ActBody, CheckState, SealDemand, SuspendReason
from contracts.commands import Release, Seal
from contracts.units import MonoMs, UtcMs
from controller.core import readiness, sessions
from controller.core.outputs import Accepted, FileRecord, Output, Refused, SendCommand
from controller.core.session_inputs import (
    AmendmentAsked,
    AmendmentDecided,
    CheckedIn,
    RoomSwept,
    RosterFilled,
)
from controller.core.sessions import HOLDS_ROOM, SessionVerb
from controller.core.site import step
from controller.core.state import Input, Now, SessionActed, SessionScheduled
from tests.fakes.controller_site import fresh_state, small_plan

ROOMS: Final = (("room-1",), ("room-2",), ("room-1", "room-2"))
IDS: Final = ("s-0", "s-1", "s-2")
PEOPLE: Final = ("ann", "bob")
PLAN: Final = small_plan()

ids = st.sampled_from(IDS)
by = st.sampled_from(PEOPLE)
demands = st.frozensets(st.sampled_from(list(SealDemand)))


class Life(RuleBasedStateMachine):
    """Two people and a terminal ask for anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.site = fresh_state(PLAN)
        self.ms = 0
        self.lines: list[FileRecord] = []
        self.sealed_by_node: dict[str, str] = {}
        for number, rooms in enumerate(ROOMS):
            self.schedule(number, rooms)

    def schedule(self, number: int, rooms: tuple[str, ...]) -> None:
        body = SessionBody(
            room_id=rooms[0],
            room_ids=rooms,
            title="T",
            admitted=2,
            roster=(Seat(seat="1", expert_code="E1"), Seat(seat="2", expert_code="E2")),
        )
        self.give(SessionScheduled(f"s-{number}", body, "ann"))

    @rule(session=ids, place=st.integers(0, 2), who=by)
    def go_on(self, session: str, place: int, who: str) -> None:
        """One of the steps that its state allows, with everything said that may be needed."""
        state = self.site.sessions[session].state
        verbs = [verb for one, verb in sessions.TRANSITIONS if one is state]
        if verbs:
            verb = verbs[place % len(verbs)]
            self.act(session, verb, who, frozenset(SealDemand), "why", SuspendReason.FAULT)
        elif state is not SessionState.SCHEDULED:
            self.anew(session)

    def anew(self, session: str) -> None:
        """The session is long over; another takes its place."""
        rows = {key: row for key, row in self.site.sessions.items() if key != session}
        self.site = replace(self.site, sessions=rows)
        self.schedule(int(session[-1]), ROOMS[int(session[-1])])

    def give(self, given: Input) -> tuple[Output, ...]:
        self.ms += 1_000
        before = self.site
        self.site, out = step(self.site, given, Now(MonoMs(self.ms), UtcMs(self.ms)))
        if any(isinstance(one, Refused) for one in out):
            assert self.site.sessions == before.sessions
            assert not [one for one in out if isinstance(one, FileRecord | SendCommand)]
        else:
            assert any(isinstance(one, Accepted) for one in out)
        self.lines += [one for one in out if isinstance(one, FileRecord)]
        for one in out:
            if isinstance(one, SendCommand) and isinstance(one.command, Seal):
                self.sealed_by_node[one.command.room_id] = one.command.session_id
            if isinstance(one, SendCommand) and isinstance(one.command, Release):
                assert self.sealed_by_node.pop(one.command.room_id) == one.command.session_id
        return out

    @rule(
        session=ids,
        verb=st.sampled_from(list(SessionVerb)),
        who=by,
        overrides=st.one_of(st.just(frozenset(SealDemand)), demands),
        reason=st.sampled_from(("", "why")),
        suspension=st.sampled_from((None, *SuspendReason)),
    )
    def try_anything(
        self,
        session: str,
        verb: SessionVerb,
        who: str,
        overrides: frozenset[SealDemand],
        reason: str,
        suspension: SuspendReason | None,
    ) -> None:
        self.act(session, verb, who, overrides, reason, suspension)

    def act(
        self,
        session: str,
        verb: SessionVerb,
        who: str,
        overrides: frozenset[SealDemand],
        reason: str,
        suspension: SuspendReason | None,
    ) -> None:
        said = ActBody(
            reason=reason, suspension=suspension, overrides=dict.fromkeys(overrides, "why")
        )
        before = self.site.sessions.get(session)
        now = Now(MonoMs(self.ms + 1_000), UtcMs(self.ms + 1_000))
        open_ = set[SealDemand]()
        if before is not None:
            items = readiness.seal_check(self.site, before, now).items
            open_ = {row.demand for row in items if row.state is not CheckState.OK}
        lines = len(self.lines)
        out = self.give(SessionActed(session, verb, who, said))
        after = self.site.sessions.get(session)
        if any(isinstance(one, Refused) for one in out):
            return
        assert before is not None
        assert after is not None
        assert sessions.TRANSITIONS[before.state, verb] is after.state
        told = self.lines[lines:]
        assert [row.by for row in told] == [who] * len(told)
        assert [row.record_kind for row in told].count(RecordKind.STATE) == 1
        if verb in sessions.SEALING:
            assert open_ <= overrides
            overridden = {row.data["demand"] for row in told if row.record_kind == "override"}
            assert overridden == open_
        if verb is SessionVerb.SUSPEND:
            assert suspension is not None
        if verb is SessionVerb.CANCEL:
            assert reason

    @rule(session=ids, seats=st.sets(st.sampled_from("1234"), max_size=3), who=by)
    def fill(self, session: str, seats: set[str], who: str) -> None:
        rows = tuple(Seat(seat=one, expert_code=f"E{one}") for one in sorted(seats))
        known = self.site.sessions.get(session)
        out = self.give(RosterFilled(session, known.revision if known else 0, rows, who))
        if known is not None and known.state is not SessionState.SCHEDULED:
            assert isinstance(out[0], Refused)

    @rule(
        session=ids, kind=st.sampled_from(list(AmendmentKind)), seat=st.sampled_from("1239"), who=by
    )
    def ask(self, session: str, kind: AmendmentKind, seat: str, who: str) -> None:
        come = None
        if kind is not AmendmentKind.RECUSED:
            come = {"seat": seat, "expert_code": f"N{self.ms}"}
        body = AmendmentBody.model_validate(
            {"kind": kind, "seat": seat, "reason": "why", "incoming": come}
        )
        self.give(AmendmentAsked(session, body, who))

    @rule(session=ids, kind=st.sampled_from(list(AmendmentKind)), seat=st.sampled_from("1239"))
    def amend(self, session: str, kind: AmendmentKind, seat: str) -> None:
        """One asks, and another approves."""
        self.ask(session, kind, seat, "ann")
        self.decide(session, len(self.site.sessions[session].roster.amendments), True, "bob")

    @rule(session=ids, number=st.integers(1, 3), approve=st.booleans(), who=by)
    def decide(self, session: str, number: int, approve: bool, who: str) -> None:
        out = self.give(AmendmentDecided(session, number, approve, "", who))
        known = self.site.sessions.get(session)
        if not isinstance(out[0], Refused):
            assert known is not None
            row = known.roster.amendments[number - 1]
            assert row.asked_by != row.decided_by == who

    @rule(session=ids, code=st.sampled_from(("E1", "E2", "N0", "?")), event=st.integers(0, 20))
    def come(self, session: str, code: str, event: int) -> None:
        self.give(CheckedIn(f"e{event}", CheckInBody(expert_code=code), "gate", session))

    @rule(room=st.sampled_from(("room-1", "room-2")), clean=st.booleans())
    def sweep(self, room: str, clean: bool) -> None:
        body = SweepBody(empty=clean, phones_cleared=True, papers_cleared=True)
        self.give(RoomSwept(room, body, "ann"))

    @invariant()
    def a_room_belongs_to_one_session_at_a_time(self) -> None:
        held = [
            room
            for row in self.site.sessions.values()
            if row.state in HOLDS_ROOM
            for room in row.rooms
        ]
        assert len(held) == len(set(held))

    @invariant()
    def nodes_watch_exactly_the_rooms_that_are_sealed(self) -> None:
        sealed = {
            room: row.id
            for row in self.site.sessions.values()
            if row.state is SessionState.SEALED
            for room in row.rooms
        }
        assert sealed == self.sealed_by_node

    @invariant()
    def a_roster_says_who_is_admitted_and_its_hash_follows_it(self) -> None:
        for row in self.site.sessions.values():
            people = row.roster.active
            assert len({one.seat for one in people}) == len(people)
            assert row.roster_sha256 == row.roster.sha256()
            if people:
                assert row.admitted == len(people)
            events = [one.event_id for one in row.roster.check_ins]
            assert len(events) == len(set(events))


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_session_of_an_older_version_is_confirmed_by_its_one_node() -> None:
    body = SessionBody(room_id="room-1", title="T", admitted=5)
    old = replace(
        sessions.schedule("s-1", body, "sup", UtcMs(1)),
        state=SessionState.SEALED,
        command_id="s-1-1",
        code="",
    )
    assert sessions.awaits(old, "s-1-1")
    assert old.rooms == ("room-1",)
    assert len(old.public_code) == sessions.CODE_CHARS


def test_codes_are_short_told_by_nothing_and_never_taken_twice() -> None:
    one = sessions.schedule(
        "s-1", SessionBody(room_id="room-1", title="T", admitted=5), "a", UtcMs(1)
    )
    assert sessions.free_code("s-1", (one,)) != one.code
    assert set(one.code) <= set(sessions.CODE_SIGNS)


def test_a_roster_hash_is_the_same_for_the_same_people_in_any_order() -> None:
    def hashed(*seats: Seat) -> str | None:
        body = SessionBody(room_id="room-1", title="T", admitted=5, roster=seats)
        return sessions.schedule("s-1", body, "sup", UtcMs(1)).roster_sha256

    one, two = Seat(seat="1", expert_code="E1"), Seat(seat="2", expert_code="E2")
    assert hashed(one, two) == hashed(two, one) != hashed(one)
    assert hashed() is None
