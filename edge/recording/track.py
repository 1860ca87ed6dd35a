"""Turns one track's packets, as they come, into segments for the disk, and tells every gap."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import hashlib
import threading
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, Protocol

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from contracts.evidence.entries import Ending, GapReason, TrackId
from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SegmentEnded,
    SegmentOpened,
)
from edge.recording.cutting import Cutting, ending_at_key
from edge.recording.muxing import Fragment, MuxingLost, SegmentMuxer, audio_name, video_name
from edge.recording.parameters import (
    HEAD_BYTES,
    Codec,
    ParameterSets,
    SetError,
    adopt,
    is_start_coded,
)
from edge.recording.ports import Link, TrackItems, TwoClocks
from edge.recording.timeline import Line, Moved

LEAD_MAX_MS: Final = 1_000  # sound this much older than the picture belongs to no picture
START_DOUBT_MS: Final = 1_000  # how far back a first picture's arrival may be reckoned
DAMAGE_NOTE_MS: Final = 60_000  # a line noisy for hours must not fill the chain
NOTE_CHARS: Final = 200  # as contracts.evidence allows
OFFSETS_MAX: Final = 600  # of one segment: two a second; the median needs no more

CODECS: Final[dict[str, Codec]] = {"h264": "h264", "hevc": "h265"}


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How one track is recorded."""

    track_id: TrackId
    segment_ms: int = 60_000
    fragment_ms: int = 500
    when_gone: GapReason = GapReason.CAMERA_OFFLINE
    """Why nothing comes when a connection ended and nobody has said why: ``PICKUP_LOST`` there."""


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """How a track is recorded now; counts since the start. ``reason`` is None while recording."""

    recording: bool
    reason: GapReason | None
    since: Instant | None
    detail: str
    video_packets: int
    audio_packets: int
    skipped_packets: int
    """Came and are in no file: before a key frame, or while the disk refused."""
    damaged_packets: int


class LinkNews(Protocol):
    """What ``edge.capture`` says when a link's state changes."""

    @property
    def reason(self) -> GapReason | None: ...

    @property
    def since(self) -> Instant: ...

    @property
    def error(self) -> str | None: ...


class _Input:
    """One stream of the link."""

    __slots__ = ("at_last", "is_video", "line", "lived", "stream", "time_base")

    def __init__(self, stream: Stream, *, is_video: bool) -> None:
        base = stream.time_base
        self.stream = stream
        self.time_base = base
        self.line = Line(float(1 / base) if base else 1000.0)
        self.is_video = is_video
        self.lived = True
        """Whether packets came of late: a silent sound track is left out of the next file."""


class _Segment:
    """The file that is being made."""

    __slots__ = ("bases", "cutting", "deadline_ms", "muxer", "offsets_ms", "outputs", "rebased")

    def __init__(self, muxer: SegmentMuxer, cutting: Cutting) -> None:
        self.muxer = muxer
        self.cutting = cutting
        self.deadline_ms = cutting.start.mono_ms + cutting.hard_ms
        self.bases: dict[int, int] = {}
        """Where the file's zero lies on each stream's line, by the stream's index."""
        self.outputs: dict[int, Stream] = {}
        self.rebased: frozenset[int] = frozenset()
        """Streams whose ticks the muxer changes, so that packets must be put back as they were."""
        self.offsets_ms: list[float] = []


class TrackRecorder:
    """A packet sink that records one track (``edge.capture``'s PacketSink and LinkWatcher).

    Nothing here blocks or grows: what the queue refuses is lost, told, and tried again at the next
    key frame. Methods may be called from any thread.
    """

    def __init__(self, settings: TrackSettings, queue: TrackItems, clock: TwoClocks) -> None:
        self._settings = settings
        self._queue = queue
        self._clock = clock
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._inputs: dict[int, _Input] = {}
        self._video: _Input | None = None
        self._audio: _Input | None = None
        self._codec: Codec | None = None
        self._sets: ParameterSets | None = None
        self._segment: _Segment | None = None
        self._description: str | None = None
        self._gap: GapBegan | None = None
        self._paused: GapReason | None = None
        self._gone: tuple[GapReason, str] | None = None
        """Why nothing comes, while nothing comes."""
        self._untold_since: Instant | None = None
        """When a connection ended whose reason nobody has said yet."""
        self._refused = False
        self._unfit: str | None = None
        self._last_at: Instant | None = None
        self._video_packets = 0
        self._audio_packets = 0
        self._skipped = 0
        self._damaged = 0
        self._damage_noted: tuple[int, int] | None = None
        """When damage was last noted (monotonic ms), and the count that was told then."""

    @property
    def facts(self) -> TrackFacts:
        """How it stands, for status and health."""
        with self._lock:
            segment, gap = self._segment, self._gap
            reason = gap.reason if gap is not None else None
            since = gap.since if gap is not None else self._last_at
            if self._refused:
                reason = self._queue.broken or reason
            return TrackFacts(
                recording=segment is not None,
                reason=reason if segment is None else None,
                since=segment.cutting.start if segment is not None else since,
                detail=gap.detail if gap is not None and segment is None else "",
                video_packets=self._video_packets,
                audio_packets=self._audio_packets,
                skipped_packets=self._skipped,
                damaged_packets=self._damaged,
            )

    # What the reader says.

    def opened(self, link: Link) -> None:
        """See ``PacketSink``."""
        with self._lock:
            self._end(Ending.STREAM_ENDED)
            self._link = link
            self._video = _Input(link.video, is_video=True) if link.video is not None else None
            heard = link.audio is not None and audio_name(link.audio) is not None
            self._audio = _Input(link.audio, is_video=False) if link.audio and heard else None
            found = (self._video, self._audio)
            self._inputs = {each.stream.index: each for each in found if each is not None}
            self._unfit = _why_unfit(link)
            self._codec, self._sets = _declared_sets(link)
            now = self._now()
            if self._untold_since is not None:
                self._gap_began(self._settings.when_gone, self._untold_since)
            self._gone = self._untold_since = None
            if self._unfit is not None:
                self._gap_began(GapReason.STREAM_DAMAGED, now, self._unfit)
            elif self._gap is None:
                self._gap_began(GapReason.STARTING, now)

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """See ``PacketSink``."""
        with self._lock:
            source = self._inputs.get(packet.stream_index)
            if source is None:
                return
            if packet.is_corrupt:
                self._note_damage("damaged packets came", at)
            line = source.line
            other = self._audio if source.is_video else self._video
            dts, pts = line.place(
                packet.dts, packet.pts, at.mono_ms, other.line if other is not None else None
            )
            source.lived = True
            if line.moved is not None:
                self._moved(line.moved)
                line.moved = None
            segment = self._segment
            if source.is_video:
                if packet.is_keyframe:
                    segment = self._at_key(segment, packet, dts, at)
                elif segment is not None and at.mono_ms >= segment.deadline_ms:
                    segment = None
                    self._at_deadline(at)
            elif self._video is None:
                segment = self._at_sound_alone(segment, dts, at)
            if segment is None:
                self._skipped += 1
                return
            self._put(segment, source, packet, dts, pts, at)

    def closed(self) -> None:
        """See ``PacketSink``."""
        with self._lock:
            self._end(Ending.STREAM_ENDED)
            self._link = None
            self._inputs = {}
            self._video = self._audio = None
            # Why it closed is said a moment later: see ``link_changed``.
            if self._gone is None and self._untold_since is None:
                self._untold_since = self._last_at or self._now()

    def link_changed(self, news: LinkNews) -> None:
        """See ``LinkWatcher``: nothing comes, and why."""
        if news.reason is None:
            return
        with self._lock:
            self._lose(news.reason, self._last_at or news.since, news.error or "")

    def damaged(self, detail: str, at: Instant) -> None:
        """See ``LinkWatcher``."""
        with self._lock:
            self._note_damage(detail, at)

    # What the recorder's process says.

    def lose(self, reason: GapReason, since: Instant, detail: str = "") -> None:
        """The source is lost for a reason that its owner knows (a pickup was unplugged)."""
        with self._lock:
            self._lose(reason, since, detail)

    def _lose(self, reason: GapReason, since: Instant, detail: str) -> None:
        # The reading thread may hang in a silent connection: what was made must be on disk.
        self._end(Ending.STREAM_ENDED)
        self._gone = (reason, detail)
        self._untold_since = None
        self._gap_began(reason, since, detail)

    def pause(self, reason: GapReason) -> None:
        """Record nothing until ``resume()``: the disk is kept for what is sealed."""
        with self._lock:
            since = self._last_at if self._segment is not None else None
            self._end(Ending.STOPPED)
            self._paused = reason
            self._gap_began(reason, since or self._now())

    def resume(self) -> None:
        """Record again, from the next key frame on."""
        with self._lock:
            self._paused = None
            if self._gone is not None:
                self._gap_began(self._gone[0], self._now(), self._gone[1])

    def stop(self) -> None:
        """End the file that is open, in order; nothing is recorded afterwards."""
        with self._lock:
            self._end(Ending.STOPPED)
            self._inputs = {}

    # One packet.

    def _put(
        self,
        segment: _Segment,
        source: _Input,
        packet: Packet[Stream],
        dts: int,
        pts: int,
        at: Instant,
    ) -> None:
        index = source.stream.index
        output = segment.outputs.get(index)
        base = segment.bases.get(index, 0)
        if output is None or dts < base:
            self._skipped += 1
            if output is None and segment.cutting.wanted is None:
                # Sound came back: it gets its track in a new file, at the next key frame.
                segment.cutting = replace(segment.cutting, wanted=Ending.STREAM_CHANGED)
            return
        raw_dts, raw_pts, raw_duration = packet.dts, packet.pts, packet.duration
        dts -= base
        packet.dts = dts
        packet.pts = pts - base
        packet.stream = output
        began_ms = segment.muxer.began_ms
        if output.index not in began_ms:
            began_ms[output.index] = dts * source.line.ms_per_tick
        try:
            segment.muxer.put(packet)
        except (FFmpegError, ValueError) as error:
            self._note_damage(_said(error), at)
        else:
            if source.is_video:
                self._video_packets += 1
            else:
                self._audio_packets += 1
        finally:
            # Other sinks see the packet as it came.
            packet.stream = source.stream
            if index in segment.rebased and source.time_base is not None:
                packet.time_base = source.time_base
                packet.duration = raw_duration
            packet.dts = raw_dts
            packet.pts = raw_pts
        if segment.muxer.holds_fragment:
            self._fragment(segment)
        self._last_at = at

    def _fragment(self, segment: _Segment) -> None:
        try:
            made = segment.muxer.fragment()
        except MuxingLost as error:
            self._note_damage(str(error), self._now())
            return
        self._measure(segment)
        if not self._offer_fragment(made):
            self._disk_refused()

    def _offer_fragment(self, made: Fragment) -> bool:
        return self._queue.offer(
            FragmentMade(
                data=made.data,
                duration_ms=made.duration_ms,
                video_packets=made.video_packets,
                audio_packets=made.audio_packets,
                last_arrival=self._last_at or self._now(),
            )
        )

    def _measure(self, segment: _Segment) -> None:
        """How much later sound comes than the picture of the same place on the line."""
        video, audio, link = self._video, self._audio, self._link
        if video is None or audio is None or link is None or not audio.lived:
            return
        if audio.line.late_ms is None or video.line.late_ms is None:
            return
        if len(segment.offsets_ms) < OFFSETS_MAX:
            picture_ms = video.line.late_ms - link.picture_delay_ms
            segment.offsets_ms.append(audio.line.late_ms - picture_ms)

    # Where segments begin and end.

    def _at_key(
        self, segment: _Segment | None, packet: Packet[Stream], dts: int, at: Instant
    ) -> _Segment | None:
        """The segment that this key frame belongs to."""
        changed = self._take_sets(packet, at)
        if segment is not None:
            ending = ending_at_key(segment.cutting, at, changed=changed)
            if ending is None:
                return segment
            self._end(ending)
        return self._begin(dts, at)

    def _at_deadline(self, at: Instant) -> None:
        self._end(Ending.FULL)
        self._gap_began(GapReason.STREAM_DAMAGED, at, "no key frame came in time")

    def _at_sound_alone(self, segment: _Segment | None, dts: int, at: Instant) -> _Segment | None:
        """A track without pictures: each packet is a key frame."""
        if segment is not None:
            ending = ending_at_key(segment.cutting, at, changed=False)
            if ending is None:
                return segment
            self._end(ending)
        return self._begin(dts, at)

    def _begin(self, dts: int, at: Instant) -> _Segment | None:
        """Open a file whose first packet lies at ``dts``; None when nothing may be recorded."""
        link = self._link
        if link is None or self._unfit is not None or self._paused is not None:
            return None
        if self._refused and not self._queue.ready():
            return None
        self._refused = False
        first = self._video or self._audio
        if first is None:
            return None
        heard = self._audio if self._audio is not None and self._audio.lived else None
        begin_ms = dts * first.line.ms_per_tick
        zero_ms = _zero_ms(begin_ms, heard.line if heard is not None else None)
        try:
            muxer = SegmentMuxer(
                link.video,
                link.audio if heard is not None else None,
                self._sets,
                fragment_ms=self._settings.fragment_ms,
            )
        except MuxingLost as error:
            self._gap_began(GapReason.STREAM_DAMAGED, at, str(error))
            return None
        if self._gap is not None:
            for each in self._inputs.values():
                each.line.restart()
        start = self._arrival(first, dts, at)
        segment = _Segment(muxer, Cutting(self._settings.segment_ms, start))
        self._connect(segment, zero_ms)
        self._note_stream(muxer, at)
        if self._gap is not None:
            self._queue.offer(GapEnded(start))
            self._gap = None
        if not self._queue.offer(SegmentOpened(start, muxer.media, muxer.head)):
            self._refused = True
            return None
        for each in self._inputs.values():
            each.line.settle()
            each.lived = each.is_video
        self._segment = segment
        return segment

    def _connect(self, segment: _Segment, zero_ms: float) -> None:
        pairs = ((self._video, segment.muxer.video), (self._audio, segment.muxer.audio))
        rebased: set[int] = set()
        for source, output in pairs:
            if source is None or output is None:
                continue
            index = source.stream.index
            segment.outputs[index] = output
            segment.bases[index] = round(zero_ms / source.line.ms_per_tick)
            if output.time_base != source.time_base:
                rebased.add(index)
        segment.rebased = frozenset(rebased)

    def _arrival(self, first: _Input, dts: int, at: Instant) -> Instant:
        """When the first picture came: packets that were left to gather came before they were read.

        The promptest packets of the last second tell how much later than its place on the line a
        packet is read when it is read at once.
        """
        back_ms = 0.0
        if first.line.late_ms is not None:
            reckoned_ms = dts * first.line.ms_per_tick + first.line.late_ms
            back_ms = min(max(at.mono_ms - reckoned_ms, 0.0), START_DOUBT_MS)
        delay_ms = self._link.picture_delay_ms if self._link is not None else 0
        back = round(back_ms) + delay_ms
        return Instant(MonoMs(at.mono_ms - back), UtcMs(at.utc_ms - back))

    def _end(self, ending: Ending) -> None:
        """Close the open file, if there is one."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            rest = segment.muxer.close()
        except MuxingLost as error:
            rest = None
            self._note_damage(str(error), self._now())
        if rest is not None and ending is not Ending.DISK and not self._offer_fragment(rest):
            ending = Ending.DISK
            self._refused = True
        offset_ms = round(median(segment.offsets_ms)) if segment.offsets_ms else None
        self._queue.offer(SegmentEnded(ending, offset_ms))

    def _disk_refused(self) -> None:
        # The gap with its reason is written by the queue's other side, which knows since when.
        self._refused = True
        self._end(Ending.DISK)

    def _moved(self, moved: Moved) -> None:
        if self._segment is not None and self._segment.cutting.wanted is None:
            cutting = replace(self._segment.cutting, wanted=Ending.TIME_JUMPED)
            self._segment.cutting = cutting
        at = self._now()
        self._note("stream", "", f"{moved.trouble.value}; moved by {moved.by_ms} ms", at)

    # Words for the chain.

    def _take_sets(self, packet: Packet[Stream], at: Instant) -> bool:
        """Adopt the parameter sets of a key frame; whether others held until now."""
        codec, before = self._codec, self._sets
        if codec is None:
            return False
        head = bytes(memoryview(packet)[:HEAD_BYTES])
        if not is_start_coded(head):
            return False
        try:
            self._sets = adopt(before, codec, head, whole=packet.size <= HEAD_BYTES)
        except SetError as error:
            self._note_damage(f"a parameter set {error}", at)
        return self._sets is not before

    def _note_stream(self, muxer: SegmentMuxer, at: Instant) -> None:
        media = muxer.media
        words = [f"{media.video} {media.width}x{media.height}"] if media.video else []
        if self._sets is not None and media.video:
            words.append(f"sets {hashlib.sha256(self._sets.head).hexdigest()[:12]}")
        if media.audio:
            words.append(f"{media.audio} {media.rate_hz} Hz")
        description = ", ".join(words)
        if self._description is not None and description != self._description:
            self._note("stream", self._description, description, at)
        self._description = description

    def _note_damage(self, detail: str, at: Instant) -> None:
        self._damaged += 1
        told = self._damage_noted
        if told is not None and at.mono_ms - told[0] < DAMAGE_NOTE_MS:
            return
        count = self._damaged - (told[1] if told is not None else 0)
        self._damage_noted = (at.mono_ms, self._damaged)
        self._note("damage", "", f"{count} x, last: {detail}", at)

    def _note(self, what: str, before: str, after: str, at: Instant) -> None:
        self._queue.offer(Noted(what, before[:NOTE_CHARS], after[:NOTE_CHARS], at))

    def _gap_began(self, reason: GapReason, since: Instant, detail: str = "") -> None:
        if self._paused is not None:
            reason, detail = self._paused, ""
        if self._gap is not None:
            if self._gap.reason is reason:
                return
            since = self._now()  # until now the reason before was true
        self._gap = GapBegan(reason, since, detail[:NOTE_CHARS])
        self._queue.offer(self._gap)

    def _now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())


def _why_unfit(link: Link) -> str | None:
    """Why nothing of this link can be recorded; None when something can."""
    try:
        if link.video is not None:
            video_name(link.video)
        elif link.audio is None or audio_name(link.audio) is None:
            return "nothing came that can be stored"
    except MuxingLost as error:
        return str(error)
    return None


def _declared_sets(link: Link) -> tuple[Codec | None, ParameterSets | None]:
    """Codec and parameter sets as the connection declared them; a key frame's go before."""
    if link.video is None:
        return None, None
    context = link.video.codec_context
    codec = CODECS.get(context.name)
    head = context.extradata or b""
    if codec is None or not is_start_coded(head):
        return codec, None
    try:
        return codec, adopt(None, codec, head, whole=True)
    except SetError:
        return codec, None  # the camera declares nonsense; its key frames may do better


def _zero_ms(begin_ms: float, sound: Line | None) -> float:
    """Where the file's zero lies: at the first picture, or at the sound that is still to come.

    Sound of before a key frame mostly comes after it; it belongs to this file, not to none.
    """
    if sound is None or sound.last is None:
        return begin_ms
    sound_ms = (sound.last + sound.step) * sound.ms_per_tick
    return max(min(begin_ms, sound_ms), begin_ms - LEAD_MAX_MS)


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, FFmpegError) else None) or str(error)
