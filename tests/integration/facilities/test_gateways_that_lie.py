"""Gateways over real HTTP that hang, break off, or answer nonsense: no word of theirs goes stale.

Each door says "open" once and is then bad in its own way. All are asked at once, on one loop: a
sound door among them is asked and told all the while.
"""

import asyncio
import gzip
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from contracts.facilities import DoorConfig, HttpLink
from controller.core.facility_words import (
    CommandFacility,
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
)
from controller.core.outputs import Answer
from controller.core.state import Input
from controller.facilities.gateways import MISSES_MAX, TIMEOUT_S, GatewayDesk
from controller.ports import Given
from runtime.clock import SystemClock
from runtime.secrets import CredentialFileError
from tests.fakes.facility_site import named
from tests.fakes.site_broker import make_authority
from tests.fakes.waiting import until

OPEN: Final = b'{"position": "open"}'

Writer = asyncio.StreamWriter
Badness = Callable[[Writer], Awaitable[None]]


def whole(body: bytes, status: str = "200 OK", *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more)
    return "\r\n".join((*lines, "", "")).encode() + body


async def never(writer: Writer) -> None:
    del writer
    await asyncio.Event().wait()


async def a_byte_now_and_then(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await SystemClock().sleep_ms(int(1_000 * TIMEOUT_S / 20))


async def half_a_head(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()
    await asyncio.Event().wait()


async def half_a_body(writer: Writer) -> None:
    writer.write(whole(OPEN)[:-4])


async def no_answer(writer: Writer) -> None:
    del writer  # it is closed behind us


async def not_http(writer: Writer) -> None:
    writer.write(b"SSH-2.0-gateway\r\n")


def answers(answer: bytes) -> Badness:
    async def say(writer: Writer) -> None:
        writer.write(answer)

    return say


BAD: Final[dict[str, Badness]] = {
    "never": never,
    "drips": a_byte_now_and_then,
    "half-head": half_a_head,
    "half-body": half_a_body,
    "closes": no_answer,
    "no-http": not_http,
    "error": answers(whole(OPEN, "500 Internal Server Error")),
    "redirect": answers(whole(OPEN, "302 Found", "Location: http://127.0.0.1:9/doors/x")),
    "forbidden": answers(whole(OPEN, "401 Unauthorized")),
    "empty": answers(whole(b"", "204 No Content")),
    "garbage": answers(whole(b"\xff\xfe\x00open")),
    "other-words": answers(whole(b'{"position": "ajar"}')),
    "a-list": answers(whole(b'["open"]')),
    "too-long": answers(whole(b" " * 70_000 + OPEN)),
    "packed": answers(whole(gzip.compress(OPEN), "200 OK", "Content-Encoding: gzip")),
    "no-number": answers(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + OPEN),
}


class Heard:
    """Keeps the newest word on each door."""

    def __init__(self) -> None:
        self.last: dict[str, DoorSaid | None] = {}
        self.seen: Counter[str] = Counter()

    async def offer(self, given: Input) -> None:
        assert isinstance(given, FacilitySaid)
        assert given.said is None or isinstance(given.said, DoorSaid)
        self.last[given.facility_id] = given.said
        self.seen[given.facility_id] += 1

    async def ask(self, given: Input) -> Answer:
        raise AssertionError(f"nobody asks here: {given}")

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        raise AssertionError(f"nothing is durable here: {rows}")


class Gateway:
    """Says "open" of each door once, then is bad; ``well``: which are so no more."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.well: set[str] = set()
        self.puts: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            name = path.rsplit("/", 1)[-1]
            if method == "PUT":
                self.puts.append(name)
            self.asked[name] += 1
            if self.asked[name] == 1 or name in self.well or name not in BAD:
                writer.write(whole(OPEN))
            else:
                await BAD[name](writer)
            await writer.drain()
        writer.close()


def a_door(name: str, url: str) -> DoorConfig:
    link = HttpLink(via="http", url=url)
    return DoorConfig(kind="door", id=name, name=named(name), ways=((name, "b"),), link=link)


@asynccontextmanager
async def desk_of(
    url: str, heard: Heard, *names: str, client: httpx.AsyncClient | None = None
) -> AsyncIterator[GatewayDesk]:
    async with client or httpx.AsyncClient(trust_env=False) as using:
        doors = [a_door(name, url) for name in names]
        desk = GatewayDesk(using, SystemClock(), doors, lambda _: lambda: None)
        task = asyncio.create_task(desk.run(heard))
        try:
            yield desk
            assert not task.done(), "the desk has ended"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, Writer], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    running: set[asyncio.Task[None]] = set()

    async def serving(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serving, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_door_whose_gateway_lies_or_hangs_is_away_in_time_and_nobody_waits_for_it() -> None:
    gateway, heard = Gateway(), Heard()
    async with (
        listening(gateway) as port,
        desk_of(f"http://127.0.0.1:{port}", heard, "sound", *BAD) as desk,
    ):
        await until(lambda: len(heard.last) == len(BAD) + 1, what="all doors said open once")
        assert {one.position for one in heard.last.values() if one} == {DoorPosition.OPEN}
        desk.publish(CommandFacility("never", DoorOrder(open=False)))
        desk.publish(CommandFacility("sound", DoorOrder(open=True)))
        asked = gateway.asked["sound"]
        await until(
            lambda: all(heard.last[name] is None for name in BAD),
            what=f"all bad doors are away; {[name for name in BAD if heard.last[name]]} are not",
        )
        assert heard.last["sound"] == DoorSaid(DoorPosition.OPEN)
        assert gateway.asked["sound"] - asked >= MISSES_MAX - 1, "the sound one was asked meanwhile"
        assert "sound" in gateway.puts
        gateway.well |= set(BAD)
        await until(lambda: all(heard.last.values()), what="who answers again is back")


async def test_a_gateway_with_a_foreign_certificate_is_not_believed(tmp_path: Path) -> None:
    make_authority(tmp_path, ("broker",))
    make_authority(tmp_path, ("broker",), authority="foreign")
    gateway = Gateway()
    found: dict[str, DoorSaid | None] = {}
    ours = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    for name in ("foreign-broker", "broker"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        heard = Heard()
        client = httpx.AsyncClient(verify=ours, trust_env=False)
        async with (
            listening(gateway, context) as port,
            desk_of(f"https://localhost:{port}", heard, "sound", client=client),
        ):
            await until(partial(heard.last.__contains__, "sound"), what="it is heard or away")
        found[name] = heard.last["sound"]
    assert found == {"foreign-broker": None, "broker": DoorSaid(DoorPosition.OPEN)}


async def test_a_password_that_can_no_longer_be_read_makes_a_door_away_and_ends_nothing() -> None:
    gateway, heard = Gateway(), Heard()
    lost = False

    def password() -> tuple[str, str]:
        if lost:
            raise CredentialFileError("credentials.json: not JSON")
        return "user", "word"

    async with listening(gateway) as port, httpx.AsyncClient(trust_env=False) as client:
        door = a_door("sound", f"http://127.0.0.1:{port}")
        desk = GatewayDesk(client, SystemClock(), (door,), lambda _: password)
        task = asyncio.create_task(desk.run(heard))
        await until(lambda: heard.last.get("sound") is not None, what="it is heard")
        lost = True
        await until(lambda: heard.last["sound"] is None, what="it is away")
        lost = False
        await until(lambda: heard.last["sound"] is not None, what="it is back")
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
