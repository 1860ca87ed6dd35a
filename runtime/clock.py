"""Reads time: the only module of the product that does, so that everything else can be replayed."""

import asyncio
import ctypes
import heapq
import itertools
import random
import time
from pathlib import Path
from typing import Final, Protocol

from contracts.evidence.entries import ClockSource, ClockState
from contracts.units import MonoMs, UtcMs

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")

SETTLE_TURNS = 32
# Turns of the event loop given to tasks after each simulated wake-up. One hop from task to task
# costs one turn; the longest chain of ours (bus -> inbox -> service -> outbox -> bus) is far
# shorter.

STA_UNSYNC: Final = 0x0040  # bits of timex.status, linux/timex.h
STA_NANO: Final = 0x2000

BACKOFF_FIRST_MS = 250  # a broker that restarts is back within a second
BACKOFF_MAX_MS = 5_000  # nobody waits longer for a broker that has come back

# 2026-01-01T01:00:00Z: a working day begins in China.
SIMULATED_START_UTC_MS = UtcMs(1_767_229_200_000)

SIMULATED_ERROR_MAX_MS = 5.0  # what NTP over a local network reaches

SIMULATED_START_MONO_MS = MonoMs(1_000_000)  # not zero: "never" must not look like "at the start"


class Clock(Protocol):
    """What a service knows about time."""

    @property
    def boot_id(self) -> str:
        """Names the boot of ``mono_ms``; readings of two boots must not be compared."""
        ...

    def mono_ms(self) -> MonoMs:
        """Milliseconds that never step back and include suspend; for intervals."""
        ...

    def utc_ms(self) -> UtcMs:
        """Milliseconds since 1970 in UTC; may step; for records and people."""
        ...

    def state(self) -> ClockState:
        """How far ``utc_ms`` can be trusted; never raises."""
        ...

    async def sleep_ms(self, ms: int) -> None:
        """Wait for ``ms`` milliseconds; zero or less lets other tasks run once."""
        ...


class SystemClock:
    """The machine's clock: CLOCK_BOOTTIME, so that a suspended node notices the time it slept."""

    __slots__ = ("_adjtimex", "_boot_id")

    def __init__(self) -> None:
        self._boot_id = BOOT_ID_FILE.read_text(encoding="ascii").strip()
        self._adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def mono_ms(self) -> MonoMs:
        return MonoMs(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)

    def utc_ms(self) -> UtcMs:
        return UtcMs(time.time_ns() // 1_000_000)

    def state(self) -> ClockState:
        """What the kernel's NTP discipline says (adjtimex(2), read only).

        Unknown where the call does not exist or is forbidden (a sandbox that filters it).
        """
        timex = _Timex(modes=0)  # no mode bit: nothing is set, so no privilege is needed
        if self._adjtimex is None or self._adjtimex(ctypes.byref(timex)) < 0:
            return ClockState(source=ClockSource.UNKNOWN)
        return clock_state(timex.status, timex.offset, timex.maxerror)

    async def sleep_ms(self, ms: int) -> None:
        await asyncio.sleep(max(ms, 0) / 1000)


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2). ``unread`` holds what nobody here looks at."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        # 13 longs, two ints and eleven reserved ints follow; too much room does no harm.
        ("unread", ctypes.c_long * 32),
    )


def clock_state(status: int, offset: int, maxerror_us: int) -> ClockState:
    """What the fields of ``struct timex`` mean; ``offset`` is in ns or µs, as ``status`` says."""
    error_max_ms = round(maxerror_us / 1_000, 3)
    if status & STA_UNSYNC:
        # The kernel then holds an offset that nobody has measured.
        return ClockState(source=ClockSource.UNSYNCHRONISED, error_max_ms=error_max_ms)
    per_ms = 1_000_000 if status & STA_NANO else 1_000
    return ClockState(
        source=ClockSource.SYNCHRONISED,
        offset_ms=round(offset / per_ms, 3),
        error_max_ms=error_max_ms,
    )


class SimulatedClock:
    """A clock that a test moves by hand; UTC and monotonic time advance together.

    ``advance_ms`` marks sleepers as due but runs nobody. ``run_ms`` moves from deadline to deadline
    and lets tasks run at each, so that a task which sleeps again inside the interval is woken
    again.
    """

    def __init__(
        self,
        *,
        start_utc_ms: UtcMs = SIMULATED_START_UTC_MS,
        start_mono_ms: MonoMs = SIMULATED_START_MONO_MS,
        boot_id: str = "00000000-0000-0000-0000-000000000001",
    ) -> None:
        self._mono = int(start_mono_ms)
        self._utc_offset = int(start_utc_ms) - self._mono
        self._boot_id = boot_id
        self._state = ClockState(
            source=ClockSource.SYNCHRONISED, offset_ms=0.0, error_max_ms=SIMULATED_ERROR_MAX_MS
        )
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def boot_id(self) -> str:
        return self._boot_id

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock."""
        return sum(1 for _, _, future in self._sleepers if not future.done())

    def mono_ms(self) -> MonoMs:
        return MonoMs(self._mono)

    def utc_ms(self) -> UtcMs:
        return UtcMs(self._mono + self._utc_offset)

    def step_utc_ms(self, ms: int) -> None:
        """Move UTC alone, as an NTP correction does; monotonic time is not touched."""
        self._utc_offset += ms

    def state(self) -> ClockState:
        return self._state

    def set_state(self, state: ClockState) -> None:
        """From now on the clock is trusted this far."""
        self._state = state

    async def sleep_ms(self, ms: int) -> None:
        if ms <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._mono + ms, next(self._order), future))
        await future

    def next_wake_ms(self) -> MonoMs | None:
        """The earliest deadline of a sleeper, or None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return MonoMs(self._sleepers[0][0]) if self._sleepers else None

    def advance_ms(self, ms: int) -> None:
        """Move time on and mark every sleeper that is due, earliest first; runs no task by itself.

        Raises:
            ValueError: ``ms`` is negative.
        """
        if ms < 0:
            raise ValueError(f"time cannot go back: advance_ms({ms})")
        self._wake_until(self._mono + ms)

    async def run_ms(self, ms: int) -> None:
        """Move time on from deadline to deadline and let tasks run at each of them."""
        end = self._mono + ms
        await self.settle()
        while (due := self.next_wake_ms()) is not None and due <= end:
            self._wake_until(due)
            await self.settle()
        self._wake_until(end)
        await self.settle()

    async def settle(self) -> None:
        """Let the tasks that are ready run, without moving time."""
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)

    def _wake_until(self, end: int) -> None:
        while (due := self.next_wake_ms()) is not None and due <= end:
            self._mono = max(self._mono, int(due))
            heapq.heappop(self._sleepers)[2].set_result(None)
        self._mono = max(self._mono, end)


def backoff_ms(
    attempt: int,
    rng: random.Random,
    *,
    first_ms: int = BACKOFF_FIRST_MS,
    max_ms: int = BACKOFF_MAX_MS,
) -> int:
    """Delay before repeat ``attempt`` (from 0): doubles, is capped, has a jitter of 50 to 100 %."""
    full = min(max_ms, first_ms << min(attempt, 20))
    return full // 2 + rng.randrange(full // 2 + 1)
