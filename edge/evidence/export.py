"""Makes an export: exact files, the part of the chain that tells of them, keys, a note to read.

The ZIP holds what a stranger needs to verify it offline, laid out as a recordings' folder is. Every
file is hashed as it goes in; one that no longer is what its signed entry says stops the export and
is named. Beside the ZIP lies its own hash, signed by the node. Nothing here needs the recorder or
an index: an export can be made of a copy on another machine as well.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contracts.evidence.entries import Deleted, Entry, Gap, Segment, TrackId, Witness, parse_entry
from contracts.evidence.exports import (
    EXPORT_FILE,
    SEAL_SUFFIX,
    ExportedTrack,
    ExportNote,
    ExportSeal,
)
from contracts.evidence.lines import LineError, canonical, sign_line, split_line
from contracts.units import Sha256Hex, UtcMs
from edge.evidence.places import Places, day_of
from runtime.signing import SigningKey

CHUNK_BYTES: Final = 1024 * 1024
ENTRIES_MAX: Final = 500_000  # a year of one track's entries; more is asked for by mistake
NOTE_FILE: Final = "README.txt"
WITNESS_FILE: Final = "witness.jsonl"
PART: Final = ".part"
DAY_MS: Final = 86_400_000  # a segment lies in the folder of the day it began on


class ExportError(Exception):
    """The export cannot be made; says why and what to do. Nothing is left behind."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export, for whom and why: it stands in the export for ever."""

    tracks: tuple[TrackId, ...]
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Made:
    """A finished export."""

    path: Path
    seal: Path
    sha256: Sha256Hex
    bytes: int
    segments: int
    left_out: int


@dataclass(slots=True)
class _Part:
    """What of one chain goes in: whole lines by day, and the files that they tell of."""

    track: TrackId
    lines: list[tuple[str, bytes, Entry]] = field(default_factory=list)
    files: list[tuple[Segment, Path, str]] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)


Progress = Callable[[int, int], None]
"""Bytes done, bytes in all."""


def make_export(
    recordings_dir: Path,
    wanted: Wanted,
    target: Path,
    *,
    key: SigningKey,
    made_utc_ms: UtcMs,
    progress: Progress | None = None,
) -> Made:
    """Write ``target`` (a ZIP that must not exist yet) and its seal beside it.

    Raises:
        ExportError: nothing lies in the interval, a file is not what its entry says, a name leads
            out of the folder, or ``target`` exists.
        OSError: something cannot be read or written; nothing is left behind.
    """
    if wanted.from_utc_ms >= wanted.to_utc_ms:
        raise ExportError("the interval ends before it begins; exchange --from and --to")
    if target.exists():
        raise ExportError(f"{target} exists already; name another file")
    places = Places(recordings_dir)
    parts = [part for track in wanted.tracks if (part := _part(places, track, wanted)) is not None]
    if not parts:
        raise ExportError(
            "nothing of these tracks lies in that interval; `zeroentry evidence list` says what is"
        )
    part_file = target.with_name(target.name + PART)
    try:
        note = _write(part_file, parts, wanted, places, made_utc_ms, progress or (lambda *_: None))
        sha256, size = _hash_of(part_file)
        seal = ExportSeal(
            site=note.site or "",
            node=note.node or "",
            file=target.name,
            bytes=size,
            sha256=sha256,
            made_utc_ms=made_utc_ms,
            by=wanted.by,
            reason=wanted.reason,
            key=key.id,
        )
        seal_file = target.with_name(target.name + SEAL_SUFFIX)
        seal_file.write_bytes(sign_line(seal, key.sign) + b"\n")
        os.link(part_file, target)  # refuses to replace what came there meanwhile
    finally:
        part_file.unlink(missing_ok=True)
    return Made(
        path=target,
        seal=seal_file,
        sha256=sha256,
        bytes=size,
        segments=sum(len(part.files) for part in parts),
        left_out=sum(len(part.left_out) for part in parts),
    )


def _part(places: Places, track: TrackId, wanted: Wanted) -> _Part | None:
    every = list(_lines(places, track, since=day_of(max(wanted.from_utc_ms - DAY_MS, 0))))
    if len(every) > ENTRIES_MAX:
        raise ExportError(f"{track}: more than {ENTRIES_MAX} entries; ask for a shorter interval")
    within = [index for index, (_, _, entry) in enumerate(every) if _touches(entry, wanted)]
    if not within:
        return None
    part = _Part(track, every[within[0] : within[-1] + 1])
    deleted = {
        file.number for _, _, entry in every if isinstance(entry, Deleted) for file in entry.files
    }
    for day, _, entry in part.lines:
        if not isinstance(entry, Segment):
            continue
        if entry.number in deleted or not _touches(entry, wanted):
            part.left_out.append(entry.number)
            continue
        path = places.segment(track, entry.file, entry.start.utc_ms, day)
        part.files.append((entry, path, path.parent.name))
    return part


def _lines(places: Places, track: TrackId, *, since: str) -> Iterator[tuple[str, bytes, Entry]]:
    """Lines of the days from ``since`` on: a deletion is told of later than its file."""
    for day in places.days(track):
        manifest = places.manifest(track, day)
        if day < since or not manifest.exists():
            continue
        for number, raw in enumerate(manifest.read_bytes().split(b"\n"), start=1):
            if not raw:
                continue
            try:
                _, entry = parse_entry(raw)
            except LineError as error:
                raise ExportError(
                    f"{manifest}, line {number}: {error}. Verify first: zeroentry evidence verify"
                ) from error
            yield day, raw, entry


def _touches(entry: Entry, wanted: Wanted) -> bool:
    if not isinstance(entry, Segment | Gap):
        return False
    begin = entry.start.utc_ms
    return begin < wanted.to_utc_ms and wanted.from_utc_ms < begin + entry.duration_ms


def _write(
    target: Path,
    parts: Sequence[_Part],
    wanted: Wanted,
    places: Places,
    made_utc_ms: UtcMs,
    progress: Progress,
) -> ExportNote:
    total = sum(entry.bytes for part in parts for entry, _, _ in part.files)
    done = 0
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
        extra: dict[str, Sha256Hex] = {}
        for part in parts:
            _write_lines(archive, part, places)
            for entry, path, day in part.files:
                _copy_in(archive, f"{part.track}/{day}/{entry.file}", path, entry)
                done += entry.bytes
                progress(done, total)
        for pem in sorted((places.root / "keys").glob("*.pem")):
            archive.writestr(f"keys/{pem.name}", pem.read_bytes())
        first = parts[0].lines[0][2]
        text = note_text(first.node, wanted).encode()
        archive.writestr(NOTE_FILE, text)
        extra[NOTE_FILE] = hashlib.sha256(text).hexdigest()
        note = ExportNote(
            site=first.site,
            node=first.node,
            from_utc_ms=wanted.from_utc_ms,
            to_utc_ms=wanted.to_utc_ms,
            made_utc_ms=made_utc_ms,
            by=wanted.by,
            reason=wanted.reason,
            tracks=tuple(_told(part) for part in parts),
            files=extra,
        )
        archive.writestr(EXPORT_FILE, canonical(note) + b"\n")
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return note


def _told(part: _Part) -> ExportedTrack:
    first, last = part.lines[0][2], part.lines[-1][2]
    return ExportedTrack(
        track=part.track,
        first=first.sequence,
        last=last.sequence,
        previous=first.previous,
        left_out=tuple(part.left_out),
    )


def _write_lines(archive: zipfile.ZipFile, part: _Part, places: Places) -> None:
    days: dict[str, list[bytes]] = {}
    for day, raw, _ in part.lines:
        days.setdefault(day, []).append(raw)
    range_ = range(part.lines[0][2].sequence, part.lines[-1][2].sequence + 1)
    for day, lines in days.items():
        archive.writestr(f"{part.track}/{day}/manifest.jsonl", b"\n".join(lines) + b"\n")
    for day in places.days(part.track):
        witness = places.manifest(part.track, day).with_name(WITNESS_FILE)
        if not witness.exists():
            continue
        kept = [raw for raw in witness.read_bytes().split(b"\n") if _speaks_of(raw, range_)]
        if kept:
            archive.writestr(f"{part.track}/{day}/{WITNESS_FILE}", b"\n".join(kept) + b"\n")


def _speaks_of(raw: bytes, entries: range) -> bool:
    with suppress(ValueError):
        return Witness.model_validate_json(split_line(raw).signed).sequence in entries
    return False


def _copy_in(archive: zipfile.ZipFile, name: str, path: Path, entry: Segment) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as sink:
            while block := source.read(CHUNK_BYTES):
                digest.update(block)
                sink.write(block)
    except FileNotFoundError as error:
        raise ExportError(
            f"{path} is missing, and no entry says that it was deleted. "
            "Verify the recordings: zeroentry evidence verify"
        ) from error
    if digest.hexdigest() != entry.sha256:
        raise ExportError(
            f"{path} is not what entry {entry.sequence} says: it was altered or damaged. "
            "Restore it from its copy (mirror or archive), or leave its time out"
        )


def _hash_of(path: Path) -> tuple[Sha256Hex, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def note_text(node: str, wanted: Wanted) -> str:
    """What a person reads who has only the ZIP, in both languages."""
    head = (
        "录像证据导出 / Export of recorded evidence\n"
        f"节点 / node: {node}\n"
        f"申请人 / for: {wanted.by}\n"
        f"事由 / reason: {wanted.reason}\n"
    )
    return f"{head}\n{NOTE_ZH}\n{NOTE_EN}"


NOTE_ZH: Final = """\
本压缩包内的视频文件与录制时逐字节一致，未经转码。
manifest.jsonl 的每一行都有节点的数字签名，并含上一行的哈希值；
witness.jsonl 是控制中心对各条目的联署。缺口及其原因也在其中。
验证（可离线）：
    zeroentry evidence verify 本文件.zip \\
        --node-key 节点公钥.pem --controller-key 中心公钥.pem
公钥应从颁发单位取得，不要只用本包 keys/ 内的公钥：
后者只能证明完整，不能证明来源。
仅用 openssl 与 sha256sum 的验证步骤，见产品文档 verify-by-hand。
"""

NOTE_EN: Final = """\
The video files in this ZIP are byte for byte what was recorded; nothing was re-encoded.
Each line of a manifest.jsonl is signed by the node and holds the hash of the line before
it; witness.jsonl holds the controller's countersignatures. Gaps and their reasons are
told there too. To verify, offline:
    zeroentry evidence verify THIS.zip \\
        --node-key NODE.pem --controller-key CONTROLLER.pem
Take the public keys from whoever issued this export, not from keys/ in here alone: those
prove that it is whole, not whose it is. The product's guide verify-by-hand does the same
with openssl and sha256sum only.
"""
