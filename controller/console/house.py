"""Holds what the console knows of the house, and how one event changes it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from client import View
from contracts.api import (
    PAGE_MAX,
    AlertView,
    DeliveryView,
    Overview,
    RobotView,
    RoomView,
    SessionView,
    ZoneView,
)
from contracts.api.facilities import FacilitiesView
from contracts.api.outside import CallView, EntryView, ListeningView, TalkView, TextView

ALERTS_MAX = PAGE_MAX  # what a person scrolls; older ones are a matter for the report

ViewT = TypeVar(
    "ViewT",
    RoomView,
    RobotView,
    ZoneView,
    AlertView,
    SessionView,
    DeliveryView,
    CallView,
    TextView,
    TalkView,
    EntryView,
    ListeningView,
)


@dataclass(frozen=True, slots=True)
class House:
    """Everything now, by id, in the order in which the controller gave it."""

    rooms: Mapping[str, RoomView]
    zones: Mapping[str, ZoneView]
    robots: Mapping[str, RobotView]
    alerts: Mapping[str, AlertView]
    deliveries: Mapping[str, DeliveryView]
    sessions: Mapping[str, SessionView]
    calls: Mapping[str, CallView] = field(default_factory=dict)
    texts: Mapping[str, TextView] = field(default_factory=dict)
    talks: Mapping[str, TalkView] = field(default_factory=dict)
    entries: Mapping[str, EntryView] = field(default_factory=dict)
    listenings: Mapping[str, ListeningView] = field(default_factory=dict)
    talkable: frozenset[str] = frozenset()
    """Rooms that can be talked into."""
    audible: frozenset[str] = frozenset()
    """Rooms that this user may hear."""
    facilities: FacilitiesView | None = None
    """Doors, lifts and the fire alarm, once they have told something."""

    def open_calls(self) -> tuple[CallView, ...]:
        """Calls that nobody has answered, oldest first."""
        waiting = [
            call
            for call in self.calls.values()
            if call.answered_utc_ms is None and call.ended_utc_ms is None
        ]
        return tuple(sorted(waiting, key=lambda call: call.raised_utc_ms))

    def alerts_newest_first(self) -> list[AlertView]:
        """By number, newest first."""
        return sorted(self.alerts.values(), key=lambda alert: alert.number, reverse=True)


def from_overview(overview: Overview) -> House:
    """The house as the controller describes it at one moment."""
    return House(
        rooms=_by_id(overview.rooms),
        zones=_by_id(overview.zones),
        robots=_by_id(overview.robots),
        alerts=_by_id(overview.alerts),
        deliveries=_by_id(overview.deliveries),
        sessions=_by_id(overview.sessions),
        calls=_by_id(overview.outside.calls),
        texts=_by_id(overview.outside.texts),
        talks=_by_id(overview.outside.talks),
        entries=_by_id(overview.outside.entries),
        listenings=_by_id(overview.outside.listenings),
        talkable=frozenset(overview.outside.talkable),
        audible=frozenset(overview.outside.audible),
    )


def changed(house: House, view: View) -> House:  # noqa: C901, PLR0911  # one a kind
    """The house after one view has come: it replaces the one of its id, or is new."""
    match view:
        case RoomView():
            return replace(house, rooms=_with(house.rooms, view))
        case RobotView():
            return replace(house, robots=_with(house.robots, view))
        case ZoneView():
            return replace(house, zones=_with(house.zones, view))
        case AlertView():
            return replace(house, alerts=_newest(_with(house.alerts, view)))
        case SessionView():
            return replace(house, sessions=_with(house.sessions, view))
        case DeliveryView():
            return replace(house, deliveries=_with(house.deliveries, view))
        case CallView():
            return replace(house, calls=_with(house.calls, view))
        case TextView():
            return replace(house, texts=_with(house.texts, view))
        case TalkView():
            return replace(house, talks=_with(house.talks, view))
        case EntryView():
            return replace(house, entries=_with(house.entries, view))
        case ListeningView():
            return replace(house, listenings=_with(house.listenings, view))
        case FacilitiesView():
            return replace(house, facilities=view)


def _by_id(views: tuple[ViewT, ...]) -> Mapping[str, ViewT]:
    return MappingProxyType({view.id: view for view in views})


def _with(known: Mapping[str, ViewT], view: ViewT) -> Mapping[str, ViewT]:
    return MappingProxyType({**known, view.id: view})


def _newest(alerts: Mapping[str, AlertView]) -> Mapping[str, AlertView]:
    if len(alerts) <= ALERTS_MAX:
        return alerts
    oldest = min(alerts.values(), key=lambda alert: alert.number)
    return MappingProxyType({key: alert for key, alert in alerts.items() if key != oldest.id})
