"""A site of two floors with one lift and a door, for the tests of doors and lifts.

home - kitchen - a =door= b - lobby-1 - [lift] - lobby-2 - room-door (floor 2); park-2 off lobby-2.
"""

import math

from contracts.devices import Area, RobotConfig, Site, SiteConfig
from contracts.facilities import DoorConfig, FireConfig, LiftConfig, LiftFloor, SimulatedLink
from contracts.layout import MapEdge, MapNode, RobotMap
from contracts.naming import Named
from controller.core.plan import SitePlan, plan_of

PLACES = {
    "home": ("floor-1", 0.0, 2.0),
    "home-b": ("floor-1", 0.0, -2.0),
    "kitchen": ("floor-1", 0.0, 0.0),
    "a": ("floor-1", 10.0, 0.0),
    "b": ("floor-1", 14.0, 0.0),
    "lobby-1": ("floor-1", 18.0, 0.0),
    "cab-1": ("floor-1", 20.0, 0.0),
    "cab-2": ("floor-2", 20.0, 0.0),
    "lobby-2": ("floor-2", 18.0, 0.0),
    "park-2": ("floor-2", 18.0, 3.0),
    "room-door": ("floor-2", 14.0, 0.0),
}
WAYS = (
    ("home", "kitchen"),
    ("home-b", "kitchen"),
    ("kitchen", "a"),
    ("a", "b"),
    ("b", "lobby-1"),
    ("lobby-1", "cab-1"),
    ("cab-1", "cab-2"),
    ("cab-2", "lobby-2"),
    ("lobby-2", "park-2"),
    ("lobby-2", "room-door"),
)


def named(text: str) -> Named:
    return Named(zh=text, en=text)


def two_floor_site(*, fire_door: bool = False) -> Site:
    """Two robots at home, one room on the second floor."""
    return Site(
        config=SiteConfig(
            kind="site",
            id="tower",
            name=named("Tower"),
            map="map.lif.json",
            kitchen_node="kitchen",
            areas=(Area(id="room-1", name=named("Room"), door_node="room-door"),),
        ),
        robots=tuple(
            RobotConfig(
                kind="robot",
                id=name,
                name=named(name),
                manufacturer="ZeroEntry",
                serial_number=name,
                home_node=home,
            )
            for name, home in (("r-1", "home"), ("r-2", "home-b"))
        ),
        doors=(
            DoorConfig(
                kind="door",
                id="door-a",
                name=named("Door A"),
                ways=(("a", "b"),),
                fire_door=fire_door,
                open_within_ms=10_000,
                close_within_ms=10_000,
                link=SimulatedLink(via="simulated"),
            ),
        ),
        lifts=(
            LiftConfig(
                kind="lift",
                id="lift-1",
                name=named("Lift 1"),
                floors=(
                    LiftFloor(floor="floor-1", cab_node="cab-1"),
                    LiftFloor(floor="floor-2", cab_node="cab-2"),
                ),
                link=SimulatedLink(via="simulated"),
            ),
        ),
        fires=(
            FireConfig(
                kind="fire", id="fire", name=named("Fire"), link=SimulatedLink(via="simulated")
            ),
        ),
    )


def two_floor_map() -> RobotMap:
    """The map of ``two_floor_site``; every way is two-way."""
    nodes = {
        name: MapNode(name, name, floor, x_m, y_m) for name, (floor, x_m, y_m) in PLACES.items()
    }
    edges = {}
    for a, b in WAYS:
        for start, end in ((a, b), (b, a)):
            one, other = nodes[start], nodes[end]
            length_m = math.hypot(one.x_m - other.x_m, one.y_m - other.y_m)
            edges[f"{start}--{end}"] = MapEdge(f"{start}--{end}", start, end, length_m)
    return RobotMap(nodes=nodes, edges=edges, stations={})


def two_floor_plan(*, fire_door: bool = False) -> SitePlan:
    """The site and its map, indexed."""
    return plan_of(two_floor_site(fire_door=fire_door), two_floor_map())
