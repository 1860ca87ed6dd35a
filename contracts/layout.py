"""The robot map: VDMA LIF (layout interchange format 1.0.0) in, a checked graph of ours out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

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


class LifNode(_Lif):
    """A place where a vehicle can be told to go."""

    node_id: str = Field(min_length=1, max_length=64)
    node_name: str | None = None
    map_id: str = Field(default="", max_length=64)
    node_position: LifPosition


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
    """A node of the graph: metres on the floor named ``map_id``."""

    id: str
    name: str
    map_id: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class MapEdge:
    """A one-way edge with its length."""

    id: str
    start: str
    end: str
    length_m: float
    speed_max_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class RobotMap:
    """The graph that routes and reservations work on. Build it with ``from_lif``."""

    nodes: Mapping[str, MapNode]
    edges: Mapping[str, MapEdge]
    stations: Mapping[str, tuple[str, ...]]

    def between(self, start: str, end: str) -> MapEdge | None:
        """The edge from start to end, if there is one."""
        for edge in self.edges.values():
            if edge.start == start and edge.end == end:
                return edge
        return None


class LayoutError(ValueError):
    """A map that cannot be used; each problem names the node or edge."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


Kind = Literal["node", "edge", "station"]


def from_lif(lif: Lif) -> RobotMap:
    """Turn a LIF file into a graph.

    Raises:
        LayoutError: a name is used twice, or an edge or station leads to a node that is not there.
    """
    problems: list[str] = []
    nodes: dict[str, MapNode] = {}
    edges: dict[str, MapEdge] = {}
    stations: dict[str, tuple[str, ...]] = {}
    for layout in lif.layouts:
        for node in layout.nodes:
            if node.node_id in nodes:
                problems.append(f"node {node.node_id}: used twice")
            nodes[node.node_id] = _node(node, layout)
    for layout in lif.layouts:
        for edge in layout.edges:
            missing = [end for end in (edge.start_node_id, edge.end_node_id) if end not in nodes]
            if edge.edge_id in edges:
                problems.append(f"edge {edge.edge_id}: used twice")
            if missing:
                problems.append(f"edge {edge.edge_id}: no node {', '.join(missing)}")
                continue
            edges[edge.edge_id] = _edge(edge, nodes)
        for station in layout.stations:
            missing = [node for node in station.interaction_node_ids if node not in nodes]
            if missing:
                problems.append(f"station {station.station_id}: no node {', '.join(missing)}")
            stations[station.station_id] = station.interaction_node_ids
    if problems:
        raise LayoutError(tuple(problems))
    return RobotMap(nodes=nodes, edges=edges, stations=stations)


def _node(node: LifNode, layout: LifLayout) -> MapNode:
    return MapNode(
        id=node.node_id,
        name=node.node_name or node.node_id,
        map_id=node.map_id or layout.layout_id,
        x_m=node.node_position.x,
        y_m=node.node_position.y,
    )


def _edge(edge: LifEdge, nodes: Mapping[str, MapNode]) -> MapEdge:
    start, end = nodes[edge.start_node_id], nodes[edge.end_node_id]
    speeds = [row.max_speed for row in edge.vehicle_type_edge_properties if row.max_speed]
    return MapEdge(
        id=edge.edge_id,
        start=start.id,
        end=end.id,
        length_m=math.hypot(end.x_m - start.x_m, end.y_m - start.y_m),
        speed_max_m_s=min(speeds) if speeds else None,
    )
