"""The simulated robot moves as its settings say, does not depend on who looks, and remembers."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.units import MonoMs
from contracts.vda5050.profile import LidState, LockState
from robot_bridge.core.vehicle import (
    Charge,
    Drive,
    DriveFailed,
    Halt,
    Lock,
    Passed,
    Pose,
    Reading,
    Unlock,
    VehicleEvent,
    Waypoint,
)
from robot_bridge.sim import FaultKind, ScriptedFault, SimSettings, SimVehicle

START = Pose(0.0, 0.0, 0.0, "m")


def point(
    sequence_id: int,
    x: float,
    y: float,
    *,
    theta: float | None = None,
    map_id: str = "m",
    speed: float | None = None,
) -> Waypoint:
    return Waypoint(sequence_id, f"n{sequence_id}", x, y, theta, map_id, speed)


def robot(sim: SimSettings | None = None, memory: str | None = None) -> SimVehicle:
    vehicle = SimVehicle(
        sim or SimSettings(), start=START, start_node="n0", compartments=1, memory=memory
    )
    vehicle.advance(MonoMs(0))
    return vehicle


def seconds_to_stand(vehicle: SimVehicle, limit_s: float = 120.0) -> tuple[float, list[Reading]]:
    """Run until the route is done; how long it took, and a reading each 50 ms."""
    seen, now_ms = [], 0
    while now_ms < limit_s * 1000:
        now_ms += 50
        observation = vehicle.observe(MonoMs(now_ms))
        seen.append(observation.reading)
        if observation.events and not observation.reading.driving:
            return now_ms / 1000, seen
    raise AssertionError(f"not there after {limit_s} s: {seen[-1].pose}")


def test_a_straight_way_takes_the_time_of_a_trapezoid() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 24.0, 0.0),)))
    took_s, seen = seconds_to_stand(vehicle)
    # 2 s to 1.2 m/s over 1.2 m, 1.5 s down over 0.9 m, 21.9 m between: 21.75 s
    assert took_s == pytest.approx(21.75, abs=0.6)
    assert max(row.speed_mps for row in seen) == pytest.approx(1.2)
    assert seen[-1].pose.distance_m(24.0, 0.0) < 0.03


def test_speed_and_acceleration_stay_within_the_settings() -> None:
    sim = SimSettings(speed_mps=1.0, acceleration_mps2=0.5, deceleration_mps2=0.8)
    vehicle = robot(sim)
    route = (point(2, 3.0, 0.0), point(4, 3.0, 4.0), point(6, 9.0, 4.0, theta=3.0))
    vehicle.perform(Drive("o", route))
    seen = [vehicle.observe(MonoMs(now_ms)).reading for now_ms in range(50, 40_000, 50)]
    for before, after in pairwise(seen):
        change = after.speed_mps - before.speed_mps
        assert change <= 0.5 * 0.05 + 0.051  # the creep to the very end starts at 0.05 m/s
        assert change >= -0.8 * 0.05 - 0.06, (before, after)
        assert after.pose.distance_m(before.pose.x_m, before.pose.y_m) <= 1.0 * 0.05 + 1e-9
    assert seen[-1].pose.theta_rad == pytest.approx(3.0, abs=0.03)


def test_an_edge_speed_is_kept() -> None:
    vehicle = robot()
    route = (point(2, 6.0, 0.0), point(4, 12.0, 0.0, speed=0.4))
    vehicle.perform(Drive("o", route))
    _, seen = seconds_to_stand(vehicle)
    assert max(row.speed_mps for row in seen if row.pose.x_m < 5) > 1.1
    assert max(row.speed_mps for row in seen if row.pose.x_m > 6.05) <= 0.41


def test_nodes_are_passed_in_order_and_a_bend_is_turned_standing() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 2.0, 0.0), point(4, 4.0, 0.0), point(6, 4.0, 3.0))))
    events: list[VehicleEvent] = []
    turned = False
    for now_ms in range(50, 30_000, 50):
        observation = vehicle.observe(MonoMs(now_ms))
        events += observation.events
        turned |= abs(observation.reading.turn_radps) > 1 and observation.reading.speed_mps == 0
    assert events == [Passed("o", 2), Passed("o", 4), Passed("o", 6)]
    assert turned


def test_a_halt_brakes_in_the_distance_of_physics() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 20.0, 0.0),)))
    vehicle.advance(MonoMs(5_000))
    x_m = vehicle.reading().pose.x_m
    vehicle.perform(Halt())
    vehicle.advance(MonoMs(10_000))
    assert vehicle.reading().pose.x_m - x_m == pytest.approx(1.2**2 / 2 / 0.8, abs=0.07)
    assert not vehicle.reading().driving


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=40))
def test_motion_does_not_depend_on_how_often_somebody_looks(looks: list[int]) -> None:
    often, seldom = robot(), robot()
    drive = Drive("o", (point(2, 5.0, 0.0), point(4, 5.0, 5.0)))
    often.perform(drive)
    seldom.perform(drive)
    now_ms = 0
    events: list[VehicleEvent] = []
    for look in looks:
        now_ms += look
        events += often.observe(MonoMs(now_ms)).events
    once = seldom.observe(MonoMs(now_ms))
    assert once.reading == often.reading()
    assert list(once.events) == events
    assert seldom.memory() == often.memory()


def test_time_that_steps_back_changes_nothing() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 20.0, 0.0),)))
    vehicle.advance(MonoMs(5_000))
    before = vehicle.reading()
    vehicle.advance(MonoMs(1_000))
    assert vehicle.reading() == before


def test_a_way_to_another_map_fails() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 1.0, 0.0, map_id="upstairs"),)))
    assert isinstance(vehicle.observe(MonoMs(50)).events[0], DriveFailed)
    assert not vehicle.reading().driving


def test_a_battery_drains_by_power_and_charges_at_the_charger_only() -> None:
    sim = SimSettings(battery_wh=100, idle_w=10, charge_w=50, battery_start_percent=50)
    vehicle = robot(sim)
    vehicle.advance(MonoMs(3_600_000))
    assert vehicle.reading().battery_percent == pytest.approx(40, abs=0.01)
    vehicle.perform(Charge(on=True))
    vehicle.advance(MonoMs(2 * 3_600_000))
    assert vehicle.reading().battery_percent == pytest.approx(90, abs=0.01)
    vehicle.perform(Drive("o", (point(2, 3.0, 0.0),)))
    vehicle.advance(MonoMs(2 * 3_600_000 + 10_000))
    vehicle.perform(Charge(on=True))
    assert not vehicle.reading().charging


def test_an_empty_robot_stands() -> None:
    vehicle = robot(SimSettings(battery_start_percent=0.05, drive_w=1000))
    vehicle.perform(Drive("o", (point(2, 50.0, 0.0),)))
    vehicle.advance(MonoMs(60_000))
    assert not vehicle.reading().driving
    assert [row.name for row in vehicle.reading().faults] == ["batteryEmpty"]


def test_somebody_collects_and_somebody_loads() -> None:
    sim = SimSettings(load_nodes=("n0",), load_after_ms=1_000, collect_after_ms=2_000)
    vehicle = robot(sim)
    vehicle.perform(Unlock(1))
    vehicle.advance(MonoMs(400))
    assert vehicle.reading().compartments[0].lid is LidState.OPEN
    vehicle.perform(Lock(1))
    vehicle.advance(MonoMs(1_600))
    loaded = vehicle.reading().compartments[0]
    assert (loaded.lid, loaded.lock, loaded.occupied) == (LidState.CLOSED, LockState.UNLOCKED, True)
    vehicle.perform(Lock(1))
    vehicle.perform(Drive("o", (point(2, 1.0, 0.0),)))
    vehicle.advance(MonoMs(8_000))
    assert vehicle.reading().compartments[0].shut
    vehicle.perform(Unlock(1))
    vehicle.advance(MonoMs(11_000))
    assert not vehicle.reading().compartments[0].occupied


def test_when_nobody_comes_the_lid_stays_closed_and_can_be_locked() -> None:
    vehicle = robot(SimSettings(collect_after_ms=None))
    vehicle.perform(Unlock(1))
    vehicle.advance(MonoMs(60_000))
    state = vehicle.reading().compartments[0]
    assert (state.lid, state.lock) == (LidState.CLOSED, LockState.UNLOCKED)
    vehicle.perform(Lock(1))
    vehicle.advance(MonoMs(61_000))
    assert vehicle.reading().compartments[0].shut


def test_faults_come_and_go_as_scripted() -> None:
    faults = (
        ScriptedFault(kind=FaultKind.STOP, at_ms=2_000, for_ms=3_000),
        ScriptedFault(kind=FaultKind.LOW_BATTERY, at_ms=6_000),
        ScriptedFault(kind=FaultKind.LOSE_LOCALISATION, at_ms=7_000),
        ScriptedFault(kind=FaultKind.LID_STUCK, at_ms=0),
    )
    vehicle = robot(SimSettings(faults=faults, collect_after_ms=1_000))
    vehicle.perform(Drive("o", (point(2, 30.0, 0.0),)))
    vehicle.perform(Unlock(1))
    vehicle.advance(MonoMs(4_500))
    assert [row.name for row in vehicle.reading().faults] == ["emergencyStop", "lidStuck"]
    assert not vehicle.reading().driving
    assert vehicle.reading().compartments[0].lid is LidState.OPEN
    vehicle.advance(MonoMs(5_900))
    assert vehicle.reading().driving
    vehicle.advance(MonoMs(9_900))
    assert vehicle.reading().battery_percent < 9
    assert not vehicle.reading().localised
    vehicle.clear(FaultKind.LID_STUCK)
    vehicle.clear(FaultKind.LOSE_LOCALISATION)
    assert vehicle.reading().compartments[0].lid is LidState.CLOSED
    assert vehicle.reading().localised


def test_it_remembers_where_it_stood_and_what_it_carries() -> None:
    vehicle = robot(SimSettings(load_nodes=("n0",), load_after_ms=100))
    vehicle.perform(Unlock(1))
    vehicle.advance(MonoMs(1_000))
    vehicle.perform(Drive("o", (point(2, 30.0, 0.0),)))
    vehicle.advance(MonoMs(5_000))
    again = robot(memory=vehicle.memory())
    before, after = vehicle.reading(), again.reading()
    assert after.pose == before.pose
    assert after.compartments == before.compartments
    assert after.compartments[0].occupied
    assert after.battery_percent == before.battery_percent
    assert after.speed_mps == 0


def test_a_node_that_braking_rolls_over_is_passed_although_the_route_was_given_up() -> None:
    vehicle = robot()
    vehicle.perform(Drive("o", (point(2, 3.0, 0.0), point(4, 9.0, 0.0))))
    events: list[VehicleEvent] = []
    for now_ms in range(50, 20_000, 50):
        observation = vehicle.observe(MonoMs(now_ms))
        events += observation.events
        if observation.reading.pose.x_m >= 2.8:
            vehicle.perform(Halt())
    assert events == [Passed("o", 2)]
    assert 3.0 < vehicle.reading().pose.x_m < 4.5
    assert not vehicle.reading().driving
