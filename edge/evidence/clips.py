"""Cuts clips out of recordings: from a key frame on, over segment borders, without re-encoding.

A clip keeps the time of the world: where nothing was recorded, its last picture stands still for as
long as the gap lasted, so that place in the clip plus ``start_utc_ms`` is always the hour of day.
"""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from contracts.units import UtcMs

CLIP_MAX_MS: Final = 600_000  # ten minutes: what one looks at; for more, take the segments
CLIP_BYTES_MAX: Final = 1024**3
# Ten minutes at 12 Mb/s. The copy lies on the node's disk while somebody looks at it.
JOIN_MS: Final = 500  # two files that follow this closely are joined without a jolt or an overlap
AUDIO_IN_MP4: Final = frozenset({"aac", "opus", "flac", "mp3", "ac3"})
_MS: Final = Fraction(1, 1000)
_STEP: Final = Fraction(1, 25)  # where a stream does not tell how long its pictures last
PACKETS_WAITING_MAX: Final = 20_000  # of one group of pictures; more is no video of ours


class NothingRecordedError(Exception):
    """The interval holds no picture and no sound."""


class ClipDamagedError(Exception):
    """A file of the interval cannot be read as a recording; says which."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file that a clip takes from; only its first ``bytes`` count, for it may be growing."""

    path: Path
    bytes: int
    start_utc_ms: UtcMs
    number: int


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip really holds. ``changed_at_utc_ms``: there the stream changed, the clip ends."""

    start_utc_ms: UtcMs
    end_utc_ms: UtcMs
    numbers: tuple[int, ...]
    sound: bool
    sound_left_out: str | None = None
    """Codec of a sound that MP4 players do not know."""
    changed_at_utc_ms: UtcMs | None = None


class FirstBytes(io.RawIOBase):
    """The first ``size`` bytes of a file that may be growing."""

    def __init__(self, path: Path, size: int) -> None:
        self._file: BinaryIO = path.open("rb")
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return self._file.seek(self._size + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(slots=True)
class _Track:
    """One stream of the clip and where it has come to."""

    stream: Stream
    template: _Form
    last_dts_s: Fraction | None = None
    step_s: Fraction = _STEP


@dataclass(frozen=True, slots=True)
class _Form:
    """What must stay the same for packets to go into one MP4 track."""

    codec: str
    size: tuple[int, int]
    rate_hz: int
    extradata: bytes


@dataclass(slots=True)
class _Cut:
    """The clip that is being written."""

    from_utc_ms: int
    to_utc_ms: int
    out: OutputContainer
    tracks: dict[str, _Track] = field(default_factory=dict)
    start_utc_ms: Fraction | None = None
    end_utc_ms: Fraction = Fraction(0)
    numbers: list[int] = field(default_factory=list)
    sound_left_out: str | None = None
    changed_at_utc_ms: UtcMs | None = None


def cut(sources: Sequence[Source], from_utc_ms: int, to_utc_ms: int, target: Path) -> ClipFacts:
    """Write a clip of an interval to ``target``; ``sources`` by time.

    It begins at the last key frame that is not after ``from_utc_ms``, where there is one.

    Raises:
        NothingRecordedError: no packet lies in the interval.
        ClipDamagedError: a file cannot be read.
        OSError: the disk refused.
    """
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        clip = _Cut(from_utc_ms, to_utc_ms, out)
        for source in sources:
            try:
                with (
                    FirstBytes(source.path, source.bytes) as file,
                    av.open(file, "r", format="mp4") as container,
                ):
                    goes_on = _take_file(clip, source, container)
            except FFmpegError as error:
                raise ClipDamagedError(f"{source.path.name}: {error.strerror}") from error
            if not goes_on:
                break
        if clip.start_utc_ms is None:
            raise NothingRecordedError
    return ClipFacts(
        start_utc_ms=UtcMs(round(clip.start_utc_ms)),
        end_utc_ms=UtcMs(round(clip.end_utc_ms)),
        numbers=tuple(clip.numbers),
        sound="audio" in clip.tracks,
        sound_left_out=clip.sound_left_out,
        changed_at_utc_ms=clip.changed_at_utc_ms,
    )


def _take_file(clip: _Cut, source: Source, container: InputContainer) -> bool:
    """Copy what the interval wants of one file; whether the next file may follow."""
    forms = _forms(container)
    if not clip.tracks:
        _open_tracks(clip, container, forms)
    elif forms.get("video") != _form_of(clip, "video"):
        clip.changed_at_utc_ms = source.start_utc_ms
        return False
    shift_ms = _joined(clip, source)
    taken = False
    for packet, at_ms in _wanted(clip, container, source.start_utc_ms):
        if not taken:
            taken = True
            clip.numbers.append(source.number)
        if clip.start_utc_ms is None:
            clip.start_utc_ms = at_ms
        _write(clip, packet, at_ms + shift_ms)
    return True


def _form_of(clip: _Cut, kind: str) -> _Form | None:
    track = clip.tracks.get(kind)
    return track.template if track else None


def _forms(container: InputContainer) -> dict[str, _Form]:
    forms: dict[str, _Form] = {}
    for video in container.streams.video[:1]:
        context = video.codec_context
        forms["video"] = _Form(
            context.name, (context.width, context.height), 0, bytes(context.extradata or b"")
        )
    for audio in container.streams.audio[:1]:
        heard = audio.codec_context
        forms["audio"] = _Form(heard.name, (0, 0), heard.sample_rate, bytes(heard.extradata or b""))
    return forms


def _open_tracks(clip: _Cut, container: InputContainer, forms: dict[str, _Form]) -> None:
    for kind, form in forms.items():
        if kind == "audio" and form.codec not in AUDIO_IN_MP4:
            clip.sound_left_out = form.codec
            continue
        source = (container.streams.video if kind == "video" else container.streams.audio)[0]
        made = clip.out.add_stream_from_template(source)
        step = Fraction(0)
        if kind == "video" and (rate := container.streams.video[0].average_rate):
            step = 1 / Fraction(rate)
        clip.tracks[kind] = _Track(made, form, step_s=step or _STEP)


def _joined(clip: _Cut, source: Source) -> Fraction:
    """How far a file is moved, so that it follows the one before it without an overlap."""
    ends = [
        track.last_dts_s + track.step_s
        for track in clip.tracks.values()
        if track.last_dts_s is not None and track.stream.type == "video"
    ]
    if not ends or clip.start_utc_ms is None:
        return Fraction(0)
    expected_ms = clip.start_utc_ms + max(ends) * 1000
    apart_ms = source.start_utc_ms - expected_ms
    # Arrival jitters: close files are joined. A clock that stepped back must not overlap either.
    return -apart_ms if apart_ms < JOIN_MS else Fraction(0)


def _wanted(
    clip: _Cut, container: InputContainer, start_utc_ms: int
) -> Iterator[tuple[Packet[Stream], Fraction]]:
    """Packets of the interval with their time, from the last key frame before it on."""
    waiting: list[tuple[Packet[Stream], Fraction]] = []
    begun = clip.start_utc_ms is not None
    origin_s: Fraction | None = None
    has_video = "video" in clip.tracks
    for packet in container.demux():
        kind = packet.stream.type
        track = clip.tracks.get(kind)
        if track is None or packet.dts is None or packet.size == 0:
            continue
        decode_s = packet.dts * _base(packet)
        if kind == "video" or not has_video:
            origin_s = decode_s if origin_s is None else origin_s
        if origin_s is None:
            continue  # sound before the first picture
        at_ms = start_utc_ms + (decode_s - origin_s) * 1000
        leads = kind == "video" or not has_video
        if leads and at_ms >= clip.to_utc_ms:
            return
        if at_ms >= clip.to_utc_ms:
            continue
        if begun:
            yield packet, at_ms
            continue
        if leads and packet.is_keyframe and at_ms <= clip.from_utc_ms:
            waiting.clear()
        if waiting or (leads and packet.is_keyframe):
            waiting.append((packet, at_ms))
        if len(waiting) > PACKETS_WAITING_MAX:
            raise ClipDamagedError("no key frame for too long")
        if waiting and at_ms >= clip.from_utc_ms:
            begun = True
            yield from waiting
            waiting.clear()
    # The interval began after the last packet: nothing of this file.


def _write(clip: _Cut, packet: Packet[Stream], at_ms: Fraction) -> None:
    track = clip.tracks[packet.stream.type]
    assert clip.start_utc_ms is not None  # noqa: S101  # set before the first packet is written
    assert packet.dts is not None  # noqa: S101  # see _wanted
    base = _base(packet)
    decode_s = (at_ms - clip.start_utc_ms) / 1000
    if track.last_dts_s is not None and decode_s <= track.last_dts_s:
        if packet.stream.type != "video":
            return  # sound that overlaps what is there already
        decode_s = track.last_dts_s + base
    later = (packet.pts - packet.dts) if packet.pts is not None else 0
    dts = int(decode_s / base)
    if track.last_dts_s is not None and packet.stream.type == "video":
        step_s = decode_s - track.last_dts_s
        track.step_s = step_s if step_s < 1 else track.step_s
    track.last_dts_s = decode_s
    clip.end_utc_ms = max(
        clip.end_utc_ms,
        at_ms + (packet.duration or int(track.step_s / base)) * base * 1000,
    )
    packet.dts, packet.pts = dts, dts + later
    packet.stream = track.stream
    clip.out.mux_one(packet)


def _base(packet: Packet[Stream]) -> Fraction:
    return Fraction(packet.time_base)
