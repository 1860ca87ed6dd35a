"""Runs simulated relay boards on a broker until it is stopped: `zeroentry facility-sim SITE`.

Each board has a connection of its own with the last will of a real one, so that killing the
process looks to the controller as a board that lost its power.
"""

import random
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog

from runtime.clock import Clock, SystemClock
from runtime.mqtt import DropPolicy, Inbox, MqttLost, MqttSession, MqttSettings, Outgoing
from runtime.supervise import run_service
from zeroentry.facilities.model import SimBoard

log = structlog.get_logger(__name__)

STEP_MS: Final = 100  # as a board looks at its inputs
ALIVE_MS: Final = 10_000  # how often a board's uptime sensor speaks
SCRIPT: Final = "sim/command"
"""Beside ESPHome's topics: PREFIX/sim/command takes `kitchen-door stuck` and the like."""


class BoardProcess:
    """One board on the broker."""

    def __init__(self, board: SimBoard, settings: MqttSettings, clock: Clock, speed: float) -> None:
        self._board = board
        self._clock = clock
        self._speed = speed
        status = f"{board.prefix}/status"
        self._session = MqttSession(
            settings.model_copy(
                update={"client_id": f"{settings.client_id or 'sim'}-{board.name}"}
            ),
            clock,
            rng=random.Random(),
            will=Outgoing(status, b"offline", retain=True),
            birth=self._birth,
            farewell=lambda: Outgoing(status, b"offline", retain=True),
        )
        self._commands = self._session.subscribe(
            f"{board.prefix}/+/+/command", drop=DropPolicy.OLDEST
        )
        self._script = self._session.subscribe(f"{board.prefix}/{SCRIPT}")

    def parts(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs at the same time."""
        return (
            self._session.run(),
            self._move(),
            self._listen(self._commands),
            self._listen(self._script),
        )

    def _birth(self) -> Sequence[Outgoing]:
        """On each connection: everything is said anew, then that the board is there."""
        self._board.said.clear()
        return (Outgoing(f"{self._board.prefix}/status", b"online", retain=True),)

    def _played_ms(self) -> int:
        """The time that doors and lifts live in."""
        return int(self._clock.mono_ms() * self._speed)

    async def _move(self) -> None:
        before = self._played_ms()
        spoke_ms = 0
        while True:
            await self._clock.sleep_ms(STEP_MS)
            played, now = self._played_ms(), self._clock.mono_ms()
            self._board.move(before, played)
            before = played
            news = self._board.news()
            if self._board.alive is not None and now - spoke_ms >= ALIVE_MS:
                news[f"sensor/{self._board.alive}"] = str(now // 1_000)
                spoke_ms = now
            for key, word in news.items():
                await self._say(key, word)

    async def _say(self, key: str, word: str) -> None:
        topic = f"{self._board.prefix}/{key}/state"
        try:
            await self._session.publish(Outgoing(topic, word.encode(), retain=True))
        except MqttLost:
            self._board.said.pop(key, None)  # said again once the broker is back

    async def _listen(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            text = inbound.payload.decode("utf-8", errors="replace")
            levels = inbound.topic.removeprefix(f"{self._board.prefix}/").split("/")
            if inbound.topic == f"{self._board.prefix}/{SCRIPT}":
                taken = self._board.script(text)
                log.info("script", words=text[:80], taken=taken)
            elif len(levels) == 3:
                self._board.tell(levels[0], levels[1], text, self._played_ms())


async def run_boards(
    boards: Sequence[SimBoard], settings: MqttSettings, *, speed: float = 1.0
) -> None:
    """Run boards until a signal; ``speed`` times as fast as real doors and lifts are."""
    clock = SystemClock()
    processes = [BoardProcess(board, settings, clock, speed) for board in boards]
    await run_service([part for process in processes for part in process.parts()])
