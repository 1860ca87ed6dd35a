"""Holds the audit log: its lines, how they hang together, and how one is found."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from pydantic import Field

from contracts.envelope import Strict
from contracts.units import Sha256Hex, UtcMs

AUDIT_VERSION: Final = 1
NO_LINE: Final = "0" * 64
"""What the first line names as the one before it."""
PAGE_LINES_MAX: Final = 500


class AuditLine(Strict):
    """One line, as it is hashed. ``what``: method and route, or an event's name.

    ``subject``: what it was about, from the address of the request. Never a body, a token, a query.
    ``status``: the HTTP status of the answer; 0 where there was no request.
    ``prev``: SHA-256 of the line before, of exactly its bytes.
    """

    v: int = AUDIT_VERSION
    seq: int = Field(ge=1)
    utc_ms: UtcMs
    by: str = Field(max_length=80)
    what: str = Field(max_length=160)
    subject: dict[str, str] = Field(default_factory=dict)
    address: str = Field(default="", max_length=80)
    status: int = 0
    note: str = Field(default="", max_length=200)
    prev: Sha256Hex

    def text(self) -> str:
        """The line's bytes as text: canonical JSON."""
        return canonical(self.model_dump(mode="json"))


def canonical(value: Mapping[str, object]) -> str:
    """JSON with sorted keys and no spaces: the same value is the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def line_hash(text: str) -> Sha256Hex:
    """What the next line names."""
    return hashlib.sha256(text.encode()).hexdigest()


class AuditHead(Strict):
    """The controller's signature on the end of the chain as it was at a time."""

    head: int
    utc_ms: UtcMs
    sha256: Sha256Hex
    key: str
    signature: str = ""

    def signed(self) -> bytes:
        """What the signature covers."""
        rows = self.model_dump(mode="json", exclude={"signature"})
        return b"zeroentry.audit/1\0" + canonical(rows).encode()


class AuditPage(Strict):
    """Newest first; ``next_before`` asks for the page behind."""

    items: tuple[AuditLine, ...]
    next_before: int | None = None


class AuditState(Strict):
    """How the log stands: ``first`` and ``last`` line kept, last signed head, whether it writes."""

    first: int
    last: int
    sha256: Sha256Hex
    head: AuditHead | None = None
    writable: bool
    days_kept: int
