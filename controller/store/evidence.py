"""Files lines of evidence and finds them again: chains, entries, refused lines, keys, roots."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, assert_never

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import Connection, RowMapping, and_, insert, or_, select

from contracts.units import SessionId, UtcMs
from controller.core.ledger import Chain, LastRoot, NodeKey
from controller.core.outputs import FileEntry, FileRefused, FileRoot
from controller.store import schema

_RAW_KEYS: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_CHAIN: Final[TypeAdapter[tuple[Chain, ...]]] = TypeAdapter(tuple[Chain, ...], config=_RAW_KEYS)
_KEY: Final = TypeAdapter(NodeKey)

LOOKED_UP_AT_ONCE: Final = 100  # SQLite takes some hundreds of conditions in one statement
STRETCHES_MAX: Final = 20_000  # of one track: a fortnight of segments of a minute


@dataclass(frozen=True, slots=True)
class KnownEvidence:
    """What a restart finds of the ledger."""

    chains: Mapping[str, Chain]
    keys: Mapping[str, NodeKey]
    root: LastRoot | None


def load(connection: Connection) -> KnownEvidence:
    """The ledger as it was last committed."""
    bodies = connection.execute(select(schema.CHAIN.c.body)).scalars()
    chains = [row for body in bodies for row in _CHAIN.validate_json(body)]
    keys = [
        _KEY.validate_json(body)
        for body in connection.execute(select(schema.NODE_KEY.c.body)).scalars()
    ]
    last = connection.execute(
        select(schema.ROOT).order_by(schema.ROOT.c.number.desc()).limit(1)
    ).one_or_none()
    return KnownEvidence(
        {row.id: row for row in chains},
        {row.node_id: row for row in keys},
        None if last is None else LastRoot(last.number, last.sha256, last.utc_ms),
    )


def chain_row(chain: Chain) -> dict[str, Any]:
    """A chain as a row."""
    body = _CHAIN.dump_json((chain,)).decode()
    return {"node_id": chain.node_id, "track_id": chain.track_id, "body": body}


def key_row(key: NodeKey) -> dict[str, Any]:
    """A node's key as a row."""
    return {"node_id": key.node_id, "body": _KEY.dump_json(key).decode()}


def file(connection: Connection, rows: Iterable[FileEntry | FileRefused | FileRoot]) -> None:
    """Store lines; they are never changed afterwards."""
    for row in rows:
        match row:
            case FileEntry():
                connection.execute(insert(schema.ENTRY), asdict(row))
            case FileRefused():
                _file_refused(connection, row)
            case FileRoot():
                values = {**asdict(row), "leaves": json.dumps(row.leaves)}
                connection.execute(insert(schema.ROOT), values)
            case _:
                assert_never(row)


def _file_refused(connection: Connection, row: FileRefused) -> None:
    table = schema.REFUSED_LINE
    known = select(table.c.sha256).where(
        table.c.node_id == row.node_id,
        table.c.track_id == row.track_id,
        table.c.sha256 == row.sha256,
    )
    if connection.execute(known).first() is None:  # the same forgery again tells nothing new
        connection.execute(insert(table), asdict(row))


def has_entry(connection: Connection, node_id: str, track_id: str, sha256: str) -> bool:
    """Whether a line of this hash is filed in the chain."""
    table = schema.ENTRY
    query = select(table.c.sequence).where(
        table.c.sha256 == sha256, table.c.node_id == node_id, table.c.track_id == track_id
    )
    return connection.execute(query.limit(1)).first() is not None


def entries(
    connection: Connection, node_id: str, track_id: str, *, life: int, after: int, limit: int
) -> tuple[FileEntry, ...]:
    """Up to ``limit`` entries of one life of a chain behind sequence ``after``, oldest first."""
    table = schema.ENTRY
    query = (
        select(table)
        .where(
            table.c.node_id == node_id,
            table.c.track_id == track_id,
            table.c.life == life,
            table.c.sequence > after,
        )
        .order_by(table.c.sequence)
        .limit(limit)
    )
    return tuple(FileEntry(**row) for row in connection.execute(query).mappings())


def refused(
    connection: Connection, node_id: str, track_id: str, *, limit: int
) -> tuple[FileRefused, ...]:
    """The newest refused lines of a chain."""
    table = schema.REFUSED_LINE
    query = (
        select(table)
        .where(table.c.node_id == node_id, table.c.track_id == track_id)
        .order_by(table.c.received_utc_ms.desc())
        .limit(limit)
    )
    return tuple(FileRefused(**row) for row in connection.execute(query).mappings())


def stretches(
    connection: Connection, node_id: str, track_id: str, *, since: UtcMs, until: UtcMs
) -> tuple[FileEntry, ...]:
    """A track's segments and gaps that lie in an interval in some part, in the chain's order."""
    table = schema.ENTRY
    query = (
        select(table)
        .where(
            table.c.track_id == track_id,
            table.c.entry_kind.in_(("segment", "gap")),
            table.c.start_utc_ms <= until,
            table.c.start_utc_ms + table.c.duration_ms >= since,
            table.c.node_id == node_id,
        )
        .order_by(table.c.life, table.c.sequence)
        .limit(STRETCHES_MAX)
    )
    return tuple(FileEntry(**row) for row in connection.execute(query).mappings())


def session_entries(connection: Connection, session_id: SessionId) -> tuple[FileEntry, ...]:
    """The seal, release and keep entries that nodes wrote for a session."""
    table = schema.ENTRY
    query = select(table).where(table.c.session_id == session_id).order_by(table.c.received_utc_ms)
    return tuple(FileEntry(**row) for row in connection.execute(query).mappings())


def roots(connection: Connection, *, before: int | None, limit: int) -> tuple[FileRoot, ...]:
    """Up to ``limit`` roots with numbers below ``before``, newest first."""
    table = schema.ROOT
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.number < before)
    return tuple(_root(row) for row in connection.execute(query).mappings())


def find_root(connection: Connection, number: int) -> FileRoot | None:
    """One root; None when there is none of this number."""
    query = select(schema.ROOT).where(schema.ROOT.c.number == number)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _root(row)


def witnesses(
    connection: Connection, leaves: Sequence[tuple[str, str, int, int]]
) -> tuple[str, ...]:
    """The Witness lines of these heads, in their order.

    Raises:
        KeyError: one of them is not filed.
    """
    table = schema.ENTRY
    found: dict[tuple[str, str, int, int], str] = {}
    for start in range(0, len(leaves), LOOKED_UP_AT_ONCE):
        part = leaves[start : start + LOOKED_UP_AT_ONCE]
        wanted = [
            and_(
                table.c.node_id == node,
                table.c.track_id == track,
                table.c.life == life,
                table.c.sequence == sequence,
            )
            for node, track, life, sequence in part
        ]
        columns = (table.c.node_id, table.c.track_id, table.c.life, table.c.sequence)
        for row in connection.execute(select(*columns, table.c.witness).where(or_(*wanted))):
            found[row.node_id, row.track_id, row.life, row.sequence] = row.witness
    return tuple(found[leaf] for leaf in leaves)


def _root(row: RowMapping) -> FileRoot:
    leaves = tuple(
        (node, track, life, sequence) for node, track, life, sequence in json.loads(row["leaves"])
    )
    return FileRoot(**{**row, "leaves": leaves})
