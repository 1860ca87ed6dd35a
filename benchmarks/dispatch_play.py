"""Plays robots over a made building, one second of control after another, under a dispatcher.

Robots drive at the map's speed from node to node without dynamics, hold what was released to them
until they have passed it, and ride a lift whose car must come first. What they do at kitchen and
doors takes a fixed time. No two may ever hold one resource: that is counted here by the resources'
names, not by the masks that traffic works with.
"""

import heapq
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from contracts.units import MonoMs, RobotId, UtcMs
from controller.core import assignment, routing, traffic
from controller.core.assignment import Ask, Offer
from controller.core.lanes import Pair
from controller.core.plan import SitePlan
from controller.core.traffic import Claim

CONTROL_S: Final = 1.0  # how often the dispatcher decides
LOAD_S: Final = assignment.LOAD_S  # for each compartment, in the kitchen
HAND_OVER_S: Final = assignment.HAND_OVER_S
FLOOR_S: Final = 8.0  # a lift's car from floor to floor
CAR_DOOR_S: Final = 4.0  # it opens or shuts
PLAN_S: Final = 5.0  # how often tours are planned while orders wait
RETRY_S: Final = 2.0  # a way that was refused is asked for again after this
YIELD_S: Final = 20.0  # who stands in others' way and is refused its own goes out after this
STALL_S: Final = 1_200.0  # nobody moved or was served for so long: they are locked
START_UTC_MS: Final = 1_780_000_000_000
NOWHERE: Final[frozenset[Pair]] = frozenset()


class Doing(StrEnum):
    """What a robot is at."""

    RESTING = "resting"
    TO_KITCHEN = "to_kitchen"
    LOADING = "loading"
    TO_DOOR = "to_door"
    HANDING_OVER = "handing_over"


TO_LOAD: Final = frozenset({Doing.TO_KITCHEN, Doing.LOADING})


@dataclass
class Bot:
    """One robot. ``way`` begins where it stands; ``has`` nodes of it are its own."""

    robot_id: RobotId
    home: str
    compartments: int
    way: tuple[str, ...]
    out: tuple[str, ...] = ()
    has: int = 1
    since_s: float = 0.0
    driving: bool = False
    doing: Doing = Doing.RESTING
    goal: str | None = None
    retry_s: float = 0.0
    asks: list[Ask] = field(default_factory=list)
    dead: bool = False

    @property
    def at(self) -> str:
        return self.way[0]

    @property
    def standing(self) -> bool:
        return len(self.way) == 1

    @property
    def claim(self) -> Claim:
        return Claim(
            self.robot_id,
            self.way,
            self.out,
            self.has,
            since_mono_ms=MonoMs(round(self.since_s * 1_000)),
            stuck=self.dead,
        )


@dataclass
class Told:
    """What one run showed."""

    done_s: dict[str, float] = field(default_factory=dict)
    plan_ms: list[float] = field(default_factory=list)
    grant_ms: list[float] = field(default_factory=list)
    tours: list[tuple[str, tuple[Ask, ...]]] = field(default_factory=list)
    """From where, and what was carried."""
    collisions: int = 0
    deadlocks: int = 0
    waited_max_s: float = 0.0
    refused: int = 0

    @property
    def ended_s(self) -> float:
        return max(self.done_s.values(), default=0.0)


class Dispatcher(Protocol):
    """Who decides which robot takes what and has which node."""

    def assign(self, play: "Play") -> None: ...

    def take_up(self, play: "Play", bot: Bot, goal: str) -> bool: ...

    def release(self, play: "Play") -> None: ...


class Play:
    """The building, its robots and the time; ``run`` until all is delivered."""

    def __init__(self, plan: SitePlan, asks: Sequence[Ask], dispatcher: Dispatcher) -> None:
        self.plan = plan
        self.dispatcher = dispatcher
        self.now_s = 0.0
        self.waiting = {ask.delivery_id: ask for ask in asks}
        self.bots = {
            row.id: Bot(row.id, row.home_node, row.compartments, (row.home_node,))
            for row in plan.robots.values()
        }
        self.told = Told()
        self.car_at: dict[str, str] = {}
        self.moved_s = 0.0
        self.wanted = len(asks)
        self._events: list[tuple[float, int, Bot]] = []
        self._number = itertools.count()

    @property
    def now_utc_ms(self) -> UtcMs:
        return UtcMs(START_UTC_MS + round(self.now_s * 1_000))

    @property
    def mono_ms(self) -> MonoMs:
        return MonoMs(round(self.now_s * 1_000))

    def run(self) -> Told:
        """Play until all is delivered, or nobody can go on."""
        while len(self.told.done_s) < self.wanted:
            self.decide()
            self._pass(self.now_s + CONTROL_S)
            if self.now_s - self.moved_s > STALL_S:
                self.told.deadlocks += 1
                break
        return self.told

    def decide(self) -> None:
        """One step of control: tours, ways, nodes; then those who may drive on do."""
        self.dispatcher.assign(self)
        for bot in self.bots.values():
            if bot.goal is not None and not bot.dead and self.now_s >= bot.retry_s:
                self._head_for(bot, bot.goal)
        self.dispatcher.release(self)
        self._check()
        for bot in self.bots.values():
            self.drive_on(bot)

    def wake(self, bot: Bot, in_s: float) -> None:
        """Something of this robot's ends then."""
        heapq.heappush(self._events, (self.now_s + in_s, next(self._number), bot))

    def begin(self, bot: Bot, asks: Sequence[Ask]) -> None:
        """Send a robot to the kitchen for these."""
        for ask in asks:
            del self.waiting[ask.delivery_id]
        self.told.tours.append((bot.at, tuple(asks)))
        bot.asks = list(asks)
        bot.doing = Doing.TO_KITCHEN
        bot.goal = self.plan.kitchen_node
        bot.retry_s = 0.0

    def drive_on(self, bot: Bot) -> None:
        """Set out for the next node, if it is its own."""
        if bot.driving or bot.dead or bot.has < 2:
            return
        bot.driving = True
        self.wake(bot, self._lasts_s(bot.way[0], bot.way[1]))

    def _head_for(self, bot: Bot, goal: str) -> None:
        if self.dispatcher.take_up(self, bot, goal):
            bot.goal = None
            if bot.standing and bot.at == goal:
                self._arrived(bot)
        else:
            self.told.refused += 1
            bot.retry_s = self.now_s + RETRY_S

    def _lasts_s(self, start: str, end: str) -> float:
        lift = self.plan.cab_of.get(end)
        drive_s = self.plan.lanes.seconds[start, end]
        if lift is None:
            return drive_s
        level = self.plan.map.nodes[end].map_id
        away = abs(_level(self.car_at.get(lift, level)) - _level(level))
        self.car_at[lift] = level
        if self.plan.cab_of.get(start) == lift:
            return away * FLOOR_S + 2 * CAR_DOOR_S
        edge_s = self.plan.ways[start][end].length_m / 1.2
        return away * FLOOR_S + CAR_DOOR_S + edge_s

    def _pass(self, until_s: float) -> None:
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, bot = heapq.heappop(self._events)
            self.moved_s = self.now_s
            if not bot.dead:
                self._ended(bot)
        self.now_s = until_s

    def _ended(self, bot: Bot) -> None:
        if bot.driving:
            bot.driving = False
            bot.way, bot.has = bot.way[1:], bot.has - 1
            if bot.standing and bot.goal is None:
                self._arrived(bot)
            else:
                self.drive_on(bot)
        elif bot.doing is Doing.LOADING:
            bot.doing, bot.goal, bot.since_s = Doing.TO_DOOR, bot.asks[0].door, self.now_s
            bot.retry_s = self.now_s
        elif bot.doing is Doing.HANDING_OVER:
            self.told.done_s[bot.asks.pop(0).delivery_id] = self.now_s
            bot.doing = Doing.TO_DOOR if bot.asks else Doing.RESTING
            bot.goal = bot.asks[0].door if bot.asks else None

    def _arrived(self, bot: Bot) -> None:
        if bot.doing is Doing.TO_KITCHEN and bot.at == self.plan.kitchen_node:
            bot.doing = Doing.LOADING
            self.wake(bot, LOAD_S * len(bot.asks))
        elif bot.doing is Doing.TO_DOOR and bot.at == bot.asks[0].door:
            bot.doing = Doing.HANDING_OVER
            self.wake(bot, HAND_OVER_S)

    def _check(self) -> None:
        holder: dict[str, RobotId] = {}
        for bot in self.bots.values():
            names = {name for node in bot.way[: bot.has] for name in self.plan.needs[node]}
            for name in names:
                if holder.setdefault(name, bot.robot_id) != bot.robot_id:
                    self.told.collisions += 1


class Ours:
    """The product's own: assignment over all that waits, and traffic by a safe order."""

    def __init__(self) -> None:
        self.next_s = 0.0

    def assign(self, play: Play) -> None:
        free = [bot for bot in play.bots.values() if bot.doing is Doing.RESTING and not bot.dead]
        if not free or not play.waiting or play.now_s < self.next_s:
            return
        self.next_s = play.now_s + PLAN_S
        began = time.perf_counter()
        offers = [
            Offer(bot.robot_id, bot.at, 0.0, tuple(range(1, bot.compartments + 1)), 90.0)
            for bot in free
        ]
        bound_there = [
            row for row in play.bots.values() if row.doing in TO_LOAD and near(play, row)
        ]
        found = assignment.plan_tours(
            play.plan,
            offers,
            tuple(play.waiting.values()),
            play.now_utc_ms,
            kitchen_s=assignment.LOAD_S * sum(len(row.asks) for row in bound_there),
        )
        # What one step of planning is: tours over all orders, and nodes for all robots.
        traffic.grants(play.plan, _claims(play), NOWHERE, play.mono_ms)
        play.told.plan_ms.append((time.perf_counter() - began) * 1_000)
        for tour in found.tours:
            asks = [play.waiting[delivery_id] for delivery_id, _ in tour.stops]
            play.begin(play.bots[tour.robot_id], asks)

    def take_up(self, play: Play, bot: Bot, goal: str) -> bool:
        if bot.standing and bot.out[-1:] == (goal,):
            return self._take(play, bot, bot.out, ())  # it was kept for this
        others = [row for row in play.bots.values() if row is not bot]
        ends = {(row.out or row.way)[-1] for row in others} | {row.home for row in others}
        return any(
            self._take(play, bot, way, out)
            for way, out in self._ways(play, bot, goal, self._ends(play, bot, goal, ends))
        )

    @staticmethod
    def _ways(
        play: Play, bot: Bot, goal: str, ends: Sequence[str]
    ) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The quickest way, with each of the ways out."""
        others = [row for row in play.bots.values() if row is not bot]
        base = bot.way[: bot.has]
        dead = frozenset(row.at for row in others if row.dead)
        against = routing.oncoming(row.way + row.out for row in others)
        way = routing.way(play.plan, base[-1], goal, avoid=dead, against=against)
        for end in ends:
            out = routing.way(play.plan, goal, end, avoid=dead, against=against)
            if way is not None and out is not None:
                yield base[:-1] + way, out if end != goal else ()

    def _look_ahead(self, play: Play, bot: Bot) -> None:
        """While it is loaded, have its way to the door kept for it instead of one to a refuge."""
        door = bot.asks[0].door
        if play.now_s < bot.retry_s or door not in play.plan.lanes.dead_ends:
            return
        bot.retry_s = play.now_s + RETRY_S
        others = [row for row in play.bots.values() if row is not bot]
        against = routing.oncoming(row.way + row.out for row in others)
        onward = routing.way(play.plan, bot.at, door, against=against)
        if onward is not None:
            self._take(play, bot, bot.way, onward)

    @staticmethod
    def _take(play: Play, bot: Bot, way: tuple[str, ...], out: tuple[str, ...]) -> bool:
        wish = replace(bot.claim, way=way, out=out)
        if not traffic.accepts(play.plan, _claims(play), wish, play.mono_ms):
            return False
        bot.way, bot.out, bot.since_s = way, out, play.now_s
        return True

    @staticmethod
    def _ends(play: Play, bot: Bot, goal: str, taken: set[str]) -> list[str]:
        """Where its path may end: at the goal, at the door it goes to from there, in a refuge."""
        dead_ends = play.plan.lanes.dead_ends
        if goal != play.plan.kitchen_node and goal in dead_ends:
            return [goal]
        refuge = routing.way_out(play.plan, goal, frozenset(taken))
        return [] if refuge is None else [refuge[-1]]

    def release(self, play: Play) -> None:
        for bot in play.bots.values():
            if bot.doing is Doing.LOADING and bot.out[-1:] != (bot.asks[0].door,):
                self._look_ahead(play, bot)
        for bot in play.bots.values():
            # With nothing to do it goes out to its dock; and if it was refused and is in the way.
            if bot.standing and bot.doing is Doing.RESTING and bot.at not in play.plan.refuges:
                bot.goal = bot.home
        claims = _claims(play)
        waits = {bot.robot_id for bot in play.bots.values() if bot.goal is not None}
        for name in traffic.in_the_way(play.plan, claims) & waits:
            bot = play.bots[name]
            if bot.out and play.now_s - bot.since_s > YIELD_S:
                bot.way, bot.out, bot.since_s = bot.out, (), play.now_s
        began = time.perf_counter()
        found = traffic.grants(play.plan, _claims(play), NOWHERE, play.mono_ms)
        play.told.grant_ms.append((time.perf_counter() - began) * 1_000)
        for bot in play.bots.values():
            _given(play, bot, found[bot.robot_id])


def near(play: Play, bot: Bot) -> bool:
    """Whether a robot will be at the kitchen soon: not those that a lift still brings."""
    return bot.doing is Doing.LOADING or not any(node in play.plan.cab_of for node in bot.way)


class FirstCome:
    """The plain one: orders as they came, one a robot; a whole way is reserved or not driven.

    So one robot is in a corridor at a time, unless it follows another that has left it behind. A
    robot goes from its dock to the kitchen, to the door, and back to its dock: then nothing locks.
    """

    def __init__(self) -> None:
        self._masks: dict[tuple[str, ...], int] = {}
        self._ways: dict[Pair, tuple[str, ...] | None] = {}

    def _mask(self, plan: SitePlan, way: tuple[str, ...]) -> int:
        """What a whole way takes."""
        if way not in self._masks:
            self._masks[way] = 0
            for node in way:
                self._masks[way] |= plan.lanes.node_bits[node]
        return self._masks[way]

    def assign(self, play: Play) -> None:
        free = [bot for bot in play.bots.values() if bot.doing is Doing.RESTING]
        to_kitchen = play.plan.lanes.to_kitchen
        free.sort(key=lambda bot: to_kitchen[bot.at])
        for bot in free:
            if bot.standing and bot.at == bot.home and play.waiting:
                play.begin(bot, [next(iter(play.waiting.values()))])

    def take_up(self, play: Play, bot: Bot, goal: str) -> bool:
        pair = bot.at, goal
        if pair not in self._ways:
            self._ways[pair] = routing.way(play.plan, *pair)
        way = self._ways[pair]
        if way is None:
            return False
        wanted = self._mask(play.plan, way)
        for other in play.bots.values():
            if other is not bot and self._mask(play.plan, other.way) & wanted:
                return False
        bot.way, bot.has, bot.since_s = way, len(way), play.now_s
        return True

    def release(self, play: Play) -> None:
        for bot in play.bots.values():
            if bot.standing and bot.doing is Doing.RESTING and bot.at != bot.home:
                bot.goal = bot.home


def _claims(play: Play) -> tuple[Claim, ...]:
    return tuple(bot.claim for bot in play.bots.values())


def _given(play: Play, bot: Bot, count: int) -> None:
    if count > bot.has:
        bot.has, bot.since_s = count, play.now_s
    elif bot.has < len(bot.way) and not bot.dead:
        play.told.waited_max_s = max(play.told.waited_max_s, play.now_s - bot.since_s)


def _level(floor: str) -> int:
    return int("".join(char for char in floor if char.isdigit()) or 0)


def bound_s(plan: SitePlan, told: Told, robots: int) -> tuple[float, float, str]:
    """Robot work shared out evenly, the load of the busiest resource, and which that is.

    Work is what the tours that were driven take without any hindrance, at the shortest ways.
    A resource is loaded from when a robot sets out for it until it has reached the next node.
    """
    load: dict[str, float] = {}
    work_s = 0.0
    for start, asks in told.tours:
        work_s += LOAD_S * len(asks) + HAND_OVER_S * len(asks)
        here = start
        stops = [(plan.kitchen_node, LOAD_S * len(asks))]
        stops += [(ask.door, HAND_OVER_S) for ask in asks]
        for goal, dwell_s in stops:
            way = routing.way(plan, here, goal)
            assert way is not None
            work_s += _leg(plan, way, load)
            for name in plan.needs[goal]:
                load[name] = load.get(name, 0.0) + dwell_s
            here = goal
    busiest = max(load, key=lambda name: load[name])
    return work_s / robots, load[busiest], busiest


def _leg(plan: SitePlan, way: tuple[str, ...], load: dict[str, float]) -> float:
    total_s = 0.0
    for start, end in itertools.pairwise(way):
        lasts_s = plan.lanes.seconds[start, end]
        if end in plan.cab_of:
            riding = start in plan.cab_of
            floors = abs(_level(plan.map.nodes[start].map_id) - _level(plan.map.nodes[end].map_id))
            edge_s = plan.ways[start][end].length_m / 1.2
            lasts_s = floors * FLOOR_S + 2 * CAR_DOOR_S if riding else CAR_DOOR_S + edge_s
        total_s += lasts_s
        for name in plan.needs[start] | plan.needs[end]:
            load[name] = load.get(name, 0.0) + lasts_s
    return total_s
