"""Holds conduct reports: of a session, a month, a quarter; on experts and agencies, by code."""

from enum import StrEnum

from pydantic import Field

from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import RoomId, SessionId, UtcMs


class PeriodKind(StrEnum):
    """一标一考, 一月一通报, 一季一通报."""

    SESSION = "session"
    MONTH = "month"
    QUARTER = "quarter"


class Period(Strict):
    """What a report covers: sessions scheduled to begin from ``from_utc_ms`` to before ``to``.

    Months and quarters begin at midnight of the site's own time zone.
    """

    kind: PeriodKind
    name: str = Field(examples=["2026-11", "2026-Q4"])
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    time_zone: str


class SubjectKind(StrEnum):
    """Whom a line is about."""

    EXPERT = "expert"
    AGENCY = "agency"


class ConductLine(Strict):
    """One expert or agency in the period. ``code`` empty: the roster gave none."""

    subject: SubjectKind
    code: str
    sessions: int = Field(ge=0)
    late: int = Field(ge=0)
    late_ms: int = Field(ge=0)
    absent: int = Field(ge=0)
    replaced: int = Field(ge=0)
    recused: int = Field(ge=0)
    violations: int = Field(ge=0)


class ConductIncident(Strict):
    """An alert that a person confirmed as a violation; ``subject`` null: nobody was named."""

    alert_id: str
    number: int
    session_id: SessionId
    session_title: str
    room_id: RoomId
    title: Named
    utc_ms: UtcMs
    seat: str = ""
    subject: SubjectKind | None = None
    code: str = ""
    note: str = ""
    statement: str = ""
    confirmed_by: str = ""


class ConductReport(Strict):
    """What was found in a period; ``sessions``: how many were held in it."""

    site: Named
    period: Period
    session_id: SessionId | None = None
    made_utc_ms: UtcMs
    sessions: int = Field(ge=0)
    lines: tuple[ConductLine, ...] = ()
    incidents: tuple[ConductIncident, ...] = ()
