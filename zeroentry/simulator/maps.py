"""Makes the small sites that seeds are played on: corridors, a ring, a floor above behind a lift.

Each has what makes robots meet: one-lane stretches, spurs to doors, few places to wait.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from contracts.admission import AreaKind
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
from contracts.facilities import (
    DoorConfig,
    FireConfig,
    LiftConfig,
    LiftFloor,
    SimulatedLink,
)
from contracts.layout import MapEdge, MapNode, RobotMap
from controller.core.plan import SitePlan, plan_of
from runtime.site import load_folder

CONFIGS: Final = Path(__file__).resolve().parents[2] / "firmware_configs"
SPEED_MPS: Final = 1.2
SPUR_SPEED_MPS: Final = 0.8


@dataclass
class Sketch:
    """A map being drawn. Ways are drawn once and lead both ways."""

    nodes: dict[str, MapNode] = field(default_factory=dict)
    edges: dict[str, MapEdge] = field(default_factory=dict)
    docks: list[str] = field(default_factory=list)
    rooms: dict[str, str] = field(default_factory=dict)
    """Room -> its door's node."""
    closed: dict[str, list[str]] = field(default_factory=dict)
    """Camera area -> corridor nodes of a closed zone that it sees."""
    free: list[str] = field(default_factory=list)
    """Nodes of the zone where anybody may be."""
    doors: list[DoorConfig] = field(default_factory=list)
    lifts: list[LiftConfig] = field(default_factory=list)

    def node(self, name: str, x_m: float, y_m: float, floor: str = "f1") -> str:
        """Put a node down."""
        self.nodes[name] = MapNode(name, name, floor, x_m, y_m)
        return name

    def way(self, one: str, other: str, speed_mps: float = SPEED_MPS) -> None:
        """Join two nodes, both ways."""
        a, b = self.nodes[one], self.nodes[other]
        length_m = math.hypot(a.x_m - b.x_m, a.y_m - b.y_m)
        for start, end in ((one, other), (other, one)):
            name = f"{start}--{end}"
            self.edges[name] = MapEdge(name, start, end, length_m, speed_mps)

    def spur(self, name: str, at: str, dx_m: float, dy_m: float) -> str:
        """A dead end beside a node."""
        there = self.nodes[at]
        self.node(name, there.x_m + dx_m, there.y_m + dy_m, there.map_id)
        self.way(at, name, SPUR_SPEED_MPS)
        return name


def _named(text: str) -> Named:
    return Named(zh=text, en=text)


def _zones(sketch: Sketch) -> tuple[Zone, ...]:
    rows = [
        Zone(
            id=f"zone-{area}",
            name=_named(f"zone {area}"),
            policy=ZonePolicy.CLOSED,
            nodes=tuple(nodes),
            seen_by=area,
        )
        for area, nodes in sketch.closed.items()
    ]
    areas = list(sketch.closed)
    rows += [
        Zone(
            id=f"zone-{room}",
            name=_named(f"door of {room}"),
            policy=ZonePolicy.EXPERTS_ONLY,
            nodes=(door,),
            seen_by=areas[number % len(areas)] if areas else None,
        )
        for number, (room, door) in enumerate(sketch.rooms.items())
    ]
    if sketch.free:
        rows.append(
            Zone(
                id="zone-free", name=_named("kitchen"), policy=ZonePolicy.OPEN,
                nodes=tuple(sketch.free),
            )
        )  # fmt: skip
    return tuple(rows)


def site_of(name: str, sketch: Sketch, robots: int, boxes: int) -> tuple[Site, RobotMap]:
    """The site and map of a sketch, with robots at its docks."""
    corridors = list(sketch.closed)
    areas = [
        Area(id=room, name=_named(room), kind=AreaKind.EVALUATION, door_node=door, seats=5)
        for room, door in sketch.rooms.items()
    ]
    areas += [Area(id=area, name=_named(area), kind=AreaKind.CORRIDOR) for area in corridors]
    stream = StreamConfig(url="file:///dev/null", width=640, height=360, fps=5)
    config = SiteConfig(
        kind="site",
        id=name,
        name=_named(name),
        map="maps/made.lif.json",
        kitchen_node="kitchen",
        areas=tuple(areas),
        zones=_zones(sketch),
    )
    fleet = tuple(
        RobotConfig(
            kind="robot",
            id=f"robot-{number + 1}",
            name=_named(f"robot {number + 1}"),
            manufacturer="Simulated",
            serial_number=f"w-{number + 1}",
            home_node=sketch.docks[number],
            compartments=boxes,
            speed_max_m_s=SPEED_MPS,
            simulated=True,
        )
        for number in range(robots)
    )
    cameras = tuple(
        CameraConfig(
            kind="camera", id=f"{area}-cam", area=area, name=_named(area), main=stream,
            simulated=True,
        )
        for area in corridors
    )  # fmt: skip
    node = NodeConfig(kind="node", id="edge-1", areas=tuple(area.id for area in areas))
    link = SimulatedLink(via="simulated")
    fires = (FireConfig(kind="fire", id="fire", name=_named("fire"), link=link),)
    site = Site(
        config=config,
        cameras=cameras,
        nodes=(node,),
        robots=fleet,
        doors=tuple(sketch.doors),
        lifts=tuple(sketch.lifts),
        fires=fires,
    )
    stations = {"docks": tuple(sketch.docks), "kitchen": ("kitchen",)}
    return site, RobotMap(nodes=sketch.nodes, edges=sketch.edges, stations=stations)


def _west_end(sketch: Sketch, first: str, docks: int) -> None:
    """Kitchen and docks around a first corridor node."""
    sketch.spur("kitchen", first, 0.0, -2.5)
    for number in range(docks):
        # A fan of dead ends, far enough apart for robots to pass one another.
        angle = math.pi * (0.55 + 0.45 * number / max(1, docks - 1)) if docks > 1 else math.pi
        sketch.docks.append(
            sketch.spur(f"dock-{number + 1}", first, 3.2 * math.cos(angle), 3.2 * math.sin(angle))
        )
    sketch.free += [first, "kitchen", *sketch.docks]


def line(rooms: int = 3, docks: int = 3, step_m: float = 2.5) -> Sketch:
    """One corridor, one lane; doors on both sides; one bay to wait in."""
    sketch = Sketch()
    before = sketch.node("c1", 0.0, 0.0)
    _west_end(sketch, before, docks)
    corridor = []
    for number in range(2, 2 + 2 * rooms):
        here = sketch.node(f"c{number}", (number - 1) * step_m, 0.0)
        sketch.way(before, here)
        corridor.append(here)
        before = here
    for number in range(rooms):
        side = 2.0 if number % 2 == 0 else -2.0
        room = f"room-{number + 1}"
        sketch.rooms[room] = sketch.spur(f"{room}-door", corridor[2 * number + 1], 0.0, side)
    bay = sketch.spur("bay-1", corridor[0], 0.0, 2.0)
    sketch.closed["corridor-1"] = [*corridor, bay]
    return sketch


def ring(rooms: int = 4, docks: int = 3) -> Sketch:
    """A corridor that leads around: robots may go either way."""
    sketch = Sketch()
    first = sketch.node("c1", 0.0, 0.0)
    _west_end(sketch, first, docks)
    corners = [(4.0, 0.0), (8.0, 0.0), (12.0, 2.0), (12.0, 6.0), (8.0, 8.0), (4.0, 8.0), (2.0, 4.0)]
    names = [sketch.node(f"r{n + 1}", x_m, y_m) for n, (x_m, y_m) in enumerate(corners)]
    sketch.way(first, names[0])
    for one, other in itertools.pairwise(names):
        sketch.way(one, other)
    sketch.way(names[-1], names[0])
    places = [("r2", 0.0, -2.2), ("r3", 2.2, -1.0), ("r4", 2.2, 1.0), ("r5", 0.0, 2.2)]
    for number, (at, dx_m, dy_m) in enumerate(places[:rooms]):
        room = f"room-{number + 1}"
        sketch.rooms[room] = sketch.spur(f"{room}-door", at, dx_m, dy_m)
    sketch.spur("bay-1", "r6", 0.0, 2.2)
    sketch.closed["corridor-1"] = names[:3]
    sketch.closed["corridor-2"] = [*names[3:], "bay-1"]
    return sketch


def tee(rooms: int = 4, docks: int = 3) -> Sketch:
    """A corridor that forks into two dead ends: who is in must come out the same way."""
    sketch = Sketch()
    before = sketch.node("c1", 0.0, 0.0)
    _west_end(sketch, before, docks)
    for number in (2, 3):
        here = sketch.node(f"c{number}", (number - 1) * 2.5, 0.0)
        sketch.way(before, here)
        before = here
    arms: dict[str, list[str]] = {"n": [], "s": []}
    for arm, sign in (("n", 1.0), ("s", -1.0)):
        end = before
        for number in range(1, 4):
            here = sketch.node(f"{arm}{number}", 5.0, sign * 2.5 * number)
            sketch.way(end, here)
            arms[arm].append(here)
            end = here
    places = [("n2", 2.2), ("s2", 2.2), ("n3", 2.2), ("s3", 2.2)]
    for number, (at, dx_m) in enumerate(places[:rooms]):
        room = f"room-{number + 1}"
        sketch.rooms[room] = sketch.spur(f"{room}-door", at, dx_m, 0.0)
    sketch.closed["corridor-1"] = ["c2", "c3", *arms["n"]]
    sketch.closed["corridor-2"] = arms["s"]
    return sketch


def floors(docks: int = 3) -> Sketch:
    """Two floors, one lift, and a fire door on the way to it."""
    sketch = line(rooms=1, docks=docks)
    end = max((n for n in sketch.nodes if n.startswith("c")), key=lambda n: sketch.nodes[n].x_m)
    x_m = sketch.nodes[end].x_m
    lobby = sketch.node("lobby-1", x_m + 3.0, 0.0)
    sketch.way(end, lobby)
    cab_1 = sketch.node("cab-1", x_m + 5.5, 0.0)
    sketch.way(lobby, cab_1, SPUR_SPEED_MPS)
    cab_2 = sketch.node("cab-2", x_m + 5.5, 0.0, "f2")
    sketch.way(cab_1, cab_2, SPUR_SPEED_MPS)
    before = sketch.node("lobby-2", x_m + 8.0, 0.0, "f2")
    sketch.way(cab_2, before, SPUR_SPEED_MPS)
    upper = [before]
    for number in (1, 2, 3):
        here = sketch.node(f"u{number}", x_m + 8.0 + 2.5 * number, 0.0, "f2")
        sketch.way(before, here)
        upper.append(here)
        before = here
    sketch.rooms["room-2"] = sketch.spur("room-2-door", "u2", 0.0, 2.0)
    sketch.rooms["room-3"] = sketch.spur("room-3-door", "u3", 0.0, 2.0)
    upper.append(sketch.spur("bay-2", "u1", 0.0, 2.0))
    sketch.closed["corridor-1"] += [lobby, cab_1]
    sketch.closed["corridor-2"] = [cab_2, *upper]
    link = SimulatedLink(via="simulated")
    sketch.doors.append(
        DoorConfig(
            kind="door", id="door-1", name=_named("door"), ways=((end, lobby),), fire_door=True,
            link=link,
        )
    )  # fmt: skip
    sketch.lifts.append(
        LiftConfig(
            kind="lift",
            id="lift-1",
            name=_named("lift"),
            floors=(
                LiftFloor(floor="f1", cab_node=cab_1),
                LiftFloor(floor="f2", cab_node=cab_2),
            ),
            link=link,
        )
    )
    return sketch


def noon(rooms: int = 13, docks: int = 3) -> Sketch:
    """The centre at noon: thirteen rooms on a ring of corridors, three robots."""
    sketch = Sketch()
    first = sketch.node("c1", 0.0, 0.0)
    _west_end(sketch, first, docks)
    names: list[str] = []
    upper = [(4.0 + 3.5 * n, 0.0) for n in range(8)]
    lower = [(4.0 + 3.5 * n, 6.0) for n in reversed(range(8))]
    for number, (x_m, y_m) in enumerate([*upper, *lower]):
        names.append(sketch.node(f"r{number + 1}", x_m, y_m))
    sketch.way(first, names[0])
    for one, other in itertools.pairwise(names):
        sketch.way(one, other)
    sketch.way(names[-1], names[0])
    served = [name for name in names[1:] if name != names[8]][:rooms]
    for number, at in enumerate(served):
        side = -2.0 if sketch.nodes[at].y_m == 0.0 else 2.0
        room = f"room-{number + 1}"
        sketch.rooms[room] = sketch.spur(f"{room}-door", at, 0.0, side)
    sketch.spur("bay-1", names[8], 2.5, 0.0)
    sketch.closed["corridor-1"] = names[:8]
    sketch.closed["corridor-2"] = [*names[8:], "bay-1"]
    return sketch


MADE: Final[Mapping[str, Callable[[], Sketch]]] = {
    "line": line,
    "ring": ring,
    "tee": tee,
    "floors": floors,
    "noon": noon,
}
SMALL: Final[Sequence[str]] = ("line", "ring", "tee", "floors")
"""What seeds are drawn from."""


@cache
def plan_named(name: str, robots: int = 3, boxes: int = 3) -> SitePlan:
    """A site by name: one of ours, a site folder of firmware_configs, or a path to one.

    Raises:
        ValueError: nothing of that name.
    """
    if name in MADE:
        site, robot_map = site_of(name, MADE[name](), robots, boxes)
        return plan_of(site, robot_map)
    folder = CONFIGS / name if (CONFIGS / name).is_dir() else Path(name)
    if not folder.is_dir():
        raise ValueError(
            f"no map {name!r}: {', '.join((*MADE, 'demo', 'example', 'tower'))} or a folder"
        )
    site, robot_map = load_folder(folder)
    return plan_of(site, robot_map)
