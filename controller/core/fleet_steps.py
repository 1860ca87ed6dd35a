"""Decides what a robot's word is worth: what it declares is kept, what cannot be true flags it.

A flagged robot keeps its places, gets no order and no unlock, and says so in an alert, until a
person has looked at it (``RobotCleared``).
"""

from dataclasses import replace
from typing import Final, assert_never

from contracts.api import Sentence
from contracts.api.record import RecordKind
from contracts.catalogue.robot import FAULT, IMPLAUSIBLE, UNFIT
from contracts.observations import Alert, Condition, Mode, Said
from contracts.units import Bilingual, MonoMs, RobotId, RuleCode
from controller.core import capability, dispatch, fleet, plausible
from controller.core.doubts import Doubt, Doubted
from controller.core.fleet import ActionDuty, Duty, RobotLive, RobotReport
from controller.core.fleet_inputs import FleetInput, RobotCleared, RobotDeclared, RobotGarbled
from controller.core.names import robot_name
from controller.core.outputs import (
    Accepted,
    ActionKind,
    FileRecord,
    Output,
    Refusal,
    Refused,
)
from controller.core.plausible import Trail
from controller.core.robot_errors import Response, response
from controller.core.state import Now, SiteState, changed, copied, own_alert_id

NO_NODE: Final = "controller"  # an alert of ours where no edge node watches the area
ASK_AGAIN_MS: Final = 30_000  # a robot that has no factsheet says so by silence; do not pester it
UNFIT_AFTER_MS: Final = 60_000  # a robot that has just come answers within seconds

Result = tuple[SiteState, tuple[Output, ...]]


def step(site: SiteState, given: FleetInput, now: Now) -> Result:
    """Apply one input of the fleet's."""
    duty = site.duties.get(given.robot_id)
    match given:
        case RobotDeclared():
            return _declared(site, duty, given, now)
        case RobotGarbled():
            if duty is None:
                return site, ()
            trail, doubt = plausible.garbled(_trail(site, duty.robot_id), given.detail)
            site = _with_trail(site, duty.robot_id, trail)
            site = _flagged(site, duty.robot_id, (doubt,) if doubt else (), now)
            return dispatch.settle(site, now) if doubt else (site, ())
        case RobotCleared():
            return _cleared(site, duty, given, now)
        case _:
            assert_never(given)


def judged(site: SiteState, robot_id: RobotId, report: RobotReport, now: Now) -> SiteState:
    """The state after a report was judged; before the duty is moved on by it."""
    duty = site.duties[robot_id]
    if duty.removed is not None:
        return site  # people carry it, push it, charge it: nothing of that can be judged
    before = _trail(site, robot_id)
    trail, doubts = plausible.check(site.plan, duty, before, report, now.mono_ms, now.utc_ms)
    return _flagged(_with_trail(site, robot_id, trail), robot_id, doubts, now)


def stale(
    site: SiteState, robot_id: RobotId, header_id: int, report: RobotReport, now: Now
) -> SiteState:
    """The state after a report that was not newer than the last by its number.

    A count that began anew is told of once, and followed from then on: a robot must be heard.
    """
    trail, doubt = plausible.stale(_trail(site, robot_id), header_id, report)
    site = _with_trail(site, robot_id, trail)
    if doubt is None:
        return site
    live = replace(site.robots.get(robot_id, RobotLive()), report_header_id=-1)
    site = copied(site, robots=changed(site.robots, robot_id, live))
    return _flagged(site, robot_id, (doubt,), now)


def connected(site: SiteState, robot_id: RobotId) -> SiteState:
    """A connection message may mean a reboot: what was remembered of its reports is forgotten."""
    trails = {key: row for key, row in site.trails.items() if key != robot_id}
    return copied(site, trails=trails) if robot_id in site.trails else site


def watch(site: SiteState, now: Now) -> SiteState:
    """Once a tick: ask robots that have not said what they can do, and tell people who is unfit."""
    for robot_id in site.duties:
        live = site.robots.get(robot_id, RobotLive())
        if not live.online(now.mono_ms):
            continue
        if site.duties[robot_id].removed is not None:
            continue
        site = _asked(site, robot_id, now)
        site = _told_unfit(site, robot_id, now)
        site = _told_faults(site, robot_id, now)
    return site


def _asked(site: SiteState, robot_id: RobotId, now: Now) -> SiteState:
    duty = site.duties[robot_id]
    robot = site.plan.robots[robot_id]
    if capability.known(robot, duty.declared) is not None:
        return site
    key = f"{robot_id}|factsheet"
    if now.mono_ms - site.sent.get(key, _NEVER) < ASK_AGAIN_MS:
        return site
    sent = copied(site, sent=changed(site.sent, key, now.mono_ms))
    duty = fleet.without_open(duty, ActionKind.FACTSHEET)
    action = ActionDuty(f"{robot_id}-f{duty.made + 1}-{now.utc_ms}", ActionKind.FACTSHEET)
    return dispatch.with_duty(sent, fleet.with_action(duty, action))


def _told_unfit(site: SiteState, robot_id: RobotId, now: Now) -> SiteState:
    duty = site.duties[robot_id]
    reasons = capability.lacks(site.plan, site.plan.robots[robot_id], duty.declared)
    if not reasons:
        return dispatch.lower(site, UNFIT.code, robot_id, now)
    since = site.trails.get(robot_id, Trail()).first_mono_ms
    if duty.declared is None and now.mono_ms - since < UNFIT_AFTER_MS:
        return site
    text = Bilingual("；".join(row.zh for row in reasons), "; ".join(row.en for row in reasons))
    return _alert(site, UNFIT.code, robot_id, text, now)


def _told_faults(site: SiteState, robot_id: RobotId, now: Now) -> SiteState:
    report, mission = site.robots[robot_id].report, site.duties[robot_id].mission
    rows = report.problems if report is not None else ()
    told = [row for row in rows if response(row, mission) in TOLD]
    if not told:
        return dispatch.lower(site, FAULT.code, robot_id, now)
    names = "; ".join(f"{row.level} {row.type} {row.text}".strip() for row in told)
    return _alert(site, FAULT.code, robot_id, Bilingual(names, names), now)


TOLD: Final = frozenset({Response.TELL, Response.RENEW, Response.STOP})
"""What people are told of; a refused order is told of by the dispatcher, when it goes on."""


def _declared(site: SiteState, duty: Duty | None, given: RobotDeclared, now: Now) -> Result:
    if duty is None:
        return site, ()
    same = duty.declared is not None and replace(
        duty.declared, heard_utc_ms=given.declared.heard_utc_ms
    )
    if same == given.declared:
        return site, ()
    duty = fleet.without_open(duty, ActionKind.FACTSHEET)
    site = dispatch.with_duty(site, replace(duty, declared=given.declared))
    return dispatch.settle(_told_unfit(site, given.robot_id, now), now)


def _cleared(site: SiteState, duty: Duty | None, given: RobotCleared, now: Now) -> Result:
    if duty is None:
        text = Sentence(
            zh=f"没有机器人 {given.robot_id}。", en=f"There is no robot {given.robot_id}."
        )
        return site, (Refused(Refusal.NOT_FOUND, text),)
    name = robot_name(site.plan, given.robot_id)
    if duty.doubted is None:
        text = Sentence(zh=f"{name.zh} 没有被标记。", en=f"{name.en} is not in doubt.")
        return site, (Refused(Refusal.CONFLICT, text),)
    believed = replace(duty, doubted=None)
    report = site.robots.get(given.robot_id, RobotLive()).report
    if report is not None:
        # What it said last counts now: where it stands must be known before anything is freed.
        believed = fleet.heard(believed, report)
    site = dispatch.with_duty(site, believed)
    site = connected(dispatch.lower(site, IMPLAUSIBLE.code, given.robot_id, now), given.robot_id)
    said = Sentence(
        zh=f"{given.by} 核实后恢复使用 {name.zh}：{given.reason}"[:400],
        en=f"{given.by} looked at {name.en} and stands for it: {given.reason}"[:400],
    )
    line = FileRecord(
        room_id=_room(site, given.robot_id),
        utc_ms=now.utc_ms,
        record_kind=RecordKind.DELIVERY,
        by=given.by,
        text=said,
        subject=given.robot_id,
    )
    site, sends = dispatch.settle(site, now)
    return site, (Accepted(given.robot_id), line, *sends)


# --- the flag -------------------------------------------------------------------------------------


def _flagged(site: SiteState, robot_id: RobotId, doubts: tuple[Doubt, ...], now: Now) -> SiteState:
    duty = site.duties[robot_id]
    off = duty.removed is not None or site.plan.rules[IMPLAUSIBLE.code].mode is Mode.OFF
    if not doubts or off:
        return site
    known = duty.doubted.kinds if duty.doubted is not None else ()
    kinds = tuple(dict.fromkeys((*known, *(one.kind for one in doubts))))
    if kinds == known:
        return site
    first = duty.doubted or Doubted((), doubts[0].text, now.utc_ms)
    site = dispatch.with_duty(site, replace(duty, doubted=replace(first, kinds=kinds)))
    saw = Bilingual(first.text.zh, first.text.en)
    return _alert(site, IMPLAUSIBLE.code, robot_id, saw, now)


def _alert(
    site: SiteState, rule: RuleCode, robot_id: RobotId, saw: Bilingual, now: Now
) -> SiteState:
    settings = site.plan.rules[rule]
    if settings.mode is Mode.OFF:
        return site
    room_id = _room(site, robot_id)
    delivery = site.deliveries.get(site.duties[robot_id].delivery_id or "")
    alert = Alert(
        alert_id=own_alert_id(rule, robot_id, now.utc_ms),
        rule=rule,
        condition=Condition.ACTIVE,
        severity=settings.severity,
        room_id=room_id,
        node_id=site.plan.watcher.get(room_id, NO_NODE),
        session_id=delivery.session_id if delivery is not None else None,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
        mode=settings.mode,
        risk_code=settings.risk_code,
        saw=Said.of(Bilingual(saw.zh[:SAW_MAX], saw.en[:SAW_MAX])),
    )
    return dispatch.raise_alert(site, alert, robot_id, now)


SAW_MAX: Final = 300  # as the alert's own text


def _room(site: SiteState, robot_id: RobotId) -> str:
    """The room that its delivery is for; else an area that belongs to none."""
    delivery = site.deliveries.get(site.duties[robot_id].delivery_id or "")
    if delivery is not None:
        return delivery.room_id
    passages = site.plan.passages
    return passages[0] if passages else site.plan.site.config.areas[0].id


def _trail(site: SiteState, robot_id: RobotId) -> Trail:
    return site.trails.get(robot_id, Trail())


def _with_trail(site: SiteState, robot_id: RobotId, trail: Trail) -> SiteState:
    return copied(site, trails=changed(site.trails, robot_id, trail))


_NEVER: Final = MonoMs(-(10**12))
