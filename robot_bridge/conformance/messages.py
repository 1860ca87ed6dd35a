"""Checks connection, headers, schemas, state and factsheet: what a vehicle says by itself."""

import re
from itertools import pairwise
from typing import Final

from contracts.envelope import Rejected
from contracts.vda5050.codec import VdaBody
from contracts.vda5050.factsheet import ActionScope
from contracts.vda5050.state import Connection, ConnectionState
from contracts.vda5050.timestamps import utc_ms_of
from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion
from robot_bridge.conformance.probe import DRIVE_MS, STATE_MS, Probe
from robot_bridge.conformance.rules import rule
from robot_bridge.conformance.schemas import problem
from robot_bridge.conformance.words import Group, NotApplicable, Unmet, demand

_UTC: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
WILL_MS: Final = 90_000  # one and a half times a keep-alive of up to a minute
CLOCKS_DIFFER_MS: Final = 60_000  # a minute: more makes every window of a delivery wrong


@rule("6.14", "connection is ONLINE, and retained", Group.CONNECTION)
async def online(probe: Probe) -> None:
    """The last word on the connection topic came from the broker's memory or since we listen."""
    rows = await probe.until(lambda: probe.of(VdaKind.CONNECTION), "a message on `connection`")
    body = rows[-1].body
    demand(isinstance(body, Connection), "a connection message", body)
    demand(
        isinstance(body, Connection) and body.connection_state is ConnectionState.ONLINE,
        "connectionState ONLINE",
        body,
    )
    demand(rows[0].inbound.retain, "retained: a master that starts later must have it", "not")


@rule("6.14", "connection is sent with QoS 1", Group.CONNECTION)
async def connection_qos(probe: Probe) -> None:
    """We subscribe with QoS 1, so the broker gives it on as it was published."""
    rows = await probe.until(lambda: probe.of(VdaKind.CONNECTION), "a message on `connection`")
    demand(rows[-1].inbound.qos == 1, "QoS 1", f"QoS {rows[-1].inbound.qos}")


@rule("6.8.1", "stateRequest is answered by a state", Group.STATE)
async def state_request(probe: Probe) -> None:
    """A new state comes at once, and the action is FINISHED in it."""
    since = probe.mark
    action_id = await probe.act("stateRequest")
    row = await probe.ended(action_id)
    demand(row.action_status == "FINISHED", "stateRequest FINISHED", row.action_status)
    demand(probe.states(since), "a new state", "none")


@rule("6.10", "a state comes at least every 30 s", Group.STATE)
async def state_interval(probe: Probe) -> None:
    """Two states without being asked, no more than 30 s apart."""
    await probe.idle()
    since = probe.mark
    await probe.until(lambda: probe.states(since), "a state by itself", STATE_MS)
    again = probe.mark
    await probe.until(lambda: probe.states(again), "the next state by itself", STATE_MS)


@rule("6.10.6", "an idle vehicle reports no nodes, no edges, no driving", Group.STATE)
async def idle_state(probe: Probe) -> None:
    """What idle means in the state."""
    state = await probe.idle()
    demand(not state.node_states, "nodeStates empty", state.node_states)
    demand(not state.edge_states, "edgeStates empty", state.edge_states)
    demand(not state.driving, "driving false", state.driving)


@rule("6.8.1", "factsheetRequest is answered by the factsheet", Group.FACTSHEET)
async def factsheet_request(probe: Probe) -> None:
    """A factsheet comes after the request."""
    since = len(probe.of(VdaKind.FACTSHEET))
    await probe.act("factsheetRequest")
    rows = await probe.until(
        lambda: probe.of(VdaKind.FACTSHEET)[since:], "a message on `factsheet`"
    )
    demand(not isinstance(rows[-1].body, Rejected), "a factsheet that can be read", rows[-1].body)


@rule("6.15", "the factsheet is retained", Group.FACTSHEET)
async def factsheet_retained(probe: Probe) -> None:
    """Whoever subscribes later has it; we subscribed later than it was sent."""
    rows = probe.of(VdaKind.FACTSHEET)
    demand(rows and rows[0].inbound.retain, "retain flag on the factsheet", "not retained")


@rule("6.15", "the factsheet declares cancelOrder, startPause and stopPause", Group.FACTSHEET)
async def factsheet_actions(probe: Probe) -> None:
    """Without these no master can stop a vehicle."""
    if probe.factsheet() is None:
        raise Unmet("a factsheet", "none")
    for name in ("cancelOrder", "startPause", "stopPause"):
        found = probe.declared(ActionScope.INSTANT, name)
        demand(found is not None, f"{name} with scope INSTANT", "not declared")


@rule(
    "6.13",
    "visualization comes while driving, where an interval is declared",
    Group.STATE,
    drives=True,
)
async def visualization(probe: Probe) -> None:
    """Position at a higher rate."""
    factsheet = probe.factsheet()
    if factsheet is None or not factsheet.protocol_limits.timing.visualization_interval:
        raise NotApplicable("the factsheet declares no visualizationInterval")
    order = await probe.fresh(3)
    since = len(probe.of(VdaKind.VISUALIZATION))
    await probe.under_way(order)
    await probe.until(
        lambda: len(probe.of(VdaKind.VISUALIZATION)) - since >= 2,
        "visualization messages while driving",
        DRIVE_MS,
    )
    await probe.idle()


@rule("6.4", "headerId rises by 1 in each topic", Group.MESSAGES)
async def header_ids(probe: Probe) -> None:
    """Over all states and visualizations that were heard, none lost."""
    for kind in (VdaKind.STATE, VdaKind.VISUALIZATION):
        ids = [row.body.header_id for row in probe.of(kind) if not isinstance(row.body, Rejected)]
        for before, after in pairwise(ids):
            if before is not None and after is not None:
                demand(after == before + 1, f"{kind}: headerId {before + 1} after {before}", after)


@rule("6.4", "timestamp is ISO 8601 in UTC with Z, and of now", Group.MESSAGES)
async def timestamps(probe: Probe) -> None:
    """Of states: those of a retained message or a last will are old by their nature."""
    for row in probe.of(VdaKind.STATE):
        content = row.content()
        said = content.get("timestamp") if isinstance(content, dict) else None
        demand(isinstance(said, str) and _UTC.match(said), "YYYY-MM-DDTHH:mm:ss.fffZ", said)
        if not row.inbound.retain:
            ago = abs(utc_ms_of(str(said)) - probe.clock.utc_ms())
            heard_ago = probe.clock.mono_ms() - row.at
            demand(
                ago - heard_ago < CLOCKS_DIFFER_MS, "a clock within a minute of ours", f"{ago} ms"
            )


@rule("6.4", "manufacturer, serialNumber and version are the topic's", Group.MESSAGES)
async def names(probe: Probe) -> None:
    """A body that names another vehicle or another major version is refused by our codec."""
    for row in probe.heard:
        body: VdaBody | Rejected = row.body
        wrong = isinstance(body, Rejected) and body.reason in ("wrong_topic", "unknown_version")
        demand(not wrong, "the names of the topic in the body", body)
        if not isinstance(body, Rejected) and body.version is not None:
            demand(
                VdaVersion.of(body.version) is probe.version,
                f"version {probe.version}",
                body.version,
            )


@rule("6.10.6", "every message fits the schema", Group.MESSAGES)
async def schemas(probe: Probe) -> None:
    """Against our types, and against the official schema where vda5050-sdk is installed."""
    for row in probe.heard:
        body = row.body
        demand(not isinstance(body, Rejected), f"a {row.kind} that can be read", body)
        found = problem(row.kind, row.content(), probe.version)
        demand(found is None, f"a {row.kind} that fits the official schema", found)


@rule("6.14", "a vehicle that is cut off is called CONNECTIONBROKEN by its last will", Group.LOSS)
async def last_will(probe: Probe) -> None:
    """By a command that the person who checks gives: only they can pull this vehicle's plug."""
    if probe.cut is None:
        raise NotApplicable("no --cut COMMAND was given that cuts the vehicle off")
    since = len(probe.of(VdaKind.CONNECTION))
    probe.gone = True
    await probe.cut()
    rows = await probe.until(
        lambda: probe.of(VdaKind.CONNECTION)[since:], "a message on `connection`", WILL_MS
    )
    body = rows[-1].body
    demand(
        isinstance(body, Connection) and body.connection_state is ConnectionState.CONNECTION_BROKEN,
        "connectionState CONNECTIONBROKEN",
        body,
    )
    demand(rows[-1].inbound.qos == 1, "QoS 1", f"QoS {rows[-1].inbound.qos}")
