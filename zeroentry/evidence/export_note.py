"""Holds what ``export.json`` says: which part of which chain an export is meant to hold."""

from typing import Final, Literal

from pydantic import Field, ValidationError

from contracts.envelope import Wire
from contracts.evidence.entries import TrackId
from contracts.units import Sha256Hex
from zeroentry.evidence.tree import READ_ERRORS, Tree

EXPORT_FILE: Final = "export.json"
EXPORT_MAX_BYTES: Final = 16 << 20  # a year of one track that leaves out every file: 4 MiB


class ExportNoteError(Exception):
    """``export.json`` is not what it must be; says where."""


class ExportedTrack(Wire):
    """The entries ``first`` to ``last`` of a track, all of them, and their files.

    The layout is that of a recordings' folder: ``TRACK/DAY/manifest.jsonl``, each with the exact
    bytes of its lines, the segments beside it, and ``witness.jsonl``.
    """

    track: TrackId
    first: int = Field(ge=1)
    last: int = Field(ge=1)
    previous: Sha256Hex
    """What entry ``first`` follows: where the part is anchored in its chain."""
    left_out: tuple[int, ...] = ()
    """Numbers of files that the entries name and the export does not hold."""


class ExportNote(Wire):
    """What an export says of itself; members unknown here (who, why) are the exporter's."""

    v: Literal[1] = 1
    kind: Literal["export"] = "export"
    tracks: tuple[ExportedTrack, ...] = Field(min_length=1)
    files: dict[str, Sha256Hex] = Field(default_factory=dict)
    """Further files beside ``export.json``, such as clips and the note, by their hash."""


def read_note(tree: Tree) -> ExportNote:
    """What the tree's ``export.json`` says.

    Raises:
        ExportNoteError: it cannot be read or understood.
    """
    try:
        with tree.open((EXPORT_FILE,)) as file:
            return ExportNote.model_validate_json(file.read(EXPORT_MAX_BYTES))
    except READ_ERRORS as error:
        raise ExportNoteError(f"{EXPORT_FILE}: {error}") from error
    except ValidationError as error:
        row = error.errors()[0]
        where = ".".join(str(part) for part in row["loc"])
        raise ExportNoteError(f"{EXPORT_FILE}: {where}: {row['msg']}") from error
