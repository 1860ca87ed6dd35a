"""Serves bytes of a file by HTTP range (RFC 9110, section 14), also while it is growing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import StreamingResponse

from edge.api.problems import ProblemError

CHUNK_BYTES: Final = 262_144  # a quarter of a second of 8 Mb/s: few wake-ups, little memory
RANGE_MAX_CHARS: Final = 200  # one range; a list of hundreds is an attack on servers
_BYTES: Final = re.compile(r"\s*bytes\s*=\s*(.*)", re.IGNORECASE)
_ONE: Final = re.compile(r"([0-9]{0,18})\s*-\s*([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``first`` up to, not including, ``end``."""

    first: int
    end: int


def parse_range(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for; None: the whole file.

    A list of several ranges and an unknown unit are passed over, as a server may.

    Raises:
        ProblemError: 400 no range, 416 no byte of the file is in it.
    """
    if header is None:
        return None
    if len(header) > RANGE_MAX_CHARS:
        raise ProblemError(
            400, "Range not valid", f"the header Range has more than {RANGE_MAX_CHARS} characters"
        )
    asked = _BYTES.fullmatch(header)
    if asked is None or "," in asked[1]:
        return None
    one = _ONE.fullmatch(asked[1].strip())
    if one is None or not (one[1] or one[2]):
        raise ProblemError(
            400, "Range not valid", "send bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT"
        )
    if not one[1]:
        span = Span(max(size - int(one[2]), 0), size)
    else:
        if one[2] and int(one[2]) < int(one[1]):
            raise ProblemError(
                400, "Range not valid", f"the range ends at {one[2]}, before its start {one[1]}"
            )
        span = Span(int(one[1]), min(int(one[2]) + 1, size) if one[2] else size)
    if span.first >= span.end:
        raise ProblemError(
            416,
            "Range not satisfiable",
            f"the file has {size} bytes, numbered from 0",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return span


def file_response(
    request: Request,
    path: Path,
    size: int,
    *,
    etag: str,
    headers: Mapping[str, str],
    media_type: str = "video/mp4",
) -> StreamingResponse:
    """The first ``size`` bytes of a file, or the range of them that the request wants.

    Raises:
        ProblemError: see ``parse_range``; 404 if the file is gone.
    """
    condition = request.headers.get("if-range")
    asked = request.headers.get("range")
    span = parse_range(asked, size) if condition is None or condition == etag else None
    status = HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK
    sent = span or Span(0, size)
    told = {
        **headers,
        "Accept-Ranges": "bytes",
        "Content-Length": str(sent.end - sent.first),
        "ETag": etag,
    }
    if span:
        told["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{size}"
    try:
        # Opened now: a file that is deleted a moment later is still served to its end.
        file = path.open("rb")
    except FileNotFoundError:
        raise ProblemError(404, "No such file", f"{path.name} is not on this disk") from None

    def chunks() -> Iterator[bytes]:
        with file:
            file.seek(sent.first)
            left = sent.end - sent.first
            while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk

    return StreamingResponse(chunks(), status_code=status, headers=told, media_type=media_type)
