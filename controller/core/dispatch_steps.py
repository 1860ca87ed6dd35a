"""Decides what a supervisor's word on a robot does: hold, resume, recall, let through, removed.

Each stands in the record with its reason, for the room that the robot serves; the audit has the
request itself.
"""

from dataclasses import replace
from typing import Final, assert_never

from contracts.api import Sentence
from contracts.api.record import RecordKind
from contracts.devices import Zone
from controller.core import delivery_life, fleet, handover, removals, tours
from controller.core.dispatch import clearances, settle
from controller.core.dispatch_inputs import DispatchInput, RobotCommanded, ZoneLetThrough
from controller.core.fleet import Duty, HoldVerb, LetThrough, Removal, RobotHold
from controller.core.interlock import Clearance
from controller.core.names import place_name, robot_name
from controller.core.outputs import Accepted, FileRecord, Output, Refusal, Refused
from controller.core.own_alerts import anywhere
from controller.core.state import Now, SiteState
from controller.core.tours import with_duty, with_row

Result = tuple[SiteState, tuple[Output, ...]]

REASON_MAX: Final = 300
_VERBS: Final = {
    HoldVerb.HOLD: ("暂停了", "held"),
    HoldVerb.RESUME: ("恢复了", "resumed"),
    HoldVerb.RECALL: ("召回了", "called back"),
    HoldVerb.REMOVED: ("移离了", "took off the floor"),
    HoldVerb.RETURNED: ("放回了", "put back on the floor"),
}


def step(site: SiteState, given: DispatchInput, now: Now) -> Result:
    """Do what a supervisor tells a robot."""
    duty = site.duties.get(given.robot_id)
    if duty is None:
        text = Sentence(
            zh=f"没有机器人 {given.robot_id[:80]}。", en=f"There is no robot {given.robot_id[:80]}."
        )
        return site, (Refused(Refusal.NOT_FOUND, text),)
    if not given.reason.strip():
        text = Sentence(zh="请写明原因。", en="Say why: the record keeps the reason.")
        return site, (Refused(Refusal.INVALID, text),)
    match given:
        case RobotCommanded():
            return _commanded(site, duty, given, now)
        case ZoneLetThrough():
            return _let_through(site, duty, given, now)
        case _:
            assert_never(given)


def _commanded(site: SiteState, duty: Duty, given: RobotCommanded, now: Now) -> Result:
    if given.verb is HoldVerb.REMOVED:
        return _removed(site, duty, given, now)
    if given.verb is HoldVerb.RETURNED:
        return _returned(site, duty, given, now)
    if duty.removed is not None:
        return site, (_off_floor(site, duty, duty.removed),)
    wanted = RobotHold(given.verb, given.reason[:REASON_MAX], given.by, now.utc_ms)
    if duty.hold is not None and duty.hold.verb is given.verb:
        return site, (Accepted(given.robot_id),)  # said twice
    match given.verb:
        case HoldVerb.RESUME:
            if duty.hold is None:
                text = Sentence(
                    zh="没有人暂停或召回这台机器人。",
                    en="Nobody holds this robot or called it back.",
                )
                return site, (Refused(Refusal.CONFLICT, text),)
            site = with_duty(site, replace(duty, hold=None))
        case HoldVerb.HOLD:
            site = with_duty(site, replace(duty, hold=wanted))
        case HoldVerb.RECALL:
            site = _recalled(site, duty, wanted, now)
        case _:
            assert_never(given.verb)
    zh, en = _VERBS[given.verb]
    name = robot_name(site.plan, given.robot_id)
    line = _line(
        site,
        duty,
        given.by,
        Sentence(
            zh=f"{given.by} {zh} {name.zh}：{given.reason}"[:400],
            en=f"{given.by} {en} {name.en}: {given.reason}"[:400],
        ),
        {"verb": given.verb, "reason": given.reason[:REASON_MAX], "node": duty.at_node or ""},
        now,
    )
    site, outputs = settle(site, now)
    return site, (Accepted(given.robot_id), line, *outputs)


def _removed(site: SiteState, duty: Duty, given: RobotCommanded, now: Now) -> Result:
    """What it stood on is free, its deliveries lose it; whoever fetched it was in that zone."""
    refusal = removals.not_removable(site, duty, now)
    if refusal is not None:
        return site, (refusal,)
    reason, zones = given.reason[:REASON_MAX], removals.zones_entered(site, duty)
    line = _statement(site, duty, replace(given, reason=reason), zones, now)
    site = removals.removed(site, duty, reason, given.by, now)
    site, outputs = settle(site, now)
    return site, (Accepted(given.robot_id), line, *outputs)


def _returned(site: SiteState, duty: Duty, given: RobotCommanded, now: Now) -> Result:
    reason = given.reason[:REASON_MAX]
    after = removals.returned(site, duty, reason, given.by, now)
    if isinstance(after, Refused):
        return site, (after,)
    back = after.duties[duty.robot_id]
    zones = removals.zones_entered(after, back)
    line = _statement(after, back, replace(given, reason=reason), zones, now)
    site, outputs = settle(after, now)
    return site, (Accepted(given.robot_id), line, *outputs)


def _statement(
    site: SiteState, duty: Duty, given: RobotCommanded, zones: tuple[Zone, ...], now: Now
) -> FileRecord:
    """The line of a removal or return: where, by whom, why, and in which zones people were."""
    zh, en = _VERBS[given.verb]
    node = duty.at_node or "?"
    name, place = robot_name(site.plan, given.robot_id), place_name(site.plan, node)
    text_zh = f"{given.by} 在 {place.zh} {zh} {name.zh}：{given.reason}"
    text_en = f"{given.by} {en} {name.en} at {place.en}: {given.reason}"
    if zones:
        text_zh += f"（有人进入：{'、'.join(zone.name.zh for zone in zones)}）"
        text_en += f" (a person was in {', '.join(zone.name.en for zone in zones)})"
    data = {"verb": given.verb.value, "reason": given.reason, "node": node}
    if zones:
        data["entered"] = ", ".join(zone.id for zone in zones)[:REASON_MAX]
    text = Sentence(zh=text_zh[:400], en=text_en[:400])
    return _line(site, duty, given.by, text, data, now)


def _off_floor(site: SiteState, duty: Duty, said: Removal) -> Refused:
    name = robot_name(site.plan, duty.robot_id)
    text = Sentence(
        zh=f"{name.zh} 已由 {said.by} 移离通道；放回后请先按“已放回”。"[:400],
        en=f"{said.by} took {name.en} off the floor; when it stands there again, say that "
        "it is back first."[:400],
    )
    return Refused(Refusal.CONFLICT, text)


def _recalled(site: SiteState, duty: Duty, hold: RobotHold, now: Now) -> SiteState:
    """It finishes its edge; what it carries goes back, what it was to fetch another robot does."""
    why = Sentence(
        zh=f"{hold.by} 召回了机器人：{hold.reason}"[:400],
        en=f"Its robot was called back by {hold.by}: {hold.reason}"[:400],
    )
    for row in tuple(tours.carried(site, duty.robot_id)):
        site = with_row(site, delivery_life.recalled(row, why, handover.at_of(site, row, now)))
    duty = fleet.called_back(replace(site.duties[duty.robot_id], hold=hold))
    return with_duty(site, duty)


def _let_through(site: SiteState, duty: Duty, given: ZoneLetThrough, now: Now) -> Result:
    if duty.removed is not None:
        return site, (_off_floor(site, duty, duty.removed),)
    zone = site.plan.zones.get(given.zone_id)
    if zone is None:
        text = Sentence(
            zh=f"没有区域 {given.zone_id[:80]}。", en=f"There is no zone {given.zone_id[:80]}."
        )
        return site, (Refused(Refusal.NOT_FOUND, text),)
    state = clearances(site, now.mono_ms)[zone.id]
    if state is Clearance.PERSON:
        text = Sentence(
            zh=f"{zone.name.zh}内有人，不能放行。",
            en=f"A person is seen in {zone.name.en}: no robot.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    if state is not Clearance.UNSEEN:
        text = Sentence(
            zh=f"{zone.name.zh}看得见，无需放行。",
            en=f"Cameras see {zone.name.en}; the robot goes on by itself when it is clear.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    one = LetThrough(zone.id, given.reason[:REASON_MAX], given.by, now.utc_ms)
    name = robot_name(site.plan, given.robot_id)
    others = tuple(row for row in duty.let if row.zone_id != zone.id)
    site = with_duty(site, replace(duty, let=(*others, one)))
    line = _line(
        site,
        duty,
        given.by,
        Sentence(
            zh=f"{given.by} 让 {name.zh} 通过无人看见的{zone.name.zh}：{given.reason}"[:400],
            en=f"{given.by} let {name.en} through {zone.name.en}, which nobody sees: "
            f"{given.reason}"[:400],
        ),
        {"zone": zone.id, "reason": given.reason[:REASON_MAX], "proof": "unproven"},
        now,
    )
    site, outputs = settle(site, now)
    return site, (Accepted(given.robot_id), line, *outputs)


def _line(  # what a line holds
    site: SiteState, duty: Duty, by: str, text: Sentence, data: dict[str, str], now: Now
) -> FileRecord:
    rows = tuple(tours.carried(site, duty.robot_id))
    row = rows[0] if rows else None
    return FileRecord(
        room_id=row.room_id if row is not None else anywhere(site),
        utc_ms=now.utc_ms,
        record_kind=RecordKind.DELIVERY,
        by=by,
        text=text,
        session_id=row.session_id if row is not None else None,
        subject=duty.robot_id,
        data=data,
    )
