"""Recordings over HTTP: who may see them, ranges, intervals, clips, alerts, manifest lines."""

import io
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import httpx
import numpy as np
import pytest

from contracts.evidence import entries as told
from contracts.evidence.entries import Media
from contracts.evidence.lines import split_line
from contracts.observations import Alert, Condition, Severity
from contracts.units import UtcMs
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.problems import ProblemError
from edge.api.ranges import Span, parse_range
from edge.api.recordings import Playback
from edge.evidence.clip_shelf import ClipShelf
from edge.evidence.derived import DerivedFiles
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoments
from runtime.clock import SimulatedClock
from runtime.tokens import issue_ticket
from tests.fakes.edge_api import KEY, OPS, RECORDING, TOKENS, VIEW, FakeNode, FakePictures, bearer
from tests.fakes.recordings import START_UTC_MS, RecordedTrack, footage

CAM = "/api/v1/cameras/cam-1"
LENGTH_MS = 10_000
NOW_UTC_MS = START_UTC_MS + 120_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three files of ten seconds; the last has another picture size."""
    folder = tmp_path_factory.mktemp("footage")
    return [
        footage(folder / "0.mp4", 10, sound=True),
        footage(folder / "1.mp4", 10, first_picture=50, sound=True),
        footage(folder / "2.mp4", 10, size_px=(96, 64)),
    ]


class House:
    """A node with recordings: two files, ten seconds of nothing, one file of another size."""

    def __init__(self, folder: Path, files: list[bytes], pool: ThreadPoolExecutor) -> None:
        self.clock = SimulatedClock(start_utc_ms=UtcMs(NOW_UTC_MS))
        self.root = folder / "recordings"
        self.cam = RecordedTrack(self.root)
        begin = START_UTC_MS
        self.paths = [self.cam.segment(begin, LENGTH_MS, content=files[0])]
        self.paths.append(self.cam.segment(begin + LENGTH_MS, LENGTH_MS, content=files[1]))
        self.cam.gap(begin + 2 * LENGTH_MS, LENGTH_MS, "camera_offline")
        self.paths.append(self.cam.segment(begin + 3 * LENGTH_MS, LENGTH_MS, content=files[2]))
        self.index = RecordingIndex(folder / "index.sqlite3", self.root)
        self.index.follow()
        self.moments = AlertMoments(":memory:")
        self.thumbnails = DerivedFiles(
            folder / "thumbnails", self.clock, bytes_max=1 << 20, idle_ms=60_000
        )
        made = DerivedFiles(folder / "clips", self.clock, bytes_max=1 << 24, idle_ms=60_000)
        marked = DerivedFiles(folder / "marked", self.clock, bytes_max=1 << 24, idle_ms=60_000)
        shelf = ClipShelf(self.index, made)
        playback = Playback(self.index, shelf, self.thumbnails, self.moments, self.clock, marked)
        hub = LiveHub(lambda *_: b"", pool, self.clock, viewers_max=1)
        gate = Gate(tokens_from_environ(TOKENS), KEY, self.clock)
        self.app = build(FakeNode(), hub, FakePictures(), gate, version="1", playback=playback)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://edge", trust_env=False
        )

    async def get(
        self, path: str, headers: dict[str, str] | None = None, /, **query: object
    ) -> httpx.Response:
        begin = {key.removesuffix("_"): str(value) for key, value in query.items()}
        return await self.client.get(
            path, params=begin or None, headers={**bearer(RECORDING), **(headers or {})}
        )

    def ticket(self, resource: str, scope: str = "recording") -> str:
        return issue_ticket(KEY, "li.wei", scope, resource, self.clock.utc_ms(), 60_000)

    def alert(self, alert_id: str = "a-1", **fields: object) -> None:
        values = {
            "rule": "area.over_admitted", "condition": Condition.ACTIVE,
            "severity": Severity.ALARM,
            "room_id": "room-1", "node_id": "edge-1", "camera_id": "cam-1", "dwell_ms": 0,
            "since_utc_ms": START_UTC_MS + 12_000, "raised_utc_ms": START_UTC_MS + 13_000,
            **fields,
        }  # fmt: skip
        self.moments.remember(Alert.model_validate({"alert_id": alert_id, **values}), None)


@pytest.fixture
async def house(tmp_path: Path, files: list[bytes]) -> AsyncIterator[House]:
    with ThreadPoolExecutor(1) as pool:
        made = House(tmp_path, files, pool)
        async with made.client:
            yield made
        made.index.close()
        made.moments.close()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, files: list[bytes]) -> Iterator[House]:
    """One house for all tests that only ask."""
    with ThreadPoolExecutor(1) as pool:
        made = House(tmp_path_factory.mktemp("steady"), files, pool)
        made.alert()
        yield made
        made.index.close()
        made.moments.close()


ROUTES = (
    "/api/v1/tracks",
    f"{CAM}/recordings",
    f"{CAM}/recordings/1.mp4",
    f"{CAM}/recordings/1/thumbnail.jpg",
    f"{CAM}/clip.mp4?from={START_UTC_MS}&to={START_UTC_MS + 2_000}",
    f"{CAM}/clip.json?from={START_UTC_MS}&to={START_UTC_MS + 2_000}",
    f"{CAM}/still.jpg?at={START_UTC_MS + 1_000}",
    f"{CAM}/manifest.jsonl",
    "/api/v1/alerts/a-1/clip.mp4",
    "/api/v1/alerts/a-1/clip.json",
)


def test_the_table_of_routes_is_complete(steady: House) -> None:
    tagged = {
        path.replace("{camera_id}", "cam-1").replace("{number}", "1").replace("{alert_id}", "a-1")
        for path, what in steady.app.openapi()["paths"].items()
        if what["get"]["tags"] == ["recordings"]
    }
    own = f"{CAM}/watermarked.mp4"  # opens to a ticket of its own and to no token
    assert tagged == {own, *(route.partition("?")[0] for route in ROUTES)}


@pytest.mark.parametrize("path", ROUTES)
async def test_to_view_is_not_to_see_recordings(steady: House, path: str) -> None:
    for headers in ({}, bearer("wrong")):
        assert (await steady.client.get(path, headers=headers)).status_code == 401
    for other in (VIEW, OPS):
        assert (await steady.client.get(path, headers=bearer(other))).status_code == 403
    answer = await steady.client.get(path, headers=bearer(RECORDING))
    assert answer.status_code == 200, answer.text


async def test_a_ticket_opens_its_own_recordings_alone(house: House) -> None:
    house.alert()
    one, clip = f"{CAM}/recordings/1.mp4", "/api/v1/alerts/a-1/clip.mp4"

    async def status(path: str, ticket: str) -> int:
        return (await house.client.get(path, params={"ticket": ticket})).status_code

    camera = house.ticket(CAM)
    for path in (one, f"{CAM}/recordings", f"{CAM}/recordings/1/thumbnail.jpg", clip):
        assert await status(path, camera) == 200
        assert await status(path, house.ticket(path)) == 200
        assert await status(path, house.ticket(CAM, "picture")) == 401
        assert await status(path, house.ticket("/api/v1/cameras/cam-2")) == 401
    assert await status(one, house.ticket(f"{CAM}/recordings/2.mp4")) == 401
    assert await status("/api/v1/tracks", camera) == 401
    assert await status(f"{CAM}/snapshot.jpg", camera) == 401
    assert await status("/api/v1/cameras/cam-10/recordings", camera) == 401
    house.clock.advance_ms(60_000)
    assert await status(one, camera) == 401


async def test_the_list_tells_segments_and_gaps(house: House) -> None:
    page = (await house.get(f"{CAM}/recordings")).json()
    assert [row["number"] for row in page["segments"]] == [1, 2, 3]
    assert [(gap["reason"], gap["duration_ms"]) for gap in page["gaps"]] == [
        ("camera_offline", LENGTH_MS)
    ]
    assert page["next"] is None
    assert page["open"] is None
    first = page["segments"][0]
    assert (await house.get(first["path"])).content == house.paths[0].read_bytes()
    (track,) = (await house.get("/api/v1/tracks")).json()
    assert (track["track_id"], track["kind"], track["seconds"]) == ("cam-1", "camera", 30.0)
    assert track["bytes"] == sum(path.stat().st_size for path in house.paths)


async def test_pages_hold_each_segment_and_gap_once(house: House) -> None:
    numbers, gaps, after = [], [], None
    while True:
        query = {"limit": 1} | ({"after": after} if after else {})
        page = (await house.get(f"{CAM}/recordings", **query)).json()
        numbers += [row["number"] for row in page["segments"]]
        gaps += page["gaps"]
        after = page["next"]
        if after is None:
            break
    assert numbers == [1, 2, 3]
    assert len(gaps) == 1


@pytest.mark.parametrize(
    ("begin", "end", "numbers"),
    [
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:05Z", [1]),
        ("2026-11-20T16:00:00+08:00", "2026-11-20T16:00:05+08:00", [1]),
        ("2026-11-20T16:00:00 08:00", "2026-11-20T16:00:05 08:00", [1]),  # an unescaped plus
        (str(START_UTC_MS + LENGTH_MS), str(START_UTC_MS + LENGTH_MS + 1), [2]),
        (str(START_UTC_MS + 2 * LENGTH_MS + 1), str(START_UTC_MS + 3 * LENGTH_MS), []),
        (str(START_UTC_MS), str(NOW_UTC_MS + 3_600_000), [1, 2, 3]),
        (None, None, [1, 2, 3]),
    ],
)
async def test_an_interval_by_iso_time_or_milliseconds(
    steady: House, begin: str | None, end: str | None, numbers: list[int]
) -> None:
    query = {key: value for key, value in (("from_", begin), ("to", end)) if value}
    page = (await steady.get(f"{CAM}/recordings", **query)).json()
    assert [row["number"] for row in page["segments"]] == numbers


T = START_UTC_MS


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{CAM}/recordings?from={T + 9}&to={T}", 422, "is not before"),
        (f"{CAM}/recordings?from={T}&to={T}", 422, "is not before"),
        (f"{CAM}/recordings?from=yesterday", 422, "is not a time"),
        (f"{CAM}/recordings?from=2026-11-20T08:00:00", 422, "has no zone"),
        (f"{CAM}/recordings?from=2026-13-20T08:00:00Z", 422, "is not a time"),
        (f"{CAM}/recordings?from=1930-01-01T00:00:00Z", 422, "before 1970"),
        (f"{CAM}/recordings?from=0001-01-01T00:00:00%2B08:00", 422, "out of range"),
        (f"{CAM}/recordings?from={'9' * 30}", 422, "is not a time"),
        (f"{CAM}/recordings?from={'9' * 300}", 422, "too long"),
        (f"{CAM}/recordings?from=-5", 422, "is not a time"),
        (f"{CAM}/recordings?from=", 422, "is not a time"),
        (f"{CAM}/recordings?from={NOW_UTC_MS + 60_000}&to={NOW_UTC_MS + 70_000}", 422, "after now"),
        (f"{CAM}/recordings?from=0&to={NOW_UTC_MS}", 422, "at most"),
        (f"{CAM}/recordings?limit=0", 422, "errors"),
        (f"{CAM}/recordings?limit=1001", 422, "errors"),
        (f"{CAM}/recordings?after=77", 422, "after=77"),
        ("/api/v1/cameras/cam-9/recordings", 404, "cam-9"),
        ("/api/v1/cameras/..%2f..%2fetc/recordings", 404, "Not Found"),
        ("/api/v1/cameras/..%5cetc/recordings", 422, "errors"),
        ("/api/v1/cameras/%2e%2e/recordings", 422, "errors"),
        (f"{CAM}/recordings/9.mp4", 404, "no recording 9"),
        (f"{CAM}/recordings/0.mp4", 422, "errors"),
        (f"{CAM}/recordings/-1.mp4", 422, "errors"),
        (f"{CAM}/recordings/x.mp4", 422, "errors"),
        (f"{CAM}/recordings/..%2fmanifest.jsonl.mp4", 404, "Not Found"),
        (f"{CAM}/recordings/999999999.mp4", 422, "errors"),
        ("/api/v1/cameras/cam-9/recordings/1.mp4", 404, "no recording 1"),
        (f"{CAM}/clip.mp4?from={T}&to={T + 600_001}", 422, "after now"),
        (f"{CAM}/clip.mp4?from={T - 600_000}&to={T + 1}", 422, "at most 600 s"),
        (f"{CAM}/clip.mp4?from={T}&to={T + 999}", 422, "at least 1000 ms"),
        (f"{CAM}/clip.mp4?from={T}&to={NOW_UTC_MS + 10_000}", 422, "after now"),
        (f"{CAM}/clip.mp4?from={T + 21_000}&to={T + 29_000}", 404, "camera_offline"),
        (f"{CAM}/clip.mp4?from={T - 90_000}&to={T - 80_000}", 404, "no recording"),
        (f"{CAM}/clip.json?from={T}&to={T - 1}", 422, "is not before"),
        (f"{CAM}/manifest.jsonl?from={T - 90_000}&to={T - 80_000}", 404, "no recording"),
        (f"{CAM}/manifest.jsonl?from={T - 40 * 86_400_000}&to={T}", 422, "at most"),
        ("/api/v1/alerts/a-9/clip.mp4", 404, "a-9"),
        ("/api/v1/alerts/..%2fx/clip.mp4", 404, "Not Found"),
        ("/api/v1/alerts/a%20b/clip.mp4", 422, "errors"),
    ],
)
async def test_what_makes_no_sense_is_told_why(
    steady: House, path: str, status: int, words: str
) -> None:
    answer = await steady.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.text


@pytest.mark.parametrize(
    ("header", "status", "first", "end"),
    [
        (None, 200, 0, 1000),
        ("bytes=0-", 206, 0, 1000),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("Bytes = 10 - 19", 206, 10, 20),
        ("bytes=990-5000", 206, 990, 1000),
        ("bytes=999-999", 206, 999, 1000),
        ("bytes=-1", 206, 999, 1000),
        ("bytes=-5000", 206, 0, 1000),
        ("bytes=0-1,5-6", 200, 0, 1000),
        ("seconds=0-1", 200, 0, 1000),
        ("bytes=1000-", 416, 0, 0),
        ("bytes=1000-2000", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=" + "9" * 18 + "-", 416, 0, 0),
        ("bytes=5-2", 400, 0, 0),
        ("bytes=-", 400, 0, 0),
        ("bytes=a-b", 400, 0, 0),
        ("bytes=", 400, 0, 0),
        ("bytes=1", 400, 0, 0),
        ("bytes=--1", 400, 0, 0),
        ("bytes=" + "9" * 19 + "-", 400, 0, 0),
        ("bytes=0-" + " " * 300, 400, 0, 0),
    ],
)
def test_ranges(header: str | None, status: int, first: int, end: int) -> None:
    if status >= 400:
        with pytest.raises(ProblemError) as caught:
            parse_range(header, 1000)
        assert caught.value.problem.status == status
        assert (caught.value.headers == {"Content-Range": "bytes */1000"}) == (status == 416)
    else:
        assert parse_range(header, 1000) == (Span(first, end) if status == 206 else None)


async def test_a_file_is_served_by_range(house: House) -> None:
    content = house.paths[0].read_bytes()
    path = f"{CAM}/recordings/1.mp4"
    whole = await house.get(path)
    assert whole.content == content
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-length"] == str(len(content))
    part = await house.get(path, {"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    tail = await house.get(path, {"Range": "bytes=-7"})
    assert tail.content == content[-7:]
    beyond = await house.get(path, {"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(content)}"
    assert beyond.headers["content-type"] == "application/problem+json"
    etag = whole.headers["etag"]
    same = await house.get(path, {"Range": "bytes=0-9", "If-Range": etag})
    assert (same.status_code, len(same.content)) == (206, 10)
    other = await house.get(path, {"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, len(content))


async def test_the_growing_file_is_served_to_its_last_whole_fragment(
    house: House, files: list[bytes]
) -> None:
    start = START_UTC_MS + 50_000
    path = house.cam.open_file(start, files[0][:-1_000], number=4)
    page = (await house.get(f"{CAM}/recordings")).json()
    assert page["open"]["number"] == 4
    answer = await house.get(page["open"]["path"])
    assert len(answer.content) == page["open"]["bytes"] < len(files[0]) - 1_000
    assert files[0].startswith(answer.content)
    with av.open(io.BytesIO(answer.content), "r") as container:
        pictures = sum(1 for _ in container.decode(video=0))
    assert pictures > 30
    path.write_bytes(files[0])
    grown = await house.get(page["open"]["path"])
    assert len(grown.content) > len(answer.content)
    assert grown.headers["etag"] != answer.headers["etag"]
    assert grown.headers["cache-control"] == "no-store"


async def test_what_was_deleted_or_lost_is_said(house: House) -> None:
    house.cam.append(
        told.Deleted, START_UTC_MS + 60_000, request_id="d", reason="expired", by="node",
        files=({"number": 1, "sha256": "0" * 64},),
    )  # fmt: skip
    house.index.follow()
    house.paths[0].unlink()
    house.paths[1].unlink()
    for path in ("recordings/1.mp4", "recordings/1/thumbnail.jpg"):
        gone = await house.get(f"{CAM}/{path}")
        assert gone.status_code == 410
        assert "expired" in gone.text
    lost = await house.get(f"{CAM}/recordings/2.mp4")
    assert lost.status_code == 404
    assert "manifest" in lost.text
    page = (await house.get(f"{CAM}/recordings")).json()
    assert [row["deleted"] for row in page["segments"]] == ["expired", None, None]
    assert page["segments"][0]["path"] is None


async def test_a_thumbnail_is_the_first_picture_and_made_once(house: House, tmp_path: Path) -> None:
    answer = await house.get(f"{CAM}/recordings/1/thumbnail.jpg")
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (240, 320, 3)
    assert float(picture.mean()) < 30  # the first picture of the footage is the darkest
    (kept,) = (tmp_path / "thumbnails").iterdir()
    kept.write_bytes(b"kept")
    assert (await house.get(f"{CAM}/recordings/1/thumbnail.jpg")).content == b"kept"
    house.paths[1].write_bytes(b"no film at all" * 99)
    broken = await house.get(f"{CAM}/recordings/2/thumbnail.jpg")
    assert broken.status_code == 404


def shades(content: bytes) -> list[tuple[int, int]]:
    """Place in milliseconds and brightness of each picture of a clip."""
    with av.open(io.BytesIO(content), "r") as container:
        return [
            (round(1000 * (frame.time or 0)), int(frame.to_ndarray(format="gray").mean()))
            for frame in container.decode(video=0)
        ]


def list_of(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


async def clip(
    house: House, begin_ms: int, end_ms: int
) -> tuple[httpx.Response, dict[str, object]]:
    query = {"from_": START_UTC_MS + begin_ms, "to": START_UTC_MS + end_ms}
    answer = await house.get(f"{CAM}/clip.mp4", **query)
    assert answer.status_code == 200, answer.text
    facts: dict[str, object] = (await house.get(f"{CAM}/clip.json", **query)).json()
    assert answer.headers["x-clip-start-utc-ms"] == str(facts["start_utc_ms"])
    return answer, facts


async def test_a_clip_begins_at_the_key_frame_before_and_crosses_a_border(house: House) -> None:
    answer, facts = await clip(house, 7_500, 12_000)
    start = facts["start_utc_ms"]
    assert isinstance(start, int)
    assert 7_000 <= start - START_UTC_MS <= 7_500
    assert facts["numbers"] == [1, 2]
    assert facts["sound"] is True
    seen = shades(answer.content)
    assert seen[0][0] == 0
    steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(seen)]
    assert all(0 < step < 400 for step in steps)  # no jolt at the border
    assert abs(seen[-1][0] - (START_UTC_MS + 12_000 - start)) < 500
    with av.open(io.BytesIO(answer.content), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(container.streams.audio) == 1
        assert container.duration is not None
        assert abs(container.duration / 1000 - (START_UTC_MS + 12_000 - start)) < 500


async def test_the_clip_ends_where_the_stream_changed(house: House) -> None:
    _, facts = await clip(house, 15_000, 38_000)
    assert facts["changed_at_utc_ms"] == START_UTC_MS + 30_000
    assert facts["numbers"] == [2]
    _, rest = await clip(house, 30_000, 38_000)
    assert rest["numbers"] == [3]
    assert rest["sound"] is False


async def test_a_gap_stands_still_in_the_clip_and_is_told(house: House, files: list[bytes]) -> None:
    begin = START_UTC_MS + 60_000
    house.cam.segment(begin, LENGTH_MS, content=files[0])
    house.cam.gap(begin + LENGTH_MS, 4_000, "disk_slow")
    house.cam.segment(begin + LENGTH_MS + 4_000, LENGTH_MS, content=files[1])
    house.index.follow()
    answer, facts = await clip(house, 66_000, 78_000)
    assert [gap["reason"] for gap in list_of(facts["gaps"])] == ["disk_slow"]
    assert answer.headers["x-clip-gaps"] == "1"
    seen = shades(answer.content)
    longest = max(later[0] - earlier[0] for earlier, later in itertools.pairwise(seen))
    assert 3_800 <= longest <= 4_800


async def test_a_clip_takes_in_the_growing_file(house: House, files: list[bytes]) -> None:
    house.cam.open_file(START_UTC_MS + 50_000, files[0][:-500], number=4)
    _, facts = await clip(house, 51_000, 55_000)
    assert facts["numbers"] == [4]
    assert facts["start_error_ms"] == 1_000


async def test_a_clip_says_which_file_is_missing(house: House) -> None:
    house.paths[1].unlink()
    answer, facts = await clip(house, 5_000, 15_000)
    assert facts["missing"] == [2]
    assert answer.headers["x-clip-missing-files"] == "1"


async def test_a_clip_is_served_by_range_and_made_once(house: House, tmp_path: Path) -> None:
    answer, _ = await clip(house, 2_000, 5_000)
    (made,) = (tmp_path / "clips").iterdir()
    query = {"from_": START_UTC_MS + 2_000, "to": START_UTC_MS + 5_000}
    part = await house.get(f"{CAM}/clip.mp4", {"Range": "bytes=0-99"}, **query)
    assert (part.status_code, part.content) == (206, answer.content[:100])
    assert list((tmp_path / "clips").iterdir()) == [made]


async def test_a_damaged_file_is_a_problem_not_a_crash(house: House, tmp_path: Path) -> None:
    house.paths[0].write_bytes(b"\x00\x00\x00\x18ftypisom" + b"\xff" * 5_000)
    answer = await house.get(f"{CAM}/clip.mp4", from_=START_UTC_MS + 1_000, to=START_UTC_MS + 3_000)
    assert answer.status_code in {404, 422}
    assert answer.json()["detail"]
    assert list((tmp_path / "clips").iterdir()) == []


async def test_the_clip_of_an_alert_waits_for_its_end(house: House) -> None:
    house.alert(since_utc_ms=START_UTC_MS + 4_000, raised_utc_ms=NOW_UTC_MS - 5_000)
    early = await house.get("/api/v1/alerts/a-1/clip.mp4")
    assert early.status_code == 425
    assert early.headers["retry-after"] == "17"
    now = await house.get("/api/v1/alerts/a-1/clip.json", now=True)
    assert now.json()["asked_to_utc_ms"] == NOW_UTC_MS
    house.clock.advance_ms(17_000)
    answer = await house.get("/api/v1/alerts/a-1/clip.json")
    facts = answer.json()
    assert facts["asked_from_utc_ms"] == START_UTC_MS - 6_000
    assert facts["asked_to_utc_ms"] == NOW_UTC_MS + 15_000
    assert facts["start_utc_ms"] - START_UTC_MS < 100  # nothing is recorded before


async def test_the_clip_of_a_rooms_alert_wants_a_camera(house: House) -> None:
    house.alert("a-2", camera_id=None)
    which = await house.get("/api/v1/alerts/a-2/clip.json")
    assert which.status_code == 422
    assert "?camera=" in which.text
    assert (await house.get("/api/v1/alerts/a-2/clip.json", camera="cam-1")).status_code == 200
    assert (await house.get("/api/v1/alerts/a-2/clip.json", camera="cam-9")).status_code == 404


async def test_a_ticket_for_an_alert_opens_no_other_camera(house: House) -> None:
    house.alert()
    other = RecordedTrack(house.root, track="cam-2")
    other.segment(START_UTC_MS, LENGTH_MS, content=house.paths[0].read_bytes())
    house.index.follow()
    path = "/api/v1/alerts/a-1/clip.json"

    async def status(resource: str, **query: str) -> int:
        query |= {"ticket": house.ticket(resource)}
        return (await house.client.get(path, params=query)).status_code

    assert await status(path) == 200
    assert await status(path, camera="cam-1") == 200
    assert await status(path, camera="cam-2") == 401
    assert await status(CAM, camera="cam-2") == 401
    assert await status("/api/v1/cameras/cam-2", camera="cam-2") == 200
    assert await status("/api/v1/cameras/cam-2") == 401
    assert (await house.get(path, camera="cam-2")).status_code == 200


async def test_a_long_condition_shows_its_last_ten_minutes(house: House) -> None:
    house.alert(since_utc_ms=START_UTC_MS - 3_600_000, raised_utc_ms=START_UTC_MS + 10_000)
    facts = (await house.get("/api/v1/alerts/a-1/clip.json")).json()
    assert facts["asked_to_utc_ms"] - facts["asked_from_utc_ms"] == 600_000


async def test_the_slice_of_the_manifest_is_exact(house: House) -> None:
    lines = house.cam.manifest.read_bytes().splitlines(keepends=True)
    answer = await house.get(f"{CAM}/manifest.jsonl")
    assert answer.content == b"".join(lines)
    middle = await house.get(
        f"{CAM}/manifest.jsonl", from_=START_UTC_MS + 12_000, to=START_UTC_MS + 25_000
    )
    assert middle.content == b"".join(lines[1:3])
    assert json.loads(split_line(middle.content.splitlines()[0]).raw)["number"] == 2


async def test_a_pickup_is_recorded_like_a_camera(house: House) -> None:
    pickup = RecordedTrack(house.root, track="mic-1")
    pickup.segment(START_UTC_MS, content=b"x", media=Media(audio="flac", rate_hz=16_000))
    house.index.follow()
    tracks = (await house.get("/api/v1/tracks")).json()
    assert [(row["track_id"], row["kind"]) for row in tracks] == [
        ("cam-1", "camera"),
        ("mic-1", "pickup"),
    ]
    assert (await house.get("/api/v1/cameras/mic-1/recordings")).status_code == 200


def test_derived_files_are_bounded_and_do_not_stay(tmp_path: Path) -> None:
    clock = SimulatedClock()
    folder = tmp_path / "derived"
    folder.mkdir()
    (folder / "left.part").write_bytes(b"of a crash")
    made = DerivedFiles(folder, clock, bytes_max=250, idle_ms=60_000)
    assert made.find("left.part") is None

    def content(size: int) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            path.write_bytes(b"x" * size)

        return write

    for name in ("a", "b", "c"):
        made.make(name, content(100))
        clock.advance_ms(1_000)
    assert [name for name in "abc" if made.find(name)] == ["b", "c"]
    clock.advance_ms(50_000)
    assert made.find("b")
    clock.advance_ms(20_000)
    made.make("d", content(1))
    assert [name for name in "abcd" if made.find(name)] == ["b", "d"]
    made.forget("b")
    assert made.find("b") is None

    def refuse(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        made.make("e", refuse)
    assert sorted(path.name for path in folder.iterdir()) == ["d"]


async def test_a_still_is_the_key_frame_before_a_moment(house: House) -> None:
    first = await house.client.get(
        f"{CAM}/still.jpg?at={START_UTC_MS + 100}", headers=bearer(RECORDING)
    )
    later = await house.client.get(
        f"{CAM}/still.jpg?at={START_UTC_MS + 8_100}", headers=bearer(RECORDING)
    )
    assert first.status_code == later.status_code == 200
    assert later.headers["access-control-allow-origin"] == "*"
    pictures = [cv2.imdecode(np.frombuffer(row.content, np.uint8), 1) for row in (first, later)]
    assert [picture is not None and picture.shape[1] for picture in pictures] == [640, 640]
    assert first.content != later.content  # the pictures count
    missing = await house.client.get(
        f"{CAM}/still.jpg?at={START_UTC_MS + 2 * LENGTH_MS + 500}", headers=bearer(RECORDING)
    )
    assert missing.status_code == 404
    assert "camera_offline" in missing.json()["detail"]
    assert (
        await house.client.get(f"{CAM}/still.jpg?at=noon", headers=bearer(RECORDING))
    ).status_code == 422
    assert (
        await house.client.get(f"{CAM}/still.jpg?at=1", headers=bearer(VIEW))
    ).status_code == 403


async def test_watermarked_video_opens_to_its_own_ticket_alone(house: House) -> None:
    path = f"{CAM}/watermarked.mp4"
    asked = {"from": str(START_UTC_MS), "to": str(START_UTC_MS + 5_000)}
    bare = await house.client.get(path, params=asked, headers=bearer(RECORDING))
    assert bare.status_code == 401
    for scope, resource, status in (
        ("recording", CAM, 401),
        ("watermark", "/api/v1/cameras/cam-2", 401),
        ("watermark", CAM, 200),
    ):
        ticket = house.ticket(resource, scope)
        answer = await house.client.get(path, params={**asked, "ticket": ticket})
        assert answer.status_code == status, (scope, resource)
    shown = answer.content
    plain = await house.get(f"{CAM}/clip.mp4", from_=asked["from"], to=asked["to"])
    assert plain.status_code == 200
    with av.open(io.BytesIO(shown)) as video:
        assert not video.streams.audio
        assert video.streams.video[0].codec_context.name == "h264"
    long = {"from": str(START_UTC_MS), "to": str(START_UTC_MS + 600_000)}
    ticket = house.ticket(CAM, "watermark")
    answer = await house.client.get(path, params={**long, "ticket": ticket})
    assert answer.status_code == 422
