"""Decides where a delivery stands on its steps, and what kitchen, tablet and door show of it."""

from typing import Final

from contracts.api import DeliveryState, DeliveryView, SiteView
from controller.console.house import House
from controller.console.present.alerts import room_name
from controller.console.present.words import Drawn, Words

STEPS: Final = (
    "ordered",
    "loading",
    "locked",
    "travelling",
    "arrived",
    "unlocked",
    "collected",
    "returned",
)

_AT: Final[dict[DeliveryState, int]] = {
    DeliveryState.PROPOSED: 0,
    DeliveryState.REQUESTED: 0,
    DeliveryState.TO_KITCHEN: 0,
    DeliveryState.LOADING: 1,
    DeliveryState.LOCKING: 2,
    DeliveryState.TRAVELLING: 3,
    DeliveryState.ARRIVED: 4,
    DeliveryState.UNLOCKING: 4,
    DeliveryState.OPEN: 5,
    DeliveryState.COLLECTED: 6,
    DeliveryState.RETURNING: 7,
    DeliveryState.RETURNED: 8,
}
"""The step under way in each state; 8 is behind the last."""

ENDED: Final = (DeliveryState.RETURNED, DeliveryState.CANCELLED, DeliveryState.FAILED)
RECENT_MAX = 3  # ended deliveries that stay in the strip below those under way


def strip(house: House, site: SiteView, words: Words) -> list[Drawn]:
    """Deliveries under way, newest first, then a few that have ended."""
    newest = sorted(house.deliveries.values(), key=lambda view: view.ordered_utc_ms, reverse=True)
    under_way = [view for view in newest if view.state not in ENDED]
    ended = [view for view in newest if view.state in ENDED]
    return [card(view, house, site, words) for view in (*under_way, *ended[:RECENT_MAX])]


def card(view: DeliveryView, house: House, site: SiteView, words: Words) -> Drawn:
    """One delivery with its steps."""
    robot = house.robots.get(view.robot_id or "")
    stopped = view.state in (DeliveryState.CANCELLED, DeliveryState.FAILED)
    return {
        "id": view.id,
        "room": room_name(view.room_id, house, words),
        "lines": lines(view, site, words),
        "robot": words.name(robot.name) if robot else words.say("delivery.waiting_robot"),
        "has_robot": robot is not None,
        "compartment": view.compartment,
        "held": view.held,
        "stopped": words.say(f"delivery.{view.state.value}") if stopped else "",
        "ended": view.state in ENDED,
        "explanation": words.name(view.explanation) if view.explanation else "",
        "troubled": view.troubled,
        "ordered": words.minute(view.ordered_utc_ms),
        "ordered_ms": int(view.ordered_utc_ms),
        "state": view.state.value,
        "steps": _steps(view, words),
    }


def lines(view: DeliveryView, site: SiteView, words: Words) -> str:
    """``2 × Braised chicken, 1 × Hot tea``."""
    names = {dish.id: words.name(dish.name) for dish in site.menu}
    return ", ".join(f"{line.count} × {names.get(line.dish, line.dish)}" for line in view.lines)


def _steps(view: DeliveryView, words: Words) -> list[Drawn]:
    at = _AT.get(view.state, _furthest(view))
    stopped = view.state in (DeliveryState.CANCELLED, DeliveryState.FAILED)
    drawn: list[Drawn] = []
    for index, step in enumerate(STEPS):
        status = "done" if index < at else "todo"
        if index == at:
            status = "failed" if stopped else "held" if view.held else "active"
        drawn.append({"id": step, "label": words.say(f"step.{step}"), "status": status})
    return drawn


def _furthest(view: DeliveryView) -> int:
    """How far a delivery had come before it was called off: its legs bear the names of states."""
    reached = [_AT[DeliveryState(leg.name)] for leg in view.legs if leg.name in set(DeliveryState)]
    return max([step for step in reached if step < len(STEPS)], default=0)


_DOOR_FIRST: Final = (
    DeliveryState.OPEN,
    DeliveryState.UNLOCKING,
    DeliveryState.ARRIVED,
    DeliveryState.COLLECTED,
)


def at_door(robot_id: str, house: House) -> DeliveryView | None:
    """The delivery that a robot's panel is about: whose door it stands at, else the newest.

    A robot may carry for several rooms; only what has arrived here is opened here.
    """
    mine = [
        view
        for view in house.deliveries.values()
        if view.robot_id == robot_id and view.state is not DeliveryState.REQUESTED
    ]
    for state in _DOOR_FIRST:
        here = [view for view in mine if view.state is state]
        if here:
            return min(here, key=lambda view: (view.ordered_utc_ms, view.id))
    under_way = [view for view in mine if view.state not in ENDED]
    return max(under_way or mine, key=lambda view: view.ordered_utc_ms, default=None)


def door(view: DeliveryView | None) -> str:
    """Which face the robot's panel shows."""
    if view is None:
        return "idle"
    match view.state:
        case DeliveryState.ARRIVED:
            return "enter" if view.pin_tries_left > 0 else "locked"
        case DeliveryState.UNLOCKING:
            return "unlocking"
        case DeliveryState.OPEN:
            return "open"
        case DeliveryState.COLLECTED | DeliveryState.RETURNING:
            return "thanks"
        case DeliveryState.TRAVELLING | DeliveryState.LOCKING:
            return "travelling"
        case DeliveryState.FAILED:
            return "failed"
        case _:
            return "idle"
