"""The bus of the tests behaves as MQTT does where services depend on it."""

import asyncio

import pytest

from runtime.clock import SimulatedClock
from runtime.mqtt import MqttLost, Outgoing, PublishRefusedError
from tests.fakes.bus import Faults, MemoryBroker


async def test_retained_messages_wills_and_births() -> None:
    broker = MemoryBroker()
    node = broker.client(
        "node",
        will=Outgoing("health", b"lost", retain=True),
        birth=lambda: [Outgoing("health", b"here", retain=True)],
    )
    watcher = broker.client("watcher")
    inbox = watcher.subscribe("health")
    running = asyncio.create_task(node.run())
    assert (await inbox.get()).payload == b"here"
    late = watcher.subscribe("health")
    assert (await late.get()).retain
    running.cancel()
    assert (await inbox.get()).payload == b"lost"
    with pytest.raises(MqttLost):
        await node.publish(Outgoing("x", b""))


async def test_a_crash_forgets_what_is_retained_and_tells_nobody() -> None:
    broker = MemoryBroker()
    bus = broker.client("a", will=Outgoing("will", b"gone"))
    inbox = bus.subscribe("#")
    connections: list[bool] = []
    bus.on_connect(lambda: connections.append(bus.connected))
    await bus.publish(Outgoing("x", b"1", retain=True))
    broker.crash()
    with pytest.raises(MqttLost):
        await bus.publish(Outgoing("x", b"2"))
    await broker.restart()
    assert (len(inbox), connections, broker.retained) == (1, [True], {})


async def test_an_acl_refuses_one_client() -> None:
    broker = MemoryBroker()
    broker.refuse("secret/#", client="a")
    with pytest.raises(PublishRefusedError, match="0x87"):
        await broker.client("a").publish(Outgoing("secret/1", b""))
    await broker.client("b").publish(Outgoing("secret/1", b""))
    assert [message.topic for message in broker.sent] == ["secret/1"]


async def test_faults_follow_from_the_seed() -> None:
    async def heard(seed: int) -> list[bytes]:
        clock = SimulatedClock()
        faults = Faults(delivery_lost=0.2, duplicated=0.2, delayed=0.3)
        broker = MemoryBroker(clock, faults=faults, seed=seed)
        bus = broker.client("a")
        inbox = bus.subscribe("x")
        for number in range(60):
            await bus.publish(Outgoing("x", b"%d" % number))
            await clock.run_ms(20)
        await clock.run_ms(5_000)
        return [message.payload for message in await inbox.get_batch(1_000)]

    first = await heard(1)
    assert first == await heard(1)
    assert first != await heard(2)
    assert first != sorted(first, key=int)
    assert len(set(first)) < 60 < len(first) + 20
