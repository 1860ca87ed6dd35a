"""The director's own small HTTP API: the console shows its story and hands on the visitor's buttons."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Header, HTTPException

from zeroentry.demo.director import Director
from zeroentry.demo.story import DemoState

CUES_AT_ONCE_MAX: Final = 3  # one of each button: more would only confuse the story


class Buttons:
    """Runs what a button starts, beside the story; refuses a second press of the same."""

    def __init__(self, director: Director) -> None:
        self._director = director
        self._running: dict[str, asyncio.Task[None]] = {}

    async def press(self, cue: str) -> None:
        """Start a cue.

        Raises:
            HTTPException: 409 with the reason when it cannot be now, 404 for an unknown cue.
        """
        director = self._director
        actions: dict[str, tuple[Callable[[], str | None], Callable[[], Awaitable[None]]]] = {
            "sixth-person": (director.why_no_sixth_person, director.sixth_person),
            "unplug-camera": (lambda: None, director.unplug_camera),
            "block-corridor": (director.why_no_block, director.block_corridor),
        }
        if cue not in actions:
            raise HTTPException(404, f"no cue {cue!r}; cues: {', '.join(actions)}")
        why_not, act = actions[cue]
        running = self._running.get(cue)
        if running is not None and not running.done():
            raise HTTPException(409, "正在进行，请稍候 / It is under way already: wait a moment")
        reason = why_not()
        if reason is not None:
            raise HTTPException(409, reason)

        async def run() -> None:
            await act()

        self._running[cue] = asyncio.create_task(run(), name=f"cue {cue}")

    async def stop(self) -> None:
        """End what still runs."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)


def build(director: Director, buttons: Buttons, started: asyncio.Event, token: str) -> FastAPI:
    """``POST /start``, ``GET /state``, ``POST /cues/{cue}``; each behind the run's token."""

    def guard(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization, f"Bearer {token}"):
            raise HTTPException(401, "send the demo's token as a bearer token")

    app = FastAPI(title="Zero Entry demo director", dependencies=[Depends(guard)])

    @app.post("/start", status_code=204)
    async def start() -> None:
        started.set()

    @app.get("/state")
    async def state() -> DemoState:
        return director.state()

    @app.post("/cues/{cue}", status_code=204)
    async def press(cue: str) -> None:
        await buttons.press(cue)

    return app
