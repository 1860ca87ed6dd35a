"""Wires the perception of a scenario's cameras, as a node wires it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.admission import VestColours
from contracts.units import CameraId
from contracts.zones import PictureZone
from edge.core.attention import LookTimes
from edge.core.people import Instant
from edge.core.room import RoomInput
from edge.perception.analyst import Analyst, Parts
from edge.perception.detector import SHIPPED_MODEL, ModelFile, OnnxDetector, shipped_hash
from edge.perception.health import PictureHealth
from edge.perception.things import ThingWatcher
from edge.perception.tiling import Tiled
from edge.perception.tracker import IouTracker
from edge.perception.vests import VestReader
from edge.ports import Frame, Rgb
from runtime.clock import SimulatedClock
from tests.corpus.scenario import Scenario

Pixels = NDArray[np.uint8]
"""A picture as a scenario gives it: blue first, or grey."""


class Eyes(Protocol):
    """Perception of one camera."""

    def take(self, image: Pixels, at: Instant, zones: Sequence[PictureZone]) -> Iterator[RoomInput]:
        """What one picture says to the room."""
        ...

    def reset(self) -> None:
        """The camera was away."""
        ...


def frame_of(camera_id: CameraId, image: Pixels, at: Instant, index: int) -> Frame:
    """A picture as the decoder hands it on; colour is made when somebody asks for it."""

    def colour() -> Rgb:
        code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(image, code), np.uint8)

    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    return Frame(camera_id, grey.astype(np.uint8, copy=False), at, index, colour)


class NodeEyes:
    """The analyst of a camera with all its parts, as the node has it."""

    def __init__(self, camera_id: CameraId, analyst: Analyst) -> None:
        self._camera_id = camera_id
        self._analyst = analyst
        self._index = 0

    def take(self, image: Pixels, at: Instant, zones: Sequence[PictureZone]) -> Iterator[RoomInput]:
        self._index += 1
        seen = self._analyst.take(frame_of(self._camera_id, image, at, self._index), zones)
        for one in (seen.people, seen.picture, seen.things):
            if one is not None:
                yield one

    def reset(self) -> None:
        self._analyst.reset()


class EyeMaker(Protocol):
    """Makes the eyes of each camera of a scenario."""

    def eyes(self, scenario: Scenario, camera_id: CameraId) -> Eyes:
        """New eyes for one camera."""
        ...


class Optician:
    """Makes the eyes of each camera of a scenario; loads the model once a process.

    ``attentive`` False: the detector looks at every picture.
    """

    def __init__(self, threads: int = 1, *, attentive: bool = True) -> None:
        cv2.setNumThreads(1)  # more only spin on pictures this small
        self._times = LookTimes(enabled=attentive)
        self._detector = OnnxDetector(
            ModelFile(SHIPPED_MODEL, sha256=shipped_hash(), threads=threads)
        )

    def eyes(self, scenario: Scenario, camera_id: CameraId) -> Eyes:
        """New eyes for one camera."""
        tiles = next((one.tiles for one in scenario.sights if one.camera_id == camera_id), 1)
        analyst = Analyst(
            camera_id,
            self._detector if tiles == 1 else Tiled(self._detector, tiles),
            IouTracker(sure_from=self._detector.sure_from),
            SimulatedClock(),
            times=self._times,
            parts=Parts(
                vests=VestReader(VestColours()),
                health=PictureHealth(camera_id),
                things=ThingWatcher(camera_id),
            ),
        )
        return NodeEyes(camera_id, analyst)
