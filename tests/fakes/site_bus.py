"""The site's broker in memory, with machines that are killed: a dead client says nothing more."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

from runtime.clock import Clock
from runtime.mqtt import DropPolicy, Inbox, Outgoing
from tests.fakes.bus import Faults, MemoryBroker, MemoryBus
from tests.fakes.site_clock import Life, forever

INBOX_LIMIT = 1_000


class SiteBroker(MemoryBroker):
    """A broker that lets clients die, and notes what base was released to robots."""

    def __init__(self, clock: Clock, *, faults: Faults, seed: int) -> None:
        super().__init__(clock, faults=faults, seed=seed)
        self.released: dict[str, dict[int, str]] = defaultdict(dict)
        """Order id -> sequence id -> node, of all nodes that were ever released."""
        self.swallows: Callable[[Outgoing], bool] = lambda _: False
        """Messages that never arrive: a fault planted on purpose."""

    def connect(
        self,
        name: str,
        life: Life,
        *,
        will: Outgoing | None = None,
        birth: Callable[[], Sequence[Outgoing]] | None = None,
    ) -> "MachineBus":
        """A client that dies with ``life``."""
        bus = MachineBus(self, name, life, will=will, birth=birth)
        self._clients.append(bus)
        return bus

    def remove(self, bus: "MachineBus") -> None:
        """A client's process is gone; its link broke with it, so its will is published."""
        if bus in self._clients:
            self._clients.remove(bus)
            bus.disconnect()

    def accept(self, message: Outgoing) -> None:
        if self.swallows(message):
            return
        if message.topic.endswith("/order"):
            order = json.loads(message.payload)
            for node in order["nodes"]:
                if node["released"]:
                    self.released[order["orderId"]][node["sequenceId"]] = node["nodeId"]
        super().accept(message)


class MachineBus(MemoryBus):
    """A participant whose machine can die."""

    def __init__(
        self,
        broker: SiteBroker,
        name: str,
        life: Life,
        *,
        will: Outgoing | None,
        birth: Callable[[], Sequence[Outgoing]] | None,
    ) -> None:
        super().__init__(broker, name, will=will, birth=birth)
        self._life = life
        self._matches: dict[str, list[Inbox]] = {}

    async def publish(self, message: Outgoing) -> None:
        if not self._life.alive:
            await forever()
        await super().publish(message)

    def subscribe(
        self,
        topic_filter: str,
        *,
        qos: int = 1,
        limit: int = INBOX_LIMIT,
        drop: DropPolicy = DropPolicy.OLDEST,
    ) -> Inbox:
        self._matches.clear()
        return super().subscribe(topic_filter, qos=qos, limit=limit, drop=drop)

    def matching(self, topic: str) -> list[Inbox]:
        found = self._matches.get(topic)
        if found is None:
            found = self._matches[topic] = super().matching(topic)
        return found

    @property
    def inboxes(self) -> Sequence[Inbox]:
        """Every subscription's queue."""
        return self._inboxes
