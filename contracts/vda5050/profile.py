"""Holds our profile of VDA 5050: the compartment actions, and compartments in the state."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.units import UtcMs
from contracts.vda5050.factsheet import (
    ActionScope,
    AgvAction,
    AgvActionParameter,
    ValueDataType,
)
from contracts.vda5050.order import Action, ActionParameter, BlockingType
from contracts.vda5050.state import InfoLevel, Information, Load, Reference
from contracts.vda5050.timestamps import timestamp_of, utc_ms_of

OPEN_COMPARTMENT: Final = "zeOpenCompartment"
LOCK_COMPARTMENT: Final = "zeLockCompartment"
COMPARTMENT_INFO: Final = "zeCompartment"

COMPARTMENTS_MAX: Final = 16  # a delivery robot has one to four; 16 bounds what a state lists
_TEXT_MAX_CHARS: Final = 128  # ids of ours are shorter; longer ones are not from our controller


class LidState(StrEnum):
    """The lid's contact."""

    OPEN = "open"
    CLOSED = "closed"


class LockState(StrEnum):
    """The lock's bolt."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"


@dataclass(frozen=True, slots=True)
class CompartmentState:
    """One compartment as its sensors see it; ``compartment`` counts from 1."""

    compartment: int
    lid: LidState
    lock: LockState
    occupied: bool

    @property
    def shut(self) -> bool:
        """Lid closed and bolt locked: nobody gets at what is inside."""
        return self.lid is LidState.CLOSED and self.lock is LockState.LOCKED


@dataclass(frozen=True, slots=True)
class OpenCompartment:
    """Unlock one compartment for a person: only at ``node_id``, standing, until ``valid_until``."""

    compartment: int
    delivery_id: str
    node_id: str
    valid_until_utc_ms: UtcMs
    command_id: str
    signature: str | None = None

    def signed_bytes(self, topic: str) -> bytes:
        """What ``signature`` covers: the topic it is sent on, then all other parameters.

        In fixed order, each ended by a zero byte; the topic binds it to one robot.
        """
        parts = (
            topic,
            OPEN_COMPARTMENT,
            str(self.compartment),
            self.delivery_id,
            self.node_id,
            timestamp_of(self.valid_until_utc_ms),
            self.command_id,
        )
        return b"".join(part.encode() + b"\0" for part in parts)


@dataclass(frozen=True, slots=True)
class LockCompartment:
    """Bolt one compartment, whose lid must be closed."""

    compartment: int
    delivery_id: str
    command_id: str


@dataclass(frozen=True, slots=True)
class BadAction:
    """An action of ours that cannot be read, and why."""

    problem: str


def _parameters(**values: str | int | None) -> tuple[ActionParameter, ...]:
    return tuple(
        ActionParameter(key=key, value=value) for key, value in values.items() if value is not None
    )


def open_compartment_action(command: OpenCompartment, *, action_id: str) -> Action:
    """The instant action that unlocks a compartment."""
    return Action(
        action_type=OPEN_COMPARTMENT,
        action_id=action_id,
        blocking_type=BlockingType.HARD,
        action_parameters=_parameters(
            compartment=command.compartment,
            deliveryId=command.delivery_id,
            nodeId=command.node_id,
            validUntil=timestamp_of(command.valid_until_utc_ms),
            commandId=command.command_id,
            signature=command.signature,
        ),
    )


def lock_compartment_action(command: LockCompartment, *, action_id: str) -> Action:
    """The instant action that bolts a compartment."""
    return Action(
        action_type=LOCK_COMPARTMENT,
        action_id=action_id,
        blocking_type=BlockingType.HARD,
        action_parameters=_parameters(
            compartment=command.compartment,
            deliveryId=command.delivery_id,
            commandId=command.command_id,
        ),
    )


def read_open_compartment(action: Action) -> OpenCompartment | BadAction:
    """The command in an action of type ``zeOpenCompartment``, or what is wrong with it."""
    try:
        signature = action.parameter("signature")
        return OpenCompartment(
            compartment=_compartment(action),
            delivery_id=_text(action, "deliveryId"),
            node_id=_text(action, "nodeId"),
            valid_until_utc_ms=utc_ms_of(_text(action, "validUntil")),
            command_id=_text(action, "commandId"),
            signature=None if signature is None else _text(action, "signature"),
        )
    except ValueError as error:
        return BadAction(str(error))


def read_lock_compartment(action: Action) -> LockCompartment | BadAction:
    """The command in an action of type ``zeLockCompartment``, or what is wrong with it."""
    try:
        return LockCompartment(
            compartment=_compartment(action),
            delivery_id=_text(action, "deliveryId"),
            command_id=_text(action, "commandId"),
        )
    except ValueError as error:
        return BadAction(str(error))


def _compartment(action: Action) -> int:
    value = action.parameter("compartment")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 2:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= COMPARTMENTS_MAX:
        raise ValueError(f"compartment must be 1 to {COMPARTMENTS_MAX}, not {value!r:.40}")
    return value


def _text(action: Action, key: str) -> str:
    value = action.parameter(key)
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX_CHARS or "\0" in value:
        raise ValueError(f"{key} must be a text of 1 to {_TEXT_MAX_CHARS} characters")
    return value


def compartment_information(state: CompartmentState) -> Information:
    """How a compartment is shown in ``state.information``."""
    rows = (
        ("compartment", str(state.compartment)),
        ("lid", state.lid.value),
        ("lock", state.lock.value),
        ("occupied", "true" if state.occupied else "false"),
    )
    return Information(
        info_type=COMPARTMENT_INFO,
        info_level=InfoLevel.INFO,
        info_references=tuple(
            Reference(reference_key=key, reference_value=value) for key, value in rows
        ),
    )


def compartments_in(information: Iterable[Information] | None) -> tuple[CompartmentState, ...]:
    """The compartments that a state lists, by number; what cannot be read is left out."""
    found = (read_compartment(row) for row in information or ())
    return tuple(sorted((row for row in found if row is not None), key=lambda row: row.compartment))


def read_compartment(information: Information) -> CompartmentState | None:
    """The compartment in one information entry; None when it is something else, or unreadable."""
    if information.info_type != COMPARTMENT_INFO:
        return None
    said = {row.reference_key: row.reference_value for row in information.info_references or ()}
    occupied = {"true": True, "false": False}.get(said.get("occupied", ""))
    number = said.get("compartment", "")
    if occupied is None or not (number.isascii() and number.isdigit() and len(number) <= 2):
        return None
    try:
        return CompartmentState(
            int(number), LidState(said.get("lid", "")), LockState(said.get("lock", "")), occupied
        )
    except ValueError:
        return None


def compartment_loads(states: Iterable[CompartmentState]) -> tuple[Load, ...]:
    """The occupied compartments as ``state.loads``."""
    return tuple(Load(load_position=str(state.compartment)) for state in states if state.occupied)


def _parameter(
    key: str, kind: ValueDataType, text: str, *, optional: bool = False
) -> AgvActionParameter:
    return AgvActionParameter(key=key, value_data_type=kind, description=text, is_optional=optional)


def profile_actions() -> tuple[AgvAction, ...]:
    """Our actions as a factsheet declares them."""
    compartment = _parameter("compartment", ValueDataType.INTEGER, "Number, from 1.")
    delivery = _parameter("deliveryId", ValueDataType.STRING, "The delivery that this is for.")
    command = _parameter("commandId", ValueDataType.STRING, "Performed at most once.")
    return (
        AgvAction(
            action_type=OPEN_COMPARTMENT,
            action_description="Unlocks a compartment while the robot stands at a node.",
            action_scopes=(ActionScope.INSTANT,),
            action_parameters=(
                compartment,
                delivery,
                _parameter("nodeId", ValueDataType.STRING, "Where the robot must stand."),
                _parameter("validUntil", ValueDataType.STRING, "ISO 8601 UTC; refused later."),
                command,
                _parameter(
                    "signature",
                    ValueDataType.STRING,
                    "HMAC-SHA256 over topic and parameters, where the bus has no access control.",
                    optional=True,
                ),
            ),
            result_description="Why it was refused.",
        ),
        AgvAction(
            action_type=LOCK_COMPARTMENT,
            action_description="Locks a compartment whose lid is closed.",
            action_scopes=(ActionScope.INSTANT,),
            action_parameters=(compartment, delivery, command),
            result_description="Why it was refused.",
        ),
    )
