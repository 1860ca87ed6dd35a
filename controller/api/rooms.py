"""Routes of rooms: how they are now, and where a browser fetches their pictures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from contracts.api import BASE, MediaLink, RoomView
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
from controller.api.nodes import camera_resource, check_sealed, door_of
from controller.api.problems import not_found
from controller.auth.scopes import Scope
from controller.core import views

router = APIRouter(prefix=f"{BASE}/rooms", tags=["rooms"])

RoomPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an area of the site.")]


def _area(context: Context, room_id: RoomId) -> Area:
    for area in context.state().plan.site.config.areas:
        if area.id == room_id:
            return area
    raise not_found("room", room_id)


@router.get("")
async def get_rooms(
    context: ContextNeeded, caller: Annotated[Caller, Depends(Needs(Scope.ROOMS))]
) -> tuple[RoomView, ...]:
    """All watched areas that the account's grants reach, now."""
    return rooms_seen(context, caller)


def rooms_seen(context: Context, caller: Caller) -> tuple[RoomView, ...]:
    """The rooms that a caller sees; not those that a session of another sector holds."""
    state, now = context.state(), context.clock.mono_ms()
    return tuple(
        views.room_view(state, area, now)
        for area in state.plan.site.config.areas
        if caller.sees_room_now(context, area.id)
    )


@router.get("/{room_id}")
async def get_room(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ROOMS))],
) -> RoomView:
    """One watched area now."""
    area = _area(context, room_id)
    if not caller.sees_room_now(context, room_id):
        raise not_found("room", room_id)
    return views.room_view(context.state(), area, context.clock.mono_ms())


@router.get("/{room_id}/media")
async def get_media(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.MEDIA))],
) -> tuple[MediaLink, ...]:
    """Addresses of the room's pictures at its edge node, good for this user for five minutes."""
    _area(context, room_id)
    ttl_ms = min(TICKET_TTL_MS, await check_sealed(context, caller, room_id))
    state = context.state()
    door = door_of(context, state.plan.watcher.get(room_id))
    links = []
    for camera in state.plan.site.cameras_of(room_id):
        path = camera_resource(camera.id)
        ticket = door.ticket(caller, TICKET_SCOPE, path, ttl_ms)
        links.append(
            MediaLink(
                camera_id=camera.id,
                snapshot_url=f"{door.base}{path}/snapshot.jpg?ticket={ticket}",
                live_url=f"{door.base}{path}/live.mjpg?ticket={ticket}",
                expires_utc_ms=UtcMs(door.now_utc_ms + ttl_ms),
            )
        )
    return tuple(links)
