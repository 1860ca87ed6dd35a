"""Routes of sessions: schedule, list, change, gather, seal, suspend, resume, release, archive."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.admission import Sector
from contracts.api import BASE, PAGE_MAX, Sentence, SessionBody, SessionState, SessionView
from contracts.api.sessions import ActBody, SealCheck, SessionChange, SessionPage
from contracts.units import ID_PATTERN, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import (
    IdempotencyKey,
    IfMatch,
    check_if_match,
    problem_responses,
    with_etag,
)
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.auth.scopes import Scope
from controller.core import readiness, views
from controller.core.outputs import Refused
from controller.core.session_inputs import SessionChanged
from controller.core.sessions import NOTHING_SAID, Session, SessionVerb
from controller.core.state import Now, SessionActed, SessionScheduled
from controller.ports import SessionFilter

router = APIRouter(prefix=f"{BASE}/sessions", tags=["sessions"])

SessionPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a session.")]
Reads = Annotated[Caller, Depends(Needs(Scope.SESSIONS))]
Acts = Annotated[Caller, Depends(Needs(Scope.SESSIONS_ACT))]


async def find_session(context: Context, session_id: str) -> Session:
    """A session from memory or the store.

    Raises:
        ProblemError: 404.
    """
    session = context.state().sessions.get(session_id)
    if session is None:
        session = await asyncio.to_thread(context.reader.find_session, session_id)
    if session is None:
        raise not_found("session", session_id)
    return session


async def seen_session(context: Context, caller: Caller, session_id: str) -> Session:
    """A session that the caller's grants reach.

    Raises:
        ProblemError: 404, as if there were none.
    """
    session = await find_session(context, session_id)
    if not caller.sees_session(session):
        raise not_found("session", session_id)
    return session


Cursor = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{1,15}_[a-z0-9-]{1,40}$", description="`next_before` of the page before."
    ),
]


@router.get("")
async def get_sessions(  # noqa: PLR0913, PLR0917  # each is a filter of the list
    context: ContextNeeded,
    caller: Reads,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    before: Cursor = None,
    state: Annotated[tuple[SessionState, ...], Query(max_length=7)] = (),
    from_utc_ms: Annotated[int | None, Query(ge=0, description="Starts not before.")] = None,
    to_utc_ms: Annotated[int | None, Query(ge=0, description="Starts before.")] = None,
    room: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
    sector: Sector | None = None,
) -> SessionPage:
    """Sessions by their start, latest first; only those that the account may see."""
    grants = caller.user.grants
    sectors = grants.sectors
    if sector is not None:
        sectors = (sector,) if sectors is None or sector in sectors else ()
    wanted = SessionFilter(
        before=_cursor(before),
        states=state,
        from_utc_ms=UtcMs(from_utc_ms) if from_utc_ms is not None else None,
        to_utc_ms=UtcMs(to_utc_ms) if to_utc_ms is not None else None,
        rooms=(room,) if room is not None else None,
        seen_rooms=grants.rooms,
        sectors=sectors,
    )
    rows = await asyncio.to_thread(lambda: context.reader.sessions(limit=limit + 1, wanted=wanted))
    shown = rows[:limit]
    more = f"{shown[-1].scheduled_utc_ms}_{shown[-1].id}" if len(rows) > limit else None
    return SessionPage(items=tuple(views.session_view(row) for row in shown), next_before=more)


def _cursor(before: str | None) -> tuple[int, str] | None:
    if before is None:
        return None
    utc_ms, _, session_id = before.partition("_")
    return int(utc_ms), session_id


@router.post("", status_code=201, responses=problem_responses(404))
async def schedule(
    body: SessionBody,
    context: ContextNeeded,
    caller: Acts,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> SessionView:
    """Plan a session in a room or an area of rooms; the same `Idempotency-Key` is the same one."""
    check_granted(caller, body)
    key = own_key(caller, idempotency_key)
    known = await _by_key(context, key)
    if known is not None:
        response.status_code = HTTPStatus.OK
        return with_etag(response, views.session_view(known))
    session_id = f"s-{context.new_id()}"
    answer = await context.intake.ask(SessionScheduled(session_id, body, caller.user.username, key))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    if answer.entity_id != session_id:
        response.status_code = HTTPStatus.OK
    made = await find_session(context, answer.entity_id)
    return with_etag(response, views.session_view(made))


def check_granted(caller: Caller, body: SessionBody) -> None:
    """Refuse to plan where the caller's grants do not reach.

    Raises:
        ProblemError: 403.
    """
    sectors = caller.user.grants.sectors
    rooms = all(caller.sees_room(room) for room in body.rooms)
    if not rooms or (sectors is not None and body.sector not in sectors):
        raise forbidden()


def own_key(caller: Caller, key: str | None) -> str | None:
    """An idempotency key as it is kept: two people may choose the same."""
    if key is None:
        return None
    return hashlib.sha256(f"{caller.user.username}\0{key}".encode()).hexdigest()


async def _by_key(context: Context, key: str | None) -> Session | None:
    if key is None:
        return None
    return await asyncio.to_thread(context.reader.find_session_by_key, key)


@router.get("/{session_id}", responses=problem_responses(404))
async def get_session(
    session_id: SessionPath, context: ContextNeeded, caller: Reads, response: Response
) -> SessionView:
    """One session; its `ETag` is what a change names."""
    session = await seen_session(context, caller, session_id)
    return with_etag(response, views.session_view(session))


@router.patch("/{session_id}", responses=problem_responses(404, 409, 412, 428))
async def change(
    session_id: SessionPath,
    body: SessionChange,
    context: ContextNeeded,
    caller: Acts,
    response: Response,
    if_match: IfMatch = None,
) -> SessionView:
    """Change a scheduled session, as it was when it was read (`If-Match`)."""
    session = await seen_session(context, caller, session_id)
    check_if_match(if_match, views.session_view(session))
    sectors = caller.user.grants.sectors
    rooms = all(caller.sees_room(room) for room in body.room_ids or ())
    if not rooms or (sectors is not None and body.sector not in (None, *sectors)):
        raise forbidden()
    answer = await context.intake.ask(
        SessionChanged(session_id, session.revision, body, caller.user.username)
    )
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return with_etag(response, views.session_view(await find_session(context, session_id)))


@router.get("/{session_id}/seal-check", responses=problem_responses(404))
async def get_seal_check(
    session_id: SessionPath, context: ContextNeeded, caller: Reads
) -> SealCheck:
    """Everything that a seal demands, how each stands now, and what to do about it."""
    session = await seen_session(context, caller, session_id)
    now = Now(context.clock.mono_ms(), context.clock.utc_ms())
    return readiness.seal_check(context.state(), session, now)


# --- the steps of its life ----------------------------------------------------------------------

SUMMARIES: Final = {
    SessionVerb.GATHER: "People gather: the room belongs to this session. Refused before a sweep.",
    SessionVerb.SEAL: "Seal. 409 lists every demand that is not met and not overridden by name.",
    SessionVerb.SUSPEND: "Lift the seal for a time: overnight, evacuation or fault.",
    SessionVerb.RESUME: "Seal again after a suspension; demands what a seal demands.",
    SessionVerb.RELEASE: "End the session: the rooms are free.",
    SessionVerb.CANCEL: "Call a session off before its release; needs a reason.",
    SessionVerb.ARCHIVE: "Put a released session into the archive.",
}


async def act(
    context: Context, caller: Caller, session_id: str, verb: SessionVerb, said: ActBody
) -> SessionView:
    """Move a session on.

    Raises:
        ProblemError: 404; 403, an override without the right to; 409, what is possible instead.
    """
    await seen_session(context, caller, session_id)
    if said.overrides and Scope.OVERRIDE not in caller.scopes:
        text = Sentence(
            zh="您的账号不能越过检查，请处理未满足的要求。",
            en="Your account may not override a check; see to what is not met.",
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, text)
    answer = await context.intake.ask(SessionActed(session_id, verb, caller.user.username, said))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return views.session_view(await find_session(context, session_id))


def _step(
    verb: SessionVerb,
) -> Callable[[str, Context, Caller, ActBody | None], Awaitable[SessionView]]:
    async def step(
        session_id: SessionPath,
        context: ContextNeeded,
        caller: Acts,
        body: ActBody | None = None,
    ) -> SessionView:
        return await act(context, caller, session_id, verb, body or NOTHING_SAID)

    step.__name__ = f"{verb.value}_session"
    step.__doc__ = SUMMARIES[verb]
    return step


for _verb in SessionVerb:
    router.add_api_route(
        f"/{{session_id}}/{_verb.value}",
        _step(_verb),
        methods=["POST"],
        response_model=SessionView,
        responses=problem_responses(404, 409),
    )
