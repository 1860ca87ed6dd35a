"""Holds the rules of VDA 5050 2.1.0 that are checked, in their order, and how each ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from robot_bridge.conformance.probe import Probe
from robot_bridge.conformance.words import Group, Verdict

Check = Callable[[Probe], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the standard. ``drives``: the vehicle moves while it is checked."""

    clause: str
    text: str
    group: Group
    drives: bool
    check: Check

    @property
    def name(self) -> str:
        """Clause and text, as the table shows it."""
        return f"{self.clause} {self.text}"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rule ended. ``expected`` and ``seen`` are empty for a pass."""

    rule: Rule
    verdict: Verdict
    expected: str = ""
    seen: str = ""


RULES: Final[list[Rule]] = []
"""All rules in the order in which they are checked; the modules of checks fill it."""


def rule(clause: str, text: str, group: Group, *, drives: bool = False) -> Callable[[Check], Check]:
    """Register a check under its clause of VDA 5050 2.1.0."""

    def register(check: Check) -> Check:
        RULES.append(Rule(clause, text, group, drives, check))
        return check

    return register
