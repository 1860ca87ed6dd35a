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

import av
import yaml

from benchmarks.cameras import FPS, RATE_HZ, SAMPLES, Sent, number_of, rows, sounds_before
from contracts.evidence.entries import Entry, Gap, GapReason, Segment, parse_entry

ROOT: Final = Path(__file__).resolve().parents[1]
CLIP: Final = ROOT / "build" / "benchmarks" / "clip-1080p25.mp4"
AREA: Final = "room-1"
NODE: Final = "edge-1"
SITE: Final = "bench"
START_S: Final = 60.0  # the first run encodes the clip
STOP_S: Final = 10.0
EXTRA_SOUNDS_MAX: Final = 5
# The sound of the first and of the last picture may or may not be there.
LESS_SOUNDS_MAX: Final = 2  # of one picture; those between others are seen by their time stamps
HOLE_FRAMES: Final = 1.5  # sound packets further apart than this have lost one between them
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
def cameras(folder: Path, more: Sequence[str] = ()) -> Iterator[Cameras]:
    """Run the generator, with ``more`` on its command line; ends it."""
    CLIP.parent.mkdir(parents=True, exist_ok=True)
    log = folder / "sent.jsonl"
    command = [sys.executable, "-m", "benchmarks.cameras", "--clip", str(CLIP), "--log", str(log)]
    command += more
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

    @property
    def watching(self) -> list[str]:
        """How the node itself is started."""
        return [sys.executable, "-m", "edge", "--config", str(self.config)]

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


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a node that also watches finds its broker, and where its API listens.

    ``subs``: the address of each camera's sub stream, 640x360 at ``sub_fps``. ``seats``: people of
    each camera's room; every camera has a room of its own, called after it.
    """

    broker_port: int
    api_port: int
    subs: Mapping[str, str]
    sub_fps: int
    seats: Mapping[str, int]


def area_of(camera: str, watched: Watched | None) -> str:
    """The area of a camera."""
    return f"room-of-{camera}" if watched else AREA


def lay(
    folder: Path,
    urls: Mapping[str, str],
    *,
    recording: Mapping[str, object],
    watched: Watched | None = None,
) -> Node:
    """Write a site with these cameras, all in one area if not watched, and its node's settings."""
    site = folder / "site"
    shutil.copytree(ROOT / "firmware_configs" / "demo" / "maps", site / "maps")
    name = {"zh": "基准", "en": "Benchmark"}
    seats = {area_of(one, watched): watched.seats[one] if watched else 5 for one in urls}
    areas = [
        {"id": area, "name": dict(name), "kind": "evaluation", "seats": people}
        for area, people in seats.items()
    ]
    _write(
        site / "site.yaml",
        {
            "kind": "site",
            "id": SITE,
            "name": name,
            "map": "maps/floor-1.lif.json",
            "kitchen_node": "kitchen",
            "areas": areas,
        },
    )
    _write(site / "nodes" / f"{NODE}.yaml", {"kind": "node", "id": NODE, "areas": list(seats)})
    for camera, url in urls.items():
        stream = {"url": url, "codec": "h264", "width": 1920, "height": 1080, "fps": FPS}
        declared: dict[str, object] = {
            "kind": "camera",
            "id": camera,
            "area": area_of(camera, watched),
            "name": name,
            "main": stream,
            "sound": "aac",
            "simulated": True,
        }
        if watched:
            size = {"width": 640, "height": 360, "fps": watched.sub_fps}
            declared["sub"] = {"url": watched.subs[camera], "codec": "h264", **size}
        _write(site / "cameras" / f"{camera}.yaml", declared)
    data = folder / "data"
    data.mkdir()
    settings = {
        "node": NODE,
        "site_dir": str(site),
        "data_dir": str(data),
        "mqtt": {
            "host": "127.0.0.1",
            "port": watched.broker_port if watched else 1,
            "client_id": NODE,
        },
        "recording": dict(recording),
    }
    if watched:
        settings["api"] = {"port": watched.api_port}
    config = folder / "edge.yaml"
    _write(config, settings)
    return Node(config, data, folder / "recorder.log")


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document), allow_unicode=True), "utf-8")


@dataclass(frozen=True, slots=True)
class Compared:
    """What one camera sent while it was recorded, and what of it lies on disk."""

    sent: int
    written: int
    gaps: int


def compare(node: Node, track: str) -> Compared:
    """Compare a track with the numbers that the generator put into its pictures.

    Raises:
        RigError: nothing is on disk, or something twice.
    """
    numbers: list[int] = []
    sounds, holes = 0, 0
    for segment, file in node.segments(track):
        last_pts, of_file = 0, 0
        with av.open(str(file)) as source:
            for packet in source.demux():
                if packet.size == 0 or packet.pts is None or packet.time_base is None:
                    continue
                if packet.stream.type == "video":
                    number = number_of(bytes(packet))
                    if number is None:
                        raise RigError(f"{segment.file}: a picture without a number")
                    numbers.append(number)
                    continue
                step = SAMPLES / RATE_HZ / float(packet.time_base)
                # The first packet of a file is stretched to where the file begins.
                holes += of_file > 1 and packet.pts - last_pts > HOLE_FRAMES * step
                last_pts = packet.pts
                of_file += 1
        sounds += of_file
    if not numbers:
        raise RigError(f"{track}: nothing was recorded")
    if len(set(numbers)) != len(numbers):
        raise RigError(f"{track}: pictures are on disk twice")
    first, last = numbers[0], numbers[-1]
    # A picture is known to be whole when the next one begins: the first one's sound comes before.
    expected = sounds_before(last) - sounds_before(first + 1)
    if -LESS_SOUNDS_MAX <= sounds - expected < 0:
        expected = sounds
    elif not 0 <= sounds - expected <= EXTRA_SOUNDS_MAX:
        holes += 1
    gaps = [
        entry
        for entry in node.entries(track)
        if isinstance(entry, Gap) and entry.reason is not GapReason.STARTING
    ]
    return Compared(
        sent=last - first + 1 + expected,
        written=len(numbers) + min(sounds, expected),
        gaps=len(gaps) + holes,
    )


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
        time.sleep(0.1)  # what is waited for are other processes, which call nobody here
