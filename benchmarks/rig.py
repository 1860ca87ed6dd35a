"""Lays out a node with N cameras for the recording benchmarks, and runs its parts as processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from benchmarks.cameras import FPS, Sent, rows
from contracts.evidence.entries import Entry, Segment, parse_entry

ROOT: Final = Path(__file__).resolve().parents[1]
CLIP: Final = ROOT / "build" / "benchmarks" / "clip-1080p25.mp4"
AREA: Final = "room-1"
NODE: Final = "edge-1"
START_S: Final = 60.0  # the first run encodes the clip
STOP_S: Final = 10.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


class RigError(Exception):
    """A part of the benchmark did not do what it must; says which."""


@dataclass(frozen=True, slots=True)
class Cameras:
    """The running generator: where it plays and what it has sent."""

    port: int
    log: Path
    pid: int

    def url(self, name: str) -> str:
        """The address of one camera; any name is one."""
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    def sent(self, name: str) -> list[Sent]:
        """What clients of a camera were sent, once they have left."""
        return [row for row in rows(self.log) if row.camera == name]


@contextmanager
def cameras(folder: Path) -> Iterator[Cameras]:
    """Run the generator; ends it."""
    CLIP.parent.mkdir(parents=True, exist_ok=True)
    log = folder / "sent.jsonl"
    command = [sys.executable, "-m", "benchmarks.cameras", "--clip", str(CLIP), "--log", str(log)]
    with process(command, stdout=subprocess.PIPE) as child:
        if child.stdout is None:
            raise RigError("the generator has no output")
        line = child.stdout.readline()
        if not line.strip():
            raise RigError("the generator of camera streams did not start")
        yield Cameras(int(line), log, child.pid)


@contextmanager
def process(
    command: Sequence[str],
    *,
    stdout: int | None = None,
    log: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process, stopped in an orderly way at the end, else killed."""
    errors = log.open("ab") if log else None
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else errors or subprocess.DEVNULL,
        stderr=errors,
        env={**os.environ, **(environ or {})},
    )
    try:
        yield child
    finally:
        stop(child)
        if errors:
            errors.close()


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a child: SIGTERM, and SIGKILL when it does not listen."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass(frozen=True, slots=True)
class Node:
    """A laid-out node: its settings file and its recordings."""

    config: Path
    data: Path
    log: Path

    @property
    def recordings(self) -> Path:
        """Where segments and manifests lie."""
        return self.data / "recordings"

    @property
    def command(self) -> list[str]:
        """How its recorder is started."""
        return [sys.executable, "-m", "edge.recorder", "--config", str(self.config)]

    def entries(self, track: str) -> list[Entry]:
        """Every entry of a track's chain, in order."""
        days = sorted((self.recordings / track).glob("*/manifest.jsonl"))
        return [parse_entry(line)[1] for day in days for line in day.read_bytes().splitlines()]

    def segments(self, track: str) -> list[tuple[Segment, Path]]:
        """Every finished segment of a track and its file."""
        folder = self.recordings / track
        return [
            (entry, next(folder.glob(f"*/{entry.file}")))
            for entry in self.entries(track)
            if isinstance(entry, Segment)
        ]


def lay(folder: Path, urls: Mapping[str, str], *, recording: Mapping[str, object]) -> Node:
    """Write a site of one area with these cameras, and the settings of its node."""
    site = folder / "site"
    shutil.copytree(ROOT / "firmware_configs" / "demo" / "maps", site / "maps")
    name = {"zh": "基准", "en": "Benchmark"}
    area = {"id": AREA, "name": dict(name), "kind": "evaluation", "seats": 5}
    _write(
        site / "site.yaml",
        {
            "kind": "site",
            "id": "bench",
            "name": name,
            "map": "maps/floor-1.lif.json",
            "kitchen_node": "kitchen",
            "areas": [area],
        },
    )
    _write(site / "nodes" / f"{NODE}.yaml", {"kind": "node", "id": NODE, "areas": [AREA]})
    for camera, url in urls.items():
        stream = {"url": url, "codec": "h264", "width": 1920, "height": 1080, "fps": FPS}
        _write(
            site / "cameras" / f"{camera}.yaml",
            {
                "kind": "camera",
                "id": camera,
                "area": AREA,
                "name": name,
                "main": stream,
                "sound": "aac",
                "simulated": True,
            },
        )
    data = folder / "data"
    data.mkdir()
    settings = {
        "node": NODE,
        "site_dir": str(site),
        "data_dir": str(data),
        "mqtt": {"host": "127.0.0.1", "port": 1, "client_id": NODE},
        "recording": dict(recording),
    }
    config = folder / "edge.yaml"
    _write(config, settings)
    return Node(config, data, folder / "recorder.log")


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document), allow_unicode=True), "utf-8")


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, user and system, its ended children included.

    Raises:
        RigError: there is no such process.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError as error:
        raise RigError(f"process {pid} is gone: {error}") from error
    fields = text.rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15]) / TICKS


def wait_for(seconds: float, what: str, done: Callable[[], bool]) -> None:
    """Look ten times a second whether ``done()`` holds.

    Raises:
        RigError: it did not within ``seconds``.
    """
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise RigError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)
