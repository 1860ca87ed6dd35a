"""Lets happen to a world what its script says goes wrong, and lets it be right again."""

from collections.abc import Callable
from functools import partial
from typing import Final

from contracts.vda5050.state import ConnectionState
from controller.core.fleet import HoldVerb
from zeroentry.simulator.script import Fault, FaultKind
from zeroentry.simulator.stage import Stage
from zeroentry.simulator.vehicle import Vehicle, lying

KEEPALIVE_S: Final = 15.0
"""After this the broker says the robot's last will."""
FREE_M: Final = 1.5
BATTERY_FOUND: Final = 9.0


class Troubles:
    """All faults of a day."""

    def __init__(self, world: Stage) -> None:
        """None has begun."""
        self.world = world
        self.pending = len(world.script.faults)
        self.on: list[Fault] = []
        self.last_s = 0.0
        """When one began or ended last."""

    def begin(self) -> None:
        """Put them on the agenda."""
        for fault in self.world.script.faults:
            self.world.agenda.at(fault.at_s, partial(self._start, fault))

    def of(self, name: str) -> bool:
        """Whether something is wrong with a robot, a door, a lift."""
        return any(row.target == name for row in self.on)

    def _start(self, fault: Fault) -> None:
        world = self.world
        world.tell("FAULT {} {} for {:.0f} s", fault.kind, fault.target, fault.for_s)
        world.counts[f"fault {fault.kind}"] += 1
        self.on.append(fault)
        self.last_s = world.agenda.now_s
        undo = self._do(fault)

        def end() -> None:
            undo()
            self.on.remove(fault)
            self.pending -= 1
            self.last_s = world.agenda.now_s
            world.tell("over: {} {}", fault.kind, fault.target)

        world.agenda.after(fault.for_s, end)

    def _do(self, fault: Fault) -> Callable[[], None]:  # one a kind
        world, kind = self.world, fault.kind
        match kind:
            case FaultKind.CONTROLLER:
                world.brain.kill()
                return self._restart
            case FaultKind.BLIND:
                world.cameras.blind(fault.target, 1)
                return lambda: world.cameras.blind(fault.target, -1)
            case FaultKind.SILENT_NODE:
                world.cameras.silence(fault.target, 1)
                return lambda: world.cameras.silence(fault.target, -1)
            case FaultKind.PERSON:
                world.people.stroll(fault.target, fault.for_s)
                return lambda: None
            case FaultKind.LIFT | FaultKind.DOOR:
                world.buildings.stick(fault.target, 1)
                return lambda: world.buildings.stick(fault.target, -1)
            case FaultKind.FIRE:
                world.fire = True
                world.judges.fire(burning=True)
                world.buildings.fire()
                return self._fire_out
            case FaultKind.HELD | FaultKind.RECALLED | FaultKind.FETCHED:
                return self._told(fault)
            case _:
                robot = world.robots.get(fault.target)
                return (lambda: None) if robot is None else self._robot(fault, robot)

    def _told(self, fault: Fault) -> Callable[[], None]:
        """The supervisor's will is done as soon as the controller takes it."""
        robot, supervisor = self.world.robots.get(fault.target), self.world.supervisor
        if robot is None:
            return lambda: None
        if fault.kind is FaultKind.FETCHED:
            return supervisor.fetch(robot)
        verb = HoldVerb.HOLD if fault.kind is FaultKind.HELD else HoldVerb.RECALL
        supervisor.command(robot, verb)
        return lambda: supervisor.command(robot, HoldVerb.RESUME)

    def _robot(self, fault: Fault, robot: Vehicle) -> Callable[[], None]:  # one a kind
        match fault.kind:
            case FaultKind.STOP:
                return self._flag(robot, "e_stop")
            case FaultKind.HINDERED:
                return self._flag(robot, "hindered")
            case FaultKind.REBOOT | FaultKind.FORGET:
                return self._reboot(robot, memory=fault.kind is FaultKind.REBOOT)
            case FaultKind.MUTE:
                return self._mute(robot)
            case FaultKind.CARRIED:
                robot.take_away()
                return lambda: self._put_down(robot)
            case FaultKind.BATTERY:
                robot.set_battery(BATTERY_FOUND)
                return lambda: robot.set_battery(max(robot.battery_percent, 60.0))
            case FaultKind.BOLT:
                return self._bolts(robot)
            case (
                FaultKind.LIE_TELEPORT
                | FaultKind.LIE_AHEAD
                | FaultKind.LIE_BATTERY
                | FaultKind.LIE_LOCKED
            ):
                return self._lie(robot, fault.kind.removeprefix("lie_"))
            case _:
                raise ValueError(f"{fault.kind} is no fault of a robot")

    def _flag(self, robot: Vehicle, name: str) -> Callable[[], None]:
        def put(*, on: bool) -> None:
            setattr(robot, name, on)
            robot.replan()
            robot.tell()

        put(on=True)
        return lambda: put(on=False)

    def _reboot(self, robot: Vehicle, *, memory: bool) -> Callable[[], None]:
        world = self.world
        robot.power_off()
        off_s = world.agenda.now_s

        def will() -> None:
            if not robot.alive and world.agenda.now_s - off_s >= KEEPALIVE_S - 0.01:
                world.connect(robot, ConnectionState.CONNECTION_BROKEN)

        world.agenda.after(KEEPALIVE_S, will)

        def back() -> None:
            world.connect(robot, ConnectionState.ONLINE)
            robot.power_on(memory=memory)

        return back

    def _mute(self, robot: Vehicle) -> Callable[[], None]:
        wire = self.world.wires[robot.id]
        wire.cut = True

        def back() -> None:
            wire.cut = False
            self.world.connect(robot, ConnectionState.ONLINE)
            robot.tell()

        return back

    def _put_down(self, robot: Vehicle) -> None:
        world = self.world
        home = world.ground.place(robot.home)
        others = [row for row in world.robots.values() if row is not robot and not row.carried]
        places = [row.where()[0] for row in others]
        taken = any(
            row.floor == home.floor and row.distance_m(home.x_m, home.y_m) < FREE_M
            for row in places
        )
        if taken:
            world.agenda.after(10.0, lambda: self._put_down(robot))
            return
        robot.put(robot.home)

    def _bolts(self, robot: Vehicle) -> Callable[[], None]:
        def put(*, on: bool) -> None:
            for box in robot.boxes:
                box.stuck = on

        put(on=True)
        return lambda: put(on=False)

    def _lie(self, robot: Vehicle, kind: str) -> Callable[[], None]:
        robot.lie = lying(kind, {})
        self.world.judges.lied.add(robot.id)
        robot.tell()

        def honest() -> None:
            robot.lie = None
            robot.tell()

        return honest

    def _restart(self) -> None:
        world = self.world
        world.brain.start(same_boot=world.rng.random() < 0.7)
        for robot in world.robots.values():
            state = ConnectionState.ONLINE if robot.alive else ConnectionState.CONNECTION_BROKEN
            world.connect(robot, state)
        world.buildings.say_all()

    def _fire_out(self) -> None:
        world = self.world
        world.fire = False
        world.judges.fire(burning=False)
        world.buildings.fire()
