"""Drives simulated robots in real time behind MQTT: a running controller takes them for real ones.

The same robots as in a simulated day, at the pace of the clock. People are as simple as can be: who
finds a compartment unlocked puts the meal in, or takes it out. The kitchen's word and the PIN are
for the person who sits before the console.
"""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Final

import structlog

from contracts.envelope import Rejected
from contracts.units import UtcMs
from contracts.vda5050.codec import decode_vda, encode_vda
from contracts.vda5050.order import InstantActions, Order
from contracts.vda5050.state import ConnectionState, Visualization
from contracts.vda5050.timestamps import timestamp_of
from contracts.vda5050.topics import SPECS, VdaKind
from contracts.vda5050.versions import VdaVersion, vehicle_address
from controller.core.fleet import RobotReport
from controller.core.outputs import PublishAction
from robot_bridge.core import report as bridge_report
from robot_bridge.core.report import Stamp
from robot_bridge.service import connection_message
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttLost, MqttSession, MqttSettings, Outgoing
from zeroentry.simulator import vda
from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.maps import plan_named
from zeroentry.simulator.motion import Body
from zeroentry.simulator.sight import Sight
from zeroentry.simulator.vehicle import Box, Vehicle

log = structlog.get_logger(__name__)

STEP_S: Final = 0.05
SHOW_EVERY_S: Final = 0.5  # positions between two states, for the map that people look at
LIFT_LID_S: Final = 3.0
HANDLE_S: Final = 4.0
PASSWORD_ENV: Final = "ZEROENTRY_MQTT__PASSWORD"  # noqa: S105  # the name of a variable


class LiveRobot:
    """One robot on the bus: its session, and the simulated vehicle behind it."""

    def __init__(self, fleet: "LiveFleet", robot_id: str, settings: MqttSettings) -> None:
        """Not connected yet."""
        plan = fleet.plan
        config = plan.robots[robot_id]
        self.fleet = fleet
        self.config = config
        self.vehicle = Vehicle(
            robot_id,
            fleet.ground,
            fleet.agenda,
            fleet,
            home=config.home_node,
            boxes=config.compartments,
            body=Body(speed_mps=config.speed_max_m_s),
        )
        self.address = vehicle_address(
            VdaVersion(config.vda5050_version),
            config.manufacturer,
            config.serial_number,
            prefix=config.topic_prefix,
        )
        self._headers = 0
        self.muted = False
        """Nothing it says or is told arrives, as where no radio reaches."""
        self.kinds: dict[str, str] = {}
        self.outgoing: asyncio.Queue[Outgoing] = asyncio.Queue(maxsize=200)
        self.session = MqttSession(
            settings,
            SystemClock(),
            rng=random.Random(robot_id),  # jitter of the reconnection, nothing secret
            will=self._connection(ConnectionState.CONNECTION_BROKEN),
            birth=lambda: [self._connection(ConnectionState.ONLINE), self.factsheet()],
            farewell=lambda: self._connection(ConnectionState.OFFLINE),
        )
        self.session.on_connect(self.vehicle.tell)
        self._inboxes = [
            self.session.subscribe(self.address.topic(kind), qos=0)
            for kind in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS)
        ]

    def _stamp(self) -> Stamp:
        self._headers += 1
        return Stamp(
            self._headers,
            timestamp_of(SystemClock().utc_ms()),
            self.config.manufacturer,
            self.config.serial_number,
            self.config.vda5050_version,
        )

    def _connection(self, state: ConnectionState) -> Outgoing:
        return connection_message(self.address, state, self._stamp())

    def factsheet(self) -> Outgoing:
        """What it is."""
        body = self.vehicle.body
        sheet = bridge_report.factsheet(
            bridge_report.Body(
                series_name="simulated",
                speed_max_mps=body.speed_mps,
                acceleration_mps2=body.acceleration_mps2,
                deceleration_mps2=body.deceleration_mps2,
                length_m=2 * body.radius_m,
                width_m=2 * body.radius_m,
                height_m=1.2,
                load_max_kg=20.0,
                compartments=len(self.vehicle.boxes),
                state_interval_ms=15_000,
                visualization_interval_ms=round(SHOW_EVERY_S * 1000),
            ),
            self._stamp(),
        )
        spec = SPECS[VdaKind.FACTSHEET]
        topic = self.address.topic(VdaKind.FACTSHEET)
        return Outgoing(topic, encode_vda(sheet), qos=spec.qos, retain=spec.retain)

    def say(self, report: RobotReport) -> None:
        """Put its state on the way; a full queue loses it, as QoS 0 may."""
        _, speed_mps = self.vehicle.where()
        state = vda.state_of(report, self.fleet.plan, self.kinds, speed_mps, self._stamp())
        self.send(Outgoing(self.address.topic(VdaKind.STATE), encode_vda(state), qos=0))

    def show(self) -> None:
        """Put its position on the way."""
        report = self.vehicle.report()
        _, speed_mps = self.vehicle.where()
        state = vda.state_of(report, self.fleet.plan, self.kinds, speed_mps, self._stamp())
        shown = Visualization(
            header_id=state.header_id,
            timestamp=state.timestamp,
            version=state.version,
            manufacturer=state.manufacturer,
            serial_number=state.serial_number,
            agv_position=state.agv_position,
            velocity=state.velocity,
        )
        topic = self.address.topic(VdaKind.VISUALIZATION)
        self.send(Outgoing(topic, encode_vda(shown), qos=0))

    def send(self, message: Outgoing) -> None:
        """Queue a message."""
        if self.muted:
            return
        with contextlib.suppress(asyncio.QueueFull):
            self.outgoing.put_nowait(message)

    async def run(self) -> None:
        """Keep the session, send and read until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.session.run())
            group.create_task(self._send())
            for inbox in self._inboxes:
                group.create_task(self._read(inbox))

    async def _send(self) -> None:
        while True:
            message = await self.outgoing.get()
            with contextlib.suppress(MqttLost):
                await self.session.publish(message)

    async def _read(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            found = decode_vda(inbound.topic, inbound.payload)
            if isinstance(found, Rejected):
                log.warning("vda_rejected", topic=inbound.topic, reason=found.reason)
                continue
            if self.muted:
                continue
            self.fleet.catch_up()
            match found.body:
                case Order():
                    self.vehicle.take_order(vda.order_of(self.vehicle.id, found.body))
                case InstantActions():
                    known, unknown = vda.actions_of(self.vehicle.id, found.body)
                    for action in known:
                        self.kinds[action.action_id] = str(action.action)
                        self.vehicle.take_action(action)
                    for row in unknown:
                        log.warning("action_not_known", action_id=row.action_id)
                case _:
                    continue


class LiveFleet:
    """All simulated robots of a site, in real time. It is its robots' ``Surroundings``."""

    def __init__(self, site: str, settings: dict[str, object], sight: Sight | None = None) -> None:
        """Robots stand at their docks. ``sight``: who shows experts at the doors."""
        self.plan = plan_named(site)
        self.sight = sight
        self.ground = Ground(self.plan)
        self.agenda = Agenda()
        self._clock = SystemClock()
        self._start_ms = self._clock.mono_ms()
        self.agenda.utc_start_ms = UtcMs(self._clock.utc_ms())
        self.robots = {
            name: LiveRobot(
                self, name, MqttSettings.model_validate({**settings, "client_id": f"sim-{name}"})
            )
            for name, config in self.plan.robots.items()
            if config.simulated
        }

    def catch_up(self) -> None:
        """Let happen what is due by now."""
        until_s = (self._clock.mono_ms() - self._start_ms) / 1000
        while self.agenda.step(until_s):
            pass

    async def run(self) -> None:
        """Until cancelled."""
        self.agenda.after(SHOW_EVERY_S, self._show)
        async with asyncio.TaskGroup() as group:
            for robot in self.robots.values():
                group.create_task(robot.run())
            while True:
                self.catch_up()
                now_s = self.agenda.now_s
                await asyncio.sleep(min(STEP_S, max(0.005, self.agenda.next_s - now_s)))

    def _show(self) -> None:
        for robot in self.robots.values():
            if robot.vehicle.driving:
                robot.show()
        self.agenda.after(SHOW_EVERY_S, self._show)

    # --- Surroundings -------------------------------------------------------------------------

    def said(self, robot: Vehicle, report: RobotReport) -> None:
        """See ``vehicle.Surroundings``."""
        self.robots[robot.id].say(report)

    def declared(self, robot: Vehicle) -> None:
        """See ``vehicle.Surroundings``."""
        live = self.robots[robot.id]
        live.send(live.factsheet())

    def forgot(self, robot: Vehicle) -> None:
        """See ``vehicle.Surroundings``."""

    def moved(self, robot: Vehicle) -> None:
        """See ``vehicle.Surroundings``."""

    def passed(self, robot: Vehicle, node: str) -> None:
        """See ``vehicle.Surroundings``."""

    def bolt_drawn(self, robot: Vehicle, box: Box, action: PublishAction) -> None:
        """Somebody lifts the lid, puts the meal in or takes it out, and shuts it."""
        name = action.opens.delivery_id if action.opens else "meal"
        here = self.sight.area_of(robot.mind.last_node) if self.sight is not None else None

        def shut() -> None:
            if here is not None:
                here.experts -= 1
            if robot.at(self.plan.kitchen_node) and box.content is None:
                box.content = name
            else:
                box.content = None
            box.lid_open = False
            robot.replan()
            robot.tell()

        def lift() -> None:
            if box.locked:
                return
            box.lid_open = True
            if here is not None:
                here.experts += 1
            robot.tell()
            self.agenda.after(HANDLE_S, shut)

        self.agenda.after(LIFT_LID_S, lift)


def play_live(site: Path, broker: str, *, username: str | None = None) -> None:
    """Put a site's simulated robots on a broker until Ctrl-C."""
    host, _, port = broker.rpartition(":")
    settings: dict[str, object] = {"host": host or "127.0.0.1", "port": int(port)}
    if username is not None:
        settings |= {"username": username, "password_env": PASSWORD_ENV}
    fleet = LiveFleet(str(site), settings)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(fleet.run())
