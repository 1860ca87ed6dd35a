"""Decides how loud and how full a stretch of samples is: RMS, peak, and what of it is clipped."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contracts.observations import LEVEL_FLOOR_DBFS

Samples = NDArray[np.floating[Any]]
"""In -1..1: one channel, or channels x samples."""

CLIP_FROM: Final = 0.98
# What a codec calls full scale: the largest code of A-law is 0.984, of mu-law 0.980, of 16 bits
# 0.99997; after AAC the tops of a clipped sound waver by some per cent, above and below.
CLIP_RUN: Final = 3  # samples on end: one or two a sound may touch without being cut off


@dataclass(frozen=True, slots=True)
class Reading:
    """How loud and how full a stretch of sound was, at the rate of its source.

    ``level_dbfs`` is RMS (a full-scale square wave is 0 dBFS, a full-scale sine -3.01),
    ``peak_dbfs`` the largest sample, ``clipped_share`` the share of samples within runs at full
    scale.
    """

    level_dbfs: float
    peak_dbfs: float
    clipped_share: float


def to_dbfs(amplitude: float) -> float:
    """An amplitude in dBFS; never below ``LEVEL_FLOOR_DBFS`` or above 0, whatever was measured."""
    if not math.isfinite(amplitude) or amplitude <= 0:
        return LEVEL_FLOOR_DBFS
    return min(max(20 * math.log10(amplitude), LEVEL_FLOOR_DBFS), 0.0)


def rms_dbfs(samples: Samples) -> float:
    """Level of samples in -1..1: 0 dBFS is a full-scale square wave, a full-scale sine has -3.01.

    Never below ``LEVEL_FLOOR_DBFS`` or above 0.
    """
    if samples.size == 0:
        return LEVEL_FLOOR_DBFS
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return to_dbfs(math.sqrt(power)) if power >= 0 else LEVEL_FLOOR_DBFS


def mono(samples: Samples) -> Samples:
    """The channels of a sound as one: their mean."""
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=0), samples.dtype)


def read(samples: Samples) -> Reading:
    """Measure a stretch. Of several channels the fullest counts, for the level their mean."""
    channels = np.atleast_2d(samples)
    if samples.size == 0:
        return Reading(LEVEL_FLOOR_DBFS, LEVEL_FLOOR_DBFS, 0.0)
    size = np.abs(channels)
    return Reading(
        rms_dbfs(mono(samples)),
        to_dbfs(float(size.max())),
        max(_clipped_share(channel) for channel in size),
    )


def _clipped_share(size: Samples) -> float:
    full = size >= CLIP_FROM
    if not full.any():
        return 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], full, [False])).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= CLIP_RUN].sum() / size.size)


def joined(one: Reading, other: Reading) -> Reading:
    """The worse of two stretches of one length."""
    return Reading(
        max(one.level_dbfs, other.level_dbfs),
        max(one.peak_dbfs, other.peak_dbfs),
        max(one.clipped_share, other.clipped_share),
    )
