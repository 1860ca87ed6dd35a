"""Runs the analysis of one camera: newest picture in, what it showed to its room, figures of it."""

import asyncio
from collections import deque
from typing import Final

import structlog

from contracts.observations import CameraState
from contracts.units import CameraId
from edge.core import load
from edge.core.attention import LookKind
from edge.core.load import Meter
from edge.ports import Analysed, Camera, Frame, Sight
from edge.room_service import RoomService, Wiring
from runtime.logs import Repeats

log = structlog.get_logger(__name__)

DELAYS_MAX: Final = 64  # of one second: no camera is analysed more often than some ten times


class CameraAnalysis:
    """One camera's analysis; one picture at a time, newest first."""

    def __init__(self, wiring: Wiring, room: RoomService, camera: Camera, sight: Sight) -> None:
        self._wiring = wiring
        self._room = room
        self._camera = camera
        self._sight = sight
        self._delays_ms: deque[float] = deque(maxlen=DELAYS_MAX)
        self._meters: tuple[Meter, ...] = ()
        self._faults = Repeats(wiring.clock)
        self.analysed = 0
        """Pictures whose people are known."""
        metrics, name = wiring.metrics, camera.camera_id
        self._delay = metrics.histogram(
            "edge_frame_delay_seconds",
            "From a picture's arrival to what was seen in it",
            ("camera",),
        ).labels(name)
        self._looks = metrics.counter(
            "edge_looks_total",
            "Pictures by how much of them the detector saw, and why",
            ("camera", "kind", "why"),
        )
        self._looked_share = metrics.gauge(
            "edge_looked_share", "Share of the analysed pictures that the detector saw", ("camera",)
        ).labels(name)
        self._detect = metrics.histogram(
            "edge_detect_seconds", "What one look of the detector took", ("camera",)
        ).labels(name)
        self._looked: deque[bool] = deque(maxlen=300)  # a minute at 5 fps

    @property
    def camera_id(self) -> CameraId:
        return self._camera.camera_id

    def link_changed(self, state: CameraState) -> None:
        """The camera went live, or away."""
        self._meters = ()  # what came before says nothing about the rate of now
        if state is CameraState.LIVE:
            self._sight.reset()

    async def run(self) -> None:
        """Analyse until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._analyse())
            group.create_task(self._measure())

    async def _analyse(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame = await self._camera.frames.get()
            zones = self._room.state.zones.get(self.camera_id, ())
            seen = await loop.run_in_executor(self._wiring.workers, self._sight.take, frame, zones)
            await self._tell(frame, seen)

    async def _tell(self, frame: Frame, seen: Analysed) -> None:
        look = seen.look
        self._looks.labels(self.camera_id, look.kind.value, look.why.value).inc()
        self._looked.append(look.kind is not LookKind.NONE)
        self._looked_share.set(sum(self._looked) / len(self._looked))
        if look.kind is not LookKind.NONE:
            self._detect.observe(seen.detect_ms / 1000)
        if seen.lost is not None:
            self._wiring.metrics.counter(
                "edge_detections_lost_total", "Pictures that could not be analysed"
            ).inc()
            if times := self._faults.due("detection"):
                log.error("detection_lost", camera_id=self.camera_id, error=seen.lost, times=times)
        await self._room.see(frame, seen)
        if seen.people is not None:
            self.analysed += 1
            delay_ms = self._wiring.clock.mono_ms() - frame.at.mono_ms
            self._delays_ms.append(delay_ms)
            self._delay.observe(delay_ms / 1000)

    async def _measure(self) -> None:
        """Tell the room each period how well this keeps up."""
        while True:
            await self._wiring.clock.sleep_ms(load.PERIOD_MS)
            counts = self._camera.counts
            delays = tuple(self._delays_ms)
            self._delays_ms.clear()
            meter = Meter(self._room.now(), counts.arrived, self.analysed, delays)
            self._meters = load.step(self._meters, meter)
            seen = load.seen(self.camera_id, self._meters, counts.analyse_fps)
            if seen is not None:
                await self._room.take(seen)
