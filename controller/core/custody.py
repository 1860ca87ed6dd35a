"""Decides what a delivery's custody record says: who could have opened the compartment."""

from typing import Final

from contracts.api import CustodyEvent
from contracts.units import UtcMs
from contracts.vda5050.profile import CompartmentState

EVENTS_MAX: Final = 200  # a delivery has some fifteen; more is a lid contact that chatters


def recorded(
    events: tuple[CustodyEvent, ...],
    what: str,
    by: str,
    utc_ms: UtcMs,
    *,
    node_id: str | None = None,
    compartment: CompartmentState | None = None,
) -> tuple[CustodyEvent, ...]:
    """The record with one event more; at the limit the newest is dropped."""
    if len(events) >= EVENTS_MAX:
        return events
    event = CustodyEvent(
        utc_ms=utc_ms,
        what=what,
        by=by,
        node_id=node_id,
        lid=compartment.lid if compartment else None,
        lock=compartment.lock if compartment else None,
    )
    return (*events, event)


def noticed(
    events: tuple[CustodyEvent, ...],
    compartment: CompartmentState | None,
    utc_ms: UtcMs,
    *,
    node_id: str | None,
) -> tuple[CustodyEvent, ...]:
    """The record after a look at the sensors: a line for each change of lid or lock."""
    if compartment is None:
        return events
    last = next((event for event in reversed(events) if event.lid is not None), None)
    if last is not None and (last.lid, last.lock) == (compartment.lid, compartment.lock):
        return events
    return recorded(events, "sensors", "robot", utc_ms, node_id=node_id, compartment=compartment)
