"""When a segment ends, and why."""

import pytest

from contracts.evidence.entries import Ending
from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant
from edge.recording.cutting import CLOCK_STEP_MS, Cutting, clock_step_ms, ending_at_key


def at(mono_ms: int, step_ms: int = 0) -> Instant:
    return Instant(MonoMs(mono_ms), UtcMs(1_000_000 + mono_ms + step_ms))


@pytest.mark.parametrize(
    ("now", "wanted", "changed", "ending"),
    [
        (at(59_000), None, False, None),
        (at(59_990), None, False, Ending.FULL),
        (at(75_000), None, False, Ending.FULL),
        (at(1_000), None, True, Ending.STREAM_CHANGED),
        (at(1_000), Ending.TIME_JUMPED, False, Ending.TIME_JUMPED),
        (at(1_000, 3_600_000), None, False, Ending.TIME_JUMPED),
        (at(1_000, -3_600_000), None, False, Ending.TIME_JUMPED),
        (at(59_000, CLOCK_STEP_MS - 1), None, False, None),
    ],
)
def test_why_a_segment_ends_before_a_key_frame(
    now: Instant, wanted: Ending | None, changed: bool, ending: Ending | None
) -> None:
    assert ending_at_key(Cutting(60_000, at(0), wanted), now, changed=changed) is ending


def test_a_segment_waits_for_a_key_frame_twice_its_time_and_two_minutes_at_least() -> None:
    assert Cutting(60_000, at(0)).hard_ms == 120_000
    assert Cutting(10_000, at(0)).hard_ms == 120_000
    assert Cutting(600_000, at(0)).hard_ms == 1_200_000


def test_how_far_the_clock_stepped() -> None:
    assert clock_step_ms(at(0), at(60_000)) == 0
    assert clock_step_ms(at(0), at(60_000, -5_000)) == -5_000
