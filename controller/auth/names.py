"""Keeps participants' names unreadable to whoever has the database alone: AES-GCM, key in a file.

The key is in the data folder, apart from the database; without it no name can be read again.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12  # what AES-GCM is specified for


class NameKeyError(ValueError):
    """The key of names cannot be used; says why and what to do."""


class NameVault:
    """Encrypts and reads names. A name is bound to its session and its number there."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, session_id: str, number: int, name: str) -> bytes:
        """The name as it may be stored."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, name.encode(), _bound(session_id, number))

    def read(self, session_id: str, number: int, sealed: bytes) -> str | None:
        """The name; None when another key sealed it, or somebody moved or changed it."""
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, _bound(session_id, number)).decode()
        except (InvalidTag, ValueError):
            return None


class NameStore(Protocol):
    """Where encrypted names are kept, by session and number. Methods block."""

    def put(self, session_id: str, names: Mapping[int, bytes], keep: Iterable[int] | None) -> None:
        """Keep these; ``keep``: and forget those of all others."""
        ...

    def drop(self, session_id: str, numbers: Iterable[int]) -> None:
        """Forget these."""
        ...

    def read(self, session_id: str) -> Mapping[int, bytes]:
        """All of a session."""
        ...


class Names:
    """Participants' names: in clear in memory alone, and only while somebody asks. Blocks."""

    def __init__(self, store: NameStore, vault: NameVault) -> None:
        self._store = store
        self._vault = vault

    def put(
        self, session_id: str, names: Mapping[int, str], keep: Iterable[int] | None = None
    ) -> None:
        """Keep names by number; ``keep``: forget those of all other participants."""
        sealed = {
            number: self._vault.seal(session_id, number, name) for number, name in names.items()
        }
        self._store.put(session_id, sealed, keep)

    def drop(self, session_id: str, numbers: Iterable[int]) -> None:
        """Forget the names of these participants."""
        self._store.drop(session_id, numbers)

    def read(self, session_id: str) -> Mapping[int, str]:
        """The names of a session that the key can read."""
        found = {
            number: self._vault.read(session_id, number, sealed)
            for number, sealed in self._store.read(session_id).items()
        }
        return {number: name for number, name in found.items() if name is not None}


def _bound(session_id: str, number: int) -> bytes:
    return f"zeroentry name {session_id} {number}".encode()


def open_vault(path: Path) -> NameVault:
    """The vault of the key in ``path``; the key is made at the first start, mode 0600.

    Raises:
        NameKeyError: the file holds no key, or others may read it.
        OSError: it cannot be read or made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return NameVault(_read(path))
    key = os.urandom(KEY_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return NameVault(key)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise NameKeyError(f"{path} may be read by others; run: chmod 600 {path}")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise NameKeyError(
            f"{path} holds no key of {KEY_BYTES} bytes; restore it from the backup: without it the "
            "names in the database cannot be read"
        )
    return key
