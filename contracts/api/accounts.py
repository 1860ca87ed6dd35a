"""Holds who may do what: roles, log-in, users, second factors, tokens, one-time links."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from contracts.admission import Sector
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs

PASSWORD_MAX_CHARS: Final = 256  # hashing a longer one would only cost time
TOKEN_MAX_CHARS: Final = 128  # ours have 43
NAME_PATTERN: Final = r"^[A-Za-z0-9_.@\-\u4e00-\u9fff]{1,64}$"
SECOND_FACTOR: Final = "urn:zeroentry:second-factor"
"""Problem type: the password is right; send it again with ``code``."""
MUST: Final = "urn:zeroentry:must"
"""Problem type: the account has something to do first, see ``User.must``."""


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


ADMINS: Final = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
"""三员: none of them holds another's power."""

MACHINES: Final = frozenset({Role.TABLET, Role.DOOR_PANEL, Role.TERMINAL, Role.SITE_LINK})
"""Roles of things: nobody is there who could type a second factor."""

AccountName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=PASSWORD_MAX_CHARS)]
OneTimeText = Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_MAX_CHARS)]
Code = Annotated[str, StringConstraints(min_length=6, max_length=20)]
"""Six digits of an authenticator, or a recovery code."""


class LoginBody(Strict):
    """Log-in of a person or a panel. ``code``: of the second factor, where one is enrolled."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=PASSWORD_MAX_CHARS)
    code: Code | None = None


class Grants(Strict):
    """What of the site an account reaches, beside its roles. None: all of it.

    Picture and sound of a sealed room are rights of their own: who has one need not have the other.
    """

    rooms: tuple[RoomId, ...] | None = Field(default=None, max_length=500)
    sectors: tuple[Sector, ...] | None = Field(default=None, max_length=20)
    picture: bool = True
    sound: bool = True


class Must(StrEnum):
    """What an account has to do before it may do anything else."""

    CHANGE_PASSWORD = "change_password"  # noqa: S105  # the name of a duty
    ENROL_SECOND_FACTOR = "enrol_second_factor"


class User(Strict):
    """Who asks. ``room_id`` binds a tablet to its room; ``must`` is to be done first."""

    username: str
    roles: tuple[Role, ...]
    room_id: RoomId | None = None
    grants: Grants = Grants()
    must: tuple[Must, ...] = ()


class LoginGiven(Strict):
    """A bearer token for ``Authorization: Bearer``; shown once, stored as a digest."""

    token: str
    expires_utc_ms: UtcMs
    user: User


class PasswordBody(Strict):
    """Change one's own password; every other log-in of the account ends."""

    old: Password
    new: Password


class SecondFactorOffer(Strict):
    """A new second factor, not valid before its first code was typed. Shown once."""

    secret: str
    uri: str
    qr_svg: str


class CodeBody(Strict):
    """A code of the second factor."""

    code: Code


class RecoveryCodes(Strict):
    """One-time codes for the day the authenticator is lost; shown once, kept as digests."""

    codes: tuple[str, ...]


class MyAccount(Strict):
    """What one sees of one's own account. ``external``: it logs in at an identity provider."""

    user: User
    second_factor: bool
    second_factor_required: bool
    recovery_codes_left: int
    password_utc_ms: UtcMs | None = None
    external: bool = False
    password_min_chars: int
    scopes: tuple[str, ...]
    """What the roles allow; an API token may hold any of them."""


class LoginView(Strict):
    """One log-in of one's own that is still good."""

    id: str
    made_utc_ms: UtcMs
    used_utc_ms: UtcMs
    expires_utc_ms: UtcMs
    address: str
    agent: str
    current: bool


class TokenBody(Strict):
    """Make an API token for a program. ``scopes``: some of the owner's."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    scopes: tuple[str, ...] = Field(min_length=1, max_length=100)
    days: int = Field(default=90, ge=1, le=366)


class OwnedTokenBody(TokenBody):
    """Make an API token in another account's name."""

    username: AccountName


class TokenView(Strict):
    """An API token as it is listed: never the token itself."""

    id: str
    name: str
    username: str
    scopes: tuple[str, ...]
    made_utc_ms: UtcMs
    used_utc_ms: UtcMs | None = None
    expires_utc_ms: UtcMs


class TokenGiven(Strict):
    """A new API token; ``token`` is in this answer alone."""

    token: str
    view: TokenView


class LinkGiven(Strict):
    """A one-time link for a person who sets a password by it; ``secret`` is in this answer alone.

    The console's page for it is ``/welcome#SECRET``: what stands behind # reaches no server's log.
    """

    username: str
    secret: str
    expires_utc_ms: UtcMs


class LinkBody(Strict):
    """Set a password by a one-time link."""

    secret: OneTimeText
    password: Password


class LinkAsked(Strict):
    """Ask what a one-time link is for."""

    secret: OneTimeText


class LinkView(Strict):
    """What a one-time link is for. ``first``: of a controller that has no account yet."""

    first: bool
    username: str = ""
    three_admins: bool = False
    """Whether the three administrators must be three people (level 3)."""
    password_min_chars: int


class FirstBody(Strict):
    """Make the first accounts: the system administrator, who asks, and the other two.

    Left out, one account holds all three roles; the level-3 profile refuses that.
    """

    secret: OneTimeText
    username: AccountName
    password: Password
    security_admin: AccountName | None = None
    audit_admin: AccountName | None = None


class FirstGiven(Strict):
    """The first accounts: links by which the other two set their passwords."""

    user: User
    links: tuple[LinkGiven, ...]


class AccountBody(Strict):
    """Make an account. Roles and grants need the right to give rights, beside that to make."""

    username: AccountName
    roles: tuple[Role, ...] = Field(default=(), max_length=len(Role))
    room_id: RoomId | None = None
    grants: Grants = Grants()


class RightsBody(Strict):
    """What an account may do from now on."""

    roles: tuple[Role, ...] = Field(max_length=len(Role))
    room_id: RoomId | None = None
    grants: Grants = Grants()


class AccountView(Strict):
    """An account as administrators see it. ``version`` is what ``ETag`` and ``If-Match`` carry."""

    username: str
    roles: tuple[Role, ...]
    room_id: RoomId | None = None
    grants: Grants = Grants()
    disabled: bool = False
    locked_until_utc_ms: UtcMs | None = None
    second_factor: bool = False
    password_set: bool = True
    external: bool = False
    made_utc_ms: UtcMs | None = None
    made_by: str = ""
    login_utc_ms: UtcMs | None = None
    version: int = 1


class AccountGiven(Strict):
    """A new account, and the link by which its owner sets a password."""

    account: AccountView
    link: LinkGiven


class AccountPage(Strict):
    """By name; ``next_after`` asks for what follows."""

    items: tuple[AccountView, ...]
    next_after: str | None = None


class RoleView(Strict):
    """A role with what it may do, for the editor of rights."""

    role: Role
    scopes: tuple[str, ...]


class PlaceView(Strict):
    """A room by its name: what rights are given for, without what happens there."""

    id: RoomId
    name: Named


class SecurityView(Strict):
    """The security settings as they are in force."""

    profile: str
    three_admins: bool
    second_factor_required: bool
    idle_min: int
    session_hours: int
    password_min_chars: int
    failed_max: int
    lock_min: int
    audit_days: int
    audit_lines: int
    audit_writable: bool
    oidc: str | None = None
    rooms: tuple[PlaceView, ...] = ()


class OidcView(Strict):
    """How to log in at an identity provider; ``name`` None: this site has none."""

    name: str | None = None


class OidcStarted(Strict):
    """Where the browser goes; ``state`` comes back with it."""

    url: str
    state: str


class OidcBody(Strict):
    """What the identity provider sent the browser back with."""

    state: str = Field(min_length=1, max_length=256)
    code: str = Field(min_length=1, max_length=2_048)


class GlassBody(Strict):
    """Ask for a sealed room's picture or sound: why, and for how long."""

    room_id: RoomId
    reason: Annotated[str, StringConstraints(min_length=4, max_length=300, strip_whitespace=True)]
    minutes: int = Field(default=15, ge=1, le=240)
    picture: bool = True
    sound: bool = False


class GlassState(StrEnum):
    """A break-glass request's life."""

    ASKED = "asked"
    OPEN = "open"
    REFUSED = "refused"
    ENDED = "ended"


class GlassView(Strict):
    """One break-glass request: who asked, who approved, until when. It ends with the seal."""

    id: str
    room_id: RoomId
    session_id: str
    state: GlassState
    asked_by: str
    asked_utc_ms: UtcMs
    reason: str
    minutes: int
    picture: bool
    sound: bool
    decided_by: str | None = None
    decided_utc_ms: UtcMs | None = None
    until_utc_ms: UtcMs | None = None
    ended_utc_ms: UtcMs | None = None
    used: int = 0
