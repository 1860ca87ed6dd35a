"""Decides whether a log-in or a token is good: Argon2id, lock-out, tokens kept as digests."""

import hashlib
import json
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import Field, TypeAdapter, ValidationError

from contracts.api import Role, Sentence, User
from contracts.api.accounts import MACHINES, Must
from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs
from controller.auth import factors
from controller.auth.policy import SecuritySettings, needs_second_factor, password_fault
from controller.auth.scopes import Scope, scopes_of
from controller.ports import Account, AccountStore, Token, TokenKind
from runtime.clock import Clock

TOKEN_BYTES: Final = 32
FAILED_MAX: Final = 5  # MLPS 2.0: lock after repeated failures; a person mistypes twice
LOCK_MS: Final = 5 * 60_000  # of the level-2 profile
TOUCH_MS: Final = 60_000  # how exactly use is kept on disk: no flush for each request
ADDRESSES_MAX: Final = 10_000  # whose wrong log-ins are counted; the oldest are forgotten
LOGINS_MAX: Final = 50  # of one account at once; the oldest ends
API_TOKENS_MAX: Final = 50  # of one account
ACCOUNTS_ENV: Final = "ZEROENTRY_BOOTSTRAP_ACCOUNTS"


class BootstrapError(Exception):
    """The accounts in the environment cannot be read; says why, never a password."""


class BootstrapAccount(Strict):
    """An account that is made at start where it is absent (demo and tests)."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=8, max_length=256)
    roles: tuple[Role, ...] = Field(min_length=1)
    room_id: RoomId | None = None


@dataclass(frozen=True, slots=True)
class From:
    """Where a request comes from."""

    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new token, shown once, and whose it is."""

    token: str
    expires_utc_ms: UtcMs
    user: User


class Why(StrEnum):
    """Why a log-in is refused; for the audit log. Whoever asks learns less."""

    UNKNOWN = "unknown name"
    PASSWORD = "wrong password"  # noqa: S105  # a reason, not a password
    LOCKED = "locked"
    ADDRESS = "address locked"
    DISABLED = "disabled"
    NO_PASSWORD = "no password set"  # noqa: S105  # a reason, not a password
    CODE_MISSING = "second factor missing"
    CODE = "wrong code"


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Why not. ``locked_until_utc_ms``: nobody can log in with this name before."""

    locked_until_utc_ms: UtcMs | None = None
    why: Why = Why.PASSWORD


@dataclass(frozen=True, slots=True)
class Known:
    """Whose a token is, and what it may do. ``token``: its record."""

    user: User
    scopes: frozenset[Scope]
    token: Token


class Accounts:
    """Log-in, tokens and whose they are. Methods block (hashing, database): call in a thread."""

    def __init__(
        self,
        store: AccountStore,
        clock: Clock,
        hasher: PasswordHasher,
        policy: SecuritySettings | None = None,
        box: factors.SecretBox | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy or SecuritySettings()
        self.box = box or factors.SecretBox(factors.new_key())
        self._hasher = hasher
        # An unknown name takes as long as a wrong password, so that names cannot be found out.
        self._nobody = hasher.hash(secrets.token_hex(16))
        self._used: dict[str, int] = {}
        self._wrong: dict[str, deque[int]] = {}

    # --- log-in ---------------------------------------------------------------------------------

    def log_in(
        self, username: str, password: str, code: str | None = None, origin: From | None = None
    ) -> LoggedIn | LoginRefused:
        """Check a password and a second factor. After some wrong ones the name is locked."""
        origin = origin or From()
        now = self.clock.utc_ms()
        waits = self._address_waits(origin.address)
        if waits:
            return LoginRefused(UtcMs(now + waits), Why.ADDRESS)
        account = self.store.find_account(username)
        hashed = account.password_hash if account and account.password_hash else self._nobody
        right = self.matches(hashed, password)
        refused = self._fault(account, now, right=right)
        if refused is not None or account is None:
            self._count_wrong(origin.address)
            return refused or LoginRefused(why=Why.UNKNOWN)
        if account.totp is not None:
            checked = self._second(account, code, now, origin)
            if isinstance(checked, LoginRefused):
                return checked
            account = checked
        return self.admit(account, origin)

    def _fault(self, account: Account | None, now: UtcMs, *, right: bool) -> LoginRefused | None:
        if account is None:
            return LoginRefused(why=Why.UNKNOWN)
        until = account.locked_until_utc_ms
        if until is not None and now < until:
            return LoginRefused(until, Why.LOCKED)
        if not account.password_hash:
            return LoginRefused(why=Why.NO_PASSWORD)
        if not right:
            return self._failed(account, now, Why.PASSWORD)
        return LoginRefused(why=Why.DISABLED) if account.disabled else None

    def _second(
        self, account: Account, code: str | None, now: UtcMs, origin: From
    ) -> Account | LoginRefused:
        if code is None:
            return LoginRefused(why=Why.CODE_MISSING)
        found = self.with_code(account, code, now)
        if found is None:
            self._count_wrong(origin.address)
            return self._failed(account, now, Why.CODE)
        # The account is changed on condition of its version: two log-ins at once with one code
        # are one log-in and one refusal.
        if not self.store.change_account(found, account.version):
            return LoginRefused(why=Why.CODE)
        return found

    def with_code(self, account: Account, code: str, now: UtcMs) -> Account | None:
        """The account after this code was used up; None when it is wrong or was used before."""
        secret = self.box.opened(account.username, account.totp) if account.totp else None
        if secret is None:
            return None
        step = factors.step_of(secret, code, now, account.totp_step)
        if step is not None:
            return replace(account, totp_step=step, version=account.version + 1)
        digest = factors.recovery_digest(account.username, code)
        if digest in account.recovery:
            rest = tuple(row for row in account.recovery if row != digest)
            return replace(account, recovery=rest, version=account.version + 1)
        return None

    def admit(self, account: Account, origin: From) -> LoggedIn | LoginRefused:
        """A log-in for an account that has shown who it is."""
        now = self.clock.utc_ms()
        if not self.store.admit_account(account.username, now):
            return LoginRefused(why=Why.LOCKED)
        self._wrong.pop(origin.address, None)
        own = self.store.tokens(username=account.username, kind=TokenKind.LOGIN, now=now)
        for oldest in own[LOGINS_MAX - 1 :]:
            self.store.drop_token(oldest.sha256)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires = UtcMs(now + self.policy.session_hours * 3_600_000)
        row = Token(
            sha256=digest_of(token),
            id=new_id(),
            kind=TokenKind.LOGIN,
            username=account.username,
            made_utc_ms=now,
            used_utc_ms=now,
            expires_utc_ms=expires,
            address=origin.address[:80],
            agent=origin.agent[:200],
        )
        self.store.add_token(row, now)
        return LoggedIn(token, expires, self.user_of(account))

    def _failed(self, account: Account, now: UtcMs, why: Why) -> LoginRefused:
        # Counted in one transaction: many guesses at once are as many wrong ones.
        until = self.store.fail_account(
            account.username, self.policy.failed_max, UtcMs(now + self.policy.lock_ms)
        )
        return LoginRefused(until, why)

    def _address_waits(self, address: str) -> int:
        times, now = self._wrong.get(address), int(self.clock.mono_ms())
        if times is None:
            return 0
        while times and now - times[0] >= self.policy.lock_ms:
            times.popleft()
        if len(times) < self.policy.address_failed_max:
            return 0
        return self.policy.lock_ms - (now - times[0])

    def _count_wrong(self, address: str) -> None:
        if address:
            times = self._wrong.pop(address, deque(maxlen=self.policy.address_failed_max))
            times.append(int(self.clock.mono_ms()))
            self._wrong[address] = times
            if len(self._wrong) > ADDRESSES_MAX:
                self._wrong.pop(next(iter(self._wrong)))

    # --- tokens ---------------------------------------------------------------------------------

    def known(self, token: str, *, use: bool = True) -> Known | None:
        """Whose token this is; None when it is unknown, idle too long, expired, or disabled."""
        now = self.clock.utc_ms()
        row = self.store.find_token(digest_of(token), now)
        if row is None or row.kind is TokenKind.LINK:
            return None
        used = max(row.used_utc_ms, self._used.get(row.sha256, 0))
        if row.kind is TokenKind.LOGIN and now - used >= self.policy.idle_ms:
            self.store.drop_token(row.sha256)
            self._used.pop(row.sha256, None)
            return None
        account = self.store.find_account(row.username)
        if account is None or account.disabled:
            return None
        if use:
            self._touch(row, now)
        user = self.user_of(account)
        scopes = scopes_of(account.roles)
        if row.scopes is not None:
            scopes &= frozenset(Scope(name) for name in row.scopes if name in set(Scope))
            user = user.model_copy(update={"must": ()})
        elif user.must:
            scopes &= {Scope.SELF}
        return Known(user, scopes, row)

    def _touch(self, row: Token, now: UtcMs) -> None:
        self._used[row.sha256] = int(now)
        if now - row.used_utc_ms >= TOUCH_MS:
            self.store.touch_token(row.sha256, now)
            self._used.pop(row.sha256, None)

    def user(self, token: str) -> User | None:
        """Whose token this is; None when it is unknown or has expired."""
        known = self.known(token)
        return known.user if known is not None else None

    def log_out(self, token: str) -> None:
        """Forget a token."""
        self.store.drop_token(digest_of(token))

    def give(  # one argument for each column
        self,
        kind: TokenKind,
        username: str,
        ttl_ms: int,
        *,
        name: str = "",
        scopes: tuple[str, ...] | None = None,
        by: str = "",
    ) -> tuple[str, Token]:
        """A new secret for an account, shown once, and what is kept of it."""
        now = self.clock.utc_ms()
        secret = secrets.token_urlsafe(TOKEN_BYTES)
        expires = UtcMs(now + ttl_ms)
        row = Token(
            digest_of(secret), new_id(), kind, username, now, UtcMs(0), expires, name, scopes, by
        )
        self.store.add_token(row, now)
        return secret, row

    # --- passwords ------------------------------------------------------------------------------

    def matches(self, digest: str, password: str) -> bool:
        """Whether this is the password of a digest."""
        try:
            return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError):
            return False

    def with_password(self, account: Account, password: str) -> Account | Sentence:
        """The account with a new password, not stored yet; or why it is not taken."""
        fault = password_fault(self.policy, account.username, password)
        if fault is not None:
            return fault
        past = (account.password_hash, *account.past_hashes)[: self.policy.password_history]
        if any(old and self.matches(old, password) for old in past):
            return Sentence(
                zh=f"不能使用最近 {len(past)} 次用过的密码。",
                en=f"That is one of your last {len(past)} passwords; take another.",
            )
        return replace(
            account,
            password_hash=self._hasher.hash(password),
            past_hashes=tuple(row for row in past if row),
            must_change=False,
            failed=0,
            locked_until_utc_ms=None,
            password_utc_ms=self.clock.utc_ms(),
            version=account.version + 1,
        )

    def user_of(self, account: Account) -> User:
        """What others may know of an account."""
        must = []
        if account.must_change:
            must.append(Must.CHANGE_PASSWORD)
        asked = needs_second_factor(self.policy, account.roles) and not account.external
        if asked and account.totp is None:
            must.append(Must.ENROL_SECOND_FACTOR)
        return User(
            username=account.username,
            roles=account.roles,
            room_id=account.room_id,
            grants=account.grants,
            must=tuple(must),
        )

    def bootstrap(self, environ: Mapping[str, str]) -> int:
        """Make the accounts of ``ZEROENTRY_BOOTSTRAP_ACCOUNTS`` that are absent; how many.

        Raises:
            BootstrapError: the variable is malformed.
        """
        text = environ.get(ACCOUNTS_ENV, "")
        if not text:
            return 0
        try:
            rows = TypeAdapter(tuple[BootstrapAccount, ...]).validate_python(json.loads(text))
        except (ValidationError, json.JSONDecodeError) as error:
            raise BootstrapError(
                f"{ACCOUNTS_ENV} must be a JSON list of objects with username, password (at least "
                f"8 characters), roles and, for a tablet, room_id: {_without_input(error)}"
            ) from None
        made = 0
        for row in rows:
            if self.store.find_account(row.username) is None:
                digest = self._hasher.hash(row.password)
                now = self.clock.utc_ms()
                self.store.put_account(
                    Account(row.username, row.roles, row.room_id, digest, made_utc_ms=now)
                )
                made += 1
        return made


def is_machine(user: User) -> bool:
    """Whether nobody sits there: tablets, panels, terminals, other sites."""
    return bool(user.roles) and set(user.roles) <= MACHINES


def digest_of(token: str) -> str:
    """What is kept of a secret that we made: 256 bits cannot be guessed, so no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_id() -> str:
    """A name for a token that says nothing of it."""
    return secrets.token_hex(6)


def _without_input(error: ValidationError | json.JSONDecodeError) -> str:
    # pydantic would repeat the input, and with it a password.
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos}"
    row = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
