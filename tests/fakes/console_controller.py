"""A controller as the console sees it: the public API with a scripted house behind it.

``python -m tests.fakes.console_controller --port 8100`` runs it with a robot that drives about.
"""

import argparse
import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from contracts.admission import AreaKind
from contracts.api import (
    AlertView,
    Allergen,
    CameraStatus,
    ClipLink,
    CompartmentView,
    DeliveryBody,
    DeliveryGiven,
    DeliveryState,
    DeliveryView,
    Dish,
    Handling,
    LoadedBody,
    LoginBody,
    LoginGiven,
    MapEdgeView,
    MapNodeView,
    MediaLink,
    Overview,
    PageLink,
    Pose,
    Problem,
    ResolveBody,
    RobotCondition,
    RobotView,
    Role,
    RoomView,
    Sentence,
    SessionBody,
    SessionState,
    SessionView,
    SiteView,
    TrackKind,
    TrackView,
    UnlockBody,
    User,
    ZoneView,
)
from contracts.devices import Named, ZonePolicy
from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import (
    Appearance,
    Box,
    CameraState,
    Condition,
    Measured,
    NodeState,
    RecordingState,
    SeenPerson,
    Severity,
    SoundState,
)
from contracts.units import UtcMs
from runtime.clock import Clock, SystemClock
from tests.fakes.console_pictures import people_boxes, room_jpeg

Bearer = Annotated[str | None, Header(alias="Authorization")]

PASSWORD = "open-sesame"
PIN = "482913"
BASE = "/api/v1"
FRAME_MS = 200
ALIVE_S = 10.0  # as the controller does

NODES = {
    "kitchen": (2.0, 0.5), "dock-1": (0.0, 2.0), "dock-2": (0.0, 4.0), "bay-1": (4.5, 1.2),
    "c1": (2.0, 3.0), "c2": (4.5, 3.0), "c3": (7.0, 3.0), "c4": (9.5, 3.0), "c5": (12.0, 3.0),
    "c6": (14.5, 3.0), "c7": (17.0, 3.0), "c8": (19.5, 3.0), "pass-1": (9.5, 1.5),
    "room-1-door": (12.0, 4.5), "room-2-door": (17.0, 4.5), "park-east": (19.5, 1.2),
}  # fmt: skip
WAYS = (
    ("dock-1", "c1"), ("dock-2", "c1"), ("kitchen", "c1"), ("bay-1", "c2"),
    ("c1", "c2"), ("c2", "c3"), ("c3", "c4"), ("c4", "c5"), ("c5", "c6"), ("c6", "c7"),
    ("c7", "c8"), ("c3", "pass-1"), ("pass-1", "c5"), ("c5", "room-1-door"),
    ("c7", "room-2-door"), ("c8", "park-east"),
)  # fmt: skip
ROUTE = ("kitchen", "c1", "c2", "c3", "c4", "c5", "room-1-door")
ROUNDS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")

ACCOUNTS = {
    "supervisor": User(username="supervisor", roles=(Role.SUPERVISOR,)),
    "visitor": User(
        username="visitor", roles=(Role.SUPERVISOR, Role.KITCHEN, Role.TABLET, Role.DOOR_PANEL)
    ),
    "tablet-1": User(username="tablet-1", roles=(Role.TABLET,), room_id="room-1"),
    "panel-1": User(username="panel-1", roles=(Role.DOOR_PANEL,)),
    "kitchen": User(username="kitchen", roles=(Role.KITCHEN,)),
}


def _named(zh: str, en: str) -> Named:
    return Named(zh=zh, en=en)


SITE = SiteView(
    id="demo",
    name=_named("示范评标区", "Demonstration site"),
    time_zone="Asia/Shanghai",
    demo=True,
    nodes=tuple(MapNodeView(id=key, name=key, x_m=x, y_m=y) for key, (x, y) in NODES.items()),
    edges=tuple(MapEdgeView(start=a, end=b) for way in WAYS for a, b in (way, way[::-1])),
    kitchen_node="kitchen",
    door_nodes={"room-1": "room-1-door", "room-2": "room-2-door"},
    menu=(
        Dish(
            id="braised-chicken",
            name=_named("黄焖鸡米饭", "Braised chicken with rice"),
            allergens=(Allergen.SOY,),
        ),
        Dish(
            id="tomato-noodles",
            name=_named("番茄鸡蛋面", "Tomato and egg noodles"),
            allergens=(Allergen.GLUTEN, Allergen.EGG),
        ),
        Dish(id="vegetables", name=_named("清炒时蔬套餐", "Seasonal vegetables with rice")),
        Dish(id="tea", name=_named("热茶", "Hot tea")),
    ),
)


@dataclass
class FakeController:
    """The scripted house. Tests change it through its methods; each change is an event."""

    clock: Clock
    origin: str = ""
    event_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lasting: list[tuple[int, str, str]] = field(default_factory=list)
    queues: set["asyncio.Queue[str | None]"] = field(default_factory=set)
    rooms: dict[str, RoomView] = field(default_factory=dict)
    zones: dict[str, ZoneView] = field(default_factory=dict)
    robots: dict[str, RobotView] = field(default_factory=dict)
    alerts: dict[str, AlertView] = field(default_factory=dict)
    deliveries: dict[str, DeliveryView] = field(default_factory=dict)
    sessions: dict[str, SessionView] = field(default_factory=dict)
    down: bool = False
    closed: bool = False
    visitors: set[str] = field(default_factory=set)
    orders: dict[str, DeliveryGiven] = field(default_factory=dict)
    resumed_from: list[str | None] = field(default_factory=list)
    tokens: dict[str, User] = field(default_factory=dict)
    clip_mp4: bytes = b""
    """What the fake node plays for every clip; empty: it has none."""
    clip_origin: str = ""
    """The node that clips are said to be on; empty: the fake itself."""

    def __post_init__(self) -> None:
        now = self.clock.utc_ms()
        hour = 3_600_000
        self.sessions["s-1"] = SessionView(
            id="s-1",
            room_id="room-1",
            title="城北污水管网工程施工 1 标段",
            state=SessionState.SEALED,
            admitted=5,
            scheduled_utc_ms=UtcMs(now - 2 * hour),
            gathering_utc_ms=UtcMs(now - hour),
            sealed_utc_ms=UtcMs(now - hour // 2),
            seal_confirmed=True,
            sealed_by="supervisor",
        )
        self.sessions["s-2"] = SessionView(
            id="s-2",
            room_id="room-2",
            title="第三人民医院影像设备采购",
            state=SessionState.GATHERING,
            admitted=5,
            scheduled_utc_ms=UtcMs(now - hour),
            gathering_utc_ms=UtcMs(now - hour // 4),
        )
        self.rooms = {
            "room-1": self._room("room-1", _named("评标室 1", "Evaluation room 1"), "s-1", 5),
            "room-2": self._room("room-2", _named("评标室 2", "Evaluation room 2"), "s-2", 3),
            "corridor-1": self._room("corridor-1", _named("走廊", "Corridor"), None, 0),
        }
        for key, zh, en, nodes, policy, clear in (
            (
                "kitchen",
                "厨房与充电区",
                "Kitchen and docks",
                ("kitchen", "dock-1", "dock-2", "c1"),
                ZonePolicy.OPEN,
                None,
            ),
            (
                "corridor-west",
                "走廊西段",
                "Corridor west",
                ("c2", "bay-1", "c3", "pass-1", "c4"),
                ZonePolicy.CLOSED,
                True,
            ),
            (
                "corridor-east",
                "走廊东段",
                "Corridor east",
                ("c5", "c6", "c7", "c8", "park-east"),
                ZonePolicy.CLOSED,
                True,
            ),
            (
                "door-1",
                "评标室 1 门口",
                "Door of room 1",
                ("room-1-door",),
                ZonePolicy.EXPERTS_ONLY,
                True,
            ),
            (
                "door-2",
                "评标室 2 门口",
                "Door of room 2",
                ("room-2-door",),
                ZonePolicy.EXPERTS_ONLY,
                True,
            ),
        ):
            self.zones[key] = ZoneView(
                id=key,
                name=_named(zh, en),
                policy=policy,
                nodes=nodes,
                seen_by=None if clear is None else "corridor-1",
                clear=clear,
            )
        self.robots = {
            "robot-1": RobotView(
                id="robot-1",
                name=_named("机器人 1", "Robot 1"),
                condition=RobotCondition.IDLE,
                pose=Pose(x_m=0.0, y_m=2.0, theta_rad=0.0, map_id="floor-1"),
                battery_percent=84.0,
                compartments=(
                    CompartmentView(number=1, lid="closed", lock="locked", occupied=False),
                ),
                last_node="dock-1",
                seen_utc_ms=now,
            ),
            "robot-2": RobotView(
                id="robot-2",
                name=_named("机器人 2", "Robot 2"),
                condition=RobotCondition.DRIVING,
                pose=Pose(x_m=17.0, y_m=3.0, theta_rad=math.pi, map_id="floor-1"),
                battery_percent=37.0,
                route=("c7", "c6", "c5", "c4", "c3"),
                base_nodes=3,
                last_node="c8",
                seen_utc_ms=now,
            ),
        }

    def _room(self, key: str, name: Named, session: str | None, people: int) -> RoomView:
        seen = tuple(
            SeenPerson(
                track=index,
                box=Box(x1=x1, y1=y1, x2=min(x2, 1.0), y2=min(y2, 1.0)),
                score=0.8,
                appearance=Appearance.RED,
                settled=True,
            )
            for index, (x1, y1, x2, y2) in enumerate(people_boxes(people, visitor=False))
        )
        corridor = key.startswith("corridor")
        camera = CameraStatus(
            id=f"{key}-cam",
            name=_named("全景", "Overview"),
            state=CameraState.LIVE,
            sound=SoundState.ABSENT if corridor else SoundState.LIVE,
            level_dbfs=None if corridor else -42.0,
            people=seen,
            seen_utc_ms=self.clock.utc_ms(),
        )
        view = self.sessions.get(session or "")
        sealed = view is not None and view.state is SessionState.SEALED
        return RoomView(
            id=key,
            name=name,
            kind=AreaKind.CORRIDOR if corridor else AreaKind.EVALUATION,
            node_id="edge-1",
            node_state=NodeState.RUNNING,
            head_count=people,
            admitted=view.admitted if view and sealed else None,
            session=view,
            cameras=(camera,),
            active_alerts=0,
            observed_utc_ms=self.clock.utc_ms(),
            tracks=self._tracks(camera, pickup=not corridor),
            clock=ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.4),
            key_confirmed=True,
        )

    def _tracks(self, camera: CameraStatus, *, pickup: bool) -> tuple[TrackView, ...]:
        now = self.clock.utc_ms()
        overview = TrackView(
            id=camera.id,
            name=camera.name,
            kind=TrackKind.CAMERA,
            state=RecordingState.RECORDING,
            since_utc_ms=UtcMs(now - 3_600_000),
            sequence=412,
            entry_utc_ms=UtcMs(now - 20_000),
            witnessed_sequence=412,
            witnessed_utc_ms=UtcMs(now - 19_600),
            known_from=1,
        )
        if not pickup:
            return (overview,)
        table = {
            "id": camera.id.replace("-cam", "-mic"),
            "name": _named("桌面拾音", "Table"),
            "kind": TrackKind.PICKUP,
            "sequence": 398,
            "witnessed_sequence": 398,
        }
        return (overview, overview.model_copy(update=table))

    # what tests and the script do

    def lose_recording(self, room_id: str = "room-1") -> AlertView:
        """The room's camera is not recorded; the controller has found it out."""
        now, room = self.clock.utc_ms(), self.rooms[room_id]
        lost = {
            "state": RecordingState.GAP,
            "reason": GapReason.DISK_FULL,
            "since_utc_ms": now,
            "sequence": 413,
            "broken": True,
        }
        tracks = (room.tracks[0].model_copy(update=lost), *room.tracks[1:])
        clock = ClockState(source=ClockSource.UNSYNCHRONISED, offset_ms=1_280.0)
        self.rooms[room_id] = room.model_copy(
            update={"tracks": tracks, "clock": clock, "key_confirmed": False}
        )
        self.put(self.rooms[room_id])
        alert = AlertView(
            id="c8_cam_1",
            number=70,
            rule="node.recording_gap",
            title=_named("录像中断", "Recording gap"),
            severity=Severity.ALARM,
            condition=Condition.ACTIVE,
            handling=Handling.NEW,
            room_id=room_id,
            camera_id=f"{room_id}-cam",
            node_id="edge-1",
            session_id="s-1",
            since_utc_ms=now,
            raised_utc_ms=now,
            received_utc_ms=now,
            detail=Sentence(
                zh="控制器未再收到 全景 的录像登记或检查点。",
                en="The controller gets no entry or checkpoint of Overview any more.",
            ),
        )
        self.put(alert)
        return alert

    def raise_alert(self, room_id: str = "room-1", *, people: int = 6) -> AlertView:
        """A sixth person: a sounding alert with picture and boxes."""
        now = self.clock.utc_ms()
        number = len(self.alerts) + 1
        boxes = people_boxes(5, visitor=True)
        alert = AlertView(
            id=f"alert-{number}",
            number=number,
            rule="area.over_admitted",
            title=_named("区域内人数超过准入人数", "More people than admitted"),
            severity=Severity.ALARM,
            condition=Condition.ACTIVE,
            handling=Handling.NEW,
            room_id=room_id,
            camera_id=f"{room_id}-cam",
            node_id="edge-1",
            session_id="s-1",
            since_utc_ms=UtcMs(now - 1_400),
            raised_utc_ms=UtcMs(now - 400),
            received_utc_ms=now,
            dwell_ms=1_000,
            confidence=0.91,
            measured=(Measured(name="people", value=people, limit=5),),
            boxes=tuple(
                SeenPerson(
                    track=index,
                    box=Box(x1=box[0], y1=box[1], x2=min(box[2], 1.0), y2=box[3]),
                    score=0.9 - index * 0.05,
                    settled=True,
                    appearance=Appearance.BLUE if index == 5 else Appearance.RED,
                )
                for index, box in enumerate(boxes)
            ),
            picture_sha256="ab" * 32,
            picture_url=f"{self.origin}/pictures/{room_id}.jpg?ticket=t",
        )
        self.visitors.add(room_id)
        self.put(alert)
        self.put(self.rooms[room_id].model_copy(update={"head_count": people, "active_alerts": 1}))
        return alert

    def warn(self) -> AlertView:
        """A quieter one, without a picture."""
        now = self.clock.utc_ms()
        number = len(self.alerts) + 1
        alert = AlertView(
            id=f"alert-{number}",
            number=number,
            rule="sound.pickup_dead",
            title=_named("拾音无声", "No sound from pickup"),
            severity=Severity.WARNING,
            condition=Condition.CLEARED,
            handling=Handling.NEW,
            room_id="room-2",
            camera_id="room-2-cam",
            since_utc_ms=UtcMs(now - 190_000),
            raised_utc_ms=UtcMs(now - 187_000),
            received_utc_ms=UtcMs(now - 186_800),
            cleared_utc_ms=UtcMs(now - 60_000),
            dwell_ms=3_000,
            measured=(Measured(name="level", value=-120.0, limit=-80.0, unit="dBFS"),),
        )
        self.put(alert)
        return alert

    def put(self, view: Any) -> None:
        """Store a view and tell every stream: lasting ones with an id."""
        match view:
            case AlertView():
                self.alerts[view.id] = view
                self._lasting("alert", view.model_dump_json())
            case SessionView():
                self.sessions[view.id] = view
                self._lasting("session", view.model_dump_json())
            case DeliveryView():
                self.deliveries[view.id] = view
                self._lasting("delivery", view.model_dump_json())
            case RoomView():
                self.rooms[view.id] = view
                self._tell(f"event: room\ndata: {view.model_dump_json()}\n\n")
            case RobotView():
                self.robots[view.id] = view
                self._tell(f"event: robot\ndata: {view.model_dump_json()}\n\n")
            case ZoneView():
                self.zones[view.id] = view
                self._tell(f"event: zone\ndata: {view.model_dump_json()}\n\n")
            case _:
                raise TypeError(f"{type(view).__name__} is no view of the house")

    def move(self, delivery_id: str, state: DeliveryState, **changes: Any) -> DeliveryView:
        """Take a delivery to another state."""
        view = self.deliveries[delivery_id].model_copy(update={"state": state, **changes})
        self.put(view)
        return view

    def on_the_way(self) -> dict[str, Any]:
        """Changes that put a robot half-way with its meal, held before a zone."""
        return {
            "condition": RobotCondition.HELD,
            "pose": Pose(x_m=3.2, y_m=3.0, theta_rad=0.0, map_id="floor-1"),
            "route": ("c2", "c3", "c4", "c5", "room-1-door"),
            "base_nodes": 1,
            "held_for": ("corridor-west",),
            "delivery_id": "d-1",
        }

    def drop_streams(self) -> None:
        """End every event stream, as a restart does."""
        for queue in self.queues:
            queue.put_nowait(None)

    def close(self) -> None:
        """End all streams, pictures too, so that the server can stop."""
        self.closed = True
        self.drop_streams()

    def resync(self) -> None:
        """Tell the streams that too much was missed."""
        self._tell("event: resync\ndata:\n\n")

    def _lasting(self, name: str, data: str) -> None:
        number = next(self.event_ids)
        self.lasting.append((number, name, data))
        self._tell(f"id: {number}\nevent: {name}\ndata: {data}\n\n")

    def _tell(self, text: str) -> None:
        for queue in self.queues:
            queue.put_nowait(text)

    async def stream(self, last: str | None) -> AsyncIterator[str]:
        """The body of one event stream."""
        self.resumed_from.append(last)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        if last is not None:
            for number, name, data in self.lasting:
                if number > int(last):
                    queue.put_nowait(f"id: {number}\nevent: {name}\ndata: {data}\n\n")
        self.queues.add(queue)
        try:
            yield ": hello\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), ALIVE_S)
                except TimeoutError:
                    text = ": alive\n\n"
                if text is None:
                    return
                yield text
        finally:
            self.queues.discard(queue)

    def overview(self) -> Overview:
        """Everything now."""
        return Overview(
            event_id=self.lasting[-1][0] if self.lasting else 0,
            rooms=tuple(self.rooms.values()),
            zones=tuple(self.zones.values()),
            robots=tuple(self.robots.values()),
            alerts=tuple(self.alerts.values()),
            deliveries=tuple(self.deliveries.values()),
            sessions=tuple(self.sessions.values()),
        )

    async def play(self) -> None:
        """Robot 2 drives up and down the corridor; for looking at by eye."""
        here = 0.0
        for step in itertools.count():
            here = (step * 0.03) % (2 * (len(ROUNDS) - 1))
            back = here > len(ROUNDS) - 1
            place = 2 * (len(ROUNDS) - 1) - here if back else here
            low = min(int(place), len(ROUNDS) - 2)
            share = place - low
            (x1, y1), (x2, y2) = NODES[ROUNDS[low]], NODES[ROUNDS[low + 1]]
            ahead = ROUNDS[low::-1] if back else ROUNDS[low + 1 :]
            self.put(
                self.robots["robot-2"].model_copy(
                    update={
                        "pose": Pose(
                            x_m=x1 + (x2 - x1) * share,
                            y_m=y1 + (y2 - y1) * share,
                            theta_rad=math.pi if back else 0.0,
                            map_id="floor-1",
                        ),
                        "route": tuple(ahead),
                        "base_nodes": 2,
                        "seen_utc_ms": self.clock.utc_ms(),
                    }
                )
            )
            for room in list(self.rooms.values()) if step % 5 == 0 else ():
                self.put(room.model_copy(update={"observed_utc_ms": self.clock.utc_ms()}))
            await self.clock.sleep_ms(FRAME_MS)


def problem(status: int, title: str, detail: str) -> Response:
    """An RFC 9457 answer."""
    body = Problem(title=title, status=status, detail=detail).model_dump(mode="json")
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


class _Refused(Exception):
    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.answer = problem(status, title, detail)


def _user(house: FakeController, authorization: str | None) -> User:
    if house.down:
        raise _Refused(503, "Starting", "The controller is starting.")
    user = house.tokens.get((authorization or "").removeprefix("Bearer "))
    if user is None:
        raise _Refused(401, "Not signed in", "Log in again.")
    return user


def _alert(house: FakeController, alert_id: str) -> AlertView:
    if alert_id not in house.alerts:
        raise _Refused(404, "No such alert", f"There is no alert {alert_id}.")
    return house.alerts[alert_id]


def app_of(house: FakeController) -> FastAPI:
    """The public API over the scripted house."""
    app = FastAPI()

    @app.exception_handler(_Refused)
    async def refused(_: Request, error: _Refused) -> Response:
        return error.answer

    for declare in (_account, _reading, _alerts, _sessions, _deliveries, _pictures, _video):
        declare(app, house)
    return app


def _account(app: FastAPI, house: FakeController) -> None:
    @app.post(BASE + "/login")
    async def login(body: LoginBody) -> Any:
        if body.username not in ACCOUNTS or body.password != PASSWORD:
            return problem(401, "Not signed in", "User name or password is wrong.")
        token = f"token-{body.username}-{len(house.tokens)}"
        house.tokens[token] = ACCOUNTS[body.username]
        return LoginGiven(
            token=token,
            expires_utc_ms=UtcMs(house.clock.utc_ms() + 3_600_000),
            user=ACCOUNTS[body.username],
        )

    @app.post(BASE + "/logout", status_code=204)
    async def logout(authorization: Bearer = None) -> None:
        house.tokens.pop((authorization or "").removeprefix("Bearer "), None)

    @app.get(BASE + "/me")
    async def me(authorization: Bearer = None) -> User:
        return _user(house, authorization)


def _reading(app: FastAPI, house: FakeController) -> None:
    @app.get(BASE + "/site")
    async def site(authorization: Bearer = None) -> SiteView:
        _user(house, authorization)
        return SITE

    @app.get(BASE + "/overview")
    async def overview(authorization: Bearer = None) -> Overview:
        _user(house, authorization)
        return house.overview()

    @app.get(BASE + "/events")
    async def events(
        authorization: Bearer = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        _user(house, authorization)
        return StreamingResponse(house.stream(last_event_id), media_type="text/event-stream")

    @app.get(BASE + "/rooms/{room_id}/media")
    async def media(room_id: str, authorization: Bearer = None) -> list[MediaLink]:
        _user(house, authorization)
        stem = f"{house.origin}/pictures/{room_id}"
        return [
            MediaLink(
                camera_id=f"{room_id}-cam",
                snapshot_url=f"{stem}.jpg?ticket=t",
                live_url=f"{stem}.mjpg?ticket=t",
                expires_utc_ms=UtcMs(house.clock.utc_ms() + 120_000),
            )
        ]


def _alerts(app: FastAPI, house: FakeController) -> None:
    @app.post(BASE + "/alerts/{alert_id}/acknowledge")
    async def acknowledge(alert_id: str, authorization: Bearer = None) -> Any:
        user = _user(house, authorization)
        alert = _alert(house, alert_id)
        if alert.handling is not Handling.NEW:
            return problem(409, "Already acknowledged", f"{alert.acknowledged_by} was faster.")
        changes = {
            "handling": Handling.ACKNOWLEDGED,
            "acknowledged_by": user.username,
            "acknowledged_utc_ms": house.clock.utc_ms(),
        }
        house.put(alert.model_copy(update=changes))
        return house.alerts[alert_id]

    @app.post(BASE + "/alerts/{alert_id}/resolve")
    async def resolve(alert_id: str, body: ResolveBody, authorization: Bearer = None) -> AlertView:
        _user(house, authorization)
        changes = {
            "handling": Handling.RESOLVED,
            "disposition": body.disposition,
            "note": body.note,
        }
        house.put(_alert(house, alert_id).model_copy(update=changes))
        return house.alerts[alert_id]


def _sessions(app: FastAPI, house: FakeController) -> None:
    @app.post(BASE + "/sessions")
    async def schedule(body: SessionBody, authorization: Bearer = None) -> SessionView:
        _user(house, authorization)
        view = SessionView(
            id=f"s-{len(house.sessions) + 1}",
            room_id=body.room_id,
            title=body.title,
            state=SessionState.SCHEDULED,
            admitted=body.admitted,
            scheduled_utc_ms=house.clock.utc_ms(),
        )
        house.put(view)
        return view

    @app.post(BASE + "/sessions/{session_id}/{step}")
    async def step(session_id: str, step: str, authorization: Bearer = None) -> SessionView:
        user = _user(house, authorization)
        now = house.clock.utc_ms()
        steps: dict[str, dict[str, Any]] = {
            "gather": {"state": SessionState.GATHERING, "gathering_utc_ms": now},
            "seal": {
                "state": SessionState.SEALED,
                "sealed_utc_ms": now,
                "sealed_by": user.username,
                "seal_confirmed": True,
            },
            "release": {
                "state": SessionState.RELEASED,
                "released_utc_ms": now,
                "released_by": user.username,
            },
            "cancel": {"state": SessionState.CANCELLED},
        }
        view = house.sessions[session_id].model_copy(update=steps[step])
        house.put(view)
        admitted = view.admitted if view.state is SessionState.SEALED else None
        room = house.rooms[view.room_id]
        house.put(room.model_copy(update={"session": view, "admitted": admitted}))
        return view

    @app.get(BASE + "/sessions/{session_id}/report.html")
    async def report(session_id: str, authorization: Bearer = None) -> Response:
        _user(house, authorization)
        session = house.sessions[session_id]
        return HTMLResponse(
            "<!doctype html><meta charset=utf-8><body style='font-family:sans-serif;margin:3rem'>"
            f"<h1>见证报告 / Witness report</h1><h2>{session.title}</h2><p>DRAFT</p></body>"
        )


def _deliveries(app: FastAPI, house: FakeController) -> None:
    @app.post(BASE + "/deliveries")
    async def order(
        body: DeliveryBody,
        idempotency_key: Annotated[str, Header()],
        authorization: Bearer = None,
    ) -> DeliveryGiven:
        user = _user(house, authorization)
        if idempotency_key in house.orders:
            return house.orders[idempotency_key].model_copy(update={"pin": None})
        view = DeliveryView(
            id=f"d-{len(house.deliveries) + 1}",
            room_id=body.room_id,
            session_id="s-1",
            kind=body.kind,
            lines=body.lines,
            state=DeliveryState.REQUESTED,
            ordered_utc_ms=house.clock.utc_ms(),
            ordered_by=user.username,
        )
        house.put(view)
        house.orders[idempotency_key] = DeliveryGiven(delivery=view, pin=PIN)
        return house.orders[idempotency_key]

    @app.post(BASE + "/deliveries/{delivery_id}/loaded")
    async def loaded(
        delivery_id: str, body: LoadedBody, authorization: Bearer = None
    ) -> DeliveryView:
        _user(house, authorization)
        return house.move(delivery_id, DeliveryState.LOCKING, compartment=body.compartment)

    @app.post(BASE + "/deliveries/{delivery_id}/unlock")
    async def unlock(delivery_id: str, body: UnlockBody, authorization: Bearer = None) -> Any:
        _user(house, authorization)
        delivery = house.deliveries[delivery_id]
        if body.pin != PIN:
            left = delivery.pin_tries_left - 1
            house.put(delivery.model_copy(update={"pin_tries_left": left}))
            return problem(403, "Wrong PIN", f"{left} tries left.")
        return house.move(delivery_id, DeliveryState.OPEN)


def _pictures(app: FastAPI, house: FakeController) -> None:
    @app.get("/pictures/{name}")
    async def picture(name: str, boxes: bool = False) -> Response:
        room, _, kind = name.partition(".")
        if kind == "jpg":
            return Response(_frame(house, room, boxes=boxes), media_type="image/jpeg")
        return StreamingResponse(
            _frames(house, room, boxes=boxes),
            media_type="multipart/x-mixed-replace; boundary=frame",
        )


def _video(app: FastAPI, house: FakeController) -> None:
    """Links to the node's video, and the node that they lead to."""

    def page(house: FakeController, camera_id: str, path: str) -> PageLink:
        return PageLink(
            camera_id=camera_id,
            url=f"{house.origin}/view/{camera_id}{path}",
            expires_utc_ms=UtcMs(house.clock.utc_ms() + 600_000),
        )

    @app.get(BASE + "/cameras/{camera_id}/live")
    async def live_page(camera_id: str, authorization: Bearer = None) -> PageLink:
        _user(house, authorization)
        return page(house, camera_id, "?ticket=live-ticket")

    @app.get(BASE + "/cameras/{camera_id}/zones")
    async def zones_page(camera_id: str, authorization: Bearer = None) -> PageLink:
        _user(house, authorization)
        return page(house, camera_id, "/zones?ticket=zones-ticket")

    @app.get(BASE + "/cameras/{camera_id}/recordings")
    async def recordings_page(
        camera_id: str, request: Request, authorization: Bearer = None
    ) -> PageLink:
        user = _user(house, authorization)
        if camera_id == "room-2-cam":
            raise _Refused(503, "Not up", f"The node is not up, {user.username}.")
        query = f"&{request.url.query}" if request.url.query else ""
        return page(house, camera_id, f"/recordings?ticket=recording-ticket{query}")

    @app.get(BASE + "/alerts/{alert_id}/clip")
    async def clip(alert_id: str, authorization: Bearer = None, *, early: bool = False) -> ClipLink:
        _user(house, authorization)
        alert = _alert(house, alert_id)
        end = alert.raised_utc_ms + 20_000
        origin = house.clip_origin or house.origin
        query = "?ticket=clip-ticket" + ("&to=7" if early else "")
        return ClipLink(
            alert_id=alert_id,
            camera_id=alert.camera_id or "room-1-cam",
            url=f"{origin}{BASE}/alerts/{alert_id}/clip.mp4{query}",
            early=early,
            from_utc_ms=UtcMs(alert.since_utc_ms - 10_000),
            to_utc_ms=UtcMs(end),
            complete_utc_ms=UtcMs(end + 1_500),
            expires_utc_ms=UtcMs(house.clock.utc_ms() + 600_000),
        )

    @app.get(BASE + "/alerts/{alert_id}/clip.mp4")
    async def clip_file(alert_id: str, ticket: str) -> Response:
        if ticket != "clip-ticket" or not house.clip_mp4:
            return problem(404, "Nothing recorded", f"Nothing was recorded around {alert_id}.")
        return Response(house.clip_mp4, media_type="video/mp4")

    @app.get("/view/{camera_id}")
    @app.get("/view/{camera_id}/recordings")
    async def node_page(camera_id: str, ticket: str) -> Response:
        return HTMLResponse(f"<!doctype html><title>{camera_id}</title><h1>{ticket}</h1>")


def _frame(house: FakeController, room_id: str, *, boxes: bool) -> bytes:
    visitor = room_id in house.visitors
    count = house.rooms[room_id].head_count or 0
    return room_jpeg(
        people=count - 1 if visitor else count,
        visitor=visitor,
        corridor=room_id.startswith("corridor"),
        tick=house.clock.utc_ms() // 1000,
        boxes=boxes,
    )


async def _frames(house: FakeController, room_id: str, *, boxes: bool) -> AsyncIterator[bytes]:
    while not house.closed:
        jpeg = await asyncio.to_thread(_frame, house, room_id, boxes=boxes)
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        yield head.encode() + jpeg + b"\r\n"
        await house.clock.sleep_ms(FRAME_MS * 2)


@dataclass
class FakeDirector:
    """The demonstration's director: a story that tests move on by hand."""

    token: str = "director"
    started: int = 0
    cues: list[str] = field(default_factory=list)
    at: int = 2
    refuse: bool = False

    STORY = (
        ("gather", "专家入场", "Experts arrive", None),
        ("seal", "封闭房间", "Room sealed", None),
        (
            "alert",
            "第六人进入",
            "A sixth person walks in",
            ("请确认预警（按空格键）", "Acknowledge the alert (press space)"),
        ),
        ("order", "订餐", "A meal is ordered", ("在平板上订餐", "Order a meal on the tablet")),
        ("drive", "机器人送餐", "The robot drives", None),
        (
            "pin",
            "输入取餐码",
            "PIN at the door",
            ("在门口面板输入六位取餐码", "Type the 6-digit PIN on the door panel"),
        ),
        ("release", "解封与报告", "Release and report", None),
    )

    def state(self) -> dict[str, object]:
        """What ``GET /state`` answers."""
        steps = []
        for index, (key, zh, en, todo) in enumerate(self.STORY):
            status = "done" if index < self.at else "active" if index == self.at else "waiting"
            steps.append(
                {
                    "id": key,
                    "title": {"zh": zh, "en": en},
                    "status": status,
                    "seconds": 12.4 if status == "done" else None,
                    "todo": {"zh": todo[0], "en": todo[1]} if todo else None,
                }
            )
        return {"running": self.started > 0, "loop": 1, "steps": steps}


def director_app(director: FakeDirector) -> FastAPI:
    """The director's HTTP API."""
    app = FastAPI()

    def allowed(authorization: str | None) -> bool:
        return authorization == f"Bearer {director.token}"

    @app.post("/start", status_code=204)
    async def start(authorization: Bearer = None) -> Response:
        if not allowed(authorization):
            return problem(401, "Not allowed", "Send the token.")
        director.started += 1
        return Response(status_code=204)

    @app.get("/state")
    async def state(authorization: Bearer = None) -> Response:
        if not allowed(authorization):
            return problem(401, "Not allowed", "Send the token.")
        return Response(json.dumps(director.state()), media_type="application/json")

    @app.post("/cues/{cue}")
    async def cue(cue: str, authorization: Bearer = None) -> Response:
        if not allowed(authorization):
            return problem(401, "Not allowed", "Send the token.")
        if director.refuse:
            return problem(409, "Not now", "The room is not sealed yet.")
        director.cues.append(cue)
        return Response(status_code=204)

    return app


@asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """Serve an app on loopback; gives its origin."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    task = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def _main(port: int) -> None:
    house = FakeController(SystemClock())
    director = FakeDirector()
    async with serving(app_of(house), port) as origin, serving(director_app(director), port + 1):
        house.origin = origin
        house.warn()
        house.raise_alert()
        await house.play()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8100)
    asyncio.run(_main(parser.parse_args().port))
