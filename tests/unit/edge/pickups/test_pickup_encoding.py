"""Sound comes out of the codecs as it went in, at its place, at 48 kHz mono."""

import numpy as np
import pytest

from edge.capture.pickup_encoding import Encoder, Levels, Mono
from edge.core.levels import Reading
from tests.fakes.pickup_sink import Heard
from tests.fakes.pulse import Samples, loudest_hz, noise, sine

NOTHING = Reading(-120.0, -120.0, 0.0)
"""What a device measured that the test does not look at."""


def encoded(codec: str, samples: Samples, block: int = 960) -> Heard:
    encoder = Encoder("flac" if codec == "flac" else "aac")
    heard = Heard(encoder.stream)
    rows = [
        row
        for start in range(0, samples.size, block)
        for row in encoder.take(samples[start : start + block])
    ]
    rows += encoder.finish()
    heard.packets = [row.packet for row in rows]
    positions = [row.position for row in rows]
    assert positions == sorted(set(positions))
    assert positions[0] == (0 if codec == "flac" else -1_024)
    return heard


@pytest.mark.parametrize("size", [1, 4_607, 4_608, 50_000])
def test_flac_keeps_every_sample(size: int) -> None:
    samples = noise(2)[:size]
    assert np.array_equal(encoded("flac", samples).samples(), samples)


def test_aac_keeps_level_and_pitch() -> None:
    heard = encoded("aac", sine(440, -20, 1)).samples()[4_800:43_200]
    assert abs(loudest_hz(heard) - 440) < 2
    assert list(Levels().take(heard, NOTHING))[2].reading.level_dbfs == pytest.approx(-20, abs=0.3)


def test_sound_at_48_khz_mono_passes_untouched() -> None:
    samples = noise(0.1)
    assert np.array_equal(Mono(48_000, 1, None).take(samples.tobytes()), samples)


def test_one_input_is_picked_or_all_are_mixed() -> None:
    left, right = sine(500, -10, 0.1), noise(0.1)
    both = np.stack((left, right), axis=1).astype("<i2").tobytes()
    assert np.array_equal(Mono(48_000, 2, 2).take(both), right)
    mixed = Mono(48_000, 2, None).take(both)
    assert np.max(np.abs(mixed - (left.astype(int) + right) / 2)) <= 0.5


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 96_000])
def test_resampled_sound_keeps_level_pitch_and_place(rate_hz: int) -> None:
    mono = Mono(rate_hz, 1, None)
    seconds = np.arange(rate_hz) / rate_hz
    wave = np.round(8_000 * np.sin(2 * np.pi * 1_000 * seconds)).astype("<i2")
    wave[: rate_hz // 2] = 0  # it begins at half a second
    parts = [
        mono.take(wave[start : start + rate_hz // 50].tobytes())
        for start in range(0, rate_hz, rate_hz // 50)
    ]
    out = np.concatenate((*parts, mono.flush()))
    assert abs(out.size - 48_000) <= 48
    begin = int(np.flatnonzero(np.abs(out) > 4_000)[0])
    assert abs(begin - 24_000) < 48  # within a millisecond
    steady = out[30_000:44_400]
    assert abs(loudest_hz(steady) - 1_000) < 4
    assert next(iter(Levels().take(steady, NOTHING))).reading.level_dbfs == pytest.approx(
        -15.26, abs=0.1
    )


def test_silence_has_the_lowest_level_and_full_scale_the_highest() -> None:
    assert [
        one.reading.level_dbfs for one in Levels().take(np.zeros(9_600, np.int16), NOTHING)
    ] == [-120.0, -120.0]
    square = np.where(np.arange(4_800) % 96 < 48, 32_767, -32_767).astype(np.int16)
    assert next(iter(Levels().take(square, NOTHING))).reading.level_dbfs == pytest.approx(
        0, abs=0.01
    )
