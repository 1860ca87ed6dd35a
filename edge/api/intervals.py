"""Reads times and intervals that people and programs send, and says why one makes no sense."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.units import UtcMs
from edge.api.problems import ProblemError

MS_DIGITS_MAX: Final = 14  # until the year 5138; more digits are microseconds by mistake
TEXT_MAX_CHARS: Final = 40
FUTURE_SLACK_MS: Final = 2_000  # clocks of two machines, both synchronised
_MS: Final = re.compile(rf"[0-9]{{1,{MS_DIGITS_MAX}}}")
_LOST_PLUS: Final = re.compile(r"(?P<time>.*[0-9]) (?P<offset>[0-9]{2}:?[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``from_utc_ms`` up to, not including, ``to_utc_ms``."""

    from_utc_ms: UtcMs
    to_utc_ms: UtcMs

    @property
    def duration_ms(self) -> int:
        return self.to_utc_ms - self.from_utc_ms


def read_time(name: str, text: str) -> UtcMs:
    """Milliseconds since 1970, or an ISO 8601 time with its offset from UTC.

    Raises:
        ProblemError: 422, it is neither.
    """
    how = "send milliseconds since 1970, or a time like 2026-11-20T08:00:00Z"
    text = text.strip()
    if len(text) > TEXT_MAX_CHARS:
        raise ProblemError(422, "Not a time", f"{name} is too long; {how}")
    if _MS.fullmatch(text):
        return UtcMs(int(text))
    if lost := _LOST_PLUS.fullmatch(text):
        text = f"{lost['time']}+{lost['offset']}"  # a plus sign in an address reads as a space
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise ProblemError(422, "Not a time", f"{name}={text!r} is not a time; {how}") from None
    if told.tzinfo is None:
        raise ProblemError(
            422, "Time without a zone", f"{name}={text!r} has no zone: add Z for UTC, or +08:00"
        )
    try:
        since = told.astimezone(UTC) - datetime.fromtimestamp(0, UTC)
    except OverflowError:
        raise ProblemError(422, "Not a time", f"{name}={text!r} is out of range; {how}") from None
    if since.days < 0:
        raise ProblemError(422, "Not a time", f"{name}={text!r} is before 1970; {how}")
    return UtcMs(round(since.total_seconds() * 1000))


def read_interval(
    from_text: str | None,
    to_text: str | None,
    now_utc_ms: UtcMs,
    *,
    default_ms: int,
    max_ms: int,
    min_ms: int = 1,
    past: bool,
) -> Interval:
    """The interval asked for; ``to`` left out is now, ``from`` left out ``default_ms`` before it.

    ``past``: its end must not lie in the future either.

    Raises:
        ProblemError: 422, and why.
    """
    to = read_time("to", to_text) if to_text is not None else now_utc_ms
    begin = (
        read_time("from", from_text) if from_text is not None else UtcMs(max(to - default_ms, 0))
    )
    latest = now_utc_ms + FUTURE_SLACK_MS
    if begin > latest:
        raise ProblemError(
            422, "In the future", f"from={begin} lies after now ({now_utc_ms}): nothing is recorded"
        )
    if past and to > latest:
        raise ProblemError(
            422, "In the future", f"to={to} lies after now ({now_utc_ms}): ask again later"
        )
    if begin >= to:
        raise ProblemError(
            422, "Interval not valid", f"from={begin} is not before to={to}: exchange them"
        )
    if to - begin > max_ms:
        raise ProblemError(
            422,
            "Interval too long",
            f"from..to is {(to - begin) // 1000} s long; at most {max_ms // 1000} s at once",
        )
    if to - begin < min_ms:
        raise ProblemError(
            422, "Interval too short", f"from..to is {to - begin} ms long; at least {min_ms} ms"
        )
    return Interval(begin, to)
