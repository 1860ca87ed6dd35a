"""Time of tests moves only when told to, and wakes sleepers in the order of their deadlines."""

import asyncio
import itertools
import random

import pytest

from contracts.evidence.entries import ClockSource, ClockState
from contracts.units import UtcMs
from runtime.clock import (
    BACKOFF_MAX_MS,
    STA_NANO,
    STA_UNSYNC,
    SimulatedClock,
    SystemClock,
    backoff_ms,
    clock_state,
)


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock = SimulatedClock()
    woken: list[tuple[str, int]] = []
    start = clock.mono_ms()

    async def sleeper(name: str, ms: int) -> None:
        await clock.sleep_ms(ms)
        woken.append((name, clock.mono_ms() - start))

    async with asyncio.TaskGroup() as group:
        for name, ms in (("late", 300), ("early", 100), ("also early", 100), ("middle", 200)):
            group.create_task(sleeper(name, ms))
        await clock.run_ms(1_000)
    assert woken == [("early", 100), ("also early", 100), ("middle", 200), ("late", 300)]
    assert clock.mono_ms() - start == 1_000


async def test_a_task_that_sleeps_again_is_woken_again_inside_one_run() -> None:
    clock = SimulatedClock()
    beats: list[int] = []

    async def heart() -> None:
        while True:
            await clock.sleep_ms(250)
            beats.append(clock.mono_ms())

    task = asyncio.create_task(heart())
    await clock.run_ms(1_000)
    task.cancel()
    assert [later - earlier for earlier, later in itertools.pairwise(beats)] == [250] * 3


async def test_advance_runs_nobody_until_the_loop_turns() -> None:
    clock = SimulatedClock()
    task = asyncio.create_task(clock.sleep_ms(10))
    await clock.settle()
    clock.advance_ms(10)
    assert not task.done()
    await task


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = SimulatedClock()
    task = asyncio.create_task(clock.sleep_ms(10))
    await clock.settle()
    assert clock.sleepers == 1
    task.cancel()
    await clock.settle()
    assert clock.next_wake_ms() is None
    await clock.run_ms(100)


def test_a_step_of_utc_leaves_monotonic_time_alone() -> None:
    clock = SimulatedClock(start_utc_ms=UtcMs(5_000))
    before = clock.mono_ms()
    clock.step_utc_ms(-3_000)
    clock.advance_ms(10)
    assert (clock.utc_ms(), clock.mono_ms() - before) == (2_010, 10)


def test_time_cannot_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        SimulatedClock().advance_ms(-1)


async def test_the_system_clock_has_the_boot_id_of_the_kernel_and_does_not_step_back() -> None:
    clock = SystemClock()
    first = clock.mono_ms()
    await clock.sleep_ms(0)
    assert clock.mono_ms() >= first
    assert len(clock.boot_id) == 36
    assert clock.utc_ms() > 1_700_000_000_000


def test_backoff_doubles_is_capped_and_has_jitter() -> None:
    rng = random.Random(1)
    draws = [[backoff_ms(attempt, rng) for _ in range(50)] for attempt in range(40)]
    for attempt, row in enumerate(draws):
        full = min(BACKOFF_MAX_MS, 250 * 2**attempt)
        assert all(full // 2 <= delay <= full for delay in row)
        assert len(set(row)) > 10


@pytest.mark.parametrize(
    ("status", "offset", "expected"),
    [
        (0, 1_500, ClockState(source=ClockSource.SYNCHRONISED, offset_ms=1.5, error_max_ms=16.0)),
        (
            STA_NANO,
            -2_250_000,
            ClockState(source=ClockSource.SYNCHRONISED, offset_ms=-2.25, error_max_ms=16.0),
        ),
        (
            STA_UNSYNC | STA_NANO,
            7_000_000,
            ClockState(source=ClockSource.UNSYNCHRONISED, error_max_ms=16.0),
        ),
    ],
)
def test_the_kernels_word_is_read_in_its_own_unit(
    status: int, offset: int, expected: ClockState
) -> None:
    assert clock_state(status, offset, 16_000) == expected


def test_this_machines_clock_says_what_it_knows() -> None:
    state = SystemClock().state()
    if state.source is ClockSource.SYNCHRONISED:
        assert state.offset_ms is not None
    else:
        assert state.offset_ms is None


def test_a_simulated_clock_can_be_told_its_state() -> None:
    clock = SimulatedClock()
    assert clock.state().source is ClockSource.SYNCHRONISED
    clock.set_state(ClockState(source=ClockSource.UNSYNCHRONISED))
    assert clock.state() == ClockState(source=ClockSource.UNSYNCHRONISED)
