"""Holds who may do what: roles, log-in, users."""

from enum import StrEnum

from pydantic import Field

from contracts.admission import Sector
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
    SECTOR_SUPERVISOR = "sector_supervisor"
    """Supervises the sessions of one sector (住建、交通、水利、财政) and sees no others."""
    DUTY_OFFICER = "duty_officer"
    SYSTEM_ADMIN = "system_admin"
    """系统管理员: accounts and settings; neither rights nor the audit log."""
    SECURITY_ADMIN = "security_admin"
    """安全管理员: who may do what, second factors, unlocking."""
    AUDIT_ADMIN = "audit_admin"
    """审计管理员: the audit log, and nothing else."""
    TERMINAL = "terminal"
    """A door or ID terminal that reports check-ins."""
    SITE_LINK = "site_link"
    """Another site's controller, in a remote evaluation."""


class LoginBody(Strict):
    """Log-in of a person or a panel."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class Grants(Strict):
    """What of the site an account reaches, beside its roles. None: all of it.

    Picture and sound of a sealed room are rights of their own: who has one need not have the other.
    """

    rooms: tuple[RoomId, ...] | None = None
    sectors: tuple[Sector, ...] | None = None
    picture: bool = True
    sound: bool = True


class User(Strict):
    """Who asks. ``room_id`` binds a tablet to its room."""

    username: str
    roles: tuple[Role, ...]
    room_id: RoomId | None = None
    grants: Grants = Grants()


class LoginGiven(Strict):
    """A bearer token for ``Authorization: Bearer``; shown once, stored as a digest."""

    token: str
    expires_utc_ms: UtcMs
    user: User
