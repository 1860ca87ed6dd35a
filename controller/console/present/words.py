"""Decides how values are written for people: times in the site's zone, names, numbers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contracts.api import Sentence
from contracts.devices import Named
from controller.console.texts import Language, say

Drawn = dict[str, object]
"""What a part of a page is given: values that JSON has."""


@dataclass(frozen=True, slots=True)
class Words:
    """One reader: a language, the site's time zone, and where pictures with a path alone are."""

    language: Language
    zone: ZoneInfo
    pictures_url: str = ""

    def say(self, key: str) -> str:
        """A text of the table."""
        return say(key, self.language)

    def name(self, named: Named | Sentence) -> str:
        """A name or sentence that the controller gave in both languages."""
        return named.zh if self.language is Language.ZH else named.en

    def picture(self, url: str | None) -> str:
        """A picture's address as a browser can fetch it; empty for None."""
        if url is None:
            return ""
        return self.pictures_url + url if url.startswith("/") else url

    def at(self, utc_ms: int | None) -> str:
        """``14:03:27`` in the site's zone; empty for None."""
        return "" if utc_ms is None else f"{self._local(utc_ms):%H:%M:%S}"

    def minute(self, utc_ms: int | None) -> str:
        """``14:03`` in the site's zone; empty for None."""
        return "" if utc_ms is None else f"{self._local(utc_ms):%H:%M}"

    def day_and_time(self, utc_ms: int | None) -> str:
        """``2026-11-22 14:03:27.412`` in the site's zone; empty for None."""
        if utc_ms is None:
            return ""
        return f"{self._local(utc_ms):%Y-%m-%d %H:%M:%S}.{utc_ms % 1000:03d}"

    def _local(self, utc_ms: int) -> datetime:
        return datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(self.zone)


def number(value: float) -> str:
    """A measured number without digits that say nothing."""
    return f"{value:.1f}".removesuffix(".0").replace("-", "\N{MINUS SIGN}")
