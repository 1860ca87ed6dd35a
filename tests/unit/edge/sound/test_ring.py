"""A telephone is told from what else has a pitch."""

from collections.abc import Callable

import numpy as np
import pytest

from contracts.catalogue.phone import PHONE_RING
from edge.perception.ring import RingWatch
from tests.corpus import sound_parts as parts


def best(sound: parts.Sound) -> float:
    watch = RingWatch()
    return max(
        watch.take(sound[at : at + 1_600], wanted=True) for at in range(0, sound.size, 1_600)
    )


@pytest.mark.parametrize("kind", parts.RINGS)
@pytest.mark.parametrize("seed", [1, 3])
def test_every_kind_of_telephone_scores(kind: str, seed: int) -> None:
    rng = np.random.default_rng((seed, 7))
    sound = parts.room_tone(rng, 9, -55)
    parts.put(sound, parts.in_room(rng, parts.ring(rng, kind, 6, -35), 0.4), 3_000)
    assert best(sound[: 3 * parts.RATE_HZ]) == 0.0
    assert best(sound) >= 0.9


OTHERS: dict[str, Callable[[parts.Rng], parts.Sound]] = {
    "machine": lambda rng: parts.machine_tone(rng, 8, -35),
    "kettle": lambda rng: parts.kettle(rng, 8, -35),
    "siren": lambda rng: parts.siren(rng, 8, -35),
    "music": lambda rng: parts.music(rng, 8, -35),
    "hum": lambda rng: parts.hum(rng, 8, -30),
    "squeaks": lambda rng: np.concatenate(
        [part for _ in range(9) for part in (parts.squeak(rng, -30), parts.blank(0.5))]
    ),
    "coughs": lambda rng: np.concatenate([parts.cough(rng, -30) for _ in range(5)]),
    "keys": lambda rng: parts.keys(rng, 8, -35),
    "buzz": lambda rng: parts.ring(rng, "buzz", 8, -35),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_sounds_with_a_pitch_or_a_rhythm_do_not(kind: str, seed: int) -> None:
    rng = np.random.default_rng((seed, 9))
    sound = parts.room_tone(rng, 12, -58)
    parts.put(sound, OTHERS[kind](rng), 3_000)
    watch = RingWatch()
    scores = [watch.take(sound[at : at + 1_600], wanted=True) for at in range(0, sound.size, 1_600)]
    # Squeaks may hold a note for a moment; nine of them together do not last as long as the rule
    # waits (windows of 100 ms).
    dwell_windows = PHONE_RING.parameter("dwell_ms").default / 100
    assert sum(score >= 0.5 for score in scores) < dwell_windows


@pytest.mark.parametrize("voice", ["cmn+f2", "en+f3", "cmn+m3"])
def test_voices_do_not(voice: str) -> None:
    rng = np.random.default_rng(3)
    words = np.concatenate([parts.sentence(rng, -30, voice) for _ in range(3)])
    assert best(words) < 0.5
    assert best(np.concatenate([parts.shout(rng, -15, voice) for _ in range(3)])) < 0.5


def test_nothing_is_computed_where_nothing_stands_out() -> None:
    rng = np.random.default_rng(4)
    watch, air = RingWatch(), parts.room_tone(rng, 4, -55)
    scores = [watch.take(air[at : at + 1_600], wanted=False) for at in range(0, air.size, 1_600)]
    assert set(scores) == {0.0}
    assert not any(frame.loud for frame in watch.frames)
