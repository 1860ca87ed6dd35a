"""The menu: by role, in one order, never a group of one; and where panels begin."""

import pytest

from contracts.api import Role, User
from controller.console.nav import ENTRIES, home_of, menu
from controller.console.texts import TEXTS

PANELS = {"tablet": "/tablet/room-1", "door": ""}


def user(*roles: Role, room_id: str | None = None) -> User:
    return User(username="u", roles=roles, room_id=room_id)


def drawn(one: User, here: str = "wall") -> dict[str, list[str]]:
    """Entries by the name of their group; the direct ones under no name."""
    found: dict[str, list[str]] = {"": []}
    for row in menu(one, here, PANELS, lambda key: key):
        items = row["items"]
        assert isinstance(items, list)
        if items:
            found[str(row["id"])] = [item["id"] for item in items]
        else:
            found[""].append(str(row["id"]))
    return found


def test_a_supervisor_has_rooms_records_and_the_centre() -> None:
    found = drawn(user(Role.SUPERVISOR))
    assert found[""] == ["wall", "sessions", "alerts"]
    assert found["records"] == ["evidence", "retrievals", "conduct", "statistics"]
    assert {"duty", "outside", "sites"} <= set(found["house"])
    assert "kitchen" not in found["house"]


def test_a_group_of_one_is_a_link() -> None:
    assert drawn(user(Role.DUTY_OFFICER))[""] == ["wall", "sessions", "alerts", "evidence"]
    assert drawn(user(Role.KITCHEN)) == {"": ["kitchen"]}


def test_a_panel_that_leads_nowhere_is_left_out() -> None:
    assert drawn(user(Role.TABLET, Role.DOOR_PANEL)) == {"": ["tablet"]}


def test_the_page_that_is_open_is_marked_with_its_group() -> None:
    rows = menu(user(Role.AUDITOR), "conduct", PANELS, lambda key: key)
    assert [row["id"] for row in rows if row["here"]] == ["records"]


@pytest.mark.parametrize(
    ("one", "home"),
    [
        (user(Role.SUPERVISOR), None),
        (user(Role.TABLET, room_id="room-2"), "/tablet/room-2"),
        (user(Role.DOOR_PANEL), "/door"),
        (user(Role.KITCHEN), "/kitchen"),
        (user(Role.AUDIT_ADMIN), "/settings"),
        (user(Role.TERMINAL), None),
    ],
)
def test_where_accounts_begin(one: User, home: str | None) -> None:
    assert home_of(one) == home


def test_every_entry_and_role_has_its_words() -> None:
    assert {f"nav.{entry.id}" for entry in ENTRIES} <= set(TEXTS)
    assert {f"role.{role.value}" for role in Role} <= set(TEXTS)
