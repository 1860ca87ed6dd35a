"""Runs the site: one writer takes inputs in order, steps the core, commits, and only then acts.

One thing goes out before its commit: a pause, because a person is in a robot's way. A pause whose
commit was lost is known again by its id (``core.fleet.with_pause``), and ended like any other.

An input that changes nothing lasting and asks for nothing durable is not journaled: observations
and robot states come many times a second, replace each other, and come again after a restart.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import structlog

from controller.core import ledger
from controller.core import state as core
from controller.core.outputs import (
    Accepted,
    ActionKind,
    Answer,
    FetchPicture,
    FetchSnapshot,
    Filed,
    FileEntry,
    Lasting,
    Output,
    PublishAction,
    Published,
    Refused,
    SendCommand,
    SendNotice,
)
from controller.core.site import step
from controller.core.state import Input, Now, SiteState, Tick, lasting_equal
from controller.ports import (
    Batch,
    Blocking,
    Given,
    Journaled,
    Listener,
    OpenOutput,
    OutputId,
    Performer,
    StateStore,
    StoreLost,
)
from runtime.clock import Clock
from runtime.outbox import InboxCursor

log = structlog.get_logger(__name__)

BATCH_MAX: Final = (
    256  # inputs of one transaction: 5 ms of stepping, against one disk flush saved each
)
QUEUE_MAX: Final = (
    1_024  # groups that wait; above it readers wait too, and live inboxes keep the newest
)
TICK_MS: Final = 200  # leases, time-outs and resends are looked at this often; the finest is 300 ms
PICTURES_AT_ONCE: Final = 4  # an edge node serves its camera first

V = TypeVar("V")


@dataclass(slots=True)
class _Group:
    """Inputs that are committed together or not at all."""

    rows: Sequence[Given]
    done: asyncio.Future[list[Answer | None]] | None
    answers: list[Answer | None] = field(default_factory=list)


class Service:
    """The site's single writer. ``state`` is always what is committed."""

    def __init__(
        self,
        state: SiteState,
        store: StateStore,
        clock: Clock,
        performer: Performer,
        listeners: Iterable[Listener] = (),
        *,
        open_outputs: Iterable[OpenOutput] = (),
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self.state = state
        self._store = store
        self._clock = clock
        self._blocking = blocking
        self._performer = performer
        self._listeners = tuple(listeners)
        self._queue: asyncio.Queue[_Group] = asyncio.Queue(QUEUE_MAX)
        self._commands: asyncio.Queue[tuple[OutputId, SendCommand]] = asyncio.Queue()
        self._pictures: asyncio.Queue[tuple[OutputId, FetchPicture | FetchSnapshot]] = (
            asyncio.Queue()
        )
        self._notices: asyncio.Queue[tuple[OutputId, SendNotice]] = asyncio.Queue()
        self.counts: Counter[str] = Counter()
        """inputs, journaled, commits, refused_commits, published."""
        # What a crash left open is done again: commands and pictures may be done twice without
        # harm, and unlocks are never among them (not durable, and they carry their own end).
        for row in open_outputs:
            self._enqueue(row.id, row.output)

    @property
    def waiting(self) -> int:
        """How many groups of inputs are in line."""
        return self._queue.qsize()

    async def run(self) -> None:
        """Take inputs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_inputs())
            group.create_task(self._tick())
            group.create_task(self._send_commands())
            group.create_task(self._send_notices())
            for _ in range(PICTURES_AT_ONCE):
                group.create_task(self._fetch_pictures())

    async def offer(self, given: Input) -> None:
        """Put a live input in line; waits while it is full, so that its reader keeps the newest."""
        await self._queue.put(_Group((Given(given),), None))

    async def ask(self, given: Input) -> Answer:
        """Do what a person asks and answer after the commit.

        Raises:
            StoreLost: nothing was done; the database is away.
        """
        answers = await self.take((Given(given),))
        answer = answers[0]
        if answer is None:
            raise AssertionError(f"{type(given).__name__} must be answered by the core")
        return answer

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        """Commit inputs together, cursors included; returns after the commit.

        Raises:
            StoreLost: none of them is committed.
        """
        done: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Group(rows, done))
        return await done

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep_ms(TICK_MS)
            await self.offer(Tick())

    async def _take_inputs(self) -> None:
        while True:
            groups = [await self._queue.get()]
            size = len(groups[0].rows)
            while size < BATCH_MAX and not self._queue.empty():
                groups.append(self._queue.get_nowait())
                size += len(groups[-1].rows)
            try:
                await self._run_batch(groups)
            except StoreLost as lost:
                self.counts["refused_commits"] += 1
                log.error("commit_refused", error=str(lost), inputs=size)
                _fail(groups, lost)

    async def _run_batch(self, groups: list[_Group]) -> None:
        state, journal, cursors, outputs = self.state, [], [], []
        filed: list[Filed] = []
        for group in groups:
            for row in group.rows:
                given = await self._with_known(state, row.given, filed)
                now = Now(self._clock.mono_ms(), self._clock.utc_ms())
                after, wanted = step(state, given, now)
                lasting = tuple(one for one in wanted if isinstance(one, Lasting))
                if lasting or not lasting_equal(state, after):
                    journal.append(Journaled(given, now, lasting))
                group.answers.append(_answer(wanted))
                filed += [one for one in wanted if isinstance(one, Filed)]
                for one in wanted:
                    if isinstance(one, PublishAction) and one.action is ActionKind.PAUSE:
                        await self._publish(one)
                    elif isinstance(one, Published):
                        outputs.append(one)
                if row.cursor is not None:
                    cursors.append(row.cursor)
                state = after
                self.counts["inputs"] += 1
        batch = _batch(self.state, state, journal, cursors, filed)
        ids = () if batch.empty else await self._blocking(self._store.commit, batch)
        self.counts["journaled"] += len(journal)
        self.counts["commits"] += 0 if batch.empty else 1
        await self._committed(state, groups, outputs)
        for entry, entry_ids in zip(journal, ids, strict=True):
            for output_id, output in zip(entry_ids, entry.outputs, strict=True):
                self._enqueue(output_id, output)

    async def _committed(
        self, state: SiteState, groups: list[_Group], outputs: Sequence[Output]
    ) -> None:
        before, self.state = self.state, state
        for output in outputs:
            # Robots first: a person may stand before one, and a publish of QoS 0 does not wait.
            if isinstance(output, Published):
                await self._publish(output)
        for listener in self._listeners:
            listener.changed(before, state)
        for group in groups:
            if group.done is not None and not group.done.done():
                group.done.set_result(group.answers)

    async def _publish(self, output: Published) -> None:
        await self._performer.publish(output, self._clock.utc_ms())
        self.counts["published"] += 1

    async def _with_known(self, state: SiteState, given: Input, filed: Sequence[Filed]) -> Input:
        """Look up what has left memory (an alert, an old line), so that the core sees it."""
        match given:
            case core.EntryCame():
                return await self._with_stored(state, given, filed)
            case core.SessionActed() if given.session_id not in state.sessions:
                known = await self._blocking(self._store.find_session, given.session_id)
                return replace(given, known=known)
            case core.AlertCame():
                alert_id = given.alert.alert_id
            case (
                core.AlertAcknowledged()
                | core.AlertResolved()
                | core.AlertWorked()
                | core.PictureStored()
            ):
                alert_id = given.alert_id
            case _:
                return given
        if alert_id in state.alerts:
            return given
        return replace(given, known=await self._blocking(self._store.find_alert, alert_id))

    async def _with_stored(
        self, state: SiteState, given: core.EntryCame, filed: Sequence[Filed]
    ) -> core.EntryCame:
        """Whether this very line is in the store, or about to be: a node may announce it again."""
        sha256 = ledger.to_look_up(state.ledger, given.said)
        if sha256 is None:
            return given
        said = given.said
        pending = any(isinstance(one, FileEntry) and one.sha256 == sha256 for one in filed)
        stored = pending or await self._blocking(
            self._store.has_entry, said.node_id, said.track_id, sha256
        )
        return replace(given, stored=stored)

    def _enqueue(self, output_id: OutputId, output: Lasting) -> None:
        match output:
            case SendCommand():
                self._commands.put_nowait((output_id, output))
            case FetchPicture() | FetchSnapshot():
                self._pictures.put_nowait((output_id, output))
            case SendNotice():
                self._notices.put_nowait((output_id, output))

    async def _send_commands(self) -> None:
        # One after the other: a seal must not overtake the release before it.
        while True:
            output_id, output = await self._commands.get()
            await self._performer.lasting(output)
            await self._done(output_id)

    async def _send_notices(self) -> None:
        # Apart from commands: a node that is away must not keep people from being told.
        while True:
            output_id, output = await self._notices.get()
            await self._performer.lasting(output)
            await self._done(output_id)

    async def _fetch_pictures(self) -> None:
        while True:
            output_id, output = await self._pictures.get()
            await self._performer.lasting(output)
            await self._done(output_id)

    async def _done(self, output_id: OutputId) -> None:
        try:
            await self._blocking(self._store.performed, (output_id,))
        except StoreLost as lost:
            # It stays open and is done again after the next start, which does no harm.
            log.warning("output_left_open", seq=output_id.seq, error=str(lost))


def _answer(outputs: Sequence[Output]) -> Answer | None:
    return next((one for one in outputs if isinstance(one, Accepted | Refused)), None)


def _fail(groups: Iterable[_Group], lost: StoreLost) -> None:
    for group in groups:
        if group.done is not None and not group.done.done():
            group.done.set_exception(lost)


def _batch(
    before: SiteState,
    after: SiteState,
    journal: Sequence[Journaled],
    cursors: Sequence[InboxCursor],
    filed: Sequence[Filed],
) -> Batch:
    newest = {(row.stream, row.epoch): row for row in cursors}
    return Batch(
        journal=tuple(journal),
        alerts=_news(before.alerts, after.alerts),
        sessions=_news(before.sessions, after.sessions),
        deliveries=_news(before.deliveries, after.deliveries),
        duties=_news(before.duties, after.duties),
        care=_news(before.care, after.care),
        acts=_news(before.acts, after.acts),
        ordering=_news(before.ordering, after.ordering),
        cursors=tuple(newest.values()),
        filed=tuple(filed),
        chains=_news(before.ledger.chains, after.ledger.chains),
        keys=_news(before.ledger.keys, after.ledger.keys),
        joints=_news(before.remote.joints, after.remote.joints),
        peer_logs=_news(before.remote.logs, after.remote.logs),
    )


def _news(before: Mapping[str, V], after: Mapping[str, V]) -> tuple[V, ...]:
    if before is after:
        return ()
    return tuple(row for key, row in after.items() if before.get(key) is not row)
