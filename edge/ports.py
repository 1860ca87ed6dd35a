"""States what the service needs of the world: frames, a detector, a tracker, pictures, a store."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.commands import Keep, Release, Seal
from contracts.observations import (
    Alert,
    CameraState,
    CameraView,
    PictureRef,
    RecordingHealth,
    SoundRef,
)
from contracts.units import CameraId, Sha256Hex
from contracts.zones import PictureZone
from edge.core.attention import BARREN_MS, MOVED_SHARE, Cells, Look, Marks
from edge.core.hearing import SoundSigns, SourceId
from edge.core.levels import Reading, Samples
from edge.core.people import Detection, Instant, Rect, Track
from edge.core.pictures import PictureSigns
from edge.core.recording import Request
from edge.core.room import PeopleSeen
from edge.core.state import RecordingSeen
from edge.core.things import ThingsSeen

Rgb = NDArray[np.uint8]
"""A picture, height x width x 3, red first."""


Grey = NDArray[np.uint8]
"""A picture's brightness, height x width. It may share memory with the decoder: never written."""

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: red, green, blue


class Frame:
    """A decoded picture and when its last packet arrived here. Nobody writes to its pixels.

    ``grey`` is there as it was decoded. ``rgb``, of the same size, is made when somebody first
    asks for it: a picture that nobody looks at is never converted. Safe to read from threads.
    """

    __slots__ = ("_colour", "_making", "_rgb", "at", "camera_id", "grey", "index")

    def __init__(
        self, camera_id: CameraId, grey: Grey, at: Instant, index: int, colour: Callable[[], Rgb]
    ) -> None:
        """``colour`` converts the picture; it is called once at most."""
        self.camera_id = camera_id
        self.grey = grey
        self.at = at
        self.index = index
        self._colour = colour
        self._making = threading.Lock()
        self._rgb: Rgb | None = None

    @classmethod
    def of_rgb(cls, camera_id: CameraId, rgb: Rgb, at: Instant, index: int) -> "Frame":
        """A frame of a picture that is in colour already."""
        grey = (rgb.astype(np.float32) @ LUMA).round().astype(np.uint8)
        return cls(camera_id, grey, at, index, lambda: rgb)

    @property
    def rgb(self) -> Rgb:
        """The picture in colour."""
        with self._making:
            if self._rgb is None:
                self._rgb = self._colour()
            return self._rgb

    @property
    def width_px(self) -> int:
        return int(self.grey.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.grey.shape[0])


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


CameraEvent = LinkState | SoundSigns


@dataclass(frozen=True, slots=True)
class CameraCounts:
    """What a camera has delivered since the node started."""

    frames: int
    dropped: int
    connections: int
    arrived: int = 0
    """Pictures that arrived, decoded or not."""
    analyse_fps: float = 5.0
    """How many of them a second are to be analysed, if so many come."""


class Ear(Protocol):
    """Listens to one sound source (``edge.perception.ear``). For one thread at a time."""

    def take(
        self, samples: Samples, rate_hz: int, at: Instant, told: Reading | None = None
    ) -> Iterator[SoundSigns]:
        """What each window of 100 ms is like that these samples complete, the last heard ``at``.

        ``told``: what was measured of them before they were brought down to ``rate_hz``.
        """
        ...

    def reset(self) -> None:
        """What comes next does not follow what came."""
        ...


class SoundShelf(Protocol):
    """Remembers the last seconds of every source, and keeps some of them on disk by content."""

    def hear(self, source_id: SourceId, samples: Samples, at: Instant) -> None:
        """Remember samples at 16 kHz, mono in -1..1, that ended ``at``; in memory alone.

        From any thread.
        """
        ...

    def keep(self, source_id: SourceId, since: Instant) -> SoundRef | None:
        """Store what is remembered from ``since`` on; None: nothing is. From a worker thread.

        Raises:
            OSError: the disk refused it.
        """
        ...


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
    """Finds people and phones in a picture. Called from worker threads."""

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]:
        """What is in ``regions`` (None: in all of the picture), best score first.

        Regions and boxes are in shares of the whole picture. Faint finds, below the threshold, are
        among them: see ``Tracker``.

        Raises:
            DetectionLost: this picture could not be analysed.
        """
        ...


class Tracker(Protocol):
    """Follows people from picture to picture of one camera."""

    def update(
        self, found: Sequence[Detection], at: Instant, looked: tuple[Rect, ...] | None
    ) -> tuple[Track, ...]:
        """Take what was found where somebody ``looked`` (None: everywhere, (): nowhere).

        Gives everybody followed, seen in this picture or not.
        """
        ...

    def reset(self) -> None:
        """Forget everybody: the camera was away."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Attended:
    """What was looked at in one picture and why, for whoever wants to see it decided."""

    look: Look
    settled: tuple[Rect, ...] = ()
    """Places where movement is explained by people who have settled."""
    cells: Cells | None = None
    """Of each cell, the share of pixels that changed."""
    barren_ms: Cells | None = None
    """Of each cell, how long it has moved with nobody there."""

    @property
    def moving(self) -> Marks | None:
        """Cells that moved."""
        return None if self.cells is None else self.cells >= MOVED_SHARE

    @property
    def restless(self) -> Marks | None:
        """Cells that always move."""
        return None if self.barren_ms is None else self.barren_ms >= BARREN_MS


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """What one picture showed. ``people`` None: the detector failed on it, and ``lost`` says why.

    ``picture`` and ``things`` are None where they were not measured in this picture.
    """

    people: PeopleSeen | None
    picture: PictureSigns | None
    things: ThingsSeen | None
    attended: Attended
    detect_ms: int = 0
    """What the detector took; 0 where it did not look."""
    lost: str | None = None

    @property
    def look(self) -> Look:
        return self.attended.look


class Sight(Protocol):
    """Everything that looks at the pictures of one camera."""

    def take(self, frame: Frame, zones: Sequence[PictureZone]) -> Analysed:
        """Analyse the next picture. In a worker thread, one picture at a time."""
        ...

    def reset(self) -> None:
        """Forget who was there: the camera was away. From any thread."""
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

    def offer(
        self, frame: Frame, view: CameraView, caption: Caption, attended: Attended | None = None
    ) -> None:
        """A frame, what was seen in it and what was looked at; returns at once."""
        ...


class RecordingSide(Protocol):
    """The node's side of recording (``edge.recordings``)."""

    def request_for(
        self, command: Seal | Release | Keep, frozen: Mapping[str, Sha256Hex]
    ) -> Request:
        """What to commit with a command, so that the recorder is asked for it.

        ``frozen``: hashes of what a seal freezes, by name.
        """
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
