"""Holds the record of a session: what happened, who did it, line by line, never changed."""

from enum import StrEnum

from pydantic import Field

from contracts.api.base import Sentence
from contracts.envelope import Strict
from contracts.units import RoomId, SessionId, UtcMs


class RecordKind(StrEnum):
    """What a line is about. A report groups by it; a timeline draws a sign for it."""

    STATE = "state"
    """The session moved on, or was refused to."""
    SEAL_CHECK = "seal_check"
    """What was checked before a seal, and how it came out."""
    OVERRIDE = "override"
    """Somebody went on although a check had failed; the reason is in the text."""
    AMENDMENT = "amendment"
    """The roster, the admission or the settings were changed, with who approved it."""
    CHECK_IN = "check_in"
    SWEEP = "sweep"
    HANDLING = "handling"
    """What people did about an alert."""
    CALL = "call"
    """An expert called for the supervisor, or the call was answered."""
    TEXT = "text"
    """A text to the room's tablet."""
    TALK = "talk"
    """Two-way talk into the room."""
    LISTENING = "listening"
    ENTRY = "entry"
    """Emergency entry: asked, approved, begun, ended."""
    BREAK_GLASS = "break_glass"
    RETRIEVAL = "retrieval"
    REPORT = "report"
    DELIVERY = "delivery"
    """An order, its approval, change, release by two, or what a person did to its robot."""
    SITE = "site"
    """What another site of a remote evaluation did or confirmed."""
    NOTE = "note"


class RecordLine(Strict):
    """One line. ``number`` rises over the whole controller, so a page begins behind one.

    ``by``: the account, or the machine that said it. ``subject``: id of the alert, retrieval,
    call and so on that it is about. ``data``: what a program may read beside the sentence.
    """

    number: int
    session_id: SessionId | None = None
    room_id: RoomId
    utc_ms: UtcMs
    kind: RecordKind
    by: str = Field(max_length=80)
    text: Sentence
    subject: str = Field(default="", max_length=80)
    data: dict[str, str] = Field(default_factory=dict)


class RecordPage(Strict):
    """Oldest first; ``next_after`` asks for what follows this page."""

    items: tuple[RecordLine, ...]
    next_after: int | None = None
