"""Holds what the fleet's master and people may tell the core of a robot besides its state."""

from dataclasses import dataclass
from typing import Literal

from contracts.units import RobotId
from controller.core.capability import Declared


@dataclass(frozen=True, slots=True)
class RobotDeclared:
    """A robot says what it can do (its factsheet)."""

    robot_id: RobotId
    declared: Declared
    kind: Literal["robot_declared"] = "robot_declared"


@dataclass(frozen=True, slots=True)
class RobotGarbled:
    """A robot sent on its state topic what is no state: a number out of range, no JSON."""

    robot_id: RobotId
    reason: str
    detail: str
    kind: Literal["robot_garbled"] = "robot_garbled"


@dataclass(frozen=True, slots=True)
class RobotCleared:
    """A person has looked at a robot that was in doubt, and stands for it again."""

    robot_id: RobotId
    reason: str
    by: str
    kind: Literal["robot_cleared"] = "robot_cleared"


FleetInput = RobotDeclared | RobotGarbled | RobotCleared
