"""Holds robots, their map and their zones as the API shows them."""

from enum import StrEnum

from pydantic import Field

from contracts.api.base import Sentence
from contracts.devices import Named, ZonePolicy
from contracts.envelope import Strict
from contracts.units import Note, RobotId, RoomId, UtcMs, ZoneId


class RobotCondition(StrEnum):
    """One word for what a robot does now."""

    OFFLINE = "offline"
    IDLE = "idle"
    DRIVING = "driving"
    PAUSED = "paused"
    HELD = "held"
    ERROR = "error"
    REMOVED = "removed"
    """A person has taken it off the floor."""


class Pose(Strict):
    """Where a robot says it stands: metres and radians in the map's frame."""

    x_m: float
    y_m: float
    theta_rad: float
    map_id: str


class CompartmentView(Strict):
    """What a compartment's sensors say."""

    number: int
    lid: str
    lock: str
    occupied: bool


class HoldView(Strict):
    """What a person wants of a robot, why, and since when."""

    verb: str
    reason: str
    by: str
    utc_ms: UtcMs


class RemovalView(Strict):
    """Who took a robot off the floor, why, when, and where it stood last.

    ``loaded``: the compartments that had something inside, which is in that person's hands.
    """

    reason: str
    by: str
    utc_ms: UtcMs
    node: str | None = None
    loaded: tuple[int, ...] = ()


class RobotView(Strict):
    """One robot now. ``route`` is what lies before it, ``base_nodes`` of them released."""

    id: RobotId
    name: Named
    condition: RobotCondition
    pose: Pose | None = None
    battery_percent: float | None = None
    last_node: str | None = None
    route: tuple[str, ...] = ()
    base_nodes: int = 0
    delivery_id: str | None = None
    held_for: tuple[ZoneId, ...] = ()
    compartments: tuple[CompartmentView, ...] = ()
    errors: tuple[str, ...] = ()
    seen_utc_ms: UtcMs | None = None
    tour: tuple[str, ...] = ()
    """The deliveries that it carries or fetches, in the order of their doors."""
    hold: HoldView | None = None
    """A person holds it, or has called it back."""
    removed: RemovalView | None = None
    """A person has taken it off the floor: it is nowhere, whatever it says."""
    doubt: Sentence | None = None
    """It told what cannot be true; a person has to look at it."""
    unfit: Sentence | None = None
    """Why it gets no order."""


class MapNodeView(Strict):
    """A node of the robot map."""

    id: str
    name: str
    x_m: float
    y_m: float
    map_id: str = ""
    """The floor that it lies on."""


class MapEdgeView(Strict):
    """A way between two nodes."""

    start: str
    end: str


class ZoneView(Strict):
    """A zone of the robot map. ``clear`` None: nobody can see it now, so it counts as occupied."""

    id: ZoneId
    name: Named
    policy: ZonePolicy
    nodes: tuple[str, ...]
    seen_by: RoomId | None
    clear: bool | None
    people: int | None = None
    holding: tuple[RobotId, ...] = ()


class RobotVerb(StrEnum):
    """What a supervisor may do to a robot."""

    HOLD = "hold"
    """Stop where it is safe and stay, until it is let go."""
    RESUME = "resume"
    RECALL = "recall"
    """Come back; what it carries goes to the kitchen first."""
    REMOVED = "removed"
    """A person has taken it off the floor by hand: its places are free, it is nowhere."""
    RETURNED = "returned"
    """It stands on the floor again, where it says."""


class RobotVerbBody(Strict):
    """What is wanted or said of a robot; the reason stands in the record."""

    verb: RobotVerb
    reason: Note = Field(min_length=3)


class RobotReasonBody(Strict):
    """Stand for a robot that was in doubt: somebody has looked at it."""

    reason: Note = Field(min_length=3)


class ProceedBody(Strict):
    """Let a robot through a zone that nobody sees, once; its proof then says unproven."""

    zone_id: ZoneId
    reason: Note = Field(min_length=3)
