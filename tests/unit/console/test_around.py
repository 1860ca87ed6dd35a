"""What is shown around an alert: its room's own things, within its own stretch of time."""

from zoneinfo import ZoneInfo

from contracts.api import Sentence
from contracts.api.record import RecordKind, RecordLine
from contracts.units import UtcMs
from controller.console.house import from_overview
from controller.console.present import around
from controller.console.present.words import Words
from controller.console.texts import Language
from runtime.clock import SystemClock
from tests.fakes.console_controller import FakeController

EN = Words(Language.EN, ZoneInfo("Asia/Shanghai"))


def line(utc_ms: int, room_id: str = "room-1", kind: RecordKind = RecordKind.TEXT) -> RecordLine:
    return RecordLine(
        number=1,
        session_id="s-1",
        room_id=room_id,
        utc_ms=UtcMs(utc_ms),
        kind=kind,
        by="supervisor",
        text=Sentence(zh="发送文字。", en="A text was sent."),
    )


def test_only_this_room_and_this_time_are_told() -> None:
    fake = FakeController(SystemClock())
    alert, other = fake.raise_alert("room-1"), fake.raise_alert("room-2")
    now = int(alert.raised_utc_ms) + 60_000
    lines = (
        line(alert.since_utc_ms - 1_000),
        line(alert.since_utc_ms - around.BEFORE_MS - 1),
        line(alert.since_utc_ms, room_id="room-2"),
    )
    house = from_overview(fake.overview())
    told = around.drawn(alert, house, lines, now, EN, loading=False, why="")
    items = told["items"]
    assert isinstance(items, list)
    assert [(item["label"], item["here"]) for item in items] == [
        ("More people than admitted", True),
        ("A text was sent.", False),
    ]
    assert other.id not in str(told)


def test_a_condition_that_lasts_for_hours_shows_its_beginning() -> None:
    fake = FakeController(SystemClock())
    alert = fake.raise_alert("room-1")
    later = int(alert.since_utc_ms) + 9 * 3_600_000
    cleared = alert.model_copy(update={"cleared_utc_ms": UtcMs(later)})
    begin, end = around.span(cleared, later)
    assert begin == alert.since_utc_ms - around.BEFORE_MS
    assert end == begin + around.SPAN_MAX_MS


def test_every_kind_of_the_record_has_a_sign() -> None:
    fake = FakeController(SystemClock())
    alert = fake.raise_alert("room-1")
    house = from_overview(fake.overview())
    lines = tuple(line(alert.since_utc_ms, kind=kind) for kind in RecordKind)
    told = around.drawn(alert, house, lines, alert.raised_utc_ms, EN, loading=False, why="")
    items = told["items"]
    assert isinstance(items, list)
    assert all(item["sign"] for item in items)
    assert len(items) == len(RecordKind) + 1
