"""Holds the form that every benchmark shares: its options, its table, its one line of JSON."""

import argparse
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

Figure = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Options:
    """``quick`` keeps the keys and the method and ends within 45 s on two cores."""

    quick: bool
    json: bool


def options(description: str, argv: Sequence[str] | None = None) -> Options:
    """Read ``--quick`` and ``--json``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a small run of the same method (45 s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args(argv)
    return Options(quick=given.quick, json=given.json)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile, share 0..1; ValueError of an empty sequence."""
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    rank = max(1, -int(-len(ordered) * share // 1))
    return ordered[rank - 1]


def shown(value: object) -> str:
    """A figure as people read it: what is below ten keeps two digits more than one."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def machine() -> dict[str, Figure]:
    """Where a figure was taken."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        rows = [row for row in cpuinfo.read_text().splitlines() if row.startswith("model name")]
        model = rows[0].split(":", 1)[1].strip() if rows else ""
    return {
        "cpu": model or platform.processor(),
        "cores": len(rows) if cpuinfo.exists() else None,
        "python": platform.python_version(),
        "commit": commit.stdout.strip() or "unknown",
    }


def show(title: str, against: str, figures: Mapping[str, Figure], given: Options) -> None:
    """Print what was measured against what, the table, and with ``--json`` the last line."""
    console = Console(highlight=False)
    table = Table(title=title, title_justify="left", caption=against, caption_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, shown(value))
    console.print(table)
    if given.json:
        print(json.dumps({**figures, "quick": given.quick, **machine()}, ensure_ascii=False))
