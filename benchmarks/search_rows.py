"""Makes rows of search deterministically, and writes them in bulk as a controller stores them.

A row's terms come from ``controller.core.searching``; parts that repeat are worked out once, and
every thousandth row is checked against the whole way through.
"""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

from contracts.api import Disposition, Handling, Sentence
from contracts.api.search import Found, FoundKind
from contracts.catalogue import CATALOGUE
from contracts.observations import Severity
from contracts.units import UtcMs
from controller.core.searching import Item, terms_of
from controller.store.search import PLACE_BITS, terms_value

START_UTC_MS: Final = 1_700_000_000_000
ROOMS: Final = tuple(f"room-{number}" for number in range(1, 14))  # a centre of domain.md
CAMERAS: Final = tuple(f"cam-{number}" for number in range(1, 51))
SECTORS: Final = ("housing", "transport", "water", "finance", "other")
SESSION_ALERTS: Final = 20
STEP_MS: Final = 7_000  # on average: five million alerts in a year, far more than any site has
CHECKED_EACH: Final = 1_000
COMMIT_ROWS: Final = 50_000
SEED: Final = 20_261_122
LINE: Final = "x" * 620  # as long as a segment's signed line, and its countersignature
WITNESS: Final = "y" * 380

NOTES: Final = (
    "专家三次离席，已提醒",
    "外卖人员在走廊停留",
    "手机铃声，已由专家本人关闭",
    "与隔壁评标室专家交谈",
    "投标文件遗留在休息室",
    "已核实，系保洁人员误入",
    "Checked with the agency: permitted visitor",
    "Whispering near the door, nothing understood",
    "",
    "",
    "",
)
RARE: Final = "断网后恢复"
"""Stands in one note of 100,000."""


@dataclass(frozen=True, slots=True)
class Made:
    """One alert as a row of the index, before a dialect's own form."""

    place: int
    ref: str
    body: str
    more: str
    terms: str


@cache
def _text_terms(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms_of(text)))


def alerts(count: int) -> Iterator[Made]:
    """Alerts of a centre, oldest first."""
    rng = random.Random(SEED)
    rules = tuple(CATALOGUE.values())
    severities, handlings, said = tuple(Severity), tuple(Handling), tuple(Disposition)
    utc_ms = START_UTC_MS
    for number in range(count):
        utc_ms += 1 + rng.randrange(2 * STEP_MS)
        rule, note = rng.choice(rules), rng.choice(NOTES)
        if number % 100_000 == 50_000:
            note = RARE
        handling = rng.choice(handlings)
        session = number // SESSION_ALERTS
        found = Found.model_construct(
            kind=FoundKind.ALERT,
            id=f"{number:016x}",
            utc_ms=UtcMs(utc_ms),
            room_id=ROOMS[session % len(ROOMS)],
            track_id=rng.choice(CAMERAS),
            session_id=f"s{session}",
            title=Sentence.model_construct(zh=rule.title.zh, en=rule.title.en),
            text=Sentence.model_construct(zh=note, en=note) if note else None,
            number=number + 1,
            rule=rule.code,
            severity=rng.choice(severities),
            handling=handling,
            disposition=rng.choice(said) if handling is Handling.RESOLVED else None,
        )
        more = f"{rule.code} {number + 1}"
        yield _made(found, SECTORS[session % len(SECTORS)], more, number)


def _made(found: Found, sector: str, more: str, number: int) -> Made:
    words = dict.fromkeys(_filters(found, sector))
    texts = [found.title.zh, found.title.en, found.by]
    for text in texts:
        words |= dict.fromkeys(_text_terms(text))
    words |= dict.fromkeys(terms_of(more))
    if found.text is not None:
        words |= dict.fromkeys(_text_terms(found.text.zh))
    terms = " ".join(words)
    body = found.model_dump_json(exclude_defaults=True)
    if number % CHECKED_EACH == 0:
        whole = Item(Found.model_validate_json(body), sector, more)
        assert terms == whole.terms(), (terms, whole.terms())
    return Made(found.utc_ms << PLACE_BITS, found.id, body, more, terms)


def _filters(found: Found, sector: str) -> Iterator[str]:
    yield from ("k:alert", f"r:{found.room_id}", "q:told", f"t:{found.track_id}")
    yield from (f"s:{found.session_id}", f"x:{sector}", f"u:{found.rule}")
    yield from (f"v:{found.severity}", f"h:{found.handling}")
    if found.disposition:
        yield f"d:{found.disposition}"


Segment = tuple[str | int | None, ...]


def segments(count: int) -> Iterator[Segment]:
    """Segments of a minute of all cameras in turn, oldest first, as rows of ``entry``."""
    for number in range(count):
        camera = number % len(CAMERAS)
        start = START_UTC_MS + number // len(CAMERAS) * 60_000 + camera * 7
        room = ROOMS[camera % len(ROOMS)]
        yield (
            f"edge-{camera % len(ROOMS) + 1}", CAMERAS[camera], 1, number // len(CAMERAS) + 1,
            room, "segment", f"{number:064x}", "key", start + 60_000, start + 60_100,
            start, 60_000, 30_000_000, f"{number:064x}", None, "", None, None, LINE, WITNESS,
        )  # fmt: skip


ENTRY_COLUMNS: Final = (
    "node_id", "track_id", "life", "sequence", "room_id", "entry_kind", "sha256", "key",
    "recorded_utc_ms", "received_utc_ms", "start_utc_ms", "duration_ms", "bytes", "media_sha256",
    "reason", "detail", "ended", "session_id", "line", "witness",
)  # fmt: skip
ITEM_COLUMNS: Final = ("place", "kind", "ref", "body", "more", "terms")


def fill_sqlite(path: Path, alert_rows: int, segment_rows: int) -> None:
    """Write the rows into a migrated database; the inverted index is built at the end."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-262144")
        trigger = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name='search_item_added'"
        ).fetchone()[0]
        connection.execute("DROP TRIGGER search_item_added")
        marks = ",".join("?" * len(ITEM_COLUMNS))
        rows = ((m.place, "alert", m.ref, m.body, m.more, m.terms) for m in alerts(alert_rows))
        connection.executemany(
            f"INSERT INTO search_item ({','.join(ITEM_COLUMNS)}) VALUES ({marks})",  # noqa: S608  # our own names
            rows,
        )
        connection.commit()
        connection.execute("INSERT INTO search_terms(search_terms) VALUES ('rebuild')")
        connection.execute(trigger)
        connection.commit()
        marks = ",".join("?" * len(ENTRY_COLUMNS))
        connection.executemany(
            f"INSERT INTO entry ({','.join(ENTRY_COLUMNS)}) VALUES ({marks})",  # noqa: S608  # our own names
            segments(segment_rows),
        )
        connection.commit()
        connection.execute("ANALYZE")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def fill_postgresql(url: str, alert_rows: int, segment_rows: int) -> None:
    """The same in PostgreSQL, by COPY; the inverted index is built at the end."""
    with _connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("DROP INDEX search_item_terms")
        with cursor.copy(f"COPY search_item ({','.join(ITEM_COLUMNS)}) FROM STDIN") as copy:
            for made in alerts(alert_rows):
                terms = terms_value("postgresql", made.terms, made.place >> PLACE_BITS)
                copy.write_row((made.place, "alert", made.ref, made.body, made.more, terms))
        cursor.execute(
            "CREATE INDEX search_item_terms ON search_item USING gin (terms) "
            "WITH (fastupdate = off)"
        )
        with cursor.copy(f"COPY entry ({','.join(ENTRY_COLUMNS)}) FROM STDIN") as copy:
            for row in segments(segment_rows):
                copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE search_item")
        cursor.execute("VACUUM ANALYZE entry")


def _connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    parsed = make_url(url)
    return psycopg.connect(
        host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database
    )
