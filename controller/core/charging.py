"""Decides when a robot charges: whenever it stands idle at a charger, and before noon in any case.

A robot's refuge is a charger where there are chargers enough. Where there are fewer, an idle robot
that is low, or that would not last over noon, takes one that is free, and leaves it to others
when it is full. Only actions that a robot declares are sent; others charge on contact.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.units import MonoMs, UtcMs
from controller.core import capability, fleet
from controller.core.fleet import ActionDuty, Duty, RobotLive
from controller.core.outputs import ActionKind
from controller.core.plan import SitePlan
from controller.core.state import Now, SiteState, changed

FULL_PERCENT: Final = 95.0  # the last percents take as long as the twenty before them
LOW_PERCENT: Final = 35.0  # below, an idle robot looks for a charger: a tour is refused at 25
NOON_PERCENT: Final = 80.0  # what a robot should begin noon with: a dozen tours and its reserve
NOON_FROM_MIN: Final = 10 * 60 + 30  # half an hour charges 30 %
NOON_UNTIL_MIN: Final = 11 * 60 + 40
ASK_AGAIN_MS: Final = 60_000  # what a robot refused a minute ago it may do now
STOP_MAX_MS: Final = 15_000  # then it is told to drive all the same: most stop charging by that


def is_wanted(plan: SitePlan, battery_percent: float, utc_ms: UtcMs) -> bool:
    """Whether an idle robot should stand at a charger now."""
    if battery_percent < LOW_PERCENT:
        return True
    if battery_percent >= NOON_PERCENT:
        return False
    local = datetime.fromtimestamp(utc_ms / 1000, tz=UTC).astimezone(
        ZoneInfo(plan.site.config.time_zone)
    )
    return NOON_FROM_MIN <= local.hour * 60 + local.minute < NOON_UNTIL_MIN


def refuge_for(site: SiteState, duty: Duty, others: Iterable[str], now: Now) -> str | None:
    """Where an idle robot is best: its home, or a free charger when it needs one."""
    taken = set(others)
    plan = site.plan
    home = plan.robots[duty.robot_id].home_node
    report = site.robots.get(duty.robot_id, RobotLive()).report
    if report is not None and not plan.chargers.isdisjoint((home, duty.refuge)):
        needs = False  # what it has is a charger already, unless home is free again
    else:
        needs = report is not None and is_wanted(plan, report.battery_percent, now.utc_ms)
    if needs:
        free = sorted(plan.chargers - taken)
        if free:
            return free[0]
    if duty.refuge in plan.chargers and home not in plan.chargers and report is not None:
        full = report.battery_percent >= FULL_PERCENT
        return home if full and home not in taken else duty.refuge
    return home if home not in taken else duty.refuge


def settled(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """Ask an idle robot at a charger to charge."""
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or duty.mission is not None or duty.tour is not None:
        return site
    if report.charging or report.driving or duty.at_node not in site.plan.chargers:
        return site
    if report.battery_percent >= FULL_PERCENT or duty.goal is None:
        return site
    if duty.goal.node != duty.at_node or not _can(site, duty, ActionKind.START_CHARGING):
        return site
    if fleet.pending(duty, ActionKind.START_CHARGING) is not None:
        return site
    return _asked(site, duty, ActionKind.START_CHARGING, ASK_AGAIN_MS, now)


def may_leave(site: SiteState, duty: Duty, now: Now) -> bool:
    """Whether a robot is off its charger, or has been asked to leave it for long enough."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    if report is None or not report.charging or not _can(site, duty, ActionKind.STOP_CHARGING):
        return True
    asked = site.dispatch.asked.get(_key(duty, ActionKind.STOP_CHARGING))
    return asked is not None and now.mono_ms - asked > STOP_MAX_MS


def left(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """Ask a robot that is to drive to stop charging."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    if report is None or not report.charging or not _can(site, duty, ActionKind.STOP_CHARGING):
        return site
    return _asked(site, duty, ActionKind.STOP_CHARGING, ASK_AGAIN_MS, now)


def _can(site: SiteState, duty: Duty, kind: ActionKind) -> bool:
    found = capability.known(site.plan.robots[duty.robot_id], duty.declared)
    return found is not None and found.can(kind.value)


def _key(duty: Duty, kind: ActionKind) -> str:
    return f"{duty.robot_id}|{kind}"


def _asked(site: SiteState, duty: Duty, kind: ActionKind, every_ms: int, now: Now) -> SiteState:
    key = _key(duty, kind)
    before = site.dispatch.asked.get(key)
    if before is not None and now.mono_ms - before < every_ms:
        return site
    other = (
        ActionKind.STOP_CHARGING if kind is ActionKind.START_CHARGING else ActionKind.START_CHARGING
    )
    duty = fleet.without_open(fleet.without_open(duty, other), kind)
    action = ActionDuty(f"{duty.robot_id}-{duty.made + 1}-{now.utc_ms}", kind)
    asked = changed(site.dispatch.asked, key, MonoMs(now.mono_ms))
    return replace(
        site,
        duties=changed(site.duties, duty.robot_id, fleet.with_action(duty, action)),
        dispatch=replace(site.dispatch, asked=asked),
    )
