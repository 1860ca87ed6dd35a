"""Decides whether the parts of recorded files in an export are what it says they are.

That a part is cut from a file of the chain is said by whoever made the export and signed its seal:
the hash in the chain is of the whole file. With the recordings at hand it is shown, byte by byte.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from contracts.evidence.cuts import COPY_BYTES, Read, is_recording
from contracts.evidence.exports import ExportedCut, ExportNote
from zeroentry.evidence.chains import FileEntered
from zeroentry.evidence.findings import Finding, Kind
from zeroentry.evidence.tree import READ_ERRORS, Tree

Entered = Mapping[str, Mapping[int, FileEntered]]
"""The files that the chains name, by track and number."""


def judge_cuts(
    tree: Tree, note: ExportNote, entered: Entered, *, sealed: bool, sources: Path | None
) -> list[Finding]:
    """What there is to say of the cuts; ``sealed``: the whole export has a seal that holds."""
    findings: list[Finding] = []
    for cut in note.cuts:
        try:
            findings += _judge(tree, note, cut, entered, sealed=sealed, sources=sources)
        except READ_ERRORS as error:
            findings.append(Finding(Kind.UNREADABLE_FILE, cut.file, values=(str(error),)))
    return findings


def _judge(
    tree: Tree,
    note: ExportNote,
    cut: ExportedCut,
    entered: Entered,
    *,
    sealed: bool,
    sources: Path | None,
) -> list[Finding]:
    source = entered.get(cut.track, {}).get(cut.number)
    if source is None or source.sha256 != cut.source or cut.file not in note.files:
        return [Finding(Kind.CUT_OTHER, cut.file, values=(cut.number, cut.track))]
    with tree.open((cut.file,)) as file:
        read, size = _reader(file), file.seek(0, 2)
        told = cut.head + cut.end - cut.start
        fits = size == told and cut.head <= cut.start and cut.end <= source.bytes
        if not fits or not is_recording(read, size, cut.head):
            return [Finding(Kind.CUT_SHAPE, cut.file, values=(cut.number,))]
        found = _source(sources, cut, source) if sources is not None else None
        if found is None:
            kind = Kind.CUT_TOLD if sealed else Kind.CUT_UNSEALED
            return [Finding(kind, cut.file, values=(cut.number, cut.track))]
        with found.open("rb") as whole:
            return _compared(cut, read, whole)


def _reader(file: BinaryIO) -> Read:
    def read(start: int, count: int) -> bytes:
        file.seek(start)
        return file.read(count)

    return read


def _source(sources: Path, cut: ExportedCut, source: FileEntered) -> Path | None:
    rows = sorted((sources / cut.track).glob(f"*/{source.name}"))
    return next((row for row in rows if row.is_file() and not row.is_symlink()), None)


def _compared(cut: ExportedCut, read: Read, whole: io.BufferedReader) -> list[Finding]:
    """Hold a cut against the file that it was cut from."""
    if hashlib.file_digest(whole, "sha256").hexdigest() != cut.source:
        return [Finding(Kind.CUT_SOURCE, cut.file, values=(cut.number, cut.track))]
    of_source = _reader(whole)
    for at, start, end in ((0, 0, cut.head), (cut.head, cut.start, cut.end)):
        for offset in range(0, end - start, COPY_BYTES):
            count = min(COPY_BYTES, end - start - offset)
            if read(at + offset, count) != of_source(start + offset, count):
                values = (cut.number, cut.track, start + offset)
                return [Finding(Kind.CUT_ALTERED, cut.file, values=values)]
    return [Finding(Kind.CUT_SHOWN, cut.file, values=(cut.number, cut.track))]
