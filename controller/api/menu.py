"""Routes of the menu, recurring orders, suggested counts, and counts of meals for accounting."""

import asyncio
import csv
import io
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Final, Literal

import openpyxl
from fastapi import APIRouter, Depends, Path, Query, Response

from contracts.api import (
    BASE,
    ArrivalView,
    MealCounts,
    MenuBody,
    MenuView,
    Sentence,
    StandingBody,
    StandingView,
    SuggestionView,
)
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import (
    IdempotencyKey,
    IfMatch,
    check_if_match,
    problem_responses,
    with_etag,
)
from controller.api.problems import ProblemError, not_found, problem_of
from controller.api.rooms import RoomPath
from controller.api.sheets import XLSX_TYPE
from controller.auth.scopes import Scope
from controller.core import acts, arrivals, meals, ordering_steps, views
from controller.core.ordering import Standing, local_day, menu_in
from controller.core.ordering_inputs import MenuEdited, OrderingInput, StandingSet
from controller.core.outputs import Refused
from controller.core.state import Now

router = APIRouter(prefix=BASE, tags=["menu"])

StandingPath = Annotated[
    str, Path(pattern=r"^[a-z0-9-]{1,20}$", description="Id of a recurring order.")
]
DayQuery = Annotated[
    date | None, Query(description="A day in the site's time zone, `YYYY-MM-DD`; left out: today.")
]
FormatQuery = Annotated[Literal["json", "csv", "xlsx"], Query(alias="format")]
Reads = Annotated[Caller, Depends(Needs(Scope.MENU))]
Edits = Annotated[Caller, Depends(Needs(Scope.MENU_EDIT))]
Counts = Annotated[Caller, Depends(Needs(Scope.MEALS))]
HEAD: Final = {
    "zh": ("日期", "评标室", "餐食编号", "餐食", "下单", "取走", "退回", "取消"),
    "en": ("day", "room", "dish id", "dish", "ordered", "collected", "returned", "cancelled"),
}


async def _asked(context: Context, given: OrderingInput) -> str:
    answer = await context.intake.ask(given)
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return answer.entity_id


# --- menu ---------------------------------------------------------------------------------------


@router.get("/menu")
async def get_menu(context: ContextNeeded, _caller: Reads, response: Response) -> MenuView:
    """What can be ordered and on which terms, with its ETag for a change."""
    return with_etag(response, views.menu_view(context.state()))


@router.put("/menu", responses=problem_responses(412, 428, 503))
async def put_menu(
    body: MenuBody,
    context: ContextNeeded,
    caller: Edits,
    response: Response,
    if_match: IfMatch = None,
) -> MenuView:
    """The whole menu and its terms from now on. Orders that were taken stay as they are."""
    before = views.menu_view(context.state())
    check_if_match(if_match, before)
    await _asked(context, MenuEdited(body, before.revision, caller.user.username))
    return with_etag(response, views.menu_view(context.state()))


@router.get("/rooms/{room_id}/meal-suggestion", responses=problem_responses(404))
async def get_suggestion(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER, Scope.ORDER_OWN, Scope.LOAD))],
) -> SuggestionView:
    """For how many people a room needs a meal, and when a robot could be there at the earliest."""
    state = context.state()
    if Scope.LOAD not in caller.scopes:
        caller.check_room(Scope.ORDER, room_id)
    if not acts.knows_room(state, room_id) or not caller.sees_room(room_id):
        raise not_found("room", room_id)
    people, source = ordering_steps.people_in(state, room_id)
    now = Now(context.clock.mono_ms(), context.clock.utc_ms())
    soonest = ordering_steps.earliest(state, room_id, now)
    return SuggestionView(room_id=room_id, people=people, source=source, earliest_utc_ms=soonest)


@router.get("/rooms/{room_id}/arrivals", responses=problem_responses(404))
async def get_arrivals(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ORDER, Scope.ORDER_OWN))],
) -> tuple[ArrivalView, ...]:
    """When each order of a room that is on its way comes to the door, as far as anybody knows."""
    state = context.state()
    caller.check_room(Scope.ORDER, room_id)
    if not acts.knows_room(state, room_id) or not caller.sees_room(room_id):
        raise not_found("room", room_id)
    now = Now(context.clock.mono_ms(), context.clock.utc_ms())
    rows = [row for row in state.deliveries.values() if row.room_id == room_id and not row.ended]
    found = [(row, arrivals.about(state, row, now)) for row in rows]
    return tuple(
        ArrivalView(delivery_id=row.id, about_utc_ms=at, late=arrivals.is_late(row, at))
        for row, at in found
    )


# --- recurring orders ---------------------------------------------------------------------------


def _view(row: Standing) -> StandingView:
    return StandingView(
        id=row.id,
        body=row.body,
        made_by=row.made_by,
        made_utc_ms=row.made_utc_ms,
        last_day=row.last_day,
    )


def _standing(context: Context, standing_id: str) -> StandingView:
    rows = ordering_steps.standing_orders(context.state())
    found = next((row for row in rows if row.id == standing_id), None)
    if found is None:
        raise not_found("recurring order", standing_id)
    return _view(found)


@router.get("/recurring-orders")
async def get_recurring(context: ContextNeeded, _caller: Reads) -> tuple[StandingView, ...]:
    """All recurring orders of the site; there are at most sixty."""
    return tuple(_view(row) for row in ordering_steps.standing_orders(context.state()))


@router.get("/recurring-orders/{standing_id}", responses=problem_responses(404))
async def get_one_recurring(
    standing_id: StandingPath, context: ContextNeeded, _caller: Reads, response: Response
) -> StandingView:
    """One recurring order, with its ETag for a change."""
    return with_etag(response, _standing(context, standing_id))


@router.post("/recurring-orders", status_code=201, responses=problem_responses(409, 503))
async def make_recurring(
    body: StandingBody,
    context: ContextNeeded,
    caller: Edits,
    response: Response,
    key: IdempotencyKey = None,
) -> StandingView:
    """Every sealed room gets this at this time from now on, a portion a person."""

    async def make() -> StandingView:
        standing_id = f"s-{context.new_id()[:8]}"
        await _asked(context, StandingSet(standing_id, body, caller.user.username))
        return _standing(context, standing_id)

    name = caller.user.username
    return with_etag(
        response,
        await context.once(name, key, "POST /recurring-orders", body, StandingView, make),
    )


@router.put("/recurring-orders/{standing_id}", responses=problem_responses(404, 412, 428, 503))
async def change_recurring(
    standing_id: StandingPath,
    body: StandingBody,
    context: ContextNeeded,
    caller: Edits,
    response: Response,
    if_match: IfMatch = None,
) -> StandingView:
    """Change a recurring order, or switch it off (`active`); rounds that were ordered stay."""
    before = _standing(context, standing_id)
    check_if_match(if_match, before)
    await _asked(context, StandingSet(standing_id, body, caller.user.username, before.body))
    return with_etag(response, _standing(context, standing_id))


@router.delete(
    "/recurring-orders/{standing_id}", status_code=204, responses=problem_responses(404, 412, 503)
)
async def remove_recurring(
    standing_id: StandingPath, context: ContextNeeded, caller: Edits, if_match: IfMatch = None
) -> None:
    """Take a recurring order away."""
    check_if_match(if_match, _standing(context, standing_id), required=False)
    await _asked(context, StandingSet(standing_id, None, caller.user.username))


# --- counts -------------------------------------------------------------------------------------


@router.get(
    "/meals",
    response_model=MealCounts,
    responses={200: {"content": {"text/csv": {}, XLSX_TYPE: {}}}},
)
async def get_meals(
    context: ContextNeeded,
    caller: Counts,
    first: Annotated[DayQuery, Query(alias="from")] = None,
    last: Annotated[DayQuery, Query(alias="to")] = None,
    kind: FormatQuery = "json",
    lang: Annotated[Literal["zh-CN", "en"], Query()] = "zh-CN",
) -> MealCounts | Response:
    """Meals by day, room and dish, for accounting: as JSON, CSV or XLSX."""
    state = context.state()
    zone = ordering_steps.zone_of(state)
    until = last or local_day(context.clock.utc_ms(), zone)
    since = first or until
    if not since <= until <= since + timedelta(days=meals.DAYS_MAX - 1) or since.year < 2000:
        text = Sentence(
            zh=f"from 不得晚于 to，且最多 {meals.DAYS_MAX} 天。",
            en=f"from must not lie behind to; at most {meals.DAYS_MAX} days at once.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    begins, ends = meals.interval(since, until, zone)
    rows = await asyncio.to_thread(
        lambda: context.reader.meals(since=begins, until=ends, limit=meals.READ_MAX)
    )
    seen = (row for row in rows if caller.sees_room(row.room_id))
    counts = MealCounts(
        from_day=since.isoformat(),
        to_day=until.isoformat(),
        rows=meals.counted(seen, menu_in(state.ordering).known, since, until, zone),
        complete=len(rows) < meals.READ_MAX,
    )
    if kind == "json":
        return counts
    table = await asyncio.to_thread(_sheet, counts, kind, chinese=lang == "zh-CN")
    name = f"meals-{counts.from_day}-{counts.to_day}.{kind}"
    return Response(
        table,
        media_type="text/csv; charset=utf-8" if kind == "csv" else XLSX_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _sheet(counts: MealCounts, kind: str, *, chinese: bool) -> bytes:
    head = HEAD["zh" if chinese else "en"]
    rows = [
        (
            row.day,
            row.room_id,
            row.dish,
            _plain(row.name.zh if chinese else row.name.en),
            row.ordered,
            row.collected,
            row.returned,
            row.cancelled,
        )
        for row in counts.rows
    ]
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([head, *rows])
        return text.getvalue().encode("utf-8-sig")  # Excel takes it for UTF-8 by the mark alone
    book = openpyxl.Workbook()
    sheet = book.active
    if sheet is None:
        raise AssertionError("a new workbook has a sheet")
    sheet.title = "餐食" if chinese else "meals"
    for values in (head, *rows):
        sheet.append(values)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _plain(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in {"=", "+", "-", "@", "\t"} else name
