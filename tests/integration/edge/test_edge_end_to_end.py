"""Camera over RTSP to alert over MQTT, the picture behind the API; all real but the people."""

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

import cv2
import httpx
import numpy as np

from contracts.observations import CameraState, Condition, NodeState
from runtime.tokens import issue_ticket
from tests.fakes.edge_site import (
    CAMERA,
    ENVIRON,
    NODE,
    NODE_KEY,
    TOKEN,
    ControllerSide,
    Proxy,
    StartNode,
    write_site,
)
from tests.fakes.waiting import until


async def test_sixth_person_becomes_one_alert_with_its_picture(
    rtsp: int, controller: ControllerSide, start_node: StartNode
) -> None:
    running = await start_node(f"rtsp://127.0.0.1:{rtsp}/sixth.mp4?play_count=0")
    controller.seal(5)
    await until(lambda: controller.applied, within_s=60, what="the seal is applied")
    assert controller.applied[0].sealed
    assert controller.applied[0].admitted == 5
    await until(
        lambda: controller.of("area.over_admitted"), within_s=60, what="the sixth person's alert"
    )
    alert = controller.of("area.over_admitted")[0]
    assert alert.condition is Condition.ACTIVE
    assert alert.session_id == "session-1"
    assert len(alert.boxes) == 6
    assert alert.raised_utc_ms - alert.since_utc_ms >= alert.dwell_ms - 50
    assert alert.picture is not None
    url = f"http://127.0.0.1:{running.node.port}{alert.picture.path}"
    async with httpx.AsyncClient(trust_env=False) as client:
        picture = await client.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    assert picture.status_code == 200
    assert hashlib.sha256(picture.content).hexdigest() == alert.picture.sha256
    assert len(picture.content) == alert.picture.bytes
    await until(
        lambda: len(controller.of("area.over_admitted")) == 2, within_s=60, what="it clears"
    )
    last = controller.of("area.over_admitted")[1]
    assert (last.alert_id, last.condition) == (alert.alert_id, Condition.CLEARED)
    assert last.picture == alert.picture
    assert controller.health[-1].state is NodeState.RUNNING
    assert controller.health[-1].cameras[0].state is CameraState.LIVE
    assert controller.observations[-1].head_count is not None
    assert {one.rule for one in controller.alerts} == {"area.over_admitted"}
    await until(
        lambda: running.node.service.health.outbox_depth == 0,
        within_s=60,
        what="everything is acknowledged",
    )


async def test_live_view_shows_frames_with_boxes(
    rtsp: int, controller: ControllerSide, start_node: StartNode
) -> None:
    running = await start_node(f"rtsp://127.0.0.1:{rtsp}/five.mp4?play_count=0")
    await until(
        lambda: controller.observations and controller.observations[-1].head_count == 5,
        within_s=60,
        what="five people are seen",
    )
    path = f"/api/v1/cameras/{CAMERA}"
    base = f"http://127.0.0.1:{running.node.port}"
    ticket = issue_ticket(
        bytes.fromhex(NODE_KEY), "li.wei", "picture", path, controller.clock.utc_ms(), 60_000
    )
    query = {"ticket": ticket, "boxes": "true", "width": "320"}
    received = b""
    async with (
        httpx.AsyncClient(trust_env=False, base_url=base) as client,
        client.stream("GET", f"{path}/live.mjpg", params=query) as stream,
    ):
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        async for chunk in stream.aiter_bytes():
            received += chunk
            if received.count(b"Content-Type: image/jpeg") >= 4:
                break
    picture = received.split(b"\r\n\r\n")[1].split(b"\r\n--")[0]
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (180, 320, 3)
    await until(
        lambda: running.node.hub.viewers(CAMERA) == 0, within_s=60, what="the viewer is gone"
    )


async def test_killed_process_comes_back_sealed_and_repeats_nothing(
    rtsp: int, broker_port: int, controller: ControllerSide, tmp_path: Path
) -> None:
    folder = write_site(tmp_path / "site", f"rtsp://127.0.0.1:{rtsp}/five.mp4?play_count=0")
    settings = {
        "node": NODE,
        "site_dir": str(folder),
        "data_dir": str(tmp_path / "node"),
        "mqtt": {"port": broker_port, "client_id": NODE},
        "api": {"port": 0},
        "recording": {"enabled": False},
    }
    file = tmp_path / "edge.yaml"
    file.write_text(json.dumps(settings))

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", "--config", str(file)),
            env={**os.environ, **ENVIRON},
            stderr=asyncio.subprocess.DEVNULL,
        )

    process = await start()
    try:
        await until(lambda: controller.health, within_s=60, what="the node says that it runs")
        controller.seal(4)
        await until(
            lambda: controller.of("area.over_admitted"), within_s=60, what="five are one too many"
        )
        process.kill()
        await process.wait()
        seen = len(controller.observations)
        process = await start()
        await until(
            lambda: any(one.head_count == 5 for one in controller.observations[seen:]),
            within_s=60,
            what="five people are seen again",
        )
        controller.seal(5, "seal-2")
        await until(
            lambda: len(controller.of("area.over_admitted")) >= 2, within_s=60, what="it clears"
        )
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    first, second = controller.of("area.over_admitted")
    assert first.condition is Condition.ACTIVE
    assert (second.alert_id, second.condition) == (first.alert_id, Condition.CLEARED)
    assert [one.command_id for one in controller.applied] == ["seal-1", "seal-2"]


async def test_frozen_camera_is_noticed_within_three_seconds(
    proxy: Proxy, controller: ControllerSide, start_node: StartNode
) -> None:
    await start_node(f"rtsp://127.0.0.1:{proxy.port}/five.mp4?play_count=0")
    await until(
        lambda: controller.observations and controller.observations[-1].head_count == 5,
        within_s=60,
        what="five people are seen",
    )
    proxy.frozen = True
    await until(lambda: controller.of("camera.frozen"), within_s=60, what="the freeze is noticed")
    alert = controller.of("camera.frozen")[0]
    assert alert.raised_utc_ms - proxy.last_forwarded_utc_ms <= 3_000
    assert alert.picture is not None  # the last that was seen
    await until(
        lambda: controller.observations[-1].head_count is None,
        what="the room is unknown, not empty",
    )
    proxy.frozen = False
    await until(
        lambda: len(controller.of("camera.frozen")) == 2, within_s=60, what="it clears again"
    )
    assert not controller.of("camera.offline")  # one outage, one alert


async def test_dead_sound_is_an_alert(
    rtsp: int, controller: ControllerSide, start_node: StartNode
) -> None:
    await start_node(f"rtsp://127.0.0.1:{rtsp}/mute.mp4?play_count=0")
    await until(
        lambda: controller.of("sound.pickup_dead"), within_s=60, what="the dead pickup is noticed"
    )
    alert = controller.of("sound.pickup_dead")[0]
    assert alert.measured[0].value < -80
    assert alert.camera_id == CAMERA


async def test_unreachable_camera_is_offline_then_restart_keeps_one_alert(
    controller: ControllerSide, start_node: StartNode, unused_tcp_port_of_nobody: int
) -> None:
    url = f"rtsp://127.0.0.1:{unused_tcp_port_of_nobody}/none.mp4"
    first = await start_node(url)
    await until(lambda: controller.of("camera.offline"), within_s=60, what="offline is noticed")
    controller.seal(4)
    await until(lambda: controller.applied, within_s=60, what="the seal is applied")
    await first.stop()
    seen = len(controller.health)
    again = await start_node(url)
    await until(lambda: len(controller.health) > seen + 2, within_s=60, what="it runs again")
    room = again.node.service.rooms["room-1"]
    assert room.state.sealed is not None
    assert room.state.sealed.admitted == 4
    assert len(controller.of("camera.offline")) == 1
    assert again.node.service.rooms["room-1"].state.alerts == tuple(controller.of("camera.offline"))
