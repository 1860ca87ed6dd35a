"""Decides what the topics of a relay board mean, and what to write for an order.

The topics are ESPHome's: PREFIX/COMPONENT/OBJECT/state and .../command, and PREFIX/status with
`online` or `offline` as birth and will. States are retained, so they come again on a connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from contracts.facilities import DoorBoardLink, FireBoardLink, LiftBoardLink
from contracts.units import FacilityId, FireId
from controller.core.facility_words import (
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
    FireSaid,
    LiftOrder,
    LiftSaid,
)

ON: Final = "ON"
OFF: Final = "OFF"
STATUS: Final = "status"
ONLINE: Final = "online"
PAYLOAD_MAX: Final = 64  # a state is a word or a number

COVER_POSITIONS: Final[Mapping[str, DoorPosition]] = {
    "open": DoorPosition.OPEN,
    "closed": DoorPosition.SHUT,
    "opening": DoorPosition.BETWEEN,
    "closing": DoorPosition.BETWEEN,
}

Write = tuple[str, str]
"""A topic and what to write there."""
Said = FacilitySaid | FireSaid


def status_topic(prefix: str) -> str:
    """Where a board says that it is there; its last will says `offline`."""
    return f"{prefix}/{STATUS}"


def board_filter(prefix: str) -> str:
    """Subscription for all that a board says: one, so that its words stay in their order."""
    return f"{prefix}/#"


def command_topic(prefix: str, component: str, object_id: str) -> str:
    """Where a component of a board is told something."""
    return f"{prefix}/{component}/{object_id}/command"


class Wired(Protocol):
    """One facility on a board."""

    def said(self, states: Mapping[str, str]) -> Said:
        """What it says, from the board's states: `component/object` -> payload."""
        ...

    def lost(self) -> Said:
        """What it says while its board is away."""
        ...

    def writes(self, order: DoorOrder | LiftOrder, states: Mapping[str, str]) -> tuple[Write, ...]:
        """What to write on the board for an order."""
        ...

    @property
    def written(self) -> tuple[str, ...]:
        """Every topic that may be written for it."""
        ...

    @property
    def read(self) -> tuple[str, ...]:
        """Every state that it is read from, as `component/object`."""
        ...


@dataclass(frozen=True, slots=True)
class WiredDoor:
    """A door on a board: a cover, or a relay with a contact."""

    id: FacilityId
    link: DoorBoardLink

    def said(self, states: Mapping[str, str]) -> Said:
        """Open when the contact or the cover says so; a word never heard means between."""
        if self.link.contact is not None:
            contact = states.get(f"binary_sensor/{self.link.contact}")
            position = _POSITION_OF_CONTACT.get(contact or "", DoorPosition.BETWEEN)
        else:
            cover = states.get(f"cover/{self.link.cover}", "")
            position = COVER_POSITIONS.get(cover, DoorPosition.BETWEEN)
        return FacilitySaid(self.id, DoorSaid(position))

    def lost(self) -> Said:
        """Away."""
        return FacilitySaid(self.id, None)

    def writes(
        self,
        order: DoorOrder | LiftOrder,
        states: Mapping[str, str],
    ) -> tuple[Write, ...]:
        """The relay on or off, or the cover's command."""
        if not isinstance(order, DoorOrder):
            return ()
        prefix = self.link.topic_prefix
        if self.link.relay is not None:
            topic = command_topic(prefix, "switch", self.link.relay)
            return ((topic, ON if order.open else OFF),)
        topic = command_topic(prefix, "cover", self.link.cover or "")
        return ((topic, "OPEN" if order.open else "CLOSE"),)

    @property
    def written(self) -> tuple[str, ...]:
        """Its one command."""
        return tuple(topic for topic, _ in self.writes(DoorOrder(open=True), {}))

    @property
    def read(self) -> tuple[str, ...]:
        """The contact, or the cover; and the relay's own state."""
        found = [f"binary_sensor/{self.link.contact}"] if self.link.contact else []
        own = f"cover/{self.link.cover}" if self.link.cover else f"switch/{self.link.relay}"
        return (*found, own)


_POSITION_OF_CONTACT: Final[Mapping[str, DoorPosition]] = {
    ON: DoorPosition.OPEN,
    OFF: DoorPosition.SHUT,
}


@dataclass(frozen=True, slots=True)
class WiredLift:
    """A lift on a board."""

    id: FacilityId
    link: LiftBoardLink

    def said(self, states: Mapping[str, str]) -> Said:
        """At a floor when exactly one of its sensors says so: two at once say nothing."""
        at = [
            floor
            for floor, stop in self.link.stops.items()
            if states.get(f"binary_sensor/{stop.at}") == ON
        ]
        floor = at[0] if len(at) == 1 else None
        door_open = states.get(f"binary_sensor/{self.link.door_open}") == ON
        return FacilitySaid(self.id, LiftSaid(floor, door_open))

    def lost(self) -> Said:
        """Away."""
        return FacilitySaid(self.id, None)

    def writes(self, order: DoorOrder | LiftOrder, states: Mapping[str, str]) -> tuple[Write, ...]:
        """Press the floor's button unless the car stands open there; hold; reserve."""
        if not isinstance(order, LiftOrder):
            return ()
        prefix, link = self.link.topic_prefix, self.link
        found: list[Write] = []
        if link.reserve is not None:
            topic = command_topic(prefix, "switch", link.reserve)
            found.append((topic, ON if order.reserve else OFF))
        hold = command_topic(prefix, "switch", link.hold)
        found.append((hold, ON if order.hold else OFF))
        stop = link.stops.get(order.floor or "")
        here = self.said(states) == FacilitySaid(self.id, LiftSaid(order.floor, door_open=True))
        if stop is not None and not here:
            found.append((command_topic(prefix, "switch", stop.call), ON))
        return tuple(found)

    @property
    def written(self) -> tuple[str, ...]:
        """Buttons, hold, reserve."""
        relays = [stop.call for stop in self.link.stops.values()]
        relays += [self.link.hold, *([self.link.reserve] if self.link.reserve else [])]
        prefix = self.link.topic_prefix
        return tuple(command_topic(prefix, "switch", relay) for relay in relays)

    @property
    def read(self) -> tuple[str, ...]:
        """Where it stands, its door; and its relays' own states."""
        stops = self.link.stops.values()
        relays = [self.link.hold, *([self.link.reserve] if self.link.reserve else [])]
        return (
            *(f"binary_sensor/{stop.at}" for stop in stops),
            f"binary_sensor/{self.link.door_open}",
            *(f"switch/{stop.call}" for stop in stops),
            *(f"switch/{relay}" for relay in relays),
        )


@dataclass(frozen=True, slots=True)
class WiredFire:
    """The fire alarm's contact on a board."""

    id: FireId
    link: FireBoardLink

    def said(self, states: Mapping[str, str]) -> Said:
        """Burning when the contact says so; a contact never heard says nothing."""
        state = states.get(f"binary_sensor/{self.link.input}")
        return FireSaid(self.id, None if state is None else state == self.link.alarm_when)

    def lost(self) -> Said:
        """Away: what it said last stays."""
        return FireSaid(self.id, None)

    def writes(
        self,
        order: DoorOrder | LiftOrder,
        states: Mapping[str, str],
    ) -> tuple[Write, ...]:
        """Nothing: it only listens."""
        return ()

    @property
    def written(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def read(self) -> tuple[str, ...]:
        """Its contact."""
        return (f"binary_sensor/{self.link.input}",)


@dataclass(slots=True)
class Board:
    """One relay board: what it said, and what hangs on it. ``alive``: a sensor it must send."""

    name: str
    prefix: str
    wired: dict[FacilityId, Wired] = field(default_factory=dict)
    alive: str | None = None
    alive_within_ms: int = 0
    states: dict[str, str] = field(default_factory=dict)
    online: bool = False
    heard_mono_ms: int | None = None
    kept: set[str] = field(default_factory=set)
    """States known only as the broker kept them: they may be of yesterday."""

    def forget(self) -> None:
        """The link to the broker is lost: what was said on it may soon be past."""
        self.doubt()
        self.online = False
        self.heard_mono_ms = None

    def doubt(self) -> None:
        """What it said on its doors and sensors counts no more until it says it again."""
        self.states.clear()
        self.kept.clear()

    def take(self, topic: str, payload: bytes, mono_ms: int, *, retained: bool) -> None:
        """One message of the board; one that is none of its own changes nothing."""
        if len(payload) > PAYLOAD_MAX:
            return
        text = payload.decode("utf-8", errors="replace").strip()
        levels = topic.removeprefix(f"{self.prefix}/").split("/")
        if levels == [STATUS]:
            self._take_status(online=text == ONLINE, retained=retained)
        elif len(levels) == 3 and levels[2] == "state":
            key = f"{levels[0]}/{levels[1]}"
            if any(key in row.read for row in self.wired.values()):
                self.states[key] = text
                (self.kept.add if retained else self.kept.discard)(key)
        else:
            return  # our own orders, where the broker echoes them, are no sign of life
        if not retained:
            self.heard_mono_ms = mono_ms

    def _take_status(self, *, online: bool, retained: bool) -> None:
        if not online:
            self.doubt()  # what it said before it lost its power says nothing now
        elif not self.online and not retained:
            # It has just come, and says all anew: what the broker kept is from before.
            for key in self.kept:
                del self.states[key]
            self.kept.clear()
        self.online = online

    def there(self, mono_ms: int) -> bool:
        """Whether its word counts now."""
        if not self.online:
            return False
        if self.alive is None:
            return True
        heard = self.heard_mono_ms
        return heard is not None and mono_ms - heard <= self.alive_within_ms

    def said(self, mono_ms: int) -> dict[FacilityId, Said]:
        """What everything on it says now."""
        there = self.there(mono_ms)
        return {
            name: row.said(self.states) if there else row.lost() for name, row in self.wired.items()
        }
