"""Camera over RTSP to alert over MQTT, with the picture behind the API; all of it real but the people."""

import hashlib

import httpx

from contracts.observations import CameraState, Condition, NodeState
from tests.fakes.waiting import until

CAMERA, TOKEN = "room-1-cam", "view-token-of-the-test-0001"


async def test_sixth_person_becomes_one_alert_with_its_picture(rtsp, controller, start_node):
    node, _stop = await start_node(f"rtsp://127.0.0.1:{rtsp}/sixth.mp4?play_count=0")
    controller.seal(5)
    await until(lambda: controller.applied, within_s=10, what="the seal is applied")
    assert controller.applied[0].sealed
    assert controller.applied[0].admitted == 5
    await until(
        lambda: controller.of("area.over_admitted"), within_s=15, what="the sixth person's alert"
    )
    alert = controller.of("area.over_admitted")[0]
    assert alert.condition is Condition.ACTIVE
    assert alert.session_id == "session-1"
    assert len(alert.boxes) == 6
    assert 950 <= alert.raised_utc_ms - alert.since_utc_ms <= 1_700
    assert alert.picture is not None
    url = f"http://127.0.0.1:{node.port}{alert.picture.path}"
    async with httpx.AsyncClient(trust_env=False) as client:
        picture = await client.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    assert picture.status_code == 200
    assert hashlib.sha256(picture.content).hexdigest() == alert.picture.sha256
    assert len(picture.content) == alert.picture.bytes
    await until(
        lambda: len(controller.of("area.over_admitted")) == 2, within_s=20, what="it clears"
    )
    last = controller.of("area.over_admitted")[1]
    assert (last.alert_id, last.condition) == (alert.alert_id, Condition.CLEARED)
    assert last.picture == alert.picture
    assert controller.health[-1].state is NodeState.RUNNING
    assert controller.health[-1].cameras[0].state is CameraState.LIVE
    assert controller.observations[-1].head_count is not None
    assert {one.rule for one in controller.alerts} == {"area.over_admitted"}
    await until(lambda: node.service.health.outbox_depth == 0, what="everything is acknowledged")


async def test_frozen_camera_is_noticed_within_three_seconds(proxy, controller, start_node):
    await start_node(f"rtsp://127.0.0.1:{proxy.port}/five.mp4?play_count=0")
    await until(
        lambda: controller.observations and controller.observations[-1].head_count == 5,
        within_s=15,
        what="five people are seen",
    )
    proxy.frozen = True
    await until(lambda: controller.of("camera.frozen"), within_s=6, what="the freeze is noticed")
    late_ms = controller.arrived_mono_ms[-1] - proxy.last_forwarded_mono_ms
    assert late_ms <= 3_000
    alert = controller.of("camera.frozen")[0]
    assert alert.picture is not None  # the last that was seen
    await until(
        lambda: controller.observations[-1].head_count is None, what="the room is unknown, not empty"
    )
    proxy.frozen = False
    await until(
        lambda: len(controller.of("camera.frozen")) == 2, within_s=20, what="it clears again"
    )
    assert not controller.of("camera.offline")  # one outage, one alert


async def test_dead_sound_is_an_alert(rtsp, controller, start_node):
    await start_node(f"rtsp://127.0.0.1:{rtsp}/mute.mp4?play_count=0")
    await until(
        lambda: controller.of("sound.pickup_dead"), within_s=15, what="the dead pickup is noticed"
    )
    alert = controller.of("sound.pickup_dead")[0]
    assert alert.measured[0].value < -80
    assert alert.camera_id == CAMERA


async def test_unreachable_camera_is_offline_then_restart_keeps_one_alert(
    controller, start_node, unused_tcp_port_of_nobody
):
    url = f"rtsp://127.0.0.1:{unused_tcp_port_of_nobody}/none.mp4"
    _node, stop = await start_node(url)
    await until(lambda: controller.of("camera.offline"), within_s=10, what="offline is noticed")
    controller.seal(4)
    await until(lambda: controller.applied, within_s=10, what="the seal is applied")
    await stop()
    seen = len(controller.health)
    again, _stop = await start_node(url)
    await until(lambda: len(controller.health) > seen + 2, within_s=15, what="it runs again")
    room = again.service.rooms["room-1"]
    assert room.state.sealed is not None
    assert room.state.sealed.admitted == 4
    assert len(controller.of("camera.offline")) == 1
    assert again.service.rooms["room-1"].state.alerts == tuple(controller.of("camera.offline"))
