"""Holds the site, the overview, the event stream and how the controller fares."""

from enum import StrEnum

from pydantic import Field

from contracts.api.alerts import AlertView
from contracts.api.deliveries import DeliveryView
from contracts.api.floor import MapEdgeView, MapNodeView, RobotView, ZoneView
from contracts.api.menu import Dish
from contracts.api.outside import OutsideView
from contracts.api.rooms import RoomView
from contracts.api.sessions import SessionView
from contracts.devices import Named
from contracts.envelope import Strict


class SiteView(Strict):
    """What does not change while the controller runs: the site, its map, its menu."""

    id: str
    name: Named
    time_zone: str
    demo: bool
    nodes: tuple[MapNodeView, ...]
    edges: tuple[MapEdgeView, ...]
    kitchen_node: str
    door_nodes: dict[str, str]
    menu: tuple[Dish, ...]
    room_names: dict[str, Named] = Field(default_factory=dict)
    """For those who may not read rooms: a tablet says where it hangs."""


class Overview(Strict):
    """Everything that a console needs to draw itself; then it follows the event stream."""

    event_id: int
    rooms: tuple[RoomView, ...]
    zones: tuple[ZoneView, ...]
    robots: tuple[RobotView, ...]
    alerts: tuple[AlertView, ...]
    deliveries: tuple[DeliveryView, ...]
    sessions: tuple[SessionView, ...]
    outside: OutsideView = OutsideView()
    """Calls, texts, talks, entries and listenings."""


class ControllerHealth(Strict):
    """How the controller fares. ``queue`` inputs wait; ``clients`` follow the event stream."""

    version: str
    broker_connected: bool
    uptime_ms: int
    queue: int
    clients: int
    event_id: int
    nodes: dict[str, str]


class EventName(StrEnum):
    """Kinds of server-sent events on ``GET /api/v1/events``; ``data`` is the view of that name.

    ``alert``, ``session``, ``delivery`` and what is done from outside (``call``, ``text``,
    ``talk``, ``entry``, ``listening``) are lasting: they carry an id, and ``Last-Event-ID`` resumes
    behind it. ``room``, ``robot``, ``zone``, ``facilities`` are live: newest wins, no id.
    ``resync`` (no data) says that too much was missed: fetch the overview again.
    """

    ALERT = "alert"
    SESSION = "session"
    DELIVERY = "delivery"
    CALL = "call"
    TEXT = "text"
    TALK = "talk"
    ENTRY = "entry"
    LISTENING = "listening"
    ROOM = "room"
    ROBOT = "robot"
    ZONE = "zone"
    FACILITIES = "facilities"
    RESYNC = "resync"
