"""Merges what several sites recorded of a joint session, by the clock of the site that reads."""

import json
from typing import Final

from contracts.api import PAGE_MAX
from contracts.api.record import RecordLine
from contracts.api.sites import (
    AlertTold,
    GuestAlert,
    JointRecordLine,
    JointRecordPage,
    RecordTold,
)
from contracts.evidence.lines import split_line
from contracts.units import UtcMs
from controller.api.context import Context
from controller.core.site_feed import own_site
from controller.core.sites import HeardLine, JointSession

OWN_LINES_MAX: Final = 5_000  # of one session's record: a ten-hour session has some hundred lines
REPORT_LINES_MAX: Final = 5_000

_Place = tuple[int, str, int]


def _event(row: HeardLine) -> dict[str, object]:
    event = json.loads(split_line(row.line.encode()).signed)["event"]
    return event if isinstance(event, dict) else {}


def alerts_of(context: Context, joint: JointSession, limit: int) -> tuple[GuestAlert, ...]:
    """The last word on each alert at other sites, newest first. Blocks."""
    return tuple(
        GuestAlert(
            site=row.peer,
            told_utc_ms=row.received_utc_ms,
            seq=row.seq,
            alert=AlertTold.model_validate(_event(row)),
        )
        for row in context.sites.store.newest(joint.id, "alert", limit=limit)
    )


def merged(context: Context, joint: JointSession, after: str, limit: int) -> JointRecordPage:
    """A page of the merged record behind a place. Blocks."""
    place = _place(after)
    rows = sorted([*_told(context, joint, place, limit), *_own(context, joint)], key=_key)
    items = [row for row in rows if _key(row) > place][:limit]
    more = "/".join(str(one) for one in _key(items[-1])) if len(items) == limit else None
    return JointRecordPage(items=tuple(items), next_after=more)


def merged_all(context: Context, joint: JointSession) -> tuple[JointRecordLine, ...]:
    """The whole merged record, up to REPORT_LINES_MAX lines. Blocks."""
    items: list[JointRecordLine] = []
    after = ""
    while len(items) < REPORT_LINES_MAX:
        page = merged(context, joint, after, PAGE_MAX)
        items += page.items
        if page.next_after is None:
            break
        after = page.next_after
    return tuple(items)


def _place(after: str) -> _Place:
    if not after:
        return (0, "", 0)
    utc_ms, site, number = after.split("/")
    return (int(utc_ms), site, int(number))


def _key(row: JointRecordLine) -> _Place:
    return (row.here_utc_ms, row.site, row.seq if row.seq is not None else row.line.number)


def _told(
    context: Context, joint: JointSession, place: _Place, limit: int
) -> list[JointRecordLine]:
    rows = context.sites.store.heard_of(joint.id, "record", after=place, limit=limit + 1)
    return [line for row in rows if (line := _line(row)) is not None]


def _line(row: HeardLine) -> JointRecordLine | None:
    told = RecordTold.model_validate(_event(row))
    line = RecordLine(
        number=row.seq,
        session_id=told.session_id,
        room_id=told.room_id,
        utc_ms=told.utc_ms,
        kind=told.record_kind,
        by=told.by,
        text=told.text,
        subject=told.subject,
    )
    return JointRecordLine(site=row.peer, here_utc_ms=row.here_utc_ms, line=line, seq=row.seq)


def _own(context: Context, joint: JointSession) -> list[JointRecordLine]:
    own = own_site(context.state())
    part = joint.parts.get(own)
    rows: list[JointRecordLine] = []
    for key in part.bound if part is not None else ():
        after = 0
        while len(rows) < OWN_LINES_MAX:
            page = context.reader.session_record(key, after=after, limit=PAGE_MAX)
            rows += [
                JointRecordLine(site=own, here_utc_ms=UtcMs(line.utc_ms), line=line)
                for line in page
            ]
            if len(page) < PAGE_MAX:
                break
            after = page[-1].number
    return rows
