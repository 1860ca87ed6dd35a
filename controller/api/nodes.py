"""Decides where a browser fetches what an edge node serves, and signs the ticket for it."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from contracts.api import BASE, Role, Sentence, SessionState
from contracts.api.accounts import GlassView
from contracts.api.record import RecordKind
from contracts.units import CameraId, NodeId, RoomId, UtcMs
from controller.api.context import Caller, Context
from controller.api.problems import ProblemError, forbidden, not_found
from controller.core import views
from controller.core.outputs import FileRecord
from controller.core.state import RecordNoted
from runtime.tokens import TICKET_TTL_MAX_MS, issue_ticket

_SUPERVISORS: Final = frozenset({Role.SUPERVISOR, Role.SECTOR_SUPERVISOR})


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


async def check_sealed(context: Context, caller: Caller, room_id: RoomId) -> int:
    """A sealed room's live picture is for supervisors, or for who was let break the glass.

    Returns how long a link to it may be good, milliseconds.

    Raises:
        ProblemError: 403; 404, the grants do not reach the room or the session in it.
    """
    if not caller.sees_room_now(context, room_id):
        raise not_found("room", room_id)
    caller.needs_picture()
    session = views.held_by(context.state(), room_id)
    sealed = session is not None and session.state is SessionState.SEALED
    if not sealed or _SUPERVISORS & set(caller.user.roles):
        return TICKET_TTL_MAX_MS
    glass = await glass_for(context, caller, room_id, sound=False)
    if glass is None or glass.until_utc_ms is None:
        raise forbidden()
    return max(1_000, int(glass.until_utc_ms - context.clock.utc_ms()))


async def glass_for(
    context: Context, caller: Caller, room_id: RoomId, *, sound: bool
) -> GlassView | None:
    """The break-glass that lets this caller see or hear this room now; its use is recorded."""
    session = views.held_by(context.state(), room_id)
    if session is None or session.state is not SessionState.SEALED:
        return None
    by = caller.user.username
    glass = context.security.glass.opened(by, room_id, session.id)
    if glass is None or not (glass.sound if sound else glass.picture):
        return None
    await asyncio.to_thread(context.security.glass.used, glass.id)
    what = Sentence(zh="声音", en="the sound") if sound else Sentence(zh="画面", en="the picture")
    text = Sentence(zh=f"{by} 破窗查看了{what.zh}", en=f"{by} opened {what.en} by break-glass")
    await tell_glass(context, glass, by, "used", text)
    return glass


async def tell_glass(
    context: Context, glass: GlassView, by: str, step: str, text: Sentence
) -> None:
    """A line in the session's record: the supervisor reads it, and the report tells it."""
    line = FileRecord(
        room_id=glass.room_id,
        utc_ms=context.clock.utc_ms(),
        record_kind=RecordKind.BREAK_GLASS,
        by=by,
        text=text,
        session_id=glass.session_id,
        subject=glass.id,
        data={"step": step, "asked_by": glass.asked_by, "reason": glass.reason},
    )
    await context.intake.ask(RecordNoted(line))
