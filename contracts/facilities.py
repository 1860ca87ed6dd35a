"""Schema of what robots have opened for them: doors, lifts, and the fire alarm's contact.

A relay board is an ESPHome board: its topics are the component's, with its own topic_prefix.
"""

from typing import Annotated, Literal, Self, assert_never

from pydantic import Field, StringConstraints, model_validator

from contracts.envelope import Strict
from contracts.naming import CredentialName, Named, unique
from contracts.units import ID_PATTERN, DoorId, FireId, LiftId

BoardTopic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,5}$")]
ObjectId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,60}$")]
"""The object id of a component of a board: its name in small letters with underscores."""


GatewayUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s?#@]*)?$", max_length=300)
]
BoardId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""The account of a relay board at the broker."""


class _BoardLink(Strict):
    """A relay board on the broker with ESPHome's topics.

    ``board`` is its account there; ``prefix`` its topic_prefix, the board's name if left out.
    """

    via: Literal["mqtt"]
    board: BoardId
    prefix: BoardTopic | None = None
    alive: ObjectId | None = None
    """A sensor that the board sends every few seconds (`platform: uptime`): one whose broker died
    with it is found out by it, for nobody says `offline` then."""
    alive_within_ms: int = Field(default=45_000, ge=2_000, le=600_000)

    @property
    def topic_prefix(self) -> str:
        """What all topics of the board begin with."""
        return self.prefix or self.board


class HttpLink(Strict):
    """A gateway that answers over HTTP (docs/guide/map-and-facilities.md has the paths)."""

    via: Literal["http"]
    url: GatewayUrl
    """Where it begins, without user and password."""
    credential: CredentialName | None = None
    """Name of a stored secret: `zeroentry credential set NAME`."""


class DoorBoardLink(_BoardLink):
    """A door: a relay that opens it while it is on, or a cover; and a contact that says open."""

    relay: ObjectId | None = None
    cover: ObjectId | None = None
    contact: ObjectId | None = None
    """A binary sensor, ON: the door is wholly open. A cover says so itself."""

    @model_validator(mode="after")
    def _one_way_to_open(self) -> Self:
        if (self.relay is None) == (self.cover is None):
            raise ValueError("link: name `relay` (with `contact`) or `cover`, one of them")
        if self.relay is not None and self.contact is None:
            raise ValueError(
                "link.contact: is missing; a relay does not tell whether the door is open"
            )
        return self


class LiftStopRelays(Strict):
    """What a board has for one floor of a lift."""

    call: ObjectId
    """A relay on the floor's button: the car comes, or goes there."""
    at: ObjectId
    """A binary sensor, ON: the car stands at the floor."""


class LiftBoardLink(_BoardLink):
    """A lift: for each floor a relay and a sensor, one sensor for the open door, one relay to hold.

    ``reserve``: a relay that takes the lift out of common use while a robot has it.
    """

    stops: dict[str, LiftStopRelays] = Field(min_length=1, max_length=64)
    door_open: ObjectId
    hold: ObjectId
    reserve: ObjectId | None = None


class FireBoardLink(_BoardLink):
    """The contact of a fire alarm panel."""

    input: ObjectId
    alarm_when: Literal["ON", "OFF"] = "OFF"
    """OFF: a closed loop that opens on fire, so that a cut wire counts as fire too."""


class SimulatedLink(Strict):
    """Nothing real: `zeroentry facility-sim` plays it, on the topics of a board of this name."""

    via: Literal["simulated"]
    board: BoardId = "facility-sim"


DoorLink = Annotated[DoorBoardLink | HttpLink | SimulatedLink, Field(discriminator="via")]
LiftLink = Annotated[LiftBoardLink | HttpLink | SimulatedLink, Field(discriminator="via")]
FireLink = Annotated[FireBoardLink | HttpLink | SimulatedLink, Field(discriminator="via")]
NodePair = tuple[
    Annotated[str, Field(min_length=1, max_length=64)],
    Annotated[str, Field(min_length=1, max_length=64)],
]


class DoorConfig(Strict):
    """A door that robots have opened for them. ``ways``: the pairs of map nodes it lies between.

    A ``fire_door`` shuts on fire and no robot may stand in it: none is sent through then.
    """

    kind: Literal["door"]
    id: DoorId
    name: Named
    ways: tuple[NodePair, ...] = Field(min_length=1, max_length=16)
    fire_door: bool = False
    open_within_ms: int = Field(default=15_000, ge=1_000, le=120_000)
    close_within_ms: int = Field(default=30_000, ge=1_000, le=300_000)
    link: DoorLink


class LiftFloor(Strict):
    """A floor that a lift serves, as the map calls it (``mapId``), and the node inside the car."""

    floor: str = Field(min_length=1, max_length=64)
    cab_node: str = Field(min_length=1, max_length=64)


class LiftConfig(Strict):
    """A lift that robots ride. Floors are listed from the lowest to the highest."""

    kind: Literal["lift"]
    id: LiftId
    name: Named
    floors: tuple[LiftFloor, ...] = Field(min_length=2, max_length=64)
    call_within_ms: int = Field(default=120_000, ge=5_000, le=600_000)
    """From the call to the open door; people ride in between."""
    board_within_ms: int = Field(default=45_000, ge=5_000, le=300_000)
    ride_within_ms: int = Field(default=120_000, ge=5_000, le=600_000)
    leave_within_ms: int = Field(default=45_000, ge=5_000, le=300_000)
    link: LiftLink

    @model_validator(mode="after")
    def _floors_differ(self) -> Self:
        unique("floors.floor", [row.floor for row in self.floors])
        unique("floors.cab_node", [row.cab_node for row in self.floors])
        if isinstance(self.link, LiftBoardLink):
            served, wired = {row.floor for row in self.floors}, set(self.link.stops)
            if served != wired:
                raise ValueError(
                    f"link.stops: {sorted(wired)}, but the lift's floors are {sorted(served)}"
                )
        return self

    def cab_at(self, floor: str) -> str | None:
        """The node inside the car when it stands at a floor."""
        return next((row.cab_node for row in self.floors if row.floor == floor), None)

    def floor_of(self, node: str) -> str | None:
        """The floor of one of its cab nodes."""
        return next((row.floor for row in self.floors if row.cab_node == node), None)


class FireConfig(Strict):
    """Where the site's fire alarm is heard."""

    kind: Literal["fire"]
    id: FireId
    name: Named
    link: FireLink


Facility = DoorConfig | LiftConfig | FireConfig


def driven_by(link: DoorBoardLink | LiftBoardLink | FireBoardLink) -> tuple[str, ...]:
    """The relays and covers of its board that a facility drives, as ``component/object``."""
    match link:
        case DoorBoardLink():
            own = f"cover/{link.cover}" if link.cover else f"switch/{link.relay}"
            return (own,)
        case LiftBoardLink():
            relays = [stop.call for stop in link.stops.values()]
            relays += [link.hold, *([link.reserve] if link.reserve else [])]
            return tuple(f"switch/{relay}" for relay in relays)
        case FireBoardLink():
            return ()
        case _:
            assert_never(link)


def board_of(facility: Facility) -> DoorBoardLink | LiftBoardLink | FireBoardLink | None:
    """How a facility is reached over a board's topics; a simulated one's board has set names.

    None: it is behind a gateway.
    """
    link = facility.link
    if isinstance(link, HttpLink):
        return None
    if not isinstance(link, SimulatedLink):
        return link
    board, name = link.board, _object_id(facility.id)
    if isinstance(facility, DoorConfig):
        return DoorBoardLink(via="mqtt", board=board, cover=name)
    if isinstance(facility, FireConfig):
        return FireBoardLink(via="mqtt", board=board, input=name, alarm_when="ON")
    stops = {
        row.floor: LiftStopRelays(
            call=f"{name}_call_{_object_id(row.floor)}", at=f"{name}_at_{_object_id(row.floor)}"
        )
        for row in facility.floors
    }
    return LiftBoardLink(
        via="mqtt", board=board, stops=stops, door_open=f"{name}_door", hold=f"{name}_hold"
    )


def _object_id(name: str) -> str:
    """A name as ESPHome makes a component's object id of it."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name.lower())[:40]
