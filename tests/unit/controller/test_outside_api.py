"""Acting from outside by API: who may, whose room, what the record tells, what outlives a start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts.api import EventName
from contracts.observations import VoiceKind, VoiceTold
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.api.context import caller_of
from controller.api.events import wants_of
from controller.api.hub import StreamEvent
from controller.auth.scopes import Scope
from controller.core.outside import LISTEN_LEASE_MS
from runtime.tokens import read_ticket
from tests.fakes.controller_site import NODE_KEY, Bench, durable
from tests.fakes.sealed_house import SealedHouse, sealed
from tests.fakes.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class House(SealedHouse):
    """A sealed house, and what these tests ask of it."""

    async def post(
        self, name: str, path: str, body: object = None, status: int = 200, **headers: str
    ) -> dict[str, object]:
        client = await self.of(name)
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == status, (name, path, answer.status_code, answer.text)
        found: dict[str, object] = answer.json()
        return found

    async def record(self, kind: str) -> list[dict[str, Any]]:
        rows = (await (await self.of("sup")).get(f"/sessions/{self.session}/record")).json()
        return [row for row in rows["items"] if row["kind"] == kind]

    async def steps(self, kind: str) -> list[str]:
        return [row["data"]["step"] for row in await self.record(kind)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with sealed(tmp_path, House) as found:
        yield found


async def test_a_call_from_the_tablet_is_answered_with_a_text_that_is_read(house: House) -> None:
    call = await house.post("tab1", "/rooms/room-1/calls", {"reason": "unwell"}, 201)
    await house.post("tab1", "/rooms/room-2/calls", {"reason": "unwell"}, 403)
    await house.post("tab1", "/rooms/room-1/calls", {"reason": "please come"}, 422)  # no free text
    await house.post("ops", f"/calls/{call['id']}/answer", status=403)
    body = {"template": "coming", "call_id": call["id"]}
    key = {"Idempotency-Key": "key-of-this-text"}
    text = await house.post("duty", "/rooms/room-1/texts", body, 201, **key)
    again = await house.post("duty", "/rooms/room-1/texts", body, 201, **key)
    assert again["id"] == text["id"], "sent again after a lost answer, it is the same text"
    seen = (await (await house.of("tab1")).get("/outside")).json()
    assert [row["id"] for row in seen["texts"]] == [text["id"]]
    assert seen["calls"][0]["answered_by"] == "duty"
    assert (seen["entries"], seen["listenings"], seen["audible"]) == ([], [], [])
    other = (await (await house.of("tab2")).get("/outside")).json()
    assert (other["texts"], other["calls"]) == ([], []), "only that room's tablet"
    await house.post("tab2", f"/texts/{text['id']}/read", status=403)
    read = await house.post("tab1", f"/texts/{text['id']}/read")
    assert read["read_utc_ms"] is not None
    assert await house.steps("call") == ["raised", "answered"]
    assert await house.steps("text") == ["sent", "read"]
    await house.post("sup", "/rooms/room-1/texts", {"text": "x" * 201}, 422)
    await house.post("sup", "/rooms/room-1/texts", {}, 422)
    await house.post("sup", "/rooms/nowhere/texts", {"text": "x"}, 404)


async def test_an_entry_needs_two_who_did_not_ask(house: House) -> None:
    body = {"kind": "security", "reason": "two people quarrel", "minutes": 5, "persons": 2}
    entry = await house.post("sup", "/rooms/room-1/entries", body, 201)
    path = f"/entries/{entry['id']}"
    await house.post("duty", f"{path}/approve", status=403)  # may ask, may not approve
    await house.post("sup", f"{path}/approve", status=403)
    assert (await house.post("sup2", f"{path}/approve"))["state"] == "asked"
    await house.post("sup2", f"{path}/approve", status=403)
    opened = await house.post("sup3", f"{path}/approve")
    assert opened["state"] == "open"
    assert int(str(opened["until_utc_ms"])) - int(str(opened["began_utc_ms"])) == 300_000
    await house.post("sup", "/rooms/room-1/entries", body, 409)
    assert (await house.post("duty", f"{path}/end"))["state"] == "ended"
    assert await house.steps("entry") == ["asked", "approved", "approved", "begun", "ended"]
    fire = {"kind": "fire", "reason": "smoke in the room"}
    assert (await house.post("duty", "/rooms/room-1/entries", fire, 201))["state"] == "open"


def ticket_in(url: str, scope: str, made: Bench) -> str:
    parts = urlsplit(url)
    (text,) = parse_qs(parts.query)["ticket"]
    found = read_ticket(
        NODE_KEY, text, scope=scope, resource=parts.path, now_utc_ms=made.clock.utc_ms()
    )
    return found.subject


async def test_a_talk_gets_a_ticket_for_itself_and_its_words_stand_in_the_record(
    house: House,
) -> None:
    given = await house.post("duty", "/rooms/room-1/talks", {}, 201)
    url, talk = str(given["url"]), given["talk"]
    assert isinstance(talk, dict)
    assert url.startswith(f"ws://edge:8441/api/v1/cameras/cam-1/talk/{talk['id']}?")
    assert ticket_in(url, "talk", house.made) == "duty"
    await house.post("sup", "/rooms/room-1/talks", {}, 409)  # one talker a room
    await house.post("sup", "/rooms/room-2/talks", {}, 409)  # no loudspeaker is set up there
    await house.post("audit", "/rooms/room-1/talks", {}, 403)
    told = VoiceTold(
        voice_id=str(talk["id"]), kind=VoiceKind.TALK, room_id="room-1", node_id="edge-1",
        source_id="cam-1", by="duty", began_utc_ms=UtcMs(5), ended_utc_ms=UtcMs(1_505),
        why="released", sha256="ab" * 32, bytes=9_000, duration_ms=1_500,
    )  # fmt: skip
    await house.made.edge.publish(durable(Kind.VOICE, "room-1", told, 1))

    async def filed() -> bool:
        return await house.steps("talk") == ["ended"]

    await until(filed, what="the node's word is filed")
    (line,) = await house.record("talk")
    assert line["subject"] == talk["id"]
    assert line["data"]["sha256"] == "ab" * 32
    sound = (await (await house.of("sup")).get(f"/talks/{talk['id']}/sound")).json()
    assert ticket_in(sound["url"], "sound", house.made) == "sup"
    assert (await (await house.of("duty")).get(f"/talks/{talk['id']}/sound")).status_code == 403


async def test_listening_is_one_room_a_person_renewed_seen_and_audited(house: House) -> None:
    given = await house.post("sup", "/rooms/room-1/listenings", {}, 201)
    listening = given["listening"]
    assert isinstance(listening, dict)
    assert given["sources"] == ["cam-1"]
    assert ticket_in(str(given["url"]), "listen", house.made) == "sup"
    await house.post("duty", "/rooms/room-1/listenings", {}, 403)
    await house.post("tab1", "/rooms/room-1/listenings", {}, 403)
    await house.post("sup", "/rooms/room-2/listenings", {}, 409)  # no session there
    now = (await (await house.of("sup2")).get("/listenings")).json()
    assert [(row["by"], row["room_id"]) for row in now] == [("sup", "room-1")]
    path = f"/listenings/{listening['id']}"
    assert (await house.post("sup", f"{path}/renew"))["expires_utc_ms"]
    await house.post("sup2", f"{path}/renew", status=409)
    sup, sup2 = await house.of("sup"), await house.of("sup2")
    assert (await sup2.delete(path)).status_code == 404
    assert (await sup.delete(path)).status_code == 204
    await house.post("sup", f"{path}/renew", status=409)
    third = await house.of("sup3")
    gone = await house.post("sup3", "/rooms/room-1/listenings", {}, 201)
    assert (await third.post("/logout")).status_code == 204
    assert isinstance(gone["listening"], dict)
    renewal = await third.post(f"/listenings/{gone['listening']['id']}/renew")
    assert renewal.status_code == 401, "who has logged out gets no further ticket"
    again = await house.post("sup", "/rooms/room-1/listenings", {}, 201)
    assert isinstance(again["listening"], dict)
    house.made.clock.advance_ms(LISTEN_LEASE_MS + 500)

    async def lapsed() -> bool:
        return not (await (await house.of("sup")).get("/listenings")).json()

    await until(lapsed, what="nobody renewed it")
    assert await house.steps("listening") == ["began", "ended", "began", "began", "ended", "ended"]


async def test_events_of_a_room_reach_its_tablet_and_no_other(house: House) -> None:
    async def wants(name: str, event: EventName, room: str) -> bool:
        client = await house.of(name)
        context = house.made.controller.app.state.context
        token = client.headers["Authorization"].removeprefix("Bearer ")
        caller = await asyncio.to_thread(caller_of, context, token, frozenset({Scope.EVENTS}))
        return wants_of(context, caller)(StreamEvent(event, "x", None, room_id=room))

    assert await wants("tab1", EventName.TEXT, "room-1")
    assert await wants("tab1", EventName.CALL, "room-1")
    assert not await wants("tab2", EventName.TEXT, "room-1")
    assert not await wants("tab1", EventName.LISTENING, "room-1")
    assert not await wants("ops", EventName.CALL, "room-1")
    assert await wants("duty", EventName.CALL, "room-1")


async def test_acts_outlive_a_start(house: House, tmp_path: Path) -> None:
    await house.post("tab1", "/rooms/room-1/calls", {"reason": "papers"}, 201)
    body = {"kind": "other", "reason": "the air conditioning"}
    await house.post("sup", "/rooms/room-1/entries", body, 201)
    loaded = house.made.controller.database.load()
    assert dict(loaded.acts) == dict(house.made.controller.service.state.acts)
    assert sorted(act.kind for act in loaded.acts.values()) == ["call", "entry"]
