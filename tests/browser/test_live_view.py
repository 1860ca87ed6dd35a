"""The node's own pages in a real browser: live video, still pictures, recordings."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from contracts.devices import CameraConfig, Named
from contracts.observations import Alert, CameraState, CameraView, Condition, Severity
from contracts.units import CameraId, UtcMs
from edge.__main__ import render
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.live_video import LiveVideo
from edge.api.recordings import Playback, open_playback
from edge.capture.rtsp import CameraLink
from edge.core.attention import BARREN_MS, Look, LookKind, Why
from edge.core.people import Rect
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoments
from edge.ports import Attended, Caption, Frame, Latest
from runtime.clock import SystemClock
from runtime.http import listen, serve
from runtime.tokens import issue_ticket
from tests.fakes.edge_api import KEY, TOKENS, FakeNode, FakePictures
from tests.fakes.recordings import RecordedTrack, footage
from tests.fakes.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

H264, HEVC = "cam-1", "cam-2"
SIZE_PX = (320, 180)
MINUTE_MS = 60_000
SEEN_MS = 15_000

SHADE = """element => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 4;
    const draw = canvas.getContext("2d");
    draw.drawImage(element, 0, 0, 4, 4);
    return draw.getImageData(1, 1, 1, 1).data[0];
}"""


@dataclass
class EdgeStage:
    """A node with two cameras and a browser before it."""

    url: str
    browser: Browser
    shots: Path
    clock: SystemClock
    video: LiveVideo
    recorded_utc_ms: int
    contexts: list[BrowserContext] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def visit(
        self,
        path: str,
        *,
        camera: CameraId = H264,
        scope: str = "picture",
        locale: str = "en-US",
        script: str = "",
    ) -> Page:
        context = await self.browser.new_context(
            locale=locale, viewport={"width": 1000, "height": 760}, timezone_id="Asia/Shanghai"
        )
        context.set_default_timeout(SEEN_MS)
        self.contexts.append(context)
        if script:
            await context.add_init_script(script)
        context.on("request", lambda request: self.requests.append(request.url))
        page = await context.new_page()
        page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        ticket = issue_ticket(
            KEY, "li.wei", scope, f"/api/v1/cameras/{camera}", self.clock.utc_ms(), 300_000
        )
        joint = "&" if "?" in path else "?"
        await page.goto(f"{self.url}{path}{joint}ticket={ticket}")
        return page

    def hosts(self) -> set[str | None]:
        return {
            urlsplit(url).hostname
            for url in self.requests
            if not url.startswith(("data:", "blob:", "about:"))
        }


def camera(camera_id: CameraId, path: Path, codec: str) -> CameraConfig:
    return CameraConfig.model_validate(
        {
            "kind": "camera", "id": camera_id, "area": "room-1",
            "name": Named(zh="摄像机", en="Camera"), "analyse_fps": 5,
            "main": {"url": path.as_uri(), "codec": codec, "width": 320, "height": 180, "fps": 5},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[CameraId, Path]:
    folder = tmp_path_factory.mktemp("films")
    made = {H264: folder / "h264.mp4", HEVC: folder / "hevc.mp4"}
    footage(made[H264], 20, size_px=SIZE_PX)
    footage(made[HEVC], 10, size_px=SIZE_PX, codec="libx265")
    return made


def recorded(folder: Path, film: bytes, clock: SystemClock, index: RecordingIndex) -> int:
    """Three minutes ago: twenty seconds, ten of nothing, twenty seconds more."""
    begin = clock.utc_ms() // 1000 * 1000 - 3 * MINUTE_MS
    track = RecordedTrack(folder, track=H264)
    track.segment(begin, 20_000, content=film)
    track.gap(begin + 20_000, 10_000, "camera_offline")
    track.segment(begin + 30_000, 20_000, content=film)
    index.follow()
    return begin


MOVED = np.zeros((18, 32), np.float32)
MOVED[6:14, 20:24] = 1.0
RESTLESS_MS = np.zeros((18, 32), np.float32)
RESTLESS_MS[2:6, 2:5] = BARREN_MS


async def show(frames: Latest[Frame], hub: LiveHub) -> None:
    while True:
        frame = await frames.get()
        view = CameraView(camera_id=frame.camera_id, state=CameraState.LIVE)
        attended = Attended(
            Look(LookKind.FULL, Why.MOVEMENT),
            settled=(Rect(0.2, 0.3, 0.35, 0.9),),
            cells=MOVED,
            barren_ms=RESTLESS_MS,
        )
        hub.offer(frame, view, Caption(1, 1, alarm=False), attended)


@pytest_asyncio.fixture(loop_scope="session")
async def edge(
    tmp_path: Path, shots: Path, browser: Browser, films: dict[CameraId, Path]
) -> AsyncIterator[EdgeStage]:
    clock, loop = SystemClock(), asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        hub = LiveHub(render, pool, clock, viewers_max=4)
        video = LiveVideo(loop, viewers_max=4)
        index = RecordingIndex(tmp_path / "index.sqlite3", tmp_path / "recordings")
        stack.callback(index.close)
        moments = AlertMoments(":memory:")
        stack.callback(moments.close)
        playback = open_playback(tmp_path, index, moments, clock)
        begin = recorded(tmp_path / "recordings", films[H264].read_bytes(), clock, index)
        tasks = [asyncio.ensure_future(run) for run in cameras(films, hub, video, clock)]
        app = build(
            FakeNode((H264, HEVC)),
            hub,
            FakePictures(),
            Gate(tokens_from_environ(TOKENS), KEY, clock),
            version="1",
            playback=playback,
            video=video,
        )
        bound = listen("127.0.0.1", 0)
        tasks.append(asyncio.ensure_future(serve(app, bound)))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        stage = EdgeStage(url, browser, shots, clock, video, begin)
        remember(playback, begin)
        try:
            yield stage
        finally:
            for context in stage.contexts:
                await context.close()
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


def cameras(
    films: dict[CameraId, Path], hub: LiveHub, video: LiveVideo, clock: SystemClock
) -> Iterator[Coroutine[Any, Any, None]]:
    for camera_id, film in films.items():
        frames: Latest[Frame] = Latest(asyncio.get_running_loop())
        config = camera(camera_id, film, "h265" if camera_id == HEVC else "h264")
        link = CameraLink(
            config,
            lambda: None,
            clock,
            random.Random(1),
            lambda _: None,
            frames,
            recorders=(video.tap(camera_id),),
        )
        yield link.run()
        yield show(frames, hub)


def remember(playback: Playback, begin: int) -> None:
    for alert_id, since in (("old", begin + 12_000), ("new", playback.clock.utc_ms() - 1_000)):
        alert = Alert(
            alert_id=alert_id, rule="area.over_admitted", condition=Condition.ACTIVE,
            severity=Severity.ALARM, room_id="room-1", node_id="edge-1", camera_id=H264,
            since_utc_ms=UtcMs(since), raised_utc_ms=UtcMs(since), dwell_ms=0,
        )  # fmt: skip
        playback.moments.remember(alert, None)


async def mode(page: Page, wanted: str) -> None:
    await page.wait_for_selector(f'body[data-mode="{wanted}"]')


async def moves(page: Page, element: str) -> None:
    """Wait until the picture has shown three different shades."""
    seen: set[int] = set()

    async def changed() -> bool:
        seen.add(await page.get_by_test_id(element).evaluate(SHADE))
        return len(seen - {0}) >= 3

    await until(changed, within_s=SEEN_MS / 1000, what=f"{element} moves; shades: {seen}")


async def test_live_video_moves_with_little_delay(edge: EdgeStage) -> None:
    page = await edge.visit(f"/view/{H264}")
    await mode(page, "live")
    await moves(page, "video")
    assert edge.video.viewers(H264) == 1
    delay_ms = int(await page.evaluate("document.body.dataset.delayMs"))
    assert -300 <= delay_ms <= 2_000  # measured 0.1 to 0.3 s; this machine runs eight suites
    assert "ticket" not in page.url
    assert await page.get_by_test_id("state").inner_text() == "Live"
    assert "Delay" in await page.get_by_test_id("delay").inner_text()
    await page.keyboard.press("Tab")
    focused = page.locator(":focus-visible")
    assert await focused.get_attribute("id") == "switch"
    assert await focused.evaluate("element => getComputedStyle(element).outlineWidth") == "3px"
    await page.screenshot(path=edge.shots / "edge-live.png")
    await page.keyboard.press("Enter")
    await mode(page, "pictures")
    await until(lambda: edge.video.viewers(H264) == 0, what="nobody watches the video")
    await moves(page, "pictures")
    await page.reload()  # the ticket is still known to this tab
    await mode(page, "live")
    assert edge.errors == []
    assert edge.hosts() == {"127.0.0.1"}


async def test_still_pictures_where_video_cannot_be(edge: EdgeStage) -> None:
    without = "delete window.MediaSource; delete window.ManagedMediaSource;"
    page = await edge.visit(f"/view/{H264}", locale="zh-CN", script=without)
    await mode(page, "pictures")
    await moves(page, "pictures")
    assert await page.locator("html").get_attribute("lang") == "zh-CN"
    assert "静态画面" in await page.get_by_test_id("state").inner_text()
    await page.screenshot(path=edge.shots / "edge-pictures-zh.png")
    other = await edge.visit(f"/view/{HEVC}", camera=HEVC)
    await mode(other, "pictures")
    assert "hvc1" in await other.get_by_test_id("message").inner_text()
    await moves(other, "pictures")
    assert edge.errors == []


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", ("Show what is looked at", "Hide what is looked at")),
        ("zh-CN", ("显示检测关注区域", "隐藏检测关注区域")),
    ],
)
async def test_what_is_looked_at_is_shown_on_request(
    edge: EdgeStage, locale: str, words: tuple[str, str]
) -> None:
    page = await edge.visit(f"/view/{H264}?show=pictures", locale=locale)
    button = page.get_by_test_id("attention")
    await expect(button).to_have_text(words[0])
    await button.click()
    await expect(button).to_have_text(words[1])
    assert await button.get_attribute("aria-pressed") == "true"
    await page.wait_for_function(
        "() => { const p = document.getElementById('pictures');"
        " return p.src.includes('attention=true') && p.naturalWidth > 0; }"
    )
    await page.screenshot(path=edge.shots / f"attention-{locale}.png")
    await page.get_by_test_id("switch").click()
    await expect(button).to_be_hidden()
    assert edge.errors == []


async def test_an_expired_view_says_so(edge: EdgeStage) -> None:
    page = await edge.visit(f"/view/{H264}", camera="cam-9")
    await mode(page, "closed")
    assert "expired" in await page.get_by_test_id("message").inner_text()


async def test_recordings_are_listed_and_played(edge: EdgeStage) -> None:
    page = await edge.visit(f"/view/{H264}/recordings", scope="recording")
    items = page.get_by_test_id("list").locator("li")
    await items.nth(2).wait_for()
    assert await page.get_by_test_id("state").inner_text() == "Recordings: 2, gaps: 1"
    gap = await items.nth(1).inner_text()
    assert "00:00:10" in gap
    assert "The camera could not be reached." in gap
    thumbnail = items.nth(0).locator("img")
    await until(
        lambda: thumbnail.evaluate("image => image.naturalWidth"), what="the thumbnail is shown"
    )
    await items.nth(2).locator("button").press("Enter")
    await moves(page, "video")
    assert await items.nth(2).locator("button").get_attribute("aria-current") == "true"
    assert "Begins" in await page.get_by_test_id("facts").inner_text()
    assert await page.get_by_test_id("clock").inner_text()
    await page.screenshot(path=edge.shots / "edge-recordings.png", full_page=True)
    assert edge.errors == []
    assert edge.hosts() == {"127.0.0.1"}


async def test_the_clip_of_an_alert_tells_its_gap_and_waits_for_its_end(edge: EdgeStage) -> None:
    path = f"/view/{H264}/recordings"
    page = await edge.visit(f"{path}?alert=old", scope="recording", locale="zh-CN")
    facts = page.get_by_test_id("facts")
    await facts.locator("li").nth(1).wait_for()
    assert "画面静止：无法连接摄像机。" in await facts.inner_text()
    await moves(page, "video")
    await page.screenshot(path=edge.shots / "edge-alert-zh.png", full_page=True)
    early = await edge.visit(f"{path}?alert=new", scope="recording")
    await early.get_by_test_id("take").wait_for()
    assert "20 seconds" in await early.get_by_test_id("message").inner_text()
    assert [error for error in edge.errors if "425" not in error] == []
