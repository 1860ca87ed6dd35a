"""Holds what happens next in a simulated world: the clock moves from event to event."""

import heapq
import itertools
from collections.abc import Callable
from typing import Final

from contracts.units import MonoMs, UtcMs
from controller.core.state import Now

MONO_AT_START_MS: Final = 1_000_000_000  # long before it nothing was sent
UTC_AT_START_MS: Final = 1_795_320_000_000  # some noon; only differences matter


class Agenda:
    """The events of one world in order of time; those of one moment in the order they were made."""

    def __init__(self) -> None:
        """An empty agenda at second 0."""
        self.now_s = 0.0
        self.events = 0
        self.utc_start_ms = UTC_AT_START_MS
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def at(self, when_s: float, act: Callable[[], object]) -> None:
        """Do something at a moment; what lies in the past is done next."""
        heapq.heappush(self._heap, (max(when_s, self.now_s), next(self._count), act))

    def after(self, wait_s: float, act: Callable[[], object]) -> None:
        """Do something in ``wait_s`` seconds."""
        self.at(self.now_s + wait_s, act)

    def step(self, until_s: float) -> bool:
        """Do the next event, if it is due by ``until_s``; else the clock stands there."""
        if not self._heap or self._heap[0][0] > until_s:
            self.now_s = max(self.now_s, until_s)
            return False
        self.now_s, _, act = heapq.heappop(self._heap)
        self.events += 1
        act()
        return True

    @property
    def next_s(self) -> float:
        """When the next event is due; infinite without one."""
        return self._heap[0][0] if self._heap else float("inf")

    def now(self) -> Now:
        """The clocks as the controller reads them."""
        return Now(MonoMs(MONO_AT_START_MS + round(self.now_s * 1000)), self.utc_ms())

    def utc_ms(self) -> UtcMs:
        """The wall clock."""
        return UtcMs(self.utc_start_ms + round(self.now_s * 1000))
