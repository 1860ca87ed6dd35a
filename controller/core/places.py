"""Decides what a place on the map is to robots: what it takes to stand there, refuge, charger.

A map says where nodes are, and little of what they are for. Stations and names tell the rest; a
site that names neither still has the homes of its robots.
"""

import itertools
import re
from collections.abc import Collection, Mapping
from typing import Final

from contracts.layout import MapNode, RobotMap
from contracts.units import DoorId, FacilityId, LiftId

FOOTPRINT_M: Final = 0.9
# The circle that a delivery robot turns in: 0.5 to 0.6 m wide and up to 0.8 m long. Two robots on
# nodes nearer than this would touch.

PARKING: Final = re.compile(
    r"park|dock|charg|refuge|home|bay|wait|停靠|充电|避让|待命", re.IGNORECASE
)
CHARGING: Final = re.compile(r"dock|charg|充电", re.IGNORECASE)


def lift_resource(lift: LiftId) -> str:
    """The name of a lift's car among the resources."""
    return f"lift:{lift}"


def needs(robot_map: RobotMap, cab_of: Mapping[str, LiftId]) -> Mapping[str, frozenset[str]]:
    """Node -> what standing there takes, of which no two robots may have the same.

    The node itself; the lift's car, on all floors; and a name for each pair of nodes that lie
    nearer than a robot is wide: a pair's own name, so that what lies near to both stays apart.
    """
    found = {name: {name} for name in robot_map.nodes}
    for node, lift in cab_of.items():
        if node in found:
            found[node].add(lift_resource(lift))
    for one, other in near_pairs(robot_map):
        name = f"near:{one}|{other}"
        found[one].add(name)
        found[other].add(name)
    return {node: frozenset(taken) for node, taken in found.items()}


def gates(
    robot_map: RobotMap,
    door_on: Mapping[tuple[str, str], DoorId],
    cab_of: Mapping[str, LiftId],
) -> Mapping[FacilityId, frozenset[tuple[str, str]]]:
    """Door or lift -> the directed edges through it; a lift's begin or end in its car."""
    found: dict[str, set[tuple[str, str]]] = {}
    for way, door in door_on.items():
        found.setdefault(door, set()).add(way)
    for lift in cab_of.values():
        found.setdefault(lift, set())
    for edge in robot_map.edges.values():
        for end in (edge.start, edge.end):
            if end in cab_of:
                found[cab_of[end]].add((edge.start, edge.end))
    return {name: frozenset(ways) for name, ways in found.items()}


def near_pairs(robot_map: RobotMap) -> tuple[tuple[str, str], ...]:
    """Nodes of one floor that lie nearer to each other than a robot is wide."""
    floors: dict[str, list[MapNode]] = {}
    for node in robot_map.nodes.values():
        floors.setdefault(node.map_id, []).append(node)
    found: list[tuple[str, str]] = []
    for nodes in floors.values():
        nodes.sort(key=lambda node: (node.x_m, node.y_m, node.id))
        for at, one in enumerate(nodes):
            for other in itertools.islice(nodes, at + 1, None):
                if other.x_m - one.x_m >= FOOTPRINT_M:
                    break
                apart = (other.x_m - one.x_m) ** 2 + (other.y_m - one.y_m) ** 2
                if apart < FOOTPRINT_M**2:
                    found.append((one.id, other.id))
    return tuple(found)


def neighbours(robot_map: RobotMap) -> Mapping[str, frozenset[str]]:
    """Node -> the nodes that an edge joins it to, whichever way it leads."""
    found: dict[str, set[str]] = {node: set() for node in robot_map.nodes}
    for edge in robot_map.edges.values():
        found[edge.start].add(edge.end)
        found[edge.end].add(edge.start)
    return {node: frozenset(near) for node, near in found.items()}


def refuges(
    robot_map: RobotMap,
    homes: Collection[str],
    stops: Collection[str],
    cab_of: Mapping[str, LiftId],
) -> tuple[str, ...]:
    """Dead ends for robots to stand in: homes, docks, parking places, waiting bays.

    A stop that robots serve is none, and neither is the inside of a lift: others must get there.
    """
    near = neighbours(robot_map)
    parked = {
        node
        for station, nodes in robot_map.stations.items()
        if PARKING.search(station)
        for node in nodes
    }
    return tuple(
        name
        for name, node in robot_map.nodes.items()
        if len(near[name]) == 1
        and name not in stops
        and name not in cab_of
        and (name in homes or name in parked or PARKING.search(f"{name} {node.name}"))
    )


def chargers(robot_map: RobotMap, homes: Collection[str]) -> frozenset[str]:
    """The nodes of docks; where the map names none, every robot charges at its home."""
    named = {
        node
        for station, nodes in robot_map.stations.items()
        if CHARGING.search(station)
        for node in nodes
    }
    named |= {
        name for name, node in robot_map.nodes.items() if CHARGING.search(f"{name} {node.name}")
    }
    return frozenset(named or (home for home in homes if home in robot_map.nodes))
