"""The control socket: who may open it, requests and replies, slow clients, lost and found links."""

import asyncio
import contextlib
import json
import random
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from contracts.evidence.entries import ClockSource, ClockState
from contracts.units import MonoMs, UtcMs
from edge.core.recording import (
    CheckpointSaid,
    LevelSaid,
    ReleaseTracks,
    Reply,
    Request,
    SaveSpace,
    StatusSaid,
    Written,
)
from edge.recorder.client import SILENT_AFTER_MS, RecorderClient, RecorderLost
from edge.recorder.control import BEHIND_BYTES, CLIENTS_MAX, ControlServer
from edge.recorder.socket_file import LINE_MAX_BYTES, connected
from runtime.clock import SimulatedClock, SystemClock
from tests.fakes.waiting import until, until_simulated


def status(pid: int = 7) -> StatusSaid:
    return StatusSaid(
        utc_ms=UtcMs(1),
        mono_ms=MonoMs(1),
        boot_id="boot",
        version="test",
        pid=pid,
        key="ed25519:" + "0" * 16,
        clock=ClockState(source=ClockSource.UNKNOWN),
    )


async def accept(request: Request) -> Reply:
    written = Written(track_id="cam-1", sequence=3, entry_sha256="a" * 64)
    return Reply(id=request.id, written=(written,))


Serve = Callable[[Path], Awaitable[ControlServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    tasks: list[asyncio.Task[None]] = []

    async def start(path: Path) -> ControlServer:
        server = ControlServer(path, accept)
        tasks.append(asyncio.create_task(server.run()))
        await until(path.exists, what="the socket is there")
        return server

    yield start
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def running(client: RecorderClient) -> AsyncIterator[RecorderClient]:
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def new_client(path: Path) -> RecorderClient:
    return RecorderClient(path, SystemClock(), random.Random(1))


async def test_only_its_user_may_open_the_socket_and_a_left_one_is_replaced(
    serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "recorder.sock"
    await serve(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await serve(path)
    reader, writer = await connected(path)
    writer.write(Request(id="r-1", body=SaveSpace(stop=True)).model_dump_json().encode() + b"\n")
    assert Reply.model_validate_json(await reader.readline()).id == "r-1"
    writer.close()


async def test_a_path_longer_than_an_address_is_served_too(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    server = await serve(folder / "recorder.sock")
    async with running(new_client(folder / "recorder.sock")) as client:
        await until(lambda: server.clients == 1, what="connected")
        server.say(status(pid=77))
        await until(lambda: client.connected, what="it speaks")
        assert client.status is not None
        assert client.status.pid == 77


async def test_the_client_hears_and_asks(serve: Serve, tmp_path: Path) -> None:
    server = await serve(tmp_path / "recorder.sock")
    server.say(status(pid=41))
    heard: list[object] = []
    client = new_client(tmp_path / "recorder.sock")
    client.on_status(heard.append)
    client.on_checkpoint(heard.append)
    client.on_level(heard.append)
    async with running(client):
        await until(lambda: client.connected, what="the last status is said at once")
        assert client.status is not None
        assert client.status.pid == 41
        checkpoint = CheckpointSaid(track_id="cam-1", room_id="room-1", line="{}")
        level = LevelSaid(track_id="mic-1", dbfs=-30, at_utc_ms=UtcMs(5), at_mono_ms=MonoMs(5))
        server.say(checkpoint)
        server.say(level)
        await until(lambda: len(heard) == 3, what="all that it said")
        assert heard[1:] == [checkpoint, level]
        reply = await client.request(ReleaseTracks(room_id="room-1", session_id="s-1"), "r-9")
        assert (reply.id, reply.error, reply.written[0].sequence) == ("r-9", None, 3)


async def test_a_request_without_a_recorder_is_refused_at_once(tmp_path: Path) -> None:
    async with running(new_client(tmp_path / "recorder.sock")) as client:
        with pytest.raises(RecorderLost):
            await client.request(SaveSpace(stop=True), "r-1")


async def test_a_recorder_that_dies_fails_what_waits_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "recorder.sock"
    asked = asyncio.Event()

    async def never(request: Request) -> Reply:
        asked.set()
        await asyncio.Event().wait()
        return Reply(id=request.id)

    links: list[bool] = []
    client = new_client(path)
    client.on_link(lambda: links.append(client.connected))
    server = ControlServer(path, never)
    server.say(status())
    task = asyncio.create_task(server.run())
    async with running(client):
        await until(lambda: client.connected, what="connected")
        waits = asyncio.create_task(client.request(SaveSpace(stop=True), "r-1"))
        await asked.wait()
        task.cancel()
        with pytest.raises(RecorderLost):
            await waits
        await until(lambda: not client.connected, what="it is lost")
        again = ControlServer(path, accept)
        again.say(status(pid=8))
        task = asyncio.create_task(again.run())
        await until(lambda: client.connected, what="it is found again")
        assert (await client.request(SaveSpace(stop=True), "r-1")).error is None
    task.cancel()
    assert links[:3] == [True, False, True]


async def test_a_recorder_that_says_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "recorder.sock"
    clock = SimulatedClock()
    server = ControlServer(path, accept)
    server.say(status())
    task = asyncio.create_task(server.run())
    await until(path.exists, what="the socket is there")
    client = RecorderClient(path, clock, random.Random(1))
    async with running(client):
        await until(lambda: client.connected, what="connected")
        await until_simulated(
            clock,
            lambda: not client.connected,
            within_ms=SILENT_AFTER_MS + 2_000,
            what="it is given up",
        )
        with pytest.raises(RecorderLost, match="does not run"):
            await client.request(SaveSpace(stop=True), "r-1")
    task.cancel()


async def test_a_client_that_does_not_read_loses_statuses_and_slows_nobody(
    serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "recorder.sock"
    server = await serve(path)
    _, slow = await connected(path)
    slow.transport.pause_reading()  # type: ignore[attr-defined]  # it is a stream's transport
    async with running(new_client(path)) as client:
        await until(lambda: server.clients == 2, what="both are connected")
        long = CheckpointSaid(track_id="cam-1", room_id="room-1", line="x" * 16_000)
        for _ in range(BEHIND_BYTES // 16_000 * 4):
            server.say(long)
            await asyncio.sleep(0)
        assert server.passed_over > 0
        server.say(status(pid=99))
        await until(lambda: client.status and client.status.pid == 99, what="the other one hears")
    slow.close()


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        (b"not json\n", None),
        (b'{"say":"request","id":"bad id"}\n', None),
        (b'{"say":"request","id":"r-5","body":{"kind":"dance"}}\n', "r-5"),
        (json.dumps({"say": "request", "id": "r-6"}).encode() + b"\n", "r-6"),
        (b"x" * (LINE_MAX_BYTES + 100) + b"\n", None),
    ],
)
async def test_what_is_no_request_is_answered_or_hung_up_on(
    serve: Serve, tmp_path: Path, line: bytes, answered: str | None
) -> None:
    server = await serve(tmp_path / "recorder.sock")
    reader, writer = await connected(tmp_path / "recorder.sock")
    writer.write(line)
    with contextlib.suppress(ConnectionError):
        got = await reader.readline()
        if answered is None:
            assert got == b""
        else:
            reply = Reply.model_validate_json(got)
            assert reply.id == answered
            assert reply.error
    writer.close()
    await until(lambda: server.clients == 0, what="nobody is left")


async def test_too_many_clients_are_turned_away(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "recorder.sock"
    server = await serve(path)
    server.say(status())
    links = [await connected(path) for _ in range(CLIENTS_MAX)]
    await until(lambda: server.clients == CLIENTS_MAX, what="all are in")
    reader, writer = await connected(path)
    assert await reader.read() == b""
    for _, one in (*links, (reader, writer)):
        one.close()
