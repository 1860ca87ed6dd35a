"""Writes the ZIP of a retrieval: chains, keys, recordings or watermarked video, and notes to read.

It is laid out as a node's own export is, so that ``zeroentry evidence verify`` judges it too. It is
written beside its place and moved there whole: half a package never exists under its name.
"""

import asyncio
import hashlib
import os
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

from contracts.api.retrieval import RetrievalForm
from contracts.evidence.entries import Segment, parse_entry
from contracts.evidence.exports import EXPORT_FILE, ExportedCut, ExportedTrack, ExportNote
from contracts.evidence.lines import canonical
from contracts.units import CameraId, NodeId, RoomId, SiteId, UtcMs
from controller.core.outputs import FileEntry
from controller.core.retrievals import Retrieval, view

NOTE_FILE: Final = "README.txt"
REQUEST_FILE: Final = "request.json"
PART: Final = ".part"
CONTROLLER: Final = "controller"


@dataclass(slots=True)
class TrackPart:
    """What of one track goes in: its entries without a hole, and which files of them."""

    track: CameraId
    room_id: RoomId
    node_id: NodeId
    entries: tuple[FileEntry, ...]
    wanted: tuple[Segment, ...]
    left_out: list[int] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    cuts: list[ExportedCut] = field(default_factory=list)


class PackageZip:
    """One package under way. ``close`` or ``discard`` ends it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + PART)
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._part.unlink(missing_ok=True)
        self._archive = zipfile.ZipFile(self._part, "x", zipfile.ZIP_STORED, allowZip64=True)
        self.files: dict[str, str] = {}

    @property
    def folder(self) -> Path:
        """Where it is being written: what belongs to it for a while goes there, too."""
        return self._part.parent

    async def stream(self, name: str, chunks: AsyncIterator[bytes], *, listed: bool) -> str:
        """Copy a file in as it comes; its SHA-256 out. ``listed``: ``export.json`` names it."""
        digest = hashlib.sha256()
        sink = self._archive.open(name, "w", force_zip64=True)
        try:
            async for chunk in chunks:
                digest.update(chunk)
                await asyncio.to_thread(sink.write, chunk)
        finally:
            sink.close()
        if listed:
            self.files[name] = digest.hexdigest()
        return digest.hexdigest()

    def text(self, name: str, data: bytes, *, listed: bool) -> None:
        """Put a small file in."""
        self._archive.writestr(name, data)
        if listed:
            self.files[name] = hashlib.sha256(data).hexdigest()

    def close(self) -> tuple[str, int]:
        """Put the package in its place; SHA-256 and size out. Blocks."""
        self._archive.close()
        with self._part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        size = self._part.stat().st_size
        self._part.rename(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return sha256, size

    def discard(self) -> None:
        """Leave nothing behind. Blocks."""
        self._archive.close()
        self._part.unlink(missing_ok=True)


def put_chain(package: PackageZip, part: TrackPart) -> None:
    """Put the lines of a track in, and the controller's countersignature of each."""
    manifest: dict[str, list[str]] = {}
    witness: dict[str, list[str]] = {}
    for row in part.entries:
        day = day_of(row.recorded_utc_ms)
        manifest.setdefault(day, []).append(row.line)
        if row.witness:
            witness.setdefault(day, []).append(row.witness)
    for name, lines in (("manifest.jsonl", manifest), ("witness.jsonl", witness)):
        for day, rows in lines.items():
            content = "".join(f"{row}\n" for row in rows).encode()
            package.text(f"{part.track}/{day}/{name}", content, listed=False)


def put_notes(
    package: PackageZip,
    row: Retrieval,
    parts: Sequence[TrackPart],
    site: SiteId,
    made_utc_ms: UtcMs,
) -> None:
    """Put in who asked and why, what to read first, and what the package says of itself."""
    request = view(row).model_dump_json(indent=1, exclude={"progress", "views", "note"})
    package.text(REQUEST_FILE, request.encode() + b"\n", listed=True)
    package.text(NOTE_FILE, note_text(row, parts).encode(), listed=True)
    told = tuple(_told(part) for part in parts if part.entries)
    note = ExportNote(
        site=site,
        node=None,
        from_utc_ms=row.body.from_utc_ms,
        to_utc_ms=row.body.to_utc_ms,
        made_utc_ms=made_utc_ms,
        by=row.asked_by,
        reason=row.body.reason,
        tracks=told,
        files=dict(package.files),
        cuts=tuple(cut for part in parts for cut in part.cuts),
    )
    package.text(EXPORT_FILE, canonical(note) + b"\n", listed=False)


def _told(part: TrackPart) -> ExportedTrack:
    _, first = parse_entry(part.entries[0].line.encode())
    return ExportedTrack(
        track=part.track,
        first=part.entries[0].sequence,
        last=part.entries[-1].sequence,
        previous=first.previous,
        left_out=tuple(part.left_out),
    )


def day_of(utc_ms: int) -> str:
    """The UTC day of an instant, as its folder is called."""
    return datetime.fromtimestamp(utc_ms / 1_000, UTC).date().isoformat()


def folder_of(entry: Segment) -> str:
    """The folder of a segment: the day in its name."""
    digits = entry.file.rsplit("_", 1)[1]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"


def name_of(part: TrackPart, entry: Segment) -> str:
    """Where a whole file lies in a package, as in a recordings' folder."""
    return f"{part.track}/{folder_of(entry)}/{entry.file}"


def _iso(utc_ms: int) -> str:
    return f"{datetime.fromtimestamp(utc_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def note_text(row: Retrieval, parts: Sequence[TrackPart]) -> str:
    """What a person reads who has only the package, in both languages."""
    body = row.body
    behalf = f" ({body.on_behalf_of})" if body.on_behalf_of else ""
    gaps = [f"  {part.track}: {text}" for part in parts for text in part.gaps]
    head = (
        "录像调阅 / Retrieval of recordings\n"
        f"编号 / number: {row.number} ({row.id})\n"
        f"申请人 / asked by: {row.asked_by}{behalf}\n"
        f"事由 / reason: {body.reason}\n"
        f"审批人 / approved by: {row.decided_by}: {row.decision}\n"
        f"时段 / interval: {_iso(body.from_utc_ms)} – {_iso(body.to_utc_ms)}\n"
        f"摄像机 / cameras: {', '.join(body.cameras)}\n"
        "缺失 / not recorded in the interval:\n"
        + ("\n".join(gaps) if gaps else "  无 / none")
        + "\n\n"
    )
    match body.form:
        case RetrievalForm.EXACT:
            said = EXACT_ZH + EXACT_EN
        case RetrievalForm.WHOLE:
            said = WHOLE_ZH + WHOLE_EN
        case RetrievalForm.WATERMARKED:
            said = MARKED_ZH + MARKED_EN
        case never:
            assert_never(never)
    return head + said + VERIFY


EXACT_ZH: Final = """\
形式：所申请时段的原件。中间的文件为录制时的整段；首尾两段在关键帧处裁切（文件名以 _cut.mp4 结尾），
均未转码，每一字节都取自录制文件。export.json 的 cuts 写明裁切件取自哪个文件的哪些字节，
以及该文件的哈希值；制作前控制中心已核对该文件与节点签名的条目一致，并以封条对整个压缩包签名。
manifest.jsonl 的每一行有录像节点的数字签名并含上一行的哈希值，witness.jsonl 是控制中心的联署。
持有原文件者可逐字节比对：
    zeroentry evidence verify PACKAGE.zip --sources 录像文件夹
文件内含现场声音。
"""
EXACT_EN: Final = """\
Form: exact, the interval that was asked for. Files in its middle are whole, as they were
written; the first and the last were cut at key frames (their names end in _cut.mp4). Nothing was
re-encoded: each byte is one of a recorded file. cuts in export.json says which bytes of which file,
and what the whole file hashes to; before cutting, the controller checked that file against the
entry that the recording node signed, and its seal signs this whole ZIP. Each line of a
manifest.jsonl is signed by the recording node and holds the hash of the line before it;
witness.jsonl holds the controller's countersignatures. Whoever holds the recordings
compares the cuts byte for byte:
    zeroentry evidence verify PACKAGE.zip --sources RECORDINGS
The files hold the sound of the room.

"""
WHOLE_ZH: Final = """\
形式：整段原件。视频文件与录制时逐字节一致，未经转码；每个文件为录制时的整段（通常一分钟），
因此首尾会略超出上述时段。manifest.jsonl 的每一行有录像节点的数字签名并含上一行的哈希值，
witness.jsonl 是控制中心的联署。文件内含现场声音。
"""
WHOLE_EN: Final = """\
Form: whole files. The video files are byte for byte what was recorded, whole as they were written
(a minute each as a rule), so they begin and end a little outside of the interval. Each line of a
manifest.jsonl is signed by the recording node and holds the hash of the line before it;
witness.jsonl holds the controller's countersignatures. The files hold the sound of the room.

"""
MARKED_ZH: Final = """\
形式：带水印的观看件。画面已重新编码并烧录申请人与申请编号，不含声音；它本身不是原始证据。
manifest.jsonl 与 witness.jsonl 说明所依据的原件及其哈希值；需要原件请另行申请。
"""
MARKED_EN: Final = """\
Form: watermarked. The pictures were encoded anew, with the applicant and the number of the request
burnt in, and without sound: for looking at, no original. manifest.jsonl and witness.jsonl tell of
the originals and their hashes; ask for exact files where these are needed.

"""
VERIFY: Final = """\
验证（可离线） / To verify, offline:
    zeroentry evidence verify PACKAGE.zip --node-key NODE.pem --controller-key CONTROLLER.pem
PACKAGE.zip.seal.json 由控制中心签名，含本压缩包的 SHA-256。
It is signed by the controller and holds the SHA-256 of this ZIP.
公钥应从颁发单位取得，不要只用本包 keys/ 内的公钥。
Take the public keys from whoever issued this package, not from keys/ in here alone.
仅用 openssl 与 sha256sum 的步骤见产品文档 / With openssl and sha256sum only: the product's guides
verify-by-hand and retrieval.
"""
