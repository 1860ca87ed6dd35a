"""Writes frames and sound into a clip as a camera would send them: H.264 baseline and AAC mono."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from zeroentry.composer.pixels import Image
from zeroentry.composer.sound import SAMPLE_RATE_HZ, Samples

AUDIO_BIT_RATE = 64_000
AAC_FRAME_SAMPLES = 1024
DEFAULT_BIT_RATE = 900_000  # noise of sigma 3 costs bits; enough at 640x360 for a clean picture
X264_OPTIONS = {
    "preset": "veryfast",
    "tune": "zerolatency",  # no frames held back and no B-frames, as in a camera
    "profile": "baseline",
}


def write_clip(
    path: Path,
    frames: Iterable[Image],
    fps: int,
    *,
    audio: Samples | None = None,
    bit_rate: int = DEFAULT_BIT_RATE,
) -> int:
    """Write frames (HxWx3 uint8 BGR, all of one size) and return how many there were.

    A key frame comes each second. `audio` is mono at SAMPLE_RATE_HZ; it is cut, or filled up with
    digital zero, to the length of the picture. The container follows from the path's suffix.
    Raises ValueError when there is no frame.
    """
    if fps < 1:
        raise ValueError(f"fps is {fps}: use at least 1")
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise ValueError(f"no frames for {path}: a clip needs at least one")
    with av.open(str(path), "w") as container:
        video = video_stream(container, first, fps, bit_rate)
        sound = None if audio is None else container.add_stream("aac", rate=SAMPLE_RATE_HZ)
        if sound is not None:
            sound.bit_rate = AUDIO_BIT_RATE
            sound.layout = "mono"
        count = 0
        heard = 0
        image: Image | None = first
        while image is not None:
            put_frame(container, video, image, count)
            count += 1
            if sound is not None and audio is not None:
                heard = put_sound(container, sound, audio, heard, count * SAMPLE_RATE_HZ // fps)
            image = next(source, None)
        container.mux(video.encode())
        if sound is not None:
            container.mux(sound.encode())
    return count


def video_stream(container: OutputContainer, first: Image, fps: int, bit_rate: int) -> VideoStream:
    """Open the picture's stream for frames like the first."""
    stream = container.add_stream("libx264", rate=fps)
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = bit_rate
    stream.gop_size = fps
    stream.time_base = Fraction(1, fps)
    stream.options = {**X264_OPTIONS, "keyint": str(fps), "scenecut": "0"}
    return stream


def put_frame(container: OutputContainer, stream: VideoStream, image: Image, number: int) -> None:
    """Encode one frame at its place in time."""
    if image.shape[:2] != (stream.height, stream.width):
        raise ValueError(
            f"frame {number} is {image.shape[1]}x{image.shape[0]}, "
            f"the clip {stream.width}x{stream.height}"
        )
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame.pts = number
    frame.time_base = Fraction(1, stream.codec_context.framerate)
    container.mux(stream.encode(frame))


def put_sound(
    container: OutputContainer, stream: AudioStream, audio: Samples, heard: int, until: int
) -> int:
    """Encode the sound between two sample numbers in whole AAC frames; return where it stopped."""
    while heard + AAC_FRAME_SAMPLES <= until:
        part = audio[heard : heard + AAC_FRAME_SAMPLES]
        if part.size < AAC_FRAME_SAMPLES:
            part = np.pad(part, (0, AAC_FRAME_SAMPLES - part.size))
        frame = av.AudioFrame.from_ndarray(part[None, :], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = heard
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        container.mux(stream.encode(frame))
        heard += AAC_FRAME_SAMPLES
    return heard
