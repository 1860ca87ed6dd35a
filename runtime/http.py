"""Serves one process's HTTP API on a bound port, and stops at once when the process is told to."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from fastapi import FastAPI

GOODBYE_S: Final = 1
# Event streams and live pictures never end by themselves; shutdown has 5 s for everything.
STOP_WITHIN_S: Final = 2.5
WS_MESSAGE_MAX_BYTES: Final = 65_536  # what a client may send: a token, never a file
POLL_S: Final = 0.05
KEEP_ALIVE_S: Final = 20
# How long an idle connection stays: well above the 5 s for which our clients (httpx) keep theirs.
# Where both end at 5 s, now and then a request meets a connection that is just being closed.


class PortTakenError(OSError):
    """The API cannot listen where its settings say; names the port and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket; port 0 takes a free one.

    Raises:
        PortTakenError: the port is in use, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"port {port} on {host} is in use by another process (setting api.port). Choose "
                f"another, or find out who has it: ss -ltnp 'sport = :{port}'"
            ) from None
        raise PortTakenError(
            f"cannot listen on {host}:{port} (settings api.host, api.port): {error.strerror}"
        ) from None
    return bound


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process (runtime.supervise.run_service), not to its web server.
        yield


async def serve(
    app: "FastAPI",
    bound: socket.socket,
    *,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    before_stop: Callable[[], None] | None = None,
) -> None:
    """Serve until cancelled.

    ``before_stop`` ends the answers that would never end by themselves; what is still open
    ``GOODBYE_S`` later is cut.
    """
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GOODBYE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws_max_size=WS_MESSAGE_MAX_BYTES,
            ws_per_message_deflate=False,  # video does not get smaller, only later
            ssl_certfile=cert_file,
            ssl_keyfile=key_file,
        )
    )
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        if before_stop is not None:
            before_stop()
        # A cancelled server would leave its answers to the loop's end, each with a traceback.
        server.should_exit = True
        await asyncio.wait({serving}, timeout=STOP_WITHIN_S)
        raise
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        bound.close()
