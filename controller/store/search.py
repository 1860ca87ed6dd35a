"""Keeps the index of search with the rows of a commit, and answers searches a page at a time."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Result,
    Select,
    and_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy import table as sql_table
from sqlalchemy.dialects.postgresql import TSQUERY

from contracts.api import Sentence
from contracts.api.search import Found, FoundKind
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord
from controller.core.outputs import FileEntry, FileRecord
from controller.core.searching import (
    ENTRY_NAMES,
    IN_SHADOW,
    KIND_MARK,
    TERMS_VERSION,
    TOLD,
    Filters,
    Item,
    Term,
    entry_ref,
    exactly,
    filter_terms,
    item_of_alert,
    item_of_entry,
    item_of_line,
    item_of_session,
    query_terms,
)
from controller.core.sessions import Session
from controller.ports import Batch
from controller.store import record, schema
from controller.store.schema_search import SEARCH_ITEM, SEARCH_STATE
from controller.store.search_slices import names_of, slices

PLACE_BITS: Final = 10
# 1,024 rows in one millisecond: no site has them, and 2**53 / 2**10 ms last until the year 2248,
# so that a place is exact in JavaScript too.
SEGMENT_MAX_MS: Final = 3_600_000  # the longest segment that a recorder may be set to
CUT_MAX: Final = 4
# How often a page is read on because pairs matched and words did not: then it stays short.
REBUILD_ROWS: Final = 2_000  # of one transaction's part
UTC_MAX_MS: Final = (1 << (53 - PLACE_BITS)) - 1

_ALERT: Final = TypeAdapter(AlertRecord)
_SESSION: Final = TypeAdapter(Session)
_TERMS: Final = sql_table("search_terms", column("rowid"), column("search_terms"))

T = TypeVar("T")


class Reading(Protocol):
    """Lends a connection for reading; blocks."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` reads.

        Raises:
            StoreLost: the database is away.
        """
        ...


class CursorNotOursError(ValueError):
    """A cursor that no answer of ours gave."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind which row the next page begins; ``key`` is its place, or a segment's names."""

    utc_ms: int
    key: int | tuple[str, str, int, int]

    @property
    def order(self) -> tuple[int, int, tuple[Any, ...]]:
        """Where it stands among all rows: by time; segments stand behind all else of one moment."""
        if isinstance(self.key, int):
            return self.utc_ms, 1, (self.key,)
        return self.utc_ms, 0, self.key

    def text(self) -> str:
        """As a client holds it: opaque."""
        key = self.key if isinstance(self.key, int) else list(self.key)
        return base64.urlsafe_b64encode(json.dumps([self.utc_ms, key]).encode()).decode()

    @classmethod
    def read(cls, given: str) -> "Cursor":
        """The cursor of a text.

        Raises:
            CursorNotOursError: it is none.
        """
        try:
            utc_ms, key = json.loads(base64.urlsafe_b64decode(given.encode()))
            if isinstance(key, list):
                node, track, life, sequence = key
                whole = (_int(utc_ms), _int(life), _int(sequence))
                return cls(whole[0], (str(node)[:80], str(track)[:80], whole[1], whole[2]))
            return cls(_int(utc_ms), _int(key))
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            raise CursorNotOursError(given[:80]) from error


def _int(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**62:
        raise ValueError(value)
    return value


# --- keeping ------------------------------------------------------------------------------------


def index(connection: Connection, batch: Batch) -> None:
    """Enter what a commit has stored; in its transaction, after its rows."""
    sectors = {row.id: row.sector.value for row in batch.sessions}

    def sector(session_id: str | None) -> str | None:
        if session_id is not None and session_id not in sectors:
            sectors.update(_sectors(connection, (session_id,)))
        return sectors.get(session_id or "")

    items = [item_of_alert(row, sector(row.alert.session_id)) for row in batch.alerts]
    items += [item_of_session(row) for row in batch.sessions]
    for filed in batch.filed:
        if isinstance(filed, FileEntry) and filed.entry_kind != "segment":
            items.append(item_of_entry(filed, sector(filed.session_id)))
    lines = sum(1 for filed in batch.filed if isinstance(filed, FileRecord))
    if lines:
        items += [
            item_of_line(line, sector(line.session_id))
            for line in record.newest(connection, limit=lines)
        ]
    for item in items:
        _enter(connection, item)


def keep_up(connection: Connection) -> int:
    """Build the index anew where it was built by other terms, or never; how many rows it has."""
    known = connection.execute(select(SEARCH_STATE.c.terms_version)).scalar()
    if known == TERMS_VERSION:
        return 0
    connection.execute(delete(SEARCH_ITEM))
    rows = 0
    for item in _all_items(connection):
        _enter(connection, item)
        rows += 1
    connection.execute(delete(SEARCH_STATE))
    connection.execute(insert(SEARCH_STATE), {"id": 1, "terms_version": TERMS_VERSION})
    return rows


def _all_items(connection: Connection) -> Iterable[Item]:
    sectors = _sectors(connection, None)

    def stream(query: Select[Any]) -> Result[Any]:
        return connection.execute(query, execution_options={"yield_per": REBUILD_ROWS})

    for body in stream(select(schema.SESSION.c.body)).scalars():
        yield item_of_session(_SESSION.validate_json(body))
    for body in stream(select(schema.ALERT.c.body)).scalars():
        alert = _ALERT.validate_json(body)
        yield item_of_alert(alert, sectors.get(alert.alert.session_id or ""))
    entries = select(schema.ENTRY).where(schema.ENTRY.c.entry_kind != "segment")
    for row in stream(entries).mappings():
        entry = FileEntry(**row)
        yield item_of_entry(entry, sectors.get(entry.session_id or ""))
    for line in record.every(connection):
        yield item_of_line(line, sectors.get(line.session_id or ""))


def _sectors(connection: Connection, wanted: Sequence[str] | None) -> dict[str, str]:
    table = schema.SESSION
    query = select(table.c.id, table.c.body)
    if wanted is not None:
        query = query.where(table.c.id.in_(wanted))
    return {
        name: _SESSION.validate_json(body).sector.value for name, body in connection.execute(query)
    }


def _enter(connection: Connection, item: Item) -> None:
    table, found = SEARCH_ITEM, item.found
    values = {
        "kind": found.kind.value,
        "ref": found.id,
        "body": found.model_dump_json(exclude_defaults=True),
        "more": item.more,
        "terms": terms_value(connection.dialect.name, item.terms(), found.utc_ms),
    }
    same = and_(table.c.kind == found.kind.value, table.c.ref == found.id)
    known = connection.execute(select(table.c.place).where(same)).scalar()
    utc_ms = min(max(found.utc_ms, 0), UTC_MAX_MS)
    if known is not None and known >> PLACE_BITS == utc_ms:
        connection.execute(update(table).where(table.c.place == known), values)
        return
    if known is not None:
        connection.execute(delete(table).where(table.c.place == known))
    low, high = utc_ms << PLACE_BITS, (utc_ms + 1) << PLACE_BITS
    last = connection.execute(
        select(func.max(table.c.place)).where(table.c.place >= low, table.c.place < high)
    ).scalar()
    connection.execute(insert(table), {"place": low if last is None else last + 1, **values})


def terms_value(dialect: str, terms: str, utc_ms: int) -> str:
    """As the dialect's column takes it: ``'离席' 'k:alert'`` is a tsvector in text."""
    if dialect != "postgresql":
        return terms
    in_slices = names_of(min(max(utc_ms, 0), UTC_MAX_MS))
    return " ".join(_quoted(term) for term in (*terms.split(" "), *in_slices))


def _quoted(term: str) -> str:
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"


# --- finding ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and where the page behind them begins."""

    items: tuple[Found, ...]
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class _Row:
    found: Found
    cursor: Cursor


class SearchStore:
    """Searches over a database; methods block."""

    def __init__(self, database: Reading) -> None:
        self._database = database

    def page(self, asked: Filters, *, cursor: str | None = None, limit: int) -> Page:
        """Up to ``limit`` rows behind ``cursor``, newest first.

        Raises:
            CursorNotOursError: no answer of ours gave this cursor.
            StoreLost: the database is away.
        """
        behind = Cursor.read(cursor) if cursor else None

        def both(connection: Connection) -> tuple[_Read, list[_Row]]:
            found = _items(connection, asked, behind, limit + 1)
            return found, _segments(connection, asked, behind, limit + 1)

        found, segments = self._database.read(both)
        rows = sorted([*found.rows, *segments], key=lambda row: row.cursor.order, reverse=True)
        if found.cut is not None:
            # What lies behind the place where reading stopped belongs to the next page.
            end = found.cut.order
            rows = [row for row in rows if row.cursor.order >= end]
        more = len(rows) > limit
        rows = rows[:limit]
        after = rows[-1].cursor if more else found.cut
        return Page(tuple(row.found for row in rows), after)


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows that match; ``cut``: how far they were looked at, where there may be more."""

    rows: list[_Row]
    cut: Cursor | None = None


def _items(connection: Connection, asked: Filters, behind: Cursor | None, limit: int) -> _Read:
    """Rows of everything but segments."""
    if not items_statement_needed(asked):
        return _Read([])
    groups, (low, high) = _groups(asked), _range(asked, behind)
    if connection.dialect.name == "postgresql" and _rare(groups):
        pieces = _pieces(connection, low, high)
    else:
        pieces = iter([(low, high, ())])
    rows: list[_Row] = []
    cuts = 0
    for begin, end, names in pieces:
        before = end
        while True:
            found = connection.execute(
                _statement(connection.dialect.name, groups, (begin, before), names, limit)
            ).all()
            for place, body, more in found:
                shown = Found.model_validate_json(body)
                before = place
                if exactly(asked.text, shown, more):
                    rows.append(_Row(shown, Cursor(place >> PLACE_BITS, place)))
            if len(rows) >= limit:
                return _Read(rows[:limit])
            if len(found) < limit:
                break
            cuts += 1
            if cuts >= CUT_MAX and before is not None:
                return _Read(rows, Cursor(before >> PLACE_BITS, before))
    return _Read(rows)


_Piece = tuple[int | None, int | None, tuple[str, ...]]


def _pieces(connection: Connection, low: int | None, high: int | None) -> Iterator[_Piece]:
    """The slices of time to be searched one after the other, as places."""
    table = SEARCH_ITEM
    oldest, newest = connection.execute(
        select(func.min(table.c.place), func.max(table.c.place))
    ).one()
    if newest is None:
        return
    begin = oldest if low is None else max(low, oldest)
    end = newest + 1 if high is None else min(high, newest + 1)
    if begin >= end:
        return
    for piece in slices(begin >> PLACE_BITS, ((end - 1) >> PLACE_BITS) + 1):
        inside = max(piece.low_ms << PLACE_BITS, begin), min(piece.high_ms << PLACE_BITS, end)
        yield *inside, piece.names


def items_statement_needed(asked: Filters) -> bool:
    """Whether anything but segments is asked for."""
    kinds = set(asked.kinds) - {FoundKind.SEGMENT}
    return bool(kinds & {FoundKind.ALERT} if asked.of_alerts else kinds)


def _groups(asked: Filters) -> tuple[Sequence[Term], ...]:
    """All of these must be there, of each group one."""
    return (*((term,) for term in query_terms(asked.text)), *filter_terms(asked))


def _range(asked: Filters, behind: Cursor | None) -> tuple[int | None, int | None]:
    """From which place to before which."""
    low = None if asked.from_utc_ms is None else int(asked.from_utc_ms) << PLACE_BITS
    high = None if asked.to_utc_ms is None else int(asked.to_utc_ms) << PLACE_BITS
    if behind is not None:
        # At the same millisecond everything else stands before segments.
        end = behind.key if isinstance(behind.key, int) else behind.utc_ms << PLACE_BITS
        high = end if high is None else min(high, end)
    return low, high


def _statement(
    dialect: str,
    groups: Sequence[Sequence[Term]],
    places: tuple[int | None, int | None],
    names: Sequence[str],
    limit: int,
) -> Select[Any]:
    """The statement of one page: terms that all must be there, in the order of places.

    ``names``: of the slices of time that PostgreSQL's index is asked for as well.
    """
    table = SEARCH_ITEM
    place: ColumnElement[Any]
    if dialect == "postgresql":
        query = _between(_narrowed(groups, names), table.c.place, *places)
        if not names:
            return query.order_by(table.c.place.desc()).limit(limit)
        # Apart, so that the planner does not walk back through all rows for a term that it
        # believes to be common: it knows nothing of most terms.
        place = query.selected_columns.place
        hits = query.with_only_columns(place).cte("hits")
        hits = hits.prefix_with("MATERIALIZED", dialect="postgresql")
        best = select(hits.c.place).order_by(hits.c.place.desc()).limit(limit).subquery()
        return (
            select(table.c.place, table.c.body, table.c.more)
            .join(best, best.c.place == table.c.place)
            .order_by(table.c.place.desc())
        )
    if groups:
        place = _TERMS.c.rowid
        # The inverted index gives the page in order; only then are its rows fetched.
        inner: Select[Any] = select(place.label("place")).where(
            _TERMS.c.search_terms.op("MATCH")(_fts5(groups))
        )
        page = _between(inner, place, *places).order_by(place.desc()).limit(limit).subquery()
        return (
            select(table.c.place, table.c.body, table.c.more)
            .join(page, page.c.place == table.c.place)
            .order_by(table.c.place.desc())
        )
    every: Select[Any] = select(table.c.place, table.c.body, table.c.more)
    return _between(every, table.c.place, *places).order_by(table.c.place.desc()).limit(limit)


def _rare(groups: Sequence[Sequence[Term]]) -> list[Sequence[Term]]:
    """What PostgreSQL's index is asked for: nearly every row is an alert that people were told of.

    Those lists, crossed with a session's few rows, were most of the time: they are conditions on
    the row instead.
    """
    return [group for group in groups if not _of_kind(group) and not _of_told(group)]


def _of_kind(group: Sequence[Term]) -> bool:
    return all(term.text.startswith(KIND_MARK) for term in group)


def _of_told(group: Sequence[Term]) -> bool:
    return [term.text for term in group] == [TOLD]


def _narrowed(groups: Sequence[Sequence[Term]], names: Sequence[str]) -> Select[Any]:
    """PostgreSQL's part of the statement: the index is asked for what is rare, in slices."""
    table = SEARCH_ITEM
    query: Select[Any] = select(table.c.place, table.c.body, table.c.more)
    for group in groups:
        if _of_kind(group):
            kinds = [term.text[len(KIND_MARK) :] for term in group]
            query = query.where(table.c.kind.in_(kinds))
        elif _of_told(group):
            shadow = cast(bindparam("shadow", _quoted(IN_SHADOW)), TSQUERY)
            query = query.where(not_(table.c.terms.bool_op("@@")(shadow)))
    rare = _rare(groups)
    if not rare:
        return query
    asked = _tsquery(rare)
    if names:
        asked += " & (" + " | ".join(_quoted(name) for name in names) + ")"
    return query.where(table.c.terms.bool_op("@@")(cast(bindparam("terms", asked), TSQUERY)))


def _between(
    query: Select[Any], place: ColumnElement[Any], low: int | None, high: int | None
) -> Select[Any]:
    if low is not None:
        query = query.where(place >= low)
    if high is not None:
        query = query.where(place < high)
    return query


def _fts5(groups: Sequence[Sequence[Term]]) -> str:
    def one(term: Term) -> str:
        quoted = '"' + term.text.replace('"', '""') + '"'
        return f"{quoted} *" if term.prefix else quoted

    return " AND ".join("(" + " OR ".join(map(one, group)) + ")" for group in groups)


def _tsquery(groups: Sequence[Sequence[Term]]) -> str:
    def one(term: Term) -> str:
        return _quoted(term.text) + (":*" if term.prefix else "")

    return " & ".join("(" + " | ".join(map(one, group)) + ")" for group in groups)


def _segments(
    connection: Connection, asked: Filters, behind: Cursor | None, limit: int
) -> list[_Row]:
    """Stretches of recording; they have no text, so a text finds none."""
    if FoundKind.SEGMENT not in asked.kinds or asked.of_alerts or query_terms(asked.text):
        return []
    if asked.shadow:
        return []
    asked = _of_session(connection, asked) if asked.session_id else asked
    if asked.sectors is not None and not asked.session_id:
        return []  # whose they are is known by a session alone
    rows = connection.execute(segments_statement(asked, behind, limit)).mappings()
    return [_segment(row) for row in rows]


def _of_session(connection: Connection, asked: Filters) -> Filters:
    """The same, within the room and the time of the session that is asked for."""
    table = schema.SESSION
    body = connection.execute(select(table.c.body).where(table.c.id == asked.session_id)).scalar()
    session = None if body is None else _SESSION.validate_json(body)
    if session is None or session.gathering_utc_ms is None:
        return replace(asked, rooms=())
    if asked.sectors is not None and session.sector not in asked.sectors:
        return replace(asked, rooms=())
    allowed = asked.rooms is None or session.room_id in asked.rooms
    begin = max(int(asked.from_utc_ms or 0), int(session.gathering_utc_ms) - SEGMENT_MAX_MS // 60)
    end = asked.to_utc_ms
    if session.released_utc_ms is not None:
        end = UtcMs(min(int(end or UTC_MAX_MS), int(session.released_utc_ms) + 1))
    return replace(
        asked,
        rooms=(session.room_id,) if allowed else (),
        from_utc_ms=UtcMs(begin),
        to_utc_ms=end,
    )


def segments_statement(asked: Filters, behind: Cursor | None, limit: int) -> Select[Any]:
    """The statement of one page of segments."""
    table = schema.ENTRY
    names = (table.c.node_id, table.c.track_id, table.c.life, table.c.sequence)
    query = select(*names, table.c.room_id, table.c.start_utc_ms, table.c.duration_ms)
    query = query.where(table.c.entry_kind == "segment")
    if asked.rooms is not None:
        query = query.where(table.c.room_id.in_(asked.rooms))
    if asked.track:
        query = query.where(table.c.track_id == asked.track)
    if asked.from_utc_ms is not None:
        query = query.where(table.c.start_utc_ms >= asked.from_utc_ms)
    if asked.to_utc_ms is not None:
        query = query.where(table.c.start_utc_ms < asked.to_utc_ms)
    if behind is not None:
        query = query.where(table.c.start_utc_ms <= behind.utc_ms)
        if not isinstance(behind.key, int):
            query = query.where(
                tuple_(table.c.start_utc_ms, *names) < tuple_(behind.utc_ms, *behind.key)
            )
    order = (table.c.start_utc_ms.desc(), *(name.desc() for name in names))
    return query.order_by(*order).limit(limit)


def _segment(row: Any) -> _Row:  # noqa: ANN401  # a RowMapping, whose values are of any type
    names = (row["node_id"], row["track_id"], row["life"], row["sequence"])
    start = row["start_utc_ms"]
    name = ENTRY_NAMES["segment"]
    found = Found(
        kind=FoundKind.SEGMENT,
        id=entry_ref(*names),
        utc_ms=UtcMs(start),
        until_utc_ms=UtcMs(start + row["duration_ms"]),
        room_id=row["room_id"],
        track_id=row["track_id"],
        title=Sentence(zh=name.zh, en=name.en),
        number=row["sequence"],
    )
    return _Row(found, Cursor(start, names))
