"""The bridge on real rclpy drives a faked robot in another process, by both ways of Nav2."""

import pytest

from contracts.vda5050.state import EStop
from contracts.vda5050.topics import VdaKind
from tests.fakes.nav2.site import RosSite
from tests.fakes.waiting import elapsed_s, until
from tests.unit.robot_bridge.scenes import order

pytestmark = pytest.mark.system

CANCEL_WITHIN_MS = 200
TRIES = 3
# Beside other suites a process may have to wait for the processor. What the bridge itself would
# wait for, it would wait for at each try: the quickest counts. The benchmark measures them all.


async def test_an_order_becomes_goals_and_arrival_and_cancel_stops_it(site: RosSite) -> None:
    await site.start_robot(speed=2.0)
    await site.start_bridge()
    await site.ready()
    await site.say(VdaKind.ORDER, order(("home", "a", "b"), order_id="o1"))
    await site.at("b")
    assert [(row["x"], row["y"]) for row in site.fake.of("goal")] == [(4.0, 0.0), (8.0, 0.0)]
    assert site.state.node_states == ()
    await site.fake.do(speed=0.1)
    taken_ms = [await cancelled_after_ms(site, number) for number in range(TRIES)]
    assert min(taken_ms) <= CANCEL_WITHIN_MS
    assert not site.state.driving
    assert site.state.node_states == ()


async def cancelled_after_ms(site: RosSite, number: int) -> float:
    """Order on from b, and cancel: from the message to the cancel in the navigation's hands."""
    goals = len(site.fake.of("goal"))
    await site.say(VdaKind.ORDER, order(("b", "c", "d"), order_id=f"on-{number}"))
    await until(lambda: len(site.fake.of("goal")) > goals, what="a goal")
    await until(lambda: site.state.driving, what="driving")
    sent_ns = int(elapsed_s() * 1e9)
    await site.act("cancelOrder", f"cancel-{number}")
    await until(lambda: site.finished(f"cancel-{number}"), what="cancelOrder finished")
    return (
        min(float(row["ns"] - sent_ns) for row in site.fake.of("cancel") if row["ns"] > sent_ns)
        / 1e6
    )


async def test_an_aborted_goal_is_given_again_then_told_and_nav2_may_die(site: RosSite) -> None:
    await site.start_robot(speed=2.0)
    await site.start_bridge(goal_retries=1, goal_retry_ms=100)
    await site.ready()
    await site.fake.do(abort=1)
    await site.say(VdaKind.ORDER, order(("home", "a"), order_id="o1"))
    await site.at("a")
    assert len(site.fake.of("goal")) == 2
    assert not site.errors()
    await site.fake.do(abort=2)
    await site.say(VdaKind.ORDER, order(("a", "b"), order_id="o2"))
    await until(lambda: "driveFailed" in site.errors(), what="driveFailed")
    told = next(row for row in site.state.errors if row.error_type == "driveFailed")
    assert told.error_description is not None
    assert "aborted" in told.error_description
    await until(lambda: site.state.driving, what="it is begun again")
    await site.kill(site.fake.process)
    await until(lambda: "navigationDown" in site.errors(), what="Nav2 is missed")
    x = site.state.agv_position.x if site.state.agv_position else 4.0
    await site.start_robot(speed=2.0, pose=[x, 0.0, 0.0])
    await site.at("b")
    await until(lambda: not site.errors(), what="all is well again")
    assert site.state.node_states == ()


async def test_what_the_robot_finds_wrong_is_told_and_holds_it(plain_site: RosSite) -> None:
    site = plain_site
    await site.start_robot(speed=2.0)
    await site.start_bridge()
    await site.ready()
    await site.fake.do(battery=0.1)
    await until(lambda: "batteryLow" in site.errors(), what="battery low")
    assert site.state.battery_state.battery_charge == pytest.approx(10)
    await site.fake.do(battery=0.8, error="no scan")
    await until(lambda: site.errors() == {"diagnostics"}, what="diagnostics")
    assert site.state.battery_state.battery_charge == pytest.approx(80)
    assert site.state.errors[0].error_description == "lidar: scan: no scan"
    await site.fake.do(error="", deviation=2.0)
    await until(lambda: "localizationLost" in site.errors(), what="lost")
    assert site.state.agv_position is not None
    assert not site.state.agv_position.position_initialized
    await site.say(VdaKind.ORDER, order(("home", "a"), order_id="o1"))
    await until(lambda: "noRouteError" in site.errors(), what="no order while lost")
    assert site.state.order_id == ""
    assert site.fake.of("goal") == []
    await site.fake.do(deviation=0.1)
    await until(lambda: "localizationLost" not in site.errors(), what="found again")
    await site.say(VdaKind.ORDER, order(("home", "a"), order_id="o2"))
    await until(lambda: site.state.driving, what="driving")
    assert site.errors() == set()
    await site.fake.do(stop=True)
    await until(lambda: "emergencyStop" in site.errors(), what="stop is told")
    await until(lambda: not site.state.driving, what="the robot stands")
    await until(lambda: bool(site.fake.of("cancel")), what="its goal is cancelled")
    assert site.state.safety_state.e_stop is EStop.MANUAL
    assert [row.node_id for row in site.state.node_states] == ["a"]
    given = len(site.fake.of("goal"))
    await site.fake.do(stop=False)
    await site.at("a")
    assert len(site.fake.of("goal")) == given + 1
    assert site.errors() == set()


async def test_a_pose_told_once_before_the_odometry_is_kept(plain_site: RosSite) -> None:
    site = plain_site
    await site.start_robot(mute=True, pose=[4.0, 0.0, 0.0])
    await site.start_bridge()
    await until(lambda: site.errors() == {"localizationLost"}, what="all but the odometry speaks")
    await site.fake.do(mute=False)
    await site.ready()
    where = site.state.agv_position
    assert where is not None
    assert (round(where.x, 1), round(where.y, 1)) == (4.0, 0.0)
    await site.fake.do(mute=True)
    await until(lambda: site.errors() == {"localizationLost"}, what="it falls silent")


async def test_a_pose_on_another_floor_switches_the_map(plain_site: RosSite) -> None:
    site = plain_site
    await site.start_robot()
    maps = {"floor-1": {}, "floor-2": {"x_m": 10.0, "ros_map": "second"}}
    await site.start_bridge(maps=maps)
    await site.ready()
    await site.act("initPosition", "i1", x=4.0, y=0.0, theta=0.0, mapId="floor-2", lastNodeId="a-2")
    await until(lambda: site.finished("i1"), what="the pose is taken")
    assert [row["name"] for row in site.fake.of("map")][:1] == ["second"]
    placed = site.fake.of("placed")[0]
    assert (placed["x"], placed["y"]) == (14.0, 0.0)
    where = site.state.agv_position
    assert where is not None
    assert (where.map_id, round(where.x, 1)) == ("floor-2", 4.0)
