"""One room with nothing replaced: broker, camera, edge node, recorder, controller, console.

The demo's own site and processes, without the rooms and robots that the story does not need. The
camera is composed, and comes over real RTSP; all that follows it is the product.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from playwright.async_api import Browser, BrowserContext, Page

from client import ApiClient, ControllerLost
from contracts.api import SessionBody, SessionView
from contracts.api.roster import SweepBody
from contracts.api.sessions import CheckState, SealDemand
from runtime.clock import Clock, SystemClock
from runtime.supervise import ChildState, Supervisor
from tests.fakes.waiting import until
from zeroentry.composer.model import Vest
from zeroentry.demo.plan import Plan, prepare
from zeroentry.demo.stage import INTRUDER, ROOM_CAMERA, Stage

ROOM: Final = "room-1"
NODE: Final = "edge-1"
USER: Final = "visitor"
SECOND: Final = "colleague"
WIDE: Final = {"width": 1440, "height": 900}
START_S: Final = 60.0  # six processes on two cores that others share; alone they take ten seconds
SEEN_MS: Final = 15_000
LOOK_MS: Final = 250  # asked more often, the controller would serve the test alone
EXPECTED_UNMET: Final = {SealDemand.CLOCK_IN_SYNC, SealDemand.KEY_CONFIRMED}
"""What a machine of a test lacks: a time server, and a person who compares fingerprints."""
KEPT: Final = frozenset({"broker", "cameras", NODE, f"{NODE}-recorder", "controller", "console"})
LATE: Final = frozenset({NODE, f"{NODE}-recorder"})  # once the camera answers, as in the demo


@dataclass
class StoryHouse:
    """What the story plays on."""

    plan: Plan
    browser: Browser
    shots: Path
    stage: Stage
    api: ApiClient
    supervisor: Supervisor
    clock: Clock
    logged_in: bool = False
    errors: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def page(self, path: str = "/", user: str = USER) -> Page:
        """A browser in which the supervisor has logged in."""
        context = await self.browser.new_context(
            viewport={"width": WIDE["width"], "height": WIDE["height"]}, locale="en-US"
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        page = await context.new_page()
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.plan.console_url + path)
        await page.get_by_test_id("login-username").fill(user)
        await page.get_by_test_id("login-password").fill(self.plan.keys.accounts[user])
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("login-form").wait_for(state="detached")
        return page

    async def shoot(self, page: Page, name: str) -> None:
        """Keep a picture of the page."""
        await page.screenshot(path=self.shots / f"{name}.png")

    async def gathered(self, title: str, admitted: int) -> SessionView:
        """A session whose experts sit before the camera and are counted; ready to be sealed."""
        session = await self.api.schedule(SessionBody(room_id=ROOM, title=title, admitted=admitted))
        if (await self.api.room_sweep(ROOM)).needed:
            clean = SweepBody(empty=True, phones_cleared=True, papers_cleared=True)
            await self.api.sweep(ROOM, clean)
        await self.api.session_step(session.id, "gather")
        await self.stage.seat(ROOM_CAMERA, admitted)

        async def ready() -> bool:
            await self.clock.sleep_ms(LOOK_MS)
            check = await self.api.seal_check(session.id)
            unmet = {row.demand for row in check.items if row.state is not CheckState.OK}
            return unmet <= EXPECTED_UNMET

        await until(ready, within_s=START_S, what=f"{admitted} sit, counted and recorded")
        return session

    async def intrude(self) -> None:
        """A sixth expert comes in by the door: one too many, and nothing else is wrong."""
        await self.stage.intrude(ROOM_CAMERA, INTRUDER, Vest.RED)

    async def withdraw(self) -> None:
        """That person goes again."""
        await self.stage.withdraw(ROOM_CAMERA, INTRUDER)

    def logs(self) -> str:
        """The end of what every process printed."""
        files = sorted((self.plan.folder / "logs").glob("*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text('utf-8')[-1_500:]}" for file in files)


@contextlib.asynccontextmanager
async def story_house(folder: Path, browser: Browser, shots: Path) -> AsyncIterator[StoryHouse]:
    """All processes up, the camera live and recorded; nothing of it runs afterwards."""
    plan = one_room(prepare(folder, console_port=0, eyes=False))
    clock = SystemClock()
    early = [child for child in plan.children if child.name not in LATE]
    supervisor = Supervisor(clock, random.Random(1), early)
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
        cameras = f"http://127.0.0.1:{plan.ports.cameras}"
        stage = Stage(http, cameras, plan.keys.cameras, plan.truth_file)
        api = ApiClient(http, plan.controller_url)
        house = StoryHouse(plan, browser, shots, stage, api, supervisor, clock)
        running = asyncio.create_task(supervisor.run())
        try:
            await until(stage.ready, within_s=START_S, what="the camera answers")
            for child in plan.children:
                if child.name in LATE:
                    supervisor.add(child)
            await until(lambda: _up(house, http), within_s=START_S, what=f"all up; see {folder}")
            yield house
        finally:
            for context in house.contexts:
                await context.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _up(house: StoryHouse, http: httpx.AsyncClient) -> bool:
    """Whether the console answers and the controller counts people in the room."""
    failed = [row for row in house.supervisor.statuses() if row.state is ChildState.FAILED]
    assert not failed, f"{failed}\n{house.logs()}"
    await house.clock.sleep_ms(LOOK_MS)
    try:
        if (await http.get(f"{house.plan.console_url}/login")).status_code != httpx.codes.OK:
            return False
        if not house.logged_in:
            given = await house.api.login(USER, house.plan.keys.accounts[USER])
            house.api, house.logged_in = house.api.with_token(given.token), True
        rooms = (await house.api.overview()).rooms
    except (ControllerLost, httpx.TransportError):
        return False
    return all(room.head_count is not None for room in rooms)


def one_room(plan: Plan) -> Plan:
    """The plan with room 1 alone: its camera, its node and recorder, no robot."""
    site = plan.folder / "site"
    for folder in (site / "cameras", site / "nodes", site / "robots"):
        for file in folder.glob("*.yaml"):
            if file.stem not in (ROOM_CAMERA, NODE):
                file.unlink()
    _edit(site / "site.yaml", areas=lambda row: row["id"] == ROOM, zones=lambda _: False)
    console = plan.folder / "console.yaml"
    settings = yaml.safe_load(console.read_text("utf-8"))
    del settings["demo"]  # nobody directs here: a person does it all
    console.write_text(yaml.safe_dump(settings), "utf-8")
    _edit(plan.folder / "cameras.yaml", cameras=lambda row: row["id"] == ROOM_CAMERA)
    children = tuple(child for child in plan.children if child.name in KEPT)
    return replace(plan, children=children)


def _edit(file: Path, **kept: Callable[[dict[str, Any]], bool]) -> None:
    """Leave in a file's lists only the rows that are to be kept."""
    document = yaml.safe_load(file.read_text("utf-8"))
    for name, wanted in kept.items():
        document[name] = [row for row in document[name] if wanted(row)]
    file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
