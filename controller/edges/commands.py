"""Sends commands to edge nodes, each by the outbox of its node's stream."""

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path

from contracts import topics
from contracts.units import NodeId, SiteId
from controller.core.outputs import SendCommand
from controller.ports import Blocking
from runtime.clock import Clock
from runtime.mqtt import Bus
from runtime.outbox import Outbox, OutboxPump


class NodeCommands:
    """An outbox and its pump for each node of the site."""

    def __init__(
        self,
        folder: Path,
        bus: Bus,
        clock: Clock,
        site: SiteId,
        nodes: Iterable[NodeId],
        *,
        rng: random.Random,
        run_key: bytes | None,
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self._site = site
        self._blocking = blocking
        self._boxes = {
            node: Outbox(folder / f"{node}.db", topics.command_stream(node), "controller", clock)
            for node in nodes
        }
        self._pumps = [
            OutboxPump(
                box,
                bus,
                clock,
                rng,
                ack_topic=topics.ack_topic(site, box.stream),
                signing_key=run_key,
            )
            for box in self._boxes.values()
        ]

    async def run(self) -> None:
        """Pump until cancelled."""
        async with asyncio.TaskGroup() as group:
            for pump in self._pumps:
                group.create_task(pump.run())

    async def send(self, output: SendCommand) -> None:
        """Put a command into its node's outbox; durable on return."""
        box = self._boxes.get(output.node_id)
        if box is None:
            return  # The node left the site's files since: there is nobody to order.
        command = output.command
        topic = topics.command_topic(self._site, output.node_id)
        await self._blocking(box.append, topic, command, command.room_id, command.command_id)

    def close(self) -> None:
        """Close the outboxes' files."""
        for box in self._boxes.values():
            box.close()
