"""A lift's session: one robot at a time, every wait with an end, and nobody left in the car."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.units import MonoMs
from controller.core import facilities
from controller.core.facility_words import (
    FacilityClaim,
    FacilitySaid,
    FireSaid,
    LiftOrder,
    LiftSaid,
    TroubleKind,
)
from controller.core.lifts import LiftPhase
from tests.fakes.facility_site import two_floor_plan

IN_1, UP, OUT_2 = ("lobby-1", "cab-1"), ("cab-1", "cab-2"), ("cab-2", "lobby-2")
ROUTE = ("b", "lobby-1", "cab-1", "cab-2", "lobby-2", "room-door")


class Shaft:
    """One lift in time."""

    def __init__(self) -> None:
        self.plan = two_floor_plan()
        self.now = MonoMs(1_000)
        self.live = facilities.begun(self.plan, self.now)
        self.told: list[LiftOrder] = []
        self.shut: frozenset[tuple[str, str]] = frozenset()
        self.says("floor-2", door_open=False)

    def says(self, floor: str | None, *, door_open: bool, in_service: bool = True) -> None:
        said = LiftSaid(floor, door_open, in_service)
        self.live = facilities.heard(self.live, FacilitySaid("lift-1", said), self.now)

    def falls_silent(self) -> None:
        self.live = facilities.heard(self.live, FacilitySaid("lift-1", None), self.now)

    def settle(self, *claims: FacilityClaim, after_ms: int = 100) -> None:
        self.now = MonoMs(self.now + after_ms)
        self.live, self.shut, commands = facilities.settle(self.plan, self.live, claims, self.now)
        self.told += [row.order for row in commands if isinstance(row.order, LiftOrder)]

    def burns(self) -> None:
        self.live = facilities.fire_heard(self.live, FireSaid("fire", burning=True), self.now)

    @property
    def phase(self) -> LiftPhase:
        return self.live.lifts["lift-1"].phase

    @property
    def open(self) -> frozenset[tuple[str, str]]:
        return self.plan.gates["lift-1"] - self.shut

    def kinds(self) -> set[TroubleKind]:
        rows = facilities.troubles(self.live)
        return {row.kind for row in rows if row.facility_id == "lift-1"}


def robot(at: int, released: int = 0, name: str = "r-1") -> FacilityClaim:
    return FacilityClaim(name, ROUTE[at], ROUTE[at + 1 :], released)


def test_a_session_from_call_to_release() -> None:
    lift = Shaft()
    lift.settle(robot(0))
    assert (lift.phase, lift.open) == (LiftPhase.CALLING, frozenset())
    assert lift.told[-1] == LiftOrder("floor-1", hold=False, reserve=True)
    lift.says("floor-1", door_open=False)
    lift.settle(robot(1))
    assert lift.open == frozenset(), "at the floor with its door shut is not there"
    lift.says("floor-1", door_open=True)
    lift.settle(robot(1))
    assert (lift.phase, lift.open) == (LiftPhase.BOARDING, frozenset({IN_1}))
    assert lift.told[-1] == LiftOrder("floor-1", hold=True, reserve=True)
    lift.settle(robot(1, released=1), after_ms=60_000)
    assert lift.told[-1].hold, "a robot may be between lobby and car"
    lift.settle(robot(2))
    assert (lift.phase, lift.open) == (LiftPhase.RIDING, frozenset())
    assert lift.told[-1] == LiftOrder("floor-2", hold=False, reserve=True)
    lift.says(None, door_open=False)
    lift.settle(robot(2), after_ms=5_000)
    assert lift.open == frozenset()
    lift.says("floor-2", door_open=True)
    lift.settle(robot(2))
    assert lift.open == {UP}
    assert lift.told[-1].hold
    lift.settle(robot(3))
    assert (lift.phase, lift.open) == (LiftPhase.LEAVING, frozenset({OUT_2}))
    lift.settle(robot(4))
    assert (lift.phase, lift.told[-1]) == (LiftPhase.IDLE, LiftOrder())
    for _ in range(10):
        lift.settle(robot(4), after_ms=4_000)
    assert lift.told[-3:] == [LiftOrder()] * 3
    assert lift.told[-4] != LiftOrder(), "let go is said three times, not for ever"
    assert lift.kinds() == set()


def test_who_is_in_the_car_after_a_restart_has_the_lift() -> None:
    lift = Shaft()
    lift.settle(robot(0, name="r-2"), robot(2))
    assert lift.live.lifts["lift-1"].robot_id == "r-1"
    assert lift.phase is LiftPhase.RIDING


def test_a_robot_that_does_not_board_lets_the_next_have_its_turn() -> None:
    lift = Shaft()
    down = FacilityClaim("r-2", "lobby-2", ("cab-2", "cab-1", "lobby-1"))
    lift.says("floor-1", door_open=True)
    lift.settle(robot(1), down)
    lift.settle(robot(1), down)
    assert lift.open == {IN_1}
    lift.settle(robot(1), down, after_ms=46_000)
    lift.settle(robot(1), down)
    assert lift.live.lifts["lift-1"].robot_id == "r-2"
    assert lift.told[-1].floor == "floor-2"
    assert lift.kinds() == set(), "nobody is stuck"


def test_those_that_do_not_board_have_no_second_turn_before_the_last_in_line_had_one() -> None:
    # Two that carry something wait for the third to be out of their way, and it for the lift.
    lift = Shaft()
    down = FacilityClaim("r-3", "lobby-2", ("cab-2", "cab-1", "lobby-1"))
    line = robot(1, name="r-1"), robot(0, name="r-2"), down
    turns: list[str | None] = []
    for _ in range(400):
        lift.settle(*line, after_ms=1_000)
        known = lift.live.lifts["lift-1"]
        lift.says(known.floor, door_open=True)  # it comes at once
        turns.append(known.robot_id)
    found = [one for at, one in enumerate(turns) if one is not None and one != turns[at - 1]]
    assert found[:3] == ["r-1", "r-3", "r-2"], "who stands before it goes before who waits far off"
    assert None in turns, "when nobody boards, people may have it"
    # Once the third is in the car, whoever did not board before has a turn again.
    lift.settle(*line[:2], FacilityClaim("r-3", "cab-2", ("cab-1", "lobby-1")))
    assert lift.live.lifts["lift-1"].robot_id == "r-3"
    lift.settle(*line[:2])
    assert lift.live.lifts["lift-1"].robot_id == "r-1"


def test_who_waits_for_others_far_from_the_lift_leaves_it_to_who_stands_before_it() -> None:
    lift = Shaft()
    down = FacilityClaim("r-2", "lobby-2", ("cab-2", "cab-1", "lobby-1"))
    waiting, driving = robot(0), robot(0, released=1)

    def turn(*claims: FacilityClaim) -> str | None:
        lift.settle(*claims)
        return lift.live.lifts["lift-1"].robot_id

    assert turn(waiting) == "r-1", "called ahead while nobody else wants it"
    assert turn(waiting, down) == "r-2"
    assert turn(driving, down) == "r-2", "who has it and comes keeps it"
    assert turn(driving) == "r-1"
    assert turn(driving, down) == "r-1"


@pytest.mark.parametrize(
    ("claim", "after_ms", "kind"),
    [
        (robot(1), 121_000, TroubleKind.LIFT_STUCK),
        (robot(2), 121_000, TroubleKind.LIFT_STUCK),
    ],
)
def test_a_lift_that_does_not_come_is_told_asked_again_and_comes_back(
    claim: FacilityClaim, after_ms: int, kind: TroubleKind
) -> None:
    lift = Shaft()
    lift.says(None, door_open=False)
    lift.settle(claim)
    sent = len(lift.told)
    lift.settle(claim, after_ms=after_ms)
    assert lift.kinds() == {kind}
    assert len(lift.told) > sent
    lift.says("floor-1" if claim.here == "lobby-1" else "floor-2", door_open=True)
    lift.settle(claim)
    lift.settle(claim)
    assert lift.kinds() == set()
    assert lift.open


def test_a_robot_that_does_not_leave_the_car_is_told_and_its_door_held() -> None:
    lift = Shaft()
    lift.says("floor-2", door_open=True)
    lift.settle(robot(3))
    lift.settle(robot(3), after_ms=46_000)
    assert lift.kinds() == {TroubleKind.LIFT_BLOCKED}
    assert lift.told[-1].hold
    lift.settle(robot(4))
    assert lift.kinds() == set()


def test_a_lift_out_of_service_or_silent_is_shut() -> None:
    lift = Shaft()
    lift.says("floor-1", door_open=True)
    lift.settle(robot(1))
    assert lift.open == {IN_1}
    lift.says("floor-1", door_open=True, in_service=False)
    lift.settle(robot(1))
    assert lift.open == frozenset()
    lift.says("floor-1", door_open=True)
    lift.settle(robot(1))
    assert lift.open == {IN_1}
    lift.falls_silent()
    lift.settle(robot(1))
    assert lift.open == frozenset()
    assert lift.kinds() == {TroubleKind.OFFLINE}


def test_on_fire_nobody_enters_and_who_is_in_the_car_leaves_where_it_stands() -> None:
    lift = Shaft()
    lift.says("floor-1", door_open=True)
    lift.settle(robot(1))
    lift.burns()
    lift.settle(robot(1))
    assert lift.open == frozenset()
    rider = Shaft()
    rider.says("floor-1", door_open=False)
    rider.settle(robot(2))
    rider.burns()
    rider.settle(robot(2))
    assert facilities.exit_of(rider.plan, rider.live, "cab-1") == "cab-1"
    assert rider.told[-1].floor == "floor-1"
    rider.says("floor-1", door_open=True)
    rider.settle(robot(2))
    assert rider.open == {("cab-1", "lobby-1")}
    far = Shaft()
    far.says(None, door_open=False)
    far.settle(robot(2))
    far.burns()
    far.says("floor-2", door_open=True)
    far.settle(robot(2))
    assert facilities.exit_of(far.plan, far.live, "cab-1") == "cab-2"
    assert far.open >= {UP, OUT_2}, "it may take the new floor's place and drive out"


LIFT_WORDS = st.one_of(
    st.none(),
    st.builds(
        LiftSaid,
        st.sampled_from(["floor-1", "floor-2", None]),
        st.booleans(),
        st.sampled_from([True, True, True, False]),
    ),
)
STEPS = st.lists(
    st.tuples(LIFT_WORDS, st.integers(100, 60_000), st.integers(0, 1), st.booleans()),
    min_size=5,
    max_size=60,
)


@given(STEPS)
@hypothesis_settings(max_examples=150)
def test_whatever_a_lift_says_nobody_drives_where_it_does_not_stand_open(
    steps: list[tuple[LiftSaid | None, int, int, bool]],
) -> None:
    lift = Shaft()
    at = {"r-1": 0, "r-2": 0}
    ways = {"r-1": ROUTE, "r-2": tuple(reversed(ROUTE))}
    for said, after_ms, who, drives in steps:
        lift.live = facilities.heard(lift.live, FacilitySaid("lift-1", said), lift.now)
        claims = [
            FacilityClaim(name, ways[name][here], ways[name][here + 1 :])
            for name, here in at.items()
        ]
        lift.settle(*claims, after_ms=after_ms)
        known = lift.live.lifts["lift-1"]
        for start, end in lift.open:
            assert known.said is not None
            assert known.said.door_open
            assert known.said.in_service
            assert not known.away
            floors = {lift.plan.map.nodes[start].map_id, lift.plan.map.nodes[end].map_id}
            assert known.said.floor in floors
        name = ("r-1", "r-2")[who]
        others = {ways[row][here] for row, here in at.items() if row != name}
        way = ways[name]
        if drives and at[name] + 1 < len(way):
            edge = next(pair for pair in pairwise(way[at[name] :]))
            in_car = any(node in lift.plan.cab_of for node in others)
            entering = edge[1] in lift.plan.cab_of
            if edge not in lift.shut and not (entering and in_car) and edge[1] not in others:
                at = {**at, name: at[name] + 1}
    # Every wait ends: once the lift works again and one robot alone wants it, it gets through.
    name = next((row for row in at if ways[row][at[row]] in lift.plan.cab_of), "r-1")
    lift.live = replace(lift.live, lifts={**lift.live.lifts})
    floor: str | None = "floor-1"
    for _ in range(200):
        if at[name] + 1 >= len(ways[name]):
            break
        claim = FacilityClaim(name, ways[name][at[name]], ways[name][at[name] + 1 :])
        lift.settle(claim, after_ms=1_000)
        wanted = lift.live.lifts["lift-1"].floor
        floor = wanted or floor
        lift.says(floor, door_open=True)
        lift.settle(claim, after_ms=1_000)
        if (claim.path[0], claim.path[1]) not in lift.shut:
            at = {**at, name: at[name] + 1}
    assert at[name] + 1 == len(ways[name])
