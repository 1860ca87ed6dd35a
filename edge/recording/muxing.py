"""Writes packets as they are into fragmented MP4, into memory: a head, then whole fragments."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import struct
from dataclasses import dataclass
from typing import Final

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from contracts.evidence.entries import Media
from edge.recording.boxes import BoxError, runs
from edge.recording.parameters import ParameterSets

VIDEO_NAMES: Final = {"h264": "h264", "hevc": "h265", "mjpeg": "mjpeg"}
AUDIO_NAMES: Final = {
    "aac": "aac",
    "pcm_alaw": "pcma",
    "pcm_mulaw": "pcmu",
    "opus": "opus",
    "flac": "flac",
}
G711: Final = ("pcma", "pcmu")
BUFFER_BYTES: Final = 1 << 20
# A fragment of 500 ms at 16 Mb/s is one write; a larger one is a few.
MOVFLAGS: Final = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
# Each fragment is whole by itself; an index at the end would be the part that a crash loses.


class MuxingLost(Exception):
    """A packet, or a whole stream, that cannot be stored as it came; says why."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Whole fragments; counts and duration are of the segment up to their end."""

    data: bytes
    duration_ms: int
    video_packets: int
    audio_packets: int


def video_name(stream: VideoStream) -> str:
    """What the manifest calls a picture codec.

    Raises:
        MuxingLost: it cannot be stored as it comes.
    """
    name = stream.codec_context.name
    if name not in VIDEO_NAMES:
        raise MuxingLost(
            f"pictures come as {name}; set the camera to H.264 or H.265, a USB camera to MJPEG"
        )
    return VIDEO_NAMES[name]


def audio_name(stream: AudioStream) -> str | None:
    """What the manifest calls a sound codec; None when it cannot be stored as it comes."""
    return AUDIO_NAMES.get(stream.codec_context.name)


class _Bytes:
    """A file in memory that is emptied after each packet."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(data)
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        parts, self.parts = self.parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)


class SegmentMuxer:
    """One file: its streams are set up from those of the link, nothing is encoded."""

    def __init__(
        self,
        video: VideoStream | None,
        audio: AudioStream | None,
        sets: ParameterSets | None,
        *,
        fragment_ms: int,
    ) -> None:
        self._bytes = _Bytes()
        sound = audio_name(audio) if audio is not None else None
        # The mp4 muxer has no name for G.711; QuickTime's has had one since 1991, and every player
        # that reads MP4 reads it. To turn it into AAC would no longer be what the camera sent.
        layout = "mov" if sound in G711 else "mp4"
        self._container = av.open(
            self._bytes,
            "w",
            format=layout,
            buffer_size=BUFFER_BYTES,
            options={
                "movflags": MOVFLAGS,
                "frag_duration": str(fragment_ms * 1000),
                # A stream that pauses must not hold back the other for libavformat's 10 s.
                "max_interleave_delta": str(fragment_ms * 1000),
            },
        )
        self.media = _media(video, sound, audio, sets)
        self.video = self._add_video(video, sets) if video is not None else None
        self.audio = self._add_audio(audio) if audio is not None and sound is not None else None
        try:
            self._container.start_encoding()
        except (FFmpegError, ValueError) as error:
            raise MuxingLost(_said(error)) from error
        self.head = self._bytes.take()
        self._ms_per_tick = {
            number: _ms_per_tick(stream)
            for number, stream in enumerate(self._container.streams, start=1)
        }
        self.began_ms: dict[int, float] = {}
        """Where each stream's first packet lies, by the stream's index; the caller says it."""
        self._duration_ms = 0
        self._video_packets = 0
        self._audio_packets = 0
        self._pictures = 1 if self.video is not None else None
        self.put = self._container.mux_one
        """Take a packet whose stream and time stamps are set; raises FFmpegError, ValueError."""

    def _add_video(self, video: VideoStream, sets: ParameterSets | None) -> Stream:
        stream = self._add(video)
        context = stream.codec_context
        if not isinstance(context, VideoCodecContext):
            return stream
        if context.name == "hevc":
            context.codec_tag = "hvc1"  # Apple's and most browsers' players want the sets up front
        if sets is not None:
            context.extradata = sets.head
            context.width, context.height = sets.width, sets.height
        return stream

    def _add_audio(self, audio: AudioStream) -> Stream:
        stream = self._add(audio)
        context = stream.codec_context
        if context.name == "opus" and not context.extradata:
            # RTP has no head for Opus (RFC 7587); MP4 wants one, with the channels alone in it.
            channels = max(audio.codec_context.channels, 1)
            context.extradata = struct.pack("<8sBBHIhB", b"OpusHead", 1, channels, 0, 48_000, 0, 0)
        return stream

    def _add(self, template: VideoStream | AudioStream) -> Stream:
        try:
            return self._container.add_stream_from_template(template, opaque=True)
        except (FFmpegError, ValueError) as error:
            raise MuxingLost(_said(error)) from error

    @property
    def holds_fragment(self) -> bool:
        """Whether ``fragment()`` has something; to be asked after each ``put``."""
        return bool(self._bytes.parts)

    def fragment(self) -> Fragment:
        """What the last packet completed.

        Raises:
            MuxingLost: the muxer wrote what is no fragment.
        """
        data = self._bytes.take()
        try:
            found = runs(data)
        except BoxError as error:
            raise MuxingLost(str(error)) from error
        for run in found:
            is_picture = run.track == self._pictures
            if is_picture:
                self._video_packets += run.packets
            else:
                self._audio_packets += run.packets
            if is_picture or self._pictures is None:
                self._last_until(run.begin_ticks, run.duration_ticks, run.track)
        return Fragment(data, self._duration_ms, self._video_packets, self._audio_packets)

    def _last_until(self, begin_ticks: int, ticks: int, track: int) -> None:
        tick_ms = self._ms_per_tick[track]
        end_ms = (begin_ticks + ticks) * tick_ms
        self._duration_ms = max(self._duration_ms, round(end_ms - self._lead_ms()))

    def _lead_ms(self) -> float:
        """How much sound lies before the first picture; it is no part of the duration.

        libavformat moves the earliest packet of the file to zero.
        """
        first = self.video or self.audio
        if first is None or first.index not in self.began_ms:
            return 0.0
        return self.began_ms[first.index] - min(self.began_ms.values())

    def close(self) -> Fragment | None:
        """The last fragment, if there is one.

        Raises:
            MuxingLost: what was waiting could not be written.
        """
        try:
            self._container.close()
        except (FFmpegError, ValueError) as error:
            raise MuxingLost(_said(error)) from error
        return self.fragment() if self.holds_fragment else None


def _media(
    video: VideoStream | None,
    sound: str | None,
    audio: AudioStream | None,
    sets: ParameterSets | None,
) -> Media:
    width = height = None
    if video is not None:
        width = sets.width if sets is not None else video.codec_context.width or None
        height = sets.height if sets is not None else video.codec_context.height or None
    heard = audio is not None and sound is not None
    return Media(
        video=video_name(video) if video is not None else None,
        audio=sound,
        width=width,
        height=height,
        rate_hz=audio.codec_context.sample_rate or None if heard and audio is not None else None,
    )


def _ms_per_tick(stream: Stream) -> float:
    base = stream.time_base
    return 1000 * base.numerator / base.denominator if base is not None else 1.0


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, FFmpegError) else None) or str(error)
