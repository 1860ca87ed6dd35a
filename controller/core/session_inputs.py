"""Holds the inputs about schedules, rosters, check-ins and sweeps; ``session_steps`` decides."""

from dataclasses import dataclass
from typing import Literal

from contracts.api import SessionBody
from contracts.api.roster import AmendmentBody, CheckInBody, Seat, SweepBody
from contracts.api.sessions import SessionChange
from contracts.units import RoomId, SessionId


@dataclass(frozen=True, slots=True)
class SessionsImported:
    """A whole schedule is planned at once: all of it, or nothing."""

    rows: tuple[tuple[SessionId, SessionBody], ...]
    by: str
    kind: Literal["sessions_imported"] = "sessions_imported"


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A supervisor changes a scheduled session, as it was at ``revision``."""

    session_id: SessionId
    revision: int
    body: SessionChange
    by: str
    kind: Literal["session_changed"] = "session_changed"


@dataclass(frozen=True, slots=True)
class RosterFilled:
    """The roster of a scheduled session, as a whole; names went elsewhere."""

    session_id: SessionId
    revision: int
    seats: tuple[Seat, ...]
    by: str
    kind: Literal["roster_filled"] = "roster_filled"


@dataclass(frozen=True, slots=True)
class AmendmentAsked:
    """Somebody asks for a change of the roster after people have gathered; without the name."""

    session_id: SessionId
    body: AmendmentBody
    by: str
    kind: Literal["amendment_asked"] = "amendment_asked"


@dataclass(frozen=True, slots=True)
class AmendmentDecided:
    """A second person approves or refuses it."""

    session_id: SessionId
    number: int
    approve: bool
    note: str
    by: str
    kind: Literal["amendment_decided"] = "amendment_decided"


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """A door, an ID terminal or a person says who came or went.

    ``session_id``: known already, where a person says it on the session's page.
    """

    event_id: str
    body: CheckInBody
    by: str
    session_id: SessionId | None = None
    kind: Literal["checked_in"] = "checked_in"


@dataclass(frozen=True, slots=True)
class RoomSwept:
    """Somebody looked through a room."""

    room_id: RoomId
    body: SweepBody
    by: str
    kind: Literal["room_swept"] = "room_swept"


RosterInput = (
    SessionsImported
    | SessionChanged
    | RosterFilled
    | AmendmentAsked
    | AmendmentDecided
    | CheckedIn
    | RoomSwept
)
