"""Decides what all robots and deliveries do next, given one state.

``settle`` runs after every input that may matter to a robot, in a fixed order: holds, deliveries,
goals, orders, charging, alerts, then what is to be sent. It is idempotent: without news it changes
nothing and sends nothing before a resend is due. The parts: ``holds``, ``handover`` (deliveries by
``delivery_life``), ``tours`` (assignment and goals), ``emptying``, ``driving`` (ways and releases
by ``claims`` and ``traffic``), ``charging``, ``sending``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from contracts.api import DeliveryState, SessionState
from contracts.units import MonoMs, RobotId, ZoneId
from contracts.vda5050.profile import LidState
from controller.core import (
    alerts,
    blocking,
    charging,
    driving,
    emptying,
    fleet,
    handover,
    holds,
    interlock,
    low_battery,
    removals,
    sending,
    tours,
)
from controller.core.assignment import Ask, Offer
from controller.core.dispatch_live import Quiet
from controller.core.due import due
from controller.core.fleet import Duty, GoalKind, RobotLive
from controller.core.handover import standing_refusal, with_delivery
from controller.core.interlock import Clearance
from controller.core.outputs import Output
from controller.core.own_alerts import anywhere, lower, raise_alert, warn
from controller.core.sending import SENT_KEPT
from controller.core.standing import placed
from controller.core.state import Now, SiteState, changed, copied
from controller.core.tours import with_duty

__all__ = (
    "SENT_KEPT",
    "asks",
    "clearances",
    "enforced",
    "lower",
    "offers",
    "raise_alert",
    "same_or",
    "settle",
    "standing_refusal",
    "with_delivery",
    "with_duty",
)

QUIET_MS: Final = 500
# Without news only time-outs can fall due: they are tens of seconds, and may be late by this.
LOW_BATTERY_PERCENT: Final = 15.0  # the reserve that no tour may touch: somebody must look
CHARGED_PERCENT: Final = 25.0

Result = tuple[SiteState, tuple[Output, ...]]


def settle(site: SiteState, now: Now) -> Result:
    """Bring deliveries and robots to where the state of the site says they should be."""
    if not site.duties:
        return _without_robots(site, now)
    states = clearances(site, now.mono_ms)
    before = _parts(site)
    quiet = site.dispatch.quiet
    if quiet is not None and quiet.holds(before, states):
        if now.mono_ms < quiet.until_mono_ms:
            return site, ()
        if now.mono_ms < quiet.due_mono_ms:
            known = replace(quiet, until_mono_ms=MonoMs(now.mono_ms + QUIET_MS))
            return copied(site, dispatch=replace(site.dispatch, quiet=known)), ()
    after, outputs = _settled(site, states, now)
    if outputs or not _is_quiet(after, before):
        return after, outputs
    known = Quiet(before, states, MonoMs(now.mono_ms + QUIET_MS), due(after, now))
    return copied(after, dispatch=replace(after.dispatch, quiet=known)), ()


def _parts(site: SiteState) -> tuple[object, ...]:
    """All that a settling looks at beside zones and time."""
    return (
        site.duties,
        site.deliveries,
        site.robots,
        site.sessions,
        site.facilities,
        site.marks,
        site.plan,
    )


def _is_quiet(site: SiteState, before: tuple[object, ...]) -> bool:
    """Whether nothing was changed, and nothing is to be sent again soon."""
    if not all(one is other for one, other in zip(before, _parts(site), strict=True)):
        return False
    return not any(_expects(duty) for duty in site.duties.values())


def _expects(duty: Duty) -> bool:
    """Whether its robot has not answered something yet."""
    mission = duty.mission
    if mission is not None and not mission.waiting and not mission.settled:
        return True
    return any(row.status is None for row in duty.actions)


def _settled(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> Result:
    site = _known(site, now)
    site, snapshots = holds.settle(site, states, now)
    site = low_battery.settle(tours.indexed(site), now)
    site = handover.advance(tours.indexed(site), states, now)
    site = tours.assigned(tours.indexed(site), now)
    site = tours.indexed(site)
    waiting = charging.queue(site, now)
    if waiting != site.dispatch.queue:
        site = replace(site, dispatch=replace(site.dispatch, queue=waiting))
    for robot_id in site.duties:
        site = _directed(site, robot_id, now)
    site, commands = driving.settle(site, states, now)
    for robot_id in site.duties:
        site = with_duty(site, placed(site, site.duties[robot_id]))
        site = charging.settled(site, site.duties[robot_id], now)
    site = _robot_alerts(blocking.settle(site, now), now)
    site, sends = sending.due(site, now)
    return site, (*snapshots, *commands, *sends)


def _without_robots(site: SiteState, now: Now) -> Result:
    if all(row.ended for row in site.deliveries.values()):
        return site, ()
    site = handover.advance(site, {}, now)
    return tours.assigned(site, now), ()


def _known(site: SiteState, now: Now) -> SiteState:
    """Where robots are, and since when each waits: from this start on where nothing is known."""
    for duty in tuple(site.duties.values()):
        site = with_duty(site, placed(site, duty))
    if len(site.dispatch.since) >= len(site.duties):
        return site
    since = {name: site.dispatch.since.get(name, now.mono_ms) for name in site.duties}
    return copied(site, dispatch=replace(site.dispatch, since=since))


def _directed(site: SiteState, robot_id: RobotId, now: Now) -> SiteState:
    site = removals.settle(site, site.duties[robot_id], now)
    duty = tours.directed(site, site.duties[robot_id])
    goal = duty.goal
    if goal is not None and goal.kind is GoalKind.HOME and duty.mission is None:
        others = [
            row.refuge
            for row in site.duties.values()
            if row.robot_id != robot_id and row.refuge is not None
        ]
        best = charging.refuge_for(site, duty, others, now)
        if best is not None and best != goal.node:
            duty = replace(duty, goal=replace(goal, node=best))
    site = with_duty(site, emptying.without_stale(site, duty))
    return emptying.settle(site, site.duties[robot_id], now)


def clearances(site: SiteState, mono_ms: MonoMs) -> Mapping[ZoneId, Clearance]:
    """What robots may assume of each zone. While nothing is sealed or delivered all are clear."""
    if not enforced(site):
        return dict.fromkeys(site.plan.zones, Clearance.CLEAR)
    return {
        zone.id: interlock.clearance(zone, site.sights.get(zone.id), mono_ms)
        for zone in site.plan.zones.values()
    }


def enforced(site: SiteState) -> bool:
    """Whether people and robots must be kept apart now."""
    sealed = any(row.state is SessionState.SEALED for row in site.sessions.values())
    return sealed or any(not row.ended for row in site.deliveries.values())


def same_or(
    duties: Mapping[RobotId, Duty], robot_id: RobotId, duty: Duty
) -> Mapping[RobotId, Duty]:
    """The duties with one set; the very same mapping when it says nothing new."""
    return duties if duties.get(robot_id) == duty else changed(duties, robot_id, duty)


def offers(site: SiteState, now: Now) -> tuple[Offer, ...]:
    """Every robot that can take a tour, now or later, for assignment and for guesses."""
    return tours.offers(site, now)


def asks(site: SiteState) -> tuple[Ask, ...]:
    """Every delivery that waits for a robot."""
    return tours.asks(site)


# --- alerts on robots --------------------------------------------------------------------------


def _robot_alerts(site: SiteState, now: Now) -> SiteState:
    for duty in site.duties.values():
        live = site.robots.get(duty.robot_id, RobotLive())
        report = live.report
        if report is None or report.charging or not live.online(now.mono_ms):
            continue
        if duty.removed is not None:
            continue
        if report.battery_percent < LOW_BATTERY_PERCENT:
            site = warn(site, alerts.BATTERY_LOW, duty.robot_id, anywhere(site), now)
    for mark in tuple(site.marks):
        rule, _, subject = mark.partition("|")
        if rule not in _OVER:
            continue
        found = site.duties.get(subject)
        if found is not None and _is_over(site, rule, found, now.mono_ms):
            site = lower(site, rule, subject, now)
    return site


_OVER: Final = frozenset(
    {
        alerts.LOCK_FAILED,
        alerts.LID_OPEN,
        alerts.ROBOT_LOST,
        alerts.ROBOT_ERROR,
        alerts.PIN_LOCKED,
        alerts.NOT_COLLECTED,
        alerts.STRANDED,
        alerts.BATTERY_LOW,
    }
)


def _is_over(  # noqa: PLR0911  # one rule each
    site: SiteState, rule: str, duty: Duty, mono_ms: MonoMs
) -> bool:
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    boxes = report.compartments if report is not None else ()
    match rule:
        case alerts.LOCK_FAILED:
            return bool(boxes) and all(box.shut for box in boxes)
        case alerts.LID_OPEN:
            return bool(boxes) and all(box.lid is LidState.CLOSED for box in boxes)
        case alerts.ROBOT_LOST:
            return live.online(mono_ms)
        case alerts.ROBOT_ERROR:
            return duty.refusals == 0
        case alerts.PIN_LOCKED:
            rows = tours.carried(site, duty.robot_id)
            return not any(row.pin_tries_left == 0 and _waits(row.state) for row in rows)
        case alerts.NOT_COLLECTED:
            return not any(_waits(row.state) for row in tours.carried(site, duty.robot_id))
        case alerts.STRANDED:
            fit = report is not None and live.online(mono_ms)
            fit = fit and report is not None and fleet.unfit(duty, report) is None
            return fit and not any(row.occupied for row in boxes)
        case alerts.BATTERY_LOW:
            return report is not None and report.battery_percent > CHARGED_PERCENT
        case _:
            return False


def _waits(state: DeliveryState) -> bool:
    return state is DeliveryState.ARRIVED
