"""Whatever comes in, in whatever order: nothing raises, and no robot leaves the released base."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.envelope import Rejected
from contracts.units import MonoMs
from contracts.vda5050.codec import decode_vda, encode_vda
from contracts.vda5050.order import Action, BlockingType, InstantActions, Order
from contracts.vda5050.topics import VdaKind, VehicleAddress
from contracts.vda5050.versions import VdaVersion, vehicle_address
from robot_bridge.core.orders import warning
from robot_bridge.core.vehicle import Drive, DriveFailed, Observation, Passed
from robot_bridge.core.work import Observed, Refused, resume
from robot_bridge.sim import FaultKind, SimSettings
from tests.unit.contracts_vda5050.official import VALIDATORS
from tests.unit.contracts_vda5050.test_versions import spoil
from tests.unit.robot_bridge.scenes import PLACES, WAY, World, action, order

R1 = VehicleAddress("uagv", "v2", "maker", "r1")
SLACK_M = 0.05

ways = st.lists(st.sampled_from(WAY), min_size=1, max_size=4)
blocking = st.sampled_from(BlockingType)


@st.composite
def actions(draw: st.DrawFn) -> Action:
    kind = draw(
        st.sampled_from(
            [
                "cancelOrder",
                "startPause",
                "stopPause",
                "zeSignal",
                "zeOpenCompartment",
                "zeLockCompartment",
                "startCharging",
                "stopCharging",
                "stateRequest",
                "unknown",
            ]
        )
    )
    values: dict[str, object] = {
        "signal": "x",
        "durationMs": draw(st.sampled_from([1, 3_000, -5])),
        "compartment": draw(st.sampled_from([1, "2", 9, "one"])),
        "deliveryId": "d",
        "nodeId": draw(st.sampled_from(WAY)),
        "validUntil": draw(st.sampled_from(["2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "x"])),
        "commandId": draw(st.sampled_from(["c1", "c2", "c3"])),
    }
    return action(kind, draw(st.sampled_from("abcdefgh")), draw(blocking), **values)


@st.composite
def any_order(draw: st.DrawFn) -> Order:
    """Right and wrong orders: any way, any stitch, any update id, repeated ones."""
    way = draw(ways)
    on_nodes: dict[str, tuple[Action, ...]] = {
        name: (draw(actions()),) for name in way if draw(st.integers(0, 4)) == 0
    }
    return order(
        way,
        base=draw(st.integers(1, 4)),
        order_id=draw(st.sampled_from(["o1", "o2"])),
        update=draw(st.integers(0, 4)),
        first=2 * draw(st.integers(0, 4)),
        node_actions=on_nodes if len(set(way)) == len(way) else None,
    )


events: st.SearchStrategy[Any] = st.one_of(
    any_order(),
    any_order(),
    st.lists(actions(), min_size=1, max_size=3),
    st.sampled_from(["run", "run", "run", "long", "restart", "refused", "liar"]),
    st.sampled_from(list(FaultKind)),
)


class Guard:
    """Knows what was ever released to the robot, and holds each of its places against it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def check(self) -> None:
        for drive in self.world.drives():
            assert drive.route
        self.world.outputs.clear()
        pose = self.world.reading.pose
        assert self._on_base(pose.x_m, pose.y_m), (pose, self.world.mission.progress)

    def watch_drives(self) -> None:
        """Each route that was ever given lies within the base of that moment."""
        progress = self.world.mission.progress
        released = [row.sequence_id for row in progress.nodes if row.released]
        for output in self.world.outputs:
            if isinstance(output, Drive) and output.order_id == progress.order_id:
                ids = [point.sequence_id for point in output.route]
                assert ids == released[: len(ids)], (ids, released)

    def _on_base(self, x_m: float, y_m: float) -> bool:
        return any(
            _distance(x_m, y_m, PLACES[start], PLACES[end]) < SLACK_M for start, end in self.lines
        )

    lines: set[tuple[str, str]]


def _distance(x: float, y: float, start: tuple[float, float], end: tuple[float, float]) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length2 = dx * dx + dy * dy
    along = 0.0 if length2 == 0 else ((x - start[0]) * dx + (y - start[1]) * dy) / length2
    along = max(0.0, min(1.0, along))
    return float(((x - start[0] - along * dx) ** 2 + (y - start[1] - along * dy) ** 2) ** 0.5)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=25))
def test_no_input_moves_the_robot_beyond_the_base(script: list[Any]) -> None:
    world = World(SimSettings(collect_after_ms=500))
    guard = Guard(world)
    guard.lines = {("home", "home")}
    for event in script:
        _play(world, guard, event)
    schema: Draft202012Validator = VALIDATORS[VdaKind.STATE]
    schema.validate(json.loads(encode_vda(world.state())))


def _play(world: World, guard: Guard, event: Any) -> None:
    match event:
        case Order():
            world.give(event)
            # What the robot holds as released now is what it may ever use of this order.
            for row in world.mission.progress.edges:
                if row.released:
                    guard.lines.add((row.start_node_id, row.end_node_id))
                    guard.lines.add((row.end_node_id, row.end_node_id))
        case list():
            world.act(*event)
        case FaultKind():
            world.vehicle.inject(event)
        case "restart":
            world.mission = resume(world.mission)
        case "refused":
            world.take(Refused("t", warning("validationError", "x")))
        case "liar":
            lies = (Passed("o1", 2), Passed("o2", 4), DriveFailed("o1", "x"))
            truth = world.vehicle.observe(MonoMs(world.now_ms)).events
            world.take(Observed(Observation(world.reading, truth)))
            before = world.mission.progress.nodes
            world.take(Observed(Observation(world.reading, lies[2:])))
            assert world.mission.progress.nodes == before
        case "long":
            for kind in FaultKind:
                world.vehicle.clear(kind)
            _run(world, guard, 6_000)
        case _:
            _run(world, guard, 700)
    guard.watch_drives()
    guard.check()


def _run(world: World, guard: Guard, ms: int) -> None:
    for _ in range(0, ms, 350):
        world.run(350, tick_ms=70)
        guard.watch_drives()
        guard.check()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([VdaKind.ORDER, VdaKind.INSTANT_ACTIONS]),
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_payloads_neither_raise_nor_leave_the_base(
    kind: VdaKind, damage: list[tuple[int, int]]
) -> None:
    whole = (
        order(("home", "a"), base=1)
        if kind is VdaKind.ORDER
        else InstantActions(
            header_id=1,
            timestamp="2026-09-21T14:13:20.000Z",
            manufacturer="maker",
            serial_number="r1",
            actions=(action("stopPause", "p"),),
        )
    )
    payload = bytearray(encode_vda(whole))
    for place, value in damage:
        payload[place % len(payload)] = value
    message = decode_vda(R1.topic(kind), bytes(payload))
    world = World()
    if not isinstance(message, Rejected):
        assert isinstance(message.body, Order | InstantActions)
        if isinstance(message.body, Order):
            world.give(message.body)
        else:
            world.act(*message.body.actions)
    world.run(500)
    assert world.reading.pose.x_m == 0


SPECIFIED = {
    "validationError",
    "orderError",
    "orderUpdateError",
    "noRouteError",
    "instantActionError",
    "noOrderToCancel",
}


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(list(VdaVersion)),
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.sampled_from([None, [], {}, "x", "", -1, 1e308, 2**40, True, [[1]], {"a": 1}]),
    st.integers(0, 3),
)
def test_a_spoilt_order_ends_in_a_specified_error_or_in_what_it_says(
    version: VdaVersion, path: list[int], odd: Any, before: int
) -> None:
    """In every version: no field that is odd moves the robot beyond what a whole order releases."""
    world = World()
    if before:
        world.give(order(("home", "a"), order_id="o0"))
        world.run(500 * before)
    own = order(("home", "a", "b"), base=2, update=1).model_copy(update={"version": version})
    content = json.loads(encode_vda(own))
    spoil(content, path, odd)
    topic = vehicle_address(version, "maker", "r1").topic(VdaKind.ORDER)
    message = decode_vda(topic, json.dumps(content).encode())
    was, errors = world.mission.progress, world.mission.errors
    if isinstance(message, Rejected):
        about = warning("validationError", message.detail)
        outputs = world.take(Refused(topic, about))
        assert about in world.mission.errors
    else:
        assert isinstance(message.body, Order)
        outputs = world.give(message.body)
        new = [row for row in world.mission.errors if row not in errors]
        assert {row.error_type for row in new} <= SPECIFIED
        if new:
            assert world.mission.progress == was
    if world.mission.progress == was:
        assert not any(isinstance(row, Drive) for row in outputs)
    VALIDATORS[VdaKind.STATE].validate(json.loads(encode_vda(world.state())))
