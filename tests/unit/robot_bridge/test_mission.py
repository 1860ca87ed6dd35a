"""What the robot does with its order: progress, blocking types, pause, cancel, instant actions."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.units import MonoMs
from contracts.vda5050.base import NodePosition
from contracts.vda5050.order import BlockingType, Order
from contracts.vda5050.profile import LidState
from contracts.vda5050.state import ActionStatus, EStop, OperatingMode
from contracts.vda5050.versions import VdaVersion
from robot_bridge.core.mission import step
from robot_bridge.core.orders import ACTIONS_MAX, Terms
from robot_bridge.core.vehicle import (
    Drive,
    DriveFailed,
    Halt,
    Now,
    Observation,
    Passed,
    Pose,
    SetPose,
    Signal,
    Unlock,
)
from robot_bridge.core.work import (
    LogWritten,
    Observed,
    OrderReceived,
    SendFactsheet,
    SendState,
    WriteLog,
    resume,
)
from robot_bridge.sim import FaultKind, SimSettings
from tests.unit.robot_bridge.scenes import World, action, order

HOOT: dict[str, Any] = {"signal": "arrival", "durationMs": 2_000}


def moved_m(world: World, ms: int) -> float:
    before = world.reading.pose
    world.run(ms)
    return world.reading.pose.distance_m(before.x_m, before.y_m)


def test_the_robot_passes_its_base_and_waits_at_its_end() -> None:
    world = World()
    world.give(order(base=3))
    world.run(15_000)
    state = world.state()
    assert (state.last_node_id, state.last_node_sequence_id, state.driving) == ("b", 4, False)
    assert [row.node_id for row in state.node_states] == ["c", "d"]
    assert state.new_base_request
    assert world.reading.pose.distance_m(8.0, 0.0) < 0.05
    assert moved_m(world, 5_000) == 0


def test_an_update_on_the_way_lets_the_robot_drive_on_without_a_stop() -> None:
    world = World()
    world.give(order(("home", "a", "b"), base=2))
    world.run(2_000)
    world.give(order(("a", "b"), first=2, update=1))
    slowest = 9.0
    while world.state().last_node_id != "a":
        world.run(50)
        slowest = min(slowest, world.reading.speed_mps)
    assert slowest == pytest.approx(1.2)


def test_a_passed_event_out_of_turn_changes_nothing() -> None:
    world = World()
    world.give(order(base=2))
    for event in (Passed("o1", 4), Passed("other", 2), Passed("o1", 0), Passed("o1", 8)):
        world.take(Observed(Observation(world.reading, (event,))))
    assert world.state().last_node_id == "home"


def test_an_aborted_drive_is_begun_again_and_said() -> None:
    world = World()
    world.give(order(("home", "a")))
    world.vehicle.perform(Halt())
    world.take(Observed(Observation(world.reading, (DriveFailed("o1", "no path"),))))
    assert world.error_types() == ["driveFailed"]
    world.run(4_000)
    assert world.state().last_node_id == "home"
    world.run(10_000)
    assert world.state().last_node_id == "a"
    assert world.error_types() == []


# --- blocking types -------------------------------------------------------------------------------


def test_a_none_action_runs_while_driving() -> None:
    world = World()
    hoot = action("zeSignal", "s", BlockingType.NONE, **HOOT)
    world.give(order(("home", "a"), node_actions={"home": (hoot,)}))
    assert world.status("s") is ActionStatus.RUNNING
    assert moved_m(world, 1_000) > 0
    world.run(1_500)
    assert world.status("s") is ActionStatus.FINISHED


@pytest.mark.parametrize("blocking", [BlockingType.SOFT, BlockingType.HARD])
def test_a_blocking_action_holds_the_robot(blocking: BlockingType) -> None:
    world = World()
    hoot = action("zeSignal", "s", blocking, **HOOT)
    world.give(order(("home", "a", "b"), node_actions={"a": (hoot,)}))
    while world.state().last_node_id != "a":
        world.run(50)
    assert not world.reading.driving
    assert world.status("s") is ActionStatus.RUNNING
    assert moved_m(world, 1_800) == 0
    assert moved_m(world, 2_000) > 0
    assert world.status("s") is ActionStatus.FINISHED


def test_soft_actions_run_together_and_a_hard_one_alone() -> None:
    world = World()
    actions = (
        action("zeSignal", "soft-1", BlockingType.SOFT, **HOOT),
        action("zeSignal", "soft-2", BlockingType.SOFT, **HOOT),
        action("zeSignal", "hard", BlockingType.HARD, **HOOT),
        action("zeSignal", "none", BlockingType.NONE, **HOOT),
    )
    world.give(order(("home", "a"), node_actions={"home": actions}))
    assert [row.status for row in world.mission.actions] == [
        ActionStatus.RUNNING,
        ActionStatus.RUNNING,
        ActionStatus.WAITING,
        ActionStatus.WAITING,
    ]
    world.run(2_200)
    assert world.status("hard") is ActionStatus.RUNNING
    assert world.status("none") is ActionStatus.WAITING
    world.run(2_200)
    assert world.status("none") is ActionStatus.RUNNING


def test_an_edge_action_ends_with_its_edge() -> None:
    world = World()
    hoot = action("zeSignal", "s", BlockingType.NONE, signal="attention", durationMs=60_000)
    late = action("zeSignal", "late", BlockingType.NONE, **HOOT)
    world.give(order(("home", "a", "b"), base=2, edge_actions={"home-a": (hoot,), "a-b": (late,)}))
    assert world.status("s") is ActionStatus.RUNNING
    world.run(8_000)
    assert world.status("s") is ActionStatus.FINISHED
    assert Signal(None) in world.outputs
    assert world.status("late") is ActionStatus.WAITING


def test_a_node_action_that_fails_does_not_stop_the_order() -> None:
    world = World()
    charge = action("startCharging", "c")
    world.give(order(("home", "a", "b"), node_actions={"a": (charge,)}))
    world.run(50_000)
    assert world.status("c") is ActionStatus.FAILED
    assert world.state().last_node_id == "b"


# --- pause and cancel -----------------------------------------------------------------------------


def test_start_pause_is_finished_when_the_robot_stands_and_stop_pause_goes_on() -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.run(3_000)
    world.act(action("startPause", "p"))
    assert world.status("p") is ActionStatus.RUNNING
    assert world.state().paused
    world.run(2_500)
    assert world.status("p") is ActionStatus.FINISHED
    assert moved_m(world, 3_000) == 0
    world.act(action("stopPause", "q"))
    assert world.status("q") is ActionStatus.FINISHED
    world.run(20_000)
    assert world.state().last_node_id == "b"


def test_stop_pause_ends_a_pause_that_had_not_come_to_a_stand() -> None:
    world = World()
    world.give(order(("home", "a")))
    world.run(3_000)
    world.act(action("startPause", "p"))
    world.act(action("stopPause", "q"))
    assert world.status("p") is ActionStatus.FAILED
    assert not world.state().paused


def test_6_6_3_cancel_is_finished_only_once_the_robot_stands() -> None:
    world = World()
    hoot = action("zeSignal", "s", BlockingType.NONE, signal="attention", durationMs=60_000)
    waits = action("zeSignal", "w", **HOOT)
    world.give(order(node_actions={"home": (hoot,), "b": (waits,)}))
    world.run(3_000)
    world.act(action("cancelOrder", "x"))
    assert world.status("s") is ActionStatus.FAILED
    assert world.status("w") is ActionStatus.FAILED
    while world.reading.driving:
        assert world.status("x") is ActionStatus.RUNNING
        world.run(50)
    assert world.status("x") is ActionStatus.FINISHED
    state = world.state()
    assert (state.order_id, state.node_states, state.edge_states) == ("o1", (), ())
    assert moved_m(world, 3_000) == 0


def test_6_6_3_while_cancelling_no_order_is_taken() -> None:
    world = World()
    world.give(order(base=2))
    world.run(3_000)
    world.act(action("cancelOrder", "x"))
    world.give(order(("a", "b"), first=2, update=1))
    world.give(order(("home",), order_id="o2"))
    assert world.error_types() == ["orderUpdateError", "orderUpdateError"]


def test_6_6_3_1_after_a_cancel_a_new_order_begins_where_the_robot_stands() -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.run(2_000)
    world.act(action("cancelOrder", "x"))
    world.run(3_000)
    here = world.reading.pose
    fresh = order(("home", "b"), order_id="o2")
    place = fresh.nodes[0].node_position
    assert place is not None
    start = fresh.nodes[0].model_copy(
        update={"node_id": "tmp", "node_position": place.model_copy(update={"x": here.x_m})}
    )
    joined = fresh.edges[0].model_copy(update={"start_node_id": "tmp"})
    world.give(fresh.model_copy(update={"nodes": (start, fresh.nodes[1]), "edges": (joined,)}))
    world.run(20_000)
    assert world.state().last_node_id == "b"


def test_6_6_3_2_without_an_order_cancel_fails() -> None:
    world = World()
    world.act(action("cancelOrder", "x"))
    assert world.status("x") is ActionStatus.FAILED
    error = world.state().errors[0]
    assert (error.error_type, error.reference("actionId")) == ("noOrderToCancel", "x")


def test_a_second_cancel_ends_with_the_first() -> None:
    world = World()
    world.give(order())
    world.run(3_000)
    world.act(action("cancelOrder", "x"))
    world.act(action("cancelOrder", "y"))
    world.run(3_000)
    assert (world.status("x"), world.status("y")) == (ActionStatus.FINISHED, ActionStatus.FINISHED)
    assert world.error_types() == []


# --- other instant actions ------------------------------------------------------------------------


def test_requests_are_answered_at_once() -> None:
    world = World()
    assert SendState() in world.act(action("stateRequest", "s", BlockingType.NONE))
    assert SendFactsheet() in world.act(action("factsheetRequest", "f", BlockingType.NONE))
    assert world.status("s") is world.status("f") is ActionStatus.FINISHED


def test_6_8_1_a_log_report_runs_until_the_file_is_written() -> None:
    world = World()
    assert WriteLog("l", "why") in world.act(action("logReport", "l", reason="why"))
    assert world.status("l") is ActionStatus.RUNNING
    world.take(LogWritten("l", "report-1.json"))
    assert world.status("l") is ActionStatus.FINISHED
    assert "report-1.json" in str(world.state().action("l"))


def test_6_8_1_a_log_report_that_cannot_be_written_or_is_never_answered_fails() -> None:
    world = World()
    world.act(action("logReport", "full"), action("logReport", "lost"))
    world.take(LogWritten("full", None, "no space left"))
    assert world.status("full") is ActionStatus.FAILED
    world.run(31_000)
    assert world.status("lost") is ActionStatus.FAILED


def upstairs(*, released: bool, node: str = "a") -> Order:
    """home, the car on this floor, the car on the next one, and out of it."""
    wanted = order(("home", node, "b", "c"), base=4 if released else 2)
    places = (
        wanted.nodes[0].node_position,
        wanted.nodes[1].node_position,
        NodePosition(x=40.0, y=7.0, theta=1.5, map_id="floor-2"),
        NodePosition(x=40.0, y=9.0, map_id="floor-2"),
    )
    nodes = [
        row.model_copy(update={"node_position": place})
        for row, place in zip(wanted.nodes, places, strict=True)
    ]
    return wanted.model_copy(update={"nodes": tuple(nodes)})


def test_in_a_lift_the_robot_stands_until_the_next_floor_is_released_and_takes_its_pose() -> None:
    world = World()
    world.give(upstairs(released=False))
    world.run(20_000)
    assert (world.reading.pose.map_id, world.state().last_node_id) == ("floor-1", "a")
    whole = upstairs(released=True)
    update = whole.model_copy(
        update={"order_update_id": 1, "nodes": whole.nodes[1:], "edges": whole.edges[1:]}
    )
    world.give(update)
    world.run(200)
    state = world.state()
    assert state.last_node_id == "b"
    assert [row for row in world.outputs if isinstance(row, SetPose)] == [
        SetPose(Pose(40.0, 7.0, 1.5, "floor-2"))
    ]
    assert world.reading.pose.map_id == "floor-2"
    assert [row.node_id for row in state.node_states] == ["c"]
    world.run(10_000)
    assert world.state().last_node_id == "c"
    assert world.state().errors == ()


def test_a_robot_that_is_not_at_the_car_takes_no_pose_of_another_floor() -> None:
    world = World()
    world.give(upstairs(released=True))
    world.run(1_500)  # still between home and the car
    assert world.reading.driving
    assert not any(isinstance(row, SetPose) for row in world.outputs)
    world.act(action("startPause", "p"))
    world.run(20_000)
    assert world.reading.pose.map_id == "floor-1"


def test_a_ride_is_told_again_after_a_restart_and_forgotten_by_a_cancel() -> None:
    world = World()
    world.give(upstairs(released=False))
    world.run(20_000)
    whole = upstairs(released=True)
    update = whole.model_copy(
        update={"order_update_id": 1, "nodes": whole.nodes[1:], "edges": whole.edges[1:]}
    )
    now = Now(MonoMs(world.now_ms), world.utc_ms)
    mission, outputs = step(world.mission, world.reading, OrderReceived(update), now)
    assert mission.riding == 4
    assert any(isinstance(row, SetPose) for row in outputs)  # and here the process dies
    world.mission = resume(mission)
    world.run(200)
    assert any(isinstance(row, SetPose) for row in world.outputs)
    assert world.state().last_node_id == "b"
    world.act(action("cancelOrder", "x"))
    world.run(5_000)
    assert world.mission.riding is None


def test_6_10_6_when_a_person_takes_over_the_order_is_dropped_and_none_is_taken() -> None:
    world = World()
    world.give(order())
    world.run(2_000)
    world.vehicle.inject(FaultKind.MANUAL)
    world.run(3_000)
    state = world.state()
    assert (state.operating_mode, state.driving) == (OperatingMode.MANUAL, False)
    assert state.node_states == ()
    assert state.errors[0].error_type == "orderDropped"
    world.give(order(("home",), order_id="o2"))
    assert world.state().errors[-1].reference("cause") == "MOBILE_ROBOT_NOT_AVAILABLE"
    world.vehicle.clear(FaultKind.MANUAL)
    assert moved_m(world, 3_000) == 0


def test_a_single_action_of_3_0_runs_alone_while_the_robot_drives() -> None:
    world = World()
    alone = action("zeSignal", "one", BlockingType.SINGLE, **HOOT)
    beside = action("zeSignal", "two", BlockingType.NONE, **HOOT)
    world.give(order(node_actions={"home": (alone, beside)}))
    world.run(1_000)
    assert world.status("one") is ActionStatus.RUNNING
    assert world.status("two") is ActionStatus.WAITING
    assert world.reading.driving
    world.run(1_500)
    assert world.status("two") is ActionStatus.RUNNING


def test_an_unknown_action_fails_and_is_an_error() -> None:
    world = World()
    world.act(action("selfDestruct", "d"))
    assert world.status("d") is ActionStatus.FAILED
    assert world.state().errors[0].error_type == "instantActionError"


def test_the_same_action_again_is_answered_by_the_state_and_not_done_again() -> None:
    world = World()
    hoot = action("zeSignal", "s", **HOOT)
    world.act(hoot)
    assert world.act(hoot) == [SendState()]
    assert world.outputs.count(Signal("arrival")) == 1


def test_init_position_sets_pose_and_last_node() -> None:
    world = World()
    world.vehicle.inject(FaultKind.LOSE_LOCALISATION)
    world.run(100)
    assert world.error_types() == ["localizationLost"]
    world.act(
        action("initPosition", "i", x=4.0, y="0.5", theta=1.5, mapId="floor-1", lastNodeId="a")
    )
    world.run(200)
    state = world.state()
    assert world.status("i") is ActionStatus.FINISHED
    assert state.agv_position is not None
    assert (state.agv_position.x, state.agv_position.y, state.last_node_id) == (4.0, 0.5, "a")
    assert world.error_types() == []


def test_init_position_is_refused_on_the_way() -> None:
    world = World()
    world.give(order())
    world.run(2_000)
    before = world.reading.pose
    world.act(action("initPosition", "i", x=0, y=0, theta=0, mapId="floor-1"))
    assert world.status("i") is ActionStatus.FAILED
    assert world.reading.pose == before


def test_charging_begins_at_the_charger_and_ends_when_the_robot_drives() -> None:
    world = World(SimSettings(battery_start_percent=40))
    world.act(action("startCharging", "c"))
    world.run(60_000)
    state = world.state()
    assert world.status("c") is ActionStatus.FINISHED
    assert state.battery_state.charging
    assert state.battery_state.battery_charge > 40
    world.act(action("stopCharging", "e"))
    world.run(200)
    assert world.status("e") is ActionStatus.FINISHED
    world.act(action("startCharging", "c2"))
    world.run(200)
    world.give(order(("home", "a")))
    world.run(10_000)
    assert world.state().last_node_id == "a"
    assert not world.state().battery_state.charging


def test_instant_actions_without_orders_do_not_fill_the_state() -> None:
    world = World()
    for row in range(ACTIONS_MAX * 3):
        world.act(action("stateRequest", f"s{row}", BlockingType.NONE))
    assert len(world.mission.actions) == ACTIONS_MAX
    assert world.mission.actions[-1].action.action_id == f"s{ACTIONS_MAX * 3 - 1}"


# --- compartments ---------------------------------------------------------------------------------


def is_open(world: World) -> bool:
    return world.reading.compartments[0].lid is LidState.OPEN


def test_a_compartment_opens_loads_and_locks() -> None:
    world = World(SimSettings(load_nodes=("home",)))
    assert world.open() is ActionStatus.FINISHED
    assert is_open(world)
    assert world.lock(command="l0") is ActionStatus.FAILED
    world.run(4_000)
    assert not is_open(world)
    assert [load.load_position for load in world.state().loads or ()] == ["1"]
    assert world.lock() is ActionStatus.FINISHED
    assert world.reading.compartments[0].shut


def test_a_command_is_performed_once() -> None:
    world = World(SimSettings(collect_after_ms=None))
    assert world.open(command="c1") is ActionStatus.FINISHED
    assert world.lock() is ActionStatus.FINISHED
    assert world.open(command="c1") is ActionStatus.FAILED
    world.mission = resume(world.mission)
    assert world.open(command="c1") is ActionStatus.FAILED
    assert world.outputs.count(Unlock(1)) == 1


@pytest.mark.parametrize(
    ("node_id", "valid_ms", "compartment"), [("a", 60_000, 1), ("home", -1, 1), ("home", 60_000, 3)]
)
def test_a_compartment_stays_locked(node_id: str, valid_ms: int, compartment: int) -> None:
    world = World()
    assert world.open(compartment, node_id=node_id, valid_ms=valid_ms) is ActionStatus.FAILED
    assert not any(isinstance(row, Unlock) for row in world.outputs)


def test_no_compartment_opens_while_driving_or_between_nodes() -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.run(2_500)
    assert world.open(command="c1") is ActionStatus.FAILED
    world.act(action("startPause", "p"))
    world.run(3_000)
    assert not world.reading.driving
    assert world.open(command="c2") is ActionStatus.FAILED
    assert not any(isinstance(row, Unlock) for row in world.outputs)


def test_no_compartment_opens_for_a_robot_that_is_lost() -> None:
    world = World()
    world.vehicle.inject(FaultKind.LOSE_LOCALISATION)
    world.run(100)
    assert world.open() is ActionStatus.FAILED


def test_a_forged_command_opens_nothing() -> None:
    world = World()
    wanted = action(
        "zeOpenCompartment",
        "a",
        compartment=1,
        deliveryId="d",
        nodeId="home",
        validUntil="2099-01-01T00:00:00Z",
        commandId="c",
    )
    world.act(wanted, forged=frozenset({"a"}))
    assert world.status("a") is ActionStatus.FAILED
    world.act(wanted.model_copy(update={"action_id": "b"}))
    assert world.status("b") is ActionStatus.RUNNING


def test_the_robot_stands_until_all_compartments_are_shut() -> None:
    world = World(SimSettings(collect_after_ms=None))
    assert world.open() is ActionStatus.FINISHED
    world.give(order(("home", "a")))
    assert moved_m(world, 3_000) == 0
    assert world.error_types() == ["compartmentNotShut"]
    assert world.lock() is ActionStatus.FINISHED
    world.run(8_000)
    assert world.state().last_node_id == "a"


def test_a_bolt_that_does_not_move_fails_in_time() -> None:
    world = World(SimSettings(bolt_ms=10_000))
    world.open()
    world.run(8_000)
    action_id = world.mission.actions[0].action.action_id
    assert world.status(action_id) is ActionStatus.RUNNING
    world.vehicle = World().vehicle
    world.run(3_000)
    assert world.status(action_id) is ActionStatus.FAILED


# --- faults and restart ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [(FaultKind.STOP, "emergencyStop"), (FaultKind.LOSE_LOCALISATION, "localizationLost")],
)
def test_a_fault_stops_the_robot_and_it_goes_on_after(kind: FaultKind, error: str) -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.run(2_000)
    world.vehicle.inject(kind)
    world.run(3_000)
    assert world.error_types() == [error]
    assert (world.state().safety_state.e_stop is EStop.MANUAL) == (kind is FaultKind.STOP)
    assert moved_m(world, 3_000) == 0
    world.vehicle.clear(kind)
    world.run(15_000)
    assert world.state().last_node_id == "b"


def test_after_a_restart_the_route_is_given_again() -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.run(2_000)
    world.vehicle.perform(Halt())
    world.mission = resume(world.mission)
    world.run(20_000)
    assert world.state().last_node_id == "b"
    assert len(world.drives()) == 2


def test_without_a_reading_nothing_moves() -> None:
    world = World()
    mission = replace(world.mission)
    world.mission = mission
    world.reading = None  # type: ignore[assignment]  # before the first look
    outputs = world.give(order())
    assert not any(isinstance(row, Drive) for row in outputs)


# --- what 3.0 asks for besides --------------------------------------------------------------------


def third() -> World:
    world = World()
    world.mission = replace(world.mission, terms=Terms(VdaVersion.V3_0))
    return world


def test_a_cancel_that_names_another_order_fails_and_stops_nothing() -> None:
    world = World()
    world.give(order(("home", "a", "b")))
    world.act(action("cancelOrder", "c1", orderId="another"))
    assert world.status("c1") is ActionStatus.FAILED
    assert world.error_types() == ["noOrderToCancel"]
    assert moved_m(world, 2_000) > 0
    world.act(action("cancelOrder", "c2", orderId="o1"))
    world.run(3_000)
    assert world.status("c2") is ActionStatus.FINISHED
    assert world.state().node_states == ()


def test_clear_instant_actions_forgets_what_has_ended_and_nothing_else() -> None:
    world = World()
    hoot = action("zeSignal", "ended", **HOOT)
    world.give(order(("home",), node_actions={"home": (action("zeSignal", "of-order", **HOOT),)}))
    world.run(2_500)
    world.act(hoot)
    world.run(2_500)
    world.act(action("zeSignal", "running", **HOOT), action("clearInstantActions", "clear"))
    said = {row.action_id: row.action_status for row in world.state().action_states}
    assert said == {
        "of-order": ActionStatus.FINISHED,
        "running": ActionStatus.RUNNING,
        "clear": ActionStatus.FINISHED,
    }


@pytest.mark.parametrize("version", [VdaVersion.V2_1, VdaVersion.V3_0])
def test_ended_instant_actions_outlive_a_new_order_in_3_0_alone(version: VdaVersion) -> None:
    world = World()
    world.mission = replace(world.mission, terms=Terms(version))
    world.act(action("stateRequest", "s1"))
    world.give(order(("home", "a")))
    kept = "s1" in [row.action_id for row in world.state().action_states]
    assert kept is (version is VdaVersion.V3_0)


def test_kept_instant_actions_give_way_to_the_actions_of_an_order_in_3_0() -> None:
    world = third()
    for number in range(ACTIONS_MAX):
        world.act(action("stateRequest", f"s{number}"))
    many = tuple(action("zeSignal", f"n{n}", **HOOT) for n in range(ACTIONS_MAX - 1))
    world.give(order(("home",), node_actions={"home": many}))
    assert world.error_types() == []
    ids = [row.action_id for row in world.state().action_states]
    assert len(ids) == ACTIONS_MAX
    assert [name for name in ids if name.startswith("s")] == [f"s{ACTIONS_MAX - 1}"]


def test_a_new_order_of_3_0_begins_with_update_0() -> None:
    world = third()
    world.give(order(("home", "a"), update=1))
    assert world.error_types() == ["orderError"]
    assert world.state().errors[0].reference("cause") == "VALIDATION_FAILURE"
    assert moved_m(world, 2_000) == 0
    world.give(order(("home", "a")))
    assert world.error_types() == []


def test_that_a_robot_takes_no_orders_is_said_until_it_does() -> None:
    world = World()
    manual = replace(world.reading, mode=OperatingMode.MANUAL)
    world.reading = manual
    world.take(Observed(Observation(manual)))
    world.give(order(("home", "a")))
    assert [row.reference("cause") for row in world.mission.errors] == [
        "MOBILE_ROBOT_NOT_AVAILABLE"
    ]
    world.take(Observed(Observation(manual)))
    assert world.error_types() == ["orderError"]
    world.run(100)
    assert world.error_types() == []
