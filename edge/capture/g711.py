"""Encodes 16-bit samples as G.711, which every camera with a back channel takes (ITU-T G.711)."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8_000

_MU_BIAS: Final = 132
_MU_CLIP: Final = 32_635

Table = NDArray[np.uint8]


def _mu_table() -> Table:
    samples = np.arange(-32_768, 32_768, dtype=np.int32)
    magnitude = np.minimum(np.abs(samples), _MU_CLIP) + _MU_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    code: Table = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return code


def _a_table() -> Table:
    samples = np.arange(-32_768, 32_768, dtype=np.int32)
    level = np.where(samples < 0, ~samples, samples) >> 4
    exponent = np.maximum(np.floor(np.log2(np.maximum(level, 1))).astype(np.int32) - 3, 0)
    mantissa = np.where(exponent > 0, (level >> np.maximum(exponent - 1, 0)) - 16, level)
    signed = (mantissa + (exponent << 4)) | np.where(samples >= 0, 0x80, 0)
    code: Table = (signed ^ 0x55).astype(np.uint8)
    return code


_TABLES: Final[Mapping[str, Table]] = {"PCMU": _mu_table(), "PCMA": _a_table()}
CODECS: Final = frozenset(_TABLES)
"""Names of the two laws, as SDP has them."""


def encode(codec: str, samples: NDArray[np.int16]) -> bytes:
    """Samples at 8 kHz as one byte each.

    Raises:
        KeyError: ``codec`` is neither PCMU nor PCMA.
    """
    return _TABLES[codec][samples.astype(np.int32) + 32_768].tobytes()
