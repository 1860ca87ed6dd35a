"""Serves clips over RTSP from a process of its own, so that a test can stop it dead.

python -m tests.fakes.rtsp_process FOLDER PORT
"""

import asyncio
import sys

from aio_rtsp_toolkit.server import RtspServer


async def serve(folder: str, port: int) -> None:
    """Serve until killed."""
    await RtspServer(folder, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
