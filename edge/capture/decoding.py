"""Decodes a camera's packets in a thread of its own: frames for analysis, sound for its ear."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from contracts.units import CameraId
from edge.capture.packets import OpenedLink
from edge.capture.sound import samples_of
from edge.core.people import Instant
from edge.ports import Ear, EventSink, Frame, Grey, Latest, Rgb

QUEUE_PACKETS_MAX = 150
# Three seconds of 25 fps and sound. A decoder that is further behind starts again at a key frame.
FRAME_SIDE_MAX = (
    1_920  # analysis and evidence gain nothing from more, and 8K would cost 100 MB a frame
)
PLANAR_FORMATS = frozenset(
    ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray")
)
# Their first plane is the brightness, one byte a pixel. What cameras send is among them.
UNFILTERED_HEIGHT_MAX = 480
# A sub stream is decoded without smoothing the edges of its blocks. That saves a tenth of the time
# of 512 kb/s, a fifth of a finer clip; of 2860 persons found with it 16 were not found without it,
# and 18 others were (benchmarks/camera_decoding.py). Larger pictures may be a main stream, which
# people look at.
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
class Job:
    """A packet to decode, and when it arrived."""

    packet: Packet[Stream]
    at: Instant


class Decoder:
    """A packet sink: newest frame wins in ``frames``, what the ``ear`` hears goes to ``report``.

    Without an ear the sound is not decoded.
    """

    def __init__(
        self,
        camera_id: CameraId,
        frames: Latest[Frame],
        report: EventSink,
        *,
        analyse_fps: float,
        ear: Ear | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._ear = ear
        self._frames = frames
        self._report = report
        self._analyse_fps = analyse_fps
        self._jobs: deque[Job | OpenedLink | None] = deque()
        self._ready = threading.Condition()
        self._wait_for_key = True
        self._stopped = False
        self.decoded = 0
        """Pictures that came out of the decoder, analysed or not."""
        self.arrived = 0
        """Pictures that came as packets, decoded or not."""
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
            self.arrived += is_video
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
            self._jobs.append(Job(packet, at))
            self._ready.notify()

    def _start_over(self) -> None:
        # Half a group of pictures cannot be decoded: drop all, keep the news of a new connection.
        links = [job for job in self._jobs if isinstance(job, OpenedLink)]
        self.dropped_packets += len(self._jobs) - len(links) + 1
        self._jobs = deque(links)
        self._wait_for_key = True

    def _catch_up(self, at: Instant) -> None:
        # The new key frame needs nothing of what came before it, so a late decoder may skip it all.
        waiting = [job for job in self._jobs if isinstance(job, Job)]
        if not waiting or at.mono_ms - waiting[0].at.mono_ms <= LAG_MAX_MS:
            return
        kept = deque(
            job
            for job in self._jobs
            if not isinstance(job, Job) or job.packet.stream.type != "video"
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
        decoding: Decoding | None = None
        while (job := self._next()) is not _STOP:
            if isinstance(job, OpenedLink):
                decoding = Decoding(job, self._analyse_fps)
                if self._ear is not None:
                    self._ear.reset()
            elif job is None:
                decoding = None
            elif isinstance(job, Job) and decoding is not None:
                self._decode(decoding, job)

    def _next(self) -> Job | OpenedLink | _Stop | None:
        with self._ready:
            while not self._jobs and not self._stopped:
                self._ready.wait()
            return _STOP if self._stopped else self._jobs.popleft()

    def _decode(self, decoding: Decoding, job: Job) -> None:
        try:
            if job.packet.stream.type == "video":
                self.decoded += decoding.video_packet(job, self._offer)
            else:
                self._listen(decoding, job)
        except (FFmpegError, ValueError, MemoryError):
            # A damaged packet or an absurd size: the next key frame repairs it. Counted.
            self.broken_packets += 1
            if self._ear is not None and job.packet.stream.type != "video":
                self._ear.reset()

    def _listen(self, decoding: Decoding, job: Job) -> None:
        if self._ear is None:
            return
        for sound in decoding.sounds(job):
            for signs in self._ear.take(samples_of(sound), sound.sample_rate, job.at):
                self._report(signs)

    def _offer(self, picture: VideoFrame, at: Instant) -> None:
        seen = read_picture(picture)
        self._offered += 1
        self._frames.put(Frame(self._camera_id, seen.grey, at, self._offered, seen.colour))


class _Stop:
    """Tells the decoder's thread to end."""


_STOP = _Stop()


class Decoding:
    """The codecs of one connection; used by the decoder's thread alone."""

    def __init__(self, link: OpenedLink, analyse_fps: float) -> None:
        self._video: VideoCodecContext | None = link.video.codec_context if link.video else None
        self._pace = Pace(analyse_fps, None)
        self._audio: AudioCodecContext | None = link.audio.codec_context if link.audio else None
        self._times: OrderedDict[int, Instant] = OrderedDict()
        if link.video is None or self._video is None:
            return
        # Frame threads would hold back one picture each; one core a camera is more than enough.
        self._video.thread_count = 1
        self._video.flags |= Flags.low_delay
        if link.video.height <= UNFILTERED_HEIGHT_MAX:
            self._video.options = {"skip_loop_filter": "all"}
        rate = link.video.average_rate or link.video.guessed_rate
        self._pace = Pace(analyse_fps, float(rate) if rate else None)

    def video_packet(self, job: Job, offer: Callable[[VideoFrame, Instant], None]) -> int:
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
                offer(picture, at)
        return len(pictures)

    def sounds(self, job: Job) -> list[AudioFrame]:
        """Decode one sound packet."""
        return [] if self._audio is None else self._audio.decode(job.packet)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: its brightness, and how to have it in colour."""

    grey: Grey
    colour: Callable[[], Rgb]


def read_picture(picture: VideoFrame) -> Picture:
    """The brightness plane as it was decoded: no conversion, no copy.

    Raises:
        ValueError, MemoryError, FFmpegError: a picture of a form that cannot be read.
    """
    longer_px = max(picture.width, picture.height)
    if longer_px > FRAME_SIDE_MAX:
        share = FRAME_SIDE_MAX / longer_px
        width, height = (max(round(one * share), 1) for one in (picture.width, picture.height))
        picture = picture.reformat(width=width, height=height, format="yuv420p")
    elif picture.format.name not in PLANAR_FORMATS:
        picture = picture.reformat(format="yuv420p")
    return Picture(_plane(picture.planes[0]), lambda: _rgb(picture))


def _rgb(picture: VideoFrame) -> Rgb:
    return np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)


def _plane(plane: VideoPlane) -> Grey:
    """One plane without the padding of its rows."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
