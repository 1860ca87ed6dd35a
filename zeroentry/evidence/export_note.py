"""Decides whether an export is what ``export.json`` in it and the seal beside it say."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from contracts.evidence.chain import spelled_exactly
from contracts.evidence.exports import EXPORT_FILE, SEAL_SUFFIX, ExportNote, ExportSeal
from contracts.evidence.lines import LINE_MAX_BYTES, KeyId, LineError, split_line
from zeroentry.evidence.findings import Finding, Kind
from zeroentry.evidence.tree import READ_ERRORS, Tree
from zeroentry.evidence.trust import check_signature

EXPORT_MAX_BYTES: Final = 16 << 20  # a year of one track that leaves out every file: 4 MiB


class ExportNoteError(Exception):
    """``export.json`` is not what it must be; says where."""


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


def judge_seal(archive: Path, keys: Mapping[KeyId, bytes]) -> Finding | None:
    """What is wrong with the seal beside a ZIP; None: it is whole, and sealed by a trusted key.

    Raises:
        OSError: a file cannot be read.
    """
    beside = archive.with_name(archive.name + SEAL_SUFFIX)
    if not beside.is_file():
        return Finding(Kind.NO_SEAL, archive.name, values=(beside.name,))
    with beside.open("rb") as file:
        raw = file.read(LINE_MAX_BYTES + 1).removesuffix(b"\n")
    try:
        line = split_line(raw)
        seal = ExportSeal.model_validate_json(line.signed)
    except (LineError, ValidationError) as error:
        return Finding(Kind.SEAL, beside.name, values=(str(error).splitlines()[0],))
    public = keys.get(seal.key)
    if public is None:
        return Finding(Kind.SEAL_OTHER_KEY, beside.name, values=(seal.key,))
    if not spelled_exactly(line) or not check_signature(public, line.signed, line.signature):
        return Finding(Kind.SEAL, beside.name, values=(f"signature: {seal.key}",))
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != seal.sha256:
        return Finding(Kind.SEAL, archive.name, values=(f"SHA-256 {found} / {seal.sha256}",))
    return None
