"""Carries a track's items from capture to the thread that writes, and never holds capture up.

Bounded by bytes. When media does not fit, the queue *breaks*: from there on media is refused until
the writer has caught up and the producer begins a new segment, so that a file never misses a
fragment in its middle. Word of gaps is small and always fits.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from contracts.evidence.entries import GapReason
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SegmentEnded,
    SegmentOpened,
    TrackItem,
)

ITEM_BYTES: Final = 200  # what an item costs besides its data
ITEMS_MAX: Final = 2_000
# Word of gaps beyond it replaces the word before it: a camera that comes and goes four times a
# second before a disk that hangs for minutes has said enough.


@dataclass(frozen=True, slots=True)
class Broke:
    """Here media is missing: the writer was too slow."""

    reason: GapReason
    detail: str


class TrackQueue:
    """See the module. Any thread may call; nothing blocks but ``wait``."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._items: deque[TrackItem | Broke] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._broken: GapReason | None = None
        self._refuses_media = True
        self._dropped = 0

    # What the producer asks.

    def offer(self, item: TrackItem) -> bool:
        """Hand over an item; False: it is lost, and media is refused until ``ready``."""
        with self._changed:
            if isinstance(item, SegmentOpened | FragmentMade):
                taken = self._offer_media(item)
            elif isinstance(item, SegmentEnded):
                taken = True
                if not self._refuses_media:
                    self._put(item)
            else:
                taken = self._offer_word(item)
            self._dropped += not taken
            self._changed.notify()
            return taken

    @property
    def broken(self) -> GapReason | None:
        """Why media is refused; None: it is not."""
        return self._broken

    def ready(self) -> bool:
        """Whether a new segment may begin."""
        return self._broken is None

    # What the writer asks.

    @property
    def bytes(self) -> int:
        """Waiting now."""
        return self._bytes

    @property
    def items_dropped(self) -> int:
        """Items lost since the start."""
        return self._dropped

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to take, or on ``wake``, or after a time."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_s)

    def wake(self) -> None:
        """Let ``wait`` return."""
        with self._changed:
            self._changed.notify_all()

    def take(self) -> TrackItem | Broke | None:
        """The oldest item; None: there is none."""
        with self._changed:
            if not self._items:
                return None
            item = self._items.popleft()
            self._bytes -= _size(item)
            return item

    def break_off(self, reason: GapReason) -> None:
        """The disk refuses: forget the media that waits, and refuse more."""
        with self._changed:
            words = [item for item in self._items if isinstance(item, GapBegan | GapEnded | Noted)]
            self._dropped += len(self._items) - len(words)
            self._items = deque(words)
            self._bytes = sum(map(_size, words))
            self._broken = reason
            self._refuses_media = True

    def mend(self) -> bool:
        """The disk keeps up: take media again once half the room is free; whether it is so."""
        with self._changed:
            if self._broken is not None and self._bytes * 2 <= self.max_bytes:
                self._broken = None
            return self._broken is None

    def _offer_media(self, item: SegmentOpened | FragmentMade) -> bool:
        if self._broken is not None:
            return False
        begins = isinstance(item, SegmentOpened)
        if self._refuses_media and not begins:
            return False
        # One item always fits, so that a limit set too low does not end all recording.
        if self._items and self._bytes + _size(item) > self.max_bytes:
            self._broken = GapReason.DISK_SLOW
            self._refuses_media = True
            waiting_mib = self._bytes / 1_048_576
            self._put(Broke(GapReason.DISK_SLOW, f"{waiting_mib:.1f} MiB waited for the disk"))
            return False
        self._refuses_media = False
        self._put(item)
        return True

    def _offer_word(self, item: GapBegan | GapEnded | Noted) -> bool:
        if len(self._items) < ITEMS_MAX:
            self._put(item)
            return True
        if isinstance(item, Noted) or not isinstance(self._items[-1], GapBegan | GapEnded):
            return False
        self._bytes -= _size(self._items.pop())
        self._put(item)
        return True

    def _put(self, item: TrackItem | Broke) -> None:
        self._items.append(item)
        self._bytes += _size(item)


def _size(item: TrackItem | Broke) -> int:
    match item:
        case SegmentOpened():
            return ITEM_BYTES + len(item.head)
        case FragmentMade():
            return ITEM_BYTES + len(item.data)
        case _:
            return ITEM_BYTES
