"""A real broker, a real RTSP server with composed footage, a controller's side of the bus, an edge node."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aio_rtsp_toolkit.server import RtspServer

from contracts import codec, topics
from contracts.commands import Release, Seal
from contracts.devices import Area, CameraConfig, Named, NodeConfig, Site, SiteConfig, StreamConfig
from contracts.observations import Alert, NodeHealth, RoomObservation, SealApplied
from contracts.topics import Kind
from edge.__main__ import Node, wire
from edge.api.app import build
from edge.api.server import serve
from edge.settings import ApiSettings, EdgeSettings
from runtime import broker
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings, Outgoing
from runtime.outbox import InboxCursor, Outbox, OutboxPump, accept, ack_for, cursor_after
from tests.fakes.waiting import until
from zeroentry.composer.encode import write_clip
from zeroentry.composer.model import Intrude, Scene, Script, Seat, TimedCue, Withdraw
from zeroentry.composer.scripts import play
from zeroentry.composer.sound import room_tone, silence

SITE = "demo"
NODE = "edge-1"
ROOM = "room-1"
CAMERA = "room-1-cam"
FPS = 10
RUN_KEY = "11" * 32
NODE_KEY = "22" * 32
TOKEN = "view-token-of-the-test-0001"
ENVIRON = {
    "ZEROENTRY_RUN_KEY": RUN_KEY,
    "ZEROENTRY_NODE_KEY": NODE_KEY,
    "ZEROENTRY_EDGE_TOKENS": f"all:view+ops+metrics:{TOKEN}",
}
NAME = Named(zh="评标室", en="Room")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``five.mp4``: five people sit; ``sixth.mp4``: and a sixth comes at 3 s; ``mute.mp4``: no sound."""
    folder = tmp_path_factory.mktemp("footage")
    sit = Script((TimedCue(0, Seat(5)),), 6_000)
    enter = Script(
        (TimedCue(0, Seat(5)), TimedCue(2_500, Intrude()), TimedCue(5_500, Withdraw())), 16_000
    )
    for name, script, sound in (
        ("five.mp4", sit, room_tone(1, 6)),
        ("mute.mp4", sit, silence(6)),
        ("sixth.mp4", enter, room_tone(2, 16)),
    ):
        pictures = (frame.image for frame in play(Scene(seed=1), script, FPS))
        write_clip(folder / name, pictures, FPS, audio=sound)
    return folder


@pytest.fixture
async def rtsp(footage: Path) -> AsyncIterator[int]:
    """The port of an RTSP server that serves the footage."""
    port = free_port()
    server = await RtspServer(str(footage), "127.0.0.1", port).start()
    yield port
    server._server.close()


@pytest.fixture
async def broker_port() -> AsyncIterator[int]:
    port = free_port()
    clock = SystemClock()
    task = asyncio.create_task(broker.serve(port, clock))
    await until(lambda: broker.listening(port), within_s=10, what="the broker listens")
    yield port
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@dataclass
class Proxy:
    """A TCP proxy that can stop forwarding without a word, as a frozen camera does."""

    target_port: int
    port: int = 0
    frozen: bool = False
    last_forwarded_mono_ms: int = 0
    connections: int = 0
    clock: SystemClock = field(default_factory=SystemClock)

    async def serve(self) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await server.serve_forever()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner, outer = await asyncio.open_connection("127.0.0.1", self.target_port)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, outer))
                group.create_task(self._pump(inner, writer))
        for end in (outer, writer):
            end.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.frozen:
                continue
            self.last_forwarded_mono_ms = self.clock.mono_ms()
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError


@pytest.fixture
async def proxy(rtsp: int) -> AsyncIterator[Proxy]:
    made = Proxy(rtsp)
    task = asyncio.create_task(made.serve())
    await until(lambda: made.port, what="the proxy listens")
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class ControllerSide:
    """What the controller does on the bus: stores and acknowledges, sends commands."""

    def __init__(self, port: int, folder: Path) -> None:
        clock = SystemClock()
        self.clock = clock
        settings = MqttSettings(port=port, client_id="controller")
        self._session = MqttSession(settings, clock, rng=random.Random(1))
        key = bytes.fromhex(RUN_KEY)
        self.outbox = Outbox(folder / "controller.sqlite3", f"{NODE}.cmd", "controller", clock)
        self._pump = OutboxPump(
            self.outbox,
            self._session,
            clock,
            random.Random(2),
            ack_topic=topics.ack_topic(SITE, f"{NODE}.cmd"),
            signing_key=key,
        )
        self.alerts: list[Alert] = []
        self.arrived_mono_ms: list[int] = []
        self.applied: list[SealApplied] = []
        self.health: list[NodeHealth] = []
        self.observations: list[RoomObservation] = []
        self._cursors: dict[str, InboxCursor] = {}

    async def run(self) -> None:
        filters = [
            topics.room_filter(kind, SITE)
            for kind in (Kind.ALERT, Kind.APPLIED, Kind.OBSERVATION)
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run())
            group.create_task(self._pump.run())
            for wanted in (*filters, topics.health_filter(SITE)):
                group.create_task(self._take(wanted))

    async def _take(self, wanted: str) -> None:
        async for inbound in self._session.subscribe(wanted, qos=1):
            message = codec.decode(inbound.topic, inbound.payload)
            assert isinstance(message, codec.Message), message
            if message.delivered is not None:
                cursor = self._cursors.get(message.delivered.epoch)
                verdict = accept(cursor, message.delivered)
                if verdict.stores:
                    self._store(message.body)
                    cursor = self._cursors[message.delivered.epoch] = cursor_after(
                        message.delivered
                    )
                if verdict.acknowledges and cursor is not None:
                    ack = codec.encode_ack(ack_for(cursor, by="controller"))
                    topic = topics.ack_topic(SITE, message.delivered.stream)
                    await self._session.publish(Outgoing(topic, ack, retain=True))
            else:
                self._store(message.body)

    def _store(self, body: codec.Body) -> None:
        match body:
            case Alert():
                self.alerts.append(body)
                self.arrived_mono_ms.append(self.clock.mono_ms())
            case SealApplied():
                self.applied.append(body)
            case NodeHealth():
                self.health.append(body)
            case RoomObservation():
                self.observations.append(body)

    def seal(self, admitted: int, command_id: str = "seal-1") -> None:
        command = Seal(
            command_id=command_id,
            room_id=ROOM,
            session_id="session-1",
            admitted=admitted,
            at_utc_ms=self.clock.utc_ms(),
        )
        self._send(command, command_id)

    def release(self, command_id: str = "release-1") -> None:
        command = Release(
            command_id=command_id,
            room_id=ROOM,
            session_id="session-1",
            at_utc_ms=self.clock.utc_ms(),
        )
        self._send(command, command_id)

    def _send(self, command: Seal | Release, command_id: str) -> None:
        self.outbox.append(topics.command_topic(SITE, NODE), command, ROOM, command_id)

    def of(self, rule: str) -> list[Alert]:
        return [alert for alert in self.alerts if alert.rule == rule]


@pytest.fixture
async def controller(broker_port: int, tmp_path: Path) -> AsyncIterator[ControllerSide]:
    side = ControllerSide(broker_port, tmp_path)
    task = asyncio.create_task(side.run())
    yield side
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    side.outbox.close()


def site(url: str, *, sound: str = "aac") -> Site:
    stream = StreamConfig(url=url, width=640, height=360, fps=FPS)
    camera = CameraConfig(
        kind="camera", id=CAMERA, area=ROOM, name=NAME, main=stream, sound=sound, simulated=True
    )
    config = SiteConfig(
        kind="site",
        id=SITE,
        name=NAME,
        map="maps/none.lif.json",
        kitchen_node="kitchen",
        areas=(Area(id=ROOM, name=NAME),),
    )
    node = NodeConfig(kind="node", id=NODE, areas=(ROOM,))
    return Site(config=config, cameras=(camera,), nodes=(node,))


@pytest.fixture
async def start_node(
    broker_port: int, tmp_path: Path
) -> AsyncIterator[Callable[..., "asyncio.Future[Node]"]]:
    """Start a node on a stream; it is stopped at the end of the test, or by ``stop``."""
    async with AsyncExitStack() as running:

        async def start(url: str, *, data: str = "data") -> tuple[Node, Callable[[], None]]:
            config = EdgeSettings(
                node=NODE,
                site_dir=tmp_path,
                data_dir=tmp_path / data,
                mqtt=MqttSettings(port=broker_port, client_id=NODE),
                api=ApiSettings(port=0),
            )
            opened = ExitStack()
            node = wire(config, site(url), ENVIRON, opened)
            app = build(node.view, node.hub, node.pictures, node.gate, version="test")
            parts = (
                node.session.run(),
                node.pump.run(),
                node.service.run(),
                serve(app, node.listener, cert_file=None, key_file=None),
            )
            tasks = [asyncio.create_task(part) for part in parts]

            async def stop() -> None:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.to_thread(opened.close)

            running.push_async_callback(stop)
            return node, stop

        yield start


@pytest.fixture
def unused_tcp_port_of_nobody() -> int:
    return free_port()
