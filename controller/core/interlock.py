"""Decides when a robot may be in a zone: while cameras show nobody who may not be there.

A zone is a resource. Its clearance is a lease that each fresh observation renews; when none comes
for two seconds it lapses, and a zone nobody can see counts as occupied. This is no safety function:
the robot's own certified scanner is.

A zone begins where a robot leaves the last node outside it. Base that reaches into a zone cannot be
taken back, so a robot that has some is paused: as soon as it is inside, and outside once it is so
near to the zone that it must brake now to stop short. Farther away it drives on, for the zone may
be clear again before it comes there. Where its braking would end in a lift's car or in a doorway it
is not paused but goes on to the next place where it may stand.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.devices import Zone, ZonePolicy
from contracts.observations import Appearance, CameraState, RoomObservation
from contracts.units import MonoMs, UtcMs, ZoneId
from controller.core import capability
from controller.core.fleet import Duty, Mission, RobotLive
from controller.core.plan import SitePlan

LEASE_MS: Final = 2_000  # dispatch.md: ten frames at 5 fps; a person walks less than 3 m meanwhile
FRAME_AGE_MAX_MS: Final = 2_000  # an observation may be new while the frame under it is not
REACT_MS: Final = 1_000
# From the decision to the brakes: the message (a few ms, and 300 ms again when it was lost), the
# robot's own cycle, and what its next state is late by.
PROMPT_MS: Final = 300  # the same when all goes well
STOP_MARGIN_M: Final = 0.3  # a robot's nose is before the point that it reports
LEFT_NODE_M: Final = 0.3  # so far from a node it has left it; less is how exactly it stands
DOORWAY_M: Final = 1.0
# A door is in the middle of its way; a robot and the leaf's swing take this much to either side.
CAB_M: Final = 1.2  # so far from the middle of a lift's car a robot stands outside its doors
SLOW_M_S: Final = 0.4  # beside an expert who walks there: a walker passes it without haste


@dataclass(frozen=True, slots=True)
class ZoneSight:
    """What was last seen in a zone. ``clear_since_mono_ms`` None: not clear at the last look."""

    seen: bool
    people: int
    unadmitted: int
    received_mono_ms: MonoMs
    received_utc_ms: UtcMs
    boot_id: str
    index: int
    clear_since_mono_ms: MonoMs | None = None
    people_mono_ms: MonoMs | None = None
    """When somebody was last seen there: experts who walk are missed in single pictures."""


class Clearance(StrEnum):
    """Whether robots may be in a zone.

    ``SLOW``: only experts are there, whose corridor it is. ``WAITING``: nobody is there who may
    not be, but not yet for long enough.
    """

    CLEAR = "clear"
    SLOW = "slow"
    WAITING = "waiting"
    PERSON = "person"
    UNSEEN = "unseen"

    @property
    def passable(self) -> bool:
        """Robots may be given nodes inside."""
        return self in (Clearance.CLEAR, Clearance.SLOW)


def look(
    zones: Sequence[Zone],
    before: Mapping[ZoneId, ZoneSight],
    seen: RoomObservation,
    mono_ms: MonoMs,
) -> Mapping[ZoneId, ZoneSight]:
    """Take an observation of the area that sees ``zones``; an old one changes nothing."""
    whole = is_whole(seen)
    counts = {policy: _count(policy, seen) for policy in {zone.policy for zone in zones}}
    sights = dict(before)
    for zone in zones:
        known = before.get(zone.id)
        if known is None or not _older(known, seen):
            sights[zone.id] = _sight(known, seen, counts[zone.policy], mono_ms, whole=whole)
    return sights


def _sight(
    before: ZoneSight | None,
    seen: RoomObservation,
    counts: tuple[int, int],
    mono_ms: MonoMs,
    *,
    whole: bool,
) -> ZoneSight:
    people, unadmitted = counts
    clear = whole and unadmitted == 0
    since = None
    if clear:
        unbroken = before is not None and mono_ms - before.received_mono_ms <= LEASE_MS
        earlier = before.clear_since_mono_ms if before is not None and unbroken else None
        since = mono_ms if earlier is None else earlier
    earlier_people = before.people_mono_ms if before is not None else None
    return ZoneSight(
        seen=whole,
        people=people,
        unadmitted=unadmitted,
        received_mono_ms=mono_ms,
        received_utc_ms=seen.utc_ms,
        boot_id=seen.boot_id,
        index=seen.index,
        clear_since_mono_ms=since,
        people_mono_ms=mono_ms if people > 0 else earlier_people,
    )


def is_whole(seen: RoomObservation) -> bool:
    """Every camera of the area gives fresh pictures: one blind camera leaves a corner unseen."""
    if seen.head_count is None or not seen.views:
        return False
    return all(
        view.state is CameraState.LIVE
        and view.frame_utc_ms is not None
        and seen.utc_ms - view.frame_utc_ms <= FRAME_AGE_MAX_MS
        for view in seen.views
    )


def clearance(zone: Zone, sight: ZoneSight | None, mono_ms: MonoMs) -> Clearance:
    """What robots may assume of a zone now. An open zone is clear for them even unseen."""
    if zone.policy is ZonePolicy.OPEN:
        return Clearance.CLEAR
    if sight is None or mono_ms - sight.received_mono_ms > LEASE_MS:
        return Clearance.UNSEEN
    if sight.unadmitted > 0:
        return Clearance.PERSON
    if not sight.seen:
        return Clearance.UNSEEN
    since = sight.clear_since_mono_ms
    if since is None or mono_ms - since < zone.clear_for_ms:
        return Clearance.WAITING
    lately = sight.people_mono_ms is not None and mono_ms - sight.people_mono_ms <= LEASE_MS
    return Clearance.SLOW if lately else Clearance.CLEAR


@dataclass(frozen=True, slots=True)
class Hold:
    """What the zones mean for one robot: stop it now, and which zones it waits for.

    ``postponed``: it is to stop, but not here: it stands or would come to stand in a lift or door.
    """

    pause: bool = False
    keep_paused: bool = False
    postponed: bool = False
    zones: tuple[ZoneId, ...] = ()


def hold(
    plan: SitePlan,
    duty: Duty,
    live: RobotLive,
    states: Mapping[ZoneId, Clearance],
    mono_ms: MonoMs,
) -> Hold:
    """Judge one robot's way."""
    mission = duty.mission
    if mission is None:
        return Hold()
    states = let_through(duty, states)
    inside, next_zone = _zones_ahead(plan, mission)
    shut = [zone for zone in inside if states.get(zone) in (Clearance.PERSON, Clearance.UNSEEN)]
    waiting = [zone for zone in inside if states.get(zone) is Clearance.WAITING]
    before = [next_zone] if next_zone and not _passable(states, next_zone) else []
    named = dict.fromkeys((*shut, *(waiting if not shut else ()), *before))
    if not shut:
        return Hold(keep_paused=bool(waiting), zones=tuple(named))
    rolling = _Rolling.of(plan, duty, mission, live, mono_ms)
    if not rolling.must_brake(plan, mission, frozenset(shut)):
        return Hold(keep_paused=True, zones=tuple(named))
    if rolling.stops_badly(plan, mission) and not duty.pause_wanted:
        return Hold(postponed=True, zones=tuple(named))
    return Hold(pause=True, zones=tuple(named))


def let_through(duty: Duty, states: Mapping[ZoneId, Clearance]) -> Mapping[ZoneId, Clearance]:
    """The zones as one robot may take them: a person may let it through what nobody sees.

    What is seen to hold a person stays shut, whoever says otherwise.
    """
    unseen = [one.zone_id for one in duty.let if states.get(one.zone_id) is Clearance.UNSEEN]
    return {**states, **dict.fromkeys(unseen, Clearance.SLOW)} if unseen else states


def shut_edges(plan: SitePlan, states: Mapping[ZoneId, Clearance]) -> frozenset[tuple[str, str]]:
    """The ways that may not be released now.

    Those into a zone that is not clear, and those of a zone where a person is: who stands beside a
    robot is not driven past. A zone that nobody sees may be left.
    """
    closed = {zone for zone, state in states.items() if not state.passable}
    beside = {zone for zone, state in states.items() if state is Clearance.PERSON}
    if not closed:
        return frozenset()
    return frozenset(
        (start, end)
        for start, ends in plan.ways.items()
        for end in ends
        if _zone_of(plan, end) in closed or _zone_of(plan, start) in beside
    )


def slowed(plan: SitePlan, before: Duty, after: Duty, states: Mapping[ZoneId, Clearance]) -> Duty:
    """Mark what ``after`` newly releases beside experts: it is driven slowly.

    What was released before keeps its speed, for a base is never changed.
    """
    mission, old = after.mission, before.mission
    if mission is None or mission is old:
        return after
    same = old is not None and old.order_id == mission.order_id
    known = old.released if old is not None and same else 0
    states = let_through(after, states)
    slow = tuple(
        index
        for index in range(known, mission.released)
        if states.get(_zone_of(plan, mission.route[index]) or "") is Clearance.SLOW
    )
    kept = old.slow if old is not None and same else ()
    if (*kept, *slow) == mission.slow:
        return after
    return replace(after, mission=replace(mission, slow=(*kept, *slow)))


def hurries(plan: SitePlan, duty: Duty, states: Mapping[ZoneId, Clearance]) -> bool:
    """Whether a robot has base before it, at full speed, that is to be driven slowly now.

    It was released before the expert came. Base is never changed, so the order must be called off
    and given anew from the next node on.
    """
    mission = duty.mission
    if mission is None or mission.cancelling or not mission.taken or duty.pause_wanted is not None:
        return False
    states = let_through(duty, states)
    return any(
        index not in mission.slow
        and states.get(_zone_of(plan, mission.route[index]) or "") is Clearance.SLOW
        for index in range(mission.passed + 1, mission.released)
    )


def meets_fire_door(plan: SitePlan, duty: Duty, live: RobotLive, mono_ms: MonoMs) -> bool:
    """Whether a robot would drive up to a fire door that falls shut, and can stop short of it.

    It was released while the door stood open. Who would come to stand under the door drives on;
    who stops within its swing is sent back at once.
    """
    mission = duty.mission
    if mission is None or mission.cancelling or not mission.taken:
        return False
    rolling = _Rolling.of(plan, duty, mission, live, mono_ms)
    reach_m = 0.0
    for start, end in _base_ahead(mission):
        door_id, length_m = plan.door_on.get((start, end)), plan.ways[start][end].length_m
        if door_id is not None and plan.doors[door_id].fire_door:
            short = rolling.soon_m + STOP_MARGIN_M < reach_m + length_m / 2
            return short and not rolling.stops_badly(plan, mission, doorways=False)
        reach_m += length_m
    return False


def _zones_ahead(plan: SitePlan, mission: Mission) -> tuple[list[ZoneId], ZoneId | None]:
    base = mission.route[mission.passed : mission.released]
    zones = [plan.zone_at[node].id for node in base if node in plan.zone_at]
    inside = list(dict.fromkeys(zones))
    if mission.released < len(mission.route):
        zone = plan.zone_at.get(mission.route[mission.released])
        return inside, zone.id if zone is not None and zone.id not in inside else None
    return inside, None


@dataclass(frozen=True, slots=True)
class _Rolling:
    """Where on its base a robot is, and where it would come to stand if it were paused now.

    ``gone_m`` is what it may have driven since the node that it passed last, ``stop_m`` what it
    will have when it stands at the latest, ``soon_m`` when it answers at once, and ``far_m`` the
    same if it has sped up since it was heard; all from that node.
    """

    gone_m: float
    stop_m: float
    soon_m: float
    far_m: float

    @classmethod
    def of(
        cls, plan: SitePlan, duty: Duty, mission: Mission, live: RobotLive, mono_ms: MonoMs
    ) -> "_Rolling":
        robot = plan.robots[duty.robot_id]
        report = live.report
        here = plan.map.nodes.get(mission.route[mission.passed])
        pose = live.pose
        gone_m = 0.0
        if pose is not None and here is not None and pose.map_id in ("", here.map_id):
            gone_m = math.hypot(pose.x_m - here.x_m, pose.y_m - here.y_m)
        if report is not None and report.paused and not report.driving:
            return cls(gone_m, gone_m, gone_m, gone_m)
        fastest = capability.speed_max(robot, duty.declared)
        told = report.speed_m_s if report is not None else None
        # Between two states it may have sped up: no more is known than how fast it can be.
        speed = fastest if told is None else max(told, 0.0)
        heard_s = (mono_ms - live.report_mono_ms) / 1_000
        later = min(fastest, speed + ACCELERATION_M_S2 * (heard_s + REACT_MS / 1_000))
        age_s = heard_s if live.pose_mono_ms is None else (mono_ms - live.pose_mono_ms) / 1_000
        known = live.pace_m_s if told is None else speed
        hard = duty.declared.deceleration_m_s2 if duty.declared is not None else None
        brakes_m_s2 = max(hard or 0.0, robot.deceleration_m_s2)

        def prompt_m(then_m_s: float, now_m_s: float) -> float:
            rolls_m = (then_m_s + now_m_s) / 2 * age_s + now_m_s * PROMPT_MS / 1_000
            return gone_m + rolls_m + now_m_s * now_m_s / (2 * brakes_m_s2)

        if known is None:  # between half its speed and all of it
            steady, quicker = fastest / 2, fastest
        else:
            steady = min(fastest, known)
            quicker = min(fastest, steady + ACCELERATION_M_S2 * age_s)
        drives = report is None or report.driving or mission.passed + 1 < mission.released
        if not drives:
            return cls(gone_m, gone_m, gone_m, gone_m)
        rolled_m = gone_m + later * age_s
        stop_m = rolled_m + later * REACT_MS / 1_000
        return cls(
            rolled_m,
            stop_m + capability.braking_m(robot, duty.declared, later),
            prompt_m(steady, steady),
            prompt_m(quicker if known is None else steady, quicker),
        )

    def must_brake(self, plan: SitePlan, mission: Mission, zones: frozenset[ZoneId]) -> bool:
        """Whether it is inside one of the zones, or will be unless it brakes now."""
        if _zone_of(plan, mission.route[mission.passed]) in zones:
            return True
        reach_m = 0.0
        for start, end in _base_ahead(mission):
            if _zone_of(plan, end) in zones:
                return self.stop_m + STOP_MARGIN_M >= reach_m
            reach_m += plan.ways[start][end].length_m
        return False

    def stops_badly(self, plan: SitePlan, mission: Mission, *, doorways: bool = True) -> bool:
        """Whether it is, or would come to stand, in a lift's car or in a doorway."""
        if mission.route[mission.passed] in plan.cab_of and self.gone_m < CAB_M:
            return True
        return any(
            self._stands_badly(plan, mission, stop_m, doorways=doorways)
            for stop_m in {self.soon_m, self.far_m}
        )

    @staticmethod
    def _stands_badly(plan: SitePlan, mission: Mission, stop_m: float, *, doorways: bool) -> bool:
        reach_m = 0.0
        for start, end in _base_ahead(mission):
            length_m = plan.ways[start][end].length_m
            at_m = stop_m - reach_m
            if at_m <= LEFT_NODE_M:
                return False
            if at_m <= length_m or end == mission.route[mission.released - 1]:
                if end in plan.cab_of and at_m > length_m - CAB_M:
                    return True
                if start in plan.cab_of and at_m < CAB_M:
                    return True
                doorway = doorways and (start, end) in plan.door_on
                return doorway and abs(at_m - length_m / 2) < DOORWAY_M
            reach_m += length_m
        return False


ACCELERATION_M_S2: Final = 0.5  # what delivery robots speed up by


def _base_ahead(mission: Mission) -> Iterator[tuple[str, str]]:
    return itertools.pairwise(mission.route[mission.passed : mission.released])


def _zone_of(plan: SitePlan, node: str) -> ZoneId | None:
    zone = plan.zone_at.get(node)
    return zone.id if zone is not None else None


def _passable(states: Mapping[ZoneId, Clearance], zone: ZoneId) -> bool:
    state = states.get(zone)
    return state is not None and state.passable


def _older(before: ZoneSight, seen: RoomObservation) -> bool:
    return before.boot_id == seen.boot_id and seen.index <= before.index


def _count(policy: ZonePolicy, seen: RoomObservation) -> tuple[int, int]:
    """People in a zone of this policy, and those of them who may not be there.

    The same person may show in two cameras: the larger of fused count and fullest view counts. A
    person counted but not shown has no known appearance, and so is unadmitted.
    """
    most = max((len(view.people) for view in seen.views), default=0)
    people = max(most, seen.head_count or 0)
    match policy:
        case ZonePolicy.OPEN:
            return people, 0
        case ZonePolicy.CLOSED:
            return people, people
        case ZonePolicy.EXPERTS_ONLY:
            strangers = max(
                (
                    sum(1 for person in view.people if person.appearance is not Appearance.RED)
                    for view in seen.views
                ),
                default=0,
            )
            return people, strangers + max(0, people - most)
