"""The API client against the scripted controller: typed answers, typed errors, resumed events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from client import (
    ApiClient,
    ControllerLost,
    EventParser,
    HouseEvent,
    RefusedError,
)
from client.stream import EVENT_LINE_MAX_CHARS
from contracts.api import (
    AlertView,
    DeliveryBody,
    EventName,
    Handling,
    OrderLine,
    ResolveBody,
    RoomView,
)
from runtime.clock import SystemClock
from tests.fakes.console_controller import PASSWORD, PIN, FakeController, app_of, serving


@dataclass
class Site:
    house: FakeController
    origin: str
    http: httpx.AsyncClient
    api: ApiClient


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    house = FakeController(SystemClock())
    async with serving(app_of(house)) as origin, httpx.AsyncClient(trust_env=False) as http:
        house.origin = origin
        anyone = ApiClient(http, origin)
        given = await anyone.login("visitor", PASSWORD)
        yield Site(house, origin, http, anyone.with_token(given.token))
        house.close()


async def test_each_request_bears_the_users_own_token(site: Site) -> None:
    assert (await site.api.me()).username == "visitor"
    await site.api.logout()
    with pytest.raises(RefusedError) as refused:
        await site.api.overview()
    assert refused.value.problem.status == 401


async def test_a_problem_arrives_typed(site: Site) -> None:
    alert = site.house.raise_alert()
    seen = await site.api.acknowledge(alert.id)
    assert seen.handling is Handling.ACKNOWLEDGED
    with pytest.raises(RefusedError) as refused:
        await site.api.acknowledge(alert.id)
    assert refused.value.problem.title == "Already acknowledged"
    assert "visitor was faster" in refused.value.problem.detail


async def test_an_answer_that_is_no_problem_becomes_one(site: Site) -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="<h1>Bad gateway</h1>")

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        with pytest.raises(RefusedError) as refused:
            await ApiClient(http, "http://controller").site()
    assert refused.value.problem.status == 502


async def test_an_answer_of_another_kind_is_a_lost_controller() -> None:
    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>captive portal</html>")

    async with httpx.AsyncClient(transport=httpx.MockTransport(page)) as http:
        with pytest.raises(ControllerLost, match="is not a SiteView"):
            await ApiClient(http, "http://controller").site()


async def test_a_port_without_anyone_is_a_lost_controller() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(ControllerLost, match=r"127\.0\.0\.1:9/api/v1/site"):
            await ApiClient(http, "http://127.0.0.1:9").site()


async def test_the_same_key_is_the_same_order(site: Site) -> None:
    body = DeliveryBody(room_id="room-1", lines=(OrderLine(dish="tea", count=2),))
    first = await site.api.order(body, "key-1")
    second = await site.api.order(body, "key-1")
    assert (first.pin, second.pin) == (PIN, None)
    assert first.delivery.id == second.delivery.id


async def test_media_and_report_are_fetched(site: Site) -> None:
    (link,) = await site.api.media("room-1")
    assert link.live_url.startswith(site.origin)
    assert "Witness report" in await site.api.report_html("s-1", "en")
    alert = site.house.raise_alert()
    resolved = await site.api.resolve(alert.id, ResolveBody.model_validate({"disposition": "test"}))
    assert resolved.handling is Handling.RESOLVED


async def test_links_to_the_nodes_video_are_fetched(site: Site) -> None:
    live = await site.api.live_page("room-1-cam")
    assert live.url == f"{site.origin}/view/room-1-cam?ticket=live-ticket"
    plain = await site.api.recordings_page("room-1-cam")
    assert plain.url == f"{site.origin}/view/room-1-cam/recordings?ticket=recording-ticket"
    part = await site.api.recordings_page("room-1-cam", 1_000, 2_000)
    assert part.url == plain.url + "&from=1000&to=2000"
    alert = site.house.raise_alert()
    whole, early = await site.api.clip(alert.id), await site.api.clip(alert.id, early=True)
    assert (whole.early, early.early) == (False, True)
    assert whole.complete_utc_ms > alert.raised_utc_ms + 20_000


async def test_events_go_on_behind_the_last_one(site: Site) -> None:
    first = site.house.raise_alert()
    async with site.api.events("0") as events:
        event = await anext(events)
        assert isinstance(event.view, AlertView)
        assert event.view.id == first.id
    second = site.house.raise_alert()
    async with site.api.events(event.id) as events:
        event = await anext(events)
        assert isinstance(event.view, AlertView)
        assert event.view.id == second.id
        site.house.put(site.house.rooms["room-2"])
        live = await anext(events)
    assert (live.name, live.id) == (EventName.ROOM, None)
    assert isinstance(live.view, RoomView)
    assert site.house.resumed_from == ["0", "1"]


def fed(*lines: str) -> list[HouseEvent]:
    parser = EventParser()
    return [event for line in lines if (event := parser.line(line)) is not None]


def test_comments_and_events_of_a_newer_controller_pass_by() -> None:
    assert fed(": hello", "", "event: forecast", "data: {}", "", "retry: 5", "") == []


def test_resync_has_no_body() -> None:
    assert fed("event: resync", "data:", "") == [HouseEvent(EventName.RESYNC, None, None)]


def test_a_body_may_come_in_several_lines() -> None:
    view = FakeController(SystemClock()).zones["door-1"]
    text = view.model_dump_json(indent=1).splitlines()
    (event,) = fed("event: zone", *(f"data: {line}" for line in text), "")
    assert event.view == view


def test_what_cannot_be_read_is_a_lost_controller() -> None:
    with pytest.raises(ControllerLost, match="event room cannot be read"):
        fed("event: room", "data: {}", "")
    with pytest.raises(ControllerLost, match="characters"):
        EventParser().line("data: " + "x" * EVENT_LINE_MAX_CHARS)


async def test_what_a_stranger_needs_is_handed_out_as_it_is() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, text=f"content of {request.url.path}\n")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        api = ApiClient(http, "http://controller", "token")
        key, heads = await api.evidence_key(), await api.evidence_heads()
        with pytest.raises(ControllerLost, match="is not a WitnessReport"):
            await api.report("s/1")
    assert key == "content of /api/v1/evidence/key\n"
    assert heads == "content of /api/v1/evidence/heads.jsonl\n"
    assert asked[-1] == "/api/v1/sessions/s/1/report"
