"""What the nodes recorded, from the console: the clip of an alert, live video, recordings."""

import re
import socket
from datetime import datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, expect

from contracts.api import AlertView
from contracts.units import UtcMs
from tests.browser.conftest import PHONE, Stage
from tests.fakes.clip_mp4 import SIZE_PX, clip_mp4

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

MINUTE_MS = 60_000


def raised_a_minute_ago(stage: Stage) -> AlertView:
    """An alert whose clip is complete."""
    alert = stage.house.raise_alert()
    changes = {
        "since_utc_ms": UtcMs(alert.since_utc_ms - MINUTE_MS),
        "raised_utc_ms": UtcMs(alert.raised_utc_ms - MINUTE_MS),
    }
    stage.house.put(alert.model_copy(update=changes))
    return stage.house.alerts[alert.id]


async def clip_of(page: Page, alert: AlertView) -> Locator:
    await page.get_by_test_id(f"alert-{alert.id}").click()
    clip = page.get_by_test_id("clip")
    await expect(clip).to_be_visible()
    return clip


async def plays(page: Page) -> None:
    """The clip's video runs and has a picture."""
    video = page.get_by_test_id("clip-video")
    await video.evaluate("video => video.play()")
    await page.wait_for_function(
        "(() => { const v = document.querySelector('[data-testid=clip-video]');"
        f" return v && v.currentTime > 0.3 && v.videoWidth === {SIZE_PX[0]}; }})()"
    )


async def follow(page: Page, link: Locator) -> Page:
    """What opens in another tab, by the keyboard."""
    await link.focus()
    async with page.context.expect_page() as opening:
        await page.keyboard.press("Enter")
    other = await opening.value
    await other.wait_for_load_state()
    return other


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_clip_of_an_alert_plays_in_its_dialog(stage: Stage, language: str) -> None:
    stage.house.clip_mp4 = clip_mp4()
    alert = raised_a_minute_ago(stage)
    page = await stage.enter(language=language)
    clip = await clip_of(page, alert)
    await expect(clip).to_have_attribute("data-state", "playing")
    src = await page.get_by_test_id("clip-video").get_attribute("src")
    address = f"{stage.house.origin}/api/v1/alerts/{alert.id}/clip.mp4?ticket=clip-ticket"
    assert src == address
    await plays(page)
    await stage.shoot(page, f"clip-{language}")
    other = await follow(page, page.get_by_test_id("clip-recordings"))
    parts = urlsplit(other.url)
    asked = parse_qs(parts.query)
    assert parts.path == "/view/room-1-cam/recordings"
    assert asked["ticket"] == ["recording-ticket"]
    assert int(asked["from"][0]) < alert.since_utc_ms < int(asked["to"][0])
    assert stage.errors == []


async def test_before_its_end_the_clip_says_when_it_is_complete(stage: Stage) -> None:
    stage.house.clip_mp4 = clip_mp4()
    alert = stage.house.raise_alert()
    page = await stage.enter()
    clip = await clip_of(page, alert)
    await expect(clip).to_have_attribute("data-state", "waiting")
    complete = datetime.fromtimestamp(
        (alert.raised_utc_ms + 21_500) / 1_000, ZoneInfo("Asia/Shanghai")
    )
    await expect(page.get_by_test_id("clip-waiting")).to_contain_text(
        f"The clip is complete at {complete:%H:%M:%S}"
    )
    await expect(page.get_by_test_id("clip-video")).to_have_count(0)
    await stage.shoot(page, "clip-waiting-en")
    await page.get_by_test_id("clip-early").click()
    video = page.get_by_test_id("clip-video")
    await expect(video).to_have_attribute("src", re.compile(r"ticket=clip-ticket&to=7$"))
    await plays(page)
    # Not taken away under the viewer's eyes: the whole clip is a button once it is there.
    await page.get_by_test_id("clip-whole").click(timeout=30_000)
    await expect(video).to_have_attribute("src", re.compile(r"ticket=clip-ticket$"))
    assert stage.errors == []


async def test_a_node_that_is_away_is_told_from_one_that_has_nothing(stage: Stage) -> None:
    alert = raised_a_minute_ago(stage)
    page = await stage.enter()
    clip = await clip_of(page, alert)
    await expect(clip).to_have_attribute("data-state", "failed")
    await page.get_by_test_id("alert-close").click()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        stage.house.clip_origin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        clip = await clip_of(page, alert)
        await expect(clip).to_have_attribute("data-state", "away")
        await expect(page.get_by_test_id("clip-trouble")).to_contain_text("does not answer")
        await stage.shoot(page, "clip-away-en")
    stage.house.clip_origin, stage.house.clip_mp4 = "", clip_mp4()
    await page.get_by_test_id("clip-again").click()
    await expect(clip).to_have_attribute("data-state", "playing")
    await plays(page)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_room_leads_to_live_video_and_recordings(stage: Stage, language: str) -> None:
    page = await stage.enter(language=language)
    await page.get_by_test_id("room-room-1").locator("button").first.click()
    links = {"live": "Live video", "recordings": "Recordings"}
    if language == "zh":
        links = {"live": "实时视频", "recordings": "录像回放"}
    for kind, label in links.items():
        await expect(page.get_by_test_id(f"{kind}-room-1-cam")).to_contain_text(label)
    await stage.shoot(page, f"room-links-{language}")
    live = await follow(page, page.get_by_test_id("live-room-1-cam"))
    assert live.url == f"{stage.house.origin}/view/room-1-cam?ticket=live-ticket"
    recordings = await follow(page, page.get_by_test_id("recordings-room-1-cam"))
    assert (
        recordings.url == f"{stage.house.origin}/view/room-1-cam/recordings?ticket=recording-ticket"
    )
    # No link holds a ticket before it is followed: one that stands in a page only ages.
    links_html = await page.locator(".ze-room-links").inner_html()
    assert "ticket" not in links_html
    assert stage.errors == []


async def test_a_refused_link_says_why_and_a_stranger_is_sent_to_log_in(stage: Stage) -> None:
    page = await stage.enter()
    other = await stage.beside(page, "/watch/room-2-cam/recordings")
    await expect(other.get_by_test_id("notice")).to_contain_text("The node is not up, visitor.")
    stranger = await stage.visit("/watch/room-1-cam/live")
    await expect(stranger.get_by_test_id("login-form")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_clip_and_links_fit_a_phone(stage: Stage, language: str) -> None:
    stage.house.clip_mp4 = clip_mp4()
    alert = raised_a_minute_ago(stage)
    page = await stage.enter(language=language, size=PHONE)
    await clip_of(page, alert)
    await plays(page)
    dialog = page.get_by_test_id("alert-dialog")
    assert await dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    await page.get_by_test_id("clip").scroll_into_view_if_needed()
    await stage.shoot(page, f"phone-clip-{language}")
    await page.get_by_test_id("alert-close").click()
    await page.get_by_test_id("room-room-1").locator("button").first.click()
    room = page.get_by_test_id("room-dialog")
    await expect(page.get_by_test_id("live-room-1-cam")).to_be_visible()
    assert await room.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    await stage.shoot(page, f"phone-room-{language}")
    assert stage.errors == []
