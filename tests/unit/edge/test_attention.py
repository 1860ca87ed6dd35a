"""The scheduler of attention on scripted movement: what is looked at, when, and how often."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.units import MonoMs, UtcMs
from edge.core import attention
from edge.core.attention import (
    BARREN_MS,
    LIVE_FULL_MS,
    AttentionState,
    Look,
    LookKind,
    LookTimes,
    MotionSeen,
    Why,
    marked,
)
from edge.core.people import Instant, Rect, Track

SHAPE = (18, 32)
PERIOD_MS = 200
TIMES = LookTimes()
SEAT = Rect(0.3, 0.4, 0.4, 0.7)
DOOR = Rect(0.75, 0.3, 0.85, 0.8)
CURTAIN = Rect(0.05, 0.1, 0.2, 0.5)


def moving(*rects: Rect) -> np.ndarray:
    cells = np.zeros(SHAPE, np.float32)
    for rect in rects:
        cells[marked(rect, SHAPE)] = 0.6
    return cells


@dataclass
class Watch:
    """One camera under a clock that the test moves. ``found``: what a full look shows."""

    times: LookTimes = TIMES
    state: AttentionState = field(default_factory=AttentionState)
    ms: int = 50_000
    tracks: tuple[Track, ...] = ()
    looks: list[tuple[int, Look]] = field(default_factory=list)

    def track(
        self, number: int, rect: Rect, *, settled: bool = False, detected: bool = True
    ) -> Track:
        at = Instant(MonoMs(self.ms), UtcMs(self.ms))
        return Track(number, rect, 0.6, detected, at, MonoMs(self.ms), settled=settled)

    def show(
        self,
        *rects: Rect,
        found: tuple[tuple[int, Rect, bool], ...] = (),
        light: bool = False,
        changed: bool = False,
    ) -> Look:
        """One picture in which these parts move; ``found`` are number, place, settled."""
        self.ms += PERIOD_MS
        now = MonoMs(self.ms)
        cells = moving(*rects)
        since = cells if changed or rects else np.zeros(SHAPE, np.float32)
        motion = MotionSeen(cells, since, light=light)
        self.state, look = attention.step(self.state, motion, self.tracks, now, self.times)
        self.looks.append((self.ms, look))
        self.tracks = self._followed(look, found)
        return look

    def _followed(self, look: Look, found: tuple[tuple[int, Rect, bool], ...]) -> tuple[Track, ...]:
        before = {track.number: track for track in self.tracks}
        made = []
        for number, rect, settled in found:
            old = before.get(number)
            shown = look.kind is LookKind.FULL or any(
                rect.shared_area(one) > 0.5 * rect.area for one in look.regions
            )
            if old is None and not shown:
                continue
            first = old.first_seen if old else Instant(MonoMs(self.ms), UtcMs(self.ms))
            seen_ms = MonoMs(self.ms) if shown or old is None else old.last_seen_mono_ms
            made.append(
                Track(number, rect, 0.6, shown, first, seen_ms, settled=settled, looked=shown)
            )
        return tuple(made)

    def run(self, seconds: float, *rects: Rect, **more: object) -> "Watch":
        for _ in range(round(seconds * 1000 / PERIOD_MS)):
            self.show(*rects, **more)  # type: ignore[arg-type] # keywords of show, one by one
        return self

    def live(self) -> "Watch":
        """Past the first seconds in which everything is looked at."""
        return self.run(LIVE_FULL_MS / 1000 + 1)

    def with_sitter(self) -> "Watch":
        """Somebody sits, has settled, and moves on the seat."""
        self.run(LIVE_FULL_MS / 1000 + 12, SEAT, found=((1, SEAT, True),))
        return self

    def whys(self, last_ms: int) -> list[Why]:
        return [look.why for ms, look in self.looks if ms > self.ms - last_ms]

    def looked(self, last_ms: int) -> int:
        return sum(
            look.kind is not LookKind.NONE for ms, look in self.looks if ms > self.ms - last_ms
        )


def test_every_picture_is_looked_at_when_saving_is_off() -> None:
    watch = Watch(times=LookTimes(enabled=False)).live()
    assert {look for _, look in watch.looks} == {Look(LookKind.FULL, Why.ALWAYS)}


def test_a_camera_that_went_live_is_looked_at_long_enough_for_the_count_to_speak() -> None:
    watch = Watch().run(LIVE_FULL_MS / 1000 - 0.2)
    assert {look for _, look in watch.looks} == {Look(LookKind.FULL, Why.LIVE)}


def test_an_empty_room_in_which_nothing_changes_is_hardly_looked_at() -> None:
    watch = Watch().live().run(120)
    assert watch.looked(120_000) == 120_000 // TIMES.unchanged_look_ms
    assert set(watch.whys(120_000)) == {Why.STILL, Why.IDLE}


def test_a_change_too_slow_to_be_movement_is_looked_at_within_the_idle_time() -> None:
    watch = Watch().live().run(TIMES.idle_look_ms / 1000 + 0.2)
    cells = np.zeros(SHAPE, np.float32)
    motion = MotionSeen(cells, moving(DOOR))
    _, look = attention.step(watch.state, motion, (), MonoMs(watch.ms + PERIOD_MS), TIMES)
    assert look == Look(LookKind.FULL, Why.IDLE)


def test_somebody_in_the_door_is_looked_at_in_that_very_picture() -> None:
    watch = Watch().live().run(2)
    assert watch.show(DOOR).kind is not LookKind.NONE
    assert watch.looks[-1][1].why is Why.MOVEMENT


def test_a_single_cell_is_nobody() -> None:
    watch = Watch().live().run(1)
    one, far = Rect(0.5, 0.5, 0.53, 0.55), Rect(0.8, 0.2, 0.83, 0.25)
    assert np.count_nonzero(moving(one)) == np.count_nonzero(moving(far)) == 1
    assert watch.show(one, far).kind is LookKind.NONE
    assert watch.show(Rect(0.5, 0.5, 0.56, 0.55)).kind is not LookKind.NONE


def test_what_moves_and_is_not_found_in_the_whole_picture_is_looked_at_closer() -> None:
    watch = Watch().live().run(1)
    kinds = [watch.show(DOOR) for _ in range(6)]
    assert [look.why for look in kinds] == [Why.MOVEMENT, Why.CLOSER] * 3
    (region,) = kinds[1].regions
    assert region.shared_area(DOOR) == pytest.approx(DOOR.area)


def test_somebody_found_where_it_moves_needs_no_closer_look() -> None:
    watch = Watch().live().run(1)
    watch.run(1, DOOR, found=((1, DOOR, False),))
    assert set(watch.whys(1_000)) == {Why.MOVEMENT}


def test_people_who_settled_and_move_on_their_seats_are_looked_at_in_turn() -> None:
    watch = Watch().with_sitter().run(30, SEAT, found=((1, SEAT, True),))
    assert 30_000 // TIMES.settled_look_ms - 2 <= watch.looked(30_000)
    assert watch.looked(30_000) <= 30_000 // TIMES.settled_look_ms + 2
    assert set(watch.whys(30_000)) == {Why.SETTLED, Why.EXPLAINED}


def test_settled_people_who_keep_still_are_looked_at_no_more_than_an_idle_room() -> None:
    watch = Watch().with_sitter().run(30, found=((1, SEAT, True),), changed=True)
    assert watch.looked(20_000) <= 20_000 // TIMES.idle_look_ms + 1


def test_rising_from_a_seat_is_looked_at_at_once() -> None:
    watch = Watch().with_sitter()
    watch.show(found=((1, SEAT, True),))
    above = Rect(0.3, 0.2, 0.4, 0.4)
    assert watch.show(SEAT, above, found=((1, SEAT, True),)).why is Why.MOVEMENT


def test_much_more_movement_at_a_seat_than_usual_is_looked_at_soon() -> None:
    watch = Watch()
    hand = Rect(0.3, 0.4, 0.35, 0.5)
    watch.run(60, hand, found=((1, SEAT, True),))
    watch.run(1, SEAT, found=((1, SEAT, True),))
    assert Why.STIR in watch.whys(1_000)


def test_somebody_who_settled_and_is_not_found_is_looked_for() -> None:
    watch = Watch().with_sitter()
    while watch.show(SEAT, found=((1, SEAT, True),)).kind is not LookKind.FULL:
        pass
    at = watch.ms
    watch.tracks = tuple(
        Track(1, SEAT, 0.6, False, one.first_seen, MonoMs(at - 1_500), settled=True)
        for one in watch.tracks
    )
    look = watch.show(SEAT, found=())
    assert look.why is Why.MISSED
    assert look.kind is LookKind.REGIONS
    assert look.regions == (SEAT,)


def test_a_table_taken_for_a_person_explains_nothing() -> None:
    table = Rect(0.0, 0.2, 1.0, 0.95)
    watch = Watch().run(30, found=((1, table, True),))
    assert watch.show(DOOR, found=((1, table, True),)).why is Why.MOVEMENT


def test_a_place_that_is_lived_in_explains_movement_when_its_track_is_lost_and_found() -> None:
    beside = (3, Rect(0.6, 0.4, 0.7, 0.7), True)
    watch = Watch().with_sitter()
    watch.run(8, SEAT, found=((1, SEAT, True), beside))
    watch.show(SEAT, found=(beside,))
    look = watch.show(SEAT, found=((2, SEAT, False), beside))
    assert look.why in {Why.EXPLAINED, Why.SETTLED, Why.MISSED}
    watch.run(5, SEAT, found=((2, SEAT, False), beside))
    assert watch.looked(5_000) <= 5


def test_a_room_that_everybody_has_left_explains_nothing() -> None:
    watch = Watch().with_sitter()
    watch.run(10, SEAT, found=((1, SEAT, True),))
    watch.run(1, SEAT, DOOR)  # out by the door
    watch.run(3)
    assert watch.tracks == ()
    assert watch.show(SEAT).why is Why.MOVEMENT


def test_a_seat_that_is_empty_is_soon_not_lived_in() -> None:
    watch = Watch().with_sitter()
    other = Rect(0.6, 0.4, 0.7, 0.7)
    watch.run(15, SEAT, found=((1, SEAT, True), (2, other, True)))
    watch.run(45, other, found=((2, other, True),))
    assert watch.show(SEAT, found=((2, other, True),)).why is Why.MOVEMENT


def test_somebody_who_walks_is_looked_at_in_every_picture() -> None:
    watch = Watch().live().run(1)
    for step in range(20):
        rect = Rect(0.05 + step * 0.04, 0.3, 0.13 + step * 0.04, 0.8)
        watch.show(rect, found=((7, rect, False),))
    assert watch.looked(4_000) == 20


def test_somebody_who_walks_away_out_of_where_they_stood_is_looked_at_in_every_picture() -> None:
    stood = Rect(0.4, 0.3, 0.52, 0.95)
    watch = Watch().live().run(14, stood, found=((1, stood, False),))
    for step in range(25):  # five metres on, the camera behind: the box shrinks where it was
        share = 1 - 0.02 * step
        rect = Rect(0.46 - 0.06 * share, 0.3, 0.46 + 0.06 * share, 0.3 + 0.65 * share)
        watch.show(rect, found=((1, rect, False),))
    assert watch.looked(1_200) == 6


def test_a_box_that_two_people_share_in_turn_walks_nowhere() -> None:
    boxes = (SEAT, Rect(0.35, 0.4, 0.45, 0.7))
    watch = Watch().live()
    for step in range(200):
        watch.show(*boxes, found=((1, boxes[step // 3 % 2], False),))
    assert watch.looked(10_000) <= 12


def test_a_curtain_that_moves_for_an_hour_costs_one_look_a_second_and_blinds_nobody() -> None:
    watch = Watch().live()
    watch.run(2 * BARREN_MS / 1000, CURTAIN)
    watch.run(600, CURTAIN)
    assert watch.looked(60_000) == pytest.approx(60, abs=2)
    assert watch.show(CURTAIN, DOOR).why is Why.MOVEMENT
    gaps = np.diff([ms for ms, look in watch.looks if look.kind is LookKind.FULL])
    assert gaps[-200:].max() <= TIMES.restless_look_ms + PERIOD_MS


def test_what_was_restless_is_trusted_again_when_somebody_is_seen_there() -> None:
    watch = Watch().live().run(20, CURTAIN)
    watch.run(12, CURTAIN, found=((1, CURTAIN, False),))
    state = watch.state
    assert state.restless is not None
    assert not (state.restless & marked(CURTAIN, SHAPE)).any()


def test_a_change_of_light_is_looked_at_at_once_and_flicker_once_a_second() -> None:
    watch = Watch().live().run(1)
    assert watch.show(light=True) == Look(LookKind.FULL, Why.LIGHT)
    watch.run(30, light=True)
    assert watch.looked(20_000) == pytest.approx(20, abs=2)


def test_a_look_that_failed_is_owed() -> None:
    watch = Watch().live().run(1)
    watch.state = attention.failed(watch.state)
    assert watch.show() == Look(LookKind.FULL, Why.OWED)
    assert watch.show().kind is LookKind.NONE


def test_doubtful_finds_where_nothing_moves_wake_nobody() -> None:
    watch = Watch().live().run(5)
    coat = Rect(0.6, 0.4, 0.65, 0.6)
    watch.tracks = (watch.track(5, coat, detected=False),)
    assert watch.show(found=((5, coat, False),)).kind is LookKind.NONE


def test_another_size_of_picture_begins_anew_and_kills_nothing() -> None:
    watch = Watch().live()
    small = MotionSeen(np.ones((1, 32), np.float32))
    state, look = attention.step(watch.state, small, (), MonoMs(watch.ms + PERIOD_MS), TIMES)
    assert look.kind is not LookKind.NONE
    assert state.barren_ms is not None
    assert state.barren_ms.shape == (1, 32)


shares = st.floats(0.0, 0.9)
rects = st.builds(
    lambda x, y, w, h: Rect(x, y, min(x + w, 1.0), min(y + h, 1.0)),
    shares, shares, st.floats(0.1, 0.4), st.floats(0.12, 0.4),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(seat=rects, mover=rects, quiet_s=st.integers(0, 40))
def test_unexplained_movement_is_looked_at_in_the_picture_that_shows_it(
    seat: Rect, mover: Rect, quiet_s: int
) -> None:
    watch = Watch().run(20, seat, found=((1, seat, True),))
    watch.run(quiet_s, found=((1, seat, True),))
    explained = marked(attention.place_of(watch.track(1, seat)), SHAPE)
    if watch.state.lived_ms is not None:
        explained |= watch.state.lived_ms >= attention.LIVED_MS
    outside = marked(mover, SHAPE) & ~explained
    look = watch.show(mover, found=((1, seat, True),))
    if np.count_nonzero(outside) >= 6:  # so many never lie one by one in a strip around a seat
        assert look.kind is not LookKind.NONE


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(rects, max_size=2), st.booleans(), st.booleans()), max_size=60))
def test_no_stretch_without_a_look_at_all_of_the_picture_is_longer_than_its_bound(
    script: list[tuple[list[Rect], bool, bool]],
) -> None:
    times = LookTimes(idle_look_ms=2_000, unchanged_look_ms=4_000)
    watch = Watch(times=times)
    for parts, light, somebody in script:
        found = ((1, parts[0], somebody),) if parts else ()
        watch.run(1, *parts, found=found, light=light)
    full = [ms for ms, look in watch.looks if look.kind is LookKind.FULL]
    assert all(b - a <= 4_000 + PERIOD_MS for a, b in pairwise(full))
