"""Decides which keys are trusted: those that the caller gives, and those they vouch for."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.evidence.chain import decode_public_key, handover_proof
from contracts.evidence.entries import Entry, HandedOver, Opened
from contracts.evidence.lines import KeyId, key_id
from runtime.signing import KEY_FILE_MAX_BYTES, KeyFileError, public_raw
from zeroentry.evidence.tree import Sort, Tree

KEYS_FOLDER: Final = "keys"
KEYS_MAX: Final = 1_000  # files of one folder of keys; a site rotates a few a year
_CACHED_KEYS: Final = 64  # a chain changes its key once a year; a controller's is one more


@lru_cache(maxsize=_CACHED_KEYS)
def _public_key(raw: bytes) -> Ed25519PublicKey | None:
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        return None


def check_signature(raw: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the raw public key made the signature (``chain.CheckSignature``)."""
    public = _public_key(raw)
    if public is None:
        return False
    try:
        public.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def read_given(path: Path) -> dict[KeyId, bytes]:
    """Public keys by id from a PEM file, or from all ``*.pem`` of a folder.

    Raises:
        KeyFileError: a file is no public key, or the folder has none.
        OSError: it cannot be read.
    """
    files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    if not files:
        raise KeyFileError(f"{path} holds no .pem file; name the public key of the node")
    keys: dict[KeyId, bytes] = {}
    for file in files[:KEYS_MAX]:
        with file.open("rb") as opened:
            raw = public_raw(opened.read(KEY_FILE_MAX_BYTES), said=str(file))
        keys[key_id(raw)] = raw
    return keys


def read_in_tree(tree: Tree) -> dict[KeyId, bytes]:
    """Public keys that lie in the folder itself; what is no key there is passed over."""
    keys: dict[KeyId, bytes] = {}
    for found in tree.listing((KEYS_FOLDER,))[:KEYS_MAX]:
        if found.sort is not Sort.FILE or not found.name.endswith(".pem"):
            continue
        with tree.open((KEYS_FOLDER, found.name)) as opened:
            pem = opened.read(KEY_FILE_MAX_BYTES)
        try:
            raw = public_raw(pem, said=found.name)
        except KeyFileError:
            continue
        keys[key_id(raw)] = raw
    return keys


def vouched(trusted: Mapping[KeyId, bytes], entries: Iterable[Entry]) -> dict[KeyId, bytes]:
    """``trusted``, and the earlier keys of a chain from which they say that they took over.

    Whoever was given a node's present key can so judge what its earlier keys signed: the proof in a
    hand-over is the newer key's signature over the older key's id.
    """
    public: dict[KeyId, bytes] = {}
    proofs: list[HandedOver] = []
    for entry in entries:
        if isinstance(entry, Opened):
            raw = decode_public_key(entry.public_key)
            if raw is not None and key_id(raw) == entry.key:
                public[entry.key] = raw
        elif isinstance(entry, HandedOver):
            proofs.append(entry)
    keys = dict(trusted)
    for entry in reversed(proofs):
        raw = public.get(entry.key)
        newer = keys.get(entry.new_key)
        if raw is not None and newer is not None and _proved(entry, newer):
            keys[entry.key] = raw
    return keys


def _proved(entry: HandedOver, newer: bytes) -> bool:
    try:
        proof = base64.b64decode(entry.proof, validate=True)
    except (binascii.Error, ValueError):
        return False
    return check_signature(newer, handover_proof(entry.key, entry.new_key), proof)
