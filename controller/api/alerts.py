"""Routes of alerts: pages of them, one alert, its picture, what each rule's alerts came to."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.security import APIKeyQuery
from pydantic import BaseModel, ConfigDict, Field

from contracts.api import (
    BASE,
    PAGE_MAX,
    AlertPage,
    AlertView,
    Disposition,
    Handling,
    Sentence,
)
from contracts.catalogue.record import RuleRecord
from contracts.observations import Severity
from contracts.units import RoomId, RuleCode, SessionId, UtcMs
from controller.api.context import (
    TICKET_SCOPE,
    Bearer,
    Caller,
    Context,
    ContextNeeded,
    Needs,
    caller_of,
)
from controller.api.http_rules import problem_responses
from controller.api.problems import ProblemError, not_found
from controller.auth.scopes import Scope
from controller.core.alert_filter import AlertFilter
from controller.core.alerts import AlertRecord
from controller.core.rule_records import records
from runtime.tokens import TicketRefusedError, read_ticket

router = APIRouter(prefix=f"{BASE}/alerts", tags=["alerts"])

TIME_MAX: Final = 4_102_444_800_000  # the year 2100: what is behind it is a mistake
CACHE_S: Final = 3_600  # a picture never changes; its ticket ends sooner

AlertPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of an alert.")]
ticket_query = APIKeyQuery(
    name="ticket", auto_error=False, description="A ticket for this picture, from picture_url."
)

FETCHES_MAX: Final = 20
# Stretches read for one page where most rows are not the asker's; the next page goes on from there.


class AlertQuery(BaseModel):
    """What to list; every part left out takes all."""

    model_config = ConfigDict(extra="forbid")

    before: int | None = Field(default=None, ge=1, description="Numbers below this.")
    limit: int = Field(default=50, ge=1, le=PAGE_MAX)
    shadow: bool = Field(
        default=False, description="What rules in shadow found, instead of alerts."
    )
    open: bool = Field(default=False, description="Only what nobody has resolved yet.")
    handling: tuple[Handling, ...] = Field(default=(), max_length=len(Handling))
    severity: tuple[Severity, ...] = Field(default=(), max_length=len(Severity))
    disposition: Disposition | None = None
    rule: RuleCode | None = Field(default=None, max_length=80)
    room_id: RoomId | None = None
    session_id: SessionId | None = None
    owner: str | None = Field(default=None, max_length=64)
    since_utc_ms: int | None = Field(default=None, ge=0, le=TIME_MAX)
    until_utc_ms: int | None = Field(default=None, ge=0, le=TIME_MAX)

    def filter(self, rooms: tuple[RoomId, ...] | None) -> AlertFilter:
        """As the store takes it, narrowed to the rooms that the asker may see."""
        return AlertFilter(
            shadow=self.shadow,
            handling=self.handling,
            severity=self.severity,
            disposition=self.disposition,
            rule=self.rule,
            room_id=self.room_id,
            session_id=self.session_id,
            owner=self.owner,
            since_utc_ms=None if self.since_utc_ms is None else UtcMs(self.since_utc_ms),
            until_utc_ms=None if self.until_utc_ms is None else UtcMs(self.until_utc_ms),
            open_only=self.open,
            rooms=rooms,
        )


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


async def seen_alert(context: Context, caller: Caller, alert_id: str) -> AlertRecord:
    """An alert that this caller's grants reach; another is as if there were none.

    Raises:
        ProblemError: 404.
    """
    record = await find_alert(context, alert_id)
    if not await asyncio.to_thread(caller.sees_alert, context, record):
        raise not_found("alert", alert_id)
    return record


@router.get("")
async def get_alerts(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS))],
    query: Annotated[AlertQuery, Query()],
) -> AlertPage:
    """Alerts that fit, newest first; ``next_before`` asks for the page behind."""
    found, next_before = await asyncio.to_thread(_page, context, caller, query)
    return AlertPage(
        items=tuple(context.alert_view(row, caller.user) for row in found),
        next_before=next_before,
    )


def _page(
    context: Context, caller: Caller, query: AlertQuery
) -> tuple[list[AlertRecord], int | None]:
    """Rows that the caller sees, and below which number the next page begins; None: no more."""
    wanted = query.filter(caller.user.grants.rooms)
    found: list[AlertRecord] = []
    before = query.before
    for _ in range(FETCHES_MAX):
        rows = context.duty.roster.find_alerts(wanted, before=before, limit=query.limit + 1)
        for row in rows[: query.limit]:
            before = row.number
            if caller.sees_alert(context, row):
                found.append(row)
            if len(found) == query.limit:
                return found, before if row is not rows[-1] else None
        if len(rows) <= query.limit:
            return found, None
    return found, before


@router.get("/rules")
async def get_rule_records(
    context: ContextNeeded, _: Annotated[Caller, Depends(Needs(Scope.ALERTS))]
) -> tuple[RuleRecord, ...]:
    """How often each rule spoke, what people made of it, and what that speaks for."""
    return records(await asyncio.to_thread(context.reader.rule_tally))


@router.get("/{alert_id}", responses=problem_responses(404))
async def get_alert(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ALERTS))],
    response: Response,
) -> AlertView:
    """One alert; ``ETag`` counts the steps that people took."""
    record = await seen_alert(context, caller, alert_id)
    response.headers["ETag"] = f'"{record.revision}"'
    return context.alert_view(record, caller.user)


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
    caller = caller_of(context, sent.credentials if sent else None, frozenset({Scope.ALERTS}))
    caller.needs_picture()
    record = context.state().alerts.get(alert_id) or context.reader.find_alert(alert_id)
    if record is None or not caller.sees_alert(context, record):
        raise not_found("alert", alert_id)


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
