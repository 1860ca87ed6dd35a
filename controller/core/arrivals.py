"""Decides when a delivery comes to its door, as far as the plan knows: an estimate or nothing.

Nothing is said of what waits for a person: an approval, a held or alarmed robot, a zone, a fire.
"""

import itertools
from typing import Final

from contracts.api import DeliveryKind, DeliveryState
from contracts.units import UtcMs
from controller.core import assignment, fleet, ordering, tours
from controller.core.assignment import HAND_OVER_S, LOAD_S
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, RobotLive
from controller.core.plan import SitePlan, route
from controller.core.state import Now, SiteState

KNOWN_AHEAD_MS: Final = 60 * 60_000
"""Before a window that begins later than this no robot is planned for it: nobody knows more."""

_TO_LOAD: Final = frozenset({DeliveryState.TO_KITCHEN, DeliveryState.LOADING})
_TO_DOOR: Final = frozenset({DeliveryState.LOCKING, DeliveryState.TRAVELLING})
_AT_DOOR: Final = frozenset({DeliveryState.ARRIVED, DeliveryState.UNLOCKING, DeliveryState.OPEN})


def about(site: SiteState, row: Delivery, now: Now) -> UtcMs | None:
    """When it will be at its door, about; None: it is there, is over, or nobody knows."""
    window = row.window
    if row.room_id not in site.plan.door_nodes or site.facilities.fire:
        return None
    if window is not None and window.from_utc_ms - now.utc_ms > KNOWN_AHEAD_MS:
        return None
    if row.state is DeliveryState.REQUESTED:
        ask = tours.ask_of(site.plan, row)
        at = assignment.earliest(
            site.plan, tours.offers(site, now), tours.asks(site), ask, now.utc_ms
        )
    elif row.state in _TO_LOAD | _TO_DOOR:
        left_s = _left_s(site, row, now)
        at = None if left_s is None else UtcMs(now.utc_ms + round(left_s * 1_000))
    else:
        return None
    if at is None:
        return None
    if row.state not in _TO_DOOR:
        at = max(at, _cooked(site, row))
    return max(at, window.from_utc_ms) if window is not None else at


def is_late(row: Delivery, at: UtcMs | None) -> bool:
    """Whether that is later than was wished."""
    return at is not None and row.window is not None and at > row.window.until_utc_ms


def _cooked(site: SiteState, row: Delivery) -> UtcMs:
    """When a meal can be at the door at the earliest: cooked, loaded, driven."""
    if row.kind is not DeliveryKind.MEAL or row.state is DeliveryState.LOADING:
        return UtcMs(0)
    plan = site.plan
    door = plan.door_nodes[row.room_id]
    drive_s = plan.lanes.from_stop.get(plan.kitchen_node, {}).get(door, 0.0)
    prepare_ms = ordering.menu_in(site.ordering).terms.prepare_min * ordering.MINUTE_MS
    return UtcMs(row.ordered_utc_ms + prepare_ms + round((LOAD_S + drive_s) * 1_000))


def _left_s(site: SiteState, row: Delivery, now: Now) -> float | None:
    """Seconds until its robot is at the door, with what it does before; None: it waits."""
    duty = site.duties.get(row.robot_id or "")
    if duty is None or not _goes(site, duty, now) or duty.at_node is None:
        return None
    plan, here, left_s = site.plan, duty.at_node, 0.0
    rows = tours.carried(site, duty.robot_id)
    loads = sum(one.state in _TO_LOAD for one in rows)
    if loads:
        way_s = _way_s(plan, here, plan.kitchen_node)
        if way_s is None:
            return None
        here, left_s = plan.kitchen_node, way_s + loads * LOAD_S
    for one in _before(duty, rows, row):
        door = plan.door_nodes.get(one.room_id)
        way_s = _way_s(plan, here, door) if door is not None else None
        if way_s is None or door is None:
            return None
        left_s += way_s
        here = door
        if one.id != row.id:
            left_s += HAND_OVER_S
    return left_s


def _before(duty: Duty, rows: tuple[Delivery, ...], row: Delivery) -> tuple[Delivery, ...]:
    """The deliveries whose doors its robot visits first, in their order, and itself."""
    order = duty.tour.deliveries if duty.tour is not None else ()
    by_id = {one.id: one for one in rows if one.state in _TO_LOAD | _TO_DOOR | _AT_DOOR}
    first = tuple(itertools.takewhile(lambda name: name != row.id, order))
    return (*(by_id[name] for name in first if name in by_id), row)


def _goes(site: SiteState, duty: Duty, now: Now) -> bool:
    """Whether nothing but the way lies between a robot and where it drives."""
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or not live.online(now.mono_ms) or report.paused:
        return False
    free = duty.hold is None and not duty.held_for and duty.removed is None
    return free and fleet.unfit(duty, report) is None


def _way_s(plan: SitePlan, start: str, goal: str) -> float | None:
    """How long a robot drives from node to node; None where no way leads."""
    way = route(plan, start, goal)
    if way is None:
        return None
    return sum(plan.lanes.seconds[pair] for pair in itertools.pairwise(way))
