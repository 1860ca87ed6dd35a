"""Decides what the floor map shows: ways, zones by what cameras prove, robots and their way."""

import itertools
import math
import re

from contracts.api import MapNodeView, RobotCondition, RobotView, SiteView, ZoneView
from contracts.api.facilities import FacilitiesView, FacilityView, MapView
from contracts.devices import Named, ZonePolicy
from controller.console.house import House
from controller.console.present.words import Drawn, Words

UNITS_PER_M = 40.0  # drawing units: thin lines and 12-unit type stay in proportion to a corridor
MARGIN_M = 1.3
LABEL_M = 1.05
OFF_WAY_M = 0.2  # robots cut corners
LABEL_HALF = 86.0  # half of "Lift 1 · robot is leaving" in type of 13 units


def plan(
    site: SiteView,
    house: House,
    words: Words,
    chart: MapView | None = None,
    facilities: FacilitiesView | None = None,
) -> Drawn:
    """The drawing without its robots, floor by floor: ways, zones, named places, doors, lifts.

    ``chart`` None: what the site itself tells of its map, without doors, lifts and one lanes.
    """
    told = facilities or FacilitiesView()
    now = {row.id: row for row in told.facilities}
    return {
        "fire": told.fire.burning or told.fire.latched,
        "floors": [
            _floor(_Level(site, floor_id, chart), floor_name(name, words), house, now, words)
            for floor_id, name in _floors(site, chart)
        ],
        "facilities": [_facility(row, words) for row in told.facilities],
    }


def robots(site: SiteView, house: House, words: Words) -> list[Drawn]:
    """Each robot, on the floor that it says it stands on."""
    if not site.nodes:
        return []
    levels = {floor: _Level(site, floor, None) for floor, _ in _floors(site, None)}
    return [_robot(robot, house, levels, words) for robot in house.robots.values()]


def floor_name(name: str, words: Words) -> str:
    """A floor's name; maps have one text a floor, often both languages with a stroke between."""
    return _half(name, words)


def place_name(node_id: str | None, site: SiteView, words: Words) -> str:
    """What people call a node of the map; its id where it has no name, empty for None."""
    named = (node.name for node in site.nodes if node.id == node_id)
    return _half(next(named, "") or node_id or "", words)


def _half(name: str, words: Words) -> str:
    zh, stroke, en = name.partition(" / ")
    return words.name(Named(zh=zh, en=en)) if stroke and zh.strip() and en.strip() else name


def mark(name: str) -> str:
    """What stands on a robot in the picture: the number that its name ends in, or its initial."""
    number = re.search(r"(\d{1,3})\s*$", name)
    return number[1] if number else name[:1]


def condition(robot: RobotView, words: Words) -> str:
    """What a robot does, in words: who has a delivery and stands is waiting, not idle."""
    waits = robot.condition is RobotCondition.IDLE and robot.tour
    return words.say("robot.waiting" if waits else f"robot.{robot.condition.value}")


def _floors(site: SiteView, chart: MapView | None) -> list[tuple[str, str]]:
    """Id and name of each floor that has nodes, in the order of the map."""
    named = {floor.id: floor.name for floor in chart.floors} if chart else {}
    found = dict.fromkeys(node.map_id for node in site.nodes)
    order = [*(key for key in named if key in found), *(key for key in found if key not in named)]
    return [(key, named.get(key, key)) for key in order]


class _Level:
    """One floor: its nodes, its paper, and what of the map lies on it."""

    def __init__(self, site: SiteView, floor_id: str, chart: MapView | None) -> None:
        self.id = floor_id
        self.site = site
        self.chart = chart
        self.nodes = {node.id: node for node in site.nodes if node.map_id == floor_id}
        self.paper = _Paper(tuple(self.nodes.values()))

    def ways(self) -> list[Drawn]:
        lanes: set[tuple[str, str]] = set()
        for lane in self.chart.one_lane if self.chart else ():
            lanes |= {_pair(*ends) for ends in itertools.pairwise(lane.nodes)}
        pairs = sorted({_pair(edge.start, edge.end) for edge in self.site.edges})
        return [
            self.segment(*pair) | {"lane": pair in lanes}
            for pair in pairs
            if pair[0] in self.nodes and pair[1] in self.nodes
        ]

    def segment(self, start: str, end: str) -> Drawn:
        return _segment(self.nodes[start], self.nodes[end], self.paper)


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _floor(
    level: _Level, name: str, house: House, now: dict[str, FacilityView], words: Words
) -> Drawn:
    paper, nodes = level.paper, level.nodes
    zones = [zone for zone in house.zones.values() if set(zone.nodes) & set(nodes)]
    return {
        "id": level.id,
        "name": name,
        "width": paper.width,
        "height": paper.height,
        "ways": level.ways(),
        "zones": [_zone(zone, level.site, nodes, paper, words) for zone in zones],
        "places": _places(level.site, house, nodes, paper, words),
        "doors": _doors(level, now, words),
        "lifts": _lifts(level, now, words),
        "refuges": [
            dict(zip(("x", "y"), paper.node(nodes[node]), strict=True))
            for node in (level.chart.refuges if level.chart else ())
            if node in nodes
        ],
    }


def _doors(level: _Level, now: dict[str, FacilityView], words: Words) -> list[Drawn]:
    drawn: list[Drawn] = []
    for door in level.chart.doors if level.chart else ():
        ways = {_pair(*way) for way in door.ways}
        for start, end in sorted(ways):
            if start not in level.nodes or end not in level.nodes:
                continue
            (x1, y1), (x2, y2) = (
                level.paper.node(level.nodes[start]),
                level.paper.node(level.nodes[end]),
            )
            drawn.append(
                _state_of(now.get(door.id), words)
                | {
                    "id": door.id,
                    "name": words.name(door.name),
                    "x": round((x1 + x2) / 2, 1),
                    "y": round((y1 + y2) / 2, 1),
                    "turn": round(math.degrees(math.atan2(y2 - y1, x2 - x1)), 1),
                }
            )
    return drawn


def _lifts(level: _Level, now: dict[str, FacilityView], words: Words) -> list[Drawn]:
    drawn: list[Drawn] = []
    for lift in level.chart.lifts if level.chart else ():
        for stop in lift.floors:
            if stop.floor == level.id and stop.cab_node in level.nodes:
                x, y = level.paper.node(level.nodes[stop.cab_node])
                view = now.get(lift.id)
                here = view is not None and view.floor == level.id
                state = _state_of(view, words)
                drawn.append(
                    state
                    | {"id": lift.id, "name": words.name(lift.name), "x": x, "y": y, "here": here}
                    | {"label_x": level.paper.inside(x) - x}
                )
    return drawn


def _state_of(view: FacilityView | None, words: Words) -> Drawn:
    state = view.condition.value if view else "offline"
    shut = view is not None and view.kind == "door" and state == "resting"
    return {"state": state, "state_label": words.say(f"facility.{'shut' if shut else state}")}


def _facility(view: FacilityView, words: Words) -> Drawn:
    return _state_of(view, words) | {
        "id": view.id,
        "kind": view.kind,
        "name": words.name(view.name),
        "why": words.name(view.why),
        "floor": view.floor or "",
        "robot": view.robot_id or "",
    }


class _Paper:
    """From metres, y up, to drawing units, y down."""

    def __init__(self, nodes: tuple[MapNodeView, ...]) -> None:
        self._left = min(node.x_m for node in nodes) - MARGIN_M
        self._top = max(node.y_m for node in nodes) + MARGIN_M
        right = max(node.x_m for node in nodes) + MARGIN_M
        bottom = min(node.y_m for node in nodes) - MARGIN_M
        self.width = round((right - self._left) * UNITS_PER_M)
        self.height = round((self._top - bottom) * UNITS_PER_M)

    def inside(self, x: float) -> float:
        """Where the middle of a label of some length lies that must not run out of the paper."""
        return min(max(x, LABEL_HALF), max(self.width - LABEL_HALF, LABEL_HALF))

    def at(self, x_m: float, y_m: float) -> tuple[float, float]:
        x = (x_m - self._left) * UNITS_PER_M
        y = (self._top - y_m) * UNITS_PER_M
        return round(x, 1), round(y, 1)

    def node(self, node: MapNodeView) -> tuple[float, float]:
        return self.at(node.x_m, node.y_m)


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
            if edge.start in members
            and edge.end in members
            and edge.start in nodes
            and edge.end in nodes
            and edge.start < edge.end
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


def _robot(robot: RobotView, house: House, levels: dict[str, _Level], words: Words) -> Drawn:
    floor = _floor_of(robot, levels)
    level = levels[floor] if floor is not None else None
    pose = robot.pose
    here = None if pose is None or level is None else level.paper.at(pose.x_m, pose.y_m)
    ways = {
        key: {
            "base": _path(here if key == floor else None, robot.route[: robot.base_nodes], row),
            "horizon": _path(None, robot.route[max(robot.base_nodes - 1, 0) :], row)
            if robot.base_nodes
            else _path(here if key == floor else None, robot.route, row),
        }
        for key, row in levels.items()
    }
    held = robot.condition is RobotCondition.HELD
    return {
        "id": robot.id,
        "name": words.name(robot.name),
        "state": robot.condition.value,
        "state_label": condition(robot, words),
        "mark": mark(words.name(robot.name)),
        "held": held,
        "held_for": ", ".join(
            words.name(house.zones[zone].name) if zone in house.zones else zone
            for zone in robot.held_for
        ),
        "by_person": words.say("dispatch.held_by") + " " + robot.hold.by if robot.hold else "",
        "doubt": words.name(robot.doubt) if robot.doubt else "",
        "battery": None if robot.battery_percent is None else round(robot.battery_percent),
        "floor": floor,
        "x": None if here is None else here[0],
        "y": None if here is None else here[1],
        "heading": 0 if pose is None else round(-math.degrees(pose.theta_rad), 1),
        "loaded": any(compartment.occupied for compartment in robot.compartments),
        "ways": ways,
        "errors": list(robot.errors),
    }


def _floor_of(robot: RobotView, levels: dict[str, _Level]) -> str | None:
    """The floor that a robot says, or that of its last node; a lone floor is everybody's."""
    if robot.pose is not None and robot.pose.map_id in levels:
        return robot.pose.map_id
    for key, level in levels.items():
        if robot.last_node in level.nodes:
            return key
    return next(iter(levels)) if len(levels) == 1 else None


def _path(start: tuple[float, float] | None, route: tuple[str, ...], level: _Level) -> str:
    """Points of a polyline along the nodes of a route that lie on a floor, from the robot on."""
    points = [level.paper.node(level.nodes[node]) for node in route if node in level.nodes]
    if start is not None:
        # A position is newer than the word that a node was passed: that node lies behind already.
        behind = len(points) > 1 and _between(start, points[0], points[1])
        points = [start, *points[behind:]]
    return " ".join(f"{x},{y}" for x, y in points) if len(points) > 1 else ""


def _between(at: tuple[float, float], one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether a point lies on the way from one node to another, beyond the first."""
    way = math.dist(one, other)
    on_way = math.dist(at, one) + math.dist(at, other) - way < OFF_WAY_M * UNITS_PER_M
    return on_way and math.dist(at, other) < way - OFF_WAY_M * UNITS_PER_M
