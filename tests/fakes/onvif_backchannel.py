"""Runs a camera with a loudspeaker for a test, and reads what it heard."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCRIPT = Path(__file__).with_name("onvif_backchannel_server.py")
PYTHON = "/usr/bin/python3"  # GStreamer's bindings are Debian's
START_S = 20.0


@dataclass(slots=True)
class TalkedTo:
    """A running camera: ``/mulaw`` and ``/alaw`` have a back channel, ``/mute`` has none."""

    port: int
    folder: Path
    process: asyncio.subprocess.Process

    def url(self, mount: str = "/mulaw") -> str:
        return f"rtsp://127.0.0.1:{self.port}{mount}"

    def heard(self, mount: str = "/mulaw") -> NDArray[np.int16]:
        """Samples at 8 kHz that its loudspeaker was given."""
        path = self.folder / f"{mount[1:]}.raw"
        return np.fromfile(path, np.int16) if path.exists() else np.zeros(0, np.int16)

    def die(self) -> None:
        """Pull its plug."""
        self.process.kill()


@asynccontextmanager
async def talked_to(folder: Path, *, user: str = "", password: str = "") -> AsyncIterator[TalkedTo]:
    """A camera on loopback that keeps what it hears in ``folder``; ``user``: it asks for digest."""
    mounts = {
        f"/{law}": {"law": law, "heard": str(folder / f"{law}.raw")} for law in ("mulaw", "alaw")
    }
    mounts["/mute"] = {"law": "", "heard": ""}
    auth = {"user": user, "password": password} if user else None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        PYTHON, str(SCRIPT), json.dumps({"mounts": mounts, "auth": auth}), stdin=pipe, stdout=pipe
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        yield TalkedTo(json.loads(line)["port"], folder, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
