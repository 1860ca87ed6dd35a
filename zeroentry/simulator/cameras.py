"""Plays the edge nodes: what cameras show of the corridors, with the delay that perception has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from contracts.observations import (
    Appearance,
    Box,
    CameraState,
    CameraView,
    RoomObservation,
    SeenPerson,
)
from contracts.units import UtcMs
from zeroentry.simulator.agenda import UTC_AT_START_MS, Agenda
from zeroentry.simulator.grounds import Ground

FRAME_S: Final = 0.2
RENEW_S: Final = 1.5  # a lease lasts 2 s; one lost frame of several is not worth playing
RENEW_IDLE_S: Final = 10.0

_BOX: Final = Box(x1=0.4, y1=0.3, x2=0.5, y2=0.8)


@dataclass(slots=True, eq=False)
class Person:
    """Somebody on the floor. ``expert``: wears the vest that may be at a door.

    Two who come from the same place are two, so one is not the other's equal.
    """

    name: str
    node: str
    expert: bool


@dataclass(slots=True)
class _Area:
    blind: int = 0
    silent: int = 0
    index: int = 0
    asked: bool = False
    blind_since_s: float | None = None
    people: list[Person] = field(default_factory=list)


class Cameras:
    """All watched areas of a site."""

    def __init__(
        self,
        ground: Ground,
        agenda: Agenda,
        deliver: Callable[[RoomObservation], None],
        busy: Callable[[], bool],
        delay_s: float,
    ) -> None:
        """Begin to watch. ``busy``: whether robots need their leases renewed now."""
        self.ground = ground
        self.agenda = agenda
        self._deliver = deliver
        self._busy = busy
        self._delay_s = delay_s
        self._areas = {area: _Area() for area in ground.watched}
        for number, area in enumerate(self._areas):
            agenda.after(0.1 + 0.13 * number, self._renewer(area))

    def area_of(self, node: str) -> str | None:
        """The area whose cameras see a node."""
        zone = self.ground.plan.zone_at.get(node)
        return zone.seen_by if zone is not None else None

    def appear(self, person: Person) -> None:
        """Somebody is there from now on."""
        self._change(person.node, lambda area: area.people.append(person))

    def leave(self, person: Person) -> None:
        """Somebody has gone."""
        self._change(person.node, lambda area: area.people.remove(person))

    def _change(self, node: str, do: Callable[[_Area], None]) -> None:
        name = self.area_of(node)
        if name is None or name not in self._areas:
            return
        do(self._areas[name])
        self.look_soon(name)

    def blind(self, area: str, by: int) -> None:
        """A camera of an area fails (1) or works again (-1)."""
        self._areas[area].blind += by
        self._mark(self._areas[area])
        self.look_soon(area)

    def silence(self, area: str, by: int) -> None:
        """The node of an area says nothing (1) or speaks again (-1)."""
        self._areas[area].silent += by
        self._mark(self._areas[area])
        self.look_soon(area)

    def _mark(self, area: _Area) -> None:
        away = area.blind > 0 or area.silent > 0
        if away and area.blind_since_s is None:
            area.blind_since_s = self.agenda.now_s
        if not away:
            area.blind_since_s = None

    def blind_since(self, area: str | None) -> float | None:
        """Since when nobody sees an area; None: it is seen."""
        return self._areas[area].blind_since_s if area in self._areas else None

    def people_in(self, area: str) -> int:
        """How many people are in an area in truth."""
        return len(self._areas[area].people) if area in self._areas else 0

    def look_soon(self, area: str) -> None:
        """The next frame shows what has changed."""
        state = self._areas[area]
        if not state.asked:
            state.asked = True
            self.agenda.after(FRAME_S, lambda: self._look(area))

    def _renewer(self, area: str) -> Callable[[], None]:
        def act() -> None:
            self._look(area)
            self.agenda.after(RENEW_S if self._busy() else RENEW_IDLE_S, act)

        return act

    def _look(self, area: str) -> None:
        state = self._areas[area]
        state.asked = False
        if state.silent:
            return
        state.index += 1
        utc_ms = UtcMs(UTC_AT_START_MS + round(self.agenda.now_s * 1000))
        live = state.blind == 0
        people = tuple(
            SeenPerson(
                track=number,
                box=_BOX,
                score=0.9,
                appearance=Appearance.RED if person.expert else Appearance.NONE,
                settled=True,
            )
            for number, person in enumerate(state.people)
        )
        view = CameraView(
            camera_id=f"{area}-cam",
            state=CameraState.LIVE if live else CameraState.OFFLINE,
            frame_utc_ms=utc_ms if live else None,
            people=people if live else (),
        )
        seen = RoomObservation(
            room_id=area,
            node_id=self.ground.plan.watcher.get(area, "edge-1"),
            boot_id="b1",
            index=state.index,
            utc_ms=utc_ms,
            head_count=len(people) if live else None,
            views=(view,),
        )
        self.agenda.after(self._delay_s, lambda: self._deliver(seen))
