"""Lets strangers walk at random through simulated corridors, and judges what robots did there.

The core and its robots are the real ones of the simulator; who was where, and how fast each robot
moved, is the world's own truth, sampled here. A robot that is in a lift or a doorway may go on to
the next place where it can stand: its time counts from when it has left it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from contracts.devices import ZonePolicy
from controller.core import outputs as out
from controller.core import site as core
from controller.core.interlock import CAB_M, DOORWAY_M, LEASE_MS
from zeroentry.simulator import script
from zeroentry.simulator.brain import Step
from zeroentry.simulator.cameras import Person
from zeroentry.simulator.judges import Judges
from zeroentry.simulator.maps import SMALL, plan_named
from zeroentry.simulator.script import Expert, Fault, FaultKind, Kitchen, OrderPlan, Script
from zeroentry.simulator.vehicle import Vehicle
from zeroentry.simulator.world import World

STROLLS: Final = 10  # walks in one world: a day of some minutes
WORLD_S: Final = 900.0
BLIND_SHARE: Final = 0.15  # so many of what happens are cameras that go blind
SAMPLE_S: Final = 0.05
PUBLISHED_S: Final = 0.7  # dispatch.md
ROUNDED_S: Final = 0.001
CREEP_M_S: Final = 0.05  # slower than this it stands: the last centimetres of its braking
CAR_M: Final = 0.8  # a robot's middle so near to a car's is between its doors
LEAF_M: Final = 0.5  # and so near to a doorway's, it keeps the leaf from closing
WORLDS_MAX: Final = 400  # a thousand walks need a hundred; worlds that are cut short need more


@dataclass
class Walked:
    """What all walks gave. ``cut_short``: worlds that another of the simulator's judges ended."""

    walks: int = 0
    blinded: int = 0
    pauses: int = 0
    paused_badly: int = 0
    worlds: int = 0
    cut_short: int = 0
    simulated_s: float = 0.0
    violations: list[str] = field(default_factory=list)


@dataclass
class _Occupied:
    """Since when a zone may not be driven in, how long robots have to stop, and because of whom."""

    since_s: float
    grace_s: float
    why: str


class _Others(Judges):
    """The simulator's judges but one: who stands beside whom is judged here, by its own log."""

    def broken(self, judge: str, text: str) -> None:
        """See ``Judges``."""
        if judge != "interlock":
            super().broken(judge, text)


class WalkWorld(World):
    """A simulated day whose zones are watched from outside."""

    def __init__(self, day: Script, found: Walked, step: Step = core.step) -> None:
        """``found`` is added to; ``step`` may be a core with a planted fault."""
        super().__init__(day, limit_s=WORLD_S, step=step)
        self.found = found
        self.judges = _Others(self)
        self._people: dict[str, list[Person]] = {}
        self._since: dict[str, float] = {}
        self._safe_since: dict[str, float] = {}
        self._told: set[tuple[str, str, float]] = set()
        self.agenda.after(SAMPLE_S, self._sample)

    def appear(self, person: Person) -> None:
        """See ``World``; the log of who came where when."""
        super().appear(person)
        self._came(person)

    def vanish(self, person: Person) -> None:
        """See ``World``."""
        super().vanish(person)
        self._went(person)

    def walk(self, person: Person, node: str) -> None:
        """See ``World``."""
        self._went(person)
        super().walk(person, node)
        self._came(person)

    def _perform(self, output: out.Output) -> None:
        if isinstance(output, out.PublishAction) and output.action is out.ActionKind.PAUSE:
            self.found.pauses += 1
        super()._perform(output)

    def _zone(self, person: Person) -> str | None:
        zone = self.plan.zone_at.get(person.node)
        if zone is None or zone.policy is ZonePolicy.OPEN or zone.seen_by is None:
            return None
        welcome = person.expert and zone.policy is ZonePolicy.EXPERTS_ONLY
        return None if welcome else zone.id

    def _came(self, person: Person) -> None:
        zone = self._zone(person)
        if zone is None:
            return
        inside = self._people.setdefault(zone, [])
        inside.append(person)
        if len(inside) == 1:
            self._since[zone] = self.agenda.now_s

    def _went(self, person: Person) -> None:
        zone = self._zone(person)
        inside = self._people.get(zone or "", [])
        if person in inside:
            inside.remove(person)
        if zone is not None and not inside:
            self._since.pop(zone, None)

    # --- the judge ------------------------------------------------------------------------------

    def _sample(self) -> None:
        for robot in self.robots.values():
            place, speed = robot.where()
            if self._in_passage(robot, CAB_M, DOORWAY_M):
                self._safe_since[robot.id] = self.agenda.now_s
            stands = robot.mind.paused and speed <= CREEP_M_S
            if stands and self._in_passage(robot, CAR_M, LEAF_M):
                self._paused_badly(robot)
            if speed > CREEP_M_S:
                zone = self.ground.zone_of(place.x_m, place.y_m, place.floor)
                self._judge(robot, zone.id if zone is not None else "")
        self.agenda.after(SAMPLE_S, self._sample)

    def _judge(self, robot: Vehicle, zone: str) -> None:
        for occupied in self._occupied(robot, zone):
            left_s = self._safe_since.get(robot.id, 0.0)
            braking_s = robot.body.braking_s(robot.body.speed_mps)
            due_s = max(occupied.since_s + occupied.grace_s, left_s) + PUBLISHED_S + braking_s
            key = (robot.id, zone, occupied.since_s)
            if self.agenda.now_s > due_s + ROUNDED_S and key not in self._told:
                self._told.add(key)
                late_s = self.agenda.now_s - occupied.since_s
                self.found.violations.append(
                    f"seed {self.script.seed} {self.script.map}: {robot.id} drives in {zone} "
                    f"{late_s:.2f} s after {occupied.why}"
                )

    def _occupied(self, robot: Vehicle, zone: str) -> list[_Occupied]:
        found = []
        since_s = self._since.get(zone)
        if since_s is not None:
            found.append(_Occupied(since_s, 0.0, "a stranger came"))
        config = self.plan.zones.get(zone)
        blind_s = self.cameras.blind_since(config.seen_by) if config is not None else None
        let = any(row.zone_id == zone for row in self.brain.state.duties[robot.id].let)
        closed = config is not None and config.policy is not ZonePolicy.OPEN
        if blind_s is not None and closed and not let:
            found.append(_Occupied(blind_s, LEASE_MS / 1_000, "its camera went blind"))
        return found

    def _in_passage(self, robot: Vehicle, cab_m: float, doorway_m: float) -> bool:
        """So near to the middle of a lift's car or of a doorway, in truth."""
        place, _ = robot.where()
        nodes = self.plan.map.nodes
        for node in self.plan.cab_of:
            there = nodes[node]
            if there.map_id == place.floor and place.distance_m(there.x_m, there.y_m) < cab_m:
                return True
        for start, end in self.plan.door_on:
            one, other = nodes[start], nodes[end]
            middle = (one.x_m + other.x_m) / 2, (one.y_m + other.y_m) / 2
            if one.map_id == place.floor and place.distance_m(*middle) < doorway_m:
                return True
        return False

    def _paused_badly(self, robot: Vehicle) -> None:
        key = (robot.id, "paused", self._since.get("", 0.0))
        if key not in self._told and robot.base:
            self._told.add(key)
            self.found.paused_badly += 1


def day_of(seed: int) -> Script:
    """Orders all day long, and strangers who walk about while robots drive."""
    rng = random.Random(f"walks {seed}")
    name = SMALL[seed % len(SMALL)]
    plan = plan_named(name, 2, 2)
    rooms = sorted(plan.door_nodes)
    orders = tuple(
        OrderPlan(
            id=f"d{number + 1}",
            room_id=rng.choice(rooms),
            at_s=1.0 + number * rng.uniform(20, 50),
            kitchen=Kitchen.WELL,
            expert=Expert.WELL,
            load_s=rng.uniform(3, 10),
            come_s=rng.uniform(2, 20),
        )
        for number in range(6)
    )
    return Script(
        seed=seed,
        map=name,
        robots=len(plan.robots),
        boxes=2,
        orders=orders,
        faults=_faults(rng, name),
        line=script.CLEAN,
        camera_s=rng.uniform(0.15, 0.45),
    )


def _faults(rng: random.Random, name: str) -> tuple[Fault, ...]:
    plan = plan_named(name, 2, 2)
    zones = [zone for zone in plan.zones.values() if zone.seen_by and zone.policy != "open"]
    nodes = sorted(node for zone in zones for node in zone.nodes)
    areas = sorted({zone.seen_by for zone in zones if zone.seen_by})
    faults = []
    for _ in range(STROLLS):
        at_s, for_s = rng.uniform(20, 400), rng.uniform(2, 25)
        if rng.random() < BLIND_SHARE:
            faults.append(Fault(FaultKind.BLIND, at_s, for_s, rng.choice(areas)))
        faults.append(Fault(FaultKind.PERSON, at_s, for_s, rng.choice(nodes)))
    return tuple(sorted(faults, key=lambda row: row.at_s))


def walk(
    walks: int, *, step: Step = core.step, tell: Callable[[str], None] = lambda _: None
) -> Walked:
    """Play worlds until so many strangers have walked."""
    found = Walked()
    seed = 0
    while found.walks < walks and seed < WORLDS_MAX:
        day = day_of(seed)
        outcome = WalkWorld(day, found, step).run()
        happened = [row for row in day.faults if row.at_s <= outcome.simulated_s]
        found.walks += sum(row.kind is FaultKind.PERSON for row in happened)
        found.blinded += sum(row.kind is FaultKind.BLIND for row in happened)
        found.worlds += 1
        found.cut_short += outcome.violation is not None
        found.simulated_s += outcome.simulated_s
        if outcome.violation is not None:
            tell(f"{seed} {day.map}: {outcome.violation.judge}: {outcome.violation.text[:150]}")
        seed += 1
    return found
