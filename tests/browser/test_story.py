"""The product's story, told by a supervisor's browser on real processes, from seal to report."""

import asyncio
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from contracts.api import AlertView, SessionView
from contracts.api.report import ReportFile
from contracts.observations import Condition
from tests.fakes.office import REPO
from tests.fakes.story_house import LOOK_MS, ROOM, USER, StoryHouse, story_house
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

ADMITTED = 5
OVER_ADMITTED = "area.over_admitted"
TITLE = "城北污水管网工程施工 1 标段"
ON_THE_WALL_MS = 1_000  # issue 5: of its arrival in the controller
WATCH = """() => {
  window.ze_seen = {};
  const look = () => {
    const cards = document.querySelectorAll("[data-alert]");
    for (const card of cards) window.ze_seen[card.dataset.alert] ??= Date.now();
    const rung = Number(document.querySelector("[data-testid=ring]")?.dataset.rung || 0);
    if (rung) window.ze_rung ??= Date.now();
  };
  const all = { subtree: true, childList: true, attributes: true };
  new MutationObserver(look).observe(document.body, all);
  look();
}"""
PLAY = "async (one) => { one.muted = true; await one.play(); return true; }"


async def sealed_by_hand(house: StoryHouse, page: Page, session: SessionView) -> None:
    """Seal from the wall; what this machine lacks, the session's desk overrides with a reason."""
    await page.get_by_test_id(f"seal-{session.id}").click()
    await page.get_by_test_id("confirm-yes").click()
    await page.get_by_test_id("banner-look").click()
    await page.get_by_test_id("step-seal").click()
    reasons = page.get_by_test_id("overrides").locator("input")
    await expect(reasons.first).to_be_visible()
    for place in range(await reasons.count()):
        await reasons.nth(place).fill("not to be had on this machine")
    await page.get_by_test_id("step-go").click()
    confirmed = page.get_by_test_id("seal-confirmed")
    await expect(confirmed).to_be_visible()
    await expect(confirmed).not_to_contain_text("Waits", timeout=10_000)  # the node has said so
    await house.shoot(page, "story-0-sealed")
    await page.get_by_test_id("nav-wall").click()
    row = page.get_by_test_id(f"session-{session.id}")
    await expect(row).to_have_attribute("data-state", "sealed")


async def alert_of(house: StoryHouse) -> AlertView:
    """The alert that the sixth person becomes, as soon as the controller has it."""
    found: list[AlertView] = []

    async def raised() -> bool:
        await house.clock.sleep_ms(LOOK_MS)
        alerts = (await house.api.overview()).alerts
        found[:] = [alert for alert in alerts if alert.rule == OVER_ADMITTED]
        return bool(found)

    await until(raised, within_s=30, what="the alert of the sixth person")
    assert len(found) == 1
    return found[0]


async def plays(page: Page) -> None:
    """The clip is H.264 in MP4, cut from what the recorder wrote, and its time goes on."""
    video = page.get_by_test_id("clip-video")
    await page.get_by_test_id("clip-early").or_(video).first.wait_for()
    if not await video.count():
        await page.get_by_test_id("clip-early").click()
    await video.wait_for()
    assert await video.evaluate(PLAY)
    await page.wait_for_function(
        "document.querySelector('[data-testid=clip-video]')?.currentTime > 0.4"
    )
    clip = await page.context.request.get(await video.get_attribute("src") or "")
    assert b"avc1" in await clip.body(), "the clip is not H.264"


async def seen_in_time(page: Page, card: Locator, alert: AlertView) -> None:
    """The alert stood on the wall, and the wall rang, within a second of its arrival."""
    await expect(card).to_be_visible()
    await expect(page.get_by_test_id(f"room-{ROOM}")).to_have_attribute("data-alarm", "alarm")
    await expect(page.get_by_test_id("ring")).not_to_have_attribute("data-rung", "0")
    seen = await page.evaluate("(id) => window.ze_seen[id]", alert.id)
    assert seen - alert.received_utc_ms <= ON_THE_WALL_MS
    assert await page.evaluate("window.ze_rung") - alert.received_utc_ms <= ON_THE_WALL_MS


async def resolved(house: StoryHouse, page: Page, alert: AlertView) -> None:
    """The sixth person has gone, and the supervisor says what it was."""

    async def cleared() -> bool:
        await house.clock.sleep_ms(LOOK_MS)
        return (await house.api.alert(alert.id)).condition is Condition.CLEARED

    await until(cleared, within_s=30, what="the sixth person has gone")
    await page.get_by_test_id(f"alert-{alert.id}").click()
    dialog = page.get_by_test_id("alert-dialog")
    await page.get_by_test_id("handling-resolve").click()
    chosen = page.get_by_test_id("handling-disposition")
    await chosen.locator("select").or_(chosen).last.select_option("violation")
    await dialog.get_by_test_id("handling-send").click()
    await expect(dialog).to_contain_text("Resolved")
    await house.shoot(page, "story-3-resolved")
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()


async def test_the_story_from_seal_to_a_verified_report(
    browser: Browser, shots: Path, tmp_path: Path
) -> None:
    async with story_house(tmp_path / "house", browser, shots) as house:
        session = await house.gathered(TITLE, ADMITTED)
        page = await house.page()
        await sealed_by_hand(house, page, session)
        await page.evaluate(WATCH)
        await house.intrude()
        alert = await alert_of(house)
        card = page.get_by_test_id(f"alert-{alert.id}")
        await seen_in_time(page, card, alert)
        await house.shoot(page, "story-1-alert")

        await page.keyboard.press("a")
        await page.keyboard.press("Enter")
        dialog = page.get_by_test_id("alert-dialog")
        await expect(dialog).to_contain_text("6 people")
        await plays(page)
        await house.shoot(page, "story-2-clip")
        await page.keyboard.press("Escape")
        await expect(dialog).not_to_be_visible()
        await page.keyboard.press("Space")
        await expect(card).to_have_attribute("data-handling", "acknowledged")
        assert (await house.api.alert(alert.id)).acknowledged_by == USER
        await house.withdraw()
        await resolved(house, page, alert)

        await page.get_by_test_id(f"release-{session.id}").click()
        await page.get_by_test_id("confirm-yes").click()
        await expect(page.get_by_test_id(f"session-{session.id}")).to_have_attribute(
            "data-state", "released"
        )
        await verified_report(house, page, session, tmp_path)
        assert house.errors == []


async def verified_report(
    house: StoryHouse, page: Page, session: SessionView, folder: Path
) -> None:
    """The page's own buttons sign it and hand it out; a stranger's check of the files passes."""
    await page.goto(f"{house.plan.console_url}/report/{session.id}")
    await page.get_by_test_id("report-make").click()
    await expect(page.get_by_test_id("report-v1")).to_be_visible(timeout=30_000)
    await expect(page.get_by_test_id("report-page")).to_be_visible()
    await house.shoot(page, "story-4-report")
    for button, name in (("pdf-zh", "report.zh.pdf"), ("bundle", "report.zip")):
        async with page.expect_download() as handed:
            await page.get_by_test_id(f"report-{button}").click()
        await (await handed.value).save_as(folder / name)
    key = await house.api.report_file(session.id, 1, ReportFile.KEY)
    (folder / "controller.pem").write_bytes(key)
    text = "".join(row.extract_text() for row in PdfReader(folder / "report.zh.pdf").pages)
    assert TITLE.replace(" ", "") in text.replace(" ", "").replace("\n", "")
    given = ("report", "verify", "report.zip", "--controller-key", "controller.pem")
    checked = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "zeroentry", *given),
        cwd=folder,
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        said, _ = await checked.communicate()
    assert checked.returncode == 0, said.decode()
