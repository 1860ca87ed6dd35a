"""Speaks to the controller's public API with one user's token: typed answers, errors, events.

The console uses it and nothing else; so may anybody who writes a program against a controller.
"""

from client.account import AccountCalls
from client.alerts import AlertCalls
from client.base import FORBIDDEN, ControllerLost, RefusedError
from client.deliveries import DeliveryCalls
from client.evidence import EvidenceCalls
from client.facilities import FacilityCalls
from client.handling import HandlingCalls
from client.house import HouseCalls
from client.outside import OutsideCalls
from client.record import RecordCalls
from client.reports import ReportCalls
from client.search import SearchCalls
from client.sessions import SessionCalls
from client.sites import SiteCalls
from client.stream import EventParser, HouseEvent, StreamCalls, View
from contracts.api import BASE


class ApiClient(
    AccountCalls,
    AlertCalls,
    DeliveryCalls,
    EvidenceCalls,
    FacilityCalls,
    HandlingCalls,
    HouseCalls,
    OutsideCalls,
    RecordCalls,
    ReportCalls,
    SearchCalls,
    SessionCalls,
    SiteCalls,
    StreamCalls,
):
    """One user's way to the controller. ``token`` None: only ``login`` is answered."""

    def with_token(self, token: str) -> "ApiClient":
        """The same way, walked by the user that this token was given to."""
        return self._other(token, self._language, self._browser, self._agent)

    def in_language(self, language: str) -> "ApiClient":
        """The same way; problems are told in this language."""
        return self._other(self._token, language, self._browser, self._agent)

    def for_browser(self, address: str, agent: str = "") -> "ApiClient":
        """The same way, on behalf of a browser: the controller counts and records its address."""
        said = "".join(char for char in agent if char.isascii() and char.isprintable())[:200]
        return self._other(self._token, self._language, address, said)

    def _other(self, token: str | None, language: str, browser: str, agent: str) -> "ApiClient":
        house = self._base.removesuffix(BASE)
        return ApiClient(
            self._http, house, token, language, browser, agent, readings=self._readings
        )


__all__ = [
    "FORBIDDEN",
    "ApiClient",
    "ControllerLost",
    "EventParser",
    "HouseEvent",
    "RefusedError",
    "View",
]
