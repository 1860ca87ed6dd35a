"""Decides which robot keeps deliveries waiting, and says who, where it stands, and what to do.

A robot that waits is asked for what it waits: what the next node of its way belongs to, or, where
there is no way round robots that are dead, which of them stands on its way. Who is itself kept
waiting passes the question on, so that people are sent to the one at the end of the queue.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from contracts.api import DeliveryState, Sentence
from contracts.observations import Severity
from contracts.units import RobotId
from controller.core import alerts, fleet, routing, tours, traffic
from controller.core.claims import claims, dead_by_robot
from controller.core.deliveries import Delivery
from controller.core.dispatch_live import Blocked
from controller.core.fleet import Duty, HoldVerb, RobotLive
from controller.core.names import place_name, robot_name
from controller.core.own_alerts import anywhere, lower, warn
from controller.core.state import Now, SiteState, changed, mark_of

LOOK_EVERY_MS: Final = 5_000  # people read it; robots do not
WAITS_MS: Final = 20_000  # others pass within this; a robot that reboots is back
ALARM_AFTER_MS: Final = 60_000
# As long as a robot may be lost before its orders are given to others: then somebody must go.
ROOMS_NAMED: Final = 4  # what an alert's one sentence holds
CHAIN_MAX: Final = 6  # robots in one queue; beyond, the sixth is named
BLOCKS_EN: Final = " and blocks the way to "
_WAITING: Final = frozenset({DeliveryState.TO_KITCHEN, DeliveryState.TRAVELLING})


@dataclass(frozen=True, slots=True)
class _Look:
    """What is looked at once for all robots."""

    dead: Mapping[RobotId, frozenset[str]]
    avoid: frozenset[str]
    holders: Mapping[str, RobotId]


def settle(site: SiteState, now: Now) -> SiteState:
    """Find out who keeps whom waiting, every few seconds, and alarm for who stays in the way."""
    if now.mono_ms - site.dispatch.looked_mono_ms < LOOK_EVERY_MS:
        return site
    found = _blocked(site, now)
    before = site.dispatch.blocked
    found = before if found == before else found
    dispatch = replace(site.dispatch, blocked=found, looked_mono_ms=now.mono_ms)
    return _alarmed(replace(site, dispatch=dispatch), now)


def why(site: SiteState, row: Delivery) -> Sentence | None:
    """Which robot keeps a delivery waiting, for people; None: none does."""
    found = site.dispatch.blocked.get(row.id)
    if found is None or row.state not in {*_WAITING, DeliveryState.REQUESTED}:
        return None
    zh, en = _target(site, row)
    stop_zh = f"：{found.reason.zh}，须有人移开" if found.reason is not None else ""
    stop_en = f": {found.reason.en}; somebody must fetch it" if found.reason is not None else ""
    name, place = robot_name(site.plan, found.robot_id), place_name(site.plan, found.node)
    return Sentence(
        zh=f"{name.zh} 停在 {place.zh}，挡住去往{zh}的路{stop_zh}。"[:400],
        en=f"{name.en} stands at {place.en}{BLOCKS_EN}{en}{stop_en}."[:400],
    )


def is_stale(said: Sentence) -> bool:
    """Whether a sentence is one of ours."""
    return BLOCKS_EN in said.en


def _target(site: SiteState, row: Delivery) -> tuple[str, str]:
    if row.state is DeliveryState.TO_KITCHEN:
        return "厨房", "the kitchen"
    return _room(site, row.room_id)


def _room(site: SiteState, room_id: str) -> tuple[str, str]:
    names = (area.name for area in site.plan.site.config.areas if area.id == room_id)
    name = next(names, None)
    return (room_id, room_id) if name is None else (name.zh, name.en)


# --- who --------------------------------------------------------------------------------------


def _blocked(site: SiteState, now: Now) -> Mapping[str, Blocked]:
    waiting = [duty for duty in site.duties.values() if _waits(site, duty, now)]
    dead = dead_by_robot(site, now)
    requested = dead and any(
        row.state is DeliveryState.REQUESTED for row in site.deliveries.values()
    )
    if not waiting and not requested:
        return {}
    avoid = frozenset[str]().union(*dead.values())
    look = _Look(dead, avoid, traffic.holders(site.plan, claims(site, now)))
    direct = {duty.robot_id: _blocker(site, duty, look) for duty in waiting}
    found: dict[str, Blocked] = {}
    for duty in waiting:
        name = _end_of_queue(duty.robot_id, direct)
        if name is None:
            continue
        said = _said(site, name, look)
        if said is None:
            continue
        rows = tours.carried(site, duty.robot_id)
        found |= {row.id: said for row in rows if row.state in _WAITING}
    if requested:
        found |= _unreached(site, look)
    return found


def _waits(site: SiteState, duty: Duty, now: Now) -> bool:
    """Whether a fit robot has been given nothing for long, for no reason of its own."""
    goal, mission = duty.goal, duty.mission
    live = site.robots.get(duty.robot_id, RobotLive())
    if goal is None or duty.at_node in (None, goal.node) or live.report is None:
        return False
    if duty.held_for or duty.pause_wanted or duty.removed is not None:
        return False
    if duty.hold is not None and duty.hold.verb is HoldVerb.HOLD:
        return False
    if not live.online(now.mono_ms) or fleet.unfit(duty, live.report) is not None:
        return False
    if mission is not None and mission.released >= len(mission.route):
        return False
    return now.mono_ms - site.dispatch.since.get(duty.robot_id, now.mono_ms) >= WAITS_MS


def _blocker(site: SiteState, duty: Duty, look: _Look) -> RobotId | None:
    """The first robot on the way that this one wants."""
    mission, goal = duty.mission, duty.goal
    if goal is None or duty.at_node is None:
        return None
    if mission is not None and not mission.waiting:
        way: tuple[str, ...] | None = mission.route[mission.released - 1 :]
        if way is not None and look.avoid.isdisjoint(way[1:]):
            return _first_on(site, way, duty.robot_id, look.holders)
    start = duty.at_node if mission is None else mission.route[mission.released - 1]
    way = routing.way(site.plan, start, goal.node, avoid=look.avoid - {start})
    if way is not None:
        return _first_on(site, way, duty.robot_id, look.holders)
    return _dead_between(site, start, goal.node, look, duty.robot_id)


def _first_on(
    site: SiteState, way: Iterable[str], mine: RobotId, holders: Mapping[str, RobotId]
) -> RobotId | None:
    lanes = site.plan.lanes
    for start, end in pairwise(way):
        bits = lanes.node_bits.get(end, 0) | lanes.edge_bits.get((start, end), 0)
        for name in sorted(lanes.named(bits)):
            owner = holders.get(name)
            if owner is not None and owner != mine:
                return owner
    return None


def _dead_between(
    site: SiteState, start: str, goal: str, look: _Look, mine: RobotId | None = None
) -> RobotId | None:
    """The dead robot without which there would be a way; else the first on the plain way."""
    for name in look.dead:
        others = (nodes for other, nodes in look.dead.items() if other != name)
        rest = frozenset[str]().union(*others) - {start}
        if name != mine and routing.way(site.plan, start, goal, avoid=rest) is not None:
            return name
    plain = routing.way(site.plan, start, goal)
    return None if plain is None else _first_on(site, plain, mine or "", look.holders)


def _end_of_queue(name: RobotId, direct: Mapping[RobotId, RobotId | None]) -> RobotId | None:
    found = direct.get(name)
    seen = {name}
    while found is not None and found not in seen and len(seen) < CHAIN_MAX:
        seen.add(found)
        further = direct.get(found)
        if further is None:
            return found
        found = further
    return None if found == name else found


def _said(site: SiteState, name: RobotId, look: _Look) -> Blocked | None:
    duty = site.duties[name]
    if duty.at_node is None:
        return None
    reason = _reason(site, duty) if name in look.dead else None
    return Blocked(name, duty.at_node, reason)


def _reason(site: SiteState, duty: Duty) -> Sentence:
    """Why a robot does not move."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    if duty.hold is not None and duty.hold.verb is HoldVerb.HOLD:
        return Sentence(zh=f"{duty.hold.by} 已暂停", en=f"held by {duty.hold.by}")
    found = fleet.unfit(duty, report) if report is not None else None
    return found or Sentence(zh="离线", en="off line")


def _unreached(site: SiteState, look: _Look) -> Mapping[str, Blocked]:
    """Orders that wait for a robot, where none can come to their door past who is dead."""
    kitchen = site.plan.kitchen_node
    reached = routing.seconds_from(site.plan, kitchen, look.avoid - {kitchen})
    found: dict[str, Blocked] = {}
    for row in site.deliveries.values():
        door = site.plan.door_nodes.get(row.room_id)
        if row.state is not DeliveryState.REQUESTED or door is None or door in reached:
            continue
        name = _dead_between(site, kitchen, door, look)
        said = _said(site, name, look) if name is not None else None
        if said is not None:
            found[row.id] = said
    return found


# --- the alarm ---------------------------------------------------------------------------------


def _alarmed(site: SiteState, now: Now) -> SiteState:
    """An alarm for each robot that will not move by itself and keeps rooms waiting."""
    rooms: dict[RobotId, dict[str, Blocked]] = {}
    for name, found in site.dispatch.blocked.items():
        row = site.deliveries.get(name)
        if found.reason is not None and row is not None:
            rooms.setdefault(found.robot_id, {})[row.room_id] = found
    since = {name: site.dispatch.blocking.get(name, now.mono_ms) for name in rooms}
    if since != site.dispatch.blocking:
        site = replace(site, dispatch=replace(site.dispatch, blocking=since))
    for mark in tuple(site.marks):
        rule, _, subject = mark.partition("|")
        if rule == alerts.BLOCKS_WAY and subject not in rooms:
            site = lower(site, rule, subject, now)
    for name, kept in rooms.items():
        if now.mono_ms - since[name] >= ALARM_AFTER_MS:
            site = _told(site, name, kept, now)
    return site


def _told(site: SiteState, name: RobotId, kept: Mapping[str, Blocked], now: Now) -> SiteState:
    found = next(iter(kept.values()))
    reason = found.reason or Sentence(zh="停运", en="stopped")
    names = [_room(site, room_id) for room_id in kept]
    more = len(names) - ROOMS_NAMED
    zh = "、".join(row[0] for row in names[:ROOMS_NAMED]) + (
        f" 等 {len(names)} 处" if more > 0 else ""
    )
    en = ", ".join(row[1] for row in names[:ROOMS_NAMED]) + (
        f" and {more} more" if more > 0 else ""
    )
    robot, place = robot_name(site.plan, name), place_name(site.plan, found.node)
    saw = Sentence(
        zh=f"{robot.zh} 停在 {place.zh}（{reason.zh}），{zh}都在等。请移开它，再按“已移离”。",
        en=f"{robot.en} stands at {place.en}, {reason.en}; {en} wait. Fetch it, then press "
        "“Taken off the floor”.",
    )
    room_id = next(iter(kept), anywhere(site))
    known = site.marks.get(mark_of(alerts.BLOCKS_WAY, name))
    record = site.alerts.get(known or "")
    if record is None:
        return warn(site, alerts.BLOCKS_WAY, name, room_id, now, saw=saw, severity=Severity.ALARM)
    told = alerts.saw_now(record, saw)
    return site if told is record else replace(site, alerts=changed(site.alerts, record.id, told))
