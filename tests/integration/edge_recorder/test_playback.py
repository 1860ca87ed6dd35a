"""What a real recorder leaves is indexed, shown, cut and served, also while it is being written."""

import io
import itertools
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import av
import httpx
import pytest

from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.api.recordings import open_playback
from edge.evidence.index import RecordingIndex
from edge.evidence.moments import AlertMoments
from runtime.clock import SystemClock
from tests.fakes.edge_api import KEY, RECORDING, TOKENS, FakeNode, FakePictures, bearer
from tests.fakes.edge_site import CAMERA, FPS
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import WITHIN_S, RecorderUnderTest

BASE = f"/api/v1/cameras/{CAMERA}"


@dataclass
class Playing:
    """The node's API on what the recorder writes."""

    index: RecordingIndex
    client: httpx.AsyncClient

    async def get(self, path: str, **query: object) -> httpx.Response:
        asked = {key.removesuffix("_"): str(value) for key, value in query.items()}
        answer = await self.client.get(f"{BASE}/{path}", params=asked or None)
        assert answer.status_code == 200, answer.text
        return answer

    async def page(self) -> dict[str, Any]:
        self.index.follow()
        found: dict[str, Any] = (await self.get("recordings")).json()
        return found


@pytest.fixture
async def playing(recorder: RecorderUnderTest) -> AsyncIterator[Playing]:
    clock = SystemClock()
    folder = recorder.data_dir
    folder.mkdir(exist_ok=True)
    index = RecordingIndex(folder / "recordings.sqlite3", folder / "recordings")
    recorder.client.on_checkpoint(lambda said: index.note_checkpoint(said.line))
    moments = AlertMoments(":memory:")
    with ThreadPoolExecutor(1) as pool:
        app = build(
            FakeNode(),
            LiveHub(lambda *_: b"", pool, clock, viewers_max=1),
            FakePictures(),
            Gate(tokens_from_environ(TOKENS), KEY, clock),
            version="test",
            playback=open_playback(folder, index, moments, clock),
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://edge",
            headers=bearer(RECORDING),
            trust_env=False,
        ) as client:
            yield Playing(index, client)
    index.close()
    moments.close()


def times_ms(content: bytes) -> list[int]:
    with av.open(io.BytesIO(content), "r") as film:
        return [round(1000 * (picture.time or 0)) for picture in film.decode(video=0)]


async def test_a_recording_is_played_while_it_is_written(
    recorder: RecorderUnderTest, playing: Playing
) -> None:
    await recorder.start()
    await recorder.recording()

    async def two_files() -> bool:
        page = await playing.page() if playing.index.knows(CAMERA) else {}
        playing.index.follow()
        growing = page.get("open")
        return bool(page.get("segments") and growing and growing["bytes"] > 20_000)

    await until(two_files, within_s=WITHIN_S, what="one file is finished, another grows")
    page = await playing.page()
    first, growing = page["segments"][0], page["open"]
    whole = await playing.get(f"recordings/{first['number']}.mp4")
    assert len(whole.content) == first["bytes"]
    part = await playing.get(f"recordings/{growing['number']}.mp4")
    assert len(times_ms(part.content)) >= 2, "a whole fragment at the least"
    for number in (first["number"], growing["number"]):
        thumbnail = await playing.get(f"recordings/{number}/thumbnail.jpg")
        assert thumbnail.content.startswith(b"\xff\xd8")

    end = growing["start_utc_ms"] + 800
    begin = end - 3_000
    facts = (await playing.get("clip.json", from_=begin, to=end)).json()
    assert facts["numbers"] == [first["number"], growing["number"]]
    assert facts["sound"] is True
    assert begin - 2_000 <= facts["start_utc_ms"] <= begin
    clip = times_ms((await playing.get("clip.mp4", from_=begin, to=end)).content)
    steps = [later - earlier for earlier, later in itertools.pairwise(clip)]
    assert max(steps) <= 3_000 // FPS  # over the border without a jolt
    assert min(steps) > 0

    assert await recorder.stop() == 0
    playing.index.follow()
    assert playing.index.check() == ()
    lines = (await playing.get("manifest.jsonl")).content.splitlines()
    told = recorder.lines()
    place = told.index(lines[0])
    assert told[place : place + len(lines)] == lines
