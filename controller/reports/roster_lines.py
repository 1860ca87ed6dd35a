"""Decides how a roster reads in reports: seats, roles, codes, arrivals; never a name."""

from contracts.api.report import ReportSeat
from contracts.api.roster import ParticipantView, Standing
from contracts.units import UtcMs
from controller.core import roster
from controller.core.sessions import Session
from controller.core.state import SiteState


def attendance(state: SiteState, session: Session, now: UtcMs) -> tuple[ParticipantView, ...]:
    """Every participant of a session as check-ins say against the schedule."""
    return roster.participant_views(
        session.roster,
        session.scheduled_utc_ms,
        state.plan.session_policy,
        now,
        over=session.ended,
    )


def roster_lines(state: SiteState, session: Session, now: UtcMs) -> tuple[ReportSeat, ...]:
    """The roster as lines of a report, in the order of the seats."""
    return tuple(_line(row) for row in attendance(state, session, now))


def _line(row: ParticipantView) -> ReportSeat:
    gone = row.standing is not Standing.ACTIVE
    return ReportSeat(
        seat=row.seat,
        role=row.role.value,
        code=row.expert_code,
        organisation=row.organisation,
        state=row.standing.value if gone else row.attendance.value,
        checked_in_utc_ms=row.checked_in_utc_ms,
        late_ms=row.late_ms,
    )
