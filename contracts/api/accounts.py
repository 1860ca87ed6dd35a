"""Holds who may do what: roles, log-in, users."""

from enum import StrEnum

from pydantic import Field

from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs


class Role(StrEnum):
    """What an account may do; the table of scopes is controller.auth."""

    SUPERVISOR = "supervisor"
    OPS = "ops"
    KITCHEN = "kitchen"
    TABLET = "tablet"
    DOOR_PANEL = "door_panel"
    AUDITOR = "auditor"


class LoginBody(Strict):
    """Log-in of a person or a panel."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class User(Strict):
    """Who asks. ``room_id`` binds a tablet to its room, ``robot_id`` a door panel to its robot."""

    username: str
    roles: tuple[Role, ...]
    room_id: RoomId | None = None


class LoginGiven(Strict):
    """A bearer token for ``Authorization: Bearer``; shown once, stored as a digest."""

    token: str
    expires_utc_ms: UtcMs
    user: User
