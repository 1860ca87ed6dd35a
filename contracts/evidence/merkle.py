"""Decides the Merkle tree over many lines (RFC 6962, section 2.1): its root and proofs in it.

A leaf is hashed with 0x00 before it and an inner node with 0x01, so that nobody can pass an inner
node off as a leaf. Leaves are the exact bytes of lines, without line feed, in a stated order.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
PROOF_MAX: Final = 64  # hashes in a proof: a tree of 2**64 leaves is above any counter of ours

_LEAF: Final = b"\x00"
_INNER: Final = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of one leaf; 32 bytes."""
    return hashlib.sha256(_LEAF + leaf).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of ``leaves``; 32 bytes. Of none: the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    return _subtree([leaf_hash(leaf) for leaf in leaves])


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """What, with leaf ``index``, leads to the root: the sibling at each level, lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    hashes = [leaf_hash(leaf) for leaf in leaves]
    first, last = 0, len(hashes)
    proof: list[bytes] = []
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            proof.append(_subtree(hashes[middle:last]))
            last = middle
        else:
            proof.append(_subtree(hashes[first:middle]))
            first = middle
    return tuple(reversed(proof))


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> bool:
    """Whether ``leaf`` is number ``index`` (from 0) of the ``size`` leaves under that root."""
    if not 0 <= index < size or len(proof) > PROOF_MAX:
        return False
    if any(len(sibling) != HASH_BYTES for sibling in proof):
        return False
    found = leaf_hash(leaf)
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            return False  # the proof is longer than the tree is high
        if place % 2 == 1 or place == last:
            found = _inner(sibling, found)
            while place % 2 == 0 and place != 0:  # the right edge skips levels
                place, last = place // 2, last // 2
        else:
            found = _inner(found, sibling)
        place, last = place // 2, last // 2
    return last == 0 and found == expected_root


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_INNER + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    middle = _split(len(hashes))
    return _inner(_subtree(hashes[:middle]), _subtree(hashes[middle:]))
