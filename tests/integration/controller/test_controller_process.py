"""A real broker, a controller in its own process, an edge node's outbox, a client of the events."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from contracts import topics
from contracts.codec import Message, decode, encode
from contracts.evidence.entries import Witness
from contracts.evidence.lines import split_line
from contracts.observations import (
    Alert,
    Condition,
    EntryAppended,
    NodeHealth,
    NodeState,
    PictureRef,
    SealApplied,
    Severity,
    WitnessGiven,
)
from contracts.topics import Kind
from contracts.units import UtcMs
from runtime import broker
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, MqttSettings, Outgoing
from runtime.outbox import Outbox, OutboxPump
from runtime.signing import PublicKeys, SigningKey
from tests.fakes.node_chain import NodeChain
from tests.fakes.ports import free_port
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until

REPO = Path(__file__).parents[3]
SITE, NODE, ROOM, CAMERA = "demo", "edge-1", "room-1", "room-1-cam"
JPEG = b"\xff\xd8 a picture of the moment \xff\xd9"
SHA256 = hashlib.sha256(JPEG).hexdigest()
PASSWORD = "a-password-of-this-test"


@dataclass
class Machine:
    """The controller's process, and how to reach it."""

    api_port: int
    broker_port: int
    data_dir: Path
    deployment: str = "demo"
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}/api/v1"

    async def start(self) -> Process:
        accounts = [{"username": "sup", "password": PASSWORD, "roles": ["supervisor"]}]
        environ = {
            **os.environ,
            "ZEROENTRY_API__PORT": str(self.api_port),
            "ZEROENTRY_MQTT__PORT": str(self.broker_port),
            "ZEROENTRY_DATA_DIR": str(self.data_dir),
            "ZEROENTRY_DEPLOYMENT": self.deployment,
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(accounts),
            "ZEROENTRY_RUN_KEY": "ab" * 32,
            "ZEROENTRY_EDGE_TOKEN": "edge-token",
            "ZEROENTRY_NODE_KEYS": json.dumps({NODE: "cd" * 32}),
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "controller",
            "--site-dir",
            str(REPO / "firmware_configs" / "demo"),
            cwd=REPO,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self.process

    async def log_in(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False)

        async def answers() -> bool:
            try:
                given = await client.post("/login", json={"username": "sup", "password": PASSWORD})
            except httpx.TransportError:
                return False
            client.headers["Authorization"] = f"Bearer {given.json()['token']}"
            return given.status_code == 200

        await until(answers, within_s=60, what="the controller takes log-ins")
        return client

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> int | None:
        if self.process is None or self.process.returncode is not None:
            return None
        self.process.send_signal(signum)
        await asyncio.wait_for(self.process.communicate(), 30)
        return self.process.returncode


@dataclass
class Edge:
    """An edge node's side: its outbox, the commands it got, its API with one picture."""

    bus: MqttSession
    outbox: Outbox
    api_url: str
    fetched: list[str]


@pytest.fixture
async def broker_port() -> AsyncIterator[int]:
    port = free_port()
    task = asyncio.create_task(broker.serve(port, SystemClock()))
    await until(lambda: broker.listening(port), within_s=30, what="the broker listens")
    yield port
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def machine(broker_port: int, tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(free_port(), broker_port, tmp_path / "controller")
    yield made
    await made.stop(signal.SIGKILL)


@pytest.fixture
async def edge(broker_port: int, tmp_path: Path) -> AsyncIterator[Edge]:
    clock, fetched = SystemClock(), list[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fetched.append(head)
        head_out = f"HTTP/1.1 200 OK\r\nContent-Length: {len(JPEG)}\r\nConnection: close\r\n\r\n"
        writer.write(head_out.encode() + JPEG)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bus = MqttSession(MqttSettings(port=broker_port, client_id=NODE), clock, rng=random.Random(1))
    outbox = Outbox(tmp_path / "edge.db", NODE, NODE, clock)
    pump = OutboxPump(outbox, bus, clock, random.Random(2), ack_topic=topics.ack_topic(SITE, NODE))
    tasks = [asyncio.create_task(bus.run()), asyncio.create_task(pump.run())]
    await bus.wait_connected()
    health = NodeHealth(
        node_id=NODE,
        state=NodeState.RUNNING,
        utc_ms=clock.utc_ms(),
        api_url=f"http://127.0.0.1:{port}",
        rooms=(ROOM,),
    )
    payload = encode(Kind.HEALTH, health, message_id="h", sender=NODE, sent_utc_ms=clock.utc_ms())
    await bus.publish(Outgoing(topics.health_topic(SITE, NODE), payload, qos=1, retain=True))
    yield Edge(bus, outbox, f"http://127.0.0.1:{port}", fetched)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    outbox.close()
    server.close()
    await server.wait_closed()


def alert(name: str) -> Alert:
    return Alert(
        alert_id=name,
        rule="area.over_admitted",
        condition=Condition.ACTIVE,
        severity=Severity.ALARM,
        room_id=ROOM,
        node_id=NODE,
        camera_id=CAMERA,
        since_utc_ms=UtcMs(1_000),
        raised_utc_ms=UtcMs(2_000),
        dwell_ms=1_000,
        picture=PictureRef(
            sha256=SHA256,
            bytes=len(JPEG),
            path=f"/api/v1/pictures/{SHA256}.jpg",
            camera_id=CAMERA,
            taken_utc_ms=UtcMs(1_500),
        ),
    )


def send(edge: Edge, name: str) -> None:
    edge.outbox.append(topics.room_topic(Kind.ALERT, SITE, ROOM), alert(name), ROOM, name)


async def events(
    client: httpx.AsyncClient, after: int
) -> AsyncIterator[tuple[str, dict[str, object]]]:
    headers = {"Last-Event-ID": str(after)}
    async with client.stream("GET", "/events", headers=headers) as answer:
        assert answer.status_code == 200
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


async def next_alert(
    stream: AsyncIterator[tuple[str, dict[str, object]]], *, stored: bool
) -> dict[str, object]:
    async for name, data in stream:
        if name == "alert" and bool(data["picture_url"]) == stored:
            return data
    raise AssertionError("the stream ended")


async def seal_is_confirmed(client: httpx.AsyncClient, edge: Edge) -> None:
    inbox = edge.bus.subscribe(topics.command_topic(SITE, NODE))
    made = await client.post("/sessions", json={"room_id": ROOM, "title": "T", "admitted": 5})
    session = made.json()["id"]
    await client.post(f"/sessions/{session}/gather")
    sealed = await client.post(f"/sessions/{session}/seal", json=OVERRIDES)
    assert sealed.status_code == 200, sealed.text
    inbound = await asyncio.wait_for(inbox.get(), 30)
    envelope = json.loads(inbound.payload)
    assert envelope["signature"]
    command = envelope["body"]
    assert (command["kind"], command["admitted"]) == ("seal", 5)
    applied = SealApplied(
        node_id=NODE,
        room_id=ROOM,
        session_id=session,
        sealed=True,
        admitted=5,
        command_id=command["command_id"],
        utc_ms=UtcMs(1),
    )
    edge.outbox.append(topics.room_topic(Kind.APPLIED, SITE, ROOM), applied, ROOM, "p1")

    async def confirmed() -> bool:
        return bool((await client.get(f"/sessions/{session}")).json()["seal_confirmed"])

    await until(confirmed, within_s=30, what="the seal is confirmed")


async def test_alert_picture_and_seal_go_through_real_processes(
    machine: Machine, edge: Edge
) -> None:
    await machine.start()
    client = await machine.log_in()
    event_id = (await client.get("/overview")).json()["event_id"]
    stream = events(client, event_id)
    send(edge, "a1")
    seen = await asyncio.wait_for(next_alert(stream, stored=True), 30)
    assert seen["number"] == 1
    async with httpx.AsyncClient(trust_env=False) as browser:
        picture = await browser.get(str(seen["picture_url"]))
    assert picture.content == JPEG
    assert "Authorization: Bearer edge-token" in edge.fetched[0]
    await until(lambda: edge.outbox.depth == 0, within_s=30, what="the alert is acknowledged")
    with contextlib.suppress(RuntimeError):
        await stream.aclose()  # type: ignore[attr-defined]  # it is an async generator
    await seal_is_confirmed(client, edge)
    await client.aclose()
    assert await machine.stop() == 0


def _below(outbox: Outbox, depth: int) -> bool:
    return outbox.depth < depth


async def test_no_alert_is_lost_or_doubled_when_the_controller_is_killed(
    machine: Machine, edge: Edge
) -> None:
    await machine.start()
    await (await machine.log_in()).aclose()
    wanted = []
    for burst in range(2):
        before = edge.outbox.depth
        for index in range(60):
            wanted.append(f"k{burst}-{index}")
            send(edge, wanted[-1])
        await until(partial(_below, edge.outbox, before + 60), within_s=30, what="some are taken")
        await machine.stop(signal.SIGKILL)
        await machine.start()
    client = await machine.log_in()
    await until(lambda: edge.outbox.depth == 0, within_s=30, what="all are acknowledged")
    page = (await client.get("/alerts?limit=200")).json()
    assert sorted(row["id"] for row in page["items"]) == sorted(wanted)
    assert sorted(row["number"] for row in page["items"]) == list(range(1, 121))
    await client.aclose()


async def newest_witness(inbox: Inbox, sequence: int) -> bytes:
    """The signed Witness line of a sequence, once it comes."""
    while True:
        inbound = await asyncio.wait_for(inbox.get(), 20)
        found = decode(inbound.topic, inbound.payload)
        assert isinstance(found, Message)
        assert isinstance(found.body, WitnessGiven)
        line = found.body.line.encode()
        if Witness.model_validate_json(split_line(line).signed).sequence == sequence:
            return line


async def test_a_chain_is_witnessed_over_a_kill_and_a_forged_line_is_an_alarm(
    machine: Machine, edge: Edge
) -> None:
    chain = NodeChain(site=SITE, node=NODE, track=CAMERA, room=ROOM)
    inbox = edge.bus.subscribe(topics.witness_filter(SITE, NODE))

    def announce(said: EntryAppended) -> None:
        name = f"{CAMERA}-{len(chain.lines)}-{hashlib.sha256(said.line.encode()).hexdigest()[:16]}"
        edge.outbox.append(topics.room_topic(Kind.ENTRY, SITE, ROOM), said, ROOM, name)

    await machine.start()
    await (await machine.log_in()).aclose()
    announce(chain.opened())
    for _ in range(60):
        announce(chain.segment())
    await until(partial(_below, edge.outbox, 61), within_s=30, what="some are taken")
    await machine.stop(signal.SIGKILL)
    await machine.start()
    client = await machine.log_in()
    line = split_line(await newest_witness(inbox, 61))
    assert Witness.model_validate_json(line.signed).entry_sha256 == chain.head
    keys = PublicKeys()
    key = keys.add_pem((await client.get("/evidence/key")).content)
    assert keys.verify(key, line.signed, line.signature)
    heads = (await client.get("/evidence/heads")).json()
    assert [
        (row["sequence"], row["known_from"], row["refused_lines"]) for row in heads["heads"]
    ] == [(61, 1, 0)]
    page = (await client.get(f"/evidence/chains/{NODE}/{CAMERA}?limit=200")).json()
    assert [row["line"] for row in page["items"]] == chain.lines
    assert (await client.get("/evidence/roots")).json()["items"][0]["heads"] == 1
    assert (await client.get("/alerts")).json()["items"] == []
    announce(replace(chain, key=SigningKey.generate(), lines=[*chain.lines]).segment())

    async def told() -> bool:
        rows = (await client.get("/alerts")).json()["items"]
        return [row["rule"] for row in rows] == ["node.chain_broken"]

    await until(told, within_s=30, what="the forged line is an alarm")
    await client.aclose()
    assert await machine.stop() == 0


async def test_a_broker_without_access_control_is_refused_outside_the_demo(
    machine: Machine,
) -> None:
    machine.deployment = "site"
    process = await machine.start()
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert b"has no access control" in said
    assert b"deployment: demo" in said


async def test_a_taken_port_is_named(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", machine.api_port))
        taken.listen()
        process = await machine.start()
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert f"port {machine.api_port} on 127.0.0.1 is in use".encode() in said
