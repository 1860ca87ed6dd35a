"""A lift behind an HTTP gateway: asked, told with its stored password, away when it is silent."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from contracts.facilities import DoorBoardLink, DoorConfig, HttpLink, LiftConfig, LiftFloor
from controller.core.facility_words import (
    CommandFacility,
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
    LiftOrder,
    LiftSaid,
)
from controller.facilities.gateways import GatewayDesk
from controller.facilities.office import GatewayCredentialError, open_facilities
from runtime.clock import SimulatedClock
from runtime.secrets import Credential, CredentialStore, new_secret_key
from tests.fakes.bus import MemoryBroker
from tests.fakes.facility_site import named, two_floor_site
from tests.fakes.offered import Offered
from tests.fakes.waiting import until

LINK = HttpLink(via="http", url="http://gate.invalid/api", credential="gate")
LIFT = LiftConfig(
    kind="lift",
    id="lift-9",
    name=named("Lift 9"),
    floors=(LiftFloor(floor="g", cab_node="cab-1"), LiftFloor(floor="u", cab_node="cab-2")),
    link=LINK,
)
DOOR = DoorConfig(kind="door", id="door-9", name=named("Door 9"), ways=(("a", "b"),), link=LINK)


class Gateway:
    """Answers as the guide says, keeps what it was told."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {
            "/api/lifts/lift-9": {"floor": "g", "door_open": True},
            "/api/doors/door-9": {"position": "shut"},
        }
        self.told: list[tuple[str, object]] = []
        self.status = 200
        self.asked_as: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_as.add(request.headers.get("Authorization", ""))
        if self.status != 200:
            return httpx.Response(self.status)
        if request.method == "PUT":
            self.told.append((request.url.path, json.loads(request.content)))
            return httpx.Response(204)
        return httpx.Response(200, json=self.answers[request.url.path])


@pytest.fixture
async def playing() -> AsyncIterator[tuple[Gateway, Offered, GatewayDesk, SimulatedClock]]:
    gateway, heard, clock = Gateway(), Offered(), SimulatedClock()
    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as client:
        desk = GatewayDesk(client, clock, (LIFT, DOOR), lambda _: lambda: ("user", "pass word"))
        task = asyncio.create_task(desk.run(heard))
        yield gateway, heard, desk, clock
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_is_asked_and_told_and_away_after_three_silent_answers(
    playing: tuple[Gateway, Offered, GatewayDesk, SimulatedClock],
) -> None:
    gateway, heard, desk, clock = playing
    at_g = FacilitySaid("lift-9", LiftSaid("g", door_open=True))
    shut = FacilitySaid("door-9", DoorSaid(DoorPosition.SHUT))
    await until(lambda: {*heard.words} == {at_g, shut}, what="both are heard once")
    assert desk.publish(CommandFacility("lift-9", LiftOrder("u", hold=False, reserve=True)))
    assert desk.publish(CommandFacility("door-9", DoorOrder(open=True)))
    assert not desk.publish(CommandFacility("door-a", DoorOrder(open=True)))
    await until(lambda: len(gateway.told) == 2, what="both are told")
    assert ("/api/doors/door-9", {"open": True}) in gateway.told
    assert ("/api/lifts/lift-9", {"floor": "u", "hold": False, "reserve": True}) in gateway.told
    secret = base64.b64encode(b"user:pass word").decode()
    assert gateway.asked_as == {f"Basic {secret}"}
    gateway.status = 500
    await clock.run_ms(2_100)
    assert len(heard.words) == 2, "two misses may be a restart"
    await clock.run_ms(3_000)
    await until(
        lambda: FacilitySaid("lift-9", None) in heard.words, what="a silent gateway counts as away"
    )
    gateway.status = 200
    gateway.answers["/api/lifts/lift-9"] = {"floor": None, "door_open": "often"}
    gateway.answers["/api/doors/door-9"] = {"position": "open"}
    await clock.run_ms(2_000)
    await until(
        lambda: heard.words[-1] == FacilitySaid("door-9", DoorSaid(DoorPosition.OPEN)),
        what="the door is back; a lift that answers nonsense is not",
    )
    assert heard.words.count(at_g) == 1


def test_a_gateway_whose_password_is_not_stored_keeps_the_controller_from_starting(
    tmp_path: Path,
) -> None:
    site = two_floor_site().model_copy(update={"lifts": (LIFT,), "doors": ()})
    clock, key = SimulatedClock(), new_secret_key().encode()
    bus = MemoryBroker().client("controller")

    def opened(with_key: bytes | None) -> object:
        client = httpx.AsyncClient()
        return open_facilities(site, bus, clock, client, tmp_path, with_key, connected=lambda: True)

    with pytest.raises(GatewayCredentialError, match="ZEROENTRY_SECRET_KEY"):
        opened(None)
    with pytest.raises(GatewayCredentialError, match="zeroentry credential set gate --store"):
        opened(key)
    CredentialStore(tmp_path / "credentials.json", key).set("gate", Credential("u", "p"))
    assert opened(key)
    assert b'"p"' not in (tmp_path / "credentials.json").read_bytes()


def test_a_real_board_without_a_heartbeat_is_told_of_at_the_start(tmp_path: Path) -> None:
    link = DoorBoardLink(via="mqtt", board="relay-1", relay="r", contact="c")
    beating = link.model_copy(update={"alive": "alive"})
    doors = tuple(
        DOOR.model_copy(update={"id": name, "link": one})
        for name, one in (("old", link), ("new", beating))
    )
    site = two_floor_site().model_copy(update={"doors": doors})
    bus = MemoryBroker().client("controller")
    with capture_logs() as said:
        open_facilities(
            site, bus, SimulatedClock(), httpx.AsyncClient(), tmp_path, None, connected=lambda: True
        )
    assert [(row["event"], row["facility"]) for row in said] == [
        ("facility_without_heartbeat", "old")
    ]
