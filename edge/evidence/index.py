"""Holds what the manifests say in SQLite, so that an interval is found without reading them all.

The manifests are the truth, this is derived: it follows them as they grow, and may be thrown away
at any time. Nothing here judges a signature or a chain; ``zeroentry evidence verify`` does, from
the files alone.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from contracts.evidence.entries import Checkpoint, Entry, TrackId, parse_entry
from contracts.evidence.lines import LINE_MAX_BYTES, LineError, split_line
from contracts.units import UtcMs
from edge.evidence import index_rows as rows
from edge.evidence.index_rows import (
    GapRow,
    HoldRow,
    KeepRow,
    OpenSegment,
    SealRow,
    SegmentRow,
    TrackRow,
)
from edge.evidence.places import (
    Places,
    file_start_utc_ms,
    number_of,
    whole_bytes,
)

log = structlog.get_logger(__name__)

LINES_PER_FOLLOW_MAX: Final = 2_000
# About 0.2 s of work. A first look at years of manifests takes many calls, and none of them holds
# up the disk executor for long.
READ_BYTES: Final = 4 * LINE_MAX_BYTES * 16  # 1 MiB: some 1,500 lines as they are in practice
PAGE_MAX: Final = 1_000  # rows of one answer
START_EXACT_MS: Final = 0
START_BY_NAME_MS: Final = 1_000  # a file's name tells its start to the second
CHECK_DIFFERENCES_MAX: Final = 100  # after that many the rest says nothing new


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line that a manifest has gained. ``line`` is without its line feed."""

    track_id: TrackId
    sequence: int
    line: bytes
    entry: Entry


@dataclass(slots=True)
class _Watched:
    """What is known of a track's folder without asking the disk."""

    key: int
    name: TrackId
    day: str | None
    """The newest day that was begun to be read."""
    later: list[str]
    """Days after it; their manifests may not be there yet."""
    folder_mtime_ns: int = -1
    settled: bool = False
    """The folder was listed once more after its last change: time stamps are coarse."""
    read: tuple[int, int, int] = (-1, -1, -1)
    """Inode, size and time of the newest manifest when it was last read to its end."""


class RecordingIndex:
    """One node's recordings (SQLite, WAL). Methods block for the disk; any thread may call them.

    ``path`` may be ``":memory:"``. A damaged or older file is thrown away and made again.
    """

    def __init__(self, path: Path | str, recordings_dir: Path) -> None:
        self._places = Places(recordings_dir)
        self._lock = threading.RLock()
        self._db = rows.open_database(path)
        self._watched: dict[TrackId, _Watched] = {
            name: _Watched(key, name, day, []) for key, name, day in rows.tracks_begun(self._db)
        }
        self._open_starts: dict[TrackId, tuple[int, UtcMs]] = {}
        self._turn = 0
        self._full = False
        self.bad_lines = 0
        """Whole lines that could not be read; ``zeroentry evidence verify`` names them."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @property
    def behind(self) -> bool:
        """Whether the last ``follow`` stopped at its limit and there is more to read."""
        return self._full

    def follow(self) -> tuple[NewLine, ...]:
        """Take in what the manifests have gained; rows and cursor are one transaction.

        A half-written last line waits for its line feed. A manifest that was cut or rewritten is
        read again from its first line, so a line may come twice. At most ``LINES_PER_FOLLOW_MAX``.

        Raises:
            sqlite3.Error: the index cannot be written; nothing was taken in.
        """
        with self._lock, self._transaction():
            found: list[NewLine] = []
            tracks = self._tracks_on_disk()
            self._turn += 1
            for place in range(len(tracks)):
                watched = tracks[(place + self._turn) % len(tracks)]
                try:
                    found += self._follow_track(watched, LINES_PER_FOLLOW_MAX - len(found))
                except OSError as error:
                    # One track's folder that cannot be read must not hide the others.
                    log.error("manifest_unreadable", track_id=watched.name, error=str(error))
                    watched.read = (-1, -1, -1)
                if len(found) >= LINES_PER_FOLLOW_MAX:
                    break
            self._full = len(found) >= LINES_PER_FOLLOW_MAX
            return tuple(found)

    def lines_after(self, track_id: TrackId, sequence: int, limit: int) -> tuple[NewLine, ...]:
        """Lines that ``follow`` gave already, from the manifests: what an announcer still owes.

        Raises:
            OSError: a manifest cannot be read.
        """
        with self._lock:
            days = rows.days_with_entries_after(self._db, track_id, sequence)
        found: list[NewLine] = []
        for day, end in days:
            with self._places.manifest(track_id, day).open("rb") as file:
                content = file.read(end)
            for raw in content.split(b"\n"):
                if not raw or len(found) >= limit:
                    continue
                line = self._parsed(track_id, raw)
                if line is not None and line.sequence > sequence:
                    found.append(line)
            if len(found) >= limit:
                break
        return tuple(found)

    def segments(
        self,
        track_id: TrackId,
        from_utc_ms: int,
        to_utc_ms: int,
        limit: int = PAGE_MAX,
        after: int | None = None,
    ) -> list[SegmentRow]:
        """Segments that overlap an interval by start; ``after`` is the number of the last one seen.

        Deleted ones are among them, marked.
        """
        with self._lock:
            return rows.segments(
                self._db, track_id, from_utc_ms, to_utc_ms, min(limit, PAGE_MAX), after
            )

    def segments_by_number(
        self, track_id: TrackId, after: int = 0, limit: int = PAGE_MAX
    ) -> list[SegmentRow]:
        """Segments that are still here, in the order in which they were made."""
        with self._lock:
            return rows.segments_by_number(self._db, track_id, after, min(limit, PAGE_MAX))

    def gaps(
        self, track_id: TrackId, from_utc_ms: int, to_utc_ms: int, limit: int = PAGE_MAX
    ) -> list[GapRow]:
        """Gaps that overlap an interval, by start. Pieces of one gap are one row a day."""
        with self._lock:
            return rows.gaps(self._db, track_id, from_utc_ms, to_utc_ms, min(limit, PAGE_MAX))

    def segment(self, track_id: TrackId, number: int) -> SegmentRow | None:
        """One finished file of a track; None: unknown."""
        with self._lock:
            return rows.segment(self._db, track_id, number)

    def knows(self, track_id: TrackId) -> bool:
        """Whether there is, or was, a manifest of this track."""
        with self._lock:
            return track_id in self._watched

    def sequences(
        self, track_id: TrackId, from_utc_ms: int, to_utc_ms: int
    ) -> tuple[int, int] | None:
        """First and last sequence of the segments and gaps of an interval; None: there are none."""
        with self._lock:
            return rows.sequences(self._db, track_id, from_utc_ms, to_utc_ms)

    def tracks(self) -> list[TrackRow]:
        """What there is of each track, without what was deleted."""
        with self._lock:
            return rows.totals(self._db)

    def seals(self, track_id: TrackId | None = None) -> list[SealRow]:
        """Sessions that a track was sealed for, oldest first; all tracks if none is named."""
        with self._lock:
            return rows.seals(self._db, track_id)

    def keeps(self, track_id: TrackId | None = None) -> list[KeepRow]:
        """Intervals that must be kept until a day."""
        with self._lock:
            return rows.keeps(self._db, track_id)

    def holds(self, track_id: TrackId | None = None) -> list[HoldRow]:
        """Legal holds, lifted ones too (marked)."""
        with self._lock:
            return rows.holds(self._db, track_id)

    def file_of(self, row: SegmentRow) -> Path:
        """Where a segment lies; the file may be gone.

        Raises:
            OutsideError: its name leads out of the recordings' folder.
        """
        # The folder is of the day on which the file began, the manifest of the day it ended.
        return self._places.segment(row.track_id, row.file, row.start_utc_ms, row.day)

    def open_segment(self, track_id: TrackId) -> OpenSegment | None:
        """The file that is being written, as far as its fragments are whole; None: there is none.

        Raises:
            OSError: the folder cannot be read.
            OutsideError: the name of the track leads out of the recordings' folder.
        """
        found = self.open_segments(track_id)
        return found[-1] if found else None

    def open_segments(self, track_id: TrackId) -> list[OpenSegment]:
        """Files that no manifest tells of yet: the one being written, perhaps one just finished.

        Raises:
            OSError: the folder cannot be read.
            OutsideError: the name of the track leads out of the recordings' folder.
        """
        with self._lock:
            last = rows.last_number(self._db, track_id)
            known = self._open_starts.get(track_id, (0, UtcMs(0)))
        found = []
        for path in self._places.files_above(track_id, last):
            number = number_of(path.name)
            exact = known[0] == number
            found.append(
                OpenSegment(
                    track_id=track_id,
                    number=number,
                    path=path,
                    bytes=whole_bytes(path),
                    start_utc_ms=known[1] if exact else file_start_utc_ms(path.name),
                    start_error_ms=START_EXACT_MS if exact else START_BY_NAME_MS,
                )
            )
        return found

    def note_checkpoint(self, line: str) -> None:
        """Learn from a recorder's checkpoint when its open file began, to the millisecond.

        Raises:
            LineError: it is no signed line.
            pydantic.ValidationError: it is no checkpoint.
        """
        said = Checkpoint.model_validate_json(split_line(line.encode()).signed)
        with self._lock:
            self._open_starts[said.track] = (said.number, said.start.utc_ms)

    def rebuild(self) -> None:
        """Forget everything and read the manifests again, to their end.

        Raises:
            sqlite3.Error: the index cannot be written.
        """
        with self._lock:
            with self._transaction():
                rows.forget_all(self._db)
            self._watched = {}
            while self.follow():
                pass

    def check(self) -> tuple[str, ...]:
        """How index and disk differ; empty when they are equal. Reads every manifest.

        Call it when nobody writes, or after ``follow``.
        """
        fresh = RecordingIndex(":memory:", self._places.root)
        try:
            fresh.rebuild()
            with self._lock:
                differences = rows.differences(self._db, fresh._db, CHECK_DIFFERENCES_MAX)
        finally:
            fresh.close()
        for row in self._present_segments():
            if len(differences) >= CHECK_DIFFERENCES_MAX:
                break
            path = self.file_of(row)
            size = path.stat().st_size if path.exists() else None
            if size != row.bytes:
                differences.append(
                    f"{path}: {'missing' if size is None else f'{size} bytes'}, index: {row.bytes}"
                )
        return tuple(differences)

    def _present_segments(self) -> Iterator[SegmentRow]:
        for track in self.tracks():
            after: int | None = None
            while page := self.segments(track.track_id, 0, 1 << 62, PAGE_MAX, after):
                yield from (row for row in page if row.deleted is None)
                after = page[-1].number

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._watched = {
                name: _Watched(key, name, day, []) for key, name, day in rows.tracks_begun(self._db)
            }
            raise
        self._db.execute("COMMIT")

    def _tracks_on_disk(self) -> list[_Watched]:
        for name in self._places.tracks():
            if name not in self._watched:
                self._watched[name] = _Watched(rows.track_key(self._db, name), name, None, [])
        return list(self._watched.values())

    def _follow_track(self, watched: _Watched, room: int) -> list[NewLine]:
        if not self._look(watched):
            return []
        found: list[NewLine] = []
        while len(found) < room:
            # Before the newest day is read, so that nothing is written to it once a later is seen.
            following = next(
                (day for day in watched.later if self._places.manifest(watched.name, day).exists()),
                None,
            )
            if watched.day is not None:
                found += self._follow_day(watched, watched.day, room - len(found))
            if len(found) >= room or following is None:
                break
            watched.day = following
            watched.later = [day for day in watched.later if day > following]
            watched.read = (-1, -1, -1)
        return found

    def _look(self, watched: _Watched) -> bool:
        """List the track's days if its folder has changed; whether it is there at all."""
        mtime_ns = self._places.folder_mtime_ns(watched.name)
        if mtime_ns is None:
            return False
        if mtime_ns == watched.folder_mtime_ns and watched.settled:
            return True
        watched.settled = mtime_ns == watched.folder_mtime_ns
        watched.folder_mtime_ns = mtime_ns
        newest = watched.day or ""
        watched.later = [day for day in self._places.days(watched.name) if day > newest]
        return True

    def _follow_day(self, watched: _Watched, day: str, room: int) -> list[NewLine]:
        path = self._places.manifest(watched.name, day)
        try:
            facts = path.stat()
            now = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        except FileNotFoundError:
            now = (0, 0, 0)
        if now == watched.read:
            return []
        cursor = rows.cursor(self._db, watched.key, day)
        if now[1] == 0:
            if cursor.offset:
                self._forget_from(watched, day)
            watched.read = now
            return []
        found: list[NewLine] = []
        with path.open("rb") as file:
            if not _continues(file, cursor, now[1]):
                self._forget_from(watched, day)
                cursor = rows.Cursor(0, 0, b"")
            at_end = False
            while not at_end and len(found) < room:
                file.seek(cursor.offset)
                content = file.read(READ_BYTES)
                cursor, lines, at_end = self._take_lines(watched, day, cursor, content, room)
                found += lines
                room -= len(lines)
        highest = max((line.sequence for line in found), default=0)
        rows.set_cursor(self._db, watched.key, day, cursor, highest)
        rows.count_day(self._db, watched.key, day)
        watched.read = now if at_end else (-1, -1, -1)
        return found

    def _take_lines(
        self, watched: _Watched, day: str, cursor: rows.Cursor, content: bytes, room: int
    ) -> tuple[rows.Cursor, list[NewLine], bool]:
        """Rows of the whole lines in ``content``; the cursor behind them; whether all was read."""
        found: list[NewLine] = []
        begin = 0
        while len(found) < room:
            end = content.find(b"\n", begin)
            if end < 0:
                break
            raw = content[begin:end]
            line = self._parsed(watched.name, raw)
            if line is None:
                self.bad_lines += 1
            else:
                rows.take(self._db, watched.key, day, line.entry)
                found.append(line)
            cursor = rows.Cursor(
                cursor.offset + len(raw) + 1,
                cursor.offset,
                hashlib.sha256(content[begin : end + 1]).digest(),
            )
            begin = end + 1
        rest = len(content) - begin
        if len(content) < READ_BYTES:
            return cursor, found, len(found) < room
        if begin == 0 and rest > LINE_MAX_BYTES and not found:
            # No line of ours is that long: pass over it, verify will name the place.
            self.bad_lines += 1
            passed = cursor.offset + len(content)
            cursor = rows.Cursor(passed, cursor.offset, hashlib.sha256(content).digest())
        return cursor, found, False

    def _parsed(self, track_id: TrackId, raw: bytes) -> NewLine | None:
        try:
            _, entry = parse_entry(raw)
        except LineError as error:
            log.error("manifest_line_bad", track_id=track_id, error=str(error))
            return None
        if entry.track != track_id:
            log.error("manifest_line_of_other_track", track_id=track_id, names=entry.track)
            return None
        return NewLine(track_id, entry.sequence, raw, entry)

    def _forget_from(self, watched: _Watched, day: str) -> None:
        log.warning("manifest_rewritten", track_id=watched.name, day=day)
        rows.forget_from(self._db, watched.key, day)
        watched.folder_mtime_ns = -1  # later days are listed, and read, again


def _continues(file: BinaryIO, cursor: rows.Cursor, size: int) -> bool:
    """Whether the file still holds the last bytes that were read, where they were."""
    if not cursor.offset:
        return True
    if size < cursor.offset:
        return False
    file.seek(cursor.last_start)
    content = file.read(cursor.offset - cursor.last_start)
    return hashlib.sha256(content).digest() == cursor.last_sha256
