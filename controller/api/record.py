"""Routes of the record: what happened in a session, line by line."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from contracts.api import BASE, PAGE_MAX
from contracts.api.record import RecordPage
from controller.api.context import Caller, ContextNeeded, Needs
from controller.api.problems import not_found
from controller.api.sessions import SessionPath, find_session
from controller.auth.scopes import Scope

router = APIRouter(prefix=f"{BASE}/sessions", tags=["record"])


@router.get("/{session_id}/record")
async def get_record(
    session_id: SessionPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RECORD))],
    after: Annotated[int, Query(ge=0, description="Number of the last line that you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> RecordPage:
    """What happened in a session, oldest first."""
    session = await find_session(context, session_id)
    if not caller.sees_session(session):
        raise not_found("session", session_id)
    rows = await asyncio.to_thread(
        context.reader.session_record, session_id, after=after, limit=limit
    )
    more = rows[-1].number if len(rows) == limit else None
    return RecordPage(items=rows, next_after=more)
