"""Runs a private PostgreSQL server in a temporary folder, for tests and measurements.

The server listens on a Unix socket in that folder alone and is gone with it. PostgreSQL refuses to
run as root, so there it runs as the account ``postgres`` that its package makes.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ACCOUNT: Final = "postgres"
START_S: Final = 30.0
POLL_S: Final = 0.05
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up."""

    folder: Path
    pid: int

    def url(self, database: str = "postgres") -> str:
        """As SQLAlchemy takes it."""
        socket = str(self.folder / "socket").replace("/", "%2F")
        return f"postgresql+psycopg://{ACCOUNT}@/{database}?host={socket}"

    def make(self, database: str, template: str = "template1") -> str:
        """Make a database, a copy of ``template``; its URL."""
        import psycopg  # an extra

        where = f"host={self.folder / 'socket'} user={ACCOUNT} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())
        return self.url(database)


def binaries() -> Path | None:
    """Where the newest server of this machine is; None: it has none."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    return versions[-1] if versions else None


@contextmanager
def running(
    settings: Mapping[str, str] | None = None, *, parent: Path | None = None
) -> Iterator[Server]:
    """A server with an empty cluster; stopped and removed at the end."""
    found = binaries()
    if found is None:
        raise RuntimeError("no PostgreSQL here; run: sh deploy/setup/test-system.sh")
    folder = Path(tempfile.mkdtemp(prefix="ze-pg-", dir=parent))
    given = {**SETTINGS, **(settings or {}), "unix_socket_directories": str(folder / "socket")}
    (folder / "socket").mkdir()
    _hand_over(folder)
    process = None
    account = _account()
    try:
        data = folder / "data"
        _run([str(found / "initdb"), "-D", str(data), "-U", ACCOUNT, "-E", "UTF8", "--no-locale",
              "-A", "trust", "--no-sync"])  # fmt: skip
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(found / "postgres"), "-D", str(data), *options],
                stdout=log,
                stderr=log,
                user=account,
                group=account,
            )
        _wait(found, folder, process)
        yield Server(folder, process.pid)
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for clients that linger
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(found: Path, folder: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")
        asked = subprocess.run(
            [str(found / "pg_isready"), "-q", "-h", str(folder / "socket")], check=False
        )
        if asked.returncode == 0:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
    raise RuntimeError(f"PostgreSQL is not up after {START_S} s")


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        for path in (folder, folder / "socket"):
            os.chown(path, account.pw_uid, account.pw_gid)


def _account() -> str | None:
    return ACCOUNT if os.geteuid() == 0 else None


def _run(command: list[str]) -> None:
    account = _account()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, user=account, group=account
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-500:]}")
