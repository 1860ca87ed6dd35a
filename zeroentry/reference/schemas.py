"""Holds the JSON schemas of all messages under one set of names, as AsyncAPI and pages use them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.commands import Keep, Release, Seal
from contracts.envelope import Ack, Envelope
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
from contracts.topics import Kind
from contracts.vda5050.codec import MODELS

Schema = dict[str, Any]
"""JSON schema as JSON holds it: its shape is the specification's, not ours."""

BODIES: Final[Mapping[Kind, tuple[type[BaseModel], ...]]] = {
    Kind.OBSERVATION: (RoomObservation,),
    Kind.ALERT: (Alert,),
    Kind.ENTRY: (EntryAppended,),
    Kind.CHECKPOINT: (CheckpointTaken,),
    Kind.WITNESS: (WitnessGiven,),
    Kind.ACCESS: (AccessEvent,),
    Kind.APPLIED: (SealApplied,),
    Kind.VOICE: (VoiceTold,),
    Kind.HEALTH: (NodeHealth,),
    Kind.COMMAND: (Seal, Release, Keep),
    Kind.ACK: (Ack,),
    Kind.ACL_PROBE: (),
}
"""What travels in the envelope of each topic; an Ack travels without one."""

VDA_PREFIX: Final = "Vda"
# Both worlds have names such as Condition or State; the robots' carry this before them.

PLACE: Final = "#/components/schemas/"


def schema_name(model: type[BaseModel], *, vda: bool = False) -> str:
    """The name of a model's schema in the document."""
    return f"{VDA_PREFIX if vda else ''}{model.__name__}"


def all_schemas() -> dict[str, Schema]:
    """Every schema by name, sorted; references among them point into ``components/schemas``."""
    ours: list[type[BaseModel]] = [Envelope]
    ours += [model for models in BODIES.values() for model in models]
    found = _of(ours, prefix="")
    found |= _of(list(MODELS.values()), prefix=VDA_PREFIX)
    return dict(sorted(found.items()))


def _of(models: Sequence[type[BaseModel]], *, prefix: str) -> dict[str, Schema]:
    pairs = [(model, "validation") for model in dict.fromkeys(models)]
    _, document = models_json_schema(
        pairs,  # type: ignore[arg-type]  # a list of pairs is invariant in its literal
        by_alias=True,
        ref_template=f"{PLACE}{prefix}{{model}}",
    )
    return {f"{prefix}{name}": _plain(schema) for name, schema in document["$defs"].items()}


def _plain(value: Any) -> Any:  # noqa: ANN401  # JSON in, JSON out
    """Without the titles that pydantic makes from names, and with one line for each text."""
    if isinstance(value, dict):
        return {
            key: _plain(below)
            for key, below in value.items()
            if not (key == "title" and isinstance(below, str))
        }
    if isinstance(value, list):
        return [_plain(below) for below in value]
    return " ".join(value.split()) if isinstance(value, str) and "\n" in value else value
