"""Encodes one composed scene live: pictures and sound in, H.264 and AAC packets out."""

import asyncio
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from aio_rtsp_toolkit.server_media import (
    MediaSource,
    MediaTrackInfo,
    parse_parameter_sets,
    profile_level_id_from_sps,
    to_base64,
)
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from contracts.units import UtcMs
from runtime.clock import Clock
from zeroentry.composer.live import LiveScene
from zeroentry.composer.model import Cue, Frame, Scene
from zeroentry.composer.sound import SAMPLE_RATE_HZ, room_tone

FPS: Final = 10
FRAME_MS: Final = 1000 // FPS
VIDEO_CLOCK_HZ: Final = 90_000
AAC_FRAME_SAMPLES: Final = 1024
QUEUE_MAX: Final = 64
# Six seconds of pictures: a viewer that reads slower than that gets a gap, never more memory.
ROOM_TONE_DBFS: Final = -48.0
TONE_LOOP_S: Final = 8.0  # long enough that nobody hears the loop, short enough to make at once

_H264_OPTIONS: Final = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "profile": "baseline",
    "crf": "25",
    # annexb=0 gives length-prefixed units, the form that the RTSP server cuts into packets
    "x264-params": f"keyint={FPS}:min-keyint={FPS}:scenecut=0:annexb=0:bframes=0",
}
_GLOBAL_HEADER: Final = 0x400000  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets beside the stream


@dataclass(frozen=True, slots=True)
class LivePacket:
    """One encoded picture or sound frame. ``time_ms`` counts from the camera's own start."""

    kind: str
    data: bytes
    time_ms: float
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class TruthChange:
    """The generator's own word on what a camera began to show, and when."""

    camera_id: str
    utc_ms: UtcMs
    frame_index: int
    count: int
    persons: tuple[str, ...]
    half: tuple[str, ...]
    steady: bool


@dataclass(slots=True)
class LiveCamera:
    """One simulated camera, paced by the clock; ``media_source`` describes its tracks."""

    camera_id: str
    scene: Scene
    clock: Clock
    on_truth: Callable[[TruthChange], None]
    frozen: bool = False
    silent: bool = False
    warm: bool = False
    """Dress everybody before the first picture: seconds now instead of stutters later."""
    _viewers: set[asyncio.Queue[LivePacket]] = field(default_factory=set)
    _live: LiveScene = field(init=False)
    _cues: list[Cue] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._live = LiveScene(self.scene)
        if self.warm:
            self._live.warm_up()

    def cue(self, cue: Cue) -> None:
        """Play a cue from the next picture on."""
        self._cues.append(cue)

    def watch(self) -> asyncio.Queue[LivePacket]:
        """A viewer's own queue; give it back to ``leave``."""
        queue: asyncio.Queue[LivePacket] = asyncio.Queue(maxsize=QUEUE_MAX)
        self._viewers.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[LivePacket]) -> None:
        """Forget a viewer."""
        self._viewers.discard(queue)

    def media_source(self) -> MediaSource:
        """What the RTSP server says in its session description."""
        return MediaSource(
            file_path=Path(f"{self.camera_id}.live"),
            tracks=[_video_track(_video_encoder(self.scene)), _audio_track(_audio_encoder())],
            session_name="Zero Entry simulated camera",
            stream_kind="live",
            stream_id=self.camera_id,
        )

    async def run(self) -> None:
        """Render, encode and hand out until cancelled; a late picture is skipped, not hurried."""
        video, audio = _video_encoder(self.scene), _audio_encoder()
        tone = _tone_int16(self.scene.seed)
        start_ms, index, samples_done = self.clock.mono_ms(), 0, 0
        last_truth: tuple[object, ...] | None = None
        while True:
            t_ms = self.clock.mono_ms() - start_ms
            for cue in self._take_cues():
                self._live.apply(cue, t_ms)
            utc_ms = self.clock.utc_ms()
            frame = await asyncio.to_thread(self._live.render, t_ms, _osd(utc_ms))
            truth = _truth_of(frame)
            if truth != last_truth:
                last_truth = truth
                self.on_truth(TruthChange(self.camera_id, utc_ms, index, frame.count, *truth))
            self._give(await asyncio.to_thread(_encode_picture, video, frame.image, t_ms))
            samples_done = self._sound(audio, tone, samples_done, t_ms + FRAME_MS)
            index += 1
            due_ms = (t_ms // FRAME_MS + 1) * FRAME_MS
            await self.clock.sleep_ms(max(0, start_ms + due_ms - self.clock.mono_ms()))

    def _take_cues(self) -> list[Cue]:
        taken, self._cues = self._cues, []
        return taken

    def _sound(self, audio: AudioCodecContext, tone: np.ndarray, done: int, until_ms: int) -> int:
        wanted = until_ms * SAMPLE_RATE_HZ // 1000
        while done + AAC_FRAME_SAMPLES <= wanted:
            at = done % (len(tone) - AAC_FRAME_SAMPLES)
            chunk = tone[at : at + AAC_FRAME_SAMPLES]
            frame = av.AudioFrame.from_ndarray(
                (np.zeros_like(chunk) if self.silent else chunk).reshape(1, -1),
                format="fltp",
                layout="mono",
            )
            frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, done
            frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
            for packet in audio.encode(frame):
                at_ms = (packet.pts or 0) * 1000 / SAMPLE_RATE_HZ
                self._give([LivePacket("aac", bytes(packet), max(0.0, at_ms), is_keyframe=True)])
            done += AAC_FRAME_SAMPLES
        return done

    def _give(self, packets: list[LivePacket]) -> None:
        if self.frozen:
            return
        for packet in packets:
            for queue in self._viewers:
                if not queue.full():
                    queue.put_nowait(packet)


def _truth_of(frame: Frame) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    persons = tuple(sorted(person.id for person in frame.truth))
    half = tuple(sorted(person.id for person in frame.truth if person.half))
    return persons, half, frame.steady


def _osd(utc_ms: UtcMs) -> str:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _tone_int16(seed: int) -> np.ndarray:
    return room_tone(seed, TONE_LOOP_S, ROOM_TONE_DBFS).astype(np.float32)


def _video_encoder(scene: Scene) -> VideoCodecContext:
    encoder = VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height = scene.size_px
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, VIDEO_CLOCK_HZ)
    encoder.framerate = Fraction(FPS, 1)
    encoder.flags |= _GLOBAL_HEADER
    encoder.thread_count = 1
    encoder.options = dict(_H264_OPTIONS)
    encoder.open()
    return encoder


def _audio_encoder() -> AudioCodecContext:
    encoder = AudioCodecContext.create("aac", "w")
    encoder.sample_rate = SAMPLE_RATE_HZ
    encoder.layout = "mono"
    encoder.format = "fltp"
    encoder.bit_rate = 64_000
    encoder.flags |= _GLOBAL_HEADER
    encoder.open()
    return encoder


def _encode_picture(encoder: VideoCodecContext, image: np.ndarray, t_ms: int) -> list[LivePacket]:
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame.pts = t_ms * VIDEO_CLOCK_HZ // 1000
    frame.time_base = Fraction(1, VIDEO_CLOCK_HZ)
    return [
        LivePacket("video", bytes(packet), float(t_ms), bool(packet.is_keyframe))
        for packet in encoder.encode(frame)
    ]


def _video_track(encoder: VideoCodecContext) -> MediaTrackInfo:
    length_bytes, sets = parse_parameter_sets("h264", bytes(encoder.extradata or b""))
    sps, pps = sets["sps"], sets["pps"]
    return MediaTrackInfo(
        media_type="video",
        control="track1",
        codec_name="h264",
        payload_type=96,
        clock_rate=VIDEO_CLOCK_HZ,
        fmtp=f"packetization-mode=1; profile-level-id={profile_level_id_from_sps(sps)}; "
        f"sprop-parameter-sets={to_base64(sps)},{to_base64(pps)}",
        nal_length_size=length_bytes,
        parameter_sets=sets,
    )


def _audio_track(encoder: AudioCodecContext) -> MediaTrackInfo:
    config = binascii.hexlify(bytes(encoder.extradata or b"")).decode("ascii")
    return MediaTrackInfo(
        media_type="audio",
        control="track2",
        codec_name="mpeg4-generic",
        payload_type=104,
        clock_rate=SAMPLE_RATE_HZ,
        channels=1,
        fmtp="streamtype=5; profile-level-id=15; mode=AAC-hbr; "
        f"config={config}; SizeLength=13; IndexLength=3; IndexDeltaLength=3",
    )
