"""Holds how things of a site are named in its files: in both languages, and by what credential."""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.envelope import Strict

CredentialName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Named(Strict):
    """A name in both languages of the product."""

    zh: str = Field(min_length=1, max_length=60)
    en: str = Field(min_length=1, max_length=60)


def unique(what: str, names: list[str]) -> None:
    """Hold that no name is used twice.

    Raises:
        ValueError: some are; says which.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: used twice: {', '.join(twice)}")
