"""Simulates one robot of another make that speaks VDA 5050: it knows the standard, not our bridge.

It takes orders as base and horizon, refuses what the standard lets it refuse, pauses, cancels, and
moves its compartments. What it believes and what it is are two things: ``lie`` changes its word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from contracts.api import Pose
from contracts.vda5050.profile import (
    LOCK_COMPARTMENT,
    OPEN_COMPARTMENT,
    CompartmentState,
    LidState,
    LockState,
)
from contracts.vda5050.state import ActionStatus
from controller.core.fleet import ActionReport, RobotReport, Unpassed
from controller.core.outputs import OrderNode, PublishAction, PublishOrder
from controller.core.robot_errors import ProblemLevel, RobotProblem
from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.motion import Body, Place, Ride, Stop, braking, ride

START_NEAR_M: Final = 0.5
AT_NODE_M: Final = 0.5
BOLT_S: Final = 0.3
DRIVING_EVERY_S: Final = 5.0  # states come on events; between them no more often than this
STANDING_EVERY_S: Final = 15.0  # the standard asks for one in 30 s
IDLE_W: Final = 25.0
DRIVE_W: Final = 140.0
CHARGE_W: Final = 300.0
BATTERY_WH: Final = 480.0
ACTIONS_MAX: Final = 60
ACTIONS: Final = (
    "startPause",
    "stopPause",
    "cancelOrder",
    "startCharging",
    "stopCharging",
    "stateRequest",
    "factsheetRequest",
    OPEN_COMPARTMENT,
    LOCK_COMPARTMENT,
)

_RUNNING: Final = ActionStatus.RUNNING
_FINISHED: Final = ActionStatus.FINISHED
_FAILED: Final = ActionStatus.FAILED


@dataclass(slots=True)
class Box:
    """A compartment as it really is. ``content``: the delivery whose meal lies in it."""

    number: int
    lid_open: bool = False
    locked: bool = True
    content: str | None = None
    stuck: bool = False
    """Its bolt does not move."""

    def state(self) -> CompartmentState:
        """As its sensors see it."""
        return CompartmentState(
            self.number,
            LidState.OPEN if self.lid_open else LidState.CLOSED,
            LockState.LOCKED if self.locked else LockState.UNLOCKED,
            self.content is not None,
        )


class Surroundings(Protocol):
    """What a robot's doings mean to the world around it."""

    def said(self, robot: "Vehicle", report: RobotReport) -> None:
        """It sends its state."""

    def declared(self, robot: "Vehicle") -> None:
        """It sends its factsheet."""

    def forgot(self, robot: "Vehicle") -> None:
        """It has no order any more, and knows of none."""

    def moved(self, robot: "Vehicle") -> None:
        """It begins to move otherwise than before, or stands."""

    def passed(self, robot: "Vehicle", node: str) -> None:
        """It is at a node of its way."""

    def bolt_drawn(self, robot: "Vehicle", box: Box, action: PublishAction) -> None:
        """A compartment was unlocked."""


@dataclass(slots=True)
class _Action:
    sent: PublishAction
    status: ActionStatus
    result: str = ""


@dataclass(slots=True)
class _Battery:
    """Charge at a moment, and the power drawn since."""

    percent: float
    since_s: float
    watts: float

    def at(self, now_s: float) -> float:
        spent = self.watts * (now_s - self.since_s) / 3600 / BATTERY_WH * 100
        return max(0.0, min(100.0, self.percent - spent))


@dataclass(slots=True)
class Mind:
    """What a robot remembers of its work, and loses when it reboots without memory."""

    order_id: str = ""
    update_id: int = 0
    nodes: list[OrderNode] = field(default_factory=list)
    """Not yet passed, base and horizon."""
    said: tuple[OrderNode, ...] = ()
    last_node: str = ""
    last_seq: int = 0
    cancelled: bool = False
    cancelling: str | None = None
    paused: bool = False
    pausing: str | None = None
    actions: dict[str, _Action] = field(default_factory=dict)
    errors: list[RobotProblem] = field(default_factory=list)


class Vehicle:
    """One robot in the world."""

    def __init__(  # what a robot is
        self,
        robot_id: str,
        ground: Ground,
        agenda: Agenda,
        around: Surroundings,
        *,
        home: str,
        boxes: int,
        body: Body,
        battery_percent: float = 100.0,
    ) -> None:
        """Stand at ``home``, switched on."""
        self.says_speed = True
        """Its states have the optional velocity."""
        self.id = robot_id
        self.ground = ground
        self.agenda = agenda
        self.around = around
        self.body = body
        self.home = home
        self.boxes = [Box(number + 1) for number in range(boxes)]
        self.mind = Mind(last_node=home)
        self.alive = True
        self.automatic = True
        self.e_stop = False
        self.hindered = False
        """Something lies or stands in its way: its scanner holds it."""
        self.localised = True
        self.carried = False
        self.charging = False
        self.guards = True
        """It checks itself where it stands before it opens."""
        self.lie: Callable[[RobotReport], RobotReport] | None = None
        self.header_id = 0
        self.place: Place = ground.place(home)
        self.ride: Ride | None = None
        self.turn = 0
        """Counts rides: an event of an earlier one means nothing."""
        self.changed_s = 0.0
        """When it began or ceased to move last."""
        self._battery = _Battery(battery_percent, agenda.now_s, IDLE_W)
        self._beat = 0
        self._was_driving = False
        self.performed: set[str] = set()

    # --- where it is --------------------------------------------------------------------------

    def where(self) -> tuple[Place, float]:
        """Where it really is now, and how fast it drives."""
        if self.ride is None:
            return self.place, 0.0
        return self.ride.at(self.agenda.now_s)

    @property
    def driving(self) -> bool:
        """It moves or turns."""
        return self.ride is not None and self.agenda.now_s < self.ride.end_s

    @property
    def battery_percent(self) -> float:
        """Its charge now."""
        return self._battery.at(self.agenda.now_s)

    def set_battery(self, percent: float) -> None:
        """Its charge from now on."""
        self._battery.percent, self._battery.since_s = percent, self.agenda.now_s

    def at(self, node: str) -> bool:
        """Whether it really is at a node (within half a metre, on that floor)."""
        place, _ = self.where()
        there = self.ground.map.nodes[node]
        near = place.distance_m(there.x_m, there.y_m) <= AT_NODE_M
        return near and place.floor == there.map_id and not self.carried

    @property
    def base(self) -> list[str]:
        """The nodes before it that it may drive to."""
        return [row.node_id for row in self.mind.nodes if row.released]

    # --- messages -----------------------------------------------------------------------------

    def take_order(self, order: PublishOrder) -> None:
        """An order came."""
        if not self.alive:
            return
        mind = self.mind
        if order.order_id == mind.order_id and mind.order_id:
            if order.order_update_id == mind.update_id:
                if order.nodes != mind.said:
                    self._refuse(order, "orderUpdateError")
                self.tell()
                return
            first = (order.nodes[0].node_id, order.nodes[0].sequence_id)
            late = order.order_update_id < mind.update_id
            if late or mind.cancelled or mind.cancelling or first != self._joint():
                self._refuse(order, "orderUpdateError")
                return
            base = [row for row in mind.nodes if row.released]
            mind.nodes = base + list(order.nodes[1:])
        else:
            if mind.nodes or mind.cancelling or not self.automatic:
                self._refuse(order, "orderError")
                return
            if not self._is_near(order.nodes[0]):
                self._refuse(order, "noRouteError")
                return
            mind.order_id, mind.cancelled = order.order_id, False
            mind.actions = {k: v for k, v in mind.actions.items() if not v.status.ended}
            mind.last_node, mind.last_seq = order.nodes[0].node_id, order.nodes[0].sequence_id
            mind.nodes = list(order.nodes[1:])
            if not self.at(mind.last_node):
                # It starts between two nodes and drives back first.
                mind.nodes = list(order.nodes)
        mind.update_id, mind.said, mind.errors = order.order_update_id, order.nodes, []
        self.replan()
        self.tell()

    def _joint(self) -> tuple[str, int]:
        released = [row for row in self.mind.nodes if row.released]
        if released:
            return released[-1].node_id, released[-1].sequence_id
        return self.mind.last_node, self.mind.last_seq

    def _is_near(self, first: OrderNode) -> bool:
        node = self.ground.map.nodes.get(first.node_id)
        place, _ = self.where()
        if node is None or not self.localised or node.map_id != place.floor:
            return False
        reach_m = max(first.deviation_m or 0.0, START_NEAR_M)
        return place.distance_m(node.x_m, node.y_m) <= reach_m

    def _refuse(self, order: PublishOrder, kind: str) -> None:
        about = order.order_id, order.order_update_id
        kept = [row for row in self.mind.errors if (row.order_id, row.order_update_id) != about]
        self.mind.errors = [*kept, _warning(kind, *about)][-5:]
        self.tell()

    def take_action(self, sent: PublishAction) -> None:
        """An instant action came; one that came before changes nothing."""
        if not self.alive:
            return
        if sent.action_id not in self.mind.actions:
            while len(self.mind.actions) >= ACTIONS_MAX:
                del self.mind.actions[next(iter(self.mind.actions))]
            self.mind.actions[sent.action_id] = _Action(sent, _RUNNING)
            self._begin(sent)
        self.tell()

    def _begin(self, sent: PublishAction) -> None:
        kind = str(sent.action)
        match kind:
            case "startPause":
                self.mind.pausing = sent.action_id
                self.replan()
                self._stood()
            case "stopPause":
                if self.mind.pausing is not None:
                    self._end(self.mind.pausing, _FAILED, "ended by stopPause")
                self.mind.pausing, self.mind.paused = None, False
                self._end(sent.action_id, _FINISHED)
                self.replan()
            case "cancelOrder":
                if not self.mind.nodes:
                    self._end(sent.action_id, _FAILED, "noOrderToCancel")
                    return
                self.mind.cancelling = sent.action_id
                self.replan()
                self._stood()
            case "zeOpenCompartment" | "zeLockCompartment":
                self._bolt(sent)
            case "startCharging" | "stopCharging":
                on = kind == "startCharging"
                good = not on or self.ground.is_charger(self.mind.last_node, self.home)
                self._end(sent.action_id, _FINISHED if good else _FAILED)
                self._charge(on=on and good and not self.driving)
            case "factsheetRequest":
                self._end(sent.action_id, _FINISHED)
                self.around.declared(self)
            case "stateRequest":
                self._end(sent.action_id, _FINISHED)
            case _:
                self._end(sent.action_id, _FAILED, f"unknown action {kind:.40}")

    def _bolt(self, sent: PublishAction) -> None:
        command = sent.opens or sent.locks
        box = next((b for b in self.boxes if command and b.number == command.compartment), None)
        if command is None or box is None:
            self._end(sent.action_id, _FAILED, "no such compartment")
            return
        problem = None
        if command.command_id in self.performed:
            problem = "performed before"
        elif sent.opens is not None:
            if self.agenda.utc_ms() > sent.opens.valid_until_utc_ms:
                problem = "validUntil has passed"
            elif self.driving:
                problem = "the robot is driving"
            elif self.guards and not self._stands_at(sent.opens.node_id):
                problem = "the robot is elsewhere"
        elif box.lid_open:
            problem = "the lid is open"
        if problem is not None:
            self._end(sent.action_id, _FAILED, problem)
            return
        self.performed.add(command.command_id)
        self.agenda.after(BOLT_S, lambda: self._bolted(sent, box))

    def _stands_at(self, node: str) -> bool:
        return self.mind.last_node == node and self.localised and self.at(node)

    def _bolted(self, sent: PublishAction, box: Box) -> None:
        if not self.alive:
            return
        if self.carried or box.stuck or (sent.opens is None and box.lid_open):
            self._end(sent.action_id, _FAILED, "the bolt did not move")
            self.tell()
            return
        box.locked = sent.opens is None
        self._end(sent.action_id, _FINISHED)
        if sent.opens is not None:
            self.around.bolt_drawn(self, box, sent)
        self.replan()
        self.tell()

    def _end(self, action_id: str, status: ActionStatus, result: str = "") -> None:
        row = self.mind.actions.get(action_id)
        if row is not None and not row.status.ended:
            row.status, row.result = status, result

    # --- driving ------------------------------------------------------------------------------

    def may_drive(self) -> bool:
        """Whether anything holds it where it is."""
        mind = self.mind
        bolts = any(
            row.status is _RUNNING and (row.sent.opens or row.sent.locks)
            for row in mind.actions.values()
        )
        held = mind.paused or mind.pausing or mind.cancelling or bolts or self.hindered
        well = self.alive and self.automatic and not self.e_stop and self.localised
        shut = all(box.locked and not box.lid_open for box in self.boxes)
        return bool(well and not held and shut and self.battery_percent > 0 and not self.carried)

    def replan(self) -> None:
        """Drive on to the end of the base, or brake: whatever holds now."""
        place, speed_mps = self.where()
        stops = self._stops(place)
        goes = self.may_drive()
        if goes and not stops and self._rides_along(place):
            return
        if self.ride is not None and self.driving and goes and self._same(stops):
            return
        self.place = place
        self.turn += 1
        if goes:
            self.ride = ride(self.body, place, speed_mps, stops, self.agenda.now_s)
        else:
            self.ride = braking(self.body, place, speed_mps, stops, self.agenda.now_s)
            if not self.ride.phases:
                self.ride = None
        if self.ride is not None:
            for when_s, stop in self.ride.passes:
                self.agenda.at(when_s, self._passer(self.turn, stop))
            self.agenda.at(self.ride.end_s, self._ender(self.turn))
            self.place = self.ride.final
        self._announce()

    def _same(self, stops: list[Stop]) -> bool:
        """Whether it drives to exactly there already (a braking ride passes less)."""
        if self.ride is None:
            return False
        coming = [stop.index for when_s, stop in self.ride.passes if when_s > self.agenda.now_s]
        whole = bool(self.ride.passes) and self.ride.passes[-1][0] >= self.ride.end_s - 1e-9
        return whole and coming == [stop.index for stop in stops]

    def _stops(self, place: Place) -> list[Stop]:
        """The base up to where the floor changes: from there the lift carries it."""
        stops: list[Stop] = []
        before = self.mind.last_node
        for row in self.mind.nodes:
            node = self.ground.map.nodes[row.node_id]
            if not row.released or node.map_id != place.floor:
                break
            limit = self.ground.speed_mps(before, row.node_id)
            stops.append(Stop(row.sequence_id, row.node_id, node.x_m, node.y_m, limit))
            before = row.node_id
        return stops

    def _rides_along(self, place: Place) -> bool:
        """In a lift: the next node lies on another floor and is released, so it is there now."""
        ahead = self.mind.nodes[0] if self.mind.nodes else None
        if ahead is None or not ahead.released or self.driving:
            return False
        node = self.ground.map.nodes[ahead.node_id]
        if node.map_id == place.floor or not self.at(self.mind.last_node):
            return False
        self.place = Place(node.x_m, node.y_m, place.theta_rad, node.map_id)
        self.ride = None
        self._pass(Stop(ahead.sequence_id, ahead.node_id, node.x_m, node.y_m, 1.0))
        self.replan()
        return True

    def _passer(self, turn: int, stop: Stop) -> Callable[[], None]:
        def act() -> None:
            if turn == self.turn:
                self._pass(stop)

        return act

    def _ender(self, turn: int) -> Callable[[], None]:
        def act() -> None:
            if turn == self.turn and self.ride is not None:
                self.place, self.ride = self.ride.final, None
                self._stood()
                self._announce()
                self.tell()
                self.replan_in_lift()

        return act

    def replan_in_lift(self) -> None:
        """Standing in the car, a released node of another floor may be taken at once."""
        if self.mind.nodes and self.may_drive():
            self._rides_along(self.place)

    def _pass(self, stop: Stop) -> None:
        mind = self.mind
        if not mind.nodes or mind.nodes[0].sequence_id != stop.index:
            return
        mind.nodes.pop(0)
        mind.last_node, mind.last_seq = stop.node, stop.index
        self.around.passed(self, stop.node)
        self.tell()

    def _stood(self) -> None:
        """What waited for the robot to stand is done."""
        if self.driving:
            return
        mind = self.mind
        if mind.pausing is not None:
            self._end(mind.pausing, _FINISHED)
            mind.pausing, mind.paused = None, True
        if mind.cancelling is not None:
            self._end(mind.cancelling, _FINISHED)
            mind.cancelling, mind.cancelled, mind.nodes = None, True, []

    def _announce(self) -> None:
        driving = self.driving
        self._battery = _Battery(
            self.battery_percent, self.agenda.now_s, IDLE_W + (DRIVE_W if driving else 0.0)
        )
        if driving != self._was_driving:
            self._was_driving = driving
            self.changed_s = self.agenda.now_s
            if self.alive:
                self.tell()
        if driving:
            self.charging = False
        elif self.ground.is_charger(self.mind.last_node, self.home) and self.at(self.home):
            self._charge(on=True)
        self.around.moved(self)

    def _charge(self, *, on: bool) -> None:
        watts = -CHARGE_W if on else IDLE_W + (DRIVE_W if self.driving else 0.0)
        self._battery = _Battery(self.battery_percent, self.agenda.now_s, watts)
        self.charging = on

    # --- its word -----------------------------------------------------------------------------

    def tell(self) -> None:
        """Send the state, and again after a while."""
        if not self.alive:
            return
        self.header_id += 1
        self._beat += 1
        beat = self._beat
        wait_s = DRIVING_EVERY_S if self.driving else STANDING_EVERY_S
        self.agenda.after(wait_s, lambda: self.tell() if beat == self._beat else None)
        report = self.report()
        self.around.said(self, self.lie(report) if self.lie is not None else report)

    def report(self) -> RobotReport:
        """Its state, as it believes it."""
        mind = self.mind
        place, speed_mps = self.where()
        pose = Pose(x_m=place.x_m, y_m=place.y_m, theta_rad=place.theta_rad, map_id=place.floor)
        problems = list(mind.errors)
        if self.e_stop:
            problems.append(RobotProblem("emergencyStop", ProblemLevel.FATAL))
        if self.battery_percent <= 0:
            problems.append(RobotProblem("batteryEmpty", ProblemLevel.FATAL))
        return RobotReport(
            order_id=mind.order_id,
            order_update_id=mind.update_id,
            last_node=mind.last_node,
            last_sequence_id=mind.last_seq,
            driving=self.driving,
            paused=mind.paused,
            automatic=self.automatic,
            battery_percent=round(self.battery_percent, 1),
            pose=pose if self.localised else None,
            unpassed=tuple(Unpassed(r.node_id, r.sequence_id, r.released) for r in mind.nodes),
            compartments=tuple(box.state() for box in self.boxes),
            actions=tuple(
                ActionReport(key, row.status, row.result) for key, row in mind.actions.items()
            ),
            problems=tuple(problems),
            charging=self.charging,
            speed_m_s=round(speed_mps, 2) if self.says_speed else None,
            e_stop=self.e_stop,
        )

    # --- what befalls it ----------------------------------------------------------------------

    def power_off(self) -> None:
        """Nothing works any more; it rolls out by its brakes."""
        self.alive = False
        self.replan()

    def power_on(self, *, memory: bool) -> None:
        """It is back. Without memory it knows its place, and no order or action."""
        self.alive = True
        self.header_id = 0
        if not memory:
            here = self.mind.last_node
            self.mind = Mind(last_node=here if here and self.at(here) else "")
            self.around.forgot(self)
        for row in self.mind.actions.values():
            if row.status is _RUNNING and (row.sent.opens or row.sent.locks):
                row.status, row.result = _FAILED, "lost in a restart"
        self._stood()
        self.replan()
        self.tell()

    def put(self, node: str) -> None:
        """A person has put it down at a node and told it where it is; its order is gone."""
        self.turn += 1
        self.ride = None
        self.place = self.ground.place(node)
        self.carried, self.localised, self.automatic = False, True, True
        self.mind = Mind(last_node=node, paused=False)
        self.around.forgot(self)
        self._announce()
        self.tell()

    def take_away(self) -> None:
        """People carry it off, switched to manual."""
        place, _ = self.where()
        self.place, self.ride = place, None
        self.turn += 1
        self.carried, self.localised, self.automatic = True, False, False
        self._announce()
        self.tell()


def _warning(kind: str, order_id: str, update_id: int) -> RobotProblem:
    return RobotProblem(kind, ProblemLevel.WARNING, "", order_id, update_id)


def lying(kind: str, body: Mapping[str, float]) -> Callable[[RobotReport], RobotReport]:
    """How a lying robot changes its word."""

    def teleport(report: RobotReport) -> RobotReport:
        if report.pose is None:
            return report
        pose = report.pose.model_copy(update={"x_m": report.pose.x_m + body.get("by_m", 8.0)})
        return replace(report, pose=pose)

    def ahead(report: RobotReport) -> RobotReport:
        base = [row for row in report.unpassed if row.released]
        if not base:
            return report
        left = tuple(row for row in report.unpassed if not row.released)
        last = base[-1]
        return replace(
            report, last_node=last.node_id, last_sequence_id=last.sequence_id, unpassed=left
        )

    def battery(report: RobotReport) -> RobotReport:
        return replace(report, battery_percent=-7.0)

    def locked(report: RobotReport) -> RobotReport:
        shut = tuple(
            replace(row, lid=LidState.CLOSED, lock=LockState.LOCKED) for row in report.compartments
        )
        return replace(report, compartments=shut)

    ways = {"teleport": teleport, "ahead": ahead, "battery": battery, "locked": locked}
    return ways[kind]
