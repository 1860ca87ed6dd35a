"""Decides what tablet and kitchen show of menu, times of arrival, orders and what came back."""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from contracts.api import (
    Allergen,
    ArrivalView,
    Cutlery,
    DeliveryKind,
    DeliveryState,
    DeliveryView,
    Diet,
    Dish,
    MenuView,
    OrderLine,
    OrderTerms,
    SiteView,
    StandingView,
)
from contracts.api.menu import ALLERGENS, CUTLERY, DIETS, PORTIONS, Course
from contracts.units import UtcMs
from controller.console.house import House
from controller.console.present.deliveries import ENDED, card
from controller.console.present.floor import place_name
from controller.console.present.words import Drawn, Words

MINUTE_MS: Final = 60_000
SLOT_MIN: Final = 30
HALF_MIN: Final = 10  # "12:00 +-10 min"
FAR_MIN: Final = 15
FAR_STEP_MIN: Final = 5
NOTHING: Final[Mapping[str, ArrivalView]] = MappingProxyType({})
SLOTS_MAX: Final = 12  # two rows on a tablet; later ones are a matter for tomorrow
SOON: Final = (DeliveryState.PROPOSED, DeliveryState.REQUESTED, DeliveryState.TO_KITCHEN)
TO_LOAD: Final = (DeliveryState.REQUESTED, DeliveryState.TO_KITCHEN, DeliveryState.LOADING)
NEEDS_PIN: Final = (
    *SOON,
    DeliveryState.LOADING,
    DeliveryState.LOCKING,
    DeliveryState.TRAVELLING,
    DeliveryState.ARRIVED,
)


# --- tablet -------------------------------------------------------------------------------------


def dishes(rows: Iterable[Dish], words: Words) -> list[Drawn]:
    """The choices, with what they contain by word."""
    return [
        {
            "id": dish.id,
            "name": words.name(dish.name),
            "kind": dish.kind.value,
            "course": dish.course.value,
            "allergens": [
                {"id": one.value, "name": words.name(ALLERGENS[one])} for one in dish.allergens
            ],
            "diets": [words.name(DIETS[one]) for one in dish.diets],
            "portions": [
                {"id": one.value, "name": words.name(PORTIONS[one])} for one in dish.portions
            ],
            "sold_out": dish.sold_out,
        }
        for dish in rows
    ]


def kinds(rows: Iterable[Dish], words: Words) -> list[Drawn]:
    """The kinds that the menu has something of; meals first."""
    found = {dish.kind for dish in rows}
    return [
        {"id": kind.value, "name": words.say(f"tablet.kind_{kind}")}
        for kind in DeliveryKind
        if kind in found
    ]


def choices(words: Words) -> Drawn:
    """Allergens and cutlery to choose from."""
    return {
        "allergens": [{"id": one.value, "name": words.name(ALLERGENS[one])} for one in Allergen],
        "cutlery": [{"id": one.value, "name": words.name(CUTLERY[one])} for one in Cutlery],
        "courses": [{"id": one.value, "name": words.say(f"tablet.course_{one}")} for one in Course],
    }


def slots(
    terms: OrderTerms, now_utc_ms: int, earliest_utc_ms: int | None, words: Words
) -> list[Drawn]:
    """Times of arrival that can still be ordered, soonest first; the controller decides in the end.

    Around each half hour of the kitchen's meal times, today and tomorrow.
    """
    earliest = earliest_utc_ms if earliest_utc_ms is not None else now_utc_ms
    today = datetime.fromtimestamp(now_utc_ms / 1_000, words.zone).date()
    found: dict[int, Drawn] = {}
    for meal in terms.meals:
        for day in (today, today + timedelta(days=1)):
            begins = _moment(datetime.combine(day, _time(meal.from_local), words.zone))
            on = day if meal.until_local > meal.from_local else day + timedelta(days=1)
            ends = _moment(datetime.combine(on, _time(meal.until_local), words.zone))
            if now_utc_ms > begins - meal.cut_off_min * MINUTE_MS:
                continue
            for middle in range(begins, ends, SLOT_MIN * MINUTE_MS):
                if middle + HALF_MIN * MINUTE_MS < earliest:
                    continue
                found[middle] = {
                    "id": str(middle),
                    "label": words.minute(middle),
                    "day": "" if day == today else f"{day:%m-%d}",
                    "from_utc_ms": middle - HALF_MIN * MINUTE_MS,
                    "until_utc_ms": middle + HALF_MIN * MINUTE_MS,
                }
    return [found[key] for key in sorted(found)][:SLOTS_MAX]


def of_room(
    room_id: str,
    house: House,
    site: SiteView,
    words: Words,
    arrivals: Mapping[str, ArrivalView] = NOTHING,
    now_utc_ms: int = 0,
) -> list[Drawn]:
    """What a room's tablet shows of its orders: those under way, and the last that ended."""
    rows = [view for view in house.deliveries.values() if view.room_id == room_id]
    rows.sort(key=lambda view: view.ordered_utc_ms, reverse=True)
    under_way = [view for view in rows if view.state not in ENDED]
    ended = [view for view in rows if view.state in ENDED][: 0 if under_way else 1]
    return [
        _mine(view, house, site, words) | _expected(arrivals.get(view.id), now_utc_ms, words)
        for view in (*under_way, *ended)
    ]


def _expected(arrival: ArrivalView | None, now_utc_ms: int, words: Words) -> Drawn:
    """About when it comes, and whether that is later than was wished; nothing where nobody knows.

    To the next whole minute; to the next five where it is far off, for nobody knows it nearer.
    """
    at = arrival.about_utc_ms if arrival is not None else None
    if arrival is None or at is None:
        return {"about": "", "late": False}
    step_ms = MINUTE_MS * (FAR_STEP_MIN if at - now_utc_ms > FAR_MIN * MINUTE_MS else 1)
    return {"about": words.minute(UtcMs(-(-at // step_ms) * step_ms)), "late": arrival.late}


def _mine(view: DeliveryView, house: House, site: SiteView, words: Words) -> Drawn:
    window = view.window
    return card(view, house, site, words) | {
        "kind": view.kind.value,
        "comes": between(view, words),
        "waits_approval": view.state is DeliveryState.PROPOSED,
        "changeable": view.state in SOON,
        "wants_pin": view.state in NEEDS_PIN,
        "has_pin": view.has_pin,
        "order": [_line(row) for row in view.lines],
        "cutlery": view.cutlery.value,
        "slot": str((window.from_utc_ms + window.until_utc_ms) // 2) if window else "",
        "window": {"from_utc_ms": window.from_utc_ms, "until_utc_ms": window.until_utc_ms}
        if window
        else None,
    }


def _line(row: OrderLine) -> Drawn:
    return {
        "dish": row.dish,
        "count": row.count,
        "portion": row.portion.value,
        "avoid": [one.value for one in row.avoid],
    }


# --- kitchen ------------------------------------------------------------------------------------


def to_load(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """What the kitchen has to do, what is here first, then by when; never who or which project."""
    views = [view for view in house.deliveries.values() if view.state in TO_LOAD]
    views.sort(key=lambda view: (view.state is not DeliveryState.LOADING, _due(view)))
    return [_to_load(view, house, site, words) for view in views]


def _due(view: DeliveryView) -> int:
    return int(view.window.until_utc_ms if view.window else view.ordered_utc_ms)


def _to_load(view: DeliveryView, house: House, site: SiteView, words: Words) -> Drawn:
    here = view.state is DeliveryState.LOADING
    robot = house.robots.get(view.robot_id or "")
    waits = "kitchen.later_window" if view.window else "kitchen.wait_robot"
    status = "kitchen.here" if here else "kitchen.robot_coming" if robot else waits
    return {
        "id": view.id,
        "here": here,
        "status": words.say(status),
        "robot": _robot_name(view, house, words),
        "compartment": view.compartment,
        "room": _room(view.room_id, site, words),
        "door_code": view.room_id.upper(),
        "by": between(view, words) or words.say("kitchen.at_once"),
        "ordered": words.minute(view.ordered_utc_ms),
        "boxes": view.boxes if view.kind is DeliveryKind.MEAL else 0,
        "kind": words.say(f"tablet.kind_{view.kind}"),
        "meal": view.kind is DeliveryKind.MEAL,
        "cutlery": words.name(CUTLERY[view.cutlery]) if view.kind is DeliveryKind.MEAL else "",
        "explanation": words.name(view.explanation) if view.explanation else "",
        "troubled": view.troubled,
        "lines": [_to_pack(row, site, words) for row in view.lines],
    }


def _to_pack(row: OrderLine, site: SiteView, words: Words) -> Drawn:
    dish = next((one for one in site.menu if one.id == row.dish), None)
    diets: tuple[Diet, ...] = dish.diets if dish else ()
    return {
        "dish": row.dish,
        "count": row.count,
        "name": words.name(dish.name) if dish else row.dish,
        "portion": "" if row.portion == "regular" else words.name(PORTIONS[row.portion]),
        "diets": [words.name(DIETS[one]) for one in diets],
        "avoid": [words.name(ALLERGENS[one]) for one in row.avoid],
    }


def to_inspect(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """Compartments that came back with something in them, or from a door, and nobody looked."""
    rows = [
        view
        for view in house.deliveries.values()
        if view.compartment is not None
        and view.inspected is None
        and (view.state in ENDED or view.state is DeliveryState.RETURNING)
        and any(leg.name == DeliveryState.TRAVELLING for leg in view.legs)
    ]
    rows.sort(key=lambda view: view.ended_utc_ms or view.ordered_utc_ms)
    return [
        {
            "id": view.id,
            "robot": _robot_name(view, house, words),
            "compartment": view.compartment,
            "room": _room(view.room_id, site, words),
            "on_way": view.state is DeliveryState.RETURNING,
            "explanation": words.name(view.explanation) if view.explanation else "",
            "troubled": view.troubled,
        }
        for view in rows
    ]


def in_hand(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """What people have in their hands since they took a robot off the floor, until it is back."""
    rows = [robot for robot in house.robots.values() if robot.removed and robot.removed.loaded]
    return [
        {
            "id": robot.id,
            "robot": words.name(robot.name),
            "compartments": list(robot.removed.loaded),
            "by": robot.removed.by,
            "at": words.minute(robot.removed.utc_ms),
            "place": place_name(robot.removed.node, site, words),
            "reason": robot.removed.reason,
        }
        for robot in rows
        if robot.removed is not None
    ]


def _robot_name(view: DeliveryView, house: House, words: Words) -> str:
    robot = house.robots.get(view.robot_id or "")
    return words.name(robot.name) if robot else ""


def totals(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """How many of each dish are still to be cooked."""
    counts: dict[str, int] = {}
    for view in house.deliveries.values():
        if view.state in TO_LOAD:
            for row in view.lines:
                counts[row.dish] = counts.get(row.dish, 0) + row.count
    names = {dish.id: words.name(dish.name) for dish in site.menu}
    return [{"name": names.get(key, key), "count": counts[key]} for key in sorted(counts)]


def recurring(rows: Iterable[StandingView], menu: MenuView | None, words: Words) -> list[Drawn]:
    """Recurring orders."""
    names = {dish.id: words.name(dish.name) for dish in menu.dishes} if menu else {}
    return [
        {
            "id": row.id,
            "line": f"{row.body.at_local} \N{PLUS-MINUS SIGN} {row.body.plus_minus_min} min"
            f" · {names.get(row.body.dish, row.body.dish)} · {_days(row, words)}",
        }
        for row in rows
        if row.body.active
    ]


def _days(row: StandingView, words: Words) -> str:
    days = sorted(row.body.days)
    return " ".join(words.say(f"kitchen.day_{day}") for day in days) or words.say("kitchen.daily")


def _room(room_id: str, site: SiteView, words: Words) -> str:
    """What stands at the door; a kitchen may not read rooms, but knows their doors."""
    named = site.room_names.get(room_id)
    return words.name(named) if named else room_id


def between(view: DeliveryView, words: Words) -> str:
    """``11:50-12:10``, with the day before it where that was not the day of the order."""
    window = view.window
    if window is None:
        return ""
    begins = datetime.fromtimestamp(window.from_utc_ms / 1_000, words.zone)
    ordered = datetime.fromtimestamp(view.ordered_utc_ms / 1_000, words.zone)
    day = f"{begins:%m-%d} " if begins.date() != ordered.date() else ""
    return f"{day}{words.minute(window.from_utc_ms)}-{words.minute(window.until_utc_ms)}"


def _time(local: str) -> time:
    hour, minute = local.split(":")
    return time(int(hour), int(minute))


def _moment(at: datetime) -> int:
    return int(at.timestamp()) * 1_000
