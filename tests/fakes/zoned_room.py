"""A node's desk of zones over a real core: people are put before its camera by the test."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import count
from pathlib import Path

from contracts.admission import AreaKind
from contracts.commands import Seal
from contracts.devices import Area, Named
from contracts.observations import Appearance, CameraState
from contracts.units import CameraId, MonoMs, RoomId, UtcMs
from contracts.zones import PictureZone
from edge.api.zones import ZonedCamera, ZoneDesk
from edge.core import room
from edge.core.people import Instant, Rect, Track
from edge.core.room import CameraChanged, PeopleSeen, RoomInput, ZonesDrawn
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.state import CameraSetup, RoomSetup, RoomState, restore
from edge.freezing import Consent
from edge.store import EdgeStore
from edge.zone_book import ZoneBook
from runtime.clock import Clock

CAMERA = "cam-1"
ROOM = "room-1"
NAME = Named(zh="评标一室 前摄像机", en="Room 1, front camera")
AREAS = (
    Area(id=ROOM, name=Named(zh="评标一室", en="Evaluation room 1"), kind=AreaKind.EVALUATION),
    Area(id="room-2", name=Named(zh="评标二室", en="Evaluation room 2"), kind=AreaKind.EVALUATION),
)


class ZonedRoomFake:
    """A room whose state is the core's own, without a bus or a disk."""

    def __init__(self, clock: Clock, zones: tuple[PictureZone, ...] = ()) -> None:
        self._clock = clock
        self._ids: Iterator[int] = count(1)
        self.consents: list[Consent | None] = []
        cameras = (CameraSetup(CAMERA, has_sound=False, zones=zones),)
        # How many are admitted is no affair of zones.
        rules = rule_settings({"area.over_admitted": RuleChange.model_validate({"mode": "off"})})
        setup = RoomSetup(ROOM, "edge-1", cameras, rules)
        self._state = restore(setup, None, self.now)
        self.give(CameraChanged(CAMERA, CameraState.LIVE, self.now))

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self._clock.mono_ms()), UtcMs(self._clock.utc_ms()))

    @property
    def room_id(self) -> RoomId:
        return ROOM

    @property
    def state(self) -> RoomState:
        return self._state

    @property
    def alerts(self) -> list[str]:
        """Rules and zones of the alerts that stand."""
        return [f"{alert.rule} {alert.zone_id}" for alert in self._state.alerts]

    def give(self, given: RoomInput) -> None:
        self._state, _ = room.step(
            self._state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self._ids)}"
        )

    def see(self, *rects: Rect, worn: Appearance = Appearance.UNKNOWN) -> None:
        """The newest picture shows people, numbered from 1."""
        now = self.now
        tracks = tuple(
            Track(
                number, rect, 0.8, detected=True, first_seen=now,
                last_seen_mono_ms=now.mono_ms, appearance=worn,
            )
            for number, rect in enumerate(rects, start=1)
        )  # fmt: skip
        self.give(PeopleSeen(CAMERA, now, tracks))

    def seal(self) -> None:
        self.give(
            Seal(
                command_id="c-1", room_id=ROOM, session_id="s-1", admitted=5,
                at_utc_ms=self.now.utc_ms,
            )
        )  # fmt: skip

    async def amend(self, given: ZonesDrawn, consent: Consent | None) -> None:
        self.consents.append(consent)
        self.give(given)


class ZonedSite:
    """One camera, its room, and its book of zones on a real disk."""

    def __init__(
        self, folder: Path, disk: Executor, clock: Clock, declared: tuple[PictureZone, ...] = ()
    ) -> None:
        self.store = EdgeStore(folder / "edge.sqlite3")
        book = ZoneBook(self.store, disk, {CAMERA: declared}, asyncio.Lock())
        self.room = ZonedRoomFake(clock, book.of(CAMERA).zones)
        cameras: dict[CameraId, ZonedCamera] = {CAMERA: ZonedCamera(CAMERA, NAME, self.room)}
        self.desk = ZoneDesk(book, cameras, AREAS, clock)

    def close(self) -> None:
        self.store.close()
