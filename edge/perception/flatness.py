"""Decides whether a sound is one that no room makes: white noise, mains hum or DC alone."""

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import blackmanharris

from edge.core.hearing import Flat
from edge.core.levels import Samples, to_dbfs

RATE_HZ: Final = 16_000
HOP_SAMPLES: Final = RATE_HZ // 2
SPECTRA: Final = 7  # of a second each, over four: the lowest octave is known to 0.5 dB then
QUIET_DBFS: Final = -85.0  # what is left beside hum or DC; a live microphone gives more
BEHIND_HUM_DBFS: Final = -75.0
BEHIND_HUM_DB: Final = -50.0
# What is left behind a hum that is alone: nothing, or what the hum's own wavering makes. A live
# pickup with a bad shield hears its room behind it.
HUM_SHARE: Final = 0.5  # of the power without DC
MAINS_HZ: Final = (50, 60)
HUM_WIDTH_HZ: Final = 4  # of the window (Blackman-Harris)
MAINS_OFF_SHARE: Final = 0.004  # the mains are within 0.2 Hz, their harmonics with them
HUM_HARMONICS_MAX: Final = 40  # up to 2 kHz
OCTAVES_HZ: Final = (125, 250, 500, 1_000, 2_000, 4_000)
WHITE_SPAN_DB: Final = 4.0
# Between the densities of the octaves. The noise of rooms, ventilation and voices falls by 3 to 6
# dB an octave, so over five octaves it spans 15 dB and more.
STEADY_DB: Final = 0.8  # spread of the levels of windows of 100 ms; white noise has 0.15


@dataclass(frozen=True, slots=True)
class Second:
    """One second of sound: power of each Hz, its DC, the levels of its windows without DC."""

    power: NDArray[np.float64]
    dc: float
    levels_dbfs: NDArray[np.float64]


@cache
def _window() -> NDArray[np.float64]:
    window: NDArray[np.float64] = blackmanharris(RATE_HZ, sym=False)
    return window


def second_of(samples: Samples) -> Second:
    """Analyse 16,000 samples in -1..1."""
    dc = float(samples.mean())
    moving = samples - dc
    window = _window()
    spectrum = np.fft.rfft(moving * window)
    power = np.abs(spectrum) ** 2 * (2 / (RATE_HZ * float(np.sum(window**2))))
    parts = np.sqrt(np.mean(np.square(moving.reshape(10, -1)), axis=1))
    return Second(power, dc, np.array([to_dbfs(float(part)) for part in parts]))


def flat_of(seconds: tuple[Second, ...]) -> Flat | None:
    """What these seconds consist of, if of nothing that a room makes."""
    power = np.mean([one.power for one in seconds], axis=0)
    total = float(power.sum())
    dc_dbfs = to_dbfs(float(np.mean([abs(one.dc) for one in seconds])))
    if total <= 0 or 10 * np.log10(total) < QUIET_DBFS:
        # Digital silence is no finding of this: it is a dead pickup.
        return Flat.DC if dc_dbfs > QUIET_DBFS else None
    levels = np.concatenate([one.levels_dbfs for one in seconds])
    if float(levels.std()) > STEADY_DB:
        return None
    hums = [_hum(mains_hz) for mains_hz in MAINS_HZ]
    hum = max(hums, key=lambda one: float(power[one].sum()))
    of_hum, rest = float(power[hum].sum()), float(power[~hum].sum())
    rest_max = max(10 ** (BEHIND_HUM_DBFS / 10), of_hum * 10 ** (BEHIND_HUM_DB / 10))
    if of_hum >= HUM_SHARE * total and rest <= rest_max:
        return Flat.HUM
    return Flat.NOISE if _is_white(power, hum) else None


def _hum(mains_hz: int) -> NDArray[np.bool_]:
    """Which bins belong to the mains and its harmonics."""
    mask = np.zeros(RATE_HZ // 2 + 1, np.bool_)
    for number in range(1, HUM_HARMONICS_MAX + 1):
        centre = mains_hz * number
        width = HUM_WIDTH_HZ + round(centre * MAINS_OFF_SHARE)
        mask[centre - width : centre + width + 1] = True
    return mask


def _is_white(power: NDArray[np.float64], hum: NDArray[np.bool_]) -> bool:
    densities = []
    for centre_hz in OCTAVES_HZ:
        low, high = round(centre_hz / 2**0.5), round(centre_hz * 2**0.5)
        rest = power[low:high][~hum[low:high]]
        densities.append(10 * np.log10(max(float(rest.mean()), 1e-20)))
    return bool(max(densities) - min(densities) <= WHITE_SPAN_DB)


class FlatWatch:
    """Follows one source, second by second."""

    def __init__(self) -> None:
        self._rest: list[Samples] = []
        self._size = 0
        self._seconds: deque[Second] = deque(maxlen=SPECTRA)
        self.flat: Flat | None = None
        """What the last seconds consisted of; None: of something living, or too few of them."""

    @property
    def looked_ms(self) -> int:
        """How long a stretch ``flat`` is about."""
        return (RATE_HZ + (len(self._seconds) - 1) * HOP_SAMPLES) * 1000 // RATE_HZ

    def take(self, samples: Samples) -> None:
        """Take the next samples at 16 kHz."""
        self._rest.append(samples)
        self._size += samples.size
        if self._size < RATE_HZ:
            return
        whole = np.concatenate(self._rest)
        self._seconds.append(second_of(whole[:RATE_HZ]))
        self._rest, self._size = [whole[HOP_SAMPLES:]], whole.size - HOP_SAMPLES
        self.flat = flat_of(tuple(self._seconds)) if len(self._seconds) == SPECTRA else None
