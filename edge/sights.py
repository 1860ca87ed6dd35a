"""Puts together what looks at each camera's pictures: detector, tracker, vests, health, things."""

from dataclasses import dataclass
from pathlib import Path

from contracts.admission import VestColours
from contracts.units import CameraId
from edge.core.attention import LookTimes
from edge.perception.analyst import Analyst, Parts
from edge.perception.health import PictureHealth
from edge.perception.things import ThingWatcher
from edge.perception.tiling import PartsDetector, Tiled
from edge.perception.tracker import IouTracker
from edge.perception.vests import VestReader
from edge.perception.view_file import ViewFile
from runtime.clock import Clock

VIEWS_FOLDER = "views"


@dataclass(frozen=True, slots=True)
class Sights:
    """What the cameras of a node share for looking."""

    detector: PartsDetector
    sure_from: float
    """The score that proves a person."""
    clock: Clock
    times: LookTimes
    vests: VestColours
    data_dir: Path
    """Each camera's learned view is kept below it."""

    def of(self, camera_id: CameraId, tiles: int = 1) -> Analyst:
        """What looks at one camera's pictures; a wide one is shown to the detector in ``tiles``."""
        detector = self.detector if tiles == 1 else Tiled(self.detector, tiles)
        return Analyst(
            camera_id,
            detector,
            IouTracker(sure_from=self.sure_from),
            self.clock,
            times=self.times,
            parts=Parts(
                vests=VestReader(self.vests),
                health=PictureHealth(
                    camera_id, ViewFile(self.data_dir / VIEWS_FOLDER / f"{camera_id}.png")
                ),
                things=ThingWatcher(camera_id),
            ),
        )
