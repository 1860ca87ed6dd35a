"""Routes of conduct reports: per session, month and quarter, as JSON, CSV, XLSX and PDF."""

import asyncio
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import BASE, Sentence
from contracts.api.conduct import ConductReport, Period, PeriodKind
from contracts.units import ID_PATTERN, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.problems import ProblemError, not_found
from controller.api.reports import LangQuery, Language
from controller.api.sessions import find_session
from controller.auth.scopes import Scope
from controller.core.sessions import Session
from controller.reports.conduct import (
    YEAR_MAX,
    YEAR_MIN,
    compile_report,
    month_of,
    quarter_of,
)
from controller.reports.conduct_files import conduct_csv, conduct_pdf, conduct_xlsx
from controller.reports.documents import DocumentError

router = APIRouter(prefix=f"{BASE}/conduct", tags=["conduct"])

SESSIONS_MAX: Final = 5_000  # a centre holds up to 3,200 a year
Reads = Annotated[Caller, Depends(Needs(Scope.CONDUCT))]
Year = Annotated[int, Path(ge=YEAR_MIN, le=YEAR_MAX)]
_MISSING: Final = problem_responses(404, 409)


class FileKind(StrEnum):
    """How a report is wanted."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


TYPES: Final = {
    FileKind.CSV: "text/csv; charset=utf-8",
    FileKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileKind.PDF: "application/pdf",
}
FormatQuery = Annotated[FileKind, Query(alias="format", description="json, csv, xlsx or pdf.")]
_FILES: Final[dict[int | str, dict[str, Any]]] = problem_responses(503) | {
    200: {
        "model": ConductReport,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()
        },
    }
}


@router.get(
    "/months/{year}/{month}",
    response_model=ConductReport,
    responses={**_FILES, **problem_responses(503)},
)
async def get_month(
    year: Year,
    month: Annotated[int, Path(ge=1, le=12)],
    context: ContextNeeded,
    caller: Reads,
    file: FormatQuery = FileKind.JSON,
    lang: LangQuery = "zh-CN",
) -> ConductReport | Response:
    """The conduct report of a month, by the site's own calendar."""
    return await _period(context, caller, month_of(year, month, _zone(context)), file, lang)


@router.get(
    "/quarters/{year}/{quarter}",
    response_model=ConductReport,
    responses={**_FILES, **problem_responses(503)},
)
async def get_quarter(
    year: Year,
    quarter: Annotated[int, Path(ge=1, le=4)],
    context: ContextNeeded,
    caller: Reads,
    file: FormatQuery = FileKind.JSON,
    lang: LangQuery = "zh-CN",
) -> ConductReport | Response:
    """The conduct report of a quarter, by the site's own calendar."""
    return await _period(context, caller, quarter_of(year, quarter, _zone(context)), file, lang)


@router.get(
    "/sessions/{session_id}",
    response_model=ConductReport,
    responses={**_FILES, **_MISSING},
)
async def get_session_conduct(
    session_id: Annotated[str, Path(pattern=ID_PATTERN, description="Id of a session.")],
    context: ContextNeeded,
    caller: Reads,
    file: FormatQuery = FileKind.JSON,
    lang: LangQuery = "zh-CN",
) -> ConductReport | Response:
    """The conduct report of one session that is over."""
    session = await find_session(context, session_id)
    if not caller.sees_session(session):
        raise not_found("session", session_id)
    if not session.ended:
        text = Sentence(
            zh="场次尚未结束，结束后才有通报。",
            en="The session is not over: its conduct report comes after that.",
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    period = Period(
        kind=PeriodKind.SESSION,
        name=session.id,
        from_utc_ms=session.gathering_utc_ms or session.scheduled_utc_ms,
        to_utc_ms=session.released_utc_ms or context.clock.utc_ms(),
        time_zone=_zone(context).key,
    )
    report = await asyncio.to_thread(_compiled, context, period, (session,), session.id)
    return await _given(report, file, lang)


def _zone(context: Context) -> ZoneInfo:
    return ZoneInfo(context.state().plan.site.config.time_zone)


async def _period(
    context: Context, caller: Caller, period: Period, file: FileKind, lang: Language
) -> ConductReport | Response:
    def made() -> ConductReport:
        rows = context.reports.rows.sessions_between(
            period.from_utc_ms, period.to_utc_ms, SESSIONS_MAX
        )
        seen = tuple(row for row in rows if caller.sees_session(row))
        return _compiled(context, period, seen, None)

    return await _given(await asyncio.to_thread(made), file, lang)


def _compiled(
    context: Context, period: Period, sessions: tuple[Session, ...], session_id: str | None
) -> ConductReport:
    alerts = context.reports.rows.violations(tuple(row.id for row in sessions))
    now: UtcMs = context.clock.utc_ms()
    return compile_report(context.state(), period, sessions, alerts, now, session_id=session_id)


async def _given(report: ConductReport, file: FileKind, lang: Language) -> ConductReport | Response:
    if file is FileKind.JSON:
        return report
    write = {FileKind.CSV: conduct_csv, FileKind.XLSX: conduct_xlsx, FileKind.PDF: conduct_pdf}
    try:
        content = await asyncio.to_thread(write[file], report, lang)
    except DocumentError:
        text = Sentence(
            zh="控制器暂时无法生成 PDF（缺少中文字体 fonts-noto-cjk），请联系运维，或下载 XLSX。",
            en="The controller cannot make the PDF now (fonts-noto-cjk is missing): tell "
            "operations, or take the XLSX.",
        )
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=60) from None
    name = quote(f"conduct-{report.period.name}.{file.value}")
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(content, media_type=TYPES[file], headers=headers)
