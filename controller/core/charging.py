"""Decides when a robot charges: whenever it stands idle at a charger, and before noon in any case.

A robot's refuge is a charger where there are chargers enough. Where there are fewer, idle robots
that are low, or that would not last over noon, wait for one in the order of their need (``queue``);
who is charged, or has far more than the one that waits, leaves its charger for a refuge without
one. A robot on a tour keeps no charger for itself while others wait. Only actions that a robot
declares are sent; others charge on contact.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.units import MonoMs, RobotId, UtcMs
from controller.core import capability, fleet, routing
from controller.core.fleet import ActionDuty, Duty, GoalKind, RobotLive, RobotReport
from controller.core.outputs import ActionKind
from controller.core.plan import SitePlan
from controller.core.state import Now, SiteState, changed

FULL_PERCENT: Final = 95.0  # the last percents take as long as the twenty before them
LOW_PERCENT: Final = 35.0  # below, an idle robot looks for a charger: a tour is refused at 25
NOON_PERCENT: Final = 80.0  # what a robot should begin noon with: a dozen tours and its reserve
GAP_PERCENT: Final = 40.0
# So much emptier, a robot gets the charger of another before that one is full: a swap costs both a
# drive, and this gap is charged in half an hour, so the two do not swap back.
CHARGED_GAP_PERCENT: Final = 10.0  # who is charged enough for noon leaves for less
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


def queue(site: SiteState, now: Now) -> tuple[RobotId, ...]:
    """Robots that want a charger and have none, the emptiest first: that is who gets the next."""
    rows: list[tuple[float, RobotId]] = []
    for duty in site.duties.values():
        report = _idle_report(site, duty, now)
        if report is None or duty.refuge in site.plan.chargers:
            continue
        if report.says_low or is_wanted(site.plan, report.battery_percent, now.utc_ms):
            rows.append((report.battery_percent, duty.robot_id))
    return tuple(name for _, name in sorted(rows))


def _idle_report(site: SiteState, duty: Duty, now: Now) -> RobotReport | None:
    """What a robot says that has nothing to do but to go home or stand there; else None."""
    live = site.robots.get(duty.robot_id, RobotLive())
    idle = duty.goal is not None and duty.goal.kind is GoalKind.HOME and duty.hold is None
    fit = live.report is not None and live.online(now.mono_ms)
    return live.report if idle and fit and duty.doubted is None else None


def refuge_for(site: SiteState, duty: Duty, others: Iterable[str], now: Now) -> str | None:
    """Where an idle robot is best: its home, a charger when it is its turn, or out of its way."""
    taken = set(others)
    plan, waiting = site.plan, site.dispatch.queue
    home = plan.robots[duty.robot_id].home_node
    report = site.robots.get(duty.robot_id, RobotLive()).report
    free = sorted(plan.chargers - taken - {duty.refuge})
    if duty.robot_id in waiting and free:
        turn = waiting.index(duty.robot_id)
        if turn < len(free):
            return home if home in free and turn == 0 else free[turn]
    if duty.refuge in plan.chargers and report is not None:
        if _yields(site, duty, len(free), now):
            return _parking(site, duty, taken, home)
        if home not in plan.chargers:
            full = report.battery_percent >= FULL_PERCENT
            return home if full and home not in taken else duty.refuge
    if home in plan.chargers and duty.refuge not in plan.chargers and waiting:
        return duty.refuge  # another needs it more; it goes home when nobody waits
    return home if home not in taken else duty.refuge


def _yields(site: SiteState, duty: Duty, free: int, now: Now) -> bool:
    """Whether a robot leaves its charger to one that needs it more: the fullest leaves first."""
    waiting = site.dispatch.queue[free:]
    if not waiting:
        return False
    levels: list[tuple[float, RobotId]] = []
    for row in site.duties.values():
        report = _idle_report(site, row, now)
        if report is not None and row.refuge in site.plan.chargers:
            levels.append((-report.battery_percent, row.robot_id))
    ranked = [name for _, name in sorted(levels)]
    if duty.robot_id not in ranked or ranked.index(duty.robot_id) >= len(waiting):
        return False
    mine, theirs = site.robots[duty.robot_id], site.robots[waiting[ranked.index(duty.robot_id)]]
    if mine.report is None or theirs.report is None:
        return False
    gap = mine.report.battery_percent - theirs.report.battery_percent
    charged = mine.report.battery_percent >= NOON_PERCENT and gap >= CHARGED_GAP_PERCENT
    return charged or gap >= GAP_PERCENT


def _parking(site: SiteState, duty: Duty, taken: set[str], home: str) -> str | None:
    """A refuge that is nobody's and no charger: its home, or the nearest; else it stays."""
    plan = site.plan
    if home not in taken | plan.chargers:
        return home
    if duty.at_node is None:
        return duty.refuge
    way = routing.way_out(plan, duty.at_node, frozenset(taken | plan.chargers))
    return way[-1] if way is not None else duty.refuge


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
