"""Holds what a step may want done: answers to who asked, commands, orders, actions, pictures."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from contracts.api import Sentence
from contracts.commands import Command
from contracts.observations import PictureRef
from contracts.units import CameraId, NodeId, RobotId, UtcMs
from contracts.vda5050.profile import LockCompartment, OpenCompartment


class Refusal(StrEnum):
    """Why a request was not done; the API turns each into one HTTP status."""

    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that changed nothing, and what the person can do about it."""

    why: Refusal
    detail: Sentence


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was done (or had been done before), and what it is about."""

    entity_id: str


@dataclass(frozen=True, slots=True)
class SendCommand:
    """Order an edge node; durable, through the outbox of that node's stream."""

    node_id: NodeId
    command: Command
    kind: Literal["send_command"] = "send_command"


@dataclass(frozen=True, slots=True)
class FetchPicture:
    """Copy an alert's picture from its edge node before the node's disk needs the room."""

    alert_id: str
    node_id: NodeId
    picture: PictureRef
    kind: Literal["fetch_picture"] = "fetch_picture"


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Take the newest picture of a camera for an alert that the controller made itself."""

    alert_id: str
    node_id: NodeId
    camera_id: CameraId
    kind: Literal["fetch_snapshot"] = "fetch_snapshot"


@dataclass(frozen=True, slots=True)
class OrderNode:
    """One stop of an order; ``sequence_id`` is even.

    ``deviation_m``: how far from it the robot counts as there, where it starts between two nodes.
    """

    node_id: str
    sequence_id: int
    released: bool
    deviation_m: float | None = None


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """Send (again) an order or its update; a robot that has it ignores the same content."""

    robot_id: RobotId
    order_id: str
    order_update_id: int
    nodes: tuple[OrderNode, ...]
    kind: Literal["publish_order"] = "publish_order"


class ActionKind(StrEnum):
    """The instant actions that the controller sends."""

    PAUSE = "startPause"
    RESUME = "stopPause"
    CANCEL = "cancelOrder"
    OPEN = "zeOpenCompartment"
    LOCK = "zeLockCompartment"


@dataclass(frozen=True, slots=True)
class PublishAction:
    """Send or send again an instant action; ``opens`` and ``locks`` carry the parameters of ours.

    ``valid_until_utc_ms``: never published later. An unlock that was late is not performed after a
    restart, whoever stands before the robot by then.
    """

    robot_id: RobotId
    action_id: str
    action: ActionKind
    opens: OpenCompartment | None = None
    locks: LockCompartment | None = None
    valid_until_utc_ms: UtcMs | None = None
    kind: Literal["publish_action"] = "publish_action"


Answer = Accepted | Refused
Lasting = SendCommand | FetchPicture | FetchSnapshot
Output = Answer | Lasting | PublishOrder | PublishAction
