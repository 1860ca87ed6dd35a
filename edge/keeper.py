"""Keeps recordings: copies them elsewhere, frees what may go, and says how long the disk lasts.

It never deletes by itself: the recorder does, which enters each deletion in the signed chain first
and refuses what a seal or a hold protects. So a keeper that is wrong cannot lose what must stay.
"""

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from contracts.evidence.entries import CopyName, TrackId
from contracts.units import UtcMs
from edge.core.recording import DeleteFiles, Reply, StatusSaid
from edge.core.retention import (
    DAY_MS,
    OPEN_END,
    Decision,
    Deletion,
    Disk,
    Forecast,
    Marks,
    Protection,
    StoredFile,
    StoredTrack,
    decide,
    forecast,
)
from edge.evidence.copies import CopyBook, CopyLost, CopyPlace, SourceDamagedError, copy_checked
from edge.evidence.index import RecordingIndex
from edge.evidence.index_rows import SegmentRow
from edge.recorder.client import RecorderLost
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.metrics import Metrics

log = structlog.get_logger(__name__)

COPY_LOOK_MS: Final = 5_000  # a finished segment is copied within this, when the place is there
COPY_RETRY_FIRST_MS: Final = 5_000
COPY_RETRY_MAX_MS: Final = 300_000  # a store that comes back is used within five minutes
PAPERS_EVERY_MS: Final = 600_000  # manifests grow a line a minute: six copies an hour are enough
RETAIN_EVERY_MS: Final = 60_000
RETAIN_SHORT_MS: Final = 5_000  # while space is short, each step frees up to a hundred files
BATCH: Final = 20  # files of one track before the next one's turn
CANDIDATES: Final = 1_000  # oldest files of a track that one step judges
CLOCK_AHEAD_MAX_MS: Final = DAY_MS
# A clock that is a day ahead of the newest recording is not believed: it would expire everything.
BY: Final = "retention"

Ask = Callable[[DeleteFiles, str], Awaitable[Reply]]
"""A request to the recorder, and its id."""


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """What of the site and node the keeper needs. ``prefix`` leads every copy's key."""

    recordings_dir: Path
    prefix: str
    marks: Marks
    clock_ahead_max_ms: int = CLOCK_AHEAD_MAX_MS


@dataclass(frozen=True, slots=True)
class KeeperPorts:
    """What the keeper works on. ``status`` is the recorder's last word; ``disk`` measures."""

    index: RecordingIndex
    book: CopyBook
    places: tuple[CopyPlace, ...]
    ask: Ask
    status: Callable[[], StatusSaid | None]
    disk: Callable[[], Disk]


@dataclass(frozen=True, slots=True)
class PlaceState:
    """How copying to one place goes. ``failing_since_utc_ms`` None: it works."""

    name: CopyName
    pending: int = 0
    failing_since_utc_ms: UtcMs | None = None
    error: str | None = None


class Keeper:
    """Copies and retention of one node. Runs on the event loop; blocking work in ``workers``."""

    def __init__(
        self,
        settings: KeeperSettings,
        ports: KeeperPorts,
        clock: Clock,
        metrics: Metrics,
        workers: Executor,
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._index = ports.index
        self._book = ports.book
        self._clock = clock
        self._metrics = metrics
        self._workers = workers
        self._states = {place.name: PlaceState(place.name) for place in ports.places}
        self._seen: dict[TrackId, int] = {}
        self._papers: dict[tuple[CopyName, TrackId], int] = {}
        self._faults = Repeats(clock)
        self.forecast: Forecast | None = None
        self.short_bytes = 0
        """Bytes missing below the critical mark, with nothing left that may go."""

    @property
    def places(self) -> Mapping[CopyName, PlaceState]:
        """How each place for copies fares."""
        return self._states

    def pending(self, track_id: TrackId) -> int:
        """Files of a track that a place is still to get, as far as one look tells."""
        return sum(
            len(self._index.segments_by_number(track_id, self._book.done(name, track_id)))
            for name in self._states
        )

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for place in self._ports.places:
                group.create_task(self._copy_for_ever(place))
            group.create_task(self._retain_for_ever())

    async def _copy_for_ever(self, place: CopyPlace) -> None:
        wait_ms = COPY_LOOK_MS
        while True:
            try:
                copied = await self._off(self.copy_once, place)
            except CopyLost as error:
                wait_ms = min(max(2 * wait_ms, COPY_RETRY_FIRST_MS), COPY_RETRY_MAX_MS)
                self._fails(place, str(error))
            except (OSError, sqlite3.Error) as error:
                wait_ms = COPY_RETRY_FIRST_MS
                self._fails(place, str(error))
            else:
                # Straight on while there is a backlog.
                wait_ms = 0 if copied else COPY_LOOK_MS
                self._states[place.name] = PlaceState(place.name)
            await self._clock.sleep_ms(wait_ms)

    def _fails(self, place: CopyPlace, error: str) -> None:
        before = self._states[place.name]
        since = before.failing_since_utc_ms or self._clock.utc_ms()
        self._states[place.name] = PlaceState(place.name, before.pending, since, error[:200])
        if times := self._faults.due(f"copy {place.name}"):
            log.warning("copy_lost", place=place.name, error=error, times=times)

    async def _off(self, work: Callable[[CopyPlace], int], place: CopyPlace) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, place)

    def copy_once(self, place: CopyPlace) -> int:
        """Copy up to ``BATCH`` files of each track; how many were dealt with. Blocks.

        Raises:
            CopyLost: the place is away; what was copied before stays copied.
        """
        dealt = 0
        for track in self._index.tracks():
            done = self._book.done(place.name, track.track_id)
            for row in self._index.segments_by_number(track.track_id, done, BATCH):
                self._copy(place, row)
                self._book.set_done(place.name, row.track_id, row.number)
                dealt += 1
            self._copy_papers(place, track.track_id)
        return dealt

    def _copy(self, place: CopyPlace, row: SegmentRow) -> None:
        source = self._index.file_of(row)
        try:
            copy_checked(place, source, self._key(source), row.sha256)
        except (SourceDamagedError, FileNotFoundError) as error:
            self._book.set_bad(place.name, row.track_id, row.number, str(error))
            self._count("edge_copies_damaged_total", "Files that are not what they were", place)
            log.error("copy_source_damaged", track_id=row.track_id, file=row.file, error=str(error))
            return
        self._count("edge_copies_total", "Files copied and read back", place)

    def _key(self, path: Path) -> str:
        return f"{self._settings.prefix}/{path.relative_to(self._settings.recordings_dir)}"

    def _copy_papers(self, place: CopyPlace, track_id: TrackId) -> None:
        """Copy a track's manifests and countersignatures, without which its files prove nothing."""
        now = self._clock.mono_ms()
        due = self._papers.get((place.name, track_id))
        if due is not None and now < due:
            return
        folder = self._settings.recordings_dir
        papers = (
            sorted(folder.glob(f"{track_id}/*/*.jsonl"))[-6:]
            if due
            else sorted(folder.glob(f"{track_id}/*/*.jsonl"))
        )
        for paper in (*sorted((folder / "keys").glob("*.pem")), *papers):
            content = paper.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            if place.sha256(self._key(paper)) != sha256:
                place.put(paper, self._key(paper))
        self._papers[place.name, track_id] = now + PAPERS_EVERY_MS

    def _count(self, name: str, help_text: str, place: CopyPlace) -> None:
        self._metrics.counter(name, help_text, ("place",)).labels(place.name).inc()

    async def _retain_for_ever(self) -> None:
        while True:
            busy = False
            try:
                busy = await self.retain_once()
            except (CopyLost, RecorderLost, OSError, sqlite3.Error) as error:
                if times := self._faults.due("retention"):
                    log.warning("retention_waits", error=str(error), times=times)
            await self._clock.sleep_ms(RETAIN_SHORT_MS if busy else RETAIN_EVERY_MS)

    async def retain_once(self) -> bool:
        """Judge once and ask for deletions; whether there is more to do at once.

        Raises:
            CopyLost: a place that must vouch for a copy is away; nothing of it was deleted.
        """
        loop = asyncio.get_running_loop()
        tracks, decision = await loop.run_in_executor(self._workers, self._judge)
        self.short_bytes = decision.short_bytes
        if not decision.deletions:
            self._turn_page(tracks)
            return bool(decision.short_bytes) and any(self._seen.values())
        for deletion in decision.deletions:
            checked = await loop.run_in_executor(self._workers, self._vouched, deletion)
            if checked:
                await self._delete(deletion, checked)
        return True

    def _judge(self) -> tuple[Sequence[StoredTrack], Decision]:
        now = self._clock.utc_ms()
        disk = self._ports.disk()
        tracks = [self._stored(track.track_id) for track in self._index.tracks()]
        self.forecast = forecast(
            {track.track_id: self._rate(track.track_id, now) for track in tracks},
            disk,
            self._settings.marks,
        )
        newest = max((row.last_utc_ms or 0 for row in self._index.tracks()), default=0)
        status = self._ports.status()
        stepped = status is not None and status.clock_step_ms != 0
        if stepped or now - newest > self._settings.clock_ahead_max_ms:
            if times := self._faults.due("clock"):
                log.warning("retention_clock_doubted", newest_utc_ms=newest, times=times)
            return tracks, Decision((), 0)
        return tracks, decide(tracks, disk, self._settings.marks, now)

    def _rate(self, track_id: TrackId, now: UtcMs) -> int:
        """Bytes a day, from the last hour: a page is not larger."""
        rows = self._index.segments(track_id, now - DAY_MS // 24, now)
        seconds = sum(row.duration_ms for row in rows) / 1000
        return round(sum(row.bytes for row in rows) / seconds * 86_400) if seconds else 0

    def _stored(self, track_id: TrackId) -> StoredTrack:
        rows = self._index.segments_by_number(track_id, self._seen.get(track_id, 0), CANDIDATES)
        done = {name: self._book.done(name, track_id) for name in self._states}
        bad = {name: self._book.bad(name, track_id) for name in self._states}
        files = tuple(
            StoredFile(
                row.number,
                row.start_utc_ms,
                row.end_utc_ms,
                row.bytes,
                frozenset(
                    name
                    for name in self._states
                    if row.number <= done[name] and row.number not in bad[name]
                ),
            )
            for row in rows
        )
        return StoredTrack(track_id, files, tuple(self._protections(track_id)))

    def _protections(self, track_id: TrackId) -> list[Protection]:
        index = self._index
        found = [
            Protection(
                seal.from_utc_ms,
                seal.to_utc_ms or OPEN_END,
                UtcMs((seal.to_utc_ms or OPEN_END) + seal.keep_days * DAY_MS),
            )
            for seal in index.seals(track_id)
        ]
        found += [
            Protection(keep.from_utc_ms, keep.to_utc_ms or OPEN_END, keep.keep_until_utc_ms)
            for keep in index.keeps(track_id)
        ]
        found += [
            Protection(hold.from_utc_ms, hold.to_utc_ms, None)
            for hold in index.holds(track_id)
            if not hold.lifted
        ]
        return found

    def _turn_page(self, tracks: Sequence[StoredTrack]) -> None:
        """Look behind files that all must stay; after the last one, begin again."""
        for track in tracks:
            full = len(track.files) >= CANDIDATES
            self._seen[track.track_id] = track.files[-1].number if full else 0

    def _vouched(self, deletion: Deletion) -> tuple[int, ...]:
        """The files of a deletion whose copies are there with their size, right now."""
        good = []
        for number in deletion.numbers:
            row = self._index.segment(deletion.track_id, number)
            if row is None or row.deleted:
                continue
            key = self._key(self._index.file_of(row))
            missing = [
                place
                for place in self._ports.places
                if place.name in deletion.copies and place.size(key) != row.bytes
            ]
            for place in missing:
                log.error("copy_gone", place=place.name, track_id=row.track_id, file=row.file)
                self._book.set_done(place.name, row.track_id, number - 1)
            if missing:
                break
            good.append(number)
        return tuple(good)

    async def _delete(self, deletion: Deletion, numbers: tuple[int, ...]) -> None:
        body = DeleteFiles(
            track_id=deletion.track_id,
            numbers=numbers,
            reason=deletion.why.value,
            copies=deletion.copies,
            by=BY,
        )
        # Of its content: asked again after a lost answer, it is the same request.
        name = hashlib.sha256(body.model_dump_json().encode()).hexdigest()[:40]
        reply = await self._ports.ask(body, f"delete-{name}")
        if reply.error is not None:
            if times := self._faults.due(f"deletion {body.track_id}"):
                log.error(
                    "deletion_refused", track_id=body.track_id, error=reply.error, times=times
                )
            return
        log.info(
            "recordings_deleted",
            track_id=body.track_id,
            files=len(numbers),
            why=deletion.why.value,
            copies=deletion.copies,
        )


def disk_of(folder: Path) -> Disk:
    """The disk that a folder lies on.

    Raises:
        OSError: it cannot be asked.
    """
    found = shutil.disk_usage(folder)
    return Disk(total=found.total, free=found.free)
