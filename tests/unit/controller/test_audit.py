"""The audit log: a line for what matters, a chain that holds, and nothing done without it."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from contracts.api import Role
from contracts.api.audit import NO_LINE, AuditHead, AuditLine
from contracts.units import UtcMs
from controller.auth.audit import AuditLog, Happened
from controller.auth.limits import Buckets
from controller.auth.policy import RateSettings, SecuritySettings
from controller.ports import StoreLost
from runtime.clock import SimulatedClock
from runtime.signing import SigningKey
from tests.fakes.controller_site import Bench, at_once, bench, health
from tests.fakes.security import (
    GOOD,
    audit_lines,
    client_of,
    code_of,
    guarded,
    logged_in,
    person,
)
from tests.fakes.waiting import until
from zeroentry.audit import Judged, judge


class MemoryAudit:
    """Keeps lines in a list; refuses while ``lost``."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.heads: list[AuditHead] = []
        self.lost = False
        self.commits = 0

    def audit_end(self) -> tuple[int, str]:
        from contracts.api.audit import line_hash

        return (len(self.lines), line_hash(self.lines[-1])) if self.lines else (0, NO_LINE)

    def add_audit(self, lines: Sequence[AuditLine], heads: Sequence[AuditHead]) -> None:
        if self.lost:
            raise StoreLost("disk full")
        self.commits += 1
        self.lines += [line.text() for line in lines]
        self.heads += heads

    def cut_audit(self, before_utc_ms: int) -> int:
        return 0


def a_log(store: MemoryAudit, key: SigningKey | None = None) -> AuditLog:
    return AuditLog(store, SimulatedClock(), key or SigningKey.generate(), 400, at_once)


async def a_chain(count: int = 6) -> tuple[list[str], bytes]:
    store, key = MemoryAudit(), SigningKey.generate()
    log = a_log(store, key)
    for number in range(count):
        await log.write(Happened("li", "POST /x", {"id": str(number)}, "10.0.0.1", 200))
    heads = [head.model_dump_json() for head in store.heads]
    return [*store.lines, *heads], key.public_pem()


async def test_a_chain_is_whole_and_says_where_it_is_not() -> None:
    lines, pem = await a_chain()
    body, heads = lines[:6], lines[6:]
    assert len(heads) == 1
    assert judge(lines, pem).fault == ""
    assert judge(body[2:], None).fault == ""
    assert "missing" in judge(body[:2] + body[3:], pem).fault
    altered = json.loads(body[3])
    altered["by"] = "wu"
    forged = AuditLine.model_validate(altered).text()
    assert "line 4 was altered" in judge([*body[:3], forged, *body[4:]], pem).fault
    assert "no line" in judge([*body[:3], "{}", *body[4:]], pem).fault
    other = SigningKey.generate().public_pem()
    assert "not of this key" in judge(lines, other).fault
    rewritten, _ = await a_chain()
    assert "rewritten" in judge([rewritten[0].replace("li", "wu"), *heads], pem).fault
    assert "not signed yet" in judge(lines, pem).doubt


CHAIN, PEM = asyncio.run(a_chain())


@given(st.integers(0, 4), st.integers(0, 400), st.characters(codec="ascii"))
def test_any_changed_character_is_found(line: int, place: int, char: str) -> None:
    text = CHAIN[line]
    place %= len(text)
    if text[place] == char:
        return
    changed = text[:place] + char + text[place + 1 :]
    found: Judged = judge([*CHAIN[:line], changed, *CHAIN[line + 1 :]], PEM)
    assert found.fault


async def test_requests_that_wait_share_a_commit() -> None:
    store = MemoryAudit()
    log = a_log(store)
    await asyncio.gather(*(log.write(Happened("li", f"POST /{n}")) for n in range(100)))
    assert len(store.lines) == 100
    assert store.commits <= 3
    assert judge(store.lines, None).fault == ""


async def test_what_could_not_be_written_is_owed_and_comes_first() -> None:
    store = MemoryAudit()
    log = a_log(store)
    await log.write(Happened("li", "a"))
    store.lost = True
    with pytest.raises(StoreLost):
        await log.write(Happened("li", "b"))
    assert not log.writable
    assert not await log.recover()
    store.lost = False
    assert await log.recover()
    assert [json.loads(line)["what"] for line in store.lines] == ["a", "b", "audit.recovered"]


async def test_nothing_audited_is_done_while_the_log_cannot_be_written(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "boss", Role.SYSTEM_ADMIN)
    boss = await logged_in(made, "boss")
    audit = made.controller.security.audit
    store = MemoryAudit()
    store.lost = True
    audit._store, kept = store, audit._store
    first = await boss.post("/accounts", json={"username": "x1"})
    assert first.status_code == 503
    assert "Look before" in first.json()["detail"]
    second = await boss.post("/accounts", json={"username": "x2"})
    assert second.status_code == 503
    assert second.headers["retry-after"]
    assert (await boss.get("/me")).status_code == 200
    assert made.controller.accounts.store.find_account("x2") is None
    audit._store = kept
    assert (await boss.post("/accounts", json={"username": "x2"})).status_code == 201
    told = [row["what"] for row in audit_lines(made)]
    assert told[-3:] == ["POST /api/v1/accounts", "audit.recovered", "POST /api/v1/accounts"]
    await boss.aclose()


async def test_each_log_in_change_and_protected_view_leaves_a_line(tmp_path: Path) -> None:
    made = bench(tmp_path)
    running = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    await made.edge.publish(health("http://edge"))
    async with client_of(made, "10.1.2.3") as client:
        await client.post("/login", json={"username": "sup", "password": "wrong"})
        answer = await client.post("/login", json={"username": "sup", "password": "sup-password"})
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        await client.get("/overview")
        await client.get("/rooms")
        await client.get("/rooms/room-1/media?secret=in-the-query")
        await client.post("/sessions", json={"room_id": "room-1", "title": "T", "admitted": 5})
        await client.get("/audit")
        await client.post("/logout")
        await client.post("/nowhere")
    rows = [(row["by"], row["what"], row["status"], row["note"]) for row in audit_lines(made)]
    assert [row[:2] for row in rows] == [
        ("sup", "POST /api/v1/login"),
        ("sup", "POST /api/v1/login"),
        ("sup", "GET /api/v1/rooms/{room_id}/media"),
        ("sup", "POST /api/v1/sessions"),
        ("sup", "GET /api/v1/audit"),
        ("sup", "POST /api/v1/logout"),
    ]
    assert [row[3] for row in rows[:2]] == ["wrong password", "logged in"]
    assert [row[2] for row in rows[:2]] == [401, 200]
    assert rows[4][2] == 403
    media = audit_lines(made)[2]
    assert (media["subject"], media["address"]) == ({"room_id": "room-1"}, "10.1.2.3")
    assert "in-the-query" not in json.dumps(audit_lines(made))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_log_is_searched_exported_and_verified(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "aud", Role.AUDIT_ADMIN)
    person(made, "boss", Role.SYSTEM_ADMIN)
    boss, aud = await logged_in(made, "boss"), await logged_in(made, "aud")
    for number in range(5):
        await boss.post("/accounts", json={"username": f"u{number}"})
        await boss.post(f"/accounts/u{number}/disable")
    page = (await aud.get("/audit?by=boss&what=disable&subject=u3")).json()
    assert [row["subject"]["username"] for row in page["items"]] == ["u3"]
    first = (await aud.get("/audit?limit=4")).json()
    rest = (await aud.get(f"/audit?limit=4&before={first['next_before']}")).json()
    assert first["items"][-1]["seq"] == rest["items"][0]["seq"] + 1
    text = (await aud.get("/audit/export")).text
    pem = made.controller.app.state.context.evidence_key_pem
    found = judge(text.splitlines(), pem)
    assert (found.fault, found.first) == ("", 1)
    assert found.signed_to >= 1
    rows = (await aud.get("/audit/export?format=csv")).text.splitlines()
    assert rows[0].startswith("\ufeffseq,")
    assert len(rows) > 12
    state = (await aud.get("/audit/state")).json()
    assert state["writable"] is True
    assert (await boss.get("/audit")).status_code == 403
    await boss.aclose()
    await aud.aclose()


def test_a_log_is_kept_for_half_a_year_at_least() -> None:
    with pytest.raises(ValueError, match="183"):
        SecuritySettings(audit_days=90)


async def test_old_lines_end_from_the_oldest_end_only(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    audit, store = made.controller.security.audit, made.controller.security.audit_store
    await audit.write(Happened("a", "old"))
    made.clock.advance_ms(500 * 86_400_000)
    await audit.write(Happened("a", "new"))
    made.clock.step_utc_ms(-450 * 86_400_000)
    await audit.write(Happened("a", "a clock that was set back"))
    made.clock.step_utc_ms(450 * 86_400_000)
    assert store.cut_audit(UtcMs(made.clock.utc_ms() - 400 * 86_400_000)) == 1
    assert [row["what"] for row in audit_lines(made)] == ["new", "a clock that was set back"]


async def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    rate = RateSettings(token_burst=20, refused_burst=5)
    made = bench(tmp_path, security=SecuritySettings(rate=rate))
    sup = await logged_in(made, "sup", "sup-password")
    answers = [(await sup.get("/me")).status_code for _ in range(21)]
    assert answers == [200] * 20 + [429]
    refused = await sup.get("/me")
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) >= 1
    made.clock.advance_ms(1_000)
    assert (await sup.get("/me")).status_code == 200
    async with client_of(made, "10.9.9.9") as guesser:
        guesser.headers["Authorization"] = "Bearer guess"
        assert [(await guesser.get("/me")).status_code for _ in range(6)] == [401] * 5 + [429]
    await sup.aclose()


def test_a_wall_of_64_rooms_never_waits() -> None:
    """It opens with some 70 requests, and asks 64 links each four minutes, beside clicks."""
    rate, now = RateSettings(), 0
    buckets = Buckets(rate.token_per_s, rate.token_burst, lambda: now)
    for now in range(0, 3_600_000, 500):
        asks = 70 if now % 240_000 == 0 else 2
        for _ in range(asks):
            assert buckets.waits_s("wall") == 0
            buckets.take("wall")


def sealed(made: Bench) -> None:
    """Room 1 is sealed, as far as the API's guards look."""
    from dataclasses import replace

    from contracts.api import SessionBody, SessionState
    from controller.core.sessions import schedule
    from controller.core.state import changed

    service = made.controller.service
    body = SessionBody(room_id="room-1", title="T", admitted=5)
    session = replace(schedule("s-1", body, "sup", UtcMs(1)), state=SessionState.SEALED)
    service.state = replace(
        service.state, sessions=changed(service.state.sessions, session.id, session)
    )


async def test_glass_is_broken_by_two_for_a_time(tmp_path: Path) -> None:
    made = bench(tmp_path)
    running = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    await made.edge.publish(health("http://edge"))
    await until(lambda: made.controller.service.state.nodes, what="the node is known")
    sealed(made)
    ops, sup = (
        await logged_in(made, "ops", "ops-password"),
        await logged_in(made, "sup", "sup-password"),
    )
    assert (await ops.get("/rooms/room-1/media")).status_code == 403
    assert (await sup.get("/rooms/room-1/media")).status_code == 200
    body = {"room_id": "room-1", "reason": "camera moved", "minutes": 10}
    assert (await ops.post("/break-glass", json={**body, "room_id": "room-2"})).status_code == 409
    assert (await ops.post("/break-glass", json={**body, "minutes": 200})).status_code == 422
    glass = (await ops.post("/break-glass", json=body)).json()["id"]
    assert (await ops.post("/break-glass", json=body)).status_code == 409
    assert (await ops.post(f"/break-glass/{glass}/approve")).status_code == 403
    person(made, "both", Role.OPS, Role.SUPERVISOR)
    both = await logged_in(made, "both")
    own = (await both.post("/break-glass", json=body)).json()["id"]
    assert (await both.post(f"/break-glass/{own}/approve")).status_code == 403
    opened = await sup.post(f"/break-glass/{glass}/approve")
    assert opened.json()["state"] == "open"
    links = await ops.get("/rooms/room-1/media")
    assert links.status_code == 200
    assert (await ops.get("/cameras/cam-1/live")).status_code == 200
    made.clock.advance_ms(10 * 60_000)
    assert (await ops.get("/rooms/room-1/media")).status_code == 403
    lines = (await sup.get("/sessions/s-1/record")).json()["items"]
    steps = [row["data"]["step"] for row in lines if row["kind"] == "break_glass"]
    assert steps == ["asked", "asked", "approved", "used", "used"]
    for client in (ops, sup, both):
        await client.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_no_secret_is_in_any_log_line_or_file(tmp_path: Path) -> None:
    made = guarded(tmp_path)
    person(made, "boss", Role.SYSTEM_ADMIN)
    secrets = {GOOD, "wrong-guess-77", "tab1-password"}
    with structlog.testing.capture_logs() as logged:
        boss = await logged_in(made, "boss")
        secrets.add(boss.headers["authorization"].removeprefix("Bearer "))
        await client_of(made).post(
            "/login", json={"username": "boss", "password": "wrong-guess-77"}
        )
        link = (await boss.post("/accounts", json={"username": "li"})).json()["link"]["secret"]
        await client_of(made).post("/welcome", json={"secret": link, "password": GOOD})
        offer = (await boss.post("/account/second-factor")).json()
        code = code_of(made, offer["secret"])
        codes = await boss.post("/account/second-factor/confirm", json={"code": code})
        token = await boss.post("/account/tokens", json={"name": "program", "scopes": ["accounts"]})
        await boss.get("/me?token=in-a-query")
        tab = await logged_in(made, "tab1", "tab1-password")
        running = asyncio.create_task(made.controller.service.run())
        body = {"room_id": "room-1", "lines": [{"dish": "tea", "count": 1}]}
        order = (await tab.post("/deliveries", json=body)).json()
        panel = await logged_in(made, "panel", "panel-password")
        path = f"/deliveries/{order['delivery']['id']}/unlock"
        await panel.post(path, json={"pin": order["pin"]})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    secrets |= {link, offer["secret"], token.json()["token"], f'"{order["pin"]}"'}
    secrets |= set(codes.json()["codes"])
    files = await asyncio.to_thread(files_of, tmp_path)
    assert any(b"audit" in content for content in files.values())
    told = json.dumps(logged, default=str)
    for secret in secrets:
        assert secret not in told
        for file, content in files.items():
            assert secret.encode() not in content, file
    assert order["pin"] not in json.dumps(audit_lines(made))
    for client in (boss, tab, panel):
        await client.aclose()
