"""Shows that ways are the quickest, and lead around what is dead, shut or coming."""

import itertools
import random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import lanes, routing
from tests.fakes.traffic_yard import Draft, drawn


def ladder() -> Draft:
    """Two corridors of one length between the same ends."""
    draft = Draft()
    for side, y_m in (("n", 6.0), ("s", 0.0)):
        names = [draft.node(f"{side}{at}", 3.0 * at, y_m) for at in range(4)]
        for one, other in itertools.pairwise(names):
            draft.way(one, other)
    for at, end in ((0, "west"), (3, "east")):
        draft.node(end, 9.0 if at else 0.0, 3.0)
        draft.way(f"n{at}", end)
        draft.way(end, f"s{at}")
    return draft


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_ways_are_the_quickest_that_an_independent_search_finds(seed: int) -> None:
    rng = random.Random(seed)
    plan = drawn(rng, 2).plan()
    graph: nx.DiGraph[str] = nx.DiGraph()
    for (start, end), lasts_s in plan.lanes.seconds.items():
        graph.add_edge(start, end, lasts_s=lasts_s)
    start, goal = rng.sample(sorted(plan.map.nodes), k=2)
    way = routing.way(plan, start, goal)
    assert way is not None
    assert way[0] == start
    assert way[-1] == goal
    expected_s = nx.dijkstra_path_length(graph, start, goal, weight="lasts_s")
    assert routing.seconds(plan, way) == pytest.approx(expected_s)
    assert routing.seconds_from(plan, start)[goal] == pytest.approx(expected_s)
    assert routing.seconds_to(plan, goal)[start] == pytest.approx(expected_s)


def test_a_way_leads_around_dead_robots_shut_ways_and_crowds() -> None:
    plan = ladder().plan()
    south = routing.way(plan, "west", "east", avoid=frozenset({"n1"}))
    assert south is not None
    assert "s1" in south
    north = routing.way(plan, "west", "east", shut=frozenset({("s1", "s2")}))
    assert north is not None
    assert "n1" in north
    assert routing.way(plan, "west", "east", busy={"n2": 5.0}) == south
    assert routing.way(plan, "west", "east", avoid=frozenset({"n1", "s1"})) is None
    assert routing.way(plan, "west", "east", avoid=frozenset({"east"})) is None


def test_nobody_drives_against_the_others_where_there_are_two_ways() -> None:
    plan = ladder().plan()
    coming = routing.way(plan, "east", "west", avoid=frozenset({"n1"}))
    assert coming is not None
    way = routing.way(plan, "west", "east", against=routing.oncoming([coming]))
    assert way is not None
    assert "n1" in way
    # With the stream it is no worse than alone.
    assert routing.way(plan, "east", "west", against=routing.oncoming([coming])) is not None
    many = routing.oncoming([coming] * 50)
    assert max(many.values()) == routing.AGAINST_MAX_S


def test_the_way_out_leads_to_the_nearest_refuge_that_is_free() -> None:
    draft = ladder()
    for name, stem, x_m in (("near", "n1", 3.0), ("far", "n3", 9.0)):
        draft.node(name, x_m, 9.0)
        draft.way(stem, name)
        draft.refuges.append(name)
    plan = draft.plan()
    assert routing.way_out(plan, "n0", frozenset()) == ("n0", "n1", "near")
    out = routing.way_out(plan, "n0", frozenset({"near"}))
    assert out is not None
    assert out[-1] == "far"
    assert routing.way_out(plan, "n0", frozenset({"near", "far"})) is None
    assert routing.way_out(plan, "near", frozenset()) == ("near",)


def test_a_lift_costs_its_call_and_ride_and_is_nowhere_to_stop() -> None:
    draft = Draft()
    draft.node("hall", 0.0, 0.0)
    draft.node("cab-1", 3.0, 0.0)
    draft.node("cab-2", 3.0, 0.0, "f2")
    draft.node("upper", 6.0, 0.0, "f2")
    for one, other in (("hall", "cab-1"), ("cab-1", "cab-2"), ("cab-2", "upper")):
        draft.way(one, other)
    draft.cabs |= {"cab-1": "lift", "cab-2": "lift"}
    plan = draft.plan()
    way = routing.way(plan, "hall", "upper")
    assert way == ("hall", "cab-1", "cab-2", "upper")
    drive_s = 3.0 / lanes.SPEED_M_S
    expected_s = lanes.LIFT_CALL_S + lanes.LIFT_RIDE_S + drive_s
    assert routing.seconds(plan, way) == pytest.approx(expected_s)
    assert plan.lanes.no_stop == {"cab-1", "cab-2"}
    assert plan.lanes.node_bits["cab-1"] & plan.lanes.node_bits["cab-2"]


def test_dead_ends_are_those_that_nothing_else_touches() -> None:
    draft = ladder()
    draft.node("spur", 3.0, 9.0)
    draft.way("n1", "spur")
    draft.node("beside", 6.3, 6.3)  # nearer to n2 than a robot is wide
    draft.way("n2", "beside")
    assert draft.plan().lanes.dead_ends == {"spur"}
