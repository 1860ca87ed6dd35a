"""Keeps one logged-in user's picture of the house up to date over one event stream."""

import random
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

import structlog

from client import ApiClient, ControllerLost, HouseEvent, RefusedError
from contracts.api import EventName, SiteView
from contracts.api.facilities import FacilitiesView, MapView
from contracts.units import UtcMs
from controller.console.house import House, changed, from_overview
from runtime.clock import Clock

RETRY_FIRST_MS = 300  # a restarted controller is back within a second or two
RETRY_MAX_MS = 5_000  # a person who waits before a wall should see it come back soon
UNAUTHORISED = 401

log = structlog.get_logger(__name__)


class Link(StrEnum):
    """How the console stands with the controller."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    SIGNED_OUT = "signed_out"


class Feed:
    """The house as one user may see it; tells its listeners after each change.

    ``run`` opens the events, then fetches the overview, and follows. When the link breaks it does
    the same again behind the last lasting event; the overview covers what has no id.
    """

    def __init__(self, api: ApiClient, clock: Clock, rng: random.Random) -> None:
        self._api = api
        self._clock = clock
        self._rng = rng
        self._listeners: set[Callable[[], None]] = set()
        self._last_id: str | None = None
        self.site: SiteView | None = None
        self.chart: MapView | None = None
        self.house: House | None = None
        self.link = Link.CONNECTING
        self.lost_utc_ms: UtcMs | None = None

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after each change; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def run(self) -> None:
        """Follow the controller until cancelled, or until it no longer knows the token."""
        attempt = 0
        while True:
            try:
                async with self._api.events(self._last_id) as events:
                    await self._start_over()
                    attempt = 0
                    async for event in events:
                        if event.name is EventName.RESYNC:
                            await self._start_over()
                        else:
                            self._take(event)
                self._lost("the controller ended the stream")
            except ControllerLost as error:
                self._lost(str(error))
            except RefusedError as error:
                if error.problem.status == UNAUTHORISED:
                    self._set_link(Link.SIGNED_OUT)
                    return
                self._lost(str(error))
            await self._clock.sleep_ms(self._pause_ms(attempt))
            attempt += 1

    async def _start_over(self) -> None:
        if self.site is None:
            self.site = await self._api.site()
            self.chart = await self._chart()
        overview = await self._api.readable()
        self.house = replace(from_overview(overview), facilities=await self._facilities())
        if self._last_id is None and overview.event_id > 0:
            self._last_id = str(overview.event_id)
        self._set_link(Link.LIVE)

    async def _chart(self) -> MapView | None:
        """The map with its floors, doors and lifts; None for those who may not read it."""
        try:
            return await self._api.robot_map()
        except RefusedError:
            return None

    async def _facilities(self) -> FacilitiesView | None:
        """Doors, lifts and the fire alarm; None for those who may not see them."""
        try:
            return await self._api.facilities()
        except RefusedError:
            return None

    def _take(self, event: HouseEvent) -> None:
        if event.id is not None:
            self._last_id = event.id
        if event.view is not None and self.house is not None:
            self.house = changed(self.house, event.view)
        self._tell()

    def _lost(self, why: str) -> None:
        if self.link is not Link.LOST:
            log.warning("controller_lost", why=why)
            self.lost_utc_ms = self._clock.utc_ms()
        self._set_link(Link.LOST)

    def _set_link(self, link: Link) -> None:
        self.link = link
        if link is Link.LIVE:
            self.lost_utc_ms = None
        self._tell()

    def _pause_ms(self, attempt: int) -> int:
        longest = min(RETRY_FIRST_MS * 2 ** min(attempt, 8), RETRY_MAX_MS)
        return self._rng.randint(longest // 2, longest)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()
