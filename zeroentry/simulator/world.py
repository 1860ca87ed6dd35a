"""One simulated site and day: composes ground, robots, people, facilities, faults and judges.

Everything here follows from the script and its seed; the controller under test is the real core's
step, which knows nothing of it.
"""

import gc
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from contracts.observations import RoomObservation
from contracts.vda5050.state import ConnectionState
from controller.core import outputs as out
from controller.core import site as core
from controller.core.capability import Declared
from controller.core.facility_words import CommandFacility
from controller.core.fleet import RobotReport
from controller.core.fleet_inputs import RobotDeclared
from controller.core.plan import SitePlan
from controller.core.state import Input, Observed, RobotConnected, RobotReported
from runtime.clock import SystemClock
from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.brain import Brain, Step
from zeroentry.simulator.buildings import Buildings
from zeroentry.simulator.cameras import Cameras, Person
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.judges import Judges
from zeroentry.simulator.line import Wire
from zeroentry.simulator.maps import plan_named
from zeroentry.simulator.motion import Body
from zeroentry.simulator.outcome import BrokenError, OrderOutcome, Outcome, Violation
from zeroentry.simulator.people import People
from zeroentry.simulator.script import Script
from zeroentry.simulator.supervisor import Supervisor
from zeroentry.simulator.trace import Trace
from zeroentry.simulator.troubles import Troubles
from zeroentry.simulator.vehicle import ACTIONS, Box, Vehicle

LIMIT_S: Final = 5_400.0
# Ten minutes for a meal nobody loads, ten at a door where nobody comes, an hour for an order that
# no robot takes; then the day must be over.
UNLOCKED_LOOKS: Final = 12
"""A lid that was just shut is locked after the robot's next state, which may be lost: a minute."""
COLLECTED_AFTER: Final = (50_000, 50, 100)
LOOK_S: Final = 5.0
RESTED_S: Final = 12.0
"""A robot that has stood for so long waits for people: cameras need not renew its leases then."""


class World:
    """A site on one day."""

    def __init__(
        self,
        script: Script,
        *,
        plan: SitePlan | None = None,
        step: Step = core.step,
        whole_trace: bool = False,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Build it; ``step`` may be a core with a planted fault."""
        self.script = script
        self.plan = plan or plan_named(script.map, script.robots, script.boxes)
        self.limit_s = limit_s
        self.kitchen = self.plan.kitchen_node
        self.agenda = Agenda()
        self.rng = random.Random(f"world {script.seed}")
        self.trace = Trace(whole=whole_trace)
        self.counts: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.fire = False
        self.ground = Ground(self.plan)
        self.judges = Judges(self)
        self.buildings = Buildings(self)
        self.people = People(self, random.Random(f"people {script.seed}"))
        self.robots: dict[str, Vehicle] = {}
        self.wires: dict[str, Wire] = {}
        for number, robot in enumerate(list(self.plan.robots.values())[: script.robots]):
            self.robots[robot.id] = Vehicle(
                robot.id,
                self.ground,
                self.agenda,
                self,
                home=robot.home_node,
                boxes=robot.compartments,
                body=Body(speed_mps=robot.speed_max_m_s),
                battery_percent=script.battery_percent,
            )
            self.robots[robot.id].says_speed = number % 2 == 0  # in a standard state it is optional
            self.wires[robot.id] = Wire(self.agenda, self.rng, script.line)
        self.brain = Brain(self.plan, self.agenda, step, self._perform)
        self.cameras = Cameras(self.ground, self.agenda, self._seen, self.is_busy, script.camera_s)
        self.troubles = Troubles(self)
        self.supervisor = Supervisor(self)

    # --- the run ------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Play the day to its end, or to the first violation."""
        with _rare_collections():
            return self._run()

    def _run(self) -> Outcome:
        clock = SystemClock()
        began_ms = clock.mono_ms()
        violation: Violation | None = None
        for robot in self.robots.values():
            self.connect(robot, ConnectionState.ONLINE)
            robot.tell()
        for order in self.script.orders:
            self.agenda.at(order.at_s, partial(self.people.order, order))
        self.people.begin()
        self.troubles.begin()
        self.buildings.begin()
        try:
            self._play()
            self.judges.end()
        except BrokenError as broken:
            violation = broken.violation
            self.trace.tell(self.agenda.now_s, "VIOLATION {}: {}", violation.judge, violation.text)
        return self._outcome(violation, (clock.mono_ms() - began_ms) / 1000)

    def _play(self) -> None:
        quiet = 0
        while self.agenda.now_s < self.limit_s:
            until_s = self.agenda.now_s + LOOK_S
            while self.agenda.step(until_s):
                pass
            self.judges.look()
            self.supervisor.look()
            self.people.look()
            quiet = quiet + 1 if self._is_over() else 0
            if quiet > (1 if self._all_shut() else UNLOCKED_LOOKS):
                return
        self.judges.broken(
            "rest", f"the day is not over after {self.limit_s:.0f} s: {self._left()}"
        )

    def _all_shut(self) -> bool:
        boxes = [box for robot in self.robots.values() for box in robot.boxes]
        return all(box.locked and not box.lid_open for box in boxes)

    def _is_over(self) -> bool:
        return not self._left()

    def _left(self) -> list[str]:
        """What has not come to rest."""
        state = self.brain.state
        left = [f"{self.troubles.pending} faults"] if self.troubles.pending else []
        if not self.brain.up:
            left.append("the controller is down")
        if len(state.deliveries) + len(self.refused) < len(self.script.orders):
            left.append("orders are still to be made")
        left += [f"{row.id} is {row.state}" for row in state.deliveries.values() if not row.ended]
        for name, duty in state.duties.items():
            robot = self.robots.get(name)
            if robot is not None and (duty.mission is not None or robot.driving):
                left.append(f"{name} has not come to rest")
        if self.supervisor.pending:
            left.append("the supervisor has something to do")
        if self.people.waiting:
            left.append("people are still about")
        return left

    def is_busy(self) -> bool:
        """Whether any robot needs clearances now, or may soon."""
        now_s, duties = self.agenda.now_s, self.brain.state.duties
        for robot in self.robots.values():
            if robot.mind.nodes or now_s - robot.changed_s < RESTED_S:
                return True
            duty = duties.get(robot.id)
            if duty is not None and duty.goal is not None and not robot.at(duty.goal.node):
                return True
        return False

    def _outcome(self, violation: Violation | None, wall_s: float) -> Outcome:
        people, state = self.people, self.brain.state
        orders = []
        for plan in self.script.orders:
            row = state.deliveries.get(plan.id)
            taken = people.taken.get(plan.id)
            ended = self.judges.ended_s.get(plan.id)
            why = row.explanation.en if row is not None and row.explanation else ""
            name = str(row.state) if row is not None else "refused"
            orders.append(
                OrderOutcome(
                    plan.id, plan.room_id, name, people.ordered.get(plan.id, plan.at_s),
                    taken[0] if taken else None, ended, why,
                )
            )  # fmt: skip
            self.counts[f"delivery {name}"] += 1
        self.counts["steps"] = self.brain.steps
        self.counts["events"] = self.agenda.events
        return Outcome(
            seed=self.script.seed,
            map=self.script.map,
            violation=violation,
            simulated_s=self.agenda.now_s,
            wall_s=wall_s,
            orders=tuple(orders),
            counts=self.counts,
            load_s=self.judges.load(),
            work_s=self.judges.work(),
            trace=tuple(self.trace.lines()),
        )

    def tell(self, text: str, *values: object) -> None:
        """A line of the story."""
        self.trace.tell(self.agenda.now_s, text, *values)

    # --- towards the controller ---------------------------------------------------------------

    def offer_soon(self, given: Input, wait_s: float) -> None:
        """An input that reaches the controller a little later."""
        self.agenda.after(wait_s, lambda: self.brain.offer(given))

    def _seen(self, seen: RoomObservation) -> None:
        self.judges.observed(seen)
        self.brain.offer(Observed(seen))

    def connect(self, robot: Vehicle, state: ConnectionState) -> None:
        """A robot's connection message (QoS 1, retained)."""
        self.wires[robot.id].carry(
            lambda: self.brain.offer(RobotConnected(robot.id, state)), sure=True
        )

    def said(self, robot: Vehicle, report: RobotReport) -> None:
        """See ``Surroundings``."""
        header = robot.header_id
        given = RobotReported(robot.id, header, report)
        self.wires[robot.id].carry(lambda: self.brain.offer(given))

    def declared(self, robot: Vehicle) -> None:
        """See ``Surroundings``."""
        body = robot.body
        said = Declared(
            version=self.plan.robots[robot.id].vda5050_version,
            series="simulated",
            speed_max_m_s=body.speed_mps,
            deceleration_m_s2=body.deceleration_mps2,
            length_m=2 * body.radius_m,
            width_m=2 * body.radius_m,
            instant_actions=ACTIONS,
        )
        self.wires[robot.id].carry(lambda: self.brain.offer(RobotDeclared(robot.id, said)))

    # --- from the controller ------------------------------------------------------------------

    def _perform(self, output: out.Output) -> None:
        if isinstance(output, CommandFacility):
            self.buildings.take(output)
            return
        if not isinstance(output, out.PublishOrder | out.PublishAction):
            return
        robot = self.robots.get(output.robot_id)
        if robot is None:
            return
        if isinstance(output, out.PublishOrder):
            self.judges.released(output)
            self.tell(
                "-> {} order {}/{}: {}", output.robot_id, output.order_id, output.order_update_id,
                Nodes(output),
            )  # fmt: skip
            arrives = self.wires[robot.id].carry(lambda: robot.take_order(output))
            if arrives is None:
                self.judges.lost(robot.id)
        else:
            self.tell("-> {} {} {}", output.robot_id, output.action, output.action_id)
            arrives = self.wires[robot.id].carry(lambda: robot.take_action(output))
            self.judges.commanded(output, arrives)
        if arrives is None:
            self.counts["lost"] += 1
            self.tell("   (lost)")

    # --- Surroundings -------------------------------------------------------------------------

    def forgot(self, robot: Vehicle) -> None:
        """See ``Surroundings``."""
        self.judges.forgot(robot)

    def moved(self, robot: Vehicle) -> None:
        """See ``Surroundings``."""
        self.judges.moved(robot)
        if not robot.driving and not robot.carried:
            place, _ = robot.where()
            self.tell("{} stands at {:.1f}, {:.1f} {}", robot.id, place.x_m, place.y_m, place.floor)
            self.people.robot_stands(robot)

    def passed(self, robot: Vehicle, node: str) -> None:
        """See ``Surroundings``."""
        self.tell("{} passes {}", robot.id, node)
        self.judges.passed(robot, node)

    def bolt_drawn(self, robot: Vehicle, box: Box, action: out.PublishAction) -> None:
        """See ``Surroundings``."""
        delivery_id = action.opens.delivery_id if action.opens else ""
        self.tell("{}/{} unlocks for {}", robot.id, box.number, delivery_id)
        self.judges.unlocked(robot, box, delivery_id)
        if robot.at(self.kitchen):
            self.people.kitchen_opened(robot, box)
        else:
            self.people.door_opened(robot, box, delivery_id)

    # --- people on the floor ------------------------------------------------------------------

    def appear(self, person: Person) -> None:
        """Somebody is on the floor from now on."""
        self.tell("{} appears at {}", person.name, person.node)
        self.judges.person(person, came=True)
        self.cameras.appear(person)

    def vanish(self, person: Person) -> None:
        """Somebody has left the floor."""
        self.tell("{} goes", person.name)
        self.cameras.leave(person)
        self.judges.person(person, came=False)

    def walk(self, person: Person, node: str) -> None:
        """Somebody walks on to the next node."""
        self.cameras.leave(person)
        self.judges.person(person, came=False)
        person.node = node
        self.judges.person(person, came=True)
        self.cameras.appear(person)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cycles seldom: states are no cycles, and a fifth of the time went into looking."""
    before = gc.get_threshold()
    gc.freeze()  # what is loaded stays
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Nodes:
    """An order's nodes for the trace, made into text only when read."""

    def __init__(self, order: out.PublishOrder) -> None:
        self._order = order

    def __str__(self) -> str:
        base = [row.node_id for row in self._order.nodes if row.released]
        horizon = [row.node_id for row in self._order.nodes if not row.released]
        return " ".join(base) + (f" ({' '.join(horizon)})" if horizon else "")


def run(script: Script, *, step: Step = core.step, whole_trace: bool = False) -> Outcome:
    """Play a script to its end."""
    return World(script, step=step, whole_trace=whole_trace).run()


def on_plan(script: Script, plan: SitePlan, *, step: Step = core.step) -> Outcome:
    """Play a script on a site of one's own; its ``map`` is only a name then."""
    return World(replace(script, robots=len(plan.robots)), plan=plan, step=step).run()
