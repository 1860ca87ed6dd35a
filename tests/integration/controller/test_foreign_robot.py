"""A robot of another make on a real broker: three words in its file, and it brings a meal.

The robot is a process of its own (``tests/fakes/foreign_vehicle.py``); both sides are killed with
SIGKILL on the way.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime import broker
from tests.fakes.ports import free_port
from tests.fakes.waiting import until

REPO = Path(__file__).parents[3]
PASSWORD = "a-password-of-this-test"
ACCOUNTS = {"sup": "supervisor", "cook": "kitchen", "panel": "door_panel", "tab": "tablet"}
ROBOT = "amr-0042"
SPACING_M = 1.0
WAY = ("kitchen", "c1", "c2", "c3", "c4", "c5", "door-1")
STARTS_S = 60.0  # two processes begin on a machine that does other things
DRIVES_S = 40.0  # the whole way takes seven seconds


def mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    assert found, "mosquitto is missing: deploy/setup/test-system.sh installs it"
    return found


def write_site(folder: Path, version: str) -> None:
    """A kitchen, a corridor, a door and a dock; the robot's file says what nobody else can know."""
    names = {"zh": "测试", "en": "Test"}
    config = {
        "kind": "site",
        "id": "foreign",
        "name": names,
        "map": "maps/floor.lif.json",
        "kitchen_node": "kitchen",
        "areas": [{"id": "room-1", "name": names, "door_node": "door-1"}],
    }
    robot = {
        "kind": "robot",
        "manufacturer": "Acme",
        "serial_number": "AMR_0042",
        "vda5050_version": version,
    }
    places = {name: (index * SPACING_M, 0.0) for index, name in enumerate(WAY)}
    places["dock-1"] = (0.0, SPACING_M)
    ways = [*pairwise(WAY), ("dock-1", "kitchen")]
    layout = {
        "layoutId": "floor-1",
        "nodes": [
            {"nodeId": name, "mapId": "floor-1", "nodePosition": {"x": x, "y": y}}
            for name, (x, y) in places.items()
        ],
        "edges": [
            {"edgeId": f"{a}-{b}", "startNodeId": a, "endNodeId": b}
            for one, other in ways
            for a, b in ((one, other), (other, one))
        ],
    }
    meta = {"projectIdentification": "test", "lifVersion": "1.0.0"}
    (folder / "maps").mkdir(parents=True)
    (folder / "robots").mkdir()
    (folder / "site.yaml").write_text(json.dumps(config), encoding="utf-8")
    (folder / "robots" / f"{ROBOT}.yaml").write_text(json.dumps(robot), encoding="utf-8")
    lif = json.dumps({"metaInformation": meta, "layouts": [layout]})
    (folder / "maps" / "floor.lif.json").write_text(lif, encoding="utf-8")


@dataclass
class House:
    """Both processes, and a client for each who works there."""

    folder: Path
    version: str
    broker_port: int
    api_port: int
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    controller: Process | None = None
    vehicle: Process | None = None

    async def start_controller(self) -> None:
        accounts = [
            {"username": name, "password": PASSWORD, "roles": [role]}
            | ({"room_id": "room-1"} if role == "tablet" else {})
            for name, role in ACCOUNTS.items()
        ]
        environ = {
            **os.environ,
            "ZEROENTRY_API__PORT": str(self.api_port),
            "ZEROENTRY_MQTT__PORT": str(self.broker_port),
            "ZEROENTRY_DATA_DIR": str(self.folder / "data"),
            "ZEROENTRY_DEPLOYMENT": "demo",
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": json.dumps(accounts),
            "ZEROENTRY_RUN_KEY": "ab" * 32,
            "ZEROENTRY_EDGE_TOKEN": "edge-token",
            "ZEROENTRY_NODE_KEYS": "{}",
        }
        self.controller = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "controller", "--site-dir", str(self.folder / "site"),
            cwd=REPO, env=environ, stdout=DEVNULL,
        )  # fmt: skip

    async def start_vehicle(self) -> None:
        self.vehicle = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fakes.foreign_vehicle",
            "--port", str(self.broker_port), "--manufacturer", "Acme", "--serial", "AMR_0042",
            "--version", self.version, "--at", "0", str(SPACING_M), "--node", "dock-1",
            "--memory", str(self.folder / "place.json"), "--log", str(self.log),
            cwd=REPO,
        )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "vehicle.jsonl"

    def told(self, what: str) -> list[dict[str, Any]]:
        """What the vehicle wrote down of a kind."""
        if not self.log.exists():
            return []
        rows = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [row for row in rows if row["what"] == what]

    async def log_in(self) -> None:
        for name in ACCOUNTS:
            base = f"http://127.0.0.1:{self.api_port}/api/v1"
            client = httpx.AsyncClient(base_url=base, timeout=20, trust_env=False)

            async def answers(name: str = name, client: httpx.AsyncClient = client) -> bool:
                assert self.controller is not None
                assert self.controller.returncode is None, "the controller has ended"
                body = {"username": name, "password": PASSWORD}
                try:
                    given = await client.post("/login", json=body)
                except httpx.TransportError:
                    return False
                if given.status_code == 200:
                    client.headers["Authorization"] = f"Bearer {given.json()['token']}"
                return given.status_code == 200

            await until(answers, within_s=STARTS_S, what=f"{name} logs in")
            self.clients[name] = client

    async def get(self, path: str) -> Any:
        """None while the controller is away."""
        try:
            found = await self.clients["sup"].get(path)
        except httpx.TransportError:
            return None
        return found.json() if found.status_code == 200 else None

    async def robot(self) -> dict[str, Any]:
        rows = await self.get("/robots") or []
        return next((row for row in rows if row["id"] == ROBOT), {})

    async def reaches(self, delivery: str, *states: str) -> None:
        async def there() -> bool:
            row = await self.get(f"/deliveries/{delivery}")
            return row is not None and row["state"] in states

        await until(there, within_s=DRIVES_S, what=f"{delivery} is {states}")

    async def order(self) -> tuple[str, str]:
        """A meal for room 1: its id and its PIN."""
        body = {"room_id": "room-1", "lines": [{"dish": "box-standard", "count": 1}]}
        given = await self.clients["tab"].post("/deliveries", json=body)
        assert given.status_code == 201, given.text
        return given.json()["delivery"]["id"], given.json()["pin"]

    async def kill(self, process: Process | None) -> None:
        assert process is not None
        process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def house(folder: Path, version: str) -> AsyncIterator[House]:
    write_site(folder / "site", version)
    port = free_port()
    # The robot speaks MQTT 3.1.1, as most do: the embedded broker takes version 5 alone.
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    serving = await asyncio.create_subprocess_exec(
        mosquitto(), "-c", str(config), stdout=DEVNULL, stderr=DEVNULL
    )
    made = House(folder, version, port, free_port())
    try:
        await until(lambda: broker.listening(port), within_s=30, what="the broker listens")
        await made.start_controller()
        await made.start_vehicle()
        await made.log_in()

        async def fit() -> bool:
            robot = await made.robot()
            return robot.get("unfit") is None and robot.get("condition") == "idle"

        await until(fit, within_s=STARTS_S, what="the robot said what it can do")
        yield made
    finally:
        for process in (made.vehicle, made.controller, serving):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
        for client in made.clients.values():
            await client.aclose()


def check_manners(made: House) -> None:
    """Nothing that was sent broke the standard or what the factsheet says."""
    assert made.told("wrong") == []
    asked = [row["body"] for row in made.told("instantActions")]
    kinds = {action["actionType"] for body in asked for action in body["actions"]}
    assert "factsheetRequest" in kinds
    assert not any(kind.startswith("ze") for kind in kinds)
    longest = max(len(row["body"]["nodes"]) for row in made.told("order"))
    assert 2 <= longest <= 6


@pytest.mark.parametrize("version", ["2.0.0"])
async def test_it_brings_a_meal_and_survives_kills_on_either_side(
    tmp_path: Path, version: str
) -> None:
    async with house(tmp_path, version) as made:
        meal, pin = await made.order()
        await made.reaches(meal, "loading")
        loaded = {"compartment": 1}
        given = await made.clients["cook"].post(f"/deliveries/{meal}/loaded", json=loaded)
        assert given.status_code == 200, given.text

        async def away() -> bool:
            return (await made.robot()).get("last_node") in WAY[1:3]

        await until(away, within_s=DRIVES_S, what="it is on its way")
        await made.kill(made.vehicle)
        await made.start_vehicle()

        async def farther() -> bool:
            return (await made.robot()).get("last_node") in WAY[3:5]

        await until(farther, within_s=DRIVES_S, what="it drives on with a new order")
        await made.kill(made.controller)
        await made.start_controller()
        await made.reaches(meal, "arrived")
        opened = await made.clients["panel"].post(f"/deliveries/{meal}/unlock", json={"pin": pin})
        assert opened.status_code == 200, opened.text
        await made.reaches(meal, "open", "collected")
        custody = (await made.get(f"/deliveries/{meal}"))["custody"]
        assert "open_tray" in {event["what"] for event in custody}
        check_manners(made)


async def test_a_person_calls_it_back_on_the_way_and_its_order_is_cancelled(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, "2.1.0") as made:
        meal, _ = await made.order()
        await made.reaches(meal, "loading")
        loaded = {"compartment": 1}
        given = await made.clients["cook"].post(f"/deliveries/{meal}/loaded", json=loaded)
        assert given.status_code == 200, given.text

        async def away() -> bool:
            return (await made.robot()).get("last_node") in WAY[1:4]

        await until(away, within_s=DRIVES_S, what="it is on its way")
        body = {"verb": "recall", "reason": "nobody is hungry"}
        called = await made.clients["sup"].post(f"/robots/{ROBOT}/commands", json=body)
        assert called.is_success, called.text

        def cancelled() -> bool:
            rows = [row["body"]["actions"] for row in made.told("instantActions")]
            return any(one["actionType"] == "cancelOrder" for actions in rows for one in actions)

        await until(cancelled, within_s=DRIVES_S, what="cancelOrder was sent")

        async def home() -> bool:
            robot = await made.robot()
            return robot.get("last_node") in ("dock-1", "kitchen") and not robot["route"]

        await until(home, within_s=DRIVES_S, what="it has come back")
        check_manners(made)
