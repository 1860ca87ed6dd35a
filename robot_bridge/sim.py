"""Simulates one delivery robot behind the vehicle port: kinematics, battery, lids and people."""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import atan2, cos, hypot, pi, sin, sqrt
from typing import Annotated, Final, assert_never

from pydantic import Field, TypeAdapter

from contracts.envelope import Strict
from contracts.units import MonoMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from contracts.vda5050.state import EStop, OperatingMode
from robot_bridge.core.vehicle import (
    Charge,
    Drive,
    DriveFailed,
    Fault,
    Halt,
    Lock,
    Observation,
    Passed,
    Pose,
    Reading,
    SetPose,
    Signal,
    Unlock,
    VehicleCommand,
    VehicleEvent,
    Waypoint,
)

STEP_MS: Final = 50
# Motion is integrated in whole steps of this length, so that it does not depend on how often
# somebody looks. At 1.2 m/s a step is 6 cm.

ARRIVED_M: Final = 0.005
ALIGNED_RAD: Final = 0.02
BEND_RAD: Final = 0.1  # a bend below this is driven through; above it the robot stops and turns
FAR_M: Final = 1.0  # what lies farther than this beyond the braking distance cannot matter yet
CREEP_MPS: Final = 0.05  # braking by the square root alone would never arrive

BATTERY_LOW_PERCENT: Final = 15.0
LOW_BATTERY_FAULT_PERCENT: Final = 8.0
EVENTS_MAX: Final = 1_000  # a route has at most 150 nodes


class FaultKind(StrEnum):
    """What can be made to go wrong."""

    STOP = "stop"
    LOSE_LOCALISATION = "loseLocalisation"
    LOW_BATTERY = "lowBattery"
    LID_STUCK = "lidStuck"
    MANUAL = "manual"
    """Somebody turns the key: a person steers."""
    STUCK = "stuck"
    """The robot does not move, and gives its route up."""
    FIELD = "field"
    """Something stands in the protective field."""


class ScriptedFault(Strict):
    """A fault that begins ``at_ms`` after the first start and lasts ``for_ms`` (None: stays)."""

    kind: FaultKind
    at_ms: int = Field(ge=0)
    for_ms: int | None = Field(default=None, ge=1)


class FaultScript(Strict):
    """What a file of scripted faults holds."""

    faults: tuple[ScriptedFault, ...] = Field(max_length=100)


class SimSettings(Strict):
    """What the simulated robot is like. Speeds in m/s, accelerations in m/s2, power in W."""

    speed_mps: float = Field(default=1.2, gt=0, le=3)
    acceleration_mps2: float = Field(default=0.6, gt=0, le=5)
    deceleration_mps2: float = Field(default=0.8, gt=0, le=5)
    turn_radps: float = Field(default=1.2, gt=0, le=6)
    battery_wh: float = Field(default=480.0, gt=0, le=10_000)
    battery_start_percent: float = Field(default=100.0, ge=0, le=100)
    idle_w: float = Field(default=25.0, ge=0, le=2_000)
    drive_w: float = Field(default=140.0, ge=0, le=5_000)
    charge_w: float = Field(default=300.0, ge=0, le=5_000)
    charge_nodes: tuple[str, ...] = Field(default=(), max_length=100)
    """Where a charger is; empty: at the start node."""
    bolt_ms: int = Field(default=300, ge=0, le=10_000)
    load_nodes: tuple[str, ...] = Field(default=(), max_length=100)
    """Where somebody puts a load into an empty compartment, and takes out one that came back."""
    load_after_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = 4_000
    """From the lid's opening to its closing; null: nobody comes, and the lid stays closed."""
    collect_after_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = 6_000
    """The same at all other nodes, where somebody takes the load out."""
    faults: tuple[ScriptedFault, ...] = Field(default=(), max_length=100)


@dataclass(frozen=True, slots=True)
class SimCompartment:
    """A compartment, and what will happen to it: times left in ms, None when nothing will.

    A lid stays closed on a drawn bolt until somebody lifts it.
    """

    number: int
    lid_open: bool = False
    locked: bool = True
    occupied: bool = False
    bolt_ms: int | None = None
    bolt_to_locked: bool = True
    person_ms: int | None = None

    def state(self) -> CompartmentState:
        """As the sensors see it."""
        return CompartmentState(
            compartment=self.number,
            lid=LidState.OPEN if self.lid_open else LidState.CLOSED,
            lock=LockState.LOCKED if self.locked else LockState.UNLOCKED,
            occupied=self.occupied,
        )


@dataclass(frozen=True, slots=True)
class SimMemory:
    """What a simulated robot is after a restart: where it stood, its charge, its compartments."""

    pose: Pose
    node_id: str
    battery_percent: float
    charging: bool
    compartments: tuple[SimCompartment, ...]
    age_ms: int
    localised: bool
    faults: tuple[FaultKind, ...]


_MEMORY: Final = TypeAdapter(SimMemory)


@dataclass(slots=True)
class _Motion:
    """The route under way. ``clear_m``: how far straight on the robot may still roll.

    ``halted``: the rest of a route that was given up, of which braking may still pass some.
    """

    order_id: str = ""
    route: deque[Waypoint] = field(default_factory=deque)
    halted: deque[Waypoint] = field(default_factory=deque)
    speed_mps: float = 0.0
    turn_radps: float = 0.0
    clear_m: float = 0.0


class SimVehicle:
    """A kinematic robot. Time passes only by ``advance`` or ``observe``: same calls, same run."""

    def __init__(
        self,
        settings: SimSettings,
        *,
        start: Pose,
        start_node: str,
        compartments: int,
        memory: str | None = None,
        maps: tuple[str, ...] = (),
    ) -> None:
        """Stand at ``start``, or where ``memory`` (from ``memory()``) says.

        Raises:
            ValueError: ``memory`` cannot be read.
        """
        self._settings = settings
        self._maps = maps
        self._chargers = frozenset(settings.charge_nodes or (start_node,))
        self._motion = _Motion()
        self._events: deque[VehicleEvent] = deque(maxlen=EVENTS_MAX)
        self._last: MonoMs | None = None
        self.signal: str | None = None
        """The light or sound that shows now."""
        kept = (
            _MEMORY.validate_json(memory)
            if memory
            else SimMemory(
                pose=start,
                node_id=start_node,
                battery_percent=settings.battery_start_percent,
                charging=False,
                compartments=tuple(SimCompartment(row + 1) for row in range(compartments)),
                age_ms=0,
                localised=True,
                faults=(),
            )
        )
        self._pose = kept.pose
        self._node_id = kept.node_id
        self._battery_percent = kept.battery_percent
        self._charging = kept.charging
        self._compartments = list(kept.compartments)
        self._age_ms = kept.age_ms
        self._localised = kept.localised
        self._faults = set(kept.faults)

    def memory(self) -> str:
        """See ``Vehicle.memory``."""
        kept = SimMemory(
            pose=self._pose,
            node_id=self._node_id,
            battery_percent=self._battery_percent,
            charging=self._charging,
            compartments=tuple(self._compartments),
            age_ms=self._age_ms,
            localised=self._localised,
            faults=tuple(sorted(self._faults)),
        )
        return _MEMORY.dump_json(kept).decode()

    def observe(self, now: MonoMs) -> Observation:
        """See ``Vehicle.observe``."""
        self.advance(now)
        events = tuple(self._events)
        self._events.clear()
        return Observation(self.reading(), events)

    def reading(self) -> Reading:
        """What the sensors say, without letting time pass."""
        return Reading(
            pose=self._pose,
            speed_mps=self._motion.speed_mps,
            turn_radps=self._motion.turn_radps,
            localised=self._localised,
            battery_percent=self._battery_percent,
            charging=self._charging,
            compartments=tuple(row.state() for row in self._compartments),
            e_stop=EStop.MANUAL if FaultKind.STOP in self._faults else EStop.NONE,
            field_violation=FaultKind.FIELD in self._faults,
            mode=OperatingMode.MANUAL
            if FaultKind.MANUAL in self._faults
            else OperatingMode.AUTOMATIC,
            maps=self._maps,
            faults=self._found(),
        )

    def _found(self) -> tuple[Fault, ...]:
        found = []
        if FaultKind.STOP in self._faults:
            found.append(Fault("emergencyStop", "Somebody pressed the stop button.", fatal=True))
        if self._battery_percent <= 0:
            found.append(Fault("batteryEmpty", "The robot must be carried.", fatal=True))
        elif self._battery_percent < BATTERY_LOW_PERCENT:
            found.append(Fault("batteryLow", "The robot should charge.", fatal=False))
        if FaultKind.LID_STUCK in self._faults:
            found.append(Fault("lidStuck", "A lid does not close.", fatal=False))
        return tuple(found)

    # --- commands ---------------------------------------------------------------------------------

    def perform(self, command: VehicleCommand) -> None:
        """See ``Vehicle.perform``."""
        match command:
            case Drive(order_id, route):
                self._drive(order_id, route)
            case Halt():
                if self._motion.route:
                    self._motion.halted, self._motion.route = self._motion.route, deque()
            case SetPose(pose):
                self._pose, self._localised = pose, True
                self._faults.discard(FaultKind.LOSE_LOCALISATION)
                self._motion = _Motion()
            case Unlock(number) | Lock(number):
                self._move_bolt(number, locked=isinstance(command, Lock))
            case Charge(on):
                self._charging = on and self._standing() and self._node_id in self._chargers
            case Signal(name):
                self.signal = name
            case _:
                assert_never(command)

    def _drive(self, order_id: str, route: tuple[Waypoint, ...]) -> None:
        if any(point.map_id != self._pose.map_id for point in route):
            self._motion.route.clear()
            self._events.append(DriveFailed(order_id, "the route leads to another map"))
            return
        if FaultKind.STUCK in self._faults:
            self._motion.route.clear()
            self._events.append(DriveFailed(order_id, "the robot does not move"))
            return
        self._charging = False
        self._motion.order_id = order_id
        self._motion.route = deque(route)
        self._motion.halted.clear()

    def _move_bolt(self, number: int, *, locked: bool) -> None:
        for index, row in enumerate(self._compartments):
            if row.number == number and not (locked and row.lid_open):
                self._compartments[index] = replace(
                    row, bolt_ms=self._settings.bolt_ms, bolt_to_locked=locked
                )

    def inject(self, kind: FaultKind) -> None:
        """Let something go wrong until it is cleared."""
        if kind is FaultKind.LOW_BATTERY:
            self._battery_percent = min(self._battery_percent, LOW_BATTERY_FAULT_PERCENT)
            return
        self._faults.add(kind)
        if kind is FaultKind.STUCK and self._motion.route:
            self._motion.route.clear()
            self._events.append(DriveFailed(self._motion.order_id, "the robot does not move"))
        if kind is FaultKind.LOSE_LOCALISATION:
            self._localised = False

    def clear(self, kind: FaultKind) -> None:
        """Let it be right again; a lid that was stuck falls closed."""
        self._faults.discard(kind)
        if kind is FaultKind.LOSE_LOCALISATION:
            self._localised = True
        if kind is FaultKind.LID_STUCK:
            self._compartments = [
                replace(row, lid_open=False) if row.person_ms is None else row
                for row in self._compartments
            ]

    # --- time -------------------------------------------------------------------------------------

    def advance(self, now: MonoMs) -> None:
        """Let time pass up to ``now``, in whole steps; an earlier time changes nothing."""
        if self._last is None:
            self._last = now
        while now - self._last >= STEP_MS:
            self._last = MonoMs(self._last + STEP_MS)
            self._age_ms += STEP_MS
            self._step()

    def _step(self) -> None:
        for fault in self._settings.faults:
            if fault.at_ms < self._age_ms <= fault.at_ms + STEP_MS:
                self.inject(fault.kind)
            if fault.for_ms is not None:
                end_ms = fault.at_ms + fault.for_ms
                if end_ms < self._age_ms <= end_ms + STEP_MS:
                    self.clear(fault.kind)
        self._step_motion(STEP_MS / 1000)
        self._step_battery(STEP_MS / 1000)
        for index, row in enumerate(self._compartments):
            if row.bolt_ms is not None or row.person_ms is not None:
                self._compartments[index] = self._step_compartment(row)

    def _step_battery(self, dt_s: float) -> None:
        settings = self._settings
        power_w = settings.idle_w + (0.0 if self._standing() else settings.drive_w)
        if self._charging:
            power_w = -settings.charge_w
        spent = power_w * dt_s / 3600 / settings.battery_wh * 100
        self._battery_percent = max(0.0, min(100.0, self._battery_percent - spent))

    def _step_compartment(self, row: SimCompartment) -> SimCompartment:
        if row.bolt_ms is not None:
            left_ms = row.bolt_ms - STEP_MS
            if left_ms > 0:
                return replace(row, bolt_ms=left_ms)
            row = replace(row, bolt_ms=None, locked=row.bolt_to_locked)
            return row if row.locked else self._somebody_comes(row)
        if row.person_ms is None:
            return row
        left_ms = row.person_ms - STEP_MS
        if left_ms > 0:
            return replace(row, person_ms=left_ms)
        loads = self._node_id in self._settings.load_nodes
        return replace(
            row,
            person_ms=None,
            occupied=loads and not row.occupied,
            lid_open=FaultKind.LID_STUCK in self._faults,
        )

    def _somebody_comes(self, row: SimCompartment) -> SimCompartment:
        loads = self._node_id in self._settings.load_nodes
        after_ms = self._settings.load_after_ms if loads else self._settings.collect_after_ms
        if after_ms is None:
            return row
        return replace(row, lid_open=True, person_ms=after_ms)

    # --- motion -----------------------------------------------------------------------------------

    def _standing(self) -> bool:
        return self._motion.speed_mps == 0 and self._motion.turn_radps == 0

    def _blocked(self) -> bool:
        stopped = self._faults & {FaultKind.STOP, FaultKind.FIELD, FaultKind.MANUAL}
        return bool(stopped) or not self._localised or self._battery_percent <= 0

    def _step_motion(self, dt_s: float) -> None:
        motion = self._motion
        motion.turn_radps = 0.0
        if not motion.route or self._blocked():
            self._brake(dt_s)
            return
        goal = motion.route[0]
        left_m = self._pose.distance_m(goal.x_m, goal.y_m)
        if left_m <= ARRIVED_M:
            motion.speed_mps = motion.speed_mps if self._flows() else 0.0
            if self._turn_to(goal.theta_rad, dt_s):
                self._pass()
            return
        heading = atan2(goal.y_m - self._pose.y_m, goal.x_m - self._pose.x_m)
        off = abs(_wrapped(heading - self._pose.theta_rad))
        if off > ALIGNED_RAD and (off > BEND_RAD or motion.speed_mps == 0):
            if motion.speed_mps > 0:
                self._brake(dt_s)
            else:
                self._turn_to(heading, dt_s)
            return
        if heading != self._pose.theta_rad:
            self._pose = replace(self._pose, theta_rad=heading)
        self._roll(dt_s)

    def _roll(self, dt_s: float) -> None:
        """Move along the route for one step, through nodes that need no stop."""
        settings, motion = self._settings, self._motion
        clear_m, brake_mps = self._ahead()
        speed_mps = min(motion.speed_mps + settings.acceleration_mps2 * dt_s, brake_mps)
        motion.speed_mps = max(speed_mps, min(CREEP_MPS, settings.speed_mps))
        travel_m = min(motion.speed_mps * dt_s, clear_m)
        motion.clear_m = clear_m - travel_m
        while travel_m > 0 and motion.route:
            goal = motion.route[0]
            left_m = self._pose.distance_m(goal.x_m, goal.y_m)
            part = 1.0 if left_m <= travel_m else travel_m / left_m
            self._pose = replace(
                self._pose,
                x_m=self._pose.x_m + (goal.x_m - self._pose.x_m) * part,
                y_m=self._pose.y_m + (goal.y_m - self._pose.y_m) * part,
            )
            travel_m -= left_m * part
            if part < 1.0 or not self._flows():
                return
            self._pass()
            if motion.route:
                there = motion.route[0]
                ahead = atan2(there.y_m - self._pose.y_m, there.x_m - self._pose.x_m)
                self._pose = replace(self._pose, theta_rad=ahead)

    def _ahead(self) -> tuple[float, float]:
        """How far the robot may roll before it must stand, and how fast it may be now."""
        settings, motion = self._settings, self._motion
        x_m, y_m, heading = self._pose.x_m, self._pose.y_m, self._pose.theta_rad
        clear_m, speed_mps = 0.0, settings.speed_mps
        braking = 2 * settings.deceleration_mps2
        far_m = settings.speed_mps**2 / braking + FAR_M
        for point in motion.route:
            dx, dy = point.x_m - x_m, point.y_m - y_m
            length_m = hypot(dx, dy)
            if length_m > 0:
                if clear_m > 0 and abs(_wrapped(atan2(dy, dx) - heading)) > BEND_RAD:
                    break
                heading = atan2(dy, dx)
            limit_mps = min(point.max_speed_mps or settings.speed_mps, settings.speed_mps)
            speed_mps = min(speed_mps, sqrt(limit_mps**2 + braking * clear_m))
            clear_m += length_m
            x_m, y_m = point.x_m, point.y_m
            if point.theta_rad is not None or clear_m > far_m:
                break
        # Speed changes once a step: this one still stops in `clear_m` if braking begins late.
        late_mps = settings.deceleration_mps2 * STEP_MS / 1000
        return clear_m, min(speed_mps, sqrt(late_mps**2 + braking * clear_m) - late_mps)

    def _flows(self) -> bool:
        """Whether the next waypoint is driven through: straight on, no heading asked for."""
        route = self._motion.route
        if len(route) < 2 or route[0].theta_rad is not None:
            return False
        here, there = route[0], route[1]
        ahead = atan2(there.y_m - here.y_m, there.x_m - here.x_m)
        return abs(_wrapped(ahead - self._pose.theta_rad)) <= BEND_RAD

    def _turn_to(self, heading: float | None, dt_s: float) -> bool:
        """Turn in place for one step; True when the heading is right, or any will do."""
        if heading is None:
            return True
        off = _wrapped(heading - self._pose.theta_rad)
        if abs(off) <= ALIGNED_RAD:
            return True
        reach = self._settings.turn_radps * dt_s
        turned = max(-reach, min(reach, off))
        self._motion.turn_radps = turned / dt_s
        self._pose = replace(self._pose, theta_rad=_wrapped(self._pose.theta_rad + turned))
        return False

    def _brake(self, dt_s: float) -> None:
        """Slow down straight on, at most to where the robot would have stood anyway."""
        motion = self._motion
        if motion.speed_mps == 0:
            return
        slower = motion.speed_mps - self._settings.deceleration_mps2 * dt_s
        motion.speed_mps = slower if slower > 0 else 0.0
        travel_m = min(motion.speed_mps * dt_s, motion.clear_m)
        motion.clear_m -= travel_m
        if motion.clear_m <= 0:
            motion.speed_mps = 0.0
        theta = self._pose.theta_rad
        left_m = self._left_m()
        self._pose = replace(
            self._pose,
            x_m=self._pose.x_m + cos(theta) * travel_m,
            y_m=self._pose.y_m + sin(theta) * travel_m,
        )
        if left_m is not None and travel_m >= left_m - ARRIVED_M:
            # Whoever gave the order must know that the robot is beyond this node.
            point = motion.halted.popleft()
            self._node_id = point.node_id
            self._events.append(Passed(motion.order_id, point.sequence_id))

    def _left_m(self) -> float | None:
        """How far it is to the next node of a route that was given up; None without one."""
        if not self._motion.halted:
            return None
        point = self._motion.halted[0]
        return self._pose.distance_m(point.x_m, point.y_m)

    def _pass(self) -> None:
        motion = self._motion
        point = motion.route.popleft()
        self._node_id = point.node_id
        if not motion.route:
            motion.speed_mps = 0.0
        self._events.append(Passed(motion.order_id, point.sequence_id))


def _wrapped(angle: float) -> float:
    """The same angle between -pi and pi."""
    return (angle + pi) % (2 * pi) - pi
