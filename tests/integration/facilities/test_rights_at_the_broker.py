"""Relay boards and robots on a real Mosquitto: none speaks for another, none opens a door.

What a client library shows of a refusal is the reason code of its PUBACK; that nothing came
through all the same is seen by who listens: the controller, and a board that subscribes to all.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from contracts import topics
from contracts.devices import Site
from contracts.topics import Kind
from contracts.vda5050.topics import VdaKind
from runtime.mqtt import Outgoing
from runtime.site import load_site
from tests.fakes.site_broker import NOT_AUTHORIZED, Broker, device, refusal, serving
from tests.fakes.waiting import until
from zeroentry.broker_acl import acl_of, address_of

CONFIGS: Final = Path(__file__).parents[3] / "firmware_configs"


def site_of_two_boards() -> Site:
    """The example's site with a second door on a second board, and the demo's two robots."""
    site = load_site(CONFIGS / "example")
    door = next(row for row in site.doors if row.id == "passage-door")
    link = door.link.model_copy(update={"board": "relay-2", "alive": None})
    other = door.model_copy(update={"id": "store-door", "link": link})
    robots = load_site(CONFIGS / "demo").robots
    return site.model_copy(update={"doors": (*site.doors, other), "robots": robots})


SITE: Final = site_of_two_boards()
BOARDS: Final = ("relay-1", "relay-2")
ROBOTS: Final = tuple(robot.id for robot in SITE.robots)
OPEN_1: Final = "relay-1/switch/passage_door/command"
OPEN_2: Final = "relay-2/switch/passage_door/command"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("rights")
    with serving(folder, acl_of(SITE), ("controller", *BOARDS, *ROBOTS)) as found:
        yield found


def not_for_boards() -> list[str]:
    site = SITE.config.id
    room = SITE.config.areas[0].id
    robot = address_of(SITE.robots[0])
    return [
        OPEN_1,
        OPEN_2,
        "relay-2/status",
        "relay-2/binary_sensor/passage_door_open/state",
        "relay-1/binary_sensor/another/state",
        "relay-1/debug",
        "relay-1/switch/passage_door/state/more",
        robot.topic(VdaKind.STATE),
        robot.topic(VdaKind.ORDER),
        robot.topic(VdaKind.INSTANT_ACTIONS),
        topics.room_topic(Kind.ALERT, site, room),
        topics.room_topic(Kind.ACCESS, site, room),
        topics.health_topic(site, SITE.nodes[0].id),
        topics.command_topic(site, SITE.nodes[0].id),
        topics.ack_topic(site, SITE.nodes[0].id),
        "homeassistant/switch/relay-1/config",
    ]


async def test_a_board_says_what_is_wired_to_it_and_nothing_else(broker: Broker) -> None:
    async with device(broker, "relay-1") as board:
        for topic in (
            "relay-1/status",
            "relay-1/binary_sensor/passage_door_open/state",
            "relay-1/binary_sensor/fire_loop/state",
            "relay-1/switch/passage_door/state",
            "relay-1/sensor/alive/state",
        ):
            assert await refusal(board, topic) is None, topic
        for topic in not_for_boards():
            assert await refusal(board, topic) == NOT_AUTHORIZED, topic


@pytest.mark.parametrize("name", ROBOTS)
async def test_a_robot_opens_no_door_and_speaks_for_no_other(broker: Broker, name: str) -> None:
    other = next(address_of(robot) for robot in SITE.robots if robot.id != name)
    mine = next(address_of(robot) for robot in SITE.robots if robot.id == name)
    async with device(broker, name) as robot:
        assert await refusal(robot, mine.topic(VdaKind.STATE)) is None
        denied = [
            OPEN_1,
            OPEN_2,
            "relay-1/binary_sensor/passage_door_open/state",
            "relay-1/binary_sensor/fire_loop/state",
            "relay-1/status",
            mine.topic(VdaKind.ORDER),
            mine.topic(VdaKind.INSTANT_ACTIONS),
            *(other.topic(kind) for kind in VdaKind),
        ]
        for topic in denied:
            assert await refusal(robot, topic) == NOT_AUTHORIZED, topic


async def test_who_listens_to_all_hears_only_its_own_commands(broker: Broker) -> None:
    robot = address_of(SITE.robots[0])
    told = (OPEN_1, robot.topic(VdaKind.ORDER), robot.topic(VdaKind.INSTANT_ACTIONS), OPEN_2)
    async with (
        device(broker, "controller") as controller,
        device(broker, "relay-1") as board,
        device(broker, "relay-2") as other,
        device(broker, ROBOTS[1]) as spying,
    ):
        inboxes = {
            name: (session.subscribe("#", qos=1), session.subscribe("+/+/+/+/+", qos=1))
            for name, session in (("board", board), ("other", other), ("robot", spying))
        }
        await asyncio.gather(*(box.wait_subscribed() for pair in inboxes.values() for box in pair))
        for topic in told:
            await controller.publish(Outgoing(topic, b"ON", qos=1))
        # What each may hear comes after all that it may not: then the rest would have come as well.
        own = address_of(SITE.robots[1]).topic(VdaKind.ORDER)
        for last in (OPEN_1, OPEN_2, own):
            await controller.publish(Outgoing(last, b"last", qos=1))
        heard: dict[str, list[str]] = {}
        for name, pair in inboxes.items():
            rows: list[str] = []
            heard[name] = rows
            async with asyncio.timeout(10):
                while (message := await pair[0].get()).payload != b"last":
                    rows.append(message.topic)
        assert heard["board"] == [OPEN_1]
        assert heard["other"] == [OPEN_2]
        assert heard["robot"] == []


async def test_a_forged_word_does_not_reach_the_controller(broker: Broker) -> None:
    forged = "relay-1/binary_sensor/passage_door_open/state"
    async with device(broker, "controller") as controller:
        inbox = controller.subscribe("relay-1/#", qos=1)
        await inbox.wait_subscribed()
        async with device(broker, "relay-2") as liar:
            assert await refusal(liar, forged) == NOT_AUTHORIZED
            assert await refusal(liar, "relay-1/status") == NOT_AUTHORIZED
        async with device(broker, "relay-1") as board:
            await board.publish(Outgoing(forged, b"OFF", qos=1))
        async with asyncio.timeout(10):
            while (message := await inbox.get()).topic != forged or message.retain:
                pass
        assert message.payload == b"OFF"


async def test_the_controller_orders_doors_but_says_nothing_for_them(broker: Broker) -> None:
    async with device(broker, "controller") as controller:
        assert await refusal(controller, OPEN_1) is None
        for topic in ("relay-1/status", "relay-1/binary_sensor/fire_loop/state"):
            assert await refusal(controller, topic) == NOT_AUTHORIZED, topic


async def test_a_board_that_takes_the_name_of_another_is_what_its_certificate_says(
    broker: Broker,
) -> None:
    """A client id proves nothing: rights hang on the certificate's common name."""
    settings = broker.settings("relay-1", identity="relay-2")
    async with device(broker, "relay-1", settings=settings) as board:
        assert await refusal(board, "relay-1/status") == NOT_AUTHORIZED
        assert await refusal(board, "relay-2/status") is None
    log = broker.folder / "log"
    await until(lambda: b"relay-2" in log.read_bytes(), what="the broker names who came")
