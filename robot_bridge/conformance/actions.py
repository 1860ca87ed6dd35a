"""Checks instant actions, their states and blocking types (6.8 to 6.12)."""

from contracts.vda5050.factsheet import ActionScope
from contracts.vda5050.order import BlockingType
from robot_bridge.conformance.probe import DRIVE_MS, Probe
from robot_bridge.conformance.rules import rule
from robot_bridge.conformance.words import Group, NotApplicable, demand


@rule("6.8.1", "startPause stops the vehicle; the order is kept", Group.ACTIONS, drives=True)
async def paused(probe: Probe) -> None:
    """FINISHED, paused true, driving false, nodes still there."""
    order = await probe.fresh(4)
    await probe.under_way(order)
    row = await probe.ended(await probe.act("startPause"), DRIVE_MS)
    demand(row.action_status == "FINISHED", "startPause FINISHED", row.action_status)
    state = await probe.settled()
    demand(state.paused, "paused true", probe.short())
    demand(not state.driving, "driving false", probe.short())
    demand(state.order_id == order.order_id and state.node_states, "the order kept", probe.short())


@rule("6.8.1", "stopPause lets the vehicle go on to its goal", Group.ACTIONS, drives=True)
async def resumed(probe: Probe) -> None:
    """From a pause in mid-way."""
    order = await probe.fresh(4)
    await probe.under_way(order)
    await probe.ended(await probe.act("startPause"), DRIVE_MS)
    row = await probe.ended(await probe.act("stopPause"))
    demand(row.action_status == "FINISHED", "stopPause FINISHED", row.action_status)
    state = await probe.arrived(order)
    demand(not state.paused, "paused false", probe.short())


@rule("6.8.1", "while paused no new base is driven", Group.ACTIONS, drives=True)
async def paused_update(probe: Probe) -> None:
    """An update is taken, but the vehicle stays where it is."""
    await probe.idle()
    way = probe.way(3)
    order = probe.order(way, base=2)
    await probe.start(order)
    await probe.arrived(order)
    await probe.ended(await probe.act("startPause"), DRIVE_MS)
    since = probe.mark
    await probe.send(probe.order(way[1:], order_id=order.order_id, update=1, first=2))
    await probe.settled()
    await probe.clock.sleep_ms(500)
    await probe.settled()
    demand(not any(row.driving for row in probe.states(since)), "no movement", probe.short())
    await probe.ended(await probe.act("stopPause"))


@rule("6.9", "an unknown instant action is FAILED, and nothing else", Group.ACTIONS)
async def unknown(probe: Probe) -> None:
    """It stands in actionStates with its id."""
    await probe.idle()
    row = await probe.ended(await probe.act("conformanceNoSuchAction"))
    demand(row.action_status == "FAILED", "FAILED", row.action_status)


@rule("6.11", "actionStates of an order are kept until the next order", Group.ACTIONS, drives=True)
async def kept(probe: Probe) -> None:
    """And are FINISHED or FAILED after it; the action is done at its node, not before."""
    found = probe.harmless()
    await probe.idle()
    way = probe.way(2)
    action = probe.action(found.action_type, BlockingType.HARD)
    order = probe.order(way, actions={way[-1]: (action,)})
    since = probe.mark
    await probe.start(order)
    await probe.arrived(order)
    await probe.ended(action.action_id, DRIVE_MS)
    for state in probe.states(since):
        row = state.action(action.action_id)
        if state.order_id == order.order_id and state.last_node_sequence_id == 0:
            demand(
                row is not None and row.action_status == "WAITING", "WAITING until its node", row
            )
    await probe.settled()
    row = probe.state.action(action.action_id)
    demand(row is not None and row.action_status.ended, "the state of the action kept", row)
    await probe.start(probe.order([probe.at()]))
    state = await probe.settled()
    demand(state.action(action.action_id) is None, "gone with the next order", probe.short())


@rule("6.12", "the vehicle does not drive while a HARD action runs", Group.ACTIONS, drives=True)
async def hard(probe: Probe) -> None:
    """At a node in mid-way: driving is false in every state that shows it RUNNING."""
    found = probe.harmless()
    await probe.idle()
    way = probe.way(3)
    action = probe.action(found.action_type, BlockingType.HARD)
    order = probe.order(way, actions={way[1]: (action,)})
    since = probe.mark
    await probe.start(order)
    await probe.arrived(order)
    for state in probe.states(since):
        row = state.action(action.action_id)
        if row is not None and row.action_status == "RUNNING":
            demand(not state.driving, "driving false while it is RUNNING", probe.short())
        past = state.last_node_sequence_id > 2 and state.order_id == order.order_id
        if past and row is not None:
            demand(row.action_status.ended, "ended before the next node", row.action_status)


@rule("6.8.1", "initPosition sets the position", Group.ACTIONS)
async def init_position(probe: Probe) -> None:
    """To where the vehicle says it is, so nothing changes."""
    if probe.declared(ActionScope.INSTANT, "initPosition") is None:
        raise NotApplicable("initPosition is not declared")
    state = await probe.idle()
    here = probe.position()
    action_id = await probe.act(
        "initPosition",
        x=here.x,
        y=here.y,
        theta=here.theta,
        mapId=here.map_id,
        lastNodeId=state.last_node_id or "conformance-0",
    )
    row = await probe.ended(action_id, DRIVE_MS)
    demand(row.action_status == "FINISHED", "initPosition FINISHED", row.action_status)
    probe.position()


@rule("6.8.1", "logReport ends, and says where the log is", Group.ACTIONS)
async def log_report(probe: Probe) -> None:
    """FINISHED with a resultDescription."""
    if probe.declared(ActionScope.INSTANT, "logReport") is None:
        raise NotApplicable("logReport is not declared")
    row = await probe.ended(await probe.act("logReport", reason="conformance"), DRIVE_MS)
    demand(row.action_status == "FINISHED", "logReport FINISHED", row.action_status)
    demand(row.result_description, "a resultDescription", row)
