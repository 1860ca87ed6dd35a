"""Reads decoded sound as samples in -1..1, each channel for itself, at the rate of its source."""

from typing import Final

import numpy as np
from av.audio.frame import AudioFrame

from edge.core.levels import Samples

RATE_HZ: Final = 48_000
"""Of what is recorded of a pickup."""

WINDOW_SAMPLES: Final = RATE_HZ // 10

_SCALES: Final = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0}
"""Full scale of each form of sample that is not in -1..1 already, without the ``p`` of planar."""


def samples_of(frame: AudioFrame) -> Samples:
    """The samples of a decoded frame, channels x samples, float32.

    Raises:
        ValueError: a form of sample that cannot be read.
    """
    name = frame.format.name
    form = name.removesuffix("p")
    values = frame.to_ndarray()
    if name == form:  # packed: one row, the channels in turn
        values = values.reshape(-1, max(frame.layout.nb_channels, 1)).T
    if form in {"flt", "dbl"}:
        return np.ascontiguousarray(values, np.float32)
    scale = _SCALES.get(form)
    if scale is None:
        raise ValueError(f"samples of the form {name} cannot be read")
    middle = scale if form == "u8" else 0.0
    return np.ascontiguousarray((values.astype(np.float64) - middle) / scale, np.float32)
