"""Two controllers in their own processes with a broker, and wires between them to be cut."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from contracts import topics
from contracts.api.sessions import SealDemand
from contracts.observations import Alert, Condition, Severity
from contracts.topics import Kind
from contracts.units import UtcMs
from runtime import broker
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings
from runtime.outbox import Outbox, OutboxPump
from runtime.signing import SigningKey, write_key
from tests.fakes.ports import free_port
from tests.fakes.waiting import until

REPO = Path(__file__).parents[2]
PASSWORD = "a-Password-of-this-test-7"
NODE, ROOM = "edge-1", "room-1"
OVERRIDES = {demand.value: "made-up site without cameras" for demand in SealDemand}
LINK_LOST_S = 4
START_S, WAIT_S = 150.0, 40.0  # on a machine that runs nine suites at once; alone: five, one


@dataclass
class Wire:
    """A TCP proxy that can be cut: connections die and none is made until it is mended."""

    target: int
    port: int = 0
    cut: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.sever()
        if self._server is not None:
            self._server.close()

    def sever(self) -> None:
        self.cut = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self.cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ours = {writer, far_writer}
        self._writers |= ours
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._writers -= ours


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@dataclass
class Centre:
    """One site: its folder, its key, its controller's process."""

    name: str
    folder: Path
    broker_port: int
    key: SigningKey
    port: int = field(default_factory=free_port)
    process: Process | None = None
    people: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        assert self.people is not None
        return self.people

    def lay_out(self, peer: "Centre", wire: Wire) -> None:
        site = self.folder / "site"
        shutil.copytree(REPO / "firmware_configs" / "demo", site)
        path = site / "site.yaml"
        document = yaml.safe_load(path.read_text("utf-8"))
        document["id"] = self.name
        path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        settings = {
            "site_dir": str(site),
            "data_dir": str(self.folder / "data"),
            "deployment": "demo",
            "api": {"port": self.port},
            "mqtt": {"port": self.broker_port, "client_id": f"controller-{self.name}"},
            "sites": {
                "link_lost_s": LINK_LOST_S,
                "peers": {
                    peer.name: {
                        "name": {"zh": f"{peer.name}中心", "en": f"Centre {peer.name}"},
                        "url": f"http://127.0.0.1:{wire.port}",
                        "public_key": peer.key.public_pem().decode(),
                        "token_file": str(self.folder / "token"),
                    }
                },
            },
        }
        write_key(self.folder / "data" / "keys" / "controller-evidence.pem", self.key)
        (self.folder / "controller.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        self.peer = peer.name

    async def start(self) -> None:
        accounts = [
            {"username": "sup", "password": PASSWORD, "roles": ["supervisor"]},
            {"username": "sec", "password": PASSWORD, "roles": ["security_admin"]},
            {"username": self.peer, "password": PASSWORD, "roles": ["site_link"]},
        ]
        environ = {
            **os.environ,
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(accounts),
            "ZEROENTRY_RUN_KEY": "ab" * 32,
        }
        command = (sys.executable, "-m", "controller", "--config")
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, str(self.folder / "controller.yaml"), cwd=REPO, env=environ,
                stdout=log, stderr=log,
            )  # fmt: skip

    async def log_in(self, username: str = "sup") -> httpx.AsyncClient:
        url = f"http://127.0.0.1:{self.port}/api/v1"
        client = httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)

        async def answers() -> bool:
            assert self.process is not None
            assert self.process.returncode is None, (self.folder / "log").read_text()[-3_000:]
            try:
                given = await client.post(
                    "/login", json={"username": username, "password": PASSWORD}
                )
            except httpx.TransportError:
                return False
            assert given.status_code == 200, given.text
            client.headers["Authorization"] = f"Bearer {given.json()['token']}"
            return True

        await until(answers, within_s=START_S, what=f"{self.name} takes log-ins")
        return client

    async def token_for_peer(self) -> str:
        """A machine token that the security administrator makes for the peer's account."""
        admin = await self.log_in("sec")
        body = {"username": self.peer, "name": "link", "scopes": ["sites_feed"]}
        made = await admin.post("/tokens", json=body)
        assert made.status_code == 201, made.text
        await admin.aclose()
        return str(made.json()["token"])

    def keep_token(self, token: str) -> None:
        path = self.folder / "token"
        path.touch(mode=0o600)
        path.write_text(token)

    async def stop(self, signum: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signum)
            await self.process.wait()

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.client.post(path, json=body if body is not None else {})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def session(self) -> str:
        body = {"room_id": ROOM, "title": f"{self.name} 评标", "admitted": 3}
        return str((await self.post("/sessions", body, 201))["id"])

    async def step(self, session_id: str, verb: str) -> None:
        await self.post(f"/sessions/{session_id}/{verb}", {"overrides": OVERRIDES})


@dataclass
class Two:
    host: Centre
    guest: Centre
    to_guest: Wire
    to_host: Wire

    def cut(self) -> None:
        self.to_guest.sever()
        self.to_host.sever()

    def mend(self) -> None:
        self.to_guest.mend()
        self.to_host.mend()


@contextlib.asynccontextmanager
async def two_centres(folder: Path) -> AsyncIterator[Two]:
    """A host and a guest, up, linked, each with the other's key and token."""
    port = free_port()
    serving = asyncio.create_task(broker.serve(port, SystemClock()))
    await until(lambda: broker.listening(port), within_s=WAIT_S, what="the broker listens")
    folders = [folder / name for name in ("east", "west")]
    for one in folders:
        one.mkdir()
    host = Centre("east", folders[0], port, SigningKey.generate())
    guest = Centre("west", folders[1], port, SigningKey.generate())
    to_guest, to_host = Wire(guest.port), Wire(host.port)
    await to_guest.start()
    await to_host.start()
    host.lay_out(guest, to_guest)
    guest.lay_out(host, to_host)
    try:
        await asyncio.gather(host.start(), guest.start())
        host.people, guest.people = await asyncio.gather(host.log_in(), guest.log_in())
        host.keep_token(await guest.token_for_peer())
        guest.keep_token(await host.token_for_peer())
        yield Two(host, guest, to_guest, to_host)
    finally:
        await asyncio.gather(host.stop(), guest.stop())
        for centre in (host, guest):
            if centre.people is not None:
                await centre.people.aclose()
        await to_guest.stop()
        await to_host.stop()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@dataclass
class EdgeNode:
    """The guest's edge node, as far as its alerts go."""

    outbox: Outbox
    clock: SystemClock

    def alert(self, alert_id: str, session_id: str) -> None:
        now = self.clock.utc_ms()
        alert = Alert(
            alert_id=alert_id,
            rule="area.over_admitted",
            condition=Condition.ACTIVE,
            severity=Severity.ALARM,
            room_id=ROOM,
            node_id=NODE,
            session_id=session_id,
            since_utc_ms=now,
            raised_utc_ms=UtcMs(now),
            dwell_ms=1,
        )
        self.outbox.append(topics.room_topic(Kind.ALERT, "west", ROOM), alert, ROOM, alert_id)


@contextlib.asynccontextmanager
async def edge_node(two: Two, folder: Path) -> AsyncIterator[EdgeNode]:
    clock = SystemClock()
    settings = MqttSettings(port=two.guest.broker_port, client_id=NODE)
    bus = MqttSession(settings, clock, rng=random.Random(1))
    outbox = Outbox(folder / "edge.db", NODE, NODE, clock)
    pump = OutboxPump(
        outbox, bus, clock, random.Random(2), ack_topic=topics.ack_topic("west", NODE)
    )
    tasks = [asyncio.create_task(bus.run()), asyncio.create_task(pump.run())]
    await bus.wait_connected()
    yield EdgeNode(outbox, clock)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    outbox.close()


async def state_of(centre: Centre, joint: str) -> str:
    return str((await centre.get(f"/sites/sessions/{joint}"))["state"])


async def told(host: Centre, joint: str) -> list[str]:
    rows = await host.get(f"/sites/sessions/{joint}/alerts")
    names = (row["alert"]["alert_id"] for row in rows)
    return [name for name in names if name.startswith("g")]  # its own word on the link comes too


async def part_of(centre: Centre, joint: str, site: str = "west") -> dict[str, Any]:
    parts = (await centre.get(f"/sites/sessions/{joint}"))["parts"]
    return dict(next(row for row in parts if row["site"] == site))


async def joined(two: Two) -> tuple[str, str, str]:
    """A joint session that the guest's people took part in, everybody gathering."""
    host, guest = two.host, two.guest
    ours, theirs = await host.session(), await guest.session()
    body = {"title": "跨城联合评标", "sessions": [ours], "guests": [{"site": "west", "seats": 3}]}
    joint = str((await host.post("/sites/sessions", body, 201))["id"])

    async def invited() -> bool:
        return joint in [row["id"] for row in await guest.get("/sites/sessions")]

    await until(invited, within_s=WAIT_S, what="the invitation is at the guest")
    await guest.post(f"/sites/sessions/{joint}/accept", {"sessions": [theirs]})
    await asyncio.gather(host.step(ours, "gather"), guest.step(theirs, "gather"))

    async def ready() -> bool:
        return await state_of(host, joint) == "ready"

    await until(ready, within_s=WAIT_S, what="both are ready at the host")
    return joint, ours, theirs


async def sealed(two: Two) -> tuple[str, str, str]:
    """The same, sealed at both: the guest's check refuses first, its people decide."""
    host, guest = two.host, two.guest
    joint, ours, theirs = await joined(two)
    await host.post(f"/sites/sessions/{joint}/seal", {"overrides": OVERRIDES})

    async def refused() -> bool:
        return (await part_of(host, joint))["refused"] is not None

    await until(refused, within_s=WAIT_S, what="the guest's own check has refused, with its reason")
    assert "node_alive" in (await part_of(host, joint))["refused"]["en"]
    assert await state_of(host, joint) == "sealing"
    await guest.step(theirs, "seal")

    async def confirmed() -> bool:
        states = [await state_of(host, joint), await state_of(guest, joint)]
        return states == ["sealed", "sealed"]

    await until(confirmed, within_s=WAIT_S, what="every site has confirmed, and both know")
    return joint, ours, theirs
