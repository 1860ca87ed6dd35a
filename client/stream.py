"""Follows the event stream of the controller: server-sent events as typed views."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import ValidationError

from client.base import CONNECT_TIMEOUT_S, Asking, ControllerLost, RefusedError, problem
from contracts.api import (
    AlertView,
    DeliveryView,
    EventName,
    RobotView,
    RoomView,
    SessionView,
    ZoneView,
)
from contracts.api.facilities import FacilitiesView
from contracts.api.outside import CallView, EntryView, ListeningView, TalkView, TextView

EVENT_SILENCE_S = 25.0  # the controller sends a comment every 10 s: two missed is a dead link
EVENT_LINE_MAX_CHARS = 1_048_576  # an alert with 64 boxes is some 20 KB; more is not our stream

View = (
    RoomView
    | RobotView
    | ZoneView
    | AlertView
    | SessionView
    | DeliveryView
    | CallView
    | TextView
    | TalkView
    | EntryView
    | ListeningView
    | FacilitiesView
)

_VIEWS: Final[Mapping[EventName, type[View]]] = {
    EventName.ALERT: AlertView,
    EventName.SESSION: SessionView,
    EventName.DELIVERY: DeliveryView,
    EventName.ROOM: RoomView,
    EventName.ROBOT: RobotView,
    EventName.ZONE: ZoneView,
    EventName.CALL: CallView,
    EventName.TEXT: TextView,
    EventName.TALK: TalkView,
    EventName.ENTRY: EntryView,
    EventName.LISTENING: ListeningView,
    EventName.FACILITIES: FacilitiesView,
}

_EVENT_NAMES: Final = frozenset(name.value for name in EventName)


@dataclass(frozen=True, slots=True)
class HouseEvent:
    """One server-sent event. Lasting events have an ``id``; ``resync`` alone has no ``view``."""

    name: EventName
    id: str | None
    view: View | None


class StreamCalls(Asking):
    """The event stream."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        controller_url: str,
        token: str | None = None,
        language: str = "en",
        browser: str = "",
        agent: str = "",
        *,
        readings: "Readings | None" = None,
    ) -> None:
        super().__init__(http, controller_url, token, language, browser, agent)
        self._readings = Readings() if readings is None else readings

    @asynccontextmanager
    async def events(self, last_event_id: str | None) -> AsyncIterator[AsyncIterator[HouseEvent]]:
        """Open the event stream behind ``last_event_id`` (None: from now on), until it ends.

        Ask for the overview inside, after the stream stands: so nothing falls between the two.

        Raises:
            ControllerLost: the stream broke, stayed silent too long, or could not be read.
            RefusedError: the controller refused to open it.
        """
        headers = self.headers() | {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=EVENT_SILENCE_S)
        try:
            async with self.http.stream(
                "GET", f"{self.address}/events", headers=headers, timeout=timeout
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise RefusedError(problem(answer))
                yield _parsed_events(answer.aiter_lines(), self._readings)
        except httpx.HTTPError as error:
            raise ControllerLost(f"event stream of {self.address}: {error!r}") from error


READINGS_KEPT: Final = 1_024  # a wall of 64 rooms with its robots and zones changes some 200


class Readings:
    """Views by the text they were read from: what twenty streams carry is read once.

    Views never change, so one may be given to many.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[EventName, str], View] = {}

    def view(self, kind: EventName, text: str) -> View:
        """The view that an event's text holds.

        Raises:
            ValidationError: it holds none of this kind.
        """
        known = self._known.get((kind, text))
        if known is None:
            known = _VIEWS[kind].model_validate_json(text)
            while len(self._known) >= READINGS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[kind, text] = known
        return known


class EventParser:
    """Turns lines of ``text/event-stream`` into events; names of a newer controller pass by."""

    def __init__(self, readings: Readings | None = None) -> None:
        self._readings = Readings() if readings is None else readings
        self._name = ""
        self._id: str | None = None
        self._data: list[str] = []

    def line(self, line: str) -> HouseEvent | None:
        """Take one line without its end; an event when the line completes one.

        Raises:
            ControllerLost: the line is longer than any event of ours.
        """
        if len(line) > EVENT_LINE_MAX_CHARS:
            raise ControllerLost(
                f"event line of {len(line)} characters; ours end at {EVENT_LINE_MAX_CHARS}"
            )
        if not line:
            return self._complete()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._name = value
            case "id":
                self._id = value
            case "data":
                self._data.append(value)
            case _:
                pass  # comments keep the line warm; retry is our own decision
        return None

    def _complete(self) -> HouseEvent | None:
        name, event_id, data = self._name, self._id, "\n".join(self._data)
        self._name, self._id, self._data = "", None, []
        if name not in _EVENT_NAMES:
            return None
        kind = EventName(name)
        if kind is EventName.RESYNC:
            return HouseEvent(kind, event_id, None)
        try:
            return HouseEvent(kind, event_id, self._readings.view(kind, data))
        except ValidationError as error:
            raise ControllerLost(f"event {name} cannot be read: {error}") from error


async def _parsed_events(
    lines: AsyncIterator[str], readings: Readings
) -> AsyncIterator[HouseEvent]:
    parser = EventParser(readings)
    async for line in lines:
        event = parser.line(line)
        if event is not None:
            yield event
