"""A person in the corridor, on a real Mosquitto with the shipped rights: the pause is asked for.

The controller is whole, with its own clock. The robot and the edge node are the test's own words on
the wire, so that the robot can be deaf, answer without obeying, and obey.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contracts.api import DeliveryBody, OrderLine
from contracts.observations import SeenPerson
from contracts.topics import Kind
from contracts.vda5050.topics import VdaKind
from controller.__main__ import Controller, Keys, wire
from controller.core.fleet import Duty, Mission
from controller.core.outputs import Accepted
from controller.core.state import DeliveryOrdered, changed
from controller.settings import ControllerSettings, Deployment
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, Outgoing
from tests.fakes.controller_site import (
    NODE_KEY,
    cheap_hasher,
    live,
    observation,
    person,
    small_map,
    small_site,
    with_database,
)
from tests.fakes.site_broker import Broker, device, serving
from tests.fakes.waiting import until
from zeroentry.broker_acl import acl_of, address_of

WAY: Final = ("kitchen", "k", "c1", "c2", "door-1")
SITE: Final = small_site(robots=1)
ROBOT: Final = SITE.robots[0]
ADDRESS: Final = address_of(ROBOT)
NAMES: Final = ("controller", "edge-1", ROBOT.id)
EVERY_MS: Final = 100  # how often the robot and the edge node speak


@dataclass
class Stub:
    """A robot in the corridor with way before it; ``obeys`` and ``shows`` are the test's."""

    link: MqttSession
    shows: str | None = None
    """With which status it shows what it is told; None: it is deaf."""
    obeys: bool = False
    paused: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    header: int = 0

    async def listen(self) -> None:
        inbox = self.link.subscribe(ADDRESS.topic(VdaKind.INSTANT_ACTIONS), qos=1)
        async for message in inbox:
            for action in json.loads(message.payload)["actions"]:
                if action["actionType"] not in {"startPause", "stopPause"}:
                    continue
                self.asked.append((action["actionType"], action["actionId"]))
                if self.obeys:
                    self.paused = action["actionType"] == "startPause"

    async def speak(self) -> None:
        await self._publish(VdaKind.CONNECTION, {"connectionState": "ONLINE"})
        while True:
            await self._publish(VdaKind.STATE, self._state())
            await SystemClock().sleep_ms(EVERY_MS)

    async def _publish(self, kind: VdaKind, body: dict[str, Any]) -> None:
        self.header += 1
        head = {
            "headerId": self.header,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "version": "2.1.0",
            "manufacturer": ROBOT.manufacturer,
            "serialNumber": ROBOT.serial_number,
        }
        payload = json.dumps(head | body).encode()
        retain = kind is VdaKind.CONNECTION
        await self.link.publish(Outgoing(ADDRESS.topic(kind), payload, qos=1, retain=retain))

    def _state(self) -> dict[str, Any]:
        shown = dict.fromkeys(self.asked) if self.shows else {}
        return {
            "orderId": "o",
            "orderUpdateId": 0,
            "lastNodeId": "c1",
            "lastNodeSequenceId": 4,
            "nodeStates": [{"nodeId": "c2", "sequenceId": 6, "released": True}],
            "edgeStates": [{"edgeId": "c1-c2", "sequenceId": 5, "released": True}],
            "driving": not self.paused,
            "paused": self.paused,
            "agvPosition": {
                "x": 5.0, "y": 0.0, "theta": 0.0, "mapId": "floor-1", "positionInitialized": True,
            },
            "actionStates": [
                {"actionId": action_id, "actionType": kind, "actionStatus": self.shows}
                for kind, action_id in shown
            ],
            "batteryState": {"batteryCharge": 80.0, "charging": False},
            "operatingMode": "AUTOMATIC",
            "errors": [],
            "safetyState": {"eStop": "NONE", "fieldViolation": False},
        }  # fmt: skip

    def ids(self, kind: str) -> list[str]:
        return [action_id for one, action_id in self.asked if one == kind]


@dataclass
class Eyes:
    """The edge node that sees the corridor; silent while ``open`` is False."""

    link: MqttSession
    people: tuple[SeenPerson, ...] = ()
    open: bool = True

    async def see(self) -> None:
        clock, index = SystemClock(), 0
        while True:
            if self.open:
                index += 1
                seen = observation(index=index, utc_ms=clock.utc_ms(), people=self.people)
                await self.link.publish(live(Kind.OBSERVATION, "corridor", seen))
            await SystemClock().sleep_ms(EVERY_MS)


def controller_on(folder: Path, link: MqttSession) -> Controller:
    settings = ControllerSettings(
        site_dir=folder, data_dir=folder / "data", deployment=Deployment.DEMO
    )
    with_database(settings.data_dir)
    return wire(
        settings,
        SITE,
        small_map(),
        Keys({"edge-1": NODE_KEY}, "edge-token", None),
        SystemClock(),
        link,
        rng=random.Random(1),
        base_url="http://controller",
        broker_connected=lambda: link.connected,
        hasher=cheap_hasher(),
    )


@asynccontextmanager
async def corridor(folder: Path, broker: Broker) -> AsyncIterator[tuple[Controller, Stub, Eyes]]:
    """All three on the broker, and the robot on its way through the corridor with a meal."""
    async with (
        device(broker, "controller") as link,
        device(broker, "edge-1") as edge,
        device(broker, ROBOT.id) as vehicle,
    ):
        controller = controller_on(folder, link)
        stub, eyes = Stub(vehicle), Eyes(edge)
        service = controller.service
        mission = Mission("o", WAY, 4, passed=2, answered=0)
        duty = Duty(ROBOT.id, mission=mission, at_node="c1")
        service.state = replace(service.state, duties=changed(service.state.duties, ROBOT.id, duty))
        parts = (controller.run(), stub.listen(), stub.speak(), eyes.see())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            body = DeliveryBody(room_id="room-1", lines=(OrderLine(dish="box-standard", count=1),))
            ordered = await service.ask(DeliveryOrdered("d-1", body, "sup", ""))
            assert isinstance(ordered, Accepted)  # nothing is enforced while nothing is delivered
            yield controller, stub, eyes
            assert not any(task.done() for task in tasks), "a part has ended"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_pause_is_asked_for_on_the_wire_until_the_robot_says_that_it_is_paused(
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "broker").mkdir()
    with serving(folder, acl_of(SITE), NAMES) as broker:
        async with corridor(tmp_path, broker) as (controller, robot, eyes):
            eyes.people = (person(),)
            await until(lambda: len(robot.asked) >= 3, what="a deaf robot is asked again")
            assert len(set(robot.ids("startPause"))) == 1, (
                "as the same action: it may be on its way"
            )

            robot.shows = "RUNNING"
            await until(
                lambda: len(set(robot.ids("startPause"))) >= 3,
                what="one that shows it and drives on is asked with another id",
            )
            rules = {row.alert.rule for row in controller.service.state.alerts.values()}
            assert "robot.person_in_zone" in rules
            await until(
                lambda: any(
                    row.alert.rule == "robot.ignores_pause"
                    for row in controller.service.state.alerts.values()
                ),
                what="people are told of it",
            )
            assert robot.ids("stopPause") == []

            robot.shows, robot.obeys = "FINISHED", True
            await until(lambda: robot.paused, what="it obeys")
            await until(
                lambda: (
                    (report := controller.service.state.robots[ROBOT.id].report) is not None
                    and report.paused
                ),
                what="the controller knows",
            )
            asked = len(robot.asked)
            eyes.people = ()
            await until(lambda: not robot.paused, what="it goes on once the zone has been clear")
            assert [kind for kind, _ in robot.asked[asked:]].count("startPause") == 0

            eyes.open = False
            await until(lambda: robot.paused, what="what nobody sees counts as occupied")
