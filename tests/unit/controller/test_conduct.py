"""Conduct reports: whose midnight counts, what counts against whom, and files nobody can abuse."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.admission import Role
from contracts.api import Disposition, Handling, SessionBody, SessionState
from contracts.api.conduct import ConductReport, SubjectKind
from contracts.api.report import HeadCountPoint
from contracts.observations import AccessKind
from contracts.units import MonoMs, UtcMs
from controller.core import head_count, sessions
from controller.core.alerts import AlertRecord
from controller.core.roster import CheckIn, Participant, Roster
from controller.core.sessions import Session
from controller.core.state import Now, RoomLive
from controller.reports.conduct import compile_report, month_of, quarter_of
from controller.reports.conduct_files import (
    Language,
    conduct_csv,
    conduct_pdf,
    conduct_xlsx,
    safe,
)
from controller.reports.gather import CURVE_MAX, thinned
from tests.fakes.controller_site import an_alert, fresh_state, observation, person, small_plan

SHANGHAI = ZoneInfo("Asia/Shanghai")
STARTS = 1_795_161_600_000
HOUR_MS = 3_600_000


def iso(utc_ms: int) -> str:
    return datetime.fromtimestamp(utc_ms / 1_000, UTC).isoformat()


def test_months_and_quarters_begin_at_the_sites_own_midnight() -> None:
    november = month_of(2026, 11, SHANGHAI)
    assert iso(november.from_utc_ms) == "2026-10-31T16:00:00+00:00"
    assert iso(november.to_utc_ms) == "2026-11-30T16:00:00+00:00"
    assert month_of(2026, 12, SHANGHAI).from_utc_ms == november.to_utc_ms
    december = month_of(2026, 12, SHANGHAI)
    assert december.to_utc_ms == month_of(2027, 1, SHANGHAI).from_utc_ms
    fourth = quarter_of(2026, 4, SHANGHAI)
    assert (fourth.from_utc_ms, fourth.to_utc_ms) == (
        month_of(2026, 10, SHANGHAI).from_utc_ms,
        december.to_utc_ms,
    )
    assert iso(month_of(2026, 3, ZoneInfo("Europe/Berlin")).to_utc_ms).endswith("22:00:00+00:00")


@given(st.integers(2000, 2099), st.integers(1, 12), st.sampled_from(["Asia/Shanghai", "UTC"]))
@settings(max_examples=60, deadline=None)
def test_months_follow_one_another_without_a_gap(year: int, month: int, zone: str) -> None:
    here = month_of(year, month, ZoneInfo(zone))
    behind = month_of(year + month // 12, month % 12 + 1, ZoneInfo(zone))
    assert here.to_utc_ms == behind.from_utc_ms
    assert 28 <= (here.to_utc_ms - here.from_utc_ms) / 86_400_000 <= 31


def seat(
    number: int, role: Role = Role.EXPERT, *, expert_code: str = "", organisation: str = ""
) -> Participant:
    return Participant(number, f"S{number}", role, organisation, expert_code)


def came(number: int, minute: int) -> CheckIn:
    at = UtcMs(STARTS + minute * 60_000)
    return CheckIn(f"e{number}", number, AccessKind.CHECK_IN, at, "terminal")


def held(session_id: str = "s-1") -> Session:
    body = SessionBody(
        room_id="room-1", title="=HYPERLINK(1)", admitted=5, starts_utc_ms=UtcMs(STARTS)
    )
    made = sessions.schedule(session_id, body, "sup", UtcMs(STARTS - HOUR_MS))
    people = Roster(
        participants=(
            seat(1, expert_code="=cmd|' /C calc'!A0"),
            seat(2, expert_code="E2"),
            seat(3, expert_code="E3"),
            seat(4, Role.AGENCY, organisation="A9"),
        ),
        check_ins=(came(1, -5), came(2, 120), came(4, -1)),
        next_number=5,
    )
    return replace(
        made,
        roster=people,
        state=SessionState.RELEASED,
        sealed_utc_ms=UtcMs(STARTS),
        released_utc_ms=UtcMs(STARTS + 5 * HOUR_MS),
    )


def violation(number: int, said: Disposition = Disposition.VIOLATION) -> AlertRecord:
    return AlertRecord(
        alert=an_alert(f"a{number}", session_id="s-1"),
        number=number,
        received_utc_ms=UtcMs(STARTS),
        handling=Handling.RESOLVED,
        disposition=said,
        seat="S1",
        statement="+1 本人陈述",
        resolved_by="sup",
    )


def report() -> ConductReport:
    state = fresh_state(small_plan())
    rows = (violation(1), violation(2, Disposition.FALSE), replace(violation(3), seat=""))
    period = month_of(2026, 11, SHANGHAI)
    return compile_report(state, period, (held(),), rows, UtcMs(STARTS + 9 * HOUR_MS))


def test_only_what_a_person_confirmed_counts_and_by_code() -> None:
    made = report()
    lines = {row.code: row for row in made.lines}
    assert lines["=cmd|' /C calc'!A0"].violations == 1
    assert (lines["E2"].late, lines["E2"].absent) == (1, 0)
    assert lines["E3"].absent == 1
    assert (lines["A9"].subject, lines["A9"].late) == (SubjectKind.AGENCY, 0)
    assert [row.number for row in made.incidents] == [1, 3]
    assert made.incidents[1].subject is None  # nobody was named: it counts against nobody


def test_a_cancelled_session_counts_against_nobody() -> None:
    state = fresh_state(small_plan())
    gone = replace(held(), state=SessionState.CANCELLED)
    period = month_of(2026, 11, SHANGHAI)
    made = compile_report(state, period, (gone,), (violation(1),), UtcMs(STARTS))
    assert (made.sessions, made.lines, made.incidents) == (0, (), ())


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_files_hold_the_same_and_no_cell_is_a_formula(language: Language) -> None:
    made = report()
    raw = conduct_csv(made, language)
    assert raw.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in csv.reader(io.StringIO(raw.decode("utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert any("cmd|" in cell for cell in cells)
    book = openpyxl.load_workbook(io.BytesIO(conduct_xlsx(made, language)))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
    pdf = pypdf.PdfReader(io.BytesIO(conduct_pdf(made, language)))
    text = "".join(page.extract_text() for page in pdf.pages)
    assert "E2" in text
    assert "=cmd|" in text  # what is data is printed as it is
    assert "本人陈述" in text


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_becomes_a_formula(text: str) -> None:
    cell = str(safe(text))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


def test_a_head_count_is_told_when_it_changes_and_when_nobody_can_tell() -> None:
    state = replace(
        fresh_state(small_plan()),
        sessions={"s-1": replace(held(), state=SessionState.SEALED)},
    )
    told = []
    for index, (mono, people) in enumerate(((0, 2), (200, 3), (1_500, 3), (1_700, 3), (9_000, 4))):
        now = Now(MonoMs(mono), UtcMs(STARTS + mono))
        seen = observation(
            "room-1",
            index=index,
            utc_ms=now.utc_ms,
            people=tuple(person(track=one) for one in range(people)),
        )
        state = replace(state, rooms={"room-1": RoomLive(seen, now.mono_ms)})
        state, lines = head_count.observed(state, seen, now)
        told += [row.people for row in lines]
    assert told == [2, 3, 4]  # the flicker at 200 ms waits for its second
    state, quiet = head_count.ticked(state, Now(MonoMs(10_000), UtcMs(STARTS)))
    assert quiet == ()
    state, lines = head_count.ticked(state, Now(MonoMs(15_000), UtcMs(STARTS)))
    assert [row.people for row in lines] == [None]
    assert head_count.ticked(state, Now(MonoMs(16_000), UtcMs(STARTS)))[1] == ()


def test_a_thinned_curve_keeps_the_visit_of_a_sixth_person() -> None:
    points = [
        HeadCountPoint(utc_ms=UtcMs(place), people=6 if place == 31_337 else 5)
        for place in range(40_000)
    ]
    kept = thinned(points)
    assert len(kept) <= CURVE_MAX
    assert any(row.people == 6 for row in kept)
    assert kept[0] == points[0]
