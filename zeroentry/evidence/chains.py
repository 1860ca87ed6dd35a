"""Decides what the manifests of one track say, line by line, and which of it can be believed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.evidence.chain import ChainState, Fault, FaultKind, Keys, day_of, step, unsure
from contracts.evidence.entries import (
    NOTHING,
    ClockSource,
    Deleted,
    Entry,
    Gap,
    GapReason,
    Held,
    Kept,
    Lifted,
    Released,
    Sealed,
    Segment,
    Witness,
    parse_entry,
)
from contracts.evidence.lines import KeyId, LineError
from zeroentry.evidence.findings import Finding, Kind, of_fault
from zeroentry.evidence.lines_of import Line, lines_of
from zeroentry.evidence.places import MANIFEST, Extent, TrackPlace
from zeroentry.evidence.tree import READ_ERRORS, Sort, Tree, shown
from zeroentry.evidence.trust import check_signature, vouched
from zeroentry.evidence.witnesses import Witnesses

FINDINGS_MAX: Final = 1_000  # of one track; who alters every line is told by the first
CLOCK_BACK_MS: Final = 1_000  # less is the clock's own discipline at work

UNSIGNED: Final = frozenset({FaultKind.SIGNATURE, FaultKind.KEY_UNKNOWN, FaultKind.KEY_CHANGED})
"""Faults after which nothing that the line says is to be believed."""


@dataclass(slots=True)
class FileEntered:
    """A file that an entry names, and where it may lie."""

    name: str
    number: int
    bytes: int
    sha256: str
    first_day: str
    last_day: str
    sequence: int
    order: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class GapTold:
    """Time without a recording; the pieces in which it was told are one here."""

    reason: GapReason
    start_utc_ms: int
    duration_ms: int
    ended: bool
    detail: str = ""


@dataclass(slots=True)
class ChainRead:
    """What one track's manifests say, and what is wrong with them."""

    track: str
    path: str
    site: str = ""
    node: str = ""
    first: int = 0
    first_utc_ms: int = 0
    last: int = 0
    last_utc_ms: int = 0
    last_day: str = ""
    last_path: str = ""
    last_line: int = 0
    previous: str = ""
    """What the first entry follows."""
    entries: int = 0
    signatures: int = 0
    recorded_ms: int = 0
    last_number: int = 0
    witnessed_to: int = 0
    witnessed_utc_ms: int = 0
    files: dict[int, FileEntered] = field(default_factory=dict)
    gaps: list[GapTold] = field(default_factory=list)
    seals: dict[str, bool] = field(default_factory=dict)
    """Sessions, and whether they were released."""
    holds: dict[str, bool] = field(default_factory=dict)
    """Legal holds, and whether they were lifted."""
    clock_unsure: int = 0
    findings: list[Finding] = field(default_factory=list)

    def find(self, finding: Finding) -> None:
        """Keep a finding, up to the limit."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)

    def entered_hash(self, number: int) -> str | None:
        """``chain.SegmentHash`` of what was read so far."""
        file = self.files.get(number)
        return None if file is None else file.sha256


def read_chain(
    tree: Tree,
    place: TrackPlace,
    extent: Extent,
    trusted: Mapping[KeyId, bytes],
    witnesses: Witnesses,
) -> ChainRead:
    """Judge every line of a track's manifests against the chain, the keys and the witnesses."""
    reader = _Reader(tree, place, extent, witnesses)
    reader.read(_vouched(tree, place, trusted))
    return reader.read_so_far


def manifest_lines(tree: Tree, place: TrackPlace) -> Iterator[tuple[str, tuple[str, ...], Line]]:
    """Every line of a track's manifests, with its day and its file."""
    for day, folder in place.days:
        path = (*folder, MANIFEST)
        if any(f.name == MANIFEST and f.sort is Sort.FILE for f in tree.listing(folder)):
            with tree.open(path) as file:
                for line in lines_of(file):
                    yield day, path, line


def named(tree: Tree, place: TrackPlace) -> TrackPlace:
    """The place with its track's name, from its first entry where no folder says it."""
    if place.track is not None:
        return place
    first = next(_entries(tree, place), None)
    return place if first is None else replace(place, track=first.track)


def _entries(tree: Tree, place: TrackPlace) -> Iterator[Entry]:
    try:
        for _, _, line in manifest_lines(tree, place):
            try:
                yield parse_entry(line.raw)[1]
            except LineError:
                continue
    except READ_ERRORS:
        return  # the reading that judges will tell it


def _vouched(
    tree: Tree, place: TrackPlace, trusted: Mapping[KeyId, bytes]
) -> Mapping[KeyId, bytes]:
    first = next(_entries(tree, place), None)
    if first is None or first.key in trusted:
        return trusted
    return vouched(trusted, _entries(tree, place))


def merged_gaps(gaps: Iterable[Gap]) -> list[GapTold]:
    """Gaps with the pieces of a long one put together."""
    told: list[GapTold] = []
    for gap in gaps:
        add_gap(told, gap)
    return told


def add_gap(told: list[GapTold], gap: Gap) -> None:
    """Add a gap, to the last one where it continues that."""
    last = told[-1] if told else None
    if last is not None and not last.ended and last.reason is gap.reason:
        # A piece may tell its own part or the whole since the beginning.
        whole = gap.start.utc_ms == last.start_utc_ms
        duration_ms = gap.duration_ms if whole else last.duration_ms + gap.duration_ms
        told[-1] = replace(last, duration_ms=duration_ms, ended=gap.ended)
        return
    detail = gap.detail
    told.append(GapTold(gap.reason, gap.start.utc_ms, gap.duration_ms, gap.ended, detail))


def add_claim(sessions: dict[str, bool], holds: dict[str, bool], entry: Entry) -> None:
    """Note what a seal or a hold says: True once it is over. Other entries say nothing of it."""
    match entry:
        case Sealed() | Kept():
            sessions.setdefault(entry.session_id, False)
        case Released():
            sessions[entry.session_id] = True
        case Held():
            holds.setdefault(entry.hold_id, False)
        case Lifted():
            holds[entry.hold_id] = True
        case _:
            pass  # openings, changes and hand-overs concern the chain alone


def _day_or_never(utc_ms: int) -> str:
    try:
        return day_of(utc_ms)
    except ValueError:
        return "9999-99-99"


class _Reader:
    """Reads one track's lines in order."""

    def __init__(self, tree: Tree, place: TrackPlace, extent: Extent, witnesses: Witnesses) -> None:
        self._tree = tree
        self._place = place
        self._extent = extent
        self._witnesses = witnesses
        self._state: ChainState | None = None
        self._order = 0
        self._key_told = False
        self.read_so_far = ChainRead(place.track or "", place.path)

    def read(self, trusted: Mapping[KeyId, bytes]) -> None:
        keys = Keys(trusted, check_signature)
        path: tuple[str, ...] = ()
        try:
            for day, path, line in manifest_lines(self._tree, self._place):
                self._line(keys, day, shown(path), line)
        except READ_ERRORS as error:
            self._found(Kind.UNREADABLE_FILE, shown(path or self._place.days[0][1]), None, error)
        self._finish()

    def _found(
        self, kind: Kind, path: str, line: int | None, *values: object, sequence: int | None = None
    ) -> None:
        texts = tuple(value if isinstance(value, int) else str(value) for value in values)
        self.read_so_far.find(Finding(kind, path, line, sequence, texts, self._order))

    def _line(self, keys: Keys, day: str, path: str, line: Line) -> None:
        self._order += 1
        read = self.read_so_far
        expected = self._state.sequence + 1 if self._state else 1
        read.last_path, read.last_line = path, line.number
        if not line.ended and day != self._place.days[-1][0]:
            self._found(Kind.NO_LINE_FEED, path, line.number, sequence=expected)
        elif line.torn:
            self._found(Kind.TORN_TAIL, path, line.number, sequence=expected)
            return
        # A whole line may lack its line feed: the recorder syncs the line before it writes that.
        before = self._state
        try:
            after, entry, faults = step(
                before, line.raw, keys, segment_hash=read.entered_hash, day=day
            )
        except LineError as error:
            self._found(Kind.UNREADABLE_LINE, path, line.number, error, sequence=expected)
            self._state = unsure(before) if before is not None else None
            return
        self._state = after
        believed = not any(fault.kind in UNSIGNED for fault in faults)
        sequence = entry.sequence if believed else expected
        for fault in faults:
            self._judge(fault, entry, path, line.number, sequence)
        if believed and (before is None or after.sequence > before.sequence):
            self._believed(before, after, entry, day, path, line.number)
        elif isinstance(entry, Segment):
            read.files.setdefault(entry.number, self._entered(entry, day))

    def _judge(self, fault: Fault, entry: Entry, path: str, line: int, sequence: int) -> None:
        partial = self._extent in (Extent.DAY, Extent.EXPORT)
        if fault.kind is FaultKind.BEGINNING and partial:
            self._found(Kind.BEGINS_AT, path, line, entry.sequence)
            return
        if fault.kind is FaultKind.KEY_UNKNOWN:
            if self._key_told:
                return  # every line says the same
            self._key_told = True
            if partial:
                self._found(Kind.FIRST_KEY_UNKNOWN, path, line, entry.key, sequence=sequence)
                return
        self.read_so_far.find(of_fault(fault, path, line, sequence, self._order))

    def _believed(
        self,
        before: ChainState | None,
        after: ChainState,
        entry: Entry,
        day: str,
        path: str,
        line: int,
    ) -> None:
        read = self.read_so_far
        if not read.entries:
            read.site, read.node = entry.site, entry.node
            read.first, read.first_utc_ms = entry.sequence, entry.recorded.utc_ms
            read.previous = entry.previous
            if self._place.track not in (None, entry.track):
                values = (f"{entry.site}/{entry.node}/{entry.track}", str(self._place.track))
                fault = Fault(FaultKind.OTHER_CHAIN, values)
                read.find(of_fault(fault, path, line, entry.sequence, self._order))
            read.track = self._place.track or entry.track
        elif entry.recorded.utc_ms < read.last_utc_ms - CLOCK_BACK_MS:
            back_s = (read.last_utc_ms - entry.recorded.utc_ms) // 1_000
            self._found(Kind.CLOCK_BACK, path, line, back_s, sequence=entry.sequence)
        read.entries += 1
        read.signatures += 1
        read.last, read.last_utc_ms = entry.sequence, entry.recorded.utc_ms
        read.last_day, read.last_number = after.day, after.number
        read.clock_unsure += entry.clock.source is not ClockSource.SYNCHRONISED
        self._witnessed(entry, after.head, path, line)
        self._said(entry, day)

    def _witnessed(self, entry: Entry, sha256: str, path: str, line: int) -> None:
        for witness in self._words(entry.sequence):
            if witness.entry_sha256 != sha256:
                hashes = (witness.entry_sha256, sha256)
                self._found(Kind.REWRITTEN, path, line, *hashes, sequence=entry.sequence)
            else:
                self.read_so_far.witnessed_to = entry.sequence
                self.read_so_far.witnessed_utc_ms = witness.witnessed_utc_ms

    def _words(self, sequence: int) -> list[Witness]:
        read = self.read_so_far
        words = self._witnesses.heads.get(read.track, {}).get(sequence, [])
        return [word for word in words if (word.site, word.node) == (read.site, read.node)]

    def _said(self, entry: Entry, day: str) -> None:
        read = self.read_so_far
        match entry:
            case Segment():
                read.files[entry.number] = self._entered(entry, day)
                read.recorded_ms += entry.duration_ms
            case Deleted():
                for file in entry.files:
                    if file.number in read.files:
                        read.files[file.number].deleted = True
            case Gap():
                add_gap(read.gaps, entry)
            case _:
                add_claim(read.seals, read.holds, entry)

    def _entered(self, entry: Segment, day: str) -> FileEntered:
        try:
            first_day = min(day_of(entry.start.utc_ms), day)
        except ValueError:
            first_day = day
        return FileEntered(
            name=entry.file,
            number=entry.number,
            bytes=entry.bytes,
            sha256=entry.sha256,
            first_day=first_day,
            last_day=day,
            sequence=entry.sequence,
            order=self._order,
        )

    def _finish(self) -> None:
        """What only the end of the chain shows."""
        read, part = self.read_so_far, self._place.part
        self._order += 1
        if not read.entries:
            self._found(Kind.NO_ENTRIES, read.path or read.track, None)
        if part is not None:
            said, here = (part.first, part.last), (read.first, read.last)
            if said != here:
                path = read.last_path or read.path
                self._found(Kind.EXPORT_SHORT, path, None, *said, *here)
            elif read.previous not in ("", part.previous) or (
                part.first == 1 and part.previous != NOTHING
            ):
                self._found(Kind.EXPORT_OTHER, read.last_path, None, sequence=part.first)
            self._found(Kind.ENDS_AT, read.last_path, None, part.last)
        if read.clock_unsure:
            self._found(Kind.CLOCK_UNSURE, read.path or read.track, None, read.clock_unsure)
        self._tail()

    def _tail(self) -> None:
        """A head that the controller saw beyond the end: the tail was cut."""
        read = self.read_so_far
        if self._extent is Extent.EXPORT or not read.entries:
            return
        beyond = [
            word
            for sequence in self._witnesses.heads.get(read.track, {})
            if sequence > read.last
            for word in self._words(sequence)
            # What a day's folder holds goes on in the next one's.
            if self._extent is not Extent.DAY
            or _day_or_never(word.witnessed_utc_ms) <= self._place.days[-1][0]
        ]
        if beyond:
            latest = max(word.sequence for word in beyond)
            values = (latest, read.last, read.last + 1)
            self._found(
                Kind.TAIL_CUT, read.last_path, read.last_line, *values, sequence=read.last + 1
            )
