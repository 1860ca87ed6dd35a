"""Decides whether a line continues a track's chain, and if not, what is wrong with it.

``step`` is the one judge of a chain: the controller feeds it each line a node announces, the
verifier each line of a manifest. Trust enters through ``Keys.trusted`` alone: a chain's first entry
must be signed by one of these, and only the current key can name the next one.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, assert_never

from contracts.evidence.entries import (
    NOTHING,
    Changed,
    Deleted,
    Entry,
    Gap,
    HandedOver,
    Held,
    Kept,
    Lifted,
    Opened,
    Released,
    Sealed,
    Segment,
    parse_entry,
)
from contracts.evidence.lines import ED25519, KeyId, SignedLine, key_id
from contracts.units import Bilingual

PUBLIC_KEY_BYTES: Final = 32
CLOCK_STEP: Final = "clock_step"
"""``what`` of the entry on a stepped clock; its ``before`` is ``utc_ms N``."""

CheckSignature = Callable[[bytes, bytes, bytes], bool]
"""Raw public key, signed bytes, signature in; whether that key made the signature out."""

SegmentHash = Callable[[int], str | None]
"""SHA-256 of the file that the chain entered under a number; None: it entered none."""


class FaultKind(StrEnum):
    """What can be wrong with a line, as the continuation of its chain."""

    SIGNATURE = "signature"
    """The key that it names did not sign these bytes."""
    KEY_UNKNOWN = "key_unknown"
    """The chain's first line here is signed by a key that the caller does not trust."""
    KEY_CHANGED = "key_changed"
    """Signed by another key than the chain's current one, and no hand-over names it."""
    KEY_FALSE = "key_false"
    """A public key in the line does not have the id that the line gives it."""
    PROOF = "proof"
    """The new key of a hand-over did not sign its own naming."""
    OTHER_CHAIN = "other_chain"
    """Of another site, node or track."""
    BEGINNING = "beginning"
    """The chain begins with a later entry than its first."""
    NOT_OPENED = "not_opened"
    """The chain's first entry is not ``opened``, or follows something."""
    REPEATED = "repeated"
    """Its sequence number was already there."""
    SKIPPED = "skipped"
    """Entries between the previous one and this are missing."""
    PREVIOUS = "previous"
    """It does not name the hash of the entry before it."""
    DAY = "day"
    """It lies in the manifest of another day than its own."""
    TIME = "time"
    """It was recorded at a time that no calendar has."""
    NUMBER = "number"
    """A segment's number does not rise."""
    FILE_NAME = "file_name"
    """A segment's file is not named after its track, number and start."""
    DELETION_UNKNOWN = "deletion_unknown"
    """It deletes a file that was never entered."""
    DELETION_OTHER = "deletion_other"
    """It deletes a file under another hash than the one it was entered with."""


SAID: Final[Mapping[FaultKind, Bilingual]] = {
    FaultKind.SIGNATURE: Bilingual("不是由密钥 {0} 签名的", "was not signed by the key {0}"),
    FaultKind.KEY_UNKNOWN: Bilingual(
        "由不受信任的密钥 {0} 签名", "is signed by {0}, which is not among the trusted keys"
    ),
    FaultKind.KEY_CHANGED: Bilingual(
        "由 {0} 签名；该链的密钥是 {1}，且未移交给它",
        "is signed by {0}; the chain's key is {1}, which did not hand over to it",
    ),
    FaultKind.KEY_FALSE: Bilingual(
        "所含公钥与密钥编号 {0} 不符", "holds a public key that does not have the id {0}"
    ),
    FaultKind.PROOF: Bilingual(
        "密钥 {0} 并未签名确认从 {1} 接手", "{0} did not sign that it takes over from {1}"
    ),
    FaultKind.OTHER_CHAIN: Bilingual("属于 {0}，不属于 {1}", "belongs to {0}, not to {1}"),
    FaultKind.BEGINNING: Bilingual(
        "是这里的第一条：第 1 至 {1} 条缺失", "is the first one here: 1 to {1} are missing"
    ),
    FaultKind.NOT_OPENED: Bilingual(
        "是链的第一条，却不是 opened 或声称有前一条",
        "is the chain's first one, but is not `opened` or claims to follow another",
    ),
    FaultKind.REPEATED: Bilingual(
        "排在第 {1} 条之后：重复或次序颠倒", "comes after {1}: repeated, or out of order"
    ),
    FaultKind.SKIPPED: Bilingual(
        "紧接第 {0} 条之后：中间的第 {1} 至 {2} 条缺失",
        "comes right after {0}: {1} to {2} are missing",
    ),
    FaultKind.PREVIOUS: Bilingual(
        "记载的前一条哈希为 {1}；这里第 {0} 条的哈希是 {2}",
        "says that entry {0} has the hash {1}; the one here has {2}",
    ),
    FaultKind.DAY: Bilingual(
        "应在 {0} 的清单中，却在 {1} 的清单中", "belongs to the manifest of {0}, not of {1}"
    ),
    FaultKind.TIME: Bilingual("时间无效（{0} 毫秒）", "has a time that no calendar has: {0} ms"),
    FaultKind.NUMBER: Bilingual(
        "文件号 {0} 排在文件号 {1} 之后", "enters file number {0} after {1}"
    ),
    FaultKind.FILE_NAME: Bilingual(
        "登记的文件名为 {0}，应为 {1}", "names the file {0}; it should be {1}"
    ),
    FaultKind.DELETION_UNKNOWN: Bilingual(
        "删除了从未登记的文件号 {0}", "deletes file number {0}, which was never entered"
    ),
    FaultKind.DELETION_OTHER: Bilingual(
        "删除文件号 {0} 时记载的哈希为 {1}，登记时为 {2}",
        "deletes file number {0} with the hash {1}; it was entered with {2}",
    ),
}
"""What a fault says about its entry, in both languages; filled with the fault's ``values``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one line; ``values`` are what its text names, in the text's order."""

    kind: FaultKind
    values: tuple[str | int, ...] = ()

    @property
    def detail(self) -> str:
        """What is wrong, in English: a sentence about the entry."""
        return self.text("en")

    def text(self, language: str) -> str:
        """What is wrong, in ``zh-CN`` or English."""
        return SAID[self.kind].pick(language).format(*self.values)


@dataclass(frozen=True, slots=True)
class Keys:
    """Whom the caller trusts, by key id, and how a signature is checked.

    ``trusted`` matters for the first line of a chain alone (or of the part at hand): from there on
    the chain itself names its keys. Values are raw public keys.
    """

    trusted: Mapping[KeyId, bytes]
    check: CheckSignature


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where a chain stands after a line. All fields are plain, to be stored as they are."""

    site: str
    node: str
    track: str
    sequence: int
    head: str
    """Hash of the last line."""
    key: KeyId
    public_key: bytes
    """The raw key that must sign the next line."""
    day: str
    """``YYYY-MM-DD`` of the last line's manifest."""
    number: int
    """Of the last segment; 0: none yet."""
    complete: bool
    """Known from its first entry on."""
    first_number: int
    """Of the first segment known; 0: none yet."""
    sure: bool = True
    """False after a line whose signature is wrong: what it says may not be taken over, so the next
    good line may continue anywhere after ``sequence``."""


def day_of(utc_ms: int) -> str:
    """The UTC day ``YYYY-MM-DD`` of a time.

    Raises:
        ValueError: no calendar has it.
    """
    try:
        return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{utc_ms} ms since 1970 is no time") from error


def manifest_days(previous_day: str, utc_ms: int) -> tuple[str, str]:
    """First and last day whose manifest may take a line.

    A clock that stepped back opens no earlier day, and while a file is open, the chain stays in the
    day on which that began.

    Raises:
        ValueError: no calendar has the time.
    """
    latest = max(previous_day, day_of(utc_ms))
    return previous_day, latest


def file_name(track: str, number: int, start_utc_ms: int) -> str:
    """``TRACK_NUMBER_START.mp4``.

    Raises:
        ValueError: no calendar has the start.
    """
    try:
        start = datetime.fromtimestamp(start_utc_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{start_utc_ms} ms since 1970 is no time") from error
    return f"{track}_{number:08d}_{start:%Y%m%dT%H%M%SZ}.mp4"


def handover_proof(old: KeyId, new: KeyId) -> bytes:
    """What a new key signs, to show that whoever is handed the chain holds it."""
    return f"{old}>{new}".encode("ascii")


def step(
    state: ChainState | None,
    raw: bytes,
    keys: Keys,
    *,
    segment_hash: SegmentHash | None = None,
    day: str | None = None,
) -> tuple[ChainState, Entry, tuple[Fault, ...]]:
    """Judge the next line of a chain; ``state`` None: the first line at hand.

    ``segment_hash`` lets deletions be checked against what was entered, ``day`` (the folder that
    the line came from) its place; left out, these two are not judged. Without faults the new state
    is what the line says. With faults it is what the following lines are best judged by, so that
    one altered line is not told as many; a caller that accepts nothing faulty drops it.

    Raises:
        LineError: ``raw`` is no entry at all; the chain stays where it was (see ``unsure``).
    """
    line, entry = parse_entry(raw)
    public_key, faults = _signer(state, line, entry, keys)
    if public_key is None:
        kept = unsure(state) if state is not None else _first(line, entry, b"", sure=False)
        return kept, entry, tuple(faults)
    if state is None:
        faults += _beginning_faults(entry)
        state = _first(line, entry, public_key)
    else:
        faults += _order_faults(state, entry)
        if entry.sequence <= state.sequence:
            return state, entry, tuple(faults)
    state, more = _placed(state, line, entry, day)
    faults += more
    state, more = _said(state, entry, keys, segment_hash)
    return state, entry, tuple(faults + more)


def unsure(state: ChainState) -> ChainState:
    """The state after a line that cannot be believed: what follows may continue after it."""
    return replace(state, sure=False)


def spelled_exactly(line: SignedLine) -> bool:
    """Whether the signature is spelled as it was written.

    Base64 can say the same bytes in several ways, so that a bit of its text may be altered and the
    signature still be good.
    """
    return line.raw.endswith(b'"' + base64.b64encode(line.signature) + b'"}')


def decode_public_key(text: str) -> bytes | None:
    """A raw public key from the base64 of an entry; None: it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == PUBLIC_KEY_BYTES else None


def _signer(
    state: ChainState | None, line: SignedLine, entry: Entry, keys: Keys
) -> tuple[bytes | None, list[Fault]]:
    """The raw key that signed the line and may do so; None: nobody who may did."""
    if state is None or not state.public_key:
        public_key = keys.trusted.get(entry.key)
        if public_key is None:
            return None, [Fault(FaultKind.KEY_UNKNOWN, (entry.key,))]
    elif entry.key != state.key:
        return None, [Fault(FaultKind.KEY_CHANGED, (entry.key, state.key))]
    else:
        public_key = state.public_key
    if not spelled_exactly(line) or not keys.check(public_key, line.signed, line.signature):
        return None, [Fault(FaultKind.SIGNATURE, (entry.key,))]
    return public_key, []


def _first(line: SignedLine, entry: Entry, public_key: bytes, *, sure: bool = True) -> ChainState:
    return ChainState(
        site=entry.site,
        node=entry.node,
        track=entry.track,
        sequence=entry.sequence if sure else 0,
        head=line.sha256 if sure else NOTHING,
        key=entry.key,
        public_key=public_key,
        day="",
        number=0,
        complete=sure and entry.sequence == 1,
        first_number=0,
        sure=sure,
    )


def _beginning_faults(entry: Entry) -> list[Fault]:
    if entry.sequence > 1:
        return [Fault(FaultKind.BEGINNING, (1, entry.sequence - 1))]
    if not isinstance(entry, Opened) or entry.previous != NOTHING:
        return [Fault(FaultKind.NOT_OPENED)]
    return []


def _order_faults(state: ChainState, entry: Entry) -> list[Fault]:
    faults: list[Fault] = []
    if (entry.site, entry.node, entry.track) != (state.site, state.node, state.track):
        theirs = f"{entry.site}/{entry.node}/{entry.track}"
        ours = f"{state.site}/{state.node}/{state.track}"
        faults.append(Fault(FaultKind.OTHER_CHAIN, (theirs, ours)))
    if entry.sequence <= state.sequence:
        faults.append(Fault(FaultKind.REPEATED, (entry.sequence, state.sequence)))
    elif not state.sure:
        return faults
    elif entry.sequence > state.sequence + 1:
        missing = (state.sequence + 1, entry.sequence - 1)
        faults.append(Fault(FaultKind.SKIPPED, (state.sequence, *missing)))
    elif entry.previous != state.head:
        hashes = (entry.previous, state.head)
        faults.append(Fault(FaultKind.PREVIOUS, (state.sequence, *hashes)))
    return faults


def _latest_utc_ms(entry: Entry) -> int:
    """The latest time that the clock had shown when a line was written, by the line itself.

    A clock that ran ahead over midnight may step back before the first line of the day is written:
    that line is the step, which says what the clock showed before it, or the file begun in between.
    """
    recorded = int(entry.recorded.utc_ms)
    if isinstance(entry, Segment):
        return max(recorded, int(entry.start.utc_ms))
    if isinstance(entry, Changed) and entry.what == CLOCK_STEP:
        shown = entry.before.removeprefix("utc_ms ")
        return max(recorded, int(shown)) if shown.isascii() and shown.isdigit() else recorded
    return recorded


def _placed(
    state: ChainState, line: SignedLine, entry: Entry, day: str | None
) -> tuple[ChainState, list[Fault]]:
    """The chain with this line as its end, and whether it lies in the right day."""
    faults: list[Fault] = []
    try:
        first, last = manifest_days(state.day, _latest_utc_ms(entry))
    except ValueError:
        faults.append(Fault(FaultKind.TIME, (entry.recorded.utc_ms,)))
        first = last = state.day
    if day is not None and not faults:
        if not first <= day <= last:
            faults.append(Fault(FaultKind.DAY, (max(first, min(last, day)), day)))
        last = max(state.day, day)
    ended = replace(state, sequence=entry.sequence, head=line.sha256, day=last, sure=True)
    return ended, faults


def _said(
    state: ChainState, entry: Entry, keys: Keys, segment_hash: SegmentHash | None
) -> tuple[ChainState, list[Fault]]:
    """What the entry itself changes and gets wrong."""
    match entry:
        case Opened():
            raw = decode_public_key(entry.public_key)
            if raw is None or key_id(raw) != entry.key:
                return state, [Fault(FaultKind.KEY_FALSE, (entry.key,))]
            return state, []
        case Segment():
            return _segment(state, entry)
        case Deleted():
            faults = [] if segment_hash is None else _deletion_faults(state, entry, segment_hash)
            return state, faults
        case HandedOver():
            return _handed_over(state, entry, keys)
        case Gap() | Changed() | Sealed() | Released() | Kept() | Held() | Lifted():
            return state, []
        case _:
            assert_never(entry)


def _segment(state: ChainState, entry: Segment) -> tuple[ChainState, list[Fault]]:
    faults: list[Fault] = []
    if entry.number <= state.number:
        faults.append(Fault(FaultKind.NUMBER, (entry.number, state.number)))
    try:
        expected = file_name(entry.track, entry.number, entry.start.utc_ms)
    except ValueError:
        faults.append(Fault(FaultKind.TIME, (entry.start.utc_ms,)))
    else:
        if entry.file != expected:
            faults.append(Fault(FaultKind.FILE_NAME, (entry.file, expected)))
    number = max(state.number, entry.number)
    return replace(state, number=number, first_number=state.first_number or entry.number), faults


def _deletion_faults(state: ChainState, entry: Deleted, segment_hash: SegmentHash) -> list[Fault]:
    faults: list[Fault] = []
    for file in entry.files:
        entered = segment_hash(file.number)
        before_us = not state.complete and file.number < (state.first_number or file.number + 1)
        if entered is None and before_us:
            continue  # entered before the part of the chain that is at hand
        if entered is None:
            faults.append(Fault(FaultKind.DELETION_UNKNOWN, (file.number,)))
        elif entered != file.sha256:
            hashes = (file.sha256, entered)
            faults.append(Fault(FaultKind.DELETION_OTHER, (file.number, *hashes)))
    return faults


def _handed_over(
    state: ChainState, entry: HandedOver, keys: Keys
) -> tuple[ChainState, list[Fault]]:
    raw = decode_public_key(entry.new_public_key)
    if raw is None or not entry.new_key.startswith(f"{ED25519}:") or key_id(raw) != entry.new_key:
        return state, [Fault(FaultKind.KEY_FALSE, (entry.new_key,))]
    try:
        proof = base64.b64decode(entry.proof, validate=True)
    except (binascii.Error, ValueError):
        proof = b""
    if not keys.check(raw, handover_proof(entry.key, entry.new_key), proof):
        return state, [Fault(FaultKind.PROOF, (entry.new_key, entry.key))]
    return replace(state, key=entry.new_key, public_key=raw), []
