"""Stores notices, the outbox of their deliveries, and every try; old ones are forgotten."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from contracts.api import Sentence
from contracts.api.duty import DutyLevel
from contracts.api.notices import (
    Attempt,
    DeliveryRow,
    DeliveryState,
    NoticeReason,
    NoticeView,
)
from contracts.units import UtcMs
from controller.core.notices import Addressed
from controller.core.outputs import SendNotice
from controller.store.database import Database
from controller.store.schema_duty import NOTICE, NOTICE_ATTEMPT, NOTICE_DELIVERY

ERROR_MAX_CHARS: Final = 200
KEPT_MS: Final = 400 * 24 * 3_600_000  # a year and some: whoever asks why nobody came asks by then
FORGET_MAX: Final = 500  # rows at a time, so that no writer waits for a great clean-up


class NoticeStore:
    """The outbox of notices. Methods block and raise ``StoreLost``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        notice: SendNotice,
        text: Sentence,
        rows: Sequence[Addressed],
        utc_ms: UtcMs,
    ) -> bool:
        """Put a notice and its deliveries in line; False when it is there already."""
        known = select(NOTICE.c.number).where(NOTICE.c.id == notice.notice_id)
        fresh = [_fresh(notice.notice_id, one, utc_ms) for one in rows]

        def work(connection: Connection) -> bool:
            if connection.execute(known).scalar() is not None:
                return False
            connection.execute(insert(NOTICE), _notice_row(notice, text, utc_ms))
            if fresh:
                connection.execute(insert(NOTICE_DELIVERY), fresh)
            return True

        return self._database.write(work)

    def due(self, utc_ms: UtcMs, limit: int) -> tuple[tuple[DeliveryRow, Sentence], ...]:
        """Deliveries whose time has come, with what they say; the longest due first."""
        table = NOTICE_DELIVERY
        query = (
            select(table, NOTICE.c.text_zh, NOTICE.c.text_en)
            .join(NOTICE, NOTICE.c.id == table.c.notice_id)
            .where(table.c.state == DeliveryState.WAITING.value, table.c.next_utc_ms <= utc_ms)
            .order_by(table.c.next_utc_ms, table.c.number)
            .limit(limit)
        )
        rows = self._database.read(lambda one: one.execute(query).mappings().all())
        return tuple(
            (_delivery(row, ()), Sentence(zh=row["text_zh"], en=row["text_en"])) for row in rows
        )

    def next_utc_ms(self) -> UtcMs | None:
        """When the next delivery is due; None: none waits."""
        table = NOTICE_DELIVERY
        query = select(func.min(table.c.next_utc_ms)).where(
            table.c.state == DeliveryState.WAITING.value
        )
        found = self._database.read(lambda one: one.execute(query).scalar())
        return None if found is None else UtcMs(int(found))

    def tried(
        self,
        number: int,
        *,
        utc_ms: UtcMs,
        error: str | None,
        next_utc_ms: UtcMs | None,
    ) -> None:
        """Note a try: ``error`` None is success; a failure without a next time is the last."""
        state = DeliveryState.DELIVERED
        if error is not None:
            state = DeliveryState.DEAD if next_utc_ms is None else DeliveryState.WAITING
        said = (error or "")[:ERROR_MAX_CHARS]
        change = {
            "state": state.value,
            "tries": NOTICE_DELIVERY.c.tries + 1,
            "next_utc_ms": next_utc_ms,
            "delivered_utc_ms": utc_ms if error is None else None,
            "error": said,
        }
        row = {"delivery": number, "utc_ms": utc_ms, "outcome": state.value, "error": said}

        def work(connection: Connection) -> None:
            connection.execute(
                update(NOTICE_DELIVERY).where(NOTICE_DELIVERY.c.number == number).values(**change)
            )
            connection.execute(insert(NOTICE_ATTEMPT), row)

        self._database.write(work)

    def again(self, number: int, utc_ms: UtcMs) -> bool:
        """Put a dead delivery in line again; False when there is none of this number."""
        table = NOTICE_DELIVERY
        change = (
            update(table)
            .where(table.c.number == number, table.c.state == DeliveryState.DEAD.value)
            .values(state=DeliveryState.WAITING.value, tries=0, next_utc_ms=utc_ms)
        )
        return self._database.write(lambda one: one.execute(change).rowcount == 1)

    def counts(self) -> Mapping[DeliveryState, int]:
        """How many deliveries are in each state."""
        table = NOTICE_DELIVERY
        query = select(table.c.state, func.count()).group_by(table.c.state)
        rows = self._database.read(lambda one: one.execute(query).all())
        return {DeliveryState(state): count for state, count in rows}

    def page(
        self, *, before: int | None, limit: int, alert_id: str | None = None
    ) -> tuple[NoticeView, ...]:
        """Notices with all their deliveries and tries, newest first."""
        query = select(NOTICE).order_by(NOTICE.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(NOTICE.c.number < before)
        if alert_id is not None:
            query = query.where(NOTICE.c.alert_id == alert_id)

        def work(connection: Connection) -> tuple[NoticeView, ...]:
            rows = connection.execute(query).mappings().all()
            deliveries = _deliveries(connection, [row["id"] for row in rows])
            return tuple(_view(row, deliveries.get(row["id"], ())) for row in rows)

        return self._database.read(work)

    def forget(self, utc_ms: UtcMs) -> int:
        """Drop the oldest notices beyond KEPT_MS; how many."""
        old = (
            select(NOTICE.c.id)
            .where(NOTICE.c.created_utc_ms < utc_ms - KEPT_MS)
            .order_by(NOTICE.c.number)
            .limit(FORGET_MAX)
        )

        def work(connection: Connection) -> int:
            ids = connection.execute(old).scalars().all()
            if not ids:
                return 0
            gone = select(NOTICE_DELIVERY.c.number).where(NOTICE_DELIVERY.c.notice_id.in_(ids))
            connection.execute(delete(NOTICE_ATTEMPT).where(NOTICE_ATTEMPT.c.delivery.in_(gone)))
            connection.execute(delete(NOTICE_DELIVERY).where(NOTICE_DELIVERY.c.notice_id.in_(ids)))
            connection.execute(delete(NOTICE).where(NOTICE.c.id.in_(ids)))
            return len(ids)

        return self._database.write(work)


def _notice_row(notice: SendNotice, text: Sentence, utc_ms: UtcMs) -> dict[str, Any]:
    return {
        "id": notice.notice_id,
        "reason": notice.reason.value,
        "level": notice.level.value if notice.level is not None else None,
        "to": notice.to,
        "alert_id": notice.alert_id,
        "alert_number": notice.alert_number or None,
        "code": notice.code,
        "room_id": notice.room_id or None,
        "severity": notice.severity.value,
        "more": notice.more,
        "created_utc_ms": utc_ms,
        "text_zh": text.zh,
        "text_en": text.en,
    }


def _fresh(notice_id: str, one: Addressed, utc_ms: UtcMs) -> dict[str, Any]:
    return {
        "notice_id": notice_id,
        "channel_id": one.channel_id,
        "recipient": one.recipient,
        "language": one.language,
        "state": DeliveryState.WAITING.value,
        "tries": 0,
        "next_utc_ms": utc_ms,
        "error": "",
    }


def _deliveries(
    connection: Connection, ids: Sequence[str]
) -> Mapping[str, tuple[DeliveryRow, ...]]:
    if not ids:
        return {}
    table = NOTICE_DELIVERY
    query = select(table).where(table.c.notice_id.in_(ids)).order_by(table.c.number)
    rows = connection.execute(query).mappings().all()
    tries: dict[int, list[Attempt]] = {}
    numbers = [row["number"] for row in rows]
    attempts = (
        select(NOTICE_ATTEMPT)
        .where(NOTICE_ATTEMPT.c.delivery.in_(numbers))
        .order_by(NOTICE_ATTEMPT.c.number)
    )
    for one in connection.execute(attempts):
        tries.setdefault(one.delivery, []).append(
            Attempt(utc_ms=one.utc_ms, outcome=DeliveryState(one.outcome), error=one.error)
        )
    found: dict[str, tuple[DeliveryRow, ...]] = {}
    for row in rows:
        drawn = _delivery(row, tries.get(row["number"], ()))
        found[row["notice_id"]] = (*found.get(row["notice_id"], ()), drawn)
    return found


def _delivery(row: RowMapping, attempts: Iterable[Attempt]) -> DeliveryRow:
    return DeliveryRow(
        number=row["number"],
        notice_id=row["notice_id"],
        channel_id=row["channel_id"],
        recipient=row["recipient"],
        language=row["language"],
        state=DeliveryState(row["state"]),
        tries=row["tries"],
        next_utc_ms=row["next_utc_ms"],
        delivered_utc_ms=row["delivered_utc_ms"],
        error=row["error"],
        attempts=tuple(attempts),
    )


def _view(row: RowMapping, deliveries: tuple[DeliveryRow, ...]) -> NoticeView:
    return NoticeView(
        number=row["number"],
        id=row["id"],
        reason=NoticeReason(row["reason"]),
        level=None if row["level"] is None else DutyLevel(row["level"]),
        to=row["to"],
        alert_id=row["alert_id"],
        alert_number=row["alert_number"],
        code=row["code"],
        room_id=row["room_id"],
        severity=row["severity"],
        more=row["more"],
        created_utc_ms=row["created_utc_ms"],
        text=Sentence(zh=row["text_zh"], en=row["text_en"]),
        deliveries=deliveries,
        nobody=not deliveries,
    )
