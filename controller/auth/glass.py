"""Decides on break-glass: a sealed room's picture or sound for who loses it, by two people."""

import threading
from typing import Final, Protocol

from contracts.api import Sentence
from contracts.api.accounts import GlassBody, GlassState, GlassView
from contracts.units import RoomId, SessionId, UtcMs
from controller.auth.accounts import new_id
from controller.core.outputs import Refusal, Refused
from runtime.clock import Clock

ASKED_TTL_MS: Final = 60 * 60_000  # nobody approves what was asked for yesterday
KEPT_MAX: Final = 200
LIVING: Final = frozenset({GlassState.ASKED, GlassState.OPEN})


class GlassStore(Protocol):
    """Where requests are kept. Methods block."""

    def put_glass(self, glass: GlassView) -> None: ...

    def glasses(self) -> tuple[GlassView, ...]: ...


class Glass:
    """All break-glass requests. Methods that change one block."""

    def __init__(self, store: GlassStore, clock: Clock, minutes_max: int) -> None:
        self._store = store
        self._clock = clock
        self._minutes_max = minutes_max
        self._rows: dict[str, GlassView] = {row.id: row for row in store.glasses()}
        self._deciding = threading.Lock()

    def views(self) -> tuple[GlassView, ...]:
        """Newest first, as they stand now."""
        return tuple(reversed([self._now(row) for row in self._rows.values()]))

    def find(self, glass_id: str) -> GlassView | None:
        """One request as it stands now."""
        row = self._rows.get(glass_id)
        return None if row is None else self._now(row)

    def opened(self, username: str, room_id: RoomId, session_id: SessionId) -> GlassView | None:
        """What lets this account see or hear this room during this very seal, now."""
        for row in self.views():
            same = (row.asked_by, row.room_id, row.session_id) == (username, room_id, session_id)
            if same and row.state is GlassState.OPEN:
                return row
        return None

    def ask(self, by: str, body: GlassBody, session_id: SessionId) -> GlassView | Refused:
        """A new request."""
        if body.minutes > self._minutes_max:
            return _refused(
                Refusal.INVALID,
                f"最长 {self._minutes_max} 分钟。",
                f"At most {self._minutes_max} minutes.",
            )
        if not (body.picture or body.sound):
            return _refused(
                Refusal.INVALID, "请选择画面或声音。", "Ask for the picture, the sound, or both."
            )
        with self._deciding:
            for row in self.views():
                if (row.asked_by, row.room_id) == (by, body.room_id) and row.state in LIVING:
                    return _refused(
                        Refusal.CONFLICT,
                        "您对该房间已有未结束的申请。",
                        "You have a request for this room already.",
                    )
            return self._put(
                GlassView(
                    id=f"g-{new_id()}",
                    room_id=body.room_id,
                    session_id=session_id,
                    state=GlassState.ASKED,
                    asked_by=by,
                    asked_utc_ms=self._clock.utc_ms(),
                    reason=body.reason,
                    minutes=body.minutes,
                    picture=body.picture,
                    sound=body.sound,
                )
            )

    def decide(self, glass_id: str, by: str, *, approve: bool) -> GlassView | Refused:
        """Approve or refuse; never one's own."""
        with self._deciding:
            row = self.find(glass_id)
            if row is None:
                return _absent(glass_id)
            if row.asked_by == by:
                return _refused(
                    Refusal.FORBIDDEN,
                    "不能批准自己的申请，需由第二人批准。",
                    "Nobody approves his own request; a second person does.",
                )
            if row.state is not GlassState.ASKED:
                return _refused(
                    Refusal.CONFLICT,
                    "该申请已处理或已过期。",
                    "This request has been decided already, or is too old.",
                )
            now = self._clock.utc_ms()
            until = UtcMs(now + row.minutes * 60_000) if approve else None
            changed = {
                "state": GlassState.OPEN if approve else GlassState.REFUSED,
                "decided_by": by,
                "decided_utc_ms": now,
                "until_utc_ms": until,
            }
            return self._put(row.model_copy(update=changed))

    def end(self, glass_id: str) -> GlassView | Refused:
        """Give it back before its time."""
        with self._deciding:
            row = self.find(glass_id)
            if row is None:
                return _absent(glass_id)
            if row.state not in LIVING:
                return row
            now = self._clock.utc_ms()
            return self._put(
                row.model_copy(update={"state": GlassState.ENDED, "ended_utc_ms": now})
            )

    def used(self, glass_id: str) -> GlassView | None:
        """Count a use."""
        with self._deciding:
            row = self._rows.get(glass_id)
            if row is None:
                return None
            return self._put(row.model_copy(update={"used": row.used + 1}))

    def _put(self, row: GlassView) -> GlassView:
        self._store.put_glass(row)
        self._rows[row.id] = row
        while len(self._rows) > KEPT_MAX:
            self._rows.pop(next(iter(self._rows)))
        return row

    def _now(self, row: GlassView) -> GlassView:
        now = self._clock.utc_ms()
        late = row.until_utc_ms is not None and now >= row.until_utc_ms
        stale = row.state is GlassState.ASKED and now - row.asked_utc_ms >= ASKED_TTL_MS
        if (row.state is GlassState.OPEN and late) or stale:
            ended = row.until_utc_ms or UtcMs(row.asked_utc_ms + ASKED_TTL_MS)
            return row.model_copy(update={"state": GlassState.ENDED, "ended_utc_ms": ended})
        return row


def _refused(why: Refusal, zh: str, en: str) -> Refused:
    return Refused(why, Sentence(zh=zh, en=en))


def _absent(glass_id: str) -> Refused:
    name = glass_id[:80]
    return _refused(Refusal.NOT_FOUND, f"没有申请 {name}。", f"There is no request {name}.")
