"""What a search found and what statistics count, as people read it."""

from zoneinfo import ZoneInfo

from contracts.api import Sentence
from contracts.api.search import Found, FoundKind
from contracts.units import UtcMs
from controller.console.present import evidence, statistics

SHANGHAI = ZoneInfo("Asia/Shanghai")


def segment(track: str, start: int) -> Found:
    return Found(
        kind=FoundKind.SEGMENT,
        id=f"{track}/{start}",
        utc_ms=UtcMs(start),
        until_utc_ms=UtcMs(start + 5_000),
        room_id="room-1",
        track_id=track,
        title=Sentence(zh="录像", en="Recording"),
    )


def test_segments_that_follow_on_each_other_are_one_row() -> None:
    rows = [
        segment("cam-1", 20_000),
        segment("cam-2", 19_000),
        segment("cam-1", 15_000),
        segment("cam-2", 14_000),
        segment("cam-1", 2_000),
    ]
    told = [(row.track_id, row.utc_ms, row.until_utc_ms) for row in evidence.joined(rows)]
    assert told == [
        ("cam-1", 15_000, 25_000),
        ("cam-2", 14_000, 24_000),
        ("cam-1", 2_000, 7_000),
    ]


def test_times_of_a_form_are_the_sites() -> None:
    assert evidence.instant("2026-11-23T00:30", SHANGHAI) == 1_795_365_000_000
    assert evidence.local(1_795_365_000_000, SHANGHAI) == "2026-11-23T00:30:00"
    for nonsense in ("", "soon", None, 5, "2026-13-01T00:00", "0001-01-01T00:00"):
        assert evidence.instant(nonsense, SHANGHAI) is None


def test_a_day_of_statistics_is_from_midnight_to_midnight_at_the_site() -> None:
    begin, end = statistics.interval("2026-11-30", "2026-11-30", SHANGHAI) or (0, 0)
    assert end - begin == 86_400_000
    assert evidence.local(begin, SHANGHAI) == "2026-11-30T00:00:00"
    assert statistics.interval("2026-12-01", "2026-11-30", SHANGHAI) is None
    assert statistics.interval("2024-01-01", "2026-11-30", SHANGHAI) is None
    assert statistics.interval("x", "2026-11-30", SHANGHAI) is None


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert statistics.percent(0.99999) == "99.99 %"
    assert statistics.percent(1.0) == "100 %"


def test_what_a_form_sends_is_read_by_name_and_nothing_else() -> None:
    sent = {
        "text": " 离席 ",
        "room": "",
        "kind": ["alert", "x"],
        "from": "2026-11-23T00:30",
        "y": 1,
    }
    assert evidence.filters(sent, SHANGHAI) == {
        "text": "离席",
        "kind": ["alert"],
        "from": 1_795_365_000_000,
    }
