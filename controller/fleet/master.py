"""Joins the robots' topics to the service: states and factsheets in, orders and actions out.

Each robot is spoken to in the version, under the prefix and with the quirks that its file names.
What a known robot sends and nobody can read is told to the core as well: it may be broken, or lie.
"""

import asyncio
from collections import Counter
from typing import Final

import structlog

from contracts.envelope import Rejected
from contracts.units import RobotId, UtcMs
from contracts.vda5050.codec import VdaMessage, decode_vda, encode_vda
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.state import Connection, State, Visualization
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress, parse, vehicle_filter
from contracts.vda5050.versions import VdaVersion, vehicle_address
from controller.core.capability import declared_of
from controller.core.fleet_inputs import RobotDeclared, RobotGarbled
from controller.core.outputs import PublishAction, PublishOrder
from controller.core.plan import SitePlan
from controller.core.state import Input, RobotConnected, RobotMoved, RobotReported
from controller.fleet.translate import Signer, actions_message, order_message, pose_of, report_of
from controller.ports import Intake
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.mqtt import (
    Bus,
    DropPolicy,
    Inbound,
    Inbox,
    MqttLost,
    Outgoing,
    PublishRefusedError,
)

log = structlog.get_logger(__name__)

INBOX_MAX: Final = 512  # ten states of each of fifty robots; the newest of a robot is what counts
HEARD: Final = (
    VdaKind.STATE,
    VdaKind.CONNECTION,
    VdaKind.VISUALIZATION,
    VdaKind.FACTSHEET,
)
LASTS: Final = frozenset({VdaKind.CONNECTION, VdaKind.FACTSHEET})
"""What a broker may keep for us: a retained state is from a time when the robot was alive."""
HEADER_MODULO: Final = 4_294_967_296  # headerId is an unsigned 32-bit number


def address_of(plan: SitePlan, robot_id: RobotId) -> VehicleAddress:
    """Where a robot of the site is on the bus."""
    robot = plan.robots[robot_id]
    return vehicle_address(
        VdaVersion(robot.vda5050_version),
        robot.manufacturer,
        robot.serial_number,
        prefix=robot.topic_prefix,
    )


class FleetMaster:
    """The master of all robots of a site."""

    def __init__(self, bus: Bus, clock: Clock, plan: SitePlan, *, run_key: bytes | None) -> None:
        self._bus = bus
        self._clock = clock
        self._plan = plan
        self._run_key = run_key
        self._robots = {address_of(plan, robot_id): robot_id for robot_id in plan.robots}
        # headerId must rise over a restart of ours too, so it starts with the seconds of the clock.
        self._header_id = clock.utc_ms() // 1_000 % HEADER_MODULO
        self._repeats = Repeats(clock)
        self.rejected: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        """order, action: published; lost, refused: not published."""
        self._inboxes = [
            bus.subscribe(
                vehicle_filter(kind, prefix, major),
                qos=SPECS[kind].qos,
                limit=INBOX_MAX,
                drop=DropPolicy.LATEST_PER_TOPIC
                if kind is VdaKind.VISUALIZATION
                else DropPolicy.OLDEST,
            )
            for prefix, major in sorted({(row.prefix, row.major) for row in self._robots})
            for kind in HEARD
        ]

    async def run(self, service: Intake) -> None:
        """Take what robots say until cancelled."""
        async with asyncio.TaskGroup() as group:
            for inbox in self._inboxes:
                group.create_task(self._read(inbox, service))

    async def publish(self, output: PublishOrder | PublishAction, utc_ms: UtcMs) -> None:
        """Send to a robot once. What is lost the core sends again; what is too late is dropped."""
        robot = self._plan.robots.get(output.robot_id)
        if robot is None:
            return
        self._header_id = (self._header_id + 1) % HEADER_MODULO
        address = address_of(self._plan, output.robot_id)
        if isinstance(output, PublishOrder):
            kind = VdaKind.ORDER
            body = encode_vda(order_message(output, self._plan, robot, self._header_id, utc_ms))
        else:
            until = output.valid_until_utc_ms
            if until is not None and utc_ms > until:
                self.counts["too_late"] += 1
                return
            kind = VdaKind.INSTANT_ACTIONS
            body = encode_vda(
                actions_message(output, robot, self._header_id, utc_ms, self._signer(address)),
                instant_actions_key=robot.instant_actions_key,
            )
        spec = SPECS[kind]
        try:
            await self._bus.publish(
                Outgoing(address.topic(kind), body, qos=spec.qos, retain=spec.retain)
            )
            self.counts[output.kind] += 1
        except MqttLost:
            self.counts["lost"] += 1
        except PublishRefusedError as refused:
            self.counts["refused"] += 1
            if times := self._repeats.due(address.topic(kind)):
                log.error("robot_publish_refused", error=str(refused), times=times)

    def _signer(self, address: VehicleAddress) -> Signer | None:
        if self._run_key is None:
            return None
        return Signer(self._run_key, address.topic(VdaKind.INSTANT_ACTIONS))

    async def _read(self, inbox: Inbox, service: Intake) -> None:
        async for inbound in inbox:
            given = self._understood(inbound)
            if given is not None:
                await service.offer(given)

    def _understood(self, inbound: Inbound) -> Input | None:
        found = decode_vda(inbound.topic, inbound.payload)
        if isinstance(found, Rejected):
            self._reject(found.reason, found.topic, found.detail)
            return self._garbled(inbound, found)
        if inbound.retain and found.kind not in LASTS:
            self._reject("retained", inbound.topic, "a state that the broker kept is stale")
            return None
        robot_id = self._robots.get(found.address)
        if robot_id is None:
            self._reject("unknown_robot", inbound.topic, "no file in the site's robots/ names it")
            return None
        return _input(robot_id, found, self._clock.utc_ms())

    def _garbled(self, inbound: Inbound, found: Rejected) -> Input | None:
        """What a robot of ours sent as its state, and is none."""
        parsed = parse(inbound.topic)
        robot_id = self._robots.get(parsed[0]) if parsed is not None else None
        if parsed is None or robot_id is None or parsed[1] is not VdaKind.STATE or inbound.retain:
            return None
        return RobotGarbled(robot_id, found.reason, found.detail)

    def _reject(self, reason: str, topic: str, detail: str) -> None:
        self.rejected[reason] += 1
        if times := self._repeats.due(f"{reason} {topic}"):
            log.warning("vda_rejected", reason=reason, topic=topic, detail=detail, times=times)


def _input(robot_id: RobotId, message: VdaMessage, utc_ms: UtcMs) -> Input | None:
    match message.body:
        case State():
            return RobotReported(robot_id, message.body.header_id, report_of(message.body))
        case Connection():
            return RobotConnected(robot_id, message.body.connection_state)
        case Factsheet():
            return RobotDeclared(robot_id, declared_of(message.body, utc_ms))
        case Visualization():
            pose = pose_of(message.body.agv_position)
            return None if pose is None else RobotMoved(robot_id, pose)
        case _:
            return None
