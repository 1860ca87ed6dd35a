"""Measures what a frame costs: python -m zeroentry.composer.speed."""

from __future__ import annotations

import sys

from cv2 import getTickCount, getTickFrequency, setNumThreads

from zeroentry.composer.live import LiveScene
from zeroentry.composer.model import Gather, Intrude, Scene, Seat

FRAMES = 300
FPS = 12


def ms_per_frame(live: LiveScene, from_ms: int) -> float:
    """Return the mean time of a frame on this machine, clock text changing each second."""
    start = getTickCount()
    for number in range(FRAMES):
        t_ms = from_ms + number * 1000 // FPS
        live.render(t_ms, f"2026-01-01 08:{t_ms // 60000 % 60:02d}:{t_ms // 1000 % 60:02d} UTC")
    return float((getTickCount() - start) / getTickFrequency() * 1000 / FRAMES)


def main() -> None:
    """Print ms a frame: five seated and one standing; then five who walk in, cold and warm."""
    setNumThreads(1)  # more threads only spin on pieces this small: the same time, twice the work
    live = LiveScene(Scene())
    live.apply(Seat(5), 0)
    live.apply(Intrude(), 0)
    ms_per_frame(live, 0)
    lines = [f"5 seated, 1 standing: {ms_per_frame(live, 30_000):.2f} ms/frame"]
    for state in ("first time", "again"):
        live.apply(Seat(0), 0)
        live.apply(Gather(5), 0)
        lines.append(f"5 walk in, {state}: {ms_per_frame(live, 0):.2f} ms/frame")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
