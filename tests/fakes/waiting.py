"""Waits for a condition with a deadline: the only place where a test waits for real time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

from runtime.clock import SimulatedClock

POLL_S = 0.005  # short beside any deadline, long beside a check
ASK_S = 0.05  # most between two questions to a process, which has to compute its answer
WITHIN_S = 30.0  # costs nothing when all is well, and a busy machine holds a process up for seconds


async def until(
    condition: Callable[[], object | Awaitable[object]], *, within_s: float = WITHIN_S, what: str
) -> None:
    """Return as soon as ``condition()`` (plain or awaitable) is true.

    An awaitable one asks somebody: it is asked less and less often.

    Raises:
        AssertionError: it did not become true within ``within_s`` seconds of real time; says
        ``what``.
    """
    deadline = time.monotonic() + within_s
    pause_s = POLL_S
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
            pause_s = min(pause_s * 1.5, ASK_S)
        if held:
            return
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        await asyncio.sleep(pause_s)


def until_blocking(
    condition: Callable[[], object], *, within_s: float = WITHIN_S, what: str
) -> None:
    """As ``until``, for tests without an event loop."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(POLL_S)


async def until_simulated(
    clock: SimulatedClock,
    condition: Callable[[], object],
    *,
    within_ms: int,
    what: str,
    step_ms: int = 10,
) -> None:
    """Run simulated time until ``condition()`` is true; real time plays no part.

    Raises:
        AssertionError: it did not become true within ``within_ms`` of simulated time; says
        ``what``.
    """
    end = clock.mono_ms() + within_ms
    await clock.settle()
    while not condition():
        if clock.mono_ms() >= end:
            raise AssertionError(f"not within {within_ms} simulated ms: {what}")
        await clock.run_ms(min(step_ms, end - clock.mono_ms()))


def elapsed_s(since_s: float = 0.0) -> float:
    """Seconds of the test's stop-watch since an earlier reading of it."""
    return time.monotonic() - since_s
