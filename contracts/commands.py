"""What the controller orders an edge node to do. An unknown field or a stale command is refused."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.admission import ProcurementKind
from contracts.envelope import Strict
from contracts.units import MessageId, RoomId, SessionId, Sha256Hex, UtcMs

ADMITTED_MAX = 40
# Committees have 5, 7 or 9 experts; 40 leaves room for a hall of single-seat places.

KEEP_SEALED_DAYS = 15 * 365 + 4
# Fifteen years with their leap days: what tendering files of public resources are kept for.
KEEP_MAX_DAYS = 36_525  # a century: beyond it a number is a slip of the keyboard


class Seal(Strict):
    """From now on the room belongs to this session: watch it with this many people admitted."""

    kind: Literal["seal"] = "seal"
    command_id: MessageId
    room_id: RoomId
    session_id: SessionId
    admitted: int = Field(ge=0, le=ADMITTED_MAX)
    at_utc_ms: UtcMs
    keep_days: int = Field(default=KEEP_SEALED_DAYS, ge=1, le=KEEP_MAX_DAYS)
    roster_sha256: Sha256Hex | None = None
    """Hash of the roster as the controller froze it; it goes into the evidence chain."""
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    """Which row of the site's admission policy holds in this room."""


class Release(Strict):
    """The session is over: the room goes back to what an unsealed room is watched for."""

    kind: Literal["release"] = "release"
    command_id: MessageId
    room_id: RoomId
    session_id: SessionId
    at_utc_ms: UtcMs


class Keep(Strict):
    """A sealed session passes by this area (corridor, gate, lift): keep what its tracks record.

    ``to_utc_ms`` left out: from then on, until the same session's next order says to when.
    """

    kind: Literal["keep"] = "keep"
    command_id: MessageId
    room_id: RoomId
    session_id: SessionId
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs | None = None
    keep_until_utc_ms: UtcMs
    of_room: RoomId | None = None
    """The room of the session: whose people walk here while it is sealed."""
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    """Of that session: who may walk here."""


Command = Annotated[Seal | Release | Keep, Field(discriminator="kind")]
