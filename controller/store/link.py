"""Holds what a store beside the service's own needs of the database: reads, and whole writes."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Link(Protocol):
    """The database as ``controller.store.database.Database`` opens it. Methods block."""

    def read(self, work: Callable[[Connection], T]) -> T: ...

    def write(self, work: Callable[[Connection], T]) -> T: ...
