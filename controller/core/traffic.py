"""Decides which robot has which node: a whole way is reserved before its first metre is driven.

A mission takes all nodes it needs at once or none, so no robot holds what another waits for while
it waits itself: that cannot lock. It costs throughput, but needs no proof of a safe sequence.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from contracts.units import RobotId
from controller.core.fleet import Duty, Mission
from controller.core.plan import SitePlan

LOOKAHEAD_M: Final = 6.0
# Base that is released before a robot: braking from 1.2 m/s takes 1.5 m, an update's round trip
# 0.3 s, so it never brakes on a free way; and no more is given away when a clearance lapses.


def reservations(duties: Iterable[Duty]) -> Mapping[str, RobotId]:
    """Node -> the robot that has it: what lies before each robot, and where it was last seen.

    Nothing is freed by an error or by silence, only by a later reported position: a robot that
    broke down stands where it stood.
    """
    held: dict[str, RobotId] = {}
    for duty in duties:
        if duty.at_node is not None:
            held[duty.at_node] = duty.robot_id
        if duty.towards is not None:
            held[duty.towards] = duty.robot_id
        if duty.mission is not None:
            for node in duty.mission.route[duty.mission.passed :]:
                held[node] = duty.robot_id
    return held


def obstacle(
    route: tuple[str, ...], robot_id: RobotId, held: Mapping[str, RobotId]
) -> tuple[str, RobotId] | None:
    """The first node of a way that another robot has, and which robot; None: the way is free."""
    for node in route[1:]:
        holder = held.get(node)
        if holder is not None and holder != robot_id:
            return node, holder
    return None


def releasable(plan: SitePlan, mission: Mission, is_cleared: Mapping[str, bool]) -> int:
    """How many nodes of the route may be base now: to the look-ahead, or the first closed zone.

    ``is_cleared``: zone id -> a robot may be given nodes inside. Never less than is released
    already, for a base cannot be taken back.
    """
    released, reach_m = mission.passed + 1, 0.0
    for start, end in zip(
        mission.route[mission.passed :], mission.route[mission.passed + 1 :], strict=False
    ):
        zone = plan.zone_at.get(end)
        if zone is not None and not is_cleared.get(zone.id, True):
            break
        if reach_m >= LOOKAHEAD_M:
            break
        reach_m += plan.ways[start][end].length_m
        released += 1
    return max(released, mission.released)
