"""Reads a schedule's file into a table of cells, within limits that no file can pass."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

import openpyxl
import structlog

from contracts.api import Sentence
from contracts.api.sessions import ImportProblem
from controller.core.schedule_import import COLUMNS, Cell, Table, problem

log = structlog.get_logger(__name__)

FILE_MAX_BYTES: Final = 1_048_576  # 500 rows are 60 KB; a scan or a picture is no schedule
ROWS_MAX: Final = 500  # a centre holds 3,200 sessions a year: two months in one file
COLUMNS_MAX: Final = 30
CELL_MAX_CHARS: Final = 2_000  # a roster of forty seats
UNZIPPED_MAX_BYTES: Final = 16 * 1_048_576  # 500 rows are 1 MB of XML; a bomb is thousands
ENTRIES_MAX: Final = 200
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"


def read_table(content: bytes) -> Table | ImportProblem:
    """The cells of a CSV or XLSX file; the problem of the whole file where it cannot be read."""
    if len(content) > FILE_MAX_BYTES:
        return _bad(
            "文件超过 1 MiB。", "The file is larger than 1 MiB.", "请拆分文件。", "Split the file."
        )
    if content.startswith(_OLD_EXCEL):
        return _bad(
            "这是旧版 Excel（.xls）文件。",
            "This is a file of an old Excel (.xls).",
            "请另存为 .xlsx 或 CSV。",
            "Save it as .xlsx or CSV.",
        )
    rows = _xlsx(content) if content.startswith(_ZIP) else _csv(content)
    return rows if isinstance(rows, ImportProblem) else _table(rows)


def _bad(zh: str, en: str, advice_zh: str, advice_en: str) -> ImportProblem:
    return problem(0, "", "", Sentence(zh=zh, en=en), Sentence(zh=advice_zh, en=advice_en))


def _table(rows: list[tuple[int, tuple[Cell, ...]]]) -> Table | ImportProblem:
    full = [(number, cells) for number, cells in rows if any(str(cell).strip() for cell in cells)]
    if not full:
        return _bad("文件为空。", "The file is empty.", "下载模板填写。", "Fill in the template.")
    if len(full) - 1 > ROWS_MAX:
        return _bad(
            f"超过 {ROWS_MAX} 行。",
            f"The file has more than {ROWS_MAX} rows.",
            "请拆分文件。",
            "Split the file.",
        )
    long = next(
        (row for row in full if any(len(str(one)) > CELL_MAX_CHARS for one in row[1])), None
    )
    if long is not None:
        text = Sentence(
            zh=f"单元格超过 {CELL_MAX_CHARS} 个字符。",
            en=f"A cell has more than {CELL_MAX_CHARS} characters.",
        )
        return problem(long[0], "", "", text, Sentence(zh="请缩短。", en="Shorten it."))
    header = tuple(str(cell).strip() for cell in full[0][1])
    while header and not header[-1]:
        header = header[:-1]
    width = len(header)
    stray = next((row for row in full[1:] if any(str(one).strip() for one in row[1][width:])), None)
    if stray is not None:
        return problem(
            stray[0],
            "",
            "",
            Sentence(zh="该行的单元格多于表头。", en="This row has more cells than the header."),
            Sentence(
                zh="检查分隔符，含逗号的文字须加引号。",
                en="Look at the separators; quote a text that has one in it.",
            ),
        )
    return Table(header, tuple((number, cells[:width]) for number, cells in full[1:]))


def _too_long(cells: tuple[Cell, ...]) -> bool:
    return any(len(str(one)) > CELL_MAX_CHARS for one in cells)


# --- CSV ----------------------------------------------------------------------------------------


def _csv(content: bytes) -> list[tuple[int, tuple[Cell, ...]]] | ImportProblem:
    text = _decoded(content)
    if text is None or "\0" in text:
        return _bad(
            "文件不是 UTF-8 或 GBK 文本。",
            "The file is no text in UTF-8 or GBK.",
            "请另存为 CSV UTF-8 或 .xlsx。",
            "Save it as CSV UTF-8 or as .xlsx.",
        )
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t，", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    number = 0
    try:
        for number, cells in _numbered(reader):
            rows.append((number, tuple(cells[: COLUMNS_MAX + 1])))
            if len(rows) > ROWS_MAX * 4:  # blank rows are none, but not without end
                break
    except csv.Error:
        return problem(
            number + 1,
            "",
            "",
            Sentence(zh="引号未闭合或位置不对。", en="A quotation mark is open or misplaced."),
            Sentence(zh="检查该行的引号。", en="Look at the quotation marks of this row."),
        )
    return rows


def _numbered(reader: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
    # By rows, as a spreadsheet counts: a cell with a line break in it is one row there.
    yield from enumerate(reader, start=1)


def _decoded(content: bytes) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codecs: tuple[str, ...] = ("utf-16",)
    else:
        codecs = ("utf-8-sig", "gb18030")  # GBK and GB 2312 are parts of the latter
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    return None


# --- XLSX ---------------------------------------------------------------------------------------


def _xlsx(content: bytes) -> list[tuple[int, tuple[Cell, ...]]] | ImportProblem:
    broken = _bad(
        "无法读取该 Excel 文件。",
        "This Excel file cannot be read.",
        "重新另存为 .xlsx，或使用 CSV。",
        "Save it as .xlsx anew, or use CSV.",
    )
    try:
        if not _within_limits(content):
            return broken
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            rows = sheet.iter_rows(max_row=ROWS_MAX * 4, max_col=COLUMNS_MAX + 1, values_only=True)
            return [
                (number, tuple(_cell(value) for value in cells))
                for number, cells in enumerate(rows, start=1)
            ]
        finally:
            book.close()
    except Exception as error:  # noqa: BLE001  # boundary: openpyxl raises anything on a bad file
        # Who sent it is told; that it was not a mistake of ours is seen here alone.
        log.warning("sheet_not_read", error=type(error).__name__)  # its text may quote a cell
        return broken


def _within_limits(content: bytes) -> bool:
    """Whether the archive unpacks to a bounded size and declares no entities of its own.

    ``zipfile`` never unpacks more of an entry than its declared size, so that can be trusted.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > ENTRIES_MAX or sum(row.file_size for row in entries) > UNZIPPED_MAX_BYTES:
            return False
        return not any(
            b"<!DOCTYPE" in archive.read(row) or b"<!ENTITY" in archive.read(row)
            for row in entries
            if row.filename.endswith((".xml", ".rels"))
        )


def _cell(value: object) -> Cell:
    match value:
        case None:
            return ""
        case datetime():
            # Excel counts in fractions of a day: 09:00 may come as 08:59:59.999.
            return value.replace(microsecond=0) if value.microsecond < 500_000 else _up(value)
        case date() | time():
            return value.isoformat()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _up(value: datetime) -> datetime:
    return value.replace(microsecond=0) + timedelta(seconds=1)


# --- the template -------------------------------------------------------------------------------


def template(kind: str, *, chinese: bool) -> bytes:
    """A schedule to fill in: header and one example row; ``kind`` is csv or xlsx."""
    header = [column.zh if chinese else column.en for column in COLUMNS]
    example = [column.example_zh if chinese else column.example_en for column in COLUMNS]
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([header, example])
        return text.getvalue().encode("utf-8-sig")  # Excel takes it for UTF-8 by the mark alone
    book = openpyxl.Workbook()
    sheet = book.active
    if sheet is None:
        raise AssertionError("a new workbook has a sheet")
    sheet.title = "排期" if chinese else "schedule"
    for place, values in enumerate((header, example), start=1):
        for column, value in enumerate(values, start=1):
            cell = sheet.cell(row=place, column=column, value=value)
            cell.number_format = "@"  # as text: Excel makes dates and numbers of what it likes
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
