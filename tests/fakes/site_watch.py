"""Judges a simulated site while it runs: what must never happen, looked at all the time."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import hypot
from typing import Final

from contracts.api import DeliveryState
from contracts.devices import Zone, ZonePolicy
from contracts.units import RoomId
from contracts.vda5050.profile import OpenCompartment
from controller.core.deliveries import Delivery
from controller.core.dispatch import SENT_KEPT
from controller.core.emptying import LEFT
from controller.core.fleet import Duty
from controller.core.plan import SitePlan
from controller.core.state import SiteState
from controller.service import QUEUE_MAX
from robot_bridge.core.vehicle import STANDING_MPS, Drive, Reading
from tests.fakes.bus import Faults
from tests.fakes.site_bridge import BridgeMachine
from tests.fakes.site_controller import ControllerMachine
from tests.fakes.site_edge import EdgeMachine
from tests.fakes.site_machine import Ground, Machine

SAMPLE_MS: Final = 100  # a robot moves 12 cm meanwhile
QUEUES_MS: Final = 1_000
STOP_MS: Final = 700  # issue 2: from the observation to the robot's brakes
BRAKING_MS: Final = 1_500  # from 1.2 m/s at 0.8 m/s2
LOOSE_MS: Final = 2 * SAMPLE_MS  # looks of edge, bridge and of this watcher
LEASE_MS: Final = 2_000 + 200  # what nobody sees lapses after this, at the controller's next tick
AFTER_TROUBLE_MS: Final = 2_500  # whoever was away hears the others' next words within this
LOSSY_MS: Final = 4_000  # one of ten messages lost: ten repeats of 300 ms fail in no seed
AT_NODE_M: Final = 0.5
OFF_TRACK_M: Final = 0.5  # who stands so near a node counts as at it, and leaves it from there
APART_M: Final = 0.5  # centres of two robots that do not touch
TASKS_MAX: Final = 200  # a site has some 80
SLEEPERS_MAX: Final = 400
OUTBOX_MAX: Final = 500  # a minute of faults raises some tens of messages
LATE_MS: Final = 1_000  # by so much may an answer overtake the unlock's own deadline


@dataclass
class Sight:
    """Since when the corridor's node sees somebody, or nothing at all; None: it does not."""

    person_ms: int | None = None
    blind_ms: int | None = None


@dataclass
class SiteWatch:
    """Looks at everything; the first violation is kept in ``ground.truth``."""

    ground: Ground
    plan: SitePlan
    controller: ControllerMachine
    edges: Mapping[str, EdgeMachine]
    robots: dict[str, BridgeMachine] = field(default_factory=dict)
    sights: dict[RoomId, Sight] = field(default_factory=dict)
    troubled_ms: dict[str, int] = field(default_factory=dict)
    """When each machine was last dead or without its link."""
    _judged: SiteState | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        queues_ms = 0
        while True:
            self._look()
            if self.ground.truth.now_ms >= queues_ms:
                queues_ms = self.ground.truth.now_ms + QUEUES_MS
                self._look_at_queues()
            await self.ground.clock.sleep_ms(SAMPLE_MS)

    @property
    def machines(self) -> Sequence[Machine]:
        return (self.controller, *self.edges.values(), *self.robots.values())

    def _look(self) -> None:
        now_ms = self.ground.truth.now_ms
        for machine in self.machines:
            if not machine.linked:
                self.troubled_ms[machine.name] = now_ms
        for area, edge in self._watchers.items():
            self._see(area, edge, now_ms)
        readings = {name: robot.reading for name, robot in self.robots.items()}
        for name, reading in readings.items():
            if reading is not None and abs(reading.speed_mps) > STANDING_MPS:
                self._judge_motion(self.robots[name], reading, now_ms)
        self._judge_distance(readings)
        state = self.controller.state
        if state is not None and state is not self._judged:
            self._judged = state
            self._judge_state(state)

    @cached_property
    def _watchers(self) -> Mapping[RoomId, EdgeMachine]:
        return {
            zone.seen_by: self.edges[self.plan.watcher[zone.seen_by]]
            for zone in self.plan.zones.values()
            if zone.seen_by is not None
        }

    def _see(self, area: RoomId, edge: EdgeMachine, now_ms: int) -> None:
        sight = self.sights.setdefault(area, Sight())
        count = edge.head_count(area) if edge.linked else None
        if not count:
            sight.person_ms = None
        elif sight.person_ms is None:
            sight.person_ms = now_ms
            self.ground.truth.counts["person observed"] += 1
        if count is not None:
            sight.blind_ms = None
        elif sight.blind_ms is None:
            sight.blind_ms = now_ms

    # --- motion ---------------------------------------------------------------------------------

    def _judge_motion(self, robot: BridgeMachine, reading: Reading, now_ms: int) -> None:
        nearest, far_m = self._nearest(reading)
        zone = self.plan.zone_at.get(nearest)
        if zone is not None and zone.policy is not ZonePolicy.OPEN and zone.seen_by is not None:
            self._judge_zone(robot, zone, now_ms)
        if far_m <= AT_NODE_M and nearest not in self._allowed(robot):
            self.ground.truth.break_(f"{robot.name} drives at {nearest}, which is not its base")
        if not self._on_track(reading):
            pose = reading.pose
            self.ground.truth.break_(f"{robot.name} is off every way: {pose.x_m} {pose.y_m}")

    def _judge_zone(self, robot: BridgeMachine, zone: Zone, now_ms: int) -> None:
        assert zone.seen_by is not None
        sight = self.sights[zone.seen_by]
        edge = self.edges[self.plan.watcher[zone.seen_by]]
        if not (self.ground.broker.up and self.controller.linked and robot.linked):
            return  # nobody can tell the robot: its own scanner is what protects people
        healthy_ms = max(self.troubled_ms.get(self.controller.name, -SAMPLE_MS), 0)
        healthy_ms = max(healthy_ms, self.troubled_ms.get(robot.name, 0)) + AFTER_TROUBLE_MS
        slack_ms = STOP_MS + BRAKING_MS + LOOSE_MS
        slack_ms += LOSSY_MS if self.ground.broker.faults != Faults() else 0
        if sight.person_ms is not None:
            edge_ms = self.troubled_ms.get(edge.name, 0) + AFTER_TROUBLE_MS
            since_ms = max(sight.person_ms, edge_ms, healthy_ms)
            what = "a person was seen there"
        elif sight.blind_ms is not None:
            since_ms = max(sight.blind_ms + LEASE_MS, healthy_ms)
            what = "nobody could see it"
        else:
            return
        if now_ms - since_ms > slack_ms:
            late_ms = now_ms - since_ms
            self.ground.truth.break_(
                f"{robot.name} drives in {zone.id} {late_ms} ms after {what} (limit {slack_ms})"
            )

    def _nearest(self, reading: Reading) -> tuple[str, float]:
        pose = reading.pose
        far_m, name = min(
            (hypot(node.x_m - pose.x_m, node.y_m - pose.y_m), node.id)
            for node in self.plan.map.nodes.values()
        )
        return name, far_m

    def _allowed(self, robot: BridgeMachine) -> set[str]:
        assert robot.service is not None
        progress = robot.service.mission.progress
        released = self.ground.broker.released.get(progress.order_id, {})
        return {*released.values(), progress.last_node_id}

    def _on_track(self, reading: Reading) -> bool:
        nodes = self.plan.map.nodes
        x_m, y_m = reading.pose.x_m, reading.pose.y_m
        for edge in self.plan.map.edges.values():
            one, other = nodes[edge.start], nodes[edge.end]
            dx, dy = other.x_m - one.x_m, other.y_m - one.y_m
            share = ((x_m - one.x_m) * dx + (y_m - one.y_m) * dy) / (dx * dx + dy * dy)
            share = min(max(share, 0.0), 1.0)
            if hypot(one.x_m + share * dx - x_m, one.y_m + share * dy - y_m) <= OFF_TRACK_M:
                return True
        return False

    def _judge_distance(self, readings: Mapping[str, Reading | None]) -> None:
        for (one, here), (other, there) in itertools.combinations(readings.items(), 2):
            if here is None or there is None:
                continue
            far_m = here.pose.distance_m(there.pose.x_m, there.pose.y_m)
            if far_m < APART_M:
                self.ground.truth.break_(
                    f"{one} and {other} are {far_m:.2f} m apart: {here.pose}, {there.pose}"
                )

    def drives(self, robot: BridgeMachine, drive: Drive) -> None:
        """See ``site_bridge.Watcher``."""
        released = self.ground.broker.released.get(drive.order_id, {})
        for point in drive.route:
            if released.get(point.sequence_id) != point.node_id:
                self.ground.truth.break_(
                    f"{robot.name} is told to drive to {point.node_id}, never released in "
                    f"{drive.order_id}"
                )

    # --- compartments ---------------------------------------------------------------------------

    def unlocks(self, robot: BridgeMachine, compartment: int) -> None:
        """See ``site_bridge.Watcher``."""
        command = robot.opening(compartment)
        state = self.controller.state or self.controller.last
        who = f"{robot.name}/{compartment}"
        self.ground.truth.tell(f"{who} opens: {command}")
        if command is None or state is None:
            self.ground.truth.break_(f"{who} opens without a command")
            return
        if command.delivery_id == LEFT and command.node_id == self.plan.kitchen_node:
            return  # the kitchen takes out what belongs to no delivery any more
        delivery = state.deliveries.get(command.delivery_id)
        if delivery is None:
            self.ground.truth.break_(f"{who} opens for {command.delivery_id}, which is not there")
            return
        for problem in self._wrong(robot, command, delivery):
            self.ground.truth.break_(f"{who} opens for {delivery.id}: {problem}")

    def _wrong(
        self, robot: BridgeMachine, command: OpenCompartment, delivery: Delivery
    ) -> list[str]:
        problems: list[str] = []
        assert robot.vehicle is not None
        reading = robot.vehicle.reading()
        node = self.plan.map.nodes.get(command.node_id)
        if node is None or reading.pose.distance_m(node.x_m, node.y_m) > AT_NODE_M:
            problems.append(f"it is not at {command.node_id}")
        if reading.driving:
            problems.append("it drives")
        if robot.clock.utc_ms() > command.valid_until_utc_ms:
            problems.append("the command is too old")
        assigned = (delivery.robot_id, delivery.compartment)
        if not delivery.ended and assigned != (robot.name, command.compartment):
            problems.append(f"assigned is {assigned}")
        if command.node_id == self.plan.kitchen_node:
            self.ground.truth.counts["kitchen unlock"] += 1
            return problems
        if command.node_id != self.plan.door_nodes[delivery.room_id]:
            problems.append(f"{command.node_id} is not the door of {delivery.room_id}")
        left_ms = command.valid_until_utc_ms - robot.clock.utc_ms()
        if delivery.state is not DeliveryState.UNLOCKING and left_ms > LATE_MS:
            problems.append(f"its state is {delivery.state}")
        truth = self.ground.truth
        truth.door_unlocks[delivery.id] += 1
        truth.counts["door unlock"] += 1
        if truth.door_unlocks[delivery.id] > truth.right_pins[delivery.id]:
            problems.append("more often than the right PIN was typed")
        return problems

    # --- the controller's state -----------------------------------------------------------------

    def _judge_state(self, state: SiteState) -> None:
        for one, other in itertools.combinations(state.duties.values(), 2):
            shared = _held(one) & _held(other)
            if shared:
                self.ground.truth.break_(f"{one.robot_id} and {other.robot_id} hold {shared}")
        places: dict[tuple[str, int | None], str] = {}
        for row in state.deliveries.values():
            if row.ended or row.robot_id is None or _handed_over(row):
                continue
            other_id = places.setdefault((row.robot_id, row.compartment), row.id)
            if other_id != row.id:
                self.ground.truth.break_(
                    f"{row.id} and {other_id} share {row.robot_id}/{row.compartment}"
                )

    # --- queues ---------------------------------------------------------------------------------

    def _look_at_queues(self) -> None:
        sizes = {"tasks": (len(asyncio.all_tasks()), TASKS_MAX)}
        sizes["sleepers"] = (self.ground.clock.sleepers, SLEEPERS_MAX)
        for machine in self.machines:
            for inbox in machine.bus.inboxes if machine.bus is not None else ():
                sizes[f"{machine.name} inbox {inbox.topic_filter}"] = (len(inbox), inbox.limit)
        for edge in self.edges.values():
            if edge.alive and edge.outbox is not None:
                sizes[f"{edge.name} outbox"] = (edge.outbox.depth, OUTBOX_MAX)
        controller = self.controller.controller
        if self.controller.alive and controller is not None:
            sizes["controller queue"] = (controller.service.waiting, QUEUE_MAX)
            sizes["controller sent"] = (len(controller.service.state.sent), SENT_KEPT)
        for what, (size, limit) in sizes.items():
            if size > limit:
                self.ground.truth.break_(f"{what} holds {size}, limit {limit}")


def _handed_over(row: Delivery) -> bool:
    """Its compartment is empty and may carry the next one; what is left is the way home."""
    home = row.state in (DeliveryState.COLLECTED, DeliveryState.RETURNING)
    return home and not row.cargo


def _held(duty: Duty) -> set[str]:
    held = set() if duty.at_node is None else {duty.at_node}
    if duty.mission is not None:
        held |= set(duty.mission.route[duty.mission.passed : duty.mission.released])
    return held
