"""The command ``zeroentry report verify``: a witness report judged offline."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from zeroentry.evidence.options import AsJson, Spoken, fail
from zeroentry.evidence.texts import language_here

app = typer.Typer(
    name="report",
    help="Witness reports: verify their signatures offline.",
    no_args_is_help=True,
)


@app.callback()
def root() -> None:
    """Witness reports."""


@app.command("verify")
def verify_command(
    paths: Annotated[
        list[Path],
        typer.Argument(help="report.zip, a folder with its files, or the files one by one."),
    ],
    *,
    controller_key: Annotated[
        Path | None,
        typer.Option("--controller-key", help="Public key of the centre (PEM), or a folder."),
    ] = None,
    language: Spoken = None,
    as_json: AsJson = False,
) -> None:
    """Judge a witness report offline. Exit 0: whole; 1: altered; 2: cannot tell."""
    from runtime.signing import KeyFileError, PublicKeys
    from zeroentry.evidence.trust import read_given
    from zeroentry.reports.judge import Exit, Judgement, gather, judge

    spoken = language or language_here()
    judgement = Judgement()
    try:
        keys = PublicKeys(read_given(controller_key).values()) if controller_key else None
        files = gather(paths, judgement)
    except (KeyFileError, OSError) as error:
        fail(str(error))
    judge(files, keys, judgement)
    if as_json:
        rows = [
            {"exit": row.exit.name.lower(), "file": row.file, "text": row.text.pick(spoken)}
            for row in judgement.remarks
        ]
        told = {"result": judgement.exit.name.lower(), "findings": rows}
        typer.echo(json.dumps(told, ensure_ascii=False))
        raise typer.Exit(int(judgement.exit))
    out = Console(highlight=False, soft_wrap=True)
    marks = {Exit.WHOLE: "[green]+[/]", Exit.ALTERED: "[bold red]x[/]", Exit.CANNOT_TELL: "?"}
    for row in judgement.remarks:
        out.print(f" {marks[row.exit]} {escape(row.file)}  {escape(row.text.pick(spoken))}")
    ends = {
        Exit.WHOLE: ("报告完整，签名有效。", "The report is whole and signed."),
        Exit.ALTERED: ("报告被改动。", "The report was altered."),
        Exit.CANNOT_TELL: ("无法判断。", "Cannot tell."),
    }
    said = ends[judgement.exit][0 if spoken.value.startswith("zh") else 1]
    if judgement.statement is not None:
        one = judgement.statement
        said += f" {one.site} · {one.session} · v{one.version} · {one.key}"
    out.print(escape(said), style="bold")
    raise typer.Exit(int(judgement.exit))
