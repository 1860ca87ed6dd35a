"""Decides in which slices of time PostgreSQL is searched: the newest first, then longer ones.

Its inverted index gives all rows of a term at once and in no order, so that fifty newest of a
common term cost as much as all of them. Each row therefore carries the names of the slices that it
lies in as terms of their own. A term is asked for together with a slice: the index then reads
little more of the term's list than what lies within, and a rare term is through in a few steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHIFTS: Final = (25, 29, 33, 37)
"""Slices are 2**shift ms long: 9.3 hours, 6.2 days, 99 days, 4.4 years. Sixteen make the next."""

FEW: Final = 4
_MARK: Final = "b"


@dataclass(frozen=True, slots=True)
class Slice:
    """From ``low_ms`` to before ``high_ms``; ``names`` together cover it."""

    low_ms: int
    high_ms: int
    names: tuple[str, ...]


def names_of(utc_ms: int) -> tuple[str, ...]:
    """The slices that a moment lies in, as terms."""
    return tuple(_name(level, utc_ms >> shift) for level, shift in enumerate(SHIFTS))


def slices(low_ms: int, high_ms: int) -> Iterator[Slice]:
    """Slices that cover ``low_ms`` to before ``high_ms``, newest first, longer and longer.

    Of each length comes one alone, then a few, then those up to where the next length begins.
    """
    end = high_ms
    for level, shift in enumerate(SHIFTS):
        top = level + 1 == len(SHIFTS)
        for most in (1, FEW, None):
            if end <= low_ms:
                return
            newest = (end - 1) >> shift
            oldest = low_ms >> shift
            if not top:
                longer = SHIFTS[level + 1]
                oldest = max(oldest, (end - 1) >> longer << (longer - shift))
            if most is not None:
                oldest = max(oldest, newest - most + 1)
            begin = max(oldest << shift, low_ms)
            names = tuple(_name(level, number) for number in range(newest, oldest - 1, -1))
            yield Slice(begin, end, names)
            end = begin


def _name(level: int, number: int) -> str:
    return f"{_MARK}{level}:{number:x}"
