"""A bridge starts at its start node first, later where it was, and says why it cannot."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.units import MonoMs
from robot_bridge.__main__ import map_nodes, restore, ros_vehicle, scripted, start_pose
from robot_bridge.core.vehicle import Pose
from robot_bridge.memory import FileMemory, Kept, recall, retain
from robot_bridge.settings import BridgeSettings, RobotIdentity
from robot_bridge.sim import FaultKind
from runtime.clock import SystemClock
from runtime.mqtt import MqttSettings
from runtime.settings import SettingsError
from tests.unit.robot_bridge.scenes import order

DEMO_MAP = Path(__file__).parents[3] / "firmware_configs" / "demo" / "maps" / "floor-1.lif.json"


def settings_of(folder: Path, **more: object) -> BridgeSettings:
    values: dict[str, object] = {
        "identity": RobotIdentity(manufacturer="maker", serial_number="r1"),
        "mqtt": MqttSettings(client_id="bridge-r1"),
        "data_dir": folder,
        "map_file": DEMO_MAP,
        "start_node": "dock-1",
        "compartments": 3,
    }
    return BridgeSettings.model_validate({**values, **more})


def test_the_first_start_is_at_the_start_node_of_the_map(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, start_theta_rad=1.5)
    pose = start_pose(settings, map_nodes(settings))
    vehicle, mission = restore(settings, pose, None)
    assert vehicle.reading().pose == pose
    assert pose.theta_rad == 1.5
    assert mission.progress.last_node_id == "dock-1"
    assert len(vehicle.reading().compartments) == 3


def test_a_later_start_is_where_the_robot_was(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    there = Pose(7.0, 8.0, 0.5, "floor-1")
    vehicle, mission = restore(settings, there, None)
    vehicle.advance(MonoMs(10))
    memory = FileMemory(tmp_path / "robot.json")
    retain(memory, mission, vehicle.memory())
    again, kept_mission = restore(
        settings, start_pose(settings, map_nodes(settings)), recall(memory)
    )
    assert again.reading().pose == there
    assert kept_mission == mission
    assert order().order_id != kept_mission.progress.order_id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start_node": "nowhere"}, "'nowhere' is not on the map"),
        ({"map_file": Path("/nonexistent/map")}, "cannot be read"),
        ({"map_file": Path(__file__)}, "is not a map"),
    ],
)
def test_a_map_that_cannot_be_used_is_a_mistake_in_the_settings(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    settings = settings_of(tmp_path, **change)
    with pytest.raises(SettingsError, match=said):
        start_pose(settings, map_nodes(settings))


def test_a_vehicle_that_lost_its_mind_is_not_put_at_the_start(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    _, mission = restore(settings, start_pose(settings, map_nodes(settings)), None)
    with pytest.raises(SettingsError, match="data_dir"):
        restore(settings, start_pose(settings, map_nodes(settings)), Kept(mission, '{"pose": 1}'))


def test_a_vehicle_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="drives `sim` and `ros`"):
        settings_of(tmp_path, vehicle="rocket")


def test_ros_maps_are_those_of_the_site(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, vehicle="ros", ros={"maps": {"floor-9": {}}})
    start = start_pose(settings, map_nodes(settings))
    with pytest.raises(SettingsError, match="floor-9"):
        ros_vehicle(settings, start, None, ("floor-1",), SystemClock())


def test_without_ros_the_bridge_says_how_to_get_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, vehicle="ros")
    start = start_pose(settings, map_nodes(settings))
    with pytest.raises(SettingsError, match="bootstrap"):
        ros_vehicle(settings, start, None, ("floor-1",), SystemClock())


def test_faults_come_from_a_file_beside_those_of_the_settings(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text(
        "faults:\n  - {kind: stop, at_ms: 5000, for_ms: 1000}\n  - {kind: manual, at_ms: 9000}\n",
        encoding="utf-8",
    )
    made = settings_of(tmp_path)
    found = scripted(made.model_copy(update={"fault_file": script})).sim.faults
    assert [row.kind for row in found] == [FaultKind.STOP, FaultKind.MANUAL]
    assert scripted(made) is made


@pytest.mark.parametrize(
    "text", ["faults: [{kind: gremlin, at_ms: 1}]", "faults: 3", "fault: []", "]"]
)
def test_a_fault_file_that_cannot_be_used_says_where(tmp_path: Path, text: str) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"faults\.yaml"):
        scripted(settings_of(tmp_path).model_copy(update={"fault_file": script}))
