"""The director's own HTTP API: the console shows its story and hands on the buttons."""

import asyncio
import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Header, HTTPException

from zeroentry.demo.director import ROOM, Director
from zeroentry.demo.stage import OTHER_CAMERA, ROOM_CAMERA
from zeroentry.demo.story import DemoState, StepId

BUTTON_MS: Final = 12_000  # what a button starts lasts long enough to see, and ends by itself


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
        actions: dict[str, tuple[Callable[[], str | None], Callable[[], Awaitable[None]]]] = {
            "sixth-person": (self._why_no_sixth_person, self._sixth_person),
            "unplug-camera": (lambda: None, self._unplug_camera),
            "block-corridor": (self._why_no_block, self._block_corridor),
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

    def _why_no_sixth_person(self) -> str | None:
        if not self._director.sight.sealed(ROOM):
            return "评标室未封闭，多一人不是异常 / The room is not sealed: one more is no anomaly"
        if self._director.step_is(StepId.SIXTH, StepId.ACKNOWLEDGE, StepId.WITHDRAW):
            return "第六人已在室内 / The sixth person is there already"
        return None

    def _why_no_block(self) -> str | None:
        if self._director.step_is(StepId.BLOCKED, StepId.RESUME):
            return "走廊里已有外人 / An outsider is in the corridor already"
        return None

    async def _sixth_person(self) -> None:
        stage, person = self._director.stage, f"visitor-{uuid.uuid4().hex[:6]}"
        await stage.intrude(ROOM_CAMERA, person)
        await self._director.clock.sleep_ms(BUTTON_MS)
        await stage.withdraw(ROOM_CAMERA, person)

    async def _unplug_camera(self) -> None:
        stage = self._director.stage
        await stage.fault(OTHER_CAMERA, unplugged=True)
        await self._director.clock.sleep_ms(BUTTON_MS)
        await stage.fault(OTHER_CAMERA)

    async def _block_corridor(self) -> None:
        stage = self._director.stage
        await stage.block_corridor(f"visitor-{uuid.uuid4().hex[:6]}")
        await self._director.clock.sleep_ms(BUTTON_MS)
        await stage.clear_corridor()


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
