"""Decides how a verification is shown: a table, the gaps, the findings, one last sentence; JSON."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zeroentry.evidence.findings import Exit, Finding, Weight
from zeroentry.evidence.texts import GAP_REASONS, Language, say
from zeroentry.evidence.verify import Report, TrackReport

PIPE_WIDTH: Final = 160
SHOWN_MAX: Final = 20  # findings of one weight on the terminal; JSON has all
STYLES: Final = {Weight.FAULT: "bold red", Weight.DOUBT: "yellow", Weight.REMARK: "dim"}
VERDICTS: Final = {Exit.WHOLE: "whole", Exit.FAULTY: "faulty", Exit.CANNOT_TELL: "cannot_tell"}


def for_people() -> Console:
    """Standard output; as wide as a table needs where it is no terminal that would wrap it."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def utc(utc_ms: int) -> str:
    """A time as people and programs read it; empty for none."""
    if not utc_ms:
        return ""
    try:
        return f"{datetime.fromtimestamp(utc_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{utc_ms} ms"


def hours(duration_ms: int) -> str:
    """A duration as ``H:MM:SS``."""
    total_s = duration_ms // 1_000
    return f"{total_s // 3_600}:{total_s // 60 % 60:02d}:{total_s % 60:02d}"


def show(report: Report, console: Console, language: Language) -> None:
    """Print a report for people."""
    if report.tracks:
        console.print(_table(report, language))
    for track in report.tracks:
        for gap in track.chain.gaps:
            reason = GAP_REASONS[gap.reason].pick(language)
            parts = [
                say("gap", language), track.chain.track, utc(gap.start_utc_ms),
                hours(gap.duration_ms), reason + ("" if gap.ended else say("gap_open", language)),
                gap.detail,
            ]  # fmt: skip
            console.print("  ".join(map(escape, filter(None, parts))), soft_wrap=True)
    for weight in sorted(Weight, reverse=True):
        _findings(report.all_findings, weight, console, language)
    _last_sentence(report, console, language)


def _table(report: Report, language: Language) -> Table:
    table = Table(title=escape(str(report.path)), title_justify="left")
    table.add_column(say("track", language), no_wrap=True)
    names = ("entries", "segments", "deleted", "recorded", "gaps", "signatures", "countersigned")
    for name in names:
        table.add_column(say(name, language), justify="right")
    table.add_column(say("verdict", language))
    for track in report.tracks:
        chain = track.chain
        verdict = say(VERDICTS[track.exit], language)
        style = {Exit.WHOLE: "green", Exit.FAULTY: "red"}.get(track.exit, "yellow")
        table.add_row(
            escape(chain.track or chain.path),
            f"{chain.first}-{chain.last}",
            str(track.present),
            str(track.deleted),
            hours(chain.recorded_ms),
            str(len(chain.gaps)),
            str(chain.signatures),
            str(chain.witnessed_to or "-"),
            f"[{style}]{verdict}[/]",
        )
    return table


def _findings(
    findings: Iterable[Finding], weight: Weight, console: Console, language: Language
) -> None:
    rows = [finding for finding in findings if finding.weight is weight]
    name = say(weight.name.lower(), language)
    colon = "：" if language is Language.ZH else ":"
    for finding in rows[:SHOWN_MAX]:
        line = f"{finding.place(language)}{colon} {finding.text(language)}"
        console.print(f"[{STYLES[weight]}]{name}[/] {escape(line)}", soft_wrap=True)
    if len(rows) > SHOWN_MAX:
        console.print(say("more", language, len(rows) - SHOWN_MAX), soft_wrap=True)


def _last_sentence(report: Report, console: Console, language: Language) -> None:
    findings = report.all_findings
    files = sum(track.present for track in report.tracks)
    match report.exit:
        case Exit.WHOLE:
            last_utc_ms = max((t.chain.witnessed_utc_ms for t in report.tracks), default=0)
            text = say("end_whole", language, len(report.tracks), files, utc(last_utc_ms))
            console.print(f"[bold green]{escape(text)}[/]", soft_wrap=True)
            if not report.from_heads:
                console.print(f"[dim]{escape(say('no_heads', language))}[/]", soft_wrap=True)
        case Exit.FAULTY:
            count = sum(finding.weight is Weight.FAULT for finding in findings)
            place, what = findings[0].place(language), findings[0].text(language)
            text = say("end_faulty", language, count, place, what)
            console.print(f"[bold red]{escape(text)}[/]", soft_wrap=True)
        case Exit.CANNOT_TELL:
            place, what = findings[0].place(language), findings[0].text(language)
            text = say("end_cannot_tell", language, files, place, what)
            console.print(f"[bold yellow]{escape(text)}[/]", soft_wrap=True)


def as_json(report: Report, language: Language) -> dict[str, object]:
    """The whole report for programs; keys stay English, texts are in ``language``."""
    return {
        "exit": int(report.exit),
        "verdict": VERDICTS[report.exit],
        "path": str(report.path),
        "extent": report.extent,
        "witness_signatures": report.witness_signatures,
        "roots": report.roots,
        "tracks": [_track_json(track, language) for track in report.tracks],
        "findings": [_finding_json(finding, language) for finding in report.findings],
    }


def _track_json(track: TrackReport, language: Language) -> dict[str, object]:
    chain = track.chain
    return {
        "track": chain.track,
        "site": chain.site,
        "node": chain.node,
        "verdict": VERDICTS[track.exit],
        "first_entry": chain.first,
        "last_entry": chain.last,
        "first_utc_ms": chain.first_utc_ms,
        "last_utc_ms": chain.last_utc_ms,
        "segments": track.present,
        "bytes": track.present_bytes,
        "deleted": track.deleted,
        "seconds": chain.recorded_ms / 1_000,
        "signatures": chain.signatures,
        "countersigned_to": chain.witnessed_to,
        "countersigned_utc_ms": chain.witnessed_utc_ms,
        "gaps": [asdict(gap) for gap in chain.gaps],
        "findings": [_finding_json(finding, language) for finding in track.findings],
    }


def _finding_json(finding: Finding, language: Language) -> dict[str, object]:
    return {
        "weight": finding.weight.name.lower(),
        "kind": finding.kind,
        "file": finding.path,
        "line": finding.line,
        "entry": finding.sequence,
        "text": finding.text(language),
    }
