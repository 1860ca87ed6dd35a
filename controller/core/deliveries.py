"""Decides a delivery's life from order to return; every state has a way out and an owner.

proposed    the supervisor   approved -> requested | refused, or too late -> cancelled
requested   the dispatcher   assigned | too old -> failed | cancelled
to_kitchen  the robot        stands there -> loading | lost -> requested | cancelled
loading     the kitchen      said loaded and sensors agree -> locking | nobody -> failed | cancelled
locking     the robot        shut -> travelling | failed -> loading, three times -> failed
travelling  the robot        stands at the door -> arrived | cancelled -> returning
arrived     the expert       right PIN -> unlocking | nobody, or cancelled -> returning
unlocking   the robot        open -> open | refused, or too late -> arrived
open        the expert       taken and shut -> collected | shut again and full -> returning
collected   the dispatcher   under way -> returning
returning   the robot        home, or emptied in the kitchen -> returned, cancelled or failed
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.api import (
    PIN_TRIES_MAX,
    Approval,
    ArrivalWindow,
    CustodyEvent,
    Cutlery,
    DeliveryBody,
    DeliveryKind,
    DeliveryState,
    Inspection,
    Leg,
    OrderLine,
    Sentence,
    ZonePassage,
)
from contracts.units import MonoMs, RobotId, RoomId, SessionId, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState
from controller.core import alerts, custody
from controller.core.fleet import Goal, GoalKind
from controller.core.outputs import Refusal, Refused

REQUEST_MAX_MS: Final = 60 * 60_000  # a meal ordered an hour ago is no longer wanted
LOAD_MAX_MS: Final = 10 * 60_000  # a robot that waits in the kitchen is missing elsewhere
COLLECT_MAX_MS: Final = 10 * 60_000  # dispatch.md: nobody collects -> back to the kitchen
ANSWER_MAX_MS: Final = 30_000  # a bolt moves in a second; after this the command is void
LID_MAX_MS: Final = 2 * 60_000  # a person takes a meal in seconds; then somebody must look
LOST_MAX_MS: Final = 60_000  # a robot that reboots is back in less
PIN_LOCK_MS: Final = 3 * 60_000
# Five wrong PINs lock it for this long, then for twice as long: who forgot a digit has asked the
# tablet by then, and who guesses gets 15 of a million before the robot goes back.
TRIES_MAX: Final = 3  # attempts to open or lock before a person must look

ENDED: Final = frozenset({DeliveryState.RETURNED, DeliveryState.CANCELLED, DeliveryState.FAILED})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as it is kept. ``pin_digest`` is a slow hash; the PIN itself is nowhere.

    ``action_id`` is the compartment action it waits for; ``returns_as`` how it ends once the robot
    is back; ``cargo`` whether the meal is still inside then.
    """

    id: str
    room_id: RoomId
    session_id: SessionId | None
    kind: DeliveryKind
    lines: tuple[OrderLine, ...]
    ordered_utc_ms: UtcMs
    ordered_by: str
    since_mono_ms: MonoMs
    pin_digest: str
    idempotency_key: str | None = None
    state: DeliveryState = DeliveryState.REQUESTED
    robot_id: RobotId | None = None
    compartment: int | None = None
    ended_utc_ms: UtcMs | None = None
    pin_tries_left: int = PIN_TRIES_MAX
    legs: tuple[Leg, ...] = ()
    zones: tuple[ZonePassage, ...] = ()
    custody: tuple[CustodyEvent, ...] = ()
    explanation: Sentence | None = None
    said_loaded_by: str | None = None
    action_id: str | None = None
    tries: int = 0
    cargo: bool = False
    unloading: bool = False
    warned: bool = False
    returns_as: DeliveryState = DeliveryState.RETURNED
    window: ArrivalWindow | None = None
    approval: Approval | None = None
    released_by: tuple[str, ...] = ()
    """Supervisors who asked for and approved an opening without the PIN; two are needed."""
    release_reason: str = ""
    release_asked_utc_ms: UtcMs | None = None
    cutlery: Cutlery = Cutlery.CHOPSTICKS
    pin_issues: int = 0
    """How often the tablet has shown a PIN anew. ``pin_digest`` empty: none has been shown yet."""
    pin_locks: int = 0
    pin_locked_mono_ms: MonoMs | None = None
    pin_locked_until_utc_ms: UtcMs | None = None
    """For showing; the lock itself counts monotonic time."""
    inspected: Inspection | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class Answered(StrEnum):
    """What became of the compartment action a delivery waits for."""

    NOTHING = "nothing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a delivery may know of its robot. ``standing_at``: arrived there, order done."""

    standing_at: str | None = None
    at_node: str | None = None
    compartment: CompartmentState | None = None
    answered: Answered = Answered.NOTHING
    result: str = ""
    lost_ms: int = 0
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Wish: unlock the compartment where the robot stands."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Wish: bolt the compartment."""


@dataclass(frozen=True, slots=True)
class Warn:
    """Wish: tell people, once."""

    rule: str


Wish = Goal | Open | Lock | Warn
"""What a delivery wants done. A ``Goal`` of kind HOME at the end also frees the robot."""

Step = tuple[Delivery, tuple[Wish, ...]]


def order(
    delivery_id: str,
    body: DeliveryBody,
    *,
    by: str,
    session_id: SessionId | None,
    pin_digest: str,
    idempotency_key: str | None,
    mono_ms: MonoMs,
    utc_ms: UtcMs,
) -> Delivery:
    """A new delivery that waits for a robot, or first for the supervisor's approval."""
    state = DeliveryState.PROPOSED if body.kind.needs_approval else DeliveryState.REQUESTED
    return Delivery(
        id=delivery_id,
        room_id=body.room_id,
        session_id=session_id,
        kind=body.kind,
        lines=body.lines,
        ordered_utc_ms=utc_ms,
        ordered_by=by,
        since_mono_ms=mono_ms,
        pin_digest=pin_digest,
        idempotency_key=idempotency_key,
        window=body.window,
        cutlery=body.cutlery,
        state=state,
        legs=(Leg(name=state, started_utc_ms=utc_ms),),
        custody=custody.recorded((), "ordered", by, utc_ms),
    )


def enter(delivery: Delivery, state: DeliveryState, mono_ms: MonoMs, utc_ms: UtcMs) -> Delivery:
    """The delivery in another state: its clock starts anew, the leg before it ends."""
    legs = delivery.legs
    if legs and legs[-1].ended_utc_ms is None:
        legs = (*legs[:-1], legs[-1].model_copy(update={"ended_utc_ms": utc_ms}))
    over = state in ENDED
    if not over:
        legs = (*legs, Leg(name=state, started_utc_ms=utc_ms))
    return replace(
        delivery,
        state=state,
        since_mono_ms=mono_ms,
        legs=legs,
        action_id=None,
        warned=False,
        explanation=None,
        ended_utc_ms=utc_ms if over else None,
    )


def assigned(
    delivery: Delivery,
    robot_id: RobotId,
    compartment: int,
    why: Sentence,
    mono_ms: MonoMs,
    utc_ms: UtcMs,
) -> Delivery:
    """A robot goes for it."""
    moved = enter(delivery, DeliveryState.TO_KITCHEN, mono_ms, utc_ms)
    return replace(moved, robot_id=robot_id, compartment=compartment, explanation=why)


def loaded(delivery: Delivery, compartment: int, by: str) -> Delivery | Refused:
    """The kitchen says that the meal is in and the lid shut. Said twice it changes nothing."""
    if delivery.state is not DeliveryState.LOADING:
        if delivery.said_loaded_by is not None and delivery.compartment == compartment:
            return delivery
        zh, en = f"当前状态为 {delivery.state}", f"the delivery is {delivery.state}"
        detail = Sentence(zh=f"{zh}，不在装餐中。", en=f"{en}; it can be loaded in `loading` only.")
        return Refused(Refusal.CONFLICT, detail)
    if compartment != delivery.compartment:
        detail = Sentence(
            zh=f"此餐应放入 {delivery.compartment} 号箱格。",
            en=f"This meal belongs in compartment {delivery.compartment}, not {compartment}.",
        )
        return Refused(Refusal.INVALID, detail)
    return replace(delivery, said_loaded_by=by)


def tried(
    delivery: Delivery, *, right: bool, by: str, mono_ms: MonoMs, utc_ms: UtcMs
) -> tuple[Delivery, tuple[Wish, ...], Refused | None]:
    """Somebody typed a PIN at the robot. Five wrong ones lock it for a time, and tell people."""
    refusal = _pin_refusal(delivery, mono_ms)
    if refusal is not None:
        return delivery, (), refusal
    if right:
        moved = enter(delivery, DeliveryState.UNLOCKING, mono_ms, utc_ms)
        events = custody.recorded(moved.custody, "pin_right", by, utc_ms)
        return replace(moved, custody=events), (Open(),), None
    left = delivery.pin_tries_left - 1
    wrong = replace(
        delivery,
        pin_tries_left=left,
        custody=custody.recorded(delivery.custody, "pin_wrong", by, utc_ms),
    )
    if left > 0:
        detail = Sentence(
            zh=f"取餐码错误，还可尝试 {left} 次。", en=f"Wrong PIN; {left} tries are left."
        )
        return wrong, (), Refused(Refusal.FORBIDDEN, detail)
    locked = _locked(wrong, mono_ms, utc_ms)
    return locked, (Warn(alerts.PIN_LOCKED),), _pin_refusal(locked, mono_ms)


def _locked(delivery: Delivery, mono_ms: MonoMs, utc_ms: UtcMs) -> Delivery:
    locks = delivery.pin_locks + 1
    until = UtcMs(utc_ms + lock_ms(locks))
    return replace(
        delivery,
        pin_locks=locks,
        pin_locked_mono_ms=mono_ms,
        pin_locked_until_utc_ms=until,
        explanation=_PIN_LOCKED,
        custody=custody.recorded(delivery.custody, "pin_locked", "controller", utc_ms),
    )


def lock_ms(locks: int) -> int:
    """How long the so-manieth lock after wrong PINs lasts."""
    return PIN_LOCK_MS * 2 ** max(locks - 1, 0)


def lock_left_ms(delivery: Delivery, mono_ms: MonoMs) -> int:
    """How long wrong PINs lock a delivery yet; 0: not at all."""
    if delivery.pin_tries_left > 0 or delivery.pin_locked_mono_ms is None:
        return 0
    return max(lock_ms(delivery.pin_locks) - (mono_ms - delivery.pin_locked_mono_ms), 0)


def lock_over(delivery: Delivery, mono_ms: MonoMs, utc_ms: UtcMs) -> Delivery:
    """The delivery with its tries again, once its time is over; else itself."""
    if delivery.pin_tries_left > 0 or lock_left_ms(delivery, mono_ms) > 0:
        return delivery
    return replace(
        delivery,
        pin_tries_left=PIN_TRIES_MAX,
        pin_locked_mono_ms=None,
        pin_locked_until_utc_ms=None,
        explanation=None,
        custody=custody.recorded(delivery.custody, "pin_lock_over", "controller", utc_ms),
    )


def cancel(
    delivery: Delivery, reason: str, by: str, kitchen: str, mono_ms: MonoMs, utc_ms: UtcMs
) -> tuple[Delivery, tuple[Wish, ...]] | Refused:
    """Call it off. What is already in the compartment goes back to the kitchen first."""
    explanation = Sentence(
        zh=f"{by} 已取消：{reason}"[:400], en=f"Called off by {by}: {reason}"[:400]
    )
    if delivery.state is DeliveryState.CANCELLED:
        return delivery, ()
    if delivery.state in (DeliveryState.TRAVELLING, DeliveryState.ARRIVED):
        events = custody.recorded(delivery.custody, "cancelled", by, utc_ms)
        back = _back(delivery, kitchen, DeliveryState.CANCELLED, explanation, mono_ms, utc_ms)
        return replace(back[0], custody=events), back[1]
    early = (
        DeliveryState.PROPOSED,
        DeliveryState.REQUESTED,
        DeliveryState.TO_KITCHEN,
        DeliveryState.LOADING,
        DeliveryState.LOCKING,
    )
    if delivery.state in early:
        moved = enter(delivery, DeliveryState.CANCELLED, mono_ms, utc_ms)
        events = custody.recorded(moved.custody, "cancelled", by, utc_ms)
        return replace(moved, explanation=explanation, custody=events), ()
    detail = Sentence(
        zh=f"当前状态为 {delivery.state}，已不能取消。",
        en=f"The delivery is {delivery.state}; it is too late to call it off.",
    )
    return Refused(Refusal.CONFLICT, detail)


def advance(  # noqa: C901, PLR0911, PLR0912  # one branch a state
    delivery: Delivery, facts: Facts, kitchen: str, door: str, mono_ms: MonoMs, utc_ms: UtcMs
) -> Step:
    """Move a delivery on by what its robot and the clock say."""
    at = _At(kitchen, door, mono_ms, utc_ms, mono_ms - delivery.since_mono_ms)
    seen = custody.noticed(delivery.custody, facts.compartment, utc_ms, node_id=facts.at_node)
    if delivery.robot_id is not None and seen is not delivery.custody:
        delivery = replace(delivery, custody=seen)
    match delivery.state:
        case DeliveryState.PROPOSED:
            return _proposed(delivery, at)
        case DeliveryState.REQUESTED:
            return _requested(delivery, at)
        case DeliveryState.TO_KITCHEN:
            return _to_kitchen(delivery, facts, at)
        case DeliveryState.LOADING:
            return _loading(delivery, facts, at)
        case DeliveryState.LOCKING:
            return _locking(delivery, facts, at)
        case DeliveryState.TRAVELLING:
            return _travelling(delivery, facts, at)
        case DeliveryState.ARRIVED:
            return _arrived(delivery, at)
        case DeliveryState.UNLOCKING:
            return _unlocking(delivery, facts, at)
        case DeliveryState.OPEN:
            return _open(delivery, facts, at)
        case DeliveryState.COLLECTED:
            return _collected(delivery, facts, at)
        case DeliveryState.RETURNING:
            return _returning(delivery, facts, at)
        case DeliveryState.RETURNED | DeliveryState.CANCELLED | DeliveryState.FAILED:
            return delivery, ()


@dataclass(frozen=True, slots=True)
class _At:
    kitchen: str
    door: str
    mono_ms: MonoMs
    utc_ms: UtcMs
    waited_ms: int


_PIN_LOCKED: Final = Sentence(
    zh="取餐码连续输错，已锁定，已通知监督人员。",
    en="Locked after wrong PINs; the supervisor has been told.",
)
_LATE: Final = Sentence(zh="超过一小时没有机器人可用。", en="No robot came free within an hour.")
_NOT_APPROVED: Final = Sentence(
    zh="一小时内未获监督人员批准。", en="No supervisor approved it within an hour."
)
_NOBODY_LOADS: Final = Sentence(
    zh="厨房未在时限内装餐。", en="The kitchen did not load it in time."
)
_NOBODY_COLLECTS: Final = Sentence(
    zh="无人取餐，已送回厨房。", en="Nobody collected it; sent back."
)
_LID_OPEN: Final = Sentence(zh="请关上箱盖。", en="Please close the lid.")
_EMPTY: Final = Sentence(zh="箱格内没有餐食。", en="There is nothing in the compartment.")
_ROBOT_LOST: Final = Sentence(zh="机器人失联，已改派。", en="The robot was lost; another one goes.")
_STUCK_LOCK: Final = Sentence(zh="箱格无法锁闭，请现场处理。", en="It does not lock; please look.")
_NOT_OPENED: Final = Sentence(
    zh="箱格未能打开，请再输一次。", en="It did not open; type the PIN again."
)
_EMPTY_IT: Final = Sentence(zh="请取出退回的餐食并关上箱盖。", en="Please take out what came back.")


def _proposed(delivery: Delivery, at: _At) -> Step:
    if at.waited_ms <= REQUEST_MAX_MS:
        return delivery, ()
    moved = enter(delivery, DeliveryState.CANCELLED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=_NOT_APPROVED), ()


def _requested(delivery: Delivery, at: _At) -> Step:
    if at.waited_ms <= REQUEST_MAX_MS:
        return delivery, ()
    moved = enter(delivery, DeliveryState.FAILED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=_LATE), ()


def _to_kitchen(delivery: Delivery, facts: Facts, at: _At) -> Step:
    if facts.lost_ms > LOST_MAX_MS:
        moved = enter(delivery, DeliveryState.REQUESTED, at.mono_ms, at.utc_ms)
        return replace(moved, robot_id=None, compartment=None, explanation=_ROBOT_LOST), ()
    if facts.standing_at != at.kitchen:
        return delivery, ()
    moved = enter(delivery, DeliveryState.LOADING, at.mono_ms, at.utc_ms)
    return replace(moved, tries=0), (Open(),)


def _loading(delivery: Delivery, facts: Facts, at: _At) -> Step:
    if facts.answered is Answered.FAILED:
        if delivery.tries + 1 >= TRIES_MAX:
            return _failed(delivery, _STUCK_LOCK, at, Warn(alerts.LOCK_FAILED))
        return replace(delivery, tries=delivery.tries + 1, action_id=None), (Open(),)
    if at.waited_ms > LOAD_MAX_MS:
        return _failed(delivery, _NOBODY_LOADS, at)
    if delivery.said_loaded_by is None or facts.compartment is None:
        return delivery, ()
    lacks = _lacks(facts.compartment)
    if lacks is not None:
        return _explained(delivery, lacks), ()
    moved = enter(delivery, DeliveryState.LOCKING, at.mono_ms, at.utc_ms)
    events = custody.recorded(
        moved.custody, "loaded", delivery.said_loaded_by, at.utc_ms, node_id=at.kitchen
    )
    return replace(moved, custody=events, cargo=True), (Lock(),)


def _locking(delivery: Delivery, facts: Facts, at: _At) -> Step:
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
        return replace(moved, custody=events, tries=0), (Goal(GoalKind.DOOR, at.door),)
    if facts.answered is not Answered.FAILED and at.waited_ms <= ANSWER_MAX_MS:
        return delivery, ()
    if delivery.tries + 1 >= TRIES_MAX:
        return _failed(delivery, _STUCK_LOCK, at, Warn(alerts.LOCK_FAILED))
    moved = enter(delivery, DeliveryState.LOADING, at.mono_ms, at.utc_ms)
    again = replace(
        moved, tries=delivery.tries + 1, said_loaded_by=None, explanation=_STUCK_LOCK, cargo=False
    )
    return again, ()


def _travelling(delivery: Delivery, facts: Facts, at: _At) -> Step:
    # A lid that opens on the way is for ``robot_watch`` to tell.
    if facts.lost_ms > LOST_MAX_MS and not delivery.warned:
        return replace(delivery, warned=True), (Warn(alerts.ROBOT_LOST),)
    if facts.standing_at != at.door:
        return delivery, ()
    moved = enter(delivery, DeliveryState.ARRIVED, at.mono_ms, at.utc_ms)
    events = custody.recorded(moved.custody, "arrived", "robot", at.utc_ms, node_id=at.door)
    return replace(moved, custody=events), ()


def _arrived(delivery: Delivery, at: _At) -> Step:
    if at.waited_ms <= COLLECT_MAX_MS:
        return delivery, ()
    return _back(
        delivery, at.kitchen, DeliveryState.FAILED, _NOBODY_COLLECTS, at.mono_ms, at.utc_ms
    )


def _unlocking(delivery: Delivery, facts: Facts, at: _At) -> Step:
    box = facts.compartment
    if facts.answered is Answered.DONE or (box is not None and box.lock is LockState.UNLOCKED):
        return enter(delivery, DeliveryState.OPEN, at.mono_ms, at.utc_ms), ()
    if facts.answered is not Answered.FAILED and at.waited_ms <= ANSWER_MAX_MS:
        return delivery, ()
    moved = enter(delivery, DeliveryState.ARRIVED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=_NOT_OPENED), ()


def _open(delivery: Delivery, facts: Facts, at: _At) -> Step:
    box = facts.compartment
    if box is None:
        return delivery, ()
    if box.lid is LidState.CLOSED and not box.occupied:
        return _shut_after(delivery, facts, at)
    if at.waited_ms <= LID_MAX_MS:
        return delivery, ()
    if box.lid is LidState.CLOSED:
        # Shut again with the meal inside: somebody thought better of it. It goes back under lock.
        return _back(
            delivery, at.kitchen, DeliveryState.FAILED, _NOBODY_COLLECTS, at.mono_ms, at.utc_ms
        )
    if delivery.warned:
        return delivery, ()
    return replace(delivery, warned=True, explanation=_LID_OPEN), (Warn(alerts.LID_OPEN),)


def _shut_after(delivery: Delivery, facts: Facts, at: _At) -> Step:
    box = facts.compartment
    if delivery.action_id is None or facts.answered is Answered.FAILED:
        return replace(delivery, action_id=None), (Lock(),)
    if facts.answered is not Answered.DONE or box is None or not box.shut:
        return delivery, ()
    moved = enter(delivery, DeliveryState.COLLECTED, at.mono_ms, at.utc_ms)
    events = custody.recorded(
        moved.custody, "collected", "room", at.utc_ms, node_id=at.door, compartment=box
    )
    return replace(moved, custody=events, cargo=False), (Goal(GoalKind.HOME, ""),)


def _collected(delivery: Delivery, facts: Facts, at: _At) -> Step:
    if not facts.under_way:
        return delivery, ()
    return enter(delivery, DeliveryState.RETURNING, at.mono_ms, at.utc_ms), ()


def _returning(delivery: Delivery, facts: Facts, at: _At) -> Step:
    if facts.standing_at is None:
        return delivery, ()
    if not delivery.cargo:
        return _over(delivery, at), ()
    if facts.standing_at != at.kitchen:
        return delivery, ()
    if not delivery.unloading:
        begun = replace(delivery, unloading=True, explanation=_EMPTY_IT, action_id=None)
        return begun, (Open(),)
    box = facts.compartment
    if box is not None and box.shut and not box.occupied:
        return _over(delivery, at), ()
    if facts.answered is Answered.FAILED and delivery.tries < TRIES_MAX:
        return replace(delivery, tries=delivery.tries + 1, action_id=None), (Open(),)
    if box is not None and box.lid is LidState.CLOSED and not box.occupied:
        return delivery, (Lock(),) if facts.answered is not Answered.NOTHING else ()
    return delivery, ()


def _over(delivery: Delivery, at: _At) -> Delivery:
    why = delivery.explanation
    return replace(enter(delivery, delivery.returns_as, at.mono_ms, at.utc_ms), explanation=why)


def _back(
    delivery: Delivery,
    kitchen: str,
    ends: DeliveryState,
    explanation: Sentence,
    mono_ms: MonoMs,
    utc_ms: UtcMs,
) -> Step:
    moved = enter(delivery, DeliveryState.RETURNING, mono_ms, utc_ms)
    back = replace(moved, returns_as=ends, cargo=True, explanation=explanation, tries=0)
    return back, (Goal(GoalKind.KITCHEN, kitchen),)


def _failed(delivery: Delivery, why: Sentence, at: _At, *wishes: Wish) -> Step:
    moved = enter(delivery, DeliveryState.FAILED, at.mono_ms, at.utc_ms)
    return replace(moved, explanation=why), wishes


def _explained(delivery: Delivery, why: Sentence) -> Delivery:
    return delivery if delivery.explanation == why else replace(delivery, explanation=why)


def _lacks(box: CompartmentState) -> Sentence | None:
    if box.lid is LidState.OPEN:
        return _LID_OPEN
    return None if box.occupied else _EMPTY


def _pin_refusal(delivery: Delivery, mono_ms: MonoMs) -> Refused | None:
    if delivery.pin_tries_left == 0:
        minutes = -(-lock_left_ms(delivery, mono_ms) // 60_000)
        detail = Sentence(
            zh=f"{_PIN_LOCKED.zh}约 {minutes} 分钟后可再试。",
            en=f"{_PIN_LOCKED.en} Try again in about {minutes} min.",
        )
        return Refused(Refusal.FORBIDDEN, detail)
    if not delivery.pin_digest:
        detail = Sentence(
            zh="尚未生成取餐码，请先在室内平板上查看。",
            en="It has no PIN yet: ask the room's tablet to show one first.",
        )
        return Refused(Refusal.CONFLICT, detail)
    if delivery.state is not DeliveryState.ARRIVED:
        detail = Sentence(
            zh=f"机器人未在门口等候（{delivery.state}）。",
            en=f"The robot does not wait at the door (delivery is {delivery.state}).",
        )
        return Refused(Refusal.CONFLICT, detail)
    return None


STATE_NAMES: Final[Mapping[DeliveryState, Sentence]] = {
    DeliveryState.REQUESTED: Sentence(zh="等待机器人", en="waiting for a robot"),
    DeliveryState.TO_KITCHEN: Sentence(zh="前往厨房", en="to the kitchen"),
    DeliveryState.LOADING: Sentence(zh="装餐", en="loading"),
    DeliveryState.LOCKING: Sentence(zh="锁闭", en="locking"),
    DeliveryState.TRAVELLING: Sentence(zh="运送", en="travelling"),
    DeliveryState.ARRIVED: Sentence(zh="门口等候", en="waiting at the door"),
    DeliveryState.UNLOCKING: Sentence(zh="开锁", en="unlocking"),
    DeliveryState.OPEN: Sentence(zh="取餐", en="open"),
    DeliveryState.COLLECTED: Sentence(zh="已取餐", en="collected"),
    DeliveryState.RETURNING: Sentence(zh="返回", en="returning"),
    DeliveryState.RETURNED: Sentence(zh="已返回", en="returned"),
    DeliveryState.CANCELLED: Sentence(zh="已取消", en="cancelled"),
    DeliveryState.FAILED: Sentence(zh="失败", en="failed"),
}
