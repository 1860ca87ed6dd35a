"""A delivery in any of its states, said by what matters to a test."""

from dataclasses import replace

from contracts.api import DeliveryBody, DeliveryState, OrderLine
from contracts.units import MonoMs, UtcMs
from controller.core import deliveries
from controller.core.deliveries import Delivery

EARLY = (DeliveryState.PROPOSED, DeliveryState.REQUESTED)


def a_delivery(state: DeliveryState, **changes: object) -> Delivery:
    """Tea for room-1; from ``to_kitchen`` on in compartment 1 of robot-1."""
    made = deliveries.order(
        "d-1",
        DeliveryBody(room_id="room-1", lines=(OrderLine(dish="tea", count=1),)),
        by="tab",
        session_id=None,
        pin_digest="x",
        idempotency_key=None,
        mono_ms=MonoMs(0),
        utc_ms=UtcMs(0),
    )
    if state not in EARLY:
        made = replace(made, robot_id="robot-1", compartment=1)
    return replace(made, state=state, **changes)  # type: ignore[arg-type]  # fields by name
