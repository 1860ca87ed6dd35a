"""Decides where recordings lie, and that no name from outside leads out of their folder."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from contracts.evidence.entries import TrackId
from contracts.units import ID_PATTERN, UtcMs

MANIFEST: Final = "manifest.jsonl"
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FILE: Final = re.compile(
    r"(?P<track>[a-z0-9][a-z0-9-]{0,39})_(?P<number>[0-9]{8})_"
    r"(?P<start>[0-9]{8}T[0-9]{6}Z)\.mp4"
)
_TRACK: Final = re.compile(ID_PATTERN)
BOX_HEAD_BYTES: Final = 8
BOX_LONG_HEAD_BYTES: Final = 16  # a 64-bit size follows the kind


class OutsideError(Exception):
    """A name that leads out of the recordings' folder, or could; names what it was."""


def number_of(name: str) -> int:
    """The number in a segment's name.

    Raises:
        OutsideError: it is no segment's name.
    """
    return int(_parts(name)["number"])


def file_start_utc_ms(name: str) -> UtcMs:
    """The start in a segment's name, to the second.

    Raises:
        OutsideError: it is no segment's name.
    """
    begun = _parts(name)["start"]
    try:
        start = datetime.strptime(begun, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise OutsideError(f"{name[:80]!r} names no time") from None
    return UtcMs(int(start.timestamp()) * 1000)


def _parts(name: str) -> re.Match[str]:
    found = FILE.fullmatch(name)
    if found is None:
        raise OutsideError(f"{name[:80]!r} is not the name of a segment")
    return found


def day_of(utc_ms: int) -> str:
    """The UTC day of an instant, as its folder is called.

    Raises:
        OutsideError: no calendar has it.
    """
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=utc_ms)).date().isoformat()
    except OverflowError:
        raise OutsideError(f"{utc_ms} ms is no time of ours") from None


class Places:
    """The folder of recordings: ``TRACK/DAY/manifest.jsonl`` and segments beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def tracks(self) -> list[TrackId]:
        """Folders that may be tracks, by name; empty while there is no folder."""
        try:
            with os.scandir(self.root) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if _TRACK.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []

    def folder_mtime_ns(self, track_id: TrackId) -> int | None:
        """When a track's folder last gained or lost a day; None: it is not there."""
        try:
            return self._track(track_id).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def days(self, track_id: TrackId) -> list[str]:
        """Days of a track, oldest first."""
        try:
            with os.scandir(self._track(track_id)) as entries:
                return sorted(entry.name for entry in entries if DAY.fullmatch(entry.name))
        except FileNotFoundError:
            return []

    def manifest(self, track_id: TrackId, day: str) -> Path:
        """The manifest of a day, there or not."""
        return self._inside(track_id, day, MANIFEST)

    def segment(self, track_id: TrackId, name: str, start_utc_ms: int, ended_day: str) -> Path:
        """The file ``name``, whose folder is of the day it began on; it may be gone.

        A clock that was stepped back does not reopen an earlier day, so the folder may be of any
        day from the start's to that of the manifest which tells of the file.

        Raises:
            OutsideError: a name leads out of the folder, or the file is of another track.
        """
        if _parts(name)["track"] != track_id:
            raise OutsideError(f"{name} is not of track {track_id}")
        began = day_of(start_utc_ms)
        first = self._inside(track_id, began, name)
        if first.exists():
            return first
        for day in (ended_day, *self.days(track_id)):
            path = self._inside(track_id, day, name)
            if path.exists():
                return path
        return first

    def files_above(self, track_id: TrackId, number: int) -> list[Path]:
        """Files of the last two days with a higher number, by number.

        Raises:
            OutsideError: the track's name leads out of the folder.
        """
        found: dict[int, Path] = {}
        for day in self.days(track_id)[-2:]:
            for path in self._inside(track_id, day).iterdir():
                parts = FILE.fullmatch(path.name)
                if parts and parts["track"] == track_id and int(parts["number"]) > number:
                    found[int(parts["number"])] = path
        return [found[key] for key in sorted(found)]

    def _track(self, track_id: str) -> Path:
        if not _TRACK.fullmatch(track_id):
            raise OutsideError(f"{track_id[:80]!r} is not the name of a track")
        return self.root / track_id

    def _inside(self, track_id: str, day: str, name: str | None = None) -> Path:
        folder = self._track(track_id)
        if not DAY.fullmatch(day):
            raise OutsideError(f"{day[:80]!r} is not a day")
        path = folder / day / name if name else folder / day
        root = self.root.resolve()
        # A link that somebody put there must not lead out either.
        if not path.resolve().is_relative_to(root):
            raise OutsideError(f"{path} leads out of {root}")
        return path


def whole_bytes(path: Path) -> int:
    """Bytes of a growing fragmented MP4 up to the end of its last whole fragment.

    Zero while its head (``moov``) is not whole.

    Raises:
        OSError: it cannot be read.
    """
    whole = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for kind, end in _boxes(file, size):
            if kind in {b"moov", b"mdat"}:
                whole = end
    return whole


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each whole box at the top of a file."""
    at = 0
    while at + BOX_HEAD_BYTES <= size:
        file.seek(at)
        head = file.read(BOX_LONG_HEAD_BYTES)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == BOX_LONG_HEAD_BYTES:
            length = int.from_bytes(head[8:16], "big")
        if length < BOX_HEAD_BYTES or at + length > size:
            return
        at += length
        yield kind, at
