"""The systemd units start what exists, give away as little as they can, and stop within 5 s."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from typer.main import get_command

from zeroentry.cli import app

UNITS: Final = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
PROGRAM: Final = "/opt/zeroentry/.venv/bin/zeroentry"

HARDENED: Final = {
    "CapabilityBoundingSet": "",
    "DynamicUser": "yes",
    "LockPersonality": "yes",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "ProtectHome": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "UMask": "0077",
}
CALLS: Final = ["@system-service"]
ASKS_CLOCK: Final = ("zeroentry-edge@.service", "zeroentry-recorder@.service")
# These two say with each word how well the clock is kept, and may ask the kernel for it.
OLDER_SYSTEMD: Final = ("RestartSteps", "RestartMaxDelaySec")  # unknown before 254, passed over


def service(path: Path) -> dict[str, list[str]]:
    """The [Service] section; a key may be there more than once."""
    section, values = "", dict[str, list[str]]()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, separator, value = line.partition("=")
            assert separator, f"{path.name}: {line!r}"
            values.setdefault(key, []).append(value)
    return values


def test_there_is_one_for_each_process() -> None:
    assert [path.name for path in UNITS] == [
        "zeroentry-bridge@.service",
        "zeroentry-console.service",
        "zeroentry-controller.service",
        "zeroentry-edge@.service",
        "zeroentry-recorder@.service",
    ]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_away_little_and_comes_back(path: Path) -> None:
    values = service(path)
    for key, wanted in HARDENED.items():
        assert values.get(key) == [wanted], f"{path.name}: {key}={wanted}"
    asks_clock = path.name in ASKS_CLOCK
    wanted_calls = [*CALLS, "adjtimex clock_adjtime"] if asks_clock else CALLS
    assert values["SystemCallFilter"] == wanted_calls
    assert values.get("ProtectClock") == (None if asks_clock else ["yes"])
    assert values["Restart"] == ["always"]
    assert values["TimeoutStopSec"] == ["5"]
    assert "StartLimitIntervalSec=0" in path.read_text(encoding="utf-8")
    for loaded in values.get("LoadCredential", ()):
        assert re.match(r"[a-z.-]+:/etc/zeroentry/keys/", loaded)
    assert "Environment" not in values, "a secret in a unit file is readable by all"


def test_node_and_recorder_are_one_user_with_one_folder() -> None:
    edge, recorder = (service(path) for path in UNITS if path.name in ASKS_CLOCK)
    for key in ("User", "DynamicUser", "StateDirectory", "StateDirectoryMode"):
        assert edge[key] == recorder[key]
    assert "EnvironmentFile" not in recorder, "the recorder has no keys of an API or a broker"
    text = next(path for path in UNITS if "recorder" in path.name).read_text(encoding="utf-8")
    for binding in ("BindsTo=", "Requires=", "PartOf=", "Requisite="):
        assert binding not in text, "recording must not end with anything else"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_subcommand_that_exists(path: Path) -> None:
    program, name, *options = service(path)["ExecStart"][0].split()
    assert program == PROGRAM
    command = get_command(app)
    subcommand = command.commands[name]  # type: ignore[attr-defined]  # it is a group
    known = {text for parameter in subcommand.params for text in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to ask")
def test_systemd_understands_it(path: Path, tmp_path: Path) -> None:
    program = tmp_path / "zeroentry"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    copy = tmp_path / path.name
    text = path.read_text(encoding="utf-8").replace(PROGRAM, str(program))
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    complaints = [
        line
        for line in done.stderr.splitlines()
        if path.name.split(".")[0].split("@")[0] in line
        and not any(f"'{key}'" in line for key in OLDER_SYSTEMD)
    ]
    assert not complaints
