"""Routes of witness reports: the draft as JSON and as a page to print."""

import asyncio
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Response

from contracts.api import BASE, WitnessReport
from contracts.units import UtcMs
from controller.api.context import Context, ContextNeeded, Needs
from controller.api.sessions import SessionPath, find_session
from controller.auth.scopes import Scope
from controller.core import evidence_views, recording, views
from controller.core.alerts import PERSON_IN_ZONE, AlertRecord
from controller.core.outputs import FileEntry
from controller.core.sessions import Session
from controller.reports.witness import page

router = APIRouter(prefix=f"{BASE}/sessions", tags=["reports"])

ROWS_MAX: Final = 2_000  # a session has a handful of alerts; this bounds a report gone wrong
STILLS_MAX: Final = 24  # pictures on the page: what a person looks through, some 5 MB


async def _gathered(
    context: Context, session: Session
) -> tuple[WitnessReport, tuple[AlertRecord, ...]]:
    now = context.clock.utc_ms()
    state = context.state()
    records = {
        row.id: row
        for row in await asyncio.to_thread(
            lambda: context.reader.alerts(before=None, limit=ROWS_MAX, session_id=session.id)
        )
    }
    if session.sealed_utc_ms is not None:
        until = session.released_utc_ms or now
        for zone in state.plan.zones.values():
            if zone.seen_by is not None:
                rows = await asyncio.to_thread(
                    _in_zone, context, zone.seen_by, session.sealed_utc_ms, until
                )
                records |= {row.id: row for row in rows}
    deliveries = await asyncio.to_thread(
        lambda: context.reader.deliveries(limit=ROWS_MAX, session_id=session.id)
    )
    alerts = tuple(sorted(records.values(), key=lambda row: row.number))
    covered, entries = await asyncio.to_thread(_recorded, context, session, now)
    report = views.witness_report(
        state,
        session,
        alerts,
        deliveries,
        now,
        recordings=evidence_views.report_tracks(state, session, covered, entries),
        gaps=evidence_views.report_gaps(covered),
    )
    return report, alerts


def _recorded(
    context: Context, session: Session, now: UtcMs
) -> tuple[list[evidence_views.Covered], tuple[FileEntry, ...]]:
    """What the second copy of the manifests says of the session's recordings."""
    since = session.sealed_utc_ms
    if since is None:
        return [], ()
    state, reader = context.state(), context.reader
    until = session.released_utc_ms or now
    covered: list[evidence_views.Covered] = []
    for track in recording.concerned(state, session.room_id):
        node_id = state.plan.watcher.get(track.room_id, "")
        rows = reader.stretches(node_id, track.id, since=since, until=until)
        chain = recording.chain_of(state, track)
        covered.append(evidence_views.covered(track, chain, rows, (since, until), now))
    return covered, reader.session_entries(session.id)


def _in_zone(context: Context, room_id: str, since: UtcMs, until: UtcMs) -> tuple[AlertRecord, ...]:
    rows = context.reader.room_alerts(
        room_id, since_utc_ms=since, until_utc_ms=until, limit=ROWS_MAX
    )
    return tuple(row for row in rows if row.alert.rule == PERSON_IN_ZONE)


@router.get("/{session_id}/report", dependencies=[Depends(Needs(Scope.REPORTS))])
async def get_report(session_id: SessionPath, context: ContextNeeded) -> WitnessReport:
    """The draft of a session's witness report."""
    report, _ = await _gathered(context, await find_session(context, session_id))
    return report


@router.get(
    "/{session_id}/report.html",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
    dependencies=[Depends(Needs(Scope.REPORTS))],
)
async def get_report_page(
    session_id: SessionPath,
    context: ContextNeeded,
    lang: Annotated[Literal["zh-CN", "en"], Query()] = "zh-CN",
) -> Response:
    """The draft as one page to print; it carries its pictures and loads nothing."""
    report, alerts = await _gathered(context, await find_session(context, session_id))
    stills: dict[int, bytes] = {}
    for row in alerts[:STILLS_MAX]:
        if row.alert.picture is not None:
            content = await asyncio.to_thread(context.pictures.read, row.alert.picture.sha256)
            if content is not None:
                stills[row.number] = content
    zone = context.state().plan.site.config.time_zone
    html = await asyncio.to_thread(page, report, stills, lang, zone)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": ("default-src 'none'; img-src data:; style-src 'unsafe-inline'"),
    }
    return Response(html, media_type="text/html", headers=headers)
