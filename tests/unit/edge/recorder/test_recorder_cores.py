"""When a clock has stepped, and when space is saved: pure decisions."""

from contracts.units import MonoMs, UtcMs
from edge.core.machine_watch import STEP_SHOWN_MS, ClockWatch, DiskSeen, compare, saves_space


def test_a_step_is_told_once_with_its_size_and_shown_for_ten_minutes() -> None:
    watch = ClockWatch(MonoMs(0), UtcMs(1_000))
    watch, step_ms = compare(watch, MonoMs(500), UtcMs(1_900))
    assert step_ms == 0  # 400 ms: a busy machine between the two readings
    watch, step_ms = compare(watch, MonoMs(1_000), UtcMs(2_400 - 3_600_000))
    assert step_ms == -3_600_000
    watch, step_ms = compare(watch, MonoMs(1_500), UtcMs(2_900 - 3_600_000))
    assert step_ms == 0
    assert watch.shown_step_ms(MonoMs(1_000 + STEP_SHOWN_MS - 1)) == -3_600_000
    assert watch.shown_step_ms(MonoMs(1_000 + STEP_SHOWN_MS)) == 0


def test_slewing_never_adds_up_to_a_step() -> None:
    watch = ClockWatch(MonoMs(0), UtcMs(0))
    for look in range(1, 10_000):
        watch, step_ms = compare(watch, MonoMs(look * 500), UtcMs(look * 501))
        assert step_ms == 0


def test_space_is_saved_below_the_mark_and_no_longer_well_above_it() -> None:
    def disk(percent: float) -> DiskSeen:
        return DiskSeen(free_bytes=int(percent * 10), total_bytes=1_000)

    assert not saves_space(disk(3.0), 3.0, saving=False)
    assert saves_space(disk(2.9), 3.0, saving=False)
    assert saves_space(disk(3.9), 3.0, saving=True)
    assert not saves_space(disk(4.0), 3.0, saving=True)
    assert saves_space(DiskSeen(error="gone"), 3.0, saving=True)
    assert not saves_space(DiskSeen(error="gone"), 3.0, saving=False)
