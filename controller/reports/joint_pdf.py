"""Decides what stands where in the PDF of a session over several sites, in either language."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.api.sites import JointPart, JointReport, SessionTold, SignedText
from contracts.devices import Named
from contracts.observations import Condition
from contracts.units import SiteId, UtcMs
from controller.core import sessions
from controller.core.site_words import JOINT_NAMES, PART_NAMES
from controller.reports import witness
from controller.reports.documents import (
    Block,
    Bold,
    Document,
    Facts,
    Figures,
    Heading,
    Mono,
    Para,
    Signatures,
    Sub,
    Table,
    render,
)
from controller.reports.report_words import KINDS, WORDS

Language = Literal["zh-CN", "en"]
LINES_MAX: Final = 2_000  # of the record; the API gives all of it
SAYS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("联合见证报告", "Joint witness report"),
    "merged": ("汇总件", "MERGED"),
    "number": ("联合场次编号", "Joint session"),
    "host": ("主场", "Host"),
    "state": ("状态", "State"),
    "made_by": ("发起人", "Made by"),
    "starts": ("计划开始", "Scheduled"),
    "seats": ("席位", "Seats"),
    "sites": ("中心", "Sites"),
    "signed": ("已签名的部分", "Parts signed"),
    "unsigned_parts": ("未签名的部分", "Parts not signed"),
    "alerts": ("副场预警", "Alerts at guests"),
    "lines": ("记录行", "Lines of the record"),
    "lead": (
        (
            "各中心由自己的控制器独立见证；本件汇总所收到的全部内容，不改变任何一方的签名。"
            "时间为出具本件的中心的时间，已按所测时钟偏差换算。"
        ),
        (
            "Each site is witnessed by its own controller. This document merges what has come, and "
            "changes nobody's signature. Times are those of the site that made it, by the measured "
            "offset of each clock."
        ),
    ),
    "s_parts": ("各中心的部分", "Parts of the sites"),
    "part": ("{0}（{1}）", "{0} ({1})"),
    "guest": ("副场", "guest"),
    "own": ("本中心", "this site"),
    "room": ("评标室", "Room"),
    "admitted": ("准入", "Admitted"),
    "sealed": ("封闭", "Sealed"),
    "released": ("解封", "Released"),
    "statement": ("本部分的签名清单，SHA-256", "Signed list of this part, SHA-256"),
    "receipt": ("主场回执，SHA-256", "Receipt of the host, SHA-256"),
    "key": ("签名密钥", "Signed by"),
    "none_yet": (
        "尚无签名清单；以下内容以该中心逐行签名的 {0} 行日志为据。",
        "No signed list has come yet; {0} signed lines of that site's log stand for what follows.",
    ),
    "offset": ("时钟偏差 {0} 毫秒", "clock offset {0} ms"),
    "no_sessions": ("该中心尚未指定场次。", "This site has named no session."),
    "s_alerts": ("副场预警（由副场处置）", "Alerts at guests (handled there)"),
    "no_alerts": ("没有预警。", "No alert."),
    "site": ("中心", "Site"),
    "s_record": ("各中心的合并记录", "Record of all sites, merged"),
    "left_out": (
        "另有 {0} 行未列入；完整记录见数据接口。",
        "{0} further lines are left out; the API gives the whole record.",
    ),
    "line": ("签名行", "Signed line"),
    "s_verify": ("如何验证", "How to verify"),
    "verify": (
        (
            "各部分的清单连同其签名由 GET /api/v1/sites/sessions/编号/report 给出；"
            "清单末尾的 signature 为该中心密钥对其余字节的 Ed25519 签名，"
            "公钥向该中心索取。清单内含各场次见证报告的全文与哈希值。"
        ),
        (
            "GET /api/v1/sites/sessions/ID/report gives each part's list with its signature: the "
            "last member of its text is the Ed25519 signature of that site's key over the bytes "
            "before it. Ask that site for its public key. A list holds the witness report of each "
            "session, whole and by its hash."
        ),
    ),
}


def joint_pdf(report: JointReport, language: Language, zone: str) -> bytes:
    """The merged report as PDF, marked on each page as no signature of its own. Blocks.

    Raises:
        DocumentError: it cannot be set.
    """
    return render(_Writer(report, language, zone).document(), report.made_utc_ms)


class _Writer:
    """One report in one language."""

    def __init__(self, report: JointReport, language: Language, zone: str) -> None:
        self._report = report
        self._language: Language = language
        self._column = 0 if language == "zh-CN" else 1
        self._zone = ZoneInfo(zone)
        self._zone_name = zone
        self._names: dict[SiteId, str] = {row.site: self._side(row.name) for row in report.parts}

    def document(self) -> Document:
        joint = self._report.joint
        blocks: list[Block] = [
            *self._front(),
            Heading(self._say("s_parts")),
            *(block for part in self._report.parts for block in self._part(part)),
            *self._alerts(),
            *self._record(),
            Heading(self._say("s_verify")),
            Para(self._say("verify")),
            Signatures(tuple(WORDS[f"sign_{one}"][self._column] for one in _SIGNED_BY)),
        ]
        return Document(
            language=self._language,
            title=self._say("title"),
            subtitle=joint.title,
            running=f"{joint.id} · {self._when(self._report.made_utc_ms)}",
            page_of=WORDS["page_of"][self._column],
            blocks=blocks,
            stamp=self._say("merged"),
        )

    # --- words ----------------------------------------------------------------------------------

    def _say(self, key: str) -> str:
        return SAYS[key][self._column]

    def _side(self, name: Named | object) -> str:
        return str(getattr(name, ("zh", "en")[self._column]))

    def _when(self, utc_ms: UtcMs | None) -> str:
        if utc_ms is None:
            return "—"
        moment = datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(self._zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}"

    # --- what stands where ----------------------------------------------------------------------

    def _front(self) -> list[Block]:
        report, joint = self._report, self._report.joint
        signed = sum(part.statement is not None for part in report.parts)
        open_ = len(report.parts) - signed
        alerts = sum(len(part.alerts) for part in report.parts)
        facts = Facts(
            (
                (self._say("number"), joint.id),
                (self._say("state"), Bold(self._side(JOINT_NAMES[joint.state]))),
                (self._say("host"), self._names.get(joint.host, joint.host)),
                (self._say("made_by"), joint.made_by),
                (self._say("starts"), self._when(joint.starts_utc_ms)),
                (self._say("seats"), str(joint.seats)),
                (WORDS["zone"][self._column], self._zone_name),
            )
        )
        figures = Figures(
            (
                (str(len(report.parts)), self._say("sites"), False),
                (str(signed), self._say("signed"), False),
                (str(open_), self._say("unsigned_parts"), open_ > 0),
                (str(alerts), self._say("alerts"), False),
                (str(len(report.record)), self._say("lines"), False),
            )
        )
        note = [Para(joint.note)] if joint.note else []
        return [facts, Para(self._say("lead"), quiet=True), figures, *note]

    def _part(self, part: JointPart) -> list[Block]:
        host = part.site == self._report.joint.host
        roles = [self._say("host" if host else "guest")]
        roles += [self._say("own")] if part.own else []
        state = self._side(PART_NAMES[part.state])
        title = self._say("part").format(self._side(part.name), " · ".join(roles))
        blocks: list[Block] = [Sub(f"{title} · {state}")]
        if part.sessions:
            head = tuple(self._say(key) for key in ("room", "state", "admitted"))
            times = tuple(self._say(key) for key in ("sealed", "released"))
            rows = tuple(self._session(row) for row in part.sessions)
            blocks.append(Table((*head, *times), rows, (2, 1, 0.7, 1.6, 1.6)))
        else:
            blocks.append(Para(self._say("no_sessions"), quiet=True))
        if part.clock_offset_ms is not None:
            blocks.append(Para(self._say("offset").format(part.clock_offset_ms), quiet=True))
        if part.statement is None:
            blocks.append(Para(self._say("none_yet").format(part.lines)))
        else:
            blocks += self._signed("statement", part.statement)
        if part.receipt is not None:
            blocks += self._signed("receipt", part.receipt)
        return blocks

    def _session(self, row: SessionTold) -> tuple[str, ...]:
        return (
            self._side(row.room),
            self._side(sessions.STATE_NAMES[row.state]),
            str(row.admitted),
            self._when(row.sealed_utc_ms),
            self._when(row.released_utc_ms),
        )

    def _signed(self, what: str, document: SignedText) -> list[Block]:
        rows = ((Mono(document.sha256), Mono(document.key)),)
        return [Table((self._say(what), self._say("key")), rows, (3, 1.2))]

    def _alerts(self) -> list[Block]:
        found = [row for part in self._report.parts for row in part.alerts]
        blocks: list[Block] = [Heading(self._say("s_alerts"))]
        if not found:
            return [*blocks, Para(self._say("no_alerts"))]
        names = (
            self._say("site"),
            WORDS["what"][self._column],
            *(witness.WORDS[key][self._column] for key in ("since", "cleared", "handling")),
        )
        rows = tuple(
            (
                self._names.get(row.site, row.site),
                self._side(row.alert.title),
                self._when(row.alert.raised_utc_ms),
                self._when(row.alert.cleared_utc_ms)
                if row.alert.condition is Condition.CLEARED
                else witness.WORDS["active"][self._column],
                witness.HANDLINGS[row.alert.handling][self._column],
            )
            for row in sorted(found, key=lambda row: row.alert.raised_utc_ms)
        )
        return [*blocks, Table(names, rows, (1.2, 2, 1.6, 1.6, 1))]

    def _record(self) -> list[Block]:
        record = self._report.record
        keys = ("time", "kind", "who", "what")
        head = tuple(WORDS[key][self._column] for key in keys)
        rows = tuple(
            (
                self._when(row.here_utc_ms),
                self._names.get(row.site, row.site),
                KINDS[row.line.kind][self._column] if row.line.kind in KINDS else row.line.kind,
                row.line.by,
                self._side(row.line.text),
                "—" if row.seq is None else str(row.seq),
            )
            for row in record[:LINES_MAX]
        )
        blocks: list[Block] = [Heading(self._say("s_record"))]
        names = (head[0], self._say("site"), *head[1:], self._say("line"))
        blocks.append(Table(names, rows, (1.5, 1, 0.9, 1, 3, 0.7)))
        if len(record) > LINES_MAX:
            text = self._say("left_out").format(len(record) - LINES_MAX)
            blocks.append(Para(text, quiet=True))
        return blocks


_SIGNED_BY: Final = ("supervisor", "reader", "date")
