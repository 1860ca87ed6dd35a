"""The shipped Mosquitto configuration, on a real broker: each device may say what is its own."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from contracts import topics
from contracts.topics import Kind
from contracts.vda5050.topics import VdaKind
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, Outgoing, TlsSettings
from runtime.site import load_site
from tests.fakes.site_broker import (
    NOT_AUTHORIZED,
    Broker,
    device,
    make_authority,
    refusal,
    serving,
)
from tests.fakes.waiting import until
from zeroentry.broker_acl import acl_of, address_of

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy" / "mosquitto"
SITE: Final = load_site(ROOT / "firmware_configs" / "demo")
DEVICES: Final = ("controller", "edge-1", "edge-2", "robot-1", "robot-2")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("mosquitto")
    make_authority(folder, ("edge-1",), authority="foreign")
    with serving(folder, (DEPLOY / "demo.acl").read_text(encoding="utf-8"), DEVICES) as found:
        yield found


async def received(inbox: Inbox, topic: str) -> bytes:
    async with asyncio.timeout(30):
        while (message := await inbox.get()).topic != topic:
            pass
    return message.payload


def test_the_shipped_acl_is_what_the_site_needs() -> None:
    text = (DEPLOY / "demo.acl").read_text(encoding="utf-8")
    assert text == acl_of(SITE), "python -m zeroentry.broker_acl firmware_configs/demo"


def test_two_devices_of_one_name_are_refused() -> None:
    robots = tuple(robot.model_copy(update={"id": "edge-1"}) for robot in SITE.robots[:1])
    with pytest.raises(ValueError, match="edge-1: two devices of one name"):
        acl_of(SITE.model_copy(update={"robots": robots}))


async def test_an_edge_node_writes_its_own_and_nothing_else(broker: Broker) -> None:
    async with device(broker, "edge-1") as node:
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-1"),
            topics.room_topic(Kind.OBSERVATION, "demo", "room-1"),
            topics.health_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-1.cmd"),
        ):
            assert await refusal(node, topic) is None, topic
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-2"),
            topics.room_topic(Kind.ALERT, "other", "room-1"),
            topics.health_topic("demo", "edge-2"),
            topics.ack_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-2.cmd"),
            topics.command_topic("demo", "edge-1"),
            topics.command_topic("demo", "edge-2"),
            "uagv/v2/ZeroEntrySim/sim-0001/order",
            "anything",
        ):
            assert await refusal(node, topic) == NOT_AUTHORIZED, topic


async def test_a_robot_writes_its_own_and_nothing_else(broker: Broker) -> None:
    mine, other = (address_of(robot) for robot in SITE.robots)
    async with device(broker, "robot-1") as robot:
        for kind in (VdaKind.STATE, VdaKind.CONNECTION, VdaKind.FACTSHEET, VdaKind.VISUALIZATION):
            assert await refusal(robot, mine.topic(kind)) is None
            assert await refusal(robot, other.topic(kind)) == NOT_AUTHORIZED
        for kind in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS):
            assert await refusal(robot, mine.topic(kind)) == NOT_AUTHORIZED
        alert = topics.room_topic(Kind.ALERT, "demo", "room-1")
        assert await refusal(robot, alert) == NOT_AUTHORIZED


async def test_the_controller_commands_but_never_speaks_for_a_device(broker: Broker) -> None:
    async with device(broker, "controller") as controller:
        for topic in (
            topics.command_topic("demo", "edge-1"),
            topics.ack_topic("demo", "edge-2"),
            address_of(SITE.robots[0]).topic(VdaKind.ORDER),
        ):
            assert await refusal(controller, topic) is None, topic
        for topic in (
            topics.room_topic(Kind.ALERT, "demo", "room-1"),
            topics.health_topic("demo", "edge-1"),
            address_of(SITE.robots[0]).topic(VdaKind.STATE),
        ):
            assert await refusal(controller, topic) == NOT_AUTHORIZED, topic


@pytest.mark.parametrize("name", DEVICES)
async def test_nobody_may_write_the_probe(broker: Broker, name: str) -> None:
    async with device(broker, name) as session:
        for node in ("controller", "edge-1"):
            topic = topics.acl_probe_topic("demo", node)
            assert await refusal(session, topic) == NOT_AUTHORIZED


async def test_a_device_reads_what_is_for_it_and_not_what_is_for_others(broker: Broker) -> None:
    command, order = (
        topics.command_topic("demo", "edge-1"),
        address_of(SITE.robots[0]).topic(VdaKind.ORDER),
    )
    marker = topics.command_topic("demo", "edge-2")
    async with (
        device(broker, "controller") as controller,
        device(broker, "edge-1") as mine,
        device(broker, "edge-2") as other,
    ):
        own = mine.subscribe(command, qos=1)
        spying = other.subscribe("#", qos=1, limit=100)
        asked = other.subscribe(marker, qos=1)
        await asyncio.gather(*(inbox.wait_subscribed() for inbox in (own, spying, asked)))
        for topic in (command, order, marker):
            await controller.publish(Outgoing(topic, b"{}", qos=1))
        await received(own, command)
        await received(asked, marker)
        seen = {message.topic for message in await spying.get_batch(100)}
        assert marker in seen
        assert command not in seen
        assert order not in seen


async def test_alerts_reach_the_controller(broker: Broker) -> None:
    alert = topics.room_topic(Kind.ALERT, "demo", "room-1")
    async with device(broker, "controller") as controller, device(broker, "edge-1") as node:
        inbox = controller.subscribe(topics.room_filter(Kind.ALERT, "demo"), qos=1)
        await inbox.wait_subscribed()
        await node.publish(Outgoing(alert, b'{"alert": 1}', qos=1))
        assert await received(inbox, alert) == b'{"alert": 1}'


@pytest.mark.parametrize("identity", ["foreign-edge-1", None])
async def test_a_stranger_does_not_come_in(broker: Broker, identity: str | None) -> None:
    settings = broker.settings("edge-1", identity=identity or "edge-1")
    if identity is None:
        tls = TlsSettings(ca_file=broker.folder / "ca.crt")
        settings = settings.model_copy(update={"client_id": "nobody", "tls": tls})
    session = MqttSession(settings, SystemClock(), rng=random.Random(1))
    log = broker.folder / "log"
    before = log.stat().st_size
    running = asyncio.create_task(session.run())
    try:
        await until(lambda: b"SSL routines" in log.read_bytes()[before:], what="a refusal")
        assert not session.connected
    finally:
        running.cancel()
        await asyncio.wait([running])
