"""Decides that one recorder alone writes a node's recordings."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_MODE = 0o600


class RecorderRunsError(Exception):
    """Another recorder has this data or these recordings; says which and what to do."""


@contextmanager
def recorder_lock(data_dir: Path, recordings_dir: Path) -> Iterator[None]:
    """Hold ``recorder.lock`` in ``data_dir``, and the folder of recordings, while inside.

    The folder too, because two nodes with data of their own could be given the same recordings.
    The kernel lets go of both when the process ends, however it ends.

    Raises:
        RecorderRunsError: another process holds one of them.
        OSError: it cannot be opened.
    """
    with ExitStack() as stack:
        for path, opened in (
            (data_dir, _open_file(data_dir / "recorder.lock")),
            (recordings_dir, os.open(recordings_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)),
        ):
            stack.callback(os.close, opened)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecorderRunsError(
                    f"another recorder works with {path}: give each node a data_dir and a "
                    "recording.dir of its own, or stop the other one (fuser -v "
                    f"{data_dir / 'recorder.lock'})"
                ) from None
        yield


def _open_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.ENOSPC, errno.EDQUOT}:
            raise
    # A disk that takes nothing still lets the file of an earlier start be locked.
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
