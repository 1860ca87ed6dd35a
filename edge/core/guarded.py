"""Decides which tracks are recorded even when the disk is nearly full: sealed, kept or held."""

from pydantic import Field

from contracts.envelope import Strict
from contracts.evidence.entries import TrackId
from contracts.units import MessageId, RoomId, SessionId, UtcMs
from edge.core.recording import (
    HoldTracks,
    KeepTracks,
    LiftHold,
    ReleaseTracks,
    RequestBody,
    SealTracks,
)

WINDOWS_MAX = 1_000
# Sessions of weeks that pass by one corridor; the oldest that ended go first.


class KeptRoom(Strict):
    """What an area records is kept for a session, from a moment on; None: until told otherwise."""

    room_id: RoomId
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None


class HeldTracks(Strict):
    """A legal hold over an interval that may reach into the future."""

    hold_id: MessageId
    tracks: tuple[TrackId, ...]
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs


class Guarded(Strict):
    """All that guards a track now; small enough to be written as one file at each change."""

    sealed: dict[RoomId, SessionId] = Field(default_factory=dict)
    kept: tuple[KeptRoom, ...] = Field(default=(), max_length=WINDOWS_MAX)
    held: tuple[HeldTracks, ...] = Field(default=(), max_length=WINDOWS_MAX)

    def guards(self, track_id: TrackId, room_id: RoomId, now: UtcMs) -> bool:
        """Whether this track must be recorded whatever the disk says."""
        if room_id in self.sealed:
            return True
        kept = any(
            one.room_id == room_id
            and one.from_utc_ms <= now
            and (one.to_utc_ms is None or now < one.to_utc_ms)
            for one in self.kept
        )
        return kept or any(
            track_id in one.tracks and one.from_utc_ms <= now < one.to_utc_ms for one in self.held
        )


def step(guarded: Guarded, body: RequestBody, now: UtcMs) -> Guarded:
    """What guards the tracks after a request; those that have ended are forgotten on the way."""
    sealed, kept, held = dict(guarded.sealed), list(guarded.kept), list(guarded.held)
    match body:
        case SealTracks():
            sealed[body.room_id] = body.session_id
        case ReleaseTracks():
            # A late release of an earlier session must not take away what guards the present one.
            if sealed.get(body.room_id) == body.session_id:
                del sealed[body.room_id]
        case KeepTracks():
            same = (body.room_id, body.session_id)
            kept = [one for one in kept if (one.room_id, one.session_id) != same]
            kept.append(
                KeptRoom(
                    room_id=body.room_id,
                    session_id=body.session_id,
                    from_utc_ms=body.from_utc_ms,
                    to_utc_ms=body.to_utc_ms,
                )
            )
        case HoldTracks():
            held = [one for one in held if one.hold_id != body.hold_id]
            held.append(
                HeldTracks(
                    hold_id=body.hold_id,
                    tracks=body.tracks,
                    from_utc_ms=body.from_utc_ms,
                    to_utc_ms=body.to_utc_ms,
                )
            )
        case LiftHold():
            held = [one for one in held if one.hold_id != body.hold_id]
        case _:
            return guarded
    kept = [one for one in kept if one.to_utc_ms is None or one.to_utc_ms > now]
    held = [one for one in held if one.to_utc_ms > now]
    return Guarded(sealed=sealed, kept=tuple(kept[-WINDOWS_MAX:]), held=tuple(held[-WINDOWS_MAX:]))
