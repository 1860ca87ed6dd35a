"""The API of other sites: who may read which log, what people see, and peers that lie."""

import asyncio
import gc
import io
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from pypdf import PdfReader

from client import ApiClient, ControllerLost
from contracts.api import Sentence
from contracts.api.sites import FEED_BYTES_MAX, GENESIS, FeedLine
from contracts.devices import Named
from contracts.evidence.lines import sign_line
from contracts.units import UtcMs
from controller.core.outputs import Accepted, Answer, Refusal, Refused
from controller.core.sites import DocumentFetched, FeedCame, PeerHeard, PeerTrouble
from controller.ports import Given
from controller.sites.link import SiteLinks, tokens_from
from controller.sites.settings import PeerSettings, SitesSettings
from controller.store.site_documents import SiteStore
from runtime.clock import SystemClock
from runtime.signing import SigningKey
from tests.fakes.controller_site import Bench, bench
from tests.fakes.two_sites import two_sites
from tests.fakes.waiting import until

KEY = SigningKey.generate()
SITES = SitesSettings(
    peers={
        "west": PeerSettings(
            name=Named(zh="西城", en="West"),
            url="http://127.0.0.1:9",
            public_key=KEY.public_pem().decode(),
        )
    }
)
ACCOUNTS = json.dumps(
    [
        {"username": name, "password": f"{name}-password", "roles": ["site_link"]}
        for name in ("west", "north")
    ]
)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Bench]:
    made = bench(tmp_path, sites=SITES)
    made.controller.accounts.bootstrap({"ZEROENTRY_BOOTSTRAP_ACCOUNTS": ACCOUNTS})
    task = asyncio.create_task(made.controller.service.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    made.controller.database.close()


@asynccontextmanager
async def as_(made: Bench, name: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(made.controller.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://controller/api/v1"
    ) as client:
        body = {"username": name, "password": f"{name}-password"}
        answer = await client.post("/login", json=body)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client


async def made_joint(client: httpx.AsyncClient) -> dict[str, Any]:
    session = await client.post(
        "/sessions", json={"room_id": "room-1", "title": "T", "admitted": 3}
    )
    assert session.status_code == 201, session.text
    guests = [{"site": "west", "seats": 3}]
    body = {"title": "跨城", "sessions": [session.json()["id"]], "guests": guests}
    headers = {"Idempotency-Key": "one-joint-session"}
    first = await client.post("/sites/sessions", json=body, headers=headers)
    again = await client.post("/sites/sessions", json=body, headers=headers)
    assert first.status_code == again.status_code == 201, first.text
    assert first.json()["id"] == again.json()["id"]
    return dict(first.json())


async def test_a_peer_reads_its_own_log_and_nobody_elses(running: Bench) -> None:
    async with as_(running, "sup") as people:
        joint = await made_joint(people)
        assert joint["state"] == "preparing"
        assert (await people.get("/sites/west/feed")).status_code == 403
        async with as_(running, "west") as west, as_(running, "north") as north:
            page = (await west.get("/sites/west/feed?wait_ms=0")).json()
            kinds = [json.loads(line)["event"]["kind"] for line in page["lines"]]
            assert kinds == ["invited", "stands"]
            assert page["rooms"] == [], "a guest sees nothing of the host's rooms"
            for path in ("/sites/west/feed", "/sites/centre/feed", "/sites/nowhere/feed"):
                assert (await north.get(path)).status_code == 403
            for path in ("/sites", "/sessions", "/alerts", f"/sites/sessions/{joint['id']}"):
                assert (await west.get(path)).status_code == 403, path
            for query in ("after=-1", "wait_ms=20001", "after=x", "rooms_tag=%00"):
                answer = await west.get(f"/sites/west/feed?{query}")
                assert answer.status_code == 422, query
            nothing = await west.get(f"/sites/west/documents/{'0' * 64}")
            assert nothing.status_code == 404


async def test_a_held_back_answer_comes_with_the_news(running: Bench) -> None:
    async with as_(running, "sup") as people, as_(running, "west") as west:
        first = (await west.get("/sites/west/feed?wait_ms=0")).json()
        query = f"after=0&wait_ms=20000&rooms_tag={first['rooms_tag']}"
        waiting = asyncio.create_task(west.get(f"/sites/west/feed?{query}"))
        await made_joint(people)
        async with asyncio.timeout(15):
            page = (await waiting).json()
        assert len(page["lines"]) >= 1
        assert page["head"] >= len(page["lines"])


async def test_what_people_may_do_and_read(running: Bench) -> None:
    async with as_(running, "sup") as people:
        joint = await made_joint(people)
        path = f"/sites/sessions/{joint['id']}"
        assert joint["may"] == ["cancel"]
        early = await people.post(f"{path}/seal", json={})
        assert early.status_code == 409
        assert "west" in early.json()["detail"]
        assert (await people.post(f"{path}/accept", json={})).status_code == 403
        assert (await people.post(f"{path}/handover")).status_code == 409
        assert (await people.get(f"{path}/handovers/west")).status_code == 404
        assert (await people.get(f"{path}/handovers/west/receipt")).status_code == 404
        assert (await people.get("/sites/sessions/j-0000000000000000")).status_code == 404
        record = (await people.get(f"{path}/record?limit=1")).json()
        assert len(record["items"]) == 1
        report = (await people.get(f"{path}/report")).json()
        own = next(row for row in report["parts"] if row["own"])
        assert own["statement"]["text"].endswith('"}')
        for lang, word in (("zh-CN", "联合见证报告"), ("en", "Joint witness report")):
            pdf = await people.get(f"{path}/report.pdf?lang={lang}")
            assert pdf.status_code == 200, pdf.text
            pages = PdfReader(io.BytesIO(pdf.content)).pages
            text = "".join(page.extract_text() for page in pages)
            assert word in text
            assert joint["id"] in text
            assert own["statement"]["key"] in text.replace("\n", "")
        view = (await people.get("/sites")).json()
        assert [row["link"] for row in view["peers"]] == ["connecting"]
        async with as_(running, "audit") as audit:
            assert (await audit.get(path)).status_code == 200
            refused = await audit.post(f"{path}/cancel", json={"reason": "no"})
            assert refused.status_code == 403
        for name in ("ops", "cook", "tab1", "duty"):
            async with as_(running, name) as other:
                assert (await other.get("/sites")).status_code == 403, name


async def test_pages_of_the_merged_record_join_without_a_gap(running: Bench) -> None:
    async with as_(running, "sup") as people:
        joint = await made_joint(people)
        path = f"/sites/sessions/{joint['id']}/record"
        whole = (await people.get(path)).json()["items"]
        rows, after = [], ""
        while True:
            page = (await people.get(f"{path}?limit=1&after={after}")).json()
            rows += page["items"]
            if page["next_after"] is None:
                break
            after = page["next_after"]
        assert rows == whole
        assert len(rows) >= 2
        assert (await people.get(f"{path}?after=1/2")).status_code == 422


def test_settings_that_leak_or_lie_are_refused() -> None:
    good = SITES.peers["west"].model_dump()
    for change, what in (
        ({"url": "http://west.example"}, "use https"),
        ({"url": "https://user:secret@west.example"}, "String should match"),
        ({"public_key": KEY.to_pem().decode()}, "no public key"),
        ({"public_key": "x"}, "evidence/key"),
    ):
        with pytest.raises(ValidationError, match=what):
            PeerSettings.model_validate(good | change)
    with pytest.raises(ValidationError, match="cannot be a site's id"):
        SitesSettings(peers={"sessions": SITES.peers["west"]})
    with pytest.raises(ValueError, match="JSON object") as caught:
        tokens_from({"ZEROENTRY_SITE_TOKENS": '{"west": "the-secret"'})
    assert "the-secret" not in str(caught.value)


# --- a peer's controller that is not what it should be ------------------------------------------


class Intake:
    """Takes what a link hands in; refuses lines when told to."""

    def __init__(self) -> None:
        self.taken: list[object] = []
        self.refuse = False

    async def offer(self, given: object) -> None:
        self.taken.append(given)

    async def ask(self, given: object) -> Answer:
        self.taken.append(given)
        return Accepted("x")

    async def take(self, rows: list[Given]) -> list[Answer | None]:
        self.taken += [row.given for row in rows]
        no = Refused(Refusal.CONFLICT, Sentence(zh="不", en="no"))
        refuse = self.refuse
        return [no if refuse and isinstance(row.given, FeedCame) else None for row in rows]

    def troubles(self) -> list[str]:
        return [row.reason.en for row in self.taken if isinstance(row, PeerTrouble)]


Answering = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def peer(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await answer(head))
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.transport.abort() if writer.is_closing() else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


def http(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def page(**changes: object) -> bytes:
    said = {"site": "west", "head": 0, "lines": [], "utc_ms": 0, "waited_ms": 0} | changes
    return json.dumps(said).encode()


GARBAGE = {
    "text": (http(b"hello"), "ControllerLost"),
    "html error": (http(b"<h1>no</h1>", "500 Oops"), "500"),
    "other site": (http(page(site="north")), "calls itself north"),
    "too large": (http(b"x" * (FEED_BYTES_MAX + 1)), "ControllerLost"),
    "too many lines": (http(page(lines=["x"] * 51)), "ControllerLost"),
    "nested": (http(b"[" * 100_000), "ControllerLost"),
    "cut short": (http(page())[:-20], "ControllerLost"),
    "no http": (b"\x16\x03\x01 nothing\r\n\r\n", "ControllerLost"),
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage_is_told_and_tried_again_and_touches_nothing(what: str) -> None:
    answer, said = GARBAGE[what]
    asked = 0

    async def always(_head: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return answer

    intake = Intake()
    async with peer(always) as url, _linked(url, intake):
        await until(intake.troubles, what="the trouble is told")
    assert said in intake.troubles()[0]
    assert not [row for row in intake.taken if isinstance(row, FeedCame | DocumentFetched)]
    assert asked >= 1


async def test_a_good_page_goes_in_with_the_clock_and_the_token(tmp_path: Path) -> None:
    heads: list[bytes] = []
    clock = SystemClock()

    async def good(head: bytes) -> bytes:
        heads.append(head)
        return http(page(head=1, lines=["a line"], utc_ms=clock.utc_ms() + 60_000))

    intake = Intake()
    intake.refuse = True
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("the-token\n")
    async with peer(good) as url, _linked(url, intake, token):
        await until(lambda: intake.taken, what="something was taken")
    heard = next(row for row in intake.taken if isinstance(row, PeerHeard))
    assert 55_000 < heard.offset_ms < 65_000
    assert [row.line for row in intake.taken if isinstance(row, FeedCame)] == ["a line"]
    assert b"Bearer the-token\r\n" in heads[0]
    assert len(heads) == 1, "a refused line is not asked for again at once"


async def test_a_token_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o644)
    token.write_text("the-token\n")
    intake = Intake()
    async with _linked("http://127.0.0.1:9", intake, token):
        await until(intake.troubles, what="the trouble is told")
    assert "chmod 600" in intake.troubles()[0]
    assert "the-token" not in intake.troubles()[0]


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself, as a file, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "west")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, secret)
    return cert, context


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.parametrize("known", [True, False])
async def test_only_a_certificate_that_is_trusted_gets_the_token(
    tmp_path: Path, known: bool
) -> None:
    heads: list[bytes] = []

    async def good(head: bytes) -> bytes:
        heads.append(head)
        return http(page(utc_ms=1))

    ca_file, context = certificate(tmp_path)
    intake = Intake()
    async with peer(good, context) as url, _linked(url, intake, None, ca_file if known else None):
        await until(lambda: intake.taken, what="something came of it")
    assert bool(heads) is known
    assert bool(intake.troubles()) is not known
    gc.collect()  # asyncio leaves the transport of a refused handshake to it; not to the next test


async def test_the_client_gives_up_an_endless_answer() -> None:
    async def endless(_head: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (FEED_BYTES_MAX + 9)

    async with peer(endless) as url, httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(ControllerLost, match="larger than"):
            await ApiClient(client, url, "t").site_feed("east", after=0, tag="", wait_ms=0)


@asynccontextmanager
async def _linked(
    url: str, intake: Intake, token: Path | None = None, ca_file: Path | None = None
) -> AsyncIterator[None]:
    change = {"url": url, "token_file": token, "ca_file": ca_file}
    settings = SitesSettings(peers={"west": SITES.peers["west"].model_copy(update=change)})
    state = two_sites().host.state
    store: Any = SiteStore
    links = SiteLinks(
        settings,
        {} if token else {"west": "t"},
        intake,  # type: ignore[arg-type]  # takes any input, as a list will do
        lambda: state,
        store,
        SystemClock(),
        rng=random.Random(1),
    )
    task = asyncio.create_task(links.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_peers_new_key_and_a_log_that_began_anew_are_accepted_by_a_person(
    tmp_path: Path,
) -> None:
    made = bench(tmp_path, sites=SITES)
    task = asyncio.create_task(made.controller.service.run())
    fresh = SigningKey.generate()
    pem = fresh.public_pem().decode()
    heard = PeerHeard("west", 0, 5)
    await made.controller.service.take([Given(heard)])

    def line(seq: int, previous: str, key: SigningKey) -> str:
        invited: dict[str, object] = {"kind": "asked_for_nothing", "text": f"line {seq}"}
        said = FeedLine(
            site="west", to="centre", seq=seq, previous=previous, utc_ms=UtcMs(5 + seq),
            joint="j-0000000000000000", event=invited, key=key.id,
        )  # fmt: skip
        return sign_line(said, key.sign).decode()

    async def told(text: str) -> Answer | None:
        (answer,) = await made.controller.service.take([Given(FeedCame("west", text))])
        return answer

    first = line(1, GENESIS, KEY)
    assert isinstance(await told(first), Accepted)
    anew = line(1, GENESIS, fresh)
    assert isinstance(await told(anew), Refused), "signed by a key that nobody pinned"
    async with as_(made, "sup") as people, as_(made, "ops") as ops:
        body = {"reason": "asked Mr Li by telephone", "public_key": pem, "anew": True}
        assert (await ops.post("/sites/west/trust", json=body)).status_code == 403
        assert (await people.post("/sites/north/trust", json=body)).status_code == 404
        nothing = {"reason": "asked Mr Li by telephone"}
        assert (await people.post("/sites/west/trust", json=nothing)).status_code == 422
        wrong = {**body, "public_key": "no key"}
        assert (await people.post("/sites/west/trust", json=wrong)).status_code == 422
        done = await people.post("/sites/west/trust", json=body)
        assert done.status_code == 200, done.text
        assert done.json()["peers"][0]["key"] == fresh.id
        assert isinstance(await told(anew), Accepted)
        assert isinstance(await told(first), Refused), "the old key signs nothing any more"
        lines = (await people.get("/sites/west/lines")).text.splitlines()
        assert lines == [first, anew], "what was heard before stays as it was signed"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    made.controller.database.close()
    again = bench(tmp_path, sites=SITES)
    remote = again.controller.service.state.remote
    assert remote.plan.peers["west"].key == fresh.id
    assert (remote.log("west").base, remote.log("west").got) == (1, 1)
