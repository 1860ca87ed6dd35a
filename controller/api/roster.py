"""Routes of rosters, amendments, names, check-ins, sweeps and imports of a schedule."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, File, Form, Path, Query, Response, UploadFile

from contracts.api import BASE, Sentence, SessionState
from contracts.api.roster import (
    AmendmentBody,
    AmendmentView,
    CheckInBody,
    CheckInGiven,
    DecisionBody,
    ManualCheckIn,
    NamedSeat,
    NamesShown,
    NamesView,
    RosterBody,
    RosterView,
    SeatBody,
    SweepBody,
    SweepView,
)
from contracts.api.sessions import ImportBatch, ImportProblem, ImportResult
from contracts.units import ID_PATTERN, RoomId
from controller.api import sheets
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import (
    IdempotencyKey,
    IfMatch,
    check_if_match,
    problem_responses,
    with_etag,
)
from controller.api.problems import ProblemError, not_found, problem_of
from controller.api.sessions import SessionPath, check_granted, find_session, seen_session
from controller.auth.scopes import Scope
from controller.core import readiness, schedule_import, sweeps
from controller.core import roster as rosters
from controller.core.outputs import Refused
from controller.core.session_inputs import (
    AmendmentAsked,
    AmendmentDecided,
    CheckedIn,
    RoomSwept,
    RosterFilled,
    SessionsImported,
)
from controller.core.sessions import Session
from controller.core.state import Now

router = APIRouter(prefix=BASE)

SESSIONS: Final = "/sessions"
Reads = Annotated[Caller, Depends(Needs(Scope.ROSTER))]
Edits = Annotated[Caller, Depends(Needs(Scope.ROSTER_EDIT))]
Plans = Annotated[Caller, Depends(Needs(Scope.SESSIONS_ACT))]
Reports = Annotated[Caller, Depends(Needs(Scope.CHECK_IN))]
RoomPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a room.")]
NumberPath = Annotated[int, Path(ge=1, le=10_000, description="Number of an amendment.")]


def roster_view(context: Context, session: Session) -> RosterView:
    """A session's roster as it stands now, with what video says beside it."""
    state, now = context.state(), Now(context.clock.mono_ms(), context.clock.utc_ms())
    started = session.sealed_utc_ms is not None
    return RosterView(
        session_id=session.id,
        revision=session.revision,
        sha256=session.roster.sha256(),
        frozen_sha256=session.roster_sha256 if started else None,
        participants=rosters.participant_views(
            session.roster,
            session.scheduled_utc_ms,
            state.plan.session_policy,
            now.utc_ms,
            over=session.ended,
        ),
        amendments=tuple(rosters.amendment_view(row) for row in session.roster.amendments),
        refused=session.roster.refused,
        presence=readiness.presence(state, session, now),
    )


def _tag(session: Session) -> RosterBody:
    """What a roster's ETag is of: its seats alone, for attendance changes by itself."""
    seats = tuple(
        SeatBody(
            seat=row.seat,
            role=row.role,
            organisation=row.organisation,
            expert_code=row.expert_code,
            room_id=row.room_id,
        )
        for row in session.roster.active
    )
    return RosterBody.model_construct(seats=seats)


def _with_tag(response: Response, context: Context, session: Session) -> RosterView:
    with_etag(response, _tag(session))
    return roster_view(context, session)


@router.get(f"{SESSIONS}/{{session_id}}/roster", tags=["roster"], responses=problem_responses(404))
async def get_roster(
    session_id: SessionPath, context: ContextNeeded, caller: Reads, response: Response
) -> RosterView:
    """Seats and roles, who has come, who is late, and what video says; no names."""
    return _with_tag(response, context, await seen_session(context, caller, session_id))


@router.put(
    f"{SESSIONS}/{{session_id}}/roster",
    tags=["roster"],
    responses=problem_responses(404, 409, 412, 428),
)
async def put_roster(
    session_id: SessionPath,
    body: RosterBody,
    context: ContextNeeded,
    caller: Edits,
    response: Response,
    if_match: IfMatch = None,
) -> RosterView:
    """Set the whole roster of a scheduled session. A name left out stays as it is known."""
    session = await seen_session(context, caller, session_id)
    check_if_match(if_match, _tag(session))
    bare = tuple(row.bare() for row in body.seats)
    answer = await context.intake.ask(
        RosterFilled(session_id, session.revision, bare, caller.user.username)
    )
    if isinstance(answer, Refused):
        raise problem_of(answer)
    session = await find_session(context, session_id)
    numbers = {row.seat: row.number for row in session.roster.active}
    given = {numbers[row.seat]: row.name for row in body.seats if row.name is not None}
    await asyncio.to_thread(context.names.put, session_id, given, tuple(numbers.values()))
    return _with_tag(response, context, session)


@router.get(
    f"{SESSIONS}/{{session_id}}/roster/names",
    tags=["roster"],
    responses=problem_responses(404, 409),
)
async def get_names(
    session_id: SessionPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.NAMES))],
) -> NamesView:
    """Participants' names: only after the result, where the policy shows them at all."""
    session = await seen_session(context, caller, session_id)
    if context.state().plan.session_policy.names is NamesShown.NEVER:
        text = Sentence(
            zh="本中心的规则不显示姓名。", en="This site's policy never shows participants' names."
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    if session.state not in (SessionState.RELEASED, SessionState.ARCHIVED):
        text = Sentence(
            zh="姓名仅在场次解封后显示。", en="Names are shown after the session's release alone."
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    found = await asyncio.to_thread(context.names.read, session_id)
    rows = sorted(session.roster.participants, key=lambda row: (row.seat, row.number))
    return NamesView(
        session_id=session_id,
        names=tuple(
            NamedSeat(number=row.number, seat=row.seat, name=found[row.number])
            for row in rows
            if row.number in found
        ),
    )


# --- amendments ---------------------------------------------------------------------------------


@router.post(
    f"{SESSIONS}/{{session_id}}/amendments",
    tags=["roster"],
    status_code=201,
    responses=problem_responses(404, 409),
)
async def ask_amendment(
    session_id: SessionPath,
    body: AmendmentBody,
    context: ContextNeeded,
    caller: Edits,
    idempotency_key: IdempotencyKey = None,
) -> AmendmentView:
    """Ask for a change of the roster after people have gathered; another person decides it."""
    await seen_session(context, caller, session_id)
    who = caller.user.username

    async def make() -> AmendmentView:
        come = body.incoming
        bare = body.model_copy(
            update={"incoming": come.model_copy(update={"name": None}) if come else None}
        )
        answer = await context.intake.ask(AmendmentAsked(session_id, bare, who))
        if isinstance(answer, Refused):
            raise problem_of(answer)
        view = await _amendment(context, session_id, int(answer.entity_id))
        if come is not None and come.name is not None and view.number_coming is not None:
            names = {view.number_coming: come.name}
            await asyncio.to_thread(context.names.put, session_id, names, None)
        return view.shown

    request = f"POST {SESSIONS}/{session_id}/amendments"
    # The name must not be kept beside the answer: the digest of the body is enough.
    return await context.once(who, idempotency_key, request, body, AmendmentView, make)


class _Asked:
    """An amendment as it is shown, and the number of who comes by it."""

    def __init__(self, shown: AmendmentView, number_coming: int | None) -> None:
        self.shown = shown
        self.number_coming = number_coming


async def _amendment(context: Context, session_id: str, number: int) -> _Asked:
    session = await find_session(context, session_id)
    row = next(one for one in session.roster.amendments if one.number == number)
    return _Asked(rosters.amendment_view(row), row.incoming_number)


@router.post(
    f"{SESSIONS}/{{session_id}}/amendments/{{number}}/approve",
    tags=["roster"],
    responses=problem_responses(404, 409),
)
async def approve_amendment(
    session_id: SessionPath,
    number: NumberPath,
    context: ContextNeeded,
    caller: Edits,
    body: DecisionBody | None = None,
) -> AmendmentView:
    """Approve a change that another person asked for."""
    return await _decide(context, caller, session_id, number, body, approve=True)


@router.post(
    f"{SESSIONS}/{{session_id}}/amendments/{{number}}/refuse",
    tags=["roster"],
    responses=problem_responses(404, 409),
)
async def refuse_amendment(
    session_id: SessionPath,
    number: NumberPath,
    context: ContextNeeded,
    caller: Edits,
    body: DecisionBody | None = None,
) -> AmendmentView:
    """Refuse a change that another person asked for."""
    return await _decide(context, caller, session_id, number, body, approve=False)


async def _decide(
    context: Context,
    caller: Caller,
    session_id: str,
    number: int,
    body: DecisionBody | None,
    *,
    approve: bool,
) -> AmendmentView:
    await seen_session(context, caller, session_id)
    note = body.note if body is not None else ""
    answer = await context.intake.ask(
        AmendmentDecided(session_id, number, approve, note, caller.user.username)
    )
    if isinstance(answer, Refused):
        raise problem_of(answer)
    done = await _amendment(context, session_id, number)
    if not approve and done.number_coming is not None:
        await asyncio.to_thread(context.names.drop, session_id, (done.number_coming,))
    return done.shown


# --- check-ins ----------------------------------------------------------------------------------


@router.post(
    f"{SESSIONS}/{{session_id}}/check-ins", tags=["roster"], responses=problem_responses(404)
)
async def check_in_by_hand(
    session_id: SessionPath, body: ManualCheckIn, context: ContextNeeded, caller: Edits
) -> RosterView:
    """A person at the door says who came or went; the same `event_id` counts once."""
    session = await seen_session(context, caller, session_id)
    if rosters.find(session.roster, body.seat, None) is None:
        text = Sentence(
            zh=f"名单中没有席位 {body.seat}。", en=f"The roster has no seat {body.seat}."
        )
        raise ProblemError(HTTPStatus.NOT_FOUND, text)
    said = CheckInBody(kind=body.kind, utc_ms=body.utc_ms, seat=body.seat)
    event_id = body.event_id or f"hand-{secrets.token_hex(8)}"
    answer = await context.intake.ask(CheckedIn(event_id, said, caller.user.username, session_id))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return roster_view(context, await find_session(context, session_id))


@router.post("/check-ins", tags=["roster"], status_code=201, responses=problem_responses(404, 409))
async def check_in(
    body: CheckInBody,
    context: ContextNeeded,
    caller: Reports,
    idempotency_key: IdempotencyKey = None,
) -> CheckInGiven:
    """A door or an ID terminal reports; an event of the same id or key counts once."""
    if body.room_id is not None and not caller.sees_room(body.room_id):
        raise not_found("room", body.room_id)
    who = caller.user.username

    async def make() -> CheckInGiven:
        event_id = body.event_id or f"hook-{secrets.token_hex(8)}"
        answer = await context.intake.ask(CheckedIn(event_id, body, who))
        if isinstance(answer, Refused):
            raise problem_of(answer)
        return await _told(context, event_id, body, answer.entity_id)

    request = "POST /check-ins"
    return await context.once(who, idempotency_key, request, body, CheckInGiven, make)


async def _told(
    context: Context, event_id: str, body: CheckInBody, session_id: str
) -> CheckInGiven:
    unknown = Sentence(
        zh="已记录，但名单中没有此人，请联系监督人员。",
        en="Noted, but the roster knows nobody for it; call the supervisor.",
    )
    if not session_id:
        return CheckInGiven(event_id=event_id, known=False, text=unknown)
    session = await find_session(context, session_id)
    row = next((one for one in session.roster.check_ins if one.event_id == event_id), None)
    if row is None and body.kind in rosters.PRESENCE:
        return CheckInGiven(
            event_id=event_id, known=False, session_code=session.public_code, text=unknown
        )
    seats = (one.seat for one in session.roster.participants if row and one.number == row.number)
    return CheckInGiven(
        event_id=event_id,
        known=True,
        session_code=session.public_code,
        seat=next(seats, None),
        text=Sentence(zh="已登记。", en="Noted."),
    )


# --- sweeps -------------------------------------------------------------------------------------


@router.get("/rooms/{room_id}/sweep", tags=["roster"], responses=problem_responses(404))
async def get_sweep(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SESSIONS))],
) -> SweepView:
    """Whether the room has to be swept before the next session, and how it last was."""
    _check_room(context, caller, room_id)
    return sweeps.view(context.state().care.get(room_id), room_id)


@router.post("/rooms/{room_id}/sweep", tags=["roster"], responses=problem_responses(404))
async def sweep(
    room_id: RoomPath, body: SweepBody, context: ContextNeeded, caller: Plans
) -> SweepView:
    """Somebody looked through the room; it counts when all three things are made sure of."""
    _check_room(context, caller, room_id)
    answer = await context.intake.ask(RoomSwept(room_id, body, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return sweeps.view(context.state().care.get(room_id), room_id)


def _check_room(context: Context, caller: Caller, room_id: RoomId) -> None:
    known = {area.id for area in context.state().plan.site.config.areas}
    if room_id not in known or not caller.sees_room(room_id):
        raise not_found("room", room_id)


# --- imports ------------------------------------------------------------------------------------


@router.post(f"{SESSIONS}/import", tags=["sessions"], responses=problem_responses(409, 413))
async def import_file(
    context: ContextNeeded,
    caller: Plans,
    file: Annotated[UploadFile, File(description="CSV (UTF-8 or GBK) or XLSX, at most 1 MiB.")],
    *,
    dry_run: Annotated[bool, Form(description="Only say what is wrong; plan nothing.")] = False,
) -> ImportResult:
    """Plan a whole schedule from a file: every row is good, or nothing is planned."""
    content = await file.read(sheets.FILE_MAX_BYTES + 1)
    config = context.state().plan.site.config
    zone = ZoneInfo(config.time_zone)
    table = await asyncio.to_thread(sheets.read_table, content)
    if isinstance(table, ImportProblem):
        return ImportResult(dry_run=dry_run, rows=0, problems=(table,))
    words = schedule_import.room_words({area.id: area.name for area in config.areas})
    parsed = schedule_import.parsed(table, zone, words)
    return await _plan(context, caller, parsed, dry_run=dry_run)


@router.post(f"{SESSIONS}/batch", tags=["sessions"], responses=problem_responses(409, 413))
async def import_list(
    body: ImportBatch,
    context: ContextNeeded,
    caller: Plans,
    *,
    dry_run: Annotated[bool, Query(description="Only say what is wrong; plan nothing.")] = False,
) -> ImportResult:
    """Plan several sessions at once: all of them, or none."""
    rows = tuple(
        schedule_import.Planned(number, row) for number, row in enumerate(body.sessions, start=1)
    )
    return await _plan(context, caller, schedule_import.Parsed(len(rows), rows), dry_run=dry_run)


async def _plan(
    context: Context, caller: Caller, parsed: schedule_import.Parsed, *, dry_run: bool
) -> ImportResult:
    state, now = context.state(), context.clock.utc_ms()
    known = {area.id for area in state.plan.site.config.areas}
    checked = schedule_import.checked(parsed, known, state.sessions.values(), now)
    bodies = tuple(row.body for row in checked.rows)
    if checked.problems or dry_run:
        return schedule_import.result(checked, dry_run=dry_run)
    for body in bodies:
        check_granted(caller, body)
    rows = tuple((f"s-{context.new_id()}", body) for body in bodies)
    answer = await context.intake.ask(SessionsImported(rows, caller.user.username))
    if isinstance(answer, Refused):
        raise problem_of(answer)
    done = schedule_import.result(checked, dry_run=False)
    return done.model_copy(
        update={"imported": len(rows), "ids": tuple(session_id for session_id, _ in rows)}
    )


@router.get(
    f"{SESSIONS}/import-template.{{kind}}",
    tags=["sessions"],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, sheets.XLSX_TYPE: {}}}},
)
async def get_template(
    kind: Annotated[str, Path(pattern="^(csv|xlsx)$")],
    caller: Plans,
    lang: Annotated[str, Query(pattern="^(zh-CN|en)$")] = "zh-CN",
) -> Response:
    """An empty schedule with its columns and one example row, to be filled in."""
    content = await asyncio.to_thread(sheets.template, kind, chinese=lang == "zh-CN")
    media = sheets.XLSX_TYPE if kind == "xlsx" else "text/csv; charset=utf-8"
    name = f'attachment; filename="schedule.{kind}"'
    return Response(content, media_type=media, headers={"Content-Disposition": name})
