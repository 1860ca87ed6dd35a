"""Decodes a camera's packets in a thread of its own: frames for analysis, levels of the sound."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from contracts.units import CameraId
from edge.capture.packets import OpenedLink
from edge.capture.sound import SoundMeter
from edge.core.people import Instant
from edge.ports import EventSink, Frame, Latest, Level, Rgb

QUEUE_PACKETS_MAX = 150
# Three seconds of 25 fps and sound. A decoder that is further behind starts again at a key frame.
FRAME_WIDTH_MAX = (
    1_920  # analysis and evidence gain nothing from more, and 8K would cost 100 MB a frame
)
PENDING_TIMES_MAX = 64  # pictures inside the decoder (reordering); H.264 allows 16
LAG_MAX_MS = 700  # what an alert may be late; a key frame is the chance to leave older pictures out
EVERY_FRAME_RATIO = 1.2  # a stream this close to the analysed rate is analysed picture by picture
EARLY_SHARE = 0.25  # of a period: a picture this early is taken, or jitter would halve the rate


class Pace:
    """Decides which pictures are analysed: a steady share of them, without drifting."""

    def __init__(self, analyse_fps: float, stream_fps: float | None) -> None:
        self._period_ms = 1000 / analyse_fps
        self._every = stream_fps is not None and stream_fps <= analyse_fps * EVERY_FRAME_RATIO
        self._due_ms: float | None = None

    def take(self, at_mono_ms: int) -> bool:
        """Whether the picture that arrived at this time is to be analysed."""
        if self._every or self._due_ms is None:
            self._due_ms = at_mono_ms + self._period_ms
            return True
        if at_mono_ms < self._due_ms - EARLY_SHARE * self._period_ms:
            return False
        late = at_mono_ms - self._due_ms > self._period_ms
        self._due_ms = (at_mono_ms if late else self._due_ms) + self._period_ms
        return True


@dataclass(frozen=True, slots=True)
class _Job:
    packet: Packet[Stream]
    at: Instant


class Decoder:
    """A packet sink: newest frame wins in ``frames``, levels go to ``report``."""

    def __init__(
        self,
        camera_id: CameraId,
        frames: Latest[Frame],
        report: EventSink,
        *,
        analyse_fps: float,
    ) -> None:
        self._camera_id = camera_id
        self._frames = frames
        self._report = report
        self._analyse_fps = analyse_fps
        self._jobs: deque[_Job | OpenedLink | None] = deque()
        self._ready = threading.Condition()
        self._wait_for_key = True
        self._stopped = False
        self.decoded = 0
        """Pictures that came out of the decoder, analysed or not."""
        self._offered = 0
        self.dropped_packets = 0
        self.broken_packets = 0
        self._thread = threading.Thread(target=self._run, name=f"decode-{camera_id}", daemon=True)
        self._thread.start()

    def opened(self, link: OpenedLink) -> None:
        """See ``PacketSink``."""
        with self._ready:
            self._jobs.clear()
            self._jobs.append(link)
            self._wait_for_key = True
            self._ready.notify()

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """See ``PacketSink``."""
        is_video = packet.stream.type == "video"
        with self._ready:
            if is_video and self._wait_for_key and not packet.is_keyframe:
                self.dropped_packets += 1
                return
            if len(self._jobs) >= QUEUE_PACKETS_MAX:
                self._start_over()
                return
            if is_video:
                self._wait_for_key = False
                if packet.is_keyframe:
                    self._catch_up(at)
            self._jobs.append(_Job(packet, at))
            self._ready.notify()

    def _start_over(self) -> None:
        # Half a group of pictures cannot be decoded: drop all, keep the news of a new connection.
        links = [job for job in self._jobs if isinstance(job, OpenedLink)]
        self.dropped_packets += len(self._jobs) - len(links) + 1
        self._jobs = deque(links)
        self._wait_for_key = True

    def _catch_up(self, at: Instant) -> None:
        # The new key frame needs nothing of what came before it, so a late decoder may skip it all.
        waiting = [job for job in self._jobs if isinstance(job, _Job)]
        if not waiting or at.mono_ms - waiting[0].at.mono_ms <= LAG_MAX_MS:
            return
        kept = deque(
            job
            for job in self._jobs
            if not isinstance(job, _Job) or job.packet.stream.type != "video"
        )
        self.dropped_packets += len(self._jobs) - len(kept)
        self._jobs = kept

    def closed(self) -> None:
        """See ``PacketSink``."""
        with self._ready:
            self._jobs.append(None)
            self._ready.notify()

    def stop(self) -> None:
        """End the thread; returns at once."""
        with self._ready:
            self._stopped = True
            self._ready.notify()

    def _run(self) -> None:
        decoding: _Decoding | None = None
        while (job := self._next()) is not _STOP:
            if isinstance(job, OpenedLink):
                decoding = _Decoding(job, self._analyse_fps)
            elif job is None:
                decoding = None
            elif isinstance(job, _Job) and decoding is not None:
                self._decode(decoding, job)

    def _next(self) -> _Job | OpenedLink | _Stop | None:
        with self._ready:
            while not self._jobs and not self._stopped:
                self._ready.wait()
            return _STOP if self._stopped else self._jobs.popleft()

    def _decode(self, decoding: _Decoding, job: _Job) -> None:
        try:
            if job.packet.stream.type == "video":
                self.decoded += decoding.video_packet(job, self._offer)
            else:
                for dbfs in decoding.levels(job):
                    self._report(Level(self._camera_id, dbfs, job.at))
        except (FFmpegError, ValueError, MemoryError):
            # A damaged packet or an absurd size: the next key frame repairs it. Counted.
            self.broken_packets += 1
            decoding.repair()

    def _offer(self, rgb: Rgb, at: Instant) -> None:
        self._offered += 1
        self._frames.put(Frame(self._camera_id, rgb, at, self._offered))


class _Stop:
    """Tells the decoder's thread to end."""


_STOP = _Stop()


class _Decoding:
    """The codecs of one connection; used by the decoder's thread alone."""

    def __init__(self, link: OpenedLink, analyse_fps: float) -> None:
        self._video: VideoCodecContext | None = link.video.codec_context if link.video else None
        self._pace = Pace(analyse_fps, None)
        self._audio: AudioCodecContext | None = link.audio.codec_context if link.audio else None
        self._meter = SoundMeter()
        self._times: OrderedDict[int, Instant] = OrderedDict()
        if link.video is None or self._video is None:
            return
        # Frame threads would hold back one picture each; one core a camera is more than enough.
        self._video.thread_count = 1
        self._video.flags |= Flags.low_delay
        rate = link.video.average_rate or link.video.guessed_rate
        self._pace = Pace(analyse_fps, float(rate) if rate else None)

    def video_packet(self, job: _Job, offer: Callable[[Rgb, Instant], None]) -> int:
        """Decode one packet; hand over the pictures that analysis wants; how many there were."""
        if self._video is None:
            return 0
        if job.packet.pts is not None:
            self._times[job.packet.pts] = job.at
            if len(self._times) > PENDING_TIMES_MAX:
                self._times.popitem(last=False)
        pictures = self._video.decode(job.packet)
        for picture in pictures:
            at = self._times.pop(picture.pts, job.at) if picture.pts is not None else job.at
            if self._pace.take(at.mono_ms):
                offer(_rgb(picture), at)
        return len(pictures)

    def levels(self, job: _Job) -> list[float]:
        """Decode one sound packet; levels of the windows it completes."""
        if self._audio is None:
            return []
        sounds = self._audio.decode(job.packet)
        return [dbfs for sound in sounds for dbfs in self._meter.take(sound)]

    def repair(self) -> None:
        """Forget what a damaged packet left behind."""
        self._meter = SoundMeter()


def _rgb(picture: VideoFrame) -> Rgb:
    if picture.width > FRAME_WIDTH_MAX:
        height = max(round(picture.height * FRAME_WIDTH_MAX / picture.width), 1)
        picture = picture.reformat(width=FRAME_WIDTH_MAX, height=height, format="rgb24")
    return np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)
