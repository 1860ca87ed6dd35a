"""Holds a delivery, how it begins, and what people do to it: load, type its PIN, call it off.

How it goes on by itself is ``core.delivery_life``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.api import (
    PIN_TRIES_MAX,
    Approval,
    ArrivalWindow,
    CancelReason,
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
from contracts.api.deliveries import CANCEL_REASONS
from contracts.devices import Named
from contracts.units import MonoMs, RobotId, RoomId, SessionId, UtcMs
from contracts.vda5050.profile import CompartmentState
from controller.core import alerts, custody
from controller.core.outputs import Refusal, Refused

ANSWER_MAX_MS: Final = 30_000  # a bolt moves in a second; after this the command is void
PIN_LOCK_MS: Final = 3 * 60_000
# Five wrong PINs lock it for this long, then for twice as long: who forgot a digit has asked the
# tablet by then, and who guesses gets 15 of a million before the robot goes back.

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
    stranded: bool = False
    """People were told that its robot stopped with it."""
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
    """What a delivery may know of its robot. ``standing_at``: arrived there, order done.

    ``turn``: nobody else is loaded or emptied there. ``tray``: it has no compartments.
    ``lost_ms``: off line for so long; ``unfit_ms``: on line, but for so long unable to go on.
    ``silent_ms``: since it was last heard. ``robot``, ``place``: what people call it, and where it
    is by the map's own text.
    """

    standing_at: str | None = None
    at_node: str | None = None
    compartment: CompartmentState | None = None
    answered: Answered = Answered.NOTHING
    result: str = ""
    lost_ms: int = 0
    unfit_ms: int = 0
    silent_ms: int = 0
    under_way: bool = False
    turn: bool = True
    tray: bool = False
    robot: Named | None = None
    place: str = ""


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


Wish = Open | Lock | Warn
"""What a delivery wants done. Where its robot drives follows from its state (``core.tours``)."""

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
    return PIN_LOCK_MS << max(locks - 1, 0)


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
        # Called back meanwhile, it keeps that reason.
        explanation=None if delivery.explanation == _PIN_LOCKED else delivery.explanation,
        custody=custody.recorded(delivery.custody, "pin_lock_over", "controller", utc_ms),
    )


def cancel(
    delivery: Delivery, reason: str, by: str, mono_ms: MonoMs, utc_ms: UtcMs
) -> Delivery | Refused:
    """Call it off. What is already in the compartment goes back to the kitchen first."""
    said = Sentence(zh=reason, en=reason)
    if reason in set(CancelReason):
        said = CANCEL_REASONS[CancelReason(reason)]  # a room has no other words than these
    explanation = Sentence(
        zh=f"{by} 已取消：{said.zh}"[:400], en=f"Called off by {by}: {said.en}"[:400]
    )
    if delivery.state is DeliveryState.CANCELLED:
        return delivery
    if delivery.state in (DeliveryState.TRAVELLING, DeliveryState.ARRIVED):
        moved = enter(delivery, DeliveryState.RETURNING, mono_ms, utc_ms)
        events = custody.recorded(moved.custody, "cancelled", by, utc_ms)
        return replace(
            moved,
            returns_as=DeliveryState.CANCELLED,
            cargo=True,
            explanation=explanation,
            tries=0,
            custody=events,
        )
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
        return replace(moved, explanation=explanation, custody=events)
    detail = Sentence(
        zh=f"当前状态为 {delivery.state}，已不能取消。",
        en=f"The delivery is {delivery.state}; it is too late to call it off.",
    )
    return Refused(Refusal.CONFLICT, detail)


_PIN_LOCKED: Final = Sentence(
    zh="取餐码连续输错，已锁定，已通知监督人员。",
    en="Locked after wrong PINs; the supervisor has been told.",
)


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
