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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from benchmarks.cameras import RATE_HZ, SAMPLES, number_of, sounds_before
from benchmarks.form import Figure, Options, options, show
from benchmarks.rig import Node, RigError, cameras, cpu_s, lay, process, stop, wait_for
from contracts.evidence.entries import Gap, GapReason

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
EXTRA_SOUNDS_MAX: Final = 5
# The sound of the first and of the last picture may or may not be there.
HOLE_FRAMES: Final = 1.5  # sound packets further apart than this have lost one between them


@dataclass(frozen=True, slots=True)
class Compared:
    """What one camera sent while it was recorded, and what of it lies on disk."""

    sent: int
    written: int
    gaps: int


def _ffmpeg(url: str, folder: Path, name: str, segment_s: int) -> list[str]:
    target = str(folder / f"{name}-%04d.mp4")
    head = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
    tail = ["-f", "segment", "-segment_time", str(segment_s), "-reset_timestamps", "1"]
    return [*head, "-c", "copy", *tail, "-segment_format", "mp4", target]


def _compare(node: Node, track: str) -> Compared:
    numbers: list[int] = []
    sounds, holes = 0, 0
    for segment, file in node.segments(track):
        last_pts, of_file = 0, 0
        with av.open(str(file)) as source:
            for packet in source.demux():
                if packet.size == 0 or packet.pts is None or packet.time_base is None:
                    continue
                if packet.stream.type == "video":
                    number = number_of(bytes(packet))
                    if number is None:
                        raise RigError(f"{segment.file}: a picture without a number")
                    numbers.append(number)
                    continue
                step = SAMPLES / RATE_HZ / float(packet.time_base)
                # The first packet of a file is stretched to where the file begins.
                holes += of_file > 1 and packet.pts - last_pts > HOLE_FRAMES * step
                last_pts = packet.pts
                of_file += 1
        sounds += of_file
    if not numbers:
        raise RigError(f"{track}: nothing was recorded")
    if len(set(numbers)) != len(numbers):
        raise RigError(f"{track}: pictures are on disk twice")
    first, last = numbers[0], numbers[-1]
    # A picture is known to be whole when the next one begins: the first one's sound comes before.
    expected = sounds_before(last) - sounds_before(first + 1)
    if not 0 <= sounds - expected <= EXTRA_SOUNDS_MAX:
        holes += 1
    gaps = [
        entry
        for entry in node.entries(track)
        if isinstance(entry, Gap) and entry.reason is not GapReason.STARTING
    ]
    return Compared(
        sent=last - first + 1 + expected,
        written=len(numbers) + min(sounds, expected),
        gaps=len(gaps) + holes,
    )


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
    compared = [_compare(node, name) for name in names]
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
