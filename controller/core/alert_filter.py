"""Holds which alerts somebody wants to see of the store: every part left out takes all."""

from dataclasses import dataclass

from contracts.api import Disposition, Handling
from contracts.observations import Severity
from contracts.units import RoomId, RuleCode, SessionId, UtcMs


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What to look for. ``rooms``: what the asker may see; ``open_only``: not yet resolved."""

    shadow: bool | None = False
    handling: tuple[Handling, ...] = ()
    severity: tuple[Severity, ...] = ()
    disposition: Disposition | None = None
    rule: RuleCode | None = None
    room_id: RoomId | None = None
    session_id: SessionId | None = None
    owner: str | None = None
    since_utc_ms: UtcMs | None = None
    until_utc_ms: UtcMs | None = None
    open_only: bool = False
    rooms: tuple[RoomId, ...] | None = None
