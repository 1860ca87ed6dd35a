"""Decides how the kitchen gets at what no delivery carries any more.

A robot that comes back after it was given up, or whose delivery was called off while it was loaded,
has something in a compartment that belongs to no delivery: it is opened in the kitchen, one lid at
a time, and counts as empty when its sensors say so. What nobody takes out is told; the robot
leaves the kitchen with it, under lock, and that compartment is not used.
"""

from dataclasses import replace
from typing import Final

from contracts.api import DeliveryState
from contracts.units import MonoMs
from contracts.vda5050.profile import LockState
from controller.core import alerts, deliveries, fleet, tours
from controller.core.fleet import Duty, RobotLive
from controller.core.handover import compartment_action, number_of, with_compartment_action
from controller.core.outputs import ActionKind
from controller.core.own_alerts import anywhere, lower, warn
from controller.core.standing import standing_at
from controller.core.state import Now, SiteState, changed, copied
from controller.core.tours import with_duty

LEFT: Final = "left"  # stands for a delivery where a compartment is opened for none
EMPTY_MAX_MS: Final = 10 * 60_000  # as long as a meal may take to be loaded
OPEN_AGAIN_MS: Final = 30_000  # as long as an unlock is valid


def settle(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """Open what holds something left, once the robot stands in the kitchen for it."""
    if duty.removed is not None:
        return site
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    left = tours.strays(site, duty, report)
    if duty.unemptied:
        still = tuple(number for number in duty.unemptied if number in left)
        if still != duty.unemptied and report is not None:
            duty = replace(duty, unemptied=still)
            site = with_duty(site, duty)
            if not still:
                site = lower(site, alerts.NOT_EMPTIED, duty.robot_id, now)
    wanted = [number for number in left if number not in duty.unemptied]
    key = f"{duty.robot_id}|empty"
    kitchen = site.plan.kitchen_node
    if not wanted or report is None or standing_at(site, duty, live, now.mono_ms) != kitchen:
        if key in site.dispatch.asked and not wanted:
            asked = {name: at for name, at in site.dispatch.asked.items() if name != key}
            site = copied(site, dispatch=replace(site.dispatch, asked=asked))
        return site
    if any(_busy(row) for row in tours.carried(site, duty.robot_id)):
        return site
    since = site.dispatch.asked.get(key)
    if since is None:
        asked_now = changed(site.dispatch.asked, key, now.mono_ms)
        site = copied(site, dispatch=replace(site.dispatch, asked=asked_now))
    elif now.mono_ms - since > EMPTY_MAX_MS:
        asked = {name: at for name, at in site.dispatch.asked.items() if name != key}
        site = copied(site, dispatch=replace(site.dispatch, asked=asked))
        site = with_duty(site, replace(duty, unemptied=(*duty.unemptied, *wanted)))
        return warn(site, alerts.NOT_EMPTIED, duty.robot_id, anywhere(site), now)
    return _opened(site, duty, wanted[0], now)


def _busy(row: deliveries.Delivery) -> bool:
    loading = row.state in (DeliveryState.LOADING, DeliveryState.LOCKING)
    return loading or (row.state is DeliveryState.RETURNING and row.unloading)


def _opened(site: SiteState, duty: Duty, number: int, now: Now) -> SiteState:
    report = site.robots[duty.robot_id].report
    box = report.compartment(number) if report is not None else None
    if box is None or box.lock is LockState.UNLOCKED:
        return site
    key = f"{duty.robot_id}|open|{number}"
    if now.mono_ms - site.dispatch.asked.get(key, MonoMs(-OPEN_AGAIN_MS)) < OPEN_AGAIN_MS:
        return site
    action = compartment_action(duty, number, LEFT, deliveries.Open(), now.utc_ms)
    asked = changed(site.dispatch.asked, key, now.mono_ms)
    site = copied(site, dispatch=replace(site.dispatch, asked=asked))
    return with_duty(site, with_compartment_action(duty, action))


def without_stale(site: SiteState, duty: Duty) -> Duty:
    """Forget unlocks that nobody waits for: their delivery was called off, or went on."""
    if fleet.pending(duty, ActionKind.OPEN) is None:
        return duty
    wanted = {row.action_id for row in tours.carried(site, duty.robot_id)}
    here = duty.goal is not None and duty.goal.node == site.plan.kitchen_node
    kept = tuple(
        row
        for row in duty.actions
        if row.ended
        or row.action is not ActionKind.OPEN
        or row.action_id in wanted
        or (
            here
            and number_of(row) is not None
            and row.opens is not None
            and row.opens.delivery_id == LEFT
        )
    )
    return duty if kept == duty.actions else replace(duty, actions=kept)
