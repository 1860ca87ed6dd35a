"""The API: who may ask for what, problems, tickets, live view."""

import asyncio
import io
import socket
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from contracts.units import MonoMs, UtcMs
from edge.api.access import AccessError, Gate, node_key, open_tokens, tokens_from_environ
from edge.api.app import build
from edge.api.live import Drawn, LiveHub, TooManyViewersError, Variant, nearest_width
from edge.core.attention import Look, LookKind, Why
from edge.core.people import Instant
from edge.ports import Attended, Caption, Frame, Rgb
from runtime.clock import SimulatedClock
from runtime.http import PortTakenError, listen
from runtime.tokens import issue_ticket
from tests.fakes.edge_api import (
    KEY,
    METRICS,
    OPS,
    PICTURE,
    TOKENS,
    VIEW,
    VIEW_OF_CAMERA,
    FakeNode,
    FakePictures,
    bearer,
)

LOOKED = Attended(Look(LookKind.FULL, Why.MOVEMENT))


class Api:
    """The application with what is behind it."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.clock = SimulatedClock()
        self.encoded = 0
        self.hub = LiveHub(self.render, pool, self.clock, viewers_max=2)
        self.pictures = FakePictures()
        gate = Gate(tokens_from_environ(TOKENS), KEY, self.clock)
        self.app = build(FakeNode(), self.hub, self.pictures, gate, version="1")
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://edge", trust_env=False
        )

    def render(self, rgb: Rgb, drawn: Drawn, width_px: int | None) -> bytes:
        self.encoded += 1
        marks = ["boxes"] * (drawn.view is not None)
        marks += [f"attention {drawn.attended.look.why}"] if drawn.attended is not None else []
        return f"{' '.join(marks) or 'plain'} {width_px}".encode()

    def offer(self) -> None:
        frame = Frame.of_rgb(
            "cam-1", np.zeros((9, 16, 3), np.uint8), Instant(MonoMs(1), UtcMs(2)), 0
        )
        self.hub.offer(frame, VIEW_OF_CAMERA, Caption(1, 2, alarm=False), LOOKED)

    def ticket(self, resource: str, *, scope: str = "picture", subject: str = "li.wei") -> str:
        return issue_ticket(KEY, subject, scope, resource, self.clock.utc_ms(), 60_000)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    with ThreadPoolExecutor(1) as pool:
        made = Api(pool)
        async with made.client:
            yield made


ROUTES = {
    "/api/v1/node": VIEW,
    "/api/v1/storage": VIEW,
    "/api/v1/health": VIEW,
    "/api/v1/openapi.json": VIEW,
    "/api/v1/areas": VIEW,
    "/api/v1/areas/room-1": VIEW,
    "/api/v1/cameras": VIEW,
    "/api/v1/cameras/cam-1": VIEW,
    "/api/v1/cameras/cam-1/snapshot.jpg": VIEW,
    f"/api/v1/pictures/{PICTURE}.jpg": VIEW,
    "/metrics": METRICS,
}
MEDIA = ("/snapshot.jpg", "/live.mjpg", ".jpg")


def test_the_table_of_routes_is_complete(api: Api) -> None:
    paths = {
        path.replace("{area_id}", "room-1")
        .replace("{camera_id}", "cam-1")
        .replace("{sha256}", PICTURE)
        for path in api.app.openapi()["paths"]
    }
    assert paths == {*ROUTES, "/api/v1/cameras/cam-1/live.mjpg"}


@pytest.mark.parametrize("path", [*ROUTES, "/api/v1/cameras/cam-1/live.mjpg"])
async def test_every_route_wants_a_token_with_its_scope(api: Api, path: str) -> None:
    api.offer()
    for headers in ({}, bearer("wrong"), {"Authorization": "Basic dTpw"}):
        refused = await api.client.get(path, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["status"] == 401
    for other in (OPS, VIEW if path == "/metrics" else METRICS):
        refused = await api.client.get(path, headers=bearer(other))
        assert refused.status_code == 403
    if path in ROUTES:
        answer = await api.client.get(path, headers=bearer(ROUTES[path]))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/api/v1"])
async def test_nothing_else_is_served(api: Api, path: str) -> None:
    assert (await api.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/areas/room-9", 404),
        ("/api/v1/cameras/cam-9", 404),
        ("/api/v1/cameras/cam-9/snapshot.jpg", 404),
        ("/api/v1/cameras/cam-9/live.mjpg", 404),
        ("/api/v1/cameras/Cam%209", 422),
        ("/api/v1/cameras/cam-1/snapshot.jpg?width=9", 422),
        (f"/api/v1/pictures/{'0' * 64}.jpg", 404),
        ("/api/v1/pictures/..%2f..%2fetc.jpg", 404),
        ("/api/v1/pictures/short.jpg", 422),
        ("/api/v1/cameras/cam-1/snapshot.jpg", 503),
    ],
)
async def test_mistakes_are_problems(api: Api, path: str, status: int) -> None:
    answer = await api.client.get(path, headers=bearer(VIEW))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_ticket_opens_its_camera_or_picture_alone(api: Api) -> None:
    api.offer()
    camera = api.ticket("/api/v1/cameras/cam-1")
    snapshot = "/api/v1/cameras/cam-1/snapshot.jpg"
    picture = f"/api/v1/pictures/{PICTURE}.jpg"

    async def status(path: str, ticket: str) -> int:
        return (await api.client.get(path, params={"ticket": ticket})).status_code

    assert await status(snapshot, camera) == 200
    assert await status(snapshot, api.ticket(snapshot)) == 200
    assert await status(picture, api.ticket(picture)) == 200
    assert await status(picture, camera) == 401
    assert await status("/api/v1/cameras/cam-2/snapshot.jpg", camera) == 401
    assert await status("/api/v1/cameras/cam-1", camera) == 401  # tickets are for images alone
    assert await status(snapshot, api.ticket("/api/v1/cameras/cam-1", scope="live")) == 401
    assert await status(snapshot, camera[:-2] + "xx") == 401
    api.clock.advance_ms(60_000)
    assert await status(snapshot, camera) == 401


async def test_only_the_controller_counts_as_having_fetched(api: Api) -> None:
    path = f"/api/v1/pictures/{PICTURE}.jpg"
    await api.client.get(path, params={"ticket": api.ticket(path)})
    assert api.pictures.fetched == []
    await api.client.get(path, params={"ticket": api.ticket(path, subject="controller")})
    answer = await api.client.get(path, headers=bearer(VIEW))
    assert api.pictures.fetched == [PICTURE, PICTURE]
    assert answer.headers["etag"] == f'"{PICTURE}"'


async def test_a_frame_is_encoded_once_for_all_viewers_and_only_if_wanted(api: Api) -> None:
    api.offer()
    assert api.encoded == 0
    boxes = Variant(boxes=True, width_px=None)
    await asyncio.gather(*(api.hub.jpeg("cam-1", boxes) for _ in range(5)))
    assert api.encoded == 1
    await api.hub.jpeg("cam-1", Variant(boxes=False, width_px=320))
    assert api.encoded == 2


async def test_live_view_is_bounded_and_paced(api: Api) -> None:
    variant = Variant(boxes=True, width_px=320)
    one, two = api.hub.watch("cam-1", variant), api.hub.watch("cam-1", variant)
    assert (await anext(one)).startswith(b"--zeroentry-frame")
    await anext(two)
    with pytest.raises(TooManyViewersError):
        await anext(api.hub.watch("cam-1", variant))
    api.offer()
    part = await asyncio.wait_for(anext(one), 30)
    assert b"Content-Type: image/jpeg" in part
    assert b"boxes 320" in part
    assert part.endswith(b"--zeroentry-frame\r\n")
    await asyncio.wait_for(anext(two), 30)
    assert api.encoded == 1
    following = asyncio.ensure_future(anext(one))
    api.offer()  # too early: 8 frames a second at most
    await api.clock.settle()
    assert not following.done()
    api.clock.advance_ms(200)
    api.offer()
    await asyncio.wait_for(following, 30)
    await one.aclose()
    await two.aclose()
    assert api.hub.viewers("cam-1") == 0


@pytest.mark.parametrize(("asked", "given"), [(None, None), (64, 320), (640, 640), (1900, 1920)])
def test_widths_are_few(asked: int | None, given: int | None) -> None:
    assert nearest_width(asked) == given


def test_first_start_makes_a_token_and_shows_it_once(tmp_path: Path) -> None:
    out = io.StringIO()
    book = open_tokens({}, tmp_path, out)
    token = out.getvalue().splitlines()[-1]
    assert book.check(token, scope="view", now_utc_ms=UtcMs(1)) is not None
    path = tmp_path / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    again = io.StringIO()
    assert (
        open_tokens({}, tmp_path, again).check(token, scope="ops", now_utc_ms=UtcMs(1)) is not None
    )
    assert again.getvalue() == ""
    path.chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        open_tokens({}, tmp_path, again)


@pytest.mark.parametrize("text", ["x", "a:view:short", "a:root:" + "t" * 30, ":view:" + "t" * 30])
def test_malformed_tokens_of_the_environment_are_refused_unseen(text: str) -> None:
    with pytest.raises(AccessError) as caught:
        tokens_from_environ(text)
    assert "t" * 30 not in str(caught.value)


def test_a_wrong_node_key_says_how_to_make_one() -> None:
    assert node_key({}) is None
    with pytest.raises(AccessError, match="token_hex"):
        node_key({"ZEROENTRY_NODE_KEY": "abc"})


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is in use"):
            listen("127.0.0.1", port)


async def test_the_node_says_how_long_its_disk_lasts_and_how_copies_fare(
    api: Api,
) -> None:
    told = (await api.client.get("/api/v1/storage", headers=bearer(VIEW))).json()
    assert (told["disk_free_bytes"], told["days_left"]) == (1, 3.5)
    assert told["places"] == [{"name": "mirror", "failing_since_utc_ms": 1, "error": "not mounted"}]


async def test_what_was_looked_at_is_drawn_on_request(api: Api) -> None:
    api.offer()
    headers = bearer(VIEW)
    url = "/api/v1/cameras/cam-1/snapshot.jpg"
    plain = await api.client.get(url, headers=headers)
    drawn = await api.client.get(url, headers=headers, params={"attention": "1"})
    both = await api.client.get(url, headers=headers, params={"attention": "1", "boxes": "1"})
    assert [one.text for one in (plain, drawn, both)] == [
        "plain None",
        "attention movement None",
        "boxes attention movement None",
    ]
