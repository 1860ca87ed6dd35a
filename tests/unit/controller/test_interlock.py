"""Where a robot is paused for a person, and where never: the pure part of the interlock."""

from dataclasses import replace

import pytest

from contracts.api import Pose
from contracts.devices import Named
from contracts.facilities import DoorConfig, SimulatedLink
from contracts.layout import RobotMap
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.state import ConnectionState
from controller.core import fleet, interlock
from controller.core.fleet import Duty, Mission, RobotLive
from controller.core.interlock import Clearance
from controller.core.plan import SitePlan, plan_of
from tests.fakes.controller_site import small_map, small_plan, small_site
from tests.fakes.robot_words import standing_at

WAY = ("kitchen", "k", "c1", "c2", "door-1")
PLAN = small_plan()
PERSON = {"corridor": Clearance.PERSON}
AT_X = {"kitchen": 0.0, "k": 2.0, "c1": 5.0, "c2": 8.0}


def duty(released: int, passed: int = 0, *, paused: bool | None = None) -> Duty:
    mission = Mission("o", WAY, released, passed=passed, answered=0)
    return Duty("robot-1", mission=mission, at_node=WAY[passed], pause_wanted=paused)


def live(x_m: float, *, speed: float, node: str = "kitchen", age_ms: int = 0) -> RobotLive:
    report = standing_at(
        node,
        order_id="o",
        last_sequence_id=2 * WAY.index(node),
        driving=speed > 0,
        pose=Pose(x_m=x_m, y_m=0.0, theta_rad=0.0, map_id="floor-1"),
        speed_m_s=speed,
    )
    return RobotLive(
        ConnectionState.ONLINE,
        report=report,
        report_mono_ms=MonoMs(10_000 - age_ms),
        pose=report.pose,
    )


def hold(
    one: Duty,
    where: RobotLive,
    states: dict[str, Clearance] = PERSON,
    plan: SitePlan = PLAN,
) -> interlock.Hold:
    return interlock.hold(plan, one, where, states, MonoMs(10_000))


def long_plan() -> SitePlan:
    """As the small map, with the corridor 22 m from the kitchen."""
    robot_map = small_map()
    nodes = {
        name: replace(node, x_m=node.x_m + (20.0 if node.x_m >= 2.0 else 0.0))
        for name, node in robot_map.nodes.items()
    }
    edges = {
        name: replace(
            edge,
            length_m=abs(nodes[edge.start].x_m - nodes[edge.end].x_m)
            + abs(nodes[edge.start].y_m - nodes[edge.end].y_m),
        )
        for name, edge in robot_map.edges.items()
    }
    return plan_of(small_site(), RobotMap(nodes=nodes, edges=edges, stations={}))


def test_a_robot_whose_base_ends_before_the_zone_is_not_paused() -> None:
    found = hold(duty(2), live(0.0, speed=1.0))
    assert (found.pause, found.zones) == (False, ("corridor",))


def test_a_robot_with_base_in_the_zone_is_paused_where_it_must_brake_to_stop_short() -> None:
    plan = long_plan()
    far = hold(duty(3), live(0.0, speed=1.0), plan=plan)
    assert not far.pause
    assert far.keep_paused
    near = hold(duty(3), live(19.5, speed=1.0), plan=plan)
    assert near.pause
    assert near.zones == ("corridor",)


def test_an_old_report_counts_as_driven_on_since() -> None:
    plan = long_plan()
    assert not hold(duty(3), live(14.0, speed=1.0), plan=plan).pause
    assert hold(duty(3), live(14.0, speed=1.0, age_ms=6_000), plan=plan).pause


def test_a_robot_inside_is_paused_at_once_and_one_beyond_not() -> None:
    assert hold(duty(4, 2), live(5.0, speed=0.5, node="c1")).pause
    beyond = Mission("o", WAY, 5, passed=4, answered=0)
    assert not hold(replace(duty(5, 4), mission=beyond), live(8.0, speed=0.5, node="c2")).pause


def test_a_blinded_camera_holds_as_a_person_does_and_an_expert_only_slows() -> None:
    there = live(5.0, speed=0.5, node="c1")
    assert hold(duty(4, 2), there, {"corridor": Clearance.UNSEEN}).pause
    assert not hold(duty(4, 2), there, {"corridor": Clearance.SLOW}).pause


def test_what_nobody_sees_may_be_let_through_but_never_a_person() -> None:
    let = fleet.LetThrough("corridor", "walked it", "sup", UtcMs(0))
    one, there = replace(duty(4, 2), let=(let,)), live(5.0, speed=0.5, node="c1")
    assert not hold(one, there, {"corridor": Clearance.UNSEEN}).pause
    assert hold(one, there, PERSON).pause


def test_a_paused_robot_stays_paused_until_the_zone_has_been_clear() -> None:
    one = duty(4, 1, paused=True)
    waiting = hold(one, live(2.0, speed=0.0, node="k"), {"corridor": Clearance.WAITING})
    assert (waiting.pause, waiting.keep_paused) == (False, True)


def test_it_is_never_paused_in_a_lift_or_a_doorway_but_drives_on() -> None:
    in_cab = replace(PLAN, cab_of={"k": "lift-1"})
    found = hold(duty(4, 1), live(2.2, speed=0.5, node="k"), plan=in_cab)
    assert (found.pause, found.postponed) == (False, True)
    doorway = replace(PLAN, door_on={("k", "c1"): "door-9"})
    found = hold(duty(4, 1), live(3.2, speed=0.2, node="k"), plan=doorway)
    assert (found.pause, found.postponed) == (False, True)


@pytest.mark.parametrize(
    ("gone_m", "said_ms", "seen_ms", "speed", "pace", "postponed"),
    [
        (0.4, 0, 0, 0.8, None, True),  # it would stand in the doorway
        (0.4, 2_000, 0, 0.8, None, True),  # its state is old, but not where it is
        (2.7, 2_000, 0, 0.8, None, False),  # beyond it
        (0.0, 2_000, 2_000, 0.0, None, True),  # it said that it stands, and may have set out
        (0.0, 2_000, 2_000, None, None, True),  # it says no speed: half of what it can drive
        (0.4, 2_000, 0, None, 0.8, True),  # nor then, but its positions tell it
        (2.7, 2_000, 0, None, 0.8, False),
    ],
)
def test_where_it_would_stand_is_told_by_what_is_newest(
    gone_m: float,
    said_ms: int,
    seen_ms: int,
    speed: float | None,
    pace: float | None,
    *,
    postponed: bool,
) -> None:
    """Its doorway is the middle of k to c1, 1.5 m from k."""
    plan = replace(PLAN, door_on={("k", "c1"): "door-9"})
    told = live(2.0 + gone_m, speed=1.0, node="k", age_ms=said_ms)
    assert told.report is not None
    where = replace(
        told,
        report=replace(told.report, speed_m_s=speed),
        pose_mono_ms=MonoMs(10_000 - seen_ms),
        pace_m_s=pace,
    )
    assert hold(duty(4, 1), where, plan=plan).postponed is postponed


def test_who_can_stop_short_of_a_fire_door_is_called_off_and_who_is_under_it_drives_on() -> None:
    """Its doorway is the middle of k to c1, at 3.5 m."""
    gate = DoorConfig(
        kind="door",
        id="door-9",
        name=Named(zh="门", en="Door"),
        ways=(("k", "c1"),),
        fire_door=True,
        link=SimulatedLink(via="simulated"),
    )
    plan = replace(PLAN, door_on={("k", "c1"): "door-9"}, doors={"door-9": gate})

    def meets(one: Duty, where: RobotLive, plan: SitePlan = plan) -> bool:
        return interlock.meets_fire_door(plan, one, where, MonoMs(10_000))

    assert meets(duty(3), live(1.0, speed=1.0))
    assert meets(duty(3, 1), live(2.5, speed=0.3, node="k"))
    assert not meets(duty(3, 1), live(3.0, speed=1.0, node="k"))
    assert not meets(duty(3, 1), live(4.5, speed=0.5, node="k"))
    assert not meets(duty(2), live(1.0, speed=1.0)), "its base ends before the door"
    plain = replace(plan, doors={"door-9": gate.model_copy(update={"fire_door": False})})
    assert not meets(duty(3), live(1.0, speed=1.0), plain)
    in_cab = replace(plan, cab_of={"k": "lift-1"})
    assert not meets(duty(3, 1), live(2.2, speed=0.3, node="k"), in_cab)


def test_ways_into_a_zone_are_shut_and_a_robot_beside_a_person_stays() -> None:
    shut = interlock.shut_edges(PLAN, PERSON)
    assert {("k", "c1"), ("c1", "c2"), ("c2", "door-1")} <= shut
    unseen = interlock.shut_edges(PLAN, {"corridor": Clearance.UNSEEN})
    assert ("k", "c1") in unseen
    assert ("c2", "door-1") not in unseen
    assert not interlock.shut_edges(PLAN, {"corridor": Clearance.SLOW})


def test_what_is_released_beside_an_expert_is_driven_slowly_and_stays_so() -> None:
    states = {"corridor": Clearance.SLOW}
    before = duty(2)
    assert before.mission is not None
    after = replace(before, mission=replace(before.mission, released=4, update_id=1))
    slow = interlock.slowed(PLAN, before, after, states)
    assert slow.mission is not None
    assert slow.mission.slow == (2, 3)
    later = replace(slow, mission=replace(slow.mission, released=5, update_id=2))
    again = interlock.slowed(PLAN, slow, later, {"corridor": Clearance.CLEAR})
    assert again.mission is not None
    assert again.mission.slow == (2, 3)


@pytest.mark.parametrize("speed", [0.0, 0.4, 1.2])
def test_the_faster_it_drives_the_earlier_it_is_paused(speed: float) -> None:
    plan = long_plan()
    first = next(
        (x for x in range(23) if hold(duty(3), live(float(x), speed=speed), plan=plan).pause), 23
    )
    faster = next(
        (x for x in range(23) if hold(duty(3), live(float(x), speed=1.2), plan=plan).pause), 23
    )
    assert faster <= first < 23
