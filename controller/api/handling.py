"""Routes of alerts in work: acknowledge, assign, urge, reply, resolve, close, reopen, history.

Each step takes ``If-Match`` with the alert's ETag (its revision): 412 when another was faster.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from contracts.api import BASE, AlertView, ResolveBody, Sentence
from contracts.api.alerts import (
    AlertHistory,
    AssignBody,
    CloseBody,
    HandlingVerb,
    SaidBody,
    StatementBody,
    UrgeBody,
)
from controller.api.alerts import AlertPath, find_alert, seen_alert
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.problems import ProblemError, problem_of
from controller.auth.scopes import Scope
from controller.core import views
from controller.core.handling import Act
from controller.core.outputs import Refused
from controller.core.state import AlertWorked

router = APIRouter(
    prefix=f"{BASE}/alerts", tags=["alerts"], responses=problem_responses(404, 409, 412, 503)
)

Revision = Annotated[
    str | None,
    Header(alias="If-Match", max_length=40, description="The alert's ETag, as you saw it."),
]
Acting = Annotated[Caller, Depends(Needs(Scope.ALERTS_ACT))]
Urging = Annotated[Caller, Depends(Needs(Scope.ALERTS_URGE))]


async def _done(  # what a request of this kind consists of
    context: Context,
    caller: Caller,
    alert_id: str,
    act: Act,
    seen: str | None,
    response: Response,
) -> AlertView:
    await seen_alert(context, caller, alert_id)
    answer = await context.intake.ask(AlertWorked(alert_id, act, _expected(seen)))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    record = await find_alert(context, alert_id)
    response.headers["ETag"] = f'"{record.revision}"'
    return context.alert_view(record, caller.user)


def _expected(seen: str | None) -> int | None:
    if seen is None or seen.strip() == "*":
        return None
    text = seen.strip().strip('"')
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        detail = Sentence(
            zh="If-Match 应为该预警的 ETag。", en="If-Match must be the ETag of this alert."
        )
        raise ProblemError(412, detail)
    return int(text)


@router.post("/{alert_id}/acknowledge")
async def acknowledge(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """I have seen it. The second who says so is not refused."""
    act = Act(HandlingVerb.ACKNOWLEDGE, caller.user.username)
    # Two who see the same alert at once both say so: what the second saw does not matter.
    del seen
    return await _done(context, caller, alert_id, act, None, response)


@router.post("/{alert_id}/assign")
async def assign(
    alert_id: AlertPath,
    body: AssignBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """It is for this person (分办), by this time."""
    act = Act(
        HandlingVerb.ASSIGN,
        caller.user.username,
        text=body.note,
        to=body.to,
        due_utc_ms=body.due_utc_ms,
    )
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/start")
async def start(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """I am at it."""
    act = Act(HandlingVerb.START, caller.user.username)
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/note")
async def note(
    alert_id: AlertPath,
    body: SaidBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
) -> AlertView:
    """Write something down."""
    act = Act(HandlingVerb.NOTE, caller.user.username, text=body.text)
    return await _done(context, caller, alert_id, act, None, response)


@router.post("/{alert_id}/urge")
async def urge(
    alert_id: AlertPath,
    body: UrgeBody,
    context: ContextNeeded,
    caller: Urging,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """Ask whoever has it to act (督办); they are told, and owe a reply."""
    act = Act(HandlingVerb.URGE, caller.user.username, text=body.text, due_utc_ms=body.due_utc_ms)
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/reply")
async def reply(
    alert_id: AlertPath,
    body: SaidBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """Answer an urge (反馈)."""
    act = Act(HandlingVerb.REPLY, caller.user.username, text=body.text)
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/resolve")
async def resolve(
    alert_id: AlertPath,
    body: ResolveBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """I have found what it was."""
    act = Act(
        HandlingVerb.RESOLVE,
        caller.user.username,
        text=body.note,
        disposition=body.disposition,
        seat=body.seat,
    )
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/statement")
async def statement(
    alert_id: AlertPath,
    body: StatementBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """Attach what the expert says of a confirmed violation; it stands in the conduct record."""
    act = Act(HandlingVerb.STATEMENT, caller.user.username, text=body.text, seat=body.seat)
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/close")
async def close(
    alert_id: AlertPath,
    body: CloseBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """Put a resolved alert away (办结)."""
    act = Act(HandlingVerb.CLOSE, caller.user.username, text=body.note)
    return await _done(context, caller, alert_id, act, seen, response)


@router.post("/{alert_id}/reopen")
async def reopen(
    alert_id: AlertPath,
    body: SaidBody,
    context: ContextNeeded,
    caller: Acting,
    response: Response,
    seen: Revision = None,
) -> AlertView:
    """It was not the end of it; the reason is needed."""
    act = Act(HandlingVerb.REOPEN, caller.user.username, text=body.text)
    return await _done(context, caller, alert_id, act, seen, response)


@router.get("/{alert_id}/history")
async def history(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS))],
) -> AlertHistory:
    """Who did what about it, oldest first."""
    return views.alert_history(await seen_alert(context, caller, alert_id))
