"""Decides whether an announced line continues its chain, whose key counts, and what is witnessed.

The ledger holds the head of every chain, the trusted key of every node, and the newest hourly root.
A head that it has countersigned cannot be taken back by the node, and a root of it not by us.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.api import Sentence
from contracts.evidence import chain as chains
from contracts.evidence import merkle
from contracts.evidence.answers import KeyOrigin
from contracts.evidence.chain import ChainState, CheckSignature, Fault, FaultKind, Keys
from contracts.evidence.entries import (
    NOTHING,
    At,
    Checkpoint,
    Entry,
    Gap,
    HandedOver,
    Kept,
    Opened,
    Released,
    Root,
    Sealed,
    Segment,
    Witness,
    parse_entry,
)
from contracts.evidence.lines import KeyId, LineError, Sign, key_id, sign_line, split_line
from contracts.observations import CheckpointTaken, EntryAppended
from contracts.units import NodeId, RoomId, SiteId, UtcMs
from controller.core.outputs import FileEntry, FileRefused, FileRoot, Refusal, Refused

HOUR_MS: Final = 3_600_000
CHAINS_MAX: Final = 1_000  # a normal site has 80 tracks; a node that invents tracks stops here
REFUSED_KEPT_MAX: Final = 1_000  # lines of one chain: traces enough of any forgery, some 16 MB
FORMER_MAX: Final = 20  # keys that a node handed over from: one a year for longer than it lives

BREAKING: Final = frozenset(FaultKind) - {
    # Said and signed by the node, in its place in the chain: witnessed, with an alert.
    FaultKind.DAY,
    FaultKind.TIME,
    FaultKind.NUMBER,
    FaultKind.FILE_NAME,
    FaultKind.DELETION_UNKNOWN,
    FaultKind.DELETION_OTHER,
}
"""Faults after which a line is no part of its chain."""

OUT_OF_ORDER: Final = frozenset(
    {FaultKind.SKIPPED, FaultKind.PREVIOUS, FaultKind.REPEATED, FaultKind.NOT_OPENED}
)
"""Faults of a line that the right key has signed: a fork, or a chain that lost its beginning."""


@dataclass(frozen=True, slots=True)
class Notary:
    """The controller's own key as two functions of bytes; the shell holds the key itself.

    Ed25519 signatures follow from key and bytes alone, so a replay makes the same lines.
    """

    site: SiteId
    key: KeyId
    sign: Sign
    check: CheckSignature


def _no_signature(_data: bytes) -> bytes:
    return b""


def _no_check(_key: bytes, _data: bytes, _signature: bytes) -> bool:
    return False


NOBODY: Final = Notary("nowhere", "none:0000000000000000", _no_signature, _no_check)
"""Takes no line; for cores that have nothing to do with evidence."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key with its id; ``public`` is raw, base64."""

    key: KeyId
    public: str

    @property
    def raw(self) -> bytes:
        """32 bytes."""
        return b64decode(self.public)


@dataclass(frozen=True, slots=True)
class NodeKey:
    """The key that a node signs with. ``former`` handed over to it; ``claimed`` was refused."""

    node_id: NodeId
    current: KnownKey
    origin: KeyOrigin
    since_utc_ms: UtcMs
    confirmed_by: str | None = None
    confirmed_utc_ms: UtcMs | None = None
    former: tuple[KnownKey, ...] = ()
    claimed: KnownKey | None = None

    @property
    def confirmed(self) -> bool:
        """Whether a person or the site's files stand for it."""
        return self.confirmed_by is not None


DECLARED_BY: Final = "site"
"""Stands as ``confirmed_by`` of a key that the site's files name."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One track's chain. ``state`` None: a person let it begin anew, and nothing came yet.

    ``told_to`` is how far segments and gaps reach; ``gap_open`` while a gap goes on. ``broken``:
    its last line was refused; ``stuck``: and that one was signed by the node's own key, so that the
    chain does not go on by itself.
    """

    node_id: NodeId
    track_id: str
    room_id: RoomId
    state: ChainState | None
    known_from: int
    life: int = 1
    witness: str = ""
    witnessed_utc_ms: UtcMs = UtcMs(0)
    entry_utc_ms: UtcMs = UtcMs(0)
    told_to: At | None = None
    gap_open: bool = False
    refused: int = 0
    broken: bool = False
    stuck: bool = False

    @property
    def id(self) -> str:
        """Key of ``Ledger.chains``."""
        return chain_id(self.node_id, self.track_id)

    @property
    def sequence(self) -> int:
        """Of the head; 0: none."""
        return self.state.sequence if self.state else 0


@dataclass(frozen=True, slots=True)
class LastRoot:
    """The newest hourly root; ``sha256`` is the hash of its line."""

    number: int
    sha256: str
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of all chains of a site. ``declared``: raw keys that the site's files name."""

    notary: Notary = NOBODY
    chains: Mapping[str, Chain] = field(default_factory=dict)
    keys: Mapping[NodeId, NodeKey] = field(default_factory=dict)
    root: LastRoot | None = None
    declared: Mapping[NodeId, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """A line that continues its chain. ``odd``: what is wrong with it all the same."""

    before: Chain | None
    chain: Chain
    entry: Entry
    filed: FileEntry
    odd: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a line is no part of its chain; ``kind`` is a ``FaultKind`` or ``unreadable``."""

    kind: str
    text: Sentence


TOO_MANY_CHAINS: Final = Objection(
    "too_many_chains",
    Sentence(
        zh=f"已有 {CHAINS_MAX} 条证据链，不再接收新的。",
        en=f"There are {CHAINS_MAX} chains already; no other is taken.",
    ),
)


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A line that its chain does not allow; ``filed`` None once enough of them are kept."""

    why: Objection
    filed: FileRefused | None


def chain_id(node_id: NodeId, track_id: str) -> str:
    """Key of ``Ledger.chains``."""
    return f"{node_id}/{track_id}"


def to_look_up(ledger: Ledger, said: EntryAppended) -> str | None:
    """The SHA-256 of a line that may have been stored before; None: it is plainly the next one."""
    chain = ledger.chains.get(chain_id(said.node_id, said.track_id))
    if chain is None:
        return None
    raw = said.line.encode()
    try:
        _, entry = parse_entry(raw)
    except LineError:
        return None
    if chain.state is not None and entry.sequence > chain.sequence:
        return None
    return hashlib.sha256(raw).hexdigest()


def take(
    ledger: Ledger, said: EntryAppended, utc_ms: UtcMs, *, stored: bool
) -> tuple[Ledger, Taken | NotTaken | None]:
    """Judge an announced line; None: it is known, or too old to be told from a known one.

    ``stored``: the very same bytes are in the store already. A chain whose beginning this
    controller has never seen is taken up where it stands (``Chain.known_from``).
    """
    raw = said.line.encode()
    chain = ledger.chains.get(chain_id(said.node_id, said.track_id))
    state = chain.state if chain else None
    if stored or (state and state.head == hashlib.sha256(raw).hexdigest()):
        return ledger, None
    try:
        _, entry = parse_entry(raw)
    except LineError as error:
        return _refused(ledger, said, None, _unreadable(error), utc_ms)
    if chain and state and entry.sequence < chain.known_from:
        return ledger, None
    if chain is None and len(ledger.chains) >= CHAINS_MAX:
        return ledger, NotTaken(TOO_MANY_CHAINS, None)
    misplaced = _misplaced(ledger, said, entry)
    if misplaced is not None:
        return _refused(ledger, said, entry, _objection(misplaced), utc_ms)
    pinned = ledger.keys.get(said.node_id) or _first_key(ledger, said, entry, utc_ms)
    keys = Keys(_trusted(pinned), ledger.notary.check)
    after, entry, faults = chains.step(state, raw, keys)
    breaking = [row for row in faults if row.kind in BREAKING and not _begins(state, row)]
    if breaking or pinned is None:
        return _refused(ledger, said, entry, _objection(breaking[0]), utc_ms)
    odd = tuple(row for row in faults if row.kind not in BREAKING)
    return _appended(ledger, said, entry, (chain, after, pinned), odd, utc_ms)


def _begins(state: ChainState | None, fault: Fault) -> bool:
    return state is None and fault.kind is FaultKind.BEGINNING


def _misplaced(ledger: Ledger, said: EntryAppended, entry: Entry) -> Fault | None:
    meant = (ledger.notary.site, said.node_id, said.track_id)
    if (entry.site, entry.node, entry.track) == meant:
        return None
    said_of = f"{entry.site}/{entry.node}/{entry.track}"
    return Fault(FaultKind.OTHER_CHAIN, (said_of, "/".join(meant)))


def _appended(
    ledger: Ledger,
    said: EntryAppended,
    entry: Entry,
    judged: tuple[Chain | None, ChainState, NodeKey],
    odd: tuple[Fault, ...],
    utc_ms: UtcMs,
) -> tuple[Ledger, Taken]:
    before, state, pinned = judged
    known_from = before.known_from if before and before.state else entry.sequence
    chain = Chain(
        node_id=said.node_id,
        track_id=said.track_id,
        room_id=said.room_id,
        state=state,
        known_from=known_from,
        life=before.life if before else 1,
        witness=_countersigned(ledger.notary, entry, state.head, utc_ms),
        witnessed_utc_ms=utc_ms,
        entry_utc_ms=entry.recorded.utc_ms,
        told_to=told_to(before.told_to if before else None, entry),
        gap_open=not entry.ended if isinstance(entry, Gap) else _still_open(before, entry),
        refused=before.refused if before else 0,
    )
    pinned = _after_handover(pinned, entry, state, utc_ms)
    ledger = replace(
        ledger,
        chains={**ledger.chains, chain.id: chain},
        keys=ledger.keys
        if ledger.keys.get(said.node_id) is pinned
        else {**ledger.keys, said.node_id: pinned},
    )
    return ledger, Taken(before, chain, entry, _filed(chain, entry, said.line, utc_ms), odd)


def _still_open(before: Chain | None, entry: Entry) -> bool:
    """A gap goes on until a segment or its own end is told."""
    return before is not None and before.gap_open and not isinstance(entry, Segment)


def _countersigned(notary: Notary, entry: Entry, sha256: str, utc_ms: UtcMs) -> str:
    witness = Witness(
        site=entry.site,
        node=entry.node,
        track=entry.track,
        sequence=entry.sequence,
        entry_sha256=sha256,
        entry_key=entry.key,
        witnessed_utc_ms=utc_ms,
        key=notary.key,
    )
    return sign_line(witness, notary.sign).decode()


def _filed(chain: Chain, entry: Entry, line: str, utc_ms: UtcMs) -> FileEntry:
    stretch = entry if isinstance(entry, Segment | Gap) else None
    segment = entry if isinstance(entry, Segment) else None
    gap = entry if isinstance(entry, Gap) else None
    session = entry if isinstance(entry, Sealed | Released | Kept) else None
    return FileEntry(
        node_id=chain.node_id,
        track_id=chain.track_id,
        room_id=chain.room_id,
        life=chain.life,
        sequence=entry.sequence,
        entry_kind=entry.kind,
        sha256=chain.state.head if chain.state else NOTHING,
        key=entry.key,
        recorded_utc_ms=entry.recorded.utc_ms,
        received_utc_ms=utc_ms,
        line=line,
        witness=chain.witness,
        start_utc_ms=stretch.start.utc_ms if stretch else None,
        duration_ms=stretch.duration_ms if stretch else None,
        bytes=segment.bytes if segment else None,
        media_sha256=segment.sha256 if segment else None,
        reason=gap.reason.value if gap else None,
        detail=gap.detail if gap else "",
        ended=gap.ended if gap else None,
        session_id=session.session_id if session else None,
    )


def _refused(
    ledger: Ledger, said: EntryAppended, entry: Entry | None, why: Objection, utc_ms: UtcMs
) -> tuple[Ledger, NotTaken]:
    name = chain_id(said.node_id, said.track_id)
    chain = ledger.chains.get(name)
    if chain is None and len(ledger.chains) >= CHAINS_MAX:
        return ledger, NotTaken(TOO_MANY_CHAINS, None)
    chain = chain or Chain(said.node_id, said.track_id, said.room_id, None, 0, life=1)
    filed = FileRefused(
        node_id=said.node_id,
        track_id=said.track_id,
        room_id=said.room_id,
        sequence=entry.sequence if entry else None,
        sha256=hashlib.sha256(said.line.encode()).hexdigest(),
        fault=why.kind,
        detail=why.text.en,
        received_utc_ms=utc_ms,
        line=said.line,
    )
    kept = chain.refused < REFUSED_KEPT_MAX
    stuck = chain.stuck or why.kind in OUT_OF_ORDER
    after = replace(chain, refused=chain.refused + 1, broken=True, stuck=stuck)
    ledger = replace(ledger, chains={**ledger.chains, name: after})
    if entry is not None:
        ledger = _with_claim(ledger, said, entry)
    return ledger, NotTaken(why, filed if kept else None)


def _unreadable(error: LineError) -> Objection:
    said = str(error)[:200]
    return Objection(
        "unreadable", Sentence(zh=f"这一行无法读取：{said}", en=f"The line cannot be read: {said}")
    )


def _objection(fault: Fault) -> Objection:
    return Objection(fault.kind.value, sentence(fault))


def sentence(fault: Fault) -> Sentence:
    """What is wrong with an entry, as people read it."""
    return Sentence(
        zh=f"该条目{fault.text('zh-CN')}。"[:400], en=f"The entry {fault.detail}."[:400]
    )


# --- keys --------------------------------------------------------------------------------------


def _trusted(pinned: NodeKey | None) -> Mapping[KeyId, bytes]:
    if pinned is None:
        return {}
    return {row.key: row.raw for row in (*pinned.former, pinned.current)}


def _offered(said: EntryAppended, entry: Entry) -> KnownKey | None:
    """The public key that an announcement brings for its own line, if it has the line's id."""
    texts = (entry.public_key if isinstance(entry, Opened) else None, said.public_key)
    for text in texts:
        raw = chains.decode_public_key(text) if text is not None else None
        if raw is not None and key_id(raw) == entry.key:
            return KnownKey(entry.key, b64encode(raw).decode())
    return None


def _first_key(ledger: Ledger, said: EntryAppended, entry: Entry, utc_ms: UtcMs) -> NodeKey | None:
    """Trust on first use: nobody else has signed for this node here."""
    declared = ledger.declared.get(said.node_id)
    if declared is not None:
        return declared_key(said.node_id, declared, utc_ms)
    offered = _offered(said, entry)
    if offered is None:
        return None
    return NodeKey(said.node_id, offered, KeyOrigin.SEEN, utc_ms)


def declared_key(node_id: NodeId, raw: bytes, utc_ms: UtcMs) -> NodeKey:
    """The key of a node as the site's files name it."""
    known = KnownKey(key_id(raw), b64encode(raw).decode())
    return NodeKey(node_id, known, KeyOrigin.DECLARED, utc_ms, DECLARED_BY, utc_ms)


def _after_handover(pinned: NodeKey, entry: Entry, state: ChainState, utc_ms: UtcMs) -> NodeKey:
    """A node hands all its chains over; the first of them moves its key, the others follow."""
    if not isinstance(entry, HandedOver) or entry.key != pinned.current.key:
        return pinned
    return replace(
        pinned,
        current=KnownKey(state.key, b64encode(state.public_key).decode()),
        origin=KeyOrigin.HANDED_OVER,
        since_utc_ms=utc_ms,
        former=(*pinned.former, pinned.current)[-FORMER_MAX:],
    )


def _with_claim(ledger: Ledger, said: EntryAppended, entry: Entry) -> Ledger:
    """Remember the key of a refused line, so that a person can say whether it is the node's."""
    pinned, offered = ledger.keys.get(said.node_id), _offered(said, entry)
    if pinned is None or offered is None or offered.key in _trusted(pinned):
        return ledger
    if pinned.claimed == offered:
        return ledger
    return replace(ledger, keys={**ledger.keys, said.node_id: replace(pinned, claimed=offered)})


def confirm(
    ledger: Ledger, node_id: NodeId, key: KeyId, by: str, utc_ms: UtcMs
) -> tuple[Ledger, tuple[Chain, ...]] | Refused:
    """A person stands for a node's key: the ledger after it, and the chains that begin anew.

    Confirming a claimed key revokes the one before it, and all chains of the node begin anew.
    Confirming the current key lets those chains begin anew that are stuck.
    """
    pinned = ledger.keys.get(node_id)
    if pinned is None:
        text = Sentence(
            zh=f"尚未收到节点 {node_id[:40]} 的签名密钥。",
            en=f"No key of node {node_id[:40]} was seen yet.",
        )
        return Refused(Refusal.NOT_FOUND, text)
    claimed = pinned.claimed
    if key == pinned.current.key:
        after = replace(pinned, confirmed_by=by, confirmed_utc_ms=utc_ms, claimed=None)
    elif claimed is not None and key == claimed.key:
        after = NodeKey(node_id, claimed, KeyOrigin.CONFIRMED, utc_ms, by, utc_ms)
    else:
        return _no_such_key(pinned, key)
    replaced = after.current != pinned.current
    anew = tuple(
        _anew(row)
        for row in ledger.chains.values()
        if row.node_id == node_id and (row.stuck or replaced)
    )
    ledger = replace(
        ledger,
        keys={**ledger.keys, node_id: after},
        chains={**ledger.chains, **{row.id: row for row in anew}},
    )
    return ledger, anew


def _anew(chain: Chain) -> Chain:
    """A chain that begins again with its next line; what was filed of it stays."""
    return replace(
        chain,
        state=None,
        known_from=0,
        life=chain.life + 1,
        broken=False,
        stuck=False,
        told_to=None,
        gap_open=False,
    )


def _no_such_key(pinned: NodeKey, key: KeyId) -> Refused:
    known = [pinned.current.key, *([pinned.claimed.key] if pinned.claimed else [])]
    text = Sentence(
        zh=f"{key} 不是该节点使用的密钥；收到过：{'、'.join(known)}。",
        en=f"{key} is not a key of this node; seen: {', '.join(known)}.",
    )
    return Refused(Refusal.CONFLICT, text)


def with_declared(ledger: Ledger, utc_ms: UtcMs) -> Ledger:
    """The ledger after a start: a key that the site's files name stands above what was seen.

    Chains under another key begin anew. It is the same at each start, so nothing of it is stored.
    """
    keys, rows = dict(ledger.keys), dict(ledger.chains)
    for node_id, raw in ledger.declared.items():
        known = keys.get(node_id)
        name = key_id(raw)
        if known is not None and name in _trusted(known):
            if name == known.current.key and not known.confirmed:
                keys[node_id] = replace(known, confirmed_by=DECLARED_BY, confirmed_utc_ms=utc_ms)
            continue
        keys[node_id] = declared_key(node_id, raw, utc_ms)
        for chain in ledger.chains.values():
            if chain.node_id == node_id and chain.state is not None and chain.state.key != name:
                rows[chain.id] = _anew(chain)
    return replace(ledger, keys=keys, chains=rows)


# --- what is said between entries --------------------------------------------------------------


def checkpoint(ledger: Ledger, said: CheckpointTaken) -> Checkpoint | None:
    """What a checkpoint says, if the node's key signed it; None: no word of that node."""
    try:
        line = split_line(said.line.encode())
        found = Checkpoint.model_validate_json(line.signed)
    except ValueError:
        return None
    raw = _trusted(ledger.keys.get(said.node_id)).get(found.key)
    mine = (found.site, found.node, found.track)
    if raw is None or mine != (ledger.notary.site, said.node_id, said.track_id):
        return None
    return found if ledger.notary.check(raw, line.signed, line.signature) else None


def told_to(before: At | None, entry: Entry) -> At | None:
    """How far segments and gaps of a chain reach once this entry is told."""
    if not isinstance(entry, Segment | Gap):
        return before
    end = entry.start.model_copy(
        update={
            "utc_ms": entry.start.utc_ms + entry.duration_ms,
            "mono_ms": entry.start.mono_ms + entry.duration_ms,
        }
    )
    if before is not None and before.boot_id == end.boot_id and before.mono_ms > end.mono_ms:
        return before
    return end


def untold_ms(before: At | None, entry: Entry) -> int:
    """Milliseconds between what was told and where this segment or gap begins; 0: none.

    By the monotonic clock on one boot, else by UTC.
    """
    if before is None or not isinstance(entry, Segment | Gap):
        return 0
    start = entry.start
    if before.boot_id == start.boot_id:
        return max(0, start.mono_ms - before.mono_ms)
    return max(0, start.utc_ms - before.utc_ms)


# --- hourly roots ------------------------------------------------------------------------------


def root_due(ledger: Ledger, utc_ms: UtcMs) -> bool:
    """Whether an hour of UTC has begun since the last root; the first is due with the first head.

    A clock that stepped back makes none until it has passed the last one's hour again.
    """
    last = ledger.root
    if last is not None and utc_ms // HOUR_MS <= last.utc_ms // HOUR_MS:
        return False
    return any(row.witness for row in ledger.chains.values())


def heads_in_order(ledger: Ledger) -> Sequence[Chain]:
    """The chains with a countersigned head, by node and track: the order of the leaves."""
    rows = [row for row in ledger.chains.values() if row.witness and row.state is not None]
    return sorted(rows, key=lambda row: (row.node_id, row.track_id))


def with_root(ledger: Ledger, utc_ms: UtcMs) -> tuple[Ledger, FileRoot]:
    """One Merkle root over all countersigned heads, signed, chained to the root before it."""
    heads = heads_in_order(ledger)
    last = ledger.root
    found = merkle.root([row.witness.encode() for row in heads]).hex()
    said = Root(
        site=ledger.notary.site,
        number=last.number + 1 if last else 1,
        previous=last.sha256 if last else NOTHING,
        heads=len(heads),
        root=found,
        utc_ms=utc_ms,
        key=ledger.notary.key,
    )
    line = sign_line(said, ledger.notary.sign)
    sha256 = hashlib.sha256(line).hexdigest()
    filed = FileRoot(
        number=said.number,
        utc_ms=utc_ms,
        root=found,
        sha256=sha256,
        line=line.decode(),
        leaves=tuple((row.node_id, row.track_id, row.life, row.sequence) for row in heads),
    )
    return replace(ledger, root=LastRoot(said.number, sha256, utc_ms)), filed
