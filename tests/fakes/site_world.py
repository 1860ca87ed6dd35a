"""A whole site in one process: runs the day of a seed, heals, and demands that order returns."""

import asyncio
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

import structlog

from contracts.api import DeliveryState, SessionState
from contracts.devices import Site
from contracts.layout import RobotMap
from contracts.observations import Condition
from controller.core.plan import plan_of
from controller.core.state import is_own
from robot_bridge.sim import SimSettings
from runtime.clock import SimulatedClock
from runtime.site import load_map, load_site
from tests.fakes.bus import Faults
from tests.fakes.site_bridge import BridgeMachine
from tests.fakes.site_bus import SiteBroker
from tests.fakes.site_clock import jumping_loop
from tests.fakes.site_controller import ControllerMachine
from tests.fakes.site_day import ADMITTED, CHAOS_MS, Day, Trouble, TroublePlan, Unplug, day_of
from tests.fakes.site_edge import EdgeMachine, Scene
from tests.fakes.site_machine import Ground, Machine
from tests.fakes.site_people import People
from tests.fakes.site_truth import Truth, ViolationError
from tests.fakes.site_watch import SiteWatch

SITE_DIR: Final = Path(__file__).resolve().parents[2] / "firmware_configs" / "demo"
MEMORY_DISK: Final = Path("/dev/shm")  # the product asks for an fsync at every step
LOOK_MS: Final = 500
ROOM_PERIOD_MS: Final = 800  # two rooms' cameras tell of people who sit
HEALED_MAX_MS: Final = 20 * 60_000  # ten minutes at a door, ten of everything else
EXPERTS: Final = tuple(range(1, ADMITTED + 1))


@dataclass(frozen=True, slots=True)
class Place:
    """The site's files, read once for many days."""

    site: Site
    robot_map: RobotMap
    map_file: Path


@cache
def demo_place() -> Place:
    """The demo's site, as it ships."""
    site = load_site(SITE_DIR)
    robot_map = load_map(SITE_DIR, site)
    return Place(site, robot_map, SITE_DIR / site.config.map)


def scaled(robot_map: RobotMap, share: float) -> RobotMap:
    """The same graph with all ways of ``share`` their length."""
    return RobotMap(
        nodes={
            name: replace(node, x_m=node.x_m * share, y_m=node.y_m * share)
            for name, node in robot_map.nodes.items()
        },
        edges={
            name: replace(edge, length_m=edge.length_m * share)
            for name, edge in robot_map.edges.items()
        },
        stations=robot_map.stations,
    )


@dataclass
class Ran:
    """What a day was like."""

    seed: int
    simulated_ms: int
    counts: Counter[str] = field(default_factory=Counter)


def run_day(
    day: Day, place: Place, folder: Path, tamper: Callable[["World"], None] | None = None
) -> Ran:
    """Run a day on files in ``folder``; ``tamper`` may plant a fault before it begins.

    Raises:
        ViolationError: the site did what it must never do; the message ends with the story.
    """
    clock = SimulatedClock()
    truth = Truth(clock, int(clock.mono_ms()))
    with asyncio.Runner(loop_factory=lambda: jumping_loop(clock)) as runner:
        try:
            runner.run(_live(day, place, folder, (clock, truth), tamper))
        except ViolationError as violation:
            raise ViolationError("\n".join((str(violation), *truth.story))) from violation
    return Ran(day.seed, truth.now_ms, truth.counts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed; ``failure`` is None when all was well."""

    seed: int
    counts: Counter[str]
    failure: str | None


def try_seed(seed: int) -> Outcome:
    """Run the day of a seed on a disk of its own, quietly; for a process of its own too."""
    # Logs of a thousand faults help nobody: a failing seed tells its own story.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parent = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    try:
        with tempfile.TemporaryDirectory(prefix="ze-sim-", dir=parent) as folder:
            ran = run_day(day_of(seed), demo_place(), Path(folder))
    except ViolationError as violation:
        return Outcome(seed, Counter(), f"ZEROENTRY_SIM_SEED={seed}\n{violation}")
    finally:
        structlog.reset_defaults()
    return Outcome(seed, ran.counts, None)


async def _live(
    day: Day,
    place: Place,
    folder: Path,
    made: tuple[SimulatedClock, Truth],
    tamper: Callable[["World"], None] | None,
) -> None:
    world = World(day, place, folder, *made)
    if tamper is not None:
        tamper(world)
    await world.live()


class World:
    """One site and one day."""

    def __init__(
        self, day: Day, place: Place, folder: Path, clock: SimulatedClock, truth: Truth
    ) -> None:
        self.day = day
        self.clock = clock
        self.truth = truth
        robot_map = scaled(place.robot_map, day.ways)
        self.broker = SiteBroker(clock, faults=day.faults, seed=day.seed)
        self.ground = Ground(
            clock=clock,
            broker=self.broker,
            folder=folder,
            rng=random.Random(day.seed + 1),
            truth=truth,
            site=place.site,
            robot_map=robot_map,
            map_file=place.map_file,
        )
        self.scenes = {
            camera.id: Scene(
                people=list(EXPERTS) if camera.area.startswith("room") else [],
                period_ms=day.period_ms if camera.area.startswith("corridor") else ROOM_PERIOD_MS,
            )
            for camera in place.site.cameras
        }
        self.controller = ControllerMachine(self.ground)
        self.edges = {
            node.id: EdgeMachine(node.id, self.ground, self.scenes) for node in place.site.nodes
        }
        plan = plan_of(place.site, robot_map)
        self.watch = SiteWatch(self.ground, plan, self.controller, self.edges)
        sim = SimSettings(
            load_nodes=(plan.kitchen_node,),
            turn_radps=day.turn_radps,
            load_after_ms=800,
            collect_after_ms=day.collect_after_ms,
        )
        self.robots = self.watch.robots
        for robot in place.site.robots[: day.robots]:
            self.robots[robot.id] = BridgeMachine(robot, self.ground, sim, self.watch)
        self.people = People(self.controller, clock, truth)
        self.patience_ms = HEALED_MAX_MS
        self.more: list[Coroutine[object, object, None]] = []
        """What else runs on this day."""

    async def live(self) -> None:
        """The day, the healing, the verdict.

        Raises:
            ViolationError: see ``run_day``.
        """
        tasks = [asyncio.create_task(part) for part in self._parts()]
        try:
            await self._until(CHAOS_MS, tasks)
            await self._heal()
            healed_ms = self.truth.now_ms
            while missing := self._missing():
                if self.truth.now_ms - healed_ms > self.patience_ms:
                    self.truth.break_(f"order did not return: {'; '.join(missing)}")
                await self._until(self.truth.now_ms + LOOK_MS, tasks)
            self._judge_end()
            self._raise(tasks)
        except ViolationError:
            self._tell_robots()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _parts(self) -> list[Coroutine[object, object, None]]:
        day, people = self.day, self.people
        parts: list[Coroutine[object, object, None]] = [m.run() for m in self.machines]
        parts.append(self.watch.run())
        parts += [people.hold_session(plan, ADMITTED) for plan in day.sessions]
        parts += [people.have_meal(plan) for plan in day.meals]
        for walk in day.walks:
            where = self.scenes[walk.camera].people
            parts.append(people.walk_in(where, walk.number, walk.at_ms, walk.for_ms))
        parts += [self._unplug(row) for row in day.unplugs]
        parts += [self._trouble(row) for row in day.troubles]
        parts += self.more
        return parts

    @property
    def machines(self) -> tuple[Machine, ...]:
        return (self.controller, *self.edges.values(), *self.robots.values())

    async def _until(self, at_ms: int, tasks: list[asyncio.Task[None]]) -> None:
        while True:
            self._raise(tasks)
            left_ms = at_ms - self.truth.now_ms
            if left_ms <= 0:
                return
            await self.clock.sleep_ms(min(left_ms, LOOK_MS))

    def _raise(self, tasks: list[asyncio.Task[None]]) -> None:
        self.truth.raise_first()
        for task in tasks:
            error = task.exception() if task.done() and not task.cancelled() else None
            if error is not None:
                self.truth.tell(f"raised: {error!r}")
                raise ViolationError(f"something raised {error!r}") from error

    # --- trouble --------------------------------------------------------------------------------

    async def _unplug(self, plan: Unplug) -> None:
        await self.people.wait_until(plan.at_ms)
        self.truth.tell(f"{plan.camera} is unplugged")
        self.truth.counts["unplug"] += 1
        self.scenes[plan.camera].plugged = False
        await self.clock.sleep_ms(plan.for_ms)
        self.scenes[plan.camera].plugged = True
        self.truth.tell(f"{plan.camera} is plugged in")

    async def _trouble(self, plan: TroublePlan) -> None:
        await self.people.wait_until(plan.at_ms)
        self.truth.tell(f"{plan.kind} {plan.target}, {plan.for_ms} ms")
        self.truth.counts[f"{plan.kind} {plan.target}"] += 1
        if plan.kind is Trouble.BROKER_CRASH:
            await self._crash_broker(plan.for_ms)
            return
        machine = next((row for row in self.machines if row.name == plan.target), None)
        if machine is None:
            return  # a robot that is switched off
        match plan.kind:
            case Trouble.KILL | Trouble.REBOOT:
                machine.kill(down_ms=plan.for_ms, reboots=plan.kind is Trouble.REBOOT)
            case Trouble.DISK_KILL:
                machine.light(plan.touches, down_ms=plan.for_ms)
            case Trouble.LINK_LOST:
                await self._lose_link(machine, plan.for_ms)

    async def _crash_broker(self, for_ms: int) -> None:
        if not self.broker.up:
            return
        self.broker.crash()
        await self.clock.sleep_ms(for_ms)
        await self.broker.restart()
        self.truth.tell("the broker is back")

    async def _lose_link(self, machine: Machine, for_ms: int) -> None:
        bus = machine.bus
        if bus is None or not bus.connected:
            return
        bus.disconnect()
        await self.clock.sleep_ms(for_ms)
        same = machine.alive and machine.bus is bus
        if same and self.broker.up and not machine.linked:
            await bus.reconnect()

    async def _heal(self) -> None:
        self.broker.faults = Faults()
        for machine in self.machines:
            machine.life.put_out()
        self.truth.tell("the network heals")

    def _tell_robots(self) -> None:
        """What each robot is and believes, for the story of a day that does not end."""
        state = self.controller.state
        for name, robot in self.robots.items():
            if robot.reading is not None and robot.service is not None:
                self.truth.tell(f"{name} really: {robot.reading}")
                self.truth.tell(f"{name} mission: {robot.service.mission}")
            if state is not None:
                self.truth.tell(f"{name} duty: {state.duties[name]}")
                self.truth.tell(f"{name} report: {state.robots[name].report}")

    # --- the verdict ----------------------------------------------------------------------------

    def _missing(self) -> list[str]:
        """What has not come to rest yet."""
        missing = [f"{machine.name} is away" for machine in self.machines if not machine.linked]
        state = self.controller.state
        if state is None or missing:
            return [*missing, "the controller's state"]
        if self.people.meals_over < len(self.day.meals):
            open_rows = [row for row in state.deliveries.values() if not row.ended]
            told = ", ".join(f"{row.id} {row.state} {row.explanation}" for row in open_rows)
            missing.append(f"meals: {told}")
        if self.people.sessions_over < len(self.day.sessions):
            missing.append("sessions")
        if self.people.walks_over < len(self.day.walks):
            missing.append("somebody still walks about")
        missing += [
            f"seal of {row.id} unconfirmed"
            for row in state.sessions.values()
            if row.state is SessionState.SEALED and not row.seal_confirmed
        ]
        for edge in self.edges.values():
            if edge.outbox is not None and edge.outbox.depth:
                missing.append(f"{edge.outbox.depth} messages in {edge.name}'s outbox")
            if self.truth.applied[edge.name] != self.truth.decided[edge.name]:
                missing.append(
                    f"{edge.name} applied {self.truth.applied[edge.name]} of "
                    f"{self.truth.decided[edge.name]}"
                )
        missing += [
            f"{duty.robot_id} has {duty.mission}, {duty.delivery_id}"
            for duty in state.duties.values()
            if duty.mission is not None or duty.delivery_id is not None
        ]
        return missing

    def _judge_end(self) -> None:
        self._judge_alerts()
        self._judge_seals()
        for row in self.controller.stored_deliveries():
            self.truth.counts[f"delivery {row.state}"] += 1
            explained = row.state is DeliveryState.RETURNED or row.explanation is not None
            if not row.ended or not explained:
                self.truth.break_(f"{row.id} ends {row.state}, explained by {row.explanation}")
            returned = row.state is DeliveryState.RETURNED
            if returned and not self.truth.door_unlocks[row.id]:
                self.truth.break_(f"{row.id} was collected from a compartment that never opened")
        if len(self.controller.stored_deliveries()) != len(self.day.meals):
            self.truth.break_("not as many deliveries as orders")
        if any(len(scene.people) not in (0, ADMITTED) for scene in self.scenes.values()):
            self.truth.break_("the script left somebody behind")

    def _judge_alerts(self) -> None:
        stored = self.controller.stored_alerts()
        ids = Counter(row.id for row in stored)
        numbers = Counter(row.number for row in stored)
        for count, what in ((ids, "id"), (numbers, "number")):
            twice = [one for one, times in count.items() if times > 1]
            if twice:
                self.truth.break_(f"alerts with the same {what}: {twice}")
        by_id = {row.id: row for row in stored}
        for alert_id, conditions in self.truth.alerts.items():
            last, record = conditions[-1], by_id.get(alert_id)
            if record is None:
                self.truth.break_(f"alert {alert_id} ({last.rule}) was raised and never stored")
            elif record.alert.condition is not last.condition:
                self.truth.break_(
                    f"alert {alert_id} is stored {record.alert.condition}, truly {last.condition}"
                )
        foreign = [row.id for row in stored if row.id not in self.truth.alerts and not is_own(row)]
        if foreign:
            self.truth.break_(f"alerts that no node raised: {foreign}")
        for row in stored:
            self.truth.counts[f"stored {row.alert.rule}"] += 1
            if row.alert.rule in OVER_AT_END and row.alert.condition is Condition.ACTIVE:
                self.truth.break_(f"{row.alert.rule} still stands although all is well")

    def _judge_seals(self) -> None:
        state = self.controller.state
        assert state is not None
        sealed = {
            row.room_id: row.id
            for row in state.sessions.values()
            if row.state is SessionState.SEALED
        }
        for edge in self.edges.values():
            for area in edge.areas:
                if edge.sealed_session(area) != sealed.get(area):
                    self.truth.break_(
                        f"{area}: the node enforces {edge.sealed_session(area)}, "
                        f"the controller {sealed.get(area)}"
                    )


OVER_AT_END: Final = frozenset({"node.offline", "robot.lost", "robot.compartment_open"})
"""What must have ended once everybody is back."""
