"""The command ``zeroentry evidence export``: exact files and their proof, in one signed ZIP."""

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from zeroentry.evidence.options import By, DataFolder, Reason, Spoken, fail, time_of
from zeroentry.evidence.texts import language_here, say

KEY_FILE = Path("keys") / "node-evidence.pem"


def export(  # noqa: PLR0913 - a command's options are its arguments
    data_dir: DataFolder,
    *,
    track: Annotated[list[str], typer.Option("--track", help="A track. Repeatable.")],
    from_: Annotated[str, typer.Option("--from", help="Begin, e.g. 2026-11-22T08:00:00Z.")],
    to: Annotated[str, typer.Option("--to", help="End.")],
    out: Annotated[Path, typer.Option("--out", help="The ZIP to make; must not exist.")],
    reason: Reason,
    recordings: Annotated[
        Path | None,
        typer.Option("--recordings", help="Where they lie, if not in DATA_DIR/recordings."),
    ] = None,
    by: By = None,
    language: Spoken = None,
) -> None:
    """Export an interval: exact files, their part of the chain, keys, a note; one signed ZIP."""
    from contracts.units import UtcMs
    from edge.evidence.export import ExportError, Wanted, make_export
    from runtime.clock import SystemClock
    from runtime.signing import KeyFileError, read_key
    from zeroentry.evidence.bar import bar_on

    spoken = language or language_here()
    wanted = Wanted(
        tracks=tuple(track),
        from_utc_ms=UtcMs(time_of(from_, spoken)),
        to_utc_ms=UtcMs(time_of(to, spoken)),
        by=by or getpass.getuser(),
        reason=reason,
    )
    err = Console(stderr=True, highlight=False)
    try:
        key = read_key(data_dir / KEY_FILE)
        with bar_on(err) as bar:
            task = bar.add_task(say("exporting", spoken), total=None, visible=err.is_terminal)
            made = make_export(
                recordings or data_dir / "recordings",
                wanted,
                out,
                key=key,
                made_utc_ms=SystemClock().utc_ms(),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except (ExportError, KeyFileError, OSError) as error:
        fail(str(error))
    typer.echo(
        say("exported", spoken, made.path, made.segments, made.sha256, made.seal, made.left_out)
    )
