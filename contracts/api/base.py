"""Holds what every answer of the API is made of: sentences, problems, limits."""

from pydantic import Field

from contracts.envelope import Strict

BASE = "/api/v1"
PAGE_MAX = 200  # rows of one page: what a person scrolls, and below 1 MiB of JSON


class Sentence(Strict):
    """What people read about one thing, in both languages; longer than a name."""

    zh: str = Field(min_length=1, max_length=400)
    en: str = Field(min_length=1, max_length=400)


class Problem(Strict):
    """RFC 9457 problem: what went wrong, where, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[str, ...] = ()
