"""Gathers what a witness report tells of a session, from the state in memory and from the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from contracts.api import Sentence, WitnessReport
from contracts.api.record import RecordLine
from contracts.api.report import HeadCountPoint, ReportSeat
from contracts.units import UtcMs
from controller.core import evidence_views, recording, views
from controller.core.alerts import PERSON_IN_ZONE, AlertRecord
from controller.core.deliveries import Delivery
from controller.core.outputs import FileEntry
from controller.core.plan import Track
from controller.core.sessions import Session
from controller.core.state import SiteState

ROWS_MAX: Final = 2_000  # a session has a handful of alerts; this bounds a report gone wrong
RECORD_MAX: Final = 5_000  # lines; a session with many check-ins and texts has some hundred
COUNTS_MAX: Final = 40_000  # ten hours at the core's finest step
CURVE_MAX: Final = 2_000  # points that a page can show; beyond it the curve is thinned


class Facts(Protocol):
    """What a report reads of the store. Methods block."""

    def alerts(
        self,
        *,
        before: int | None,
        limit: int,
        session_id: str | None = None,
        shadow: bool | None = None,
    ) -> tuple[AlertRecord, ...]: ...

    def room_alerts(
        self, room_id: str, *, since_utc_ms: UtcMs, until_utc_ms: UtcMs, limit: int
    ) -> tuple[AlertRecord, ...]: ...

    def deliveries(
        self, *, limit: int, room_id: str | None = None, session_id: str | None = None
    ) -> tuple[Delivery, ...]: ...

    def stretches(
        self, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
    ) -> tuple[FileEntry, ...]: ...

    def session_entries(self, session_id: str) -> tuple[FileEntry, ...]: ...

    def session_record(
        self, session_id: str, *, after: int = 0, limit: int
    ) -> tuple[RecordLine, ...]: ...


class Counts(Protocol):
    """Where the curve of a session's head count is kept. Blocks."""

    def head_counts(self, session_id: str, limit: int) -> tuple[HeadCountPoint, ...]: ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """A report and the alerts behind it, whose pictures stand in it."""

    report: WitnessReport
    alerts: tuple[AlertRecord, ...]


def gather(
    state: SiteState,
    facts: Facts,
    counts: Counts,
    session: Session,
    now: UtcMs,
    roster: tuple[ReportSeat, ...] = (),
) -> Gathered:
    """The draft of a session's report as it stands now. Blocks."""
    alerts = _alerts(state, facts, session, now)
    deliveries = facts.deliveries(limit=ROWS_MAX, session_id=session.id)
    covered, entries = recorded(state, facts, session, now)
    record = facts.session_record(session.id, limit=RECORD_MAX)
    curve = counts.head_counts(session.id, COUNTS_MAX)
    kept = thinned(curve)
    report = views.witness_report(
        state,
        session,
        alerts,
        deliveries,
        now,
        recordings=evidence_views.report_tracks(state, session, covered, entries),
        gaps=evidence_views.report_gaps(covered),
    )
    told = {
        "site_id": state.plan.site.config.id,
        "time_zone": state.plan.site.config.time_zone,
        "record": record,
        "roster": roster,
        "head_counts": kept,
        "counts_left_out": len(curve) - len(kept),
        "left_out": _left_out(alerts, deliveries, record),
    }
    return Gathered(report.model_copy(update=told), alerts)


def _alerts(
    state: SiteState, facts: Facts, session: Session, now: UtcMs
) -> tuple[AlertRecord, ...]:
    rows = facts.alerts(before=None, limit=ROWS_MAX, session_id=session.id)
    found = {row.id: row for row in rows}
    since = session.sealed_utc_ms
    if since is not None:
        until = session.released_utc_ms or now
        for zone in state.plan.zones.values():
            if zone.seen_by is not None:
                seen = facts.room_alerts(
                    zone.seen_by, since_utc_ms=since, until_utc_ms=until, limit=ROWS_MAX
                )
                found |= {row.id: row for row in seen if row.alert.rule == PERSON_IN_ZONE}
    return tuple(sorted(found.values(), key=lambda row: row.number))


def recorded(
    state: SiteState, facts: Facts, session: Session, now: UtcMs
) -> tuple[list[evidence_views.Covered], tuple[FileEntry, ...]]:
    """What the second copy of the manifests says of the session's recordings."""
    since = session.sealed_utc_ms
    if since is None:
        return [], ()
    until = session.released_utc_ms or now
    covered: list[evidence_views.Covered] = []
    for track in concerned(state, session):
        node_id = state.plan.watcher.get(track.room_id, "")
        rows = facts.stretches(node_id, track.id, since=since, until=until)
        chain = recording.chain_of(state, track)
        covered.append(evidence_views.covered(track, chain, rows, (since, until), now))
    return covered, facts.session_entries(session.id)


def concerned(state: SiteState, session: Session) -> tuple[Track, ...]:
    """The tracks of all rooms of a session and of the passages around them, each once."""
    found = {
        (track.room_id, track.id): track
        for room_id in session.rooms
        for track in recording.concerned(state, room_id)
    }
    return tuple(found.values())


def thinned(curve: Sequence[HeadCountPoint]) -> tuple[HeadCountPoint, ...]:
    """At most ``CURVE_MAX`` points of a curve: its ends, its highest and lowest stay.

    Of each stretch the point that lies furthest from the one before it is kept, so that no visit
    of a sixth person is thinned away.
    """
    if len(curve) <= CURVE_MAX:
        return tuple(curve)
    step = -(-len(curve) // (CURVE_MAX // 2))
    kept: list[HeadCountPoint] = []
    for start in range(0, len(curve), step):
        piece = curve[start : start + step]
        chosen = {0, max(range(len(piece)), key=lambda place: piece[place].people or 0)}
        kept += [piece[place] for place in sorted(chosen)]
    return tuple(kept)


def _left_out(
    alerts: Sequence[AlertRecord], deliveries: Sequence[Delivery], record: Sequence[RecordLine]
) -> tuple[Sentence, ...]:
    """What a limit kept out: a report that is not whole must say so."""
    told = (
        (len(alerts) >= ROWS_MAX, "预警", "alerts", ROWS_MAX),
        (len(deliveries) >= ROWS_MAX, "配送", "deliveries", ROWS_MAX),
        (len(record) >= RECORD_MAX, "场次记录", "lines of the record", RECORD_MAX),
    )
    return tuple(
        Sentence(
            zh=f"{zh}超过 {limit} 条，本报告只列出其中 {limit} 条。",
            en=f"There are more than {limit} {en}; this report tells {limit} of them.",
        )
        for over, zh, en, limit in told
        if over
    )
