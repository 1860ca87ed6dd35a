"""Tells each room what its cameras' streams are, and asks devices for their time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from contracts.devices import CameraConfig
from contracts.units import CameraId
from edge.capture.connect import Credentials
from edge.capture.onvif import device_clock_offset_ms
from edge.capture.onvif_profiles import OnvifLost
from edge.capture.stream_meter import StreamMeter
from edge.core.people import Instant
from edge.core.streams import ClockSeen, ClockSource, StreamSeen
from runtime.clock import Clock
from runtime.logs import Repeats

log = structlog.get_logger(__name__)

LOOK_MS: Final = 500  # a wrong rate is told within that of its dwell
CLOCK_FIRST_MS: Final = 15_000  # a node that starts has better to do
CLOCK_EVERY_MS: Final = 600_000  # a free clock drifts a millisecond in ten minutes, or jumps


class StreamRoom(Protocol):
    """What is told."""

    async def take(self, given: StreamSeen) -> bool: ...


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """One camera whose stream is watched."""

    config: CameraConfig
    credentials: Credentials
    meter: StreamMeter
    room: StreamRoom


AskClock = Callable[[CameraConfig, tuple[str, str] | None, Clock], Awaitable[int | None]]
"""A device's clock less ours in milliseconds; None when it does not tell. Raises ``OnvifLost``."""


class StreamWatch:
    """The streams of one node's cameras."""

    def __init__(
        self,
        streams: tuple[WatchedStream, ...],
        clock: Clock,
        *,
        ask: AskClock = device_clock_offset_ms,
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._ask = ask
        self._told: dict[CameraId, ClockSeen] = {}
        self._faults = Repeats(clock)

    @property
    def clocks(self) -> Mapping[CameraId, ClockSeen]:
        """What devices told of their time, by camera."""
        return self._told

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_for_ever())
            group.create_task(self._ask_for_ever())

    async def _tell_for_ever(self) -> None:
        while True:
            await self._clock.sleep_ms(LOOK_MS)
            for stream in self._streams:
                await stream.room.take(self.seen(stream))

    def seen(self, stream: WatchedStream) -> StreamSeen:
        """What is known of one stream now; the device's own word on its time goes before."""
        found = stream.meter.seen(self._now())
        told = self._told.get(stream.config.id)
        return found if told is None else replace(found, clock=told)

    def _now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())

    async def _ask_for_ever(self) -> None:
        await self._clock.sleep_ms(CLOCK_FIRST_MS)
        while True:
            for stream in self._streams:
                if stream.config.onvif is not None:
                    await self.ask(stream)
            await self._clock.sleep_ms(CLOCK_EVERY_MS)

    async def ask(self, stream: WatchedStream) -> None:
        """Ask one device for its time. One that does not answer keeps what it told last."""
        camera_id = stream.config.id
        try:
            pair = await asyncio.to_thread(stream.credentials)
            offset_ms = await self._ask(stream.config, pair, self._clock)
        except OnvifLost as lost:
            if times := self._faults.due(f"clock {camera_id}"):
                log.warning(
                    "camera_clock_unknown", camera_id=camera_id, error=str(lost), times=times
                )
            return
        if offset_ms is not None:
            self._told[camera_id] = ClockSeen(float(offset_ms), ClockSource.ONVIF, self._now())
