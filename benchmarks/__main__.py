"""Runs every benchmark in its quick form and writes docs/reference/benchmarks.md."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.form import shown

NAMES: Final = (
    "alerts",
    "evidence",
    "recorder",
    "crash",
    "detection",
    "tracking",
    "camera",
    "console",
    "search",
    "bridge",
    "dispatch",
    "interlock",
)
TIMEOUT_S: Final = 6_000  # a full run takes most of an hour; a quick one 45 s on two cores
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks.md"
FULL_MARK: Final = "full"

HEAD: Final = """\
# Benchmarks

Each is `python -m benchmarks.NAME` and prints what it measures against what. `make bench` runs the
quick form of all and writes this page; those marked *full* were taken with the full size of the
method. Latencies count from the simulated camera's own log of what it showed, never from the
system under test. Nothing below was typed by hand.

"""


def run(name: str, *, quick: bool) -> dict[str, object]:
    """Run one benchmark in a process of its own; its last line.

    Raises:
        RuntimeError: it failed or printed no JSON; carries the end of its output.
    """
    command = [
        sys.executable,
        "-m",
        f"benchmarks.{name}",
        "--json",
        *(["--quick"] if quick else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    lines = done.stdout.strip().splitlines()
    sys.stdout.write(done.stdout)
    if not lines or not lines[-1].startswith("{"):
        raise RuntimeError(
            f"benchmarks.{name} printed no result:\n{done.stdout[-500:]}{done.stderr[-500:]}"
        )
    found: dict[str, object] = json.loads(lines[-1])
    return {"name": name, "date": datetime.now(UTC).strftime("%Y-%m-%d"), **found}


def page(results: list[dict[str, object]]) -> str:
    """The page: one table a result, and the results as JSON in a comment for the next run."""
    parts = [HEAD]
    for result in results:
        size = "quick" if result.get("quick") else FULL_MARK
        parts.append(
            f"## {result['name']} ({size}, {result['date']})\n\n| figure | value |\n|---|---|\n"
        )
        parts += [
            f"| {key} | {shown(value)} |\n"
            for key, value in result.items()
            # A table of its own goes onto a page of its own (docs/reference/detection.md).
            if key not in ("name", "date", "quick") and not isinstance(value, dict | list)
        ]
        parts.append("\n")
    parts.append("<!-- results\n" + json.dumps(results, indent=1) + "\n-->\n")
    return "".join(parts)


def written() -> list[dict[str, object]]:
    """The results that the page holds now."""
    if not PAGE.exists():
        return []
    _, _, rest = PAGE.read_text("utf-8").partition("<!-- results\n")
    rows: list[dict[str, object]] = json.loads(rest.partition("\n-->")[0] or "[]")
    return rows


def main(arguments: list[str]) -> int:
    """``--full NAME`` or ``--quick NAME`` takes one result anew; without either all quick ones."""
    quick = [row for row in written() if row.get("quick")]
    full = [row for row in written() if not row.get("quick")]
    match arguments:
        case ["--full", name] if name in NAMES:
            full = [row for row in full if row["name"] != name] + [run(name, quick=False)]
        case ["--quick", name] if name in NAMES:
            quick = [row for row in quick if row["name"] != name] + [run(name, quick=True)]
        case []:
            quick = [run(name, quick=True) for name in NAMES]
        case _:
            sys.stderr.write(f"usage: python -m benchmarks [--full|--quick {'|'.join(NAMES)}]\n")
            return 2
    PAGE.write_text(page([*quick, *full]), "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
