"""Decides until when time alone cannot change what a settling decides.

Every wait of dispatch is a moment at which something began, and a limit after which it is over.
All moments that are known are held against all limits: that names more moments than decide
anything, never fewer. ``tests/simulation/dispatch/test_due.py`` plays days with and without.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from contracts.api import DeliveryState
from contracts.units import MonoMs
from controller.core import (
    blocking,
    charging,
    claims,
    custody,
    deliveries,
    delivery_life,
    doors,
    driving,
    emptying,
    fleet,
    holds,
    lifts,
    low_battery,
    removals,
    tours,
)
from controller.core.fleet import Duty, RobotLive
from controller.core.state import Now, SiteState
from controller.core.traffic import PATIENCE_MS

LOOK_MS: Final = 10_000  # looked at again all the same: a limit that is forgotten here is so late
MINUTE_MS: Final = 60_000  # noon begins and ends on a minute


def _limits(*limits: int) -> tuple[int, ...]:
    """Limits in order, and the first millisecond after each: some waits last one longer."""
    return tuple(sorted({more for limit in limits for more in (limit, limit + 1)}))


_ROBOT: Final = _limits(
    fleet.SILENT_AFTER_MS,
    claims.DEAD_AFTER_MS,
    driving.STUCK_MS,
    delivery_life.LOST_MAX_MS,
    delivery_life.UNFIT_MAX_MS,
    delivery_life.STRANDED_MS,
)
_LADEN: Final = tuple(sorted((custody.GAP_MS + 1, *_ROBOT)))
"""Of a robot with something inside: its record shows when nobody heard it."""
_ACTION: Final = _limits(holds.HEEDED_MS, holds.REFUSED_MS, fleet.EFFECT_MAX_MS, holds.LET_MS)
_DELIVERY: Final = _limits(
    *(stay.limit_ms for stay in delivery_life.TABLE.values()),
    delivery_life.AGE_MAX_MS,
    delivery_life.WINDOW_GRACE_MS,
    delivery_life.COLLECT_WARN_MS,
    delivery_life.LID_MAX_MS,
    delivery_life.TRAY_MAX_MS,
)
_ASKED: Final = _limits(
    charging.ASK_AGAIN_MS,
    charging.STOP_MAX_MS,
    emptying.OPEN_AGAIN_MS,
    emptying.EMPTY_MAX_MS,
    removals.CANCEL_AGAIN_MS,
    low_battery.LOOK_EVERY_MS,
)
_FACILITY: Final = _limits(
    doors.RESEND_MS, doors.RENEW_MS, doors.HELD_MAX_MS, lifts.RESEND_MS, lifts.RENEW_MS
)


def due(site: SiteState, now: Now) -> MonoMs:
    """When a settling must look again, if nothing is heard until then."""
    if any(_rolls(duty) for duty in site.duties.values()):
        return now.mono_ms
    mono_ms = now.mono_ms
    best = min(mono_ms + LOOK_MS, mono_ms + MINUTE_MS - now.utc_ms % MINUTE_MS)
    for moment, limits in _waits(site, mono_ms - now.utc_ms):
        place = bisect_right(limits, mono_ms - moment)
        if place < len(limits):
            best = min(best, moment + limits[place])
    for moment in _moments(site, mono_ms):
        if mono_ms < moment < best:
            best = moment
    return MonoMs(best)


def _rolls(duty: Duty) -> bool:
    """Whether it nears a shut zone: where it would come to stand changes with every moment."""
    return duty.mission is not None and bool(duty.held_for) and not duty.pause_wanted


def _waits(site: SiteState, shift: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """What began when, by the monotonic clock, and the limits that it may have."""
    laden = {row.robot_id for row in site.deliveries.values() if row.cargo and not row.ended}
    for robot_id, live in site.robots.items():
        yield from _of_robot(live, _LADEN if robot_id in laden else _ROBOT)
    for duty in site.duties.values():
        for action in duty.actions:
            yield action.asked_utc_ms + shift, _ACTION
            yield (action.valid_until_utc_ms or 0) + shift, _NOW
        yield duty.paused_utc_ms + shift, _ACTION
        for let in duty.let:
            yield let.utc_ms + shift, _ACTION
    for row in site.deliveries.values():
        if row.ended:
            continue
        yield row.since_mono_ms, _DELIVERY
        yield row.ordered_utc_ms + shift, _DELIVERY
        if row.pin_locked_mono_ms is not None:
            yield row.pin_locked_mono_ms + deliveries.lock_ms(row.pin_locks), _NOW
        if row.window is not None:
            yield row.window.from_utc_ms + shift, _DELIVERY
            yield row.window.until_utc_ms + shift, _DELIVERY
    for asked in site.dispatch.asked.values():
        yield asked, _ASKED
    yield from _of_facilities(site)


_NOW: Final = _limits(0)


def _of_robot(live: RobotLive, limits: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    yield live.report_mono_ms, limits
    yield live.silent_since_mono_ms, limits
    yield live.moved_mono_ms, limits
    if live.unfit_since_mono_ms is not None:
        yield live.unfit_since_mono_ms, limits


def _of_facilities(site: SiteState) -> Iterator[tuple[int, tuple[int, ...]]]:
    for name, door in site.facilities.doors.items():
        plan = site.plan.doors[name]
        yield door.since_mono_ms, (*_limits(plan.open_within_ms, plan.close_within_ms), *_HELD)
        yield door.sent_mono_ms, _FACILITY
    for name, lift in site.facilities.lifts.items():
        yield lift.since_mono_ms, _limits(*lifts.limits_ms(site.plan.lifts[name]))
        yield lift.sent_mono_ms, _FACILITY
        yield lift.passed_until_mono_ms, _NOW


_HELD: Final = _limits(doors.HELD_MAX_MS)


def _moments(site: SiteState, mono_ms: MonoMs) -> Iterator[int]:
    """Moments that are known as such: tries that wait, plans made by the clock, patience."""
    for robot_id in site.duties:
        yield site.sent.get(driving.retry_key(robot_id), 0)
    if any(row.state is DeliveryState.REQUESTED for row in site.deliveries.values()):
        yield _next(mono_ms, tours.PLAN_EVERY_MS)
    live = site.dispatch
    waits = any(_waits_long(site, duty, mono_ms) for duty in site.duties.values())
    if waits or live.blocked or live.blocking:
        yield live.looked_mono_ms + blocking.LOOK_EVERY_MS
    for since in live.since.values():
        yield since + blocking.WAITS_MS
        # Grants are judged anew each second: by the first look in it, and after the patience is at
        # its end by the first of the next.
        over = since + PATIENCE_MS
        yield _next(over, driving.GRANTS_EVERY_MS) - driving.GRANTS_EVERY_MS
        yield over
        yield _next(over, driving.GRANTS_EVERY_MS)


def _waits_long(site: SiteState, duty: Duty, mono_ms: MonoMs) -> bool:
    """Whether a robot is not where it should be, and people may be told who keeps it."""
    goal, since = duty.goal, site.dispatch.since.get(duty.robot_id, mono_ms)
    away = goal is not None and duty.at_node != goal.node
    return away and mono_ms - since >= blocking.WAITS_MS


def _next(mono_ms: int, every_ms: int) -> int:
    return (mono_ms // every_ms + 1) * every_ms
