"""Holds what routes search and count with, and what answers a repeated request."""

from dataclasses import dataclass

from controller.api.http_rules import Once
from controller.store.answers import AnsweredStore
from controller.store.database import Database
from controller.store.search import SearchStore
from controller.store.statistics import StatisticsStore
from controller.store.timeline import TimelineStore
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Finding:
    """The readers beside ``Context.reader``; methods of the stores block."""

    searches: SearchStore
    timelines: TimelineStore
    figures: StatisticsStore
    once: Once


def finding_in(database: Database, clock: Clock) -> Finding:
    """All of it, in one database."""
    return Finding(
        searches=SearchStore(database),
        timelines=TimelineStore(database),
        figures=StatisticsStore(database),
        once=Once(AnsweredStore(database), clock.utc_ms),
    )
