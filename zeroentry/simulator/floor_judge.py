"""Judges the floor as a whole: it is empty soon when it burns, and who was fetched has nothing."""

from typing import Final

from contracts.devices import ZonePolicy
from controller.core.claims import claims
from controller.core.traffic import holders
from zeroentry.simulator.outcome import BrokenError, Violation
from zeroentry.simulator.stage import Stage
from zeroentry.simulator.vehicle import Vehicle

EVACUATED_S: Final = 75.0
"""The longest way of the maps takes a minute, and a robot that stands waits for one that drives."""
SOON_S: Final = 10.0
"""Robots need as long after a fault is over."""


class FloorJudge:
    """Looks every few seconds, while it burns and while a robot is off the floor."""

    def __init__(self, world: Stage) -> None:
        """It does not burn."""
        self.world = world
        self._excused: dict[str, float] = {}

    def fire(self, *, burning: bool) -> None:
        """It burns: from now on robots have their time; or no longer."""
        if burning:
            self._excused = dict.fromkeys(self.world.robots, self.world.agenda.now_s)

    def look(self) -> None:
        """Who is where it may not be.

        Raises:
            BrokenError: a robot stands in the way of people, or keeps what it has left.
        """
        self._fetched()
        if self.world.fire or self.world.brain.state.facilities.fire:
            self._burning()

    def _burning(self) -> None:
        world, now_s = self.world, self.world.agenda.now_s
        for robot in world.robots.values():
            where = self._where(robot)
            if not where or robot.driving or not world.brain.up or not self._can_drive(robot):
                self._excused[robot.id] = now_s
                continue
            waited_s = now_s - self._excused.setdefault(robot.id, now_s)
            if waited_s > EVACUATED_S:
                raise self._broken(
                    "evacuation", f"{robot.id} has stood {where} for {waited_s:.0f} s of a fire"
                )

    def _can_drive(self, robot: Vehicle) -> bool:
        """Nothing holds it where it is: no fault, no person, no open lid."""
        world = self.world
        duty = world.brain.state.duties.get(robot.id)
        told = duty is not None and (duty.hold or duty.doubted or duty.removed)
        wire = not world.wires[robot.id].cut and robot.id not in world.judges.lied
        paused = robot.mind.paused or robot.mind.pausing
        troubled = (
            world.troubles.of(robot.id) or world.agenda.now_s - world.troubles.last_s < SOON_S
        )
        return robot.may_drive() and wire and not (told or paused or troubled)

    def _where(self, robot: Vehicle) -> str:
        """Where it is in people's way, though it could be out of it; empty: where it should be."""
        plan = self.world.plan
        place, _ = robot.where()
        here = self.world.ground.nearest(place.x_m, place.y_m, place.floor)
        if here in plan.refuges and robot.at(here):
            return ""
        if not self._has_refuge(robot, here):
            return ""
        return f"in {plan.cab_of[here]}" if here in plan.cab_of else f"at {here}"

    def _has_refuge(self, robot: Vehicle, here: str) -> bool:
        """Whether a refuge that is nobody else's can be reached without lift and fire door."""
        world, plan = self.world, self.world.plan
        taken = {duty.refuge for name, duty in world.brain.state.duties.items() if name != robot.id}
        for other in world.robots.values():
            if other is not robot and not other.carried:
                taken |= world.judges.nodes_of(other)
        shut = {
            node
            for zone in plan.zones.values()
            if zone.policy is not ZonePolicy.OPEN and self._is_shut(zone.seen_by)
            for node in zone.nodes
        }
        if here in shut:
            return False
        found, edge = {here}, [here]
        while edge:
            start = edge.pop()
            for end in plan.ways.get(start, {}):
                if end in found or end in taken or end in shut or self._is_barred(start, end):
                    continue
                if end in plan.refuges:
                    return True
                found.add(end)
                edge.append(end)
        return False

    def _is_shut(self, area: str | None) -> bool:
        cameras = self.world.cameras
        if area is None or cameras.blind_since(area) is not None:
            return True
        return cameras.people_in(area) > 0

    def _is_barred(self, start: str, end: str) -> bool:
        plan = self.world.plan
        if end in plan.cab_of and start not in plan.cab_of:
            return True
        lift = plan.cab_of.get(start)
        if lift is not None and (
            end in plan.cab_of or self.world.buildings.lifts[lift].floor is None
        ):
            return True
        door = plan.door_on.get((start, end))
        return door is not None and (plan.doors[door].fire_door or self.world.troubles.of(door))

    def _fetched(self) -> None:
        state = self.world.brain.state
        if not self.world.brain.up:
            return
        for name in self.world.supervisor.fetched:
            has = [key for key, robot in self._holders().items() if robot == name]
            has += [key for key, lift in state.facilities.lifts.items() if lift.robot_id == name]
            has += [
                row.id for row in state.deliveries.values()
                if row.robot_id == name and not row.ended
            ]  # fmt: skip
            if has:
                raise self._broken(
                    "removed", f"{', '.join(sorted(has)[:5])} is kept for {name}, which is gone"
                )

    def _holders(self) -> dict[str, str]:
        state = self.world.brain.state
        return dict(holders(state.plan, claims(state, self.world.agenda.now())))

    def _broken(self, judge: str, text: str) -> BrokenError:
        return BrokenError(Violation(self.world.agenda.now_s, judge, text))
