"""A level-3 site on its first day: the one-time link, the second factor, the provider's button."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pyotp
import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, BrowserContext, Page, expect

from controller.auth.first_link import LINK_FILE
from controller.auth.oidc import CLIENT_SECRET_ENV
from runtime.clock import SystemClock
from tests.fakes.office import DEMO_SITE, PHONE, REPO, WIDE
from tests.fakes.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider_on_loopback
from tests.fakes.ports import free_port
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

START_S = 60.0
STOP_S = 20.0
SEEN_MS = 15_000
GOOD = "violet tractor 88 lakes"
NAMES = {"name": "wang.system", "security": "li.security", "audit": "zhao.audit"}


@dataclass
class FirstDay:
    """A controller without any account, its console, and the centre's identity provider."""

    folder: Path
    url: str
    provider: Provider
    browser: Browser
    shots: Path
    errors: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def visit(self, address: str, language: str, size: Mapping[str, int] = WIDE) -> Page:
        """A browser that nobody knows yet."""
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="zh-CN" if language == "zh" else "en-US",
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        page = await context.new_page()
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(address)
        return page

    async def shoot(self, page: Page, name: str) -> None:
        """Keep a picture of the whole page."""
        await page.screenshot(path=self.shots / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_on_loopback(int(SystemClock().utc_ms()) // 1_000) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def day(
    browser: Browser, shots: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FirstDay]:
    """Controller and console in their processes; there is no broker, and none is needed."""
    folder = tmp_path_factory.mktemp("first-day")
    api, console, broker = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{console}"
    provider.redirect = f"{url}/login/oidc"
    file = folder / "controller.yaml"
    file.write_text(yaml.safe_dump(_settings(folder, url, api, broker, provider)), "utf-8")
    environ = {name: text for name, text in os.environ.items() if "ZEROENTRY" not in name}
    keys = {"edge-1": "22" * 32, "edge-2": "33" * 32}
    secrets = {
        "ZEROENTRY_RUN_KEY": "ab" * 32,
        "ZEROENTRY_EDGE_TOKEN": "edge-token-of-the-first-day",
        "ZEROENTRY_NODE_KEYS": json.dumps(keys),
        CLIENT_SECRET_ENV: CLIENT_SECRET,
        "ZEROENTRY_CONSOLE_CONTROLLER_URL": f"http://127.0.0.1:{api}",
        "ZEROENTRY_CONSOLE_PORT": str(console),
        "ZEROENTRY_CONSOLE_SECRET": "of-the-first-day",
    }
    running = [
        await _spawn(folder, name, module, environ | secrets)
        for name, module in (
            ("controller", ("controller", "--config", str(file))),
            ("console", ("controller.console",)),
        )
    ]
    made = FirstDay(folder, url, provider, browser, shots)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            await until(
                lambda: _answers(http, running, f"{url}/login"),
                within_s=START_S,
                what=f"the console answers; see {folder}",
            )
        await until((folder / "data" / LINK_FILE).exists, within_s=START_S, what="the link is left")
        yield made
    finally:
        for context in made.contexts:
            await context.close()
        for process in running:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(STOP_S):
                await process.wait()


def _settings(
    folder: Path, url: str, api: int, broker: int, provider: Provider
) -> dict[str, object]:
    oidc = {
        "name": "市交易中心",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "redirect_url": provider.redirect,
        "roles": {"supervision": ["supervisor"]},
    }
    return {
        "site_dir": str(DEMO_SITE),
        "data_dir": str(folder / "data"),
        "mqtt": {"port": broker},
        "api": {"port": api},
        "security": {"profile": "level3", "console_url": url, "oidc": oidc},
    }


async def _spawn(
    folder: Path, name: str, module: tuple[str, ...], environ: Mapping[str, str]
) -> Process:
    with (folder / f"{name}.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *module, cwd=REPO, env=environ, stdout=log, stderr=log
        )


async def _answers(http: httpx.AsyncClient, running: list[Process], address: str) -> bool:
    for process in running:
        assert process.returncode is None, "a process ended; its log is in the test's folder"
    try:
        return (await http.get(address)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def set_password(page: Page) -> None:
    await page.get_by_test_id("welcome-password").fill(GOOD)
    await page.get_by_test_id("welcome-again").fill(GOOD)
    await page.get_by_test_id("welcome-submit").click()


async def test_the_first_link_makes_three_administrators_and_is_good_once(day: FirstDay) -> None:
    link = (day.folder / "data" / LINK_FILE).read_text("utf-8").strip()
    page = await day.visit(link, "zh")
    await expect(page.get_by_test_id("welcome")).to_have_attribute("data-state", "ready")
    assert page.url == f"{day.url}/welcome", "the secret stays in the address bar"
    for field_of, name in NAMES.items():
        await page.get_by_test_id(f"welcome-{field_of}").fill(name)
    await day.shoot(page, "first-administrator-zh")
    await set_password(page)
    await expect(page.get_by_test_id("welcome-done")).to_be_visible()
    others = page.locator(".ze-once code")
    await expect(others).to_have_count(2)
    await day.shoot(page, "first-administrator-links-zh")
    again = await day.visit(link, "en", PHONE)
    await expect(again.get_by_test_id("welcome")).to_have_attribute("data-state", "dead")
    await day.shoot(again, "first-administrator-used-phone-en")
    second = await day.visit(await others.first.inner_text(), "en")
    await expect(second.get_by_test_id("welcome")).to_contain_text("li.security")
    await set_password(second)
    await expect(second.get_by_test_id("welcome-done")).to_be_visible()
    assert day.errors == []


async def test_level_3_lets_nobody_in_who_has_no_second_factor(day: FirstDay) -> None:
    page = await day.visit(f"{day.url}/login", "zh")
    await page.get_by_test_id("login-username").fill("li.security")
    await page.get_by_test_id("login-password").fill(GOOD)
    await page.get_by_test_id("login-submit").click()
    await page.get_by_test_id("login-form").wait_for(state="detached")
    await page.goto(f"{day.url}/settings")
    await page.get_by_test_id("factor-offer").click()
    await expect(page.get_by_test_id("qr").locator("svg")).to_be_visible()
    await expect(page.get_by_test_id("nav")).to_have_count(0)
    await day.shoot(page, "level3-enrol-zh")
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await day.shoot(page, "level3-enrol-phone-zh")
    key = await page.get_by_test_id("factor-secret").inner_text()
    code = pyotp.TOTP(key).at(int(SystemClock().utc_ms()) // 1_000)
    await page.get_by_test_id("factor-code").fill(code)
    await page.get_by_test_id("factor-confirm").click()
    await expect(page.get_by_test_id("recovery").locator("li")).to_have_count(10)
    await page.get_by_test_id("recovery-kept").click()
    await page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    await page.goto(f"{day.url}/settings")
    await expect(page.get_by_test_id("account-wang.system")).to_be_visible()
    assert day.errors == []


async def test_the_providers_button_leads_there_and_back(day: FirstDay) -> None:
    day.provider.claims = {"amr": ["pwd", "otp"]}
    page = await day.visit(f"{day.url}/login", "zh")
    button = page.get_by_test_id("login-sso")
    await expect(button).to_contain_text("市交易中心")
    await day.shoot(page, "login-provider-zh")
    await button.click()
    await expect(page.get_by_test_id("user")).to_contain_text("li.wei")
    assert "/authorize" in day.provider.asked
    assert "/token" in day.provider.asked
    forged = await day.visit(f"{day.url}/login/oidc?state=forged&code=forged", "en")
    await expect(forged.get_by_test_id("notice")).to_be_visible()
    await day.shoot(forged, "login-provider-forged-en")
