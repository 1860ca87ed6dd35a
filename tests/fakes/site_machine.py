"""A machine of a simulated site: runs, is killed, and starts again from what its disk holds."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.devices import Site
from contracts.layout import RobotMap
from runtime.clock import SimulatedClock
from tests.fakes.site_bus import MachineBus, SiteBroker
from tests.fakes.site_clock import Life, MachineClock, PowerCut
from tests.fakes.site_truth import Truth

RUN_KEY = bytes(range(32))
SKEW_MAX_MS = 400  # what NTP on a site's network keeps by far
UP_MAX_MS = 10_000_000  # a machine that has been up for hours
BOOT_MS = 5_000  # what CLOCK_BOOTTIME says when a process starts after a boot


@dataclass
class Ground:
    """What all machines of one simulated site stand on."""

    clock: SimulatedClock
    broker: SiteBroker
    folder: Path
    rng: random.Random
    truth: Truth
    site: Site
    robot_map: RobotMap
    map_file: Path


class Machine(ABC):
    """One process on one machine; a subclass says of which parts it is built."""

    def __init__(self, name: str, ground: Ground) -> None:
        self.name = name
        self.ground = ground
        self.folder = ground.folder / name
        self.starts = 0
        self.down_ms = 0
        self.reboots = False
        self._boots = 1
        self._mono_ms = ground.rng.randrange(UP_MAX_MS)
        self._skew_ms = ground.rng.randint(-SKEW_MAX_MS, SKEW_MAX_MS)
        self._serving: asyncio.Task[None] | None = None
        self.up_since_ms = 0
        self.bus: MachineBus | None = None
        self.life = Life(self._died)
        self.clock = self._new_clock()

    @property
    def alive(self) -> bool:
        """It runs, and was not killed."""
        return self.life.alive and self.starts > 0

    @property
    def linked(self) -> bool:
        """It runs and is connected to the broker."""
        return self.alive and self.bus is not None and self.bus.connected

    @abstractmethod
    def build(self) -> Sequence[Coroutine[object, object, None]]:
        """Put the process together from its disk; the coroutines that make it run."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what a dead process leaves to its operating system."""

    def kill(self, *, down_ms: int, reboots: bool = False) -> None:
        """kill -9 now, start again after ``down_ms``; a reboot begins a new monotonic time."""
        if not self.alive:
            return
        self.down_ms, self.reboots = down_ms, reboots
        self.life.end()
        if self._serving is not None:
            self._serving.cancel()

    def light(self, touches: int, *, down_ms: int) -> None:
        """Let it die at a later touch of its disk."""
        self.down_ms, self.reboots = down_ms, False
        self.life.light(touches)

    async def run(self) -> None:
        """Live, die and come back until cancelled."""
        try:
            while True:
                self.life = Life(self._died)
                self.clock = self._new_clock()
                self.starts += 1
                self.up_since_ms = self.ground.truth.now_ms
                self._serving = asyncio.create_task(self._serve(self.build()))
                await asyncio.wait([self._serving])
                self._judge_end(self._serving)
                self.life.end()
                self.close()
                await self.ground.clock.sleep_ms(max(self.down_ms, 1))
                if self.reboots:
                    self._boots += 1
                    self._mono_ms = BOOT_MS - int(self.ground.clock.mono_ms())
        finally:
            self.life.end()
            if self._serving is not None:
                self._serving.cancel()
                await asyncio.wait([self._serving])
            self.close()

    async def _serve(self, parts: Sequence[Coroutine[object, object, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)

    def _judge_end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.ground.truth.break_(f"{self.name} ended by itself")
            return
        rest = error.split(PowerCut)[1] if isinstance(error, BaseExceptionGroup) else error
        if rest is not None and not isinstance(rest, PowerCut):
            self.ground.truth.break_(f"{self.name} died of {_first(rest)!r}")
            raise rest

    def _died(self) -> None:
        boot = " (reboot)" if self.reboots else ""
        self.ground.truth.tell(f"{self.name} is killed{boot}, down for {self.down_ms} ms")
        if self.bus is not None:
            self.ground.broker.remove(self.bus)

    def _new_clock(self) -> MachineClock:
        return MachineClock(
            self.ground.clock,
            self.life,
            boot_id=f"{self.name}-boot-{self._boots}",
            mono_ms=self._mono_ms,
            skew_ms=self._skew_ms,
        )


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
