"""Decides whether a compartment may be unlocked or locked now, and when that is done."""

from typing import Final

from contracts.units import UtcMs
from contracts.vda5050.profile import LidState, LockCompartment, LockState, OpenCompartment
from robot_bridge.core.vehicle import Reading

BOLT_TIMEOUT_MS: Final = 10_000
# A bolt moves within a second; after ten it is stuck, and a person at the door should hear so.

PERFORMED_MAX: Final = 1_000
# A day has some hundred deliveries. What is older than the newest thousand commands has long passed
# its own `validUntil`, which is the second guard against a replay.


def open_refusal(
    command: OpenCompartment,
    *,
    reading: Reading,
    standing_at: str | None,
    performed: tuple[str, ...],
    utc_ms: UtcMs,
) -> str | None:
    """Why a compartment stays locked, in words; None when it may be unlocked now."""
    if command.command_id in performed:
        return f"command {command.command_id:.40} was performed before"
    if reading.compartment(command.compartment) is None:
        return f"there is no compartment {command.compartment}"
    if utc_ms > command.valid_until_utc_ms:
        return "validUntil has passed"
    if reading.driving:
        return "the robot is driving"
    if standing_at != command.node_id:
        where = f"at {standing_at:.40}" if standing_at else "at no node"
        return f"the robot stands {where}, not at {command.node_id:.40}"
    return None


def lock_refusal(
    command: LockCompartment, *, reading: Reading, performed: tuple[str, ...]
) -> str | None:
    """Why a compartment cannot be locked, in words; None when it can."""
    if command.command_id in performed:
        return f"command {command.command_id:.40} was performed before"
    state = reading.compartment(command.compartment)
    if state is None:
        return f"there is no compartment {command.compartment}"
    if state.lid is LidState.OPEN:
        return f"the lid of compartment {command.compartment} is open"
    return None


def is_unlocked(reading: Reading, compartment: int) -> bool:
    """The bolt is drawn back."""
    state = reading.compartment(compartment)
    return state is not None and state.lock is LockState.UNLOCKED


def is_shut(reading: Reading, compartment: int) -> bool:
    """The lid is closed and the bolt pushed."""
    state = reading.compartment(compartment)
    return state is not None and state.shut


def remember(performed: tuple[str, ...], command_id: str) -> tuple[str, ...]:
    """The performed commands with one more, bounded."""
    return (*performed, command_id)[-PERFORMED_MAX:]
