"""Holds what a robot is and can do: its dimensions, limits, and the actions it knows."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, JsonValue

from contracts.vda5050.base import (
    LIST_MAX_ITEMS,
    Bool,
    Id,
    IdOrEmpty,
    NonNegative,
    Number,
    Text,
    Uint32,
    Vda,
    Version,
)
from contracts.vda5050.order import BlockingType
from contracts.vda5050.state import BoundingBoxReference, LoadDimensions
from contracts.vda5050.timestamps import Timestamp


class AgvKinematic(StrEnum):
    """How a robot steers."""

    DIFF = "DIFF"
    OMNI = "OMNI"
    THREEWHEEL = "THREEWHEEL"


class AgvClass(StrEnum):
    """What a robot is for; ours carry."""

    FORKLIFT = "FORKLIFT"
    CONVEYOR = "CONVEYOR"
    TUGGER = "TUGGER"
    CARRIER = "CARRIER"


class LocalizationType(StrEnum):
    """How a robot knows where it is."""

    NATURAL = "NATURAL"
    REFLECTOR = "REFLECTOR"
    RFID = "RFID"
    DMC = "DMC"
    SPOT = "SPOT"
    GRID = "GRID"


MISSPELT_2_0: Final = "PHYSICAL_LINDE_GUIDED"
"""How the schema of 2.0.0 spells it; read everywhere, written to 2.0 only."""


class NavigationType(StrEnum):
    """How a robot finds its way."""

    PHYSICAL_LINE_GUIDED = "PHYSICAL_LINE_GUIDED"
    VIRTUAL_LINE_GUIDED = "VIRTUAL_LINE_GUIDED"
    AUTONOMOUS = "AUTONOMOUS"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls(cls.PHYSICAL_LINE_GUIDED) if value == MISSPELT_2_0 else None


_KNOWN_FIRST: Final = Field(union_mode="left_to_right")
# A word that we know is read as such; any other stays a text.


class Support(StrEnum):
    """Whether an optional field may or must be sent to the robot."""

    SUPPORTED = "SUPPORTED"
    REQUIRED = "REQUIRED"


class ActionScope(StrEnum):
    """Where an action may stand."""

    INSTANT = "INSTANT"
    NODE = "NODE"
    EDGE = "EDGE"


class ValueDataType(StrEnum):
    """The type of an action parameter's value."""

    BOOL = "BOOL"
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    FLOAT = "FLOAT"
    STRING = "STRING"
    OBJECT = "OBJECT"
    ARRAY = "ARRAY"


class WheelType(StrEnum):
    """The kind of a wheel."""

    DRIVE = "DRIVE"
    CASTER = "CASTER"
    FIXED = "FIXED"
    MECANUM = "MECANUM"


class TypeSpecification(Vda):
    """Make and class; load in kg. Since 3.0 makers may add words of their own: kept as they are."""

    series_name: Id
    series_description: Text | None = None
    agv_kinematic: Annotated[AgvKinematic | Id, _KNOWN_FIRST]
    agv_class: Annotated[AgvClass | Id, _KNOWN_FIRST]
    max_load_mass: NonNegative
    localization_types: tuple[Annotated[LocalizationType | Id, _KNOWN_FIRST], ...] = Field(
        max_length=LIST_MAX_ITEMS
    )
    navigation_types: tuple[Annotated[NavigationType | Id, _KNOWN_FIRST], ...] = Field(
        max_length=LIST_MAX_ITEMS
    )


class PhysicalParameters(Vda):
    """Speeds in m/s, accelerations in m/s2, lengths in metres."""

    speed_min: NonNegative
    speed_max: NonNegative
    acceleration_max: NonNegative
    deceleration_max: Number
    height_min: NonNegative | None = None
    height_max: NonNegative
    width: NonNegative
    length: NonNegative


class MaxStringLens(Vda):
    """How long texts may be; absent: no limit."""

    msg_len: Uint32 | None = None
    topic_serial_len: Uint32 | None = None
    topic_elem_len: Uint32 | None = None
    id_len: Uint32 | None = None
    id_numerical_only: Bool | None = None
    enum_len: Uint32 | None = None
    load_id_len: Uint32 | None = None


class MaxArrayLens(Vda):
    """How long lists may be; absent or 0: no limit stated."""

    order_nodes: Uint32 | None = None
    order_edges: Uint32 | None = None
    node_actions: Uint32 | None = None
    edge_actions: Uint32 | None = None
    actions_parameters: Uint32 | None = None
    instant_actions: Uint32 | None = None
    knot_vector_max: Uint32 | None = None
    control_points_max: Uint32 | None = None
    state_node_states: Uint32 | None = None
    state_edge_states: Uint32 | None = None
    state_loads: Uint32 | None = None
    state_action_states: Uint32 | None = None
    state_errors: Uint32 | None = None
    state_information: Uint32 | None = None
    error_references_max: Uint32 | None = None
    info_references_max: Uint32 | None = None


class Timing(Vda):
    """How often messages may and will come, seconds."""

    min_order_interval: NonNegative
    min_state_interval: NonNegative
    default_state_interval: NonNegative | None = None
    visualization_interval: NonNegative | None = None


class ProtocolLimits(Vda):
    """Limits of the robot's implementation."""

    max_string_lens: MaxStringLens
    max_array_lens: MaxArrayLens
    timing: Timing


class OptionalParameter(Vda):
    """An optional field of the protocol that the robot supports or needs; full path as its name."""

    parameter: Id
    support: Support
    description: Text | None = None


class AgvActionParameter(Vda):
    """A parameter of an action that the robot knows."""

    key: Id
    value_data_type: ValueDataType
    description: Text | None = None
    is_optional: Bool | None = None


class AgvAction(Vda):
    """An action that the robot knows."""

    action_type: Id
    action_description: Text | None = None
    action_scopes: tuple[ActionScope, ...] = Field(max_length=LIST_MAX_ITEMS)
    action_parameters: tuple[AgvActionParameter, ...] | None = Field(
        default=None, max_length=LIST_MAX_ITEMS
    )
    result_description: Text | None = None
    blocking_types: tuple[BlockingType, ...] | None = Field(
        default=None, max_length=LIST_MAX_ITEMS, exclude=True
    )
    """Read, but never sent: the schema of 2.1.0 puts an enum on the list, which no list meets."""


class ProtocolFeatures(Vda):
    """What of the protocol the robot supports."""

    optional_parameters: tuple[OptionalParameter, ...] = Field(max_length=LIST_MAX_ITEMS)
    agv_actions: tuple[AgvAction, ...] = Field(max_length=LIST_MAX_ITEMS)


class Position(Vda):
    """A place on the robot, metres and radians in its own coordinates."""

    x: Number
    y: Number
    theta: Number | None = None


class WheelDefinition(Vda):
    """A wheel, metres."""

    type: Annotated[WheelType | Id, _KNOWN_FIRST]
    is_active_driven: Bool
    is_active_steered: Bool
    position: Position
    diameter: NonNegative
    width: NonNegative
    center_displacement: Number | None = None
    constraints: Text | None = None


class PolygonPoint(Vda):
    """A corner of an envelope, metres."""

    x: Number
    y: Number


class Envelope2d(Vda):
    """The outline of a robot seen from above."""

    set: Id
    polygon_points: tuple[PolygonPoint, ...] = Field(max_length=LIST_MAX_ITEMS)
    description: Text | None = None


class Envelope3d(Vda):
    """The shape of a robot in some format. The schema says that its description is an integer."""

    set: Id
    format: Id
    data: dict[str, JsonValue] | None = None
    url: Text | None = None
    description: int | None = None


class AgvGeometry(Vda):
    """Wheels and envelopes."""

    wheel_definitions: tuple[WheelDefinition, ...] | None = Field(
        default=None, max_length=LIST_MAX_ITEMS
    )
    envelopes_2d: tuple[Envelope2d, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    envelopes_3d: tuple[Envelope3d, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)


class LoadSet(Vda):
    """A kind of load and how the robot handles it; m, kg, s, rad."""

    set_name: Id
    load_type: Id
    load_positions: tuple[IdOrEmpty, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    bounding_box_reference: BoundingBoxReference | None = None
    load_dimensions: LoadDimensions | None = None
    max_weight: NonNegative | None = None
    min_loadhandling_height: Number | None = None
    max_loadhandling_height: Number | None = None
    min_loadhandling_depth: Number | None = None
    max_loadhandling_depth: Number | None = None
    min_loadhandling_tilt: Number | None = None
    max_loadhandling_tilt: Number | None = None
    agv_speed_limit: NonNegative | None = None
    agv_acceleration_limit: NonNegative | None = None
    agv_deceleration_limit: NonNegative | None = None
    pick_time: NonNegative | None = None
    drop_time: NonNegative | None = None
    description: Text | None = None


class LoadSpecification(Vda):
    """What may be loaded, and where; ours names the compartments."""

    load_positions: tuple[IdOrEmpty, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    load_sets: tuple[LoadSet, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)


class VersionEntry(Vda):
    """The version of one component."""

    key: Id
    value: Text


class Network(Vda):
    """How the robot is on the network."""

    dns_servers: tuple[Text, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    local_ip_address: Text | None = None
    ntp_servers: tuple[Text, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    netmask: Text | None = None
    default_gateway: Text | None = None


class VehicleConfig(Vda):
    """Software versions and network."""

    versions: tuple[VersionEntry, ...] | None = Field(default=None, max_length=LIST_MAX_ITEMS)
    network: Network | None = None


class Factsheet(Vda):
    """What a robot is and can do. Header id and timestamp are optional in the standard."""

    header_id: Uint32 | None = None
    timestamp: Timestamp | None = None
    version: Version
    manufacturer: Id
    serial_number: Id
    type_specification: TypeSpecification
    physical_parameters: PhysicalParameters
    protocol_limits: ProtocolLimits
    protocol_features: ProtocolFeatures
    agv_geometry: AgvGeometry
    load_specification: LoadSpecification
    vehicle_config: VehicleConfig | None = None
