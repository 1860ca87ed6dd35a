"""Routes of the audit log: search, how it stands, export with its chain."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from contracts.api import BASE
from contracts.api.audit import PAGE_LINES_MAX, AuditLine, AuditPage, AuditState, line_hash
from contracts.units import UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.auth.scopes import Scope

router = APIRouter(prefix=f"{BASE}/audit", tags=["audit"])

EXPORT_ROWS: Final = 1_000  # of one read
HEADS_SHOWN: Final = 20_000  # years of hourly ones
COLUMNS: Final = (
    "seq", "utc_ms", "by", "what", "subject", "address", "status", "note", "prev", "sha256",
)  # fmt: skip

Reads = Annotated[Caller, Depends(Needs(Scope.AUDIT))]


@router.get("")
async def get_audit(  # noqa: PLR0917  # what one searches by
    context: ContextNeeded,
    _: Reads,
    by: Annotated[str, Query(max_length=80, description="Exactly this account.")] = "",
    what: Annotated[str, Query(max_length=160, description="Part of route or event.")] = "",
    subject: Annotated[str, Query(max_length=80, description="Part of what it was about.")] = "",
    since: Annotated[int | None, Query(ge=0, description="UTC milliseconds.")] = None,
    until: Annotated[int | None, Query(ge=0, description="UTC milliseconds.")] = None,
    before: Annotated[int | None, Query(ge=1, description="Numbers below this.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LINES_MAX)] = 100,
) -> AuditPage:
    """Lines, newest first; ``next_before`` asks for the page behind."""
    store = context.security.audit_store
    rows = await asyncio.to_thread(
        lambda: store.audit_page(
            before=before,
            limit=limit + 1,
            by=by,
            what=what,
            subject=subject,
            since=None if since is None else UtcMs(since),
            until=None if until is None else UtcMs(until),
        )
    )
    more = len(rows) > limit
    return AuditPage(items=rows[:limit], next_before=rows[limit - 1].seq if more else None)


@router.get("/state")
async def get_audit_state(context: ContextNeeded, _: Reads) -> AuditState:
    """How the log stands: its ends, the last signed head, whether it can be written."""
    store, log = context.security.audit_store, context.security.audit
    first = await asyncio.to_thread(store.audit_first)
    last, sha256 = await asyncio.to_thread(store.audit_end)
    heads = await asyncio.to_thread(lambda: store.audit_heads(limit=1))
    return AuditState(
        first=first,
        last=last,
        sha256=sha256,
        head=heads[0] if heads else None,
        writable=log.writable,
        days_kept=log.days_kept,
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}, "text/csv": {}}}},
)
async def export_audit(
    context: ContextNeeded,
    _: Reads,
    form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
    since: Annotated[int, Query(ge=0, description="UTC milliseconds.")] = 0,
    until: Annotated[int | None, Query(ge=0, description="UTC milliseconds.")] = None,
) -> StreamingResponse:
    """The lines of a time, whole, with their chain; ``zeroentry audit verify`` judges them.

    JSONL holds each line byte by byte as it was hashed, then the signed heads that fall among them.
    """
    last, _sha = await asyncio.to_thread(context.security.audit_store.audit_end)
    bounds = (since, until, last)
    made = _jsonl(context, bounds) if form == "jsonl" else _csv(context, bounds)
    media = "application/jsonl" if form == "jsonl" else "text/csv; charset=utf-8"
    name = f"audit-{context.clock.utc_ms()}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(made, media_type=media, headers=headers)


async def _lines(context: Context, bounds: tuple[int, int | None, int]) -> AsyncIterator[str]:
    """From the first line of the time to the last: by number, so nothing between is missing."""
    since, until, last = bounds
    store = context.security.audit_store
    after, begun = 0, False
    while rows := await asyncio.to_thread(store.audit_lines, after, EXPORT_ROWS):
        for text in rows:
            line = AuditLine.model_validate_json(text)
            after = line.seq
            if after > last or (until is not None and line.utc_ms > until and begun):
                return
            begun = begun or line.utc_ms >= since
            if begun:
                yield text


async def _jsonl(context: Context, bounds: tuple[int, int | None, int]) -> AsyncIterator[str]:
    first, newest = 0, 0
    async for text in _lines(context, bounds):
        newest = AuditLine.model_validate_json(text).seq
        first = first or newest
        yield f"{text}\n"
    store = context.security.audit_store
    heads = await asyncio.to_thread(lambda: store.audit_heads(limit=HEADS_SHOWN))
    for head in reversed(heads):
        if first <= head.head <= newest:
            yield f"{head.model_dump_json()}\n"


async def _csv(context: Context, bounds: tuple[int, int | None, int]) -> AsyncIterator[str]:
    yield "\ufeff" + "".join(_row(COLUMNS))  # a spreadsheet takes it for UTF-8 by this mark
    async for text in _lines(context, bounds):
        line = AuditLine.model_validate_json(text)
        subject = " ".join(f"{key}={value}" for key, value in line.subject.items())
        cells = (line.seq, line.utc_ms, line.by, line.what, subject, line.address, line.status,
                 line.note, line.prev, line_hash(text))  # fmt: skip
        yield "".join(_row(cells))


def _row(cells: tuple[object, ...]) -> Iterator[str]:
    out = io.StringIO()
    csv.writer(out).writerow([_plain(str(cell)) for cell in cells])
    yield out.getvalue()


def _plain(text: str) -> str:
    # What a guesser typed as a name must not become a formula in the auditor's spreadsheet.
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
