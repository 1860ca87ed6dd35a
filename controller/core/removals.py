"""Decides what becomes of a robot that a person takes off the floor by hand, and of its load.

Both are statements of a person, who answers for them by name. From ``removed`` on the robot is
nowhere: it holds no node, no lift and no charger, has no order and no delivery, and none of its
words changes that. From ``returned`` on it stands where it says, if that can be: on line, standing,
on a node that nobody else holds, from where it can leave without locking anybody in.
"""

from dataclasses import replace
from typing import Final

from contracts.api import DeliveryKind, DeliveryState, Sentence
from contracts.catalogue.robot import FAULT, IGNORES_PAUSE, UNFIT
from contracts.devices import Zone, ZonePolicy
from contracts.observations import Severity
from contracts.units import Bilingual
from controller.core import alerts, custody, delivery_life, fleet, handover, proof, tours, traffic
from controller.core.claims import claims
from controller.core.deliveries import Delivery, enter
from controller.core.delivery_life import At
from controller.core.driving import way_out
from controller.core.fleet import ActionDuty, Duty, Removal, RobotLive, RobotReport
from controller.core.names import place_name, robot_name
from controller.core.outputs import ActionKind, Refusal, Refused
from controller.core.own_alerts import anywhere, lower, warn
from controller.core.plan import AT_NODE_M
from controller.core.standing import off_m
from controller.core.state import Now, SiteState, changed
from controller.core.tours import with_duty, with_row
from controller.core.traffic import Claim

CANCEL_AGAIN_MS: Final = 15_000  # a robot that was told to drop its order has by then
OF_ROBOT: Final = (
    alerts.LOCK_FAILED,
    alerts.LID_OPEN,
    alerts.NOT_COLLECTED,
    alerts.NOT_EMPTIED,
    alerts.STRANDED,
    alerts.PIN_LOCKED,
    alerts.BATTERY_LOW,
    alerts.ROBOT_LOST,
    alerts.ROBOT_ERROR,
    alerts.BLOCKS_WAY,
    UNFIT.code,
    FAULT.code,
    IGNORES_PAUSE.code,
    *(rule.code for rule in alerts.ROBOT_RULES),
)
"""What is over when a robot is off the floor. A doubt is not: what it said is to be looked at."""
_NOT_LOADED: Final = frozenset({DeliveryState.TO_KITCHEN, DeliveryState.LOADING})
_HANDED_OVER: Final = frozenset({DeliveryState.COLLECTED})
_BROUGHT_AGAIN: Final = frozenset(
    {
        DeliveryState.LOCKING,
        DeliveryState.TRAVELLING,
        DeliveryState.ARRIVED,
        DeliveryState.UNLOCKING,
    }
)


# --- off the floor -----------------------------------------------------------------------------


def not_removable(site: SiteState, duty: Duty, now: Now) -> Refused | None:
    """Why a robot cannot have been taken off the floor; None: it can."""
    name = robot_name(site.plan, duty.robot_id)
    if duty.removed is not None:
        return _conflict(
            f"{name.zh} 已由 {duty.removed.by} 移离通道；放回后请按“已放回”。",
            f"{name.en} was taken off the floor by {duty.removed.by} already; "
            "when it stands there again, say that it is back.",
        )
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or not live.online(now.mono_ms):
        return None
    if report.driving and report.automatic and not report.e_stop and duty.doubted is None:
        return _conflict(
            f"{name.zh} 正在自动行驶，不可能已被移离；请先暂停它，核对编号后再试。",
            f"{name.en} says that it drives by itself just now: its places cannot be free. "
            "Hold it first, and look whether it is the right robot.",
        )
    return None


def zones_entered(site: SiteState, duty: Duty) -> tuple[Zone, ...]:
    """Zones without people in which a robot stands, or may stand: who fetches it was in there."""
    mission = duty.mission
    nodes = [duty.at_node, duty.towards]
    if mission is not None:
        nodes += mission.route[mission.passed : min(mission.passed + 2, mission.released)]
    found = (site.plan.zone_at.get(node) for node in nodes if node is not None)
    rows = {zone.id: zone for zone in found if zone is not None and _is_shut(zone)}
    return tuple(rows.values())


def _is_shut(zone: Zone) -> bool:
    return zone.policy is not ZonePolicy.OPEN


def removed(site: SiteState, duty: Duty, reason: str, by: str, now: Now) -> SiteState:
    """The robot is off the floor: nothing of the map is its own, and its deliveries lose it."""
    node, name = duty.at_node, robot_name(site.plan, duty.robot_id)
    said = Removal(reason, by, now.utc_ms, node, _loaded(site, duty))
    detail = f"{by} 用手移离 {name.zh} / took {name.en} off the floor here: {reason}"
    site = _proven(site, duty, detail, now)
    told = _in_hand(site, duty, name, said)
    for row in tours.carried(site, duty.robot_id):
        after = _without_robot(row, name, node, said, handover.at_of(site, row, now))
        site = with_row(site, after)
    for rule in OF_ROBOT:
        site = lower(site, rule, duty.robot_id, now)
    if told is not None:
        room_id, saw = told
        severity = Severity.ALARM
        site = warn(site, alerts.IN_HAND, duty.robot_id, room_id, now, saw=saw, severity=severity)
    site = _forgotten(site, duty)
    return with_duty(site, _nowhere(duty, said))


def _nowhere(duty: Duty, said: Removal | None) -> Duty:
    """A duty without place, order, goal or wish; what it declared and how it numbers stays."""
    return Duty(
        robot_id=duty.robot_id,
        made=duty.made,
        strays=duty.strays,
        paused_utc_ms=duty.paused_utc_ms,
        declared=duty.declared,
        doubted=duty.doubted,
        removed=said,
    )


def _forgotten(site: SiteState, duty: Duty) -> SiteState:
    """What was remembered of it while it drove would judge the robot that comes back."""
    name = duty.robot_id
    dispatch = replace(
        site.dispatch,
        declined={key: row for key, row in site.dispatch.declined.items() if key != name},
        asked={key: at for key, at in site.dispatch.asked.items() if key.partition("|")[0] != name},
    )
    return replace(
        site,
        dispatch=dispatch,
        watches={key: row for key, row in site.watches.items() if key != name},
        trails={key: row for key, row in site.trails.items() if key != name},
    )


def _without_robot(
    row: Delivery, name: Bilingual, node: str | None, said: Removal, at: At
) -> Delivery:
    """A delivery whose robot was taken away: another brings it, or it ends, and says who has it."""
    zh, en = f"{said.by} 已将 {name.zh} 移离通道", f"{said.by} took {name.en} off the floor"
    if row.state in _NOT_LOADED:
        why = Sentence(zh=f"{zh}，已改派。"[:400], en=f"{en}; another robot goes."[:400])
        return delivery_life.again_from_start(row, why, at)
    if row.state in _HANDED_OVER or (row.state is DeliveryState.RETURNING and not row.cargo):
        return _ended(row, row.returns_as, Sentence(zh=f"{zh}。"[:400], en=f"{en}."[:400]), at)
    if row.state is DeliveryState.OPEN:
        why = Sentence(
            zh=f"{zh}，当时箱格在门口已打开：请向该室核实是否已取。"[:400],
            en=f"{en} while it was open at the door; ask the room whether it has it."[:400],
        )
        return _ended(row, DeliveryState.FAILED, why, at)
    events = custody.recorded(row.custody, "in_hand", said.by, at.utc_ms, node_id=node)
    box = row.compartment or 1
    zh = f"{zh}；{box} 号箱格的物品由 {said.by} 保管，送回厨房。"
    en = f"{en} and has what was in compartment {box}; it goes to the kitchen by hand."
    again = row.state in _BROUGHT_AGAIN and row.kind is DeliveryKind.MEAL
    if not again:
        ends = row.returns_as if row.state is DeliveryState.RETURNING else DeliveryState.FAILED
        return _ended(replace(row, custody=events), ends, Sentence(zh=zh[:400], en=en[:400]), at)
    events = custody.recorded(events, "ordered_again", "controller", at.utc_ms)
    why = Sentence(
        zh=f"{zh}已改派，重新备餐。"[:400], en=f"{en} Another robot brings it again."[:400]
    )
    row = replace(row, custody=events, zones=proof.closed(row.zones, at.utc_ms))
    return delivery_life.again_from_start(row, why, at)


def _ended(row: Delivery, state: DeliveryState, why: Sentence, at: At) -> Delivery:
    over = enter(row, state, at.mono_ms, at.utc_ms)
    return replace(over, explanation=why, zones=proof.closed(over.zones, at.utc_ms))


def _loaded(site: SiteState, duty: Duty) -> tuple[int, ...]:
    """The compartments that have something inside, by what is carried and by what it says."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    boxes = {row.compartment or 1 for row in tours.carried(site, duty.robot_id) if row.cargo}
    if report is not None:
        boxes |= {box.compartment for box in report.compartments if box.occupied}
    return tuple(sorted(boxes))


def _in_hand(
    site: SiteState, duty: Duty, name: Bilingual, said: Removal
) -> tuple[str, Sentence] | None:
    """The area, and what the kitchen must know: what was inside, and who has it now."""
    if not said.loaded:
        return None
    rows = [row for row in tours.carried(site, duty.robot_id) if row.cargo]
    numbers = ", ".join(str(number) for number in said.loaded)
    saw = Sentence(
        zh=f"{said.by} 移离了 {name.zh}，{numbers} 号箱格有物品：请与其交接并送回厨房。",
        en=f"{said.by} took {name.en} off the floor with something in compartment {numbers}: "
        "take it over from them, to the kitchen.",
    )
    return (rows[0].room_id if rows else anywhere(site)), saw


def _proven(site: SiteState, duty: Duty, detail: str, now: Now) -> SiteState:
    """A person was in each zone that the robot was fetched from, whoever carries through it now."""
    zones = zones_entered(site, duty)
    if not zones:
        return site
    mine = {row.id for row in tours.carried(site, duty.robot_id)}
    for row in tuple(site.deliveries.values()):
        if row.ended:
            continue
        passages = row.zones
        last = passages[-1] if passages and passages[-1].left_utc_ms is None else None
        for zone in zones:
            if row.id in mine or (last is not None and last.zone_id == zone.id):
                passages = proof.entered(passages, zone, now.utc_ms, detail)
        if passages is not row.zones:
            site = with_row(site, replace(row, zones=passages))
    return site


def settle(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """A robot off the floor that still has an order is told to drop it, while it can be told."""
    if duty.removed is None:
        return site
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    kept = tuple(row for row in duty.actions if row.ended or row.action is ActionKind.CANCEL)
    if report is None or not live.online(now.mono_ms):
        kept = tuple(row for row in kept if row.ended)
        return with_duty(site, duty if kept == duty.actions else replace(duty, actions=kept))
    duty = duty if kept == duty.actions else replace(duty, actions=kept)
    site = with_duty(site, duty)
    has_order = bool(report.order_id) and not report.standing
    if not has_order or fleet.pending(duty, ActionKind.CANCEL) is not None:
        return site
    key = f"{duty.robot_id}|removed"
    asked = site.dispatch.asked.get(key)
    if asked is not None and now.mono_ms - asked < CANCEL_AGAIN_MS:
        return site
    dispatch = replace(site.dispatch, asked=changed(site.dispatch.asked, key, now.mono_ms))
    action = ActionDuty(handover.new_id(duty, now.utc_ms), ActionKind.CANCEL)
    return with_duty(replace(site, dispatch=dispatch), fleet.with_action(duty, action))


# --- back on the floor -------------------------------------------------------------------------


def returned(site: SiteState, duty: Duty, reason: str, by: str, now: Now) -> SiteState | Refused:
    """The robot stands on the floor again, where it says; refused where that cannot be."""
    name = robot_name(site.plan, duty.robot_id)
    if duty.removed is None:
        return _conflict(
            f"{name.zh} 没有被移离通道。", f"Nobody has taken {name.en} off the floor."
        )
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or not live.online(now.mono_ms):
        return _conflict(
            f"{name.zh} 离线：请开机，等它上线后再试。",
            f"{name.en} is off line: switch it on, and say it again when it is on line.",
        )
    if live.seen_utc_ms is not None and live.seen_utc_ms <= duty.removed.utc_ms:
        return _conflict(
            f"{name.zh} 移离后尚未上报：请稍候再试。",
            f"{name.en} has said nothing since it was taken off; wait for its next word.",
        )
    refusal = _unsound(duty, name, report) or _misplaced(site, duty, report)
    if refusal is not None:
        return refusal
    back = _back(duty, report, now)
    refusal = _shut_in(site, back, now)
    if refusal is not None:
        return refusal
    detail = f"{by} 用手放回 {name.zh} / put {name.en} back here: {reason}"
    site = _proven(with_duty(site, back), back, detail, now)
    site = lower(_forgotten(site, back), alerts.IN_HAND, duty.robot_id, now)
    since = changed(site.dispatch.since, duty.robot_id, now.mono_ms)
    return replace(site, dispatch=replace(site.dispatch, since=since))


def _back(duty: Duty, report: RobotReport, now: Now) -> Duty:
    del now
    # A pause of ours may have outlasted the removal; who says that it is back wants it to drive.
    wanted = False if report.paused else None
    return replace(_nowhere(duty, None), at_node=report.last_node, pause_wanted=wanted)


def _unsound(duty: Duty, name: Bilingual, report: RobotReport) -> Refused | None:
    if duty.doubted is not None:
        return _conflict(
            f"{name.zh} 上报异常，尚未核实：请先解除怀疑。",
            f"{name.en} said what cannot be true: look at it and clear the doubt first.",
        )
    if not report.automatic:
        return _conflict(
            f"{name.zh} 处于人工模式：请切换到自动。",
            f"{name.en} is in manual mode: switch it to automatic first.",
        )
    why = fleet.unfit(_nowhere(duty, None), report)
    if why is not None:
        return _conflict(f"{name.zh} {why.zh}：请先排除。", f"{name.en} {why.en}: mend that first.")
    if not report.standing:
        return _conflict(
            f"{name.zh} 仍有旧任务或正在行驶：系统正在取消，请稍候再试。",
            f"{name.en} still has its old order or drives: it is being told to drop it; wait.",
        )
    return None


def _misplaced(site: SiteState, duty: Duty, report: RobotReport) -> Refused | None:
    name, node = robot_name(site.plan, duty.robot_id), report.last_node
    if node not in site.plan.map.nodes:
        where = node or "-"
        return _conflict(
            f"{name.zh} 上报的位置（{where[:60]}）不在地图上：请推到地图节点上。",
            f"{name.en} says that it stands at {where[:60]}, which the map does not have: "
            "push it onto a node.",
        )
    if node in site.plan.cab_of:
        return _conflict(
            f"{name.zh} 停在电梯内：请推到楼层上。",
            f"{name.en} stands in a lift: push it onto a floor.",
        )
    off = off_m(site, node, report)
    if off > AT_NODE_M:
        place = place_name(site.plan, node)
        return _conflict(
            f"{name.zh} 距 {place.zh} {off:.1f} 米：请推到节点上。",
            f"{name.en} says that it is {off:.1f} m from {place.en}: push it onto the node.",
        )
    return None


def _shut_in(site: SiteState, back: Duty, now: Now) -> Refused | None:
    """Why a robot cannot stand there: somebody has the place, or nobody could get out again."""
    node = back.at_node or ""
    rows = claims(site, now)
    held = traffic.holders(site.plan, rows)
    here = site.plan.needs.get(node, frozenset((node,)))
    owner = next((held[one] for one in sorted(here) if one in held), None)
    name, place = robot_name(site.plan, back.robot_id), place_name(site.plan, node)
    if owner is not None:
        other = robot_name(site.plan, owner)
        return _conflict(
            f"{place.zh} 由 {other.zh} 占用：请放到别处。",
            f"{place.en} is held by {other.en}: put {name.en} elsewhere.",
        )
    out = way_out(site, back, node, frozenset())
    wish = Claim(back.robot_id, out or (node,), (), 1)
    if out is not None and traffic.joins(site.plan, rows, wish):
        return None
    home = place_name(site.plan, site.plan.robots[back.robot_id].home_node)
    return _conflict(
        f"放在 {place.zh} 会堵住其他机器人：请放到 {home.zh} 或其他待避点。",
        f"At {place.en} it would shut others in: put {name.en} at {home.en} or another refuge.",
    )


def _conflict(zh: str, en: str) -> Refused:
    return Refused(Refusal.CONFLICT, Sentence(zh=zh[:400], en=en[:400]))
