"""Writes what a simulated robot says as VDA 5050 messages, and reads what it is told."""

from dataclasses import dataclass

from contracts.vda5050.order import InstantActions, Order
from contracts.vda5050.profile import (
    LOCK_COMPARTMENT,
    OPEN_COMPARTMENT,
    BadAction,
    compartment_information,
    compartment_loads,
    read_lock_compartment,
    read_open_compartment,
)
from contracts.vda5050.state import (
    ActionState,
    AgvPosition,
    BatteryState,
    EdgeState,
    ErrorLevel,
    EStop,
    NodeState,
    OperatingMode,
    Reference,
    SafetyState,
    State,
    VehicleError,
    Velocity,
)
from controller.core.fleet import RobotReport
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from controller.core.plan import SitePlan
from controller.core.robot_errors import RobotProblem
from robot_bridge.core.report import Stamp


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """An action of a kind that these robots do not have."""

    action_id: str


def order_of(robot_id: str, order: Order) -> PublishOrder:
    """An order as the simulated robot takes it."""
    nodes = tuple(
        OrderNode(
            row.node_id,
            row.sequence_id,
            row.released,
            row.node_position.allowed_deviation_xy if row.node_position else None,
        )
        for row in order.nodes
    )
    return PublishOrder(robot_id, order.order_id, order.order_update_id, nodes)


def actions_of(
    robot_id: str, message: InstantActions
) -> tuple[tuple[PublishAction, ...], tuple[NotUnderstood, ...]]:
    """The instant actions that the robot knows, and the others."""
    known: list[PublishAction] = []
    unknown: list[NotUnderstood] = []
    for row in message.actions:
        try:
            kind = ActionKind(row.action_type)
        except ValueError:
            unknown.append(NotUnderstood(row.action_id))
            continue
        opens = read_open_compartment(row) if kind == OPEN_COMPARTMENT else None
        locks = read_lock_compartment(row) if kind == LOCK_COMPARTMENT else None
        if isinstance(opens, BadAction) or isinstance(locks, BadAction):
            unknown.append(NotUnderstood(row.action_id))
            continue
        known.append(PublishAction(robot_id, row.action_id, kind, opens=opens, locks=locks))
    return tuple(known), tuple(unknown)


def state_of(
    report: RobotReport, plan: SitePlan, kinds: dict[str, str], speed_mps: float, stamp: Stamp
) -> State:
    """The state message. ``kinds``: action id -> its type, as it was sent."""
    return State(
        header_id=stamp.header_id,
        timestamp=stamp.timestamp,
        version=stamp.version,
        manufacturer=stamp.manufacturer,
        serial_number=stamp.serial_number,
        order_id=report.order_id,
        order_update_id=report.order_update_id,
        last_node_id=report.last_node,
        last_node_sequence_id=report.last_sequence_id,
        driving=report.driving,
        paused=report.paused,
        operating_mode=OperatingMode.AUTOMATIC if report.automatic else OperatingMode.MANUAL,
        node_states=tuple(
            NodeState(node_id=row.node_id, sequence_id=row.sequence_id, released=row.released)
            for row in report.unpassed
        ),
        edge_states=_edges(report, plan),
        agv_position=_position(report),
        velocity=Velocity(vx=round(speed_mps, 3), vy=0.0, omega=0.0),
        loads=compartment_loads(report.compartments),
        action_states=tuple(
            ActionState(
                action_id=row.action_id,
                action_type=kinds.get(row.action_id, "unknown"),
                action_status=row.status,
                result_description=row.result or None,
            )
            for row in report.actions
        ),
        battery_state=BatteryState(
            battery_charge=report.battery_percent, charging=bool(report.charging)
        ),
        errors=tuple(_error(row) for row in report.problems),
        information=tuple(compartment_information(row) for row in report.compartments),
        safety_state=SafetyState(
            e_stop=EStop.MANUAL if report.e_stop else EStop.NONE, field_violation=False
        ),
    )


def _position(report: RobotReport) -> AgvPosition | None:
    if report.pose is None:
        return None
    return AgvPosition(
        x=round(report.pose.x_m, 4),
        y=round(report.pose.y_m, 4),
        theta=max(-3.14159, min(3.14159, report.pose.theta_rad)),
        map_id=report.pose.map_id,
        position_initialized=True,
    )


def _edges(report: RobotReport, plan: SitePlan) -> tuple[EdgeState, ...]:
    rows: list[EdgeState] = []
    before = report.last_node
    for node in report.unpassed:
        edge = plan.ways.get(before, {}).get(node.node_id)
        if edge is not None and node.sequence_id > 0:
            rows.append(
                EdgeState(edge_id=edge.id, sequence_id=node.sequence_id - 1, released=node.released)
            )
        before = node.node_id
    return tuple(rows)


def _error(row: RobotProblem) -> VehicleError:
    about = {"orderId": row.order_id, "orderUpdateId": row.order_update_id}
    return VehicleError(
        error_type=row.type,
        error_level=ErrorLevel(row.level.value),
        error_description=row.text or None,
        error_references=tuple(
            Reference(reference_key=key, reference_value=str(value))
            for key, value in about.items()
            if value is not None
        ),
    )
