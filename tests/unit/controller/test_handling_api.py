"""Alerts in work by the API: rights, grants, filters, pages, and two people at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from contracts.admission import Sector
from contracts.api.accounts import Grants
from contracts.observations import Severity
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.store.account_tables import AccountTables
from tests.fakes.controller_site import Bench, an_alert, bench, durable
from tests.fakes.waiting import until
from tests.unit.controller.test_api_walk import client_of


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def logged_in(made: Bench, name: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(made.controller.app), base_url="http://controller/api/v1"
    )
    answer = await client.post("/login", json={"username": name, "password": f"{name}-password"})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


async def with_alerts(made: Bench, count: int) -> None:
    """Alerts by turns in two rooms, of two severities."""
    for number in range(1, count + 1):
        alert = an_alert(f"a{number}").model_copy(
            update={
                "room_id": f"room-{1 + number % 2}",
                "camera_id": f"cam-{1 + number % 2}",
                "severity": Severity.ALARM if number % 3 else Severity.WARNING,
                "raised_utc_ms": UtcMs(1_000 * number),
                "since_utc_ms": UtcMs(1_000 * number),
            }
        )
        await made.edge.publish(durable(Kind.ALERT, alert.room_id, alert, number))
    await until(lambda: len(made.controller.service.state.alerts) == count, what="all are in")


def narrow(made: Bench, name: str, grants: Grants) -> None:
    """Give an account less of the site."""
    store = AccountTables(made.controller.database)
    account = store.find_account(name)
    assert account is not None
    store.put_account(replace(account, grants=grants))


async def test_every_step_by_the_api_with_its_etag(running: Bench) -> None:
    await with_alerts(running, 1)
    chief, ops = await logged_in(running, "sup"), await logged_in(running, "ops")
    seen = (await chief.get("/alerts/a1")).headers["ETag"]
    taken = await ops.post("/alerts/a1/start", headers={"If-Match": seen})
    assert (taken.status_code, taken.json()["owner"]) == (200, "ops")
    late = await chief.post("/alerts/a1/assign", json={"to": "sup"}, headers={"If-Match": seen})
    assert late.status_code == 412
    assert "changed by ops" in late.json()["detail"]
    assert (await chief.post("/alerts/a1/acknowledge")).status_code == 200
    assert (await ops.post("/alerts/a1/urge", json={"text": "?"})).status_code == 403
    urged = await chief.post("/alerts/a1/urge", json={"text": "soon?"})
    assert urged.json()["urged_utc_ms"] is not None
    assert (await chief.post("/alerts/a1/urge", json={"text": "now?"})).status_code == 409
    assert (await ops.post("/alerts/a1/reply", json={"text": ""})).status_code == 422
    assert (await ops.post("/alerts/a1/reply", json={"text": "going"})).status_code == 200
    body = {"disposition": "violation", "note": "a phone", "seat": "2"}
    done = (await ops.post("/alerts/a1/resolve", json=body)).json()
    assert (done["handling"], done["seat"], done["resolved_by"]) == ("resolved", "2", "ops")
    words = {"text": "It rang by mistake."}
    assert (await ops.post("/alerts/a1/statement", json=words)).json()["statement"] == words["text"]
    still = await ops.post("/alerts/a1/close", json={})
    assert still.status_code == 409
    back = await chief.post("/alerts/a1/reopen", json={"text": "not enough"})
    assert (back.json()["handling"], back.json()["disposition"]) == ("assigned", None)
    steps = (await chief.get("/alerts/a1/history")).json()["steps"]
    assert [row["verb"] for row in steps if row["verb"] != "tell"] == [
        "start",
        "urge",
        "reply",
        "resolve",
        "statement",
        "reopen",
    ]
    odd = await chief.post("/alerts/a1/start", headers={"If-Match": '"what"'})
    assert odd.status_code == 412


async def test_the_list_filters_and_pages_without_a_gap(running: Bench) -> None:
    await with_alerts(running, 7)
    chief = await logged_in(running, "sup")
    numbers: list[int] = []
    before = ""
    for _ in range(9):
        page = (await chief.get(f"/alerts?limit=3{before}")).json()
        numbers += [row["number"] for row in page["items"]]
        if page["next_before"] is None:
            break
        before = f"&before={page['next_before']}"
    assert numbers == [7, 6, 5, 4, 3, 2, 1]

    async def found(query: str) -> list[int]:
        answer = await chief.get(f"/alerts?{query}")
        assert answer.status_code == 200, answer.text
        return [row["number"] for row in answer.json()["items"]]

    assert await found("room_id=room-1") == [6, 4, 2]
    assert await found("severity=warning&severity=notice") == [6, 3]
    assert await found("since_utc_ms=3000&until_utc_ms=5000") == [4, 3]
    await chief.post("/alerts/a4/start")
    assert await found("owner=sup") == [4]
    assert await found("handling=handling") == [4]
    await chief.post("/alerts/a4/resolve", json={"disposition": "false"})
    assert await found("open=true") == [7, 6, 5, 3, 2, 1]
    assert await found("disposition=false&rule=area.over_admitted") == [4]
    for wrong in ("handling=asleep", "before=0", "limit=9999", "rule=;drop", "nonsense=1"):
        assert (await chief.get(f"/alerts?{wrong}")).status_code == 422, wrong


async def test_an_account_of_one_room_sees_and_touches_that_room_alone(running: Bench) -> None:
    await with_alerts(running, 6)
    narrow(running, "ops", Grants(rooms=("room-1",)))
    ops = await logged_in(running, "ops")
    page = (await ops.get("/alerts?limit=2")).json()
    assert [row["number"] for row in page["items"]] == [6, 4]
    rest = (await ops.get(f"/alerts?limit=2&before={page['next_before']}")).json()
    assert ([row["number"] for row in rest["items"]], rest["next_before"]) == ([2], None)
    for request in (
        ops.get("/alerts/a1"),
        ops.get("/alerts/a1/history"),
        ops.post("/alerts/a1/acknowledge"),
        ops.post("/alerts/a1/note", json={"text": "x"}),
    ):
        assert (await request).status_code == 404
    assert running.controller.service.state.alerts["a1"].history == ()


async def test_a_sector_sees_no_alert_of_another_sectors_session(running: Bench) -> None:
    chief = await logged_in(running, "sup")
    body = {"room_id": "room-1", "title": "T", "admitted": 5, "sector": "water"}
    session = (await chief.post("/sessions", json=body)).json()["id"]
    alert = an_alert(session_id=session)
    await running.edge.publish(durable(Kind.ALERT, "room-1", alert, 1))
    await until(lambda: running.controller.service.state.alerts, what="it is in")
    narrow(running, "ops", Grants(sectors=(Sector.TRANSPORT,)))
    ops = await logged_in(running, "ops")
    assert (await ops.get("/alerts")).json()["items"] == []
    assert (await ops.post(f"/alerts/{alert.alert_id}/start")).status_code == 404


async def test_duty_is_read_by_who_serves_and_written_by_who_plans(running: Bench) -> None:
    chief, ops = await logged_in(running, "sup"), await logged_in(running, "ops")
    body = {
        "people": [{"username": "ops"}],
        "weekly": [
            {"id": "day", "weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "00:00", "end": "00:00",
             "people": ["ops"]},
        ],
    }  # fmt: skip
    etag = (await ops.get("/duty/roster")).headers["ETag"]
    wanted = {"If-Match": etag}
    assert (await ops.put("/duty/roster", json=body, headers=wanted)).status_code == 403
    assert (await chief.put("/duty/roster", json=body)).status_code == 428
    assert (await chief.put("/duty/roster", json=body, headers=wanted)).status_code == 200
    assert (await chief.put("/duty/roster", json=body, headers=wanted)).status_code == 412
    now = (await ops.get("/duty/now")).json()
    assert [row["username"] for row in now["levels"][0]["people"]] == ["ops"]
    days = (await ops.get(f"/duty/days?start_utc_ms={now['utc_ms']}")).json()
    assert days["gaps"] == []
    key = {"Idempotency-Key": "handover-0001"}
    for _ in range(2):
        made = await ops.post("/duty/handovers", json={"to": "sup", "text": "quiet"}, headers=key)
        assert made.status_code == 201, made.text
    rows = (await ops.get("/duty/handovers")).json()["items"]
    assert [(row["by"], row["to"]) for row in rows] == [("ops", "sup")]
    cook = await logged_in(running, "cook")
    for path in (
        "/duty/now",
        "/duty/roster",
        "/notices",
        "/notices/channels",
        "/alerts/a1/history",
    ):
        assert (await cook.get(path)).status_code == 403, path


async def test_escalation_is_set_as_it_was_read_and_outlives_a_start(tmp_path: Path) -> None:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.service.run())
    sup, ops = await client_of(made, "sup"), await client_of(made, "ops")
    seen = await sup.get("/duty/escalation")
    rules = seen.json()["rules"]
    assert seen.json()["revision"] == 0
    rules["alarm"]["after_min"] = [0, 2]
    tag = {"If-Match": seen.headers["etag"]}
    assert (await ops.put("/duty/escalation", json=rules, headers=tag)).status_code == 403
    assert (await sup.put("/duty/escalation", json=rules)).status_code == 428
    wrong = {**rules, "alarm": {**rules["alarm"], "after_min": [5, 2]}}
    assert (await sup.put("/duty/escalation", json=wrong, headers=tag)).status_code == 422
    put = await sup.put("/duty/escalation", json=rules, headers=tag)
    assert put.status_code == 200, put.text
    assert (put.json()["revision"], put.json()["changed_by"]) == (1, "sup")
    assert (await sup.put("/duty/escalation", json=rules, headers=tag)).status_code == 412
    assert made.controller.service.state.plan.escalation.alarm.after_min == (0, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    made.controller.database.close()
    again = bench(tmp_path)
    assert again.controller.service.state.plan.escalation.alarm.after_min == (0, 2)
