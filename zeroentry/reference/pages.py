"""Makes the readable pages of topics and messages."""

from typing import Final

from contracts import topics
from contracts.envelope import Envelope, RejectReason
from contracts.vda5050 import topics as vda_topics
from contracts.vda5050.base import VERSION as VDA_VERSION
from contracts.vda5050.codec import MODELS
from zeroentry.reference.asyncapi import LEVELS
from zeroentry.reference.schemas import BODIES, PLACE, Schema, all_schemas, schema_name
from zeroentry.reference.tables import NOTE, table

YES_NO: Final = {True: "yes", False: "no"}

LIMITS: Final = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "`{}`",
    "format": "{}",
}


def topics_page() -> str:
    """Every topic with QoS, retain, sender and message."""
    lines = [NOTE, "", "# MQTT topics", ""]
    lines += [
        "The site's bus is MQTT 5. In AsyncAPI 3: [asyncapi.yaml](asyncapi.yaml); what messages",
        "hold: [messages.md](messages.md). *Durable* ones go by an outbox: first on disk,",
        "then repeated in order until the receiver acknowledges them after its own commit.",
        "",
        "## Ours",
        "",
    ]
    lines += table(
        ("topic", "message", "sender", "QoS", "retained", "durable", "what for"),
        [
            (
                f"`{spec.pattern}`",
                ", ".join(_link(schema_name(model)) for model in BODIES[kind]) or "none",
                spec.sender,
                str(spec.qos),
                YES_NO[spec.retain],
                YES_NO[spec.durable],
                spec.purpose,
            )
            for kind, spec in topics.SPECS.items()
        ],
    )
    lines += ["", f"## Robots: VDA 5050 {VDA_VERSION}", ""]
    lines += table(
        ("topic", "message", "sender", "QoS", "retained", "what for"),
        [
            (
                f"`{{prefix}}/{{major}}/{{manufacturer}}/{{serial}}/{spec.kind}`",
                _link(schema_name(MODELS[spec.kind], vda=True)),
                spec.sender,
                str(spec.qos),
                YES_NO[spec.retain],
                spec.purpose,
            )
            for spec in vda_topics.SPECS.values()
        ],
    )
    lines += ["", "## Levels", ""]
    lines += table(("level", "meaning"), [(f"`{{{k}}}`", text) for k, text in LEVELS.items()])
    lines += ["", "## Why a payload is dropped", ""]
    lines += [
        "Counted in `mqtt_rejected_total` by reason, logged once a period, then forgotten:",
        ", ".join(f"`{reason}`" for reason in RejectReason) + ".",
    ]
    return "\n".join(lines) + "\n"


def messages_page() -> str:
    """Every message and every object in it, field by field."""
    schemas = all_schemas()
    lines = [NOTE, "", "# Messages", ""]
    lines += [
        "A message of ours travels as the `body` of an [Envelope](#envelope); an [Ack](#ack) and",
        "the robots' messages travel as they are. An unknown field is kept, except in commands.",
        "",
    ]
    first = [schema_name(Envelope)]
    first += [schema_name(model) for models in BODIES.values() for model in models]
    robots = [schema_name(model, vda=True) for model in MODELS.values()]
    rest = [name for name in schemas if name not in first and name not in robots]
    for title, names in (
        ("Ours", first),
        (f"Robots: VDA 5050 {VDA_VERSION}", robots),
        ("Parts", rest),
    ):
        lines += [f"## {title}", ""]
        for name in dict.fromkeys(names):
            lines += _message(name, schemas[name])
    return "\n".join(lines).rstrip() + "\n"


def _message(name: str, schema: Schema) -> list[str]:
    lines = [f"### {name}", ""]
    if schema.get("description"):
        lines += [schema["description"].replace("``", "`"), ""]
    if "enum" in schema:
        return [*lines, "One of: " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".", ""]
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{field}`",
            _type(below),
            YES_NO[field in required],
            _limits(below),
            str(below.get("description", "")).replace("``", "`"),
        )
        for field, below in schema.get("properties", {}).items()
    ]
    if rows:
        lines += [*table(("field", "type", "must be there", "limits", "meaning"), rows), ""]
    return lines


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return _link(str(schema["$ref"]).removeprefix(PLACE))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_type(below) for below in schema[key])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _limits(schema: Schema) -> str:
    found = [text.format(schema[key]) for key, text in LIMITS.items() if key in schema]
    for below in schema.get("anyOf", ()):
        found += [text for text in (_limits(below),) if text]
    if "items" in schema and "$ref" not in schema["items"]:
        found += [f"each {text}" for text in (_limits(schema["items"]),) if text]
    if schema.get("default") is not None and schema["default"] not in ([], {}, ""):
        found.append(f"default `{schema['default']}`")
    return ", ".join(found)


def _link(name: str) -> str:
    return f"[{name}](messages.md#{name.lower()})"
