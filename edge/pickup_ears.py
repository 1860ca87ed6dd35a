"""Listens to the node's pickups: what the recorder hands over of their sound, to their ears."""

import binascii
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final

import numpy as np
import structlog

from contracts.units import PickupId
from edge.core.levels import Reading
from edge.core.people import Instant
from edge.core.recording import LevelSaid
from edge.ports import Ear, EventSink
from runtime.clock import Clock
from runtime.logs import Repeats

log = structlog.get_logger(__name__)

LOW_RATE_HZ: Final = 16_000  # as LevelSaid states
FULL_SCALE: Final = 32_768.0
WAITING_MAX: Final = (
    20  # two seconds of a pickup; what comes while the node is further behind, goes
)


class PickupEars:
    """Ears of all pickups of a node, in one thread beside the event loop."""

    def __init__(
        self,
        ears: Mapping[PickupId, Ear],
        report: EventSink,
        pool: Executor,
        clock: Clock,
    ) -> None:
        """``pool`` has one thread: the windows of a pickup stay in order."""
        self._ears = ears
        self._report = report
        self._pool = pool
        self._waiting: Counter[PickupId] = Counter()
        self._faults = Repeats(clock)
        self.dropped = 0
        """Windows that nobody listened to, because the node was behind."""

    def take(self, said: LevelSaid) -> None:
        """One window of a pickup; from the event loop, never waits."""
        ear = self._ears.get(said.track_id)
        if ear is None:
            return
        if self._waiting[said.track_id] >= WAITING_MAX:
            self.dropped += 1
            if times := self._faults.due(said.track_id):
                log.warning("pickup_not_listened_to", pickup_id=said.track_id, times=times)
            return
        self._waiting[said.track_id] += 1
        self._pool.submit(self._listen, ear, said)

    def _listen(self, ear: Ear, said: LevelSaid) -> None:
        try:
            pcm = np.frombuffer(b64decode(said.pcm, validate=True), "<i2")
        except (binascii.Error, ValueError) as error:
            log.warning("pickup_sound_refused", pickup_id=said.track_id, error=str(error))
            return
        finally:
            self._waiting[said.track_id] -= 1
        samples = pcm.astype(np.float32) / np.float32(FULL_SCALE)
        told = Reading(said.dbfs, said.peak_dbfs, said.clipped_share)
        at = Instant(said.at_mono_ms, said.at_utc_ms)
        for signs in ear.take(samples, LOW_RATE_HZ, at, told):
            self._report(signs)
