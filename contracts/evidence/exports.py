"""Holds what an export says of itself: which part of which chain it holds, and who signed it."""

from typing import Final, Literal

from pydantic import Field

from contracts.envelope import Wire
from contracts.evidence.entries import TrackId
from contracts.evidence.lines import KeyId
from contracts.units import NodeId, Note, Sha256Hex, SiteId, UtcMs

EXPORT_FILE: Final = "export.json"
SEAL_SUFFIX: Final = ".seal.json"
"""Beside the ZIP lies ``NAME.zip.seal.json``: its hash, signed by the node."""


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


class ExportedCut(Wire):
    """A part of a recorded file: its first ``head`` bytes, and its bytes ``start`` to ``end``.

    The file itself is left out, so that nobody gets more than was asked for. Its entry is in the
    export, and whoever made the export checked the file against it before cutting.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9._-]{1,120}$")
    """Beside ``export.json``; its own hash is in ``ExportNote.files``."""
    track: TrackId
    number: int = Field(ge=1)
    """Of the file that it is a part of."""
    source: Sha256Hex
    """What that whole file hashes to, as its entry says."""
    head: int = Field(ge=1)
    start: int = Field(ge=1)
    end: int = Field(ge=1)
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs


class ExportNote(Wire):
    """What an export says of itself; members unknown here are a newer exporter's."""

    v: Literal[1] = 1
    kind: Literal["export"] = "export"
    site: SiteId | None = None
    node: NodeId | None = None
    from_utc_ms: UtcMs | None = None
    to_utc_ms: UtcMs | None = None
    made_utc_ms: UtcMs | None = None
    by: str = Field(default="", max_length=80)
    reason: Note = ""
    tracks: tuple[ExportedTrack, ...] = Field(min_length=1)
    files: dict[str, Sha256Hex] = Field(default_factory=dict)
    """Further files beside ``export.json``, such as clips and the note, by their hash."""
    cuts: tuple[ExportedCut, ...] = ()
    """Those of ``files`` that are parts of recorded files, byte for byte."""


class ExportSeal(Wire):
    """The hash of an export's ZIP, signed by the node that made it; one signed line."""

    v: Literal[1] = 1
    kind: Literal["export_seal"] = "export_seal"
    site: SiteId
    node: NodeId
    file: str = Field(max_length=200)
    bytes: int = Field(ge=0)
    sha256: Sha256Hex
    made_utc_ms: UtcMs
    by: str = Field(max_length=80)
    reason: Note
    key: KeyId
