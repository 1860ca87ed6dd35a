"""The simulated cameras as one process: RTSP out, cues and faults in, and a log of the truth."""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import aio_sockets as aio
import cv2
import uvicorn
from aio_rtsp_toolkit.server import RtspServer
from aio_rtsp_toolkit.server_media import MediaSource
from aio_rtsp_toolkit.server_session import RtspServerSession
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import Field

from contracts.envelope import Strict
from contracts.units import CameraId
from runtime.clock import Clock, SystemClock
from zeroentry.composer.model import (
    CorridorClear,
    CorridorOutsider,
    Cue,
    Gather,
    Intrude,
    Leave,
    RobotAt,
    Scene,
    SceneKind,
    Seat,
    Vest,
    Withdraw,
)
from zeroentry.demo.livecam import LiveCamera, TruthChange

TOKEN_ENV: Final = "ZEROENTRY_CAMERAS_TOKEN"  # noqa: S105 - its name, not its value
LIVE_SUFFIX: Final = ".live"


class SimulatedCamera(Strict):
    """One camera of the demo: its id is the last part of its RTSP address."""

    id: CameraId
    scene: SceneKind
    seed: int = Field(ge=0)
    label: str = Field(max_length=40)
    warm: bool = False


class CamerasSettings(Strict):
    """What the process of simulated cameras needs; the token comes from the environment."""

    rtsp_port: int = Field(ge=1, le=65_535)
    control_port: int = Field(ge=1, le=65_535)
    truth_file: Path
    cameras: tuple[SimulatedCamera, ...] = Field(min_length=1, max_length=16)


class CueBody(Strict):
    """One cue for one camera; see zeroentry.composer.model for what each does."""

    cue: Literal["gather", "seat", "intrude", "withdraw", "leave", "outsider", "clear", "robot_at"]
    count: int = Field(default=5, ge=0, le=6)
    stagger_ms: int = Field(default=1_500, ge=100, le=60_000)
    person: str = Field(default="intruder-1", max_length=40)
    vest: Vest = Vest.NONE
    progress: float | None = Field(default=None, ge=0.0, le=1.0)

    def as_cue(self) -> Cue:
        """The composer's own word for it."""
        match self.cue:
            case "gather":
                return Gather(self.count, self.stagger_ms)
            case "seat":
                return Seat(self.count)
            case "intrude":
                return Intrude(self.person, self.vest)
            case "withdraw":
                return Withdraw(self.person)
            case "leave":
                return Leave(self.stagger_ms)
            case "outsider":
                return CorridorOutsider(self.person, self.vest)
            case "clear":
                return CorridorClear()
            case "robot_at":
                return RobotAt(self.progress)


class FaultBody(Strict):
    """What is wrong with a camera: unplugged (no address answers), frozen, or silent."""

    unplugged: bool = False
    frozen: bool = False
    silent: bool = False


class _LiveSession(RtspServerSession):  # type: ignore[misc]  # it has no types
    """An RTSP session that streams a live camera instead of a file."""

    server: "LiveRtspServer"

    async def _stream_media(self) -> None:
        source = self.media_source
        if source is None or source.stream_kind != "live":
            await super()._stream_media()
            return
        camera = self.server.cameras[source.stream_id]
        queue = camera.watch()
        try:
            await self._forward(queue)
        finally:
            camera.leave(queue)

    async def _forward(self, queue: "asyncio.Queue[Any]") -> None:
        video = self.track_states.get("track1")
        audio = self.track_states.get("track2")
        first_ms: float | None = None
        while not self.closed:
            packet = await queue.get()
            if first_ms is None:
                if packet.kind != "video" or not packet.is_keyframe:
                    continue
                first_ms = packet.time_ms
            at_s = (packet.time_ms - first_ms) / 1000
            if at_s < 0:
                continue
            # a duration of 0: the packets of one picture leave at once, as a camera's do
            if packet.kind == "video" and video is not None and video.rtp_channel is not None:
                await self._send_video_packet(video, packet.data, at_s, 0.0, packet.is_keyframe)
            elif packet.kind == "aac" and audio is not None and audio.rtp_channel is not None:
                await self._send_aac_packet(audio, packet.data, at_s, 0.0)


class LiveRtspServer(RtspServer):  # type: ignore[misc]  # it has no types
    """The RTSP server of the library, with live cameras in place of its folder of files."""

    def __init__(self, cameras: dict[str, LiveCamera], port: int) -> None:
        super().__init__(directory="/nonexistent", host="127.0.0.1", port=port)
        self.logger = logging.getLogger("zeroentry.demo.rtsp")
        self.cameras = cameras
        self.unplugged: set[str] = set()
        self._sources = {name: camera.media_source() for name, camera in cameras.items()}
        self._sessions: set[_LiveSession] = set()

    async def _handle_client(self, sock: aio.TCPSocket) -> None:
        session = _LiveSession(self, sock)
        self._sessions.add(session)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await session.run()
        finally:
            self._sessions.discard(session)

    def resolve_request_path(self, uri: str) -> Path:
        """The camera of this address; an unplugged one is not found."""
        name = self.resolve_track_name(uri)
        if name not in self.cameras or name in self.unplugged:
            raise FileNotFoundError(uri)
        return Path(name + LIVE_SUFFIX)

    def load_media_source(self, file_path: Path) -> MediaSource:
        """The description of a live camera."""
        return self._sources[file_path.name.removesuffix(LIVE_SUFFIX)]

    async def unplug(self, name: str) -> None:
        """Cut a camera's connections and refuse new ones until it is plugged in again."""
        self.unplugged.add(name)
        for session in list(self._sessions):
            if session.media_source is not None and session.media_source.stream_id == name:
                await session.close()


def build_control(server: LiveRtspServer, token: str) -> FastAPI:
    """The small API by which the director plays the people; behind a token, on loopback."""

    def guard(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization, f"Bearer {token}"):
            raise HTTPException(401, f"send the token of {TOKEN_ENV} as a bearer token")

    def camera_of(camera_id: str) -> LiveCamera:
        camera = server.cameras.get(camera_id)
        if camera is None:
            raise HTTPException(404, f"no camera {camera_id!r}; cameras: {sorted(server.cameras)}")
        return camera

    app = FastAPI(title="Zero Entry simulated cameras", dependencies=[Depends(guard)])

    @app.post("/cameras/{camera_id}/cue", status_code=204)
    async def cue(camera: Annotated[LiveCamera, Depends(camera_of)], body: CueBody) -> None:
        camera.cue(body.as_cue())

    @app.put("/cameras/{camera_id}/fault", status_code=204)
    async def fault(camera: Annotated[LiveCamera, Depends(camera_of)], body: FaultBody) -> None:
        camera.frozen, camera.silent = body.frozen, body.silent
        if body.unplugged:
            await server.unplug(camera.camera_id)
        else:
            server.unplugged.discard(camera.camera_id)

    @app.get("/health")
    async def health() -> dict[str, int]:
        return {"cameras": len(server.cameras)}

    return app


@contextlib.asynccontextmanager
async def running(
    settings: CamerasSettings, clock: Clock, token: str
) -> AsyncIterator[LiveRtspServer]:
    """The cameras, their RTSP server and their control API, until the block ends."""
    cv2.setNumThreads(1)  # three painters on two cores: OpenCV's own threads only get in the way
    with settings.truth_file.open("a", encoding="utf-8", buffering=1) as truth:

        def record(change: TruthChange) -> None:
            truth.write(json.dumps(asdict(change)) + "\n")

        cameras = {
            camera.id: LiveCamera(
                camera.id,
                Scene(camera.scene, camera.seed, camera.label),
                clock,
                record,
                warm=camera.warm,
            )
            for camera in settings.cameras
        }
        server = LiveRtspServer(cameras, settings.rtsp_port)
        control = uvicorn.Server(
            uvicorn.Config(
                build_control(server, token),
                host="127.0.0.1",
                port=settings.control_port,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        await server.start()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(camera.run()) for camera in cameras.values()]
            tasks += [
                group.create_task(server.serve_forever()),
                group.create_task(control._serve()),  # noqa: SLF001 - serve() takes the signals
            ]
            try:
                yield server
            finally:
                for task in tasks:
                    task.cancel()
                await server.close()


async def main(settings: CamerasSettings, environ: Mapping[str, str]) -> None:
    """Run until cancelled.

    Raises:
        RuntimeError: the token is missing from the environment.
    """
    token = environ.get(TOKEN_ENV, "")
    if not token:
        raise RuntimeError(
            f"set {TOKEN_ENV}: the control API of the simulated cameras needs a token"
        )
    async with running(settings, SystemClock(), token):
        await asyncio.Event().wait()
