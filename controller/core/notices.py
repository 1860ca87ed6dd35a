"""Decides what a notice says, to whom it goes and on which channels, and when it is tried again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api import Sentence
from contracts.api.duty import MINUTE_MS, DutyLevel, DutyPerson, RosterBody
from contracts.api.notices import ChannelView, NoticeReason
from contracts.devices import Named
from contracts.units import UtcMs
from controller.core.duty_roster import on_duty
from controller.core.outputs import SendNotice

TRIES_MAX: Final = 8
# With the waits below the last try comes two hours after the first: a gateway's outage of an hour
# is bridged, and nobody is told in the morning of what was over at midnight.
WAITS_MS: Final = (
    5_000, 15_000, MINUTE_MS, 3 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, 80 * MINUTE_MS
)  # fmt: skip
RECIPIENTS_MAX: Final = 50  # of one notice: a shift and the groups that listen

REASONS: Final[Mapping[NoticeReason, tuple[str, str]]] = {
    NoticeReason.NEW: ("预警待确认", "alert not acknowledged"),
    NoticeReason.OVERDUE: ("预警处置超时", "alert overdue"),
    NoticeReason.ASSIGNED: ("预警已分办给您", "alert assigned to you"),
    NoticeReason.URGED: ("预警督办", "alert urged"),
    NoticeReason.NOBODY: ("无人值班", "nobody on duty"),
    NoticeReason.TEST: ("测试消息", "test message"),
}


@dataclass(frozen=True, slots=True)
class Addressed:
    """One delivery: a channel, whom it reaches, in which language."""

    channel_id: str
    recipient: str
    language: str


def addressed(
    notice: SendNotice,
    roster: RosterBody,
    channels: Sequence[ChannelView],
    utc_ms: UtcMs,
    zone: ZoneInfo,
) -> tuple[Addressed, ...]:
    """Everybody a notice goes to, each channel once.

    Where nobody who is on duty at a level can be reached, the next level up is told at once; in a
    gap of the roster at every level, everybody of that level and above who is on the roster: duty
    is round the clock (24 小时值班), and an alert is nobody's at no hour.
    """
    usable = {channel.id: channel for channel in channels if channel.enabled}
    rows: dict[str, Addressed] = {}
    by_name = {person.username: person for person in roster.people}
    if notice.to in by_name:
        _reach((by_name[notice.to],), usable, rows)
    # Whom a notice names and who cannot be reached is on duty's concern, or it would be nobody's.
    level = notice.level or (None if rows else DutyLevel.OFFICER)
    if level is not None and (notice.reason is not NoticeReason.URGED or not rows):
        for one in DutyLevel:
            if one < level:
                continue
            before = len(rows)
            _reach(on_duty(roster, utc_ms, zone, one), usable, rows)
            for channel in usable.values():
                if one in channel.levels:
                    rows.setdefault(channel.id, Addressed(channel.id, "", channel.language))
            if len(rows) > before:
                break
        if not rows:
            _reach((one for one in roster.people if one.level >= level), usable, rows)
    return tuple(rows.values())[:RECIPIENTS_MAX]


def _reach(
    people: Iterable[DutyPerson],
    usable: Mapping[str, ChannelView],
    rows: dict[str, Addressed],
) -> None:
    for person in people:
        for channel_id in person.channels:
            if channel_id in usable:
                one = Addressed(channel_id, person.username, person.language)
                rows.setdefault(channel_id, one)


def retry_utc_ms(tries: int, utc_ms: UtcMs) -> UtcMs | None:
    """When a delivery that failed ``tries`` times is tried again; None: never."""
    if tries >= TRIES_MAX:
        return None
    return UtcMs(utc_ms + WAITS_MS[min(tries, len(WAITS_MS)) - 1])


def wording(notice: SendNotice, rooms: Mapping[str, Named], zone: ZoneInfo) -> Sentence:
    """What a notice says: why, the alert's number and code, the room, the time; nothing else.

    Its id stands at the end, so that a message that came twice is known for one.
    """
    at = datetime.fromtimestamp(notice.utc_ms / 1000, UTC).astimezone(zone)
    zh, en = REASONS[notice.reason]
    number = f" #{notice.alert_number}" if notice.alert_number else ""
    more_zh = f"；另有 {notice.more} 条预警" if notice.more else ""
    more_en = f"; {notice.more} more alerts" if notice.more else ""
    room = rooms.get(notice.room_id) or Named(zh=notice.room_id or "-", en=notice.room_id or "-")
    place_zh, place_en = (f"，{room.zh}", f", {room.en}") if notice.room_id else ("", "")
    time = f"{at:%m-%d %H:%M}"
    return Sentence(
        zh=f"{zh}{number} {notice.code}{place_zh}，{time}{more_zh} [{notice.notice_id}]",
        en=f"{en}{number} {notice.code}{place_en}, {time}{more_en} [{notice.notice_id}]",
    )
