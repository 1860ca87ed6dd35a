"""Decides what each robot drives for, and which robot takes which waiting deliveries.

A robot's goal follows from its deliveries' states alone, so nothing can be forgotten: first what
came back is emptied in the kitchen, then its compartments are loaded there one by one, then it goes
to the doors in their order, brings back what nobody took, and drives to the refuge that is its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from contracts.api import DeliveryKind, DeliveryState, Sentence
from contracts.units import RobotId
from controller.core import capability, deliveries, fleet
from controller.core.assignment import LOAD_S, Ask, Offer, Plan, plan_tours
from controller.core.deliveries import Delivery
from controller.core.fleet import Duty, Goal, GoalKind, HoldVerb, RobotLive, RobotReport, Tour
from controller.core.plan import SitePlan
from controller.core.state import Now, SiteState, changed, copied

PLAN_EVERY_MS: Final = 10_000  # a window opens to the minute; without news nothing else changes
SPEED_M_S: Final = 0.8  # of a robot on its way, bends and stops included: for guesses alone

LOADS: Final = frozenset({DeliveryState.TO_KITCHEN, DeliveryState.LOADING, DeliveryState.LOCKING})
AT_DOOR: Final = frozenset(
    {
        DeliveryState.TRAVELLING,
        DeliveryState.ARRIVED,
        DeliveryState.UNLOCKING,
        DeliveryState.OPEN,
    }
)
HANDED_OVER: Final = frozenset({DeliveryState.COLLECTED, DeliveryState.RETURNING})


def with_duty(site: SiteState, duty: Duty) -> SiteState:
    """The state with one duty set; an unchanged one keeps its identity: nothing is stored."""
    if site.duties.get(duty.robot_id) == duty:
        return site
    return copied(site, duties=changed(site.duties, duty.robot_id, duty))


def carried(site: SiteState, robot_id: RobotId) -> tuple[Delivery, ...]:
    """Every delivery that this robot has not ended yet, those on its way home included."""
    known = site.dispatch.carrying
    if known is not None and known[0] is site.deliveries:
        return known[1].get(robot_id, ())
    return tuple(
        row for row in site.deliveries.values() if row.robot_id == robot_id and not row.ended
    )


def indexed(site: SiteState) -> SiteState:
    """The state with what each robot carries looked up once, for all that asks next."""
    known = site.dispatch.carrying
    if known is not None and known[0] is site.deliveries:
        return site
    found: dict[RobotId, tuple[Delivery, ...]] = {}
    for row in site.deliveries.values():
        if row.robot_id is not None and not row.ended:
            found[row.robot_id] = (*found.get(row.robot_id, ()), row)
    return copied(site, dispatch=replace(site.dispatch, carrying=(site.deliveries, found)))


def strays(site: SiteState, duty: Duty, report: RobotReport | None) -> tuple[int, ...]:
    """Compartments that hold something which belongs to no delivery: the kitchen takes it out."""
    if report is None or not any(box.occupied for box in report.compartments):
        return ()
    known = {row.compartment for row in carried(site, duty.robot_id)}
    return tuple(
        box.compartment
        for box in report.compartments
        if box.occupied and box.compartment not in known
    )


# --- goals -------------------------------------------------------------------------------------


def directed(site: SiteState, duty: Duty) -> Duty:
    """The duty with the goal that its deliveries ask for now, and the one that it serves."""
    if duty.removed is not None:
        return duty
    tour = _left(site, duty)
    rows = [site.deliveries[name] for name in tour.deliveries] if tour is not None else []
    goal, serving = _goal(site, duty, rows)
    if tour is not None and tour.serving != serving:
        tour = replace(tour, serving=serving)
    if (duty.tour, duty.goal) == (tour, goal):
        return duty
    return replace(duty, tour=tour, goal=goal)


def _left(site: SiteState, duty: Duty) -> Tour | None:
    """What of a tour is still this robot's; what else it carries stands behind that."""
    rows = carried(site, duty.robot_id)
    if duty.tour is None and not rows:
        return None
    mine = {row.id for row in rows}
    before = duty.tour.deliveries if duty.tour is not None else ()
    names = tuple(name for name in before if name in mine)
    names += tuple(row.id for row in rows if row.id not in names)
    if duty.tour is not None and names == duty.tour.deliveries:
        return duty.tour
    return Tour(names, duty.tour.serving if duty.tour is not None else None) if names else None


def _goal(site: SiteState, duty: Duty, rows: Iterable[Delivery]) -> tuple[Goal | None, str | None]:
    plan = site.plan
    rows = tuple(rows)
    if site.facilities.fire:
        return _home(site, duty, GoalKind.EVACUATE), None
    back = next((row for row in carried(site, duty.robot_id) if _comes_back(row)), None)
    loads = next((row for row in rows if row.state in LOADS), None)
    doors = next((row for row in rows if row.state in AT_DOOR), None)
    kitchen = Goal(GoalKind.KITCHEN, plan.kitchen_node)
    report = site.robots.get(duty.robot_id, RobotLive()).report
    charges = report is not None and loads is None and doors is None and _must_charge(duty, report)
    if charges:
        return _home(site, duty, GoalKind.HOME), None
    if back is not None and doors is None:
        return kitchen, None
    if loads is not None:
        return kitchen, loads.id
    if doors is not None:
        node = plan.door_nodes.get(doors.room_id, plan.kitchen_node)
        return Goal(GoalKind.DOOR, node), doors.id
    left = set(strays(site, duty, report)) - set(duty.unemptied)
    if left and report is not None and fleet.unfit(duty, report) is None:
        return kitchen, None
    return _home(site, duty, GoalKind.HOME), None


MUST_CHARGE_PERCENT: Final = 10.0
MAY_LEAVE_PERCENT: Final = 25.0  # a way to the kitchen and back takes a few percent of that


def _must_charge(duty: Duty, report: RobotReport) -> bool:
    """Too low for a detour by the kitchen: what is inside waits under lock at the charger."""
    goal = duty.goal
    if goal is not None and goal.kind is GoalKind.KITCHEN and duty.at_node == goal.node:
        return False  # it is there already: the kitchen takes it out
    least = MAY_LEAVE_PERCENT if report.charging else MUST_CHARGE_PERCENT
    return report.battery_percent < least


def _home(site: SiteState, duty: Duty, kind: GoalKind) -> Goal | None:
    """Its refuge; None before one was found for it."""
    del site
    return Goal(kind, duty.refuge) if duty.refuge is not None else None


def _comes_back(row: Delivery) -> bool:
    return row.state is DeliveryState.RETURNING and row.cargo


def is_turn(site: SiteState, delivery: Delivery) -> bool:
    """Whether the kitchen may be at this delivery's compartment: one lid at a time.

    What came back is taken out first; then compartments are loaded in the order of the doors.
    """
    if delivery.robot_id is None:
        return False
    rows = carried(site, delivery.robot_id)
    busy = [
        row
        for row in rows
        if row.state in (DeliveryState.LOADING, DeliveryState.LOCKING)
        or (_comes_back(row) and row.unloading)
    ]
    if busy:
        return busy[0].id == delivery.id
    first = next((row for row in rows if _comes_back(row)), None)
    if first is not None:
        return first.id == delivery.id
    duty = site.duties[delivery.robot_id]
    names = duty.tour.deliveries if duty.tour is not None else ()
    for name in names:
        if name in site.deliveries and site.deliveries[name].state is DeliveryState.TO_KITCHEN:
            return name == delivery.id
    return False


# --- assignment --------------------------------------------------------------------------------


def offers(site: SiteState, now: Now) -> tuple[Offer, ...]:
    """Every robot that may take a tour, now or once it has ended the one that it is on."""
    return _offered(site, now)[0]


def asks(site: SiteState) -> tuple[Ask, ...]:
    """Every delivery that waits for a robot, or whose robot has not begun to load it."""
    return tuple(
        ask_of(site.plan, row)
        for row in site.deliveries.values()
        if row.state in (DeliveryState.REQUESTED, DeliveryState.TO_KITCHEN)
        and row.room_id in site.plan.door_nodes
    )


def ask_of(plan: SitePlan, row: Delivery) -> Ask:
    """What a delivery wants of a robot."""
    window = row.window
    return Ask(
        delivery_id=row.id,
        room_id=row.room_id,
        door=plan.door_nodes[row.room_id],
        ordered_utc_ms=row.ordered_utc_ms,
        earliest_utc_ms=window.from_utc_ms if window is not None else None,
        latest_utc_ms=window.until_utc_ms if window is not None else None,
        locked=row.kind is not DeliveryKind.MEAL,
    )


def unfit(site: SiteState, now: Now) -> Mapping[RobotId, Sentence]:
    """Why each of the other robots gets no order."""
    return _offered(site, now)[1]


def _offered(site: SiteState, now: Now) -> tuple[tuple[Offer, ...], Mapping[RobotId, Sentence]]:
    """What each robot offers, or why it offers nothing."""
    given: list[Offer] = []
    reasons: dict[RobotId, Sentence] = {}
    for duty in site.duties.values():
        found = _offer(site, duty, now)
        if isinstance(found, Offer):
            given.append(found)
        else:
            reasons[duty.robot_id] = found
    return tuple(given), reasons


def _offer(  # one reason each
    site: SiteState, duty: Duty, now: Now
) -> Offer | Sentence:
    said = _said_by_person(duty)
    if said is not None:
        return said
    live = site.robots.get(duty.robot_id, RobotLive())
    report = live.report
    if report is None or not live.online(now.mono_ms):
        return Sentence(zh="离线", en="offline")
    why = fleet.unfit(duty, report)
    if why is not None:
        return why
    lacking = _lacking(site, duty, report)
    if lacking is not None:
        return lacking
    if duty.at_node is None or duty.refuge is None:
        return Sentence(zh="位置未知", en="place unknown")
    if set(strays(site, duty, report)) - set(duty.unemptied):
        return Sentence(zh="箱格待清空", en="has something in it that the kitchen must take out")
    rows = tuple(carried(site, duty.robot_id))
    in_s, node = _free(site, duty, rows)
    accepted = tuple(row.id for row in rows if row.state is DeliveryState.TO_KITCHEN)
    boxes = _free_boxes(site, duty, report, rows)
    if not boxes:
        return Sentence(zh="没有空箱格", en="no empty, shut compartment")
    return Offer(
        robot_id=duty.robot_id,
        node=node,
        in_s=in_s,
        compartments=boxes,
        battery_percent=report.battery_percent,
        charging=report.charging,
        accepted=accepted if in_s == 0 else (),
        locks=not capability.carries_tray(site.plan.robots[duty.robot_id], duty.declared),
    )


def _lacking(site: SiteState, duty: Duty, report: RobotReport) -> Sentence | None:
    if report.says_low:
        return Sentence(zh="自报电量低", en="says that its battery is low")
    lacking = capability.lacks(site.plan, site.plan.robots[duty.robot_id], duty.declared)
    return lacking[0] if lacking else None


def _said_by_person(duty: Duty) -> Sentence | None:
    """What a person said of a robot that keeps it from work."""
    if duty.removed is not None:
        return Sentence(zh="已移离通道", en="taken off the floor by a person")
    if duty.hold is None:
        return None
    called = duty.hold.verb is HoldVerb.RECALL
    zh, en = ("已召回", "called back") if called else ("已被人员暂停", "held by a person")
    return Sentence(zh=zh, en=en)


def _free(site: SiteState, duty: Duty, rows: tuple[Delivery, ...]) -> tuple[float, str]:
    """In how many seconds a robot is free for another tour, about, and where it is then."""
    mission = duty.mission
    node = duty.at_node or ""
    if mission is not None and not mission.cancelling:
        node = mission.route[mission.released - 1]
    doors = [row for row in rows if row.state in AT_DOOR]
    kitchen = [
        row for row in rows if row.state in (DeliveryState.LOADING, DeliveryState.LOCKING)
    ] + [row for row in rows if _comes_back(row)]
    if not doors and not kitchen:
        return 0.0, node
    last = doors[-1] if doors else None
    there = site.plan.door_nodes.get(last.room_id, node) if last is not None else node
    return 120.0 * len(doors) + 60.0 * len(kitchen), there


def _free_boxes(
    site: SiteState, duty: Duty, report: RobotReport, rows: tuple[Delivery, ...]
) -> tuple[int, ...]:
    """Compartments that are shut and checked empty, or that its next loads have already."""
    if capability.carries_tray(site.plan.robots[duty.robot_id], duty.declared):
        return () if any(row.cargo for row in rows) else (1,)
    taken = {
        row.compartment
        for row in rows
        if row.state is not DeliveryState.TO_KITCHEN and row.state not in HANDED_OVER
    }
    return tuple(
        box.compartment
        for box in report.compartments
        if box.shut and not box.occupied and box.compartment not in taken
    )


def assigned(site: SiteState, now: Now) -> SiteState:
    """Give waiting deliveries to robots: over all at once, whenever something has changed."""
    waiting = [row for row in site.deliveries.values() if row.state is DeliveryState.REQUESTED]
    if not waiting:
        return site
    given, reasons = _offered(site, now)
    wanted = asks(site)
    willing = tuple(row for row in given if site.duties[row.robot_id].refusals < fleet.REFUSALS_MAX)
    given = willing or given  # who refuses its orders is asked only where nobody else is left
    key = (
        tuple((row.robot_id, row.node, row.in_s, row.compartments, row.accepted) for row in given),
        wanted,
        tuple((name, why.en) for name, why in reasons.items()),
        now.mono_ms // PLAN_EVERY_MS,
    )
    if site.dispatch.planned == key:
        return site
    site = copied(site, dispatch=replace(site.dispatch, planned=key))
    found = plan_tours(site.plan, given, wanted, now.utc_ms, reasons, kitchen_s=_kitchen_s(site))
    return _taken(site, found, now)


def _kitchen_s(site: SiteState) -> float:
    """How long the kitchen is busy with what is on its way to it."""
    busy = sum(1 for row in site.deliveries.values() if row.state in LOADS or _comes_back(row))
    return LOAD_S * busy


def _taken(site: SiteState, found: Plan, now: Now) -> SiteState:
    for name, why in found.waiting.items():
        row = site.deliveries[name]
        if name in site.dispatch.blocked:
            continue  # who stands in the way says more than who else is busy
        if row.state is DeliveryState.REQUESTED and row.explanation != why:
            site = with_row(site, replace(row, explanation=why))
    for tour in found.tours:
        duty = site.duties[tour.robot_id]
        before = {row.id for row in carried(site, tour.robot_id) if row.state in LOADS}
        if any(
            site.deliveries[name].robot_id not in (None, tour.robot_id) for name, _ in tour.stops
        ):
            site = _passed_on(site, tour.robot_id, tour.stops, now)
        for name, compartment in tour.stops:
            row = site.deliveries[name]
            if row.robot_id == tour.robot_id:
                row = replace(row, compartment=compartment)
            else:
                row = deliveries.assigned(
                    row, tour.robot_id, compartment, tour.why, now.mono_ms, now.utc_ms
                )
            site = with_row(site, row)
        names = tuple(name for name, _ in tour.stops)
        if before - set(names):
            site = _let_go(site, before - set(names), now)
        # What it has handed over already stays its own until it is back.
        behind = tuple(row.id for row in carried(site, tour.robot_id) if row.id not in names)
        site = with_duty(site, replace(duty, tour=Tour((*names, *behind))))
    return site


def _passed_on(
    site: SiteState, robot_id: RobotId, stops: Iterable[tuple[str, int]], now: Now
) -> SiteState:
    """Deliveries that another robot had been given go to this one: they lose the other."""
    taken = {name for name, _ in stops if site.deliveries[name].robot_id != robot_id}
    return _let_go(site, taken, now)


def _let_go(site: SiteState, names: Iterable[str], now: Now) -> SiteState:
    for name in names:
        row = site.deliveries[name]
        if row.robot_id is None:
            continue
        moved = deliveries.enter(row, DeliveryState.REQUESTED, now.mono_ms, now.utc_ms)
        site = with_row(site, replace(moved, robot_id=None, compartment=None))
    return site


def with_row(site: SiteState, row: Delivery) -> SiteState:
    """The state with one delivery set; an unchanged one keeps its identity."""
    if site.deliveries.get(row.id) == row:
        return site
    return copied(site, deliveries=changed(site.deliveries, row.id, row))
