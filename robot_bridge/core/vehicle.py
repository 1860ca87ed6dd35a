"""Holds what a robot is told and what it says: commands, readings, events; m and rad."""

from dataclasses import dataclass
from math import hypot

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState
from contracts.vda5050.state import EStop, OperatingMode

STANDING_MPS = 0.01
STANDING_RADPS = 0.01
# Below these a wheel encoder cannot tell motion from noise.


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of both clocks: ``mono_ms`` for intervals, ``utc_ms`` for what peers wrote."""

    mono_ms: MonoMs
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Pose:
    """A place and heading on one map."""

    x_m: float
    y_m: float
    theta_rad: float
    map_id: str

    def distance_m(self, x_m: float, y_m: float) -> float:
        """Straight distance to a point of the same map."""
        return hypot(self.x_m - x_m, self.y_m - y_m)


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A node to pass. ``theta_rad`` is None where any heading will do."""

    sequence_id: int
    node_id: str
    x_m: float
    y_m: float
    theta_rad: float | None
    map_id: str
    max_speed_mps: float | None


@dataclass(frozen=True, slots=True)
class Drive:
    """Drive along ``route`` and stand at its end. Takes the place of any earlier route."""

    order_id: str
    route: tuple[Waypoint, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """Brake now and forget the route."""


@dataclass(frozen=True, slots=True)
class SetPose:
    """Believe to be here."""

    pose: Pose


@dataclass(frozen=True, slots=True)
class Unlock:
    """Draw back the bolt of one compartment."""

    compartment: int


@dataclass(frozen=True, slots=True)
class Lock:
    """Push the bolt of one compartment, whose lid is closed."""

    compartment: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Begin or end charging."""

    on: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """Show a light or sound by name; None ends it."""

    name: str | None


VehicleCommand = Drive | Halt | SetPose | Unlock | Lock | Charge | Signal


@dataclass(frozen=True, slots=True)
class Passed:
    """The robot has reached or driven over a node of its route."""

    order_id: str
    sequence_id: int


@dataclass(frozen=True, slots=True)
class DriveFailed:
    """The robot has given up its route and stands."""

    order_id: str
    reason: str


VehicleEvent = Passed | DriveFailed


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong that the robot found itself; ``fatal`` needs a person."""

    name: str
    description: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What the robot's sensors say at one instant."""

    pose: Pose
    speed_mps: float
    turn_radps: float
    localised: bool
    battery_percent: float
    charging: bool
    compartments: tuple[CompartmentState, ...]
    e_stop: EStop = EStop.NONE
    field_violation: bool = False
    mode: OperatingMode = OperatingMode.AUTOMATIC
    maps: tuple[str, ...] = ()
    """The maps that the vehicle holds; empty: it does not say, and any is believed."""
    faults: tuple[Fault, ...] = ()

    @property
    def obeys(self) -> bool:
        """The master is in control; in any other mode a person is."""
        return self.mode in (OperatingMode.AUTOMATIC, OperatingMode.SEMIAUTOMATIC)

    @property
    def driving(self) -> bool:
        """Moving or turning."""
        return abs(self.speed_mps) > STANDING_MPS or abs(self.turn_radps) > STANDING_RADPS

    def compartment(self, number: int) -> CompartmentState | None:
        """One compartment, or None when the robot has none of that number."""
        return next((row for row in self.compartments if row.compartment == number), None)


@dataclass(frozen=True, slots=True)
class Observation:
    """A reading, and what has happened since the one before."""

    reading: Reading
    events: tuple[VehicleEvent, ...] = ()
