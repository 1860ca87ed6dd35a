"""Whatever a robot off the floor says, it holds nothing, is given nothing, and frees nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.state import ConnectionState
from controller.core import claims
from controller.core import site as core
from controller.core.dispatch_inputs import RobotCommanded
from controller.core.fleet import Duty, HoldVerb, RobotReport, Unpassed
from controller.core.fleet_inputs import RobotCleared
from controller.core.outputs import ActionKind, Output, PublishAction, PublishOrder, Refused
from controller.core.robot_errors import ProblemLevel, RobotProblem
from controller.core.state import Input, Now, RobotConnected, RobotReported, SiteState, Tick
from tests.fakes.robot_words import standing_at
from tests.unit.controller.test_removals import play, removed, returned, stopped_on_its_way

ROBOT = "robot-1"
MAY_BE_SENT = {ActionKind.CANCEL, ActionKind.FACTSHEET}


@dataclass(frozen=True)
class Say:
    """One thing that happens, a moment after the one before."""

    after_ms: int
    given: Input


@cache
def off_the_floor() -> tuple[SiteState, Now]:
    """A site at the moment after robot-1, stopped with a meal, was taken off the floor."""
    day, at_s = stopped_on_its_way()
    day.at(at_s + 30, day.world.robots[ROBOT].take_away)
    day.world.limit_s = at_s + 31
    play(day)
    now = day.world.agenda.now()
    state, _ = core.step(day.state, removed(), now)
    return state, now


def reports() -> st.SearchStrategy[RobotReport]:
    state, _ = off_the_floor()
    nodes = st.sampled_from([*sorted(state.plan.map.nodes), "", "nowhere"])
    unpassed = st.sampled_from([(), (Unpassed("c2", 4, True),), (Unpassed("c3", 6, False),)])
    problems = st.sampled_from([(), (RobotProblem("bumper", ProblemLevel.FATAL),)])
    return st.builds(
        RobotReport,
        order_id=st.sampled_from(["", "robot-1-5-1795320028599", "other"]),
        order_update_id=st.integers(0, 3),
        last_node=nodes,
        last_sequence_id=st.sampled_from([0, 2, 4]),
        driving=st.booleans(),
        paused=st.booleans(),
        automatic=st.booleans(),
        battery_percent=st.sampled_from([5.0, 80.0]),
        unpassed=unpassed,
        problems=problems,
    )


def words() -> st.SearchStrategy[Say]:
    said = st.one_of(
        st.builds(RobotReported, st.just(ROBOT), st.integers(0, 10_000), reports()),
        st.builds(RobotConnected, st.just(ROBOT), st.sampled_from(ConnectionState)),
        st.just(Tick()),
        st.just(removed()),
        st.builds(
            RobotCommanded,
            st.just(ROBOT),
            st.sampled_from([HoldVerb.HOLD, HoldVerb.RESUME, HoldVerb.RECALL]),
            st.just("why"),
            st.just("sup"),
        ),
        st.just(RobotCleared(ROBOT, "looked at", "sup")),
    )
    return st.builds(Say, st.sampled_from([1, 400, 3_000, 40_000]), said)


def later(now: Now, by_ms: int) -> Now:
    return Now(MonoMs(now.mono_ms + by_ms), UtcMs(now.utc_ms + by_ms))


def check(state: SiteState, outputs: tuple[Output, ...], now: Now) -> None:
    """No resource, delivery or place is the robot's, and it is told nothing but to give up."""
    duty = state.duties[ROBOT]
    assert duty.removed is not None
    assert (duty.at_node, duty.towards, duty.mission, duty.tour) == (None, None, None, None)
    assert (duty.goal, duty.refuge, duty.out, duty.held_for) == (None, None, (), ())
    assert ROBOT not in {row.robot_id for row in claims.claims(state, now)}
    standing = [row.standing for row in claims.facility_claims(state) if row.robot_id == ROBOT]
    assert standing == [frozenset()]
    assert not any(row.robot_id == ROBOT and not row.ended for row in state.deliveries.values())
    for one in outputs:
        assert not (isinstance(one, PublishOrder) and one.robot_id == ROBOT)
        if isinstance(one, PublishAction) and one.robot_id == ROBOT:
            assert one.action in MAY_BE_SENT


@settings(max_examples=60)
@given(st.lists(words(), max_size=12))
def test_nothing_stays_with_a_removed_robot_whatever_it_says(said: list[Say]) -> None:
    state, now = off_the_floor()
    check(state, (), now)
    for one in said:
        now = later(now, one.after_ms)
        state, outputs = core.step(state, one.given, now)
        check(state, outputs, now)
        assert state.duties[ROBOT].removed is not None, "a word of it put it back"


@settings(max_examples=60)
@given(st.lists(reports(), min_size=1, max_size=6))
def test_no_word_of_it_moves_a_reservation_of_the_others(said: list[RobotReport]) -> None:
    state, now = off_the_floor()
    for _ in range(3):  # what was freed by the removal itself is given out first
        state, _outputs = core.step(state, Tick(), now)
    before = claims.claims(state, now)
    for number, report in enumerate(said):
        state, _outputs = core.step(state, RobotReported(ROBOT, 20_000 + number, report), now)
        assert claims.claims(state, now) == before


def sane(state: SiteState, report: RobotReport) -> bool:
    """What the words of the rule say, written anew."""
    taken = {row.at_node for row in state.duties.values()}
    return (
        report.automatic
        and not report.driving
        and not report.unpassed
        and not report.problems
        and report.last_node in state.plan.map.nodes
        and report.last_node not in taken
    )


@settings(max_examples=80)
@given(reports())
def test_it_is_back_only_from_a_sane_report_and_then_stands_where_it_says(
    report: RobotReport,
) -> None:
    state, now = off_the_floor()
    now = later(now, 500)
    state, _ = core.step(state, RobotConnected(ROBOT, ConnectionState.ONLINE), now)
    state, _ = core.step(state, RobotReported(ROBOT, 1, report), now)
    after, outputs = core.step(state, returned(), now)
    duty = after.duties[ROBOT]
    refused = [row for row in outputs if isinstance(row, Refused)]
    if refused:
        assert duty == state.duties[ROBOT]
        assert refused[0].detail.zh != refused[0].detail.en
        return
    assert sane(state, report)
    assert duty.removed is None
    assert duty.at_node == report.last_node
    held = [set(_held(after, row.robot_id, now)) for row in claims.claims(after, now)]
    assert sum(map(len, held)) == len(set[str]().union(*held)), "no place is two robots'"


def _held(state: SiteState, name: str, now: Now) -> Iterator[str]:
    for claim in claims.claims(state, now):
        if claim.robot_id == name:
            for node in (*claim.way[: claim.has], *claim.extra):
                yield from state.plan.needs.get(node, frozenset((node,)))


def test_a_free_refuge_is_always_good_to_come_back_to() -> None:
    state, now = off_the_floor()
    now = later(now, 500)
    home = state.plan.robots[ROBOT].home_node
    told = standing_at(home)
    state, _ = core.step(state, RobotReported(ROBOT, 20_000, told), now)
    after, outputs = core.step(state, returned(), now)
    assert not [row for row in outputs if isinstance(row, Refused)]
    assert after.duties[ROBOT].at_node == home


@pytest.mark.parametrize("late_ms", [0, 36_000])
def test_what_it_said_before_it_was_taken_or_long_ago_brings_it_not_back(late_ms: int) -> None:
    state, now = off_the_floor()
    if late_ms:
        home = state.plan.robots[ROBOT].home_node
        told = standing_at(home)
        state, _ = core.step(state, RobotReported(ROBOT, 20_000, told), later(now, 500))
    _, outputs = core.step(state, returned(), later(now, late_ms + 500))
    said = [row.detail.en for row in outputs if isinstance(row, Refused)]
    assert len(said) == 1
    assert ("off line" if late_ms else "since it was taken") in said[0]


def test_a_removal_outlasts_a_restart_and_a_duty_of_before_this_rule_still_loads() -> None:
    state, _ = off_the_floor()
    stored = TypeAdapter(Duty)
    body = stored.dump_json(state.duties[ROBOT])
    assert stored.validate_json(body) == state.duties[ROBOT]
    old = json.loads(body)
    del old["removed"]
    assert stored.validate_python(old).removed is None
