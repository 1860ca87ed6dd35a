"""Holds what a robot says of itself: state, visualization and connection."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from contracts.vda5050.base import (
    LIST_MAX_ITEMS,
    Bool,
    Header,
    Id,
    IdOrEmpty,
    NodePosition,
    NonNegative,
    Number,
    Text,
    Theta,
    Trajectory,
    Uint32,
    Vda,
    Version,
    not_disguised,
)
from contracts.vda5050.timestamps import Timestamp

Percent = Annotated[float, BeforeValidator(not_disguised), Field(allow_inf_nan=False, ge=0, le=100)]
Share = Annotated[float, BeforeValidator(not_disguised), Field(allow_inf_nan=False, ge=0, le=1)]


class OperatingMode(StrEnum):
    """Who drives: the master (AUTOMATIC, SEMIAUTOMATIC) or a person at the robot.

    INTERVENED (a person steers, the order is kept) and STARTUP are of 3.0 only.
    """

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"
    SERVICE = "SERVICE"
    TEACHIN = "TEACHIN"
    INTERVENED = "INTERVENED"
    STARTUP = "STARTUP"


class ActionStatus(StrEnum):
    """How far an action is.

    PAUSED stands in the text of 2.1.0 but not in its schema: read from peers, never sent by us.
    """

    WAITING = "WAITING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Nothing comes after this."""
        return self in (ActionStatus.FINISHED, ActionStatus.FAILED)


class ErrorLevel(StrEnum):
    """WARNING: the robot goes on or can. FATAL: a person must look after it.

    3.0 has two more. URGENT: the robot goes on, but look at once (low battery). CRITICAL: it cannot
    go on with this order, but takes another one.
    """

    WARNING = "WARNING"
    URGENT = "URGENT"
    CRITICAL = "CRITICAL"
    FATAL = "FATAL"


class InfoLevel(StrEnum):
    """INFO is for showing, DEBUG for finding faults."""

    INFO = "INFO"
    DEBUG = "DEBUG"


class EStop(StrEnum):
    """How an emergency stop is released; NONE when there is none."""

    AUTOACK = "AUTOACK"
    MANUAL = "MANUAL"
    REMOTE = "REMOTE"
    NONE = "NONE"


class MapStatus(StrEnum):
    """Whether a stored map is the one in use."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class ConnectionState(StrEnum):
    """ONLINE after connecting, OFFLINE before a clean stop, CONNECTIONBROKEN as the last will."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    CONNECTION_BROKEN = "CONNECTIONBROKEN"


class VehicleMap(Vda):
    """A map that the robot holds."""

    map_id: Id
    map_version: IdOrEmpty
    map_description: Text | None = None
    map_status: MapStatus


class NodeState(Vda):
    """A node that is still to be passed."""

    node_id: Id
    sequence_id: Uint32
    node_description: Text | None = None
    released: Bool
    node_position: NodePosition | None = None


class EdgeState(Vda):
    """An edge that is still to be passed."""

    edge_id: Id
    sequence_id: Uint32
    edge_description: Text | None = None
    released: Bool
    trajectory: Trajectory | None = None


class AgvPosition(Vda):
    """Where the robot is: metres and radians in the coordinates of ``map_id``."""

    x: Number
    y: Number
    theta: Theta
    map_id: IdOrEmpty
    map_description: Text | None = None
    position_initialized: Bool
    localization_score: Share | None = None
    deviation_range: NonNegative | None = None


class Velocity(Vda):
    """Speed in the robot's own axes: m/s forward and to the left, rad/s anticlockwise."""

    vx: Number | None = None
    vy: Number | None = None
    omega: Number | None = None


class BoundingBoxReference(Vda):
    """Where a load's box is, in the robot's coordinates, metres and radians."""

    x: Number
    y: Number
    z: Number
    theta: Theta | None = None


class LoadDimensions(Vda):
    """How large a load is, metres."""

    length: NonNegative
    width: NonNegative
    height: NonNegative | None = None


class Load(Vda):
    """Something the robot carries; weight in kg."""

    load_id: IdOrEmpty | None = None
    load_type: Text | None = None
    load_position: IdOrEmpty | None = None
    bounding_box_reference: BoundingBoxReference | None = None
    load_dimensions: LoadDimensions | None = None
    weight: NonNegative | None = None


class ActionState(Vda):
    """How far one action is, and what came of it."""

    action_id: Id
    action_type: Id | None = None
    action_description: Text | None = None
    action_status: ActionStatus
    result_description: Text | None = None


class BatteryState(Vda):
    """Charge and health in percent, voltage in V, reach in metres."""

    battery_charge: Percent
    battery_voltage: Number | None = None
    battery_health: Percent | None = None
    charging: Bool
    reach: NonNegative | None = None


class Reference(Vda):
    """What an error or an information speaks of: ``orderId``, ``nodeId``, ``actionId`` ..."""

    reference_key: Id
    reference_value: Text


class VehicleError(Vda):
    """Something that is wrong with the robot or with what it was told."""

    error_type: Id
    error_references: tuple[Reference, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    error_description: Text | None = None
    error_hint: Text | None = None
    error_level: ErrorLevel

    def reference(self, key: str) -> str | None:
        """The first referenced value of this key."""
        for row in self.error_references or ():
            if row.reference_key == key:
                return row.reference_value
        return None


class Information(Vda):
    """Something worth showing; not to be decided upon by other makers' masters."""

    info_type: Id
    info_references: tuple[Reference, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    info_description: Text | None = None
    info_level: InfoLevel


class SafetyState(Vda):
    """Emergency stop and protective field."""

    e_stop: EStop
    field_violation: Bool


class State(Header):
    """All that a robot says of itself, on each event and at least every 30 s."""

    maps: tuple[VehicleMap, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    order_id: IdOrEmpty
    order_update_id: Uint32
    zone_set_id: Id | None = None
    last_node_id: IdOrEmpty
    last_node_sequence_id: Uint32
    driving: Bool
    paused: Bool | None = None
    new_base_request: Bool | None = None
    distance_since_last_node: NonNegative | None = None
    operating_mode: OperatingMode
    node_states: tuple[NodeState, ...] = Field(max_length=LIST_MAX_ITEMS)
    edge_states: tuple[EdgeState, ...] = Field(max_length=LIST_MAX_ITEMS)
    agv_position: AgvPosition | None = None
    velocity: Velocity | None = None
    loads: tuple[Load, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    action_states: tuple[ActionState, ...] = Field(max_length=LIST_MAX_ITEMS)
    battery_state: BatteryState
    errors: tuple[VehicleError, ...] = Field(max_length=LIST_MAX_ITEMS)
    information: tuple[Information, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    safety_state: SafetyState
    instant_action_ids: tuple[Id, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    """Which of ``action_states`` are instant actions, where that is known: only 3.0 tells."""

    def action(self, action_id: str) -> ActionState | None:
        """The state of one action; None when the robot does not list it."""
        return next((row for row in self.action_states if row.action_id == action_id), None)


class Visualization(Vda):
    """Position and speed at a higher rate than the state, for showing; its header is optional."""

    header_id: Uint32 | None = None
    timestamp: Timestamp | None = None
    version: Version | None = None
    manufacturer: Id | None = None
    serial_number: Id | None = None
    agv_position: AgvPosition | None = None
    velocity: Velocity | None = None
    reference_state_header_id: Uint32 | None = None
    """The newest state when this was sent; only 3.0 tells."""


class Connection(Header):
    """Whether the robot is on the bus; retained, and the robot's last will."""

    connection_state: ConnectionState
