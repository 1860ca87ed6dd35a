"""An edge node of the office: speaks the real contracts over a real broker, sees what it is told.

It keeps its promises to the controller (durable outbox, chains of evidence, answers to seals) and
serves pictures, a clip and a sound over HTTP; only what it perceives is set by a test.
"""

import asyncio
import contextlib
import hashlib
import io
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
import numpy as np
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.base import RequestResponseEndpoint

from contracts import topics
from contracts.codec import Message, decode, encode, encode_ack
from contracts.commands import Release, Seal
from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import (
    AccessEvent,
    AccessKind,
    Alert,
    Appearance,
    Box,
    CameraHealth,
    CameraState,
    CameraView,
    Condition,
    Measured,
    NodeHealth,
    NodeState,
    PictureRef,
    RecordingHealth,
    RecordingState,
    RoomObservation,
    Said,
    SealApplied,
    SeenPerson,
    Severity,
    SoundRef,
    SoundState,
    TrackHealth,
)
from contracts.topics import Kind
from contracts.units import UtcMs
from runtime.clock import Clock
from runtime.mqtt import MqttLost, MqttSession, MqttSettings, Outgoing
from runtime.outbox import InboxCursor, Outbox, OutboxPump, accept, ack_for, cursor_after
from runtime.signing import SigningKey
from tests.fakes.clip_mp4 import clip_mp4
from tests.fakes.console_controller import serving
from tests.fakes.console_pictures import people_boxes, room_jpeg
from tests.fakes.node_chain import NodeChain

SIGHT_MS: Final = 500  # rooms are reported twice a second
HEALTH_MS: Final = 2_000
ENTRY_MS: Final = 4_000  # one chain's next segment; real ones take a minute
MJPEG_MS: Final = 500
SAMPLES_PER_S: Final = 16_000
SOUND_S: Final = 6
CHUNK_MS: Final = 100
CONNECTED_S: Final = 15.0

BUTTONS: Final = """<!doctype html><meta charset=utf-8><title>{camera}</title>
<body style="background:#0e151c;color:#dde5ec;font:16px sans-serif;padding:2rem">
<h1>{camera}</h1><p data-testid="node-page">{path}</p></body>"""


@dataclass
class Scene:
    """What a node perceives in one room; tests change it, then call ``StandIn.say``."""

    room_id: str
    corridor: bool
    cameras: tuple[str, ...]
    people: int = 0
    visitors: int = 0
    blind: bool = False
    camera: CameraState = CameraState.LIVE
    sound: SoundState = SoundState.LIVE
    level_dbfs: float = -42.0
    recording: RecordingState = RecordingState.RECORDING
    gap: GapReason | None = None
    sealed_for: str | None = None
    index: int = 0

    @property
    def head_count(self) -> int | None:
        """What is reported; None while no camera sees the room."""
        blind = self.blind or self.camera is not CameraState.LIVE
        return None if blind else self.people + self.visitors

    def seen(self) -> tuple[SeenPerson, ...]:
        """The people in the picture."""
        boxes = people_boxes(min(self.people, 5), visitor=self.visitors > 0)
        return tuple(
            SeenPerson(
                track=index,
                box=Box(x1=max(x1, 0.0), y1=max(y1, 0.0), x2=min(x2, 1.0), y2=min(y2, 1.0)),
                score=round(0.93 - index * 0.03, 2),
                settled=True,
                appearance=Appearance.BLUE
                if self.visitors and index == len(boxes) - 1
                else Appearance.RED,
            )
            for index, (x1, y1, x2, y2) in enumerate(boxes)
        )

    def jpeg(self, tick: int, *, boxes: bool = False) -> bytes:
        """What its camera shows."""
        return room_jpeg(
            people=min(self.people, 5),
            visitor=self.visitors > 0,
            corridor=self.corridor,
            tick=tick,
            boxes=boxes,
            plain_seed=1 + sum(self.room_id.encode()) % 7,
        )


def sound_flac(seconds: int = SOUND_S) -> bytes:
    """A quiet room in which a telephone rings twice: FLAC, mono."""
    rng = np.random.default_rng(7)
    time_s = np.arange(seconds * SAMPLES_PER_S) / SAMPLES_PER_S
    wave = rng.normal(0, 0.01, time_s.size)
    for start in (1.4, 3.4):
        inside = (time_s >= start) & (time_s < start + 1.1)
        wave += inside * 0.4 * np.sin(2 * np.pi * 1_350 * time_s) * (np.sin(50 * time_s) > 0)
    samples = (np.clip(wave, -1, 1) * 32_000).astype(np.int16)[None, :]
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLES_PER_S, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = SAMPLES_PER_S
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


@dataclass
class StandIn:
    """One edge node. ``requests`` counts what browsers and the controller fetched, by path."""

    node_id: str
    site: str
    rooms: dict[str, Scene]
    folder: Path
    broker_port: int
    clock: Clock
    state: NodeState = NodeState.RUNNING
    clock_state: ClockState = field(
        default_factory=lambda: ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.3)
    )
    mute_evidence: bool = False
    """True: chains say nothing, as when a recorder hangs."""
    answers_seals: bool = True
    origin: str = ""
    requests: "Counter[str]" = field(default_factory=Counter)
    orders: list[object] = field(default_factory=list)
    """Seal, Release and Keep as they came."""
    standing: dict[str, Alert] = field(default_factory=dict)
    """Alerts whose condition is active, by id."""

    def __post_init__(self) -> None:
        self.key = SigningKey.generate()
        self.chains = {
            camera: NodeChain(
                key=self.key,
                site=self.site,
                node=self.node_id,
                track=camera,
                room=room.room_id,
                utc_ms=int(self.clock.utc_ms()),
            )
            for room in self.rooms.values()
            for camera in room.cameras
        }
        self.pictures: dict[str, bytes] = {}
        self.clip = clip_mp4(6)
        self.flac = sound_flac()
        self.app = self._app()
        self._cursors: dict[tuple[str, str], InboxCursor] = {}
        self._ids = 0

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Be there for a while."""
        settings = MqttSettings(port=self.broker_port, client_id=self.node_id)
        self.bus = MqttSession(settings, self.clock, rng=random.Random(1))
        self.outbox = Outbox(
            self.folder / f"{self.node_id}.db", self.node_id, self.node_id, self.clock
        )
        ack_topic = topics.ack_topic(self.site, self.node_id)
        pump = OutboxPump(self.outbox, self.bus, self.clock, random.Random(2), ack_topic=ack_topic)
        for chain in self.chains.values():
            self._durable(Kind.ENTRY, chain.room, chain.opened())
        async with serving(self.app) as self.origin:
            parts = (self.bus.run(), pump.run(), self._obey(), self._live(), self._record())
            working = [asyncio.create_task(part) for part in parts]
            async with asyncio.timeout(CONNECTED_S):
                await self.bus.wait_connected()
            await self.say()
            try:
                yield
            finally:
                broken = [task for task in working if task.done()]
                for task in working:
                    task.cancel()
                await asyncio.gather(*working, return_exceptions=True)
                self.outbox.close()
            for task in broken:
                task.result()

    # what tests do

    async def say(self) -> None:
        """Report health and every room now."""
        await self._health()
        for scene in self.rooms.values():
            await self._observe(scene)

    async def observe(self, room_id: str) -> None:
        """Report one room now."""
        await self._observe(self.rooms[room_id])

    def raise_alert(
        self,
        room_id: str,
        *,
        rule: str = "area.over_admitted",
        severity: Severity = Severity.ALARM,
        sound: bool = False,
        limit: int = 5,
    ) -> str:
        """Put an alert into the outbox as a rule would; its id."""
        scene, now = self.rooms[room_id], self.clock.utc_ms()
        alert = Alert(
            alert_id=self.new_id("a"),
            rule=rule,
            condition=Condition.ACTIVE,
            severity=severity,
            room_id=room_id,
            node_id=self.node_id,
            session_id=scene.sealed_for,
            camera_id=scene.cameras[0] if scene.cameras else None,
            since_utc_ms=UtcMs(now - 1_400),
            raised_utc_ms=UtcMs(now - 20),
            dwell_ms=1_000,
            confidence=0.91,
            measured=(Measured(name="people", value=scene.head_count or 0, limit=limit),),
            settings=(Measured(name="dwell_ms", value=1_000, unit="ms"),),
            saw=Said(
                zh=f"画面中有 {scene.head_count or 0} 人，准入 {limit} 人。",
                en=f"{scene.head_count or 0} people are in the picture; {limit} are admitted.",
            ),
            boxes=scene.seen(),
            picture=self._kept(scene) if scene.cameras else None,
            sound=self._sound(scene) if sound else None,
        )
        self._durable(Kind.ALERT, room_id, alert)
        self.standing[alert.alert_id] = alert
        return alert.alert_id

    def clear_alert(self, alert_id: str) -> None:
        """Its condition is over."""
        alert = self.standing.pop(alert_id)
        changes = {"condition": Condition.CLEARED, "cleared_utc_ms": self.clock.utc_ms()}
        self._durable(Kind.ALERT, alert.room_id, alert.model_copy(update=changes))

    def access(self, room_id: str, kind: AccessKind, seat: str | None = None) -> str:
        """A door or an ID terminal reports; the event's id."""
        event = AccessEvent(
            event_id=self.new_id("x"),
            room_id=room_id,
            kind=kind,
            utc_ms=self.clock.utc_ms(),
            seat=seat,
        )
        self._durable(Kind.ACCESS, room_id, event)
        return event.event_id

    def send(self, kind: Kind, room_id: str, body: BaseModel) -> None:
        """Any durable message of this node."""
        self._durable(kind, room_id, body)

    def new_id(self, letter: str) -> str:
        """An id that this node has not used."""
        self._ids += 1
        return f"{letter}-{self.node_id}-{self.clock.utc_ms()}-{self._ids}"

    # what a node does

    def _durable(self, kind: Kind, room_id: str, body: BaseModel) -> None:
        topic = topics.room_topic(kind, self.site, room_id)
        self.outbox.append(topic, body, room_id, self.new_id("m"))

    async def _live(self) -> None:
        waited = 0
        while True:
            for scene in self.rooms.values():
                await self._observe(scene)
            if waited % HEALTH_MS == 0:
                await self._health()
            waited += SIGHT_MS
            await self.clock.sleep_ms(SIGHT_MS)

    async def _record(self) -> None:
        while True:
            await self.clock.sleep_ms(ENTRY_MS)
            for chain in self.chains.values():
                if self.mute_evidence:
                    continue
                length = int(self.clock.utc_ms()) - chain.utc_ms
                scene = self.rooms[chain.room]
                if scene.recording is RecordingState.RECORDING:
                    said = chain.segment(length)
                else:
                    said = chain.gap(length, scene.gap or GapReason.CAMERA_OFFLINE)
                self._durable(Kind.ENTRY, chain.room, said)

    async def _observe(self, scene: Scene) -> None:
        scene.index += 1
        now = self.clock.utc_ms()
        body = RoomObservation(
            room_id=scene.room_id,
            node_id=self.node_id,
            boot_id="boot-1",
            index=scene.index,
            utc_ms=now,
            head_count=scene.head_count,
            confidence=None if scene.head_count is None else 0.93,
            views=tuple(
                CameraView(
                    camera_id=camera,
                    state=scene.camera,
                    frame_utc_ms=now if scene.camera is CameraState.LIVE else None,
                    people=scene.seen() if scene.camera is CameraState.LIVE else (),
                    sound=SoundState.ABSENT if scene.corridor else scene.sound,
                    level_dbfs=None if scene.corridor else scene.level_dbfs,
                )
                for camera in scene.cameras
            ),
        )
        await self._publish(
            Kind.OBSERVATION, topics.room_topic(Kind.OBSERVATION, self.site, scene.room_id), body
        )

    async def _health(self) -> None:
        now = self.clock.utc_ms()
        tracks = tuple(
            TrackHealth(
                track_id=name,
                room_id=chain.room,
                state=self.rooms[chain.room].recording,
                since_utc_ms=UtcMs(now - 3_600_000),
                reason=self.rooms[chain.room].gap,
                sequence=chain.sequence,
                witnessed_sequence=chain.sequence,
            )
            for name, chain in self.chains.items()
        )
        body = NodeHealth(
            node_id=self.node_id,
            state=self.state,
            utc_ms=now,
            boot_id="boot-1",
            version="office",
            api_url=self.origin,
            rooms=tuple(self.rooms),
            cameras=tuple(
                CameraHealth(
                    camera_id=camera,
                    state=scene.camera,
                    frames_per_s=10,
                    analysed_per_s=5,
                    dropped_frames=0,
                    sound=SoundState.ABSENT if scene.corridor else scene.sound,
                )
                for scene in self.rooms.values()
                for camera in scene.cameras
            ),
            disk_free_bytes=10**12,
            recording=RecordingHealth(
                running=True,
                tracks=tracks,
                key=self.key.id,
                clock=self.clock_state,
                disk_free_bytes=10**12,
                disk_total_bytes=2 * 10**12,
                days_left=123.0,
            ),
        )
        await self._publish(Kind.HEALTH, topics.health_topic(self.site, self.node_id), body)

    async def _publish(self, kind: Kind, topic: str, body: BaseModel) -> None:
        spec = topics.SPECS[kind]
        payload = encode(
            kind,
            body,
            message_id=self.new_id("l"),
            sender=self.node_id,
            sent_utc_ms=self.clock.utc_ms(),
        )
        with contextlib.suppress(MqttLost):  # live messages: the next one says the same
            await self.bus.publish(Outgoing(topic, payload, qos=spec.qos, retain=spec.retain))

    async def _obey(self) -> None:
        inbox = self.bus.subscribe(topics.command_topic(self.site, self.node_id), qos=1)
        async for inbound in inbox:
            found = decode(inbound.topic, inbound.payload)
            if not isinstance(found, Message) or found.delivered is None:
                continue
            place = (found.delivered.stream, found.delivered.epoch)
            verdict = accept(self._cursors.get(place), found.delivered)
            if verdict.stores:
                self._cursors[place] = cursor_after(found.delivered)
                self._obeyed(found.body)
            if (cursor := self._cursors.get(place)) is not None:
                topic = topics.ack_topic(self.site, cursor.stream)
                ack = encode_ack(ack_for(cursor, by=self.node_id))
                with contextlib.suppress(MqttLost):  # what comes again is acknowledged again
                    await self.bus.publish(Outgoing(topic, ack, qos=1, retain=True))

    def _obeyed(self, order: object) -> None:
        self.orders.append(order)
        if not isinstance(order, Seal | Release) or not self.answers_seals:
            return
        scene, sealing = self.rooms[order.room_id], isinstance(order, Seal)
        scene.sealed_for = order.session_id if sealing else None
        for camera in scene.cameras:
            chain = self.chains[camera]
            said = chain.sealed if sealing else chain.released
            self._durable(Kind.ENTRY, chain.room, said(order.session_id))
        applied = SealApplied(
            node_id=self.node_id,
            room_id=order.room_id,
            session_id=scene.sealed_for,
            sealed=sealing,
            admitted=order.admitted if isinstance(order, Seal) else None,
            command_id=order.command_id,
            utc_ms=self.clock.utc_ms(),
        )
        self._durable(Kind.APPLIED, order.room_id, applied)

    def _kept(self, scene: Scene) -> PictureRef:
        now = self.clock.utc_ms()
        jpeg = scene.jpeg(int(now) // 1000)
        sha256 = hashlib.sha256(jpeg).hexdigest()
        self.pictures[sha256] = jpeg
        return PictureRef(
            sha256=sha256,
            bytes=len(jpeg),
            path=f"/api/v1/pictures/{sha256}.jpg",
            camera_id=scene.cameras[0],
            taken_utc_ms=UtcMs(now - 100),
        )

    def _sound(self, scene: Scene) -> SoundRef:
        sha256 = hashlib.sha256(self.flac).hexdigest()
        return SoundRef(
            sha256=sha256,
            bytes=len(self.flac),
            path=f"/api/v1/sounds/{sha256}.flac",
            source_id=scene.cameras[0],
            from_utc_ms=UtcMs(self.clock.utc_ms() - SOUND_S * 1_000),
            duration_ms=SOUND_S * 1_000,
        )

    def _scene(self, camera_id: str) -> Scene:
        return next(room for room in self.rooms.values() if camera_id in room.cameras)

    def _app(self) -> FastAPI:
        """What a node serves to browsers and to the controller; a test may add routes to it."""
        app = FastAPI()
        app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["*"])

        @app.middleware("http")
        async def count(request: Request, go_on: RequestResponseEndpoint) -> Response:
            self.requests[request.url.path] += 1
            return await go_on(request)

        @app.get("/api/v1/pictures/{sha256}.jpg")
        def picture(sha256: str) -> Response:
            found = self.pictures.get(sha256)
            return Response(found or b"", 200 if found else 404, media_type="image/jpeg")

        @app.get("/api/v1/sounds/{sha256}.flac")
        def sound(sha256: str) -> Response:
            return Response(self.flac, media_type="audio/flac", headers={"ETag": sha256})

        @app.get("/api/v1/cameras/{camera_id}/snapshot.jpg")
        def snapshot(camera_id: str, *, boxes: bool = False) -> Response:
            tick = int(self.clock.utc_ms()) // 1000
            jpeg = self._scene(camera_id).jpeg(tick, boxes=boxes)
            return Response(jpeg, media_type="image/jpeg")

        @app.get("/api/v1/cameras/{camera_id}/live.mjpg")
        async def live(camera_id: str, *, boxes: bool = False) -> Response:
            return StreamingResponse(
                self._frames(camera_id, boxes=boxes),
                media_type="multipart/x-mixed-replace; boundary=frame",
            )

        @app.get("/api/v1/alerts/{alert_id}/clip.mp4")
        @app.get("/api/v1/cameras/{alert_id}/clip.mp4")
        def clip(alert_id: str) -> Response:
            return Response(self.clip, media_type="video/mp4", headers={"X-Of": alert_id})

        @app.websocket("/api/v1/listen/{source_id}/{listening_id}")
        async def listen(socket: WebSocket) -> None:
            """Silence, in the chunks of a real node, until nobody hears any more."""
            await socket.accept()
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                while True:
                    await socket.send_bytes(bytes(2 * SAMPLES_PER_S * CHUNK_MS // 1_000))
                    await self.clock.sleep_ms(CHUNK_MS)

        @app.get("/view/{camera_id}")
        @app.get("/view/{camera_id}/{page}")
        def page(camera_id: str, request: Request) -> Response:
            return HTMLResponse(BUTTONS.format(camera=camera_id, path=request.url.path))

        return app

    async def _frames(self, camera_id: str, *, boxes: bool) -> AsyncIterator[bytes]:
        scene = self._scene(camera_id)
        while True:
            if scene.camera is CameraState.LIVE:
                tick = int(self.clock.utc_ms()) // 1000
                jpeg = await asyncio.to_thread(scene.jpeg, tick, boxes=boxes)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                yield head.encode() + jpeg + b"\r\n"
            await self.clock.sleep_ms(MJPEG_MS)
