"""Keeps processes alive and ends them: restarts with backoff, stops all within five seconds.

A child runs in a session and process group of its own, so that a stop reaches what it has started,
and the kernel kills it when this process dies without a word (PR_SET_PDEATHSIG).
"""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

from contracts.units import MonoMs
from runtime.clock import Clock, backoff_ms

log = structlog.get_logger(__name__)

STOP_TERM_MS: Final = 3_500  # time to flush after SIGTERM; with the rest it stays below 5 s
STOP_KILL_S: Final = 1.0  # the kernel ends a killed process at once, unless a disk hangs
RESTART_FIRST_MS: Final = 250
RESTART_MAX_MS: Final = 10_000
STABLE_AFTER_MS: Final = 10_000  # a child that lived shorter does not reset its backoff
CHILDREN_MAX: Final = 200  # one machine; above it something loops
EXIT_SETTINGS: Final = 78
"""EX_CONFIG of sysexits: the settings are wrong, so starting again will not help."""

_PR_SET_PDEATHSIG: Final = 1


class Restart(StrEnum):
    """When an ended child is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    """Not after exit status 0."""
    NEVER = "never"


class ChildState(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"
    """Not started yet, or backing off before the next start."""
    RUNNING = "running"
    ENDED = "ended"
    """Ended, and is not to be started again."""
    FAILED = "failed"
    """Ended with EXIT_SETTINGS, or its command cannot be run: needs a person."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run. ``environ`` is the child's whole environment (None: ours)."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] | None = None
    directory: Path | None = None
    output: Path | None = None
    """File to which both outputs are appended; None: ours."""
    restart: Restart = Restart.ALWAYS


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """What is known of a child now."""

    name: str
    state: ChildState
    pid: int | None
    starts: int
    exit_status: int | None
    """Of the last end; negative: the signal's number."""


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    state: ChildState = ChildState.WAITING
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    exit_status: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def move(self, state: ChildState) -> None:
        self.state = state
        self.changed.set()
        self.changed = asyncio.Event()


class Supervisor:
    """Runs children until cancelled; children may be added and taken out meanwhile."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        specs: Iterable[ChildSpec] = (),
        *,
        restart_max_ms: int = RESTART_MAX_MS,
    ) -> None:
        self._restart_max_ms = restart_max_ms
        self._clock = clock
        self._rng = rng
        self._children: dict[str, _Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running = False
        for spec in specs:
            self.add(spec)

    def add(self, spec: ChildSpec) -> None:
        """Add a child; it starts at once while ``run`` runs, else with it.

        Raises:
            ValueError: the name is taken, or there are CHILDREN_MAX children.
        """
        if spec.name in self._children:
            raise ValueError(f"there is a child {spec.name!r} already")
        if len(self._children) >= CHILDREN_MAX:
            raise ValueError(f"a supervisor takes {CHILDREN_MAX} children")
        self._children[spec.name] = _Child(spec)
        if self._running:
            self._start_task(spec.name)

    async def remove(self, name: str) -> None:
        """Stop a child and forget it."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._children.pop(name)

    def status(self, name: str) -> ChildStatus:
        """How a child fares."""
        child = self._children[name]
        pid = child.process.pid if child.process and child.state is ChildState.RUNNING else None
        return ChildStatus(name, child.state, pid, child.starts, child.exit_status)

    def statuses(self) -> tuple[ChildStatus, ...]:
        """How all children fare, in the order in which they were added."""
        return tuple(self.status(name) for name in self._children)

    async def wait_for(self, name: str, state: ChildState) -> ChildStatus:
        """Return once the child is in ``state``."""
        child = self._children[name]
        while child.state is not state:
            await child.changed.wait()
        return self.status(name)

    def kill(self, name: str, signum: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a running child alone, as a fault would; its pid.

        Raises:
            ProcessLookupError: it is not running.
        """
        pid = self.status(name).pid
        if pid is None:
            raise ProcessLookupError(f"child {name!r} is not running")
        os.kill(pid, signum)
        return pid

    async def run(self) -> None:
        """Keep the children running until cancelled, then stop all of them within five seconds."""
        self._running = True
        for name in list(self._children):
            self._start_task(name)
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            tasks = list(self._tasks.values())
            self._tasks.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_task(self, name: str) -> None:
        self._tasks[name] = asyncio.create_task(
            self._keep(self._children[name]), name=f"keep {name}"
        )

    async def _keep(self, child: _Child) -> None:
        attempt = 0
        while True:
            since = self._clock.mono_ms()
            try:
                await self._run_once(child)
            except OSError as error:
                log.error("child_not_started", child=child.spec.name, error=str(error))
                child.move(ChildState.FAILED)
                return
            if not self._starts_again(child):
                return
            attempt = 0 if _lived_ms(since, self._clock) >= STABLE_AFTER_MS else attempt
            delay_ms = backoff_ms(
                attempt, self._rng, first_ms=RESTART_FIRST_MS, max_ms=self._restart_max_ms
            )
            attempt += 1
            log.warning(
                "child_ended",
                child=child.spec.name,
                exit_status=child.exit_status,
                starts=child.starts,
                restart_ms=delay_ms,
            )
            child.move(ChildState.WAITING)
            await self._clock.sleep_ms(delay_ms)

    def _starts_again(self, child: _Child) -> bool:
        restart, status = child.spec.restart, child.exit_status
        if status == EXIT_SETTINGS:
            log.error("child_settings_wrong", child=child.spec.name, exit_status=status)
            child.move(ChildState.FAILED)
            return False
        if restart is Restart.NEVER or (restart is Restart.ON_FAILURE and status == 0):
            log.info("child_finished", child=child.spec.name, exit_status=status)
            child.move(ChildState.ENDED)
            return False
        return True

    async def _run_once(self, child: _Child) -> None:
        process = await _start(child.spec)
        child.process = process
        child.starts += 1
        child.move(ChildState.RUNNING)
        log.info("child_started", child=child.spec.name, pid=process.pid)
        try:
            child.exit_status = await process.wait()
            _kill_group(process.pid, signal.SIGKILL)  # what it left behind
        except asyncio.CancelledError:
            child.exit_status = await self._end(child.spec.name, process)
            child.move(ChildState.ENDED)
            raise

    async def _end(self, name: str, process: asyncio.subprocess.Process) -> int | None:
        _kill_group(process.pid, signal.SIGTERM)
        waiter = asyncio.ensure_future(process.wait())
        timer = asyncio.ensure_future(self._clock.sleep_ms(STOP_TERM_MS))
        await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if not waiter.done():
            log.warning("child_killed", child=name, pid=process.pid, after_ms=STOP_TERM_MS)
        # The group as well when the child itself is gone: it may have left processes behind.
        _kill_group(process.pid, signal.SIGKILL)
        await asyncio.wait({waiter}, timeout=STOP_KILL_S)
        if not waiter.done():
            waiter.cancel()
            log.error("child_stuck", child=name, pid=process.pid, hint="it hangs in the kernel")
        return process.returncode


def _lived_ms(since: MonoMs, clock: Clock) -> int:
    return clock.mono_ms() - since


def _kill_group(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # the whole group has gone already
        os.killpg(pid, signum)


async def _start(spec: ChildSpec) -> asyncio.subprocess.Process:
    output: int | None = None
    if spec.output is not None:
        spec.output.parent.mkdir(parents=True, exist_ok=True)
        output = os.open(spec.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        return await asyncio.create_subprocess_exec(
            *spec.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(spec.environ) if spec.environ is not None else None,
            cwd=spec.directory,
            start_new_session=True,
            preexec_fn=_die_with_parent(),
        )
    finally:
        if output is not None:
            os.close(output)


def _die_with_parent() -> Callable[[], None]:
    # Everything that may allocate or import happens here, before the fork.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return in_child


async def run_service(
    coroutines: Sequence[Coroutine[Any, Any, None]],
    *,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> signal.Signals | None:
    """Run the parts of a process until a signal, or until one of them ends; then cancel the rest.

    Returns the signal that ended it, or None when a part returned by itself.

    Raises:
        BaseExceptionGroup: a part failed.
    """
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []
    stop = asyncio.Event()

    def on_signal(signum: signal.Signals) -> None:
        received.append(signum)
        stop.set()
        # A second one means "now": the default handler ends the process.
        loop.remove_signal_handler(signum)

    for signum in signals:
        loop.add_signal_handler(signum, on_signal, signum)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in coroutines]
            tasks.append(group.create_task(_stopped(stop)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)
    return received[0] if received else None


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()
