"""Decides how files are hashed: a few threads, each with one buffer, for hashing leaves the GIL."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final

from zeroentry.evidence.tree import READ_ERRORS, Tree

BUFFER_BYTES: Final = 1 << 20  # larger is no faster here, smaller asks the kernel too often
JOBS_DEFAULT: Final = 4  # a disk is busy with four readers; more only seek
JOBS_MAX: Final = 64
ADVANCE_BYTES: Final = 16 << 20  # how much goes by between two words on the progress


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a file holds: its bytes and their SHA-256, or why it could not be read."""

    path: tuple[str, ...]
    bytes: int = 0
    sha256: str = ""
    error: str = ""


def jobs_default() -> int:
    """As many threads as help on this machine."""
    return min(JOBS_DEFAULT, os.cpu_count() or 1)


def hash_files(
    tree: Tree,
    paths: Iterable[tuple[str, ...]],
    jobs: int,
    advance: Callable[[int], None] | None = None,
) -> dict[tuple[str, ...], Hashed]:
    """Hash files of a tree; ``advance`` is told bytes as they go by, from any thread."""
    work = iter(paths)
    results: dict[tuple[str, ...], Hashed] = {}
    lock = threading.Lock()
    stopped = threading.Event()

    def drain() -> None:
        buffer = bytearray(BUFFER_BYTES)
        while not stopped.is_set():
            with lock:
                path = next(work, None)
            if path is None:
                return
            hashed = _hash(tree, path, buffer, advance, stopped)
            with lock:
                results[path] = hashed

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for done in [pool.submit(drain) for _ in range(jobs)]:
                done.result()
        finally:
            stopped.set()
    return results


def _hash(
    tree: Tree,
    path: tuple[str, ...],
    buffer: bytearray,
    advance: Callable[[int], None] | None,
    stopped: threading.Event,
) -> Hashed:
    try:
        with tree.open(path) as file:
            return _hash_open(path, file, buffer, advance, stopped)
    except READ_ERRORS as error:
        return Hashed(path, error=str(error) or type(error).__name__)


def _hash_open(
    path: tuple[str, ...],
    file: BinaryIO,
    buffer: bytearray,
    advance: Callable[[int], None] | None,
    stopped: threading.Event,
) -> Hashed:
    digest = hashlib.sha256()
    view = memoryview(buffer)
    total = told = 0
    read_into = getattr(file, "readinto")  # noqa: B009 - typeshed's BinaryIO does not state it
    while not stopped.is_set():
        count = read_into(view)
        if not count:
            break
        digest.update(view[:count])
        total += count
        if advance is not None and total - told >= ADVANCE_BYTES:
            advance(total - told)
            told = total
    if advance is not None:
        advance(total - told)
    return Hashed(path, total, digest.hexdigest())
