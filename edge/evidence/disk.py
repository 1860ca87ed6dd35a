"""Holds what evidence asks of a disk, and does it on a real one without ever leaving one folder.

Paths are relative to a root, parts joined by ``/``. Each part is opened on its own and never
through a link, so neither a name from outside nor a link that somebody put there leads out.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from contracts.evidence.entries import GapReason

FOLDER_MODE: Final = 0o750
FILE_MODE: Final = 0o640
PARTS_MAX: Final = 8  # track, day and file are three
_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Kind(StrEnum):
    """What a name in a folder stands for."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"
    """A link, a device: nothing of ours."""


@dataclass(frozen=True, slots=True)
class Named:
    """One name in a folder."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a disk, as a user without privileges has it."""

    free_bytes: int
    total_bytes: int


class OpenFile(Protocol):
    """A file that is open to grow at its end. Each method raises OSError when the disk refuses."""

    def write(self, data: bytes) -> None:
        """Append all of it; after an error a part may be there."""
        ...

    def truncate(self, size: int) -> None:
        """Cut off what lies beyond ``size``."""
        ...

    def sync_data(self) -> None:
        """Return when content and length survive a power cut."""
        ...

    def sync(self) -> None:
        """As ``sync_data``, with all that the disk knows of the file, but for its name."""
        ...

    def close(self) -> None:
        """Let go of it; nothing more is promised."""
        ...


class Disk(Protocol):
    """What evidence asks of a disk. Every method may block and may raise OSError."""

    def create(self, path: str, *, private: bool = False) -> OpenFile:
        """A new file; FileExistsError if there is one. ``private``: for this user alone."""
        ...

    def append(self, path: str) -> OpenFile:
        """A file that is there, open at its end."""
        ...

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end of the file."""
        ...

    def size(self, path: str) -> int:
        """Length of a file in bytes."""
        ...

    def names(self, folder: str) -> tuple[Named, ...]:
        """What is in a folder, by name; nothing if it is not there."""
        ...

    def make_folder(self, path: str) -> bool:
        """Make a folder inside one that is there; whether it is new."""
        ...

    def unlink(self, path: str) -> bool:
        """Take a file away; whether it was there."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Rename a file inside its folder, in place of what has the new name."""
        ...

    def sync_folder(self, path: str) -> None:
        """Return when the names in a folder survive a power cut; ``""`` is the root."""
        ...

    def mode(self, path: str) -> int:
        """Kind and permissions of a file, as ``st_mode``."""
        ...

    def space(self) -> Space:
        """Room on the disk."""
        ...


def gap_reason(error: OSError) -> GapReason:
    """What a gap is called that a disk's refusal makes."""
    if error.errno in _FULL:
        return GapReason.DISK_FULL
    if error.errno == errno.EROFS:
        return GapReason.DISK_READ_ONLY
    return GapReason.DISK_FAILED


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a relative path; none for the root.

    Raises:
        PermissionError: a part would lead elsewhere.
    """
    parts = tuple(path.split("/")) if path else ()
    bad = any(part in {"", ".", ".."} or "\0" in part for part in parts)
    if bad or len(parts) > PARTS_MAX:
        raise PermissionError(errno.EPERM, "leads out of the recordings' folder", path[:200])
    return parts


def write_whole(disk: Disk, path: str, content: bytes, *, private: bool = False) -> None:
    """Put a file in place of another, old or new content but never a part, and sync it all."""
    fresh = path + ".new"
    disk.unlink(fresh)
    file = disk.create(fresh, private=private)
    try:
        file.write(content)
        file.sync()
    finally:
        file.close()
    disk.rename(fresh, path)
    disk.sync_folder(path.rpartition("/")[0])


class LocalDisk:
    """A folder of this machine (``Disk``); made if it is not there.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, root: Path, *, folder_mode: int = FOLDER_MODE) -> None:
        self.root = root
        new = [folder for folder in (root, *root.parents) if not folder.exists()]
        root.mkdir(parents=True, exist_ok=True, mode=folder_mode)
        for folder in new:  # a synced file is lost if the name of a folder above it is
            _sync(folder.parent)

    def create(self, path: str, *, private: bool = False) -> OpenFile:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        return _LocalFile(self._open(path, flags, 0o600 if private else FILE_MODE))

    def append(self, path: str) -> OpenFile:
        return _LocalFile(self._open(path, os.O_WRONLY | os.O_APPEND))

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        descriptor = self._open(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            file.seek(offset)
            wanted = -1 if size is None else size
            found = bytearray()
            while wanted and (more := file.read(wanted)):
                found += more
                wanted -= len(more) if size is not None else 0
            return bytes(found)

    def size(self, path: str) -> int:
        return self._stat(path).st_size

    def mode(self, path: str) -> int:
        return self._stat(path).st_mode

    def names(self, folder: str) -> tuple[Named, ...]:
        try:
            with self._folder(parts_of(folder)) as descriptor, os.scandir(descriptor) as found:
                return tuple(sorted(map(_named, found), key=lambda item: item.name))
        except FileNotFoundError:
            return ()

    def make_folder(self, path: str) -> bool:
        *above, name = parts_of(path)
        with self._folder(tuple(above)) as parent:
            try:
                os.mkdir(name, FOLDER_MODE, dir_fd=parent)
            except FileExistsError:
                with self._folder((*above, name)):  # refuses a link or a file of that name
                    return False
        return True

    def unlink(self, path: str) -> bool:
        *above, name = parts_of(path)
        try:
            with self._folder(tuple(above)) as parent:
                os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return False
        return True

    def rename(self, old: str, new: str) -> None:
        *above, name = parts_of(old)
        *above_new, name_new = parts_of(new)
        if above != above_new:
            raise PermissionError(errno.EPERM, "renames inside one folder only", new[:200])
        with self._folder(tuple(above)) as parent:
            os.rename(name, name_new, src_dir_fd=parent, dst_dir_fd=parent)

    def sync_folder(self, path: str) -> None:
        with self._folder(parts_of(path)) as descriptor:
            os.fsync(descriptor)

    def space(self) -> Space:
        found = os.statvfs(self.root)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def _open(self, path: str, flags: int, mode: int = FILE_MODE) -> int:
        *above, name = parts_of(path)
        with self._folder(tuple(above)) as parent:
            try:
                # NONBLOCK: a pipe of that name would otherwise hold the thread for ever.
                found = os.open(name, flags | _OPEN | os.O_NONBLOCK, mode, dir_fd=parent)
            except OSError as error:
                raise self._told(error, path) from None
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            raise PermissionError(errno.EPERM, "is no regular file", str(self.root / path))
        return found

    def _stat(self, path: str) -> os.stat_result:
        *above, name = parts_of(path)
        with self._folder(tuple(above)) as parent:
            try:
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                raise self._told(error, path) from None

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of a folder below the root, reached through no link."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for index, part in enumerate(parts):
                try:
                    below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=descriptor)
                except OSError as error:
                    raise self._told(error, "/".join(parts[: index + 1])) from None
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def _told(self, error: OSError, path: str) -> OSError:
        """The same error with the whole path; a link in place of a folder is called one."""
        place = str(self.root / path)
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            return NotADirectoryError(
                errno.ENOTDIR, "a link or another thing lies where recordings do; move it", place
            )
        return OSError(error.errno, error.strerror, place)


class _LocalFile:
    """See ``OpenFile``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync_data(self) -> None:
        os.fdatasync(self._descriptor)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(entry: os.DirEntry[str]) -> Named:
    if entry.is_file(follow_symlinks=False):
        return Named(entry.name, Kind.FILE)
    if entry.is_dir(follow_symlinks=False):
        return Named(entry.name, Kind.FOLDER)
    return Named(entry.name, Kind.OTHER)
