"""Every message that our types can hold is one of VDA 5050 2.1.0, and is read back as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import PAYLOAD_MAX_BYTES, Rejected, RejectReason
from contracts.units import UtcMs
from contracts.vda5050.codec import MODELS, VdaMessage, decode_vda, encode_vda, references_of
from contracts.vda5050.order import InstantActions, Order
from contracts.vda5050.state import ActionStatus, State
from contracts.vda5050.timestamps import timestamp_of, utc_ms_of
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress, parse, vehicle_filter
from tests.unit.contracts_vda5050.official import VALIDATORS
from tests.unit.contracts_vda5050.strategies import LAST_UTC_MS, messages

GOLDENS = Path(__file__).parent / "goldens"
R1 = VehicleAddress("uagv", "v2", "maker", "r1")

ODD = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def golden(name: str) -> bytes:
    return (GOLDENS / name).read_bytes()


def refused(topic: str, payload: bytes) -> Rejected:
    outcome = decode_vda(topic, payload)
    assert isinstance(outcome, Rejected), outcome
    return outcome


def changed(kind: VdaKind, **changes: Any) -> Rejected:
    """Why a full golden with some fields changed is refused."""
    content = json.loads(golden(f"{kind}.full.json")) | changes
    return refused(R1.topic(kind), json.dumps(content).encode())


@pytest.mark.parametrize("kind", VdaKind)
@ODD
@given(data=st.data())
def test_every_message_fits_the_official_schema(kind: VdaKind, data: st.DataObject) -> None:
    body = data.draw(messages(MODELS[kind]))
    payload = encode_vda(body)
    VALIDATORS[kind].validate(json.loads(payload))
    assert MODELS[kind].model_validate_json(payload) == body


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDENS.glob("*.json")))
def test_goldens_are_official_and_read_back_equal(name: str) -> None:
    kind = VdaKind(name.split(".", maxsplit=1)[0])
    content = json.loads(golden(name))
    if ".nulls." not in name:
        VALIDATORS[kind].validate(content)
    message = decode_vda(R1.topic(kind), golden(name))
    assert isinstance(message, VdaMessage), message
    again = json.loads(encode_vda(message.body))
    assert again == without_nulls(content)


def without_nulls(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: without_nulls(value) for key, value in content.items() if value is not None}
    return [without_nulls(row) for row in content] if isinstance(content, list) else content


def test_every_kind_has_a_minimal_and_a_full_golden() -> None:
    names = {path.name for path in GOLDENS.glob("*.json")}
    assert {f"{kind}.{size}.json" for kind in VdaKind for size in ("minimal", "full")} <= names


def test_unknown_fields_of_a_newer_peer_are_kept() -> None:
    content = json.loads(golden("state.full.json")) | {"zoneRequests": [{"id": 1}]}
    message = decode_vda(R1.topic(VdaKind.STATE), json.dumps(content).encode())
    assert isinstance(message, VdaMessage)
    assert json.loads(encode_vda(message.body))["zoneRequests"] == [{"id": 1}]


def test_paused_actions_of_peers_are_read() -> None:
    content = json.loads(golden("state.full.json"))
    content["actionStates"][0]["actionStatus"] = "PAUSED"
    message = decode_vda(R1.topic(VdaKind.STATE), json.dumps(content).encode())
    assert isinstance(message, VdaMessage)
    assert isinstance(message.body, State)
    assert message.body.action_states[0].action_status is ActionStatus.PAUSED


@pytest.mark.parametrize("key", ["actions", "instantActions"])
def test_both_names_of_the_list_of_instant_actions(key: Any) -> None:
    message = decode_vda(R1.topic(VdaKind.INSTANT_ACTIONS), golden("instantActions.full.json"))
    assert isinstance(message, VdaMessage)
    assert isinstance(message.body, InstantActions)
    payload = encode_vda(message.body, instant_actions_key=key)
    assert list(json.loads(payload))[-1] == key
    again = decode_vda(R1.topic(VdaKind.INSTANT_ACTIONS), payload)
    assert isinstance(again, VdaMessage)
    assert again.body == message.body


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"nodes": []}, "at least 1 item"),
        ({"edges": []}, "3 nodes need 2 edges, not 0"),
        ({"orderUpdateId": -1}, "greater than or equal to 0"),
        ({"orderUpdateId": "3"}, "must be a number"),
        ({"orderUpdateId": True}, "must be a number"),
        ({"orderId": ""}, "at least 1 character"),
        ({"timestamp": "yesterday, at noon"}, "isoformat"),
    ],
)
def test_an_order_that_cannot_be_driven_is_refused(changes: dict[str, Any], detail: str) -> None:
    assert detail in changed(VdaKind.ORDER, **changes).detail


@pytest.mark.parametrize(
    ("where", "field", "value", "detail"),
    [
        ("nodes", "sequenceId", 1, "must be even"),
        ("nodes", "sequenceId", 6, "must rise by 1"),
        ("nodes", "released", False, "released"),
        ("nodes", "released", "false", "valid boolean"),
        ("nodes", "nodeId", "elsewhere", "does not join"),
        ("edges", "sequenceId", 2, "must rise by 1"),
        ("edges", "released", False, "is released behind"),
        ("edges", "maxSpeed", -1, "greater than or equal to 0"),
        ("edges", "orientation", 3.2, "less than or equal to 3.14"),
        ("edges", "orientationType", "SIDEWAYS", "'GLOBAL' or 'TANGENTIAL'"),
    ],
)
def test_a_way_that_is_none_is_refused(where: str, field: str, value: Any, detail: str) -> None:
    rows = json.loads(golden("order.full.json"))[where]
    rows[0][field] = value
    assert detail in changed(VdaKind.ORDER, **{where: rows}).detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batteryState", {"batteryCharge": 100.5, "charging": False}),
        ("batteryState", {"batteryCharge": -1, "charging": False}),
        ("agvPosition", {"x": 0, "y": 0, "theta": 4, "mapId": "m", "positionInitialized": True}),
        ("operatingMode", "ROGUE"),
        ("safetyState", {"eStop": "MAYBE", "fieldViolation": False}),
    ],
)
def test_a_state_out_of_range_is_refused(field: str, value: Any) -> None:
    assert changed(VdaKind.STATE, **{field: value}).reason is RejectReason.INVALID


def test_not_a_number_is_no_position() -> None:
    payload = golden("order.full.json").replace(b'"x": 4.0', b'"x": NaN')
    assert b"NaN" in payload
    assert refused(R1.topic(VdaKind.ORDER), payload).reason is not RejectReason.WRONG_TOPIC


def test_what_is_refused_has_a_reason() -> None:
    topic = R1.topic(VdaKind.ORDER)
    full = golden("order.full.json")
    assert refused("some/other/topic", full).reason is RejectReason.WRONG_TOPIC
    assert refused(topic, b"{" * 100).reason is RejectReason.NOT_JSON
    assert refused(topic, b"\xff\xfe").reason is RejectReason.NOT_JSON
    assert refused(topic, b" " * (PAYLOAD_MAX_BYTES + 1)).reason is RejectReason.OVERSIZED
    assert refused(topic, b"[" * 60_000).reason is RejectReason.NOT_JSON
    assert refused(topic, b"[]").reason is RejectReason.INVALID
    other = VehicleAddress("uagv", "v2", "maker", "r2").topic(VdaKind.ORDER)
    assert refused(other, full).reason is RejectReason.WRONG_TOPIC
    assert changed(VdaKind.ORDER, version="3.0.0").reason is RejectReason.UNKNOWN_VERSION


@given(st.binary(max_size=200))
def test_no_payload_raises(payload: bytes) -> None:
    for kind in VdaKind:
        assert isinstance(decode_vda(R1.topic(kind), payload), Rejected)
    assert isinstance(references_of(payload), tuple)


def test_a_refused_payload_still_says_which_order_it_was() -> None:
    found = {
        row.reference_key: row.reference_value
        for row in references_of(
            b'{"headerId": 7, "orderId": "o9", "orderUpdateId": 2, "nodes": "none"}'
        )
    }
    assert found == {"headerId": "7", "orderId": "o9", "orderUpdateId": "2"}
    assert references_of(b"[" * 60_000) == ()


def test_a_message_beyond_the_limit_is_not_written() -> None:
    message = decode_vda(R1.topic(VdaKind.ORDER), golden("order.full.json"))
    assert isinstance(message, VdaMessage)
    assert isinstance(message.body, Order)
    huge = message.body.model_copy(update={"zone_set_id": "z" * PAYLOAD_MAX_BYTES})
    with pytest.raises(ValueError, match="limit 65536"):
        encode_vda(huge)


@given(st.integers(0, LAST_UTC_MS))
def test_timestamps_read_back(utc_ms: int) -> None:
    assert utc_ms_of(timestamp_of(UtcMs(utc_ms))) == utc_ms


def test_timestamps_of_other_makers() -> None:
    assert timestamp_of(UtcMs(1_491_998_403_120)) == "2017-04-12T12:00:03.120Z"
    for text in (
        "2017-04-12T12:00:03.12Z",
        "2017-04-12T14:00:03.12+02:00",
        "2017-04-12T12:00:03.12",
    ):
        assert utc_ms_of(text) == 1_491_998_403_120
    for bad in ("1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(ValueError, match="1970"):
            utc_ms_of(bad)


@pytest.mark.parametrize("kind", VdaKind)
def test_topics_read_back(kind: VdaKind) -> None:
    assert R1.topic(kind) == f"uagv/v2/maker/r1/{kind.value}"
    assert parse(R1.topic(kind)) == (R1, kind)
    nested = VehicleAddress("site/4/uagv", "v2", "maker", "r1")
    assert parse(nested.topic(kind)) == (nested, kind)


def test_only_connection_is_kept_by_the_broker_at_qos_1() -> None:
    assert [kind for kind in VdaKind if SPECS[kind].qos == 1] == [VdaKind.CONNECTION]
    assert SPECS[VdaKind.CONNECTION].retain
    assert not SPECS[VdaKind.ORDER].retain
    assert vehicle_filter(VdaKind.STATE) == "uagv/v2/+/+/state"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "a/b/c/order",
        "uagv/v2/maker/r1/orders",
        "uagv/v2/ma+er/r1/order",
        "/v2/m/r/state",
        "a/" * 20,
    ],
)
def test_other_topics_are_none_of_the_standard(topic: str) -> None:
    assert parse(topic) is None


def test_a_name_that_would_subscribe_to_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="serial '#'"):
        VehicleAddress("uagv", "v2", "maker", "#")
