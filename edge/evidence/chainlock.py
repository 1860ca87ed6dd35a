"""Decides that one recorder alone writes into a folder of recordings."""

import fcntl
import os
from pathlib import Path
from typing import Self


class RecordingsBusyError(Exception):
    """Another recorder writes there."""


class RecordingsLock:
    """Holds the folder from ``__enter__`` to ``__exit__``; the kernel lets go if we die.

    Two writers of one chain would both append to it, and each line of the one would make the other
    look forged. The folder itself is locked, no file in it: a disk that is full or read-only must
    not keep the recorder from starting and saying so.

    Raises:
        RecordingsBusyError: another process holds it.
        OSError: the folder cannot be made or opened.
    """

    def __init__(self, recordings_dir: Path) -> None:
        self._folder = recordings_dir
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RecordingsBusyError(
                f"another recorder writes into {self._folder} (fuser {self._folder} names it); "
                "stop it, or give this one another recording.dir"
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(self, *exception: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
