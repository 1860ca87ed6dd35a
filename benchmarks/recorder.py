"""Measures what recording costs against one `ffmpeg -c copy -f segment` a camera, and what is lost.

Both sides read equal streams (1080p25 at 4 Mb/s with AAC, RTSP over TCP) of one generator in one
run, at the same time, so that a noisy machine is noisy for both. Processor time of the recorder
(hashing, signing and fsync included) and of all ffmpeg processes is taken over the same windows;
the figure is the median ratio of the windows. Then the pictures on disk are compared by the numbers
that the generator put into them, and the sound packets by count and by their time stamps.
"""

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.form import Figure, Options, options, show
from benchmarks.rig import RigError, cameras, compare, cpu_s, lay, process, stop, wait_for

CAMERAS_FULL: Final = 8
CAMERAS_QUICK: Final = 3
WINDOWS: Final = 5
WINDOW_FULL_S: Final = 114.0  # five of them, warm-up and end make the ten minutes
WINDOW_QUICK_S: Final = 5.0
WARM_UP_FULL_S: Final = 20.0  # connections, first segments, imports: steady state is what counts
WARM_UP_QUICK_S: Final = 6.0
SEGMENT_FULL_S: Final = 60
SEGMENT_QUICK_S: Final = 10
RATIO_MAX: Final = 1.1


def _ffmpeg(url: str, folder: Path, name: str, segment_s: int) -> list[str]:
    target = str(folder / f"{name}-%04d.mp4")
    head = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
    tail = ["-f", "segment", "-segment_time", str(segment_s), "-reset_timestamps", "1"]
    return [*head, "-c", "copy", *tail, "-segment_format", "mp4", target]


def _measure(given: Options, folder: Path) -> dict[str, Figure]:
    count = CAMERAS_QUICK if given.quick else CAMERAS_FULL
    window_s = WINDOW_QUICK_S if given.quick else WINDOW_FULL_S
    segment_s = SEGMENT_QUICK_S if given.quick else SEGMENT_FULL_S
    names = [f"cam-{index}" for index in range(1, count + 1)]
    with ExitStack() as stack:
        played = stack.enter_context(cameras(folder))
        urls = {name: played.url(name) for name in names}
        node = lay(folder, urls, recording={"segment_s": segment_s})
        recorder = stack.enter_context(process(node.command, log=node.log))
        reference = folder / "ffmpeg"
        reference.mkdir()
        others = [
            stack.enter_context(
                process(_ffmpeg(played.url(f"ref-{name}"), reference, name, segment_s))
            )
            for name in names
        ]
        wait_for(
            30,
            "all cameras are being recorded",
            lambda: all(list((node.recordings / name).glob("*/*.mp4")) for name in names),
        )
        # CPU per second of wall clock is the figure: the windows are real time, not conditions.
        time.sleep(WARM_UP_QUICK_S if given.quick else WARM_UP_FULL_S)
        began = time.monotonic()
        ours, theirs = [], []
        for _ in range(WINDOWS):
            before = cpu_s(recorder.pid), sum(cpu_s(one.pid) for one in others)
            at = time.monotonic()
            time.sleep(window_s)
            after = cpu_s(recorder.pid), sum(cpu_s(one.pid) for one in others)
            lasted = time.monotonic() - at
            ours.append((after[0] - before[0]) / lasted)
            theirs.append((after[1] - before[1]) / lasted)
        seconds = time.monotonic() - began
        stop(recorder)
        if recorder.returncode != 0:
            raise RigError(f"the recorder ended with {recorder.returncode}; see its log")
    compared = [compare(node, name) for name in names]
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {
        "cpu_ratio_vs_ffmpeg": round(statistics.median(ratios), 3),
        "cpu_percent_per_camera": round(100 * statistics.median(ours) / count, 2),
        "ffmpeg_percent_per_camera": round(100 * statistics.median(theirs) / count, 2),
        "cameras": count,
        "seconds": round(seconds),
        "packets_sent": sum(one.sent for one in compared),
        "packets_written": sum(one.written for one in compared),
        "gaps": sum(one.gaps for one in compared),
    }


def main(argv: list[str]) -> int:
    """Run it; 1 when a limit is missed."""
    given = options(__doc__ or "", argv)
    with tempfile.TemporaryDirectory(prefix="zeroentry-recorder-") as name:
        figures = _measure(given, Path(name))
    show(
        "Recording: one recorder against one ffmpeg a camera",
        f"limit: ratio {RATIO_MAX}; every packet written, no gap",
        figures,
        given,
    )
    whole = figures["packets_sent"] == figures["packets_written"] and figures["gaps"] == 0
    ratio = figures["cpu_ratio_vs_ffmpeg"]
    return 0 if whole and isinstance(ratio, float) and ratio <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
