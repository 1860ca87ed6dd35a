"""Holds every text of the console in both its languages; nothing else has words for people."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from contracts.units import Bilingual
from controller.console.texts import (
    accounts,
    alert,
    evidence,
    general,
    handling,
    menu,
    orders,
    outside,
    reports,
    sessions,
    sites,
    wall,
)


class Language(StrEnum):
    """The languages of the product, by their BCP 47 tags."""

    ZH = "zh-CN"
    EN = "en"


_TABLES: Final = (
    general.TABLE,
    accounts.TABLE,
    alert.TABLE,
    evidence.TABLE,
    handling.TABLE,
    menu.TABLE,
    orders.TABLE,
    outside.TABLE,
    reports.TABLE,
    sessions.TABLE,
    sites.TABLE,
    wall.TABLE,
)

TEXTS: Final[Mapping[str, Bilingual]] = MappingProxyType(
    {key: Bilingual(zh, en) for table in _TABLES for key, (zh, en) in table.items()}
)
"""Every text by its key, ``group.name``."""


def say(key: str, language: Language) -> str:
    """The text of this key; KeyError when the table has none."""
    return TEXTS[key].pick(language)


@cache
def group(names: tuple[str, ...], language: Language) -> dict[str, str]:
    """All texts of some groups, keyed ``group.name``: what one part of a page is given.

    The same dictionary each time, for pages are drawn eight times a second: do not change it.
    """
    return {
        key: text.pick(language) for key, text in TEXTS.items() if key.split(".", 1)[0] in names
    }
