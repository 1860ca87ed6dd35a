"""Keeps the controller's countersignatures beside the manifests that they speak of."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from contracts.evidence.entries import TrackId, Witness
from contracts.evidence.lines import LineError, split_line
from contracts.units import NodeId, Sha256Hex, SiteId
from edge.evidence.places import Places

log = structlog.get_logger(__name__)

FILE: Final = "witness.jsonl"
FILE_MODE: Final = 0o640
DAYS_READ: Final = 2
# A head that was witnessed yesterday comes again after midnight, for the message is retained.


class WitnessRefusedError(Exception):
    """A countersignature is not of a head of ours; says why."""


HashOf = Callable[[TrackId, int], Sha256Hex | None]
"""The hash of a line of a track's chain, by its sequence; None: there is no such line."""


class WitnessBook:
    """``witness.jsonl`` of each track and day. Blocks for the disk: for its thread alone."""

    def __init__(self, site_id: SiteId, node_id: NodeId, root: Path, hash_of: HashOf) -> None:
        self._site_id = site_id
        self._node_id = node_id
        self._places = Places(root)
        self._hash_of = hash_of
        self._sequences: dict[TrackId, int] = {}

    def sequence(self, track_id: TrackId) -> int:
        """The last entry of a track that is known to be countersigned; 0: none."""
        return self._sequences.get(track_id, 0)

    def take(self, track_id: TrackId, text: str) -> bool:
        """Keep a countersignature; False when it, or a later one, is there already.

        Whether its signature is right is for ``zeroentry evidence verify``, which has the
        controller's public key; here it only must speak of an entry of ours.

        Raises:
            WitnessRefusedError: it does not.
            OSError: the disk refused it.
        """
        said = self._read(track_id, text)
        days = self._places.days(track_id)
        if not days:
            raise WitnessRefusedError(f"{track_id} has no recordings here")
        if track_id not in self._sequences:
            self._sequences[track_id] = self._stored(track_id, days[-DAYS_READ:])
        if said.sequence <= self._sequences[track_id]:
            return False
        own = self._hash_of(track_id, said.sequence)
        if own != said.entry_sha256:
            found = "there is none" if own is None else "ours has another hash"
            raise WitnessRefusedError(f"{track_id} entry {said.sequence}: {found}")
        _append(self._places.manifest(track_id, days[-1]).with_name(FILE), text.encode("ascii"))
        self._sequences[track_id] = said.sequence
        return True

    def _read(self, track_id: TrackId, text: str) -> Witness:
        try:
            said = Witness.model_validate_json(split_line(text.encode("ascii")).signed)
        except (LineError, ValidationError, UnicodeEncodeError) as error:
            raise WitnessRefusedError(f"no countersignature: {error}") from error
        if (said.site, said.node, said.track) != (self._site_id, self._node_id, track_id):
            raise WitnessRefusedError(f"speaks of {said.site}/{said.node}/{said.track}")
        return said

    def _stored(self, track_id: TrackId, days: list[str]) -> int:
        newest = 0
        for day in days:
            path = self._places.manifest(track_id, day).with_name(FILE)
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            for raw in content.split(b"\n"):
                try:
                    said = Witness.model_validate_json(split_line(raw).signed)
                except (LineError, ValidationError):
                    continue  # a half-written line, or an empty one behind the last
                newest = max(newest, said.sequence)
        return newest


def _append(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, FILE_MODE), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # what a crash cut off stays a line of its own, unreadable
                line = b"\n" + line
        file.write(line + b"\n")
        os.fsync(file.fileno())
