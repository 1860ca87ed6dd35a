"""Routes of the event stream: server-sent events, resumed by ``Last-Event-ID``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse

from contracts.api import BASE, DeliveryView, EventName, Sentence, SessionView
from contracts.envelope import Strict
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.hub import Client, StreamEvent, TooManyClientsError
from controller.api.problems import ProblemError
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.alerts import AlertRecord

router = APIRouter(prefix=BASE, tags=["events"])

KEEPALIVE_MS: Final = 10_000  # below the idle time-out of any proxy; and a log-out ends the stream

SCOPE_OF: Final[Mapping[EventName, Scope]] = {
    EventName.ALERT: Scope.ALERTS,
    EventName.SESSION: Scope.SESSIONS,
    EventName.DELIVERY: Scope.DELIVERIES,
    EventName.ROOM: Scope.ROOMS,
    EventName.ROBOT: Scope.ROBOTS,
    EventName.ZONE: Scope.ZONES,
    EventName.FACILITIES: Scope.ROBOTS,
    EventName.CALL: Scope.TEXT,
    EventName.TEXT: Scope.TEXT,
    EventName.TALK: Scope.TALK,
    EventName.ENTRY: Scope.ENTRY,
    EventName.LISTENING: Scope.LISTEN,
}

OWN_SCOPE_OF: Final[Mapping[EventName, Scope]] = {
    EventName.DELIVERY: Scope.DELIVERIES_OWN,
    EventName.CALL: Scope.TEXT_OWN,
    EventName.TEXT: Scope.TEXT_OWN,
    EventName.TALK: Scope.TEXT_OWN,
}
"""What lets an account see the events of its own room."""


def reaches(event: StreamEvent, context: Context, caller: Caller) -> bool:
    """Whether an account's grants reach what an event is about."""
    match event.body:
        case AlertRecord():
            return caller.sees_alert(context, event.body)
        case SessionView():
            sectors = caller.user.grants.sectors
            in_sector = sectors is None or event.body.sector in sectors
            return in_sector and caller.sees_room(event.body.room_id)
        case _:
            return event.room_id is None or caller.sees_room_now(context, event.room_id)


def wants_of(context: Context, caller: Caller) -> Callable[[StreamEvent], bool]:
    """Which events an account may see: by its scopes, and by its grants where it has any."""
    grants = caller.user.grants
    bounded = grants.rooms is not None or grants.sectors is not None

    def wants(event: StreamEvent) -> bool:
        return may(event) and (not bounded or reaches(event, context, caller))

    def may(event: StreamEvent) -> bool:
        scope = SCOPE_OF.get(event.name)
        if scope is None or scope in caller.scopes:
            return True
        own = OWN_SCOPE_OF.get(event.name) in caller.scopes
        return own and event.room_id is not None and event.room_id == caller.user.room_id

    return wants


def frame(event: StreamEvent, context: Context, caller: Caller) -> str:
    """An event as it goes over the wire."""
    match event.body:
        case AlertRecord():
            data = context.alert_view(event.body, caller.user).model_dump_json()
        case DeliveryView() if Scope.SESSIONS not in caller.scopes:
            data = views.without_names(event.body).model_dump_json()
        case Strict():
            data = event.text
        case None:
            data = "{}"
    number = f"id: {event.id}\n" if event.id is not None else ""
    return f"{number}event: {event.name}\ndata: {data}\n\n"


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def get_events(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.EVENTS))],
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0)] = None,
) -> StreamingResponse:
    """What happens, as it happens; see ``EventName``. A client that is too slow is disconnected."""
    try:
        client = context.hub.join(wants_of(context, caller), last_event_id)
    except TooManyClientsError:
        text = Sentence(zh="事件流连接数已满。", en="Too many clients follow the event stream.")
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=10) from None
    return StreamingResponse(
        _stream(client, context, caller),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(client: Client, context: Context, caller: Caller) -> AsyncIterator[str]:
    checked = context.clock.mono_ms()
    try:
        yield ": connected\n\n"
        while not client.dropped:
            quiet = False
            try:
                async with asyncio.timeout(KEEPALIVE_MS / 1_000):
                    await client.filled.wait()
            except TimeoutError:
                quiet = True
            # Busy or not: who logged out, was disabled or has other rights now sees no more.
            if quiet or context.clock.mono_ms() - checked >= KEEPALIVE_MS:
                checked = context.clock.mono_ms()
                user = await asyncio.to_thread(context.accounts.user, caller.token)
                if user != caller.user:
                    return
            if quiet:
                yield ": alive\n\n"
                continue
            yield "".join(frame(event, context, caller) for event in client.take())
    finally:
        context.hub.leave(client)
