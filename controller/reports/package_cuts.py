"""Cuts the first and the last file of a retrieval to what was asked for, byte for byte.

The controller holds no recordings: a file comes whole from its node, is held against the entry that
the node signed, and only then is a part of it put into the package. The rest is forgotten.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, Final

from contracts.evidence.cuts import CutError, Read, Span, layout, pieces, span
from contracts.evidence.entries import Segment
from contracts.evidence.exports import ExportedCut
from contracts.units import Sha256Hex, UtcMs
from controller.core.retrievals import Retrieval
from controller.reports.package_zip import PackageZip, TrackPart, name_of

SUFFIX: Final = "_cut.mp4"


def sticks_out(entry: Segment, row: Retrieval) -> bool:
    """Whether a file holds more than the interval that was asked for."""
    begin, end = entry.start.utc_ms, entry.start.utc_ms + entry.duration_ms
    return begin < row.body.from_utc_ms or row.body.to_utc_ms < end


async def put_cut(
    package: PackageZip,
    part: TrackPart,
    entry: Segment,
    row: Retrieval,
    chunks: AsyncIterator[bytes],
) -> Sha256Hex:
    """Put in what the interval wants of a file; the hash of the whole file out.

    Nothing is put in of a file that is not what its entry says. One that cannot be cut (it is laid
    out otherwise, or all of it is wanted) goes in whole.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=package.folder) as whole:
        async for chunk in chunks:
            digest.update(chunk)
            await asyncio.to_thread(whole.write, chunk)
        if digest.hexdigest() != entry.sha256:
            return digest.hexdigest()
        read = _reader(whole)
        wanted = await asyncio.to_thread(_span, read, entry, row)
        if wanted is None:
            all_of_it = _read_all(read, entry.bytes)
            return await package.stream(name_of(part, entry), all_of_it, listed=False)
        cut = _told(part, entry, wanted)
        await package.stream(cut.file, _pieces(read, wanted), listed=True)
    part.left_out.append(entry.number)
    part.cuts.append(cut)
    return entry.sha256


def _reader(file: BinaryIO) -> Read:
    def read(start: int, count: int) -> bytes:
        file.seek(start)
        return file.read(count)

    return read


def _span(read: Read, entry: Segment, row: Retrieval) -> Span | None:
    start = entry.start.utc_ms
    try:
        found = layout(read, entry.bytes)
        wanted = span(found, row.body.from_utc_ms - start, row.body.to_utc_ms - start)
    except CutError:
        return None
    return None if wanted.bytes >= entry.bytes else wanted


def _told(part: TrackPart, entry: Segment, wanted: Span) -> ExportedCut:
    begin = entry.start.utc_ms
    to_ms = entry.duration_ms if wanted.to_ms is None else wanted.to_ms
    return ExportedCut(
        file=f"{part.track}_{entry.number:08d}_{begin + wanted.from_ms}{SUFFIX}",
        track=part.track,
        number=entry.number,
        source=entry.sha256,
        head=wanted.head,
        start=wanted.start,
        end=wanted.end,
        from_utc_ms=UtcMs(begin + wanted.from_ms),
        to_utc_ms=UtcMs(begin + to_ms),
    )


async def _pieces(read: Read, wanted: Span) -> AsyncIterator[bytes]:
    rows = pieces(read, wanted)
    while (piece := await asyncio.to_thread(next, rows, b"")) != b"":
        yield piece


def _read_all(read: Read, size: int) -> AsyncIterator[bytes]:
    return _pieces(read, Span(head=0, start=0, end=size, from_ms=0, to_ms=None))
