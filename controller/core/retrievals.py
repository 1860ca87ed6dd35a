"""Decides a retrieval's life: who may approve it, when it may be made, when it is over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from contracts.api import Sentence, SessionState
from contracts.api.retrieval import (
    DecisionBody,
    RetrievalBody,
    RetrievalForm,
    RetrievalState,
    RetrievalView,
)
from contracts.units import CameraId, RoomId, SessionId, Sha256Hex, UtcMs
from controller.core.outputs import Refusal, Refused
from controller.core.sessions import Session

DAY_MS: Final = 86_400_000
ASKED_FOR_MS: Final = 14 * DAY_MS  # a request that nobody decided is over after two weeks
APPROVED_FOR_MS: Final = 7 * DAY_MS
# An approval that could not be carried out (a node is away) is asked for anew after a week.

OVER: Final = frozenset(
    {
        RetrievalState.REFUSED,
        RetrievalState.EXPIRED,
        RetrievalState.FAILED,
        RetrievalState.WITHDRAWN,
    }
)

STATE_NAMES: Final[Mapping[RetrievalState, Sentence]] = {
    RetrievalState.ASKED: Sentence(zh="待审批", en="waits for approval"),
    RetrievalState.APPROVED: Sentence(zh="已批准", en="approved"),
    RetrievalState.REFUSED: Sentence(zh="已驳回", en="refused"),
    RetrievalState.MAKING: Sentence(zh="制作中", en="being made"),
    RetrievalState.READY: Sentence(zh="可下载", en="ready"),
    RetrievalState.FAILED: Sentence(zh="制作失败", en="failed"),
    RetrievalState.EXPIRED: Sentence(zh="已过期", en="expired"),
    RetrievalState.WITHDRAWN: Sentence(zh="已撤回", en="withdrawn"),
}


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One retrieval as it is stored; see ``RetrievalView`` for what the fields mean."""

    id: str
    number: int
    body: RetrievalBody
    rooms: tuple[RoomId, ...]
    asked_by: str
    asked_utc_ms: UtcMs
    sessions: tuple[SessionId, ...] = ()
    idempotency_key: str | None = None
    state: RetrievalState = RetrievalState.ASKED
    decided_by: str | None = None
    decided_utc_ms: UtcMs | None = None
    decision: str = ""
    keep_days: int = 0
    during_session: bool = False
    progress: float = 0.0
    note: Sentence | None = None
    gaps: int = 0
    bytes: int | None = None
    sha256: Sha256Hex | None = None
    seal: str = ""
    """The signed line that lies beside the package."""
    made_utc_ms: UtcMs | None = None
    expires_utc_ms: UtcMs | None = None
    views: int = 0


def decide(
    row: Retrieval, body: DecisionBody, by: str, utc_ms: UtcMs, *, approve: bool
) -> Retrieval | Refused:
    """Approve or refuse; the applicant himself never may."""
    if by == row.asked_by:
        return Refused(
            Refusal.FORBIDDEN,
            Sentence(
                zh="申请人不能审批自己的调阅申请，请由另一名监督人员审批。",
                en="Who asks may not approve: have another supervisor decide on this request.",
            ),
        )
    if row.state is not RetrievalState.ASKED:
        return _not_now(row)
    if utc_ms >= row.asked_utc_ms + ASKED_FOR_MS:
        return _not_now(expired(row, utc_ms))
    return replace(
        row,
        state=RetrievalState.APPROVED if approve else RetrievalState.REFUSED,
        decided_by=by,
        decided_utc_ms=utc_ms,
        decision=body.reason,
        keep_days=body.keep_days,
        during_session=approve and body.during_session,
        expires_utc_ms=UtcMs(utc_ms + APPROVED_FOR_MS) if approve else None,
    )


def withdraw(row: Retrieval, by: str) -> Retrieval | Refused:
    """The applicant takes the request back before anything was made."""
    if by != row.asked_by:
        text = Sentence(zh="只有申请人可以撤回。", en="Only who asked may take it back.")
        return Refused(Refusal.FORBIDDEN, text)
    if row.state not in (RetrievalState.ASKED, RetrievalState.APPROVED):
        return _not_now(row)
    return replace(row, state=RetrievalState.WITHDRAWN, expires_utc_ms=None)


def may_be_made(row: Retrieval, sealed: Iterable[Session]) -> Sentence | None:
    """Why it must wait; None: it may be made now.

    Deliberations of a session that still runs are secret. What it recorded is given out only when
    it is released, unless the person who approved said otherwise in so many words.
    """
    if row.during_session:
        return None
    running = [
        one
        for one in sealed
        if one.state in (SessionState.SEALED, SessionState.SUSPENDED)
        and one.id in overlapped((one,), row.rooms, row.body)
    ]
    if not running:
        return None
    names = "、".join(one.id for one in running[:5])
    return Sentence(
        zh=f"场次 {names} 尚未解封，解封后自动制作；如确需在封闭期间调阅，须在审批时注明。",
        en=f"Session {names} is not released yet: the package is made after that. "
        "To have it earlier, the approval must say so.",
    )


def overlapped(
    sessions: Iterable[Session], rooms: Iterable[RoomId], body: RetrievalBody
) -> tuple[SessionId, ...]:
    """The sessions whose gathering-to-release overlaps the interval in one of the rooms."""
    wanted = frozenset(rooms)
    return tuple(
        one.id
        for one in sessions
        if wanted.intersection(one.rooms)
        and (begin := one.gathering_utc_ms or one.sealed_utc_ms) is not None
        and begin < body.to_utc_ms
        and (one.released_utc_ms is None or one.released_utc_ms > body.from_utc_ms)
    )


def begun(row: Retrieval) -> Retrieval:
    """It is being made."""
    return replace(row, state=RetrievalState.MAKING, progress=0.0, note=None)


def progressed(row: Retrieval, done: float) -> Retrieval:
    """So much of it is there; never less than before."""
    return replace(row, progress=max(row.progress, min(done, 1.0)))


def ready(
    row: Retrieval, sha256: Sha256Hex, size: int, seal: str, gaps: int, utc_ms: UtcMs
) -> Retrieval:
    """The package lies there, hashed and signed."""
    return replace(
        row,
        state=RetrievalState.READY,
        progress=1.0,
        sha256=sha256,
        bytes=size,
        seal=seal,
        gaps=gaps,
        made_utc_ms=utc_ms,
        expires_utc_ms=UtcMs(utc_ms + row.keep_days * DAY_MS),
        note=None,
    )


def failed(row: Retrieval, why: Sentence) -> Retrieval:
    """It cannot be made; says why. Nothing of it is left."""
    return replace(row, state=RetrievalState.FAILED, note=why, expires_utc_ms=None)


def waits(row: Retrieval, why: Sentence) -> Retrieval:
    """It cannot be made now, and is tried again until the approval expires."""
    return replace(row, state=RetrievalState.APPROVED, progress=0.0, note=why)


def fetched(row: Retrieval) -> Retrieval:
    """Somebody fetched it once more."""
    return replace(row, views=row.views + 1)


def expired(row: Retrieval, utc_ms: UtcMs) -> Retrieval:
    """The row after a look at the clock."""
    if row.state is RetrievalState.ASKED:
        over = utc_ms >= row.asked_utc_ms + ASKED_FOR_MS
    else:
        limits = row.state in (RetrievalState.APPROVED, RetrievalState.READY)
        over = limits and row.expires_utc_ms is not None and utc_ms >= row.expires_utc_ms
    return replace(row, state=RetrievalState.EXPIRED) if over else row


def view(row: Retrieval) -> RetrievalView:
    """A retrieval as people see it."""
    body = row.body
    return RetrievalView(
        id=row.id,
        number=row.number,
        state=row.state,
        reason=body.reason,
        on_behalf_of=body.on_behalf_of,
        cameras=body.cameras,
        rooms=row.rooms,
        sessions=row.sessions,
        from_utc_ms=body.from_utc_ms,
        to_utc_ms=body.to_utc_ms,
        form=body.form,
        asked_by=row.asked_by,
        asked_utc_ms=row.asked_utc_ms,
        decided_by=row.decided_by,
        decided_utc_ms=row.decided_utc_ms,
        decision=row.decision,
        during_session=row.during_session,
        progress=row.progress,
        note=row.note,
        gaps=row.gaps,
        bytes=row.bytes,
        sha256=row.sha256,
        made_utc_ms=row.made_utc_ms,
        expires_utc_ms=row.expires_utc_ms,
        views=row.views,
    )


def watermark_of(row: Retrieval) -> str:
    """What is burnt into the pictures: who asked, and which request it was; ASCII."""
    return f"{row.asked_by} / {row.id}"


def clips_of(
    cameras: tuple[CameraId, ...], body: RetrievalBody, piece_ms: int
) -> list[tuple[CameraId, UtcMs, UtcMs]]:
    """The pieces that a watermarked package is fetched in: no node cuts longer ones."""
    assert body.form is RetrievalForm.WATERMARKED  # noqa: S101  # other forms are no clips
    return [
        (camera, UtcMs(begin), UtcMs(min(begin + piece_ms, body.to_utc_ms)))
        for camera in cameras
        for begin in range(body.from_utc_ms, body.to_utc_ms, piece_ms)
    ]


def _not_now(row: Retrieval) -> Refused:
    name = STATE_NAMES[row.state]
    return Refused(
        Refusal.CONFLICT,
        Sentence(
            zh=f"该调阅申请{name.zh}，不能再作此操作；如需继续，请重新申请。",
            en=f"This request is {name.en} and cannot take that step; ask anew if need be.",
        ),
    )
