"""Answers for hearing a room live over WebSocket.

The ticket stands in the address and names this very listening. It lives for seconds: the browser
sends the next one, ``{"ticket": "..."}``, before it ends, or the sound ends with it. The node sends
JSON (hello, renewed, ended) and binary frames: 16-bit mono samples at 16 kHz, little endian.
"""

import asyncio
import json
from typing import Annotated, Final

import structlog
from fastapi import FastAPI, Path, Query, WebSocket, WebSocketDisconnect
from pydantic import Field, ValidationError

from contracts.envelope import Strict
from edge.api.access import Gate
from edge.evidence.sounds import RATE_HZ
from edge.live_sound import Listener, LiveSound
from edge.voice_book import VoiceBook
from runtime.tokens import Ticket, TicketRefusedError, read_ticket

log = structlog.get_logger(__name__)

LISTEN_TICKET: Final = "listen"
CLOSE_BASE: Final = 4_000  # 4401: as HTTP's 401, in the range that is free for applications
TRY_AGAIN: Final = 1_013
TICKET_MAX_CHARS: Final = 1_024

ListeningPath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]


class Renewal(Strict):
    """What a listener says, again and again."""

    ticket: str = Field(min_length=1, max_length=TICKET_MAX_CHARS)


def add_listen(app: FastAPI, sound: LiveSound, book: VoiceBook, gate: Gate) -> None:
    """Add the WebSocket of every microphone."""

    @app.websocket("/api/v1/listen/{source_id}/{listening_id}")
    async def listen(
        socket: WebSocket,
        source_id: ListeningPath,
        listening_id: ListeningPath,
        ticket: Annotated[str, Query()] = "",
    ) -> None:
        await socket.accept()
        known = ticket_of(gate, ticket, socket.url.path)
        if known is None:
            await socket.close(CLOSE_BASE + 401, "Ticket refused")
            return
        if not sound.knows(source_id):
            await socket.close(CLOSE_BASE + 404, "No such microphone")
            return
        listener = await sound.begin(listening_id, source_id, known.subject, book)
        if listener is None:
            await socket.close(TRY_AGAIN, "The node cannot keep a record of it now")
            return
        log.info("listening_began", source_id=source_id, by=known.subject)
        await _serve(socket, sound, book, gate, listener, known)


def ticket_of(gate: Gate, text: str, resource: str) -> Ticket | None:
    """A ticket for hearing this, if it is one and lives."""
    if gate.key is None:
        return None
    try:
        return read_ticket(
            gate.key, text, scope=LISTEN_TICKET, resource=resource, now_utc_ms=gate.clock.utc_ms()
        )
    except TicketRefusedError:
        return None


async def _serve(
    socket: WebSocket,
    sound: LiveSound,
    book: VoiceBook,
    gate: Gate,
    listener: Listener,
    ticket: Ticket,
) -> None:
    sending = asyncio.ensure_future(_send(socket, listener))
    asking = asyncio.ensure_future(_renew(socket, gate, listener, ticket))
    try:
        await asyncio.wait({sending, asking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, asking):
            task.cancel()
        outcomes = await asyncio.gather(sending, asking, return_exceptions=True)
        why = next((one for one in outcomes if isinstance(one, str)), "browser_gone")
        await asyncio.shield(sound.end(listener, why, book))
    try:
        await _say(socket, kind="ended", why=listener.ended)
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        pass  # it has gone


async def _send(socket: WebSocket, listener: Listener) -> str:
    """Send the sound; why it ended."""
    try:
        await _say(socket, kind="hello", rate_hz=RATE_HZ, source_id=listener.source_id)
        async for window in listener.sound():
            await socket.send_bytes(window)
    except (WebSocketDisconnect, RuntimeError):
        return "browser_gone"
    return listener.ended or "lost"


async def _renew(socket: WebSocket, gate: Gate, listener: Listener, ticket: Ticket) -> str:
    """Take new tickets until none comes in time; why it ended."""
    path = socket.url.path
    while True:
        left_s = max(ticket.expires_utc_ms - gate.clock.utc_ms(), 0) / 1000
        try:
            async with asyncio.timeout(left_s):
                message = await socket.receive()
        except TimeoutError:
            return "lapsed"
        if message["type"] == "websocket.disconnect":
            return "browser_gone"
        try:
            told = Renewal.model_validate_json(message.get("text") or "")
        except ValidationError:
            continue
        found = ticket_of(gate, told.ticket, path)
        if found is None or found.subject != listener.by:
            return "lapsed"
        ticket = found
        await _say(socket, kind="renewed")


async def _say(socket: WebSocket, **fields: object) -> None:
    await socket.send_text(json.dumps(fields, separators=(",", ":")))
