"""Decides what this machine lacks for each job of a site, and which line gets it."""

import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

PYTHON_OLDEST: Final = (3, 11)
DISK_FREE_MIN_BYTES: Final = 5 * 1024**3
# Five GiB: the demo needs below one; less than this and a recording node is about to stop.
CONSOLE_PORT: Final = 8080
NTP_MARK: Final = Path("/run/systemd/timesync/synchronized")
CHRONY_MARK: Final = Path("/run/chrony/chronyd.sock")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for. ``needed`` says that the demo cannot run without it."""

    what: str
    good: bool
    needed: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    job: str
    needed: bool
    fix: str


_MODULES: Final = (
    _Module("av", "cameras (edge)", True, "pip install 'zero-entry[edge]'"),
    _Module("onnxruntime", "person detector (edge)", True, "pip install 'zero-entry[edge]'"),
    _Module("cv2", "pictures (edge)", True, "pip install 'zero-entry[edge]'"),
    _Module("sqlalchemy", "store (controller)", True, "pip install 'zero-entry[controller]'"),
    _Module("nicegui", "console", True, "pip install 'zero-entry[controller]'"),
    _Module("iotcore", "broker of the demo", True, "pip install zero-entry"),
    _Module("aio_rtsp_toolkit", "simulated cameras (demo)", True, "pip install 'zero-entry[demo]'"),
    _Module(
        "rclpy",
        "robots on ROS 2",
        False,
        "python3 -m venv .venv-ros && .venv-ros/bin/pip install --require-hashes "
        "-r requirements/robot.txt  (a venv of its own: its wheels bring an old OpenSSL)",
    ),
)


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    job: str
    package: str


_PROGRAMS: Final = (
    _Program("mosquitto", "broker of a real site; tests", "mosquitto"),
    _Program("chromium", "browser tests", "chromium"),
)


def examine(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Look at this machine; changes nothing."""
    return (
        _python(),
        *(_module(module) for module in _MODULES),
        *(_program(program) for program in _PROGRAMS),
        _disk(Path.cwd()),
        _clock(),
        _port(CONSOLE_PORT),
        _secret_key(environ),
        _video_devices(),
    )


def render(findings: tuple[Finding, ...]) -> Table:
    """The findings as a table; the last column is the line that fixes it."""
    table = Table(title="zeroentry doctor", title_justify="left", expand=False)
    table.add_column("")
    table.add_column("what")
    table.add_column("found", overflow="fold")
    table.add_column("how to get it", overflow="fold")
    for finding in findings:
        if finding.good:
            mark = Text("ok", style="green")
        elif finding.needed:
            mark = Text("missing", style="bold red")
        else:
            mark = Text("optional", style="yellow")
        table.add_row(mark, finding.what, finding.detail, "" if finding.good else finding.fix)
    return table


def _python() -> Finding:
    version = sys.version_info[:3]
    return Finding(
        what="Python",
        good=version >= PYTHON_OLDEST,
        needed=True,
        detail=".".join(map(str, version)),
        fix="Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv",
    )


def _module(module: _Module) -> Finding:
    found = find_spec(module.name) is not None
    return Finding(
        what=module.job,
        good=found,
        needed=module.needed,
        detail=module.name if found else f"{module.name} is not installed",
        fix=module.fix,
    )


def _program(program: _Program) -> Finding:
    path = shutil.which(program.name) or shutil.which(program.name, path="/usr/sbin:/sbin")
    return Finding(
        what=program.job,
        good=path is not None,
        needed=False,
        detail=path or f"{program.name} is not installed",
        fix=f"apt-get install {program.package}",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding(
        what="disk space",
        good=free >= DISK_FREE_MIN_BYTES,
        needed=False,
        detail=f"{free / 1024**3:.1f} GiB free at {folder}",
        fix=f"free at least {DISK_FREE_MIN_BYTES // 1024**3} GiB, or keep data on another disk",
    )


def _clock() -> Finding:
    good = NTP_MARK.exists() or CHRONY_MARK.exists()
    return Finding(
        what="clock in sync",
        good=good,
        needed=False,
        detail="NTP runs" if good else "no NTP service says that the clock is in sync",
        fix="apt-get install systemd-timesyncd (or chrony)",
    )


def _port(port: int, bind: Callable[[int], None] | None = None) -> Finding:
    try:
        (bind or _try_bind)(port)
    except OSError as error:
        detail, good = f"port {port} is taken: {error.strerror}", False
    else:
        detail, good = f"port {port} is free", True
    return Finding(
        what="console's port",
        good=good,
        needed=False,
        detail=detail,
        fix="zeroentry demo --port 8081",
    )


def _try_bind(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def _secret_key(environ: Mapping[str, str]) -> Finding:
    good = bool(environ.get("ZEROENTRY_SECRET_KEY") or environ.get("CREDENTIALS_DIRECTORY"))
    return Finding(
        what="key for camera passwords",
        good=good,
        needed=False,
        detail="set" if good else "ZEROENTRY_SECRET_KEY is not set",
        fix="only for cameras with a password: "
        "export ZEROENTRY_SECRET_KEY=$(openssl rand -base64 32 | tr '+/' '-_')",
    )


def _video_devices() -> Finding:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    return Finding(
        what="USB cameras",
        good=bool(devices),
        needed=False,
        detail=", ".join(devices) or "none at /dev/video*",
        fix="plug one in, or use rtsp://",
    )
