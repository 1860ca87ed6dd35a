"""Holds the keys that sign evidence: Ed25519, one PEM file a machine, readable by it alone."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contracts.evidence.lines import KeyId, key_id

KEY_FILE_MAX_BYTES: Final = 16_384  # a PEM of ours has 119 bytes; more is the wrong file
RAW_KEY_BYTES: Final = 32
KEYS_MAX: Final = 10_000  # known public keys; a site rotates a few nodes' keys a year
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(Exception):
    """A key file is not what it must be, or others may read it; says which and what to do."""


class SigningKey:
    """A private key that signs evidence; does not show itself in ``repr``."""

    __slots__ = ("_private", "id", "public_raw")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_raw: bytes = private.public_key().public_bytes_raw()
        """32 bytes."""
        self.id: KeyId = key_id(self.public_raw)

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, *, said: str = "key") -> Self:
        """The key of an unencrypted PKCS#8 PEM; ``said`` names its origin in an error.

        Raises:
            KeyFileError: it is none.
        """
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(
                f"{said} holds no private key ({error}); restore it from a backup. Without one, "
                "move it away: a new key is made at the next start, and evidence continues under "
                "a key that the old one did not name"
            ) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(
                f"{said} holds no Ed25519 key; make one with: openssl genpkey -algorithm ed25519"
            )
        return cls(private)

    def to_pem(self) -> bytes:
        """The private key as PKCS#8 PEM, unencrypted: for a file that nobody else may read."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """The public key as PEM, as ``openssl pkeyutl -verify -pubin`` takes it."""
        return public_pem(self.public_raw)

    def sign(self, data: bytes) -> bytes:
        """Signature of ``data``: 64 bytes (``contracts.evidence.lines.Sign``)."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


def open_key(path: Path) -> SigningKey:
    """The key in ``path``; made at the first start, whole or not at all, mode 0600.

    Raises:
        KeyFileError: it holds no Ed25519 key, or others may read it.
        OSError: it cannot be read or made.
    """
    try:
        return read_key(path)
    except FileNotFoundError:
        key = SigningKey.generate()
    try:
        write_key(path, key)
    except FileExistsError:  # another process was quicker; both use its key
        return read_key(path)
    return key


def read_key(path: Path) -> SigningKey:
    """The key in ``path``.

    Raises:
        KeyFileError: it holds no Ed25519 key, or others may read it.
        OSError: it cannot be read, or is a link.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        check_private(path, os.fstat(descriptor).st_mode)
        return SigningKey.from_pem(file.read(KEY_FILE_MAX_BYTES), said=str(path))


def check_private(path: PurePath, mode: int) -> None:
    """Refuse a key file that others may read or change.

    Raises:
        KeyFileError: with what to do.
    """
    if not stat.S_ISREG(mode):
        raise KeyFileError(f"{path} is no regular file; name a file that holds a key")
    if mode & _OTHERS:
        raise KeyFileError(
            f"{path} may be read or changed by other users (mode {stat.S_IMODE(mode):04o}); run: "
            f"chmod 600 {path}; and if others had access to this machine, rotate the key"
        )


def write_key(path: Path, key: SigningKey) -> None:
    """Store a key where none is, mode 0600; it is on disk, name and all, when this returns.

    Raises:
        FileExistsError: there is one; a key is never overwritten.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.to_pem())
            file.flush()
            os.fsync(descriptor)
        os.link(fresh, path)  # unlike a rename, refuses to replace
    finally:
        fresh.unlink(missing_ok=True)
    _sync_folder(path.parent)
    _sync_folder(path.parent.parent)  # the folder may be new too


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def public_pem(raw: bytes) -> bytes:
    """A raw public key as SubjectPublicKeyInfo PEM.

    Raises:
        ValueError: it has not 32 bytes.
    """
    public = Ed25519PublicKey.from_public_bytes(raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_raw(pem: bytes, *, said: str = "key") -> bytes:
    """The 32 raw bytes of a public key's PEM; ``said`` names its origin in an error.

    Raises:
        KeyFileError: it holds no Ed25519 public key.
    """
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{said} holds no public key in PEM form: {error}") from None
    if not isinstance(public, Ed25519PublicKey):
        raise KeyFileError(f"{said} holds a public key that is not Ed25519")
    return public.public_bytes_raw()


def public_key_name(key: KeyId) -> str:
    """The file name of a public key: ``ed25519-0f1e….pem``; a colon is no letter of file names."""
    return key.replace(":", "-") + ".pem"


class PublicKeys:
    """The public keys one knows; ``verify`` fulfils ``contracts.evidence.lines.Verify``."""

    __slots__ = ("_keys",)

    def __init__(self, raw: Iterable[bytes] = ()) -> None:
        self._keys: dict[KeyId, Ed25519PublicKey] = {}
        for key in raw:
            self.add_raw(key)

    def add_raw(self, raw: bytes) -> KeyId:
        """Know a key by its 32 raw bytes; its id out.

        Raises:
            ValueError: it has not 32 bytes, or there are too many keys.
        """
        name = key_id(raw)
        if name not in self._keys and len(self._keys) >= KEYS_MAX:
            raise ValueError(f"more than {KEYS_MAX} public keys; give those of one site")
        self._keys[name] = Ed25519PublicKey.from_public_bytes(raw)
        return name

    def add_pem(self, pem: bytes, *, said: str = "key") -> KeyId:
        """Know a key by its PEM; its id out.

        Raises:
            KeyFileError: it holds no Ed25519 public key.
        """
        return self.add_raw(public_raw(pem, said=said))

    @property
    def ids(self) -> frozenset[KeyId]:
        """Ids of the keys that are known."""
        return frozenset(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def raw(self, key: KeyId) -> bytes:
        """The 32 raw bytes of a key.

        Raises:
            KeyError: it is not known.
        """
        return self._keys[key].public_bytes_raw()

    def verify(self, key: str, data: bytes, signature: bytes) -> bool:
        """Whether the known key of that id made ``signature`` over ``data``."""
        public = self._keys.get(key)
        if public is None:
            return False
        try:
            public.verify(signature, data)
        except InvalidSignature:
            return False
        return True
