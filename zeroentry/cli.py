"""The command ``zeroentry``: one subcommand for each job of a site, and what surrounds them."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from zeroentry.audit import app as audit_app
from zeroentry.cameras import app as camera_app
from zeroentry.complaints import EXIT_USAGE, fail, print_problems
from zeroentry.evidence.app import app as evidence_app
from zeroentry.facilities.command import facility_sim
from zeroentry.maps import app as map_app
from zeroentry.pickups import app as pickup_app
from zeroentry.reports.app import app as report_app
from zeroentry.robots import command_for as bridge_command
from zeroentry.simulator.cli import app as simulate_app

if TYPE_CHECKING:
    from runtime.secrets import CredentialStore

ENV_PREFIX: Final = "ZEROENTRY"

M = TypeVar("M", bound=BaseModel)

app = typer.Typer(
    name="zeroentry",
    help="Zero Entry guards closed bid-evaluation rooms: sealed recordings, alerts people can "
    "trust, robots instead of visitors.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
credential_app = typer.Typer(
    name="credential",
    help="Store passwords of cameras, encrypted; configuration names them, never holds them.",
    no_args_is_help=True,
)
app.add_typer(credential_app, rich_help_panel="Configuration")
app.add_typer(camera_app, rich_help_panel="Configuration")
app.add_typer(pickup_app, rich_help_panel="Configuration")
app.add_typer(map_app, rich_help_panel="Configuration")
app.command("facility-sim", rich_help_panel="Robots")(facility_sim)
app.add_typer(evidence_app, rich_help_panel="Evidence")
app.add_typer(audit_app, rich_help_panel="Evidence")
app.add_typer(report_app, rich_help_panel="Evidence")
app.add_typer(simulate_app, rich_help_panel="Robots")

ConfigFile = Annotated[
    Path,
    typer.Option("--config", "-c", help="Settings file (YAML).", show_default=False),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override one setting, e.g. --set mqtt.host=10.0.0.5. Repeatable.",
        metavar="KEY=VALUE",
    ),
]


def main() -> None:
    """Entry point of the console script."""
    app()


def _version(*, value: bool) -> None:
    if value:
        try:
            version = metadata.version("zero-entry")
        except metadata.PackageNotFoundError:
            version = "from a source folder that is not installed"
        typer.echo(f"zeroentry {version}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[  # noqa: FBT002 - an option of a command line
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Guards closed bid-evaluation rooms."""


def _parse_overrides(pairs: list[str] | None) -> dict[str, object]:
    overrides: dict[str, object] = {}
    for pair in pairs or []:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            fail(f"--set {pair!r} is not KEY=VALUE", hint="Example: --set mqtt.port=8883")
        overrides[key] = value
    return overrides


def load_settings(model: type[M], file: Path, pairs: list[str] | None) -> M:
    """Read the settings of one process, or print every mistake in them and leave with 2."""
    from runtime.settings import SettingsError, load

    try:
        return load(
            model,
            file=file,
            environ=os.environ,
            overrides=_parse_overrides(pairs),
            prefix=ENV_PREFIX,
        )
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_USAGE) from None


def _service(
    package: str, extra: str, settings_name: str, config: Path, pairs: list[str] | None
) -> None:
    """Load one service's settings and run it until it is told to stop."""
    try:
        settings_module = import_module(f"{package}.settings")
        main_module = import_module(f"{package}.__main__")
    except ModuleNotFoundError as error:
        fail(
            f"{package} needs the module {error.name}, which is not installed",
            hint=f"pip install 'zero-entry[{extra}]', or `zeroentry doctor` to see what is missing",
        )
    settings = load_settings(getattr(settings_module, settings_name), config, pairs)
    run_until_stopped(main_module.main, settings, getattr(main_module, "START_ERRORS", ()))


def run_until_stopped(
    service: Callable[[Any], Coroutine[Any, Any, None]],
    settings: BaseModel,
    start_errors: tuple[type[Exception], ...] = (),
) -> None:
    """Run a service; a bad setting or an occupied port ends in one clear line, not a traceback.

    ``start_errors`` are the service's own, whose text is written for whoever starts it.
    """
    from runtime.settings import SettingsError

    expected: tuple[type[Exception], ...] = (OSError, *start_errors)
    try:
        asyncio.run(service(settings))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_USAGE) from None
    except expected as error:
        fail(str(error))


@app.command(rich_help_panel="Run a part of a site")
def edge(config: ConfigFile, set_: Overrides = None) -> None:
    """Run an edge node: cameras in, evidence and alerts out."""
    _service("edge", "edge", "EdgeSettings", config, set_)


@app.command(rich_help_panel="Run a part of a site")
def recorder(config: ConfigFile, set_: Overrides = None) -> None:
    """Run an edge node's recorder: cameras and pickups in, signed recordings out."""
    _service("edge.recorder", "edge", "RecorderSettings", config, set_)


@app.command(rich_help_panel="Run a part of a site")
def controller(config: ConfigFile, set_: Overrides = None) -> None:
    """Run the controller: sessions, alerts, deliveries, robots, API."""
    _service("controller", "controller", "ControllerSettings", config, set_)


@app.command(rich_help_panel="Run a part of a site")
def console(config: ConfigFile, set_: Overrides = None) -> None:
    """Run the web console of the supervision room."""
    _service("controller.console", "controller", "ConsoleSettings", config, set_)


def _bridge(config: Path, set_: list[str] | None) -> None:
    _service("robot_bridge", "edge", "BridgeSettings", config, set_)


app.add_typer(bridge_command(_bridge), rich_help_panel="Run a part of a site")


@app.command(rich_help_panel="Start here")
def doctor() -> None:
    """Say what this machine has, what it lacks, and the line that gets it."""
    from zeroentry.doctor import examine, render

    findings = examine(os.environ)
    Console().print(render(findings))
    raise typer.Exit(1 if any(finding.needed and not finding.good for finding in findings) else 0)


@app.command(rich_help_panel="Start here")
def demo(
    camera: Annotated[
        str,
        typer.Option(
            help="Your own camera in room 2: rtsp://HOST/PATH, a video file, or /dev/video0.",
            show_default=False,
        ),
    ] = "",
    check: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--check", help="Play one day without a screen and judge it.")
    ] = False,
    chaos: Annotated[  # noqa: FBT002 - an option of a command line
        bool,
        typer.Option(
            "--chaos", help="With --check: kill -9 broker, edge, recorder, controller, bridge."
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="With --check: write the result here.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the console.", min=0, max=65_535)] = 8080,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the run's files (databases, logs) in this folder.")
    ] = None,
) -> None:
    """Run a whole site on this machine and play a day in it."""
    try:
        from zeroentry.demo.entry import run_demo
    except ModuleNotFoundError as error:
        fail(
            f"the demo needs the module {error.name}, which is not installed",
            hint="pip install 'zero-entry[demo]', or run `make demo` in the repository",
        )
    if chaos and not check:
        fail("--chaos belongs to --check", hint="zeroentry demo --check --chaos")
    raise typer.Exit(
        run_demo(camera=camera, check=check, chaos=chaos, json_file=json_file, port=port, keep=keep)
    )


@app.command("config", rich_help_panel="Configuration")
def check_config(
    folder: Annotated[Path, typer.Argument(help="A site's folder, e.g. firmware_configs/demo.")],
) -> None:
    """Check a site's folder of device files: every mistake at once, with file and line."""
    from runtime.settings import SettingsError
    from runtime.site import load_map, load_site

    try:
        site = load_site(folder)
        robot_map = load_map(folder, site)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(EXIT_USAGE) from None
    typer.echo(
        f"{folder}: good. {len(site.config.areas)} areas, {len(site.cameras)} cameras, "
        f"{len(site.nodes)} nodes, {len(site.robots)} robots, {len(robot_map.nodes)} map nodes"
    )


StoreFile = Annotated[Path, typer.Option("--store", help="The encrypted file.")]
DEFAULT_STORE = Path("credentials.enc")


@credential_app.command("set")
def credential_set(
    name: Annotated[str, typer.Argument(help="The name that a camera's file refers to.")],
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Ask for user name and password, and store them encrypted."""
    username = typer.prompt("User name")
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    from runtime.secrets import Credential

    _credentials(store).set(name, Credential(username, password))
    typer.echo(f"{name}: stored in {store}")


@credential_app.command("list")
def credential_list(store: StoreFile = DEFAULT_STORE) -> None:
    """List the names (never the passwords)."""
    for name in _credentials(store).names():
        typer.echo(name)


@credential_app.command("delete")
def credential_delete(name: str, store: StoreFile = DEFAULT_STORE) -> None:
    """Forget one."""
    _credentials(store).delete(name)
    typer.echo(f"{name}: deleted")


def _credentials(store: Path) -> "CredentialStore":
    from runtime.secrets import CredentialStore, SecretKeyError, secret_key

    try:
        return CredentialStore(store, secret_key(os.environ))
    except SecretKeyError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
