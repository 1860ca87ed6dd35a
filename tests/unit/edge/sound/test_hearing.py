"""What is remembered of a source: background and its jumps, voices, who is loud, what rings."""

from dataclasses import replace

import pytest

from contracts.units import MonoMs, UtcMs
from edge.core import hearing
from edge.core.hearing import Flat, Heard, SoundSigns
from edge.core.people import Instant

FLOOR_DBFS = -80.0


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_000_000 + ms))


class Listening:
    """A source, window after window."""

    def __init__(self) -> None:
        self.ms = 0
        self.heard = Heard()
        self.people: int | None = None

    def hear(
        self, seconds: float, level_dbfs: float, speech: float = 0.0, ring: float = 0.0
    ) -> Heard:
        for number in range(round(seconds * 10)):
            self.ms += 100
            wobble = (-0.5, 0.0, 0.5)[number % 3]
            made = SoundSigns(
                "mic",
                level_dbfs + wobble,
                at(self.ms),
                loudness_lufs=level_dbfs,
                speech=speech,
                ring=ring,
            )
            self.heard = hearing.step(self.heard, made, FLOOR_DBFS, people=self.people)
        return self.heard


def test_the_background_is_known_after_some_quiet_seconds_and_follows_slowly() -> None:
    room = Listening()
    assert room.hear(4, -60).background_dbfs is None
    assert room.hear(4, -60).background_dbfs == pytest.approx(-60.5, abs=0.6)
    followed = room.hear(60, -57)
    assert followed.away is None
    assert followed.background_dbfs == pytest.approx(-57.5, abs=1)


def test_voices_are_no_background_nor_is_a_ring_or_a_dead_line() -> None:
    room = Listening()
    before = room.hear(8, -60).background_dbfs
    room.hear(20, -35, speech=0.9)
    room.hear(20, -30, ring=0.9)
    room.hear(20, -120)
    assert room.heard.background_dbfs == before
    assert room.heard.away is None


@pytest.mark.parametrize("by_db", [-18, 18])
def test_a_jump_is_dated_at_the_window_where_it_began(by_db: int) -> None:
    room = Listening()
    room.hear(20, -55)
    began_ms = room.ms
    away = room.hear(5, -55 + by_db).away
    assert away is not None
    assert abs(away.mono_ms - began_ms) <= 200
    assert room.heard.background_dbfs == pytest.approx(-55.5, abs=1)
    assert room.hear(5, -55).away is None


def test_a_jump_after_a_smaller_one_has_a_date_of_its_own() -> None:
    room = Listening()
    room.hear(20, -60)
    room.hear(20, -53)  # ventilation
    began_ms = room.ms
    away = room.hear(5, -35).away
    assert away is not None
    assert abs(away.mono_ms - began_ms) <= 200


def test_what_has_stayed_five_minutes_is_the_background() -> None:
    room = Listening()
    room.hear(20, -60)
    assert room.hear(290, -40).away is not None
    assert room.hear(20, -40).away is None
    assert room.heard.background_dbfs == pytest.approx(-40.5, abs=1)


def test_an_interval_of_voices_outlasts_a_breath_and_ends_after_a_pause() -> None:
    room = Listening()
    room.hear(2, -60)
    room.hear(1, -35, speech=0.9)
    room.hear(1.2, -60)
    assert (voices := room.hear(1, -35, speech=0.8).voices) is not None
    assert (voices.since, voices.last, voices.windows) == (at(2_100), at(5_200), 20)
    assert voices.sure == pytest.approx(0.85)
    room.hear(2, -60)
    assert room.heard.voices is None


def test_raised_voices_are_held_against_the_usual_ones() -> None:
    room = Listening()
    room.hear(3, -60)
    assert room.hear(4, -20, speech=0.9).raised is None  # nobody knows what is usual here
    room = Listening()
    room.hear(3, -60)
    room.hear(30, -38, speech=0.9)
    assert room.heard.usual_lufs == pytest.approx(-38, abs=1)
    assert room.hear(3, -30, speech=0.9).raised is None
    began_ms = room.ms
    raised = room.hear(4, -22, speech=0.9).raised
    assert raised is not None
    assert raised.since == at(began_ms + 100)
    assert room.hear(3, -60).raised is None
    room.hear(60, -22, speech=0.9)  # a minute of it moves the usual by little
    assert room.heard.usual_lufs is not None
    assert room.heard.usual_lufs < -32


def test_flat_is_dated_by_what_the_spectrum_looked_at() -> None:
    room = Listening()
    room.hear(5, -60)
    signs = SoundSigns("mic", -50, at(5_100), flat=Flat.HUM, flat_ms=4_000)
    room.heard = hearing.step(room.heard, signs, FLOOR_DBFS)
    assert room.heard.flat_since == at(1_100)
    again = replace(signs, at=at(6_000))
    assert hearing.step(room.heard, again, FLOOR_DBFS).flat_since == at(1_100)
    living = replace(signs, at=at(6_000), flat=None)
    assert hearing.step(room.heard, living, FLOOR_DBFS).flat_since is None


def test_alone_counts_from_when_the_pictures_show_nobody_without_a_break() -> None:
    room = Listening()
    room.people = 0
    assert room.hear(1, -60).alone_since == at(100)
    room.people = None
    assert room.hear(0.1, -60).alone_since is None
    room.people = 0
    assert room.hear(1, -60).alone_since == at(1_200)
    room.people = 1
    assert room.hear(0.1, -60).alone_since is None
