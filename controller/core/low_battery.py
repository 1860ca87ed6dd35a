"""Decides what a robot whose battery runs low on a tour still does, and what others do for it.

A tour is given with its reserve; a worn battery, a detour or a long wait may eat that. Then what
it has not loaded yet goes to other robots at once. What is loaded is brought as long as the robot
can still drive from that door to a charger; a meal that it cannot bring comes back to the kitchen
and is sent again with another robot, anything else comes back and ends. The stop that it stands at
it finishes: somebody is at its lid.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from contracts.api import DeliveryKind, DeliveryState, Sentence
from contracts.units import Bilingual, RobotId
from controller.core import custody, delivery_life, handover, proof, routing, tours
from controller.core.assignment import (
    DRIVE_PERCENT_PER_S,
    HAND_OVER_S,
    LOAD_S,
    STAND_PERCENT_PER_S,
)
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, RobotLive, RobotReport
from controller.core.names import robot_name
from controller.core.state import Now, SiteState, changed
from controller.core.tours import with_row

LOOK_EVERY_MS: Final = 5_000  # a percent lasts minutes
LOOKED_AT_PERCENT: Final = 40.0  # above, no tour of a site can come near its end
KEEP_PERCENT: Final = 12.0
# Three below the reserve with which tours are given: guesses err by that, and who gives a tour
# back for less would give back what it was just given.
FLOOR_PERCENT: Final = 8.0  # robots shut down at some five; it must be at a charger before
_NOT_LOADED: Final = frozenset({DeliveryState.TO_KITCHEN})
_ON_ITS_WAY: Final = frozenset({DeliveryState.TRAVELLING})


def settle(site: SiteState, now: Now) -> SiteState:
    """Look at every robot on a tour whose battery may not last."""
    for robot_id in site.duties:
        site = _looked_at(site, site.duties[robot_id], now)
    return site


def _looked_at(site: SiteState, duty: Duty, now: Now) -> SiteState:
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if duty.tour is None or report is None or not live.online(now.mono_ms) or report.charging:
        return site
    if duty.doubted is not None or duty.at_node is None or duty.removed is not None:
        return site
    if report.battery_percent >= LOOKED_AT_PERCENT and not report.says_low:
        return site
    key = f"{duty.robot_id}|battery"
    asked = site.dispatch.asked.get(key)
    if asked is not None and now.mono_ms - asked < LOOK_EVERY_MS:
        return site
    dispatch = replace(site.dispatch, asked=changed(site.dispatch.asked, key, now.mono_ms))
    site = replace(site, dispatch=dispatch)
    rows = _in_order(site, duty)
    left = report.battery_percent - _whole(site, duty.at_node, rows)
    if left >= KEEP_PERCENT and not report.says_low:
        return site
    for row in rows:
        if row.state in _NOT_LOADED:
            at = handover.at_of(site, row, now)
            why = _given_back(robot_name(site.plan, duty.robot_id), report)
            site = with_row(site, delivery_life.again_from_start(row, why, at))
    return _loaded(site, duty, report, now)


def _in_order(site: SiteState, duty: Duty) -> tuple[Delivery, ...]:
    names = duty.tour.deliveries if duty.tour is not None else ()
    rows = (site.deliveries.get(name) for name in names)
    return tuple(row for row in rows if row is not None and not row.ended)


def _loaded(site: SiteState, duty: Duty, report: RobotReport, now: Now) -> SiteState:
    """Bring what the battery allows, in the order of the doors; the rest comes back."""
    node, left = duty.at_node or "", report.battery_percent
    for row in _in_order(site, duty):
        door = site.plan.door_nodes.get(row.room_id)
        if row.state not in _ON_ITS_WAY or door is None:
            continue
        drive = _drive(site, node, (door,))
        stand = HAND_OVER_S * STAND_PERCENT_PER_S
        if left - drive - stand - _to_charger(site, duty, door) >= FLOOR_PERCENT:
            node, left = door, left - drive - stand
            continue
        site = with_row(site, _brought_back(site, row, duty.robot_id, report, now))
    return site


def _brought_back(
    site: SiteState, row: Delivery, robot_id: RobotId, report: RobotReport, now: Now
) -> Delivery:
    at = handover.at_of(site, row, now)
    percent = report.battery_percent
    name = robot_name(site.plan, robot_id)
    zh = f"{name.zh} 电量只剩 {percent:.0f}%，不足以送达，{row.compartment} 号箱格的物品送回厨房。"
    en = (
        f"{name.en} has {percent:.0f} % of battery left, too little for this door: what is in "
        f"compartment {row.compartment} comes back to the kitchen."
    )
    events = custody.recorded(
        row.custody, "battery_low", "controller", now.utc_ms, node_id=site.duties[robot_id].at_node
    )
    if row.kind is not DeliveryKind.MEAL:
        why = Sentence(zh=zh[:400], en=en[:400])
        return delivery_life.back(replace(row, custody=events), DeliveryState.FAILED, why, at)
    events = custody.recorded(events, "ordered_again", "controller", now.utc_ms)
    why = Sentence(zh=f"{zh}已改派。"[:400], en=f"{en} Another robot brings it again."[:400])
    row = replace(row, custody=events, zones=proof.closed(row.zones, now.utc_ms))
    return delivery_life.again_from_start(row, why, at)


def _given_back(name: Bilingual, report: RobotReport) -> Sentence:
    percent = report.battery_percent
    return Sentence(
        zh=f"{name.zh} 电量只剩 {percent:.0f}%，已改派。",
        en=f"{name.en} has {percent:.0f} % of battery left and goes to charge; another one goes.",
    )


# --- what is needed ---------------------------------------------------------------------------


def _whole(site: SiteState, node: str, rows: Iterable[Delivery]) -> float:
    """Percent that the rest of a tour takes, back in the kitchen at its end."""
    rows = tuple(rows)
    plan = site.plan
    doors = [
        plan.door_nodes[row.room_id]
        for row in rows
        if row.state in tours.LOADS | tours.AT_DOOR and row.room_id in plan.door_nodes
    ]
    loads = sum(1 for row in rows if row.state in tours.LOADS)
    first = (plan.kitchen_node,) if loads else ()
    stands_s = LOAD_S * loads + HAND_OVER_S * len(doors)
    drives = _drive(site, node, (*first, *doors, plan.kitchen_node))
    return drives + stands_s * STAND_PERCENT_PER_S


def _drive(site: SiteState, start: str, stops: Iterable[str]) -> float:
    """Percent for driving from stop to stop; a stop that cannot be reached costs all there is."""
    percent, here = 0.0, start
    for stop in stops:
        reach_s = routing.seconds_from(site.plan, here).get(stop)
        if reach_s is None:
            return 100.0
        percent, here = percent + reach_s * DRIVE_PERCENT_PER_S, stop
    return percent


def _to_charger(site: SiteState, duty: Duty, start: str) -> float:
    """Percent for driving to the nearest charger; to its home where there is none."""
    reached = routing.seconds_from(site.plan, start)
    nodes = site.plan.chargers or {site.plan.robots[duty.robot_id].home_node}
    near_s = min((reached[node] for node in nodes if node in reached), default=None)
    return 100.0 if near_s is None else near_s * DRIVE_PERCENT_PER_S
