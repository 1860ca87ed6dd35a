"""Holds what a simulated run came to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """What must never happen, and did. ``judge`` names the rule that was broken."""

    at_s: float
    judge: str
    text: str


class BrokenError(Exception):
    """The world stops: a judge has seen a violation."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(f"{violation.judge}: {violation.text}")
        self.violation = violation


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """One order's end. ``taken_s``: when its meal was truly taken out at its room; None: never."""

    id: str
    room_id: str
    state: str
    ordered_s: float
    taken_s: float | None
    ended_s: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to. ``load_s``: seconds that each exclusive resource was truly occupied."""

    seed: int
    map: str
    violation: Violation | None
    simulated_s: float
    wall_s: float
    orders: tuple[OrderOutcome, ...]
    counts: Mapping[str, int] = field(default_factory=Counter)
    load_s: Mapping[str, float] = field(default_factory=dict)
    work_s: Mapping[str, float] = field(default_factory=dict)
    """Robot -> seconds on the move or at work with people."""
    trace: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.violation is None

    @property
    def delivered(self) -> int:
        """Meals that were truly taken out at their rooms."""
        return sum(row.taken_s is not None for row in self.orders)

    @property
    def makespan_s(self) -> float:
        """From the first order to the last meal taken."""
        taken = [row.taken_s for row in self.orders if row.taken_s is not None]
        return max(taken) - min(row.ordered_s for row in self.orders) if taken else 0.0

    @property
    def per_hour(self) -> float:
        """Deliveries an hour over the makespan."""
        return self.delivered / self.makespan_s * 3600 if self.makespan_s else 0.0
