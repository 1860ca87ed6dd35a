"""Time and death of simulated machines: a loop that jumps from wake to wake, and kill -9."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar, TypeVarTuple

from contracts.evidence.entries import ClockState
from contracts.units import MonoMs, UtcMs
from runtime.clock import SimulatedClock

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class PowerCut(BaseException):
    """The process has just been killed: no handler of its may turn this into anything else."""


class StandstillError(Exception):
    """Nothing is ready and nobody waits for the clock: a task was lost."""


class JumpingSelector(selectors.SelectSelector):
    """Where a loop would wait for the world, moves the simulated clock to its next deadline.

    So a simulation runs as fast as its work, and every task that is ready runs before time moves.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return []
        due = self._clock.next_wake_ms()
        if due is None:
            raise StandstillError
        self._clock.advance_ms(max(int(due) - int(self._clock.mono_ms()), 0))
        return []


class OneThreadLoop(asyncio.SelectorEventLoop):
    """A loop that no other thread calls."""

    def call_soon_threadsafe(  # type: ignore[override]  # without typeshed's type variables
        self, callback: Callable[..., object], *args: object, context: None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)


def jumping_loop(clock: SimulatedClock) -> asyncio.AbstractEventLoop:
    """A new event loop whose time is ``clock``."""
    return OneThreadLoop(JumpingSelector(clock))


class InlineExecutor(Executor):
    """Runs what it is given at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # boundary: handed to who waits
            future.set_exception(error)
        return future


class Life:
    """One process from its start to its kill -9.

    Every write to its disk calls ``touch`` before and after, so that a lit fuse ends the process
    between any two of them.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.alive = True
        self.touches = 0
        self._fuse: int | None = None
        self._on_end = on_end

    def light(self, touches: int) -> None:
        """Die at the so-manieth touch of the disk from now."""
        self._fuse = max(touches, 1)

    def put_out(self) -> None:
        """Let a lit fuse burn no further."""
        self._fuse = None

    def end(self) -> None:
        """Die now: nothing of this process reaches disk or network any more."""
        if self.alive:
            self.alive = False
            self._on_end()

    def touch(self) -> None:
        """The process is about to write, or has written.

        Raises:
            PowerCut: it is dead, or dies here.
        """
        self.touches += 1
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse <= 0:
                self.end()
        if not self.alive:
            raise PowerCut


class MachineClock:
    """One machine's clock: its own boot, its own error of UTC, the site's flow of time."""

    def __init__(
        self, base: SimulatedClock, life: Life, *, boot_id: str, mono_ms: int, skew_ms: int
    ) -> None:
        """``mono_ms`` is ``base`` plus this; ``skew_ms`` the error of UTC."""
        self._base = base
        self._life = life
        self._boot_id = boot_id
        self._mono_ms = mono_ms
        self._skew_ms = skew_ms

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def mono_ms(self) -> MonoMs:
        return MonoMs(self._base.mono_ms() + self._mono_ms)

    def utc_ms(self) -> UtcMs:
        return UtcMs(self._base.utc_ms() + self._skew_ms)

    def state(self) -> ClockState:
        return self._base.state()

    async def sleep_ms(self, ms: int) -> None:
        if ms <= 0:
            await asyncio.sleep(0)
        else:
            await self._base.sleep_ms(ms)
        if not self._life.alive:
            await forever()


async def forever() -> None:
    """What a dead process does until it is cleared away."""
    await asyncio.Event().wait()
