"""Routes of alerts: pages, one alert, its picture, acknowledging and resolving."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.security import APIKeyQuery

from contracts.api import BASE, PAGE_MAX, AlertPage, AlertView, ResolveBody, Sentence
from contracts.catalogue.record import RuleRecord
from controller.api.context import (
    TICKET_SCOPE,
    Bearer,
    Caller,
    Context,
    ContextNeeded,
    Needs,
    caller_of,
)
from controller.api.problems import ProblemError, not_found, problem_of
from controller.auth.scopes import Scope
from controller.core.alerts import AlertRecord
from controller.core.outputs import Refused
from controller.core.rule_records import records
from controller.core.state import AlertAcknowledged, AlertResolved
from runtime.tokens import TicketRefusedError, read_ticket

router = APIRouter(prefix=f"{BASE}/alerts", tags=["alerts"])

CACHE_S: Final = 3_600  # a picture never changes; its ticket ends sooner

AlertPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of an alert.")]
ticket_query = APIKeyQuery(
    name="ticket", auto_error=False, description="A ticket for this picture, from picture_url."
)

ShadowQuery = Annotated[
    bool, Query(alias="shadow", description="What rules in shadow found, instead of alerts.")
]


async def find_alert(context: Context, alert_id: str) -> AlertRecord:
    """An alert from memory or the store.

    Raises:
        ProblemError: 404.
    """
    record = context.state().alerts.get(alert_id)
    if record is None:
        record = await asyncio.to_thread(context.reader.find_alert, alert_id)
    if record is None:
        raise not_found("alert", alert_id)
    return record


@router.get("")
async def get_alerts(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS))],
    before: Annotated[int | None, Query(ge=1, description="Numbers below this.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    shadow: ShadowQuery = False,  # noqa: FBT002  # a query parameter, always given by name
) -> AlertPage:
    """Alerts, newest first; ``next_before`` asks for the page behind."""
    rows = await asyncio.to_thread(
        lambda: context.reader.alerts(before=before, limit=limit + 1, shadow=shadow)
    )
    more = len(rows) > limit
    return AlertPage(
        items=tuple(context.alert_view(row, caller.user) for row in rows[:limit]),
        next_before=rows[limit - 1].number if more else None,
    )


@router.get("/rules")
async def get_rule_records(
    context: ContextNeeded, _: Annotated[Caller, Depends(Needs(Scope.ALERTS))]
) -> tuple[RuleRecord, ...]:
    """How often each rule spoke, what people made of it, and what that speaks for."""
    return records(await asyncio.to_thread(context.reader.rule_tally))


@router.get("/{alert_id}")
async def get_alert(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS))],
) -> AlertView:
    """One alert."""
    return context.alert_view(await find_alert(context, alert_id), caller.user)


@router.post("/{alert_id}/acknowledge")
async def acknowledge(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS_ACT))],
) -> AlertView:
    """I have seen it."""
    answer = await context.intake.ask(AlertAcknowledged(alert_id, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return context.alert_view(await find_alert(context, alert_id), caller.user)


@router.post("/{alert_id}/resolve")
async def resolve(
    alert_id: AlertPath,
    body: ResolveBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS_ACT))],
) -> AlertView:
    """I have found what it was."""
    answer = await context.intake.ask(AlertResolved(alert_id, body, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return context.alert_view(await find_alert(context, alert_id), caller.user)


def _picture_caller(
    alert_id: AlertPath,
    context: ContextNeeded,
    sent: Bearer,
    ticket: Annotated[str | None, Depends(ticket_query)],
) -> None:
    """A bearer token that may read alerts, or a ticket for this very picture."""
    if sent is None and ticket is not None:
        path = f"{BASE}/alerts/{alert_id}/picture.jpg"
        try:
            read_ticket(
                context.ticket_key,
                ticket,
                scope=TICKET_SCOPE,
                resource=path,
                now_utc_ms=context.clock.utc_ms(),
            )
        except TicketRefusedError:
            text = Sentence(
                zh="图片链接已失效，请刷新页面。",
                en="The address has expired; fetch the alert again.",
            )
            raise ProblemError(401, text) from None
        return
    caller_of(context, sent.credentials if sent else None, frozenset({Scope.ALERTS}))


@router.get(
    "/{alert_id}/picture.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
    dependencies=[Depends(_picture_caller)],
)
async def get_picture(alert_id: AlertPath, context: ContextNeeded) -> Response:
    """The alert's picture as hashed, with a bearer token or ``?ticket=``."""
    record = await find_alert(context, alert_id)
    picture = record.alert.picture
    content = None
    if picture is not None:
        content = await asyncio.to_thread(context.pictures.read, picture.sha256)
    if picture is None or content is None:
        text = Sentence(
            zh="图片尚未从边缘节点取回。", en="The picture has not been fetched from its node yet."
        )
        raise ProblemError(404, text, retry_after_s=2)
    headers = {
        "Cache-Control": f"private, max-age={CACHE_S}, immutable",
        "ETag": f'"{picture.sha256}"',
    }
    return Response(content, media_type="image/jpeg", headers=headers)
