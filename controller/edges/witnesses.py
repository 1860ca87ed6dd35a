"""Gives nodes the countersignatures of their chains: the newest of each, retained, until it is out.

A witness is committed before it is published, so a node never holds one that we could forget. What
a broken link or broker lost is published again after each connection.
"""

from collections.abc import Iterable
from typing import Final

import structlog

from contracts import topics
from contracts.codec import encode
from contracts.observations import WitnessGiven
from contracts.topics import Kind
from contracts.units import SiteId
from controller.core.ledger import Chain
from controller.core.state import SiteState
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.mqtt import Bus, MqttLost, Outgoing, PublishRefusedError

log = structlog.get_logger(__name__)

LOOK_MS: Final = 200  # a burst of entries is answered once a chain, and nobody waits for it
LOST_MS: Final = 1_000  # without a link a try costs nothing, and with one it is due at once


class WitnessPublisher:
    """Hears of each commit and publishes what is new; one message a chain waits at the most."""

    def __init__(self, bus: Bus, clock: Clock, site: SiteId) -> None:
        self._bus = bus
        self._clock = clock
        self._site = site
        self._repeats = Repeats(clock)
        self._waiting: dict[str, Chain] = {}
        self._known: dict[str, Chain] = {}

    @property
    def waiting(self) -> int:
        """How many chains have a countersignature that is not out yet."""
        return len(self._waiting)

    def know(self, chains: Iterable[Chain]) -> None:
        """What was committed before this process began."""
        for chain in chains:
            self._hear(chain)

    def changed(self, before: SiteState, after: SiteState) -> None:
        """See ``ports.Listener``."""
        if before.ledger.chains is after.ledger.chains:
            return
        for name, chain in after.ledger.chains.items():
            if before.ledger.chains.get(name) is not chain:
                self._hear(chain)

    def repeat_all(self) -> None:
        """Publish every chain's newest again: a broker that restarted has forgotten them."""
        self._waiting = dict(self._known)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            sent = await self._flush()
            await self._clock.sleep_ms(LOOK_MS if sent else LOST_MS)

    async def _flush(self) -> bool:
        for name, chain in tuple(self._waiting.items()):
            try:
                await self._bus.publish(self._message(chain))
            except MqttLost:
                return False
            except PublishRefusedError as refused:
                if times := self._repeats.due(name):
                    log.error("witness_refused", chain=name, error=str(refused), times=times)
                return False
            if self._waiting.get(name) is chain:
                del self._waiting[name]
        return True

    def _hear(self, chain: Chain) -> None:
        known = self._known.get(chain.id)
        if chain.witness and (known is None or known.witness != chain.witness):
            self._known[chain.id] = self._waiting[chain.id] = chain

    def _message(self, chain: Chain) -> Outgoing:
        body = WitnessGiven(node_id=chain.node_id, track_id=chain.track_id, line=chain.witness)
        payload = encode(
            Kind.WITNESS,
            body,
            message_id=f"{chain.track_id}-{chain.life}-{chain.sequence}",
            sender="controller",
            sent_utc_ms=self._clock.utc_ms(),
        )
        topic = topics.witness_topic(self._site, chain.node_id, chain.track_id)
        return Outgoing(topic, payload, qos=1, retain=True)
