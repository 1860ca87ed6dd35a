"""Schedules from files: what is taken, and what is told of what is not."""

import io
import zipfile
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.admission import ProcurementKind, Role, Sector
from contracts.api.sessions import ImportProblem
from contracts.units import UtcMs
from controller.api import sheets
from controller.core import schedule_import
from controller.core.schedule_import import BadCellError, Parsed, Table, starts

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
BERLIN: Final = ZoneInfo("Europe/Berlin")
WORDS: Final = {"room-1": "room-1", "room-2": "room-2", "评标室 1": "room-1"}
HEAD: Final = "room,title,starts,admitted"


def table(content: bytes) -> Table:
    found = sheets.read_table(content)
    assert isinstance(found, Table), found
    return found


def parsed(text: str, encoding: str = "utf-8") -> Parsed:
    found = schedule_import.parsed(table(text.encode(encoding)), SHANGHAI, WORDS)
    return schedule_import.checked(found, {"room-1", "room-2"}, (), UtcMs(0))


def xlsx(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def bad(content: bytes) -> str:
    found = sheets.read_table(content)
    assert isinstance(found, ImportProblem), found
    return found.text.en


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_is_read_in_the_encodings_and_separators_of_people(
    encoding: str, separator: str
) -> None:
    rows = (
        ("评标室", "名称", "开始时间", "准入人数"),
        ("评标室 1", "一标", "2026-12-01 09:00", "5"),
    )
    text = "\r\n".join(separator.join(row) for row in rows)
    found = parsed(text, encoding)
    assert found.problems == ()
    (row,) = found.rows
    assert (row.body.room_id, row.body.title, row.body.admitted) == ("room-1", "一标", 5)


def test_every_column_is_read_in_both_languages() -> None:
    text = (
        "评标室,名称,开始时间,采购类别,行业,保存天数,名单\n"
        "room-1+room-2,甲,2026年12月1日 9:05,政府采购,水利,3650,1/专家/E1|2/代理机构//ORG\n"
        "room-1,B,2026-12-02T10:00+08:00,government,water,,1/expert/E1:ORG\n"
    )
    found = parsed(text)
    assert found.problems == ()
    first, second = (row.body for row in found.rows)
    assert first.room_ids == ("room-1", "room-2")
    assert (first.procurement, first.sector) == (ProcurementKind.GOVERNMENT, Sector.WATER)
    assert (first.keep_days, first.admitted) == (3_650, 2)
    assert [row.role for row in first.roster] == [Role.EXPERT, Role.AGENCY]
    assert second.roster[0].organisation == "ORG"


@pytest.mark.parametrize(
    ("cells", "column", "told"),
    [
        ("room-9,T,2026-12-01 09:00,5", "room", "no room"),
        (",T,2026-12-01 09:00,5", "room", "is empty"),
        ("room-1+room-1,T,2026-12-01 09:00,5", "room", "twice"),
        ("room-1,,2026-12-01 09:00,5", "title", "is empty"),
        (f"room-1,{'x' * 121},2026-12-01 09:00,5", "title", "too long"),
        ("room-1,T,tomorrow,5", "starts", "no date"),
        ("room-1,T,2026-02-30 09:00,5", "starts", "no such date"),
        ("room-1,T,2026-12-01 25:00,5", "starts", "no such date"),
        ("room-1,T,2026-12-01,5", "starts", "no date"),
        ("room-1,T,1969-12-01 09:00,5", "starts", "out of range"),
        ("room-1,T,2026-12-01 09:00,0", "admitted", "whole number"),
        ("room-1,T,2026-12-01 09:00,41", "admitted", "whole number"),
        ("room-1,T,2026-12-01 09:00,5.5", "admitted", "whole number"),
        ("room-1,T,2026-12-01 09:00,٥", "admitted", "whole number"),
        ("room-1,T,2026-12-01 09:00,", "admitted", "missing"),
    ],
)
def test_a_bad_cell_is_told_with_its_row_and_column(cells: str, column: str, told: str) -> None:
    found = parsed(f"{HEAD}\nroom-2,good,2026-12-01 09:00,5\n\n{cells}\n")
    (wrong,) = found.problems
    assert (wrong.row, wrong.column) == (4, column)
    assert told in wrong.text.en
    assert wrong.text.zh
    assert wrong.advice.en
    assert schedule_import.result(found, dry_run=False).sessions == ()


def test_all_bad_cells_of_all_rows_are_told_at_once() -> None:
    found = parsed(f"{HEAD}\nroom-9,,never,0\nroom-8,T,2026-12-01 09:00,5\n")
    assert [(row.row, row.column) for row in found.problems] == [
        (2, "room"), (2, "admitted"), (2, "title"), (2, "starts"), (3, "room"),
    ]  # fmt: skip


def test_two_rows_cannot_have_a_room_at_the_same_time() -> None:
    row = "room-1,T,2026-12-01 09:00,5"
    found = parsed(f"{HEAD}\n{row}\n{row}\n")
    (wrong,) = found.problems
    assert wrong.row == 3
    assert "row 2" in wrong.text.en


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("room,title,starts,admitted,colour", "not known"),
        ("room,title,admitted,sector", "“starts” is missing"),
        ("room,title,starts,admitted,人数", "more than once"),
    ],
)
def test_a_header_that_does_not_fit_is_told(header: str, told: str) -> None:
    found = parsed(f"{header}\nroom-1,T,2026-12-01 09:00,5,x\n".replace(",x\n", "\n"))
    assert told in found.problems[0].text.en


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n\n,,,\n", "empty"),
        (b"\xff\xfe\x00", "no text"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"PK\x03\x04 and nothing of a zip", "cannot be read"),
        (b"x" * (sheets.FILE_MAX_BYTES + 1), "larger than"),
        (f"{HEAD}\n".encode() + b"room-1,T,2026-12-01 09:00,5\n" * 501, "more than 500"),
        (f'{HEAD}\n"room-1,T,2026-12-01 09:00,5\n'.encode(), "quotation mark"),
        (f"{HEAD}\nroom-1,a,b,2026-12-01 09:00,5\n".encode(), "more cells"),
        (f"{HEAD}\n{'x' * 2_001},T,2026-12-01 09:00,5\n".encode(), "more than 2000"),
    ],
)
def test_a_file_that_is_none_is_told(content: bytes, told: str) -> None:
    assert told in bad(content)


def test_excel_gives_dates_numbers_and_texts() -> None:
    moment = datetime(2026, 11, 30, 8, 59, 59, 999_999)  # noqa: DTZ001  # as Excel has it
    content = xlsx(
        ("room", "title", "starts", "admitted"),
        ("room-1", "T", moment, 5.0),
        (None, None, None, None),
        ("room-2", 7, "2026-12-31 24:00", "5"),
    )
    found = schedule_import.parsed(table(content), SHANGHAI, WORDS)
    assert found.problems == ()
    first, second = (row.body for row in found.rows)
    assert first.starts_utc_ms == starts("2026-11-30 09:00", SHANGHAI)
    assert (second.title, second.starts_utc_ms) == ("7", starts("2027-01-01 00:00", SHANGHAI))
    assert [row.number for row in found.rows] == [2, 4]


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    content = io.BytesIO(xlsx(("room", "title", "starts", "admitted")))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet2.xml", b"0" * 40_000_000)
    assert len(content.getvalue()) < sheets.FILE_MAX_BYTES
    assert "cannot be read" in bad(content.getvalue())
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(sheets.ENTRIES_MAX + 1):
            archive.writestr(f"{number}.xml", b"")
    assert "cannot be read" in bad(many.getvalue())
    entity = io.BytesIO()
    with zipfile.ZipFile(entity, "w") as archive:
        archive.writestr("xl/workbook.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
    assert "cannot be read" in bad(entity.getvalue())


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_problem(content: bytes) -> None:
    for start in (b"", b"PK\x03\x04", HEAD.encode() + b"\n"):
        found = sheets.read_table(start + content)
        if not isinstance(found, Table):
            assert found.text.zh
            assert found.advice.en
            continue
        told = schedule_import.result(schedule_import.parsed(found, SHANGHAI, WORDS), dry_run=True)
        assert told.rows == len(found.rows)
        assert bool(told.problems) != bool(told.sessions)  # all of it or nothing


def utc(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1_000)  # type: ignore[misc,arg-type]  # its parts


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2026-12-01 09:00", SHANGHAI, utc(2026, 12, 1, 1)),
        ("2026/12/1 9:00", SHANGHAI, utc(2026, 12, 1, 1)),
        ("2026-12-01T00:00:30", SHANGHAI, utc(2026, 11, 30, 16, 0, 30)),
        ("2026-11-30 24:00", SHANGHAI, utc(2026, 11, 30, 16)),
        ("2026-12-31 24:00", SHANGHAI, utc(2026, 12, 31, 16)),
        ("2028-02-29 00:00", SHANGHAI, utc(2028, 2, 28, 16)),
        ("2026-12-01 09:00Z", SHANGHAI, utc(2026, 12, 1, 9)),
        ("2026-12-01 09:00+0100", SHANGHAI, utc(2026, 12, 1, 8)),
        ("2026-07-01 09:00", BERLIN, utc(2026, 7, 1, 7)),
        ("2026-12-01 09:00", BERLIN, utc(2026, 12, 1, 8)),
    ],
)
def test_local_times_are_the_sites(text: str, zone: ZoneInfo, wanted: int) -> None:
    assert starts(text, zone) == wanted


@pytest.mark.parametrize(
    ("text", "told"), [("2026-03-29 02:30", "skips"), ("2026-10-25 02:30", "twice")]
)
def test_times_that_the_local_clock_skips_or_shows_twice_are_refused(text: str, told: str) -> None:
    with pytest.raises(BadCellError, match=told):
        starts(text, BERLIN)
    starts(f"{text}+01:00", BERLIN)
