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
    MENU_EDIT = "menu_edit"
    """Change the menu, its terms and recurring orders."""
    MEALS = "meals"
    """Counts of meals for accounting."""
    DELIVERIES = "deliveries"
    DELIVERIES_OWN = "deliveries_own"
    ORDER = "order"
    ORDER_OWN = "order_own"
    LOAD = "load"
    UNLOCK = "unlock"
    DELIVERIES_APPROVE = "deliveries_approve"
    """Decide about papers, devices and medicine for a room."""
    RELEASE = "release"
    """Ask for, or approve, an opening without the PIN; two persons."""
    CANCEL = "cancel"
    CANCEL_OWN = "cancel_own"
    ROBOTS = "robots"
    ROBOTS_ACT = "robots_act"
    """Hold, resume and recall robots, let one through a zone, clear one that was in doubt."""
    ZONES = "zones"
    EVENTS = "events"
    REPORTS = "reports"
    EVIDENCE = "evidence"
    EVIDENCE_KEYS = "evidence_keys"
    RECORD = "record"
    """Read the record of a session, line by line."""
    ROSTER = "roster"
    ROSTER_EDIT = "roster_edit"
    """Roster by seat and role, amendments, check-ins by hand."""
    NAMES = "names"
    """See participants' names, where the policy shows them at all."""
    CHECK_IN = "check_in"
    """Report check-ins and door events, as a terminal does."""
    OVERRIDE = "override"
    """Seal although a check failed, with a reason."""
    ALERTS_URGE = "alerts_urge"
    """督办: urge an overdue step."""
    DUTY = "duty"
    DUTY_EDIT = "duty_edit"
    NOTICES = "notices"
    """Channels of notices and the log of deliveries."""
    ACCOUNTS = "accounts"
    """Make, disable and list accounts (system administrator)."""
    RIGHTS = "rights"
    """Give roles and grants, unlock, reset second factors (security administrator)."""
    TOKENS = "tokens"
    """API tokens of programs."""
    AUDIT = "audit"
    """Read, search and export the audit log."""
    SETTINGS = "settings"
    SEARCH = "search"
    STATISTICS = "statistics"
    CONDUCT = "conduct"
    """Conduct reports on experts and agencies."""
    RETRIEVAL = "retrieval"
    """Ask for recordings under rules, and fetch what was approved."""
    RETRIEVAL_APPROVE = "retrieval_approve"
    LISTEN = "listen"
    """Hear a room live, one at a time."""
    TALK = "talk"
    TEXT = "text"
    """Write to a room's tablet, answer its calls."""
    TEXT_OWN = "text_own"
    """Read the texts of one's own room, and call the supervisor."""
    ENTRY = "entry"
    """Ask for an emergency entry."""
    ENTRY_APPROVE = "entry_approve"
    BREAK_GLASS = "break_glass"
    """Ask for the picture or sound of a sealed room that one's role does not see."""
    BREAK_GLASS_APPROVE = "break_glass_approve"
    SITES = "sites"
    """Other sites of a remote evaluation: see, confirm, hand evidence over."""
    SITES_FEED = "sites_feed"
    """What another site's controller reads and sends."""
    HEALTH = "health"
    METRICS = "metrics"


# The event stream shows each account only what its other scopes let it read.
_EVERYBODY: Final = frozenset({Scope.SELF, Scope.SITE, Scope.EVENTS})
_FLOOR: Final = frozenset({Scope.OVERVIEW, Scope.ROOMS, Scope.ROBOTS, Scope.ZONES})

_SUPERVISOR: Final = frozenset(Scope) - {
    Scope.METRICS,
    Scope.ACCOUNTS,
    Scope.RIGHTS,
    Scope.TOKENS,
    Scope.SETTINGS,
    Scope.AUDIT,
    Scope.CHECK_IN,
    Scope.SITES_FEED,
    Scope.TEXT_OWN,
}

SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.SUPERVISOR: _SUPERVISOR,
    # The same, of the sessions of its sector alone (``Grants``); it holds nothing of the house.
    Role.SECTOR_SUPERVISOR: _SUPERVISOR
    - {Scope.ORDER, Scope.LOAD, Scope.UNLOCK, Scope.CANCEL, Scope.ZONES_DRAW, Scope.DUTY_EDIT}
    - {Scope.EVIDENCE_KEYS, Scope.NOTICES, Scope.SITES}
    - {Scope.MENU_EDIT, Scope.MEALS, Scope.ROBOTS_ACT},
    Role.DUTY_OFFICER: _EVERYBODY
    | _FLOOR
    | {Scope.ALERTS, Scope.ALERTS_ACT, Scope.SESSIONS, Scope.RECORD, Scope.MEDIA, Scope.DUTY}
    | {Scope.TEXT, Scope.TALK, Scope.ENTRY, Scope.DELIVERIES, Scope.HEALTH, Scope.SEARCH},
    # Ops see that cameras work and where robots are; a sealed room's picture its route refuses.
    Role.OPS: _EVERYBODY
    | _FLOOR
    | {Scope.MEDIA, Scope.ZONES_DRAW, Scope.ALERTS, Scope.ALERTS_ACT, Scope.SESSIONS}
    # No recordings: what happened in a sealed room is not for who keeps its cameras running.
    # They see which key a node shows; that it is the right one is for the supervisor to say.
    | {Scope.DELIVERIES, Scope.MENU, Scope.HEALTH, Scope.METRICS, Scope.EVIDENCE}
    | {Scope.BREAK_GLASS, Scope.NOTICES, Scope.DUTY, Scope.STATISTICS},
    Role.KITCHEN: _EVERYBODY
    | {Scope.MENU, Scope.MENU_EDIT, Scope.MEALS, Scope.DELIVERIES, Scope.LOAD, Scope.CANCEL}
    | {Scope.ROBOTS, Scope.ZONES},
    Role.TABLET: _EVERYBODY
    | {Scope.MENU, Scope.DELIVERIES_OWN, Scope.ORDER_OWN, Scope.CANCEL_OWN, Scope.TEXT_OWN},
    Role.DOOR_PANEL: _EVERYBODY | {Scope.UNLOCK, Scope.DELIVERIES, Scope.ROBOTS},
    Role.AUDITOR: _EVERYBODY
    | {Scope.SESSIONS, Scope.ALERTS, Scope.DELIVERIES, Scope.REPORTS, Scope.EVIDENCE}
    | {Scope.MEALS}
    | {Scope.RECORDINGS, Scope.SOUND, Scope.RECORD, Scope.SEARCH, Scope.STATISTICS}
    | {Scope.CONDUCT, Scope.RETRIEVAL, Scope.AUDIT, Scope.SITES},
    Role.SYSTEM_ADMIN: _EVERYBODY
    | {Scope.ACCOUNTS, Scope.SETTINGS, Scope.NOTICES, Scope.DUTY_EDIT, Scope.DUTY, Scope.HEALTH},
    Role.SECURITY_ADMIN: _EVERYBODY | {Scope.RIGHTS, Scope.TOKENS, Scope.BREAK_GLASS_APPROVE},
    Role.AUDIT_ADMIN: _EVERYBODY | {Scope.AUDIT},
    Role.TERMINAL: frozenset({Scope.SELF, Scope.CHECK_IN}),
    Role.SITE_LINK: frozenset({Scope.SELF, Scope.SITE, Scope.SITES_FEED}),
}


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """All that an account with these roles may do."""
    return frozenset().union(*(SCOPES[role] for role in roles))
