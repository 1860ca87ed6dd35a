"""Composed footage before the shipped detector: it finds the people of the script, no robot."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from edge.core.people import Thing
from edge.perception.detector import SHIPPED_MODEL, ModelFile, OnnxDetector, shipped_hash
from zeroentry.composer.model import (
    CorridorOutsider,
    Cue,
    Frame,
    Intrude,
    RobotAt,
    Scene,
    SceneKind,
    Script,
    Seat,
    TimedCue,
    Vest,
)
from zeroentry.composer.painter import render
from zeroentry.composer.scripts import corridor_outsider, sealed_room_day, stretching_room

SEEDS = range(6)
FPS = 5  # the rate at which rooms are analysed
UTC_TEXT = "2026-01-01 08:00:00 UTC"
EXACT_MIN = 0.90


@pytest.fixture(scope="module")
def detector() -> OnnxDetector:
    """Return the detector with the settings that a site has by default."""
    return OnnxDetector(ModelFile(SHIPPED_MODEL, shipped_hash(), threads=2))


def found(detector: OnnxDetector, frame: Frame) -> int:
    """Return how many people the detector finds in a frame."""
    rgb = np.ascontiguousarray(frame.image[..., ::-1])
    people = [one for one in detector.find(rgb) if one.thing is Thing.PERSON]
    return sum(one.score >= detector.sure_from for one in people)


def standing_scene(scene: Scene, cues: Iterable[Cue], times_ms: Iterable[int]) -> list[Frame]:
    """Return frames of a scene in which every cue was given at the start."""
    script = Script(tuple(TimedCue(0, cue) for cue in cues), duration_ms=60_000)
    return [render(scene, script, t_ms, UTC_TEXT) for t_ms in times_ms]


def exact_share(detector: OnnxDetector, frames: list[Frame]) -> float:
    """Return the share of frames in which exactly the true number of people is found."""
    assert frames
    return sum(found(detector, frame) == frame.count for frame in frames) / len(frames)


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_to_six_people_are_counted_exactly(detector: OnnxDetector, seed: int) -> None:
    scene = Scene(seed=seed, label="ROOM")
    times_ms = (12_000, 17_500, 23_000)
    frames = [f for n in range(6) for f in standing_scene(scene, (Seat(n),), times_ms)]
    for vest in Vest:
        frames += standing_scene(scene, (Seat(5), Intrude(vest=vest)), times_ms)
    assert all(frame.steady for frame in frames)
    assert {frame.count for frame in frames} == set(range(7))
    assert exact_share(detector, frames) >= EXACT_MIN


@pytest.mark.parametrize("seed", SEEDS)
def test_five_are_five_in_the_majority_of_every_second(detector: OnnxDetector, seed: int) -> None:
    scene = Scene(seed=seed, label="ROOM")
    for start_ms in range(0, 40_000, 8_000):
        times_ms = range(start_ms, start_ms + 1_000, 1_000 // FPS)
        counts = sorted(found(detector, f) for f in standing_scene(scene, (Seat(5),), times_ms))
        assert counts[len(counts) // 2] == 5, f"second from {start_ms} ms: {counts}"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("script", [sealed_room_day(), stretching_room(5)], ids=["day", "stretch"])
def test_the_ready_scripts_are_counted_when_nobody_moves_about(
    detector: OnnxDetector, script: Script, seed: int
) -> None:
    scene = Scene(seed=seed, label="ROOM")
    sampled = (render(scene, script, t, UTC_TEXT) for t in range(0, script.duration_ms, 1_900))
    steady = [frame for frame in sampled if frame.steady]
    assert len(steady) >= 10
    assert exact_share(detector, steady) >= EXACT_MIN


@pytest.mark.parametrize("seed", SEEDS)
def test_the_robot_is_not_a_person(detector: OnnxDetector, seed: int) -> None:
    scene = Scene(kind=SceneKind.CORRIDOR, seed=seed, label="CORRIDOR")
    for tenth in range(11):
        (frame,) = standing_scene(scene, (RobotAt(tenth / 10),), (1_000,))
        assert found(detector, frame) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_outsider_beside_the_robot_is_one_person(detector: OnnxDetector, seed: int) -> None:
    scene = Scene(kind=SceneKind.CORRIDOR, seed=seed, label="CORRIDOR")
    frames = []
    for vest in Vest:
        cues = (CorridorOutsider(vest=vest), RobotAt(0.16))
        frames += standing_scene(scene, cues, (8_000, 11_000))
    assert {frame.count for frame in frames} == {1}
    assert exact_share(detector, frames) >= EXACT_MIN


def test_the_corridor_script_is_counted(detector: OnnxDetector) -> None:
    scene = Scene(kind=SceneKind.CORRIDOR, seed=0, label="CORRIDOR")
    script = corridor_outsider()
    sampled = (render(scene, script, t, UTC_TEXT) for t in range(0, script.duration_ms, 1_700))
    assert exact_share(detector, [frame for frame in sampled if frame.steady]) >= EXACT_MIN
