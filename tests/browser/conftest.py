"""The console in its own process, a scripted controller behind it, and a real browser before it."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from runtime.clock import SystemClock
from tests.fakes import office as offices
from tests.fakes.console_controller import (
    PASSWORD,
    FakeController,
    FakeDirector,
    app_of,
    director_app,
    serving,
)
from tests.fakes.office_robot import bridge
from tests.fakes.office_site import fire_board, office_site
from tests.fakes.waiting import until_blocking
from zeroentry.facilities.model import SimBoard

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps once a second
    "--use-fake-ui-for-media-stream",
]
START_S = 40.0  # NiceGUI imports slowly on a machine that runs eight test suites at once
SEEN_MS = 15_000
STOP_S = 10.0

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Stage:
    """What one test plays on."""

    house: FakeController
    director: FakeDirector
    url: str
    browser: Browser
    shots: Path
    contexts: list[BrowserContext] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def visit(
        self, path: str = "/", *, language: str = "en", size: dict[str, int] = WIDE
    ) -> Page:
        """A new browser without a login."""
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="zh-CN" if language == "zh" else "en-US",
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        context.on("request", lambda request: self.requests.append(request.url))
        page = await context.new_page()
        self.watch(page)
        await page.goto(self.url + path)
        return page

    def watch(self, page: Page) -> None:
        """Collect what goes wrong on a page."""
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def enter(
        self,
        user: str = "visitor",
        *,
        language: str = "en",
        size: dict[str, int] = WIDE,
        path: str = "/",
    ) -> Page:
        """A browser whose user has logged in."""
        page = await self.visit(path, language=language, size=size)
        await page.get_by_test_id("login-username").fill(user)
        await page.get_by_test_id("login-password").fill(PASSWORD)
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("login-form").wait_for(state="detached")
        return page

    async def beside(self, page: Page, path: str) -> Page:
        """Another tab of the same browser."""
        other = await page.context.new_page()
        self.watch(other)
        await other.goto(self.url + path)
        return other

    async def shoot(self, page: Page, name: str, *, full: bool = False) -> None:
        """Keep a picture of the page."""
        await page.screenshot(path=self.shots / f"{name}.png", full_page=full)

    def hosts(self) -> set[str | None]:
        """Hosts that the browser spoke to."""
        return {
            urlsplit(url).hostname
            for url in self.requests
            if not url.startswith(("data:", "blob:", "about:"))
        }


@pytest.fixture(scope="session")
def shots() -> Path:
    folder = Path(os.environ.get("ZEROENTRY_SCREENSHOTS", "build/screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Addresses:
    """Where the console is, and where it expects controller and director."""

    console: str
    controller_port: int
    director_port: int


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """One console process for all tests: each puts its own house behind it."""
    at, controller, director = _free_port(), _free_port(), _free_port()
    config = tmp_path_factory.mktemp("console") / "console.yaml"
    config.write_text(
        f"controller_url: http://127.0.0.1:{controller}\nport: {at}\n"
        f"demo: {{url: 'http://127.0.0.1:{director}', token_env: ZEROENTRY_DIRECTOR_TOKEN}}\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.console", "--config", str(config)],
        env={**os.environ, "ZEROENTRY_DIRECTOR_TOKEN": "director"},
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{at}"

    def answers() -> bool:
        assert process.poll() is None, f"the console ended with {process.returncode}"
        try:
            return httpx.get(f"{url}/login", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until_blocking(answers, within_s=START_S, what="the console answers")
        yield Addresses(url, controller, director)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the console did not stop within {STOP_S} s of SIGTERM") from None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=SEEN_MS)  # its own five seconds are too few beside other suites
    async with async_playwright() as player:
        browser = await player.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(shots: Path, addresses: Addresses, browser: Browser) -> AsyncIterator[Stage]:
    house, director = FakeController(SystemClock()), FakeDirector()
    async with (
        serving(app_of(house), addresses.controller_port) as origin,
        serving(director_app(director), addresses.director_port),
    ):
        house.origin = origin
        stage = Stage(house, director, addresses.console, browser, shots)
        try:
            yield stage
        finally:
            for context in stage.contexts:
                await context.close()
            house.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_office(
    browser: Browser, shots: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[offices.Office]:
    """The office of the whole session; a test asks for ``office``."""
    folder = tmp_path_factory.mktemp("office")
    made = offices.office_of(folder, shots, browser, site_dir=office_site(folder))
    async with made.run():
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def robot(
    open_office: offices.Office, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """A robot of the office, on line from its first test to the session's end."""
    async with bridge(open_office, tmp_path_factory.mktemp("robot")) as robot_id:
        yield robot_id


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fire(open_office: offices.Office) -> AsyncIterator[SimBoard]:
    """The board of the fire panel; ``fire.script("fire-panel burning")`` sets it off."""
    async with fire_board(open_office) as board:
        yield board


@pytest_asyncio.fixture(loop_scope="session")
async def office(open_office: offices.Office) -> AsyncIterator[offices.Office]:
    """Real processes of ours, shared by the session: leave rooms as you would find them.

    Tests that use it need ``pytestmark = pytest.mark.asyncio(loop_scope="session")``.
    """
    await open_office.begin()
    try:
        yield open_office
    finally:
        await open_office.leave()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
