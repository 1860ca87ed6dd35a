"""The command ``zeroentry simulate``: one seed with its story, a scenario, many seeds, or live."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from zeroentry.simulator import soak, world
from zeroentry.simulator.maps import MADE
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import Script, draw, noon

app = typer.Typer(
    name="simulate",
    help="Play robots, people, doors and faults against the controller's core, without hardware.",
    invoke_without_command=True,
)
DEMO_SITE: Final = Path("firmware_configs/demo")
TRACE_SHOWN: Final = 60
EXIT_BROKEN: Final = 1

_MAP_HELP = f"One of {', '.join(MADE)}, demo, example, tower, or a site folder."


def _script(seed: int, map_name: str | None, scenario: str | None) -> Script:
    if scenario == "noon":
        return replace(noon(), seed=seed)
    if scenario is not None:
        raise typer.BadParameter(f"no scenario {scenario!r}; there is: noon")
    try:
        return draw(seed, map_name=map_name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.callback()
def simulate(  # noqa: PLR0913  # options of a command
    ctx: typer.Context,
    *,
    seed: Annotated[int, typer.Option(help="Which day to play.")] = 1,
    map_name: Annotated[str | None, typer.Option("--map", help=_MAP_HELP)] = None,
    scenario: Annotated[str | None, typer.Option(help="A written day instead: noon.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Tell all that happened.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="In real time, as VDA 5050 vehicles on MQTT, for a running controller."
        ),
    ] = False,
    username: Annotated[
        str | None,
        typer.Option(help="With --live: account; its password in ZEROENTRY_MQTT__PASSWORD."),
    ] = None,
    broker: Annotated[str, typer.Option(help="With --live: HOST:PORT.")] = "127.0.0.1:1883",
    site: Annotated[Path, typer.Option(help="With --live: the controller's site folder.")] = (
        DEMO_SITE
    ),
) -> None:
    """Play one day from its seed; exit 1 when a judge saw what must never happen."""
    if ctx.invoked_subcommand is not None:
        return
    if live:
        from zeroentry.simulator.live import play_live

        play_live(site, broker, username=username)
        return
    outcome = world.run(_script(seed, map_name, scenario), whole_trace=trace)
    if as_json:
        typer.echo(json.dumps(soak.as_dict(outcome), ensure_ascii=False))
    else:
        _show(outcome, whole=trace)
    if not outcome.good:
        raise typer.Exit(EXIT_BROKEN)


@app.command("soak")
def soak_command(
    seeds: Annotated[int, typer.Option(help="How many days.")] = 10_000,
    start: Annotated[int, typer.Option(help="The first seed.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; 0: one a core.")] = 0,
    state: Annotated[
        Path, typer.Option(help="Where results are kept; a run that was stopped goes on there.")
    ] = Path("build/soak.jsonl"),
) -> None:
    """Play thousands of days; prints each failing seed with the command that replays it."""
    good = soak.soak(range(start, start + seeds), jobs=jobs, state=state, say=typer.echo)
    if not good:
        raise typer.Exit(EXIT_BROKEN)


def _show(outcome: Outcome, *, whole: bool) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    lines = outcome.trace if whole else outcome.trace[-TRACE_SHOWN:] if not outcome.good else ()
    for line in lines:
        console.print(line)
    for row in outcome.orders:
        taken = f"taken at {row.taken_s:.0f} s" if row.taken_s is not None else "not taken"
        console.print(
            f"{row.id:>4} {row.room_id:<10} {row.state:<10} ordered at {row.ordered_s:.0f} s, "
            f"{taken}" + (f" ({row.why})" if row.why else "")
        )
    faster = outcome.simulated_s / max(outcome.wall_s, 1e-9)
    console.print(
        f"seed {outcome.seed} on {outcome.map}: {outcome.simulated_s:.0f} s in "
        f"{outcome.wall_s:.2f} s ({faster:.0f} times real time), {outcome.counts['steps']} steps"
    )
    if outcome.violation is not None:
        row_ = outcome.violation
        console.print(f"VIOLATION at {row_.at_s:.2f} s, {row_.judge}: {row_.text}")
    else:
        console.print("No judge saw anything that must not happen.")
