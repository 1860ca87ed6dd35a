"""Decides a session's life: one table of transitions, and why the others are refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.admission import ProcurementKind, Sector
from contracts.api import HeadSeen, Sentence, SessionBody, SessionState
from contracts.commands import KEEP_SEALED_DAYS, Command, Keep, Release, Seal
from contracts.devices import Named
from contracts.observations import SealApplied
from contracts.units import RoomId, SessionId, Sha256Hex, UtcMs
from controller.core.outputs import Refusal, Refused


class SessionVerb(StrEnum):
    """What a supervisor does to a session; the last part of the API's path."""

    GATHER = "gather"
    SEAL = "seal"
    RELEASE = "release"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"


TRANSITIONS: Final[Mapping[tuple[SessionState, SessionVerb], SessionState]] = {
    (SessionState.SCHEDULED, SessionVerb.GATHER): SessionState.GATHERING,
    (SessionState.SCHEDULED, SessionVerb.CANCEL): SessionState.CANCELLED,
    (SessionState.GATHERING, SessionVerb.SEAL): SessionState.SEALED,
    (SessionState.GATHERING, SessionVerb.CANCEL): SessionState.CANCELLED,
    (SessionState.SEALED, SessionVerb.SUSPEND): SessionState.SUSPENDED,
    (SessionState.SEALED, SessionVerb.RELEASE): SessionState.RELEASED,
    (SessionState.SEALED, SessionVerb.CANCEL): SessionState.CANCELLED,
    (SessionState.SUSPENDED, SessionVerb.RESUME): SessionState.SEALED,
    (SessionState.SUSPENDED, SessionVerb.RELEASE): SessionState.RELEASED,
    (SessionState.SUSPENDED, SessionVerb.CANCEL): SessionState.CANCELLED,
}

HOLDS_ROOM: Final = frozenset({SessionState.GATHERING, SessionState.SEALED, SessionState.SUSPENDED})
"""States in which a room belongs to the session and to no other."""

DAY_MS: Final = 86_400_000

ENDED: Final = frozenset({SessionState.RELEASED, SessionState.ARCHIVED, SessionState.CANCELLED})

STATE_NAMES: Final[Mapping[SessionState, Named]] = {
    SessionState.SCHEDULED: Named(zh="已排期", en="scheduled"),
    SessionState.GATHERING: Named(zh="集合中", en="gathering"),
    SessionState.SEALED: Named(zh="已封闭", en="sealed"),
    SessionState.SUSPENDED: Named(zh="已中止", en="suspended"),
    SessionState.RELEASED: Named(zh="已解封", en="released"),
    SessionState.ARCHIVED: Named(zh="已归档", en="archived"),
    SessionState.CANCELLED: Named(zh="已取消", en="cancelled"),
}


@dataclass(frozen=True, slots=True)
class Session:
    """One evaluation session in one room.

    ``command_id`` is the last seal or release sent to the room's node; ``seal_confirmed`` turns
    true when the node says that it enforces exactly that one. ``heads_at_seal`` and
    ``heads_at_release`` are the ends of its chains as they were known then.
    """

    id: SessionId
    room_id: RoomId
    title: str
    admitted: int
    scheduled_utc_ms: UtcMs
    scheduled_by: str
    state: SessionState = SessionState.SCHEDULED
    gathering_utc_ms: UtcMs | None = None
    sealed_utc_ms: UtcMs | None = None
    released_utc_ms: UtcMs | None = None
    sealed_by: str | None = None
    released_by: str | None = None
    command_id: str | None = None
    commands_sent: int = 0
    seal_confirmed: bool = False
    keep_days: int = KEEP_SEALED_DAYS
    roster_sha256: Sha256Hex | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    sector: Sector = Sector.OTHER
    heads_at_seal: tuple[HeadSeen, ...] = ()
    heads_at_release: tuple[HeadSeen, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def schedule(
    session_id: SessionId,
    body: SessionBody,
    by: str,
    utc_ms: UtcMs,
    keep_days: int = KEEP_SEALED_DAYS,
) -> Session:
    """A session that will take place; ``keep_days`` is the site's, where the body names none."""
    return Session(
        id=session_id,
        room_id=body.room_id,
        title=body.title,
        admitted=body.admitted,
        scheduled_utc_ms=body.starts_utc_ms or utc_ms,
        scheduled_by=by,
        keep_days=body.keep_days or keep_days,
        roster_sha256=body.roster_sha256,
        procurement=body.procurement,
        sector=body.sector,
    )


def act(
    session: Session, verb: SessionVerb, by: str, others: Iterable[Session], utc_ms: UtcMs
) -> tuple[Session, Command | None] | Refused:
    """Do ``verb``: the session after it and the command for the room's node, or why not.

    A suspended room is released at its node: people leave it overnight or in an evacuation, and a
    head count of zero is right then. Resuming seals it anew.
    """
    after = TRANSITIONS.get((session.state, verb))
    if after is None:
        return _refused(session, verb)
    if after in HOLDS_ROOM and session.state not in HOLDS_ROOM:
        holder = next((row for row in others if _holds(row, session)), None)
        if holder is not None:
            return _room_taken(session, holder)
    moved = _stamped(replace(session, state=after), verb, by, utc_ms)
    if verb in (SessionVerb.SEAL, SessionVerb.RESUME):
        return _commanded(moved, sealing=True, utc_ms=utc_ms)
    if session.state is SessionState.SEALED:
        return _commanded(moved, sealing=False, utc_ms=utc_ms)
    return moved, None


def keep_passages(
    before: Session, moved: Session, passages: Iterable[RoomId], utc_ms: UtcMs
) -> tuple[Session, tuple[Keep, ...]]:
    """Orders to keep what corridors and gates record while this session is sealed.

    They begin with the first seal and are given an end when the session is over; in a suspension
    they go on, for people pass there then.
    """
    begins = moved.sealed_utc_ms is not None and before.sealed_utc_ms is None
    ends = moved.ended and not before.ended and before.sealed_utc_ms is not None
    since = moved.sealed_utc_ms
    if since is None or not (begins or ends):
        return moved, ()
    rooms = tuple(passages)
    orders = tuple(
        Keep(
            command_id=f"{moved.id}-{number}",
            room_id=room,
            session_id=moved.id,
            from_utc_ms=since,
            to_utc_ms=utc_ms if ends else None,
            keep_until_utc_ms=UtcMs(utc_ms + moved.keep_days * DAY_MS),
            of_room=moved.room_id,
            procurement=moved.procurement,
        )
        for number, room in enumerate(rooms, start=moved.commands_sent + 1)
    )
    return replace(moved, commands_sent=moved.commands_sent + len(orders)), orders


def confirm(session: Session, applied: SealApplied) -> Session:
    """The room's node says what it enforces; only the answer to the last command counts."""
    if applied.command_id != session.command_id or session.state is not SessionState.SEALED:
        return session
    holds = applied.sealed and applied.session_id == session.id
    return session if holds == session.seal_confirmed else replace(session, seal_confirmed=holds)


def _holds(other: Session, session: Session) -> bool:
    return other.id != session.id and other.room_id == session.room_id and other.state in HOLDS_ROOM


def _stamped(session: Session, verb: SessionVerb, by: str, utc_ms: UtcMs) -> Session:
    match verb:
        case SessionVerb.GATHER:
            return replace(session, gathering_utc_ms=utc_ms)
        case SessionVerb.SEAL:
            return replace(session, sealed_utc_ms=utc_ms, sealed_by=by)
        case SessionVerb.RELEASE:
            return replace(session, released_utc_ms=utc_ms, released_by=by)
        case SessionVerb.SUSPEND | SessionVerb.RESUME | SessionVerb.CANCEL:
            return session


def _commanded(session: Session, *, sealing: bool, utc_ms: UtcMs) -> tuple[Session, Command]:
    count = session.commands_sent + 1
    command_id = f"{session.id}-{count}"
    command: Command = (
        Seal(
            command_id=command_id,
            room_id=session.room_id,
            session_id=session.id,
            admitted=session.admitted,
            at_utc_ms=utc_ms,
            keep_days=session.keep_days,
            roster_sha256=session.roster_sha256,
            procurement=session.procurement,
        )
        if sealing
        else Release(
            command_id=command_id,
            room_id=session.room_id,
            session_id=session.id,
            at_utc_ms=utc_ms,
        )
    )
    moved = replace(session, command_id=command_id, commands_sent=count, seal_confirmed=False)
    return moved, command


def _refused(session: Session, verb: SessionVerb) -> Refused:
    possible = [one for state, one in TRANSITIONS if state is session.state]
    name = STATE_NAMES[session.state]
    detail = Sentence(
        zh=f"场次{name.zh}，不能执行 {verb}；可执行：{'、'.join(possible) or '无'}。",
        en=f"A session that is {name.en} cannot {verb}; possible: {', '.join(possible) or 'none'}.",
    )
    return Refused(Refusal.CONFLICT, detail)


def _room_taken(session: Session, holder: Session) -> Refused:
    name = STATE_NAMES[holder.state]
    detail = Sentence(
        zh=f"评标室已被场次 {holder.id} 占用（{name.zh}），请先解封或取消。",
        en=f"Session {holder.id} holds the room ({name.en}); release or cancel it first.",
    )
    return Refused(Refusal.CONFLICT, detail)
