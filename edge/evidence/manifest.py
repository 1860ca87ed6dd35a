"""Holds a track's chain: one signed line an entry, each on disk before anybody hears of it.

A line is written without its line feed, synced, and only then gets it: whoever follows the file
takes lines that have one, so nothing is announced that a power cut could take back.

An entry lies in the manifest of the day on which it was written, with two exceptions. The chain
never goes back to an earlier day, whatever the clock does. And while a file of one day is open,
the chain stays in that day, so that each file lies beside the manifest that tells of it.
"""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog

from contracts.evidence.chain import day_of, file_name, handover_proof
from contracts.evidence.entries import (
    At,
    Changed,
    Checkpoint,
    DeletedFile,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Media,
    Opened,
    Segment,
    TrackId,
)
from contracts.evidence.entries import Deleted as DeletedEntry
from contracts.evidence.lines import LINE_MAX_BYTES, LineError, sign_line, split_line
from contracts.units import MonoMs, NodeId, SiteId, UtcMs
from edge.core.people import Instant
from edge.core.recording import (
    DeleteFiles,
    LiftHold,
    NoteTracks,
    ReleaseTracks,
    Written,
)
from edge.evidence import history, recovery
from edge.evidence.disk import Disk, OpenFile, gap_reason
from edge.evidence.gaps import Piece, elapsed_ms
from edge.evidence.history import History
from edge.evidence.orders import Header, Order, entry_of
from edge.evidence.places import MANIFEST
from runtime.clock import Clock
from runtime.signing import PublicKeys, SigningKey

log = structlog.get_logger(__name__)

DETAIL_MAX_CHARS: Final = 200  # as the entries state
PROBE: Final = ".probe"
PROBE_BYTES: Final = 65_536
# What a probe of the disk wrote stays as a reserve: on a disk without a free byte a deletion could
# not be entered, and so nothing be freed. It has room for dozens of lines.
LAST_UTC_MS: Final = 253_402_214_400_000  # 9999-12-31: no calendar of ours goes further

E = TypeVar("E", bound=Entry)


class ChainNotOpenError(Exception):
    """The chain was not opened, or its disk has refused so far."""


class RefusedError(Exception):
    """What was asked for must not be done; says why. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Appended(Generic[E]):
    """An entry that is on disk. ``line`` is without its line feed."""

    entry: E
    line: bytes
    sha256: str

    @property
    def written(self) -> Written:
        """As a reply says it."""
        return Written(
            track_id=self.entry.track, sequence=self.entry.sequence, entry_sha256=self.sha256
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next file lies."""

    number: int
    day: str
    name: str
    path: str
    start: At


@dataclass(frozen=True, slots=True)
class Recovered:
    """What ``Chain.open`` found and did.

    ``reason`` and ``since`` are of the time that was not recorded; None at a chain's beginning.
    """

    reason: GapReason | None
    since: At | None
    segments: tuple[Segment, ...] = ()
    damaged: tuple[str, ...] = ()
    """Names of what was set aside, and of files that could not be read."""
    deletions_finished: int = 0


class KeyRing(Protocol):
    """The node's signing keys (``edge.evidence.keys.NodeKeys``)."""

    @property
    def current(self) -> SigningKey:
        """What a new chain is signed with."""
        ...

    def get(self, key_id: str) -> SigningKey | None:
        """The private key of that id, if this node has it."""
        ...

    def publish(self) -> None:
        """Have the public key among the recordings; OSError if the disk refuses."""
        ...


OnEntry = Callable[[Entry, bytes], None]
"""Told of each entry that is on disk, in order; must be quick and must not ask the chain."""


class Chain:
    """One track's chain on one disk. Any thread may call; each call may block for the disk.

    Raises (every method that writes):
        ChainNotOpenError: before ``open``.
        OSError: the disk refuses; nothing was appended, and the next call tries anew.
    """

    def __init__(  # who, where and by what: each is wired once, by name
        self,
        disk: Disk,
        *,
        site: SiteId,
        node: NodeId,
        track: TrackId,
        keys: KeyRing,
        clock: Clock,
        version: str,
        on_entry: OnEntry = lambda entry, line: None,
    ) -> None:
        self._disk = disk
        self._site = site
        self._node = node
        self.track = track
        self._keys = keys
        self._clock = clock
        self._version = version
        self._on_entry = on_entry
        self._lock = threading.RLock()
        self._key = keys.current
        self._history: History | None = None
        self._recovered: Recovered | None = None
        self._file: OpenFile | None = None
        self._file_day = ""
        self._good: dict[str, int] = {}
        self._owed = b""
        self._segment_day: str | None = None
        self._opening = False
        self._to_unlink: tuple[str, ...] = ()

    # What is known.

    @property
    def is_open(self) -> bool:
        """Entries can be appended, as far as the disk lets them."""
        return self._recovered is not None

    @property
    def key(self) -> SigningKey:
        """What the next entry is signed with."""
        return self._key

    @property
    def sequence(self) -> int:
        """Of the last entry; 0: none."""
        return self._history.sequence if self._history else 0

    @property
    def covered_until(self) -> At | None:
        """End of the last media or gap that is told."""
        return self._history.covered_until if self._history else None

    @property
    def is_sealed(self) -> bool:
        """A session goes on, so this track is recorded while there is any room."""
        return bool(self._history and self._history.protections.is_sealed)

    @property
    def is_held(self) -> bool:
        """What is recorded now falls under a legal hold."""
        now = self._clock.utc_ms()
        return bool(self._history and self._history.protections.is_held_at(now))

    def has_hold(self, hold_id: str) -> bool:
        """Whether a legal hold of that name stands here."""
        return bool(self._history and self._history.protections.has_hold(hold_id))

    def protected(self, number: int, start_utc_ms: int, end_utc_ms: int) -> str | None:
        """What protects a file from deletion now; None: nothing."""
        with self._lock:
            now = self._clock.utc_ms()
            return self._known().protections.of(number, start_utc_ms, end_utc_ms, now)

    def at(self, instant: Instant | None = None) -> At:
        """An instant of this boot (now), as entries tell it."""
        mono = self._clock.mono_ms() if instant is None else instant.mono_ms
        utc = self._clock.utc_ms() if instant is None else instant.utc_ms
        return At(
            utc_ms=UtcMs(min(max(utc, 0), LAST_UTC_MS)),
            mono_ms=MonoMs(max(mono, 0)),
            boot_id=self._clock.boot_id,
        )

    # Opening.

    def open(self) -> Recovered:
        """Read what is there, repair what a crash left, and say that recording goes on.

        May be called again after an error; what was done is not done twice.
        """
        with self._lock:
            if self._recovered is None:
                self._close_file()
                self._owed, self._segment_day = b"", None
                self._opening = True
                try:
                    self._recovered = self._open()
                    self._keep_reserve()
                finally:
                    self._opening = False
            return self._recovered

    def _open(self) -> Recovered:
        if self._disk.make_folder(self.track):
            self._disk.sync_folder("")
        self._keys.publish()
        public = PublicKeys()
        days = recovery.day_folders(self._disk, self.track)
        loaded = history.load(
            self._disk, self.track, days, self._verifier(public), lambda key: key in public
        )
        self._history = loaded.history
        self._good = {loaded.history.day: loaded.good_bytes}
        self._resume_key(loaded.history)
        reason = _why(loaded.history, self._clock.boot_id)
        finished = self._finish_deletions(loaded.half_deleted)
        self._finish_manifest()
        begins = loaded.history.sequence == 0
        if begins:
            self._enter_opened()
        # Before the entry of this start, so that it lies in the day of its file.
        segments, unreadable = self._close_unfinished(days)
        for name in (*loaded.set_aside, *unreadable):
            self.changed("damage", "", name)
        if not begins:
            self._enter_opened()
        since = loaded.history.covered_until if reason else None
        return Recovered(reason, since, segments, (*loaded.set_aside, *unreadable), finished)

    def _enter_opened(self) -> None:
        public_key = base64.b64encode(self._key.public_raw).decode()
        self._append(lambda h: Opened(**h, version=self._version[:40], public_key=public_key))

    def _verifier(self, public: PublicKeys) -> Callable[[str, bytes, bytes], bool]:
        """Checks with the keys that this node has; others are learnt as lines name them."""

        def verify(key: str, data: bytes, signature: bytes) -> bool:
            return public.verify(key, data, signature)

        public.add_raw(self._keys.current.public_raw)
        return verify

    def _resume_key(self, past: History) -> None:
        """Go on with the key that the last entry named.

        A rotation that a crash interrupted then goes on in the chains that it had not reached
        (``keys.NodeKeys.finish_rotation``).
        """
        found = self._keys.get(past.key) if past.key else None
        if past.key and found is None:
            log.warning("chain_key_unknown", track=self.track, key=past.key)
        self._key = found or self._keys.current

    def _finish_deletions(self, paths: tuple[str, ...]) -> int:
        count = sum(self._disk.unlink(path) for path in paths)
        for folder in sorted({path.rpartition("/")[0] for path in paths}):
            self._disk.sync_folder(folder)
        return count

    def _finish_manifest(self) -> None:
        """A manifest that was just made may not have its name on the disk yet."""
        day = self._known().day
        if day:
            self._disk.sync_folder(self.track)
            self._disk.sync_folder(f"{self.track}/{day}")

    def _close_unfinished(self, days: list[str]) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
        past = self._known()
        later = [day for day in days if day >= past.day]
        segments: list[Segment] = []
        unreadable: list[str] = []
        for left in recovery.unfinished_files(self._disk, self.track, later, past.number):
            try:
                closed = recovery.close_unfinished(self._disk, self.track, left)
            except OSError as error:
                if not recovery.is_bad_sector(error):
                    raise
                # One bad sector must not keep the track from being recorded for ever.
                unreadable.append(recovery.move_aside(self._disk, self.track, left))
                past.number = max(past.number, left.number)
                continue
            segments.append(self._enter_recovered(closed))
        return tuple(segments), tuple(unreadable)

    def _enter_recovered(self, closed: recovery.Closed) -> Segment:
        self._segment_day = closed.left.day
        whole = closed.whole
        return self._append(
            lambda h: Segment(
                **h,
                number=closed.left.number,
                file=closed.left.name,
                bytes=whole.bytes,
                sha256=closed.sha256,
                start=closed.start,
                duration_ms=whole.duration_ms,
                media=closed.media,
                video_packets=whole.video_packets,
                audio_packets=whole.audio_packets,
                ending=recovery.RECOVERED,
                recovered_bytes=closed.cut_bytes,
            )
        ).entry

    # Writing.

    def create_segment(self, start: Instant, media: Media) -> tuple[Place, OpenFile]:
        """Make the next file, empty; until its entry, the chain stays in its day."""
        with self._lock:
            past = self._known()
            at = self.at(start)
            day = max(past.day, day_of(at.utc_ms))
            number = past.number + 1
            name = file_name(self.track, number, at.utc_ms)
            place = Place(number, day, name, f"{self.track}/{day}/{name}", at)
            self._make_day(day)
            recovery.note_unfinished(
                self._disk,
                self.track,
                recovery.Unfinished(number=number, file=name, start=at, media=media),
            )
            try:
                file = self._disk.create(place.path)
            except FileExistsError:
                past.number = number  # somebody else's file: leave it, ``verify`` will tell
                raise
            past.number, past.has_open_file = number, True
            self._segment_day = day
            return place, file

    def segment(self, make: Callable[[Header], Segment]) -> Appended[Segment]:
        """Enter a finished file; the caller has synced it and its folder."""
        return self._append(make)

    def gap(self, piece: Piece) -> Appended[Gap]:
        """Enter a stretch of time without a recording."""
        return self._append(
            lambda h: Gap(
                **h,
                reason=piece.reason,
                detail=piece.detail[:DETAIL_MAX_CHARS],
                start=piece.start,
                duration_ms=elapsed_ms(piece.start, piece.end),
                ended=piece.ended,
            )
        )

    def changed(self, what: str, before: str, after: str) -> Appended[Changed]:
        """Enter something that a reader of the recording must know."""
        return self._append(
            lambda h: Changed(
                **h, what=what, before=before[:DETAIL_MAX_CHARS], after=after[:DETAIL_MAX_CHARS]
            )
        )

    def checkpoint(self, place: Place, offset: int, sha256: str) -> bytes:
        """A signed line on the open file: its first ``offset`` bytes are on disk.

        Raises:
            ChainNotOpenError: before ``open``.
        """
        with self._lock:
            past = self._known()
            said = Checkpoint(
                site=self._site,
                node=self._node,
                track=self.track,
                number=place.number,
                file=place.name,
                head=past.head,
                sequence=past.sequence,
                offset=offset,
                sha256=sha256,
                start=place.start,
                recorded=self.at(),
                key=self._key.id,
            )
            return sign_line(said, self._key.sign)

    def perform(self, request_id: str, order: Order) -> Written | None:
        """Write down what was asked for, once an id; None: a hold to lift that is not here.

        Raises:
            RefusedError: it must not be done; says why.
        """
        if isinstance(order, DeleteFiles):
            return self._delete(request_id, order)
        with self._lock:
            past = self._known()
            if (done := past.done(request_id)) is not None:
                return done
            if isinstance(order, LiftHold) and not past.protections.has_hold(order.hold_id):
                return None
            if past.protections.is_full and not isinstance(
                order, ReleaseTracks | LiftHold | NoteTracks
            ):
                raise RefusedError(
                    f"{self.track} has {len(past.protections.known)} seals, keeps and holds; "
                    "lift holds that are over"
                )
            try:
                return self._append(lambda h: entry_of(h, request_id, order)).written
            except LineError as error:
                raise RefusedError(f"too long for one entry: {error}") from error

    def hand_over(self, request_id: str, new: SigningKey) -> Written | None:
        """Name the key that signs from here on; None: it already does."""
        with self._lock:
            self._known()
            old = self._key
            if old.id == new.id:
                return None
            proof = base64.b64encode(new.sign(handover_proof(old.id, new.id))).decode()
            public_key = base64.b64encode(new.public_raw).decode()
            appended = self._append(
                lambda h: HandedOver(
                    **h,
                    request_id=request_id,
                    new_key=new.id,
                    new_public_key=public_key,
                    proof=proof,
                )
            )
            self._key = new
            return appended.written

    def close(self) -> None:
        """Let go of the manifest, its last line feed on disk; ``open`` starts anew."""
        with self._lock:
            if self._file is not None:
                try:
                    self._file.sync()
                except OSError as error:  # the line is safe; the next start adds the line feed
                    log.warning("manifest_close_failed", track=self.track, error=str(error))
            self._close_file()
            self._recovered = None
            self._segment_day = None

    # Deleting.

    def _delete(self, request_id: str, order: DeleteFiles) -> Written:
        known = self._known()
        found: tuple[history.Stored, ...] = ()
        if known.done(request_id) is None:
            # Outside the lock, as the unlinking below: a slow disk must not hold up the writer.
            found = history.find(self._disk, self.track, known, order.numbers)
        with self._lock:
            if (done := known.done(request_id)) is None:
                done = self._enter_deletion(request_id, order, found)
                self._to_unlink += tuple(stored.path for stored in found)
            paths = self._to_unlink
        self._finish_deletions(paths)
        self._keep_reserve()
        with self._lock:
            self._to_unlink = tuple(path for path in self._to_unlink if path not in paths)
        return done

    def _enter_deletion(
        self, request_id: str, order: DeleteFiles, found: tuple[history.Stored, ...]
    ) -> Written:
        missing = set(order.numbers) - {stored.number for stored in found}
        if missing:
            raise RefusedError(
                f"{self.track} has no finished file of number "
                f"{', '.join(map(str, sorted(missing)))}; nothing was deleted"
            )
        for stored in found:
            guard = self.protected(stored.number, stored.start_utc_ms, stored.end_utc_ms)
            if guard is not None:
                raise RefusedError(
                    f"{self.track} number {stored.number} is protected by {guard}; "
                    "nothing was deleted"
                )
        files = tuple(DeletedFile(number=item.number, sha256=item.sha256) for item in found)

        def entry(h: Header) -> DeletedEntry:
            return DeletedEntry(
                **h, request_id=request_id, files=files, reason=order.reason, by=order.by
            )

        try:
            return self._append(entry).written
        except OSError as error:
            if gap_reason(error) is not GapReason.DISK_FULL or not self._spend_reserve():
                raise
            return self._append(entry).written

    def probe(self) -> None:
        """Try a write as recording will do it; what was written stays as a reserve."""
        path = f"{self.track}/{PROBE}"
        self._disk.unlink(path)
        file = self._disk.create(path)
        try:
            file.write(bytes(PROBE_BYTES))
            file.sync()
        finally:
            file.close()

    def _keep_reserve(self) -> None:
        try:
            kept = any(item.name == PROBE for item in self._disk.names(self.track))
            if not kept or self._disk.size(f"{self.track}/{PROBE}") < PROBE_BYTES:
                self.probe()
        except OSError as error:
            log.info("reserve_not_kept", track=self.track, error=str(error))

    def _spend_reserve(self) -> bool:
        log.warning("reserve_spent", track=self.track)
        return self._disk.unlink(f"{self.track}/{PROBE}")

    # The line.

    def _append(self, make: Callable[[Header], E]) -> Appended[E]:
        with self._lock:
            past = self._known()
            header = self._header(past)
            entry = make(header)
            line = sign_line(entry, self._key.sign)
            day = max(past.day, self._segment_day or day_of(header["recorded"].utc_ms))
            self._roll(past, day)
            self._write(day, line)
            sha256 = split_line(line).sha256
            if isinstance(entry, Segment):
                self._segment_day, past.has_open_file = None, False
            past.take(entry, sha256, day)
            try:
                self._on_entry(entry, line)
            except Exception:  # boundary: the entry is on disk; who failed to hear follows the file
                log.exception("entry_not_heard", track=self.track, sequence=entry.sequence)
            return Appended(entry, line, sha256)

    def _header(self, past: History) -> Header:
        return Header(
            key=self._key.id,
            site=self._site,
            node=self._node,
            track=self.track,
            sequence=past.sequence + 1,
            previous=past.head,
            recorded=self.at(),
            clock=self._clock.state(),
        )

    def _roll(self, past: History, day: str) -> None:
        """Leave the old day's manifest whole, and note what it came to."""
        if day == past.day or not past.day:
            return
        if self._owed:
            self._write_owed(past.day)
        if self._file is not None:  # its last line feed, which no line after it will sync
            self._file.sync()
        self._close_file()
        past.protections.forget_expired(self._clock.utc_ms())
        try:
            history.save(self._disk, self.track, past)
        except OSError as error:  # derived: the next start reads the manifests instead
            log.warning("chain_history_not_saved", track=self.track, error=str(error))

    def _write(self, day: str, line: bytes) -> None:
        file, is_new = self._manifest(day)
        text = self._owed + line
        try:
            file.write(text)
            file.sync()
            if is_new:
                self._disk.sync_folder(f"{self.track}/{day}")
        except OSError:
            self._close_file()  # what was half written is cut off when it is opened again
            raise
        # Of the days before it nothing is written any more.
        self._good = {day: self._good.get(day, 0) + len(text)}
        self._owed = b"\n"
        try:
            self._write_owed(day)
        except OSError as error:  # the line itself is safe, and the next one brings its line feed
            log.warning("line_feed_owed", track=self.track, error=str(error))

    def _write_owed(self, day: str) -> None:
        file, _ = self._manifest(day)
        try:
            file.write(self._owed)
        except OSError:
            self._close_file()
            raise
        self._good[day] += len(self._owed)
        self._owed = b""

    def _manifest(self, day: str) -> tuple[OpenFile, bool]:
        """The day's manifest, as long as it should be, and whether its name may be unsynced."""
        if self._file is not None and self._file_day == day:
            return self._file, False
        self._close_file()
        path = f"{self.track}/{day}/{MANIFEST}"
        self._make_day(day)
        try:
            file = self._disk.append(path)
        except FileNotFoundError:
            file = self._disk.create(path)
        self._file, self._file_day = file, day
        try:
            self._cut(file, day, self._disk.size(path))
        except OSError:
            self._close_file()
            raise
        return file, self._good.get(day, 0) == 0

    def _cut(self, file: OpenFile, day: str, size: int) -> None:
        """Cut off what a refused write left.

        More than a line was not left by us: somebody else writes here, or shortened the file.
        Nothing is cut then and recording goes on, for ``verify`` to tell what became of it.
        """
        good = self._good.get(day, 0)
        if size == good:
            return
        if good < size <= good + LINE_MAX_BYTES + len(self._owed):
            file.truncate(good)
            file.sync()
            return
        log.error("manifest_altered", track=self.track, day=day, bytes=size, expected_bytes=good)
        self._good[day], self._owed = size, b"\n"

    def _make_day(self, day: str) -> None:
        if self._disk.make_folder(self.track):
            self._disk.sync_folder("")
        if self._disk.make_folder(f"{self.track}/{day}"):
            self._disk.sync_folder(self.track)

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                log.warning("manifest_close_failed", track=self.track, error=str(error))

    def _known(self) -> History:
        if self._history is None or not (self._opening or self._recovered):
            raise ChainNotOpenError(
                f"the chain of {self.track} is not open: its disk has refused so far"
            )
        return self._history


def _why(past: History, boot_id: str) -> GapReason | None:
    """Why nothing was recorded between the last entry and now."""
    if past.sequence == 0:
        return None
    if past.stopped:
        return GapReason.RECORDER_STOPPED
    return GapReason.RECORDER_CRASHED if past.boot_id == boot_id else GapReason.POWER_LOST
