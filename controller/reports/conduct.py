"""Decides what a conduct report tells: of which period, whom, and what counts against somebody.

Only what a person confirmed counts: alerts resolved as violations, with the participant's statement
beside them, and check-ins against the schedule. Nobody is named; experts and agencies stand there
by the codes of their registers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.admission import Role
from contracts.api.conduct import (
    ConductIncident,
    ConductLine,
    ConductReport,
    Period,
    PeriodKind,
    SubjectKind,
)
from contracts.api.roster import Attendance, ParticipantView, Standing
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord, title_of
from controller.core.roster import participant_views
from controller.core.sessions import Session
from controller.core.state import SiteState

YEAR_MIN, YEAR_MAX = 2000, 2100
QUARTER: Final = 3
UNKNOWN: Final = ""
"""The code of whoever has none on the roster."""


def month_of(year: int, month: int, zone: ZoneInfo) -> Period:
    """A month of the site's own time."""
    return _span(PeriodKind.MONTH, year, month, month + 1, f"{year}-{month:02d}", zone)


def quarter_of(year: int, quarter: int, zone: ZoneInfo) -> Period:
    """A quarter of the site's own time."""
    first = QUARTER * (quarter - 1) + 1
    return _span(PeriodKind.QUARTER, year, first, first + QUARTER, f"{year}-Q{quarter}", zone)


def _span(
    kind: PeriodKind, year: int, first: int, behind: int, name: str, zone: ZoneInfo
) -> Period:
    return Period(
        kind=kind,
        name=name,
        from_utc_ms=_midnight(year, first, zone),
        to_utc_ms=_midnight(year + (behind - 1) // 12, (behind - 1) % 12 + 1, zone),
        time_zone=zone.key,
    )


def _midnight(year: int, month: int, zone: ZoneInfo) -> UtcMs:
    """The first moment of a month there. Exact: no float of seconds is rounded."""
    start = datetime.combine(date(year, month, 1), datetime.min.time(), zone).astimezone(UTC)
    return UtcMs((start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


@dataclass(slots=True)
class _Sum:
    """What is counted of one expert or agency."""

    kind: SubjectKind
    code: str
    sessions: set[str]
    late: int = 0
    late_ms: int = 0
    absent: int = 0
    replaced: int = 0
    recused: int = 0
    violations: int = 0


def compile_report(
    state: SiteState,
    period: Period,
    sessions: Iterable[Session],
    alerts: Iterable[AlertRecord],
    now: UtcMs,
    *,
    session_id: str | None = None,
) -> ConductReport:
    """The report of a period, or of one session in it. Cancelled sessions do not count."""
    rows = [row for row in sessions if row.ended and row.state.value != "cancelled"]
    sums: dict[tuple[SubjectKind, str], _Sum] = {}
    people: dict[str, tuple[ParticipantView, ...]] = {}
    for session in rows:
        views = participant_views(
            session.roster,
            session.scheduled_utc_ms,
            state.plan.session_policy,
            now,
            over=session.ended,
        )
        people[session.id] = views
        for view in views:
            _count(sums, session.id, view)
    by_id = {row.id: row for row in rows}
    incidents: list[ConductIncident] = []
    for alert in alerts:
        held = by_id.get(alert.alert.session_id or "")
        if held is None or not alert.confirmed:
            continue
        incident = _incident(alert, held, people[held.id])
        incidents.append(incident)
        _blame(sums, incident)
    return ConductReport(
        site=state.plan.site.config.name,
        period=period,
        session_id=session_id,
        made_utc_ms=now,
        sessions=len(rows),
        lines=tuple(_line(sums[key]) for key in sorted(sums)),
        incidents=tuple(incidents),
    )


def _subjects(view: ParticipantView) -> tuple[tuple[SubjectKind, str], ...]:
    """Whom a participant's conduct is told of: himself, and who sent him."""
    found: list[tuple[SubjectKind, str]] = []
    if view.role is Role.EXPERT:
        found.append((SubjectKind.EXPERT, view.expert_code or UNKNOWN))
    if view.role is Role.AGENCY and view.organisation:
        found.append((SubjectKind.AGENCY, view.organisation))
    return tuple(found)


def _of(sums: dict[tuple[SubjectKind, str], _Sum], key: tuple[SubjectKind, str]) -> _Sum:
    return sums.setdefault(key, _Sum(key[0], key[1], set()))


def _count(
    sums: dict[tuple[SubjectKind, str], _Sum], session_id: str, view: ParticipantView
) -> None:
    for key in _subjects(view):
        row = _of(sums, key)
        row.sessions.add(session_id)
        row.replaced += view.standing is Standing.REPLACED
        row.recused += view.standing is Standing.RECUSED
        if view.standing is not Standing.ACTIVE:
            continue  # who was replaced or recused is neither late nor absent
        row.late += view.attendance is Attendance.LATE
        row.late_ms += view.late_ms or 0 if view.attendance is Attendance.LATE else 0
        row.absent += view.attendance is Attendance.ABSENT


def _incident(
    alert: AlertRecord, session: Session, people: tuple[ParticipantView, ...]
) -> ConductIncident:
    who = next((row for row in people if alert.seat and row.seat == alert.seat), None)
    subjects = _subjects(who) if who is not None else ()
    kind, code = subjects[0] if subjects else (None, UNKNOWN)
    return ConductIncident(
        alert_id=alert.id,
        number=alert.number,
        session_id=session.id,
        session_title=session.title,
        room_id=alert.alert.room_id,
        title=title_of(alert.alert.rule),
        utc_ms=alert.alert.since_utc_ms,
        seat=alert.seat,
        subject=kind,
        code=code,
        note=alert.note,
        statement=alert.statement,
        confirmed_by=alert.resolved_by or alert.acknowledged_by or "",
    )


def _blame(sums: dict[tuple[SubjectKind, str], _Sum], incident: ConductIncident) -> None:
    if incident.subject is not None:
        row = _of(sums, (incident.subject, incident.code))
        row.sessions.add(incident.session_id)
        row.violations += 1


def _line(row: _Sum) -> ConductLine:
    return ConductLine(
        subject=row.kind,
        code=row.code,
        sessions=len(row.sessions),
        late=row.late,
        late_ms=row.late_ms,
        absent=row.absent,
        replaced=row.replaced,
        recused=row.recused,
        violations=row.violations,
    )


Format = Literal["json", "csv", "xlsx", "pdf"]
