"""Writes docs/reference/rights.md: which role may call which route, out of the routes."""

from collections.abc import Iterable
from typing import Final

from fastapi.routing import APIRoute

from contracts.api import BASE, Role
from controller.api.app import declared
from controller.api.guards import TICKETED, TICKETED_AUDITED, audited_by, needs_of
from controller.auth.scopes import SCOPES, Scope
from zeroentry.reference.tables import NOTE, table

SHORT: Final = {
    Role.SUPERVISOR: "sup",
    Role.SECTOR_SUPERVISOR: "sector",
    Role.DUTY_OFFICER: "duty",
    Role.OPS: "ops",
    Role.KITCHEN: "kitchen",
    Role.TABLET: "tablet",
    Role.DOOR_PANEL: "panel",
    Role.AUDITOR: "auditor",
    Role.SYSTEM_ADMIN: "sys",
    Role.SECURITY_ADMIN: "sec",
    Role.AUDIT_ADMIN: "aud",
    Role.TERMINAL: "terminal",
    Role.SITE_LINK: "site",
}

LEAD: Final = """\
Each route names the scopes that open it; each role holds scopes (`controller/auth/scopes.py`). A
role may call a route where it holds one scope of every set that the route names.

- **public**: nobody has a token before it.
- **a ticket**: a signed address for minutes, given to who may (or, for pictures, `alerts`).
- **log**: each call leaves a line in the audit log. Routes that change something always do.
- The table says what a role may ask. Grants (rooms, sectors, picture, sound) narrow what it gets:
  a room or session outside them is answered as if it were not there.
- `*_own` scopes count for the account's own room.
- A sealed room's live picture is for supervisors; others need a break-glass approved by a second
  person.
- An account that must change its password or enrol a second factor holds `self` alone.
- An API token holds those of its owner's scopes that it was made with.
"""


def may(role: Role, sets: Iterable[frozenset[Scope]]) -> bool:
    """Whether a role may call a route that asks for these sets of scopes."""
    return all(SCOPES[role] & scopes for scopes in sets)


def _row(route: APIRoute, method: str) -> tuple[str, ...]:
    sets = needs_of(route.dependant)
    scopes = " and ".join(" or ".join(sorted(one.value for one in found)) for found in sets)
    read = audited_by(sets) or route.path in TICKETED_AUDITED
    logged = "log" if method != "GET" or read else ""
    marks = ["x" if sets and may(role, sets) else "" for role in SHORT]
    shown = scopes or ("a ticket" if route.path in TICKETED else "public")
    return (method, f"`{route.path.removeprefix(BASE)}`", shown, logged, *marks)


def rights_page() -> str:
    """The page."""
    rows = [
        _row(route, method)
        for route in sorted(declared(), key=lambda route: route.path)
        for method in sorted(route.methods or ())
    ]
    held = [
        (f"{SHORT[role]}: `{role.value}`", ", ".join(sorted(scope.value for scope in SCOPES[role])))
        for role in SHORT
    ]
    lines = [
        "# Who may do what",
        "",
        NOTE,
        "",
        LEAD,
        f"## Routes ({len(rows)})",
        "",
        *table(("", f"under `{BASE}`", "scope", "", *SHORT.values()), rows),
        "",
        "## Roles",
        "",
        *table(("role", "scopes"), held),
    ]
    return "\n".join(lines) + "\n"
