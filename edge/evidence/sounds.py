"""Remembers the last seconds of each source in memory; keeps those of an alert on disk as FLAC.

What may be kept is not decided here: the room asks only while it is sealed, and only for what was
heard since the seal. Nothing else ever leaves the memory.
"""

import io
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from contracts.observations import SoundRef
from contracts.units import MonoMs, UtcMs
from edge.core.hearing import SourceId
from edge.core.levels import Samples
from edge.core.people import Instant
from edge.evidence.content_shelf import ContentShelf

RATE_HZ: Final = 16_000
REMEMBERED_MS: Final = 15_000
# The dwell of a rule and what led to it; 480 KB a source. What comes later is in the recordings.
BREAK_MS: Final = 1_000  # a source that was away so long begins anew
KEEP_BYTES: Final = 256 * 1024**2  # about 1,000 sounds; beyond it, those that were fetched go
HARD_BYTES: Final = 512 * 1024**2  # beyond it any go: recording needs the disk
FULL_SCALE: Final = 32_767


@dataclass(frozen=True, slots=True)
class _Part:
    samples: NDArray[np.int16]
    ended: Instant

    @property
    def began(self) -> Instant:
        lasted_ms = self.samples.size * 1000 // RATE_HZ
        return Instant(MonoMs(self.ended.mono_ms - lasted_ms), UtcMs(self.ended.utc_ms - lasted_ms))


class Sounds:
    """A folder of ``<sha256>.flac``, and the memory before it (``ports.SoundShelf``)."""

    def __init__(
        self, folder: Path, *, keep_bytes: int = KEEP_BYTES, hard_bytes: int = HARD_BYTES
    ) -> None:
        self._shelf = ContentShelf(folder, ".flac", keep_bytes=keep_bytes, hard_bytes=hard_bytes)
        self._lock = threading.Lock()
        self._heard: dict[SourceId, deque[_Part]] = {}

    def hear(self, source_id: SourceId, samples: Samples, at: Instant) -> None:
        """See ``ports.SoundShelf``."""
        if not samples.size:
            return
        whole = np.rint(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
        part = _Part(whole, at)
        with self._lock:
            parts = self._heard.setdefault(source_id, deque())
            if parts and part.began.mono_ms - parts[-1].ended.mono_ms > BREAK_MS:
                parts.clear()
            parts.append(part)
            while parts and at.mono_ms - parts[0].ended.mono_ms > REMEMBERED_MS:
                parts.popleft()

    def keep(self, source_id: SourceId, since: Instant) -> SoundRef | None:
        """See ``ports.SoundShelf``."""
        with self._lock:
            parts = [
                part
                for part in self._heard.get(source_id, ())
                if part.began.mono_ms >= since.mono_ms
            ]
        if not parts:
            return None
        samples = np.concatenate([part.samples for part in parts])
        content = flac(samples)
        sha256 = self._shelf.put(content)
        return SoundRef(
            sha256=sha256,
            bytes=len(content),
            path=f"/api/v1/sounds/{sha256}.flac",
            source_id=source_id,
            from_utc_ms=parts[0].began.utc_ms,
            duration_ms=max(samples.size * 1000 // RATE_HZ, 1),
        )

    def read(self, sha256: str) -> bytes | None:
        """The sound of this hash; None when it is not here (any more)."""
        return self._shelf.read(sha256)

    def mark_fetched(self, sha256: str) -> None:
        """The controller has this sound: it may go when room is needed."""
        self._shelf.mark_fetched(sha256)


def flac(samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> bytes:
    """16-bit mono samples as a FLAC file."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate_hz, layout="mono")
        stream.codec_context.format = "s16"
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        frame.time_base = Fraction(1, rate_hz)
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
