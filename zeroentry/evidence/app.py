"""The commands ``zeroentry evidence ...``: verify, list, export, keys, hold and release."""

import getpass
import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zeroentry.evidence.export_command import export
from zeroentry.evidence.options import (
    AsJson,
    By,
    DataFolder,
    Reason,
    Recordings,
    Spoken,
    fail,
    time_of,
)
from zeroentry.evidence.texts import Language, language_here, say

if TYPE_CHECKING:
    from edge.core.recording import Reply, RequestBody

app = typer.Typer(
    name="evidence",
    help="Recordings as evidence: verify them offline, list, export and hold them; keys.",
    no_args_is_help=True,
)
keys_app = typer.Typer(
    name="keys", help="Show signing keys, or make a new one.", no_args_is_help=True
)
app.add_typer(keys_app)
app.command("export")(export)


@app.command("verify")
def verify_command(
    path: Recordings,
    *,
    node_key: Annotated[
        Path | None,
        typer.Option("--node-key", help="Public key of the node (PEM), or a folder of them."),
    ] = None,
    controller_key: Annotated[
        Path | None,
        typer.Option("--controller-key", help="Public key of the controller (PEM), or a folder."),
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option(
            "--heads", help="The controller's record of countersigned heads (JSON lines)."
        ),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option("--sources", help="Recordings to compare an export's parts of files with."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Files hashed at once.", min=1, max=64)
    ] = None,
    language: Spoken = None,
    as_json: AsJson = False,
) -> None:
    """Judge recordings offline. Exit 0: whole; 1: altered or missing; 2: cannot tell."""
    from zeroentry.evidence import render
    from zeroentry.evidence.hashing import jobs_default
    from zeroentry.evidence.verify import Asked, verify

    spoken = language or language_here()
    asked = Asked(path, node_key, controller_key, heads, jobs or jobs_default(), sources)
    err = Console(stderr=True, highlight=False)
    if err.is_terminal:
        from zeroentry.evidence.bar import BarProgress, bar_on

        with bar_on(err) as bar:
            report = verify(asked, BarProgress(bar, spoken))
    else:
        report = verify(asked)
    if as_json:
        typer.echo(json.dumps(render.as_json(report, spoken), ensure_ascii=False))
    else:
        render.show(report, render.for_people(), spoken)
    raise typer.Exit(int(report.exit))


@app.command("list")
def list_command(
    path: Recordings,
    track: Annotated[
        list[str] | None, typer.Option("--track", help="Only this track. Repeatable.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Only what ends after, e.g. 2026-11-22T08:00Z.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only what begins before.")] = None,
    language: Spoken = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option of a command line
) -> None:
    """List what was recorded, by track and day, as the manifests say. Verifies nothing."""
    from zeroentry.evidence.listing import list_recordings
    from zeroentry.evidence.tree import READ_ERRORS

    spoken = language or language_here()
    since = None if from_ is None else time_of(from_, spoken)
    until = None if to is None else time_of(to, spoken)
    try:
        rows = list_recordings(path, tracks=track or (), from_utc_ms=since, to_utc_ms=until)
    except READ_ERRORS as error:
        fail(say("bad_value", spoken, path, error))
    if rows is None:
        fail(say("no_recordings", spoken, path))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    from zeroentry.evidence.render import for_people, hours

    table = Table()
    for name in (
        "track",
        "day",
        "segments",
        "recorded",
        "size",
        "deleted",
        "gaps",
        "sessions",
        "holds",
    ):
        table.add_column(say(name, spoken))
    for row in rows:
        gaps = f"{len(row.gaps)} ({hours(sum(g.duration_ms for g in row.gaps))})"
        table.add_row(
            escape(row.track), row.day, str(row.segments), hours(row.recorded_ms),
            f"{row.bytes / (1 << 20):.1f} MiB", str(row.deleted), gaps if row.gaps else "-",
            _lasting(row.sessions, spoken), _lasting(row.holds, spoken),
        )  # fmt: skip
    console = for_people()
    console.print(table)
    console.print(f"[dim]{escape(say('unverified', spoken))}[/]", soft_wrap=True)


def _lasting(names: dict[str, bool], language: Language) -> str:
    return "\n".join(
        escape(name) + ("" if over else say("still", language)) for name, over in names.items()
    )


@keys_app.command("show")
def keys_show(
    folder: Annotated[Path, typer.Argument(help="A recordings folder or a data folder.")],
    language: Spoken = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option of a command line
) -> None:
    """Show the ids and fingerprints of keys; private keys are never printed."""
    from zeroentry.evidence.key_files import keys_in

    spoken = language or language_here()
    rows = keys_in(folder)
    if not rows:
        fail(say("no_keys", spoken, folder))
    if as_json:
        typer.echo(json.dumps([{**asdict(row), "file": str(row.file)} for row in rows]))
        return
    console = Console(highlight=False)
    for row in rows:
        console.print(
            f"[bold]{escape(row.id or row.error)}[/]  {say(row.use, spoken)}", soft_wrap=True
        )
        console.print(f"  {say('file', spoken)}: {escape(str(row.file))}", soft_wrap=True)
        if row.fingerprint:
            console.print(f"  {say('fingerprint', spoken)}: {row.fingerprint}", soft_wrap=True)


@keys_app.command("rotate")
def keys_rotate(data_dir: DataFolder, language: Spoken = None) -> None:
    """Ask the running recorder for a new signing key; every chain is handed over to it."""
    from edge.core.recording import RotateKey

    spoken = language or language_here()
    reply = _ask(data_dir, RotateKey(), spoken)
    typer.echo(say("rotated", spoken, _chains(reply)))


@app.command("hold")
def hold(
    data_dir: DataFolder,
    *,
    track: Annotated[list[str], typer.Option("--track", help="A track to hold. Repeatable.")],
    from_: Annotated[str, typer.Option("--from", help="Begin, e.g. 2026-11-22T08:00:00Z.")],
    to: Annotated[str, typer.Option("--to", help="End.")],
    reason: Reason,
    by: By = None,
    language: Spoken = None,
) -> None:
    """Put a legal hold on an interval: nothing in it is deleted until the hold is released."""
    from edge.core.recording import HoldTracks

    spoken = language or language_here()
    hold_id = f"hold-{uuid.uuid4().hex[:16]}"
    try:
        body = HoldTracks(
            tracks=tuple(track),
            hold_id=hold_id,
            from_utc_ms=time_of(from_, spoken),
            to_utc_ms=time_of(to, spoken),
            reason=reason,
            by=by or getpass.getuser(),
        )
    except ValidationError as error:
        _fail_of(error, spoken)
    reply = _ask(data_dir, body, spoken)
    typer.echo(say("held", spoken, hold_id, _chains(reply)))


@app.command("release")
def release(
    data_dir: DataFolder,
    hold_id: Annotated[str, typer.Argument(help="The hold's id: `zeroentry evidence list`.")],
    reason: Reason,
    by: By = None,
    language: Spoken = None,
) -> None:
    """Lift a legal hold in every chain that has it."""
    from edge.core.recording import LiftHold

    spoken = language or language_here()
    try:
        body = LiftHold(hold_id=hold_id, reason=reason, by=by or getpass.getuser())
    except ValidationError as error:
        _fail_of(error, spoken)
    reply = _ask(data_dir, body, spoken)
    typer.echo(say("released", spoken, hold_id, _chains(reply)))


def _ask(data_dir: Path, body: "RequestBody", language: Language) -> "Reply":
    from runtime.clock import SystemClock
    from zeroentry.evidence.recorder_socket import SOCKET_NAME, RecorderLost, RecorderRefused, ask

    path = data_dir / SOCKET_NAME
    try:
        return ask(path, body, SystemClock())
    except RecorderLost as lost:
        fail(say("no_recorder", language, path, lost))
    except RecorderRefused as refused:
        fail(say("recorder_refused", language, refused))


def _chains(reply: "Reply") -> int:
    return len({written.track_id for written in reply.written})


def _fail_of(error: ValidationError, language: Language) -> NoReturn:
    row = error.errors()[0]
    where = ".".join(str(part) for part in row["loc"])
    fail(say("bad_value", language, where, row["msg"]))
