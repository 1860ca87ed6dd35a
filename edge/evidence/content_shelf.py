"""Keeps files on disk by their content, and deletes the oldest fetched ones first."""

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

FETCHED_SUFFIX: Final = ".fetched"


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of a shelf."""

    path: Path
    bytes: int
    modified_ns: int
    fetched: bool


def doomed(stored: Mapping[str, Stored], keep_bytes: int, hard_bytes: int) -> tuple[str, ...]:
    """Which go: fetched ones above ``keep_bytes``, any above ``hard_bytes``; oldest first."""
    total = sum(file.bytes for file in stored.values())
    gone: list[str] = []
    by_age = sorted(stored, key=lambda name: stored[name].modified_ns)
    for limit, candidates in (
        (keep_bytes, [name for name in by_age if stored[name].fetched]),
        (hard_bytes, by_age),
    ):
        for name in candidates:
            if total <= limit:
                break
            if name not in gone:
                gone.append(name)
                total -= stored[name].bytes
    return tuple(gone)


class ContentShelf:
    """A folder of ``<sha256><suffix>``; safe to use from several threads."""

    def __init__(self, folder: Path, suffix: str, *, keep_bytes: int, hard_bytes: int) -> None:
        self._folder = folder
        self._suffix = suffix
        self._keep_bytes = keep_bytes
        self._hard_bytes = hard_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in folder.glob("*.part"):
            left.unlink()  # a crash while writing; nothing refers to it
        self._bytes = sum(path.stat().st_size for path in folder.glob(f"*{suffix}"))

    def put(self, content: bytes) -> str:
        """Store a file; its SHA-256. On disk when this returns.

        Raises:
            OSError: the disk refused it.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        with self._lock:
            if not path.exists():
                self._write(path, content)
                self._bytes += len(content)
            if self._bytes > self._keep_bytes:
                self._make_room(sha256)
        return sha256

    def read(self, sha256: str) -> bytes | None:
        """The file of this hash; None when it is not here (any more)."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            return None

    def mark_fetched(self, sha256: str) -> None:
        """The controller has this file: it may go when room is needed."""
        if self._path(sha256).exists():
            (self._folder / f"{sha256}{FETCHED_SUFFIX}").touch()

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}{self._suffix}"

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # or else the name may be missing after a power cut
        finally:
            os.close(folder)

    def _make_room(self, newest: str) -> None:
        stored = self._stored()
        for name in doomed(stored, self._keep_bytes, self._hard_bytes):
            if name == newest:
                continue
            if not stored[name].fetched:
                log.error(
                    "evidence_lost", file=stored[name].path.name, limit_bytes=self._hard_bytes
                )
            stored[name].path.unlink(missing_ok=True)
            (self._folder / f"{name}{FETCHED_SUFFIX}").unlink(missing_ok=True)
            self._bytes -= stored[name].bytes

    def _stored(self) -> dict[str, Stored]:
        stored: dict[str, Stored] = {}
        for path in self._folder.glob(f"*{self._suffix}"):
            facts = path.stat()
            fetched = path.with_suffix(FETCHED_SUFFIX).exists()
            stored[path.stem] = Stored(path, facts.st_size, facts.st_mtime_ns, fetched)
        return stored
