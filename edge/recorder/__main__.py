"""Wires one recorder: its part of the node's settings in, packets on disk out.

python -m edge.recorder --config edge.yaml
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel

from contracts.devices import CameraConfig, PickupConfig, Site
from contracts.evidence.entries import GapReason, TrackId
from contracts.units import RoomId
from edge.core.recording import CheckpointSaid
from edge.evidence.disk import LocalDisk
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import Chain
from edge.evidence.segments import TrackQueue, TrackWriter
from edge.node_settings import NodeError, own_config, tracks_of
from edge.recorder.lock import RecorderRunsError, recorder_lock
from edge.recorder.orders import Orders
from edge.recorder.service import Books, RecorderService, RecorderSetup, Threads
from edge.recorder.settings import RecorderSettings
from edge.recorder.sources import camera_source, pickup_source
from edge.recorder.track import RecordedTrack
from edge.recording.offset_told import OffsetTold
from edge.recording.track import TrackRecorder, TrackSettings
from edge.version import product_version
from runtime import logs, settings
from runtime.clock import Clock, SystemClock
from runtime.signing import KeyFileError
from runtime.site import load_site
from runtime.supervise import EXIT_SETTINGS, run_service

log = structlog.get_logger(__name__)

START_ERRORS: Final = (RecorderRunsError, KeyFileError)
"""What keeps a recorder from starting, with a text for whoever starts it."""

RETRY_MS: Final = 2_000
MIB: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Desk:
    """What all tracks of this recorder share."""

    config: RecorderSettings
    site: Site
    disk: LocalDisk
    keys: NodeKeys
    clock: Clock
    environ: Mapping[str, str]

    def new_chain(self, track_id: TrackId) -> Chain:
        """The chain of a track, not opened yet."""
        return Chain(
            self.disk,
            site=self.site.config.id,
            node=self.config.node,
            track=track_id,
            keys=self.keys,
            clock=self.clock,
            version=product_version(),
        )


def new_track(
    desk: Desk,
    device: CameraConfig | PickupConfig,
    say: Callable[[BaseModel], None],
    loop: asyncio.AbstractEventLoop,
) -> RecordedTrack:
    """One track, wired; ``say`` tells whoever listens and belongs to the loop's thread."""
    recording, clock = desk.config.recording, desk.clock
    queue = TrackQueue(max_bytes=recording.buffer_mib * MIB)
    chain = desk.new_chain(device.id)

    def on_checkpoint(line: bytes) -> None:
        said = CheckpointSaid(track_id=device.id, room_id=device.area, line=line.decode("ascii"))
        if not loop.is_closed():
            loop.call_soon_threadsafe(say, said)

    is_camera = isinstance(device, CameraConfig)
    offsets = OffsetTold(queue)  # asked for nothing by a camera, whose offset is measured
    recorder = TrackRecorder(
        TrackSettings(
            device.id,
            segment_ms=recording.segment_s * 1000,
            fragment_ms=recording.fragment_ms,
            when_gone=GapReason.CAMERA_OFFLINE if is_camera else GapReason.PICKUP_LOST,
        ),
        offsets,
        clock,
    )
    if isinstance(device, CameraConfig):
        source = camera_source(device, recorder, clock, desk.config.credentials_path, desk.environ)
    else:
        source = pickup_source(device, recorder, offsets, clock, say)
    track = RecordedTrack(
        device.id,
        device.area,
        chain=chain,
        queue=queue,
        writer=TrackWriter(
            disk=desk.disk,
            chain=chain,
            queue=queue,
            clock=clock,
            on_checkpoint=on_checkpoint,
            syncs=ThreadPoolExecutor(1, thread_name_prefix=f"sync-{device.id}").submit,
        ),
        recorder=recorder,
        new_source=source,
        clock=clock,
    )
    track.tell_offsets(offsets)
    return track


def wire(desk: Desk, stack: ExitStack) -> RecorderService:
    """Put the recorder together; ``stack`` closes what it opened."""
    config, site = desk.config, desk.site
    node = own_config(site, config.node)
    rooms: Mapping[TrackId, RoomId] = tracks_of(site, node)
    loop = asyncio.get_running_loop()

    def say(said: BaseModel) -> None:
        service.say(said)

    devices: tuple[CameraConfig | PickupConfig, ...] = (*site.cameras, *site.pickups)
    tracks = [new_track(desk, one, say, loop) for one in devices if one.id in rooms]
    orders = Orders(
        rooms,
        {track.track_id: track.chain for track in tracks},
        desk.disk,
        desk.keys,
        desk.new_chain,
    )
    stack.callback(orders.close)
    service = RecorderService(
        RecorderSetup(
            node_id=config.node,
            version=product_version(),
            socket=config.recorder_socket,
            critical_percent=config.recording.critical_percent,
        ),
        tracks,
        Books(desk.disk, desk.keys, orders),
        Threads(_thread(stack, "orders"), _thread(stack, "space")),
        desk.clock,
    )
    return service


def _thread(stack: ExitStack, name: str) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(1, thread_name_prefix=name)
    # Not waited for: a disk that hangs must not keep the process from ending.
    stack.callback(pool.shutdown, wait=False, cancel_futures=True)
    return pool


async def open_disk(config: RecorderSettings, clock: Clock) -> tuple[LocalDisk, NodeKeys]:
    """The recordings' disk and the node's key; waits for a disk that is not there yet.

    Raises:
        KeyFileError: the key is not what it must be, or others may read it.
    """
    waited = False
    while True:
        try:
            disk = LocalDisk(config.recordings_dir)
            return disk, NodeKeys(LocalDisk(config.data_dir / "keys"), disk)
        except OSError as error:
            if not waited:
                log.error("recorder_waits_for_disk", error=str(error))
            waited = True
            await clock.sleep_ms(RETRY_MS)


async def main(config: RecorderSettings, site: Site | None = None) -> None:
    """Record until SIGTERM or SIGINT. ``site`` left out is read from ``config.site_dir``.

    Raises:
        SettingsError: the settings or the site folder hold mistakes.
        RecorderRunsError: another recorder has this data or these recordings.
        KeyFileError: the signing key is not what it must be.
    """
    logs.configure(f"recorder.{config.node}", json=config.log_json, level=config.log_level)
    known = site or load_site(config.site_dir)
    _check(config, known)
    clock = SystemClock()
    with ExitStack() as stack:
        # Nothing is open yet, so a signal that comes while it waits may end the process at once.
        disk, keys = await open_disk(config, clock)
        stack.enter_context(recorder_lock(config.data_dir, config.recordings_dir))
        service = wire(Desk(config, known, disk, keys, clock, os.environ), stack)
        log.info("recorder_started", node=config.node, key=keys.current.id)
        received = await run_service((service.run(),))
        log.info("recorder_stopped", signal=received.name if received else None)


def _check(config: RecorderSettings, site: Site) -> None:
    """Refuse settings with which nothing can be recorded.

    Raises:
        SettingsError: says what is wrong.
    """
    where = f"recorder of {config.node}"
    if not config.recording.enabled:
        problem = settings.Problem(where, "recording.enabled", "is false: nothing is recorded")
        raise settings.SettingsError((problem,))
    try:
        tracks_of(site, own_config(site, config.node))
    except NodeError as error:
        problem = settings.Problem(where, "node", str(error))
        raise settings.SettingsError((problem,)) from error


def run(arguments: Sequence[str]) -> int:
    """``python -m edge.recorder --config FILE``; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.recorder", description="Record one node's cameras and pickups."
    )
    parser.add_argument("--config", type=Path, required=True, help="YAML file of the node")
    file = parser.parse_args(arguments).config
    try:
        config = settings.load(RecorderSettings, file=file, environ=os.environ, overrides={})
        asyncio.run(main(config))
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    except START_ERRORS as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
