"""Decides what is done about an error that a robot reports, by its level and its type.

=========  ====================================================================================
level      what is done
=========  ====================================================================================
WARNING    What the table of types says; nothing where it has no row.
URGENT     3.0: it goes on and takes orders, but somebody must look at once. It is told to
           people (``robot.fault``); its order stays.
CRITICAL   3.0: it cannot go on with its order, but takes others. The order is cancelled and a
           new one given from where it stands, with a pause between tries; people are told.
FATAL      It can do nothing until a person has looked after it. It gets nothing more and no
           new order, keeps its places, and people are told.
=========  ====================================================================================

==============================  ================================================================
type (2.x / 3.0)                what is done while it is a WARNING
==============================  ================================================================
orderError, validationError,    About the present order or update: it was refused. Cancelled
noRouteError, orderUpdateError  where the robot has it, and given anew from where it stands;
and the names that 3.0 has for  after three refusals people are told. About an update before the
them                            present one: a late copy, nothing. About no order: shown.
SAME_ORDER_UPDATE_ID,           The robot has a newer update or the same: a late copy, nothing.
OUTDATED_ORDER_UPDATE
noOrderToCancel                 Answers a cancelOrder: there is nothing left to cancel.
instantActionError and          Answers an action, whose own state says FAILED. People are told
INVALID_INSTANT_ACTION          when it was a lock or an unlock (``delivery.lock_failed``).
localizationLost                It must be put back on its map by hand: as FATAL.
driveFailed, NODE_UNREACHABLE   Its way is barred: as CRITICAL.
anything else                   With the present update's id: as a refusal. Else shown on the
                                robot's page.
==============================  ================================================================

``fleet.refused`` acts on AGAIN and RENEW, ``fleet.unfit`` on STOP, ``fleet_steps`` tells people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, assert_never


class ProblemLevel(StrEnum):
    """How bad a robot says an error is (the module says what each means here)."""

    WARNING = "WARNING"
    URGENT = "URGENT"
    CRITICAL = "CRITICAL"
    FATAL = "FATAL"


@dataclass(frozen=True, slots=True)
class RobotProblem:
    """An error in a robot's state; ``order_id`` when it speaks of an order, and which update."""

    type: str
    level: ProblemLevel = ProblemLevel.WARNING
    text: str = ""
    order_id: str | None = None
    order_update_id: int | None = None
    action_id: str | None = None
    cause: str = ""
    """3.0's own name of it."""

    @property
    def fatal(self) -> bool:
        """It cannot work until a person has looked after it."""
        return self.level is ProblemLevel.FATAL


class UnderWay(Protocol):
    """What of an order under way tells whether an error speaks of it."""

    @property
    def order_id(self) -> str: ...
    @property
    def update_id(self) -> int: ...
    @property
    def taken(self) -> bool: ...
    @property
    def settled(self) -> bool: ...


class Response(StrEnum):
    """What is done about one error."""

    SHOW = "show"
    ANSWERED = "answered"
    """It answers something of ours, which looks at its own state."""
    TELL = "tell"
    AGAIN = "again"
    """The order or update was refused: another from where the robot stands."""
    RENEW = "renew"
    """It cannot finish the order that it has: cancelled, then another."""
    STOP = "stop"


_ABOUT_ORDERS: Final = frozenset(
    {
        "orderError",
        "orderUpdateError",
        "validationError",
        "noRouteError",
        "INVALID_ORDER",
        "INVALID_ORDER_ACTION",
        "VALIDATION_FAILURE",
        "UNSUPPORTED_PARAMETER",
        "INSUFFICIENT_MEMORY",
        "NO_ROUTE_TO_TARGET",
        "OTHER_ORDER_ACTIVE",
        "START_NODE_OUT_OF_RANGE",
        "UNKNOWN_MAP_ID",
        "MOBILE_ROBOT_NOT_AVAILABLE",
        "ORDER_UPDATE_FOLLOWING_CANCEL",
    }
)
_LATE_COPIES: Final = frozenset({"SAME_ORDER_UPDATE_ID", "OUTDATED_ORDER_UPDATE"})
_TYPES: Final[Mapping[str, Response]] = {
    "noOrderToCancel": Response.ANSWERED,
    "NO_ORDER_TO_CANCEL": Response.ANSWERED,
    "instantActionError": Response.ANSWERED,
    "INVALID_INSTANT_ACTION": Response.ANSWERED,
    "localizationLost": Response.STOP,
    "LOCALIZATION_ERROR": Response.STOP,
    "driveFailed": Response.RENEW,
    "NODE_UNREACHABLE": Response.RENEW,
}
PREDEFINED: Final = frozenset({*_ABOUT_ORDERS, *_LATE_COPIES, *_TYPES})
"""Every type that the standard's versions name and that concerns a robot without zones of 3.0."""


def response(problem: RobotProblem, mission: UnderWay | None) -> Response:
    """What is done about one error of a robot that drives ``mission``."""
    match problem.level:
        case ProblemLevel.FATAL:
            return Response.STOP
        case ProblemLevel.CRITICAL:
            return _renewed(problem, mission)
        case ProblemLevel.URGENT:
            return Response.TELL
        case ProblemLevel.WARNING:
            return _warned(problem, mission)
        case _:
            assert_never(problem.level)


def _warned(problem: RobotProblem, mission: UnderWay | None) -> Response:
    name = problem.cause if problem.cause in PREDEFINED else problem.type
    if name in _LATE_COPIES:
        return Response.SHOW
    known = _TYPES.get(name)
    if known is Response.RENEW:
        return _renewed(problem, mission)
    if known is not None:
        return known
    if mission is None or problem.order_id != mission.order_id:
        return Response.SHOW
    if name not in _ABOUT_ORDERS and problem.order_update_id is None:
        return Response.SHOW
    present = problem.order_update_id in (None, mission.update_id)
    return Response.AGAIN if present and not mission.settled else Response.SHOW


def _renewed(problem: RobotProblem, mission: UnderWay | None) -> Response:
    """An error about another order says nothing about this one."""
    if mission is None or problem.order_id not in (None, mission.order_id):
        return Response.TELL
    return Response.RENEW if mission.taken else Response.AGAIN
