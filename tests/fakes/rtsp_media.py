"""Makes small media files with PyAV's encoders, for servers and recorders under test."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream

FPS = 25
GROUP = 12  # pictures between key frames: about half a second

SOUND: dict[str, tuple[str, int, str]] = {
    "aac": ("aac", 48_000, "fltp"),
    "pcma": ("pcm_alaw", 8_000, "s16"),
    "pcmu": ("pcm_mulaw", 8_000, "s16"),
    "opus": ("libopus", 48_000, "s16"),
}

X265_QUIET = (
    f"log-level=none:keyint={GROUP}:min-keyint={GROUP}:scenecut=0:bframes=0:repeat-headers=1"
)


def write_media(
    target: Path | IO[bytes],
    *,
    seconds: float,
    codec: str = "h264",
    sound: str | None = None,
    size: tuple[int, int] = (320, 240),
    b_frames: int = 0,
    layout: str | None = None,
) -> None:
    """A moving picture with a square that walks, and a tone of 440 Hz; key frame each GROUP."""
    with av.open(target, "w", format=layout) as out:
        video = out.add_stream("libx264" if codec == "h264" else "libx265", rate=FPS)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.gop_size = GROUP
        video.options = (
            {"preset": "ultrafast", "x264-params": "scenecut=0", "bf": str(b_frames)}
            if codec == "h264"
            else {"preset": "ultrafast", "x265-params": X265_QUIET}
        )
        audio: Any = None
        if sound is not None:
            name, rate, form = SOUND[sound]
            audio = out.add_stream(name, rate=rate, layout="mono")
            audio.codec_context.format = form
        done = 0
        for number in range(round(seconds * FPS)):
            out.mux(video.encode(_picture(number, size)))
            if audio is not None:
                done = _tone(out, audio, done, (number + 1) / FPS)
        out.mux(video.encode(None))
        if audio is not None:
            out.mux(audio.encode(None))


def _picture(number: int, size: tuple[int, int]) -> av.VideoFrame:
    width, height = size
    planes = np.full((height * 3 // 2, width), 110, np.uint8)
    left = number * 8 % (width - 40)
    planes[20:60, left : left + 40] = 230
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts = number
    frame.time_base = Fraction(1, FPS)
    return frame


def _tone(out: av.container.OutputContainer, audio: Any, done: int, until_s: float) -> int:
    rate = audio.codec_context.sample_rate
    form = audio.codec_context.format.name
    block = audio.codec_context.frame_size or rate // 50
    while done < until_s * rate:
        wave = 0.3 * np.sin(2 * np.pi * 440 * (np.arange(block) + done) / rate)
        samples = wave.astype(np.float32) if form == "fltp" else (wave * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, done, Fraction(1, rate)
        done += block
        out.mux(audio.encode(frame))
    return done


class Taped:
    """The packets of a media file with the streams that they belong to: a link's ``OpenedLink``."""

    def __init__(self, data: bytes, *, layout: str | None = None) -> None:
        self._container = av.open(io.BytesIO(data), "r", format=layout)
        self.video = self._container.streams.video[0] if self._container.streams.video else None
        self.audio = self._container.streams.audio[0] if self._container.streams.audio else None
        self.picture_delay_ms = 0
        self._packets = [packet for packet in self._container.demux() if packet.size]

    def packets(self) -> list[Packet[Stream]]:
        """All packets in the file's order; the same ones at each call."""
        return self._packets


def taped(
    *,
    seconds: float,
    codec: str = "h264",
    sound: str | None = None,
    size: tuple[int, int] = (320, 240),
    b_frames: int = 0,
    layout: str = "nut",
) -> Taped:
    """Packets as a link would give them; ``nut`` has start codes as RTP has."""
    data = io.BytesIO()
    write_media(
        data,
        seconds=seconds,
        codec=codec,
        sound=sound,
        size=size,
        b_frames=b_frames,
        layout=layout,
    )
    return Taped(data.getvalue(), layout=layout)


def counted(data: bytes) -> tuple[int, int]:
    """Pictures and sound packets of a file; every picture is decoded."""
    pictures = sounds = 0
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux():
            if packet.stream.type == "video":
                pictures += len(packet.decode())
            elif packet.size:
                sounds += 1
    return pictures, sounds


def times_s(data: bytes) -> list[float]:
    """When each picture is shown."""
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(video=0))
    return [float((frame.pts or 0) * (frame.time_base or 0)) for frame in frames]


def first_is_key(data: bytes) -> bool:
    with av.open(io.BytesIO(data), "r") as container:
        return next(iter(container.demux(video=0))).is_keyframe


def prefixes(head: bytes, fragments: Sequence[bytes]) -> list[bytes]:
    """What is on disk after each fragment."""
    return [head + b"".join(fragments[: count + 1]) for count in range(len(fragments))]
