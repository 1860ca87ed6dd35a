"""Routes of duty: the roster, who is on duty, gaps, hand-overs, the rules of escalation."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from contracts.api import BASE, PAGE_MAX, Handling, Sentence
from contracts.api.duty import (
    DutyLevel,
    DutyNow,
    DutyWeek,
    EscalationSettings,
    EscalationView,
    Handover,
    HandoverBody,
    HandoverPage,
    OnDuty,
    RosterBody,
    RosterView,
)
from contracts.api.notices import DeliveryState
from contracts.units import UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import (
    IdempotencyKey,
    IfMatch,
    check_if_match,
    etag_of,
    problem_responses,
    with_etag,
)
from controller.api.problems import ProblemError
from controller.auth.scopes import Scope
from controller.core import duty_roster
from controller.core.alerts import AT_WORK
from controller.core.state import EscalationSet, SiteState

router = APIRouter(prefix=f"{BASE}/duty", tags=["duty"])

AHEAD_MS: Final = 24 * 3_600_000  # a gap within a day is warned of: it can still be filled
DAY_MS: Final = 24 * 3_600_000
TIME_MAX: Final = 4_102_444_800_000  # the year 2100

Reading = Annotated[Caller, Depends(Needs(Scope.DUTY, Scope.DUTY_EDIT))]
Editing = Annotated[Caller, Depends(Needs(Scope.DUTY_EDIT))]


@router.get("/roster")
async def get_roster(context: ContextNeeded, _: Reading, response: Response) -> RosterView:
    """The roster as it is written; its ``ETag`` is wanted by a change."""
    return with_etag(response, await asyncio.to_thread(context.duty.roster.roster))


@router.put("/roster", responses=problem_responses(412, 428, 503))
async def put_roster(
    body: RosterBody,
    context: ContextNeeded,
    caller: Editing,
    response: Response,
    seen: IfMatch = None,
) -> RosterView:
    """Write the roster anew; every earlier revision is kept."""
    before = await asyncio.to_thread(context.duty.roster.roster)
    check_if_match(seen, before)
    channels = {row.id for row in context.duty.notices.book.list().items}
    unknown = sorted(
        f"{person.username}: {channel}"
        for person in body.people
        for channel in person.channels
        if channel not in channels
    )
    if unknown:
        text = Sentence(
            zh=f"没有这些通知通道：{'、'.join(unknown)[:200]}；请先添加通道。",
            en=f"There are no such channels: {', '.join(unknown)[:200]}; add them first.",
        )
        raise ProblemError(422, text)
    after = await asyncio.to_thread(
        lambda: context.duty.roster.put_roster(
            body,
            expected=before.revision,
            by=caller.user.username,
            utc_ms=context.clock.utc_ms(),
        )
    )
    if after is None:
        check_if_match(etag_of(before), await asyncio.to_thread(context.duty.roster.roster))
        raise ProblemError(412, _changed())
    return with_etag(response, after)


def _changed() -> Sentence:
    return Sentence(
        zh="刚被他人修改，请重新读取后再改。",
        en="It was changed a moment ago: read it again, then change it.",
    )


@router.get("/now")
async def get_now(context: ContextNeeded, _: Reading) -> DutyNow:
    """Who is on duty now, level by level, and what is wrong with it."""
    return await asyncio.to_thread(_now, context)


@router.get("/days")
async def get_days(
    context: ContextNeeded,
    _: Reading,
    start_utc_ms: Annotated[int, Query(ge=0, le=TIME_MAX)],
    days: Annotated[int, Query(ge=1, le=duty_roster.SPAN_DAYS_MAX)] = 7,
) -> DutyWeek:
    """Duty over some days from a moment on, with its gaps."""
    start, end = UtcMs(start_utc_ms), UtcMs(start_utc_ms + days * DAY_MS)
    view = await asyncio.to_thread(context.duty.roster.roster)
    zone = context.duty.zone
    return DutyWeek(
        start_utc_ms=start,
        end_utc_ms=end,
        spans=duty_roster.spans(view.roster, start, end, zone),
        gaps=tuple(
            gap
            for level in DutyLevel
            for gap in duty_roster.gaps(view.roster, start, end, zone, level)
        ),
    )


@router.get("/escalation")
async def get_escalation(context: ContextNeeded, _: Reading, response: Response) -> EscalationView:
    """Whom an alert that nobody takes is told to, after what time; `ETag`: wanted by a change."""
    return with_etag(response, await _escalation(context))


@router.put("/escalation", responses=problem_responses(412, 428, 503))
async def put_escalation(
    body: EscalationSettings,
    context: ContextNeeded,
    caller: Editing,
    response: Response,
    seen: IfMatch = None,
) -> EscalationView:
    """Set the rules of escalation; they count at once, for alerts that are open too."""
    before = await _escalation(context)
    check_if_match(seen, before)
    by, now = caller.user.username, context.clock.utc_ms()
    after = await asyncio.to_thread(
        lambda: context.duty.roster.put_escalation(
            body, expected=before.revision, by=by, utc_ms=now
        )
    )
    if after is None:
        check_if_match(etag_of(before), await _escalation(context))
        raise ProblemError(412, _changed())
    await context.intake.ask(EscalationSet(body))
    return with_etag(response, after)


async def _escalation(context: Context) -> EscalationView:
    plan = context.state().plan
    return await asyncio.to_thread(context.duty.roster.escalation, plan.escalation)


@router.post("/handovers", status_code=201, responses=problem_responses(409, 503))
async def hand_over(
    body: HandoverBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.DUTY))],
    key: IdempotencyKey = None,
) -> Handover:
    """Give the duty over, with what the next must know; how many alerts are open is noted."""

    async def make() -> Handover:
        return await asyncio.to_thread(
            lambda: context.duty.roster.add_handover(
                by=caller.user.username,
                to=body.to,
                text=body.text,
                open_alerts=_open_alerts(context.state()),
                utc_ms=context.clock.utc_ms(),
            )
        )

    return await context.once(
        caller.user.username, key, "POST /duty/handovers", body, Handover, make
    )


@router.get("/handovers")
async def get_handovers(
    context: ContextNeeded,
    _: Reading,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> HandoverPage:
    """Hand-overs, newest first; ``next_before`` asks for the page behind."""
    rows = await asyncio.to_thread(
        lambda: context.duty.roster.handovers(before=before, limit=limit + 1)
    )
    more = len(rows) > limit
    return HandoverPage(items=rows[:limit], next_before=rows[limit - 1].number if more else None)


def _open_alerts(state: SiteState) -> int:
    waiting = AT_WORK | {Handling.NEW}
    return sum(1 for row in state.alerts.values() if row.handling in waiting and not row.shadow)


def _now(context: Context) -> DutyNow:
    now, zone = context.clock.utc_ms(), context.duty.zone
    roster = context.duty.roster.roster().roster
    last = context.duty.roster.handovers(before=None, limit=1)
    return DutyNow(
        utc_ms=now,
        levels=tuple(
            OnDuty(
                level=level,
                people=duty_roster.on_duty(roster, now, zone, level),
                until_utc_ms=duty_roster.until(roster, now, zone, level),
            )
            for level in DutyLevel
        ),
        warnings=tuple(_warnings(context, roster, now)),
        last_handover=last[0] if last else None,
    )


def _warnings(context: Context, roster: RosterBody, now: UtcMs) -> list[Sentence]:
    found: list[Sentence] = []
    zone, level = context.duty.zone, DutyLevel.OFFICER
    ahead = UtcMs(now + AHEAD_MS)
    holes = duty_roster.gaps(roster, now, ahead, zone, level)
    if not duty_roster.on_duty(roster, now, zone, level):
        found.append(Sentence(zh="现在无人值班。", en="Nobody is on duty now."))
    elif holes:
        hours = max(1, round((holes[0].start_utc_ms - now) / 3_600_000))
        found.append(
            Sentence(
                zh=f"约 {hours} 小时后将无人值班，请补排。",
                en=f"In about {hours} h nobody is on duty: fill the roster.",
            )
        )
    if context.duty.notices.book.empty:
        found.append(
            Sentence(
                zh="尚未设置通知通道：预警只显示在本系统界面上。",
                en="No channel is set up: alerts show in this console alone.",
            )
        )
    else:
        reachable = {row.id for row in context.duty.notices.book.list().items if row.enabled}
        mute = [
            person.username
            for person in duty_roster.on_duty(roster, now, zone, level)
            if not reachable & set(person.channels)
        ]
        if mute:
            names = ", ".join(mute)[:200]
            found.append(
                Sentence(
                    zh=f"值班人员没有可用的通知通道：{names}。",
                    en=f"On duty without a channel that works: {names}.",
                )
            )
    dead = context.duty.log.counts().get(DeliveryState.DEAD, 0)
    if dead:
        found.append(
            Sentence(
                zh=f"{dead} 条通知多次发送失败，已停止，请检查通道。",
                en=f"{dead} notices were given up after all tries: look at their channels.",
            )
        )
    return found
