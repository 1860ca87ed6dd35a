"""Keeps the passwords of cameras and devices encrypted on disk; the key comes from outside."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from pydantic import Field, ValidationError

from contracts.envelope import Strict

SECRET_KEY_ENV: Final = "ZEROENTRY_SECRET_KEY"  # noqa: S105  # a name, not a key
CREDENTIALS_DIRECTORY_ENV: Final = "CREDENTIALS_DIRECTORY"  # systemd sets it (LoadCredential=)
SYSTEMD_CREDENTIAL: Final = "zeroentry-key"
ENTRIES_MAX: Final = 10_000  # more devices than a site has; the file is rewritten as a whole
_HOW: Final = (
    f"set {SECRET_KEY_ENV} (make one with: python -c "
    '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())") or '
    f"give systemd LoadCredential={SYSTEMD_CREDENTIAL}:/path"
)


class SecretKeyError(Exception):
    """The key is missing, malformed or not the one the file was written with."""


class CredentialFileError(Exception):
    """The file of credentials is damaged."""


class UnknownCredentialError(KeyError):
    """No credential of that name is stored."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password; the password does not show in ``repr``."""

    username: str
    password: str = field(repr=False)


class _File(Strict):
    version: int = Field(ge=1, le=1)
    entries: dict[str, str] = Field(max_length=ENTRIES_MAX)


def secret_key(environ: Mapping[str, str]) -> bytes:
    """The key, from the environment or else from the systemd credential.

    Raises:
        SecretKeyError: there is none, or it is malformed.
    """
    text = environ.get(SECRET_KEY_ENV, "")
    directory = environ.get(CREDENTIALS_DIRECTORY_ENV, "")
    if not text and directory:
        path = Path(directory) / SYSTEMD_CREDENTIAL
        if path.is_file():
            text = path.read_text(encoding="ascii", errors="replace").strip()
    if not text:
        raise SecretKeyError(f"no key for stored passwords: {_HOW}")
    _cipher(text.encode())
    return text.encode()


def new_secret_key() -> str:
    """A fresh key in the form that ``ZEROENTRY_SECRET_KEY`` wants."""
    return Fernet.generate_key().decode()


def _cipher(key: bytes) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise SecretKeyError(f"the key for stored passwords is malformed: {_HOW}") from None


class CredentialStore:
    """Names and credentials in one JSON file: names in the clear, the rest as Fernet tokens."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._cipher = _cipher(key)

    def names(self) -> list[str]:
        """The stored names, sorted."""
        return sorted(self._read().entries)

    def get(self, name: str) -> Credential:
        """The credential of that name.

        Raises:
            UnknownCredentialError: there is none.
            SecretKeyError: it was written with another key, or altered.
        """
        sealed = self._read().entries.get(name)
        if sealed is None:
            raise UnknownCredentialError(f"no credential {name!r} in {self._path}")
        try:
            bound_name, username, password = json.loads(self._cipher.decrypt(sealed.encode()))
        except InvalidToken:
            raise SecretKeyError(
                f"cannot open credential {name!r} in {self._path}: another key, or altered; {_HOW}"
            ) from None
        # The name is sealed too, or else somebody could swap two lines of the file.
        if bound_name != name:
            raise SecretKeyError(f"credential {name!r} in {self._path} belongs to {bound_name!r}")
        return Credential(username, password)

    def set(self, name: str, credential: Credential) -> None:
        """Store a credential, replacing one of that name."""
        sealed = self._cipher.encrypt(
            json.dumps([name, credential.username, credential.password]).encode()
        )
        self._write({**self._read().entries, name: sealed.decode()})

    def delete(self, name: str) -> None:
        """Forget a credential.

        Raises:
            UnknownCredentialError: there is none.
        """
        entries = dict(self._read().entries)
        if entries.pop(name, None) is None:
            raise UnknownCredentialError(f"no credential {name!r} in {self._path}")
        self._write(entries)

    def _read(self) -> _File:
        try:
            return _File.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _File(version=1, entries={})
        except ValidationError as error:
            raise CredentialFileError(
                f"{self._path} is damaged ({error.error_count()} problems); restore a backup"
            ) from None

    def _write(self, entries: Mapping[str, str]) -> None:
        if len(entries) > ENTRIES_MAX:
            raise ValueError(f"{len(entries)} credentials; the limit is {ENTRIES_MAX}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_File(version=1, entries=dict(entries)).model_dump_json(indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
