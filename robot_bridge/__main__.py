"""Wires one bridge from its settings and runs it until it is told to stop."""

import argparse
import asyncio
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from contracts.layout import LayoutError, Lif, MapNode, from_lif
from contracts.vda5050.state import ConnectionState
from contracts.vda5050.topics import VehicleAddress
from contracts.vda5050.versions import VdaVersion
from robot_bridge.core.orders import Progress, Terms
from robot_bridge.core.report import Body
from robot_bridge.core.vehicle import Pose
from robot_bridge.core.work import Mission, resume
from robot_bridge.memory import FileMemory, Kept, recall
from robot_bridge.ports import MemoryLost, Vehicle
from robot_bridge.sensed import Sensed
from robot_bridge.service import BridgeService, Intervals, Robot, connection_message, stamp
from robot_bridge.settings import BridgeSettings
from robot_bridge.sim import FaultScript, SimVehicle
from runtime.clock import Clock, SystemClock
from runtime.logs import configure
from runtime.metrics import Metrics
from runtime.mqtt import MqttSession, MqttSettings, Outgoing
from runtime.settings import Problem, SettingsError, check, load, parse_yaml_strict
from runtime.supervise import run_service
from runtime.tokens import run_key

if TYPE_CHECKING:
    from robot_bridge.ros import RosVehicle

MAP_MAX_BYTES: Final = 32 * 1024 * 1024  # 20,000 nodes, the most that a map may have, are below 10
MEMORY_FILE: Final = "robot.json"
LOG_FOLDER: Final = "reports"


class RobotSession(MqttSession):
    """A session that leaves with OFFLINE, where the plain one would say its last will."""

    def __init__(
        self,
        settings: MqttSettings,
        clock: Clock,
        address: VehicleAddress,
        rng: random.Random,
        version: VdaVersion = VdaVersion.V2_1,
    ) -> None:
        self._address = address
        self._version = version
        self._wall = clock
        self._greeting: Callable[[], Sequence[Outgoing]] = tuple
        super().__init__(
            settings,
            clock,
            rng=rng,
            will=self._connection(ConnectionState.CONNECTION_BROKEN),
            birth=self._greet,
            farewell=lambda: self._connection(ConnectionState.OFFLINE),
        )

    def announce_with(self, greeting: Callable[[], Sequence[Outgoing]]) -> None:
        """Publish this on each connection. Set late: who greets needs the session first."""
        self._greeting = greeting

    def _greet(self) -> Sequence[Outgoing]:
        return self._greeting()

    def _connection(self, state: ConnectionState) -> Outgoing:
        header = stamp(self._address, 0, self._wall, self._version)
        return connection_message(self._address, state, header)


def scripted(settings: BridgeSettings) -> BridgeSettings:
    """The settings with the faults of ``fault_file``.

    Raises:
        SettingsError: the file cannot be read, or names a fault that there is not.
    """
    if settings.fault_file is None:
        return settings
    script = check(FaultScript, parse_yaml_strict(settings.fault_file))
    sim = settings.sim.model_copy(update={"faults": (*settings.sim.faults, *script.faults)})
    return settings.model_copy(update={"sim": sim})


def _as_it_is(vehicle: Vehicle) -> Vehicle:
    return vehicle


async def main(settings: BridgeSettings, watch: Callable[[Vehicle], Vehicle] = _as_it_is) -> None:
    """Run one bridge until SIGTERM or SIGINT. ``watch``: put something between, to measure.

    Raises:
        SettingsError: the map or the robot's memory cannot be used.
        OSError: the disk refused while running.
    """
    settings = scripted(settings)
    configure("robot_bridge", json=settings.log_json, level=settings.log_level)
    clock = SystemClock()
    try:
        memory = FileMemory(settings.data_dir / MEMORY_FILE)
        kept = recall(memory)
    except MemoryLost as lost:
        hint = "repair it, or move it away, place the robot at its start node, and start again"
        raise _unusable(settings.data_dir, "data_dir", str(lost), hint) from lost
    nodes = map_nodes(settings)
    maps = tuple(sorted({node.map_id for node in nodes.values()}))
    start = start_pose(settings, nodes)
    if settings.vehicle == "ros":
        with closing(ros_vehicle(settings, start, kept, maps, clock)) as robot:
            await _serve(settings, memory, watch(robot), mission_of(settings, start, kept), clock)
        return
    vehicle, mission = restore(settings, start, kept, maps)
    await _serve(settings, memory, watch(vehicle), mission, clock)


async def _serve(
    settings: BridgeSettings, memory: FileMemory, vehicle: Vehicle, mission: Mission, clock: Clock
) -> None:
    address = settings.identity.address
    version = settings.identity.vda5050_version
    session = RobotSession(settings.mqtt, clock, address, random.Random(), version)
    service = BridgeService(
        robot_of(settings, run_key(os.environ)),
        mission,
        bus=session,
        clock=clock,
        vehicle=vehicle,
        memory=memory,
        metrics=Metrics(),
    )
    session.announce_with(service.birth)
    session.on_connect(service.connected)
    try:
        await run_service([service.run(), session.run()])
    except BaseExceptionGroup as failed:
        unkept = failed.subgroup(MemoryLost)
        if unkept is None:
            raise
        # Whoever supervises the process starts it again; the robot stands until then.
        raise OSError(f"{_first(unkept)}; free the disk, then start again") from failed


def map_nodes(settings: BridgeSettings) -> Mapping[str, MapNode]:
    """The nodes of the site's map.

    Raises:
        SettingsError: the map cannot be read.
    """
    path = settings.map_file
    try:
        with path.open("rb") as file:
            return from_lif(Lif.model_validate_json(file.read(MAP_MAX_BYTES))).nodes
    except OSError as error:
        raise _unusable(
            path, "map_file", f"cannot be read: {error.strerror}", "a LIF file"
        ) from error
    except (ValidationError, LayoutError) as error:
        raise _unusable(path, "map_file", f"is not a map: {error}", "VDMA LIF 1.x") from error


def start_pose(settings: BridgeSettings, nodes: Mapping[str, MapNode]) -> Pose:
    """Where the robot stands at its very first start.

    Raises:
        SettingsError: the map has no such node.
    """
    node = nodes.get(settings.start_node)
    if node is None:
        names = ", ".join(sorted(nodes)[:20])
        raise _unusable(
            settings.map_file, "start_node", f"{settings.start_node!r} is not on the map", names
        )
    return Pose(node.x_m, node.y_m, settings.start_theta_rad, node.map_id)


def restore(
    settings: BridgeSettings, start: Pose, kept: Kept | None, maps: tuple[str, ...] = ()
) -> tuple[SimVehicle, Mission]:
    """The vehicle and its work: as they were kept, or new at the start node.

    Raises:
        SettingsError: the vehicle's memory cannot be read.
    """
    try:
        vehicle = SimVehicle(
            settings.sim,
            start=start,
            start_node=settings.start_node,
            compartments=settings.compartments,
            memory=kept.vehicle if kept else None,
            maps=maps,
        )
    except ValidationError as error:
        raise _unusable(settings.data_dir, "data_dir", str(error), "its own memory") from error
    return vehicle, mission_of(settings, start, kept)


def mission_of(settings: BridgeSettings, start: Pose, kept: Kept | None) -> Mission:
    """The robot's work: as it was kept, or none yet."""
    mission = Mission(Progress(last_node_id=settings.start_node, last_node_pose=start))
    return replace(
        mission if kept is None else resume(kept.mission),
        terms=Terms(settings.identity.vda5050_version, settings.height_m),
    )


def ros_vehicle(
    settings: BridgeSettings, start: Pose, kept: Kept | None, maps: tuple[str, ...], clock: Clock
) -> "RosVehicle":
    """The robot behind ROS 2.

    Raises:
        SettingsError: ROS is not installed here, or the maps of ROS are not those of the site.
    """
    named = settings.ros.maps
    if named and set(named) != set(maps):
        off = ", ".join(sorted(set(named) ^ set(maps)))
        message = f"ros.maps and the site's map differ in {off}"
        raise _unusable(settings.map_file, "ros.maps", message, f"each of {', '.join(maps)}")
    try:
        from robot_bridge.ros import RosUnusable, RosVehicle  # noqa: PLC0415 # without ROS: `sim`
    except ImportError as error:
        hint = "deploy/setup/bootstrap.sh robot, or source ROS first"
        raise _unusable(Path("bridge"), "vehicle", f"ROS is not here: {error}", hint) from error
    try:
        memory = kept.vehicle if kept else None
        sensed = Sensed(settings.ros, start, maps, settings.compartments, memory)
        return RosVehicle(settings.ros, sensed, clock)
    except ValidationError as error:
        raise _unusable(settings.data_dir, "data_dir", str(error), "its own memory") from error
    except RosUnusable as error:
        raise _unusable(Path("bridge"), "ros", str(error), "see docs/guide/ros.md") from error


def robot_of(settings: BridgeSettings, key: bytes | None) -> Robot:
    """Who the robot is, what its factsheet says of it, and how often it speaks."""
    intervals = Intervals(
        settings.state_interval_driving_ms,
        settings.state_interval_idle_ms,
        settings.visualization_interval_ms,
    )
    return Robot(
        settings.identity.address,
        _body(settings),
        intervals,
        key,
        settings.identity.vda5050_version,
        settings.data_dir / LOG_FOLDER,
    )


def _body(settings: BridgeSettings) -> Body:
    moves = settings.ros if settings.vehicle == "ros" else settings.sim
    return Body(
        series_name=settings.identity.series_name,
        speed_max_mps=moves.speed_mps,
        acceleration_mps2=moves.acceleration_mps2,
        deceleration_mps2=moves.deceleration_mps2,
        length_m=settings.length_m,
        width_m=settings.width_m,
        height_m=settings.height_m,
        load_max_kg=settings.load_max_kg,
        compartments=settings.compartments,
        state_interval_ms=settings.state_interval_driving_ms,
        visualization_interval_ms=settings.visualization_interval_ms,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _unusable(file: Path, path: str, message: str, allowed: str) -> SettingsError:
    return SettingsError([Problem(str(file), path, message[:500], allowed)])


def command_line() -> int:
    """Entry point of ``python -m robot_bridge --config FILE``."""
    parser = argparse.ArgumentParser(prog="python -m robot_bridge", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the bridge's settings (YAML)")
    file: Path = parser.parse_args().config
    try:
        asyncio.run(main(load(BridgeSettings, file=file, environ=os.environ, overrides={})))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(command_line())
