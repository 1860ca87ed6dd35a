"""Answers for live video over WebSocket: who may watch, and what goes over the wire.

Text frames are JSON with a ``kind`` (hello, init, skipped, unsupported); binary frames are the MP4
itself, an init segment after each ``init``, then one fragment a picture. The token comes in the
first message, ``{"token": "..."}``, never in the address; a ticket may stand in the address.
"""

import asyncio
import json
from typing import Annotated, Final

import structlog
from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect
from pydantic import Field, ValidationError
from starlette.websockets import WebSocketState

from contracts.envelope import Strict
from contracts.units import CameraId
from edge.api.access import Caller, Gate, Scope, resources_of
from edge.api.live_video import (
    Fragment,
    Init,
    LiveVideo,
    Skipped,
    TooManyWatchersError,
    Unsupported,
)
from edge.api.problems import ProblemError
from runtime.clock import Clock

log = structlog.get_logger(__name__)

FIRST_MESSAGE_S: Final = 5.0  # a client that connects has its token at hand
TOKEN_MAX_CHARS: Final = 512
CLOSE_BASE: Final = 4_000  # 4401: as HTTP's 401, in the range that is free for applications
TRY_AGAIN: Final = 1_013


class FirstMessage(Strict):
    """What a client without a ticket says first."""

    token: str = Field(min_length=1, max_length=TOKEN_MAX_CHARS)


def add_live_video(app: FastAPI, video: LiveVideo, gate: Gate) -> None:
    """Add the WebSocket of every camera."""

    @app.websocket("/api/v1/cameras/{camera_id}/live")
    async def live(
        socket: WebSocket, camera_id: CameraId, ticket: Annotated[str | None, Query()] = None
    ) -> None:
        await socket.accept()
        try:
            caller = await _caller(socket, gate, ticket)
        except ProblemError as error:
            await socket.close(CLOSE_BASE + error.problem.status, error.problem.title)
            return
        except WebSocketDisconnect:
            return
        if not video.knows(camera_id):
            await socket.close(CLOSE_BASE + 404, "No such camera")
            return
        log.info("live_watched", camera_id=camera_id, caller=caller.name)
        await _serve(socket, video, camera_id, gate.clock)


async def _caller(socket: WebSocket, gate: Gate, ticket: str | None) -> Caller:
    if ticket is not None:
        return gate.by_picture_ticket(ticket, resources_of(socket.url.path))
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            first = await socket.receive_text()
        token = FirstMessage.model_validate_json(first).token
    except (TimeoutError, ValidationError, KeyError):
        # KeyError: the first message was not text.
        raise ProblemError(401, "Token missing", 'send {"token": "..."} first') from None
    return gate.by_token(token, Scope.VIEW)


async def _serve(socket: WebSocket, video: LiveVideo, camera_id: CameraId, clock: Clock) -> None:
    sending = asyncio.ensure_future(_send_all(socket, video, camera_id, clock))
    listening = asyncio.ensure_future(_until_gone(socket))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, listening):
            task.cancel()
        done = await asyncio.gather(sending, listening, return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
            raise outcome


async def _until_gone(socket: WebSocket) -> None:
    # What a viewer says after its first message means nothing.
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_all(socket: WebSocket, video: LiveVideo, camera_id: CameraId, clock: Clock) -> None:
    pieces = video.watch(camera_id)
    try:
        await _say(socket, kind="hello", camera_id=camera_id, utc_ms=clock.utc_ms())
        async for piece in pieces:
            match piece:
                case Fragment():
                    await socket.send_bytes(piece.data)
                case Init():
                    await _say(
                        socket, kind="init", mime=piece.mime,
                        width=piece.width, height=piece.height,
                    )  # fmt: skip
                    await socket.send_bytes(piece.data)
                case Skipped():
                    await _say(socket, kind="skipped", fragments=piece.fragments)
                case Unsupported():
                    await _say(socket, kind="unsupported", codec=piece.codec)
    except TooManyWatchersError:
        await socket.close(TRY_AGAIN, "Too many viewers")
    except (WebSocketDisconnect, RuntimeError):
        # RuntimeError is Starlette's word for a socket that was closed while we wrote.
        if socket.client_state is not WebSocketState.DISCONNECTED:
            raise
    finally:
        await pieces.aclose()


async def _say(socket: WebSocket, **fields: object) -> None:
    await socket.send_text(json.dumps(fields, separators=(",", ":")))
