"""Measures the search of evidence: pages of 50 rows over alerts and segments, on both databases.

Half of the rows are alerts, half are segments of a minute; rows and questions come from a seed.
Each question is asked for several pages, one behind the other by its cursor. Measured is what the
API waits for: statement, rows, their types. Against it stand, interleaved, the same statement by
the bare driver, and for texts ``LIKE`` over the same rows. Server and files are in a temporary
folder; nothing is warmed up beyond what the questions do themselves.
"""

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, event, text

from benchmarks.form import Figure, Options, options, percentile, show
from benchmarks.search_rows import (
    CAMERAS,
    RARE,
    ROOMS,
    SEED,
    SESSION_ALERTS,
    START_UTC_MS,
    STEP_MS,
    fill_postgresql,
    fill_sqlite,
)
from contracts.api.search import FoundKind
from contracts.catalogue import CATALOGUE
from contracts.units import UtcMs
from controller.core.searching import Filters
from controller.store.database import Database
from controller.store.search import SearchStore
from tests.fakes.postgres import running

ROWS_FULL: Final = 10_000_000
ROWS_QUICK: Final = 200_000
LIMIT: Final = 50
PAGES: Final = 4
ROUNDS: Final = 5
PAGE_MAX_MS: Final = 25
TEXT_MAX_MS: Final = 200
HOUR_MS: Final = 3_600_000

ALERT: Final = (FoundKind.ALERT,)
SEGMENT: Final = (FoundKind.SEGMENT,)

TEXTS: Final = (
    "离席",
    "手机",
    "走廊停留",
    "评标室专家",
    "摄像机",
    "whispering",
    RARE,
    "离席手机",
    "无此词语",
)


@dataclass(slots=True)
class Times:
    """Milliseconds by what was asked."""

    pages: list[float] = field(default_factory=list)
    texts: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    like: dict[str, float] = field(default_factory=dict)
    text_of: dict[str, list[float]] = field(default_factory=dict)
    worst: tuple[float, str] = (0.0, "")


def questions(rows: int, rng: random.Random) -> Iterator[tuple[str, Filters]]:
    """What people look for, without a text."""
    alerts = rows // 2
    span = alerts * STEP_MS
    begin = UtcMs(START_UTC_MS + rng.randrange(span))
    day = UtcMs(begin + 24 * HOUR_MS)
    rule = rng.choice(tuple(CATALOGUE))
    room, camera = rng.choice(ROOMS), rng.choice(CAMERAS)
    session = f"s{rng.randrange(alerts // SESSION_ALERTS)}"
    yield "everything, newest first", Filters()
    yield "alerts of a room", Filters(kinds=ALERT, rooms=(room,))
    yield "alerts of a day", Filters(kinds=ALERT, from_utc_ms=begin, to_utc_ms=day)
    yield "room and severity", Filters(kinds=ALERT, rooms=(room,), severity="alarm")
    yield "rule and disposition", Filters(kinds=ALERT, rule=rule, disposition="false")
    yield "camera, rule, open", Filters(kinds=ALERT, track=camera, rule=rule, handling="new")
    yield "a session", Filters(kinds=ALERT, session_id=session)
    yield "two rooms of one sector", Filters(kinds=ALERT, rooms=ROOMS[:2], sectors=("water",))
    yield "segments of a camera", Filters(kinds=SEGMENT, track=camera, to_utc_ms=begin)
    yield (
        "segments of a room, a day",
        Filters(kinds=SEGMENT, rooms=(room,), from_utc_ms=begin, to_utc_ms=day),
    )
    yield (
        "room, alerts and segments, an hour",
        Filters(rooms=(room,), from_utc_ms=begin, to_utc_ms=UtcMs(begin + HOUR_MS)),
    )
    yield "in shadow (there is none)", Filters(kinds=ALERT, shadow=True)


def measure(database: Database, rows: int, rounds: int) -> Times:
    """Ask everything, some pages each."""
    store, times, rng = SearchStore(database), Times(), random.Random(SEED)
    for _ in range(rounds):
        for name, asked in questions(rows, rng):
            for took in _pages(store, asked):
                times.pages.append(took)
                times.worst = max(times.worst, (took, name))
            ours, bare = _against_bare(database, store, asked)
            times.ours.append(ours)
            times.bare.append(bare)
        for asked_text in TEXTS:
            for rooms in (None, (rng.choice(ROOMS),)):
                for took in _pages(store, Filters(text=asked_text, rooms=rooms)):
                    times.texts.append(took)
                    times.text_of.setdefault(asked_text, []).append(took)
    for asked_text in TEXTS:
        times.like[asked_text] = _timed(partial(_like, database, asked_text))
    return times


def _pages(store: SearchStore, asked: Filters) -> Iterator[float]:
    cursor: str | None = None
    for _ in range(PAGES):
        begin = time.perf_counter()
        page = store.page(asked, cursor=cursor, limit=LIMIT)
        yield (time.perf_counter() - begin) * 1_000
        if page.cursor is None:
            return
        cursor = page.cursor.text()


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1_000


def _against_bare(database: Database, store: SearchStore, asked: Filters) -> tuple[float, float]:
    """Our page and the bare driver's, one after the other: the same statements, without types."""
    said: list[tuple[str, Any]] = []

    def note(*given: Any) -> None:  # noqa: ANN401  # as SQLAlchemy calls it
        said.append((given[2], given[3]))

    engine = database.read(lambda connection: connection.engine)
    event.listen(engine, "before_cursor_execute", note)
    try:
        ours = _timed(lambda: store.page(asked, limit=LIMIT))
    finally:
        event.remove(engine, "before_cursor_execute", note)

    def bare() -> None:
        def work(connection: Connection) -> None:
            for statement, values in said:
                connection.exec_driver_sql(statement, values).all()

        database.read(work)

    return ours, _timed(bare)


def _like(database: Database, asked: str) -> None:
    query = text(
        "SELECT place, body FROM search_item WHERE body LIKE :asked ORDER BY place DESC LIMIT 51"
    )
    database.read(lambda connection: connection.execute(query, {"asked": f"%{asked}%"}).all())


def _mib(folder: Path) -> float:
    return sum(row.stat().st_size for row in folder.rglob("*") if row.is_file()) / 1024**2


def run(rows: int, rounds: int) -> dict[str, Figure]:
    """Fill both databases and measure them."""
    folder = Path(tempfile.mkdtemp(prefix="ze-search-"))
    try:
        began = time.perf_counter()
        path = folder / "sqlite" / "controller.db"
        database = Database(f"sqlite:///{path}", "bench")
        fill_sqlite(path, rows // 2, rows - rows // 2)
        filled = time.perf_counter() - began
        lite = measure(database, rows, rounds)
        database.close()
        size = _mib(path.parent)
        shutil.rmtree(path.parent)
        server_settings = {"shared_buffers": "1GB", "max_wal_size": "8GB", "fsync": "off"}
        with running(server_settings) as server:
            began = time.perf_counter()
            database = Database(server.make("bench"), "bench")
            fill_postgresql(server.url("bench"), rows // 2, rows - rows // 2)
            pg_filled = time.perf_counter() - began
            pg = measure(database, rows, rounds)
            pg_size = database.read(
                lambda connection: connection.execute(
                    text("SELECT pg_database_size('bench')")
                ).scalar_one()
            )
            database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "rows": rows,
        "sqlite_ms_p95": percentile(lite.pages, 0.95),
        "postgresql_ms_p95": percentile(pg.pages, 0.95),
        "text_ms_p95": max(percentile(lite.texts, 0.95), percentile(pg.texts, 0.95)),
        "sqlite_ms_p50": percentile(lite.pages, 0.5),
        "postgresql_ms_p50": percentile(pg.pages, 0.5),
        "sqlite_text_ms_p95": percentile(lite.texts, 0.95),
        "postgresql_text_ms_p95": percentile(pg.texts, 0.95),
        "sqlite_ms_max": lite.worst[0],
        "sqlite_slowest": lite.worst[1],
        "postgresql_ms_max": pg.worst[0],
        "postgresql_slowest": pg.worst[1],
        "sqlite_vs_bare_driver": median(lite.ours) / median(lite.bare),
        "postgresql_vs_bare_driver": median(pg.ours) / median(pg.bare),
        **_like_figures("sqlite", lite),
        **_like_figures("postgresql", pg),
        "pages": len(lite.pages) + len(pg.pages),
        "text_pages": len(lite.texts) + len(pg.texts),
        "sqlite_mib": size,
        "postgresql_mib": pg_size / 1024**2,
        "sqlite_fill_s": filled,
        "postgresql_fill_s": pg_filled,
    }


def _like_figures(name: str, times: Times) -> dict[str, Figure]:
    slowest = max(times.like.values())
    return {
        f"{name}_like_ms_max": slowest,
        f"{name}_like_vs_ours": slowest
        / max(median(times.text_of[asked]) for asked in times.text_of),
    }


def main(given: Options) -> int:
    """Run and print; 1 when a figure does not reach what it has to."""
    figures = run(ROWS_QUICK if given.quick else ROWS_FULL, ROUNDS)
    show(
        "search: pages of 50 rows over alerts and segments, behind one another by cursor",
        f"to reach: pages p95 <= {PAGE_MAX_MS} ms on both, Chinese text p95 <= {TEXT_MAX_MS} ms",
        figures,
        given,
    )
    limits = {
        "sqlite_ms_p95": PAGE_MAX_MS,
        "postgresql_ms_p95": PAGE_MAX_MS,
        "text_ms_p95": TEXT_MAX_MS,
    }
    values = {name: figures[name] for name in limits}
    good = all(isinstance(value, float) and value <= limits[name] for name, value in values.items())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(options(__doc__ or "")))
