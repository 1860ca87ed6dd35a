"""Rules over the API: layers, mistakes told at once, freeze, second person, restart."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.catalogue import CATALOGUE, JudgedBy
from contracts.commands import Keep
from contracts.observations import Mode
from contracts.units import UtcMs
from edge.api.freeze import SECOND_HEADER
from edge.api.rule_models import ParameterInfo, ParameterValue, RuleAtLayer, RuleInForce
from edge.core.rule_settings import RuleChange
from edge.freezing import frozen_of, hash_of_text, texts_of
from tests.fakes.edge_api import bearer
from tests.fakes.rule_node import (
    AGAIN,
    BOTH,
    OPS,
    RECORDING,
    SECOND,
    VIEW,
    RuleNode,
    start_rule_node,
)
from tests.fakes.waiting import until

OVER = "area.over_admitted"
SITE_PATH = f"/api/v1/rules/{OVER}"
ROOM_PATH = f"/api/v1/areas/room-1/rules/{OVER}"
SESSION_PATH = f"/api/v1/areas/room-1/sessions/s-1/rules/{OVER}"
DEFAULT = CATALOGUE[OVER].parameter("dwell_ms").default
DWELL = {"parameters": {"dwell_ms": 5000}}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RuleNode]:
    made = start_rule_node(tmp_path)
    yield made
    await made.stop()


async def put(
    node: RuleNode, path: str, body: object, *, second: str | None = None, **headers: str
) -> httpx.Response:
    extra = {SECOND_HEADER: second} if second is not None else {}
    return await node.client.put(path, json=body, headers={**bearer(OPS), **extra, **headers})


async def in_force(node: RuleNode, room: str = "room-1", code: str = OVER) -> dict[str, Any]:
    answer = await node.client.get(f"/api/v1/areas/{room}/rules", headers=bearer(VIEW))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(row for row in answer.json()["rules"] if row["code"] == code)
    return found


def dwell(rule: dict[str, Any]) -> tuple[float, str]:
    row = next(one for one in rule["parameters"] if one["name"] == "dwell_ms")
    return row["value"], row["layer"]


def drift(node: RuleNode, room: str = "room-1") -> tuple[str, ...]:
    return node.service.rooms[room].state.drifted


def leaked(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.iterdir())


async def test_the_catalogue_is_told_whole(node: RuleNode) -> None:
    answer = await node.client.get("/api/v1/rules", headers=bearer(VIEW))
    rows = {row["code"]: row for row in answer.json()}
    assert set(rows) == set(CATALOGUE)
    for code, row in rows.items():
        spec = CATALOGUE[code]
        assert row["title"] == {"zh": spec.title.zh, "en": spec.title.en}
        assert (row["shadow_because"] is None) == (spec.shadow_because is None)
        names = {one["name"]: (one["lowest"], one["highest"]) for one in row["parameters"]}
        assert names == {one.name: (one.lowest, one.highest) for one in spec.parameters}


async def test_each_layer_lies_over_those_before_it(tmp_path: Path) -> None:
    change = RuleChange(risk_code="RP-1", parameters={"dwell_ms": 1000})
    node = start_rule_node(tmp_path, declared={OVER: change})
    assert dwell(await in_force(node)) == (1000, "file")
    await put(node, SITE_PATH, {"parameters": {"dwell_ms": 1500}})
    assert dwell(await in_force(node)) == (1500, "site")
    await put(node, ROOM_PATH, {"mode": "shadow", "parameters": {"dwell_ms": 2500}})
    rule = await in_force(node)
    assert dwell(rule) == (2500, "room")
    assert (rule["mode"], rule["risk_code"]) == ("shadow", "RP-1")
    assert rule["layers"] == {"mode": "room", "severity": "catalogue", "risk_code": "file"}
    assert dwell(await in_force(node, "corridor-1")) == (1500, "site")
    await put(node, SESSION_PATH, DWELL)
    assert dwell(await in_force(node)) == (2500, "room"), "the session is not sealed yet"
    await node.seal("s-1")
    assert dwell(await in_force(node)) == (5000, "session")
    assert node.service.rooms["room-1"].state.rules[OVER]["dwell_ms"] == 5000
    await node.release("s-1")
    await until(lambda: not node.book.changing.locked(), what="the release is done")
    assert dwell(await in_force(node)) == (2500, "room")
    assert all(place.session_id is None for place in node.book.pages.places)
    assert all(row.place.session_id is None for row in node.store.rule_changes())
    gone = await node.client.delete(ROOM_PATH, headers=bearer(OPS))
    assert gone.json()["change"] is None
    assert dwell(await in_force(node)) == (1500, "site")
    await node.stop()


async def test_a_restart_finds_every_layer_again(tmp_path: Path) -> None:
    node = start_rule_node(tmp_path)
    await put(node, SITE_PATH, {"risk_code": "RP-031"})
    await put(node, SESSION_PATH, DWELL)
    await node.seal("s-1")
    await node.stop()
    again = start_rule_node(tmp_path)
    rule = await in_force(again)
    assert (rule["risk_code"], dwell(rule)) == ("RP-031", (5000, "session"))
    assert drift(again) == ()
    shown = (await again.client.get(SITE_PATH, headers=bearer(VIEW))).json()
    assert (shown["changed_by"], shown["second"]) == ("ops.wang", None)
    await again.stop()


async def test_all_mistakes_are_told_at_once_with_their_pointers(node: RuleNode) -> None:
    body = {
        "mode": "loud",
        "sevrity": "alarm",
        "risk_code": "a b",
        "parameters": {"dwell_ms": 99, "clear_ms": "2", "dwel_ms": 1},
    }
    answer = await put(node, ROOM_PATH, body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    errors = answer.json()["errors"]
    pointers = {error.split(":", 1)[0] for error in errors}
    assert pointers == {
        "#/mode", "#/sevrity", "#/risk_code", "#/parameters/clear_ms", "#/parameters/dwell_ms",
        "#/parameters/dwel_ms",
    }  # fmt: skip
    told = next(error for error in errors if error.startswith("#/parameters/dwell_ms"))
    bounds = CATALOGUE[OVER].parameter("dwell_ms")
    assert f"is 99; allowed: {bounds.lowest:g} to {bounds.highest:g} ms" in told
    assert dwell(await in_force(node)) == (DEFAULT, "catalogue")


NO_CHANGES = (
    b"",
    b"[]",
    b"{",
    b'{"parameters": {"dwell_ms": NaN}}',
    b'{"parameters": {"dwell_ms": true}}',
    b'{"parameters": {"dwell_ms": 1e999}}',
    b'{"parameters": []}',
    b'\xff{"mode": "on"}',
    b'{"parameters": {' + b",".join(b'"p%d": 1' % n for n in range(17)) + b"}}",
)


async def test_bodies_that_are_no_change_are_refused(node: RuleNode) -> None:
    for raw in NO_CHANGES:
        answer = await node.client.put(ROOM_PATH, content=raw, headers=bearer(OPS))
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"], raw
    assert node.store.rule_changes() == ()


async def test_a_body_that_is_too_long_is_not_read(node: RuleNode) -> None:
    answer = await node.client.put(ROOM_PATH, content=b" " * 20_000, headers=bearer(OPS))
    assert answer.status_code == 413


async def test_unknown_rules_are_told_with_near_ones(node: RuleNode) -> None:
    answer = await put(node, "/api/v1/rules/area.over_admited", {"mode": "off"})
    assert answer.status_code == 404
    assert "did you mean area.over_admitted" in answer.json()["detail"]
    far = await node.client.get("/api/v1/rules/zzz", headers=bearer(VIEW))
    assert "lists all of them" in far.json()["detail"]
    room = await put(node, f"/api/v1/areas/room-9/rules/{OVER}", {"mode": "off"})
    assert room.status_code == 404


async def test_rules_of_the_controller_are_refused_with_a_word(node: RuleNode) -> None:
    others = [code for code, spec in CATALOGUE.items() if spec.judged_by is JudgedBy.CONTROLLER]
    assert "node.offline" in others
    for code in others:
        answer = await put(node, f"/api/v1/areas/room-1/rules/{code}", {"mode": "off"})
        assert answer.status_code == 409
        assert "controller" in answer.json()["detail"]


async def test_who_may(node: RuleNode) -> None:
    for path in (SITE_PATH, ROOM_PATH, SESSION_PATH):
        for method in ("GET", "PUT", "DELETE"):
            assert (await node.client.request(method, path, json=DWELL)).status_code == 401
        for method in ("PUT", "DELETE"):
            for token in (VIEW, SECOND):
                answer = await node.client.request(method, path, json=DWELL, headers=bearer(token))
                assert answer.status_code == 403
        assert (await node.client.get(path, headers=bearer(SECOND))).status_code == 403
    assert node.store.rule_changes() == ()


async def test_two_editors_do_not_overwrite_one_another(node: RuleNode) -> None:
    read = await node.client.get(ROOM_PATH, headers=bearer(VIEW))
    etag = read.headers["etag"]
    first = await put(node, ROOM_PATH, DWELL, **{"If-Match": etag})
    assert first.status_code == 200
    second = await put(node, ROOM_PATH, {"mode": "off"}, **{"If-Match": etag})
    assert second.status_code == 412
    third = await put(node, ROOM_PATH, {"mode": "off"}, **{"If-Match": first.headers["etag"]})
    assert third.status_code == 200
    assert third.headers["etag"] != first.headers["etag"]
    gone = await node.client.delete(ROOM_PATH, headers={**bearer(OPS), "If-Match": etag})
    assert gone.status_code == 412
    nothing = await put(node, SITE_PATH, DWELL, **{"If-Match": "*"})
    assert nothing.status_code == 412


async def test_a_sealed_room_is_changed_by_two_people_with_an_alert_and_evidence(
    node: RuleNode, tmp_path: Path
) -> None:
    await node.seal()
    room = node.service.rooms["room-1"]
    frozen = node.seals()[0].frozen
    refused = await put(node, ROOM_PATH, DWELL)
    assert refused.status_code == 409
    assert SECOND_HEADER in refused.json()["detail"]
    for token, status in (("x" * 30, 401), (VIEW, 403), (OPS, 403), (AGAIN, 403)):
        assert (await put(node, ROOM_PATH, DWELL, second=token)).status_code == status
    alone = await node.client.put(
        ROOM_PATH, json=DWELL, headers={**bearer(BOTH), SECOND_HEADER: BOTH}
    )
    assert alone.status_code == 403
    assert room.state.rules[OVER]["dwell_ms"] == DEFAULT
    assert node.notes() == []
    done = await put(node, ROOM_PATH, DWELL, second=SECOND)
    assert done.status_code == 200, done.text
    assert (done.json()["changed_by"], done.json()["second"]) == ("ops.wang", "lead.zhao")
    assert room.state.rules[OVER]["dwell_ms"] == 5000
    assert drift(node) == ("rules",)
    (note,) = node.notes()
    now = frozen_of(texts_of("", room.state.rules, room.state.zones))
    assert (note.what, note.before) == ("rules", frozen["rules"])
    assert note.after == f"{now['rules']} ops.wang + lead.zhao"
    area = (await node.client.get("/api/v1/areas/room-1/rules", headers=bearer(VIEW))).json()
    assert (area["closed"], area["drifted"]) == (True, ["rules"])
    back = await node.client.delete(ROOM_PATH, headers={**bearer(OPS), SECOND_HEADER: SECOND})
    assert back.status_code == 200
    assert drift(node) == ()
    assert node.notes()[-1].after.startswith(frozen["rules"])
    assert not leaked(tmp_path, SECOND)


async def test_what_the_chain_names_by_hash_can_be_read_and_hashed_by_anybody(
    node: RuleNode,
) -> None:
    await node.seal()
    await put(node, ROOM_PATH, DWELL, second=SECOND)
    frozen = node.seals()[0].frozen
    changed = node.notes()[0].after.split()[0]
    texts = {}
    for name, sha256 in {**frozen, "changed": changed}.items():
        path = f"/api/v1/frozen/{sha256}.json"
        assert (await node.client.get(path, headers=bearer(VIEW))).status_code == 403
        answer = await node.client.get(path, headers=bearer(RECORDING))
        assert answer.status_code == 200
        assert hash_of_text(answer.text) == sha256
        texts[name] = answer.json()
    assert set(texts["rules"]) == set(CATALOGUE)
    assert texts["rules"][OVER]["parameters"]["dwell_ms"] == DEFAULT
    assert texts["changed"][OVER]["parameters"]["dwell_ms"] == 5000
    assert texts["devices"] == {"cameras": ["room-1-cam"]}
    gone = await node.client.get(f"/api/v1/frozen/{'0' * 64}.json", headers=bearer(RECORDING))
    assert gone.status_code == 404


async def test_only_what_touches_a_closed_room_needs_two(node: RuleNode) -> None:
    await node.order(
        Keep(
            command_id="k-1",
            room_id="corridor-1",
            session_id="s-9",
            from_utc_ms=UtcMs(1),
            keep_until_utc_ms=UtcMs(9),
        )
    )
    assert (await put(node, ROOM_PATH, DWELL)).status_code == 200, "room-1 itself is open"
    shared = await put(node, SITE_PATH, {"risk_code": "RP-2"})
    assert shared.status_code == 409
    assert "corridor-1" in shared.json()["detail"]
    own = f"/api/v1/areas/corridor-1/rules/{OVER}"
    assert (await put(node, own, {"mode": "off"})).status_code == 409
    to_come = f"/api/v1/areas/corridor-1/sessions/s-3/rules/{OVER}"
    assert (await put(node, to_come, DWELL)).status_code == 200, "nothing changes by it now"
    assert (await put(node, SITE_PATH, {"risk_code": "RP-2"}, second=SECOND)).status_code == 200
    assert drift(node, "corridor-1") == ("rules",)
    assert drift(node) == ()


async def test_a_session_that_ends_leaves_no_drift_where_others_still_pass(
    node: RuleNode,
) -> None:
    await put(node, SESSION_PATH, DWELL)
    await node.seal()
    await node.order(
        Keep(
            command_id="k-1",
            room_id="room-1",
            session_id="s-9",
            from_utc_ms=UtcMs(1),
            keep_until_utc_ms=UtcMs(9),
        )
    )
    await node.release()
    room = node.service.rooms["room-1"]
    assert room.state.closed
    assert room.state.rules[OVER]["dwell_ms"] == DEFAULT
    assert drift(node) == ()
    assert node.notes() == []


async def test_an_amended_roster_does_not_hide_a_change(node: RuleNode) -> None:
    await node.seal()
    await put(node, ROOM_PATH, DWELL, second=SECOND)
    await node.seal()
    assert drift(node) == ("rules",)
    first, amended = node.seals()
    assert amended.frozen == first.frozen
    await node.release()
    assert drift(node) == ()
    await node.seal("s-2")
    assert node.seals()[-1].frozen["rules"] != first.frozen["rules"]
    assert drift(node) == ()


async def test_files_changed_under_a_seal_are_found_at_the_start(tmp_path: Path) -> None:
    node = start_rule_node(tmp_path)
    await node.seal()
    await node.stop()
    changed = {OVER: RuleChange(mode=Mode.OFF)}
    devices = {"room-1": {"cameras": ["another"]}}
    again = start_rule_node(tmp_path, declared=changed, devices=devices)
    await until(lambda: drift(again) == ("rules", "devices"), what="both are found")
    assert {note.what for note in again.notes()} == {"rules", "devices"}
    assert all(note.after.endswith(" node start") for note in again.notes())
    await again.stop()
    third = start_rule_node(tmp_path, declared=changed, devices=devices)
    await until(lambda: drift(third), what="it is found again")
    assert len(third.notes()) == 2, "told once"
    await third.stop()


async def test_a_stored_change_that_no_catalogue_allows_is_left_out_and_shown(
    tmp_path: Path,
) -> None:
    node = start_rule_node(tmp_path)
    await put(node, ROOM_PATH, DWELL)
    await node.stop()
    db = sqlite3.connect(tmp_path / "edge.sqlite3")
    with db:
        (body,) = db.execute("SELECT body FROM rule_change").fetchone()
        row = json.loads(body)
        row["change"]["parameters"]["dwell_ms"] = 999_999
        db.execute("UPDATE rule_change SET body = ?", (json.dumps(row),))
        db.execute("INSERT INTO rule_change VALUES ('room', 'room-1', '', 'old.rule', ?)", (body,))
        db.execute("INSERT INTO rule_change VALUES ('site', '', '', 'zone.entry', '{\"a\": 1}')")
    db.close()
    again = start_rule_node(tmp_path)
    assert dwell(await in_force(again)) == (DEFAULT, "catalogue")
    area = (await again.client.get("/api/v1/areas/room-1/rules", headers=bearer(VIEW))).json()
    refused = {row["code"]: row["refused"] for row in area["refused"]}
    assert set(refused) == {OVER, "old.rule", "zone.entry"}
    assert "999999" in refused[OVER].replace("1e+06", "999999")
    shown = (await again.client.get(ROOM_PATH, headers=bearer(VIEW))).json()
    assert shown["refused"]
    assert (await put(again, ROOM_PATH, DWELL)).json()["refused"] is None
    assert dwell(await in_force(again)) == (5000, "room")
    await again.stop()


async def test_a_disk_that_refuses_changes_nothing(node: RuleNode) -> None:
    node.store.full = True
    answer = await put(node, ROOM_PATH, DWELL)
    assert answer.status_code == 503
    assert dwell(await in_force(node)) == (DEFAULT, "catalogue")
    node.store.full = False
    assert (await put(node, ROOM_PATH, DWELL)).status_code == 200


async def test_so_many_sessions_and_no_more(node: RuleNode) -> None:
    for number in range(64):
        path = f"/api/v1/areas/room-1/sessions/s-{number}/rules/{OVER}"
        assert (await put(node, path, DWELL)).status_code == 200
    full = await put(node, f"/api/v1/areas/room-1/sessions/s-64/rules/{OVER}", DWELL)
    assert full.status_code == 409
    other = "/api/v1/areas/room-1/sessions/s-1/rules/zone.entry"
    assert (await put(node, other, {"mode": "off"})).status_code == 200


async def test_an_empty_change_is_none(node: RuleNode) -> None:
    await put(node, ROOM_PATH, DWELL)
    assert (await put(node, ROOM_PATH, {})).json()["change"] is None
    assert node.store.rule_changes() == ()


async def test_the_description_names_bodies_examples_and_the_second_token(node: RuleNode) -> None:
    tree = node.app.openapi()
    path = tree["paths"]["/api/v1/areas/{area_id}/sessions/{session_id}/rules/{code}"]["put"]
    body = path["requestBody"]["content"]["application/json"]
    name = body["schema"]["$ref"].removeprefix("#/components/schemas/")
    assert set(tree["components"]["schemas"][name]["properties"]) == set(RuleChange.model_fields)
    for example in body["examples"].values():
        assert RuleChange.model_validate(example["value"]) != RuleChange()
    schemes = {key for row in path["security"] for key in row}
    headers = {tree["components"]["securitySchemes"][key].get("name") for key in schemes}
    assert SECOND_HEADER in headers
    for model in (RuleInForce, RuleAtLayer, ParameterInfo, ParameterValue):
        (example,) = tree["components"]["schemas"][model.__name__]["examples"]
        assert model.model_validate(example).model_fields_set == set(example)
    assert {"409", "412", "422", "404", "503"} <= set(path["responses"]) | {"422"}
