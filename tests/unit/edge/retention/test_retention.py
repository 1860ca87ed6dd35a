"""Shows what retention lets go, and what it never does, whatever the disk says."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.units import UtcMs
from edge.core.retention import (
    DAY_MS,
    OPEN_END,
    Decision,
    Disk,
    Marks,
    Protection,
    Stay,
    StoredFile,
    StoredTrack,
    Why,
    decide,
    forecast,
    stay_of,
)

NOW = UtcMs(1_795_305_600_000)
MARKS = Marks(keep_unsealed_days=90, low_percent=10, critical_percent=3)
ROOMY = Disk(total=1_000_000, free=900_000)
MINUTE_MS = 60_000


def file(number: int, days_ago: float, *, size: int = 1_000, copies: str = "") -> StoredFile:
    start = UtcMs(round(NOW - days_ago * DAY_MS))
    end = UtcMs(start + MINUTE_MS)
    return StoredFile(number, start, end, size, frozenset(copies.split()))


def over(one: StoredFile, until: UtcMs | None) -> Protection:
    return Protection(one.start_utc_ms, one.end_utc_ms, until)


def later(days: float) -> UtcMs:
    return UtcMs(round(NOW + days * DAY_MS))


def gone(decision: Decision) -> list[int]:
    return sorted(number for one in decision.deletions for number in one.numbers)


@pytest.mark.parametrize(
    ("days_ago", "until", "expected"),
    [
        (10, "none", Stay.YOUNG),
        (91, "none", None),
        (91, "later", Stay.SEALED),
        (91, "past", None),
        (91, "hold", Stay.HELD),
        (10, "hold", Stay.HELD),
        (10, "past", Stay.YOUNG),
    ],
)
def test_what_makes_a_file_stay(days_ago: float, until: str, expected: Stay | None) -> None:
    one = file(1, days_ago)
    ends = {"later": later(1), "past": later(-1), "hold": None}
    protections = () if until == "none" else (over(one, ends[until]),)
    assert stay_of(one, protections, MARKS, NOW) is expected


def test_a_protection_counts_where_it_overlaps_and_not_where_it_only_touches() -> None:
    one = file(1, 100)
    before = Protection(UtcMs(one.start_utc_ms - 1_000), one.start_utc_ms, None)
    inside = Protection(UtcMs(one.end_utc_ms - 1), OPEN_END, None)
    assert stay_of(one, (before,), MARKS, NOW) is None
    assert stay_of(one, (inside,), MARKS, NOW) is Stay.HELD


def test_what_expired_goes_even_with_room_and_the_rest_stays() -> None:
    old, young = file(1, 100), file(2, 1)
    decision = decide([StoredTrack("cam-1", (old, young))], ROOMY, MARKS, NOW)
    assert [(one.numbers, one.why) for one in decision.deletions] == [((1,), Why.EXPIRED)]


def test_below_the_low_mark_copied_files_go_oldest_first_sealed_ones_too() -> None:
    files = tuple(file(number, 20 - number, copies="archive") for number in range(1, 11))
    disk = Disk(total=100_000, free=9_500)  # the low mark is 10,000, the target 12,000
    track = StoredTrack("cam-1", files, (over(files[0], later(5_000)),))
    decision = decide([track], disk, MARKS, NOW)
    assert gone(decision) == [1, 2, 3]
    assert decision.deletions[0].copies == ("archive",)
    assert decision.deletions[0].why is Why.SPACE


def test_between_the_marks_nothing_without_a_copy_goes() -> None:
    files = tuple(file(number, 20) for number in range(1, 11))
    disk = Disk(total=100_000, free=5_000)
    assert decide([StoredTrack("cam-1", files)], disk, MARKS, NOW).deletions == ()


def test_below_the_critical_mark_unsealed_goes_and_sealed_without_a_copy_never() -> None:
    files = tuple(file(number, 30 - number) for number in range(1, 11))
    sealed = tuple(over(one, later(5_000)) for one in files[:8])
    disk = Disk(total=100_000, free=1_000)
    decision = decide([StoredTrack("cam-1", files, sealed)], disk, MARKS, NOW)
    assert gone(decision) == [9, 10]
    assert decision.short_bytes == 0
    emptier = decide([StoredTrack("cam-1", files[:8], sealed)], disk, MARKS, NOW)
    assert emptier.deletions == ()
    assert emptier.short_bytes == 2_000


def test_an_entry_lists_at_most_a_hundred_files() -> None:
    files = tuple(file(number, 200) for number in range(1, 251))
    decision = decide([StoredTrack("cam-1", files)], ROOMY, MARKS, NOW)
    assert [len(one.numbers) for one in decision.deletions] == [100]


def test_files_with_and_without_copies_are_told_apart_in_the_chain() -> None:
    files = (file(1, 200), file(2, 200, copies="mirror archive"), file(3, 200))
    decision = decide([StoredTrack("cam-1", files)], ROOMY, MARKS, NOW)
    assert {one.copies: one.numbers for one in decision.deletions} == {
        (): (1, 3),
        ("archive", "mirror"): (2,),
    }


FILES = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.integers(1, 5_000),
        st.sampled_from(["", "archive", "mirror archive"]),
        st.sampled_from(["none", "hold", "sealed", "past", "hold+past"]),
    ),
    max_size=30,
)


def tracks_of(rows: Sequence[tuple[float, int, str, str]]) -> tuple[StoredTrack, dict[int, str]]:
    files, protections, said = [], [], {}
    for number, (days_ago, size, copies, protection) in enumerate(rows, start=1):
        one = file(number, days_ago, size=size, copies=copies)
        # Apart from each other, so that a protection covers its own file alone.
        shift = number * 10 * MINUTE_MS
        one = StoredFile(
            number,
            UtcMs(one.start_utc_ms - one.start_utc_ms % DAY_MS + shift),
            UtcMs(one.start_utc_ms - one.start_utc_ms % DAY_MS + shift + MINUTE_MS),
            size,
            one.copies,
        )
        files.append(one)
        said[number] = protection
        for word in protection.split("+"):
            until = {"hold": None, "sealed": later(1_000), "past": later(-1)}
            if word in until:
                protections.append(over(one, until[word]))
    return StoredTrack("cam-1", tuple(files), tuple(protections)), said


@given(FILES, st.integers(0, 100_000))
def test_never_what_is_held_and_never_sealed_without_a_copy(
    rows: list[tuple[float, int, str, str]], free: int
) -> None:
    track, said = tracks_of(rows)
    decision = decide([track], Disk(total=100_000, free=free), MARKS, NOW)
    numbers = gone(decision)
    assert len(numbers) == len(set(numbers)), "no file goes twice"
    by_number = {one.number: one for one in track.files}
    for number in numbers:
        assert "hold" not in said[number]
        assert said[number] != "sealed" or by_number[number].copies
    for one in decision.deletions:
        assert all(by_number[number].copies == set(one.copies) for number in one.numbers)


def test_the_forecast_counts_to_the_critical_mark() -> None:
    told = forecast({"cam-1": 1_000, "cam-2": 1_500}, Disk(100_000, 28_000), MARKS)
    assert (told.bytes_per_day, told.days_left) == (2_500, 10.0)
    assert told.fifteen_years_bytes == 2_500 * 5_479
    assert forecast({}, ROOMY, MARKS).days_left is None
