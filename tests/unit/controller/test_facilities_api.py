"""The map and the facilities by API, from a board's words to the event; a fire over a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.mqtt import Outgoing
from tests.fakes.bus import MemoryBroker
from tests.fakes.controller_site import Bench, bench
from tests.fakes.facility_site import two_floor_map, two_floor_site
from tests.fakes.waiting import until

PREFIX = "facility-sim"


class House:
    """A running controller of the site with two floors, and a client a person."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        self.board = made.broker.client("board")

    async def says(self, **words: str) -> None:
        """A board's words: ``status``, ``cover__door_a`` ..."""
        for name, word in words.items():
            parts = name.split("__")
            topic = "/".join((PREFIX, *parts, *(["state"] if len(parts) > 1 else [])))
            await self.board.publish(Outgoing(topic, word.encode(), retain=True))

    async def ask(
        self, name: str, method: str, path: str, body: object = None, status: int = 200
    ) -> Any:  # JSON
        transport = httpx.ASGITransport(self.made.controller.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://controller/api/v1"
        ) as client:
            login = {"username": name, "password": f"{name}-password"}
            token = (await client.post("/login", json=login)).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.status_code == status, (answer.status_code, answer.text)
            return answer.json()

    async def rows(self) -> dict[str, Any]:
        return {
            row["id"]: row for row in (await self.ask("sup", "GET", "/facilities"))["facilities"]
        }

    def states(self) -> Any:
        return self.made.controller.service.state


@asynccontextmanager
async def running(folder: Path, broker: MemoryBroker | None = None) -> AsyncIterator[House]:
    made = bench(folder, house=(two_floor_site(), two_floor_map()), broker=broker)
    task = asyncio.create_task(made.controller.run())
    try:
        yield House(made)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with running(tmp_path) as found:
        yield found


async def test_the_map_tells_floors_doors_lifts_and_tight_places(house: House) -> None:
    told = await house.ask("sup", "GET", "/map")
    assert [floor["id"] for floor in told["floors"]] == ["floor-1", "floor-2"]
    assert {node["id"]: node["map_id"] for node in told["nodes"]}["cab-2"] == "floor-2"
    assert told["doors"][0]["ways"] == [["a", "b"]]
    assert told["lifts"][0]["floors"][1] == {"floor": "floor-2", "cab_node": "cab-2"}
    assert told["refuges"] == ["home", "home-b", "park-2"]
    assert any(set(row["nodes"]) >= {"a", "b"} for row in told["one_lane"])
    site = await house.ask("sup", "GET", "/site")
    assert {node["map_id"] for node in site["nodes"]} == {"floor-1", "floor-2"}


async def test_a_boards_words_show_and_it_is_told_to_let_go_at_first(house: House) -> None:
    assert (await house.rows())["door-a"]["condition"] == "offline"
    await house.says(status="online", cover__door_a="closed")
    await until(
        lambda: not house.states().facilities.doors["door-a"].away, what="the board is heard"
    )
    await house.made.clock.run_ms(500)
    await until(
        lambda: any(row.topic.endswith("door_a/command") for row in house.made.broker.sent),
        what="the door is told",
    )
    closes = [row for row in house.made.broker.sent if row.topic.endswith("door_a/command")]
    assert {row.payload for row in closes} == {b"CLOSE"}
    door = (await house.rows())["door-a"]
    assert (door["condition"], door["door_open"]) == ("resting", False)
    assert door["why"]["zh"]
    assert door["why"]["en"] == "No robot wants it."


async def test_a_fire_lasts_until_a_person_releases_it_over_a_restart_too(tmp_path: Path) -> None:
    broker = MemoryBroker()
    async with running(tmp_path, broker) as house:
        await house.says(status="online", binary_sensor__fire="ON")
        await until(lambda: house.states().facilities.fire, what="it burns")
        body = {"reason": "panel reset"}
        refused = await house.ask("sup", "POST", "/fire/release", body, status=409)
        assert "still rings" in refused["detail"]
        assert [row.alert.rule for row in house.states().alerts.values()] == ["facility.fire"]
        await house.says(binary_sensor__fire="OFF")
        await house.made.clock.run_ms(100)  # a board's words are gathered for a moment
        await until(lambda: not house.states().facilities.alarm.burning, what="it is over")
        assert house.states().facilities.fire
    async with running(tmp_path, broker) as house:
        assert house.states().facilities.fire, "nobody has said that robots may drive"
        fire = (await house.ask("sup", "GET", "/facilities"))["fire"]
        assert (fire["burning"], fire["latched"]) == (False, True)
        await house.ask("tab1", "POST", "/fire/release", {"reason": "hungry"}, status=403)
        await house.ask("sup", "POST", "/fire/release", {"reason": "x"}, status=422)
        released = await house.ask("sup", "POST", "/fire/release", {"reason": "panel reset"})
        assert released == {"burning": False, "latched": False, "silent": released["silent"]}
        record = next(iter(house.states().alerts.values()))
        assert record.alert.cleared_utc_ms is not None
        assert record.detail is not None
        assert "Released by sup: panel reset" in record.detail.en
        await house.ask("sup", "POST", "/fire/release", {"reason": "again, by mistake"})
