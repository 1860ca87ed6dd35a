"""Which orders are taken, ignored and refused, rule by rule of VDA 5050 chapter 6.6."""

from dataclasses import replace

import pytest

from contracts.vda5050.base import NodePosition, Trajectory
from contracts.vda5050.order import Order
from contracts.vda5050.state import ErrorLevel
from robot_bridge.core.orders import ACTIONS_MAX, NODES_MAX, Terms
from robot_bridge.core.vehicle import Drive
from robot_bridge.sim import FaultKind
from tests.unit.robot_bridge.scenes import World, action, edge, order


def refusal(world: World, wanted: Order) -> tuple[str, str]:
    """Type and description of the error that an order earns; it must not change anything."""
    before = world.mission
    outputs = world.give(wanted)
    assert not any(isinstance(row, Drive) for row in outputs)
    assert world.mission.progress == before.progress
    assert world.mission.actions == before.actions
    error = world.mission.errors[-1]
    assert error.error_level is ErrorLevel.WARNING
    assert error.reference("orderId") == wanted.order_id[:64]
    assert error.reference("orderUpdateId") == str(wanted.order_update_id)
    return error.error_type, error.error_description or ""


def test_6_6_2_an_order_at_the_robot_is_taken_and_its_first_node_passed() -> None:
    world = World()
    world.give(order(base=3))
    state = world.state()
    assert (state.order_id, state.last_node_id) == ("o1", "home")
    assert [(row.node_id, row.released) for row in state.node_states] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
    ]
    assert [point.node_id for point in world.drives()[-1].route] == ["a", "b"]


def test_6_6_2_the_same_content_again_is_ignored() -> None:
    world = World()
    world.give(order(base=3))
    mission = world.mission
    world.give(order(base=3).model_copy(update={"header_id": 9}))
    assert world.mission is mission


def test_6_6_2_another_content_under_the_same_update_id_is_refused() -> None:
    world = World()
    world.give(order(base=3))
    assert refusal(world, order(base=4))[0] == "orderUpdateError"


def test_6_6_2_a_new_order_while_busy_is_refused() -> None:
    world = World()
    world.give(order(base=3))
    assert refusal(world, order(("home",), order_id="o2")) == (
        "orderUpdateError",
        "busy with order o1",
    )


def test_6_6_2_a_horizon_keeps_the_robot_busy() -> None:
    world = World()
    world.give(order(base=1))
    world.run(2_000)
    assert world.reading.pose.x_m == 0
    assert refusal(world, order(("home",), order_id="o2"))[0] == "orderUpdateError"


def test_6_6_2_a_running_action_keeps_the_robot_busy() -> None:
    world = World()
    hoot = action("zeSignal", "s1", signal="arrival", durationMs=5_000)
    world.give(order(("home",), node_actions={"home": (hoot,)}))
    assert refusal(world, order(("home",), order_id="o2"))[0] == "orderUpdateError"
    world.run(6_000)
    world.give(order(("home",), order_id="o2"))
    assert world.state().order_id == "o2"
    assert world.state().action_states == ()


def test_6_6_2_a_start_far_away_has_no_route() -> None:
    kind, text = refusal(World(), order(("a", "b")))
    assert (kind, text) == ("noRouteError", "the first node is not within 0.50 m of the robot")


def test_6_6_3_1_a_start_with_a_wide_deviation_is_near() -> None:
    world = World()
    wide = NodePosition(x=4.0, y=0.0, map_id="floor-1", allowed_deviation_xy=5.0)
    far = order(("a", "b"))
    start = far.nodes[0].model_copy(update={"node_position": wide})
    world.give(far.model_copy(update={"nodes": (start, *far.nodes[1:])}))
    assert world.state().last_node_id == "a"


def test_a_start_on_another_map_has_no_route() -> None:
    world = World()
    place = NodePosition(x=0.0, y=0.0, map_id="floor-2")
    upstairs = order(("home",)).nodes[0].model_copy(update={"node_position": place})
    wanted = order(("home",)).model_copy(update={"nodes": (upstairs,)})
    assert refusal(world, wanted)[0] == "noRouteError"


def test_a_node_on_a_map_that_the_robot_has_not_is_refused() -> None:
    world = World()
    world.reading = replace(world.reading, maps=("floor-1", "floor-2"))
    place = NodePosition(x=4.0, y=0.0, map_id="floor-9")
    wanted = order(("home", "a"))
    nowhere = wanted.nodes[1].model_copy(update={"node_position": place})
    wanted = wanted.model_copy(update={"nodes": (wanted.nodes[0], nowhere)})
    assert refusal(world, wanted)[0] == "noRouteError"
    assert world.state().errors[-1].reference("cause") == "UNKNOWN_MAP_ID"
    assert [row.map_id for row in world.state().maps or ()] == ["floor-1", "floor-2"]


def test_6_6_4_3_an_older_update_is_refused() -> None:
    world = World()
    world.give(order(base=3, update=4))
    older = order(("b", "c"), first=4, update=3)
    assert refusal(world, older) == ("orderUpdateError", "older than update 4 on the robot")


@pytest.mark.parametrize(
    ("way", "first"), [(("a", "b"), 2), (("b", "c"), 6), (("c", "d"), 6), (("home", "a"), 0)]
)
def test_6_6_2_an_update_must_join_the_end_of_the_base(way: tuple[str, ...], first: int) -> None:
    world = World()
    world.give(order(base=3))
    kind, text = refusal(world, order(way, first=first, update=1))
    assert (kind, text) == (
        "orderUpdateError",
        "must begin at b with sequenceId 4, the end of the base",
    )


def test_6_6_2_an_update_replaces_the_horizon_and_its_actions() -> None:
    world = World()
    hoot = action("zeSignal", "s1", signal="arrival")
    world.give(order(base=3, node_actions={"d": (hoot,)}))
    assert [row.action_id for row in world.state().action_states] == ["s1"]
    world.give(order(("b", "a"), first=4, update=1))
    state = world.state()
    assert [row.node_id for row in state.node_states] == ["a", "b", "a"]
    assert state.action_states == ()
    assert [point.node_id for point in world.drives()[-1].route] == ["a", "b", "a"]


def test_6_6_2_a_finished_order_goes_on_where_it_ended() -> None:
    world = World()
    world.give(order(("home", "a")))
    world.run(8_000)
    assert world.state().node_states == ()
    assert refusal(world, order(("b", "c"), first=4, update=1))[0] == "orderUpdateError"
    world.give(order(("a", "b"), first=2, update=1))
    world.run(8_000)
    assert world.state().last_node_id == "b"


def test_a_cancelled_order_takes_no_update() -> None:
    world = World()
    world.give(order(base=3))
    world.run(4_000)
    world.act(action("cancelOrder", "x"))
    world.run(5_000)
    last = world.mission.progress
    wanted = order((last.last_node_id, "b"), first=last.last_node_sequence_id, update=1)
    assert refusal(world, wanted) == ("orderUpdateError", "this order was cancelled")


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (order(zone_set_id="z"), "zone sets are not known"),
        (order(order_id="o" * 65), "orderId must be printable and at most 64 bytes"),
        (order(order_id="评" * 22), "orderId must be printable"),
        (
            order(node_actions={"a": (action("pick", "p1"),)}),
            "unknown action pick; the factsheet lists the known ones",
        ),
        (
            order(node_actions={"a": (action("cancelOrder", "p1"),)}),
            "cancelOrder cannot stand on NODE",
        ),
        (
            order(node_actions={"a": (action("zeOpenCompartment", "p1"),)}),
            "zeOpenCompartment",
        ),
        (
            order(edge_actions={"home-a": (action("startCharging", "p1"),)}),
            "startCharging cannot stand on EDGE",
        ),
        (
            order(
                node_actions={
                    "a": (action("stopCharging", "p1"),),
                    "b": (action("stopCharging", "p1"),),
                }
            ),
            "actionId is used twice",
        ),
        (order(node_actions={"a": (action("zeSignal", "p1"),)}), "signal must be a text"),
        (
            order(node_actions={"a": (action("zeSignal", "p1", signal="x", durationMs=10**7),)}),
            "durationMs must be 1 to 60000",
        ),
        (order(node_actions={"a": (action("initPosition", "p1", x=1),)}), "initPosition needs"),
    ],
)
def test_6_6_4_2_what_the_robot_cannot_do_is_an_order_error(wanted: Order, text: str) -> None:
    kind, said = refusal(World(), wanted)
    assert kind == "orderError"
    assert text in said


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (
            "trajectory",
            Trajectory(degree=1, knot_vector=(0.0, 1.0), control_points=()),
            "trajectory is not supported",
        ),
        ("max_speed", 0.0, "maxSpeed 0 cannot be driven"),
        ("orientation", 3.14, "forward only"),
        ("max_height", 1.3, "own height is not known"),
        ("min_height", 0.2, "lifts nothing"),
        ("direction", "left", "follows no line"),
    ],
)
def test_6_6_4_2_edges_that_cannot_be_driven(field: str, value: object, text: str) -> None:
    wanted = order(("home", "a"))
    changed = edge("home", "a", 1).model_copy(update={field: value})
    kind, said = refusal(World(), wanted.model_copy(update={"edges": (changed,)}))
    assert kind == "orderError"
    assert text in said


def test_an_edge_that_is_too_low_is_refused_and_one_that_is_not_is_driven() -> None:
    world = World()
    world.mission = replace(world.mission, terms=Terms(height_m=1.2))
    low = edge("home", "a", 1).model_copy(update={"max_height": 1.19})
    kind, said = refusal(world, order(("home", "a")).model_copy(update={"edges": (low,)}))
    assert (kind, said) == ("orderError", "maxHeight is 1.19 m and the robot is 1.2 m high")
    high = edge("home", "a", 1).model_copy(update={"max_height": 1.2})
    world.give(order(("home", "a")).model_copy(update={"edges": (high,)}))
    assert world.error_types() == []
    world.run(10_000)
    assert world.state().last_node_id == "a"


def test_6_6_4_2_a_node_without_a_position_cannot_be_reached() -> None:
    wanted = order(("home", "a"))
    blind = wanted.nodes[1].model_copy(update={"node_position": None})
    wanted = wanted.model_copy(update={"nodes": (wanted.nodes[0], blind)})
    assert refusal(World(), wanted)[0] == "orderError"


def test_an_order_is_bounded_over_all_its_updates() -> None:
    world = World()
    back_and_forth = ["home", "a"] * NODES_MAX
    assert "too long" in refusal(world, order(back_and_forth[: NODES_MAX + 1]))[1]
    world.give(order(back_and_forth[:NODES_MAX]))
    grown = order(back_and_forth[NODES_MAX - 1 :], first=2 * NODES_MAX - 2, update=1)
    assert "too long" in refusal(world, grown)[1]
    many = tuple(action("stopCharging", f"p{row}") for row in range(ACTIONS_MAX + 1))
    assert "too long" in refusal(World(), order(node_actions={"a": many}))[1]


def test_an_error_stands_until_an_order_is_taken() -> None:
    world = World()
    refusal(world, order(("a", "b")))
    world.run(5_000)
    assert world.error_types() == ["noRouteError"]
    world.give(order(("home", "a")))
    assert world.error_types() == []


def test_errors_are_bounded() -> None:
    world = World()
    for row in range(50):
        refusal(world, order(("a", "b"), order_id=f"o{row}"))
    assert len(world.state().errors) == 10


def test_a_robot_that_is_lost_takes_no_new_order() -> None:
    world = World()
    world.vehicle.inject(FaultKind.LOSE_LOCALISATION)
    world.run(100)
    assert refusal(world, order(("home", "a")))[0] == "noRouteError"
