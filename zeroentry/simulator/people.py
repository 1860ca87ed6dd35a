"""Plays the people: kitchen staff who load, experts who come to the door, strangers who walk.

They act on what they see before them, and on what the kitchen's page and the door's panel say.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api import ArrivalWindow, DeliveryBody, DeliveryKind, DeliveryState, OrderLine
from contracts.api.menu import DEFAULT_DISHES, MealTime, MenuBody, OrderTerms
from contracts.devices import Named
from contracts.units import UtcMs
from controller.core.ordering_inputs import MenuEdited
from controller.core.outputs import Accepted, Output, Refused
from controller.core.state import DeliveryCancelled, DeliveryLoaded, DeliveryOrdered, PinTried
from zeroentry.simulator.cameras import Person
from zeroentry.simulator.script import Expert, Kitchen, OrderPlan
from zeroentry.simulator.stage import Stage
from zeroentry.simulator.vehicle import Box, Vehicle

AGAIN_S: Final = 10.0
AGAIN_MAX: Final = 30
LATE_LOAD_S: Final = 240.0
LID_LEFT_S: Final = 150.0
PUT_BACK_MAX: Final = 3
"""So often somebody looks into a box and leaves the meal in it; then it is left to itself."""
PINS_MAX: Final = 5
LINES: Final[Mapping[DeliveryKind, tuple[OrderLine, ...]]] = {
    kind: (OrderLine(dish=next(row.id for row in DEFAULT_DISHES if row.kind is kind), count=1),)
    for kind in DeliveryKind
}
MEAL_MIN: Final = 10
"""From the cut-off of a meal to its beginning, on days on which it has one."""
CLOSED: Final = "closed at"
"""What the cut-off's refusal says."""


class People:
    """All people of a world. What they truly did is kept for the judges."""

    def __init__(self, world: Stage, rng: random.Random) -> None:
        """Nobody is there yet."""
        self.world = world
        self._rng = rng
        self.plans: dict[str, OrderPlan] = {row.id: row for row in world.script.orders}
        self.right_pins: Counter[str] = Counter()
        self.wrong_pins: Counter[str] = Counter()
        self.released: Counter[str] = Counter()
        """Openings that two supervisors have agreed on."""
        self.taken: dict[str, tuple[float, str]] = {}
        """Delivery -> when somebody took its meal out, and at which room's door."""
        self.returned: dict[str, float] = {}
        """Delivery -> when its meal was taken out in the kitchen."""
        self.ordered: dict[str, float] = {}
        self._put_back: Counter[str] = Counter()
        self._coming: set[str] = set()
        self._at_box: set[tuple[str, int]] = set()
        self.waiting = 0
        """How many of them are on their way to do something."""

    # --- ordering -----------------------------------------------------------------------------

    def begin(self) -> None:
        """The kitchen sets the day's meal time, where the day has one."""
        cut_off_min = self.world.script.cut_off_min
        if cut_off_min is None:
            return
        zone = ZoneInfo(self.world.plan.site.config.time_zone)
        start = datetime.fromtimestamp(self.world.agenda.utc_ms() / 1000, tz=zone)
        from_local = start + timedelta(minutes=cut_off_min + MEAL_MIN)
        meal = MealTime(
            id="meal",
            name=Named(zh="午餐", en="lunch"),
            from_local=from_local.strftime("%H:%M"),
            until_local=(from_local + timedelta(hours=1)).strftime("%H:%M"),
            cut_off_min=MEAL_MIN,
        )
        body = MenuBody(dishes=DEFAULT_DISHES, terms=OrderTerms(meals=(meal,), prepare_min=1))
        self.world.brain.offer(MenuEdited(body, 0, "kitchen"))

    def order(self, plan: OrderPlan) -> None:
        """Somebody orders, and perhaps calls it off."""
        world = self.world

        def try_it(times: int) -> None:
            body = DeliveryBody(
                room_id=plan.room_id,
                kind=plan.thing,
                lines=LINES[plan.thing],
                window=self._window(plan),
            )
            given = DeliveryOrdered(plan.id, body, "tablet", "digest", idempotency_key=plan.id)
            answer = world.brain.offer(given)
            if any(isinstance(row, Accepted) for row in answer):
                self.ordered[plan.id] = world.agenda.now_s
                world.tell("{} is ordered for {}", plan.id, plan.room_id)
                if plan.thing is not DeliveryKind.MEAL:
                    world.supervisor.asked(plan)
                if plan.cancel_s is not None:
                    world.agenda.after(plan.cancel_s, lambda: self._call_off(plan))
            elif times > 0 and not self._is_closed(answer):
                world.agenda.after(AGAIN_S, lambda: try_it(times - 1))
            else:
                world.refused.add(plan.id)
                said = [row.detail.en for row in answer if isinstance(row, Refused)]
                world.tell("{} is refused: {}", plan.id, said)
            if plan.window_s is not None and answer:
                taken = any(isinstance(row, Accepted) for row in answer)
                world.judges.ordered(plan, taken=taken, closed=self._is_closed(answer))

        try_it(AGAIN_MAX)

    def _window(self, plan: OrderPlan) -> ArrivalWindow | None:
        if plan.window_s is None:
            return None
        begin_ms = self.world.agenda.utc_start_ms
        first, last = (UtcMs(begin_ms + round(at_s * 1000)) for at_s in plan.window_s)
        return ArrivalWindow(from_utc_ms=first, until_utc_ms=last)

    @staticmethod
    def _is_closed(answer: Iterable[Output]) -> bool:
        return any(isinstance(row, Refused) and CLOSED in row.detail.en for row in answer)

    def _call_off(self, plan: OrderPlan) -> None:
        answer = self.world.brain.offer(DeliveryCancelled(plan.id, "not wanted", "tablet"))
        done = any(isinstance(row, Accepted) for row in answer)
        self.world.tell("{} is called off: {}", plan.id, "done" if done else "refused")

    # --- in the kitchen -----------------------------------------------------------------------

    def _soon(self, wait_s: float, act: Callable[[], None]) -> None:
        self.waiting += 1

        def do() -> None:
            self.waiting -= 1
            act()

        self.world.agenda.after(wait_s, do)

    def kitchen_opened(self, robot: Vehicle, box: Box) -> None:
        """A compartment unlocked in the kitchen: somebody comes to it."""
        key = (robot.id, box.number)
        if key in self._at_box:
            return
        plan = self._wanted(robot, box)
        wait_s = plan.load_s if plan is not None else 10.0
        if plan is not None and plan.kitchen is Kitchen.NEVER and box.content is None:
            return
        if plan is not None and plan.kitchen is Kitchen.LATE:
            wait_s = LATE_LOAD_S
        self._at_box.add(key)
        self._soon(wait_s, lambda: self._lift_lid(robot, box))

    def look(self) -> None:
        """Somebody in the kitchen sees a compartment that stands unlocked with a meal inside."""
        for robot in self.world.robots.values():
            if robot.driving or not robot.at(self.world.kitchen):
                continue
            for box in robot.boxes:
                left = not box.locked and box.content is not None
                if left and self._wanted(robot, box) is None:
                    self.kitchen_opened(robot, box)

    def _wanted(self, robot: Vehicle, box: Box) -> OrderPlan | None:
        """What the kitchen's page says belongs into a compartment."""
        for row in self.world.brain.state.deliveries.values():
            here = row.robot_id == robot.id and row.compartment == box.number
            if here and row.state in (DeliveryState.LOADING, DeliveryState.LOCKING):
                return self.plans.get(row.id)
        return None

    def _lift_lid(self, robot: Vehicle, box: Box) -> None:
        if box.locked or robot.driving or not robot.at(self.world.kitchen):
            self._at_box.discard((robot.id, box.number))
            return
        plan = self._wanted(robot, box)
        if plan is not None and plan.kitchen is Kitchen.EMPTY and box.content is None:
            # Says so before anything is in, sees the page's complaint, and puts it in later.
            self._say_loaded(plan, box.number, 1)
        box.lid_open = True
        robot.tell()
        self._soon(3.0, lambda: self._fill(robot, box))

    def _fill(self, robot: Vehicle, box: Box) -> None:
        plan = self._wanted(robot, box)
        if box.content is not None and (plan is None or box.content != plan.id):
            self.returned[box.content] = self.world.agenda.now_s
            self.world.tell("kitchen takes {} out of {}/{}", box.content, robot.id, box.number)
            box.content = None
        elif plan is not None and box.content is None:
            box.content = plan.id
            self.world.tell("kitchen puts {} into {}/{}", plan.id, robot.id, box.number)
        self._soon(2.0, lambda: self._close(robot, box, plan))

    def _close(self, robot: Vehicle, box: Box, plan: OrderPlan | None) -> None:
        self._at_box.discard((robot.id, box.number))
        self._shut(robot, box)
        if plan is None:
            return
        if plan.kitchen is Kitchen.WRONG_BOX:
            self.world.brain.offer(DeliveryLoaded(plan.id, box.number % 4 + 1, "kitchen"))
        self._soon(2.0, lambda: self._say_loaded(plan, box.number, AGAIN_MAX))

    def _say_loaded(self, plan: OrderPlan, number: int, times: int) -> None:
        answer = self.world.brain.offer(DeliveryLoaded(plan.id, number, "kitchen"))
        if not any(isinstance(row, Accepted) for row in answer) and times > 1:
            row = self.world.brain.state.deliveries.get(plan.id)
            if row is not None and not row.ended:
                self._soon(5.0, lambda: self._say_loaded(plan, number, times - 1))

    @staticmethod
    def _shut(robot: Vehicle, box: Box) -> None:
        box.lid_open = False
        robot.replan()
        robot.tell()

    # --- at the door --------------------------------------------------------------------------

    def robot_stands(self, robot: Vehicle) -> None:
        """A robot has come to stand: whoever waits for what it carries sees it."""
        for box in robot.boxes:
            plan = self.plans.get(box.content or "")
            if plan is None or plan.id in self._coming or plan.expert is Expert.NEVER:
                continue
            door = self.world.plan.door_nodes[plan.room_id]
            if robot.at(door):
                self._coming.add(plan.id)
                self._soon(plan.come_s, partial(self._at_panel, robot, plan, AGAIN_MAX))

    def _at_panel(self, robot: Vehicle, plan: OrderPlan, times: int) -> None:
        door = self.world.plan.door_nodes[plan.room_id]
        box = next((row for row in robot.boxes if row.content == plan.id), None)
        if box is None or not robot.at(door) or times <= 0:
            self._coming.discard(plan.id)
            return
        wrong = {Expert.WRONG_FIRST: 2, Expert.GUESSES: PINS_MAX}.get(plan.expert, 0)
        if self.wrong_pins[plan.id] < wrong:
            self._type(plan, right=False)
            self._soon(4.0, lambda: self._at_panel(robot, plan, times))
            return
        if plan.expert is Expert.GUESSES:
            if plan.release and not self.released[plan.id]:
                self.world.supervisor.release(plan)
            return
        if not box.locked and not box.lid_open:
            self._door_lid(robot, box, plan)
            return
        self._type(plan, right=True)
        self._soon(AGAIN_S, lambda: self._at_panel(robot, plan, times - 1))

    def _type(self, plan: OrderPlan, *, right: bool) -> None:
        if right and self.wrong_pins[plan.id] < PINS_MAX:
            self.right_pins[plan.id] += 1
        answer = self.world.brain.offer(PinTried(plan.id, right=right, by="expert"))
        taken = any(isinstance(row, Accepted) for row in answer)
        if not right and self._counted(plan.id):
            self.wrong_pins[plan.id] += 1
        self.world.tell(
            "{} PIN for {} at {}: {}", "right" if right else "wrong", plan.id, plan.room_id,
            "accepted" if taken else "refused",
        )  # fmt: skip

    def _counted(self, delivery_id: str) -> bool:
        row = self.world.brain.state.deliveries.get(delivery_id)
        return row is not None and row.state is DeliveryState.ARRIVED

    def door_opened(self, robot: Vehicle, box: Box, delivery_id: str) -> None:
        """A compartment unlocked at a door: who waits there lifts the lid."""
        plan = self.plans.get(delivery_id)
        if plan is not None and plan.id in self._coming:
            self._soon(1.5, lambda: self._door_lid(robot, box, plan))

    def _door_lid(self, robot: Vehicle, box: Box, plan: OrderPlan) -> None:
        if box.locked or box.lid_open or box.content != plan.id:
            return
        if self._put_back[plan.id] >= PUT_BACK_MAX:
            return
        box.lid_open = True
        door = self.world.plan.door_nodes[plan.room_id]
        person = Person(f"expert of {plan.id}", door, expert=True)
        self.world.appear(person)
        robot.tell()
        self._soon(4.0, lambda: self._take(robot, box, plan, person))

    def _take(self, robot: Vehicle, box: Box, plan: OrderPlan, person: Person) -> None:
        if plan.expert is not Expert.PUTS_BACK:
            box.content = None
            self.taken[plan.id] = (self.world.agenda.now_s, plan.room_id)
            self.world.tell("{} is taken out at {}", plan.id, plan.room_id)
            robot.tell()
        else:
            self._put_back[plan.id] += 1
        left_s = LID_LEFT_S if plan.expert is Expert.LEAVES_OPEN else 2.0

        def gone() -> None:
            self.world.vanish(person)

        def shut() -> None:
            self._coming.discard(plan.id)
            self._shut(robot, box)

        self._soon(left_s, shut)
        self._soon(4.0, gone)

    # --- strangers ----------------------------------------------------------------------------

    def stroll(self, start: str, for_s: float) -> None:
        """A stranger comes out somewhere, walks about, and goes."""
        person = Person(f"stranger at {start}", start, expert=False)
        end_s = self.world.agenda.now_s + for_s
        self.world.appear(person)

        def on() -> None:
            if self.world.agenda.now_s >= end_s:
                self.world.vanish(person)
                return
            near = [
                node for node in self.world.plan.ways.get(person.node, {})
                if self.world.ground.map.nodes[node].map_id
                == self.world.ground.map.nodes[person.node].map_id
            ]  # fmt: skip
            if near and self._rng.random() < 0.7:
                self.world.walk(person, self._rng.choice(sorted(near)))
            self._soon(self._rng.uniform(1.5, 4.0), on)

        self._soon(min(for_s, 2.0), on)
