"""Measures how many sealed rooms one machine watches and records: node and recorder as sites run.

Each room has one camera: 1080p25 H.264 at 4 Mb/s with AAC, recorded as it comes, and a sub stream
of 640x360 at five pictures a second with the talk of the room, analysed with every rule on. Shown
are composed rooms of five to nine people who move on their seats. One process sends all streams,
with a phase of its own for each sub stream; a broker and a receiver that acknowledges run beside.
All of them share the machine with what is measured, and nothing is taken off.
"""

import asyncio
import json
import random
import re
import secrets
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import numpy as np
from av.audio.frame import AudioFrame

from benchmarks.camera_scenes import KEPT, Played
from benchmarks.cameras import RATE_HZ, SAMPLES, rows
from benchmarks.form import Figure
from benchmarks.rig import (
    NODE,
    SITE,
    Cameras,
    Node,
    RigError,
    Watched,
    area_of,
    cameras,
    compare,
    cpu_s,
    lay,
    process,
    stop,
)
from contracts import codec, topics
from contracts.commands import Seal
from contracts.envelope import Delivered
from contracts.topics import Kind
from runtime import broker, logs
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings, Outgoing
from runtime.outbox import ack_for, cursor_after
from tests.corpus import sound_parts
from zeroentry.demo.plan import free_ports

SUB_FPS: Final = 5
SHARE_MIN: Final = 0.95  # of five pictures a second: less, and a camera counts as not kept up with
ROOMS_MAX: Final = 64  # what a node's word on itself lists
LIVE_WITHIN_S: Final = 60.0
SEALED_WITHIN_S: Final = 20.0
SEGMENT_S: Final = 10  # the shortest: files are closed, hashed and signed within every window
SOUND_S: Final = 40
TALK_DBFS: Final = -36.0
AIR_DBFS: Final = -58.0
SOUND_SEED: Final = 811
EPOCH: Final = "0" * 16
TOKEN: Final = secrets.token_urlsafe(24)
ENVIRON: Final = {"ZEROENTRY_EDGE_TOKENS": f"bench:view+metrics:{TOKEN}"}
ANALYSED: Final = re.compile(
    r'^zeroentry_edge_frame_delay_seconds_(count|sum)\{camera="([^"]+)"\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each try lasts."""

    warm_s: float
    window_s: float
    first: int
    """Rooms of the first try."""
    limit_s: float
    """No further try begins after this; 0: one try, and one with half of it if that fails."""


@dataclass(frozen=True, slots=True)
class Held:
    """One try with so many rooms."""

    rooms: int
    fps_least: float
    """Of the camera that was analysed least, pictures a second over the window."""
    delay_ms: float
    """From arrival to what was seen, mean over all cameras."""
    counted: int
    """Rooms whose head count was that of all who sit, at the end of the window."""
    gaps: int
    sent: int
    written: int
    skipped: int
    """Pictures that the generator could not send: somebody did not read."""
    cores: dict[str, float]
    """Processor time a second over the window, by process."""

    @property
    def good(self) -> bool:
        """Every camera analysed, every packet on disk."""
        watched = self.fps_least >= SHARE_MIN * SUB_FPS
        return watched and self.gaps == 0 and self.sent == self.written and self.skipped == 0


def talk() -> Path:
    """What is heard in the rooms: talk with pauses."""
    path = KEPT.parent / f"talk-{SOUND_SEED}.mp4"
    if path.exists():
        return path
    rng = np.random.default_rng(SOUND_SEED)
    sound = sound_parts.room_tone(rng, SOUND_S, AIR_DBFS)
    sound = sound + sound_parts.talk(rng, SOUND_S, TALK_DBFS, pause_s=(0.2, 2.5))[0]
    at = np.arange(SOUND_S * RATE_HZ) * (sound_parts.RATE_HZ / RATE_HZ)
    whole = np.interp(at, np.arange(sound.size), sound).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with av.open(str(part), "w", format="mp4") as out:
        audio = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number, begin in enumerate(range(0, whole.size - SAMPLES, SAMPLES)):
            block = whole[None, begin : begin + SAMPLES]
            frame = AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.pts, frame.sample_rate = number * SAMPLES, RATE_HZ
            frame.time_base = Fraction(1, RATE_HZ)
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    part.replace(path)
    return path


class _Api:
    """The node's API."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def text(self, path: str) -> str:
        """What it answers; OSError while it does not."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            self._base + path, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            body: bytes = answer.read()
            return body.decode()

    def list_of(self, path: str, name: str | None = None) -> list[dict[str, Any]]:
        """A list that it answers, none while it does not answer."""
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            found = json.loads(self.text(path))
            rows_found: list[dict[str, Any]] = found[name] if name else found
            return rows_found
        return []

    def analysed(self) -> dict[str, tuple[float, float]]:
        """By camera: pictures analysed since the start, and the sum of their delays in seconds."""
        counts: dict[str, dict[str, float]] = {}
        for what, camera, value in ANALYSED.findall(self.text("/metrics")):
            counts.setdefault(camera, {})[what] = float(value)
        return {camera: (one["count"], one["sum"]) for camera, one in counts.items()}


class _Controller:
    """What the controller does on the bus: seals rooms, acknowledges what a node hands over."""

    def __init__(self, port: int) -> None:
        self._clock = SystemClock()
        settings = MqttSettings(port=port, client_id="bench")
        self._session = MqttSession(settings, self._clock, rng=random.Random(1))
        self._sent = 0

    async def run(self) -> None:
        """Until cancelled."""
        kinds = (Kind.ALERT, Kind.APPLIED, Kind.ENTRY)
        filters = [topics.room_filter(kind, SITE) for kind in kinds]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run())
            for wanted in (*filters, topics.checkpoint_filter(SITE)):
                group.create_task(self._take(wanted))

    async def connected(self) -> None:
        """Return once the bus is there."""
        await self._session.wait_connected()

    async def _take(self, wanted: str) -> None:
        async for inbound in self._session.subscribe(wanted, qos=1):
            message = codec.decode(inbound.topic, inbound.payload)
            if isinstance(message, codec.Message) and message.delivered is not None:
                ack = ack_for(cursor_after(message.delivered), by="controller")
                topic = topics.ack_topic(SITE, message.delivered.stream)
                await self._session.publish(Outgoing(topic, codec.encode_ack(ack), retain=True))

    async def seal(self, room: str, admitted: int) -> None:
        """Order that a room is sealed with so many people."""
        self._sent += 1
        now = self._clock.utc_ms()
        body = Seal(
            command_id=f"seal-{self._sent}",
            room_id=room,
            session_id=f"session-{self._sent}",
            admitted=admitted,
            at_utc_ms=now,
        )
        stream = topics.command_stream(NODE)
        payload = codec.encode(
            Kind.COMMAND,
            body,
            message_id=body.command_id,
            sender="controller",
            sent_utc_ms=now,
            delivered=Delivered(stream=stream, epoch=EPOCH, seq=self._sent, floor=1),
        )
        topic = topics.command_topic(SITE, NODE)
        await self._session.publish(Outgoing(topic, payload, qos=1))


@dataclass(frozen=True, slots=True)
class _Running:
    """All processes of one try."""

    node: Node
    api: _Api
    watched: Watched
    pids: dict[str, subprocess.Popen[bytes] | Cameras]
    played: Cameras
    broker_port: int

    def cpu_s(self) -> dict[str, float]:
        """Processor time so far, by process."""
        return {name: cpu_s(one.pid) for name, one in self.pids.items()}


@contextmanager
def _running(folder: Path, scenes: Sequence[Played], rooms: int) -> Iterator[_Running]:
    names = [f"cam-{number}" for number in range(1, rooms + 1)]
    which = {name: number % len(scenes) for number, name in enumerate(names)}
    more = [f"--sub={one.path}" for one in scenes]
    with ExitStack() as stack:
        played = stack.enter_context(cameras(folder, [*more, f"--sub-sound={talk()}"]))
        broker_port, api_port = free_ports(2)
        watched = Watched(
            broker_port=broker_port,
            api_port=api_port,
            subs={name: played.url(f"sub-{which[name]}/{name}") for name in names},
            sub_fps=SUB_FPS,
            seats={name: scenes[which[name]].people for name in names},
        )
        urls = {name: played.url(name) for name in names}
        node = lay(folder, urls, recording={"segment_s": SEGMENT_S}, watched=watched)
        log = folder / "node.log"
        between = stack.enter_context(process(broker.command(broker_port), log=folder / "bus.log"))
        recorder = stack.enter_context(process(node.command, log=node.log))
        watching = stack.enter_context(process(node.watching, log=log, environ=ENVIRON))
        pids: dict[str, subprocess.Popen[bytes] | Cameras] = {
            "node": watching,
            "recorder": recorder,
            "generator": played,
            "broker": between,
        }
        yield _Running(node, _Api(api_port), watched, pids, played, broker_port)
        for one in (watching, recorder):
            await_end(one)


def await_end(child: subprocess.Popen[bytes]) -> None:
    """Stop a process that must not have ended before.

    Raises:
        RigError: it had, or it ends with an error.
    """
    if child.poll() is not None:
        raise RigError(f"{child.args!r} ended by itself with {child.returncode}")
    stop(child)
    if child.returncode != 0:
        raise RigError(f"{child.args!r} ended with {child.returncode}")


async def _until(seconds: float, what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not await asyncio.to_thread(done):
        if time.monotonic() > until:
            raise RigError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.2)  # what is waited for are other processes, which call nobody here


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was counted up to a moment."""

    at_s: float
    analysed: dict[str, tuple[float, float]]
    cpu_s: dict[str, float]

    @classmethod
    def of(cls, running: _Running) -> Self:
        """Read it now."""
        return cls(time.monotonic(), running.api.analysed(), running.cpu_s())


async def _sealed(running: _Running, controller: _Controller) -> None:
    """Wait for every camera, then seal every room."""
    api, watched = running.api, running.watched

    def live() -> bool:
        known = api.list_of("/api/v1/health", "cameras")
        return bool(known) and all(one["state"] == "live" for one in known)

    def sealed() -> bool:
        known = api.list_of("/api/v1/areas")
        return bool(known) and all(one.get("sealed") for one in known)

    await _until(LIVE_WITHIN_S, "every camera is live", live)
    for camera, people in watched.seats.items():
        await controller.seal(area_of(camera, watched), people)
    await _until(SEALED_WITHIN_S, "every room is sealed", sealed)


async def _watch(running: _Running, effort: Effort) -> tuple[_Reading, _Reading, int]:
    """The window's begin and end, and in how many rooms the head count was right at its end."""
    controller = _Controller(running.broker_port)
    runs = asyncio.create_task(controller.run())
    try:
        await controller.connected()
        await _sealed(running, controller)
        # The window is real time, not a condition: pictures a second are the figure.
        await asyncio.sleep(effort.warm_s)
        first = await asyncio.to_thread(_Reading.of, running)
        await asyncio.sleep(effort.window_s)
        last = await asyncio.to_thread(_Reading.of, running)
        areas = await asyncio.to_thread(running.api.list_of, "/api/v1/areas")
    finally:
        runs.cancel()
        with suppress(asyncio.CancelledError):
            await runs
    watched = running.watched
    seats = {area_of(one, watched): people for one, people in watched.seats.items()}
    counted = sum(one["observation"].get("head_count") == seats[one["id"]] for one in areas)
    return first, last, counted


def hold(scenes: Sequence[Played], rooms: int, effort: Effort) -> Held:
    """Watch and record so many rooms; what became of it.

    Raises:
        RigError: a process did not start or ended by itself.
    """
    with tempfile.TemporaryDirectory(prefix="zeroentry-rooms-") as name:
        folder = Path(name)
        with _running(folder, scenes, rooms) as running:
            first, last, counted = asyncio.run(_watch(running, effort))
        seats = running.watched.seats
        compared = [compare(running.node, one) for one in seats]
        skipped = sum(one.skipped for one in rows(running.played.log))
    lasted_s = last.at_s - first.at_s
    none = (0.0, 0.0)
    pictures, delays_s = (
        [last.analysed.get(one, none)[part] - first.analysed.get(one, none)[part] for one in seats]
        for part in (0, 1)
    )
    return Held(
        rooms,
        fps_least=min(pictures) / lasted_s,
        delay_ms=1000 * sum(delays_s) / max(sum(pictures), 1),
        counted=counted,
        gaps=sum(one.gaps for one in compared),
        sent=sum(one.sent for one in compared),
        written=sum(one.written for one in compared),
        skipped=skipped,
        cores={
            name: (last.cpu_s[name] - used_s) / lasted_s for name, used_s in first.cpu_s.items()
        },
    )


def climb(scenes: Sequence[Played], effort: Effort) -> list[Held]:
    """Double the rooms until they are too many, then halve the distance; every try, in order."""
    until = time.monotonic() + effort.limit_s
    tries = [hold(scenes, effort.first, effort)]
    if not effort.limit_s:
        if not tries[0].good and effort.first > 1:
            tries.append(hold(scenes, effort.first // 2, effort))
        return tries
    while time.monotonic() < until:
        good = max((one.rooms for one in tries if one.good), default=0)
        bad = min((one.rooms for one in tries if not one.good), default=2 * ROOMS_MAX)
        rooms = min(2 * good, ROOMS_MAX) if bad > ROOMS_MAX else (good + bad) // 2
        if rooms in (good, bad) or rooms < 1:
            break
        tries.append(hold(scenes, rooms, effort))
    return tries


def rooms_figures(scenes: Sequence[Played], effort: Effort) -> dict[str, Figure]:
    """The most rooms that were held, what they cost, and the fewest that were too many."""
    logs.configure("benchmark", json=False, level="ERROR")
    tries = climb(scenes, effort)
    best = max((one for one in tries if one.good), key=lambda one: one.rooms, default=None)
    worst = min((one for one in tries if not one.good), key=lambda one: one.rooms, default=None)
    figures: dict[str, Figure] = {
        "cameras_per_machine": best.rooms if best else 0,
        "cameras_too_many": worst.rooms if worst else None,
        "cameras_tried": ", ".join(str(one.rooms) for one in tries),
        "cameras_window_s": effort.window_s,
        "cameras_sound": "talk",
    }
    for name, one in (("held", best), ("too_many", worst)):
        if one is None:
            continue
        figures[f"{name}_fps_least"] = one.fps_least
        figures[f"{name}_delay_ms"] = one.delay_ms
        figures[f"{name}_heads_right"] = one.counted
        figures[f"{name}_packets_sent"] = one.sent
        figures[f"{name}_packets_written"] = one.written
        figures[f"{name}_gaps"] = one.gaps
        for part, cores in one.cores.items():
            figures[f"{name}_{part}_cpu_percent_per_camera"] = 100 * cores / one.rooms
    return figures
