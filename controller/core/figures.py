"""Decides what the statistics say: counts by rule, room and day, shares with their interval, times.

Days are of the site's time zone: what happened at one in the morning in China is of that day.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.api import Disposition, SessionState
from contracts.api.statistics import (
    AVAILABILITY_MAX_MS,
    AvailabilityRow,
    CountRow,
    DayRow,
    DeliveryFigures,
    RuleRow,
    SessionFigures,
    Statistics,
    Waits,
)
from contracts.units import RoomId, RuleCode, UtcMs
from controller.core.alerts import RuleTally, title_of
from controller.core.rule_records import records

NOT_JUDGED: Final = "open"
"""Key of alerts that nobody has resolved yet."""

Day = str
DayOf = Callable[[UtcMs], Day]
"""The site's own day of an instant, ``2026-11-22``."""


@dataclass(frozen=True, slots=True)
class AlertFact:
    """What statistics need of one alert."""

    rule: RuleCode
    room_id: RoomId
    shadow: bool
    disposition: Disposition | None
    raised_utc_ms: UtcMs
    acknowledged_utc_ms: UtcMs | None
    resolved_utc_ms: UtcMs | None


@dataclass(frozen=True, slots=True)
class SessionFact:
    """What statistics need of one session."""

    room_id: RoomId
    state: SessionState
    sealed_utc_ms: UtcMs | None
    released_utc_ms: UtcMs | None


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """What statistics need of one delivery. ``ended`` and without fault: it came."""

    state: str
    ordered_utc_ms: UtcMs
    collected_utc_ms: UtcMs | None


@dataclass(frozen=True, slots=True)
class TrackFact:
    """How long a track was recorded, and how long it was not although it should have been."""

    room_id: RoomId
    track_id: str
    recorded_ms: int
    gap_ms: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All of an interval."""

    alerts: Sequence[AlertFact]
    sessions: Sequence[SessionFact]
    deliveries: Sequence[DeliveryFact]
    tracks: Sequence[TrackFact]
    more: bool
    """There were more alerts than are counted here."""


def statistics(
    facts: Facts, since: UtcMs, until: UtcMs, day_of: DayOf, all_days: Iterable[Day]
) -> Statistics:
    """The figures of an interval; ``all_days`` are the days that it touches, in order."""
    told = [row for row in facts.alerts if not row.shadow]
    return Statistics(
        from_utc_ms=since,
        to_utc_ms=until,
        alerts=len(told),
        shadowed=len(facts.alerts) - len(told),
        incomplete=facts.more,
        rules=_rules(facts.alerts),
        rooms=_counts(told, lambda row: row.room_id),
        days=_days(told, day_of, all_days),
        acknowledge=_waits(
            row.acknowledged_utc_ms - row.raised_utc_ms
            for row in told
            if row.acknowledged_utc_ms is not None
        ),
        resolve=_waits(
            row.resolved_utc_ms - row.raised_utc_ms
            for row in told
            if row.resolved_utc_ms is not None
        ),
        sessions=_sessions(facts.sessions, until),
        deliveries=_deliveries(facts.deliveries),
        availability=_availability(facts.tracks),
        availability_from_utc_ms=UtcMs(max(since, until - AVAILABILITY_MAX_MS)),
    )


def percentile(values: Sequence[int], share: float) -> int | None:
    """Nearest-rank percentile, share 0..1; None of nothing."""
    if not values:
        return None
    rank = max(1, -int(-len(values) * share // 1))
    return sorted(values)[rank - 1]


def _rules(alerts: Iterable[AlertFact]) -> tuple[RuleRow, ...]:
    tallies = Counter((row.rule, row.shadow, row.disposition) for row in alerts)
    by: dict[RuleCode, Counter[str]] = {}
    for (rule, _, disposition), count in tallies.items():
        key = disposition.value if disposition else NOT_JUDGED
        by.setdefault(rule, Counter())[key] += count
    rows = records(RuleTally(*key, count) for key, count in tallies.items())
    return tuple(
        RuleRow(
            rule=row.rule,
            title=title_of(row.rule),
            told=row.told,
            shadowed=row.shadowed,
            by_disposition=dict(sorted(by[row.rule].items())),
            judged=row.judged,
            false=row.false,
            false_share_low=row.false_share_low,
            false_share_high=row.false_share_high,
            proposal=row.proposal,
            why=row.why,
        )
        for row in rows
    )


def _counts(alerts: Iterable[AlertFact], key: Callable[[AlertFact], str]) -> tuple[CountRow, ...]:
    by: dict[str, Counter[str]] = {}
    for row in alerts:
        said = row.disposition.value if row.disposition else NOT_JUDGED
        by.setdefault(key(row), Counter())[said] += 1
    made = [
        CountRow(key=name, count=counts.total(), by_disposition=dict(sorted(counts.items())))
        for name, counts in by.items()
    ]
    return tuple(sorted(made, key=lambda row: (-row.count, row.key)))


def _days(
    alerts: Iterable[AlertFact], day_of: DayOf, all_days: Iterable[Day]
) -> tuple[DayRow, ...]:
    counts = _counts(alerts, lambda row: day_of(row.raised_utc_ms))
    by: Mapping[str, CountRow] = {row.key: row for row in counts}
    return tuple(
        DayRow(
            day=day,
            count=by[day].count if day in by else 0,
            by_disposition=by[day].by_disposition if day in by else {},
        )
        for day in all_days
    )


def _waits(values: Iterable[int]) -> Waits:
    waited = [max(value, 0) for value in values]
    return Waits(count=len(waited), p50_ms=percentile(waited, 0.5), p95_ms=percentile(waited, 0.95))


def _sessions(sessions: Sequence[SessionFact], until: UtcMs) -> SessionFigures:
    states = Counter(row.state.value for row in sessions)
    sealed = [
        (row.released_utc_ms or until) - row.sealed_utc_ms
        for row in sessions
        if row.sealed_utc_ms is not None
    ]
    return SessionFigures(
        count=len(sessions),
        by_state=dict(sorted(states.items())),
        sealed_ms=sum(max(value, 0) for value in sealed),
    )


def _deliveries(deliveries: Sequence[DeliveryFact]) -> DeliveryFigures:
    states = Counter(row.state for row in deliveries)
    took = [
        row.collected_utc_ms - row.ordered_utc_ms
        for row in deliveries
        if row.collected_utc_ms is not None
    ]
    return DeliveryFigures(
        count=len(deliveries),
        by_state=dict(sorted(states.items())),
        order_to_collected=_waits(took),
    )


def _availability(tracks: Iterable[TrackFact]) -> tuple[AvailabilityRow, ...]:
    rows = [
        AvailabilityRow(
            room_id=row.room_id,
            track_id=row.track_id,
            recorded_ms=row.recorded_ms,
            gap_ms=row.gap_ms,
            gaps=row.gaps,
            share=round(row.recorded_ms / whole, 6)
            if (whole := row.recorded_ms + row.gap_ms)
            else None,
        )
        for row in tracks
    ]
    # The worst first: that is what somebody has to look after.
    return tuple(
        sorted(rows, key=lambda row: (row.share if row.share is not None else 2, row.track_id))
    )
