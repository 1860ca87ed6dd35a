"""Decides whether a room was looked through since a session was last in it."""

from dataclasses import dataclass, replace

from contracts.api.roster import SweepBody, SweepView
from contracts.units import RoomId, UtcMs


@dataclass(frozen=True, slots=True)
class Sweep:
    """Somebody looked through a room; it counts if all three things were made sure of."""

    utc_ms: UtcMs
    by: str
    empty: bool
    phones_cleared: bool
    papers_cleared: bool
    note: str = ""

    @property
    def clean(self) -> bool:
        """Whether the room is ready for the next session."""
        return self.empty and self.phones_cleared and self.papers_cleared


@dataclass(frozen=True, slots=True)
class RoomCare:
    """When a session last left a room, and how it was last swept."""

    room_id: RoomId
    released_utc_ms: UtcMs | None = None
    swept: Sweep | None = None
    dirty: bool = False
    """A session was there, or a sweep found something, and no clean sweep came after it."""


def needed(care: RoomCare | None) -> bool:
    """Whether the room has to be swept before people gather there."""
    return care is not None and care.dirty


def left(care: RoomCare | None, room_id: RoomId, utc_ms: UtcMs) -> RoomCare:
    """A session has left the room."""
    return replace(care or RoomCare(room_id), released_utc_ms=utc_ms, dirty=True)


def swept(
    care: RoomCare | None, room_id: RoomId, body: SweepBody, by: str, utc_ms: UtcMs
) -> RoomCare:
    """Somebody looked through the room."""
    sweep = Sweep(
        utc_ms=utc_ms,
        by=by,
        empty=body.empty,
        phones_cleared=body.phones_cleared,
        papers_cleared=body.papers_cleared,
        note=body.note,
    )
    return replace(care or RoomCare(room_id), swept=sweep, dirty=not sweep.clean)


def view(care: RoomCare | None, room_id: RoomId) -> SweepView:
    """A room's sweep as people see it."""
    last = care.swept if care is not None else None
    return SweepView(
        room_id=room_id,
        needed=needed(care),
        swept_utc_ms=last.utc_ms if last else None,
        swept_by=last.by if last else None,
        empty=last.empty if last else None,
        phones_cleared=last.phones_cleared if last else None,
        papers_cleared=last.papers_cleared if last else None,
        note=last.note if last else "",
        released_utc_ms=care.released_utc_ms if care else None,
    )
