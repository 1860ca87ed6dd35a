"""Decides who may ask: API tokens kept as hashes, media tickets, signatures of messages."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import Field, TypeAdapter

from contracts.envelope import Strict
from contracts.units import Sha256Hex, UtcMs

RUN_KEY_ENV: Final = "ZEROENTRY_RUN_KEY"
KEY_MIN_BYTES: Final = 16  # 128 bits: below it an HMAC key can be searched
TOKEN_BYTES: Final = 32  # 256 bits: cannot be guessed, so a plain SHA-256 is enough to store it
TOKENS_MAX: Final = 1_000  # each request compares with all of them in constant time
TICKET_TTL_MAX_MS: Final = 10 * 60_000  # a ticket stands in a URL, and URLs end up in histories
TICKET_MAX_CHARS: Final = 1_024  # longer than any of ours: not worth decoding

_TICKET_DOMAIN: Final = b"zeroentry.ticket/1\0"
_MESSAGE_DOMAIN: Final = b"zeroentry.message/1\0"


class KeyFormatError(Exception):
    """A key in the environment or a file is not what it must be; says which and how to make one."""


class TicketRefusal(StrEnum):
    """Why a ticket does not open what was asked for."""

    MALFORMED = "malformed"
    ALTERED = "altered"
    EXPIRED = "expired"
    OTHER_SCOPE = "other_scope"
    OTHER_RESOURCE = "other_resource"


class TicketRefusedError(Exception):
    """A ticket was refused; ``reason`` for the log, nothing for the caller."""

    def __init__(self, reason: TicketRefusal) -> None:
        super().__init__(f"ticket refused: {reason}")
        self.reason = reason


class TokenEntry(Strict):
    """One API token as it is stored: never the token itself."""

    name: str = Field(min_length=1, max_length=64)
    sha256: Sha256Hex
    scopes: frozenset[str] = Field(max_length=64)
    expires_utc_ms: UtcMs | None = None


_ENTRIES: Final = TypeAdapter(tuple[TokenEntry, ...])


def new_token(
    name: str, scopes: Iterable[str], *, expires_utc_ms: UtcMs | None = None
) -> tuple[str, TokenEntry]:
    """A fresh token (to be shown once) and the entry to store for it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, entry_for(token, name, scopes, expires_utc_ms=expires_utc_ms)


def entry_for(
    token: str, name: str, scopes: Iterable[str], *, expires_utc_ms: UtcMs | None = None
) -> TokenEntry:
    """The entry to store for a token that exists."""
    return TokenEntry(
        name=name,
        sha256=hashlib.sha256(token.encode()).hexdigest(),
        scopes=frozenset(scopes),
        expires_utc_ms=expires_utc_ms,
    )


class TokenBook:
    """The API tokens of one service, as SHA-256."""

    def __init__(self, entries: Iterable[TokenEntry] = ()) -> None:
        self._entries = tuple(entries)
        if len(self._entries) > TOKENS_MAX:
            raise ValueError(f"{len(self._entries)} API tokens; the limit is {TOKENS_MAX}")

    @classmethod
    def read(cls, path: Path) -> "TokenBook":
        """Load the entries of a JSON file.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it does not hold token entries.
        """
        return cls(_ENTRIES.validate_json(path.read_bytes()))

    def write(self, path: Path) -> None:
        """Store the entries as JSON, readable by this user alone."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_ENTRIES.dump_json(self._entries, indent=1))

    @property
    def entries(self) -> tuple[TokenEntry, ...]:
        return self._entries

    def check(self, token: str, *, scope: str, now_utc_ms: UtcMs) -> TokenEntry | None:
        """The entry of ``token`` if it is known, not expired and has ``scope``; else None.

        Takes the same time for every token: each entry is compared, in constant time.
        """
        digest = hashlib.sha256(token.encode()).hexdigest()
        found: TokenEntry | None = None
        for entry in self._entries:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        if found is None or scope not in found.scopes:
            return None
        if found.expires_utc_ms is not None and now_utc_ms >= found.expires_utc_ms:
            return None
        return found


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a media ticket grants: ``subject`` uses ``resource`` for ``scope`` until it expires."""

    subject: str
    scope: str
    resource: str
    expires_utc_ms: UtcMs


def issue_ticket(
    key: bytes, subject: str, scope: str, resource: str, now_utc_ms: UtcMs, ttl_ms: int
) -> str:
    """A ticket for a URL of an image or a video, which cannot carry an Authorization header.

    Raises:
        ValueError: ``ttl_ms`` is not within 1..TICKET_TTL_MAX_MS, or the key is too short.
    """
    if not 0 < ttl_ms <= TICKET_TTL_MAX_MS:
        raise ValueError(f"a ticket lives 1 to {TICKET_TTL_MAX_MS} ms, not {ttl_ms}")
    fields = [subject, scope, resource, now_utc_ms + ttl_ms]
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    ticket = f"{_b64(body)}.{_b64(_mac(key, _TICKET_DOMAIN + body))}"
    if len(ticket) > TICKET_MAX_CHARS:
        raise ValueError(
            f"a ticket for {resource[:80]!r} is longer than {TICKET_MAX_CHARS} characters"
        )
    return ticket


def read_ticket(key: bytes, text: str, *, scope: str, resource: str, now_utc_ms: UtcMs) -> Ticket:
    """The ticket, if it is ours, alive, and for exactly this scope and resource.

    Raises:
        TicketRefusedError: with the reason.
    """
    body_text, _, mac_text = text.partition(".")
    if len(text) > TICKET_MAX_CHARS or not mac_text:
        raise TicketRefusedError(TicketRefusal.MALFORMED)
    try:
        body, mac = _unb64(body_text), _unb64(mac_text)
    except (binascii.Error, ValueError):
        raise TicketRefusedError(TicketRefusal.MALFORMED) from None
    if not hmac.compare_digest(mac, _mac(key, _TICKET_DOMAIN + body)):
        raise TicketRefusedError(TicketRefusal.ALTERED)
    # What follows was written by issue_ticket, for nobody else has the key.
    subject, its_scope, its_resource, expires = json.loads(body)
    ticket = Ticket(subject, its_scope, its_resource, UtcMs(expires))
    if now_utc_ms >= ticket.expires_utc_ms:
        raise TicketRefusedError(TicketRefusal.EXPIRED)
    if ticket.scope != scope:
        raise TicketRefusedError(TicketRefusal.OTHER_SCOPE)
    if ticket.resource != resource:
        raise TicketRefusedError(TicketRefusal.OTHER_RESOURCE)
    return ticket


def new_key() -> str:
    """A key in hex, as ``ZEROENTRY_RUN_KEY`` wants it."""
    return secrets.token_hex(32)


def run_key(environ: Mapping[str, str]) -> bytes | None:
    """The key of this run from ``ZEROENTRY_RUN_KEY`` (hex), or None when it is not set.

    Raises:
        KeyFormatError: it is set, but is not hex of at least KEY_MIN_BYTES bytes.
    """
    text = environ.get(RUN_KEY_ENV, "")
    if not text:
        return None
    how = f'make one with: python -c "import secrets; print(secrets.token_hex({TOKEN_BYTES}))"'
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise KeyFormatError(f"{RUN_KEY_ENV} is not hexadecimal; {how}") from None
    if len(key) < KEY_MIN_BYTES:
        raise KeyFormatError(
            f"{RUN_KEY_ENV} has {len(key)} bytes, at least {KEY_MIN_BYTES} wanted; {how}"
        )
    return key


def sign_message(key: bytes, signed: bytes) -> str:
    """HMAC-SHA256 in hex over ``contracts.codec.signed_part``."""
    return _mac(key, _MESSAGE_DOMAIN + signed).hex()


def verify_message(key: bytes, signed: bytes, signature: str | None) -> bool:
    """Whether ``signature`` is ours for these bytes; a missing one is not."""
    return signature is not None and hmac.compare_digest(
        sign_message(key, signed).encode(), signature.encode()
    )


def _mac(key: bytes, data: bytes) -> bytes:
    if len(key) < KEY_MIN_BYTES:
        raise ValueError(f"an HMAC key of {len(key)} bytes; at least {KEY_MIN_BYTES} wanted")
    return hmac.digest(key, data, "sha256")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    # One spelling only: the decoder alone would pass over foreign characters and stray bits.
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _b64(data) != text:
        raise ValueError("not canonical base64url")
    return data
