"""A controller whose room-1 is sealed, and a client for each person, for tests of its API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from tests.fakes.controller_site import Bench, bench, health
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until


class SealedHouse:
    """A running controller with a sealed session in room-1, and a client a person."""

    def __init__(self, made: Bench, stack: AsyncExitStack) -> None:
        self.made = made
        self._stack = stack
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.session = ""

    async def of(self, name: str) -> httpx.AsyncClient:
        """The client of a person, logged in."""
        if name not in self._clients:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.made.controller.app),
                base_url="http://controller/api/v1",
            )
            await self._stack.enter_async_context(client)
            login = {"username": name, "password": f"{name}-password"}
            answer = await client.post("/login", json=login)
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            self._clients[name] = client
        return self._clients[name]

    async def seal(self) -> None:
        """A session of room-1, gathered and sealed by the supervisor."""
        client = await self.of("sup")
        body = {"room_id": "room-1", "title": "T", "admitted": 5}
        answer = await client.post("/sessions", json=body)
        assert answer.status_code == 201, answer.text
        self.session = str(answer.json()["id"])
        for step, sent in (("gather", None), ("seal", OVERRIDES)):
            answer = await client.post(f"/sessions/{self.session}/{step}", json=sent)
            assert answer.status_code == 200, answer.text


H = TypeVar("H", bound=SealedHouse)


@asynccontextmanager
async def sealed(folder: Path, kind: Callable[[Bench, AsyncExitStack], H]) -> AsyncIterator[H]:
    """A house of that kind whose node is known and whose session is sealed."""
    made = bench(folder)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    async with AsyncExitStack() as stack:
        house = kind(made, stack)
        await made.edge.publish(health("http://edge:8441"))
        await until(lambda: made.controller.service.state.nodes, what="the node is known")
        await house.seal()
        yield house
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
