"""The commands `zeroentry pickup`: name this machine's sound inputs, show the level of one."""

import asyncio
import logging
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import structlog
import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from contracts.units import Bilingual
from zeroentry.camera_words import language_of

if TYPE_CHECKING:
    from edge.capture.pickup_devices import InputDevice, Loss

EXIT_LOST: Final = 2
LIST_LIMIT_S: Final = 30.0  # PortAudio asks every driver, and a slow one takes seconds
METER_FROM_DBFS: Final = -80  # below it is the noise of the converter itself
METER_CELLS: Final = 40  # the numbers beside it fit a terminal of 80 columns
GREEN_TO_DBFS: Final = -18.0  # where speech should stay
YELLOW_TO_DBFS: Final = -6.0  # above it, a shout is clipped

app = typer.Typer(
    name="pickup",
    help="Name this machine's sound inputs, and show the level of one.",
    no_args_is_help=True,
)

Lang = Annotated[
    str | None,
    typer.Option("--lang", help="zh or en; left out: as the terminal.", metavar="zh|en"),
]


@app.command("list")
def list_inputs(lang: Lang = None) -> None:
    """List the sound inputs: the names that a pickup's `device` may hold, rates, channels."""
    from zeroentry import pickup_words as words

    say = _speaker(lang)
    found = inputs(say)
    if not found:
        _fail(say(words.NONE_FOUND))
    Console().print(render(found, say))


@app.command()
def meter(
    name: Annotated[str, typer.Argument(help="Name of the input, or a part that only it has.")],
    host_api: Annotated[str | None, typer.Option(help="Where to look, e.g. ALSA.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="End after so long; left out: at Ctrl+C.", min=0.1)
    ] = None,
    lang: Lang = None,
) -> None:
    """Show the level of one input, ten times a second."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_meter(name, host_api, seconds, _speaker(lang)))


Say = Callable[[Bilingual], str]
"""A text in the language of the terminal."""


def _speaker(lang: str | None) -> Say:
    language = lang or language_of(os.environ).value
    return lambda text: text.pick(language)


def _fail(text: str, detail: str = "") -> NoReturn:
    err = Console(stderr=True, highlight=False)
    err.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)
    if detail:
        err.print(f"[dim]{escape(detail)}[/]", soft_wrap=True)
    raise typer.Exit(EXIT_LOST)


def _fail_lost(loss: "Loss", detail: str, say: Say) -> NoReturn:
    from zeroentry.pickup_words import LOSSES

    _fail(say(LOSSES[loss]), detail)


def inputs(say: Say) -> tuple["InputDevice", ...]:
    """What PortAudio finds; asked in a process of its own, as it may abort or hang."""
    from edge.capture.pickup_devices import Loss
    from edge.capture.pickup_frames import FrameError, FrameReader, Listed, Lost
    from zeroentry.pickup_words import NO_ANSWER

    # The process ends with its stdin, so that stays open until it has answered.
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            (sys.executable, "-m", "edge.capture.pickup_process", "--list"),
            check=False,
            stdin=reading,
            capture_output=True,
            timeout=LIST_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        _fail(say(NO_ANSWER))
    finally:
        os.close(reading)
        os.close(writing)
    try:
        frames = FrameReader().feed(done.stdout)
    except FrameError as error:
        _fail_lost(Loss.CRASHED, str(error), say)
    for frame in frames:
        match frame:
            case Listed():
                return frame.devices
            case Lost():
                _fail_lost(frame.loss, frame.detail, say)
    detail = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
    _fail_lost(Loss.CRASHED, detail, say)


def render(found: tuple["InputDevice", ...], say: Say) -> Table:
    """The inputs as a table."""
    from zeroentry import pickup_words as words

    table = Table(title=say(words.TITLE), title_justify="left")
    table.add_column(say(words.NAME), overflow="fold")
    table.add_column(say(words.HOST_API))
    table.add_column(say(words.RATE), justify="right")
    table.add_column(say(words.CHANNELS), justify="right")
    table.add_column("")
    for device in found:
        note = say(words.PREFERRED) if device.preferred else ""
        row = (device.name, device.host_api, str(device.rate_hz), str(device.channels), note)
        table.add_row(*(escape(text) for text in row))
    return table


def bar(dbfs: float, peak_dbfs: float, say: Say) -> Text:
    """A level as a line of cells with its number, and the highest so far."""
    from zeroentry.pickup_words import PEAK

    filled = round((dbfs - METER_FROM_DBFS) / -METER_FROM_DBFS * METER_CELLS)
    filled = min(max(filled, 0), METER_CELLS)
    line = Text()
    for cell in range(METER_CELLS):
        at_dbfs = METER_FROM_DBFS * (1 - (cell + 1) / METER_CELLS)
        style = "green" if at_dbfs <= GREEN_TO_DBFS else "yellow"
        style = "red" if at_dbfs > YELLOW_TO_DBFS else style
        line.append("█" if cell < filled else "·", style if cell < filled else "dim")
    line.append(f" {dbfs:6.1f} dBFS  {say(PEAK)} {peak_dbfs:6.1f}")
    return line


async def _meter(name: str, host_api: str | None, seconds: float | None, say: Say) -> None:
    from contracts.devices import Named, PickupConfig
    from contracts.observations import LEVEL_FLOOR_DBFS
    from edge.capture.pickup import PickupEvent, PickupSource, PickupState
    from edge.core.recording import LevelSaid
    from runtime.clock import SystemClock
    from zeroentry.pickup_words import METER_HINT, WAITING

    # What the source logs is on the screen already.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    heard: asyncio.Queue[PickupEvent] = asyncio.Queue()
    config = PickupConfig(
        kind="pickup",
        id="meter",
        area="meter",
        name=Named(zh="电平表", en="Level meter"),
        device=name,
        host_api=host_api,
    )
    source = PickupSource(config, SystemClock(), random.Random(), heard.put_nowait, ())
    running = asyncio.create_task(source.run())
    peak = LEVEL_FLOOR_DBFS
    try:
        with Live(Text(say(WAITING)), console=Console(), auto_refresh=False) as live:
            windows = 0
            while seconds is None or windows < seconds * 10:
                event = await heard.get()
                if isinstance(event, PickupState) and event.loss is not None:
                    _fail_lost(event.loss, event.detail, say)
                if isinstance(event, LevelSaid):
                    windows += 1
                    peak = max(peak, event.dbfs)
                    hint = Text(f"  {say(METER_HINT)}", "dim")
                    live.update(bar(event.dbfs, peak, say).append_text(hint), refresh=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
