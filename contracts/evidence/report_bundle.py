"""Decides the exact bytes of a report's ZIP, so that a verifier can make it anew and compare."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

ZIP_TIME: Final = (2020, 1, 1, 0, 0, 0)  # a fixed one: the same files give the same ZIP
UNIX: Final = 3
MODE: Final = 0o100644 << 16
BUNDLE_MAX_BYTES: Final = 512 * 1024**2  # sixty stills of 8 MB; more is no report of ours


class BundleError(ValueError):
    """Bytes that are no bundle of ours; says why."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The ZIP of these files, in their order, stored as they are."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            row = zipfile.ZipInfo(name, ZIP_TIME)
            row.create_system = UNIX
            row.external_attr = MODE
            archive.writestr(row, data)
    return target.getvalue()


def unpack(raw: bytes) -> dict[str, bytes]:
    """The files of a bundle.

    Raises:
        BundleError: it is no ZIP, or not byte for byte the one that its files make.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            rows = archive.infolist()
            if sum(row.file_size for row in rows) > BUNDLE_MAX_BYTES:
                raise BundleError("its files are larger than a report's ever are")
            files = {row.filename: archive.read(row) for row in rows}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BundleError(f"cannot be read as a ZIP: {error}") from error
    except ValueError as error:
        raise BundleError(str(error)) from error
    if pack(files) != raw:
        raise BundleError("the ZIP itself was changed: not the bytes that its files make")
    return files
