"""A folder of recordings as a recorder leaves it: signed manifests, and segments to play."""

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from contracts.evidence import entries as told
from contracts.evidence.entries import NOTHING, At, ClockSource, ClockState, Media
from contracts.evidence.lines import sign_line
from contracts.units import MonoMs, UtcMs
from edge.evidence.places import day_of
from runtime.signing import SigningKey

# 2026-11-20T08:00:00Z
START_UTC_MS = 1_795_161_600_000
BOOT = "00000000-0000-0000-0000-00000000000a"
SIZE_PX = (64, 48)
FPS = 5
CLOCK = ClockState(source=ClockSource.SYNCHRONISED)


def at(utc_ms: int) -> At:
    return At(utc_ms=UtcMs(utc_ms), mono_ms=MonoMs(utc_ms - START_UTC_MS + 1_000), boot_id=BOOT)


@dataclass
class RecordedTrack:
    """One track's chain, written the plain way."""

    root: Path
    track: str = "cam-1"
    site: str = "demo"
    key: SigningKey = field(default_factory=SigningKey.generate)
    sequence: int = 0
    number: int = 0
    head: str = NOTHING
    day: str = ""

    def folder(self, day: str) -> Path:
        made = self.root / self.track / day
        made.mkdir(parents=True, exist_ok=True)
        return made

    @property
    def manifest(self) -> Path:
        return self.folder(self.day) / "manifest.jsonl"

    def line(self, kind: type[Any], utc_ms: int, **fields: Any) -> bytes:
        """The next line of the chain; not yet in a file."""
        self.sequence += 1
        entry = kind(
            key=self.key.id,
            site=self.site,
            node="edge-1",
            track=self.track,
            sequence=self.sequence,
            previous=self.head,
            recorded=at(utc_ms),
            clock=CLOCK,
            **fields,
        )
        raw = sign_line(entry, self.key.sign)
        self.head = hashlib.sha256(raw).hexdigest()
        self.day = max(self.day, day_of(utc_ms))
        return raw

    def append(self, kind: type[Any], utc_ms: int, **fields: Any) -> bytes:
        raw = self.line(kind, utc_ms, **fields)
        with self.manifest.open("ab") as file:
            file.write(raw + b"\n")
        return raw

    def file_name(self, number: int, utc_ms: int) -> str:
        day = day_of(utc_ms).replace("-", "")
        second = utc_ms // 1000 % 86_400
        clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
        return f"{self.track}_{number:08d}_{day}T{clock}Z.mp4"

    def segment(
        self,
        utc_ms: int,
        duration_ms: int = 60_000,
        *,
        content: bytes = b"",
        entered_utc_ms: int | None = None,
        media: Media | None = None,
    ) -> Path:
        """A finished file and its entry."""
        self.number += 1
        path = self.open_file(utc_ms, content)
        self.append(
            told.Segment,
            utc_ms + duration_ms if entered_utc_ms is None else entered_utc_ms,
            number=self.number,
            file=path.name,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            start=at(utc_ms),
            duration_ms=duration_ms,
            media=media or Media(video="h264", width=SIZE_PX[0], height=SIZE_PX[1]),
            video_packets=duration_ms * FPS // 1000,
            ending=told.Ending.FULL,
        )
        return path

    def open_file(self, utc_ms: int, content: bytes, number: int | None = None) -> Path:
        """A file that no entry tells of (yet)."""
        name = self.file_name(self.number if number is None else number, utc_ms)
        path = self.folder(max(self.day, day_of(utc_ms))) / name
        path.write_bytes(content)
        return path

    def gap(self, utc_ms: int, duration_ms: int, reason: str, *, ended: bool = True) -> None:
        self.append(
            told.Gap,
            utc_ms + duration_ms,
            reason=reason,
            start=at(utc_ms),
            duration_ms=duration_ms,
            ended=ended,
        )


def footage(
    path: Path,
    seconds: float,
    *,
    size_px: tuple[int, int] = SIZE_PX,
    first_picture: int = 0,
    sound: bool = False,
    fps: int = FPS,
    codec: str = "libx264",
) -> bytes:
    """A fragmented MP4 of pictures whose brightness tells their place; a key frame a second."""
    with av.open(
        str(path),
        "w",
        format="mp4",
        options={
            "movflags": "+frag_keyframe+empty_moov+default_base_moof",
            "frag_duration": "500000",
            "use_editlist": "0",
        },
    ) as container:
        video = container.add_stream(codec, rate=fps)
        assert isinstance(video, VideoStream)
        video.width, video.height = size_px
        video.pix_fmt = "yuv420p"
        video.options = {
            "preset": "ultrafast", "tune": "zerolatency",
            "x264-params": f"keyint={fps}:min-keyint={fps}:scenecut=0:bframes=0",
            "x265-params": f"keyint={fps}:min-keyint={fps}:scenecut=0:bframes=0:log-level=none",
        }  # fmt: skip
        audio = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        samples = 0
        for index in range(round(seconds * fps)):
            shade = 16 + 2 * (first_picture + index) % 200
            frame = av.VideoFrame.from_ndarray(
                np.full((size_px[1], size_px[0], 3), shade, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(video.encode(frame))
            while audio is not None and samples + 1024 <= (index + 1) * 16_000 // fps:
                sound_frame = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
                )
                sound_frame.sample_rate, sound_frame.pts = 16_000, samples
                sound_frame.time_base = Fraction(1, 16_000)
                container.mux(audio.encode(sound_frame))
                samples += 1024
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path.read_bytes()
