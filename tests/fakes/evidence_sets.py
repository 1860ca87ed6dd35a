"""Makes recordings' folders as a node leaves them, with real keys: what verifying is tried on.

Nothing of the product's writing side is used: the lines are signed here, the files are written
here, so that a mistake of the writer cannot be a mistake of the tests as well.
"""

import base64
import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from contracts.evidence.chain import handover_proof
from contracts.evidence.entries import (
    NOTHING,
    At,
    Changed,
    ClockSource,
    ClockState,
    Deleted,
    DeletedFile,
    Ending,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Held,
    Kept,
    Lifted,
    Media,
    Opened,
    Released,
    Root,
    Sealed,
    Segment,
    Witness,
)
from contracts.evidence.lines import sign_line
from contracts.evidence.merkle import root as merkle_root
from contracts.units import MonoMs, UtcMs
from runtime.signing import SigningKey, public_key_name

SITE: Final = "demo"
NODE: Final = "edge-1"
FIRST_DAY_MS: Final = 1_795_305_600_000  # 2026-11-22T00:00:00Z
DAY_MS: Final = 86_400_000
SEGMENT_MS: Final = 60_000
BOOT: Final = "11111111-2222-4333-8444-555555555555"


@dataclass(slots=True)
class FilePlace:
    """A segment that was written: what an alteration needs to know of it."""

    path: Path
    number: int
    sequence: int
    deleted: bool = False


@dataclass(slots=True)
class TrackWritten:
    """One track as it lies on disk."""

    track: str
    lines: list[tuple[Path, bytes, Entry]] = field(default_factory=list)
    files: list[FilePlace] = field(default_factory=list)
    unfinished: Path | None = None

    def manifest_of(self, sequence: int) -> Path:
        return self.lines[sequence - 1][0]

    @property
    def present(self) -> list[FilePlace]:
        return [file for file in self.files if not file.deleted]


@dataclass(slots=True)
class EvidenceSet:
    """A recordings' folder with what a stranger is given beside it."""

    root: Path
    node_keys: Path
    """Folder with the node's first public key: the one that was handed to the stranger."""
    controller_key: Path
    heads: Path
    tracks: dict[str, TrackWritten]
    keys: tuple[SigningKey, SigningKey]
    controller: SigningKey


@dataclass(frozen=True, slots=True)
class Size:
    """How much to write. ``segment_bytes`` varies by a quarter; ``day_segments`` at least 4."""

    tracks: int = 2
    days: int = 3
    day_segments: int = 5
    segment_bytes: int = 600
    alike: bool = False
    """All segments hold one random block but for their number: quicker to make, as long to hash."""


class _Writer:
    """One chain being written: the disk's side of a recorder, without its care."""

    def __init__(
        self, root: Path, track: str, keys: tuple[SigningKey, SigningKey], controller: SigningKey
    ) -> None:
        self.written = TrackWritten(track)
        self.witnesses: list[bytes] = []
        self._root = root
        self._keys = keys
        self._key = keys[0]
        self._controller = controller
        self._previous = NOTHING
        self._day = ""
        self._open_day = ""
        self._number = 0
        self.now_ms = FIRST_DAY_MS

    def at(self, utc_ms: int | None = None) -> At:
        moment = self.now_ms if utc_ms is None else utc_ms
        return At(utc_ms=UtcMs(moment), mono_ms=MonoMs(moment - FIRST_DAY_MS + 5_000), boot_id=BOOT)

    def base(self) -> dict[str, object]:
        return {
            "key": self._key.id,
            "site": SITE,
            "node": NODE,
            "track": self.written.track,
            "sequence": len(self.written.lines) + 1,
            "previous": self._previous,
            "recorded": self.at(),
            "clock": ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.25, error_max_ms=12.5),
        }

    def folder(self, utc_ms: int) -> Path:
        today = datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%Y-%m-%d")
        self._day = self._open_day or max(self._day, today)
        folder = self._root / self.written.track / self._day
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def append(self, entry: Entry) -> None:
        line = sign_line(entry, self._key.sign)
        folder = self.folder(self.now_ms)
        manifest = folder / "manifest.jsonl"
        with manifest.open("ab") as file:
            file.write(line + b"\n")
        self._previous = hashlib.sha256(line).hexdigest()
        self.written.lines.append((manifest, line, entry))
        self.now_ms += 40
        witness = Witness(
            site=SITE,
            node=NODE,
            track=self.written.track,
            sequence=entry.sequence,
            entry_sha256=self._previous,
            entry_key=entry.key,
            witnessed_utc_ms=UtcMs(self.now_ms),
            key=self._controller.id,
        )
        witness_line = sign_line(witness, self._controller.sign)
        self.witnesses.append(witness_line)
        with (folder / "witness.jsonl").open("ab") as file:
            file.write(witness_line + b"\n")

    def opened(self) -> None:
        public = base64.b64encode(self._key.public_raw).decode()
        self.append(Opened.model_validate({**self.base(), "version": "0.1", "public_key": public}))

    def gap(self, reason: GapReason, duration_ms: int, *, ended: bool) -> None:
        start = self.at()
        self.now_ms += duration_ms
        more = {"reason": reason, "start": start, "duration_ms": duration_ms, "ended": ended}
        self.append(Gap.model_validate({**self.base(), **more}))

    def file(self, data: bytes) -> Path:
        self._number += 1
        stamp = datetime.fromtimestamp(self.now_ms // 1000, UTC)
        name = f"{self.written.track}_{self._number:08d}_{stamp:%Y%m%dT%H%M%SZ}.mp4"
        path = self.folder(self.now_ms) / name
        path.write_bytes(data)
        return path

    def segment(self, data: bytes, ending: Ending = Ending.FULL) -> None:
        start = self.at()
        path = self.file(data)
        self._open_day = path.parent.name  # the chain stays in the day of the open file
        self.now_ms += SEGMENT_MS
        more = {
            "number": self._number,
            "file": path.name,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "start": start,
            "duration_ms": SEGMENT_MS,
            "media": Media(video="h264", audio="aac", width=1920, height=1080, rate_hz=48_000),
            "video_packets": 1500,
            "audio_packets": 2812,
            "sound_offset_ms": 35,
            "ending": ending,
        }
        entry = Segment.model_validate({**self.base(), **more})
        self.append(entry)
        self._open_day = ""
        self.written.files.append(FilePlace(path, self._number, entry.sequence))

    def delete(self, count: int) -> None:
        gone = self.written.present[:count]
        hashes = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in gone]
        rows = tuple(
            DeletedFile(number=file.number, sha256=sha256)
            for file, sha256 in zip(gone, hashes, strict=True)
        )
        more = {"request_id": "d1", "files": rows, "reason": "expired", "by": "retention"}
        self.append(Deleted.model_validate({**self.base(), **more}))
        for file in gone:
            file.path.unlink()
            file.deleted = True

    def hand_over(self) -> None:
        old, new = self._keys
        more = {
            "request_id": "k1",
            "new_key": new.id,
            "new_public_key": base64.b64encode(new.public_raw).decode(),
            "proof": base64.b64encode(new.sign(handover_proof(old.id, new.id))).decode(),
        }
        self.append(HandedOver.model_validate({**self.base(), **more}))
        self._key = new


def write_set(folder: Path, *, seed: int = 1, size: Size = Size()) -> EvidenceSet:
    """Write a set below ``folder``: ``recordings`` and, beside it, what a stranger is given."""
    chance = random.Random(seed)
    keys = (SigningKey.generate(), SigningKey.generate())
    controller = SigningKey.generate()
    root = folder / "recordings"
    tracks: dict[str, TrackWritten] = {}
    heads: list[bytes] = []
    roots: list[bytes] = []
    for number in range(1, size.tracks + 1):
        track = f"room-{number}-cam"
        writer = _Writer(root, track, keys, controller)
        _play(writer, chance, size)
        tracks[track] = writer.written
        heads += writer.witnesses
    roots = _roots(heads, controller)
    given = folder / "given"
    (given / "node").mkdir(parents=True)
    (given / "node" / public_key_name(keys[0].id)).write_bytes(keys[0].public_pem())
    (given / "controller.pem").write_bytes(controller.public_pem())
    (given / "heads.jsonl").write_bytes(b"".join(line + b"\n" for line in heads + roots))
    (root / "keys").mkdir()
    for key in keys:
        (root / "keys" / public_key_name(key.id)).write_bytes(key.public_pem())
    return EvidenceSet(
        root=root,
        node_keys=given / "node",
        controller_key=given / "controller.pem",
        heads=given / "heads.jsonl",
        tracks=tracks,
        keys=keys,
        controller=controller,
    )


def _roots(heads: list[bytes], controller: SigningKey) -> list[bytes]:
    roots: list[bytes] = []
    previous = NOTHING
    for number, upto in enumerate((len(heads) // 2, len(heads)), start=1):
        root = Root(
            site=SITE,
            number=number,
            previous=previous,
            heads=upto,
            root=merkle_root(heads[:upto]).hex(),
            utc_ms=UtcMs(FIRST_DAY_MS + number * 3_600_000),
            key=controller.id,
        )
        roots.append(sign_line(root, controller.sign))
        previous = hashlib.sha256(roots[-1]).hexdigest()
    return roots


def _play(writer: _Writer, chance: random.Random, size: Size) -> None:
    """What happens to one track: several days with everything that a chain can say."""

    block = chance.randbytes(size.segment_bytes * 5 // 4) if size.alike else b""

    def media() -> bytes:
        length = size.segment_bytes + chance.randrange(max(1, size.segment_bytes // 4))
        if not size.alike:
            return chance.randbytes(length)
        return len(writer.written.files).to_bytes(8, "big") + block[8:length]

    writer.now_ms = FIRST_DAY_MS + 8 * 3_600_000 + chance.randrange(1_000)
    writer.opened()
    writer.gap(GapReason.STARTING, 1_200, ended=True)
    for day in range(size.days):
        for index in range(size.day_segments):
            writer.segment(media())
            if index == 1:
                _incident(writer, day)
        if day == 0:
            writer.gap(GapReason.CAMERA_OFFLINE, 60_000, ended=False)
            writer.gap(GapReason.CAMERA_OFFLINE, 23_000, ended=True)
        # The last segment of a day ends on the next; file and entry lie in the day it began on.
        writer.now_ms = FIRST_DAY_MS + (day + 1) * DAY_MS - 20_000
        writer.segment(media(), Ending.STREAM_CHANGED)
    writer.gap(GapReason.CAMERA_SILENT, 2_500, ended=True)
    writer.written.unfinished = writer.file(media())
    _beside(writer)


def _beside(writer: _Writer) -> None:
    """What a recorder leaves beside the evidence."""
    folder = writer.folder(writer.now_ms)
    (folder.parent / "chain.json").write_text("{}")
    (folder.parent / "unfinished.json").write_text("{}")
    (folder / "manifest.damaged-1").write_bytes(b'{"v":1,"hash":"sha')


def _incident(writer: _Writer, day: int) -> None:
    base = writer.base
    session = {"request_id": f"r{day}", "session_id": "s-1"}
    if day == 0:
        more = {"admitted": 5, "keep_days": 5_479, "frozen": {"rules": "ab" * 32}}
        writer.append(Sealed.model_validate({**base(), **session, **more}))
        hold = {"request_id": "h1", "hold_id": "case-7", "reason": "court 庭", "by": "chen"}
        span = {"from_utc_ms": FIRST_DAY_MS, "to_utc_ms": FIRST_DAY_MS + DAY_MS}
        writer.append(Held.model_validate({**base(), **hold, **span}))
    elif day == 1:
        writer.append(Released.model_validate({**base(), **session}))
        writer.append(Changed.model_validate({**base(), "what": "stopped"}))
        writer.opened()
        writer.gap(GapReason.RECORDER_STOPPED, 4_000, ended=True)
        writer.hand_over()
        writer.opened()
        lift = {"request_id": "h2", "hold_id": "case-7", "reason": "closed", "by": "chen"}
        writer.append(Lifted.model_validate({**base(), **lift}))
    else:
        span = {"from_utc_ms": FIRST_DAY_MS, "keep_until_utc_ms": FIRST_DAY_MS + 9 * DAY_MS}
        writer.append(Kept.model_validate({**base(), **session, **span}))
        if day == 2:
            writer.delete(3)
