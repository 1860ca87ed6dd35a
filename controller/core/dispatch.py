"""Decides what all robots and deliveries do next, given one state: holds, wishes, orders.

``settle`` runs after every input that may matter to a robot, in a fixed order: zones, deliveries,
driving, then what is to be sent. It is idempotent: without news it changes nothing and sends
nothing before a resend is due.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, assert_never

from contracts.api import DeliveryState, SessionState
from contracts.api.alerts import HandlingVerb
from contracts.observations import Alert, Condition, Mode, Severity
from contracts.units import MonoMs, RobotId, RoomId, UtcMs, ZoneId
from contracts.vda5050.profile import LidState, LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus
from controller.core import alerts, deliveries, fleet, interlock, proof, traffic
from controller.core.assignment import Assigned, assign
from controller.core.deliveries import ANSWER_MAX_MS, Answered, Delivery, Facts, Wish
from controller.core.fleet import ActionDuty, Duty, Goal, GoalKind, RobotLive
from controller.core.handling import Act, with_step
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, FetchSnapshot, Output
from controller.core.plan import AT_NODE_M, nearest_node, off_node_m, other_end, route
from controller.core.state import Now, SiteState, changed, mark_of, own_alert_id

RESEND_MS: Final = 1_000  # QoS 0 may lose it; a robot answers within 0.3 s
PAUSE_RESEND_MS: Final = 300  # a person is in the way: do not wait for the next second
RETRY_REFUSED_MS: Final = (
    15_000  # what made a robot refuse an order does not change by itself at once
)

Result = tuple[SiteState, tuple[Output, ...]]


def settle(site: SiteState, now: Now) -> Result:
    """Bring deliveries and robots to where the state of the site says they should be."""
    states = clearances(site, now.mono_ms)
    site, snapshots = _hold(site, states, now)
    site = _advance(site, states, now)
    for robot_id in site.duties:
        site = with_duty(site, _placed(site, site.duties[robot_id]))
    for robot_id in site.duties:
        site = _drive(site, robot_id, states, now)
        site = with_duty(site, _placed(site, site.duties[robot_id]))
    site = _lower_robot_alerts(site, now)
    site, sends = _due(site, now)
    return site, (*snapshots, *sends)


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


def with_duty(site: SiteState, duty: Duty) -> SiteState:
    """The state with one duty set; an unchanged one keeps its identity: nothing is stored."""
    duties = same_or(site.duties, duty.robot_id, duty)
    return site if duties is site.duties else replace(site, duties=duties)


# --- zones -------------------------------------------------------------------------------------


def _hold(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> Result:
    persons: set[RoomId] = set()
    for robot_id in site.duties:
        duty = site.duties[robot_id]
        held = interlock.hold(
            site.plan, duty, site.robots.get(robot_id, RobotLive()), states, now.mono_ms
        )
        duty = replace(duty, held_for=held.zones)
        if held.pause or (held.keep_paused and duty.pause_wanted):
            duty = replace(duty, pause_wanted=True)
        elif duty.pause_wanted:
            duty = replace(duty, pause_wanted=False)
        zones = [site.plan.zones[zone] for zone in held.zones if states[zone] is Clearance.PERSON]
        persons |= {zone.seen_by for zone in zones if zone.seen_by is not None}
        site = with_duty(site, _pausing(duty, site.robots.get(robot_id, RobotLive()), now))
    return _zone_alerts(site, states, persons, now)


def _zone_alerts(
    site: SiteState, states: Mapping[ZoneId, Clearance], persons: set[RoomId], now: Now
) -> Result:
    """One alert for each area where a person holds a robot, until all zones seen there are clear.

    The same person may shut several zones of one corridor: that is one occurrence.
    """
    outputs: list[Output] = []
    for area in dict.fromkeys(zone.seen_by for zone in site.plan.zones.values()):
        if area is None:
            continue
        if area in persons:
            site, more = _raise_in_area(site, area, now)
            outputs += more
        elif all(
            states[zone.id].passable
            for zone in site.plan.zones.values()
            if zone.seen_by == area
        ):
            site = lower(site, alerts.PERSON_IN_ZONE, area, now)
    return site, tuple(outputs)


def _pausing(duty: Duty, live: RobotLive, now: Now) -> Duty:
    """Keep the pause action that is wanted under way until the robot's state says so."""
    report = live.report
    if report is None:
        return duty
    duty = fleet.stray_arrived(duty, report)
    if duty.pause_wanted is None:
        return duty
    if duty.pause_wanted:
        duty = fleet.without_open(duty, ActionKind.RESUME)
        kind = ActionKind.PAUSE
    else:
        duty = fleet.pause_given_up(duty)
        kind = ActionKind.RESUME
    if report.paused is duty.pause_wanted:
        duty = fleet.without_open(duty, kind)
        return duty if duty.pause_wanted else replace(duty, pause_wanted=None)
    if fleet.pending(duty, kind) is not None:
        return duty
    if kind is ActionKind.PAUSE:
        return fleet.with_pause(duty, now.utc_ms)
    return fleet.with_action(duty, ActionDuty(_new_id(duty, now), kind))


def _raise_in_area(site: SiteState, area: RoomId, now: Now) -> Result:
    node_id = site.plan.watcher.get(area)
    settings = site.plan.rules[alerts.PERSON_IN_ZONE]
    if node_id is None or mark_of(alerts.PERSON_IN_ZONE, area) in site.marks:
        return site, ()
    if settings.mode is Mode.OFF:
        return site, ()  # the robot is held all the same: that is no rule's affair
    live = site.rooms.get(area)
    views = live.observation.views if live is not None else ()
    view = max(views, key=lambda row: len(row.people), default=None)
    seen_utc_ms = live.observation.utc_ms if live is not None else now.utc_ms
    alert = Alert(
        alert_id=own_alert_id(alerts.PERSON_IN_ZONE, area, now.utc_ms),
        rule=alerts.PERSON_IN_ZONE,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        mode=settings.mode,
        risk_code=settings.risk_code,
        room_id=area,
        node_id=node_id,
        camera_id=view.camera_id if view else None,
        since_utc_ms=seen_utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
        boxes=view.people if view else (),
    )
    site = raise_alert(site, alert, area, now)
    if view is None:
        return site, ()
    return site, (FetchSnapshot(alert.alert_id, node_id, view.camera_id),)


# --- alerts of ours ----------------------------------------------------------------------------


def raise_alert(site: SiteState, alert: Alert, subject: str, now: Now) -> SiteState:
    """Make an alert of ours, once while it stands."""
    mark = mark_of(alert.rule, subject)
    if mark in site.marks:
        return site
    before = alerts.gone_lately(site.alerts.values(), alert, now.utc_ms)
    if before is not None:
        back = Act(HandlingVerb.RETURN, "controller")
        record = with_step(alerts.again(before), back, now.utc_ms, by_person=False)
        return replace(
            site,
            alerts=changed(site.alerts, before.id, record),
            marks=changed(site.marks, mark, before.id),
        )
    record = alerts.receive(None, alert, site.next_number, now.utc_ms)
    return replace(
        site,
        alerts=changed(site.alerts, record.id, record),
        marks=changed(site.marks, mark, record.id),
        next_number=site.next_number + 1,
    )


def lower(site: SiteState, rule: str, subject: str, now: Now) -> SiteState:
    """What an alert of ours was about is over."""
    mark = mark_of(rule, subject)
    alert_id = site.marks.get(mark)
    if alert_id is None:
        return site
    marks = {key: value for key, value in site.marks.items() if key != mark}
    record = site.alerts.get(alert_id)
    site = replace(site, marks=marks)
    if record is None:
        return site
    return replace(site, alerts=changed(site.alerts, alert_id, alerts.clear(record, now.utc_ms)))


def _warn(site: SiteState, rule: str, robot_id: RobotId, room_id: RoomId, now: Now) -> SiteState:
    alert = Alert(
        alert_id=own_alert_id(rule, robot_id, now.utc_ms),
        rule=rule,
        condition=Condition.ACTIVE,
        severity=Severity.WARNING,
        room_id=room_id,
        node_id=site.plan.watcher.get(room_id, "controller"),
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
    )
    return raise_alert(site, alert, robot_id, now)


def _lower_robot_alerts(site: SiteState, now: Now) -> SiteState:
    for mark in tuple(site.marks):
        rule, _, subject = mark.partition("|")
        duty = site.duties.get(subject)
        if duty is not None and _is_over(site, rule, duty, now.mono_ms):
            site = lower(site, rule, subject, now)
    return site


def _is_over(site: SiteState, rule: str, duty: Duty, mono_ms: MonoMs) -> bool:
    live = site.robots.get(duty.robot_id, RobotLive())
    boxes = live.report.compartments if live.report is not None else ()
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
            row = site.deliveries.get(duty.delivery_id or "")
            return row is None or row.state is not DeliveryState.ARRIVED
        case _:
            return False


# --- deliveries --------------------------------------------------------------------------------


def with_delivery(
    site: SiteState, delivery: Delivery, wishes: tuple[Wish, ...], now: Now
) -> SiteState:
    """The state with one delivery set and its wishes passed to its robot."""
    if site.deliveries.get(delivery.id) != delivery:
        site = replace(site, deliveries=changed(site.deliveries, delivery.id, delivery))
    for wish in wishes:
        site = _granted(site, site.deliveries[delivery.id], wish, now)
    return site


def _advance(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> SiteState:
    for delivery_id in tuple(site.deliveries):
        delivery = site.deliveries[delivery_id]
        if delivery.ended:
            continue
        door = site.plan.door_nodes.get(delivery.room_id, site.plan.kitchen_node)
        facts = _facts(site, delivery, now)
        after, wishes = deliveries.advance(
            delivery, facts, site.plan.kitchen_node, door, now.mono_ms, now.utc_ms
        )
        after = _proven(site, after, states, now.utc_ms)
        site = with_delivery(site, after, wishes, now)
        if after.state is DeliveryState.REQUESTED:
            site = _assign(site, after, now)
    for duty in tuple(site.duties.values()):
        site = _freed(site, duty)
    return site


def _assign(site: SiteState, delivery: Delivery, now: Now) -> SiteState:
    found = assign(site.plan, site.duties.values(), site.robots, now.mono_ms)
    if not isinstance(found, Assigned):
        if delivery.explanation == found:
            return site
        return with_delivery(site, replace(delivery, explanation=found), (), now)
    taken = deliveries.assigned(
        delivery, found.robot_id, found.compartment, found.why, now.mono_ms, now.utc_ms
    )
    site = with_delivery(site, taken, (), now)
    duty = replace(site.duties[found.robot_id], tour=fleet.Tour((delivery.id,), delivery.id))
    return with_duty(site, fleet.redirect(duty, Goal(GoalKind.KITCHEN, site.plan.kitchen_node)))


def _facts(site: SiteState, delivery: Delivery, now: Now) -> Facts:
    if delivery.robot_id is None:
        return Facts()
    duty = site.duties.get(delivery.robot_id)
    live = site.robots.get(delivery.robot_id)
    if duty is None or live is None:
        return Facts(lost_ms=now.mono_ms - delivery.since_mono_ms)
    report = live.report
    online = live.online(now.mono_ms)
    action = duty.action(delivery.action_id)
    silent_since = max(live.silent_since_mono_ms, live.report_mono_ms)
    return Facts(
        standing_at=_standing_at(site, duty, live, now.mono_ms),
        at_node=duty.at_node,
        compartment=report.compartment(delivery.compartment or 1) if report else None,
        answered=_answer(action, now.utc_ms),
        result=action.result if action else "",
        lost_ms=0 if online else now.mono_ms - silent_since,
        under_way=duty.mission is not None and duty.mission.taken and not duty.mission.cancelling,
    )


def _standing_at(site: SiteState, duty: Duty, live: RobotLive, mono_ms: MonoMs) -> str | None:
    report = live.report
    if duty.goal is None or duty.mission is not None or report is None:
        return None
    there = report.standing and duty.at_node == duty.goal.node and live.online(mono_ms)
    # A cancelled order may leave it between two nodes, the goal being the last it passed.
    there = there and _off_m(site, duty.goal.node, report) <= AT_NODE_M
    return duty.goal.node if there else None


def _answer(action: ActionDuty | None, utc_ms: UtcMs) -> Answered:
    if action is None:
        return Answered.NOTHING
    if action.status is ActionStatus.FINISHED:
        return Answered.DONE
    late = action.valid_until_utc_ms is not None and utc_ms > action.valid_until_utc_ms
    return Answered.FAILED if action.ended or late else Answered.NOTHING


def _granted(site: SiteState, delivery: Delivery, wish: Wish, now: Now) -> SiteState:
    duty = site.duties.get(delivery.robot_id or "")
    if duty is None:
        return site
    match wish:
        case Goal(kind=GoalKind.HOME):
            home = site.plan.robots[duty.robot_id].home_node
            return with_duty(site, fleet.redirect(duty, Goal(GoalKind.HOME, home)))
        case Goal():
            return with_duty(site, fleet.redirect(duty, wish))
        case deliveries.Warn():
            return _warn(site, wish.rule, duty.robot_id, delivery.room_id, now)
        case deliveries.Open() | deliveries.Lock():
            action = _compartment_action(duty, delivery, wish, now)
            duty = fleet.without_open(fleet.without_open(duty, ActionKind.OPEN), ActionKind.LOCK)
            site = with_duty(site, fleet.with_action(duty, action))
            moved = replace(delivery, action_id=action.action_id)
            return replace(site, deliveries=changed(site.deliveries, delivery.id, moved))
        case _:
            assert_never(wish)


def _compartment_action(
    duty: Duty, delivery: Delivery, wish: deliveries.Open | deliveries.Lock, now: Now
) -> ActionDuty:
    action_id = _new_id(duty, now)
    number = delivery.compartment or 1
    if isinstance(wish, deliveries.Lock):
        locks = LockCompartment(number, delivery.id, action_id)
        return ActionDuty(action_id, ActionKind.LOCK, locks=locks)
    until = UtcMs(now.utc_ms + ANSWER_MAX_MS)
    opens = OpenCompartment(number, delivery.id, duty.at_node or "", until, action_id)
    return ActionDuty(action_id, ActionKind.OPEN, opens=opens, valid_until_utc_ms=until)


def _new_id(duty: Duty, now: Now) -> str:
    # The time keeps it unique even after the controller's disk was set back to an older copy.
    return f"{duty.robot_id}-{duty.made + 1}-{now.utc_ms}"


def _freed(site: SiteState, duty: Duty) -> SiteState:
    """A robot whose delivery is over, or is another's now, goes home."""
    if duty.delivery_id is None:
        return site
    delivery = site.deliveries.get(duty.delivery_id)
    if delivery is not None and not delivery.ended and delivery.robot_id == duty.robot_id:
        return site
    home = Goal(GoalKind.HOME, site.plan.robots[duty.robot_id].home_node)
    free = fleet.without_open(replace(duty, tour=None), ActionKind.OPEN)
    return with_duty(site, fleet.redirect(free, home))


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
    site: SiteState, delivery: Delivery, states: Mapping[ZoneId, Clearance], utc_ms: UtcMs
) -> Delivery:
    if delivery.ended:
        zones = proof.closed(delivery.zones, utc_ms)
    elif delivery.robot_id is not None and delivery.state in _PROVEN:
        duty = site.duties.get(delivery.robot_id)
        node = duty.at_node if duty is not None else None
        zones = proof.passed(delivery.zones, site.plan, node, states, utc_ms)
    else:
        return delivery
    return delivery if zones is delivery.zones else replace(delivery, zones=zones)


# --- driving -----------------------------------------------------------------------------------


def _drive(
    site: SiteState, robot_id: RobotId, states: Mapping[ZoneId, Clearance], now: Now
) -> SiteState:
    duty = site.duties[robot_id]
    live = site.robots.get(robot_id, RobotLive())
    report = live.report
    if report is None:
        return site
    if duty.mission is not None and duty.mission.cancelling:
        return with_duty(site, _cancelling(duty, live, now))
    if duty.mission is not None and fleet.refused(duty, report):
        return _refused(site, duty, now)
    if fleet.arrived(duty, report):
        duty = replace(duty, mission=None)
        return with_duty(site, duty)
    cleared = {zone: state.passable for zone, state in states.items()}
    if duty.mission is not None:
        count = traffic.releasable(site.plan, duty.mission, cleared)
        if not report.driving:
            # An unlock that was on its way when the delivery was called off opened after the order.
            duty = _shutting(duty, report, now)
        free = duty.pause_wanted is None and not report.paused
        if not free or not live.online(now.mono_ms):
            return with_duty(site, duty)
        return with_duty(site, fleet.extend(duty, count))
    return _start(site, duty, live, cleared, now)


def _start(
    site: SiteState, duty: Duty, live: RobotLive, cleared: Mapping[str, bool], now: Now
) -> SiteState:
    report, goal = live.report, duty.goal
    if goal is None or report is None or not live.online(now.mono_ms):
        return site
    here = _here(site, duty, report)
    if here is None or not report.standing or not report.automatic:
        return site
    if duty.at_node != here:
        duty = replace(duty, at_node=here)
    if here == goal.node and _off_m(site, here, report) <= AT_NODE_M:
        return with_duty(site, duty)
    if not _may_leave(duty, report) or site.sent.get(_retry_key(duty), 0) > now.mono_ms:
        return with_duty(site, _shutting(duty, report, now))
    beside = _beside(site, here, report)
    if beside is None:
        return with_duty(site, duty)
    held = traffic.reservations(site.duties.values())
    others = frozenset(node for node, robot in held.items() if robot != duty.robot_id)
    way = route(site.plan, here, goal.node, others) or route(site.plan, here, goal.node)
    if goal.node in others:
        # Who stands there may itself wait for this robot to make way: it waits at home instead.
        way = _way_home(site, duty, here, others) or way
    if way is None:
        return with_duty(site, duty)
    end, off_m = beside
    if end and end not in way[1:2]:
        # It stands on the way to `end` and must go back first: an order from there leads it back.
        way, off_m = (end, *way), _off_m(site, end, report)
    if traffic.obstacle(("", *way), duty.robot_id, held) is not None:
        return with_duty(site, duty)
    order_id = _new_id(duty, now)
    count = traffic.releasable(site.plan, fleet.Mission(order_id, way, 1), cleared)
    deviation_m = off_m + AT_NODE_M if end else None
    return with_duty(site, fleet.begin(duty, way, count, order_id, start_deviation_m=deviation_m))


def _way_home(
    site: SiteState, duty: Duty, here: str, others: frozenset[str]
) -> tuple[str, ...] | None:
    home = site.plan.robots[duty.robot_id].home_node
    return None if here == home else route(site.plan, here, home, others)


def _placed(site: SiteState, duty: Duty) -> Duty:
    """A robot without an order that stands between two nodes keeps both from the others."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    towards = None
    if duty.mission is None:
        if report is None or duty.at_node is None:
            return duty  # not heard since the start: what was kept holds
        beside = _beside(site, duty.at_node, report)
        towards = duty.towards if beside is None else beside[0] or None
    return duty if duty.towards == towards else replace(duty, towards=towards)


def _off_m(site: SiteState, node: str, report: fleet.RobotReport) -> float:
    if report.pose is None:
        return 0.0
    return off_node_m(site.plan, node, report.pose.x_m, report.pose.y_m)


def _beside(site: SiteState, here: str, report: fleet.RobotReport) -> tuple[str, float] | None:
    """Where a standing robot is beside its last node: the other end of its way, and how far off.

    ``("", 0)``: at the node itself. None: on no way of the map, so a person must move it.
    """
    off_m = _off_m(site, here, report)
    if off_m <= AT_NODE_M or report.pose is None:
        return "", 0.0
    end = other_end(site.plan, here, report.pose.x_m, report.pose.y_m)
    return None if end is None else (end, off_m)


def _here(site: SiteState, duty: Duty, report: fleet.RobotReport) -> str | None:
    if report.last_node in site.plan.map.nodes:
        return report.last_node
    if report.pose is None:
        return duty.at_node
    return nearest_node(site.plan, report.pose.x_m, report.pose.y_m)


def _may_leave(duty: Duty, report: fleet.RobotReport) -> bool:
    return all(box.shut for box in report.compartments) and (
        fleet.pending(duty, ActionKind.LOCK) is None
    )


def _shutting(duty: Duty, report: fleet.RobotReport, now: Now) -> Duty:
    """Bolt what is closed but not locked before driving; an open lid waits for a person."""
    if fleet.pending(duty, ActionKind.LOCK) is not None:
        return duty
    for box in report.compartments:
        if not box.shut and box.lid is LidState.CLOSED:
            action_id = _new_id(duty, now)
            locks = LockCompartment(box.compartment, duty.delivery_id or "none", action_id)
            return fleet.with_action(duty, ActionDuty(action_id, ActionKind.LOCK, locks=locks))
    return duty


def _refused(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """The robot cannot take its order: another try from where it stands; then tell people."""
    mission = duty.mission
    # A robot that refuses an update still has the order as it was, and takes no other meanwhile.
    left = replace(mission, cancelling=True) if mission is not None and mission.taken else None
    again = replace(duty, mission=left, refusals=duty.refusals + 1)
    site = with_duty(site, again)
    site = replace(
        site, sent=changed(site.sent, _retry_key(duty), MonoMs(now.mono_ms + RETRY_REFUSED_MS))
    )
    delivery = site.deliveries.get(duty.delivery_id or "")
    if again.refusals < fleet.REFUSALS_MAX or delivery is None:
        return site
    return _warn(site, alerts.ROBOT_ERROR, duty.robot_id, delivery.room_id, now)


def _retry_key(duty: Duty) -> str:
    return f"{duty.robot_id}|retry"


def _cancelling(duty: Duty, live: RobotLive, now: Now) -> Duty:
    """A cancelOrder is done when the robot says FINISHED (or FAILED: it had none), not before."""
    mission, report = duty.mission, live.report
    if mission is None or report is None:
        return duty
    ended = next(
        (row for row in reversed(duty.actions) if row.action is ActionKind.CANCEL and row.ended),
        None,
    )
    if ended is not None and ended.action_id.startswith(f"{mission.order_id}-x"):
        return replace(duty, mission=None) if not report.driving else duty
    # Sent even if the robot never showed the order: it may still be on its way.
    if fleet.pending(duty, ActionKind.CANCEL) is not None:
        return duty
    return fleet.with_action(duty, ActionDuty(f"{mission.order_id}-x", ActionKind.CANCEL))


# --- sending -----------------------------------------------------------------------------------


def _due(site: SiteState, now: Now) -> Result:
    sent = dict(site.sent)
    outputs: list[Output] = []
    for duty in site.duties.values():
        order = fleet.order_of(duty)
        if order is not None:
            key = f"{order.order_id}#{order.order_update_id}"
            if now.mono_ms - sent.get(key, _NEVER) >= RESEND_MS:
                sent[key] = now.mono_ms
                outputs.append(order)
        for action in fleet.actions_of(duty, now.utc_ms):
            hasty = action.action in (ActionKind.PAUSE, ActionKind.RESUME)
            wait_ms = PAUSE_RESEND_MS if hasty else RESEND_MS
            if now.mono_ms - sent.get(action.action_id, _NEVER) >= wait_ms:
                sent[action.action_id] = now.mono_ms
                outputs.append(action)
    if not outputs:
        return site, ()
    while len(sent) > SENT_KEPT:
        del sent[next(iter(sent))]
    return replace(site, sent=sent), tuple(outputs)


_NEVER: Final = MonoMs(-(10**12))
SENT_KEPT: Final = 1_000  # far more than 50 robots have open at once; an old one costs a resend
