"""What the menu's page says of a mistake: at which field, in both languages, and all at once."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from contracts.api import MenuBody, MenuView
from contracts.api.menu import DEFAULT_DISHES, OrderTerms
from contracts.units import UtcMs
from controller.console.present import menu_edit
from controller.console.present.words import Words
from controller.console.texts import TEXTS, Language

EN = Words(Language.EN, ZoneInfo("Asia/Shanghai"))
ZH = Words(Language.ZH, ZoneInfo("Asia/Shanghai"))


def sent() -> dict[str, Any]:
    """The draft as a browser sends it back."""
    drawn = menu_edit.draft(MenuView(dishes=DEFAULT_DISHES, terms=OrderTerms()))
    return {"dishes": drawn["dishes"], "terms": drawn["terms"]}


def told(body: dict[str, Any], words: Words = EN) -> dict[str, str]:
    with pytest.raises(ValidationError) as wrong:
        MenuBody.model_validate(body)
    return menu_edit.complaints(wrong.value, words)


def test_a_draft_comes_back_as_it_went_out() -> None:
    body = MenuBody.model_validate(sent())
    assert body == MenuBody(dishes=DEFAULT_DISHES)


def test_every_mistake_is_told_at_its_field_at_once() -> None:
    body = sent()
    body["dishes"][0]["name"]["zh"] = ""
    body["dishes"][1]["portions"] = []
    body["dishes"][2]["boxes"] = 9
    body["terms"]["prepare_min"] = "soon"
    body["terms"]["meals"][0]["from_local"] = ""
    assert told(body) == {
        "dishes.0.name.zh": "Fill this in.",
        "dishes.1.portions": "Choose at least one.",
        "dishes.2.boxes": "Not more than 4",
        "terms.prepare_min": "A whole number, please.",
        "terms.meals.0.from_local": "A time such as 11:30, please.",
    }
    assert set(told(body, ZH)) == set(told(body))
    assert told(body, ZH)["dishes.2.boxes"] == "不得大于 4"


@pytest.mark.parametrize(
    ("change", "at", "why"),
    [
        ({"from_local": "11:00"}, "dishes.0.until_local", "menu.err_both"),
        (
            {"from_local": "11:00", "until_local": "11:00"},
            "dishes.0.until_local",
            "menu.err_differ",
        ),
    ],
)
def test_hours_of_a_dish_are_both_or_none(change: dict[str, str], at: str, why: str) -> None:
    body = sent()
    body["dishes"][0] |= change
    assert told(body) == {at: TEXTS[why].en}


def test_a_longest_window_below_the_shortest_is_told_at_the_longest() -> None:
    body = sent()
    body["terms"] |= {"window_min": 60, "window_max": 30}
    assert told(body) == {"terms.window_max": TEXTS["menu.err_window"].en}


def test_a_menu_without_a_dish_and_one_id_twice_are_told() -> None:
    body = sent()
    assert told(body | {"dishes": []}) == {"dishes": TEXTS["menu.err_some"].en}
    twice = body | {"dishes": [body["dishes"][0], body["dishes"][0]]}
    assert list(told(twice).values()) == [TEXTS["menu.err_twice"].en]


def test_who_changed_it_is_told_or_that_it_is_of_the_settings() -> None:
    view = MenuView(dishes=DEFAULT_DISHES, terms=OrderTerms())
    assert menu_edit.changed_by(view, EN) == "from the controller's settings"
    kitchen = view.model_copy(update={"changed_by": "kitchen", "changed_utc_ms": UtcMs(0)})
    assert menu_edit.changed_by(kitchen, EN).startswith("kitchen · ")
    assert menu_edit.draft(None) == {}
