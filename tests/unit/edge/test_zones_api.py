"""Zones over the API: who may, what is refused and why, two editors, a seal, a restart."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from contracts.devices import CameraConfig
from contracts.zones import PictureZone
from edge.api.access import Gate, tokens_from_environ
from edge.api.app import build
from edge.api.live import LiveHub
from edge.core.people import Rect
from edge.store import EdgeStore, StoreError
from runtime.clock import SimulatedClock
from runtime.tokens import issue_ticket
from tests.fakes.edge_api import KEY, OPS, TOKENS, VIEW, FakeNode, FakePictures, bearer
from tests.fakes.zoned_room import CAMERA, ZonedSite

URL = f"/api/v1/cameras/{CAMERA}/zones"
CHIEF = "chief-token-of-the-test-1"
STORE: dict[str, Any] = {
    "id": "store-door",
    "name": {"zh": "库房门口", "en": "Store door"},
    "kind": "forbidden",
    "points": [[0.4, 0.4], [0.6, 0.4], [0.6, 0.9], [0.4, 0.9]],
}
GATE: dict[str, Any] = {
    "id": "gate-1",
    "name": {"zh": "入口", "en": "Gate"},
    "kind": "gate",
    "points": [[0.1, 0.9], [0.1, 0.4]],
}
DECLARED = PictureZone.model_validate({**GATE, "id": "declared-1"})


class Api:
    """The application over a desk of zones; ``restart`` opens the same disk again."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.folder, self.pool, self.clock = folder, pool, SimulatedClock()
        self.open()

    def open(self) -> None:
        self.site = ZonedSite(self.folder, self.pool, self.clock, (DECLARED,))
        gate = Gate(tokens_from_environ(f"{TOKENS},chief:approve:{CHIEF}"), KEY, self.clock)
        hub = LiveHub(lambda *_: b"", self.pool, self.clock, viewers_max=2)
        app = build(FakeNode(), hub, FakePictures(), gate, version="1", zones=self.site.desk)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://edge", trust_env=False
        )

    def restart(self) -> None:
        self.site.close()
        self.open()

    async def get(self) -> httpx.Response:
        return await self.client.get(URL, headers=bearer(VIEW))

    async def put(self, *zones: object, etag: str | None = None, **more: str) -> httpx.Response:
        etag = etag or (await self.get()).headers["ETag"]
        headers = {**bearer(OPS), "If-Match": etag, **more}
        return await self.client.put(URL, json={"zones": list(zones)}, headers=headers)

    def ticket(self, scope: str, camera: str = CAMERA) -> str:
        resource = f"/api/v1/cameras/{camera}"
        return issue_ticket(KEY, "li.wei", scope, resource, self.clock.utc_ms(), 60_000)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    with ThreadPoolExecutor(1) as pool:
        made = Api(tmp_path, pool)
        yield made
        await made.client.aclose()
        made.site.close()


async def test_declared_zones_until_others_are_drawn_and_after_they_are_dropped(api: Api) -> None:
    first = (await api.get()).json()
    assert (first["source"], first["drawn_by"]) == ("declared", None)
    assert [one["id"] for one in first["zones"]] == ["declared-1"]
    assert (await api.put(STORE, GATE)).status_code == 200
    drawn = (await api.get()).json()
    assert (drawn["source"], drawn["drawn_by"]) == ("drawn", "o")
    assert [one["id"] for one in drawn["zones"]] == ["store-door", "gate-1"]
    assert [one.id for one in api.site.room.state.zones[CAMERA]] == ["store-door", "gate-1"]
    etag = (await api.get()).headers["ETag"]
    dropped = await api.client.delete(URL, headers={**bearer(OPS), "If-Match": etag})
    assert dropped.json()["source"] == "declared"
    assert [one.id for one in api.site.room.state.zones[CAMERA]] == ["declared-1"]


async def test_drawn_zones_survive_a_restart(api: Api) -> None:
    await api.put(STORE)
    api.restart()
    again = (await api.get()).json()
    assert (again["source"], again["drawn_by"]) == ("drawn", "o")
    assert [one["id"] for one in again["zones"]] == ["store-door"]
    assert [one.id for one in api.site.room.state.zones[CAMERA]] == ["store-door"]
    await api.put()  # a camera whose zones were all deleted: not those declared
    api.restart()
    assert (await api.get()).json()["zones"] == []


async def test_zones_on_disk_that_cannot_be_read_stop_the_node(api: Api) -> None:
    api.site.store.draw_zones(CAMERA, '{"zones": [{"id": "x"}]}')
    with pytest.raises(StoreError, match="drawn zones of cam-1 cannot be read"):
        api.restart()


async def test_a_refusing_disk_changes_nothing(api: Api) -> None:
    etag = (await api.get()).headers["ETag"]
    api.site.store.close()
    answer = await api.put(STORE, etag=etag)
    assert answer.status_code == 503
    assert [one["id"] for one in (await api.get()).json()["zones"]] == ["declared-1"]
    assert [one.id for one in api.site.room.state.zones[CAMERA]] == ["declared-1"]
    api.site.store = EdgeStore(api.folder / "edge.sqlite3")


async def test_two_editors_cannot_overwrite_one_another(api: Api) -> None:
    etag = (await api.get()).headers["ETag"]
    assert (await api.put(STORE, etag=etag)).status_code == 200
    late = await api.put(GATE, etag=etag)
    assert late.status_code == 412
    assert late.headers["content-type"] == "application/problem+json"
    assert "by o" in late.json()["detail"]
    assert late.headers["ETag"] == (await api.get()).headers["ETag"]
    assert (await api.put(GATE, etag=late.headers["ETag"])).status_code == 200
    blind = await api.client.put(URL, json={"zones": []}, headers=bearer(OPS))
    assert blind.status_code == 428
    assert (await api.put(etag="*")).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "fence"}, "zones.1 (store-door).kind: Input should be 'gate', 'line', 'forbid"),
        ({"points": [[0.1, 0.1], [0.2, 0.2]]}, "(store-door).points: a forbidden zone needs at l"),
        ({"points": [[0.1, 0.1], [1.2, 0.2], [0.4, 0.4]]}, ".points.1.0: Input should be less tha"),
        ({"points": [[0.1, 0.1]] * 4}, "(store-door).points: the corners enclose no area"),
        ({"kind": "line"}, "(store-door).points: a line is a line of exactly 2 points, not 4"),
        ({"kind": "seat"}, "zones.1 (store-door).seat: belongs to a zone of kind seat, and only"),
        ({"kind": "door"}, "zones.1 (store-door).leads_to: belongs to a zone of kind door"),
        ({"kind": "door", "leads_to": "attic"}, "leads_to: no area 'attic'; areas: ['room-1', "),
        ({"name": {"zh": "门"}}, "zones.1 (store-door).name.en: Field required"),
        ({"colour": "red"}, "zones.1 (store-door).colour: Extra inputs are not permitted"),
        ({"id": "gate-1"}, "zones: gate-1: is used twice"),
        ({"id": "Store Door"}, "zones.1 (Store Door).id: String should match pattern"),
        ({"points": None}, "zones.1 (store-door).points: Input should be a valid"),
    ],
)
async def test_what_is_wrong_is_named_by_zone_and_field(
    api: Api, change: dict[str, object], error: str
) -> None:
    answer = await api.put(GATE, {**STORE, **change})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert any(error in one for one in answer.json()["errors"]), answer.json()["errors"]
    assert (await api.get()).json()["source"] == "declared"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422), (b"[]", 422), (b'{"zones": 3}', 422), (b'{"zones": [1, null]}', 422),
        (b'{"zones": [], "more": 1}', 422), (b"[" * 50_000, 422), (b" " * 200_000, 413),
        (b'{"zones": [' + b"{}," * 40 + b"{}]}", 422),
        (b'{"zones": [{"points": [[NaN, 0]]}]}', 422),
    ],
)  # fmt: skip
async def test_any_body_is_refused_with_a_reason(api: Api, content: bytes, status: int) -> None:
    headers = {**bearer(OPS), "If-Match": "*"}
    answer = await api.client.put(URL, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_who_may_read_and_who_may_draw(api: Api) -> None:
    assert (await api.client.get(URL)).status_code == 401
    assert (await api.client.get(URL, headers=bearer(OPS))).status_code == 403
    refused = await api.client.put(URL, json={"zones": []}, headers=bearer(VIEW))
    assert refused.status_code == 403
    draws, looks = api.ticket("zones"), api.ticket("picture")
    assert (await api.client.get(f"{URL}?ticket={draws}")).status_code == 200
    assert (await api.client.get(f"{URL}?ticket={looks}")).status_code == 401
    other = api.ticket("zones", camera="cam-2")
    assert (await api.client.get(f"{URL}?ticket={other}")).status_code == 401
    put = await api.client.put(
        f"{URL}?ticket={draws}", json={"zones": [STORE]}, headers={"If-Match": "*"}
    )
    assert put.json()["drawn_by"] == "li.wei"
    shown = await api.client.get(f"/api/v1/cameras/{CAMERA}/snapshot.jpg?ticket={draws}")
    assert shown.status_code == 503  # may see the picture, of which there is none yet
    missing = await api.client.get("/api/v1/cameras/cam-9/zones", headers=bearer(VIEW))
    assert missing.status_code == 404


async def test_a_seal_freezes_zones_for_one_person_alone(api: Api) -> None:
    api.site.room.seal()
    assert (await api.get()).json()["sealed"] is True
    alone = await api.put(STORE)
    assert alone.status_code == 409
    assert (await api.get()).json()["source"] == "declared"
    both = await api.put(STORE, **{"X-Second-Token": CHIEF})
    assert both.status_code == 200
    consent = api.site.room.consents[-1]
    assert consent is not None
    assert (consent.by, consent.second) == ("o", "chief")


async def test_who_is_where_now(api: Api) -> None:
    await api.put(STORE, GATE)
    room = api.site.room
    for x in (0.04, 0.08, 0.12, 0.16):
        api.clock.advance_ms(200)
        room.see(Rect(x - 0.03, 0.5, x + 0.03, 0.8), Rect(0.47, 0.5, 0.53, 0.8))
    now = (await api.client.get(f"{URL}/people", headers=bearer(VIEW))).json()
    assert [one["zones"] for one in now["people"]] == [[], ["store-door"]]
    assert now["people"][1]["standing"] == pytest.approx([0.5, 0.788])
    assert [(one["zone_id"], one["inward"]) for one in now["crossings"]] == [("gate-1", True)]
    assert [(one["rule"], one["zone_id"]) for one in now["alerts"]] == [
        ("zone.entry", "store-door")
    ]


async def test_the_export_is_what_a_camera_s_file_takes(api: Api) -> None:
    await api.put({**STORE, "sealed_only": True}, GATE)
    answer = await api.client.get(f"{URL}.yaml", headers=bearer(VIEW))
    assert "cam-1-zones.yaml" in answer.headers["content-disposition"]
    assert "库房门口" in answer.text
    camera = CameraConfig.model_validate(
        {
            "kind": "camera", "id": CAMERA, "area": "room-1", "name": {"zh": "机", "en": "Camera"},
            "main": {"url": "rtsp://host/1", "width": 640, "height": 360, "fps": 5},
            **yaml.safe_load(answer.text),
        }
    )  # fmt: skip
    assert camera.zones == api.site.desk.book.of(CAMERA).zones


async def test_the_answer_says_what_may_be_drawn_and_which_rules_use_it(api: Api) -> None:
    kinds = {one["kind"]: one for one in (await api.get()).json()["kinds"]}
    assert len(kinds) == 8
    assert kinds["gate"]["line"] is True
    assert [rule["code"] for rule in kinds["watched"]["rules"]] == [
        "zone.loitering",
        "zone.roles_contact",
    ]
    assert kinds["forbidden"]["rules"][0]["mode"] == "on"
    assert kinds["mask"]["rules"] == []
