"""Holds orders and deliveries as the API takes and shows them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.api.base import Sentence
from contracts.api.menu import Allergen, Cutlery, DeliveryKind, DishId, Portion
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import Note, RobotId, RoomId, SessionId, UtcMs, ZoneId

PIN_DIGITS = 6
PIN_TRIES_MAX = (
    5  # dispatch.md: after five wrong PINs it is locked for a time, and the supervisor is told
)


class OrderLine(Strict):
    """So many portions of one dish, in closed choices. ``avoid``: what nobody may find in it."""

    dish: DishId
    count: int = Field(ge=1, le=20)
    portion: Portion = Portion.REGULAR
    avoid: tuple[Allergen, ...] = Field(default=(), max_length=len(Allergen))


class ArrivalWindow(Strict):
    """Between when a delivery is wanted at the door; a robot neither waits there nor comes late."""

    from_utc_ms: UtcMs
    until_utc_ms: UtcMs

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until_utc_ms <= self.from_utc_ms:
            raise ValueError("until_utc_ms: must lie after from_utc_ms")
        return self


class DeliveryBody(Strict):
    """Order something to a room. With an ``Idempotency-Key`` header one key is one order.

    ``window`` left out: as soon as a robot can.
    """

    room_id: RoomId
    kind: DeliveryKind = DeliveryKind.MEAL
    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=20)
    window: ArrivalWindow | None = None
    cutlery: Cutlery = Cutlery.CHOPSTICKS


class DeliveryState(StrEnum):
    """order -> load -> locked -> travel -> arrive -> unlock -> collected -> returned."""

    PROPOSED = "proposed"
    """Waits for the supervisor's approval."""
    REQUESTED = "requested"
    TO_KITCHEN = "to_kitchen"
    LOADING = "loading"
    LOCKING = "locking"
    TRAVELLING = "travelling"
    ARRIVED = "arrived"
    UNLOCKING = "unlocking"
    OPEN = "open"
    COLLECTED = "collected"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Leg(Strict):
    """One stretch of a delivery with its time."""

    name: str
    started_utc_ms: UtcMs
    ended_utc_ms: UtcMs | None = None


class ZoneVerdict(StrEnum):
    """What the cameras prove for one zone and one passage."""

    NO_UNADMITTED_PERSON = "no_unadmitted_person"
    PERSON_SEEN = "person_seen"
    UNPROVEN = "unproven"


class ZonePassage(Strict):
    """A robot passed a zone: when, and what was seen there meanwhile."""

    zone_id: ZoneId
    name: Named
    seen_by: RoomId | None
    entered_utc_ms: UtcMs
    left_utc_ms: UtcMs | None = None
    verdict: ZoneVerdict
    detail: str = ""


class CustodyEvent(Strict):
    """Who could have opened the compartment, from when."""

    utc_ms: UtcMs
    what: str
    by: str
    node_id: str | None = None
    lid: str | None = None
    lock: str | None = None


class Approval(Strict):
    """What the supervisor decided about a delivery that needs approval."""

    approved: bool
    by: str
    utc_ms: UtcMs
    reason: str = ""


class ReleaseView(Strict):
    """An opening without the PIN: who asked and why; ``approved_by`` is another person."""

    asked_by: str
    reason: str
    asked_utc_ms: UtcMs
    approved_by: str = ""


class Found(StrEnum):
    """What was in a compartment that came back."""

    EMPTY = "empty"
    FOOD = "food"
    """What had been sent, not taken."""
    OTHER = "other"
    """Something that nobody sent: the supervisor is told."""


class Inspection(Strict):
    """The kitchen has looked into a compartment that came back, on camera, and emptied it."""

    found: Found
    by: str
    utc_ms: UtcMs


class DeliveryView(Strict):
    """One delivery. ``explanation`` says why it waits, is held or has failed, or why this robot.

    ``troubled``: it tells of trouble, not of what goes by plan.
    """

    id: str
    room_id: RoomId
    session_id: SessionId | None
    kind: DeliveryKind
    lines: tuple[OrderLine, ...]
    window: ArrivalWindow | None = None
    cutlery: Cutlery = Cutlery.CHOPSTICKS
    boxes: int = 0
    approval: Approval | None = None
    has_pin: bool = True
    pin_locked_until_utc_ms: UtcMs | None = None
    """Wrong PINs have locked it until then."""
    release: ReleaseView | None = None
    """A supervisor has asked to open it without the PIN, and another one decides."""
    inspected: Inspection | None = None
    state: DeliveryState
    held: bool = False
    robot_id: RobotId | None = None
    compartment: int | None = None
    ordered_utc_ms: UtcMs
    ordered_by: str
    ended_utc_ms: UtcMs | None = None
    pin_tries_left: int = PIN_TRIES_MAX
    legs: tuple[Leg, ...] = ()
    zones: tuple[ZonePassage, ...] = ()
    custody: tuple[CustodyEvent, ...] = ()
    explanation: Sentence | None = None
    troubled: bool = False


class DeliveryGiven(Strict):
    """The answer to an order. The PIN is shown this once, on the tablet that ordered."""

    delivery: DeliveryView
    pin: str | None


class LoadedBody(Strict):
    """The kitchen says the compartment holds the meal and its lid is shut."""

    compartment: int = Field(ge=1, le=4)


class UnlockBody(Strict):
    """The PIN, typed on the robot's panel."""

    pin: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{{PIN_DIGITS}}}$")]


class CancelReason(StrEnum):
    """Why a room calls its own order off; it has no other words."""

    CHANGED = "changed"
    NOT_NEEDED = "not_needed"
    WRONG = "wrong"
    TOO_LATE = "too_late"


CANCEL_REASONS: Final[Mapping[CancelReason, Sentence]] = {
    CancelReason.CHANGED: Sentence(zh="改主意了", en="changed their minds"),
    CancelReason.NOT_NEEDED: Sentence(zh="不再需要", en="not needed any more"),
    CancelReason.WRONG: Sentence(zh="点错了", en="ordered by mistake"),
    CancelReason.TOO_LATE: Sentence(zh="时间太晚", en="it would come too late"),
}


class CancelBody(Strict):
    """Call a delivery off. A tablet's ``reason`` is one of ``CancelReason``."""

    reason: Note


class ChangeBody(Strict):
    """An order as it shall be from now on, until it is loaded."""

    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=20)
    window: ArrivalWindow | None = None
    cutlery: Cutlery = Cutlery.CHOPSTICKS


class JudgeBody(Strict):
    """A supervisor's decision about an order that needs approval."""

    approve: bool
    reason: Note = Field(min_length=3)


class PinGiven(Strict):
    """A delivery's PIN, shown this once on the tablet; one that was given before counts no more."""

    pin: str


class ReleaseBody(Strict):
    """Ask to open a compartment at the door without the PIN; another supervisor approves."""

    reason: Note = Field(min_length=3)


class ReleaseJudgeBody(Strict):
    """The second person's word about an opening without the PIN."""

    approve: bool


class InspectBody(Strict):
    """What the kitchen found in a compartment that came back."""

    found: Found
