"""Decides what a schedule's rows mean, and everything that is wrong with them, row by row.

A schedule with one bad row plans nothing: people correct the file and send it again, and never have
to find out which half of it was taken.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeVar

from pydantic import ValidationError

from contracts.admission import ProcurementKind, Role, Sector
from contracts.api import Sentence, SessionBody
from contracts.api.roster import Seat
from contracts.api.sessions import UTC_MAX_MS, ImportProblem, ImportResult
from contracts.commands import ADMITTED_MAX, KEEP_MAX_DAYS
from contracts.devices import Named
from contracts.units import RoomId, UtcMs
from controller.core.sessions import Session

PROBLEMS_SHOWN: Final = 100  # who has more corrects a column, not cells
VALUE_SHOWN: Final = 60
PAST_MAX_MS: Final = 86_400_000  # this morning's list may be sent in the evening

Cell = str | datetime
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Table:
    """A schedule as it was read: its header, and rows with their number in the file."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the words that may stand in the header, and an example for the template."""

    key: str
    zh: str
    en: str
    example_zh: str
    example_en: str
    needed: bool = False


COLUMNS: Final = (
    Column("room", "评标室", "room", "room-1", "room-1", needed=True),
    Column("title", "名称", "title", "某道路工程施工评标", "Road works, lot 1", needed=True),
    Column("starts", "开始时间", "starts", "2026-12-01 09:00", "2026-12-01 09:00", needed=True),
    Column("admitted", "准入人数", "admitted", "5", "5"),
    Column("procurement", "采购类别", "procurement", "工程建设", "engineering"),
    Column("sector", "行业", "sector", "住建", "construction"),
    Column("keep_days", "保存天数", "keep_days", "", ""),
    Column(
        "roster", "名单", "roster", "1/专家/E1001|2/专家/E1002", "1/expert/E1001|2/expert/E1002"
    ),
)
_BY_WORD: Final[Mapping[str, str]] = {
    word.lower(): column.key for column in COLUMNS for word in (column.zh, column.en, column.key)
} | {"房间": "room", "标题": "title", "人数": "admitted", "时间": "starts", "start": "starts"}

PROCUREMENTS: Final[Mapping[str, ProcurementKind]] = {
    "工程建设": ProcurementKind.ENGINEERING,
    "政府采购": ProcurementKind.GOVERNMENT,
    "土地": ProcurementKind.LAND,
    "土地矿产": ProcurementKind.LAND,
    "产权": ProcurementKind.PROPERTY_RIGHTS,
    "产权交易": ProcurementKind.PROPERTY_RIGHTS,
} | {row.value: row for row in ProcurementKind}
SECTORS: Final[Mapping[str, Sector]] = {
    "住建": Sector.CONSTRUCTION,
    "交通": Sector.TRANSPORT,
    "水利": Sector.WATER,
    "财政": Sector.FINANCE,
    "其他": Sector.OTHER,
} | {row.value: row for row in Sector}
ROLES: Final[Mapping[str, Role]] = {
    "专家": Role.EXPERT,
    "代理机构": Role.AGENCY,
    "代理": Role.AGENCY,
    "招标人": Role.OWNER,
    "采购人": Role.OWNER,
    "监督": Role.SUPERVISOR,
    "监督人员": Role.SUPERVISOR,
    "维护": Role.MAINTENANCE,
} | {row.value: row for row in Role}


@dataclass(frozen=True, slots=True)
class Planned:
    """A good row: its number in the file, and the session that it plans."""

    number: int
    body: SessionBody


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a schedule means, and what is wrong with it."""

    count: int
    rows: tuple[Planned, ...] = ()
    problems: tuple[ImportProblem, ...] = ()


class BadCellError(ValueError):
    """A cell that cannot be taken; says what is wrong and what to write instead."""

    def __init__(self, zh: str, en: str, advice_zh: str, advice_en: str) -> None:
        super().__init__(en)
        self.text = Sentence(zh=zh, en=en)
        self.advice = Sentence(zh=advice_zh, en=advice_en)


def problem(row: int, column: str, value: str, text: Sentence, advice: Sentence) -> ImportProblem:
    """What is wrong in one place."""
    shown = "".join(char if char.isprintable() else " " for char in value)[:VALUE_SHOWN]
    return ImportProblem(row=row, column=column, value=shown, text=text, advice=advice)


def parsed(table: Table, zone: tzinfo, rooms: Mapping[str, RoomId]) -> Parsed:
    """Read a table. ``zone``: of times without one. ``rooms``: ids and names -> id."""
    keys = [_BY_WORD.get(word.strip().lower()) for word in table.header]
    wrong = _header_problems(table.header, keys)
    if wrong:
        return Parsed(len(table.rows), problems=tuple(wrong))
    good: list[Planned] = []
    for number, cells in table.rows:
        row = _Row(number, dict(zip(keys, cells, strict=False)), zone, rooms)
        body = row.body()
        wrong += row.problems
        if body is not None:
            good.append(Planned(number, body))
    if not table.rows:
        wrong.append(
            problem(
                1,
                "",
                "",
                Sentence(zh="文件中没有场次。", en="The file has no sessions."),
                Sentence(zh="在表头下每行填写一个场次。", en="Write one session in each row."),
            )
        )
    return Parsed(len(table.rows), tuple(good), tuple(wrong))


def _header_problems(header: tuple[str, ...], keys: list[str | None]) -> list[ImportProblem]:
    wrong: list[ImportProblem] = []
    names = ", ".join(column.en for column in COLUMNS)
    zh_names = "、".join(column.zh for column in COLUMNS)
    advice = Sentence(zh=f"可用的列：{zh_names}。", en=f"Columns are: {names}.")
    for word, key in zip(header, keys, strict=True):
        if key is None and word.strip():
            text = Sentence(zh="不认识的列。", en="This column is not known.")
            wrong.append(problem(1, word.strip()[:40], word, text, advice))
        elif key is not None and keys.count(key) > 1:
            text = Sentence(zh="该列出现多次。", en="This column stands here more than once.")
            wrong.append(problem(1, key, word, text, advice))
    for column in COLUMNS:
        if column.needed and column.key not in keys:
            text = Sentence(
                zh=f"缺少列「{column.zh}」。", en=f"The column “{column.en}” is missing."
            )
            wrong.append(problem(1, column.key, "", text, advice))
    return wrong


@dataclass(slots=True)
class _Row:
    """One row while it is read; every bad cell of it is told, not the first alone."""

    number: int
    cells: Mapping[str | None, Cell]
    zone: tzinfo
    rooms: Mapping[str, RoomId]
    problems: list[ImportProblem] = field(default_factory=list)

    def body(self) -> SessionBody | None:
        rooms = self._read("room", self._rooms)
        seats = self._read("roster", self._seats) or ()
        admitted = self._read("admitted", lambda text: _number(text, ADMITTED_MAX))
        values = {
            "title": self._read("title", _title),
            "starts_utc_ms": self._read("starts", lambda _: self._starts()),
            "procurement": self._read("procurement", lambda t: _choice(t, PROCUREMENTS)),
            "sector": self._read("sector", lambda t: _choice(t, SECTORS)),
            "keep_days": self._read("keep_days", lambda t: _number(t, KEEP_MAX_DAYS)),
            "admitted": len(seats) or admitted,
        }
        if not seats and admitted is None and not self._text("admitted"):
            self._say(
                "admitted",
                Sentence(zh="缺少准入人数。", en="How many are admitted is missing."),
                Sentence(zh="填写 1 到 40，或填写名单。", en="Write 1 to 40, or a roster."),
            )
        if self.problems or rooms is None:
            return None
        given: dict[str, object] = {
            key: value for key, value in values.items() if value is not None
        }
        given |= {"room_id": rooms[0], "roster": seats}
        if len(rooms) > 1:
            given["room_ids"] = rooms
        try:
            return SessionBody.model_validate(given)
        except ValidationError as error:
            what = "; ".join(str(row["msg"]) for row in error.errors()[:3])[:300]
            text = Sentence(zh=f"本行不一致：{what}", en=f"The row does not fit together: {what}")
            self._say("", text, Sentence(zh="请更正本行。", en="Correct the row."))
            return None

    def _text(self, key: str) -> str:
        value = self.cells.get(key, "")
        return str(value).strip()

    def _say(self, key: str, text: Sentence, advice: Sentence) -> None:
        self.problems.append(problem(self.number, key, self._text(key), text, advice))

    def _read(self, key: str, read: Callable[[str], E]) -> E | None:
        text = self._text(key)
        needed = next((column for column in COLUMNS if column.key == key and column.needed), None)
        if not text:
            if needed is not None:
                self._say(
                    key,
                    Sentence(zh=f"「{needed.zh}」为空。", en=f"“{needed.en}” is empty."),
                    Sentence(zh="请填写。", en="Fill it in."),
                )
            return None
        try:
            return read(text)
        except BadCellError as error:
            self._say(key, error.text, error.advice)
            return None

    def _rooms(self, text: str) -> tuple[RoomId, ...]:
        found: list[RoomId] = []
        for word in re.split(r"[+＋、/|]", text):
            room = self.rooms.get(word.strip().lower())
            if room is None:
                known = ", ".join(sorted(set(self.rooms.values())))[:200]
                raise BadCellError(
                    f"没有房间「{word.strip()[:40]}」。",
                    f"There is no room “{_latin(word)}”.",
                    f"可用：{known}；多个房间用 + 连接。",
                    f"Rooms are: {known}; join several by +.",
                )
            found.append(room)
        if len(set(found)) != len(found):
            raise BadCellError(
                "同一房间写了两次。", "A room stands here twice.", "删去重复。", "Take one out."
            )
        return tuple(found)

    def _starts(self) -> UtcMs:
        return starts(self.cells.get("starts", ""), self.zone)

    def _seats(self, text: str) -> tuple[Seat, ...]:
        return tuple(_seat(part) for part in re.split(r"[|｜\n]", text) if part.strip())


def _latin(text: str) -> str:
    return "".join(char if ord(char) < 0x2E80 else "?" for char in text.strip())[:40]


def _title(text: str) -> str:
    if len(text) > 120 or any(not char.isprintable() for char in text):
        raise BadCellError(
            "名称过长或含控制字符。",
            "The title is too long or has control characters.",
            "最多 120 个字符。",
            "At most 120 characters.",
        )
    return text


def _number(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise BadCellError(
            "不是有效的整数。",
            "This is no whole number in the range.",
            f"填写 1 到 {most}。",
            f"Write 1 to {most}.",
        )
    return int(text)


def _choice(text: str, choices: Mapping[str, E]) -> E:
    found = choices.get(text.lower())
    if found is None:
        zh = "、".join(key for key in choices if not key.isascii())
        en = ", ".join(key for key in choices if key.isascii())
        raise BadCellError(
            "不认识的值。", "This value is not known.", f"可用：{zh}。", f"Use one of: {en}."
        )
    return found


def _seat(text: str) -> Seat:
    parts = [part.strip() for part in re.split(r"[/:：]", text)]
    advice = (
        "每席写作 席位/角色/专家编号/单位编号，席位之间用 | 分隔。",
        "Write seat/role/expert code/organisation code, and | between seats.",
    )
    role = ROLES.get(parts[1].lower()) if len(parts) > 1 else None
    if not 2 <= len(parts) <= 4 or role is None:
        raise BadCellError(
            "名单格式不对，或角色不认识。",
            "A seat cannot be read, or its role is unknown.",
            *advice,
        )
    try:
        return Seat(
            seat=parts[0],
            role=role,
            expert_code=parts[2] if len(parts) > 2 else "",
            organisation=parts[3] if len(parts) > 3 else "",
        )
    except ValidationError:
        raise BadCellError(
            "席位或编号过长或为空。", "A seat or code is empty or too long.", *advice
        ) from None


# --- times --------------------------------------------------------------------------------------

_WRITTEN: Final = re.compile(
    r"^(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?[ T]+"
    r"(?P<hour>\d{1,2})[:：](?P<minute>\d{2})(?:[:：](?P<second>\d{2}))?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?$"
)
_ADVICE: Final = (
    "写作 2026-12-01 09:00（本地时间）。",
    "Write 2026-12-01 09:00, in the site's time.",
)


def starts(cell: Cell, zone: tzinfo) -> UtcMs:
    """A start as UTC milliseconds. Local times are of ``zone``; 24:00 is the next midnight.

    Raises:
        BadCellError: no time, or one that the local clock never shows or shows twice.
    """
    moment = cell if isinstance(cell, datetime) else _written(cell.strip())
    if moment.tzinfo is None:
        moment = _local(moment, zone)
    utc_ms = int(moment.timestamp() * 1_000)
    if not 0 <= utc_ms <= UTC_MAX_MS:
        raise BadCellError("年份超出范围。", "The year is out of range.", *_ADVICE)
    return UtcMs(utc_ms)


def _written(text: str) -> datetime:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise BadCellError("不是日期和时间。", "This is no date and time.", *_ADVICE)
    numbers = {
        key: int(found[key] or 0) for key in ("year", "month", "day", "hour", "minute", "second")
    }
    midnight = (numbers["hour"], numbers["minute"], numbers["second"]) == (24, 0, 0)
    hour = 0 if midnight else numbers["hour"]
    try:
        moment = datetime(  # noqa: DTZ001  # the zone follows
            numbers["year"],
            numbers["month"],
            numbers["day"],
            hour,
            numbers["minute"],
            numbers["second"],
        )
        moment += timedelta(days=1) if midnight else timedelta()
    except (ValueError, OverflowError):
        raise BadCellError(
            "没有这个日期或时间。", "There is no such date or time.", *_ADVICE
        ) from None
    offset = found["offset"]
    if offset is None:
        return moment
    if offset == "Z":
        return moment.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(f"{moment.isoformat()}{offset}")
    except ValueError:
        raise BadCellError("时差无效。", "The offset is not valid.", *_ADVICE) from None


def _local(moment: datetime, zone: tzinfo) -> datetime:
    one = moment.replace(tzinfo=zone, fold=0)
    other = moment.replace(tzinfo=zone, fold=1)
    if one.utcoffset() == other.utcoffset():
        return one
    back = one.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != moment:
        raise BadCellError(
            "夏令时切换时没有这个时刻。",
            "The local clock skips this time.",
            "请换一个时刻，或写出时差。",
            "Choose another time, or write the offset: 2026-12-01 09:00+08:00.",
        )
    raise BadCellError(
        "夏令时切换时该时刻出现两次。",
        "The local clock shows this time twice.",
        "请写出时差。",
        "Write the offset, for example 2026-10-25 02:30+01:00.",
    )


# --- against the site and each other ------------------------------------------------------------


def checked(
    found: Parsed, rooms: Collection[RoomId], sessions: Iterable[Session], now_utc_ms: UtcMs
) -> Parsed:
    """What is wrong with good rows beside each other and beside what is scheduled already."""
    wrong = list(found.problems)
    taken = {
        (room, row.scheduled_utc_ms): f"{row.public_code}"
        for row in sessions
        if not row.ended
        for room in row.rooms
    }
    for row in found.rows:
        wrong += _beside(row, rooms, taken, now_utc_ms)
        for room in row.body.rooms:
            taken[room, row.body.starts_utc_ms or now_utc_ms] = f"row {row.number}"
    wrong.sort(key=lambda one: one.row)
    return replace(found, problems=tuple(wrong))


def _beside(
    row: Planned,
    rooms: Collection[RoomId],
    taken: Mapping[tuple[RoomId, UtcMs], str],
    now_utc_ms: UtcMs,
) -> Iterable[ImportProblem]:
    start = row.body.starts_utc_ms
    for room in row.body.rooms:
        if room not in rooms:
            text = Sentence(zh=f"没有房间 {room}。", en=f"There is no room {room}.")
            advice = Sentence(zh="请核对房间编号。", en="Look at the room's id.")
            yield problem(row.number, "room", room, text, advice)
        elif start is not None and (room, start) in taken:
            other = taken[room, start]
            text = Sentence(
                zh=f"{room} 同一时间已有场次（{other}）。",
                en=f"{room} has a session at that time already ({other}).",
            )
            advice = Sentence(zh="换一个时间或房间。", en="Choose another time or room.")
            yield problem(row.number, "starts", room, text, advice)
    if start is not None and start < now_utc_ms - PAST_MAX_MS:
        text = Sentence(zh="开始时间已过去一天以上。", en="The start lies more than a day back.")
        advice = Sentence(zh="请核对年份与日期。", en="Look at the year and the date.")
        yield problem(row.number, "starts", "", text, advice)


def result(found: Parsed, *, dry_run: bool) -> ImportResult:
    """What an import says before anything is planned."""
    shown = found.problems[:PROBLEMS_SHOWN]
    return ImportResult(
        dry_run=dry_run,
        rows=found.count,
        sessions=() if found.problems else tuple(row.body for row in found.rows),
        problems=shown,
        more_problems=len(found.problems) - len(shown),
    )


def room_words(names: Mapping[RoomId, Named]) -> Mapping[str, RoomId]:
    """Everything by which a schedule may call a room; a name of two rooms is none."""
    words: dict[str, RoomId] = {}
    twice: set[str] = set()
    for room, name in names.items():
        for word in {name.zh.lower(), name.en.lower()}:
            if word in words:
                twice.add(word)
            words[word] = room
    return {word: room for word, room in words.items() if word not in twice} | {
        room.lower(): room for room in names
    }
