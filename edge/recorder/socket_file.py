"""Decides how recorder and node find each other: a Unix socket that only their user may open."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LINE_MAX_BYTES: Final = 131_072
# A status with 64 tracks has 25 KiB, a request to hold 64 tracks 4 KiB.
SUN_PATH_MAX_BYTES: Final = 107  # sockaddr_un of Linux, with its final zero byte
_ONLY_OURS: Final = 0o600
_BACKLOG: Final = 16


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path as an address; a long one goes by way of its folder's descriptor."""
    if len(os.fsencode(path)) <= SUN_PATH_MAX_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """A socket that listens at ``path``, mode 0600; one that a killed recorder left is replaced.

    Whoever calls holds the recorder's lock: no living recorder listens there.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            bound.bind(address)
        path.chmod(_ONLY_OURS)  # before anybody can connect: that takes listen()
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


async def connected(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the recorder that listens at ``path``.

    Raises:
        OSError: nobody listens there.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with _address(path) as address:
            await asyncio.get_running_loop().sock_connect(made, address)
        return await asyncio.open_unix_connection(sock=made, limit=LINE_MAX_BYTES)
    except BaseException:
        made.close()
        raise
