"""The commands `zeroentry camera`: find cameras, ask one what it is, hold it against its file."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.devices import CameraConfig, OnvifSource, SiteConfig
from edge.capture.onvif_profiles import (
    CLOCK_OFFSET_MAX_MS,
    DifferenceKind,
    OnvifLost,
    OnvifReason,
    Profile,
    suggest_both,
)
from runtime.settings import SettingsError, parse_yaml_strict
from runtime.settings import check as check_document
from runtime.site import SITE_FILE, load_site
from zeroentry.camera_words import Language, language_of, reason, say, what_differs
from zeroentry.camera_yaml import SOUNDS, SUB_WIDTH_BEST, NewCamera, camera_yaml
from zeroentry.complaints import fail, print_problems

if TYPE_CHECKING:
    from edge.capture.onvif import DeviceReport
    from edge.capture.onvif_discovery import Found
    from zeroentry.camera_check import Checked

USER_ENV: Final = "ZEROENTRY_CAMERA_USER"
PASSWORD_ENV: Final = "ZEROENTRY_CAMERA_PASSWORD"  # noqa: S105 - a name, not a password
ONVIF_PORT: Final = 80
EXIT_DIFFERENT: Final = 1
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

T = TypeVar("T")
Pair = tuple[str, str] | None

app = typer.Typer(
    name="camera",
    help="Find cameras on the network, ask one what it is, hold it against its file.",
    no_args_is_help=True,
)

Lang = Annotated[
    str | None,
    typer.Option("--lang", help="zh or en; left out: as the terminal.", metavar="zh|en"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Port = Annotated[int, typer.Option(help="Its ONVIF port.", min=1, max=65_535)]
CredentialOption = Annotated[
    str | None,
    typer.Option("--credential", help="Name of a stored credential.", show_default=False),
]
Store = Annotated[Path, typer.Option("--store", help="The encrypted file.")]


@app.command()
def discover(
    interface: Annotated[
        list[str] | None,
        typer.Option(help="Ask from this interface (eth0 or its address). Repeatable."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Ask one address directly, e.g. behind a router.")
    ] = None,
    wait_s: Annotated[float, typer.Option(help="How long to wait.", min=0.1, max=60)] = 3.0,
    port: Annotated[int, typer.Option(hidden=True, min=1, max=65_535)] = 3702,
    json_: AsJson = False,  # noqa: FBT002 - an option of a command line
    lang: Lang = None,
) -> None:
    """List the ONVIF cameras that answer on this network (WS-Discovery)."""
    words = _begin(lang)
    from edge.capture import onvif_discovery
    from runtime.clock import SystemClock

    try:
        found = asyncio.run(
            onvif_discovery.discover(
                SystemClock(),
                interfaces=tuple(interface or ()),
                host=host,
                port=port,
                wait_ms=round(wait_s * 1000),
            )
        )
    except (onvif_discovery.InterfaceError, OSError) as error:
        fail(str(error))
    if json_:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
        return
    _show_found(found, words)


@app.command()
def probe(  # noqa: PLR0913, PLR0917 - options of a command line
    host: Annotated[str, typer.Argument(help="Address or name of the camera.")],
    port: Port = ONVIF_PORT,
    credential: CredentialOption = None,
    store: Store = Path("credentials.enc"),
    write: Annotated[
        Path | None,
        typer.Option(help="Write the camera's file: firmware_configs/SITE/cameras/ID.yaml."),
    ] = None,
    area: Annotated[str | None, typer.Option(help="The room of the new file.")] = None,
    transport: Annotated[str, typer.Option(help="tcp or udp.")] = "tcp",
    force: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--force", help="Overwrite the file.")
    ] = False,
    json_: AsJson = False,  # noqa: FBT002 - an option of a command line
    lang: Lang = None,
) -> None:
    """Ask one camera what it is and where its streams are; write its file, without secrets."""
    words = _begin(lang)
    from edge.capture.onvif import examine
    from runtime.clock import SystemClock

    if transport not in {"tcp", "udp"}:
        fail(f"--transport {transport!r}", hint="one of: tcp, udp")
    try:
        OnvifSource(host=host, port=port)
    except ValidationError as error:
        fail(f"{host!r}: {error.errors()[0]['msg'].removeprefix('Value error, ')}")
    place = _new_file(write, area, words, force=force) if write else None
    pair = _pair(credential, store)
    report = _asked(examine(host, port, pair, SystemClock(), transport=transport), words, pair)
    main, sub = suggest_both(report.profiles, sub_width=SUB_WIDTH_BEST)
    if json_:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False, indent=2))
    else:
        _show_report(report, main, sub, words)
    if place is None:
        return
    if main is None:
        fail(reason(OnvifLost(OnvifReason.NO_PROFILE), words))
    told = report.information
    camera = NewCamera(
        id=place.path.stem,
        area=place.area,
        host=host,
        port=port,
        main=main,
        sub=sub,
        transport=transport,
        credential=credential or (place.path.stem if pair else None),
        device=" ".join(part for part in (told.manufacturer, told.model, told.firmware) if part),
    )
    _write(place, camera, words)


@app.command()
def check(  # noqa: PLR0917 - options of a command line
    camera_id: Annotated[str, typer.Argument(metavar="ID", help="The camera's id.")],
    site: Annotated[Path, typer.Option(help="The site's folder.")],
    port: Annotated[
        int, typer.Option(help="ONVIF port of a camera that is declared by url.")
    ] = ONVIF_PORT,
    credential: CredentialOption = None,
    store: Store = Path("credentials.enc"),
    apply: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--apply", help="Set size, rate, key frames (and the clock: --ntp).")
    ] = False,
    ntp: Annotated[
        list[str] | None, typer.Option(help="With --apply: its time server. Repeatable.")
    ] = None,
    lang: Lang = None,
) -> None:
    """Hold a camera against its file; 1 when they differ. Changes nothing without --apply."""
    words = _begin(lang)
    camera = _camera(site, camera_id, words)
    address = _onvif_address(camera, port)
    if address is None:
        fail(say("not_checkable", words, id=camera.id))
    from runtime.clock import SystemClock
    from zeroentry.camera_check import hold_against

    pair = _pair(credential or camera.credential, store)
    checked = _asked(
        hold_against(camera, *address, pair, SystemClock(), apply=apply, ntp=tuple(ntp or ())),
        words,
        pair,
    )
    _show_checked(camera, checked, words, apply=apply, ntp=bool(ntp))
    raise typer.Exit(EXIT_DIFFERENT if checked.left else 0)


def _begin(lang: str | None) -> Language:
    """The language to speak; logs of libraries stay out of the output."""
    from runtime import logs

    logs.configure("camera", json=False, level="WARNING")
    if find_spec("onvif") is None:
        fail(
            "cameras need the module onvif, which is not installed",
            hint="pip install 'zero-entry[edge]', or `zeroentry doctor` to see what is missing",
        )
    if lang is None:
        return language_of(os.environ)
    try:
        return Language(lang)
    except ValueError:
        fail(f"--lang {lang!r}", hint=f"one of: {', '.join(Language)}")


def _asked(question: Coroutine[Any, Any, T], words: Language, pair: Pair) -> T:
    """Run one visit; a device that does not do as asked ends in one clear line."""
    try:
        return asyncio.run(question)
    except OnvifLost as lost:
        nobody = pair is None and lost.reason is OnvifReason.WRONG_PASSWORD
        fail(reason(lost, words), hint=say("no_user", words) if nobody else "")


def _pair(name: str | None, store: Path) -> Pair:
    """User and password: of the environment, else of the encrypted file.

    Never of an argument, which every user of this machine could read in the list of processes.
    """
    if os.environ.get(USER_ENV):
        return os.environ[USER_ENV], os.environ.get(PASSWORD_ENV, "")
    if name is None:
        return None
    from runtime.secrets import (
        CredentialFileError,
        CredentialStore,
        SecretKeyError,
        UnknownCredentialError,
        secret_key,
    )

    try:
        credential = CredentialStore(store, secret_key(os.environ)).get(name)
    except (CredentialFileError, SecretKeyError, UnknownCredentialError) as error:
        fail(
            str(error.args[0]),
            hint=f"zeroentry credential set {name} --store {store}, or {USER_ENV} and "
            f"{PASSWORD_ENV} in the environment",
        )
    return credential.username, credential.password


@dataclass(frozen=True, slots=True)
class _NewFile:
    path: Path
    site: Path
    area: str


def _new_file(path: Path, area: str | None, words: Language, *, force: bool) -> _NewFile:
    """Where a new camera's file goes; checked before the camera is asked anything."""
    site = path.parent.parent
    good = path.suffix == ".yaml" and path.parent.name == "cameras" and _ID.fullmatch(path.stem)
    if not good or not (site / SITE_FILE).is_file():
        fail(say("bad_path", words, path=path), hint=say("bad_path_hint", words))
    if path.exists() and not force:
        fail(say("exists", words, path=path), hint=say("exists_hint", words))
    try:
        config = check_document(SiteConfig, parse_yaml_strict(site / SITE_FILE))
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(2) from None
    areas = [each.id for each in config.areas]
    chosen = area or (areas[0] if len(areas) == 1 else "")
    if chosen not in areas:
        fail(say("which_area", words, areas=", ".join(areas)), hint=say("which_area_hint", words))
    return _NewFile(path, site, chosen)


def _write(place: _NewFile, camera: NewCamera, words: Language) -> None:
    text = camera_yaml(camera)
    fresh = place.path.with_name(place.path.name + ".new")
    place.path.parent.mkdir(parents=True, exist_ok=True)
    fresh.write_text(text, encoding="utf-8")
    try:
        check_document(CameraConfig, parse_yaml_strict(fresh))
    except SettingsError as error:
        fresh.unlink()
        print_problems(error)
        raise typer.Exit(2) from None
    fresh.replace(place.path)
    console = Console(highlight=False)
    console.print(escape(say("written", words, path=place.path)), soft_wrap=True)
    if camera.credential is not None:
        said = say("next_credential", words, name=camera.credential)
        console.print(escape(said), soft_wrap=True)
    console.print(escape(say("next_config", words, site=place.site)), soft_wrap=True)


def _camera(folder: Path, camera_id: str, words: Language) -> CameraConfig:
    try:
        site = load_site(folder)
    except SettingsError as error:
        print_problems(error)
        raise typer.Exit(2) from None
    cameras = {camera.id: camera for camera in site.cameras}
    if camera_id not in cameras:
        known = ", ".join(cameras) or say("none", words)
        fail(say("no_camera", words, id=camera_id, known=known))
    return cameras[camera_id]


def _onvif_address(camera: CameraConfig, port: int) -> tuple[str, int] | None:
    """Where the camera's own ONVIF service is; None for a recorder's channel, USB or a file."""
    if camera.onvif is not None:
        return camera.onvif.host, camera.onvif.port
    if camera.nvr is not None or camera.main.url is None:
        return None
    host = urlsplit(camera.main.url).hostname
    return (host, port) if host else None


def _show_found(found: tuple[Found, ...], words: Language) -> None:
    console = Console(highlight=False)
    if not found:
        console.print(say("found_none", words))
        return
    table = Table(title=say("found", words, count=len(found)), title_justify="left")
    for key in ("host", "port", "name", "hardware", "location", "note"):
        table.add_column(say(key, words), overflow="fold")
    for each in found:
        note = say("says_host", words, host=each.said_host) if each.said_host else ""
        row = (each.host, str(each.port), each.name, each.hardware, each.location, note)
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    console.print(say("next_probe", words, host=found[0].host, port=found[0].port), soft_wrap=True)


def _show_report(
    report: DeviceReport, main: Profile | None, sub: Profile | None, words: Language
) -> None:
    console = Console(highlight=False)
    told = report.information
    device = " ".join(part for part in (told.manufacturer, told.model, told.firmware) if part)
    console.print(f"{say('device', words)}: {escape(device)}")
    console.print(f"{say('clock', words)}: {_clock_words(report.clock_offset_ms, words)}")
    servers = ", ".join(report.ntp_servers or ()) or say("none", words)
    console.print(f"{say('ntp', words)}: {escape(servers)}")
    table = Table()
    for key in ("profile", "codec", "size", "fps", "key_frames", "kbps", "sound", "stream", "use"):
        table.add_column(say(key, words), overflow="fold")
    for profile in report.profiles:
        use = "use_main" if profile is main else "use_sub" if profile is sub else None
        row = (*_profile_row(profile), report.streams.get(profile.token, ""))
        table.add_row(*(escape(cell) for cell in row), say(use, words) if use else "")
    console.print(table)
    for notice in (*report.notices, *_remarks(main, sub, words)):
        console.print(escape(f"- {notice}"), soft_wrap=True)


def _clock_words(offset_ms: int | None, words: Language) -> str:
    if offset_ms is None:
        return say("clock_unknown", words)
    key = "clock_wrong" if abs(offset_ms) > CLOCK_OFFSET_MAX_MS else "clock_right"
    return say(key, words, offset=offset_ms / 1000)


def _profile_row(profile: Profile) -> tuple[str, ...]:
    video = profile.video
    if video is None:
        return (profile.token, "", "", "", "", "", profile.audio)
    every_s = video.key_frame_every_s
    return (
        profile.token,
        video.codec,
        f"{video.width}x{video.height}",
        f"{video.fps:g}" if video.fps else "",
        f"{every_s:.1f} s" if every_s else "",
        str(video.bitrate_kbps or ""),
        profile.audio,
    )


def _remarks(main: Profile | None, sub: Profile | None, words: Language) -> list[str]:
    if main is None or main.video is None:
        return []
    remarks = [say("hevc", words)] if main.video.codec == "h265" else []
    if sub is None:
        remarks.append(say("no_sub", words))
    if main.audio not in SOUNDS:
        remarks.append(say("sound_unknown", words, codec=main.audio))
    return remarks


def _show_checked(
    camera: CameraConfig, checked: Checked, words: Language, *, apply: bool, ntp: bool
) -> None:
    console = Console(highlight=False)
    if checked.applied:
        names = [say(each, words) for each in checked.applied]
        console.print(say("applied", words, what=", ".join(names)))
    for notice in checked.notices:
        console.print(escape(f"- {notice}"), soft_wrap=True)
    if not checked.left:
        console.print(say("same", words, id=camera.id))
        return
    title = say("differs", words, id=camera.id, count=len(checked.left))
    table = Table(title=title, title_justify="left")
    for key in ("what", "declared", "actual"):
        table.add_column(say(key, words), overflow="fold")
    for each in checked.left:
        row = (what_differs(each, words), each.wanted, each.actual)
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    if not apply:
        console.print(say("apply_hint", words), soft_wrap=True)
    elif not ntp and any(each.kind is DifferenceKind.CLOCK for each in checked.left):
        console.print(say("clock_needs_ntp", words), soft_wrap=True)
