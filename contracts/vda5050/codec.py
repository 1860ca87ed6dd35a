"""Decides what a robot's or master's payload is: a checked message, or the reason of refusal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationError

from contracts.envelope import PAYLOAD_MAX_BYTES, Rejected, RejectReason
from contracts.vda5050 import dialects
from contracts.vda5050.base import ID_MAX_CHARS, VERSION
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.order import BlockingType, InstantActions, Order
from contracts.vda5050.state import Connection, Reference, State, Visualization
from contracts.vda5050.topics import VdaKind, VehicleAddress, parse
from contracts.vda5050.versions import VdaVersion

VdaBody = Order | InstantActions | State | Visualization | Connection | Factsheet

MODELS: Final[Mapping[VdaKind, type[VdaBody]]] = {
    VdaKind.ORDER: Order,
    VdaKind.INSTANT_ACTIONS: InstantActions,
    VdaKind.STATE: State,
    VdaKind.VISUALIZATION: Visualization,
    VdaKind.CONNECTION: Connection,
    VdaKind.FACTSHEET: Factsheet,
}

KINDS: Final[Mapping[type[VdaBody], VdaKind]] = {model: kind for kind, model in MODELS.items()}

REFERENCE_KEYS: Final = ("headerId", "orderId", "orderUpdateId")


@dataclass(frozen=True, slots=True)
class VdaMessage:
    """A payload that was understood, and the robot that it is from or for."""

    address: VehicleAddress
    kind: VdaKind
    body: VdaBody


def decode_vda(topic: str, payload: bytes) -> VdaMessage | Rejected:
    """Understand a payload that came on ``topic``; never raises on what a peer sent.

    The topic's major version says how to read it. The body has the shape of 2.1.0 whatever was
    sent; its ``version`` is the peer's.
    """

    def refuse(reason: RejectReason, detail: str) -> Rejected:
        return Rejected(reason=reason, topic=topic[:200], detail=detail[:400])

    parsed = parse(topic)
    if parsed is None:
        return refuse(RejectReason.WRONG_TOPIC, "not a topic of VDA 5050")
    if len(payload) > PAYLOAD_MAX_BYTES:
        return refuse(RejectReason.OVERSIZED, f"{len(payload)} bytes; limit {PAYLOAD_MAX_BYTES}")
    address, kind = parsed
    third = address.major == VdaVersion.V3_0.level
    try:
        body = MODELS[kind].model_validate_json(_from_3(kind, payload) if third else payload)
    except ValidationError as error:
        row = error.errors(include_input=False, include_url=False)[0]
        broken = row["type"] == "json_invalid"
        where = ".".join(str(part) for part in row["loc"]) or "payload"
        reason = RejectReason.NOT_JSON if broken else RejectReason.INVALID
        return refuse(reason, f"{where}: {row['msg']}")
    understood = "3" if third else "2"
    if body.version is not None and body.version.split(".")[0] != understood:
        return refuse(
            RejectReason.UNKNOWN_VERSION, f"version {body.version}; understood: {understood}.x"
        )
    said = (body.manufacturer or address.manufacturer, body.serial_number or address.serial)
    if said != (address.manufacturer, address.serial):
        return refuse(RejectReason.WRONG_TOPIC, f"the body says {said[0]}/{said[1]}"[:200])
    if not third and isinstance(body, Order | InstantActions) and _has_single(body):
        return refuse(RejectReason.INVALID, "blockingType: SINGLE is a word of 3.0")
    return VdaMessage(address, kind, body)


def _from_3(kind: VdaKind, payload: bytes) -> bytes:
    """The payload in 2.1.0; itself when it is no JSON object, for the model to refuse."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return payload
    if not isinstance(content, dict):
        return payload
    try:
        return json.dumps(dialects.read(kind, content, VdaVersion.V3_0)).encode()
    except RecursionError:
        return b"nested too deep"


def _has_single(body: Order | InstantActions) -> bool:
    if isinstance(body, InstantActions):
        actions = list(body.actions)
    else:
        actions = [row for node in body.nodes for row in node.actions]
        actions += [row for edge in body.edges for row in edge.actions]
    return any(row.blocking_type is BlockingType.SINGLE for row in actions)


def encode_vda(
    body: VdaBody, *, instant_actions_key: Literal["actions", "instantActions"] = "actions"
) -> bytes:
    """Write a message as JSON in the version that the body names (2.0.0, 2.1.0 or 3.0.0).

    ``instant_actions_key``: some 2.0 robots want ``instantActions``.

    Raises:
        ValueError: the payload would be above ``PAYLOAD_MAX_BYTES``, or the version's major is
            not spoken.
    """
    version = VdaVersion.of(body.version or VERSION)
    if version is None:
        raise ValueError(f"version {body.version} is not spoken; 2.0.0, 2.1.0 and 3.0.0 are")
    kind = KINDS[type(body)]
    content = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    content = dialects.written(kind, content, version)
    if kind is VdaKind.INSTANT_ACTIONS and instant_actions_key != "actions":
        content[instant_actions_key] = content.pop("actions")
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    payload = text.encode()
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise ValueError(
            f"{type(body).__name__} has {len(payload)} bytes; limit {PAYLOAD_MAX_BYTES}"
        )
    return payload


def references_of(payload: bytes) -> tuple[Reference, ...]:
    """What a refused payload says it is (header and order ids), for the error in the state."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        return ()
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(content, dict):
        return ()
    return tuple(
        Reference(reference_key=key, reference_value=str(content[key])[:ID_MAX_CHARS])
        for key in REFERENCE_KEYS
        if isinstance(content.get(key), str | int)
    )
