"""Holds what really happened in a simulated site, whatever the product believes."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.observations import Alert, SealApplied
from contracts.units import MessageId, NodeId
from runtime.clock import SimulatedClock
from runtime.outbox import Entry

STORY_LINES = 400  # enough to understand a failure, bounded for long days


class ViolationError(AssertionError):
    """The site did what it must never do; tells what, and when."""


@dataclass
class Truth:
    """Noted where it cannot be wrong: at the disks, at the vehicles' bolts, in people's hands."""

    clock: SimulatedClock
    start_ms: int
    alerts: dict[MessageId, list[Alert]] = field(default_factory=dict)
    """Every alert that an edge node has committed, in all its conditions, in order."""
    decided: dict[NodeId, list[MessageId]] = field(default_factory=lambda: defaultdict(list))
    """Commands to each node, in the order in which the controller committed them."""
    applied: dict[NodeId, list[MessageId]] = field(default_factory=lambda: defaultdict(list))
    """Commands that each node has committed, in its order."""
    right_pins: Counter[str] = field(default_factory=Counter)
    """How often the right PIN was typed for a delivery."""
    door_unlocks: Counter[str] = field(default_factory=Counter)
    """How often a compartment opened at a door, by delivery."""
    counts: Counter[str] = field(default_factory=Counter)
    """What the seed has tried, so that the suite can tell that it tried everything."""
    story: deque[str] = field(default_factory=lambda: deque(maxlen=STORY_LINES))
    violation: ViolationError | None = None

    @property
    def now_ms(self) -> int:
        """Simulated milliseconds since the day began."""
        return int(self.clock.mono_ms()) - self.start_ms

    def tell(self, what: str) -> None:
        """A line of the story that a failure prints."""
        self.story.append(f"{self.now_ms / 1000:8.2f}  {what}")

    def break_(self, what: str) -> None:
        """Note a violation; the first one counts."""
        self.tell(f"VIOLATION: {what}")
        if self.violation is None:
            self.violation = ViolationError(f"at {self.now_ms / 1000:.2f} s: {what}")

    def raise_first(self) -> None:
        """Raise the first violation, if there was one."""
        if self.violation is not None:
            raise self.violation

    def committed(self, node: NodeId, entries: Iterable[Entry]) -> None:
        """An edge node has these messages on its disk."""
        for entry in entries:
            match entry.message:
                case Alert() as alert:
                    self.alerts.setdefault(alert.alert_id, []).append(alert)
                    self.counts["alert"] += 1
                    self.tell(f"{node} alert {alert.alert_id} {alert.rule} {alert.condition}")
                case SealApplied() as applied:
                    self.applied[node].append(applied.command_id)
                    self.tell(f"{node} applied {applied.command_id} sealed={applied.sealed}")
