"""Holds what dispatch remembers between two settlings; lost with the process, and found anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_

from contracts.api import Sentence
from contracts.units import MonoMs, RobotId, ZoneId
from controller.core.deliveries import Delivery
from controller.core.interlock import Clearance

Edges = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Quiet:
    """What a settling that changed nothing had before it: the next need not look again.

    Compared by identity, but for the zones. ``until_mono_ms``: then time alone may have changed
    something.
    """

    parts: tuple[object, ...]
    zones: Mapping[ZoneId, Clearance]
    until_mono_ms: MonoMs
    due_mono_ms: MonoMs

    def holds(self, parts: tuple[object, ...], zones: Mapping[ZoneId, Clearance]) -> bool:
        """Whether nothing has changed since."""
        return self.zones == zones and all(map(is_, self.parts, parts))


@dataclass(frozen=True, slots=True)
class Blocked:
    """Which robot keeps a delivery waiting, and where it stands.

    ``reason``: why it does not move by itself; None: it will, when it has done what it is at.
    """

    robot_id: RobotId
    node: str
    reason: Sentence | None = None


@dataclass(frozen=True, slots=True)
class DispatchLive:
    """``since``: when each robot was last given a node, or took up its way.

    ``declined``: robot -> what its wish was judged by when it was refused; it is asked again only
    when that has changed. ``planned``: what the last assignment was made from. ``asked``: when a
    charger or a compartment was asked last, by name. ``zones``: the ways that zones shut.
    ``granted``: what the last grants were made from. ``quiet``: a settling that changed nothing.
    ``carrying``: the deliveries it was made from, and what of them each robot carries.
    ``blocked``: delivery -> the robot that keeps it waiting, as looked at ``looked_mono_ms``;
    ``blocking``: since when each robot that will not move keeps any. ``queue``: the robots that
    wait for a charger, the emptiest first.
    """

    since: Mapping[RobotId, MonoMs] = field(default_factory=dict)
    declined: Mapping[RobotId, object] = field(default_factory=dict)
    planned: object = None
    asked: Mapping[str, MonoMs] = field(default_factory=dict)
    zones: tuple[Mapping[ZoneId, Clearance], Edges] | None = None
    granted: object = None
    quiet: Quiet | None = None
    carrying: tuple[object, Mapping[RobotId, tuple[Delivery, ...]]] | None = None
    blocked: Mapping[str, Blocked] = field(default_factory=dict)
    looked_mono_ms: MonoMs = MonoMs(-(10**12))
    blocking: Mapping[RobotId, MonoMs] = field(default_factory=dict)
    queue: tuple[RobotId, ...] = ()
