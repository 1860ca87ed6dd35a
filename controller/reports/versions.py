"""Makes signed versions of a witness report, once each, and keeps their files under their hash."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.api import WitnessReport
from contracts.api.report import (
    SIGNED_FILES,
    ReportFile,
    ReportStatement,
    ReportVersion,
    SignedFile,
)
from contracts.evidence.lines import KeyId, Sign, sign_line
from contracts.evidence.report_bundle import pack
from contracts.units import UtcMs
from controller.reports.witness_pdf import Signing, witness_pdf

SIGNATURES: Final[Mapping[ReportFile, ReportFile]] = {
    ReportFile.JSON_SIGNATURE: ReportFile.JSON,
    ReportFile.PDF_ZH_SIGNATURE: ReportFile.PDF_ZH,
    ReportFile.PDF_EN_SIGNATURE: ReportFile.PDF_EN,
}
NOT_CONTENT: Final = frozenset(
    {"made_utc_ms", "made_by", "version", "previous_sha256", "reason", "draft", "sealed_for_ms"}
)
"""Members of a report that differ between two looks at the same facts."""


class ReportShelf:
    """Files on disk, each under its own SHA-256: written once, never changed. Blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where a file lies."""
        return self._folder / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes | None:
        """A file; None when it is not here."""
        path = self.path(sha256)
        return path.read_bytes() if path.exists() else None

    def write(self, data: bytes) -> str:
        """Keep a file; on disk, name and all, when this returns. Its SHA-256 out.

        Raises:
            OSError: the disk refused; nothing is left behind.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return sha256


@dataclass(frozen=True, slots=True)
class Signer:
    """The controller's evidence key."""

    key: KeyId
    sign: Sign
    public_pem: bytes


def report_json(report: WitnessReport) -> bytes:
    """The report as its JSON file: members in the model's order, UTF-8, indented for a reader."""
    members = report.model_dump(mode="json")
    return (json.dumps(members, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def same_facts(one: WitnessReport, other: WitnessReport) -> bool:
    """Whether two reports tell the same, apart from when and why they were made."""
    return _content(one) == _content(other)


def _content(report: WitnessReport) -> str:
    members = report.model_dump(mode="json", exclude=set(NOT_CONTENT))
    # Lines that tell of reports and retrievals come in because a report was made or read.
    members["record"] = [
        row for row in members["record"] if row["kind"] not in ("report", "retrieval")
    ]
    return json.dumps(members, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Made:
    """A version, its statement, and nothing filed yet but its files on the shelf."""

    version: ReportVersion
    statement: str


def make_version(
    report: WitnessReport, stills: Mapping[str, bytes], signer: Signer, shelf: ReportShelf
) -> Made:
    """Set, hash and sign a version: JSON, both PDFs, the statement. Blocks for seconds.

    Raises:
        DocumentError: a PDF cannot be set.
        OSError: the disk refused.
    """
    content = report_json(report)
    signing = Signing(content, hashlib.sha256(content).hexdigest(), signer.key)
    made = {
        ReportFile.JSON: content,
        ReportFile.PDF_ZH: witness_pdf(report, "zh-CN", stills, signing),
        ReportFile.PDF_EN: witness_pdf(report, "en", stills, signing),
    }
    files = {
        name: SignedFile(
            sha256=shelf.write(data),
            bytes=len(data),
            signature=base64.b64encode(signer.sign(data)).decode(),
        )
        for name, data in made.items()
    }
    statement = ReportStatement(
        site=report.site_id,
        session=report.session.id,
        version=report.version,
        made_utc_ms=report.made_utc_ms,
        made_by=report.made_by,
        previous=report.previous_sha256,
        files={name.value: row.sha256 for name, row in files.items()},
        key=signer.key,
    )
    version = ReportVersion(
        session_id=report.session.id,
        version=report.version,
        made_utc_ms=UtcMs(report.made_utc_ms),
        made_by=report.made_by,
        reason=report.reason,
        previous_sha256=report.previous_sha256,
        key=signer.key,
        files=files,
    )
    return Made(version, sign_line(statement, signer.sign).decode())


def file_of(
    name: ReportFile, version: ReportVersion, statement: str, shelf: ReportShelf, key_pem: bytes
) -> bytes | None:
    """One file of a version; None when the shelf has lost it. Blocks."""
    match name:
        case ReportFile.JSON | ReportFile.PDF_ZH | ReportFile.PDF_EN:
            return shelf.read(version.files[name].sha256)
        case ReportFile.STATEMENT:
            return statement.encode() + b"\n"
        case ReportFile.KEY:
            return key_pem
        case ReportFile.BUNDLE:
            return _bundle(version, statement, shelf, key_pem)
        case _:
            return base64.b64decode(version.files[SIGNATURES[name]].signature)


def _bundle(
    version: ReportVersion, statement: str, shelf: ReportShelf, key_pem: bytes
) -> bytes | None:
    files: dict[str, bytes] = {}
    for name in ReportFile:
        if name is not ReportFile.BUNDLE:
            data = file_of(name, version, statement, shelf, key_pem)
            if data is None:
                return None
            files[name.value] = data
    return pack(files)


assert set(SIGNATURES.values()) == set(SIGNED_FILES)  # noqa: S101  # two tables of one thing
