"""Each trouble of a recorder is one alert of its node, of the right rule, and it clears."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contracts.evidence.entries import GapReason
from contracts.observations import Condition, RecordingState
from edge.recorder.__main__ import Desk, open_disk, wire
from edge.recorder.settings import RecorderSettings
from runtime import broker, settings
from runtime.clock import SystemClock
from runtime.site import load_site
from tests.fakes.edge_site import (
    CAMERA,
    ENVIRON,
    NODE,
    ControllerSide,
    Proxy,
)
from tests.fakes.ports import free_port
from tests.fakes.small_disk import SmallDisk
from tests.fakes.stepping_clock import SteppingClock
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import (
    WITHIN_S,
    CameraProcess,
    RecorderUnderTest,
    new_recorder,
)
from tests.integration.recorder_hostile.conftest import (
    HOLE_MS,
    SEAL,
    RecorderOnDisk,
    end_mono_ms,
    faults,
    goes_on,
    holes_ms,
    recorder_on,
)

HOUR_MS = 3_600_000
RULES = {  # as short as the rules allow; what they are by default is tried with a simulated clock
    "node.recorder_down": {"parameters": {"dwell_ms": 1_000}},
    "node.recording_gap": {"parameters": {"dwell_ms": 2_000}},
    "node.disk_low": {"parameters": {"dwell_ms": 0, "clear_ms": 500}},
    "node.disk_failing": {"parameters": {"dwell_ms": 500, "clear_ms": 500}},
}
SECOND_MS = 3_500  # a second alert, on what is not recorded, would have come by then
SPELL = (Condition.ACTIVE, Condition.CLEARED)


@pytest.fixture
async def broker_port() -> AsyncIterator[int]:
    port = free_port()
    task = asyncio.create_task(broker.serve(port, SystemClock()))
    await until(lambda: broker.listening(port), within_s=WITHIN_S, what="the broker listens")
    yield port
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def controller(broker_port: int, tmp_path: Path) -> AsyncIterator[ControllerSide]:
    side = ControllerSide(broker_port, tmp_path)
    task = asyncio.create_task(side.run())
    yield side
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    side.outbox.close()


@contextlib.asynccontextmanager
async def node(recorder: RecorderUnderTest, inside: tuple[str, ...] = ()) -> AsyncIterator[None]:
    """The node beside a recorder that runs already; ends it."""
    process = await asyncio.create_subprocess_exec(
        *(*inside, sys.executable, "-m", "edge", "--config", str(recorder.file)),
        env={**os.environ, **ENVIRON},
        stderr=DEVNULL,
    )
    try:
        yield
        assert process.returncode is None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def laid(folder: Path, url: str, port: int) -> RecorderUnderTest:
    mqtt = {"port": port, "client_id": NODE}
    return new_recorder(folder, url, mqtt=mqtt, api={"port": 0}, rules=RULES)


def watch_beside(recorder: RecorderUnderTest, main_url: str) -> None:
    """Let the node see the camera on its own address, and the recorder on another."""
    file = recorder.file.parent / "site" / "cameras" / f"{CAMERA}.yaml"
    declared = json.loads(file.read_text())
    declared["sub"] = dict(declared["main"])
    declared["main"]["url"] = main_url
    file.write_text(json.dumps(declared))


def spells(controller: ControllerSide) -> list[tuple[str, tuple[Condition, ...]]]:
    """Each alert on node and camera, in the order in which they began, with what became of it."""
    told: dict[tuple[str, str], tuple[Condition, ...]] = {}
    for alert in controller.alerts:
        if alert.rule.startswith(("node.", "camera.")):
            key = alert.rule, alert.alert_id
            told[key] = (*told.get(key, ()), alert.condition)
    return [(rule, conditions) for (rule, _), conditions in told.items()]


async def begins(controller: ControllerSide, rule: str) -> None:
    await until(
        lambda: (rule, SPELL[:1]) in spells(controller), within_s=WITHIN_S, what=f"{rule} begins"
    )


async def clears(controller: ControllerSide, rule: str) -> None:
    await until(
        lambda: (rule, SPELL) in spells(controller), within_s=WITHIN_S, what=f"{rule} clears"
    )


async def calm(controller: ControllerSide) -> None:
    """Wait until the node records and no alert stands; forget those of its start.

    With so short a dwell, the time before a node has found its recorder may be one.
    """
    await records(controller)
    await until(
        lambda: all(became == SPELL for _, became in spells(controller)),
        within_s=WITHIN_S,
        what="no alert stands",
    )
    controller.alerts.clear()


async def records(controller: ControllerSide) -> None:
    """Wait until the node says that it records."""

    def said() -> bool:
        health = controller.health[-1].recording if controller.health else None
        tracks = health.tracks if health is not None and health.running else ()
        return [track.state for track in tracks] == [RecordingState.RECORDING]

    await until(said, within_s=WITHIN_S, what="the node says that it records")


async def test_a_dead_recorder_a_dead_link_and_a_dead_camera_are_one_alert_each(
    camera: CameraProcess, broker_port: int, controller: ControllerSide, tmp_path: Path
) -> None:
    port, _, path = camera.url.removeprefix("rtsp://127.0.0.1:").partition("/")
    proxy = Proxy(int(port))
    serving = asyncio.create_task(proxy.serve())
    await until(lambda: proxy.port, what="the recorder's own way to the camera")
    recorder = laid(tmp_path, camera.url, broker_port)
    watch_beside(recorder, f"rtsp://127.0.0.1:{proxy.port}/{path}")
    following = asyncio.create_task(recorder.client.run())
    clock = SystemClock()
    await recorder.start()
    await recorder.recording()
    try:
        async with node(recorder):
            await calm(controller)
            proxy.frozen = True
            await begins(controller, "node.recording_gap")
            proxy.frozen = False
            await clears(controller, "node.recording_gap")

            await recorder.kill()
            await begins(controller, "node.recorder_down")
            await recorder.start()
            await recorder.recording()
            await clears(controller, "node.recorder_down")

            assert spells(controller) == [
                ("node.recording_gap", SPELL),
                ("node.recorder_down", SPELL),
            ]
            controller.alerts.clear()
            frozen_ms = clock.mono_ms()
            camera.freeze()
            await until(lambda: spells(controller), within_s=WITHIN_S, what="an alert")
            told_ms = clock.mono_ms()
            await until(
                lambda: clock.mono_ms() - told_ms > SECOND_MS,
                within_s=WITHIN_S,
                what="time for a second one",
            )
            ((rule, became),) = spells(controller)
            assert rule in {"camera.frozen", "camera.offline"}  # its link stands, or no more
            assert became == SPELL[:1]
            woken_ms = clock.mono_ms()
            camera.wake()
            await clears(controller, rule)
            await goes_on(recorder)
            assert await recorder.stop() == 0
    finally:
        if recorder.process is not None:
            await recorder.kill()
        for task in (serving, following):
            task.cancel()
        await asyncio.gather(serving, following, return_exceptions=True)
    recorder.check_chain()
    assert faults(recorder.data_dir / "recordings") == []
    assert max(map(abs, holes_ms(recorder.entries()))) <= HOLE_MS
    silent = [one for one in recorder.gaps() if one.reason is GapReason.CAMERA_SILENT][-1]
    assert abs(silent.start.mono_ms - frozen_ms) <= HOLE_MS
    over = [one for one in recorder.gaps() if one.ended][-1]
    assert end_mono_ms(over.start, over.duration_ms) >= woken_ms


async def test_a_full_disk_is_one_alert_on_room_and_one_on_what_is_lost(
    camera: CameraProcess,
    broker_port: int,
    controller: ControllerSide,
    disk: SmallDisk,
    tmp_path: Path,
) -> None:
    recorder: RecorderOnDisk
    async with recorder_on(laid(tmp_path, camera.url, broker_port), disk) as recorder:
        await recorder.start()
        await recorder.recording()
        async with node(recorder, disk.inside):
            await calm(controller)
            # Sealed, so that it is recorded until nothing fits any more.
            assert (await recorder.client.request(SEAL, "c-1")).error is None
            disk.fill()
            await begins(controller, "node.disk_low")
            await begins(controller, "node.disk_failing")
            disk.free()
            await clears(controller, "node.disk_low")
            await clears(controller, "node.disk_failing")
            await records(controller)
    assert sorted(spells(controller)) == [("node.disk_failing", SPELL), ("node.disk_low", SPELL)]


async def test_a_stepped_clock_is_one_alert(
    camera: CameraProcess, broker_port: int, controller: ControllerSide, tmp_path: Path
) -> None:
    recorder = laid(tmp_path, camera.url, broker_port)
    config = settings.load(RecorderSettings, file=recorder.file, environ={}, overrides={})
    clock = SteppingClock()
    disk, keys = await open_disk(config, clock)
    desk = Desk(config, load_site(config.site_dir), disk, keys, clock, os.environ)

    @contextlib.asynccontextmanager
    async def recording() -> AsyncIterator[None]:
        with ExitStack() as stack:
            task = asyncio.create_task(wire(desk, stack).run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async with contextlib.AsyncExitStack() as stack:
        async with recording():
            await stack.enter_async_context(node(recorder))
            await calm(controller)
            clock.step_ms(HOUR_MS)
            await begins(controller, "node.clock_stepped")
        async with recording():  # a recorder that starts knows of no step before it
            await clears(controller, "node.clock_stepped")
            await records(controller)
    assert [row for row in spells(controller) if row[0] != "node.recorder_down"] == [
        ("node.clock_stepped", SPELL)
    ]
