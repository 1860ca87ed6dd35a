"""Keeps what was made out of recordings for somebody who looks: bounded, and never the only copy.

A name here is built from hashes and numbers of ours. The oldest files go first; files that nobody
asked for within ``idle_ms`` go too, so that a copy does not outlive the recording that was deleted.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.clock import Clock

PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class _Kept:
    path: Path
    bytes: int
    used_ns: int


class DerivedFiles:
    """One folder; emptied at the start. Any thread."""

    def __init__(self, folder: Path, clock: Clock, *, bytes_max: int, idle_ms: int) -> None:
        self._folder = folder
        self._clock = clock
        self._bytes_max = bytes_max
        self._idle_ns = idle_ms * 1_000_000
        self._lock = threading.Lock()
        self._parts = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        for left in folder.iterdir():
            left.unlink()

    def find(self, name: str) -> Path | None:
        """A file made before, now in use; None: make it."""
        with self._lock:
            path = self._folder / name
            try:
                self._touch(path)
            except FileNotFoundError:
                return None
            return path

    def make(self, name: str, write: Callable[[Path], None]) -> Path:
        """Have ``write`` make a file, and keep it under ``name``; nothing is left if it raises.

        Raises:
            OSError: the disk refused; or what ``write`` raises.
        """
        with self._lock:
            self._parts += 1
            part = self._folder / f"{name}.{self._parts}{PART}"
            self._trim(besides=None)
        try:
            write(part)
            with self._lock:
                path = part.replace(self._folder / name)
                self._touch(path)
                self._trim(besides=path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return path

    def forget(self, name: str) -> None:
        """The recording that a file was made from is gone."""
        with self._lock:
            (self._folder / name).unlink(missing_ok=True)

    def _touch(self, path: Path) -> None:
        now_ns = self._clock.utc_ms() * 1_000_000
        os.utime(path, ns=(now_ns, now_ns))

    def _trim(self, besides: Path | None) -> None:
        kept = sorted(self._kept(), key=lambda file: file.used_ns)
        total = sum(file.bytes for file in kept)
        oldest_ns = self._clock.utc_ms() * 1_000_000 - self._idle_ns
        for file in kept:
            if file.path == besides or (total <= self._bytes_max and file.used_ns >= oldest_ns):
                continue
            file.path.unlink(missing_ok=True)
            total -= file.bytes

    def _kept(self) -> list[_Kept]:
        kept = []
        for path in self._folder.iterdir():
            if path.suffix == PART:
                continue
            facts = path.stat()
            kept.append(_Kept(path, facts.st_size, facts.st_mtime_ns))
        return kept
