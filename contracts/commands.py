"""What the controller orders an edge node to do. An unknown field or a stale command is refused."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.envelope import Strict
from contracts.units import MessageId, RoomId, SessionId, UtcMs

ADMITTED_MAX = 40
# Committees have 5, 7 or 9 experts; 40 leaves room for a hall of single-seat places.


class Seal(Strict):
    """From now on the room belongs to this session: watch it with this many people admitted."""

    kind: Literal["seal"] = "seal"
    command_id: MessageId
    room_id: RoomId
    session_id: SessionId
    admitted: int = Field(ge=0, le=ADMITTED_MAX)
    at_utc_ms: UtcMs


class Release(Strict):
    """The session is over: the room goes back to what an unsealed room is watched for."""

    kind: Literal["release"] = "release"
    command_id: MessageId
    room_id: RoomId
    session_id: SessionId
    at_utc_ms: UtcMs


Command = Annotated[Seal | Release, Field(discriminator="kind")]
