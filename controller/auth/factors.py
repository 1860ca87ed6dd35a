"""Decides whether a second factor is right: TOTP, each code once; recovery codes."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken

from contracts.units import UtcMs
from runtime.signing import KeyFileError, check_private

STEP_S: Final = 30
STEPS_AROUND: Final = 1  # RFC 6238, 5.2: one step back for a slow finger, one on for a fast clock
RECOVERY_CODES: Final = 10
RECOVERY_CHARS: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is read for another
RECOVERY_LENGTH: Final = 12  # 59 bits: a plain digest is enough
KEY_FILE: Final = Path("keys") / "second-factors.key"
KEY_BYTES_MAX: Final = 256


class FactorKeyError(Exception):
    """The key of the second factors cannot be used; says which file and what to do."""


def new_key() -> bytes:
    """A fresh key for a ``SecretBox``."""
    return Fernet.generate_key()


def open_box(data_dir: Path) -> "SecretBox":
    """The box with the key in ``data_dir``; made at the first start, mode 0600.

    Raises:
        FactorKeyError: it is malformed, or others may read it.
    """
    path = data_dir / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
    try:
        check_private(path, path.stat().st_mode)
        return SecretBox(path.read_bytes()[:KEY_BYTES_MAX].strip())
    except (KeyFileError, ValueError) as error:
        raise FactorKeyError(
            f"{path} cannot be used: {error}. Restore it from the backup; without it nobody's "
            "second factor can be checked"
        ) from None


class SecretBox:
    """Seals TOTP secrets, each to its account: one moved to another account does not open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Fernet(key)

    def seal(self, username: str, secret: str) -> str:
        """What may be stored."""
        return self._cipher.encrypt(f"{username}\0{secret}".encode()).decode()

    def opened(self, username: str, sealed: str) -> str | None:
        """The secret; None when it was sealed by another key or for another account."""
        try:
            name, _, secret = self._cipher.decrypt(sealed.encode()).decode().partition("\0")
        except InvalidToken:
            return None
        return secret if hmac.compare_digest(name.encode(), username.encode()) else None


@dataclass(frozen=True, slots=True)
class Offer:
    """A new secret, as an authenticator takes it."""

    secret: str
    uri: str
    qr_svg: str


def offer(username: str, issuer: str) -> Offer:
    """A fresh secret with its address and the QR code of that."""
    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)
    out = BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", scale=5, border=3, dark="#000", light="#fff", xmldecl=False, omitsize=True
    )
    return Offer(secret, uri, out.getvalue().decode())


def step_of(secret: str, code: str, now: UtcMs, after: int) -> int | None:
    """The 30 s that a code is of, if it is right and newer than ``after``; else None."""
    code = code.replace(" ", "")
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        return None
    totp, current = pyotp.TOTP(secret), int(now) // 1_000 // STEP_S
    for step in range(current - STEPS_AROUND, current + STEPS_AROUND + 1):
        if hmac.compare_digest(totp.at(step * STEP_S), code) and step > after:
            return step
    return None


def recovery_codes() -> tuple[str, ...]:
    """Fresh one-time codes, to be shown once."""
    return tuple(
        "-".join(
            "".join(secrets.choice(RECOVERY_CHARS) for _ in range(RECOVERY_LENGTH // 3))
            for _ in range(3)
        )
        for _ in range(RECOVERY_CODES)
    )


def recovery_digest(username: str, code: str) -> str:
    """What is kept of a recovery code."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(f"{username}\0{plain}".encode()).hexdigest()
