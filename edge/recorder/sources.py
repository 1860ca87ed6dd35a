"""Decides what feeds a track: a camera's main stream, or a pickup."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.devices import CameraConfig, PickupConfig
from edge.capture.reader import GATHER_MS, StreamReader, StreamSource
from edge.core.recording import LevelSaid
from edge.credentials import credentials_of
from edge.recorder.track import NewSource, Source
from edge.recording.offset_told import OffsetTold
from edge.recording.track import TrackRecorder
from runtime.clock import Clock

if TYPE_CHECKING:
    from edge.capture.pickup import PickupEvent

OnLevel = Callable[[LevelSaid], None]
"""Told of each sound level of a pickup, in the event loop's thread."""


def camera_source(
    camera: CameraConfig,
    recorder: TrackRecorder,
    clock: Clock,
    credentials_path: Path,
    environ: Mapping[str, str],
) -> NewSource:
    """Reads the camera's main stream over a connection of its own."""

    def make() -> Source:
        # Asked for here, so that a credential that is missing costs this camera alone.
        credentials = credentials_of(camera, credentials_path, environ)
        source = StreamSource.of(camera, "main", credentials, clock, gather_ms=GATHER_MS)
        return StreamReader(
            source, credentials, clock, random.Random(), sinks=(recorder,), watchers=(recorder,)
        )

    return make


def pickup_source(
    pickup: PickupConfig,
    recorder: TrackRecorder,
    offsets: OffsetTold,
    clock: Clock,
    on_level: OnLevel,
) -> NewSource:
    """Runs the pickup's own process, which tells its losses to the recorder itself."""
    # It needs numpy, and a recorder without pickups is back sooner after a crash.
    from edge.capture.pickup import PickupSource  # noqa: PLC0415 - see above

    def report(event: "PickupEvent") -> None:
        if isinstance(event, LevelSaid):
            on_level(event)

    def make() -> Source:
        source = PickupSource(pickup, clock, random.Random(), report, (recorder,))
        offsets.measure_by(lambda: source.sound_offset_ms)
        return source

    return make
