"""Decides which pages the header offers to whom, and where an account without a wall belongs."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from contracts.api import Role, User
from controller.console.present.words import Drawn

WALL_ROLES: Final = (
    Role.SUPERVISOR,
    Role.SECTOR_SUPERVISOR,
    Role.DUTY_OFFICER,
    Role.OPS,
    Role.AUDITOR,
)
"""Who sees rooms and alerts. What each of them may ask there the controller decides."""

_SUPERVISORS: Final = (Role.SUPERVISOR, Role.SECTOR_SUPERVISOR)
_READERS: Final = (*_SUPERVISORS, Role.AUDITOR)
_ADMINS: Final = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the menu. ``group`` empty: it stands in the header by itself.

    ``apart`` pages open in a tab of their own: they belong on another screen.
    """

    id: str
    href: str
    sign: str
    roles: Collection[Role]
    group: str = ""
    apart: bool = False


ENTRIES: Final = (
    Entry("wall", "/", "grid", WALL_ROLES),
    Entry("sessions", "/sessions", "calendar", WALL_ROLES),
    Entry("alerts", "/alerts", "bell", WALL_ROLES),
    Entry("evidence", "/evidence", "search", (*_READERS, Role.DUTY_OFFICER), "records"),
    Entry("retrievals", "/retrievals", "archive", _READERS, "records"),
    Entry("conduct", "/conduct", "report", _READERS, "records"),
    Entry("statistics", "/statistics", "chart", (*_READERS, Role.OPS), "records"),
    Entry(
        "duty",
        "/duty",
        "clock",
        (*_SUPERVISORS, Role.DUTY_OFFICER, Role.OPS, Role.SYSTEM_ADMIN),
        "house",
    ),
    Entry("robots", "/robots", "robot", WALL_ROLES, "house"),
    Entry("outside", "/outside", "ear", (*_SUPERVISORS, Role.DUTY_OFFICER), "house"),
    Entry("sites", "/sites", "link", (Role.SUPERVISOR, Role.AUDITOR), "house"),
    Entry("kitchen", "/kitchen", "meal", (Role.KITCHEN,), "house"),
    Entry("tablet", "", "tablet", (Role.TABLET,), "house", apart=True),
    Entry("door", "", "door", (Role.DOOR_PANEL,), "house", apart=True),
    Entry("settings", "/settings", "gear", (*_ADMINS, *_READERS, Role.OPS), "house"),
)
"""All pages with a place in the menu, in its order."""

GROUPS: Final = ("records", "house")


def menu(user: User, here: str, panels: dict[str, str], label: Callable[[str], str]) -> list[Drawn]:
    """The menu of a user on page ``here``: direct links, then groups with two links or more.

    ``panels`` says where the entries without an address of their own lead today.
    """
    drawn = [_drawn(entry, here, panels, label) for entry in _of(user, "") if _href(entry, panels)]
    for group in GROUPS:
        items = [
            _drawn(entry, here, panels, label) for entry in _of(user, group) if _href(entry, panels)
        ]
        if len(items) == 1:
            drawn += items  # a menu of one is a detour
        elif items:
            drawn.append(
                {
                    "id": group,
                    "label": label(f"nav.{group}"),
                    "here": any(item["here"] for item in items),
                    "items": items,
                }
            )
    return drawn


def roles_of(entry_id: str) -> tuple[Role, ...]:
    """Who is offered a page; KeyError when the menu has none of this name."""
    return tuple({entry.id: entry.roles for entry in ENTRIES}[entry_id])


def home_of(user: User) -> str | None:
    """Where an account begins that has no wall; None for those who have one, or nothing at all."""
    roles = set(user.roles)
    if roles & set(WALL_ROLES):
        return None
    if user.room_id is not None and Role.TABLET in roles:
        return f"/tablet/{user.room_id}"
    if Role.DOOR_PANEL in roles:
        return "/door"
    if Role.KITCHEN in roles:
        return "/kitchen"
    return "/settings" if roles & set(_ADMINS) else None


def _of(user: User, group: str) -> list[Entry]:
    roles = set(user.roles)
    return [entry for entry in ENTRIES if entry.group == group and roles & set(entry.roles)]


def _href(entry: Entry, panels: dict[str, str]) -> str:
    return entry.href or panels.get(entry.id, "")


def _drawn(entry: Entry, here: str, panels: dict[str, str], label: Callable[[str], str]) -> Drawn:
    return {
        "id": entry.id,
        "href": _href(entry, panels),
        "sign": entry.sign,
        "label": label(f"nav.{entry.id}"),
        "here": entry.id == here,
        "apart": entry.apart,
        "items": [],
    }
