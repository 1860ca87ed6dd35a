"""Decides which robot takes which waiting deliveries on one tour, and says why, or why none can."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from scipy.optimize import linear_sum_assignment

from contracts.api import Sentence
from contracts.units import RobotId, RoomId, UtcMs
from controller.core.names import robot_name
from controller.core.plan import SitePlan

BATTERY_MIN_PERCENT: Final = 25.0  # a tour takes a few percent; below it a robot may strand


LOAD_S: Final = 20.0  # a person puts a meal in, shuts the lid, says so; and the bolt
HAND_OVER_S: Final = 45.0  # somebody comes to the door, types a PIN, takes it, shuts the lid
UNLOAD_S: Final = 15.0  # what came back is taken out and the compartment looked at
DRIVE_PERCENT_PER_S: Final = 0.006  # 100 % in four and a half hours; a plain robot has eight
STAND_PERCENT_PER_S: Final = 0.001
RESERVE_PERCENT: Final = 15.0  # kept for detours, a waiting lift, and the way to a charger
EARLY_S: Final = 20.0  # a robot may stand so long before a door until the window opens
CLOSE_BY_S: Final = 25.0  # robots enough: one serves two doors together if they lie this near
LATE_WEIGHT: Final = 10.0  # a second beyond a window counts as ten of waiting
GAIN_S: Final = 60.0  # an accepted tour passes to another robot for no less than this
ROUNDS_MAX: Final = 4  # robots have one to four compartments: a smaller tour each round
WANTED_WITHIN_S: Final = 20 * 60.0  # an order without a window is to be there in this time
QUEUE_S: Final = 120.0  # two robots wait near the kitchen, so that it is never idle; more block it
KITCHEN_BUSY: Final = Sentence(
    zh="厨房正在装餐，排队的机器人已够。",
    en="The kitchen is loading; enough robots wait there already.",
)
ONLY_TRAYS: Final = Sentence(
    zh="空闲的机器人只有敞开的托盘，不能上锁，只送餐。",
    en="The robots that are free have open trays without a lock; those carry meals only.",
)
NEVER_S: Final = 1e7  # stands in the matrix where a robot cannot take a tour
NO_ONE: Final[Mapping[RobotId, Sentence]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Offer:
    """A robot that can take a tour. ``in_s``: from when; ``node``: where it stands then.

    ``compartments``: numbers of those that are free then, checked empty. ``accepted``: deliveries
    that it has been given and that are not loaded yet: they stand among the asks too. ``locks``:
    what it carries is behind a lock, so that it may carry more than meals.
    """

    robot_id: RobotId
    node: str
    in_s: float
    compartments: tuple[int, ...]
    battery_percent: float
    charging: bool = False
    accepted: tuple[str, ...] = ()
    locks: bool = True


@dataclass(frozen=True, slots=True)
class Ask:
    """A delivery that wants a robot. The window is that of its arrival at the door.

    ``locked``: it must not lie on an open tray.
    """

    delivery_id: str
    room_id: RoomId
    door: str
    ordered_utc_ms: UtcMs
    earliest_utc_ms: UtcMs | None = None
    latest_utc_ms: UtcMs | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class PlannedTour:
    """What one robot is to carry: (delivery, compartment) in the order of the doors; and why it."""

    robot_id: RobotId
    stops: tuple[tuple[str, int], ...]
    why: Sentence


@dataclass(frozen=True, slots=True)
class Plan:
    """The tours that begin now, and why each other delivery waits."""

    tours: tuple[PlannedTour, ...]
    waiting: Mapping[str, Sentence]


@dataclass(frozen=True, slots=True)
class _Group:
    """Asks for one tour, in the order of the doors."""

    asks: tuple[Ask, ...]
    keeper: RobotId | None = None


@dataclass(frozen=True, slots=True)
class _Trip:
    """One robot on one group: seconds from now."""

    kitchen_s: float
    arrivals_s: tuple[float, ...]
    back_s: float
    late_s: float
    spare_s: float
    """How much later it could begin and be at no door later than its window opens."""
    battery_percent: float
    """What is left when it is back."""

    @property
    def cost_s(self) -> float:
        """What people wait, and what the robot is away."""
        return sum(self.arrivals_s) + LATE_WEIGHT * self.late_s + 0.25 * self.back_s


def plan_tours(
    plan: SitePlan,
    offers: Iterable[Offer],
    asks: Iterable[Ask],
    now_utc_ms: UtcMs,
    unfit: Mapping[RobotId, Sentence] = NO_ONE,
    *,
    kitchen_s: float = 0.0,
) -> Plan:
    """Tours for all robots that can go, over all that waits, most urgent first.

    Urgent is what comes nearest to the end of its window; without a window, what was ordered first.
    Neighbouring doors are put into one tour where orders outnumber robots or the doors lie close
    by. Robots are matched to tours at the least sum of waiting, being late and being away.
    ``kitchen_s``: how long the kitchen will be busy with what is on its way to it: no robot sets
    out to stand in a queue there.
    """
    given = sorted(offers, key=lambda row: row.robot_id)
    able, reasons = _able(plan, given, unfit)
    due, waiting = _due(plan, able, asks, now_utc_ms)
    tours: list[PlannedTour] = []
    is_full = False
    for _ in range(ROUNDS_MAX):
        found = [] if is_full else _round(plan, able, due, now_utc_ms, kitchen_s)
        for offer, group, trip in found:
            able.remove(offer)
            names = {ask.delivery_id for ask in group.asks}
            due = [ask for ask in due if ask.delivery_id not in names]
            queue_s = kitchen_s - trip.kitchen_s
            later = _why_not_now(plan, offer, group, trip, queue_s, now_utc_ms)
            if later is None:
                kitchen_s = max(kitchen_s, trip.kitchen_s) + LOAD_S * len(group.asks)
                tours.append(_tour(plan, offer, group, trip, given))
            else:
                is_full |= later is KITCHEN_BUSY
                waiting |= dict.fromkeys(names, later)
    nobody = KITCHEN_BUSY if is_full and able else _nobody_can(plan, reasons, given)
    waiting |= {ask.delivery_id: nobody for ask in due}
    return Plan(tuple(tours), waiting)


def _able(
    plan: SitePlan, offers: Sequence[Offer], unfit: Mapping[RobotId, Sentence]
) -> tuple[list[Offer], Mapping[RobotId, Sentence]]:
    """The robots that can go, and why each of the others cannot."""
    lacking = {offer.robot_id: _lacks(plan, offer) for offer in offers}
    reasons = {robot_id: why for robot_id, why in lacking.items() if why is not None}
    able = [offer for offer in offers if lacking[offer.robot_id] is None]
    return able, {**unfit, **reasons}


def _due(
    plan: SitePlan, offers: Sequence[Offer], asks: Iterable[Ask], now_utc_ms: UtcMs
) -> tuple[list[Ask], dict[str, Sentence]]:
    """What must set out now, most urgent first; and when the rest does."""
    accepted = {name for offer in offers for name in offer.accepted}
    # The slowest robot sets out in time as well, with a full load.
    far_s = max(
        (
            offer.in_s + plan.lanes.to_kitchen[offer.node] + LOAD_S * len(offer.compartments)
            for offer in offers
        ),
        default=0.0,
    )
    from_kitchen = plan.lanes.from_stop.get(plan.kitchen_node, {})
    waiting: dict[str, Sentence] = {}
    due: list[Ask] = []
    for ask in sorted(asks, key=lambda ask: (_urgency(ask), ask.delivery_id)):
        opens_utc_ms = ask.earliest_utc_ms or 0
        drive_s = from_kitchen.get(ask.door, 0.0)
        starts_s = (opens_utc_ms - now_utc_ms) / 1_000 - far_s - drive_s
        if starts_s > 0 and ask.delivery_id not in accepted:
            waiting[ask.delivery_id] = _starts_at(plan, now_utc_ms, starts_s)
        elif ask.locked and offers and not any(offer.locks for offer in offers):
            waiting[ask.delivery_id] = ONLY_TRAYS
        else:
            due.append(ask)
    return due, waiting


def _why_not_now(
    plan: SitePlan, offer: Offer, group: _Group, trip: _Trip, queue_s: float, now_utc_ms: UtcMs
) -> Sentence | None:
    if queue_s > QUEUE_S and group.keeper is None:
        return KITCHEN_BUSY
    if offer.in_s > 0 or trip.spare_s > EARLY_S:
        return _later(plan, offer, trip, now_utc_ms)
    return None


def earliest(
    plan: SitePlan,
    offers: Iterable[Offer],
    asks: Iterable[Ask],
    ask: Ask,
    now_utc_ms: UtcMs,
) -> UtcMs | None:
    """When a new order could be at its door at the earliest, everything more urgent first.

    None: no robot can bring it at all. ``offers`` are all robots that will be free at some time;
    busy ones with ``in_s`` and the compartments that they will have then.
    """
    able = [offer for offer in offers if _lacks(plan, offer) is None]
    rows = sorted(asks, key=lambda row: (_urgency(row), row.delivery_id))
    free = {offer.robot_id: offer for offer in able}
    soon = now_utc_ms + WANTED_WITHIN_S * 1_000
    before = [row for row in rows if row.delivery_id != ask.delivery_id and _urgency(row) <= soon]
    size = max((len(offer.compartments) for offer in able), default=1)
    last: _Trip | None = None
    bare = replace(ask, earliest_utc_ms=None, latest_utc_ms=None)
    for group in (*_grouped(plan, before, size, size, len(before)), _Group((bare,))):
        group = _ordered(plan, group, 0.0, now_utc_ms)  # noqa: PLW2901  # the same in a better order
        best: tuple[float, Offer, _Trip] | None = None
        for offer in free.values():
            trip = _trip(plan, offer, group, now_utc_ms)
            if trip is not None and (best is None or trip.arrivals_s[-1] < best[0]):
                best = trip.arrivals_s[-1], offer, trip
        if best is None:
            last = None
            continue
        _, offer, trip = best
        last = trip
        free[offer.robot_id] = replace(
            offer,
            node=plan.kitchen_node,
            in_s=trip.back_s,
            battery_percent=trip.battery_percent,
        )
    return UtcMs(now_utc_ms + round(last.arrivals_s[-1] * 1_000)) if last is not None else None


def _lacks(plan: SitePlan, offer: Offer) -> Sentence | None:
    if not offer.compartments:
        return Sentence(zh="没有空箱格", en="no empty, shut compartment")
    if plan.lanes.to_kitchen.get(offer.node) is None:
        return Sentence(zh="无路可达厨房", en="no way to the kitchen")
    if offer.battery_percent < BATTERY_MIN_PERCENT:
        level = f"{offer.battery_percent:.0f}"
        return Sentence(zh=f"电量 {level}%", en=f"battery {level} %")
    return None


def _urgency(ask: Ask) -> float:
    if ask.latest_utc_ms is not None:
        return float(ask.latest_utc_ms)
    return ask.ordered_utc_ms + WANTED_WITHIN_S * 1_000


def _round(
    plan: SitePlan,
    offers: Sequence[Offer],
    asks: Sequence[Ask],
    now_utc_ms: UtcMs,
    kitchen_s: float,
) -> list[tuple[Offer, _Group, _Trip]]:
    """One matching of tours to robots: as many of the most urgent tours as there are robots."""
    if not offers or not asks:
        return []
    most = max(len(offer.compartments) for offer in offers)
    # As many tours as robots can be loaded soon: more would only stand in a queue half empty.
    slots = 1 + int(max(0.0, QUEUE_S - kitchen_s) / (LOAD_S * most))
    size = min(most, math.ceil(len(asks) / min(len(offers), slots)))
    kept, rest = _kept(offers, asks)
    count = min(len(offers), max(slots + 1, len(kept)))
    groups = [*kept, *_grouped(plan, rest, size, most, count - len(kept))][:count]
    soonest_s = min(offer.in_s + plan.lanes.to_kitchen[offer.node] for offer in offers)
    groups = [_ordered(plan, group, soonest_s, now_utc_ms) for group in groups]
    trips = {
        (row, column): trip
        for row, offer in enumerate(offers)
        for column, group in enumerate(groups)
        if (trip := _trip(plan, offer, group, now_utc_ms)) is not None
    }
    cost = np.full((len(offers), len(groups)), NEVER_S)
    for (row, column), trip in trips.items():
        kept_s = GAIN_S if groups[column].keeper == offers[row].robot_id else 0.0
        cost[row, column] = trip.cost_s - kept_s
    rows, columns = linear_sum_assignment(cost)
    pairs = ((int(row), int(column)) for row, column in zip(rows, columns, strict=True))
    found = [(offers[pair[0]], groups[pair[1]], trips[pair]) for pair in pairs if pair in trips]
    return sorted(found, key=lambda row: row[2].kitchen_s)


def _kept(offers: Sequence[Offer], asks: Sequence[Ask]) -> tuple[list[_Group], list[Ask]]:
    """The tours that are accepted already, and what else waits."""
    by_id = {ask.delivery_id: ask for ask in asks}
    groups: list[_Group] = []
    for offer in offers:
        rows = tuple(by_id.pop(name) for name in offer.accepted if name in by_id)
        if rows:
            groups.append(_Group(rows, offer.robot_id))
    return groups, list(by_id.values())


def _grouped(plan: SitePlan, asks: Sequence[Ask], size: int, most: int, count: int) -> list[_Group]:
    """Up to ``count`` tours of neighbouring doors: the most urgent ask, and those nearest to it."""
    left = list(asks)
    groups: list[_Group] = []
    while left and len(groups) < count:
        seed = left.pop(0)
        chosen = [seed]
        near = plan.lanes.from_stop.get(seed.door, {})
        ranked = sorted(range(len(left)), key=lambda at: (near.get(left[at].door, NEVER_S), at))
        taken: list[int] = []
        for at in ranked:
            ask = left[at]
            room = len(chosen) < size
            close = near.get(ask.door, NEVER_S) <= CLOSE_BY_S and len(chosen) < min(size + 1, most)
            if not (room or close):
                break
            if _fits_with(chosen, ask):
                chosen.append(ask)
                taken.append(at)
        for at in sorted(taken, reverse=True):
            del left[at]
        groups.append(_Group(tuple(chosen)))
    return groups


def _fits_with(chosen: Sequence[Ask], ask: Ask) -> bool:
    """One tour may carry both: their windows meet."""
    return all(
        row.latest_utc_ms is None
        or ask.earliest_utc_ms is None
        or ask.earliest_utc_ms <= row.latest_utc_ms
        for row in chosen
    ) and all(
        ask.latest_utc_ms is None
        or row.earliest_utc_ms is None
        or row.earliest_utc_ms <= ask.latest_utc_ms
        for row in chosen
    )


def _ordered(plan: SitePlan, group: _Group, kitchen_s: float, now_utc_ms: UtcMs) -> _Group:
    """The group with its doors in the order that serves them soonest."""
    if len(group.asks) < 2:
        return group
    leaves_s = kitchen_s + LOAD_S * len(group.asks)

    def waits_s(asks: tuple[Ask, ...]) -> float:
        arrivals_s, late_s, _ = _arrivals(plan, asks, leaves_s, now_utc_ms)
        return sum(arrivals_s) + LATE_WEIGHT * late_s

    return replace(group, asks=min(itertools.permutations(group.asks), key=waits_s))


def _arrivals(
    plan: SitePlan, asks: tuple[Ask, ...], leaves_s: float, now_utc_ms: UtcMs
) -> tuple[tuple[float, ...], float, float]:
    """When a robot that leaves the kitchen is at each door; seconds late in all; seconds to spare.

    Where it comes before the window opens it waits. A door that cannot be reached is never reached.
    """
    at_s, here = leaves_s, plan.kitchen_node
    arrivals: list[float] = []
    late_s, spare_s = 0.0, NEVER_S
    for ask in asks:
        at_s += plan.lanes.from_stop.get(here, {}).get(ask.door, NEVER_S)
        if ask.earliest_utc_ms is not None:
            opens_s = (ask.earliest_utc_ms - now_utc_ms) / 1_000
            spare_s = min(spare_s, opens_s - at_s)
            at_s = max(at_s, opens_s)
        else:
            spare_s = min(spare_s, 0.0)
        if ask.latest_utc_ms is not None:
            late_s += max(0.0, at_s - (ask.latest_utc_ms - now_utc_ms) / 1_000)
        arrivals.append(at_s)
        at_s, here = at_s + HAND_OVER_S, ask.door
    return tuple(arrivals), late_s, spare_s


def _trip(plan: SitePlan, offer: Offer, group: _Group, now_utc_ms: UtcMs) -> _Trip | None:
    """A robot on a group; None when it has not the room, lock, way or battery for it."""
    if len(group.asks) > len(offer.compartments):
        return None
    if not offer.locks and any(ask.locked for ask in group.asks):
        return None
    kitchen_s = offer.in_s + plan.lanes.to_kitchen[offer.node]
    leaves_s = kitchen_s + LOAD_S * len(group.asks)
    arrivals_s, late_s, spare_s = _arrivals(plan, group.asks, leaves_s, now_utc_ms)
    home_s = plan.lanes.to_kitchen.get(group.asks[-1].door, NEVER_S)
    back_s = arrivals_s[-1] + HAND_OVER_S + home_s + UNLOAD_S
    stands_s = LOAD_S * len(group.asks) + HAND_OVER_S * len(group.asks) + UNLOAD_S
    drives_s = max(0.0, back_s - offer.in_s - stands_s)
    needs_percent = drives_s * DRIVE_PERCENT_PER_S + stands_s * STAND_PERCENT_PER_S
    left_percent = offer.battery_percent - needs_percent
    if left_percent < RESERVE_PERCENT or back_s >= NEVER_S:
        return None
    return _Trip(kitchen_s, arrivals_s, back_s, late_s, spare_s, left_percent)


def _tour(
    plan: SitePlan, offer: Offer, group: _Group, trip: _Trip, offers: Sequence[Offer]
) -> PlannedTour:
    stops = tuple(
        (ask.delivery_id, number)
        for ask, number in zip(group.asks, offer.compartments, strict=False)
    )
    return PlannedTour(offer.robot_id, stops, _why(plan, offer, group, trip, offers))


def _why(
    plan: SitePlan, offer: Offer, group: _Group, trip: _Trip, offers: Sequence[Offer]
) -> Sentence:
    """Why this robot: how soon, with what else, how much battery is left, and who is nearer."""
    far_s = plan.lanes.to_kitchen
    nearer = [
        row.robot_id
        for row in offers
        if row is not offer and row.in_s + far_s.get(row.node, NEVER_S) < trip.kitchen_s
    ]
    last = round(trip.arrivals_s[-1] / 60 + 0.5)
    name = robot_name(plan, offer.robot_id)
    zh = f"{name.zh} 约 {trip.kitchen_s:.0f} 秒到厨房，最后一处约 {last} 分钟送达"
    en = (
        f"{name.en} is at the kitchen in {trip.kitchen_s:.0f} s and at the last door "
        f"in about {last} min"
    )
    if len(group.asks) > 1:
        zh += f"，一趟送 {len(group.asks)} 处"
        en += f", with {len(group.asks)} deliveries on one tour"
    zh += f"，回来时电量约 {trip.battery_percent:.0f}%。"
    en += f"; about {trip.battery_percent:.0f} % of battery is left after it."
    if nearer:
        shown = [robot_name(plan, robot_id) for robot_id in nearer[:3]]
        zh += f"{'、'.join(row.zh for row in shown)} 更近，但有更合适的送餐任务或电量、箱格不足。"
        en += (
            f" {', '.join(row.en for row in shown)} would be nearer, but better serves another "
            "order, or lacks battery or compartments."
        )
    else:
        zh += "没有更近的可用机器人。"
        en += " No robot that can go is nearer."
    return Sentence(zh=zh[:400], en=en[:400])


def _clock(plan: SitePlan, utc_ms: float) -> str:
    zone = ZoneInfo(plan.site.config.time_zone)
    return f"{datetime.fromtimestamp(utc_ms / 1_000, UTC).astimezone(zone):%H:%M}"


def _starts_at(plan: SitePlan, now_utc_ms: UtcMs, in_s: float) -> Sentence:
    at = _clock(plan, now_utc_ms + in_s * 1_000)
    return Sentence(zh=f"为按时送达，{at} 出发。", en=f"{_STARTS_EN}{at}, to arrive in its window.")


_STARTS_EN: Final = "Starts at "


def is_start(said: Sentence) -> bool:
    """Whether a sentence says when a delivery sets out by plan: it waits for nothing but that."""
    return said.en.startswith(_STARTS_EN)


def _later(plan: SitePlan, offer: Offer, trip: _Trip, now_utc_ms: UtcMs) -> Sentence:
    if offer.in_s <= 0:
        return _starts_at(plan, now_utc_ms, trip.spare_s)
    at = _clock(plan, now_utc_ms + offer.in_s * 1_000)
    name = robot_name(plan, offer.robot_id)
    return Sentence(
        zh=f"{name.zh} 约 {at} 空出后前往。",
        en=f"{name.en} takes it when it is free, at about {at}.",
    )


def _nobody_can(
    plan: SitePlan, reasons: Mapping[RobotId, Sentence], offers: Sequence[Offer]
) -> Sentence:
    """Why no robot takes a delivery now."""
    busy = [row.robot_id for row in offers if row.robot_id not in reasons]
    if not reasons and not busy:
        return Sentence(zh="本中心没有机器人。", en="This site has no robot.")
    # A sentence that a person still reads.
    rows = [(robot_name(plan, robot_id), why) for robot_id, why in sorted(reasons.items())[:4]]
    zh = [f"{name.zh} {why.zh}"[:80] for name, why in rows]
    en = [f"{name.en} {why.en}"[:80] for name, why in rows]
    if busy:
        shown = [robot_name(plan, robot_id) for robot_id in busy[:4]]
        zh.append(f"{'、'.join(row.zh for row in shown)} 先送更急的、或电量与箱格不足以再送")
        en.append(
            f"{', '.join(row.en for row in shown)}: taken by more urgent orders, or short of "
            "battery or compartments"
        )
    return Sentence(zh=f"等待机器人：{'；'.join(zh)}"[:400], en=f"Waiting: {'; '.join(en)}"[:400])
