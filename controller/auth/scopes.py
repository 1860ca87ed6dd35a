"""Decides what each role may do: one table of scopes, read by every route."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from contracts.api import Role


class Scope(StrEnum):
    """One kind of request. ``*_own`` counts for the account's own room alone."""

    SELF = "self"
    SITE = "site"
    OVERVIEW = "overview"
    ROOMS = "rooms"
    MEDIA = "media"
    RECORDINGS = "recordings"
    SOUND = "sound"
    ZONES_DRAW = "zones_draw"
    SESSIONS = "sessions"
    SESSIONS_ACT = "sessions_act"
    ALERTS = "alerts"
    ALERTS_ACT = "alerts_act"
    MENU = "menu"
    DELIVERIES = "deliveries"
    DELIVERIES_OWN = "deliveries_own"
    ORDER = "order"
    ORDER_OWN = "order_own"
    LOAD = "load"
    UNLOCK = "unlock"
    CANCEL = "cancel"
    CANCEL_OWN = "cancel_own"
    ROBOTS = "robots"
    ZONES = "zones"
    EVENTS = "events"
    REPORTS = "reports"
    EVIDENCE = "evidence"
    EVIDENCE_KEYS = "evidence_keys"
    HEALTH = "health"
    METRICS = "metrics"


# The event stream shows each account only what its other scopes let it read.
_EVERYBODY: Final = frozenset({Scope.SELF, Scope.SITE, Scope.EVENTS})
_FLOOR: Final = frozenset({Scope.OVERVIEW, Scope.ROOMS, Scope.ROBOTS, Scope.ZONES})

SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.SUPERVISOR: frozenset(Scope) - {Scope.METRICS},
    # Ops see that cameras work and where robots are; a sealed room's picture its route refuses.
    Role.OPS: _EVERYBODY
    | _FLOOR
    | {Scope.MEDIA, Scope.ZONES_DRAW, Scope.ALERTS, Scope.ALERTS_ACT, Scope.SESSIONS}
    # No recordings: what happened in a sealed room is not for who keeps its cameras running.
    # They see which key a node shows; that it is the right one is for the supervisor to say.
    | {Scope.DELIVERIES, Scope.MENU, Scope.HEALTH, Scope.METRICS, Scope.EVIDENCE},
    Role.KITCHEN: _EVERYBODY
    | {Scope.MENU, Scope.DELIVERIES, Scope.LOAD, Scope.CANCEL, Scope.ROBOTS, Scope.ZONES},
    Role.TABLET: _EVERYBODY | {Scope.MENU, Scope.DELIVERIES_OWN, Scope.ORDER_OWN, Scope.CANCEL_OWN},
    Role.DOOR_PANEL: _EVERYBODY | {Scope.UNLOCK, Scope.DELIVERIES, Scope.ROBOTS},
    Role.AUDITOR: _EVERYBODY
    | {Scope.SESSIONS, Scope.ALERTS, Scope.DELIVERIES, Scope.REPORTS, Scope.EVIDENCE}
    | {Scope.RECORDINGS, Scope.SOUND},
}


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """All that an account with these roles may do."""
    return frozenset().union(*(SCOPES[role] for role in roles))
