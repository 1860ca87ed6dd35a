"""Decides how evidence looks to people: a room's tracks, heads, keys, a session's recordings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.api import HeadSeen, ReportGap, ReportTrack, TrackView
from contracts.evidence.answers import (
    ChainEntryView,
    HeadView,
    NodeKeyView,
    RefusedLineView,
    RootView,
)
from contracts.evidence.entries import NOTHING, ClockState, GapReason, parse_entry
from contracts.observations import NodeState, TrackHealth
from contracts.units import NodeId, RoomId, UtcMs
from controller.core import ledger
from controller.core.ledger import Chain, NodeKey
from controller.core.outputs import FileEntry, FileRefused, FileRoot
from controller.core.plan import Track
from controller.core.recording import UNTOLD_MAX_MS, chain_of
from controller.core.sessions import Session
from controller.core.state import NodeLive, SiteState


def track_views(site: SiteState, room_id: RoomId) -> tuple[TrackView, ...]:
    """How each track of an area is recorded now."""
    node = site.nodes.get(site.plan.watcher.get(room_id, ""))
    said = {row.track_id: row for row in _tracks_of(node)}
    return tuple(
        _track_view(track, said.get(track.id), chain_of(site, track))
        for track in site.plan.tracks.get(room_id, ())
    )


def _tracks_of(node: NodeLive | None) -> tuple[TrackHealth, ...]:
    """What a node says of its tracks; nothing where it or its recorder is gone: it would be old."""
    if node is None or node.health.state is not NodeState.RUNNING:
        return ()
    recording = node.health.recording
    return recording.tracks if recording is not None and recording.running else ()


def _track_view(track: Track, said: TrackHealth | None, chain: Chain | None) -> TrackView:
    return TrackView(
        id=track.id,
        name=track.name,
        kind=track.kind,
        state=said.state if said is not None else None,
        since_utc_ms=said.since_utc_ms if said is not None else None,
        reason=said.reason if said is not None else None,
        sequence=max(said.sequence if said else 0, chain.sequence if chain else 0),
        entry_utc_ms=chain.entry_utc_ms if chain is not None and chain.state else None,
        witnessed_sequence=chain.sequence if chain is not None else 0,
        witnessed_utc_ms=chain.witnessed_utc_ms if chain is not None and chain.state else None,
        known_from=chain.known_from if chain is not None and chain.state else None,
        broken=chain.broken if chain is not None else False,
    )


def clock_of(site: SiteState, room_id: RoomId) -> ClockState | None:
    """How far the clock of an area's node can be trusted, in its own words."""
    node = site.nodes.get(site.plan.watcher.get(room_id, ""))
    if node is None or node.health.recording is None:
        return None
    return node.health.recording.clock


def key_confirmed(site: SiteState, node_id: NodeId | None) -> bool | None:
    """Whether a person stands for the key of a node; None: none was seen."""
    key = site.ledger.keys.get(node_id or "")
    return key.confirmed if key is not None else None


def head_view(chain: Chain) -> HeadView:
    """The head of a chain that has one."""
    state = chain.state
    return HeadView(
        node_id=chain.node_id,
        track_id=chain.track_id,
        room_id=chain.room_id,
        sequence=chain.sequence,
        sha256=state.head if state is not None else NOTHING,
        key=state.key if state is not None else "none:0000000000000000",
        known_from=chain.known_from,
        life=chain.life,
        refused_lines=chain.refused,
        witnessed_utc_ms=chain.witnessed_utc_ms,
        witness=chain.witness,
    )


def node_key_view(known: NodeKey, pem: bytes) -> NodeKeyView:
    """The key of a node, with its PEM."""
    return NodeKeyView(
        node_id=known.node_id,
        key=known.current.key,
        public_key_pem=pem.decode(),
        origin=known.origin,
        since_utc_ms=known.since_utc_ms,
        confirmed=known.confirmed,
        confirmed_by=known.confirmed_by,
        confirmed_utc_ms=known.confirmed_utc_ms,
        claimed=known.claimed.key if known.claimed is not None else None,
    )


def root_view(root: FileRoot) -> RootView:
    """An hourly root."""
    return RootView(
        number=root.number,
        utc_ms=root.utc_ms,
        heads=len(root.leaves),
        root=root.root,
        sha256=root.sha256,
        line=root.line,
    )


def entry_view(row: FileEntry) -> ChainEntryView:
    """A filed entry."""
    return ChainEntryView(
        life=row.life,
        sequence=row.sequence,
        kind=row.entry_kind,
        sha256=row.sha256,
        key=row.key,
        recorded_utc_ms=row.recorded_utc_ms,
        received_utc_ms=row.received_utc_ms,
        start_utc_ms=row.start_utc_ms,
        duration_ms=row.duration_ms,
        bytes=row.bytes,
        media_sha256=row.media_sha256,
        reason=row.reason,
        session_id=row.session_id,
        line=row.line,
        witness=row.witness,
    )


def refused_view(row: FileRefused) -> RefusedLineView:
    """A refused line."""
    return RefusedLineView(
        sequence=row.sequence,
        sha256=row.sha256,
        fault=row.fault,
        detail=row.detail,
        received_utc_ms=row.received_utc_ms,
        line=row.line,
    )


# --- a session's recordings --------------------------------------------------------------------


ENTRY_WAIT_MS: Final = 180_000
# A segment is entered when it is full (a minute, two at the most): until then it is not missing.


@dataclass(frozen=True, slots=True)
class Covered:
    """What the announced entries say of one track in an interval."""

    track: Track
    segments: int
    recorded_ms: int
    gaps: tuple[ReportGap, ...]


def report_tracks(
    site: SiteState,
    session: Session,
    covered: Iterable[Covered],
    entries: Sequence[FileEntry],
) -> tuple[ReportTrack, ...]:
    """The recordings of a session; ``entries`` are those that nodes wrote for it."""
    return tuple(_report_track(site, session, row, entries) for row in covered)


def _report_track(
    site: SiteState, session: Session, covered: Covered, entries: Sequence[FileEntry]
) -> ReportTrack:
    track = covered.track
    chain = chain_of(site, track)
    node_id = site.plan.watcher.get(track.room_id)
    return ReportTrack(
        track_id=track.id,
        name=track.name,
        kind=track.kind,
        room_id=track.room_id,
        node_id=node_id,
        key=chain.state.key if chain is not None and chain.state is not None else None,
        key_confirmed=key_confirmed(site, node_id) is True,
        known_from=chain.known_from if chain is not None and chain.state is not None else None,
        head_at_seal=_head(session.heads_at_seal, track.id),
        head_at_release=_head(session.heads_at_release, track.id),
        seal_entry=_sequence(entries, track.id, "seal"),
        release_entry=_sequence(entries, track.id, "release"),
        segments=covered.segments,
        recorded_ms=covered.recorded_ms,
        refused_lines=chain.refused if chain is not None else 0,
    )


def _head(heads: Iterable[HeadSeen], track_id: str) -> HeadSeen | None:
    return next((row for row in heads if row.track_id == track_id), None)


def _sequence(entries: Iterable[FileEntry], track_id: str, kind: str) -> int | None:
    rows = [row for row in entries if row.track_id == track_id and row.entry_kind == kind]
    return rows[0].sequence if rows else None


def report_gaps(covered: Iterable[Covered]) -> tuple[ReportGap, ...]:
    """Every stretch without a recording, for ever: told by nodes or found between their entries."""
    rows = [gap for row in covered for gap in row.gaps]
    return tuple(sorted(rows, key=lambda row: (row.started_utc_ms, row.track_id, row.sequence)))


def covered(
    track: Track,
    chain: Chain | None,
    rows: Sequence[FileEntry],
    interval_utc_ms: tuple[UtcMs, UtcMs],
    now_utc_ms: UtcMs,
) -> Covered:
    """What segments and gaps, in the chain's order, cover of an interval, and what nothing covers.

    A track without a chain was never recorded: it has no gaps, and the report says so elsewhere.
    """
    since, until = interval_utc_ms
    gaps: list[ReportGap] = []
    segments, recorded_ms, told_to = 0, 0, None
    for row in rows:
        _, entry = parse_entry(row.line.encode())
        start, end = row.start_utc_ms or since, (row.start_utc_ms or since) + (row.duration_ms or 0)
        untold_ms = ledger.untold_ms(told_to, entry) if told_to else max(0, start - since)
        if untold_ms > UNTOLD_MAX_MS:
            gaps.append(_hole(track, UtcMs(start - untold_ms), untold_ms, row.sequence))
        told_to = ledger.told_to(told_to, entry)
        if row.entry_kind == "gap":
            _tell(gaps, track, row)
        else:
            segments += 1
            recorded_ms += max(0, min(until, end) - max(since, start))
    last = told_to.utc_ms if told_to is not None else since
    late = chain is not None and now_utc_ms - last > ENTRY_WAIT_MS
    if chain is not None and until - last > UNTOLD_MAX_MS and (late or _tells_later(chain, until)):
        gaps.append(_hole(track, UtcMs(last), until - last, chain.sequence))
    return Covered(track, segments, recorded_ms, tuple(gaps))


def _tells_later(chain: Chain, utc_ms: UtcMs) -> bool:
    return chain.told_to is not None and chain.told_to.utc_ms >= utc_ms


def _tell(gaps: list[ReportGap], track: Track, row: FileEntry) -> None:
    """Add a gap that its node tells; a further piece of the one before lengthens it."""
    start, duration_ms = row.start_utc_ms or row.recorded_utc_ms, row.duration_ms or 0
    last = gaps[-1] if gaps else None
    if last is not None and last.told_by_node and not last.ended and row.reason == last.reason:
        end = max(last.started_utc_ms + last.duration_ms, start + duration_ms)
        longer = {"duration_ms": end - last.started_utc_ms, "ended": row.ended is True}
        gaps[-1] = last.model_copy(update=longer)
        return
    gaps.append(
        ReportGap(
            track_id=track.id,
            name=track.name,
            reason=GapReason(row.reason) if row.reason is not None else GapReason.UNKNOWN,
            detail=row.detail,
            started_utc_ms=start,
            duration_ms=duration_ms,
            ended=row.ended is True,
            sequence=row.sequence,
        )
    )


def _hole(track: Track, since: UtcMs, duration_ms: int, sequence: int) -> ReportGap:
    return ReportGap(
        track_id=track.id,
        name=track.name,
        reason=None,
        detail="",
        started_utc_ms=since,
        duration_ms=duration_ms,
        ended=True,
        sequence=sequence,
        told_by_node=False,
    )
