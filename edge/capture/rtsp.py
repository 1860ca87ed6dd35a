"""Keeps one camera as the node knows it: its analysed stream, read, decoded, and how it stands."""

import random
from collections.abc import Sequence

from contracts.devices import CameraConfig
from contracts.observations import CameraState
from contracts.units import CameraId
from edge.capture.connect import Credentials, with_credentials
from edge.capture.decoding import Decoder
from edge.capture.link import LinkNews
from edge.capture.packets import PacketSink
from edge.capture.reader import StreamReader, StreamSource
from edge.core.people import Instant
from edge.ports import CameraCounts, Ear, EventSink, Frame, Latest, LinkState
from runtime.clock import Clock

__all__ = ["CameraLink", "Credentials", "with_credentials"]


class CameraLink:
    """One camera as the service knows it (``ports.Camera``)."""

    def __init__(
        self,
        config: CameraConfig,
        credentials: Credentials,
        clock: Clock,
        rng: random.Random,
        report: EventSink,
        frames: Latest[Frame],
        *,
        recorders: Sequence[PacketSink] = (),
        ear: Ear | None = None,
    ) -> None:
        """``ear`` None: nobody listens to this camera."""
        self._camera_id = config.id
        self._report = report
        self._frames = frames
        self._analyse_fps = config.analyse_fps
        self._state: CameraState | None = None
        self._decoder = Decoder(config.id, frames, report, analyse_fps=config.analyse_fps, ear=ear)
        self._reader = StreamReader(
            StreamSource.of(config, "sub" if config.sub else "main", credentials, clock),
            credentials,
            clock,
            rng,
            # Recorders first: they must have a packet even if the decoder's lock is waited for.
            sinks=(*recorders, self._decoder),
            watchers=(self,),
        )

    @property
    def camera_id(self) -> CameraId:
        return self._camera_id

    @property
    def frames(self) -> Latest[Frame]:
        return self._frames

    @property
    def counts(self) -> CameraCounts:
        return CameraCounts(
            frames=self._decoder.decoded,
            dropped=self._frames.dropped + self._decoder.dropped_packets,
            connections=self._reader.connections,
            arrived=self._decoder.arrived,
            analyse_fps=self._analyse_fps,
        )

    async def run(self) -> None:
        """Capture until cancelled. Does not depend on PyAV ever coming back."""
        try:
            await self._reader.run()
        finally:
            self._decoder.stop()

    def link_changed(self, news: LinkNews) -> None:
        """See ``LinkWatcher``."""
        if news.state is self._state:
            return  # offline for another reason: nothing that the rules would see
        self._state = news.state
        self._report(LinkState(self._camera_id, news.state, news.since, news.noticed, news.error))

    def damaged(self, detail: str, at: Instant) -> None:
        """See ``LinkWatcher``: the decoder counts what it cannot read."""
