"""Decides how a camera's link stands from what its reader has last reported; pure."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.evidence.entries import GapReason
from contracts.observations import CameraState
from edge.core.people import Instant

FROZEN_AFTER_MS = 2_500
# Known within 3 s, with the watchdog's own period of 100 ms and a busy machine's delay on top.
FROZEN_FRAMES = (
    3  # ... but a stream of less than one picture a second may be silent for three of its periods
)


class Phase(StrEnum):
    """What the reader is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a connection ended or was not made."""

    REFUSED = "refused"
    """The world said no: refused, unreachable, closed."""
    MISSING = "missing"
    """It answers and knows no such stream."""
    DENIED = "denied"
    """It answers and refuses our user or password."""
    SILENT = "silent"
    """Nobody said anything: a time-out, or we hung up on a stream without pictures."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the reader has last reported. ``changed`` is when ``phase`` began."""

    phase: Phase
    changed: Instant
    last_video: Instant | None = None
    failure: Failure | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LinkNews:
    """A link's state has changed: ``since`` the last picture before a loss, seen at ``noticed``.

    ``reason`` says why nothing can be recorded; None while the link is live.
    """

    state: CameraState
    reason: GapReason | None
    since: Instant
    noticed: Instant
    error: str | None = None


def frozen_after_ms(fps: float) -> int:
    """How long a stream of this declared rate may be without a picture."""
    return max(FROZEN_AFTER_MS, round(FROZEN_FRAMES * 1000 / fps))


def judge(
    before: CameraState, facts: Facts, now: Instant, limit_ms: int
) -> tuple[CameraState, Instant]:
    """The state now, and since when: the last picture, or the failure where there never was one."""
    since = facts.last_video or facts.changed
    match facts.phase:
        case Phase.STREAMING:
            # A new connection proves nothing: until a picture comes, the state before stands.
            if now.mono_ms - since.mono_ms >= limit_ms:
                return CameraState.FROZEN, since
            return (CameraState.LIVE if facts.last_video else before), since
        case Phase.FAILED:
            if before is CameraState.FROZEN and facts.failure is Failure.SILENT:
                return CameraState.FROZEN, since
            return CameraState.OFFLINE, since
        case Phase.CONNECTING:
            return before, since


def gap_reason(state: CameraState, failure: Failure | None) -> GapReason | None:
    """Why a link in this state gives nothing to record; None when it does or may at once."""
    match state:
        case CameraState.LIVE | CameraState.STARTING:
            return None
        case CameraState.FROZEN:
            return GapReason.CAMERA_SILENT
        case CameraState.OFFLINE:
            denied = failure is Failure.DENIED
            return GapReason.CAMERA_REFUSED if denied else GapReason.CAMERA_OFFLINE
