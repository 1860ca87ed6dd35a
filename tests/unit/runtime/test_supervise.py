"""Children are started again with backoff, and none is left behind."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from runtime.clock import SimulatedClock, SystemClock
from runtime.supervise import EXIT_SETTINGS, ChildSpec, ChildState, Restart, Supervisor, run_service
from tests.fakes.waiting import elapsed_s, until

SLEEPER = "import time; open({ready!r}, 'w').close(); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "open({ready!r}, 'w').close(); time.sleep(60)"
)
PARENT = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-S', '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(1, flush=True); time.sleep(60)'], stdout=subprocess.PIPE); "
    "child.stdout.readline(); open({ready!r}, 'w').write(str(child.pid)); time.sleep(60)"
)


def python(name: str, code: str, restart: Restart = Restart.ALWAYS) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-S", "-c", code), restart=restart)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie whose new parent has not collected it counts as dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def stop(task: asyncio.Task[None]) -> float:
    """Cancel a supervisor; the seconds that it took."""
    since = elapsed_s()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return elapsed_s(since)


async def test_a_child_that_ends_is_started_again_with_backoff() -> None:
    clock = SimulatedClock()
    supervisor = Supervisor(clock, random.Random(1), [python("short", "raise SystemExit(3)")])
    task = asyncio.create_task(supervisor.run())
    waits: list[int] = []
    for starts in range(1, 6):
        await until(lambda: clock.sleepers == 1, what="the supervisor backs off")
        status = supervisor.status("short")
        assert (status.state, status.starts, status.exit_status) == (ChildState.WAITING, starts, 3)
        wake = clock.next_wake_ms()
        assert wake is not None
        waits.append(wake - clock.mono_ms())
        await clock.run_ms(waits[-1])
    assert all(125 * 2**n <= wait <= 250 * 2**n for n, wait in enumerate(waits))
    await stop(task)


async def test_a_killed_child_is_back(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    supervisor = Supervisor(
        SystemClock(), random.Random(1), [python("a", SLEEPER.format(ready=str(ready)))]
    )
    task = asyncio.create_task(supervisor.run())
    await until(ready.exists, what="the child runs")
    ready.unlink()
    killed = supervisor.kill("a")
    await until(ready.exists, what="the child runs again")
    status = supervisor.status("a")
    assert (status.starts, status.exit_status) == (2, -signal.SIGKILL)
    assert status.pid not in {None, killed}
    assert not alive(killed)
    assert await stop(task) < 5
    assert status.pid is not None
    assert not alive(status.pid)


async def test_a_child_that_ignores_sigterm_is_killed_within_five_seconds(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    supervisor = Supervisor(
        SystemClock(), random.Random(1), [python("a", STUBBORN.format(ready=str(ready)))]
    )
    task = asyncio.create_task(supervisor.run())
    await until(ready.exists, what="the child ignores SIGTERM")
    pid = supervisor.status("a").pid
    assert pid is not None
    assert 3 < await stop(task) < 5
    assert not alive(pid)
    assert supervisor.status("a").exit_status == -signal.SIGKILL


async def test_what_a_child_has_started_goes_with_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    supervisor = Supervisor(
        SystemClock(), random.Random(1), [python("a", PARENT.format(ready=str(ready)))]
    )
    task = asyncio.create_task(supervisor.run())
    await until(lambda: ready.exists() and ready.read_text() != "", what="the grandchild runs")
    grandchild = int(ready.read_text())
    assert alive(grandchild)
    assert await stop(task) < 5
    await until(lambda: not alive(grandchild), within_s=30, what="the grandchild is gone")


async def test_children_die_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = (
        "import asyncio, random, sys; from runtime.clock import SystemClock; "
        "from runtime.supervise import ChildSpec, Supervisor; "
        "spec = ChildSpec('a', (sys.executable, '-S', '-c', "
        "'import os, time; open(' + repr(sys.argv[1]) + ', \"w\").write(str(os.getpid())); "
        "time.sleep(60)')); "
        "asyncio.run(Supervisor(SystemClock(), random.Random(1), [spec]).run())"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(ready))
    await until(
        lambda: ready.exists() and ready.read_text() != "", within_s=30, what="the child runs"
    )
    child = int(ready.read_text())
    assert alive(child)
    supervisor.kill()
    assert await supervisor.wait() == -signal.SIGKILL
    await until(lambda: not alive(child), what="the child died with its supervisor")


@pytest.mark.parametrize(
    ("code", "restart", "state"),
    [
        (0, Restart.ON_FAILURE, ChildState.ENDED),
        (1, Restart.NEVER, ChildState.ENDED),
        (EXIT_SETTINGS, Restart.ALWAYS, ChildState.FAILED),
    ],
)
async def test_some_ends_are_final(code: int, restart: Restart, state: ChildState) -> None:
    supervisor = Supervisor(
        SimulatedClock(), random.Random(1), [python("a", f"raise SystemExit({code})", restart)]
    )
    task = asyncio.create_task(supervisor.run())
    status = await asyncio.wait_for(supervisor.wait_for("a", state), 30)
    assert (status.starts, status.exit_status, status.pid) == (1, code, None)
    with pytest.raises(ProcessLookupError, match="is not running"):
        supervisor.kill("a")
    await stop(task)


async def test_a_command_that_cannot_run_fails_once() -> None:
    supervisor = Supervisor(
        SimulatedClock(), random.Random(1), [ChildSpec("a", ("/nonexistent/program",))]
    )
    task = asyncio.create_task(supervisor.run())
    status = await asyncio.wait_for(supervisor.wait_for("a", ChildState.FAILED), 30)
    assert (status.starts, status.pid) == (
        0,
        None,
    )  # not one try became a process, nor is there a second
    await stop(task)


async def test_children_come_and_go_while_it_runs(tmp_path: Path) -> None:
    output = tmp_path / "logs" / "b.log"
    supervisor = Supervisor(SystemClock(), random.Random(1))
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    code = "import os, time; print(os.environ['WORD'], flush=True); time.sleep(60)"
    command = (sys.executable, "-S", "-c", code)
    supervisor.add(ChildSpec("b", command, environ={"WORD": "hello"}, output=output))
    await until(lambda: output.exists() and output.read_text() == "hello\n", what="its output")
    with pytest.raises(ValueError, match="there is a child 'b' already"):
        supervisor.add(ChildSpec("b", command))
    pid = supervisor.status("b").pid
    assert pid is not None
    await supervisor.remove("b")
    assert supervisor.statuses() == ()
    assert not alive(pid)
    await stop(task)


async def endless(names: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        names.append(name)


async def test_a_signal_ends_a_service_in_order() -> None:
    names: list[str] = []
    service = asyncio.create_task(run_service([endless(names, "a"), endless(names, "b")]))
    await SimulatedClock().settle()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(service, 30) is signal.SIGTERM
    assert sorted(names) == ["a", "b"]


async def test_a_part_that_fails_ends_the_service_with_its_error() -> None:
    names: list[str] = []

    async def failing() -> None:
        raise LookupError("no such room")

    with pytest.raises(ExceptionGroup) as failed:
        await run_service([endless(names, "a"), failing()])
    assert failed.group_contains(LookupError, match="no such room")
    assert names == ["a"]


async def test_a_part_that_returns_ends_the_service() -> None:
    names: list[str] = []

    async def brief() -> None:
        names.append("brief")

    assert await run_service([endless(names, "a"), brief()]) is None
    assert names == ["brief", "a"]
