"""Decides a delivery's PIN: where it comes from, how it is kept, whether a typed one is right."""

import hashlib
import hmac
import secrets
from typing import Final, Protocol

from contracts.api import PIN_DIGITS

SALT_BYTES: Final = 16
COST: Final = 2**14  # 16 MiB and some 50 ms: a typed PIN may wait that long
BLOCK: Final = 8


class PinSource(Protocol):
    """Where PINs come from; tests bring their own."""

    def new_pin(self) -> str:
        """A PIN of PIN_DIGITS digits that nobody can predict."""
        ...


class SecretPins:
    """PINs from the system's random source."""

    def new_pin(self) -> str:
        return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


def pin_digest(pin: str) -> str:
    """The slow, salted hash under which a PIN is kept: ``salt$hash`` in hex. Blocks some 50 ms."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{salt.hex()}${_hash(pin, salt).hex()}"


def pin_matches(pin: str, digest: str) -> bool:
    """Whether a typed PIN is the one of this digest. Blocks for some 50 ms."""
    salt, _, wanted = digest.partition("$")
    return hmac.compare_digest(_hash(pin, bytes.fromhex(salt)).hex(), wanted)


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=COST, r=BLOCK, p=1)
