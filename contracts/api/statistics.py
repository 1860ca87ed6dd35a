"""Holds the statistics of a site over an interval: alerts, sessions, deliveries, recordings."""

from pydantic import Field

from contracts.devices import Named
from contracts.envelope import Strict
from contracts.observations import Mode, Said
from contracts.units import RoomId, RuleCode, UtcMs

DAYS_MAX = 366  # a year: what a yearly report looks back on
ALERTS_COUNTED_MAX = 200_000
# Ten years of an ordinary site; a site with more in a year has rules that ought to be in shadow.
AVAILABILITY_MAX_MS = 31 * 86_400_000
# Two million segments of fifty cameras: some seconds of the database's work. A year is minutes.


class CountRow(Strict):
    """How many of one kind; ``by_disposition`` has ``open`` for what nobody has resolved yet."""

    key: str
    count: int
    by_disposition: dict[str, int] = Field(default_factory=dict)


class DayRow(Strict):
    """One day of the site's time zone, ``2026-11-22``; days without alerts are there too."""

    day: str
    count: int
    by_disposition: dict[str, int] = Field(default_factory=dict)


class RuleRow(Strict):
    """One rule: how often it spoke, what people made of it, and what that speaks for.

    ``false_share_low`` and ``false_share_high`` are Wilson's 95 % interval of the share of judged
    alerts that were false; ``proposal`` follows from it.
    """

    rule: RuleCode
    title: Named
    told: int
    shadowed: int
    by_disposition: dict[str, int] = Field(default_factory=dict)
    judged: int
    false: int
    false_share_low: float
    false_share_high: float
    proposal: Mode | None = None
    why: Said | None = None


class Waits(Strict):
    """How long something took, in the median and in nineteen of twenty cases. None: never."""

    count: int
    p50_ms: int | None = None
    p95_ms: int | None = None


class SessionFigures(Strict):
    """Sessions that were scheduled in the interval; ``sealed_ms`` adds up."""

    count: int
    by_state: dict[str, int] = Field(default_factory=dict)
    sealed_ms: int = 0


class DeliveryFigures(Strict):
    """Deliveries that were ordered in the interval."""

    count: int
    by_state: dict[str, int] = Field(default_factory=dict)
    order_to_collected: Waits = Waits(count=0)


class AvailabilityRow(Strict):
    """How much of the time that a track was watched it was recorded; the worst come first."""

    room_id: RoomId
    track_id: str
    recorded_ms: int
    gap_ms: int
    gaps: int
    share: float | None = Field(default=None, description="recorded / (recorded + gaps)")


class Statistics(Strict):
    """All figures of an interval. Shadow findings count in ``rules`` and ``shadowed`` alone."""

    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    alerts: int
    shadowed: int
    incomplete: bool = False
    """There were more alerts than are counted: choose a shorter interval."""
    rules: tuple[RuleRow, ...] = ()
    rooms: tuple[CountRow, ...] = ()
    days: tuple[DayRow, ...] = ()
    acknowledge: Waits = Waits(count=0)
    resolve: Waits = Waits(count=0)
    sessions: SessionFigures = SessionFigures(count=0)
    deliveries: DeliveryFigures = DeliveryFigures(count=0)
    availability: tuple[AvailabilityRow, ...] = ()
    availability_from_utc_ms: UtcMs
    """Recordings are counted from here: the last 31 days of a longer interval."""
