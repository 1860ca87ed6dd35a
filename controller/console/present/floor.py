"""Decides what the floor map shows: ways, zones by what cameras prove, robots and their way."""

import math

from contracts.api import MapNodeView, RobotCondition, RobotView, SiteView, ZoneView
from contracts.devices import ZonePolicy
from controller.console.house import House
from controller.console.present.words import Drawn, Words

UNITS_PER_M = 40.0  # drawing units: thin lines and 12-unit type stay in proportion to a corridor
MARGIN_M = 1.3
LABEL_M = 1.05


def plan(site: SiteView, house: House, words: Words) -> Drawn:
    """The drawing without its robots: size, ways, zones and named places."""
    if not site.nodes:
        return {"width": 0, "height": 0, "ways": [], "zones": [], "places": []}
    paper = _Paper(site.nodes)
    nodes = {node.id: node for node in site.nodes}
    return {
        "width": paper.width,
        "height": paper.height,
        "ways": _ways(site, nodes, paper),
        "zones": [_zone(zone, site, nodes, paper, words) for zone in house.zones.values()],
        "places": _places(site, house, nodes, paper, words),
    }


def robots(site: SiteView, house: House, words: Words) -> list[Drawn]:
    """Each robot that has said where it stands."""
    if not site.nodes:
        return []
    paper = _Paper(site.nodes)
    nodes = {node.id: node for node in site.nodes}
    return [_robot(robot, house, nodes, paper, words) for robot in house.robots.values()]


class _Paper:
    """From metres, y up, to drawing units, y down."""

    def __init__(self, nodes: tuple[MapNodeView, ...]) -> None:
        self._left = min(node.x_m for node in nodes) - MARGIN_M
        self._top = max(node.y_m for node in nodes) + MARGIN_M
        right = max(node.x_m for node in nodes) + MARGIN_M
        bottom = min(node.y_m for node in nodes) - MARGIN_M
        self.width = round((right - self._left) * UNITS_PER_M)
        self.height = round((self._top - bottom) * UNITS_PER_M)

    def at(self, x_m: float, y_m: float) -> tuple[float, float]:
        x = (x_m - self._left) * UNITS_PER_M
        y = (self._top - y_m) * UNITS_PER_M
        return round(x, 1), round(y, 1)

    def node(self, node: MapNodeView) -> tuple[float, float]:
        return self.at(node.x_m, node.y_m)


def _ways(site: SiteView, nodes: dict[str, MapNodeView], paper: _Paper) -> list[Drawn]:
    pairs = {tuple(sorted((edge.start, edge.end))) for edge in site.edges}
    return [
        _segment(nodes[start], nodes[end], paper)
        for start, end in sorted(pairs)
        if start in nodes and end in nodes
    ]


def _segment(start: MapNodeView, end: MapNodeView, paper: _Paper) -> Drawn:
    (x1, y1), (x2, y2) = paper.node(start), paper.node(end)
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2}


def zone_state(zone: ZoneView) -> str:
    """``clear``, ``occupied``, ``unseen`` (counts as occupied), or ``open`` where anyone may be."""
    if zone.clear is not None:
        return "clear" if zone.clear else "occupied"
    return "open" if zone.policy is ZonePolicy.OPEN else "unseen"


def _zone(
    zone: ZoneView, site: SiteView, nodes: dict[str, MapNodeView], paper: _Paper, words: Words
) -> Drawn:
    inside = [nodes[node] for node in zone.nodes if node in nodes]
    state = zone_state(zone)
    members = set(zone.nodes)
    middle = sum(node.x_m for node in inside) / max(len(inside), 1)
    above = len(inside) == 1
    edge = (max if above else min)((node.y_m for node in inside), default=0.0)
    x, y = paper.at(middle, edge + (LABEL_M - 0.1 if above else -LABEL_M))
    label = words.say("map.open_zone" if state == "open" else f"map.{state}")
    return {
        "id": zone.id,
        "name": words.name(zone.name),
        "state": state,
        "label": f"{label} {zone.people}" if state == "occupied" and zone.people else label,
        "x": x,
        "y": y,
        "small": above,
        "spots": [dict(zip(("x", "y"), paper.node(node), strict=True)) for node in inside],
        "ways": [
            _segment(nodes[edge.start], nodes[edge.end], paper)
            for edge in site.edges
            if edge.start in members and edge.end in members and edge.start < edge.end
        ],
        "holding": len(zone.holding),
    }


def _places(
    site: SiteView, house: House, nodes: dict[str, MapNodeView], paper: _Paper, words: Words
) -> list[Drawn]:
    places: list[Drawn] = []
    if site.kitchen_node in nodes:
        x, y = paper.node(nodes[site.kitchen_node])
        places.append({"kind": "kitchen", "name": words.say("map.kitchen"), "x": x, "y": y})
    for room_id, node_id in site.door_nodes.items():
        if node_id in nodes:
            x, y = paper.node(nodes[node_id])
            room = house.rooms.get(room_id)
            name = words.name(room.name) if room else room_id
            places.append({"kind": "door", "name": name, "x": x, "y": y})
    return places


def _robot(
    robot: RobotView, house: House, nodes: dict[str, MapNodeView], paper: _Paper, words: Words
) -> Drawn:
    pose = robot.pose
    here = None if pose is None else paper.at(pose.x_m, pose.y_m)
    held = robot.condition is RobotCondition.HELD
    return {
        "id": robot.id,
        "name": words.name(robot.name),
        "state": robot.condition.value,
        "state_label": words.say(f"robot.{robot.condition.value}"),
        "held": held,
        "held_for": ", ".join(
            words.name(house.zones[zone].name) if zone in house.zones else zone
            for zone in robot.held_for
        ),
        "battery": None if robot.battery_percent is None else round(robot.battery_percent),
        "x": None if here is None else here[0],
        "y": None if here is None else here[1],
        "heading": 0 if pose is None else round(-math.degrees(pose.theta_rad), 1),
        "loaded": any(compartment.occupied for compartment in robot.compartments),
        "base": _path(here, robot.route[: robot.base_nodes], nodes, paper),
        "horizon": _path(None, robot.route[max(robot.base_nodes - 1, 0) :], nodes, paper)
        if robot.base_nodes
        else _path(here, robot.route, nodes, paper),
        "errors": list(robot.errors),
    }


def _path(
    start: tuple[float, float] | None,
    route: tuple[str, ...],
    nodes: dict[str, MapNodeView],
    paper: _Paper,
) -> str:
    """Points of a polyline along the nodes of a route, from where the robot stands."""
    points = [] if start is None else [start]
    points += [paper.node(nodes[node]) for node in route if node in nodes]
    return " ".join(f"{x},{y}" for x, y in points) if len(points) > 1 else ""
