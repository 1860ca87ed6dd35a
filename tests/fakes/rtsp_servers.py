"""Runs a real RTSP server for a test, and a proxy in front of it that does what bad lines do."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).with_name("rtsp_gst_server.py")
PYTHON = "/usr/bin/python3"  # GStreamer's bindings are Debian's
START_S = 15.0

PAYLOADS = {
    "h264": "h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96",
    "h265": "h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96",
    "aac": "aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcma": "rtppcmapay name=pay1 pt=8",
    "pcmu": "rtppcmupay name=pay1 pt=0",
    "opus": "opusparse ! rtpopuspay name=pay1 pt=98",
}
DEMUXERS = {".mp4": "qtdemux", ".mov": "qtdemux", ".mkv": "matroskademux", ".ts": "tsdemux"}


def launch(path: Path, codec: str, sound: str | None) -> str:
    """A pipeline that plays a file at its own pace over RTP."""
    source = f"filesrc location={path} ! {DEMUXERS[path.suffix]} name=d"
    video = f"d.video_0 ! queue ! {PAYLOADS[codec]}"
    audio = f"d.audio_0 ! queue ! {PAYLOADS[sound]}" if sound else ""
    return f"( {source} {video} {audio} )"


@dataclass(slots=True)
class RtspServer:
    """A running server; ``url`` of a mount, and its process to stop and go on."""

    port: int
    process: asyncio.subprocess.Process

    def url(self, mount: str = "/cam") -> str:
        return f"rtsp://127.0.0.1:{self.port}{mount}"

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def rtsp_server(
    mounts: dict[str, str], *, auth: dict[str, str] | None = None, tls: Path | None = None
) -> AsyncIterator[RtspServer]:
    """Serve pipelines by mount; ``auth`` has kind (basic, digest), user and password.

    ``tls`` is a PEM file with certificate and key: the server then speaks rtsps alone.
    """
    spec = {
        "mounts": {path: {"launch": text} for path, text in mounts.items()},
        "auth": auth,
        "tls": str(tls) if tls is not None else None,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        PYTHON, str(SCRIPT), json.dumps(spec), stdin=pipe, stdout=pipe
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        yield RtspServer(json.loads(line)["port"], process)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


@dataclass(slots=True)
class BadLine:
    """What the proxy does to what the server sends; may be changed while it runs."""

    seed: int = 1
    flips_per_mb: float = 0.0
    """Bytes changed, of a million."""
    flipped: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _rng: random.Random | None = None

    def hang_up(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def spoil(self, data: bytes) -> bytes:
        if not self.flips_per_mb:
            return data
        self._rng = self._rng or random.Random(self.seed)
        wanted = len(data) * self.flips_per_mb / 1_000_000
        count = int(wanted) + (self._rng.random() < wanted % 1)
        spoilt = bytearray(data)
        for _ in range(count):
            spoilt[self._rng.randrange(len(spoilt))] ^= 1 << self._rng.randrange(8)
        self.flipped += count
        return bytes(spoilt)


@asynccontextmanager
async def proxy(server: RtspServer, line: BadLine) -> AsyncIterator[Callable[[str], str]]:
    """A TCP proxy on a port of its own; gives the address of a mount through it."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, spoils: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(16_384):
                writer.write(line.spoil(data) if spoils else data)
                await writer.drain()
        writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", server.port)
        line._writers.extend((writer, their_writer))
        for task in (
            asyncio.create_task(pump(reader, their_writer, spoils=False)),
            asyncio.create_task(pump(their_reader, writer, spoils=True)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(meet, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield lambda mount: f"rtsp://127.0.0.1:{port}{mount}"
    finally:
        listener.close()
        line.hang_up()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
