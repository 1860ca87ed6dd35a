"""Runs a node's side of recording: asks its recorder, follows the manifests, tells the controller.

The recorder's process writes; this one reads what it wrote. Nothing here is needed for a packet to
reach the disk.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError

from contracts import codec, topics
from contracts.commands import Keep, Release, Seal
from contracts.envelope import Rejected
from contracts.evidence.entries import TrackId
from contracts.evidence.lines import LineError, split_line
from contracts.observations import (
    CheckpointTaken,
    RecordingHealth,
    RecordingState,
    TrackHealth,
    WitnessGiven,
)
from contracts.topics import Kind
from contracts.units import NodeId, RoomId, Sha256Hex, SiteId
from edge.announcer import Announcer
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant
from edge.core.recording import (
    CheckpointSaid,
    KeepTracks,
    LevelSaid,
    ReleaseTracks,
    Request,
    SealTracks,
    TrackStatus,
)
from edge.core.room import IdSource
from edge.core.state import CopiesFailing, RecordingSeen, TrackSeen
from edge.evidence.index import RecordingIndex
from edge.keeper import Keeper
from edge.recorder.client import RecorderClient, RecorderLost
from edge.store import EdgeStore
from edge.witnesses import WitnessBook, WitnessRefusedError
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.mqtt import Bus, DropPolicy, Inbound, MqttLost, Outgoing, PublishRefusedError
from runtime.outbox import OutboxFullError

log = structlog.get_logger(__name__)

FOLLOW_MS: Final = 250
# An entry is with the controller within half a second; looking costs two stat calls a track.
COPIES_MS: Final = 10_000  # nobody acts on it sooner
FAULT_MS: Final = 2_000  # a disk that refused is asked again, without filling the log
ASK_AGAIN_MS: Final = 5_000  # the recorder said that its disk refuses
ANSWER_WITHIN_S: Final = 30.0  # a disk that hangs so long hangs for good; the request stays ours
WITNESSES_MAX: Final = 128  # one a track; newest wins

T = TypeVar("T")


def request_for(command: Seal | Release | Keep, frozen: Mapping[str, Sha256Hex]) -> Request:
    """What the recorder is asked for when the controller orders this; under the same id."""
    match command:
        case Seal():
            roster = {"roster": command.roster_sha256} if command.roster_sha256 else {}
            return Request(
                id=command.command_id,
                body=SealTracks(
                    room_id=command.room_id,
                    session_id=command.session_id,
                    admitted=command.admitted,
                    keep_days=command.keep_days,
                    frozen={**frozen, **roster},
                ),
            )
        case Release():
            release = ReleaseTracks(room_id=command.room_id, session_id=command.session_id)
            return Request(id=command.command_id, body=release)
        case Keep():
            return Request(
                id=command.command_id,
                body=KeepTracks(
                    room_id=command.room_id,
                    session_id=command.session_id,
                    from_utc_ms=command.from_utc_ms,
                    to_utc_ms=command.to_utc_ms,
                    keep_until_utc_ms=command.keep_until_utc_ms,
                ),
            )


@dataclass(frozen=True, slots=True)
class RecordingSetup:
    """What the settings and the site say of a node's recording."""

    site_id: SiteId
    node_id: NodeId
    rooms: Mapping[TrackId, RoomId]
    """Of each track."""
    disk_low_percent: float


@dataclass(frozen=True, slots=True)
class RecordingParts:
    """What the node's side of recording works with."""

    clock: Clock
    bus: Bus
    store: EdgeStore
    index: RecordingIndex
    announcer: Announcer
    witnesses: WitnessBook
    client: RecorderClient
    disk: Executor
    """One thread for all that waits for the disk."""
    new_id: IdSource
    keeper: Keeper


class Recordings:
    """One node's recordings, as the rest of its main process knows them."""

    def __init__(self, setup: RecordingSetup, parts: RecordingParts) -> None:
        self._setup = setup
        self._parts = parts
        self._faults = Repeats(parts.clock)
        self._asked = asyncio.Event()
        self._checkpoints: dict[TrackId, CheckpointSaid] = {}
        self._checkpointed = asyncio.Event()
        self._copies: Mapping[TrackId, int] = {}
        self.levels: dict[TrackId, LevelSaid] = {}
        """The latest sound level of each pickup."""
        parts.client.on_checkpoint(self._take_checkpoint)
        parts.client.on_level(self._take_level)
        parts.client.on_link(self._asked.set)
        self._witnessed = parts.bus.subscribe(
            topics.witness_filter(setup.site_id, setup.node_id),
            qos=1,
            limit=WITNESSES_MAX,
            drop=DropPolicy.LATEST_PER_TOPIC,
        )

    @property
    def client(self) -> RecorderClient:
        """The link to the recorder."""
        return self._parts.client

    @property
    def index(self) -> RecordingIndex:
        """What there is on disk."""
        return self._parts.index

    def request_for(
        self, command: Seal | Release | Keep, frozen: Mapping[str, Sha256Hex]
    ) -> Request:
        """What is to be committed with a command, so that the recorder is asked for it.

        ``frozen``: hashes of what a seal freezes, by name.
        """
        return request_for(command, frozen)

    def stir(self) -> None:
        """A request was committed: ask the recorder for it."""
        self._asked.set()

    @property
    def keeper(self) -> Keeper:
        """What copies, frees and forecasts."""
        return self._parts.keeper

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.client.run())
            group.create_task(self._follow())
            group.create_task(self._ask())
            group.create_task(self._tell_checkpoints())
            group.create_task(self._take_witnesses())
            group.create_task(self._count_copies())
            group.create_task(self._parts.keeper.run())

    async def _off(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._parts.disk, work)

    async def _follow(self) -> None:
        while True:
            pause_ms = FOLLOW_MS
            try:
                if await self._off(self._parts.announcer.step):
                    pause_ms = 0
            except (sqlite3.Error, OSError, OutboxFullError) as error:
                pause_ms = FAULT_MS
                if times := self._faults.due("follow"):
                    log.error("manifests_not_followed", error=str(error), times=times)
            await self._parts.clock.sleep_ms(pause_ms)

    async def _count_copies(self) -> None:
        keeper, rooms = self._parts.keeper, self._setup.rooms
        while True:
            try:
                self._copies = await self._off(
                    lambda: {track_id: keeper.pending(track_id) for track_id in rooms}
                )
            except sqlite3.Error as error:
                if times := self._faults.due("copies"):
                    log.error("copies_not_counted", error=str(error), times=times)
            await self._parts.clock.sleep_ms(COPIES_MS)

    async def _ask(self) -> None:
        """Ask for what was committed, in order, until the recorder has confirmed each."""
        while True:
            self._asked.clear()
            pause_ms = await self._ask_all()
            if pause_ms:
                await self._parts.clock.sleep_ms(pause_ms)
            else:
                await self._asked.wait()

    async def _ask_all(self) -> int:
        """Milliseconds after which to try again; 0: when there is something new."""
        client = self._parts.client
        try:
            for request in await self._off(self._parts.store.requests):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    reply = await client.request(request.body, request.id)
                if reply.again:
                    if times := self._faults.due(f"again {request.id}"):
                        log.error("recorder_waits", error=reply.error, times=times)
                    return ASK_AGAIN_MS
                if reply.error is not None:
                    log.error("recorder_refused", request_id=request.id, error=reply.error)
                done = request.id
                await self._off(lambda done=done: self._parts.store.forget_request(done))  # type: ignore[misc] # mypy does not infer a lambda's default
        except RecorderLost:
            return 0  # asked again when it is there
        except (TimeoutError, sqlite3.Error, OSError) as error:
            if times := self._faults.due("ask"):
                log.error("recorder_not_asked", error=repr(error), times=times)
            return ASK_AGAIN_MS
        return 0

    def _take_checkpoint(self, said: CheckpointSaid) -> None:
        self._checkpoints[said.track_id] = said
        self._checkpointed.set()

    def _take_level(self, said: LevelSaid) -> None:
        if said.track_id in self._setup.rooms:
            self.levels[said.track_id] = said

    async def _tell_checkpoints(self) -> None:
        while True:
            await self._checkpointed.wait()
            self._checkpointed.clear()
            while self._checkpoints:
                _, said = self._checkpoints.popitem()
                await self._tell_checkpoint(said)

    async def _tell_checkpoint(self, said: CheckpointSaid) -> None:
        parts, setup = self._parts, self._setup
        try:
            await self._off(lambda: parts.index.note_checkpoint(said.line))
            taken = CheckpointTaken(
                node_id=setup.node_id,
                room_id=said.room_id,
                track_id=said.track_id,
                line=said.line,
            )
            payload = codec.encode(
                Kind.CHECKPOINT,
                taken,
                message_id=parts.new_id(),
                sender=setup.node_id,
                sent_utc_ms=parts.clock.utc_ms(),
            )
            topic = topics.checkpoint_topic(setup.site_id, setup.node_id, said.track_id)
            await parts.bus.publish(Outgoing(topic, payload, qos=1))
        except MqttLost:
            return  # the next one says more
        except (PublishRefusedError, LineError, ValidationError) as error:
            if times := self._faults.due("checkpoint"):
                log.error("checkpoint_not_told", error=str(error), times=times)

    async def _take_witnesses(self) -> None:
        async for inbound in self._witnessed:
            await self._take_witness(inbound)

    async def _take_witness(self, inbound: Inbound) -> None:
        message = codec.decode(inbound.topic, inbound.payload)
        if isinstance(message, Rejected) or not isinstance(message, codec.Message):
            detail = message.detail if isinstance(message, Rejected) else "an acknowledgement"
            log.warning("witness_refused", error=detail)
            return
        given = message.body
        if not isinstance(given, WitnessGiven):
            return
        witnesses = self._parts.witnesses
        try:
            await self._off(lambda: witnesses.take(given.track_id, given.line))
        except WitnessRefusedError as error:
            if times := self._faults.due(f"witness {given.track_id}"):
                log.warning("witness_refused", error=str(error), times=times)
        except OSError as error:
            # The broker keeps it, and gives it again at the next connection.
            if times := self._faults.due("witness"):
                log.error("witness_not_kept", error=str(error), times=times)

    def seen(self) -> RecordingSeen:
        """What the rules look at."""
        parts = self._parts
        now = Instant(parts.clock.mono_ms(), parts.clock.utc_ms())
        status = parts.client.status
        return RecordingSeen(
            at=now,
            running=parts.client.connected,
            since=parts.client.since,
            tracks={one.track_id: _track_seen(one) for one in status.tracks} if status else {},
            disk=DiskSeen(status.disk_free_bytes, status.disk_total_bytes, status.disk_error)
            if status
            else DiskSeen(),
            disk_low_percent=self._setup.disk_low_percent,
            clock=parts.clock.state(),
            clock_step_ms=status.clock_step_ms if status else 0,
            copies_failing=tuple(
                CopiesFailing(str(one.name), one.failing_since_utc_ms, one.error or "")
                for one in parts.keeper.places.values()
                if one.failing_since_utc_ms is not None
            ),
        )

    def health(self) -> RecordingHealth:
        """What the node says of its recording."""
        parts = self._parts
        status = parts.client.status
        running = parts.client.connected
        return RecordingHealth(
            running=running,
            tracks=tuple(
                self._track_health(one, running=running)
                for one in (status.tracks if status else ())
            ),
            key=status.key if status else None,
            clock=parts.clock.state(),
            disk_free_bytes=status.disk_free_bytes if status else None,
            disk_total_bytes=status.disk_total_bytes if status else None,
            days_left=_days_left(parts.keeper),
        )

    def _track_health(self, said: TrackStatus, *, running: bool) -> TrackHealth:
        # A recorder that is gone records nothing, whatever it said last.
        return TrackHealth(
            track_id=said.track_id,
            room_id=said.room_id,
            state=said.state if running else RecordingState.GAP,
            since_utc_ms=said.since_utc_ms if running else self._parts.client.since.utc_ms,
            reason=said.reason if running else None,
            sequence=said.sequence,
            witnessed_sequence=self._parts.witnesses.sequence(said.track_id),
            copies_pending=self._copies.get(said.track_id, 0),
        )


def line_hash(index: RecordingIndex, track_id: TrackId, sequence: int) -> Sha256Hex | None:
    """The hash of a line of a chain (``witnesses.HashOf``).

    Raises:
        OSError: its manifest cannot be read.
    """
    found = index.lines_after(track_id, sequence - 1, 1)
    if not found or found[0].sequence != sequence:
        return None
    return split_line(found[0].line).sha256


def _days_left(keeper: Keeper) -> float | None:
    days = keeper.forecast.days_left if keeper.forecast else None
    return None if days is None else max(days, 0.0)


def _track_seen(said: TrackStatus) -> TrackSeen:
    measured = None
    if said.sound_offset_mono_ms is not None and said.sound_offset_utc_ms is not None:
        measured = Instant(said.sound_offset_mono_ms, said.sound_offset_utc_ms)
    return TrackSeen(
        said.state,
        Instant(said.since_mono_ms, said.since_utc_ms),
        said.reason,
        sound_offset_ms=said.sound_offset_ms,
        sound_offset_at=measured,
    )
