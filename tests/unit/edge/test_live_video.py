"""Live video: what the fragments say, what a slow viewer loses, who may watch, what pages hold."""

import asyncio
import io
import itertools
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from importlib import resources

import av
import httpx
import numpy as np
import pytest
import websockets
from av.video.stream import VideoStream
from websockets.asyncio.client import ClientConnection, connect

from contracts.evidence.entries import GapReason
from contracts.units import MonoMs, UtcMs
from edge.api import parameter_sets as sets
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.live_boxes import TIMESCALE, fragment
from edge.api.live_video import (
    QUEUE_MAX_BYTES,
    QUEUE_MAX_MS,
    Fragment,
    Init,
    LiveTap,
    LiveVideo,
    Piece,
    Skipped,
    TooManyWatchersError,
    Unsupported,
)
from edge.api.parameter_sets import Config, StreamError, config_of, split_units
from edge.api.views import CSP, STATIC
from edge.capture.packets import OpenedLink
from edge.core.people import Instant
from runtime.clock import SimulatedClock
from runtime.http import listen, serve
from runtime.tokens import issue_ticket
from tests.fakes.edge_api import KEY, METRICS, TOKENS, VIEW, FakeNode, FakePictures, bearer
from tests.fakes.waiting import until

CAM = "/api/v1/cameras/cam-1"


def encoded(
    codec: str, size_px: tuple[int, int], pictures: int, *, annexb: bool, fps: int = 10
) -> bytes:
    """A clip in a container that keeps units by length (mp4) or by start codes (mpegts)."""
    made = io.BytesIO()
    with av.open(made, "w", format="mpegts" if annexb else "mp4") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "preset": "ultrafast",
            "x264-params": "keyint=5:scenecut=0:bframes=2",
            "x265-params": "keyint=5:scenecut=0:bframes=0:log-level=none",
        }
        for index in range(pictures):
            frame = av.VideoFrame.from_ndarray(
                np.full((size_px[1], size_px[0], 3), 10 * index, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return made.getvalue()


class Feed:
    """Plays a clip into a tap as a reader thread would, on a clock of its own."""

    def __init__(self, tap: LiveTap, clip: bytes) -> None:
        self.tap = tap
        self.clip = clip
        self.mono_ms = 1_000

    def at(self) -> Instant:
        return Instant(MonoMs(self.mono_ms), UtcMs(1_700_000_000_000 + self.mono_ms))

    def play(self, *, skip: int = 0, step_ms: int = 100) -> None:
        with av.open(io.BytesIO(self.clip), "r") as container:
            self.tap.opened(OpenedLink(container.streams.video[0], None, 40))
            for number, packet in enumerate(container.demux()):
                if number >= skip and packet.size:
                    self.tap.take(packet, self.at())
                    self.mono_ms += step_ms
            self.tap.closed()


class Sink:
    """A tap that is watched, and what it made."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.tap = LiveTap("cam-1", lambda _, piece: self.pieces.append(piece))
        self.tap.watch(watched=True)

    @property
    def inits(self) -> list[Init]:
        return [piece for piece in self.pieces if isinstance(piece, Init)]

    @property
    def fragments(self) -> list[Fragment]:
        return [piece for piece in self.pieces if isinstance(piece, Fragment)]

    def movie(self) -> bytes:
        return self.inits[-1].data + b"".join(piece.data for piece in self.fragments)


@pytest.mark.parametrize("annexb", [True, False])
@pytest.mark.parametrize(
    ("codec", "size_px", "name"),
    [
        ("libx264", (640, 360), r"avc1\.[0-9a-f]{6}"),
        ("libx264", (98, 50), r"avc1\.[0-9a-f]{6}"),
        ("libx265", (320, 180), r"hvc1\.1\.[0-9A-F]+\.L\d+\.90"),
    ],
)
def test_fragments_are_a_movie_that_decoders_read(
    codec: str, size_px: tuple[int, int], name: str, annexb: bool
) -> None:
    sink = Sink()
    Feed(sink.tap, encoded(codec, size_px, 12, annexb=annexb)).play()
    (init,) = sink.inits
    assert re.fullmatch(rf'video/mp4; codecs="{name}"', init.mime)
    assert (init.width, init.height) == size_px
    assert len(sink.fragments) == 12
    assert [number for number, piece in enumerate(sink.fragments) if piece.key] == [0, 5, 10]
    with av.open(io.BytesIO(sink.movie()), "r") as container:
        seen = [(frame.width, frame.height, round(float(frame.time or 0), 2), frame.to_ndarray(
            format="gray").mean()) for frame in container.decode(video=0)]  # fmt: skip
    assert len(seen) == 12
    assert {(one[0], one[1]) for one in seen} == {size_px}
    times = [one[2] for one in seen]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(abs(step - 0.1) < 0.02 for step in steps)
    assert [one[3] for one in seen] == sorted(one[3] for one in seen)


def test_nothing_is_made_while_nobody_watches() -> None:
    sink = Sink()
    clip = encoded("libx264", (64, 48), 6, annexb=True)
    sink.tap.watch(watched=False)
    feed = Feed(sink.tap, clip)
    feed.play()
    assert sink.pieces == []
    sink.tap.watch(watched=True)
    feed.play(skip=1)
    assert isinstance(sink.pieces[0], Init)
    assert isinstance(sink.pieces[1], Fragment)
    assert sink.pieces[1].key  # from the next key frame on
    assert len(sink.fragments) == 1


def test_another_viewer_begins_with_an_init() -> None:
    sink = Sink()
    clip = encoded("libx264", (64, 48), 6, annexb=True)
    with av.open(io.BytesIO(clip), "r") as container:
        packets = [packet for packet in container.demux() if packet.size]
        feed = Feed(sink.tap, clip)
        sink.tap.opened(OpenedLink(container.streams.video[0], None))
        sink.tap.take(packets[0], feed.at())
        sink.tap.watch(watched=False)
        sink.tap.watch(watched=True)  # no packet came in between
        for packet in packets[1:]:
            sink.tap.take(packet, feed.at())
    assert len(sink.inits) == 2


def test_a_new_size_begins_a_new_movie() -> None:
    sink = Sink()
    for size_px in ((64, 48), (96, 64)):
        Feed(sink.tap, encoded("libx264", size_px, 3, annexb=True)).play()
    assert [(init.width, init.height) for init in sink.inits] == [(64, 48), (96, 64)]


def moments(fragments: list[Fragment]) -> list[tuple[int, int]]:
    """Decode time and duration of each fragment, in milliseconds."""
    found = []
    for piece in fragments:
        at = piece.data.index(b"tfdt") + 8
        time = int.from_bytes(piece.data[at : at + 8], "big")
        run = piece.data.index(b"trun") + 16
        duration = int.from_bytes(piece.data[run : run + 4], "big")
        found.append((time * 1000 // TIMESCALE, duration * 1000 // TIMESCALE))
    return found


@pytest.mark.parametrize("stamps", ["jump", "back", "stand", "none", "pause", "jitter"])
def test_time_stamps_that_lie_make_no_hole(stamps: str) -> None:
    sink = Sink()
    feed = Feed(sink.tap, b"")
    clip = encoded("libx264", (64, 48), 12, annexb=True)
    with av.open(io.BytesIO(clip), "r") as container:
        sink.tap.opened(OpenedLink(container.streams.video[0], None))
        for number, packet in enumerate(container.demux()):
            if not packet.size:
                continue
            assert packet.dts is not None
            if stamps == "none":
                packet.dts = packet.pts = None
            elif stamps == "stand":
                packet.dts = packet.pts = 5
            elif stamps == "jitter":
                packet.dts = packet.pts = packet.dts + (4_000 if number % 2 else 0)
            elif number >= 6 and stamps != "pause":
                packet.dts = packet.pts = packet.dts + (
                    90_000_000 if stamps == "jump" else -400_000
                )
            sink.tap.take(packet, feed.at())
            feed.mono_ms += 5_000 if stamps == "pause" and number == 6 else 100
    told = moments(sink.fragments)
    assert len(told) == 12
    for (time, duration), (following, _) in itertools.pairwise(told):
        # What a browser takes for a hole: a step of more than twice the last duration.
        assert 0 < following - time <= 2 * duration


def test_each_fragment_tells_when_its_picture_came() -> None:
    data = fragment(7, 900, 0, 100, UtcMs(1_700_000_000_250), b"sample", key=True)
    assert data[4:8] == b"prft"
    seconds = int.from_bytes(data[16:20], "big") - 2_208_988_800
    share = int.from_bytes(data[20:24], "big") / 2**32
    assert round(seconds + share, 3) == 1_700_000_000.25
    assert int.from_bytes(data[24:32], "big") == 900
    moof = data.index(b"moof") - 4
    offset = int.from_bytes(data[data.index(b"trun") + 12 :][:4], "big")
    assert data[moof + offset :] == b"sample"


def test_a_codec_that_browsers_do_not_know_is_named() -> None:
    sink = Sink()
    made = io.BytesIO()
    with av.open(made, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    Feed(sink.tap, made.getvalue()).play()
    assert sink.pieces == [Unsupported("mpeg4")]


@pytest.mark.parametrize("codec", [sets.H264, sets.HEVC])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_parameter_sets_are_refused_or_read_never_more(codec: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = encoded(f"libx26{4 if codec == sets.H264 else 5}", (64, 48), 1, annexb=False)
    with av.open(io.BytesIO(clip), "r") as container:
        extradata = bytes(container.streams.video[0].codec_context.extradata or b"")
    units = sets.parameter_units(codec, extradata)
    assert isinstance(config_of(codec, units), Config)
    for _ in range(200):
        broken = [bytearray(unit) for unit in units]
        victim = broken[int(rng.integers(len(broken)))]
        for _ in range(int(rng.integers(1, 6))):
            victim[int(rng.integers(len(victim)))] = int(rng.integers(256))
        cut = [bytes(unit[: int(rng.integers(1, len(unit) + 1))]) for unit in broken]
        with suppress(StreamError, OverflowError):
            config_of(codec, cut)
        record = bytes(rng.integers(0, 256, 40, np.uint8))
        sets.parameter_units(codec, b"\x01" + record)
        split_units(record, int(rng.integers(1, 5)))


def picture(number: int, *, key: bool = False, size: int = 10) -> Fragment:
    return Fragment(bytes(size), key, UtcMs(1_000 + number * 100))


class Hub:
    """Live video whose camera is played by hand, from another thread."""

    def __init__(self) -> None:
        self.video = LiveVideo(asyncio.get_running_loop(), viewers_max=2)
        self.tap = self.video.tap("cam-1")

    async def deliver(self, *pieces: Piece) -> None:
        def play() -> None:
            for piece in pieces:
                self.video._from_thread("cam-1", piece)

        thread = threading.Thread(target=play)
        thread.start()
        thread.join()
        await asyncio.sleep(0)


INIT = Init(b"init", "video/mp4", 64, 48)


async def test_a_slow_viewer_goes_on_at_the_next_key_frame_and_is_told() -> None:
    hub = Hub()
    slow, quick = hub.video.watch("cam-1"), hub.video.watch("cam-1")
    first = [asyncio.ensure_future(anext(one)) for one in (slow, quick)]
    await asyncio.sleep(0)
    assert hub.video.viewers("cam-1") == 2
    with pytest.raises(TooManyWatchersError):
        await anext(hub.video.watch("cam-1"))
    await hub.deliver(picture(0, key=True))  # of before: without an Init it cannot be shown
    await hub.deliver(INIT, picture(0), picture(1, key=True))
    assert [await one for one in first] == [INIT, INIT]
    assert await anext(quick) == picture(1, key=True)
    late = QUEUE_MAX_MS // 100 + 3
    for number in range(2, late):
        await hub.deliver(picture(number))
        assert await anext(quick) == picture(number)
    await hub.deliver(picture(late), picture(late + 1, key=True), picture(late + 2))
    told = [await anext(slow) for _ in range(3)]
    assert isinstance(told[0], Skipped)
    assert told[0].fragments == late
    assert told[1:] == [picture(late + 1, key=True), picture(late + 2)]
    assert hub.video.skipped == late
    await slow.aclose()
    await quick.aclose()
    assert hub.video.viewers("cam-1") == 0


async def test_a_queue_is_bounded_by_bytes_too() -> None:
    hub = Hub()
    watcher = hub.video.watch("cam-1")
    waiting = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    await hub.deliver(INIT, *(picture(0, key=True, size=1_500_000) for _ in range(5)))
    assert await waiting == INIT
    queue = hub.video._channels["cam-1"].watchers[0]
    assert queue.bytes <= QUEUE_MAX_BYTES
    assert sum(isinstance(piece, Fragment) for piece in queue.pieces) == 1
    assert hub.video.skipped == 4
    await watcher.aclose()


class Node:
    """A node whose one camera is played by hand, on a real port."""

    def __init__(self, port: int, video: LiveVideo, clock: SimulatedClock) -> None:
        self.port = port
        self.video = video
        self.clock = clock

    def ticket(self, resource: str = CAM, scope: str = "picture") -> str:
        return issue_ticket(KEY, "li.wei", scope, resource, self.clock.utc_ms(), 60_000)

    def live(self, query: str = "", camera: str = "cam-1") -> connect:
        address = f"ws://127.0.0.1:{self.port}/api/v1/cameras/{camera}/live{query}"
        return connect(address, proxy=None)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with ThreadPoolExecutor(1) as pool:
        clock = SimulatedClock()
        video = LiveVideo(asyncio.get_running_loop(), viewers_max=1)
        hub = LiveHub(lambda *_: b"", pool, clock, viewers_max=1)
        gate = Gate(tokens_from_environ(TOKENS), KEY, clock)
        app = build(FakeNode(), hub, FakePictures(), gate, version="1", video=video)
        video.tap("cam-1")
        bound = listen("127.0.0.1", 0)
        serving = asyncio.ensure_future(serve(app, bound))
        yield Node(int(bound.getsockname()[1]), video, clock)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def refused(socket: ClientConnection) -> int:
    with pytest.raises(websockets.ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), 30)
    assert caught.value.rcvd is not None
    return int(caught.value.rcvd.code)


async def test_a_viewer_is_sent_the_movie(node: Node) -> None:
    clip = encoded("libx264", (64, 48), 6, annexb=True)
    async with node.live() as socket:
        await socket.send(json.dumps({"token": VIEW}))
        hello = json.loads(await socket.recv())
        assert hello == {"kind": "hello", "camera_id": "cam-1", "utc_ms": node.clock.utc_ms()}
        assert socket.protocol.extensions == []  # deflating video costs time and gains nothing
        tap = node.video._channels["cam-1"].tap
        await until(lambda: tap._watched, what="the camera is watched")
        await asyncio.to_thread(Feed(tap, clip).play)
        init = json.loads(await socket.recv())
        assert (init["kind"], init["width"], init["height"]) == ("init", 64, 48)
        movie = b"".join([bytes(await socket.recv(decode=False)) for _ in range(7)])
        with av.open(io.BytesIO(movie), "r") as container:
            assert sum(1 for _ in container.decode(video=0)) == 6
        async with node.live(f"?ticket={node.ticket()}") as second:
            assert await refused_after_hello(second) == 1013
    await until(lambda: node.video.viewers("cam-1") == 0, what="the viewer is gone")
    assert not tap._watched


async def refused_after_hello(socket: ClientConnection) -> int:
    hello = json.loads(await asyncio.wait_for(socket.recv(), 30))
    assert hello["kind"] == "hello"
    return await refused(socket)


async def test_a_ticket_in_the_address_will_do(node: Node) -> None:
    for resource in (CAM, f"{CAM}/live"):
        async with node.live(f"?ticket={node.ticket(resource)}") as socket:
            assert json.loads(await socket.recv())["kind"] == "hello"
        await until(lambda: node.video.viewers("cam-1") == 0, what="the viewer is gone")


@pytest.mark.parametrize(
    ("query", "first", "code"),
    [
        ("", json.dumps({"token": "wrong"}), 4401),
        ("", json.dumps({"token": METRICS}), 4403),
        ("", json.dumps({"toke": VIEW}), 4401),
        ("", "{", 4401),
        ("", b"\x00", 4401),
        ("?ticket=", None, 4401),
        ("?ticket=wrong", None, 4401),
        ("?ticket=OTHER", None, 4401),
        ("?ticket=SCOPE", None, 4401),
        (f"?token={VIEW}", json.dumps({}), 4401),  # a token in an address opens nothing
    ],
)
async def test_nobody_watches_without_a_right(
    node: Node, query: str, first: str | bytes | None, code: int
) -> None:
    query = query.replace("OTHER", node.ticket("/api/v1/cameras/cam-2"))
    query = query.replace("SCOPE", node.ticket(scope="recording"))
    async with node.live(query) as socket:
        if first is not None:
            await socket.send(first)
        assert await refused(socket) == code
    assert node.video.viewers("cam-1") == 0


async def test_an_unknown_camera_and_a_message_too_long(node: Node) -> None:
    async with node.live(camera="cam-9") as socket:
        await socket.send(json.dumps({"token": VIEW}))
        assert await refused(socket) == 4404
    async with node.live() as socket:
        await socket.send("x" * 70_000)
        assert await refused(socket) == 1009


async def test_pages_are_strict_and_load_nothing_from_outside(node: Node) -> None:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{node.port}", trust_env=False
    ) as client:
        for path in ("/view/cam-1", "/view/cam-1/recordings"):
            page = await client.get(path, params={"ticket": "x"})
            assert page.status_code == 200
            assert page.headers["content-security-policy"] == CSP
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["cache-control"] == "no-store"
            assert not re.search(
                r"<script(?![^>]*src=)|<style|\son\w+=|style=|https?://", page.text
            )
            for source in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
                assert (await client.get(source)).status_code == 200
        for name in STATIC:
            got = await client.get(f"/view/static/{name}")
            again = await client.get(
                f"/view/static/{name}", headers={"If-None-Match": got.headers["etag"]}
            )
            assert (got.status_code, again.status_code) == (200, 304)
            # The namespace of SVG is a name, not an address: nobody fetches it.
            text = got.text.replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://", text)
        for path in ("/view/static/x.js", "/view/static/..%2fapp.py", "/view/A%20b"):
            assert (await client.get(path)).status_code in {404, 422}
        answer = await client.get(f"{CAM}/live", headers=bearer(VIEW))
        assert answer.status_code == 404  # a WebSocket, nothing else


def dictionaries() -> Iterator[str]:
    text = (resources.files("edge.api") / "pages" / "texts.js").read_text(encoding="utf-8")
    yield from re.findall(r"const (?:EN|ZH) = \{\n(.*?)\n\};", text, re.DOTALL)


def test_the_pages_speak_both_languages() -> None:
    keys = [re.findall(r"^\s*(\w+):", found, re.MULTILINE) for found in dictionaries()]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert {reason.value for reason in GapReason} <= set(keys[0])
    english, chinese = dictionaries()
    assert not re.search(r"[\u4e00-\u9fff]", english)
    assert len(re.findall(r"[\u4e00-\u9fff]+", chinese)) >= len(keys[1]) - 3
    pages = resources.files("edge.api") / "pages"
    for name in ("live.js", "recordings.js"):
        used = set(re.findall(r'say\(\s*"(\w+)"', (pages / name).read_text(encoding="utf-8")))
        assert used <= set(keys[0]), name
