"""Asks the running recorder of this machine for one thing, over its socket, and waits for it."""

import socket
import uuid
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from contracts.evidence.lines import LINE_MAX_BYTES
from edge.core.recording import Reply, Request, RequestBody, Said
from runtime.clock import Clock

SOCKET_NAME: Final = "recorder.sock"
ANSWER_WITHIN_MS: Final = 20_000  # a rotation writes two entries into each of 64 chains, synced
_READ_BYTES: Final = 65_536
_LINE_MAX_BYTES: Final = 16 * LINE_MAX_BYTES  # a status names 64 tracks

_SAID: Final[TypeAdapter[Said]] = TypeAdapter(Said)


class RecorderLost(Exception):
    """No recorder answers; says why."""


class RecorderRefused(Exception):
    """The recorder does not do what was asked; says why."""


def ask(socket_path: Path, body: RequestBody, clock: Clock) -> Reply:
    """Send one request and wait for its reply.

    Raises:
        RecorderLost: nobody listens, or nobody answers in time.
        RecorderRefused: the recorder says no, and why.
    """
    request = Request(id=uuid.uuid4().hex, body=body)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_WITHIN_MS / 1_000)
            connection.connect(str(socket_path))
            connection.sendall(request.model_dump_json().encode() + b"\n")
            reply = _reply(connection, request.id, clock)
    except OSError as error:
        raise RecorderLost(error.strerror or str(error)) from error
    if reply.error is not None:
        raise RecorderRefused(reply.error)
    return reply


def _reply(connection: socket.socket, request_id: str, clock: Clock) -> Reply:
    """The reply among what the recorder says by itself."""
    deadline_ms = clock.mono_ms() + ANSWER_WITHIN_MS
    rest = b""
    while clock.mono_ms() < deadline_ms:
        block = connection.recv(_READ_BYTES)
        if not block:
            raise RecorderLost("it hung up before it answered")
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            try:
                said = _SAID.validate_json(line)
            except ValidationError:
                continue  # a newer recorder says more than we know
            if isinstance(said, Reply) and said.id == request_id:
                return said
        if len(rest) > _LINE_MAX_BYTES:
            raise RecorderLost("what listens there is no recorder")
    raise RecorderLost(f"no answer within {ANSWER_WITHIN_MS // 1_000} s")
