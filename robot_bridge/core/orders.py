"""Decides whether an order is taken, ignored or refused, and how an update joins what is driven."""

from dataclasses import dataclass, replace
from math import atan2, cos, hypot, sin
from typing import Final

from contracts.vda5050.order import Edge, Node, Order, OrientationType
from contracts.vda5050.state import ErrorLevel, Reference, VehicleError
from contracts.vda5050.versions import CAUSE, VdaVersion
from robot_bridge.core.actions import (
    COORDINATE_MAX_M,
    ActionEntry,
    Source,
    action_problem,
)
from robot_bridge.core.vehicle import Pose

NODES_MAX: Final = 150
ACTIONS_MAX: Final = 60
ID_MAX_BYTES: Final = 64
# Together these keep the state, which lists what is left of the order, below 64 KiB.

START_TOLERANCE_M: Final = 0.5
# The standard leaves "near the first node" to the robot. No two nodes are closer than half a metre.

ORIENTATION_TOLERANCE_RAD: Final = 0.1  # drives forward only; asked for anything else, it refuses

ORDER_ERROR: Final = "orderError"
ORDER_UPDATE_ERROR: Final = "orderUpdateError"
NO_ROUTE_ERROR: Final = "noRouteError"
VALIDATION_ERROR: Final = "validationError"

NOT_AVAILABLE: Final = "MOBILE_ROBOT_NOT_AVAILABLE"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the order is: ``nodes`` and ``edges`` are to be passed, ``edges[0]`` to ``nodes[0]``.

    ``said`` is the content of the newest accepted message, to tell a repetition from a change.
    ``cancelled``: no update of this order is taken any more.
    """

    order_id: str = ""
    order_update_id: int = 0
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    last_node_id: str = ""
    last_node_sequence_id: int = 0
    last_node_pose: Pose | None = None
    said_nodes: tuple[Node, ...] = ()
    said_edges: tuple[Edge, ...] = ()
    cancelled: bool = False

    @property
    def decision_point(self) -> tuple[str, int]:
        """The last node of the base: nodeId and sequenceId, where an update must join."""
        released = [node for node in self.nodes if node.released]
        if released:
            return released[-1].node_id, released[-1].sequence_id
        return self.last_node_id, self.last_node_sequence_id


@dataclass(frozen=True, slots=True)
class Terms:
    """What no message changes: whose rules hold, and how high the robot is, load and all.

    ``height_m`` None: unknown, and no edge may limit it.
    """

    version: VdaVersion = VdaVersion.V2_1
    height_m: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The order is accepted; ``fresh`` when it takes the place of another one."""

    progress: Progress
    actions: tuple[ActionEntry, ...]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """The robot has this very content already: the master's retry."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The order is not taken; ``error`` stands in the state until one is."""

    error: VehicleError


def consider(
    order: Order,
    progress: Progress,
    actions: tuple[ActionEntry, ...],
    *,
    pose: Pose | None,
    cancelling: bool,
    obeys: bool = True,
    maps: tuple[str, ...] = (),
    terms: Terms | None = None,
) -> Taken | Ignored | Refusal:
    """Judge an order by the rules of chapter 6.6.2, in their order.

    ``pose`` is None while the robot does not know where it is. ``cancelling``: still braking for
    a cancelOrder. ``obeys``: the master is in control. ``maps``: those that the vehicle
    holds; empty when it does not say. ``terms``: 3.0 begins an order with update 0, and keeps ended
    instant actions in the state.
    """
    terms = terms or Terms()
    fresh = order.order_id != progress.order_id
    if not fresh and order.order_update_id == progress.order_update_id:
        if (order.nodes, order.edges) == (progress.said_nodes, progress.said_edges):
            return Ignored()
        text = "another content under the same orderUpdateId"
        return _refuse(order, ORDER_UPDATE_ERROR, text, cause="SAME_ORDER_UPDATE_ID")
    if not obeys:
        text = "a person is in control of the robot"
        return _refuse(order, ORDER_ERROR, text, cause=NOT_AVAILABLE)
    problem = _content_refusal(order, terms.height_m) or _maps_refusal(order, maps)
    if problem is not None:
        return problem
    if fresh:
        if cancelling or is_busy(progress, actions):
            return _refuse(
                order,
                ORDER_UPDATE_ERROR,
                f"busy with order {progress.order_id}",
                cause="OTHER_ORDER_ACTIVE",
            )
        if terms.version is VdaVersion.V3_0 and order.order_update_id != 0:
            text = "a new order begins with orderUpdateId 0"
            return _refuse(order, ORDER_ERROR, text, cause="VALIDATION_FAILURE")
        return _start(order, actions, pose, terms.version)
    return _continue(order, progress, actions, cancelling=cancelling)


def is_busy(progress: Progress, actions: tuple[ActionEntry, ...]) -> bool:
    """Nodes are left, a horizon included, or an action of the order has not ended."""
    return bool(progress.nodes) or any(
        not row.ended for row in actions if row.source is not Source.INSTANT
    )


def _start(
    order: Order, actions: tuple[ActionEntry, ...], pose: Pose | None, version: VdaVersion
) -> Taken | Refusal:
    first = order.nodes[0]
    there = first.node_position
    if pose is None or there is None:
        text = "the robot does not know where it is"
        return _refuse(order, NO_ROUTE_ERROR, text, cause="START_NODE_OUT_OF_RANGE")
    reach_m = max(there.allowed_deviation_xy or 0.0, START_TOLERANCE_M)
    if there.map_id != pose.map_id or pose.distance_m(there.x, there.y) > reach_m:
        return _refuse(
            order,
            NO_ROUTE_ERROR,
            f"the first node is not within {reach_m:.2f} m of the robot",
            nodeId=first.node_id,
            cause="START_NODE_OUT_OF_RANGE",
        )
    # What runs since before stays. Ended actions of the past go, as the standard says; in 3.0
    # instant ones stay until clearInstantActions, or until their place is needed.
    entries = _entries(order.nodes, order.edges)
    kept = tuple(row for row in actions if row.source is Source.INSTANT and not row.ended)
    if version is VdaVersion.V3_0:
        free = max(0, ACTIONS_MAX - len(kept) - len(entries))
        used = {row.action.action_id for row in entries}
        ended = [row for row in actions if row.source is Source.INSTANT and row.ended]
        old = [row for row in ended if row.action.action_id not in used][-free:] if free else []
        kept = tuple(row for row in actions if row in kept or row in old)
    crowded = _crowded(order, len(order.nodes), kept, entries)
    if crowded is not None:
        return crowded
    progress = Progress(
        order_id=order.order_id,
        order_update_id=order.order_update_id,
        nodes=order.nodes,
        edges=order.edges,
        said_nodes=order.nodes,
        said_edges=order.edges,
    )
    return Taken(traversed(progress, pose), kept + entries, fresh=True)


def _continue(
    order: Order, progress: Progress, actions: tuple[ActionEntry, ...], *, cancelling: bool
) -> Taken | Refusal:
    if order.order_update_id < progress.order_update_id:
        return _refuse(
            order,
            ORDER_UPDATE_ERROR,
            f"older than update {progress.order_update_id} on the robot",
            cause="OUTDATED_ORDER_UPDATE",
        )
    if cancelling or progress.cancelled:
        text = "this order was cancelled"
        return _refuse(order, ORDER_UPDATE_ERROR, text, cause="ORDER_UPDATE_FOLLOWING_CANCEL")
    joint = order.nodes[0]
    if (joint.node_id, joint.sequence_id) != progress.decision_point:
        node_id, sequence_id = progress.decision_point
        return _refuse(
            order,
            ORDER_UPDATE_ERROR,
            f"must begin at {node_id:.40} with sequenceId {sequence_id}, the end of the base",
            nodeId=joint.node_id,
        )
    base_nodes = tuple(node for node in progress.nodes if node.released)
    base_edges = tuple(edge for edge in progress.edges if edge.released)
    end = joint.sequence_id
    kept = tuple(row for row in actions if row.source is Source.INSTANT or row.sequence_id <= end)
    entries = _entries(order.nodes[1:], order.edges)
    crowded = _crowded(order, len(base_nodes) + len(order.nodes) - 1, kept, entries)
    if crowded is not None:
        return crowded
    joined = replace(
        progress,
        order_update_id=order.order_update_id,
        nodes=base_nodes + order.nodes[1:],
        edges=base_edges + order.edges,
        said_nodes=order.nodes,
        said_edges=order.edges,
    )
    return Taken(joined, kept + entries, fresh=False)


def traversed(progress: Progress, pose: Pose | None) -> Progress:
    """The progress after the first node that was left has been passed."""
    node = progress.nodes[0]
    place = node.node_position
    return replace(
        progress,
        nodes=progress.nodes[1:],
        edges=tuple(row for row in progress.edges if row.sequence_id > node.sequence_id),
        last_node_id=node.node_id,
        last_node_sequence_id=node.sequence_id,
        last_node_pose=pose
        if place is None
        else Pose(place.x, place.y, place.theta or 0.0, place.map_id),
    )


def _entries(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> tuple[ActionEntry, ...]:
    on_nodes = [
        ActionEntry(action, Source.NODE, node.sequence_id)
        for node in nodes
        for action in node.actions
    ]
    on_edges = [
        ActionEntry(action, Source.EDGE, edge.sequence_id)
        for edge in edges
        for action in edge.actions
    ]
    return tuple(sorted(on_nodes + on_edges, key=lambda row: row.sequence_id))


def _crowded(
    order: Order, nodes: int, kept: tuple[ActionEntry, ...], entries: tuple[ActionEntry, ...]
) -> Refusal | None:
    if nodes > NODES_MAX or len(kept) + len(entries) > ACTIONS_MAX:
        limits = f"{NODES_MAX} nodes and {ACTIONS_MAX} actions"
        text = f"too long: the robot takes up to {limits}"
        return _refuse(order, ORDER_ERROR, text, cause="INSUFFICIENT_MEMORY")
    seen = {row.action.action_id for row in kept}
    for row in entries:
        if row.action.action_id in seen:
            return _refuse(
                order,
                ORDER_ERROR,
                "actionId is used twice",
                actionId=row.action.action_id,
                cause="INVALID_ORDER_ACTION",
            )
        seen.add(row.action.action_id)
    return None


def _content_refusal(order: Order, height_m: float | None) -> Refusal | None:
    if order.zone_set_id is not None:
        return _refuse(
            order,
            ORDER_ERROR,
            "zone sets are not known",
            zoneSetId=order.zone_set_id,
            cause="UNSUPPORTED_PARAMETER",
        )
    names = [("orderId", order.order_id)]
    names += [("nodeId", node.node_id) for node in order.nodes]
    names += [("edgeId", edge.edge_id) for edge in order.edges]
    for key, name in names:
        if not fits(name):
            text = f"{key} must be printable and at most {ID_MAX_BYTES} bytes"
            return _refuse(order, ORDER_ERROR, text, **{key: name}, cause="VALIDATION_FAILURE")
    return (
        _nodes_refusal(order.nodes, order)
        or _edges_refusal(order, height_m)
        or _actions_refusal(order)
    )


def fits(name: str) -> bool:
    """Whether the robot can carry this id in every state: printable, and short in UTF-8."""
    return name.isprintable() and len(name.encode(errors="replace")) <= ID_MAX_BYTES


def _nodes_refusal(nodes: tuple[Node, ...], order: Order) -> Refusal | None:
    for node in nodes:
        place = node.node_position
        if place is None:
            text = "nodePosition is missing; this robot drives by positions"
            return _refuse(
                order, ORDER_ERROR, text, nodeId=node.node_id, cause="UNSUPPORTED_PARAMETER"
            )
        if max(abs(place.x), abs(place.y)) > COORDINATE_MAX_M:
            text = "nodePosition is off any map"
            return _refuse(
                order, ORDER_ERROR, text, nodeId=node.node_id, cause="NO_ROUTE_TO_TARGET"
            )
    return None


def _edges_refusal(order: Order, height_m: float | None) -> Refusal | None:
    for start, edge, end in zip(order.nodes, order.edges, order.nodes[1:], strict=False):
        problem = _height_problem(edge, height_m)
        if problem is not None:
            return _refuse(
                order, ORDER_ERROR, problem, edgeId=edge.edge_id, cause="NO_ROUTE_TO_TARGET"
            )
        if edge.trajectory is not None:
            problem = "trajectory is not supported; leave it out"
        elif edge.max_speed == 0:
            problem = "maxSpeed 0 cannot be driven"
        elif not _drives_forward(start, edge, end):
            problem = "orientation: this robot drives forward only"
        elif edge.max_rotation_speed is not None:
            problem = "maxRotationSpeed is not supported; leave it out"
        elif edge.min_height is not None:
            problem = "minHeight is not supported; this robot lifts nothing"
        elif edge.direction is not None:
            problem = "direction is not supported; this robot follows no line"
        if problem is not None:
            return _refuse(
                order, ORDER_ERROR, problem, edgeId=edge.edge_id, cause="UNSUPPORTED_PARAMETER"
            )
    return None


def _height_problem(edge: Edge, height_m: float | None) -> str | None:
    """Whether the robot fits below what hangs over the edge."""
    if edge.max_height is None:
        return None
    if height_m is None:
        return "maxHeight: the robot's own height is not known"
    if height_m > edge.max_height:
        return f"maxHeight is {edge.max_height:g} m and the robot is {height_m:g} m high"
    return None


def _drives_forward(start: Node, edge: Edge, end: Node) -> bool:
    here, there = start.node_position, end.node_position
    if edge.orientation is None or here is None or there is None:
        return True
    angle = edge.orientation
    if edge.orientation_type is OrientationType.GLOBAL:
        if hypot(there.x - here.x, there.y - here.y) == 0:
            return True
        angle -= atan2(there.y - here.y, there.x - here.x)
    return abs(atan2(sin(angle), cos(angle))) <= ORIENTATION_TOLERANCE_RAD


def _actions_refusal(order: Order) -> Refusal | None:
    for row in _entries(order.nodes, order.edges):
        problem = action_problem(row.action, row.source)
        if not fits(row.action.action_id):
            problem = f"actionId must be printable and at most {ID_MAX_BYTES} bytes"
        if problem is not None:
            return _refuse(
                order,
                ORDER_ERROR,
                problem,
                actionId=row.action.action_id,
                actionType=row.action.action_type,
                cause="INVALID_ORDER_ACTION",
            )
    return None


def _maps_refusal(order: Order, maps: tuple[str, ...]) -> Refusal | None:
    """In a lift the robot takes a pose on the map that a node names: it must be one that it has."""
    for node in order.nodes:
        place = node.node_position
        if place is not None and maps and place.map_id not in maps:
            text = f"map {place.map_id:.40} is not on the robot; it has {', '.join(maps):.100}"
            return _refuse(order, NO_ROUTE_ERROR, text, nodeId=node.node_id, cause="UNKNOWN_MAP_ID")
    return None


def without_unavailable(errors: tuple[VehicleError, ...]) -> tuple[VehicleError, ...]:
    """What stays when the robot takes orders again: that it took none is over."""
    return tuple(row for row in errors if row.reference(CAUSE) != NOT_AVAILABLE)


def _refuse(order: Order, error_type: str, description: str, **about: str) -> Refusal:
    """``about``: what the error refers to; ``cause`` is 3.0's name of it, said in 2.x as well."""
    return Refusal(
        warning(
            error_type,
            description,
            **{
                "orderId": order.order_id,
                "orderUpdateId": str(order.order_update_id),
                "headerId": str(order.header_id),
                **about,
            },
        )
    )


def warning(error_type: str, description: str, **about: str) -> VehicleError:
    """A warning with references, its texts cut to what a state has room for."""
    return VehicleError(
        error_type=error_type,
        error_level=ErrorLevel.WARNING,
        error_description=description[:200],
        error_references=tuple(
            Reference(reference_key=key, reference_value=value[:ID_MAX_BYTES])
            for key, value in about.items()
        ),
    )
