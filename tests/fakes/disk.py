"""A disk in memory (``edge.evidence.disk.Disk``) that loses, at a power cut, what was not synced.

It can be full, read-only, failing or slow, and it can die before, in the middle of, or after any
of its operations.
"""

import errno
import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from edge.evidence.disk import FILE_MODE, Kind, Named, OpenFile, Space, parts_of

TOTAL_BYTES = 10 * 1024**3
TORN_BLOCK_BYTES = 64  # what one sector is to the small files of a test


class PlugPulled(BaseException):
    """The machine (or the process) has just died: no handler may turn this into anything else."""


class Fate(Enum):
    """What becomes, at a power cut, of what was not synced."""

    LOST = auto()
    """All of it."""
    PARTLY = auto()
    """Some bytes and some names made it."""
    TORN = auto()
    """Lengths and names made it, of the bytes some blocks are zeros."""
    KEPT = auto()
    """All made it: the machine was lucky, or only the process died."""


@dataclass(eq=False)
class Content:
    """One file: what programs see, and what a power cut leaves."""

    live: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    mode: int = FILE_MODE


@dataclass(eq=False)
class Folder:
    """One folder: names that programs see, and names that a power cut leaves."""

    live: "dict[str, Content | Folder]" = field(default_factory=dict)
    synced: "dict[str, Content | Folder]" = field(default_factory=dict)


class MemoryDisk:
    """See the module. Operations that change something are counted in ``operations``."""

    def __init__(self, root: Folder | None = None, *, total_bytes: int = TOTAL_BYTES) -> None:
        self.root = root or Folder()
        self.total_bytes = total_bytes
        self.read_only = False
        self.failing: frozenset[str] = frozenset()
        """Operations that end in EIO: ``write``, ``sync``, ``create``, ``read``, ..."""
        self.unreadable: frozenset[str] = frozenset()
        """Paths whose reading ends in EIO."""
        self.before: Callable[[str, str], None] = lambda operation, path: None
        """Called before each operation: what is slow here moves the clock, or waits."""
        self.before_change: Callable[[], None] = lambda: None
        """Called before each operation that changes something: what a crash there would leave."""
        self.operations = 0
        self.journal: list[tuple[str, str]] = []
        self._dies_at: int | None = None
        self.dead = False

    # How it dies.

    def die_at(self, operation: int) -> None:
        """Die in the so-manieth changing operation from now: it is half done, if it can be."""
        self._dies_at = self.operations + operation

    def after_power_cut(self, fate: Fate = Fate.LOST, seed: int = 0) -> "MemoryDisk":
        """The disk as the next start finds it."""
        rng = random.Random(seed)
        return MemoryDisk(_survivor(self.root, fate, rng, {}), total_bytes=self.total_bytes)

    def after_kill(self) -> "MemoryDisk":
        """The disk as a new process finds it: nothing unsynced is lost."""
        return self.after_power_cut(Fate.KEPT)

    @property
    def used_bytes(self) -> int:
        return sum(len(content.live) for _, content in _files(self.root, ""))

    def files(self) -> dict[str, bytes]:
        """Content of every file by path."""
        return {path: bytes(content.live) for path, content in _files(self.root, "")}

    def synced_bytes(self, path: str) -> int:
        """How much of a file a power cut would leave, names included."""
        return len(self.after_power_cut().files().get(path, b""))

    def put(self, path: str, content: bytes, mode: int = FILE_MODE) -> None:
        """Lay a file there behind everybody's back, synced."""
        folder = self.root
        *above, name = parts_of(path)
        for part in above:
            below = folder.live.setdefault(part, Folder())
            assert isinstance(below, Folder)
            folder.synced[part] = below
            folder = below
        folder.live[name] = folder.synced[name] = Content(bytearray(content), content, mode)

    # What it does (Disk).

    def create(self, path: str, *, private: bool = False) -> OpenFile:
        folder, name = self._place(path)
        with _Operation(self, "create", path):
            if name in folder.live:
                raise FileExistsError(errno.EEXIST, "File exists", path)
            content = Content(mode=0o600 if private else FILE_MODE)
            folder.live[name] = content
        return MemoryFile(self, content, path)

    def append(self, path: str) -> OpenFile:
        self._ask("open", path)
        self._refuse_if_read_only(path)
        return MemoryFile(self, self._content(path), path)

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        self._ask("read", path)
        if path in self.unreadable:
            raise OSError(errno.EIO, "Input/output error", path)
        end = None if size is None else offset + size
        return bytes(self._content(path).live[offset:end])

    def size(self, path: str) -> int:
        self._ask("size", path)
        return len(self._content(path).live)

    def mode(self, path: str) -> int:
        self._ask("mode", path)
        return stat.S_IFREG | self._content(path).mode

    def names(self, folder: str) -> tuple[Named, ...]:
        self._ask("names", folder)
        try:
            found = self._folder(parts_of(folder))
        except FileNotFoundError:
            return ()
        return tuple(
            Named(name, Kind.FOLDER if isinstance(below, Folder) else Kind.FILE)
            for name, below in sorted(found.live.items())
        )

    def make_folder(self, path: str) -> bool:
        folder, name = self._place(path)
        if isinstance(folder.live.get(name), Folder):
            self._ask("names", path)
            return False
        with _Operation(self, "make_folder", path):
            folder.live[name] = Folder()
        return True

    def unlink(self, path: str) -> bool:
        try:
            folder, name = self._place(path)
        except FileNotFoundError:
            return False
        if name not in folder.live:
            return False
        with _Operation(self, "unlink", path):
            del folder.live[name]
        return True

    def rename(self, old: str, new: str) -> None:
        folder, name = self._place(old)
        new_folder, new_name = self._place(new)
        assert folder is new_folder
        with _Operation(self, "rename", new):
            folder.live[new_name] = folder.live.pop(name)

    def sync_folder(self, path: str) -> None:
        folder = self._folder(parts_of(path))
        with _Operation(self, "sync_folder", path):
            folder.synced = dict(folder.live)

    def space(self) -> Space:
        self._ask("space", "")
        return Space(max(self.total_bytes - self.used_bytes, 0), self.total_bytes)

    # How it refuses.

    def _ask(self, operation: str, path: str) -> None:
        if self.dead:
            raise PlugPulled
        self.before(operation, path)
        if operation in self.failing:
            raise OSError(errno.EIO, "Input/output error", path)

    def _refuse_if_read_only(self, path: str) -> None:
        if self.read_only:
            raise OSError(errno.EROFS, "Read-only file system", path)

    def change(self, operation: str, path: str) -> bool:
        """Begin an operation that changes something; whether the disk dies in the middle of it."""
        self._ask(operation, path)
        self._refuse_if_read_only(path)
        self.before_change()
        self.operations += 1
        self.journal.append((operation, path))
        return self.operations == self._dies_at

    def room(self) -> int:
        """Bytes that still fit."""
        return max(self.total_bytes - self.used_bytes, 0)

    def _content(self, path: str) -> Content:
        folder, name = self._place(path)
        found = folder.live.get(name)
        if not isinstance(found, Content):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _place(self, path: str) -> tuple[Folder, str]:
        *above, name = parts_of(path)
        return self._folder(tuple(above)), name

    def _folder(self, parts: tuple[str, ...]) -> Folder:
        folder = self.root
        for part in parts:
            below = folder.live.get(part)
            if not isinstance(below, Folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/".join(parts))
            folder = below
        return folder


class MemoryFile:
    """See ``edge.evidence.disk.OpenFile``."""

    def __init__(self, disk: MemoryDisk, content: Content, path: str) -> None:
        self._disk = disk
        self._content = content
        self._path = path

    def write(self, data: bytes) -> None:
        dies = self._disk.change("write", self._path)
        room = self._disk.room()
        if dies:
            self._content.live += data[: min(room, len(data) // 2)]
            self._disk.dead = True
            raise PlugPulled
        self._content.live += data[:room]
        if room < len(data):
            raise OSError(errno.ENOSPC, "No space left on device", self._path)

    def truncate(self, size: int) -> None:
        with _Operation(self._disk, "truncate", self._path):
            del self._content.live[size:]

    def sync_data(self) -> None:
        self.sync()

    def sync(self) -> None:
        with _Operation(self._disk, "sync", self._path):
            self._content.synced = bytes(self._content.live)

    def close(self) -> None:
        if self._disk.dead:
            raise PlugPulled


class _Operation:
    """One change: if the disk dies in it, a coin of its number says whether it was done."""

    def __init__(self, disk: MemoryDisk, name: str, path: str) -> None:
        self._disk = disk
        self._dies = disk.change(name, path)

    def __enter__(self) -> None:
        if self._dies and self._disk.operations % 2:
            self._disk.dead = True
            raise PlugPulled

    def __exit__(self, *exception: object) -> None:
        if self._dies:
            self._disk.dead = True
            raise PlugPulled


def _files(folder: Folder, above: str) -> list[tuple[str, Content]]:
    found: list[tuple[str, Content]] = []
    for name, below in sorted(folder.live.items()):
        path = f"{above}{name}"
        if isinstance(below, Content):
            found.append((path, below))
        else:
            found += _files(below, path + "/")
    return found


def _survivor(folder: Folder, fate: Fate, rng: random.Random, seen: dict[int, Content]) -> Folder:
    names: dict[str, Content | Folder] = dict(folder.synced)
    if fate is not Fate.LOST:
        for name in sorted(folder.live.keys() | folder.synced.keys()):
            if fate is Fate.PARTLY and rng.random() < 0.5:
                continue
            if name in folder.live:
                names[name] = folder.live[name]
            else:
                del names[name]
    kept: dict[str, Content | Folder] = {}
    for name, below in sorted(names.items()):
        if isinstance(below, Folder):
            kept[name] = _survivor(below, fate, rng, seen)
        else:
            kept[name] = seen.setdefault(id(below), _left(below, fate, rng))
    return Folder(kept, dict(kept))


def _left(content: Content, fate: Fate, rng: random.Random) -> Content:
    live, synced = bytes(content.live), content.synced
    left = synced
    if fate is Fate.KEPT:
        left = live
    elif live.startswith(synced) and len(live) > len(synced):
        grown = live[len(synced) :]
        if fate is Fate.PARTLY:
            left = synced + grown[: rng.randrange(len(grown) + 1)]
        elif fate is Fate.TORN:
            left = synced + _torn(grown, rng)
    elif fate in {Fate.PARTLY, Fate.TORN} and rng.random() < 0.5:
        left = live
    return Content(bytearray(left), left, content.mode)


def _torn(grown: bytes, rng: random.Random) -> bytes:
    blocks = [grown[at : at + TORN_BLOCK_BYTES] for at in range(0, len(grown), TORN_BLOCK_BYTES)]
    return b"".join(bytes(len(block)) if rng.random() < 0.5 else block for block in blocks)
