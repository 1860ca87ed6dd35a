"""Routes of rooms: how they are now, and where a browser fetches their pictures."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from contracts.api import BASE, MediaLink, Role, RoomView, Sentence, SessionState
from contracts.devices import Area
from contracts.units import ID_PATTERN, RoomId, UtcMs
from controller.api.context import (
    TICKET_SCOPE,
    TICKET_TTL_MS,
    Caller,
    Context,
    ContextNeeded,
    Needs,
)
from controller.api.problems import ProblemError, forbidden, not_found
from controller.auth.scopes import Scope
from controller.core import views
from runtime.tokens import issue_ticket

router = APIRouter(prefix=f"{BASE}/rooms", tags=["rooms"])

RoomPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an area of the site.")]


def _area(context: Context, room_id: RoomId) -> Area:
    for area in context.state().plan.site.config.areas:
        if area.id == room_id:
            return area
    raise not_found("room", room_id)


@router.get("", dependencies=[Depends(Needs(Scope.ROOMS))])
async def get_rooms(context: ContextNeeded) -> tuple[RoomView, ...]:
    """All watched areas now."""
    state, now = context.state(), context.clock.mono_ms()
    return tuple(views.room_view(state, area, now) for area in state.plan.site.config.areas)


@router.get("/{room_id}", dependencies=[Depends(Needs(Scope.ROOMS))])
async def get_room(room_id: RoomPath, context: ContextNeeded) -> RoomView:
    """One watched area now."""
    area = _area(context, room_id)
    return views.room_view(context.state(), area, context.clock.mono_ms())


@router.get("/{room_id}/media")
async def get_media(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.MEDIA))],
) -> tuple[MediaLink, ...]:
    """Addresses of the room's pictures at its edge node, good for this user for five minutes."""
    _area(context, room_id)
    state = context.state()
    session = views.held_by(state, room_id)
    sealed = session is not None and session.state is SessionState.SEALED
    if sealed and Role.SUPERVISOR not in caller.user.roles:
        raise forbidden()
    node_id = state.plan.watcher.get(room_id)
    node = state.nodes.get(node_id or "")
    key = context.node_keys.get(node_id or "")
    if node_id is None or key is None or node is None or node.health.api_url is None:
        text = Sentence(
            zh="该区域的边缘节点尚未上线，或未配置其媒体密钥。",
            en="The area's edge node is not up yet, or its key is not in ZEROENTRY_NODE_KEYS.",
        )
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=5)
    base, now = node.health.api_url.rstrip("/"), context.clock.utc_ms()
    links = []
    for camera in state.plan.site.cameras_of(room_id):
        path = f"/api/v1/cameras/{camera.id}"
        ticket = issue_ticket(key, caller.user.username, TICKET_SCOPE, path, now, TICKET_TTL_MS)
        links.append(
            MediaLink(
                camera_id=camera.id,
                snapshot_url=f"{base}{path}/snapshot.jpg?ticket={ticket}",
                live_url=f"{base}{path}/live.mjpg?ticket={ticket}",
                expires_utc_ms=UtcMs(now + TICKET_TTL_MS),
            )
        )
    return tuple(links)
