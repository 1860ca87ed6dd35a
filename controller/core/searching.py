"""Decides by which terms a row is found: words of Latin scripts, pairs of characters of Chinese.

A trigram index cannot find a word of two characters, and most Chinese words have two (measured:
docs/guide/search.md). So a run of Chinese characters is entered as its overlapping pairs, and what
one filters by (room, rule, state) is entered as a term as well: one inverted index then answers
each combination of filters and text, in the order of time.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.api import Sentence
from contracts.api.record import RecordKind, RecordLine
from contracts.api.search import QUERY_MAX_CHARS, Found, FoundKind
from contracts.units import Bilingual, UtcMs
from controller.core.alerts import AlertRecord, title_of
from controller.core.outputs import FileEntry
from controller.core.sessions import STATE_NAMES, Session

KIND_MARK: Final = "k:"
IN_SHADOW: Final = "q:shadow"
TOLD: Final = "q:told"
TERMS_VERSION: Final = 2
"""Raised whenever a row would be entered under other terms: the index is then built anew."""

WORD_MAX_CHARS: Final = 40  # a longer one is a digest; its beginning finds it
TERMS_MAX: Final = 12  # of one query: more than anybody types, and each costs a list to cross
PREFIX_MIN_CHARS: Final = 3  # shorter beginnings of words fit half of all rows
SENTENCE_MAX_CHARS: Final = 400  # as contracts.api.Sentence

# CJK ideographs with extensions and compatibility forms, kana, Hangul: written without spaces.
_NO_SPACES: Final = (
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)

GAP_REASONS: Final[dict[str, Bilingual]] = {
    "starting": Bilingual("启动中", "starting"),
    "camera_offline": Bilingual("摄像机离线", "camera offline"),
    "camera_refused": Bilingual("摄像机拒绝登录", "camera refused our login"),
    "camera_silent": Bilingual("摄像机无数据", "camera silent"),
    "stream_damaged": Bilingual("码流损坏", "stream damaged"),
    "pickup_lost": Bilingual("拾音器断开", "pickup lost"),
    "disk_slow": Bilingual("磁盘写入过慢", "disk too slow"),
    "disk_full": Bilingual("磁盘已满", "disk full"),
    "disk_read_only": Bilingual("磁盘只读", "disk read-only"),
    "disk_failed": Bilingual("磁盘故障", "disk failed"),
    "space_saved": Bilingual("为封闭场次预留空间", "space saved for sealed sessions"),
    "recorder_stopped": Bilingual("录像程序停止", "recorder stopped"),
    "recorder_crashed": Bilingual("录像程序崩溃", "recorder crashed"),
    "power_lost": Bilingual("断电", "power lost"),
    "unknown": Bilingual("原因不明", "reason unknown"),
}
ENTRY_NAMES: Final[dict[str, Bilingual]] = {
    "segment": Bilingual("录像", "Recording"),
    "gap": Bilingual("录像中断", "Recording gap"),
    "opened": Bilingual("证据链开始", "Chain of evidence begins"),
    "changed": Bilingual("设置或时钟变更", "Settings or clock changed"),
    "seal": Bilingual("录像封存", "Recording sealed"),
    "release": Bilingual("录像解封", "Recording released"),
    "keep": Bilingual("保存期限", "Retention set"),
    "hold": Bilingual("冻结保全", "Legal hold"),
    "unhold": Bilingual("解除保全", "Legal hold lifted"),
    "deletion": Bilingual("录像到期删除", "Recordings deleted"),
    "handover": Bilingual("密钥交接", "Key handed over"),
}
RECORD_NAMES: Final[dict[RecordKind, Bilingual]] = {
    RecordKind.STATE: Bilingual("场次状态", "Session state"),
    RecordKind.SEAL_CHECK: Bilingual("封闭检查", "Seal check"),
    RecordKind.OVERRIDE: Bilingual("强制放行", "Override"),
    RecordKind.AMENDMENT: Bilingual("变更", "Amendment"),
    RecordKind.CHECK_IN: Bilingual("签到", "Check-in"),
    RecordKind.SWEEP: Bilingual("清场", "Sweep"),
    RecordKind.HANDLING: Bilingual("预警处置", "Alert handling"),
    RecordKind.CALL: Bilingual("呼叫", "Call"),
    RecordKind.TEXT: Bilingual("文字通知", "Text"),
    RecordKind.TALK: Bilingual("对讲", "Talk"),
    RecordKind.LISTENING: Bilingual("监听", "Listening"),
    RecordKind.ENTRY: Bilingual("应急进入", "Emergency entry"),
    RecordKind.BREAK_GLASS: Bilingual("应急授权", "Break-glass"),
    RecordKind.RETRIEVAL: Bilingual("调阅", "Retrieval"),
    RecordKind.REPORT: Bilingual("报告", "Report"),
    RecordKind.SITE: Bilingual("异地中心", "Other site"),
    RecordKind.NOTE: Bilingual("备注", "Note"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the index: what is shown, and the terms that it is found by."""

    found: Found
    sector: str | None = None
    more: str = ""
    """Texts that it is found by and that are not shown."""

    def terms(self) -> str:
        """All terms, filters first, each once, with spaces between."""
        found = self.found
        texts = [found.title.zh, found.title.en, found.by, self.more]
        if found.text is not None:
            texts += [found.text.zh, found.text.en]
        words = dict.fromkeys(_filters_of(found, self.sector))
        words |= dict.fromkeys(term for text in texts for term in terms_of(text))
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search asks for; what is None or empty does not count. ``to_utc_ms`` is excluded."""

    kinds: tuple[FoundKind, ...] = tuple(FoundKind)
    text: str = ""
    from_utc_ms: UtcMs | None = None
    to_utc_ms: UtcMs | None = None
    rooms: tuple[str, ...] | None = None
    sectors: tuple[str, ...] | None = None
    track: str | None = None
    rule: str | None = None
    severity: str | None = None
    handling: str | None = None
    disposition: str | None = None
    session_id: str | None = None
    shadow: bool | None = False

    @property
    def of_alerts(self) -> bool:
        """Whether something is asked for that alerts alone have."""
        return bool(self.rule or self.severity or self.handling or self.disposition)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a query; ``prefix``: each term that begins so."""

    text: str
    prefix: bool = False


def normal(text: str) -> str:
    """Full-width forms as plain ones, capitals as small letters."""
    return unicodedata.normalize("NFKC", text).casefold()


def terms_of(text: str) -> Iterator[str]:
    """The terms that a text is entered under."""
    for run, spaceless in _runs(normal(text)):
        if spaceless:
            yield from (run[place : place + 2] for place in range(len(run)))
        else:
            yield run[:WORD_MAX_CHARS]


def query_terms(text: str) -> tuple[Term, ...]:
    """The terms that a query asks for, all of them. At most ``TERMS_MAX`` count."""
    asked: dict[Term, None] = {}
    for run, spaceless in _runs(normal(text[:QUERY_MAX_CHARS])):
        if not spaceless:
            word = run[:WORD_MAX_CHARS]
            asked[Term(word, prefix=len(word) >= PREFIX_MIN_CHARS)] = None
        elif len(run) == 1:
            asked[Term(run, prefix=True)] = None
        else:
            asked |= {Term(run[place : place + 2]): None for place in range(len(run) - 1)}
    return tuple(asked)[:TERMS_MAX]


def filter_terms(asked: Filters) -> tuple[tuple[Term, ...], ...]:
    """Terms beside the text: one of each group must be there."""
    groups: list[tuple[str, ...]] = []
    kinds = [kind for kind in asked.kinds if kind is not FoundKind.SEGMENT]
    if asked.of_alerts:
        kinds = [kind for kind in kinds if kind is FoundKind.ALERT]
    if len(kinds) < len(FoundKind) - 1:
        groups.append(tuple(f"{KIND_MARK}{kind.value}" for kind in kinds))
    if asked.rooms is not None:
        groups.append(tuple(f"r:{room}" for room in asked.rooms))
    if asked.sectors is not None:
        groups.append(tuple(f"x:{sector}" for sector in asked.sectors))
    if asked.shadow is not None:
        groups.append((IN_SHADOW if asked.shadow else TOLD,))
    single = (
        ("t", asked.track),
        ("u", asked.rule),
        ("v", asked.severity),
        ("h", asked.handling),
        ("d", asked.disposition),
        ("s", asked.session_id),
    )
    groups += [(f"{mark}:{value}",) for mark, value in single if value]
    return tuple(tuple(Term(term) for term in group) for group in groups)


def exactly(query: str, found: Found, more: str = "") -> bool:
    """Whether longer Chinese words of a query stand in a row as they were typed.

    Pairs alone would let 评标室内 be found by 室评标: all its pairs may be in a text apart.
    """
    long = [run for run, spaceless in _runs(normal(query)) if spaceless and len(run) > 2]
    if not long:
        return True
    texts = [found.title.zh, found.by, more, *((found.text.zh,) if found.text else ())]
    whole = normal("\n".join(texts))
    return all(run in whole for run in long)


def item_of_alert(record: AlertRecord, sector: str | None) -> Item:
    """An alert as it is found."""
    alert = record.alert
    title = title_of(alert.rule)
    told = record.detail or (
        Sentence(zh=alert.saw.zh, en=alert.saw.en) if alert.saw is not None else None
    )
    found = Found(
        kind=FoundKind.ALERT,
        id=record.id,
        utc_ms=alert.raised_utc_ms,
        until_utc_ms=alert.cleared_utc_ms,
        room_id=alert.room_id,
        track_id=alert.camera_id or alert.pickup_id,
        session_id=alert.session_id,
        title=Sentence(zh=title.zh, en=title.en),
        text=_with_note(told, record.note),
        number=record.number,
        rule=alert.rule,
        severity=alert.severity,
        handling=record.handling,
        disposition=record.disposition,
        shadow=record.shadow,
        by=record.resolved_by or record.acknowledged_by or "",
    )
    both = alert.saw.zh + " " + alert.saw.en if alert.saw is not None else ""
    return Item(found, sector, f"{alert.rule} {alert.risk_code} {record.number} {both}")


def item_of_entry(entry: FileEntry, sector: str | None) -> Item:
    """A line of a manifest as it is found."""
    gap = entry.entry_kind == "gap"
    kind = FoundKind.GAP if gap else FoundKind.MANIFEST
    start = entry.start_utc_ms if entry.start_utc_ms is not None else entry.recorded_utc_ms
    name = ENTRY_NAMES.get(entry.entry_kind, Bilingual(entry.entry_kind, entry.entry_kind))
    reason = GAP_REASONS.get(entry.reason or "", Bilingual(entry.reason or "", entry.reason or ""))
    zh = " ".join(part for part in (reason.zh, entry.detail) if part)
    en = " ".join(part for part in (reason.en, entry.detail) if part)
    found = Found(
        kind=kind,
        id=entry_ref(entry.node_id, entry.track_id, entry.life, entry.sequence),
        utc_ms=UtcMs(max(start, 0)),
        until_utc_ms=None if entry.duration_ms is None else UtcMs(start + entry.duration_ms),
        room_id=entry.room_id,
        track_id=entry.track_id,
        session_id=entry.session_id,
        title=Sentence(zh=name.zh, en=name.en),
        text=Sentence(zh=zh, en=en) if zh else None,
        number=entry.sequence,
        reason=entry.reason,
    )
    return Item(found, sector, entry.entry_kind)


def item_of_line(line: RecordLine, sector: str | None) -> Item:
    """A line of a session's record as it is found."""
    name = RECORD_NAMES.get(line.kind, Bilingual(line.kind.value, line.kind.value))
    found = Found(
        kind=FoundKind.RECORD,
        id=str(line.number),
        utc_ms=line.utc_ms,
        room_id=line.room_id,
        session_id=line.session_id,
        title=Sentence(zh=name.zh, en=name.en),
        text=line.text,
        number=line.number,
        reason=line.kind.value,
        by=line.by,
    )
    return Item(found, sector, line.subject)


def item_of_session(session: Session) -> Item:
    """A session as it is found."""
    state = STATE_NAMES[session.state]
    found = Found(
        kind=FoundKind.SESSION,
        id=session.id,
        utc_ms=session.scheduled_utc_ms,
        until_utc_ms=session.released_utc_ms,
        room_id=session.room_id,
        session_id=session.id,
        title=Sentence(zh=session.title, en=session.title),
        text=Sentence(zh=state.zh, en=state.en),
        reason=session.state.value,
        by=session.scheduled_by,
    )
    return Item(found, session.sector.value, session.procurement.value)


def entry_ref(node_id: str, track_id: str, life: int, sequence: int) -> str:
    """How an entry of a manifest is named."""
    return f"{node_id}/{track_id}/{life}/{sequence}"


def _filters_of(found: Found, sector: str | None) -> Iterator[str]:
    yield f"{KIND_MARK}{found.kind.value}"
    yield f"r:{found.room_id}"
    yield IN_SHADOW if found.shadow else TOLD
    single = (
        ("t", found.track_id),
        ("s", found.session_id),
        ("x", sector),
        ("u", found.rule),
        ("v", found.severity.value if found.severity else None),
        ("h", found.handling.value if found.handling else None),
        ("d", found.disposition.value if found.disposition else None),
    )
    for mark, value in single:
        if value:
            yield f"{mark}:{value}"


def _with_note(told: Sentence | None, note: str) -> Sentence | None:
    zh = " ".join(part for part in (told.zh if told else "", note) if part)
    en = " ".join(part for part in (told.en if told else "", note) if part)
    return Sentence(zh=zh[:SENTENCE_MAX_CHARS], en=en[:SENTENCE_MAX_CHARS]) if zh else None


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Stretches of letters and digits; whether they are of a script without spaces."""
    run: list[str] = []
    spaceless = False
    for char in text:
        here = _is_spaceless(char)
        if not char.isalnum() or (run and here is not spaceless):
            if run:
                yield "".join(run), spaceless
            run = []
        if char.isalnum():
            run.append(char)
            spaceless = here
    if run:
        yield "".join(run), spaceless


def _is_spaceless(char: str) -> bool:
    code = ord(char)
    return code >= 0x3040 and any(low <= code <= high for low, high in _NO_SPACES)
