"""Writes a conduct report as CSV, XLSX and PDF; no cell is ever taken for a formula."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from contracts.api.conduct import ConductReport, PeriodKind, SubjectKind
from controller.reports.documents import (
    Block,
    Bold,
    Document,
    Facts,
    Figures,
    Heading,
    Para,
    Signatures,
    Table,
    render,
)

Language = Literal["zh-CN", "en"]
BOM: Final = "\ufeff"  # without it Excel reads UTF-8 as the local code page
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What spreadsheets take for the begin of a formula, full-width forms too (OWASP)."""
MINUTE_MS: Final = 60_000
CELL_MAX: Final = 32_000  # Excel holds 32,767 characters in a cell

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("行为通报", "Conduct report"),
    "session": ("一标一考", "of one session"),
    "month": ("一月一通报", "monthly"),
    "quarter": ("一季一通报", "quarterly"),
    "page_of": ("第 {0} 页 / 共 {1} 页", "Page {0} of {1}"),
    "lines": ("专家与代理机构", "Experts and agencies"),
    "incidents": ("经人工确认的违规", "Violations that a person confirmed"),
    "subject": ("对象", "Of"),
    "code": ("编号", "Code"),
    "sessions": ("场次", "Sessions"),
    "late": ("迟到", "Late"),
    "late_min": ("迟到合计（分钟）", "Late in all (min)"),
    "absent": ("缺勤", "Absent"),
    "replaced": ("被更换", "Replaced"),
    "recused": ("回避", "Recused"),
    "violations": ("违规", "Violations"),
    "number": ("预警编号", "Alert no."),
    "when": ("时间", "Time"),
    "what": ("事项", "What"),
    "seat": ("席位", "Seat"),
    "room": ("评标室", "Room"),
    "held": ("场次名称", "Session"),
    "session_id": ("场次编号", "Session no."),
    "note": ("处置说明", "Note"),
    "statement": ("当事人陈述", "Statement"),
    "by": ("确认人", "Confirmed by"),
    "expert": ("专家", "expert"),
    "agency": ("代理机构", "agency"),
    "unknown": ("未登记编号", "no code given"),
    "nobody": ("未指明", "nobody named"),
    "none": ("无。", "None."),
    "period": ("期间", "Period"),
    "from_to": ("起止", "From, to"),
    "zone": ("时区", "Time zone"),
    "site": ("中心", "Site"),
    "made": ("生成于", "Made"),
    "rule": (
        "只列经人工确认为违规的预警，以及签到与排期不符的迟到、缺勤；不含姓名。视频不用于认定迟到。",
        (
            "Only alerts that a person confirmed as violations stand here, and check-ins against "
            "the schedule. No names. Video never says who is late."
        ),
    ),
    "sign": ("通报人（签名）", "Issued by (signature)"),
    "date": ("日期", "Date"),
}

LINES: Final = (
    "subject", "code", "sessions", "late", "late_min", "absent", "replaced", "recused",
    "violations",
)  # fmt: skip
INCIDENTS: Final = (
    "number", "when", "subject", "code", "seat", "what", "room", "session_id", "held", "note",
    "statement", "by",
)  # fmt: skip


class _Sheet:
    """A report's rows in one language."""

    def __init__(self, report: ConductReport, language: Language) -> None:
        self.report = report
        self.column = 0 if language == "zh-CN" else 1
        self.zone = ZoneInfo(report.period.time_zone)

    def say(self, key: str) -> str:
        return WORDS[key][self.column]

    def head(self, keys: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.say(key) for key in keys)

    def when(self, utc_ms: int) -> str:
        moment = datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(self.zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}"

    def whom(self, kind: SubjectKind | None) -> str:
        return self.say(kind.value) if kind is not None else self.say("nobody")

    def lines(self) -> list[tuple[str | int, ...]]:
        return [
            (
                self.whom(row.subject),
                row.code or self.say("unknown"),
                row.sessions,
                row.late,
                -(-row.late_ms // MINUTE_MS),
                row.absent,
                row.replaced,
                row.recused,
                row.violations,
            )
            for row in self.report.lines
        ]

    def incidents(self) -> list[tuple[str | int, ...]]:
        return [
            (
                row.number,
                self.when(row.utc_ms),
                self.whom(row.subject),
                row.code or ("" if row.subject is None else self.say("unknown")),
                row.seat,
                row.title.zh if self.column == 0 else row.title.en,
                row.room_id,
                row.session_id,
                row.session_title,
                row.note,
                row.statement,
                row.confirmed_by,
            )
            for row in self.report.incidents
        ]

    def period(self) -> str:
        period = self.report.period
        return f"{self.when(period.from_utc_ms)} – {self.when(period.to_utc_ms)}"

    def title(self) -> str:
        return f"{self.say('title')} · {self.say(self.report.period.kind.value)}"

    def site(self) -> str:
        return self.report.site.zh if self.column == 0 else self.report.site.en


def safe(value: str | int) -> str | int:
    """A cell that no spreadsheet runs: what looks like a formula gets an apostrophe before it."""
    if isinstance(value, int):
        return value
    kept = "".join(one if one >= " " or one == "\n" else " " for one in value)[:CELL_MAX]
    dangerous = value.startswith(FORMULA) or kept.lstrip().startswith(FORMULA)
    return f"'{kept}" if dangerous else kept


def conduct_csv(report: ConductReport, language: Language) -> bytes:
    """The report as CSV for Excel: UTF-8 with its mark, two tables one below the other."""
    sheet = _Sheet(report, language)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow([safe(sheet.title()), safe(report.period.name), safe(sheet.period())])
    writer.writerow([])
    for keys, rows in ((LINES, sheet.lines()), (INCIDENTS, sheet.incidents())):
        writer.writerow(sheet.head(keys))
        writer.writerows([safe(cell) for cell in row] for row in rows)
        writer.writerow([])
    return (BOM + target.getvalue()).encode()


def conduct_xlsx(report: ConductReport, language: Language) -> bytes:
    """The report as a workbook of two sheets; every text cell is stored as text."""
    sheet = _Sheet(report, language)
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)  # noqa: S101  # a new workbook has one
    first.title = sheet.say("lines")[:31]
    _fill(first, sheet, LINES, sheet.lines())
    _fill(book.create_sheet(sheet.say("incidents")[:31]), sheet, INCIDENTS, sheet.incidents())
    made = datetime.fromtimestamp(report.made_utc_ms / 1_000, UTC).replace(tzinfo=None)
    book.properties.created = book.properties.modified = made
    book.properties.title = f"{sheet.title()} {report.period.name}"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _fill(
    target: Worksheet, sheet: _Sheet, keys: Sequence[str], rows: list[tuple[str | int, ...]]
) -> None:
    target.append([safe(f"{sheet.title()} {sheet.report.period.name}"), "", safe(sheet.period())])
    target.append(list(sheet.head(keys)))
    for row in rows:
        target.append([safe(cell) for cell in row])
        for cell in target[target.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # never "f", whatever it begins with
    for cell in target[2]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="F2F4F7")
    target["A1"].font = Font(bold=True, size=13)
    target.freeze_panes = "A3"
    for place, key in enumerate(keys, start=1):
        long = key in ("note", "statement", "held", "what")
        target.column_dimensions[get_column_letter(place)].width = 36 if long else 18
        if long:
            for row in target.iter_rows(min_row=3, min_col=place, max_col=place):
                row[0].alignment = Alignment(wrap_text=True, vertical="top")


def conduct_pdf(report: ConductReport, language: Language) -> bytes:
    """The report as PDF.

    Raises:
        DocumentError: it cannot be set.
    """
    sheet = _Sheet(report, language)
    lines = tuple(tuple(str(cell) for cell in row) for row in sheet.lines())
    late = sum(row.late for row in report.lines if row.subject is SubjectKind.EXPERT)
    absent = sum(row.absent for row in report.lines if row.subject is SubjectKind.EXPERT)
    blocks: list[Block] = [
        Facts(
            (
                (sheet.say("site"), sheet.site()),
                (sheet.say("period"), Bold(report.period.name)),
                (sheet.say("from_to"), sheet.period()),
                (sheet.say("zone"), report.period.time_zone),
                (sheet.say("made"), sheet.when(report.made_utc_ms)),
                (sheet.say("sessions"), str(report.sessions)),
            )
        ),
        Para(sheet.say("rule"), quiet=True),
        Figures(
            (
                (str(report.sessions), sheet.say("sessions"), False),
                (str(len(report.incidents)), sheet.say("violations"), bool(report.incidents)),
                (str(late), sheet.say("late"), late > 0),
                (str(absent), sheet.say("absent"), absent > 0),
            )
        ),
        Heading(sheet.say("lines")),
        Table(sheet.head(LINES), lines, (1, 1.6, 0.8, 0.7, 1.3, 0.7, 0.8, 0.8, 0.9))
        if lines
        else Para(sheet.say("none")),
        Heading(sheet.say("incidents")),
        *_incident_blocks(sheet),
        Signatures((sheet.say("sign"), sheet.say("date"))),
    ]
    session = report.period.kind is PeriodKind.SESSION
    document = Document(
        language=language,
        title=sheet.title(),
        subtitle=f"{sheet.site()} · {report.session_id if session else report.period.name}",
        running=f"{sheet.site()} · {report.period.name}",
        page_of=sheet.say("page_of"),
        blocks=blocks,
    )
    return render(document, report.made_utc_ms)


def _incident_blocks(sheet: _Sheet) -> list[Block]:
    if not sheet.report.incidents:
        return [Para(sheet.say("none"))]
    keys = ("number", "when", "subject", "code", "seat", "what", "by")
    places = [INCIDENTS.index(key) for key in keys]
    rows = tuple(tuple(str(row[place]) for place in places) for row in sheet.incidents())
    blocks: list[Block] = [Table(sheet.head(keys), rows, (0.7, 1.6, 0.9, 1.3, 0.8, 1.9, 1))]
    for row in sheet.report.incidents:
        said = [f"{sheet.say('held')}: {row.session_title} ({row.session_id})"]
        if row.note:
            said.append(f"{sheet.say('note')}: {row.note}")
        said.append(f"{sheet.say('statement')}: {row.statement or '—'}")
        blocks.append(Para(f"{row.number} · " + "\n".join(said)))
    return blocks
