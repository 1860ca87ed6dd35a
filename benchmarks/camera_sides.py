"""Plays an encoded scene through the node's own analysis and through the plain way; times both.

The plain way: decode every picture; five times a second, difference to the picture before; where
that shows movement, the detector on the whole picture. Both sides follow people with the same
tracker and count them by the same rule, in one thread, decoding with one.
"""

from __future__ import annotations  # av.Packet is generic in its stub alone

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from benchmarks.camera_scenes import Played
from contracts.units import MonoMs, UtcMs
from edge.capture.decoding import Decoding, Job, read_picture
from edge.capture.packets import OpenedLink
from edge.core import count
from edge.core.attention import LookKind, LookTimes
from edge.core.people import Instant, Track
from edge.perception.analyst import Analyst
from edge.perception.tracker import IouTracker
from edge.ports import Detector, Frame, Grey
from runtime.clock import SystemClock

FPS: Final = 5
PIXEL_MIN: Final = 15  # of 255, by which a pixel of the plain way must differ
QUIET_FACTOR: Final = 1.5
# The plain way's least share of such pixels: this much above the most that noise alone makes.
BASE_UTC_MS: Final = 1_800_000_000_000


class Smoothing(StrEnum):
    """Which pictures are decoded with their edges of blocks smoothed (H.264's loop filter)."""

    ALL = "default"
    NONE = "all"  # as libav calls it: all are skipped


@dataclass
class Run:
    """What one side did with one scene."""

    analysed: int = 0
    looks: int = 0
    counts: list[tuple[int, int]] = field(default_factory=list)
    """Time and head count of each picture that was looked at."""
    looked_ms: list[int] = field(default_factory=list)
    whys: dict[str, int] = field(default_factory=dict)

    def looked(self, ms: int) -> None:
        """The detector looked at the picture of this time."""
        self.looks += 1
        self.looked_ms.append(ms)


class Side(Protocol):
    """One way to analyse a camera."""

    def play(self, scene: Played, run: Run) -> Iterator[int]:
        """Analyse a scene; gives the time of each picture before it is taken."""
        ...


class _Counting:
    """Head counts as the room takes them."""

    def __init__(self) -> None:
        self._state = count.Counted()

    def take(self, tracks: tuple[Track, ...]) -> int:
        self._state, people = count.step(self._state, tracks)
        return len(people)


def instant(ms: int) -> Instant:
    """A moment of a scene."""
    return Instant(MonoMs(ms + 1_000), UtcMs(BASE_UTC_MS + ms))


class Attentive:
    """The node's own decoder and analyst."""

    def __init__(self, detector: Detector, times: LookTimes) -> None:
        self._detector = detector
        self._times = times

    def play(self, scene: Played, run: Run) -> Iterator[int]:
        """See ``Side``."""
        counting, clock = _Counting(), SystemClock()
        analyst = Analyst("cam-1", self._detector, IouTracker(), clock, times=self._times)
        frames: list[Frame] = []

        def offer(picture: av.VideoFrame, at: Instant) -> None:
            seen = read_picture(picture)
            frames.append(Frame("cam-1", seen.grey, at, len(frames), seen.colour))

        with av.open(str(scene.path)) as container:
            video = container.streams.video[0]
            decoding = Decoding(OpenedLink(video, None), FPS)
            for ms, packet in _packets(container, scene):
                yield ms
                decoding.video_packet(Job(packet, instant(ms)), offer)
                for frame in frames:
                    seen = analyst.take(frame, ())
                    run.analysed += 1
                    run.whys[seen.look.why] = run.whys.get(seen.look.why, 0) + 1
                    if seen.look.kind is not LookKind.NONE:
                        run.looked(ms)
                    if seen.people is not None:
                        run.counts.append((ms, counting.take(seen.people.tracks)))
                frames.clear()


class Plain:
    """Decode all, difference of pictures, detector on every picture with movement.

    Before ``begin_ms`` it decodes alone: it has nothing to learn, and its warm-up is not measured.
    """

    def __init__(
        self,
        detector: Detector,
        share_min: float,
        *,
        begin_ms: int = 0,
        smoothing: Smoothing = Smoothing.ALL,
    ) -> None:
        self._detector = detector
        self._share_min = share_min
        self._begin_ms = begin_ms
        self._smoothing = smoothing

    def play(self, scene: Played, run: Run) -> Iterator[int]:
        """See ``Side``."""
        counting, tracker = _Counting(), IouTracker()
        before: Grey | None = None
        with av.open(str(scene.path)) as container:
            context = opened(container, self._smoothing)
            for ms, packet in _packets(container, scene):
                yield ms
                for picture in context.decode(packet):
                    if ms * FPS % 1000 or ms < self._begin_ms:
                        continue
                    run.analysed += 1
                    grey = read_picture(picture).grey
                    moved = before is None or changed_share(before, grey) >= self._share_min
                    before = grey
                    if moved:
                        run.looked(ms)
                        rgb = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
                        found = self._detector.find(rgb, None)
                        tracks = tracker.update(found, instant(ms), None)
                        run.counts.append((ms, counting.take(tracks)))


@dataclass(frozen=True, slots=True)
class Compared:
    """Processor time of both sides over one scene after its warm-up, and what they did."""

    plain_s: float
    ours_s: float
    plain: Run
    ours: Run


def compare(plain: Side, ours: Side, scene: Played, *, warm_ms: int) -> Compared:
    """Play a scene through both, a second of the one and a second of the other, in turns."""
    runs = (Run(), Run())
    players = [plain.play(scene, runs[0]), ours.play(scene, runs[1])]
    spent_s = [0.0, 0.0]
    for player in players:
        next(player)  # opens the scene: not what a camera costs while it runs
    for until_ms in range(1_000, scene.duration_ms + 1_000, 1_000):
        order = (0, 1) if until_ms // 1_000 % 2 else (1, 0)
        for number in order:
            began_s = time.process_time()
            for ms in players[number]:
                if ms >= until_ms:
                    break
            if until_ms > warm_ms:
                spent_s[number] += time.process_time() - began_s
    return Compared(spent_s[0], spent_s[1], runs[0], runs[1])


def opened(
    container: av.container.InputContainer, smoothing: Smoothing = Smoothing.ALL
) -> VideoCodecContext:
    """A decoder as the node's, of one thread, with the loop filter of this choice."""
    context = container.streams.video[0].codec_context
    context.thread_count = 1
    context.flags |= Flags.low_delay
    context.options = {"skip_loop_filter": smoothing.value}
    return context


def _packets(
    container: av.container.InputContainer, scene: Played
) -> Iterator[tuple[int, av.Packet[Any]]]:
    index = 0
    for packet in container.demux(container.streams.video[0]):
        if packet.size:
            yield round(index * 1000 / scene.fps), packet
            index += 1


def changed_share(before: Grey, after: Grey) -> float:
    """Share of pixels that differ by more than PIXEL_MIN."""
    _, marks = cv2.threshold(cv2.absdiff(before, after), PIXEL_MIN, 1, cv2.THRESH_BINARY)
    return cv2.countNonZero(marks) / marks.size


def quiet_share(scenes: Sequence[Played]) -> float:
    """The plain way's threshold: above all that noise makes in rooms where nothing moves."""
    most = 0.0
    for scene in scenes:
        before: Grey | None = None
        with av.open(str(scene.path)) as container:
            context = opened(container)
            for ms, packet in _packets(container, scene):
                for picture in context.decode(packet):
                    if ms * FPS % 1000:
                        continue
                    grey = read_picture(picture).grey
                    if before is not None:
                        most = max(most, changed_share(before, grey))
                    before = grey
    return most * QUIET_FACTOR + 1e-4
