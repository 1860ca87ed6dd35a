"""Joins relay boards on the broker to the service: what they say goes in, orders go out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from contracts.facilities import (
    DoorBoardLink,
    Facility,
    FireBoardLink,
    LiftBoardLink,
    board_of,
)
from contracts.units import FacilityId
from controller.core.facility_words import CommandFacility
from controller.facilities.boards import (
    Board,
    Said,
    Wired,
    WiredDoor,
    WiredFire,
    WiredLift,
    board_filter,
    status_topic,
)
from controller.ports import Intake
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.mqtt import Bus, DropPolicy, Inbox, MqttLost, Outgoing, PublishRefusedError

log = structlog.get_logger(__name__)

INBOX_MAX: Final = 512  # a board of 16 channels says a few words a second while a lift moves
TELL_MS: Final = 20
# A contact that bounces, or a board that lies, must not take the controller's time from all others:
# its words are gathered for this long. A door moves for seconds.
LOOK_MS: Final = 100
# How often silence and the link are looked at: less than the shortest time until a new connection,
# on which what is retained comes again before the session counts as connected.


class BoardDesk:
    """All relay boards of a site."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        facilities: Iterable[Facility],
        *,
        connected: Callable[[], bool],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._repeats = Repeats(clock)
        self._told: dict[FacilityId, Said] = {}
        self._connected = connected
        self._was_connected = False
        self._orders: dict[FacilityId, CommandFacility] = {}
        self._ordered = asyncio.Event()
        self.counts: Counter[str] = Counter()
        """heard, dropped; written; lost, refused: not written."""
        self.boards = boards_of(facilities)
        self._board_of = {name: board for board in self.boards for name in board.wired}
        self._inboxes: list[tuple[Board, Inbox]] = [
            (
                board,
                bus.subscribe(board_filter(board.prefix), limit=INBOX_MAX, drop=DropPolicy.OLDEST),
            )
            for board in self.boards
        ]

    async def run(self, service: Intake) -> None:
        """Take what boards say until cancelled."""
        if not self.boards:
            return
        async with asyncio.TaskGroup() as group:
            for board, inbox in self._inboxes:
                group.create_task(self._read(board, inbox, service))
            group.create_task(self._watch(service))
            group.create_task(self._write())

    def publish(self, output: CommandFacility) -> bool:
        """Have an order written on its board; False: it hangs on none.

        It does not wait: the writer of the site must not. The newest order of a facility counts,
        and the core sends it again.
        """
        if output.facility_id not in self._board_of:
            return False
        self._orders[output.facility_id] = output
        self._ordered.set()
        return True

    async def _write(self) -> None:
        while True:
            await self._ordered.wait()
            self._ordered.clear()
            orders, self._orders = self._orders, {}
            for output in orders.values():
                board = self._board_of[output.facility_id]
                wired = board.wired[output.facility_id]
                for topic, text in wired.writes(output.order, board.states):
                    await self._put(topic, text)

    async def _put(self, topic: str, text: str) -> None:
        try:
            await self._bus.publish(Outgoing(topic, text.encode()))
            self.counts["written"] += 1
        except MqttLost:
            self.counts["lost"] += 1
        except PublishRefusedError as refused:
            self.counts["refused"] += 1
            if times := self._repeats.due(topic):
                log.error("facility_publish_refused", error=str(refused), times=times)

    def _forget_on_loss(self) -> None:
        """What was said on a link counts no more once it is lost: it comes again on the next."""
        connected = self._connected()
        if self._was_connected and not connected:
            for board in self.boards:
                board.forget()
        self._was_connected = connected

    async def _read(self, board: Board, inbox: Inbox, service: Intake) -> None:
        dropped = 0
        while True:
            for inbound in await inbox.get_batch(INBOX_MAX):
                now = self._clock.mono_ms()
                board.take(inbound.topic, inbound.payload, now, retained=inbound.retain)
                self.counts["heard"] += 1
                if inbound.topic == status_topic(board.prefix):
                    await self._tell(board, service)  # that it was away counts, be it for a moment
            if inbox.dropped > dropped:
                # It says more than can be read, and words of it are lost: which, nobody knows.
                self.counts["dropped"] += inbox.dropped - dropped
                dropped = inbox.dropped
                board.doubt()
                if times := self._repeats.due(board.prefix):
                    log.error("facility_board_floods", board=board.name, times=times)
            if await self._tell(board, service):
                await self._clock.sleep_ms(TELL_MS)

    async def _watch(self, service: Intake) -> None:
        while True:
            await self._clock.sleep_ms(LOOK_MS)
            self._forget_on_loss()
            for board in self.boards:
                await self._tell(board, service)

    async def _tell(self, board: Board, service: Intake) -> bool:
        news = False
        for name, said in board.said(self._clock.mono_ms()).items():
            if self._told.get(name) != said:
                self._told[name] = said
                await service.offer(said)
                news = True
        return news


def boards_of(facilities: Iterable[Facility]) -> tuple[Board, ...]:
    """The relay boards that a site's facilities hang on."""
    found: dict[str, Board] = {}
    for facility in facilities:
        link = board_of(facility)
        if link is None:
            continue
        board = found.setdefault(link.topic_prefix, Board(link.board, link.topic_prefix))
        board.wired[facility.id] = _wired(facility.id, link)
        if link.alive is not None:
            board.alive, board.alive_within_ms = link.alive, link.alive_within_ms
    return tuple(found.values())


def _wired(name: FacilityId, link: DoorBoardLink | LiftBoardLink | FireBoardLink) -> Wired:
    if isinstance(link, DoorBoardLink):
        return WiredDoor(name, link)
    if isinstance(link, LiftBoardLink):
        return WiredLift(name, link)
    return WiredFire(name, link)
