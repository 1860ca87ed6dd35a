"""Holds the parts of the standard, and how a check can end."""

from enum import StrEnum


class Group(StrEnum):
    """Which part of the standard a rule belongs to, in the order of checking."""

    CONNECTION = "connection"
    STATE = "state"
    FACTSHEET = "factsheet"
    ORDERS = "orders"
    REFUSALS = "refusals"
    CANCEL = "cancel"
    ACTIONS = "actions"
    MESSAGES = "messages"
    """Looks at all that the vehicle said meanwhile, so it comes late."""
    LOSS = "loss"
    """The vehicle is cut off; nothing can come after that."""


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


class Unmet(Exception):
    """A rule is not met: what it expects, and what was seen."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected = expected
        self.seen = seen


class NotApplicable(Exception):
    """A rule says nothing of this vehicle, and why."""


def demand(held: object, expected: str, seen: object) -> None:
    """Fail the rule unless it held.

    Raises:
        Unmet: it did not.
    """
    if not held:
        raise Unmet(expected, str(seen)[:300] or "nothing")
