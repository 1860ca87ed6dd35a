"""Wraps each durable message, so that a receiver can order, de-duplicate and acknowledge it.

A *stream* is one sender's ordered queue towards one kind of receiver. Its sequence numbers start
at 1 in each *epoch*; an epoch is the life of one outbox database. The receiver publishes an
``Ack`` only after its own commit, because an MQTT PUBACK says nothing about storage.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.units import MessageId, UtcMs

StreamId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40})?$")]
EpochId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

PAYLOAD_MAX_BYTES = 65_536
# 64 KiB: what every broker takes, and far above any message of ours; pictures never travel here.

SCHEMA_PATTERN = r"^zeroentry\.[a-z_]+/[1-9][0-9]*$"


class Wire(BaseModel):
    """Base of what comes over MQTT: fields unknown here are kept, for the sender may be newer."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=False)


class Strict(BaseModel):
    """Base of commands, configuration and API bodies: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Delivered(Wire):
    """Where a message stands in its stream.

    ``floor`` is the lowest sequence number that the sender still holds: a receiver that has lost
    its memory starts there instead of waiting for ever for what was acknowledged long ago.
    """

    stream: StreamId
    epoch: EpochId
    seq: int = Field(ge=1)
    floor: int = Field(ge=1)


class Envelope(Wire):
    """One message on the wire; ``schema`` is ``zeroentry.<kind>/<major>`` of the body's model."""

    schema_id: str = Field(alias="schema", pattern=SCHEMA_PATTERN)
    id: MessageId
    sender: str = Field(min_length=1, max_length=64)
    sent_utc_ms: UtcMs
    delivered: Delivered | None = None
    body: dict[str, object]
    signature: str | None = Field(default=None, max_length=128)
    """HMAC-SHA256 in hex over topic and body, on buses that have no access control (demo)."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class Ack(Wire):
    """The receiver's word that everything up to ``seq`` of this epoch is committed on its disk."""

    schema_id: Literal["zeroentry.ack/1"] = Field(default="zeroentry.ack/1", alias="schema")
    stream: StreamId
    epoch: EpochId
    seq: int = Field(ge=0)
    by: str = Field(min_length=1, max_length=64)

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class RejectReason(StrEnum):
    """Why a payload was dropped; the label of the counter ``mqtt_rejected_total``."""

    OVERSIZED = "oversized"
    NOT_JSON = "not_json"
    WRONG_TOPIC = "wrong_topic"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNKNOWN_VERSION = "unknown_version"
    INVALID = "invalid"
    BAD_SIGNATURE = "bad_signature"


class Rejected(BaseModel):
    """A payload not understood: what was wrong, where in it, and on which topic it came.

    ``delivered`` is set when the envelope on a durable topic could be read and its body could not:
    the receiver then counts the refusal and acknowledges it, or this one message would hold up
    its stream for ever.
    """

    model_config = ConfigDict(frozen=True)

    reason: RejectReason
    topic: str
    detail: str
    delivered: Delivered | None = None
