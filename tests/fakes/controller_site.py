"""A small site for the controller's tests: two rooms, a corridor that a camera sees, two robots."""

import asyncio
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from pydantic import BaseModel

from contracts import topics
from contracts.admission import AreaKind
from contracts.codec import encode
from contracts.devices import (
    Area,
    CameraConfig,
    Named,
    NodeConfig,
    RobotConfig,
    Site,
    SiteConfig,
    StreamConfig,
    Zone,
    ZonePolicy,
)
from contracts.envelope import Delivered
from contracts.layout import MapEdge, MapNode, RobotMap
from contracts.observations import (
    Alert,
    Appearance,
    Box,
    CameraState,
    CameraView,
    Condition,
    NodeHealth,
    NodeState,
    RoomObservation,
    SeenPerson,
    Severity,
)
from contracts.topics import Kind
from contracts.units import MonoMs, UtcMs
from controller.__main__ import Controller, Keys, wire
from controller.auth.policy import RateSettings, SecuritySettings
from controller.core.plan import SitePlan, plan_of
from controller.core.state import Now, SiteState, restored
from controller.ports import Blocking, P, T
from controller.settings import DATABASE_FILE, ControllerSettings, Deployment
from controller.sites.settings import SitesSettings
from controller.store.database import Database
from runtime.clock import SimulatedClock
from runtime.mqtt import Outgoing
from tests.fakes.bus import MemoryBroker, MemoryBus

NODE_KEY = bytes(range(32))
# A clock that stands still fills no bucket.
NO_LIMITS = RateSettings(token_burst=1_000_000, address_burst=1_000_000, refused_burst=1_000_000)
ACCOUNTS = (
    '[{"username":"sup","password":"sup-password","roles":["supervisor"]},'
    '{"username":"ops","password":"ops-password","roles":["ops"]},'
    '{"username":"cook","password":"cook-password","roles":["kitchen"]},'
    '{"username":"tab1","password":"tab1-password","roles":["tablet"],"room_id":"room-1"},'
    '{"username":"panel","password":"panel-password","roles":["door_panel"]},'
    '{"username":"sup2","password":"sup2-password","roles":["supervisor"]},'
    '{"username":"sup3","password":"sup3-password","roles":["supervisor"]},'
    '{"username":"duty","password":"duty-password","roles":["duty_officer"]},'
    '{"username":"gate","password":"gate-password","roles":["terminal"]},'
    '{"username":"tab2","password":"tab2-password","roles":["tablet"],"room_id":"room-2"},'
    '{"username":"audit","password":"audit-password","roles":["auditor"]}]'
)


def named(text: str) -> Named:
    return Named(zh=text, en=text)


def small_site(*, policy: ZonePolicy = ZonePolicy.CLOSED, robots: int = 2) -> Site:
    """kitchen - k - c1 - c2 - door-1/door-2, homes off the kitchen; c1 and c2 are the corridor."""
    stream = StreamConfig(url="rtsp://127.0.0.1/a", width=640, height=360, fps=5)

    def camera(name: str, area: str, *, mouth: bool = False) -> CameraConfig:
        return CameraConfig(
            kind="camera",
            id=name,
            area=area,
            name=named(name),
            main=stream,
            backchannel="auto" if mouth else "off",
        )

    return Site(
        config=SiteConfig(
            kind="site",
            id="centre",
            name=named("Centre"),
            map="map.lif.json",
            kitchen_node="kitchen",
            areas=(
                Area(id="room-1", name=named("Room 1"), door_node="door-1"),
                Area(id="room-2", name=named("Room 2"), door_node="door-2"),
                Area(id="corridor", name=named("Corridor"), kind=AreaKind.CORRIDOR),
            ),
            zones=(
                Zone(
                    id="corridor",
                    name=named("Corridor"),
                    policy=policy,
                    nodes=("c1", "c2"),
                    seen_by="corridor",
                    clear_for_ms=1_000,
                ),
            ),
        ),
        cameras=(
            camera("cam-1", "room-1", mouth=True),
            camera("cam-2", "room-2"),
            camera("cam-c", "corridor"),
        ),
        nodes=(NodeConfig(kind="node", id="edge-1", areas=("room-1", "room-2", "corridor")),),
        robots=tuple(
            RobotConfig(
                kind="robot",
                id=f"robot-{number}",
                name=named(f"Robot {number}"),
                manufacturer="ZeroEntry",
                serial_number=f"R{number}",
                home_node=f"home-{number}",
            )
            for number in range(1, robots + 1)
        ),
    )


PLACES = {
    "home-1": (-2.0, -2.0),
    "home-2": (-2.0, 2.0),
    "kitchen": (0.0, 0.0),
    "k": (2.0, 0.0),
    "c1": (5.0, 0.0),
    "c2": (8.0, 0.0),
    "door-1": (8.0, 3.0),
    "door-2": (8.0, -3.0),
}
WAYS = (
    ("home-1", "kitchen"),
    ("home-2", "kitchen"),
    ("kitchen", "k"),
    ("k", "c1"),
    ("c1", "c2"),
    ("c2", "door-1"),
    ("c2", "door-2"),
)


def small_map() -> RobotMap:
    nodes = {name: MapNode(name, name, "floor-1", x, y) for name, (x, y) in PLACES.items()}
    edges: dict[str, MapEdge] = {}
    for one, other in WAYS:
        for start, end in ((one, other), (other, one)):
            (x1, y1), (x2, y2) = PLACES[start], PLACES[end]
            length = ((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5
            edges[f"{start}-{end}"] = MapEdge(f"{start}-{end}", start, end, length)
    return RobotMap(nodes=nodes, edges=edges, stations={})


def small_plan(*, policy: ZonePolicy = ZonePolicy.CLOSED, robots: int = 2) -> SitePlan:
    return plan_of(small_site(policy=policy, robots=robots), small_map())


def fresh_state(plan: SitePlan, now: Now | None = None) -> SiteState:
    return restored(
        plan,
        sessions={},
        alerts={},
        deliveries={},
        duties={},
        next_number=1,
        now=now or Now(MonoMs(0), UtcMs(0)),
        same_boot=True,
    )


def person(appearance: Appearance = Appearance.NONE, track: int = 1) -> SeenPerson:
    return SeenPerson(
        track=track, box=Box(x1=0.1, y1=0.1, x2=0.2, y2=0.5), score=0.9, appearance=appearance
    )


def observation(
    room_id: str = "corridor",
    *,
    index: int,
    utc_ms: int,
    people: tuple[SeenPerson, ...] = (),
    camera: CameraState = CameraState.LIVE,
) -> RoomObservation:
    camera_id = {"corridor": "cam-c", "room-1": "cam-1", "room-2": "cam-2"}[room_id]
    live = camera is CameraState.LIVE
    view = CameraView(
        camera_id=camera_id,
        state=camera,
        frame_utc_ms=UtcMs(utc_ms) if live else None,
        people=people if live else (),
    )
    return RoomObservation(
        room_id=room_id,
        node_id="edge-1",
        boot_id="boot",
        index=index,
        utc_ms=UtcMs(utc_ms),
        head_count=len(people) if live else None,
        views=(view,),
    )


def an_alert(
    alert_id: str = "a1", *, cleared_utc_ms: int | None = None, session_id: str | None = None
) -> Alert:
    return Alert(
        alert_id=alert_id,
        rule="area.over_admitted",
        condition=Condition.ACTIVE if cleared_utc_ms is None else Condition.CLEARED,
        severity=Severity.ALARM,
        room_id="room-1",
        node_id="edge-1",
        session_id=session_id,
        camera_id="cam-1",
        since_utc_ms=UtcMs(1_000),
        raised_utc_ms=UtcMs(2_000),
        cleared_utc_ms=None if cleared_utc_ms is None else UtcMs(cleared_utc_ms),
        dwell_ms=1_000,
    )


def durable(
    kind: Kind, room: str, body: BaseModel, seq: int, *, epoch: str = "0" * 16, floor: int = 1
) -> Outgoing:
    """A durable message of the edge node as it comes off the wire."""

    payload = encode(
        kind,
        body,
        message_id=f"m{seq}",
        sender="edge-1",
        sent_utc_ms=UtcMs(1),
        delivered=Delivered(stream="edge-1", epoch=epoch, seq=seq, floor=floor),
    )
    return Outgoing(topics.room_topic(kind, "centre", room), payload)


def live(kind: Kind, room: str, body: BaseModel) -> Outgoing:

    payload = encode(kind, body, message_id="x", sender="edge-1", sent_utc_ms=UtcMs(1))
    return Outgoing(topics.room_topic(kind, "centre", room), payload, qos=0)


def health(api_url: str | None = None, state: NodeState = NodeState.RUNNING) -> Outgoing:
    body = NodeHealth(
        node_id="edge-1",
        state=state,
        utc_ms=UtcMs(1),
        api_url=api_url,
        rooms=("room-1", "room-2", "corridor"),
    )
    payload = encode(Kind.HEALTH, body, message_id="h", sender="edge-1", sent_utc_ms=UtcMs(1))
    return Outgoing(topics.health_topic("centre", "edge-1"), payload, qos=1, retain=True)


def cheap_hasher() -> PasswordHasher:
    """Argon2 with the least cost it takes: tests log in often."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """A ``Blocking`` that blocks: simulated time must not run on while a disk is waited for."""
    return function(*args, **kwargs)


@dataclass
class Bench:
    """A controller on a bus in memory, and the edge's and robots' end of that bus."""

    controller: Controller
    broker: MemoryBroker
    edge: MemoryBus
    clock: SimulatedClock


@cache
def _migrated() -> bytes:
    """An empty database of this version: migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / DATABASE_FILE
        Database(f"sqlite:///{file}", "boot").close()
        return file.read_bytes()


def with_database(data_dir: Path) -> None:
    """Put an empty database of this version there, unless there is one."""
    file = data_dir / DATABASE_FILE
    if not file.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated())


def bench(
    data_dir: Path,
    *,
    clock: SimulatedClock | None = None,
    broker: MemoryBroker | None = None,
    policy: ZonePolicy = ZonePolicy.CLOSED,
    robots: int = 2,
    run_key: bytes | None = None,
    connected: Callable[[], bool] = lambda: True,
    blocking: Blocking = asyncio.to_thread,
    security: SecuritySettings | None = None,
    sites: SitesSettings | None = None,
    database_url: str | None = None,
    house: tuple[Site, RobotMap] | None = None,
) -> Bench:
    """A whole controller; its database is SQLite in its folder unless another is named."""
    clock = clock or SimulatedClock()
    broker = broker or MemoryBroker(clock)
    settings = ControllerSettings(
        site_dir=data_dir,
        data_dir=data_dir / "data",
        deployment=Deployment.DEMO,
        security=security or SecuritySettings(rate=NO_LIMITS),
        sites=sites or SitesSettings(),
        database_url=database_url,
    )
    if database_url is None:
        with_database(settings.data_dir)
    controller = wire(
        settings,
        *(house or (small_site(policy=policy, robots=robots), small_map())),
        Keys({"edge-1": NODE_KEY}, "edge-token", run_key),
        clock,
        broker.client("controller"),
        rng=random.Random(1),
        base_url="http://controller",
        broker_connected=connected,
        hasher=cheap_hasher(),
        blocking=blocking,
    )
    controller.accounts.bootstrap({"ZEROENTRY_BOOTSTRAP_ACCOUNTS": ACCOUNTS})
    return Bench(controller, broker, broker.client("edge-1"), clock)
