"""Whatever a peer sends becomes a message or a reason; what we send is read back alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts import topics
from contracts.codec import Message, body_bytes, decode, encode, encode_ack, signed_part
from contracts.commands import Keep, Release, Seal
from contracts.envelope import (
    PAYLOAD_MAX_BYTES,
    Ack,
    Delivered,
    Rejected,
    RejectReason,
)
from contracts.observations import (
    AccessEvent,
    AccessKind,
    Alert,
    CheckpointTaken,
    Condition,
    EntryAppended,
    NodeHealth,
    NodeState,
    RoomObservation,
    SealApplied,
    Severity,
    VoiceKind,
    VoiceTold,
    WitnessGiven,
)
from contracts.topics import Kind
from contracts.units import UtcMs

NOW = UtcMs(1_795_305_600_000)
EPOCH = "0123456789abcdef"
DIGEST = "ab" * 32
ALERT = Alert(
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
ALERT_TOPIC = topics.room_topic(Kind.ALERT, "demo", "room-1")
DELIVERED = Delivered(stream="edge-1", epoch=EPOCH, seq=7, floor=3)

EXAMPLES: list[tuple[Kind, str, BaseModel]] = [
    (Kind.ALERT, ALERT_TOPIC, ALERT),
    (
        Kind.OBSERVATION,
        topics.room_topic(Kind.OBSERVATION, "demo", "room-1"),
        RoomObservation(room_id="room-1", node_id="edge-1", boot_id="b", index=1, utc_ms=NOW),
    ),
    (
        Kind.ENTRY,
        topics.room_topic(Kind.ENTRY, "demo", "room-1"),
        EntryAppended(room_id="room-1", node_id="edge-1", track_id="cam-1", line='{"v":1}'),
    ),
    (
        Kind.CHECKPOINT,
        topics.checkpoint_topic("demo", "edge-1", "cam-1"),
        CheckpointTaken(room_id="room-1", node_id="edge-1", track_id="cam-1", line='{"v":1}'),
    ),
    (
        Kind.WITNESS,
        topics.witness_topic("demo", "edge-1", "cam-1"),
        WitnessGiven(node_id="edge-1", track_id="cam-1", line='{"v":1}'),
    ),
    (
        Kind.ACCESS,
        topics.room_topic(Kind.ACCESS, "demo", "room-1"),
        AccessEvent(event_id="e1", room_id="room-1", kind=AccessKind.CHECK_IN, utc_ms=NOW),
    ),
    (
        Kind.APPLIED,
        topics.room_topic(Kind.APPLIED, "demo", "room-1"),
        SealApplied(
            node_id="edge-1",
            room_id="room-1",
            session_id="s1",
            sealed=True,
            admitted=5,
            command_id="c1",
            utc_ms=NOW,
        ),
    ),
    (
        Kind.VOICE,
        topics.room_topic(Kind.VOICE, "demo", "room-1"),
        VoiceTold(
            voice_id="v-1",
            kind=VoiceKind.TALK,
            room_id="room-1",
            node_id="edge-1",
            source_id="cam-1",
            by="sup",
            began_utc_ms=NOW,
            ended_utc_ms=NOW,
            why="released",
            sha256="0" * 64,
            bytes=1,
            duration_ms=1_000,
        ),
    ),
    (
        Kind.HEALTH,
        topics.health_topic("demo", "edge-1"),
        NodeHealth(node_id="edge-1", state=NodeState.RUNNING, utc_ms=NOW),
    ),
    (
        Kind.COMMAND,
        topics.command_topic("demo", "edge-1"),
        Seal(command_id="c1", room_id="room-1", session_id="s1", admitted=5, at_utc_ms=NOW),
    ),
    (
        Kind.COMMAND,
        topics.command_topic("demo", "edge-1"),
        Release(command_id="c2", room_id="room-1", session_id="s1", at_utc_ms=NOW),
    ),
    (
        Kind.COMMAND,
        topics.command_topic("demo", "edge-1"),
        Keep(
            command_id="c3",
            room_id="corridor-1",
            session_id="s1",
            from_utc_ms=NOW,
            keep_until_utc_ms=UtcMs(NOW + 1),
        ),
    ),
]


def packed(kind: Kind, body: BaseModel, *, delivered: Delivered | None = DELIVERED) -> bytes:
    return encode(
        kind, body, message_id="m1", sender="edge-1", sent_utc_ms=NOW, delivered=delivered
    )


def understood(topic: str, payload: bytes) -> Message:
    message = decode(topic, payload)
    assert isinstance(message, Message), message
    return message


def refused(topic: str, payload: bytes) -> Rejected:
    rejected = decode(topic, payload)
    assert isinstance(rejected, Rejected), rejected
    return rejected


def changed(payload: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(payload), **fields}).encode()


def changed_body(payload: bytes, **fields: object) -> bytes:
    return changed(payload, body={**json.loads(payload)["body"], **fields})


@pytest.mark.parametrize(("kind", "topic", "body"), EXAMPLES, ids=lambda value: str(value)[:20])
def test_each_message_reads_back(kind: Kind, topic: str, body: BaseModel) -> None:
    message = understood(topic, packed(kind, body))
    assert message.body == body
    assert message.delivered == DELIVERED
    assert (message.id, message.sender, message.sent_utc_ms) == ("m1", "edge-1", NOW)
    assert message.topic.kind is kind
    assert message.signed_bytes == signed_part(topic, "m1", body_bytes(body))


def test_every_kind_of_topic_has_an_example() -> None:
    shown = {kind for kind, _, _ in EXAMPLES}
    assert shown == set(Kind) - {Kind.ACK, Kind.ACL_PROBE}


def test_an_acknowledgement_reads_back() -> None:
    ack = Ack(stream="edge-1", epoch=EPOCH, seq=9, by="controller")
    assert decode(topics.ack_topic("demo", "edge-1"), encode_ack(ack)) == ack


def test_an_acknowledgement_of_another_stream_is_refused() -> None:
    ack = Ack(stream="edge-1", epoch=EPOCH, seq=9, by="controller")
    rejected = refused(topics.ack_topic("demo", "edge-2"), encode_ack(ack))
    assert rejected.reason is RejectReason.WRONG_TOPIC
    assert rejected.detail == "acknowledges stream edge-1 on the topic of edge-2"


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b"nul", b'{"a": 1', b"[" * 5_000])
def test_what_is_not_json(payload: bytes) -> None:
    assert refused(ALERT_TOPIC, payload).reason is RejectReason.NOT_JSON


@pytest.mark.parametrize("payload", [b"null", b"[]", b"1", b'"text"', b"{}"])
def test_json_that_is_no_envelope(payload: bytes) -> None:
    assert refused(ALERT_TOPIC, payload).reason is RejectReason.INVALID


def test_an_oversized_payload_is_refused_unread() -> None:
    rejected = refused(ALERT_TOPIC, b" " * (PAYLOAD_MAX_BYTES + 1))
    assert rejected.reason is RejectReason.OVERSIZED
    assert rejected.detail == "65537 bytes; limit 65536"


def test_the_largest_payload_is_read() -> None:
    payload = packed(Kind.ALERT, ALERT)
    assert understood(ALERT_TOPIC, payload.ljust(PAYLOAD_MAX_BYTES)).body == ALERT


def test_our_own_oversized_message_is_our_error() -> None:
    body = ALERT.model_copy(update={"note": "x" * PAYLOAD_MAX_BYTES})
    with pytest.raises(ValueError, match="limit 65536"):
        packed(Kind.ALERT, body)


def test_a_foreign_topic_is_refused() -> None:
    rejected = refused("house/kitchen/light", packed(Kind.ALERT, ALERT))
    assert rejected.reason is RejectReason.WRONG_TOPIC
    assert "docs/reference/topics.md" in rejected.detail


def test_a_newer_version_is_named() -> None:
    payload = changed(packed(Kind.ALERT, ALERT), schema="zeroentry.alert/2")
    rejected = refused(ALERT_TOPIC, payload)
    assert rejected.reason is RejectReason.UNKNOWN_VERSION
    assert rejected.detail == "schema zeroentry.alert/2; understood: 1 to 1"


@pytest.mark.parametrize("schema", ["zeroentry.health/1", "zeroentry.other/1"])
def test_another_schema_than_the_topics(schema: str) -> None:
    rejected = refused(ALERT_TOPIC, changed(packed(Kind.ALERT, ALERT), schema=schema))
    assert rejected.reason is RejectReason.UNKNOWN_SCHEMA
    assert rejected.detail == f"schema {schema}; this topic carries zeroentry.alert/1"


@pytest.mark.parametrize("schema", ["alert/1", "zeroentry.alert/0", "zeroentry.alert", 1, None])
def test_a_schema_that_is_none(schema: object) -> None:
    rejected = refused(ALERT_TOPIC, changed(packed(Kind.ALERT, ALERT), schema=schema))
    assert rejected.reason is RejectReason.INVALID
    assert rejected.detail.startswith("schema: ")


def test_a_newer_peers_fields_are_kept() -> None:
    payload = changed_body(packed(Kind.ALERT, ALERT), lighting="dim")
    payload = changed(payload, route=["a", "b"])
    body = understood(ALERT_TOPIC, payload).body
    assert body.model_extra == {"lighting": "dim"}
    assert json.loads(body_bytes(body))["lighting"] == "dim"


def test_a_command_with_an_unknown_field_is_refused() -> None:
    """A command that is half understood must not be half obeyed."""
    topic = topics.command_topic("demo", "edge-1")
    payload = changed_body(packed(Kind.COMMAND, EXAMPLES[-1][2]), until="later")
    assert refused(topic, payload).reason is RejectReason.INVALID


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("room_id", "room-2", "the body says room room-2, the topic says room-1"),
        ("severity", "loud", "severity: Input should be 'notice', 'warning' or 'alarm'"),
        ("cleared_utc_ms", NOW, "cleared_utc_ms belongs to a cleared alert, and only to it"),
    ],
)
def test_a_body_that_does_not_fit(field: str, value: object, detail: str) -> None:
    rejected = refused(ALERT_TOPIC, changed_body(packed(Kind.ALERT, ALERT), **{field: value}))
    assert detail in rejected.detail


def test_a_node_that_speaks_for_another_is_refused() -> None:
    body = NodeHealth(node_id="edge-2", state=NodeState.RUNNING, utc_ms=NOW)
    rejected = refused(topics.health_topic("demo", "edge-1"), packed(Kind.HEALTH, body))
    assert rejected.reason is RejectReason.WRONG_TOPIC
    assert rejected.detail == "the body says node edge-2, the topic says edge-1"


def test_a_durable_message_must_say_where_it_stands() -> None:
    rejected = refused(ALERT_TOPIC, packed(Kind.ALERT, ALERT, delivered=None))
    assert rejected.reason is RejectReason.WRONG_TOPIC
    assert "delivered" in rejected.detail


@pytest.mark.parametrize(
    "delivered",
    [
        {"stream": "edge-1", "epoch": EPOCH, "seq": 0, "floor": 1},
        {"stream": "edge-1", "epoch": "short", "seq": 1, "floor": 1},
        {"stream": "Edge/1", "epoch": EPOCH, "seq": 1, "floor": 1},
        {"stream": "edge-1", "epoch": EPOCH, "seq": 1},
    ],
)
def test_limits_of_where_a_message_stands(delivered: dict[str, object]) -> None:
    payload = changed(packed(Kind.ALERT, ALERT), delivered=delivered)
    assert refused(ALERT_TOPIC, payload).reason is RejectReason.INVALID


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", ""), ("id", "x" * 65), ("id", "a b"), ("sender", ""), ("sender", "x" * 65)],
)
def test_limits_of_the_envelope(field: str, value: str) -> None:
    rejected = refused(ALERT_TOPIC, changed(packed(Kind.ALERT, ALERT), **{field: value}))
    assert rejected.reason is RejectReason.INVALID
    assert rejected.detail.startswith(f"{field}: ")


def test_the_probe_of_access_control_carries_nothing() -> None:
    topic = topics.acl_probe_topic("demo", "edge-1")
    assert isinstance(decode(topic, packed(Kind.ALERT, ALERT)), Rejected)
    probe = changed(packed(Kind.ALERT, ALERT), schema="zeroentry.acl_probe/1")
    assert isinstance(decode(topic, probe), Rejected)


TOPICS = [
    *(topic for _, topic, _ in EXAMPLES),
    topics.ack_topic("demo", "edge-1"),
    topics.acl_probe_topic("demo", "edge-1"),
    "not/ours",
]
VALID = [packed(kind, body) for kind, _, body in EXAMPLES]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=20,
)


@given(st.sampled_from(TOPICS), st.binary(max_size=300))
def test_any_bytes_give_an_answer(topic: str, payload: bytes) -> None:
    assert isinstance(decode(topic, payload), Message | Ack | Rejected)


@given(st.sampled_from(TOPICS), JSON)
def test_any_json_gives_an_answer(topic: str, value: object) -> None:
    assert isinstance(decode(topic, json.dumps(value).encode()), Message | Ack | Rejected)


@given(
    st.sampled_from(TOPICS),
    st.sampled_from(VALID),
    st.sampled_from(["schema", "id", "sender", "sent_utc_ms", "delivered", "body", "signature"]),
    JSON,
)
def test_any_damage_gives_an_answer(topic: str, valid: bytes, field: str, value: object) -> None:
    damaged = changed(valid, **{field: value})
    assert isinstance(decode(topic, damaged), Message | Ack | Rejected)


@given(st.sampled_from(VALID), st.integers(0, 400), st.integers(0, 255))
def test_one_flipped_byte_gives_an_answer(valid: bytes, at: int, value: int) -> None:
    at %= len(valid)
    damaged = valid[:at] + bytes([value]) + valid[at + 1 :]
    assert isinstance(decode(ALERT_TOPIC, damaged), Message | Ack | Rejected)
