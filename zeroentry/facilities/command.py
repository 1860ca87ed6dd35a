"""The command `zeroentry facility-sim`: plays a site's relay boards on a broker."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from zeroentry.complaints import EXIT_USAGE, fail, print_problems


def facility_sim(
    folder: Annotated[Path, typer.Argument(help="The site's folder.")],
    *,
    host: Annotated[str, typer.Option(help="The broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.")] = 1883,
    board: Annotated[
        str | None, typer.Option(help="Play this board alone; left out: all of the site.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="ID=stuck, slow or silent from the start. Repeatable."),
    ] = None,
    speed: Annotated[
        float, typer.Option(help="How much faster than real ones they move.", min=0.1, max=20.0)
    ] = 1.0,
) -> None:
    """Play a site's doors, lifts and fire alarm on the topics of their boards.

    While it runs, PREFIX/sim/command takes `ID stuck|slow|silent|none` and, for the fire alarm,
    `ID burning|over`.
    """
    from runtime import logs
    from runtime.mqtt import MqttSettings
    from runtime.settings import SettingsError
    from runtime.site import load_site
    from zeroentry.facilities.model import boards_for
    from zeroentry.facilities.process import run_boards

    logs.configure("facility-sim", json=False, level="INFO")
    try:
        site = load_site(folder)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_USAGE) from None
    boards = boards_for(site.facilities, board)
    if not boards:
        fail(f"{folder} has no door, lift or fire alarm on such a board")
    for words in fault or ():
        name, _, what = words.partition("=")
        if not any(row.script(f"{name} {what}") for row in boards):
            fail(f"--fault {words!r} is not ID=stuck, slow or silent of this site")
    settings = MqttSettings(host=host, port=port, client_id="facility-sim")
    asyncio.run(run_boards(boards, settings, speed=speed))
