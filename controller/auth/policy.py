"""Decides how strict log-in is, which passwords are taken, which roles go together."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from contracts.api import Role, Sentence
from contracts.api.accounts import ADMINS, MACHINES
from contracts.envelope import Strict

AUDIT_DAYS_MIN: Final = 183  # six months: Cybersecurity Law, article 21; MLPS 8.1.4.3
PASSWORDS_KEPT: Final = 5  # the last ones that may not come again
HISTORY_MAX: Final = 24

# The shapes that guessers try first, and what people here type; compared in lower case.
COMMON: Final = (
    "password", "passw0rd", "123456", "qwerty", "abc123", "admin", "root", "letmein", "welcome",
    "iloveyou", "zeroentry", "woaini", "5201314", "1qaz2wsx", "1q2w3e", "a1b2c3", "111111",
    "000000", "888888", "666666", "changeme", "pingbiao", "kaibiao", "jiandu",
)  # fmt: skip


class Profile(StrEnum):
    """等级保护: the level of MLPS 2.0 that the site is graded at."""

    LEVEL2 = "level2"
    LEVEL3 = "level3"


class OidcSettings(Strict):
    """Log-in at the centre's identity provider. The client's secret is in the environment.

    ``roles``: value of the claim -> roles here; read anew at each log-in. ``second_factor``: values
    of the ``amr`` claim that count as a second factor; the level-3 profile asks for one of them.
    """

    name: str = Field(default="SSO", min_length=1, max_length=40)
    issuer: str = Field(pattern=r"^https?://[^@\s?#]+$", max_length=300)
    client_id: str = Field(min_length=1, max_length=200)
    redirect_url: str = Field(pattern=r"^https?://[^@\s?#]+$", max_length=300)
    """The console's ``/login/oidc`` as browsers reach it, and as the provider knows it."""
    scope: str = Field(default="openid profile", max_length=200)
    username_claim: str = Field(default="preferred_username", min_length=1, max_length=80)
    roles_claim: str = Field(default="groups", min_length=1, max_length=80)
    roles: dict[str, tuple[Role, ...]] = Field(default_factory=dict, max_length=200)
    second_factor: tuple[str, ...] = ("mfa", "otp", "hwk", "swk", "pin")

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        host = self.issuer.split("/")[2].rsplit(":", 1)[0]
        if self.issuer.startswith("http://") and host not in {"127.0.0.1", "localhost", "[::1]"}:
            raise ValueError("oidc.issuer must be https://, except on this machine")
        return self


class RateSettings(Strict):
    """How many requests a second; a burst may come at once. Above it: 429 with Retry-After."""

    # A wall of 64 rooms opens with some 70 requests, and asks for 64 links every few minutes.
    token_per_s: float = Field(default=20, gt=0, le=100_000)
    token_burst: int = Field(default=400, ge=10, le=1_000_000)
    # One console process asks for all its users from one address.
    address_per_s: float = Field(default=200, gt=0, le=100_000)
    address_burst: int = Field(default=4_000, ge=10, le=1_000_000)
    # Answers of 401: what somebody gets who tries tokens.
    refused_per_s: float = Field(default=1, gt=0, le=100_000)
    refused_burst: int = Field(default=60, ge=5, le=1_000_000)


class SecuritySettings(Strict):
    """How people log in and what is kept of it. None: what the profile says."""

    profile: Profile = Profile.LEVEL2
    session_hours: int = Field(default=12, ge=1, le=24)
    """A log-in ends then, used or not: a working day; a committee sits at most ten hours."""
    idle_min: int | None = Field(default=None, ge=5, le=1_440)
    """A log-in ends when it was not used so long; an open event stream is use: a wall is looked at
    without being touched."""
    password_min_chars: int | None = Field(default=None, ge=8, le=64)
    password_history: int = Field(default=PASSWORDS_KEPT, ge=0, le=HISTORY_MAX)
    failed_max: int = Field(default=5, ge=3, le=20)
    lock_min: int | None = Field(default=None, ge=1, le=1_440)
    address_failed_max: int = Field(default=30, ge=5, le=1_000)
    """Wrong log-ins of one address within ``lock_min``: then it waits, whatever name it tries."""
    link_hours: int = Field(default=24, ge=1, le=168)
    break_glass_max_min: int = Field(default=60, ge=1, le=240)
    audit_days: int = Field(default=400, ge=AUDIT_DAYS_MIN, le=10_000)
    trusted_proxies: tuple[str, ...] = Field(default=("127.0.0.1", "::1"), max_length=20)
    """Whose ``X-Forwarded-For`` is believed: the console's, a reverse proxy's."""
    console_url: str = Field(
        default="http://127.0.0.1:8080", pattern=r"^https?://[^@\s?#]+$", max_length=200
    )
    """How browsers reach the console: where one-time links lead."""
    rate: RateSettings = RateSettings()
    oidc: OidcSettings | None = None

    @property
    def level3(self) -> bool:
        """Whether the level-3 profile is in force."""
        return self.profile is Profile.LEVEL3

    @property
    def idle_ms(self) -> int:
        """How long a log-in lives unused."""
        return (self.idle_min or (30 if self.level3 else 480)) * 60_000

    @property
    def lock_ms(self) -> int:
        """How long a name or an address is locked."""
        return (self.lock_min or (20 if self.level3 else 5)) * 60_000

    @property
    def password_min(self) -> int:
        """The shortest password taken."""
        return max(self.password_min_chars or 10, 12 if self.level3 else 8)


def password_fault(policy: SecuritySettings, username: str, password: str) -> Sentence | None:
    """Why a password is not taken, or None."""
    least = policy.password_min
    if len(password) < least:
        return Sentence(
            zh=f"密码至少 {least} 个字符。",
            en=f"A password needs at least {least} characters.",
        )
    low = password.lower()
    if username.lower() in low or low in username.lower():
        return Sentence(zh="密码不能包含用户名。", en="A password may not hold the user name.")
    if len(set(low)) < 5:  # aaaaaaaaaaaa, 121212121212
        return Sentence(
            zh="密码中不同的字符太少，至少需要 5 种。",
            en="The password repeats itself; use at least 5 different characters.",
        )
    rest = low
    for word in COMMON:
        rest = rest.replace(word, "")
    if len(rest) < least // 2:
        return Sentence(
            zh="密码过于常见，容易被猜到，请换一个，例如几个不相关的词。",
            en="The password is one of those tried first; take several words that do not belong "
            "together.",
        )
    return None


def roles_fault(
    policy: SecuritySettings, roles: Iterable[Role], room_id: str | None
) -> Sentence | None:
    """Why these roles do not go together in one account, or None."""
    held = set(roles)
    if Role.TABLET in held and held == {Role.TABLET} and room_id is None:
        return Sentence(
            zh="平板账号必须绑定一个房间（room_id）。",
            en="A tablet's account needs its room (room_id).",
        )
    admins = held & set(ADMINS)
    if policy.level3 and (len(admins) > 1 or (admins and held - admins)):
        return Sentence(
            zh="三级要求三员分立：系统、安全、审计管理员之一不得兼任其他任何角色。",
            en="Level 3 keeps administrators apart: a system, security or audit administrator "
            "holds no other role.",
        )
    if policy.level3 and held & MACHINES and held - MACHINES:
        return Sentence(
            zh="三级要求：平板、面板、终端账号不得同时授予人员角色，因为设备无法使用第二因素。",
            en="Level 3: an account of a tablet, panel or terminal holds no role of a person, for "
            "nobody there can use a second factor.",
        )
    return None


def needs_second_factor(policy: SecuritySettings, roles: Iterable[Role]) -> bool:
    """Whether an account must enrol one before it may do anything: level 3, and a person's."""
    return policy.level3 and bool(set(roles) - MACHINES)
