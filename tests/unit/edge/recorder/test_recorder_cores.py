"""What guards a track, when a clock has stepped, when space is saved: pure decisions."""

from contracts.units import MonoMs, UtcMs
from edge.core.guarded import Guarded, step
from edge.core.machine_watch import STEP_SHOWN_MS, ClockWatch, DiskSeen, compare, saves_space
from edge.core.recording import (
    HoldTracks,
    KeepTracks,
    LiftHold,
    ReleaseTracks,
    SaveSpace,
    SealTracks,
)

NOW = UtcMs(1_000_000)


def seal(session: str = "s-1") -> SealTracks:
    return SealTracks(room_id="room-1", session_id=session, admitted=5, keep_days=10)


def test_a_sealed_room_is_guarded_until_its_own_release() -> None:
    guarded = step(Guarded(), seal(), NOW)
    assert guarded.guards("cam-1", "room-1", NOW)
    assert not guarded.guards("cam-2", "room-2", NOW)
    late = step(guarded, ReleaseTracks(room_id="room-1", session_id="s-0"), NOW)
    assert late.guards("cam-1", "room-1", NOW)
    over = step(guarded, ReleaseTracks(room_id="room-1", session_id="s-1"), NOW)
    assert not over.guards("cam-1", "room-1", NOW)


def test_an_order_to_keep_is_replaced_by_the_next_of_its_session() -> None:
    keep = KeepTracks(
        room_id="corridor-1", session_id="s-1", from_utc_ms=NOW, keep_until_utc_ms=UtcMs(9**12)
    )
    guarded = step(Guarded(), keep, NOW)
    assert not guarded.guards("cam-3", "corridor-1", UtcMs(NOW - 1))
    assert guarded.guards("cam-3", "corridor-1", UtcMs(NOW + 10**9))
    ended = step(guarded, keep.model_copy(update={"to_utc_ms": UtcMs(NOW + 5)}), NOW)
    assert ended.guards("cam-3", "corridor-1", UtcMs(NOW + 4))
    assert not ended.guards("cam-3", "corridor-1", UtcMs(NOW + 5))
    assert len(ended.kept) == 1
    assert step(ended, seal(), UtcMs(NOW + 6)).kept == ()


def test_a_hold_guards_its_tracks_in_its_interval_until_it_is_lifted() -> None:
    hold = HoldTracks(
        tracks=("cam-1",),
        hold_id="h-1",
        from_utc_ms=NOW,
        to_utc_ms=UtcMs(NOW + 100),
        reason="complaint",
        by="li.wei",
    )
    guarded = step(Guarded(), hold, NOW)
    assert guarded.guards("cam-1", "room-1", NOW)
    assert not guarded.guards("cam-2", "room-1", NOW)
    assert not guarded.guards("cam-1", "room-1", UtcMs(NOW + 100))
    lifted = step(guarded, LiftHold(hold_id="h-1", reason="settled", by="li.wei"), NOW)
    assert not lifted.guards("cam-1", "room-1", NOW)


def test_other_requests_guard_nothing_and_the_state_survives_its_file() -> None:
    guarded = step(Guarded(), seal(), NOW)
    assert step(guarded, SaveSpace(stop=True), NOW) is guarded
    assert Guarded.model_validate_json(guarded.model_dump_json()) == guarded


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
