"""Copies recordings to a second disk and to an S3-compatible store, and checks each copy's bytes.

A copy counts only when it was read back and has the SHA-256 that the signed manifest states. Files
of a track are copied in the order of their numbers, so what a place has is one number a track
and the few that could not be copied because the file here no longer is what its entry says.
"""

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from contracts.evidence.entries import CopyName, TrackId
from contracts.units import Sha256Hex

CHUNK_BYTES: Final = 4 * 1024 * 1024  # what is held in memory of one file, whatever its size
CONNECT_TIMEOUT: Final = timedelta(seconds=10)
REQUEST_TIMEOUT: Final = timedelta(minutes=5)  # a segment of 30 MB over a slow line
RETRY_TIMEOUT: Final = timedelta(seconds=30)  # longer outages are the keeper's business
PART: Final = ".part"
MARK_FILE: Final = "zeroentry-mirror.txt"
MARK_TEXT: Final = "This folder holds copies of recordings. Do not remove this file.\n"


class CopyLost(Exception):
    """A place for copies cannot be reached or refused; it is tried again later."""


class SourceDamagedError(Exception):
    """The file here is not what its signed entry says; it is never copied over a good one."""


class CopyPlace(Protocol):
    """Where copies go."""

    @property
    def name(self) -> CopyName: ...

    def put(self, source: Path, key: str) -> None:
        """Copy a file; on stable storage when this returns.

        Raises:
            CopyLost: it did not work; nothing half-written counts as a copy.
            OSError: the source cannot be read.
        """
        ...

    def sha256(self, key: str) -> Sha256Hex | None:
        """Hash of the copy, read from the place itself; None: there is none.

        Raises:
            CopyLost: the place cannot be reached.
        """
        ...

    def size(self, key: str) -> int | None:
        """Bytes of the copy; None: there is none.

        Raises:
            CopyLost: the place cannot be reached.
        """
        ...


def _hash_of(path: Path, *, from_disk: bool) -> Sha256Hex:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if from_disk:
            # What was just written lies in memory: a check of that would prove nothing.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Mirror:
    """A second disk. Its folder must carry a mark, so that an unmounted disk is not written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> CopyName:
        return "mirror"

    def prepare(self) -> None:
        """Mark an empty folder as ours.

        Raises:
            CopyLost: the folder is missing, or holds other things and no mark.
        """
        mark = self._folder / MARK_FILE
        try:
            if mark.exists():
                return
            if any(self._folder.iterdir()):
                raise CopyLost(
                    f"{self._folder} is not empty and has no {MARK_FILE}: is the disk mounted? "
                    "If the folder is right, create that file there"
                )
            mark.write_text(MARK_TEXT, "utf-8")
        except OSError as error:
            raise CopyLost(f"{self._folder}: {error.strerror or error}") from error

    def put(self, source: Path, key: str) -> None:
        """See ``CopyPlace``."""
        self.prepare()
        target = self._folder / key
        part = target.with_name(target.name + PART)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as reader, part.open("wb") as writer:
                while block := reader.read(CHUNK_BYTES):
                    writer.write(block)
                writer.flush()
                os.fsync(writer.fileno())
            part.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            if error.filename == str(source):
                raise
            raise CopyLost(f"{target}: {error.strerror or error}") from error

    def sha256(self, key: str) -> Sha256Hex | None:
        """See ``CopyPlace``."""
        try:
            return _hash_of(self._folder / key, from_disk=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CopyLost(f"{self._folder / key}: {error.strerror or error}") from error

    def size(self, key: str) -> int | None:
        """See ``CopyPlace``."""
        try:
            return (self._folder / key).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CopyLost(f"{self._folder / key}: {error.strerror or error}") from error


def _lost(error: Exception) -> CopyLost:
    # The library's text is a debug print of many lines; its first says what happened.
    return CopyLost(str(error).strip().splitlines()[0][:200] if str(error).strip() else "refused")


class Archive:
    """A bucket of an S3-compatible store."""

    def __init__(
        self,
        url: str,
        *,
        access_key: str,
        secret_key: str,
        endpoint: str | None = None,
        region: str = "us-east-1",
    ) -> None:
        parts = urlsplit(url)
        plain = endpoint is not None and endpoint.startswith("http://")
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            access_key_id=access_key,
            secret_access_key=secret_key,
            region=region,
            endpoint=endpoint,
            # Stores of one's own answer at BUCKET in the path; Amazon's at BUCKET in the name.
            virtual_hosted_style_request=endpoint is None,
            client_options={
                "allow_http": plain,
                "connect_timeout": CONNECT_TIMEOUT,
                "timeout": REQUEST_TIMEOUT,
            },
            retry_config={"max_retries": 3, "retry_timeout": RETRY_TIMEOUT},
        )

    @property
    def name(self) -> CopyName:
        return "archive"

    def put(self, source: Path, key: str) -> None:
        """See ``CopyPlace``."""
        try:
            with source.open("rb") as file:
                obstore.put(self._store, key, file, chunk_size=2 * CHUNK_BYTES, max_concurrency=2)
        except (BaseError, FileNotFoundError) as error:
            # The store says FileNotFoundError too: of a bucket that is not there.
            if getattr(error, "filename", None) == str(source):
                raise
            raise _lost(error) from error

    def sha256(self, key: str) -> Sha256Hex | None:
        """See ``CopyPlace``."""
        digest = hashlib.sha256()
        try:
            for block in obstore.get(self._store, key).stream(min_chunk_size=CHUNK_BYTES):
                digest.update(block)
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise _lost(error) from error
        return digest.hexdigest()

    def size(self, key: str) -> int | None:
        """See ``CopyPlace``."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise _lost(error) from error


def copy_checked(place: CopyPlace, source: Path, key: str, sha256: Sha256Hex) -> None:
    """Copy a segment, and read the copy back. A copy that is there and right is left alone.

    Raises:
        SourceDamagedError: the file here does not have the hash that its entry states.
        CopyLost: the place cannot be reached, or the copy came out wrong.
        OSError: the source cannot be read.
    """
    if place.sha256(key) == sha256:
        return
    if _hash_of(source, from_disk=False) != sha256:
        raise SourceDamagedError(f"{source} does not have the SHA-256 of its entry")
    place.put(source, key)
    if place.sha256(key) != sha256:
        raise CopyLost(f"{key}: the copy on {place.name} came back with other bytes")


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS done (
    place TEXT NOT NULL, track TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (place, track)
);
CREATE TABLE IF NOT EXISTS bad (
    place TEXT NOT NULL, track TEXT NOT NULL, number INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (place, track, number)
);
"""


class CopyBook:
    """Which files have verified copies where (SQLite). Losing it costs a second look, no copy."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    def done(self, place: CopyName, track_id: TrackId) -> int:
        """Every file of the track up to this number was dealt with; 0: none."""
        with self._locked() as db:
            row = db.execute(
                "SELECT number FROM done WHERE place = ? AND track = ?", (place, track_id)
            ).fetchone()
        return int(row[0]) if row else 0

    def set_done(self, place: CopyName, track_id: TrackId, number: int) -> None:
        """Everything up to ``number`` was dealt with; a lower one has the rest done again."""
        with self._locked() as db:
            db.execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", (place, track_id, number))
            db.execute(
                "DELETE FROM bad WHERE place = ? AND track = ? AND number > ?",
                (place, track_id, number),
            )

    def set_bad(self, place: CopyName, track_id: TrackId, number: int, why: str) -> None:
        """This file has no copy there and gets none."""
        with self._locked() as db:
            db.execute(
                "INSERT OR REPLACE INTO bad VALUES (?, ?, ?, ?)", (place, track_id, number, why)
            )

    def bad(self, place: CopyName, track_id: TrackId) -> dict[int, str]:
        """Files that were passed over, and why."""
        with self._locked() as db:
            rows = db.execute(
                "SELECT number, why FROM bad WHERE place = ? AND track = ?", (place, track_id)
            ).fetchall()
        return {int(number): str(why) for number, why in rows}

    def has(self, place: CopyName, track_id: TrackId, number: int) -> bool:
        """Whether there is a verified copy."""
        return number <= self.done(place, track_id) and number not in self.bad(place, track_id)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
