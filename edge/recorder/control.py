"""Serves the recorder's control socket: requests in, replies and what it says by itself out.

Nothing here ever waits for a client. What the recorder says by itself is passed over for a client
that does not read; a reply never is: a client that has no room for it is hung up on, connects
again and asks again, and the same request is done once.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.units import MessageId
from edge.core.recording import LevelSaid, Reply, Request, StatusSaid
from edge.recorder.socket_file import LINE_MAX_BYTES, listening

log = structlog.get_logger(__name__)

CLIENTS_MAX: Final = 8  # the node, the command line, a doctor; more is a fault of theirs
BEHIND_BYTES: Final = 524_288  # twenty statuses: who has not read them does not need another
SOUND_BEHIND_BYTES: Final = BEHIND_BYTES // 2
# 100 ms of 30 pickups are 130 KB: a reader two turns behind loses sound, and never a status.
HANG_UP_BYTES: Final = 1_048_576
GOODBYE_S: Final = 0.5  # for the last status; shutdown has 3 s for everything
_MESSAGE_ID: Final[TypeAdapter[MessageId]] = TypeAdapter(MessageId)

Answer = Callable[[Request], Awaitable[Reply]]
"""Performs a request; never raises for what the request asks."""


class ControlServer:
    """The recorder's end of the control socket."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._clients: set[asyncio.StreamWriter] = set()
        self._last_status: bytes | None = None
        self.passed_over = 0
        """Lines that a slow client did not get."""

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            OSError: the socket cannot be made.
        """
        bound = listening(self._path)
        server = await asyncio.start_unix_server(self._serve, sock=bound, limit=LINE_MAX_BYTES)
        try:
            # Not serve_forever: when it is cancelled it waits for clients that never leave.
            await asyncio.Event().wait()
        finally:
            server.close()
            await self._say_goodbye()
            self._path.unlink(missing_ok=True)

    def say(self, said: BaseModel) -> None:
        """Tell every client something by itself; one that is behind does not get it."""
        line = said.model_dump_json(exclude_none=True).encode() + b"\n"
        if isinstance(said, StatusSaid):
            self._last_status = line
        behind = SOUND_BEHIND_BYTES if isinstance(said, LevelSaid) else BEHIND_BYTES
        for writer in self._clients:
            if writer.transport.get_write_buffer_size() > behind:
                self.passed_over += 1
            else:
                writer.write(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= CLIENTS_MAX:
            log.warning("control_client_refused", clients=len(self._clients))
            writer.close()
            return
        self._clients.add(writer)
        if self._last_status is not None:
            writer.write(self._last_status)
        try:
            while line := await reader.readline():
                reply = await self._reply_to(line)
                if reply is None or not self._send(writer, reply):
                    return
        except ValueError as error:  # a line longer than any of ours
            log.warning("control_line_refused", error=str(error))
        except ConnectionError:
            return
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _reply_to(self, line: bytes) -> Reply | None:
        try:
            request = Request.model_validate_json(line)
        except ValidationError as error:
            row = error.errors()[0]
            where = ".".join(str(part) for part in row["loc"]) or "line"
            log.warning("control_request_refused", where=where, error=row["msg"])
            name = _id_in(line)
            # Without an id nobody can be answered: what speaks there is not of ours.
            return Reply(id=name, error=f"{where}: {row['msg']}"[:400]) if name else None
        return await self._answer(request)

    def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        if writer.transport.get_write_buffer_size() > HANG_UP_BYTES:
            log.warning("control_client_hung_up", reason="it does not read its replies")
            return False
        writer.write(reply.model_dump_json(exclude_none=True).encode() + b"\n")
        return True

    async def _say_goodbye(self) -> None:
        clients = list(self._clients)
        for writer in clients:
            writer.close()
        if clients:
            await asyncio.wait(
                [asyncio.ensure_future(writer.wait_closed()) for writer in clients],
                timeout=GOODBYE_S,
            )


def _id_in(line: bytes) -> MessageId | None:
    try:
        document = json.loads(line)
        return _MESSAGE_ID.validate_python(document["id"])
    except (ValueError, TypeError, KeyError):
        return None
