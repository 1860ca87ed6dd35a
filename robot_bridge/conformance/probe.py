"""Plays the master for one vehicle: sends, listens to all it says, and waits for what must come."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, sin
from typing import Any, Final, TypeVar

from contracts.envelope import Rejected
from contracts.units import MonoMs
from contracts.vda5050.base import NodePosition
from contracts.vda5050.codec import VdaBody, VdaMessage, decode_vda, encode_vda
from contracts.vda5050.factsheet import ActionScope, AgvAction, Factsheet
from contracts.vda5050.order import (
    Action,
    ActionParameter,
    BlockingType,
    Edge,
    InstantActions,
    Node,
    Order,
)
from contracts.vda5050.state import ActionState, AgvPosition, State, VehicleError
from contracts.vda5050.timestamps import timestamp_of
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress
from contracts.vda5050.versions import VdaVersion
from robot_bridge.conformance.words import NotApplicable, Unmet
from runtime.clock import Clock
from runtime.mqtt import Bus, DropPolicy, Inbound, Inbox, Outgoing

POLL_MS: Final = 20
ANSWER_MS: Final = 8_000  # a vehicle answers within a second; a slow radio link may take longer
DRIVE_MS: Final = 60_000  # some metres, also for one that crawls
STATE_MS: Final = 31_000  # the standard's 30 s and one more
HEARD_MAX: Final = 20_000
SAID: Final = (VdaKind.STATE, VdaKind.VISUALIZATION, VdaKind.CONNECTION, VdaKind.FACTSHEET)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the vehicle, as it came and as it was understood."""

    kind: VdaKind
    inbound: Inbound
    body: VdaBody | Rejected
    at: MonoMs

    def content(self) -> Any:  # noqa: ANN401 - any JSON
        """The JSON as it came; None when it is none."""
        try:
            return json.loads(self.inbound.payload)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Yard:
    """The free straight line that the vehicle may use: where it stood at first, and its heading."""

    x_m: float
    y_m: float
    theta_rad: float
    map_id: str
    step_m: float

    def node(self, number: int) -> tuple[str, NodePosition]:
        """Name and place of the n-th node of the line."""
        away = number * self.step_m
        x, y = self.x_m + cos(self.theta_rad) * away, self.y_m + sin(self.theta_rad) * away
        return f"conformance-{number}", NodePosition(x=x, y=y, map_id=self.map_id)


@dataclass
class Probe:
    """The master's side. Give ``listen`` a task of its own before the first check."""

    bus: Bus
    clock: Clock
    address: VehicleAddress
    version: VdaVersion
    step_m: float = 0.8
    cut: Callable[[], Awaitable[None]] | None = None
    """Cuts the vehicle off from the broker without a word; None: nobody can."""
    gone: bool = False
    """It was cut off."""
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._header_ids = itertools.count(1)
        self._names = itertools.count(1)
        self._run = f"{self.clock.utc_ms():x}"
        self._yard: Yard | None = None
        self._at = 0
        self._inboxes = [
            self.bus.subscribe(
                self.address.topic(kind), qos=1, limit=HEARD_MAX, drop=DropPolicy.OLDEST
            )
            for kind in SAID
        ]

    async def listen(self) -> None:
        """Take down all that the vehicle says, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind, inbox in zip(SAID, self._inboxes, strict=True):
                group.create_task(self._listen(kind, inbox))

    async def _listen(self, kind: VdaKind, inbox: Inbox) -> None:
        async for inbound in inbox:
            found = decode_vda(inbound.topic, inbound.payload)
            body = found.body if isinstance(found, VdaMessage) else found
            self.heard.append(Heard(kind, inbound, body, self.clock.mono_ms()))

    # --- what was heard ---------------------------------------------------------------------------

    def of(self, kind: VdaKind) -> list[Heard]:
        """All messages of one kind so far."""
        return [row for row in self.heard if row.kind is kind]

    def states(self, since: int = 0) -> list[State]:
        """The states that came after the first ``since`` messages."""
        return [row.body for row in self.heard[since:] if isinstance(row.body, State)]

    @property
    def state(self) -> State:
        """The newest state.

        Raises:
            Unmet: there is none.
        """
        found = next((r.body for r in reversed(self.heard) if isinstance(r.body, State)), None)
        if found is None:
            raise Unmet("a state that can be read", "none yet")
        return found

    @property
    def mark(self) -> int:
        """How many messages came so far; give it to ``states`` and ``until``."""
        return len(self.heard)

    def factsheet(self) -> Factsheet | None:
        """The newest factsheet."""
        rows = [row.body for row in self.heard if isinstance(row.body, Factsheet)]
        return rows[-1] if rows else None

    def declared(self, scope: ActionScope, *names: str) -> AgvAction | None:
        """An action that the factsheet declares there: one of ``names``, or any without parameters.

        Any means one that can do no harm: nothing that picks, drops or sets the position.
        """
        factsheet = self.factsheet()
        for row in factsheet.protocol_features.agv_actions if factsheet else ():
            wanted = row.action_type in names if names else _harmless(row)
            if wanted and scope in row.action_scopes:
                return row
        return None

    def harmless(self) -> AgvAction:
        """An action that may stand at a node and does nothing there.

        Raises:
            NotApplicable: none is declared.
        """
        found = self.declared(ActionScope.NODE)
        if found is None:
            raise NotApplicable("no harmless action with scope NODE is declared")
        return found

    async def until(
        self, condition: Callable[[], T | None], expected: str, within_ms: int = ANSWER_MS
    ) -> T:
        """What ``condition`` gives once it is true.

        Raises:
            Unmet: not within the time; ``seen`` is the newest state in short.
        """
        end = self.clock.mono_ms() + within_ms
        while True:
            found = condition()
            if found:
                return found
            if self.clock.mono_ms() >= end:
                raise Unmet(expected, f"not within {within_ms / 1000:g} s; {self.short()}")
            await self.clock.sleep_ms(POLL_MS)

    def short(self) -> str:
        """The newest state in one line."""
        rows = [row.body for row in self.heard if isinstance(row.body, State)]
        if not rows:
            return "no state at all"
        state = rows[-1]
        nodes = ", ".join(
            f"{row.node_id}{'' if row.released else '?'}" for row in state.node_states
        )
        errors = ", ".join(row.error_type for row in state.errors)
        return (
            f"order {state.order_id or '-'}/{state.order_update_id}, last node "
            f"{state.last_node_id or '-'}, left [{nodes}], driving {state.driving}, "
            f"paused {state.paused}, errors [{errors}]"
        )

    # --- what is sent -----------------------------------------------------------------------------

    def name(self, what: str) -> str:
        """A fresh id."""
        return f"{what}-{self._run}-{next(self._names)}"

    def _header(self) -> dict[str, Any]:
        return {
            "header_id": next(self._header_ids),
            "timestamp": timestamp_of(self.clock.utc_ms()),
            "version": self.version,
            "manufacturer": self.address.manufacturer,
            "serial_number": self.address.serial,
        }

    async def say(self, kind: VdaKind, payload: bytes) -> None:
        """Publish as it is."""
        await self.bus.publish(Outgoing(self.address.topic(kind), payload, SPECS[kind].qos))

    async def send(self, order: Order) -> None:
        """Publish an order."""
        await self.say(VdaKind.ORDER, encode_vda(order))

    async def act(self, kind: str, **parameters: Any) -> str:  # noqa: ANN401 - any JSON
        """Send an instant action; returns its id."""
        action = self.action(kind, **parameters)
        message = InstantActions(**self._header(), actions=(action,))
        await self.say(VdaKind.INSTANT_ACTIONS, encode_vda(message))
        return action.action_id

    def action(
        self,
        kind: str,
        blocking: BlockingType = BlockingType.NONE,
        **parameters: Any,  # noqa: ANN401 - any JSON
    ) -> Action:
        """An action with a fresh id."""
        rows = tuple(ActionParameter(key=key, value=value) for key, value in parameters.items())
        return Action(
            action_type=kind,
            action_id=self.name(kind[:20]),
            blocking_type=blocking,
            action_parameters=rows or None,
        )

    async def ended(self, action_id: str, within_ms: int = ANSWER_MS) -> ActionState:
        """The state of an action once it is FINISHED or FAILED."""

        def found() -> ActionState | None:
            row = self.state.action(action_id) if self.states() else None
            return row if row is not None and row.action_status.ended else None

        return await self.until(found, f"action {action_id} FINISHED or FAILED", within_ms)

    async def settled(self) -> State:
        """The state after all that was sent before has been taken in."""
        await self.ended(await self.act("stateRequest"))
        return self.state

    def order(
        self,
        numbers: Sequence[int],
        *,
        base: int = 99,
        order_id: str | None = None,
        update: int = 0,
        first: int = 0,
        actions: dict[int, tuple[Action, ...]] | None = None,
    ) -> Order:
        """An order along nodes of the line; the first ``base`` of them are released.

        The first node has a deviation that takes in where the vehicle stands now.
        """
        yard = self.yard()
        nodes, edges = [], []
        for index, number in enumerate(numbers):
            name, place = yard.node(number)
            if index == 0 and first == 0:
                place = place.model_copy(update={"allowed_deviation_xy": yard.step_m / 2})
            nodes.append(
                Node(
                    node_id=name,
                    sequence_id=first + 2 * index,
                    released=index < base,
                    node_position=place,
                    actions=(actions or {}).get(number, ()),
                )
            )
        for index, (start, end) in enumerate(pairwise(nodes)):
            edges.append(
                Edge(
                    edge_id=f"{start.node_id}-{end.node_id}",
                    sequence_id=first + 2 * index + 1,
                    released=end.released,
                    start_node_id=start.node_id,
                    end_node_id=end.node_id,
                    actions=(),
                )
            )
        return Order(
            **self._header(),
            order_id=order_id or self.name("order"),
            order_update_id=update,
            nodes=tuple(nodes),
            edges=tuple(edges),
        )

    # --- the yard ---------------------------------------------------------------------------------

    def position(self) -> AgvPosition:
        """Where the vehicle says it is.

        Raises:
            NotApplicable: it does not say, so that no order can be made for it.
        """
        place = self.state.agv_position
        if place is None or not place.position_initialized:
            raise NotApplicable("the vehicle does not say where it is (agvPosition)")
        return place

    def yard(self) -> Yard:
        """The line of nodes ahead of where the vehicle stood when this was first asked."""
        if self._yard is None:
            here = self.position()
            self._yard = Yard(here.x, here.y, here.theta, here.map_id, self.step_m)
        return self._yard

    def way(self, length: int) -> list[int]:
        """Numbers of the next ``length`` nodes from where the vehicle is, staying on the line.

        It goes out while there is room, else back.
        """
        at = self.at()
        step = 1 if at + length - 1 <= LINE_LAST else -1
        return [at + step * index for index in range(length)]

    def at(self) -> int:
        """The node of the line that the vehicle is nearest to."""
        yard, here = self.yard(), self.position()
        along = (here.x - yard.x_m) * cos(yard.theta_rad) + (here.y - yard.y_m) * sin(
            yard.theta_rad
        )
        return max(0, min(LINE_LAST, round(along / yard.step_m)))

    async def idle(self) -> State:
        """Bring the vehicle to a stand without an order, as each check wants to find it."""
        state = await self.settled()
        if state.paused:
            await self.ended(await self.act("stopPause"))
        if busy(self.state):
            await self.ended(await self.act("cancelOrder"), DRIVE_MS)

        def stands() -> State | None:
            return self.state if not busy(self.state) and not self.state.driving else None

        return await self.until(stands, "a vehicle without an order that stands", DRIVE_MS)

    async def fresh(self, length: int, *, base: int = 99) -> Order:
        """An order of the next ``length`` nodes for the vehicle, which stands without one."""
        await self.idle()
        return self.order(self.way(length), base=base)

    async def start(self, order: Order) -> State:
        """Send an order to an idle vehicle and wait until it is taken."""
        await self.send(order)
        return await self.until(lambda: taken(self.state, order), f"order {order.order_id} taken")

    async def under_way(self, order: Order) -> State:
        """The same, and wait until the vehicle drives."""
        await self.start(order)
        return await self.until(
            lambda: self.state if self.state.driving else None, "driving true", DRIVE_MS
        )

    async def arrived(self, order: Order) -> State:
        """Wait until nothing is left of an order's base."""
        last = max(row.sequence_id for row in order.nodes if row.released)

        def there() -> State | None:
            state = self.state
            done = state.order_id == order.order_id and state.last_node_sequence_id >= last
            return state if done and not state.driving else None

        return await self.until(there, f"node with sequenceId {last} reached, standing", DRIVE_MS)

    async def refuses(self, order: Order | bytes, *kinds: str) -> VehicleError:
        """Send what must be refused with one of these errors; the order must stay as it was."""
        before, since = self.state, self.mark
        payload = order if isinstance(order, bytes) else encode_vda(order)
        await self.say(VdaKind.ORDER, payload)

        def said() -> VehicleError | None:
            for state in self.states(since):
                for row in state.errors:
                    if row.error_type in kinds and row not in before.errors:
                        return row
            return None

        error = await self.until(said, f"an error {' or '.join(kinds)}")
        after = await self.settled()
        if (after.order_id, after.order_update_id) != (before.order_id, before.order_update_id):
            raise Unmet(
                f"order {before.order_id or '-'}/{before.order_update_id} kept", self.short()
            )
        return error


LINE_LAST: Final = 6  # with ways of up to four nodes there is always room out or back


def busy(state: State) -> bool:
    """Whether the vehicle has an order, as 6.6.2 defines it."""
    instant = state.instant_action_ids or ()
    waits = any(
        not row.action_status.ended for row in state.action_states if row.action_id not in instant
    )
    return bool(state.node_states or state.edge_states) or waits


def taken(state: State, order: Order) -> State | None:
    """The state, once it says that this order (and update) is on the vehicle."""
    same = (state.order_id, state.order_update_id) == (order.order_id, order.order_update_id)
    return state if same else None


def _harmless(row: AgvAction) -> bool:
    wants = [param for param in row.action_parameters or () if not param.is_optional]
    return not wants and row.action_type in ("stopCharging", "finePositioning", "detectObject")
