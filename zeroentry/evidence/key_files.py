"""Decides which keys a folder holds: public ones of recordings, private ones of a data folder."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from contracts.evidence.lines import KeyId, key_id
from runtime.signing import KEY_FILE_MAX_BYTES, KeyFileError, public_raw, read_key
from zeroentry.evidence.trust import KEYS_FOLDER, KEYS_MAX

PRIVATE_FILES: Final = {
    "node-evidence.pem": "node_private",
    "controller-evidence.pem": "controller_private",
}
RECORDINGS: Final = "recordings"


class Use(StrEnum):
    """What a key file is for; the name of its text."""

    PUBLIC = "public"
    NODE_PRIVATE = "node_private"
    CONTROLLER_PRIVATE = "controller_private"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key file; ``error`` says why it cannot be used, id and fingerprint are empty then.

    ``fingerprint`` is the SHA-256 of the raw public key.
    """

    file: Path
    use: Use
    id: KeyId = ""
    fingerprint: str = ""
    error: str = ""


def keys_in(folder: Path) -> list[KeyRow]:
    """Key files of a recordings' or data folder; private keys are read, never shown."""
    files = sorted((folder / KEYS_FOLDER).glob("*.pem"))
    files += sorted((folder / RECORDINGS / KEYS_FOLDER).glob("*.pem"))
    return [_row(file) for file in files[:KEYS_MAX]]


def _row(file: Path) -> KeyRow:
    use = Use(PRIVATE_FILES.get(file.name, Use.PUBLIC))
    try:
        if use is Use.PUBLIC:
            with file.open("rb") as opened:
                raw = public_raw(opened.read(KEY_FILE_MAX_BYTES), said=str(file))
        else:
            raw = read_key(file).public_raw
    except (KeyFileError, OSError) as error:
        return KeyRow(file, use, error=str(error))
    return KeyRow(file, use, key_id(raw), hashlib.sha256(raw).hexdigest())
