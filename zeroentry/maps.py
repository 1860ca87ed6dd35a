"""The commands `zeroentry map`: check a site's robot map, draw it, write it out, take one in."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zeroentry.complaints import fail, print_problems

if TYPE_CHECKING:
    from contracts.layout import Kind
    from controller.core.map_checks import Finding
    from controller.core.plan import SitePlan
    from runtime.site import MapFile

EXIT_WRONG: Final = 1

app = typer.Typer(
    name="map",
    help="The robot map: check it, draw it, write it out, take one in (VDMA LIF).",
    no_args_is_help=True,
)

SiteFolder = Annotated[Path, typer.Argument(help="The site's folder, e.g. firmware_configs/demo.")]
Lang = Annotated[
    str | None,
    typer.Option("--lang", help="zh or en; left out: both.", metavar="zh|en"),
]


@app.command("check")
def check_command(folder: SiteFolder) -> None:
    """Say what is wrong with a site's map and what is tight. Exit 0: usable; 1: not; 2: unreadable.

    Errors keep some order from ever being done; warnings are for you to judge.
    """
    from controller.core.map_checks import check, one_lane

    plan, file = _open(folder)
    found = check(plan)
    out = Console(highlight=False, soft_wrap=True)
    for row in found:
        colour = "bold red" if row.weight == "error" else "yellow"
        out.print(
            f"[{colour}]{row.weight}[/] {escape(place_of(file, row))} {escape(row.text.en)}\n"
            f"  [dim]{escape(row.text.zh)}[/]"
        )
    lanes = Table(title="one-lane stretches", title_justify="left")
    for heading in ("nodes", "m", "way round"):
        lanes.add_column(heading, overflow="fold")
    for lane in one_lane(plan.map):
        way_round = "none" if lane.only_way else "yes"
        lanes.add_row(escape(" - ".join(lane.nodes)), f"{lane.length_m:.1f}", way_round)
    if lanes.row_count:
        out.print(lanes)
    errors = sum(1 for row in found if row.weight == "error")
    floors = len({node.map_id for node in plan.map.nodes.values()})
    out.print(
        f"{len(plan.map.nodes)} nodes, {len(plan.map.edges)} edges, {floors} floors, "
        f"{len(plan.doors)} doors, {len(plan.lifts)} lifts, {len(plan.refuges)} refuges for "
        f"{len(plan.robots)} robots: {errors} errors, {len(found) - errors} warnings"
    )
    if errors:
        raise typer.Exit(EXIT_WRONG)


@app.command("picture")
def picture_command(
    folder: SiteFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path(),
    *,
    lang: Lang = None,
    robots: Annotated[bool, typer.Option("--robots", help="Draw robots at their homes.")] = False,
) -> None:
    """Draw the map as SVG, one file a floor: zones, doors, lifts, one-lane stretches, names."""
    from zeroentry.map_picture import Look, floors_of, picture

    if lang not in {None, "zh", "en"}:
        fail(f"--lang {lang!r} is none of zh, en")
    plan, _ = _open(folder)
    look = Look(lang, robots)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for floor, _name in floors_of(plan):
            path = out / f"{plan.site.config.id}-{_file_name(floor)}.svg"
            path.write_text(picture(plan, floor, look), encoding="utf-8")
            typer.echo(str(path))
    except OSError as error:
        fail(f"cannot write to {out}: {error.strerror}")


@app.command("export")
def export_command(
    folder: SiteFolder,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; left out: the terminal.")
    ] = None,
) -> None:
    """Write the site's map as LIF, vendors' fields too: one node, edge or station a line."""
    from contracts.layout import lif_text

    _, file = _open(folder)
    text = lif_text(file.lif)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}")


@app.command("import")
def import_command(
    source: Annotated[Path, typer.Argument(help="A LIF file of a planner or a robot's maker.")],
    folder: Annotated[Path, typer.Option("--site", help="The site's folder.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a map that is there already.")
    ] = False,
) -> None:
    """Take a LIF file as the map of a site. It must be sound and hold every node the site names.

    Nothing is written otherwise. `zeroentry map check` then says whether robots can work on it.
    """
    from contracts.layout import lif_text
    from runtime.settings import SettingsError
    from runtime.site import load_site, map_problems, read_map

    try:
        site = load_site(folder)
        file = read_map(source)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_WRONG) from None
    if problems := map_problems(folder, site, file.map):
        print_problems(SettingsError(problems))
        raise typer.Exit(EXIT_WRONG)
    target = folder / site.config.map
    if target.exists() and not force:
        fail(f"{target} is there already", hint="Add --force to replace it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(lif_text(file.lif), encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {target}: {error.strerror}")
    typer.echo(f"{target}: {len(file.map.nodes)} nodes, {len(file.map.edges)} edges")


def place_of(file: "MapFile", finding: "Finding") -> str:
    """Where a finding is: file and line, and the name of the node or edge."""
    from contracts.layout import places_of

    kind: Kind | None = None if finding.kind == "map" else finding.kind
    if kind is None:
        return f"{file.parsed.file}: {finding.id}:"
    places: Mapping[tuple[Kind, str], tuple[str | int, ...]] = places_of(file.lif)
    place = file.parsed.place(places.get((kind, finding.id), ()))
    return f"{place}: {kind} {finding.id}:"


def _open(folder: Path) -> tuple["SitePlan", "MapFile"]:
    """A site's plan and its map's file, or every mistake in them on the terminal."""
    from controller.core.plan import plan_of
    from runtime.settings import SettingsError
    from runtime.site import load_folder, read_map

    try:
        site, robot_map = load_folder(folder)
        return plan_of(site, robot_map), read_map(folder / site.config.map)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(2) from None


def _file_name(floor: str) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in floor)
