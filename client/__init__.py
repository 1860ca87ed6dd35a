"""Speaks to the controller's public API with one user's token: typed answers, errors, events.

The console uses it and nothing else; so may anybody who writes a program against a controller.
"""

from client.account import AccountCalls
from client.alerts import AlertCalls
from client.base import FORBIDDEN, ControllerLost, RefusedError
from client.deliveries import DeliveryCalls
from client.evidence import EvidenceCalls
from client.handling import HandlingCalls
from client.house import HouseCalls
from client.outside import OutsideCalls
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
    HandlingCalls,
    HouseCalls,
    OutsideCalls,
    ReportCalls,
    SearchCalls,
    SessionCalls,
    SiteCalls,
    StreamCalls,
):
    """One user's way to the controller. ``token`` None: only ``login`` is answered."""

    def with_token(self, token: str) -> "ApiClient":
        """The same way, walked by the user that this token was given to."""
        return ApiClient(self._http, self._base.removesuffix(BASE), token, self._language)

    def in_language(self, language: str) -> "ApiClient":
        """The same way; problems are told in this language."""
        return ApiClient(self._http, self._base.removesuffix(BASE), self._token, language)


__all__ = [
    "FORBIDDEN",
    "ApiClient",
    "ControllerLost",
    "EventParser",
    "HouseEvent",
    "RefusedError",
    "View",
]
