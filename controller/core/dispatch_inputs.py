"""Holds what people tell robots beside deliveries: hold, resume, recall, go through."""

from dataclasses import dataclass
from typing import Literal

from contracts.units import RobotId, ZoneId
from controller.core.fleet import HoldVerb


@dataclass(frozen=True, slots=True)
class RobotCommanded:
    """A supervisor holds a robot, lets it go on, or calls it back."""

    robot_id: RobotId
    verb: HoldVerb
    reason: str
    by: str
    kind: Literal["robot_commanded"] = "robot_commanded"


@dataclass(frozen=True, slots=True)
class ZoneLetThrough:
    """A supervisor lets a robot through a zone that nobody sees; the proof says unproven."""

    robot_id: RobotId
    zone_id: ZoneId
    reason: str
    by: str
    kind: Literal["zone_let_through"] = "zone_let_through"


DispatchInput = RobotCommanded | ZoneLetThrough
