"""Opens the database, brings its tables to this version, and reads and commits the site's state."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from pydantic import TypeAdapter
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from contracts.api import Disposition
from contracts.api.record import RecordLine
from contracts.units import RobotId, UtcMs
from controller.core.alerts import AlertRecord, RuleTally
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty
from controller.core.ordering import OrderingDoc
from controller.core.outputs import (
    FileCount,
    FiledOfSites,
    FileEntry,
    FileRecord,
    FileRefused,
    FileRoot,
    Lasting,
)
from controller.core.outside import OutsideAct
from controller.core.sessions import Session
from controller.core.sites import KnownSites
from controller.core.state import ENDED_KEPT, Input
from controller.core.sweeps import RoomCare
from controller.ports import (
    ALL_SESSIONS,
    Batch,
    Journaled,
    OpenOutput,
    OutputId,
    SessionFilter,
    StoreLost,
)
from controller.store import (
    evidence,
    ordering,
    outside,
    record,
    reports,
    roster,
    schema,
    search,
    sites,
)
from controller.store.evidence import KnownEvidence
from controller.store.schema_sites import JOINT, LOG
from runtime.outbox import InboxCursor

MIGRATIONS: Final = Path(__file__).with_name("migrations")
JOURNAL_KEPT: Final = (
    1_000_000  # months of a site, about 1 GB; older inputs explain no open question
)
BUSY_TIMEOUT_MS: Final = 10_000  # a reader of a large report ends sooner

T = TypeVar("T")

_ALERT: Final = TypeAdapter(AlertRecord)
_SESSION: Final = TypeAdapter(Session)
_DELIVERY: Final = TypeAdapter(Delivery)
_DUTY: Final = TypeAdapter(Duty)
_INPUT: Final[TypeAdapter[Input]] = TypeAdapter(Input)
_OUTPUT: Final[TypeAdapter[Lasting]] = TypeAdapter(Lasting)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a restart finds: open entities, the newest ended ones, and where the journal stands."""

    sessions: Mapping[str, Session]
    alerts: Mapping[str, AlertRecord]
    deliveries: Mapping[str, Delivery]
    duties: Mapping[RobotId, Duty]
    acts: Mapping[str, OutsideAct]
    ordering: Mapping[str, OrderingDoc]
    next_number: int
    boot_id: str | None
    evidence: KnownEvidence
    care: Mapping[str, RoomCare]
    sites: KnownSites


class Database:
    """The store: one writer (the service), any number of readers, a connection for each call."""

    def __init__(self, url: str, boot_id: str) -> None:
        """Open ``url`` (``sqlite:///PATH`` or another of SQLAlchemy), migrate it to this version.

        Raises:
            StoreLost: it cannot be opened; says why.
        """
        self._boot_id = boot_id
        self._engine = _engine(url)
        self._writing = threading.Lock()
        try:
            with self._engine.begin() as connection:
                _upgrade(connection)
            with self._engine.begin() as connection:
                self._next_seq = _highest(connection, schema.JOURNAL, "seq") + 1
                connection.execute(
                    delete(schema.JOURNAL).where(
                        schema.JOURNAL.c.seq < self._next_seq - JOURNAL_KEPT
                    )
                )
                search.keep_up(connection)
        except DBAPIError as error:
            raise StoreLost(f"cannot open the database {url}: {error.orig}") from error

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` reads in one connection: for the stores beside the service's own."""
        with _reachable(), self._engine.connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` did in one transaction; one writer at a time.

        Raises:
            StoreLost: nothing of it was done.
        """
        with self._writing, _reachable(), self._engine.begin() as connection:
            return work(connection)

    # --- the service's side ---------------------------------------------------------------------

    def commit(self, batch: Batch) -> tuple[tuple[OutputId, ...], ...]:
        """See ``ports.StateStore``."""
        with self._writing:
            seq = self._next_seq
            ids: list[tuple[OutputId, ...]] = []
            with _reachable(), self._engine.begin() as connection:
                for entry in batch.journal:
                    ids.append(self._journal(connection, seq, entry))
                    seq += 1
                _store_entities(connection, batch)
                search.index(connection, batch)
            self._next_seq = seq
            return tuple(ids)

    def _journal(self, connection: Connection, seq: int, entry: Journaled) -> tuple[OutputId, ...]:
        connection.execute(
            insert(schema.JOURNAL),
            {
                "seq": seq,
                "kind": entry.given.kind,
                "payload": _INPUT.dump_json(entry.given).decode(),
                "utc_ms": entry.now.utc_ms,
                "mono_ms": entry.now.mono_ms,
                "boot_id": self._boot_id,
            },
        )
        rows = [
            {
                "seq": seq,
                "position": position,
                "kind": output.kind,
                "payload": _OUTPUT.dump_json(output).decode(),
                "performed": False,
            }
            for position, output in enumerate(entry.outputs)
        ]
        if rows:
            connection.execute(insert(schema.OUTPUT), rows)
        return tuple(OutputId(seq, position) for position in range(len(rows)))

    def performed(self, outputs: Sequence[OutputId]) -> None:
        """See ``ports.StateStore``. The rows are deleted: the journal tells what was decided."""
        table = schema.OUTPUT
        with self._writing, _reachable(), self._engine.begin() as connection:
            for row in outputs:
                connection.execute(
                    delete(table).where(table.c.seq == row.seq, table.c.position == row.position)
                )

    def open_outputs(self) -> tuple[OpenOutput, ...]:
        """What was committed and perhaps not performed, oldest first."""
        table = schema.OUTPUT
        query = select(table).where(~table.c.performed).order_by(table.c.seq, table.c.position)
        with _reachable(), self._engine.connect() as connection:
            return tuple(
                OpenOutput(OutputId(row.seq, row.position), _OUTPUT.validate_json(row.payload))
                for row in connection.execute(query)
            )

    def load(self) -> Loaded:
        """What a restarted service begins with."""
        with _reachable(), self._engine.connect() as connection:
            last = connection.execute(
                select(schema.JOURNAL.c.boot_id).order_by(schema.JOURNAL.c.seq.desc()).limit(1)
            ).scalar()
            return Loaded(
                sessions={
                    row.id: row for row in _recent(connection, schema.SESSION, _SESSION, "id")
                },
                alerts={row.id: row for row in _recent(connection, schema.ALERT, _ALERT, "number")},
                deliveries={
                    row.id: row
                    for row in _recent(connection, schema.DELIVERY, _DELIVERY, "ordered_utc_ms")
                },
                duties={
                    row.robot_id: _DUTY.validate_json(row.body)
                    for row in connection.execute(select(schema.DUTY))
                },
                acts=outside.load(connection),
                ordering=ordering.load(connection),
                next_number=_highest(connection, schema.ALERT, "number") + 1,
                boot_id=last,
                evidence=evidence.load(connection),
                care=roster.care(connection),
                sites=sites.load(connection),
            )

    def cursors(self) -> tuple[InboxCursor, ...]:
        """How far each stream is committed."""
        with _reachable(), self._engine.connect() as connection:
            return tuple(
                InboxCursor(row.stream, row.epoch, row.seq)
                for row in connection.execute(select(schema.INBOX_CURSOR))
            )

    # --- reading --------------------------------------------------------------------------------

    def find_alert(self, alert_id: str) -> AlertRecord | None:
        """One alert; None when there is none."""
        return self._find(schema.ALERT, _ALERT, alert_id)

    def find_session(self, session_id: str) -> Session | None:
        """One session; None when there is none."""
        return self._find(schema.SESSION, _SESSION, session_id)

    def find_delivery(self, delivery_id: str) -> Delivery | None:
        """One delivery; None when there is none."""
        return self._find(schema.DELIVERY, _DELIVERY, delivery_id)

    def meals(self, *, since: UtcMs, until: UtcMs, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that were ordered in an interval, oldest first."""
        with _reachable(), self._engine.connect() as connection:
            return ordering.between(connection, since, until, limit)

    def find_act(self, act_id: str) -> OutsideAct | None:
        """One act from outside that may have left memory."""
        with _reachable(), self._engine.connect() as connection:
            return outside.find(connection, act_id)

    def find_delivery_by_key(self, key: str) -> Delivery | None:
        """The delivery that was ordered with this idempotency key."""
        table = schema.DELIVERY
        return self._one(_DELIVERY, select(table.c.body).where(table.c.idempotency_key == key))

    def alerts(
        self,
        *,
        before: int | None,
        limit: int,
        session_id: str | None = None,
        shadow: bool | None = None,
    ) -> tuple[AlertRecord, ...]:
        """Up to ``limit`` alerts with numbers below ``before``, newest first.

        ``shadow``: only what rules in shadow found, or only what people were told; None: both.
        """
        table = schema.ALERT
        query = select(table.c.body).order_by(table.c.number.desc()).limit(limit)
        if shadow is not None:
            query = query.where(table.c.shadow == shadow)
        if before is not None:
            query = query.where(table.c.number < before)
        if session_id is not None:
            query = query.where(table.c.session_id == session_id)
        return self._all(_ALERT, query)

    def room_alerts(
        self, room_id: str, *, since_utc_ms: UtcMs, until_utc_ms: UtcMs, limit: int
    ) -> tuple[AlertRecord, ...]:
        """Alerts of a room that were raised in an interval, oldest first."""
        table = schema.ALERT
        query = (
            select(table.c.body)
            .where(
                table.c.room_id == room_id,
                table.c.raised_utc_ms >= since_utc_ms,
                table.c.raised_utc_ms <= until_utc_ms,
            )
            .order_by(table.c.number)
            .limit(limit)
        )
        return self._all(_ALERT, query)

    def rule_tally(self) -> tuple[RuleTally, ...]:
        """How often each rule spoke, told or in shadow, and what people made of it."""
        table = schema.ALERT
        columns = (table.c.rule, table.c.shadow, table.c.disposition)
        query = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        with _reachable(), self._engine.connect() as connection:
            return tuple(
                RuleTally(rule, bool(shadow), Disposition(said) if said else None, count)
                for rule, shadow, said, count in connection.execute(query)
            )

    def sessions(self, *, limit: int, wanted: SessionFilter = ALL_SESSIONS) -> tuple[Session, ...]:
        """Sessions by their start, latest first."""
        with _reachable(), self._engine.connect() as connection:
            return roster.page(connection, wanted, limit=limit)

    def find_session_by_key(self, key: str) -> Session | None:
        """The session that was scheduled with this idempotency key."""
        with _reachable(), self._engine.connect() as connection:
            return roster.by_key(connection, key)

    def deliveries(
        self, *, limit: int, room_id: str | None = None, session_id: str | None = None
    ) -> tuple[Delivery, ...]:
        """The newest deliveries first."""
        table = schema.DELIVERY
        query = select(table.c.body).order_by(table.c.ordered_utc_ms.desc()).limit(limit)
        if room_id is not None:
            query = query.where(table.c.room_id == room_id)
        if session_id is not None:
            query = query.where(table.c.session_id == session_id)
        return self._all(_DELIVERY, query)

    def _find(self, table: Table, adapter: TypeAdapter[T], key: str) -> T | None:
        return self._one(adapter, select(table.c.body).where(table.c.id == key))

    def _one(self, adapter: TypeAdapter[T], query: Executable) -> T | None:
        with _reachable(), self._engine.connect() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else adapter.validate_json(body)

    def _all(self, adapter: TypeAdapter[T], query: Executable) -> tuple[T, ...]:
        with _reachable(), self._engine.connect() as connection:
            bodies = connection.execute(query).scalars().all()
        return tuple(adapter.validate_json(body) for body in bodies)

    # --- records of sessions --------------------------------------------------------------------

    def session_record(
        self, session_id: str, *, after: int = 0, limit: int
    ) -> tuple[RecordLine, ...]:
        """Lines of a session's record behind a number, oldest first."""
        with _reachable(), self._engine.connect() as connection:
            return record.of_session(connection, session_id, after=after, limit=limit)

    def room_record(
        self, room_id: str, *, since: UtcMs, until: UtcMs, limit: int
    ) -> tuple[RecordLine, ...]:
        """Lines of a room's record in an interval, oldest first."""
        with _reachable(), self._engine.connect() as connection:
            return record.of_room(connection, room_id, since=since, until=until, limit=limit)

    # --- evidence -------------------------------------------------------------------------------

    def has_entry(self, node_id: str, track_id: str, sha256: str) -> bool:
        """See ``ports.StateStore``."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.has_entry(connection, node_id, track_id, sha256)

    def entries(
        self, node_id: str, track_id: str, *, life: int, after: int, limit: int
    ) -> tuple[FileEntry, ...]:
        """Entries of one life of a chain behind sequence ``after``, oldest first."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.entries(
                connection, node_id, track_id, life=life, after=after, limit=limit
            )

    def refused_lines(self, node_id: str, track_id: str, *, limit: int) -> tuple[FileRefused, ...]:
        """The newest refused lines of a chain."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.refused(connection, node_id, track_id, limit=limit)

    def stretches(
        self, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
    ) -> tuple[FileEntry, ...]:
        """A track's segments and gaps in an interval, in the chain's order."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.stretches(connection, node_id, track_id, since=since, until=until)

    def session_entries(self, session_id: str) -> tuple[FileEntry, ...]:
        """The seal, release and keep entries that nodes wrote for a session."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.session_entries(connection, session_id)

    def roots(self, *, before: int | None, limit: int) -> tuple[FileRoot, ...]:
        """The newest hourly roots first."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.roots(connection, before=before, limit=limit)

    def find_root(self, number: int) -> FileRoot | None:
        """One hourly root; None when there is none of this number."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.find_root(connection, number)

    def witnesses(self, leaves: Sequence[tuple[str, str, int, int]]) -> tuple[str, ...]:
        """The Witness lines of these heads (node, track, life, sequence), in their order."""
        with _reachable(), self._engine.connect() as connection:
            return evidence.witnesses(connection, leaves)


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn what the driver raises when the database is away or refuses into ``StoreLost``."""
    try:
        yield
    except DBAPIError as error:
        raise StoreLost(f"the database refused: {error.orig}") from error


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def _durable(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.close()

    return engine


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _highest(connection: Connection, table: Table, column: str) -> int:
    return int(connection.execute(select(func.max(table.c[column]))).scalar() or 0)


def _recent(connection: Connection, table: Table, adapter: TypeAdapter[T], order: str) -> list[T]:
    """All open rows and the newest ended ones, oldest first."""
    column = table.c[order]
    still = connection.execute(select(table.c.body).where(~table.c.ended).order_by(column))
    ended = connection.execute(
        select(table.c.body).where(table.c.ended).order_by(column.desc()).limit(ENDED_KEPT)
    )
    bodies = [*reversed(ended.scalars().all()), *still.scalars().all()]
    return [adapter.validate_json(body) for body in bodies]


def _store_entities(connection: Connection, batch: Batch) -> None:
    for alert in batch.alerts:
        _put(connection, schema.ALERT, ("id",), _alert_row(alert))
    for session in batch.sessions:
        _put(connection, schema.SESSION, ("id",), roster.session_row(session))
        roster.file_rooms(connection, session)
    for care in batch.care:
        _put(connection, roster.ROOM_CARE, ("room_id",), roster.care_row(care))
    for delivery in batch.deliveries:
        _put(connection, schema.DELIVERY, ("id",), _delivery_row(delivery))
    for duty in batch.duties:
        body = _DUTY.dump_json(duty).decode()
        _put(connection, schema.DUTY, ("robot_id",), {"robot_id": duty.robot_id, "body": body})
    _store_acts(connection, batch)
    record.file(connection, [row for row in batch.filed if isinstance(row, FileRecord)])
    reports.file_counts(connection, [row for row in batch.filed if isinstance(row, FileCount)])
    others = FileRecord | FileCount | FiledOfSites
    evidence.file(connection, [row for row in batch.filed if not isinstance(row, others)])
    sites.file(connection, [row for row in batch.filed if isinstance(row, FiledOfSites)])
    for joint in batch.joints:
        _put(connection, JOINT, ("id",), sites.joint_row(joint))
    for log in batch.peer_logs:
        _put(connection, LOG, ("site",), sites.log_row(log))
    for chain in batch.chains:
        _put(connection, schema.CHAIN, ("node_id", "track_id"), evidence.chain_row(chain))
    for key in batch.keys:
        _put(connection, schema.NODE_KEY, ("node_id",), evidence.key_row(key))
    for cursor in batch.cursors:
        values = {"stream": cursor.stream, "epoch": cursor.epoch, "seq": cursor.seq}
        _put(connection, schema.INBOX_CURSOR, ("stream", "epoch"), values)


def _store_acts(connection: Connection, batch: Batch) -> None:
    for act in batch.acts:
        _put(connection, outside.OUTSIDE_ACT, ("id",), outside.row_of(act))
    for document in batch.ordering:
        _put(connection, ordering.ORDERING, ("id",), ordering.row_of(document))


def _put(
    connection: Connection, table: Table, keys: tuple[str, ...], values: Mapping[str, Any]
) -> None:
    # Update, else insert: there is one writer, and it is the same SQL in every dialect.
    query = update(table)
    for key in keys:
        query = query.where(table.c[key] == values[key])
    if connection.execute(query, dict(values)).rowcount == 0:
        connection.execute(insert(table), dict(values))


def _alert_row(record: AlertRecord) -> dict[str, Any]:
    alert = record.alert
    return {
        "id": record.id,
        "number": record.number,
        "rule": alert.rule,
        "room_id": alert.room_id,
        "session_id": alert.session_id,
        "condition": alert.condition.value,
        "handling": record.handling.value,
        "raised_utc_ms": alert.raised_utc_ms,
        "ended": record.ended,
        "body": _ALERT.dump_json(record).decode(),
        "shadow": record.shadow,
        "disposition": record.disposition.value if record.disposition else None,
        "severity": alert.severity.value,
        "owner": record.owner,
    }


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "room_id": delivery.room_id,
        "session_id": delivery.session_id,
        "state": delivery.state.value,
        "ordered_utc_ms": delivery.ordered_utc_ms,
        "idempotency_key": delivery.idempotency_key,
        "ended": delivery.ended,
        "body": _DELIVERY.dump_json(delivery).decode(),
    }
