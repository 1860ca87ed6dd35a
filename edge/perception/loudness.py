"""Decides how loud a sound is to people: momentary loudness (ITU-R BS.1770-5, EBU R 128)."""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from contracts.observations import LEVEL_FLOOR_DBFS
from edge.core.levels import Samples

MOMENTARY_WINDOWS: Final = 4
"""Windows of 100 ms in one momentary value (EBU Tech 3341)."""

OFFSET_LU: Final = -0.691  # BS.1770: makes up for the filter's gain at 997 Hz
# The recommendation gives coefficients for 48 kHz; these are the analogue filters behind them, by
# which they can be made for any rate: a high shelf (the head) and a high pass.
SHELF_HZ: Final = 1681.974450955533
SHELF_DB: Final = 3.999843853973347
SHELF_Q: Final = 0.7071752369554196
SHELF_MIDDLE: Final = 0.4996667741545416
PASS_HZ: Final = 38.13547087602444
PASS_Q: Final = 0.5003270373238773


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """The two stages of the K-weighting for a rate, as second-order sections (2 x 6)."""
    k = np.tan(np.pi * SHELF_HZ / rate_hz)
    high, middle = 10 ** (SHELF_DB / 20), 10 ** (SHELF_DB / 20 * SHELF_MIDDLE)
    shelf = np.array(
        [
            high + middle * k / SHELF_Q + k * k,
            2 * (k * k - high),
            high - middle * k / SHELF_Q + k * k,
            1 + k / SHELF_Q + k * k,
            2 * (k * k - 1),
            1 - k / SHELF_Q + k * k,
        ]
    )
    k = np.tan(np.pi * PASS_HZ / rate_hz)
    lowest = 1 + k / PASS_Q + k * k
    high_pass = np.array([1, -2, 1, 1, 2 * (k * k - 1) / lowest, (1 - k / PASS_Q + k * k) / lowest])
    sections: NDArray[np.float64] = np.stack((shelf / shelf[3], high_pass))
    return sections


class LoudnessMeter:
    """Momentary loudness of one mono source, window by window of 100 ms."""

    def __init__(self, rate_hz: int) -> None:
        self._sections = k_weighting(rate_hz)
        self._memory = np.zeros((2, 2))
        self._powers: deque[float] = deque(maxlen=MOMENTARY_WINDOWS)

    def take(self, window: Samples) -> float:
        """LUFS of the last 400 ms with this window; from ``LEVEL_FLOOR_DBFS`` to 0."""
        weighted, self._memory = sosfilt(self._sections, window, zi=self._memory)
        self._powers.append(float(np.mean(np.square(weighted))) if window.size else 0.0)
        power = sum(self._powers) / len(self._powers)
        if not np.isfinite(power):
            self._memory = np.zeros((2, 2))  # or one broken sample would stay in it for ever
            self._powers.clear()
            return LEVEL_FLOOR_DBFS
        if power <= 0:
            return LEVEL_FLOOR_DBFS
        return min(max(OFFSET_LU + 10 * float(np.log10(power)), LEVEL_FLOOR_DBFS), 0.0)
