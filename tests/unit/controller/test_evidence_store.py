"""The store of evidence: an older database is brought up, and what is filed is found again."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from contracts.topics import Kind
from contracts.units import UtcMs
from controller.ports import Batch
from controller.store.database import MIGRATIONS, Database
from tests.fakes.controller_site import Bench, at_once, bench, durable
from tests.fakes.node_chain import NodeChain


def migrate(path: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_a_database_of_the_version_before_is_brought_up_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "controller.db"
    migrate(path, "0001")
    old_session = (
        '{"id":"s-1","room_id":"room-1","title":"T","admitted":5,"scheduled_utc_ms":1,'
        '"scheduled_by":"sup","state":"sealed","sealed_utc_ms":2,"commands_sent":1}'
    )
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO session VALUES ('s-1', 'room-1', 'sealed', 1, 0, ?)", (old_session,)
        )
        db.execute("INSERT INTO inbox_cursor VALUES ('edge-1', '0000000000000000', 7)")
    database = Database(f"sqlite:///{path}", "boot")
    loaded = database.load()
    assert loaded.sessions["s-1"].heads_at_seal == ()
    assert loaded.sessions["s-1"].keep_days > 5_000
    assert (loaded.evidence.chains, loaded.evidence.keys, loaded.evidence.root) == ({}, {}, None)
    assert [row.seq for row in database.cursors()] == [7]
    database.commit(Batch())
    database.close()
    with sqlite3.connect(path) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    assert {"chain", "entry", "refused_line", "node_key", "root"} <= tables


async def fed(made: Bench, chain: NodeChain, segments: int) -> None:
    """A controller that has taken a chain's entries off the wire, and made its first root."""
    task = asyncio.create_task(made.controller.run())
    await made.clock.settle()
    said = [chain.opened(), *(chain.segment() for _ in range(segments))]
    for seq, one in enumerate(said, start=1):
        await made.edge.publish(durable(Kind.ENTRY, chain.room, one, seq))
    await made.clock.run_ms(1_000)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_restart_finds_chains_keys_and_roots_as_they_were(tmp_path: Path) -> None:
    made, chain = bench(tmp_path, blocking=at_once), NodeChain()
    await fed(made, chain, 3)
    before = made.controller.service.state.ledger
    assert before.root is not None
    again = bench(tmp_path, blocking=at_once)
    after = again.controller.service.state.ledger
    assert (after.chains, after.keys, after.root) == (before.chains, before.keys, before.root)
    assert after.notary.key == before.notary.key
    rows = again.controller.database.entries("edge-1", "cam-1", life=1, after=1, limit=2)
    assert [row.sequence for row in rows] == [2, 3]
    assert [row.line for row in rows] == chain.lines[1:3]
    assert again.controller.database.has_entry("edge-1", "cam-1", rows[0].sha256)
    assert not again.controller.database.has_entry("edge-1", "cam-2", rows[0].sha256)
    found = again.controller.database.stretches(
        "edge-1", "cam-1", since=UtcMs(1_060_001), until=UtcMs(1_120_000)
    )
    assert [row.sequence for row in found] == [3, 4]
    (root,) = again.controller.database.roots(before=None, limit=5)
    assert again.controller.database.find_root(1) == root
    assert again.controller.database.witnesses(root.leaves) == (
        before.chains["edge-1/cam-1"].witness,
    )
    with pytest.raises(KeyError):
        again.controller.database.witnesses((("edge-1", "cam-1", 9, 9),))
    again.controller.database.close()


async def test_the_same_entries_announced_again_are_filed_once(tmp_path: Path) -> None:
    made, chain = bench(tmp_path, blocking=at_once), NodeChain()
    await fed(made, chain, 3)
    again = bench(tmp_path, blocking=at_once)
    task = asyncio.create_task(again.controller.run())
    await again.clock.settle()
    epoch = "1" * 16  # the node's outbox is new, so it announces its manifests from the start
    for seq, line in enumerate([*chain.lines, *chain.lines], start=1):
        said = chain.announced(line)
        await again.edge.publish(durable(Kind.ENTRY, chain.room, said, seq, epoch=epoch))
    await again.clock.run_ms(1_000)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    state = again.controller.service.state
    assert state.ledger.chains["edge-1/cam-1"].refused == 0
    assert not state.alerts
    with sqlite3.connect(tmp_path / "data" / "controller.db") as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (4,)
        assert db.execute("SELECT count(*) FROM refused_line").fetchone() == (0,)
        assert db.execute("SELECT max(seq) FROM inbox_cursor").fetchone() == (8,)
