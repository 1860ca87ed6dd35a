"""Links to the edge nodes' video: who gets one, signed for what, and entered in the log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from contracts.api import BASE
from contracts.observations import Alert, PictureRef, SoundRef
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.api.playback import RECORDING_TTL_MS, SETTLED_MS
from controller.core.alerts import NODE_OFFLINE
from controller.core.state import own_alert_id
from runtime.tokens import Ticket, read_ticket
from tests.fakes.controller_site import NODE_KEY, Bench, an_alert, bench, durable, health
from tests.fakes.sealing import OVERRIDES
from tests.fakes.waiting import until

CAMERA = f"{BASE}/cameras/cam-1"


@dataclass(frozen=True)
class Desk:
    """A running controller with a node that is up."""

    bench: Bench

    async def get(self, name: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.bench.controller.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
            login = {"username": name, "password": f"{name}-password"}
            token = (await client.post(f"{BASE}/login", json=login)).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            return await client.get(BASE + path, headers=headers)

    def opened(self, url: str, scope: str, resource: str) -> Ticket:
        """The ticket in an address, if it opens ``resource``."""
        (ticket,) = parse_qs(urlsplit(url).query)["ticket"]
        now = self.bench.clock.utc_ms()
        return read_ticket(NODE_KEY, ticket, scope=scope, resource=resource, now_utc_ms=now)

    async def raised(self, alert: Alert, seq: int = 1) -> None:
        await self.bench.edge.publish(durable(Kind.ALERT, "room-1", alert, seq))
        state = self.bench.controller.service
        await until(lambda: alert.alert_id in state.state.alerts, what="the alert is known")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = bench(tmp_path)
    task = asyncio.create_task(made.controller.run())
    await asyncio.sleep(0)
    await made.edge.publish(health("http://edge/"))
    await until(lambda: made.controller.service.state.nodes, what="the node is known")
    yield Desk(made)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_live_page_opens_with_a_ticket_for_pictures(desk: Desk) -> None:
    with capture_logs() as lines:
        answer = await desk.get("sup", "/cameras/cam-1/live")
    assert answer.status_code == 200, answer.text
    url = answer.json()["url"]
    assert url.startswith("http://edge/view/cam-1?ticket=")
    assert desk.opened(url, "picture", CAMERA).subject == "sup"
    (line,) = [line for line in lines if line["event"] == "live_link_issued"]
    assert (line["camera_id"], line["username"]) == ("cam-1", "sup")


async def test_the_editor_of_zones_opens_for_who_may_see_the_picture(desk: Desk) -> None:
    answer = await desk.get("ops", "/cameras/cam-1/zones")
    url = answer.json()["url"]
    assert url.startswith("http://edge/view/cam-1/zones?ticket=")
    assert desk.opened(url, "zones", CAMERA).subject == "ops"
    assert (await desk.get("audit", "/cameras/cam-1/zones")).status_code == 403
    assert (await desk.get("sup", "/cameras/cam-9/zones")).status_code == 404


async def test_a_page_of_recordings_opens_with_a_ticket_for_recordings(desk: Desk) -> None:
    with capture_logs() as lines:
        path = "/cameras/cam-1/recordings?from=1000&to=2000&alert=a1"
        answer = await desk.get("audit", path)
    url = answer.json()["url"]
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("edge", "/view/cam-1/recordings")
    asked = parse_qs(parts.query)
    assert (asked["from"], asked["to"], asked["alert"]) == (["1000"], ["2000"], ["a1"])
    ticket = desk.opened(url, "recording", CAMERA)
    assert ticket.subject == "audit"
    assert ticket.expires_utc_ms == desk.bench.clock.utc_ms() + RECORDING_TTL_MS
    (line,) = [line for line in lines if line["event"] == "recordings_link_issued"]
    assert (line["camera_id"], line["username"], line["alert_id"]) == ("cam-1", "audit", "a1")


async def test_the_sound_of_an_alert_is_a_right_of_its_own_and_each_listening_is_logged(
    desk: Desk,
) -> None:
    path = f"/api/v1/sounds/{'a' * 64}.flac"
    sound = SoundRef(
        sha256="a" * 64,
        bytes=9,
        path=path,
        source_id="cam-1",
        from_utc_ms=UtcMs(1_000),
        duration_ms=10_000,
    )
    await desk.raised(an_alert().model_copy(update={"sound": sound}))
    with capture_logs() as lines:
        answer = await desk.get("sup", "/alerts/a1/sound")
    assert answer.status_code == 200, answer.text
    url = answer.json()["url"]
    assert url.startswith(f"http://edge{path}?ticket=")
    assert desk.opened(url, "sound", path).subject == "sup"
    (line,) = [line for line in lines if line["event"] == "sound_link_issued"]
    assert (line["alert_id"], line["username"]) == ("a1", "sup")
    assert (await desk.get("ops", "/alerts/a1/sound")).status_code == 403


async def test_an_alert_without_sound_says_so(desk: Desk) -> None:
    await desk.raised(an_alert())
    answer = await desk.get("sup", "/alerts/a1/sound")
    assert answer.status_code == 404
    assert "while sealed" in answer.json()["detail"]


async def test_a_clip_opens_its_own_address_and_no_other(desk: Desk) -> None:
    alert = an_alert()
    await desk.raised(alert)
    with capture_logs() as lines:
        clip = (await desk.get("audit", "/alerts/a1/clip")).json()
    path = f"{BASE}/alerts/a1/clip.mp4"
    assert urlsplit(clip["url"]).path == path
    assert desk.opened(clip["url"], "recording", path).subject == "audit"
    assert clip["early"] is False
    assert clip["from_utc_ms"] == max(alert.since_utc_ms - 10_000, 0)
    assert clip["to_utc_ms"] == alert.raised_utc_ms + 20_000
    assert clip["complete_utc_ms"] == clip["to_utc_ms"] + SETTLED_MS
    (line,) = [line for line in lines if line["event"] == "clip_link_issued"]
    assert (line["alert_id"], line["username"]) == ("a1", "audit")


async def test_an_alert_without_a_camera_is_shown_by_one_of_its_room(desk: Desk) -> None:
    await desk.raised(an_alert().model_copy(update={"camera_id": None}))
    clip = (await desk.get("sup", "/alerts/a1/clip")).json()
    assert clip["camera_id"] == "cam-1"
    assert parse_qs(urlsplit(clip["url"]).query)["camera"] == ["cam-1"]
    assert desk.opened(clip["url"], "recording", CAMERA).subject == "sup"


async def test_an_alert_of_a_whole_room_is_shown_by_the_camera_of_its_picture(desk: Desk) -> None:
    digest = "ab" * 32
    picture = PictureRef(
        sha256=digest,
        bytes=1_000,
        path=f"/api/v1/pictures/{digest}.jpg",
        camera_id="cam-1",
        taken_utc_ms=UtcMs(2_000),
    )
    await desk.raised(an_alert().model_copy(update={"camera_id": None, "picture": picture}))
    clip = (await desk.get("sup", "/alerts/a1/clip")).json()
    path = f"{BASE}/alerts/a1/clip.mp4"
    assert set(parse_qs(urlsplit(clip["url"]).query)) == {"ticket"}
    assert desk.opened(clip["url"], "recording", path).subject == "sup"


async def test_an_alert_of_the_controller_is_asked_for_by_its_time(desk: Desk) -> None:
    now = desk.bench.clock.utc_ms()
    alert_id = own_alert_id(NODE_OFFLINE, "edge-1", now)
    changes = {"alert_id": alert_id, "rule": NODE_OFFLINE, "camera_id": None}
    await desk.raised(an_alert().model_copy(update=changes))
    clip = (await desk.get("sup", f"/alerts/{alert_id}/clip")).json()
    parts = urlsplit(clip["url"])
    assert parts.path == f"{CAMERA}/clip.mp4"
    assert parse_qs(parts.query)["to"] == ["22000"]
    assert desk.opened(clip["url"], "recording", parts.path).subject == "sup"


async def test_what_there_is_before_the_end_has_an_end_of_its_own(desk: Desk) -> None:
    now = desk.bench.clock.utc_ms()
    times = {"since_utc_ms": now - 9_000, "raised_utc_ms": now - 8_000}
    await desk.raised(an_alert().model_copy(update=times))
    clip = (await desk.get("sup", "/alerts/a1/clip?early=true")).json()
    parts = urlsplit(clip["url"])
    asked = parse_qs(parts.query)
    assert clip["early"] is True
    assert parts.path == f"{CAMERA}/clip.mp4"
    assert (asked["from"], asked["to"]) == ([str(now - 19_000)], [str(now - SETTLED_MS)])
    assert desk.opened(clip["url"], "recording", parts.path).subject == "sup"
    assert clip["complete_utc_ms"] == now + 12_000 + SETTLED_MS
    desk.bench.clock.advance_ms(14_000)
    whole = (await desk.get("sup", "/alerts/a1/clip?early=true")).json()
    assert whole["early"] is False
    assert urlsplit(whole["url"]).path == f"{BASE}/alerts/a1/clip.mp4"


async def test_a_condition_of_hours_shows_its_last_ten_minutes(desk: Desk) -> None:
    hours = an_alert().model_copy(update={"raised_utc_ms": 7_200_000})
    await desk.raised(hours)
    clip = (await desk.get("sup", "/alerts/a1/clip")).json()
    assert clip["to_utc_ms"] - clip["from_utc_ms"] == 600_000


PATHS = ("/cameras/cam-1/live", "/cameras/cam-1/recordings", "/alerts/a1/clip")
MAY = {
    "sup": (200, 200, 200),
    "ops": (200, 403, 403),
    "audit": (403, 200, 200),
    "cook": (403, 403, 403),
    "tab1": (403, 403, 403),
    "panel": (403, 403, 403),
}


@pytest.mark.parametrize("name", MAY)
async def test_each_role_gets_the_links_that_are_its_own(desk: Desk, name: str) -> None:
    await desk.raised(an_alert())
    answers = [await desk.get(name, path) for path in PATHS]
    assert tuple(answer.status_code for answer in answers) == MAY[name]


async def test_live_pictures_of_a_sealed_room_are_for_supervisors_alone(desk: Desk) -> None:
    transport = httpx.ASGITransport(desk.bench.controller.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
        login = {"username": "sup", "password": "sup-password"}
        token = (await client.post(f"{BASE}/login", json=login)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        body = {"room_id": "room-1", "title": "T", "admitted": 5}
        session = (await client.post(f"{BASE}/sessions", json=body)).json()["id"]
        for step in ("gather", "seal"):
            moved = await client.post(f"{BASE}/sessions/{session}/{step}", json=OVERRIDES)
            assert moved.status_code == 200, moved.text
    assert (await desk.get("ops", "/cameras/cam-1/live")).status_code == 403
    assert (await desk.get("ops", "/cameras/cam-2/live")).status_code == 200
    assert (await desk.get("sup", "/cameras/cam-1/live")).status_code == 200


async def test_what_is_not_there_is_said(desk: Desk, tmp_path: Path) -> None:
    for path in ("/cameras/nothing/live", "/cameras/nothing/recordings", "/alerts/nothing/clip"):
        assert (await desk.get("sup", path)).status_code == 404
    for query in ("from=x", "to=-1", "alert=a%2Fb"):
        answer = await desk.get("sup", f"/cameras/cam-1/recordings?{query}")
        assert answer.status_code == 422, answer.text
    silent = replace(desk, bench=bench(tmp_path / "other"))
    answer = await silent.get("sup", "/cameras/cam-1/recordings")
    assert answer.status_code == 503
    assert "not up yet" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "5"
