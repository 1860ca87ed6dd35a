"""Decides what orders robots drive: which way each takes up, and how much of it is released.

In this order: orders that are over are put away; robots that want to be elsewhere ask whether they
may take up a way there (``traffic.accepts``), and who may not but stands in the way of others
drives out to its refuge; doors and lifts are told what comes; then ``traffic.grants`` says how much
of its way each may have, and what is new is released. A lock, a lid and a door stand at the end of
a base: nothing is released beyond before the robot, or the door, has said that it is done.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from contracts.units import MonoMs, RobotId, ZoneId
from contracts.vda5050.profile import LidState, LockCompartment
from controller.core import (
    alerts,
    charging,
    facilities,
    facility_steps,
    fleet,
    interlock,
    routing,
    traffic,
)
from controller.core.claims import claim_of, claims, dead_nodes, facility_claims, is_stuck
from controller.core.dispatch_live import Edges
from controller.core.fleet import ActionDuty, Duty, GoalKind, HoldVerb, Mission, RobotLive
from controller.core.handover import new_id
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, Output
from controller.core.own_alerts import anywhere, warn
from controller.core.plan import AT_NODE_M
from controller.core.standing import beside, here, off_m, placed
from controller.core.state import Now, SiteState, changed, copied
from controller.core.tours import with_duty
from controller.core.traffic import Claim

RETRY_REFUSED_MS: Final = 15_000
# What made a robot refuse an order does not change by itself at once.
STUCK_MS: Final = 120_000  # a person before a robot goes on within this; then another try
GRANTS_EVERY_MS: Final = 1_000  # patience grows by the second; nothing else changes without news

Result = tuple[SiteState, tuple[Output, ...]]


def settle(site: SiteState, states: Mapping[ZoneId, Clearance], now: Now) -> Result:
    """Bring every robot's order to where its goal says it should be."""
    for robot_id in site.duties:
        site = _put_away(site, robot_id, now)
        # Where it stands between two nodes both stay taken, before anybody is given anything.
        site = with_duty(site, placed(site, site.duties[robot_id]))
    for robot_id in site.duties:
        site = with_duty(site, _with_refuge(site, site.duties[robot_id]))
    site = _wishes(site, now)
    site, shut, commands = facility_steps.settle(site, facility_claims(site), now)
    return _released(site, shut, states, now), commands


# --- orders that are over ----------------------------------------------------------------------


def _put_away(site: SiteState, robot_id: RobotId, now: Now) -> SiteState:
    duty = site.duties[robot_id]
    live = site.robots.get(robot_id, RobotLive())
    report, mission = live.report, duty.mission
    if mission is not None and mission.waiting and _gives_way(site, duty, mission, now):
        return with_duty(site, replace(duty, mission=None, out=()))
    if report is None or mission is None or duty.doubted is not None:
        # On the word of a robot in doubt no order ends, and no place becomes free.
        return _bolted_at_rest(site, duty, report, now)
    if mission.cancelling:
        return with_duty(site, _cancelling(duty, live, now))
    if fleet.refused(duty, report):
        return _refused(site, duty, now)
    # Moved before it was given anything, it stands elsewhere than its way begins.
    moved = mission.waiting and duty.at_node not in (None, *mission.route[:2])
    if moved or fleet.arrived(duty, report):
        return with_duty(site, fleet.dropped(duty))
    if fleet.aborted(duty, report):
        # It gave up on its own: another order from where it stands, and people are told in time.
        return _tried_again(site, fleet.dropped(duty), now)
    if _stands_still(duty, live, now) and live.online(now.mono_ms):
        return with_duty(site, fleet.called_back(duty))
    # An unlock that was on its way when the delivery was called off opened after the order.
    return site if report.driving else with_duty(site, shutting(duty, report, now))


def _gives_way(site: SiteState, duty: Duty, mission: Mission, now: Now) -> bool:
    """Whether a robot that was given nothing of its way yet asks for it anew when it is well.

    Nobody counts on the way of one that is stuck: another may take up one to the same door, and
    two that end there keep each other from it for ever.
    """
    asks = duty.refusals < fleet.REFUSALS_MAX  # who is asked all the same keeps what it has
    return asks and duty.at_node == mission.route[0] and is_stuck(site, duty, now)


def _bolted_at_rest(
    site: SiteState, duty: Duty, report: fleet.RobotReport | None, now: Now
) -> SiteState:
    """Bolt what is shut of a robot that has nothing to do: carried there, it may not be bolted."""
    goal, idle = duty.goal, duty.mission is None and duty.tour is None and duty.doubted is None
    if goal is None or goal.kind is not GoalKind.HOME or goal.node != duty.at_node or not idle:
        return site
    if report is None or not report.standing:
        return site
    return with_duty(site, shutting(duty, report, now))


def _stands_still(duty: Duty, live: RobotLive, now: Now) -> bool:
    mission = duty.mission
    if mission is None or not mission.settled or duty.pause_wanted is not None:
        return False
    ahead = mission.released - 1 > mission.passed
    return ahead and duty.hold is None and now.mono_ms - live.moved_mono_ms > STUCK_MS


def _refused(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """The robot cannot take its order: another try from where it stands; then tell people."""
    mission = duty.mission
    # A robot that refuses an update still has the order as it was, and takes no other meanwhile.
    taken = mission is not None and mission.taken
    left = fleet.called_back(duty) if taken else fleet.dropped(duty)
    return _tried_again(site, left, now)


def _tried_again(site: SiteState, duty: Duty, now: Now) -> SiteState:
    again = replace(duty, refusals=duty.refusals + 1)
    site = with_duty(site, again)
    later = MonoMs(now.mono_ms + RETRY_REFUSED_MS)
    site = copied(site, sent=changed(site.sent, retry_key(duty.robot_id), later))
    if again.refusals < fleet.REFUSALS_MAX:
        return site
    delivery = site.deliveries.get(duty.delivery_id or "")
    room_id = delivery.room_id if delivery is not None else anywhere(site)
    return warn(site, alerts.ROBOT_ERROR, duty.robot_id, room_id, now)


def retry_key(robot_id: RobotId) -> str:
    """Where the state keeps when a robot that refused its order is tried again."""
    return f"{robot_id}|retry"


def _cancelling(duty: Duty, live: RobotLive, now: Now) -> Duty:
    """A cancelOrder is done when the robot says FINISHED (or FAILED: it had none), not before."""
    mission, report = duty.mission, live.report
    if mission is None or report is None:
        return duty
    if mission.waiting:
        return fleet.dropped(duty)
    ended = next(
        (row for row in reversed(duty.actions) if row.action is ActionKind.CANCEL and row.ended),
        None,
    )
    if ended is not None and ended.action_id.startswith(f"{mission.order_id}-x"):
        return fleet.dropped(duty) if not report.driving else duty
    # Sent even if the robot never showed the order: it may still be on its way.
    if fleet.pending(duty, ActionKind.CANCEL) is not None:
        return duty
    del now
    return fleet.with_action(duty, ActionDuty(f"{mission.order_id}-x", ActionKind.CANCEL))


# --- ways --------------------------------------------------------------------------------------


def _with_refuge(site: SiteState, duty: Duty) -> Duty:
    """A robot that was never seen before gets a refuge, and a way out to it."""
    if duty.at_node is None or duty.mission is not None:
        return duty
    if duty.refuge == duty.at_node:
        return duty if not duty.out else replace(duty, out=())
    if duty.refuge is not None and duty.out[:1] == (duty.at_node,):
        return duty
    if duty.refuge is not None and _door_on_a_spur(site, duty.at_node):
        return duty
    out = way_out(site, duty, duty.at_node, frozenset())
    if out is None:
        return duty
    return replace(duty, refuge=out[-1], out=out if len(out) > 1 else ())


def _door_on_a_spur(site: SiteState, node: str) -> bool:
    """A room's door at the end of a spur: nobody need be able to pass who stands there.

    The kitchen may lie so as well, but all robots want to go there.
    """
    return node in site.plan.lanes.dead_ends and node != site.plan.kitchen_node


def _others(site: SiteState, duty: Duty) -> frozenset[str]:
    return frozenset(
        row.refuge
        for row in site.duties.values()
        if row.robot_id != duty.robot_id and row.refuge is not None
    )


def way_out(
    site: SiteState, duty: Duty, start: str, avoid: frozenset[str], shut: Edges = frozenset()
) -> tuple[str, ...] | None:
    """The way to its own refuge, else to its home, else to the nearest that is nobody's.

    While robots wait for a charger, one that does not need it now is to come to rest elsewhere.
    """
    taken = _others(site, duty)
    queue = site.dispatch.queue
    if queue and duty.tour is not None and duty.robot_id not in queue:
        found = _out_past(site, duty, start, taken | site.plan.chargers, avoid, shut)
        if found is not None:
            return found
    return _out_past(site, duty, start, taken, avoid, shut)


def _out_past(  # a search has this many bounds
    site: SiteState,
    duty: Duty,
    start: str,
    taken: frozenset[str],
    avoid: frozenset[str],
    shut: Edges,
) -> tuple[str, ...] | None:
    home = site.plan.robots[duty.robot_id].home_node
    for node in (duty.refuge, home):
        if node is not None and node not in taken:
            found = routing.way(site.plan, start, node, avoid=avoid - {start}, shut=shut)
            if found is not None:
                return found
    return routing.way_out(site.plan, start, taken, avoid=avoid - {start}, shut=shut)


def _wishes(site: SiteState, now: Now) -> SiteState:
    """Let robots that want to be elsewhere take up ways, the longest waiting first."""
    dead = dead_nodes(site, now)
    wanting = [duty.robot_id for duty in site.duties.values() if _wants(site, duty, dead, now)]
    if not wanting:
        return site
    since = site.dispatch.since
    rows = claims(site, now)
    refused: list[RobotId] = []
    for robot_id in sorted(wanting, key=lambda name: (since.get(name, 0), name)):
        duty = site.duties[robot_id]
        site = _made_ready(site, duty, now)
        duty = site.duties[robot_id]
        wish = _wish(site, duty, dead, now)
        if wish is None:
            refused.append(robot_id)
            continue
        key = wish.way, wish.out, rows
        if site.dispatch.declined.get(robot_id) == key:
            refused.append(robot_id)
        elif traffic.accepts(site.plan, rows, wish, now.mono_ms):
            site = _taken_up(site, duty, wish, now)
            rows = claims(site, now)
        else:
            refused.append(robot_id)
            declined = changed(site.dispatch.declined, robot_id, key)
            site = copied(site, dispatch=replace(site.dispatch, declined=declined))
    if not refused:
        return site
    for robot_id in traffic.in_the_way(site.plan, rows):
        duty = site.duties[robot_id]
        if robot_id in refused and duty.mission is None and len(duty.out) > 1:
            claim = claim_of(site, duty, now)
            if claim is not None:
                site = _taken_up(site, duty, replace(claim, way=duty.out, out=()), now)
    return site


def _wants(site: SiteState, duty: Duty, dead: frozenset[str], now: Now) -> bool:
    """Whether a robot that can be told so should be on another way than it is."""
    live = site.robots.get(duty.robot_id, RobotLive())
    report, goal, mission = live.report, duty.goal, duty.mission
    if goal is None or report is None or duty.at_node is None or not live.online(now.mono_ms):
        return False
    if fleet.unfit(duty, report) is not None and duty.refusals < fleet.REFUSALS_MAX:
        return False
    if duty.hold is not None and duty.hold.verb is HoldVerb.HOLD:
        return False
    if mission is not None:
        if mission.cancelling or not (mission.settled or mission.waiting):
            return False
        off = mission.route[-1] != goal.node
        blocked = bool(dead) and not dead.isdisjoint(
            (*mission.route[mission.released :], *duty.out)
        )
        return off or blocked
    if not report.standing or not report.automatic:
        return False
    return duty.at_node != goal.node or off_m(site, duty.at_node, report) > AT_NODE_M


def _wish(site: SiteState, duty: Duty, dead: frozenset[str], now: Now) -> Claim | None:
    """The claim of a robot with the way that it wants; None: there is none now."""
    live = site.robots.get(duty.robot_id, RobotLive())
    report, goal, mission = live.report, duty.goal, duty.mission
    claim = claim_of(site, duty, now)
    if report is None or goal is None or claim is None:
        return None
    aside = ""
    if mission is not None and not mission.waiting:
        head = claim.way[: claim.has]
    else:
        start = _start(site, duty, report)
        if start is None or not may_leave(duty, report) or not _ready(site, duty, now):
            return None
        place, aside = _this_side(site, start, report)
        head = (place,)
    shut = frozenset[tuple[str, str]]()
    if goal.kind is GoalKind.EVACUATE:
        shut = _without_lifts(site)
        exit_node = facilities.exit_of(site.plan, site.facilities, head[-1])
        if exit_node is not None and exit_node != head[-1]:
            head = (*head, exit_node)
    others = (
        (row.mission.route[row.mission.passed :] if row.mission is not None else ()) + row.out[1:]
        for row in site.duties.values()
        if row.robot_id != duty.robot_id
    )
    way = routing.way(
        site.plan,
        head[-1],
        goal.node,
        avoid=dead - {head[-1]},
        shut=shut,
        against=routing.oncoming(others),
    )
    if way is None and goal.kind in (GoalKind.EVACUATE, GoalKind.HOME):
        taken = _others(site, duty)
        way = routing.way_out(site.plan, head[-1], taken, avoid=dead - {head[-1]}, shut=shut)
    if way is None:
        return None
    if aside and way[1:2] != (aside,):
        # It stands on the way to `aside` and goes back first: an order from there leads it back.
        head = (aside, *head)
    full, has = (*head, *way[1:]), len(head)
    out = _out_of(site, duty, full[-1], dead, shut)
    if out is None:
        return None
    return replace(claim, way=full, out=out if len(out) > 1 else (), has=has)


def _out_of(
    site: SiteState, duty: Duty, end: str, dead: frozenset[str], shut: Edges
) -> tuple[str, ...] | None:
    """The way out from the end of a wish; nothing where the end is a refuge of its own."""
    kind = duty.goal.kind if duty.goal is not None else GoalKind.HOME
    if kind in (GoalKind.HOME, GoalKind.EVACUATE) and end not in _others(site, duty):
        return (end,)
    if kind is GoalKind.DOOR and _door_on_a_spur(site, end):
        return (end,)
    return way_out(site, duty, end, dead, shut)


def _without_lifts(site: SiteState) -> Edges:
    plan = site.plan
    return frozenset(
        (start, end)
        for start, ends in plan.ways.items()
        for end in ends
        if end in plan.cab_of and start not in plan.cab_of
    )


def _start(site: SiteState, duty: Duty, report: fleet.RobotReport) -> tuple[str, str] | None:
    """The node of a standing robot, and the other end of the way that it stands on, if off it."""
    place = here(site, duty, report)
    if place is None or not report.standing:
        return None
    aside = beside(site, place, report)
    if aside is None:
        return None  # on no way of the map: a person must move it
    return place, aside[0]


def _this_side(
    site: SiteState, start: tuple[str, str], report: fleet.RobotReport
) -> tuple[str, str]:
    """The same; but of a way with a door the node on whose side of the door it stands.

    Nobody is led through a door to turn there, for the door may be shut by now.
    """
    place, aside = start
    if (place, aside) not in site.plan.door_on and (aside, place) not in site.plan.door_on:
        return start
    beyond = off_m(site, aside, report) < off_m(site, place, report)
    return (aside, "") if beyond else (place, "")


def _ready(site: SiteState, duty: Duty, now: Now) -> bool:
    """Not within the time that is waited after a refusal, and off its charger."""
    if site.sent.get(retry_key(duty.robot_id), MonoMs(0)) > now.mono_ms:
        return False
    return charging.may_leave(site, duty, now)


def _made_ready(site: SiteState, duty: Duty, now: Now) -> SiteState:
    """Bolt what is shut, and leave the charger, before a robot is to drive."""
    report = site.robots.get(duty.robot_id, RobotLive()).report
    if report is None or (duty.mission is not None and not duty.mission.waiting):
        return site
    site = with_duty(site, shutting(duty, report, now))
    return charging.left(site, site.duties[duty.robot_id], now)


def may_leave(duty: Duty, report: fleet.RobotReport) -> bool:
    """Everything is shut and bolted, by its sensors, and no bolt is being moved."""
    return all(box.shut for box in report.compartments) and (
        fleet.pending(duty, ActionKind.LOCK) is None
    )


def shutting(duty: Duty, report: fleet.RobotReport, now: Now) -> Duty:
    """Bolt what is closed but not locked before driving; an open lid waits for a person."""
    if fleet.pending(duty, ActionKind.LOCK) is not None:
        return duty
    for box in report.compartments:
        if not box.shut and box.lid is LidState.CLOSED:
            action_id = new_id(duty, now.utc_ms)
            locks = LockCompartment(box.compartment, duty.delivery_id or "none", action_id)
            return fleet.with_action(duty, ActionDuty(action_id, ActionKind.LOCK, locks=locks))
    return duty


def _taken_up(site: SiteState, duty: Duty, wish: Claim, now: Now) -> SiteState:
    mission = duty.mission
    kind = duty.goal.kind if duty.goal is not None else GoalKind.HOME
    to_refuge = wish.out or (wish.way if kind in (GoalKind.HOME, GoalKind.EVACUATE) else ())
    refuge = to_refuge[-1] if to_refuge else duty.refuge
    after = replace(duty, out=wish.out, refuge=refuge)
    if mission is not None and not mission.waiting:
        after = fleet.rerouted(after, wish.way[wish.has - 1 :])
        if after.mission is mission:
            return with_duty(site, after)  # the way is the very same: only the way out is new
    elif len(wish.way) == 1:
        # It was to be elsewhere, was given nothing of that way yet, and is wanted where it stands.
        after = replace(after, mission=None)
    else:
        report = site.robots.get(duty.robot_id, RobotLive()).report
        far_m = off_m(site, wish.way[0], report) if report is not None else 0.0
        deviation_m = far_m + AT_NODE_M if far_m > AT_NODE_M else None
        after = fleet.begin(
            replace(after, mission=None),
            wish.way,
            min(wish.has, fleet.nodes_max(duty) or wish.has),
            new_id(duty, now.utc_ms),
            start_deviation_m=deviation_m,
        )
    site = with_duty(site, after)
    since = changed(site.dispatch.since, duty.robot_id, now.mono_ms)
    return copied(site, dispatch=replace(site.dispatch, since=since))


# --- releases ----------------------------------------------------------------------------------


def _released(
    site: SiteState, shut: Edges, states: Mapping[ZoneId, Clearance], now: Now
) -> SiteState:
    """Release to each robot what traffic, doors, lifts, zones and people let it have now."""
    if not any(_wants_more(duty) for duty in site.duties.values()):
        return site
    site, zones = _zone_edges(site, states)
    rows = claims(site, now)
    limits: dict[RobotId, int] = {}
    gates = set(shut)
    for claim in rows:
        duty = site.duties[claim.robot_id]
        limit = _limit(site, duty, claim, shut, _own_zones(site, duty, zones, states), now)
        limits[claim.robot_id] = limit
        if limit < len(claim.way):
            # Who wants this very pair must stand on its first node, so it shuts nobody else out.
            gates.add((claim.way[limit - 1], claim.way[limit]))
    closed = frozenset(gates)
    key = rows, closed, now.mono_ms // GRANTS_EVERY_MS
    if site.dispatch.granted == key:
        return site
    site = copied(site, dispatch=replace(site.dispatch, granted=key))
    found = traffic.grants(site.plan, rows, closed, now.mono_ms)
    for claim in rows:
        count = min(found.get(claim.robot_id, claim.has), limits[claim.robot_id])
        if count > claim.has:
            site = _extended(site, site.duties[claim.robot_id], count, states, now)
    return site


def _wants_more(duty: Duty) -> bool:
    mission = duty.mission
    return mission is not None and mission.released < len(mission.route)


def _zone_edges(site: SiteState, states: Mapping[ZoneId, Clearance]) -> tuple[SiteState, Edges]:
    known = site.dispatch.zones
    if known is not None and known[0] == states:
        return site, known[1]
    edges = interlock.shut_edges(site.plan, states)
    return copied(site, dispatch=replace(site.dispatch, zones=(states, edges))), edges


def _own_zones(
    site: SiteState, duty: Duty, zones: Edges, states: Mapping[ZoneId, Clearance]
) -> Edges:
    """What zones shut for one robot: a person may have let it through one that nobody sees."""
    if not duty.let:
        return zones
    return interlock.shut_edges(site.plan, interlock.let_through(duty, states))


def _limit(  # what may hold a robot is many things
    site: SiteState, duty: Duty, claim: Claim, shut: Edges, zones: Edges, now: Now
) -> int:
    """How many nodes of its way a robot may have at most, whatever traffic says."""
    mission, live = duty.mission, site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if mission is None or report is None or not _takes_more(site, duty, live, mission, now):
        return claim.has
    for at in range(claim.has, len(claim.way)):
        pair = claim.way[at - 1], claim.way[at]
        if pair in shut or pair in zones:
            return at
    return len(claim.way)


def _takes_more(site: SiteState, duty: Duty, live: RobotLive, mission: Mission, now: Now) -> bool:
    report = live.report
    if report is None or not live.online(now.mono_ms) or mission.cancelling:
        return False
    if not (mission.settled or mission.waiting) or fleet.unfit(duty, report) is not None:
        return False
    if duty.hold is not None and duty.hold.verb is HoldVerb.HOLD:
        return mission.route[mission.released - 1] in site.plan.cab_of  # never held in a lift
    if mission.waiting and not may_leave(duty, report):
        return False
    return duty.pause_wanted is None and not report.paused


def _extended(
    site: SiteState, duty: Duty, count: int, states: Mapping[ZoneId, Clearance], now: Now
) -> SiteState:
    mission = duty.mission
    if mission is None:
        return site
    after = fleet.extend(duty, mission.passed + count)
    if after is duty:
        return site
    after = interlock.slowed(site.plan, duty, after, states)
    since = changed(site.dispatch.since, duty.robot_id, now.mono_ms)
    return with_duty(copied(site, dispatch=replace(site.dispatch, since=since)), after)
