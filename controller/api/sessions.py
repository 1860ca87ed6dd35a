"""Routes of sessions: schedule, gather, seal, suspend, resume, release, cancel."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from contracts.api import BASE, PAGE_MAX, SessionBody, SessionView
from contracts.units import ID_PATTERN
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.problems import not_found, problem_of
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.outputs import Refused
from controller.core.sessions import Session, SessionVerb
from controller.core.state import SessionActed, SessionScheduled

router = APIRouter(prefix=f"{BASE}/sessions", tags=["sessions"])

SessionPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a session.")]


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


@router.get("", dependencies=[Depends(Needs(Scope.SESSIONS))])
async def get_sessions(
    context: ContextNeeded, limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50
) -> tuple[SessionView, ...]:
    """The newest sessions first."""
    rows = await asyncio.to_thread(lambda: context.reader.sessions(limit=limit))
    return tuple(views.session_view(row) for row in rows)


@router.post("", status_code=201)
async def schedule(
    body: SessionBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SESSIONS_ACT))],
) -> SessionView:
    """Plan a session in a room."""
    session_id = f"s-{context.new_id()}"
    answer = await context.intake.ask(SessionScheduled(session_id, body, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return views.session_view(await find_session(context, answer.entity_id))


@router.get("/{session_id}", dependencies=[Depends(Needs(Scope.SESSIONS))])
async def get_session(session_id: SessionPath, context: ContextNeeded) -> SessionView:
    """One session."""
    return views.session_view(await find_session(context, session_id))


@router.post("/{session_id}/{verb}")
async def act(
    session_id: SessionPath,
    verb: SessionVerb,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SESSIONS_ACT))],
) -> SessionView:
    """Move a session on; 409 says what is possible instead."""
    answer = await context.intake.ask(SessionActed(session_id, verb, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return views.session_view(await find_session(context, session_id))
