"""Answers for talking into a room over WebSocket, and serves what was said.

The ticket stands in the address and names this very talk. The browser sends binary frames: 16-bit
mono samples at 16 kHz, little endian; text ``{"kind": "end"}`` when the button is let go. The node
sends JSON: ready, level, ended, failed.
"""

import asyncio
import json
from typing import Annotated, Final

import numpy as np
import structlog
from fastapi import Depends, FastAPI, Path, Query, Response, WebSocket, WebSocketDisconnect

from contracts.units import CameraId, Sha256Hex
from edge.api.access import CONTROLLER, Caller, Gate
from edge.api.problems import ProblemError
from edge.api.sounds import SOUND_CACHE_S, sound_caller
from edge.capture.rtsp_words import BackChannelLost
from edge.talks import SPOKEN_RATE_HZ, TALK_LIMIT_MS, Talk, TalkDesk, TalkEnded

log = structlog.get_logger(__name__)

TALK_TICKET: Final = "talk"
CLOSE_BASE: Final = 4_000  # 4401: as HTTP's 401, in the range that is free for applications
FRAME_MAX_BYTES: Final = 16_384  # half a second; browsers send a tenth
SILENCE_S: Final = 5.0  # a microphone sends all the time: after this the talker is gone
LEVEL_EVERY: Final = 2  # frames

TalkPath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]


def add_talk(app: FastAPI, desk: TalkDesk, gate: Gate) -> None:
    """Add the WebSocket of every camera that may be talked over, and the files of what was said."""

    @app.websocket("/api/v1/cameras/{camera_id}/talk/{talk_id}")
    async def talk(
        socket: WebSocket,
        camera_id: CameraId,
        talk_id: TalkPath,
        ticket: Annotated[str, Query()] = "",
    ) -> None:
        await socket.accept()
        try:
            caller = gate.by_ticket(ticket, (socket.url.path,), scope=TALK_TICKET)
        except ProblemError as error:
            await socket.close(CLOSE_BASE + error.problem.status, error.problem.title)
            return
        if not desk.knows(camera_id):
            await socket.close(CLOSE_BASE + 404, "No such camera")
            return
        await _talk(socket, desk, camera_id, talk_id, caller.name)

    @app.get(
        "/api/v1/talks/{sha256}.flac",
        tags=["sounds"],
        response_class=Response,
        responses={200: {"content": {"audio/flac": {}}}},
    )
    def get_talk(
        sha256: Annotated[Sha256Hex, Path(description="SHA-256 of what was said.")],
        caller: Annotated[Caller, Depends(sound_caller)],
    ) -> Response:
        """What was said into a room, byte for byte as hashed; also with `?ticket=`."""
        content = desk.read(sha256)
        if content is None:
            raise ProblemError(404, "No such talk", "it was never here, or its time is over")
        if not caller.by_ticket or caller.name == CONTROLLER:
            desk.mark_fetched(sha256)
        headers = {
            "Cache-Control": f"private, max-age={SOUND_CACHE_S}, immutable",
            "ETag": f'"{sha256}"',
        }
        return Response(content, media_type="audio/flac", headers=headers)


async def _talk(
    socket: WebSocket, desk: TalkDesk, camera_id: CameraId, talk_id: str, by: str
) -> None:
    try:
        talk = await desk.begin(talk_id, camera_id, by)
    except BackChannelLost as lost:
        await _close(socket, kind="failed", why=lost.reason.value)
        return
    why = "lost"
    try:
        await _say(
            socket, kind="ready", rate_hz=SPOKEN_RATE_HZ, limit_ms=TALK_LIMIT_MS,
            codec=talk.channel.codec,
        )  # fmt: skip
        why = await _until_over(socket, talk)
    except (WebSocketDisconnect, RuntimeError):
        why = "browser_gone"
    except TalkEnded as ended:
        why = ended.why
    except BackChannelLost as lost:
        why = lost.reason.value
    finally:
        # Shielded: a node that stops while somebody talks still keeps what was said.
        sha256 = await asyncio.shield(desk.end(talk, why))
    await _close(socket, kind="ended", why=why, sha256=sha256, sent_ms=talk.sent_ms)


async def _until_over(socket: WebSocket, talk: Talk) -> str:
    """Words are taken until the talker or the camera ends it, whichever is first."""
    words = asyncio.ensure_future(_take_words(socket, talk))
    gone = asyncio.ensure_future(talk.channel.lost())
    try:
        await asyncio.wait({words, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await words if words.done() else (await gone).reason.value
    finally:
        for task in (words, gone):
            task.cancel()
        await asyncio.gather(words, gone, return_exceptions=True)


async def _take_words(socket: WebSocket, talk: Talk) -> str:
    """Send on what comes, until the button is let go; why it ended."""
    frames = 0
    while True:
        try:
            async with asyncio.timeout(min(SILENCE_S, max(talk.limit_left_ms, 0) / 1000)):
                message = await socket.receive()
        except TimeoutError:
            return "limit" if talk.limit_left_ms <= 0 else "silent"
        if message["type"] == "websocket.disconnect":
            return "browser_gone"
        data = message.get("bytes")
        if data is None:
            return "released"
        if len(data) > FRAME_MAX_BYTES or len(data) % 2:
            return "bad_frame"
        level = talk.take(np.frombuffer(data, "<i2").astype(np.int16))
        frames += 1
        if frames % LEVEL_EVERY == 0:
            await _say(socket, kind="level", dbfs=round(level, 1), sent_ms=talk.sent_ms)


async def _close(socket: WebSocket, **fields: object) -> None:
    try:
        await _say(socket, **fields)
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        pass  # the browser has gone: the record has it all the same


async def _say(socket: WebSocket, **fields: object) -> None:
    await socket.send_text(json.dumps(fields, separators=(",", ":")))
