"""Holds the options that evidence's commands share, and how they say what is wrong with one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from contracts.units import UtcMs
from zeroentry.evidence.texts import Language, say

EXIT_CANNOT: Final = 2

Spoken = Annotated[
    Language | None,
    typer.Option(
        "--language", help="en or zh-CN; left out: what LANG asks for.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, no table.")]
Recordings = Annotated[
    Path,
    typer.Argument(help="A recordings folder, one track's, one day's, or an export (folder, ZIP)."),
]
DataFolder = Annotated[
    Path, typer.Argument(help="The node's data folder, where its recorder.sock is.")
]
By = Annotated[
    str | None,
    typer.Option("--by", help="Who asks; left out: your login name.", show_default=False),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the chain for ever.")]


def time_of(text: str, language: Language) -> UtcMs:
    """A time of the command line; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(say("bad_time", language, text))
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return UtcMs(round(aware.timestamp() * 1_000))


def fail(text: str) -> NoReturn:
    """Say what is wrong, and leave with 2."""
    Console(stderr=True, highlight=False).print(f"[bold red]{escape(text)}[/]", soft_wrap=True)
    raise typer.Exit(EXIT_CANNOT)
