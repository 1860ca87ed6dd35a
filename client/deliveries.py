"""Orders, the menu, loading, PIN, approvals, and what people do to robots."""

from client.base import Asking, part
from contracts.api import (
    ArrivalView,
    CancelBody,
    ChangeBody,
    DeliveryBody,
    DeliveryGiven,
    DeliveryView,
    Found,
    InspectBody,
    JudgeBody,
    LoadedBody,
    MealCounts,
    MenuBody,
    MenuView,
    PinGiven,
    ReleaseBody,
    ReleaseJudgeBody,
    StandingBody,
    StandingView,
    SuggestionView,
    UnlockBody,
)
from contracts.api.floor import ProceedBody, RobotReasonBody, RobotVerb, RobotVerbBody, RobotView


class DeliveryCalls(Asking):
    """Orders, the menu, loading, PIN, approvals, and what people do to robots."""

    async def order(self, body: DeliveryBody, idempotency_key: str) -> DeliveryGiven:
        """Order; the same key is the same order, so it may be sent again."""
        return await self.ask(
            DeliveryGiven, "POST", "/deliveries", body, {"Idempotency-Key": idempotency_key}
        )

    async def delivery(self, delivery_id: str) -> tuple[DeliveryView, str]:
        """A delivery, and the ETag that a change must name."""
        answer = await self.send("GET", f"/deliveries/{part(delivery_id)}")
        return DeliveryView.model_validate_json(answer.content), answer.headers.get("ETag", "")

    async def change_order(self, delivery_id: str, body: ChangeBody, etag: str) -> DeliveryView:
        """Order something else instead; RefusedError 412: it has changed meanwhile."""
        path = f"/deliveries/{part(delivery_id)}"
        return await self.ask(DeliveryView, "PUT", path, body, {"If-Match": etag})

    async def judge_delivery(self, delivery_id: str, *, approve: bool, reason: str) -> DeliveryView:
        """Approve or refuse what needs approval."""
        body = JudgeBody(approve=approve, reason=reason)
        return await self.ask(DeliveryView, "POST", f"/deliveries/{part(delivery_id)}/judge", body)

    async def show_pin(self, delivery_id: str) -> PinGiven:
        """A new PIN for the room's own tablet."""
        return await self.ask(PinGiven, "POST", f"/deliveries/{part(delivery_id)}/pin")

    async def loaded(self, delivery_id: str, compartment: int) -> DeliveryView:
        """The kitchen has loaded the compartment and shut its lid."""
        body = LoadedBody(compartment=compartment)
        return await self.ask(DeliveryView, "POST", f"/deliveries/{part(delivery_id)}/loaded", body)

    async def inspected(self, delivery_id: str, found: Found) -> DeliveryView:
        """The kitchen has looked into a compartment that came back."""
        path = f"/deliveries/{part(delivery_id)}/inspected"
        return await self.ask(DeliveryView, "POST", path, InspectBody(found=found))

    async def unlock(self, delivery_id: str, pin: str) -> DeliveryView:
        """Type the PIN at the robot."""
        path = f"/deliveries/{part(delivery_id)}/unlock"
        return await self.ask(DeliveryView, "POST", path, UnlockBody(pin=pin))

    async def ask_release(self, delivery_id: str, reason: str) -> DeliveryView:
        """Ask to open it without the PIN."""
        path = f"/deliveries/{part(delivery_id)}/release"
        return await self.ask(DeliveryView, "POST", path, ReleaseBody(reason=reason))

    async def judge_release(self, delivery_id: str, *, approve: bool) -> DeliveryView:
        """The second person's word about that."""
        path = f"/deliveries/{part(delivery_id)}/release/judge"
        return await self.ask(DeliveryView, "POST", path, ReleaseJudgeBody(approve=approve))

    async def cancel(self, delivery_id: str, reason: str) -> DeliveryView:
        """Call a delivery off."""
        path = f"/deliveries/{part(delivery_id)}/cancel"
        return await self.ask(DeliveryView, "POST", path, CancelBody(reason=reason))

    # --- the menu -------------------------------------------------------------------------------

    async def menu(self) -> tuple[MenuView, str]:
        """What can be ordered, and the ETag that a change must name."""
        answer = await self.send("GET", "/menu")
        return MenuView.model_validate_json(answer.content), answer.headers.get("ETag", "")

    async def put_menu(self, body: MenuBody, etag: str) -> MenuView:
        """Another menu from now on."""
        return await self.ask(MenuView, "PUT", "/menu", body, {"If-Match": etag})

    async def recurring(self) -> tuple[StandingView, ...]:
        """Recurring orders; none where the user may not read them."""
        return await self.rows("/recurring-orders", StandingView)

    async def make_recurring(self, body: StandingBody, idempotency_key: str) -> StandingView:
        """A recurring order; the same key is the same one."""
        sent = {"Idempotency-Key": idempotency_key}
        return await self.ask(StandingView, "POST", "/recurring-orders", body, sent)

    async def remove_recurring(self, standing_id: str) -> None:
        """Take a recurring order away."""
        await self.send("DELETE", f"/recurring-orders/{part(standing_id)}")

    async def meal_suggestion(self, room_id: str) -> SuggestionView:
        """For how many people a room needs a meal, and how early a robot can be there."""
        path = f"/rooms/{part(room_id)}/meal-suggestion"
        return await self.ask(SuggestionView, "GET", path)

    async def arrivals(self, room_id: str) -> tuple[ArrivalView, ...]:
        """When each order of a room comes to the door, as far as anybody knows."""
        return await self.rows(f"/rooms/{part(room_id)}/arrivals", ArrivalView)

    async def meals(self, first: str, last: str) -> MealCounts:
        """Counts of meals of some local days."""
        return await self.ask(MealCounts, "GET", f"/meals?from={part(first)}&to={part(last)}")

    async def meals_file(self, first: str, last: str, kind: str, language: str) -> bytes:
        """The same as a file: ``csv`` or ``xlsx``."""
        query = f"from={part(first)}&to={part(last)}&format={part(kind)}&lang={part(language)}"
        return (await self.send("GET", f"/meals?{query}")).content

    # --- robots ---------------------------------------------------------------------------------

    async def command_robot(self, robot_id: str, verb: RobotVerb, reason: str) -> RobotView:
        """Hold a robot, let it go on, call it back, or say that it was taken off or put back."""
        body = RobotVerbBody(verb=verb, reason=reason)
        return await self.ask(RobotView, "POST", f"/robots/{part(robot_id)}/commands", body)

    async def clear_robot(self, robot_id: str, reason: str) -> RobotView:
        """Stand for a robot that was in doubt."""
        body = RobotReasonBody(reason=reason)
        return await self.ask(RobotView, "POST", f"/robots/{part(robot_id)}/clear", body)

    async def let_through(self, robot_id: str, zone_id: str, reason: str) -> RobotView:
        """Let a robot through a zone that nobody sees; its proof says unproven."""
        body = ProceedBody(zone_id=zone_id, reason=reason)
        return await self.ask(RobotView, "POST", f"/robots/{part(robot_id)}/proceed", body)
