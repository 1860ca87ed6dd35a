"""Decides whether an order can be taken: menu, hours, cut-off, window, boxes, quotas. Pure.

Every refusal names what is wrong and what to do instead, in both languages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.api import (
    ArrivalWindow,
    ChangeBody,
    DeliveryKind,
    Dish,
    MealTime,
    MenuBody,
    OrderLine,
    OrderTerms,
    Sentence,
    StandingBody,
)
from contracts.api.menu import ALLERGENS, DEFAULT_DISHES, KINDS, PORTIONS
from contracts.units import RoomId, UtcMs
from controller.core.deliveries import Delivery
from controller.core.outputs import Refusal, Refused

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
TEXT_MAX: Final = 400  # as contracts.api.Sentence
FORMER_MAX: Final = 300  # a kitchen that changes three dishes a week is remembered for two years


@dataclass(frozen=True, slots=True)
class Menu:
    """The menu in force. ``changed_by`` empty: that of the settings."""

    body: MenuBody
    revision: int = 0
    changed_by: str = ""
    changed_utc_ms: UtcMs | None = None
    former: tuple[Dish, ...] = ()
    """What has left it, as it was last: what was ordered before keeps its name and its boxes."""
    id: str = "menu"
    kind: Literal["menu"] = "menu"

    @property
    def dishes(self) -> Mapping[str, Dish]:
        return {row.id: row for row in self.body.dishes}

    @property
    def known(self) -> Mapping[str, Dish]:
        """What is on it, and what was."""
        return {row.id: row for row in self.former} | dict(self.dishes)

    @property
    def terms(self) -> OrderTerms:
        return self.body.terms


@dataclass(frozen=True, slots=True)
class Standing:
    """A recurring order; ``removed`` ones stay for the record. ``last_day``: its last round."""

    id: str
    body: StandingBody
    made_by: str
    made_utc_ms: UtcMs
    last_day: str = ""
    removed: bool = False
    kind: Literal["standing"] = "standing"


OrderingDoc = Menu | Standing
_DEFAULT: Final = Menu(MenuBody(dishes=DEFAULT_DISHES))


def edited(menu: Menu, body: MenuBody, by: str, utc_ms: UtcMs) -> Menu:
    """The menu from now on; what leaves it is remembered."""
    stays = {row.id for row in body.dishes}
    left = {row.id: row for row in (*menu.former, *menu.body.dishes) if row.id not in stays}
    former = tuple(left.values())[-FORMER_MAX:]
    return Menu(body, menu.revision + 1, by, utc_ms, former)


def menu_in(documents: Mapping[str, OrderingDoc]) -> Menu:
    """The menu among what is kept of ordering; the product's own where there is none."""
    found = documents.get("menu")
    return found if isinstance(found, Menu) else _DEFAULT


@dataclass(frozen=True, slots=True)
class Desk:
    """What an order is judged by: the menu, the clock, the site's hours, what is ordered already.

    ``others``: the deliveries of the house that count, without the one that is being changed.
    ``closes``: whether the cut-off binds it; it does not bind what the kitchen orders itself.
    """

    menu: Menu
    zone: ZoneInfo
    now: UtcMs
    earliest: UtcMs
    others: tuple[Delivery, ...] = field(default=())
    closes: bool = True


def check(desk: Desk, room_id: RoomId, kind: DeliveryKind, body: ChangeBody) -> Refused | None:
    """Why this cannot be ordered; None: it can."""
    return (
        _lines(desk, kind, body.lines)
        or _window(desk, kind, body.window)
        or _hours(desk, body)
        or (_counts(desk, room_id, body) if kind is DeliveryKind.MEAL else None)
    )


def boxes_of(menu: Menu, lines: Iterable[OrderLine]) -> int:
    """How many boxes the lines fill; a dish that nobody remembers counts one."""
    dishes = menu.known
    return sum(row.count * (dishes[row.dish].boxes if row.dish in dishes else 1) for row in lines)


# --- lines --------------------------------------------------------------------------------------


def _lines(desk: Desk, kind: DeliveryKind, lines: tuple[OrderLine, ...]) -> Refused | None:
    dishes = desk.menu.dishes
    for number, line in enumerate(lines, 1):
        dish = dishes.get(line.dish)
        if dish is None or dish.kind is not kind:
            word = KINDS[kind]
            return _invalid(
                f"第 {number} 行：{word.zh}菜单中没有 {line.dish}，请重新选择（GET /menu）。",
                f"Line {number}: {line.dish} is not on the menu of {word.en}; choose another "
                "(GET /menu).",
            )
        refused = _line(number, dish, line)
        if refused is not None:
            return refused
    terms = desk.menu.terms
    boxes = boxes_of(desk.menu, lines)
    if boxes > terms.boxes_per_compartment:
        most = terms.boxes_per_compartment
        return _invalid(
            f"共 {boxes} 盒，一个箱格最多 {most} 盒，请分成几单。",
            f"{boxes} boxes do not fit a compartment, which holds {most}; make several orders.",
        )
    return None


def _line(number: int, dish: Dish, line: OrderLine) -> Refused | None:
    if dish.sold_out:
        return _invalid(
            f"第 {number} 行：{dish.name.zh}已售完，请另选。",
            f"Line {number}: {dish.name.en} is sold out; choose another.",
        )
    if line.portion not in dish.portions:
        zh = "、".join(PORTIONS[one].zh for one in dish.portions)
        en = ", ".join(PORTIONS[one].en for one in dish.portions)
        return _invalid(
            f"第 {number} 行：{dish.name.zh}只有：{zh}。",
            f"Line {number}: {dish.name.en} comes in these portions: {en}.",
        )
    inside = [one for one in line.avoid if one in dish.allergens]
    if inside:
        zh = "、".join(ALLERGENS[one].zh for one in inside)
        en = ", ".join(ALLERGENS[one].en for one in inside)
        return _invalid(
            f"第 {number} 行：{dish.name.zh}含有须避免的{zh}，请另选。",
            f"Line {number}: {dish.name.en} contains {en}, which is to be avoided; choose another.",
        )
    return None


# --- times --------------------------------------------------------------------------------------


def span(day: date, from_local: str, until_local: str, zone: ZoneInfo) -> tuple[UtcMs, UtcMs]:
    """From when until when hours of a local day last; over midnight where the end is earlier."""
    begins = _utc(day, from_local, zone)
    ends_on = day if until_local > from_local else day + timedelta(days=1)
    return begins, _utc(ends_on, until_local, zone)


def local_day(utc_ms: UtcMs, zone: ZoneInfo) -> date:
    """The local day of a moment."""
    return datetime.fromtimestamp(utc_ms / 1_000, zone).date()


def local_minute(utc_ms: UtcMs, zone: ZoneInfo, now: UtcMs) -> str:
    """``HH:MM``, with the day before it when that is another than today."""
    at = datetime.fromtimestamp(utc_ms / 1_000, zone)
    same = at.date() == local_day(now, zone)
    return at.strftime("%H:%M") if same else at.strftime("%m-%d %H:%M")


def meal_at(terms: OrderTerms, utc_ms: UtcMs, zone: ZoneInfo) -> tuple[MealTime, UtcMs] | None:
    """The meal time that a moment lies in, and when it begins; None: between meals."""
    today = local_day(utc_ms, zone)
    for meal in terms.meals:
        for day in (today, today - timedelta(days=1)):
            begins, ends = span(day, meal.from_local, meal.until_local, zone)
            if begins <= utc_ms < ends:
                return meal, begins
    return None


def cut_off(terms: OrderTerms, window: ArrivalWindow, zone: ZoneInfo) -> UtcMs | None:
    """Until when an order into a window is taken; None: its window lies between meal times."""
    middle = UtcMs((window.from_utc_ms + window.until_utc_ms) // 2)
    found = meal_at(terms, middle, zone)
    if found is None:
        return None
    meal, begins = found
    return UtcMs(begins - meal.cut_off_min * MINUTE_MS)


def served(dish: Dish, utc_ms: UtcMs, zone: ZoneInfo) -> bool:
    """Whether a dish is to be had at a moment: on its days, within its hours."""
    today = local_day(utc_ms, zone)
    if dish.from_local is None or dish.until_local is None:
        return not dish.days or today.isoweekday() in dish.days
    for day in (today, today - timedelta(days=1)):
        begins, ends = span(day, dish.from_local, dish.until_local, zone)
        if begins <= utc_ms < ends:
            return not dish.days or day.isoweekday() in dish.days
    return False


def _window(desk: Desk, kind: DeliveryKind, window: ArrivalWindow | None) -> Refused | None:
    terms, zone = desk.menu.terms, desk.zone
    earliest = local_minute(desk.earliest, zone, desk.now)
    if window is None:
        if terms.at_once or kind is not DeliveryKind.MEAL:
            return None
        return _invalid(
            f"本中心须选择送达时间，最早 {earliest}。",
            f"Choose a time of arrival; the earliest possible is {earliest}.",
        )
    wide_ms = window.until_utc_ms - window.from_utc_ms
    if not terms.window_min * MINUTE_MS <= wide_ms <= terms.window_max * MINUTE_MS:
        least, most = terms.window_min, terms.window_max
        return _invalid(
            f"送达时段须为 {least} 至 {most} 分钟。",
            f"A window lasts {least} to {most} minutes; choose another.",
        )
    if window.from_utc_ms > desk.now + terms.ahead_days * DAY_MS:
        return _invalid(
            f"最多提前 {terms.ahead_days} 天预订。",
            f"Order at most {terms.ahead_days} days ahead.",
        )
    if window.until_utc_ms < desk.earliest:
        return _conflict(
            f"该时段来不及送达，最早 {earliest} 可送到门口，请改选。",
            f"That window cannot be met: the earliest possible is {earliest}; choose a later one.",
        )
    binds = desk.closes and kind is DeliveryKind.MEAL
    until = cut_off(terms, window, zone) if binds else None
    if until is not None and desk.now > until:
        passed = local_minute(until, zone, desk.now)
        return _conflict(
            f"该餐次已于 {passed} 截止，请改选其他时段，或不选时段立即点餐。",
            f"Orders for that meal closed at {passed}; choose another time, or order without one.",
        )
    return None


def _hours(desk: Desk, body: ChangeBody) -> Refused | None:
    at = body.window.from_utc_ms if body.window is not None else desk.earliest
    for number, line in enumerate(body.lines, 1):
        dish = desk.menu.dishes[line.dish]
        if not served(dish, at, desk.zone):
            when = local_minute(at, desk.zone, desk.now)
            hours = f"{dish.from_local}-{dish.until_local}" if dish.from_local else ""
            zh, en = _days(dish)
            return _conflict(
                f"第 {number} 行：{dish.name.zh} {when} 不供应（供应：{zh} {hours}），请另选。",
                f"Line {number}: {dish.name.en} is not served at {when} (served {en} {hours}); "
                "choose another dish or time.",
            )
    return None


def _days(dish: Dish) -> tuple[str, str]:
    if not dish.days:
        return "每天", "daily"
    zh, en = "一二三四五六日", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    days = sorted(dish.days)
    return "周" + "、".join(zh[one - 1] for one in days), ", ".join(en[one - 1] for one in days)


def _utc(day: date, local: str, zone: ZoneInfo) -> UtcMs:
    hour, minute = local.split(":")
    at = datetime.combine(day, time(int(hour), int(minute)), zone)
    return UtcMs(int(at.timestamp()) * 1_000)


# --- counts -------------------------------------------------------------------------------------


def wanted_at(row: Delivery) -> UtcMs:
    """When an order is wanted: the begin of its window, or when it was ordered."""
    return row.window.from_utc_ms if row.window is not None else row.ordered_utc_ms


def counts(row: Delivery) -> bool:
    """Whether an order takes of the kitchen's boxes: it was not called off, it is a meal."""
    gone = row.state in {"cancelled", "failed"} and not row.cargo
    return row.kind is DeliveryKind.MEAL and not gone


def _counts(desk: Desk, room_id: RoomId, body: ChangeBody) -> Refused | None:
    terms, zone = desk.menu.terms, desk.zone
    at = body.window.from_utc_ms if body.window is not None else desk.now
    boxes = boxes_of(desk.menu, body.lines)
    rows = [row for row in desk.others if counts(row)]
    near = [row for row in rows if abs(wanted_at(row) - at) < terms.box_back_min * MINUTE_MS]
    out = sum(boxes_of(desk.menu, row.lines) for row in near)
    if out + boxes > terms.boxes:
        free = max(terms.boxes - out, 0)
        return _conflict(
            f"该时段餐盒只剩 {free} 个（共 {terms.boxes} 个），请减少份数或改选时段。",
            f"{free} of {terms.boxes} boxes are free at that time; order fewer, or for another "
            "time.",
        )
    mine = [row for row in rows if row.room_id == room_id]
    day = local_day(at, zone)
    meal = sum(_portions(row.lines) for row in mine if row in near)
    daily = sum(_portions(row.lines) for row in mine if local_day(wanted_at(row), zone) == day)
    wanted = _portions(body.lines)
    for had, most, zh, en in (
        (meal, terms.portions_per_meal, "每餐", "a meal"),
        (daily, terms.portions_per_day, "每天", "a day"),
    ):
        if had + wanted > most:
            left = max(most - had, 0)
            return _conflict(
                f"本室{zh}最多 {most} 份，还可订 {left} 份；如需更多请联系厨房。",
                f"This room may order {most} portions {en}; {left} are left. Ask the kitchen for "
                "more.",
            )
    return None


def _portions(lines: Iterable[OrderLine]) -> int:
    return sum(line.count for line in lines)


# --- recurring ----------------------------------------------------------------------------------


def due(row: Standing, now: UtcMs, zone: ZoneInfo) -> tuple[str, ArrivalWindow] | None:
    """The local day and window of the round that is to be ordered now; None: none is.

    A round that was missed by more than its window is left out: nobody wants lunch at three.
    """
    body = row.body
    if row.removed or not body.active:
        return None
    today = local_day(now, zone)
    for day in (today, today + timedelta(days=1)):
        if body.days and day.isoweekday() not in body.days:
            continue
        if day.isoformat() <= row.last_day:
            continue
        at = _utc(day, body.at_local, zone)
        half = body.plus_minus_min * MINUTE_MS
        window = ArrivalWindow(from_utc_ms=UtcMs(at - half), until_utc_ms=UtcMs(at + half))
        if window.from_utc_ms - body.ahead_min * MINUTE_MS <= now < window.until_utc_ms:
            return day.isoformat(), window
    return None


# --- words --------------------------------------------------------------------------------------


def _invalid(zh: str, en: str) -> Refused:
    return Refused(Refusal.INVALID, Sentence(zh=zh[:TEXT_MAX], en=en[:TEXT_MAX]))


def _conflict(zh: str, en: str) -> Refused:
    return Refused(Refusal.CONFLICT, Sentence(zh=zh[:TEXT_MAX], en=en[:TEXT_MAX]))
