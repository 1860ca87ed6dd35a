"""What the controller's API says of evidence: heads, keys, chains, roots and proofs.

The routes are ``/api/v1/evidence/...`` (controller.api); lines are given as they were signed, so
that whoever asks can check them without trusting the answer.
"""

from enum import StrEnum

from contracts.envelope import Strict
from contracts.evidence.entries import TrackId
from contracts.evidence.lines import KeyId
from contracts.units import NodeId, RoomId, SessionId, Sha256Hex, UtcMs


class KeyOrigin(StrEnum):
    """How a node's key came to be trusted."""

    SEEN = "seen"
    """The first key that this node signed with: trust on first use."""
    DECLARED = "declared"
    """The site's files name it."""
    HANDED_OVER = "handed_over"
    """The key before it named it."""
    CONFIRMED = "confirmed"
    """A person put it in the place of another."""


class NodeKeyView(Strict):
    """The key that a node signs its recordings with, as this controller trusts it.

    ``claimed``: another key that lines were signed with which were refused; see docs/guide/keys.md.
    """

    node_id: NodeId
    key: KeyId
    public_key_pem: str
    origin: KeyOrigin
    since_utc_ms: UtcMs
    confirmed: bool
    confirmed_by: str | None = None
    confirmed_utc_ms: UtcMs | None = None
    claimed: KeyId | None = None


class ConfirmKeyBody(Strict):
    """The id of a node's key, compared by a person with what the node itself shows."""

    key: KeyId


class HeadView(Strict):
    """The newest sound entry of a track's chain, with the countersignature."""

    node_id: NodeId
    track_id: TrackId
    room_id: RoomId
    sequence: int
    sha256: Sha256Hex
    key: KeyId
    known_from: int
    life: int
    """Chains of this track so far: above 1 where a person let it begin anew."""
    refused_lines: int
    witnessed_utc_ms: UtcMs
    witness: str
    """The signed line (``contracts.evidence.entries.Witness``)."""


class EvidenceHeads(Strict):
    """What the controller has witnessed: all heads, its own key and those of the nodes."""

    site: str
    key: KeyId
    heads: tuple[HeadView, ...]
    nodes: tuple[NodeKeyView, ...]


class RootView(Strict):
    """One hourly Merkle root. ``sha256`` is the hash of ``line``; the next root names it."""

    number: int
    utc_ms: UtcMs
    heads: int
    root: Sha256Hex
    sha256: Sha256Hex
    line: str


class RootPage(Strict):
    """Newest first; ``next_before`` asks for the page behind this one."""

    items: tuple[RootView, ...]
    next_before: int | None = None


class ChainEntryView(Strict):
    """One entry of a chain as it was announced; ``witness`` is its countersignature."""

    life: int
    sequence: int
    kind: str
    sha256: Sha256Hex
    key: KeyId
    recorded_utc_ms: UtcMs
    received_utc_ms: UtcMs
    start_utc_ms: UtcMs | None = None
    duration_ms: int | None = None
    bytes: int | None = None
    media_sha256: Sha256Hex | None = None
    reason: str | None = None
    session_id: SessionId | None = None
    line: str
    witness: str


class RefusedLineView(Strict):
    """A line that its chain does not allow; kept, for it may be the trace of a forgery."""

    sequence: int | None
    sha256: Sha256Hex
    fault: str
    detail: str
    received_utc_ms: UtcMs
    line: str


class ChainPage(Strict):
    """Oldest first; ``next_after`` asks for the page behind this one."""

    items: tuple[ChainEntryView, ...]
    refused: tuple[RefusedLineView, ...]
    next_after: int | None = None


class InclusionProof(Strict):
    """Shows that a countersigned head lies under an hourly root (RFC 6962, section 2.1).

    ``leaf`` is the Witness line, number ``index`` (from 0) of ``size``; ``path`` are the siblings,
    lowest first.
    """

    number: int
    root: Sha256Hex
    index: int
    size: int
    leaf: str
    path: tuple[Sha256Hex, ...]
