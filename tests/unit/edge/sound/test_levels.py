"""Levels, loudness and flatness of signals whose values are known."""

import numpy as np
import pytest

from edge.core.hearing import Flat
from edge.core.levels import Reading, joined, read
from edge.perception.flatness import FlatWatch
from edge.perception.loudness import LoudnessMeter, k_weighting
from tests.corpus import sound_parts as parts

RATE_HZ = 16_000


def sine(hz: float, seconds: float = 1.0, level: float = 1.0, rate_hz: int = 48_000) -> parts.Sound:
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * t_s)).astype(np.float32)


def loudness(samples: parts.Sound, rate_hz: int) -> float:
    meter, size = LoudnessMeter(rate_hz), rate_hz // 10
    values = [meter.take(samples[at : at + size]) for at in range(0, samples.size - size + 1, size)]
    return values[-1]


def test_the_weighting_has_the_coefficients_of_the_standard_at_48_khz() -> None:
    shelf, high_pass = k_weighting(48_000)
    expected = (1.53512485958697, -2.69169618940638, 1.19839281085285)
    assert shelf[:3] == pytest.approx(expected, abs=1e-8)
    assert shelf[4:] == pytest.approx((-1.69065929318241, 0.73248077421585), abs=1e-8)
    assert high_pass[4:] == pytest.approx((-1.99004745483398, 0.99007225036621), abs=1e-8)


@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 16_000, 8_000])
def test_a_full_scale_sine_of_997_hz_has_minus_3_01_lufs(rate_hz: int) -> None:
    assert loudness(sine(997, rate_hz=rate_hz), rate_hz) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(("level_dbfs", "lufs"), [(-20.0, -23.01), (-40.0, -43.01)])
def test_loudness_follows_the_level(level_dbfs: float, lufs: float) -> None:
    tone = sine(997, level=10 ** (level_dbfs / 20))
    assert loudness(tone, 48_000) == pytest.approx(lufs, abs=0.02)


def test_loudness_of_nothing_and_of_rubbish_ends_at_the_floor() -> None:
    meter = LoudnessMeter(48_000)
    assert meter.take(np.zeros(4_800, np.float32)) == -120.0
    assert meter.take(np.full(4_800, np.nan, np.float32)) == -120.0
    assert meter.take(sine(997, 0.1)) > -20  # it has forgotten the rubbish


@pytest.mark.parametrize(
    ("samples", "reading"),
    [
        (np.zeros(1_000), Reading(-120.0, -120.0, 0.0)),
        (np.ones(1_000), Reading(0.0, 0.0, 1.0)),
        (sine(1_000, level=0.5), Reading(-9.03, -6.02, 0.0)),
        (np.array([0.0, 1.0, 1.0, 0.0, -1.0] * 200), Reading(-2.2, 0.0, 0.0)),  # never three on end
        # 48 samples a period, of which 3 each half lie below a quarter of the sine: 42 of 48.
        (np.clip(sine(1_000, level=4.0), -1, 1), Reading(-0.46, 0.0, 42 / 48)),
        (np.zeros(0), Reading(-120.0, -120.0, 0.0)),
    ],
)
def test_a_reading_tells_level_peak_and_what_is_clipped(
    samples: parts.Sound, reading: Reading
) -> None:
    got = read(samples)
    assert got.level_dbfs == pytest.approx(reading.level_dbfs, abs=0.1)
    assert got.peak_dbfs == pytest.approx(reading.peak_dbfs, abs=0.1)
    assert got.clipped_share == pytest.approx(reading.clipped_share, abs=0.03)


def test_a_clipped_channel_is_not_hidden_by_the_others() -> None:
    both = np.stack((np.clip(sine(440, level=3), -1, 1), np.zeros(48_000, np.float32)))
    assert read(both).clipped_share > 0.5
    assert read(both).level_dbfs < -5
    assert joined(read(both), read(both[1])) == read(both)


def flat(samples: parts.Sound) -> Flat | None:
    watch = FlatWatch()
    for at in range(0, samples.size, 1_600):
        watch.take(samples[at : at + 1_600])
    return watch.flat


@pytest.mark.parametrize("seed", range(3))
def test_what_no_room_makes_is_flat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert flat(parts.white(rng, 5, -60)) is Flat.NOISE
    assert flat(parts.hum(rng, 5, -30)) is Flat.HUM
    assert flat(parts.hum(rng, 5, -40) + parts.white(rng, 5, -60)) is Flat.NOISE
    assert flat(np.full(80_000, 0.2, np.float32)) is Flat.DC


@pytest.mark.parametrize("seed", range(3))
def test_what_a_room_makes_is_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    air = parts.room_tone(rng, 5, -60)
    assert flat(air) is None
    assert flat(air + parts.hum(rng, 5, -30)) is None  # a bad shield on a live microphone
    assert flat(np.zeros(80_000, np.float32)) is None  # dead, which is another rule's
    assert flat(parts.white(rng, 3, -60)) is None  # not known yet
