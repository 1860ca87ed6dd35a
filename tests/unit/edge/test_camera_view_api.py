"""A person accepts a camera's view over the API: who may, and who must stand by."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx
import pytest

from contracts.units import CameraId, MonoMs, RoomId, SessionId, UtcMs
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.camera_view import LearnedView, add_camera_view
from edge.api.live import LiveHub
from edge.core.people import Instant
from edge.core.rule_settings import rule_settings
from edge.core.state import RoomSetup, RoomState, Sealed, restore
from runtime.clock import SimulatedClock
from tests.fakes.edge_api import KEY, OPS, TOKENS, VIEW, FakeNode, FakePictures, bearer

CHIEF = "chief-token-of-the-test-1"
URL = "/api/v1/cameras/cam-1/view/accept"
NOW = Instant(MonoMs(1), UtcMs(1_767_232_800_000))


@dataclass
class Room:
    """A room that a test seals."""

    state: RoomState
    room_id: RoomId = "room-1"

    def seal(self) -> None:
        self.state = replace(self.state, sealed=Sealed(SessionId("s-1"), 5, NOW))


class Api:
    def __init__(self, pool: ThreadPoolExecutor) -> None:
        clock = SimulatedClock()
        self.room = Room(restore(RoomSetup("room-1", "node-1", (), rule_settings()), None, NOW))
        self.accepted = 0
        gate = Gate(tokens_from_environ(f"{TOKENS},chief:approve:{CHIEF}"), KEY, clock)
        hub = LiveHub(lambda *_: b"", pool, clock, viewers_max=2)
        app = build(FakeNode(), hub, FakePictures(), gate, version="1")
        add_camera_view(app, {CameraId("cam-1"): LearnedView(self.room, self._accept)})
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://edge", trust_env=False
        )

    def _accept(self) -> None:
        self.accepted += 1


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    with ThreadPoolExecutor(1) as pool:
        made = Api(pool)
        async with made.client:
            yield made


async def test_operations_accept_a_view(api: Api) -> None:
    answer = await api.client.post(URL, headers=bearer(OPS))
    assert answer.status_code == 200
    assert answer.json()["camera_id"] == "cam-1"
    assert api.accepted == 1


async def test_others_may_not(api: Api) -> None:
    assert (await api.client.post(URL)).status_code == 401
    assert (await api.client.post(URL, headers=bearer(VIEW))).status_code == 403
    assert api.accepted == 0


async def test_a_camera_of_elsewhere_is_not_found(api: Api) -> None:
    answer = await api.client.post(URL.replace("cam-1", "cam-9"), headers=bearer(OPS))
    assert answer.status_code == 404
    assert "cam-9" in answer.text


async def test_while_sealed_a_second_person_must_agree(api: Api) -> None:
    api.room.seal()
    alone = await api.client.post(URL, headers=bearer(OPS))
    assert alone.status_code == 409
    assert api.accepted == 0
    both = await api.client.post(URL, headers={**bearer(OPS), "X-Second-Token": CHIEF})
    assert both.status_code == 200
    assert both.json()["second"] == "chief"
    assert api.accepted == 1
