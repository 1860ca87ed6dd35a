"""Decides what may be read of a folder or ZIP: plain files under plain names, no links."""

import os
import stat
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

SEPARATOR: Final = "/"
READ_ERRORS: Final = (OSError, zipfile.BadZipFile, zlib.error, EOFError)
"""What reading a file of a tree may raise."""


class Sort(StrEnum):
    """What a name leads to."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"
    """A link, a device, or a name that is there twice: never opened."""


@dataclass(frozen=True, slots=True)
class Found:
    """One name in a folder."""

    name: str
    sort: Sort
    bytes: int = 0


class Tree(Protocol):
    """A folder to read from. A folder inside it is the tuple of names that leads there."""

    def listing(self, folder: tuple[str, ...] = ()) -> tuple[Found, ...]:
        """What is in a folder, by name; empty if there is none. OSError: unreadable."""
        ...

    def open(self, path: tuple[str, ...]) -> BinaryIO:
        """A plain file for reading, unbuffered where possible. OSError: it cannot be."""
        ...


class FolderTree:
    """A folder on disk; links in it are neither followed nor opened."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def listing(self, folder: tuple[str, ...] = ()) -> tuple[Found, ...]:
        try:
            with os.scandir(self._root.joinpath(*folder)) as entries:
                return tuple(sorted(map(_found, entries), key=lambda found: found.name))
        except FileNotFoundError:
            return ()

    def open(self, path: tuple[str, ...]) -> BinaryIO:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._root.joinpath(*path), flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{SEPARATOR.join(path)} is no plain file")
        return os.fdopen(descriptor, "rb", buffering=0)


def _found(entry: "os.DirEntry[str]") -> Found:
    if entry.is_dir(follow_symlinks=False):
        return Found(entry.name, Sort.FOLDER)
    if entry.is_file(follow_symlinks=False):
        return Found(entry.name, Sort.FILE, entry.stat(follow_symlinks=False).st_size)
    return Found(entry.name, Sort.OTHER)


class ZipTree:
    """A ZIP, read in place: nothing is unpacked, so no name in it can lead anywhere."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        infos = [info for info in archive.infolist() if not info.is_dir()]
        twice = {name for name, count in Counter(i.filename for i in infos).items() if count > 1}
        self._folders: dict[tuple[str, ...], dict[str, Found]] = {(): {}}
        for info in infos:
            path = tuple(info.filename.split(SEPARATOR))
            link = stat.S_ISLNK(info.external_attr >> 16)
            odd = link or info.filename in twice or any(part in ("", ".", "..") for part in path)
            self._add(path, Sort.OTHER if odd else Sort.FILE, info.file_size)

    def _add(self, path: tuple[str, ...], sort: Sort, size: int) -> None:
        for depth in range(1, len(path)):
            above, name = path[: depth - 1], path[depth - 1]
            self._folders.setdefault(above, {}).setdefault(name, Found(name, Sort.FOLDER))
        beside = self._folders.setdefault(path[:-1], {})
        if path[-1] in beside:  # a file and a folder under one name
            sort = Sort.OTHER
        beside[path[-1]] = Found(path[-1], sort, size)

    def listing(self, folder: tuple[str, ...] = ()) -> tuple[Found, ...]:
        names = self._folders.get(folder, {})
        return tuple(names[name] for name in sorted(names))

    def open(self, path: tuple[str, ...]) -> BinaryIO:
        try:
            opened = self._archive.open(SEPARATOR.join(path))
        # What zipfile raises for a name that is not there, an encrypted member, a compression that
        # it does not know, and a damaged archive: to us all of them are files that cannot be read.
        except (KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise OSError(f"{SEPARATOR.join(path)}: {error}") from error
        return cast("BinaryIO", opened)


def shown(path: tuple[str, ...]) -> str:
    """A path as it is printed: what no terminal can show is escaped."""
    text = SEPARATOR.join(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
