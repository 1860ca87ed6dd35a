"""The API end to end in memory: log in, seal, alert, order; and what it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts.observations import Mode
from contracts.topics import Kind
from tests.fakes.controller_site import Bench, an_alert, bench, durable, health
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def client_of(made: Bench, name: str | None = None) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(made.controller.app), base_url="http://controller/api/v1"
    )
    if name is not None:
        answer = await client.post(
            "/login", json={"username": name, "password": f"{name}-password"}
        )
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


async def test_a_session_is_sealed_and_an_alert_is_handled(running: Bench) -> None:
    client = await client_of(running, "sup")
    made = await client.post("/sessions", json={"room_id": "room-1", "title": "T", "admitted": 5})
    assert made.status_code == 201, made.text
    session = made.json()["id"]
    early = await client.post(f"/sessions/{session}/seal")
    assert early.status_code == 409
    assert early.headers["content-type"] == "application/problem+json"
    assert "gather" in early.json()["detail"]
    assert (await client.post(f"/sessions/{session}/gather")).status_code == 200
    sealed = await client.post(f"/sessions/{session}/seal", json=OVERRIDES)
    assert sealed.json()["state"] == "sealed"
    assert sealed.json()["sealed_by"] == "sup"

    await running.edge.publish(health("http://edge"))
    await running.edge.publish(durable(Kind.ALERT, "room-1", an_alert(session_id=session), 1))
    await until(lambda: running.controller.service.state.alerts, what="the alert is in the state")
    page = (await client.get("/alerts")).json()
    assert [row["number"] for row in page["items"]] == [1]
    assert page["items"][0]["title"]["en"] == "More people than admitted"
    alert = page["items"][0]["id"]
    seen = (await client.post(f"/alerts/{alert}/acknowledge")).json()
    assert (seen["handling"], seen["acknowledged_by"]) == ("acknowledged", "sup")
    done = await client.post(f"/alerts/{alert}/resolve", json={"disposition": "violation"})
    assert done.json()["handling"] == "resolved"
    overview = (await client.get("/overview")).json()
    assert overview["rooms"][0]["session"]["id"] == session
    media = (await client.get("/rooms/room-1/media")).json()
    assert media[0]["snapshot_url"].startswith("http://edge/api/v1/cameras/cam-1/snapshot.jpg")
    report = (await client.get(f"/sessions/{session}/report")).json()
    assert report["alerts"][0]["disposition"] == "violation"
    for lang, word in (("zh-CN", "见证报告"), ("en", "Witness report")):
        page_html = await client.get(f"/sessions/{session}/report.html?lang={lang}")
        assert page_html.status_code == 200
        assert word in page_html.text
    await client.aclose()


async def test_what_a_rule_in_shadow_finds_is_kept_counted_and_told_to_nobody(
    running: Bench,
) -> None:
    client = await client_of(running, "sup")
    told = an_alert("a1").model_copy(update={"rule": "zone.loitering"})
    silent = told.model_copy(update={"alert_id": "a2", "mode": Mode.SHADOW})
    heard = running.controller.hub.last_id
    await running.edge.publish(durable(Kind.ALERT, "room-1", silent, 1))
    await until(lambda: running.controller.service.state.alerts, what="it is in the state")
    assert running.controller.hub.last_id == heard  # no console was told
    await running.edge.publish(durable(Kind.ALERT, "room-1", told, 2))
    await until(lambda: len(running.controller.service.state.alerts) == 2, what="both are")
    alerts = (await client.get("/alerts")).json()["items"]
    assert [row["id"] for row in alerts] == ["a1"]
    shadowed = (await client.get("/alerts", params={"shadow": True})).json()["items"]
    assert [(row["id"], row["mode"]) for row in shadowed] == [("a2", "shadow")]
    overview = (await client.get("/overview")).json()
    assert [row["id"] for row in overview["alerts"]] == ["a1"]
    assert overview["rooms"][0]["active_alerts"] == 1
    assert (
        await client.post("/alerts/a2/resolve", json={"disposition": "false"})
    ).status_code == 200
    (record,) = (await client.get("/alerts/rules")).json()
    counted = (record["rule"], record["told"], record["shadowed"], record["false"])
    assert counted == ("zone.loitering", 1, 1, 1)
    await client.aclose()


async def test_an_order_gives_the_pin_once(running: Bench) -> None:
    client = await client_of(running, "tab1")
    body = {"room_id": "room-1", "lines": [{"dish": "tea", "count": 2}]}
    first = await client.post("/deliveries", json=body, headers={"Idempotency-Key": "k"})
    assert first.status_code == 201, first.text
    pin = first.json()["pin"]
    assert len(pin) == 6
    again = await client.post("/deliveries", json=body, headers={"Idempotency-Key": "k"})
    assert again.status_code == 200
    assert again.json()["pin"] is None
    assert again.json()["delivery"]["id"] == first.json()["delivery"]["id"]
    other = await client.post("/deliveries", json={**body, "room_id": "room-2"})
    assert other.status_code == 403
    wrong = await client.post("/deliveries", json={**body, "lines": [{"dish": "wine", "count": 1}]})
    assert wrong.status_code == 422
    assert "wine" in wrong.json()["detail"]
    assert pin not in json.dumps((await client.get("/deliveries")).json())
    await client.aclose()
