"""Decides which stretches of time a chain calls a gap, from when to when, and why.

A track may be silent for two causes at once: nothing comes (the stream), or it cannot be written
(the disk). The one that began first names the gap until it is over; then the other does. Stretches
follow one another without a hole, and none is longer than ``PIECE_MS`` while it can be written.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.evidence.entries import At, GapReason

PIECE_MS: Final = 60_000  # as long as a segment: a chain that says nothing for longer is broken


class Source(StrEnum):
    """Who causes a gap."""

    STREAM = "stream"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why nothing is recorded."""

    source: Source
    reason: GapReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a gap as an entry tells it. ``ended``: recording goes on after it."""

    reason: GapReason
    detail: str
    start: At
    end: At
    ended: bool


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is known: the gap that runs since ``since``, and the cause behind it.

    ``told``: a piece of this gap has been told with more to come. ``mended``: its cause is over,
    and the gap lasts only because the next picture has not come.
    """

    cause: Cause | None = None
    since: At | None = None
    waiting: Cause | None = None
    told: bool = False
    mended: bool = False


Told = tuple[Gaps, tuple[Piece, ...]]


def elapsed_ms(start: At, end: At) -> int:
    """From one instant to another: monotonic on one boot, else by UTC; never negative."""
    if start.boot_id == end.boot_id:
        return max(int(end.mono_ms) - int(start.mono_ms), 0)
    return max(int(end.utc_ms) - int(start.utc_ms), 0)


def later(one: At, other: At) -> At:
    """The later of two instants; of two boots, the second."""
    if one.boot_id == other.boot_id:
        return one if one.mono_ms > other.mono_ms else other
    return other


def began(gaps: Gaps, cause: Cause, since: At) -> Told:
    """Nothing is recorded from ``since`` on."""
    if gaps.cause is None or gaps.since is None:
        return Gaps(cause=cause, since=since), ()
    if gaps.cause == cause and not gaps.mended:
        return gaps, ()
    if gaps.cause.source is not cause.source and not gaps.mended:
        return replace(gaps, waiting=cause), ()
    until = later(gaps.since, since)
    fresh, pieces = _cut(gaps, until, ended=False)
    return replace(fresh, cause=cause, mended=False), pieces


def over(gaps: Gaps, source: Source, at: At) -> Told:
    """A cause is over at ``at``; another that waits behind it goes on from there.

    Where none waits, the gap runs on under its old name until the next picture (``recorded``).
    """
    if gaps.waiting is not None and gaps.waiting.source is source:
        return replace(gaps, waiting=None), ()
    if gaps.cause is None or gaps.since is None or gaps.cause.source is not source:
        return gaps, ()
    if gaps.waiting is not None:
        fresh, pieces = _cut(gaps, later(gaps.since, at), ended=False)
        return replace(fresh, cause=gaps.waiting, waiting=None), pieces
    return replace(gaps, mended=True), ()


def recorded(gaps: Gaps, start: At) -> Told:
    """Media begins at ``start``: whatever gap there was is over."""
    if gaps.since is None:
        return Gaps(), ()
    _, pieces = _cut(gaps, later(gaps.since, start), ended=True)
    return Gaps(), pieces


def due(gaps: Gaps, now: At, *, longest_ms: int = PIECE_MS) -> Told:
    """The piece that must be told by now, if one must."""
    if gaps.since is None or elapsed_ms(gaps.since, now) < longest_ms:
        return gaps, ()
    return _cut(gaps, now, ended=False)


def _cut(gaps: Gaps, end: At, *, ended: bool) -> Told:
    if gaps.cause is None or gaps.since is None:
        return gaps, ()
    fresh = replace(gaps, since=end, told=gaps.told)
    # Nothing to tell of no time, unless an entry has promised that more comes.
    if elapsed_ms(gaps.since, end) == 0 and not (ended and gaps.told):
        return fresh, ()
    piece = Piece(gaps.cause.reason, gaps.cause.detail, gaps.since, end, ended)
    return replace(fresh, told=not ended), (piece,)
