"""Decides what a delivery's custody record says: who could have opened the compartment.

A line for each act, each change of lid, lock or place, and each time that nobody heard the robot
while something was inside. Bounded: what a chattering contact would fill is kept free for acts.
"""

from typing import Final

from contracts.api import CustodyEvent
from contracts.units import UtcMs
from contracts.vda5050.profile import CompartmentState

EVENTS_MAX: Final = 200  # a delivery has some fifteen acts and passes some thirty nodes
SENSED_MAX: Final = 150  # what sensors say leaves room for what people do
GAP_MS: Final = 5_000
# dispatch.md wants a word each second: a robot says its state every second or two, and one or two
# of them may be lost; the standard allows thirty, and such a robot's record shows it.
GAPS_MAX: Final = 12  # a robot that speaks this seldom always does: more lines say no more
GAP: Final = "gap"
SENSORS: Final = "sensors"


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
    if len(events) >= (SENSED_MAX if what in (GAP, SENSORS) else EVENTS_MAX):
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
    """The record after a look at the sensors: a line for each change of lid, lock or place."""
    if compartment is None:
        return events
    last = next((row for row in reversed(events) if row.lid is not None or row.what == GAP), None)
    if last is not None and (last.lid, last.lock, last.node_id) == (
        compartment.lid,
        compartment.lock,
        node_id,
    ):
        return events
    return recorded(events, SENSORS, "robot", utc_ms, node_id=node_id, compartment=compartment)


def unheard(
    events: tuple[CustodyEvent, ...], utc_ms: UtcMs, *, node_id: str | None
) -> tuple[CustodyEvent, ...]:
    """The record while the robot is silent: one line for each gap, where it was heard last.

    The next look at the sensors ends it.
    """
    if events and events[-1].what == GAP:
        return events
    if sum(1 for row in events if row.what == GAP) >= GAPS_MAX:
        return events
    return recorded(events, GAP, "controller", utc_ms, node_id=node_id)
