"""The whole store on a real PostgreSQL: migrations both ways, commit, load, each query, search."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from contracts.api import Disposition, Handling, Sentence, SessionBody
from contracts.api.record import RecordKind
from contracts.api.search import FoundKind
from contracts.units import MonoMs, UtcMs
from controller.core import sessions
from controller.core.alerts import AlertRecord
from controller.core.outputs import FileEntry, FileRecord
from controller.core.searching import Filters
from controller.core.state import Now, Tick
from controller.ports import Batch, Journaled
from controller.store.answers import AnsweredStore
from controller.store.database import MIGRATIONS, Database
from controller.store.search import Cursor, SearchStore
from controller.store.statistics import StatisticsStore
from controller.store.timeline import TimelineStore
from tests.fakes.controller_site import an_alert
from tests.fakes.postgres import Server, running

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'controller.db'}"
    return server.make(f"db{abs(hash(request.node.nodeid)) % 10**12}")


def migrated(url: str, revision: str, *, down: bool = False) -> set[str]:
    """Bring a database to a revision; the names of its tables then."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_migrations_lead_up_and_down_and_up_again(url: str) -> None:
    whole = migrated(url, "head")
    assert {"search_item", "session_record", "alert", "entry"} <= whole
    assert migrated(url, "base", down=True) <= {"alembic_version"}
    assert migrated(url, "head") == whole


def a_session(number: int) -> sessions.Session:
    body = SessionBody(room_id="room-1", title="滨江路桥梁工程评标", admitted=5)
    return sessions.schedule(f"session-{number}", body, "sup", UtcMs(1_000 * number))


def a_record(number: int, **changes: object) -> AlertRecord:
    alert = an_alert(f"a{number}", session_id="session-1").model_copy(
        update={"raised_utc_ms": UtcMs(10_000 + number)}
    )
    row = AlertRecord(alert=alert, number=number, received_utc_ms=UtcMs(10_000))
    return replace(row, **changes)  # type: ignore[arg-type] # fields by name


def an_entry(sequence: int, kind: str, start: int) -> FileEntry:
    return FileEntry(
        node_id="edge-1",
        track_id="cam-1",
        room_id="room-1",
        life=1,
        sequence=sequence,
        entry_kind=kind,
        sha256=f"{sequence:064x}",
        key="0" * 16,
        recorded_utc_ms=UtcMs(start),
        received_utc_ms=UtcMs(start),
        line="{}",
        witness="{}",
        start_utc_ms=UtcMs(start),
        duration_ms=60_000,
        bytes=1,
        reason="power_lost" if kind == "gap" else None,
        ended=kind == "gap",
    )


def filled(url: str) -> Database:
    """A day: a session, fifty alerts, recordings with a gap, lines of the record."""
    database = Database(url, "boot-1")
    alerts = [a_record(number) for number in range(1, 50)]
    alerts.append(
        a_record(
            50,
            handling=Handling.RESOLVED,
            disposition=Disposition.FALSE,
            note="专家三次离席，系误报",
            acknowledged_utc_ms=UtcMs(12_000),
            resolved_utc_ms=UtcMs(15_000),
            resolved_by="sup",
        )
    )
    lines = [
        FileRecord(
            room_id="room-1",
            utc_ms=UtcMs(20_000 + number),
            record_kind=RecordKind.NOTE,
            by="sup",
            text=Sentence(zh=f"第{number}次清点人数", en=f"Counted people, time {number}"),
            session_id="session-1",
        )
        for number in range(3)
    ]
    entries = [an_entry(n, "segment", 60_000 * n) for n in range(1, 11)]
    entries += [an_entry(11, "gap", 660_000), an_entry(12, "segment", 720_000)]
    database.commit(
        Batch(
            journal=(Journaled(Tick(), Now(MonoMs(1), UtcMs(1)), ()),),
            alerts=tuple(alerts),
            sessions=(a_session(1), a_session(2)),
            filed=(*lines, *entries),
        )
    )
    return database


def test_what_was_committed_is_found_again_after_a_restart(url: str) -> None:
    filled(url).close()
    database = Database(url, "boot-2")
    loaded = database.load()
    assert len(loaded.alerts) == 50
    assert set(loaded.sessions) == {"session-1", "session-2"}
    assert loaded.next_number == 51
    assert database.find_alert("a50") == loaded.alerts["a50"]
    assert [row.number for row in database.alerts(before=49, limit=2)] == [48, 47]
    assert len(database.session_record("session-1", limit=10)) == 3
    assert len(database.entries("edge-1", "cam-1", life=1, after=2, limit=5)) == 5
    assert len(database.stretches("edge-1", "cam-1", since=UtcMs(0), until=UtcMs(10**9))) == 12
    assert sum(row.count for row in database.rule_tally()) == 50
    changed = replace(loaded.alerts["a1"], handling=Handling.ACKNOWLEDGED)
    database.commit(Batch(alerts=(changed,)))
    assert database.find_alert("a1") == changed
    database.close()


def test_search_is_the_same_on_both(url: str) -> None:
    database = filled(url)
    store = SearchStore(database)

    def found(**asked: object) -> list[str]:
        page = store.page(Filters(**asked), limit=100)  # type: ignore[arg-type] # fields by name
        return [f"{row.kind.value}/{row.id}" for row in page.items]

    assert found(text="离席") == ["alert/a50"]
    assert found(text="三次离席") == ["alert/a50"]
    assert found(text="席离") == []
    assert found(text="离三次席") == []  # all its pairs may be there; the word is not
    assert found(text="桥梁") == ["session/session-2", "session/session-1"]
    assert found(text="counted") == found(text="清点") != []
    assert found(text="断电") == ["gap/edge-1/cam-1/1/11"]
    assert found(text="power los") == ["gap/edge-1/cam-1/1/11"]
    assert found(kinds=(FoundKind.ALERT,), disposition="false", handling="resolved") == [
        "alert/a50"
    ]
    assert len(found(kinds=(FoundKind.SEGMENT,), track="cam-1")) == 11
    assert found(rooms=("room-2",)) == []
    assert found(sectors=("water",)) == []
    times = [row.utc_ms for row in store.page(Filters(), limit=200).items]
    assert times == sorted(times, reverse=True)

    walked: list[str] = []
    cursor: str | None = None
    for _ in range(30):
        page = store.page(Filters(), cursor=cursor, limit=7)
        walked += [f"{row.kind.value}/{row.id}" for row in page.items]
        if page.cursor is None:
            break
        cursor = page.cursor.text()
        assert Cursor.read(cursor) == page.cursor
    assert walked == found()
    assert len(walked) == len(set(walked)) == 50 + 2 + 3 + 12
    # What is said of an alert later is found, and what is no longer true is not.
    database.commit(Batch(alerts=(a_record(50, note="手机铃声"),)))
    assert found(text="离席") == []
    assert found(text="手机") == ["alert/a50"]
    database.close()


def test_statistics_timeline_and_kept_answers_work_on_both(url: str) -> None:
    database = filled(url)
    facts = StatisticsStore(database).facts(UtcMs(0), UtcMs(10**9))
    assert (len(facts.alerts), len(facts.sessions)) == (50, 2)
    (track,) = facts.tracks
    assert (track.recorded_ms, track.gap_ms, track.gaps) == (660_000, 60_000, 1)
    covers = TimelineStore(database).covers(["cam-1"], UtcMs(90_000), UtcMs(700_000))
    cover = covers["cam-1"]
    assert [(row.from_utc_ms, row.to_utc_ms) for row in cover.recorded] == [(90_000, 660_000)]
    assert [(row.from_utc_ms, row.to_utc_ms, row.reason) for row in cover.gaps] == [
        (660_000, 700_000, "power_lost")
    ]
    answers = AnsweredStore(database)
    answers.keep("sup", "key-12345", ("POST /x", "0" * 64, "{}"), UtcMs(5_000), UtcMs(0))
    assert answers.find("sup", "key-12345", UtcMs(0)) == ("POST /x", "0" * 64, "{}")
    assert answers.find("sup", "key-12345", UtcMs(5_000)) is None
    assert answers.find("ops", "key-12345", UtcMs(0)) is None
    database.close()


def test_an_index_of_other_terms_is_built_anew(url: str) -> None:
    filled(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM search_state")
        connection.exec_driver_sql("DELETE FROM search_item WHERE kind = 'alert'")
    engine.dispose()
    database = Database(url, "boot-3")
    assert len(SearchStore(database).page(Filters(kinds=(FoundKind.ALERT,)), limit=100).items) == 50
    database.close()
