"""Holds what came of a played scenario: the alerts it raised, and how many people were counted."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.units import RuleCode


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert of a played scenario, in its milliseconds; ``cleared_ms`` None: never cleared."""

    code: RuleCode
    subject: str | None
    since_ms: int
    raised_ms: int
    cleared_ms: int | None
    mode: str
    severity: str

    @property
    def sounds(self) -> bool:
        """Whether a person would have been called by it."""
        return self.mode == "on" and self.severity in {"alarm", "warning"}


@dataclass(frozen=True, slots=True)
class HeadsSeen:
    """The fused count of the room at a time; None: unknown."""

    at_ms: int
    people: int | None


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two times of a rule, as it was set in the scenario."""

    dwell_ms: float
    clear_ms: float


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scenario. ``heads``: at each whole second; ``clocks``: of every rule."""

    alerts: tuple[Raised, ...]
    heads: tuple[HeadsSeen, ...]
    clocks: Mapping[RuleCode, Clocks]
