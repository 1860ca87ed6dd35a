"""When a sample was captured: drift followed, jitter ignored, losses told."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capture.pickup_clock import (
    JUMP_US,
    WARM_BLOCKS,
    WARM_BLOCKS_MAX,
    Jump,
    SoundClock,
    settle,
    step,
)

RATE = 48_000
BLOCK = 2_400
START_US = 5_000_000_000


def true_us(sample: float, ppm: float) -> float:
    return START_US + sample * 1e6 / (RATE * (1 + ppm * 1e-6))


def run(blocks: Iterable[tuple[int, float]]) -> tuple[SoundClock, list[Jump]]:
    clock, jumps = SoundClock(RATE), []
    for first, at_us in blocks:
        clock, jump = step(clock, first, round(at_us))
        jumps += [jump] if jump else []
    return clock, jumps


@settings(max_examples=8)  # each is two minutes of blocks
@given(st.floats(-300, 300), st.integers(0, 2**32))
def test_drift_is_followed_and_measured_through_jitter(ppm: float, seed: int) -> None:
    rng = random.Random(seed)
    firsts = range(0, RATE * 120, BLOCK)
    clock, jumps = run((first, true_us(first, ppm) + rng.gauss(0, 1_000)) for first in firsts)
    last = firsts[-1]
    assert jumps == []
    assert abs(clock.time_us(last) - true_us(last, ppm)) < 2_000
    assert clock.drift_ppm == pytest.approx(ppm, abs=20)
    assert abs(clock.error_us) < 2_000


def test_stamps_never_step_back_and_stay_close_all_the_way() -> None:
    rng = random.Random(7)
    clock, before = SoundClock(RATE), 0.0
    for first in range(0, RATE * 60, BLOCK):
        clock, _ = step(clock, first, round(true_us(first, 100) + rng.gauss(0, 3_000)))
        if clock.line is not None:
            now = clock.time_us(first)
            assert now > before
            assert abs(now - true_us(first, 100)) < 5_000
            before = now


def test_one_late_block_moves_nothing() -> None:
    blocks = [(first, true_us(first, 0)) for first in range(0, RATE * 5, BLOCK)]
    late = [(first, at + 400_000 * (first == 50 * BLOCK)) for first, at in blocks]
    clock, jumps = run(late)
    assert jumps == []
    assert abs(clock.time_us(blocks[-1][0]) - blocks[-1][1]) < 100


@pytest.mark.parametrize("lost_us", [JUMP_US + 10_000, 700_000, -200_000])
def test_samples_that_are_missing_are_a_jump_where_it_happened(lost_us: int) -> None:
    at_block = 60
    blocks = [
        (first, true_us(first, 0) + lost_us * (first >= at_block * BLOCK))
        for first in range(0, RATE * 5, BLOCK)
    ]
    clock, jumps = run(blocks)
    assert [jump.sample for jump in jumps] == [at_block * BLOCK]
    assert jumps[0].by_us == pytest.approx(lost_us, abs=2_000)
    # Each side of the loss keeps its own time.
    assert clock.time_us(at_block * BLOCK - BLOCK) == pytest.approx(
        blocks[at_block - 1][1], abs=2_000
    )
    assert clock.time_us(at_block * BLOCK) == pytest.approx(blocks[at_block][1], abs=2_000)


def test_a_server_that_mends_its_first_estimate_does_not_spoil_the_start() -> None:
    wrong = [
        (first, true_us(first, 0) - max(500_000 - first * 20, 0))
        for first in range(0, 96_000, BLOCK)
    ]
    clock, jumps = run(wrong)
    assert jumps == []
    assert clock.time_us(0) == pytest.approx(true_us(0, 0), abs=10_000)


def test_it_warms_up_in_half_a_second_and_at_the_latest_in_two() -> None:
    assert run((n * BLOCK, true_us(n * BLOCK, 0)) for n in range(WARM_BLOCKS - 1))[0].line is None
    assert run((n * BLOCK, true_us(n * BLOCK, 0)) for n in range(WARM_BLOCKS))[0].line is not None
    wild = random.Random(1)
    noisy = [
        (n * BLOCK, true_us(n * BLOCK, 0) + wild.uniform(0, 50_000)) for n in range(WARM_BLOCKS_MAX)
    ]
    assert run(noisy[:-1])[0].line is None
    assert run(noisy)[0].line is not None


def test_a_device_that_ends_while_it_warms_up_still_has_a_time() -> None:
    clock, _ = run((n * BLOCK, true_us(n * BLOCK, 0)) for n in range(3))
    with pytest.raises(ValueError, match="no line yet"):
        clock.time_us(0)
    assert settle(clock).time_us(0) == pytest.approx(START_US, abs=1)
    assert settle(SoundClock(RATE)).line is None
