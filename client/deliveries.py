"""Orders, loading, PIN."""

from client.base import Asking, part
from contracts.api import (
    CancelBody,
    DeliveryBody,
    DeliveryGiven,
    DeliveryView,
    LoadedBody,
    UnlockBody,
)


class DeliveryCalls(Asking):
    """Orders, loading, PIN."""

    async def order(self, body: DeliveryBody, idempotency_key: str) -> DeliveryGiven:
        """Order a meal; the same key is the same order, so it may be sent again."""
        return await self.ask(
            DeliveryGiven, "POST", "/deliveries", body, {"Idempotency-Key": idempotency_key}
        )

    async def loaded(self, delivery_id: str, compartment: int) -> DeliveryView:
        """The kitchen has loaded the compartment and shut its lid."""
        body = LoadedBody(compartment=compartment)
        return await self.ask(DeliveryView, "POST", f"/deliveries/{part(delivery_id)}/loaded", body)

    async def unlock(self, delivery_id: str, pin: str) -> DeliveryView:
        """Type the PIN at the robot."""
        path = f"/deliveries/{part(delivery_id)}/unlock"
        return await self.ask(DeliveryView, "POST", path, UnlockBody(pin=pin))

    async def cancel(self, delivery_id: str, reason: str) -> DeliveryView:
        """Call a delivery off."""
        path = f"/deliveries/{part(delivery_id)}/cancel"
        return await self.ask(DeliveryView, "POST", path, CancelBody(reason=reason))
