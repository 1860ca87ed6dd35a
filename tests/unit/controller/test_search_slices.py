"""Slices of time cover a range without gap or overlap, newest first, in few steps."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controller.store.search_slices import SHIFTS, names_of, slices

UTC_MS = st.integers(0, 2**43 - 2)
STEPS_MAX = 3 * len(SHIFTS)


@given(UTC_MS, UTC_MS)
def test_slices_cover_the_range_once_newest_first(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other) + 1
    found = list(slices(low, high))
    assert 0 < len(found) <= STEPS_MAX
    assert (found[0].high_ms, found[-1].low_ms) == (high, low)
    for newer, older in pairwise(found):
        assert newer.low_ms == older.high_ms
    assert all(piece.low_ms < piece.high_ms for piece in found)


@given(UTC_MS, UTC_MS, st.integers(0, 2**43))
def test_each_moment_carries_a_name_of_the_slice_that_it_lies_in(
    one: int, other: int, offset: int
) -> None:
    low, high = min(one, other), max(one, other) + 1
    moment = low + offset % (high - low)
    (piece,) = [row for row in slices(low, high) if row.low_ms <= moment < row.high_ms]
    assert set(names_of(moment)) & set(piece.names)


def test_nothing_lies_between_a_moment_and_itself() -> None:
    assert list(slices(5, 5)) == []
