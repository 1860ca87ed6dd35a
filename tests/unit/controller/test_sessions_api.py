"""Sessions by the API: seal check, overrides, rosters, amendments, check-ins, sweeps, lists."""

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from contracts.observations import AccessEvent, AccessKind
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.auth.names import NameKeyError, NameVault, open_vault
from tests.fakes.controller_site import Bench, bench, durable
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SEATS = [
    {"seat": "1", "role": "expert", "expert_code": "E01", "name": "王小明"},
    {"seat": "2", "role": "expert", "expert_code": "E02", "name": "李雷"},
]
CLEAN = {"empty": True, "phones_cleared": True, "papers_cleared": True}
BODY = {"room_id": "room-1", "title": "T", "admitted": 5}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def client_of(made: Bench, name: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(made.controller.app), base_url="http://controller/api/v1"
    )
    answer = await client.post("/login", json={"username": name, "password": f"{name}-password"})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


async def scheduled(client: httpx.AsyncClient, **more: object) -> str:
    made = await client.post("/sessions", json={**BODY, **more})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def did(client: httpx.AsyncClient, session: str, verb: str, **said: object) -> dict[str, Any]:
    answer = await client.post(f"/sessions/{session}/{verb}", json=said)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def put_roster(
    client: httpx.AsyncClient, session: str, seats: list[dict[str, str]]
) -> httpx.Response:
    tag = (await client.get(f"/sessions/{session}/roster")).headers["etag"]
    return await client.put(
        f"/sessions/{session}/roster", json={"seats": seats}, headers={"If-Match": tag}
    )


async def record(client: httpx.AsyncClient, session: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"/sessions/{session}/record")).json()["items"]
    return items


async def test_a_seal_is_refused_until_each_failed_demand_is_overridden_by_name(
    running: Bench,
) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client)
    await did(client, session, "gather")
    check = (await client.get(f"/sessions/{session}/seal-check")).json()
    states = {row["demand"]: row["state"] for row in check["items"]}
    assert not check["ready"]
    assert len(states) == 12
    assert (states["node_alive"], states["head_count"]) == ("failed", "unknown")
    assert (states["sweep_done"], states["policy_admits"]) == ("ok", "ok")
    assert all(row["text"]["zh"] and row["text"]["en"] for row in check["items"])
    assert all(row["advice"] for row in check["items"] if row["state"] != "ok")
    bare = await client.post(f"/sessions/{session}/seal")
    assert bare.status_code == 409
    assert "node_alive" in bare.json()["detail"]
    some = {"overrides": {"node_alive": "being mended"}}
    partly = await client.post(f"/sessions/{session}/seal", json=some)
    assert partly.status_code == 409
    assert "node_alive" not in partly.json()["detail"]
    assert (await did(client, session, "seal", **OVERRIDES))["state"] == "sealed"
    lines = await record(client, session)
    assert [row["kind"] for row in lines[:3]] == ["state", "state", "seal_check"]
    assert lines[2]["data"]["node_alive"] == "failed"
    overridden = {row["data"]["demand"] for row in lines if row["kind"] == "override"}
    assert overridden == {name for name, state in states.items() if state != "ok"}
    assert lines[-1]["data"] == {"from": "gathering", "to": "sealed", "verb": "seal"}
    await client.aclose()


async def test_suspending_cancelling_and_archiving_say_why_and_are_lines(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client)
    await did(client, session, "gather")
    await did(client, session, "seal", **OVERRIDES)
    assert (await client.post(f"/sessions/{session}/suspend")).status_code == 422
    away = await did(client, session, "suspend", suspension="overnight", reason="明早继续")
    assert (away["state"], away["suspension"], away["reason"]) == (
        "suspended",
        "overnight",
        "明早继续",
    )
    assert (await client.post(f"/sessions/{session}/resume")).status_code == 409
    await did(client, session, "resume", **OVERRIDES)
    await did(client, session, "release")
    assert (await did(client, session, "archive"))["state"] == "archived"
    other = await scheduled(client)
    assert (await client.post(f"/sessions/{other}/cancel")).status_code == 422
    assert (await did(client, other, "cancel", reason="流标"))["reason"] == "流标"
    told = [row["data"] for row in await record(client, session) if row["kind"] == "state"]
    assert [row["to"] for row in told] == [
        "scheduled", "gathering", "sealed", "suspended", "sealed", "released", "archived",
    ]  # fmt: skip
    assert (told[3]["suspension"], told[3]["reason"]) == ("overnight", "明早继续")
    await client.aclose()


async def test_a_room_is_swept_before_the_next_gathering(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client)
    await did(client, session, "gather")
    await did(client, session, "cancel", reason="called off")
    following = await scheduled(client)
    refused = await client.post(f"/sessions/{following}/gather")
    assert refused.status_code == 409
    assert "sweep_done" in refused.json()["detail"]
    dirty = await client.post("/rooms/room-1/sweep", json={**CLEAN, "phones_cleared": False})
    assert dirty.json()["needed"]
    assert (await client.post(f"/sessions/{following}/gather")).status_code == 409
    swept = (await client.post("/rooms/room-1/sweep", json=CLEAN)).json()
    assert (swept["needed"], swept["swept_by"]) == (False, "sup")
    await did(client, following, "gather")
    assert [row["kind"] for row in await record(client, following)].count("sweep") == 2
    assert (await client.get("/rooms/nowhere/sweep")).status_code == 404
    await client.aclose()


async def test_a_sweep_may_be_overridden_with_a_reason(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client)
    await did(client, session, "gather")
    await did(client, session, "cancel", reason="called off")
    following = await scheduled(client)
    await did(client, following, "gather", overrides={"sweep_done": "swept by hand, no network"})
    assert "override" in [row["kind"] for row in await record(client, following)]
    await client.aclose()


async def test_names_are_encrypted_and_shown_after_the_release_alone(
    running: Bench, tmp_path: Path
) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client)
    filled = await put_roster(client, session, SEATS)
    assert filled.status_code == 200, filled.text
    assert "王小明" not in filled.text
    view = (await client.get(f"/sessions/{session}")).json()
    assert (view["admitted"], view["seats"]) == (2, 2)
    assert (await client.get(f"/sessions/{session}/roster/names")).status_code == 409
    await did(client, session, "gather")
    await did(client, session, "seal", **OVERRIDES)
    assert (await client.get(f"/sessions/{session}/roster/names")).status_code == 409
    await did(client, session, "release")
    names = (await client.get(f"/sessions/{session}/roster/names")).json()["names"]
    assert [(row["seat"], row["name"]) for row in names] == [("1", "王小明"), ("2", "李雷")]
    ops = await client_of(running, "ops")
    assert (await ops.get(f"/sessions/{session}/roster/names")).status_code == 403
    assert (await ops.get(f"/sessions/{session}/roster")).status_code == 403
    database = sqlite3.connect(tmp_path / "data" / "controller.db")
    assert not [row for row in database.iterdump() if "王小明" in row or "李雷" in row]
    database.close()
    key = tmp_path / "data" / "keys" / "participant-names.key"
    assert key.stat().st_mode & 0o777 == 0o600
    await client.aclose()
    await ops.aclose()


def test_a_name_is_bound_to_its_session_and_number_and_key(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "key")
    sealed = vault.seal("s-1", 1, "王小明")
    assert open_vault(tmp_path / "key").read("s-1", 1, sealed) == "王小明"
    assert vault.read("s-2", 1, sealed) is None
    assert vault.read("s-1", 2, sealed) is None
    assert NameVault(b"x" * 32).read("s-1", 1, sealed) is None
    assert vault.read("s-1", 1, sealed[:-1] + b"\0") is None
    assert vault.read("s-1", 1, b"") is None
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(NameKeyError, match="chmod 600"):
        open_vault(tmp_path / "key")


async def test_a_roster_is_changed_as_it_was_read_and_by_amendment_after_gathering(
    running: Bench,
) -> None:
    client, second = await client_of(running, "sup"), await client_of(running, "sup2")
    session = await scheduled(client)
    bare = await client.put(f"/sessions/{session}/roster", json={"seats": SEATS})
    assert bare.status_code == 428
    tag = (await client.get(f"/sessions/{session}/roster")).headers["etag"]
    assert (await put_roster(client, session, SEATS)).status_code == 200
    stale = await client.put(
        f"/sessions/{session}/roster", json={"seats": []}, headers={"If-Match": tag}
    )
    assert stale.status_code == 412
    twice = await put_roster(client, session, [SEATS[0], {**SEATS[1], "expert_code": "E01"}])
    assert twice.status_code == 422
    early = {"kind": "recused", "seat": "1", "reason": "同单位"}
    assert (await client.post(f"/sessions/{session}/amendments", json=early)).status_code == 409
    await did(client, session, "gather")
    assert (await put_roster(client, session, [])).status_code == 409
    change = {
        "kind": "replaced",
        "seat": "1",
        "reason": "回避",
        "incoming": {"seat": "1", "role": "expert", "expert_code": "E09", "name": "韩梅梅"},
    }
    asked = await client.post(f"/sessions/{session}/amendments", json=change)
    assert asked.status_code == 201, asked.text
    assert "韩梅梅" not in asked.text
    path = f"/sessions/{session}/amendments/1"
    assert (await client.post(f"{path}/approve")).status_code == 403
    open_ = (await client.get(f"/sessions/{session}/seal-check")).json()["items"]
    assert {row["state"] for row in open_ if row["demand"] == "roster_complete"} == {"failed"}
    approved = await second.post(f"{path}/approve", json={"note": "同意"})
    assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "sup2")
    assert (await second.post(f"{path}/approve")).status_code == 409
    roster = (await client.get(f"/sessions/{session}/roster")).json()
    rows = [(row["seat"], row["expert_code"], row["standing"]) for row in roster["participants"]]
    assert rows == [("1", "E01", "replaced"), ("1", "E09", "active"), ("2", "E02", "active")]
    assert (await client.get("/alerts")).json()["items"] == []  # nothing was sealed yet
    told = [row for row in await record(client, session) if row["kind"] == "amendment"]
    assert [(row["data"]["step"], row["by"]) for row in told] == [
        ("filled", "sup"), ("asked", "sup"), ("approved", "sup2"),
    ]  # fmt: skip
    assert not [row for row in told if "韩梅梅" in str(row)]
    await client.aclose()
    await second.aclose()


async def test_a_change_of_a_sealed_roster_goes_to_the_node_and_is_an_alert(
    running: Bench,
) -> None:
    client, second = await client_of(running, "sup"), await client_of(running, "sup2")
    session = await scheduled(client)
    await put_roster(client, session, SEATS)
    await did(client, session, "gather")
    await did(client, session, "seal", **OVERRIDES)
    before = running.controller.service.state.sessions[session]
    body = {"kind": "recused", "seat": "1", "reason": "同单位"}
    assert (await client.post(f"/sessions/{session}/amendments", json=body)).status_code == 201
    approved = await second.post(f"/sessions/{session}/amendments/1/approve")
    assert approved.status_code == 200, approved.text
    after = running.controller.service.state.sessions[session]
    assert (before.admitted, after.admitted) == (2, 1)
    assert before.roster_sha256 != after.roster_sha256
    assert before.command_id != after.command_id  # sealed anew, with one person fewer
    (alert,) = (await client.get("/alerts")).json()["items"]
    assert (alert["rule"], alert["session_id"]) == ("session.roster_changed", session)
    assert (alert["condition"], alert["handling"]) == ("cleared", "new")
    assert "sup2" in alert["saw"]["en"]
    await client.aclose()
    await second.aclose()


async def test_terminals_report_by_bus_and_by_webhook_and_each_event_counts_once(
    running: Bench,
) -> None:
    client, terminal = await client_of(running, "sup"), await client_of(running, "gate")
    session = await scheduled(client)
    await put_roster(client, session, SEATS)
    await did(client, session, "gather")
    code = (await client.get(f"/sessions/{session}")).json()["code"]
    body = {"event_id": "t-1", "expert_code": "E01"}
    came = await terminal.post("/check-ins", json=body)
    assert came.status_code == 201, came.text
    assert (came.json()["known"], came.json()["seat"]) == (True, "1")
    assert came.json()["session_code"] == code
    again = await terminal.post("/check-ins", json=body)
    assert again.json()["known"]
    event = AccessEvent(
        event_id="t-2",
        room_id="room-1",
        kind=AccessKind.CHECK_IN,
        utc_ms=UtcMs(running.clock.utc_ms()),
        expert_code="E02",
    )
    await running.edge.publish(durable(Kind.ACCESS, "room-1", event, 1))
    state = running.controller.service
    await until(
        lambda: len(state.state.sessions[session].roster.check_ins) == 2, what="the bus's event"
    )
    unknown = await terminal.post("/check-ins", json={"expert_code": "E99", "room_id": "room-1"})
    assert unknown.json()["known"] is False
    nobody = await terminal.post("/check-ins", json={"expert_code": "E99"})
    assert nobody.status_code == 404
    roster = (await client.get(f"/sessions/{session}/roster")).json()
    assert [row["attendance"] for row in roster["participants"]] == ["present", "present"]
    assert [row["expert_code"] for row in roster["refused"]] == ["E99"]
    assert (await terminal.get(f"/sessions/{session}")).status_code == 403
    lines = [row for row in await record(client, session) if row["kind"] == "check_in"]
    assert [row["data"]["known"] for row in lines] == ["true", "true", "false"]
    left = await client.post(
        f"/sessions/{session}/check-ins", json={"seat": "1", "kind": "check_out"}
    )
    assert left.json()["participants"][0]["checked_out_utc_ms"] is not None
    stranger = await client.post(f"/sessions/{session}/check-ins", json={"seat": "7"})
    assert stranger.status_code == 404
    await client.aclose()
    await terminal.aclose()


async def test_sessions_are_listed_in_pages_and_filtered(running: Bench) -> None:
    client = await client_of(running, "sup")
    hour = 3_600_000
    now = int(running.clock.utc_ms())
    for number in range(5):
        room = "room-1" if number % 2 else "room-2"
        start = now + number * hour
        await scheduled(client, room_id=room, starts_utc_ms=start, title=f"T{number}")
    first = (await client.get("/sessions", params={"limit": 3})).json()
    assert [row["title"] for row in first["items"]] == ["T4", "T3", "T2"]
    rest = (await client.get("/sessions", params={"before": first["next_before"]})).json()
    assert [row["title"] for row in rest["items"]] == ["T1", "T0"]
    assert rest["next_before"] is None
    of_room = (await client.get("/sessions", params={"room": "room-1"})).json()["items"]
    assert [row["title"] for row in of_room] == ["T3", "T1"]
    window = {"from_utc_ms": now + hour, "to_utc_ms": now + 3 * hour}
    found = (await client.get("/sessions", params=window)).json()["items"]
    assert [row["title"] for row in found] == ["T2", "T1"]
    assert (await client.get("/sessions", params={"state": "sealed"})).json()["items"] == []
    assert (await client.get("/sessions", params={"sector": "water"})).json()["items"] == []
    assert (await client.get("/sessions", params={"before": "nonsense"})).status_code == 422
    await client.aclose()


async def test_a_scheduled_session_is_changed_as_it_was_read_and_made_once_by_its_key(
    running: Bench,
) -> None:
    client = await client_of(running, "sup")
    key = {"Idempotency-Key": "one-session"}
    made = await client.post("/sessions", json=BODY, headers=key)
    again = await client.post("/sessions", json=BODY, headers=key)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    path, tag = f"/sessions/{made.json()['id']}", made.headers["etag"]
    assert (await client.patch(path, json={"title": "New"})).status_code == 428
    changed = await client.patch(
        path, json={"title": "New", "room_ids": ["room-2", "room-1"]}, headers={"If-Match": tag}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["room_id"], changed.json()["revision"]) == ("room-2", 1)
    stale = await client.patch(path, json={"title": "Old"}, headers={"If-Match": tag})
    assert stale.status_code == 412
    await client.aclose()


async def test_an_import_plans_everything_or_nothing(running: Bench) -> None:
    client = await client_of(running, "sup")
    rows = ("评标室,名称,开始时间,准入人数", "room-1,甲,2099-12-01 09:00,5")
    good = "\n".join((*rows, "room-2,乙,2099-12-01 09:00,5", ""))
    bad = good + "room-9,丙,2099-13-01 09:00,0\n"

    async def sent(content: bytes, *, dry_run: bool = False) -> dict[str, Any]:
        answer = await client.post(
            "/sessions/import",
            files={"file": ("s.csv", content)},
            data={"dry_run": str(dry_run).lower()},
        )
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    wrong = await sent(bad.encode())
    assert wrong["imported"] == 0
    assert {(row["row"], row["column"]) for row in wrong["problems"]} == {
        (4, "room"), (4, "starts"), (4, "admitted"),
    }  # fmt: skip
    assert (await client.get("/sessions")).json()["items"] == []
    tried = await sent(good.encode("gbk"), dry_run=True)
    assert (tried["rows"], tried["imported"], len(tried["sessions"])) == (2, 0, 2)
    assert (await client.get("/sessions")).json()["items"] == []
    done = await sent(good.encode("gbk"))
    assert done["imported"] == 2
    listed = (await client.get("/sessions")).json()["items"]
    assert {row["title"] for row in listed} == {"甲", "乙"}
    assert (await sent(good.encode()))["imported"] == 0  # the rooms are taken at that time
    batch = {"sessions": [{**BODY, "starts_utc_ms": 4_000_000_000_000}]}
    listed_too = await client.post("/sessions/batch", json=batch)
    assert listed_too.json()["imported"] == 1
    large = await client.post("/sessions/import", files={"file": ("s.csv", b"x" * 1_200_000)})
    assert large.status_code == 413
    small = await client.post("/sessions", content=b"x" * 70_000)
    assert small.status_code == 413  # the wider limit is that route's alone
    for kind in ("csv", "xlsx"):
        for lang in ("zh-CN", "en"):
            path = f"/sessions/import-template.{kind}"
            template = await client.get(path, params={"lang": lang})
            filled = template.content.replace(b"2026-12-01", b"2099-11-01")
            if kind == "xlsx":
                book = openpyxl.load_workbook(io.BytesIO(template.content))
                book.worksheets[0]["C2"] = "2099-11-01 09:00"
                kept = io.BytesIO()
                book.save(kept)
                filled = kept.getvalue()
            assert (await sent(filled, dry_run=True))["problems"] == []
    await client.aclose()


async def test_an_area_is_sealed_when_each_of_its_rooms_has_confirmed(running: Bench) -> None:
    client = await client_of(running, "sup")
    session = await scheduled(client, room_ids=["room-1", "room-2"], admitted=2, admitted_each=1)
    await did(client, session, "gather")
    taken = await scheduled(client, room_id="room-2")
    assert (await client.post(f"/sessions/{taken}/gather")).status_code == 409
    await did(client, session, "seal", **OVERRIDES)
    kept = running.controller.service.state.sessions[session]
    assert [row.room_id for row in kept.seals] == ["room-1", "room-2"]
    rooms = (await client.get("/rooms")).json()
    held = {row["id"]: row["session"]["id"] for row in rooms if row["session"]}
    assert (held["room-1"], held["room-2"]) == (session, session)
    await client.aclose()
