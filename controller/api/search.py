"""Routes of search, of a room's timeline, and of playing all its cameras at one moment."""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Path, Query

from contracts.api import BASE, PAGE_MAX, Disposition, Handling, Sentence
from contracts.api.search import (
    MARKS_MAX,
    QUERY_MAX_CHARS,
    TIMELINE_MAX_MS,
    FoundKind,
    Place,
    PlaceTrack,
    PlayerLink,
    RoomPlayers,
    SealSpan,
    SearchPage,
    Timeline,
    TimelineTrack,
)
from contracts.devices import Named
from contracts.observations import Severity
from contracts.units import ID_PATTERN, CameraId, RoomId, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.nodes import camera_resource, door_of
from controller.api.playback import RECORDING_SCOPE, RECORDING_TTL_MS
from controller.api.problems import ProblemError, forbidden, not_found
from controller.auth.scopes import Scope
from controller.core.searching import Filters
from controller.core.sessions import Session
from controller.store.search import CursorNotOursError

log = structlog.get_logger(__name__)

router = APIRouter(prefix=BASE, tags=["search"])

PAGE_DEFAULT: Final = 50  # two screens
SESSIONS_OF_ROOM_MAX: Final = 200  # two days have a handful
UTC_MAX_MS: Final = 4_102_444_800_000  # the year 2100: more digits are microseconds by mistake

ShadowQuery = Annotated[
    bool, Query(description="What rules in shadow found, instead of what people were told.")
]

_SCOPE_OF: Final = {
    FoundKind.ALERT: Scope.ALERTS,
    FoundKind.SEGMENT: Scope.RECORDINGS,
    FoundKind.GAP: Scope.RECORDINGS,
    FoundKind.MANIFEST: Scope.RECORDINGS,
    FoundKind.RECORD: Scope.RECORD,
    FoundKind.SESSION: Scope.SESSIONS,
}


def _filters(  # noqa: PLR0913, PLR0917  # one parameter a filter, as FastAPI reads them
    text: Annotated[
        str,
        Query(
            max_length=QUERY_MAX_CHARS,
            description="Words in Chinese or English, all of which must be there.",
            examples=["离席", "phone", "断电 cam-2"],
        ),
    ] = "",
    kind: Annotated[
        list[FoundKind] | None, Query(description="What to look through; left out: everything.")
    ] = None,
    room: Annotated[str | None, Query(pattern=ID_PATTERN, description="Id of a room.")] = None,
    track: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="Id of a camera or pickup.")
    ] = None,
    rule: Annotated[
        str | None,
        Query(pattern=r"^[a-z][a-z0-9_.]{1,79}$", examples=["area.over_admitted"]),
    ] = None,
    severity: Annotated[Severity | None, Query()] = None,
    handling: Annotated[Handling | None, Query()] = None,
    disposition: Annotated[Disposition | None, Query()] = None,
    session: Annotated[str | None, Query(pattern=ID_PATTERN, description="Id.")] = None,
    begin: Annotated[
        int | None, Query(alias="from", ge=0, le=UTC_MAX_MS, description="UTC milliseconds.")
    ] = None,
    end: Annotated[
        int | None, Query(alias="to", ge=0, le=UTC_MAX_MS, description="Excluded.")
    ] = None,
    shadow: ShadowQuery = False,  # noqa: FBT002  # a query parameter, always given by name
) -> Filters:
    return Filters(
        kinds=tuple(dict.fromkeys(kind)) if kind else tuple(FoundKind),
        text=text,
        from_utc_ms=None if begin is None else UtcMs(begin),
        to_utc_ms=None if end is None else UtcMs(end),
        rooms=None if room is None else (room,),
        track=track,
        rule=rule,
        severity=severity,
        handling=handling,
        disposition=disposition,
        session_id=session,
        shadow=shadow,
    )


FiltersGiven = Annotated[Filters, Depends(_filters)]
RoomPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a room or area.")]


def _granted(asked: Filters, caller: Caller) -> Filters:
    """The same, within what this account may see: kinds by its scopes, rooms and sectors."""
    kinds = tuple(kind for kind in asked.kinds if _SCOPE_OF[kind] in caller.scopes)
    grants = caller.user.grants
    rooms = asked.rooms
    if grants.rooms is not None:
        rooms = tuple(room for room in grants.rooms if rooms is None or room in rooms)
    return replace(asked, kinds=kinds, rooms=rooms, sectors=grants.sectors)


@router.get("/search", responses=problem_responses(503))
async def search(
    asked: FiltersGiven,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SEARCH))],
    cursor: Annotated[
        str | None, Query(max_length=400, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT,
) -> SearchPage:
    """Search in alerts, recordings, sessions and their records, newest first.

    All filters count together. Text finds words of two and more Chinese characters, and beginnings
    of three and more Latin letters, in titles, what was seen, notes, lines of the record and
    reasons of gaps. Recorded segments have no text and are found by time, room and track.
    """
    asked = _granted(asked, caller)
    if not asked.kinds or asked.rooms == ():
        return SearchPage(items=())
    try:
        page = await asyncio.to_thread(
            lambda: context.finding.searches.page(asked, cursor=cursor, limit=limit)
        )
    except CursorNotOursError:
        text = Sentence(
            zh="cursor 无效，请从第一页重新开始。",
            en="cursor is none of ours; begin again without it.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text) from None
    more = page.cursor.text() if page.cursor else None
    return SearchPage(items=page.items, next_cursor=more)


@router.get("/search/places")
async def get_places(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SEARCH, Scope.STATISTICS))],
) -> tuple[Place, ...]:
    """Rooms and areas with their cameras and pickups: what a search can be narrowed to."""
    return tuple(
        Place(
            room_id=area.id,
            name=area.name,
            tracks=tuple(
                PlaceTrack(track_id=track, name=name, kind=kind)
                for track, name, kind in _tracks(context, area.id)
            ),
        )
        for area in context.state().plan.site.config.areas
        if caller.sees_room(area.id)
    )


def _interval(begin: int, end: int) -> tuple[UtcMs, UtcMs]:
    if not 0 < end - begin <= TIMELINE_MAX_MS:
        hours = TIMELINE_MAX_MS // 3_600_000
        text = Sentence(
            zh=f"from 必须早于 to，且相差不超过 {hours} 小时。",
            en=f"from must lie before to, by {hours} hours at the most.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    return UtcMs(begin), UtcMs(end)


def _room(context: Context, caller: Caller, room_id: RoomId) -> None:
    known = any(area.id == room_id for area in context.state().plan.site.config.areas)
    if not known or not caller.sees_room(room_id):
        raise not_found("room", room_id)


@router.get("/rooms/{room_id}/timeline", responses=problem_responses(404, 503))
async def get_timeline(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SEARCH))],
    begin: Annotated[
        int, Query(alias="from", ge=0, le=UTC_MAX_MS, description="UTC milliseconds.")
    ],
    end: Annotated[int, Query(alias="to", ge=0, le=UTC_MAX_MS, description="Two days behind.")],
) -> Timeline:
    """A room over an interval: what each track recorded, gaps with reasons, seals, what happened.

    Without the right to recordings the tracks are left out; without the right to a session's
    sector, what belongs to that session is.
    """
    _room(context, caller, room_id)
    since, until = _interval(begin, end)
    asked = _granted(
        Filters(
            kinds=(FoundKind.ALERT, FoundKind.RECORD),
            rooms=(room_id,),
            from_utc_ms=since,
            to_utc_ms=until,
        ),
        caller,
    )
    sees = Scope.RECORDINGS in caller.scopes
    tracks = _tracks(context, room_id) if sees else ()
    finding = context.finding
    covers = await asyncio.to_thread(
        finding.timelines.covers, [track for track, _, _ in tracks], since, until
    )
    marks = None
    if asked.kinds:
        marks = await asyncio.to_thread(lambda: finding.searches.page(asked, limit=MARKS_MAX))
    seals = await asyncio.to_thread(_seals, context, caller, room_id, since, until)
    return Timeline(
        room_id=room_id,
        from_utc_ms=since,
        to_utc_ms=until,
        tracks=tuple(
            TimelineTrack(
                track_id=track,
                name=name,
                kind=kind,
                recorded=covers[track].recorded,
                gaps=covers[track].gaps,
            )
            for track, name, kind in tracks
        ),
        seals=seals,
        marks=tuple(reversed(marks.items)) if marks else (),
        more_marks=marks is not None and marks.cursor is not None,
    )


def _tracks(context: Context, room_id: RoomId) -> tuple[tuple[str, Named, str], ...]:
    site = context.state().plan.site
    cameras = ((row.id, row.name, "camera") for row in site.cameras_of(room_id))
    pickups = ((row.id, row.name, "pickup") for row in site.pickups if row.area == room_id)
    return (*cameras, *pickups)


def _seals(
    context: Context, caller: Caller, room_id: RoomId, since: UtcMs, until: UtcMs
) -> tuple[SealSpan, ...]:
    known: dict[str, Session] = {
        row.id: row
        for row in context.finding.timelines.sessions(room_id, limit=SESSIONS_OF_ROOM_MAX)
    }
    known |= context.state().sessions
    return tuple(
        SealSpan(
            session_id=row.id,
            title=row.title,
            from_utc_ms=UtcMs(max(row.sealed_utc_ms, since)),
            to_utc_ms=UtcMs(min(row.released_utc_ms or until, until)),
        )
        for row in known.values()
        if room_id in row.rooms
        and row.sealed_utc_ms is not None
        and row.sealed_utc_ms < until
        and (row.released_utc_ms or until) > since
        and caller.sees_session(row)
    )


@router.get("/rooms/{room_id}/players", responses=problem_responses(404, 503))
async def get_players(
    room_id: RoomPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RECORDINGS))],
) -> RoomPlayers:
    """Where a browser plays all cameras of a room, with tickets for minutes; each asking is logged.

    An account that sees some sectors alone gets none: a ticket opens a camera at any time, so it
    asks for a retrieval of its session instead.
    """
    _room(context, caller, room_id)
    if not caller.user.grants.picture:
        raise forbidden()
    if caller.user.grants.sectors is not None:
        text = Sentence(
            zh="您的账号仅可查看部分行业的场次，请通过调阅申请查看录像。",
            en="Your account sees some sectors alone: ask for a retrieval of the session.",
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, text)
    sound = Scope.SOUND in caller.scopes and caller.user.grants.sound
    players: list[PlayerLink] = []
    missing: list[CameraId] = []
    now = context.clock.utc_ms()
    for camera in context.state().plan.site.cameras_of(room_id):
        try:
            door = door_of(context, context.state().plan.watcher.get(camera.area))
        except ProblemError:
            missing.append(camera.id)
            continue
        resource = camera_resource(camera.id)
        players.append(
            PlayerLink(
                camera_id=camera.id,
                name=camera.name,
                base_url=f"{door.base}{resource}",
                ticket=door.ticket(caller, RECORDING_SCOPE, resource, RECORDING_TTL_MS),
                sound=sound,
            )
        )
    log.info("room_players_issued", room_id=room_id, username=caller.user.username)
    return RoomPlayers(
        room_id=room_id,
        players=tuple(players),
        missing=tuple(missing),
        expires_utc_ms=UtcMs(now + RECORDING_TTL_MS),
    )
