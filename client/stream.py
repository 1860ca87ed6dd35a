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
                yield _parsed_events(answer.aiter_lines())
        except httpx.HTTPError as error:
            raise ControllerLost(f"event stream of {self.address}: {error!r}") from error


class EventParser:
    """Turns lines of ``text/event-stream`` into events; names of a newer controller pass by."""

    def __init__(self) -> None:
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
            return HouseEvent(kind, event_id, _VIEWS[kind].model_validate_json(data))
        except ValidationError as error:
            raise ControllerLost(f"event {name} cannot be read: {error}") from error


async def _parsed_events(lines: AsyncIterator[str]) -> AsyncIterator[HouseEvent]:
    parser = EventParser()
    async for line in lines:
        event = parser.line(line)
        if event is not None:
            yield event
