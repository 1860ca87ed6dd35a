"""Holds what people do to a sealed room from outside, and the inputs that change it.

Each is an act with a begin, an end and a name. Acts that are over stay as they are: what happened
stands in the record of the session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from contracts.api import Sentence
from contracts.api.outside import (
    CallReason,
    EntryApproval,
    EntryBody,
    EntryKind,
    EntryState,
    TextBody,
    TextTemplate,
)
from contracts.observations import VoiceTold
from contracts.units import MonoMs, RoomId, SessionId, Sha256Hex, UtcMs

CALL_UNANSWERED_MS: Final = 45_000
# A person at a console answers within half a minute; after this the call rings again and alarms.
CALL_REPEATS_MAX: Final = 40  # half an hour of ringing; the alert stands all the same
TALK_BEGIN_MS: Final = 30_000  # a browser asks its user for the microphone first
TALK_LIMIT_MS: Final = 120_000
# One talk: instructions are short, and a forgotten button must not keep a room's only channel.
TALK_SILENT_MS: Final = 30_000  # past the limit: a node that is up has told the end by now
ENTRY_ASKED_MS: Final = 600_000  # an emergency that waits ten minutes for approval is asked anew
LISTEN_LEASE_MS: Final = 20_000
# A ticket renewed every few seconds: log-out or a lost right ends the sound within this.


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody in a room called. ``since_mono_ms``: when it rang last."""

    id: str
    room_id: RoomId
    session_id: SessionId | None
    reason: CallReason
    raised_by: str
    raised_utc_ms: UtcMs
    since_mono_ms: MonoMs
    repeats: int = 0
    answered_by: str | None = None
    answered_utc_ms: UtcMs | None = None
    ended_by: str | None = None
    ended_utc_ms: UtcMs | None = None
    kind: Literal["call"] = "call"

    @property
    def ended(self) -> bool:
        return self.ended_utc_ms is not None

    @property
    def waits(self) -> bool:
        """Nobody has answered it yet."""
        return self.answered_utc_ms is None and not self.ended


@dataclass(frozen=True, slots=True)
class Text:
    """Words for a room's tablet. It ends when they are read, or when their session is over."""

    id: str
    room_id: RoomId
    session_id: SessionId | None
    text: Sentence
    template: TextTemplate | None
    sent_by: str
    sent_utc_ms: UtcMs
    call_id: str | None = None
    read_utc_ms: UtcMs | None = None
    ended_utc_ms: UtcMs | None = None
    kind: Literal["text"] = "text"

    @property
    def ended(self) -> bool:
        return self.ended_utc_ms is not None


@dataclass(frozen=True, slots=True)
class Talk:
    """A person talks into a room. ``since_mono_ms``: when it was asked for, or began."""

    id: str
    room_id: RoomId
    session_id: SessionId | None
    camera_id: str
    by: str
    asked_utc_ms: UtcMs
    since_mono_ms: MonoMs
    call_id: str | None = None
    began_utc_ms: UtcMs | None = None
    ended_utc_ms: UtcMs | None = None
    sha256: Sha256Hex | None = None
    duration_ms: int | None = None
    failed: str | None = None
    kind: Literal["talk"] = "talk"

    @property
    def ended(self) -> bool:
        return self.ended_utc_ms is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """An emergency entry. Its limit is wall time: people are told it, and it outlives a restart."""

    id: str
    room_id: RoomId
    session_id: SessionId
    entry_kind: EntryKind
    reason: str
    minutes: int
    persons: int
    asked_by: str
    asked_utc_ms: UtcMs
    since_mono_ms: MonoMs
    state: EntryState = EntryState.ASKED
    approvals: tuple[EntryApproval, ...] = ()
    began_utc_ms: UtcMs | None = None
    until_utc_ms: UtcMs | None = None
    overdue: bool = False
    ended_by: str | None = None
    ended_utc_ms: UtcMs | None = None
    alerts: int = 0
    kind: Literal["entry"] = "entry"

    @property
    def ended(self) -> bool:
        return self.state not in {EntryState.ASKED, EntryState.OPEN}

    @property
    def permits(self) -> bool:
        """Whether people are expected to go in now."""
        return self.state is EntryState.OPEN and not self.overdue


@dataclass(frozen=True, slots=True)
class Listening:
    """A person hears a room."""

    id: str
    room_id: RoomId
    session_id: SessionId | None
    source_id: str
    by: str
    began_utc_ms: UtcMs
    ended_utc_ms: UtcMs | None = None
    why: str | None = None
    kind: Literal["listening"] = "listening"

    @property
    def ended(self) -> bool:
        return self.ended_utc_ms is not None


OutsideAct = Call | Text | Talk | Entry | Listening


def revived(rows: Mapping[str, OutsideAct], mono_ms: MonoMs) -> Mapping[str, OutsideAct]:
    """The acts after a start on another boot: monotonic times begin anew."""
    return {
        key: replace(row, since_mono_ms=mono_ms) if isinstance(row, Call | Talk | Entry) else row
        for key, row in rows.items()
    }


@dataclass(frozen=True, slots=True)
class CallRaised:
    """Somebody in a room calls the supervisor."""

    call_id: str
    room_id: RoomId
    reason: CallReason
    by: str
    kind: Literal["call_raised"] = "call_raised"


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A person outside sees to a call."""

    call_id: str
    by: str
    kind: Literal["call_answered"] = "call_answered"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is settled, or was withdrawn in the room."""

    call_id: str
    by: str
    kind: Literal["call_ended"] = "call_ended"


@dataclass(frozen=True, slots=True)
class TextSent:
    """A person outside writes to a room's tablet."""

    text_id: str
    room_id: RoomId
    body: TextBody
    by: str
    kind: Literal["text_sent"] = "text_sent"


@dataclass(frozen=True, slots=True)
class TextRead:
    """Somebody in the room has pressed "read"."""

    text_id: str
    by: str
    kind: Literal["text_read"] = "text_read"


@dataclass(frozen=True, slots=True)
class TalkAsked:
    """A person outside wants to talk into a room."""

    talk_id: str
    room_id: RoomId
    camera_id: str
    call_id: str | None
    by: str
    kind: Literal["talk_asked"] = "talk_asked"


@dataclass(frozen=True, slots=True)
class VoiceCame:
    """A node tells of a talk or a listening: begin or end."""

    told: VoiceTold
    kind: Literal["voice_came"] = "voice_came"


@dataclass(frozen=True, slots=True)
class EntryAsked:
    """A person asks for an emergency entry."""

    entry_id: str
    room_id: RoomId
    body: EntryBody
    by: str
    kind: Literal["entry_asked"] = "entry_asked"


@dataclass(frozen=True, slots=True)
class EntryJudged:
    """An approver approves or refuses an entry."""

    entry_id: str
    approves: bool
    by: str
    kind: Literal["entry_judged"] = "entry_judged"


@dataclass(frozen=True, slots=True)
class EntryEnded:
    """Everybody who entered is out again."""

    entry_id: str
    by: str
    kind: Literal["entry_ended"] = "entry_ended"


@dataclass(frozen=True, slots=True)
class ListenAsked:
    """A person wants to hear a room."""

    listening_id: str
    room_id: RoomId
    source_id: str
    by: str
    kind: Literal["listen_asked"] = "listen_asked"


@dataclass(frozen=True, slots=True)
class ListenRenewed:
    """A person still hears a room, and still may."""

    listening_id: str
    by: str
    kind: Literal["listen_renewed"] = "listen_renewed"


@dataclass(frozen=True, slots=True)
class ListenStopped:
    """A person has stopped hearing a room, or may no longer."""

    listening_id: str
    by: str
    why: str = "stopped"
    kind: Literal["listen_stopped"] = "listen_stopped"


OutsideInput = (
    CallRaised
    | CallAnswered
    | CallEnded
    | TextSent
    | TextRead
    | TalkAsked
    | VoiceCame
    | EntryAsked
    | EntryJudged
    | EntryEnded
    | ListenAsked
    | ListenRenewed
    | ListenStopped
)
