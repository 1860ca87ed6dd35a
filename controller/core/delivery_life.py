"""Decides how a delivery goes on by what its robot and the clock say.

Every state has an owner, and a time after which it goes on by itself, whoever fails to act
(``TABLE``; a test walks it):

proposed    the supervisor   approved -> requested | an hour -> cancelled
requested   the dispatcher   assigned | its window is over, or an hour -> failed
to_kitchen  the robot        its turn there -> loading | lost, or unfit, or 30 min -> requested
loading     the kitchen      said and sensed -> locking | 10 min -> failed | lost -> requested
locking     the robot        shut -> travelling | failed, or 30 s -> loading, 3 times -> failed
travelling  the robot        at the door -> arrived | stranded -> requested | 60 min -> returning
arrived     the expert       PIN, or two supervisors -> unlocking | told at 5, 10 min -> returning
unlocking   the robot        open -> open | refused, or 30 s -> arrived
open        the expert       taken, shut -> collected | shut, full -> returning | 30 min -> failed
collected   the dispatcher   under way, or 5 min -> returning
returning   the robot        home, emptied, or 60 min -> returned, cancelled or failed

A meal that a robot strands with is made again and brought by another, with the same PIN; what
cannot be made again waits for its robot. What is inside stays under lock until the kitchen has
taken it out (``core.emptying``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.api import DeliveryKind, DeliveryState, Sentence
from contracts.units import Bilingual, MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from controller.core import alerts, custody, names
from controller.core.deliveries import (
    ANSWER_MAX_MS,
    Answered,
    Delivery,
    Facts,
    Lock,
    Open,
    Step,
    Warn,
    Wish,
    enter,
)

REQUEST_MAX_MS: Final = 60 * 60_000  # a meal ordered an hour ago is no longer wanted
AGE_MAX_MS: Final = 3 * REQUEST_MAX_MS  # however often robots were given it, and stopped
WINDOW_GRACE_MS: Final = 15 * 60_000  # a meal this late after its window is no longer wanted
TO_KITCHEN_MAX_MS: Final = 30 * 60_000  # a whole noon's queue before one kitchen takes less
LOAD_MAX_MS: Final = 10 * 60_000  # a robot that waits in the kitchen is missing elsewhere
TRAVEL_MAX_MS: Final = 60 * 60_000  # a tour of four doors where each takes ten minutes
COLLECT_MAX_MS: Final = 10 * 60_000  # dispatch.md: nobody collects -> back to the kitchen
COLLECT_WARN_MS: Final = 5 * 60_000  # the second notice: the first is the robot's arrival
LID_MAX_MS: Final = 2 * 60_000  # a person takes a meal in seconds; then somebody must look
OPEN_MAX_MS: Final = 30 * 60_000  # by then it is no handing over any more
TRAY_MAX_MS: Final = 60_000  # nothing senses an open tray: a person takes it in seconds
LEAVE_MAX_MS: Final = 5 * 60_000  # the meal is handed over: what the robot does is no part of it
RETURN_MAX_MS: Final = 60 * 60_000  # a noon's traffic takes less; then the alert stands for it
LOST_MAX_MS: Final = 60_000  # a robot that reboots is back in less
UNFIT_MAX_MS: Final = 2 * 60_000  # what a person at the robot repairs takes less
STRANDED_MS: Final = 5 * 60_000  # a meal is cold after more, and a person must go there anyway
TRIES_MAX: Final = 3  # attempts to open or lock before a person must look


class Owner(StrEnum):
    """Who must act for a delivery to go on."""

    SUPERVISOR = "supervisor"
    DISPATCHER = "dispatcher"
    ROBOT = "robot"
    KITCHEN = "kitchen"
    EXPERT = "expert"


@dataclass(frozen=True, slots=True)
class Stay:
    """Whose turn a state is, and how long it lasts at most when nobody does anything."""

    owner: Owner
    limit_ms: int


TABLE: Final[Mapping[DeliveryState, Stay]] = {
    DeliveryState.PROPOSED: Stay(Owner.SUPERVISOR, REQUEST_MAX_MS),
    DeliveryState.REQUESTED: Stay(Owner.DISPATCHER, REQUEST_MAX_MS),
    DeliveryState.TO_KITCHEN: Stay(Owner.ROBOT, TO_KITCHEN_MAX_MS),
    DeliveryState.LOADING: Stay(Owner.KITCHEN, LOAD_MAX_MS),
    DeliveryState.LOCKING: Stay(Owner.ROBOT, ANSWER_MAX_MS),
    DeliveryState.TRAVELLING: Stay(Owner.ROBOT, TRAVEL_MAX_MS),
    DeliveryState.ARRIVED: Stay(Owner.EXPERT, COLLECT_MAX_MS),
    DeliveryState.UNLOCKING: Stay(Owner.ROBOT, ANSWER_MAX_MS),
    DeliveryState.OPEN: Stay(Owner.EXPERT, OPEN_MAX_MS),
    DeliveryState.COLLECTED: Stay(Owner.DISPATCHER, LEAVE_MAX_MS),
    DeliveryState.RETURNING: Stay(Owner.ROBOT, RETURN_MAX_MS),
}
"""Every state that is no end. A delivery with a window may be requested for longer."""


@dataclass(frozen=True, slots=True)
class At:
    """Where a delivery is loaded and handed over, and the time."""

    kitchen: str
    door: str
    mono_ms: MonoMs
    utc_ms: UtcMs
    waited_ms: int = 0


# What people read, each at one place above all decisions: alike in shape only.
_LATE: Final = Sentence(zh="超过一小时没有机器人可用。", en="No robot came free within an hour.")
_WINDOW_OVER: Final = Sentence(
    zh="送达时段已过，没有机器人可用。", en="Its window is over; no robot came free."
)
_NOT_APPROVED: Final = Sentence(
    zh="一小时内未获监督人员批准。", en="No supervisor approved it within an hour."
)
_NOBODY_LOADS: Final = Sentence(
    zh="厨房未在时限内装餐。", en="The kitchen did not load it in time."
)
_NOBODY_COLLECTS: Final = Sentence(
    zh="无人取餐，已送回厨房。", en="Nobody collected it; sent back."
)
_COLLECT_NOW: Final = Sentence(
    zh="请尽快取餐，否则将送回厨房。", en="Please collect it soon, or it goes back."
)
_LID_OPEN: Final = Sentence(zh="请关上箱盖。", en="Please close the lid.")
_LID_LEFT: Final = Sentence(
    zh="箱盖一直未关，请现场处理。", en="The lid was never closed; please look."
)
_EMPTY: Final = Sentence(zh="箱格内没有餐食。", en="There is nothing in the compartment.")
_NOT_EMPTY: Final = Sentence(
    zh="箱格内还有物品，请先取出。", en="Something is in the compartment; take it out first."
)
_ROBOT_LOST: Final = Sentence(zh="机器人失联，已改派。", en="The robot was lost; another one goes.")
_ROBOT_UNFIT: Final = Sentence(
    zh="机器人无法继续，已改派。", en="The robot cannot go on; another one goes."
)
_STUCK_LOCK: Final = Sentence(zh="箱格无法锁闭，请现场处理。", en="It does not lock; please look.")
_NOT_OPENED: Final = Sentence(
    zh="箱格未能打开，请再输一次。", en="It did not open; type the PIN again."
)
_EMPTY_IT: Final = Sentence(zh="请取出退回的餐食并关上箱盖。", en="Please take out what came back.")
_TOO_LONG: Final = Sentence(zh="途中超过一小时。", en="It was under way for more than an hour.")


def advance(delivery: Delivery, facts: Facts, at: At) -> Step:
    """Move a delivery on by what its robot and the clock say."""
    act = _STEPS.get(delivery.state)
    if act is None:
        return delivery, ()
    waited_ms = at.mono_ms - delivery.since_mono_ms
    at = At(at.kitchen, at.door, at.mono_ms, at.utc_ms, waited_ms)
    return act(_in_custody(delivery, facts, at.utc_ms), facts, at)


def _in_custody(delivery: Delivery, facts: Facts, utc_ms: UtcMs) -> Delivery:
    if delivery.robot_id is None:
        return delivery
    if delivery.cargo and facts.silent_ms > custody.GAP_MS:
        seen = custody.unheard(delivery.custody, utc_ms, node_id=facts.at_node)
    elif facts.silent_ms > custody.GAP_MS:
        return delivery
    else:
        box = facts.compartment
        seen = custody.noticed(delivery.custody, box, utc_ms, node_id=facts.at_node)
    return delivery if seen is delivery.custody else replace(delivery, custody=seen)


def recalled(delivery: Delivery, why: Sentence, at: At) -> Delivery:
    """A person calls its robot back: what is not yet loaded goes to another robot."""
    match delivery.state:
        case DeliveryState.TO_KITCHEN | DeliveryState.LOADING | DeliveryState.LOCKING:
            return again_from_start(delivery, why, at)
        case DeliveryState.TRAVELLING | DeliveryState.ARRIVED | DeliveryState.UNLOCKING:
            return back(delivery, DeliveryState.FAILED, why, at)
        case _:
            return delivery


def back(delivery: Delivery, ends: DeliveryState, why: Sentence, at: At) -> Delivery:
    """What is inside goes back to the kitchen, and the delivery ends there."""
    moved = enter(delivery, DeliveryState.RETURNING, at.mono_ms, at.utc_ms)
    return replace(moved, returns_as=ends, cargo=True, explanation=why, tries=0)


def _proposed(delivery: Delivery, _: Facts, at: At) -> Step:
    if at.waited_ms <= REQUEST_MAX_MS:
        return delivery, ()
    moved = enter(delivery, DeliveryState.CANCELLED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=_NOT_APPROVED), ()


def _requested(delivery: Delivery, _: Facts, at: At) -> Step:
    if delivery.window is not None:
        late = at.utc_ms > delivery.window.until_utc_ms + WINDOW_GRACE_MS
        return _failed(delivery, _WINDOW_OVER, at) if late else (delivery, ())
    old = at.utc_ms - delivery.ordered_utc_ms > AGE_MAX_MS
    if at.waited_ms <= REQUEST_MAX_MS and not old:
        return delivery, ()
    return _failed(delivery, _LATE, at)


def _to_kitchen(delivery: Delivery, facts: Facts, at: At) -> Step:
    if facts.lost_ms > LOST_MAX_MS:
        return again_from_start(delivery, _ROBOT_LOST, at), ()
    if facts.unfit_ms > UNFIT_MAX_MS or at.waited_ms > TO_KITCHEN_MAX_MS:
        return again_from_start(delivery, _ROBOT_UNFIT, at), ()
    if facts.standing_at != at.kitchen or not facts.turn:
        return delivery, ()
    moved = enter(delivery, DeliveryState.LOADING, at.mono_ms, at.utc_ms)
    if facts.tray:
        return replace(moved, tries=0), ()
    box = facts.compartment
    if box is not None and box.occupied:
        # Checked empty before reuse: the kitchen takes out what is there, then loads.
        moved = replace(moved, explanation=_NOT_EMPTY)
    return replace(moved, tries=0), (Open(),)


def _loading(delivery: Delivery, facts: Facts, at: At) -> Step:
    if facts.lost_ms > LOST_MAX_MS:
        return again_from_start(delivery, _ROBOT_LOST, at), ()
    # A fire may have sent it away meanwhile: it is opened again where it is loaded, nowhere else.
    if facts.answered is Answered.FAILED and facts.standing_at == at.kitchen:
        if delivery.tries + 1 >= TRIES_MAX:
            return _failed(delivery, _STUCK_LOCK, at, Warn(alerts.LOCK_FAILED))
        return replace(delivery, tries=delivery.tries + 1, action_id=None), (Open(),)
    if at.waited_ms > LOAD_MAX_MS:
        return _failed(delivery, _NOBODY_LOADS, at)
    if delivery.said_loaded_by is None:
        return delivery, ()
    return _said_loaded(delivery, delivery.said_loaded_by, facts, at)


def _said_loaded(delivery: Delivery, by: str, facts: Facts, at: At) -> Step:
    if facts.tray:
        return _on_tray(delivery, by, at)
    if facts.compartment is None:
        return delivery, ()
    lacks = _lacks(facts.compartment)
    if lacks is not None:
        return _explained(delivery, lacks), ()
    moved = enter(delivery, DeliveryState.LOCKING, at.mono_ms, at.utc_ms)
    events = custody.recorded(moved.custody, "loaded", by, at.utc_ms, node_id=at.kitchen)
    return replace(moved, custody=events, cargo=True), (Lock(),)


def _on_tray(delivery: Delivery, by: str, at: At) -> Step:
    moved = enter(delivery, DeliveryState.TRAVELLING, at.mono_ms, at.utc_ms)
    events = custody.recorded(moved.custody, "loaded", by, at.utc_ms, node_id=at.kitchen)
    events = custody.recorded(events, "open_tray", "controller", at.utc_ms, node_id=at.kitchen)
    return replace(moved, custody=events, cargo=True, tries=0), ()


def _locking(delivery: Delivery, facts: Facts, at: At) -> Step:
    shut = facts.compartment is not None and facts.compartment.shut
    if facts.answered is Answered.DONE and shut:
        moved = enter(delivery, DeliveryState.TRAVELLING, at.mono_ms, at.utc_ms)
        events = custody.recorded(
            moved.custody,
            "locked",
            "robot",
            at.utc_ms,
            node_id=facts.at_node,
            compartment=facts.compartment,
        )
        return replace(moved, custody=events, tries=0), ()
    if facts.answered is not Answered.FAILED and at.waited_ms <= ANSWER_MAX_MS:
        return delivery, ()
    if delivery.tries + 1 >= TRIES_MAX:
        return _failed(delivery, _STUCK_LOCK, at, Warn(alerts.LOCK_FAILED))
    moved = enter(delivery, DeliveryState.LOADING, at.mono_ms, at.utc_ms)
    again = replace(
        moved, tries=delivery.tries + 1, said_loaded_by=None, explanation=_STUCK_LOCK, cargo=False
    )
    return again, ()


def _travelling(delivery: Delivery, facts: Facts, at: At) -> Step:
    # A lid that opens on the way is for ``robot_watch`` to tell.
    stranded = _stranded(delivery, facts, at)
    if stranded is not None:
        return stranded
    if at.waited_ms > TRAVEL_MAX_MS:
        return back(delivery, DeliveryState.FAILED, _TOO_LONG, at), ()
    if facts.lost_ms > LOST_MAX_MS and not delivery.warned:
        return replace(delivery, warned=True), (Warn(alerts.ROBOT_LOST),)
    if facts.standing_at != at.door:
        return delivery, ()
    moved = enter(delivery, DeliveryState.ARRIVED, at.mono_ms, at.utc_ms)
    events = custody.recorded(moved.custody, "arrived", "robot", at.utc_ms, node_id=at.door)
    return replace(moved, custody=events), ()


def _stranded(delivery: Delivery, facts: Facts, at: At) -> Step | None:
    """Its robot cannot go on: a meal is made again, what cannot be waits for the robot."""
    if max(facts.lost_ms, facts.unfit_ms) <= STRANDED_MS:
        return None
    again = delivery.kind is DeliveryKind.MEAL
    if not again and delivery.stranded:
        return None
    name, place = _named(delivery, facts), names.both(facts.place or facts.at_node or "?")
    zh, en = f"{name.zh} 中途停运", f"{name.en} stopped on the way"
    where_zh = f"{zh}，物品锁在 {delivery.compartment} 号箱格（{place.zh}）。"
    where_en = f"{en}; it is locked in compartment {delivery.compartment} at {place.en}."
    why = Sentence(zh=where_zh[:400], en=where_en[:400])
    events = custody.recorded(
        delivery.custody, "stranded", "controller", at.utc_ms, node_id=facts.at_node
    )
    told = replace(delivery, stranded=True, custody=events, explanation=why)
    if not again:
        return told, (Warn(alerts.STRANDED),)
    why = Sentence(
        zh=f"{why.zh}已改派，重新备餐。"[:400], en=f"{why.en} Another robot brings it again."[:400]
    )
    events = custody.recorded(told.custody, "ordered_again", "controller", at.utc_ms)
    return again_from_start(replace(told, custody=events), why, at), (Warn(alerts.STRANDED),)


def _arrived(delivery: Delivery, facts: Facts, at: At) -> Step:
    stranded = _stranded(delivery, facts, at)
    if stranded is not None:
        return stranded
    waited_ms = at.waited_ms
    if delivery.window is not None:
        # It came early: nobody need be at the door before the window begins.
        waited_ms = min(waited_ms, at.utc_ms - delivery.window.from_utc_ms)
    if waited_ms > COLLECT_MAX_MS:
        return back(delivery, DeliveryState.FAILED, _NOBODY_COLLECTS, at), ()
    if waited_ms > COLLECT_WARN_MS and not delivery.warned:
        told = replace(delivery, warned=True, explanation=delivery.explanation or _COLLECT_NOW)
        return told, (Warn(alerts.NOT_COLLECTED),)
    return delivery, ()


def _unlocking(delivery: Delivery, facts: Facts, at: At) -> Step:
    box = facts.compartment
    opened = box is not None and box.lock is LockState.UNLOCKED
    if facts.tray or facts.answered is Answered.DONE or opened:
        return enter(delivery, DeliveryState.OPEN, at.mono_ms, at.utc_ms), ()
    if facts.answered is not Answered.FAILED and at.waited_ms <= ANSWER_MAX_MS:
        return delivery, ()
    moved = enter(delivery, DeliveryState.ARRIVED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=_NOT_OPENED), ()


def _open(delivery: Delivery, facts: Facts, at: At) -> Step:
    box = facts.compartment
    if facts.tray:
        return _taken(delivery, facts, at) if at.waited_ms > TRAY_MAX_MS else (delivery, ())
    if box is not None and box.lid is LidState.CLOSED and not box.occupied:
        shut = _shut_after(delivery, facts, at)
        if shut is not None:
            return shut
    if at.waited_ms > OPEN_MAX_MS:
        return _failed(delivery, _LID_LEFT, at, Warn(alerts.LID_OPEN))
    if box is None or at.waited_ms <= LID_MAX_MS:
        return delivery, ()
    if box.lid is LidState.CLOSED and box.occupied:
        # Shut again with the meal inside: somebody thought better of it. It goes back under lock.
        return back(delivery, DeliveryState.FAILED, _NOBODY_COLLECTS, at), ()
    if delivery.warned:
        return delivery, ()
    return replace(delivery, warned=True, explanation=_LID_OPEN), (Warn(alerts.LID_OPEN),)


def _shut_after(delivery: Delivery, facts: Facts, at: At) -> Step | None:
    box = facts.compartment
    if delivery.action_id is None or facts.answered is Answered.FAILED:
        if at.waited_ms > OPEN_MAX_MS:
            return None
        return replace(delivery, action_id=None), (Lock(),)
    if facts.answered is not Answered.DONE or box is None or not box.shut:
        return None
    return _taken(delivery, facts, at)


def _taken(delivery: Delivery, facts: Facts, at: At) -> Step:
    moved = enter(delivery, DeliveryState.COLLECTED, at.mono_ms, at.utc_ms)
    events = custody.recorded(
        moved.custody,
        "collected",
        "room",
        at.utc_ms,
        node_id=at.door,
        compartment=facts.compartment,
    )
    return replace(moved, custody=events, cargo=False), ()


def _collected(delivery: Delivery, facts: Facts, at: At) -> Step:
    if not facts.under_way and at.waited_ms <= LEAVE_MAX_MS:
        return delivery, ()
    return enter(delivery, DeliveryState.RETURNING, at.mono_ms, at.utc_ms), ()


def _returning(delivery: Delivery, facts: Facts, at: At) -> Step:
    if at.waited_ms > (LOAD_MAX_MS if delivery.unloading else RETURN_MAX_MS):
        # The alert stands for what is inside; the kitchen is asked for it when the robot is back.
        if not delivery.cargo:
            return _over(delivery, at), ()
        rule = alerts.NOT_EMPTIED if delivery.unloading else alerts.STRANDED
        return _not_emptied(delivery, facts, at), (Warn(rule),)
    if facts.standing_at in (None, at.door) and facts.standing_at != at.kitchen:
        return delivery, ()
    if not delivery.cargo:
        return _over(delivery, at), ()
    if facts.standing_at != at.kitchen or not facts.turn:
        return delivery, ()
    if facts.tray:
        return _over(replace(delivery, cargo=False), at), ()
    return _unloading(delivery, facts, at)


def _unloading(delivery: Delivery, facts: Facts, at: At) -> Step:
    if not delivery.unloading:
        begun = replace(
            delivery,
            unloading=True,
            explanation=delivery.explanation or _EMPTY_IT,
            action_id=None,
            tries=0,
            since_mono_ms=at.mono_ms,
        )
        return begun, (Open(),)
    box = facts.compartment
    if box is not None and box.shut and not box.occupied:
        events = custody.recorded(
            delivery.custody, "emptied", "kitchen", at.utc_ms, node_id=at.kitchen, compartment=box
        )
        return _over(replace(delivery, cargo=False, custody=events), at), ()
    if facts.answered is Answered.FAILED and (box is None or box.lock is not LockState.UNLOCKED):
        if delivery.tries >= TRIES_MAX:
            return _not_emptied(delivery, facts, at), (Warn(alerts.NOT_EMPTIED),)
        return replace(delivery, tries=delivery.tries + 1, action_id=None), (Open(),)
    if box is not None and box.lid is LidState.CLOSED and not box.occupied:
        return delivery, (Lock(),) if facts.answered is not Answered.NOTHING else ()
    return delivery, ()


def _not_emptied(delivery: Delivery, facts: Facts, at: At) -> Delivery:
    name = _named(delivery, facts)
    why = Sentence(
        zh=f"物品仍在 {name.zh} 的 {delivery.compartment} 号箱格内，请监督人员处理。",
        en=f"It is still in compartment {delivery.compartment} of {name.en}; "
        "the supervisor decides.",
    )
    events = custody.recorded(delivery.custody, "not_emptied", "controller", at.utc_ms)
    return _over(replace(delivery, custody=events, explanation=why), at)


def _named(delivery: Delivery, facts: Facts) -> Bilingual:
    if facts.robot is None:
        return Bilingual(delivery.robot_id or "?", delivery.robot_id or "?")
    return Bilingual(facts.robot.zh, facts.robot.en)


def _over(delivery: Delivery, at: At) -> Delivery:
    why = delivery.explanation
    return replace(enter(delivery, delivery.returns_as, at.mono_ms, at.utc_ms), explanation=why)


def again_from_start(delivery: Delivery, why: Sentence, at: At) -> Delivery:
    """Another robot takes it; what this one may hold is taken out when it is back."""
    moved = enter(delivery, DeliveryState.REQUESTED, at.mono_ms, at.utc_ms)
    return replace(
        moved,
        robot_id=None,
        compartment=None,
        explanation=why,
        said_loaded_by=None,
        cargo=False,
        tries=0,
    )


def _failed(delivery: Delivery, why: Sentence, at: At, *wishes: Wish) -> Step:
    moved = enter(delivery, DeliveryState.FAILED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=why), wishes


def _explained(delivery: Delivery, why: Sentence) -> Delivery:
    return delivery if delivery.explanation == why else replace(delivery, explanation=why)


def _lacks(box: CompartmentState) -> Sentence | None:
    if box.lid is LidState.OPEN:
        return _LID_OPEN
    return None if box.occupied else _EMPTY


_STEPS: Final[Mapping[DeliveryState, Callable[[Delivery, Facts, At], Step]]] = {
    DeliveryState.PROPOSED: _proposed,
    DeliveryState.REQUESTED: _requested,
    DeliveryState.TO_KITCHEN: _to_kitchen,
    DeliveryState.LOADING: _loading,
    DeliveryState.LOCKING: _locking,
    DeliveryState.TRAVELLING: _travelling,
    DeliveryState.ARRIVED: _arrived,
    DeliveryState.UNLOCKING: _unlocking,
    DeliveryState.OPEN: _open,
    DeliveryState.COLLECTED: _collected,
    DeliveryState.RETURNING: _returning,
}
