"""Draws how far a verification has come, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from zeroentry.evidence.texts import Language, say
from zeroentry.evidence.verify import Progress


class BarProgress(Progress):
    """A bar that grows with the bytes that are hashed."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def total(self, total_bytes: int) -> None:
        self._bar.update(self._task, total=total_bytes)

    def advance(self, count_bytes: int) -> None:
        self._bar.advance(self._task, count_bytes)


@contextmanager
def shown_bar(console: Console, language: Language) -> Iterator[Progress]:
    """A bar on ``console`` that is gone when the work is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        yield BarProgress(bar, bar.add_task(say("hashing", language), total=None))
