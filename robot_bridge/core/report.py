"""Decides what the state, the visualization and the factsheet say."""

from dataclasses import dataclass
from math import pi
from typing import Final

from contracts.vda5050.base import NodePosition
from contracts.vda5050.factsheet import (
    AgvClass,
    AgvGeometry,
    AgvKinematic,
    Factsheet,
    LoadSet,
    LoadSpecification,
    LocalizationType,
    MaxArrayLens,
    MaxStringLens,
    NavigationType,
    OptionalParameter,
    PhysicalParameters,
    ProtocolFeatures,
    ProtocolLimits,
    Support,
    Timing,
    TypeSpecification,
)
from contracts.vda5050.profile import compartment_information, compartment_loads
from contracts.vda5050.state import (
    ActionState,
    AgvPosition,
    BatteryState,
    EdgeState,
    ErrorLevel,
    MapStatus,
    NodeState,
    Reference,
    SafetyState,
    State,
    VehicleError,
    VehicleMap,
    Velocity,
    Visualization,
)
from contracts.vda5050.versions import VdaVersion
from robot_bridge.core import orders
from robot_bridge.core.actions import DECLARED, ActionEntry, Source
from robot_bridge.core.mission import ERRORS_MAX
from robot_bridge.core.vehicle import Pose, Reading
from robot_bridge.core.work import Mission

PAYLOAD_MAX_BYTES: Final = 65_536  # as our codec's limit; stated in the factsheet

BASE_LOW_M: Final = 3.0
# With a horizon behind it, a base shorter than this makes the robot brake soon: ask for more.


OPTIONAL: Final = (
    ("order.nodes.nodePosition", Support.REQUIRED),
    ("order.nodes.nodePosition.theta", Support.SUPPORTED),
    ("order.nodes.nodePosition.allowedDeviationXY", Support.SUPPORTED),
    ("order.edges.maxSpeed", Support.SUPPORTED),
    ("order.edges.maxHeight", Support.SUPPORTED),
    ("order.nodes.actions.actionParameters", Support.SUPPORTED),
    ("order.edges.actions.actionParameters", Support.SUPPORTED),
    ("instantActions.actions.actionParameters", Support.SUPPORTED),
)
"""What of the optional is used. What is not listed a master must not count on."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The header of one message. ``version`` decides how the codec writes it."""

    header_id: int
    timestamp: str
    manufacturer: str
    serial_number: str
    version: str = VdaVersion.V2_1


@dataclass(frozen=True, slots=True)
class Body:
    """What a robot is like, for its factsheet. m, m/s, m/s2, kg."""

    series_name: str
    speed_max_mps: float
    acceleration_mps2: float
    deceleration_mps2: float
    length_m: float
    width_m: float
    height_m: float
    load_max_kg: float
    compartments: int
    state_interval_ms: int
    visualization_interval_ms: int


def state(mission: Mission, reading: Reading, stamp: Stamp) -> State:
    """The state message."""
    progress = mission.progress
    return State(
        header_id=stamp.header_id,
        timestamp=stamp.timestamp,
        version=stamp.version,
        manufacturer=stamp.manufacturer,
        serial_number=stamp.serial_number,
        maps=tuple(
            VehicleMap(map_id=name, map_version="", map_status=MapStatus.ENABLED)
            for name in reading.maps
        )
        or None,
        order_id=progress.order_id,
        order_update_id=progress.order_update_id,
        last_node_id=progress.last_node_id,
        last_node_sequence_id=progress.last_node_sequence_id,
        driving=reading.driving,
        paused=mission.paused,
        new_base_request=wants_base(mission, reading),
        operating_mode=reading.mode,
        node_states=tuple(
            NodeState(node_id=row.node_id, sequence_id=row.sequence_id, released=row.released)
            for row in progress.nodes
        ),
        edge_states=tuple(
            EdgeState(edge_id=row.edge_id, sequence_id=row.sequence_id, released=row.released)
            for row in progress.edges
        ),
        agv_position=_position(reading),
        velocity=_velocity(reading),
        loads=compartment_loads(reading.compartments),
        action_states=tuple(_action(row) for row in mission.actions),
        battery_state=BatteryState(
            battery_charge=round(reading.battery_percent, 1), charging=reading.charging
        ),
        errors=mission.errors + _faults(mission, reading),
        information=tuple(compartment_information(row) for row in reading.compartments),
        safety_state=SafetyState(e_stop=reading.e_stop, field_violation=reading.field_violation),
        instant_action_ids=tuple(
            row.action.action_id for row in mission.actions if row.source is Source.INSTANT
        ),
    )


def visualization(reading: Reading, stamp: Stamp, newest_state: int) -> Visualization:
    """Position and speed alone; ``newest_state`` is the header id of the state before it."""
    return Visualization(
        header_id=stamp.header_id,
        timestamp=stamp.timestamp,
        version=stamp.version,
        manufacturer=stamp.manufacturer,
        serial_number=stamp.serial_number,
        agv_position=_position(reading),
        velocity=_velocity(reading),
        reference_state_header_id=newest_state,
    )


def state_events(reading: Reading) -> tuple[object, ...]:
    """What of a reading makes a state due at once when it changes."""
    return (
        reading.driving,
        reading.mode,
        reading.charging,
        reading.compartments,
        reading.localised,
        reading.e_stop,
        reading.field_violation,
        tuple(row.name for row in reading.faults),
        reading.pose.map_id,
    )


def _position(reading: Reading) -> AgvPosition:
    pose = reading.pose
    return AgvPosition(
        x=round(pose.x_m, 4),
        y=round(pose.y_m, 4),
        theta=max(-pi, min(pi, pose.theta_rad)),
        map_id=pose.map_id,
        position_initialized=reading.localised,
        localization_score=1.0 if reading.localised else 0.0,
    )


def _velocity(reading: Reading) -> Velocity:
    return Velocity(vx=round(reading.speed_mps, 3), vy=0.0, omega=round(reading.turn_radps, 3))


def _action(entry: ActionEntry) -> ActionState:
    return ActionState(
        action_id=entry.action.action_id,
        action_type=entry.action.action_type[: orders.ID_MAX_BYTES],
        action_status=entry.status,
        result_description=entry.result or None,
    )


def _faults(mission: Mission, reading: Reading) -> tuple[VehicleError, ...]:
    found = [
        VehicleError(
            error_type=row.name,
            error_level=ErrorLevel.FATAL if row.fatal else ErrorLevel.WARNING,
            error_description=row.description[:200],
        )
        for row in reading.faults
    ]
    if not reading.localised:
        found.append(
            VehicleError(
                error_type="localizationLost",
                error_level=ErrorLevel.FATAL,
                error_description="The robot does not know where it is; send initPosition.",
            )
        )
    if mission.progress.nodes:
        found += [
            VehicleError(
                error_type="compartmentNotShut",
                error_level=ErrorLevel.WARNING,
                error_description="The robot stands until this compartment is closed and locked.",
                error_references=(
                    Reference(reference_key="compartment", reference_value=str(row.compartment)),
                ),
            )
            for row in reading.compartments
            if not row.shut
        ]
    return tuple(found)


def wants_base(mission: Mission, reading: Reading) -> bool:
    """The base is nearly used up, and a horizon says that more may come."""
    nodes = mission.progress.nodes
    if not nodes or nodes[-1].released:
        return False
    left_m, here = 0.0, reading.pose
    for node in nodes:
        place: NodePosition | None = node.node_position
        if not node.released or place is None:
            break
        left_m += here.distance_m(place.x, place.y)
        here = Pose(place.x, place.y, 0.0, place.map_id)
    return left_m < BASE_LOW_M


def factsheet(body: Body, stamp: Stamp) -> Factsheet:
    """The factsheet, with our compartment actions declared."""
    positions = tuple(str(number + 1) for number in range(body.compartments))
    return Factsheet(
        header_id=stamp.header_id,
        timestamp=stamp.timestamp,
        version=stamp.version,
        manufacturer=stamp.manufacturer,
        serial_number=stamp.serial_number,
        type_specification=TypeSpecification(
            series_name=body.series_name,
            agv_kinematic=AgvKinematic.DIFF,
            agv_class=AgvClass.CARRIER,
            max_load_mass=body.load_max_kg,
            localization_types=(LocalizationType.NATURAL,),
            navigation_types=(NavigationType.VIRTUAL_LINE_GUIDED,),
        ),
        physical_parameters=PhysicalParameters(
            speed_min=0.0,
            speed_max=body.speed_max_mps,
            acceleration_max=body.acceleration_mps2,
            deceleration_max=body.deceleration_mps2,
            height_max=body.height_m,
            width=body.width_m,
            length=body.length_m,
        ),
        protocol_limits=ProtocolLimits(
            max_string_lens=MaxStringLens(msg_len=PAYLOAD_MAX_BYTES, id_len=orders.ID_MAX_BYTES),
            max_array_lens=MaxArrayLens(
                order_nodes=orders.NODES_MAX,
                order_edges=orders.NODES_MAX - 1,
                instant_actions=orders.ACTIONS_MAX,
                state_action_states=orders.ACTIONS_MAX,
                state_node_states=orders.NODES_MAX,
                state_edge_states=orders.NODES_MAX,
                state_errors=ERRORS_MAX + body.compartments + 5,
            ),
            timing=Timing(
                min_order_interval=0.0,
                min_state_interval=0.05,
                default_state_interval=body.state_interval_ms / 1000,
                visualization_interval=body.visualization_interval_ms / 1000,
            ),
        ),
        protocol_features=ProtocolFeatures(
            optional_parameters=tuple(
                OptionalParameter(parameter=name, support=support) for name, support in OPTIONAL
            ),
            agv_actions=DECLARED,
        ),
        agv_geometry=AgvGeometry(),
        load_specification=LoadSpecification(
            load_positions=positions,
            load_sets=(LoadSet(set_name="box", load_type="box", load_positions=positions),),
        ),
    )
