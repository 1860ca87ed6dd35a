"""Decides what every delivery does next, and turns its wishes into compartment actions.

The facts that ``delivery_life`` judges by are gathered here: from the robot's last report, from its
duty, and from who else stands in line at the same kitchen.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, assert_never

from contracts.api import DeliveryState, Sentence
from contracts.units import RobotId, UtcMs, ZoneId
from contracts.vda5050.profile import LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus
from controller.core import (
    assignment,
    blocking,
    capability,
    deliveries,
    delivery_life,
    fleet,
    proof,
    tours,
)
from controller.core.deliveries import ANSWER_MAX_MS, Answered, Delivery, Facts, Wish
from controller.core.delivery_life import At
from controller.core.fleet import ActionDuty, Duty, HoldVerb, RobotLive
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, Refusal, Refused
from controller.core.own_alerts import warn
from controller.core.standing import standing_at
from controller.core.state import Now, SiteState
from controller.core.tours import with_duty, with_row

FIRE: Final = Sentence(
    zh="火警：机器人停在避让点，解除后继续。",
    en="Fire alarm: robots wait at their refuges and go on when it is over.",
)


def advance(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> SiteState:
    """Move every delivery that has not ended on by what is known now."""
    for known in tuple(site.deliveries.values()):
        if known.ended:
            if known.zones and known.zones[-1].left_utc_ms is None:
                # Called off on its way: what its robot drives through from here is no part of it.
                site = with_row(site, replace(known, zones=proof.closed(known.zones, now.utc_ms)))
            continue
        row = _told_why(site, known)
        after, wishes = delivery_life.advance(row, facts_of(site, row, now), at_of(site, row, now))
        after = _proven(site, after, states, now.utc_ms)
        site = with_delivery(site, after, wishes, now)
    return site


def at_of(site: SiteState, row: Delivery, now: Now) -> At:
    """Where a delivery is loaded and handed over, and the time."""
    kitchen = site.plan.kitchen_node
    door = site.plan.door_nodes.get(row.room_id, kitchen)
    return At(kitchen, door, now.mono_ms, now.utc_ms)


def facts_of(site: SiteState, row: Delivery, now: Now) -> Facts:
    """What is known of the robot that carries a delivery."""
    duty = site.duties.get(row.robot_id or "")
    if duty is None:
        return Facts()
    live = site.robots.get(duty.robot_id, RobotLive())
    report, mission = live.report, duty.mission
    online = live.online(now.mono_ms)
    heard_ms = live.report_mono_ms if report is not None else live.silent_since_mono_ms
    silent_since = max(live.report_mono_ms, live.silent_since_mono_ms)
    standing = standing_at(site, duty, live, now.mono_ms)
    robot, place = site.plan.robots[duty.robot_id], site.plan.map.nodes.get(duty.at_node or "")
    if standing is not None and duty.goal is not None:
        at_other_door = duty.goal.kind is fleet.GoalKind.DOOR and standing != (
            site.plan.door_nodes.get(row.room_id)
        )
        standing = None if at_other_door else standing
    return Facts(
        standing_at=standing,
        at_node=duty.at_node,
        compartment=report.compartment(row.compartment or 1) if report else None,
        answered=_answer(duty.action(row.action_id), now.utc_ms),
        lost_ms=0 if online else now.mono_ms - silent_since,
        unfit_ms=_unfit_ms(duty, live, now) if online else 0,
        silent_ms=now.mono_ms - heard_ms,
        under_way=mission is not None and mission.taken and not mission.cancelling,
        turn=row.state not in _IN_LINE or tours.is_turn(site, row),
        tray=capability.carries_tray(robot, duty.declared),
        robot=robot.name,
        place=place.name if place is not None else "",
    )


_IN_LINE: Final = frozenset({DeliveryState.TO_KITCHEN, DeliveryState.RETURNING})
"""States in which a delivery may have to wait for another lid in the kitchen."""


def _unfit_ms(duty: Duty, live: RobotLive, now: Now) -> int:
    """For how long a robot on line has not been able to go on."""
    since = live.unfit_since_mono_ms
    unfit_ms = 0 if since is None else now.mono_ms - since
    mission = duty.mission
    has_way = mission is not None and mission.taken and mission.released - 1 > mission.passed
    ours = duty.pause_wanted is not None or duty.hold is not None
    stuck_ms = now.mono_ms - live.moved_mono_ms if has_way and not ours else 0
    return max(unfit_ms, stuck_ms)


def _answer(action: ActionDuty | None, utc_ms: UtcMs) -> Answered:
    if action is None:
        return Answered.NOTHING
    if action.status is ActionStatus.FINISHED:
        return Answered.DONE
    late = action.valid_until_utc_ms is not None and utc_ms > action.valid_until_utc_ms
    return Answered.FAILED if action.ended or late else Answered.NOTHING


def _told_why(site: SiteState, row: Delivery) -> Delivery:
    """Say that a fire, a person or a robot keeps it, and take that back when it is over."""
    duty = site.duties.get(row.robot_id or "")
    why: Sentence | None = None
    if site.facilities.fire:
        why = FIRE
    elif duty is not None and duty.hold is not None and duty.hold.verb is HoldVerb.HOLD:
        why = held_by(duty.hold)
    else:
        why = blocking.why(site, row)
    if row.explanation == why or row.state in _EXPLAINED:
        return row
    if why is not None:
        return replace(row, explanation=why)
    said = row.explanation
    return replace(row, explanation=None) if said is not None and _keeps(said) else row


_EXPLAINED: Final = frozenset({DeliveryState.PROPOSED, DeliveryState.RETURNING})
"""States that say already why they are so, or that no robot has a part in."""

HELD_EN: Final = "Its robot is held by "


def _keeps(said: Sentence) -> bool:
    return said.en.startswith((FIRE.en, HELD_EN)) or blocking.is_stale(said)


def troubled(row: Delivery) -> bool:
    """Whether its explanation tells of trouble: something keeps it, somebody must act, it failed.

    Why a robot was chosen, and when it sets out by plan, is none.
    """
    said = row.explanation
    if said is None or row.state in _UNTROUBLED:
        return False
    match row.state:
        case DeliveryState.REQUESTED:
            return not assignment.is_start(said)
        case DeliveryState.TO_KITCHEN:
            return _keeps(said)
        case _:
            return True


_UNTROUBLED: Final = frozenset(
    {DeliveryState.PROPOSED, DeliveryState.COLLECTED, DeliveryState.RETURNED}
)
"""States in which nobody waits for it any more, or not yet."""


def held_by(hold: fleet.RobotHold) -> Sentence:
    """Why a robot stands that a person holds."""
    return Sentence(
        zh=f"{hold.by} 已暂停机器人：{hold.reason}"[:400],
        en=f"{HELD_EN}{hold.by}: {hold.reason}"[:400],
    )


def standing_refusal(site: SiteState, row: Delivery, now: Now) -> Refused | None:
    """Why nothing may be unlocked now: the robot does not say that it stands at this door."""
    door = at_of(site, row, now).door
    duty = site.duties.get(row.robot_id or "")
    if duty is not None and duty.doubted is not None:
        detail = Sentence(
            zh="机器人上报异常，须由监督人员核实后才能开锁。",
            en="What the robot says cannot be true; the supervisor must check it first.",
        )
        return Refused(Refusal.CONFLICT, detail)
    if row.state is not DeliveryState.ARRIVED or facts_of(site, row, now).standing_at == door:
        return None
    detail = Sentence(
        zh="机器人未报告停在门口，请稍候再试。",
        en="The robot does not say that it stands at the door; try again in a moment.",
    )
    return Refused(Refusal.CONFLICT, detail)


def with_delivery(
    site: SiteState, delivery: Delivery, wishes: tuple[Wish, ...], now: Now
) -> SiteState:
    """The state with one delivery set and its wishes passed to its robot."""
    before = site.deliveries.get(delivery.id, delivery)
    site = with_row(site, delivery)
    robot_id = delivery.robot_id or before.robot_id  # what it was taken from is told of as well
    for wish in wishes:
        site = _granted(site, site.deliveries[delivery.id], robot_id, wish, now)
    return site


def _granted(
    site: SiteState, delivery: Delivery, robot_id: RobotId | None, wish: Wish, now: Now
) -> SiteState:
    duty = site.duties.get(robot_id or "")
    if duty is None:
        return site
    match wish:
        case deliveries.Warn():
            return warn(site, wish.rule, duty.robot_id, delivery.room_id, now)
        case deliveries.Open() | deliveries.Lock():
            if capability.carries_tray(site.plan.robots[duty.robot_id], duty.declared):
                return site  # nothing to unlock: custody says so
            if isinstance(wish, deliveries.Open) and not _stands_to_open(site, delivery, now):
                return site  # whatever wished it: the delivery goes on as one that got no answer
            action = compartment_action(
                duty, delivery.compartment or 1, delivery.id, wish, now.utc_ms
            )
            site = with_duty(site, with_compartment_action(duty, action))
            return with_row(site, replace(delivery, action_id=action.action_id))
        case _:
            assert_never(wish)


def _stands_to_open(site: SiteState, row: Delivery, now: Now) -> bool:
    """Whether its robot says now that it stands where this delivery may be opened."""
    at = at_of(site, row, now)
    where = at.door if row.state is DeliveryState.UNLOCKING else at.kitchen
    return facts_of(site, row, now).standing_at == where


def with_compartment_action(duty: Duty, action: ActionDuty) -> Duty:
    """The duty with one action; an unanswered one for the same compartment is void."""
    number = number_of(action)
    kept = tuple(row for row in duty.actions if row.ended or number_of(row) != number)
    return fleet.with_action(replace(duty, actions=kept), action)


def number_of(action: ActionDuty) -> int | None:
    """The compartment that an action is about."""
    about = action.opens or action.locks
    return about.compartment if about is not None else None


def compartment_action(
    duty: Duty,
    number: int,
    delivery_id: str,
    wish: deliveries.Open | deliveries.Lock,
    utc_ms: UtcMs,
) -> ActionDuty:
    """The action that opens or bolts a compartment where the robot stands."""
    action_id = new_id(duty, utc_ms)
    if isinstance(wish, deliveries.Lock):
        return ActionDuty(
            action_id,
            ActionKind.LOCK,
            locks=LockCompartment(number, delivery_id, action_id),
        )
    until = UtcMs(utc_ms + ANSWER_MAX_MS)
    opens = OpenCompartment(number, delivery_id, duty.at_node or "", until, action_id)
    return ActionDuty(action_id, ActionKind.OPEN, opens=opens, valid_until_utc_ms=until)


def new_id(duty: Duty, utc_ms: UtcMs) -> str:
    """The id of a duty's next order or action."""
    # The time keeps it unique even after the controller's disk was set back to an older copy.
    return f"{duty.robot_id}-{duty.made + 1}-{utc_ms}"


_PROVEN: Final = frozenset(
    {
        DeliveryState.TO_KITCHEN,
        DeliveryState.TRAVELLING,
        DeliveryState.ARRIVED,
        DeliveryState.UNLOCKING,
        DeliveryState.OPEN,
        DeliveryState.COLLECTED,
        DeliveryState.RETURNING,
    }
)


def _proven(
    site: SiteState, row: Delivery, states: Mapping[ZoneId, Clearance], utc_ms: UtcMs
) -> Delivery:
    duty = site.duties.get(row.robot_id or "")
    if row.ended or duty is None or row.state not in _PROVEN:
        # Nobody looks any further: what was seen so far stands for no time after this.
        zones = proof.closed(row.zones, utc_ms)
        return row if zones is row.zones else replace(row, zones=zones)
    zones = proof.passed(row.zones, site.plan, duty.at_node, states, utc_ms, duty.let)
    return row if zones is row.zones else replace(row, zones=zones)


def passed_by(
    site: SiteState,
    duty: Duty,
    nodes: tuple[str, ...],
    states: Mapping[ZoneId, Clearance],
    utc_ms: UtcMs,
) -> SiteState:
    """Note nodes that a robot has passed between two reports: each zone stands in the proof."""
    if not any(node in site.plan.zone_at for node in nodes):
        return site
    for row in tuple(tours.carried(site, duty.robot_id)):
        if row.state not in _PROVEN:
            continue
        zones = row.zones
        for node in nodes:
            zones = proof.passed(zones, site.plan, node, states, utc_ms, duty.let)
        if zones is not row.zones:
            site = with_row(site, replace(row, zones=zones))
    return site
