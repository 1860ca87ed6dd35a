"""The office: a real broker, controller and console in their own processes, and stand-in nodes.

One for a test session. Every role has an account ``<role>`` with the password ``<role>-password``;
what the edge nodes perceive is set in ``office.rooms``. See tests/browser/conftest.py.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Browser, BrowserContext, Page, StorageState

from client import ApiClient, ControllerLost
from contracts.admission import AreaKind
from contracts.api import Handling, Role, SessionBody, SessionState, SessionView
from contracts.api.roster import SweepBody
from contracts.api.sessions import ActBody, CheckState
from contracts.units import RoomId
from runtime import broker
from runtime.clock import Clock, SystemClock
from runtime.site import load_site
from tests.fakes.office_node import Scene, StandIn
from tests.fakes.ports import free_port
from tests.fakes.waiting import until

REPO: Final = Path(__file__).parents[2]
DEMO_SITE: Final = REPO / "firmware_configs" / "demo"
WIDE: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
START_S: Final = 90.0  # on a machine that runs nine suites at once; alone it takes five
STOP_S: Final = 30.0
SEEN_MS: Final = 15_000
TABLET_ROOM: Final = "room-1"
OVER: Final = (SessionState.RELEASED, SessionState.CANCELLED, SessionState.ARCHIVED)


def password_of(role: Role) -> str:
    """The password of a role's account."""
    return f"{role.value}-password"


def accounts() -> str:
    """``ZEROENTRY_BOOTSTRAP_ACCOUNTS``: one account a role; the tablet is that of room 1."""
    rows = [
        {
            "username": role.value,
            "password": password_of(role),
            "roles": [role.value],
            "room_id": TABLET_ROOM if role is Role.TABLET else None,
        }
        for role in Role
    ]
    return json.dumps(rows)


@dataclass
class Office:
    """What a test plays on. Times out loudly; all addresses are loopback."""

    folder: Path
    site_dir: Path
    clock: Clock
    browser: Browser | None
    shots: Path
    broker_port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)
    nodes: dict[str, StandIn] = field(default_factory=dict)
    rooms: dict[RoomId, Scene] = field(default_factory=dict)
    contexts: list[BrowserContext] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What browsers complained about; ``begin`` forgets it."""
    requests: list[str] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    _clients: dict[Role, ApiClient] = field(default_factory=dict)
    _cookies: dict[Role, StorageState] = field(default_factory=dict)

    @property
    def controller_url(self) -> str:
        return f"http://127.0.0.1:{self.controller_port}"

    @property
    def url(self) -> str:
        """The console."""
        return f"http://127.0.0.1:{self.console_port}"

    # what tests do

    async def client(self, role: Role | str = Role.SUPERVISOR) -> ApiClient:
        """The API as the account of a role; logged in once."""
        role = Role(role)
        if role not in self._clients:
            api = ApiClient(self.http, self.controller_url)
            given = await api.login(role.value, password_of(role))
            self._clients[role] = api.with_token(given.token)
        return self._clients[role]

    def node_of(self, room_id: RoomId) -> StandIn:
        """The edge node that watches a room."""
        return next(node for node in self.nodes.values() if room_id in node.rooms)

    async def people(self, room_id: RoomId, count: int, *, visitors: int = 0) -> None:
        """So many experts and visitors are in a room from now on, and the node says so."""
        scene = self.rooms[room_id]
        scene.people, scene.visitors = count, visitors
        await self.node_of(room_id).say()
        api = await self.client()

        async def known() -> bool:
            rooms = (await api.overview()).rooms
            seen = next(room for room in rooms if room.id == room_id)
            return seen.head_count == scene.head_count

        await until(known, what=f"{room_id} shows {scene.head_count} people")

    def raise_alert(self, room_id: RoomId, **how: object) -> str:
        """``StandIn.raise_alert`` of the room's node."""
        return self.node_of(room_id).raise_alert(room_id, **how)  # type: ignore[arg-type]  # as it came

    def raise_over(self, alert_id: str) -> None:
        """The condition of an alert that ``raise_alert`` made is over."""
        for node in self.nodes.values():
            if alert_id in node.standing:
                node.clear_alert(alert_id)

    async def quiet(self) -> None:
        """Nothing rings: every alert has been acknowledged."""
        api = await self.client()
        for alert in (await api.overview()).alerts:
            if alert.handling is Handling.NEW:
                await api.acknowledge(alert.id)

    async def idle(self, room_id: RoomId) -> None:
        """Nobody uses the room: its session is released or cancelled."""
        api = await self.client()
        for session in (await api.overview()).sessions:
            if session.room_id == room_id and session.state not in OVER:
                sealed = session.state in {SessionState.SEALED, SessionState.SUSPENDED}
                said = ActBody(reason="the test is over")
                await api.session_step(session.id, "release" if sealed else "cancel", said)
        if (await api.room_sweep(room_id)).needed:
            clean = SweepBody(empty=True, phones_cleared=True, papers_cleared=True)
            await api.sweep(room_id, clean)

    async def gathered(
        self, room_id: RoomId, *, title: str = "城北污水管网工程施工 1 标段", admitted: int = 5
    ) -> SessionView:
        """A new session of a room, gathering, with as many people there as are admitted."""
        await self.idle(room_id)
        api = await self.client()
        await self.people(room_id, admitted)
        body = SessionBody(room_id=room_id, title=title, admitted=admitted)
        session = await api.schedule(body)
        return await api.session_step(session.id, "gather")

    async def sealed(self, room_id: RoomId, **how: object) -> SessionView:
        """A new session of a room, sealed and confirmed by its node."""
        session = await self.gathered(room_id, **how)  # type: ignore[arg-type]  # as it came
        api = await self.client()
        await self.seal(session.id)
        found = session

        async def confirmed() -> bool:
            nonlocal found
            rows = (await api.overview()).sessions
            found = next(row for row in rows if row.id == session.id)
            return found.seal_confirmed

        await until(confirmed, within_s=30, what=f"the seal of {room_id} is confirmed")
        return found

    async def seal(self, session_id: str) -> None:
        """Seal a session; what a stand-in does not have is overridden."""
        api = await self.client()
        check = await api.seal_check(session_id)
        unmet = [row.demand for row in check.items if row.state is not CheckState.OK]
        said = ActBody(overrides=dict.fromkeys(unmet, "a stand-in has none of it"))
        await api.session_step(session_id, "seal", said)

    async def visit(
        self,
        path: str = "/",
        *,
        language: str = "en",
        size: Mapping[str, int] = WIDE,
        state: StorageState | None = None,
    ) -> Page:
        """A new browser, without a login unless ``state`` brings one."""
        assert self.browser is not None
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="zh-CN" if language == "zh" else "en-US",
            storage_state=state,
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        context.on("request", lambda request: self.requests.append(request.url))
        page = await context.new_page()
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.url + path)
        return page

    async def enter(
        self,
        role: Role | str = Role.SUPERVISOR,
        path: str = "/",
        language: str = "en",
        size: Mapping[str, int] = WIDE,
    ) -> Page:
        """A browser at ``path`` in which the account of a role has logged in."""
        role = Role(role)
        page = await self.visit(path, language=language, size=size, state=self._cookies.get(role))
        if urlsplit(page.url).path != "/login":
            return page
        await page.get_by_test_id("login-username").fill(role.value)
        await page.get_by_test_id("login-password").fill(password_of(role))
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("login-form").wait_for(state="detached")
        kept = await page.context.storage_state()
        kept["cookies"] = [row for row in kept["cookies"] if row["name"] != "ze_language"]
        self._cookies[role] = kept
        return page

    def forget_logins(self) -> None:
        """The next ``enter`` logs in anew, as another browser would."""
        self._cookies.clear()

    async def shoot(self, page: Page, name: str, *, full: bool = False) -> Path:
        """Keep a picture of the page under build/screenshots; its path."""
        path = self.shots / f"{name}.png"
        await page.screenshot(path=path, full_page=full)
        return path

    async def begin(self) -> None:
        """Before each test: no old complaints, everything in order."""
        self.errors.clear()
        self.requests.clear()

    async def leave(self) -> None:
        """After each test: its browsers are closed."""
        while self.contexts:
            await self.contexts.pop().close()

    # how it comes about

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Office"]:
        """Broker, nodes, controller and console, all up."""
        self._furnish()
        async with contextlib.AsyncExitStack() as stack:
            self.http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            serving = asyncio.create_task(broker.serve(self.broker_port, self.clock))
            stack.push_async_callback(_cancelled, serving)
            stack.push_async_callback(self._stop)
            await until(
                lambda: broker.listening(self.broker_port), within_s=30, what="the broker listens"
            )
            await self._start()
            for node in self.nodes.values():
                await stack.enter_async_context(node.run())
            await until(self._answers, within_s=START_S, what=f"all is up; see {self.folder}")
            await until(self._nodes_known, within_s=30, what="the controller knows its nodes")
            yield self

    def _furnish(self) -> None:
        site = load_site(self.site_dir)
        kinds = {area.id: area.kind for area in site.config.areas}
        for row in site.nodes:
            scenes = {
                area: Scene(
                    area,
                    corridor=kinds[area] is not AreaKind.EVALUATION,
                    cameras=tuple(camera.id for camera in site.cameras_of(area)),
                )
                for area in row.areas
            }
            self.nodes[row.id] = StandIn(
                row.id, site.config.id, scenes, self.folder, self.broker_port, self.clock
            )
            self.rooms.update(scenes)

    async def _start(self) -> None:
        environ = {name: text for name, text in os.environ.items() if "ZEROENTRY" not in name}
        keys = {node: random.Random(node).randbytes(32).hex() for node in self.nodes}
        controller = {
            "ZEROENTRY_API__PORT": str(self.controller_port),
            "ZEROENTRY_MQTT__PORT": str(self.broker_port),
            "ZEROENTRY_DATA_DIR": str(self.folder / "controller"),
            "ZEROENTRY_DEPLOYMENT": "demo",
            "ZEROENTRY_BOOTSTRAP_ACCOUNTS": accounts(),
            "ZEROENTRY_RUN_KEY": "ab" * 32,
            "ZEROENTRY_EDGE_TOKEN": "edge-token",
            "ZEROENTRY_NODE_KEYS": json.dumps(keys),
        }
        console = {
            "ZEROENTRY_CONSOLE_CONTROLLER_URL": self.controller_url,
            "ZEROENTRY_CONSOLE_PORT": str(self.console_port),
            "ZEROENTRY_CONSOLE_SECRET": "of-this-office",
        }
        site = ("--site-dir", str(self.site_dir))
        await self._spawn("controller", ("controller", *site), environ | controller)
        await self._spawn("console", ("controller.console",), environ | console)

    async def _spawn(self, name: str, module: tuple[str, ...], environ: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *module, cwd=REPO, env=environ, stdout=log, stderr=log
            )

    async def _answers(self) -> bool:
        for name, process in self.processes.items():
            if process.returncode is not None:
                tail = self.log_of(name)[-3_000:]
                raise AssertionError(f"the {name} ended with {process.returncode}:\n{tail}")
        try:
            await self.client()
            return (await self.http.get(f"{self.url}/login")).status_code == httpx.codes.OK
        except (ControllerLost, httpx.TransportError):
            return False

    async def _nodes_known(self) -> bool:
        rooms = (await (await self.client()).overview()).rooms
        return all(room.head_count is not None for room in rooms if room.cameras)

    def log_of(self, name: str) -> str:
        """What a process has printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    async def _stop(self) -> None:
        await self.leave()
        for process in self.processes.values():
            if process.returncode is None:
                process.terminate()
        for name, process in self.processes.items():
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise AssertionError(
                    f"the {name} did not stop within {STOP_S} s of SIGTERM"
                ) from None


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def office_of(
    folder: Path,
    shots: Path,
    browser: Browser | None = None,
    *,
    site_dir: Path = DEMO_SITE,
    clock: Callable[[], Clock] = SystemClock,
) -> Office:
    """An office that is not open yet: ``async with office.run()``."""
    return Office(folder, site_dir, clock(), browser, shots)
