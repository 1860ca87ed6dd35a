"""The evidence API: a stranger gets signed lines and can check them with public keys alone."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from contracts import topics
from contracts.codec import Message, decode
from contracts.evidence import merkle
from contracts.evidence.entries import NOTHING, GapReason, Root, Witness
from contracts.evidence.lines import split_line
from contracts.observations import EntryAppended, WitnessGiven
from contracts.topics import Kind
from runtime.signing import PublicKeys, SigningKey
from tests.fakes.controller_site import Bench, bench, durable
from tests.fakes.node_chain import NodeChain
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until


@dataclass
class House:
    """A running controller, its node's end of the bus, and clients that are logged in."""

    made: Bench
    seq: int = 0

    async def say(self, *said: EntryAppended) -> None:
        for one in said:
            self.seq += 1
            await self.made.edge.publish(durable(Kind.ENTRY, one.room_id, one, self.seq))
        stream = [("edge-1", "0" * 16, self.seq)]
        await until(
            lambda: (
                [
                    (row.stream, row.epoch, row.seq)
                    for row in self.made.controller.database.cursors()
                ]
                == stream
            ),
            what="all lines are committed",
        )

    async def client(self, name: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.made.controller.app),
            base_url="http://controller/api/v1",
        )
        login = {"username": name, "password": f"{name}-password"}
        token = (await client.post("/login", json=login)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def witnessed(self, track: str) -> list[WitnessGiven]:
        topic = topics.witness_topic("centre", "edge-1", track)
        rows = [row for row in self.made.broker.sent if row.topic == topic]
        assert all(row.retain for row in rows)
        found = [decode(row.topic, row.payload) for row in rows]
        bodies = [row.body for row in found if isinstance(row, Message)]
        return [row for row in bodies if isinstance(row, WitnessGiven)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    yield House(made)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def keys_in(pem: str) -> PublicKeys:
    keys = PublicKeys()
    keys.add_pem(pem.encode())
    return keys


async def test_heads_and_roots_can_be_checked_with_the_controllers_public_key(house: House) -> None:
    first, other = NodeChain(), NodeChain(track="cam-c", room="corridor")
    other.key = first.key
    await house.say(first.opened(), other.opened(), first.segment(), other.segment())
    client = await house.client("audit")
    pem = (await client.get("/evidence/key")).text
    keys = keys_in(pem)
    heads = (await client.get("/evidence/heads")).json()
    assert keys.ids == {heads["key"]}
    assert [(row["track_id"], row["sequence"]) for row in heads["heads"]] == [
        ("cam-1", 2),
        ("cam-c", 2),
    ]
    assert [row["sha256"] for row in heads["heads"]] == [first.head, other.head]
    assert heads["nodes"][0]["origin"] == "seen"
    assert heads["nodes"][0]["confirmed"] is False
    assert keys_in(heads["nodes"][0]["public_key_pem"]).ids == {first.key.id}

    await _next_hour(house)
    text = (await client.get("/evidence/heads.jsonl")).text
    lines = [split_line(line.encode()) for line in text.splitlines()]
    assert all(keys.verify(heads["key"], line.signed, line.signature) for line in lines)
    assert [Witness.model_validate_json(line.signed).track for line in lines[:2]] == [
        "cam-1",
        "cam-c",
    ]
    roots = [Root.model_validate_json(line.signed) for line in lines[2:]]
    assert [row.number for row in roots] == list(range(1, len(roots) + 1))
    assert [row.previous for row in roots] == [NOTHING, *(line.sha256 for line in lines[2:-1])]
    page = (await client.get("/evidence/roots?limit=1")).json()
    assert page["items"][0]["number"] == len(roots)
    assert page["next_before"] == len(roots)
    await client.aclose()


async def _next_hour(house: House) -> None:
    """Let the clock pass an hour, so that a root covers all heads that came."""

    async def has_root(number: int) -> bool:
        await house.made.clock.run_ms(200)
        found = house.made.controller.service.state.ledger.root
        return found is not None and found.number >= number

    await until(lambda: has_root(1), what="a first root")
    house.made.clock.advance_ms(3_600_000)
    await until(lambda: has_root(2), what="another root")


async def test_a_head_is_proven_to_lie_under_a_root(house: House) -> None:
    chains = [NodeChain(track=name, room="room-1") for name in ("cam-1", "cam-2", "cam-c")]
    for chain in chains:
        chain.key = chains[0].key
        await house.say(chain.opened())
    await _next_hour(house)
    client = await house.client("sup")
    number = (await client.get("/evidence/roots")).json()["items"][0]["number"]
    for chain in chains:
        proof = (
            await client.get(f"/evidence/roots/{number}/proof?node=edge-1&track={chain.track}")
        ).json()
        assert Witness.model_validate_json(split_line(proof["leaf"].encode()).signed).track == (
            chain.track
        )
        assert merkle.check_inclusion(
            proof["leaf"].encode(),
            proof["index"],
            proof["size"],
            [bytes.fromhex(one) for one in proof["path"]],
            bytes.fromhex(proof["root"]),
        )
    for path in (f"{number}/proof?node=edge-1&track=nothing", "99/proof?node=edge-1&track=cam-1"):
        assert (await client.get(f"/evidence/roots/{path}")).status_code == 404
    await client.aclose()


async def test_a_chain_is_read_page_by_page_with_what_it_refused(house: House) -> None:
    chain = NodeChain()
    await house.say(chain.opened(), *(chain.segment() for _ in range(4)))
    forged = NodeChain(sequence=chain.sequence, head=chain.head)
    await house.say(forged.segment())
    client = await house.client("ops")
    first = (await client.get("/evidence/chains/edge-1/cam-1?limit=3")).json()
    assert [row["sequence"] for row in first["items"]] == [1, 2, 3]
    rest = (
        await client.get(f"/evidence/chains/edge-1/cam-1?limit=3&after={first['next_after']}")
    ).json()
    assert [row["sequence"] for row in rest["items"]] == [4, 5]
    assert rest["next_after"] is None
    whole = [row["line"] for row in (*first["items"], *rest["items"])]
    assert whole == chain.lines
    hashes = [hashlib.sha256(line.encode()).hexdigest() for line in whole]
    assert hashes[-1] == chain.head
    assert [row["fault"] for row in first["refused"]] == ["key_changed"]
    assert first["refused"][0]["line"] == forged.lines[0]
    assert (await client.get("/evidence/chains/edge-1/none")).status_code == 404
    alerts = (await client.get("/alerts")).json()["items"]
    assert alerts[0]["rule"] == "node.chain_broken"
    assert forged.key.id in alerts[0]["detail"]["en"]
    await client.aclose()


async def test_only_a_supervisor_stands_for_a_key(house: House) -> None:
    chain = NodeChain()
    await house.say(chain.opened())
    body = {"key": chain.key.id}
    for name in ("ops", "audit", "cook"):
        client = await house.client(name)
        answer = await client.post("/evidence/nodes/edge-1/confirm-key", json=body)
        assert answer.status_code == 403
        await client.aclose()
    client = await house.client("sup")
    wrong = {"key": SigningKey.generate().id}
    refused = await client.post("/evidence/nodes/edge-1/confirm-key", json=wrong)
    assert refused.status_code == 409
    assert chain.key.id in refused.json()["detail"]
    done = (await client.post("/evidence/nodes/edge-1/confirm-key", json=body)).json()
    assert (done["confirmed"], done["confirmed_by"]) == (True, "sup")
    absent = await client.post("/evidence/nodes/edge-7/confirm-key", json=body)
    assert absent.status_code == 404
    await client.aclose()


async def test_a_new_nodes_lines_are_witnessed_once_its_key_is_confirmed(house: House) -> None:
    lost = NodeChain()
    await house.say(lost.opened(), lost.segment())
    fresh = NodeChain(utc_ms=lost.utc_ms)
    await house.say(fresh.opened(), fresh.segment(), fresh.segment())
    client = await house.client("sup")
    heads = (await client.get("/evidence/heads")).json()
    assert heads["nodes"][0]["claimed"] == fresh.key.id
    assert heads["heads"][0]["sha256"] == lost.head
    answer = await client.post("/evidence/nodes/edge-1/confirm-key", json={"key": fresh.key.id})
    assert answer.json()["origin"] == "confirmed"
    (head,) = (await client.get("/evidence/heads")).json()["heads"]
    assert (head["sha256"], head["known_from"], head["life"]) == (fresh.head, 1, 2)
    await house.say(fresh.segment())
    old = (await client.get("/evidence/chains/edge-1/cam-1?life=1")).json()
    assert [row["line"] for row in old["items"]] == lost.lines
    new = (await client.get("/evidence/chains/edge-1/cam-1")).json()
    assert [row["line"] for row in new["items"]] == fresh.lines
    (alert,) = (await client.get("/alerts")).json()["items"]
    assert (alert["rule"], alert["condition"]) == ("node.chain_broken", "cleared")
    await client.aclose()


async def test_witnesses_are_retained_and_said_again_after_a_reconnect(house: House) -> None:
    chain = NodeChain()
    await house.say(chain.opened(), chain.segment())
    clock = house.made.clock

    async def out() -> bool:
        await clock.run_ms(200)
        return bool(house.witnessed("cam-1"))

    await until(out, what="the witness is out")
    line = split_line(house.witnessed("cam-1")[-1].line.encode())
    assert Witness.model_validate_json(line.signed).entry_sha256 == chain.head
    said = len(house.witnessed("cam-1"))
    house.made.broker.crash()
    await clock.run_ms(1_000)
    await house.made.broker.restart()
    await house.made.controller.after_connect()

    async def again() -> bool:
        await clock.run_ms(1_000)
        return len(house.witnessed("cam-1")) > said

    await until(again, what="the witness is out again")
    assert topics.witness_topic("centre", "edge-1", "cam-1") in house.made.broker.retained


async def test_the_report_tells_recordings_heads_and_every_gap_for_ever(house: House) -> None:
    client = await house.client("sup")
    chain = NodeChain()
    now = int(house.made.clock.utc_ms())
    chain.utc_ms = now - 60_000
    await house.say(chain.opened(), chain.segment())
    made = await client.post("/sessions", json={"room_id": "room-1", "title": "T", "admitted": 5})
    session = made.json()["id"]
    for verb in ("gather", "seal"):
        assert (await client.post(f"/sessions/{session}/{verb}", json=OVERRIDES)).status_code == 200
    at_seal = chain.head
    await house.say(
        chain.sealed(session),
        chain.segment(),
        chain.gap(20_000, GapReason.CAMERA_SILENT, ended=False),
        chain.gap(10_000, GapReason.CAMERA_SILENT),
        chain.segment(),
        chain.segment(after_ms=5_000),
    )
    house.made.clock.advance_ms(215_000)
    released = await client.post(f"/sessions/{session}/release")
    assert released.status_code == 200
    await house.say(chain.released(session), chain.segment())
    report = (await client.get(f"/sessions/{session}/report")).json()
    row = next(one for one in report["recordings"] if one["track_id"] == "cam-1")
    assert row["head_at_seal"]["sha256"] == at_seal
    assert (row["seal_entry"], row["release_entry"]) == (3, 9)
    assert row["head_at_release"]["sequence"] == 8
    assert (row["segments"], row["recorded_ms"]) == (5, 180_000)
    assert row["key"] == chain.key.id
    gaps = [(one["reason"], one["duration_ms"], one["told_by_node"]) for one in report["gaps"]]
    assert gaps == [("camera_silent", 30_000, True), (None, 5_000, False)]
    assert "2" in report["statement"]["en"].rsplit(":", 1)[1]
    for lang, words in (
        ("en", ("camera connected, nothing came", "found by the controller", "30.0 s", at_seal)),
        ("zh-CN", ("摄像机无数据", "由控制器发现", "录像缺失")),
    ):
        html = (await client.get(f"/sessions/{session}/report.html?lang={lang}")).text
        for word in words:
            assert word in html, word
    await client.aclose()
