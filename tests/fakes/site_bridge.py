"""Robots of a simulated site: real bridge and mission core, a simulated vehicle; bolts watched."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from contracts.devices import RobotConfig
from contracts.units import MonoMs
from contracts.vda5050.profile import OPEN_COMPARTMENT, OpenCompartment, read_open_compartment
from contracts.vda5050.state import ActionStatus, ConnectionState
from robot_bridge.__main__ import restore, robot_of
from robot_bridge.core.vehicle import Drive, Observation, Pose, Reading, Unlock, VehicleCommand
from robot_bridge.memory import FileMemory, recall
from robot_bridge.service import BridgeService, connection_message, stamp
from robot_bridge.settings import BridgeSettings, RobotIdentity
from robot_bridge.sim import SimSettings, SimVehicle
from runtime.metrics import Metrics
from runtime.mqtt import MqttSettings, Outgoing
from tests.fakes.site_clock import Life
from tests.fakes.site_machine import RUN_KEY, Ground, Machine


class Watcher(Protocol):
    """Who judges what a vehicle is told to do."""

    def unlocks(self, robot: "BridgeMachine", compartment: int) -> None: ...

    def drives(self, robot: "BridgeMachine", drive: Drive) -> None: ...


class MortalMemory:
    """The bridge's real file, on a disk whose machine may die before and after each write."""

    def __init__(self, inner: FileMemory, life: Life) -> None:
        self._inner = inner
        self._life = life

    def load(self) -> str | None:
        return self._inner.load()

    def keep(self, text: str) -> None:
        self._life.touch()
        self._inner.keep(text)
        self._life.touch()


class WatchedVehicle:
    """The simulated vehicle, each command shown to a watcher first."""

    def __init__(self, inner: SimVehicle, show: Callable[[VehicleCommand], None]) -> None:
        self._inner = inner
        self._show = show

    def perform(self, command: VehicleCommand) -> None:
        self._show(command)
        self._inner.perform(command)

    def observe(self, now: MonoMs) -> Observation:
        return self._inner.observe(now)

    def memory(self) -> str:
        return self._inner.memory()


class BridgeMachine(Machine):
    """One robot."""

    def __init__(
        self, robot: RobotConfig, ground: Ground, sim: SimSettings, watcher: Watcher
    ) -> None:
        super().__init__(robot.id, ground)
        self.robot = robot
        self._watcher = watcher
        self.service: BridgeService | None = None
        self.vehicle: SimVehicle | None = None
        self.perform: Callable[[VehicleCommand], None] = self._show
        self.settings = BridgeSettings(
            identity=RobotIdentity(
                manufacturer=robot.manufacturer, serial_number=robot.serial_number
            ),
            mqtt=MqttSettings(client_id=robot.id),
            data_dir=self.folder,
            map_file=ground.map_file,
            start_node=robot.home_node,
            sim=sim,
            compartments=robot.compartments,
            visualization_interval_ms=2_000,
        )

    def build(self) -> Sequence[Coroutine[object, object, None]]:
        memory = FileMemory(self.folder / "robot.json")
        home = self.ground.robot_map.nodes[self.robot.home_node]
        start = Pose(home.x_m, home.y_m, 0.0, home.map_id)
        self.vehicle, mission = restore(self.settings, start, recall(memory))
        address = self.settings.identity.address
        header = stamp(address, 0, self.clock)
        will = connection_message(address, ConnectionState.CONNECTION_BROKEN, header)
        bus = self.ground.broker.connect(self.name, self.life, will=will, birth=self._birth)
        self.bus = bus
        watched = WatchedVehicle(self.vehicle, self._show)
        self.perform = watched.perform
        service = BridgeService(
            robot_of(self.settings, RUN_KEY),
            mission,
            bus=bus,
            clock=self.clock,
            vehicle=watched,
            memory=MortalMemory(memory, self.life),
            metrics=Metrics(),
        )
        self.service = service
        bus.on_connect(service.connected)
        return bus.run(), service.run()

    def _birth(self) -> Sequence[Outgoing]:
        assert self.service is not None
        return self.service.birth()

    def close(self) -> None:
        pass  # every write was whole and closed by itself

    def _show(self, command: VehicleCommand) -> None:
        match command:
            case Unlock(number):
                self._watcher.unlocks(self, number)
            case Drive():
                self._watcher.drives(self, command)
            case _:
                pass

    @property
    def reading(self) -> Reading | None:
        """Where the vehicle really is; None while the robot is dead."""
        return self.vehicle.reading() if self.alive and self.vehicle else None

    def opening(self, compartment: int) -> OpenCompartment | None:
        """The command by which a compartment opens now."""
        assert self.service is not None
        for row in self.service.mission.actions:
            if row.action.action_type != OPEN_COMPARTMENT or row.status is not ActionStatus.RUNNING:
                continue
            command = read_open_compartment(row.action)
            if isinstance(command, OpenCompartment) and command.compartment == compartment:
                return command
        return None
