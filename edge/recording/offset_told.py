"""Adds to each finished segment of a pickup how far its time stamps are off the node's clock."""

from collections.abc import Callable

from contracts.evidence.entries import GapReason
from edge.core.recording import SegmentEnded, TrackItem
from edge.recording.ports import TrackItems


class OffsetTold:
    """A track's queue that adds to each finished segment how far a pickup's stamps are off.

    A segment without pictures has nothing to measure that against; the sound card's clock has.
    """

    def __init__(self, queue: TrackItems) -> None:
        self._queue = queue
        self._offset_ms: Callable[[], int] | None = None
        self.last_ms: int | None = None
        """Of the last file that had one."""
        self.files = 0
        """That had one."""

    def measure_by(self, offset_ms: Callable[[], int]) -> None:
        """Ask this for the offset from now on: ``PickupSource.sound_offset_ms``."""
        self._offset_ms = offset_ms

    def offer(self, item: TrackItem) -> bool:
        """See ``TrackItems``."""
        measure = self._offset_ms
        if measure is not None and isinstance(item, SegmentEnded) and item.sound_offset_ms is None:
            item = SegmentEnded(item.ending, measure())
        if isinstance(item, SegmentEnded) and item.sound_offset_ms is not None:
            self.last_ms, self.files = item.sound_offset_ms, self.files + 1
        return self._queue.offer(item)

    def ready(self) -> bool:
        """See ``TrackItems``."""
        return self._queue.ready()

    @property
    def broken(self) -> GapReason | None:
        return self._queue.broken
