"""Time stamps of every kind end up on one growing line that runs with our clock."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recording.timeline import DRIFT_MAX_MS, FUTURE_MAX_MS, Line, Trouble

TICKS_PER_MS = 90
PERIOD_MS = 40


def stamps(count: int, *, first: int = 5_000, rate: float = 1.0) -> list[int]:
    return [first + round(n * PERIOD_MS * TICKS_PER_MS * rate) for n in range(count)]


def lay(
    line: Line, raw: list[int | None], *, begin_ms: int = 70_000, at: list[int] | None = None
) -> tuple[list[int], list[Trouble]]:
    """The places of packets that arrive each 40 ms, and what was wrong with them."""
    places, troubles = [], []
    for number, stamp in enumerate(raw):
        at_ms = at[number] if at is not None else begin_ms + number * PERIOD_MS
        place, shown = line.place(stamp, stamp, at_ms)
        assert shown >= place
        places.append(place)
        if line.moved is not None:
            troubles.append(line.moved.trouble)
            line.moved = None
    assert all(b > a for a, b in itertools.pairwise(places))
    return places, troubles


def span_ms(places: list[int]) -> float:
    return (places[-1] - places[0]) / TICKS_PER_MS


def line() -> Line:
    return Line(TICKS_PER_MS * 1000)


def test_what_is_ordinary_passes_as_it_came() -> None:
    raw = stamps(500)
    assert lay(line(), list(raw)) == (raw, [])


def test_a_pause_of_the_camera_stays_a_pause() -> None:
    raw = stamps(20) + stamps(20, first=5_000 + 8_000 * TICKS_PER_MS)
    at = [70_000 + n * PERIOD_MS for n in range(20)] + [78_000 + n * PERIOD_MS for n in range(20)]
    assert lay(line(), list(raw), at=at) == (raw, [])


def test_a_burst_after_a_stall_is_no_jump() -> None:
    raw = stamps(200)
    at = [70_000 + n * PERIOD_MS for n in range(100)]
    at += [77_000 + n for n in range(75)]  # three seconds late, all at once
    at += [77_000 + n * PERIOD_MS for n in range(1, 26)]
    assert lay(line(), list(raw), at=at) == (raw, [])


@pytest.mark.parametrize(
    ("by_ms", "troubles"),
    [
        (3_600_000, [Trouble.FUTURE]),
        (-3_600_000, [Trouble.PAST]),
        (-(1 << 32) // TICKS_PER_MS, [Trouble.PAST]),  # a counter of 32 bits wrapped
        (FUTURE_MAX_MS + 100, [Trouble.FUTURE]),
        (-700, [Trouble.PAST]),
        (-200, []),  # a correction: pressed together until it catches up
        (600, []),
    ],
)
def test_a_jump_goes_on_where_it_arrived(by_ms: int, troubles: list[Trouble]) -> None:
    raw = stamps(100)
    raw[50:] = [stamp + by_ms * TICKS_PER_MS for stamp in raw[50:]]
    places, found = lay(line(), list(raw))
    assert found == troubles
    allowed_ms = abs(by_ms) if not troubles else 1
    assert abs(span_ms(places) - 99 * PERIOD_MS) <= allowed_ms


def test_sound_and_picture_that_jump_alike_stay_in_step() -> None:
    video, audio = line(), line()
    jump = 9_000_123 * TICKS_PER_MS
    for number, stamp in enumerate(stamps(100)):
        shift = jump if number >= 50 else 0
        at_ms = 70_000 + number * PERIOD_MS
        seen = video.place(stamp + shift, None, at_ms, audio)
        heard = audio.place(stamp + shift, None, at_ms + 90, video)
        assert seen == heard


def test_repeated_and_missing_stamps_lie_near_their_arrival() -> None:
    raw: list[int | None] = list(stamps(30))
    raw += [None] * 100
    raw += [raw[29]] * 5
    places, _ = lay(line(), raw)
    assert abs(span_ms(places[:130]) - 129 * PERIOD_MS) <= 250


@pytest.mark.parametrize("rate", [2.0, 0.5, 1.1, 0.0001])
def test_a_stream_that_lies_about_its_rate_is_put_where_it_arrives(rate: float) -> None:
    count = 25 * 120
    places, troubles = lay(line(), list(stamps(count, rate=rate)))
    assert Trouble.RATE in troubles or rate == 1.1
    assert Trouble.DRIFT in troubles
    assert abs(span_ms(places) - (count - 1) * PERIOD_MS) <= 2 * DRIFT_MAX_MS
    assert len(troubles) <= 8


def test_a_clock_that_is_a_little_fast_is_left_alone_where_segments_settle() -> None:
    clock = line()
    raw = stamps(25 * 600, rate=1.0001)  # 100 ppm: 8 s a day
    for number, stamp in enumerate(raw):
        if number % (25 * 60) == 0:
            clock.settle()
        clock.place(stamp, stamp, 70_000 + number * PERIOD_MS)
        assert clock.moved is None


def test_lateness_is_that_of_the_promptest_packet_of_a_second() -> None:
    clock = line()
    for number, stamp in enumerate(stamps(100, first=0)):
        clock.place(stamp, stamp, 70_000 + number * PERIOD_MS + (number % 4) * 30)
    assert clock.late_ms == pytest.approx(70_000, abs=1)


raw_stamps = st.one_of(st.none(), st.integers(-(1 << 40), 1 << 40))


@given(st.lists(st.tuples(raw_stamps, raw_stamps, st.integers(0, 3_000)), max_size=60))
def test_whatever_comes_the_line_grows(packets: list[tuple[int | None, int | None, int]]) -> None:
    clock, at_ms, last = line(), 70_000, None
    for dts, pts, passed_ms in packets:
        at_ms += passed_ms
        place, shown = clock.place(dts, pts, at_ms)
        assert last is None or place > last
        assert shown >= place
        last = place
