"""Holds the index's tables: their schema, the row of each manifest entry, and every query."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter

from contracts.evidence import entries as told
from contracts.evidence.entries import Entry, GapReason, Media, TrackId
from contracts.units import MessageId, SessionId, UtcMs

log = structlog.get_logger(__name__)

SCHEMA_VERSION: Final = 1  # another one: the file is thrown away and made again from the manifests
IN_MEMORY: Final = ":memory:"
SPAN_MAX_MS: Final = 3_600_000
# No segment is longer: 600 s is the longest setting, and a segment is cut at twice that.
LONG_GAP_MS: Final = 86_400_000  # longer gaps are few, and have an index of their own
PIECE_APART_MS: Final = 1_500  # pieces of one gap follow one another within a second or so
GAPS_MAX: Final = 100_000  # gaps of a month, should a camera come and go every half a minute
UTC_MAX_MS: Final = 1 << 62
SUFFIXES: Final = ("", "-wal", "-shm")

_SCHEMA: Final = """
CREATE TABLE track (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE day (
    track INTEGER NOT NULL, day TEXT NOT NULL,
    offset INTEGER NOT NULL, last_start INTEGER NOT NULL, last_sha256 BLOB NOT NULL,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    segments INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0, first_utc INTEGER, last_utc INTEGER,
    PRIMARY KEY (track, day)
) WITHOUT ROWID;
CREATE TABLE segment (
    track INTEGER NOT NULL, number INTEGER NOT NULL, sequence INTEGER NOT NULL, day TEXT NOT NULL,
    file TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,
    start_utc INTEGER NOT NULL, duration_ms INTEGER NOT NULL, media TEXT NOT NULL,
    video_packets INTEGER NOT NULL, audio_packets INTEGER NOT NULL,
    sound_offset_ms INTEGER, ending TEXT NOT NULL, recovered_bytes INTEGER,
    deleted TEXT, deleted_day TEXT,
    PRIMARY KEY (track, number)
) WITHOUT ROWID;
CREATE INDEX segment_by_start ON segment (track, start_utc, number);
CREATE INDEX segment_by_day ON segment (track, day);
CREATE INDEX segment_by_deleted_day ON segment (track, deleted_day) WHERE deleted_day IS NOT NULL;
CREATE TABLE gap (
    track INTEGER NOT NULL, sequence INTEGER NOT NULL, day TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, start_utc INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    PRIMARY KEY (track, sequence)
) WITHOUT ROWID;
CREATE INDEX gap_by_start ON gap (track, start_utc, sequence);
CREATE INDEX gap_by_day ON gap (track, day, sequence);
CREATE INDEX gap_long ON gap (track, start_utc) WHERE duration_ms > 86400000;
CREATE TABLE mark (
    track INTEGER NOT NULL, sequence INTEGER NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (track, sequence)
) WITHOUT ROWID;
CREATE INDEX mark_by_kind ON mark (kind, track, sequence);
CREATE INDEX mark_by_day ON mark (track, day);
"""

_TABLES: Final = ("track", "day", "segment", "gap", "mark")
_ENTRY: Final[TypeAdapter[Entry]] = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One finished file. ``day`` is of the manifest that tells of it."""

    track_id: TrackId
    number: int
    sequence: int
    day: str
    file: str
    bytes: int
    sha256: str
    start_utc_ms: UtcMs
    duration_ms: int
    media: Media
    video_packets: int
    audio_packets: int
    sound_offset_ms: int | None
    ending: told.Ending
    recovered_bytes: int | None
    deleted: str | None
    """Why it was deleted; None: it is here."""

    @property
    def end_utc_ms(self) -> UtcMs:
        return UtcMs(self.start_utc_ms + self.duration_ms)


@dataclass(frozen=True, slots=True)
class GapRow:
    """Time without a recording; ``ended`` is false while it lasts, or at the end of a day."""

    track_id: TrackId
    sequence: int
    reason: GapReason
    detail: str
    start_utc_ms: UtcMs
    duration_ms: int
    ended: bool

    @property
    def end_utc_ms(self) -> UtcMs:
        return UtcMs(self.start_utc_ms + self.duration_ms)


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The file being written: its first ``bytes`` are whole fragments."""

    track_id: TrackId
    number: int
    path: Path
    bytes: int
    start_utc_ms: UtcMs
    start_error_ms: int


@dataclass(frozen=True, slots=True)
class TrackRow:
    """What there is of one track; times are None while nothing is."""

    track_id: TrackId
    segments: int
    bytes: int
    duration_ms: int
    first_utc_ms: UtcMs | None
    last_utc_ms: UtcMs | None


@dataclass(frozen=True, slots=True)
class SealRow:
    """A session that a track was sealed for; ``to_utc_ms`` None: it lasts."""

    track_id: TrackId
    sequence: int
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None
    keep_days: int


@dataclass(frozen=True, slots=True)
class KeepRow:
    """An interval to be kept until a day; ``to_utc_ms`` None: it lasts."""

    track_id: TrackId
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None
    keep_until_utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A legal hold on one track."""

    track_id: TrackId
    hold_id: MessageId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    reason: str
    by: str
    lifted: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a manifest was read, and the hash of the last bytes read, from ``last_start`` on."""

    offset: int
    last_start: int
    last_sha256: bytes


def open_database(path: Path | str) -> sqlite3.Connection:
    """The index's file, made anew if it is of another version or damaged.

    Raises:
        sqlite3.Error: it cannot be opened or made.
    """
    if str(path) != IN_MEMORY:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = _connect(path)
    try:
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found == SCHEMA_VERSION:
            db.execute("SELECT count(*) FROM track").fetchone()
            return _durable_enough(db)
        fresh = found == 0 and not db.execute("SELECT name FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        log.warning("recording_index_damaged", path=str(path), error=str(error))
        fresh = False
    if not fresh:
        db.close()
        for suffix in SUFFIXES:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        db = _connect(path)
    db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    return _durable_enough(db)


def _connect(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None)


def _durable_enough(db: sqlite3.Connection) -> sqlite3.Connection:
    # Derived: what a power cut takes back, the manifests give again.
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def track_key(db: sqlite3.Connection, name: TrackId) -> int:
    """The key of a track, made if it is new."""
    db.execute("INSERT OR IGNORE INTO track (name) VALUES (?)", (name,))
    return int(db.execute("SELECT id FROM track WHERE name = ?", (name,)).fetchone()[0])


def tracks_begun(db: sqlite3.Connection) -> list[tuple[int, TrackId, str | None]]:
    """Key, name and newest day of each track."""
    return db.execute(
        "SELECT id, name, (SELECT max(day) FROM day WHERE track = id) FROM track ORDER BY name"
    ).fetchall()


def cursor(db: sqlite3.Connection, track: int, day: str) -> Cursor:
    """How far a day's manifest was read."""
    row = db.execute(
        "SELECT offset, last_start, last_sha256 FROM day WHERE track = ? AND day = ?", (track, day)
    ).fetchone()
    return Cursor(*row) if row else Cursor(0, 0, b"")


def set_cursor(db: sqlite3.Connection, track: int, day: str, at: Cursor, sequence: int) -> None:
    """Remember how far a day's manifest was read, and the highest sequence seen in it."""
    db.execute(
        "INSERT INTO day (track, day, offset, last_start, last_sha256, last_sequence) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset, "
        "last_start = excluded.last_start, last_sha256 = excluded.last_sha256, "
        "last_sequence = max(last_sequence, excluded.last_sequence)",
        (track, day, at.offset, at.last_start, at.last_sha256, sequence),
    )


def count_day(db: sqlite3.Connection, track: int, day: str) -> None:
    """Count anew what is there of a day."""
    db.execute(
        "UPDATE day SET (segments, bytes, duration_ms, first_utc, last_utc) = ("
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(duration_ms), 0), "
        "min(start_utc), max(start_utc + duration_ms) FROM segment "
        "WHERE track = ?1 AND day = ?2 AND deleted IS NULL) WHERE track = ?1 AND day = ?2",
        (track, day),
    )


def take(db: sqlite3.Connection, track: int, day: str, entry: Entry) -> None:
    """The rows of one manifest entry."""
    match entry:
        case told.Segment():
            _take_segment(db, track, day, entry)
        case told.Gap():
            _take_gap(db, track, day, entry)
        case told.Deleted():
            _take_deletion(db, track, day, entry)
        case _:
            pass
    if not isinstance(entry, told.Segment | told.Gap):
        db.execute(
            "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?, ?)",
            (track, entry.sequence, day, entry.kind, entry.model_dump_json()),
        )


def _take_segment(db: sqlite3.Connection, track: int, day: str, entry: told.Segment) -> None:
    db.execute(
        "INSERT OR REPLACE INTO segment VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            track, entry.number, entry.sequence, day,
            entry.file, entry.bytes, bytes.fromhex(entry.sha256),
            entry.start.utc_ms, entry.duration_ms, entry.media.model_dump_json(exclude_none=True),
            entry.video_packets, entry.audio_packets,
            entry.sound_offset_ms, entry.ending.value, entry.recovered_bytes,
            None, None,
        ),
    )  # fmt: skip


def _take_gap(db: sqlite3.Connection, track: int, day: str, entry: told.Gap) -> None:
    # A camera that is away for weeks tells a piece a minute: one row a day says as much.
    before = db.execute(
        "SELECT sequence, reason, start_utc, duration_ms, ended FROM gap "
        "WHERE track = ? AND day = ? ORDER BY sequence DESC LIMIT 1",
        (track, day),
    ).fetchone()
    start = entry.start.utc_ms
    if before is not None:
        sequence, reason, began, duration_ms, ended = before
        joins = abs(start - (began + duration_ms)) <= PIECE_APART_MS
        if not ended and reason == entry.reason.value and joins:
            db.execute(
                "UPDATE gap SET duration_ms = ?, ended = ? WHERE track = ? AND sequence = ?",
                (start + entry.duration_ms - began, entry.ended, track, sequence),
            )
            return
    db.execute(
        "INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            track, entry.sequence, day, entry.reason.value,
            entry.detail, start, entry.duration_ms, entry.ended,
        ),
    )  # fmt: skip


def _take_deletion(db: sqlite3.Connection, track: int, day: str, entry: told.Deleted) -> None:
    days: set[str] = set()
    for gone in entry.files:
        days.update(
            row[0]
            for row in db.execute(
                "UPDATE segment SET deleted = ?, deleted_day = ? WHERE track = ? AND number = ? "
                "RETURNING day",
                (entry.reason, day, track, gone.number),
            ).fetchall()
        )
    for touched in days:
        count_day(db, track, touched)


def forget_from(db: sqlite3.Connection, track: int, day: str) -> None:
    """Take back what the manifests of ``day`` and later said."""
    for table in ("segment", "gap", "mark", "day"):
        db.execute(f"DELETE FROM {table} WHERE track = ? AND day >= ?", (track, day))  # noqa: S608  # our own names
    touched = db.execute(
        "UPDATE segment SET deleted = NULL, deleted_day = NULL "
        "WHERE track = ? AND deleted_day >= ? RETURNING day",
        (track, day),
    ).fetchall()
    for before in {row[0] for row in touched}:
        count_day(db, track, before)


def forget_all(db: sqlite3.Connection) -> None:
    """Empty every table."""
    for table in _TABLES:
        db.execute(f"DELETE FROM {table}")  # noqa: S608  # our own names


def days_with_entries_after(
    db: sqlite3.Connection, track_id: TrackId, sequence: int
) -> list[tuple[str, int]]:
    """Days with an entry above ``sequence``, and how far each manifest was read."""
    return db.execute(
        "SELECT day, offset FROM day JOIN track ON track.id = day.track "
        "WHERE name = ? AND last_sequence > ? ORDER BY day",
        (track_id, sequence),
    ).fetchall()


_SEGMENT: Final = (
    "SELECT name, number, sequence, day, file, bytes, lower(hex(sha256)), start_utc, duration_ms, "
    "media, video_packets, audio_packets, sound_offset_ms, ending, recovered_bytes, deleted "
    "FROM segment JOIN track ON track.id = segment.track "
)


def _segment_row(row: Sequence[object]) -> SegmentRow:
    values = list(row)
    values[9] = Media.model_validate_json(str(values[9]))
    values[13] = told.Ending(str(values[13]))
    return SegmentRow(*values)  # type: ignore[arg-type]  # columns in the order of the fields


def segments(
    db: sqlite3.Connection,
    track_id: TrackId,
    from_utc_ms: int,
    to_utc_ms: int,
    limit: int,
    after: int | None,
) -> list[SegmentRow]:
    """See ``RecordingIndex.segments``."""
    key = db.execute("SELECT id FROM track WHERE name = ?", (track_id,)).fetchone()
    if key is None:
        return []
    seen = (from_utc_ms - SPAN_MAX_MS, -1)
    if after is not None:
        seen = db.execute(
            "SELECT start_utc, number FROM segment WHERE track = ? AND number = ?", (*key, after)
        ).fetchone() or (UTC_MAX_MS, after)
    found = db.execute(
        _SEGMENT + "WHERE track = ? AND (start_utc, number) > (?, ?) AND start_utc < ? "
        "AND start_utc + duration_ms > ? ORDER BY start_utc, number LIMIT ?",
        (*key, *seen, to_utc_ms, from_utc_ms, limit),
    )
    return [_segment_row(row) for row in found]


def segments_by_number(
    db: sqlite3.Connection, track_id: TrackId, after: int, limit: int
) -> list[SegmentRow]:
    """See ``RecordingIndex.segments_by_number``."""
    found = db.execute(
        _SEGMENT + "WHERE name = ? AND number > ? AND deleted IS NULL ORDER BY number LIMIT ?",
        (track_id, after, limit),
    )
    return [_segment_row(row) for row in found]


def segment(db: sqlite3.Connection, track_id: TrackId, number: int) -> SegmentRow | None:
    """See ``RecordingIndex.segment``."""
    row = db.execute(_SEGMENT + "WHERE name = ? AND number = ?", (track_id, number)).fetchone()
    return _segment_row(row) if row else None


def last_number(db: sqlite3.Connection, track_id: TrackId) -> int:
    """Number of a track's newest segment; 0: none."""
    row = db.execute(
        "SELECT max(number) FROM segment JOIN track ON track.id = segment.track WHERE name = ?",
        (track_id,),
    ).fetchone()
    return int(row[0] or 0)


_GAP: Final = (
    "SELECT name, sequence, reason, detail, start_utc, duration_ms, ended "
    "FROM gap JOIN track ON track.id = gap.track WHERE name = ?1 "
)


def gaps(
    db: sqlite3.Connection, track_id: TrackId, from_utc_ms: int, to_utc_ms: int, limit: int
) -> list[GapRow]:
    """See ``RecordingIndex.gaps``."""
    found = db.execute(
        f"SELECT * FROM ({_GAP} AND start_utc > ?4 AND start_utc < ?3 "  # noqa: S608  # our own text
        f"AND start_utc + duration_ms > ?2 AND duration_ms <= {LONG_GAP_MS} "
        f"UNION ALL {_GAP} AND duration_ms > {LONG_GAP_MS} AND start_utc < ?3 "
        "AND start_utc + duration_ms > ?2) ORDER BY start_utc, sequence LIMIT ?5",
        (track_id, from_utc_ms, to_utc_ms, from_utc_ms - LONG_GAP_MS, limit),
    )
    return [
        GapRow(name, sequence, GapReason(reason), detail, start, duration_ms, bool(ended))
        for name, sequence, reason, detail, start, duration_ms, ended in found
    ]


def sequences(
    db: sqlite3.Connection, track_id: TrackId, from_utc_ms: int, to_utc_ms: int
) -> tuple[int, int] | None:
    """See ``RecordingIndex.sequences``."""
    row = db.execute(
        "SELECT min(sequence), max(sequence) FROM segment JOIN track ON track.id = segment.track "
        "WHERE name = ? AND start_utc > ? AND start_utc < ? AND start_utc + duration_ms > ?",
        (track_id, from_utc_ms - SPAN_MAX_MS, to_utc_ms, from_utc_ms),
    ).fetchone()
    told_of = [value for value in row if value is not None]
    told_of += [gap.sequence for gap in gaps(db, track_id, from_utc_ms, to_utc_ms, GAPS_MAX)]
    return (min(told_of), max(told_of)) if told_of else None


def totals(db: sqlite3.Connection) -> list[TrackRow]:
    """See ``RecordingIndex.tracks``."""
    found = db.execute(
        "SELECT name, sum(segments), sum(bytes), sum(duration_ms), min(first_utc), max(last_utc) "
        "FROM day JOIN track ON track.id = day.track GROUP BY name ORDER BY name"
    )
    return [TrackRow(*row) for row in found]


def _marks(
    db: sqlite3.Connection, track_id: TrackId | None, kinds: tuple[str, str]
) -> Iterator[tuple[TrackId, Entry]]:
    found = db.execute(
        "SELECT name, body FROM mark JOIN track ON track.id = mark.track "
        "WHERE kind IN (?2, ?3) AND (?1 IS NULL OR name = ?1) ORDER BY name, sequence",
        (track_id, *kinds),
    ).fetchall()
    for name, body in found:
        yield name, _ENTRY.validate_json(body)


def seals(db: sqlite3.Connection, track_id: TrackId | None) -> list[SealRow]:
    """See ``RecordingIndex.seals``."""
    found: list[SealRow] = []
    for name, entry in _marks(db, track_id, ("seal", "release")):
        if isinstance(entry, told.Sealed):
            found.append(
                SealRow(
                    name, entry.sequence, entry.session_id, entry.recorded.utc_ms, None,
                    entry.keep_days,
                )
            )  # fmt: skip
        elif isinstance(entry, told.Released):
            found = [
                replace(row, to_utc_ms=entry.recorded.utc_ms)
                if row.to_utc_ms is None
                and row.track_id == name
                and row.session_id == entry.session_id
                else row
                for row in found
            ]
    return found


def keeps(db: sqlite3.Connection, track_id: TrackId | None) -> list[KeepRow]:
    """See ``RecordingIndex.keeps``."""
    found: list[KeepRow] = []
    for name, entry in _marks(db, track_id, ("keep", "keep")):
        if not isinstance(entry, told.Kept):
            continue
        row = KeepRow(
            name, entry.session_id, entry.from_utc_ms, entry.to_utc_ms, entry.keep_until_utc_ms
        )
        lasting = next(
            (
                place
                for place, other in enumerate(found)
                if other.track_id == name
                and other.session_id == row.session_id
                and other.to_utc_ms is None
            ),
            None,
        )
        if lasting is None:
            found.append(row)
        else:
            # Never shorter than what was promised at first.
            found[lasting] = replace(
                row,
                from_utc_ms=min(row.from_utc_ms, found[lasting].from_utc_ms),
                keep_until_utc_ms=max(row.keep_until_utc_ms, found[lasting].keep_until_utc_ms),
            )
    return found


def holds(db: sqlite3.Connection, track_id: TrackId | None) -> list[HoldRow]:
    """See ``RecordingIndex.holds``."""
    found: dict[tuple[TrackId, MessageId], HoldRow] = {}
    for name, entry in _marks(db, track_id, ("hold", "unhold")):
        if isinstance(entry, told.Held):
            found[name, entry.hold_id] = HoldRow(
                name, entry.hold_id, entry.from_utc_ms, entry.to_utc_ms, entry.reason, entry.by,
                lifted=False,
            )  # fmt: skip
        elif isinstance(entry, told.Lifted) and (name, entry.hold_id) in found:
            found[name, entry.hold_id] = replace(found[name, entry.hold_id], lifted=True)
    return list(found.values())


_COMPARED: Final = {
    "segment": "number, sequence, day, file, bytes, sha256, start_utc, duration_ms, media, ending, "
    "deleted",
    "gap": "sequence, day, reason, start_utc, duration_ms, ended",
    "mark": "sequence, day, kind, body",
    "day": "day, offset, last_sequence, segments, bytes, duration_ms",
}


def differences(one: sqlite3.Connection, other: sqlite3.Connection, limit: int) -> list[str]:
    """How two indexes differ, row by row; ``one`` is the index, ``other`` what the disk says."""
    found: list[str] = []
    for table, columns in _COMPARED.items():
        query = (
            f"SELECT name, {columns} FROM {table} JOIN track ON track.id = {table}.track "  # noqa: S608  # our own names
            f"ORDER BY name, {columns}"
        )
        for mine, its in zip_longest(one.execute(query), other.execute(query)):
            if mine != its:
                found.append(f"{table}: index {mine}, disk {its}")
            if len(found) >= limit:
                return found
    return found
