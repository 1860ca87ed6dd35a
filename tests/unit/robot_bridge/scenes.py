"""Orders, actions and a robot with its bridge core on a fake clock, for tests of robot_bridge."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.base import NodePosition
from contracts.vda5050.order import (
    Action,
    ActionParameter,
    BlockingType,
    Edge,
    InstantActions,
    Node,
    Order,
)
from contracts.vda5050.profile import (
    LockCompartment,
    OpenCompartment,
    lock_compartment_action,
    open_compartment_action,
)
from contracts.vda5050.state import ActionStatus, State
from robot_bridge.core import report
from robot_bridge.core.mission import step
from robot_bridge.core.orders import Progress
from robot_bridge.core.report import Stamp
from robot_bridge.core.vehicle import Drive, Now, Pose
from robot_bridge.core.work import (
    ActionsReceived,
    Input,
    Mission,
    Observed,
    OrderReceived,
    Output,
    SendFactsheet,
    SendState,
    WriteLog,
)
from robot_bridge.sim import SimSettings, SimVehicle

UTC_0 = UtcMs(1_790_000_000_000)
STAMP = "2026-09-21T14:13:20.000Z"
HOME = Pose(0.0, 0.0, 0.0, "floor-1")

PLACES = {"home": (0.0, 0.0), "a": (4.0, 0.0), "b": (8.0, 0.0), "c": (8.0, 5.0), "d": (12.0, 5.0)}
WAY = ("home", "a", "b", "c", "d")


def node(name: str, sequence_id: int, *, released: bool = True, **more: object) -> Node:
    x, y = PLACES[name]
    values: dict[str, object] = {
        "node_id": name,
        "sequence_id": sequence_id,
        "released": released,
        "node_position": NodePosition(x=x, y=y, map_id="floor-1"),
        "actions": (),
    }
    return Node.model_validate({**values, **more})


def edge(start: str, end: str, sequence_id: int, *, released: bool = True, **more: object) -> Edge:
    values: dict[str, object] = {
        "edge_id": f"{start}-{end}",
        "sequence_id": sequence_id,
        "released": released,
        "start_node_id": start,
        "end_node_id": end,
        "actions": (),
    }
    return Edge.model_validate({**values, **more})


def order(
    way: Sequence[str] = WAY,
    *,
    base: int = 999,
    order_id: str = "o1",
    update: int = 0,
    first: int = 0,
    node_actions: dict[str, tuple[Action, ...]] | None = None,
    edge_actions: dict[str, tuple[Action, ...]] | None = None,
    **more: object,
) -> Order:
    """An order along ``way`` with its first ``base`` nodes released, from sequence id ``first``."""
    on_nodes, on_edges = node_actions or {}, edge_actions or {}
    values: dict[str, object] = {
        "header_id": 1,
        "timestamp": STAMP,
        "manufacturer": "maker",
        "serial_number": "r1",
        "order_id": order_id,
        "order_update_id": update,
        "nodes": tuple(
            node(name, first + 2 * index, released=index < base, actions=on_nodes.get(name, ()))
            for index, name in enumerate(way)
        ),
        "edges": tuple(
            edge(
                start,
                end,
                first + 2 * index + 1,
                released=index + 1 < base,
                actions=on_edges.get(f"{start}-{end}", ()),
            )
            for index, (start, end) in enumerate(pairwise(way))
        ),
    }
    return Order.model_validate({**values, **more})


def action(
    kind: str, action_id: str, blocking: BlockingType = BlockingType.HARD, **parameters: object
) -> Action:
    return Action(
        action_type=kind,
        action_id=action_id,
        blocking_type=blocking,
        action_parameters=tuple(
            ActionParameter.model_validate({"key": key, "value": value})
            for key, value in parameters.items()
        )
        or None,
    )


def instant(*actions: Action) -> InstantActions:
    return InstantActions(
        header_id=1, timestamp=STAMP, manufacturer="maker", serial_number="r1", actions=actions
    )


@dataclass
class World:
    """A simulated robot, its bridge core, and a clock that only ``run`` moves."""

    settings: SimSettings = field(default_factory=SimSettings)
    compartments: int = 2
    now_ms: int = 1_000
    outputs: list[Output] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vehicle = SimVehicle(
            self.settings, start=HOME, start_node="home", compartments=self.compartments
        )
        self.mission = Mission(Progress(last_node_id="home", last_node_pose=HOME))
        self.reading = self.vehicle.observe(MonoMs(self.now_ms)).reading
        self.run(100)

    @property
    def utc_ms(self) -> UtcMs:
        return UtcMs(UTC_0 + self.now_ms)

    def take(self, event: Input) -> list[Output]:
        self.mission, outputs = step(
            self.mission, self.reading, event, Now(MonoMs(self.now_ms), self.utc_ms)
        )
        for output in outputs:
            if not isinstance(output, SendState | SendFactsheet | WriteLog):
                self.vehicle.perform(output)
        self.outputs += outputs
        return list(outputs)

    def give(self, wanted: Order) -> list[Output]:
        return self.take(OrderReceived(wanted))

    def act(self, *actions: Action, forged: frozenset[str] = frozenset()) -> list[Output]:
        return self.take(ActionsReceived(instant(*actions), forged))

    def run(self, ms: int, tick_ms: int = 50) -> None:
        for _ in range(0, ms, tick_ms):
            self.now_ms += tick_ms
            observation = self.vehicle.observe(MonoMs(self.now_ms))
            self.reading = observation.reading
            self.take(Observed(observation))

    def open(
        self,
        compartment: int = 1,
        *,
        node_id: str = "home",
        command: str = "c1",
        valid_ms: int = 60_000,
    ) -> ActionStatus:
        """Ask to open and let it happen; how it ended."""
        wanted = OpenCompartment(compartment, "d1", node_id, UtcMs(self.utc_ms + valid_ms), command)
        action_id = f"open-{len(self.mission.actions)}-{self.now_ms}"
        self.act(open_compartment_action(wanted, action_id=action_id))
        self.run(1_000)
        return self.status(action_id)

    def lock(self, compartment: int = 1, *, command: str = "l1") -> ActionStatus:
        """Ask to lock and let it happen; how it ended."""
        action_id = f"lock-{len(self.mission.actions)}-{self.now_ms}"
        wanted = LockCompartment(compartment, "d1", command)
        self.act(lock_compartment_action(wanted, action_id=action_id))
        self.run(1_000)
        return self.status(action_id)

    def status(self, action_id: str) -> ActionStatus:
        return next(row.status for row in self.mission.actions if row.action.action_id == action_id)

    def state(self) -> State:
        return report.state(self.mission, self.reading, Stamp(1, STAMP, "maker", "r1"))

    def error_types(self) -> list[str]:
        return [row.error_type for row in self.state().errors]

    def drives(self) -> list[Drive]:
        return [row for row in self.outputs if isinstance(row, Drive)]
