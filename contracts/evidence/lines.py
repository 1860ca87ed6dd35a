"""Decides the form of a signed line: one JSON object, its signature the last member.

Everything that evidence rests on travels and lies as such lines: manifest entries, checkpoints,
countersignatures, hourly roots. The form is chosen so that a person can check a line with standard
tools: the signed bytes are the line without its last member, and the hash of a line is the SHA-256
of its exact bytes without the line feed.

    {"v":1,...,"key":"ed25519:0f1e...","signature":"BASE64"}     the line
    {"v":1,...,"key":"ed25519:0f1e..."}                          what is signed
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, StringConstraints

LINE_MAX_BYTES: Final = 16_384
# A deletion entry lists at most 100 files at about 120 bytes; the rest of a line is below 1 KiB.

KEY_ID_PATTERN: Final = r"^[a-z0-9-]{1,20}:[0-9a-f]{16}$"
KeyId = Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]
"""Algorithm and the first 16 hex digits of the SHA-256 of the raw public key."""

ED25519: Final = "ed25519"
SHA_256: Final = "sha-256"

SIGNATURE_MEMBER: Final = re.compile(rb',"signature":"([A-Za-z0-9+/=]{1,512})"\}$')

Sign = Callable[[bytes], bytes]
"""Signs bytes with a private key that the caller holds."""

Verify = Callable[[str, bytes, bytes], bool]
"""Key id, signed bytes, signature in; whether a known key made the signature out."""


class LineError(ValueError):
    """Bytes that are no signed line; says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class SignedLine:
    """One line taken apart, its signature not yet checked."""

    raw: bytes
    """The exact bytes, without the line feed."""
    signed: bytes
    signature: bytes
    sha256: str
    """Of ``raw``, in hex: what the next entry calls ``previous``."""


def key_id(public_key: bytes, algorithm: str = ED25519) -> str:
    """The name of a raw public key."""
    return f"{algorithm}:{hashlib.sha256(public_key).hexdigest()[:16]}"


def canonical(document: BaseModel) -> bytes:
    """A document as the bytes that are signed: members in the model's order, ASCII, no spaces."""
    members = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(members, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()


def sign_line(document: BaseModel, sign: Sign, limit: int = LINE_MAX_BYTES) -> bytes:
    """The line of a document, signed; without a line feed.

    Raises:
        LineError: it would be above ``limit`` bytes.
    """
    signed = canonical(document)
    signature = base64.b64encode(sign(signed))
    line = signed[:-1] + b',"signature":"' + signature + b'"}'
    if len(line) > limit:
        raise LineError(f"the line has {len(line)} bytes; limit {limit}")
    return line


def split_line(raw: bytes, limit: int = LINE_MAX_BYTES) -> SignedLine:
    """Take a line apart, without its line feed.

    Raises:
        LineError: too long, or its last member is no signature.
    """
    if len(raw) > limit:
        raise LineError(f"has {len(raw)} bytes; limit {limit}")
    found = SIGNATURE_MEMBER.search(raw)
    if found is None:
        raise LineError("does not end in a signature")
    try:
        signature = base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise LineError(f"its signature is not base64: {error}") from error
    return SignedLine(
        raw=raw,
        signed=raw[: found.start()] + b"}",
        signature=signature,
        sha256=hashlib.sha256(raw).hexdigest(),
    )
