"""The people of a simulated site: supervisor, kitchen, experts, intruders; patient all."""

from collections.abc import MutableSequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.api import DeliveryBody, DeliveryState, OrderLine, SessionBody, SessionState
from contracts.units import RoomId
from contracts.vda5050.profile import LidState
from controller.core.outputs import Accepted, Refused
from controller.core.sessions import ENDED as SESSION_ENDED
from controller.core.sessions import SessionVerb
from controller.core.state import (
    DeliveryCancelled,
    DeliveryLoaded,
    DeliveryOrdered,
    PinTried,
    SessionActed,
    SessionScheduled,
)
from runtime.clock import SimulatedClock
from tests.fakes.sealing import SUSPENDED
from tests.fakes.site_controller import ControllerMachine
from tests.fakes.site_truth import Truth

AGAIN_MS = 300  # between two looks of a person at a screen
READS_MS = 800  # from the robot's arrival to the typing of the PIN


class Ending(StrEnum):
    """What becomes of a meal, as far as people decide it."""

    COLLECTED = "collected"
    NOBODY = "nobody"
    CALLED_OFF_EARLY = "called_off_early"
    CALLED_OFF_AT_DOOR = "called_off_at_door"
    LOCKED_OUT = "locked_out"
    NEVER_LOADED = "never_loaded"


@dataclass(frozen=True, slots=True)
class MealPlan:
    """One order: when, for which room, and what people then do. ``wrong_pins`` come first."""

    id: str
    room_id: RoomId
    at_ms: int
    ending: Ending
    wrong_pins: int = 0
    called_off_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session; ``suspends_ms`` and ``releases_ms`` None: it stays sealed."""

    id: str
    room_id: RoomId
    seals_ms: int
    suspends_ms: int | None
    releases_ms: int | None


@dataclass
class People:
    """Everybody of the site."""

    controller: ControllerMachine
    clock: SimulatedClock
    truth: Truth
    meals_over: int = 0
    sessions_over: int = 0
    walks_over: int = 0

    async def wait_until(self, at_ms: int) -> None:
        """Wait for a time of the day."""
        await self.clock.sleep_ms(max(at_ms - self.truth.now_ms, 0))

    async def hold_session(self, plan: SessionPlan, admitted: int) -> None:
        """The supervisor takes one session through its life."""
        body = SessionBody(room_id=plan.room_id, title=plan.id, admitted=admitted)
        await self.wait_until(plan.seals_ms)
        while self._session(plan.id) is None:
            # Asked again only while it is not there: the same id would make it anew.
            await self.controller.ask(SessionScheduled(plan.id, body, "sup"))
            await self.clock.sleep_ms(AGAIN_MS)
        await self._act(plan.id, SessionVerb.GATHER, SessionState.GATHERING)
        await self._act(plan.id, SessionVerb.SEAL, SessionState.SEALED)
        if plan.suspends_ms is not None:
            await self.wait_until(plan.suspends_ms)
            await self._act(plan.id, SessionVerb.SUSPEND, SessionState.SUSPENDED)
            await self._act(plan.id, SessionVerb.RESUME, SessionState.SEALED)
        if plan.releases_ms is not None:
            await self.wait_until(plan.releases_ms)
            await self._act(plan.id, SessionVerb.RELEASE, SessionState.RELEASED)
        self.sessions_over += 1

    def _session(self, session_id: str) -> SessionState | None:
        state = self.controller.state
        row = state.sessions.get(session_id) if state else None
        return row.state if row else None

    async def _act(self, session_id: str, verb: SessionVerb, wanted: SessionState) -> None:
        while self._session(session_id) is not wanted:
            answer = await self.controller.ask(SessionActed(session_id, verb, "sup", SUSPENDED))
            ended = self._session(session_id) in SESSION_ENDED
            if isinstance(answer, Refused) and self._session(session_id) is not wanted and ended:
                self.truth.break_(f"{session_id} cannot {verb}: {answer.detail.en}")
                return
            await self.clock.sleep_ms(AGAIN_MS)

    async def have_meal(self, plan: MealPlan) -> None:
        """Order a meal and do what people do about it until it is over."""
        await self.wait_until(plan.at_ms)
        body = DeliveryBody(room_id=plan.room_id, lines=(OrderLine(dish="tea", count=5),))
        while self.controller.delivery(plan.id) is None:
            order = DeliveryOrdered(plan.id, body, "tablet", "salt$hash", f"key-{plan.id}")
            answer = await self.controller.ask(order)
            if isinstance(answer, Accepted) and answer.entity_id != plan.id:
                self.truth.break_(f"order {plan.id} became {answer.entity_id}")
            await self.clock.sleep_ms(AGAIN_MS)
        self.truth.counts["meal"] += 1
        wrong_left, since_ms = plan.wrong_pins, self.truth.now_ms
        while True:
            await self.clock.sleep_ms(AGAIN_MS)
            delivery = self.controller.delivery(plan.id)
            if delivery is None:
                continue
            if delivery.ended:
                break
            early = plan.ending is Ending.CALLED_OFF_EARLY
            if early and self.truth.now_ms - since_ms >= plan.called_off_after_ms:
                await self.call_off(plan)
            if delivery.state is DeliveryState.LOADING:
                await self._load(plan)
            if delivery.state is DeliveryState.ARRIVED:
                wrong_left = await self._at_door(plan, wrong_left)
        self.meals_over += 1

    async def _load(self, plan: MealPlan) -> None:
        """The kitchen presses the button once the meal is in and the lid is closed."""
        if plan.ending is Ending.NEVER_LOADED:
            await self.call_off(plan)
            return
        state, delivery = self.controller.state, self.controller.delivery(plan.id)
        if state is None or delivery is None or delivery.robot_id is None:
            return
        report = state.robots[delivery.robot_id].report
        box = report.compartment(delivery.compartment or 1) if report else None
        if box is not None and box.occupied and box.lid is LidState.CLOSED:
            await self.controller.ask(DeliveryLoaded(plan.id, delivery.compartment or 1, "cook"))

    async def _at_door(self, plan: MealPlan, wrong_left: int) -> int:
        await self.clock.sleep_ms(READS_MS)
        match plan.ending:
            case Ending.CALLED_OFF_AT_DOOR:
                await self.call_off(plan)
            case Ending.NOBODY:
                await self.clock.sleep_ms(10 * AGAIN_MS)
            case Ending.LOCKED_OUT:
                answer = await self.controller.ask(PinTried(plan.id, False, "panel"))
                delivery = self.controller.delivery(plan.id)
                if isinstance(answer, Refused) and delivery and delivery.pin_tries_left == 0:
                    self.truth.counts["pin locked"] += 1
                    await self._right_pin(plan)  # too late: it must not open
                    await self.call_off(plan)
            case _ if wrong_left > 0:
                self.truth.counts["wrong pin"] += 1
                await self.controller.ask(PinTried(plan.id, False, "panel"))
                return wrong_left - 1
            case _:
                await self._right_pin(plan)
        return wrong_left

    async def _right_pin(self, plan: MealPlan) -> None:
        delivery = self.controller.delivery(plan.id)
        if delivery is None:
            return
        if delivery.pin_tries_left > 0:
            self.truth.right_pins[plan.id] += 1
        await self.controller.ask(PinTried(plan.id, True, "panel"))

    async def call_off(self, plan: MealPlan) -> None:
        """Cancel; refused where it is too late."""
        self.truth.counts["called off"] += 1
        await self.controller.ask(DeliveryCancelled(plan.id, "simulated", "sup"))

    async def walk_in(
        self, where: MutableSequence[int], number: int, at_ms: int, for_ms: int
    ) -> None:
        """Somebody is in a camera's picture for a while."""
        await self.wait_until(at_ms)
        self.truth.tell(f"person {number} comes in")
        where.append(number)
        await self.clock.sleep_ms(for_ms)
        where.remove(number)
        self.walks_over += 1
        self.truth.tell(f"person {number} leaves")
