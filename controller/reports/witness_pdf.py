"""Decides what stands where in a witness report's PDF, in either language."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import segno

from contracts.api import DeliveryView, WitnessReport, ZonePassage, ZoneVerdict
from contracts.api.record import RecordKind, RecordLine
from contracts.api.report import HeadSeen, ReportAlert, ReportTrack
from contracts.units import UtcMs
from controller.core import deliveries, sessions
from controller.reports import witness
from controller.reports.curve import curve_svg, unknown_ms
from controller.reports.delivery_lines import lines_of
from controller.reports.documents import (
    Block,
    Bold,
    Document,
    Facts,
    Figures,
    Heading,
    Mono,
    Para,
    Picture,
    Pictures,
    Proof,
    Signatures,
    Sub,
    Table,
    render,
)
from controller.reports.report_words import (
    KINDS,
    PROCUREMENTS,
    ROLES,
    SECTORS,
    STANDINGS,
    WORDS,
)

Language = Literal["zh-CN", "en"]
JSON_NAME: Final = "report.json"
MINUTE_MS: Final = 60_000
STILLS_MAX: Final = 60  # pictures of a report: 30 pages of them; the rest is named by its hash

APPROVED: Final = (
    RecordKind.OVERRIDE,
    RecordKind.AMENDMENT,
    RecordKind.BREAK_GLASS,
    RecordKind.RETRIEVAL,
    RecordKind.REPORT,
    RecordKind.DELIVERY,
    RecordKind.SITE,
)
OUTSIDE: Final = (
    RecordKind.CALL,
    RecordKind.TEXT,
    RecordKind.TALK,
    RecordKind.LISTENING,
    RecordKind.ENTRY,
)
SEALING: Final = (RecordKind.STATE, RecordKind.SEAL_CHECK, RecordKind.OVERRIDE, RecordKind.SWEEP)


@dataclass(frozen=True, slots=True)
class Signing:
    """What signs a version: the hash of its JSON, and the name of the key."""

    json: bytes
    json_sha256: str
    key: str


def witness_pdf(
    report: WitnessReport,
    language: Language,
    stills: Mapping[str, bytes],
    signing: Signing | None,
) -> bytes:
    """The report as PDF; ``stills``: SHA-256 -> JPEG. ``signing`` None: a draft. Blocks.

    Raises:
        DocumentError: it cannot be set.
    """
    writer = _Writer(report, language, stills)
    return render(writer.document(signing), report.made_utc_ms)


class _Writer:
    """One report in one language."""

    def __init__(
        self, report: WitnessReport, language: Language, stills: Mapping[str, bytes]
    ) -> None:
        self._report = report
        self._column = 0 if language == "zh-CN" else 1
        self._language: Language = language
        self._zone = ZoneInfo(report.time_zone)
        self._stills = dict(list(stills.items())[:STILLS_MAX])
        self._files: dict[str, bytes] = {}

    def document(self, signing: Signing | None) -> Document:
        report = self._report
        blocks = [
            *self._front(signing),
            *self._roster(),
            *self._seal(),
            *self._curve(),
            *self._alerts(),
            *self._deliveries(),
            *self._tracks(),
            *self._gaps(),
            *self._lines("s_changes", APPROVED),
            *self._lines("s_outside", OUTSIDE),
            *self._lines("s_record", tuple(RecordKind)),
            Heading(self._say("s_verify")),
            Para(self._say("verify_text")),
            Signatures(tuple(self._say(f"sign_{one}") for one in ("supervisor", "reader", "date"))),
        ]
        draft = signing is None
        named = self._say("draft") if draft else f"{self._say('version')} {report.version}"
        return Document(
            language=self._language,
            title=self._say("title"),
            subtitle=f"{self._side(report.room)} · {report.session.title}",
            running=f"{self._side(report.site)} · {report.session.id} · {named}",
            page_of=self._say("page_of"),
            blocks=blocks,
            stamp=self._say("stamp") if draft else "",
            files=self._files,
            attached={} if signing is None else {JSON_NAME: signing.json},
        )

    # --- words ----------------------------------------------------------------------------------

    def _say(self, key: str) -> str:
        return WORDS[key][self._column]

    def _old(self, key: str) -> str:
        return witness.WORDS[key][self._column]

    def _pick(self, table: Mapping[str, tuple[str, str]], key: str) -> str:
        return table[key][self._column] if key in table else key

    def _side(self, name: object) -> str:
        return str(getattr(name, ("zh", "en")[self._column]))

    def _when(self, utc_ms: UtcMs | None, *, day: bool = True) -> str:
        if utc_ms is None:
            return "—"
        moment = datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(self._zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if day else f"{moment:%H:%M:%S}"

    # --- the first page -------------------------------------------------------------------------

    def _front(self, signing: Signing | None) -> list[Block]:
        report = self._report
        blocks: list[Block] = [self._facts()]
        if signing is not None:
            blocks.append(self._proof(signing))
        blocks.append(Heading(self._say("s_summary")))
        blocks.append(Para(self._side(report.statement)))
        if report.reason and report.version > 1:
            blocks.append(Para(self._say("why_version").format(report.reason)))
        if signing is None:
            blocks.append(Para(self._say("draft_note"), quiet=True))
        unproven = sum(
            row.verdict is not ZoneVerdict.NO_UNADMITTED_PERSON
            for delivery in report.deliveries
            for row in delivery.zones
        )
        overrides = sum(row.kind is RecordKind.OVERRIDE for row in report.record)
        incidents = sum(row.incident for row in report.alerts)
        blocks.append(
            Figures(
                (
                    (str(len(report.alerts)), self._say("alerts"), False),
                    (str(incidents), self._say("incidents"), incidents > 0),
                    (str(len(report.deliveries)), self._say("deliveries"), False),
                    (str(unproven), self._say("unproven"), unproven > 0),
                    (str(len(report.gaps)), self._say("gaps"), bool(report.gaps)),
                    (str(overrides), self._say("overrides"), overrides > 0),
                )
            )
        )
        blocks += [Para(f"{self._say('left_out')}: {self._side(row)}") for row in report.left_out]
        return blocks

    def _facts(self) -> Facts:
        report, session = self._report, self._report.session
        offset = datetime.fromtimestamp(report.made_utc_ms / 1_000, UTC).astimezone(self._zone)
        draft = self._say("draft")
        return Facts(
            (
                (self._old("session"), Bold(session.title)),
                (self._say("session_id"), session.id),
                (self._old("site"), self._side(report.site)),
                (self._old("room"), self._side(report.room)),
                (self._say("procurement"), self._pick(PROCUREMENTS, session.procurement.value)),
                (self._say("sector"), self._pick(SECTORS, session.sector.value)),
                (self._old("state"), self._side(sessions.STATE_NAMES[session.state])),
                (self._old("admitted"), str(session.admitted)),
                (self._old("sealed"), self._moment(session.sealed_utc_ms, session.sealed_by)),
                (self._old("released"), self._moment(session.released_utc_ms, session.released_by)),
                (self._old("sealed_for"), witness.lasted(report.sealed_for_ms)),
                (self._say("keep"), self._say("days").format(session.keep_days or "—")),
                (self._say("version"), str(report.version or draft)),
                (self._old("made"), self._moment(report.made_utc_ms, report.made_by or None)),
                (self._say("zone"), f"{report.time_zone} (UTC{offset:%z})"),
                (self._say("scheduled"), self._when(session.scheduled_utc_ms)),
            )
        )

    def _moment(self, utc_ms: UtcMs | None, by: str | None) -> str:
        when = self._when(utc_ms)
        return self._say("by").format(when, by) if by and utc_ms is not None else when

    def _proof(self, signing: Signing) -> Proof:
        report = self._report
        lines = [
            (self._say("json_hash"), Mono(signing.json_sha256)),
            (self._say("key"), Mono(signing.key)),
        ]
        if report.previous_sha256 is not None:
            lines.append((self._say("previous"), Mono(report.previous_sha256)))
        said = (
            f"ZE-REPORT {report.site_id} {report.session.id} v{report.version} "
            f"sha256:{signing.json_sha256} {signing.key}"
        )
        code = io.BytesIO()
        segno.make(said, error="m").save(code, kind="svg", border=0, dark="#1c2430")
        self._files["code.svg"] = code.getvalue()
        return Proof(tuple(lines), self._say("proof_note"), "code.svg")

    # --- people, seal, curve --------------------------------------------------------------------

    def _roster(self) -> list[Block]:
        rows = self._report.roster
        blocks: list[Block] = [Heading(self._say("s_roster"))]
        if not rows:
            return [*blocks, Para(self._say("no_roster"))]
        head = ("seat", "role", "code", "organisation", "arrival", "standing")
        table = []
        for row in rows:
            standing = self._pick(STANDINGS, row.state)
            if row.late_ms:
                late = self._say("minutes_late").format(-(-row.late_ms // MINUTE_MS))
                standing = Bold(f"{standing} · {late}" if standing else late)
            elif row.state in ("absent", "overdue"):
                standing = Bold(standing)
            table.append(
                (
                    row.seat,
                    self._pick(ROLES, row.role),
                    row.code or "—",
                    row.organisation or "—",
                    self._when(row.checked_in_utc_ms),
                    standing,
                )
            )
        blocks.append(
            Table(
                tuple(self._say(key) for key in head),
                tuple(table),
                (0.7, 1, 1.3, 1.3, 1.7, 1.7),
            )
        )
        return [*blocks, Para(self._say("no_names"), quiet=True)]

    def _seal(self) -> list[Block]:
        rows = [row for row in self._report.record if row.kind in SEALING]
        blocks: list[Block] = [Heading(self._say("s_seal"))]
        if not any(row.kind is RecordKind.SEAL_CHECK for row in rows):
            blocks.append(Para(self._say("seal_check_none"), quiet=True))
        return [*blocks, *self._table_of(rows)]

    def _curve(self) -> list[Block]:
        report, session = self._report, self._report.session
        blocks: list[Block] = [Heading(self._say("s_curve"))]
        points = report.head_counts
        if not points:
            return [*blocks, Para(self._say("no_curve"))]
        since = min(points[0].utc_ms, session.sealed_utc_ms or points[0].utc_ms)
        until = session.released_utc_ms or report.made_utc_ms
        svg = curve_svg(points, since, until, session.admitted, self._zone)
        self._files["curve.svg"] = svg
        most = max((row.people or 0 for row in points), default=0)
        blocks.append(Picture("curve.svg", self._say("curve_note")))
        blocks.append(Para(self._say("over_count").format(most, session.admitted)))
        unknown = unknown_ms(points, until)
        if unknown:
            text = self._say("unknown_for").format(witness.lasted(unknown))
            blocks.append(Para(text))
        if report.counts_left_out:
            left = self._say("curve_thin").format(report.counts_left_out)
            blocks.append(Para(left, quiet=True))
        return blocks

    # --- alerts ---------------------------------------------------------------------------------

    def _alerts(self) -> list[Block]:
        rows = self._report.alerts
        blocks: list[Block] = [Heading(self._say("s_alerts"))]
        if not rows:
            return [*blocks, Para(self._old("no_alerts"))]
        names = (
            self._old("number"),
            self._say("what"),
            *(self._old(key) for key in ("since", "cleared", "handling")),
            self._say("who"),
        )
        table = tuple(
            (
                str(row.number),
                Bold(self._side(row.title)) if row.incident else self._side(row.title),
                self._when(row.since_utc_ms),
                self._when(row.cleared_utc_ms, day=False)
                if row.cleared_utc_ms is not None
                else self._old("active"),
                self._handled(row),
                row.resolved_by or row.acknowledged_by or "—",
            )
            for row in rows
        )
        blocks.append(Table(names, table, (0.5, 2.1, 1.7, 1.0, 1.5, 1.0)))
        for row in rows:
            blocks += self._said(row)
        blocks += self._pictures(rows)
        return blocks

    def _handled(self, row: ReportAlert) -> str:
        state = witness.HANDLINGS[row.handling][self._column]
        if row.disposition is None:
            return state
        found = witness.DISPOSITIONS[row.disposition][self._column]
        return Bold(f"{state} · {found}") if row.incident else f"{state} · {found}"

    def _said(self, row: ReportAlert) -> list[Block]:
        told = []
        if row.note:
            told.append((self._say("note"), row.note))
        if row.statement:
            seat = f" · {row.seat}" if row.seat else ""
            told.append((self._say("statement") + seat, row.statement))
        return [Para(f"{row.number} · {name}: {text}") for name, text in told]

    def _pictures(self, rows: Sequence[ReportAlert]) -> list[Block]:
        items: list[Picture] = []
        missing: list[str] = []
        for row in rows:
            sha256 = row.picture_sha256
            if sha256 is None:
                continue
            if sha256 not in self._stills:
                missing.append(f"{row.number}: {self._say('no_still')} {sha256}")
                continue
            name = f"{sha256}.jpg"
            self._files[name] = self._stills[sha256]
            when = self._when(row.since_utc_ms)
            caption = f"{row.number} · {self._side(row.title)} · {when}"
            items.append(Picture(name, caption, f"{self._say('still')} {sha256}"))
        blocks: list[Block] = [Sub(self._old("stills")), Pictures(tuple(items))] if items else []
        return [*blocks, *(Para(text, quiet=True) for text in missing)]

    # --- deliveries -----------------------------------------------------------------------------

    def _deliveries(self) -> list[Block]:
        blocks: list[Block] = [Heading(self._say("s_delivery"))]
        if not self._report.deliveries:
            return [*blocks, Para(self._old("no_deliveries"))]
        for row in self._report.deliveries:
            blocks += self._delivery(row)
        return blocks

    def _delivery(self, row: DeliveryView) -> list[Block]:
        state = self._side(deliveries.STATE_NAMES[row.state])
        box = self._say("compartment").format(row.compartment or "—")
        title = f"{self._old('delivery')} {row.id} · {row.robot_id or '—'} · {box} · {state}"
        blocks: list[Block] = [Sub(title)]
        blocks += [Para(note) for note in lines_of(row, self._column, self._when)]
        blocks.append(
            Table(
                (
                    self._old("zone"),
                    self._say("coverage"),
                    self._old("entered"),
                    self._old("left"),
                    self._old("verdict"),
                    self._say("why"),
                ),
                tuple(self._passage(one) for one in row.zones),
                (1.4, 1.1, 1.6, 0.9, 1.5, 1.8),
            )
            if row.zones
            else Para(self._say("nothing"), quiet=True)
        )
        events = tuple(
            (
                self._when(one.utc_ms),
                self._pick(witness.EVENTS, one.what),
                one.by,
                one.node_id or "—",
                self._pick(witness.EVENTS, one.lid or "—"),
                self._pick(witness.EVENTS, one.lock or "—"),
            )
            for one in row.custody
        )
        if events:
            head = ("time", "what", "by", "place", "lid", "lock")
            names = tuple(self._old(key) for key in head)
            blocks.append(Table(names, events, (1.6, 1.7, 1.2, 1.2, 0.7, 0.7)))
        return blocks

    def _passage(self, row: ZonePassage) -> tuple[str, ...]:
        verdict = witness.VERDICTS[row.verdict][self._column]
        clear = row.verdict is ZoneVerdict.NO_UNADMITTED_PERSON
        why = {
            ZoneVerdict.NO_UNADMITTED_PERSON: "why_clear",
            ZoneVerdict.PERSON_SEEN: "why_person",
            ZoneVerdict.UNPROVEN: "why_unseen" if row.seen_by else "why_no_camera",
        }[row.verdict]
        return (
            self._side(row.name),
            row.seen_by or self._say("no_camera"),
            self._when(row.entered_utc_ms),
            self._when(row.left_utc_ms, day=False),
            verdict if clear else Bold(verdict),
            row.detail or self._say(why),
        )

    # --- recordings -----------------------------------------------------------------------------

    def _tracks(self) -> list[Block]:
        rows = self._report.recordings
        blocks: list[Block] = [Heading(self._say("s_tracks"))]
        if not rows:
            return [*blocks, Para(self._old("no_recordings"))]
        table = tuple(
            (f"{self._side(row.name)} ({row.track_id})", self._covered(row), self._heads(row))
            for row in rows
        )
        head = (self._old("track"), self._old("covered"), self._old("entry"))
        return [*blocks, Table(head, table, (1.2, 1.3, 2.9))]

    def _covered(self, row: ReportTrack) -> str:
        if row.key is None:
            return Bold(self._old("never_recorded"))
        told = [f"{witness.lasted(row.recorded_ms)} · {row.segments} {self._old('segments')}"]
        if row.refused_lines:
            told.append(f"{row.refused_lines} {self._old('refused_lines')}")
        name = "confirmed_key" if row.key_confirmed else "unconfirmed_key"
        told.append(f"{row.key} ({self._old(name)})")
        return "\n".join(told)

    def _heads(self, row: ReportTrack) -> str:
        told = [
            self._head(self._old("head_at_seal"), row.head_at_seal),
            self._head(self._old("head_at_release"), row.head_at_release),
        ]
        for key, number in (("seal_entry", row.seal_entry), ("release_entry", row.release_entry)):
            if number is not None:
                told.append(f"{self._old(key)} {number}")
        return Mono("\n".join(one for one in told if one))

    def _head(self, name: str, head: HeadSeen | None) -> str:
        return "" if head is None else f"{name} #{head.sequence}\n{head.sha256}"

    def _gaps(self) -> list[Block]:
        rows = self._report.gaps
        blocks: list[Block] = [Heading(self._say("s_gaps"))]
        if not rows:
            known = any(row.key is not None for row in self._report.recordings)
            return [*blocks, Para(self._old("no_gaps" if known else "gaps_unknown"))]
        table = tuple(
            (
                f"{self._side(row.name)} ({row.track_id})",
                self._when(row.started_utc_ms),
                witness.seconds(row.duration_ms),
                witness.REASONS[row.reason][self._column]
                if row.reason is not None
                else Bold(self._old("unexplained")),
                row.detail + ("" if row.ended else f" {self._old('still_on')}"),
            )
            for row in rows
        )
        head = tuple(self._old(key) for key in ("track", "since", "lasted", "reason"))
        return [*blocks, Table((*head, self._say("what")), table, (1.4, 1.6, 0.8, 1.6, 1.6))]

    # --- the record -----------------------------------------------------------------------------

    def _lines(self, heading: str, kinds: tuple[RecordKind, ...]) -> list[Block]:
        rows = [row for row in self._report.record if row.kind in kinds]
        return [Heading(self._say(heading)), *self._table_of(rows)]

    def _table_of(self, rows: Sequence[RecordLine]) -> list[Block]:
        if not rows:
            return [Para(self._say("nothing"), quiet=True)]
        loud = (RecordKind.OVERRIDE, RecordKind.ENTRY, RecordKind.BREAK_GLASS)
        table = tuple(
            (
                self._when(row.utc_ms),
                Bold(KINDS[row.kind][self._column])
                if row.kind in loud
                else KINDS[row.kind][self._column],
                row.by,
                self._side(row.text),
            )
            for row in rows
        )
        head = tuple(self._say(key) for key in ("time", "kind", "who", "what"))
        return [Table(head, table, (1.5, 0.9, 1.1, 4.2))]
