"""Decides where a browser fetches what an edge node serves, and signs the ticket for it."""

from dataclasses import dataclass
from http import HTTPStatus

from contracts.api import BASE, Role, Sentence, SessionState
from contracts.units import CameraId, NodeId, RoomId, UtcMs
from controller.api.context import Caller, Context
from controller.api.problems import ProblemError, forbidden
from controller.core import views
from runtime.tokens import issue_ticket


@dataclass(frozen=True, slots=True)
class NodeDoor:
    """An edge node that is up: where browsers reach it, and the key that its tickets are signed by.

    ``base`` has no slash at its end.
    """

    base: str
    key: bytes
    now_utc_ms: UtcMs

    def ticket(self, caller: Caller, scope: str, resource: str, ttl_ms: int) -> str:
        """A ticket for ``resource``, a path of the node, in this caller's name."""
        return issue_ticket(
            self.key, caller.user.username, scope, resource, self.now_utc_ms, ttl_ms
        )


def door_of(context: Context, node_id: NodeId | None) -> NodeDoor:
    """The way to a node.

    Raises:
        ProblemError: 503, it is not up or its key is not here.
    """
    node = context.state().nodes.get(node_id or "")
    key = context.node_keys.get(node_id or "")
    if key is None or node is None or node.health.api_url is None:
        text = Sentence(
            zh="该区域的边缘节点尚未上线，或未配置其媒体密钥。",
            en="The area's edge node is not up yet, or its key is not in ZEROENTRY_NODE_KEYS.",
        )
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=5)
    return NodeDoor(node.health.api_url.rstrip("/"), key, context.clock.utc_ms())


def camera_resource(camera_id: CameraId) -> str:
    """What a ticket for everything of a camera names; the edge nodes' name for it."""
    return f"{BASE}/cameras/{camera_id}"


def check_sealed(context: Context, caller: Caller, room_id: RoomId) -> None:
    """A sealed room's live picture is for supervisors alone.

    Raises:
        ProblemError: 403.
    """
    session = views.held_by(context.state(), room_id)
    sealed = session is not None and session.state is SessionState.SEALED
    if sealed and Role.SUPERVISOR not in caller.user.roles:
        raise forbidden()
