"""What a test seals with that has no cameras, nodes or people: every demand overridden by name."""

from typing import Final

from contracts.api.sessions import ActBody, SealDemand, SuspendReason

WHY: Final = "a test without a building"

ALL_OVERRIDDEN: Final = ActBody(overrides=dict.fromkeys(SealDemand, WHY))
"""For ``SessionActed(..., said=ALL_OVERRIDDEN)``; goes with every verb."""
SUSPENDED: Final = ActBody(
    suspension=SuspendReason.OVERNIGHT, reason=WHY, overrides=dict.fromkeys(SealDemand, WHY)
)
"""The same, and with all that suspending and cancelling need."""
OVERRIDES: Final[dict[str, object]] = {"overrides": {demand.value: WHY for demand in SealDemand}}
"""The body of ``POST /sessions/{id}/seal``: httpx's ``json=``."""
