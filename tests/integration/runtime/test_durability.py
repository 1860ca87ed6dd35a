"""kill -9 of sender, broker and receiver at any moment: each message stored once and in order."""

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime import broker
from runtime.clock import SystemClock
from runtime.supervise import ChildSpec, ChildState, Supervisor
from tests.fakes.waiting import elapsed_s, until
from tests.integration.runtime.outbox_sender import ROOMS

KILLS = 12
COUNT = 600  # more than is sent while twelve kills last, so that each hits a busy system
PROGRESS = 20  # messages stored between two kills: proof that the system had recovered
WITHIN_S = 60.0


@pytest.fixture
async def site(tmp_path: Path, free_port: int) -> AsyncIterator[Supervisor]:
    """Broker, sender and receiver as processes, restarted when they die."""
    module = (sys.executable, "-m")
    here = "tests.integration.runtime"
    arguments = (str(tmp_path), str(free_port))
    supervisor = Supervisor(
        SystemClock(),
        random.Random(1),
        [
            ChildSpec("broker", broker.command(free_port)),
            ChildSpec("sender", (*module, f"{here}.outbox_sender", *arguments, str(COUNT))),
            ChildSpec("receiver", (*module, f"{here}.inbox_receiver", *arguments)),
        ],
        restart_max_ms=500,  # what is killed on purpose is not at fault
    )
    task = asyncio.create_task(supervisor.run())
    yield supervisor
    since = elapsed_s()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert elapsed_s(since) < 5


def query(path: Path, sql: str) -> list[tuple[str, int]]:
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:  # the receiver has not made its tables yet
            return []


@pytest.mark.system
async def test_kill_9_of_anything_loses_nothing_doubles_nothing_and_keeps_order(
    site: Supervisor, tmp_path: Path
) -> None:
    seed = int(os.environ.get("ZEROENTRY_TEST_SEED", random.randrange(10**6)))
    rng = random.Random(seed)
    store = tmp_path / "stored.db"

    def stored() -> int:
        return len(query(store, "SELECT message_id, number FROM stored"))

    since = elapsed_s()
    for kill in range(KILLS):
        victim = rng.choice(["broker", "sender", "receiver"])
        floor = stored() + PROGRESS
        await until(
            lambda floor=floor: stored() >= min(floor, COUNT),  # type: ignore[misc]  # a default of a lambda
            within_s=WITHIN_S,
            what=f"progress before kill {kill} of {victim}, seed {seed}",
        )
        await asyncio.wait_for(site.wait_for(victim, ChildState.RUNNING), 30)
        site.kill(victim)
    await until(lambda: stored() == COUNT, within_s=WITHIN_S, what=f"all stored, seed {seed}")
    rows = query(store, "SELECT topic, number FROM stored ORDER BY place")
    assert sorted(number for _, number in rows) == list(range(COUNT)), f"seed {seed}"
    for room in ROOMS:
        numbers = [number for topic, number in rows if f"/{room}/" in topic]
        assert numbers == sorted(numbers), f"order of {room}, seed {seed}"
    starts = {status.name: status.starts for status in site.statuses()}
    assert sum(starts.values()) >= KILLS + 3 - 1
    outbox = tmp_path / "outbox.db"
    await until(
        lambda: query(outbox, "SELECT message_id, seq FROM message") == [],
        within_s=30,
        what=f"the sender has forgotten what is stored, seed {seed}",
    )
    assert elapsed_s(since) < WITHIN_S
