"""Plays the supervisor: looks at what stands alarmed, tells robots, fetches what broke down."""

import random
from collections.abc import Callable
from itertools import cycle
from typing import Final

from contracts.api import DeliveryState
from controller.core.dispatch_inputs import RobotCommanded
from controller.core.facility_words import FireReleased
from controller.core.fleet import HoldVerb
from controller.core.fleet_inputs import RobotCleared
from controller.core.ordering_inputs import DeliveryJudged, ReleaseAsked, ReleaseJudged
from controller.core.outputs import Accepted
from controller.core.state import Input
from zeroentry.simulator.cameras import Person
from zeroentry.simulator.script import Approval, OrderPlan
from zeroentry.simulator.stage import Stage
from zeroentry.simulator.vehicle import Vehicle

LOOKS_AFTER_S: Final = 40.0
"""From an alert to somebody who has looked at the robot or the alarm."""
AGAIN_S: Final = 8.0
GO_THERE_S: Final = 12.0
CARRY_S: Final = 15.0
ASK_S: Final = 10.0
FREE_M: Final = 1.5
EMPTIED_SHARE: Final = 0.5


class Supervisor:
    """One person who answers alerts, in the order in which they come."""

    def __init__(self, world: Stage) -> None:
        """Nothing stands."""
        self.world = world
        self._since: dict[str, float] = {}
        self._rng = random.Random(f"supervisor {world.script.seed}")
        self.fetched: dict[str, float] = {}
        self.pending = 0
        """What is not done yet."""

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

    # --- what robots are told -------------------------------------------------------------------

    def _until_taken(
        self, make: Callable[[], Input | None], done: Callable[[], None] = lambda: None
    ) -> None:
        """Say something until the controller takes it; ``make`` None: there is no need any more."""
        self.pending += 1

        def say() -> None:
            given = make()
            answer = self.world.brain.offer(given) if given is not None else ()
            if given is None or any(isinstance(row, Accepted) for row in answer):
                self.pending -= 1
                if given is not None:
                    done()
                return
            self.world.agenda.after(AGAIN_S, say)

        say()

    def command(self, robot: Vehicle, verb: HoldVerb) -> None:
        """See ``Will``. Who was fetched meanwhile is held no longer."""

        def given() -> Input | None:
            duty = self.world.brain.state.duties[robot.id]
            over = verb is HoldVerb.RESUME and duty.hold is None
            if self.world.brain.up and (over or duty.removed is not None):
                return None
            return RobotCommanded(robot.id, verb, "simulated", "supervisor")

        self._until_taken(given, lambda: self.world.tell("supervisor: {} {}", verb, robot.id))

    def fetch(self, robot: Vehicle) -> Callable[[], None]:
        """See ``Will``: it breaks down; somebody goes there, and has it off the floor."""
        robot.e_stop = True
        robot.replan()
        robot.tell()
        self.pending += 1
        self.world.agenda.after(GO_THERE_S, lambda: self._at_it(robot))
        return lambda: self._put_back(robot)

    def _at_it(self, robot: Vehicle) -> None:
        world = self.world
        place, _ = robot.where()
        person = Person(
            f"who fetches {robot.id}",
            world.ground.nearest(place.x_m, place.y_m, place.floor),
            expert=False,
        )
        world.appear(person)

        def carry() -> None:
            robot.take_away()
            world.tell("supervisor carries {} away", robot.id)
            if self._rng.random() < EMPTIED_SHARE:
                for box in robot.boxes:
                    box.content = None
            for box in robot.boxes:
                box.lid_open, box.locked = False, True
            world.vanish(person)

        def said() -> None:
            world.tell("supervisor: {} is off the floor", robot.id)
            self.fetched[robot.id] = world.agenda.now_s
            self.pending -= 1

        def off() -> Input | None:
            return RobotCommanded(robot.id, HoldVerb.REMOVED, "broke down", "supervisor")

        # Nobody says so before it is true: what it stood on is given to others at once.
        carry()
        world.agenda.after(CARRY_S, lambda: self._until_taken(off, said))

    def _put_back(self, robot: Vehicle) -> None:
        """Onto its home, or the next refuge where the controller lets it stand."""
        self.pending += 1
        plan = self.world.plan
        places = cycle(dict.fromkeys((robot.home, *plan.refuges)))

        def put() -> None:
            if robot.id not in self.fetched:
                self.world.agenda.after(AGAIN_S, put)  # nobody has said yet that it is away
                return
            node = next(places)
            if not self._is_free(robot, node):
                self.world.agenda.after(AGAIN_S, put)
                return
            robot.e_stop = False
            robot.put(node)
            self.world.agenda.after(AGAIN_S, lambda: say(3))

        def say(times: int) -> None:
            given = RobotCommanded(robot.id, HoldVerb.RETURNED, "mended", "supervisor")
            answer = self.world.brain.offer(given)
            if any(isinstance(row, Accepted) for row in answer):
                self.world.tell("supervisor: {} stands again at {}", robot.id, robot.mind.last_node)
                del self.fetched[robot.id]
                self.pending -= 1
            elif times > 0 or not self.world.brain.up:
                robot.tell()
                self.world.agenda.after(AGAIN_S, lambda: say(times - 1))
            else:
                robot.take_away()
                self.world.agenda.after(AGAIN_S, put)

        put()

    def _is_free(self, robot: Vehicle, node: str) -> bool:
        there = self.world.ground.place(node)
        return all(
            row.carried
            or row is robot
            or row.where()[0].floor != there.floor
            or row.where()[0].distance_m(there.x_m, there.y_m) >= FREE_M
            for row in self.world.robots.values()
        )

    # --- orders ---------------------------------------------------------------------------------

    def asked(self, plan: OrderPlan) -> None:
        """An order waits for approval: yes, no, or nobody looks."""
        if plan.approval is Approval.NEVER:
            return
        yes = plan.approval is Approval.GIVEN

        def given() -> Input | None:
            row = self.world.brain.state.deliveries.get(plan.id)
            if self.world.brain.up and (row is None or row.state is not DeliveryState.PROPOSED):
                return None
            return DeliveryJudged(plan.id, yes, "simulated", "supervisor")

        def say() -> None:
            self.pending -= 1
            self._until_taken(given, lambda: self.world.tell("{} approved: {}", plan.id, yes))

        self.pending += 1
        self.world.agenda.after(plan.approve_s, say)

    def release(self, plan: OrderPlan) -> None:
        """The PIN is locked: one supervisor asks, another one opens."""

        def at_door() -> bool:
            row = self.world.brain.state.deliveries.get(plan.id)
            return row is not None and row.state is DeliveryState.ARRIVED

        def ask() -> Input | None:
            wanted = at_door() or not self.world.brain.up
            return ReleaseAsked(plan.id, "the PIN is locked", "supervisor") if wanted else None

        def judge() -> Input | None:
            if self.world.brain.up and not at_door():
                return None
            return ReleaseJudged(plan.id, approved=True, by="other supervisor")

        def opened() -> None:
            self.world.people.released[plan.id] += 1
            self.world.tell("{} is released by two", plan.id)

        def later() -> None:
            self.pending -= 1
            self._until_taken(judge, opened)

        def wait() -> None:
            self.pending += 1
            self.world.agenda.after(ASK_S, later)

        self._until_taken(ask, wait)
