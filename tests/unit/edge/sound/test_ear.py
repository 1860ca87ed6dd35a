"""The ear: windows of any stream, each with its own time; models asked only where it pays."""

import numpy as np
import pytest

from contracts.units import MonoMs, UtcMs
from edge.core.hearing import SoundSigns
from edge.core.levels import Reading, Samples
from edge.core.people import Instant
from edge.perception.ear import Ear
from edge.perception.speech import FRAME_SAMPLES, SileroSpeech
from tests.corpus import sound_parts as parts


class CountingSpeech:
    """Says that everything is speech, and counts how often it was asked."""

    def __init__(self) -> None:
        self.frames = 0
        self.resets = 0

    def __call__(self, frame: Samples) -> float:
        assert frame.size == FRAME_SAMPLES
        self.frames += 1
        return 1.0

    def reset(self) -> None:
        self.resets += 1


def at(ms: float) -> Instant:
    return Instant(MonoMs(10_000 + round(ms)), UtcMs(1_000_000 + round(ms)))


def heard(ear: Ear, samples: Samples, rate_hz: int, block: int) -> list[SoundSigns]:
    count = samples.shape[-1]
    return [
        signs
        for first in range(0, count, block)
        for signs in ear.take(
            samples[..., first : first + block],
            rate_hz,
            at(min(first + block, count) * 1000 / rate_hz),
        )
    ]


@pytest.mark.parametrize(
    ("rate_hz", "block"), [(8_000, 160), (16_000, 1_024), (44_100, 1_024), (48_000, 5_000)]
)
def test_any_rate_and_block_gives_ten_windows_a_second_at_their_own_times(
    rate_hz: int, block: int
) -> None:
    t_s = np.arange(rate_hz * 3) / rate_hz
    tone = (0.1 * np.sin(2 * np.pi * 440 * t_s)).astype(np.float32)
    signs = heard(Ear("mic", CountingSpeech()), tone, rate_hz, block)
    assert len(signs) == 30
    for number, one in enumerate(signs, start=1):
        assert abs(one.at.mono_ms - at(number * 100).mono_ms) <= 1
        assert one.level_dbfs == pytest.approx(-23.0, abs=0.3)
        assert one.peak_dbfs == pytest.approx(-20.0, abs=0.3)


def test_channels_are_mixed_and_none_hides_another() -> None:
    loud = np.clip(3 * np.sin(np.arange(16_000) * 0.2), -1, 1).astype(np.float32)
    signs = heard(
        Ear("mic", CountingSpeech()), np.stack((loud, np.zeros_like(loud))), 16_000, 1_600
    )
    assert all(one.clipped_share > 0.5 for one in signs)
    assert signs[0].level_dbfs < -5


def test_what_was_measured_before_is_believed() -> None:
    told = Reading(-33.0, -1.0, 0.25)
    ear = Ear("mic", CountingSpeech())
    (signs,) = ear.take(np.zeros(1_600, np.float32), 16_000, at(100), told)
    assert (signs.level_dbfs, signs.peak_dbfs, signs.clipped_share) == (-33.0, -1.0, 0.25)


def test_steady_noise_asks_no_model() -> None:
    speech = CountingSpeech()
    air = parts.room_tone(np.random.default_rng(1), 20, -50)
    signs = heard(Ear("mic", speech), air, 16_000, 1_600)
    assert speech.frames <= 20  # the floor is found in the first moments
    assert max(one.speech for one in signs[10:]) == 0.0


def test_what_stands_out_is_given_to_the_model_with_what_came_before() -> None:
    speech = CountingSpeech()
    sound = parts.room_tone(np.random.default_rng(1), 10, -55)
    parts.put(sound, parts.white(np.random.default_rng(2), 1, -30), 6_000)
    ear = Ear("mic", speech)
    signs = heard(ear, sound, 16_000, 1_600)
    loud = [one.at.mono_ms - 10_000 for one in signs if one.speech > 0 and one.at.mono_ms > 12_000]
    assert loud[0] == 6_100
    assert 7_000 <= loud[-1] <= 7_900
    assert speech.resets >= 1


def test_a_break_and_another_rate_begin_anew() -> None:
    ear = Ear("mic", CountingSpeech())
    assert list(ear.take(np.zeros(1_000, np.float32), 16_000, at(60))) == []
    ear.reset()
    assert list(ear.take(np.zeros(1_000, np.float32), 16_000, at(120))) == []
    assert len(list(ear.take(np.zeros(4_800, np.float32), 48_000, at(220)))) == 1


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, 1e30])
def test_rubbish_kills_nothing(rubbish: float) -> None:
    ear = Ear("mic", SileroSpeech())
    signs = heard(ear, np.full(16_000, rubbish, np.float32), 16_000, 1_600)
    signs += heard(ear, np.zeros(0, np.float32), 16_000, 1_600)
    assert len(signs) == 10
    assert all(-120 <= one.level_dbfs <= 0 and 0 <= one.speech <= 1 for one in signs)


def test_all_of_the_sound_is_kept_once() -> None:
    kept: list[Samples] = []
    ear = Ear("mic", CountingSpeech(), keep=lambda source_id, samples, ended: kept.append(samples))
    heard(ear, parts.white(np.random.default_rng(3), 3, -30), 16_000, 777)
    assert sum(one.size for one in kept) == 48_000


def test_speech_is_speech_and_a_ring_is_not() -> None:
    rng = np.random.default_rng(5)
    air = parts.room_tone(rng, 12, -58)
    words, rings = air.copy(), air.copy()
    for number, voice in enumerate(("cmn", "en+f3")):
        parts.put(words, parts.sentence(rng, -35, voice), 3_000 + number * 4_500)
    parts.put(rings, parts.ring(rng, "melody", 8, -35), 3_000)
    spoken = heard(Ear("mic", SileroSpeech()), words, 16_000, 1_600)
    rung = heard(Ear("mic", SileroSpeech()), rings, 16_000, 1_600)
    assert sum(one.speech >= 0.6 for one in spoken) > 40
    assert max(one.ring for one in spoken) < 0.5
    assert sum(one.speech >= 0.6 for one in rung) <= 3
    assert sum(one.ring >= 0.5 for one in rung) > 40
