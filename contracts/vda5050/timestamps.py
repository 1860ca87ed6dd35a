"""Decides how an instant is written in VDA 5050: ISO 8601, UTC, milliseconds, with Z."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from contracts.units import UtcMs

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
_LAST_UTC_MS: Final = (_LAST - _EPOCH) // timedelta(milliseconds=1)


def timestamp_of(utc_ms: UtcMs) -> str:
    """Write an instant as ``2026-11-05T09:30:00.250Z``.

    Raises:
        ValueError: before 1970 or after 9999.
    """
    if not 0 <= utc_ms <= _LAST_UTC_MS:
        raise ValueError(f"{utc_ms} ms is outside 1970..9999")
    moment = _EPOCH + timedelta(milliseconds=utc_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{utc_ms % 1000:03d}Z"


def utc_ms_of(timestamp: str) -> UtcMs:
    """Read an ISO 8601 instant; one without a zone counts as UTC, as the standard demands UTC.

    Raises:
        ValueError: it is no ISO 8601 date and time, or lies outside 1970..9999.
    """
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        utc_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        raise ValueError(f"{timestamp} lies outside 1970..9999") from None
    if not 0 <= utc_ms <= _LAST_UTC_MS:
        raise ValueError(f"{timestamp} lies outside 1970..9999")
    return UtcMs(utc_ms)


def _readable(timestamp: str) -> str:
    utc_ms_of(timestamp)
    return timestamp


Timestamp = Annotated[
    str, StringConstraints(min_length=10, max_length=40), AfterValidator(_readable)
]
