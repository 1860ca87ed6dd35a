"""Every VDA 5050 topic: how it is built and read, its QoS, whether it is retained."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_PREFIX: Final = "uagv"
DEFAULT_MAJOR: Final = "v2"

_LEVEL: Final = re.compile(r"^[^/+#\x00-\x1f]{1,64}$")
# The standard asks for A-Z a-z 0-9 _ . : - in names; makers also send spaces and other scripts.
_PREFIX: Final = re.compile(r"^[^+#\x00-\x1f]{1,128}$")

PREFIX_LEVELS_MAX: Final = (
    8  # a bridge of brokers may put site and region before the interface's name
)


class VdaKind(StrEnum):
    """The topics of the standard; the value is the last level."""

    ORDER = "order"
    INSTANT_ACTIONS = "instantActions"
    STATE = "state"
    VISUALIZATION = "visualization"
    CONNECTION = "connection"
    FACTSHEET = "factsheet"


@dataclass(frozen=True, slots=True)
class VdaTopicSpec:
    """QoS and retain of one kind of topic, who sends it, and what for."""

    kind: VdaKind
    qos: int
    retain: bool
    sender: str
    purpose: str


SPECS: Final[Mapping[VdaKind, VdaTopicSpec]] = {
    spec.kind: spec
    for spec in (
        VdaTopicSpec(VdaKind.ORDER, 0, False, "master", "The way to go: base and horizon."),
        VdaTopicSpec(VdaKind.INSTANT_ACTIONS, 0, False, "master", "Actions to do at once."),
        VdaTopicSpec(VdaKind.STATE, 0, False, "robot", "All that the robot says of itself."),
        VdaTopicSpec(VdaKind.VISUALIZATION, 0, False, "robot", "Position at a higher rate."),
        VdaTopicSpec(VdaKind.CONNECTION, 1, True, "robot", "On the bus or not; the last will."),
        VdaTopicSpec(VdaKind.FACTSHEET, 0, True, "robot", "What the robot is and can do."),
    )
}
# The standard leaves `retain` of the factsheet open; retained, a master that starts later has it.


@dataclass(frozen=True, slots=True)
class VehicleAddress:
    """Where a robot is on the bus: ``prefix/major/manufacturer/serial``."""

    prefix: str
    major: str
    manufacturer: str
    serial: str

    def __post_init__(self) -> None:
        if not _PREFIX.match(self.prefix) or self.prefix.startswith(("/", "$")):
            raise ValueError(f"prefix {self.prefix!r} cannot begin a topic")
        for name in ("major", "manufacturer", "serial"):
            level = getattr(self, name)
            if not _LEVEL.match(level):
                raise ValueError(
                    f"{name} {level!r} cannot be a topic level: no / + #, 1 to 64 long"
                )

    def topic(self, kind: VdaKind) -> str:
        """The topic of ``kind`` for this robot."""
        return f"{self.prefix}/{self.major}/{self.manufacturer}/{self.serial}/{kind}"


def vehicle_filter(kind: VdaKind, prefix: str = DEFAULT_PREFIX, major: str = DEFAULT_MAJOR) -> str:
    """Subscription for one kind of all robots under a prefix."""
    return f"{prefix}/{major}/+/+/{kind}"


def parse(topic: str) -> tuple[VehicleAddress, VdaKind] | None:
    """Take a topic apart; None when it is not one of the standard's."""
    levels = topic.split("/")
    if not 5 <= len(levels) <= PREFIX_LEVELS_MAX + 4:
        return None
    *prefix, major, manufacturer, serial, last = levels
    try:
        return VehicleAddress("/".join(prefix), major, manufacturer, serial), VdaKind(last)
    except ValueError:
        return None
