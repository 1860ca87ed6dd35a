"""Decides a session's life: one table of transitions, and why the others are refused."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.admission import ProcurementKind, Sector
from contracts.api import HeadSeen, Sentence, SessionBody, SessionState
from contracts.api.sessions import ActBody, SessionChange, SuspendReason
from contracts.commands import KEEP_SEALED_DAYS, Command, Keep, Release, Seal
from contracts.devices import Named
from contracts.observations import SealApplied
from contracts.units import RoomId, SessionId, Sha256Hex, UtcMs
from controller.core import roster as rosters
from controller.core.outputs import Refusal, Refused
from controller.core.roster import EMPTY, Roster


class SessionVerb(StrEnum):
    """What a supervisor does to a session; the last part of the API's path."""

    GATHER = "gather"
    SEAL = "seal"
    RELEASE = "release"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    ARCHIVE = "archive"


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
    (SessionState.RELEASED, SessionVerb.ARCHIVE): SessionState.ARCHIVED,
}

SEALING: Final = frozenset({SessionVerb.SEAL, SessionVerb.RESUME})
"""Verbs after which the rooms' nodes watch by this session's seal."""

HOLDS_ROOM: Final = frozenset({SessionState.GATHERING, SessionState.SEALED, SessionState.SUSPENDED})
"""States in which a room belongs to the session and to no other."""

DAY_MS: Final = 86_400_000

CODE_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another by phone
CODE_CHARS: Final = 6  # 8e8 codes: two sessions of fifteen years hardly share one

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
class RoomSeal:
    """The last seal or release sent for one room, and whether its node enforces exactly that."""

    room_id: RoomId
    command_id: str
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One evaluation session in one room, or an area of several.

    ``command_id`` is the last seal or release sent to the first room's node; ``seals`` has every
    room's. ``seal_confirmed`` turns true when each node says that it enforces exactly its own.
    ``heads_at_seal`` and ``heads_at_release`` are the ends of their chains as they were known then.
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
    code: str = ""
    """Short and public: what notices carry. Empty in what an older version stored."""
    room_ids: tuple[RoomId, ...] = ()
    admitted_each: int | None = None
    seals: tuple[RoomSeal, ...] = ()
    suspension: SuspendReason | None = None
    suspended_utc_ms: UtcMs | None = None
    cancelled_utc_ms: UtcMs | None = None
    archived_utc_ms: UtcMs | None = None
    reason: str = ""
    roster: Roster = EMPTY
    roster_given_sha256: Sha256Hex | None = None
    """Of a roster that the centre keeps elsewhere; ``roster_sha256`` is what counts."""
    revision: int = 0
    idempotency_key: str | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def rooms(self) -> tuple[RoomId, ...]:
        """All rooms of the area, the first one first."""
        return self.room_ids or (self.room_id,)

    @property
    def public_code(self) -> str:
        """What notices carry."""
        return self.code or code_of(self.id)

    def admitted_in(self, room_id: RoomId) -> int:
        """How many one of its rooms may hold."""
        people = self.roster.active
        if len(self.rooms) > 1 and people and all(row.room_id is not None for row in people):
            return sum(1 for row in people if row.room_id == room_id)
        return min(self.admitted_each or self.admitted, self.admitted)


def code_of(session_id: SessionId, again: int = 0) -> str:
    """A short code for a session, from its id alone; ``again`` counts codes that were taken."""
    number = int.from_bytes(hashlib.sha256(f"{session_id}|{again}".encode()).digest()[:8], "big")
    signs = []
    for _ in range(CODE_CHARS):
        number, place = divmod(number, len(CODE_SIGNS))
        signs.append(CODE_SIGNS[place])
    return "".join(signs)


def free_code(session_id: SessionId, others: Iterable[Session]) -> str:
    """A code that none of ``others`` has."""
    taken = {row.public_code for row in others}
    again = 0
    while (code := code_of(session_id, again)) in taken:
        again += 1
    return code


def schedule(
    session_id: SessionId,
    body: SessionBody,
    by: str,
    utc_ms: UtcMs,
    keep_days: int = KEEP_SEALED_DAYS,
) -> Session:
    """A session that will take place; ``keep_days`` is the site's, where the body names none."""
    session = Session(
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
        code=code_of(session_id),
        room_ids=body.room_ids,
        admitted_each=body.admitted_each,
        roster_given_sha256=body.roster_sha256,
    )
    return with_roster(session, rosters.filled(session.roster, body.roster))


def with_roster(session: Session, roster: Roster) -> Session:
    """The session with this roster: who is admitted and what a seal freezes follow from it."""
    people = roster.active
    had = session.roster.participants
    if not people and not had:
        return replace(session, roster=roster)
    return replace(
        session,
        roster=roster,
        admitted=len(people) or session.admitted,
        roster_sha256=roster.sha256() or session.roster_given_sha256,
    )


def change(session: Session, body: SessionChange) -> Session | Refused:
    """A scheduled session with what ``body`` names changed."""
    if session.state is not SessionState.SCHEDULED:
        return _conflict(
            f"场次{STATE_NAMES[session.state].zh}，只有已排期的场次可以修改。",
            f"The session is {STATE_NAMES[session.state].en}; only a scheduled one can be changed.",
        )
    given = body.model_dump(exclude_none=True, exclude={"starts_utc_ms"})
    rooms = body.room_ids or session.rooms
    strange = sorted({row.room_id for row in session.roster.active if row.room_id} - set(rooms))
    if strange:
        return _conflict(
            f"名单中有席位在 {'、'.join(strange)}，请先修改名单。",
            f"The roster has seats in {', '.join(strange)}; change the roster first.",
        )
    if session.roster.active and body.admitted not in (None, session.admitted):
        return _conflict(
            "准入人数由名单决定，请修改名单。",
            "The roster says how many are admitted; change the roster.",
        )
    changed = replace(session, **given, room_id=rooms[0], revision=session.revision + 1)
    if body.starts_utc_ms is not None:
        changed = replace(changed, scheduled_utc_ms=body.starts_utc_ms)
    return changed


NOTHING_SAID: Final = ActBody()


def act(
    session: Session,
    verb: SessionVerb,
    by: str,
    others: Iterable[Session],
    utc_ms: UtcMs,
    said: ActBody = NOTHING_SAID,
) -> tuple[Session, tuple[Command, ...]] | Refused:
    """Do ``verb``: the session after it and the commands for its rooms' nodes, or why not.

    A suspended room is released at its node: people leave it overnight or in an evacuation, and a
    head count of zero is right then. Resuming seals it anew.
    """
    after = TRANSITIONS.get((session.state, verb))
    if after is None:
        return _refused(session, verb)
    lacking = _unsaid(verb, said)
    if lacking is not None:
        return lacking
    if after in HOLDS_ROOM and session.state not in HOLDS_ROOM:
        holder = next((row for row in others if _holds(row, session)), None)
        if holder is not None:
            return _room_taken(session, holder)
    moved = _stamped(replace(session, state=after), verb, by, utc_ms, said)
    if verb in SEALING:
        return sealed_anew(moved, utc_ms)
    if session.state is SessionState.SEALED:
        return _commanded(moved, sealing=False, utc_ms=utc_ms)
    return moved, ()


def sealed_anew(session: Session, utc_ms: UtcMs) -> tuple[Session, tuple[Command, ...]]:
    """The orders by which every room of a sealed session is watched as it stands now."""
    return _commanded(session, sealing=True, utc_ms=utc_ms)


def _unsaid(verb: SessionVerb, said: ActBody) -> Refused | None:
    if verb is SessionVerb.SUSPEND and said.suspension is None:
        text = Sentence(
            zh="中止须说明原因：overnight（过夜）、evacuation（疏散）或 fault（故障）。",
            en="Suspending needs a reason: suspension is overnight, evacuation or fault.",
        )
        return Refused(Refusal.INVALID, text)
    if verb is SessionVerb.CANCEL and not said.reason.strip():
        text = Sentence(
            zh="取消场次须填写原因（reason）。", en="Cancelling needs a reason; send it in reason."
        )
        return Refused(Refusal.INVALID, text)
    return None


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


def awaits(session: Session, command_id: str) -> bool:
    """Whether a node's answer to this command is about this session."""
    return command_id == session.command_id or any(
        row.command_id == command_id for row in session.seals
    )


def confirm(session: Session, applied: SealApplied) -> Session:
    """A room's node says what it enforces; only the answer to the last command for it counts."""
    if session.state is not SessionState.SEALED or not awaits(session, applied.command_id):
        return session
    holds = applied.sealed and applied.session_id == session.id
    seals = tuple(
        replace(row, confirmed=holds) if row.command_id == applied.command_id else row
        for row in session.seals
    )
    # What an older version stored has no seals, and one room.
    every = all(row.confirmed for row in seals) if seals else holds
    if seals == session.seals and every == session.seal_confirmed:
        return session
    return replace(session, seals=seals, seal_confirmed=every)


def _holds(other: Session, session: Session) -> bool:
    shared = not set(session.rooms).isdisjoint(other.rooms)
    return other.id != session.id and shared and other.state in HOLDS_ROOM


def _stamped(session: Session, verb: SessionVerb, by: str, utc_ms: UtcMs, said: ActBody) -> Session:
    match verb:
        case SessionVerb.GATHER:
            return replace(session, gathering_utc_ms=utc_ms)
        case SessionVerb.SEAL:
            return replace(session, sealed_utc_ms=utc_ms, sealed_by=by)
        case SessionVerb.RELEASE:
            return replace(session, released_utc_ms=utc_ms, released_by=by, suspension=None)
        case SessionVerb.SUSPEND:
            return replace(
                session,
                suspension=said.suspension,
                suspended_utc_ms=utc_ms,
                reason=said.reason,
            )
        case SessionVerb.RESUME:
            return replace(session, suspension=None)
        case SessionVerb.CANCEL:
            return replace(session, cancelled_utc_ms=utc_ms, suspension=None, reason=said.reason)
        case SessionVerb.ARCHIVE:
            return replace(session, archived_utc_ms=utc_ms)


def _commanded(
    session: Session, *, sealing: bool, utc_ms: UtcMs
) -> tuple[Session, tuple[Command, ...]]:
    orders: list[Command] = []
    for count, room_id in enumerate(session.rooms, start=session.commands_sent + 1):
        command_id = f"{session.id}-{count}"
        orders.append(
            Seal(
                command_id=command_id,
                room_id=room_id,
                session_id=session.id,
                admitted=session.admitted_in(room_id),
                at_utc_ms=utc_ms,
                keep_days=session.keep_days,
                roster_sha256=session.roster_sha256,
                procurement=session.procurement,
            )
            if sealing
            else Release(
                command_id=command_id,
                room_id=room_id,
                session_id=session.id,
                at_utc_ms=utc_ms,
            )
        )
    moved = replace(
        session,
        command_id=orders[0].command_id,
        commands_sent=session.commands_sent + len(orders),
        seals=tuple(RoomSeal(order.room_id, order.command_id) for order in orders),
        seal_confirmed=False,
    )
    return moved, tuple(orders)


def _conflict(zh: str, en: str) -> Refused:
    return Refused(Refusal.CONFLICT, Sentence(zh=zh, en=en))


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
        zh=f"评标室已被场次 {holder.public_code} 占用（{name.zh}），请先解封或取消。",
        en=f"Session {holder.public_code} holds the room ({name.en}); release or cancel it first.",
    )
    return Refused(Refusal.CONFLICT, detail)
