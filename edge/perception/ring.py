"""Decides whether a sound is a telephone's ring: a few pure notes that recur, with a rhythm."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.core.levels import Samples

RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 1_024  # 64 ms: notes of a fast melody last as long
HOP_SAMPLES: Final = 512
BIN_HZ: Final = RATE_HZ / FRAME_SAMPLES
HOP_MS: Final = 32

BAND: Final = slice(round(60 / BIN_HZ), round(7_000 / BIN_HZ))  # all that counts as sound
NOTES_HZ: Final = (300, 4_500)  # where a ring has its strongest notes
PEAKS_MAX: Final = 8
NEAR_BINS: Final = 12
ABOVE_NEAR_DB: Final = 13.0  # a note against the middle of what is around it
ABOVE_FLOOR_DB: Final = 10.0  # and against what the room has always had at this frequency
FLOOR_RISE_DB: Final = 0.25  # a hop, 8 dB a second: a whistle that stays becomes the room's in 5 s
LOW: Final = slice(round(80 / BIN_HZ), round(300 / BIN_HZ))
LOW_MAX: Final = 0.02
# Of the power (-17 dB): no small loudspeaker gives more below 300 Hz. A held vowel is as pure as a
# note, but the pitch of its voice is there, 6 to 18 dB below the whole; under a ring -20 to -40.
FLOOR_EVERY: Final = 4  # frames, while nothing stands out
STEADY_SHARE: Final = 0.006  # of the frequency, from frame to frame; voices glide by more
STEADY_HZ: Final = 4.0
STEADY_FRAMES: Final = 3  # a note comes again within 100 ms: the two tones of a warble alternate
LOUD_DB: Final = 6.0  # above the room's floor
TINY: Final = 1e-9
PURE_SHARE: Final = 0.55  # of the sound above the room's floor that the steady notes must have

SPAN_FRAMES: Final = 31  # one second
RHYTHM_FRAMES: Final = 94  # three seconds
PURE_FRAMES: Final = 6  # 200 ms of pure notes within the last second: two short beeps
SHARE_NONE: Final = 0.1
SHARE_SURE: Final = 0.4
# Of the loud frames of a second those that are pure: voices have next to none, a ring 0.8 and more,
# a third of that with voices over it.
SAME_NOTE_SHARE: Final = 0.015
SAME_FRAMES: Final = 5
# A note that counts is held, or comes again, within three seconds; a chair's squeak glides on.
BEATS: Final = 2
# A ring has a rhythm: a whistle, a fan, a compressor begin once.
STEP_SAMPLES: Final = 128  # 8 ms: a bell's hammer strikes 20 times a second
RISE_STEPS: Final = 3
STRIKE_DB: Final = 4.0
OTHER_NOTE_SHARE: Final = 0.03  # half a semitone


@dataclass(frozen=True, slots=True)
class RingFrame:
    """What one frame has of a ring: how much of its sound is steady notes, and the strongest."""

    loud: bool
    pure: float
    note_hz: float


QUIET: Final = RingFrame(loud=False, pure=0.0, note_hz=0.0)


def peaks_of(
    power_db: NDArray[np.float64], floor_db: NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Frequency and power of the strongest lines of a spectrum, strongest first."""
    low, high = (round(hz / BIN_HZ) for hz in NOTES_HZ)
    near = np.lib.stride_tricks.sliding_window_view(
        power_db[low - NEAR_BINS : high + NEAR_BINS + 1], 2 * NEAR_BINS + 1
    )
    part = power_db[low : high + 1]
    is_line = (
        (part >= power_db[low - 1 : high])
        & (part > power_db[low + 1 : high + 2])
        & (part > np.median(near, axis=1) + ABOVE_NEAR_DB)
        & (part > floor_db[low : high + 1] + ABOVE_FLOOR_DB)
    )
    lines = np.flatnonzero(is_line) + low
    strongest = lines[np.argsort(power_db[lines])[::-1][:PEAKS_MAX]]
    return [_line(power_db, int(index)) for index in strongest]


def _line(power_db: NDArray[np.float64], index: int) -> tuple[float, float]:
    left, middle, right = (float(power_db[index + by]) for by in (-1, 0, 1))
    bend = left - 2 * middle + right
    by = 0.5 * (left - right) / bend if bend < 0 else 0.0
    power = float(np.sum(10 ** (power_db[index - 2 : index + 3] / 10)))
    return (index + by) * BIN_HZ, power


class RingWatch:
    """Follows one source; ``score`` is what its last second is worth as a ring, 0 to 1."""

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)
        self._window = np.hanning(FRAME_SAMPLES + 1)[:-1]
        self._floor_db: NDArray[np.float64] | None = None
        self._floor_all_db = 0.0
        self._lines: deque[list[tuple[float, float]]] = deque(maxlen=STEADY_FRAMES)
        self.frames: deque[RingFrame] = deque(maxlen=RHYTHM_FRAMES)
        self._steps: deque[float] = deque([0.0] * RISE_STEPS, maxlen=RISE_STEPS)
        self._rises = False
        self._passed = 0
        self._strikes: deque[int] = deque(maxlen=RHYTHM_FRAMES)

    def take(self, samples: Samples, *, wanted: bool) -> float:
        """Take the next samples at 16 kHz; the score afterwards.

        Where not ``wanted`` nothing stands out: only the room's floor is followed.
        """
        self._rest = np.concatenate((self._rest, samples))
        while self._rest.size >= FRAME_SAMPLES:
            self._passed += 1
            if wanted:
                self.frames.append(self._frame(self._rest[:FRAME_SAMPLES]))
                self._strikes.append(self._strike(self._rest[:HOP_SAMPLES]))
            else:
                if self._passed % FLOOR_EVERY == 0:
                    self._follow_floor(self._rest[:FRAME_SAMPLES])
                self.frames.append(QUIET)
                self._strikes.append(0)
                self._lines.append([])
            self._rest = self._rest[HOP_SAMPLES:]
        return self.score()

    def _follow_floor(self, samples: Samples) -> None:
        power_db = 10 * np.log10(self._spectrum(samples) + TINY)
        total_db = 10 * float(np.log10(np.sum(10 ** (power_db[BAND] / 10))))
        rise_db = FLOOR_RISE_DB * FLOOR_EVERY
        self._floor_all_db = min(self._floor_all_db + rise_db, total_db)
        floor_db = power_db if self._floor_db is None else self._floor_db + rise_db
        self._floor_db = np.minimum(floor_db, power_db)

    def _spectrum(self, samples: Samples) -> NDArray[np.float64]:
        power: NDArray[np.float64] = np.abs(np.fft.rfft(samples * self._window)) ** 2
        return power

    def _strike(self, samples: Samples) -> int:
        """How often the power rises steeply in these 32 ms, as where a note is struck."""
        parts = np.square(np.diff(samples, prepend=samples[:1])).reshape(-1, STEP_SAMPLES)
        found = 0
        for power in parts.sum(axis=1):
            step_db = 10 * float(np.log10(power + TINY))
            rises = step_db - min(self._steps) >= STRIKE_DB
            found += rises and not self._rises
            self._rises = rises
            self._steps.append(step_db)
        return found if self.frames[-1].pure >= PURE_SHARE else 0

    def _frame(self, samples: Samples) -> RingFrame:
        spectrum = self._spectrum(samples)
        power_db = 10 * np.log10(spectrum + TINY)
        total = float(spectrum[BAND].sum()) + TINY
        total_db = 10 * float(np.log10(total))
        if self._floor_db is None:
            self._floor_db, self._floor_all_db = power_db, total_db
        floor_db = self._floor_db
        loud = total_db > self._floor_all_db + LOUD_DB
        self._floor_all_db = min(self._floor_all_db + FLOOR_RISE_DB, total_db)
        self._floor_db = np.minimum(floor_db + FLOOR_RISE_DB, power_db)
        if not loud:
            self._lines.append([])
            return QUIET
        lines = peaks_of(power_db, floor_db)
        before = np.array([hz for one in self._lines for hz, _ in one])
        steady = [
            (hz, power)
            for hz, power in lines
            if before.size and np.abs(before - hz).min() <= max(STEADY_SHARE * hz, STEADY_HZ)
        ]
        self._lines.append(lines)
        room = 10 ** (floor_db / 10)
        pure = sum(power for _, power in steady) / max(total - float(room[BAND].sum()), TINY)
        if float(np.maximum(spectrum[LOW] - room[LOW], 0.0).sum()) > LOW_MAX * total:
            pure = 0.0
        return RingFrame(
            loud=True,
            pure=min(pure, 1.0),
            note_hz=steady[0][0] if steady else 0.0,
        )

    def score(self) -> float:
        """What the last second is worth."""
        notes = np.array(
            [frame.note_hz if frame.pure >= PURE_SHARE else 0.0 for frame in self.frames]
        )
        last = notes[-SPAN_FRAMES:]
        last = last[last > 0]
        if last.size < PURE_FRAMES:
            return 0.0
        same = np.abs(last[:, None] - notes[None, :]) <= SAME_NOTE_SHARE * last[:, None]
        ringing = int(np.sum(same.sum(axis=1) >= SAME_FRAMES))
        if ringing < PURE_FRAMES or self._beats() < BEATS:
            return 0.0
        share = ringing / sum(frame.loud for frame in list(self.frames)[-SPAN_FRAMES:])
        return min(max((share - SHARE_NONE) / (SHARE_SURE - SHARE_NONE), 0.0), 1.0)

    def _beats(self) -> int:
        """How often within three seconds a note began: anew, stronger, or as another one."""
        strikes = sum(self._strikes)
        notes = [frame.note_hz for frame in self.frames if frame.pure >= PURE_SHARE]
        others = sum(abs(one - other) > OTHER_NOTE_SHARE * one for one, other in pairwise(notes))
        return strikes + others
