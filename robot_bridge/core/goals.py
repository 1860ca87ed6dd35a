"""Decides which goal a navigation gets next: one node after another, retries, and what is left."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import atan2
from typing import Final

from contracts.units import MonoMs
from robot_bridge.core.vehicle import Drive, DriveFailed, Passed, Pose, VehicleEvent, Waypoint

CANCEL_AGAIN_MS: Final = 100
# A goal that was given just before a cancel may begin after it: cancelled until none runs.
ARRIVED_M: Final = 0.5
# As near as the core wants a robot to its node; farther away "arrived" is not believed.
MOVED_M: Final = 0.1
TURNED_RAD: Final = 0.2


class Phase(StrEnum):
    """How the goal stands."""

    NONE = "none"
    UNSENT = "unsent"
    """Wanted, but the navigation was not there."""
    SENT = "sent"
    TAKEN = "taken"
    WAITING = "waiting"
    """Failed; given again at ``due``."""


class Outcome(StrEnum):
    """How the navigation ended a goal."""

    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    ABORTED = "aborted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Retrying:
    """How patient the bridge is with a navigation."""

    pass_m: float
    retries: int
    retry_ms: int
    answer_ms: int
    stuck_ms: int


@dataclass(frozen=True, slots=True)
class SendGoal:
    """Give the navigation this goal; it takes the place of any earlier one."""

    number: int
    x_m: float
    y_m: float
    theta_rad: float
    max_speed_mps: float | None


@dataclass(frozen=True, slots=True)
class CancelGoals:
    """Cancel whatever the navigation does."""


Step = SendGoal | CancelGoals | VehicleEvent


@dataclass(frozen=True, slots=True)
class Pilot:
    """The route that is left, and how its first node stands as a goal.

    ``number`` is that of the newest goal; ``due`` is when its phase has lasted too long.
    """

    retrying: Retrying
    order_id: str = ""
    route: tuple[Waypoint, ...] = ()
    phase: Phase = Phase.NONE
    number: int = 0
    attempts: int = 0
    due: MonoMs = MonoMs(0)
    cancel_due: MonoMs = MonoMs(0)
    progress: Pose | None = None
    """Where the robot was when it last got on."""


Turn = tuple[Pilot, tuple[Step, ...]]


def told(pilot: Pilot, drive: Drive, pose: Pose, now: MonoMs, *, up: bool) -> Turn:
    """A new route. A goal that is also its first node stays; the robot drives through."""
    if any(point.map_id != pose.map_id for point in drive.route):
        failed = DriveFailed(drive.order_id, "the route leads to another map")
        return _forgotten(pilot, now), (CancelGoals(), failed)
    kept = (
        pilot.route[:1] == drive.route[:1]
        and pilot.order_id == drive.order_id
        and pilot.phase is not Phase.NONE
    )
    pilot = replace(pilot, order_id=drive.order_id, route=drive.route)
    return (pilot, ()) if kept else _send(replace(pilot, attempts=0), pose, now, up=up)


def halted(pilot: Pilot, now: MonoMs) -> Turn:
    """Forget the route and stand."""
    return _forgotten(pilot, now), (CancelGoals(),)


def seen(pilot: Pilot, pose: Pose, now: MonoMs, *, up: bool) -> Turn:
    """The robot is here: nodes that it comes near are passed; the last one must be reached."""
    if pilot.phase not in (Phase.SENT, Phase.TAKEN) or not pilot.route:
        return pilot, ()
    point = pilot.route[0]
    if len(pilot.route) > 1 and pose.distance_m(point.x_m, point.y_m) <= pilot.retrying.pass_m:
        return _passed(pilot, pose, now, up=up)
    if _got_on(pilot.progress, pose):
        due = _after(now, pilot.retrying.stuck_ms) if pilot.phase is Phase.TAKEN else pilot.due
        return replace(pilot, progress=pose, due=due), ()
    return pilot, ()


def taken(pilot: Pilot, number: int, now: MonoMs) -> Turn:
    """The navigation works on a goal."""
    if number != pilot.number or pilot.phase is not Phase.SENT:
        return pilot, ()
    return replace(pilot, phase=Phase.TAKEN, due=_after(now, pilot.retrying.stuck_ms)), ()


def ended(
    pilot: Pilot, number: int, outcome: Outcome, words: str, pose: Pose, now: MonoMs, *, up: bool
) -> Turn:
    """The navigation has ended a goal; of an earlier one nobody asks any more."""
    if number != pilot.number or pilot.phase not in (Phase.SENT, Phase.TAKEN) or not pilot.route:
        return pilot, ()
    if outcome is not Outcome.SUCCEEDED:
        return _failed(pilot, f"the navigation {outcome} the goal{words and ': '}{words}", now)
    point = pilot.route[0]
    off_m = pose.distance_m(point.x_m, point.y_m)
    if off_m > ARRIVED_M:
        return _failed(pilot, f"the navigation says arrived, {off_m:.1f} m from the node", now)
    return _passed(pilot, pose, now, up=up)


def lost(pilot: Pilot) -> Pilot:
    """The navigation has died, and its goal with it: given again when it is back."""
    return pilot if pilot.phase is Phase.NONE else replace(pilot, phase=Phase.UNSENT, attempts=0)


def tick(pilot: Pilot, pose: Pose, now: MonoMs, *, up: bool, busy: bool) -> Turn:
    """See what is due. ``up``: the navigation lives; ``busy``: it works on some goal."""
    match pilot.phase:
        case Phase.NONE if busy and now >= pilot.cancel_due:
            return replace(pilot, cancel_due=_after(now, CANCEL_AGAIN_MS)), (CancelGoals(),)
        case Phase.UNSENT if up:
            return _send(pilot, pose, now, up=up)
        case Phase.WAITING if now >= pilot.due:
            return _send(pilot, pose, now, up=up)
        case Phase.SENT if now >= pilot.due:
            return _failed(pilot, "the navigation does not take the goal", now)
        case Phase.TAKEN if now >= pilot.due:
            seconds = pilot.retrying.stuck_ms / 1000
            return _failed(pilot, f"the robot has not moved for {seconds:.0f} s", now)
        case _:
            return pilot, ()


def _passed(pilot: Pilot, pose: Pose, now: MonoMs, *, up: bool) -> Turn:
    passed = Passed(pilot.order_id, pilot.route[0].sequence_id)
    pilot = replace(pilot, route=pilot.route[1:], attempts=0)
    if not pilot.route:
        return replace(pilot, phase=Phase.NONE, cancel_due=now), (passed,)
    pilot, steps = _send(pilot, pose, now, up=up)
    return pilot, (passed, *steps)


def _failed(pilot: Pilot, reason: str, now: MonoMs) -> Turn:
    attempts = pilot.attempts + 1
    if attempts > pilot.retrying.retries:
        return _forgotten(pilot, now), (CancelGoals(), DriveFailed(pilot.order_id, reason))
    due = _after(now, pilot.retrying.retry_ms)
    return replace(pilot, phase=Phase.WAITING, attempts=attempts, due=due), ()


def _forgotten(pilot: Pilot, now: MonoMs) -> Pilot:
    due = _after(now, CANCEL_AGAIN_MS)
    return replace(pilot, route=(), phase=Phase.NONE, attempts=0, cancel_due=due)


def _send(pilot: Pilot, pose: Pose, now: MonoMs, *, up: bool) -> Turn:
    if not pilot.route:
        return _forgotten(pilot, now), (CancelGoals(),)
    if not up:
        return replace(pilot, phase=Phase.UNSENT), ()
    number = pilot.number + 1
    point = pilot.route[0]
    theta = _facing(pilot.route, pose)
    due = _after(now, pilot.retrying.answer_ms)
    sent = replace(pilot, phase=Phase.SENT, number=number, due=due, progress=pose)
    return sent, (SendGoal(number, point.x_m, point.y_m, theta, point.max_speed_mps),)


def _facing(route: tuple[Waypoint, ...], pose: Pose) -> float:
    """The node's own heading; else on to the next node; at the end as the robot comes."""
    point = route[0]
    if point.theta_rad is not None:
        return point.theta_rad
    if len(route) > 1:
        return atan2(route[1].y_m - point.y_m, route[1].x_m - point.x_m)
    if pose.distance_m(point.x_m, point.y_m) < MOVED_M:
        return pose.theta_rad
    return atan2(point.y_m - pose.y_m, point.x_m - pose.x_m)


def _got_on(before: Pose | None, pose: Pose) -> bool:
    return (
        before is None
        or before.distance_m(pose.x_m, pose.y_m) > MOVED_M
        or abs(before.theta_rad - pose.theta_rad) > TURNED_RAD
    )


def _after(now: MonoMs, wait_ms: int) -> MonoMs:
    return MonoMs(now + wait_ms)
