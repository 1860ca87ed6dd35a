"""Decides how many meals accounting counts: by local day, room and dish, and how each ended."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api import DeliveryKind, DeliveryState, Dish, MealCount
from contracts.devices import Named
from contracts.units import UtcMs
from controller.core.deliveries import Delivery
from controller.core.ordering import local_day, wanted_at

DAYS_MAX: Final = 92  # a quarter: what an invoice covers
READ_MAX: Final = 20_000  # 13 rooms x 10 orders x 92 days are 12,000
AHEAD_MAX_DAYS: Final = 31  # as OrderTerms.ahead_days: an order may be as much older than its meal


def interval(first: date, last: date, zone: ZoneInfo) -> tuple[UtcMs, UtcMs]:
    """From when until when an order may have been made whose meal lies in these local days."""
    begins = datetime.combine(first - timedelta(days=AHEAD_MAX_DAYS), time(), zone)
    ends = datetime.combine(last + timedelta(days=1), time(), zone)
    return UtcMs(int(begins.timestamp()) * 1_000), UtcMs(int(ends.timestamp()) * 1_000)


def counted(
    rows: Iterable[Delivery], dishes: Mapping[str, Dish], first: date, last: date, zone: ZoneInfo
) -> tuple[MealCount, ...]:
    """The counts of meals whose window (or order) lies in these local days, both included."""
    found: dict[tuple[str, str, str], MealCount] = {}
    for row in rows:
        day = local_day(wanted_at(row), zone)
        if row.kind is not DeliveryKind.MEAL or not first <= day <= last:
            continue
        end = _end(row)
        for line in row.lines:
            key = (day.isoformat(), row.room_id, line.dish)
            before = found.get(key) or _none(key, dishes)
            change = {"ordered": before.ordered + line.count}
            if end is not None:
                change[end] = getattr(before, end) + line.count
            found[key] = before.model_copy(update=change)
    return tuple(found[key] for key in sorted(found))


def _none(key: tuple[str, str, str], dishes: Mapping[str, Dish]) -> MealCount:
    day, room_id, dish = key
    known = dishes.get(dish)
    name = known.name if known is not None else Named(zh=dish, en=dish)
    return MealCount(day=day, room_id=room_id, dish=dish, name=name)


def _end(row: Delivery) -> str | None:
    """How it ended; None: it is under way, or was eaten by nobody and sent by nobody."""
    reached = {leg.name for leg in row.legs}
    if DeliveryState.COLLECTED in reached or row.state is DeliveryState.RETURNED:
        return "collected"
    if not row.ended:
        return None
    loaded = any(event.what == "loaded" for event in row.custody)
    return "returned" if loaded else "cancelled"
