"""States what the service needs of the world: frames, a detector, a tracker, pictures, a store."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.commands import Keep, Release, Seal
from contracts.observations import Alert, CameraState, CameraView, PictureRef, RecordingHealth
from contracts.units import CameraId
from edge.core.people import Detection, Instant, Track
from edge.core.recording import Request
from edge.core.state import RecordingSeen

Rgb = NDArray[np.uint8]
"""A picture, height x width x 3, red first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture and when its last packet arrived here. Nobody writes to ``rgb``."""

    camera_id: CameraId
    rgb: Rgb
    at: Instant
    index: int


T = TypeVar("T")


class Latest(Generic[T]):
    """A slot between a thread that puts and a task that takes: newest wins, the rest is counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._value: T | None = None
        self._filled = asyncio.Event()
        self.dropped = 0
        """Values that were replaced before anybody took them."""

    def put(self, value: T) -> None:
        """Offer a value, from any thread; never waits."""
        with self._lock:
            if self._value is not None:
                self.dropped += 1
            self._value = value
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)

    async def get(self) -> T:
        """Take the newest value; waits for one. For one reader."""
        while True:
            with self._lock:
                value, self._value = self._value, None
                self._filled.clear()
            if value is not None:
                return value
            await self._filled.wait()


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a camera's link stands: ``since`` the last picture before a loss, seen at ``noticed``."""

    camera_id: CameraId
    state: CameraState
    since: Instant
    noticed: Instant
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """Sound level over one window that ended at ``at``; ``dbfs`` is RMS against full scale."""

    camera_id: CameraId
    dbfs: float
    at: Instant


CameraEvent = LinkState | Level


@dataclass(frozen=True, slots=True)
class CameraCounts:
    """What a camera has delivered since the node started."""

    frames: int
    dropped: int
    connections: int


class Camera(Protocol):
    """One camera's capture: runs in threads of its own, reports by ``Latest`` and a callback."""

    @property
    def camera_id(self) -> CameraId: ...

    @property
    def frames(self) -> Latest[Frame]:
        """Where frames for analysis appear."""
        ...

    @property
    def counts(self) -> CameraCounts: ...

    async def run(self) -> None:
        """Capture until cancelled; reconnects for ever."""
        ...


class DetectionLost(Exception):
    """One picture could not be analysed; the next one may."""


class Detector(Protocol):
    """Finds people in a picture. Called from a worker thread."""

    def find_people(self, rgb: Rgb) -> tuple[Detection, ...]:
        """People in shares of the picture, best score first.

        Raises:
            DetectionLost: this picture could not be analysed.
        """
        ...


class Tracker(Protocol):
    """Follows people from picture to picture of one camera."""

    def update(self, found: Sequence[Detection], at: Instant) -> tuple[Track, ...]: ...

    def reset(self) -> None:
        """Forget everybody: the camera was away."""
        ...


class PictureShelf(Protocol):
    """Keeps pictures on disk by content."""

    def keep(self, rgb: Rgb, camera_id: CameraId, taken: Instant) -> PictureRef:
        """Store a picture as JPEG; on disk when this returns. Called from a worker thread.

        Raises:
            OSError: the disk refused it.
        """
        ...


class AlertMemory(Protocol):
    """Remembers when and where an alert was, for the clip around it."""

    def remember(self, alert: Alert, seen_by: CameraId | None) -> None:
        """Keep an alert's moment and the camera that saw it. Worker thread; twice counts once.

        Raises:
            sqlite3.Error: the disk refused it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands beside the boxes: people in the room (None: unknown), who is admitted."""

    people: int | None
    admitted: int | None
    alarm: bool


class LiveView(Protocol):
    """Shows analysed frames to viewers; never slows the analysis."""

    def offer(self, frame: Frame, view: CameraView, caption: Caption) -> None:
        """A frame and what was seen in it; returns at once."""
        ...


class RecordingSide(Protocol):
    """The node's side of recording (``edge.recordings``)."""

    def request_for(self, command: Seal | Release | Keep) -> Request:
        """What to commit with a command, so that the recorder is asked for it."""
        ...

    def stir(self) -> None:
        """A request was committed."""
        ...

    def seen(self) -> RecordingSeen:
        """What the rules look at, now."""
        ...

    def health(self) -> RecordingHealth:
        """What the node says of its recording, now."""
        ...

    async def run(self) -> None:
        """Follow the recorder until cancelled."""
        ...


EventSink = Callable[[CameraEvent], None]
"""Where capture reports, from any thread; must not block."""
