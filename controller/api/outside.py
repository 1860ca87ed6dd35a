"""Routes of acting from outside: calls, texts, talk, emergency entry, listening."""

import asyncio
import hashlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Header, Path, Response

from contracts.api import BASE, Sentence
from contracts.api.outside import (
    CallBody,
    CallView,
    EntryBody,
    EntryView,
    ListenBody,
    ListeningGiven,
    ListeningView,
    OutsideView,
    TalkBody,
    TalkGiven,
    TalkSound,
    TextBody,
    TextView,
)
from contracts.units import RoomId, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.nodes import NodeDoor, door_of, glass_for
from controller.api.problems import ProblemError, forbidden, not_found, problem_of
from controller.api.rooms import RoomPath
from controller.auth.scopes import Scope
from controller.core import acts, outside, outside_views
from controller.core.outputs import Refused
from controller.core.outside import (
    LISTEN_LEASE_MS,
    TALK_BEGIN_MS,
    TALK_LIMIT_MS,
    Call,
    Entry,
    Listening,
    OutsideAct,
    OutsideInput,
    Talk,
    Text,
)

log = structlog.get_logger(__name__)

router = APIRouter(prefix=BASE, tags=["outside"])

TALK_TICKET: Final = "talk"  # the edge nodes' names for them, and ours
LISTEN_TICKET: Final = "listen"
SOUND_TICKET: Final = "sound"
SOUND_TTL_MS: Final = 5 * 60_000  # as of alerts' sounds: a page is looked at for minutes

IdPath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$", description="Id of a call, text...")]
KeyHeader = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=8, max_length=80, pattern=r"^[\x21-\x7e]+$"),
]
Texting = Annotated[Caller, Depends(Needs(Scope.TEXT))]
InRoom = Annotated[Caller, Depends(Needs(Scope.TEXT, Scope.TEXT_OWN))]
Entering = Annotated[Caller, Depends(Needs(Scope.ENTRY))]
Approving = Annotated[Caller, Depends(Needs(Scope.ENTRY_APPROVE))]
Hearing = Annotated[Caller, Depends(Needs(Scope.LISTEN, Scope.BREAK_GLASS))]

SCOPES_OF: Final[dict[str, tuple[Scope, ...]]] = {
    "call": (Scope.TEXT,),
    "text": (Scope.TEXT,),
    "talk": (Scope.TALK,),
    "entry": (Scope.ENTRY, Scope.ENTRY_APPROVE),
    "listening": (Scope.LISTEN,),
}
"""Which scope shows acts of a kind; a room's own tablet sees calls, texts and talks of its room."""

OWN: Final = frozenset({"call", "text", "talk"})


def _room(context: Context, caller: Caller, room_id: RoomId) -> None:
    if not acts.knows_room(context.state(), room_id) or not caller.sees_room_now(context, room_id):
        raise not_found("room", room_id)


def _act(context: Context, caller: Caller, act_id: str) -> OutsideAct:
    act = context.state().acts.get(act_id)
    if act is None or not caller.sees_room_now(context, act.room_id):
        raise not_found("act", act_id)
    return act


async def _done(context: Context, given: OutsideInput) -> OutsideAct:
    answer = await context.intake.ask(given)
    if isinstance(answer, Refused):
        raise problem_of(answer)
    return context.state().acts[answer.entity_id]


def _id(context: Context, kind: str, caller: Caller, key: str | None) -> str:
    """A new id; the same key of the same account gives the same, so that nothing is done twice."""
    if key is None:
        return f"{kind}-{context.new_id()}"
    digest = hashlib.sha256(f"{caller.user.username}\0{key}".encode()).hexdigest()
    return f"{kind}-{digest[:16]}"


def _shows(caller: Caller, act: OutsideAct) -> bool:
    if caller.scopes.intersection(SCOPES_OF[act.kind]):
        return True
    own = act.kind in OWN and Scope.TEXT_OWN in caller.scopes
    return own and act.room_id == caller.user.room_id


@router.get("/outside")
async def get_outside(
    context: ContextNeeded,
    caller: Annotated[
        Caller,
        Depends(Needs(Scope.TEXT, Scope.TEXT_OWN, Scope.TALK, Scope.ENTRY, Scope.LISTEN)),
    ],
) -> OutsideView:
    """Calls, texts, talks, entries and listenings that the asker may see: open and recent ones."""
    return outside_of(context, caller)


def outside_of(context: Context, caller: Caller) -> OutsideView:
    """What goes on between the outside and the rooms that this caller reaches."""
    state = context.state()
    rows = [
        act for act in state.acts.values()
        if _shows(caller, act) and caller.sees_room_now(context, act.room_id)
    ]  # fmt: skip
    areas = [
        row.id for row in state.plan.site.config.areas if caller.sees_room_now(context, row.id)
    ]
    may_talk = Scope.TALK in caller.scopes
    may_hear = Scope.LISTEN in caller.scopes and caller.user.grants.sound
    return OutsideView(
        calls=tuple(outside_views.call_view(row) for row in _of(rows, Call)),
        texts=tuple(outside_views.text_view(row) for row in _of(rows, Text)),
        talks=tuple(outside_views.talk_view(row) for row in _of(rows, Talk)),
        entries=tuple(outside_views.entry_view(row) for row in _of(rows, Entry)),
        listenings=tuple(outside_views.listening_view(row) for row in _of(rows, Listening)),
        talkable=tuple(row for row in areas if may_talk and _mouths(context, row)),
        audible=tuple(row for row in areas if may_hear and _ears(context, row)),
    )


def _of(rows: Iterable[OutsideAct], kind: type[acts.ActT]) -> tuple[acts.ActT, ...]:
    return tuple(row for row in rows if isinstance(row, kind))


# --- calls ------------------------------------------------------------------------------------


@router.post("/rooms/{room_id}/calls", status_code=201)
async def call(
    room_id: RoomPath, body: CallBody, context: ContextNeeded, caller: InRoom
) -> CallView:
    """Call the supervisor from a room; while it rings, the same reason is the same call."""
    _room(context, caller, room_id)
    caller.check_room(Scope.TEXT, room_id)
    call_id = f"call-{context.new_id()}"
    given = outside.CallRaised(call_id, room_id, body.reason, caller.user.username)
    return outside_views.call_view(_is(await _done(context, given), Call))


@router.post("/calls/{act_id}/answer")
async def answer_call(act_id: IdPath, context: ContextNeeded, caller: Texting) -> CallView:
    """I see to it."""
    _act(context, caller, act_id)
    given = outside.CallAnswered(act_id, caller.user.username)
    return outside_views.call_view(_is(await _done(context, given), Call))


@router.post("/calls/{act_id}/end")
async def end_call(act_id: IdPath, context: ContextNeeded, caller: InRoom) -> CallView:
    """It is settled; in the room: we no longer need anybody."""
    caller.check_room(Scope.TEXT, _act(context, caller, act_id).room_id)
    given = outside.CallEnded(act_id, caller.user.username)
    return outside_views.call_view(_is(await _done(context, given), Call))


# --- texts ------------------------------------------------------------------------------------


@router.post("/rooms/{room_id}/texts", status_code=201)
async def write(
    room_id: RoomPath,
    body: TextBody,
    context: ContextNeeded,
    caller: Texting,
    key: KeyHeader = None,
) -> TextView:
    """Write to a room's tablet: a template in both languages, or words of one's own."""
    _room(context, caller, room_id)
    text_id = _id(context, "text", caller, key)
    given = outside.TextSent(text_id, room_id, body, caller.user.username)
    return outside_views.text_view(_is(await _done(context, given), Text))


@router.post("/texts/{act_id}/read")
async def read_text(act_id: IdPath, context: ContextNeeded, caller: InRoom) -> TextView:
    """Somebody in the room has read it."""
    if Scope.TEXT_OWN not in caller.scopes:
        raise forbidden()
    caller.check_room(Scope.TEXT, _act(context, caller, act_id).room_id)
    given = outside.TextRead(act_id, caller.user.username)
    return outside_views.text_view(_is(await _done(context, given), Text))


# --- talk -------------------------------------------------------------------------------------


@router.post("/rooms/{room_id}/talks", status_code=201)
async def talk(
    room_id: RoomPath,
    body: TalkBody,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.TALK))],
) -> TalkGiven:
    """Talk into a room: where the browser sends its microphone. One talker a room at a time."""
    _room(context, caller, room_id)
    cameras = _mouths(context, room_id)
    if not cameras or (body.camera_id is not None and body.camera_id not in cameras):
        text = Sentence(
            zh="该评标室没有可对讲的摄像机（摄像机设置 backchannel: auto）。",
            en="No camera of this room can be talked over (backchannel: auto in its file).",
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    door = _door(context, room_id)
    talk_id = f"talk-{context.new_id()}"
    camera_id = body.camera_id or cameras[0]
    given = outside.TalkAsked(talk_id, room_id, camera_id, body.call_id, caller.user.username)
    begun = _is(await _done(context, given), Talk)
    path = f"{BASE}/cameras/{camera_id}/talk/{talk_id}"
    ticket = door.ticket(caller, TALK_TICKET, path, TALK_BEGIN_MS)
    log.info("talk_ticket_issued", room_id=room_id, username=caller.user.username)
    return TalkGiven(
        talk=outside_views.talk_view(begun),
        url=_socket(door, path, ticket),
        expires_utc_ms=UtcMs(door.now_utc_ms + TALK_BEGIN_MS),
        limit_ms=TALK_LIMIT_MS,
    )


@router.get("/talks/{act_id}/sound")
async def get_talk_sound(
    act_id: IdPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SOUND))],
) -> TalkSound:
    """Where a browser hears what was said into a room: the very file whose hash stands recorded."""
    found = context.state().acts.get(act_id)
    if found is None:
        found = await asyncio.to_thread(context.reader.find_act, act_id)
    sha256 = found.sha256 if isinstance(found, Talk) else None
    if found is None or sha256 is None or not caller.sees_room_now(context, found.room_id):
        raise not_found("talk", act_id)
    caller.needs_sound()
    door = _door(context, found.room_id)
    path = f"{BASE}/talks/{sha256}.flac"
    ticket = door.ticket(caller, SOUND_TICKET, path, SOUND_TTL_MS)
    return TalkSound(
        talk_id=act_id,
        sha256=sha256,
        url=f"{door.base}{path}?{urlencode({'ticket': ticket})}",
        expires_utc_ms=UtcMs(door.now_utc_ms + SOUND_TTL_MS),
    )


# --- emergency entry --------------------------------------------------------------------------


@router.post("/rooms/{room_id}/entries", status_code=201)
async def ask_entry(
    room_id: RoomPath,
    body: EntryBody,
    context: ContextNeeded,
    caller: Entering,
    key: KeyHeader = None,
) -> EntryView:
    """Ask for an emergency entry. Fire and medical open at once, others when two have approved."""
    _room(context, caller, room_id)
    entry_id = _id(context, "entry", caller, key)
    given = outside.EntryAsked(entry_id, room_id, body, caller.user.username)
    return outside_views.entry_view(_is(await _done(context, given), Entry))


@router.post("/entries/{act_id}/approve")
async def approve_entry(act_id: IdPath, context: ContextNeeded, caller: Approving) -> EntryView:
    """Approve it; who asked may not, and nobody may twice."""
    return await _judge(act_id, context, caller, approves=True)


@router.post("/entries/{act_id}/refuse")
async def refuse_entry(act_id: IdPath, context: ContextNeeded, caller: Approving) -> EntryView:
    """Refuse it."""
    return await _judge(act_id, context, caller, approves=False)


async def _judge(act_id: str, context: Context, caller: Caller, *, approves: bool) -> EntryView:
    _act(context, caller, act_id)
    given = outside.EntryJudged(act_id, approves, caller.user.username)
    return outside_views.entry_view(_is(await _done(context, given), Entry))


@router.post("/entries/{act_id}/end")
async def end_entry(act_id: IdPath, context: ContextNeeded, caller: Entering) -> EntryView:
    """Everybody who went in is out again; before it is open: the asking is withdrawn."""
    _act(context, caller, act_id)
    given = outside.EntryEnded(act_id, caller.user.username)
    return outside_views.entry_view(_is(await _done(context, given), Entry))


# --- listening --------------------------------------------------------------------------------


@router.post("/rooms/{room_id}/listenings", status_code=201)
async def listen(
    room_id: RoomPath, body: ListenBody, context: ContextNeeded, caller: Hearing
) -> ListeningGiven:
    """Hear a room live. What the same account heard before ends; renew within 20 s."""
    _room(context, caller, room_id)
    caller.needs_sound()
    if Scope.LISTEN not in caller.scopes:
        glass = await glass_for(context, caller, room_id, sound=True)
        if glass is None:
            raise forbidden()
    sources = _ears(context, room_id)
    if not sources or (body.source_id is not None and body.source_id not in sources):
        text = Sentence(
            zh="该评标室没有可监听的拾音器。", en="This room has no such microphone to listen to."
        )
        raise ProblemError(HTTPStatus.CONFLICT, text)
    door = _door(context, room_id)
    given = outside.ListenAsked(
        f"hear-{context.new_id()}", room_id, body.source_id or sources[0], caller.user.username
    )
    begun = _is(await _done(context, given), Listening)
    log.info("listening_began", room_id=room_id, username=caller.user.username)
    return _listening(context, caller, begun, door)


@router.post("/listenings/{act_id}/renew")
async def renew_listening(
    act_id: IdPath, context: ContextNeeded, caller: Hearing
) -> ListeningGiven:
    """A new ticket, for who still may; without one the node ends the sound."""
    room_id = _act(context, caller, act_id).room_id
    caller.needs_sound()
    if Scope.LISTEN not in caller.scopes and not _glass_open(context, caller, room_id):
        raise forbidden()
    door = _door(context, room_id)
    given = outside.ListenRenewed(act_id, caller.user.username)
    return _listening(context, caller, _is(await _done(context, given), Listening), door)


@router.delete("/listenings/{act_id}", status_code=204, response_class=Response)
async def stop_listening(act_id: IdPath, context: ContextNeeded, caller: Hearing) -> Response:
    """Stop hearing it."""
    act = _act(context, caller, act_id)
    if not isinstance(act, Listening) or act.by != caller.user.username:
        raise not_found("listening", act_id)
    await _done(context, outside.ListenStopped(act_id, caller.user.username))
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/listenings")
async def get_listenings(context: ContextNeeded, caller: Hearing) -> tuple[ListeningView, ...]:
    """Who hears which room now."""
    rows = acts.going_on(context.state(), Listening)
    return tuple(
        outside_views.listening_view(row)
        for row in rows
        if caller.sees_room_now(context, row.room_id)
    )


def _glass_open(context: Context, caller: Caller, room_id: RoomId) -> bool:
    """Whether a glass that was broken for this room's sound still stands open."""
    session_id = acts.session_id_of(context.state(), room_id)
    if session_id is None:
        return False
    glass = context.security.glass.opened(caller.user.username, room_id, session_id)
    return glass is not None and glass.sound


def _listening(
    context: Context, caller: Caller, listening: Listening, door: NodeDoor
) -> ListeningGiven:
    path = f"{BASE}/listen/{listening.source_id}/{listening.id}"
    ticket = door.ticket(caller, LISTEN_TICKET, path, LISTEN_LEASE_MS)
    return ListeningGiven(
        listening=outside_views.listening_view(listening),
        url=_socket(door, path, ticket),
        ticket=ticket,
        sources=_ears(context, listening.room_id),
        expires_utc_ms=UtcMs(door.now_utc_ms + LISTEN_LEASE_MS),
    )


def _mouths(context: Context, room_id: RoomId) -> tuple[str, ...]:
    """The room's cameras that are set to try an audio back channel."""
    cameras = context.state().plan.site.cameras_of(room_id)
    return tuple(one.id for one in cameras if one.backchannel == "auto")


def _ears(context: Context, room_id: RoomId) -> tuple[str, ...]:
    """What hears a room: its pickups first, for they hear best, then cameras with sound."""
    site = context.state().plan.site
    pickups = [one.id for one in site.pickups if one.area == room_id]
    return (*pickups, *(one.id for one in site.cameras_of(room_id) if one.sound != "none"))


def _door(context: Context, room_id: RoomId) -> NodeDoor:
    return door_of(context, context.state().plan.watcher.get(room_id))


def _socket(door: NodeDoor, path: str, ticket: str) -> str:
    """The address of a WebSocket of a node; http becomes ws, https wss."""
    return f"ws{door.base.removeprefix('http')}{path}?{urlencode({'ticket': ticket})}"


def _is(act: OutsideAct, kind: type[acts.ActT]) -> acts.ActT:
    if not isinstance(act, kind):
        raise not_found(kind.__name__.lower(), act.id)
    return act
