"""Holds retrievals (调阅): recordings asked for under rules, approved by another, exported."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from contracts.api.base import Sentence
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import CameraId, Note, RoomId, SessionId, Sha256Hex, UtcMs

HOURS_MAX: Final = 24
# Of one request, all its cameras together: at 4 Mb/s some 43 GB. Longer is asked for in parts.
CAMERAS_MAX: Final = 16  # the cameras of three rooms and their corridor
KEPT_DAYS_MAX: Final = 30  # a package lies ready at the most so long; the recordings stay
KEPT_DAYS: Final = 7

Reason = Annotated[Note, StringConstraints(min_length=5, max_length=500)]
"""Long enough to be one."""


class RetrievalForm(StrEnum):
    """What an applicant is given."""

    EXACT = "exact"
    """The interval that was asked for: files as they were recorded, the first and the last cut at
    key frames without encoding anew, and the chain that they are proved by."""
    WHOLE = "whole"
    """The recorded files byte for byte, whole: a little longer than the interval, and provable
    with no more than ``sha256sum`` and a public key."""
    WATERMARKED = "watermarked"
    """Video with the applicant's name burnt in: for looking at; it proves nothing by itself."""


class RetrievalState(StrEnum):
    """``asked -> approved | refused``; ``approved -> making -> ready | failed``; then expired."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class RetrievalBody(Strict):
    """Ask for recordings: of which cameras, of what time, why, and on whose behalf."""

    reason: Reason = Field(examples=["行政监督部门 2026-118 号协查函 / letter 2026-118"])
    on_behalf_of: str = Field(default="", max_length=120, examples=["市公共资源监督局"])
    cameras: tuple[CameraId, ...] = Field(min_length=1, max_length=CAMERAS_MAX)
    from_utc_ms: UtcMs = Field(ge=0)
    to_utc_ms: UtcMs = Field(ge=0)
    form: RetrievalForm = RetrievalForm.WATERMARKED

    @model_validator(mode="after")
    def _has_an_interval(self) -> "RetrievalBody":
        if len(set(self.cameras)) != len(self.cameras):
            raise ValueError("cameras names one twice; name each once")
        lasts_ms = self.to_utc_ms - self.from_utc_ms
        if lasts_ms < 1_000:
            raise ValueError("the interval must last at least one second: to_utc_ms is too early")
        if lasts_ms * len(self.cameras) > HOURS_MAX * 3_600_000:
            raise ValueError(
                f"one request holds at most {HOURS_MAX} hours, all cameras together; ask in parts"
            )
        return self


class DecisionBody(Strict):
    """Approve or refuse, with the reason; ``keep_days``: how long the package can be fetched."""

    reason: Reason = Field(examples=["协查函已核对 / letter checked"])
    keep_days: int = Field(default=KEPT_DAYS, ge=1, le=KEPT_DAYS_MAX)
    during_session: bool = False
    """Also while a room of it is sealed; otherwise the package waits for the release."""


class RetrievalView(Strict):
    """One retrieval. ``sessions``: those that its interval and rooms overlap.

    ``note``: why it waits or failed. ``gaps``: what was not recorded in the interval; it stands
    in the package too. ``views``: how often it was fetched.
    """

    id: str
    number: int
    state: RetrievalState
    reason: str
    on_behalf_of: str = ""
    cameras: tuple[CameraId, ...]
    rooms: tuple[RoomId, ...]
    sessions: tuple[SessionId, ...] = ()
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    form: RetrievalForm
    asked_by: str
    asked_utc_ms: UtcMs
    decided_by: str | None = None
    decided_utc_ms: UtcMs | None = None
    decision: str = ""
    during_session: bool = False
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    note: Sentence | None = None
    gaps: int = Field(default=0, ge=0)
    bytes: int | None = None
    sha256: Sha256Hex | None = None
    made_utc_ms: UtcMs | None = None
    expires_utc_ms: UtcMs | None = None
    views: int = Field(default=0, ge=0)


class CameraChoice(Strict):
    """A camera whose recordings this account may ask for."""

    id: CameraId
    name: Named
    room_id: RoomId
    room: Named


class RetrievalPage(Strict):
    """Newest first; ``next_before`` asks for the next page."""

    items: tuple[RetrievalView, ...]
    next_before: int | None = None


class RetrievalLink(Strict):
    """Where the package is fetched: good for this account, for minutes."""

    url: str
    seal_url: str
    expires_utc_ms: UtcMs
    sha256: Sha256Hex
