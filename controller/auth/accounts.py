"""Decides whether a log-in or a token is good: Argon2id, lock-out, tokens kept as digests."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import Field, TypeAdapter, ValidationError

from contracts.api import Role, User
from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs
from controller.ports import Account, AccountStore
from runtime.clock import Clock

TOKEN_TTL_MS: Final = (
    12 * 3_600_000
)  # a working day; a session of a committee lasts at most ten hours
TOKEN_BYTES: Final = 32
FAILED_MAX: Final = 5  # MLPS 2.0: lock after repeated failures; a person mistypes twice
LOCK_MS: Final = 5 * 60_000
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
class LoggedIn:
    """A new token, shown once, and whose it is."""

    token: str
    expires_utc_ms: UtcMs
    user: User


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Why not. ``locked_until_utc_ms``: nobody can log in with this name before."""

    locked_until_utc_ms: UtcMs | None = None


class Accounts:
    """Log-in, tokens and whose they are. Methods block (hashing, database): call in a thread."""

    def __init__(self, store: AccountStore, clock: Clock, hasher: PasswordHasher) -> None:
        self._store = store
        self._clock = clock
        self._hasher = hasher
        # An unknown name takes as long as a wrong password, so that names cannot be found out.
        self._nobody = hasher.hash(secrets.token_hex(16))

    def log_in(self, username: str, password: str) -> LoggedIn | LoginRefused:
        """Check a password. After FAILED_MAX wrong ones the name is locked for LOCK_MS."""
        now = self._clock.utc_ms()
        account = self._store.find_account(username)
        right = self._matches(account.password_hash if account else self._nobody, password)
        if account is None:
            return LoginRefused()
        until = account.locked_until_utc_ms
        if until is not None and now < until:
            return LoginRefused(until)
        if not right:
            return self._failed(account, now)
        if account.failed or until is not None:
            self._store.put_account(replace(account, failed=0, locked_until_utc_ms=None))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires = UtcMs(now + TOKEN_TTL_MS)
        self._store.add_token(_digest(token), username, expires, now)
        return LoggedIn(token, expires, user_of(account))

    def user(self, token: str) -> User | None:
        """Whose token this is; None when it is unknown or has expired."""
        username = self._store.find_token(_digest(token), self._clock.utc_ms())
        account = self._store.find_account(username) if username is not None else None
        return user_of(account) if account is not None else None

    def log_out(self, token: str) -> None:
        """Forget a token."""
        self._store.drop_token(_digest(token))

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
            if self._store.find_account(row.username) is None:
                digest = self._hasher.hash(row.password)
                self._store.put_account(Account(row.username, row.roles, row.room_id, digest))
                made += 1
        return made

    def _failed(self, account: Account, now: UtcMs) -> LoginRefused:
        failed = account.failed + 1
        until = UtcMs(now + LOCK_MS) if failed >= FAILED_MAX else None
        kept = 0 if until is not None else failed
        self._store.put_account(replace(account, failed=kept, locked_until_utc_ms=until))
        return LoginRefused(until)

    def _matches(self, digest: str, password: str) -> bool:
        try:
            return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError):
            return False


def user_of(account: Account) -> User:
    """What others may know of an account."""
    return User(username=account.username, roles=account.roles, room_id=account.room_id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _without_input(error: ValidationError | json.JSONDecodeError) -> str:
    # pydantic would repeat the input, and with it a password.
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos}"
    row = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
