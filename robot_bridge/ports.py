"""States what the bridge needs of a vehicle and of a place to remember."""

from typing import Protocol

from contracts.units import MonoMs
from robot_bridge.core.vehicle import Observation, VehicleCommand


class Vehicle(Protocol):
    """A robot that can be driven: simulated, or by ROS 2.

    There is no pause: the bridge halts and later gives the route again, which every navigation can.
    """

    def perform(self, command: VehicleCommand) -> None:
        """Begin what is told and return at once; the outcome shows in later observations.

        A command that the vehicle cannot do is left undone; the bridge notices by its time-outs.
        """
        ...

    def observe(self, now: MonoMs) -> Observation:
        """What the sensors say at ``now``, and the events since the last look, in order."""
        ...

    def memory(self) -> str:
        """What the vehicle wants back after a restart; empty when it remembers by itself."""
        ...


class Memory(Protocol):
    """Keeps one text over a restart, also after kill -9 or a pulled plug."""

    def load(self) -> str | None:
        """The newest text that was kept; None on the first start.

        Raises:
            MemoryLost: there is one, but it cannot be read.
        """
        ...

    def keep(self, text: str) -> None:
        """Return once the text is on the disk.

        Raises:
            MemoryLost: the disk refused.
        """
        ...


class MemoryLost(Exception):
    """What the robot had to remember cannot be read or written; says where and what to do."""
