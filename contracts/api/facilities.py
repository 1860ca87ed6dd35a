"""Holds the robot map with its floors, its doors and lifts, and the fire alarm, for the API."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.api.base import Sentence
from contracts.api.floor import MapEdgeView, MapNodeView
from contracts.devices import Named, ZonePolicy
from contracts.envelope import Strict
from contracts.units import DoorId, FacilityId, LiftId, Note, RobotId, RoomId, ZoneId


class FacilityCondition(StrEnum):
    """One word for what a door or a lift does now; the second line of them is a lift's."""

    OFFLINE = "offline"
    STUCK = "stuck"
    RESTING = "resting"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CALLED = "called"
    BOARDING = "boarding"
    RIDING = "riding"
    LEAVING = "leaving"


class FacilityView(Strict):
    """A door or a lift now. ``why`` says the same in words, and what is wrong where it is.

    ``floor``: where a lift stands, None while nobody knows. ``robot_id``: whom it serves.
    """

    id: FacilityId
    kind: Literal["door", "lift"]
    name: Named
    condition: FacilityCondition
    why: Sentence
    door_open: bool | None = None
    floor: str | None = None
    robot_id: RobotId | None = None


class FireView(Strict):
    """The fire alarm. ``latched``: robots are held until a person releases them."""

    burning: bool = False
    latched: bool = False
    silent: tuple[FacilityId, ...] = ()
    """Contacts that are not heard now."""


class FacilitiesView(Strict):
    """All doors and lifts of the site, and the fire alarm."""

    facilities: tuple[FacilityView, ...] = ()
    fire: FireView = FireView()


class FireReleaseBody(Strict):
    """Why robots may drive again after a fire alarm."""

    reason: Note = Field(min_length=3)


class FloorView(Strict):
    """A floor of the robot map: ``id`` is what robots call its map."""

    id: str
    name: str


class OneLaneView(Strict):
    """A stretch on which two robots cannot pass; ``only_way``: there is no way round it."""

    nodes: tuple[str, ...]
    length_m: float
    only_way: bool


class MapZoneView(Strict):
    """A zone as it lies on the map."""

    id: ZoneId
    name: Named
    policy: ZonePolicy
    nodes: tuple[str, ...]
    seen_by: RoomId | None = None


class MapDoorView(Strict):
    """Between which nodes a door lies."""

    id: DoorId
    name: Named
    ways: tuple[tuple[str, str], ...]
    fire_door: bool = False


class MapStopView(Strict):
    """A floor of a lift and the node in its car there."""

    floor: str
    cab_node: str


class MapLiftView(Strict):
    """The floors that a lift serves, from the lowest."""

    id: LiftId
    name: Named
    floors: tuple[MapStopView, ...]


class MapView(Strict):
    """The whole robot map; it changes only when the controller starts anew."""

    floors: tuple[FloorView, ...]
    nodes: tuple[MapNodeView, ...]
    edges: tuple[MapEdgeView, ...]
    zones: tuple[MapZoneView, ...] = ()
    doors: tuple[MapDoorView, ...] = ()
    lifts: tuple[MapLiftView, ...] = ()
    one_lane: tuple[OneLaneView, ...] = ()
    refuges: tuple[str, ...] = ()
    chargers: tuple[str, ...] = ()
    kitchen: str
    room_doors: dict[RoomId, str] = Field(default_factory=dict)
