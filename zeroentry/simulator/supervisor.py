"""Plays the supervisor: looks at what stands alarmed, and lets it go on."""

from typing import Final

from controller.core.facility_words import FireReleased
from controller.core.fleet_inputs import RobotCleared
from controller.core.outputs import Accepted
from zeroentry.simulator.stage import Stage

LOOKS_AFTER_S: Final = 40.0
"""From an alert to somebody who has looked at the robot or the alarm."""


class Supervisor:
    """One person who answers alerts, in the order in which they come."""

    def __init__(self, world: Stage) -> None:
        """Nothing stands."""
        self.world = world
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Every few seconds: what has stood for long enough is seen to."""
        state = self.world.brain.state
        doubted = {name for name, duty in state.duties.items() if duty.doubted is not None}
        alarmed = {"fire"} if state.facilities.fire and not self.world.fire else set()
        for name in (*self._since,):
            if name not in doubted | alarmed:
                del self._since[name]
        for name in sorted(doubted | alarmed):
            since_s = self._since.setdefault(name, self.world.agenda.now_s)
            if self.world.agenda.now_s - since_s > LOOKS_AFTER_S:
                self._see_to(name)

    def _see_to(self, name: str) -> None:
        robot = self.world.robots.get(name)
        if robot is not None and (robot.lie is not None or robot.carried):
            return  # what it says is wrong still, as anybody sees who stands beside it
        if robot is not None:
            answer = self.world.brain.offer(RobotCleared(name, "looked at", "supervisor"))
        else:
            answer = self.world.brain.offer(FireReleased("supervisor", "the alarm was false"))
        done = any(isinstance(row, Accepted) for row in answer)
        self.world.tell("supervisor clears {}: {}", name, "done" if done else "refused")
        del self._since[name]
