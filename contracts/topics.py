"""Every MQTT topic of ours: how it is built and read, its QoS, whether retained, what it carries.

Topics of robots are VDA 5050's own and live in contracts.vda5050.topics.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.units import ID_PATTERN, NodeId, RoomId, SiteId

ROOT: Final = "zeroentry/v1"

PARTITIONS: Final = 64
# A room's messages stay in one partition, so that one controller sees them in order; 64 is more
# controllers than a site will ever have, and few enough to subscribe to one by one.


class Kind(StrEnum):
    """What a topic of ours carries; the value is the last level of the topic."""

    OBSERVATION = "observation"
    ALERT = "alert"
    ENTRY = "entry"
    ACCESS = "access"
    APPLIED = "applied"
    VOICE = "voice"
    HEALTH = "health"
    CHECKPOINT = "checkpoint"
    WITNESS = "witness"
    COMMAND = "command"
    ACK = "ack"
    ACL_PROBE = "acl-probe"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One family of topics. ``pattern`` has levels in braces; ``durable`` ones go by an outbox."""

    kind: Kind
    pattern: str
    schema: str
    qos: int
    retain: bool
    durable: bool
    sender: str
    purpose: str


SPECS: Final[Mapping[Kind, TopicSpec]] = {
    spec.kind: spec
    for spec in (
        TopicSpec(
            Kind.OBSERVATION,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/observation",
            "zeroentry.observation/1",
            qos=0,
            retain=False,
            durable=False,
            sender="edge",
            purpose="What is perceived in a room now; newest wins.",
        ),
        TopicSpec(
            Kind.ALERT,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/alert",
            "zeroentry.alert/1",
            qos=1,
            retain=False,
            durable=True,
            sender="edge",
            purpose="An alert begins or clears.",
        ),
        TopicSpec(
            Kind.ENTRY,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/entry",
            "zeroentry.entry/1",
            qos=1,
            retain=False,
            durable=True,
            sender="edge",
            purpose="An entry was appended to a track's hash chain; the entry itself.",
        ),
        TopicSpec(
            Kind.ACCESS,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/access",
            "zeroentry.access/1",
            qos=1,
            retain=False,
            durable=True,
            sender="edge",
            purpose="A door or an ID terminal reports an event.",
        ),
        TopicSpec(
            Kind.APPLIED,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/applied",
            "zeroentry.applied/1",
            qos=1,
            retain=False,
            durable=True,
            sender="edge",
            purpose="A node says which seal it now enforces.",
        ),
        TopicSpec(
            Kind.VOICE,
            f"{ROOT}/{{site}}/p/{{partition}}/{{room}}/voice",
            "zeroentry.voice/1",
            qos=1,
            retain=False,
            durable=True,
            sender="edge",
            purpose="Somebody talks into a room or hears it; begin and end.",
        ),
        TopicSpec(
            Kind.HEALTH,
            f"{ROOT}/{{site}}/node/{{node}}/health",
            "zeroentry.health/1",
            qos=1,
            retain=True,
            durable=False,
            sender="edge",
            purpose="A node's word on itself, every few seconds; its last will says lost.",
        ),
        TopicSpec(
            Kind.CHECKPOINT,
            f"{ROOT}/{{site}}/node/{{node}}/checkpoint/{{track}}",
            "zeroentry.checkpoint/1",
            qos=1,
            retain=False,
            durable=False,
            sender="edge",
            purpose="How far the file being written has come, signed, every 10 s; newest wins.",
        ),
        TopicSpec(
            Kind.WITNESS,
            f"{ROOT}/{{site}}/node/{{node}}/witness/{{track}}",
            "zeroentry.witness/1",
            qos=1,
            retain=True,
            durable=False,
            sender="controller",
            purpose="The newest head of a track's chain, countersigned.",
        ),
        TopicSpec(
            Kind.COMMAND,
            f"{ROOT}/{{site}}/node/{{node}}/command",
            "zeroentry.command/1",
            qos=1,
            retain=False,
            durable=True,
            sender="controller",
            purpose="The controller orders a node: seal, release, keep.",
        ),
        TopicSpec(
            Kind.ACK,
            f"{ROOT}/{{site}}/ack/{{stream}}",
            "zeroentry.ack/1",
            qos=1,
            retain=True,
            durable=False,
            sender="receiver of the stream",
            purpose="Everything up to this sequence number is committed on the receiver's disk.",
        ),
        TopicSpec(
            Kind.ACL_PROBE,
            f"{ROOT}/{{site}}/acl-probe/{{node}}",
            "zeroentry.acl_probe/1",
            qos=1,
            retain=False,
            durable=False,
            sender="nobody",
            purpose="No account may write it: a broker that takes it has no access control.",
        ),
    )
}

_LEVEL = r"[A-Za-z0-9._-]{1,81}"
_ID: Final = re.compile(ID_PATTERN)


def _matcher(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    names = dict.fromkeys(("site", "room", "node", "track"), ID_PATTERN[1:-1])
    text = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part}>{names.get(part, _LEVEL)})"
        for index, part in enumerate(parts)
    )
    return re.compile(text)


_MATCHERS: Final = {kind: _matcher(spec.pattern) for kind, spec in SPECS.items()}


def partition_of(room: RoomId) -> int:
    """The partition (0..63) that a room's ordered messages travel in; stable over versions."""
    return hashlib.sha256(room.encode()).digest()[0] % PARTITIONS


def _build(kind: Kind, **levels: str) -> str:
    for name, value in levels.items():
        if name != "stream" and not _ID.fullmatch(value):
            raise ValueError(
                f"{name} {value!r} cannot be a topic level: it must match {ID_PATTERN}"
            )
    return SPECS[kind].pattern.format(**levels)


def room_topic(kind: Kind, site: SiteId, room: RoomId) -> str:
    """The topic of ``kind`` (observation, alert, entry, access, applied, voice) for one room."""
    text = SPECS[kind].pattern.replace("{partition}", f"{partition_of(room):02d}")
    if "{room}" not in text:
        raise ValueError(f"{kind} is not a topic of a room")
    if not (_ID.fullmatch(site) and _ID.fullmatch(room)):
        raise ValueError(f"site {site!r} and room {room!r} must match {ID_PATTERN}")
    return text.format(site=site, room=room)


def health_topic(site: SiteId, node: NodeId) -> str:
    """Where a node says how it fares (retained)."""
    return _build(Kind.HEALTH, site=site, node=node)


def checkpoint_topic(site: SiteId, node: NodeId, track: str) -> str:
    """Where a node says how far the file being written has come."""
    return _build(Kind.CHECKPOINT, site=site, node=node, track=track)


def checkpoint_filter(site: SiteId) -> str:
    """Subscription for the checkpoints of all nodes of a site."""
    return SPECS[Kind.CHECKPOINT].pattern.format(site=site, node="+", track="+")


def witness_topic(site: SiteId, node: NodeId, track: str) -> str:
    """Where the controller countersigns the head of a track's chain (retained)."""
    return _build(Kind.WITNESS, site=site, node=node, track=track)


def witness_filter(site: SiteId, node: NodeId) -> str:
    """Subscription for the countersignatures of all tracks of a node."""
    return SPECS[Kind.WITNESS].pattern.format(site=site, node=node, track="+")


def command_topic(site: SiteId, node: NodeId) -> str:
    """Where the controller orders a node."""
    return _build(Kind.COMMAND, site=site, node=node)


def ack_topic(site: SiteId, stream: str) -> str:
    """Where the receiver of a stream acknowledges what it has committed (retained)."""
    return _build(Kind.ACK, site=site, stream=stream)


def acl_probe_topic(site: SiteId, node: NodeId) -> str:
    """The topic that every sound broker refuses."""
    return _build(Kind.ACL_PROBE, site=site, node=node)


def room_filter(kind: Kind, site: SiteId, partition: int | None = None) -> str:
    """Subscription for all rooms of a site, or of one partition."""
    level = "+" if partition is None else f"{partition:02d}"
    return SPECS[kind].pattern.format(site=site, partition=level, room="+")


def health_filter(site: SiteId) -> str:
    """Subscription for the health of all nodes of a site."""
    return SPECS[Kind.HEALTH].pattern.format(site=site, node="+")


def command_stream(node: NodeId) -> str:
    """The stream of the controller's commands to one node."""
    return f"{node}.cmd"


@dataclass(frozen=True, slots=True)
class ParsedTopic:
    """A topic of ours taken apart; levels that its family lacks are empty."""

    kind: Kind
    site: str
    room: str = ""
    node: str = ""
    track: str = ""
    stream: str = ""


def parse(topic: str) -> ParsedTopic | None:
    """Take a topic apart; None when it is not one of ours, or its partition is not its room's."""
    for kind, matcher in _MATCHERS.items():
        found = matcher.fullmatch(topic)
        if not found:
            continue
        levels = found.groupdict()
        partition = levels.pop("partition", None)
        if partition is not None and partition != f"{partition_of(levels['room']):02d}":
            return None
        return ParsedTopic(kind=kind, **levels)
    return None
