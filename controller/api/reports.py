"""Routes of witness reports: the draft, and the signed versions with all their files."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import BASE, Sentence, User, WitnessReport
from contracts.api.report import NewVersionBody, ReportFile, ReportState, ReportVersion
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.problems import ProblemError, not_found
from controller.api.sessions import SessionPath, find_session
from controller.auth.scopes import Scope
from controller.core.sessions import Session
from controller.reports.desk import NoVersionError
from controller.reports.documents import DocumentError
from controller.reports.witness import page
from controller.reports.witness_pdf import witness_pdf

log = structlog.get_logger(__name__)

router = APIRouter(prefix=f"{BASE}/sessions", tags=["reports"])

STILLS_MAX: Final = 24  # pictures on the page: what a person looks through, some 5 MB
VERSION_MAX: Final = 1_000
WITH_PICTURES: Final = frozenset({ReportFile.PDF_ZH, ReportFile.PDF_EN, ReportFile.BUNDLE})
NO_STORE: Final = {"Cache-Control": "no-store"}
TYPES: Final = {
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".pem": "application/x-pem-file",
}

Language = Literal["zh-CN", "en"]
LangQuery = Annotated[Language, Query(description="Language of the page.")]
Reader = Annotated[Caller, Depends(Needs(Scope.REPORTS))]
_MISSING: Final = problem_responses(404)
_LATER: Final = problem_responses(503)
_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
}


async def _seen(context: Context, caller: Caller, session_id: str) -> Session:
    session = await find_session(context, session_id)
    if not caller.sees_session(session):
        raise not_found("session", session_id)
    return session


@router.get("/{session_id}/report", responses=_MISSING)
async def get_report(
    session_id: SessionPath, context: ContextNeeded, caller: Reader
) -> WitnessReport:
    """The draft of a session's witness report."""
    session = await _seen(context, caller, session_id)
    gathered = await asyncio.to_thread(context.reports.desk.draft, session)
    return gathered.report


@router.get(
    "/{session_id}/report.html",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}, **_MISSING},
)
async def get_report_page(
    session_id: SessionPath, context: ContextNeeded, caller: Reader, lang: LangQuery = "zh-CN"
) -> Response:
    """The newest version, else the draft, as one page to print; it loads nothing."""
    session = await _seen(context, caller, session_id)
    html = await asyncio.to_thread(_page, context, session, lang, caller.user)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    headers = {**NO_STORE, "Content-Security-Policy": policy}
    return Response(html, media_type="text/html", headers=headers)


def _page(context: Context, session: Session, lang: Language, user: User) -> str:
    desk = context.reports.desk
    report = desk.newest(session) or desk.draft(session).report
    stills: dict[int, bytes] = {}
    for row in report.alerts[:STILLS_MAX] if user.grants.picture else ():
        content = context.pictures.read(row.picture_sha256) if row.picture_sha256 else None
        if content is not None:
            stills[row.number] = content
    zone = context.state().plan.site.config.time_zone
    return page(report, stills, lang, zone)


@router.get(
    "/{session_id}/report.pdf",
    response_class=Response,
    responses={**_PDF, **_MISSING, **_LATER},
)
async def get_draft_pdf(
    session_id: SessionPath, context: ContextNeeded, caller: Reader, lang: LangQuery = "zh-CN"
) -> Response:
    """The draft as PDF, marked as one on each page and not signed."""
    session = await _seen(context, caller, session_id)
    desk = context.reports.desk

    def made() -> bytes:
        gathered = desk.draft(session)
        stills = desk.stills(gathered.alerts) if caller.user.grants.picture else {}
        return witness_pdf(gathered.report, lang, stills, None)

    try:
        content = await asyncio.to_thread(made)
    except DocumentError as error:
        raise _not_set(error) from None
    name = f"{session.id}-draft.{lang[:2]}.pdf"
    headers = {**NO_STORE, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _not_set(error: Exception) -> ProblemError:
    log.error("report_not_set", error=str(error))
    text = Sentence(
        zh="控制器暂时无法生成 PDF（多为缺少中文字体 fonts-noto-cjk 或磁盘已满），请联系运维。",
        en="The controller cannot make the PDF now (a font or disk space is missing: "
        "fonts-noto-cjk). Tell operations; its log says which.",
    )
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=60)


@router.get("/{session_id}/report/state", responses=_MISSING)
async def get_report_state(
    session_id: SessionPath, context: ContextNeeded, caller: Reader
) -> ReportState:
    """The signed versions of a session's report, what the next one waits for, and late facts."""
    session = await _seen(context, caller, session_id)
    return await asyncio.to_thread(context.reports.desk.status, session)


@router.post(
    "/{session_id}/report/versions",
    status_code=HTTPStatus.CREATED,
    responses=problem_responses(404, 409, 503),
)
async def make_report_version(
    session_id: SessionPath,
    body: NewVersionBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SESSIONS_ACT))],
) -> ReportVersion:
    """Have a version made and signed now; a further one needs a reason."""
    session = await _seen(context, caller, session_id)
    try:
        return await context.reports.desk.make(session, caller.user.username, body.reason)
    except NoVersionError as error:
        raise ProblemError(HTTPStatus.CONFLICT, error.why) from None
    except (DocumentError, OSError) as error:
        raise _not_set(error) from None


@router.get(
    "/{session_id}/report/versions/{version}/{name}",
    response_class=Response,
    responses={**_PDF, **_MISSING},
)
async def get_report_file(
    session_id: SessionPath,
    version: Annotated[int, Path(ge=1, le=VERSION_MAX)],
    name: ReportFile,
    context: ContextNeeded,
    caller: Reader,
) -> Response:
    """One file of a signed version, always the same bytes: PDF, JSON, statement, signatures."""
    session = await _seen(context, caller, session_id)
    if name in WITH_PICTURES:
        caller.needs_picture()  # stills stand in it, and a signed file cannot leave them out
    desk = context.reports.desk
    content = await asyncio.to_thread(desk.file, name, session.id, version)
    if content is None:
        raise not_found("version of the report", f"{session.id} v{version} {name.value}")
    suffix = name.value[name.value.rindex(".") :]
    kind = (
        "application/json" if suffix == ".json" else TYPES.get(suffix, "application/octet-stream")
    )
    how = "inline" if suffix == ".pdf" else "attachment"
    file = f"{session.id}-v{version}-{name.value}"
    headers = {**NO_STORE, "Content-Disposition": f'{how}; filename="{file}"'}
    return Response(content, media_type=kind, headers=headers)
