"""The scripts that demo, tests and benchmarks share, and how to play one as frames."""

from __future__ import annotations

from collections.abc import Iterator

from zeroentry.composer.model import (
    CorridorClear,
    CorridorOutsider,
    Frame,
    Gather,
    Intrude,
    Leave,
    RobotAt,
    RobotPass,
    Scene,
    Script,
    Seat,
    SitDown,
    StandUp,
    TimedCue,
    Vest,
    Withdraw,
)
from zeroentry.composer.painter import render

GATHER_MS = 26_000  # five experts at the usual distance, the last one sitting


def sealed_room_day(vest: Vest = Vest.NONE) -> Script:
    """Five experts gather and sit, a sixth person enters and withdraws, all leave: 90 s."""
    return Script(
        (
            TimedCue(1_000, Gather(5)),
            TimedCue(36_000, Intrude("intruder-1", vest)),
            TimedCue(56_000, Withdraw("intruder-1")),
            TimedCue(70_000, Leave()),
        ),
        duration_ms=90_000,
    )


def quiet_room(n: int, minutes: float) -> Script:
    """Play n experts who sit all the time and only fidget."""
    return Script((TimedCue(0, Seat(n)),), duration_ms=round(minutes * 60_000))


def stretching_room(n: int) -> Script:
    """Play n seated experts of whom one rises for a while: more movement, the same count: 40 s."""
    return Script(
        (TimedCue(0, Seat(n)), TimedCue(10_000, StandUp(1)), TimedCue(24_000, SitDown(1))),
        duration_ms=40_000,
    )


def corridor_outsider(vest: Vest = Vest.NONE) -> Script:
    """A robot crosses, an outsider comes and stands, the robot waits, he goes, it goes on: 60 s."""
    return Script(
        (
            TimedCue(1_000, RobotPass(12_000)),
            TimedCue(16_000, CorridorOutsider("outsider-1", vest)),
            TimedCue(22_000, RobotAt(0.16)),
            TimedCue(38_000, CorridorClear()),
            TimedCue(46_000, RobotPass(12_000)),
        ),
        duration_ms=60_000,
    )


def play(scene: Scene, script: Script, fps: int, utc_text: str = "") -> Iterator[Frame]:
    """Yield the frames of a whole script."""
    for number in range(script.duration_ms * fps // 1000):
        yield render(scene, script, number * 1000 // fps, utc_text)
