"""Whom an alert is told to, and when: over a fake clock, midnight, month ends and UTC+8."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.api import Disposition
from contracts.api.alerts import HandlingVerb
from contracts.api.duty import (
    DayShift,
    DutyException,
    DutyLevel,
    DutyPerson,
    EscalationRule,
    EscalationSettings,
    QuietHours,
    RosterBody,
    WeeklyShift,
)
from contracts.api.notices import ChannelView, NoticeReason
from contracts.devices import Named
from contracts.observations import Alert, Mode, Severity
from contracts.units import MonoMs, UtcMs
from controller.core import duty_roster, escalation, notices, site, state
from controller.core.handling import Act
from controller.core.outputs import SendNotice
from controller.core.state import Now, SiteState
from tests.fakes.controller_site import an_alert, fresh_state, small_plan

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIN = 60_000
OFFICER, SUPERVISOR, HEAD = DutyLevel


def at(text: str) -> UtcMs:
    """``2026-11-22 08:30`` in Shanghai."""
    return UtcMs(int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000))


NOON = at("2026-11-20 12:00")


def now(utc_ms: int) -> Now:
    return Now(MonoMs(utc_ms), UtcMs(utc_ms))


def house(rules: EscalationSettings | None = None) -> SiteState:
    plan = replace(small_plan(robots=0), escalation=rules or EscalationSettings())
    return fresh_state(plan)


def alert(name: str, utc_ms: int, severity: Severity = Severity.ALARM, **changes: object) -> Alert:
    update = {"severity": severity, "raised_utc_ms": UtcMs(utc_ms), "since_utc_ms": UtcMs(utc_ms)}
    return an_alert(name, session_id="s1").model_copy(update=update | changes)


def came(before: SiteState, name: str, utc_ms: int, **changes: object) -> SiteState:
    after, _ = site.step(before, state.AlertCame(alert(name, utc_ms, **changes)), now(utc_ms))  # type: ignore[arg-type]  # by name, as the test says
    return after


def run(
    before: SiteState, start: int, minutes: float, step_ms: int = 10_000
) -> tuple[SiteState, list[tuple[float, SendNotice]]]:
    """Tick until then; each notice with the minute of its sending."""
    told: list[tuple[float, SendNotice]] = []
    for utc_ms in range(start, int(start + minutes * MIN) + 1, step_ms):
        before, sent = escalation.watch(before, now(utc_ms))
        told += [((utc_ms - start) / MIN, one) for one in sent]
    return before, told


def test_an_alarm_climbs_level_by_level_and_stops_at_its_limit() -> None:
    _, told = run(came(house(), "a", NOON), NOON, 24 * 60)
    assert [(minute, one.level) for minute, one in told] == [
        (0, OFFICER),
        (3, SUPERVISOR),
        (10, HEAD),
        *((10 + 10 * number, HEAD) for number in range(1, 7)),
    ]
    ids = [one.notice_id for _, one in told]
    assert len(set(ids)) == len(ids)


def test_nobody_is_told_of_what_a_person_has_seen() -> None:
    state_now, told = run(came(house(), "a", NOON), NOON, 2)
    assert len(told) == 1
    acted = state.AlertAcknowledged("a", "li")
    state_now, _ = site.step(state_now, acted, now(NOON + 2 * MIN))
    _, told = run(state_now, NOON + 2 * MIN, 59)
    assert told == []


def test_what_is_acknowledged_and_left_goes_to_the_superior_then_to_the_head() -> None:
    state_now = came(house(), "a", NOON)
    acted = state.AlertWorked("a", Act(HandlingVerb.START, "li"))
    state_now, _ = site.step(state_now, acted, now(NOON))
    _, told = run(state_now, NOON, 90)
    assert [(minute, one.level, one.reason) for minute, one in told] == [
        (60, SUPERVISOR, NoticeReason.OVERDUE),
        (70, HEAD, NoticeReason.OVERDUE),
        (80, HEAD, NoticeReason.OVERDUE),
        (90, HEAD, NoticeReason.OVERDUE),
    ]
    assert told[0][1].to == "li"


def test_an_urge_wants_a_reply_in_time() -> None:
    state_now = came(house(), "a", NOON)
    for verb, by in ((HandlingVerb.START, "li"), (HandlingVerb.URGE, "chen")):
        acted = state.AlertWorked("a", Act(verb, by, text="?"))
        state_now, outputs = site.step(state_now, acted, now(NOON))
    urged = next(one for one in outputs if isinstance(one, SendNotice))
    assert (urged.reason, urged.to) == (NoticeReason.URGED, "li")
    waiting, told = run(state_now, NOON, 20)
    assert [minute for minute, _ in told] == [15]
    replied = state.AlertWorked("a", Act(HandlingVerb.REPLY, "li", text="on it"))
    state_now, _ = site.step(waiting, replied, now(NOON + 20 * MIN))
    _, told = run(state_now, NOON + 20 * MIN, 30)
    assert told == [], "the reply ends it; the alert's own time is at 13:00"


def test_quiet_hours_hold_a_warning_and_never_an_alarm() -> None:
    rules = EscalationSettings(
        quiet=(QuietHours(start="22:00", end="07:00", severities=(Severity.WARNING,)),)
    )
    late = at("2026-10-31 23:50")  # over midnight and a month's end
    quiet = came(house(rules), "w", late, severity=Severity.WARNING, room_id="room-2")
    _, told = run(quiet, late, 8 * 60, step_ms=MIN)
    first_minute, first = told[0]
    assert late + first_minute * MIN == at("2026-11-01 07:00")
    assert first.level is OFFICER
    loud = came(house(rules), "a", late)
    _, told = run(loud, late, 1)
    assert [minute for minute, _ in told] == [0]
    with pytest.raises(ValidationError, match="never quiet"):
        QuietHours(start="22:00", end="07:00", severities=(Severity.ALARM,))


@pytest.mark.parametrize(
    ("local", "quiet"),
    [("21:59", False), ("22:00", True), ("00:00", True), ("06:59", True), ("07:00", False)],
)
def test_quiet_hours_are_the_sites_own(local: str, quiet: bool) -> None:
    row = QuietHours(start="22:00", end="07:00")
    for day in ("2026-02-28", "2026-12-31"):
        hushed = escalation.quiet_now([row], SHANGHAI, at(f"{day} {local}"))
        assert (hushed == {Severity.NOTICE}) is quiet


def test_a_burst_is_told_as_one_and_the_worst_leads() -> None:
    state_now = house()
    for number in range(20):
        severity = Severity.ALARM if number == 17 else Severity.WARNING
        state_now = came(
            state_now, f"a{number}", NOON, severity=severity, camera_id=f"cam-{number}"
        )
    _, told = run(state_now, NOON, 5)
    assert [(minute, one.more) for minute, one in told[:2]] == [(0, 0), (3, 0)]
    officer = [(minute, one) for minute, one in told if one.level is OFFICER]
    assert [(minute, one.more) for minute, one in officer] == [(0, 0), (5, 18)]
    assert officer[0][1].alert_number == 18


@given(
    moments=st.lists(st.integers(0, 60 * MIN), min_size=1, max_size=60),
    severities=st.lists(st.sampled_from(list(Severity)), min_size=60, max_size=60),
)
@settings(max_examples=25, deadline=None)
def test_no_level_is_ever_flooded_and_no_alarm_forgotten(
    moments: list[int], severities: list[Severity]
) -> None:
    rules = EscalationSettings()
    state_now, sent = house(rules), list[tuple[int, SendNotice]]()
    waiting = sorted(enumerate(moments), key=lambda row: row[1])
    for utc_ms in range(NOON, NOON + 90 * MIN, 30_000):
        while waiting and NOON + waiting[0][1] <= utc_ms:
            number, moment = waiting.pop(0)
            state_now = came(
                state_now,
                f"a{number}",
                NOON + moment,
                severity=severities[number],
                camera_id=f"cam-{number}",
            )
        state_now, told = escalation.watch(state_now, now(utc_ms))
        sent += [(utc_ms, one) for one in told]
    window = rules.burst_window_min * MIN
    for level in DutyLevel:
        times = [utc_ms for utc_ms, one in sent if one.level is level]
        for start in times:
            inside = sum(1 for one in times if start <= one < start + window)
            assert inside <= rules.burst_max + rules.burst_window_min
    assert len({one.notice_id for _, one in sent}) == len(sent)
    for record in state_now.alerts.values():
        if record.alert.severity is Severity.ALARM:
            assert record.told.level == 3, "each alarm has come to the head by now"
        if record.alert.severity is Severity.NOTICE:
            assert record.told.level == 0


def test_a_restart_tells_nobody_twice() -> None:
    state_now, told = run(came(house(), "a", NOON), NOON, 5)
    again = state.restored(
        state_now.plan,
        sessions={},
        alerts=state_now.alerts,
        deliveries={},
        duties={},
        next_number=2,
        now=now(NOON + 5 * MIN),
        same_boot=False,
    )
    _, more = run(again, NOON + 5 * MIN, 5)
    assert [one.level for _, one in (*told, *more)] == [OFFICER, SUPERVISOR, HEAD]


def test_shadow_and_resolved_are_silent_and_a_reopened_one_is_due_anew() -> None:
    shadow = came(house(), "s", NOON, mode=Mode.SHADOW)
    assert run(shadow, NOON, 60)[1] == []
    state_now = came(house(), "a", NOON)
    resolved = Act(HandlingVerb.RESOLVE, "li", disposition=Disposition.FALSE)
    state_now, _ = site.step(state_now, state.AlertWorked("a", resolved), now(NOON))
    assert run(state_now, NOON, 24 * 60, step_ms=MIN)[1] == []
    later = NOON + 3 * 3_600_000
    reopened = Act(HandlingVerb.REOPEN, "chen", text="look again")
    state_now, _ = site.step(state_now, state.AlertWorked("a", reopened), now(later))
    _, told = run(state_now, later, 61, step_ms=MIN)
    assert [minute for minute, _ in told] == [60]


def test_settings_are_bounded() -> None:
    with pytest.raises(ValidationError, match="rise"):
        EscalationRule(after_min=(5, 5))
    with pytest.raises(ValidationError):
        EscalationRule(after_min=(0,), repeat_min=0)
    with pytest.raises(ValidationError, match="always quiet"):
        QuietHours(start="08:00", end="08:00")


# --- the roster ----------------------------------------------------------------------------------


def people(*names: str, level: DutyLevel = OFFICER) -> tuple[DutyPerson, ...]:
    return tuple(
        DutyPerson(username=name, level=level, channels=(f"{name}-sms",)) for name in names
    )


ROUND_THE_CLOCK = RosterBody(
    people=(*people("li", "wang"), *people("chen", level=SUPERVISOR)),
    weekly=(
        WeeklyShift(id="day", weekdays=(0, 1, 2, 3, 4, 5, 6), start="08:00", end="20:00",
                    people=("li",)),
        WeeklyShift(id="night", weekdays=(0, 1, 2, 3, 4, 5, 6), start="20:00", end="08:00",
                    people=("wang",)),
    ),
)  # fmt: skip


def who(roster: RosterBody, local: str, level: DutyLevel = OFFICER) -> list[str]:
    return [one.username for one in duty_roster.on_duty(roster, at(local), SHANGHAI, level)]


@pytest.mark.parametrize(
    ("local", "name"),
    [
        ("2026-11-22 07:59", "wang"),
        ("2026-11-22 08:00", "li"),
        ("2026-11-22 19:59", "li"),
        ("2026-11-22 20:00", "wang"),
        ("2026-11-30 23:59", "wang"),
        ("2026-12-01 00:00", "wang"),  # the night shift of the month before
        ("2027-01-01 07:59", "wang"),
        ("2028-02-29 12:00", "li"),
    ],
)
def test_the_night_shift_belongs_to_the_day_it_began_on(local: str, name: str) -> None:
    assert who(ROUND_THE_CLOCK, local) == [name]
    week = at(local)
    assert not duty_roster.gaps(
        ROUND_THE_CLOCK, week, UtcMs(week + 7 * 24 * 60 * MIN), SHANGHAI, OFFICER
    )


def test_a_day_that_differs_replaces_the_shifts_that_begin_on_it() -> None:
    roster = ROUND_THE_CLOCK.model_copy(
        update={
            "exceptions": (
                DutyException(
                    date="2026-11-23",
                    shifts=(DayShift(start="09:00", end="18:00", people=("wang",)),),
                ),
                DutyException(date="2026-11-25", shifts=()),
            )
        }
    )
    assert who(roster, "2026-11-23 07:00") == ["wang"], "the night of the 22nd goes on"
    assert who(roster, "2026-11-23 08:30") == []
    assert who(roster, "2026-11-23 12:00") == ["wang"]
    start, end = at("2026-11-23 00:00"), at("2026-11-26 08:00")
    found = duty_roster.gaps(roster, start, end, SHANGHAI, OFFICER)
    assert [(one.start_utc_ms, one.end_utc_ms) for one in found] == [
        (at("2026-11-23 08:00"), at("2026-11-23 09:00")),
        (at("2026-11-23 18:00"), at("2026-11-24 08:00")),
        (at("2026-11-26 00:00"), at("2026-11-26 08:00")),
    ], "a closed day is no gap; the night that is missing after it is one"


def test_a_level_without_shifts_is_on_call() -> None:
    assert who(ROUND_THE_CLOCK, "2026-11-22 03:00", SUPERVISOR) == ["chen"]
    assert who(ROUND_THE_CLOCK, "2026-11-22 03:00", HEAD) == []


def test_a_roster_that_contradicts_itself_says_where() -> None:
    with pytest.raises(ValidationError) as caught:
        RosterBody(
            people=people("li", "li"),
            weekly=(
                WeeklyShift(id="day", weekdays=(0,), start="08:00", end="20:00", people=("sun",)),
            ),
        )
    assert "li is listed twice" in str(caught.value)
    assert "weekly day: sun is not among people" in str(caught.value)


def test_a_clock_that_is_put_forward_shortens_the_night() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = int(datetime(2026, 3, 28, 12, tzinfo=berlin).timestamp() * 1000)
    night = next(
        span
        for span in duty_roster.spans(
            ROUND_THE_CLOCK, UtcMs(start), UtcMs(start + 24 * 60 * MIN), berlin
        )
        if span.people == ("wang",) and span.start_utc_ms > start
    )
    assert night.end_utc_ms - night.start_utc_ms == 11 * 60 * MIN


# --- what a notice says, and to whom --------------------------------------------------------------


def notice(level: DutyLevel | None = OFFICER, to: str = "", **more: object) -> SendNotice:
    values: dict[str, object] = {
        "notice_id": "7-new-1-1-0",
        "reason": NoticeReason.NEW,
        "alert_id": "a",
        "alert_number": 7,
        "code": "area.over_admitted",
        "room_id": "room-1",
        "severity": Severity.ALARM,
        "utc_ms": at("2026-11-22 14:03"),
        "level": level,
        "to": to,
    }
    return SendNotice(**(values | more))  # type: ignore[arg-type]  # by name, as the test says


def channel(name: str, *levels: DutyLevel, enabled: bool = True) -> ChannelView:
    return ChannelView(
        id=name, name=name, kind="json", language="zh-CN", levels=levels, enabled=enabled
    )


def reached(roster: RosterBody, sent: SendNotice, *channels: ChannelView) -> list[tuple[str, str]]:
    rows = notices.addressed(sent, roster, channels, at("2026-11-22 14:03"), SHANGHAI)
    return [(row.channel_id, row.recipient) for row in rows]


def test_a_notice_goes_to_those_on_duty_and_to_the_groups_of_their_level() -> None:
    channels = (channel("li-sms"), channel("wang-sms"), channel("group", OFFICER))
    assert reached(ROUND_THE_CLOCK, notice(), *channels) == [("li-sms", "li"), ("group", "")]


def test_where_nobody_can_be_reached_the_next_level_is_told_at_once() -> None:
    channels = (channel("li-sms", enabled=False), channel("chen-sms"))
    assert reached(ROUND_THE_CLOCK, notice(), *channels) == [("chen-sms", "chen")]
    assert reached(ROUND_THE_CLOCK, notice()) == []
    given_to_nobody = notice(None, to="stranger", reason=NoticeReason.ASSIGNED)
    assert reached(ROUND_THE_CLOCK, given_to_nobody, *channels) == [("chen-sms", "chen")]


def test_in_a_gap_of_every_level_everybody_of_the_roster_is_told() -> None:
    nights = tuple(
        shift.model_copy(update={"start": "22:00", "end": "23:00"})
        for shift in ROUND_THE_CLOCK.weekly[:1]
    )
    chiefs = tuple(
        shift.model_copy(update={"id": f"level-{level.value}", "level": level, "people": ("chen",)})
        for shift in nights
        for level in DutyLevel
        if level is not OFFICER
    )
    gap = ROUND_THE_CLOCK.model_copy(update={"weekly": (*nights, *chiefs)})
    channels = (channel("li-sms"), channel("wang-sms"), channel("chen-sms"))
    assert all(
        not duty_roster.on_duty(gap, at("2026-11-22 14:03"), SHANGHAI, level) for level in DutyLevel
    )
    told = {name for _, name in reached(gap, notice(), *channels)}
    assert {"li", "chen"} <= told
    assert reached(gap, notice(), channel("chen-sms", enabled=False)) == []


def test_a_notice_carries_code_room_and_time_and_nothing_else() -> None:
    rooms = {"room-1": Named(zh="评标一室", en="Room 1")}
    text = notices.wording(notice(more=12), rooms, SHANGHAI)
    assert text.zh == (
        "预警待确认 #7 area.over_admitted，评标一室，11-22 14:03；另有 12 条预警 [7-new-1-1-0]"
    )
    assert text.en == (
        "alert not acknowledged #7 area.over_admitted, Room 1, 11-22 14:03; 12 more alerts "
        "[7-new-1-1-0]"
    )
    assert set(SendNotice.__dataclass_fields__) == {
        "notice_id", "reason", "alert_id", "alert_number", "code", "room_id", "severity",
        "utc_ms", "level", "to", "more", "kind",
    }, "what is added here goes to telephones: no picture, no project, no name"  # fmt: skip


def test_tries_grow_apart_and_end() -> None:
    waits = [notices.retry_utc_ms(tries, UtcMs(0)) for tries in range(1, notices.TRIES_MAX + 1)]
    assert waits[-1] is None
    known = [one for one in waits if one is not None]
    assert known == sorted(known)
    assert sum(known) > 2 * 3_600_000
