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

PUBLIC_KEY_BYTES: Final = 32

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
    DELETION = "deletion"
    """It deletes a file that was never entered, or was entered with another hash."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one line."""

    kind: FaultKind
    detail: str


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
    except (OverflowError, OSError) as error:
        raise ValueError(f"{utc_ms} ms since 1970 is no time") from error


def manifest_day(previous_day: str, utc_ms: int) -> str:
    """The day whose manifest takes a line: a clock that stepped back opens no earlier day.

    Raises:
        ValueError: no calendar has the time.
    """
    return max(previous_day, day_of(utc_ms))


def file_name(track: str, number: int, start_utc_ms: int) -> str:
    """``TRACK_NUMBER_START.mp4``.

    Raises:
        ValueError: no calendar has the start.
    """
    try:
        start = datetime.fromtimestamp(start_utc_ms // 1000, UTC)
    except (OverflowError, OSError) as error:
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
            text = f"signed by {entry.key}, which is not among the trusted keys"
            return None, [Fault(FaultKind.KEY_UNKNOWN, text)]
    elif entry.key != state.key:
        text = f"signed by {entry.key}; the chain's key is {state.key} and did not hand over to it"
        return None, [Fault(FaultKind.KEY_CHANGED, text)]
    else:
        public_key = state.public_key
    # Base64 can say the same bytes in several ways; only one of them is what was written.
    exact = base64.b64encode(line.signature) + b'"}'
    if not line.raw.endswith(b'"' + exact) or not keys.check(
        public_key, line.signed, line.signature
    ):
        return None, [Fault(FaultKind.SIGNATURE, f"{entry.key} did not sign these bytes")]
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
        text = f"begins with entry {entry.sequence}; entries 1 to {entry.sequence - 1} are not here"
        return [Fault(FaultKind.BEGINNING, text)]
    if not isinstance(entry, Opened) or entry.previous != NOTHING:
        return [Fault(FaultKind.NOT_OPENED, "entry 1 must be `opened` and follow nothing")]
    return []


def _order_faults(state: ChainState, entry: Entry) -> list[Fault]:
    faults: list[Fault] = []
    if (entry.site, entry.node, entry.track) != (state.site, state.node, state.track):
        text = (
            f"belongs to {entry.site}/{entry.node}/{entry.track}, "
            f"not to {state.site}/{state.node}/{state.track}"
        )
        faults.append(Fault(FaultKind.OTHER_CHAIN, text))
    if entry.sequence <= state.sequence:
        text = f"entry {entry.sequence} after entry {state.sequence}"
        faults.append(Fault(FaultKind.REPEATED, text))
    elif not state.sure:
        return faults
    elif entry.sequence > state.sequence + 1:
        text = f"after entry {state.sequence} comes {entry.sequence}: {missing(state, entry)}"
        faults.append(Fault(FaultKind.SKIPPED, text))
    elif entry.previous != state.head:
        text = (
            f"says that entry {state.sequence} has the hash {entry.previous}; "
            f"the one here has {state.head}"
        )
        faults.append(Fault(FaultKind.PREVIOUS, text))
    return faults


def missing(state: ChainState, entry: Entry) -> str:
    """Which entries are not there between the chain's end and a later entry."""
    first, last = state.sequence + 1, entry.sequence - 1
    return (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )


def _placed(
    state: ChainState, line: SignedLine, entry: Entry, day: str | None
) -> tuple[ChainState, list[Fault]]:
    """The chain with this line as its end, and whether it lies in the right day."""
    try:
        expected = manifest_day(state.day, entry.recorded.utc_ms)
    except ValueError as error:
        faults, expected = [Fault(FaultKind.TIME, str(error))], state.day
    else:
        faults = []
        if day is not None and day != expected:
            text = f"belongs to the manifest of {expected}, not of {day}"
            faults.append(Fault(FaultKind.DAY, text))
            expected = max(state.day, day)
    ended = replace(state, sequence=entry.sequence, head=line.sha256, day=expected, sure=True)
    return ended, faults


def _said(
    state: ChainState, entry: Entry, keys: Keys, segment_hash: SegmentHash | None
) -> tuple[ChainState, list[Fault]]:
    """What the entry itself changes and gets wrong."""
    match entry:
        case Opened():
            raw = decode_public_key(entry.public_key)
            if raw is None or key_id(raw) != entry.key:
                text = f"the public key in the entry is not {entry.key}"
                return state, [Fault(FaultKind.KEY_FALSE, text)]
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
        text = f"file number {entry.number} after {state.number}"
        faults.append(Fault(FaultKind.NUMBER, text))
    try:
        expected = file_name(entry.track, entry.number, entry.start.utc_ms)
    except ValueError as error:
        faults.append(Fault(FaultKind.TIME, str(error)))
    else:
        if entry.file != expected:
            text = f"the file is called {entry.file}; it should be {expected}"
            faults.append(Fault(FaultKind.FILE_NAME, text))
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
            text = f"deletes file number {file.number}, which was never entered"
            faults.append(Fault(FaultKind.DELETION, text))
        elif entered != file.sha256:
            text = f"deletes file number {file.number} with the hash {file.sha256}, not {entered}"
            faults.append(Fault(FaultKind.DELETION, text))
    return faults


def _handed_over(
    state: ChainState, entry: HandedOver, keys: Keys
) -> tuple[ChainState, list[Fault]]:
    raw = decode_public_key(entry.new_public_key)
    if raw is None or not entry.new_key.startswith(f"{ED25519}:") or key_id(raw) != entry.new_key:
        text = f"the new public key in the entry is not {entry.new_key}"
        return state, [Fault(FaultKind.KEY_FALSE, text)]
    try:
        proof = base64.b64decode(entry.proof, validate=True)
    except (binascii.Error, ValueError):
        proof = b""
    if not keys.check(raw, handover_proof(entry.key, entry.new_key), proof):
        text = f"{entry.new_key} did not sign that it takes over from {entry.key}"
        return state, [Fault(FaultKind.PROOF, text)]
    return replace(state, key=entry.new_key, public_key=raw), []
