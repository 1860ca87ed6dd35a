"""Decides whether what a robot reports can be true: physics, the map, its order, its own clock.

Each check leaves room for what honest robots do: messages of QoS 0 come late, twice or not at all,
a localisation corrects itself by a step, a battery gauge is coarse, a person pushes the robot in
manual mode. What is contradictory only for a moment (driving while paused: it brakes) must stand
for a while before it counts. Memory of the last report is live: after a restart it begins anew.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.api import Sentence
from contracts.layout import MapNode
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from controller.core import capability
from controller.core.doubts import Doubt, DoubtKind
from controller.core.fleet import Duty, Mission, RobotReport
from controller.core.names import both, place_name
from controller.core.outputs import ActionKind
from controller.core.plan import SitePlan, length_m

SPEED_SHARE: Final = 1.3  # over its highest speed: odometry and stamps err by some percent
STEP_M: Final = 2.0  # a localisation that corrects itself steps this far at most
NEAR_NODE_M: Final = 0.8  # so far from a node a robot says that it has passed it
BEND_SHARE: Final = 0.25  # of a way's length, so far its bend may lead beside the straight line
LATE_MAX_MS: Final = 30_000  # a state that a broker held for longer is not counted for its age
NO_STAMP_MS: Final = 3_000  # what a message may have been late by, where its stamp says nothing
CLOCK_MAX_MS: Final = 60_000  # unlocks are valid for seconds; a minute off is no drift
CLOCK_FIRST_MS: Final = 10_000  # a robot that has just started may not have its time yet
BATTERY_RISE_MAX: Final = (
    5.0  # percent without charging: a gauge under load recovers when it stands
)
BATTERY_CHARGE_PER_S: Final = 0.5  # percent a second; the fastest chargers need minutes
STOPPED_MS: Final = 5_000  # braking from 3 m/s at 0.6 m/s2: paused or stopped, it stands by then
OFF_NODE_M: Final = 3.0  # beyond the longest way from its last node: deviation and localisation
OFF_NODE_MS: Final = 3_000  # a state may name the last node a moment before the position follows
BOX_MS: Final = 3_000  # contacts and scales swing while a lid moves
SEQUENCE_MS: Final = 2_000  # the state may be older than the update that is on its way
OPENED_LATELY_MS: Final = 120_000  # an unlock of ours that may still explain a bolt that is drawn
STALE_MIN: Final = 5  # so many states with old numbers in a row are no late copies
GARBLED_MIN: Final = 3  # one broken payload is an accident


@dataclass(frozen=True, slots=True)
class Trail:
    """What is remembered of a robot between two reports. ``since``: when what lasts began."""

    report: RobotReport | None = None
    mono_ms: MonoMs = MonoMs(0)
    first_mono_ms: MonoMs = MonoMs(0)
    since: Mapping[DoubtKind, MonoMs] = field(default_factory=dict)
    loads: Mapping[int, bool] = field(default_factory=dict)
    """Compartment -> whether something was inside when it was shut."""
    stale: int = 0
    stale_header_id: int = -1
    garbled: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """Everything that one report is judged by."""

    plan: SitePlan
    duty: Duty
    before: Trail
    report: RobotReport
    mono_ms: MonoMs
    utc_ms: UtcMs

    @property
    def elapsed_ms(self) -> int:
        return self.mono_ms - self.before.mono_ms

    @property
    def driven_by_us(self) -> bool:
        """Nobody pushes it or drives it by hand, now or at the report before."""
        last = self.before.report
        return self.report.automatic and (last is None or last.automatic)


_Check = Callable[[_Look], Sentence | None]


def check(
    plan: SitePlan,
    duty: Duty,
    before: Trail,
    report: RobotReport,
    mono_ms: MonoMs,
    utc_ms: UtcMs,
) -> tuple[Trail, tuple[Doubt, ...]]:
    """Judge one report by the one before. ``duty`` is as it was before the report."""
    look = _Look(plan, duty, before, report, mono_ms, utc_ms)
    doubts = [Doubt(kind, text) for kind, one in _AT_ONCE if (text := one(look)) is not None]
    since: dict[DoubtKind, MonoMs] = {}
    for kind, lasts_ms, one in _LASTING:
        text = one(look)
        if text is None:
            continue
        since[kind] = min(since.get(kind, mono_ms), before.since.get(kind, mono_ms))
        if mono_ms - since[kind] >= lasts_ms and before.since.get(kind) is not None:
            doubts.append(Doubt(kind, text))
    trail = Trail(
        report=report,
        mono_ms=mono_ms,
        first_mono_ms=before.first_mono_ms if before.report is not None else mono_ms,
        since=since,
        loads=_loads(look),
    )
    return trail, tuple(doubts)


def stale(before: Trail, header_id: int, report: RobotReport) -> tuple[Trail, Doubt | None]:
    """Judge a state whose number is not above the last one's: a late copy, or a count begun anew.

    Only states that are newer by their own stamp, and count up among themselves, are no copies.
    """
    last = before.report
    old = (
        last is not None
        and last.stamp_utc_ms is not None
        and report.stamp_utc_ms is not None
        and report.stamp_utc_ms <= last.stamp_utc_ms
    )
    if old or header_id <= before.stale_header_id:
        return before, None
    after = replace(before, stale=before.stale + 1, stale_header_id=header_id)
    if after.stale < STALE_MIN:
        return after, None
    text = Sentence(
        zh=f"状态编号倒退到 {header_id}，而没有重新连接。",
        en=f"Its states count from {header_id} again, without a new connection.",
    )
    return replace(after, stale=0, stale_header_id=-1), Doubt(DoubtKind.HEADER, text)


def garbled(before: Trail, detail: str) -> tuple[Trail, Doubt | None]:
    """Judge a payload that is no state."""
    after = replace(before, garbled=before.garbled + 1)
    if after.garbled < GARBLED_MIN:
        return after, None
    text = Sentence(
        zh=f"连续 {after.garbled} 条状态无法读取：{detail}"[:400],
        en=f"{after.garbled} states in a row cannot be read: {detail}"[:400],
    )
    return after, Doubt(DoubtKind.MALFORMED, text)


# --- what counts at once -------------------------------------------------------------------------


def _teleport(look: _Look) -> Sentence | None:
    last, report = look.before.report, look.report
    if last is None or last.pose is None or report.pose is None or not look.driven_by_us:
        return None
    if last.pose.map_id != report.pose.map_id:
        return _other_map(look, last)
    far_m = math.hypot(report.pose.x_m - last.pose.x_m, report.pose.y_m - last.pose.y_m)
    robot = look.plan.robots[look.duty.robot_id]
    allowed_m = STEP_M
    if not _stood_still(last, report):
        fastest = SPEED_SHARE * capability.speed_max(robot, look.duty.declared)
        allowed_m += fastest * _travelled_ms(look, last) / 1_000
    if math.isfinite(far_m) and far_m <= allowed_m:
        return None
    seconds = look.elapsed_ms / 1_000
    return Sentence(
        zh=f"在 {seconds:.1f} 秒内移动了 {far_m:.1f} 米，不可能超过 {allowed_m:.1f} 米。",
        en=f"It moved {far_m:.1f} m within {seconds:.1f} s; {allowed_m:.1f} m are possible.",
    )


def _stood_still(last: RobotReport, report: RobotReport) -> bool:
    """By its own words it had nothing to drive, then and now, and passed nothing between."""
    return (
        last.standing
        and report.standing
        and (last.order_id, last.last_node, last.last_sequence_id)
        == (report.order_id, report.last_node, report.last_sequence_id)
    )


def _travelled_ms(look: _Look, last: RobotReport) -> float:
    """How long it may have driven between two reports: the one before may have come late.

    Its own stamps tell, as far as they agree with our clock; without them lateness is assumed.
    """
    elapsed = look.elapsed_ms
    if last.stamp_utc_ms is None or look.report.stamp_utc_ms is None:
        return elapsed + NO_STAMP_MS
    said = look.report.stamp_utc_ms - last.stamp_utc_ms
    return max(elapsed, min(said, elapsed + LATE_MAX_MS))


def _other_map(look: _Look, last: RobotReport) -> Sentence | None:
    lifted = {last.last_node, look.report.last_node} & set(look.plan.cab_of)
    if lifted or not look.plan.cab_of:
        # Without a lift on the map a change of its name is a new map that a person gave it.
        return None
    return Sentence(zh="不经电梯换了楼层。", en="It is on another floor and was in no lift.")


def _battery(look: _Look) -> Sentence | None:
    last, charge = look.before.report, look.report.battery_percent
    if not (math.isfinite(charge) and 0 <= charge <= 100):  # percent
        return Sentence(zh=f"电量 {charge:.0f}%。", en=f"Its battery is at {charge:.0f} %.")
    if last is None or not look.driven_by_us:
        return None
    risen = charge - last.battery_percent
    charged = last.charging or look.report.charging
    at_charger = look.duty.at_node in look.plan.chargers
    seconds = _travelled_ms(look, last) / 1_000
    limit = BATTERY_RISE_MAX + (BATTERY_CHARGE_PER_S * seconds if charged or at_charger else 0.0)
    # It may break down at once, an old battery under load does; back up it comes by charging alone.
    if risen <= limit:
        return None
    return Sentence(
        zh=f"电量在 {seconds:.1f} 秒内从 {last.battery_percent:.0f}% 变为 {charge:.0f}%。",
        en=f"Its battery went from {last.battery_percent:.0f} % to {charge:.0f} % "
        f"within {seconds:.1f} s.",
    )


def _unknown_node(look: _Look) -> Sentence | None:
    mission, report = look.duty.mission, look.report
    if mission is None or report.order_id != mission.order_id:
        return None  # what another order called its nodes is not ours to judge
    named = (report.last_node, *(row.node_id for row in report.unpassed))
    strange = next((node for node in named if node and node not in look.plan.map.nodes), None)
    if strange is None:
        return None
    return Sentence(
        zh=f"报告了地图上没有的节点 {strange[:60]}。",
        en=f"It names node {strange[:60]}, which the map does not have.",
    )


# --- what counts when it lasts -------------------------------------------------------------------


def _sequence(look: _Look) -> Sentence | None:
    mission, report = look.duty.mission, look.report
    if mission is None or report.order_id != mission.order_id or report.last_sequence_id % 2:
        return None  # an odd one stands on an edge, which some robots report
    index = report.last_sequence_id // 2
    if index < mission.passed:
        return Sentence(
            zh=f"在同一订单中从第 {mission.passed} 个节点退回第 {index} 个。",
            en=f"Within one order it went back from stop {mission.passed} to stop {index}.",
        )
    if index >= mission.released:
        return Sentence(
            zh=f"驶过了尚未放行的第 {index} 个节点。",
            en=f"It has passed stop {index}, which was not released.",
        )
    last_node = report.last_node
    if last_node and mission.route[index] != last_node:
        own, said = (place_name(look.plan, node) for node in (mission.route[index], last_node))
        return Sentence(
            zh=f"第 {index} 个节点应为 {own.zh}，却报告 {said.zh[:60]}。",
            en=f"Stop {index} is {own.en}; it says {said.en[:60]}.",
        )
    return _released_wrongly(look.plan, mission, report)


def _released_wrongly(plan: SitePlan, mission: Mission, report: RobotReport) -> Sentence | None:
    for row in report.unpassed:
        index = row.sequence_id // 2
        if not row.released:
            continue
        if index >= mission.released or mission.route[index] != row.node_id:
            place = place_name(plan, row.node_id)
            return Sentence(
                zh=f"把未放行的 {place.zh[:60]} 当作已放行。",
                en=f"It takes {place.en[:60]} for released, which it is not.",
            )
    return None


def _drives_stopped(look: _Look) -> Sentence | None:
    report = look.report
    if not report.driving or not (report.paused or report.e_stop):
        return None
    if report.e_stop:
        return Sentence(zh="急停时仍在行驶。", en="It drives while its emergency stop is on.")
    return Sentence(zh="暂停时仍在行驶。", en="It drives while it is paused.")


def _off_node(look: _Look) -> Sentence | None:
    mission, report = look.duty.mission, look.report
    ours = mission is not None and report.order_id == mission.order_id
    node = look.plan.map.nodes.get(report.last_node)
    if not ours or node is None or report.pose is None or not look.driven_by_us:
        return None
    if report.pose.map_id and report.pose.map_id != node.map_id:
        return None  # in a lift; ``_teleport`` judges floors
    ways = look.plan.ways.get(node.id, {}).values()
    reach_m = max((edge.length_m for edge in ways), default=0.0) + OFF_NODE_M
    far_m = math.hypot(report.pose.x_m - node.x_m, report.pose.y_m - node.y_m)
    if far_m <= reach_m:
        return None
    place = both(node.name)
    return Sentence(
        zh=f"距其最后经过的节点 {place.zh} {far_m:.1f} 米。",
        en=f"It is {far_m:.1f} m from {place.en}, the node it says it passed last.",
    )


def _clock(look: _Look) -> Sentence | None:
    stamp = look.report.stamp_utc_ms
    if stamp is None or look.mono_ms - look.before.first_mono_ms < CLOCK_FIRST_MS:
        return None
    off_ms = stamp - look.utc_ms
    if abs(off_ms) <= CLOCK_MAX_MS:
        return None
    return Sentence(
        zh=f"时钟偏差 {off_ms / 1_000:.0f} 秒。", en=f"Its clock is off by {off_ms / 1_000:.0f} s."
    )


def _compartments(look: _Look) -> Sentence | None:
    for box in look.report.compartments:
        number = box.compartment
        if box.lock is LockState.LOCKED and box.lid is LidState.OPEN:
            return Sentence(
                zh=f"箱格 {number} 同时锁闭又打开。",
                en=f"Compartment {number} is locked and open at once.",
            )
        known = look.before.loads.get(number)
        if box.shut and known is not None and box.occupied is not known:
            return Sentence(
                zh=f"箱格 {number} 锁闭时内容发生变化。",
                en=f"What is in compartment {number} changed while it was locked.",
            )
        if known is not None and box.lock is LockState.UNLOCKED and not _may_be_open(look, number):
            return Sentence(
                zh=f"箱格 {number} 未经指令开锁。",
                en=f"Compartment {number} was unlocked without a command.",
            )
    listed = {box.compartment for box in look.report.compartments}
    gone = sorted(set(look.before.loads) - listed)
    if gone:
        return Sentence(
            zh=f"箱格 {gone[0]} 不再出现在报告中。",
            en=f"Compartment {gone[0]} is no longer reported.",
        )
    return None


def _may_be_open(look: _Look, number: int) -> bool:
    """An unlock of ours explains it, or nobody's thing is inside and people clean it at a stop."""
    for row in look.duty.actions:
        if row.action is not ActionKind.OPEN or row.opens is None:
            continue
        until = row.valid_until_utc_ms or 0
        if row.opens.compartment == number and look.utc_ms - until <= OPENED_LATELY_MS:
            return True
    home = look.plan.robots[look.duty.robot_id].home_node
    at_stop = look.duty.at_node in (home, look.plan.kitchen_node)
    return look.duty.delivery_id is None and at_stop and not look.report.driving


def _loads(look: _Look) -> Mapping[int, bool]:
    """What was inside each compartment when it was shut last; an open one is forgotten."""
    return {
        box.compartment: look.before.loads.get(box.compartment, box.occupied)
        for box in look.report.compartments
        if _keeps(look, box)
    } | {
        number: inside
        for number, inside in look.before.loads.items()
        if number not in {box.compartment for box in look.report.compartments}
    }


def _keeps(look: _Look, box: CompartmentState) -> bool:
    if box.shut:
        return True
    known = box.compartment in look.before.loads
    return known and not _may_be_open(look, box.compartment)


def _leapt(look: _Look) -> Sentence | None:
    """It says that it has passed a node which it cannot have reached since its last report."""
    last, mission, report = look.before.report, look.duty.mission, look.report
    if mission is None or report.order_id != mission.order_id or not look.driven_by_us:
        return None
    index = report.last_sequence_id // 2
    node = look.plan.map.nodes.get(report.last_node)
    if node is None or not mission.passed < index < len(mission.route):
        return None
    beside_m = _beside_m(look.plan, mission, index, report)
    if beside_m > STEP_M:
        place = both(node.name)
        return Sentence(
            zh=f"报告已通过 {place.zh}，却在距此后路段 {beside_m:.1f} 米处。",
            en=f"It says that it passed {place.en}, but stands {beside_m:.1f} m from the way on.",
        )
    robot = look.plan.robots[look.duty.robot_id]
    fastest = SPEED_SHARE * capability.speed_max(robot, look.duty.declared)
    lasted_ms = NO_STAMP_MS if last is None else _travelled_ms(look, last)
    allowed_m = NEAR_NODE_M + fastest * lasted_ms / 1_000
    far_m = _detour_m(last, report, node)
    if far_m is None:
        # It may have been anywhere up to the next node when it last spoke.
        far_m = length_m(look.plan, mission.route[mission.passed + 1 : index + 1]) if last else 0.0
    if far_m <= allowed_m:
        return None
    place = both(node.name)
    return Sentence(
        zh=f"报告已通过 {place.zh}，需行驶 {far_m:.1f} 米，最多可能 {allowed_m:.1f} 米。",
        en=f"It says that it passed {place.en}: {far_m:.1f} m to drive, "
        f"{allowed_m:.1f} m possible.",
    )


def _beside_m(plan: SitePlan, mission: Mission, index: int, report: RobotReport) -> float:
    """How far a robot is from the node it passed last and the straight way on; bends count less."""
    pose, nodes = report.pose, plan.map.nodes
    here = nodes[mission.route[index]]
    if pose is None or pose.map_id not in ("", here.map_id):
        return 0.0
    there = nodes[mission.route[min(index + 1, len(mission.route) - 1)]]
    dx, dy = there.x_m - here.x_m, there.y_m - here.y_m
    square = dx * dx + dy * dy
    along = 0.0
    if square > 0 and there.map_id == here.map_id:
        along = ((pose.x_m - here.x_m) * dx + (pose.y_m - here.y_m) * dy) / square
    along = min(1.0, max(0.0, along))
    off_m = math.hypot(pose.x_m - here.x_m - along * dx, pose.y_m - here.y_m - along * dy)
    return off_m - BEND_SHARE * math.sqrt(square)


def _detour_m(last: RobotReport | None, report: RobotReport, node: MapNode) -> float | None:
    """How far it drove if it was at the node between two reports; None: they do not tell."""
    poses = (last.pose if last is not None else None, report.pose)
    far_m = [
        math.hypot(pose.x_m - node.x_m, pose.y_m - node.y_m)
        for pose in poses
        if pose is not None and pose.map_id in ("", node.map_id)
    ]
    return sum(far_m) if len(far_m) == len(poses) else None


_AT_ONCE: Final[tuple[tuple[DoubtKind, _Check], ...]] = (
    (DoubtKind.TELEPORT, _teleport),
    (DoubtKind.BATTERY, _battery),
    (DoubtKind.UNKNOWN_NODE, _unknown_node),
    (DoubtKind.SEQUENCE, _leapt),
)
_LASTING: Final[tuple[tuple[DoubtKind, int, _Check], ...]] = (
    (DoubtKind.SEQUENCE, SEQUENCE_MS, _sequence),
    (DoubtKind.DRIVES_STOPPED, STOPPED_MS, _drives_stopped),
    (DoubtKind.OFF_NODE, OFF_NODE_MS, _off_node),
    (DoubtKind.CLOCK, CLOCK_FIRST_MS, _clock),
    (DoubtKind.COMPARTMENT, BOX_MS, _compartments),
)
