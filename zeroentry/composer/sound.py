"""Makes simulated room sound at levels that are known: room tone, a murmur of voices, a dead line.

Every function returns float32 mono, full scale 1.0, at SAMPLE_RATE_HZ; levels are RMS dBFS (a full
square wave is 0 dBFS). The same arguments give the same samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 48_000
MAX_SECONDS = (
    3600.0  # one piece is held in memory: 690 MB as float32; longer clips take it in turns
)
TONE_BREAK_HZ = 60.0  # pink above, flat below: no rumble that would eat the level
FORMANTS_HZ = ((520.0, 90.0), (1480.0, 160.0), (2500.0, 240.0))  # centre and width
SYLLABLES_HZ = 4.2
MAX_LEVEL_DBFS = -6.0  # louder murmurs would clip at their peaks


def amplitude(level_dbfs: float) -> float:
    """Return the RMS amplitude of a level."""
    return float(10 ** (level_dbfs / 20))


def level_of(samples: Samples) -> float:
    """Return the RMS level in dBFS; -inf for digital silence."""
    power = float(np.mean(samples.astype(np.float64) ** 2)) if samples.size else 0.0
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def checked_count(seconds: float, level_dbfs: float = -60.0) -> int:
    """Return the number of samples; refuse lengths and levels that cannot be made."""
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"seconds is {seconds}: use more than 0 and at most {MAX_SECONDS:.0f}")
    if level_dbfs > MAX_LEVEL_DBFS:
        raise ValueError(f"level_dbfs is {level_dbfs}: use at most {MAX_LEVEL_DBFS}")
    return round(seconds * SAMPLE_RATE_HZ)


def at_level(signal: npt.NDArray[np.float64], level_dbfs: float) -> Samples:
    """Scale a signal to a level."""
    rms = float(np.sqrt(np.mean(signal**2)))
    return (signal * (amplitude(level_dbfs) / rms)).astype(np.float32)


def shaped_noise(seed: int, count: int, gain: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return noise with a gain for each of its count // 2 + 1 frequencies."""
    white = np.random.default_rng(seed).standard_normal(count)
    shaped: npt.NDArray[np.float64] = np.fft.irfft(np.fft.rfft(white) * gain, n=count)
    return shaped


def room_tone(seed: int, seconds: float, level_dbfs: float = -50.0) -> Samples:
    """Return the hum of an air-conditioned room: pink noise at a level."""
    count = checked_count(seconds, level_dbfs)
    frequency_hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    gain = 1 / np.sqrt(np.maximum(frequency_hz, TONE_BREAK_HZ))
    gain[0] = 0.0
    return at_level(shaped_noise(seed, count, gain), level_dbfs)


def murmur(seed: int, seconds: float, level_dbfs: float = -32.0) -> Samples:
    """Return speech-like sound without words: formant noise in syllables and pauses."""
    count = checked_count(seconds, level_dbfs)
    frequency_hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    gain = np.zeros_like(frequency_hz)
    for centre_hz, width_hz in FORMANTS_HZ:
        gain += 1 / (1 + ((frequency_hz - centre_hz) / width_hz) ** 2) * (500 / centre_hz)
    gain[frequency_hz < 90] = 0.0
    carrier = shaped_noise(seed, count, gain)
    rng = np.random.default_rng((seed, 1))
    t_s = np.arange(count) / SAMPLE_RATE_HZ
    phase = rng.uniform(0, 2 * np.pi, 3)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * SYLLABLES_HZ * t_s + phase[0])
    pitch = 1 + 0.5 * np.sin(2 * np.pi * 118.0 * t_s + 3 * np.sin(2 * np.pi * 0.9 * t_s))
    phrase = np.clip(0.4 + 0.9 * np.sin(2 * np.pi * 0.28 * t_s + phase[1]), 0.04, 1)
    return at_level(carrier * syllables**2 * pitch * phrase, level_dbfs)


def silence(seconds: float) -> Samples:
    """Return digital zero: what a dead microphone on a live line delivers."""
    return np.zeros(checked_count(seconds), np.float32)


def mixed(*parts: Samples) -> Samples:
    """Add parts of the same length; full scale is not passed."""
    lengths = {part.size for part in parts}
    if len(lengths) != 1:
        raise ValueError(f"parts of different lengths: {sorted(lengths)} samples")
    total: Samples = np.clip(np.sum(parts, axis=0), -1.0, 1.0).astype(np.float32)
    return total
