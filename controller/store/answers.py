"""Keeps answers by idempotency key for a day."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, delete, insert, select

from contracts.units import UtcMs
from controller.store.schema_search import ANSWERED

T = TypeVar("T")


class ReadingWriting(Protocol):
    """Lends a connection for reading, or for one transaction; blocks."""

    def read(self, work: Callable[[Connection], T]) -> T: ...

    def write(self, work: Callable[[Connection], T]) -> T: ...


class AnsweredStore:
    """See ``http_rules.AnswerStore``."""

    def __init__(self, database: ReadingWriting) -> None:
        self._database = database

    def find(self, username: str, key: str, since: UtcMs) -> tuple[str, str, str] | None:
        """What was answered to this key since then."""
        table = ANSWERED
        query = select(table.c.request, table.c.sha256, table.c.answer).where(
            table.c.username == username, table.c.key == key, table.c.utc_ms > since
        )
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.request, row.sha256, row.answer)

    def keep(
        self, username: str, key: str, told: tuple[str, str, str], now: UtcMs, before: UtcMs
    ) -> None:
        """Keep an answer, and forget old ones."""
        table, (request, sha256, answer) = ANSWERED, told

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.utc_ms <= before))
            row = {"username": username, "key": key, "request": request, "utc_ms": now}
            connection.execute(insert(table), {**row, "sha256": sha256, "answer": answer})

        self._database.write(work)
