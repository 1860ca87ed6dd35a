"""Decides whether a broker guards its topics: one that takes what nobody may write is refused."""

from typing import Final

from contracts import topics
from contracts.units import SiteId
from runtime.clock import Clock
from runtime.mqtt import Bus, MqttLost, Outgoing, PublishRefusedError

RETRY_MS: Final = 1_000


class NoAccessControlError(Exception):
    """The broker has no access control; says what to do."""


async def require_access_control(bus: Bus, clock: Clock, site: SiteId) -> None:
    """Publish to the topic that no account may write, until the broker has answered.

    Raises:
        NoAccessControlError: it took the message.
    """
    topic = topics.acl_probe_topic(site, "controller")
    while True:
        try:
            await bus.publish(Outgoing(topic, b"", qos=1))
        except PublishRefusedError:
            return
        except MqttLost:
            await clock.sleep_ms(RETRY_MS)
            continue
        raise NoAccessControlError(
            f"the broker lets the controller write {topic}, which nobody may: it has no access "
            "control, so anybody on the network could open a compartment. Use a broker with an ACL "
            "(deploy/mosquitto has one ready), or set deployment: demo on one machine."
        )
