"""Runs one bridge with its vehicle watched, and prints when it was told and when it passed nodes.

Each line is ``goal ORDER NS`` or ``passed ORDER SEQUENCE NS``, with this machine's monotonic clock,
which all processes share. Another vehicle (ROS) is measured by whatever prints the same lines.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from contracts.units import MonoMs
from robot_bridge.__main__ import main
from robot_bridge.core.vehicle import Drive, Observation, Passed, VehicleCommand, VehicleEvent
from robot_bridge.ports import Vehicle
from robot_bridge.settings import BridgeSettings
from runtime.clock import SystemClock
from runtime.settings import load

TICK_S: Final = 0.01  # how exactly the time is known at which a node is passed


class Watched:
    """A vehicle that is looked at more often than the bridge does."""

    def __init__(self, inner: Vehicle) -> None:
        self._inner = inner
        self._clock = SystemClock()
        self._events: list[VehicleEvent] = []
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            self._look(self._clock.mono_ms())
            await asyncio.sleep(TICK_S)

    def _look(self, now: MonoMs) -> Observation:
        seen = self._inner.observe(now)
        for event in seen.events:
            if isinstance(event, Passed):
                _say("passed", event.order_id, str(event.sequence_id))
        self._events += seen.events
        return seen

    def perform(self, command: VehicleCommand) -> None:
        """Pass it on, and say when a route was given."""
        if isinstance(command, Drive):
            _say("goal", command.order_id)
        self._inner.perform(command)

    def observe(self, now: MonoMs) -> Observation:
        """What the vehicle says, with all events since the bridge looked last."""
        seen = self._look(now)
        events, self._events = tuple(self._events), []
        return Observation(seen.reading, events)

    def memory(self) -> str:
        """See ``Vehicle.memory``."""
        return self._inner.memory()


def _say(*words: str) -> None:
    sys.stdout.write(" ".join((*words, str(time.monotonic_ns()))) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    asyncio.run(main(load(BridgeSettings, file=file, environ=os.environ, overrides={}), Watched))
