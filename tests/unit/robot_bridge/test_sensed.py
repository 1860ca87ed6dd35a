"""What the bridge makes of a ROS robot's words: where it is, when it is lost, what is wrong."""

from math import pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.units import MonoMs
from contracts.vda5050.profile import LidState, LockState
from contracts.vda5050.state import EStop, OperatingMode
from robot_bridge.core.frames import Planar
from robot_bridge.core.vehicle import Pose, Reading
from robot_bridge.ros_settings import RosMap, RosSettings, RosTopics
from robot_bridge.sensed import (
    DIAGNOSTIC_STALE_MS,
    DOWN_FATAL_MS,
    POSE_LATE_MS,
    Placing,
    Sensed,
)

HOME = Pose(1.0, 2.0, 0.0, "floor-1")
MAPS = ("floor-1", "floor-2")
SECOND_NS = 1_000_000_000
coordinates = st.floats(-1e4, 1e4)
planars = st.builds(Planar, coordinates, coordinates, st.floats(-pi, pi))
odd = st.sampled_from([float("nan"), float("inf"), float("-inf")])


def sensed(*, boxes: int = 0, memory: str | None = None, **settings: object) -> Sensed:
    return Sensed(RosSettings.model_validate(settings), HOME, MAPS, boxes, memory)


def found(robot: Sensed, at: int = 0, place: Planar | None = None) -> Sensed:
    """It has said where it is, by odometry that begins at 0 and a localisation."""
    robot.odometry(at, Planar(), MonoMs(at))
    robot.localised(at, place or Planar(4.0, 0.0, 0.0), 0.1, MonoMs(at))
    return robot


def reading(robot: Sensed, at: int = 0, down_ms: int | None = None) -> Reading:
    return robot.reading(MonoMs(at), down_ms, "bt_navigator does not answer")


def faults(robot: Sensed, at: int = 0, down_ms: int | None = None) -> dict[str, bool]:
    """Names of what is wrong, and whether it is fatal."""
    return {row.name: row.fatal for row in reading(robot, at, down_ms).faults}


def waits(robot: Sensed) -> bool:
    """It was told a pose that it has not taken yet."""
    return robot.placing is not None


def near(pose: Pose, x_m: float, y_m: float) -> bool:
    return pose.distance_m(x_m, y_m) < 1e-6


# --- where it is ----------------------------------------------------------------------------------


def test_a_robot_that_has_said_nothing_is_where_it_was_and_not_sure_of_it() -> None:
    robot = sensed()
    assert robot.pose == HOME
    assert not robot.sure(MonoMs(0))


def test_odometry_that_grows_old_says_nothing() -> None:
    robot = found(sensed(silent_ms=1_000))
    assert robot.sure(MonoMs(1_000))
    assert not robot.sure(MonoMs(1_001))
    robot.odometry(1_500, Planar(), MonoMs(1_500))
    assert robot.sure(MonoMs(1_500))


def test_a_wide_deviation_is_no_localisation_and_a_narrow_one_is_again() -> None:
    robot = found(sensed(deviation_max_m=0.5))
    robot.localised(1, Planar(4.0, 0.0, 0.0), 0.51, MonoMs(1))
    assert not robot.sure(MonoMs(1))
    robot.localised(2, Planar(4.0, 0.0, 0.0), 0.5, MonoMs(2))
    assert robot.sure(MonoMs(2))


def test_between_two_localisations_odometry_carries_the_robot() -> None:
    robot = found(sensed(), place=Planar(4.0, 0.0, pi / 2))
    robot.odometry(20, Planar(1.5, 0.0, 0.0), MonoMs(20))  # straight on, which is up on the map
    assert near(robot.pose, 4.0, 1.5)


def test_a_localisation_is_joined_with_the_odometry_of_its_own_instant() -> None:
    robot = sensed()
    for step in range(10):  # a metre a second, ten words a second
        robot.odometry(step * SECOND_NS // 10, Planar(step / 10, 0.0, 0.0), MonoMs(step * 100))
    robot.localised(4 * SECOND_NS // 10, Planar(5.4, 0.0, 0.0), 0.1, MonoMs(950))
    assert near(robot.pose, 5.9, 0.0)


@pytest.mark.parametrize("stamp_ns", [0, 7 * 3_600 * SECOND_NS])
def test_a_localisation_with_another_clock_is_joined_with_the_newest_odometry(
    stamp_ns: int,
) -> None:
    robot = sensed()
    for step in range(5):
        stamp = 3_600 * SECOND_NS + step * SECOND_NS
        robot.odometry(stamp, Planar(float(step), 0.0, 0.0), MonoMs(step * 1_000))
    robot.localised(stamp_ns, Planar(9.0, 0.0, 0.0), 0.1, MonoMs(4_100))
    assert near(robot.pose, 9.0, 0.0)


def test_words_without_a_time_are_joined_newest_with_newest() -> None:
    robot = sensed()
    for step in range(5):
        robot.odometry(0, Planar(float(step), 0.0, 0.0), MonoMs(step * 50))
        robot.localised(0, Planar(10.0 + step, 0.0, 0.0), 0.1, MonoMs(step * 50))
        assert near(robot.pose, 10.0 + step, 0.0)


def test_a_clock_that_jumps_back_moves_nobody() -> None:
    robot = sensed()
    for step in range(20):
        stamp = (100 if step < 10 else 40) * SECOND_NS + step * SECOND_NS // 20
        robot.odometry(stamp, Planar(step / 20, 0.0, 0.0), MonoMs(step * 50))
        robot.localised(stamp, Planar(3.0 + step / 20, 0.0, 0.0), 0.1, MonoMs(step * 50))
        assert near(robot.pose, 3.0 + step / 20, 0.0)


@given(odom=planars, place=planars, moved=planars)
def test_where_the_robot_is_does_not_depend_on_where_its_odometry_began(
    odom: Planar, place: Planar, moved: Planar
) -> None:
    robot, other = sensed(), sensed()
    robot.odometry(1, odom, MonoMs(1))
    robot.localised(1, place, 0.1, MonoMs(1))
    robot.odometry(2, odom.then(moved), MonoMs(2))
    other.odometry(1, Planar(), MonoMs(1))
    other.localised(1, place, 0.1, MonoMs(1))
    other.odometry(2, moved, MonoMs(2))
    assert robot.pose.distance_m(other.pose.x_m, other.pose.y_m) < 1e-5


@given(bad=odd, which=st.integers(0, 2))
def test_what_is_no_number_moves_nothing_and_stays_nowhere(bad: float, which: int) -> None:
    robot = found(sensed())
    before = robot.pose
    values = [bad if row == which else 0.0 for row in range(3)]
    robot.odometry(1, Planar(*values), MonoMs(1))
    robot.localised(1, Planar(*values), 0.1, MonoMs(1))
    robot.localised(1, Planar(50.0, 50.0, 0.0), bad, MonoMs(1))
    robot.linked("odom", "map", Planar(*values), MonoMs(1))
    robot.moved(bad, 0.0)
    robot.charged(bad, charging=True)
    assert robot.pose == before
    assert not robot.moving
    assert reading(robot).battery_percent == 0.0
    assert faults(robot)["batteryUnknown"] is False
    assert Sensed(RosSettings(), HOME, MAPS, 0, robot.memory()).pose == before


def test_the_noise_of_one_who_stands_is_no_movement() -> None:
    robot = sensed(standing_mps=0.02, standing_radps=0.03)
    robot.moved(0.02, -0.03)
    assert reading(robot).turn_radps == 0.0
    robot.moved(0.0, -0.031)
    assert robot.moving
    assert reading(robot).turn_radps == -0.031


# --- floors ---------------------------------------------------------------------------------------


def test_a_told_pose_counts_when_the_robot_has_come_to_believe_it() -> None:
    maps = {"floor-1": {}, "floor-2": {"x_m": 100.0, "ros_map": "second"}}
    robot = found(sensed(maps=maps))
    robot.placing = Placing(Pose(2.0, 0.0, 0.0, "floor-2"), MonoMs(10))
    assert not robot.sure(MonoMs(10))
    robot.odometry(20, Planar(), MonoMs(20))  # it still believes the old one
    assert waits(robot)
    robot.localised(30, Planar(102.6, 0.0, 0.0), 0.1, MonoMs(30))  # too far from what it was told
    assert waits(robot)
    robot.localised(40, Planar(102.4, 0.0, 0.0), 0.1, MonoMs(40))
    assert not waits(robot)
    assert robot.sure(MonoMs(40))
    assert (robot.pose.map_id, round(robot.pose.x_m, 3)) == ("floor-2", 2.4)
    assert robot.ros_map("floor-2") == "second"
    assert robot.ros_map("floor-1") == "floor-1"


def test_a_told_pose_waits_for_its_map_where_the_robot_says_what_is_loaded() -> None:
    robot = found(sensed())
    robot.loaded("floor-1")
    robot.placing = Placing(Pose(4.0, 0.0, 0.0, "floor-2"), MonoMs(10))
    robot.localised(20, Planar(4.0, 0.0, 0.0), 0.1, MonoMs(20))
    assert waits(robot)
    assert robot.pose.map_id == "floor-1"
    robot.loaded("floor-2")
    robot.localised(30, Planar(4.0, 0.0, 0.0), 0.1, MonoMs(30))
    assert not waits(robot)
    assert robot.pose.map_id == "floor-2"


def test_a_pose_that_is_never_taken_is_told() -> None:
    robot = found(sensed())
    robot.placing = Placing(Pose(50.0, 0.0, 0.0, "floor-1"), MonoMs(0))
    assert "poseNotTaken" not in faults(robot, POSE_LATE_MS - 1)
    assert faults(robot, POSE_LATE_MS)["poseNotTaken"]


@given(place=planars, x=coordinates, y=coordinates, turn=st.floats(-pi, pi))
def test_a_pose_goes_to_ros_and_comes_back_the_same(
    place: Planar, x: float, y: float, turn: float
) -> None:
    origin = RosMap(x_m=x, y_m=y, theta_rad=turn)
    maps = {"floor-1": origin.model_dump(), "floor-2": {}}
    robot = sensed(maps=maps)
    wanted = Pose(place.x_m, place.y_m, place.theta_rad, "floor-1")
    robot.odometry(1, Planar(), MonoMs(1))
    robot.localised(1, robot.to_ros(wanted), 0.1, MonoMs(1))
    assert robot.pose.distance_m(wanted.x_m, wanted.y_m) < 1e-5


# --- tf -------------------------------------------------------------------------------------------


def test_by_tf_the_robot_is_where_the_chain_of_frames_puts_it() -> None:
    robot = sensed(pose_from="tf", silent_ms=1_000)
    robot.linked("base_link", "odom", Planar(1.0, 0.0, 0.0), MonoMs(10))
    robot.linked("base_footprint", "base_link", Planar(0.5, 0.0, 0.0), MonoMs(10))
    assert not robot.sure(MonoMs(10))
    robot.linked("odom", "map", Planar(4.0, 0.0, pi / 2), MonoMs(20))
    assert robot.sure(MonoMs(20))
    assert near(robot.pose, 4.0, 1.5)
    robot.linked("base_link", "odom", Planar(2.0, 0.0, 0.0), MonoMs(1_500))
    assert near(robot.pose, 4.0, 2.5)
    assert not robot.sure(MonoMs(1_500))  # nobody has said for long where odom lies in the map


def test_frames_that_run_in_a_circle_or_lead_elsewhere_place_nobody() -> None:
    robot = sensed(pose_from="tf")
    robot.linked("odom", "map", Planar(), MonoMs(1))
    robot.linked("base_footprint", "arm", Planar(1.0, 0.0, 0.0), MonoMs(1))
    robot.linked("arm", "base_footprint", Planar(1.0, 0.0, 0.0), MonoMs(1))
    assert not robot.sure(MonoMs(1))
    assert robot.pose == HOME


# --- a restart ------------------------------------------------------------------------------------


def test_a_restart_knows_where_the_robot_was_and_what_its_battery_said() -> None:
    robot = found(sensed())
    robot.charged(0.42, charging=False)
    again = sensed(memory=robot.memory())
    assert again.pose == robot.pose
    assert reading(again).battery_percent == pytest.approx(42.0)
    assert not again.sure(MonoMs(0))
    assert faults(again)["batteryUnknown"] is False


def test_a_pose_from_before_a_restart_does_not_take_the_robot_back_there() -> None:
    robot = found(sensed(), at=SECOND_NS)
    for stamp, x_m in ((2 * SECOND_NS, 1.0), (3 * SECOND_NS, 2.0)):
        robot.odometry(stamp, Planar(x_m, 0.0, 0.0), MonoMs(stamp // 1_000_000))
    again = sensed(memory=robot.memory())
    again.odometry(9 * SECOND_NS, Planar(2.5, 0.0, 0.0), MonoMs(10))
    again.localised(SECOND_NS, Planar(4.0, 0.0, 0.0), 0.1, MonoMs(20))  # latched, of long ago
    assert again.sure(MonoMs(20))
    assert near(again.pose, 6.5, 0.0)
    again.localised(9 * SECOND_NS, Planar(7.0, 0.0, 0.0), 0.1, MonoMs(30))  # a new word is better
    assert near(again.pose, 7.0, 0.0)


def test_a_memory_of_an_older_bridge_is_read_and_a_spoilt_one_refused() -> None:
    old = '{"pose":{"x_m":3,"y_m":4,"theta_rad":0,"map_id":"floor-2"},"battery_percent":50}'
    assert sensed(memory=old).pose == Pose(3.0, 4.0, 0.0, "floor-2")
    with pytest.raises(ValueError, match="battery_percent"):
        sensed(memory='{"pose":{"x_m":3,"y_m":4,"theta_rad":0,"map_id":"f"}}')


# --- what is wrong --------------------------------------------------------------------------------


def test_what_has_never_spoken_counts_as_unsafe() -> None:
    topics = RosTopics(automatic="automatic", protective_field="field").model_dump()
    robot = sensed(boxes=1, topics=topics)
    before = reading(robot)
    assert before.e_stop is EStop.MANUAL
    assert before.field_violation
    assert before.mode is OperatingMode.MANUAL
    assert (before.compartments[0].lid, before.compartments[0].lock) == (
        LidState.OPEN,
        LockState.UNLOCKED,
    )
    assert faults(robot)["safetyStopUnknown"]
    for name in ("safety_stop", "field", "compartment_1/lid_open"):
        robot.said(name, yes=False)
    for name in ("automatic", "compartment_1/locked"):
        robot.said(name, yes=True)
    after = reading(robot)
    assert after.e_stop is EStop.NONE
    assert not after.field_violation
    assert after.mode is OperatingMode.AUTOMATIC
    assert after.compartments[0].shut
    assert "safetyStopUnknown" not in faults(robot)


def test_a_robot_without_a_safety_stop_or_a_key_switch_has_none_to_wait_for() -> None:
    topics = RosTopics(safety_stop=None).model_dump()
    said = reading(sensed(topics=topics))
    assert said.e_stop is EStop.NONE
    assert not said.field_violation
    assert said.mode is OperatingMode.AUTOMATIC


def test_a_wrong_frame_is_told_until_it_is_right() -> None:
    robot = sensed()
    robot.wrong("odom", "is in frame 'odometry', not 'odom'")
    rows = [row for row in reading(robot).faults if row.name == "rosInterface"]
    assert [row.description for row in rows] == ["odom: is in frame 'odometry', not 'odom'"]
    robot.wrong("odom", None)
    assert "rosInterface" not in faults(robot)


def test_diagnostics_are_told_while_they_are_fresh_and_are_bounded() -> None:
    robot = sensed(diagnostics_fatal=["motor"])
    robot.diagnosed("lidar: scan", "no scan", error=True, now=MonoMs(0))
    robot.diagnosed("motor left", "hot", error=True, now=MonoMs(0))
    rows = [row for row in reading(robot).faults if row.name == "diagnostics"]
    assert [(row.description, row.fatal) for row in rows] == [
        ("lidar: scan: no scan", False),
        ("motor left: hot", True),
    ]
    robot.diagnosed("lidar: scan", "", error=False, now=MonoMs(1))
    assert [row.fatal for row in reading(robot).faults if row.name == "diagnostics"] == [True]
    assert "diagnostics" not in faults(robot, DIAGNOSTIC_STALE_MS + 1)
    for number in range(1_000):
        robot.diagnosed(f"row {number}", "x" * 1_000, error=True, now=MonoMs(0))
    said = reading(robot).faults
    assert len(said) <= 10
    assert all(len(row.description) <= 200 for row in said)


def test_rows_that_are_over_make_room_for_new_ones() -> None:
    robot = sensed()
    for number in range(20):
        robot.diagnosed(f"row {number}", "broken", error=True, now=MonoMs(0))
    late = DIAGNOSTIC_STALE_MS + 1
    robot.diagnosed("brake", "worn", error=True, now=MonoMs(late))
    rows = [row for row in reading(robot, late).faults if row.name == "diagnostics"]
    assert [row.description for row in rows] == ["brake: worn"]


def test_a_navigation_that_is_away_is_a_warning_then_fatal() -> None:
    robot = sensed()
    assert faults(robot, down_ms=DOWN_FATAL_MS - 1)["navigationDown"] is False
    assert faults(robot, down_ms=DOWN_FATAL_MS)["navigationDown"] is True


@pytest.mark.parametrize(
    ("share", "name"),
    [(0.151, None), (0.15, "batteryLow"), (0.03, "batteryEmpty"), (-0.005, "batteryEmpty")],
)
def test_a_battery_is_low_then_empty(share: float, name: str | None) -> None:
    robot = sensed()
    robot.charged(share, charging=True)
    said = {row for row in faults(robot) if row.startswith("battery")}
    assert said == (set() if name is None else {name})
    assert reading(robot).charging
    assert 0.0 <= reading(robot).battery_percent <= 100.0


def test_a_battery_in_percent_is_read_as_such_and_nonsense_is_not_taken() -> None:
    robot = sensed(battery_as="percent")
    robot.charged(57.0, charging=False)
    assert reading(robot).battery_percent == 57.0
    robot.charged(250.0, charging=False)
    assert reading(robot).battery_percent == 57.0
