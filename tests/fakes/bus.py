"""An MQTT broker in memory: retained messages, wills, QoS, ACL, and faults that follow from a seed.

It is as bad as a real one is allowed to be: a PUBACK does not mean that anybody has the message.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.envelope import PAYLOAD_MAX_BYTES
from runtime.clock import Clock
from runtime.mqtt import (
    INBOX_LIMIT_DEFAULT,
    DropPolicy,
    Inbound,
    Inbox,
    MqttLost,
    Outgoing,
    PayloadTooLargeError,
    PublishRefusedError,
    topic_matches,
)

SENT_KEPT = 10_000  # enough for a test to look back, bounded for a long simulation
NOT_AUTHORIZED = 0x87


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad the network is; each figure is a probability from 0 to 1 unless its name says ms."""

    publish_lost: float = 0.0
    """The publisher sees MqttLost; half of these reached the broker all the same."""
    delivery_lost: float = 0.0
    """PUBACK was sent, but a subscriber never gets the message (both QoS)."""
    duplicated: float = 0.0
    delayed: float = 0.0
    """Delivered late, so later messages overtake it. Needs a clock."""
    delay_max_ms: int = 2_000


class MemoryBroker:
    """The broker; ``client(name)`` gives each participant its own Bus."""

    def __init__(
        self, clock: Clock | None = None, *, faults: Faults | None = None, seed: int = 0
    ) -> None:
        self._clock = clock
        self.faults = faults or Faults()
        if self.faults.delayed and clock is None:
            raise ValueError("delayed delivery needs a clock")
        self._rng = random.Random(seed)
        self._clients: list[MemoryBus] = []
        self._late: set[asyncio.Task[None]] = set()
        self.retained: dict[str, Inbound] = {}
        self.sent: deque[Outgoing] = deque(maxlen=SENT_KEPT)
        """What the broker accepted, in order; for assertions."""
        self.counts: Counter[str] = Counter()
        self.up = True
        self._acl: list[tuple[str, str, int]] = []

    def client(
        self,
        name: str = "test",
        *,
        will: Outgoing | None = None,
        birth: Callable[[], Sequence[Outgoing]] | None = None,
    ) -> "MemoryBus":
        """A connected participant."""
        bus = MemoryBus(self, name, will=will, birth=birth)
        self._clients.append(bus)
        return bus

    def refuse(
        self, topic_filter: str, *, client: str = "", reason_code: int = NOT_AUTHORIZED
    ) -> None:
        """From now on refuse publishes on ``topic_filter`` (of one client, or of all)."""
        self._acl.append((topic_filter, client, reason_code))

    def crash(self) -> None:
        """As kill -9: retained messages and everything on its way are gone; wills are not sent."""
        self.up = False
        self.retained.clear()
        for task in self._late:
            task.cancel()
        for client in self._clients:
            client.go_down()

    async def restart(self) -> None:
        """Come back empty; every client reconnects and publishes its birth messages."""
        self.up = True
        for client in self._clients:
            await client.reconnect()

    def roll(self, probability: float) -> bool:
        """Whether a fault of this probability strikes now."""
        return probability > 0 and self._rng.random() < probability

    def refusal(self, client: str, topic: str) -> int | None:
        """The reason code with which a publish is refused, if it is."""
        for topic_filter, only, reason_code in self._acl:
            if only in {"", client} and topic_matches(topic_filter, topic):
                return reason_code
        return None

    def accept(self, message: Outgoing) -> None:
        """Take a message: keep it if retained, pass it to every matching inbox, with faults."""
        self.sent.append(message)
        self.counts["accepted"] += 1
        if message.retain:
            self._retain(message)
        inbound = Inbound(message.topic, message.payload, retain=False, qos=message.qos)
        for client in self._clients:
            for inbox in client.matching(message.topic):
                self._deliver(client, inbox, inbound)

    def _retain(self, message: Outgoing) -> None:
        if message.payload:
            kept = Inbound(message.topic, message.payload, retain=True, qos=message.qos)
            self.retained[message.topic] = kept
        else:
            self.retained.pop(message.topic, None)

    def _deliver(self, client: "MemoryBus", inbox: Inbox, message: Inbound) -> None:
        if not client.connected or self.roll(self.faults.delivery_lost):
            self.counts["delivery_lost"] += 1
            return
        copies = 2 if message.qos == 1 and self.roll(self.faults.duplicated) else 1
        for _ in range(copies):
            if self.roll(self.faults.delayed):
                delay_ms = self._rng.randint(1, self.faults.delay_max_ms)
                task = asyncio.create_task(self._deliver_late(client, inbox, message, delay_ms))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                inbox.put(message)

    async def _deliver_late(
        self, client: "MemoryBus", inbox: Inbox, message: Inbound, delay_ms: int
    ) -> None:
        assert self._clock is not None
        await self._clock.sleep_ms(delay_ms)
        self.counts["delivered_late"] += 1
        if client.connected:
            inbox.put(message)


class MemoryBus:
    """One participant's Bus, with the same public face as MqttSession."""

    def __init__(
        self,
        broker: MemoryBroker,
        name: str,
        *,
        will: Outgoing | None,
        birth: Callable[[], Sequence[Outgoing]] | None,
    ) -> None:
        self._broker = broker
        self.name = name
        self._will = will
        self._birth = birth
        self._inboxes: list[Inbox] = []
        self._up = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        if broker.up:
            self._up.set()

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    async def wait_connected(self) -> None:
        await self._up.wait()

    def on_connect(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def subscribe(
        self,
        topic_filter: str,
        *,
        qos: int = 1,
        limit: int = INBOX_LIMIT_DEFAULT,
        drop: DropPolicy = DropPolicy.OLDEST,
    ) -> Inbox:
        inbox = Inbox(topic_filter, limit=limit, drop=drop)
        self._inboxes.append(inbox)
        inbox.mark_subscribed()
        if self.connected:
            self._give_retained(inbox)
        return inbox

    async def publish(self, message: Outgoing) -> None:
        await asyncio.sleep(0)
        if len(message.payload) > PAYLOAD_MAX_BYTES:
            raise PayloadTooLargeError(f"{len(message.payload)} bytes for {message.topic!r}")
        if not self.connected:
            raise MqttLost("not connected to the broker in memory")
        refused = self._broker.refusal(self.name, message.topic)
        if refused is not None:
            self._broker.counts["refused"] += 1
            raise PublishRefusedError(message.topic, refused, "refused by the test")
        if self._broker.roll(self._broker.faults.publish_lost):
            self._broker.counts["publish_lost"] += 1
            if self._broker.roll(0.5):
                self._broker.accept(message)
            raise MqttLost("lost by the test")
        self._broker.accept(message)

    async def run(self) -> None:
        """Publish the birth messages; when cancelled publish the will, as MqttSession does."""
        if self.connected:
            await self._announce()
        try:
            await asyncio.Event().wait()
        finally:
            self.disconnect()

    def matching(self, topic: str) -> list[Inbox]:
        """This client's inboxes that receive ``topic``."""
        return [inbox for inbox in self._inboxes if topic_matches(inbox.topic_filter, topic)]

    def go_down(self) -> None:
        """Lose the link without a word: the broker died."""
        self._up.clear()

    def disconnect(self) -> None:
        """Lose the link while the broker lives: it publishes the will."""
        if self.connected:
            self._up.clear()
            if self._will is not None:
                self._broker.accept(self._will)

    async def reconnect(self) -> None:
        """Come back: retained messages again, birth messages, callbacks."""
        self._up.set()
        for inbox in self._inboxes:
            self._give_retained(inbox)
        await self._announce()

    async def _announce(self) -> None:
        # Past the faults: a session repeats its connection until its birth messages are out.
        for message in self._birth() if self._birth else ():
            self._broker.accept(message)
        for callback in self._callbacks:
            callback()

    def _give_retained(self, inbox: Inbox) -> None:
        for message in list(self._broker.retained.values()):
            if topic_matches(inbox.topic_filter, message.topic):
                inbox.put(message)
