"""The feed: one stream a login, resumed after a break, honest about a lost controller."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from client import ApiClient, RefusedError
from controller.console.feed import Feed, Link
from controller.console.logins import Logins
from runtime.clock import SystemClock
from tests.fakes.console_controller import PASSWORD, FakeController, app_of, serving
from tests.fakes.waiting import until


@pytest.fixture
async def house() -> AsyncIterator[FakeController]:
    house = FakeController(SystemClock())
    async with serving(app_of(house)) as origin:
        house.origin = origin
        yield house
        house.close()


@asynccontextmanager
async def following(house: FakeController) -> AsyncIterator[Feed]:
    async with httpx.AsyncClient(trust_env=False) as http:
        anyone = ApiClient(http, house.origin)
        given = await anyone.login("visitor", PASSWORD)
        feed = Feed(anyone.with_token(given.token), SystemClock(), random.Random(1))
        task = asyncio.create_task(feed.run())
        await until(lambda: feed.link is Link.LIVE, what="the feed is live")
        yield feed
        task.cancel()


async def test_changes_are_followed(house: FakeController) -> None:
    async with following(house) as feed:
        told: list[int] = []
        quiet = feed.listen(lambda: told.append(1))
        alert = house.raise_alert()
        await until(lambda: feed.house and alert.id in feed.house.alerts, what="the alert is known")
        assert feed.house is not None
        await until(
            lambda: feed.house and feed.house.rooms["room-1"].head_count == 6, what="the count"
        )
        assert told
        quiet()


async def test_what_happened_during_a_break_is_made_up_for(house: FakeController) -> None:
    async with following(house) as feed:
        first = house.raise_alert()
        await until(lambda: feed.house and first.id in feed.house.alerts, what="first alert")
        house.down = True
        house.drop_streams()
        await until(lambda: feed.link is Link.LOST, what="the break is noticed")
        assert feed.lost_utc_ms is not None
        missed = house.raise_alert("room-2")
        moved = house.zones["door-1"].model_copy(update={"clear": False})
        house.zones["door-1"] = moved
        house.down = False
        await until(lambda: feed.link is Link.LIVE, what="the link is back")
        assert feed.house is not None
        assert missed.id in feed.house.alerts
        assert feed.house.zones["door-1"] == moved
        assert house.resumed_from[-1] == "1"


async def test_resync_fetches_the_overview_again(house: FakeController) -> None:
    async with following(house) as feed:
        house.sessions.pop("s-2")
        house.resync()
        await until(lambda: feed.house and "s-2" not in feed.house.sessions, what="a new overview")
        assert feed.link is Link.LIVE
        assert feed.house is not None
        assert set(feed.house.sessions) == set(house.sessions)


async def test_a_token_that_is_no_longer_good_ends_the_feed(house: FakeController) -> None:
    async with following(house) as feed:
        house.tokens.clear()
        house.drop_streams()
        asked = len(house.resumed_from)
        await until(lambda: feed.link is Link.SIGNED_OUT, what="the feed ends")
        assert len(house.resumed_from) == asked  # it does not knock with a token that is refused


async def test_two_pages_of_one_login_share_one_stream(house: FakeController) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        logins = Logins(ApiClient(http, house.origin), SystemClock(), random.Random(1))
        login = await logins.sign_in("browser-1", "visitor", PASSWORD)
        leave = [login.attend(lambda: None), login.attend(lambda: None)]
        await until(lambda: login.feed.link is Link.LIVE, what="live")
        assert len(house.resumed_from) == 1
        assert logins.of("browser-1") is login
        assert logins.of("browser-2") is None
        for go in leave:
            go()
        await logins.sign_out("browser-1")
        assert logins.of("browser-1") is None
        assert house.tokens == {}
        with pytest.raises(RefusedError):
            await logins.sign_in("browser-1", "visitor", "wrong")
        logins.close()
