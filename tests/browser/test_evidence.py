"""Search, timeline and statistics on real processes, and all cameras at the same instant."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import FastAPI, Query, Response
from fastapi.responses import FileResponse
from playwright.async_api import Page, expect

from tests.fakes.clip_mp4 import clip_mp4
from tests.fakes.office import PHONE, Office
from tests.fakes.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

ROOM = "room-1"
CLIP_S = 12
IN_STEP_MS = 90_000  # several videos are decoded by a machine without a GPU, beside other suites


def serve_recordings(app: FastAPI, office: Office, clip: Path) -> None:
    """What the stand-in of a node lacks: stills, clips by range, and what a clip really holds."""
    before = list(app.router.routes)

    @app.get("/api/v1/cameras/{camera_id}/clip.json")
    def clip_info(camera_id: str, begin: Annotated[int, Query(alias="from")]) -> dict[str, int]:
        return {"start_utc_ms": begin}

    @app.get("/api/v1/cameras/{camera_id}/clip.mp4")
    def clip_file(camera_id: str) -> FileResponse:
        return FileResponse(clip, media_type="video/mp4")

    @app.get("/api/v1/cameras/{camera_id}/still.jpg")
    def still(camera_id: str, at: int) -> Response:
        scene = office.node_of(ROOM)._scene(camera_id)
        return Response(scene.jpeg(at // 1_000), media_type="image/jpeg")

    # Ours first: the stand-in's own clip is short, and cannot be sought in.
    made = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = [*made, *before]


@pytest.fixture
def node(office: Office, tmp_path: Path) -> Iterator[Office]:
    app = office.node_of(ROOM).app
    before = list(app.router.routes)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(clip_mp4(CLIP_S))
    serve_recordings(app, office, clip)
    yield office
    app.router.routes[:] = before


async def timeline(page: Page, room: str = ROOM) -> None:
    await page.get_by_test_id("timeline-room").select_option(room)
    await expect(page.get_by_test_id("ruler")).to_be_visible()


async def test_what_was_raised_is_found_in_both_languages(node: Office) -> None:
    alert = node.raise_alert(ROOM)
    client = await node.client()

    async def found() -> bool:
        return any(row.id == alert for row in (await client.search({"kind": ["alert"]})).items)

    await until(found, within_s=30, what="the alert is in the index")
    page = await node.enter(path="/evidence", language="zh")
    await expect(page.get_by_test_id(f"found-alert/{alert}")).to_be_visible()
    title = (await client.alert(alert)).title
    await page.get_by_test_id("evidence-text").fill(title.zh[:2])
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id(f"found-alert/{alert}")).to_be_visible()
    await node.shoot(page, "evidence-zh")
    await page.get_by_test_id("evidence-text").fill("无此词语")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("evidence-none")).to_be_visible()

    page = await node.enter(path="/evidence", language="en")
    await page.get_by_test_id("evidence-text").fill(title.en.split()[0][:4])
    await page.get_by_test_id("evidence-go").click()
    row = page.get_by_test_id(f"found-alert/{alert}")
    await expect(row).to_contain_text(title.en)
    await page.get_by_test_id(f"show-alert/{alert}").click()
    await expect(page.get_by_test_id("timeline")).to_have_attribute(
        "data-at", re.compile(r"\d{13}")
    )
    await expect(page.locator(".ze-tl-mark").first).to_be_visible()
    node.node_of(ROOM).clear_alert(alert)
    assert node.errors == []


async def test_all_cameras_of_a_room_stand_at_the_same_instant(node: Office) -> None:
    page = await node.enter(path="/evidence", language="en")
    await timeline(page)
    players = page.locator("[data-testid^=player-]")
    await expect(players.first).to_have_attribute("data-state", "ready")
    await node.shoot(page, "evidence-timeline-en", full=True)

    ruler = page.get_by_test_id("ruler")
    before = int(await page.get_by_test_id("timeline").get_attribute("data-at") or 0)
    await ruler.focus()
    await page.keyboard.press("ArrowLeft")  # far enough from now for two seconds of playing
    after = int(await page.get_by_test_id("timeline").get_attribute("data-at") or 0)
    assert after < before

    await expect(players.first).to_have_attribute("data-state", "ready")
    await page.keyboard.press("Space")
    await expect(page.get_by_test_id("timeline")).to_have_attribute("data-playing", "true")
    in_step = """([first, since]) => {
      const section = first.closest("section");
      const rows = [...section.querySelectorAll("[data-testid^=player-]")];
      const going = Number(section.dataset.at) - since > 1000;
      return going && rows.every((row) => row.dataset.state === "ready"
        && row.dataset.drift !== "0" && Math.abs(Number(row.dataset.drift)) <= 200
        && row.querySelector("video").currentTime > 0);
    }"""
    video = await page.locator("video").first.element_handle()
    await page.wait_for_function(in_step, arg=[video, after], timeout=IN_STEP_MS)
    await page.get_by_test_id("timeline-play").click()
    assert node.errors == []


async def test_timeline_and_statistics_on_a_phone_and_in_chinese(node: Office) -> None:
    page = await node.enter(path=f"/evidence?room={ROOM}", language="zh", size=PHONE)
    await expect(page.get_by_test_id("ruler")).to_be_visible()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    await node.shoot(page, "evidence-phone", full=True)

    page = await node.enter("auditor", "/statistics", "zh")
    await expect(page.get_by_test_id("card-alerts")).to_be_visible()
    await expect(page.get_by_test_id("table-rules")).to_be_visible()
    await expect(page.locator(".ze-st-chart canvas").first).to_be_visible()
    await node.shoot(page, "statistics-zh", full=True)
    async with page.expect_download() as download:
        await page.get_by_test_id("statistics-csv").click()
    assert (await download.value).suggested_filename.endswith(".csv")

    page = await node.enter("auditor", "/statistics", "en", PHONE)
    await expect(page.get_by_test_id("table-rules")).to_be_visible()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    await node.shoot(page, "statistics-phone", full=True)
    assert node.errors == []
