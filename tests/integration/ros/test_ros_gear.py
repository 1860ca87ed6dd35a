"""What a robot on ROS has beside Nav2: boxes, a charger, lights, a key switch, limits and maps."""

import pytest

from contracts.units import UtcMs
from contracts.vda5050.order import Action, BlockingType, InstantActions
from contracts.vda5050.profile import (
    CompartmentState,
    LidState,
    LockCompartment,
    LockState,
    OpenCompartment,
    compartments_in,
    lock_compartment_action,
    open_compartment_action,
)
from contracts.vda5050.state import ActionStatus, OperatingMode
from contracts.vda5050.topics import VdaKind
from runtime.clock import SystemClock
from tests.fakes.nav2.site import RosSite
from tests.fakes.waiting import until
from tests.integration.ros.geared import GEAR, all_heard, start_gear
from tests.unit.robot_bridge.scenes import edge, instant, order

pytestmark = pytest.mark.system

SOON_S = 30.0
GIVEN_UP_S = 45.0  # the bridge waits 10 s for a bolt
VALID_MS = 60_000


def opening(number: int, name: str) -> Action:
    until_ms = UtcMs(SystemClock().utc_ms() + VALID_MS)
    return open_compartment_action(
        OpenCompartment(number, "d1", "home", until_ms, name), action_id=name
    )


def locking(number: int, name: str) -> Action:
    return lock_compartment_action(LockCompartment(number, "d1", name), action_id=name)


def place(site: RosSite) -> tuple[str, float, float]:
    where = site.state.agv_position
    assert where is not None
    return where.map_id, round(where.x, 1), round(where.y, 1)


async def tell(site: RosSite, *actions: Action) -> None:
    message: InstantActions = instant(*actions)
    await site.say(VdaKind.INSTANT_ACTIONS, message)


def status(site: RosSite, name: str) -> ActionStatus | None:
    found = site.state.action(name)
    return None if found is None else found.action_status


async def ends(site: RosSite, name: str, wanted: ActionStatus, within_s: float = SOON_S) -> str:
    """How an action ended, and its words."""
    await until(
        lambda: status(site, name) in (ActionStatus.FINISHED, ActionStatus.FAILED),
        within_s=within_s,
        what=f"{name} ends",
    )
    assert status(site, name) is wanted
    found = site.state.action(name)
    return (found.result_description if found is not None else None) or ""


def charging(site: RosSite) -> bool:
    return site.state.battery_state.charging


def box(site: RosSite, number: int) -> CompartmentState:
    rows = compartments_in(site.state.information)
    return next(row for row in rows if row.compartment == number)


async def test_boxes_lights_and_the_charger_do_as_told_and_not_before(plain_site: RosSite) -> None:
    site = plain_site
    await site.start_robot()
    gear = await start_gear(site)
    await site.start_bridge(topics=dict(GEAR))
    await all_heard(site)
    assert (box(site, 1).lid, box(site, 1).lock) == (LidState.CLOSED, LockState.LOCKED)

    await tell(site, opening(1, "open-1"))
    await ends(site, "open-1", ActionStatus.FINISHED)
    assert [(row["number"], row["locked"]) for row in gear.of("bolt")] == [(1, False)]
    assert box(site, 1).lock is LockState.UNLOCKED

    await gear.do(lid_open=[1, True])
    await until(lambda: box(site, 1).lid is LidState.OPEN, within_s=SOON_S, what="the lid is open")
    await tell(site, locking(1, "lock-open-lid"))
    assert "is open" in await ends(site, "lock-open-lid", ActionStatus.FAILED)
    assert len(gear.of("bolt")) == 1

    # The service says "done", but nothing shows that the bolt has moved: it is not done.
    await gear.do(lid_open=[1, False], mood=[1, "silent"])
    await until(lambda: box(site, 1).lid is LidState.CLOSED, within_s=SOON_S, what="it is shut")
    await tell(site, locking(1, "lock-1"))
    await until(lambda: len(gear.of("bolt")) == 2, within_s=SOON_S, what="the bolt is told")
    heard = len(site.states)
    await site.act("stateRequest", "ask")
    await until(
        lambda: len(site.states) > heard and site.finished("ask"), within_s=SOON_S, what="asked"
    )
    assert status(site, "lock-1") is ActionStatus.RUNNING
    await gear.do(locked=[1, True])
    await ends(site, "lock-1", ActionStatus.FINISHED)
    assert box(site, 1).shut

    # One bolt refuses, the other has no service: both are given up, neither counts as open.
    await gear.do(mood=[1, "refusing"], no_service=2)
    await until(lambda: len(gear.of("obeyed")) == 4, within_s=SOON_S, what="the gear is broken")
    beside = {"blocking_type": BlockingType.NONE}
    both = (opening(1, "refused"), opening(2, "unheard"))
    await tell(site, *(row.model_copy(update=beside) for row in both))

    await site.act("zeSignal", "hoot", signal="arrival", durationMs=300)
    await ends(site, "hoot", ActionStatus.FINISHED)
    await until(lambda: len(gear.of("signal")) == 2, within_s=SOON_S, what="the light is out")
    assert [row["name"] for row in gear.of("signal")] == ["arrival", ""]

    await site.act("startCharging", "charge")
    await ends(site, "charge", ActionStatus.FINISHED)
    assert charging(site)
    await site.act("stopCharging", "enough")
    await ends(site, "enough", ActionStatus.FINISHED)
    assert not charging(site)

    for name in ("refused", "unheard"):
        assert "no answer" in await ends(site, name, ActionStatus.FAILED, GIVEN_UP_S)
    assert [row["number"] for row in gear.of("bolt")] == [1, 1, 1]
    assert (box(site, 1).lock, box(site, 2).lock) == (LockState.LOCKED, LockState.LOCKED)


async def test_a_person_who_steers_takes_the_order_and_limits_are_heard(
    plain_site: RosSite,
) -> None:
    site = plain_site
    robot = await site.start_robot(speed=1.5)
    gear = await start_gear(site)
    await site.start_bridge(topics=dict(GEAR))
    await all_heard(site)

    way = order(("home", "a", "b", "c"), order_id="o1")
    slow = edge("home", "a", 1).model_copy(update={"max_speed": 0.5})
    await site.say(VdaKind.ORDER, way.model_copy(update={"edges": (slow, *way.edges[1:])}))
    await until(lambda: site.state.last_node_id == "a", within_s=SOON_S, what="a is passed")
    await until(lambda: len(robot.of("goal")) >= 2, within_s=SOON_S, what="the next goal")
    await until(lambda: len(robot.of("limit")) >= 2, within_s=SOON_S, what="the limit ends")
    assert [row["mps"] for row in robot.of("limit")] == [0.5, 0.0]

    assert site.state.driving
    await gear.do(automatic=False)
    await until(
        lambda: site.state.operating_mode is OperatingMode.MANUAL, within_s=SOON_S, what="by hand"
    )
    await until(lambda: bool(robot.of("cancel")), within_s=SOON_S, what="its goal is cancelled")
    await until(lambda: not site.state.driving, within_s=SOON_S, what="it stands")
    assert site.state.node_states == ()
    assert "orderDropped" in site.errors()
    goals = len(robot.of("goal"))
    await site.say(VdaKind.ORDER, order(("b", "c"), order_id="o2"))
    await until(lambda: "orderError" in site.errors(), within_s=SOON_S, what="it takes none")
    cause = [row.reference("cause") for row in site.state.errors if row.error_type == "orderError"]
    assert cause == ["MOBILE_ROBOT_NOT_AVAILABLE"]
    assert len(robot.of("goal")) == goals

    await gear.do(automatic=True)
    await until(lambda: "orderError" not in site.errors(), within_s=SOON_S, what="it takes some")
    assert site.state.operating_mode is OperatingMode.AUTOMATIC
    assert len(robot.of("goal")) == goals
    assert not site.state.driving


async def test_tf_says_where_the_robot_is_and_a_map_counts_when_it_is_loaded(
    tf_site: RosSite,
) -> None:
    site = tf_site
    robot = await site.start_robot(speed=2.0)
    gear = await start_gear(site)
    maps = {"floor-1": {}, "floor-2": {"x_m": 10.0, "ros_map": "second"}}
    await site.start_bridge(topics=dict(GEAR), pose_from="tf", maps=maps)
    await all_heard(site)
    await site.say(VdaKind.ORDER, order(("home", "a"), order_id="o1"))
    await site.at("a")
    # Navigation, wheels and tf are three processes: that it has arrived may be known first.
    await until(lambda: place(site) == ("floor-1", 4.0, 0.0), within_s=SOON_S, what="it is at a")

    await gear.do(tf=False)
    await until(lambda: "localizationLost" in site.errors(), within_s=SOON_S, what="lost")
    assert site.state.agv_position is not None
    assert not site.state.agv_position.position_initialized
    await gear.do(tf=True)
    await until(lambda: not site.errors(), within_s=SOON_S, what="found again")

    await gear.do(loaded="first")
    await site.act("initPosition", "lift", x=4.0, y=0.0, theta=0.0, mapId="floor-2")
    told = ("placed", "map")  # two topics: either may come first
    await until(lambda: all(robot.of(row) for row in told), within_s=SOON_S, what="it is told")
    assert robot.of("map")[0]["name"] == "second"
    # It is told again each second; two more show that the pose alone did not do.
    await until(lambda: len(robot.of("placed")) >= 3, within_s=SOON_S, what="told again")
    assert status(site, "lift") is ActionStatus.RUNNING
    assert not site.state.driving
    await gear.do(loaded="second")
    await ends(site, "lift", ActionStatus.FINISHED)
    where = site.state.agv_position
    assert where is not None
    assert (where.map_id, round(where.x, 1)) == ("floor-2", 4.0)


async def test_what_cannot_be_heard_is_told_and_the_robot_stands(plain_site: RosSite) -> None:
    site = plain_site
    robot = await site.start_robot()
    await start_gear(site, field="volatile")
    await site.start_bridge(topics=dict(GEAR))

    def told() -> dict[str, str]:
        rows = site.state.errors if site.states else ()
        said = [row.error_description or "" for row in rows if row.error_type == "rosInterface"]
        return {row.split(":")[0]: row for row in said}

    await until(lambda: set(told()) == {"field"}, within_s=60, what="the publisher's QoS is told")
    assert "QoS" in told()["field"]
    assert site.state.safety_state.field_violation  # what was never heard counts as pressed
    await until(
        lambda: site.errors() == {"rosInterface"}, within_s=SOON_S, what="nothing else is wrong"
    )
    await robot.do(frame="odometry")
    await until(lambda: "amcl_pose" in told(), within_s=SOON_S, what="the wrong frame is told")
    assert "'odometry', not 'map'" in told()["amcl_pose"]
    await robot.do(frame="map")
    await until(lambda: set(told()) == {"field"}, within_s=SOON_S, what="the right frame again")
    await site.say(VdaKind.ORDER, order(("home", "a"), order_id="o1"))
    await until(lambda: site.state.order_id == "o1", within_s=SOON_S, what="the order is taken")
    assert not site.state.driving
