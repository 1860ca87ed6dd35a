"""Detector, tracker, count, sound level, overlay: what they make of ordinary and of odd input."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from contracts.observations import Box, CameraState, CameraView, SeenPerson
from contracts.units import MonoMs, UtcMs
from edge.capture.sound import SoundMeter, rms_dbfs
from edge.core import count
from edge.core.people import Detection, Instant, Rect, Track
from edge.perception.detector import (
    SHIPPED_MODEL,
    ModelError,
    SsdliteDetector,
    shipped_hash,
    squared,
    suppressed,
)
from edge.perception.overlay import draw
from edge.perception.tracker import IouTracker
from edge.ports import Caption, DetectionLost
from zeroentry.composer.live import LiveScene
from zeroentry.composer.model import Scene, Seat


def load(path: Path = SHIPPED_MODEL, sha256: str | None = None) -> SsdliteDetector:
    return SsdliteDetector(
        path, sha256=sha256 or shipped_hash(), threshold=0.25, overlap_max=0.5, threads=1
    )


@pytest.fixture(scope="module")
def detector() -> SsdliteDetector:
    return load()


def sure(detector: SsdliteDetector, bgr: np.ndarray) -> list[Detection]:
    return [one for one in detector.find_people(bgr[:, :, ::-1]) if one.score >= 0.25]


def test_shipped_model_finds_the_people_of_a_composed_room(detector: SsdliteDetector) -> None:
    scene = LiveScene(Scene(seed=1))
    assert sure(detector, scene.render(0).image) == []
    scene.apply(Seat(5), 0)
    frame = scene.render(400)
    found = sure(detector, frame.image)
    assert len(found) == 5
    height, width = frame.image.shape[:2]
    for person in frame.truth:
        box = person.box
        truth = Rect(box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height)
        assert max(one.rect.overlap(truth) for one in found) > 0.4


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 1, 3), (4320, 7680, 3), (1, 5000, 3), (3000, 1, 1), (90, 70, 4), (360, 640)],
)
def test_a_frame_of_any_shape_is_survived(
    detector: SsdliteDetector, shape: tuple[int, ...]
) -> None:
    assert detector.find_people(np.full(shape, 127, np.uint8)) == ()


@pytest.mark.parametrize("shape", [(0, 0, 3), (5, 5, 2), (2, 5, 5, 3)])
def test_what_is_no_picture_is_refused(detector: SsdliteDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectionLost, match="not a picture"):
        detector.find_people(np.zeros(shape, np.uint8))


def test_padding_says_what_share_the_picture_takes() -> None:
    square, width_share, height_share = squared(np.ones((360, 640, 3), np.uint8))
    assert square.shape == (640, 640, 3)
    assert (width_share, height_share) == (1.0, 360 / 640)
    assert square[360:].sum() == 0


def test_wrong_hash_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(SHIPPED_MODEL, path)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff\x00\xff")
    with pytest.raises(ModelError, match=f"expected {shipped_hash()}"):
        load(path)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model"):
        load(tmp_path / "none.onnx")
    import hashlib

    path = tmp_path / "text.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        load(path, hashlib.sha256(b"hello").hexdigest())


def test_doubles_go_and_people_side_by_side_stay() -> None:
    whole = Detection(Rect(0.1, 0.1, 0.3, 0.6), 0.9)
    double = Detection(Rect(0.11, 0.1, 0.31, 0.6), 0.8)
    torso = Detection(Rect(0.12, 0.1, 0.28, 0.35), 0.7)
    behind = Detection(Rect(0.26, 0.12, 0.36, 0.4), 0.6)
    empty = Detection(Rect(0.5, 0.5, 0.5, 0.9), 0.6)
    assert suppressed([whole, double, torso, behind, empty], 0.5) == (whole, behind)


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_000_000 + ms))


def found(x: float, y: float = 0.3, w: float = 0.1, h: float = 0.3) -> Detection:
    return Detection(Rect(x, y, x + w, y + h), 0.8)


def test_people_keep_their_numbers_while_they_walk_past_each_other() -> None:
    tracker = IouTracker()
    for step in range(20):
        tracks = tracker.update([found(0.1 + step * 0.02), found(0.8, 0.5)], at(step * 200))
        assert [track.number for track in tracks] == [1, 2]


def test_a_missed_person_is_kept_for_a_second_and_known_again() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4)], at(0))
    for ms in (200, 400, 600, 800):
        (track,) = tracker.update([], at(ms))
        assert not track.detected
    (again,) = tracker.update([found(0.42)], at(1_000))
    assert (again.number, again.detected) == (1, True)
    assert again.first_seen == at(0)
    assert tracker.update([], at(2_400)) == ()


def test_somebody_settled_is_kept_for_longer() -> None:
    tracker = IouTracker()
    for ms in range(0, 9_000, 200):
        (track,) = tracker.update([found(0.4 + (ms % 400) / 400 * 0.02)], at(ms))
    assert track.settled
    assert len(tracker.update([], at(11_000))) == 1
    assert tracker.update([], at(13_500)) == ()


def test_standing_up_is_the_same_person() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4, 0.5, 0.1, 0.2)], at(0))
    (track,) = tracker.update([found(0.4, 0.2, 0.12, 0.5)], at(200))
    assert track.number == 1


def test_reset_forgets_people_but_not_numbers() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4)], at(0))
    tracker.reset()
    (track,) = tracker.update([found(0.4)], at(200))
    assert track.number == 2


def test_a_faint_find_dates_a_person_who_is_proven_later_and_proves_nobody() -> None:
    tracker, state = IouTracker(sure_from=0.25), count.Counted()
    faint = Detection(found(0.4).rect, 0.15)
    for ms in range(0, 2_000, 200):
        state, people = count.step(state, tracker.update([faint], at(ms)))
        assert people == ()
    for ms in (2_000, 2_200, 2_400):
        state, people = count.step(state, tracker.update([found(0.42)], at(ms)))
    assert [person.first_seen for person in people] == [at(0)]


def test_a_faint_second_box_on_a_person_is_nobody() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4, 0.3, 0.1, 0.4)], at(0))
    torso = Detection(Rect(0.41, 0.3, 0.49, 0.5), 0.2)
    tracks = tracker.update([found(0.4, 0.3, 0.1, 0.4), torso], at(200))
    assert [track.number for track in tracks] == [1]


def test_a_crowd_is_bounded() -> None:
    crowd = [found((n % 40) / 41, (n // 40) / 6, 0.01, 0.05) for n in range(200)]
    assert len(IouTracker().update(crowd, at(0))) == 64


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


@pytest.mark.parametrize(("rate", "layout"), [(8_000, "mono"), (44_100, "stereo"), (48_000, "5.1")])
def test_any_rate_and_layout_gives_ten_levels_a_second(rate: int, layout: str) -> None:
    from av.audio.frame import AudioFrame

    meter = SoundMeter()
    levels: list[float] = []
    for _ in range(10):
        frame = AudioFrame(format="flt", layout=layout, samples=rate // 10)
        frame.sample_rate = rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        levels += meter.take(frame)
    assert len(levels) in (9, 10)
    assert set(levels) == {-120.0}


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
