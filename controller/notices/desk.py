"""Takes notices that the core decided, finds whom they reach, and delivers them until they do.

A notice and its deliveries are in the database before the core's output counts as done; each
delivery is tried until the channel takes it or TRIES_MAX is reached. A crash between a delivery
and its note sends the message again, with the same id in its text.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from contracts.api import Sentence
from contracts.api.duty import DutyGap, DutyLevel, RosterView
from contracts.api.notices import DeliveryRow, NoticeReason
from contracts.devices import Named
from contracts.observations import Severity
from contracts.units import UtcMs
from controller.core.duty_roster import gaps
from controller.core.notices import Addressed, addressed, retry_utc_ms, wording
from controller.core.outputs import SendNotice
from controller.notices.channels import ChannelBook, NotTaken, Secret
from controller.ports import Blocking, StoreLost
from runtime.clock import Clock

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4  # messages on their way at a time; a channel that hangs holds up no other
STORE_RETRY_MS: Final = 1_000
GAP_LOOK_MS: Final = 10 * 60_000  # how often it is looked whether the roster leaves a hole
GAP_AHEAD_MS: Final = 12 * 3_600_000  # so long before it people are told: they can still fill it
HOLD_MAX_MS: Final = 60_000  # the clock may be set; what waits is looked at this often at least
TITLES: Final = {"zh-CN": "零进入 预警通知", "en": "Zero Entry notice"}


class Roster(Protocol):
    """Who is on duty. Blocks."""

    def roster(self) -> RosterView: ...


class Outbox(Protocol):
    """Where notices wait. Blocks; raises ``StoreLost``."""

    def add(
        self, notice: SendNotice, text: Sentence, rows: Sequence[Addressed], utc_ms: UtcMs
    ) -> bool: ...

    def due(self, utc_ms: UtcMs, limit: int) -> tuple[tuple[DeliveryRow, Sentence], ...]: ...

    def next_utc_ms(self) -> UtcMs | None: ...

    def tried(
        self, number: int, *, utc_ms: UtcMs, error: str | None, next_utc_ms: UtcMs | None
    ) -> None: ...

    def again(self, number: int, utc_ms: UtcMs) -> bool: ...

    def forget(self, utc_ms: UtcMs) -> int: ...


class Way(Protocol):
    """Sends one message. Blocks.

    Raises:
        NotTaken: it was not taken.
    """

    def __call__(self, address: Secret, title: str, body: str) -> None: ...


class NoticeDesk:
    """The outbox's one worker."""

    def __init__(
        self,
        outbox: Outbox,
        roster: Roster,
        book: ChannelBook,
        way: Way,
        clock: Clock,
        *,
        zone: ZoneInfo,
        rooms: Mapping[str, Named],
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self.book = book
        self._outbox = outbox
        self._roster = roster
        self._way = way
        self._clock = clock
        self._zone = zone
        self._rooms = rooms
        self._blocking = blocking
        self._woken = asyncio.Event()
        self._woken.set()  # what a crash left open
        self.counts: Counter[str] = Counter()
        """accepted, repeated, without_channel, delivered, failed, dead."""

    async def accept(self, notice: SendNotice) -> None:
        """Put a notice in line; returns when it is on disk, or when nobody is to be told."""
        if self.book.empty:
            self.counts["without_channel"] += 1
            return
        while True:
            try:
                fresh = await self._blocking(self._add, notice)
            except StoreLost as lost:
                log.warning("notice_waits_for_store", notice=notice.notice_id, error=str(lost))
                await self._clock.sleep_ms(STORE_RETRY_MS)
                continue
            self.counts["accepted" if fresh else "repeated"] += 1
            self._woken.set()
            return

    def _add(self, notice: SendNotice) -> bool:
        now = self._clock.utc_ms()
        roster, channels = self._roster.roster().roster, self.book.list().items
        rows = addressed(notice, roster, channels, now, self._zone)
        return self._outbox.add(notice, wording(notice, self._rooms, self._zone), rows, now)

    async def test(self, channel_id: str, notice_id: str, language: str) -> None:
        """Send a test message to one channel, in line as any other.

        Raises:
            StoreLost: it is not in line.
        """
        now = self._clock.utc_ms()
        notice = _of_house(notice_id, NoticeReason.TEST, now)
        text = Sentence(
            zh=f"测试消息：此通道可用 [{notice_id}]", en=f"Test: this channel works [{notice_id}]"
        )
        row = Addressed(channel_id, "", language)
        await self._blocking(self._outbox.add, notice, text, (row,), now)
        self._woken.set()

    async def again(self, number: int) -> bool:
        """Put a dead delivery in line again; False when there is none of this number."""
        found = await self._blocking(self._outbox.again, number, self._clock.utc_ms())
        self._woken.set()
        return found

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver())
            group.create_task(self._watch_roster())

    async def _deliver(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._round()
            except* StoreLost as lost:
                log.warning("notices_wait_for_store", error=str(lost.exceptions[0]))
                await self._clock.sleep_ms(STORE_RETRY_MS)
                self._woken.set()

    async def _round(self) -> None:
        """Try all that is due; then wait for the next to be, or for a new one."""
        while True:
            now = self._clock.utc_ms()
            rows = await self._blocking(self._outbox.due, now, AT_ONCE)
            if rows:
                async with asyncio.TaskGroup() as group:
                    for row, text in rows:
                        group.create_task(self._try(row, text))
                continue
            due = await self._blocking(self._outbox.next_utc_ms)
            if due is None:
                return
            await self._pause(max(1, min(due - now, HOLD_MAX_MS)))
            self._woken.clear()

    async def _pause(self, hold_ms: int) -> None:
        """Wait, or until there is news."""
        waits = [
            asyncio.ensure_future(self._clock.sleep_ms(hold_ms)),
            asyncio.ensure_future(self._woken.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _try(self, row: DeliveryRow, text: Sentence) -> None:
        address = self.book.address(row.channel_id)
        error: str | None = None
        if address is None:
            error = "the channel is gone"
        else:
            body = text.zh if row.language.startswith("zh") else text.en
            title = TITLES.get(row.language, TITLES["en"])
            try:
                await self._blocking(self._way, address, title, body)
            except NotTaken as not_taken:
                error = str(not_taken)
        now = self._clock.utc_ms()
        following = None if error is None else retry_utc_ms(row.tries + 1, now)
        await self._blocking(
            self._note, row.number, now, error, None if address is None else following
        )
        outcome = "delivered" if error is None else ("dead" if following is None else "failed")
        self.counts[outcome] += 1
        log.info(
            "notice_tried", notice=row.notice_id, channel=row.channel_id, outcome=outcome,
            error=error or "",
        )  # fmt: skip

    def _note(self, number: int, now: UtcMs, error: str | None, following: UtcMs | None) -> None:
        self._outbox.tried(number, utc_ms=now, error=error, next_utc_ms=following)

    async def _watch_roster(self) -> None:
        while True:
            try:
                if not self.book.empty:
                    for gap in await self._blocking(self._gaps):
                        await self.accept(_of_gap(gap))
                    await self._blocking(self._outbox.forget, self._clock.utc_ms())
            except StoreLost as lost:
                log.warning("roster_not_looked_at", error=str(lost))
            await self._clock.sleep_ms(GAP_LOOK_MS)

    def _gaps(self) -> tuple[DutyGap, ...]:
        roster, now = self._roster.roster().roster, self._clock.utc_ms()
        end = UtcMs(now + GAP_AHEAD_MS)
        found = gaps(roster, now, end, self._zone, DutyLevel.OFFICER)
        # The end of the look is no end of a gap: its id is the hour it was first seen to begin in.
        return found[:1]


def _of_gap(gap: DutyGap) -> SendNotice:
    hour = gap.start_utc_ms // 3_600_000 // 12
    notice = _of_house(f"gap-{hour}", NoticeReason.NOBODY, gap.start_utc_ms)
    return SendNotice(
        notice_id=notice.notice_id,
        reason=notice.reason,
        alert_id="",
        alert_number=0,
        code=notice.code,
        room_id="",
        severity=Severity.WARNING,
        utc_ms=gap.start_utc_ms,
        level=DutyLevel.SUPERVISOR,
    )


def _of_house(notice_id: str, reason: NoticeReason, utc_ms: UtcMs) -> SendNotice:
    return SendNotice(
        notice_id=notice_id,
        reason=reason,
        alert_id="",
        alert_number=0,
        code=f"duty.{reason.value}",
        room_id="",
        severity=Severity.NOTICE,
        utc_ms=utc_ms,
    )
