"""Decides how the standard's messages and the cores' values become each other; no I/O."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from contracts.api import Pose
from contracts.devices import RobotConfig
from contracts.units import UtcMs
from contracts.vda5050.base import NodePosition
from contracts.vda5050.order import Action, BlockingType, Edge, InstantActions, Node, Order
from contracts.vda5050.profile import (
    OpenCompartment,
    compartments_in,
    lock_compartment_action,
    open_compartment_action,
)
from contracts.vda5050.state import (
    AgvPosition,
    EStop,
    OperatingMode,
    State,
    VehicleError,
    Velocity,
)
from contracts.vda5050.timestamps import timestamp_of, utc_ms_of
from contracts.vda5050.versions import CAUSE
from controller.core.fleet import ActionReport, RobotReport, Unpassed
from controller.core.interlock import SLOW_M_S
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from controller.core.plan import AT_NODE_M, SitePlan
from controller.core.robot_errors import ProblemLevel, RobotProblem
from runtime.tokens import sign_message


@dataclass(frozen=True, slots=True)
class Signer:
    """The run's key, and the topic that a signature binds an unlock to."""

    key: bytes
    topic: str


def report_of(state: State) -> RobotReport:
    """What a state says, as the cores read it."""
    return RobotReport(
        order_id=state.order_id,
        order_update_id=state.order_update_id,
        last_node=state.last_node_id,
        last_sequence_id=state.last_node_sequence_id,
        driving=state.driving,
        paused=bool(state.paused),
        automatic=state.operating_mode in (OperatingMode.AUTOMATIC, OperatingMode.SEMIAUTOMATIC),
        battery_percent=state.battery_state.battery_charge,
        pose=pose_of(state.agv_position),
        unpassed=tuple(
            Unpassed(node.node_id, node.sequence_id, node.released) for node in state.node_states
        ),
        compartments=compartments_in(state.information),
        actions=tuple(
            ActionReport(row.action_id, row.action_status, row.result_description or "")
            for row in state.action_states
        ),
        problems=tuple(_problem(error) for error in state.errors),
        charging=state.battery_state.charging,
        stamp_utc_ms=utc_ms_of(state.timestamp),
        speed_m_s=_speed(state.velocity),
        e_stop=state.safety_state.e_stop is not EStop.NONE,
    )


def _speed(velocity: Velocity | None) -> float | None:
    if velocity is None or velocity.vx is None:
        return None
    return math.hypot(velocity.vx, velocity.vy or 0.0)


STARTS_WITHIN_M: Final = AT_NODE_M + 0.1  # what we take for "at a node", and some noise
DIGITS_MAX: Final = 10  # orderUpdateId is an unsigned 32-bit number


def pose_of(position: AgvPosition | None) -> Pose | None:
    """Where a robot is; None when it does not know."""
    if position is None or not position.position_initialized:
        return None
    return Pose(x_m=position.x, y_m=position.y, theta_rad=position.theta, map_id=position.map_id)


def _problem(error: VehicleError) -> RobotProblem:
    return RobotProblem(
        type=error.error_type[:80],
        level=ProblemLevel(error.error_level.value),
        text=(error.error_description or "")[:200],
        order_id=error.reference("orderId"),
        order_update_id=_number(error.reference("orderUpdateId")),
        action_id=error.reference("actionId"),
        cause=(error.reference(CAUSE) or "")[:80],
    )


def _number(text: str | None) -> int | None:
    digits = text is not None and text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if text is not None and digits else None


def order_message(
    wanted: PublishOrder, plan: SitePlan, robot: RobotConfig, header_id: int, utc_ms: UtcMs
) -> Order:
    """An order or its update: nodes as given, the edges between them from the map.

    The same content each time it is sent again, for a robot ignores only that.
    """
    fields = frozenset(
        name for name in robot.sends if wanted.fields is None or name in wanted.fields
    )
    nodes = tuple(
        Node(
            node_id=stop.node_id,
            sequence_id=stop.sequence_id,
            released=stop.released,
            node_position=_position(plan, robot, stop, fields),
            actions=(),
        )
        for stop in wanted.nodes
    )
    edges = tuple(_edge(plan, robot, start, end, fields) for start, end in pairwise(wanted.nodes))
    return Order(
        header_id=header_id,
        timestamp=timestamp_of(utc_ms),
        version=robot.vda5050_version,
        manufacturer=robot.manufacturer,
        serial_number=robot.serial_number,
        order_id=wanted.order_id,
        order_update_id=wanted.order_update_id,
        nodes=nodes,
        edges=edges,
    )


def _edge(
    plan: SitePlan, robot: RobotConfig, start: OrderNode, end: OrderNode, fields: frozenset[str]
) -> Edge:
    edge = plan.ways[start.node_id][end.node_id]
    speeds = [robot.speed_max_m_s]
    if edge.speed_max_m_s is not None:
        speeds.append(edge.speed_max_m_s)
    if end.slow:
        speeds.append(SLOW_M_S)
    return Edge(
        edge_id=edge.id,
        sequence_id=start.sequence_id + 1,
        released=end.released,
        start_node_id=start.node_id,
        end_node_id=end.node_id,
        max_speed=min(speeds) if "maxSpeed" in fields else None,
        length=edge.length_m if "length" in fields else None,
        actions=(),
    )


def _position(
    plan: SitePlan, robot: RobotConfig, stop: OrderNode, fields: frozenset[str]
) -> NodePosition | None:
    # A robot that starts between two nodes must be told so, whatever it says it reads.
    if "nodePosition" not in fields and stop.deviation_m is None:
        return None
    node = plan.map.nodes[stop.node_id]
    deviates = "allowedDeviation" in fields
    deviation_m = stop.deviation_m or (robot.node_deviation_m if deviates else None)
    if stop.sequence_id == 0:
        # Where it stands counts as this node with us; a robot that was stopped stands beside it.
        deviation_m = max(deviation_m or 0.0, STARTS_WITHIN_M)
    return NodePosition(
        x=node.x_m,
        y=node.y_m,
        map_id=node.map_id,
        allowed_deviation_xy=deviation_m,
        allowed_deviation_theta=robot.node_deviation_rad if deviates else None,
    )


def actions_message(
    wanted: PublishAction,
    robot: RobotConfig,
    header_id: int,
    utc_ms: UtcMs,
    signer: Signer | None,
) -> InstantActions:
    """One instant action; an unlock is signed where the bus has no access control."""
    return InstantActions(
        header_id=header_id,
        timestamp=timestamp_of(utc_ms),
        version=robot.vda5050_version,
        manufacturer=robot.manufacturer,
        serial_number=robot.serial_number,
        actions=(_action(wanted, signer),),
    )


def _action(wanted: PublishAction, signer: Signer | None) -> Action:
    if wanted.opens is not None:
        return open_compartment_action(_signed(wanted.opens, signer), action_id=wanted.action_id)
    if wanted.locks is not None:
        return lock_compartment_action(wanted.locks, action_id=wanted.action_id)
    free = wanted.action in (ActionKind.CANCEL, ActionKind.FACTSHEET)
    hard = BlockingType.NONE if free else BlockingType.HARD
    return Action(action_type=wanted.action.value, action_id=wanted.action_id, blocking_type=hard)


def _signed(opens: OpenCompartment, signer: Signer | None) -> OpenCompartment:
    if signer is None:
        return opens
    signature = sign_message(signer.key, opens.signed_bytes(signer.topic))
    return OpenCompartment(
        compartment=opens.compartment,
        delivery_id=opens.delivery_id,
        node_id=opens.node_id,
        valid_until_utc_ms=opens.valid_until_utc_ms,
        command_id=opens.command_id,
        signature=signature,
    )
