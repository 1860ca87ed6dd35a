"""One track's chain and writer on a disk in memory, driven by hand, and a judge of what it left."""

import hashlib
import struct
from dataclasses import dataclass, field

from contracts.evidence.chain import ChainState, Keys, step
from contracts.evidence.entries import (
    NOTHING,
    Deleted,
    Ending,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Media,
    Segment,
    parse_entry,
)
from contracts.evidence.lines import key_id
from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SegmentEnded,
    SegmentOpened,
)
from edge.evidence.history import moved
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import Chain
from edge.evidence.segments import Syncs, TrackQueue, TrackWriter, at_once
from runtime.clock import SimulatedClock
from runtime.signing import PublicKeys
from tests.fakes.disk import MemoryDisk

TRACK = "cam-1"
MEDIA = Media(video="h264", width=64, height=48)
FRAGMENT_MS = 500
FRAMES = 5
TIMESCALE = 1000


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", (version << 24) | flags), *content)


def head() -> bytes:
    """ftyp and moov of one H.264 track, as small as they get."""
    sample = box(b"avc1", bytes(24), struct.pack(">HH", 64, 48), bytes(50))
    trak = box(
        b"trak",
        full(b"tkhd", struct.pack(">III", 0, 0, 1), bytes(68)),
        box(
            b"mdia",
            full(b"mdhd", struct.pack(">IIIII", 0, 0, TIMESCALE, 0, 0)),
            full(b"hdlr", bytes(4), b"vide", bytes(13)),
            box(b"minf", box(b"stbl", full(b"stsd", struct.pack(">I", 1), sample))),
        ),
    )
    mvex = box(b"mvex", full(b"trex", struct.pack(">IIIII", 1, 1, 100, 0, 0)))
    return box(b"ftyp", b"iso5", bytes(4), b"iso5") + box(b"moov", trak, mvex)


def fragment(index: int, size: int = 40, frames: int = FRAMES) -> bytes:
    """moof and mdat of half a second; ``size`` bytes a frame."""
    samples = b"".join(struct.pack(">I", size) for _ in range(frames))
    traf = box(
        b"traf",
        full(b"tfhd", struct.pack(">I", 1), flags=0x020000),
        full(b"tfdt", struct.pack(">Q", index * FRAGMENT_MS), version=1),
        full(b"trun", struct.pack(">Ii", frames, 0), samples, flags=0x201),
    )
    moof = box(b"moof", full(b"mfhd", struct.pack(">I", index + 1)), traf)
    body = hashlib.sha256(struct.pack(">I", index)).digest() * (size * frames // 32 + 1)
    return moof + box(b"mdat", body[: size * frames])


@dataclass
class Machine:
    """A node with one track: its disks, its clock, and what the last process held in memory."""

    recordings: MemoryDisk = field(default_factory=MemoryDisk)
    private: MemoryDisk = field(default_factory=MemoryDisk)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    boots: int = 1

    def start(self, *, max_bytes: int = 1_000_000, syncs: Syncs = at_once) -> "Rig":
        return Rig(self, max_bytes=max_bytes, syncs=syncs)

    def restart(self) -> None:
        """The next process starts on the same boot."""
        self.recordings = self.recordings.after_kill()
        self.private = self.private.after_kill()

    def boot(self, recordings: MemoryDisk, private: MemoryDisk) -> None:
        """The machine was off for half a minute; these disks are what is left."""
        self.boots += 1
        self.recordings, self.private = recordings, private
        self.clock = SimulatedClock(
            start_utc_ms=UtcMs(self.clock.utc_ms() + 30_000),
            start_mono_ms=MonoMs(5_000),
            boot_id=f"00000000-0000-0000-0000-{self.boots:012d}",
        )


class Rig:
    """One recorder process of one track; ``writer.work`` is called after each step."""

    def __init__(self, machine: Machine, *, max_bytes: int, syncs: Syncs) -> None:
        self.machine = machine
        self.clock = machine.clock
        self.keys = NodeKeys(machine.private, machine.recordings)
        self.entries: list[Entry] = []
        self.checkpoints: list[bytes] = []
        self.sent: list[tuple[int, int]] = []
        """Of each fragment that was handed over: number of its file, monotonic end."""
        self.opened = 0
        self.chain = Chain(
            machine.recordings,
            site="site",
            node="node",
            track=TRACK,
            keys=self.keys,
            clock=self.clock,
            version="test",
            on_entry=lambda entry, line: self.entries.append(entry),
        )
        self.queue = TrackQueue(max_bytes=max_bytes)
        self.writer = TrackWriter(
            disk=machine.recordings,
            chain=self.chain,
            queue=self.queue,
            clock=self.clock,
            on_checkpoint=self.checkpoints.append,
            syncs=syncs,
        )
        self.index = 0

    def now(self) -> Instant:
        return Instant(self.clock.mono_ms(), self.clock.utc_ms())

    def wait(self, ms: int) -> None:
        """Time passes, in steps as the thread's."""
        for _ in range(0, ms, 250):
            self.clock.advance_ms(min(ms, 250))
            self.writer.work()

    def open(self) -> bool:
        self.index = 0
        self.opened += 1
        taken = self.queue.offer(SegmentOpened(self.now(), MEDIA, head()))
        self.writer.work()
        return taken

    def grow(self, count: int = 1, size: int = 40) -> bool:
        """``count`` fragments, each half a second after the one before."""
        taken = True
        for _ in range(count):
            self.clock.advance_ms(FRAGMENT_MS)
            made = FragmentMade(
                fragment(self.index, size),
                (self.index + 1) * FRAGMENT_MS,
                (self.index + 1) * FRAMES,
                0,
                self.now(),
            )
            self.index += 1
            self.sent.append((self.opened, int(self.clock.mono_ms())))
            taken = self.queue.offer(made) and taken
            self.writer.work()
        return taken

    def end(self, ending: Ending = Ending.FULL) -> None:
        self.queue.offer(SegmentEnded(ending))
        self.writer.work()

    def record(self, fragments: int) -> None:
        """One whole segment."""
        self.open()
        self.grow(fragments)
        self.end()

    def gap(self, reason: GapReason, ms: int) -> None:
        """A gap of the stream, from beginning to end."""
        self.queue.offer(GapBegan(reason, self.now()))
        self.writer.work()
        self.wait(ms)
        self.queue.offer(GapEnded(self.now()))
        self.writer.work()

    def note(self, what: str, before: str = "", after: str = "") -> None:
        self.queue.offer(Noted(what, before, after, self.now()))
        self.writer.work()

    def stop(self) -> None:
        self.writer.finish()


def lines(disk: MemoryDisk, track: str = TRACK) -> list[tuple[str, bytes]]:
    """Day and line of the whole chain, oldest first."""
    found: list[tuple[str, bytes]] = []
    for path, content in disk.files().items():
        parts = path.split("/")
        if parts[0] == track and parts[-1] == "manifest.jsonl":
            assert content.endswith(b"\n"), f"{path} ends without a line feed"
            found += [(parts[1], raw) for raw in content.removesuffix(b"\n").split(b"\n")]
    return found


def judged(disk: MemoryDisk, track: str = TRACK) -> list[Entry]:
    """The entries of a chain, after checking all that a stranger would.

    Signatures, hashes, sequence, hand-overs, and that files and entries are the same set.
    """
    keys = PublicKeys()
    for path, content in disk.files().items():
        if path.startswith("keys/") and path.endswith(".pem"):
            keys.add_pem(content)
    previous, expected_key = NOTHING, None
    entries: list[Entry] = []
    expected: dict[str, Segment] = {}
    names: dict[int, str] = {}
    state: ChainState | None = None
    trusted = Keys({key: keys.raw(key) for key in keys.ids}, check_signature)
    for sequence, (day, raw) in enumerate(lines(disk, track), start=1):
        line, entry = parse_entry(raw)
        state, _, faults = step(state, raw, trusted, day=day)
        assert not faults, [fault.text("en") for fault in faults]
        assert keys.verify(entry.key, line.signed, line.signature), f"entry {sequence}: signature"
        assert entry.sequence == sequence
        assert entry.previous == previous, f"entry {sequence}: previous"
        assert expected_key in {None, entry.key}, f"entry {sequence}: signed by another key"
        expected_key = entry.new_key if isinstance(entry, HandedOver) else entry.key
        previous = line.sha256
        entries.append(entry)
        if isinstance(entry, Segment):
            path = f"{track}/{day}/{entry.file}"
            assert entry.number not in names, f"number {entry.number} twice"
            names[entry.number] = path
            expected[path] = entry
        if isinstance(entry, Deleted):
            for file in entry.files:
                del expected[names[file.number]]
    media = {path: content for path, content in disk.files().items() if path.endswith(".mp4")}
    assert media.keys() == expected.keys(), "files and entries differ"
    for path, content in media.items():
        assert len(content) == expected[path].bytes, path
        assert hashlib.sha256(content).hexdigest() == expected[path].sha256, path
    check_time(entries)
    return entries


def check_signature(key: bytes, data: bytes, signature: bytes) -> bool:
    return PublicKeys([key]).verify(key_id(key), data, signature)


def check_time(entries: list[Entry]) -> None:
    """Media and gaps of one boot follow one another and never overlap."""
    until = None
    for entry in entries:
        if not isinstance(entry, Segment | Gap):
            continue
        if until is not None and until.boot_id == entry.start.boot_id:
            assert entry.start.mono_ms >= until.mono_ms, f"entry {entry.sequence} overlaps"
        until = moved(entry.start, entry.duration_ms)


def of(kind: type[Entry], entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if isinstance(entry, kind)]
