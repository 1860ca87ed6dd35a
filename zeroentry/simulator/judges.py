"""Judges a simulated day by the world's truth: positions, bolts, meals and people as they are.

What the system says of itself is read only where the rule is about it: its orders to robots, and
whether it still stands by its deliveries. ``tests/simulation/dispatch`` plants a fault for each.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from contracts.api import DeliveryKind, DeliveryState
from contracts.devices import ZonePolicy
from contracts.observations import RoomObservation
from contracts.units import RobotId
from controller.core import outputs as out
from controller.core.deliveries import Delivery
from controller.core.facility_words import DoorPosition
from controller.core.fleet import Duty
from zeroentry.simulator import liveness
from zeroentry.simulator.cameras import Person
from zeroentry.simulator.floor_judge import FloorJudge
from zeroentry.simulator.outcome import BrokenError, Violation
from zeroentry.simulator.people import PINS_MAX
from zeroentry.simulator.proof_judge import ProofJudge
from zeroentry.simulator.script import OrderPlan
from zeroentry.simulator.stage import Door, Lift, Stage
from zeroentry.simulator.vehicle import AT_NODE_M, Box, Vehicle

TOUCH_M: Final = 0.01
LOOK_CLOSE_S: Final = 0.02
POLL_S: Final = 0.1
PUBLISHED_S: Final = 0.7
"""dispatch.md: person in the picture to startPause published."""
LEASE_S: Final = 2.0
RESENT_S: Final = 0.8
"""A pause that is not answered is sent again every 0.3 s, looked at every 0.2 s."""
RESTARTED_S: Final = 7.0
"""After a restart the controller knows a robot again by its next state, within 5 s."""
FIRE_S: Final = 30.0
"""A robot on its way into a lift when it begins to burn may be in it by then."""


@dataclass(slots=True)
class _Pause:
    sent_s: float
    arrives_s: float | None


@dataclass(slots=True)
class _Held:
    """What a robot was given: nodes released to it that it has not passed in truth."""

    order_id: str = ""
    nodes: dict[int, str] = field(default_factory=dict)
    before: tuple[str, dict[int, str]] = ("", {})
    """The same before the message that was sent last."""


class Judges:
    """All judges of one world."""

    def __init__(self, world: Stage) -> None:
        """Nothing has happened."""
        self.world = world
        self._pair: Counter[tuple[str, str]] = Counter()
        self._zones: dict[str, list[Person]] = {}
        self._since: dict[str, float] = {}
        self._inside: dict[tuple[str, str], bool] = {}
        self._polls = 0
        self._pauses: dict[str, list[_Pause]] = {}
        self._held: dict[str, _Held] = {}
        self._from: dict[str, str] = {}
        self._opened: Counter[str] = Counter()
        self._on: dict[str, tuple[str, float]] = {}
        self._load: Counter[str] = Counter()
        self._moving: dict[str, float] = {}
        self._work: Counter[str] = Counter()
        self._burning_s: float | None = None
        self._passage: dict[str, float] = {}
        """Robot -> when it was seen in a lift or a fire door last, while somebody was about."""
        self.ended_s: dict[str, float] = {}
        self.lied: set[str] = set()
        """Robots that have lied: what follows from it is not for every judge to tell."""
        self._liveness = liveness.Liveness(world)
        self._floor = FloorJudge(world)
        self._proof = ProofJudge(world)

    def broken(self, judge: str, text: str) -> None:
        """Stop the world.

        Raises:
            BrokenError: always.
        """
        raise BrokenError(Violation(self.world.agenda.now_s, judge, text))

    # --- collisions ---------------------------------------------------------------------------

    def moved(self, robot: Vehicle) -> None:
        """A robot moves otherwise than before: look at it and each other one."""
        now_s = self.world.agenda.now_s
        if robot.driving:
            self._moving.setdefault(robot.id, now_s)
        elif robot.id in self._moving:
            self._work[robot.id] += round((now_s - self._moving.pop(robot.id)) * 1000)
        for other in self.world.robots.values():
            if other is not robot:
                self._closeness(robot, other)

    def _closeness(self, one: Vehicle, other: Vehicle) -> None:
        """Look now; and again when they could touch at the soonest."""
        key = (min(one.id, other.id), max(one.id, other.id))
        self._pair[key] += 1
        here, speed = one.where()
        there, other_speed = other.where()
        if one.carried or other.carried or here.floor != there.floor:
            return
        gap_m = math.hypot(here.x_m - there.x_m, here.y_m - there.y_m)
        gap_m -= one.body.radius_m + other.body.radius_m
        if gap_m < -TOUCH_M:
            self.broken(
                "collision",
                f"{one.id} ({here.x_m:.2f}, {here.y_m:.2f}, {speed:.2f} m/s) and {other.id} "
                f"({there.x_m:.2f}, {there.y_m:.2f}, {other_speed:.2f} m/s) overlap",
            )
        nearing = sum(row.body.speed_mps for row in (one, other) if row.driving)
        if nearing:
            count = self._pair[key]

            def again() -> None:
                if self._pair[key] == count:
                    self._closeness(one, other)

            self.world.agenda.after(max(gap_m / nearing, LOOK_CLOSE_S), again)

    # --- who was given what -------------------------------------------------------------------

    def released(self, order: out.PublishOrder) -> None:
        """The controller gives nodes to a robot: nobody else may have them."""
        held = self._held.setdefault(order.robot_id, _Held())
        held.before = (held.order_id, dict(held.nodes))
        if held.order_id != order.order_id:
            held.order_id, held.nodes = order.order_id, {}
        robot = self.world.robots[order.robot_id]
        same = robot.mind.order_id == order.order_id
        passed = robot.mind.last_seq if same else -1
        for row in order.nodes:
            if row.released and row.sequence_id > passed:
                held.nodes[row.sequence_id] = row.node_id
        if robot.id in self.lied:
            return
        mine = self._resources(robot)
        for other in self.world.robots.values():
            if other is robot or other.carried or other.id in self.lied:
                continue
            both = mine & self._resources(other)
            if both:
                self.broken(
                    "granted twice",
                    f"{', '.join(sorted(both))} released to {robot.id} in {order.order_id}, "
                    f"but {other.id} has it",
                )

    def lost(self, robot_id: RobotId) -> None:
        """The order that was just sent never comes, in no copy: it gave the robot nothing."""
        held = self._held[robot_id]
        held.order_id, held.nodes = held.before

    def forgot(self, robot: Vehicle) -> None:
        """A robot has no order any more."""
        self._held.pop(robot.id, None)
        place, _ = robot.where()
        self._from[robot.id] = self.world.ground.nearest(place.x_m, place.y_m, place.floor)
        self._on.pop(robot.id, None)

    def _resources(self, robot: Vehicle) -> set[str]:
        """What a robot has: what it may drive to, and what it stands on in truth."""
        nodes = self.nodes_of(robot)
        needs = self.world.plan.needs
        return {name for node in nodes for name in needs.get(node, frozenset({node}))}

    def nodes_of(self, robot: Vehicle) -> set[str]:
        """What a robot may drive to, and what it stands on in truth."""
        held = self._held.get(robot.id)
        nodes: set[str] = set()
        mind = robot.mind
        if held is not None:
            if mind.order_id == held.order_id:
                gone = mind.cancelled
                held.nodes = {k: v for k, v in held.nodes.items() if k > mind.last_seq and not gone}
            nodes |= set(held.nodes.values())
        nodes |= set(robot.base)
        place, _ = robot.where()
        nodes.add(self.world.ground.nearest(place.x_m, place.y_m, place.floor))
        return nodes

    # --- where it drives ----------------------------------------------------------------------

    def passed(self, robot: Vehicle, node: str) -> None:
        """A robot is at a node in truth."""
        now_s = self.world.agenda.now_s
        before = self._from.get(robot.id, robot.home)
        self._from[robot.id] = node
        on = self._on.get(robot.id)
        if on is not None:
            for name in self.world.plan.needs.get(on[0], frozenset({on[0]})):
                self._load[name] += round((now_s - on[1]) * 1000)
        self._on[robot.id] = (node, now_s)
        door_id = self.world.plan.door_on.get((before, node))
        if door_id is not None:
            door = self.world.buildings.doors[door_id]
            late = now_s - door.changed_s < 1.0
            if door.position is not DoorPosition.OPEN and not late:
                self.broken("door", f"{robot.id} went through {door_id}, which is {door.position}")
        self._lift(robot, before, node)

    def _lift(self, robot: Vehicle, before: str, node: str) -> None:
        cab_of = self.world.plan.cab_of
        lift_id = cab_of.get(node) or cab_of.get(before)
        if lift_id is None:
            return
        lift = self.world.buildings.lifts[lift_id]
        floor = self.world.ground.map.nodes[node].map_id
        if lift.floor != floor or not lift.door_open:
            state = f"at {lift.floor}, door {'open' if lift.door_open else 'shut'}"
            self.broken(
                "lift", f"{robot.id} went from {before} to {node}, but {lift_id} is {state}"
            )
        enters = node in cab_of and before not in cab_of
        if not enters:
            return
        inside = [
            other.id for other in self.world.robots.values()
            if other is not robot and cab_of.get(self._from.get(other.id, "")) == lift_id
            and not other.carried and not self._left_cab(other)
        ]  # fmt: skip
        if inside:
            self.broken("lift", f"{robot.id} enters {lift_id} beside {inside[0]}")
        burning = self._burning_s
        if burning is not None and self.world.agenda.now_s - burning > FIRE_S:
            self.broken("lift", f"{robot.id} enters {lift_id} while it burns")

    def _left_cab(self, robot: Vehicle) -> bool:
        node = self._from.get(robot.id, robot.home)
        place, _ = robot.where()
        near = self.world.ground.nearest(place.x_m, place.y_m, place.floor)
        return near != node and near not in self.world.plan.cab_of

    def door_shuts(self, door: Door) -> None:
        """A door begins to close: nobody may be in it."""
        for one, other in self.world.plan.doors[door.name].ways:
            self._nobody_between(one, other, f"door {door.name} shuts")

    def lift_shuts(self, lift: Lift) -> None:
        """A lift's door begins to close: nobody may be in it."""
        if lift.floor is None:
            return
        cab = self.world.plan.lifts[lift.name].cab_at(lift.floor)
        for near in self.world.plan.ways.get(cab or "", {}):
            if near not in self.world.plan.cab_of:
                self._nobody_between(cab or "", near, f"the door of {lift.name} shuts")

    def _nobody_between(self, one: str, other: str, what: str) -> None:
        nodes = self.world.ground.map.nodes
        a, b = nodes[one], nodes[other]
        length_m = math.hypot(a.x_m - b.x_m, a.y_m - b.y_m)
        for robot in self.world.robots.values():
            place, _ = robot.where()
            if robot.carried or place.floor != a.map_id or robot.id in self.lied:
                continue
            near_m = place.distance_m(a.x_m, a.y_m)
            far_m = place.distance_m(b.x_m, b.y_m)
            between = near_m + far_m < length_m + 0.05
            if between and min(near_m, far_m) > AT_NODE_M:
                self.broken("door", f"{what} while {robot.id} is between {one} and {other}")

    def fire(self, *, burning: bool) -> None:
        """It burns, or no longer."""
        self._burning_s = self.world.agenda.now_s if burning else None
        self._floor.fire(burning=burning)

    # --- zones --------------------------------------------------------------------------------

    def person(self, person: Person, *, came: bool) -> None:
        """Somebody comes into a zone, or leaves it."""
        self._proof.person(person, came=came)
        zone = self.world.plan.zone_at.get(person.node)
        if zone is None or zone.policy is ZonePolicy.OPEN or zone.seen_by is None:
            return
        if person.expert and zone.policy is ZonePolicy.EXPERTS_ONLY:
            return
        people = self._zones.setdefault(zone.id, [])
        if came:
            people.append(person)
            if len(people) == 1:
                self._since[zone.id] = self.world.agenda.now_s
                for robot in self.world.robots.values():
                    self._inside[zone.id, robot.id] = self._is_in(robot, zone.id)
                self._poll(zone.id, self._since[zone.id])
        else:
            people.remove(person)
            if not people:
                self._since.pop(zone.id, None)

    def observed(self, seen: RoomObservation) -> None:
        """A picture of an area has reached the controller, or would have if it were up."""
        self._proof.observed(seen)

    def _is_in(self, robot: Vehicle, zone_id: str) -> bool:
        place, _ = robot.where()
        zone = self.world.ground.zone_of(place.x_m, place.y_m, place.floor)
        return zone is not None and zone.id == zone_id and not robot.carried

    def _poll(self, zone_id: str, since_s: float) -> None:
        if self._since.get(zone_id) != since_s:
            return
        for robot in self.world.robots.values():
            key = (zone_id, robot.id)
            inside = self._is_in(robot, zone_id)
            entered = inside and not self._inside.get(key, False)
            self._inside[key] = inside
            if inside and robot.driving and robot.where()[1] > 0:
                self._judge_zone(robot, zone_id, since_s, entered=entered)
        self.world.agenda.after(POLL_S, lambda: self._poll(zone_id, since_s))

    def _judge_zone(self, robot: Vehicle, zone_id: str, since_s: float, *, entered: bool) -> None:
        now_s = self.world.agenda.now_s
        due_s = self._due_s(robot, zone_id, since_s)
        braking_s = robot.body.braking_s(robot.body.speed_mps) + POLL_S
        if due_s is None or now_s <= due_s + braking_s or robot.id in self.lied:
            return
        what = "enters" if entered else "drives in"
        self.broken(
            "interlock",
            f"{robot.id} {what} {zone_id} {now_s - since_s:.2f} s after "
            f"{self._zones[zone_id][0].name} came (allowed: {due_s - since_s:.2f} s and "
            f"{braking_s:.2f} s of braking)",
        )

    def _due_s(self, robot: Vehicle, zone_id: str, since_s: float) -> float | None:
        """By when the robot must have been told to stop; None: the network is to blame."""
        brain, now_s = self.world.brain, self.world.agenda.now_s
        if not brain.up:
            return None
        due_s = since_s
        blind_s = self.world.cameras.blind_since(self.world.plan.zones[zone_id].seen_by)
        if blind_s is not None and blind_s <= since_s:
            due_s = max(due_s, blind_s + LEASE_S)
        if self._in_passage(robot):
            self._passage[robot.id] = now_s
        due_s = max(due_s, self._passage.get(robot.id, 0.0))
        due_s = max(due_s + PUBLISHED_S, brain.since_s + RESTARTED_S if brain.since_s else 0.0)
        sent = [row for row in self._pauses.get(robot.id, ()) if row.sent_s >= since_s]
        if not sent or sent[0].sent_s > due_s:
            return due_s
        arrived = [row.arrives_s for row in sent if row.arrives_s is not None]
        if arrived:
            return max(due_s, min(arrived))
        if now_s - sent[-1].sent_s > RESENT_S:
            return due_s
        return None

    def _in_passage(self, robot: Vehicle) -> bool:
        """In a lift or a fire door: dispatch.md wants it out of there before it is stopped."""
        plan, here = self.world.plan, robot.mind.last_node
        ahead = robot.mind.nodes[0].node_id if robot.mind.nodes else here
        door = plan.door_on.get((here, ahead))
        fire_door = door is not None and plan.doors[door].fire_door
        return fire_door or here in plan.cab_of or ahead in plan.cab_of

    def commanded(self, action: out.PublishAction, arrives_s: float | None) -> None:
        """An instant action is published; ``arrives_s`` None: the network lost it."""
        if action.action is out.ActionKind.PAUSE:
            row = _Pause(self.world.agenda.now_s, arrives_s)
            self._pauses.setdefault(action.robot_id, []).append(row)

    # --- custody ------------------------------------------------------------------------------

    def unlocked(self, robot: Vehicle, box: Box, delivery_id: str) -> None:
        """A bolt was drawn: in the kitchen, or at the right door after the right PIN."""
        people, plan = self.world.people, self.world.plan
        who = f"{robot.id}/{box.number}"
        if robot.driving:
            self.broken("unlock", f"{who} opens while it drives")
        if robot.at(self.world.kitchen):
            return
        order = people.plans.get(delivery_id)
        if order is None or not robot.at(plan.door_nodes[order.room_id]):
            place, _ = robot.where()
            self.broken(
                "unlock",
                f"{who} opens for {delivery_id} at {place.x_m:.1f}, {place.y_m:.1f}: neither the "
                "kitchen nor that order's door",
            )
            return
        if box.content is not None and people.plans[box.content].room_id != order.room_id:
            self.broken("unlock", f"{who} opens at {order.room_id} with {box.content} inside")
        self._opened[delivery_id] += 1
        allowed = people.right_pins[delivery_id] + people.released[delivery_id]
        if self._opened[delivery_id] > allowed:
            self.broken(
                "unlock",
                f"{who} opens for {delivery_id} the {self._opened[delivery_id]}. time after "
                f"{people.right_pins[delivery_id]} right PINs "
                f"({people.wrong_pins[delivery_id]} wrong, {PINS_MAX} lock it) and "
                f"{people.released[delivery_id]} releases by two",
            )

    # --- orders -------------------------------------------------------------------------------

    def ordered(self, plan: OrderPlan, *, taken: bool, closed: bool) -> None:
        """A meal with a window is taken until the minute of its cut-off, and not after it."""
        cut_off_min = self.world.script.cut_off_min
        if cut_off_min is None or plan.thing is not DeliveryKind.MEAL:
            return
        late = self.world.agenda.now_s > cut_off_min * 60
        if (taken and late) or (closed and not late):
            said = "refused as too late" if closed else "taken"
            self.broken("cut-off", f"{plan.id} is {said}; its meal closes at {cut_off_min} min")

    # --- every few seconds --------------------------------------------------------------------

    def look(self) -> None:
        """Owners and progress."""
        state, now_s = self.world.brain.state, self.world.agenda.now_s
        for row in state.deliveries.values():
            if row.ended:
                self.ended_s.setdefault(row.id, now_s)
            elif row.robot_id is not None and not handed_over(row):
                duty = state.duties.get(row.robot_id)
                if duty is None or row.id not in served(duty):
                    does = f"serves {served(duty)}" if duty is not None else "is not there"
                    self.broken("owner", f"{row.id} ({row.state}) is {row.robot_id}'s, who {does}")
        for duty in state.duties.values():
            for delivery_id in served(duty):
                found = state.deliveries.get(delivery_id)
                if found is None or found.ended or found.robot_id != duty.robot_id:
                    what = "is gone" if found is None else f"is {found.state} of {found.robot_id}"
                    self.broken("owner", f"{duty.robot_id} serves {delivery_id}, which {what}")
        self._liveness.look()
        self._floor.look()

    # --- at the end ---------------------------------------------------------------------------

    def end(self) -> None:
        """Each order ended, delivered or explained; what was taken is what is said."""
        state, people = self.world.brain.state, self.world.people
        for plan in self.world.script.orders:
            row = state.deliveries.get(plan.id)
            if row is None:
                if plan.id not in self.world.refused:
                    self.broken("end", f"{plan.id} was ordered and is nowhere")
                continue
            if not row.ended:
                self.broken("end", f"{plan.id} ends {row.state}")
            taken = plan.id in people.taken
            if row.state is DeliveryState.RETURNED and not taken:
                self.broken("end", f"{plan.id} counts as delivered; nobody took it")
            if row.state is not DeliveryState.RETURNED and row.explanation is None:
                self.broken("end", f"{plan.id} ends {row.state} without a reason")
        for robot in self.world.robots.values():
            for box in robot.boxes:
                if box.lid_open or not box.locked:
                    self.broken("end", f"{robot.id}/{box.number} is left open")
        self._proof.end()

    # --- figures ------------------------------------------------------------------------------

    def load(self) -> dict[str, float]:
        """Seconds that each resource was taken by a robot on it or leaving it."""
        return {name: ms / 1000 for name, ms in sorted(self._load.items())}

    def work(self) -> dict[str, float]:
        """Seconds that each robot drove."""
        return {name: ms / 1000 for name, ms in sorted(self._work.items())}


def served(duty: Duty) -> tuple[str, ...]:
    """The deliveries that a robot has to do with."""
    return duty.tour.deliveries if duty.tour is not None else ()


def handed_over(delivery: Delivery) -> bool:
    """The meal is with its people; what is left is that the robot comes home."""
    home = delivery.state in (DeliveryState.COLLECTED, DeliveryState.RETURNING)
    return home and not delivery.cargo
