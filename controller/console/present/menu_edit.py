"""Decides what the menu's page is given to edit, and says at which field what cannot be."""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from contracts.api import DeliveryKind, MenuBody, MenuView
from contracts.api.menu import ALLERGENS, DIETS, KINDS, PORTIONS, Course
from controller.console.present.words import Drawn, Words

DAYS: Final = range(1, 8)
_BY_TYPE: Final[Mapping[str, str]] = {
    "string_too_short": "menu.err_empty",
    "missing": "menu.err_empty",
    "string_too_long": "menu.err_long",
    "int_parsing": "menu.err_number",
    "int_from_float": "menu.err_number",
    "int_type": "menu.err_number",
    "string_pattern_mismatch": "menu.err_time",
    "string_type": "menu.err_time",
    "too_long": "menu.err_many",
}
_BY_WORDS: Final[tuple[tuple[str, str, str], ...]] = (
    # what a model says of itself, the field that it is about, our words
    ("give both, or neither", "until_local", "menu.err_both"),
    ("must differ from", "until_local", "menu.err_differ"),
    ("must not be less than window_min", "window_max", "menu.err_window"),
    ("stands there twice", "", "menu.err_twice"),
)


def draft(menu: MenuView | None) -> Drawn:
    """What is edited: the menu as the API takes it, and which of its revisions it is."""
    if menu is None:
        return {}
    body = MenuBody(dishes=menu.dishes, terms=menu.terms)
    return {"revision": menu.revision, **body.model_dump(mode="json")}


def choices(words: Words) -> Drawn:
    """All that is chosen and not typed."""
    return {
        "kinds": [{"id": one.value, "name": words.name(KINDS[one])} for one in DeliveryKind],
        "courses": [{"id": one.value, "name": words.say(f"tablet.course_{one}")} for one in Course],
        "portions": [{"id": one.value, "name": words.name(name)} for one, name in PORTIONS.items()],
        "allergens": [
            {"id": one.value, "name": words.name(name)} for one, name in ALLERGENS.items()
        ],
        "diets": [{"id": one.value, "name": words.name(name)} for one, name in DIETS.items()],
        "days": [{"id": day, "name": words.say(f"kitchen.day_{day}")} for day in DAYS],
    }


def changed_by(menu: MenuView | None, words: Words) -> str:
    """Who changed it last, and when."""
    if menu is None:
        return ""
    if not menu.changed_by:
        return words.say("menu.from_settings")
    return f"{menu.changed_by} · {words.at(menu.changed_utc_ms)}"


def complaints(error: ValidationError, words: Words) -> dict[str, str]:
    """What cannot be: the field's path, such as ``dishes.3.name.zh``, and why in words."""
    found: dict[str, str] = {}
    for row in error.errors():
        path = [str(part) for part in row["loc"]]
        key, field = _key(row["type"], row["msg"], path)
        limit = (row.get("ctx") or {}).get("ge" if key == "menu.err_least" else "le")
        told = words.say(key)
        if key in {"menu.err_least", "menu.err_most"}:
            told = f"{told} {limit}"
        found.setdefault(".".join([*path, field] if field else path), told)
    return found


def _key(kind: str, said: str, path: list[str]) -> tuple[str, str]:
    """The text of a complaint, and the field beneath its path that it is about."""
    for words, field, key in _BY_WORDS:
        if words in said:
            return key, field
    if kind == "too_short":
        return ("menu.err_some" if path == ["dishes"] else "menu.err_one"), ""
    if kind in {"greater_than_equal", "less_than_equal"}:
        return ("menu.err_least" if kind.startswith("greater") else "menu.err_most"), ""
    return _BY_TYPE.get(kind, "menu.err_other"), ""
