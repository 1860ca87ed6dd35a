"""Measures the level of a sound track: RMS over windows of 100 ms, in dBFS."""

import math
from collections.abc import Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from contracts.observations import LEVEL_FLOOR_DBFS

RATE_HZ = 48_000
WINDOW_SAMPLES = RATE_HZ // 10


def rms_dbfs(samples: NDArray[np.float32]) -> float:
    """Level of samples in -1..1: 0 dBFS is a full-scale square wave, a full-scale sine has -3.01.

    Never below ``LEVEL_FLOOR_DBFS`` or above 0.
    """
    if samples.size == 0:
        return LEVEL_FLOOR_DBFS
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    if not math.isfinite(power) or power <= 0:
        return LEVEL_FLOOR_DBFS
    return min(max(10 * math.log10(power), LEVEL_FLOOR_DBFS), 0.0)


class SoundMeter:
    """Levels of one track; any codec, rate and layout comes down to 48 kHz mono first."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)

    def take(self, frame: AudioFrame) -> Iterator[float]:
        """Levels of the windows that this frame completes.

        Raises:
            av.error.FFmpegError: the track changed as the resampler cannot; make a new meter.
        """
        for resampled in self._resampler.resample(frame):
            block = np.asarray(resampled.to_ndarray(), dtype=np.float32).reshape(-1)
            self._rest = np.concatenate((self._rest, block))
        while self._rest.size >= WINDOW_SAMPLES:
            window, self._rest = self._rest[:WINDOW_SAMPLES], self._rest[WINDOW_SAMPLES:]
            yield rms_dbfs(window)
