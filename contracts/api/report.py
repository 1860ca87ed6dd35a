"""Holds the witness report of a session."""

from typing import Literal

from pydantic import Field

from contracts.api.alerts import Disposition, Handling
from contracts.api.base import Sentence
from contracts.api.deliveries import DeliveryView
from contracts.api.rooms import TrackKind
from contracts.api.sessions import SessionView
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.evidence.entries import GapReason, TrackId
from contracts.evidence.lines import KeyId
from contracts.units import NodeId, RoomId, Sha256Hex, UtcMs


class ReportAlert(Strict):
    """An alert as a line of the witness report."""

    number: int
    title: Named
    since_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None
    handling: Handling
    disposition: Disposition | None
    acknowledged_by: str | None
    picture_sha256: str | None


class HeadSeen(Strict):
    """The end of a track's chain as the controller had it at one moment."""

    node_id: NodeId
    track_id: TrackId
    sequence: int
    sha256: Sha256Hex
    utc_ms: UtcMs


class ReportGap(Strict):
    """Time without a recording while the room was sealed, as a line of the witness report.

    ``told_by_node`` false: no entry of the node explains it; the controller found the hole between
    what was announced.
    """

    track_id: TrackId
    name: Named
    reason: GapReason | None
    detail: str
    started_utc_ms: UtcMs
    duration_ms: int
    ended: bool
    sequence: int
    told_by_node: bool = True


class ReportTrack(Strict):
    """One recording of a session: its chain's head at seal and release, and what it covers."""

    track_id: TrackId
    name: Named
    kind: TrackKind
    room_id: RoomId
    node_id: NodeId | None
    key: KeyId | None
    key_confirmed: bool
    known_from: int | None
    head_at_seal: HeadSeen | None
    head_at_release: HeadSeen | None
    seal_entry: int | None
    """Sequence of the node's own ``seal`` entry for this session."""
    release_entry: int | None
    segments: int
    recorded_ms: int
    refused_lines: int


class WitnessReport(Strict):
    """The draft of a session's witness report; signing comes with the evidence chain.

    ``recordings`` are the tracks of the room and of the passages that a sealed session keeps.
    """

    draft: Literal[True] = True
    session: SessionView
    room: Named
    site: Named
    made_utc_ms: UtcMs
    sealed_for_ms: int | None
    alerts: tuple[ReportAlert, ...]
    deliveries: tuple[DeliveryView, ...]
    statement: Sentence
    recordings: tuple[ReportTrack, ...] = ()
    gaps: tuple[ReportGap, ...] = ()
    shadow_findings: int = Field(default=0, ge=0)
    """What rules in shadow found in this session; nobody was told, so none is an alert."""
