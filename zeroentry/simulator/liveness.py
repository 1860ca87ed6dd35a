"""Judges that what can go on goes on: a robot with work and a free way moves within a bound."""

from typing import Final

from contracts.api import DeliveryState
from contracts.devices import ZonePolicy
from controller.core.fleet import Duty
from zeroentry.simulator.outcome import BrokenError, Violation
from zeroentry.simulator.stage import Stage
from zeroentry.simulator.vehicle import Vehicle

STALL_S: Final = 150.0
"""A robot that was refused an order tries again after 15 s; a lift comes within a minute."""
IDLE_S: Final = 150.0
SETTLED_S: Final = 30.0
BATTERY_FIT: Final = 40.0


class Liveness:
    """Looks every few seconds for who stands although nothing holds it."""

    def __init__(self, world: Stage) -> None:
        """Everybody has just moved."""
        self.world = world
        self._excused: dict[str, float] = {}
        self._idle: dict[str, float] = {}

    def look(self) -> None:
        """See who stands too long.

        Raises:
            BrokenError: somebody does.
        """
        now_s = self.world.agenda.now_s
        held = self._held_fast()
        waits = self._without_way(held)
        for robot in self.world.robots.values():
            goal = self._goal(robot)
            if goal is None or robot.id in held or robot.id in waits:
                self._excused[robot.id] = now_s
                continue
            since_s = max(robot.changed_s, self._excused.get(robot.id, 0.0))
            if not robot.driving and now_s - since_s > STALL_S:
                self._broken(
                    "deadlock",
                    f"{robot.id} stands at {robot.mind.last_node} for {now_s - since_s:.0f} s on "
                    f"its way to {goal}, which is free",
                )
        self._orders(held, now_s)

    def _without_way(self, held: set[str]) -> set[str]:
        """Robots that wait for one that cannot or need not move, or for one that waits so."""
        waits: set[str] = set()
        while True:
            found = {
                robot.id
                for robot in self.world.robots.values()
                if robot.id not in held | waits and self._lacks_way(robot, held | waits)
            }
            if not found:
                return waits
            waits |= found

    def _lacks_way(self, robot: Vehicle, held: set[str]) -> bool:
        goal = self._goal(robot)
        return goal is not None and not self._has_way(robot, goal, held)

    def _broken(self, judge: str, text: str) -> None:
        raise BrokenError(Violation(self.world.agenda.now_s, judge, text))

    def _goal(self, robot: Vehicle) -> str | None:
        """Where the system wants it; None when it is there or wanted nowhere."""
        duty = self.world.brain.state.duties.get(robot.id)
        if duty is None or duty.goal is None or duty.hold is not None:
            return None
        if robot.at(duty.goal.node) and not robot.mind.nodes:
            return None
        return duty.goal.node

    def _held_fast(self) -> set[str]:
        """Robots that cannot or need not go on: broken, waiting for people, or doubted."""
        world = self.world
        held: set[str] = set()
        recent = world.agenda.now_s - world.troubles.last_s < SETTLED_S
        everything = not world.brain.up or world.fire or self._alarmed()
        for robot in world.robots.values():
            duty = world.brain.state.duties.get(robot.id)
            well = robot.alive and robot.automatic and robot.localised and not robot.carried
            free = not (robot.e_stop or robot.hindered) and robot.battery_percent > 0
            shut = all(box.locked and not box.lid_open for box in robot.boxes)
            wire = not world.wires[robot.id].cut and robot.lie is None
            troubled = world.troubles.of(robot.id) or (recent and not robot.driving)
            if (
                not (well and free and shut and wire)
                or troubled
                or everything
                or duty is None
                or (self._goal(robot) is None and self._serves(duty))
                or duty.doubted is not None
            ):
                held.add(robot.id)
        return held

    def _alarmed(self) -> bool:
        return self.world.brain.state.facilities.fire

    def _serves(self, duty: Duty) -> bool:
        """It stands where it should, for people who come or do not."""
        return duty.delivery_id is not None

    def _has_way(self, robot: Vehicle, goal: str, held: set[str]) -> bool:
        """Whether it could drive there around everything that is really in the way."""
        world = self.world
        blocked: set[str] = set()
        for other in world.robots.values():
            if other is robot:
                continue
            if other.carried:
                # It is gone, but only a person knows: what it had stays taken.
                blocked |= self._kept_for(other)
            elif other.id in held or not self._goal(other):
                blocked |= world.judges.nodes_of(other)
        for zone in world.plan.zones.values():
            unseen = world.cameras.blind_since(zone.seen_by) is not None or zone.seen_by is None
            if zone.policy is not ZonePolicy.OPEN and (unseen or self._peopled(zone.seen_by)):
                blocked |= set(zone.nodes)
        place, _ = robot.where()
        here = world.ground.nearest(place.x_m, place.y_m, place.floor)
        way = world.ground.way(here, goal, blocked)
        if way is None or here in blocked:
            return False
        stuck = [name for name in (*world.plan.doors, *world.plan.lifts) if world.troubles.of(name)]
        return not stuck

    def _kept_for(self, robot: Vehicle) -> set[str]:
        duty = self.world.brain.state.duties.get(robot.id)
        if duty is None:
            return set()
        ahead = duty.mission.route[duty.mission.passed :] if duty.mission is not None else ()
        return {node for node in (duty.at_node, duty.towards, *ahead) if node is not None}

    def _peopled(self, area: str | None) -> bool:
        return bool(area and self.world.cameras.people_in(area))

    def _orders(self, held: set[str], now_s: float) -> None:
        """No order waits while a robot idles that could take it."""
        world = self.world
        waiting = [
            row for row in world.brain.state.deliveries.values()
            if row.state is DeliveryState.REQUESTED and row.window is None
        ]  # fmt: skip
        idle = [row for row in world.robots.values() if self._is_fit(row, held)]
        for robot in world.robots.values():
            if not waiting or robot not in idle:
                self._idle[robot.id] = now_s
            elif now_s - self._idle.get(robot.id, 0.0) > IDLE_S:
                self._broken(
                    "idle",
                    f"{waiting[0].id} waits {now_s - self._idle.get(robot.id, 0.0):.0f} s for a "
                    f"robot while {robot.id} idles ({waiting[0].explanation})",
                )

    def _is_fit(self, robot: Vehicle, held: set[str]) -> bool:
        duty = self.world.brain.state.duties.get(robot.id)
        if duty is None or robot.id in held or robot.battery_percent < BATTERY_FIT:
            return False
        if self._serves(duty) or duty.mission is not None or self._goal(robot) is not None:
            return False
        empty = all(box.content is None for box in robot.boxes)
        return empty and self._has_way(robot, self.world.kitchen, held)
