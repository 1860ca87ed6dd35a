"""Decides what a word of a door, a lift or the fire alarm does to the site, and which alerts stand.

A fire alarm lasts as its alert: after a restart it stands until a person has released it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from contracts.api import Sentence
from contracts.catalogue import CATALOGUE
from contracts.catalogue import facility as rules
from contracts.observations import Alert, Condition, Measured, Mode
from contracts.units import FacilityId, MonoMs, RuleCode, UtcMs
from controller.core import alerts, facilities
from controller.core.facilities import Edge, FacilitiesLive, Trouble
from controller.core.facility_words import (
    CommandFacility,
    FacilityClaim,
    FacilityInput,
    FacilitySaid,
    FireReleased,
    FireSaid,
    TroubleKind,
)
from controller.core.outputs import Accepted, Output, Refusal, Refused
from controller.core.own_alerts import lower, raise_alert
from controller.core.state import Now, SiteState, changed, copied, mark_of, own_alert_id

NO_NODE: Final = "controller"  # an alert of ours where no edge node watches the area
WATCHED: Final = tuple(rule.code for rule in rules.RULES if rule is not rules.FIRE)
FIRE_ID: Final = "site"  # one fire alarm a site, however many contacts it has
RELEASED_ID: Final = "fire"

Result = tuple[SiteState, tuple[Output, ...]]


def step(site: SiteState, given: FacilityInput, now: Now) -> Result:
    """Take a word of a facility, or a person's release after a fire alarm."""
    match given:
        case FacilitySaid():
            return _with(site, facilities.heard(site.facilities, given, now.mono_ms)), ()
        case FireSaid():
            live = facilities.fire_heard(site.facilities, given, now.mono_ms)
            return _fire_alert(_with(site, live), now), ()
        case FireReleased():
            return _released(site, given, now)
        case _:
            assert_never(given)


def settle(
    site: SiteState, claims: Sequence[FacilityClaim], now: Now
) -> tuple[SiteState, frozenset[Edge], tuple[CommandFacility, ...]]:
    """Bring doors and lifts to where robots need them; and the edges that are shut meanwhile."""
    live, shut, commands = facilities.settle(site.plan, site.facilities, claims, now.mono_ms)
    return _with(site, live), shut, commands


def watch(site: SiteState, now: Now) -> SiteState:
    """Raise and lower the alerts on facilities; once a tick."""
    found = {
        (f"facility.{row.kind}", row.facility_id): row
        for row in facilities.troubles(site.facilities)
    }
    for (rule, facility_id), row in found.items():
        if now.mono_ms - row.since_mono_ms >= site.plan.rules[rule]["dwell_ms"]:
            site = _raised(site, rule, facility_id, row, now)
    for mark in tuple(site.marks):
        rule, _, subject = mark.partition("|")
        if rule in WATCHED and (rule, subject) not in found:
            site = lower(site, rule, subject, now)
    return site


def _with(site: SiteState, live: FacilitiesLive) -> SiteState:
    return site if live is site.facilities else copied(site, facilities=live)


def _released(site: SiteState, given: FireReleased, now: Now) -> Result:
    alarm = site.facilities.alarm
    if alarm.burning:
        names = ", ".join(sorted(alarm.burning))
        text = Sentence(
            zh=f"火警信号仍在（{names}），不能放行；请先在消防主机复位。",
            en=f"The fire alarm still rings ({names}); reset it at the panel first.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    if not alarm.latched:
        return site, (Accepted(RELEASED_ID),)
    site = _with(site, facilities.fire_released(site.facilities))
    note = Sentence(
        zh=f"由 {given.by} 放行：{given.reason}", en=f"Released by {given.by}: {given.reason}"
    )
    alert_id = site.marks.get(mark_of(rules.FIRE.code, FIRE_ID))
    record = site.alerts.get(alert_id or "")
    if record is not None:
        noted = alerts.with_detail(record, note)
        site = replace(site, alerts=changed(site.alerts, record.id, noted))
    return lower(site, rules.FIRE.code, FIRE_ID, now), (Accepted(RELEASED_ID),)


def _fire_alert(site: SiteState, now: Now) -> SiteState:
    if not site.facilities.fire:
        return site
    trouble = Trouble(TroubleKind.FIRE, FIRE_ID, now.mono_ms)
    return _raised(site, rules.FIRE.code, FIRE_ID, trouble, now)


def _raised(
    site: SiteState, rule: RuleCode, subject: FacilityId, trouble: Trouble, now: Now
) -> SiteState:
    settings = site.plan.rules[rule]
    # A fire alarm stands whatever the settings say: it is what keeps robots back after a restart.
    off = settings.mode is Mode.OFF and rule != rules.FIRE.code
    if off or mark_of(rule, subject) in site.marks:
        return site
    room_id = _area(site, subject)
    alert = Alert(
        alert_id=own_alert_id(rule, subject, now.utc_ms),
        rule=rule,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        mode=settings.mode,
        risk_code=settings.risk_code,
        room_id=room_id,
        node_id=site.plan.watcher.get(room_id, NO_NODE),
        since_utc_ms=_utc_of(trouble.since_mono_ms, now),
        raised_utc_ms=now.utc_ms,
        dwell_ms=int(settings["dwell_ms"]),
        settings=tuple(
            Measured(name=one.name, value=settings[one.name], unit=one.unit)
            for one in CATALOGUE[rule].parameters
        ),
    )
    site = raise_alert(site, alert, subject, now)
    return _detailed(site, rule, subject, trouble)


def _detailed(site: SiteState, rule: RuleCode, subject: FacilityId, trouble: Trouble) -> SiteState:
    """Name the facility and the robot: the rule's title does not."""
    record = site.alerts.get(site.marks.get(mark_of(rule, subject), ""))
    if record is None:
        return site
    by_id = {row.id: row.name for row in site.plan.site.facilities}
    name = by_id.get(subject)
    if name is None:
        burning = sorted(site.facilities.alarm.burning)
        zh = "、".join(by_id[one].zh for one in burning if one in by_id)
        en = ", ".join(by_id[one].en for one in burning if one in by_id)
    else:
        zh, en = name.zh, name.en
    robot = site.plan.robots.get(trouble.robot_id or "")
    if robot is not None:
        zh, en = f"{zh}；机器人：{robot.name.zh}", f"{en}; robot: {robot.name.en}"
    if not en:
        return site
    after = alerts.with_detail(record, Sentence(zh=f"{zh}。", en=f"{en}."))
    return replace(site, alerts=changed(site.alerts, record.id, after))


def _utc_of(mono_ms: MonoMs, now: Now) -> UtcMs:
    return UtcMs(now.utc_ms - max(0, now.mono_ms - mono_ms))


def _area(site: SiteState, subject: FacilityId) -> str:
    """The area whose zone a door or lift lies in, else the first passage, else the first area."""
    plan = site.plan
    nodes = sorted(node for way in plan.gates.get(subject, ()) for node in way)
    for node in nodes:
        zone = plan.zone_at.get(node)
        if zone is not None and zone.seen_by is not None:
            return zone.seen_by
    return plan.passages[0] if plan.passages else plan.site.config.areas[0].id
