"""Terms of search, grants of its routes, and the rules of HTTP that routes share."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.admission import Sector
from contracts.api import BASE, SessionBody
from contracts.api.search import FoundKind
from contracts.units import UtcMs
from controller.api.http_rules import Once, check_if_match, etag_of
from controller.api.problems import ProblemError
from controller.core import sessions
from controller.core.alerts import AlertRecord
from controller.core.figures import AlertFact, Facts, percentile, statistics
from controller.core.searching import Filters, filter_terms, query_terms, terms_of
from controller.ports import Batch
from controller.store.answers import AnsweredStore
from tests.fakes.controller_site import Bench, an_alert, at_once, bench


def test_chinese_is_entered_in_pairs_and_words_as_they_are() -> None:
    assert list(terms_of("专家离席3次")) == ["专家", "家离", "离席", "席", "3", "次"]
    assert list(terms_of("Phone RANG，cam-2")) == ["phone", "rang", "cam", "2"]
    assert list(terms_of("Ａ１室")) == ["a1", "室"]  # full width is the same


def test_a_query_asks_for_pairs_and_for_how_words_begin() -> None:
    assert [(row.text, row.prefix) for row in query_terms("离席")] == [("离席", False)]
    assert [(row.text, row.prefix) for row in query_terms("席")] == [("席", True)]
    assert [(row.text, row.prefix) for row in query_terms("whisp ab")] == [
        ("whisp", True),
        ("ab", False),
    ]
    assert query_terms("\"*&|()':!") == ()


@given(st.text(max_size=60), st.text(alphabet="离席专家手机断电abc 1", max_size=30))
@settings(max_examples=200, deadline=None)
def test_what_is_in_a_text_is_asked_for_by_terms_that_the_text_has(rest: str, asked: str) -> None:
    entered = set(terms_of(f"{rest} {asked} {rest}"))
    for term in query_terms(asked):
        if term.prefix:
            assert any(word.startswith(term.text) for word in entered)
        else:
            assert term.text in entered


def test_filters_of_alerts_leave_other_kinds_out() -> None:
    terms = filter_terms(Filters(rule="area.over_admitted", rooms=("room-1", "room-2")))
    said = [tuple(term.text for term in group) for group in terms]
    assert said == [
        ("k:alert",),
        ("r:room-1", "r:room-2"),
        ("q:told",),
        ("u:area.over_admitted",),
    ]


class Shown(BaseModel):
    number: int


def test_a_change_of_what_somebody_else_changed_is_refused() -> None:
    now = Shown(number=1)
    check_if_match(etag_of(now), now)
    check_if_match("*", now)
    check_if_match(f'"x", {etag_of(now)}', now)
    for given_tag, status in ((None, 428), (etag_of(Shown(number=2)), 412)):
        with pytest.raises(ProblemError) as error:
            check_if_match(given_tag, now)
        assert error.value.status == status


async def test_a_request_that_comes_again_with_its_key_gets_the_same_answer(tmp_path: Path) -> None:
    made = bench(tmp_path)
    times = iter(range(1_000_000, 2_000_000))
    once = Once(AnsweredStore(made.controller.database), lambda: UtcMs(next(times)), at_once)
    done: list[int] = []

    async def make() -> Shown:
        done.append(1)
        await asyncio.sleep(0)
        return Shown(number=len(done))

    def ask(key: str | None, body: int = 1, name: str = "sup") -> "asyncio.Future[Shown]":
        given_body = Shown(number=body)
        return asyncio.ensure_future(once(name, key, "POST /x", given_body, Shown, make))

    first, again = await asyncio.gather(ask("key-00001"), ask("key-00001"))
    assert first == again == Shown(number=1)
    assert await ask("key-00001", name="ops") == Shown(number=2)  # another's key is another
    assert await ask(None) == Shown(number=3)
    with pytest.raises(ProblemError) as error:
        await ask("key-00001", body=2)
    assert error.value.status == 409
    assert len(done) == 3
    made.controller.database.close()


def fact(day: int, **changes: object) -> AlertFact:
    row = AlertFact("area.over_admitted", "room-1", False, None, UtcMs(day), None, None)
    return replace(row, **changes)  # type: ignore[arg-type] # fields by name


def test_days_are_the_sites_and_none_is_left_out() -> None:
    facts = Facts([fact(1), fact(2), fact(2, shadow=True)], [], [], [], more=False)
    told = statistics(
        facts, UtcMs(0), UtcMs(9), lambda ms: f"day-{ms}", ["day-1", "day-2", "day-3"]
    )
    assert [(row.day, row.count) for row in told.days] == [("day-1", 1), ("day-2", 1), ("day-3", 0)]
    assert (told.alerts, told.shadowed) == (2, 1)
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([], 0.95) is None


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[tuple[Bench, httpx.AsyncClient]]:
    made = bench(tmp_path)
    body = SessionBody(room_id="room-1", title="水库评标", admitted=5, sector=Sector.WATER)
    session = sessions.schedule("water-1", body, "sup", UtcMs(5_000))
    alert = an_alert("a1", session_id="water-1")
    other = an_alert("a2").model_copy(update={"room_id": "room-2"})
    rows = (
        AlertRecord(alert=alert, number=1, received_utc_ms=UtcMs(1)),
        AlertRecord(alert=other, number=2, received_utc_ms=UtcMs(1)),
    )
    made.controller.database.commit(Batch(alerts=rows, sessions=(session,)))
    transport = httpx.ASGITransport(made.controller.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
        yield made, client
    made.controller.database.close()


async def logged_in(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    body = {"username": name, "password": f"{name}-password"}
    answer = await client.post(f"{BASE}/login", json=body)
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_search_shows_each_account_what_it_may_see(
    api: tuple[Bench, httpx.AsyncClient],
) -> None:
    _, client = api
    sup, cook = await logged_in(client, "sup"), await logged_in(client, "cook")
    answer = await client.get(f"{BASE}/search", headers=sup)
    assert [row["id"] for row in answer.json()["items"]] == ["water-1", "a2", "a1"]
    answer = await client.get(f"{BASE}/search?text=水库", headers=sup)
    assert [row["id"] for row in answer.json()["items"]] == ["water-1"]
    for path in ("/search", "/statistics", "/rooms/room-1/timeline?from=1&to=2"):
        assert (await client.get(f"{BASE}{path}", headers=cook)).status_code == 403
    assert (await client.get(f"{BASE}/search?cursor=nonsense", headers=sup)).status_code == 422
    assert (await client.get(f"{BASE}/search?from=-1", headers=sup)).status_code == 422
    answer = await client.get(f"{BASE}/rooms/nowhere/players", headers=sup)
    assert answer.status_code == 404


async def test_statistics_come_as_csv_for_spreadsheets(
    api: tuple[Bench, httpx.AsyncClient],
) -> None:
    _, client = api
    sup = await logged_in(client, "sup")
    answer = await client.get(f"{BASE}/statistics.csv?from=0&to=86400000", headers=sup)
    assert answer.content.startswith(b"\xef\xbb\xbftable,key,count")
    assert "rule,area.over_admitted,2," in answer.text
    asked = await client.get(f"{BASE}/statistics?from=0&to={10**12}", headers=sup)
    assert asked.status_code == 422


def test_kinds_without_a_scope_are_not_searched() -> None:
    from controller.api.search import _SCOPE_OF

    assert set(_SCOPE_OF) == set(FoundKind)
