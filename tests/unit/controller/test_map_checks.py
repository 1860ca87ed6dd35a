"""What is wrong with a map is found before a robot finds it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.layout import MapEdge, RobotMap
from controller.core import map_checks
from controller.core.map_checks import Weight, check, one_lane
from controller.core.plan import SitePlan, plan_of
from tests.fakes.controller_site import small_plan
from tests.fakes.facility_site import two_floor_map, two_floor_site


def without(robot_map: RobotMap, *edges: str) -> RobotMap:
    kept = {name: row for name, row in robot_map.edges.items() if name not in edges}
    return replace(robot_map, edges=kept)


def with_edge(robot_map: RobotMap, start: str, end: str) -> RobotMap:
    edge = MapEdge(f"{start}--{end}", start, end, 3.0)
    return replace(robot_map, edges={**robot_map.edges, edge.id: edge})


def moved(robot_map: RobotMap, node: str, **more: object) -> RobotMap:
    row = replace(robot_map.nodes[node], **more)  # type: ignore[arg-type]  # a field of it
    nodes = {**robot_map.nodes, node: row}
    edges = {
        name: replace(edge, length_m=abs(nodes[edge.end].x_m - nodes[edge.start].x_m))
        for name, edge in robot_map.edges.items()
    }
    return replace(robot_map, nodes=nodes, edges=edges)


def plan(change: Callable[[RobotMap], RobotMap] = lambda robot_map: robot_map) -> SitePlan:
    return plan_of(two_floor_site(), change(two_floor_map()))


def found(the_plan: SitePlan, weight: Weight = Weight.ERROR) -> dict[str, str]:
    rows = [row for row in check(the_plan) if row.weight is weight]
    assert all(row.text.zh for row in rows)
    return {f"{row.kind} {row.id}": row.text.en for row in rows}


def test_a_sound_map_has_no_errors() -> None:
    assert found(plan()) == {}
    assert found(plan(), Weight.WARNING) == {}


CASES: dict[str, tuple[Callable[[RobotMap], RobotMap], str, str]] = {
    "a door that cannot be reached": (
        lambda robot_map: without(robot_map, "lobby-2--room-door"),
        "node room-door",
        "no way leads there",
    ),
    "a door that cannot be left": (
        lambda robot_map: without(robot_map, "room-door--lobby-2"),
        "node room-door",
        "no way leads back",
    ),
    "a way through the ceiling": (
        lambda robot_map: with_edge(robot_map, "lobby-1", "lobby-2"),
        "edge lobby-1--lobby-2",
        "not both cab nodes of one lift",
    ),
    "a cab node on another floor": (
        lambda robot_map: moved(robot_map, "cab-2", map_id="floor-9"),
        "node cab-2",
        "lift lift-1 has it on floor-2, the map on floor-9",
    ),
    "a lift without a lobby": (
        lambda robot_map: without(robot_map, "lobby-2--cab-2"),
        "node cab-2",
        "no lobby node on floor-2",
    ),
    "a lift that only goes up": (
        lambda robot_map: without(robot_map, "cab-2--cab-1"),
        "node cab-2",
        "no edge from floor-2 to floor-1",
    ),
    "a door on no edge": (
        lambda robot_map: without(robot_map, "a--b", "b--a"),
        "node a",
        "door door-a lies between it and b, and no edge joins them",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_error_names_its_place(case: str) -> None:
    change, where, what = CASES[case]
    errors = found(plan(change))
    assert what in errors[where], errors


def test_ways_that_a_type_of_vehicle_may_not_drive_count_as_none() -> None:
    robot_map = two_floor_map()
    edges = {
        name: replace(
            row, vehicles=frozenset({"low"} if row.end == "room-door" else {"low", "tall"})
        )
        for name, row in robot_map.edges.items()
    }
    errors = found(plan_of(two_floor_site(), replace(robot_map, edges=edges)))
    assert set(errors) == {"node room-door"}
    assert "(tall)" in errors["node room-door"]


def test_too_few_refuges_and_shared_homes_are_errors() -> None:
    site = two_floor_site()
    both = tuple(
        robot.model_copy(update={"home_node": "home", "id": f"r-{at}"})
        for at, robot in enumerate((*site.robots, *site.robots))
    )
    errors = found(plan_of(site.model_copy(update={"robots": both}), two_floor_map()))
    assert "map refuges" in errors
    assert "is the home of r-0 and" in errors["node home"]


def test_what_is_tight_is_a_warning() -> None:
    near = plan(lambda robot_map: moved(robot_map, "b", x_m=11.0, name="a"))
    warnings = found(near, Weight.WARNING)
    assert "short" in warnings.get("edge a--b", ""), warnings
    nearer = plan(lambda robot_map: moved(robot_map, "b", x_m=10.5, name="a"))
    assert "nearer than a robot" in found(nearer, Weight.WARNING)["node a"]
    assert nearer.needs["a"] & nearer.needs["b"] == {"near:a|b"}
    assert "is called 'a'" in found(nearer, Weight.WARNING)["node b"]
    assert "lies in no zone" in found(small_plan(), Weight.WARNING)["node kitchen"]


def test_one_lane_stretches_run_from_junction_to_junction() -> None:
    lanes = {row.nodes: row for row in one_lane(two_floor_map())}
    assert set(lanes) == {("kitchen", "a", "b", "lobby-1")} or set(lanes) == {
        ("lobby-1", "b", "a", "kitchen")
    }
    ring = two_floor_map()
    for start, end in (("lobby-1", "kitchen"), ("kitchen", "lobby-1")):
        ring = with_edge(ring, start, end)
    rounds = one_lane(ring)
    assert rounds
    assert not any(row.only_way for row in rounds), "there is a way round"


def test_places_for_robots() -> None:
    the_plan = plan()
    assert the_plan.refuges == ("home", "home-b", "park-2")
    assert the_plan.chargers == {"home", "home-b"}
    assert the_plan.needs["cab-1"] & the_plan.needs["cab-2"] == {"lift:lift-1"}
    assert the_plan.gates["door-a"] == {("a", "b"), ("b", "a")}
    assert ("lobby-1", "cab-1") in the_plan.gates["lift-1"]
    assert map_checks.vehicle_types(the_plan.map) == ("",)
