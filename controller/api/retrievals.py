"""Routes of retrieval: asked, approved by another person, exported, fetched, expired."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse

from contracts.api import BASE, PAGE_MAX, Sentence
from contracts.api.retrieval import (
    CameraChoice,
    DecisionBody,
    RetrievalBody,
    RetrievalForm,
    RetrievalLink,
    RetrievalPage,
    RetrievalState,
    RetrievalView,
)
from contracts.evidence.exports import SEAL_SUFFIX
from contracts.units import RoomId, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import IdempotencyKey, problem_responses
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.auth.scopes import Scope
from controller.core import retrievals
from controller.core.outputs import Refused
from controller.core.retrievals import Retrieval
from controller.core.sessions import Session
from controller.reports.packages import record_lines, tell
from runtime.tokens import TicketRefusedError, issue_ticket, read_ticket

log = structlog.get_logger(__name__)

router = APIRouter(prefix=f"{BASE}/retrievals", tags=["retrieval"])

PACKAGE_SCOPE: Final = "package"
LINK_TTL_MS: Final = 10 * 60_000  # a download begins within minutes; a new link is one click
SESSIONS_MAX: Final = 500  # sessions that an interval can overlap; a month of one room has 90

IdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of a retrieval.")]
Asks = Annotated[Caller, Depends(Needs(Scope.RETRIEVAL))]
Decides = Annotated[Caller, Depends(Needs(Scope.RETRIEVAL_APPROVE))]
_NONE: Final = problem_responses(403, 404)
_REFUSED: Final = problem_responses(409)


@router.post("", status_code=HTTPStatus.CREATED, responses=problem_responses(403, 404, 409, 422))
async def ask_retrieval(
    body: RetrievalBody,
    context: ContextNeeded,
    caller: Asks,
    idempotency_key: IdempotencyKey = None,
) -> RetrievalView:
    """Ask for recordings; another person has to approve before anything is made."""
    username = caller.user.username

    async def make() -> RetrievalView:
        return await _asked(context, caller, body, idempotency_key)

    return await context.once(
        username, idempotency_key, "POST /retrievals", body, RetrievalView, make
    )


async def _asked(
    context: Context, caller: Caller, body: RetrievalBody, key: str | None
) -> RetrievalView:
    rows = context.reports.rows
    own_key = f"{caller.user.username}|{key}"[:80] if key else None
    known = await asyncio.to_thread(rows.retrieval_by_key, own_key) if own_key else None
    if known is not None:
        return retrievals.view(known)  # a crash lost the answer, and not the request
    rooms = _rooms(context, caller, body)
    sessions = await asyncio.to_thread(_overlapped, context, rooms, body)
    for session in sessions:
        if not caller.sees_session(session):
            raise not_found("camera", ", ".join(body.cameras))
    row = Retrieval(
        id=context.new_id(),
        number=1,
        body=body,
        rooms=rooms,
        asked_by=caller.user.username,
        asked_utc_ms=context.clock.utc_ms(),
        sessions=tuple(session.id for session in sessions),
        idempotency_key=own_key,
    )
    made = await asyncio.to_thread(rows.add_retrieval, lambda number: replace(row, number=number))
    text = Sentence(
        zh=f"申请调阅 {made.number}：{body.reason}"[:400],
        en=f"Retrieval {made.number} was asked for: {body.reason}"[:400],
    )
    await _told(context, made, caller, text)
    return retrievals.view(made)


def _rooms(context: Context, caller: Caller, body: RetrievalBody) -> tuple[RoomId, ...]:
    """The rooms of the cameras that were asked for.

    Raises:
        ProblemError: 404 unknown or not for this caller, 403 may not hear it, 422 to come.
    """
    known = {camera.id: camera.area for camera in context.state().plan.site.cameras}
    for camera in body.cameras:
        if camera not in known or not caller.sees_room(known[camera]):
            raise not_found("camera", camera)
    if not caller.user.grants.picture:
        raise forbidden()
    if body.form is not RetrievalForm.WATERMARKED and not caller.user.grants.sound:
        text = Sentence(
            zh="原件含现场声音，而您没有声音权限；请申请带水印的观看件。",
            en="Exact files hold the sound of the room, which you may not hear: ask for watermarked"
            " video.",
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, text)
    if body.to_utc_ms > context.clock.utc_ms():
        text = Sentence(
            zh="时段的结束时间（to_utc_ms）在将来，请改为现在或更早。",
            en="to_utc_ms lies in the future: ask for what was recorded until now.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    return tuple(dict.fromkeys(known[camera] for camera in body.cameras))


def _overlapped(
    context: Context, rooms: tuple[RoomId, ...], body: RetrievalBody
) -> tuple[Session, ...]:
    """Sessions that the interval overlaps in these rooms; a session lasts a week at the most."""
    week_ms = 7 * retrievals.DAY_MS
    since = UtcMs(max(0, body.from_utc_ms - week_ms))
    until = UtcMs(body.to_utc_ms + retrievals.DAY_MS)
    stored = context.reports.rows.sessions_between(since, until, SESSIONS_MAX)
    found = {row.id: row for row in (*stored, *context.state().sessions.values())}
    wanted = frozenset(retrievals.overlapped(found.values(), rooms, body))
    return tuple(row for row in found.values() if row.id in wanted)


async def _told(context: Context, row: Retrieval, caller: Caller, text: Sentence) -> None:
    lines = record_lines(row, context.state(), context.clock.utc_ms(), caller.user.username, text)
    await tell(context.intake, lines)


@router.get("")
async def get_retrievals(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RETRIEVAL, Scope.RETRIEVAL_APPROVE))],
    before: Annotated[int | None, Query(ge=1, description="Numbers below this.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> RetrievalPage:
    """Retrievals, newest first: one's own, and all of one's rooms for who may approve."""
    own = None if Scope.RETRIEVAL_APPROVE in caller.scopes else caller.user.username
    rows = await asyncio.to_thread(
        lambda: context.reports.rows.retrievals(before=before, limit=limit, asked_by=own)
    )
    more = rows[-1].number if len(rows) == limit and rows[-1].number > 1 else None
    seen = tuple(retrievals.view(row) for row in rows if _sees(context, caller, row))
    return RetrievalPage(items=seen, next_before=more)


def _sees(context: Context, caller: Caller, row: Retrieval) -> bool:
    if row.asked_by == caller.user.username:
        return True
    if Scope.RETRIEVAL_APPROVE not in caller.scopes:
        return False
    if not all(caller.sees_room(room) for room in row.rooms):
        return False
    known = (context.state().sessions.get(session_id) for session_id in row.sessions)
    sessions = [session for session in known if session is not None]
    sector_free = caller.user.grants.sectors is None
    return (sector_free or bool(sessions)) and all(caller.sees_session(one) for one in sessions)


async def _found(context: Context, caller: Caller, retrieval_id: str) -> Retrieval:
    row = await asyncio.to_thread(context.reports.rows.find_retrieval, retrieval_id)
    if row is None or not _sees(context, caller, row):
        raise not_found("retrieval", retrieval_id)
    return row


@router.get("/cameras")
async def get_cameras(context: ContextNeeded, caller: Asks) -> tuple[CameraChoice, ...]:
    """The cameras whose recordings this account may ask for."""
    site = context.state().plan.site
    rooms = {area.id: area.name for area in site.config.areas}
    return tuple(
        CameraChoice(id=row.id, name=row.name, room_id=row.area, room=rooms[row.area])
        for row in site.cameras
        if row.area in rooms and caller.sees_room(row.area)
    )


@router.get("/{retrieval_id}", responses=_NONE)
async def get_retrieval(
    retrieval_id: IdPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RETRIEVAL, Scope.RETRIEVAL_APPROVE))],
) -> RetrievalView:
    """One retrieval, with its progress."""
    return retrievals.view(await _found(context, caller, retrieval_id))


async def _changed(
    context: Context,
    retrieval_id: str,
    change: Callable[[Retrieval], Retrieval | Refused],
) -> Retrieval:
    after = await asyncio.to_thread(context.reports.rows.change_retrieval, retrieval_id, change)
    if after is None:
        raise not_found("retrieval", retrieval_id)
    if isinstance(after, Refused):
        raise problem_of(after)
    return after


@router.post("/{retrieval_id}/approve", responses={**_NONE, **_REFUSED})
async def approve_retrieval(
    retrieval_id: IdPath, body: DecisionBody, context: ContextNeeded, caller: Decides
) -> RetrievalView:
    """Approve a request of somebody else; its package is then made by itself."""
    return await _decided(context, caller, retrieval_id, body, approve=True)


@router.post("/{retrieval_id}/refuse", responses={**_NONE, **_REFUSED})
async def refuse_retrieval(
    retrieval_id: IdPath, body: DecisionBody, context: ContextNeeded, caller: Decides
) -> RetrievalView:
    """Refuse a request of somebody else, with the reason."""
    return await _decided(context, caller, retrieval_id, body, approve=False)


async def _decided(
    context: Context, caller: Caller, retrieval_id: str, body: DecisionBody, *, approve: bool
) -> RetrievalView:
    await _found(context, caller, retrieval_id)
    by, now = caller.user.username, context.clock.utc_ms()
    row = await _changed(
        context,
        retrieval_id,
        lambda old: retrievals.decide(old, body, by, now, approve=approve),
    )
    zh, en = ("批准", "approved") if approve else ("驳回", "refused")
    during = body.during_session and approve
    text = Sentence(
        zh=f"{zh}调阅 {row.number}{'（封闭期间即可制作）' if during else ''}：{body.reason}"[:400],
        en=f"Retrieval {row.number} was {en}{' also while sealed' if during else ''}: "
        f"{body.reason}"[:400],
    )
    await _told(context, row, caller, text)
    return retrievals.view(row)


@router.post("/{retrieval_id}/withdraw", responses={**_NONE, **_REFUSED})
async def withdraw_retrieval(
    retrieval_id: IdPath, context: ContextNeeded, caller: Asks
) -> RetrievalView:
    """Take one's own request back before anything was made."""
    await _found(context, caller, retrieval_id)
    by = caller.user.username
    row = await _changed(context, retrieval_id, lambda old: retrievals.withdraw(old, by))
    text = Sentence(zh=f"撤回调阅 {row.number}。", en=f"Retrieval {row.number} was taken back.")
    await _told(context, row, caller, text)
    return retrievals.view(row)


@router.post("/{retrieval_id}/link", responses={**_NONE, **_REFUSED})
async def make_link(retrieval_id: IdPath, context: ContextNeeded, caller: Asks) -> RetrievalLink:
    """Where the package is fetched, for minutes; each link given is a viewing, and on record."""
    row = await _found(context, caller, retrieval_id)
    if caller.user.username not in (row.asked_by, row.decided_by):
        raise forbidden()
    now = context.clock.utc_ms()
    row = retrievals.expired(row, now)
    if row.state is not RetrievalState.READY or row.sha256 is None:
        state = retrievals.STATE_NAMES[row.state]
        text = Sentence(
            zh=f"该调阅申请{state.zh}，没有可下载的文件。",
            en=f"This request is {state.en}: there is nothing to fetch.",
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    row = await _changed(context, retrieval_id, retrievals.fetched)
    text = Sentence(
        zh=f"下载调阅 {row.number} 的文件（第 {row.views} 次）。",
        en=f"The package of retrieval {row.number} was fetched (time {row.views}).",
    )
    await _told(context, row, caller, text)
    assert row.sha256 is not None  # noqa: S101  # ready has one
    until = UtcMs(min(now + LINK_TTL_MS, row.expires_utc_ms or now + LINK_TTL_MS))
    urls = []
    for name in ("package.zip", "package.zip" + SEAL_SUFFIX):
        path = f"{BASE}/retrievals/{row.id}/{name}"
        ticket = issue_ticket(
            context.ticket_key,
            caller.user.username,
            PACKAGE_SCOPE,
            path,
            now,
            max(1, until - now),
        )
        urls.append(f"{context.base_url}{path}?{urlencode({'ticket': ticket})}")
    return RetrievalLink(url=urls[0], seal_url=urls[1], expires_utc_ms=until, sha256=row.sha256)


@router.get(
    "/{retrieval_id}/{name}",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}, **problem_responses(401, 404)},
)
async def get_package(
    retrieval_id: IdPath,
    name: Annotated[str, Path(pattern=r"^package\.zip(\.seal\.json)?$")],
    context: ContextNeeded,
    request: Request,
    ticket: Annotated[str, Query(max_length=1_024, description="Of the link.")] = "",
) -> FileResponse:
    """The package or its seal, by the ticket of a link; also in ranges."""
    now = context.clock.utc_ms()
    path = f"{BASE}/retrievals/{retrieval_id}/{name}"
    try:
        read = read_ticket(
            context.ticket_key, ticket, scope=PACKAGE_SCOPE, resource=path, now_utc_ms=now
        )
    except TicketRefusedError:
        refused = Sentence(
            zh="链接无效或已过期，请重新获取。",
            en="The link is not good or has expired: ask for a new one.",
        )
        raise ProblemError(HTTPStatus.UNAUTHORIZED, refused) from None
    request.state.audit_by = read.subject
    row = await asyncio.to_thread(context.reports.rows.find_retrieval, retrieval_id)
    ready = row is not None and retrievals.expired(row, now).state is RetrievalState.READY
    file = context.reports.packages.path(retrieval_id)
    file = file.with_name(file.name + name.removeprefix("package.zip"))
    if not ready or not file.exists():
        raise not_found("package", retrieval_id)
    log.info("package_served", retrieval_id=retrieval_id, username=read.subject, name=name)
    kind = "application/zip" if name == "package.zip" else "application/json"
    return FileResponse(
        file, media_type=kind, filename=file.name, headers={"Cache-Control": "no-store"}
    )
