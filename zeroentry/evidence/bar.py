"""Draws how far a long work has come, on a terminal; elsewhere it draws nothing."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from zeroentry.evidence.texts import Language, say
from zeroentry.evidence.verify import Progress


def bar_on(console: Console) -> Bar:
    """A bar of bytes that is gone when the work is done."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class BarProgress(Progress):
    """A bar that grows with the bytes that are hashed."""

    def __init__(self, bar: Bar, language: Language) -> None:
        self._bar = bar
        self._task = bar.add_task(say("hashing", language), total=None)

    def total(self, total_bytes: int) -> None:
        self._bar.update(self._task, total=total_bytes)

    def advance(self, count_bytes: int) -> None:
        self._bar.advance(self._task, count_bytes)
