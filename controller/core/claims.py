"""Decides what each robot claims of the map: for traffic, and for doors and lifts.

A claim is what a robot has and its path: its way, and from its end the way out to the refuge that
is its own. What it has is given up by a later reported position alone: not by an error, not by
silence, not by an order that was called off.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from contracts.units import MonoMs, RobotId
from controller.core import fleet, standing
from controller.core.facility_words import FacilityClaim
from controller.core.fleet import Duty, GoalKind, HoldVerb, RobotLive
from controller.core.state import Now, SiteState
from controller.core.traffic import Claim

AHEAD_MAX: Final = 6  # what a lift is called for: more would keep it from others for too long
OUT_OF_CAR_M: Final = 1.0  # a robot's middle is so far from the car's: half a car and its length
DEAD_AFTER_MS: Final = 20_000
# A robot that is off line or unable to go on for so long is driven round: a reboot takes less.


def claim_of(site: SiteState, duty: Duty, now: Now) -> Claim | None:
    """What one robot has and wants; None: nobody knows where it is."""
    if duty.at_node is None:
        return None
    mission = duty.mission
    since = site.dispatch.since.get(duty.robot_id, MonoMs(0))
    stuck = is_stuck(site, duty, now)
    towards = (duty.towards,) if duty.towards is not None else ()
    if mission is None:
        out = duty.out if duty.out[:1] == (duty.at_node,) else ()
        return Claim(duty.robot_id, (duty.at_node,), out, 1, towards, since, stuck)
    way = mission.route[mission.passed :]
    has = max(mission.released - mission.passed, 1)
    extra = towards if duty.at_node in way[:has] else (duty.at_node, *towards)
    most = fleet.released_max(duty)
    most = None if most is None else most - mission.passed
    return Claim(duty.robot_id, way, duty.out, has, extra, since, stuck, most=most)


def claims(site: SiteState, now: Now) -> tuple[Claim, ...]:
    """What every robot has and wants."""
    found = (claim_of(site, duty, now) for duty in site.duties.values())
    return tuple(row for row in found if row is not None)


def is_stuck(site: SiteState, duty: Duty, now: Now) -> bool:
    """Nobody knows when it moves again."""
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or not live.online(now.mono_ms):
        return True
    held = duty.hold is not None and duty.hold.verb is HoldVerb.HOLD
    return held or fleet.unfit(duty, report) is not None


def dead_nodes(site: SiteState, now: Now) -> frozenset[str]:
    """Nodes that robots stand on, or near, which will not move for long: others go round them."""
    return frozenset[str]().union(*dead_by_robot(site, now).values())


def dead_by_robot(site: SiteState, now: Now) -> Mapping[RobotId, frozenset[str]]:
    """The same, by the robot that stands there."""
    found: dict[RobotId, frozenset[str]] = {}
    for duty in site.duties.values():
        if duty.at_node is None or not is_stuck(site, duty, now):
            continue
        live = site.robots.get(duty.robot_id, RobotLive())
        since = live.unfit_since_mono_ms
        if not live.online(now.mono_ms):
            since = max(live.report_mono_ms, live.silent_since_mono_ms)
        if duty.hold is None and (since is None or now.mono_ms - since < DEAD_AFTER_MS):
            continue
        held = {duty.at_node}
        if duty.mission is not None:
            held.update(duty.mission.route[duty.mission.passed : duty.mission.released])
        if duty.towards is not None:
            held.add(duty.towards)
        found[duty.robot_id] = _near(site, frozenset(held))
    return found


def _near(site: SiteState, held: frozenset[str]) -> frozenset[str]:
    """Nodes that cannot be had while these are taken."""
    needs = site.plan.needs
    taken = frozenset().union(*(needs.get(node, frozenset((node,))) for node in held))
    return held | {node for node, names in needs.items() if not names.isdisjoint(taken)}


def facility_claims(site: SiteState) -> tuple[FacilityClaim, ...]:
    """What doors and lifts must know of each robot, longest waiting first."""
    rows: Iterable[Duty] = site.duties.values()
    order = sorted(rows, key=lambda duty: (_rank(duty), site.dispatch.since.get(duty.robot_id, 0)))
    return tuple(_facility_claim(site, duty) for duty in order)


def _rank(duty: Duty) -> int:
    """Who carries something goes before who drives home."""
    return 1 if duty.goal is None or duty.goal.kind is GoalKind.HOME else 0


def _facility_claim(site: SiteState, duty: Duty) -> FacilityClaim:
    occupied = (duty.towards,) if duty.towards is not None else ()
    mission = duty.mission
    if mission is not None and mission.passed:
        occupied = (*occupied, *_still_in_car(site, duty, mission.route[mission.passed - 1]))
    if mission is None:
        return FacilityClaim(duty.robot_id, duty.at_node, occupied=occupied)
    ahead = mission.route[mission.passed + 1 : mission.passed + 1 + AHEAD_MAX]
    released = min(max(mission.released - mission.passed - 1, 0), len(ahead))
    if duty.at_node not in (None, mission.route[mission.passed]):
        occupied = (*occupied, mission.route[mission.passed])
    return FacilityClaim(duty.robot_id, duty.at_node, ahead, released, occupied)


def _still_in_car(site: SiteState, duty: Duty, left: str) -> tuple[str, ...]:
    """The node in a lift's car that a robot says it has left while its own position is there yet.

    A lift that believes the name of the next node alone shuts its door before the robot.
    """
    report = site.robots.get(duty.robot_id, RobotLive()).report
    place = site.plan.map.nodes.get(left)
    if left not in site.plan.cab_of or report is None or report.pose is None or place is None:
        return ()
    if report.pose.map_id != place.map_id:
        return ()
    return (left,) if standing.off_m(site, left, report) < OUT_OF_CAR_M else ()
