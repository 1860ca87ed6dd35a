"""Follows the controller's public API as any client may, and waits on it with deadlines."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from client import ApiClient, ControllerLost, RefusedError, View
from contracts.api import (
    AlertView,
    DeliveryView,
    EventName,
    LoginGiven,
    Overview,
    RobotView,
    RoomView,
    SessionView,
    ZoneView,
)
from contracts.units import UtcMs
from runtime.clock import Clock

RETRY_MS: Final = 300  # loopback: a restarted controller is found at once
PATIENCE_MS: Final = 30_000  # a controller killed and started again is back within ten seconds
LOOK_MS: Final = 250  # conditions may also rest on what no event tells: a file, a picture, the time
UNAUTHORIZED: Final = 401

T = TypeVar("T")


class DeadlineError(Exception):
    """A condition did not come true in its time; says which, and how long was waited."""


@dataclass(slots=True)
class Account:
    """One account of the demo. ``ask`` repeats a request while the controller is away."""

    anonymous: ApiClient
    clock: Clock
    username: str
    password: str
    _api: ApiClient | None = None

    async def login(self) -> LoginGiven:
        """Log in, waiting for a controller that is still starting."""
        given = await self._patiently(
            lambda: self.anonymous.login(self.username, self.password), f"log in {self.username}"
        )
        self._api = self.anonymous.with_token(given.token)
        return given

    async def _logged_in(self) -> ApiClient:
        given = await self.login()
        return self.anonymous.with_token(given.token)

    async def api(self) -> ApiClient:
        """The way to the controller with this account's token."""
        if self._api is None:
            return await self._logged_in()
        return self._api

    async def ask(self, what: str, request: Callable[[ApiClient], Awaitable[T]]) -> T:
        """Make a request; repeated while the controller is away, after a new log-in if it must be.

        The request has to be harmless when made twice, as every one of the public API is.
        """

        async def attempt() -> T:
            api = await self.api()
            try:
                return await request(api)
            except RefusedError as error:
                if error.problem.status != UNAUTHORIZED:
                    raise
                await self.login()
                return await request(await self.api())

        return await self._patiently(attempt, what)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], what: str) -> T:
        until_ms = self.clock.mono_ms() + PATIENCE_MS
        while True:
            try:
                return await attempt()
            except ControllerLost as error:
                if self.clock.mono_ms() >= until_ms:
                    raise DeadlineError(f"{what}: {error}") from error
                await self.clock.sleep_ms(RETRY_MS)


@dataclass(slots=True)
class Feed:
    """What the event stream has said so far, and when each alert first came out of it."""

    account: Account
    clock: Clock
    alerts: dict[str, AlertView] = field(default_factory=dict)
    arrived_utc_ms: dict[str, UtcMs] = field(default_factory=dict)
    deliveries: dict[str, DeliveryView] = field(default_factory=dict)
    sessions: dict[str, SessionView] = field(default_factory=dict)
    rooms: dict[str, RoomView] = field(default_factory=dict)
    robots: dict[str, RobotView] = field(default_factory=dict)
    zones: dict[str, ZoneView] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _last_id: str | None = None

    async def follow(self) -> None:
        """Read the stream until cancelled, again and again when it breaks."""
        while True:
            try:
                await self._refresh()
                await self._read()
            except RefusedError as error:
                if error.problem.status != UNAUTHORIZED:
                    raise
                await self.account.login()
            except (ControllerLost, DeadlineError):
                pass  # the controller is away; whoever waits on the feed has a deadline
            await self.clock.sleep_ms(RETRY_MS)

    async def until(self, ready: Callable[[], T | None], *, within_ms: int, what: str) -> T:
        """Wait for ``ready`` to give something true, and return that.

        Raises:
            DeadlineError: it did not within ``within_ms``.
        """
        end_ms = self.clock.mono_ms() + within_ms
        while True:
            self._changed.clear()
            found = ready()
            if found:
                return found
            left_ms = end_ms - self.clock.mono_ms()
            if left_ms <= 0:
                raise DeadlineError(f"not within {within_ms / 1000:.0f} s: {what}")
            try:
                async with asyncio.timeout(min(left_ms, LOOK_MS) / 1000):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _read(self) -> None:
        api = await self.account.api()
        async with api.events(self._last_id) as events:
            async for event in events:
                if event.name is EventName.RESYNC:
                    await self._refresh()
                elif event.view is not None:
                    self._take(event.view)
                if event.id is not None:
                    self._last_id = event.id

    async def _refresh(self) -> None:
        overview = await self.account.ask("overview", lambda api: api.overview())
        self._last_id = str(overview.event_id)
        for view in _views(overview):
            self._take(view)

    def _take(self, view: View) -> None:
        match view:
            case AlertView():
                self.arrived_utc_ms.setdefault(view.id, self.clock.utc_ms())
                self.alerts[view.id] = view
            case DeliveryView():
                self.deliveries[view.id] = view
            case SessionView():
                self.sessions[view.id] = view
            case RoomView():
                self.rooms[view.id] = view
            case RobotView():
                self.robots[view.id] = view
            case ZoneView():
                self.zones[view.id] = view
        self._changed.set()


def _views(overview: Overview) -> tuple[View, ...]:
    return (
        *overview.alerts,
        *overview.deliveries,
        *overview.sessions,
        *overview.rooms,
        *overview.robots,
        *overview.zones,
    )
