"""Turns the blocks of one open pickup into stamped packets for the sinks, and levels."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from contracts.devices import PickupConfig
from contracts.evidence.entries import GapReason
from contracts.units import MonoMs, UtcMs
from edge.capture.pickup_clock import Jump, SoundClock, settle, step
from edge.capture.pickup_encoding import Encoded, Encoder, Levels, Mono, own_reading, stamp
from edge.capture.pickup_frames import SAMPLE_BYTES, Opened, Sound
from edge.capture.sound import RATE_HZ
from edge.core.people import Instant
from edge.core.recording import LevelSaid
from runtime.clock import Clock

log = structlog.get_logger(__name__)

CUT_US: Final = 1_000_000  # a loss this long ends the stream, so that it becomes a gap of its own
OVERFLOW_LOG_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class SoundLink:
    """The one stream of an open pickup, as a muxer takes it for a template."""

    audio: AudioStream
    video: VideoStream | None = None
    picture_delay_ms: int = 0


class SoundSink(Protocol):
    """Takes a pickup's packets as they come; ``edge.recording.TrackRecorder`` is one.

    No method may block. After ``lose`` or a pause, ``opened`` comes before the next packet. The end
    of the whole recording is its owner's to tell.
    """

    def opened(self, link: SoundLink) -> None:
        """Sound follows; each packet stands for itself."""
        ...

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """One packet, and when its first sample was captured."""
        ...

    def lose(self, reason: GapReason, since: Instant, detail: str = "") -> None:
        """There is no sound since then, and why."""
        ...


class StreamCut(Exception):
    """Too much is missing to go on: a new stream begins, with ``held`` and the block refused."""

    def __init__(self, held: tuple[Sound, ...]) -> None:
        super().__init__("samples are missing")
        self.held = held


class SoundStream:
    """One unbroken stream of samples, from the block ``start`` on, to the sinks."""

    def __init__(
        self,
        config: PickupConfig,
        opened: Opened,
        start: Sound,
        sinks: Sequence[SoundSink],
        clock: Clock,
    ) -> None:
        self.opened = opened
        self.clock = SoundClock(opened.rate_hz)
        self.samples = 0
        self.overflows = 0
        self.missing_us = 0
        self.ended: Instant | None = None
        self._config = config
        self._now_clock = clock
        self._sinks = tuple(sinks)
        self._first = start.first
        self._next = start.first
        self._held: list[Sound] = []
        self._per_sample = opened.rate_hz / RATE_HZ
        self._timed = True
        self._mono = Mono(opened.rate_hz, opened.channels, config.channel)
        self._levels = Levels()
        self._encoder = Encoder(config.codec)
        self._waiting: deque[Encoded] = deque()
        self._origin_us: float | None = None
        self._pts = -1
        self._overflows_before = start.overflows
        self._overflows_said = start.overflows
        self._overflow_log_due = MonoMs(0)

    @property
    def sound_offset_ms(self) -> int:
        """See ``PickupSource.sound_offset_ms``."""
        if not self._timed:
            return round(self.opened.latency_us / 1000)
        return round(self.clock.error_us / 1000)

    def take(self, sound: Sound) -> list[LevelSaid]:
        """Take the next block; the levels it completes.

        Raises:
            StreamCut: the block does not continue the stream; nothing of it was taken.
        """
        if sound.first != self._next:
            raise StreamCut(())
        clock, jump = step(self.clock, sound.first - self._first, sound.captured_us)
        if jump is not None:
            self._tell(jump)
            if not 0 <= jump.by_us < CUT_US:
                held, self._held = tuple(self._held), []
                raise StreamCut(held)
        self.clock = clock
        self._next = sound.first + self._count(sound)
        self._count_overflows(sound)
        self._held.append(sound)
        if clock.doubtful:
            return []  # two blocks at most: whether samples are missing decides where these belong
        return self._release()

    def close(self) -> None:
        """Hand over what is left; nothing may be taken afterwards."""
        self.clock = settle(self.clock)
        self._release()
        if not self.samples:
            return
        self._waiting.extend(self._encoder.take(self._mono.flush()))
        self._waiting.extend(self._encoder.finish())
        self._hand_over()

    def _count(self, sound: Sound) -> int:
        return len(sound.samples) // (SAMPLE_BYTES * self.opened.channels)

    def _tell(self, jump: Jump) -> None:
        gap_ms = round(jump.by_us / 1000)
        log.warning("pickup_samples_missing", pickup_id=self._config.id, gap_ms=gap_ms)
        self.missing_us += max(round(jump.by_us), 0)

    def _release(self) -> list[LevelSaid]:
        held, self._held = self._held, []
        return [level for sound in held for level in self._encode(sound)]

    def _encode(self, sound: Sound) -> Iterator[LevelSaid]:
        self._timed = sound.timed
        ended = self._instant(sound.captured_us + self._count(sound) * 1e6 / self.opened.rate_hz)
        self.ended = ended
        samples = self._mono.take(sound.samples)
        self.samples += samples.size
        self._waiting.extend(self._encoder.take(samples))
        self._hand_over()
        own = own_reading(sound.samples, self.opened.channels, self._config.channel)
        for window in self._levels.take(samples, own):
            yield LevelSaid(
                track_id=self._config.id,
                dbfs=window.reading.level_dbfs,
                at_utc_ms=ended.utc_ms,
                at_mono_ms=ended.mono_ms,
                peak_dbfs=window.reading.peak_dbfs,
                clipped_share=window.reading.clipped_share,
                pcm=b64encode(window.pcm).decode("ascii"),
            )

    def _hand_over(self) -> None:
        if self.clock.line is None:
            return  # half a second at most: until it is known when the first sample was captured
        while self._waiting:
            encoded = self._waiting.popleft()
            at_us = self.clock.time_us(encoded.position * self._per_sample)
            if self._origin_us is None:
                self._origin_us = at_us
                for sink in self._sinks:
                    sink.opened(SoundLink(self._encoder.stream))
            pts = round((at_us - self._origin_us) * RATE_HZ / 1e6)
            self._pts = max(pts, self._pts + 1)
            packet = stamp(encoded.packet, self._pts)
            at = self._instant(at_us)
            for sink in self._sinks:
                sink.take(packet, at)

    def _instant(self, mono_us: float) -> Instant:
        now_mono_ms, now_utc_ms = self._now_clock.mono_ms(), self._now_clock.utc_ms()
        mono_ms = MonoMs(int(mono_us // 1000))
        return Instant(mono_ms, UtcMs(now_utc_ms - (now_mono_ms - mono_ms)))

    def _count_overflows(self, sound: Sound) -> None:
        self.overflows = sound.overflows - self._overflows_before
        now = self._now_clock.mono_ms()
        if sound.overflows > self._overflows_said and now >= self._overflow_log_due:
            log.warning(
                "pickup_overflow",
                pickup_id=self._config.id,
                times=sound.overflows - self._overflows_said,
            )
            self._overflows_said = sound.overflows
            self._overflow_log_due = MonoMs(now + OVERFLOW_LOG_MS)
