"""Decides which events a client gets: lasting ones all and in order, of live ones the newest."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from contracts.api import EventName
from contracts.envelope import Strict
from contracts.units import RoomId
from controller.core import facility_views, outside_views, views
from controller.core.alerts import AlertRecord
from controller.core.interlock import LEASE_MS
from controller.core.state import SiteState
from runtime.clock import Clock

_V = TypeVar("_V")

RING_MAX: Final = (
    2_000  # hours of a normal site; a client that was away longer fetches the overview
)
BEHIND_MAX: Final = 500  # lasting events a client may be behind before it is dropped
CLIENTS_MAX: Final = 200  # eight console seats a site, tablets, and room to spare
WHOLE_SITE: Final = "site"  # the key of what is told as one
LIVE_PERIOD_MS: Final = 200  # at most five a second for each key: what an eye follows


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event. ``room_id``: whose it is, for clients that may see one room alone.

    ``body`` of an alert is its record: each client gets a picture address with its own ticket.
    ``text``: what all others are sent, made once for all of them.
    """

    name: EventName
    key: str
    body: Strict | AlertRecord | None
    id: int | None = None
    room_id: RoomId | None = None
    text: str = ""


@dataclass(slots=True)
class Client:
    """What waits for one client."""

    wants: Callable[[StreamEvent], bool]
    lasting: deque[StreamEvent] = field(default_factory=deque)
    live: dict[tuple[EventName, str], StreamEvent] = field(default_factory=dict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: bool = False

    def take(self) -> list[StreamEvent]:
        """All that waits: lasting first, in order."""
        events = [*self.lasting, *self.live.values()]
        self.lasting.clear()
        self.live.clear()
        self.filled.clear()
        return events


class TooManyClientsError(Exception):
    """CLIENTS_MAX clients listen already."""


class EventHub:
    """Hears of each commit and tells the clients. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Ids rise over a restart too, because they start with the clock's milliseconds.
        self._last_id = int(clock.utc_ms())
        self._ring: deque[StreamEvent] = deque(maxlen=RING_MAX)
        self._ring_from = self._last_id
        self._clients: list[Client] = []
        self._dirty: dict[tuple[EventName, str], None] = {}
        self._shown: dict[tuple[EventName, str], Strict] = {}
        self._flags: dict[tuple[EventName, str], bool] = {}
        self._state: SiteState | None = None
        self.counts: Counter[str] = Counter()
        """lasting, live: events; dropped: slow clients."""

    @property
    def last_id(self) -> int:
        """The id of the newest lasting event."""
        return self._last_id

    @property
    def clients(self) -> int:
        """How many clients listen."""
        return len(self._clients)

    def join(self, wants: Callable[[StreamEvent], bool], last_event_id: int | None) -> Client:
        """A new client; what it missed since ``last_event_id`` waits for it, or a ``resync``.

        Raises:
            TooManyClientsError: there is no room for another.
        """
        if len(self._clients) >= CLIENTS_MAX:
            raise TooManyClientsError
        client = Client(wants)
        if last_event_id is not None:
            oldest = self._ring[0].id if self._ring else None
            reaches = last_event_id >= (self._ring_from if oldest is None else (oldest or 0) - 1)
            if not reaches or last_event_id > self._last_id:
                client.lasting.append(StreamEvent(EventName.RESYNC, "", None))
            else:
                client.lasting.extend(
                    event
                    for event in self._ring
                    if event.id is not None and event.id > last_event_id and wants(event)
                )
            client.filled.set()
        self._clients.append(client)
        return client

    def leave(self, client: Client) -> None:
        """A client has gone."""
        if client in self._clients:
            self._clients.remove(client)

    def end_all(self) -> None:
        """End every stream, because the process stops; clients come back to whoever follows."""
        for client in self._clients:
            client.dropped = True
            client.filled.set()

    def changed(self, before: SiteState, after: SiteState) -> None:
        """See ``ports.Listener``."""
        self._state = after
        for record in _news(before.alerts, after.alerts):
            if record.shadow:
                continue  # kept and counted, but nobody is told
            room = record.alert.room_id
            self._last(StreamEvent(EventName.ALERT, record.id, record, room_id=room))
            self._dirty[EventName.ROOM, room] = None
        for session in _news(before.sessions, after.sessions):
            body = views.session_view(session)
            self._last(StreamEvent(EventName.SESSION, session.id, body, room_id=session.room_id))
            for room_id in session.rooms:
                self._dirty[EventName.ROOM, room_id] = None
        for act in _news(before.acts, after.acts):
            view = outside_views.view_of(act)
            self._last(StreamEvent(EventName(act.kind), act.id, view, room_id=act.room_id))
        self._deliveries(before, after)
        self._live(before, after)

    def _deliveries(self, before: SiteState, after: SiteState) -> None:
        news = {row.id: row for row in _news(before.deliveries, after.deliveries)}
        for duty in _news(before.duties, after.duties):
            old = before.duties.get(duty.robot_id)
            held = old is not None and old.held_for != duty.held_for
            row = after.deliveries.get(duty.delivery_id or "")
            if held and row is not None:
                news[row.id] = row
            self._dirty[EventName.ROBOT, duty.robot_id] = None
            for zone_id in {*duty.held_for, *(old.held_for if old else ())}:
                self._dirty[EventName.ZONE, zone_id] = None
        for told in news.values():
            body = views.delivery_view(after, told)
            self._last(StreamEvent(EventName.DELIVERY, told.id, body, room_id=told.room_id))

    def _live(self, before: SiteState, after: SiteState) -> None:
        for room_id in _keys(before.rooms, after.rooms):
            self._dirty[EventName.ROOM, room_id] = None
        for zone_id in _keys(before.sights, after.sights):
            self._dirty[EventName.ZONE, zone_id] = None
        for robot_id in _keys(before.robots, after.robots):
            self._dirty[EventName.ROBOT, robot_id] = None
        if before.facilities is not after.facilities:
            self._dirty[EventName.FACILITIES, WHOLE_SITE] = None
        for node_id in _keys(before.nodes, after.nodes):
            for room_id, watcher in after.plan.watcher.items():
                if watcher == node_id:
                    self._dirty[EventName.ROOM, room_id] = None
        for name in _keys(before.ledger.chains, after.ledger.chains):
            self._dirty[EventName.ROOM, after.ledger.chains[name].room_id] = None

    def _last(self, event: StreamEvent) -> None:
        self._last_id += 1
        numbered = replace(event, id=self._last_id, text=_text(event.body))
        self._ring.append(numbered)
        self.counts["lasting"] += 1
        for client in tuple(self._clients):
            if not client.wants(numbered):
                continue
            if len(client.lasting) >= BEHIND_MAX:
                client.dropped = True
                self.counts["dropped"] += 1
                self.leave(client)
            else:
                client.lasting.append(numbered)
            client.filled.set()

    async def run(self) -> None:
        """Send live events until cancelled."""
        while True:
            await self._clock.sleep_ms(LIVE_PERIOD_MS)
            self.flush()

    def flush(self) -> None:
        """Show every client the newest of all that changed since the last flush."""
        state = self._state
        if state is None:
            return
        self._notice_age(state)
        dirty, self._dirty = self._dirty, {}
        if not self._clients:
            self._shown.clear()
            return
        for name, key in dirty:
            body = self._view(state, name, key)
            if body is None or self._shown.get((name, key)) == body:
                continue
            self._shown[name, key] = body
            room_id = key if name is EventName.ROOM else None
            event = StreamEvent(name, key, body, room_id=room_id, text=_text(body))
            self.counts["live"] += 1
            for client in self._clients:
                if client.wants(event):
                    client.live[name, key] = event
                    client.filled.set()

    def _notice_age(self, state: SiteState) -> None:
        """What turns stale or goes offline does so by silence, so it is looked at here."""
        now = self._clock.mono_ms()
        flags: dict[tuple[EventName, str], bool] = {}
        for room_id, room in state.rooms.items():
            flags[EventName.ROOM, room_id] = now - room.received_mono_ms > views.STALE_MS
        for zone_id, sight in state.sights.items():
            flags[EventName.ZONE, zone_id] = now - sight.received_mono_ms > LEASE_MS
        for robot_id, robot in state.robots.items():
            flags[EventName.ROBOT, robot_id] = robot.online(now)
        for key, flag in flags.items():
            if self._flags.get(key) != flag:
                self._dirty[key] = None
        self._flags = flags

    def _view(self, state: SiteState, name: EventName, key: str) -> Strict | None:
        now = self._clock.mono_ms()
        if name is EventName.ROOM:
            area = next((row for row in state.plan.site.config.areas if row.id == key), None)
            return None if area is None else views.room_view(state, area, now)
        if name is EventName.ROBOT and key in state.plan.robots:
            return views.robot_view(state, key, now)
        if name is EventName.ZONE and key in state.plan.zones:
            return views.zone_view(state, key, now)
        if name is EventName.FACILITIES:
            return facility_views.facilities_view(state)
        return None


def _text(body: Strict | AlertRecord | None) -> str:
    return body.model_dump_json() if isinstance(body, Strict) else ""


def _keys(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    if before is after:
        return []
    return [key for key, value in after.items() if before.get(key) is not value]


def _news(before: Mapping[str, _V], after: Mapping[str, _V]) -> list[_V]:
    if before is after:
        return []
    return [value for key, value in after.items() if before.get(key) is not value]
