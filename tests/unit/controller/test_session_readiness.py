"""What a seal demands: each demand met, failed and unknown."""

from dataclasses import replace
from typing import Final

import pytest

from contracts.admission import ProcurementKind, Role
from contracts.api import SessionBody
from contracts.api.roster import Attendance, Seat, SessionPolicy
from contracts.api.sessions import CheckState, SealDemand
from contracts.evidence.entries import ClockSource, ClockState
from contracts.observations import (
    AccessKind,
    NodeHealth,
    NodeState,
    RecordingHealth,
    RecordingState,
    TrackHealth,
)
from contracts.units import MonoMs, UtcMs
from controller.core import readiness, sessions
from controller.core import roster as rosters
from controller.core.roster import CheckIn
from controller.core.sessions import Session
from controller.core.site import step
from controller.core.state import NodeSaid, Now, Observed, SiteState
from tests.fakes.controller_site import fresh_state, observation, person, small_plan

NOW: Final = Now(MonoMs(10_000), UtcMs(10_000))
SYNCED: Final = ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.4)
TRACKS: Final = {"cam-1": "room-1", "cam-2": "room-2", "cam-c": "corridor"}


def said(
    site: SiteState,
    *,
    tracks: dict[str, RecordingState] | None = None,
    clock: ClockState | None = SYNCED,
    state: NodeState = NodeState.RUNNING,
) -> SiteState:
    states = dict.fromkeys(TRACKS, RecordingState.RECORDING) | (tracks or {})
    rows = tuple(
        TrackHealth(track_id=track, room_id=TRACKS[track], state=one, since_utc_ms=UtcMs(1))
        for track, one in states.items()
    )
    health = NodeHealth(
        node_id="edge-1",
        state=state,
        utc_ms=UtcMs(1),
        recording=RecordingHealth(running=True, tracks=rows, clock=clock),
    )
    return step(site, NodeSaid(health), NOW)[0]


def seen(site: SiteState, people: int, room: str = "room-1") -> SiteState:
    rows = tuple(person(track=number) for number in range(people))
    return step(site, Observed(observation(room, index=1, utc_ms=1, people=rows)), NOW)[0]


def session(**more: object) -> Session:
    body = SessionBody.model_validate({"room_id": "room-1", "title": "T", "admitted": 2, **more})
    return sessions.schedule("s-1", body, "sup", UtcMs(1))


def state_of(site: SiteState, demand: SealDemand, row: Session, now: Now = NOW) -> CheckState:
    items = readiness.seal_check(site, row, now).items
    return next(one.state for one in items if one.demand is demand)


def ready_site() -> SiteState:
    return seen(said(fresh_state(small_plan())), 2)


def test_of_a_good_room_only_the_key_is_open() -> None:
    check = readiness.seal_check(ready_site(), session(), NOW)
    assert {row.demand for row in check.items if row.state is not CheckState.OK} == {
        SealDemand.KEY_CONFIRMED
    }
    assert {row.demand for row in check.items} == set(SealDemand)
    assert not check.ready


@pytest.mark.parametrize(
    ("demand", "site", "wanted"),
    [
        (SealDemand.NODE_ALIVE, fresh_state(small_plan()), CheckState.FAILED),
        (
            SealDemand.NODE_ALIVE,
            said(ready_site(), state=NodeState.STOPPED),
            CheckState.FAILED,
        ),
        (
            SealDemand.CAMERAS_RECORDING,
            said(ready_site(), tracks={"cam-1": RecordingState.GAP}),
            CheckState.FAILED,
        ),
        (SealDemand.CAMERAS_RECORDING, fresh_state(small_plan()), CheckState.UNKNOWN),
        (
            SealDemand.PASSAGES_RECORDING,
            said(ready_site(), tracks={"cam-c": RecordingState.STOPPED}),
            CheckState.FAILED,
        ),
        (
            SealDemand.CAMERAS_RECORDING,
            said(ready_site(), tracks={"cam-2": RecordingState.GAP}),
            CheckState.OK,
        ),
        (SealDemand.CLOCK_IN_SYNC, said(ready_site(), clock=None), CheckState.UNKNOWN),
        (
            SealDemand.CLOCK_IN_SYNC,
            said(ready_site(), clock=ClockState(source=ClockSource.UNSYNCHRONISED)),
            CheckState.FAILED,
        ),
        (
            SealDemand.CLOCK_IN_SYNC,
            said(ready_site(), clock=SYNCED.model_copy(update={"offset_ms": -2_000.0})),
            CheckState.FAILED,
        ),
        (SealDemand.HEAD_COUNT, seen(said(fresh_state(small_plan())), 3), CheckState.FAILED),
        (SealDemand.HEAD_COUNT, seen(said(fresh_state(small_plan())), 1), CheckState.FAILED),
        (SealDemand.HEAD_COUNT, said(fresh_state(small_plan())), CheckState.UNKNOWN),
    ],
)
def test_what_is_not_so_is_failed_and_what_nobody_knows_is_unknown(
    demand: SealDemand, site: SiteState, wanted: CheckState
) -> None:
    assert state_of(site, demand, session()) is wanted


def test_an_old_or_unsure_count_is_unknown() -> None:
    site = ready_site()
    late = Now(MonoMs(NOW.mono_ms + 6_000), UtcMs(NOW.utc_ms + 6_000))
    assert state_of(site, SealDemand.HEAD_COUNT, session(), late) is CheckState.UNKNOWN
    live = site.rooms["room-1"]
    unsure = replace(live, observation=live.observation.model_copy(update={"confidence": 0.3}))
    site = replace(site, rooms={"room-1": unsure})
    assert state_of(site, SealDemand.HEAD_COUNT, session()) is CheckState.UNKNOWN


def test_an_area_needs_its_total_and_no_room_more_than_it_may_hold() -> None:
    both = {"room_ids": ("room-1", "room-2"), "admitted": 2, "admitted_each": 1}
    base = said(fresh_state(small_plan()))
    even = seen(seen(base, 1), 1, "room-2")
    assert state_of(even, SealDemand.HEAD_COUNT, session(**both)) is CheckState.OK
    odd = seen(seen(base, 2), 0, "room-2")
    assert state_of(odd, SealDemand.HEAD_COUNT, session(**both)) is CheckState.FAILED
    assert state_of(seen(base, 2), SealDemand.HEAD_COUNT, session(**both)) is CheckState.UNKNOWN


def test_the_policy_admits_by_role_and_kind_of_procurement() -> None:
    site = ready_site()
    agency = ({"seat": "1"}, {"seat": "2", "role": Role.AGENCY})
    works = session(roster=agency)
    bought = session(roster=agency, procurement=ProcurementKind.GOVERNMENT)
    assert state_of(site, SealDemand.POLICY_ADMITS, works) is CheckState.FAILED
    assert state_of(site, SealDemand.POLICY_ADMITS, bought) is CheckState.OK
    crowd = session(
        roster=(*agency, {"seat": "3", "role": Role.AGENCY}),
        procurement=ProcurementKind.GOVERNMENT,
    )
    assert state_of(site, SealDemand.POLICY_ADMITS, crowd) is CheckState.FAILED


def test_a_roster_may_be_required_and_has_to_be_whole() -> None:
    site = ready_site()
    assert state_of(site, SealDemand.ROSTER_COMPLETE, session()) is CheckState.OK
    policy = SessionPolicy(roster_required=True)
    strict = replace(site, plan=replace(site.plan, session_policy=policy))
    assert state_of(strict, SealDemand.ROSTER_COMPLETE, session()) is CheckState.FAILED
    half = session(roster=({"seat": "1", "expert_code": "E1"}, {"seat": "2"}))
    assert state_of(site, SealDemand.ROSTER_COMPLETE, half) is CheckState.FAILED


MINUTE: Final = 60_000
START: Final = 10 * 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("role", "came_min", "now_min", "over", "wanted"),
    [
        (Role.EXPERT, None, -30, False, Attendance.EXPECTED),
        (Role.EXPERT, None, 5, False, Attendance.EXPECTED),
        (Role.EXPERT, None, 6, False, Attendance.OVERDUE),
        (Role.AGENCY, None, 6, False, Attendance.EXPECTED),
        (Role.EXPERT, None, 31, False, Attendance.ABSENT),
        (Role.EXPERT, None, -30, True, Attendance.ABSENT),
        (Role.EXPERT, -20, 0, False, Attendance.PRESENT),
        (Role.EXPERT, 5, 60, False, Attendance.PRESENT),
        (Role.EXPERT, 6, 60, True, Attendance.LATE),
        (Role.AGENCY, 6, 60, True, Attendance.PRESENT),
        (Role.AGENCY, 11, 60, True, Attendance.LATE),
    ],
)
def test_attendance_is_told_by_check_ins_against_the_schedule(
    role: Role, came_min: int | None, now_min: int, over: bool, wanted: Attendance
) -> None:
    roster = rosters.filled(rosters.EMPTY, (Seat(seat="1", role=role),))
    if came_min is not None:
        at = UtcMs(START + came_min * MINUTE)
        roster = rosters.checked_in(roster, CheckIn("e", 1, AccessKind.CHECK_IN, at, "gate"))
    (row,) = rosters.participant_views(
        roster, UtcMs(START), SessionPolicy(), UtcMs(START + now_min * MINUTE), over=over
    )
    assert row.attendance is wanted
    assert (row.late_ms is not None) == (wanted is Attendance.LATE)
