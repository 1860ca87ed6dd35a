"""Decides whether robots can work on a map: what is wrong with it, what is tight, one-lane ways.

An error keeps some order from ever being done; a warning is for a person to judge.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal

from contracts.api import Sentence
from contracts.facilities import LiftConfig
from contracts.layout import MapEdge, MapNode, RobotMap
from controller.core.places import FOOTPRINT_M, near_pairs, neighbours
from controller.core.plan import SitePlan

ANY_VEHICLE: Final = ""


class Weight(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a map that a person must know; ``kind`` and ``id`` say of what."""

    weight: Weight
    kind: Literal["node", "edge", "map"]
    id: str
    text: Sentence


@dataclass(frozen=True, slots=True)
class OneLane:
    """A stretch on which two robots cannot pass each other; ``only_way``: no way leads round it."""

    nodes: tuple[str, ...]
    length_m: float
    only_way: bool


def check(plan: SitePlan) -> tuple[Finding, ...]:
    """Everything that is wrong or tight, errors first."""
    found = [
        *_reach(plan),
        *_floors(plan),
        *_lifts(plan),
        *_doors(plan),
        *_refuges(plan),
        *_near(plan.map),
        *_names(plan.map),
        *_zones(plan),
    ]
    return tuple(sorted(found, key=lambda row: row.weight is not Weight.ERROR))


def one_lane(robot_map: RobotMap) -> tuple[OneLane, ...]:
    """Stretches that are driven both ways with nowhere to step aside, between junctions.

    Dead ends are none: who stands at their end is in nobody's way.
    """
    floor = {name: node.map_id for name, node in robot_map.nodes.items()}
    near = {
        node: {other for other in rows if floor[other] == floor[node]}
        for node, rows in neighbours(robot_map).items()
    }
    ways = {(edge.start, edge.end): edge for edge in robot_map.edges.values()}
    spurs = _spurs(near)
    core = {node: rows - spurs for node, rows in near.items() if node not in spurs}
    bridges = _bridges(core)
    found: list[OneLane] = []
    seen: set[frozenset[str]] = set()
    for start, rows in core.items():
        # A place beside which a dead end begins is a junction: there a robot can step aside.
        if len(near[start]) == 2 and len(rows) == 2:
            continue
        for towards in sorted(rows):
            chain = [start, towards]
            while len(near[chain[-1]]) == 2 and len(core[chain[-1]]) == 2:
                onward = core[chain[-1]] - {chain[-2]}
                chain.append(next(iter(onward)))
            both = all((b, a) in ways and (a, b) in ways for a, b in pairwise(chain))
            key = frozenset((chain[0], chain[1])), frozenset((chain[-1], chain[-2]))
            name = frozenset.union(*key)
            if not both or name in seen:
                continue
            seen.add(name)
            length_m = sum(ways[a, b].length_m for a, b in pairwise(chain))
            only = frozenset((chain[0], chain[1])) in bridges
            found.append(OneLane(tuple(chain), length_m, only))
    return tuple(found)


def _spurs(near: Mapping[str, Collection[str]]) -> set[str]:
    return {node for node, rows in near.items() if len(rows) == 1}


def _bridges(near: Mapping[str, Collection[str]]) -> set[frozenset[str]]:
    """Pairs of nodes whose way is the only one between what lies on both sides of it.

    Found by one walk through the map: a way is a bridge if nothing behind it reaches before it.
    """
    found: set[frozenset[str]] = set()
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    for root in near:
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack = [(root, "", iter(sorted(near[root])))]
        while stack:
            node, before, rest = stack[-1]
            there = next(rest, None)
            if there is None:
                stack.pop()
                if before:
                    low[before] = min(low[before], low[node])
                    if low[node] > order[before]:
                        found.add(frozenset((before, node)))
            elif there not in order:
                order[there] = low[there] = len(order)
                stack.append((there, node, iter(sorted(near[there]))))
            elif there != before:
                low[node] = min(low[node], order[there])
    return found


def vehicle_types(robot_map: RobotMap) -> tuple[str, ...]:
    """The types of vehicles that the map speaks of; one nameless type where it speaks of none."""
    named = {name for edge in robot_map.edges.values() for name in edge.vehicles}
    named |= {name for node in robot_map.nodes.values() for name in node.vehicles}
    return tuple(sorted(named)) or (ANY_VEHICLE,)


def _open_to(row: MapNode | MapEdge, vehicle: str) -> bool:
    return not row.vehicles or vehicle == ANY_VEHICLE or vehicle in row.vehicles


def _stops(plan: SitePlan) -> Mapping[str, str]:
    """Every node that a robot must be able to come to and leave, and what it is."""
    found = {plan.kitchen_node: "kitchen"}
    found |= {node: f"door of {room}" for room, node in plan.door_nodes.items()}
    found |= dict.fromkeys(plan.chargers, "dock")
    found |= {robot.home_node: f"home of {robot.id}" for robot in plan.robots.values()}
    found |= {node: "refuge" for node in plan.refuges if node not in found}
    return {node: what for node, what in found.items() if node in plan.map.nodes}


def _reach(plan: SitePlan) -> Iterator[Finding]:
    """Each stop from the kitchen and back, for each type of vehicle: so each from every other."""
    kitchen, stops = plan.kitchen_node, _stops(plan)
    if kitchen not in plan.map.nodes:
        return
    for vehicle in vehicle_types(plan.map):
        usable = [edge for edge in plan.map.edges.values() if _open_to(edge, vehicle)]
        usable = [edge for edge in usable if _both_ends_open(plan.map, edge, vehicle)]
        there = _reached(kitchen, ((edge.start, edge.end) for edge in usable))
        back = _reached(kitchen, ((edge.end, edge.start) for edge in usable))
        whom = f" ({vehicle})" if vehicle else ""
        for node, what in stops.items():
            if node not in there:
                text = Sentence(
                    zh=f"从厨房 {kitchen} 到不了{whom}（{what}）",
                    en=f"no way leads there from the kitchen {kitchen}{whom}; it is the {what}",
                )
                yield Finding(Weight.ERROR, "node", node, text)
            elif node not in back:
                text = Sentence(
                    zh=f"从这里回不到厨房 {kitchen}{whom}（{what}）",
                    en=f"no way leads back to the kitchen {kitchen}{whom}; it is the {what}",
                )
                yield Finding(Weight.ERROR, "node", node, text)
        for place in plan.map.nodes.values():
            lost = place.id not in there or place.id not in back
            if lost and place.id not in stops and _open_to(place, vehicle):
                text = Sentence(
                    zh=f"与厨房之间没有往返的路{whom}，机器人用不到",
                    en=f"no robot can come here and leave again{whom}; it is of no use",
                )
                yield Finding(Weight.WARNING, "node", place.id, text)


def _both_ends_open(robot_map: RobotMap, edge: MapEdge, vehicle: str) -> bool:
    ends = (robot_map.nodes[edge.start], robot_map.nodes[edge.end])
    return all(_open_to(node, vehicle) for node in ends)


def _reached(start: str, ways: Iterable[tuple[str, str]]) -> set[str]:
    onward: dict[str, list[str]] = {}
    for a, b in ways:
        onward.setdefault(a, []).append(b)
    seen, todo = {start}, [start]
    while todo:
        for there in onward.get(todo.pop(), ()):
            if there not in seen:
                seen.add(there)
                todo.append(there)
    return seen


def _floors(plan: SitePlan) -> Iterator[Finding]:
    """Ways from floor to floor lead through a lift's car, or nowhere."""
    for edge in plan.map.edges.values():
        start, end = plan.map.nodes[edge.start], plan.map.nodes[edge.end]
        if start.map_id == end.map_id:
            continue
        lifts = plan.cab_of.get(edge.start), plan.cab_of.get(edge.end)
        if lifts[0] is None or lifts[0] != lifts[1]:
            text = Sentence(
                zh=f"从 {start.map_id} 通到 {end.map_id}，但两端不都是同一电梯的轿厢节点",
                en=f"leads from {start.map_id} to {end.map_id}, and its ends are not both cab "
                "nodes of one lift",
            )
            yield Finding(Weight.ERROR, "edge", edge.id, text)


def _lifts(plan: SitePlan) -> Iterator[Finding]:
    for lift in plan.lifts.values():
        for row in lift.floors:
            yield from _stop_of_lift(plan, lift, row.floor, row.cab_node)
        for lower, upper in pairwise(lift.floors):
            for a, b in ((lower, upper), (upper, lower)):
                if b.cab_node not in plan.ways.get(a.cab_node, {}):
                    text = Sentence(
                        zh=f"电梯 {lift.id} 没有从 {a.floor} 到 {b.floor} 的边：缺 {b.cab_node}",
                        en=f"lift {lift.id} has no edge from {a.floor} to {b.floor}: to "
                        f"{b.cab_node}",
                    )
                    yield Finding(Weight.ERROR, "node", a.cab_node, text)


def _stop_of_lift(plan: SitePlan, lift: LiftConfig, floor: str, cab_node: str) -> Iterator[Finding]:
    """The cab node lies on its floor, and a lobby before it."""
    cab = plan.map.nodes[cab_node]
    if cab.map_id != floor:
        text = Sentence(
            zh=f"电梯 {lift.id} 把它列在 {floor}，地图却把它放在 {cab.map_id}",
            en=f"lift {lift.id} has it on {floor}, the map on {cab.map_id}",
        )
        yield Finding(Weight.ERROR, "node", cab_node, text)
    lobbies = [node for node in plan.ways.get(cab_node, {}) if node not in plan.cab_of]
    if not any(cab_node in plan.ways.get(node, {}) for node in lobbies):
        text = Sentence(
            zh=f"电梯 {lift.id} 在 {floor} 没有可进出的候梯节点",
            en=f"lift {lift.id} has no lobby node on {floor} that leads in and out",
        )
        yield Finding(Weight.ERROR, "node", cab_node, text)


def _doors(plan: SitePlan) -> Iterator[Finding]:
    for door in plan.doors.values():
        for start, end in door.ways:
            edges = [
                edge
                for edge in (plan.ways.get(start, {}).get(end), plan.ways.get(end, {}).get(start))
                if edge is not None
            ]
            if not edges:
                text = Sentence(
                    zh=f"门 {door.id} 在它与 {end} 之间，地图上却没有这条边",
                    en=f"door {door.id} lies between it and {end}, and no edge joins them",
                )
                yield Finding(Weight.ERROR, "node", start, text)
            elif edges[0].length_m < 2 * FOOTPRINT_M:
                text = Sentence(
                    zh=f"门 {door.id} 的边长 {edges[0].length_m:.1f} 米，机器人停在节点时会挡住门",
                    en=f"door {door.id}: {edges[0].length_m:.1f} m is short; a robot on its end "
                    f"node stands in the door (at least {2 * FOOTPRINT_M:.1f} m)",
                )
                yield Finding(Weight.WARNING, "edge", edges[0].id, text)


def _refuges(plan: SitePlan) -> Iterator[Finding]:
    robots, refuges = len(plan.robots), len(plan.refuges)
    if refuges < robots:
        text = Sentence(
            zh=f"{robots} 台机器人只有 {refuges} 个避让位（死端的停靠、充电或等候节点）",
            en=f"{robots} robots and {refuges} refuges (dead ends that are homes, docks, parking "
            "places or bays); each robot needs one",
        )
        yield Finding(Weight.ERROR, "map", "refuges", text)
    homes: dict[str, str] = {}
    for robot in plan.robots.values():
        other = homes.setdefault(robot.home_node, robot.id)
        if robot.home_node and other != robot.id:
            text = Sentence(
                zh=f"{other} 与 {robot.id} 共用此停靠点",
                en=f"is the home of {other} and {robot.id}",
            )
            yield Finding(Weight.ERROR, "node", robot.home_node, text)
    floors = {plan.map.nodes[node].map_id for node in plan.refuges}
    stops = _stops(plan)
    for floor in sorted({plan.map.nodes[node].map_id for node in stops} - floors):
        text = Sentence(
            zh=f"楼层 {floor} 没有避让位；火警时电梯停用，机器人在该层无处可去",
            en=f"floor {floor} has no refuge; on fire lifts are out, and robots there have no "
            "place to go",
        )
        yield Finding(Weight.WARNING, "map", floor, text)


def _near(robot_map: RobotMap) -> Iterator[Finding]:
    for one, other in near_pairs(robot_map):
        a, b = robot_map.nodes[one], robot_map.nodes[other]
        apart_m = ((a.x_m - b.x_m) ** 2 + (a.y_m - b.y_m) ** 2) ** 0.5
        text = Sentence(
            zh=f"距 {other} 仅 {apart_m:.2f} 米，小于机器人宽度；两处不能同时有机器人",
            en=f"lies {apart_m:.2f} m from {other}, nearer than a robot is wide: they exclude each "
            "other",
        )
        yield Finding(Weight.WARNING, "node", one, text)


def _names(robot_map: RobotMap) -> Iterator[Finding]:
    taken: dict[tuple[str, str], str] = {}
    for node in robot_map.nodes.values():
        other = taken.setdefault((node.map_id, node.name), node.id)
        if other != node.id:
            text = Sentence(
                zh=f"与 {other} 同名“{node.name}”，看图的人分不清",
                en=f"is called {node.name!r} as {other} is on the same floor",
            )
            yield Finding(Weight.WARNING, "node", node.id, text)


def _zones(plan: SitePlan) -> Iterator[Finding]:
    if not plan.zones:
        return
    for node in plan.map.nodes:
        if node not in plan.zone_at and node not in plan.cab_of:
            text = Sentence(
                zh="不属于任何区域：机器人随时可入，报告也不证明它",
                en="lies in no zone: robots may always enter, and no report proves it",
            )
            yield Finding(Weight.WARNING, "node", node, text)
    for zone in plan.zones.values():
        floors = sorted({plan.map.nodes[n].map_id for n in zone.nodes if n in plan.map.nodes})
        if len(floors) > 1:
            text = Sentence(
                zh=f"区域 {zone.id} 跨楼层：{', '.join(floors)}",
                en=f"zone {zone.id} lies on several floors: {', '.join(floors)}",
            )
            yield Finding(Weight.WARNING, "map", zone.id, text)
