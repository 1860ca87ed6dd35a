"""Decides what a seal froze in a room, what of it differs by now, and what the chains must say.

A room is closed while a session is sealed in it, and while the people of a session sealed
elsewhere pass through it: the seal covers an area, not a room.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from contracts.devices import Site
from contracts.envelope import Strict
from contracts.units import CameraId, MessageId, RoomId, RuleCode, SessionId, Sha256Hex
from contracts.zones import PictureZone
from edge.core.recording import NoteTracks, Request
from edge.core.room import IdSource
from edge.core.rule_settings import RuleSettings
from edge.core.state import RoomState

RULES: Final = "rules"
ZONES: Final = "zones"
DEVICES: Final = "devices"

NAME_MAX_CHARS: Final = 64  # as a token's name; two of them, a hash and a few words fit 200
BY_NODE: Final = "node start"
"""Who is named where nobody asked: the files of the site or of the node were others at a start."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who changes something, and who stood by; ``second`` None: nothing closed was touched."""

    by: str
    second: str | None = None

    def __str__(self) -> str:
        return self.by if self.second is None else f"{self.by} + {self.second}"


class Frozen(Strict):
    """What was in force as a room was closed, by hash, and what the chains were told since."""

    room_id: RoomId
    session_id: SessionId | None = None
    """The session sealed in the room; None: people of others pass through it."""
    hashes: dict[str, Sha256Hex] = Field(max_length=8)
    told: dict[str, Sha256Hex] = Field(max_length=8)


def text_of(document: object) -> str:
    """A JSON document in its one canonical form: sorted keys, no spaces, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_of_text(text: str) -> Sha256Hex:
    """SHA-256 of a document's canonical form."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def devices_document(site: Site, room_id: RoomId) -> dict[str, Any]:
    """What the site declares of an area's devices: what a seal freezes of them.

    Without the zones on a camera's picture: they may be drawn since, and have a hash of their own.
    """
    return {
        "area": site.area(room_id).model_dump(mode="json"),
        "cameras": [
            one.model_dump(mode="json", exclude={"zones"}) for one in site.cameras_of(room_id)
        ],
        "pickups": [one.model_dump(mode="json") for one in site.pickups if one.area == room_id],
    }


def rules_document(rules: Mapping[RuleCode, RuleSettings]) -> dict[str, Any]:
    """How every rule is set, as a seal freezes it."""
    return {
        code: {
            "mode": one.mode.value,
            "severity": one.severity.value,
            "risk_code": one.risk_code,
            "parameters": dict(one.numbers),
        }
        for code, one in rules.items()
    }


def zones_document(zones: Mapping[CameraId, tuple[PictureZone, ...]]) -> dict[str, Any]:
    """What is drawn on the cameras' pictures, as a seal freezes it."""
    return {
        camera_id: [one.model_dump(mode="json") for one in sorted(drawn, key=lambda one: one.id)]
        for camera_id, drawn in zones.items()
        if drawn
    }


def texts_of(
    devices: str,
    rules: Mapping[RuleCode, RuleSettings],
    zones: Mapping[CameraId, tuple[PictureZone, ...]],
) -> dict[str, str]:
    """What a seal freezes on this node, by name, each in its canonical form."""
    return {
        RULES: text_of(rules_document(rules)),
        ZONES: text_of(zones_document(zones)),
        DEVICES: devices,
    }


def frozen_of(texts: Mapping[str, str]) -> dict[str, Sha256Hex]:
    """The hashes of what a seal freezes, by name."""
    return {name: hash_of_text(text) for name, text in texts.items()}


def frozen_after(
    before: Frozen | None, state: RoomState, hashes: Callable[[], Mapping[str, Sha256Hex]]
) -> Frozen | None:
    """What is frozen in a room of this state; None: it is open.

    An amendment of the same session thaws nothing: what it was sealed with stays the measure.
    ``hashes`` is called only where something new is frozen.
    """
    if not state.closed:
        return None
    session_id = state.sealed.session_id if state.sealed is not None else None
    if before is not None and before.session_id == session_id:
        return before
    now = dict(hashes())
    return Frozen(room_id=state.setup.room_id, session_id=session_id, hashes=now, told=now)


def drifted(frozen: Frozen | None, hashes: Mapping[str, Sha256Hex]) -> tuple[str, ...]:
    """The names of what differs from what was frozen."""
    if frozen is None:
        return ()
    return tuple(name for name, was in frozen.hashes.items() if hashes.get(name) != was)


def untold(
    frozen: Frozen | None,
    hashes: Mapping[str, Sha256Hex],
    consent: Consent | None,
    new_id: IdSource,
) -> tuple[Request, ...]:
    """What the chains of the room's tracks must still be told: one entry for each thing changed."""
    if frozen is None:
        return ()
    by = str(consent) if consent is not None else BY_NODE
    return tuple(
        Request(
            id=MessageId(new_id()),
            body=NoteTracks(
                room_id=frozen.room_id,
                what=name,
                before=was,
                after=f"{hashes[name]} {by}",
            ),
        )
        for name, was in frozen.told.items()
        if name in hashes and hashes[name] != was
    )
