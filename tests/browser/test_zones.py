"""The editor of zones in a real browser: mouse, keys, two editors, both languages, a phone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from contracts.observations import CameraState, CameraView
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.core.people import Rect
from edge.evidence.pictures import jpeg
from edge.ports import Caption, Frame, Rgb
from runtime.clock import SystemClock
from runtime.http import listen, serve
from runtime.tokens import issue_ticket
from tests.corpus.families import Draw
from tests.corpus.stage import Stage
from tests.fakes.edge_api import KEY, TOKENS, FakeNode, FakePictures
from tests.fakes.waiting import until
from tests.fakes.zoned_room import CAMERA, ZonedSite
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Layout

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SEEN_MS = 15_000
PERIOD_MS = 200
WIDE, PHONE = (1280, 900), (390, 844)
AWAY, INSIDE = Place(-1.96, 4.25), Place(-2.31, 5.2)
"""Where the visitor stands: before the forbidden floor, and on it."""


@dataclass(frozen=True)
class Sight:
    """A picture of the composed room, and everybody in it."""

    rgb: Rgb
    people: tuple[Rect, ...]


@dataclass
class Room:
    """A composed room with four people who sit and one who stands, as a camera shows it."""

    sights: dict[bool, Sight]
    site: ZonedSite
    hub: LiveHub
    clock: SystemClock
    inside: bool = False

    def see(self) -> None:
        """Show the picture of now to viewers and to the rules."""
        sight = self.sights[self.inside]
        self.site.room.see(*sight.people)
        frame = Frame.of_rgb(CAMERA, sight.rgb, self.site.room.now, 0)
        view = CameraView(camera_id=CAMERA, state=CameraState.LIVE)
        self.hub.offer(frame, view, Caption(len(sight.people), None, alarm=False))

    async def run(self) -> None:
        while True:
            self.see()
            await self.clock.sleep_ms(PERIOD_MS)


@pytest.fixture(scope="module")
def painted() -> Stage:
    stage = Stage(Draw("zones page", 3), Layout.ROW, seats=4, duration_ms=30_000)
    stage.seat_all()
    stage.puts("visitor", 0, AWAY)
    stage.puts("visitor", 0, AWAY)
    stage.people["visitor"] = stage.people["visitor"].then(15_000, (INSIDE,))
    return stage


@pytest.fixture(scope="module")
def sights(painted: Stage) -> dict[bool, Sight]:
    """Without and with the visitor where nobody may be."""
    found = {}
    for inside, t_ms in ((False, 10_000), (True, 20_000)):
        boxes = painted.painters[CAMERA].boxes(list(painted.people.values()), t_ms).values()
        rects = tuple(Rect(b.x1 / 640, b.y1 / 360, b.x2 / 640, b.y2 / 360) for b in boxes)
        rgb = np.asarray(cv2.cvtColor(painted.picture(t_ms), cv2.COLOR_BGR2RGB), np.uint8)
        found[inside] = Sight(rgb, rects)
    return found


@dataclass
class Editor:
    """The page with what is behind it."""

    url: str
    browser: Browser
    shots: Path
    room: Room
    contexts: list[BrowserContext] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def visit(
        self, *, locale: str = "en-US", size: tuple[int, int] = WIDE, scope: str = "zones"
    ) -> Page:
        context = await self.browser.new_context(
            locale=locale, viewport={"width": size[0], "height": size[1]}
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        context.on("request", lambda request: self.requests.append(request.url))
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        now = self.room.clock.utc_ms()
        ticket = issue_ticket(KEY, "li.wei", scope, f"/api/v1/cameras/{CAMERA}", now, 300_000)
        await page.goto(f"{self.url}/view/{CAMERA}/zones?ticket={ticket}")
        return page

    @property
    def zones(self) -> list[str]:
        """Ids of the zones in force."""
        return [zone.id for zone in self.room.site.desk.book.of(CAMERA).zones]


@pytest_asyncio.fixture(loop_scope="session")
async def editor(
    tmp_path: Path, shots: Path, browser: Browser, sights: dict[bool, Sight]
) -> AsyncIterator[Editor]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        site = ZonedSite(tmp_path, pool, clock)
        stack.callback(site.close)
        hub = LiveHub(lambda rgb, *_: jpeg(rgb, 85), pool, clock, viewers_max=4)
        room = Room(sights, site, hub, clock)
        gate = Gate(tokens_from_environ(TOKENS), KEY, clock)
        app = build(FakeNode(), hub, FakePictures(), gate, version="1", zones=site.desk)
        bound = listen("127.0.0.1", 0)
        tasks = [asyncio.ensure_future(run) for run in (room.run(), serve(app, bound))]
        made = Editor(f"http://127.0.0.1:{bound.getsockname()[1]}", browser, shots, room)
        try:
            yield made
        finally:
            for context in made.contexts:
                await context.close()
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


async def ready(page: Page) -> None:
    """Wait until zones and picture are there."""
    await page.wait_for_selector('body[data-mode="live"]')
    await page.get_by_test_id("blind").wait_for(state="hidden")


async def click_at(page: Page, points: Sequence[tuple[float, float]]) -> None:
    box = await page.get_by_test_id("plane").bounding_box()
    assert box is not None
    for x, y in points:
        await page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


async def draw(page: Page, kind: str, points: Sequence[tuple[float, float]]) -> None:
    """Draw a zone by mouse; a polygon is closed on its first corner."""
    await page.get_by_test_id("kind").select_option(kind)
    await page.get_by_test_id("draw").click()
    await click_at(page, points if kind in {"gate", "line"} else [*points, points[0]])


async def save(page: Page) -> None:
    async with page.expect_response(lambda answer: answer.request.method == "PUT") as waited:
        await page.get_by_test_id("save").click()
    assert (await waited.value).status == 200


def corner(stage: Stage) -> list[tuple[float, float]]:
    """The floor around where the visitor must not stand."""
    x, z = INSIDE.x_m, INSIDE.z_m
    return [
        stage.share(Place(x + dx, z + dz))
        for dx, dz in ((-0.6, 0.6), (0.6, 0.6), (0.6, -0.5), (-0.4, -0.5))
    ]


async def test_a_zone_drawn_by_mouse_is_kept_and_alerts_who_enters(
    editor: Editor, painted: Stage
) -> None:
    page = await editor.visit()
    await ready(page)
    assert "ticket" not in page.url
    await draw(page, "forbidden", corner(painted))
    await page.get_by_test_id("field-name_en").fill("Store door")
    await page.get_by_test_id("field-name_zh").fill("库房门口")
    await page.get_by_test_id("field-name_zh").press("Tab")
    across = [painted.share(Place(-1.2, z_m)) for z_m in (4.7, 6.2)]
    await draw(page, "gate", across)
    assert await page.get_by_test_id("state").inner_text() == "Unsaved changes"
    await save(page)
    assert editor.zones == ["forbidden-1", "gate-1"]
    assert [zone.id for zone in editor.room.site.room.state.zones[CAMERA]] == editor.zones
    await page.reload()  # the ticket is still known to this tab
    await ready(page)
    await page.get_by_test_id("list").get_by_text("Store door").click()
    assert await page.locator(".corner").count() == 4
    assert editor.room.site.room.alerts == []
    editor.room.inside = True
    await until(
        lambda: editor.room.site.room.alerts == ["zone.entry forbidden-1"],
        within_s=SEEN_MS / 1000,
        what="zone.entry stands",
    )
    await page.locator(".kind-forbidden.hit").wait_for()
    await page.get_by_test_id("now").get_by_text("Store door: 1 inside").wait_for()
    await page.get_by_test_id("now").get_by_text("Alert stands since").wait_for()
    await page.screenshot(path=editor.shots / "zones.png")
    await page.get_by_test_id("language").click()
    await page.get_by_test_id("now").get_by_text("库房门口：内有 1 人").wait_for()
    await page.screenshot(path=editor.shots / "zones-zh.png")
    assert editor.errors == []
    assert {urlsplit(url).hostname for url in editor.requests} == {"127.0.0.1"}


async def test_keys_alone_draw_move_insert_delete_and_undo(editor: Editor) -> None:
    page = await editor.visit(locale="zh-CN")
    await ready(page)
    assert await page.locator("html").get_attribute("lang") == "zh-CN"
    await page.get_by_test_id("kind").select_option("watched")
    await page.get_by_test_id("draw").press("Enter")
    for keys in (["ArrowLeft"] * 9, ["ArrowDown"] * 9, ["ArrowRight"] * 9):
        for key in keys:
            await page.keyboard.press(key)
        await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    corners = page.locator('[data-key^="corner"]')
    assert await corners.count() == 3
    await page.locator('[data-key="corner 2"]').focus()
    await page.keyboard.press("Shift+ArrowRight")
    label = page.locator('[data-key="corner 2"]')
    assert await label.get_attribute("aria-label") == "第 3 个顶点，共 3 个：距左 50%，距上 59%"
    assert await page.evaluate("document.activeElement.dataset.key") == "corner 2"
    await page.locator('[data-key="between 2"]').press("Enter")
    assert await corners.count() == 4
    await page.keyboard.press("Delete")
    assert await corners.count() == 3
    await page.keyboard.press("Control+z")
    assert await corners.count() == 4
    await page.keyboard.press("Control+Shift+z")
    assert await corners.count() == 3
    await page.keyboard.press("Control+s")
    await until(lambda: editor.zones == ["watched-1"], what="the zone is saved")
    (zone,) = editor.room.site.desk.book.of(CAMERA).zones
    assert zone.points == ((0.41, 0.5), (0.41, 0.59), (0.502, 0.59))
    assert editor.errors == []


async def test_a_line_is_flipped_moved_and_mended_and_two_editors_are_told(editor: Editor) -> None:
    page, other = await editor.visit(), await editor.visit(locale="zh-CN")
    await ready(page)
    await ready(other)
    await draw(page, "line", [(0.3, 0.9), (0.3, 0.5)])
    await page.get_by_test_id("flip").click()
    await page.get_by_test_id("field-id").fill("No Spaces")
    await page.get_by_test_id("field-id").press("Tab")
    await page.get_by_test_id("save").click()
    await page.get_by_text("The id needs small letters").wait_for()
    await page.get_by_test_id("field-id").fill("aisle")
    await page.get_by_test_id("field-id").press("Tab")
    await save(page)
    (zone,) = editor.room.site.desk.book.of(CAMERA).zones
    assert zone.id == "aisle"
    assert zone.points[0][1] == pytest.approx(0.5, abs=0.01)
    await draw(other, "object", [(0.5, 0.5), (0.7, 0.5), (0.7, 0.7)])
    await other.get_by_test_id("save").click()
    await other.get_by_test_id("message").get_by_text("已有他人保存").wait_for()
    assert editor.zones == ["aisle"]
    await other.screenshot(path=editor.shots / "zones-conflict-zh.png")
    async with other.expect_response(lambda answer: answer.request.method == "PUT"):
        await other.get_by_test_id("mine").click()
    await until(lambda: editor.zones == ["object-1"], what="the other's zones are in force")
    editor.room.site.room.seal()
    await other.get_by_test_id("remove").click()
    await other.get_by_test_id("save").click()
    await other.get_by_test_id("second-token").wait_for()
    await other.get_by_test_id("language").click()
    await other.get_by_test_id("message").get_by_text("A session is sealed").wait_for()
    assert editor.zones == ["object-1"]
    assert [error for error in editor.errors if "412" not in error and "409" not in error] == []


async def test_a_phone_shows_it_all_and_an_expired_view_says_so(editor: Editor) -> None:
    page = await editor.visit(locale="zh-CN", size=PHONE)
    await ready(page)
    await draw(page, "seat", [(0.3, 0.3), (0.45, 0.3), (0.45, 0.6), (0.3, 0.6)])
    await save(page)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE[0]
    await page.screenshot(path=editor.shots / "zones-phone-zh.png")
    expired = await editor.visit(scope="picture")
    await expired.wait_for_selector('body[data-mode="closed"]')
    assert "expired" in await expired.get_by_test_id("message").inner_text()
