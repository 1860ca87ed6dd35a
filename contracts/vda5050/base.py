"""Holds what all VDA 5050 messages share: the header, checked scalars, and positions on a map."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from contracts.vda5050.timestamps import Timestamp

VERSION: Final = "2.1.0"

THETA_MAX_RAD: Final = 3.14159265359
# As the official schemas round it: a peer's pi with eleven decimals is above math.pi.

UINT32_MAX: Final = 4_294_967_295

ID_MAX_CHARS: Final = 256
# The specification sets no limit; 256 takes any UUID or path-like name and bounds what we keep.

TEXT_MAX_CHARS: Final = 4_096
# Descriptions are for people; a longer one is a log file.

LIST_MAX_ITEMS: Final = 1_000
# A payload of 64 KiB holds fewer nodes than this; it bounds what a codec builds from "[[[...".


def not_disguised(value: object) -> object:
    """Refuse "5" and true as numbers: pydantic would read both, and a robot would drive by them."""
    if isinstance(value, str | bool):
        raise ValueError(f"must be a number, not {value!r:.40}")  # noqa: TRY004  # pydantic reports no TypeError
    return value


Number = Annotated[float, BeforeValidator(not_disguised), Field(allow_inf_nan=False)]
NonNegative = Annotated[float, BeforeValidator(not_disguised), Field(allow_inf_nan=False, ge=0)]
Theta = Annotated[
    float,
    BeforeValidator(not_disguised),
    Field(allow_inf_nan=False, ge=-THETA_MAX_RAD, le=THETA_MAX_RAD),
]
Uint32 = Annotated[int, BeforeValidator(not_disguised), Field(ge=0, le=UINT32_MAX)]
Bool = Annotated[bool, Field(strict=True)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=ID_MAX_CHARS)]
IdOrEmpty = Annotated[str, StringConstraints(max_length=ID_MAX_CHARS)]
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX_CHARS)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?$")]


_IRREGULAR: Final[Mapping[str, str]] = {
    "order_nodes": "order.nodes",
    "order_edges": "order.edges",
    "node_actions": "node.actions",
    "edge_actions": "edge.actions",
    "actions_parameters": "actions.actionsParameters",
    "knot_vector_max": "trajectory.knotVector",
    "control_points_max": "trajectory.controlPoints",
    "state_node_states": "state.nodeStates",
    "state_edge_states": "state.edgeStates",
    "state_loads": "state.loads",
    "state_action_states": "state.actionStates",
    "state_errors": "state.errors",
    "state_information": "state.information",
    "error_references_max": "error.errorReferences",
    "info_references_max": "information.infoReferences",
    "envelopes_2d": "envelopes2d",
    "envelopes_3d": "envelopes3d",
}
# Names of the standard that are not the camelCase of ours.


def _wire_name(name: str) -> str:
    return _IRREGULAR.get(name) or to_camel(name)


class Vda(BaseModel):
    """Base of every object: camelCase on the wire, unknown fields of peers are kept."""

    model_config = ConfigDict(
        alias_generator=_wire_name,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        allow_inf_nan=False,
    )


class Header(Vda):
    """Who sent a message, when, and in which version. ``header_id`` counts per topic."""

    header_id: Uint32
    timestamp: Timestamp
    version: Version = VERSION
    manufacturer: Id
    serial_number: Id


class NodePosition(Vda):
    """Where a node is: metres and radians in the coordinates of ``map_id``."""

    x: Number
    y: Number
    theta: Theta | None = None
    allowed_deviation_xy: NonNegative | None = Field(
        default=None,
        # The second spelling is that of some peers of 2.0.
        validation_alias=AliasChoices("allowedDeviationXY", "allowedDeviationXy"),
        serialization_alias="allowedDeviationXY",
    )
    allowed_deviation_theta: Annotated[Theta, Field(ge=0)] | None = None
    map_id: IdOrEmpty
    map_description: Text | None = None


class ControlPoint(Vda):
    """A control point of a NURBS, metres."""

    x: Number
    y: Number
    weight: NonNegative | None = None


class Trajectory(Vda):
    """A NURBS curve that an edge follows."""

    degree: Annotated[int, BeforeValidator(not_disguised), Field(ge=1, le=UINT32_MAX)]
    knot_vector: tuple[Annotated[NonNegative, Field(le=1)], ...] = Field(max_length=LIST_MAX_ITEMS)
    control_points: tuple[ControlPoint, ...] = Field(max_length=LIST_MAX_ITEMS)
