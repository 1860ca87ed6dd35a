"""Makes the building that dispatch is measured in: three floors, one lift, one-lane corridors."""

import math
from dataclasses import dataclass, field
from typing import Final

from contracts.devices import Area, Named, RobotConfig, Site, SiteConfig
from contracts.facilities import LiftConfig, LiftFloor, SimulatedLink
from contracts.layout import MapEdge, MapNode, RobotMap
from controller.core.plan import SitePlan, plan_of

STEP_M: Final = 2.5
COLUMNS: Final = 40
CROSSES: Final = (0, 13, 26, 39)
LOBBY: Final = 20
DOOR_COLUMNS: Final = (3, 8, 11, 16, 23, 29, 33, 37)
AISLE: Final = 14
FLOORS: Final = ("f1", "f2", "f3")


def named(text: str) -> Named:
    """The same text in both languages."""
    return Named(zh=text, en=text)


@dataclass
class Drawing:
    """A map being drawn; every way is one lane and leads both ways, unless told otherwise."""

    nodes: dict[str, MapNode] = field(default_factory=dict)
    edges: dict[str, MapEdge] = field(default_factory=dict)
    doors: list[str] = field(default_factory=list)
    docks: list[str] = field(default_factory=list)
    bays: list[str] = field(default_factory=list)

    def node(self, name: str, x_m: float, y_m: float, floor: str) -> str:
        """Put a node down."""
        self.nodes[name] = MapNode(name, name, floor, x_m, y_m)
        return name

    def way(self, one: str, other: str, *, both: bool = True) -> None:
        """Join two nodes."""
        a, b = self.nodes[one], self.nodes[other]
        length_m = math.hypot(a.x_m - b.x_m, a.y_m - b.y_m)
        for start, end in ((one, other), (other, one))[: 2 if both else 1]:
            self.edges[f"{start}>{end}"] = MapEdge(f"{start}>{end}", start, end, length_m)

    def spur(self, name: str, stem: str, up_m: float) -> str:
        """A dead end beside a node."""
        place = self.nodes[stem]
        self.node(name, place.x_m, place.y_m + up_m, place.map_id)
        self.way(stem, name)
        return name

    def plan(self, lifts: tuple[LiftConfig, ...], robots: int, compartments: int) -> SitePlan:
        """The site that this map is of, with each robot's home at a dock."""
        rooms = tuple(
            Area(id=f"room-{number + 1}", name=named(f"room {number + 1}"), door_node=door)
            for number, door in enumerate(self.doors)
        )
        site = Site(
            config=SiteConfig(
                kind="site",
                id="building",
                name=named("building"),
                map="building.lif.json",
                kitchen_node="kitchen",
                areas=rooms,
            ),
            robots=tuple(
                RobotConfig(
                    kind="robot",
                    id=f"robot-{number + 1:02}",
                    name=named(f"robot {number + 1}"),
                    manufacturer="Simulated",
                    serial_number=f"b-{number + 1}",
                    home_node=self.docks[number],
                    compartments=compartments,
                )
                for number in range(robots)
            ),
            lifts=lifts,
        )
        stations = {"docks": tuple(self.docks), "waiting bays": tuple(self.bays)}
        return plan_of(site, RobotMap(nodes=self.nodes, edges=self.edges, stations=stations))


def building(robots: int = 50, compartments: int = 3) -> SitePlan:
    """414 nodes: two long corridors a floor, joined at their ends and twice between.

    The lift opens onto a fifth joint. The kitchen lies beside the lower floor's south corridor and
    is driven through; 54 docks hang on a ring at its west end.
    """
    draft = Drawing()
    for floor in FLOORS:
        _floor(draft, floor)
    for number, one in enumerate(FLOORS):
        for other in FLOORS[number + 1 :]:
            draft.way(f"{one}-cab", f"{other}-cab")
    draft.node("k-in", 4 * STEP_M, -2.5, "f1")
    draft.node("kitchen", 5 * STEP_M, -2.5, "f1")
    draft.node("k-out", 6 * STEP_M, -2.5, "f1")
    for one, other in (("f1-s4", "k-in"), ("k-in", "kitchen"), ("kitchen", "k-out")):
        draft.way(one, other, both=False)
    draft.way("k-out", "f1-s6", both=False)
    # Robots that have been loaded wait beside the kitchen's way out, not in it.
    draft.bays += [draft.spur(f"k-bay-{at}", f"f1-s{at}", -2.5) for at in (7, 9, 10, 12)]
    draft.bays += [draft.spur(f"k-bay-in-{at}", f"f1-s{at}", 2.2) for at in range(7, 13)]
    _docks(draft)
    lift = LiftConfig(
        kind="lift",
        id="lift-1",
        name=named("lift"),
        floors=tuple(LiftFloor(floor=floor, cab_node=f"{floor}-cab") for floor in FLOORS),
        link=SimulatedLink(via="simulated"),
    )
    return draft.plan((lift,), robots, compartments)


def _floor(draft: Drawing, floor: str) -> None:
    for column in range(COLUMNS):
        for side, y_m in (("n", 6.0), ("s", 0.0)):
            here = draft.node(f"{floor}-{side}{column}", STEP_M * column, y_m, floor)
            before = f"{floor}-{side}{column - 1}"
            if column and column <= LOBBY and floor == FLOORS[0]:
                # Where there are two lanes, one leads there and one back, as sites draw it.
                draft.way(*((here, before) if side == "n" else (before, here)), both=False)
            elif column:
                draft.way(before, here)
    for column in CROSSES:
        middle = draft.node(f"{floor}-x{column}", STEP_M * column, 3.0, floor)
        draft.way(f"{floor}-n{column}", middle)
        draft.way(middle, f"{floor}-s{column}")
    lobby = draft.node(f"{floor}-lobby", STEP_M * LOBBY, 3.0, floor)
    draft.way(f"{floor}-n{LOBBY}", lobby)
    draft.way(lobby, f"{floor}-s{LOBBY}")
    draft.node(f"{floor}-cab", STEP_M * LOBBY + 2.0, 3.0, floor)
    draft.way(lobby, f"{floor}-cab")
    for column in DOOR_COLUMNS:
        draft.doors.append(draft.spur(f"{floor}-door-n{column}", f"{floor}-n{column}", 2.5))
        draft.doors.append(draft.spur(f"{floor}-door-s{column}", f"{floor}-s{column}", -2.5))
    for column in (18, 22):
        draft.bays.append(draft.spur(f"{floor}-bay-n{column}", f"{floor}-n{column}", 2.5))
        draft.bays.append(draft.spur(f"{floor}-bay-s{column}", f"{floor}-s{column}", -2.5))


def _docks(draft: Drawing) -> None:
    for side, y_m in (("n", 6.0), ("s", 0.0)):
        before = f"f1-{side}0"
        for place in range(1, AISLE + 1):
            here = draft.node(f"aisle-{side}{place}", -STEP_M * place, y_m, "f1")
            draft.way(before, here)
            before = here
    draft.node("aisle-end", -STEP_M * AISLE, 3.0, "f1")
    draft.way(f"aisle-n{AISLE}", "aisle-end")
    draft.way("aisle-end", f"aisle-s{AISLE}")
    for place in range(1, AISLE + 1):
        for side, out_m, in_m in (("n", 2.5, -2.2), ("s", -2.5, 2.2)):
            stem = f"aisle-{side}{place}"
            draft.docks.append(draft.spur(f"dock-{side}{place}-out", stem, out_m))
            if place < AISLE:
                draft.docks.append(draft.spur(f"dock-{side}{place}-in", stem, in_m))


def centre(rooms: int = 13, robots: int = 3, compartments: int = 3) -> SitePlan:
    """A centre as they are: thirteen rooms along one corridor of one lane, a kitchen at its end."""
    draft = Drawing()
    columns = rooms // 2 * 2 + 6
    for column in range(columns):
        here = draft.node(f"c{column}", STEP_M * column, 0.0, "f1")
        if column:
            draft.way(f"c{column - 1}", here)
    draft.spur("kitchen", "c1", 2.5)
    for number in range(robots):
        draft.docks.append(draft.spur(f"dock-{number + 1}", f"c{number % 3}", -2.5 - number // 3))
    for number in range(rooms):
        up_m = 2.5 if number % 2 else -2.5
        draft.doors.append(draft.spur(f"door-{number + 1}", f"c{4 + number // 2 * 2}", up_m))
    draft.bays += [draft.spur("bay-1", "c9", 2.5), draft.spur("bay-2", "c13", 2.5)]
    return draft.plan((), robots, compartments)
