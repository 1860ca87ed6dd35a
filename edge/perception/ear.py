"""Turns a source's samples into what the rules judge: levels, loudness, life, speech, a ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from contracts.units import MonoMs, UtcMs
from edge.core.hearing import SoundSigns, SourceId
from edge.core.levels import Reading, Samples, mono, read
from edge.core.people import Instant
from edge.perception.flatness import FlatWatch
from edge.perception.loudness import LoudnessMeter
from edge.perception.ring import RingWatch
from edge.perception.speech import Gate, SpeechDetector, SpeechWatch

RATE_HZ: Final = 16_000
"""What speech, ring and flatness are looked for at; levels are taken at the source's own rate."""

WINDOWS_PER_S: Final = 10
WINDOW_MS: Final = 1000 // WINDOWS_PER_S

OVER_MAX: Final = 2.0  # a lossy codec overshoots full scale a little; what is above is rubbish

Keep = Callable[[SourceId, Samples, Instant], None]
"""Takes a source's sound at 16 kHz, mono in -1..1, and when it ended; keeps it in memory alone."""


class RingClassifier(Protocol):
    """Tells how likely the sound so far rings, 0 to 1; takes it at 16 kHz, block by block.

    Not ``wanted``: nothing stands out of the room, so there is no need to compute.
    """

    def take(self, samples: Samples, *, wanted: bool) -> float: ...


def nothing_kept(source_id: SourceId, samples: Samples, at: Instant) -> None:
    """Forgets the sound (``Keep``)."""


class _Down:
    """A stream of any rate, brought to 16 kHz."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: AudioResampler | None = None
        if rate_hz != RATE_HZ:
            self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE_HZ)

    def take(self, samples: Samples) -> Samples:
        """What these samples make at 16 kHz; some come with the next ones."""
        whole = np.ascontiguousarray(samples, np.float32)
        if self._resampler is None:
            return whole
        frame = AudioFrame.from_ndarray(whole.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = self._rate_hz
        made = [one.to_ndarray().reshape(-1) for one in self._resampler.resample(frame)]
        return np.concatenate(made) if made else np.zeros(0, np.float32)


class Ear:
    """Listens to one source. For one thread at a time.

    A silent room costs about 3 ms of a core for a second of sound, a talking one 7: the models see
    only windows that stand out of the room's floor.
    """

    def __init__(
        self,
        source_id: SourceId,
        speech: SpeechDetector,
        *,
        ring: Callable[[], RingClassifier] = RingWatch,
        keep: Keep = nothing_kept,
    ) -> None:
        self._source_id = source_id
        self._detector = speech
        self._new_ring = ring
        self._keep = keep
        self._rate_hz = 0
        self._begin(RATE_HZ)

    def _begin(self, rate_hz: int) -> None:
        """Start anew with a stream of another rate, or after a break."""
        self._rate_hz = rate_hz
        self._rest: Samples = np.zeros((1, 0), np.float32)
        self._told: Reading | None = None
        self._down = _Down(rate_hz)
        self._loudness = LoudnessMeter(rate_hz)
        self._flatness = FlatWatch()
        self._gate = Gate()
        self._speech = SpeechWatch(self._detector)
        self._ring = self._new_ring()

    def reset(self) -> None:
        """What comes next does not follow what came."""
        self._begin(self._rate_hz)

    def take(
        self, samples: Samples, rate_hz: int, at: Instant, told: Reading | None = None
    ) -> Iterator[SoundSigns]:
        """What each window of 100 ms is like that these samples complete.

        ``samples`` in -1..1, mono (n) or channels x n, the last of them heard ``at``. ``told`` is
        what was measured of them before they were brought down to ``rate_hz``, if they were.
        """
        if rate_hz != self._rate_hz:
            self._begin(rate_hz)
        block = np.atleast_2d(np.nan_to_num(np.asarray(samples, np.float32)))
        block = np.clip(block, -OVER_MAX, OVER_MAX)
        if block.shape[0] != self._rest.shape[0]:
            self._rest = np.zeros((block.shape[0], 0), np.float32)
        self._rest = np.concatenate((self._rest, block), axis=1)
        self._told = told
        size = rate_hz // WINDOWS_PER_S
        while self._rest.shape[1] >= size:
            window, self._rest = self._rest[:, :size], self._rest[:, size:]
            late_ms = round(self._rest.shape[1] * 1000 / rate_hz)
            ended = Instant(MonoMs(at.mono_ms - late_ms), UtcMs(at.utc_ms - late_ms))
            yield self._window(window, ended)

    def _window(self, window: Samples, at: Instant) -> SoundSigns:
        reading = self._told if self._told is not None else read(window)
        one = mono(window)
        loudness_lufs = self._loudness.take(one)
        low = self._down.take(one)
        self._keep(self._source_id, low, at)
        self._flatness.take(low)
        # Not the level: DC would hide a room, and rumble would open the gate for nobody.
        worth = self._gate.take(loudness_lufs)
        flat = self._flatness.flat
        return SoundSigns(
            source_id=self._source_id,
            level_dbfs=reading.level_dbfs,
            at=at,
            peak_dbfs=reading.peak_dbfs,
            clipped_share=reading.clipped_share,
            loudness_lufs=loudness_lufs,
            speech=self._speech.take(low, wanted=worth),
            ring=self._ring.take(low, wanted=worth),
            flat=flat,
            flat_ms=self._flatness.looked_ms if flat is not None else 0,
        )
