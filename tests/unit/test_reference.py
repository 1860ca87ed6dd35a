"""docs/reference/ says what the code does, and its schemas take what the code sends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts import codec, topics
from contracts.envelope import Ack, Delivered
from contracts.observations import Alert, Condition, NodeHealth, NodeState, Severity
from contracts.topics import Kind
from contracts.units import UtcMs
from contracts.vda5050.topics import VdaKind
from zeroentry.reference.__main__ import contents, main, stale
from zeroentry.reference.asyncapi import document
from zeroentry.reference.schemas import BODIES

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
NOW: Final = UtcMs(1_795_305_600_000)


def test_the_pages_are_what_the_code_says() -> None:
    old = stale(FOLDER, contents())
    assert not old, f"{old}: run python -m zeroentry.reference, and commit what it writes"


def test_check_mode_finds_an_old_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    page = tmp_path / "topics.md"
    page.write_text(page.read_text("utf-8") + "edited by hand", "utf-8")
    assert main(["--check", str(tmp_path)]) == 1
    assert "topics.md is old" in capsys.readouterr().err
    assert page.read_text("utf-8").endswith("edited by hand")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "$ref":
                yield str(below)
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def resolve(tree: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        tree = tree[part]
    return tree


def test_every_reference_leads_somewhere() -> None:
    tree = document()
    found = set(references(tree))
    assert len(found) > 50
    for reference in found:
        assert resolve(tree, reference) is not None


def test_every_topic_has_its_channel() -> None:
    tree = document()
    addresses = {channel["address"] for channel in tree["channels"].values()}
    assert {spec.pattern for spec in topics.SPECS.values()} <= addresses
    assert len(addresses) == len(topics.SPECS) + len(VdaKind)
    for channel in tree["channels"].values():
        named = {level[1:-1] for level in channel["address"].split("/") if level[0] == "{"}
        assert set(channel["parameters"]) == named
    for operation in tree["operations"].values():
        assert operation["action"] == "send"
        assert operation["bindings"]["mqtt"]["qos"] in {0, 1}


def test_the_file_is_the_document() -> None:
    text = (FOLDER / "asyncapi.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == json.loads(json.dumps(document()))
    assert yaml.safe_load(text)["asyncapi"] == "3.0.0"


def validator(message: str) -> Draft202012Validator:
    tree = document()
    payload = tree["components"]["messages"][message]["payload"]
    schema = {**payload, "components": tree["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("message", document()["components"]["messages"])
def test_every_schema_is_one(message: str) -> None:
    assert list(validator(message).iter_errors([])), "a schema that takes a list takes anything"


def test_schemas_take_what_is_sent_and_refuse_what_is_not() -> None:
    alert = Alert(
        alert_id="a1",
        rule="area.over_admitted",
        condition=Condition.ACTIVE,
        severity=Severity.ALARM,
        room_id="room-1",
        node_id="edge-1",
        since_utc_ms=NOW,
        raised_utc_ms=NOW,
        dwell_ms=2_000,
    )
    health = NodeHealth(node_id="edge-1", state=NodeState.RUNNING, utc_ms=NOW)
    place = Delivered(stream="edge-1", epoch="0123456789abcdef", seq=1, floor=1)
    sent = {
        "Alert": codec.encode(
            Kind.ALERT, alert, message_id="m", sender="edge-1", sent_utc_ms=NOW, delivered=place
        ),
        "NodeHealth": codec.encode(
            Kind.HEALTH, health, message_id="m", sender="edge-1", sent_utc_ms=NOW
        ),
        "Ack": codec.encode_ack(Ack(stream="edge-1", epoch="0" * 16, seq=1, by="controller")),
    }
    for message, payload in sent.items():
        value = json.loads(payload)
        assert not list(validator(message).iter_errors(value))
        value["schema"] = "zeroentry.other/9"
        assert list(validator(message).iter_errors(value)), message
    undelivered = json.loads(sent["Alert"])
    del undelivered["delivered"]
    assert list(validator("Alert").iter_errors(undelivered))


def test_every_kind_of_topic_says_what_it_carries() -> None:
    assert set(BODIES) == set(Kind)
