"""The command ``zeroentry simulate``: one seed with its story, a scenario, many seeds, or live."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from zeroentry.complaints import fail
from zeroentry.simulator import soak, world
from zeroentry.simulator.maps import MADE
from zeroentry.simulator.outcome import Outcome
from zeroentry.simulator.script import Script, draw, noon
from zeroentry.simulator.wish import Wish

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
    broker: Annotated[
        str | None,
        typer.Option(help="With --live: HOST:PORT of a site that runs already; only robots then."),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="With --live: a site's folder; left out: a tower of three floors."),
    ] = None,
    robots: Annotated[
        int,
        typer.Option(help="With --live: so many robots; 0: those of the site.", min=0, max=10),
    ] = 0,
    faults: Annotated[
        bool, typer.Option("--faults", help="With --live: robots, cameras, lifts fail at times.")
    ] = False,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="With --live: you order, load and type the PIN.")
    ] = False,
    port: Annotated[int, typer.Option(help="With --live: the console's port.")] = 8080,
    keep: Annotated[
        Path | None, typer.Option(help="With --live: keep databases and logs in this folder.")
    ] = None,
) -> None:
    """Play one day from its seed; exit 1 when a judge saw what must never happen."""
    if ctx.invoked_subcommand is not None:
        return
    if live and broker is not None:
        from zeroentry.simulator.live import play_live

        play_live(site or DEMO_SITE, broker, username=username)
        return
    if live:
        raise typer.Exit(_house(Wish(site, robots, faults, by_hand, seed, port, keep)))
    outcome = world.run(_script(seed, map_name, scenario), whole_trace=trace)
    if as_json:
        typer.echo(json.dumps(soak.as_dict(outcome), ensure_ascii=False))
    else:
        _show(outcome, whole=trace)
    if not outcome.good:
        raise typer.Exit(EXIT_BROKEN)


def _house(wish: Wish) -> int:
    try:
        from zeroentry.simulator.house import run_house
    except ModuleNotFoundError as error:
        fail(
            f"--live needs the module {error.name}, which is not installed",
            hint="pip install 'zero-entry[demo]', or join a running site with --broker",
        )
    return run_house(wish)


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
