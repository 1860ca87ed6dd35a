"""Remembers when and where each alert was, so that its clip can be cut long after it cleared."""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from contracts.observations import Alert
from contracts.units import CameraId, MessageId, RoomId, UtcMs

log = structlog.get_logger(__name__)

MOMENTS_MAX: Final = 200_000  # twenty years at 25 a day; 100 bytes each

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS moment (
    alert_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, camera_id TEXT,
    since_utc INTEGER NOT NULL, raised_utc INTEGER NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class AlertMoment:
    """An alert's place and time. ``camera_id`` None: it is of a room, and no camera saw it."""

    alert_id: MessageId
    room_id: RoomId
    camera_id: CameraId | None
    since_utc_ms: UtcMs
    raised_utc_ms: UtcMs


def _opened(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute(_SCHEMA)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


class AlertMoments:
    """One SQLite file (WAL). Methods block for the disk; any thread. ``path`` may be in memory."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError as error:
            # A clip can still be had by its time: a node that does not start would cost more.
            log.error("alert_moments_damaged", path=str(path), error=str(error))
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            self._db = _opened(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def remember(self, alert: Alert, seen_by: CameraId | None) -> None:
        """Keep an alert's moment (``ports.AlertMemory``).

        Raises:
            sqlite3.Error: the disk refused.
        """
        camera = alert.camera_id or seen_by
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO moment VALUES (?, ?, ?, ?, ?)",
                (alert.alert_id, alert.room_id, camera, alert.since_utc_ms, alert.raised_utc_ms),
            )
            self._db.execute(
                "DELETE FROM moment WHERE rowid <= (SELECT max(rowid) FROM moment) - ?",
                (MOMENTS_MAX,),
            )

    def find(self, alert_id: MessageId) -> AlertMoment | None:
        """An alert's moment; None: unknown."""
        with self._lock:
            row = self._db.execute(
                "SELECT alert_id, room_id, camera_id, since_utc, raised_utc FROM moment "
                "WHERE alert_id = ?",
                (alert_id,),
            ).fetchone()
        return AlertMoment(*row) if row else None
