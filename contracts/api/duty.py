"""Holds who is on duty when, and whom an alert that nobody takes is told to, after what time."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.api.base import Sentence
from contracts.envelope import Strict
from contracts.observations import Severity
from contracts.units import Note, UtcMs

MINUTE_MS: Final = 60_000
PEOPLE_MAX: Final = 200  # on a roster; a centre has some dozens
SHIFTS_MAX: Final = 100
EXCEPTIONS_MAX: Final = 400  # a year of days that differ
DAY_MIN: Final = 24 * 60
CHANNELS_PER_PERSON_MAX: Final = 5

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""``08:30`` in the site's time zone."""
DateText = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$")]
"""``2026-11-22`` in the site's time zone."""
ChannelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Username = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DutyLevel(IntEnum):
    """Who is told first, and who when nobody acts."""

    OFFICER = 1
    SUPERVISOR = 2
    HEAD = 3


class DutyPerson(Strict):
    """Somebody who can be on duty. ``channels``: where notices reach them; addresses are secrets.

    ``username`` is the account where there is one. ``language``: of notices.
    """

    username: Username
    name: str = Field(default="", max_length=40)
    level: DutyLevel = DutyLevel.OFFICER
    language: str = Field(default="zh-CN", pattern=r"^(zh-CN|en)$")
    channels: tuple[ChannelId, ...] = Field(default=(), max_length=CHANNELS_PER_PERSON_MAX)


class WeeklyShift(Strict):
    """A shift that comes every week on these days (0 Monday). ``end`` <= ``start``: next day."""

    id: ChannelId
    level: DutyLevel = DutyLevel.OFFICER
    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = Field(min_length=1, max_length=7)
    start: ClockTime
    end: ClockTime
    people: tuple[Username, ...] = Field(default=(), max_length=10)


class DayShift(Strict):
    """A shift of one day that differs. ``end`` <= ``start``: it ends on the next day."""

    start: ClockTime
    end: ClockTime
    people: tuple[Username, ...] = Field(default=(), max_length=10)


class DutyException(Strict):
    """What replaces the weekly shifts that begin on this day at this level; none: closed."""

    date: DateText
    level: DutyLevel = DutyLevel.OFFICER
    shifts: tuple[DayShift, ...] = Field(default=(), max_length=6)
    note: Note = ""


class RosterBody(Strict):
    """The duty roster as people write it."""

    people: tuple[DutyPerson, ...] = Field(default=(), max_length=PEOPLE_MAX)
    weekly: tuple[WeeklyShift, ...] = Field(default=(), max_length=SHIFTS_MAX)
    exceptions: tuple[DutyException, ...] = Field(default=(), max_length=EXCEPTIONS_MAX)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [person.username for person in self.people]
        faults = [f"people: {name} is listed twice" for name in _twice(names)]
        faults += [
            f"weekly: two shifts are called {one}"
            for one in _twice([shift.id for shift in self.weekly])
        ]
        days = [f"{one.date} level {one.level.value}" for one in self.exceptions]
        faults += [f"exceptions: {one} is given twice" for one in _twice(days)]
        known = set(names)
        for place, people in self._shift_people():
            faults += [
                f"{place}: {name} is not among people" for name in people if name not in known
            ]
        if faults:
            raise ValueError("; ".join(faults[:20]))
        return self

    def _shift_people(self) -> list[tuple[str, tuple[str, ...]]]:
        rows = [(f"weekly {shift.id}", shift.people) for shift in self.weekly]
        rows += [
            (f"exceptions {one.date}", shift.people)
            for one in self.exceptions
            for shift in one.shifts
        ]
        return rows


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


class RosterView(Strict):
    """The roster with its revision (also the ``ETag``)."""

    revision: int
    roster: RosterBody
    changed_by: str = ""
    changed_utc_ms: UtcMs | None = None


class DutySpan(Strict):
    """A stretch of duty in time. ``exception``: it comes from a day that differs."""

    level: DutyLevel
    start_utc_ms: UtcMs
    end_utc_ms: UtcMs
    people: tuple[str, ...]
    exception: bool = False


class DutyGap(Strict):
    """A stretch in which nobody is on duty at a level that has shifts."""

    level: DutyLevel
    start_utc_ms: UtcMs
    end_utc_ms: UtcMs


class Handover(Strict):
    """One shift gave over to the next, and what it said."""

    number: int
    utc_ms: UtcMs
    by: str
    to: str
    text: str
    open_alerts: int


class HandoverBody(Strict):
    """Give the duty over. ``to``: who takes it."""

    to: Username
    text: Note = ""


class HandoverPage(Strict):
    """Newest first; ``next_before`` asks for the page behind this one."""

    items: tuple[Handover, ...]
    next_before: int | None = None


class OnDuty(Strict):
    """Who is on duty at one level, and until when."""

    level: DutyLevel
    people: tuple[DutyPerson, ...]
    until_utc_ms: UtcMs | None = None


class DutyNow(Strict):
    """Who is on duty now, and what is wrong with it."""

    utc_ms: UtcMs
    levels: tuple[OnDuty, ...]
    warnings: tuple[Sentence, ...] = ()
    last_handover: Handover | None = None


class DutyWeek(Strict):
    """Duty over some days, with its gaps."""

    start_utc_ms: UtcMs
    end_utc_ms: UtcMs
    spans: tuple[DutySpan, ...]
    gaps: tuple[DutyGap, ...]


# --- escalation ----------------------------------------------------------------------------------


class QuietHours(Strict):
    """From ``start`` to ``end`` notices of these severities wait; an alarm never does."""

    start: ClockTime
    end: ClockTime
    severities: tuple[Severity, ...] = (Severity.NOTICE,)

    @model_validator(mode="after")
    def _never_alarms(self) -> Self:
        if Severity.ALARM in self.severities:
            raise ValueError("an alarm is never quiet: take `alarm` out of severities")
        if self.start == self.end:
            raise ValueError("start and end are the same; a day that is always quiet tells nobody")
        return self


class EscalationRule(Strict):
    """Of one severity: after how many minutes unacknowledged each level is told, then again.

    ``after_min``: for the duty officer, the supervisor, the head; fewer entries tell fewer levels.
    ``repeat_min``: the highest level is told again so often, ``repeats_max`` times.
    ``resolve_min``: so long after it was acknowledged it counts as overdue, and the next level of
    its last telling is told. 0: never.
    """

    after_min: tuple[Annotated[int, Field(ge=0, le=DAY_MIN)], ...] = Field(max_length=3)
    repeat_min: int = Field(default=10, ge=1, le=DAY_MIN)
    repeats_max: int = Field(default=6, ge=0, le=50)
    resolve_min: int = Field(default=60, ge=0, le=30 * DAY_MIN)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.after_min) != sorted(set(self.after_min)):
            raise ValueError("after_min must rise from level to level")
        return self


class EscalationSettings(Strict):
    """Whom an alert that nobody takes is told to, when, and how often at the most.

    ``burst_max``: so many notices a level gets within ``burst_window_min``; after it one a minute
    that stands for all that wait.
    """

    alarm: EscalationRule = EscalationRule(after_min=(0, 3, 10))
    warning: EscalationRule = EscalationRule(
        after_min=(5, 30), repeat_min=60, repeats_max=2, resolve_min=8 * 60
    )
    notice: EscalationRule = EscalationRule(after_min=(), repeats_max=0, resolve_min=0)
    quiet: tuple[QuietHours, ...] = Field(
        default=(QuietHours(start="22:00", end="07:00"),), max_length=8
    )
    reply_min: int = Field(default=15, ge=1, le=DAY_MIN)
    """So long after an urge its reply is overdue."""
    burst_max: int = Field(default=6, ge=1, le=60)
    burst_window_min: int = Field(default=10, ge=1, le=60)

    def of(self, severity: Severity) -> EscalationRule:
        """The rule of one severity."""
        rules: Mapping[Severity, EscalationRule] = {
            Severity.ALARM: self.alarm,
            Severity.WARNING: self.warning,
            Severity.NOTICE: self.notice,
        }
        return rules[severity]


class EscalationView(Strict):
    """The rules of escalation as they are. ``revision`` 0: those of the controller's file."""

    revision: int
    rules: EscalationSettings
    changed_by: str = ""
    changed_utc_ms: UtcMs | None = None
