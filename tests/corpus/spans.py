"""Holds stretches of time as sorted, separate intervals, and what can be done with them."""

from collections.abc import Callable, Iterable
from itertools import pairwise

Span = tuple[int, int]
"""From (inclusive) to (exclusive), milliseconds of the scenario."""

Spans = tuple[Span, ...]


def joined(spans: Iterable[Span], gap_ms: int = 0) -> Spans:
    """The union; spans with at most ``gap_ms`` between them become one."""
    out: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if out and start - out[-1][1] <= gap_ms:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)


def shared(one: Spans, other: Spans) -> Spans:
    """Where both are."""
    return joined(
        (max(a[0], b[0]), min(a[1], b[1]))
        for a in one
        for b in other
        if a[0] < b[1] and b[0] < a[1]
    )


def without(one: Spans, other: Spans) -> Spans:
    """Where ``one`` is and ``other`` is not."""
    left = list(joined(one))
    for start, end in other:
        left = [
            piece
            for a, b in left
            for piece in ((a, min(b, start)), (max(a, end), b))
            if piece[1] > piece[0]
        ]
    return tuple(left)


def widened(spans: Spans, before_ms: int, after_ms: int) -> Spans:
    """Each span longer at both ends."""
    return joined((start - before_ms, end + after_ms) for start, end in spans)


def at_least(spans: Spans, lasting_ms: int) -> Spans:
    """Those that last this long."""
    return tuple(span for span in spans if span[1] - span[0] >= lasting_ms)


def where(times_ms: Iterable[int], holds: Callable[[int], bool]) -> Spans:
    """The spans in which something holds, asked at each of the sorted times and kept till the next.

    The last time ends what holds there.
    """
    out: list[Span] = []
    for start, end in pairwise(times_ms):
        if holds(start):
            out.append((start, end))
    return joined(out)


def covers(spans: Spans, t_ms: int) -> bool:
    """Whether a time lies in one of them."""
    return any(start <= t_ms < end for start, end in spans)


def total_ms(spans: Spans) -> int:
    """How long they last together."""
    return sum(end - start for start, end in spans)
