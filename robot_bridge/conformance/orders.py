"""Checks how orders and updates are taken, driven and refused (6.6), by driving some metres."""

from collections.abc import Sequence
from typing import Final

from contracts.vda5050.base import ControlPoint, Trajectory
from contracts.vda5050.codec import encode_vda
from contracts.vda5050.order import Action, BlockingType, Order
from contracts.vda5050.state import ErrorLevel
from robot_bridge.conformance.probe import DRIVE_MS, Probe, busy, taken
from robot_bridge.conformance.rules import rule
from robot_bridge.conformance.words import Group, NotApplicable, Unmet, demand

FAR_M: Final = 500.0
ONE_NODE: Final = 2  # sequence ids of nodes are even
UNKNOWN: Final = "conformanceNoSuchAction"


@rule("6.6.1", "an order of one node where the vehicle stands is taken", Group.ORDERS)
async def one_node(probe: Probe) -> None:
    """The first node is trivially reachable; it is passed at once."""
    await probe.idle()
    order = probe.order([probe.at()])
    await probe.start(order)
    state = await probe.until(
        lambda: probe.state if not probe.state.node_states else None, "the only node passed"
    )
    demand(state.last_node_id == order.nodes[0].node_id, order.nodes[0].node_id, probe.short())


@rule(
    "6.6.2",
    "a new order is in the state: ids, nodes and edges that are left",
    Group.ORDERS,
    drives=True,
)
async def accepted(probe: Probe) -> None:
    """NodeStates and edgeStates are the order without what was passed."""
    order = await probe.fresh(3, base=2)
    state = await probe.start(order)
    want = [(n.node_id, n.sequence_id, n.released) for n in order.nodes if n.sequence_id]
    said = [(n.node_id, n.sequence_id, n.released) for n in state.node_states]
    demand(said == want[-len(said) :] and said, f"nodeStates {want} or an end of it", said)
    edges = [(e.edge_id, e.sequence_id, e.released) for e in order.edges]
    told = [(e.edge_id, e.sequence_id, e.released) for e in state.edge_states]
    demand(told == edges[-len(told) :] and told, f"edgeStates {edges} or an end of it", told)


@rule(
    "6.6.1",
    "the vehicle stops at the end of the base and keeps the horizon",
    Group.ORDERS,
    drives=True,
)
async def base_end(probe: Probe) -> None:
    """Nothing that is not released is driven."""
    order = await probe.fresh(3, base=2)
    await probe.start(order)
    await probe.arrived(order)
    await probe.settled()
    await probe.clock.sleep_ms(500)
    state = await probe.settled()
    left = [(row.node_id, row.released) for row in state.node_states]
    demand(left == [(order.nodes[2].node_id, False)], "the horizon's node, not released", left)
    goal, here = order.nodes[1].node_position, probe.position()
    if goal is not None:
        away = ((goal.x - here.x) ** 2 + (goal.y - here.y) ** 2) ** 0.5
        demand(away < probe.step_m / 2, "standing at the last released node", f"{away:.2f} m off")


@rule(
    "6.10.2",
    "a node that is passed leaves nodeStates and becomes lastNodeId",
    Group.ORDERS,
    drives=True,
)
async def traversal(probe: Probe) -> None:
    """Node by node, in order, none left out."""
    await probe.idle()
    since = probe.mark
    order = probe.order(probe.way(4))
    await probe.start(order)
    await probe.arrived(order)
    names = {row.sequence_id: row.node_id for row in order.nodes}
    seen: list[int] = []
    for state in probe.states(since):
        if state.order_id != order.order_id:
            continue
        at = state.last_node_sequence_id
        demand(
            names.get(at) == state.last_node_id,
            f"lastNodeId {names.get(at)} at {at}",
            state.last_node_id,
        )
        left = [row.sequence_id for row in state.node_states]
        demand(left == [row for row in names if row > at], f"nodeStates behind {at}", left)
        edges = [row.sequence_id for row in state.edge_states]
        demand(edges == [row - 1 for row in left], "the edges to the nodes that are left", edges)
        if not seen or seen[-1] != at:
            seen.append(at)
    demand(seen == sorted(seen), "sequence ids that rise", seen)


async def _joined(probe: Probe, order: Order, numbers: Sequence[int], *, base: int = 99) -> Order:
    """Update 1 of an order, from its second node on, once it is on the vehicle."""
    update = probe.order(numbers, order_id=order.order_id, update=1, first=2, base=base)
    await probe.send(update)
    await probe.until(lambda: taken(probe.state, update), "orderUpdateId 1")
    return update


@rule(
    "6.6.2",
    "an update that joins at the end of the base is taken and driven",
    Group.ORDERS,
    drives=True,
)
async def stitching(probe: Probe) -> None:
    """The horizon is replaced by what the update says."""
    await probe.idle()
    way = probe.way(3)
    order = probe.order(way, base=2)
    await probe.under_way(order)
    update = await _joined(probe, order, way[1:])
    state = await probe.arrived(update)
    demand(not state.node_states, "nothing left", probe.short())


@rule(
    "6.6.2", "a finished order goes on by an update from its last node", Group.ORDERS, drives=True
)
async def continued(probe: Probe) -> None:
    """Point 8 of figure 8: lastNodeId and lastNodeSequenceId are where it joins."""
    await probe.idle()
    way = probe.way(3)
    order = probe.order(way[:2])
    await probe.start(order)
    await probe.arrived(order)
    update = await _joined(probe, order, way[1:])
    await probe.arrived(update)


@rule("6.6.4.3", "the same order again is ignored: no error, no change", Group.ORDERS, drives=True)
async def repeated(probe: Probe) -> None:
    """The master's retry on QoS 0."""
    order = await probe.fresh(2)
    await probe.start(order)
    state = await probe.arrived(order)
    await probe.send(order)
    after = await probe.settled()
    demand(after.errors == state.errors, "no new error", probe.short())
    demand(not after.node_states and not after.driving, "nothing driven twice", probe.short())


# --- refusals -------------------------------------------------------------------------------------


async def _driven(probe: Probe) -> Order:
    """An order that is under way with a horizon, so that it stays on the vehicle."""
    order = await probe.fresh(3, base=2)
    await probe.start(order)
    return order


@rule(
    "6.6.4.3",
    "an older orderUpdateId is an orderUpdateError, the order is kept",
    Group.REFUSALS,
    drives=True,
)
async def older(probe: Probe) -> None:
    """The vehicle goes on with what it has."""
    await probe.idle()
    way = probe.way(3)
    order = probe.order(way, base=2)
    await probe.start(order)
    await _joined(probe, order, way[1:], base=1)
    await probe.refuses(probe.order(way[1:], order_id=order.order_id, first=2), "orderUpdateError")


@rule("6.6.2", "an update that does not join is an orderUpdateError", Group.REFUSALS, drives=True)
async def unjoined(probe: Probe) -> None:
    """It begins two nodes behind the end of the base."""
    order = await _driven(probe)
    update = probe.order([0, 1], order_id=order.order_id, update=1, first=40)
    await probe.refuses(update, "orderUpdateError")


@rule("6.6.2", "a new order while one is under way is refused", Group.REFUSALS, drives=True)
async def while_busy(probe: Probe) -> None:
    """A horizon alone keeps a vehicle busy."""
    await _driven(probe)
    await probe.refuses(probe.order([probe.at()]), "orderUpdateError", "orderError")


@rule("6.6.2", "an order that begins far away is a noRouteError", Group.REFUSALS)
async def far_away(probe: Probe) -> None:
    """Half a kilometre off, with no deviation allowed."""
    await probe.idle()
    order = probe.order([0])
    place = order.nodes[0].node_position
    if place is None:
        raise NotApplicable("no position")
    there = place.model_copy(update={"x": place.x + FAR_M, "allowed_deviation_xy": 0.0})
    node = order.nodes[0].model_copy(update={"node_position": there})
    await probe.refuses(order.model_copy(update={"nodes": (node,)}), "noRouteError")


@rule("6.6.4.1", "a payload that is no JSON is a validationError", Group.REFUSALS)
async def no_json(probe: Probe) -> None:
    """It is not taken over, and nothing moves."""
    await probe.idle()
    error = await probe.refuses(b'{"headerId": 1, "orderId": ', "validationError")
    demand(error.error_level is ErrorLevel.WARNING, "errorLevel WARNING", error.error_level)


@rule("6.6.4.1", "an order without nodes is a validationError", Group.REFUSALS)
async def no_nodes(probe: Probe) -> None:
    """A field that the schema requires is missing."""
    await probe.idle()
    order = encode_vda(probe.order([probe.at()]))
    await probe.refuses(order.replace(b'"nodes"', b'"knots"'), "validationError")


@rule("6.6.1", "a base behind a horizon is refused", Group.REFUSALS)
async def base_behind_horizon(probe: Probe) -> None:
    """After an edge that is not released nothing may be."""
    order = encode_vda(await probe.fresh(3))
    payload = order.replace(b'"released":true', b'"released":false', 2)
    await probe.refuses(payload, "validationError", "orderError")
    demand(not probe.state.driving, "no movement", probe.short())


@rule("6.6.4.2", "an order with an unknown action is an orderError", Group.REFUSALS)
async def unknown_action(probe: Probe) -> None:
    """The action is referred to, and nothing of the order is done."""
    await probe.idle()
    action = probe.action(UNKNOWN, BlockingType.HARD)
    at = probe.at()
    error = await probe.refuses(probe.order([at], actions={at: (action,)}), "orderError")
    demand(error.error_references, "errorReferences", error)


@rule("6.6.4.2", "a field that the vehicle cannot use is an orderError", Group.REFUSALS)
async def unusable_field(probe: Probe) -> None:
    """A trajectory, where the factsheet does not declare that it is supported."""
    factsheet = probe.factsheet()
    if factsheet is None:
        raise NotApplicable("no factsheet: what it can use is not known")
    declared = [row.parameter for row in factsheet.protocol_features.optional_parameters]
    if any("trajectory" in row for row in declared):
        raise NotApplicable("the vehicle declares that it drives trajectories")
    order = await probe.fresh(2)
    ends = [row.node_position for row in order.nodes if row.node_position is not None]
    curve = Trajectory(
        degree=1,
        knot_vector=(0.0, 0.0, 1.0, 1.0),
        control_points=tuple(ControlPoint(x=row.x, y=row.y) for row in ends),
    )
    edge = order.edges[0].model_copy(update={"trajectory": curve})
    await probe.refuses(order.model_copy(update={"edges": (edge,)}), "orderError")


@rule("6.6.4.1", "the error of a refusal stays until an order is taken, then goes", Group.REFUSALS)
async def until_accepted(probe: Probe) -> None:
    """Checked with a payload that is no JSON."""
    await probe.idle()
    error = await probe.refuses(b"[", "validationError")
    again = await probe.settled()
    demand(error in again.errors, "the error still in the state", probe.short())
    order = probe.order([probe.at()])
    await probe.start(order)
    state = await probe.settled()
    demand(error not in state.errors, "no old error after an order was taken", probe.short())


# --- cancellation ---------------------------------------------------------------------------------


@rule(
    "6.6.3",
    "cancelOrder ends FINISHED, and only once the vehicle stands",
    Group.CANCEL,
    drives=True,
)
async def cancelled(probe: Probe) -> None:
    """Looked at in every state since: FINISHED with driving true breaks the rule."""
    order = await probe.fresh(4)
    await probe.under_way(order)
    before, since = probe.state, probe.mark
    action_id = await probe.act("cancelOrder")
    row = await probe.ended(action_id, DRIVE_MS)
    demand(row.action_status == "FINISHED", "cancelOrder FINISHED", row.action_status)
    further = probe.state.last_node_sequence_id - before.last_node_sequence_id
    demand(further <= ONE_NODE, "stopped where it was or at the next node", probe.short())
    for state in probe.states(since):
        found = state.action(action_id)
        if found is not None and found.action_status == "FINISHED":
            demand(not state.driving, "driving false when cancelOrder is FINISHED", probe.short())
            demand(not busy(state), "no nodes, edges or actions left", probe.short())
            demand(state.order_id == order.order_id, "orderId kept", probe.short())


@rule("6.6.3", "actions that wait are FAILED by cancelOrder", Group.CANCEL, drives=True)
async def cancelled_actions(probe: Probe) -> None:
    """An action at the last node, which is never reached."""
    action = await _harmless_at_end(probe)
    action_id = await probe.act("cancelOrder")
    await probe.ended(action_id, DRIVE_MS)
    row = probe.state.action(action.action_id)
    demand(row is not None and row.action_status == "FAILED", "FAILED", row)


async def _harmless_at_end(probe: Probe) -> Action:
    found = probe.harmless()
    await probe.idle()
    way = probe.way(4)
    action = probe.action(found.action_type, BlockingType.HARD)
    order = probe.order(way, actions={way[-1]: (action,)})
    state = await probe.under_way(order)
    row = state.action(action.action_id)
    demand(row is not None and row.action_status == "WAITING", "the action WAITING", row)
    return action


@rule(
    "6.6.3.1",
    "after a cancel an order from where the vehicle stands is taken",
    Group.CANCEL,
    drives=True,
)
async def after_cancel(probe: Probe) -> None:
    """Its first node is a temporary one at the vehicle's own position."""
    order = await probe.fresh(4)
    await probe.under_way(order)
    await probe.ended(await probe.act("cancelOrder"), DRIVE_MS)
    here = probe.position()
    fresh = probe.order([probe.at()])
    place = fresh.nodes[0].node_position
    if place is None:
        raise Unmet("a position", "none")
    there = place.model_copy(update={"x": here.x, "y": here.y})
    node = fresh.nodes[0].model_copy(update={"node_position": there, "node_id": "conformance-tmp"})
    await probe.start(fresh.model_copy(update={"nodes": (node,)}))


@rule("6.6.3.1", "an update of a cancelled order is refused", Group.CANCEL, drives=True)
async def update_after_cancel(probe: Probe) -> None:
    """A late message must not bring the vehicle to life again."""
    await probe.idle()
    way = probe.way(4)
    order = probe.order(way, base=2)
    await probe.start(order)
    await probe.ended(await probe.act("cancelOrder"), DRIVE_MS)
    update = probe.order(way[1:], order_id=order.order_id, update=1, first=2)
    await probe.refuses(update, "orderUpdateError")
    demand(not probe.state.node_states, "nothing to drive", probe.short())


@rule("6.6.3.2", "cancelOrder without an order is FAILED with noOrderToCancel", Group.CANCEL)
async def nothing_to_cancel(probe: Probe) -> None:
    """The warning refers to the actionId."""
    await probe.idle()
    action_id = await probe.act("cancelOrder")
    row = await probe.ended(action_id)
    demand(row.action_status == "FAILED", "cancelOrder FAILED", row.action_status)
    errors = [row for row in probe.state.errors if row.error_type == "noOrderToCancel"]
    demand(errors, "error noOrderToCancel", probe.short())
    said = [row.reference("actionId") for row in errors]
    demand(action_id in said, f"a reference to actionId {action_id}", said)
