"""Alerts explain themselves: standing and lately, in both languages, with their picture."""

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.catalogue import CATALOGUE
from contracts.observations import (
    Alert,
    Box,
    CameraState,
    Condition,
    Measured,
    Mode,
    Said,
    SeenPerson,
    Severity,
)
from contracts.units import UtcMs
from edge.core.room import CameraChanged
from edge.perception.alert_picture import NotAPictureError, with_boxes
from edge.recent_alerts import LATELY_MAX, RecentAlerts
from tests.fakes.edge_api import bearer
from tests.fakes.rule_node import OPS, VIEW, RuleNode, start_rule_node

OFFLINE = "camera.offline"
NOW = UtcMs(1_795_305_600_000)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RuleNode]:
    made = start_rule_node(tmp_path)
    yield made
    await made.stop()


async def lose_camera(node: RuleNode, state: CameraState = CameraState.OFFLINE) -> None:
    room = node.service.rooms["room-1"]
    await room.take(CameraChanged("room-1-cam", state, room.now()))
    for _ in range(40):
        node.clock.advance_ms(500)
        await room.tick()


async def test_an_alert_is_explained_while_it_stands_and_after(node: RuleNode) -> None:
    path = f"/api/v1/areas/room-1/rules/{OFFLINE}"
    shadow = {"mode": "shadow", "risk_code": "RP-017"}
    assert (await node.client.put(path, json=shadow, headers=bearer(OPS))).status_code == 200
    await lose_camera(node)
    (alert,) = node.service.rooms["room-1"].state.alerts
    path = f"/api/v1/alerts/{alert.alert_id}/explanation"
    told = (await node.client.get(path, headers=bearer(VIEW))).json()
    spec = CATALOGUE[OFFLINE]
    assert told["title"] == {"zh": spec.title.zh, "en": spec.title.en}
    assert (told["mode"], told["risk_code"], told["condition"]) == ("shadow", "RP-017", "active")
    assert {one["name"]: one["unit"] for one in told["parameters"]}["dwell_ms"] == "ms"
    assert all(one["title"]["zh"] and one["title"]["en"] for one in told["parameters"])
    assert "nobody was told" in told["says"]["en"]
    assert "影子" in told["says"]["zh"]
    assert told["clip"] == f"/api/v1/alerts/{alert.alert_id}/clip.mp4"
    assert told["lasted_ms"] > 0
    await lose_camera(node, CameraState.LIVE)
    told = (await node.client.get(path, headers=bearer(VIEW))).json()
    assert told["condition"] == "cleared"
    assert "is over" in told["says"]["en"]
    rows = (await node.client.get("/api/v1/alerts?area=room-1", headers=bearer(VIEW))).json()
    assert [row["alert_id"] for row in rows] == [alert.alert_id]
    rows = await node.client.get("/api/v1/alerts?area=corridor-1", headers=bearer(VIEW))
    assert rows.json() == []


async def test_findings_are_counted_by_rule_and_mode(node: RuleNode) -> None:
    await lose_camera(node)
    assert node.metrics.value("edge_findings_total", rule=OFFLINE, mode="on") == 1
    area = (await node.client.get("/api/v1/areas/room-1/rules", headers=bearer(VIEW))).json()
    row = next(one for one in area["rules"] if one["code"] == OFFLINE)
    assert (row["counts"], row["standing"]) == ({"on": 1, "shadow": 0}, 1)


async def test_what_is_switched_off_clears_at_once(node: RuleNode) -> None:
    await lose_camera(node)
    room = node.service.rooms["room-1"]
    assert room.state.alerts
    path = f"/api/v1/areas/room-1/rules/{OFFLINE}"
    await node.client.put(path, json={"mode": "off"}, headers=bearer(OPS))
    assert room.state.alerts == ()
    assert [alert.condition for alert in room.lately.alerts] == [Condition.CLEARED]


async def test_a_rule_switched_on_while_its_condition_holds_tells_it_anew(node: RuleNode) -> None:
    path = f"/api/v1/areas/room-1/rules/{OFFLINE}"
    await node.client.put(path, json={"mode": "shadow"}, headers=bearer(OPS))
    await lose_camera(node)
    room = node.service.rooms["room-1"]
    (silent,) = room.state.alerts
    await node.client.put(path, json={"severity": "warning", "mode": "on"}, headers=bearer(OPS))
    for _ in range(40):
        node.clock.advance_ms(500)
        await room.tick()
    (told,) = room.state.alerts
    assert (silent.mode, told.mode) == (Mode.SHADOW, Mode.ON)
    assert told.alert_id != silent.alert_id
    assert [one.alert_id for one in room.lately.alerts] == [silent.alert_id]
    await node.client.put(path, json={"mode": "on"}, headers=bearer(OPS))
    assert room.state.alerts == (told,), "another severity begins nothing anew"


async def test_a_rule_whose_alert_the_disk_refuses_is_set_as_soon_as_it_takes_it(
    node: RuleNode,
) -> None:
    await lose_camera(node)
    room = node.service.rooms["room-1"]
    rules = {**room.state.rules}
    path = f"/api/v1/areas/room-1/rules/{OFFLINE}"
    node.store.refuse_after(1)
    answer = await node.client.put(path, json={"mode": "off"}, headers=bearer(OPS))
    assert answer.status_code == 200
    assert room.state.rules[OFFLINE] == rules[OFFLINE], "its alert could not be cleared on disk"
    node.store.full = False
    await room.tick()
    assert room.state.rules[OFFLINE].mode is Mode.OFF
    assert room.state.alerts == ()


async def test_unknown_alerts_and_pictures_are_not_found(node: RuleNode) -> None:
    for path in ("explanation", "picture.jpg"):
        answer = await node.client.get(f"/api/v1/alerts/none/{path}", headers=bearer(VIEW))
        assert answer.status_code == 404
    await lose_camera(node)
    (alert,) = node.service.rooms["room-1"].state.alerts
    picture = f"/api/v1/alerts/{alert.alert_id}/picture.jpg"
    assert (await node.client.get(picture, headers=bearer(VIEW))).status_code == 404
    assert (await node.client.get(picture)).status_code == 401


def alert_of(number: int, mode: Mode = Mode.ON) -> Alert:
    box = Box(x1=0.25, y1=0.25, x2=0.75, y2=0.75)
    return Alert(
        alert_id=f"a-{number}",
        rule="zone.entry",
        condition=Condition.CLEARED,
        severity=Severity.ALARM,
        room_id="room-1",
        node_id="edge-1",
        camera_id="room-1-cam",
        zone_id="door",
        since_utc_ms=NOW,
        raised_utc_ms=UtcMs(NOW + 600),
        cleared_utc_ms=UtcMs(NOW + 4_000),
        dwell_ms=600,
        confidence=0.93,
        measured=(Measured(name="people", value=2, limit=1),),
        boxes=(SeenPerson(track=1, box=box, score=0.9),),
        mode=mode,
        saw=Said(zh="禁入区域有 2 人。", en="2 people in a forbidden zone."),
    )


async def test_an_alert_of_an_older_catalogue_is_explained_by_its_code(node: RuleNode) -> None:
    room = node.service.rooms["room-1"]
    room.lately.cleared(alert_of(7).model_copy(update={"rule": "old.rule"}))
    (row,) = (await node.client.get("/api/v1/alerts", headers=bearer(VIEW))).json()
    assert row["title"] == {"zh": "old.rule", "en": "old.rule"}
    assert row["says"]["zh"].startswith("禁入区域有 2 人。情况持续 0.6 秒后告警")
    assert "people 2 against 1" in row["says"]["en"]
    assert "Sure to 93%" in row["says"]["en"]
    assert row["lasted_ms"] == 4_000


def test_the_latest_are_remembered_and_no_more() -> None:
    lately = RecentAlerts()
    for number in range(LATELY_MAX + 5):
        lately.began(alert_of(number))
        lately.cleared(alert_of(number))
    assert len(lately.alerts) == LATELY_MAX
    assert lately.alerts[0].alert_id == f"a-{LATELY_MAX + 4}"
    assert lately.count("zone.entry", Mode.ON) == LATELY_MAX + 5
    assert lately.count("zone.entry", Mode.SHADOW) == 0


def test_boxes_and_zone_are_drawn_on_a_copy() -> None:
    plain = np.full((120, 160, 3), 128, np.uint8)
    ok, encoded = cv2.imencode(".png", plain)
    assert ok
    drawn = with_boxes(encoded.tobytes(), alert_of(1), ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)))
    assert drawn.shape == plain.shape
    red = drawn[round(0.25 * 119), round(0.5 * 159)]
    yellow = drawn[round(0.1 * 119), round(0.5 * 159)]
    assert red[0] > 200 > red[2]
    assert yellow[1] > 150 > yellow[2]
    assert (drawn[2, 2] == 128).all()
    line = with_boxes(encoded.tobytes(), alert_of(1), ((0.1, 0.9), (0.9, 0.9)))
    assert line.shape == plain.shape
    with pytest.raises(NotAPictureError):
        with_boxes(b"no picture", alert_of(1))
