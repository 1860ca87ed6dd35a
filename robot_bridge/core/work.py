"""Holds what the bridge remembers of its work, what comes in, and what it has to do."""

from dataclasses import dataclass, field, replace

from contracts.units import MonoMs
from contracts.vda5050.order import InstantActions, Order
from contracts.vda5050.state import VehicleError
from robot_bridge.core.actions import CANCEL_ORDER, ActionEntry
from robot_bridge.core.orders import Progress, Terms
from robot_bridge.core.vehicle import Now, Observation, Reading, VehicleCommand


@dataclass(frozen=True, slots=True)
class Mission:
    """All that the bridge must remember of its work.

    ``told``: the sequence ids of the route that the vehicle was given; None when that is unknown.
    ``performed``: command ids of compartment commands, oldest first. ``riding``: the node of
    another map whose pose the vehicle was told to take, in a lift.
    """

    progress: Progress = field(default_factory=Progress)
    actions: tuple[ActionEntry, ...] = ()
    paused: bool = False
    told: tuple[int, ...] | None = None
    errors: tuple[VehicleError, ...] = ()
    performed: tuple[str, ...] = ()
    retry_at: MonoMs | None = None
    riding: int | None = None
    terms: Terms = field(default_factory=Terms)

    @property
    def cancelling(self) -> bool:
        """A cancelOrder waits for the robot to stand."""
        return any(row.action.action_type == CANCEL_ORDER and not row.ended for row in self.actions)


@dataclass(frozen=True, slots=True)
class OrderReceived:
    """An order came that could be read."""

    order: Order


@dataclass(frozen=True, slots=True)
class ActionsReceived:
    """Instant actions came. ``forged``: ids of those whose signature is missing or wrong."""

    message: InstantActions
    forged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """A payload came that could not be read; reported as ``validationError``."""

    topic: str
    error: VehicleError


@dataclass(frozen=True, slots=True)
class Observed:
    """The vehicle was looked at."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class LogWritten:
    """What became of a ``WriteLog``: where the file is, or why there is none."""

    action_id: str
    place: str | None
    problem: str = ""


Input = OrderReceived | ActionsReceived | Refused | Observed | LogWritten


@dataclass(frozen=True, slots=True)
class SendState:
    """Something changed that the master must hear, or it asked."""


@dataclass(frozen=True, slots=True)
class SendFactsheet:
    """The master asked for the factsheet."""


@dataclass(frozen=True, slots=True)
class WriteLog:
    """The master asked for a report of what the robot knows; answered by ``LogWritten``."""

    action_id: str
    reason: str


Output = VehicleCommand | SendState | SendFactsheet | WriteLog


@dataclass(frozen=True, slots=True)
class Turn:
    """A step under way: the mission so far, the newest reading, and what is to be done."""

    mission: Mission
    reading: Reading | None
    now: Now
    outputs: tuple[Output, ...] = ()

    def also(self, *outputs: Output) -> "Turn":
        """The same with more to do."""
        return replace(self, outputs=self.outputs + outputs)


def resume(mission: Mission) -> Mission:
    """What is kept over a restart: the vehicle's route is unknown, running times begin anew."""
    return replace(
        mission,
        told=None,
        retry_at=None,
        riding=None,
        actions=tuple(replace(row, since=None) for row in mission.actions),
    )
