"""Serves the API on a socket that is bound first of all, so that a taken port is named."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

GOODBYE_S: Final = 1  # live views never end by themselves; shutdown has 5 s for everything


class PortTakenError(OSError):
    """The API cannot listen where its settings say; names address, port and setting."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one.

    Raises:
        PortTakenError: the port is in use or the address is not of this machine.
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
    app: FastAPI, bound: socket.socket, *, cert_file: Path | None, key_file: Path | None
) -> None:
    """Serve until cancelled."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
        ssl_certfile=cert_file,
        ssl_keyfile=key_file,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[bound])
    finally:
        bound.close()
