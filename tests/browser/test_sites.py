"""The page of other sites before two real controllers: invite, refuse, cut, alerts, receipt."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.fakes.office import PHONE, SEEN_MS, WIDE
from tests.fakes.ports import free_port
from tests.fakes.site_pair import (
    OVERRIDES,
    PASSWORD,
    REPO,
    START_S,
    WAIT_S,
    Centre,
    Two,
    edge_node,
    joined,
    part_of,
    state_of,
    told,
    two_centres,
)
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Consoles:
    """The consoles of both sites, and a browser."""

    two: Two
    urls: dict[str, str]
    browser: Browser
    shots: Path
    errors: list[str]

    async def enter(
        self, centre: Centre, language: str = "en", size: dict[str, int] = WIDE
    ) -> Page:
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="zh-CN" if language == "zh" else "en-US",
        )
        context.set_default_timeout(SEEN_MS * 2)
        page = await context.new_page()
        page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(f"{self.urls[centre.name]}/login?next=/sites")
        await page.get_by_test_id("login-username").fill("sup")
        await page.get_by_test_id("login-password").fill(PASSWORD)
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id("sites-page").wait_for()
        return page

    async def shoot(self, page: Page, name: str) -> None:
        await page.screenshot(path=self.shots / f"{name}.png", full_page=True)


async def _console(centre: Centre, folder: Path) -> tuple[Process, str]:
    port = free_port()
    environ = {name: text for name, text in os.environ.items() if "ZEROENTRY" not in name}
    environ |= {
        "ZEROENTRY_CONSOLE_CONTROLLER_URL": f"http://127.0.0.1:{centre.port}",
        "ZEROENTRY_CONSOLE_PORT": str(port),
        "ZEROENTRY_CONSOLE_SECRET": centre.name,
    }
    with (folder / f"console-{centre.name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "controller.console",
            cwd=REPO,
            env=environ,
            stdout=log,
            stderr=log,
        )
    return process, f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture(loop_scope="session")
async def consoles(tmp_path: Path, shots: Path, browser: Browser) -> AsyncIterator[Consoles]:
    async with two_centres(tmp_path) as two:
        made = await asyncio.gather(*(_console(one, tmp_path) for one in (two.host, two.guest)))
        urls = {"east": made[0][1], "west": made[1][1]}
        try:
            async with httpx.AsyncClient(trust_env=False) as http:

                async def up() -> bool:
                    try:
                        answers = [await http.get(f"{url}/login") for url in urls.values()]
                    except httpx.TransportError:
                        return False
                    return all(row.status_code == httpx.codes.OK for row in answers)

                await until(up, within_s=START_S, what="both consoles answer")
            stage = Consoles(two, urls, browser, shots, [])
            yield stage
            for context in browser.contexts:
                await context.close()
        finally:
            for process, _ in made:
                process.kill()
                await process.wait()


async def test_a_joint_session_is_followed_on_the_page(consoles: Consoles, tmp_path: Path) -> None:
    expect.set_options(timeout=SEEN_MS)
    two = consoles.two
    host, guest = two.host, two.guest
    page = await consoles.enter(host)
    await expect(page.get_by_test_id("peer-west")).to_have_attribute("data-link", "up")
    await expect(page.get_by_test_id("joints-empty")).to_be_visible()
    await consoles.shoot(page, "sites-empty-en")

    joint, _, theirs = await joined(two)
    card = page.get_by_test_id(f"joint-{joint}")
    await expect(card).to_have_attribute("data-state", "ready")
    await host.post(f"/sites/sessions/{joint}/seal", {"overrides": OVERRIDES})
    await expect(card.get_by_test_id("part-refused")).to_contain_text("node_alive")
    await expect(card).to_have_attribute("data-state", "sealing")
    await consoles.shoot(page, "sites-refused-en")
    await guest.step(theirs, "seal")
    await expect(card).to_have_attribute("data-state", "sealed")
    await page.get_by_test_id(f"details-{joint}").click()

    async with edge_node(two, tmp_path) as node:
        node.alert("g1", theirs)
        await expect(page.get_by_test_id("guest-alert-west-g1")).to_be_visible()
        await page.get_by_test_id(f"urge-{joint}").click()
        await page.get_by_test_id("joint-reason").fill("请尽快核实 3 号席")
        await page.get_by_test_id("joint-yes").click()
        two.cut()
        await expect(card.get_by_test_id("part-fault")).to_be_visible()
        await expect(page.get_by_test_id("peer-west")).to_have_attribute("data-link", "lost")
        chinese = await consoles.enter(host, "zh")
        await chinese.get_by_test_id(f"details-{joint}").click()
        await expect(chinese.get_by_test_id("guest-alert-west-g1")).to_be_visible()
        await consoles.shoot(chinese, "sites-cut-zh")
        node.alert("g2", theirs)
        two.mend()
        await expect(page.get_by_test_id("guest-alert-west-g2")).to_be_visible()
        await expect(card.get_by_test_id("part-fault")).to_have_count(0)

    await page.get_by_test_id(f"release-{joint}").click()
    await page.get_by_test_id("joint-reason").fill("evaluation is over")
    await page.get_by_test_id("joint-yes").click()
    await expect(card).to_have_attribute("data-state", "released")
    assert await state_of(host, joint) == "released"
    assert sorted(await told(host, joint)) == ["g1", "g2"]
    await _hand_over(consoles, page, joint)


async def _hand_over(consoles: Consoles, page: Page, joint: str) -> None:
    there = await consoles.enter(consoles.two.guest, "zh", PHONE)
    await there.get_by_test_id("hand-over").click()
    await page.get_by_test_id("give-receipt").click()
    await page.get_by_test_id("receipt-all").check()
    await page.get_by_test_id("receipt-yes").click()
    await expect(page.get_by_test_id("receipt")).to_contain_text("all received")
    await expect(there.get_by_test_id("receipt")).to_be_visible()
    width = await there.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "nothing is wider than a phone"
    await consoles.shoot(there, "sites-guest-phone-zh")
    await consoles.shoot(page, "sites-released-en")

    async def signed() -> bool:
        part = await part_of(consoles.two.host, joint)
        return bool(part["handover"]["missing"] == 0)

    await until(signed, within_s=WAIT_S, what="nothing is missing")
    wanted = [text for text in consoles.errors if "favicon" not in text]
    assert wanted == []
