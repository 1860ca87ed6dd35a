"""The commands `zeroentry bridge`: run one, hold a robot against its file, check its standard."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.vda5050.topics import VdaKind, VehicleAddress, parse
from contracts.vda5050.versions import VdaVersion, vehicle_address
from robot_bridge.conformance.asked import ask
from robot_bridge.conformance.probe import Probe
from robot_bridge.conformance.rules import Finding, Rule
from robot_bridge.conformance.run import as_json, check_all, failed, rules, summary, table
from robot_bridge.conformance.words import Unmet
from runtime.clock import SystemClock
from runtime.logs import configure
from runtime.mqtt import MqttSession, MqttSettings, TlsSettings
from runtime.settings import SettingsError
from runtime.site import load_folder
from zeroentry.camera_words import Language, language_of
from zeroentry.complaints import EXIT_USAGE, fail, print_problems

if TYPE_CHECKING:
    from zeroentry.vehicle_words import Remark

CONNECT_S: Final = 20.0  # also on a machine that is busy
DISCOVER_S: Final = 10.0
EXIT_DIFFERENT: Final = 1

T = TypeVar("T")

app = typer.Typer(
    name="bridge",
    help="Run the bridge of one robot; check a robot against its file, and any vehicle against "
    "VDA 5050.",
)

Target = Annotated[str, typer.Option("--target", help="The broker: mqtt://HOST:PORT or mqtts://.")]
User = Annotated[str | None, typer.Option("--username", help="User at the broker.")]
PasswordEnv = Annotated[
    str | None,
    typer.Option("--password-env", help="Name of the environment variable with the password."),
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="CA certificate for mqtts://.", show_default=False)
]
Lang = Annotated[
    str | None,
    typer.Option("--lang", help="zh or en; left out: as the terminal.", metavar="zh|en"),
]


def broker_of(
    target: str, username: str | None, password_env: str | None, ca_file: Path | None
) -> MqttSettings:
    """The broker that a URL names; leaves with one line when it is none."""
    try:
        url = urlsplit(target)
        port = url.port
    except ValueError as error:
        fail(f"--target {target!r}: {error}", hint="Example: --target mqtt://127.0.0.1:1883")
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname:
        fail(f"--target {target!r} is no broker", hint="Example: --target mqtt://127.0.0.1:1883")
    if url.scheme == "mqtts" and ca_file is None:
        fail("mqtts:// needs --ca-file", hint="The CA that has signed the broker's certificate.")
    return MqttSettings(
        host=url.hostname,
        port=port or (8883 if url.scheme == "mqtts" else 1883),
        client_id=f"zeroentry-check-{os.getpid()}",
        username=username,
        password_env=password_env,
        tls=TlsSettings(ca_file=ca_file) if ca_file is not None else None,
    )


async def _with_session(settings: MqttSettings, work: Callable[[MqttSession], Awaitable[T]]) -> T:
    session = MqttSession(settings, SystemClock(), rng=random.Random())
    running = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(CONNECT_S):
            await session.wait_connected()
        return await work(session)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _run(settings: MqttSettings, work: Callable[[MqttSession], Awaitable[T]]) -> T:
    configure("zeroentry", json=False, level="ERROR")  # what is wrong is said below, in words
    try:
        return asyncio.run(_with_session(settings, work))
    except TimeoutError:
        fail(
            f"no broker answers at {settings.host}:{settings.port} within {CONNECT_S:g} s",
            hint="Check address, port, user and password.",
        )
    except (Unmet, ValueError) as error:  # ValueError: a name that cannot be a topic's level
        fail(str(error))


async def _discovered(
    session: MqttSession, version: VdaVersion, prefix: str | None, serial: str
) -> VehicleAddress:
    """The robot of this serial number, whoever made it: its connection is retained."""
    names = f"{prefix or version.prefix}/{version.level}/+/{serial}/{VdaKind.CONNECTION}"
    inbox = session.subscribe(names, qos=1)
    try:
        async with asyncio.timeout(DISCOVER_S):
            inbound = await inbox.get()
    except TimeoutError:
        raise Unmet(
            f"a robot with serial number {serial} on {names}", "none; --manufacturer?"
        ) from None
    found = parse(inbound.topic)
    if found is None:
        raise Unmet("a topic of VDA 5050", inbound.topic)
    return found[0]


@app.command()
def conformance(  # noqa: PLR0913 - the options of a command line
    *,
    target: Target,
    serial: Annotated[str, typer.Option("--serial", help="Serial number of the vehicle.")],
    manufacturer: Annotated[
        str | None, typer.Option("--manufacturer", help="Left out: found by its serial number.")
    ] = None,
    version: Annotated[
        VdaVersion, typer.Option("--version", help="What the vehicle speaks.")
    ] = VdaVersion.V2_1,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="First topic level; left out: the version's.")
    ] = None,
    drive: Annotated[
        bool,
        typer.Option(
            "--drive/--no-drive", help="Drive up to six steps ahead of where the vehicle stands."
        ),
    ] = True,
    step_m: Annotated[
        float, typer.Option("--step", help="Metres between the nodes.", min=0.6, max=5.0)
    ] = 0.8,
    only: Annotated[
        str, typer.Option("--only", help="Part of a rule's name, a clause, or a group.")
    ] = "",
    cut: Annotated[
        str | None,
        typer.Option("--cut", help="Command that cuts the vehicle off at the end, for its will."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result here as JSON as well.")
    ] = None,
    username: User = None,
    password_env: PasswordEnv = None,
    ca_file: CaFile = None,
) -> None:
    """Check any vehicle against the rules of VDA 5050 2.1.0 and print a table. IT DRIVES.

    The vehicle must stand without an order, localised, with free floor ahead: six steps in the
    direction that it looks. Leaves with 1 when a rule is not met.
    """
    wanted = rules(only, drive=drive)
    if not wanted:
        fail(f"no rule's name has {only!r} in it", hint="--only 6.6.3, or --only cancel")

    async def work(session: MqttSession) -> list[Finding]:
        address = (
            vehicle_address(version, manufacturer, serial, prefix=prefix)
            if manufacturer
            else await _discovered(session, version, prefix, serial)
        )
        probe = Probe(session, SystemClock(), address, version, step_m)
        probe.cut = None if cut is None else partial(_performed, cut)
        return await _conformance(probe, wanted)

    found = _run(broker_of(target, username, password_env, ca_file), work)
    if json_file is not None:
        json_file.write_text(as_json(found, serial) + "\n", encoding="utf-8")
    raise typer.Exit(EXIT_DIFFERENT if failed(found) else 0)


async def _performed(command: str) -> None:
    process = await asyncio.create_subprocess_exec(*shlex.split(command))
    if await process.wait():
        raise Unmet(f"{command} to end with 0", str(process.returncode))


async def _conformance(probe: Probe, wanted: list[Rule]) -> list[Finding]:
    console = Console(highlight=False)
    found = await check_all(
        probe, wanted, lambda row: console.print(f"{row.verdict:>14}  {row.rule.name}")
    )
    vehicle = f"{probe.address.manufacturer}/{probe.address.serial}"
    console.print(table(found, f"VDA 5050 {probe.version}: {vehicle}"))
    console.print(summary(found))
    return found


@app.command()
def check(
    *,
    folder: Annotated[Path, typer.Argument(help="A site's folder, e.g. firmware_configs/demo.")],
    target: Target,
    robot: Annotated[
        str | None, typer.Option("--robot", help="Id of one robot; left out: all of them.")
    ] = None,
    lang: Lang = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    username: User = None,
    password_env: PasswordEnv = None,
    ca_file: CaFile = None,
) -> None:
    """Talk to the site's robots and list what is missing, or different from their files.

    Nothing is driven. Leaves with 1 when a robot could not do its work as it is.
    """
    from controller.core.plan import plan_of
    from zeroentry.vehicle_words import Weight, remarks

    try:
        site, robot_map = load_folder(folder)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_USAGE) from None
    robots = [row for row in site.robots if robot in (None, row.id)]
    if not robots:
        known = ", ".join(row.id for row in site.robots) or "none"
        fail(f"the site has no robot {robot!r}", hint=f"It has: {known}")
    plan = plan_of(site, robot_map)

    async def work(session: MqttSession) -> dict[str, tuple[Remark, ...]]:
        found: dict[str, tuple[Remark, ...]] = {}
        for row in robots:
            version = VdaVersion(row.vda5050_version)
            address = vehicle_address(
                version, row.manufacturer, row.serial_number, prefix=row.topic_prefix
            )
            probe = Probe(session, SystemClock(), address, version)
            found[row.id] = remarks(plan, row, await ask(probe))
        return found

    found = _run(broker_of(target, username, password_env, ca_file), work)
    language = Language(lang) if lang in ("zh", "en") else language_of(os.environ)
    _print_remarks(found, language, as_json=as_json)
    wrong = any(row.weight is Weight.WRONG for rows in found.values() for row in rows)
    raise typer.Exit(EXIT_DIFFERENT if wrong else 0)


def _print_remarks(
    found: dict[str, tuple[Remark, ...]], language: Language, *, as_json: bool
) -> None:
    if as_json:
        rows = {
            robot: [{"weight": row.weight, "zh": row.text.zh, "en": row.text.en} for row in remarks]
            for robot, remarks in found.items()
        }
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table()
    headings = {Language.ZH: ("机器人", "轻重", "说明"), Language.EN: ("robot", "weight", "what")}
    for heading in headings[language]:
        table.add_column(heading, overflow="fold")
    good = {Language.ZH: "与配置一致", Language.EN: "agrees with its file"}[language]
    weights = {
        Language.ZH: {"wrong": "错误", "note": "提示"},
        Language.EN: {"wrong": "wrong", "note": "note"},
    }[language]
    for robot, remarks in found.items():
        if not remarks:
            table.add_row(robot, "", good)
        for row in remarks:
            text = row.text.zh if language is Language.ZH else row.text.en
            table.add_row(robot, weights[row.weight], escape(text))
    Console().print(table)


def command_for(run: Callable[[Path, list[str] | None], None]) -> typer.Typer:
    """The commands, with ``zeroentry bridge --config FILE`` itself running a bridge."""

    @app.callback(invoke_without_command=True)
    def bridge(
        context: typer.Context,
        config: Annotated[
            Path | None, typer.Option("--config", "-c", help="Settings file (YAML).")
        ] = None,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", help="Override one setting. Repeatable.", metavar="KEY=VALUE"),
        ] = None,
    ) -> None:
        """Run the bridge of one robot: VDA 5050 on one side, the vehicle on the other."""
        if context.invoked_subcommand is not None:
            return
        if config is None:
            fail("--config is missing", hint="zeroentry bridge --config FILE, or bridge --help")
        run(config, set_)

    return app
