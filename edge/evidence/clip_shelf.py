"""Decides which files a clip is cut from, makes each clip once, and says what is missing in it."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.evidence.entries import TrackId
from contracts.units import UtcMs
from edge.evidence.clips import (
    CLIP_BYTES_MAX,
    JOIN_MS,
    ClipFacts,
    NothingRecordedError,
    Source,
    cut,
)
from edge.evidence.derived import DerivedFiles
from edge.evidence.index import RecordingIndex
from edge.evidence.index_rows import GapRow, SegmentRow

AT_ONCE: Final = 2  # clips being cut; each reads and writes as fast as the disk lets it
WAIT_S: Final = 10.0  # how long one more waits for its turn before it is told to come again
FACTS_MAX: Final = 512  # clips whose facts are remembered; more than the folder ever holds
TAKEN_MAX: Final = 200  # files of one clip: ten minutes of the shortest segments, and some


class BusyError(Exception):
    """As many clips are being cut as this node has room for."""


class ClipTooLargeError(Exception):
    """The interval holds more bytes than a clip may have."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip on disk. ``missing``: numbers of files that should be here and are not."""

    name: str
    path: Path
    bytes: int
    facts: ClipFacts
    gaps: tuple[GapRow, ...]
    missing: tuple[int, ...]
    start_error_ms: int
    """How far ``facts.start_utc_ms`` may be off: a file still being written tells the second."""


@dataclass(frozen=True, slots=True)
class _Plan:
    sources: tuple[Source, ...]
    missing: tuple[int, ...]
    start_error_ms: int

    def name(self, track_id: TrackId, from_utc_ms: int, to_utc_ms: int) -> str:
        """The same for the same bytes, another one once a growing file has grown."""
        parts = [track_id, str(from_utc_ms), str(to_utc_ms)]
        parts += [f"{source.path.name}:{source.bytes}" for source in self.sources]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40] + ".mp4"


class ClipShelf:
    """Clips of one node's recordings. Methods block; any thread."""

    def __init__(self, index: RecordingIndex, made: DerivedFiles) -> None:
        self._index = index
        self._made = made
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._facts: OrderedDict[str, ClipFacts] = OrderedDict()

    def clip(self, track_id: TrackId, from_utc_ms: int, to_utc_ms: int) -> Clip:
        """The clip of an interval, made now or a moment ago.

        Raises:
            NothingRecordedError: the interval holds nothing.
            ClipDamagedError, ClipTooLargeError, BusyError: see there.
            OSError: the disk refused.
        """
        plan = self._plan(track_id, from_utc_ms, to_utc_ms)
        if not plan.sources:
            raise NothingRecordedError
        name = plan.name(track_id, from_utc_ms, to_utc_ms)
        if not self._turns.acquire(timeout=WAIT_S):
            raise BusyError
        try:
            path, facts = self._made_of(plan, name, from_utc_ms, to_utc_ms)
        finally:
            self._turns.release()
        # What is joined without a jolt does not stand still: a last sound beyond the last picture.
        gaps = self._index.gaps(track_id, facts.start_utc_ms + JOIN_MS, facts.end_utc_ms - JOIN_MS)
        return Clip(
            name, path, path.stat().st_size, facts, tuple(gaps), plan.missing, plan.start_error_ms
        )

    def _made_of(
        self, plan: _Plan, name: str, from_utc_ms: int, to_utc_ms: int
    ) -> tuple[Path, ClipFacts]:
        with self._lock:
            known = self._facts.get(name)
        found = self._made.find(name) if known else None
        if known and found:
            return found, known
        facts: list[ClipFacts] = []
        path = self._made.make(
            name,
            lambda target: facts.append(cut(plan.sources, from_utc_ms, to_utc_ms, target)),
        )
        with self._lock:
            self._facts[name] = facts[0]
            while len(self._facts) > FACTS_MAX:
                self._facts.popitem(last=False)
        return path, facts[0]

    def _plan(self, track_id: TrackId, from_utc_ms: int, to_utc_ms: int) -> _Plan:
        rows = self._index.segments(track_id, from_utc_ms, to_utc_ms, TAKEN_MAX)
        present = [row for row in rows if row.deleted is None]
        estimate = sum(_share(row, from_utc_ms, to_utc_ms) for row in present)
        if estimate > CLIP_BYTES_MAX:
            raise ClipTooLargeError
        sources, missing = self._finished(present)
        error_ms = 0
        for file in self._index.open_segments(track_id):
            if file.start_utc_ms < to_utc_ms and file.bytes:
                sources.append(Source(file.path, file.bytes, file.start_utc_ms, file.number))
                error_ms = file.start_error_ms if len(sources) == 1 else error_ms
        return _Plan(tuple(sources), missing, error_ms)

    def _finished(self, rows: Sequence[SegmentRow]) -> tuple[list[Source], tuple[int, ...]]:
        sources: list[Source] = []
        missing: list[int] = []
        for row in rows:
            path = self._index.file_of(row)
            if path.exists():
                size = min(path.stat().st_size, row.bytes)
                sources.append(Source(path, size, UtcMs(row.start_utc_ms), row.number))
            else:
                missing.append(row.number)
        return sources, tuple(missing)


def _share(row: SegmentRow, from_utc_ms: int, to_utc_ms: int) -> int:
    """Bytes of a segment that fall into an interval, about."""
    overlap_ms = min(row.end_utc_ms, to_utc_ms) - max(row.start_utc_ms, from_utc_ms)
    return row.bytes * max(overlap_ms, 0) // max(row.duration_ms, 1)
