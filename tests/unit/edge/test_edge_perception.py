"""Count, sound level, overlay: what they make of ordinary and of odd input."""

import numpy as np
import pytest

from contracts.observations import Box, CameraState, CameraView, SeenPerson
from contracts.units import MonoMs, UtcMs
from edge.core import count
from edge.core.levels import rms_dbfs
from edge.core.people import Instant, Rect, Track
from edge.perception.overlay import draw
from edge.ports import Caption


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_000_000 + ms))


def track(number: int, *, detected: bool = True) -> Track:
    return Track(number, Rect(0, 0, 0.1, 0.1), 0.5, detected, at(0), MonoMs(0))


def test_a_track_counts_after_two_of_three_frames_and_then_stays() -> None:
    state, seen = count.Counted(), []
    for detected in (True, False, True, False, True, False, False, False):
        state, people = count.step(state, (track(1, detected=detected),))
        seen.append(len(people))
    assert seen == [0, 0, 1, 1, 1, 1, 1, 1]
    state, people = count.step(state, ())
    assert (people, state.sightings) == ((), {})


@pytest.mark.parametrize(
    ("samples", "dbfs"),
    [
        (np.zeros(4_800), -120.0),
        (np.ones(4_800), 0.0),
        (np.sin(np.arange(4_800) * 0.1), -3.0),
        (np.full(4_800, 1e-3), -60.0),
        (np.full(4_800, 9.0), 0.0),
        (np.full(4_800, np.nan), -120.0),
        (np.zeros(0), -120.0),
    ],
)
def test_level_of_known_signals(samples: np.ndarray, dbfs: float) -> None:
    assert rms_dbfs(samples.astype(np.float32)) == pytest.approx(dbfs, abs=0.1)


@pytest.mark.parametrize("shape", [(360, 640, 3), (1, 1, 3), (40, 30, 3), (1080, 1920, 3)])
@pytest.mark.parametrize("alarm", [True, False])
def test_drawing_leaves_the_evidence_alone(shape: tuple[int, int, int], alarm: bool) -> None:
    plain = np.full(shape, 90, np.uint8)
    person = SeenPerson(track=1, box=Box(x1=0, y1=0, x2=1, y2=1), score=0.5)
    view = CameraView(camera_id="cam", state=CameraState.LIVE, people=(person,))
    drawn = draw(plain, view, Caption(people=6, admitted=5, alarm=alarm))
    assert drawn.shape == shape
    assert (plain == 90).all()
    assert (drawn != plain).any()
