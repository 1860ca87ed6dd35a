"""Runs the recording of one track: source, queue, the thread that writes; how it fares."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from contracts.evidence.entries import GapReason, TrackId
from contracts.observations import RecordingState
from contracts.units import MonoMs, RoomId
from edge.core.people import Instant
from edge.core.recording import Noted, TrackStatus
from edge.evidence.manifest import Chain, ChainNotOpenError
from edge.evidence.segments import TrackQueue, TrackWriter
from edge.recording.track import TrackFacts
from runtime.clock import Clock

log = structlog.get_logger(__name__)

SOURCE_AGAIN_MS: Final = (
    2_000  # a setting or a credential that is missing is not put in within less
)
DETAIL_MAX_CHARS: Final = 200
OPEN_NUMBER: Final = 2**31 - 1
# Stands for the file that is open or comes next: no number is above it, so an open seal protects it
# even where a stepped clock puts now before the seal.


class Source(Protocol):
    """Reads a camera or a pickup and hands its packets to the track's recorder."""

    async def run(self) -> None:
        """Read until cancelled; connects again for ever."""
        ...


NewSource = Callable[[], Source]
"""Makes the source of a track; any exception says why that cannot be."""


class Recorder(Protocol):
    """Makes segments of packets (``edge.recording.track.TrackRecorder``). Any thread may call."""

    @property
    def facts(self) -> TrackFacts: ...

    def lose(self, reason: GapReason, since: Instant, detail: str = "") -> None: ...

    def pause(self, reason: GapReason) -> None: ...

    def resume(self) -> None: ...

    def stop(self) -> None: ...


class SoundOffsets(Protocol):
    """What was measured of sound against picture (``edge.recording.offset_told.OffsetTold``)."""

    @property
    def last_ms(self) -> int | None: ...

    @property
    def files(self) -> int: ...


class RecordedTrack:
    """One track of this recorder. Methods belong to the event loop, if nothing else is said."""

    def __init__(  # each part is wired once, by name
        self,
        track_id: TrackId,
        room_id: RoomId,
        *,
        chain: Chain,
        queue: TrackQueue,
        writer: TrackWriter,
        recorder: Recorder,
        new_source: NewSource,
        clock: Clock,
    ) -> None:
        self.track_id = track_id
        self.room_id = room_id
        self.chain = chain
        self._queue = queue
        self._writer = writer
        self._recorder = recorder
        self._new_source = new_source
        self._clock = clock
        self._thread = threading.Thread(target=writer.run, name=f"write-{track_id}", daemon=True)
        self._wanted = True
        self._started = self._since = self._now()
        self._state: tuple[RecordingState, GapReason | None] = (RecordingState.STARTING, None)
        self._stopped = False
        self._offsets: SoundOffsets | None = None
        self._offset_files = 0
        self._offset_at: Instant | None = None

    def tell_offsets(self, offsets: SoundOffsets) -> None:
        """Have the status say what is measured there."""
        self._offsets = offsets

    def start(self) -> None:
        """Start the thread that writes; it opens the chain and repairs what a crash left."""
        self._thread.start()

    async def run(self) -> None:
        """Read the source until cancelled; what breaks it is told, and it is made again."""
        while True:
            try:
                await self._new_source().run()
            except Exception as error:  # boundary: one track's fault must not end the others
                log.exception("source_broken", track_id=self.track_id)
                detail = f"{type(error).__name__}: {error}"[:DETAIL_MAX_CHARS]
                self._recorder.lose(GapReason.UNKNOWN, self._now(), detail)
            await self._clock.sleep_ms(SOURCE_AGAIN_MS)

    def want(self, *, wanted: bool) -> None:
        """Record from now on, or stop to save room for what is sealed. Reading goes on."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        log.warning("track_resumed" if wanted else "track_stopped", track_id=self.track_id)
        if wanted:
            self._recorder.resume()
        else:
            self._recorder.pause(GapReason.SPACE_SAVED)

    def is_guarded(self) -> bool:
        """Whether a seal, a keep or a hold wants what is recorded now. May wait for the disk.

        A chain that cannot be asked yet counts as guarded: nothing is lost by asking later.
        """
        now = self._clock.utc_ms()
        try:
            return self.chain.protected(OPEN_NUMBER, now, now) is not None
        except ChainNotOpenError:
            return True

    def note(self, note: Noted) -> None:
        """Have something entered in the chain."""
        self._queue.offer(note)

    def stop_writing(self) -> None:
        """Have the open file ended and the stop entered; ``run`` is over by now."""
        self._recorder.stop()
        self._writer.stop()

    def join(self, limit_s: float) -> bool:
        """Wait for the thread that writes, up to ``limit_s``; whether it has ended. Any thread."""
        self._thread.join(limit_s)
        self._stopped = not self._thread.is_alive()
        return self._stopped

    def status(self) -> TrackStatus:
        """How the track is recorded now; never waits."""
        state, reason, detail, began = self._judge()
        if (state, reason) != self._state:
            self._state = state, reason
            self._since = began or self._now()
        facts = self._recorder.facts
        offsets = self._offsets
        if offsets is not None and offsets.files != self._offset_files:
            self._offset_files, self._offset_at = offsets.files, self._now()
        measured = self._offset_at
        return TrackStatus(
            track_id=self.track_id,
            room_id=self.room_id,
            state=state,
            since_utc_ms=self._since.utc_ms,
            since_mono_ms=self._since.mono_ms,
            reason=reason,
            detail=detail[:DETAIL_MAX_CHARS],
            sequence=self.chain.sequence,
            number=self._writer.number,
            video_packets=facts.video_packets,
            audio_packets=facts.audio_packets,
            bytes_written=self._writer.bytes_written,
            items_dropped=self._queue.items_dropped,
            queue_bytes=self._queue.bytes,
            sound_offset_ms=offsets.last_ms if offsets is not None else None,
            sound_offset_utc_ms=measured.utc_ms if measured else None,
            sound_offset_mono_ms=measured.mono_ms if measured else None,
        )

    def _judge(self) -> tuple[RecordingState, GapReason | None, str, Instant | None]:
        """State, reason, detail, and when it began, where that is known."""
        if self._stopped:
            return RecordingState.STOPPED, None, "", None
        gap = self._writer.running_gap
        cause, since = gap.cause, gap.since
        broken = self._queue.broken or self._writer.broken
        began = None
        if since is not None:
            # The gap of a crash began before this process; its own time to mend it begins now.
            own = since.boot_id == self._clock.boot_id and since.mono_ms > self._started.mono_ms
            began = Instant(since.mono_ms if own else self._started.mono_ms, since.utc_ms)
        if broken is not None:
            return RecordingState.GAP, broken, "", began
        if cause is not None:
            return RecordingState.GAP, cause.reason, cause.detail, began
        state = RecordingState.RECORDING if self._writer.number else RecordingState.STARTING
        return state, None, "", None

    def _now(self) -> Instant:
        return Instant(MonoMs(self._clock.mono_ms()), self._clock.utc_ms())
