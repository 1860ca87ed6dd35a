"""Holds what search finds, the timeline of a room, and where its recordings are played."""

from enum import StrEnum

from pydantic import Field

from contracts.api.alerts import Disposition, Handling
from contracts.api.base import Sentence
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.observations import Severity
from contracts.units import CameraId, RoomId, SessionId, UtcMs

QUERY_MAX_CHARS = 100  # longer is a text, not a search
TIMELINE_MAX_MS = 2 * 86_400_000  # a session over midnight; more is a matter of the search
MARKS_MAX = 500  # of one timeline: more are not told apart on any screen


class FoundKind(StrEnum):
    """What a search looks through."""

    ALERT = "alert"
    SEGMENT = "segment"
    """A stretch of recording."""
    GAP = "gap"
    """Time without a recording."""
    MANIFEST = "manifest"
    """Another entry of a track's manifest: seal, release, hold, deletion, change."""
    RECORD = "record"
    """A line of a session's record."""
    SESSION = "session"


class Found(Strict):
    """One thing that was found. ``id`` names it among its kind; ``utc_ms`` is when it began."""

    kind: FoundKind
    id: str
    utc_ms: UtcMs
    until_utc_ms: UtcMs | None = None
    room_id: RoomId
    track_id: str | None = None
    session_id: SessionId | None = None
    title: Sentence
    text: Sentence | None = None
    number: int | None = None
    rule: str | None = None
    severity: Severity | None = None
    handling: Handling | None = None
    disposition: Disposition | None = None
    reason: str | None = None
    """Of a gap, the manifest's own word; of a line of the record, its kind."""
    shadow: bool = False
    by: str = ""


class PlaceTrack(Strict):
    """A camera or pickup of a room."""

    track_id: str
    name: Named
    kind: str = Field(description="camera or pickup")


class Place(Strict):
    """A room or area that the asking account may look for, with what records it."""

    room_id: RoomId
    name: Named
    tracks: tuple[PlaceTrack, ...] = ()


class SearchPage(Strict):
    """Newest first; ``next_cursor`` asks for the page behind this one, with the same filters."""

    items: tuple[Found, ...]
    next_cursor: str | None = None


class Span(Strict):
    """A stretch of time."""

    from_utc_ms: UtcMs
    to_utc_ms: UtcMs


class GapSpan(Span):
    """A stretch without a recording, and why. ``ended`` false: it lasts."""

    reason: str
    detail: str = ""
    ended: bool = True


class SealSpan(Span):
    """While a session was sealed; ``to_utc_ms`` of one that still is, is the timeline's end."""

    session_id: SessionId
    title: str


class TimelineTrack(Strict):
    """What one camera or pickup recorded. ``recorded`` joins segments that follow on each other."""

    track_id: str
    name: Named
    kind: str = Field(description="camera or pickup")
    recorded: tuple[Span, ...] = ()
    gaps: tuple[GapSpan, ...] = ()


class Timeline(Strict):
    """A room over an interval: each track's cover, the seals, and what happened, oldest first."""

    room_id: RoomId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    tracks: tuple[TimelineTrack, ...]
    seals: tuple[SealSpan, ...] = ()
    marks: tuple[Found, ...] = ()
    more_marks: bool = False
    """There were more than fit: zoom in, or search."""


class PlayerLink(Strict):
    """Where a browser plays one camera: ``base_url`` + ``/clip.mp4?from=&to=&ticket=``.

    Also ``/clip.json`` (what the clip really holds) and ``/still.jpg?at=`` (the key frame before a
    moment), all with the same ticket. Times are UTC milliseconds.
    """

    camera_id: CameraId
    name: Named
    base_url: str
    ticket: str
    sound: bool = Field(description="Whether the asking user may hear it, too.")


class RoomPlayers(Strict):
    """All cameras of a room, with tickets that end together; ``missing``: their node is away."""

    room_id: RoomId
    players: tuple[PlayerLink, ...]
    missing: tuple[CameraId, ...] = ()
    expires_utc_ms: UtcMs
