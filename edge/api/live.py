"""Shows analysed frames to viewers: each is encoded once for all, and only if somebody looks."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from contracts.observations import CameraView
from contracts.units import CameraId
from edge.ports import Attended, Caption, Frame, Rgb
from runtime.clock import Clock

PERIOD_MIN_MS: Final = 120  # at most about 8 frames a second: enough to follow a person
WIDTHS: Final = (320, 480, 640, 960, 1280, 1920)
# A few widths, so that a few encodings serve all viewers.
BOUNDARY: Final = "zeroentry-frame"
CONTENT_TYPE: Final = f"multipart/x-mixed-replace; boundary={BOUNDARY}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What to draw on a picture; None: not that."""

    view: CameraView | None = None
    caption: Caption | None = None
    attended: Attended | None = None


Render = Callable[[Rgb, Drawn, int | None], bytes]
"""Picture, what to draw on it, width in pixels to a JPEG; in a worker thread."""


class TooManyViewersError(Exception):
    """As many viewers as allowed look at this camera already."""


class NoPictureError(Exception):
    """No picture of this camera yet."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to show a camera."""

    boxes: bool
    width_px: int | None
    attention: bool = False
    """With what the detector was shown, and why."""


def nearest_width(width_px: int | None) -> int | None:
    """The offered width that is at least ``width_px``, or the largest."""
    if width_px is None:
        return None
    return next((width for width in WIDTHS if width >= width_px), WIDTHS[-1])


@dataclass(frozen=True, slots=True)
class _Shown:
    frame: Frame
    view: CameraView
    caption: Caption
    attended: Attended | None

    def drawn(self, variant: Variant) -> Drawn:
        return Drawn(
            view=self.view if variant.boxes else None,
            caption=self.caption if variant.boxes else None,
            attended=self.attended if variant.attention else None,
        )


@dataclass(slots=True)
class _Stage:
    """One camera's newest frame, who looks at it, and its encodings."""

    shown: _Shown | None = None
    viewers: int = 0
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    encodings: dict[Variant, "asyncio.Future[bytes]"] = field(default_factory=dict)
    renewed_mono_ms: int = 0


class LiveHub:
    """All cameras of a node (``ports.LiveView``). On the event loop only."""

    def __init__(
        self, render: Render, workers: Executor, clock: Clock, *, viewers_max: int
    ) -> None:
        self._render = render
        self._workers = workers
        self._clock = clock
        self._viewers_max = viewers_max
        self._stages: dict[CameraId, _Stage] = {}

    def offer(
        self,
        frame: Frame,
        view: CameraView,
        caption: Caption,
        attended: Attended | None = None,
    ) -> None:
        """See ``ports.LiveView``."""
        stage = self._stages.setdefault(frame.camera_id, _Stage())
        now = self._clock.mono_ms()
        if stage.viewers and now - stage.renewed_mono_ms < PERIOD_MIN_MS:
            return
        stage.shown = _Shown(frame, view, caption, attended)
        stage.renewed_mono_ms = now
        stage.encodings = {}
        stage.renewed.set()
        stage.renewed = asyncio.Event()

    def viewers(self, camera_id: CameraId) -> int:
        """How many look at this camera."""
        stage = self._stages.get(camera_id)
        return stage.viewers if stage else 0

    async def jpeg(self, camera_id: CameraId, variant: Variant) -> tuple[bytes, Frame]:
        """The newest frame in this form.

        Raises:
            NoPictureError: there is none yet.
        """
        stage = self._stages.get(camera_id)
        if stage is None or stage.shown is None:
            raise NoPictureError(camera_id)
        shown = stage.shown
        encoding = stage.encodings.get(variant)
        if encoding is None:
            loop = asyncio.get_running_loop()
            encoding = loop.run_in_executor(
                self._workers,
                self._picture,
                shown,
                variant,
            )
            stage.encodings[variant] = encoding
        # Shielded: a viewer who leaves must not take the encoding from the others.
        return await asyncio.shield(encoding), shown.frame

    def _picture(self, shown: _Shown, variant: Variant) -> bytes:
        # In the worker: the picture may have to be converted to colour first.
        return self._render(shown.frame.rgb, shown.drawn(variant), variant.width_px)

    async def watch(self, camera_id: CameraId, variant: Variant) -> AsyncGenerator[bytes]:
        """Parts of a multipart stream, from now on; a slow viewer gets fewer.

        Raises:
            TooManyViewersError: at the first step.
        """
        stage = self._stages.setdefault(camera_id, _Stage())
        if stage.viewers >= self._viewers_max:
            raise TooManyViewersError(camera_id)
        stage.viewers += 1
        try:
            yield f"--{BOUNDARY}\r\n".encode()
            while True:
                renewed = stage.renewed
                if stage.shown is not None:
                    content, frame = await self.jpeg(camera_id, variant)
                    yield _part(content, frame)
                await renewed.wait()
        finally:
            stage.viewers -= 1


def _part(content: bytes, frame: Frame) -> bytes:
    # The next boundary goes with the picture: browsers show a part only when it has ended.
    head = (
        "Content-Type: image/jpeg\r\n"
        f"Content-Length: {len(content)}\r\n"
        f"X-Frame-Utc-Ms: {frame.at.utc_ms}\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{BOUNDARY}\r\n".encode()
