"""Decides which robots are paused: for people in zones, and because a person says so.

A robot that a person holds gets no further node, and is paused where it may stand: never in a
lift's car or in a doorway. It goes on when a person resumes it, and for no other reason.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from contracts.observations import Alert, Condition, Mode
from contracts.units import RoomId, UtcMs, ZoneId
from controller.core import alerts, fleet, interlock
from controller.core.fleet import ActionDuty, Duty, HoldVerb, RobotLive
from controller.core.handover import new_id
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, FetchSnapshot, Output
from controller.core.own_alerts import lower, raise_alert
from controller.core.plan import SitePlan
from controller.core.sending import PAUSE_RESEND_MS
from controller.core.state import Now, SiteState, mark_of, own_alert_id
from controller.core.tours import with_duty

Result = tuple[SiteState, tuple[Output, ...]]


def settle(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> Result:
    """Bring every robot's pause to where zones and people want it."""
    persons: set[RoomId] = set()
    for robot_id in site.duties:
        if site.duties[robot_id].removed is not None:
            continue  # off the floor it may be switched off, pushed or repaired: we tell it nothing
        duty = _without_passed(site, site.duties[robot_id], now)
        live = site.robots.get(robot_id, RobotLive())
        held = interlock.hold(site.plan, duty, live, states, now.mono_ms)
        by_person = duty.hold is not None and duty.hold.verb is HoldVerb.HOLD
        stop = held.pause or (by_person and _may_stop(site.plan, duty))
        duty = duty if duty.held_for == held.zones else replace(duty, held_for=held.zones)
        if stop or ((held.keep_paused or by_person) and duty.pause_wanted):
            duty = duty if duty.pause_wanted else replace(duty, pause_wanted=True)
        elif duty.pause_wanted:
            duty = replace(duty, pause_wanted=False)
        if held.zones:
            zones = [site.plan.zones[row] for row in held.zones if states[row] is Clearance.PERSON]
            persons |= {zone.seen_by for zone in zones if zone.seen_by is not None}
        duty = _pausing(duty, live, now)
        if interlock.hurries(site.plan, duty, states) and _may_stop(site.plan, duty):
            duty = fleet.called_back(duty)
        if site.facilities.fire and interlock.meets_fire_door(site.plan, duty, live, now.mono_ms):
            duty = fleet.called_back(duty)
        site = with_duty(site, duty)
    return _zone_alerts(site, states, persons, now)


LET_MS = 10 * 60_000
"""What a person let a robot through is seen anew after this: who knows who is there by then."""


def _without_passed(site: SiteState, duty: Duty, now: Now) -> Duty:
    """A robot is let through a zone once: not after it has left, nor long after it was said."""
    if not duty.let:
        return duty
    path = duty.mission.route[duty.mission.passed :] if duty.mission is not None else ()
    here = {duty.at_node, *path}
    kept = tuple(
        one
        for one in duty.let
        if now.utc_ms - one.utc_ms <= LET_MS
        and (zone := site.plan.zones.get(one.zone_id)) is not None
        and (duty.mission is None or not here.isdisjoint(zone.nodes))
    )
    return duty if kept == duty.let else replace(duty, let=kept)


def _may_stop(plan: SitePlan, duty: Duty) -> bool:
    """Whether it stands, or would come to stand, clear of lifts and doors."""
    if duty.at_node in plan.cab_of:
        return False
    mission = duty.mission
    if mission is None:
        return True
    base = mission.route[mission.passed : mission.released]
    if any(node in plan.cab_of for node in base):
        return False
    return not any(pair in plan.door_on for pair in itertools.pairwise(base))


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
            states[zone.id].passable for zone in site.plan.zones.values() if zone.seen_by == area
        ):
            site = lower(site, alerts.PERSON_IN_ZONE, area, now)
    return site, tuple(outputs)


def _pausing(duty: Duty, live: RobotLive, now: Now) -> Duty:
    """Keep the pause action that is wanted under way until the robot's state says so."""
    report = live.report
    if report is None:
        return duty
    duty = fleet.stray_arrived(duty, report, now.utc_ms)
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
    if _has_time(duty, kind, now.utc_ms):
        return duty
    if kind is ActionKind.PAUSE:
        return fleet.with_pause(fleet.pause_given_up(duty), now.utc_ms)
    duty = fleet.without_open(duty, kind)
    action_id = new_id(duty, now.utc_ms)
    return fleet.with_action(duty, ActionDuty(action_id, kind, asked_utc_ms=now.utc_ms))


HEEDED_MS: Final = 1_000
"""A pause that a robot has shown, and that has not taken effect after this, is asked for anew."""
REFUSED_MS: Final = PAUSE_RESEND_MS
"""So long after one that it refused: who refuses at once is not asked at the speed of the bus."""


def _has_time(duty: Duty, kind: ActionKind, utc_ms: UtcMs) -> bool:
    """Whether what was asked last may still take effect; one not yet shown is sent again."""
    ours = [row for row in duty.actions if row.action in (ActionKind.PAUSE, ActionKind.RESUME)]
    last = max(reversed(ours), key=lambda row: row.asked_utc_ms, default=None)
    if last is None or last.action is not kind:
        return False
    if last.status is None:
        return True
    # A clock that was set back makes it ask at once, never wait.
    return 0 <= utc_ms - last.asked_utc_ms < (REFUSED_MS if last.ended else HEEDED_MS)


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
