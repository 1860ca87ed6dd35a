"""A whole controller on PostgreSQL, area by area, and again after a restart on what it stored."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.api import Sentence
from contracts.api.duty import DutyLevel, EscalationSettings
from contracts.api.notices import DeliveryState, NoticeReason
from contracts.api.report import ReportFile, ReportVersion, SignedFile
from contracts.api.retrieval import RetrievalBody, RetrievalState
from contracts.devices import Named
from contracts.observations import Severity
from contracts.units import UtcMs
from controller.core import retrievals
from controller.core.notices import Addressed
from controller.core.outputs import SendNotice
from controller.core.retrievals import Retrieval
from controller.core.sites import Document
from controller.sites.settings import PeerSettings, SitesSettings
from controller.store.duty import DutyStore
from controller.store.notices import NoticeStore
from controller.store.reports import ReportStore
from controller.store.site_documents import SiteStore
from runtime.signing import SigningKey
from tests.fakes.controller_site import Bench, bench
from tests.fakes.postgres import Server, running

pytestmark = pytest.mark.system

TEMPLATE = "made"
GOOD = "violet tractor 88 lakes"
PEOPLE = json.dumps(
    [
        {"username": "sys", "password": GOOD, "roles": ["system_admin"]},
        {"username": "sec", "password": GOOD, "roles": ["security_admin"]},
        {"username": "aud", "password": GOOD, "roles": ["audit_admin"]},
        {"username": "west", "password": GOOD, "roles": ["site_link"]},
    ]
)
SITES = SitesSettings(
    peers={
        "west": PeerSettings(
            name=Named(zh="西城", en="West"),
            url="http://127.0.0.1:9",
            public_key=SigningKey.generate().public_pem().decode(),
        )
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one database that is migrated already; the tests take copies of it."""
    with running({"fsync": "off"}) as found:  # what a power cut costs is not asked here
        made = bench(tmp_path_factory.mktemp("made"), database_url=found.make(TEMPLATE))
        made.controller.accounts.bootstrap({"ZEROENTRY_BOOTSTRAP_ACCOUNTS": PEOPLE})
        made.controller.database.close()
        yield found


@asynccontextmanager
async def site(folder: Path, url: str) -> AsyncIterator[Bench]:
    made = bench(folder, sites=SITES, database_url=url)
    task = asyncio.create_task(made.controller.service.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.controller.database.close()


@asynccontextmanager
async def as_(made: Bench, name: str, password: str = "") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(made.controller.app)
    base = "http://controller/api/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        body = {"username": name, "password": password or f"{name}-password"}
        answer = await client.post("/login", json=body)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client


async def said(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json()) if answer.content else {}


async def test_accounts_their_links_rights_and_tokens(server: Server, tmp_path: Path) -> None:
    url = server.make("accounts", TEMPLATE)
    async with (
        site(tmp_path, url) as made,
        as_(made, "sys", GOOD) as admin,
        as_(made, "sec", GOOD) as security,
    ):
        given = await said(await admin.post("/accounts", json={"username": "li.wei"}), 201)
        tag = (await security.get("/accounts/li.wei")).headers["etag"]
        body = {"roles": ["ops"], "grants": {"rooms": ["room-2"], "picture": False}}
        headers, path = {"If-Match": tag}, "/accounts/li.wei/rights"
        await said(await security.put(path, json=body, headers=headers))
        await said(await security.put(path, json=body, headers=headers), 412)
        sent = {"secret": given["link"]["secret"], "password": GOOD[::-1]}
        assert (await admin.post("/welcome", json=sent)).is_success
        assert not (await admin.post("/welcome", json=sent)).is_success
    async with site(tmp_path, url) as again, as_(again, "li.wei", GOOD[::-1]) as person:
        assert [row["id"] for row in (await person.get("/rooms")).json()] == ["room-2"]
        token = {"name": "display", "scopes": ["rooms"], "days": 1}
        made_token = await said(await person.post("/account/tokens", json=token), 201)
        person.headers["Authorization"] = f"Bearer {made_token['token']}"
        assert (await person.get("/rooms")).status_code == 200
        assert (await person.get("/alerts")).status_code == 403


async def test_the_audit_log_is_one_chain_over_a_restart(server: Server, tmp_path: Path) -> None:
    url = server.make("audit", TEMPLATE)
    for number in range(2):
        async with site(tmp_path, url) as made, as_(made, "sys", GOOD) as admin:
            await said(await admin.post("/accounts", json={"username": f"u{number}"}), 201)
            await said(await admin.post(f"/accounts/u{number}/disable"))
            async with as_(made, "aud", GOOD) as auditor:
                page = await said(await auditor.get("/audit?by=sys&what=disable&subject=u0"))
                assert page["items"][0]["subject"]["username"] == "u0"
                whole = (await auditor.get("/audit/export")).text.splitlines()
                numbers = [json.loads(row)["seq"] for row in whole if '"seq"' in row]
                assert numbers == list(range(1, len(numbers) + 1))
                first = await said(await auditor.get("/audit?limit=3"))
                rest = await said(
                    await auditor.get(f"/audit?limit=3&before={first['next_before']}")
                )
                assert first["items"][-1]["seq"] == rest["items"][0]["seq"] + 1


async def test_notices_wait_are_tried_given_up_and_forgotten(
    server: Server, tmp_path: Path
) -> None:
    async with site(tmp_path, server.make("notices", TEMPLATE)) as made:
        rules = EscalationSettings(burst_max=9)
        duty = DutyStore(made.controller.database)
        assert duty.escalation(rules).revision == 0
        put = duty.put_escalation(rules, expected=0, by="sup", utc_ms=UtcMs(5))
        assert duty.escalation(EscalationSettings()) == put
        assert duty.put_escalation(rules, expected=0, by="sup", utc_ms=UtcMs(6)) is None
        store = NoticeStore(made.controller.database)
        notice = SendNotice(
            notice_id="n-1",
            reason=next(iter(NoticeReason)),
            alert_id="a-1",
            alert_number=1,
            code="area.over_admitted",
            room_id="room-1",
            severity=Severity.ALARM,
            utc_ms=UtcMs(1_000),
            level=next(iter(DutyLevel)),
        )
        text = Sentence(zh="评标室 1：人数超员", en="Room 1: over admitted")
        rows = (Addressed("hook", "", "zh-CN"), Addressed("mail", "li", "en"))
        assert store.add(notice, text, rows, UtcMs(1_000))
        assert not store.add(notice, text, rows, UtcMs(1_000))
        (first, sentence), (second, _) = store.due(UtcMs(1_000), 9)
        assert sentence == text
        store.tried(first.number, utc_ms=UtcMs(1_100), error=None, next_utc_ms=None)
        store.tried(second.number, utc_ms=UtcMs(1_200), error="503", next_utc_ms=UtcMs(9_000))
        assert store.next_utc_ms() == 9_000
        store.tried(second.number, utc_ms=UtcMs(9_100), error="503", next_utc_ms=None)
        assert store.counts() == {DeliveryState.DELIVERED: 1, DeliveryState.DEAD: 1}
        assert store.again(second.number, UtcMs(9_200))
        (view,) = store.page(before=None, limit=5)
        assert [len(row.attempts) for row in view.deliveries] == [1, 2]
        assert store.forget(UtcMs(1_000)) == 0
        assert store.forget(UtcMs(10**12)) == 1
        assert store.page(before=None, limit=5) == ()


async def test_reports_and_retrievals(server: Server, tmp_path: Path) -> None:
    async with site(tmp_path, server.make("reports", TEMPLATE)) as made, as_(made, "sup") as sup:
        store = ReportStore(made.controller.database)
        body = {"room_id": "room-1", "title": "滨江路桥梁工程", "admitted": 5}
        session = await said(await sup.post("/sessions", json=body), 201)
        assert [row.id for row in store.sessions_between(UtcMs(0), UtcMs(10**14), 9)] == [
            session["id"]
        ]
        assert store.violations((session["id"],)) == ()
        assert store.unreported(9) == ()
        file = SignedFile(sha256="0" * 64, bytes=1, signature="A" * 88)
        version = ReportVersion(
            session_id=session["id"],
            version=1,
            made_utc_ms=UtcMs(5),
            made_by="sup",
            key="ed25519:" + "0" * 16,
            files={ReportFile.JSON: file},
        )
        store.add_version(version, '{"title": "滨江路"}')
        assert store.versions(session["id"]) == ((version, '{"title": "滨江路"}'),)
        wish = RetrievalBody(
            reason="letter 2026-118",
            cameras=("room-1-cam",),
            from_utc_ms=UtcMs(0),
            to_utc_ms=UtcMs(60_000),
        )

        def asked(number: int) -> Retrieval:
            key = f"aud|{number}"
            return Retrieval(
                f"r-{number}", number, wish, ("room-1",), "aud", UtcMs(9), idempotency_key=key
            )

        one, two = store.add_retrieval(asked), store.add_retrieval(asked)
        assert (one.number, two.number) == (1, 2)
        done = store.change_retrieval("r-1", lambda row: retrievals.withdraw(row, "aud"))
        assert isinstance(done, Retrieval)
        assert store.find_retrieval("r-1") == done
        assert store.retrieval_by_key("aud|2") == two
        assert store.retrievals_in((RetrievalState.ASKED,), 9) == (two,)
        assert store.retrievals(before=2, limit=9, asked_by="aud") == (done,)


async def test_acts_and_names_outlive_a_restart(server: Server, tmp_path: Path) -> None:
    url = server.make("acts", TEMPLATE)
    async with site(tmp_path, url) as made, as_(made, "sup") as sup, as_(made, "tab1") as tablet:
        body = {"room_id": "room-1", "title": "T", "admitted": 5}
        session = await said(await sup.post("/sessions", json=body), 201)
        await said(await sup.post(f"/sessions/{session['id']}/gather"))
        call = await said(await tablet.post("/rooms/room-1/calls", json={"reason": "papers"}), 201)
        entry = {"kind": "other", "reason": "the air conditioning"}
        await said(await sup.post("/rooms/room-1/entries", json=entry), 201)
        acts = dict(made.controller.service.state.acts)
        assert len(acts) == 2
    async with site(tmp_path, url) as again:
        assert dict(again.controller.service.state.acts) == acts
        found = again.controller.database.find_act(call["id"])
        assert found is not None
        assert found.kind == "call"
        lines = again.controller.database.session_record(session["id"], after=0, limit=50)
        assert {"call", "entry"} <= {line.kind.value for line in lines}


async def test_other_sites_logs_and_documents(server: Server, tmp_path: Path) -> None:
    url = server.make("sites", TEMPLATE)
    async with site(tmp_path, url) as made, as_(made, "sup") as sup:
        body = {"room_id": "room-1", "title": "T", "admitted": 3}
        session = await said(await sup.post("/sessions", json=body), 201)
        guests = [{"site": "west", "seats": 3}]
        wish = {"title": "跨城", "sessions": [session["id"]], "guests": guests}
        joint = await said(await sup.post("/sites/sessions", json=wish), 201)
    async with site(tmp_path, url) as again, as_(again, "west", GOOD) as west:
        store = SiteStore(again.controller.database)
        page = await said(await west.get("/sites/west/feed?wait_ms=0"))
        kinds = [json.loads(line)["event"]["kind"] for line in page["lines"]]
        assert kinds == ["invited", "stands"]
        assert store.sent("west", after=0, limit=9) == tuple(page["lines"])
        known = store.joint(joint["id"])
        assert known is not None
        assert known.title == "跨城"
        text = '{"名": "单"}'
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        paper = Document(sha256, joint["id"], "west", "handover", UtcMs(7), text)
        store.put(paper)
        store.put(paper)
        assert store.find(sha256) == paper
        assert store.all_of([sha256, "2" * 64]) == (paper,)
        assert store.heard("west", after=0, limit=9) == ()
        assert store.count("west", joint["id"]) == 0
