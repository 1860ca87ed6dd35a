"""Decides what a path is: a folder of recordings, one track, one day, or an export."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter, ValidationError

from contracts.evidence.entries import FileName, TrackId
from contracts.evidence.exports import EXPORT_FILE, ExportedTrack, ExportNote
from contracts.units import ID_PATTERN
from zeroentry.evidence.export_note import read_note
from zeroentry.evidence.findings import Finding, Kind
from zeroentry.evidence.tree import Sort, Tree, shown
from zeroentry.evidence.trust import KEYS_FOLDER

MANIFEST: Final = "manifest.jsonl"
WITNESS: Final = "witness.jsonl"
ASIDE: Final = re.compile(r"manifest\.damaged-[0-9]{1,9}|[a-z0-9_TZ-]{1,80}\.mp4\.unreadable")
WORKING: Final = re.compile(r"[a-z0-9_TZ.-]{1,90}\.(new|part)")
"""Copies that are being made, or were when the power went."""
OF_TRACK: Final = frozenset({"chain.json", "unfinished.json", ".probe"})
"""What the recorder keeps beside a track's days; all of it can be made again from them."""
MIRROR_MARK: Final = "zeroentry-mirror.txt"  # at the top of a copy on a second disk
DAY: Final = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
TRACK: Final = re.compile(ID_PATTERN)
LOST_AND_FOUND: Final = "lost+found"  # what mkfs puts at the top of a disk of its own

_FILE_NAME: Final[TypeAdapter[str]] = TypeAdapter(FileName)


class Extent(StrEnum):
    """How much of a site's recordings a path holds."""

    ALL = "all"
    """Every track of a node."""
    TRACK = "track"
    DAY = "day"
    """The chain begins and may go on elsewhere."""
    EXPORT = "export"
    """Parts of chains, as ``export.json`` says."""


@dataclass(frozen=True, slots=True)
class TrackPlace:
    """One track in a tree: its name (None: its entries say), and its days in order."""

    track: TrackId | None
    days: tuple[tuple[str, tuple[str, ...]], ...]
    """Each day and the folder in which it lies."""
    part: ExportedTrack | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to judge in a tree."""

    extent: Extent
    tracks: tuple[TrackPlace, ...]
    findings: tuple[Finding, ...] = ()
    note: ExportNote | None = None


def is_segment_name(name: str) -> bool:
    """Whether a name is one that segments have."""
    try:
        _FILE_NAME.validate_python(name)
    except ValidationError:
        return False
    return not name.endswith("\n")  # which a pattern's `$` lets pass


def number_in(name: str) -> int:
    """The file's number in a segment's name."""
    return int(name.rsplit("_", 2)[1])


def start_day_in(name: str) -> str:
    """The day of the start in a segment's name, as ``YYYY-MM-DD``."""
    digits = name.rsplit("_", 1)[1]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"


def find_places(tree: Tree, own_name: str) -> Places | None:
    """What a tree holds; ``own_name`` is that of its folder. None: no recordings.

    Raises:
        OSError: it cannot be read.
        ExportNoteError: there is an ``export.json`` that cannot be understood.
    """
    found = tree.listing()
    names = {entry.name: entry.sort for entry in found}
    if names.get(EXPORT_FILE) is Sort.FILE:
        return _export(tree)
    if MANIFEST in names and DAY.match(own_name):
        return Places(Extent.DAY, (TrackPlace(None, ((own_name, ()),), path=own_name),))
    if any(DAY.match(name) for name, sort in names.items() if sort is Sort.FOLDER):
        place, findings = _track(tree, (), None)  # whoever copied it may have renamed it
        return Places(Extent.TRACK, (place,), findings)
    return _all(tree, Extent.ALL, {})


def _export(tree: Tree) -> Places:
    note = read_note(tree)
    parts = {part.track: part for part in note.tracks}
    places = _all(tree, Extent.EXPORT, parts, frozenset((EXPORT_FILE, *note.files)))
    tracks = places.tracks if places is not None else ()
    findings = places.findings if places is not None else ()
    absent = tuple(
        TrackPlace(part.track, (), part, part.track)
        for part in note.tracks
        if part.track not in {place.track for place in tracks}
    )
    return Places(Extent.EXPORT, (*tracks, *absent), findings, note)


def _all(
    tree: Tree,
    extent: Extent,
    parts: dict[str, ExportedTrack],
    known_files: frozenset[str] = frozenset(),
) -> Places | None:
    tracks: list[TrackPlace] = []
    findings: list[Finding] = []
    for found in tree.listing():
        path = (found.name,)
        if found.sort is Sort.FOLDER and found.name in (KEYS_FOLDER, LOST_AND_FOUND):
            continue
        if found.sort is Sort.FOLDER and TRACK.fullmatch(found.name):
            place, more = _track(tree, path, found.name, parts.get(found.name))
            if place.days or place.part:
                tracks.append(place)
                findings += more
            else:
                findings.append(Finding(Kind.UNLISTED_FOLDER, shown(path)))
        elif found.sort is Sort.FOLDER:
            findings.append(Finding(Kind.UNLISTED_FOLDER, shown(path)))
        elif found.sort is Sort.OTHER:
            findings.append(Finding(Kind.NOT_A_FILE, shown(path)))
        elif found.name not in known_files and found.name != MIRROR_MARK:
            findings.append(Finding(Kind.UNLISTED_FILE, shown(path)))
    if not tracks:
        return None
    return Places(extent, tuple(tracks), tuple(findings))


def _track(
    tree: Tree, folder: tuple[str, ...], track: str | None, part: ExportedTrack | None = None
) -> tuple[TrackPlace, tuple[Finding, ...]]:
    days: list[tuple[str, tuple[str, ...]]] = []
    findings: list[Finding] = []
    for found in tree.listing(folder):
        path = (*folder, found.name)
        if found.sort is Sort.FOLDER and DAY.fullmatch(found.name):
            days.append((found.name, path))
        elif found.sort is Sort.FOLDER:
            findings.append(Finding(Kind.UNLISTED_FOLDER, shown(path)))
        elif found.sort is Sort.OTHER:
            findings.append(Finding(Kind.NOT_A_FILE, shown(path)))
        elif WORKING.fullmatch(found.name):
            findings.append(Finding(Kind.WORKING_FILE, shown(path)))
        elif found.name not in OF_TRACK:
            findings.append(Finding(Kind.UNLISTED_FILE, shown(path)))
    return TrackPlace(track, tuple(days), part, shown(folder)), tuple(findings)
