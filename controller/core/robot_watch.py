"""Decides when a robot does what it should not: open, stuck, late, followed, deaf to a pause.

Each condition has a dwell of its own (``contracts.catalogue.robot``). When one began is kept in
memory alone: after a restart of the controller the dwell begins anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.api import DeliveryState
from contracts.catalogue.robot import (
    COMPARTMENT_OPEN,
    IGNORES_PAUSE,
    OVERDUE,
    PERSON_FOLLOWS,
    STOPPED_OFF_STOP,
)
from contracts.observations import Measured, Said
from contracts.units import Bilingual, MonoMs, RuleCode, UtcMs, ZoneId
from contracts.vda5050.profile import LidState
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, RobotLive, RobotReport
from controller.core.interlock import ZoneSight
from controller.core.names import place_name, robot_name, zone_name
from controller.core.plan import SitePlan

RULES: Final = (COMPARTMENT_OPEN, STOPPED_OFF_STOP, OVERDUE, PERSON_FOLLOWS, IGNORES_PAUSE)
LEFT_MAX: Final = 4  # zones a robot has left; following is told by the last two
FOLLOWS_WITHIN_MS: Final = 8_000
# Who walks behind a robot of 1.2 m/s is in the zone it left within the time it takes to leave one.
ZONES_FOLLOWED_MIN: Final = (
    2  # in one zone anybody may stand; in two, one after another, they follow
)

MAY_OPEN: Final = frozenset(
    {
        DeliveryState.LOADING,
        DeliveryState.LOCKING,
        DeliveryState.UNLOCKING,
        DeliveryState.OPEN,
        DeliveryState.COLLECTED,
    }
)
"""States of a delivery in which its robot's lid may be open: somebody was let at it."""
AWAITED: Final = frozenset(
    {
        DeliveryState.REQUESTED,
        DeliveryState.TO_KITCHEN,
        DeliveryState.LOADING,
        DeliveryState.LOCKING,
        DeliveryState.TRAVELLING,
    }
)
"""States of a delivery that somebody still waits for."""


@dataclass(frozen=True, slots=True)
class ZoneLeft:
    """A zone that a robot drove out of, and whether a person was seen there right after."""

    zone_id: ZoneId
    at: MonoMs
    person: bool = False


@dataclass(frozen=True, slots=True)
class RobotWatch:
    """What is remembered of one robot."""

    zone_id: ZoneId | None = None
    left: tuple[ZoneLeft, ...] = ()
    since: Mapping[RuleCode, MonoMs] = field(default_factory=dict)
    """When each condition that holds began."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule makes of one robot now; ``raised`` when its dwell is over."""

    rule: RuleCode
    raised: bool
    cleared: bool
    saw: Said
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one robot now."""

    duty: Duty
    live: RobotLive
    delivery: Delivery | None
    at_stop: bool
    """It stands at a node where robots stop: the kitchen, a door, its dock."""
    aboard: tuple[Delivery, ...] = ()
    """All deliveries that it has a compartment for; ``delivery`` is the one it serves now."""

    def owner(self, compartment: int) -> Delivery | None:
        """The delivery that a compartment is for."""
        rows = (*self.aboard, *((self.delivery,) if self.delivery is not None else ()))
        return next((row for row in rows if row.compartment in (None, compartment)), None)


def numbers(plan: SitePlan, rule: RuleCode) -> Mapping[str, float]:
    """The parameters of a rule as this site has set them."""
    return plan.rules[rule].numbers


def step(
    watch: RobotWatch,
    facts: Facts,
    plan: SitePlan,
    sights: Mapping[ZoneId, ZoneSight],
    now_mono: MonoMs,
    now_utc: UtcMs,
) -> tuple[RobotWatch, tuple[Judged, ...]]:
    """Look at one robot. What nothing is known of (a silent robot) neither begins nor ends."""
    report = facts.live.report
    if report is None or not facts.live.online(now_mono):
        return watch, ()
    watch = _moved(watch, facts.duty, report, plan, sights, now_mono)
    found = (
        _open(facts, plan, report),
        _stuck(facts, plan, report),
        _late(facts, plan, now_utc),
        _followed(watch, facts, plan, report, now_mono),
        _unheeding(facts, plan, report),
    )
    judged: list[Judged] = []
    since = dict(watch.since)
    for spec, (holds, saw, measured) in zip(RULES, found, strict=True):
        rule = spec.code
        if not holds:
            since.pop(rule, None)
            judged.append(Judged(rule, raised=False, cleared=True, saw=_OVER))
            continue
        began = since.setdefault(rule, now_mono)
        due = now_mono - began >= numbers(plan, rule)["dwell_ms"]
        judged.append(Judged(rule, due, cleared=False, saw=Said.of(saw), measured=measured))
    return (watch if since == watch.since else replace(watch, since=since)), tuple(judged)


_Found = tuple[bool, Bilingual, tuple[Measured, ...]]
_NOTHING: Final[_Found] = (False, Bilingual("已恢复。", "It is over."), ())
_OVER: Final = Said.of(_NOTHING[1])


def _open(facts: Facts, plan: SitePlan, report: RobotReport) -> _Found:
    opened = [
        row.compartment
        for row in report.compartments
        if row.lid is LidState.OPEN and not _may_be_open(facts, report, row.compartment)
    ]
    if not opened:
        return _NOTHING
    names = ", ".join(str(number) for number in opened)
    place = place_name(plan, report.last_node)
    where_zh = "行驶中" if report.driving else f"位于 {place.zh}"
    where_en = "while it drives" if report.driving else f"at {place.en}"
    robot = robot_name(plan, facts.duty.robot_id)
    saw = Bilingual(
        f"{robot.zh} {where_zh}，箱格 {names} 打开。",
        f"Compartment {names} of {robot.en} is open {where_en}.",
    )
    return True, saw, (Measured(name="compartments_open", value=len(opened), limit=0),)


def _may_be_open(facts: Facts, report: RobotReport, compartment: int) -> bool:
    """Somebody was let at it, or it is nobody's: people clean a robot at its dock."""
    if not facts.at_stop or report.driving:
        return False
    owner = facts.owner(compartment)
    return owner is None or owner.state in MAY_OPEN


def _stuck(facts: Facts, plan: SitePlan, report: RobotReport) -> _Found:
    duty, mission = facts.duty, facts.duty.mission
    ours = duty.pause_wanted is True or report.paused or bool(duty.held_for)
    if report.driving or ours or (facts.at_stop and mission is None):
        return _NOTHING
    if mission is None or not mission.taken or mission.cancelling:
        return _NOTHING
    ahead = mission.released - 1 - mission.passed
    if ahead <= 0:
        return _NOTHING  # it waits for more way, which is ours to give
    robot, place = robot_name(plan, duty.robot_id), place_name(plan, report.last_node)
    saw = Bilingual(
        f"{robot.zh} 停在 {place.zh}，前方已放行 {ahead} 个节点。",
        f"{robot.en} stands at {place.en} with {ahead} released nodes before it.",
    )
    return True, saw, (Measured(name="nodes_released", value=ahead),)


def _late(facts: Facts, plan: SitePlan, now_utc: UtcMs) -> _Found:
    delivery = facts.delivery
    if delivery is None or delivery.state not in AWAITED:
        return _NOTHING
    limit_s = numbers(plan, OVERDUE.code)["arrive_within_s"]
    waited_s = (now_utc - delivery.ordered_utc_ms) / 1000
    if waited_s <= limit_s:
        return _NOTHING
    saw = Bilingual(
        f"下单 {waited_s / 60:.0f} 分钟后仍未送达。",
        f"Not there {waited_s / 60:.0f} minutes after it was ordered.",
    )
    return True, saw, (Measured(name="waited", value=round(waited_s), limit=limit_s, unit="s"),)


def _followed(
    watch: RobotWatch, facts: Facts, plan: SitePlan, report: RobotReport, now_mono: MonoMs
) -> _Found:
    last = watch.left[-ZONES_FOLLOWED_MIN:]
    recent = [one for one in last if now_mono - one.at <= FOLLOWS_WITHIN_MS * len(last)]
    if not report.driving or len(recent) < ZONES_FOLLOWED_MIN:
        return _NOTHING
    if not all(one.person for one in recent):
        return _NOTHING
    robot = robot_name(plan, facts.duty.robot_id)
    zones = [zone_name(plan, one.zone_id) for one in recent]
    zh, en = "、".join(zone.zh for zone in zones), ", ".join(zone.en for zone in zones)
    saw = Bilingual(
        f"{robot.zh} 驶离 {zh} 后，这些区域随即有人。",
        f"People were seen in {en} right after {robot.en} had left them.",
    )
    return True, saw, (Measured(name="zones_followed", value=len(recent)),)


def _unheeding(facts: Facts, plan: SitePlan, report: RobotReport) -> _Found:
    """It is to stand, and drives on without a word that it is paused.

    One that says so and drives all the same contradicts itself: ``plausible`` judges that.
    """
    if facts.duty.pause_wanted is not True or report.paused or not report.driving:
        return _NOTHING
    robot, place = robot_name(plan, facts.duty.robot_id), place_name(plan, report.last_node)
    saw = Bilingual(
        f"已要求 {robot.zh} 暂停，它仍在 {place.zh} 附近行驶。",
        f"{robot.en} was told to pause and drives on past {place.en}.",
    )
    speed = report.speed_m_s
    measured = () if speed is None else (Measured(name="speed", value=round(speed, 2), unit="m/s"),)
    return True, saw, measured


def _moved(
    watch: RobotWatch,
    duty: Duty,
    report: RobotReport,
    plan: SitePlan,
    sights: Mapping[ZoneId, ZoneSight],
    now_mono: MonoMs,
) -> RobotWatch:
    """Note which zone the robot is in, and who is seen in those it has just left."""
    zone = plan.zone_at.get(duty.at_node or report.last_node)
    here = zone.id if zone else None
    left = watch.left
    if watch.zone_id is not None and watch.zone_id != here:
        left = (*left, ZoneLeft(watch.zone_id, now_mono))[-LEFT_MAX:]
    left = tuple(
        replace(one, person=True)
        if not one.person
        and now_mono - one.at <= FOLLOWS_WITHIN_MS
        and _person_in(sights.get(one.zone_id), one)
        else one
        for one in left
    )
    if here == watch.zone_id and left == watch.left:
        return watch
    return replace(watch, zone_id=here, left=left)


def _person_in(sight: ZoneSight | None, left: ZoneLeft) -> bool:
    return sight is not None and sight.received_mono_ms >= left.at and sight.people > 0
