"""Says on the terminal what is wrong with a command or a configuration, and leaves."""

from typing import TYPE_CHECKING, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from runtime.settings import SettingsError

EXIT_USAGE: Final = 2


def fail(text: str, *, hint: str = "") -> NoReturn:
    """Say what is wrong and what to do, and leave with 2."""
    err = Console(stderr=True, highlight=False)
    err.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)
    if hint:
        err.print(f"[dim]{escape(hint)}[/]", soft_wrap=True)
    raise typer.Exit(EXIT_USAGE)


def print_problems(error: "SettingsError") -> None:
    """All mistakes of a configuration as one table: where, what, what is allowed."""
    err = Console(stderr=True, highlight=False)
    table = Table(
        title=f"{len(error.problems)} mistakes in the configuration", title_justify="left"
    )
    for heading in ("where", "what is wrong", "what is allowed"):
        table.add_column(heading, overflow="fold")
    for problem in error.problems:
        place = f"{problem.file or 'settings'}\n{problem.path}"
        # escaped: patterns like [a-z] are not markup
        table.add_row(escape(place), escape(problem.message), escape(problem.allowed or ""))
    err.print(table)
