"""Makes the AsyncAPI 3.0 document of everything that travels over MQTT."""

from typing import Any, Final

from pydantic import BaseModel

from contracts import topics
from contracts.envelope import Envelope
from contracts.topics import Kind, TopicSpec
from contracts.vda5050 import topics as vda_topics
from contracts.vda5050.base import VERSION as VDA_VERSION
from contracts.vda5050.codec import MODELS
from contracts.vda5050.topics import VdaTopicSpec
from zeroentry.reference.schemas import BODIES, PLACE, Schema, all_schemas, schema_name

ASYNCAPI_VERSION: Final = "3.0.0"
VERSION: Final = "1.0.0"
# Of the interface, not of a release: its first number is that of the topics (zeroentry/v1).
MQTT_BINDING_VERSION: Final = "0.2.0"

LEVELS: Final = {
    "site": "The site's id.",
    "partition": "00 to 63: the first byte of SHA-256 over the room's id, modulo 64.",
    "room": "The room's id.",
    "node": "The edge node's id.",
    "track": "The camera or pickup that a chain records.",
    "stream": "A sender's stream: NODE, or NODE.cmd for the controller's commands to it.",
    "prefix": "The interface's name, `uagv` by the standard.",
    "major": "The protocol's major version, `v2`.",
    "manufacturer": "The robot's maker.",
    "serial": "The robot's serial number.",
}

DESCRIPTION: Final = (
    "Every message between edge nodes, controller and robots of a site. Generated from contracts/ "
    "by `python -m zeroentry.reference`; do not edit. A receiver keeps fields that it does not "
    "know, refuses an unknown major version, and takes at most 64 KiB. Durable messages are "
    "repeated until their receiver acknowledges them after its own commit: a PUBACK says nothing "
    "about storage."
)


def document() -> Schema:
    """The whole document as JSON values."""
    channels: Schema = {}
    operations: Schema = {}
    messages: Schema = {}
    for kind, spec in topics.SPECS.items():
        _ours(kind, spec, channels, operations, messages)
    for vda_spec in vda_topics.SPECS.values():
        _robots(vda_spec, channels, operations, messages)
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Zero Entry over MQTT 5",
            "version": VERSION,
            "description": DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "{broker}",
                "protocol": "mqtts",
                "protocolVersion": "5",
                "description": "The site's broker; deploy/mosquitto says who may write what.",
                "variables": {"broker": {"default": "localhost:8883"}},
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": all_schemas()},
    }


def _ours(
    kind: Kind, spec: TopicSpec, channels: Schema, operations: Schema, messages: Schema
) -> None:
    names: list[str] = []
    for model in BODIES[kind]:
        names.append(schema_name(model))
        messages[names[-1]] = {
            "name": names[-1],
            "title": spec.schema,
            "summary": _summary(model),
            "payload": _payload(kind, spec, model),
        }
    name = str(kind)
    channels[name] = _channel(spec.pattern, spec.purpose, names)
    if names:
        operations[f"send-{name}"] = _operation(
            name, names, spec.sender, qos=spec.qos, retain=spec.retain, durable=spec.durable
        )


def _robots(spec: VdaTopicSpec, channels: Schema, operations: Schema, messages: Schema) -> None:
    model = MODELS[spec.kind]
    name = schema_name(model, vda=True)
    messages[name] = {
        "name": name,
        "title": f"VDA 5050 {VDA_VERSION} {spec.kind}",
        "summary": _summary(model),
        "payload": {"$ref": f"{PLACE}{name}"},
    }
    channel = f"vda5050-{spec.kind}"
    address = f"{{prefix}}/{{major}}/{{manufacturer}}/{{serial}}/{spec.kind}"
    channels[channel] = _channel(address, spec.purpose, [name])
    operations[f"send-{channel}"] = _operation(
        channel, [name], spec.sender, qos=spec.qos, retain=spec.retain, durable=False
    )


def _channel(address: str, purpose: str, names: list[str]) -> Schema:
    levels = [name for name in LEVELS if f"{{{name}}}" in address]
    return {
        "address": address,
        "description": purpose,
        "parameters": {name: {"description": LEVELS[name]} for name in levels},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(
    channel: str, names: list[str], sender: str, *, qos: int, retain: bool, durable: bool
) -> Schema:
    how = "Goes by the sender's outbox: on disk first, repeated until acknowledged." * durable
    return {
        "action": "send",
        "title": f"Sent by: {sender}",
        **({"description": how} if how else {}),
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
        "bindings": {
            "mqtt": {"qos": qos, "retain": retain, "bindingVersion": MQTT_BINDING_VERSION}
        },
    }


def _payload(kind: Kind, spec: TopicSpec, model: type[BaseModel]) -> Schema:
    body: Schema = {"$ref": f"{PLACE}{schema_name(model)}"}
    if kind is Kind.ACK:
        return body
    inside: dict[str, Any] = {"schema": {"const": spec.schema}, "body": body}
    required = ["delivered"] if spec.durable else []
    return {
        "allOf": [
            {"$ref": f"{PLACE}{schema_name(Envelope)}"},
            {"type": "object", "properties": inside, "required": ["schema", "body", *required]},
        ]
    }


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("    ", "")
