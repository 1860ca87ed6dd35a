"""Holds a session as the API takes and shows it, what a seal demands, and what an import found."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.admission import ProcurementKind, Sector
from contracts.api.base import Sentence
from contracts.api.roster import SEATS_MAX, Seat, seats_differ
from contracts.commands import KEEP_MAX_DAYS
from contracts.envelope import Strict
from contracts.units import Note, RoomId, SessionId, Sha256Hex, UtcMs

ROOMS_MAX = 40  # as many single-seat rooms as people may be admitted
UTC_MAX_MS = 4_102_444_800_000  # the year 2100: beyond it a time is a slip of the keyboard
TitleText = Annotated[str, StringConstraints(min_length=1, max_length=120)]
StartMs = Annotated[UtcMs, Field(ge=0, le=UTC_MAX_MS)]


class SessionState(StrEnum):
    """A session's life, domain.md."""

    SCHEDULED = "scheduled"
    GATHERING = "gathering"
    SEALED = "sealed"
    SUSPENDED = "suspended"
    RELEASED = "released"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class SuspendReason(StrEnum):
    """Why a seal is lifted for a time."""

    OVERNIGHT = "overnight"
    EVACUATION = "evacuation"
    FAULT = "fault"


class SessionBody(Strict):
    """Schedule a session in one room or several with this many people admitted.

    ``keep_days``: how long its recordings are kept; left out, the site's setting counts.
    ``roster_sha256``: hash of a roster that the centre holds elsewhere; the seal freezes it.
    """

    room_id: RoomId
    title: TitleText
    admitted: int = Field(ge=1, le=40)
    starts_utc_ms: StartMs | None = None
    keep_days: int | None = Field(default=None, ge=1, le=KEEP_MAX_DAYS)
    roster_sha256: Sha256Hex | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    """What is tendered: each kind admits others to the closed area."""
    sector: Sector = Sector.OTHER
    """Whose supervisor may see it."""
    room_ids: tuple[RoomId, ...] = Field(default=(), max_length=ROOMS_MAX)
    """All rooms of an area seal, ``room_id`` first; left out: that one alone."""
    admitted_each: int | None = Field(default=None, ge=1, le=40)
    """How many one room may hold, where there are several; left out: all of them."""
    roster: tuple[Seat, ...] = Field(default=(), max_length=SEATS_MAX)
    """Given, it says how many are admitted."""

    @property
    def rooms(self) -> tuple[RoomId, ...]:
        """All rooms, the first one first."""
        return self.room_ids or (self.room_id,)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.room_ids and self.room_ids[0] != self.room_id:
            raise ValueError("room_ids begins with room_id")
        if len(set(self.room_ids)) != len(self.room_ids):
            raise ValueError("room_ids: a room is named twice")
        seats_differ(self.roster)
        strange = sorted({row.room_id for row in self.roster if row.room_id} - set(self.rooms))
        if strange:
            raise ValueError(f"roster: rooms that are none of the session's: {', '.join(strange)}")
        return self


class SessionChange(Strict):
    """What changes of a scheduled session; what is left out stays."""

    title: TitleText | None = None
    room_ids: tuple[RoomId, ...] | None = Field(default=None, min_length=1, max_length=ROOMS_MAX)
    admitted: int | None = Field(default=None, ge=1, le=40)
    admitted_each: int | None = Field(default=None, ge=1, le=40)
    starts_utc_ms: StartMs | None = None
    keep_days: int | None = Field(default=None, ge=1, le=KEEP_MAX_DAYS)
    procurement: ProcurementKind | None = None
    sector: Sector | None = None

    @model_validator(mode="after")
    def _rooms_differ(self) -> Self:
        if self.room_ids is not None and len(set(self.room_ids)) != len(self.room_ids):
            raise ValueError("room_ids: a room is named twice")
        return self


class SealDemand(StrEnum):
    """What a seal demands before it."""

    NODE_ALIVE = "node_alive"
    CAMERAS_RECORDING = "cameras_recording"
    PICKUPS_RECORDING = "pickups_recording"
    PASSAGES_RECORDING = "passages_recording"
    NO_RECORDING_ALERT = "no_recording_alert"
    KEY_CONFIRMED = "key_confirmed"
    CLOCK_IN_SYNC = "clock_in_sync"
    HEAD_COUNT = "head_count"
    SWEEP_DONE = "sweep_done"
    ROSTER_COMPLETE = "roster_complete"
    ALL_CHECKED_IN = "all_checked_in"
    POLICY_ADMITS = "policy_admits"


class CheckState(StrEnum):
    """How a demand stands. ``UNKNOWN`` is no permission: nobody can tell."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class SealCheckItem(Strict):
    """One demand: how it stands, in words, and what to do where it is not met."""

    demand: SealDemand
    state: CheckState
    text: Sentence
    advice: Sentence | None = None


class SealCheck(Strict):
    """Everything that a seal demands of a session, as it stands now."""

    session_id: SessionId
    utc_ms: UtcMs
    ready: bool
    items: tuple[SealCheckItem, ...]


OverrideReason = Annotated[Note, StringConstraints(min_length=2)]


class ActBody(Strict):
    """What goes with a step. Suspending needs ``suspension``, cancelling a ``reason``.

    ``overrides``: why the step is taken although a demand is not met, by demand; each counts once.
    """

    reason: Note = ""
    suspension: SuspendReason | None = None
    overrides: dict[SealDemand, OverrideReason] = Field(default_factory=dict, max_length=20)


class SessionView(Strict):
    """One session. ``seal_confirmed``: every room's node has said that it watches by this seal.

    ``code`` is what notices may carry: it tells neither project nor people.
    """

    id: SessionId
    room_id: RoomId
    title: str
    state: SessionState
    admitted: int
    scheduled_utc_ms: UtcMs
    gathering_utc_ms: UtcMs | None = None
    sealed_utc_ms: UtcMs | None = None
    released_utc_ms: UtcMs | None = None
    seal_confirmed: bool = False
    sealed_by: str | None = None
    released_by: str | None = None
    keep_days: int | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    sector: Sector = Sector.OTHER
    code: str = ""
    room_ids: tuple[RoomId, ...] = ()
    confirmed_rooms: tuple[RoomId, ...] = ()
    suspension: SuspendReason | None = None
    suspended_utc_ms: UtcMs | None = None
    cancelled_utc_ms: UtcMs | None = None
    archived_utc_ms: UtcMs | None = None
    reason: str = ""
    """Of the last suspension, or of the cancelling."""
    scheduled_by: str = ""
    revision: int = 0
    """Counts changes of a scheduled session and its roster; ``ETag`` of it."""
    seats: int = 0
    checked_in: int = 0
    pending_amendments: int = 0


class SessionPage(Strict):
    """Sessions by their start, latest first; ``next_before`` asks for what follows this page."""

    items: tuple[SessionView, ...]
    next_before: str | None = None


class ImportProblem(Strict):
    """What is wrong in one cell of a schedule. ``row`` as a spreadsheet counts, 0: the file."""

    row: int
    column: str = ""
    value: str = Field(default="", max_length=60)
    text: Sentence
    advice: Sentence


class ImportBatch(Strict):
    """Sessions to schedule together; all or none."""

    sessions: tuple[SessionBody, ...] = Field(min_length=1, max_length=500)


class ImportResult(Strict):
    """What became of an import: all its sessions, or its problems and nothing done.

    ``sessions`` of a dry run are as they would be made, without an id of their own.
    """

    dry_run: bool
    rows: int
    imported: int = 0
    sessions: tuple[SessionBody, ...] = ()
    ids: tuple[SessionId, ...] = ()
    problems: tuple[ImportProblem, ...] = ()
    more_problems: int = 0
    """How many problems beyond those listed."""
