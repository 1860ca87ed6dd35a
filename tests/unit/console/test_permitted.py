"""An account without the overview is shown those parts of the house that it may read."""

import httpx
import pytest

from client import ApiClient, RefusedError
from contracts.api import BASE, Problem
from runtime.clock import SimulatedClock
from tests.fakes.console_controller import FakeController

HOUSE = FakeController(SimulatedClock())


def kitchen(request: httpx.Request) -> httpx.Response:
    """Deliveries and robots, as the controller's table of scopes gives a kitchen."""
    match request.url.path.removeprefix(BASE):
        case "/robots":
            rows = [robot.model_dump(mode="json") for robot in HOUSE.robots.values()]
            return httpx.Response(200, json=rows)
        case "/deliveries":
            return httpx.Response(200, json=[])
        case _:
            problem = Problem(
                title="Forbidden", status=403, detail=request.headers["accept-language"]
            )
            return httpx.Response(403, json=problem.model_dump())


async def test_a_kitchen_is_given_robots_and_deliveries() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(kitchen)) as http:
        house = await ApiClient(http, "http://controller", "token").readable()
    assert [robot.id for robot in house.robots] == ["robot-1", "robot-2"]
    assert (house.rooms, house.alerts, house.sessions, house.event_id) == ((), (), (), 0)


async def test_problems_are_asked_for_in_the_readers_language() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(kitchen)) as http:
        api = ApiClient(http, "http://controller", "token")
        with pytest.raises(RefusedError) as refused:
            await api.in_language("zh-CN").overview()
    assert refused.value.problem.detail == "zh-CN"


async def test_another_refusal_is_not_taken_for_a_missing_right() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503, json=Problem(title="Away", status=503, detail="").model_dump())

    async with httpx.AsyncClient(transport=httpx.MockTransport(away)) as http:
        with pytest.raises(RefusedError):
            await ApiClient(http, "http://controller", "token").readable()
