"""Holds what does not change while the controller runs: site, map as ways, who sees which zone."""

import heapq
import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from contracts.admission import AreaKind
from contracts.api import TrackKind
from contracts.api.duty import EscalationSettings
from contracts.api.roster import SessionPolicy
from contracts.catalogue import CATALOGUE, JudgedBy
from contracts.catalogue.settings import (
    RuleChanges,
    RuleSettings,
    check_changes,
    settings_of,
)
from contracts.devices import Named, RobotConfig, Site, Zone
from contracts.facilities import DoorConfig, FireConfig, LiftConfig
from contracts.layout import MapEdge, RobotMap
from contracts.units import (
    DoorId,
    FacilityId,
    FireId,
    LiftId,
    NodeId,
    RobotId,
    RoomId,
    RuleCode,
    ZoneId,
)
from controller.core import places
from controller.core.lanes import EMPTY, Lanes, lanes_of

NEAR_NODE_M: Final = 1.5
# A robot that does not say at which node it stands counts as there within this distance: less than
# half of the shortest way between two nodes of a building.


AT_NODE_M: Final = 0.5  # a robot this near to a node stands at it; nodes lie farther apart

ON_WAY_M: Final = 0.5
# Detour over a point against the way itself: a robot keeps to its line within some decimetres.


NO_CHANGES: Final[RuleChanges] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Track:
    """What one chain of evidence records: a camera, or a pickup that is not part of a camera."""

    id: str
    name: Named
    kind: TrackKind
    room_id: RoomId


@dataclass(frozen=True, slots=True)
class SitePlan:
    """The site as the cores look things up in it. Build it with ``plan_of``."""

    site: Site
    map: RobotMap
    ways: Mapping[str, Mapping[str, MapEdge]]
    """start -> end -> edge."""
    zone_at: Mapping[str, Zone]
    """Map node -> the zone it lies in."""
    zones: Mapping[ZoneId, Zone]
    robots: Mapping[RobotId, RobotConfig]
    watcher: Mapping[RoomId, NodeId]
    """Area -> the edge node that watches it."""
    door_nodes: Mapping[RoomId, str]
    tracks: Mapping[RoomId, tuple[Track, ...]]
    """Area -> what is recorded there."""
    rules: Mapping[RuleCode, RuleSettings] = field(default_factory=lambda: controller_rules({}))
    """How the rules that the controller judges are set."""
    session_policy: SessionPolicy = field(default_factory=SessionPolicy)
    """Lateness, who may be named, whether a roster is required."""
    escalation: EscalationSettings = field(default_factory=EscalationSettings)
    """Whom an alert that nobody takes is told to, and when."""
    doors: Mapping[DoorId, DoorConfig] = field(default_factory=dict)
    lifts: Mapping[LiftId, LiftConfig] = field(default_factory=dict)
    fires: Mapping[FireId, FireConfig] = field(default_factory=dict)
    door_on: Mapping[tuple[str, str], DoorId] = field(default_factory=dict)
    """(start, end) in both directions -> the door between them."""
    cab_of: Mapping[str, LiftId] = field(default_factory=dict)
    """Map node inside a lift's car -> the lift; a lift has one on each floor."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Map node -> the exclusive resources that standing there takes (``places.needs``)."""
    refuges: tuple[str, ...] = ()
    """Nodes where a robot may stand for ever and is in nobody's way."""
    chargers: frozenset[str] = frozenset()
    """Nodes where a robot charges."""
    gates: Mapping[FacilityId, frozenset[tuple[str, str]]] = field(default_factory=dict)
    """Door or lift -> the directed edges that are its matter."""
    lanes: Lanes = EMPTY
    """The map as traffic and routes count in it."""

    @property
    def kitchen_node(self) -> str:
        return self.site.config.kitchen_node

    @property
    def passages(self) -> tuple[RoomId, ...]:
        """The areas that a sealed session passes by: their recordings are kept as its own are."""
        areas = self.site.config.areas
        return tuple(area.id for area in areas if area.kind is AreaKind.CORRIDOR)

    def track(self, track_id: str) -> Track | None:
        """The track of this id; None when the site has none."""
        rows = (row for room in self.tracks.values() for row in room)
        return next((row for row in rows if row.id == track_id), None)


def controller_rules(changes: RuleChanges) -> Mapping[RuleCode, RuleSettings]:
    """How every rule of the controller's is set, with ``changes`` over the catalogue.

    Raises:
        RuleChangeError: a rule is unknown or an edge node's, a number out of bounds; names all.
    """
    check_changes(JudgedBy.CONTROLLER, changes)
    return {
        code: settings_of(spec, changes.get(code))
        for code, spec in CATALOGUE.items()
        if spec.judged_by is JudgedBy.CONTROLLER
    }


def plan_of(
    site: Site,
    robot_map: RobotMap,
    rules: RuleChanges = NO_CHANGES,
    escalation: EscalationSettings = EscalationSettings(),  # noqa: B008  # it is frozen
) -> SitePlan:
    """Index a site and its map.

    Raises:
        ValueError: the site names a map node that the map lacks; says which.
    """
    ways: dict[str, dict[str, MapEdge]] = {}
    for edge in robot_map.edges.values():
        ways.setdefault(edge.start, {})[edge.end] = edge
    config = site.config
    doors = {area.id: area.door_node for area in config.areas if area.door_node is not None}
    stops = {*doors.values(), config.kitchen_node}
    cab_of = {row.cab_node: lift.id for lift in site.lifts for row in lift.floors}
    site = _homed(site, robot_map, stops, cab_of)
    homes = tuple(robot.home_node for robot in site.robots)
    named = {f"area {room}: door_node": node for room, node in doors.items()}
    named |= {f"robot {robot.id}: home_node": robot.home_node for robot in site.robots}
    named |= {f"lift {lift}: cab_node": node for node, lift in cab_of.items()}
    named |= {
        f"door {row.id}: ways": node for row in site.doors for way in row.ways for node in way
    }
    if site.robots:
        named["site: kitchen_node"] = config.kitchen_node
    missing = [f"{what} {node!r}" for what, node in named.items() if node not in robot_map.nodes]
    if missing:
        raise ValueError(f"not on the map: {'; '.join(missing)}; add the node or correct the name")
    needs = places.needs(robot_map, cab_of)
    door_on = {
        way: door.id for door in site.doors for a, b in door.ways for way in ((a, b), (b, a))
    }
    return SitePlan(
        site=site,
        map=robot_map,
        ways=ways,
        zone_at={node: zone for zone in config.zones for node in zone.nodes},
        zones={zone.id: zone for zone in config.zones},
        robots={robot.id: robot for robot in site.robots},
        watcher={area: node.id for node in site.nodes for area in node.areas},
        door_nodes=doors,
        tracks={area.id: _tracks(site, area.id) for area in config.areas},
        rules=controller_rules(rules),
        escalation=escalation,
        doors={door.id: door for door in site.doors},
        lifts={lift.id: lift for lift in site.lifts},
        fires={fire.id: fire for fire in site.fires},
        door_on=door_on,
        cab_of=cab_of,
        needs=needs,
        gates=places.gates(robot_map, door_on, cab_of),
        refuges=places.refuges(robot_map, homes, stops, cab_of),
        chargers=places.chargers(robot_map, homes),
        lanes=lanes_of(robot_map, needs, door_on, cab_of, config.kitchen_node, doors.values()),
    )


def _homed(
    site: Site, robot_map: RobotMap, stops: Collection[str], cab_of: Mapping[str, LiftId]
) -> Site:
    """The site with a home for each robot whose file names none: the first refuge that is free.

    Raises:
        ValueError: the map has no refuge left; says for which robot.
    """
    taken = {robot.home_node for robot in site.robots if robot.home_node}
    free = [node for node in places.refuges(robot_map, taken, stops, cab_of) if node not in taken]
    robots: list[RobotConfig] = []
    for robot in site.robots:
        if robot.home_node:
            robots.append(robot)
            continue
        if not free:
            raise ValueError(
                f"robot {robot.id}: home_node: the map has no refuge (dock, park) that is free; "
                "name a node, or add a dead end called dock or park"
            )
        robots.append(robot.model_copy(update={"home_node": free.pop(0)}))
    return site.model_copy(update={"robots": tuple(robots)})


def _tracks(site: Site, room_id: RoomId) -> tuple[Track, ...]:
    cameras = [
        Track(row.id, row.name, TrackKind.CAMERA, room_id) for row in site.cameras_of(room_id)
    ]
    pickups = [
        Track(row.id, row.name, TrackKind.PICKUP, room_id)
        for row in site.pickups
        if row.area == room_id
    ]
    return (*cameras, *pickups)


def route(
    plan: SitePlan, start: str, goal: str, avoid: frozenset[str] = frozenset()
) -> tuple[str, ...] | None:
    """The shortest way as node ids, both ends included; None when there is none.

    ``avoid`` are nodes not to pass (the ends excepted).
    """
    best: dict[str, float] = {start: 0.0}
    before: dict[str, str] = {}
    heap = [(0.0, start)]
    while heap:
        length_m, here = heapq.heappop(heap)
        if here == goal:
            return _walk_back(before, start, goal)
        if length_m > best[here]:
            continue
        for there, edge in plan.ways.get(here, {}).items():
            reach_m = length_m + edge.length_m
            if (there in avoid and there != goal) or reach_m >= best.get(there, float("inf")):
                continue
            best[there], before[there] = reach_m, here
            heapq.heappush(heap, (reach_m, there))
    return None


def length_m(plan: SitePlan, nodes: tuple[str, ...]) -> float:
    """How long a way along ``nodes`` is."""
    return sum(plan.ways[start][end].length_m for start, end in itertools.pairwise(nodes))


def nearest_node(plan: SitePlan, x_m: float, y_m: float) -> str | None:
    """The map node within NEAR_NODE_M of a point, nearest first; None when there is none."""
    distances = [
        (math.hypot(node.x_m - x_m, node.y_m - y_m), node.id) for node in plan.map.nodes.values()
    ]
    near = min(distances, default=(NEAR_NODE_M + 1, ""))
    return near[1] if near[0] <= NEAR_NODE_M else None


def off_node_m(plan: SitePlan, node: str, x_m: float, y_m: float) -> float:
    """How far a point lies from a map node, metres."""
    place = plan.map.nodes[node]
    return math.hypot(place.x_m - x_m, place.y_m - y_m)


def other_end(plan: SitePlan, node: str, x_m: float, y_m: float) -> str | None:
    """The node at the other end of the way that a point beside ``node`` lies on; None when on none.

    Only ways that lead back to ``node`` count, since the robot may have to go back.
    """
    best: tuple[float, str] | None = None
    for there in plan.ways.get(node, {}):
        back = plan.ways.get(there, {}).get(node)
        if back is None:
            continue
        reach_m = off_node_m(plan, node, x_m, y_m) + off_node_m(plan, there, x_m, y_m)
        detour_m = reach_m - back.length_m
        if detour_m <= ON_WAY_M and (best is None or detour_m < best[0]):
            best = detour_m, there
    return best[1] if best is not None else None


def _walk_back(before: Mapping[str, str], start: str, goal: str) -> tuple[str, ...]:
    nodes = [goal]
    while nodes[-1] != start:
        nodes.append(before[nodes[-1]])
    return tuple(reversed(nodes))
