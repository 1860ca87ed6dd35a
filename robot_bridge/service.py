"""Joins one vehicle to the bus: reads orders and actions, keeps, performs, reports."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from contracts.envelope import Rejected
from contracts.units import MonoMs
from contracts.vda5050.codec import (
    VdaBody,
    VdaMessage,
    decode_vda,
    encode_vda,
    references_of,
)
from contracts.vda5050.order import InstantActions, Order
from contracts.vda5050.profile import OPEN_COMPARTMENT, OpenCompartment, read_open_compartment
from contracts.vda5050.state import (
    Connection,
    ConnectionState,
    ErrorLevel,
    Reference,
    VehicleError,
)
from contracts.vda5050.timestamps import timestamp_of
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress
from contracts.vda5050.versions import V3_ONLY, VdaVersion
from robot_bridge.core import report
from robot_bridge.core.mission import step
from robot_bridge.core.orders import ID_MAX_BYTES, ORDER_ERROR, VALIDATION_ERROR, warning
from robot_bridge.core.report import Body, Stamp
from robot_bridge.core.vehicle import Now, Reading
from robot_bridge.core.work import (
    ActionsReceived,
    Input,
    LogWritten,
    Mission,
    Observed,
    OrderReceived,
    Refused,
    SendFactsheet,
    SendState,
    WriteLog,
)
from robot_bridge.memory import retain
from robot_bridge.ports import Memory, Vehicle
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.metrics import Metrics
from runtime.mqtt import Bus, DropPolicy, Inbound, Inbox, MqttLost, Outgoing, PublishRefusedError
from runtime.tokens import verify_message

log = structlog.get_logger(__name__)

INBOX_LIMIT: Final = 64  # a master sends some messages a second; more is a fault, the newest count
LOOK_DRIVING_MS: Final = 50  # a state must not lag behind the robot by more than 200 ms
LOOK_STANDING_MS: Final = 100
KEEP_DRIVING_MS: Final = 1_000
KEEP_STANDING_MS: Final = 10_000  # only the battery changes
LOG_REPORTS_MAX: Final = 20  # some hundred KiB in all; the oldest go
STATE_PAUSE_MS: Final = 20
# Between two states: events that belong together go in one, and a flood of orders makes no flood of
# states.


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often messages go out at least."""

    state_driving_ms: int
    state_standing_ms: int
    visualization_ms: int


@dataclass(frozen=True, slots=True)
class Robot:
    """Who the robot is. With a ``run_key``, commands to open a compartment need a signature."""

    address: VehicleAddress
    body: Body
    intervals: Intervals
    run_key: bytes | None = None
    version: VdaVersion = VdaVersion.V2_1
    log_folder: Path | None = None
    """Where ``logReport`` writes; None: it fails and says so."""


class BridgeService:
    """One robot's VDA 5050 client. Give ``birth`` and ``connected`` to the session it runs on."""

    def __init__(
        self,
        robot: Robot,
        mission: Mission,
        *,
        bus: Bus,
        clock: Clock,
        vehicle: Vehicle,
        memory: Memory,
        metrics: Metrics,
    ) -> None:
        """``mission`` is what was kept (through ``resume``) or a new one."""
        self._robot = robot
        self._address = robot.address
        self._mission = mission
        self._bus = bus
        self._clock = clock
        self._vehicle = vehicle
        self._memory = memory
        self._reading: Reading | None = None
        self._header_ids: Counter[VdaKind] = Counter()
        self._met = asyncio.Event()
        self._state_due = asyncio.Event()
        self._factsheet_due = asyncio.Event()
        self._state_sent = MonoMs(0)
        self._wanted_base = False
        self._kept = MonoMs(0)
        self._repeats = Repeats(clock)
        self._received = metrics.counter(
            "robot_bridge_received_total", "Messages from the master.", ["kind"]
        )
        self._rejected = metrics.counter(
            "mqtt_rejected_total", "Payloads that were dropped, by reason.", ["reason"]
        )
        self._unsent = metrics.counter(
            "robot_bridge_unsent_total", "Messages that did not reach the broker.", ["kind"]
        )
        self._inboxes = [
            bus.subscribe(
                self._address.topic(kind),
                qos=SPECS[kind].qos,
                limit=INBOX_LIMIT,
                drop=DropPolicy.OLDEST,
            )
            for kind in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS)
        ]
        self._unused = [
            bus.subscribe(topic, qos=0, limit=INBOX_LIMIT, drop=DropPolicy.OLDEST)
            for topic in _unused_topics(robot)
        ]

    @property
    def mission(self) -> Mission:
        """How far the robot's work is now."""
        return self._mission

    def birth(self) -> Sequence[Outgoing]:
        """What a session says on each connection: ONLINE and the factsheet."""
        return (
            connection_message(
                self._address, ConnectionState.ONLINE, self._stamp(VdaKind.CONNECTION)
            ),
            self._outgoing(VdaKind.FACTSHEET, self._factsheet()),
        )

    def connected(self) -> None:
        """To be called after each connection: the master hears the state at once."""
        self._met.set()
        self._state_due.set()

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            BaseExceptionGroup: of ``MemoryLost``, when the disk refuses: no robot moves unrecorded.
        """
        self._look()
        async with asyncio.TaskGroup() as group:
            for inbox in self._inboxes:
                group.create_task(self._read(inbox))
            for inbox in self._unused:
                group.create_task(self._read_unused(inbox))
            group.create_task(self._watch())
            group.create_task(self._send_states())
            group.create_task(self._send_factsheets())
            group.create_task(self._send_visualizations())

    # --- in ---------------------------------------------------------------------------------------

    async def _read(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            self._receive(inbound)

    async def _read_unused(self, inbox: Inbox) -> None:
        """Zone sets and responses: this robot declares no zones and asks for nothing."""
        async for inbound in inbox:
            self._count_rejected("unused", inbound.topic, "the factsheet declares no zones")
            name = inbound.topic.rsplit("/", 1)[-1]
            text = f"{name} is not supported; the factsheet declares no zones"
            about = warning(ORDER_ERROR, text, topic=name, cause="UNSUPPORTED_PARAMETER")
            self._take(Refused(inbound.topic, about))

    def _receive(self, inbound: Inbound) -> None:
        if inbound.retain:
            # Orders and actions are never retained; what a broker kept is from another day.
            self._count_rejected("retained", inbound.topic, "a retained message is stale")
            return
        message = decode_vda(inbound.topic, inbound.payload)
        if isinstance(message, Rejected):
            self._count_rejected(message.reason, inbound.topic, message.detail)
            self._take(Refused(inbound.topic, _validation_error(message, inbound.payload)))
            return
        self._received.labels(kind=message.kind).inc()
        match message.body:
            case Order() as order:
                self._take(OrderReceived(order))
            case InstantActions() as actions:
                self._take(ActionsReceived(actions, self._forged(message, actions)))
            case _:
                self._count_rejected("wrong_topic", inbound.topic, "not for a robot")

    def _forged(self, message: VdaMessage, actions: InstantActions) -> frozenset[str]:
        key = self._robot.run_key
        if key is None:
            return frozenset()
        topic = message.address.topic(VdaKind.INSTANT_ACTIONS)
        commands = [
            (action.action_id, read_open_compartment(action))
            for action in actions.actions
            if action.action_type == OPEN_COMPARTMENT
        ]
        return frozenset(
            action_id
            for action_id, command in commands
            if not isinstance(command, OpenCompartment)
            or not verify_message(key, command.signed_bytes(topic), command.signature)
        )

    def _count_rejected(self, reason: str, topic: str, detail: str) -> None:
        self._rejected.labels(reason=reason).inc()
        if times := self._repeats.due(reason):
            log.warning(
                "vda5050_rejected", reason=reason, topic=topic[:200], detail=detail, times=times
            )

    # --- the step ---------------------------------------------------------------------------------

    def _now(self) -> Now:
        return Now(self._clock.mono_ms(), self._clock.utc_ms())

    def _take(self, event: Input) -> None:
        """One input: step, keep what changed, then perform: an unlock is on disk first."""
        now = self._now()
        before = self._mission
        self._mission, outputs = step(before, self._reading, event, now)
        if self._mission is not before:
            self._keep(now)
        for output in outputs:
            match output:
                case SendState():
                    self._state_due.set()
                case SendFactsheet():
                    self._factsheet_due.set()
                case WriteLog():
                    self._take(self._write_log(output))
                case _:
                    self._vehicle.perform(output)

    def _write_log(self, wanted: WriteLog) -> LogWritten:
        """What the robot knows now, in one file: order, actions, errors, sensors."""
        folder = self._robot.log_folder
        if folder is None or self._reading is None:
            return LogWritten(wanted.action_id, None, "this robot keeps no log reports")
        state = report.state(self._mission, self._reading, self._stamp_now(0))
        content = {
            "reason": wanted.reason,
            "state": state.model_dump(mode="json", by_alias=True, exclude_none=True),
            "performed": list(self._mission.performed),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in sorted(folder.glob("report-*.json"))[: -LOG_REPORTS_MAX + 1]:
                old.unlink()
            file = folder / f"report-{self._clock.utc_ms()}.json"
            file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        except OSError as error:
            return LogWritten(wanted.action_id, None, f"cannot write: {error.strerror}")
        return LogWritten(wanted.action_id, file.name)

    def _keep(self, now: Now) -> None:
        # Blocks this process for one fsync, on purpose: nothing may happen before it is on disk.
        retain(self._memory, self._mission, self._vehicle.memory())
        self._kept = now.mono_ms

    def _look(self) -> None:
        """Observe the vehicle once, and see what is due by time."""
        now = self._now()
        observation = self._vehicle.observe(now.mono_ms)
        reading, before = observation.reading, self._reading
        self._reading = reading
        self._take(Observed(observation))
        changed = before is None or report.state_events(before) != report.state_events(reading)
        wants_base = report.wants_base(self._mission, reading)
        changed = changed or wants_base != self._wanted_base
        self._wanted_base = wants_base
        keep_ms = KEEP_DRIVING_MS if reading.driving else KEEP_STANDING_MS
        if (changed or now.mono_ms - self._kept >= keep_ms) and self._kept != now.mono_ms:
            self._keep(now)
        intervals = self._robot.intervals
        every_ms = intervals.state_driving_ms if reading.driving else intervals.state_standing_ms
        if changed or now.mono_ms - self._state_sent >= every_ms:
            self._state_due.set()

    async def _watch(self) -> None:
        while True:
            driving = self._reading is not None and self._reading.driving
            await self._clock.sleep_ms(LOOK_DRIVING_MS if driving else LOOK_STANDING_MS)
            self._look()

    # --- out --------------------------------------------------------------------------------------

    async def _send_states(self) -> None:
        await self._met.wait()
        while True:
            await self._state_due.wait()
            self._state_due.clear()
            if self._reading is not None:
                self._state_sent = self._clock.mono_ms()
                stamp = self._stamp(VdaKind.STATE)
                await self._send(VdaKind.STATE, report.state(self._mission, self._reading, stamp))
            await self._clock.sleep_ms(STATE_PAUSE_MS)

    async def _send_factsheets(self) -> None:
        while True:
            await self._factsheet_due.wait()
            self._factsheet_due.clear()
            await self._send(VdaKind.FACTSHEET, self._factsheet())

    async def _send_visualizations(self) -> None:
        while True:
            await self._clock.sleep_ms(self._robot.intervals.visualization_ms)
            if self._reading is not None and self._reading.driving:
                stamp = self._stamp(VdaKind.VISUALIZATION)
                newest = max(self._header_ids[VdaKind.STATE] - 1, 0)
                body = report.visualization(self._reading, stamp, newest)
                await self._send(VdaKind.VISUALIZATION, body)

    async def _send(self, kind: VdaKind, body: VdaBody) -> None:
        """Publish, or count why not: the next state says all of it again."""
        try:
            await self._bus.publish(self._outgoing(kind, body))
        except (MqttLost, PublishRefusedError, ValueError) as error:
            # ValueError: above 64 KiB, which the limits on orders make impossible for a state.
            self._unsent.labels(kind=kind).inc()
            if times := self._repeats.due(f"unsent {kind}"):
                log.warning("vda5050_unsent", kind=kind.value, times=times, error=str(error))

    def _factsheet(self) -> VdaBody:
        return report.factsheet(self._robot.body, self._stamp(VdaKind.FACTSHEET))

    def _outgoing(self, kind: VdaKind, body: VdaBody) -> Outgoing:
        spec = SPECS[kind]
        return Outgoing(self._address.topic(kind), encode_vda(body), spec.qos, spec.retain)

    def _stamp(self, kind: VdaKind) -> Stamp:
        header_id = self._header_ids[kind]
        self._header_ids[kind] = (header_id + 1) % 2**32
        return self._stamp_now(header_id)

    def _stamp_now(self, header_id: int) -> Stamp:
        return stamp(self._address, header_id, self._clock, self._robot.version)


def _unused_topics(robot: Robot) -> tuple[str, ...]:
    if robot.version is not VdaVersion.V3_0:
        return ()
    base = robot.address.topic(VdaKind.STATE).removesuffix(VdaKind.STATE)
    return tuple(f"{base}{name}" for name in V3_ONLY)


def stamp(
    address: VehicleAddress, header_id: int, clock: Clock, version: VdaVersion = VdaVersion.V2_1
) -> Stamp:
    """The header of a message that is sent now."""
    said = timestamp_of(clock.utc_ms())
    return Stamp(header_id, said, address.manufacturer, address.serial, version)


def connection_message(address: VehicleAddress, state: ConnectionState, header: Stamp) -> Outgoing:
    """ONLINE, OFFLINE, or the last will."""
    spec = SPECS[VdaKind.CONNECTION]
    body = Connection(
        header_id=header.header_id,
        timestamp=header.timestamp,
        version=header.version,
        manufacturer=header.manufacturer,
        serial_number=header.serial_number,
        connection_state=state,
    )
    return Outgoing(
        address.topic(VdaKind.CONNECTION), encode_vda(body), qos=spec.qos, retain=spec.retain
    )


def _validation_error(rejected: Rejected, payload: bytes) -> VehicleError:
    last_level = rejected.topic.rsplit("/", 1)[-1]
    return VehicleError(
        error_type=VALIDATION_ERROR,
        error_level=ErrorLevel.WARNING,
        error_description=f"{rejected.reason}: {rejected.detail}"[:200],
        error_references=(
            Reference(reference_key="topic", reference_value=last_level[:ID_MAX_BYTES]),
            *(
                Reference(
                    reference_key=row.reference_key,
                    reference_value=row.reference_value[:ID_MAX_BYTES],
                )
                for row in references_of(payload)
            ),
        ),
    )
