"""Takes what a track's recorder makes, refuses when told to, and puts files together from it."""

import threading
from dataclasses import dataclass, field

from contracts.evidence.entries import Ending, GapReason
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SegmentEnded,
    SegmentOpened,
    TrackItem,
)


@dataclass(slots=True)
class MadeFile:
    """One file as the disk would have it."""

    opened: SegmentOpened
    fragments: list[FragmentMade] = field(default_factory=list)
    ended: SegmentEnded | None = None

    @property
    def data(self) -> bytes:
        return self.opened.head + b"".join(made.data for made in self.fragments)

    @property
    def duration_ms(self) -> int:
        return self.fragments[-1].duration_ms if self.fragments else 0

    @property
    def video_packets(self) -> int:
        return self.fragments[-1].video_packets if self.fragments else 0

    @property
    def audio_packets(self) -> int:
        return self.fragments[-1].audio_packets if self.fragments else 0

    @property
    def ending(self) -> Ending | None:
        return self.ended.ending if self.ended else None


class QueueFake:
    """The queue before the disk (``TrackItems``), without a disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[TrackItem] = []
        self.refuse: GapReason | None = None
        """Set: media are refused for this reason."""
        self._broken: GapReason | None = None
        self.asked_ready = 0

    def offer(self, item: TrackItem) -> bool:
        with self._lock:
            media = isinstance(item, SegmentOpened | FragmentMade)
            if media and self.refuse is not None:
                self._broken = self.refuse
                return False
            self._items.append(item)
            return True

    def ready(self) -> bool:
        with self._lock:
            self.asked_ready += 1
            if self.refuse is None:
                self._broken = None
            return self.refuse is None

    @property
    def broken(self) -> GapReason | None:
        return self._broken

    @property
    def items(self) -> tuple[TrackItem, ...]:
        with self._lock:
            return tuple(self._items)

    @property
    def files(self) -> list[MadeFile]:
        """The files so far; asserts that items come in an order that makes files."""
        files: list[MadeFile] = []
        for item in self.items:
            is_open = bool(files) and files[-1].ended is None
            if isinstance(item, SegmentOpened):
                assert not is_open, "a file was opened inside another"
                files.append(MadeFile(item))
            elif isinstance(item, FragmentMade):
                assert is_open, "a fragment without a file"
                files[-1].fragments.append(item)
            elif isinstance(item, SegmentEnded):
                assert is_open, "the end of no file"
                files[-1].ended = item
            elif isinstance(item, GapBegan | GapEnded):
                assert not is_open, "a gap inside a file"
        return files

    @property
    def notes(self) -> list[Noted]:
        return [item for item in self.items if isinstance(item, Noted)]

    @property
    def gaps(self) -> list[GapReason]:
        """Reasons in order; None of them twice in a row."""
        return [item.reason for item in self.items if isinstance(item, GapBegan)]

    @property
    def gap_is_open(self) -> bool:
        last = [item for item in self.items if isinstance(item, GapBegan | GapEnded)]
        return bool(last) and isinstance(last[-1], GapBegan)
