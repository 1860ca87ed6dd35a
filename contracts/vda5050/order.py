"""Holds what a master tells a robot: the order (base and horizon) and the instant actions."""

from enum import StrEnum
from itertools import pairwise
from typing import Self

from pydantic import AliasChoices, Field, JsonValue, field_validator, model_validator

from contracts.vda5050.base import (
    LIST_MAX_ITEMS,
    Bool,
    Header,
    Id,
    NodePosition,
    NonNegative,
    Number,
    Text,
    Theta,
    Trajectory,
    Uint32,
    Vda,
)


class BlockingType(StrEnum):
    """NONE: may run while driving. SOFT: not while driving. HARD: alone, and not while driving.

    SINGLE is of 3.0 only: alone, but the robot may drive.
    """

    NONE = "NONE"
    SINGLE = "SINGLE"
    SOFT = "SOFT"
    HARD = "HARD"


class OrientationType(StrEnum):
    """How the orientation of an edge is meant; TANGENTIAL when it is absent."""

    GLOBAL = "GLOBAL"
    TANGENTIAL = "TANGENTIAL"


class CorridorRefPoint(StrEnum):
    """What must stay inside a corridor."""

    KINEMATIC_CENTER = "KINEMATICCENTER"
    CONTOUR = "CONTOUR"


class ActionParameter(Vda):
    """One named value of an action: a text, number, boolean, list or object."""

    key: Id
    value: JsonValue

    @field_validator("value")
    @classmethod
    def _has_value(cls, value: JsonValue) -> JsonValue:
        if value is None:
            raise ValueError("null is no value; leave the parameter out")
        return value


class Action(Vda):
    """Something to do besides driving. ``action_id`` is unique and names it in the state."""

    action_type: Id
    action_id: Id
    action_description: Text | None = None
    blocking_type: BlockingType
    action_parameters: tuple[ActionParameter, ...] | None = Field(
        default=None, max_length=LIST_MAX_ITEMS
    )

    def parameter(self, key: str) -> JsonValue:
        """The value of the first parameter of this name; None when there is none."""
        for row in self.action_parameters or ():
            if row.key == key:
                return row.value
        return None


class Node(Vda):
    """A place to pass. Its ``sequence_id`` is even and, with ``node_id``, unique in the order."""

    node_id: Id
    sequence_id: Uint32
    node_description: Text | None = None
    released: Bool
    node_position: NodePosition | None = None
    actions: tuple[Action, ...] = Field(max_length=LIST_MAX_ITEMS)


class Corridor(Vda):
    """How far a robot may leave its edge to pass an obstacle, metres."""

    left_width: NonNegative
    right_width: NonNegative
    corridor_ref_point: CorridorRefPoint | None = None


class Edge(Vda):
    """The way between two nodes, in one direction. Its ``sequence_id`` is odd."""

    edge_id: Id
    sequence_id: Uint32
    edge_description: Text | None = None
    released: Bool
    start_node_id: Id
    end_node_id: Id
    max_speed: NonNegative | None = None
    max_height: Number | None = None
    min_height: Number | None = None
    orientation: Theta | None = None
    orientation_type: OrientationType | None = None
    direction: Text | None = None
    rotation_allowed: Bool | None = None
    max_rotation_speed: NonNegative | None = None
    length: NonNegative | None = None
    trajectory: Trajectory | None = None
    corridor: Corridor | None = None
    actions: tuple[Action, ...] = Field(max_length=LIST_MAX_ITEMS)


class Order(Header):
    """A way to go: nodes and edges by sequence id, the released ones (base) before the horizon."""

    order_id: Id
    order_update_id: Uint32
    zone_set_id: Id | None = None
    nodes: tuple[Node, ...] = Field(min_length=1, max_length=LIST_MAX_ITEMS)
    edges: tuple[Edge, ...] = Field(max_length=LIST_MAX_ITEMS)

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        problem = way_problem(self.nodes, self.edges)
        if problem is not None:
            raise ValueError(problem)
        return self


def way_problem(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> str | None:
    """What is wrong with a way in words, or None: even, odd, alternating, joined, base first."""
    if len(edges) != len(nodes) - 1:
        return f"{len(nodes)} nodes need {len(nodes) - 1} edges, not {len(edges)}"
    for node in nodes:
        if node.sequence_id % 2:
            return f"sequenceId {node.sequence_id} of node {node.node_id} must be even"
    way = [item for pair in zip(nodes, edges, strict=False) for item in pair] + [nodes[-1]]
    for here, there in pairwise(way):
        if there.sequence_id != here.sequence_id + 1:
            return f"sequenceId {there.sequence_id} follows {here.sequence_id}; it must rise by 1"
        if there.released and not here.released:
            return (
                f"sequenceId {there.sequence_id} is released behind {here.sequence_id} that is not"
            )
    for start, edge, end in zip(nodes, edges, nodes[1:], strict=False):
        if (edge.start_node_id, edge.end_node_id) != (start.node_id, end.node_id):
            return f"edge {edge.edge_id} does not join {start.node_id} to {end.node_id}"
        if edge.released != end.released:
            return f"edge {edge.edge_id} and its end node {end.node_id} must be released together"
    if not nodes[0].released:
        return f"the first node {nodes[0].node_id} must be released"
    return None


class InstantActions(Header):
    """Actions to do at once. Some peers of 2.0 call the list ``instantActions``; both are read."""

    actions: tuple[Action, ...] = Field(
        max_length=LIST_MAX_ITEMS,
        validation_alias=AliasChoices("actions", "instantActions"),
        serialization_alias="actions",
    )
