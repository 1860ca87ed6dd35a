"""A zone drawn over the API of a real node: a person in it, the alert on the bus, a restart."""

import httpx

from tests.fakes.edge_site import CAMERA, TOKEN, ControllerSide, Running, StartNode
from tests.fakes.waiting import until

URL = f"/api/v1/cameras/{CAMERA}/zones"
TABLE = {
    "id": "table",
    "name": {"zh": "评标桌", "en": "Table"},
    "kind": "forbidden",
    "points": [[0.05, 0.2], [0.95, 0.2], [0.95, 1.0], [0.05, 1.0]],
}


def client_of(running: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.node.port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
    )


async def test_a_drawn_zone_alerts_over_the_bus_and_survives_a_restart(
    rtsp: int, controller: ControllerSide, start_node: StartNode
) -> None:
    url = f"rtsp://127.0.0.1:{rtsp}/five.mp4?play_count=0"
    running = await start_node(url)
    async with client_of(running) as client:
        first = await client.get(URL)
        assert first.json()["source"] == "declared"
        headers = {"If-Match": first.headers["ETag"]}
        drawn = await client.put(URL, json={"zones": [TABLE]}, headers=headers)
        assert drawn.status_code == 200, drawn.text
        assert drawn.json()["drawn_by"] == "all"
    await until(lambda: controller.of("zone.entry"), within_s=60, what="zone.entry is told")
    alert = controller.of("zone.entry")[0]
    assert (alert.camera_id, alert.zone_id) == (CAMERA, "table")
    assert alert.picture is not None
    assert alert.saw is not None
    assert "评标桌" in alert.saw.zh
    assert alert.raised_utc_ms - alert.since_utc_ms >= alert.dwell_ms - 50
    await running.stop()
    again = await start_node(url)
    async with client_of(again) as client:
        answer = await client.get(URL)
    assert (answer.json()["source"], answer.headers["ETag"]) == ("drawn", drawn.headers["ETag"])
    (room,) = again.node.service.rooms.values()
    assert [zone.id for zone in room.state.zones[CAMERA]] == ["table"]
