"""Decides what a payload is: bytes and topic in, a checked message or the reason of refusal out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts import topics
from contracts.commands import Command, Keep, Release, Seal
from contracts.envelope import (
    PAYLOAD_MAX_BYTES,
    Ack,
    Delivered,
    Envelope,
    Rejected,
    RejectReason,
)
from contracts.observations import (
    AccessEvent,
    Alert,
    CheckpointTaken,
    EntryAppended,
    NodeHealth,
    RoomObservation,
    SealApplied,
    VoiceTold,
    WitnessGiven,
)
from contracts.topics import Kind, ParsedTopic
from contracts.units import UtcMs

Body = (
    RoomObservation
    | Alert
    | EntryAppended
    | CheckpointTaken
    | WitnessGiven
    | AccessEvent
    | SealApplied
    | VoiceTold
    | NodeHealth
    | Seal
    | Release
    | Keep
)

_ADAPTERS: Final[Mapping[Kind, TypeAdapter[Body]]] = {
    Kind.OBSERVATION: TypeAdapter(RoomObservation),
    Kind.ALERT: TypeAdapter(Alert),
    Kind.ENTRY: TypeAdapter(EntryAppended),
    Kind.CHECKPOINT: TypeAdapter(CheckpointTaken),
    Kind.WITNESS: TypeAdapter(WitnessGiven),
    Kind.ACCESS: TypeAdapter(AccessEvent),
    Kind.APPLIED: TypeAdapter(SealApplied),
    Kind.VOICE: TypeAdapter(VoiceTold),
    Kind.HEALTH: TypeAdapter(NodeHealth),
    Kind.COMMAND: TypeAdapter(Command),
}

_OLDEST_VERSION: Final[Mapping[str, int]] = {
    spec.schema.split("/")[0]: 1 for spec in topics.SPECS.values()
}
# A receiver takes version N-1. All kinds are at version 1 today, so there is nothing older.


@dataclass(frozen=True, slots=True)
class Message:
    """A payload that was understood. ``delivered`` is None for what travels without an outbox."""

    topic: ParsedTopic
    id: str
    sender: str
    sent_utc_ms: UtcMs
    body: Body
    delivered: Delivered | None
    signature: str | None
    signed_bytes: bytes
    """What ``signature`` covers: see ``signed_part``."""


def signed_part(topic: str, message_id: str, body_json: bytes) -> bytes:
    """The bytes that a signature covers: topic, id and body, each ended by a zero byte."""
    return b"\0".join((topic.encode(), message_id.encode(), body_json, b""))


def body_bytes(body: BaseModel) -> bytes:
    """A body as canonical JSON: the form that is sent and signed."""
    return body.model_dump_json(by_alias=True, exclude_none=True).encode()


def encode(
    kind: Kind,
    body: BaseModel,
    *,
    message_id: str,
    sender: str,
    sent_utc_ms: UtcMs,
    delivered: Delivered | None = None,
    signature: str | None = None,
) -> bytes:
    """Pack a body for its topic.

    Raises:
        ValueError: the payload would be above ``PAYLOAD_MAX_BYTES``; make the message smaller.
    """
    envelope = Envelope(
        schema=topics.SPECS[kind].schema,
        id=message_id,
        sender=sender,
        sent_utc_ms=sent_utc_ms,
        delivered=delivered,
        body=body.model_dump(mode="json", by_alias=True, exclude_none=True),
        signature=signature,
    )
    payload = envelope.model_dump_json(by_alias=True, exclude_none=True).encode()
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise ValueError(
            f"{kind} message {message_id} has {len(payload)} bytes; limit {PAYLOAD_MAX_BYTES}"
        )
    return payload


def encode_ack(ack: Ack) -> bytes:
    """Pack an acknowledgement."""
    return ack.model_dump_json(by_alias=True).encode()


def decode(topic: str, payload: bytes) -> Message | Ack | Rejected:
    """Understand a payload that came on ``topic``; never raises on what a peer sent."""
    place: Delivered | None = None

    def refuse(reason: RejectReason, detail: str) -> Rejected:
        return Rejected(reason=reason, topic=topic[:200], detail=detail[:400], delivered=place)

    parsed = topics.parse(topic)
    if parsed is None:
        return refuse(RejectReason.WRONG_TOPIC, "not a topic of ours; see docs/reference/topics.md")
    if parsed.kind is Kind.ACL_PROBE:
        return refuse(RejectReason.WRONG_TOPIC, "nothing travels on the probe of access control")
    if len(payload) > PAYLOAD_MAX_BYTES:
        return refuse(RejectReason.OVERSIZED, f"{len(payload)} bytes; limit {PAYLOAD_MAX_BYTES}")
    try:
        if parsed.kind is Kind.ACK:
            return _ack(parsed, payload)
        envelope = Envelope.model_validate_json(payload)
        place = envelope.delivered if topics.SPECS[parsed.kind].durable else None
        problem = _version_problem(parsed.kind, envelope.schema_id)
        if problem is not None:
            return refuse(*problem)
        return _message(topic, parsed, envelope)
    except ValidationError as error:
        broken = any(row["type"] == "json_invalid" for row in error.errors())
        return refuse(RejectReason.NOT_JSON if broken else RejectReason.INVALID, _first(error))
    except _NotThisTopic as error:
        return refuse(RejectReason.WRONG_TOPIC, str(error))


class _NotThisTopic(Exception):
    """The body speaks of another room, node or stream than its topic."""


def _ack(parsed: ParsedTopic, payload: bytes) -> Ack:
    ack = Ack.model_validate_json(payload)
    if ack.stream != parsed.stream:
        raise _NotThisTopic(f"acknowledges stream {ack.stream} on the topic of {parsed.stream}")
    return ack


def _message(topic: str, parsed: ParsedTopic, envelope: Envelope) -> Message:
    body = _ADAPTERS[parsed.kind].validate_python(envelope.body)
    for name in ("room", "node", "track"):
        level, said = getattr(parsed, name), getattr(body, f"{name}_id", None)
        if level and said is not None and level != said:
            raise _NotThisTopic(f"the body says {name} {said}, the topic says {level}")
    if topics.SPECS[parsed.kind].durable and envelope.delivered is None:
        raise _NotThisTopic("a durable topic needs `delivered` (stream, epoch, seq, floor)")
    return Message(
        topic=parsed,
        id=envelope.id,
        sender=envelope.sender,
        sent_utc_ms=envelope.sent_utc_ms,
        body=body,
        delivered=envelope.delivered,
        signature=envelope.signature,
        signed_bytes=signed_part(topic, envelope.id, body_bytes(body)),
    )


def _version_problem(kind: Kind, schema: str) -> tuple[RejectReason, str] | None:
    name, _, version = schema.partition("/")
    wanted, _, newest = topics.SPECS[kind].schema.partition("/")
    if name != wanted:
        return RejectReason.UNKNOWN_SCHEMA, f"schema {schema}; this topic carries {wanted}/{newest}"
    oldest = _OLDEST_VERSION[wanted]
    if not oldest <= int(version) <= int(newest):
        return RejectReason.UNKNOWN_VERSION, f"schema {schema}; understood: {oldest} to {newest}"
    return None


def _first(error: ValidationError) -> str:
    row = error.errors()[0]
    where = ".".join(str(part) for part in row["loc"]) or "payload"
    return f"{where}: {row['msg']}"
