"""Writes one track's segments and enters them in its chain, in an order that survives a power cut.

A file: created, head written, synced, folder synced. While it grows: synced once a second, and a
signed checkpoint every ten. At its end: synced, folder synced, entered. What the disk refuses is
remembered, bounded, and entered in order when it takes writes again; the thread never dies of it.

The syncs of a file that grows run beside the writing (``syncs``): a disk that takes half a second
to sync would else hold up fragments in memory, where ``kill -9`` loses them. Nothing is told of
bytes before the sync that covers them has come back.
"""

import errno
import hashlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

import structlog

from contracts.evidence.entries import At, Ending, GapReason, Media, Segment
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SegmentEnded,
    SegmentOpened,
    TrackItem,
)
from edge.evidence import gaps
from edge.evidence.disk import Disk, OpenFile, gap_reason
from edge.evidence.gaps import Cause, Gaps, Piece, Source
from edge.evidence.history import STOPPED, moved
from edge.evidence.manifest import Chain, Place
from edge.evidence.track_queue import Broke, TrackQueue
from runtime.clock import Clock

__all__ = ["TrackQueue", "TrackWriter"]

log = structlog.get_logger(__name__)

SYNC_MS: Final = 800
# "Every second", and not a fragment later: a power cut costs 1.3 s at most, and one write.
CHECKPOINT_MS: Final = 10_000
PROBE_MS: Final = 1_000
PROBE_FREE_BYTES: Final = 4_194_304
# A full disk that has room for less would be full again within seconds.
WAIT_S: Final = 1.0
# How late a sync or a probe may be where nothing comes; what comes, and a stop, wake the writer.
OWED_MAX: Final = 256  # entries that wait for the disk; beyond it stretches of a gap grow together
UNEXPLAINED_MS: Final = 2_000
# Between segments without a word of a gap: two pictures of the slowest camera lie closer.
LOG_MS: Final = 60_000
DETAIL_MAX_CHARS: Final = 200

OnCheckpoint = Callable[[bytes], None]
"""Told of each signed checkpoint line; must be quick."""

Syncs = Callable[[Callable[[], None]], "Future[None]"]
"""Runs a sync beside the writing, one at a time and in order, e.g. an executor's ``submit``."""


def at_once(job: Callable[[], None]) -> "Future[None]":
    """Run a sync here and now, as ``Syncs``: for tests, and for who has no thread to spare."""
    done: Future[None] = Future()
    try:
        job()
    except OSError as error:
        done.set_exception(error)
    else:
        done.set_result(None)
    return done


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far a file has come: whole fragments only."""

    bytes: int = 0
    sha256: str = hashlib.sha256().hexdigest()
    duration_ms: int = 0
    video_packets: int = 0
    audio_packets: int = 0
    arrived: At | None = None
    """When its last packet came."""

    def end(self, start: At) -> At:
        """End of the media: by its own time, but never far from when it came.

        A camera that counts its time too fast or too slowly must not hide a gap, nor make one.
        """
        told = moved(start, self.duration_ms)
        if self.arrived is None:
            return told
        if told.mono_ms < self.arrived.mono_ms:
            return self.arrived
        return min(told, moved(self.arrived, UNEXPLAINED_MS), key=lambda at: at.mono_ms)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A file that waits for its entry. ``is_synced``: it is on disk as ``reach`` says."""

    place: Place
    media: Media
    reach: _Reach
    ending: Ending
    sound_offset_ms: int | None
    is_synced: bool


_Owed = _Ended | Piece | Noted


class _Growing:
    """The file that is being written."""

    def __init__(self, place: Place, file: OpenFile, media: Media, syncs: Syncs) -> None:
        self.place = place
        self.media = media
        self._file = file
        self._syncs = syncs
        self._under_way: tuple[_Reach, Future[None]] | None = None
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._told = _Reach()
        self.synced = _Reach()
        self._may_sync = True

    @property
    def length(self) -> int:
        """Bytes written."""
        return self._bytes

    @property
    def is_synced(self) -> bool:
        """Nothing was written since the last sync."""
        return self.synced.bytes == self._bytes

    def write(self, data: bytes) -> None:
        """Append; only what was written as a whole counts."""
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def tell(self, item: FragmentMade, arrived: At) -> None:
        """What the file holds by now."""
        self._told = replace(
            self._told,
            duration_ms=item.duration_ms,
            video_packets=item.video_packets,
            audio_packets=item.audio_packets,
            arrived=arrived,
        )

    def begin_sync(self, job: Callable[[], None] | None = None) -> None:
        """Have what was written until now on disk, beside what is written from now on.

        ``job``: what to do for it, else ``sync_data``. ``look`` tells when it is there.
        """
        reach = self._reach()
        self._under_way = (reach, self._syncs(job or self._file.sync_data))
        self.look()

    def sync_head(self, also: Callable[[], None]) -> None:
        """Have the new file on disk, with what the disk knows of it; then do ``also``."""

        def job() -> None:
            self._file.sync()
            also()

        self.begin_sync(job)

    @property
    def syncing(self) -> bool:
        """A sync is under way."""
        return self._under_way is not None

    def look(self, *, wait: bool = False) -> None:
        """Take note of a sync that has come back; ``wait`` for it.

        Raises:
            OSError: the disk refused it.
        """
        if self._under_way is None or not (wait or self._under_way[1].done()):
            return
        (reach, done), self._under_way = self._under_way, None
        try:
            done.result()
        except OSError:
            # After a refused sync the kernel may call the lost pages clean: a second sync that
            # succeeds would prove nothing.
            self._may_sync = False
            raise
        self.synced = reach

    def sync(self) -> _Reach:
        """Have all that was written on disk, with what the disk knows of the file."""
        self.look(wait=True)
        self.begin_sync(self._file.sync)
        self.look(wait=True)
        return self.synced

    def _reach(self) -> _Reach:
        sha256 = self._digest.copy().hexdigest()
        return replace(self._told, bytes=self._bytes, sha256=sha256)

    def give_up(self) -> _Reach:
        """After the disk refused: save what can be saved; how far that is."""
        if self._may_sync and not self.is_synced:
            try:
                self.sync()
            except OSError as error:
                log.info("segment_tail_lost", path=self.place.path, error=str(error))
        self.close()
        return self.synced

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # it was synced, or is given up
            log.info("segment_close_failed", path=self.place.path, error=str(error))


class TrackWriter:
    """Takes a track's items and makes files and entries of them; see the module.

    ``run`` in a thread of its own, or ``work`` again and again. No method raises OSError.
    """

    def __init__(
        self,
        *,
        disk: Disk,
        chain: Chain,
        queue: TrackQueue,
        clock: Clock,
        on_checkpoint: OnCheckpoint = lambda line: None,
        syncs: Syncs = at_once,
    ) -> None:
        self._syncs = syncs
        self._disk = disk
        self._chain = chain
        self._queue = queue
        self._clock = clock
        self._on_checkpoint = on_checkpoint
        self._stopping = threading.Event()
        self._growing: _Growing | None = None
        self._gaps = Gaps()
        self._until: At = chain.at()
        self._owed: deque[_Owed] = deque()
        self._broken: GapReason | None = None
        self._probe_ms = 0
        self._synced_ms = 0
        self._checkpoint_ms = 0
        self._logged_ms: int | None = None
        self._closed_bytes = 0
        self._notes_dropped = 0

    # What others ask.

    @property
    def number(self) -> int:
        """Of the file that is being written; 0: none."""
        growing = self._growing
        return growing.place.number if growing else 0

    @property
    def bytes_written(self) -> int:
        """Media bytes since the start."""
        growing = self._growing
        return self._closed_bytes + (growing.length if growing else 0)

    @property
    def running_gap(self) -> Gaps:
        """The gap that runs, if one does."""
        return self._gaps

    @property
    def broken(self) -> GapReason | None:
        """How the disk refuses; None: it does not."""
        return self._broken

    def run(self) -> None:
        """Write until ``stop``, then finish what is open."""
        self._work_on()
        while not self._stopping.is_set():
            self._queue.wait(WAIT_S)
            self._work_on()
        self.finish()

    def stop(self) -> None:
        """Let ``run`` finish the open file, say that the stop is orderly, and return."""
        self._stopping.set()
        self._queue.wake()

    def work(self) -> None:
        """Do all that is due now: items, syncs, checkpoints, entries, probes."""
        try:
            if self._is_well():
                while (item := self._queue.take()) is not None:
                    self._take(item)
                    self._keep_time()
                self._keep_time()
                self._queue.mend()
            else:
                self._take_words()
        except OSError as error:
            self._fail(error)
        except ValueError as error:
            # What cannot be said in an entry is our bug; recording goes on in a new file.
            self._fail(OSError(errno.EINVAL, f"cannot be entered: {error}"))

    def finish(self) -> None:
        """End the open file, tell the gap that runs, and enter the orderly stop."""
        self.work()
        if self._broken is not None or not self._chain.is_open:
            log.warning("recorder_stopped_unentered", track=self._chain.track)
            return
        try:
            self._end(Ending.STOPPED, None)
            self._gap(gaps.due(self._gaps, self._chain.at(), longest_ms=0))
            self._pay()
            self._chain.changed(STOPPED, "", "")
        except OSError as error:  # the next start finds out
            self._fail(error)
        self._chain.close()

    def _work_on(self) -> None:
        try:
            self.work()
        except Exception as error:  # boundary: a bug of ours costs a gap, not what comes after it
            log.exception("writer_broken", track=self._chain.track)
            self._fail(OSError(errno.EINVAL, f"{type(error).__name__}: {error}"))

    # Items.

    def _take(self, item: TrackItem | Broke) -> None:
        match item:
            case SegmentOpened():
                self._begin(item)
            case FragmentMade():
                if self._growing is not None:
                    self._growing.write(item.data)
                    self._growing.tell(item, self._chain.at(item.last_arrival))
            case SegmentEnded():
                self._end(item.ending, item.sound_offset_ms)
            case Broke():
                self._end(Ending.DISK, None)
                self._note(Cause(Source.DISK, item.reason, item.detail), self._until)
                # It was slow and takes writes: what comes next has a name of its own.
                self._gap(gaps.over(self._gaps, Source.DISK, self._until))
            case GapBegan():
                self._end(Ending.STREAM_ENDED, None)
                self._take_word(item)
            case GapEnded() | Noted():
                self._take_word(item)
        self._pay()

    def _take_words(self) -> None:
        """While the disk refuses: remember word of gaps, in order."""
        while (item := self._queue.take()) is not None:
            if isinstance(item, GapBegan | GapEnded | Noted):
                self._take_word(item)

    def _take_word(self, item: GapBegan | GapEnded | Noted) -> None:
        match item:
            case GapBegan():
                since = gaps.later(self._until, self._chain.at(item.since))
                self._note(Cause(Source.STREAM, item.reason, item.detail), since)
            case GapEnded():
                self._gap(gaps.over(self._gaps, Source.STREAM, self._chain.at(item.at)))
            case Noted():
                self._owe(item)

    def _begin(self, item: SegmentOpened) -> None:
        self._end(Ending.STREAM_ENDED, None)  # a producer that forgot to
        start = self._chain.at(item.start)
        if self._gaps.cause is None and gaps.elapsed_ms(self._until, start) > UNEXPLAINED_MS:
            self._note(Cause(Source.STREAM, GapReason.UNKNOWN), self._until)
        self._gap(gaps.recorded(self._gaps, start))
        self._pay()
        place, file = self._chain.create_segment(item.start, item.media)
        self._growing = growing = _Growing(place, file, item.media, self._syncs)
        growing.write(item.head)
        growing.sync_head(lambda: self._disk.sync_folder(place.path.rpartition("/")[0]))
        self._synced_ms = self._checkpoint_ms = self._clock.mono_ms()

    def _end(self, ending: Ending, sound_offset_ms: int | None) -> None:
        """Close the open file, if one is, and owe its entry."""
        growing = self._growing
        if growing is None:
            return
        reach = growing.sync()
        self._disk.sync_folder(growing.place.path.rpartition("/")[0])
        growing.close()
        self._leave(growing, reach, ending, sound_offset_ms, is_synced=True)
        self._pay()

    def _leave(
        self,
        growing: _Growing,
        reach: _Reach,
        ending: Ending,
        sound_offset_ms: int | None,
        *,
        is_synced: bool,
    ) -> None:
        self._growing = None
        self._closed_bytes += reach.bytes
        self._until = gaps.later(self._until, reach.end(growing.place.start))
        self._owed.append(
            _Ended(growing.place, growing.media, reach, ending, sound_offset_ms, is_synced)
        )

    # Gaps.

    def _note(self, cause: Cause, since: At) -> None:
        self._gap(gaps.began(self._gaps, cause, since))

    def _gap(self, told: gaps.Told) -> None:
        self._gaps, pieces = told
        for piece in pieces:
            self._until = gaps.later(self._until, piece.end)
            self._owe(piece)

    def _owe(self, item: Piece | Noted) -> None:
        last = self._owed[-1] if self._owed else None
        if len(self._owed) < OWED_MAX:
            self._owed.append(item)
        elif isinstance(item, Piece) and isinstance(last, Piece):
            self._owed[-1] = replace(last, end=item.end, ended=item.ended)
        elif isinstance(item, Piece):
            self._owed.append(item)  # at most one after each file or note, and those are bounded
        else:
            self._notes_dropped += 1

    # Time.

    def _keep_time(self) -> None:
        """Sync, checkpoint and tell long gaps, each when it is due."""
        now = self._clock.mono_ms()
        growing = self._growing
        if growing is not None:
            growing.look()
            due = now - self._synced_ms >= SYNC_MS
            if due and not growing.is_synced and not growing.syncing:
                growing.begin_sync()
                self._synced_ms = self._clock.mono_ms()
            if now - self._checkpoint_ms >= CHECKPOINT_MS and growing.synced.duration_ms:
                self._checkpoint_ms = now
                synced = growing.synced
                self._on_checkpoint(
                    self._chain.checkpoint(growing.place, synced.bytes, synced.sha256)
                )
        self._gap(gaps.due(self._gaps, self._chain.at()))
        self._pay()

    # Entries.

    def _pay(self) -> None:
        """Enter what is owed, oldest first."""
        while self._owed:
            item = self._owed[0]
            try:
                self._enter(item)
            except ValueError as error:
                # Our bug; what follows must not wait for it for ever.
                log.error("entry_impossible", track=self._chain.track, error=str(error))
            self._owed.popleft()

    def _enter(self, item: _Owed) -> None:
        match item:
            case _Ended():
                self._enter_file(item)
            case Piece():
                self._chain.gap(item)
            case Noted():
                self._chain.changed(item.what, item.before, item.after)

    def _enter_file(self, item: _Ended) -> None:
        if not item.is_synced:
            self._cut(item)
        reach = item.reach
        self._chain.segment(
            lambda h: Segment(
                **h,
                number=item.place.number,
                file=item.place.name,
                bytes=reach.bytes,
                sha256=reach.sha256,
                start=item.place.start,
                duration_ms=reach.duration_ms,
                media=item.media,
                video_packets=reach.video_packets,
                audio_packets=reach.audio_packets,
                sound_offset_ms=item.sound_offset_ms,
                ending=item.ending,
            )
        )

    def _cut(self, item: _Ended) -> None:
        """Leave of a broken file what its entry will say."""
        try:
            file = self._disk.append(item.place.path)
        except FileNotFoundError:
            # Somebody took it away. Its entry says what it was, and ``verify`` that it is missing.
            log.error("segment_vanished", path=item.place.path)
            return
        try:
            if self._disk.size(item.place.path) > item.reach.bytes:
                file.truncate(item.reach.bytes)
            file.sync()
        finally:
            file.close()
        self._disk.sync_folder(item.place.path.rpartition("/")[0])

    # A disk that refuses.

    def _is_well(self) -> bool:
        """Whether the disk takes writes; asks it once a second while it does not."""
        if self._broken is None and self._chain.is_open:
            return True
        if self._clock.mono_ms() < self._probe_ms:
            return False
        if not self._chain.is_open:
            self._open_chain()
        self._pay()
        if self._broken is not None:
            self._probe()
            log.warning(
                "disk_writes_again",
                track=self._chain.track,
                after=self._broken,
                notes_dropped=self._notes_dropped,
            )
            self._broken, self._logged_ms, self._notes_dropped = None, None, 0
            self._gap(gaps.over(self._gaps, Source.DISK, self._chain.at()))
            self._pay()
        return True

    def _open_chain(self) -> None:
        found = self._chain.open()
        if found.reason is None or found.since is None:
            return
        self._until = found.since
        if self._gaps.since is not None:  # the disk refused at first: that gap follows this one
            piece = Piece(found.reason, "", found.since, self._gaps.since, ended=False)
            self._owed.appendleft(piece)
        else:
            self._note(Cause(Source.STREAM, found.reason), found.since)

    def _probe(self) -> None:
        """Try a write, and see that there is room for more.

        Raises:
            OSError: the disk still refuses.
        """
        self._chain.probe()
        if self._broken is GapReason.DISK_FULL:
            free_bytes = self._disk.space().free_bytes
            if free_bytes < PROBE_FREE_BYTES:
                raise OSError(errno.ENOSPC, f"only {free_bytes} bytes are free")

    def _fail(self, error: OSError) -> None:
        """Give the open file up, remember the gap, and ask the disk again in a second."""
        now = self._clock.mono_ms()
        reason = gap_reason(error)
        detail = (error.strerror or str(error))[:DETAIL_MAX_CHARS]
        if self._logged_ms is None or now - self._logged_ms >= LOG_MS or reason != self._broken:
            log.error("disk_refuses", track=self._chain.track, reason=reason, error=str(error))
            self._logged_ms = now
        if self._growing is not None:
            growing = self._growing
            self._leave(growing, growing.give_up(), Ending.DISK, None, is_synced=False)
        self._broken = reason
        self._queue.break_off(reason)
        self._note(Cause(Source.DISK, reason, detail), self._until)
        self._probe_ms = self._clock.mono_ms() + PROBE_MS
