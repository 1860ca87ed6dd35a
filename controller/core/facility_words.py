"""Holds what the core and doors, lifts and the fire alarm say to each other."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from contracts.units import DoorId, FacilityId, FireId, LiftId, RobotId


@dataclass(frozen=True, slots=True)
class FacilityClaim:
    """Where one robot is and what lies before it; there is one for every robot, idle ones too.

    ``here`` is the node that it reported last, ``ahead`` the next nodes of its reserved way (about
    six), of which the first ``released`` are base already. ``occupied``: other nodes that it may
    stand on, such as the one it was driving to when its order was cancelled. Claims come in the
    order in which robots should be served.
    """

    robot_id: RobotId
    here: str | None
    ahead: tuple[str, ...] = ()
    released: int = 0
    occupied: tuple[str, ...] = ()

    @property
    def path(self) -> tuple[str, ...]:
        """Where it is and what lies before it."""
        return self.ahead if self.here is None else (self.here, *self.ahead)

    @property
    def standing(self) -> frozenset[str]:
        """The nodes that it may stand on."""
        return frozenset((*self.occupied, *(() if self.here is None else (self.here,))))


class DoorPosition(StrEnum):
    """What a door says of itself."""

    OPEN = "open"
    """Wholly open: a robot may drive."""
    SHUT = "shut"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class DoorSaid:
    """A door's word on itself."""

    position: DoorPosition


@dataclass(frozen=True, slots=True)
class LiftSaid:
    """A lift's word on itself. ``floor`` None: it stands at none, or nobody knows at which."""

    floor: str | None
    door_open: bool
    in_service: bool = True


@dataclass(frozen=True, slots=True)
class FacilitySaid:
    """A door or a lift says how it is; ``said`` None: what speaks for it is away."""

    facility_id: FacilityId
    said: DoorSaid | LiftSaid | None
    kind: Literal["facility_said"] = "facility_said"


@dataclass(frozen=True, slots=True)
class FireSaid:
    """The fire alarm's contact; ``burning`` None: what speaks for it is away."""

    fire_id: FireId
    burning: bool | None
    kind: Literal["fire_said"] = "fire_said"


@dataclass(frozen=True, slots=True)
class FireReleased:
    """A person says that robots may drive again after a fire alarm."""

    by: str
    reason: str
    kind: Literal["fire_released"] = "fire_released"


FacilityInput = FacilitySaid | FireSaid | FireReleased


@dataclass(frozen=True, slots=True)
class DoorOrder:
    """Open a door and hold it so, or let go of it."""

    open: bool


@dataclass(frozen=True, slots=True)
class LiftOrder:
    """Send a lift to a floor (None: nowhere), hold its door, keep it from common use."""

    floor: str | None = None
    hold: bool = False
    reserve: bool = False


LET_GO = LiftOrder()


@dataclass(frozen=True, slots=True)
class CommandFacility:
    """Order a door or a lift; may be lost, and is sent again until the facility's word says so."""

    facility_id: DoorId | LiftId
    order: DoorOrder | LiftOrder
    kind: Literal["command_facility"] = "command_facility"


class TroubleKind(StrEnum):
    """What is wrong with a facility; each is a rule of the catalogue, ``facility.<kind>``."""

    OFFLINE = "offline"
    DOOR_STUCK = "door_stuck"
    DOOR_OPEN = "door_open"
    LIFT_STUCK = "lift_stuck"
    LIFT_BLOCKED = "lift_blocked"
    FIRE = "fire"
