"""Decides which entry of a chain an order becomes."""

from typing import TypedDict

from contracts.evidence.entries import (
    At,
    Changed,
    ClockState,
    Held,
    Kept,
    Lifted,
    Released,
    Sealed,
    TrackId,
)
from contracts.units import NodeId, SiteId
from edge.core.recording import (
    DeleteFiles,
    HoldTracks,
    KeepTracks,
    LiftHold,
    NoteTracks,
    ReleaseTracks,
    SealTracks,
)

Marking = SealTracks | ReleaseTracks | KeepTracks | NoteTracks | HoldTracks | LiftHold
"""What a chain is asked to write down and nothing else."""

Order = Marking | DeleteFiles
"""What a chain is asked to do."""


class Header(TypedDict):
    """What every entry says of itself, for ``Entry(**header, ...)``."""

    key: str
    site: SiteId
    node: NodeId
    track: TrackId
    sequence: int
    previous: str
    recorded: At
    clock: ClockState


def entry_of(
    h: Header, request_id: str, order: Marking
) -> Sealed | Released | Kept | Changed | Held | Lifted:
    """The entry of an order, not yet signed."""
    match order:
        case SealTracks():
            return Sealed(
                **h,
                request_id=request_id,
                session_id=order.session_id,
                admitted=order.admitted,
                keep_days=order.keep_days,
                frozen=order.frozen,
            )
        case ReleaseTracks():
            return Released(**h, request_id=request_id, session_id=order.session_id)
        case KeepTracks():
            return Kept(
                **h,
                request_id=request_id,
                session_id=order.session_id,
                from_utc_ms=order.from_utc_ms,
                to_utc_ms=order.to_utc_ms,
                keep_until_utc_ms=order.keep_until_utc_ms,
            )
        case NoteTracks():
            return Changed(
                **h,
                request_id=request_id,
                what=order.what,
                before=order.before,
                after=order.after,
            )
        case HoldTracks():
            return Held(
                **h,
                request_id=request_id,
                hold_id=order.hold_id,
                from_utc_ms=order.from_utc_ms,
                to_utc_ms=order.to_utc_ms,
                reason=order.reason,
                by=order.by,
            )
        case LiftHold():
            return Lifted(
                **h,
                request_id=request_id,
                hold_id=order.hold_id,
                reason=order.reason,
                by=order.by,
            )
