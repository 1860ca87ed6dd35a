"""Runs all rules against one vehicle, one after another, and makes the table."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from robot_bridge.conformance import actions, messages, orders
from robot_bridge.conformance.probe import ANSWER_MS, Probe
from robot_bridge.conformance.rules import RULES, Finding, Rule
from robot_bridge.conformance.words import Group, NotApplicable, Unmet, Verdict

MODULES: Final = (messages, orders, actions)
"""Importing them fills ``RULES``."""

ORDER: Final = {group: index for index, group in enumerate(Group)}

_STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.NOT_APPLICABLE: "dim",
}


def rules(only: str = "", *, drive: bool = True) -> list[Rule]:
    """The rules to check, in order. ``only``: part of the name or the group."""
    wanted = [
        row
        for row in RULES
        if (only.lower() in row.name.lower() or only.lower() == row.group)
        and (drive or not row.drives)
    ]
    return sorted(wanted, key=lambda row: ORDER[row.group])


async def check_all(
    probe: Probe, wanted: Sequence[Rule], told: Callable[[Finding], None] = lambda _: None
) -> list[Finding]:
    """Check the rules in turn; ``told`` hears each finding as it is made."""
    found: list[Finding] = []
    listener = asyncio.create_task(probe.listen())
    try:
        try:
            await probe.until(lambda: probe.states() or None, "any state", ANSWER_MS)
        except Unmet:
            await probe.act("stateRequest")
        await probe.act("factsheetRequest")
        for row in wanted:
            finding = await _checked(row, probe)
            found.append(finding)
            told(finding)
        await _left_alone(probe)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    return found


async def _checked(row: Rule, probe: Probe) -> Finding:
    try:
        await row.check(probe)
    except Unmet as unmet:
        return Finding(row, Verdict.FAIL, unmet.expected, unmet.seen)
    except NotApplicable as why:
        return Finding(row, Verdict.NOT_APPLICABLE, seen=str(why))
    return Finding(row, Verdict.PASS)


async def _left_alone(probe: Probe) -> None:
    """Whatever came of it, the vehicle is left without an order."""
    if probe.gone:
        return
    try:
        await probe.idle()
    except Unmet:
        await probe.act("cancelOrder")


def failed(found: Sequence[Finding]) -> list[Finding]:
    """The rules that are not met."""
    return [row for row in found if row.verdict is Verdict.FAIL]


def table(found: Sequence[Finding], title: str) -> Table:
    """One line a rule."""
    made = Table(title=title, title_justify="left")
    for heading in ("clause", "rule", "result", "expected", "seen"):
        made.add_column(heading, overflow="fold")
    for row in found:
        made.add_row(
            row.rule.clause,
            escape(row.rule.text),
            f"[{_STYLES[row.verdict]}]{row.verdict}[/]",
            escape(row.expected),
            escape(row.seen),
        )
    return made


def summary(found: Sequence[Finding]) -> str:
    """The counts in one line."""
    counts = Counter(row.verdict for row in found)
    return ", ".join(f"{counts[row]} {row}" for row in Verdict)


def as_json(found: Sequence[Finding], vehicle: str) -> str:
    """The findings for a machine."""
    rows = [
        {
            "clause": row.rule.clause,
            "rule": row.rule.text,
            "group": row.rule.group,
            "result": row.verdict,
            "expected": row.expected,
            "seen": row.seen,
        }
        for row in found
    ]
    return json.dumps({"vehicle": vehicle, "rules": rows}, ensure_ascii=False, indent=1)
