"""The people of a live house: what goes wrong ends again, and who looks after what."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from client import ApiClient
from contracts.api import LoginGiven, Overview, Role, User
from contracts.api.facilities import FacilitiesView, FireView
from contracts.units import UtcMs
from runtime.clock import SimulatedClock
from runtime.mqtt import MqttSettings
from runtime.site import load_site
from zeroentry.facilities.model import Fault, SimFire, boards_for
from zeroentry.simulator.crowd import FAULTS, LOOK_AFTER_S, Crowd
from zeroentry.simulator.house import TOWER, lay_site
from zeroentry.simulator.live import LiveFleet
from zeroentry.simulator.sight import Sight


class Controller:
    """A controller whose fire alarm has gone out and waits for a person."""

    def __init__(self) -> None:
        self.latched = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.url.path.rpartition("/")[2]:
            case "login":
                user = User(username="people", roles=(Role.SUPERVISOR,))
                answer: BaseModel = LoginGiven(token="t", expires_utc_ms=UtcMs(1), user=user)
            case "overview":
                answer = Overview(
                    event_id=1, rooms=(), zones=(), robots=(), alerts=(), deliveries=(), sessions=()
                )
            case "facilities":
                answer = FacilitiesView(fire=FireView(latched=self.latched))
            case "release":
                self.latched = False
                answer = FireView()
            case _:
                return httpx.Response(404)
        return httpx.Response(200, text=answer.model_dump_json())


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
async def crowd(tmp_path: Path, controller: Controller) -> AsyncIterator[Crowd]:
    folder = lay_site(TOWER, tmp_path / "site", 3)
    settings, clock = MqttSettings(client_id="sim"), SimulatedClock()
    fleet = LiveFleet(str(folder), {})
    site = load_site(folder)
    async with httpx.AsyncClient(transport=httpx.MockTransport(controller)) as http:
        yield Crowd(
            fleet,
            Sight(site, fleet.plan, settings, clock),
            boards_for(site.facilities),
            ApiClient(http, "http://house"),
            ("people", "secret"),
            clock,
            random.Random(1),
            print,
        )


def wrong(crowd: Crowd) -> list[str]:
    """Everything that is out of order in the house now."""
    rows: list[str] = []
    for name, robot in crowd.fleet.robots.items():
        vehicle = robot.vehicle
        state = (robot.muted, vehicle.e_stop, vehicle.hindered, vehicle.lie is not None)
        rows += [name for is_so in state if is_so]
    rows += [area.id for area in crowd.sight.areas.values() if area.blind]
    for board in crowd.boards:
        for name, sim in board.sims.items():
            burns = isinstance(sim, SimFire) and sim.burning
            rows += [name] if burns or sim.fault is not Fault.NONE else []
    return rows


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_goes_wrong_is_one_thing_and_is_told_and_ends(crowd: Crowd, kind: str) -> None:
    told: list[str] = []
    crowd.tell = told.append
    assert wrong(crowd) == []
    undo = crowd.fault(kind)
    assert undo is not None
    assert len(wrong(crowd)) == 1
    assert [line.startswith("FAULT ") for line in told] == [True]
    undo()
    assert wrong(crowd) == []


async def test_nothing_goes_wrong_with_what_a_site_does_not_have(crowd: Crowd) -> None:
    crowd.boards = ()
    crowd.sight.areas.clear()
    assert [crowd.fault(kind) for kind in ("fire", "stuck", "blind")] == [None] * 3


async def test_a_supervisor_comes_some_time_after_a_fire(
    crowd: Crowd, controller: Controller
) -> None:
    clock = crowd.clock
    assert isinstance(clock, SimulatedClock)
    people = asyncio.create_task(crowd.run())
    try:
        await clock.run_ms(int(LOOK_AFTER_S * 1_000) - 2_000)
        assert controller.latched, "it can be looked at until then"
        await clock.run_ms(4_000)
        assert not controller.latched
    finally:
        people.cancel()
        await asyncio.gather(people, return_exceptions=True)
