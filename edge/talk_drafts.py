"""Holds what is being said into a room on disk as it is said, so that no crash loses the words.

A draft is a line that tells whose talk it is, and the samples as they went out. It is there from
before the first word until the finished file and the word of its end are; what a start still finds
is closed then.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import ValidationError

from contracts.observations import VoiceTold

log = structlog.get_logger(__name__)

SUFFIX: Final = ".said"
DAMAGED: Final = ".damaged"
HEAD_MAX_BYTES: Final = 4_096
SYNC_BYTES: Final = 16_000  # a second of 8 kHz: no more is lost when the power goes
SAID_MAX_BYTES: Final = 4_000_000  # two minutes have 1.9 MB; more is no talk of ours


@dataclass(slots=True)
class Draft:
    """One talk under way. Methods block; one thread at a time."""

    path: Path
    descriptor: int
    unsynced: int = 0

    def add(self, samples: NDArray[np.int16]) -> None:
        """Append what went out: a kill keeps it from now on, a power cut within a second.

        Raises:
            OSError: the disk refuses.
        """
        data = samples.astype("<i2").tobytes()
        while data:
            data = data[os.write(self.descriptor, data) :]
        self.unsynced += samples.size * 2
        if self.unsynced >= SYNC_BYTES:
            os.fdatasync(self.descriptor)
            self.unsynced = 0

    def close(self, *, forget: bool) -> None:
        """Close it; ``forget``: what it holds lies elsewhere, and its end is told."""
        os.close(self.descriptor)
        if forget:
            self.path.unlink(missing_ok=True)


def begin(folder: Path, told: VoiceTold) -> Draft:
    """Open the draft of a talk that begins; on disk when this returns.

    Raises:
        OSError: the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    name = hashlib.sha256(told.voice_id.encode()).hexdigest()[:32]
    path = folder / f"{name}{SUFFIX}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    draft = Draft(path, descriptor)
    os.write(descriptor, told.model_dump_json().encode() + b"\n")
    os.fsync(descriptor)
    above = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
    return draft


def left(folder: Path) -> Iterator[tuple[Path, VoiceTold, NDArray[np.int16]]]:
    """Talks that nobody closed: who talked, and all that went out.

    A draft that cannot be read is set aside and logged: its words are still on disk then.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with path.open("rb") as file:
                head = file.readline(HEAD_MAX_BYTES)
                data = file.read(SAID_MAX_BYTES)
            told = VoiceTold.model_validate_json(head)
        except (OSError, ValidationError) as error:
            log.error("talk_draft_unreadable", file=path.name, error=str(error)[:200])
            path.rename(path.with_suffix(DAMAGED))
            continue
        yield path, told, np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
