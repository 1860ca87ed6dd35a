"""Simulated robots on a real broker: the controller's fleet adapter takes them for real ones."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from contracts.vda5050.state import ActionStatus, ConnectionState
from controller.core.fleet import RobotReport
from controller.core.fleet_inputs import RobotDeclared
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from controller.core.state import RobotConnected, RobotReported
from controller.fleet.master import FleetMaster
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings
from tests.fakes.offered import Offered
from tests.fakes.waiting import until
from zeroentry.simulator.live import LiveFleet

ROBOT = "robot-1"


class Desk(Offered):
    """What the fleet adapter hands to the controller."""

    def report(self) -> RobotReport | None:
        rows = [row.report for row in self.words if isinstance(row, RobotReported)]
        return rows[-1] if rows else None

    def passed(self) -> list[str]:
        rows = [row for row in self.words if isinstance(row, RobotReported)]
        nodes = [row.report.last_node for row in rows if row.robot_id == ROBOT]
        return list(dict.fromkeys(nodes))


@dataclass
class Scene:
    """A fleet in real time, and the controller's side of its bus."""

    desk: Desk
    master: FleetMaster

    async def send(self, output: PublishOrder | PublishAction) -> None:
        await self.master.publish(output, SystemClock().utc_ms())


@pytest.fixture
async def scene(broker_port: int) -> AsyncIterator[Scene]:
    fleet = LiveFleet("demo", {"host": "127.0.0.1", "port": broker_port})
    clock, desk = SystemClock(), Desk()
    settings = MqttSettings(port=broker_port, client_id="controller")
    session = MqttSession(settings, clock, rng=random.Random(1))
    master = FleetMaster(session, clock, fleet.plan, run_key=None)
    tasks = [asyncio.create_task(part) for part in (session.run(), master.run(desk), fleet.run())]
    await until(lambda: desk.report() is not None, within_s=30, what="a robot reports")
    yield Scene(desk, master)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_simulated_robot_connects_declares_itself_and_drives_an_order(scene: Scene) -> None:
    desk = scene.desk
    await until(
        lambda: any(isinstance(row, RobotDeclared) for row in desk.words),
        within_s=30,
        what="a factsheet",
    )
    assert RobotConnected(ROBOT, ConnectionState.ONLINE) in desk.words
    base = OrderNode("dock-1", 0, released=True), OrderNode("c1", 2, released=True)
    await scene.send(PublishOrder(ROBOT, "o1", 0, (*base, OrderNode("c2", 4, released=False))))
    await until(lambda: "c1" in desk.passed(), within_s=20, what="robot-1 is at c1")
    await scene.send(PublishAction(ROBOT, "a1", ActionKind.CANCEL))

    def cancelled() -> bool:
        rows = [row for row in desk.words if isinstance(row, RobotReported)]
        done = [row.report for row in rows if row.robot_id == ROBOT and not row.report.unpassed]
        return any(
            action.action_id == "a1" and action.status is ActionStatus.FINISHED
            for report in done
            for action in report.actions
        )

    await until(cancelled, within_s=30, what="the order is cancelled")
    assert desk.passed() == ["dock-1", "c1"]
