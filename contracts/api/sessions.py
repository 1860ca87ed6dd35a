"""Holds a session as the API takes and shows it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.admission import ProcurementKind, Sector
from contracts.commands import KEEP_MAX_DAYS
from contracts.envelope import Strict
from contracts.units import RoomId, SessionId, Sha256Hex, UtcMs


class SessionState(StrEnum):
    """A session's life, domain.md."""

    SCHEDULED = "scheduled"
    GATHERING = "gathering"
    SEALED = "sealed"
    SUSPENDED = "suspended"
    RELEASED = "released"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class SessionBody(Strict):
    """Schedule a session in one room with this many people admitted.

    ``keep_days``: how long its recordings are kept; left out, the site's setting counts.
    ``roster_sha256``: hash of the roster that the centre holds; the seal freezes it.
    """

    room_id: RoomId
    title: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    admitted: int = Field(ge=1, le=40)
    starts_utc_ms: UtcMs | None = None
    keep_days: int | None = Field(default=None, ge=1, le=KEEP_MAX_DAYS)
    roster_sha256: Sha256Hex | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    """What is tendered: each kind admits others to the closed area."""
    sector: Sector = Sector.OTHER
    """Whose supervisor may see it."""


class SessionView(Strict):
    """One session. ``seal_confirmed``: the edge node has said that it watches by this seal."""

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
