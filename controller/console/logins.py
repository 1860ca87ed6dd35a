"""Holds who is logged in at which browser, and one feed for each of them."""

import asyncio
import random
import secrets
from collections.abc import Callable

import structlog

from client import ApiClient, ControllerLost, RefusedError
from contracts.api import LoginGiven, User
from contracts.units import MonoMs, UtcMs
from controller.console.feed import Feed, Link
from runtime.clock import Clock

LOGINS_MAX = 500  # console seats, tablets and panels of a large centre are below a hundred
LINGER_MS = 30_000  # a reload or a walk from page to page must not open the stream anew

At = tuple[str, str]
"""A browser's address, and what it calls itself."""
NOWHERE: At = ("", "")

log = structlog.get_logger(__name__)


class ForeignStateError(Exception):
    """A log-in came back to a browser that did not begin it."""


class Login:
    """One user at one browser: the token stays here and never reaches the page."""

    def __init__(
        self, user: User, api: ApiClient, feed: Feed, expires_utc_ms: UtcMs, clock: Clock
    ) -> None:
        self.user = user
        self.api = api
        self.feed = feed
        self.expires_utc_ms = expires_utc_ms
        self.used_mono_ms: MonoMs = clock.mono_ms()
        self._clock = clock
        self._pages = 0
        self._running: asyncio.Task[None] | None = None
        self._lingering: asyncio.Task[None] | None = None

    def attend(self, listener: Callable[[], None]) -> Callable[[], None]:
        """A page looks on: the feed runs while any does. Returns what the page calls at its end."""
        self.used_mono_ms = self._clock.mono_ms()
        self._pages += 1
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self.feed.run(), name="console-feed")
        quiet = self.feed.listen(listener)

        def leave() -> None:
            quiet()
            self._pages -= 1
            if self._pages == 0:
                self._lingering = asyncio.create_task(self._stop_later())

        return leave

    def stop(self) -> None:
        """End the feed now."""
        for task in (self._running, self._lingering):
            if task is not None:
                task.cancel()
        self._running = self._lingering = None

    async def _stop_later(self) -> None:
        await self._clock.sleep_ms(LINGER_MS)
        if self._running is not None:
            self._running.cancel()
            self._running = None


class Logins:
    """All logins of this console, by the id in the browser's signed session cookie."""

    def __init__(self, api: ApiClient, clock: Clock, rng: random.Random) -> None:
        self._api = api
        self._clock = clock
        self._rng = rng
        self._by_browser: dict[str, Login] = {}
        self._states: dict[str, str] = {}

    @property
    def api(self) -> ApiClient:
        """The way to the controller of who has not logged in yet."""
        return self._api

    async def sign_in(
        self, browser: str, username: str, password: str, code: str | None = None, at: At = NOWHERE
    ) -> Login:
        """Log in at the controller, for the browser ``at`` an address.

        Raises:
            RefusedError: name, password or code is wrong, or the account is locked.
            ControllerLost: the controller does not answer.
        """
        api = self._api.for_browser(*at)
        return self._admit(browser, api, await api.login(username, password, code))

    async def begin_oidc(self, browser: str, at: At) -> str:
        """Where this browser goes to log in at the identity provider.

        Raises:
            RefusedError, ControllerLost: it cannot.
        """
        started = await self._api.for_browser(*at).oidc_start()
        while len(self._states) >= LOGINS_MAX:
            self._states.pop(next(iter(self._states)))
        self._states[browser] = started.state
        return started.url

    async def finish_oidc(self, browser: str, state: str, code: str, at: At) -> Login:
        """Log in with what the identity provider sent this very browser back with.

        Raises:
            ForeignStateError: it was begun at another browser.
            RefusedError: the controller refuses it.
            ControllerLost: the controller does not answer.
        """
        begun = self._states.pop(browser, None)
        if begun is None or not secrets.compare_digest(begun.encode(), state.encode()):
            raise ForeignStateError
        api = self._api.for_browser(*at)
        return self._admit(browser, api, await api.oidc_finish(state, code))

    def _admit(self, browser: str, way: ApiClient, given: LoginGiven) -> Login:
        api = way.with_token(given.token)
        feed = Feed(api, self._clock, self._rng)
        self._forget(browser)
        self._make_room()
        login = Login(given.user, api, feed, given.expires_utc_ms, self._clock)
        self._by_browser[browser] = login
        log.info("console_login", username=given.user.username)
        return login

    def of(self, browser: str) -> Login | None:
        """The login of a browser; None when there is none or its token is no longer good."""
        login = self._by_browser.get(browser)
        if login is None:
            return None
        over = login.expires_utc_ms <= self._clock.utc_ms()
        if over or login.feed.link is Link.SIGNED_OUT:
            self._forget(browser)
            return None
        return login

    async def sign_out(self, browser: str) -> None:
        """Forget the login and make its token worthless; a lost controller lets it expire."""
        login = self._by_browser.get(browser)
        self._forget(browser)
        if login is not None:
            try:
                await login.api.logout()
            except (ControllerLost, RefusedError) as error:
                log.info("console_logout_unanswered", why=str(error))

    def close(self) -> None:
        """End all feeds."""
        for browser in tuple(self._by_browser):
            self._forget(browser)

    def _forget(self, browser: str) -> None:
        login = self._by_browser.pop(browser, None)
        if login is not None:
            login.stop()

    def _make_room(self) -> None:
        while len(self._by_browser) >= LOGINS_MAX:
            oldest = min(self._by_browser, key=lambda key: self._by_browser[key].used_mono_ms)
            self._forget(oldest)
