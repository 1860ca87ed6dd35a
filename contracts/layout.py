"""The robot map: VDMA LIF (layout interchange format 1.0.0) in and out, a checked graph of ours.

What vendors add to their files is kept: what is read and written again says the same.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

NODES_MAX = 20_000  # a large building has a few thousand; more is a broken export


class _Lif(BaseModel):
    """LIF allows vendors to add fields: they are kept aside, not refused."""

    model_config = ConfigDict(
        extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class LifPosition(_Lif):
    """Metres in the map's frame, x right and y up."""

    x: float
    y: float


class LifVehicleNode(_Lif):
    """Where a node is one that a type of vehicle may stand on."""

    vehicle_type_id: str = ""


class LifNode(_Lif):
    """A place where a vehicle can be told to go."""

    node_id: str = Field(min_length=1, max_length=64)
    node_name: str | None = None
    map_id: str = Field(default="", max_length=64)
    node_position: LifPosition
    vehicle_type_node_properties: tuple[LifVehicleNode, ...] = ()


class LifVehicleEdge(_Lif):
    """What one type of vehicle may do on an edge."""

    vehicle_type_id: str = ""
    max_speed: Annotated[float, Field(gt=0)] | None = None


class LifEdge(_Lif):
    """A one-way way from node to node; a two-way corridor has two edges."""

    edge_id: str = Field(min_length=1, max_length=64)
    edge_name: str | None = None
    start_node_id: str
    end_node_id: str
    vehicle_type_edge_properties: tuple[LifVehicleEdge, ...] = ()


class LifStation(_Lif):
    """A place with a purpose (kitchen, dock), reached at its interaction nodes."""

    station_id: str
    station_name: str | None = None
    interaction_node_ids: tuple[str, ...] = ()


class LifLayout(_Lif):
    """One floor."""

    layout_id: str
    layout_name: str | None = None
    layout_version: str = ""
    nodes: tuple[LifNode, ...] = Field(min_length=1, max_length=NODES_MAX)
    edges: tuple[LifEdge, ...] = ()
    stations: tuple[LifStation, ...] = ()


class LifMeta(_Lif):
    """Who made the map and when. The format's version must begin with 1."""

    project_identification: str
    creator: str = ""
    export_timestamp: str = ""
    lif_version: Annotated[str, Field(pattern=r"^1\.")]


class Lif(_Lif):
    """A whole LIF file."""

    meta_information: LifMeta
    layouts: tuple[LifLayout, ...] = Field(min_length=1, max_length=64)


@dataclass(frozen=True, slots=True)
class MapNode:
    """A node of the graph: metres on the floor named ``map_id``.

    ``vehicles``: the types that may stand there; empty: any.
    """

    id: str
    name: str
    map_id: str
    x_m: float
    y_m: float
    vehicles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MapEdge:
    """A one-way edge with its length. ``vehicles``: the types that may drive it; empty: any."""

    id: str
    start: str
    end: str
    length_m: float
    speed_max_m_s: float | None = None
    vehicles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RobotMap:
    """The graph that routes and reservations work on. Build it with ``from_lif``."""

    nodes: Mapping[str, MapNode]
    edges: Mapping[str, MapEdge]
    stations: Mapping[str, tuple[str, ...]]
    floors: tuple[tuple[str, str], ...] = ()
    """Floors as the file has them: what nodes call their map, and its name."""

    def between(self, start: str, end: str) -> MapEdge | None:
        """The edge from start to end, if there is one."""
        for edge in self.edges.values():
            if edge.start == start and edge.end == end:
                return edge
        return None


Kind = Literal["node", "edge", "station"]
Place = tuple[str | int, ...]


class LayoutProblem(NamedTuple):
    """Something wrong in a LIF file, and where: the path of keys to it."""

    place: Place
    text: str


class LayoutError(ValueError):
    """A map that cannot be used; each problem names the node or edge."""

    def __init__(self, found: tuple[LayoutProblem, ...]) -> None:
        self.found = found
        self.problems = tuple(problem.text for problem in found)
        super().__init__("; ".join(self.problems))


def from_lif(lif: Lif) -> RobotMap:
    """Turn a LIF file into a graph.

    Raises:
        LayoutError: a name is used twice, or an edge or station leads to a node that is not there.
    """
    problems: list[LayoutProblem] = []
    nodes: dict[str, MapNode] = {}
    edges: dict[str, MapEdge] = {}
    stations: dict[str, tuple[str, ...]] = {}
    ways: dict[tuple[str, str], str] = {}
    for place, layout, node in _nodes(lif):
        if node.node_id in nodes:
            problems.append(LayoutProblem(place, f"node {node.node_id}: used twice"))
        nodes[node.node_id] = _node(node, layout)
    for place, edge in _edges(lif):
        missing = [end for end in (edge.start_node_id, edge.end_node_id) if end not in nodes]
        if edge.edge_id in edges:
            problems.append(LayoutProblem(place, f"edge {edge.edge_id}: used twice"))
        if missing:
            text = f"edge {edge.edge_id}: no node {', '.join(missing)}"
            problems.append(LayoutProblem(place, text))
            continue
        problems += _bad_way(place, edge, ways)
        edges[edge.edge_id] = _edge(edge, nodes)
    for place, station in _stations(lif):
        missing = [node for node in station.interaction_node_ids if node not in nodes]
        if missing:
            text = f"station {station.station_id}: no node {', '.join(missing)}"
            problems.append(LayoutProblem(place, text))
        if station.station_id in stations:
            problems.append(LayoutProblem(place, f"station {station.station_id}: used twice"))
        stations[station.station_id] = station.interaction_node_ids
    if problems:
        raise LayoutError(tuple(problems))
    return RobotMap(nodes=nodes, edges=edges, stations=stations, floors=_floors(lif, nodes))


def places_of(lif: Lif) -> Mapping[tuple[Kind, str], Place]:
    """Where in the file each node, edge and station is."""
    found: dict[tuple[Kind, str], Place] = {}
    for place, _, node in _nodes(lif):
        found.setdefault(("node", node.node_id), place)
    for place, edge in _edges(lif):
        found.setdefault(("edge", edge.edge_id), place)
    for place, station in _stations(lif):
        found.setdefault(("station", station.station_id), place)
    return found


_ONE_A_LINE: Final = frozenset({"nodes", "edges", "stations"})


def lif_text(lif: Lif) -> str:
    """A LIF file as text: what was read, vendors' fields too; one node, edge or station a line.

    So that a message's line number leads to one element, and two versions can be compared.
    """
    value = lif.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return "".join(_lines(value, 0)) + "\n"


def _lines(value: object, depth: int, key: str = "") -> Iterator[str]:
    pad, between = "  " * (depth + 1), ",\n"
    if isinstance(value, dict) and depth < _LAYOUT_DEPTH and value:
        yield "{\n"
        for at, (name, inner) in enumerate(value.items()):
            yield (between if at else "") + pad + json.dumps(name, ensure_ascii=False) + ": "
            yield from _lines(inner, depth + 1, name)
        yield f"\n{pad[2:]}}}"
    elif isinstance(value, list) and (key in _ONE_A_LINE or key == "layouts") and value:
        yield "[\n"
        for at, inner in enumerate(value):
            yield (between if at else "") + pad
            yield from _lines(inner, depth + 1)
        yield f"\n{pad[2:]}]"
    else:
        yield json.dumps(value, ensure_ascii=False)


_LAYOUT_DEPTH: Final = 3  # file, list of layouts, layout: what lies deeper stays on its line


def _nodes(lif: Lif) -> Iterator[tuple[Place, LifLayout, LifNode]]:
    for at, layout in enumerate(lif.layouts):
        for index, node in enumerate(layout.nodes):
            yield ("layouts", at, "nodes", index), layout, node


def _edges(lif: Lif) -> Iterator[tuple[Place, LifEdge]]:
    for at, layout in enumerate(lif.layouts):
        for index, edge in enumerate(layout.edges):
            yield ("layouts", at, "edges", index), edge


def _stations(lif: Lif) -> Iterator[tuple[Place, LifStation]]:
    for at, layout in enumerate(lif.layouts):
        for index, station in enumerate(layout.stations):
            yield ("layouts", at, "stations", index), station


def _bad_way(
    place: Place, edge: LifEdge, ways: dict[tuple[str, str], str]
) -> Iterator[LayoutProblem]:
    way = (edge.start_node_id, edge.end_node_id)
    if way[0] == way[1]:
        yield LayoutProblem(place, f"edge {edge.edge_id}: leads from {way[0]} to itself")
    other = ways.setdefault(way, edge.edge_id)
    if other != edge.edge_id:
        text = f"edge {edge.edge_id}: leads from {way[0]} to {way[1]} as {other} does already"
        yield LayoutProblem(place, text)


def _floors(lif: Lif, nodes: Mapping[str, MapNode]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for _, layout, node in _nodes(lif):
        found.setdefault(nodes[node.node_id].map_id, layout.layout_name or layout.layout_id)
    return tuple(found.items())


def _node(node: LifNode, layout: LifLayout) -> MapNode:
    return MapNode(
        id=node.node_id,
        name=node.node_name or node.node_id,
        map_id=node.map_id or layout.layout_id,
        x_m=node.node_position.x,
        y_m=node.node_position.y,
        vehicles=frozenset(
            row.vehicle_type_id for row in node.vehicle_type_node_properties if row.vehicle_type_id
        ),
    )


def _edge(edge: LifEdge, nodes: Mapping[str, MapNode]) -> MapEdge:
    start, end = nodes[edge.start_node_id], nodes[edge.end_node_id]
    rows = edge.vehicle_type_edge_properties
    speeds = [row.max_speed for row in rows if row.max_speed]
    return MapEdge(
        id=edge.edge_id,
        start=start.id,
        end=end.id,
        length_m=math.hypot(end.x_m - start.x_m, end.y_m - start.y_m),
        speed_max_m_s=min(speeds) if speeds else None,
        vehicles=frozenset(row.vehicle_type_id for row in rows if row.vehicle_type_id),
    )
